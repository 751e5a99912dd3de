"""Any problem along a sequence of strengths, each solve starting where the last one ended.

    minimise over coef   loss(y, A @ coef) + sum_j penalty_weights_j penalty(coef_j; alpha_k)        for each alpha_k

Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._array import array_namespace, to_numpy
from .._parallel import blas_for_products
from .._validation import as_count, as_number
from ..penalties import L1
from ..result import Status
from .advice import announce_solve
from .alpha_max import largest_strength
from .driver import with_intercept
from .methods import choose
from .parts import checked
from .solve import pose
from .targets import worst_status

__all__ = ["RegularizationPath", "path_alphas", "path_of", "regularization_path", "solve_path"]


@dataclass(frozen=True, repr=False)
class RegularizationPath:
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
        """The coefficients, (n_features, [n_targets,] n_alphas)."""
        return array_namespace(self.results[0].coef).stack([result.coef for result in self.results], axis=-1)

    @property
    def intercepts(self):
        """The constants of a loss `WithIntercept`, ([n_targets,] n_alphas)."""
        return np.stack([to_numpy(result.intercept) for result in self.results], axis=-1)

    @property
    def certificates(self):
        """The certificates, (n_alphas,)."""
        return np.array([result.certificate for result in self.results])

    @property
    def status(self):
        """CONVERGED if every strength is certified."""
        return worst_status(self.results, self.certificates, self.results[0].tol)

    def __repr__(self):
        worst = float(np.max(self.certificates))
        return f"RegularizationPath({self.status.name}, {len(self.alphas)} alphas, worst {self.results[0].certificate_name}={worst:.2e})"


def regularization_path(
    A,
    y,
    loss=None,
    penalty=None,
    *,
    alphas=None,
    n_alphas=100,
    eps=1e-3,
    solver="auto",
    penalty_weights=None,
    sample_weight=None,
    max_iter=10_000,
    tol=1e-6,
    callback=None,
) -> RegularizationPath:
    """Solve a problem for a descending sequence of strengths, warm-started.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,), or (n_samples, n_targets) where loss or penalty joins the targets
        The target; for a `GramDesign` the correlations ``A.conj().T @ y``.
    loss : loss, default=Squared()
        Any loss of the library.
    penalty : penalty, default=L1()
        Any penalty with a strength `alpha`, whose own value does not matter.
    alphas : array of shape (n_alphas,), optional
        Positive strengths; they are solved in descending order.
    n_alphas : int, default=100
        Without `alphas`: how many, on a geometric grid from `alpha_max` down to ``eps * alpha_max``.
    eps : float, default=1e-3
        Smallest strength over the largest.
    solver, penalty_weights, sample_weight, max_iter, tol
        As for `solve`.
    callback : callable, optional
        Called with a `Progress` at each certificate of each strength; return True to stop: the path then ends there.

    Returns
    -------
    RegularizationPath
        With `alphas`, `coefs` and a `SolveResult` for each strength.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a strength is not positive.

    Warns
    -----
    ConvergenceWarning
        Once, for the worst strength, if a certificate misses the tolerance.

    Notes
    -----
    It is the path of every family: an elastic net's with ``L1Ridge(1.0, l1_ratio)`` (scikit-learn's ``enet_path``), groups' with
    ``GroupL1(1.0, groups)``, many tasks' with ``RowL2(1.0)``, the square-root LASSO's with the loss ``SquareRoot()``, and so on.

    References
    ----------
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1, regularization_path
    >>> path = regularization_path(np.eye(2), np.array([4.0, -8.0]), penalty=L1(1.0), alphas=[3.0, 1.0])
    >>> path.coefs
    array([[ 0.,  2.],
           [-2., -6.]])
    """
    penalty = L1(1.0) if penalty is None else checked(penalty, "penalty")
    if not hasattr(penalty, "alpha"):
        raise ValueError(f"{type(penalty).__name__} has no strength alpha to make a path of.")
    penalty = penalty._replace(alpha=1.0)
    problem = pose(A, y, loss, penalty, penalty_weights=penalty_weights, sample_weight=sample_weight)
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": as_number(tol, "tol")}
    return path_of(problem, alphas, n_alphas, eps, solver, callback=callback, **options)


def path_of(problem, alphas, n_alphas, eps, solver="auto", **options) -> RegularizationPath:
    """The path of a problem, with one warning for all its strengths."""
    if problem.target.ndim != 1 and not problem.is_joint:
        raise ValueError(
            f"y has shape {tuple(problem.target.shape)}; a path takes one target, pass its columns one by one."
        )
    alphas = path_alphas(problem, alphas, n_alphas, eps)
    results = list(solve_path(problem, alphas, solver, **options))
    path = RegularizationPath(alphas[: len(results)], results)
    if path.status is not Status.CONVERGED:
        announce_solve(problem, max(results, key=lambda result: result.certificate))
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


def solve_path(problem, alphas, solver="auto", *, keep_proofs=False, callback=None, **options):
    """Yield the result for each strength; the penalty of `problem` gives the rest. No warning.

    With `keep_proofs`, gaps may be proved by the dual point of another strength, or from a Gram matrix: less work, for
    coefficients that are not handed out.
    """
    coef = problem.start()
    method = memory = known = None
    for k, alpha in enumerate(alphas):
        problem = problem.with_penalty(problem.penalty._replace(alpha=float(alpha)))
        if method is None:
            method = choose(problem, solver)
            memory = method.remember(problem)
            if keep_proofs:
                memory = method.keep_proofs(memory)
            if callback is None:
                known = method.at_once(problem, alphas, options["tol"], handed_out=not keep_proofs)
        result = known[k] if known is not None else None
        if result is None or result.n_iter > options["max_iter"]:
            with blas_for_products(problem.design.shape):
                result = method.run(problem, coef, memory, callback=callback, **options)
            result = with_intercept(problem, result)
        yield result
        if result.status is Status.INTERRUPTED:
            return
        coef = result.coef
