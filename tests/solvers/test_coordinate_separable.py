"""Working sets for any separable penalty, against definitions, closed forms, brute force and convex programming."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from sparsecode import (
    CEL0,
    L0,
    MCP,
    SCAD,
    Box,
    CappedL1,
    GramDesign,
    L1Ridge,
    LogSum,
    Lq,
    Status,
    fista,
    regularization_path,
    scalar_prox,
    solve,
)
from sparsecode.designs import DenseDesign
from sparsecode.solvers.coordinate.pieces import _Descent, minimise_pieces
from sparsecode.solvers.coordinate.working_set import make_working_set
from sparsecode.solvers.problem import make_problem
from tests.planted import planted

JUMPING = MCP(0.3, gamma=0.6)  # below one over the curvature: its prox jumps
NONCONVEX = [
    MCP(0.3),
    JUMPING,
    MCP(0.3, positive=True),
    SCAD(0.3),
    SCAD(0.3, a=2.1, positive=True),
    CEL0(0.05),
    CEL0(0.05, curvature=3.0),
    L0(0.05),
    L0(0.05, positive=True),
    Lq(0.2),
    Lq(0.2, q=0.3),
    LogSum(0.2, 0.5),
    LogSum(0.2, 0.02, positive=True),
    CappedL1(0.3, cap=0.8),
]
CONVEX = [L1Ridge(0.3, 0.7), L1Ridge(0.3, 0.7, positive=True), L1Ridge(0.3, 1.0), Box(-0.5, 0.5), Box(), Box(-0.2)]
every_penalty = pytest.mark.parametrize("penalty", NONCONVEX + CONVEX, ids=repr)
nonconvex = pytest.mark.parametrize("penalty", NONCONVEX, ids=repr)


class Tilted(NamedTuple):
    """A penalty as a user would write it: ``down * (-w)`` below zero, ``up * w`` above."""

    up: float
    down: float

    is_convex = False
    is_separable = True
    supports_complex = False

    def value(self, coef, weights=None):
        cost = np.maximum(self.up * coef, -self.down * coef)
        return np.sum(cost if weights is None else weights * cost, axis=0)

    def prox(self, coef, step):
        return np.maximum(coef - step * self.up, 0.0) + np.minimum(coef + step * self.down, 0.0)

    def subdiff_distance(self, grad, coef, weights=None):
        up, down = (bound if weights is None else bound * weights for bound in (self.up, self.down))
        at_zero = np.maximum(np.maximum(-grad - up, grad - down), 0.0)
        return np.where(coef > 0, np.abs(grad + up), np.where(coef < 0, np.abs(grad - down), at_zero))


@scalar_prox(Tilted)
def _tilted_prox(penalty, value, step):
    return max(value - step * penalty.up, 0.0) + min(value + step * penalty.down, 0.0)


@pytest.fixture(scope="module")
def wide():
    """More features than samples, correlated columns of unequal length, much noise: many local minima."""
    rng = np.random.default_rng(5)
    columns = rng.standard_normal((120, 50))
    for j in range(1, 120):
        columns[j] = 0.7 * columns[j - 1] + math.sqrt(1 - 0.49) * columns[j]
    A = (columns * rng.uniform(0.7, 1.4, 120)[:, None]).T
    coef = np.zeros(120)
    coef[rng.choice(120, 8, replace=False)] = rng.choice([-2.0, 1.0, 2.0], 8)
    return A, A @ coef + rng.standard_normal(50)


def objective(A, y, penalty, coef, weights=None):
    return np.sum((y - A @ coef) ** 2) / (2 * len(y)) + float(penalty.value(coef, weights))


def by_working_sets(A, y, penalty, **options):
    return solve(A, y, penalty=penalty, solver="working_set", **{"tol": 1e-10, **options})


# ---------------------------------------------------------------- what an answer is


@every_penalty
def test_no_coordinate_alone_lowers_the_objective(wide, penalty):
    A, y = wide
    result = by_working_sets(A, y, penalty)
    assert result.status is Status.CONVERGED
    coef, least = result.coef, objective(A, y, penalty, result.coef)
    assert result.objective == pytest.approx(least, rel=1e-9)
    negative_allowed = not getattr(penalty, "positive", False)
    for j in range(120):
        for value in np.r_[0.0, coef[j] + np.linspace(-3, 3, 61), np.linspace(-3, 3, 25)]:
            if value >= 0 or negative_allowed:
                moved = coef.copy()
                moved[j] = value
                assert objective(A, y, penalty, moved) >= least * (1 - 1e-12)


@every_penalty
def test_the_answer_is_a_fixed_point_of_naive_coordinate_descent(wide, penalty):
    A, y = wide
    coef = by_working_sets(A, y, penalty).coef.copy()
    start, residual = coef.copy(), y - A @ coef
    for j in range(120):
        bend = A[:, j] @ A[:, j] / 50
        new = float(penalty.prox(np.array([coef[j] + A[:, j] @ residual / 50 / bend]), 1 / bend)[0])
        residual -= (new - coef[j]) * A[:, j]
        coef[j] = new
    np.testing.assert_allclose(coef, start, rtol=0, atol=1e-7)


@pytest.mark.parametrize("penalty", CONVEX, ids=repr)
def test_convex_penalties_have_the_minimum_of_cvxpy(wide, penalty):
    cp = pytest.importorskip("cvxpy")
    A, y = wide
    w = cp.Variable(120)
    misfit = cp.sum_squares(y - A @ w) / 100
    if isinstance(penalty, Box):
        limits = [
            bound
            for bound in (w >= penalty.lower, w <= penalty.upper if penalty.upper < np.inf else None)
            if bound is not None
        ]
        problem = cp.Problem(cp.Minimize(misfit), limits)
    else:
        ridge = (1 - penalty.l1_ratio) / 2 * cp.sum_squares(w)
        charge = penalty.alpha * (penalty.l1_ratio * cp.norm1(w) + ridge)
        problem = cp.Problem(cp.Minimize(misfit + charge), [w >= 0] if penalty.positive else [])
    least = problem.solve(solver=cp.CLARABEL)
    result = by_working_sets(A, y, penalty)
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(least, rel=1e-6, abs=1e-7)


@every_penalty
def test_orthonormal_columns_give_the_prox(penalty):
    rng = np.random.default_rng(0)
    A = 10 * np.linalg.qr(rng.standard_normal((100, 70)))[0]  # columns of curvature one
    y = A @ rng.normal(0, 1.5, 70) + rng.standard_normal(100)
    expected = penalty.prox(A.T @ y / 100, 1.0)
    np.testing.assert_allclose(by_working_sets(A, y, penalty).coef, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_tiny_l0_problems_are_solved_as_by_brute_force(seed):
    A, y, _ = planted(30, 8, 3, noise=0.5, seed=seed)
    result = by_working_sets(A, y, L0(0.1))
    values = {}
    for size in range(9):
        for support in itertools.combinations(range(8), size):
            fit = np.linalg.lstsq(A[:, support], y)[0] if size else np.zeros(0)
            values[support] = np.sum((y - A[:, support] @ fit) ** 2) / 60 + 0.1 * size
    found = tuple(result.support)
    assert result.objective == pytest.approx(values[found], rel=1e-9)  # least squares on its support
    assert result.objective == pytest.approx(min(values.values()), rel=1e-9)


@pytest.mark.parametrize("penalty", [MCP(0.3), SCAD(0.3), CEL0(0.1), CappedL1(0.3, cap=0.5)], ids=repr)
def test_tiny_nonconvex_problems_beat_every_start(penalty):
    A, y, _ = planted(40, 6, 2, noise=0.3)
    least = by_working_sets(A, y, penalty).objective
    for start in itertools.product([-1.5, 0.0, 1.5], repeat=6):
        assert by_working_sets(A, y, penalty, init=np.array(start)).objective >= least * (1 - 1e-9)


@nonconvex
def test_a_problem_of_little_noise_has_one_answer_for_all_methods(penalty):
    A, y, _ = planted(150, 100, 5, noise=0.1)
    one = by_working_sets(A, y, penalty)
    other = fista(A, y, penalty=penalty, tol=1e-9)
    assert one.objective <= other.objective * (1 + 1e-7)


@pytest.mark.parametrize("penalty", [MCP(0.3), SCAD(0.3), CEL0(0.05), CappedL1(0.3, cap=0.8)], ids=repr)
def test_larger_strengths_first_lead_to_minima_as_low_as_those_of_the_gradient_method(wide, penalty):
    A, y = wide
    ours = by_working_sets(A, y, penalty).objective
    assert ours <= 1.05 * fista(A, y, penalty=penalty, tol=1e-4).objective


def test_a_stationary_start_is_left_by_a_jump_that_lowers_the_objective():
    A, y, _ = planted(60, 90, 4, noise=0.1)
    penalty = LogSum(0.1, 0.001)  # of slope 100 at zero: zero is stationary
    result = by_working_sets(A, y, penalty)
    assert result.status is Status.CONVERGED
    assert result.objective < 0.8 * objective(A, y, penalty, np.zeros(90))


# ---------------------------------------------------------------- weights


def test_weights_of_an_lq_penalty_are_rescaled_columns():
    A, y, _ = planted(60, 90, 4, noise=0.1)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, 90)
    scale = weights ** (1 / 0.5)
    weighted = by_working_sets(A, y, Lq(0.2), penalty_weights=weights).coef
    np.testing.assert_allclose(weighted, by_working_sets(A / scale, y, Lq(0.2)).coef / scale, rtol=0, atol=1e-7)


@every_penalty
def test_free_columns_are_fitted_and_excluded_ones_are_not(penalty):
    A, y, coef = planted(60, 90, 4, noise=0.1)
    free, excluded = 7, int(np.flatnonzero(coef)[0])
    weights = np.ones(90)
    weights[free], weights[excluded] = 0.0, np.inf
    y = y + 3 * A[:, free]
    result = by_working_sets(A, y, penalty, penalty_weights=weights)
    assert result.status is Status.CONVERGED
    assert result.coef[excluded] == 0
    assert abs(A[:, free] @ (y - A @ result.coef)) <= 1e-6 * np.linalg.norm(A[:, free]) * np.linalg.norm(y)


@every_penalty
def test_columns_of_zeros_stay_at_zero_even_from_elsewhere(wide, penalty):
    A, y = wide
    A = A.copy()
    A[:, 11] = 0.0
    init = np.zeros(120)
    init[11] = 0.1
    assert by_working_sets(A, y, penalty, init=init).coef[11] == 0


# ---------------------------------------------------------------- one problem in many clothes


@pytest.mark.parametrize("penalty", [MCP(0.3), L0(0.05), L1Ridge(0.3, 0.7), Box(0.0, 0.7)], ids=repr)
@pytest.mark.parametrize("kind", ["fortran", "csc", "csr", "operator", "gram"])
def test_every_kind_of_design_gives_the_same_answer(penalty, kind):
    A, y, _ = planted(120, 90, 4, noise=0.2)
    expected = by_working_sets(A, y, penalty)
    clothes = {
        "fortran": np.asfortranarray,
        "csc": sp.csc_array,
        "csr": sp.csr_matrix,
        "operator": aslinearoperator,
        "gram": lambda A: GramDesign(A.T @ A, 120, target_sq_norm=float(y @ y)),
    }
    result = by_working_sets(clothes[kind](A), A.T @ y if kind == "gram" else y, penalty)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, expected.coef, rtol=0, atol=1e-6)


@pytest.mark.parametrize("penalty", [MCP(0.05, 30.0), SCAD(0.05), L1Ridge(0.01, 0.9), L0(0.001)], ids=repr)
@pytest.mark.parametrize("weighted", [False, True])
def test_short_columns_with_weighted_samples_give_the_dense_answer(penalty, weighted):
    rng = np.random.default_rng(3)
    A = sp.random(400, 300, 0.015, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    coef = np.zeros(300)
    coef[:6] = 4.0
    y = A @ coef + 0.05 * rng.standard_normal(400)
    weight = rng.uniform(0.5, 2.0, 400) if weighted else None
    result = by_working_sets(A, y, penalty, sample_weight=weight)
    dense = by_working_sets(A.toarray(), y, penalty, sample_weight=weight)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, dense.coef, rtol=0, atol=1e-6)


@every_penalty
def test_single_precision_stays_single_and_is_certified(wide, penalty):
    A, y = wide
    result = solve(A.astype(np.float32), y.astype(np.float32), penalty=penalty, solver="working_set")
    assert result.coef.dtype == np.float32
    assert result.status is Status.CONVERGED


def test_an_operator_that_needs_many_columns_goes_on_by_gradient_steps(monkeypatch):
    from sparsecode.solvers.coordinate import separable

    monkeypatch.setattr(separable, "_OPERATOR_COLUMNS", 3)
    steps, called = separable.accelerated_steps, []
    monkeypatch.setattr(separable, "accelerated_steps", lambda *args: called.append(1) or steps(*args))
    A, y, _ = planted(120, 90, 4, noise=0.2)
    result = by_working_sets(aslinearoperator(A), y, MCP(0.3), tol=1e-8)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, by_working_sets(A, y, MCP(0.3)).coef, rtol=0, atol=1e-5)
    assert called == [1]


def test_an_easy_problem_takes_few_rounds_and_a_good_start_none():
    A, y, _ = planted(60, 90, 4, noise=0.1)
    for penalty in (MCP(0.3), L0(0.05), L1Ridge(0.3, 0.7)):
        result = by_working_sets(A, y, penalty, tol=1e-6)
        assert 0 < result.n_iter <= 5
        assert by_working_sets(A, y, penalty, tol=1e-6, init=result.coef).n_iter == 0


# ---------------------------------------------------------------- the parts


def test_a_penalty_of_the_users_own_runs_in_the_same_kernel():
    from sparsecode.kernels.coordinate import gram_sweeps

    A, y, _ = planted(60, 90, 4, noise=0.3)
    by_working_sets(A, y, Tilted(0.2, 0.4))
    compiled = len(gram_sweeps.signatures)
    result = by_working_sets(A, y, Tilted(0.1, 0.4))
    assert len(gram_sweeps.signatures) == compiled  # parameters are arguments, not code
    assert result.status is Status.CONVERGED
    expected = fista(A, y, penalty=Tilted(0.1, 0.4), tol=1e-10)
    np.testing.assert_allclose(result.coef, expected.coef, rtol=0, atol=1e-6)


@every_penalty
def test_every_move_that_is_kept_lowers_the_objective(wide, penalty, monkeypatch):
    A, y = wide
    moves = []
    make = _Descent._moves

    def watched(self, where, step, look):
        before = self.columns.coef.copy()
        kept = make(self, where, step, look)
        after = self.columns.coef
        values = [objective(A[:, self.columns.members], y, penalty, coef) for coef in (before, after)]
        moves.append((kept, *values, np.array_equal(before, after)))
        return kept

    monkeypatch.setattr(_Descent, "_moves", watched)
    working_set = make_working_set(DenseDesign(A), None)
    working_set.grow(np.arange(0, 120, 2))
    problem = make_problem(A, y, None, penalty)
    working_set.begin(np.zeros(60), problem.at(np.zeros(120)))
    minimise_pieces(working_set, penalty, 1e-13)
    assert any(kept for kept, *_ in moves)
    for kept, before, after, same in moves:
        assert after <= before * (1 + 1e-12)
        assert kept or same


@every_penalty
def test_correlations_are_those_of_the_residual_after_all_moves(wide, penalty):
    A, y = wide
    members = np.arange(0, 120, 3)
    working_set = make_working_set(DenseDesign(A), None)
    working_set.grow(members)
    working_set.begin(np.zeros(40), make_problem(A, y, None, penalty).at(np.zeros(120)))
    worst = minimise_pieces(working_set, penalty, 1e-10)
    residual = y - A[:, members] @ working_set.coef
    np.testing.assert_allclose(working_set.correlations(), A[:, members].T @ residual / 50, rtol=0, atol=1e-10)
    bend = np.sum(A[:, members] ** 2, axis=0) / 50
    moved = penalty.prox(working_set.coef + A[:, members].T @ residual / 50 / bend, 1 / bend)
    assert np.max(bend * np.abs(moved - working_set.coef)) <= worst + 1e-10
    assert worst <= 1e-10


@pytest.mark.parametrize(
    "penalty", [MCP(0.01, 1e4), SCAD(0.01, 1e4), L1Ridge(0.01, 0.999), LogSum(0.01, 1.0)], ids=repr
)
def test_newton_steps_end_what_sweeps_alone_would_not(penalty, monkeypatch):
    rng = np.random.default_rng(0)
    base = rng.standard_normal((100, 1))
    A = base + 0.05 * rng.standard_normal((100, 40))  # correlation 0.9975
    y = A @ rng.standard_normal(40)
    problem = make_problem(A, y, None, penalty)

    def reached(newton):
        working_set = make_working_set(DenseDesign(A), None)
        working_set.grow(np.arange(40))
        working_set.begin(np.zeros(40), problem.at(np.zeros(40)))
        with monkeypatch.context() as patch:
            if not newton:
                patch.setattr(_Descent, "newton", lambda self, look: False)
            return minimise_pieces(working_set, penalty, 1e-11)

    assert reached(True) <= 1e-11
    assert reached(False) > 1e-11


def test_a_path_makes_one_product_a_round(monkeypatch):
    A, y, _ = planted(60, 90, 4, noise=0.3)
    calls = []
    rmatvec = DenseDesign.rmatvec
    monkeypatch.setattr(DenseDesign, "rmatvec", lambda self, r: calls.append(1) or rmatvec(self, r))
    path = regularization_path(A, y, penalty=MCP(1.0), n_alphas=10, eps=0.05, tol=1e-8)
    assert path.status is Status.CONVERGED
    rounds = sum(result.n_iter for result in path.results)
    assert len(calls) <= rounds + 3


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_scaling_the_target_scales_the_answer(wide, scale):
    A, y = wide
    one, other = by_working_sets(A, y, MCP(0.3)), by_working_sets(A, scale * y, MCP(0.3 * scale))
    np.testing.assert_allclose(other.coef / scale, one.coef, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(other.support, one.support)


@pytest.mark.parametrize("penalty", [MCP(0.0), L1Ridge(0.3, 0.0)], ids=repr)
def test_penalties_that_leave_all_coefficients_are_refused(wide, penalty):
    with pytest.raises(ValueError, match="working_set"):
        by_working_sets(*wide, penalty)


@pytest.mark.parametrize("shape", [(1, 1), (1, 80), (80, 1), (5, 80)])
def test_every_shape_ends_converged(shape):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    for penalty in NONCONVEX + CONVEX:
        result = by_working_sets(A, y, penalty, tol=1e-8)
        assert result.status is Status.CONVERGED, penalty
        assert np.all(np.isfinite(result.coef))
