"""Iterative hard thresholding with the normalised step.

    minimise over coef   ||y - A coef||**2   subject to at most n_nonzero non-zero coefficients

Blumensath and Davies, "Normalized iterative hard thresholding: guaranteed stability and performance", 2010.
"""

from __future__ import annotations

import numpy as np

from ..._array import asarray_like, real_dtype, sq_norm, to_numpy
from ..._validation import as_count, as_design, as_number, as_sample_weight, as_target, weighted
from ...losses import Squared
from ...penalties import L0Ball
from ...result import announce
from ..certificates import stationarity
from ..driver import State, drive
from ..problem import make_problem

__all__ = ["iht"]

_SHRINK = 0.01  # c and kappa of the paper: the step is divided by kappa (1 - c) until it is admissible
_DIVIDE = 2.0
_CERTIFY_EVERY = 10


def iht(
    A,
    y,
    n_nonzero,
    *,
    penalty_weights=None,
    sample_weight=None,
    init=None,
    max_iter=1_000,
    tol=1e-6,
    callback=None,
):
    """Minimise ``||y - A @ coef||^2`` subject to at most `n_nonzero` non-zero coefficients, by normalised IHT.

    Each step follows the gradient with the exact line-search length on the current support and keeps the largest magnitudes;
    when the support changes the length is cut until the objective is sure to fall. Independent codes for many targets.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design. Its columns should have comparable norms: the step is common to all.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int
        Sparsity level; clipped, with a warning, to the number of features.
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
        Largest gradient entry on the support, relative to the largest entry of ``A.conj().T @ y``. In single precision at
        least 1e-5 is used.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``; the certificate is the relative stationarity.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or `n_nonzero` is not a positive integer.

    References
    ----------
    Blumensath and Davies, "Normalized iterative hard thresholding: guaranteed stability and performance", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import iht
    >>> iht(np.eye(4), np.array([4.0, 0.1, -8.0, 0.0]), n_nonzero=2).coef
    array([ 4.,  0., -8.,  0.])
    """
    design = as_design(A)
    target = as_target(y, design)
    count = as_count(n_nonzero, "n_nonzero", maximum=design.shape[1], maximum_name="the number of features")
    design, target = weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    problem = make_problem(design, target, Squared(), L0Ball(count), penalty_weights=penalty_weights)
    single = real_dtype(problem.xp, problem.target.dtype) == problem.xp.float32
    result = drive(
        _steps(problem, problem.start(init)),
        lambda coef: stationarity(problem, coef),
        max_iter=as_count(max_iter, "max_iter"),
        tol=max(as_number(tol, "tol"), 1e-5 if single else 0.0),
        callback=callback,
    )
    return announce(result)


def _steps(problem, coef):
    """Yield normalised hard-thresholding iterates, for ever."""
    xp, weights = problem.xp, problem.coef_weights
    coef = xp.where(problem.penalty.keep(coef, weights), coef, 0 * coef)
    image = problem.image(coef)
    certificate = yield State(coef)
    iteration = 0
    while True:
        descent = -problem.gradient_from(certificate, image) * problem.n_samples
        support = _support(problem, coef, descent)
        along = xp.where(support, descent, 0 * descent)
        along_image = problem.image(along)
        length = _ratio(sq_norm(along), problem.image_sq_norm(along, along_image))
        new, new_image = _admissible(problem, coef, image, descent, support, length, along_image)
        unchanged = not bool(xp.any(new != coef))
        coef, image = new, new_image
        iteration += 1
        certificate = yield State(coef, certify=unchanged or iteration % _CERTIFY_EVERY == 0, finished=unchanged)
        if certificate is not None:
            image = problem.image(coef)  # steps on one support add up images: clear their rounding


def _support(problem, coef, descent):
    """The current support, filled up to the sparsity level where the descent is steepest, and the free columns."""
    xp, weights = problem.xp, problem.coef_weights
    size = xp.abs(descent)
    first = xp.where(coef != 0, xp.full_like(size, float("inf")), size)
    support = problem.penalty.keep(first, weights)
    return support if weights is None else support | ((weights == 0) & (size >= 0))


def _admissible(problem, coef, image, descent, support, length, along_image):
    """The thresholded step, its length cut, target by target, until a change of support is sure to descend."""
    xp = problem.xp
    while True:
        scale = asarray_like(length, coef, dtype=real_dtype(xp, coef.dtype))
        moved = coef + scale * descent
        new = xp.where(problem.penalty.keep(moved, problem.coef_weights), moved, 0 * moved)
        same = to_numpy(~xp.any((new != 0) != support, axis=0))
        if np.all(same):
            return new, image + scale * along_image
        new_image = problem.image(new)
        change = new - coef
        limit = (1.0 - _SHRINK) * _ratio(sq_norm(change), problem.image_sq_norm(change, new_image - image))
        too_long = ~same & (length > limit) & (limit > 0)
        if not np.any(too_long):
            return new, new_image
        length = np.where(too_long, length / (_DIVIDE * (1.0 - _SHRINK)), length)


def _ratio(numerator, denominator):
    """NumPy quotient, one a target; zero where the denominator is."""
    numerator, denominator = to_numpy(numerator).astype(float), to_numpy(denominator).astype(float)
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)
