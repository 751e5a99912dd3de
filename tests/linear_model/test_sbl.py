"""`SparseBayesianRegressor`: uncertainty of predictions against the density of the data, written out."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator
from sklearn.base import clone

from sparsecode import SparseBayesianRegressor, sbl
from tests._backends import FOREIGN, get, put
from tests.planted import planted


def dense_prediction(X, y, new, prior, noise, weights=None, complex_=False):
    """Mean and variance of new observations with a flat prior on the constant, from the joint density."""
    broad = 1e7
    weights = np.ones(len(X)) if weights is None else weights
    ones, prior = np.ones((len(X), 1)), np.append(prior, broad)
    A, B = np.hstack([X, ones]), np.hstack([new, np.ones((len(new), 1))])
    C = noise * np.diag(1 / weights) + (A * prior) @ A.conj().T
    gain = np.linalg.solve(C, (A * prior) @ B.conj().T).conj().T
    spread = np.real(np.diag((B * prior) @ B.conj().T - gain @ (A * prior) @ B.conj().T))
    return gain @ y, np.sqrt(spread + noise)


@pytest.mark.parametrize("method", ["fast", "em"])
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("convert", [np.asarray, sp.csc_array, aslinearoperator], ids=["dense", "csc", "operator"])
def test_predictions_have_the_mean_and_spread_of_the_joint_density(method, complex_, convert):
    X, y, _ = planted(40, 30, 4, noise=0.3, complex_=complex_)
    X, y = X + 0.5, y + 3
    new = planted(7, 30, seed=1, complex_=complex_).A
    model = SparseBayesianRegressor(method).fit(convert(X), y)
    mean, std = model.predict(convert(new), return_std=True)
    expected = dense_prediction(X, y, new, model.prior_variance_, model.noise_variance_)
    np.testing.assert_allclose(mean, expected[0], atol=1e-3)
    np.testing.assert_allclose(std, expected[1], rtol=1e-4)
    assert std.dtype == np.float64


def test_weights_of_samples_divide_their_noise():
    X, y, _ = planted(40, 30, 4, noise=0.3)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, 40)
    model = SparseBayesianRegressor(noise_variance=0.09).fit(X, y, sample_weight=weights)
    mean, std = model.predict(X[:5], return_std=True)
    expected = dense_prediction(X, y, X[:5], model.prior_variance_, 0.09, weights)
    np.testing.assert_allclose(mean, expected[0], atol=1e-3)
    np.testing.assert_allclose(std, expected[1], rtol=1e-4)


def test_intervals_hold_what_they_promise():
    held = []
    for seed in range(20):
        X, y, _ = planted(60, 40, 4, noise=0.5, seed=seed)
        model = SparseBayesianRegressor(noise_variance="learn").fit(X[:50], y[:50])
        mean, std = model.predict(X[50:], return_std=True)
        held.append(np.abs(y[50:] - mean) < 1.96 * std)
    assert 0.88 < np.mean(held) < 0.99


@pytest.mark.parametrize("options", [{}, {"joint": True}, {"correlation": 0.5}])
def test_many_targets_have_shapes_as_documented(options):
    X, Y, _ = planted(n_targets=3)
    model = SparseBayesianRegressor(**options).fit(X, Y)
    mean, std = model.predict(X[:5], return_std=True)
    assert mean.shape == std.shape == (5, 3)
    assert model.coef_.shape == model.variance_.shape == (3, 80)
    own = not options
    assert model.prior_variance_.shape == model.pruned_at_.shape == ((3, 80) if own else (80,))
    assert np.shape(model.noise_variance_) == ((3,) if own else ())
    covariances = model.covariance_ if own or "correlation" in options else [model.covariance_] * 3
    for covariance, variance, prior in zip(
        covariances, model.variance_, np.broadcast_to(model.prior_variance_, (3, 80)), strict=True
    ):
        np.testing.assert_allclose(np.diag(covariance), variance[prior > 0], rtol=1e-6)


def test_the_estimator_gives_the_answer_of_the_function():
    X, y, _ = planted()
    model = SparseBayesianRegressor("mackay", noise_variance=0.01, prune=1.0, fit_intercept=False).fit(X, y)
    found = sbl(X, y, method="mackay", noise_variance=0.01, prune=1.0)
    np.testing.assert_array_equal(model.coef_, found.coef)
    assert model.log_evidence_ == found.log_evidence


@pytest.mark.parametrize("name", FOREIGN)
def test_correlated_targets_and_their_spread_are_the_same_in_every_namespace(name):
    X, Y, _ = planted(n_targets=2)
    model = SparseBayesianRegressor(correlation="learn", noise_variance=0.01).fit(X, Y)
    other = SparseBayesianRegressor(correlation="learn", noise_variance=0.01).fit(put(X, name), put(Y, name))
    np.testing.assert_allclose(get(other.coef_), model.coef_, atol=1e-5)
    np.testing.assert_allclose(get(other.variance_), model.variance_, atol=1e-8)
    std = other.predict(put(X, name), return_std=True)[1]
    np.testing.assert_allclose(get(std), model.predict(X, return_std=True)[1], rtol=1e-6)


def projected_density(X, y, prior, noise, weights, complex_):
    """Log density of repeated samples about their mean: of all that is orthogonal to a constant."""
    X, y = np.repeat(X, weights, axis=0), np.repeat(y, weights)
    n_samples = len(y)
    basis = np.linalg.qr(np.hstack([np.ones((n_samples, 1)), np.eye(n_samples)[:, 1:]]))[0][:, 1:].T
    A, z = basis @ X, basis @ y
    C = noise * np.eye(n_samples - 1) + (A * prior) @ A.conj().T
    quadratic = np.real(z.conj() @ np.linalg.solve(C, z))
    half, constant = (1.0, np.pi) if complex_ else (0.5, 2 * np.pi)
    return -half * ((n_samples - 1) * np.log(constant) + np.linalg.slogdet(C)[1] + quadratic)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("method", ["fast", "em", "mackay", "gamp"])
def test_a_constant_costs_the_likelihood_one_sample(method, complex_):
    X, y, _ = planted(80, 20, 3, noise=0.3, complex_=complex_)
    weights = np.random.default_rng(0).integers(0, 4, 80)
    model = SparseBayesianRegressor(method, noise_variance="learn", tol=1e-8).fit(X + 1, y + 3, sample_weight=weights)
    found = [
        projected_density(X, y, model.prior_variance_, model.noise_variance_ * factor, weights, complex_)
        for factor in (0.995, 1.0, 1.005)
    ]
    np.testing.assert_allclose(model.log_evidence_, found[1], rtol=1e-8)
    assert method == "gamp" or found[1] == max(found)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("options", [{}, {"noise_variance": "learn", "prune": 0.0}, {"noise_variance": 0.09}])
def test_learning_by_messages_sees_weighted_samples_as_repeated_ones(options, fit_intercept):
    X, y, _ = planted(60, 30, 3, noise=0.3)
    weights = np.random.default_rng(0).integers(0, 5, 60)
    model = SparseBayesianRegressor("gamp", fit_intercept=fit_intercept, **options)
    found = clone(model).fit(X, y, sample_weight=weights)
    repeated = clone(model).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(found.coef_, repeated.coef_, atol=1e-6)
    np.testing.assert_allclose(found.noise_variance_, repeated.noise_variance_, rtol=1e-6)
    assert found.n_iter_ == repeated.n_iter_


@pytest.mark.parametrize("name", FOREIGN)
def test_messages_see_the_weights_of_samples_in_every_namespace(name):
    X, y, _ = planted(40, 30, 3, noise=0.3)
    weights = np.random.default_rng(0).integers(0, 5, 40)
    model = SparseBayesianRegressor("gamp", noise_variance=0.09, prune=0.0, tol=1e-6)
    found, other = (clone(model).fit(*data, sample_weight=weights) for data in ((X, y), (put(X, name), put(y, name))))
    np.testing.assert_allclose(get(other.coef_), found.coef_, atol=1e-8)
    assert other.result_.objective == pytest.approx(found.result_.objective, rel=1e-9)


@pytest.mark.parametrize("method", ["em", "gamp"])
def test_the_correlation_of_the_targets_is_that_of_the_function(method):
    rng = np.random.default_rng(0)
    truth = 0.9 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    X, coef = rng.standard_normal((100, 60)), np.zeros((60, 4))
    coef[:20] = rng.standard_normal((20, 4)) @ np.linalg.cholesky(truth).T
    Y = X @ coef + 0.01 * rng.standard_normal((100, 4))
    options = {"noise_variance": 1e-4, "correlation": "learn"}
    model = SparseBayesianRegressor(method, fit_intercept=False, **options).fit(X, Y)
    np.testing.assert_array_equal(model.correlation_, sbl(X, Y, method=method, **options).parameters["correlation"])
    assert model.correlation_.min() > 0.4  # of independent targets it would be about zero
    np.testing.assert_allclose(np.trace(model.correlation_), 4)
    given = SparseBayesianRegressor(method, noise_variance=1e-4, correlation=0.9).fit(X, Y)
    np.testing.assert_allclose(given.correlation_, truth)
    assert SparseBayesianRegressor().fit(X, Y).correlation_ is None
