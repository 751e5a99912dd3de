"""Proximal Newton on working sets: where interior-point solvers, scikit-learn and a naive twin from the definition end."""

import math
import warnings
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor

from sparsecode import (
    L0,
    L1,
    MCP,
    SCAD,
    Absolute,
    Huber,
    L1Ridge,
    Logistic,
    Lq,
    Poisson,
    Status,
    WithIntercept,
    alpha_max,
    fista,
    regularization_path,
    solve,
)
from sparsecode.losses import scalar_loss
from sparsecode.solvers.coordinate.glm_fit import Fit
from sparsecode.solvers.methods import choose
from sparsecode.solvers.problem import make_problem
from tests._peers import sparse_logistic
from tests.planted import planted

cvxpy = pytest.importorskip("cvxpy")
LOSSES = {"huber": Huber(0.8), "logistic": Logistic(), "poisson": Poisson()}
every_loss = pytest.mark.parametrize("name", LOSSES)
N, P = 60, 90


def data(name, n_samples=N, n_features=P, seed=0):
    """A design and a target drawn from the model of a loss, with outliers for Huber."""
    A, y, _ = planted(n_samples, n_features, min(4, n_features), noise=0.3, seed=seed)
    rng = np.random.default_rng(seed + 1)
    if name == "huber":
        return A, y + np.where(np.arange(n_samples) % 12 == 0, 30.0, 0.0)
    if name == "logistic":
        labels = np.where(y + rng.logistic(size=n_samples) > 0, 1.0, -1.0)
        labels[:2] = 1.0, -1.0
        return A, labels
    counts = rng.poisson(np.exp(np.clip(0.5 * y + 1, -3, 4))).astype(float)
    counts[0] += 1
    return A, counts


def newton(A, y, loss, penalty, **options):
    """The solver under test; it has to certify itself."""
    result = solve(A, y, loss, penalty, **{"solver": "prox_newton", "tol": 1e-9, **options})
    assert result.status is Status.CONVERGED
    return result


def optimum(A, target, loss, penalty, weights, share, intercept):
    """Objective of an interior-point solver, in the library's scaling."""
    coef, constant = cvxpy.Variable(A.shape[1]), cvxpy.Variable()
    fitted = A @ coef + (constant if intercept else 0.0)
    known = 0.0
    if isinstance(loss, Huber):
        rows = 0.5 * cvxpy.huber(target - fitted, loss.delta)
    elif isinstance(loss, Logistic):
        rows = cvxpy.logistic(-cvxpy.multiply(target, fitted))
    else:
        rows = cvxpy.exp(fitted) - cvxpy.multiply(target, fitted)
        known = share @ (target * np.log(np.maximum(target, 1)) - target)
    finite = np.isfinite(weights)
    charged = np.where(finite, weights, 0.0)
    ratio = getattr(penalty, "l1_ratio", 1.0)
    charge = charged @ (ratio * cvxpy.abs(coef) + 0.5 * (1 - ratio) * cvxpy.square(coef))
    bounds = [coef[np.flatnonzero(~finite)] == 0] if not finite.all() else []
    if penalty.positive:
        bounds.append(coef[np.flatnonzero(weights > 0)] >= 0)
    program = cvxpy.Problem(cvxpy.Minimize(share @ rows + penalty.alpha * charge), bounds)
    return program.solve(solver=cvxpy.CLARABEL) + known


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")  # of the interior-point solver
@every_loss
@settings(max_examples=12, deadline=None)
@example(566, 13, 10, 0.2, 1.0, False, True, False)  # a free column and outliers
@example(0, 4, 1, 0.03, 1.0, False, False, False)  # an outlier that almost fits
@example(0, 11, 1, 0.03, 1.0, False, True, False)  # one column, of infinite weight as drawn
@given(
    st.integers(0, 10_000),
    st.integers(4, 30),
    st.integers(1, 40),
    st.sampled_from([0.03, 0.2, 0.7]),
    st.sampled_from([1.0, 0.3]),
    *[st.booleans()] * 3,
)
def test_it_ends_where_an_interior_point_solver_ends(name, seed, n, p, share, l1_ratio, intercept, weighted, positive):
    A, target = data(name, n, p, seed)
    rng = np.random.default_rng(seed)
    loss = WithIntercept(LOSSES[name]) if intercept else LOSSES[name]
    counts = np.r_[1.0, 1.0, rng.integers(0, 4, n - 2)] if weighted else np.ones(n)
    weights = rng.choice([0.5, 1.0, 2.0, np.inf], p) if weighted else np.ones(p)
    weights[0] = min(weights[0], 2.0)  # excluding every column is an error
    if weighted and n > 10 and name != "logistic" and not positive:
        weights[0] = 0.0
    alpha = share * float(np.max(np.abs(A.T @ loss.gradient(target, 0 * target, counts / counts.sum()))))
    penalty = L1(alpha, positive) if l1_ratio == 1 else L1Ridge(alpha, l1_ratio, positive)
    result = newton(A, target, loss, penalty, penalty_weights=weights, sample_weight=counts, tol=1e-8)
    best = optimum(A, target, LOSSES[name], penalty, weights, counts / counts.sum(), intercept)
    at_zero = float(make_problem(A, target, loss, penalty, sample_weight=counts).at_zero().loss)
    assert result.objective <= best + 1e-6 * at_zero
    assert result.objective >= best - 1e-5 * at_zero


@pytest.mark.parametrize("solver", ["liblinear", "saga"])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_it_is_scikit_learns_logistic_regression(solver, share):
    A, labels = data("logistic", 200, 20)
    intercept = solver == "saga"  # liblinear would penalise it
    loss = WithIntercept(Logistic()) if intercept else Logistic()
    alpha = share * alpha_max(A, labels, loss)
    result = newton(A, labels, loss, L1(alpha))
    peer = sparse_logistic(
        C=1 / (len(labels) * alpha), solver=solver, fit_intercept=intercept, tol=1e-9, max_iter=20_000
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(A, labels)
    np.testing.assert_allclose(result.coef, peer.coef_[0], atol=2e-4)
    np.testing.assert_allclose(result.intercept, np.ravel(peer.intercept_)[0] if intercept else 0.0, atol=2e-4)


def test_without_strength_it_is_scikit_learns_poisson_regression():
    A, counts = data("poisson", 80, 6)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 80)
    result = newton(A, counts, WithIntercept(Poisson()), L1(0.0), sample_weight=weight, tol=1e-9)
    peer = PoissonRegressor(alpha=0.0, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(A, counts, weight)
    np.testing.assert_allclose(result.coef, peer.coef_, atol=1e-6)
    assert result.intercept == pytest.approx(peer.intercept_, abs=1e-6)


def naive(A, target, loss, alpha, n_steps=60_000):
    """Proximal gradient from the definition, with backtracking on the objective."""
    n = len(target)

    def value(coef):
        return float(np.sum(loss.value(target, A @ coef, 1.0 / n)))

    coef, step = np.zeros(A.shape[1]), 1.0
    for _ in range(n_steps):
        gradient = A.T @ loss.gradient(target, A @ coef, 1.0 / n)
        while True:
            moved = coef - step * gradient
            new = np.sign(moved) * np.maximum(np.abs(moved) - step * alpha, 0.0)
            change = new - coef
            if value(new) <= value(coef) + gradient @ change + change @ change / (2 * step) + 1e-15:
                break
            step /= 2
        if np.max(np.abs(change)) <= 1e-12:
            break
        coef = new
    return coef


@every_loss
def test_it_is_the_naive_proximal_gradient_method(name):
    A, target = data(name, 50, 12)
    alpha = 0.1 * alpha_max(A, target, LOSSES[name])
    twin = naive(A, target, LOSSES[name], alpha)
    np.testing.assert_allclose(newton(A, target, LOSSES[name], L1(alpha), tol=1e-12).coef, twin, atol=1e-6)


@every_loss
@pytest.mark.parametrize("shape", [(N, P), (200, 500)])
@pytest.mark.parametrize("share", [0.02, 0.2])
def test_gaps_of_1e_10_are_reached_in_every_storage(name, shape, share):
    A, target = data(name, *shape)
    A[np.abs(A) < 1.5] = 0.0
    A[:, 7] = 0.0
    loss = WithIntercept(LOSSES[name])
    penalty = L1(share * alpha_max(A, target, loss))
    reference = newton(A, target, loss, penalty, tol=1e-10)
    assert 0 < reference.support.size < shape[1]
    wide = sp.csc_array(A)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for design in (np.asfortranarray(A), sp.csr_matrix(A), wide):
        result = newton(design, target, loss, penalty, tol=1e-10)
        np.testing.assert_allclose(result.coef, reference.coef, atol=1e-5 * np.abs(reference.coef).max())


def sparse_data(name, n_samples=1500, n_features=2500):
    """A design of density below one in a hundred, so that columns stay compressed."""
    rng = np.random.default_rng(0)
    A = sp.random(n_samples, n_features, 6e-3, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    A.data += 2.0  # columns of a mean that the intercept has to take
    signal = A @ np.where(rng.random(n_features) < 0.02, rng.choice([-2.0, 2.0], n_features), 0.0)
    if name == "huber":
        return A, signal + 0.3 * rng.standard_normal(n_samples) + np.where(rng.random(n_samples) < 0.05, 20.0, 0.0)
    if name == "logistic":
        return A, np.where(signal + rng.logistic(size=n_samples) > 0, 1.0, -1.0)
    return A, rng.poisson(np.exp(np.clip(signal, -2, 3))).astype(float)


@every_loss
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("ratio", [1.0, 0.6])
def test_compressed_columns_give_the_answer_of_dense_ones(name, intercept, ratio):
    A, target = sparse_data(name)
    loss = WithIntercept(LOSSES[name]) if intercept else LOSSES[name]
    penalty = L1Ridge(0.15 * alpha_max(A, target, loss), ratio)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, A.shape[1])
    weights[3], weights[4] = 0.0, np.inf
    counts = np.random.default_rng(2).uniform(0.5, 2.0, A.shape[0])
    options = {"penalty_weights": weights, "sample_weight": counts, "tol": 1e-10}
    result = newton(A, target, loss, penalty, **options)
    dense = newton(A.toarray(), target, loss, penalty, **options)
    assert result.coef[4] == 0 != result.coef[3]
    assert result.objective == pytest.approx(dense.objective, rel=1e-9)
    np.testing.assert_allclose(result.coef, dense.coef, atol=3e-4 * np.abs(dense.coef).max())


@every_loss
@pytest.mark.parametrize("penalty", [MCP(1.0, 12.0), SCAD(1.0, 12.0), L1Ridge(1.0, 0.5)], ids=repr)
def test_other_penalties_end_stationary_and_no_higher_than_proximal_gradient(name, penalty):
    """Samples enough that nearby minima agree: where labels are almost separable each method ends in one of its own."""
    A, target = data(name, 400, 60)
    loss = WithIntercept(LOSSES[name])
    penalty = penalty._replace(alpha=0.2 * alpha_max(A, target, loss, penalty))
    result = newton(A, target, loss, penalty, tol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = fista(A, target, loss, penalty, tol=1e-8, max_iter=20_000)
    assert result.certificate_name == peer.certificate_name
    assert result.objective <= peer.objective * (1 + 1e-3)


@every_loss
def test_a_step_that_a_penalty_makes_uphill_is_shortened(name):
    """Curvatures below 1 / gamma: the model of a coordinate is not convex, its prox jumps."""
    A, target = data(name, 300, 30)  # few samples would be separable, and the minimum at infinity
    penalty = MCP(0.3 * alpha_max(A, target, LOSSES[name]), gamma=1.0)
    result = newton(A, target, LOSSES[name], penalty, tol=1e-7)
    assert np.all(np.diff(result.history["objective"]) <= 1e-9 * abs(result.history["objective"][0]))


@every_loss
def test_sample_weights_are_repetitions(name):
    A, target = data(name)
    counts = np.random.default_rng(0).integers(1, 4, N)
    loss = WithIntercept(LOSSES[name])
    penalty = L1(0.1 * alpha_max(A, target, loss))
    weighted = newton(A, target, loss, penalty, sample_weight=counts, tol=1e-11)
    repeated = newton(np.repeat(A, counts, axis=0), np.repeat(target, counts), loss, penalty, tol=1e-11)
    np.testing.assert_allclose(weighted.coef, repeated.coef, atol=1e-6)
    np.testing.assert_allclose(weighted.intercept, repeated.intercept, atol=1e-6)


@every_loss
def test_penalty_weights_are_rescaled_columns(name):
    A, target = data(name)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, P)
    penalty = L1(0.1 * alpha_max(A, target, LOSSES[name]))
    weighted = newton(A, target, LOSSES[name], penalty, penalty_weights=weights, tol=1e-11)
    rescaled = newton(A / weights, target, LOSSES[name], penalty, tol=1e-11)
    np.testing.assert_allclose(weights * weighted.coef, rescaled.coef, atol=1e-6)


@every_loss
@pytest.mark.parametrize("penalty", [L1(1.0), L1Ridge(1.0, 0.3), MCP(1.0)], ids=repr)
def test_nothing_is_selected_just_above_alpha_max_and_something_below(name, penalty):
    A, target = data(name)
    loss = WithIntercept(LOSSES[name])
    top = alpha_max(A, target, loss, penalty)
    above = newton(A, target, loss, penalty._replace(alpha=1.0001 * top))
    assert not np.any(above.coef)
    assert above.n_iter == 0
    assert np.any(newton(A, target, loss, penalty._replace(alpha=0.98 * top)).coef)


def test_flipping_the_labels_flips_the_signs():
    A, labels = data("logistic")
    loss = WithIntercept(Logistic())
    penalty = L1(0.1 * alpha_max(A, labels, loss))
    one, other = newton(A, labels, loss, penalty, tol=1e-11), newton(A, -labels, loss, penalty, tol=1e-11)
    np.testing.assert_allclose(one.coef, -other.coef, atol=1e-7)
    assert one.intercept == pytest.approx(-other.intercept, abs=1e-7)


@every_loss
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_columns_of_any_size_are_no_obstacle(name, scale):
    A, target = data(name)
    penalty = L1(0.1 * alpha_max(A, target, LOSSES[name]))
    reference = newton(A, target, LOSSES[name], penalty)
    result = newton(scale * A, target, LOSSES[name], L1(scale * penalty.alpha))
    np.testing.assert_allclose(scale * result.coef, reference.coef, atol=1e-4)


def test_counts_far_beyond_the_first_fit_are_reached():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 60))
    for counts in (np.r_[np.zeros(39), 1e6], rng.poisson(1e4, 40).astype(float)):
        for loss in (Poisson(), WithIntercept(Poisson())):
            penalty = L1(0.05 * alpha_max(A, counts, loss))
            result = newton(A, counts, loss, penalty, tol=1e-8)
            assert np.isfinite(result.objective)


@pytest.mark.parametrize("intercept", [False, True])
def test_separable_labels_with_free_columns_end_with_a_status(intercept):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 80))
    labels = np.sign(A[:, 0])
    weights = np.r_[0.0, np.ones(79)]
    loss = WithIntercept(Logistic()) if intercept else Logistic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = solve(A, labels, loss, L1(0.01), solver="prox_newton", penalty_weights=weights, tol=1e-12, max_iter=50)
    assert isinstance(result.status, Status)
    assert np.all(np.isfinite(result.coef))
    assert result.certificate >= 0


@every_loss
def test_constant_and_duplicated_columns_take_nothing_from_the_intercept(name):
    A, target = data(name)
    loss = WithIntercept(LOSSES[name])
    penalty = L1(0.1 * alpha_max(A, target, loss))
    reference = newton(A, target, loss, penalty)
    constant = newton(np.c_[A, np.full((N, 1), 7.0)], target, loss, penalty)
    assert constant.coef[-1] == 0
    np.testing.assert_allclose(constant.coef[:-1], reference.coef, atol=1e-4)
    double = newton(np.c_[A, A], target, loss, penalty)
    np.testing.assert_allclose(double.coef[:P] + double.coef[P:], reference.coef, atol=1e-4)


class LogCosh(NamedTuple):
    """A loss of a user's own: everything that fista asks, and slopes."""

    scale: float = 1.0
    is_smooth, is_quadratic, supports_complex = True, False, False

    @property
    def curvature(self):
        return 1.0 / self.scale

    def value(self, target, fitted, weights):
        gap = np.abs(fitted - target) / self.scale
        return np.sum(weights * self.scale * (gap + np.log1p(np.exp(-2 * gap)) - np.log(2.0)), axis=0)

    def gradient(self, target, fitted, weights):
        return weights * np.tanh((fitted - target) / self.scale)

    def bregman(self, target, fitted, other, weights):
        slope = np.sum(self.gradient(target, other, weights) * (fitted - other), axis=0)
        return self.value(target, fitted, weights) - self.value(target, other, weights) - slope


@scalar_loss(LogCosh)
def log_cosh_slopes(loss, target, fitted):
    slope = math.tanh((fitted - target) / loss.scale)
    return slope, (1.0 - slope * slope) / loss.scale


@pytest.mark.parametrize("n_features", [30, P])
def test_a_loss_of_ones_own_needs_nothing_but_slopes(n_features):
    A, target = data("huber", N, n_features)
    penalty = MCP(0.02, gamma=5.0)
    problem = make_problem(A, target, LogCosh(), penalty)
    assert choose(problem).name == "prox_newton"
    result = newton(A, target, LogCosh(), penalty, tol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = fista(A, target, LogCosh(), penalty, tol=1e-6, max_iter=30_000)
    assert result.objective <= peer.objective * (1 + 1e-2)


@every_loss
def test_a_path_ends_where_single_solves_end(name):
    A, target = data(name)
    loss = WithIntercept(LOSSES[name])
    path = regularization_path(A, target, loss, n_alphas=8, eps=0.05, solver="prox_newton", tol=1e-9)
    for alpha, coef in list(zip(path.alphas, path.coefs.T, strict=True))[2::2]:
        alone = newton(A, target, loss, L1(float(alpha)))
        np.testing.assert_allclose(coef, alone.coef, atol=1e-4)


@every_loss
def test_a_warm_start_and_many_targets_change_nothing(name):
    A, target = data(name)
    penalty = L1(0.1 * alpha_max(A, target, LOSSES[name]))
    reference = newton(A, target, LOSSES[name], penalty, tol=1e-10)
    again = newton(A, target, LOSSES[name], penalty, init=reference.coef, tol=1e-9)
    assert again.n_iter <= 1
    far = newton(A, target, LOSSES[name], penalty, init=np.full(P, 0.3), tol=1e-10)
    np.testing.assert_allclose(far.coef, reference.coef, atol=1e-4)
    both = newton(A, np.stack([target[::-1], target], axis=1), LOSSES[name], penalty, tol=1e-10)
    np.testing.assert_allclose(both.coef[:, 1], reference.coef, atol=1e-6)


@every_loss
def test_single_precision_is_answered_in_single_precision(name):
    A, target = data(name)
    penalty = L1(0.1 * alpha_max(A, target, LOSSES[name]))
    wide = newton(A, target, LOSSES[name], penalty)
    for kind in (np.asarray, sp.csc_array):
        narrow = newton(kind(A.astype(np.float32)), target.astype(np.float32), LOSSES[name], penalty, tol=1e-6)
        assert narrow.coef.dtype == np.float32
        np.testing.assert_allclose(narrow.coef, wide.coef, atol=1e-2)


def test_what_it_does_not_suit_goes_to_another_method():
    A, labels = data("logistic")
    for loss, penalty in ((Logistic(), L0(0.1)), (Logistic(), Lq(0.1)), (Absolute(), L1(0.1))):
        with pytest.raises(ValueError, match="cannot solve"):
            choose(make_problem(A, labels, loss, penalty), "prox_newton")
    assert choose(make_problem(A, labels, Logistic(), L1Ridge(0.1))).name == "prox_newton"
    many_free = make_problem(np.ones((3, 600)), np.ones(3), Logistic(), L1(0.0))
    assert choose(many_free).name == "fista"


def test_labels_that_are_nearly_separated_take_few_newton_steps(monkeypatch):
    """Curvatures far below their bound are believed once full steps succeed, and the model is that of the point."""
    A, y = data("logistic", 80, 200, seed=1)
    steps, step = [], Fit._step
    monkeypatch.setattr(Fit, "_step", lambda self, new: steps.append(1) or step(self, new))
    newton(A, y, Logistic(), L1(1e-4 * alpha_max(A, y, Logistic())), tol=1e-8)
    assert len(steps) <= 40


@every_loss
def test_the_constant_is_looked_for_once_at_a_point(monkeypatch, name):
    A, y = data(name, 40, 10)
    loss, calls = LOSSES[name], []
    wrapped = WithIntercept(loss)
    search = WithIntercept.best_constant
    monkeypatch.setattr(WithIntercept, "best_constant", lambda *args: calls.append(1) or search(*args))
    problem = make_problem(A, y, wrapped, L1(0.1))
    coef = np.full(10, 0.05)
    point, constant = problem.at(coef), problem.intercept(coef)
    assert len(calls) == 1
    expected = search(wrapped, y, A @ coef, np.full(40, 1 / 40))
    np.testing.assert_allclose(constant, expected, rtol=1e-12)
    np.testing.assert_allclose(point.dual, -wrapped.gradient(y, A @ coef, np.full(40, 1 / 40)), atol=1e-15)
    np.testing.assert_allclose(problem.intercept(2 * coef), search(wrapped, y, 2 * A @ coef, np.full(40, 1 / 40)))


def test_labels_that_a_concave_penalty_lets_be_told_apart_have_no_minimum_and_the_answer_says_so():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((100, 50))
    y = np.where(A[:, :5] @ np.ones(5) + rng.standard_normal(100) > 0, 1.0, -1.0)
    penalty = MCP(float(alpha_max(A, y, Logistic())) / 10)
    with pytest.warns(ConvergenceWarning, match="tell the labels apart"):
        result = solve(A, y, Logistic(), penalty, tol=1e-10)
    assert result.status is Status.STALLED

    def objective(coef):
        return np.mean(np.logaddexp(0.0, -y * (A @ coef))) + float(penalty.value(coef))

    falling = [objective(factor * result.coef) for factor in (1.0, 1.2, 1.5, 2.0)]
    assert np.all(np.diff(falling) < 0)
    with pytest.warns(ConvergenceWarning) as told:  # what is merely cut short has no such reason
        solve(A, y, Logistic(), MCP(3.0 * penalty.alpha), tol=1e-14, max_iter=1)
    assert "labels apart" not in str(told[0].message)
