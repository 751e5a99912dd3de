"""The Lasso along a sequence of strengths, each solve starting where the last one ended.

    minimise over x   1/(2 n_samples) ||y - A x||^2 + alpha_k sum_j penalty_weights_j |x_j|        for each alpha_k

Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..._array import array_namespace
from ..._validation import as_count, as_number
from ...penalties import L1
from ...result import Status, announce
from ..alpha_max import largest_strength
from .lasso import Certifier, lasso_problem, make_working_set_for, solve_one, worst_status

__all__ = ["LassoPath", "lasso_path", "path_alphas", "solve_path"]


@dataclass(frozen=True, repr=False)
class LassoPath:
    """Solutions along a path.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        The strengths, descending.
    results : list of SolveResult
        One for each strength.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import lasso_path
    >>> path = lasso_path(np.eye(2), np.array([4.0, 2.0]), alphas=[1.0, 0.5])
    >>> path.coefs
    array([[2., 3.],
           [0., 1.]])
    """

    alphas: np.ndarray
    results: list

    @property
    def coefs(self):
        """The coefficients, (n_features, n_alphas)."""
        return array_namespace(self.results[0].coef).stack([result.coef for result in self.results], axis=1)

    @property
    def certificates(self):
        """The relative duality gaps, (n_alphas,)."""
        return np.array([result.certificate for result in self.results])

    @property
    def status(self):
        """CONVERGED if every strength is certified."""
        return worst_status(self.results, self.certificates, self.results[0].tol)

    def __repr__(self):
        worst = float(np.max(self.certificates))
        return f"LassoPath({self.status.name}, {len(self.alphas)} alphas, worst relative duality gap={worst:.2e})"


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

    One growing Gram matrix serves the whole path, and the product that certified one strength opens the next.

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
    LassoPath
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
    problem = lasso_problem(A, y, L1(1.0, bool(positive)), penalty_weights, sample_weight)
    if problem.target.ndim != 1:
        raise ValueError(
            f"y has shape {tuple(problem.target.shape)}; lasso_path takes one target, pass its columns one by one."
        )
    alphas = path_alphas(problem, alphas, n_alphas, eps)
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": as_number(tol, "tol"), "screening": screening}
    results = list(solve_path(problem, alphas, callback=callback, **options))
    path = LassoPath(alphas[: len(results)], results)
    if path.status is not Status.CONVERGED:
        announce(max(results, key=lambda result: result.certificate))
    return path


def path_alphas(problem, alphas=None, n_alphas=100, eps=1e-3):
    """The strengths of a path, descending: as given, or geometric from the smallest with a zero answer."""
    if alphas is not None:
        alphas = np.asarray(alphas, dtype=np.float64)
        if alphas.ndim != 1 or alphas.size == 0 or not np.all((alphas > 0) & np.isfinite(alphas)):
            raise ValueError(f"alphas must be a one-dimensional array of positive numbers; got {alphas!r}.")
        return np.sort(alphas)[::-1]
    count = as_count(n_alphas, "n_alphas")
    ratio = as_number(eps, "eps", strict=True, maximum=1.0)
    top = float(np.max(largest_strength(problem))) or np.finfo(np.float64).eps  # a zero target: any strength will do
    return top * np.geomspace(1.0, ratio, count)


def solve_path(problem, alphas, *, callback=None, **options):
    """Yield the result for each strength; the penalty of `problem` gives the rest. No warning."""
    coef = problem.start()
    working_set, certify = None, Certifier()
    for alpha in alphas:
        problem = problem.with_penalty(problem.penalty._replace(alpha=float(alpha)))
        working_set = working_set or make_working_set_for(problem)
        result = solve_one(problem, coef, working_set, callback=callback, certify=certify, **options)
        yield result
        if result.status is Status.INTERRUPTED:
            return
        coef = result.coef
