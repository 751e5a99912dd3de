"""Generalised orthogonal matching pursuit: several columns a pass, and a cut at the end.

    minimise over coef   ||y - A coef||**2   with at most n_nonzero coefficients that are not zero, greedily:
    the n_select columns most correlated with the residual, and least squares on all selected ones, until n_nonzero passes are
    done; then the n_nonzero coefficients that carry most, fitted once more

Wang, Kwon and Shim, "Generalized orthogonal matching pursuit", 2012 (arXiv 1111.6664).
"""

from __future__ import annotations

from ..._validation import as_count
from .refit import Pursuit, conclude, growing, pose, run, with_path

__all__ = ["gomp"]


def gomp(
    A,
    y,
    n_nonzero,
    *,
    n_select=2,
    tol=None,
    joint=False,
    positive=False,
    penalty_weights=None,
    sample_weight=None,
    return_path=False,
):
    """Greedily minimise ``||y - A @ coef||^2`` over `n_nonzero` coefficients, `n_select` columns a pass (gOMP).

    Each pass adds the columns most correlated with the residual and refits all selected ones by least squares. Wrong columns
    among them do no lasting harm: after at most `n_nonzero` passes the coefficients that carry most are kept and refitted. It
    recovers denser vectors than OMP does.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex, in any array namespace. Columns need not have unit norm: their norms are computed, for a
        LinearOperator of more than 64 rows without an attribute `column_sq_norms` by one product for each row or column.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int
        Sparsity level of the answer; clipped, with a warning, to the number of features or samples.
    n_select : int, default=2
        Columns a pass; with one it is OMP. No more than ``n_samples // n_select`` passes are made.
    tol : float, optional
        Stop early when the residual norm is at most `tol` times the norm of `y`, known to a
        `GramDesign` by its `target_sq_norm`. After the cut to `n_nonzero` it must still hold.
    joint : bool, default=False
        Whether many targets share one support: columns are then compared by the norms of their rows of correlations and
        coefficients. By default targets are coded independently.
    positive : bool, default=False
        Whether coefficients must not be negative; needs real data on NumPy.
    penalty_weights : array of shape (n_features,), optional
        Correlations and coefficients are divided by their weight before columns are compared: inf excludes a column, those of
        weight 0 are always fitted, outside the count of `n_nonzero`.
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples, scaled to mean one. Residual norms are then weighted ones.
    return_path : bool, default=False
        Whether to keep, for one target, ``history["path"]`` of shape (n_features, n_iter + 1): the fits before the first pass and
        after each, before the cut.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``; the certificate is the support optimality,
        ``max |a_j^H r| / (||a_j|| ||y||)`` over the support, zero for an exact least-squares fit. `history` holds, pass by pass
        and before the cut, ``"residual"``, the (largest) relative residual norm, and ``"n_nonzero"``, the (largest) support.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        Once, if the answer misses `tol`, or a residual is left and fewer columns than `n_nonzero` could be selected, because all others
        depend on those or are excluded (no failure with `positive`).

    See Also
    --------
    omp : one column a pass; the fastest for thousands of targets.
    subspace_pursuit : columns may leave again.

    Notes
    -----
    A residual tolerance that the answer misses is a failure with one warning, unless another stop that was asked for ended the
    pursuit; `n_nonzero` is none here, but the size of the answer.

    References
    ----------
    Wang, Kwon and Shim, "Generalized orthogonal matching pursuit", 2012 (arXiv 1111.6664).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import gomp
    >>> A = np.random.default_rng(0).standard_normal((40, 100))
    >>> result = gomp(A, 3 * A[:, 7] - 2 * A[:, 50], n_nonzero=2)
    >>> result.support, result.coef[result.support].round(6), result.status.name
    (array([ 7, 50]), array([ 3., -2.]), 'CONVERGED')
    """
    problem = pose(
        A, y, n_nonzero, joint=joint, positive=positive, penalty_weights=penalty_weights, sample_weight=sample_weight
    )
    n_samples, count = problem.n_samples, problem.penalty.n_nonzero
    n_select = as_count(n_select, "n_select", maximum=n_samples, maximum_name="the number of samples")
    pursuit, path = Pursuit(problem, tol), with_path(problem, return_path)
    steps = growing(pursuit, lambda scores, seen, mask: pursuit.largest(scores, n_select), path)
    result = run(pursuit, steps, max_iter=min(count, n_samples // n_select), path=path)
    return conclude(pursuit, result, n_asked=count, limit_is_rule=True)
