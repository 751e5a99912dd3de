"""Subspace pursuit.

    repeat   T <- S + the k largest of |a_j^H r|,   b <- least squares on T,   S <- the k largest of b,   x <- least squares on S

while the residual falls. Dai and Milenkovic, "Subspace pursuit for compressive sensing signal reconstruction", 2009 (arXiv
0803.0811).
"""

from __future__ import annotations

import numpy as np

from ..._validation import as_count
from ..driver import State
from .refit import Pursuit, conclude, pose, run, warn_of_wide_fits

__all__ = ["subspace_pursuit"]


def subspace_pursuit(
    A,
    y,
    n_nonzero,
    *,
    joint=False,
    positive=False,
    penalty_weights=None,
    sample_weight=None,
    max_iter=100,
    tol=None,
    callback=None,
):
    """Minimise ``||y - A @ coef||^2`` subject to at most `n_nonzero` non-zero coefficients, by subspace pursuit.

    Each pass fits the current support and as many new columns by least squares, keeps those that carry most, and fits again. It
    goes on while the residual falls, so it ends after finitely many passes, and every pass is better than the last.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex, in any array namespace. Columns need not have unit norm: their norms are computed, for a
        LinearOperator of more than 64 rows without an attribute `column_sq_norms` by one product for each row or column.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int
        Sparsity level; clipped, with a warning, to the number of features or samples. There should be twice as many samples.
    joint : bool, default=False
        Whether many targets share one support: columns are then compared by the norms of their rows of correlations and
        coefficients, and the residual that must fall is that of all targets. By default targets are coded independently.
    positive : bool, default=False
        Whether coefficients must not be negative; needs real data on NumPy.
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
        ``"residual"``, the (largest) relative residual norm, and ``"n_nonzero"``, the (largest) support; the last pass is the one
        that brought nothing.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        Once, if the answer misses `tol`, or a residual is left and fewer columns than `n_nonzero` could be selected, because all others
        depend on those or are excluded (no failure with `positive`); or if `max_iter` passes were not enough.
    RuntimeWarning
        If twice `n_nonzero` is more than the number of samples.

    See Also
    --------
    cosamp : fits three times as many columns, and once a pass.
    omp : one column a pass, and none leaves.

    Notes
    -----
    A residual tolerance that the answer misses is a failure with one warning, unless another stop that was asked for ended the
    pursuit; `n_nonzero` is none here, but the size of the answer. There is no path of growing models to return: a
    `callback` sees the coefficients of every pass.

    References
    ----------
    Dai and Milenkovic, "Subspace pursuit for compressive sensing signal reconstruction", 2009 (arXiv 0803.0811).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import subspace_pursuit
    >>> A = np.random.default_rng(0).standard_normal((40, 100))
    >>> result = subspace_pursuit(A, 3 * A[:, 7] - 2 * A[:, 50], n_nonzero=2)
    >>> result.support, result.coef[result.support].round(6), result.status.name
    (array([ 7, 50]), array([ 3., -2.]), 'CONVERGED')
    """
    problem = pose(
        A, y, n_nonzero, joint=joint, positive=positive, penalty_weights=penalty_weights, sample_weight=sample_weight
    )
    pursuit, max_iter = Pursuit(problem, tol), as_count(max_iter, "max_iter")
    count = problem.penalty.n_nonzero
    warn_of_wide_fits(pursuit, "subspace pursuit", 2 * count, "omp")
    result = run(pursuit, _steps(pursuit, count), max_iter=max_iter, callback=callback)
    return conclude(pursuit, result, n_asked=count)


def _steps(pursuit, count):
    """Yield least-squares fits on supports of full size, while the residual of any unit falls."""
    xp = pursuit.xp
    begun = pursuit.begin()
    scores = pursuit.scores(pursuit.measure(begun))
    first = pursuit.free | pursuit.largest(scores, count)
    coef, mask = pursuit.least_squares(first, scores, begun)
    done = np.zeros(pursuit.size.shape, dtype=bool)
    while True:
        seen = pursuit.measure(coef)
        done = done | pursuit.is_done(seen)
        yield State(coef, finished=bool(np.all(done)))
        scores = pursuit.scores(seen)
        scores = xp.where(mask, 0 * scores, scores)
        trial = pursuit.only(~done, mask | pursuit.largest(scores, count))
        first = xp.where(mask, xp.full_like(xp.abs(scores), float("inf")), xp.abs(scores))
        wide, _ = pursuit.least_squares(trial, first, coef)
        kept = pursuit.only(~done, pursuit.prune(wide, count))
        new, kept = pursuit.least_squares(kept, xp.abs(wide) * pursuit.norms, wide)
        better = ~done & (pursuit.measure(new).residual < seen.residual) & pursuit.any(kept != mask)
        coef, mask = pursuit.where(better, new, coef), pursuit.where(better, kept, mask)
        done = done | ~better
