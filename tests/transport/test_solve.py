"""Plans, values and certificates of `transport.solve` against slow and independent ways to them."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import Status
from sparsecode.transport import (
    TransportResult,
    solve,
)
from tests.transport import naive


@pytest.mark.parametrize("reg", [1.0, 1e-1, 1e-2, 1e-3])
def test_the_plan_is_that_of_plain_sweeps(reg):
    a, b, cost = naive.problem()
    result = solve(a, b, cost, reg, tol=1e-12)
    plan = naive.plan(*naive.sinkhorn(a, b, cost, reg), cost, reg)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.plan.toarray(), plan, atol=1e-11)


@pytest.mark.parametrize("reg", [1.0, 5e-2])
def test_the_least_value_is_that_of_an_interior_point_method(reg):
    cvxpy = pytest.importorskip("cvxpy")
    a, b, cost = naive.problem(6, 5)
    plan = cvxpy.Variable(cost.shape, nonneg=True)
    value = cvxpy.sum(cvxpy.multiply(cost, plan)) - reg * (cvxpy.sum(cvxpy.entr(plan)) + cvxpy.sum(plan))
    marginals = [cvxpy.sum(plan, axis=1) == a, cvxpy.sum(plan, axis=0) == b]
    least = cvxpy.Problem(cvxpy.Minimize(value), marginals).solve(solver="CLARABEL")
    result = solve(a, b, cost, reg)
    assert result.dual_value == pytest.approx(least, abs=1e-7)
    assert result.value == pytest.approx(least, abs=1e-7)
    np.testing.assert_allclose(result.plan.toarray(), plan.value, atol=1e-5)


@pytest.mark.parametrize("max_iter", [1, 2, 4, 100])
@pytest.mark.parametrize("reg", [1e-1, 1e-2])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_certificates_are_the_plain_differences_at_every_quality(max_iter, reg):
    a, b, cost = naive.problem()
    result = solve(a, b, cost, reg, max_iter=max_iter, plan="dense")
    potentials = (result.f, result.g)
    value, _ = naive.linear_program(a, b, cost)
    optimum = naive.dual(*naive.sinkhorn(a, b, cost, reg), a, b, cost, reg)
    assert result.marginal_error == pytest.approx(naive.marginal_error(result.plan, a, b), rel=1e-6, abs=1e-14)
    assert result.dual_value == pytest.approx(naive.dual(*potentials, a, b, cost, reg), abs=1e-14)
    assert result.gap == pytest.approx(naive.gap(*potentials, a, b, cost, reg), rel=1e-6, abs=2e-15)
    assert result.value == pytest.approx(naive.primal(naive.rounded(result.plan, a, b), cost, reg), abs=1e-14)
    assert result.dual_value - 1e-14 <= optimum <= result.value + 1e-14
    assert result.lower_bound - 1e-14 <= value <= result.upper_bound + 1e-14
    assert result.upper_bound == pytest.approx(np.sum(naive.rounded(result.plan, a, b) * cost), abs=1e-14)


def test_the_gap_is_exact_where_rounding_fills_up_much():
    """Potentials whose kernel is far from the marginals, some of its entries zero: every form of the logarithm occurs."""
    from sparsecode.transport._certificate import certify
    from sparsecode.transport._costs import ArrayCost
    from sparsecode.transport._problem import Problem

    a, b, cost = naive.problem(30, 25, seed=3)
    rng = np.random.default_rng(1)
    for reg, spread in ((1e-1, 0.5), (1e-2, 0.1), (1e-3, 0.1)):
        f, g = spread * rng.standard_normal(30) - spread, spread * rng.standard_normal(25) - spread
        K = naive.plan(f, g, cost, reg)
        P = naive.rounded(K, a, b)
        log_K = (f[:, None] + g - cost) / reg
        divergence = np.sum(np.where(P > 0, P * (np.log(np.where(P > 0, P, 1.0)) - log_K), 0.0) - P + K)
        proof = certify(Problem(a, b, ArrayCost(cost), reg), f, g)
        assert proof.gap == pytest.approx(reg * divergence, rel=1e-10)
        assert proof.marginal_error == pytest.approx(naive.marginal_error(K, a, b), rel=1e-12)
        assert proof.upper_bound == pytest.approx(np.sum(P * cost), rel=1e-12)
        hard_g = np.min(cost - f[:, None], axis=0)
        assert proof.lower_bound == pytest.approx(b @ hard_g + a @ np.min(cost - hard_g, axis=1), rel=1e-12)


def test_the_gap_near_the_answer_has_digits_that_a_difference_of_objectives_has_not():
    from sparsecode.transport._certificate import certify
    from sparsecode.transport._costs import ArrayCost
    from sparsecode.transport._problem import Problem

    a, b, cost = naive.problem()
    f, g = naive.sinkhorn(a, b, cost, 0.1)
    g = g + 1e-9 * np.random.default_rng(0).standard_normal(7)
    long = [values.astype(np.longdouble) for values in (f, g, cost)]
    K = naive.plan(*long, np.longdouble(0.1))
    P = naive.rounded(K, a.astype(np.longdouble), b.astype(np.longdouble))
    truth = 0.1 * np.sum(P * np.log(P / K) - P + K)
    assert certify(Problem(a, b, ArrayCost(cost), 0.1), f, g).gap == pytest.approx(float(truth), rel=0.0, abs=1e-17)
    assert truth < 1e-17


def test_without_entropy_in_the_limit():
    a, b, cost = naive.problem()
    value, plan = naive.linear_program(a, b, cost)
    entropy = min(-np.sum(p * np.log(p)) for p in (a, b))
    excess = []
    for reg in (1e-1, 1e-2, 1e-3):
        result = solve(a, b, cost, reg)
        excess.append(result.upper_bound - value)
        assert -1e-12 <= excess[-1] <= reg * entropy + 1e-9
    assert excess[0] > excess[1] > excess[2]
    assert excess[2] < 1e-4


def test_adding_potentials_to_the_cost_changes_no_plan():
    a, b, cost = naive.problem()
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal(9), rng.standard_normal(7)
    plain, moved = (solve(a, b, c, 0.05, tol=1e-12, plan="dense") for c in (cost, cost + u[:, None] + v))
    np.testing.assert_allclose(moved.plan, plain.plan, atol=1e-11)
    assert moved.upper_bound == pytest.approx(plain.upper_bound + a @ u + b @ v, abs=1e-10)


@pytest.mark.parametrize("scale", [1e-100, 1e3, 1e100])
def test_scaling_cost_and_strength_together_changes_no_plan(scale):
    a, b, cost = naive.problem()
    plain, scaled = (solve(a, b, s * cost, s * 0.01, plan="dense") for s in (1.0, scale))
    np.testing.assert_allclose(scaled.plan, plain.plan, atol=1e-12)
    assert scaled.n_iter == plain.n_iter


def test_total_mass_scales_plan_and_values():
    a, b, cost = naive.problem()
    result = solve(5 * a, 5 * b, cost, 0.05, tol=1e-12, plan="dense")
    plain = solve(a, b, cost, 0.05, tol=1e-12, plan="dense")
    np.testing.assert_allclose(result.plan, 5 * plain.plan, atol=1e-11)
    np.testing.assert_allclose(result.plan, naive.plan(result.f, result.g, cost, 0.05), rtol=1e-12)
    assert result.value == pytest.approx(naive.primal(result.plan, cost, 0.05), abs=1e-10)
    assert result.dual_value == pytest.approx(naive.dual(result.f, result.g, 5 * a, 5 * b, cost, 0.05), abs=1e-12)
    assert (result.lower_bound, result.upper_bound) == pytest.approx((5 * plain.lower_bound, 5 * plain.upper_bound))


def test_a_constant_cost_leaves_the_product_of_the_masses():
    a, b, cost = naive.problem()
    np.testing.assert_allclose(solve(a, b, 0 * cost, 0.1, plan="dense").plan, np.outer(a, b), atol=1e-15)


def test_potentials_have_equal_means():
    a, b, cost = naive.problem()
    result = solve(3 * a, 3 * b, cost, 0.05)
    assert a @ result.f == pytest.approx(b @ result.g, abs=1e-14)


def test_zero_masses_take_no_part():
    a, b, cost = naive.problem()
    a[[2, 5]], b[3] = 0.0, 0.0
    a, b = a / a.sum(), b / b.sum()
    rows, columns = a > 0, b > 0
    result = solve(a, b, cost, 0.05, tol=1e-12)
    plan = result.plan.toarray()
    inner = solve(a[rows], b[columns], cost[np.ix_(rows, columns)], 0.05, tol=1e-12)
    np.testing.assert_allclose(plan[np.ix_(rows, columns)], inner.plan.toarray(), atol=1e-11)
    assert np.all(plan[~rows] == 0) and np.all(plan[:, ~columns] == 0)
    assert np.all(np.isneginf(result.f) == ~rows) and np.all(np.isneginf(result.g) == ~columns)
    assert result.lower_bound <= naive.linear_program(a[rows], b[columns], cost[np.ix_(rows, columns)])[0] + 1e-12


def test_masses_of_very_different_size():
    a, b, cost = naive.problem()
    a[0], b[1] = 1e-30, 1e-200
    result = solve(a / a.sum(), b / b.sum(), cost, 0.01, plan="dense")
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.plan.sum(1), a / a.sum(), rtol=1e-6, atol=1e-10)


def test_a_start_at_the_answer_stays_there():
    a, b, cost = naive.problem()
    first = solve(a, b, cost, 0.01)
    again = solve(a, b, cost, 0.01, initial=first)
    pair = solve(2 * a, 2 * b, cost, 0.01, initial=solve(2 * a, 2 * b, cost, 0.01))
    assert first.n_iter > 5
    assert again.n_iter == pair.n_iter == 1
    assert again.status is Status.CONVERGED


def test_history_counts_every_iteration_of_every_stage():
    a, b, cost = naive.problem()
    seen = []
    result = solve(a, b, cost, 0.01, callback=seen.append)
    names = ("stage", "reg", "marginal_error", "seconds")
    assert [len(result.history[name]) for name in names] == [result.n_iter] * 4
    assert sum(result.stages.values()) == result.n_iter == len(seen)
    assert result.history["marginal_error"] == [progress.marginal_error for progress in seen]
    assert result.history["marginal_error"][-1] <= result.tol


def test_a_callback_stops_and_the_best_state_is_returned():
    a, b, cost = naive.problem()
    result = solve(a, b, cost, 1e-3, callback=lambda progress: progress.n_iter == 7)
    assert result.status is Status.INTERRUPTED and result.n_iter == 7
    assert 0.0 < result.marginal_error <= min(result.history["marginal_error"])


def test_too_few_iterations_warn_with_the_remedy():
    a, b, cost = naive.problem()
    with pytest.warns(ConvergenceWarning, match=r"marginal error .* raise max_iter"):
        result = solve(a, b, cost, 1e-3, max_iter=3)
    assert result.status is Status.MAX_ITER and isinstance(result, TransportResult)


def test_a_tolerance_below_rounding_is_clipped():
    a, b, cost = naive.problem()
    with pytest.warns(RuntimeWarning, match="below what float64 reaches"):
        result = solve(a, b, cost, 1e-2, tol=1e-15)
    assert 1e-15 < result.tol < 1e-12 and result.status is Status.CONVERGED


@pytest.mark.parametrize("solver", ["auto", "sinkhorn", "newton"])
@pytest.mark.parametrize("constant", [1e6, -1e9])
def test_a_start_in_another_gauge_ends_as_well(solver, constant):
    a, b, cost = naive.problem()
    first = solve(a, b, cost, 1e-2, solver=solver)
    again = solve(a, b, cost, 1e-2, solver=solver, initial=(first.f + constant, first.g - constant))
    assert again.status is Status.CONVERGED
    assert again.dual_value == pytest.approx(first.dual_value, abs=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("solver", ["auto", "sinkhorn", "newton"])
def test_a_start_beyond_all_numbers_is_none(solver):
    a, b, cost = naive.problem()
    rng = np.random.default_rng(0)
    start = 1e300 * rng.standard_normal(9), 1e305 * rng.standard_normal(7)
    result = solve(a, b, cost, 1e-2, solver=solver, initial=start)
    value, _ = naive.linear_program(a, b, cost)
    assert result.status is Status.CONVERGED
    assert result.lower_bound <= value + 1e-12 and value <= result.upper_bound + 1e-12


@pytest.mark.parametrize("tol", [1e-15, 1e-16])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_sums_have_a_floor_of_their_own(tol, scale):
    """However small the costs are beside reg."""
    rng = np.random.default_rng(0)
    a, b = rng.random(300), rng.random(300)
    with pytest.warns(RuntimeWarning, match="below what float64 reaches"):
        result = solve(a / a.sum(), b / b.sum(), scale * rng.random((300, 300)), 1.0, tol=tol)
    assert result.tol < 3e-15 and result.n_iter < 100
    assert result.status is Status.CONVERGED


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::sklearn.exceptions.ConvergenceWarning")
def test_more_iterations_are_not_advised_where_rounding_is_the_limit():
    a, b, cost = naive.problem(30, 25)
    for solver in ("auto", "sinkhorn", "newton"):
        result = solve(a, b, cost + 1e8, 1e-2, solver=solver)
        assert result.n_iter < 10_000
        assert result.status in (Status.CONVERGED, Status.STALLED)
        assert "max_iter" not in result.reason


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("max_iter, status", [(1, Status.MAX_ITER), (2, Status.STALLED)])
def test_a_proof_that_fails_before_the_limit_is_no_matter_of_iterations(max_iter, status):
    """A method that takes wrong potentials for right ones, after one iteration."""
    from sparsecode.transport._problem import Outcome
    from sparsecode.transport._solve import solved

    def mistaken(problem, f, g, *, record, **_):
        record("sinkhorn", problem.reg, 0.0)
        return Outcome(f, g, 0.0)

    options = {"tol": 1e-9, "max_iter": max_iter, "initial": None, "plan": "csr", "n_jobs": None, "callback": None}
    result = solved(*naive.problem(), 1e-2, mistaken, **options)
    assert result.marginal_error > 0.1 and result.status is status
    assert ("max_iter" in result.reason) == (status is Status.MAX_ITER)


def forbidding(huge=1e9):
    """A row that all targets but the one of most mass, which can take it in, charge very much."""
    a, b, cost = naive.problem(30, 25)
    free = int(np.argmax(b))
    cost[0, np.arange(25) != free] = huge
    a[0] = 0.2 * b[free]
    return a / a.sum(), b, cost


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("solver", ["auto", "sinkhorn", "newton"])
def test_costs_that_forbid_pairs_take_no_digits_from_the_others(solver):
    a, b, cost = forbidding()
    result = solve(a, b, cost, 1e-2, solver=solver, tol=1e-11)
    assert result.status is Status.CONVERGED and result.tol == 1e-11
    plan = naive.plan(*naive.sinkhorn(a, b, cost, 1e-2), cost, 1e-2)
    np.testing.assert_allclose(result.plan.toarray(), plan, atol=1e-10)
    assert result.gap < 0.1 * result.dual_value


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::RuntimeWarning")
def test_a_second_run_that_fails_leaves_the_first(monkeypatch):
    """The one to a tolerance that the largest cost does not allow, and Newton's steps after sweeps."""
    from sparsecode.transport import _solve
    from sparsecode.transport._problem import Outcome

    a, b, cost = forbidding()
    runs = []

    def method(problem, f, g, *, record, **options):
        runs.append(options["tol"])
        record("sinkhorn", problem.reg, 1.0)
        return (
            _solve.by_sweeps(problem, f, g, record=record, **options) if len(runs) == 1 else Outcome(0 * f, 0 * g, 1.0)
        )

    options = {"tol": 1e-11, "max_iter": 1000, "initial": None, "plan": "csr", "n_jobs": None, "callback": None}
    result = _solve.solved(a, b, cost, 1e-2, method, **options)
    assert len(runs) == 2 and runs[1] < 0.1 * runs[0]
    assert result.marginal_error <= runs[0]

    monkeypatch.setattr(_solve, "_promising", lambda tol, errors: len(errors) < 15)
    monkeypatch.setattr(_solve, "by_newton", lambda problem, f, g, **_: Outcome(0 * f, 0 * g, 1.0, interrupted=True))
    result = solve(*naive.problem(), 1e-3)
    assert result.status is Status.INTERRUPTED
    assert result.marginal_error <= min(result.history["marginal_error"])


def test_a_gap_above_the_value_is_spoken_of():
    a, b, cost = forbidding(1e7)
    with pytest.warns(RuntimeWarning, match="the gap of .* is above the value"):
        result = solve(a, b, cost, 1e-2, tol=1e-3)
    assert result.gap > 10 * result.dual_value


@pytest.mark.parametrize("huge", [1e9, 1e16])
def test_costs_of_places_without_mass_count_nothing(huge):
    a, b, cost = naive.problem()
    cost[0], a[0] = huge, 0.0
    a = a / a.sum()
    result, inner = solve(a, b, cost, 1e-2), solve(a[1:], b, cost[1:], 1e-2)
    assert result.tol == inner.tol == 1e-9
    np.testing.assert_array_equal(result.f[1:], inner.f)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("solver", ["auto", "sinkhorn"])
def test_masses_near_the_end_of_the_numbers_raise_no_warning(solver):
    _, b, cost = naive.problem(30, 25)
    a = np.r_[1e-300, np.full(29, 1 / 29)]
    assert solve(a, b, cost, 1e-2, solver=solver).status is Status.CONVERGED


@pytest.mark.parametrize(
    "change, message",
    [
        ({"a": [-0.1, 1.1]}, r"a\[0\] is -0.1"),
        ({"a": [np.nan, 1.0]}, r"a\[0\] is nan"),
        ({"a": [0.5, 0.6]}, r"a sums to 1.1, b to 1"),
        ({"a": [0.0, 0.0]}, "a is zero everywhere"),
        ({"a": [1e-200, 1e-200], "b": [1e-200, 1e-200]}, "masses sum to 2e-200"),
        ({"b": [0.5, 0.25, 0.25]}, r"b has shape \(3,\)"),
        ({"b": []}, r"shape \(2,\), or None for equal ones"),
        ({"b": [[0.5], [0.5]]}, r"b has shape \(2, 1\); .* pass b.ravel\(\)"),
        ({"a": ["x", "y"]}, "a has dtype"),
        ({"cost": [[0.0, np.nan], [1.0, 0.0]]}, "cost contains NaN"),
        ({"cost": [0.0, 1.0]}, "cost has shape"),
        ({"cost": [[0.0, 1j], [1.0, 0.0]]}, "cost has dtype complex128"),
        ({"reg": 0.0}, "reg must be greater than 0"),
        ({"reg": -1.0}, "reg must be greater than 0"),
        ({"reg": 1e-17}, "leaves the plan no digits"),
        ({"tol": 0.0}, "tol must be greater than 0"),
        ({"solver": "magic"}, "solver must be one of"),
        ({"plan": "sparse"}, "plan must be one of"),
        ({"max_iter": 0}, "max_iter must be an integer"),
        ({"initial": (np.zeros(3), np.zeros(2))}, r"initial f has shape \(3,\)"),
        ({"initial": (np.full(2, np.nan), np.zeros(2))}, "initial f contains NaN"),
        ({"initial": 3}, "initial must be"),
    ],
)
def test_bad_input_is_named(change, message):
    options = {"a": [0.5, 0.5], "b": [0.5, 0.5], "cost": [[0.0, 1.0], [1.0, 0.0]], "reg": 0.1, **change}
    with pytest.raises(ValueError, match=message):
        solve(options.pop("a"), options.pop("b"), options.pop("cost"), options.pop("reg"), **options)
