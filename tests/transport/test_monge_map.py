"""The sparse map against its definition, its special cases, and a planted truth."""

import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError

from sparsecode import SparseMongeMap
from sparsecode.transport import elastic_cost
from sparsecode.transport._elastic import elastic_regulariser
from tests.transport import naive
from tests.transport.elastic_twins import CASES, D, cost, named, slope

every_case = pytest.mark.parametrize("case", **named(CASES))


def samples(n=30, m=25, d=D, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((m, d)) + np.eye(d)[0] * 1.5


def model_of(case, **options):
    return SparseMongeMap(case["penalty"], **{"gamma": 0.4, "tol": 1e-12, **case["options"], **options})


def naive_map(case, points, anchors, potential, reg):
    """The map written from the formula, with its weights and the argument of the prox."""
    z = points[:, None] - anchors
    weights = softmax((potential - cost(case, z)) / reg, axis=1)
    inner = points + np.einsum("ij,ijk->ik", weights, slope(case, z) - anchors)
    regulariser = elastic_regulariser(case["penalty"], **{"gamma": 0.4, **case["options"], "d": points.shape[1]})
    return points - regulariser.prox(inner), weights, inner


@every_case
def test_the_map_is_that_of_the_definition_with_naive_potentials(case):
    X, Y = samples()
    rng = np.random.default_rng(1)
    a, b = rng.dirichlet(np.full(30, 5.0)), rng.dirichlet(np.full(25, 5.0))
    model = model_of(case).fit(X, Y, a, b)
    C = cost(case, X[:, None] - Y)
    assert model.reg_ == pytest.approx(0.05 * C.mean())
    f, g = naive.sinkhorn(a, b, C, model.reg_)
    Z = rng.standard_normal((7, D))
    np.testing.assert_allclose(model.transform(Z), naive_map(case, Z, Y, g, model.reg_)[0], atol=1e-8)
    np.testing.assert_allclose(model.inverse_transform(Z), naive_map(case, Z, X, f, model.reg_)[0], atol=1e-8)
    np.testing.assert_allclose(model.f_ + model.g_[0], f + g[0], atol=1e-8)
    assert model.certificate_ <= 1e-12
    assert abs(model.gap_) < 1e-9


@every_case
def test_the_argument_of_the_prox_is_the_gradient_of_the_extended_potential(case):
    X, Y = samples()
    model = model_of(case).fit(X, Y)

    def potential(x):
        scores = (model.g_ - cost(case, x[:, None] - Y)) / model.reg_
        top = scores.max(axis=1)
        return -model.reg_ * (top + np.log(np.exp(scores - top[:, None]).sum(axis=1)))

    np.testing.assert_allclose(potential(X), model.f_ + model.reg_ * np.log(30), atol=1e-9)  # f - reg log a
    Z, step = np.random.default_rng(1).standard_normal((5, D)), 1e-5
    steps = step * np.eye(D)
    gradient = np.stack([(potential(Z + e) - potential(Z - e)) / (2 * step) for e in steps], axis=1)
    np.testing.assert_allclose(naive_map(case, Z, Y, model.g_, model.reg_)[2], gradient, atol=1e-6)
    options = {"gamma": 0.4, **case["options"], "d": D}
    prox = elastic_regulariser(case["penalty"], **options).prox
    np.testing.assert_allclose(model.displacement(Z), -prox(gradient), atol=1e-6)


@every_case
def test_displacements_are_bregman_centroids(case):
    """``x - T(x)`` minimises ``sum_j p_j D_h(z, x - y_j)`` over z."""
    X, Y = samples()
    model = model_of(case).fit(X, Y)
    x = np.random.default_rng(2).standard_normal((1, D))
    weights = naive_map(case, x, Y, model.g_, model.reg_)[1][0]
    apart = x - Y  # (m, d)
    slopes = apart + slope(case, apart)

    def divergence(z):
        linear = np.einsum("mk,qmk->qm", slopes, z[:, None] - apart)
        return (cost(case, z)[:, None] - cost(case, apart) - linear) @ weights

    z = -model.displacement(x)
    rng = np.random.default_rng(3)
    others = z + np.logspace(-4, 0, 1000)[:, None] * rng.standard_normal((1000, D)) * (rng.random((1000, D)) < 0.5)
    assert divergence(z)[0] >= 0
    assert divergence(others).min() >= divergence(z)[0] - 1e-12


def test_points_near_and_far_are_mapped_each_for_itself():
    X, Y = samples()
    model = SparseMongeMap("l1", 0.4, 0.5).fit(X, Y)
    Z = np.vstack([X[:2], X[:2] + 300.0, X[:2] - 1e4])
    together = model.transform(Z)
    np.testing.assert_allclose(together, naive_map(CASES[0], Z, Y, model.g_, 0.5)[0], rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(together, np.vstack([model.transform(z[None]) for z in Z]), rtol=1e-12)


def test_without_a_regulariser_it_is_the_entropic_map():
    X, Y = samples()
    model = SparseMongeMap("l1", 0.0, tol=1e-12).fit(X, Y)
    squared = ((X[:, None] - Y) ** 2).sum(-1) / 2
    g = naive.sinkhorn(np.full(30, 1 / 30), np.full(25, 1 / 25), squared, model.reg_)[1]
    expected = softmax((g - squared) / model.reg_, axis=1) @ Y
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-9)


@every_case
def test_a_single_target_is_where_all_points_go(case):
    X, _ = samples()
    y = np.array([[0.5, 0.0, X[0, 2], -1.0, 2.0, 0.0]])  # at a kink for the first point
    model = model_of(case).fit(X, y)
    np.testing.assert_allclose(model.transform(X), np.repeat(y, 30, axis=0), atol=1e-12)
    np.testing.assert_array_equal(model_of(case).fit(X[:1], X[:1]).displacement(X[:1]), 0.0)


@every_case
def test_moving_both_samples_moves_the_map_along(case):
    X, Y = samples()
    shift = 3.0 * np.random.default_rng(4).standard_normal(D)
    one, other = model_of(case, reg=0.5).fit(X, Y), model_of(case, reg=0.5).fit(X + shift, Y + shift)
    np.testing.assert_allclose(other.displacement(X + shift), one.displacement(X), atol=1e-8)


@every_case
@pytest.mark.parametrize("factor", [1e-100, 1e-9, 1e9, 1e100])
def test_the_unit_of_the_features_does_not_matter(case, factor):
    X, Y = samples()
    gamma = {"gamma": 0.4, **case["options"]}["gamma"]
    strength = gamma if case["penalty"] == "k_support" else gamma * factor
    model, other = model_of(case).fit(X, Y), model_of(case, gamma=strength).fit(factor * X, factor * Y)
    np.testing.assert_allclose(other.transform(factor * X) / factor, model.transform(X), atol=1e-7)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("factor", [1e-40, 1e40])
def test_the_gap_has_squared_units_of_the_features(factor):
    X, Y = samples()
    model, other = (SparseMongeMap("l1", 0.4 * s, max_iter=2).fit(s * X, s * Y) for s in (1.0, factor))
    assert model.gap_ > 1e-3
    assert other.gap_ / factor**2 == pytest.approx(model.gap_, rel=1e-9)


@pytest.mark.parametrize("options", [{"penalty": "group", "groups": 2}, {"penalty": "k_support", "k": 2}])
def test_every_regulariser_of_strength_zero_leaves_the_entropic_map(options):
    X, Y = samples()
    plain = SparseMongeMap("l1", 0.0, 1.0).fit(X, Y).transform(X)
    np.testing.assert_allclose(SparseMongeMap(gamma=0.0, reg=1.0, **options).fit(X, Y).transform(X), plain, atol=1e-10)


def test_much_entropy_averages_over_all_targets():
    X, Y = samples()
    b = np.random.default_rng(5).dirichlet(np.ones(25))
    model = SparseMongeMap("l1", 0.0, reg=1e8, tol=1e-12).fit(X, Y, b=b)
    np.testing.assert_allclose(model.transform(X), np.repeat(b[None] @ Y, 30, axis=0), atol=1e-5)


def test_targets_without_mass_are_as_if_they_were_not_there():
    X, Y = samples()
    b = np.r_[np.zeros(5), np.full(20, 0.05)]
    with_them, without = (SparseMongeMap("stvs", 0.4, 0.5).fit(X, *data) for data in ((Y, None, b), (Y[5:],)))
    np.testing.assert_allclose(with_them.transform(X), without.transform(X), atol=1e-8)
    assert np.all(np.isneginf(with_them.g_[:5]))


@every_case
def test_exchanging_the_samples_exchanges_the_directions(case):
    X, Y = samples()
    there, back = model_of(case, reg=0.5).fit(X, Y), model_of(case, reg=0.5).fit(Y, X)
    np.testing.assert_allclose(there.transform(X), back.inverse_transform(X), atol=1e-8)


def known_map(X):
    """Doubles and shifts two coordinates: monotone in each, so optimal for every cost here."""
    T = X.copy()
    T[:, :2] = 2 * X[:, :2] + 3
    return T


@pytest.mark.parametrize("penalty", ["l1", "stvs"])
def test_a_planted_map_is_found_in_few_of_many_coordinates(penalty):
    rng = np.random.default_rng(0)
    X, Y, Z = rng.random((300, 256)), known_map(rng.random((300, 256))), rng.random((100, 256))
    truth = known_map(Z) - Z

    def error(moved):
        return np.sum((moved - truth) ** 2) / np.sum(truth**2)

    moved = SparseMongeMap(penalty, 16.0).fit(X, Y).displacement(Z)
    assert error(moved) <= 0.08
    assert np.mean(np.count_nonzero(moved, axis=1)) <= 20
    assert np.all(moved[:, :2] != 0)
    assert error(SparseMongeMap("l1", 0.0).fit(X, Y).displacement(Z)) > 0.6


# ---------------------------------------------------------------- kinds of points, blocks, memory


@every_case
@pytest.mark.parametrize(
    "kinds", [(sp.csr_array, sp.csr_array), (sp.csr_matrix, np.asarray), (np.asarray, sp.csc_array)]
)
def test_compressed_rows_give_the_same_map(case, kinds):
    X, Y = (values * (np.abs(values) > 0.7) for values in samples())
    reference = model_of(case, reg=0.5).fit(X, Y)
    model = model_of(case, reg=0.5).fit(kinds[0](X), kinds[1](Y))
    for method in ("transform", "displacement", "inverse_transform"):
        expected = getattr(reference, method)(X)
        made = getattr(model, method)(sp.csr_array(X))
        assert sp.issparse(made)
        assert made.format == "csr"
        np.testing.assert_allclose(made.toarray(), expected, atol=1e-8)
        np.testing.assert_allclose(getattr(model, method)(X), expected, atol=1e-8)
    assert model.displacement(sp.csr_array(X)).nnz == np.count_nonzero(reference.displacement(X))
    assert model.score(sp.csr_array(X), sp.csr_array(Y)) == pytest.approx(reference.score(X, Y), abs=1e-8)


def test_a_tolerance_of_zero_is_refused_by_its_own_name():
    with pytest.raises(InvalidParameterError, match="'tol' parameter of SparseMongeMap"):
        SparseMongeMap(tol=0).fit(*samples())


@every_case
def test_blocks_of_rows_change_nothing(case, monkeypatch):
    X, Y = samples(90)
    whole = model_of(case, reg=0.5).fit(X, Y).transform(X)
    monkeypatch.setattr("sparsecode.transport._elastic_map.block_rows", lambda d: 7)
    monkeypatch.setattr("sparsecode.transport._elastic_sums._LANES", 3)
    np.testing.assert_allclose(model_of(case, reg=0.5).fit(X, Y).transform(X), whole, atol=1e-12)


def test_no_array_of_all_pairs_and_features_is_made():
    rng = np.random.default_rng(0)
    X, Y = rng.random((200, 2000)), rng.random((200, 2000))
    model = SparseMongeMap("stvs", 1.0, tol=1e-6)
    model.fit(X[:40], Y[:40]).transform(X[:40])  # compiles
    tracemalloc.start()
    model.fit(X, Y).transform(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * X.nbytes  # an array of (n, m, d) is 200 times as large


def test_the_cost_of_sparse_points_needs_little_beside_itself():
    rng = np.random.default_rng(0)
    X, Y = (sp.random_array((300, 20_000), density=0.02, format="csr", random_state=rng) for _ in range(2))
    elastic_cost(X[:40], Y[:40])
    tracemalloc.start()
    made = elastic_cost(X, Y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < made.nbytes + 8 * 2**20  # dense samples take 48 MB each


def test_single_precision_stays_single():
    X, Y = (values.astype(np.float32) for values in samples())
    model = SparseMongeMap("stvs", 0.4).fit(X, Y)
    assert model.transform(X).dtype == model.displacement(sp.csr_array(X)).dtype == np.float32
    np.testing.assert_allclose(model.transform(X), model.transform(X.astype(float)), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------- scores


def test_the_score_is_a_debiased_transport_value():
    X, Y = samples()
    model = SparseMongeMap("l1", 0.4).fit(X, Y)
    T = model.transform(X)
    reg = ((Y[:, None] - Y) ** 2).sum(-1).mean() / 2

    def value(X, Y):
        a, b = np.full(len(X), 1 / len(X)), np.full(len(Y), 1 / len(Y))
        C = ((X[:, None] - Y) ** 2).sum(-1) / 2
        P = naive.plan(*naive.sinkhorn(a, b, C, reg, tol=1e-9, max_iter=3000), C, reg)
        return np.sum(P * C) + reg * np.sum(P * np.log(P / np.outer(a, b)))

    assert model.score(X, Y) == pytest.approx(value(T, T) / 2 + value(Y, Y) / 2 - value(T, Y), abs=1e-7)
    assert model.score(X, Y) > SparseMongeMap("l1", 50.0).fit(X, Y).score(X, Y)
    assert clone(model).set_params(gamma=0.0).fit(Y, Y[:1]).score(Y, Y[:1]) == pytest.approx(0.0, abs=1e-9)


def test_held_out_samples_choose_the_strength():
    rng = np.random.default_rng(0)
    X, Y = rng.random((400, 20)), known_map(rng.random((400, 20)))
    search = GridSearchCV(SparseMongeMap("stvs", tol=1e-6), {"gamma": [0.01, 4.0]}, cv=2).fit(X, Y)
    assert search.best_params_ == {"gamma": 4.0}


# ---------------------------------------------------------------- bad input


def test_bad_input_gets_an_error_that_names_it():
    X, Y = samples()
    for data, message in (
        ((X, Y[:, :-1]), "Y has 5 features, but X has 6"),
        ((X, np.where(Y > 1, np.nan, Y)), "Input Y contains NaN"),
        ((X, None), "requires y to be passed"),
        ((X, Y[0]), "Expected 2D array"),
        ((1e200 * X, Y), "cost overflows"),
        ((1e-200 * X, 1e-200 * Y), "squares vanish"),
        ((X, Y, -np.ones(30)), r"a\[0\] is -1"),
        ((X, Y, None, np.ones(3)), "b has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            SparseMongeMap().fit(*data)
    for options, message in (
        ({"penalty": "k_support", "k": 7}, "k must lie between 1 and the number of features, 6"),
        ({"gamma": -1.0}, "gamma"),
        ({"reg": 0.0}, "reg"),
        ({"penalty": "lasso"}, "penalty"),
        ({"penalty": "group"}, "groups"),
    ):
        with pytest.raises(ValueError, match=message):
            SparseMongeMap(**options).fit(X, Y)
    with pytest.raises(ValueError, match="Y has 2 features, but X has 6"):
        elastic_cost(X, Y[:, :2])


def test_columns_in_another_order_are_noticed():
    pd = pytest.importorskip("pandas")
    X, Y = (pd.DataFrame(values, columns=list("abcdef")) for values in samples())
    model = SparseMongeMap().fit(X, Y)
    assert list(model.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        SparseMongeMap().fit(X, Y[list("fedcba")])


def test_an_unproved_plan_is_announced_once():
    with pytest.warns(ConvergenceWarning, match="marginal error") as caught:
        SparseMongeMap(reg=0.02, max_iter=1).fit(*samples())
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SparseMongeMap().fit(*samples())
