"""Generalised approximate message passing: marginal posteriors for any separable prior and output channel.

    x_n ~ prior,    z = A x,    y_m ~ channel(z_m)

Rangan, "Generalized approximate message passing for estimation with random linear mixing", 2011 (arXiv 1010.5141).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from ..._array import array_namespace, asarray_like, attainable, is_complex, is_single, real_part, to_numpy
from ..._validation import as_count, as_design, as_flag, as_number, as_sample_weight, as_target, total_weight, weighted
from ...channels import GaussianChannel
from ...channels._numbers import average, modulus_sq
from ...designs import GramDesign
from ...priors import BernoulliGaussian
from ...result import PosteriorResult, Status, announce
from ..belief import check_size, drive_beliefs
from ..greedy.forms import check_ranges, target_sq_norms
from ..noise_level import LEARNED_FLOOR, as_noise_variance, check_counted
from .damping import Damper
from .gamp_iteration import Gamp
from .gamp_steps import Model, certify
from .learning import Learner, as_plain, leaves
from .mean_removal import ADDED, without_mean
from .message_loop import message_steps
from .silence import silenced
from .squares import squares

__all__ = ["gamp", "solve_gamp"]

_QUIET = 1 / 101  # the noise's share of the mean square of the target, before anything is known: 20 dB
_DENSE = 0.3  # non-zero coefficients for each sample, before anything is known
_FACTOR = 3.0  # the largest change of the noise's variance in an iteration, so that the messages keep up
_SINGLE = 1e-4  # what certificates of single-precision iterates reach
_DIVERGED = (
    "the iterates grew without bound, however short the steps; use remove_mean=True for a matrix with a mean of its own, vamp for "
    "correlated or ill-conditioned columns, and check the scale of the prior"
)


def gamp(
    A,
    y,
    *,
    prior=None,
    channel=None,
    noise_variance="learn",
    learn=None,
    variances="vector",
    remove_mean=False,
    damping="adaptive",
    sample_weight=None,
    max_iter=1_000,
    tol=1e-6,
    callback=None,
):
    """Posterior means and variances of coefficients with any separable prior and output channel, by message passing (GAMP).

    The model is ``x_n ~ prior``, ``y_m ~ channel(z_m)`` with ``z = A @ x``. An iteration costs two products with A and two with its
    squared moduli, or only the first two where variances are uniform. On large matrices with independent random entries the answer is
    the optimal one, as `state_evolution` predicts it; on others (a mean of their own, correlated or ill-conditioned columns) the
    iteration may diverge: it is damped, `remove_mean` cures the first kind, and `vamp` the others.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design. A LinearOperator is multiplied out once, unless `variances` is "uniform". Columns of zeros get the coefficient zero.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; of each column its own answer.
    prior : prior, optional
        What is believed of a coefficient: `BernoulliGaussian`, `GaussianMixture`, `GaussianPrior`, `LaplacePrior`. By default a
        Bernoulli-Gaussian one that is learned from the data; from a target that is zero, that all coefficients are zero.
    channel : channel, optional
        How an observation comes from z: `ProbitChannel`, `PoissonChannel`, `GaussianChannel`. By default Gaussian noise of variance
        `noise_variance`, which other channels ignore; a `GaussianChannel` has its own.
    noise_variance : float or "learn", default="learn"
        Variance of the noise in the squared units of y. "learn": with everything else, one a target, by expectation maximisation from a
        hundredth of the mean square of the target, and never below a millionth of it; 0 for a target that is zero.
    learn : bool, optional
        Whether the prior's parameters are learned by expectation maximisation, a set for each target, starting from those of `prior`.
        By default only where no prior is given.
    variances : {"vector", "uniform"}, default="vector"
        Whether every coefficient and sample has its own variance in the messages, or all have their mean.
    remove_mean : bool, default=False
        Whether the model is solved in an equivalent form, with two more unknowns, whose matrix has rows and columns of mean zero; it
        is formed as a dense array.
    damping : "adaptive" or float in (0, 1], default="adaptive"
        Length of the steps; 1 does not damp. "adaptive" starts with 1 and halves where the iterates swing without getting closer.
        With either, a target that diverges starts again with half its step.
    sample_weight : array of shape (n_samples,), optional
        How often each sample counts (their sum matters): weights of a mean above one say that replicates agree exactly, and a learned
        noise variance may then collapse; scale precisions to a mean of one.
    max_iter : int, default=1_000
        Iterations.
    tol : float, default=1e-6
        How far one more undamped iteration may move coefficients and scores, relative to their norm. In single precision at least
        1e-4 is used.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    PosteriorResult
        `coef` are the posterior means (for `LaplacePrior` by default the most likely coefficients), `inclusion` the probabilities that
        they are not zero. `parameters` holds the prior and the channel, as learned, and the messages, of which
        ``messages.pseudo`` is each coefficient as the data alone see it, through noise of variance ``messages.pseudo_variance``. The
        objective is the mean misfit of the fitted values, half the mean square residual for Gaussian noise. The certificate is the
        relative change of coefficients and scores under one more undamped iteration, of scores relative to no less than what rounding
        of the fitted values makes of them; it proves a fixed point, and how good that is depends on the matrix.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If the certificate is above `tol` in the end; the status is DIVERGED where no damping kept the iterates finite, and the answer
        of such a target is what the prior says before the data.

    See Also
    --------
    vamp : Vector AMP: converges for ill-conditioned and correlated matrices, at the price of a singular value decomposition.
    state_evolution : What error to expect.

    References
    ----------
    Rangan, "Generalized approximate message passing for estimation with random linear mixing", 2011 (arXiv 1010.5141).
    Vila and Schniter, "Expectation-maximization Gaussian-mixture approximate message passing", 2013 (arXiv 1207.3107).
    Vila, Schniter, Rangan, Krzakala and Zdeborova, "Adaptive damping and mean removal for the generalized approximate message passing
    algorithm", 2015 (arXiv 1412.2005).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import gamp
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((100, 200))
    >>> y = A[:, 7] - 2 * A[:, 77] + 3 * A[:, 177] + 0.1 * rng.standard_normal(100)
    >>> result = gamp(A, y)
    >>> result.support, result.coef[result.support].round(1)
    (array([  7,  77, 177]), array([ 1., -2.,  3.]))
    """
    model = {"prior": prior, "channel": channel, "noise_variance": noise_variance, "learn": learn}
    form = {"variances": variances, "remove_mean": remove_mean, "damping": damping, "sample_weight": sample_weight}
    return announce(solve_gamp(A, y, **model, **form, max_iter=max_iter, tol=tol, callback=callback))


def solve_gamp(
    A,
    y,
    *,
    prior=None,
    channel=None,
    noise_variance="learn",
    learn=None,
    variances="vector",
    remove_mean=False,
    damping="adaptive",
    sample_weight=None,
    max_iter=1_000,
    tol=1e-6,
    callback=None,
    lost=0,
) -> PosteriorResult:
    """The solve behind `gamp`, without a warning; a mean took `lost` degrees of freedom."""
    if variances not in ("vector", "uniform"):
        raise ValueError(f"variances must be 'vector' or 'uniform'; got {variances!r}.")
    design, target, single = pose(A, y)
    found = {"finds_prior": prior is None, "finds_noise": channel is None and isinstance(noise_variance, str)}
    seen = seen_columns(design)
    counts = _counts(sample_weight, target, lost)
    shares = None if counts is None else counts / np.sum(counts)
    freedom = 1.0 - lost / (target.shape[0] if counts is None else np.sum(counts))
    prior, channel = parts(design, target, prior, channel, noise_variance, learn, shares, freedom=freedom)
    damper = Damper(damping, target.shape[1])
    weights, added = None, 0
    if as_flag(remove_mean, "remove_mean"):
        design, weights = without_mean(design)
        added = ADDED
    uniform = variances == "uniform"
    if counts is not None:
        counts = asarray_like(np.concatenate([counts, np.ones((added, 1))]), target, dtype=real_part(target).dtype)
    model = Model(design, squares(design, uniform, counts), target, added, weights, single, counts)
    tol = attainable(as_number(tol, "tol"), target, _SINGLE)
    result = drive_beliefs(
        message_steps(Gamp(model, prior, channel), damper, tol),
        partial(certify, model.in_double()),
        max_iter=as_count(max_iter, "max_iter"),
        tol=tol,
        callback=callback,
    )
    result = silenced(with_status(result, damper, _DIVERGED), target, shares, **found)
    return without_unseen(finished(result, model.n_features), seen)


def pose(A, y):
    """Design, target (n_samples, n_targets), and whether it was one-dimensional."""
    design = as_design(A)
    if isinstance(design, GramDesign):
        raise ValueError("A is a GramDesign, which has no samples for messages to go to; pass the design itself.")
    target = as_target(y, design)
    sizes = target_sq_norms(design, target)
    check_ranges(design, target, sizes)
    total = float(np.sum(design.column_sq_norms())) if is_single(target) else 0.0
    if total > 0 and np.max(sizes) > 0:
        check_size(0.5 * float(np.log10(np.max(sizes)) - np.log10(total)), target)
    return design, target[:, None] if target.ndim == 1 else target, target.ndim == 1


def _counts(sample_weight, target, lost):
    """How often each sample is seen, float64 (n_samples, 1); None if once."""
    n_samples = target.shape[0]
    weight, total = as_sample_weight(sample_weight, n_samples), total_weight(sample_weight, n_samples)
    if weight is None and total == n_samples:
        return None
    check_counted(total - lost, total, n_samples)
    return (np.ones(n_samples) if weight is None else weight)[:, None] * (total / n_samples)


def parts(design, target, prior, channel, noise_variance, learn, shares=None, counted=None, freedom=1.0):
    """The prior and the channel as `Learner`s, with the starts that the data suggest where none are given.

    Samples count by `shares`, of sum one; rows that carry weights of mean one already stand for `counted` samples.
    `freedom` is the share of their degrees of freedom that no mean took.
    """
    n_targets = target.shape[1]
    share = 1.0 if counted is None else target.shape[0] / counted
    noise_variance = as_noise_variance(noise_variance)
    energy = average(modulus_sq(target), shares) * share
    energy = np.where(energy > 0, energy, 1.0)
    learns_noise = channel is None and noise_variance == "learn"
    if isinstance(channel, GaussianChannel) and noise_variance != "learn":
        raise ValueError(
            f"noise_variance={noise_variance!r} beside {channel!r}: give the noise variance once, in either."
        )
    check_prior(prior, n_targets)
    check_channel(channel, n_targets)
    if channel is None:
        channel = GaussianChannel(_QUIET * energy if noise_variance == "learn" else noise_variance * share)
    channel.check(target)
    learns_prior = prior is None if learn is None else as_flag(learn, "learn")
    if prior is None:
        prior = _matched(design, target, channel, shares, share)
    prior.check()
    if learns_prior and not prior.is_learnable:
        raise ValueError(f"the parameters of {prior!r} cannot be learned; pass learn=False.")
    if is_complex(target) and not (prior.supports_complex and channel.supports_complex):
        part = channel if prior.supports_complex else prior
        raise ValueError(f"{part!r} does not support complex data.")

    def admissible(learned, before):
        last, noise = before.noise_variance, learned.noise_variance / freedom
        noise = np.minimum(np.maximum(noise, last / _FACTOR), last * _FACTOR)
        return GaussianChannel(np.minimum(np.maximum(noise, LEARNED_FLOOR * energy), energy))

    return Learner(prior, n_targets, learns_prior), Learner(channel, n_targets, learns_noise, admissible)


def check_prior(prior, n_targets=None):
    """Raise a ValueError unless it is None or a prior, with one set of parameters or, if `n_targets` is given, one a target."""
    if prior is not None:
        _check_part("prior", prior, "denoise", "BernoulliGaussian() or LaplacePrior()", n_targets)


def check_channel(channel, n_targets=None):
    """Raise a ValueError unless it is None or a channel, with one set of parameters or, if `n_targets` is given, one a target."""
    if channel is not None:
        _check_part("channel", channel, "score", "ProbitChannel() or PoissonChannel()", n_targets)


def _check_part(name, part, asked, example, n_targets):
    if isinstance(part, type) or not hasattr(part, asked):
        raise ValueError(f"{name} must be a {name} such as {example}; got {part!r}.")
    if n_targets is None:
        return
    if isinstance(part, tuple) and any(isinstance(value, list) for value in part):
        raise ValueError(f"parameters of {name} must be tuples where there are several, not lists; got {part!r}.")
    shapes = {np.shape(value) for value in leaves(part)} - {(), (n_targets,)}
    if shapes:
        raise ValueError(
            f"parameters of {name} must be numbers or have shape ({n_targets},), one a target; got {part!r}."
        )


def _matched(design, target, channel, shares, share):
    """A Bernoulli-Gaussian prior whose image has the energy of the target."""
    n_samples, n_features = design.shape
    rate = min(_DENSE * n_samples / (share * n_features), 0.5)
    if shares is None:
        total = float(np.sum(design.with_exact_norms().column_sq_norms())) / n_samples
    else:
        total = (
            float(np.sum(weighted(design, target, n_samples * shares[:, 0])[0].with_exact_norms().column_sq_norms()))
            / n_samples
        )
    variance = channel.power(target, shares) / (rate * (total or 1.0))
    return BernoulliGaussian(rate, 0.0, np.where(variance > 0, variance, 1.0))


def seen_columns(design):
    """Which columns are not zero, NumPy (n_features,)."""
    known = design if design.is_matrix_free else design.with_exact_norms()
    return np.asarray(to_numpy(known.column_sq_norms())) > 0


def without_unseen(result, seen):
    """The result with columns that are zero, of which the data say nothing, out of use."""
    if np.all(seen):
        return result
    inclusion = result.inclusion
    return replace(
        result,
        coef=_masked(result.coef, seen),
        inclusion=None if inclusion is None else _masked(inclusion, seen),
    )


def _masked(values, seen):
    mask = asarray_like(seen if values.ndim == 1 else seen[:, None], values)
    return array_namespace(values).where(mask, values, 0 * values)


def with_status(result, damper, reason):
    """The result as diverged, for this reason, if a target was given up."""
    if not np.any(damper.given_up) or result.status is Status.INTERRUPTED:
        return result
    return replace(result, status=Status.DIVERGED, reason=reason)


def finished(result, n_features, share=1.0):
    """The result with what is found once at the end: inclusion probabilities, and parameters of one target as numbers."""
    prior, channel, messages = (result.parameters[name] for name in ("prior", "channel", "messages"))
    inclusion = prior.inclusion(*messages.of_prior(n_features))
    if inclusion is not None and result.coef.ndim == 1:
        inclusion = inclusion[:, 0]
    noise = getattr(channel, "noise_variance", None)
    if noise is not None and isinstance(channel, GaussianChannel):
        channel = GaussianChannel(noise / share)
        noise = channel.noise_variance
    prior, channel = as_plain(prior), as_plain(channel)
    return replace(
        result,
        inclusion=inclusion,
        noise_variance=None if noise is None else as_plain(np.asarray(noise)),
        parameters=result.parameters | {"prior": prior, "channel": channel},
    )
