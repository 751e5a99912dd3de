"""Accelerated gradient and reweighted l1 for concave penalties: their definitions, closed forms, and descent."""

from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import (
    CEL0,
    L0,
    L1,
    MCP,
    SCAD,
    Absolute,
    CappedL1,
    GramDesign,
    Huber,
    Logistic,
    LogSum,
    Lq,
    Multinomial,
    Poisson,
    Squared,
    Status,
    WithIntercept,
    alpha_max,
    ista,
    nonconvex_ag,
    regularization_path,
    solve,
)
from sparsecode.solvers.certificates import stationarity
from sparsecode.solvers.problem import make_problem
from sparsecode.solvers.proximal import nonconvex
from sparsecode.solvers.reweighted import majorised
from tests._backends import FOREIGN, get, put
from tests.planted import planted

A, y, TRUE = planted(60, 100, 6, noise=0.1)
N = len(y)
CONCAVE = [MCP(0.2), SCAD(0.2), CEL0(0.05), LogSum(0.05, 0.3)]
every_penalty = pytest.mark.parametrize("penalty", CONCAVE, ids=lambda penalty: type(penalty).__name__)
SOLVERS = ["nonconvex_ag", "reweighted_l1"]
FINEST = {
    "nonconvex_ag": 1e-10,
    "reweighted_l1": 1e-7,
}  # gaps of l1 problems end at 1e-15, and residuals go like their roots
every_solver = pytest.mark.parametrize("solver", SOLVERS)


def cost(penalty, size):
    """Price of moduli, from the formulas of the papers."""
    if isinstance(penalty, MCP):
        flat = penalty.gamma * penalty.alpha
        return np.where(size <= flat, penalty.alpha * size - size**2 / (2 * penalty.gamma), flat * penalty.alpha / 2)
    if isinstance(penalty, SCAD):
        lam, a = penalty.alpha, penalty.a
        middle = (2 * a * lam * size - size**2 - lam**2) / (2 * (a - 1))
        return np.where(size <= lam, lam * size, np.where(size <= a * lam, middle, lam**2 * (a + 1) / 2))
    return penalty.alpha * np.log(1 + size / penalty.epsilon)


def objective(penalty, coef):
    """Squared misfit plus penalty."""
    return np.sum((y - A @ coef) ** 2) / (2 * N) + np.sum(cost(penalty, np.abs(coef)))


def soft(values, threshold):
    """The soft threshold."""
    return np.sign(values) * np.maximum(np.abs(values) - threshold, 0)


STEEPEST = 1.0001 * np.linalg.norm(A, 2) ** 2 / N


def published(penalty, top, fall, concavity, n_steps):
    """The iteration as published, for a fixed step, with the restart: averages `ag` of a squared misfit."""
    omega = 1 / max(STEEPEST, concavity)
    x = ag = np.zeros(A.shape[1])
    alpha, found = 1.0, []
    for _ in range(n_steps):
        middle = (1 - alpha) * ag + alpha * x
        grad = A.T @ (A @ middle - y) / N + np.sign(middle) * fall(np.abs(middle))
        x = soft(x - omega / alpha * grad, omega / alpha * top)
        new = soft(middle - omega * grad, omega * top)
        alpha = 2 / (1 + np.sqrt(1 + 4 / alpha**2))
        if (middle - new) @ (new - ag) > 0:
            alpha, x = 1.0, new
        ag = new
        found.append(ag)
    return found


@pytest.mark.parametrize(
    ("penalty", "fall"),
    [
        (MCP(0.2), lambda size: -np.minimum(size / 3.0, 0.2)),
        (MCP(0.2, gamma=0.05), lambda size: -np.minimum(size / 0.05, 0.2)),  # steeper than the loss
        (SCAD(0.2), lambda size: -np.clip((size - 0.2) / 2.7, 0, 0.2)),
    ],
)
def test_with_a_fixed_step_it_is_the_published_iteration(penalty, fall, monkeypatch):
    concavity = 1 / penalty.gamma if isinstance(penalty, MCP) else 1 / 2.7
    monkeypatch.setattr(nonconvex, "first_curvature", lambda *_: STEEPEST)
    twins = published(penalty, 0.2, fall, concavity, 40)
    for n_steps in (1, 2, 3, 8, 40):
        with pytest.warns(UserWarning, match="stationarity") if n_steps < 40 else _quiet():
            result = nonconvex_ag(A, y, penalty=penalty, tol=0.0, max_iter=n_steps)
        # the answer is the certified iterate of least residual; all that were certified are the twin's
        assert result.history["iteration"][-1] == n_steps
        assert result.history["objective"][-1] == pytest.approx(objective(penalty, twins[n_steps - 1]), rel=1e-12)


class _quiet:
    """A context in which any warning may be given."""

    def __enter__(self):
        import warnings

        self.context = warnings.catch_warnings()
        self.context.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *error):
        self.context.__exit__(*error)


def test_the_damping_meets_the_conditions_of_ghadimi_and_lan_with_equality():
    damping, product = 1.0, 1.0
    for _ in range(50):
        following = 2 / (1 + np.sqrt(1 + 4 / damping**2))
        product *= 1 - following
        assert following**2 / product == pytest.approx(1.0)  # damping / (length * product) never rises; here it stays
        damping = following


@every_solver
@pytest.mark.parametrize(
    "penalty", [MCP(0.5), MCP(0.5, gamma=1.5), SCAD(0.5), SCAD(0.5, a=2.5), LogSum(0.4, 1.0)], ids=repr
)
def test_on_an_orthonormal_design_it_is_the_prox(solver, penalty):
    rng = np.random.default_rng(0)
    orthonormal = np.linalg.qr(rng.standard_normal((40, 12)))[0]
    values = np.r_[np.linspace(-4, 4, 11), 0.499]
    target = orthonormal @ values * np.sqrt(40)
    result = solve(np.sqrt(40) * orthonormal, target, penalty=penalty, solver=solver, tol=FINEST[solver])
    np.testing.assert_allclose(result.coef, penalty.prox(values, 1.0), atol=1e-6)


@every_penalty
@every_solver
def test_the_objective_never_rises_and_ends_stationary(penalty, solver):
    start = np.random.default_rng(0).standard_normal(A.shape[1])
    for init in (None, start, 30 * start):
        result = solve(A, y, penalty=penalty, solver=solver, init=init, tol=FINEST[solver])
        assert result.status is Status.CONVERGED
        assert result.certificate_name == "relative stationarity"
        heights = np.array(result.history["objective"])
        assert np.all(np.diff(heights) <= 1e-13 * heights[0])
        assert result.objective == heights[-1]


@pytest.mark.parametrize("share, make", [(0.1, MCP), (0.1, SCAD), (0.01, lambda alpha: LogSum(alpha, 0.05))])
def test_momentum_that_would_lift_the_objective_is_dropped(share, make):
    rng = np.random.default_rng(0)  # of these problems, on which steps without the safeguard do lift it
    design = rng.standard_normal((60, 120))
    for j in range(1, 120):
        design[:, j] = 0.5 * design[:, j - 1] + np.sqrt(0.75) * design[:, j]
    coef = np.zeros(120)
    coef[rng.choice(120, 6, replace=False)] = rng.choice([-1, 1], 6) * rng.uniform(1, 3, 6)
    target = design @ coef + 0.5 * rng.standard_normal(60)
    problem = make_problem(design, target, Squared(), make(share * alpha_max(design, target)))
    steps = nonconvex._steps(problem, problem.start())
    state = next(steps)
    heights = [float(problem.value(state.coef))]
    state = steps.send(stationarity(problem, state.coef))
    for _ in range(100):
        heights.append(float(problem.value(state.coef)))
        if state.finished:
            break
        state = next(steps)
    assert np.all(np.diff(heights) <= 1e-14 * heights[0])
    assert heights[-1] < 0.2 * heights[0]


@pytest.mark.parametrize("penalty", [MCP(0.2), SCAD(0.2), LogSum(0.05, 0.3)], ids=repr)
@every_solver
def test_no_small_move_of_a_coefficient_lowers_the_objective(penalty, solver):
    result = solve(A, y, penalty=penalty, solver=solver, tol=FINEST[solver])
    best = objective(penalty, result.coef)
    assert result.objective == pytest.approx(best, rel=1e-12)
    for j in range(A.shape[1]):
        for step in (-1e-4, 1e-4):
            moved = result.coef.copy()
            moved[j] += step
            assert objective(penalty, moved) >= best - 1e-11


@every_penalty
def test_plain_proximal_gradient_cannot_improve_on_either(penalty):
    for solver in SOLVERS:
        result = solve(A, y, penalty=penalty, solver=solver, tol=FINEST[solver])
        again = ista(A, y, penalty=penalty, init=result.coef, tol=1e-9)
        np.testing.assert_allclose(again.coef, result.coef, atol=1e-6)


@every_solver
@pytest.mark.parametrize(
    "loss", [Huber(0.3), Logistic(), Poisson(), WithIntercept(Squared()), WithIntercept(Logistic())], ids=repr
)
def test_every_smooth_loss_descends_to_a_stationary_point(solver, loss):
    inside = getattr(loss, "loss", loss)
    target = y
    if isinstance(inside, Logistic):
        target = np.where(y + np.random.default_rng(0).logistic(size=N) > 0, 1.0, -1.0)
    if isinstance(inside, Poisson):
        target = np.random.default_rng(0).poisson(np.exp(np.clip(0.5 * y, -2, 2))).astype(float)
    penalty = LogSum(0.1, 1.0)
    result = solve(A, target, loss, penalty, solver=solver, tol=1e-6)
    assert result.status is Status.CONVERGED
    assert np.all(np.diff(result.history["objective"]) <= 1e-12)
    fitted = A @ result.coef + result.intercept
    pull = -A.T @ inside.gradient(target, fitted, 1 / N)
    used = result.coef != 0
    slope = 0.1 / (1.0 + np.abs(result.coef))
    np.testing.assert_allclose(pull[used], (slope * np.sign(result.coef))[used], atol=1e-5)
    assert np.all(np.abs(pull[~used]) <= slope[~used] + 1e-5)


def test_joint_targets_are_one_problem():
    scores = np.stack([y, -y, 0 * y], axis=1) + np.random.default_rng(0).gumbel(size=(N, 3))
    result = nonconvex_ag(A, np.eye(3)[np.argmax(scores, axis=1)], Multinomial(), SCAD(0.1, a=20.0), tol=1e-6)
    assert result.status is Status.CONVERGED
    assert result.coef.shape == (100, 3)


@every_solver
def test_each_target_is_solved_as_if_alone(solver):
    many = planted(60, 100, 5, n_targets=4, noise=0.1)
    targets = many.y * [1.0, 2.0, 0.5, 1e-9]
    result = solve(many.A, targets, penalty=MCP(0.2), solver=solver, tol=FINEST[solver])
    assert result.status is Status.CONVERGED
    for column in range(4):
        alone = solve(many.A, targets[:, column], penalty=MCP(0.2), solver=solver, tol=FINEST[solver])
        np.testing.assert_allclose(result.coef[:, column], alone.coef, atol=1e-6)
    assert not np.any(result.coef[:, 3])


@every_solver
def test_the_kind_of_the_design_changes_nothing(solver):
    penalty, weights = MCP(0.2), np.r_[0.0, np.inf, np.ones(98)]
    ask = {"penalty": penalty, "penalty_weights": weights, "solver": solver, "tol": FINEST[solver]}
    expected = solve(A, y, **ask).coef
    assert expected[1] == 0 and expected[0] != 0
    wide = sp.csc_array(A)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for design, target in ((wide, y), (sp.linalg.aslinearoperator(A), y)):
        np.testing.assert_allclose(solve(design, target, **ask).coef, expected, atol=1e-6)
    gram = GramDesign(A.T @ A, N, y @ y)
    np.testing.assert_allclose(solve(gram, A.T @ y, **ask).coef, expected, atol=1e-6)


@every_solver
@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("complex_", [False, True])
def test_every_namespace_gives_the_same(solver, name, complex_):
    problem = planted(40, 60, 4, complex_=complex_)
    ask = {"penalty": MCP(0.2), "solver": solver, "tol": FINEST[solver]}
    expected = solve(problem.A, problem.y, **ask)
    result = solve(put(problem.A, name), put(problem.y, name), **ask)
    np.testing.assert_allclose(get(result.coef), expected.coef, atol=1e-6)


@every_solver
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision_ends_certified(solver, dtype):
    problem = planted(60, 100, 5, complex_=dtype is np.complex64)
    narrow = solve(problem.A.astype(dtype), problem.y.astype(dtype), penalty=MCP(0.2), solver=solver, tol=1e-12)
    wide = solve(problem.A, problem.y, penalty=MCP(0.2), solver=solver, tol=FINEST[solver])
    assert narrow.status is Status.CONVERGED
    assert narrow.coef.dtype == dtype
    np.testing.assert_allclose(narrow.coef, wide.coef, atol=1e-4)


@every_solver
@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_units_of_the_target_do_not_matter(solver, size):
    expected = solve(A, y, penalty=MCP(0.2), solver=solver, tol=FINEST[solver]).coef
    result = solve(A, size * y, penalty=MCP(size * 0.2), solver=solver, tol=FINEST[solver])
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef / size, expected, atol=1e-6)


@every_solver
def test_a_start_that_the_penalty_forbids_is_moved_into_what_it_allows(solver):
    result = solve(A, y, penalty=MCP(0.2, positive=True), solver=solver, init=-np.ones(100), tol=FINEST[solver])
    assert result.status is Status.CONVERGED
    assert np.all(result.coef >= 0) and np.any(result.coef > 0)
    assert result.history["objective"][0] == pytest.approx(np.sum(y**2) / (2 * N))


@every_solver
def test_a_zero_target_and_empty_columns_end_at_zeros(solver):
    result = solve(A, 0 * y, penalty=MCP(0.2), solver=solver)
    assert result.status is Status.CONVERGED and not np.any(result.coef)
    holes = A * (np.arange(100) % 3 > 0)
    result = solve(holes, y, penalty=LogSum(0.02, 0.3), solver=solver)
    assert result.status is Status.CONVERGED and not np.any(result.coef[::3])


@every_solver
@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_one_sample_or_one_feature_is_enough(solver, shape):
    design = np.random.default_rng(1).standard_normal(shape)
    result = solve(design, np.arange(1.0, shape[0] + 1), penalty=SCAD(0.01), solver=solver)
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize("penalty", [L1(0.1), Lq(0.1), L0(0.1), CappedL1(0.1)], ids=repr)
def test_penalties_that_do_not_split_are_refused_by_name(penalty):
    with pytest.raises(ValueError, match=f"{type(penalty).__name__}.*MCP"):
        nonconvex_ag(A, y, penalty=penalty)
    with pytest.raises(ValueError, match="nonconvex_ag"):
        solve(A, y, penalty=penalty, solver="nonconvex_ag")


def test_a_loss_that_is_not_smooth_is_refused():
    with pytest.raises(ValueError, match="smooth"):
        nonconvex_ag(A, y, Absolute(), MCP(0.1))
    with pytest.raises(ValueError, match="reweighted_l1"):
        solve(A, y, Absolute(), MCP(0.1), solver="reweighted_l1")


class Exponential(NamedTuple):
    """``alpha (1 - exp(-|w|))``: a concave penalty from outside the library."""

    alpha: float

    is_convex = property(lambda self: False)
    is_separable = property(lambda self: True)
    supports_complex = property(lambda self: False)
    concavity = property(lambda self: self.alpha)

    def value(self, coef, weights=None):
        """The penalty."""
        return np.sum(self.alpha * -np.expm1(-np.abs(coef)), axis=0)

    def slope(self, size):
        """Its derivative in the modulus."""
        return self.alpha * np.exp(-size)

    tangent = lambda self, coef: self.slope(np.abs(coef))  # noqa: E731

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential."""
        slope = self.slope(np.abs(coef))
        return np.where(coef == 0, np.maximum(np.abs(grad) - slope, 0), np.abs(grad + np.sign(coef) * slope))


@every_solver
def test_a_penalty_of_ones_own_needs_no_prox(solver):
    result = solve(A, y, penalty=Exponential(0.3), solver=solver, tol=FINEST[solver])
    assert result.status is Status.CONVERGED
    pull = A.T @ (y - A @ result.coef) / N
    used = result.coef != 0
    np.testing.assert_allclose(pull[used], 0.3 * (np.exp(-np.abs(result.coef)) * np.sign(result.coef))[used], atol=1e-6)
    assert np.all(np.abs(pull[~used]) <= 0.3 + 1e-7)


def test_methods_with_a_prox_are_not_taken_for_a_penalty_without_one():
    assert solve(A, y, penalty=Exponential(0.3)).status is Status.CONVERGED
    with pytest.raises(ValueError, match=r"solver='fista' cannot solve Squared with Exponential.*'nonconvex_ag'"):
        solve(A, y, penalty=Exponential(0.3), solver="fista")


# reweighted l1


def test_reweighting_is_the_sequence_of_weighted_lassos():
    penalty = LogSum(0.05, 0.3)
    coef = np.zeros(100)
    for n_rounds in range(1, 5):
        coef = solve(A, y, penalty=L1(1.0), penalty_weights=0.05 / (0.3 + np.abs(coef)), tol=1e-14).coef
        with _quiet():
            result = solve(A, y, penalty=penalty, solver="reweighted_l1", tol=0.0, max_iter=n_rounds)
        assert result.n_iter == n_rounds
        assert result.history["objective"][-1] == pytest.approx(objective(penalty, coef), rel=1e-3 / 10**n_rounds)


@pytest.mark.parametrize("penalty", [*CONCAVE, CappedL1(0.2, cap=0.5)], ids=repr)
def test_the_l1_problem_lies_above_and_touches(penalty):
    rng = np.random.default_rng(0)
    weights = np.r_[0.0, rng.uniform(0.5, 2, 99)]
    problem = make_problem(A, y, Squared(), penalty, penalty_weights=weights)
    at = rng.standard_normal(100) * (rng.uniform(size=100) < 0.5)
    convex = majorised(problem, at)
    offset = problem.value(at) - convex.value(at)
    for _ in range(20):
        other = at + rng.standard_normal(100) * 10 ** rng.uniform(-3, 1)
        assert problem.value(other) <= convex.value(other) + offset + 1e-12


def test_capped_l1_is_relaxed_in_stages():
    result = solve(A, y, penalty=CappedL1(0.2, cap=0.5), solver="reweighted_l1", tol=FINEST["reweighted_l1"])
    assert result.status is Status.CONVERGED
    support = TRUE != 0
    np.testing.assert_array_equal(result.coef != 0, support)
    fitted = np.linalg.lstsq(A[:, support], y)[0]  # large coefficients are not shrunk at all
    np.testing.assert_allclose(result.coef[support], fitted, atol=1e-6)


def test_paths_are_warm_started_with_either():
    for solver in SOLVERS:
        path = regularization_path(A, y, penalty=MCP(1.0), solver=solver, n_alphas=8, eps=0.05)
        assert path.status is Status.CONVERGED
        assert not np.any(path.coefs[:, 0]) and np.all(path.coefs[TRUE != 0, -1])


def test_a_callback_stops_and_sees_every_round():
    seen = []
    result = solve(A, y, penalty=MCP(0.2), solver="reweighted_l1", callback=lambda p: seen.append(p) or len(seen) == 2)
    assert result.status is Status.INTERRUPTED and [p.iteration for p in seen] == [0, 1]


def test_rounds_end_where_none_lowers_the_objective_any_more():
    with _quiet():
        result = solve(A, y, penalty=MCP(0.2), solver="reweighted_l1", tol=0.0)
    assert result.status in (Status.STALLED, Status.CONVERGED)
    assert result.n_iter < 100
    assert result.certificate < 1e-6
