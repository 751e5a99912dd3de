"""Standard deviations of predictions where columns are alike, and of a constant."""

import numpy as np
import pytest

from sparsecode import (
    CompoundGaussianRegressor,
    GAMPRegressor,
    GaussianPrior,
    HierarchicalBayesRegressor,
    SparseBayesianRegressor,
    VAMPRegressor,
)


@pytest.mark.parametrize("n_targets", [1, 2])
def test_vamp_predicts_with_the_covariance_of_ridge_regression(n_targets):
    rng = np.random.default_rng(0)
    for shape in ((30, 12), (12, 30)):
        X = rng.standard_normal(shape)
        X[:, 1], X[:, 3] = X[:, 0], 0.0
        y = rng.standard_normal((shape[0], n_targets))
        weights = rng.integers(1, 4, shape[0])
        model = VAMPRegressor(prior=GaussianPrior(0.5), noise_variance=2.0, fit_intercept=False, tol=1e-12)
        model.fit(X, y[:, 0] if n_targets == 1 else y, sample_weight=weights)
        new = rng.standard_normal((5, shape[1]))
        covariance = np.linalg.inv((X.T * weights) @ X / 2.0 + np.eye(shape[1]) / 0.5)
        expected = np.sqrt(np.einsum("ni,ij,nj->n", new, covariance, new) + 2.0)
        std = model.predict(new, return_std=True)[1]
        np.testing.assert_allclose(std.T, np.broadcast_to(expected, std.T.shape), rtol=1e-5)


@pytest.mark.parametrize("texture", ["half-normal", "exponential"])
def test_compound_gaussian_predicts_with_the_covariance_for_its_textures(texture):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 8))
    X[:, 1] = -X[:, 0]
    y = np.stack([2 * X[:, 0] + X[:, 4], X[:, 2] - X[:, 5]], axis=1) + 0.1 * rng.standard_normal((30, 2))
    model = CompoundGaussianRegressor(0.01, texture=texture, fit_intercept=False).fit(X, y)
    strength = 30 * (0.01 if texture == "half-normal" else 0.02 / 3)
    std = model.predict(X, return_std=True)[1]
    for target in range(2):
        z, noise = model.result_.parameters["texture"][:, target], model.noise_variance_[target]
        G = np.diag(z**2)
        covariance = G - G @ X.T @ np.linalg.solve(X @ G @ X.T + strength * np.eye(30), X @ G)
        np.testing.assert_allclose(model.variance_[target], np.diag(covariance) * noise / strength, atol=1e-9)
        spread = np.einsum("ni,ij,nj->n", X, covariance, X) * noise / strength
        np.testing.assert_allclose(std[:, target], np.sqrt(spread + noise), rtol=1e-6)


@pytest.mark.parametrize(
    "estimator", [SparseBayesianRegressor, GAMPRegressor, VAMPRegressor, HierarchicalBayesRegressor]
)
def test_a_constant_is_a_mean_with_a_variance(estimator):
    X, y = np.zeros((4, 2)), np.array([1.0, 2.0, 3.0, 5.0])
    for weights, counted in ((None, 4), (np.full(4, 2.0), 8)):
        model = estimator(noise_variance=1.0).fit(X, y, sample_weight=weights)
        np.testing.assert_allclose(model.predict(X, return_std=True)[1], np.sqrt(1 + 1 / counted))
        without = estimator(noise_variance=1.0, fit_intercept=False).fit(X, y, sample_weight=weights)
        np.testing.assert_allclose(without.predict(X, return_std=True)[1], 1.0)
