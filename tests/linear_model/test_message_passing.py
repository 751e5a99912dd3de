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


@pytest.mark.parametrize("weight", [None, np.arange(200) % 3])
def test_labels_of_either_kind_have_the_brier_skill_score(weight):
    X, signal, _ = planted(200, 20, 3)
    y = (signal > np.random.default_rng(0).standard_normal(200)).astype(float)
    model = GAMPRegressor(prior=BernoulliGaussian(0.2), channel=ProbitChannel(), fit_intercept=False)
    chance = model.fit(X, y).predict(X)
    level = np.average(y, weights=weight)
    skill = 1 - np.average((chance - y) ** 2, weights=weight) / np.average((level - y) ** 2, weights=weight)
    for labels in (y, y > 0, y.tolist(), 2 * y - 1):
        np.testing.assert_allclose(model.fit(X, np.asarray(labels)).score(X, labels, weight), skill, rtol=1e-12)
    with pytest.raises(ValueError, match="labels 0 and 1, or -1 and 1"):
        model.score(X, y + 1)


def test_what_is_no_prior_or_channel_is_told_what_there_is():
    X, y, _ = planted(20, 10, 2)
    for estimator in (GAMPRegressor, VAMPRegressor):
        with pytest.raises(ValueError, match=r"prior must be .*LaplacePrior\(\); got 'laplace'"):
            estimator(prior="laplace").fit(X, y)
    with pytest.raises(ValueError, match=r"channel must be .*ProbitChannel\(\).*; got 'probit'"):
        GAMPRegressor(channel="probit").fit(X, y)


@pytest.mark.parametrize("estimator", [GAMPRegressor, VAMPRegressor])
def test_a_constant_target_is_predicted_without_uncertainty(estimator):
    X, y, _ = planted(30, 40, 3)
    for level in (0.0, 1e-6, 1e6):
        mean, std = estimator().fit(X, 0 * y + level).predict(X, return_std=True)
        np.testing.assert_allclose(mean, level, rtol=1e-12)
        assert np.all(std == 0)
    assert np.all(estimator().fit(X[:1], y[:1]).predict(X, return_std=True)[1] == 0)
    std = estimator(noise_variance=0.5).fit(X, 0 * y).predict(X, return_std=True)[1]
    np.testing.assert_allclose(std, np.sqrt(0.5 * (1 + 1 / 30)))
    together, alone = estimator().fit(X, np.stack([0 * y, y], axis=1)), estimator().fit(X, y)
    std = together.predict(X, return_std=True)[1]
    assert np.all(std[:, 0] == 0)
    np.testing.assert_allclose(std[:, 1], alone.predict(X, return_std=True)[1], rtol=1e-4)
