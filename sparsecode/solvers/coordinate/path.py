"""The Lasso along a sequence of strengths.

minimise over x   1/(2 n_samples) ||y - A x||^2 + alpha_k sum_j penalty_weights_j |x_j|        for each alpha_k
"""

from __future__ import annotations

from ..._validation import as_count, as_number
from ...penalties import L1
from ..path import path_of
from ..solve import pose

__all__ = ["lasso_path"]


def lasso_path(
    A,
    y,
    *,
    alphas=None,
    n_alphas=100,
    eps=1e-3,
    penalty_weights=None,
    sample_weight=None,
    positive=False,
    screening=True,
    max_iter=10_000,
    tol=1e-6,
    callback=None,
):
    """Solve `lasso` for a descending sequence of strengths, warm-started.

    One growing Gram matrix serves the whole path, and the product that certified one strength opens the next. With up to 256
    features, or 128 samples and not too many features, the path is followed from one change of the support to the next instead; of a
    dense design with two samples a feature or more, it is swept on the whole Gram matrix. All strengths are then certified at
    once (unless there is a `callback`).

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,)
        The target; for a `GramDesign` the correlations ``A.conj().T @ y``.
    alphas : array of shape (n_alphas,), optional
        Positive strengths; they are solved in descending order.
    n_alphas : int, default=100
        Without `alphas`: how many, on a geometric grid from `alpha_max` down to ``eps * alpha_max``.
    eps : float, default=1e-3
        Smallest strength over the largest.
    penalty_weights, sample_weight, positive, screening, max_iter, tol
        As for `lasso`.
    callback : callable, optional
        Called with a `Progress` after each round of each strength; return True to stop: the path then ends there.

    Returns
    -------
    RegularizationPath
        With `alphas`, `coefs` (n_features, n_alphas) and a `SolveResult` for each strength.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a strength is not positive.

    Warns
    -----
    ConvergenceWarning
        Once, for the worst strength, if a certificate misses the tolerance.

    References
    ----------
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import lasso_path
    >>> path = lasso_path(np.eye(2), np.array([4.0, -8.0]), alphas=[3.0, 1.0])
    >>> path.coefs
    array([[ 0.,  2.],
           [-2., -6.]])
    """
    penalty = L1(1.0, bool(positive))
    problem = pose(A, y, None, penalty, penalty_weights=penalty_weights, sample_weight=sample_weight)
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": as_number(tol, "tol"), "screening": screening}
    return path_of(problem, alphas, n_alphas, eps, callback=callback, **options)
