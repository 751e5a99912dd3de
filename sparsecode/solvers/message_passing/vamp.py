"""Vector approximate message passing: posteriors with any separable prior, for matrices that defeat GAMP.

    x_n ~ prior,    y = A x + N(0, noise_variance)

Rangan, Schniter and Fletcher, "Vector approximate message passing", 2019 (arXiv 1610.03082).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from ..._array import array_namespace, asarray_like, attainable
from ..._parallel import blas_for_products
from ..._validation import as_count, as_design, as_number, as_sample_weight, total_weight, weighted
from ...result import PosteriorResult, announce
from ..belief import drive_beliefs
from ..noise_level import check_counted
from .damping import Damper
from .gamp import finished, parts, pose, seen_columns, with_status
from .message_loop import message_steps
from .silence import silenced
from .vamp_steps import Vamp, certify, decomposed

__all__ = ["solve_vamp", "vamp"]

_FIRST = 0.7  # undamped, it fails on correlated columns
_SINGLE = 1e-6  # what certificates of single-precision answers reach
_DIVERGED = (
    "the iterates grew without bound, however short the steps; check the scale of the prior and of the noise variance"
)


def vamp(
    A,
    y,
    *,
    prior=None,
    noise_variance="learn",
    learn=None,
    damping="adaptive",
    sample_weight=None,
    max_iter=1_000,
    tol=1e-6,
    callback=None,
):
    """Posterior means and variances of coefficients with any separable prior, by vector message passing (VAMP).

    The model is ``x_n ~ prior``, ``y = A @ x + N(0, noise_variance)``: Gaussian noise only; other output channels are for `gamp`. One singular value decomposition of A, then two products with
    its right singular vectors an iteration. Where these vectors are generic the answer is the optimal one, whatever the singular
    values: ill-conditioned matrices, matrices with a mean of their own, correlated columns.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design; it is formed as a dense array, in double precision. Columns of zeros get the coefficient zero.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; of each column its own answer.
    prior : prior, optional
        What is believed of a coefficient: `BernoulliGaussian`, `GaussianMixture`, `GaussianPrior`, `LaplacePrior`. By default a
        Bernoulli-Gaussian one that is learned from the data; from a target that is zero, that all coefficients are zero.
    noise_variance : float or "learn", default="learn"
        Variance of the noise in the squared units of y. "learn": with everything else, one a target, by expectation maximisation from a
        hundredth of the mean square of the target, and never below a millionth of it; 0 for a target that is zero.
    learn : bool, optional
        Whether the prior's parameters are learned by expectation maximisation, a set for each target, starting from those of `prior`.
        By default only where no prior is given.
    damping : "adaptive" or float in (0, 1], default="adaptive"
        Length of the steps; 1 does not damp. "adaptive" starts with 0.7 and halves where the iterates swing without getting closer.
        With either, a target that diverges starts again with half its step.
    sample_weight : array of shape (n_samples,), optional
        How often each sample counts (their sum matters): weights of a mean above one say that replicates agree exactly, and a learned
        noise variance may then collapse; scale precisions to a mean of one.
    max_iter : int, default=1_000
        Iterations.
    tol : float, default=1e-6
        How far one more undamped iteration may move the coefficients, relative to their norm, and how far the prior's estimate may be
        from the linear one.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    PosteriorResult
        `coef` are the posterior means (for `LaplacePrior` by default the most likely coefficients), `inclusion` the probabilities that
        they are not zero. `parameters` holds the prior and the channel, as learned, and the messages, of which
        ``messages.pseudo`` is each coefficient as the data alone see it, through noise of variance ``messages.pseudo_variance``,
        and "directions", the right singular vectors V of A: ``V diag(messages.inner_variance) V^H`` and
        ``(I - V V^H) / messages.precision`` are the covariance of the linear estimate. The objective is half the mean square residual. The certificate is the relative change of the coefficients under one more undamped
        iteration, or their distance from the linear estimate, if that is larger.

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
    gamp : Without the decomposition, and for other output channels.

    References
    ----------
    Rangan, Schniter and Fletcher, "Vector approximate message passing", 2019 (arXiv 1610.03082).
    Fletcher and Schniter, "Learning and free energies for vector approximate message passing", 2017 (arXiv 1602.08207).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import vamp
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((100, 200)) + 3.0
    >>> y = A[:, 7] - 2 * A[:, 77] + 3 * A[:, 177] + 0.1 * rng.standard_normal(100)
    >>> result = vamp(A, y)
    >>> result.support, result.coef[result.support].round(1)
    (array([  7,  77, 177]), array([ 1., -2.,  3.]))
    """
    model = {"prior": prior, "noise_variance": noise_variance, "learn": learn, "damping": damping}
    run = {"sample_weight": sample_weight, "max_iter": max_iter, "tol": tol, "callback": callback}
    return announce(solve_vamp(A, y, **model, **run))


def solve_vamp(
    A,
    y,
    *,
    prior=None,
    noise_variance="learn",
    learn=None,
    damping="adaptive",
    sample_weight=None,
    max_iter=1_000,
    tol=1e-6,
    callback=None,
    counted=None,
    lost=0,
) -> PosteriorResult:
    """The solve behind `vamp`, without a warning; `counted` and `lost` as in `solve_kronecker_sbl`."""
    design, target, single = pose(A, y)
    found = {"finds_prior": prior is None, "finds_noise": isinstance(noise_variance, str)}
    n_samples = design.shape[0]
    if sample_weight is not None:
        design, target = weighted(design, target, as_sample_weight(sample_weight, n_samples))
        counted = total_weight(sample_weight, n_samples)
    counted = n_samples if counted is None else counted
    check_counted(counted - lost, counted, n_samples)
    seen = seen_columns(design)
    if not np.all(seen) and np.any(seen):
        # what the prior says of a column of zeros would come back as if the data said it
        design = as_design(design.columns(np.flatnonzero(seen)), check_finite=False)
    else:
        seen = None
    watch = callback
    if callback is not None and seen is not None:
        watch = lambda progress: callback(progress._replace(coef=_spread_out(progress.coef, seen)))  # noqa: E731
    prior, channel = parts(
        design, target, prior, None, noise_variance, learn, counted=counted, freedom=1.0 - lost / counted
    )
    damper = Damper(damping, target.shape[1], _FIRST)
    limits = {"max_iter": as_count(max_iter, "max_iter"), "tol": attainable(as_number(tol, "tol"), target, _SINGLE)}
    with blas_for_products(design.shape):
        model = decomposed(design, target, single, counted)
        steps = message_steps(Vamp(model, prior, channel), damper, limits["tol"])
        result = drive_beliefs(steps, partial(certify, model), callback=watch, **limits)
    result = silenced(with_status(result, damper, _DIVERGED), target, **found)
    result = finished(result, design.shape[1], n_samples / counted)
    return result if seen is None else _whole(result, seen)


def _spread_out(values, seen, others=0.0):
    """An array of the columns that are not zero as one of all, with `others`, a number or one a target, in place of the rest."""
    xp = array_namespace(values)
    places = asarray_like(np.where(seen, np.cumsum(seen) - 1, 0), values)
    mask = asarray_like(seen if values.ndim == 1 else seen[:, None], values)
    others = asarray_like(np.asarray(others), values, dtype=values.dtype)
    return xp.where(mask, xp.take(values, places, axis=0), others)


def _whole(result, seen):
    """The result for all columns: of those that are zero nothing is known but the prior, and the coefficient is zero."""
    messages, learned = result.parameters["messages"], dict(result.parameters)
    center, spread = learned["prior"].moments()
    learned["directions"] = _spread_out(learned["directions"], seen)
    learned["messages"] = messages._replace(
        **{name: _spread_out(getattr(messages, name), seen) for name in ("mean", "variance", "pseudo", "linear")}
    )
    return replace(
        result,
        coef=_spread_out(result.coef, seen),
        variance=_spread_out(result.variance, seen, spread + np.abs(center) ** 2),
        inclusion=None if result.inclusion is None else _spread_out(result.inclusion, seen),
        parameters=learned,
    )
