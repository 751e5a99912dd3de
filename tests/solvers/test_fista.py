"""ISTA and FISTA against textbook twins, closed forms and an interior-point solver."""

import warnings
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator
from scipy.special import xlogy
from sklearn.exceptions import ConvergenceWarning

from sparsecode import L1, GramDesign, L0Ball, Squared, Status, fista, ista
from tests._backends import FOREIGN, get, put
from tests.planted import planted

cvxpy = pytest.importorskip("cvxpy")
both = pytest.mark.parametrize("solver", [ista, fista])


def soft(values, threshold):
    """Soft threshold, from its definition."""
    size = np.abs(values)
    return np.where(size > threshold, values * (1 - threshold / np.maximum(size, 1e-300)), 0)


def naive_ista(A, y, alpha, weights, n_iter):
    """Daubechies, Defrise and De Mol: a step of 1/L, then the soft threshold."""
    curvature = np.linalg.norm(A, 2) ** 2 / len(y)
    coef = np.zeros(A.shape[1], dtype=A.dtype)
    for _ in range(n_iter):
        coef = soft(coef + A.conj().T @ (y - A @ coef) / len(y) / curvature, alpha * weights / curvature)
    return coef


def naive_fista(A, y, alpha, weights, n_iter):
    """Beck and Teboulle's constant-step algorithm, letter by letter."""
    curvature = np.linalg.norm(A, 2) ** 2 / len(y)
    x = z = np.zeros(A.shape[1], dtype=A.dtype)
    t = 1.0
    for _ in range(n_iter):
        new = soft(z + A.conj().T @ (y - A @ z) / len(y) / curvature, alpha * weights / curvature)
        t_new = (1 + np.sqrt(1 + 4 * t * t)) / 2
        z = new + (t - 1) / t_new * (new - x)
        x, t = new, t_new
    return x


@both
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_ends_where_the_textbook_algorithms_end(solver, complex_, weighted):
    A, y, _ = planted(30, 50, 4, complex_=complex_)
    weights = np.random.default_rng(0).uniform(0.3, 3, 50) if weighted else np.ones(50)
    result = solver(A, y, penalty=L1(0.1), penalty_weights=weights, tol=1e-13)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, naive_ista(A, y, 0.1, weights, 20_000), atol=1e-6)
    np.testing.assert_allclose(result.coef, naive_fista(A, y, 0.1, weights, 3_000), atol=1e-6)


@both
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("rows", ["equal", "weighted"])
def test_it_reaches_the_optimum_of_an_interior_point_solver(solver, complex_, positive, rows):
    if complex_ and positive:
        with pytest.raises(ValueError, match="complex"):
            solver(np.eye(2) * 1j, np.ones(2), penalty=L1(0.1, positive=True))
        return
    A, y, _ = planted(25, 40, 4, complex_=complex_)
    rng = np.random.default_rng(0)
    weights = np.concatenate([[0.0, 0.0, np.inf, np.inf], rng.uniform(0.2, 3, 36)])
    sample_weight = np.ones(25) if rows == "equal" else rng.integers(0, 4, 25).astype(float)
    share = sample_weight / sample_weight.sum()
    coef = cvxpy.Variable(40, complex=complex_, nonneg=positive)
    misfit = 0.5 * cvxpy.sum_squares(cvxpy.multiply(np.sqrt(share), y - A @ coef))
    penalty = 0.1 * cvxpy.sum(cvxpy.multiply(np.where(np.isfinite(weights), weights, 0), cvxpy.abs(coef)))
    program = cvxpy.Problem(cvxpy.Minimize(misfit + penalty), [coef[2:4] == 0])
    best = program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    result = solver(
        A, y, penalty=L1(0.1, positive=positive), penalty_weights=weights, sample_weight=sample_weight, tol=1e-11
    )
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(best, rel=1e-7)
    assert np.all(result.coef[2:4] == 0)
    np.testing.assert_allclose(result.coef, coef.value, atol=2e-3)


@both
def test_an_orthogonal_design_is_solved_by_one_soft_threshold(solver):
    A = np.linalg.qr(np.random.default_rng(0).standard_normal((20, 20)))[0] * np.sqrt(20)
    y = np.random.default_rng(1).standard_normal(20)
    result = solver(A, y, penalty=L1(0.1))
    np.testing.assert_allclose(result.coef, soft(A.T @ y / 20, 0.1), atol=1e-7)


@both
@pytest.mark.parametrize("complex_", [False, True])
def test_the_answer_is_zero_from_the_critical_strength_on_and_not_below(solver, complex_):
    A, y, _ = planted(complex_=complex_)
    critical = np.abs(A.conj().T @ y).max() / len(y)
    assert not np.any(solver(A, y, penalty=L1(critical * 1.0001)).coef)
    assert np.any(solver(A, y, penalty=L1(critical * 0.99)).coef)


@both
@pytest.mark.parametrize("design", [np.asarray, sp.csc_array, aslinearoperator])
def test_without_strength_it_solves_least_squares_and_says_how_well(solver, design):
    A, y, _ = planted(60, 20, 3)
    result = solver(design(A), y, penalty=L1(0.0), tol=1e-10)
    assert result.status is Status.CONVERGED
    assert result.certificate_name == "relative stationarity"
    np.testing.assert_allclose(result.coef, np.linalg.lstsq(A, y)[0], atol=1e-8)
    excluded = solver(design(A), y, penalty=L1(0.0), penalty_weights=np.r_[np.inf, np.ones(19)], tol=1e-10)
    assert excluded.coef[0] == 0
    np.testing.assert_allclose(excluded.coef[1:], np.linalg.lstsq(A[:, 1:], y)[0], atol=1e-8)


@both
def test_free_columns_of_any_scale_and_dependence_are_fitted(solver):
    A, y, _ = planted(40, 20, 3)
    free = A[:, :1]
    A = np.hstack([A, 10 * free + A[:, 1:2], free])  # the last three are dependent with column 0 and 1
    weights = np.ones(22)
    weights[[0, 1, 20, 21]] = 0
    result = solver(A, y, penalty=L1(0.3), penalty_weights=weights, tol=1e-10)
    assert result.status is Status.CONVERGED
    basis = np.linalg.qr(A[:, :2])[0]
    away = A[:, 2:20] - basis @ (basis.T @ A[:, 2:20])
    reduced = fista(away, y - basis @ (basis.T @ y), penalty=L1(0.3), tol=1e-12)
    np.testing.assert_allclose(result.coef[2:20], reduced.coef, atol=1e-5)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_free_column_that_must_stay_positive_is_certified_at_its_bound_too(sign):
    A, Y, _ = planted(40, 20, 3, n_targets=2)
    Y = Y + 2 * sign * A[:, :1]
    weights = np.r_[0.0, 0.0, np.ones(18)]
    gram = GramDesign(A.T @ A, 40, target_sq_norm=np.sum(Y**2, axis=0))
    for design, target in ((A, Y), (gram, A.T @ Y)):
        result = fista(design, target, penalty=L1(0.1, positive=True), penalty_weights=weights, tol=1e-10)
        assert result.status is Status.CONVERGED
        assert np.all(result.coef >= 0)
        assert np.all((result.coef[0] > 1) == (sign == 1))


def test_ista_never_rises_and_fista_needs_fewer_iterations():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 120)) * np.linspace(0.2, 3, 120)
    y = A[:, ::30].sum(axis=1) + 0.1 * rng.standard_normal(60)
    strength = 0.02 * np.abs(A.T @ y).max() / 60
    slow = ista(A, y, penalty=L1(strength), tol=1e-8, max_iter=50_000)
    fast = fista(A, y, penalty=L1(strength), tol=1e-8)
    assert slow.status is fast.status is Status.CONVERGED
    assert np.all(np.diff(slow.history["objective"]) <= 1e-13)
    assert 3 * fast.n_iter < slow.n_iter


@both
def test_targets_of_very_different_size_all_meet_the_tolerance(solver):
    A, Y, _ = planted(n_targets=3)
    Y = Y * np.array([1.0, 1e-8, 1e8])
    result = solver(A, Y, penalty=L1(1e-9))
    assert np.all(result.certificate <= 1e-6)
    assert result.n_missed == 0


@both
def test_a_warm_start_on_an_excluded_column_is_dropped(solver):
    A, y, _ = planted()
    result = solver(A, y, penalty=L1(0.2), penalty_weights=np.r_[np.inf, np.ones(79)], init=np.ones(80))
    assert result.status is Status.CONVERGED
    assert result.coef[0] == 0


def test_a_start_outside_the_l0_ball_is_no_divergence():
    A, y, _ = planted()
    assert fista(A, y, penalty=L0Ball(4), init=np.ones(80)).status is Status.CONVERGED


def test_single_precision_converges_on_a_tall_design():
    A, y, _ = planted(20_000, 30, 4, dtype="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fista(A, y, penalty=L1(0.01), tol=1e-12)
    assert result.tol == 1e-6
    assert result.coef.dtype == np.float32


def test_single_precision_takes_the_iterations_of_double_precision_even_on_correlated_columns():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((100, 300))
    for j in range(1, 300):
        A[:, j] = 0.95 * A[:, j - 1] + 0.3 * A[:, j]
    y = A[:, ::60].sum(axis=1) + 0.1 * rng.standard_normal(100)
    penalty = L1(float(np.abs(A.T @ y).max()) / 100 / 50)
    narrow = fista(A.astype(np.float32), y.astype(np.float32), penalty=penalty)
    wide = fista(A, y, penalty=penalty)
    assert narrow.coef.dtype == np.float32
    assert narrow.status is wide.status is Status.CONVERGED
    assert narrow.n_iter <= 1.3 * wide.n_iter


def test_a_fixed_point_above_the_tolerance_is_called_stalled():
    """A prox that always returns the same point: no further iterate will differ."""
    with pytest.warns(ConvergenceWarning, match="no further progress"):
        result = fista(np.eye(3), np.ones(3), penalty=Frozen(0.5), tol=1e-12)
    assert result.status is Status.STALLED
    assert result.n_iter <= 3


class Frozen(NamedTuple):
    """A user's penalty whose prox is a constant (and wrong)."""

    level: float
    is_convex = False
    is_separable = True
    supports_complex = False

    def value(self, coef, weights=None):
        return np.float64(0.0)

    def prox(self, coef, step):
        return np.full_like(coef, self.level)

    def subdiff_distance(self, grad, coef, weights=None):
        return np.abs(grad)


class Explosive(Frozen):
    """A user's penalty whose prox multiplies."""

    def prox(self, coef, step):
        return coef * 1e3 + 1


class Broken(Frozen):
    """A user's penalty whose prox divides by zero."""

    def prox(self, coef, step):
        return coef * np.nan


@pytest.mark.parametrize("penalty", [Explosive(1.0), Broken(1.0)])
def test_divergence_is_a_status_with_a_remedy_and_the_best_iterate(penalty):
    with pytest.warns(ConvergenceWarning, match="lower the step"), np.errstate(all="ignore"):
        result = ista(np.diag([1.0, 2.0, 3.0]), np.ones(3), penalty=penalty, max_iter=10_000)
    assert result.status is Status.DIVERGED
    assert np.all(np.isfinite(result.coef))
    assert np.isfinite(result.certificate)


def test_a_numpy_scalar_strength_does_not_widen_single_precision():
    A, y, _ = planted(dtype="float32")
    assert fista(A, y, penalty=L1(np.float64(0.2))).coef.dtype == np.float32


@pytest.mark.parametrize("name", FOREIGN)
def test_sample_weights_reach_every_namespace(name):
    A, y, _ = planted()
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    reference = fista(A, y, penalty=L1(0.2), sample_weight=weights, tol=1e-11)
    result = fista(put(A, name), put(y, name), penalty=L1(0.2), sample_weight=weights, tol=1e-11)
    np.testing.assert_allclose(get(result.coef), reference.coef, atol=1e-5)


@both
def test_what_is_missing_or_out_of_range_is_named(solver):
    with pytest.raises(ValueError, match="penalty is missing; pass one, for example"):
        solver(np.eye(2), np.ones(2))
    with pytest.raises(ValueError, match=r"penalty.alpha must be at least 0; got -1"):
        solver(np.eye(2), np.ones(2), penalty=L1(-1.0))
    with pytest.raises(ValueError, match="sample_weight cannot be applied to a GramDesign"):
        solver(GramDesign(np.eye(2), 2), np.ones(2), penalty=L1(0.1), sample_weight=[1, 2])
    with pytest.raises(ValueError, match="Rough has no Lipschitz gradient"):
        solver(np.eye(2), np.ones(2), Rough(), L1(0.1))


class Rough(Squared):
    """A loss that is not smooth."""

    is_smooth = False


class Logistic(NamedTuple):
    """A user's loss, not quadratic: ``sum_i weights_i log(1 + exp(-y_i z_i))`` for labels of -1 and 1."""

    is_smooth = True
    supports_complex = False
    curvature = 0.25

    def value(self, target, fitted, weights):
        return np.sum(weights * np.logaddexp(0, -target * fitted))

    def gradient(self, target, fitted, weights):
        return -weights * target / (1 + np.exp(target * fitted))

    def bregman(self, target, fitted, other, weights):
        tangent = np.dot(self.gradient(target, other, weights), fitted - other)
        return self.value(target, fitted, weights) - self.value(target, other, weights) - tangent

    def dual_value(self, target, dual, weights):
        share = np.clip(target * dual / weights, 0, 1)
        return -np.sum(weights * (xlogy(share, share) + xlogy(1 - share, 1 - share)))

    def dual_scaling(self, target, dual, limit, weights):
        return np.minimum(1.0, limit)


@both
def test_a_users_loss_is_minimised_and_certified(solver):
    A, y, _ = planted(80, 30, 4, noise=2.0)
    labels = np.where(y > 0, 1.0, -1.0)
    coef = cvxpy.Variable(30)
    misfit = cvxpy.sum(cvxpy.logistic(cvxpy.multiply(-labels, A @ coef))) / 80
    best = cvxpy.Problem(cvxpy.Minimize(misfit + 0.1 * cvxpy.norm1(coef))).solve(solver=cvxpy.CLARABEL)
    result = solver(A, labels, Logistic(), L1(0.1), tol=1e-8)
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(best, rel=1e-6)
    np.testing.assert_allclose(result.coef, coef.value, atol=1e-3)


def test_restarts_save_most_iterations_on_columns_of_many_sizes():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 120)) * np.linspace(0.2, 3.0, 120)
    y = A[:, :10] @ rng.standard_normal(10) + 0.1 * rng.standard_normal(60)
    result = fista(A, y, penalty=L1(0.02 * np.max(np.abs(A.T @ y)) / 60), tol=1e-9)
    assert result.n_iter <= 1000  # several thousand without
