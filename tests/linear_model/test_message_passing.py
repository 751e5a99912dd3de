"""What the message-passing regressors add to their solvers: intercepts, weights, labels and counts."""

import numpy as np
import pytest

from sparsecode import BernoulliGaussian, GAMPRegressor, GaussianPrior, PoissonChannel, ProbitChannel, VAMPRegressor
from tests.planted import planted


@pytest.mark.parametrize("channel", [ProbitChannel(), PoissonChannel()])
def test_other_channels_predict_their_means_and_take_no_intercept(channel):
    X, signal, _ = planted(200, 20, 3)
    signal = signal / 2
    rng = np.random.default_rng(0)
    y = (signal > rng.standard_normal(200)) if isinstance(channel, ProbitChannel) else rng.poisson(np.exp(signal))
    y = y.astype(float)
    model = GAMPRegressor(prior=BernoulliGaussian(0.2), channel=channel, fit_intercept=False).fit(X, y)
    predicted = model.predict(X)
    assert np.all(predicted >= 0)
    assert abs(predicted.mean() - y.mean()) < 0.15 * y.mean()
    assert np.mean((predicted - y) ** 2) < 0.8 * np.var(y)
    with pytest.raises(ValueError, match="return_std"):
        model.predict(X, return_std=True)
    with pytest.raises(ValueError, match=r"fit_intercept=False.*column of ones"):
        GAMPRegressor(channel=channel).fit(X, y)


@pytest.mark.parametrize("estimator", [GAMPRegressor, VAMPRegressor])
def test_weighted_fits_with_an_intercept_are_ridge_regression(estimator):
    X, y, _ = planted(60, 20, 3)
    counts = np.random.default_rng(0).integers(0, 4, 60)
    model = estimator(prior=GaussianPrior(0.5), noise_variance=2.0, tol=1e-11).fit(X + 1, y + 3, sample_weight=counts)
    mean, level = np.average(X + 1, axis=0, weights=counts), np.average(y + 3, weights=counts)
    Z = np.sqrt(counts)[:, None] * (X + 1 - mean)
    coef = np.linalg.solve(Z.T @ Z / 2.0 + np.eye(20) / 0.5, Z.T @ (np.sqrt(counts) * (y + 3 - level)) / 2.0)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, level - mean @ coef, atol=1e-8)
    np.testing.assert_allclose(model.noise_variance_, 2.0)
    assert isinstance(model.prior_, GaussianPrior)


@pytest.mark.parametrize("estimator", [GAMPRegressor, VAMPRegressor])
def test_new_observations_lie_within_their_standard_deviations(estimator):
    X, y, _ = planted(400, 30, 4, noise=0.5)
    model = estimator().fit(X[:200], y[:200])
    mean, std = model.predict(X[200:], return_std=True)
    assert abs(np.mean(np.abs(y[200:] - mean) < std) - 0.68) < 0.1
