"""Iterative hard thresholding, with the normalised or a fixed step.

    minimise over coef   ||y - A coef||**2   subject to at most n_nonzero non-zero coefficients
    coef = the largest of  coef + mu A^H (y - A coef)

Blumensath and Davies, "Iterative hard thresholding for compressed sensing", 2009 (arXiv 0805.0510).
Blumensath and Davies, "Normalized iterative hard thresholding: guaranteed stability and performance", 2010.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from ..._array import asarray_like, norm, real_like, sq_norm, to_numpy
from ..._parallel import blas_for_products
from ..._validation import as_count
from ...designs.base import largest_eigenvalue
from ...result import SolveResult, announce
from ..advice import advised
from ..certificates import gradient_fixed_point, relative
from ..driver import State, drive
from .setting import ratio, sparsity_problem, tolerance

__all__ = ["iht", "solve_iht"]

_SHRINK = 0.01  # c and kappa of the paper: the step is divided by kappa (1 - c) until it is admissible
_DIVIDE = 2.0
_SAFE = 0.99  # of the longest step that is sure to descend
_CERTIFY_EVERY = 10


def iht(
    A,
    y,
    n_nonzero,
    *,
    step="normalized",
    positive=False,
    block_size=1,
    joint=False,
    penalty_weights=None,
    sample_weight=None,
    init=None,
    max_iter=1_000,
    tol=1e-6,
    callback=None,
):
    """Minimise ``||y - A @ coef||^2`` subject to at most `n_nonzero` non-zero coefficients, by iterative hard thresholding.

    Each iteration follows the gradient and keeps the largest magnitudes. The objective never rises, unless `penalty_weights` make
    the ranking another one than that by magnitude.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design. Its columns should have comparable norms: the step is common to all.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int
        Sparsity level of each target; clipped, with a warning, to the number of features or samples.
    step : {"normalized", "fixed"}, default="normalized"
        How far to follow the gradient. "normalized" (NIHT): the exact line-search length on the current support, cut when the
        support changes until the objective is sure to fall; right in general, and it recovers far more than the fixed step.
        "fixed" (IHT): 0.99 over an upper estimate of the largest eigenvalue of ``A^H A``, for every iteration and target; right
        where that eigenvalue is near the squared column norms (orthonormal rows, tight frames, nearly orthogonal columns), where it
        saves a product an iteration. On a random matrix of far more columns than rows it is so short that most supports are lost.
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    block_size : int, default=1
        Coefficients ``0 .. block_size - 1``, ``block_size .. 2 block_size - 1``, ... stand or fall together; at most
        ``n_nonzero // block_size`` blocks are not zero.
    joint : bool, default=False
        Whether all targets share one support, chosen by the norms of the rows of coefficients, and one step length.
    penalty_weights : array of shape (n_features,), optional
        Magnitudes are divided by their weight before the largest are kept: inf excludes a column, 0 always keeps it
        (outside the count of `n_nonzero`).
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples.
    init : array, optional
        Where to start; zeros by default.
    max_iter : int, default=1_000
        Iterations.
    tol : float, default=1e-6
        How far a thresholded gradient step may move the coefficients, relative to their norm; see Returns. In single precision at
        least 1e-5 is used.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``; the certificate is the relative fixed-point residual,
        ``||x - H(x + mu A^H (y - A x))|| / ||x||``, where H keeps the `n_nonzero` largest magnitudes and mu is the step length of
        "fixed", whatever `step` is. The coefficients are as many times ``1 / (mu ||a_j||^2)`` less accurate as their columns are
        shorter than the largest singular value.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If the certificate is above `tol` in the end.

    See Also
    --------
    htp : Least squares on each support: far fewer iterations.

    References
    ----------
    Blumensath and Davies, "Iterative hard thresholding for compressed sensing", 2009 (arXiv 0805.0510).
    Blumensath and Davies, "Normalized iterative hard thresholding: guaranteed stability and performance", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import iht
    >>> iht(np.eye(4), np.array([4.0, 0.1, -8.0, 0.0]), n_nonzero=2).coef
    array([ 4.,  0., -8.,  0.])
    """
    constraint = {"positive": positive, "block_size": block_size, "joint": joint, "penalty_weights": penalty_weights}
    run = {"init": init, "max_iter": max_iter, "tol": tol, "callback": callback}
    return announce(solve_iht(A, y, n_nonzero, step=step, sample_weight=sample_weight, **constraint, **run))


def solve_iht(
    A, y, n_nonzero, *, step="normalized", init=None, max_iter=1_000, tol=1e-6, callback=None, **constraint
) -> SolveResult:
    """The solve behind `iht`, without a warning; `constraint` goes to `sparsity_problem`."""
    if step not in ("normalized", "fixed"):
        raise ValueError(f"step must be 'normalized' or 'fixed'; got {step!r}.")
    problem = sparsity_problem(A, y, n_nonzero, selects_by_norm=False, **constraint)
    start = problem.start(init)
    start = problem.xp.where(problem.penalty.keep(start, problem.coef_weights), start, 0 * start)
    limits = {"max_iter": as_count(max_iter, "max_iter"), "tol": tolerance(problem, tol)}
    with blas_for_products(problem.design.shape):
        length = float(relative(_SAFE, _largest_eigenvalue(problem)))
        length = length if np.isfinite(length) else 0.0  # of a zero matrix
        steps = (_normalized_steps if step == "normalized" else _fixed_steps)(problem, start, length)
        certify = partial(gradient_fixed_point, problem, length=length)
        result = drive(steps, certify, callback=callback, **limits)
    return advised(problem.design, result)


def _fixed_steps(problem, coef, length):
    """Yield hard-thresholding iterates of one step length, for ever."""
    xp, weights = problem.xp, problem.coef_weights
    step = real_like(length * problem.n_samples, coef)
    certificate = yield State(coef)
    iteration = 0
    while True:
        gradient = problem.gradient_from(certificate, problem.image(coef) if certificate is None else None)
        moved = coef - step * gradient
        new = xp.where(problem.penalty.keep(moved, weights), moved, 0 * moved)
        unchanged = not bool(xp.any(new != coef))
        coef = new
        iteration += 1
        certificate = yield State(coef, certify=unchanged or iteration % _CERTIFY_EVERY == 0, finished=unchanged)


def _largest_eigenvalue(problem):
    """Of ``A^H A``, without the excluded columns."""
    weights = problem.penalty_weights
    if weights is None or not bool(problem.xp.any(problem.xp.isinf(weights))):
        return problem.design.spectral_sq_norm()
    kept = np.flatnonzero(np.isfinite(to_numpy(weights)))
    part = problem.design.select(kept) if kept.size else None
    if part is not None:
        return part.spectral_sq_norm()
    return largest_eigenvalue(
        problem.design, asarray_like(np.isin(np.arange(problem.n_features), kept), problem.target)
    )


def _normalized_steps(problem, coef, safe):
    """Yield normalised hard-thresholding iterates, for ever; no step is shorter than `safe`, which always descends.

    So they end only where a step of that length does not move either.
    """
    xp = problem.xp
    image = problem.image(coef)
    certificate = yield State(coef)
    iteration = 0
    while True:
        descent = -problem.gradient_from(certificate, image) * problem.n_samples
        support = _support(problem, coef, descent)
        along = xp.where(support, descent, 0 * descent)
        size = to_numpy(norm(along))
        size = np.where(size > 0, size, 1.0)
        scale = real_like(size, coef)
        unit = along / scale  # squares of the product would leave the range of numbers before the data do
        unit_image = problem.image(unit)
        length = _pooled_ratio(problem, sq_norm(unit), problem.image_sq_norm(unit, unit_image), size)
        length = np.maximum(length, safe)  # nor is there any of its own where the gradient on the support is zero
        new, new_image = _admissible(problem, coef, image, descent, support, length, scale * unit_image, safe)
        unchanged = not bool(xp.any(new != coef))
        coef, image = new, new_image
        iteration += 1
        certificate = yield State(coef, certify=unchanged or iteration % _CERTIFY_EVERY == 0, finished=unchanged)
        if certificate is not None:
            image = problem.image_from(certificate)  # steps on one support add up images: clear their rounding


def _support(problem, coef, descent):
    """The current support, filled up to the sparsity level where the descent is steepest, and the free columns."""
    xp, weights = problem.xp, problem.coef_weights
    steep = descent if problem.penalty.positive else xp.abs(descent)
    first = xp.where(coef != 0, xp.full_like(steep, float("inf")), steep)
    support = problem.penalty.keep(first, weights)
    return support if weights is None else support | ((weights == 0) & (xp.abs(descent) >= 0))


def _admissible(problem, coef, image, descent, support, length, along_image, safe):
    """The thresholded step, its length cut, target by target, until a change of support is sure to descend."""
    xp = problem.xp
    while True:
        scale = real_like(length, coef)
        moved = coef + scale * descent
        kept = problem.penalty.keep(moved, problem.coef_weights)
        new = xp.where(kept, moved, 0 * moved)
        same = to_numpy(~xp.any(kept != support, axis=0))
        same = np.all(same) | (same & (not problem.penalty.joint))
        if np.all(same):
            return new, image + scale * along_image
        new_image = problem.image(new)
        change = new - coef
        limit = (1.0 - _SHRINK) * _pooled_ratio(
            problem, sq_norm(change), problem.image_sq_norm(change, new_image - image)
        )
        too_long = ~same & (length > limit) & (limit > 0) & (length > safe)
        if not np.any(too_long):
            return new, new_image
        length = np.where(too_long, np.maximum(length / (_DIVIDE * (1.0 - _SHRINK)), safe), length)


def _pooled_ratio(problem, numerator, denominator, size=1.0):
    """The quotient, one a target; targets that share their support share it too, from Frobenius norms: of columns times `size`."""
    if not problem.penalty.joint:
        return ratio(numerator, denominator)
    numerator, denominator = to_numpy(numerator), to_numpy(denominator)
    share = np.broadcast_to((size / np.max(size)) ** 2, numerator.shape)
    return np.full(numerator.shape, ratio(share @ numerator, share @ denominator))
