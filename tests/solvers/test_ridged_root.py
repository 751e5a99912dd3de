"""The square-root loss with an elastic net that fits exactly, or nearly: certified, where an interior-point solver ends too."""

import numpy as np
import pytest

from sparsecode import L1Ridge, SquareRoot, Status, WithIntercept, solve
from sparsecode.solvers.coordinate.ridged_root import ridged_root
from sparsecode.solvers.solve import pose


def drawn(seed):
    """An instance with more features than samples, some of them free or excluded, and a small strength."""
    rng = np.random.default_rng(seed)
    n, p = [(30, 70), (5, 70), (20, 40), (15, 100)][seed % 4]
    A, y = rng.standard_normal((n, p)), 10.0 * rng.standard_normal(n)
    if seed % 3 == 0:
        A *= 10.0 ** rng.uniform(-1, 1, p)
    penalty = L1Ridge(10.0 ** rng.uniform(-4, -1.5), [0.4, 0.9, 0.1, 0.6][rng.integers(4)], bool(rng.integers(2)))
    weights = np.ones(p)
    if rng.integers(2):
        weights = rng.choice([0, 0.5, 1, 2, np.inf], p, p=[0.1, 0.2, 0.45, 0.2, 0.05])
    loss = WithIntercept(SquareRoot()) if rng.integers(2) else SquareRoot()
    sample_weight = np.r_[1.0, rng.choice([0, 1, 2.0], n - 1)] if rng.integers(3) == 0 else None
    return A, y, loss, penalty, {"penalty_weights": weights, "sample_weight": sample_weight}


@pytest.mark.parametrize("seed", [3, 39, *range(40, 56)])
def test_near_exact_fits_are_certified(seed):
    A, y, loss, penalty, options = drawn(seed)
    assert solve(A, y, loss, penalty, max_iter=400, **options).status is Status.CONVERGED


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 0.3])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_it_ends_where_an_interior_point_solver_does(alpha, positive, intercept):
    """From exact fits to those of a residual of some size."""
    cvxpy = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(5)
    A, y = rng.standard_normal((15, 40)), rng.standard_normal(15)
    weights = np.r_[np.zeros(3), rng.uniform(0.5, 2.0, 36), np.inf]
    share = np.r_[0.0, rng.uniform(0.5, 2.0, 14)]
    share /= share.sum()
    x, constant = cvxpy.Variable(39, nonneg=positive), cvxpy.Variable() if intercept else 0.0
    misfit = cvxpy.norm(cvxpy.multiply(np.sqrt(share), y - A[:, :39] @ x - constant))
    cost = 0.6 * weights[:39] @ cvxpy.abs(x) + 0.2 * cvxpy.sum_squares(cvxpy.multiply(np.sqrt(weights[:39]), x))
    best = cvxpy.Problem(cvxpy.Minimize(misfit + alpha * cost)).solve(solver="CLARABEL")
    loss = WithIntercept(SquareRoot()) if intercept else SquareRoot()
    penalty = L1Ridge(alpha, 0.6, positive)
    found = solve(A, y, loss, penalty, penalty_weights=weights, sample_weight=share, tol=1e-9)
    assert found.objective == pytest.approx(best, abs=1e-6)
    problem = pose(A, y, loss, penalty, penalty_weights=weights, sample_weight=share)
    coef, _ = ridged_root(problem, problem.start(), 0.1)
    assert float(problem.value(coef)) == pytest.approx(best, abs=1e-6)


def test_other_penalties_are_left_alone():
    A, y, loss, _, options = drawn(0)
    problem = pose(A, y, loss, L1Ridge(0.1, 1.0), **options)
    assert ridged_root(problem, problem.start(), 1.0) is None
