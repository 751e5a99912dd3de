"""Certificates bound what they claim to bound, whatever the coefficients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse.linalg import aslinearoperator

from sparsecode import (
    L1,
    MCP,
    Absolute,
    GramDesign,
    GroupL1,
    Huber,
    L0Ball,
    Logistic,
    LogSum,
    Multinomial,
    SparseGroupL1,
    Squared,
    SquareRoot,
    Status,
    WithIntercept,
    alpha_max,
    fista,
    solve,
)
from sparsecode.solvers.certificates import (
    fixed_point,
    gap_of_pair,
    gradient_fixed_point,
    relative,
    relative_gap,
    stationarity,
    stationarity_of_pair,
    support_optimality,
)
from sparsecode.solvers.problem import make_problem
from tests.planted import planted

cvxpy = pytest.importorskip("cvxpy")

number = st.floats(-2, 2, allow_subnormal=False).map(lambda value: round(value, 4))


def optimum(A, y, alpha, weights, positive, sample_weight):
    """The least objective, by an interior-point solver."""
    coef = cvxpy.Variable(A.shape[1], nonneg=positive)
    share = np.full(len(y), 1 / len(y)) if sample_weight is None else sample_weight / sample_weight.sum()
    finite = np.isfinite(weights)
    misfit = 0.5 * cvxpy.sum_squares(cvxpy.multiply(np.sqrt(share), y - A @ coef))
    penalty = alpha * cvxpy.norm1(cvxpy.multiply(np.where(finite, weights, 0), coef))
    constraints = [] if finite.all() else [coef[np.flatnonzero(~finite)] == 0]
    program = cvxpy.Problem(cvxpy.Minimize(misfit + penalty), constraints)
    return program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", ["ones", "mixed"])
@pytest.mark.parametrize("rows", ["equal", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_the_gap_bounds_the_distance_to_the_optimum_everywhere(positive, weights, rows, alpha):
    rng = np.random.default_rng(0)
    A, y, _ = planted(20, 12, 3)
    weights = np.ones(12) if weights == "ones" else np.array([0, 0, np.inf, 0.5, 1, 2, 1, 1, 3, 1, 1, 1])
    sample_weight = None if rows == "equal" else rng.integers(0, 4, 20).astype(float)
    best = optimum(A, y, alpha, weights, positive, sample_weight)
    problem = make_problem(A, y, Squared(), L1(alpha, positive), penalty_weights=weights, sample_weight=sample_weight)
    at_zero = float(problem.value(np.zeros(12)))
    for size in (0.0, 1e-3, 0.1, 1.0, 10.0):
        for _ in range(5):
            coef = problem.without_excluded(size * rng.standard_normal(12))
            coef = np.abs(coef) if positive else coef
            certificate = relative_gap(problem, coef)
            assert certificate.objective == pytest.approx(float(problem.value(coef)))
            assert certificate.value * at_zero >= certificate.objective - best - 1e-9 * at_zero


@settings(max_examples=40, deadline=None, derandomize=True)
@given(coef=arrays(np.float64, 12, elements=number))
def test_a_gram_problem_has_the_certificates_of_its_design(coef):
    A, y, _ = planted(20, 12, 3)
    gram = GramDesign(A.T @ A, 20, target_sq_norm=y @ y)
    weights = np.array([0, 1, np.inf, *np.ones(9)])
    for certificate, penalty in (
        (relative_gap, L1(0.1)),
        (stationarity, L1(0.1)),
        (stationarity, L0Ball(4)),
        (support_optimality, L0Ball(4)),
    ):
        for penalty_weights in (None, weights):
            there = make_problem(gram, A.T @ y, Squared(), penalty, penalty_weights=penalty_weights)
            here = make_problem(A, y, Squared(), penalty, penalty_weights=penalty_weights)
            point = here.without_excluded(coef)
            np.testing.assert_allclose(
                certificate(there, point).value, certificate(here, point).value, rtol=1e-7, atol=1e-9
            )
            np.testing.assert_allclose(
                certificate(there, point).objective, certificate(here, point).objective, rtol=1e-7
            )


def test_without_the_norm_of_the_target_a_gram_gap_is_still_a_bound():
    A, y, _ = planted(20, 12, 3)
    gram = GramDesign(A.T @ A, 20)
    solved = fista(gram, A.T @ y, penalty=L1(0.1), tol=1e-10)
    reference = fista(A, y, penalty=L1(0.1), tol=1e-10)
    assert solved.status.is_success
    np.testing.assert_allclose(solved.coef, reference.coef, atol=1e-5)


@pytest.mark.parametrize("certificate", [relative_gap, stationarity, support_optimality])
def test_certificates_are_free_of_scale(certificate):
    A, y, coef = planted(20, 12, 3)
    coef = coef + 0.1
    values = []
    for factor in (1.0, 1e-8, 1e8):
        penalty = L1(0.1 * factor) if certificate is relative_gap else L0Ball(12)
        values.append(float(certificate(make_problem(A, factor * y, Squared(), penalty), factor * coef).value))
    np.testing.assert_allclose(values, values[0], rtol=1e-9)


@pytest.mark.parametrize("certificate", [relative_gap, stationarity, support_optimality])
def test_a_nan_coefficient_gives_a_nan_certificate_never_a_good_one(certificate):
    A, y, _ = planted(20, 12, 3)
    problem = make_problem(A, y, Squared(), L1(0.1))
    coef = np.zeros(12)
    coef[3] = np.nan
    with np.errstate(invalid="ignore"):
        assert not certificate(problem, coef).value <= 1e300


def test_support_optimality_vanishes_at_least_squares_and_sees_every_fault():
    A, y, coef = planted(20, 12, 3)
    support = np.flatnonzero(coef)
    problem = make_problem(A * 10.0 ** np.arange(-6, 6), y, Squared(), L0Ball(3))
    fitted = np.zeros(12)
    fitted[support] = np.linalg.lstsq(A[:, support], y)[0] / 10.0 ** (support - 6.0)
    assert support_optimality(problem, fitted).value < 1e-14
    for index in support:
        wrong = fitted.copy()
        wrong[index] *= 1.01
        assert support_optimality(problem, wrong).value > 1e-4


def test_stationarity_of_the_l0_ball_asks_nothing_off_a_full_support_and_everything_off_a_short_one():
    A, y, _ = planted(20, 12, 3)
    full, short = np.zeros(12), np.zeros(12)
    full[[1, 2]] = np.linalg.lstsq(A[:, [1, 2]], y)[0]
    short[1] = np.linalg.lstsq(A[:, [1]], y)[0][0]
    problem = make_problem(A, y, Squared(), L0Ball(2))
    assert stationarity(problem, full).value < 1e-14
    assert stationarity(problem, short).value > 1e-2
    free = make_problem(A, y, Squared(), L0Ball(2), penalty_weights=np.r_[0, np.ones(10), np.inf])
    assert stationarity(free, full).value > 1e-3  # the free column is not fitted yet
    assert np.isinf(stationarity(free, np.eye(12)[11]).objective)  # the excluded one is used


def test_an_excluded_column_does_not_loosen_the_scale_of_stationarity():
    A, y, coef = planted(20, 12, 3)
    wide = np.column_stack([A, 1e6 * y])
    for penalty in (L1(0.1), L0Ball(4)):
        alone = stationarity(make_problem(A, y, Squared(), penalty), coef)
        beside = make_problem(wide, y, Squared(), penalty, penalty_weights=np.r_[np.ones(12), np.inf])
        np.testing.assert_allclose(stationarity(beside, np.append(coef, 0)).value, alone.value, rtol=1e-9)


@pytest.mark.parametrize("gram", [False, True])
def test_a_positive_code_far_beyond_the_target_is_not_certified(gram):
    """Scaling its dual point below zero would break the one-sided constraint."""
    A, y = np.ones((1, 1)), np.ones(1)
    design, target = (GramDesign(A, 1, target_sq_norm=1.0), y) if gram else (A, y)
    problem = make_problem(design, target, Squared(), L1(1e-12, positive=True))
    assert relative_gap(problem, np.array([2.0])).value >= 1.0 - 1e-9


def test_a_relative_number_keeps_what_is_none():
    size = np.array([0.0, 1.0, 2.0, np.nan, np.nan, 1.0, np.inf])
    scale = np.array([0.0, 0.0, 4.0, 0.0, 1.0, np.nan, 1.0])
    np.testing.assert_array_equal(relative(size, scale), [0.0, np.inf, 0.5, np.nan, np.nan, np.nan, np.inf])


@pytest.mark.parametrize(
    "certificate", [fixed_point, lambda problem, coef: gradient_fixed_point(problem, coef, 0.1), support_optimality]
)
@pytest.mark.parametrize("coef", [[np.nan, 0, 0], [1.0, np.nan, 0]])
def test_nan_among_few_coefficients_is_never_certified(certificate, coef):
    problem = make_problem(np.eye(3), np.ones(3), Squared(), L0Ball(1))
    assert np.isnan(certificate(problem, np.array(coef)).value)


def test_a_fixed_point_of_a_short_step_need_not_be_one_of_a_long_one():
    A, y = np.eye(2), np.array([1.0, 3.0])
    problem = make_problem(A, y, Squared(), L0Ball(1))
    here = np.array([1.0, 0.0])
    assert gradient_fixed_point(problem, here, 0.3).value == 0
    assert gradient_fixed_point(problem, here, 0.5).value == pytest.approx(np.hypot(1, 1.5))
    assert fixed_point(problem, here).value == pytest.approx(np.hypot(1, 3))


def test_nan_in_an_operator_is_named():
    A, y, _ = planted(20, 12, 3)
    A[2, 3] = np.nan
    with pytest.raises(ValueError, match="A contains NaN"):
        make_problem(aslinearoperator(A), y, Squared(), L1(0.1))


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("alpha", [0.02, 0.1])
def test_the_gap_of_joint_targets_bounds_the_distance_to_the_optimum(alpha, intercept):
    """Classes share one dual point, which has to be scaled into the dual balls of all of them at once."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((30, 6))
    label = np.argmax(A[:, :3] * [3.0, 1.0, 0.3] + rng.standard_normal((30, 3)), axis=1)
    Y = np.eye(3)[label]
    coef, constant = cvxpy.Variable((6, 3)), cvxpy.Variable((1, 3))
    fitted = A @ coef + (np.ones((30, 1)) @ constant if intercept else 0.0)
    misfit = cvxpy.sum(cvxpy.log_sum_exp(fitted, axis=1)) - cvxpy.sum(cvxpy.multiply(Y, fitted))
    best = cvxpy.Problem(cvxpy.Minimize(misfit / 30 + alpha * cvxpy.sum(cvxpy.abs(coef)))).solve(solver=cvxpy.CLARABEL)
    problem = make_problem(A, Y, WithIntercept(Multinomial()) if intercept else Multinomial(), L1(alpha))
    at_zero = float(problem.value(np.zeros((6, 3))))
    for size in (0.0, 0.1, 1.0, 3.0):
        for _ in range(5):
            certificate = relative_gap(problem, size * rng.standard_normal((6, 3)))
            assert certificate.value * at_zero >= certificate.objective - best - 1e-7 * at_zero


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("loss", ["huber", "logistic"])
def test_free_columns_that_stay_positive_leave_the_intercept_its_sign(loss, sign):
    """The dual must be orthogonal to the constant, but may correlate negatively with a free column that is zero."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 6)) + sign  # the constant makes up for the means of the free columns, of either sign
    fitted = A @ [1.0, 0.0, -2.0, 1.0, 0.0, 0.0]
    weights = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])  # the third free column would be negative
    coef, constant = cvxpy.Variable(6, nonneg=True), cvxpy.Variable()
    if loss == "huber":
        target, kind = fitted + 0.3 * rng.standard_normal(40), Huber(0.5)
        misfit = cvxpy.sum(cvxpy.huber(target - A @ coef - constant, 0.5)) / 80
    else:
        target, kind = np.where(fitted + rng.logistic(size=40) > 0, 1.0, -1.0), Logistic()
        misfit = cvxpy.sum(cvxpy.logistic(-cvxpy.multiply(target, A @ coef + constant))) / 40
    program = cvxpy.Problem(cvxpy.Minimize(misfit + 0.05 * (weights @ coef)))
    best = program.solve(solver=cvxpy.CLARABEL)
    problem = make_problem(A, target, WithIntercept(kind), L1(0.05, True), penalty_weights=weights)
    at_zero = float(problem.value(np.zeros(6)))
    for size in (0.0, 0.1, 1.0):
        for _ in range(5):
            certificate = relative_gap(problem, np.abs(size * rng.standard_normal(6)))
            assert certificate.value * at_zero >= certificate.objective - best - 1e-7 * at_zero
            assert np.isfinite(certificate.value)
    assert relative_gap(problem, np.maximum(coef.value, 0.0)).value < 1e-4


def test_a_useless_dual_point_takes_nothing_from_the_proof():
    """A solver's own dual point may prove more than the loss's gradient, never less."""
    rng = np.random.default_rng(0)
    problem = make_problem(rng.standard_normal((20, 8)), rng.standard_normal(20), SquareRoot(), L1(0.05))
    coef = solve(problem.design, problem.target, SquareRoot(), L1(0.05), tol=1e-9).coef
    plain = relative_gap(problem, coef).value
    assert gap_of_pair(problem, coef, rng.standard_normal(20)).value == plain
    assert gap_of_pair(problem, 0.9 * coef, problem.at(coef).dual).value < relative_gap(problem, 0.9 * coef).value


@pytest.mark.parametrize("loss", [Absolute(), SquareRoot()], ids=["absolute", "square root"])
def test_a_dual_point_that_is_no_subgradient_proves_no_stationarity(loss):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((20, 8)), rng.standard_normal(20)
    problem = make_problem(A, y, loss, MCP(0.3 * float(alpha_max(A, y, loss))))
    coef = np.zeros(8)  # far from stationary, but the penalty takes any correlations near zero
    assert stationarity(problem, coef).value > 0.1
    assert stationarity_of_pair(problem, coef, np.zeros(20)).value > 0.1
    assert stationarity_of_pair(problem, coef, problem.at(coef).dual).value > 0.1


def test_a_dual_point_is_cleared_of_free_columns_to_the_last_digit_of_what_is_left():
    A, y, _ = planted(40, 10, noise=1.0)
    problem = make_problem(A, y, Squared(), L1(0.1), penalty_weights=np.r_[0.0, 0.0, np.ones(8)])
    rest = y - A[:, :2] @ np.linalg.lstsq(A[:, :2], y)[0]
    point = problem.at_zero()._replace(
        dual=rest + 1e9 * A[:, 0]
    )  # of which one projection leaves a rounding error of 1e-7
    cleared = problem.free_of(point, problem.free_columns()).dual
    assert np.max(np.abs(A[:, :2].T @ cleared)) <= 1e-12 * np.linalg.norm(cleared)
    assert np.linalg.norm(cleared) == pytest.approx(np.linalg.norm(rest), rel=1e-6)


@pytest.mark.parametrize("penalty", [GroupL1(1.0, 2, (0.0, 1.0, 1.0)), SparseGroupL1(1.0, 2, 0.0, (0.0, 1.0, 1.0))])
def test_rounding_in_a_free_group_does_not_spoil_the_proof(penalty):
    A, y, _ = planted(40, 6, noise=1.0)
    coef = np.r_[np.linalg.lstsq(A[:, :2], y)[0], np.zeros(4)]
    pull = A[:, 2:].T @ (y - A @ coef) / 40
    strength = 1.01 * max(
        np.linalg.norm(pull[:2]), np.linalg.norm(pull[2:])
    )  # where least squares on the free group is the answer
    problem = make_problem(A, y, Squared(), penalty._replace(alpha=strength))
    assert np.any(A[:, :2].T @ (y - A @ coef) != 0)
    assert relative_gap(problem, coef).value <= 1e-14


@pytest.mark.parametrize("loss", [Squared(), Huber(0.5), Logistic(), Absolute()], ids=repr)
@pytest.mark.parametrize("penalty", [MCP(1e-20), LogSum(1e-21)], ids=repr)
@pytest.mark.parametrize("size", [1e-3, 7.0])
def test_a_constant_column_beside_an_intercept_is_proved_to_do_nothing(loss, penalty, size):
    target = np.random.default_rng(0).standard_normal(34)
    target = np.sign(target) if isinstance(loss, Logistic) else target
    result = solve(np.full((34, 1), size), target, WithIntercept(loss), penalty)
    assert result.status is Status.CONVERGED
    assert result.coef[0] == 0
