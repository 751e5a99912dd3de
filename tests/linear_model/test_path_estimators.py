"""Strengths chosen by cross-validation and by information criteria, for every family, against their definitions."""

from math import comb, log

import numpy as np
import pytest
import sklearn.linear_model as peers
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import KFold

from sparsecode import (
    L1,
    Box,
    ElasticNet,
    ElasticNetCV,
    ElasticNetIC,
    GroupLasso,
    GroupLassoCV,
    Huber,
    HuberLasso,
    HuberLassoCV,
    LADLasso,
    LADLassoCV,
    LassoCV,
    LassoIC,
    Logistic,
    MultiTaskLasso,
    MultiTaskLassoCV,
    NonconvexRegressor,
    NonconvexRegressorCV,
    NonconvexRegressorIC,
    Poisson,
    SparseGLM,
    SparseGLMCV,
    SparseGLMIC,
    SparsePoissonRegressor,
    SparsePoissonRegressorCV,
    SquareRootLasso,
    SquareRootLassoCV,
    TotalVariation1D,
)
from sparsecode.solvers.criteria import criterion_of_fit
from sparsecode.solvers.problem import make_problem
from tests.planted import planted

FOLDS = KFold(3, shuffle=True, random_state=0)
ALPHAS = np.array([0.3, 0.1, 0.05])


@pytest.fixture(scope="module")
def data():
    A, y, _ = planted(60, 20, 4, noise=0.5, seed=1)
    return A + np.linspace(-1, 1, 20), y + 3.0


def squared(y, z):
    return np.mean((y - z) ** 2)


def poisson(y, z):
    positive = np.where(y > 0, y, 1.0)
    return np.mean(np.where(y > 0, y * np.log(positive / z), 0.0) - y + z)


def huber(y, z):
    size = np.abs(y - z)
    return np.mean(np.where(size <= 0.7, size**2 / 2, 0.7 * size - 0.7**2 / 2))


FAMILIES = [
    (ElasticNetCV(l1_ratio=0.7), ElasticNet(l1_ratio=0.7), squared, "mse_path_"),
    (GroupLassoCV(groups=3, l1_ratio=0.2), GroupLasso(groups=3, l1_ratio=0.2), squared, "mse_path_"),
    (SquareRootLassoCV(), SquareRootLasso(), lambda y, z: np.sqrt(squared(y, z)), "error_path_"),
    (LADLassoCV(quantile=0.5), LADLasso(), lambda y, z: np.mean(np.abs(y - z)) / 2, "error_path_"),
    (HuberLassoCV(delta=0.7), HuberLasso(delta=0.7), huber, "error_path_"),
    (NonconvexRegressorCV("mcp", gamma=20.0), NonconvexRegressor(penalty="mcp", gamma=20.0), squared, "mse_path_"),
    (SparsePoissonRegressorCV(), SparsePoissonRegressor(), poisson, "error_path_"),
]


@pytest.mark.parametrize(("search", "single", "error", "name"), FAMILIES, ids=lambda part: type(part).__name__)
def test_cv_equals_its_definition(data, search, single, error, name):
    """Every strength on every fold by itself, on the rows of its training set alone."""
    X, y = data
    y = np.round(np.abs(y)) if isinstance(single, SparsePoissonRegressor) else y
    model = clone(search).set_params(alphas=ALPHAS[::-1], cv=FOLDS, tol=1e-9).fit(X, y)
    expected = np.empty((3, 3))
    for i, alpha in enumerate(ALPHAS):
        for k, (train, test) in enumerate(FOLDS.split(X)):
            alone = clone(single).set_params(alpha=alpha, tol=1e-9).fit(X[train], y[train])
            expected[i, k] = error(y[test], alone.predict(X[test]))
    np.testing.assert_allclose(getattr(model, name), expected, rtol=1e-3)
    np.testing.assert_array_equal(model.alphas_, ALPHAS)
    assert model.alpha_ == ALPHAS[np.argmin(expected.mean(axis=1))]
    refit = clone(single).set_params(alpha=model.alpha_, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(model.coef_, refit.coef_, atol=1e-3)


def test_the_elastic_nets_ratios_share_folds_and_have_grids_of_their_own(data):
    X, y = data
    model = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=5, eps=0.05, cv=FOLDS, tol=1e-9).fit(X, y)
    assert model.alphas_.shape == (2, 5) and model.mse_path_.shape == (2, 5, 3)
    np.testing.assert_allclose(model.alphas_[0], 2 * model.alphas_[1])
    lasso = LassoCV(alphas=5, eps=0.05, cv=FOLDS, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(model.mse_path_[1], lasso.mse_path_, rtol=1e-5)
    best = np.unravel_index(np.argmin(model.mse_path_.mean(axis=-1)), (2, 5))
    assert model.l1_ratio_ == [0.5, 1.0][best[0]] and model.alpha_ == model.alphas_[best]
    peer = peers.ElasticNetCV(l1_ratio=0.5, alphas=model.alphas_[0], cv=FOLDS, tol=1e-10, max_iter=10**6).fit(X, y)
    np.testing.assert_allclose(model.mse_path_[0], peer.mse_path_, rtol=1e-4)


def test_multi_task_cv_equals_scikit_learn():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 20)) + 0.5
    Y = X[:, :3] @ rng.standard_normal((3, 2)) + 0.5 * rng.standard_normal((60, 2))
    model = MultiTaskLassoCV(alphas=ALPHAS, cv=FOLDS, tol=1e-10).fit(X, Y)
    peer = peers.MultiTaskLassoCV(alphas=ALPHAS, cv=FOLDS, tol=1e-10, max_iter=10**6).fit(X, Y)
    np.testing.assert_allclose(model.mse_path_, peer.mse_path_, rtol=1e-4)
    assert model.alpha_ == peer.alpha_
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-4)
    np.testing.assert_allclose(model.coef_, MultiTaskLasso(model.alpha_, tol=1e-10).fit(X, Y).coef_, atol=1e-5)


def test_a_scorer_judges_instead_of_the_loss(data):
    X, y = data
    model = LassoCV(alphas=ALPHAS, cv=FOLDS, scoring="neg_mean_absolute_error", tol=1e-9).fit(X, y)
    for i, alpha in enumerate(ALPHAS):
        for k, (train, test) in enumerate(FOLDS.split(X)):
            peer = peers.Lasso(alpha, tol=1e-12, max_iter=10**6).fit(X[train], y[train])
            assert model.mse_path_[i, k] == pytest.approx(mean_absolute_error(y[test], peer.predict(X[test])), rel=1e-4)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
    weighted = LassoCV(alphas=ALPHAS, cv=FOLDS, scoring="neg_mean_squared_error", tol=1e-9).fit(X, y, weights)
    by_loss = LassoCV(alphas=ALPHAS, cv=FOLDS, tol=1e-9).fit(X, y, weights)
    np.testing.assert_allclose(weighted.mse_path_, by_loss.mse_path_, rtol=1e-6)


@pytest.mark.parametrize("search", [HuberLassoCV(), SparsePoissonRegressorCV()])
def test_sample_weights_are_repetition(data, search):
    X, y = data
    y = np.round(np.abs(y))
    counts = np.random.default_rng(0).integers(0, 3, 60)
    group = np.arange(60) % 3
    repeated = np.repeat(np.arange(60), counts)
    folds = [(np.flatnonzero(group != k), np.flatnonzero(group == k)) for k in range(3)]
    longer = [(np.flatnonzero(group[repeated] != k), np.flatnonzero(group[repeated] == k)) for k in range(3)]
    one = clone(search).set_params(alphas=ALPHAS, cv=folds, tol=1e-9).fit(X, y, counts)
    other = clone(search).set_params(alphas=ALPHAS, cv=longer, tol=1e-9).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(one.error_path_, other.error_path_, rtol=1e-4)
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-4)


def test_any_pair_is_cross_validated(data):
    X, y = data
    pair = SparseGLMCV(Huber(0.7), L1(9.0), alphas=ALPHAS, cv=FOLDS, tol=1e-9).fit(X, y)
    family = HuberLassoCV(delta=0.7, alphas=ALPHAS, cv=FOLDS, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(pair.error_path_, family.error_path_, rtol=1e-6)
    classes = np.digitize(y, [2.0, 4.0])
    joined = SparseGLMCV("multinomial", alphas=4, eps=0.1, cv=3).fit(X, np.eye(3)[classes])
    assert joined.coef_.shape == (3, 20)
    with pytest.raises(ValueError, match="takes one target"):
        SparseGLMCV().fit(X, np.stack([y, y], axis=1))


def test_the_powers_need_strengths_of_their_own(data):
    with pytest.raises(ValueError, match="zero is stationary at every strength of Lq"):
        NonconvexRegressorCV("lq").fit(*data)
    model = NonconvexRegressorCV("lq", alphas=[1.0, 0.1], cv=3).fit(*data)
    assert model.support_.size


def test_poisson_criterion_by_its_formula(data):
    X, _ = data
    counts = np.random.default_rng(0).poisson(np.exp(0.5 * X[:, 3] + 1))
    model = SparseGLMIC("ebic", Poisson(), ebic_gamma=0.5, alphas=ALPHAS, tol=1e-10).fit(X, counts)
    for alpha, value in zip(model.alphas_, model.criterion_, strict=True):
        alone = SparsePoissonRegressor(alpha, tol=1e-10).fit(X, counts)
        size = alone.support_.size
        expected = 2 * 60 * poisson(counts, alone.predict(X)) + size * log(60) + log(comb(20, size))
        assert value == pytest.approx(expected, rel=1e-5)
    assert model.alpha_ == model.alphas_[np.argmin(model.criterion_)]


def test_logistic_criterion_by_its_formula(data):
    X, y = data
    label = np.where(y > 3, 1.0, -1.0)
    model = SparseGLMIC("aic", Logistic(), alphas=[0.1, 0.03], tol=1e-10).fit(X, label)
    for alpha, value in zip(model.alphas_, model.criterion_, strict=True):
        alone = SparseGLM(Logistic(), L1(alpha), tol=1e-10).fit(X, label)
        likelihood = np.where(label > 0, alone.predict(X), 1 - alone.predict(X))
        assert value == pytest.approx(-2 * np.log(likelihood).sum() + 2 * alone.support_.size, rel=1e-5)


@pytest.mark.parametrize("loss", [Logistic(), Poisson()], ids=["logistic", "poisson"])
def test_supports_above_half_of_the_samples_are_left_out(loss):
    X = np.random.default_rng(0).standard_normal((10, 8))
    problem = make_problem(X, np.tile([1.0, -1.0], 5) if isinstance(loss, Logistic) else np.arange(10.0), loss, L1(0.1))
    for size, left_out in ((5, False), (6, True)):
        coef = np.where(np.arange(8) < size, 0.1, 0.0)
        assert np.isinf(criterion_of_fit("bic", problem, coef, 10)) == left_out


def test_the_ridge_has_fewer_degrees_of_freedom_than_coefficients(data):
    X, y = data
    model = ElasticNetIC("aic", l1_ratio=0.5, noise_variance=0.25, alphas=ALPHAS, tol=1e-11).fit(X, y)
    for alpha, value in zip(model.alphas_, model.criterion_, strict=True):
        alone = ElasticNet(alpha, l1_ratio=0.5, tol=1e-11).fit(X, y)
        used = (X - X.mean(axis=0))[:, alone.support_]
        hat = used @ np.linalg.solve(used.T @ used + 60 * alpha * 0.5 * np.eye(used.shape[1]), used.T)
        rss = np.sum((y - alone.predict(X)) ** 2)
        assert value == pytest.approx(60 * log(2 * np.pi * 0.25) + rss / 0.25 + 2 * np.trace(hat), rel=1e-5)


def test_criteria_of_families_agree_where_the_families_do(data):
    X, y = data
    lasso = LassoIC(alphas=ALPHAS, tol=1e-11).fit(X, y)
    for other in (ElasticNetIC(l1_ratio=1.0), SparseGLMIC(), NonconvexRegressorIC(penalty="mcp", gamma=1e9)):
        model = clone(other).set_params(alphas=ALPHAS, tol=1e-10).fit(X, y)
        np.testing.assert_allclose(model.criterion_, lasso.criterion_, rtol=1e-4)


def test_losses_that_are_no_likelihood_have_no_criterion(data):
    with pytest.raises(ValueError, match="an information criterion needs a likelihood, and Huber is none"):
        SparseGLMIC(loss="huber").fit(*data)


def test_nonconvex_criteria_find_the_planted_support():
    A, y, coef = planted(100, 60, 5, noise=0.3, seed=3)
    model = NonconvexRegressorIC("ebic").fit(A, y)
    np.testing.assert_array_equal(model.support_, np.flatnonzero(coef))
    oracle = np.linalg.lstsq(A[:, model.support_], y)[0]
    np.testing.assert_allclose(model.coef_[model.support_], oracle, atol=0.05)


def test_folds_count_by_the_weight_of_what_they_hold_out():
    """A fold of one sample, on which the weaker strength is far better, must not decide."""
    rng = np.random.default_rng(0)
    X, noise = rng.standard_normal((41, 3)), rng.standard_normal(41)
    y = 0.15 * X[:, 0] + noise
    y[40] = 40.0 * np.sign(X[40, 0])
    folds = [(np.arange(20), np.arange(20, 40)), (np.arange(20, 41), np.arange(20)), (np.arange(40), np.array([40]))]
    model = LassoCV(alphas=[1.0, 1e-3], cv=folds, tol=1e-10).fit(X, y)
    sizes = np.array([20, 20, 1])
    assert model.alpha_ == model.alphas_[np.argmin(model.mse_path_ @ sizes)]
    weight = np.append(np.ones(40), 1e-6)
    weighted = LassoCV(alphas=[1.0, 1e-3], cv=folds, tol=1e-10).fit(X, y, weight)
    pooled = weighted.mse_path_ @ np.array([20, 20, 1e-6])
    assert weighted.alpha_ == weighted.alphas_[np.argmin(pooled)]
    assert np.argmin(pooled) != np.argmin(weighted.mse_path_.sum(axis=1))


def test_a_score_that_is_no_number_never_wins(data):
    X, y = data

    def score(model, X, y):
        return (
            np.nan if model.coef_.any() and np.count_nonzero(model.coef_) < 3 else -np.mean((y - model.predict(X)) ** 2)
        )

    model = LassoCV(alphas=10, cv=4, scoring=score).fit(X, y)
    assert np.isnan(model.mse_path_).any()
    held = np.mean(model.mse_path_, axis=1)
    assert model.alpha_ == model.alphas_[np.nanargmin(held)]
    with pytest.raises(ValueError, match="not finite at any strength"):
        LassoCV(alphas=3, cv=4, scoring=lambda model, X, y: np.nan).fit(X, y)


def test_a_criterion_that_leaves_all_out_is_said(data):
    X, y = data
    weights = np.r_[np.zeros(8), np.ones(X.shape[1] - 8)]
    with pytest.raises(ValueError, match="noise_variance"):
        LassoIC(alphas=5, penalty_weights=weights).fit(X[:12], y[:12])


@pytest.mark.parametrize("search", [SparseGLMCV, SparseGLMIC])
def test_a_penalty_without_strength_is_refused_by_name(data, search):
    with pytest.raises(ValueError, match="Box has no strength"):
        search(penalty=Box()).fit(*data)


@pytest.mark.parametrize("groups", [[[0, 1, 2], [2, 3]], [[0, 1], [2, 3]]])
def test_lists_of_members_are_no_groups(data, groups):
    with pytest.raises(ValueError, match="groups must be a block size or one label"):
        GroupLasso(groups=groups).fit(*data)


def test_the_weights_of_the_ridge_count_in_its_degrees_of_freedom(data):
    X, y = data
    weights = np.linspace(0.5, 4.0, X.shape[1])
    model = ElasticNetIC("bic", l1_ratio=0.5, alphas=[0.4], fit_intercept=False, penalty_weights=weights, tol=1e-10)
    model.fit(X, y)
    few = X[:, model.support_]
    gram = few.T @ few / len(y)
    freedom = np.trace(np.linalg.solve(gram + np.diag(0.4 * 0.5 * weights[model.support_]), gram))
    left = np.sum((y - X @ model.coef_) ** 2)
    expected = len(y) * (log(2 * np.pi * left / len(y)) + 1) + log(len(y)) * freedom
    assert freedom < model.support_.size - 0.5
    assert model.criterion_[0] == pytest.approx(expected, rel=1e-9)


def test_total_variation_counts_pieces_not_coefficients():
    """A level that is nowhere zero has as many non-zero coefficients as features: pieces are what the fit chooses."""
    rng = np.random.default_rng(0)
    truth = np.repeat([4.0, 1.0, 3.0], 20)
    y = truth + 0.1 * rng.standard_normal(60)
    model = SparseGLMIC("bic", penalty=TotalVariation1D(1.0), fit_intercept=False, noise_variance=0.01, tol=1e-9)
    model.fit(np.eye(60), y)
    jumps = np.flatnonzero(np.diff(model.coef_)) + 1
    assert {20, 40} <= set(jumps.tolist()) and jumps.size <= 8
    best = int(np.argmin(model.criterion_))
    left = np.sum((y - model.coef_) ** 2)
    expected = 60 * log(2 * np.pi * 0.01) + left / 0.01 + log(60) * (jumps.size + 1)
    assert model.criterion_[best] == pytest.approx(expected, rel=1e-9)
