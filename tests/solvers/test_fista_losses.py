"""FISTA over every smooth loss: certified to 1e-8, and where an interior-point solver ends."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from sparsecode import (
    L0,
    L1,
    Absolute,
    Huber,
    Logistic,
    Multinomial,
    Poisson,
    Squared,
    SquareRoot,
    Status,
    WithIntercept,
    fista,
    ista,
)
from sparsecode.solvers.certificates import relative_gap, stationarity
from sparsecode.solvers.problem import make_problem
from tests._backends import FOREIGN, get, put
from tests.planted import planted

cvxpy = pytest.importorskip("cvxpy")
N, P = 60, 30


def targets():
    """One target for each smooth loss, drawn from its own model, with outliers for Huber."""
    A, y, _ = planted(N, P, 4, noise=0.3)
    rng = np.random.default_rng(1)
    outliers = y + np.where(np.arange(N) % 12 == 0, 30.0, 0.0)
    scores = np.stack([y, -y, 0 * y], axis=1) + rng.gumbel(size=(N, 3))
    return A, {
        "huber": (Huber(0.8), outliers),
        "logistic": (Logistic(), np.where(y + rng.logistic(size=N) > 0, 1.0, -1.0)),
        "poisson": (Poisson(), rng.poisson(np.exp(np.clip(0.5 * y + 1, -3, 4))).astype(float)),
        "multinomial": (Multinomial(), np.eye(3)[np.argmax(scores, axis=1)]),
    }


A, TARGETS = targets()
every_loss = pytest.mark.parametrize("name", TARGETS)


def strength(loss, target, share=0.05):
    """A share of the strength at which nothing is selected."""
    return share * float(np.max(np.abs(A.T @ loss.gradient(target, 0 * target, 1 / N))))


def optimum(loss, target, alpha, weights, share, intercept):
    """Objective and coefficients of an interior-point solver, in the library's scaling."""
    many = target.ndim == 2
    coef = cvxpy.Variable((P, *target.shape[1:]))
    fitted = A @ coef
    if intercept:
        constant = cvxpy.Variable((1, target.shape[1]) if many else 1)
        fitted = fitted + (np.ones((N, 1)) @ constant if many else constant)
    if isinstance(loss, Huber):
        rows, known = 0.5 * cvxpy.huber(target - fitted, loss.delta), 0.0
    elif isinstance(loss, Logistic):
        rows, known = cvxpy.logistic(-cvxpy.multiply(target, fitted)), 0.0
    elif isinstance(loss, Poisson):
        logs = np.log(np.maximum(target, 1))
        rows, known = cvxpy.exp(fitted) - cvxpy.multiply(target, fitted), share @ (target * logs - target)
    else:
        rows, known = cvxpy.log_sum_exp(fitted, axis=1) - cvxpy.sum(cvxpy.multiply(target, fitted), axis=1), 0.0
    finite = np.isfinite(weights)
    charged = np.where(finite, weights, 0.0).reshape(-1, *[1] * many)
    objective = share @ rows + alpha * cvxpy.sum(cvxpy.multiply(charged, cvxpy.abs(coef)))
    program = cvxpy.Problem(cvxpy.Minimize(objective), [] if finite.all() else [coef[np.flatnonzero(~finite)] == 0])
    best = program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return best + known, coef.value


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")  # of the interior-point solver
@every_loss
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_ends_certified_where_an_interior_point_solver_ends(name, intercept, weighted):
    loss, target = TARGETS[name]
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 4, N).astype(float) if weighted else np.ones(N)
    weights = np.r_[0.0, np.inf, rng.uniform(0.5, 2, P - 2)] if weighted else np.ones(P)
    alpha = strength(loss, target)
    best, coef = optimum(loss, target, alpha, weights, counts / counts.sum(), intercept)
    asked = WithIntercept(loss) if intercept else loss
    result = fista(A, target, asked, L1(alpha), penalty_weights=weights, sample_weight=counts, tol=1e-8)
    assert result.status is Status.CONVERGED
    assert result.certificate_name == "relative duality gap"
    assert result.objective == pytest.approx(best, rel=1e-6)
    if isinstance(loss, Multinomial):  # what all classes have in common changes nothing where it costs nothing
        free = weights == 0
        result.coef[free], coef[free] = (
            rows[free] - rows[free].mean(axis=1, keepdims=True) for rows in (result.coef, coef)
        )
    np.testing.assert_allclose(result.coef, coef, atol=2e-3)


@every_loss
@pytest.mark.parametrize("intercept", [False, True])
def test_the_gap_bounds_the_distance_to_the_optimum_everywhere(name, intercept):
    loss, target = TARGETS[name]
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, N).astype(float)
    weights = np.r_[0.0, 0.0, np.inf, rng.uniform(0.5, 2, P - 3)]
    asked, penalty = WithIntercept(loss) if intercept else loss, L1(strength(loss, target))
    best = fista(A, target, asked, penalty, penalty_weights=weights, sample_weight=counts, tol=1e-11).objective
    problem = make_problem(A, target, asked, penalty, penalty_weights=weights, sample_weight=counts)
    at_zero = float(problem.value(np.zeros(problem.shape)))
    for size in (0.0, 1e-3, 0.1, 1.0):
        for _ in range(5):
            coef = problem.without_excluded(size * rng.standard_normal(problem.shape))
            certificate = relative_gap(problem, coef)
            assert np.ndim(certificate.value) == 0
            assert certificate.value * at_zero >= certificate.objective - best - 1e-9 * at_zero


@every_loss
def test_the_intercept_is_the_constant_that_the_solution_leaves(name):
    loss, target = TARGETS[name]
    result = fista(A, target, WithIntercept(loss), L1(strength(loss, target)), tol=1e-9)
    fitted = A @ result.coef
    constant = loss.best_constant(target, fitted, 1 / N)
    np.testing.assert_allclose(result.intercept, constant)
    pull = loss.gradient(target, fitted + result.intercept, 1 / N)
    np.testing.assert_allclose(pull.sum(axis=0), 0, atol=1e-8)
    assert np.all(fista(A, target, loss, L1(strength(loss, target))).intercept == 0.0)


@pytest.mark.parametrize("name", ["huber", "logistic", "multinomial"])
def test_the_best_constant_costs_a_few_looks_at_the_loss_an_iteration(name, monkeypatch):
    loss, target = TARGETS[name]
    looks, gradient = [], type(loss).gradient
    monkeypatch.setattr(type(loss), "gradient", lambda *arguments: looks.append(1) or gradient(*arguments))
    result = fista(A, target, WithIntercept(loss), L1(strength(loss, target, 0.01)), tol=1e-9)
    assert result.status is Status.CONVERGED
    assert len(looks) <= 8 * result.n_iter  # one for the step, the others for the constants of two points


def test_the_squared_loss_with_an_intercept_is_the_lasso_on_centred_data():
    A_, y, _ = planted(N, P, 4, noise=0.3)
    counts = np.random.default_rng(0).integers(0, 4, N).astype(float)
    share = counts / counts.sum()
    result = fista(A_ + 3, y + 7, WithIntercept(Squared()), L1(0.05), sample_weight=counts, tol=1e-11)
    centred = fista(A_ - share @ A_, y - share @ y, penalty=L1(0.05), sample_weight=counts, tol=1e-11)
    np.testing.assert_allclose(result.coef, centred.coef, atol=1e-6)
    assert result.intercept == pytest.approx(share @ (y + 7) - share @ (A_ + 3) @ centred.coef, abs=1e-5)


def test_huber_is_the_lasso_with_a_shift_of_its_own_for_every_sample():
    loss, target = TARGETS["huber"]
    alpha = strength(loss, target)
    shifts = fista(
        np.hstack([A, np.eye(N)]),
        target,
        penalty=L1(alpha),
        penalty_weights=np.r_[np.ones(P), np.full(N, loss.delta / N / alpha)],
        tol=1e-10,
        max_iter=50_000,
    )
    result = fista(A, target, loss, L1(alpha), tol=1e-10)
    np.testing.assert_allclose(result.coef, shifts.coef[:P], atol=1e-5)


@every_loss
def test_sample_weights_are_repetitions(name):
    loss, target = TARGETS[name]
    counts = np.random.default_rng(0).integers(0, 4, N)
    penalty = L1(strength(loss, target))
    weighted = fista(A, target, WithIntercept(loss), penalty, sample_weight=counts, tol=1e-11)
    repeated = fista(
        np.repeat(A, counts, axis=0), np.repeat(target, counts, axis=0), WithIntercept(loss), penalty, tol=1e-11
    )
    np.testing.assert_allclose(weighted.coef, repeated.coef, atol=1e-6)


@every_loss
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_columns_of_any_size_are_no_obstacle(name, scale):
    loss, target = TARGETS[name]
    alpha = strength(loss, target)
    reference = fista(A, target, loss, L1(alpha), tol=1e-9)
    result = fista(scale * A, target, loss, L1(scale * alpha), tol=1e-9)
    assert result.status is Status.CONVERGED
    assert result.n_iter <= 2 * reference.n_iter
    np.testing.assert_allclose(scale * result.coef, reference.coef, atol=1e-4)


@every_loss
def test_every_design_namespace_and_precision_gives_the_same_answer(name):
    loss, target = TARGETS[name]
    asked, penalty = WithIntercept(loss), L1(strength(loss, target))
    reference = fista(A, target, asked, penalty, tol=1e-10)
    for design in (sp.csc_array(A), aslinearoperator(A)):
        np.testing.assert_allclose(fista(design, target, asked, penalty, tol=1e-10).coef, reference.coef, atol=1e-6)
    for space in FOREIGN:
        result = fista(put(A, space), put(target, space), asked, penalty, tol=1e-10)
        assert result.status is Status.CONVERGED
        np.testing.assert_allclose(get(result.coef), reference.coef, atol=1e-6)
        np.testing.assert_allclose(get(result.intercept), reference.intercept, atol=1e-6)
    narrow = fista(A.astype(np.float32), target.astype(np.float32), asked, penalty, tol=1e-5)
    assert narrow.status is Status.CONVERGED
    assert narrow.coef.dtype == np.float32
    np.testing.assert_allclose(narrow.coef, reference.coef, atol=1e-2)


@pytest.mark.parametrize("name", ["huber", "logistic", "poisson"])
def test_targets_are_independent(name):
    loss, target = TARGETS[name]
    penalty = L1(strength(loss, target))
    both = fista(A, np.stack([target, target[::-1]], axis=1), WithIntercept(loss), penalty, tol=1e-10)
    assert both.certificate.shape == both.intercept.shape == (2,)
    alone = fista(A, target[::-1].copy(), WithIntercept(loss), penalty, tol=1e-10)
    np.testing.assert_allclose(both.coef[:, 1], alone.coef, atol=1e-6)


def test_two_classes_are_logistic_regression_with_half_the_slope():
    """Of two columns of opposite sign each bears half of the log-odds: together as much penalty."""
    _, labels = TARGETS["logistic"]
    alpha = strength(Logistic(), labels)
    two = fista(A, np.stack([labels < 0, labels > 0], axis=1), Multinomial(), L1(alpha), tol=1e-10)
    one = fista(A, labels, Logistic(), L1(alpha), tol=1e-10)
    np.testing.assert_allclose(two.coef[:, 1] - two.coef[:, 0], one.coef, atol=1e-5)
    assert two.objective == pytest.approx(one.objective)


@every_loss
def test_without_strength_stationarity_is_the_certificate(name):
    loss, target = TARGETS[name]
    result = fista(A[:, :5], target, loss, L1(0.0), tol=1e-7)
    assert result.status is Status.CONVERGED
    problem = make_problem(A[:, :5], target, loss, L1(0.0))
    assert np.ndim(stationarity(problem, result.coef).value) == 0


def test_steps_that_reach_where_the_exponential_ends_are_taken_back():
    counts = np.r_[np.zeros(N - 1), 1e6]
    result = fista(A, counts, Poisson(), L1(1.0), tol=1e-8, max_iter=20_000)
    assert result.status is Status.CONVERGED
    slow = ista(A, TARGETS["poisson"][1], Poisson(), L1(0.3), init=np.full(P, 4.0), tol=1e-6, max_iter=50_000)
    assert np.all(np.diff(slow.history["objective"]) <= 1e-9 * np.abs(slow.history["objective"][:-1]))


def test_a_penalty_certified_by_its_prox_goes_with_a_loss_of_no_greatest_curvature():
    loss, target = TARGETS["poisson"]
    result = ista(A, target, WithIntercept(loss), L0(0.2), tol=1e-6)
    assert result.status is Status.CONVERGED
    assert result.certificate_name == "relative prox residual"
    assert 0 < result.support.size < P


def test_what_a_loss_cannot_measure_is_named():
    for loss in (Absolute(), SquareRoot(), WithIntercept(Absolute())):
        with pytest.raises(ValueError, match="needs a smooth loss"):
            fista(A, np.ones(N), loss, L1(0.1))
    wrong = {
        "labels -1 and 1": (Logistic(), np.arange(N)),
        "never negative; got -1": (Poisson(), -np.ones(N)),
        "one-hot; got shape": (Multinomial(), np.ones(N)),
        "sum to one": (Multinomial(), np.ones((N, 2))),
        "finite delta greater than 0": (Huber(0.0), np.ones(N)),
        "no finite intercept": (WithIntercept(Logistic()), np.ones(N)),
        r"classes \[2\] of y have no sample": (WithIntercept(Multinomial()), np.eye(3)[np.arange(N) % 2]),
    }
    for message, (loss, target) in wrong.items():
        with pytest.raises(ValueError, match=message):
            fista(A, target, loss, L1(0.1))
    with pytest.raises(ValueError, match="Logistic does not support complex"):
        fista(A * 1j, np.ones(N), Logistic(), L1(0.1))
