"""Fits without the penalty on the support that it chose: many targets, and losses with kinks."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import lsq_linear, nnls
from sklearn.base import clone
from sklearn.linear_model import QuantileRegressor

from sparsecode import L1, Box, Huber, HuberLasso, L1Ridge, LADLasso, Lasso, Quantile, SparseGLM, solve
from sparsecode.solvers.debias import debiased
from sparsecode.solvers.problem import make_problem
from tests.planted import planted


def test_debiasing_many_targets_uses_each_support():
    rng = np.random.default_rng(2)
    X = planted(60, 30, 4, seed=2).A + 0.5
    Y = X[:, [3, 7, 20]] @ rng.standard_normal((3, 3)) + 0.3 * rng.standard_normal((60, 3)) + [1.0, -2.0, 3.0]
    for estimator in (Lasso(0.2, debias=True), HuberLasso(0.2, debias=True), LADLasso(0.1, debias=True)):
        together = clone(estimator).set_params(tol=1e-9).fit(X, Y)
        for target in range(3):
            alone = clone(estimator).set_params(tol=1e-9).fit(X, Y[:, target])
            np.testing.assert_allclose(together.coef_[target], alone.coef_, atol=1e-5)
            assert together.intercept_[target] == pytest.approx(alone.intercept_, abs=1e-4)


@pytest.mark.parametrize("quantile", [0.5, 0.8])
@pytest.mark.parametrize("kind", [np.asarray, sp.csc_array])
def test_debiasing_losses_with_kinks_is_quantile_regression_on_the_support(quantile, kind):
    X, y, _ = planted(60, 30, 4, noise=0.5, seed=1)
    X, y = X + np.linspace(-1, 1, 30), y + 3.0
    model = LADLasso(0.1, quantile=quantile, debias=True).fit(kind(X), y)
    assert 0 < model.support_.size < 20
    few = X[:, model.support_]
    peer = QuantileRegressor(quantile=quantile, alpha=0.0).fit(few, y)

    def pinball(residual):
        return np.mean(np.maximum(quantile * residual, (quantile - 1) * residual))

    plain = LADLasso(0.1, quantile=quantile).fit(X, y)
    best = pinball(y - peer.predict(few))
    assert pinball(y - model.predict(X)) == pytest.approx(best, rel=1e-6)
    assert pinball(y - plain.predict(X)) > 1.05 * best
    twin = SparseGLM(Quantile(quantile), L1(0.1), debias=True).fit(X, y)
    np.testing.assert_allclose(twin.coef_, model.coef_, atol=1e-8)


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_debiasing_stays_within_the_bounds(loss):
    X, y, _ = planted(60, 10, 4, noise=0.5, seed=1)
    model = SparseGLM(loss, Box(-0.2, 0.3), fit_intercept=False, debias=True, tol=1e-10).fit(X, y)
    assert np.all((model.coef_ >= -0.2) & (model.coef_ <= 0.3))
    if loss == "squared":
        np.testing.assert_allclose(model.coef_, lsq_linear(X, y, (-0.2, 0.3), tol=1e-14).x, atol=1e-5)


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_what_a_weight_of_zero_frees_from_its_bounds_stays_free(loss):
    X, y, _ = planted(60, 10, 4, noise=0.5, seed=1)
    weights = np.r_[np.zeros(5), np.ones(5)]
    model = SparseGLM(loss, Box(-0.2, 0.3), penalty_weights=weights, fit_intercept=False, debias=True, tol=1e-10).fit(
        X, y
    )
    plain = clone(model).set_params(debias=False).fit(X, y)
    assert np.any(np.abs(plain.coef_[:5]) > 0.3)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-5)


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_more_columns_than_samples_have_no_fit_of_their_own(loss):
    X, y, _ = planted(12, 40, 4, noise=0.5, seed=1)
    plain = SparseGLM(loss, L1Ridge(0.02, 0.05), fit_intercept=False, tol=1e-8).fit(X, y)
    assert plain.support_.size > 12
    np.testing.assert_array_equal(clone(plain).set_params(debias=True).fit(X, y).coef_, plain.coef_)


def test_debiasing_counts_samples_by_their_weights():
    X, y, _ = planted(60, 20, 3, noise=0.5, seed=3)
    weight = np.random.default_rng(0).integers(0, 4, 60)
    options = {"delta": 0.4, "alpha": 0.05, "debias": True, "tol": 1e-10}
    weighted = HuberLasso(**options).fit(X, y, sample_weight=weight)
    repeated = HuberLasso(**options).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert weighted.support_.size > 0
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-5)
    assert np.max(np.abs(weighted.coef_ - HuberLasso(**options).fit(X, y).coef_)) > 1e-3


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_debiasing_keeps_coefficients_from_turning_negative(loss):
    X = np.random.default_rng(3).standard_normal((60, 4))
    X[:, 1] = 3 * (X[:, 0] + 0.4 * X[:, 1])  # large, so that the penalty prefers it; without one it would turn negative
    y = 2 * X[:, 0] - 0.1 * X[:, 1] + X[:, 3]
    model = SparseGLM(loss, L1(0.15, positive=True), fit_intercept=False, debias=True, tol=1e-10).fit(X, y)
    support = np.flatnonzero(model.result_.coef)
    np.testing.assert_array_equal(support, [0, 1, 3])
    assert np.all(model.coef_ >= 0)
    if loss == "squared":
        np.testing.assert_allclose(model.coef_[support], nnls(X[:, support], y)[0], atol=1e-6)


def test_a_fit_of_many_targets_is_as_good_as_its_worst():
    A, Y, _ = planted(60, 30, n_targets=3, noise=0.5)
    loss, penalty = Huber(0.3), L1(0.1)
    result = solve(A, Y, loss, penalty)

    def stationarity(target, coef):
        """From the definition, on the support; over that at zero."""
        support, y = np.flatnonzero(result.coef[:, target]), Y[:, target]
        pulls = [A[:, support].T @ np.clip(y - fitted, -0.3, 0.3) for fitted in (A @ coef[:, target], 0.0)]
        return np.max(np.abs(pulls[0])) / np.max(np.abs(pulls[1]))

    found = debiased(make_problem(A, Y, loss, penalty), result, tol=1e-3, max_iter=100)
    each = [stationarity(target, found.coef) for target in range(3)]
    assert found.certificate == pytest.approx(max(each), rel=1e-6)
    assert max(each) > 1.1 * sorted(each)[1]
