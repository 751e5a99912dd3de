"""Lazy costs give the plans of the arrays that they stand for."""

import gc
import weakref

import numpy as np
import pytest
from scipy.sparse import csr_array

from sparsecode import Status
from sparsecode.transport import GridCost, PointCost, _costs, solve
from sparsecode.transport._costs import ArrayCost, part_of


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean", "cityblock"])
def test_points_cost_what_their_array_costs(metric):
    rng = np.random.default_rng(0)
    X, Y = rng.random((300, 3)), rng.random((280, 3))
    order = {"sqeuclidean": 2, "euclidean": 2, "cityblock": 1}[metric]
    array = np.linalg.norm(X[:, None] - Y, order, axis=2) ** (2 if metric == "sqeuclidean" else 1)
    lazy = PointCost(X, Y, metric, scale=0.5)
    assert lazy.extent() == pytest.approx((0.5 * array.min(), 0.5 * array.max()))
    a = rng.random(300)
    a[:10] = 0.0
    b = np.full(280, a.sum() / 280)
    result, whole = solve(a, b, lazy, 0.02), solve(a, b, 0.5 * array, 0.02)
    np.testing.assert_allclose(result.plan.toarray(), whole.plan.toarray(), atol=1e-9)
    assert result.upper_bound == pytest.approx(whole.upper_bound, rel=1e-8)


def test_a_ground_cost_of_the_user():
    rng = np.random.default_rng(0)
    X, Y = rng.random((30, 3)), rng.random((20, 3))
    made = solve(None, None, PointCost(X, Y, lambda x, y: x @ y.T), 0.1)
    np.testing.assert_allclose(made.plan.toarray(), solve(None, None, X @ Y.T, 0.1).plan.toarray(), atol=1e-9)


def test_sweeps_over_a_lazy_cost_too_large_to_store(monkeypatch):
    from sparsecode.transport import _sinkhorn

    monkeypatch.setattr(_sinkhorn, "_STORED", 10)
    rng = np.random.default_rng(0)
    X, Y = rng.random((60, 2)), rng.random((50, 2))
    streamed, stored = (
        solve(None, None, PointCost(X, Y), 0.02),
        solve(None, None, PointCost(X, Y).rows(slice(None)), 0.02),
    )
    assert streamed.status is Status.CONVERGED
    np.testing.assert_allclose(streamed.plan.toarray(), stored.plan.toarray(), atol=1e-9)


@pytest.mark.parametrize("ground_cost", ["sqeuclidean", "cityblock"])
def test_a_grid_costs_what_its_array_costs(ground_cost):
    rng = np.random.default_rng(0)
    coordinates = [np.sort(rng.random(n)) for n in (3, 4, 2)]
    grid = GridCost((3, 4, 2), ground_cost, coordinates=coordinates, scale=2.0)
    points = np.stack(np.meshgrid(*coordinates, indexing="ij"), axis=-1).reshape(-1, 3)
    array = PointCost(points, points, ground_cost, scale=2.0).rows(slice(None))
    np.testing.assert_allclose(grid.rows(np.arange(24)), array, atol=1e-14)
    assert grid.extent() == pytest.approx((0.0, array.max()))
    p, q = rng.random(24), rng.random(24)
    p, q = p / p.sum(), q / q.sum()
    for reg in (1e-1, 1e-2):
        result, whole = solve(p, q, grid, reg, tol=1e-11), solve(p, q, array, reg, tol=1e-11)
        np.testing.assert_allclose(result.plan.toarray(), whole.plan.toarray(), atol=1e-10)


def test_zeros_on_a_grid():
    rng = np.random.default_rng(0)
    p, q = rng.random(20), rng.random(20)
    p[3:9] = 0.0
    p, q = p / p.sum(), q / q.sum()
    grid = GridCost((4, 5))
    result, whole = solve(p, q, grid, 0.5), solve(p, q, grid.rows(slice(None)), 0.5)
    np.testing.assert_allclose(result.plan.toarray(), whole.plan.toarray(), atol=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("reg", [1.0, 1e-2])
def test_points_of_a_grid_without_mass_leave_its_sums_along_the_axes(monkeypatch, reg):
    """Whole lines of the grid are empty, others in the sources than in the targets."""
    monkeypatch.setattr(_costs, "_AN_AXIS", 0)
    rng = np.random.default_rng(0)
    p, q = rng.random((5, 4, 3)), rng.random((5, 4, 3))
    p[1], p[:, 2], q[3:], q[0, 0] = 0.0, 0.0, 0.0, 0.0
    p, q = p.ravel() / p.sum(), q.ravel() / q.sum()
    grid = GridCost((5, 4, 3), scale=0.1)
    part = part_of(grid, np.flatnonzero(p), np.flatnonzero(q))
    assert hasattr(part, "softmin_rows") and part.shape == (36, 33)
    for n_jobs in (1, 2):
        result = solve(p, q, grid, reg, tol=1e-11, n_jobs=n_jobs)
        whole = solve(p, q, grid.rows(slice(None)), reg, tol=1e-11)
        np.testing.assert_allclose(result.plan.toarray(), whole.plan.toarray(), atol=1e-10)


def test_sums_along_the_axes_are_taken_where_they_are_fewer():
    every = np.arange(72 * 72)
    grid = GridCost((72, 72))
    assert hasattr(part_of(grid, every[1:], every), "softmin_rows")
    assert not hasattr(part_of(grid, every[:40], every[40:80]), "softmin_rows")


def test_the_extent_of_a_part_is_its_own():
    rng = np.random.default_rng(0)
    X, Y = rng.random((30, 2)), rng.random((20, 2))
    X[3], Y[5] = 1e6, -1e6
    rows, columns = np.delete(np.arange(30), 3), np.delete(np.arange(20), 5)
    cost = PointCost(X, Y)
    inside = cost.rows(slice(None))[np.ix_(rows, columns)]
    for whole in (cost, ArrayCost(cost.rows(slice(None)))):
        assert part_of(whole, rows, columns).extent() == pytest.approx((inside.min(), inside.max()))


@pytest.mark.parametrize("solver", ["sinkhorn", "newton"])
def test_a_cost_is_forgotten_after_the_solve(solver):
    array = np.random.default_rng(0).random((30, 20))
    alive = weakref.ref(array)
    solve(None, None, array, 0.5, solver=solver)
    del array
    gc.collect()
    assert alive() is None


def test_a_lazy_cost_says_what_it_is():
    points = PointCost(np.zeros((2, 3)), np.ones((4, 3)), "cityblock", scale=0.5)
    assert repr(points) == "PointCost(2 to 4 points of dimension 3, 'cityblock', scale=0.5)"
    assert repr(GridCost((2, 5))) == "GridCost((2, 5), 'sqeuclidean')"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: PointCost(np.ones((2, 3)), np.ones((2, 2))), "dimension"),
        (lambda: PointCost(np.ones((2, 3)), np.ones((2, 3)), "cosine"), "ground_cost must be one of"),
        (lambda: PointCost(np.ones((2, 3)), np.ones((2, 3)), lambda x, y: np.ones(2)).rows(slice(1)), "2 axes"),
        (lambda: PointCost(np.ones((2, 3)), np.ones((2, 3)), lambda x, y: np.ones((1, 1))).rows(slice(1)), "shape"),
        (lambda: PointCost(np.full((2, 3), np.inf), np.ones((2, 3))), "X contains NaN or infinity"),
        (lambda: PointCost(csr_array(np.ones((2, 3))), np.ones((2, 3))), r"X is sparse, .* pass X.toarray\(\)"),
        (lambda: GridCost((2, 0)), "positive length"),
        (lambda: GridCost((2.5, 2)), r"an integer, for each axis; got \(2.5, 2\)"),
        (lambda: GridCost((2, 2), coordinates=[0.0, 1.0]), "one array for each of the 2 axes"),
        (lambda: GridCost((2, 2), coordinates=[[0.0, 1.0]]), "one array for each of the 2 axes"),
        (lambda: GridCost((2, 2), "euclidean"), "ground_cost must be"),
        (lambda: GridCost((2, 2), coordinates=[[0, 1], [0, 1, 2]]), "coordinates have lengths"),
    ],
)
def test_bad_costs_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
