"""Compressive sampling matching pursuit.

    repeat   T <- supp(x) + the 2k largest of |a_j^H r|,   b <- least squares on T,   x <- the k largest of b,   r <- y - A x

Needell and Tropp, "CoSaMP: iterative signal recovery from incomplete and inaccurate samples", 2009 (arXiv 0803.2392).
"""

from __future__ import annotations

import numpy as np

from ..._validation import as_count
from ..driver import State
from .refit import Pursuit, conclude, pose, run, warn_of_wide_fits

__all__ = ["cosamp"]

_PATIENCE = 5  # passes without a better residual


def cosamp(
    A,
    y,
    n_nonzero,
    *,
    joint=False,
    positive=False,
    debias=True,
    penalty_weights=None,
    sample_weight=None,
    max_iter=100,
    tol=None,
    callback=None,
):
    """Minimise ``||y - A @ coef||^2`` subject to at most `n_nonzero` non-zero coefficients, by CoSaMP.

    Each pass fits the current support and twice as many new columns by least squares and keeps the coefficients that carry most,
    so that columns may leave again. It ends when a fit repeats or the residual has not improved for five passes; the best
    coefficients met are returned.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex, in any array namespace. Columns need not have unit norm: their norms are computed, for a
        LinearOperator of more than 64 rows without an attribute `column_sq_norms` by one product for each row or column.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int
        Sparsity level; clipped, with a warning, to the number of features or samples. There should be three times as many
        samples.
    joint : bool, default=False
        Whether many targets share one support: columns are then compared by the norms of their rows of correlations and
        coefficients. By default targets are coded independently.
    positive : bool, default=False
        Whether coefficients must not be negative; needs real data on NumPy.
    debias : bool, default=True
        Whether the coefficients returned are fitted by least squares on their support; inside a pass they never are. Without it
        the answer is what the method's definition says, which no certificate vouches for: see Warns.
    penalty_weights : array of shape (n_features,), optional
        Correlations and coefficients are divided by their weight before columns are compared: inf excludes a column, those of
        weight 0 are always fitted, outside the count of `n_nonzero`.
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples, scaled to mean one. Residual norms are then weighted ones.
    max_iter : int, default=100
        Passes at most.
    tol : float, optional
        Stop early when the residual norm is at most `tol` times the norm of `y`, known to a
        `GramDesign` by its `target_sq_norm`.
    callback : callable, optional
        Called with a `Progress`, whose certificate is the relative residual norm, after each pass; return True to stop.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``; the certificate is the support optimality,
        ``max |a_j^H r| / (||a_j|| ||y||)`` over the support, zero for an exact least-squares fit. `history` holds, pass by pass,
        ``"residual"``, the (largest) relative residual norm, and ``"n_nonzero"``, the (largest) support.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        Once, if the answer misses `tol`, or a residual is left and fewer columns than `n_nonzero` could be selected, because all others
        depend on those or are excluded (no failure with `positive`); if `max_iter` passes were not enough; or, with ``debias=False``,
        if the answer is no least-squares fit on its support, as it hardly ever is: its status is then ``STALLED``.
    RuntimeWarning
        If three times `n_nonzero` is more than the number of samples.

    See Also
    --------
    subspace_pursuit : fits twice as many columns, not three times, and never gets worse.
    iht : no least squares inside an iteration.

    Notes
    -----
    A residual tolerance that the answer misses is a failure with one warning, unless another stop that was asked for ended the
    pursuit; `n_nonzero` is none here, but the size of the answer. There is no path of growing models to return: a
    `callback` sees the coefficients of every pass.

    References
    ----------
    Needell and Tropp, "CoSaMP: iterative signal recovery from incomplete and inaccurate samples", 2009 (arXiv 0803.2392).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import cosamp
    >>> A = np.random.default_rng(0).standard_normal((40, 100))
    >>> result = cosamp(A, 3 * A[:, 7] - 2 * A[:, 50], n_nonzero=2)
    >>> result.support, result.coef[result.support].round(6), result.status.name
    (array([ 7, 50]), array([ 3., -2.]), 'CONVERGED')
    """
    problem = pose(
        A, y, n_nonzero, joint=joint, positive=positive, penalty_weights=penalty_weights, sample_weight=sample_weight
    )
    count = problem.penalty.n_nonzero
    pursuit, max_iter = Pursuit(problem, tol), as_count(max_iter, "max_iter")
    warn_of_wide_fits(pursuit, "CoSaMP", 3 * count, "subspace_pursuit or omp")
    result = run(pursuit, _steps(pursuit, count), max_iter=max_iter, callback=callback)
    return conclude(pursuit, result, n_asked=count, debias=debias)


def _steps(pursuit, count):
    """Yield the pruned fits, until every unit repeats itself or gets no better."""
    xp = pursuit.xp
    coef, trial = pursuit.begin(), None
    done, idle = np.zeros(pursuit.size.shape, dtype=bool), np.zeros(pursuit.size.shape, dtype=int)
    while True:
        least = pursuit.best_residual
        seen = pursuit.measure(coef)
        idle = np.where(seen.residual < least, 0, idle + 1)
        scores = pursuit.scores(seen)
        support = pursuit.together(coef != 0) | pursuit.free
        before, trial = trial, support | pursuit.largest(scores, 2 * count)
        repeated = False if before is None else ~pursuit.any(before != trial)
        done = done | pursuit.is_done(seen) | (idle >= _PATIENCE) | repeated
        yield State(coef, finished=bool(np.all(done)))
        first = xp.where(support, xp.full_like(xp.abs(scores), float("inf")), xp.abs(scores))
        fitted, _ = pursuit.least_squares(pursuit.only(~done, trial), first, coef)
        kept = pursuit.prune(fitted, count)
        coef = pursuit.where(~done, xp.where(kept, fitted, 0 * fitted), coef)
