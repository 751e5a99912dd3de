"""Sparse Bayesian learning: prior variances, one a coefficient, that maximise the evidence; most of them are zero.

    y = A x + e,   x ~ N(0, diag(g)),   e ~ N(0, s I)
    maximise over g >= 0   log p(y | g, s) - prune #{n: g_n > 0}

Tipping, "Sparse Bayesian learning and the relevance vector machine", 2001.
Wipf and Rao, "Sparse Bayesian learning for basis selection", 2004.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..._array import array_namespace, asarray_like, is_complex, real_dtype, sq_norm, to_numpy
from ..._parallel import blas_for_products
from ..._validation import (
    as_count,
    as_design,
    as_flag,
    as_number,
    as_sample_weight,
    as_start,
    as_target,
    check_columns,
    check_range,
    total_weight,
    weighted,
)
from ..._warnings import warn
from ...designs import GramDesign
from ...result import PosteriorResult, Status, announce
from ..belief import drive_beliefs
from ..noise_level import as_noise_variance, check_counted
from ..targets import joined_history, worst_status
from .certificate import CERTIFICATE_NAME, certifier, covariances
from .fast import GENTLE, fast_steps, learned_noise, searching_steps
from .ggamp import MOST_EXACT, ggamp_noise, polished, solve_ggamp
from .noise import Noise
from .setting import pose
from .temporal import as_correlation
from .updates import UPDATES, batch_steps

__all__ = ["sbl", "solve_sbl"]

_METHODS = ("auto", "em", "mackay", "fast", "gamp")


def sbl(
    A,
    y,
    *,
    method="auto",
    noise_variance="learn",
    joint=False,
    correlation=None,
    prune=GENTLE,
    sample_weight=None,
    init=None,
    max_iter=1_000,
    tol=1e-4,
    callback=None,
):
    """Sparse Bayesian learning: maximise the evidence over one prior variance a coefficient, and return the posterior.

    With ``y = A x + e``, ``x ~ N(0, diag(g))`` and ``e ~ N(0, s I)``, maximise ``log p(y | g, s) - prune * #{n: g_n > 0}`` over the
    prior variances g, and over the noise variance s if it is learned. Coefficients of prior variance zero are zero.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design. Nothing depends on the scale of its columns.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target.
    method : {"auto", "em", "mackay", "fast", "gamp"}, default="auto"
        How the evidence is maximised. "fast": one variance at a time to its best value, on the columns in use alone; costs grow with
        their number, and operators are never formed. "em": expectation-maximisation, which never lowers the evidence where columns are
        not dropped, and takes many iterations; "mackay": MacKay's fixed point, which takes few, and may lower it. Both start with all
        columns in use, and form a matrix of the smaller of n_samples and the columns in use. "gamp": for designs too large for
        such a matrix, products alone: variances by Gaussian message passing, which are approximate, the mean by conjugate gradients. Where
        no more than 2000 coefficients are in use in the end, and fewer than n_samples, rounds of "fast" from there make the answer exact
        (not with a `correlation`: then the posterior alone is). "auto": "em" with a `correlation`, else "fast".
    noise_variance : float, "learn" or "estimate", default="learn"
        Variance of the noise in the squared units of y (one below 1e-13 of the mean square of y is raised to that: double precision
        cannot tell it from rounding). "learn": with everything else, in every iteration, from several starts of which the highest
        evidence is kept, and never below 1e-10 of the mean square of y, 1e-6 with a `prune` below 1. "estimate": learned once with
        ``prune=3``, by "fast" or by "gamp" itself, and then kept: for a `prune` below 1, with which learning may collapse.
    joint : bool, default=False
        Whether all targets share one support, their prior variances and the noise variance; by default each has its own.
    correlation : float, array of shape (n_targets, n_targets) or "learn", optional
        Correlation of the coefficients of one row along the targets, which then share their support: of neighbours (that of others is
        its power), or of all pairs, by a matrix that is scaled to trace n_targets. "learn" re-estimates one in every iteration. Not for
        "fast".
    prune : float, default=3.0
        How much a coefficient must add to the log evidence, in nats, to be in use; 3 asks for about three standard deviations. With 0 it
        is the evidence alone that is maximised: about a third of the columns that have nothing to do with y then stay in use, and where
        there are fewer than 1.5 n_features samples a learned noise variance sinks to its least value.
    sample_weight : array of shape (n_samples,), optional
        How often each sample counts (their sum matters): one of weight w has noise of variance ``s / w``. Weights of a mean above one
        say that replicates agree exactly, and a learned noise variance may then collapse: scale precisions to a mean of one.
    init : array of shape (n_features,), optional
        Prior variances to start from. By default "fast" starts from none, the others from equal
        shares of the columns in y.
    max_iter : int, default=1_000
        Iterations; of "fast", rounds over all columns; of "gamp", those of each start where strong noise is learned, and of the exact rounds; of
        "em" and "mackay" where noise is learned, those from all columns and those from what rounds of "fast" find, of which the higher
        evidence is kept. Those rounds, which look for a noise variance to learn from, are not among them.
    tol : float, default=1e-4
        What changing a single variance may still gain, in nats; see Returns.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    PosteriorResult
        The posterior mean, variances, noise variance and log evidence. The objective is the negative log evidence and `prune` for each
        coefficient in use. The certificate is the largest gain in nats that changing one prior variance alone, of any column, could
        still bring, or moving a learned noise variance, recomputed from the variances returned; of a
        learned correlation, what one more step would change. Where the end of "gamp" is not exact it takes these gains and the objective
        as message passing sees them, from columns out of use a sixth more of `prune`, and the relative duality gap of the mean if that is
        larger; of a correlation it says nothing.
        `parameters` holds "prior_variance"; "pruned_at", the iteration at which a column was dropped because the evidence is larger without
        it, -1 if it never was; "covariance", of the coefficients in use, None for more than 2000; and "correlation" if there is one, a
        matrix of trace n_targets: a learned diagonal tells the targets of larger coefficients.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If the certificate is above `tol` in the end.
    RuntimeWarning
        If a noise variance is learned from fewer than 1.5 n_features samples with `prune` below 1.

    See Also
    --------
    SparseBayesianRegressor : The same as an estimator, with an intercept and predictive uncertainty.

    References
    ----------
    Tipping, "Sparse Bayesian learning and the relevance vector machine", 2001.
    Tipping and Faul, "Fast marginal likelihood maximisation for sparse Bayesian models", 2003.
    Wipf and Rao, "An empirical Bayesian strategy for solving the simultaneous sparse approximation problem", 2007.
    Zhang and Rao, "Sparse signal recovery with temporally correlated source vectors using sparse Bayesian learning", 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import sbl
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((30, 60))
    >>> result = sbl(A, 3 * A[:, 4] - 2 * A[:, 11] + 0.1 * rng.standard_normal(30))
    >>> result.support, result.coef[result.support].round(1)
    (array([ 4, 11]), array([ 3., -2.]))
    """
    model = {
        "method": method,
        "noise_variance": noise_variance,
        "joint": joint,
        "correlation": correlation,
        "prune": prune,
    }
    run = {"init": init, "max_iter": max_iter, "tol": tol, "callback": callback}
    return announce(solve_sbl(A, y, sample_weight=sample_weight, **model, **run))


def solve_sbl(A, y, *, sample_weight=None, counted=None, total=None, row_weight=None, **options) -> PosteriorResult:
    """The solve behind `sbl`, without its warning of a missed certificate.

    `total` is the sum of the weights of samples that were weighted before, `row_weight` (n_samples,) these weights with a mean of one,
    and `counted` the number of samples that the likelihood counts.
    """
    design = as_design(A)
    if isinstance(design, GramDesign):
        raise ValueError("A is a GramDesign, which has no samples; sparse Bayesian learning needs the design itself.")
    target = as_target(y, design, "y")
    check_columns(design)
    check_range(
        np.atleast_1d(to_numpy(sq_norm(target))), target[None, :] if target.ndim == 1 else target.T, "y", "target"
    )
    weight = as_sample_weight(sample_weight, design.shape[0])
    total = total_weight(sample_weight, design.shape[0]) if total is None else total
    design, target = weighted(design, target, weight)
    options = _checked(design, target, **options)
    counts = {
        "counted": total if counted is None else counted,
        "total": total,
        "row_weight": row_weight if weight is None else weight,
    }
    check_counted(counts["counted"], total, design.shape[0])
    if target.ndim == 1 or options.pop("joint"):
        options.pop("joint", None)
        return _solve_joint(design, target, counts, **options)
    results = [_solve_joint(design, target[:, column], counts, **options) for column in range(target.shape[1])]
    return _together(results)


def _checked(design, target, *, method, noise_variance, joint, correlation, prune, init, max_iter, tol, callback):
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, _METHODS))}; got {method!r}.")
    joint = as_flag(joint, "joint")
    noise_variance = as_noise_variance(noise_variance, ("learn", "estimate"))
    prune = as_number(prune, "prune")
    learns_correlation = isinstance(correlation, str)
    if correlation is not None:
        if target.ndim == 1 or target.shape[1] < 2:
            raise ValueError("correlation is along targets; y needs two or more of them.")
        if method == "fast":
            raise ValueError("method='fast' takes no correlation; use 'em', 'mackay' or 'gamp'.")
        if learns_correlation and correlation != "learn":
            raise ValueError(f"correlation must be a number, a matrix or 'learn'; got {correlation!r}.")
        complex_data = "complex" in str(target.dtype)
        correlation = as_correlation(0.0 if learns_correlation else correlation, target.shape[1], complex_data)
        joint = True
    if method == "auto":
        method = "fast" if correlation is None else "em"
    if init is not None:
        init = as_start(init, np.zeros(design.shape[1]))
        if np.any(init < 0):
            raise ValueError("init are prior variances, which are not negative.")
    if noise_variance == "learn" and prune < 1.0 and design.shape[0] < 1.5 * design.shape[1]:
        warn(
            f"a noise variance learned from {design.shape[0]} samples of {design.shape[1]} features with prune={prune:g} may collapse: give "
            "it, pass noise_variance='estimate', let coefficients pay (prune=3), or use the three-layer prior of hierarchical_bayes, which learns it.",
            RuntimeWarning,
        )
    return {
        "method": method,
        "noise_variance": noise_variance,
        "joint": joint,
        "correlation": correlation,
        "learns_correlation": learns_correlation,
        "prune": prune,
        "init": init,
        "max_iter": as_count(max_iter, "max_iter"),
        "tol": as_number(tol, "tol"),
        "callback": callback,
    }


def _solve_joint(design, target, counts, *, noise_variance, prune, tol, **options):
    """One target, or many with one support."""
    xp = array_namespace(target)
    columns = target if target.ndim == 2 else target[:, None]
    if not bool(xp.any(columns != 0)) or counts["counted"] <= 0:
        return _of_nothing(design, target, noise_variance, counts["counted"], tol, options["correlation"])
    with blas_for_products(design.shape):
        setting = pose(design, columns, charge=prune, **counts)
        return _solve_setting(setting, noise_variance, tol, _Presenter(target, setting), **options)


def _solve_setting(
    setting, noise_variance, tol, present, *, method, correlation, learns_correlation, init, max_iter, callback
):
    start = None if init is None else init / setting.size**2
    worth = max(tol / 10.0, 1e-9)
    learned, known = noise_variance == "learn", isinstance(noise_variance, float)
    certify = certifier(setting, learned, learns_correlation)
    watch = None if callback is None else lambda progress: callback(progress._replace(coef=present.mean(progress.coef)))
    limits = {"max_iter": max_iter, "tol": tol, "callback": watch}
    if method == "gamp":
        noise = Noise(setting.given_noise(noise_variance)) if known else ggamp_noise(setting, learned)
        result = solve_ggamp(setting, noise, start, worth, correlation, learns_correlation, **limits)
        return present(polished(setting, noise, result, worth, **limits))
    if method == "fast" and start is None and not known:
        return present(drive_beliefs(searching_steps(setting, learned, worth), certify, **limits))
    found = None
    if known:
        noise = Noise(setting.given_noise(noise_variance))
    else:
        noise, found = learned_noise(setting)
        noise = noise._replace(learned=learned)
    if method == "fast":
        return present(drive_beliefs(fast_steps(setting, noise, start, worth), certify, **limits))
    results = []
    for begin in (start,) if start is not None or found is None or not found.any() else (start, found):
        steps = batch_steps(setting, noise, UPDATES[method], begin, worth, correlation, learns_correlation)
        results.append(drive_beliefs(steps, certify, **limits))
        limits["callback"] = None  # the second start, near its end, goes unseen
        if results[-1].status is Status.INTERRUPTED:
            break
    return present(_best(results))


def _best(results):
    """The result of the lowest objective, of those that converged if there are any; iterations are those of all."""
    best = min(results, key=lambda result: (result.status is not Status.CONVERGED, result.objective))
    first, n_iter = results[0], sum(result.n_iter for result in results)
    if best is first or first.status is Status.INTERRUPTED:
        return replace(first, n_iter=n_iter)
    seen = len(first.history["iteration"]) - (first.status is Status.CONVERGED)
    last = {"iteration": n_iter, "seconds": first.history["seconds"][-1] + best.history["seconds"][-1]}
    history = {name: [*values[:seen], last.get(name, best.history[name][-1])] for name, values in first.history.items()}
    return replace(best, n_iter=n_iter, history=history)


class _Presenter:
    """From a target of mean square one in double precision back to what the user gave."""

    def __init__(self, target, setting):
        self.target, self.setting = target, setting

    def mean(self, values):
        """Coefficients in the shape, precision and namespace of the target."""
        return self._like(values * self.setting.size, self.target.dtype)

    def _like(self, values, dtype):
        if self.target.ndim == 1 and values.ndim == 2:
            values = values[:, 0]
        return asarray_like(np.ascontiguousarray(values), self.target, dtype=dtype)

    def __call__(self, result):
        setting, learned = self.setting, dict(result.parameters)
        learned.pop("searching", None)
        size_sq = setting.size**2
        variance = result.variance
        if variance.ndim == 1 and self.target.ndim == 2:
            variance = np.repeat(variance[:, None], setting.n_targets, axis=1)
        many = np.count_nonzero(learned["prior_variance"]) > MOST_EXACT
        covariance = None if many else covariances(setting, learned, result.noise_variance) * size_sq
        learned["prior_variance"] = learned["prior_variance"] * size_sq
        learned["covariance"] = covariance
        evidence = result.log_evidence
        return replace(
            result,
            coef=self.mean(result.coef),
            variance=self._like(variance * size_sq, real_dtype(array_namespace(self.target), self.target.dtype)),
            noise_variance=float(setting.reported_noise(result.noise_variance)),
            log_evidence=float(setting.reported_evidence(evidence, result.noise_variance)),
            parameters=learned,
        )


def _of_nothing(design, target, noise_variance, counted, tol, correlation):
    """The answer to targets that are zero: coefficients that are, and no noise unless it is given."""
    n_features, noise, evidence = design.shape[1], 0.0, None
    if isinstance(noise_variance, float):
        noise, (half, constant) = noise_variance, (1.0, math.pi) if is_complex(target) else (0.5, 2.0 * math.pi)
        evidence = -half * counted * math.prod(target.shape[1:]) * math.log(constant * noise)
    objective = 0.0 if evidence is None else -evidence
    zeros = asarray_like(np.zeros((n_features, *target.shape[1:])), target, dtype=target.dtype)
    real = real_dtype(array_namespace(target), target.dtype)
    many = zeros.ndim == 2
    learned = {
        "prior_variance": np.zeros(n_features),
        "pruned_at": np.full(n_features, -1),
        "covariance": np.zeros((0, 0) if correlation is None else (target.shape[1], 0, 0)),
    }
    if correlation is not None:
        learned["correlation"] = correlation
    return PosteriorResult(
        coef=zeros,
        intercept=0.0,
        status=Status.CONVERGED,
        n_iter=0,
        objective=objective,
        certificate=0.0,
        certificate_name=CERTIFICATE_NAME,
        tol=tol,
        history={"iteration": [0], "certificate": [0.0], "objective": [objective], "seconds": [0.0]},
        variance=asarray_like(np.zeros((n_features, target.shape[1]) if many else n_features), target, dtype=real),
        noise_variance=noise,
        log_evidence=evidence,
        parameters=learned,
    )


def _together(results):
    """The answers of targets that have nothing in common, as one."""
    xp = array_namespace(results[0].coef)
    certificate = np.asarray([result.certificate for result in results])
    evidences = [result.log_evidence for result in results]
    learned = [result.parameters for result in results]
    return replace(
        results[0],
        coef=xp.stack([result.coef for result in results], axis=1),
        variance=xp.stack([result.variance for result in results], axis=1),
        status=worst_status(results, certificate, results[0].tol),
        n_iter=max(result.n_iter for result in results),
        objective=np.asarray([result.objective for result in results]),
        certificate=certificate,
        history=joined_history(results),
        reason=next((result.reason for result in results if result.reason), ""),
        noise_variance=np.asarray([result.noise_variance for result in results]),
        log_evidence=None if None in evidences else float(sum(evidences)),
        parameters={
            "prior_variance": np.stack([part["prior_variance"] for part in learned], axis=1),
            "pruned_at": np.stack([part["pruned_at"] for part in learned], axis=1),
            "covariance": [part["covariance"] for part in learned],
        },
    )
