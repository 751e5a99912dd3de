"""Class-based transport against cvxpy, the linear program, and what its strengths must do in the limits."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sparsecode import ClassTransport
from sparsecode.transport import class_transport
from sparsecode.transport._class import _steps, pose_class
from tests.transport import naive


def made(seed=0, n=8, m=7):
    """Costs between points of three classes, and who is of one class."""
    rng = np.random.default_rng(seed)
    labels, others = np.arange(n) % 3, np.arange(m) % 3
    centres = 1.5 * rng.standard_normal((3, 2))
    X, Y = centres[labels] + rng.standard_normal((n, 2)), centres[others] + 0.5 + rng.standard_normal((m, 2))
    cost = ((X[:, None] - Y) ** 2).sum(axis=2)
    return cost / cost.max(), *((1.0 * (kind[:, None] == kind)) for kind in (labels, others))


def masses(n, m, seed=1):
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) + 0.2, rng.random(m) + 0.2
    return a / a.sum(), b / b.sum()


def by_cvxpy(cost, rows, columns, a, b):
    cvxpy = pytest.importorskip("cvxpy")
    plan = cvxpy.Variable(cost.shape, nonneg=True)
    n, m = cost.shape
    terms = [cvxpy.sum(cvxpy.multiply(cost, plan))]
    A, B = a.mean() / a, b.mean() / b
    terms += [rows[l, k] * cvxpy.norm(A[l] * plan[l] - A[k] * plan[k]) for l in range(n) for k in range(l)]
    terms += [columns[l, k] * cvxpy.norm(B[l] * plan[:, l] - B[k] * plan[:, k]) for l in range(m) for k in range(l)]
    marginals = [cvxpy.sum(plan, axis=1) == a, cvxpy.sum(plan, axis=0) == b]
    return cvxpy.Problem(cvxpy.Minimize(sum(terms)), marginals).solve(solver="CLARABEL")


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("alpha", [1e-3, 1e-2, 1e-1])
def test_the_minimum_is_that_of_an_interior_point_method(alpha, equal):
    cost, rows, columns = made()
    a, b = (np.full(8, 1 / 8), np.full(7, 1 / 7)) if equal else masses(8, 7)
    result = class_transport(cost, alpha * rows, 0.5 * alpha * columns, a=a, b=b, tol=1e-7)
    assert result.status.name == "CONVERGED"
    assert result.objective == pytest.approx(by_cvxpy(cost, alpha * rows, 0.5 * alpha * columns, a, b), abs=1e-6)
    np.testing.assert_allclose(result.coef.sum(axis=1), a, atol=1e-14)
    np.testing.assert_allclose(result.coef.sum(axis=0), b, atol=1e-14)
    assert result.coef.min() >= 0


@pytest.mark.parametrize("total", [3.0, 1.0 / 7.0])
def test_masses_of_any_total_have_the_stated_minimum(total):
    cost, rows, columns = made()
    a, b = (total * part for part in masses(8, 7))
    result = class_transport(cost, 0.02 * rows, 0.01 * columns, a=a, b=b, tol=1e-7)
    assert result.objective == pytest.approx(by_cvxpy(cost, 0.02 * rows, 0.01 * columns, a, b), abs=1e-6 * total)


@pytest.mark.parametrize("height", [1e5, 1e9])
def test_a_forbidden_pair_does_not_loosen_the_proof(height):
    a, b, cost = naive.problem(20, 20)
    forbidden, less = cost.copy(), cost.copy()
    forbidden[0, 0], less[0, 0] = height, 1e2  # as good as forbidden, and kind to the linear program
    expected = naive.linear_program(a, b, less)[0]
    result = class_transport(forbidden, a=a, b=b, tol=1e-5)
    assert result.status.name == "CONVERGED"
    assert result.objective == pytest.approx(expected, rel=2e-5)


def test_a_source_far_away_does_not_loosen_the_proof():
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((20, 2)), rng.standard_normal((20, 2)) + 1.0
    X[0] = 1e3
    cost = ((X[:, None] - Y) ** 2).sum(axis=2)
    value, plan = naive.linear_program(np.full(20, 0.05), np.full(20, 0.05), cost - cost.min(axis=1)[:, None])
    found = class_transport(cost, tol=1e-7)
    assert found.status.name == "CONVERGED"
    others = (cost * found.coef)[1:].sum()
    assert others == pytest.approx((cost * plan)[1:].sum(), rel=1e-4)
    assert found.objective == pytest.approx(value + cost.min(axis=1).mean(), rel=1e-9)


def test_costs_of_a_row_or_a_column_alone_change_neither_plan_nor_proof():
    cost, rows, columns = made()
    one = class_transport(cost, 0.01 * rows, 0.01 * columns, tol=1e-8)
    raised = cost + 50.0 * np.arange(8.0)[:, None]
    other = class_transport(raised, 0.01 * rows, 0.01 * columns, tol=1e-8)
    assert other.n_iter == one.n_iter
    assert other.certificate == pytest.approx(one.certificate, rel=1e-3)
    np.testing.assert_allclose(other.coef, one.coef, atol=1e-9)
    sides = class_transport(raised - 20.0 * np.arange(7.0), 0.01 * rows, 0.01 * columns, tol=1e-8)
    assert sides.status.name == "CONVERGED"
    np.testing.assert_allclose(sides.coef, one.coef, atol=1e-4)


def test_without_strengths_it_is_the_linear_program():
    cost, *_ = made()
    a, b = masses(8, 7)
    result = class_transport(cost, a=a, b=b, tol=1e-9)
    assert result.objective == pytest.approx(naive.linear_program(a, b, cost)[0], abs=1e-8)


def test_the_gap_of_any_state_bounds_what_is_left_to_gain():
    cost, rows, columns = made()
    best = class_transport(cost, 0.01 * rows, 0.01 * columns, tol=1e-9).objective
    problem = pose_class(cost, 0.01 * rows, 0.01 * columns)
    rng = np.random.default_rng(0)
    for size in (0.0, 0.01, 1.0):
        state = type(problem.start())(*(part + size * rng.standard_normal(part.shape) for part in problem.start()))
        state = state._replace(Z=problem.rows.cut(state.Z), Y=problem.columns.cut(state.Y))
        proof = problem.judge(state)
        above = proof.objective - problem.least  # in masses of total one
        assert proof.objective - best <= proof.value * max(above, problem.unit) + 1e-12
        assert problem.least <= best


def test_the_proof_is_as_good_as_the_potentials_can_be_made():
    """Transforms of potentials that lie too low give the bound of the best ones."""
    cost, rows, columns = made()
    problem = pose_class(cost, 0.01 * rows, 0.01 * columns)
    rng = np.random.default_rng(0)
    state = problem.start()._replace(Z=problem.rows.cut(rng.standard_normal((problem.rows.weights.size, 7))))
    low = state._replace(g=-rng.random(7))
    reduced = problem.reduced(low.Z, low.Y)
    best = low._replace(g=np.min(reduced - np.min(reduced - low.g, axis=1)[:, None], axis=0))
    assert np.abs(best.g - low.g).max() > 0.1
    assert problem.judge(low).value == pytest.approx(float(problem.judge(best).value), rel=1e-12)


def test_a_step_is_that_of_the_formula():
    cost, rows, columns = made()
    a, b = masses(8, 7)
    problem = pose_class(cost, 0.0045 * rows, 0.0045 * columns, a, b)
    rng = np.random.default_rng(1)
    state = problem.start()
    state = type(state)(*(part + 0.1 * rng.standard_normal(part.shape) for part in state))
    t, s = 0.3, 0.2
    Dr, Dc = problem.rows.differences.toarray(), problem.columns.differences.toarray()
    slope = problem.cost + Dr.T @ state.Z + (Dc.T @ state.Y).T - state.f[:, None] - state.g
    P = np.maximum(0.0, state.plan - t * slope)
    B = 2 * P - state.plan
    following = problem.step(type(state)(*(part.copy() for part in state)), t, s)
    np.testing.assert_allclose(following.plan, P)
    np.testing.assert_allclose(following.f, state.f + s * (a - B.sum(axis=1)))
    np.testing.assert_allclose(following.g, state.g + s * (b - B.sum(axis=0)))
    for after, before, change, weights in (
        (following.Z, state.Z, Dr @ B, problem.rows.weights),
        (following.Y, state.Y, Dc @ B.T, problem.columns.weights),
    ):
        moved = before + s * change
        lengths = np.linalg.norm(moved, axis=1)
        assert 0 < np.sum(lengths > weights) < weights.size
        np.testing.assert_allclose(after, moved * np.minimum(1.0, weights / lengths)[:, None])


def test_large_strengths_transport_classes_as_wholes():
    cost, rows, _ = made(n=9)
    result = class_transport(cost, 10.0 * rows, tol=1e-9)
    members = np.unique(rows, axis=0)  # (3, 9)
    shares = members.sum(axis=1) / 9
    mean_cost = members @ cost / members.sum(axis=1)[:, None]
    value, plan = naive.linear_program(shares, np.full(7, 1 / 7), mean_cost)
    assert result.objective == pytest.approx(value, abs=1e-7)
    np.testing.assert_allclose(result.coef, members.T @ (plan / members.sum(axis=1)[:, None]), atol=1e-6)


def test_one_class_on_a_side_gives_the_independent_plan():
    cost, *_ = made()
    a, b = masses(8, 7)
    result = class_transport(cost, 10.0 * np.ones((8, 8)), a=a, b=b, tol=1e-9)
    np.testing.assert_allclose(result.coef, np.outer(a, b), atol=1e-7)


def test_units_of_cost_and_mass_and_points_without_mass_change_nothing():
    cost, rows, columns = made()
    a, b = masses(8, 7)
    one = class_transport(cost, 0.01 * rows, 0.01 * columns, a=a, b=b, tol=1e-8)
    bigger = class_transport(1e6 * cost - 7.0, 1e4 * rows, 1e4 * columns, a=3 * a, b=3 * b, tol=1e-8)
    np.testing.assert_allclose(bigger.coef / 3, one.coef, atol=1e-6)
    assert bigger.objective == pytest.approx(3 * (1e6 * one.objective - 7.0), rel=1e-6)
    wide = np.pad(cost, ((1, 0), (0, 1)))
    joined = np.pad(0.01 * rows, ((1, 0), (1, 0))), sp.csr_array(np.pad(0.01 * columns, ((0, 1), (0, 1))))
    padded = class_transport(wide, *joined, a=np.r_[0.0, a], b=np.r_[b, 0.0], tol=1e-8)
    np.testing.assert_allclose(padded.coef[1:, :-1], one.coef, atol=1e-6)
    assert not padded.coef[0].any()
    assert not padded.coef[:, -1].any()


def test_a_constant_cost_is_solved_at_once():
    result = class_transport(np.full((3, 4), 2.0), np.ones((3, 3)))
    assert (result.status.name, result.n_iter) == ("CONVERGED", 0)
    assert result.objective == pytest.approx(2.0)


def test_costs_that_move_no_plan_are_nothing_but_rounding():
    rng = np.random.default_rng(0)
    for n, m in ((8, 9), (30, 40)):
        rows, columns = rng.random(n), rng.random(m)
        problem = pose_class(rows[:, None] + columns, 0.01 * np.ones((n, n)), None)
        assert problem.unit == 1.0 and not problem.cost.any()
        result = class_transport(rows[:, None] + columns, 0.01 * np.ones((n, n)))
        assert (result.status.name, result.n_iter) == ("CONVERGED", 0)
        assert result.objective == pytest.approx(rows.mean() + columns.mean())


@pytest.mark.parametrize("n, m", [(20, 20), (22, 8)])
def test_the_unit_of_costs_is_not_rounding(n, m):
    """Every entry but one is that of its row and its column alone: the others are zero, and so is the minimum above them."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        rows, columns = 100.0 * rng.random(n), 100.0 * rng.random(m)
        cost = rows[:, None] + columns
        cost[3, 2] += 1.0
        assert pose_class(cost, None, None).unit > 1e-3
        if seed % 5:
            continue
        result = class_transport(cost, 1e-3 * np.ones((n, n)))
        assert result.status.name == "CONVERGED" and result.certificate <= 1e-6
        assert rows.mean() + columns.mean() <= result.objective * (1 + 1e-12)
        assert result.objective <= rows.mean() + columns.mean() + 1.0 / (n * m)


def test_a_small_gap_is_told_and_not_taken_for_rounding():
    cost, rows, columns = made()
    problem = pose_class(cost, 0.01 * rows, 0.01 * columns)
    told = []
    for state in _steps(problem):
        if state.certify:
            told.append(float(problem.certify(state.coef).value))
        if len(told) == 60:
            break
    told = np.array(told)
    assert np.sum((told > 1e-13) & (told < 1e-10)) >= 2, told


def test_the_curvature_of_a_large_graph_is_a_bound(monkeypatch):
    _, rows, columns = made()
    rng = np.random.default_rng(0)
    graphs = [rows, columns, np.ones((9, 9)), np.diag(np.ones(8), 1) + np.diag(np.ones(8), -1)]
    for graph in graphs:
        cost, a = rng.random((len(graph), 4)), 0.5 + rng.random(len(graph))
        edges = pose_class(cost, graph, None, a / a.sum()).rows
        exact = np.linalg.norm(edges.differences.toarray(), 2) ** 2
        assert edges.curvature() == pytest.approx(exact)
        monkeypatch.setattr("sparsecode.transport._class._DENSE", 0)
        assert exact <= edges.curvature() <= 4 * exact
        monkeypatch.undo()


def blobs(seed=0, size=15, gap=2.5):
    """Two samples of two elongated classes, the second sample turned."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], size)
    X = rng.standard_normal((2 * size, 2)) * [1.0, 0.4] + np.c_[np.zeros(2 * size), gap * labels]
    turn = np.array([[np.cos(0.9), -np.sin(0.9)], [np.sin(0.9), np.cos(0.9)]])
    Y = (rng.standard_normal((2 * size, 2)) * [1.0, 0.4] + np.c_[np.zeros(2 * size), gap * labels]) @ turn
    return X, Y, labels


def purity(plan, labels):
    return float(plan[labels[:, None] == labels].sum())


def test_classes_stay_together_where_plain_transport_tears_them():
    X, Y, labels = blobs()
    plain = ClassTransport(0.0).fit(X, Y)
    model = ClassTransport(1.0).fit(X, Y, labels, labels)
    assert purity(plain.plan_, labels) < 0.95
    assert purity(model.plan_, labels) > 0.999
    np.testing.assert_allclose(model.images_, 30 * model.plan_ @ Y)


def test_unknown_labels_and_neighbours_join_fewer_points():
    X, Y, labels = blobs()
    model = ClassTransport(n_neighbors=2)
    graph = model._graph(X, labels, "labels").toarray()
    assert np.all((graph.sum(axis=1) >= 2) & np.all(graph == graph.T))
    assert not graph[labels[:, None] != labels].any()
    hidden = np.where(np.arange(30) < 5, -1, labels)
    alone = ClassTransport()._graph(X, hidden, "labels").toarray()
    assert not alone[:5].any()
    np.testing.assert_array_equal(alone[5:, 5:], labels[5:, None] == labels[5:])
    words = np.array(["a", "b"])[labels]
    np.testing.assert_array_equal(ClassTransport()._graph(X, words, "labels").toarray(), labels[:, None] == labels)


@pytest.mark.parametrize("n_neighbors", [4, 50])
def test_as_many_neighbours_as_there_are_is_all_of_the_class(n_neighbors):
    points = np.random.default_rng(0).standard_normal((11, 2))
    labels = np.array([0, 0, 1, 1, 1, 1, 1, 2, -1, -1, 0])  # classes of three, five and one, and two points unknown
    near = ClassTransport(n_neighbors=n_neighbors)._graph(points, labels, "labels").toarray()
    expected = (labels[:, None] == labels) & (labels >= 0) & ~np.eye(11, dtype=bool)
    np.testing.assert_array_equal(near, expected)
    whole = ClassTransport()._graph(points, labels, "labels").toarray()
    np.testing.assert_array_equal(whole - np.diag(np.diag(whole)), expected)


def test_labels_are_compared_as_they_are():
    def joined(labels):
        return ClassTransport()._graph(np.zeros((3, 1)), labels, "labels").toarray()

    for unknown in (np.nan, None, -1):
        np.testing.assert_array_equal(joined([0, unknown, unknown]), np.diag([1.0, 0.0, 0.0]))
    np.testing.assert_array_equal(joined(np.array([np.nan, 2.0, 2.0])), [[0, 0, 0], [0, 1, 1], [0, 1, 1]])
    np.testing.assert_array_equal(joined(["a", np.nan, "a"]), [[1, 0, 1], [0, 0, 0], [1, 0, 1]])
    pandas = pytest.importorskip("pandas")
    for kind, values in (("Int64", [0, None, 0]), ("string", ["a", None, "a"]), (object, ["a", pandas.NA, "a"])):
        np.testing.assert_array_equal(joined(pandas.Series(values, dtype=kind)), [[1, 0, 1], [0, 0, 0], [1, 0, 1]])
    for mixed in ([1, "1", 1], np.array([1, "1", 1], dtype=object)):
        with pytest.raises(ValueError, match="labels mixes kinds of labels"):
            joined(mixed)


@pytest.mark.parametrize("labels", [[-1, 1, 1, -1], np.array([-1.0, 1.0, 1.0, np.nan]), np.array([-1, 1, 1, None])])
def test_two_classes_of_which_one_is_taken_for_unknown_are_announced(labels):
    X = np.arange(4.0)[:, None]
    with pytest.warns(
        RuntimeWarning, match=r"target_labels are -1 and 1, but .* pass target_labels > 0; if it is not, None"
    ):
        ClassTransport(0.1).fit(X, X, target_labels=labels)


@pytest.mark.parametrize("labels", [[None] * 4, np.full(4, -1), np.full(4, np.nan)])
def test_labels_that_are_all_unknown_are_announced(labels):
    X = np.arange(4.0)[:, None]
    with pytest.warns(
        RuntimeWarning, match="labels are all unknown, which joins no points; leave labels out"
    ) as caught:
        model = ClassTransport(0.1).fit(X, X[::-1], labels)
    assert len(caught) == 1
    np.testing.assert_array_equal(model.plan_, ClassTransport(0.1).fit(X, X[::-1]).plan_)


@pytest.mark.parametrize(
    "labels", [[0, -1, 1, 1], [None, 1, 1, None], [1, 1, 1, 1], [-1, 2, 2, -1], ["-1", "1", "1", "-1"]]
)
def test_labels_that_can_be_meant_so_pass_in_silence(labels, recwarn):
    X = np.arange(4.0)[:, None]
    ClassTransport(0.1).fit(X, X, labels, np.array(labels) if None not in labels else labels)
    assert not recwarn.list


def test_points_beside_a_source_move_with_it():
    X, Y, labels = blobs()
    model = ClassTransport().fit(X, Y, labels)
    np.testing.assert_allclose(model.transform(X), model.images_)
    np.testing.assert_allclose(model.transform(X[:3] + 1e-3), model.images_[:3] + 1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cost": np.full((2, 2), np.nan)}, "cost contains NaN"),
        ({"row_strengths": np.ones((3, 3))}, r"row_strengths has shape \(3, 3\)"),
        ({"row_strengths": -np.ones((2, 2))}, "row_strengths must hold finite strengths"),
        ({"column_strengths": np.array([[0.0, 1.0], [0.0, 0.0]])}, "column_strengths must be symmetric"),
        ({"a": np.array([0.3, 0.3]), "b": np.array([0.5, 0.5])}, "a sums to 0.6"),
        ({"tol": -1.0}, "tol must be at least 0"),
    ],
)
def test_bad_input_is_named(change, words):
    arguments = {"cost": np.eye(2)} | change
    with pytest.raises(ValueError, match=words):
        class_transport(arguments.pop("cost"), **arguments)


def test_estimators_name_bad_samples():
    X, Y, labels = blobs()
    with pytest.raises(ValueError, match="Y has 1 features, but X has 2"):
        ClassTransport().fit(X, Y[:, :1])
    with pytest.raises(ValueError, match="target_labels has 3 entries; it needs one for each of 30"):
        ClassTransport().fit(X, Y, labels, labels[:3])
    with pytest.warns(ConvergenceWarning, match="relative duality gap"):
        ClassTransport(max_iter=1).fit(X, Y, labels)
