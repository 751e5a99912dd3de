"""The Lasso as a function: one target by working sets, many targets as independent problems over threads.

minimise over x   1/(2 n_samples) ||y - A x||^2 + alpha sum_j penalty_weights_j |x_j|
"""

from __future__ import annotations

from itertools import chain

import numpy as np

from ..._array import is_complex, real_dtype
from ..._parallel import map_blocks
from ..._validation import as_count, as_design, as_number, as_sample_weight, as_target, check_products, weighted
from ...designs import GramDesign
from ...losses import Squared
from ...penalties import L1
from ...result import SolveResult, Status, announce
from ..certificates import relative_gap
from ..driver import drive
from ..problem import make_problem
from ..proximal.forward_backward import accelerated_steps, drive_proximal
from .working_set import make_working_set, working_set_steps

__all__ = ["lasso"]

_BLOCK = 8  # targets that share one growing Gram matrix; fixed, so that bits do not depend on the threads


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
        With 0 it is least squares, solved by `fista` and certified by its stationarity.
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
    problem = lasso_problem(A, y, penalty, penalty_weights, sample_weight)
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": as_number(tol, "tol"), "screening": screening}
    return announce(solve(problem, problem.start(init), callback=callback, n_jobs=n_jobs, **options))


def lasso_problem(A, y, penalty, penalty_weights=None, sample_weight=None):
    """The validated problem; sample weights become scaled rows where the design can do that without a copy."""
    design = as_design(A, check_finite=False)
    if not design.is_numpy:
        design = as_design(A)
    target = as_target(y, design)
    weight = as_sample_weight(sample_weight, design.shape[0])
    if design.is_numpy:
        design, target = weighted(design, target, weight)
        weight = None
    problem = make_problem(design, target, Squared(), penalty, penalty_weights=penalty_weights, sample_weight=weight)
    if design.is_numpy:
        with np.errstate(invalid="ignore", over="ignore"):  # what such numbers mean is said by the check
            check_products(problem.in_double().at_zero().correlation, design)
    return problem


def solve(problem, coef, *, callback=None, n_jobs=None, **options) -> SolveResult:
    """One target or many, from the coefficients `coef`. No warning."""
    if problem.target.ndim == 2 and suits_working_sets(problem):
        return solve_targets(problem, coef, n_jobs=n_jobs, **options)
    return solve_one(problem, coef, make_working_set_for(problem), callback=callback, **options)


def suits_working_sets(problem):
    """Whether coordinate descent can serve these data: real and NumPy's (or sparse, an operator, a Gram matrix)."""
    return problem.design.is_numpy and not is_complex(problem.target) and problem.penalty.alpha > 0


def make_working_set_for(problem):
    """A working set for the problem, or None where proximal gradient has to solve it."""
    return make_working_set(problem.design, problem.penalty_weights) if suits_working_sets(problem) else None


def attainable(problem, tol):
    """The tolerance that the precision of the data allows."""
    single = real_dtype(problem.xp, problem.target.dtype) == problem.xp.float32
    return max(tol, 1e-6) if single else tol


def solve_one(problem, coef, working_set, *, tol, max_iter, screening=True, callback=None, certify=None) -> SolveResult:
    """One target, from `coef`; working set and certifier keep what they learnt for the next strength. No warning."""
    if working_set is None:
        return drive_proximal(problem, accelerated_steps(problem, coef), max_iter, tol, callback)
    tol = attainable(problem, tol)
    steps = working_set_steps(problem, coef, working_set, tol=tol, screening=screening)
    certify = certify or Certifier()
    return drive(steps, lambda coef: certify(problem, coef), max_iter=max_iter, tol=tol, callback=callback)


class Certifier:
    """`relative_gap` that remembers the last point: the product that ends one strength of a path begins the next."""

    def __init__(self):
        self._coef = self._point = None

    def __call__(self, problem, coef):
        certificate = relative_gap(problem, coef, self._point if coef is self._coef else None)
        self._coef, self._point = coef, certificate.point
        return certificate


def solve_targets(problem, coef, *, tol, max_iter, screening=True, n_jobs=None) -> SolveResult:
    """Every target by itself, blocks of targets over threads; the certificate is recomputed for all at once. No warning."""
    tol = attainable(problem, tol)

    def block(start, stop):
        working_set = make_working_set(problem.design, problem.penalty_weights)
        results = []
        for column in range(start, stop):
            single = one_target(problem, column)
            begin = np.ascontiguousarray(coef[:, column])
            results.append(solve_one(single, begin, working_set, tol=tol, max_iter=max_iter, screening=screening))
        return results

    results = list(chain.from_iterable(map_blocks(block, coef.shape[1], _BLOCK, n_jobs)))
    coef = np.stack([result.coef for result in results], axis=1)
    certificate = relative_gap(problem, coef)
    return SolveResult(
        coef=coef,
        intercept=0.0,
        status=worst_status(results, certificate.value, tol),
        n_iter=max(result.n_iter for result in results),
        objective=np.asarray(certificate.objective),
        certificate=np.asarray(certificate.value),
        certificate_name=certificate.name,
        tol=tol,
        history=joined_history(results),
    )


def one_target(problem, column):
    """The problem of one target out of many."""
    target = np.ascontiguousarray(problem.target[:, column])
    design = problem.design
    if isinstance(design, GramDesign) and design.target_sq_norm is not None:
        design = GramDesign(
            design.matrix, design.shape[0], np.broadcast_to(design.target_sq_norm, problem.target.shape[1:])[column]
        )
    return type(problem)(design, target, problem.loss, problem.penalty, problem.penalty_weights)


def worst_status(results, certificate, tol):
    """CONVERGED only if every target is certified; else what befell the worst that is not."""
    if np.all(np.atleast_1d(certificate) <= tol):
        return Status.CONVERGED
    failed = [result.status for result in results if not result.status.is_success]
    order = [Status.DIVERGED, Status.STALLED, Status.INTERRUPTED, Status.MAX_ITER]
    return min(failed, key=order.index) if failed else Status.STALLED


def joined_history(results):
    """The rounds of all targets, one after another, with the index of the target beside each."""
    history = {"target": []}
    for index, result in enumerate(results):
        history["target"] += [index] * len(result.history["iteration"])
        for name, values in result.history.items():
            history.setdefault(name, []).extend(values)
    return history
