"""Any loss with any penalty, solved by the method that suits.

minimise over coef   loss(y, A @ coef) + sum_j penalty_weights_j penalty(coef_j)
"""

from __future__ import annotations

import numpy as np

from .._parallel import blas_for_products
from .._validation import (
    as_count,
    as_design,
    as_number,
    as_sample_weight,
    as_target,
    check_products,
    weighted,
)
from ..losses import Squared
from ..result import SolveResult
from .advice import announce_solve, warn_without_penalty
from .driver import with_intercept
from .methods import choose
from .problem import make_problem
from .targets import solve_targets

__all__ = ["pose", "solve", "solve_problem"]


def solve(
    A,
    y,
    loss=None,
    penalty=None,
    *,
    solver="auto",
    penalty_weights=None,
    sample_weight=None,
    init=None,
    max_iter=10_000,
    tol=1e-6,
    callback=None,
    n_jobs=None,
) -> SolveResult:
    """Minimise ``loss(y, A @ coef) + sum_j penalty_weights_j penalty(coef_j)`` for any pair of loss and penalty.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; for a `GramDesign` the correlations ``A.conj().T @ y``. Many targets are independent problems, unless loss
        or penalty joins them.
    loss : loss, default=Squared()
        Any loss of the library, also inside `WithIntercept` for a constant that is not penalised.
    penalty : penalty
        Any penalty of the library, or one of your own: for example ``MCP(alpha)``.
    solver : str, default="auto"
        The method: ``"working_set"`` (separable penalties), ``"block_descent"`` (groups and rows), ``"square_root"`` (that loss), ``"support_newton"`` (few
        labels or counts, or Huber), ``"prox_newton"`` (many), ``"fista"``, ``"ista"``, ``"nonconvex_ag"`` and ``"reweighted_l1"`` (concave penalties), ``"least_absolute"`` (that loss), ``"primal_dual"``
        (losses without a gradient, any penalty), or the first of them that suits loss, penalty and data.
    penalty_weights : array of shape (n_features,), optional
        Each from 0 (unpenalised) to inf (excluded).
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples; they are scaled to mean one.
    init : array of shape (n_features,) or (n_features, n_targets), optional
        Where to start; zeros by default.
    max_iter : int, default=10_000
        What the method repeats, with about one product with A and one with its adjoint: rounds of working sets (``"working_set"``,
        ``"block_descent"``, ``"prox_newton"``, ``"least_absolute"``), Newton steps (``"support_newton"``), solves of the squared loss
        (``"square_root"``), reweighted solves (``"reweighted_l1"``), iterations otherwise. Sweeps and pivots within one are not counted.
    tol : float, default=1e-6
        For a convex penalty the duality gap relative to the objective at zero, otherwise the stationarity residual relative to
        its size at zero. In single precision at least 1e-6 is used.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop. Independent targets that a method solves one by one
        call it one at a time, each with its own coefficients, and stop all together.
    n_jobs : int, optional
        Threads over independent targets; by default as many as there are cores.

    Returns
    -------
    SolveResult
        The certificate is recomputed in float64 from the coefficients.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, a parameter is out of range, or `solver` cannot solve the pair.

    Warns
    -----
    ConvergenceWarning
        Once, if the certificate misses the tolerance.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import MCP, solve
    >>> solve(np.sqrt(3) * np.eye(3), np.array([6.0, 0.1, -1.5]), penalty=MCP(0.5)).coef.round(3)
    array([ 3.464,  0.   , -0.549])
    """
    problem = pose(A, y, loss, penalty, penalty_weights=penalty_weights, sample_weight=sample_weight)
    warn_without_penalty(problem.loss, problem.penalty, problem.target)
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": as_number(tol, "tol")}
    result = solve_problem(problem, problem.start(init), solver, callback=callback, n_jobs=n_jobs, **options)
    return announce_solve(problem, result)


def pose(A, y, loss, penalty, *, penalty_weights=None, sample_weight=None, name="A"):
    """The validated problem; under the squared loss sample weights become scaled rows where the design can do that without a copy."""
    design = as_design(A, check_finite=False)
    if not design.is_numpy:
        design = as_design(A)
    weight = as_sample_weight(sample_weight, design.shape[0])
    if weight is not None and (loss is None or isinstance(loss, Squared)):
        design, y = weighted(design, as_target(y, design), weight)
        weight = None
    problem = make_problem(design, y, loss, penalty, penalty_weights=penalty_weights, sample_weight=weight)
    if design.is_numpy:
        with np.errstate(invalid="ignore", over="ignore"):  # what such numbers mean is said by the check
            check_products(problem.in_double().at_zero().correlation, design, name)
    return problem


def solve_problem(problem, coef, solver="auto", *, callback=None, n_jobs=None, **options) -> SolveResult:
    """One target or many, from the coefficients `coef`. No warning."""
    method = choose(problem, solver)
    if problem.target.ndim == 2 and method.each_target and not problem.is_joint:
        result = solve_targets(problem, coef, method, n_jobs=n_jobs, callback=callback, **options)
    else:
        with blas_for_products(problem.design.shape):
            result = method.run(problem, coef, method.remember(problem), callback=callback, **options)
    return with_intercept(problem, result)
