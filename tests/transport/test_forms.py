"""The forms in which costs, masses and plans come and go, and the blocks of rows that they are worked on in."""

import numpy as np
import pytest
from scipy.sparse import issparse

from sparsecode import Status
from sparsecode.transport import (
    LazyPlan,
    PointCost,
    class_transport,
    elastic_cost,
    inverse_transport,
    solve,
    to_pot,
)
from sparsecode.transport._plan import as_dense
from tests._backends import FOREIGN, get, namespace, put
from tests.transport import naive


def test_forms_of_the_plan_agree():
    a, b, cost = naive.problem(40, 30)
    dense, rows, lazy = (solve(a, b, cost, 5e-3, plan=form) for form in ("dense", "csr", "lazy"))
    assert issparse(rows.plan) and isinstance(lazy.plan, LazyPlan)
    np.testing.assert_allclose(lazy.plan.toarray(), dense.plan, rtol=1e-12, atol=1e-300)
    left_out = dense.plan - rows.plan.toarray()
    assert rows.plan.nnz < dense.plan.size
    assert left_out.min() >= -1e-17 and left_out.sum() <= 1e-11 + 1e-14
    rng = np.random.default_rng(0)
    right, left = rng.standard_normal((30, 2)), rng.standard_normal(40)
    np.testing.assert_allclose(lazy.plan @ right, dense.plan @ right, atol=1e-14)
    np.testing.assert_allclose(lazy.plan.T @ left, dense.plan.T @ left, atol=1e-14)
    np.testing.assert_allclose(lazy.plan.rows(slice(3, 5)), dense.plan[3:5], rtol=1e-12, atol=1e-300)


def in_blocks(monkeypatch, rows=4):
    """Blocks of a few rows, the last of them shorter."""
    for room in ("_problem", "_costs"):
        monkeypatch.setattr(f"sparsecode.transport.{room}.blocks_of", lambda cost: rows)


@pytest.mark.parametrize("solver", ["auto", "sinkhorn", "newton"])
def test_the_answer_does_not_depend_on_threads(solver, monkeypatch):
    in_blocks(monkeypatch, 40)
    a, b, cost = naive.problem(210, 100)
    one, two = (solve(a, b, cost, 5e-3, n_jobs=n, plan="feasible", solver=solver) for n in (1, 2))
    assert np.array_equal(one.plan, two.plan) and one.gap == two.gap and one.n_iter == two.n_iter
    assert one.lower_bound == two.lower_bound and one.upper_bound == two.upper_bound


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("solver", ["auto", "sinkhorn", "newton"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_blocks_of_rows_change_nothing(solver, lazy, monkeypatch):
    """Neither what is solved nor what is proved of it, near the answer and far from it."""
    rng = np.random.default_rng(0)
    X, Y = rng.random((30, 2)), rng.random((25, 2))
    a, b, _ = naive.problem(30, 25)
    cost = PointCost(X, Y) if lazy else PointCost(X, Y).rows(slice(None))
    for max_iter in (2, 1000):
        options = {"solver": solver, "max_iter": max_iter, "tol": 1e-11}
        whole = {form: solve(a, b, cost, 1e-2, plan=form, **options) for form in ("csr", "dense", "lazy")}
        with monkeypatch.context() as patch:
            in_blocks(patch)
            cut = {form: solve(a, b, cost, 1e-2, plan=form, **options) for form in whole}
        for form, one in whole.items():
            np.testing.assert_allclose(as_dense(cut[form].plan), as_dense(one.plan), atol=1e-10)
            for name in ("value", "dual_value", "gap", "upper_bound", "lower_bound", "marginal_error"):
                assert getattr(cut[form], name) == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-10), name
        left = rng.standard_normal((30, 2))
        np.testing.assert_allclose(cut["lazy"].plan.T @ left, cut["dense"].plan.T @ left, atol=1e-12)
        np.testing.assert_allclose(
            cut["lazy"].plan @ (cut["dense"].plan.T @ left),
            cut["dense"].plan @ (cut["dense"].plan.T @ left),
            atol=1e-12,
        )


@pytest.mark.parametrize("solver", ["sinkhorn", "newton"])
def test_kernels_are_compiled_once_for_costs_that_may_not_be_written_to(solver):
    from sparsecode.kernels import transport_certificate, transport_newton, transport_sweeps

    kernels = (transport_sweeps.sweep_rows, transport_newton.scaled_rows, transport_certificate.shrunk_sums)
    a, b, cost = naive.problem(30, 20)
    frozen = [values.copy() for values in (a, b, cost)]
    for values in frozen:
        values.flags.writeable = False
    one = solve(a, b, cost, 0.05, solver=solver)
    compiled = [len(kernel.signatures) for kernel in kernels]
    np.testing.assert_array_equal(solve(*frozen, 0.05, solver=solver).f, one.f)
    assert [len(kernel.signatures) for kernel in kernels] == compiled
    assert cost.flags.writeable


def test_single_precision_costs_are_solved_in_double():
    a, b, cost = naive.problem()
    single = cost.astype(np.float32)
    result = solve(a.astype(np.float32), None, single, 0.01)
    assert result.f.dtype == np.float64 and result.status is Status.CONVERGED


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
def test_compressed_rows_leave_no_mass_out_however_small(tol):
    _, _, cost = naive.problem(20, 20)
    a, b = np.r_[1e-13, np.ones(19)], np.ones(20)
    b[4] = 1e-10
    a, b = a / a.sum(), b / b.sum()
    rows, dense = (solve(a, b, cost, 1e-2, tol=tol, plan=form) for form in ("csr", "dense"))
    np.testing.assert_allclose(rows.plan.sum(axis=1), dense.plan.sum(1), rtol=0.01 * tol)
    np.testing.assert_allclose(rows.plan.sum(axis=0), dense.plan.sum(0), rtol=0.01 * tol)
    assert rows.plan.nnz < dense.plan.size
    assert naive.marginal_error(rows.plan.toarray(), a, b) <= rows.marginal_error + 0.02 * tol


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("max_iter", [2, 1000])
def test_a_feasible_plan_has_the_masses_and_the_certified_objective(max_iter):
    a, b, cost = naive.problem(12, 10)
    a[[2, 5]], b[3] = 0.0, 0.0
    a, b = 3 * a / a.sum(), 3 * b / b.sum()
    result = solve(a, b, cost, 1e-2, max_iter=max_iter, plan="feasible")
    np.testing.assert_allclose(result.plan.sum(1), a, atol=1e-14)
    np.testing.assert_allclose(result.plan.sum(0), b, atol=1e-14)
    assert result.plan.min() >= 0.0
    assert np.sum(result.plan * cost) == pytest.approx(result.upper_bound, abs=1e-13)
    assert naive.primal(result.plan, cost, 1e-2) == pytest.approx(result.value, abs=1e-13)


@pytest.mark.parametrize("name", FOREIGN)
def test_answers_are_in_the_namespace_of_the_arrays(name):
    a, b, cost = naive.problem()
    given = [put(values, name) for values in (a, b, cost)]
    for form in ("dense", "feasible", "csr", "lazy"):
        theirs, ours = solve(*given, 0.05, plan=form), solve(a, b, cost, 0.05, plan=form)
        for made, truth in ((theirs.f, ours.f), (theirs.g, ours.g)):
            assert type(made) is type(given[2])
            np.testing.assert_array_equal(get(made), truth)
        assert type(theirs.plan) is (type(given[2]) if form in ("dense", "feasible") else type(ours.plan))
        np.testing.assert_array_equal(as_dense(theirs.plan), as_dense(ours.plan))
        np.testing.assert_array_equal(to_pot(theirs)[1]["u"], to_pot(ours)[1]["u"])
    assert solve(*given, 0.05, initial=theirs).n_iter == solve(*given, 0.05, initial=(theirs.f, theirs.g)).n_iter == 1
    points = PointCost(np.zeros((9, 1)), np.ones((7, 1)))
    assert type(solve(*given[:2], points, 0.05).f) is type(given[2])
    assert type(solve(a.tolist(), None, given[2], 0.05).f) is type(given[2])
    assert type(class_transport(given[2], a=given[0], b=given[1]).coef) is type(given[2])
    X, Y = (np.random.default_rng(0).random((k, 2)) for k in (9, 7))
    made = elastic_cost(put(X, name), put(Y, name))
    np.testing.assert_array_equal(get(made), elastic_cost(X, Y))
    assert type(solve(*given[:2], made, namespace(name).max(made)).f) is type(given[2])
    coupling, costs = solve(a, b, cost, 0.5, plan="feasible").plan, np.stack([cost, cost**2])
    theirs = inverse_transport(put(coupling, name), put(costs, name), 1e-3, init=put(np.ones(2), name)).coef
    assert type(theirs) is type(given[2])
    ours = inverse_transport(coupling, costs, 1e-3, init=np.ones(2)).coef
    assert ours.max() > 0.5
    np.testing.assert_array_equal(get(theirs), ours)


@pytest.mark.parametrize("name", FOREIGN)
def test_arrays_of_two_namespaces_are_refused(name):
    a, b, cost = naive.problem()
    words = f"cost in {name}, a in numpy"
    with pytest.raises(ValueError, match=words):
        solve(a, b, put(cost, name), 0.05)
    with pytest.raises(ValueError, match=words):
        class_transport(put(cost, name), a=a, b=b)
    with pytest.raises(ValueError, match=f"costs in {name}, coupling in numpy"):
        inverse_transport(np.outer(a, b), put(cost[None], name), 0.05)
    with pytest.raises(ValueError, match=rf"costs\[0\] in numpy, costs\[1\] in {name}"):
        inverse_transport(None, (cost, put(cost, name)), 0.05)


def test_masses_of_single_precision_may_differ_by_their_rounding():
    a = np.full(1000, 1e-3, dtype=np.float32)
    b = np.full(7, 1 / 7)
    assert abs(a.astype(float).sum() - 1.0) > 1e-8
    result = solve(a, b, np.random.default_rng(0).random((1000, 7)), 0.1)
    assert result.status is Status.CONVERGED


def test_masses_of_double_precision_may_not_differ_by_more_than_their_rounding():
    a, cost = np.full(5, 0.2), np.random.default_rng(0).random((5, 5))
    for share in (1.0, 1e6):  # of any total
        assert solve(share * a, share * a * (1 + 1e-10), cost, 0.1).status is Status.CONVERGED
        for b in (a * (1 + 1e-6), a * (1 - 1e-6)):
            with pytest.raises(ValueError, match="balanced transport moves equal masses"):
                solve(share * a, share * b, cost, 0.1)


@pytest.mark.parametrize("side", ["a", "b"])
def test_equal_masses_have_the_total_of_those_that_are_given(side):
    cost, given = np.random.default_rng(0).random((4, 4)), np.array([0.5, 1.0, 1.5, 2.0])
    masses = {"a": None, "b": None, side: given}
    plan = solve(masses["a"], masses["b"], cost, 0.1, plan="dense").plan
    expected = {"a": np.full(4, 1.25), "b": np.full(4, 1.25), side: given}
    np.testing.assert_allclose(plan.sum(axis=1), expected["a"], rtol=1e-6)
    np.testing.assert_allclose(plan.sum(axis=0), expected["b"], rtol=1e-6)
