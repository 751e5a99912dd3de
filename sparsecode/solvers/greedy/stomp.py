"""Stagewise orthogonal matching pursuit: all columns above the noise at once.

    repeat   S <- S + {j : |a_j^H r| / ||a_j|| > threshold ||r|| / sqrt(n_samples)},   coef <- least squares on S

Donoho, Tsaig, Drori and Starck, "Sparse solution of underdetermined systems of linear equations by stagewise orthogonal
matching pursuit", 2012.
"""

from __future__ import annotations

import numpy as np

from ..._array import asarray_like
from ..._validation import as_count, as_number, total_weight
from ...result import Status
from .forms import require_target_norm
from .refit import Pursuit, conclude, growing, pose, run, with_path

__all__ = ["solve_stomp", "stomp"]


def stomp(
    A,
    y,
    *,
    threshold=2.5,
    n_stages=10,
    tol=None,
    penalty_weights=None,
    sample_weight=None,
    return_path=False,
):
    """Greedily minimise ``||y - A @ coef||^2`` in a few stages, each of which takes all columns that stand out (StOMP).

    On a random design the correlations of unit columns with a residual that they do not explain look like noise of standard
    deviation ``||r|| / sqrt(n_samples)``. A stage adds every column whose correlation exceeds `threshold` times that, and refits
    all selected ones by least squares. The number of stages does not grow with the number of coefficients, and nobody needs to
    know it; on designs that are not random the threshold means little.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex, in any array namespace. Columns need not have unit norm: their norms are computed, for a
        LinearOperator of more than 64 rows without an attribute `column_sq_norms` by one product for each row or column.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many to code independently; for a `GramDesign` the correlations ``A.conj().T @ y``, and its
        `target_sq_norm`, from which the size of the noise is known.
    threshold : float, default=2.5
        How far a correlation must stand out, in standard deviations of the noise; from 2 to 3 as a rule. At 2.5 one wrong column in
        eighty stands out by chance in every stage: wide designs and noisy targets need up to ``sqrt(2 log(n_features))``.
    n_stages : int, default=10
        Stages at most. The pursuit ends before if no column stands out, or as many are selected as there are samples or features.
    tol : float, optional
        Stop when the residual norm is at most `tol` times the norm of `y`; ending without that is then a failure, with one warning.
    penalty_weights : array of shape (n_features,), optional
        Correlations are divided by their weight before they are compared with the threshold: inf excludes a column, those of
        weight 0 are always fitted.
    sample_weight : array of shape (n_samples,), optional
        How often each sample counts; their sum takes the place of n_samples in the threshold. Residual norms are weighted ones, with
        weights scaled to mean one.
    return_path : bool, default=False
        Whether to keep, for one target, ``history["path"]`` of shape (n_features, n_iter + 1): the fits before the first stage
        and after each.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``; the certificate is the support optimality,
        ``max |a_j^H r| / (||a_j|| ||y||)`` over the support, zero for an exact least-squares fit. `history` holds, stage by
        stage, ``"residual"``, the (largest) relative residual norm, and ``"n_nonzero"``, the (largest) support.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        Once, if `tol` is given and not reached.

    See Also
    --------
    omp : one column a pass.
    gomp : a fixed number of columns a pass.

    References
    ----------
    Donoho, Tsaig, Drori and Starck, "Sparse solution of underdetermined systems of linear equations by stagewise orthogonal
    matching pursuit", 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import stomp
    >>> A = np.random.default_rng(0).standard_normal((40, 100))
    >>> result = stomp(A, 3 * A[:, 7] - 2 * A[:, 50], threshold=3)
    >>> result.support, result.coef[result.support].round(6), result.status.name
    (array([ 7, 50]), array([ 3., -2.]), 'CONVERGED')
    """
    problem = pose(A, y, None, penalty_weights=penalty_weights, sample_weight=sample_weight)
    n_counted = total_weight(sample_weight, problem.n_samples)
    return solve_stomp(problem, n_counted, threshold=threshold, n_stages=n_stages, tol=tol, return_path=return_path)


def solve_stomp(problem, n_counted, *, threshold, n_stages, tol=None, return_path=False):
    """The solve behind `stomp`, on a validated problem whose rows stand for `n_counted` samples."""
    level = as_number(threshold, "threshold", strict=True) / np.sqrt(n_counted)
    require_target_norm(problem.design, threshold=threshold)
    pursuit, path = Pursuit(problem, tol), with_path(problem, return_path)
    pursuit.step_name = ("stage", "stages")
    steps = growing(pursuit, lambda *args: _standing_out(pursuit, level, *args), path)
    result = run(pursuit, steps, max_iter=as_count(n_stages, "n_stages"), path=path)
    ran_out = result.status is Status.MAX_ITER
    advice = "raise n_stages, lower threshold, or loosen tol"
    if not ran_out:
        advice = "no other column stands out; lower threshold, or loosen tol"
    return conclude(pursuit, result, limit_is_rule=tol is None, advice=advice)


def _standing_out(pursuit, level, scores, seen, mask):
    """Mask of the columns above `level` times the residual: the largest of them, if there are more than least squares can tell apart."""
    xp, problem = pursuit.xp, pursuit.problem
    level = asarray_like(np.asarray(level * seen.residual * pursuit.size), scores, dtype=xp.float64)
    weights = xp.ones_like(pursuit.norms) if pursuit.weights is None else pursuit.weights
    size = xp.abs(scores)
    size = xp.where(size > level * weights, size, 0 * size)
    first = xp.where(mask, xp.full_like(size, float("inf")), size)
    return pursuit.largest(first, problem.penalty.n_nonzero) & ~mask
