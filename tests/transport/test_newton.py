"""Sinkhorn-Newton-Sparse against plain sweeps, finite differences, dense algebra and the linear program."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import Status
from sparsecode.transport import PointCost, _newton, sinkhorn_newton_sparse, solve
from sparsecode.transport._costs import ArrayCost
from sparsecode.transport._newton import Rows
from sparsecode.transport._problem import Problem
from tests.transport import naive

POLICIES = [
    {},
    {"globalization": "trust"},
    {"sparsify": "topk"},
    {"sparsify": 30, "globalization": "trust"},
]


def squares(n, seed=0):
    """Two samples of the unit square, equal masses, and their squared distances over the largest."""
    rng = np.random.default_rng(seed)
    X, Y = rng.random((n, 2)), rng.random((n, 2))
    cost = ((X[:, None] - Y) ** 2).sum(-1)
    return X, Y, cost / cost.max()


def after_a_sweep(reg=0.05, seed=0, n=9, m=7):
    """A problem, its rows at potentials that are far from the answer, and their state."""
    a, b, cost = naive.problem(n, m, seed)
    rng = np.random.default_rng(seed)
    rows = Rows(Problem(a, b, ArrayCost(cost), reg))
    state = rows.sweep(0.1 * rng.standard_normal(n), 0.1 * rng.standard_normal(m))
    return rows, state, (a, b, cost, reg)


def whole_hessian(kept, row_sums, column_sums, reg, shift=0.0):
    """``1/reg [[(1 + shift) diag(r), P], [P', (1 + shift) diag(c)]]``."""
    return (1 / reg) * np.block([[np.diag((1 + shift) * row_sums), kept], [kept.T, np.diag((1 + shift) * column_sums)]])


@pytest.mark.parametrize("options", POLICIES)
@pytest.mark.parametrize("reg", [1e-1, 1e-2, 1e-3])
def test_the_plan_is_that_of_plain_sweeps(reg, options):
    a, b, cost = naive.problem(15, 12)
    result = sinkhorn_newton_sparse(a, b, cost, reg, tol=1e-12, plan="dense", **options)
    plan = naive.plan(*naive.sinkhorn(a, b, cost, reg), cost, reg)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.plan, plan, atol=1e-11)


def test_a_sweep_gives_the_columns_their_masses_and_knows_the_dual_objective():
    _, state, (a, b, cost, reg) = after_a_sweep()
    plan = naive.plan(state.f, state.g, cost, reg)
    np.testing.assert_allclose(plan.sum(0), b, rtol=1e-13)
    np.testing.assert_allclose(state.row_sums, plan.sum(1), rtol=1e-13)
    assert state.error == pytest.approx(naive.marginal_error(plan, a, b), rel=1e-12)
    assert state.dual == pytest.approx(naive.dual(state.f, state.g, a, b, cost, reg), rel=1e-13)


def test_the_dual_objective_before_a_sweep_is_that_of_the_potentials_given():
    a, b, cost = naive.problem()
    rng = np.random.default_rng(0)
    f, g = 0.1 * rng.standard_normal(9), 0.1 * rng.standard_normal(7)
    state = Rows(Problem(a, b, ArrayCost(cost), 0.05)).sweep(f, g)
    assert state.dual_before == pytest.approx(naive.dual(f, g, a, b, cost, 0.05), rel=1e-13)
    assert state.dual > state.dual_before


def test_gradient_and_hessian_by_finite_differences():
    rows, state, (a, b, cost, reg) = after_a_sweep()
    point, n = np.concatenate([state.f, state.g]), a.size

    def objective(z):
        return -naive.dual(z[:n], z[n:], a, b, cost, reg)

    def gradient(z):
        plan = naive.plan(z[:n], z[n:], cost, reg)
        return np.concatenate([plan.sum(1) - a, plan.sum(0) - b])

    ours = np.concatenate([state.row_sums - a, np.zeros(b.size)])
    basis, h = np.eye(point.size), 1e-6
    differences = [(objective(point + h * e) - objective(point - h * e)) / (2 * h) for e in basis]
    np.testing.assert_allclose(ours, differences, atol=1e-8)
    hessian = np.array([(gradient(point + h * e) - gradient(point - h * e)) / (2 * h) for e in basis])
    system = rows.kept(1e-300)
    for z in np.random.default_rng(1).standard_normal((3, point.size)):
        assert system.curvature(z[:n], z[n:]) == pytest.approx(z @ hessian @ z, rel=1e-7)
    system.tol, system.cap = 1e-14, 1000
    np.testing.assert_allclose(hessian @ np.concatenate(system.direction(0.0)), -ours, atol=1e-8)


@pytest.mark.parametrize("dense", [0.0, 1.0])
@pytest.mark.parametrize("cut", [1e-4, 1e-2])
@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_directions_solve_the_sparse_system(monkeypatch, dense, cut, shift):
    """With ``_DENSE = 0`` the plan itself is multiplied and nothing is dropped."""
    monkeypatch.setattr(_newton, "_DENSE", dense)
    rows, state, (a, b, cost, reg) = after_a_sweep(n=23, m=17)
    plan = naive.plan(state.f, state.g, cost, reg)
    system = rows.kept(cut)
    kept = np.where(plan >= cut, plan, 0.0) if dense else plan
    assert (system.indices is None) == (dense == 0.0)
    if dense:
        assert 0 < system.values.size == np.count_nonzero(kept) < plan.size
        np.testing.assert_allclose(system.lost_rows, (plan - kept).sum(1), rtol=1e-12)
        np.testing.assert_allclose(system.lost_columns, (plan - kept).sum(0), rtol=1e-12)
    system.tol, system.cap = 1e-13, 1000
    direction = np.concatenate(system.direction(shift))
    hessian = whole_hessian(kept, plan.sum(1), plan.sum(0), reg, shift)
    wanted = np.concatenate([a - plan.sum(1), np.zeros(b.size)])
    np.testing.assert_allclose(hessian @ direction, wanted, atol=2e-6 * np.abs(wanted).max())


def test_the_whole_plan_is_there_again_after_trial_steps(monkeypatch):
    monkeypatch.setattr(_newton, "_DENSE", 0.0)
    rows, state, _ = after_a_sweep()
    system = rows.kept(1e-300)
    first = system.direction(0.1)
    rows.sweep(state.f + 0.1, state.g + np.linspace(0.0, 0.1, state.g.size))
    assert not np.allclose(system.direction(0.1)[0], first[0], rtol=1e-3)
    rows.restore(system)
    for again, before in zip(system.direction(0.1), first, strict=True):
        np.testing.assert_allclose(again, before, rtol=1e-9)


def test_multiplying_the_whole_plan_or_the_kept_entries_gives_one_answer(monkeypatch):
    a, b, cost = naive.problem(40, 30)
    plans = []
    for dense in (0.0, 2.0):
        monkeypatch.setattr(_newton, "_DENSE", dense)
        plans.append(sinkhorn_newton_sparse(a, b, cost, 1e-2, tol=1e-12, plan="dense").plan)
    np.testing.assert_allclose(*plans, atol=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("globalization", ["line_search", "trust"])
@pytest.mark.parametrize("power", [-530, 530])
def test_units_whose_squares_no_number_holds_change_no_step(power, globalization):
    a, b, cost = naive.problem(20, 15)
    options = {"globalization": globalization, "plan": "dense"}
    plain, scaled = (sinkhorn_newton_sparse(a, b, s * cost, s * 1e-2, **options) for s in (1.0, 2.0**power))
    assert scaled.n_iter == plain.n_iter
    np.testing.assert_allclose(scaled.plan, plain.plan, atol=1e-12)


@pytest.mark.parametrize("reg", [1e-3, 1e-4])
def test_without_entropy_in_the_limit(reg):
    a, b, cost = naive.problem(20, 15)
    value, _ = naive.linear_program(a, b, cost)
    entropy = min(-np.sum(p * np.log(p)) for p in (a, b))
    result = sinkhorn_newton_sparse(a, b, cost, reg)
    assert -1e-9 <= result.upper_bound - value <= reg * entropy
    assert result.lower_bound <= value + 1e-12
    if reg < 1e-3:
        assert result.upper_bound == pytest.approx(value, abs=1e-6)


def test_errors_and_gaps_shrink_with_the_tolerance():
    _, _, cost = squares(60)
    results = [sinkhorn_newton_sparse(None, None, cost, 1e-3, tol=tol) for tol in (1e-3, 1e-6, 1e-9, 1e-12)]
    for loose, tight in pairwise(results):
        assert tight.marginal_error <= tight.tol and tight.gap <= loose.gap
        assert tight.n_iter >= loose.n_iter


def test_masses_of_zero_take_no_part():
    a, b, cost = naive.problem(12, 10)
    a[[2, 5]], b[3] = 0.0, 0.0
    a, b = a / a.sum(), b / b.sum()
    rows, columns = a > 0, b > 0
    result = sinkhorn_newton_sparse(a, b, cost, 1e-2, tol=1e-12, plan="dense")
    inner = cost[np.ix_(rows, columns)]
    f, g = naive.sinkhorn(a[rows], b[columns], inner, 1e-2)
    np.testing.assert_allclose(result.plan[np.ix_(rows, columns)], naive.plan(f, g, inner, 1e-2), atol=1e-11)
    assert np.all(result.plan[~rows] == 0.0) and np.all(result.plan[:, ~columns] == 0.0)


def test_permuting_the_points_permutes_the_plan():
    a, b, cost = naive.problem(30, 20)
    rng = np.random.default_rng(0)
    p, q = rng.permutation(30), rng.permutation(20)
    plain = sinkhorn_newton_sparse(a, b, cost, 1e-3, tol=1e-12, plan="dense")
    moved = sinkhorn_newton_sparse(a[p], b[q], cost[np.ix_(p, q)], 1e-3, tol=1e-12, plan="dense")
    np.testing.assert_allclose(moved.plan, plain.plan[np.ix_(p, q)], atol=1e-11)


def test_the_optimum_needs_no_newton_step():
    a, b, cost = naive.problem(30, 20)
    first = sinkhorn_newton_sparse(a, b, cost, 1e-3, tol=1e-11)
    again = sinkhorn_newton_sparse(a, b, cost, 1e-3, tol=1e-9, initial=first)
    assert first.stages["newton"] > 0
    assert again.stages == {"sinkhorn": 1}


def test_a_good_start_skips_the_path():
    a, b, cost = naive.problem(30, 20)
    first = sinkhorn_newton_sparse(a, b, cost, 1e-3)
    moved = cost + 1e-5 * np.random.default_rng(0).random(cost.shape)
    again = sinkhorn_newton_sparse(a, b, moved, 1e-3, initial=first)
    assert set(again.history["reg"]) == {1e-3}
    assert len(set(first.history["reg"])) > 4
    assert again.n_iter < first.n_iter
    fresh = sinkhorn_newton_sparse(a, b, moved, 1e-3)
    assert again.dual_value == pytest.approx(fresh.dual_value, abs=1e-10)


@pytest.mark.parametrize("size", [1.0, 1e3])
def test_a_bad_start_is_repaired(size):
    """At a thousand times the cost every term of a row or a column is lost to the exponential at first."""
    a, b, cost = naive.problem(12, 10)
    rng = np.random.default_rng(0)
    start = size * rng.standard_normal(12), size * rng.standard_normal(10)
    result = sinkhorn_newton_sparse(a, b, cost, 1e-2, initial=start, plan="dense", tol=1e-11)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.plan, naive.plan(*naive.sinkhorn(a, b, cost, 1e-2), cost, 1e-2), atol=1e-10)


@pytest.mark.parametrize("sparsify", ["mass", 5])
def test_a_cost_that_is_never_stored_gives_the_same(monkeypatch, sparsify):
    X, Y, _ = squares(50)
    cost = PointCost(X, Y)
    stored = sinkhorn_newton_sparse(None, None, cost, 1e-2, sparsify=sparsify)
    monkeypatch.setattr(_newton, "fits_in_memory", lambda cost: False)
    streamed = sinkhorn_newton_sparse(None, None, cost, 1e-2, sparsify=sparsify)
    np.testing.assert_allclose(streamed.f, stored.f, atol=1e-9)
    assert streamed.stages == stored.stages


def test_threads_change_no_bit():
    _, _, cost = squares(400)
    one, two = (sinkhorn_newton_sparse(None, None, cost, 1e-2, n_jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.f, two.f)
    np.testing.assert_array_equal(one.plan.data, two.plan.data)


@pytest.mark.parametrize("sparsify, kept", [("topk", 3 * 30), (5, 5 * 30)])
def test_so_many_of_the_largest_entries_are_kept_as_are_asked_for(sparsify, kept, monkeypatch):
    monkeypatch.setattr(_newton, "_DENSE", 2.0)
    a, b, cost = naive.problem(30, 20)
    assert set(sinkhorn_newton_sparse(a, b, cost, 1e-2, sparsify=sparsify).history["newton_kept"]) == {kept}
    monkeypatch.setattr("sparsecode.transport._problem.blocks_of", lambda cost: 7)
    rows, state, (_, _, cost, reg) = after_a_sweep(n=30, m=20)
    largest = np.sort(naive.plan(state.f, state.g, cost, reg), axis=None)[::-1]
    assert rows.largest(kept) == pytest.approx(largest[kept - 1], rel=1e-12)


@pytest.mark.parametrize("reg", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_tens_of_steps_are_enough_down_to_a_millionth_of_the_cost(reg):
    _, _, cost = squares(100)
    result = sinkhorn_newton_sparse(None, None, cost, reg, tol=1e-8)
    assert result.status is Status.CONVERGED
    assert result.stages["newton"] <= 60


def test_linear_systems_are_solved_better_where_steps_gain_little():
    """Half as many steps as with systems of one quality."""
    result = sinkhorn_newton_sparse(None, None, squares(300)[2], 3e-5, tol=1e-8)
    assert result.stages["newton"] <= 30


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_best_of_what_was_seen_is_returned():
    for seed in range(
        8
    ):  # a step that is worse than the one before is made of rounding: about every other problem has one
        _, _, cost = squares(300, seed)
        history = sinkhorn_newton_sparse(None, None, cost, 1e-5, tol=1e-10).history
        errors, regs = np.array(history["marginal_error"]), np.array(history["reg"])
        worse = 1 + np.flatnonzero((errors[1:] > 1.1 * errors[:-1]) & (regs[1:] == 1e-5) & (regs[:-1] == 1e-5))
        if worse.size:
            break
    assert worse.size > 0
    last = int(worse[0])
    result = sinkhorn_newton_sparse(None, None, cost, 1e-5, tol=1e-10, max_iter=last + 1)
    assert result.history["marginal_error"] == list(errors[: last + 1])
    seen = errors[: last + 1][regs[: last + 1] == 1e-5]
    assert result.marginal_error == pytest.approx(seen.min(), rel=1e-6)
    assert seen.min() < 0.99 * seen[-1]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_potentials_of_an_unfinished_path_are_those_of_the_regularisation_asked_for():
    """After a sweep at it, so that the columns have their masses."""
    a, b, cost = naive.problem(30, 20)
    result = sinkhorn_newton_sparse(a, b, cost, 1e-3, max_iter=3, plan="dense")
    assert min(result.history["reg"]) > 1e-3
    np.testing.assert_allclose(result.plan.sum(0), b, rtol=1e-12)
    assert result.marginal_error > 1e-6


def test_city_block_costs_on_a_grid():
    """Many optimal plans without entropy: the hard case of the literature."""
    rng = np.random.default_rng(0)
    points = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), -1).reshape(-1, 2)
    cost = np.abs(points[:, None] - points).sum(-1) / 14
    a, b = rng.random(64) ** 4, rng.random(64) ** 4
    result = sinkhorn_newton_sparse(a / a.sum(), b / b.sum(), cost, 1 / 1200)
    assert result.status is Status.CONVERGED and result.stages["newton"] <= 80
    value, _ = naive.linear_program(a / a.sum(), b / b.sum(), cost)
    assert result.lower_bound - 1e-12 <= value <= result.upper_bound + 1e-12
    assert result.upper_bound - result.lower_bound < 1e-2 * value


def test_the_history_tells_what_each_newton_step_did():
    _, _, cost = squares(60)
    result = sinkhorn_newton_sparse(None, None, cost, 1e-3)
    history, count = result.history, result.stages["newton"]
    assert history["stage"].count("newton") == count
    assert all(len(history[f"newton_{name}"]) == count for name in ("length", "shift", "kept", "cg"))
    assert set(history["newton_length"]) <= {2.0**-k for k in range(9)}
    assert all(0 < kept <= cost.size for kept in history["newton_kept"])
    assert all(cg > 0 for cg in history["newton_cg"]) and all(shift > 0 for shift in history["newton_shift"])
    assert history["marginal_error"][-1] == pytest.approx(result.marginal_error, abs=1e-14)


@pytest.mark.parametrize("max_iter", [1, 3, 12])
def test_few_iterations_end_with_a_warning_and_certified_potentials(max_iter):
    a, b, cost = naive.problem(30, 20)
    with pytest.warns(ConvergenceWarning, match="marginal error"):
        result = sinkhorn_newton_sparse(a, b, cost, 1e-4, max_iter=max_iter)
    assert result.status is Status.MAX_ITER
    assert np.isfinite(result.gap) and np.all(np.isfinite(result.f))
    assert result.n_iter <= max_iter + 1
    optimum = solve(a, b, cost, 1e-4, solver="newton").dual_value
    assert result.dual_value <= optimum + 1e-9 and optimum <= result.value + 1e-9


def test_the_callback_stops_the_path():
    a, b, cost = naive.problem(30, 20)
    seen = []

    def watch(progress):
        seen.append(progress.stage)
        return len(seen) == 8

    result = sinkhorn_newton_sparse(a, b, cost, 1e-4, callback=watch)
    assert len(seen) == 8 and result.status is Status.INTERRUPTED


@pytest.mark.parametrize(
    "options, message",
    [
        ({"sparsify": "most"}, "sparsify must be 'mass', 'topk' or a number"),
        ({"sparsify": 0}, "sparsify must be an integer of at least 1"),
        ({"globalization": "none"}, "globalization must be one of 'line_search', 'trust'"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        sinkhorn_newton_sparse(None, None, np.zeros((2, 2)), 0.1, **options)


def test_exact_transport_of_a_peer():
    ot = pytest.importorskip("ot")
    _, _, cost = squares(80)
    result = sinkhorn_newton_sparse(None, None, cost, 1e-5)
    masses = np.full(80, 1 / 80)
    assert result.upper_bound == pytest.approx(ot.emd2(masses, masses, cost), rel=1e-3)
