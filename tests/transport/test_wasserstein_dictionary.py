"""Wasserstein dictionaries: the smooth dual against dense algebra and cvxpy, bounds against a naive plan, and planted factors."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import WassersteinDictionary
from sparsecode.transport import GridCost, _cp_dictionary
from sparsecode.transport._cp_dictionary import Codes, Factor, GridDistance, block_step, on_simplex, product_atoms
from tests.transport import naive

SHAPE = (4, 3)


def made(seed=0, n=5, count=3, shape=SHAPE, reg=0.1):
    """Signals on a grid, some places empty, with factors and codes that have nothing to do with them."""
    rng = np.random.default_rng(seed)
    X = rng.dirichlet(np.full(np.prod(shape), 0.5), n)
    X[0, :2] = 0.0
    X /= X.sum(axis=1, keepdims=True)
    grid = GridCost(shape)
    cost = grid.rows(slice(None)) / grid.extent()[1]
    distance = GridDistance(X, [axis / grid.extent()[1] for axis in grid.axes], reg)
    factors = [rng.dirichlet(np.ones(length), count).T for length in shape]
    return distance, cost, factors, rng.dirichlet(np.ones(count), n).T


def total_distance(X, Y, cost, reg):
    total = 0.0
    for x, y in zip(X, Y, strict=True):
        here, there = x > 0, y > 0
        part = cost[here][:, there]
        f, g = naive.sinkhorn(x[here], y[there], part, reg)
        total += naive.primal(naive.plan(f, g, part, reg), part, reg)
    return total


def test_smoothing_an_axis_at_a_time_is_the_whole_kernel():
    distance, cost, *_ = made(shape=(3, 2, 4))
    rows = np.random.default_rng(1).random((2, 24))
    np.testing.assert_allclose(distance.smooth(rows), rows @ np.exp(-cost / distance.reg), rtol=1e-13)
    assert distance.cost_between(rows, rows[::-1]) == pytest.approx(
        sum(a @ cost @ b for a, b in zip(rows, rows[::-1], strict=True))
    )


def test_atoms_are_products_and_adjoints_are_adjoint():
    distance, _, factors, codes = made()
    atoms = product_atoms(factors)
    np.testing.assert_allclose(atoms[1].reshape(SHAPE), np.outer(factors[0][:, 1], factors[1][:, 1]))
    G, rng = np.random.default_rng(2).standard_normal(distance.X.shape), np.random.default_rng(3)
    for linear, like in (
        (Codes(atoms), codes),
        (Factor(0, [factors[1]], codes, SHAPE), factors[0]),
        (Factor(1, [factors[0]], codes, SHAPE), factors[1]),
    ):
        np.testing.assert_allclose(linear.apply(like), codes.T @ atoms)
        block = rng.standard_normal(like.shape)
        assert np.sum(linear.apply(block) * G) == pytest.approx(np.sum(linear.adjoint(G) * block))


def test_the_conjugate_is_one_and_its_gradient_the_marginal_of_a_plan():
    distance, cost, *_ = made()
    G = 0.2 * np.random.default_rng(4).standard_normal(distance.X.shape)
    value, reached, _ = distance.conjugate(G)
    np.testing.assert_allclose(reached.sum(axis=1), 1.0)
    assert total_distance(distance.X, reached, cost, distance.reg) == pytest.approx(
        np.sum(G * reached) - value, abs=1e-10
    )
    step = np.random.default_rng(5).standard_normal(G.shape)
    slope = (distance.conjugate(G + 1e-6 * step)[0] - distance.conjugate(G - 1e-6 * step)[0]) / 2e-6
    assert np.sum(reached * step) == pytest.approx(slope, abs=1e-7)


def test_the_gap_bounds_the_distance_from_above():
    distance, cost, factors, codes = made()
    Y = codes.T @ product_atoms(factors)
    exact = total_distance(distance.X, Y, cost, distance.reg)
    for size in (0.0, 0.1, 1.0):
        G = size * np.random.default_rng(6).standard_normal(Y.shape)
        value = distance.conjugate(G)
        short = exact - (np.sum(G * Y) - value[0])
        assert short <= distance.excess(G, Y, value) + 1e-12
        bound = distance.gap(G, Y, 0.0)
        assert bound == np.inf or short <= bound + 1e-12
    assert distance.gap(G, Y, 2.0 * short) <= 2.0 * short


def test_blurred_signals_are_nearest():
    distance, cost, *_ = made()
    blurred = distance.conjugate(np.zeros_like(distance.X))[1]
    least = total_distance(distance.X, blurred, cost, distance.reg)
    assert distance.least() == pytest.approx(least)
    for other in (distance.X, np.full_like(blurred, 1 / 12), 0.9 * blurred + 0.1 / 12):
        assert total_distance(distance.X, other, cost, distance.reg) > least


@pytest.mark.parametrize("which", ["codes", "factor"])
def test_a_block_is_that_of_an_interior_point_method(which, monkeypatch):
    cvxpy = pytest.importorskip("cvxpy")
    distance, cost, factors, codes = made(n=3, reg=0.2)
    linear, old = (
        (Codes(product_atoms(factors)), codes)
        if which == "codes"
        else (Factor(0, [factors[1]], codes, SHAPE), factors[0])
    )
    matrix = np.array([linear.apply(unit.reshape(old.shape)).ravel() for unit in np.eye(old.size)]).T
    block = cvxpy.Variable(old.shape, nonneg=True)
    images = cvxpy.reshape(matrix @ cvxpy.vec(block, order="C"), distance.X.shape, order="C")
    plans = [cvxpy.Variable(cost.shape, nonneg=True) for _ in distance.X]
    value = 0.25 * cvxpy.sum_squares(block - old)
    limits = [cvxpy.sum(block, axis=0) == 1]
    for j, plan in enumerate(plans):
        value += cvxpy.sum(cvxpy.multiply(cost, plan)) - distance.reg * (cvxpy.sum(cvxpy.entr(plan)) + 1)
        limits += [cvxpy.sum(plan, axis=1) == distance.X[j], cvxpy.sum(plan, axis=0) == images[j]]
    cvxpy.Problem(cvxpy.Minimize(value), limits).solve(solver="CLARABEL")
    for share, distant in ((0.1, 0.1), (0.0, 2e-4)):  # as in a sweep, and as exact as it gets
        monkeypatch.setattr(_cp_dictionary, "_SHARE", share)
        step = block_step(distance, linear, old, np.zeros_like(distance.X), 0.5, 1e-4)
        np.testing.assert_allclose(step.block, block.value, atol=distant)
        assert np.linalg.norm(step.block - block.value) <= np.sqrt(2 * step.gap / 0.5) + 1e-4


def test_projections_on_simplices_are_those_of_columns():
    values = np.random.default_rng(7).standard_normal((4, 6))
    found = on_simplex(values)
    np.testing.assert_allclose(found.sum(axis=0), 1.0)
    for corner in np.eye(4):  # variational inequality at every vertex
        assert np.all(np.sum((values - found) * (corner[:, None] - found), axis=0) <= 1e-12)


def bumps(length, places, width=0.7):
    made = np.exp(-0.5 * ((np.arange(length)[:, None] - np.array(places)) / width) ** 2)
    return made / made.sum(axis=0)


def test_planted_products_are_found_and_the_objective_falls():
    factors = [bumps(8, [1, 6]), bumps(7, [5, 1])]
    X = np.random.default_rng(0).dirichlet([0.3, 0.3], 20) @ product_atoms(factors)
    model = WassersteinDictionary(2, shape=(8, 7), tol=1e-2, random_state=1).fit(X)
    assert model.status_.name == "CONVERGED"
    objective = np.array(model.history_["objective"][2:])
    assert np.all(np.diff(objective) <= 1e-4)
    assert 0 <= model.excess_ / 20 < 1e-4
    distance = model._distance(product_atoms(factors))
    truth = distance.conjugate(np.zeros_like(distance.X))[1]  # what is nearest to them is blurred
    cosines = model.components_ @ truth.T
    cosines /= np.linalg.norm(model.components_, axis=1)[:, None] * np.linalg.norm(truth, axis=1)
    assert np.all(cosines.max(axis=1) > 0.98)
    np.testing.assert_allclose(model.codes_.sum(axis=1), 1.0)
    np.testing.assert_allclose(model.transform(X), model.codes_, atol=0.05)
    np.testing.assert_allclose(model.inverse_transform(model.codes_), model.codes_ @ model.components_)


def test_scaled_signals_are_the_same_distributions():
    X = np.random.default_rng(0).random((6, 5))
    one, other = (
        WassersteinDictionary(2, max_iter=3, tol=10.0, random_state=0).fit(values).components_
        for values in (X, X * np.arange(1, 7)[:, None] * 1e200)
    )
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_bad_input_is_named():
    X = np.random.default_rng(0).random((6, 5))
    with pytest.raises(ValueError, match=r"shape \(2, 3\) has 6 places, but X has 5 features"):
        WassersteinDictionary(shape=(2, 3)).fit(X)
    with pytest.raises(ValueError, match="Negative values"):
        WassersteinDictionary().fit(-X)
    with pytest.raises(ValueError, match=r"X\[2\] is zero everywhere"):
        WassersteinDictionary().fit(np.where(np.arange(6)[:, None] == 2, 0.0, X))
    with pytest.raises(ValueError, match="X has 3 columns"):
        WassersteinDictionary(max_iter=1, tol=1e3).fit(X).inverse_transform(np.ones((1, 3)))
    with pytest.warns(ConvergenceWarning, match="stationarity"):
        WassersteinDictionary(max_iter=1, random_state=0).fit(X)
