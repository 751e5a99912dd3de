"""The Lasso where it is hardest: dependent columns, weak penalties, free columns, numbers out of range."""

import numpy as np
import pytest
from scipy.optimize import nnls
from scipy.sparse.linalg import aslinearoperator

from sparsecode import L1, GramDesign, Status, alpha_max, fista, lasso
from sparsecode.losses import Squared
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.coordinate.newton import newton_step
from sparsecode.solvers.coordinate.screening import survivors
from sparsecode.solvers.coordinate.working_set import make_working_set
from sparsecode.solvers.problem import make_problem


def optimality(A, y, alpha, weights, positive, coef):
    """Largest violation of the optimality conditions, over the largest correlation at zero."""
    correlation = A.T @ (y - A @ coef) / len(y)
    threshold = alpha * weights
    active = np.abs(correlation - threshold * np.sign(coef))
    idle = np.maximum((correlation if positive else np.abs(correlation)) - threshold, 0.0)
    return np.max(np.where(coef != 0, active, idle)) / np.max(np.abs(A.T @ y) / len(y))


@pytest.mark.parametrize("start", [1.01, 3.0])
@pytest.mark.parametrize("solver", ["lasso", "fista", "gram"])
def test_coefficients_beyond_the_least_squares_fit_are_not_certified_for_a_non_negative_penalty(solver, start):
    y = np.array([1.0, 0.5])
    if solver == "fista":
        result = fista(np.eye(2), y, penalty=L1(1e-3, True), init=start * y)
    else:
        design = GramDesign(np.eye(2), 2, y @ y) if solver == "gram" else np.eye(2)
        result = lasso(design, y, 1e-3, positive=True, init=start * y)
    np.testing.assert_allclose(result.coef, y - 2e-3, atol=1e-5)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, aslinearoperator, "gram"])
def test_a_free_column_that_explains_the_whole_target_is_used(kind, positive):
    A, y = np.array([[0.0, 1.18962699]]), np.array([3.0])
    design = GramDesign(A.T @ A, 1, 9.0) if kind == "gram" else kind(A)
    target = A.T @ y if kind == "gram" else y
    result = lasso(design, target, 1e-3, penalty_weights=np.array([1e3, 0.0]), positive=positive)
    np.testing.assert_allclose(A @ result.coef, y)
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("form", ["dense", "gram"])
@pytest.mark.parametrize("seed", range(5))
def test_zeros_are_never_certified_where_free_columns_explain_the_target(seed, form, positive):
    rng = np.random.default_rng(seed)
    A, weights = rng.standard_normal((4, 6)), np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0])
    y = A[:, :4] @ rng.uniform(1.0, 2.0, 4)
    design = GramDesign(A.T @ A, 4, y @ y) if form == "gram" else A
    problem = make_problem(
        design, A.T @ y if form == "gram" else y, Squared(), L1(1e-3, positive), penalty_weights=weights
    )
    assert relative_gap(problem, np.zeros(6)).value == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("share", [1e-3, 1e-6])
@pytest.mark.parametrize("shape", [(2, 65), (20, 150), (20, 60)])
@pytest.mark.parametrize("seed", range(4))
def test_weak_penalties_on_dependent_columns_are_solved(shape, share, seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal(shape)
    if seed % 2:
        A[:, ::2] = A[:, :1]  # half of the columns are one
    y = A[:, :3] @ np.array([1.0, -2.0, 3.0]) + rng.standard_normal(shape[0])
    alpha = share * alpha_max(A, y)
    result = lasso(A, y, alpha, tol=1e-10)
    assert result.status is Status.CONVERGED
    allowed = max(1e-3 * share, 1e-7)  # a gap down to rounding leaves half of the digits
    assert optimality(A, y, alpha, np.ones(shape[1]), False, result.coef) < allowed


@pytest.mark.parametrize("seed", range(6))
def test_free_non_negative_columns_are_solved_beside_weights_of_all_sizes(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((60, 80))
    y = A @ (rng.standard_normal(80) * (rng.random(80) < 0.2)) + rng.standard_normal(60)
    weights = rng.choice([0.0, 1e-3, 1.0, 1e3], 80)
    alpha = 1e-6 * alpha_max(A, y, penalty_weights=weights, positive=True)
    result = lasso(A, y, alpha, penalty_weights=weights, positive=True, tol=1e-9)
    assert result.status is Status.CONVERGED
    assert np.all(result.coef >= 0)
    stacked = np.vstack([A, np.zeros((1, 80))])
    reference, _ = nnls(stacked, np.append(y, 0.0))  # without a penalty: the objective is nearly that
    least = 0.5 * np.sum((y - A @ reference) ** 2) / 60
    assert least - 1e-9 <= result.objective <= least + alpha * weights @ reference + 1e-8


@pytest.mark.parametrize("seed", range(35, 60))
def test_a_newton_step_along_the_null_space_ends_exactly_where_a_coefficient_is_zero(seed):
    rng = np.random.default_rng(seed)
    column, coef = rng.standard_normal(5), rng.uniform(0.1, 1.0, 3)
    A = np.outer(column, rng.uniform(0.8, 1.2, 3))  # one column explains the same for less
    gram, threshold = A.T @ A, np.full(3, 0.1)
    remaining = A.T @ (2.0 * column) - gram @ coef
    step = newton_step(gram, coef, remaining, threshold, False)
    assert step is not None
    assert np.min(np.abs(coef + step)) == 0.0
    change = 0.5 * step @ gram @ step - step @ remaining + threshold @ (np.abs(coef + step) - np.abs(coef))
    assert change < 0


def test_a_newton_step_of_a_one_sided_coefficient_ends_at_zero_and_not_beside_it():
    """Free as it may be: a hair below is outside."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        coef, pull, gram = rng.uniform(0.1, 1.0, 1), -rng.uniform(1.0, 9.0, 1), np.eye(1)
        step = newton_step(gram, coef, pull, np.zeros(1), True)
        assert coef + step == 0.0


def test_the_screening_sphere_has_the_radius_of_the_duality_gap():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((40, 200)), rng.standard_normal(40)
    alpha = 0.7 * alpha_max(A, y)
    problem = make_problem(A, y, Squared(), L1(alpha))
    coef = lasso(A, y, alpha, tol=1e-9).coef + 3e-3 * rng.standard_normal(200) * (rng.random(200) < 0.05)
    residual = y - A @ coef
    correlation = A.T @ residual / 40
    scale = min(y @ residual / (residual @ residual), alpha / np.max(np.abs(correlation)))
    gap = (
        0.5 * residual @ residual / 40
        + alpha * np.sum(np.abs(coef))
        - (scale * y @ residual - 0.5 * scale**2 * residual @ residual) / 40
    )
    reach = scale * np.abs(correlation) + np.sqrt(2.0 * gap / 40) * np.linalg.norm(A, axis=0)
    left = survivors(problem, relative_gap(problem, coef), np.empty(0, dtype=np.int64))
    np.testing.assert_array_equal(left, np.flatnonzero(reach >= alpha))
    assert 0 < left.size < 200


def working_set(A, y, coef, penalty, weights=None):
    """All columns as a working set, at some coefficients."""
    problem = make_problem(A, y, Squared(), penalty, penalty_weights=weights)
    columns = make_working_set(problem.design, problem.penalty_weights)
    columns.grow(np.arange(A.shape[1]))
    columns.begin(coef, problem.at(coef))
    return problem, columns


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_an_extrapolation_never_raises_the_objective_nor_leaves_the_domain(seed, positive):
    rng = np.random.default_rng(seed)
    A, y, penalty = rng.standard_normal((30, 8)), rng.standard_normal(30), L1(0.01, positive)
    iterates = np.abs(rng.standard_normal((6, 8)))  # of no descent: their combination is often worse
    problem, columns = working_set(A, y, iterates[-1], penalty)
    before = problem.value(columns.coef)
    columns._extrapolate(iterates, np.full(8, 0.01), positive)
    assert problem.value(columns.coef) <= before * (1 + 1e-12)
    assert not positive or np.all(columns.coef >= 0)
    np.testing.assert_allclose(columns.correlations(), problem.at(columns.coef).correlation, atol=1e-12)


@pytest.mark.parametrize("positive", [False, True])
def test_a_free_column_at_zero_that_would_descend_leaves_a_gap(positive):
    A, y = np.eye(2), np.array([1.0, 1.0])
    _, columns = working_set(A, y, np.array([0.0, 0.8]), L1(0.1, positive), np.array([0.0, 1.0]))
    assert (
        columns._gap(np.array([0.0, 0.1]), positive) >= 0.25
    )  # half of the squared correlation 1/2 over curvature 1/2


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e160, 1e300])
def test_targets_whose_squares_leave_the_range_are_refused_not_certified(scale):
    A = np.random.default_rng(0).standard_normal((10, 5))
    with pytest.raises(ValueError, match="y has a target"):
        lasso(A, scale * A[:, 0], 0.1 * scale)
    with pytest.raises(ValueError, match="y has a target"):
        fista(A, scale * A[:, 0], penalty=L1(0.1 * scale))


@pytest.mark.filterwarnings("ignore")
def test_columns_whose_squares_underflow_end_with_a_status():
    A = np.random.default_rng(0).standard_normal((10, 5))
    result = lasso(1e-170 * A, A[:, 0], 1e-171)
    assert result.status is not Status.CONVERGED
    assert np.all(np.isfinite(result.coef))
