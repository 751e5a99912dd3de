"""State evolution against simulations and known limits."""

import numpy as np
import pytest
from scipy.special import ndtri

from sparsecode import BernoulliGaussian, GaussianMixture, GaussianPrior, LaplacePrior, state_evolution
from sparsecode.solvers.message_passing.gamp import solve_gamp

TRUTH = BernoulliGaussian(0.1)


def simulated(prior, noise, n_iter, shape=(2000, 4000), n_trials=10):
    """Error of GAMP after each of the first iterations, on coefficients whose distribution is exactly the truth's."""
    n_samples, n_features = shape
    count = n_features // 10
    values = ndtri((np.arange(count) + 0.5) / count)
    values *= np.sqrt(count / np.sum(values**2))
    errors = []
    for seed in range(n_trials):
        rng = np.random.default_rng(seed)
        coef = np.zeros(n_features, dtype=np.float32)
        coef[rng.choice(n_features, count, replace=False)] = values
        A = rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(n_samples))
        y = A @ coef + np.float32(np.sqrt(noise)) * rng.standard_normal(n_samples, dtype=np.float32)
        errors.append([])
        for t in n_iter:
            seen: list = []
            options = {"variances": "uniform", "damping": 1.0, "max_iter": t, "tol": 1e-30, "callback": seen.append}
            solve_gamp(A, y, prior=prior, noise_variance=noise, **options)
            errors[-1].append(np.sum((seen[-1].coef - coef) ** 2) / np.sum(coef**2))
    return np.mean(errors, axis=0)


@pytest.mark.parametrize(
    "prior", [TRUTH, LaplacePrior(0.05), LaplacePrior(0.2, "mmse"), BernoulliGaussian(0.2, 0.0, 0.5)]
)
def test_simulation_follows_the_prediction(prior):
    iterations = [1, 3, 12]
    predicted = state_evolution(prior, 0.5, 0.0025, truth=TRUTH, n_iter=12).nmse[iterations]
    found = simulated(prior, 0.0025, iterations)
    np.testing.assert_allclose(found[:2], predicted[:2], rtol=0.04)  # where the error falls steeply, chance counts most
    np.testing.assert_allclose(found[2], predicted[2], rtol=0.02)


def test_the_fixed_point_is_the_documented_one():
    predicted = state_evolution(TRUTH, 0.5, 0.0025, n_iter=60)
    np.testing.assert_allclose(predicted.pseudo_variance[-1], 0.00359, rtol=5e-3)


@pytest.mark.parametrize("prior", [TRUTH, GaussianPrior(2.0, 0.5), GaussianMixture((0.7, 0.3), (0.0, 1.0), (0.0, 0.5))])
def test_a_true_prior_believes_what_is_so(prior):
    predicted = state_evolution(prior, 0.6, 0.01)
    np.testing.assert_allclose(predicted.believed_variance, predicted.pseudo_variance, rtol=1e-6)
    assert np.all(np.diff(predicted.nmse) <= 1e-9)


def test_a_gaussian_prior_has_a_recursion_in_closed_form():
    predicted = state_evolution(GaussianPrior(2.0), 0.8, 0.3, n_iter=10)
    error = 2.0
    for t in range(11):
        tau_sq = 0.3 + error / 0.8
        np.testing.assert_allclose([predicted.nmse[t], predicted.pseudo_variance[t]], [error / 2.0, tau_sq], rtol=1e-8)
        error = 2.0 * tau_sq / (2.0 + tau_sq)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((TRUTH, 0.0, 0.1), "sampling_ratio"),
        ((TRUTH, 0.5, 0.0), "noise_variance"),
        ((LaplacePrior(), 0.5, 0.1), "truth"),
        ((BernoulliGaussian(2.0), 0.5, 0.1), "rate"),
        ((BernoulliGaussian(0.0), 0.5, 0.1), "mean square greater than 0"),
        ((BernoulliGaussian(0.1, 1j), 0.5, 0.1), "prior must be real"),
        ((BernoulliGaussian(np.array([0.1, 0.2])), 0.5, 0.1), "one number for each parameter"),
    ],
)
def test_bad_arguments_get_an_error_that_names_them(arguments, text):
    with pytest.raises(ValueError, match=text):
        state_evolution(*arguments)
