"""Sparse Bayesian learning of a tensor that a Kronecker product measures: prior variances are a product, one factor an axis.

    y = (A_1 ⊗ ... ⊗ A_I) x + e,    x ~ N(0, diag(g_1 ⊗ ... ⊗ g_I)),    e ~ N(0, s I)

He and Joseph, "Bayesian algorithms for Kronecker-structured sparse vector recovery with application to IRS-MIMO channel
estimation", 2023 (arXiv 2307.14719).
"""

from __future__ import annotations

import math

import numpy as np

from ..._array import attainable, norm, to_numpy
from ..._validation import as_count, as_design, as_number, as_sample_weight, as_target, total_weight, weighted
from ...designs import KroneckerDesign
from ...result import PosteriorResult, announce
from ..belief import drive_beliefs
from ..driver import State
from ..greedy.forms import check_ranges, target_sq_norms
from ..noise_level import as_noise_variance, check_counted
from .kronecker_model import KroneckerModel, chosen
from .kronecker_review import left_out, returned

__all__ = ["kronecker_sbl", "solve_kronecker_sbl"]

_CERTIFY_EVERY = 5
_SURE = 10  # iterations before the first jump
_LONG = 100  # before the first of the noise variance, where nothing may hold that up
_PRUNE = {"svd": 1e-3, "am": 5e-3}  # share of the largest variance of an axis below which an index is dropped
_PRUNE_COUPLED = 1e-2
_NEARLY = 2.0  # tolerances: closer to rest, it is reviewed which indices are worth their place
_FAINT = 4.0  # noise variances: an index is dropped where none of its coefficients, for columns of norm one, has a larger one


def kronecker_sbl(
    A,
    y,
    *,
    method="svd",
    coupling=None,
    noise_variance="learn",
    prune=None,
    sample_weight=None,
    max_iter=1_000,
    tol=1e-4,
    callback=None,
):
    """Posterior of the coefficients of a Kronecker product whose prior variances are a Kronecker product, learned from the data.

    Minimises ``-log p(y | g_1 ⊗ ... ⊗ g_I, s)``, y being Gaussian of covariance ``s I + A diag(g_1 ⊗ ... ⊗ g_I) A^H``, by expectation
    maximisation. The support is the product of one support for each axis of the tensor of coefficients. An iteration costs an
    eigenvalue problem for each factor and products with one factor at a time.

    Parameters
    ----------
    A : KroneckerDesign, sequence of arrays of shape (n_samples_i, n_features_i), or anything that is a design
        The factors ``A_1 ... A_I``; one matrix alone is one factor, and the method is sparse Bayesian learning.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, a tensor of shape (n_samples_1, ..., n_samples_I) flattened in C order. Several targets share the prior variances, and
        so the support.
    method : {"svd", "am"}, default="svd"
        How the variances are made a product again after each step: by singular vectors (faster, and in general more accurate), or by the
        likelihood's own optimum for one factor after another (the evidence then never falls; jumps by MacKay's fixed point are tried,
        and undone where it would).
    coupling : float, or sequence of floats, one for each factor, optional
        For non-zeros that come in blocks along an axis: the share, from 0 to 1, that the variance of an index has in those of its
        neighbours, for columns of norm one; 0.5 to 0.8 is usual. No blocks by default.
    noise_variance : float or "learn", default="learn"
        Variance of the noise in the squared units of y. "learn": with everything else, by expectation maximisation from a tenth of the
        mean square of y (after 100 iterations by MacKay's fixed point, as it may fall as slowly as one over their number), and never below a
        millionth of it, which is safe here where few variances describe many coefficients. One below
        1e-12 of that mean square counts as 1e-12 of it.
    prune : float, optional
        An index is dropped once its variance, for columns of norm one, is below this share of the largest of its axis and its coefficients
        too small to be told from the noise. By default that is 1e-3 for "svd", 5e-3 for "am", and where the iterations have come to rest,
        indices without which the evidence would lose fewer than 3 nats are dropped, and such as would bring more come back. With a
        coupling 1e-2, whatever the noise, and nothing more.
    sample_weight : array of shape (n_samples,), optional
        How often each sample counts, as in `sbl` (their sum matters: weights of a mean above one say that replicates agree exactly); only
        for a single factor.
    max_iter : int, default=1_000
        Iterations.
    tol : float, default=1e-4
        Tolerance for the certificate; in single precision at least 1e-6 is used.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    PosteriorResult
        The certificate is the relative change of prior variances and noise variance under one more iteration, and the distance of the
        coefficients to the posterior mean of those variances, recomputed in float64: that the iterations came to rest, not how far the
        evidence is from its maximum. The objective is the negative logarithm of the evidence. ``parameters["prior_variances"]`` holds
        one array (n_features_i,) for each factor, of norm one but for the last.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If the certificate is above `tol` in the end.

    References
    ----------
    He and Joseph, "Bayesian algorithms for Kronecker-structured sparse vector recovery with application to IRS-MIMO channel estimation",
    2023 (arXiv 2307.14719).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import kronecker_sbl
    >>> rng = np.random.default_rng(0)
    >>> factors = [rng.standard_normal((8, 10)) for _ in range(2)]
    >>> x = np.zeros((10, 10))
    >>> x[np.ix_([2, 7], [1, 4])] = [[3, -2], [1, 4]]
    >>> y = (factors[0] @ x @ factors[1].T).ravel() + 0.01 * rng.standard_normal(64)
    >>> result = kronecker_sbl(factors, y)
    >>> result.support
    array([21, 24, 71, 74])
    >>> result.coef[result.support].round(1)
    array([ 3., -2.,  1.,  4.])
    """
    settings = {"method": method, "coupling": coupling, "noise_variance": noise_variance, "prune": prune}
    run = {"sample_weight": sample_weight, "max_iter": max_iter, "tol": tol, "callback": callback}
    return announce(solve_kronecker_sbl(A, y, **settings, **run))


def solve_kronecker_sbl(
    A,
    y,
    *,
    method="svd",
    coupling=None,
    noise_variance="learn",
    prune=None,
    sample_weight=None,
    counted=None,
    lost=0,
    max_iter=1_000,
    tol=1e-4,
    callback=None,
) -> PosteriorResult:
    """The solve behind `kronecker_sbl`, without a warning.

    `counted` is how many samples the rows of a weighted problem stand for, `lost` how many of their degrees of freedom a mean took.
    """
    if method not in _PRUNE:
        raise ValueError(f"method must be 'svd' or 'am'; got {method!r}.")
    design = _as_kronecker(A)
    target = as_target(y, design)
    check_ranges(design, target, target_sq_norms(design, target))
    design, target = _weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    counted = total_weight(sample_weight, design.shape[0]) if counted is None else counted
    check_counted(counted - lost, counted, design.shape[0])
    couplings = _couplings(coupling, len(design.factors))
    reviews = prune is None and not any(couplings)
    if prune is None:
        prune = _PRUNE[method] if not any(couplings) else _PRUNE_COUPLED
    noise = as_noise_variance(noise_variance)
    model = KroneckerModel(design, target, method, couplings, None if noise == "learn" else noise, counted, lost)
    tol = attainable(as_number(tol, "tol"), target)
    return drive_beliefs(
        _steps(model, as_number(prune, "prune", maximum=1.0), tol, reviews),
        model.certify,
        max_iter=as_count(max_iter, "max_iter"),
        tol=tol,
        callback=callback,
    )


def _as_kronecker(A):
    """The design of a user's factors, or of one matrix."""
    if isinstance(A, (list, tuple)) and A and all(getattr(part, "ndim", 0) == 2 for part in A):
        return KroneckerDesign(A)
    return as_design(A)


def _weighted(design, target, sample_weight):
    """The Kronecker design of a problem with weighted rows; only a single matrix stays one."""
    if isinstance(design, KroneckerDesign) and (sample_weight is None or len(design.factors) > 1):
        if sample_weight is not None:
            raise ValueError(
                "sample_weight is not possible with several factors: weighted rows are no Kronecker product."
            )
        return design, target
    design, target = weighted(design, target, sample_weight)
    return KroneckerDesign([design.columns(np.arange(design.shape[1]))]), target


def _couplings(coupling, n_factors):
    """One number from 0 to 1 for each factor."""
    if coupling is None:
        return (0.0,) * n_factors
    values = [coupling] * n_factors if np.ndim(coupling) == 0 else list(coupling)
    if len(values) != n_factors:
        raise ValueError(f"coupling has {len(values)} entries; it needs one for each of the {n_factors} factors.")
    return tuple(as_number(value, "coupling", maximum=1.0) for value in values)


def _steps(model, prune, tol, reviews):
    """Yield posteriors of variances that fit the data better and better, for ever.

    A jump that lowered the evidence is undone, and a sure step made instead. Where the iterations have come to rest it is reviewed which
    indices are in use, until all are worth it.
    """
    variances, noise = model.start()
    if not all(bool(to_numpy(variance).any()) for variance in variances):
        yield State(model.zeros(noise), finished=True)
    places = [np.flatnonzero(to_numpy(variance) > 0) for variance in variances]
    variances = [chosen(variance, place) for variance, place in zip(variances, places, strict=True)]
    iteration, before, sure, back = 0, None, True, [set() for _ in places]
    while True:
        moments = model.moments(model.restricted(places), variances, noise)
        if before is not None and not moments.log_evidence >= before[0].log_evidence:
            moments, variances, noise, places = before
            sure = True
        certify = iteration % _CERTIFY_EVERY == 0
        if certify and model.is_noise(moments, noise):
            yield State(model.zeros(noise), finished=True)
        if certify and reviews:
            reviewed = _reviewed(model, moments, variances, noise, places, tol, back)
            if reviewed is not None:
                yield State(model.belief(moments, variances, noise, places), certify=False)
                places, variances = reviewed
                before, sure, iteration = None, True, iteration + 1
                continue
        yield State(model.belief(moments, variances, noise, places), certify=certify)
        jumps = model.may_jump and not sure and iteration >= _SURE
        falls = model.learns_noise and not sure and iteration >= _LONG
        before, sure = (moments, variances, noise, list(places)) if jumps or falls else None, False
        after = model.jumped(moments, variances) if jumps else model.maximised(moments, variances, places)
        variances, noise = after, model.noise_jumped(moments) if falls else model.noise_after(moments, noise)
        share = _least_share(model, prune, variances, noise)
        for axis, variance in enumerate(variances):
            values = to_numpy(variance)
            kept = np.flatnonzero(values >= share * values.max())
            if kept.size < values.size:
                variances[axis], places[axis] = chosen(variance, kept), places[axis][kept]
        iteration += 1


def _reviewed(model, moments, variances, noise, places, tol, before):
    """Places and variances after an index more or less, where another iteration would hardly move them; None where all are worth it."""
    after = model.maximised(moments, variances, places)
    moved = [float(norm(new - old)) / float(norm(old)) for new, old in zip(after, variances, strict=True)]
    if max(*moved, abs(model.noise_after(moments, noise) / noise - 1.0)) > _NEARLY * tol:
        return None
    return left_out(model, moments, variances, noise, places) or returned(
        model, moments, variances, noise, places, before
    )


def _least_share(model, prune, variances, noise):
    """Share of the largest variance of its axis below which an index is dropped: never one that stands out of the noise."""
    largest = math.prod(float(np.max(to_numpy(variance))) for variance in variances)  # of a coefficient
    if any(model.couplings) or not largest > 0:  # a coupled variance is no smaller than what its neighbours lend it
        return prune
    return min(prune, _FAINT * noise / largest)
