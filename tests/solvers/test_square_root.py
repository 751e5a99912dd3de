"""The square-root loss: against conic programming, and against the Lasso that it is."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from sparsecode import (
    L1,
    SLOPE,
    GroupL1,
    L1Ridge,
    SquareRoot,
    Status,
    TotalVariation1D,
    WithIntercept,
    alpha_max,
    basis_pursuit,
    lasso,
    regularization_path,
    solve,
)
from sparsecode.designs import DenseDesign, SparseDesign
from sparsecode.losses import Squared
from sparsecode.solvers.coordinate.lasso_support import complex_step, meeting
from sparsecode.solvers.coordinate.sparse import SparseWorkingSet
from sparsecode.solvers.coordinate.square_root import SecantInSquares
from sparsecode.solvers.coordinate.subproblem import GramWorkingSet
from sparsecode.solvers.problem import make_problem
from tests.planted import planted


def conic(A, y, alpha, weights, share, intercept, ridge=0.0, positive=False):
    """The minimum by an interior-point method."""
    import cvxpy as cp

    x, c = cp.Variable(A.shape[1], nonneg=positive), cp.Variable()
    residual = cp.multiply(np.sqrt(share), y - A @ x - (c if intercept else 0))
    objective = cp.norm(residual) + alpha * (1 - ridge) * cp.norm1(cp.multiply(weights, x))
    objective += 0.5 * alpha * ridge * cp.sum_squares(cp.multiply(np.sqrt(weights), x))
    return cp.Problem(cp.Minimize(objective)).solve(solver="CLARABEL")


@settings(max_examples=15, deadline=None)
@example(77, False, False, 0.25, 0.4)  # more coefficients than samples in an exact fit
@example(77, False, True, 0.25, 0.4)
@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.floats(0.02, 0.9), st.sampled_from([0.0, 0.4]))
def test_the_objective_is_that_of_a_conic_program(seed, intercept, weighted, fraction, ridge):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rng.integers(3, 15), rng.integers(1, 12)))
    y = A @ rng.standard_normal(A.shape[1]) + rng.standard_normal(len(A)) + 1
    weights = rng.uniform(0.5, 2, A.shape[1])
    sample_weight = rng.integers(1, 4, len(A)) if weighted else np.ones(len(A))
    loss = WithIntercept(SquareRoot()) if intercept else SquareRoot()
    kept = {"penalty_weights": weights, "sample_weight": sample_weight}
    alpha = fraction * alpha_max(A, y, loss, **kept)
    penalty = L1Ridge(alpha, 1 - ridge) if ridge else L1(alpha)
    result = solve(A, y, loss, penalty, tol=1e-8, **kept)
    expected = conic(A, y, alpha, weights, sample_weight / sample_weight.sum(), intercept, ridge)
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(expected, abs=1e-6 * np.linalg.norm(y))


def nearly_exact(n_samples, n_features, seed):
    """A dense target that few more columns than samples fit."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_features))
    return A, A @ rng.standard_normal(n_features) + rng.standard_normal(n_samples) + 1


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n_free", [0, 2])
@pytest.mark.parametrize("share", [1e-3, 0.05])
def test_a_ridge_does_not_hide_that_a_fit_is_exact(positive, n_free, share):
    A, y = nearly_exact(6, 40, 3)
    weights = np.r_[np.zeros(n_free), np.ones(40 - n_free)]
    alpha = share * alpha_max(A, y, SquareRoot())
    penalty, loss = L1Ridge(alpha, 0.4, positive), WithIntercept(SquareRoot())
    result = solve(A, y, loss, penalty, penalty_weights=weights, tol=1e-7)
    expected = conic(A, y, alpha, weights, np.full(6, 1 / 6), True, 0.6, positive)
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(expected, abs=1e-6 * np.linalg.norm(y))


@pytest.mark.parametrize("penalty", [SLOPE(0.01, np.linspace(1.0, 0.3, 26)), TotalVariation1D(0.05)])
def test_where_the_search_gains_no_more_other_steps_go_on(penalty):
    A, y = nearly_exact(5, 26, 0)
    result = solve(A, y, SquareRoot(), penalty, tol=1e-7)
    other = solve(A, y, SquareRoot(), penalty, solver="primal_dual", tol=1e-7, max_iter=50_000)
    assert result.status is other.status is Status.CONVERGED
    assert result.objective == pytest.approx(other.objective, abs=3e-7 * np.linalg.norm(y))


def test_whenever_it_is_stopped_the_answer_has_the_lowest_objective_met_and_no_more_gap_than_it_says():
    A, y = nearly_exact(5, 26, 0)
    penalty = SLOPE(0.01, np.linspace(1.0, 0.3, 26))
    least = solve(A, y, SquareRoot(), penalty, tol=1e-8).objective
    for max_iter in (1, 3, 20, 60, 100):
        result = solve(A, y, SquareRoot(), penalty, tol=1e-8, max_iter=max_iter)
        assert result.objective == min(result.history["objective"])
        size = np.linalg.norm(y - A @ result.coef) / np.sqrt(len(y))
        assert result.objective == pytest.approx(size + float(penalty.value(result.coef)), rel=1e-12)
        assert result.objective - least <= result.certificate * np.linalg.norm(y) / np.sqrt(len(y)) * (1 + 1e-9)


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.6])
def test_it_is_the_lasso_whose_strength_is_multiplied_by_the_size_of_the_residual(fraction):
    A, y, _ = planted(noise=0.5)
    alpha = fraction * alpha_max(A, y, SquareRoot())
    result = solve(A, y, SquareRoot(), L1(alpha), tol=1e-10)
    size = np.linalg.norm(y - A @ result.coef) / np.sqrt(len(y))
    same = lasso(A, y, alpha * size, tol=1e-12)
    np.testing.assert_allclose(result.coef, same.coef, atol=1e-7)


def test_one_strength_selects_alike_at_every_noise_level():
    supports = set()
    for noise in (0.01, 0.1, 1.0):
        A, y, _ = planted(200, 80, noise=noise)
        supports.add(tuple(solve(A, y, SquareRoot(), L1(0.25)).support))
    assert len(supports) == 1


def test_a_strength_too_small_for_any_residual_gives_basis_pursuit():
    A, y, _ = planted(30, 60, noise=0.3)
    alpha = 0.01 * alpha_max(A, y, SquareRoot())
    result = solve(A, y, SquareRoot(), L1(alpha), tol=1e-8)
    assert result.status is Status.CONVERGED
    assert np.linalg.norm(y - A @ result.coef) <= 1e-9 * np.linalg.norm(y)
    np.testing.assert_allclose(result.coef, basis_pursuit(A, y).coef, atol=1e-6)


def test_a_target_inside_the_span_of_few_columns_is_met_without_nan():
    A, _, coef = planted(30, 60)
    result = solve(A, A @ coef, SquareRoot(), L1(1e-4), tol=1e-8)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, coef, atol=1e-6)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_supports_as_large_as_the_sample_are_those_of_a_linear_program(positive, weighted):
    rng = np.random.default_rng(0)
    A, y, _ = planted(40, 120, noise=2.0)
    weights = rng.uniform(0.5, 2.0, 120) if weighted else np.ones(120)
    kept = {"penalty_weights": weights}
    penalty = L1(0.02 * alpha_max(A, y, SquareRoot(), **kept), positive)
    result = solve(A, y, SquareRoot(), penalty, tol=1e-10, **kept)
    one_sided = [(0, None)] * 120 + [(0, 0 if positive else None)] * 120
    least = linprog(np.r_[weights, weights], A_eq=np.hstack([A, -A]), b_eq=y, bounds=one_sided).fun
    assert result.status is Status.CONVERGED
    assert result.n_iter <= 4  # not one Lasso after another, down to no strength
    assert result.support.size == 40
    assert weights @ np.abs(result.coef) == pytest.approx(least, rel=1e-9)


def test_one_lasso_tells_where_its_strength_meets_its_residual_while_the_support_stays():
    A, y, _ = planted(noise=0.5)
    alpha = 0.3 * alpha_max(A, y, SquareRoot())
    answer = solve(A, y, SquareRoot(), L1(alpha), tol=1e-12)
    size = np.linalg.norm(y - A @ answer.coef) / np.sqrt(len(y))
    near = lasso(A, y, alpha * 1.001 * size, tol=1e-9).coef
    np.testing.assert_array_equal(np.flatnonzero(near), answer.support)
    problem = make_problem(A, y, Squared(), L1(alpha))
    gram, compressed = GramWorkingSet(DenseDesign(A), None), SparseWorkingSet(SparseDesign(sp.csc_array(A)), None)
    for solved in (None, gram, compressed):
        if solved is not None:  # with members beyond the support, in another order
            solved.grow(np.append(answer.support[::-1], np.setdiff1d(np.arange(A.shape[1]), answer.support)[:3]))
            solved.begin(near[solved.members], problem.at(near))
        sigma, coef = meeting(problem, near, alpha, solved)
        assert sigma == pytest.approx(size, rel=1e-10)
        np.testing.assert_allclose(coef, answer.coef, atol=1e-10)


def test_the_step_of_complex_coefficients_squares_what_is_left_of_the_gradient():
    A, y, _ = planted(noise=0.1, complex_=True)
    rough = lasso(A, y, 0.2, tol=1e-6).coef
    support = np.flatnonzero(np.abs(rough) > 1e-2)
    columns, x = A[:, support] / np.sqrt(60), rough[support] * (1 + 1e-3j)

    def left(x):
        return columns.conj().T @ (y / np.sqrt(60) - columns @ x) - 0.2 * x / np.abs(x)

    defects = [np.max(np.abs(left(x)))]
    for _ in range(3):
        correlation = left(x) + 0.2 * x / np.abs(x)
        x = x + complex_step(columns.conj().T @ columns, x, correlation, np.full(x.size, 0.2))
        defects.append(np.max(np.abs(left(x))))
    assert defects[0] > 1e-4
    assert defects[1] < 1e-2 * defects[0]
    assert defects[3] < 1e-14


@pytest.mark.parametrize("complex_", [False, True])
def test_it_gets_as_near_as_rounding_lets_it(complex_):
    A, y, _ = planted(noise=0.1, complex_=complex_)
    result = solve(A, y, SquareRoot(), L1(0.2), tol=1e-12)
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize("kind", [sp.csc_array, np.asfortranarray])
def test_an_intercept_changes_nothing_but_the_mean(kind):
    A, y, _ = planted(noise=0.3)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    share = weight / weight.sum()
    centred = A - share @ A
    plain = solve(centred, y - share @ y, SquareRoot(), L1(0.2), sample_weight=weight, tol=1e-9)
    result = solve(kind(A), y + 7, WithIntercept(SquareRoot()), L1(0.2), sample_weight=weight, tol=1e-9)
    np.testing.assert_allclose(result.coef, plain.coef, atol=1e-6)
    assert result.intercept == pytest.approx(share @ (y + 7 - A @ result.coef))


def test_groups_agree_with_primal_and_dual_steps():
    A, y, _ = planted(noise=0.5)
    penalty = GroupL1(0.2, 2)
    quick = solve(A, y, SquareRoot(), penalty, tol=1e-8)
    other = solve(A, y, SquareRoot(), penalty, solver="primal_dual", tol=1e-8)
    np.testing.assert_allclose(quick.coef, other.coef, atol=1e-5)


def test_just_below_the_greatest_strength_something_is_selected_and_above_it_nothing():
    A, y, _ = planted(noise=0.5)
    top = alpha_max(A, y, SquareRoot())
    assert solve(A, y, SquareRoot(), L1(1.001 * top)).support.size == 0
    assert solve(A, y, SquareRoot(), L1(0.99 * top), tol=1e-9).support.size > 0


@pytest.mark.parametrize("share", [0.3, 0.5])
@pytest.mark.parametrize("loss", [SquareRoot(), WithIntercept(SquareRoot())])
def test_all_columns_are_looked_at_once_a_solve(share, loss, monkeypatch):
    A, y, _ = planted(100, 300, noise=2.0)
    alpha, products = share * alpha_max(A, y, loss), []
    product = DenseDesign.rmatvec
    monkeypatch.setattr(DenseDesign, "rmatvec", lambda self, dual: products.append(1) or product(self, dual))
    result = solve(A, y, loss, L1(alpha))
    assert result.status is Status.CONVERGED
    before = 2 if hasattr(loss, "loss") else 1  # at zero, and for the mean of the columns
    assert len(products) == before + result.n_iter


def test_the_secant_in_squares_is_exact_on_a_line_in_squares():
    secant = SecantInSquares()
    for strength in (3.0, 1.0):
        secant.add(strength, np.sqrt(2.0 + 0.25 * strength**2))
    assert secant.line() == pytest.approx((2.0, 0.25))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_exact_fit_is_proved_for_all_smaller_strengths_without_another_solve(dtype):
    A, y, _ = planted(20, 60, 5, noise=0.5, seed=3)
    A, y = A.astype(dtype), y.astype(dtype)
    alphas = alpha_max(A, y, SquareRoot()) * np.geomspace(0.05, 1e-3, 10)
    path = regularization_path(A, y, SquareRoot(), alphas=alphas, tol=1e-6)
    assert path.status is Status.CONVERGED
    assert all(result.n_iter == 0 for result in path.results[1:])
    least = linprog(np.ones(120), A_eq=np.hstack([A, -A]), b_eq=y).fun
    np.testing.assert_allclose(np.abs(path.coefs).sum(axis=0), least, rtol=1e-5)


def test_zero_is_certified_only_where_it_may_be_the_answer():
    """At a smaller strength, the correlations that every solve begins with say already that it is not."""
    A, y, _ = planted(n_samples=50, n_features=80)
    top = alpha_max(A, y, SquareRoot())
    assert solve(A, y, SquareRoot(), L1(0.5 * top)).history["iteration"][0] == 1
    nothing = solve(A, y, SquareRoot(), L1(1.01 * top))
    assert nothing.history["iteration"] == [0]
    assert nothing.certificate <= 1e-12
