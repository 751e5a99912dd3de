"""Elastic costs: regularisers against their definitions, proxes against search, sums over pairs against plain arrays."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from sparsecode.transport._elastic import elastic_regulariser
from sparsecode.transport._elastic_sums import elastic_costs, mean_slopes
from tests.transport.elastic_twins import CASES, D, cost, named, slope, tau

every_case = pytest.mark.parametrize("case", **named(CASES))
KINDS = {"dense": np.asarray, "csr": sp.csr_array}


def regulariser(case, d=D):
    return elastic_regulariser(case["penalty"], **{"gamma": 0.4, **case["options"]}, d=d)


def points(n, d=D, seed=0, sparse=False):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n, d))
    return values * (rng.random((n, d)) < 0.4) if sparse else values


@every_case
def test_slopes_of_the_twin_are_derivatives_of_its_values(case):
    z, step = points(5), 1e-6
    for k in range(D):
        change = step * np.eye(D)[k]
        numeric = (tau(case, z + change) - tau(case, z - change)) / (2 * step)
        np.testing.assert_allclose(slope(case, z)[:, k], numeric, atol=1e-7)


@every_case
@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("shape", [(3, 2), (70, 40)])
def test_costs_between_all_pairs_are_those_of_the_definition(case, source, target, shape):
    X, Y = points(shape[0], sparse=True), points(shape[1], seed=1, sparse=True)
    X[0], Y[1] = Y[0], 0.0  # equal points, and one without entries
    made = elastic_costs(regulariser(case), KINDS[source](X), KINDS[target](Y))
    np.testing.assert_allclose(made, cost(case, X[:, None] - Y), atol=1e-12)
    assert made.min() >= 0


@every_case
@pytest.mark.parametrize("kind", KINDS)
def test_mean_slopes_over_a_plan_are_those_of_the_definition(case, kind):
    X, Y = points(40, sparse=True), points(50, seed=1, sparse=True)
    Y[3] = X[2]  # at the kink
    plan = np.random.default_rng(2).dirichlet(np.full(50, 0.1), 40)
    made = mean_slopes(regulariser(case), X, KINDS[kind](Y), plan)
    expected = np.einsum("ij,ijk->ik", plan, slope(case, X[:, None] - Y) - Y)
    np.testing.assert_allclose(made, expected, atol=1e-12)


@every_case
def test_many_features_are_summed_as_few(case):
    rng = np.random.default_rng(0)
    d = 1037  # beyond every block of features, and no multiple of any
    X, Y = rng.standard_normal((3, d)), rng.standard_normal((2, d))
    if case["options"].get("groups") is not None:
        case = {**case, "options": {"groups": rng.integers(0, 200, d)}}
    made = elastic_costs(regulariser(case, d), X, Y)
    np.testing.assert_allclose(made, cost(case, X[:, None] - Y), rtol=1e-12)
    plan = rng.dirichlet(np.ones(2), 3)
    expected = np.einsum("ij,ijk->ik", plan, slope(case, X[:, None] - Y) - Y)
    np.testing.assert_allclose(mean_slopes(regulariser(case, d), X, Y, plan), expected, atol=1e-12)


@every_case
def test_blocks_of_sparse_rows_change_nothing(case, monkeypatch):
    monkeypatch.setattr("sparsecode.transport._elastic_sums._ENTRIES", 40)
    X, Y = points(70, sparse=True), points(33, seed=1, sparse=True)
    np.testing.assert_allclose(
        elastic_costs(regulariser(case), sp.csr_array(X), sp.csr_array(Y)), cost(case, X[:, None] - Y), atol=1e-12
    )
    plan = np.random.default_rng(2).dirichlet(np.ones(33), 70)
    expected = np.einsum("ij,ijk->ik", plan, slope(case, X[:, None] - Y) - Y)
    np.testing.assert_allclose(mean_slopes(regulariser(case), X, sp.csr_array(Y), plan), expected, atol=1e-12)


# ---------------------------------------------------------------- proxes


def beaten_by(case, w, z):
    """How much lower than at z Nelder-Mead and random search get ``|z - w|^2 / 2 + tau(z)``."""

    def objective(z):
        return 0.5 * np.sum((z - w) ** 2, axis=-1) + tau(case, z)

    rng = np.random.default_rng(0)
    nearby = z + np.logspace(-6, 0.5, 2000)[:, None] * rng.standard_normal((2000, w.size))
    nearby[::2] *= rng.random((1000, w.size)) < 0.5  # the corners of the problem
    found = objective(nearby).min()
    for start in (z, w, nearby[np.argmin(objective(nearby))]):
        found = min(
            found, minimize(objective, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13}).fun
        )
    return objective(z) - found


@every_case
def test_no_search_beats_a_prox(case):
    for w in 1.5 * points(4, seed=3):
        assert beaten_by(case, w, regulariser(case).prox(w[None])[0]) < 1e-10


@every_case
def test_the_conjugate_cost_has_the_prox_as_its_gradient(case):
    """Also where the regulariser is scaled: ``h* = max <w, z> - h(z)`` by search, differentiated numerically."""

    def conjugate(w):
        start = regulariser(case).prox(w[None])[0] + 0.01
        found = minimize(
            lambda z: cost(case, z) - w @ z, start, method="Powell", options={"xtol": 1e-10, "ftol": 1e-15}
        )
        return -found.fun

    w, step = 1.5 * points(1, seed=4)[0], 1e-4
    numeric = [(conjugate(w + step * e) - conjugate(w - step * e)) / (2 * step) for e in np.eye(D)]
    np.testing.assert_allclose(regulariser(case).prox(w[None])[0], numeric, atol=2e-4)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_prox_of_the_k_support_norm_shrinks_each_entry_by_its_share(k):
    """Elsewhere it is wrong for k of 2 and more."""
    case = {"penalty": "k_support", "options": {"gamma": 0.7, "k": k}}
    for w in points(5, seed=5):
        z = regulariser(case).prox(w[None])[0]
        share = np.divide(z, w - z, out=np.ones(D), where=w != z) * 0.7  # t, from z = w t / (t + gamma)
        assert share.max() <= 1 + 1e-9
        assert share.sum() == pytest.approx(k)
        assert beaten_by(case, w, z) < 1e-10


@pytest.mark.parametrize("scale", [0.3, 1.0, 1.9])
def test_vanishing_shrinkage_of_any_scale_solves_its_equation(scale):
    """Elsewhere it is wrong for scales other than one. At one it is ``(1 - gamma^2 / w^2)_+ w``."""
    case = {"penalty": "stvs", "options": {"gamma": 0.8, "scale": scale}}
    w = np.linspace(-5, 5, 101)[None]
    z = regulariser(case, 101).prox(w)
    np.testing.assert_array_equal(z == 0, np.abs(w) <= scale * 0.8)
    moved = z != 0
    np.testing.assert_allclose((z + slope(case, z))[moved], w[moved], atol=1e-12)
    if scale == 1.0:
        np.testing.assert_allclose(z, np.maximum(1 - 0.64 / np.maximum(w**2, 1e-9), 0) * w, atol=1e-12)


def test_squares_of_the_k_support_norm_end_at_those_of_the_l1_and_the_euclidean_norm():
    X = points(6)
    zero = np.zeros((1, D))
    for k, square in ((1, np.abs(X).sum(1) ** 2), (D, (X**2).sum(1))):
        made = elastic_costs(elastic_regulariser("k_support", 0.6, D, k=k), X, zero)[:, 0]
        np.testing.assert_allclose(made, 0.5 * (X**2).sum(1) + 0.3 * square, rtol=1e-12)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"penalty": "l2"}, "penalty must be one of"),
        ({"penalty": "l1", "gamma": -1.0}, "gamma must be at least 0"),
        ({"penalty": "stvs", "gamma": 0.0}, "gamma must be greater than 0"),
        ({"penalty": "stvs", "scale": 2.0}, "scale must be below 2"),
        ({"penalty": "k_support", "k": 0}, "k must be an integer of at least 1"),
        ({"penalty": "k_support", "k": 7}, "k must lie between 1 and the number of features, 6; got 7"),
        ({"penalty": "group"}, "needs groups"),
        ({"penalty": "group", "groups": [1, 2]}, "2 labels"),
        ({"penalty": "group", "groups": 2, "group_weights": [1.0]}, "1 entries; there are 3 groups"),
        ({"penalty": "group", "groups": 2, "group_weights": [1.0, 1.0, np.inf]}, "group_weights must be finite"),
    ],
)
def test_parameters_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        elastic_regulariser(**{"gamma": 1.0, "d": D, **arguments})
