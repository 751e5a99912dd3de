"""Wasserstein dictionaries: the smooth dual against dense algebra and cvxpy, bounds against a naive plan, and planted factors."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import WassersteinDictionary
from sparsecode.transport import GridCost, _cp_dictionary
from sparsecode.transport._cp_dictionary import (
    Codes,
    Factor,
    GridDistance,
    _proximal,
    block_step,
    learn_factors,
    on_simplex,
    product_atoms,
)
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
        f, g = naive.sinkhorn(x[here], y[there], part, reg, max_iter=2000)
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
        assert distance.gap(G, Y, 0.5 * short) == np.inf  # what sweeps gain is a proof that it is not within this
        assert distance.excess(G, Y, value) > 1.01 * short  # which the sweeps improve on
        for share in (1.01, 1.1, 2.0):
            assert short <= distance.gap(G, Y, share * short) + 1e-12 <= share * short


def test_blurred_signals_are_nearest():
    distance, cost, *_ = made()
    blurred = distance.conjugate(np.zeros_like(distance.X))[1]
    least = total_distance(distance.X, blurred, cost, distance.reg)
    assert distance.least() == pytest.approx(least)
    for other in (distance.X, np.full_like(blurred, 1 / 12), 0.9 * blurred + 0.1 / 12):
        assert total_distance(distance.X, other, cost, distance.reg) > least


def nearest_block(distance, cost, linear, old, rho):
    """What minimises the sum of the distances and ``rho/2 |V - old|^2``, by an interior point method."""
    cvxpy = pytest.importorskip("cvxpy")
    matrix = np.array([linear.apply(unit.reshape(old.shape)).ravel() for unit in np.eye(old.size)]).T
    block = cvxpy.Variable(old.shape, nonneg=True)
    images = cvxpy.reshape(matrix @ cvxpy.vec(block, order="C"), distance.X.shape, order="C")
    plans = [cvxpy.Variable(cost.shape, nonneg=True) for _ in distance.X]
    value = 0.5 * rho * cvxpy.sum_squares(block - old)
    limits = [cvxpy.sum(block, axis=0) == 1]
    for j, plan in enumerate(plans):
        value += cvxpy.sum(cvxpy.multiply(cost, plan)) - distance.reg * (cvxpy.sum(cvxpy.entr(plan)) + 1)
        limits += [cvxpy.sum(plan, axis=1) == distance.X[j], cvxpy.sum(plan, axis=0) == images[j]]
    cvxpy.Problem(cvxpy.Minimize(value), limits).solve(solver="CLARABEL")
    return block.value


@pytest.mark.parametrize("which", ["codes", "factor"])
def test_a_block_is_that_of_an_interior_point_method(which, monkeypatch):
    distance, cost, factors, codes = made(n=3, reg=0.2)
    linear, old = (
        (Codes(product_atoms(factors)), codes)
        if which == "codes"
        else (Factor(0, [factors[1]], codes, SHAPE), factors[0])
    )
    exact = nearest_block(distance, cost, linear, old, 0.5)
    for share, distant in ((0.1, 0.1), (0.0, 2e-4)):  # as in a sweep, and as exact as it gets
        monkeypatch.setattr(_cp_dictionary, "_SHARE", share)
        step = block_step(distance, linear, old, np.zeros_like(distance.X), 0.5, 1e-4)
        np.testing.assert_allclose(step.block, exact, atol=distant)
        assert np.linalg.norm(step.block - exact) <= np.sqrt(2 * step.gap / 0.5) + 1e-4


@pytest.mark.parametrize("rho", [1e-4, 0.05])
@pytest.mark.parametrize("max_iter", [1, 4])
def test_the_certificate_is_how_far_a_block_would_move_from_the_returned_point(rho, max_iter):
    distance, cost, factors, codes = made(n=3, reg=0.2, count=2)
    result = learn_factors(distance, factors, codes, rho, max_iter=max_iter, tol=1e-9)
    (one, two), codes = result.coef.factors, result.coef.codes
    exact = []
    for linear, block, strength, size in (
        (Factor(0, [two], codes, SHAPE), one, 3.0, 3.0),
        (Factor(1, [one], codes, SHAPE), two, 3.0, 3.0),
        (Codes(product_atoms([one, two])), codes, 1.0, np.sqrt(3.0)),
    ):
        moved = nearest_block(distance, cost, linear, block, strength) - block
        exact.append(strength * np.linalg.norm(moved) / size)
    assert max(exact) - 1e-4 <= result.certificate <= 3.0 * max(exact) + 1e-4
    truth = total_distance(distance.X, codes.T @ product_atoms([one, two]), cost, distance.reg)
    assert truth - 1e-10 <= result.objective <= truth + 1e-4


def test_the_objective_is_that_of_the_returned_point_wherever_its_proof_begins():
    distance, cost, factors, codes = made()
    Y = codes.T @ product_atoms(factors)
    exact = total_distance(distance.X, Y, cost, distance.reg)
    for size in (0.0, 0.1):
        G = size * np.random.default_rng(8).standard_normal(Y.shape)
        bounds = [
            distance.total(G, Y),
            np.sum(G * Y) - distance.conjugate(G)[0] + distance.excess(G, Y, distance.conjugate(G)),
        ]
        assert exact - 1e-10 <= bounds[0] < exact + 0.1 * (bounds[1] - exact)


@pytest.mark.parametrize("far", [0, 1, 2])
def test_the_certificate_is_that_of_the_block_that_moves_most(far, monkeypatch):
    distance, _, factors, codes = made()
    blocks = [*factors, codes]

    def moved(distance, linear, block, *_):
        return None, 7.0 if block is blocks[far] else 1.0

    monkeypatch.setattr(_cp_dictionary, "_proximal", moved)
    fit = _cp_dictionary.Fit(factors, codes, np.zeros_like(distance.X))
    assert _cp_dictionary.stationarity(distance, fit, 1e-3).value == 7.0


def test_weak_proximal_terms_do_not_pass_for_convergence():
    X = np.random.default_rng(0).dirichlet(0.3 * np.ones(12), 15)
    with pytest.warns(ConvergenceWarning, match="stationarity"):
        short = WassersteinDictionary(3, rho=1e-4, max_iter=1, random_state=0).fit(X)
    assert short.certificate_ > 1e-2
    fits = [WassersteinDictionary(3, rho=rho, random_state=0).fit(X) for rho in (1e-3, 0.2)]
    assert {fit.status_.name for fit in fits} == {"CONVERGED"}
    assert max(fit.excess_ for fit in fits) < 0.2 * short.excess_


def test_more_signals_of_the_same_kind_change_nothing():
    X = np.random.default_rng(0).dirichlet(0.3 * np.ones(8), 5)
    one, many = (WassersteinDictionary(2, random_state=0).fit(np.tile(X, (times, 1))) for times in (1, 10))
    assert one.status_.name == many.status_.name == "CONVERGED"
    assert many.certificate_ == pytest.approx(one.certificate_, rel=0.2)
    assert abs(many.n_iter_ - one.n_iter_) <= 1
    np.testing.assert_allclose(many.components_, one.components_, atol=1e-3)


def test_a_step_is_as_long_for_more_signals_of_the_same_kind(monkeypatch):
    """Of codes in the mean over signals, of factors in the objective that is a mean."""
    monkeypatch.setattr(_cp_dictionary, "_SHARE", 1e-8)  # else lengths are of bounds
    distance, _, factors, codes = made()
    many = GridDistance(np.tile(distance.X, (4, 1)), distance.axes, distance.reg)
    more = np.tile(codes, (1, 4))
    for one, other in (
        ((Codes(product_atoms(factors)), codes), (Codes(product_atoms(factors)), more)),
        ((Factor(1, factors[:1], codes, SHAPE), factors[1]), (Factor(1, factors[:1], more, SHAPE), factors[1])),
    ):
        lengths = [
            _proximal(problem, linear, block, np.zeros_like(problem.X), 1.0, 1e-6)[1]
            for problem, (linear, block) in ((distance, one), (many, other))
        ]
        assert lengths[0] > 1e-3
        assert lengths[1] == pytest.approx(lengths[0], rel=1e-3)


def test_projections_on_simplices_are_those_of_columns():
    values = np.random.default_rng(7).standard_normal((4, 6))
    found = on_simplex(values)
    np.testing.assert_allclose(found.sum(axis=0), 1.0)
    for corner in np.eye(4):  # variational inequality at every vertex
        assert np.all(np.sum((values - found) * (corner[:, None] - found), axis=0) <= 1e-12)


def bumps(length, places, width=0.7):
    made = np.exp(-0.5 * ((np.arange(length)[:, None] - np.array(places)) / width) ** 2)
    return made / made.sum(axis=0)


def test_planted_products_are_found():
    factors = [bumps(8, [1, 6]), bumps(7, [5, 1])]
    X = np.random.default_rng(0).dirichlet([0.3, 0.3], 20) @ product_atoms(factors)
    model = WassersteinDictionary(2, shape=(8, 7), random_state=1).fit(X)
    assert model.status_.name == "CONVERGED"
    assert 0 <= model.excess_ / 20 < 1e-4
    distance = model._distance(product_atoms(factors))
    truth = distance.conjugate(np.zeros_like(distance.X))[1]  # what is nearest to them is blurred
    cosines = model.components_ @ truth.T
    cosines /= np.linalg.norm(model.components_, axis=1)[:, None] * np.linalg.norm(truth, axis=1)
    assert np.all(cosines.max(axis=1) > 0.98)
    np.testing.assert_allclose(model.codes_.sum(axis=1), 1.0)
    np.testing.assert_allclose(model.transform(X), model.codes_, atol=0.05)
    np.testing.assert_allclose(model.inverse_transform(model.codes_), model.codes_ @ model.components_)


def test_as_many_atoms_as_signals_reach_what_no_dictionary_can_go_below():
    X = np.random.default_rng(3).dirichlet(np.ones(6), 3)
    model = WassersteinDictionary(3, reg=0.05, random_state=0, max_iter=300).fit(X)
    assert model.status_.name == "CONVERGED"
    assert 0 <= model.excess_ / 3 < 1e-4
    fewer = WassersteinDictionary(1, reg=0.05, random_state=0).fit(X)
    assert fewer.excess_ > 20 * model.excess_


def test_the_objective_falls_with_every_sweep():
    distance, _, factors, codes = made()
    sweeps = _cp_dictionary._sweeps(distance, factors, codes, 0.05, 1e-3)
    fits = [next(sweeps).coef for _ in range(8)][1:]
    objective = [distance.total(fit.G, fit.codes.T @ product_atoms(fit.factors)) for fit in fits]
    assert np.all(np.diff(objective) <= 2e-5)
    assert objective[-1] < objective[0] - 1e-3


def test_scaled_signals_are_the_same_distributions():
    X = np.random.default_rng(0).random((6, 5))
    one, other = (
        WassersteinDictionary(2, max_iter=3, tol=10.0, random_state=0).fit(values).components_
        for values in (X, X * np.arange(1, 7)[:, None] * 1e200)
    )
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_bad_input_is_named():
    X = np.random.default_rng(0).random((6, 5))
    with pytest.raises(ValueError, match=r"pass X.reshape\(4, -1\), and shape=\(2, 3\) to"):
        WassersteinDictionary().fit(np.ones((4, 2, 3)))
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


def test_codes_of_new_signals_keep_to_the_tolerance():
    rng = np.random.default_rng(0)
    X = rng.dirichlet(0.5 * np.ones(8), 12)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = WassersteinDictionary(3, tol=1e-3, random_state=0).fit(X)
        codes = model.transform(rng.dirichlet(0.5 * np.ones(8), 25))
    np.testing.assert_allclose(codes.sum(axis=1), 1.0)
