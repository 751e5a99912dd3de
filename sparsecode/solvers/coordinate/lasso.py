"""The Lasso as a function.

minimise over x   1/(2 n_samples) ||y - A x||^2 + alpha sum_j penalty_weights_j |x_j|
"""

from __future__ import annotations

from ..._validation import as_count, as_number
from ...losses import Squared
from ...penalties import L1
from ..advice import announce_solve, warn_without_penalty
from ..solve import pose, solve_problem

__all__ = ["lasso"]


def lasso(
    A,
    y,
    alpha,
    *,
    penalty_weights=None,
    sample_weight=None,
    positive=False,
    screening=True,
    init=None,
    max_iter=10_000,
    tol=1e-6,
    callback=None,
    n_jobs=None,
):
    """Minimise ``||y - A @ coef||^2 / (2 n_samples) + alpha * sum_j penalty_weights_j |coef_j|``.

    Working sets, each solved almost exactly by coordinate descent and Newton steps on its own Gram matrix (on its
    compressed columns where they are short); the one product with the whole design in a round is that of the
    certificate. Matrix-free designs take this way while few columns are needed and go on by accelerated proximal
    gradient after that; complex data and arrays that are not NumPy's are solved by `fista`. The certificate is the same.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design. A dense one is fastest in Fortran order; neither order is copied.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; for a `GramDesign` the correlations ``A.conj().T @ y``. Many targets are independent problems.
    alpha : float
        Strength of the penalty, in the units of ``A.T @ y / n_samples``; from ``alpha_max(A, y)`` on the answer is zero.
        With 0 it is least squares, certified by its stationarity.
    penalty_weights : array of shape (n_features,), optional
        Each from 0 (unpenalised) to inf (excluded).
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples; they are scaled to mean one. A weight of 2 is the same as a sample twice.
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    screening : bool, default=True
        Whether columns that the duality gap proves to be inactive are dropped. It changes the time, not the answer.
    init : array of shape (n_features,) or (n_features, n_targets), optional
        Where to start; zeros by default.
    max_iter : int, default=10_000
        Rounds, each with one product with A and one with its adjoint; working sets take less than twenty.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero. In single precision at least 1e-6 is used.
    callback : callable, optional
        Called with a `Progress` after each round; return True to stop. With many targets, only the fits of `fista` call it.
    n_jobs : int, optional
        Threads over targets; by default as many as there are cores.

    Returns
    -------
    SolveResult
        The certificate is the relative duality gap, recomputed in float64 from the coefficients.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, `alpha` or a weight is negative.

    Warns
    -----
    ConvergenceWarning
        Once, if the certificate misses the tolerance.

    See Also
    --------
    lasso_path : The same for a sequence of strengths.
    Lasso : The estimator.

    References
    ----------
    Tibshirani, "Regression shrinkage and selection via the lasso", 1996.
    Massias, Gramfort and Salmon, "Celer: a fast solver for the Lasso with dual extrapolation", 2018, arXiv 1802.07481.
    Ndiaye, Fercoq, Gramfort and Salmon, "Gap safe screening rules for sparsity enforcing penalties", 2017,
    arXiv 1611.05780.
    Bertrand and Massias, "Anderson acceleration of coordinate descent", 2021, arXiv 2011.10065.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import lasso
    >>> result = lasso(np.eye(4), np.array([4.0, 0.1, -8.0, 0.0]), alpha=0.5)
    >>> result.coef, result.support
    (array([ 2.,  0., -6.,  0.]), array([0, 2]))
    """
    penalty = L1(as_number(alpha, "alpha"), bool(positive))
    problem = pose(A, y, Squared(), penalty, penalty_weights=penalty_weights, sample_weight=sample_weight)
    warn_without_penalty(problem.loss, penalty, problem.target)
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": as_number(tol, "tol"), "screening": screening}
    return announce_solve(
        problem, solve_problem(problem, problem.start(init), callback=callback, n_jobs=n_jobs, **options)
    )
