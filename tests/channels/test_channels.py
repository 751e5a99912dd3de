"""Every output channel's posterior against integrals over its likelihood."""

import numpy as np
import pytest
from scipy.special import log_ndtr

from sparsecode import GaussianChannel, PoissonChannel, ProbitChannel
from tests._backends import FOREIGN, get, put

# each with its log likelihood up to a constant, and observations
CASES = {
    "gaussian": (GaussianChannel(0.3), lambda y, z: -((y - z) ** 2) / 0.6, [-2.0, 0.1]),
    "probit": (ProbitChannel(0.5), lambda y, z: log_ndtr((1 if y > 0 else -1) * z / np.sqrt(0.5)), [0.0, 1.0]),
    "poisson": (PoissonChannel(), lambda y, z: y * z - np.exp(z), [0.0, 1.0, 7.0, 1000.0]),
}
every_case = pytest.mark.parametrize("name", CASES)
MEANS, VARIANCES = (-8.0, 0.0, 2.5), (1e-5, 0.1, 3.0, 90.0)


def integrals(log_likelihood, mean, variance, around):
    """Mean and variance by a sum over a fine grid around the bulk, which is checked to lie inside."""
    center, spread = around
    z = center + np.sqrt(spread) * np.linspace(-30, 30, 60_001)
    log = log_likelihood(z) - (z - mean) ** 2 / (2 * variance)
    mass = np.exp(log - log.max())
    assert max(mass[0], mass[-1]) < 1e-12
    mass /= mass.sum()
    first = mass @ z
    return first, mass @ (z - first) ** 2


@every_case
def test_posterior_is_that_of_the_likelihood(name):
    channel, log_likelihood, observations = CASES[name]
    for y in observations:
        for mean in MEANS:
            for variance in VARIANCES:
                ask = np.array([y]), np.array([mean]), np.array([variance])
                found, spread = channel.posterior(*ask)
                expected = integrals(lambda z, y=y: log_likelihood(y, z), mean, variance, (found[0], spread[0]))
                np.testing.assert_allclose(found[0], expected[0], rtol=0, atol=1e-7 * np.sqrt(expected[1]))
                np.testing.assert_allclose(spread[0], expected[1], rtol=1e-7)


@every_case
def test_score_and_information_say_the_same_as_the_posterior(name):
    channel, _, observations = CASES[name]
    y = np.array(observations)
    mean, variance = np.full(y.shape, 0.7), np.full(y.shape, 0.4)
    score, information = channel.score(y, mean, variance)
    found, spread = channel.posterior(y, mean, variance)
    np.testing.assert_allclose(score, (found - mean) / variance, rtol=1e-9)
    np.testing.assert_allclose(information, (1 - spread / variance) / variance, rtol=1e-9)
    assert np.all(information > 0)


@every_case
def test_misfit_is_the_mean_negative_log_likelihood(name):
    channel, log_likelihood, observations = CASES[name]
    y, z = np.array(observations), np.linspace(-1, 1, len(observations))
    values = -np.array([log_likelihood(a, b) for a, b in zip(y, z, strict=True)])
    values *= 0.3 if name == "gaussian" else 1.0  # half the squares, whatever the noise
    np.testing.assert_allclose(channel.misfit(y, z), values.mean())
    counts = np.arange(1.0, len(y) + 1)
    np.testing.assert_allclose(channel.misfit(y, z, counts[:, None] / counts.sum()), np.average(values, weights=counts))


def test_responses_are_expectations_over_the_posterior_of_z():
    z = 0.4 + np.sqrt(0.7) * np.random.default_rng(0).standard_normal(400_000)
    at = np.array([0.4]), 0.7
    np.testing.assert_allclose(ProbitChannel(0.5).response(*at)[0], np.exp(log_ndtr(z / 0.5**0.5)).mean(), rtol=5e-3)
    np.testing.assert_allclose(PoissonChannel().response(*at)[0], np.exp(z).mean(), rtol=1e-2)
    assert GaussianChannel().response(*at)[0] == 0.4


def test_noise_is_learned_from_residuals_and_what_is_uncertain():
    rng = np.random.default_rng(0)
    mean, variance = rng.standard_normal((3000, 2)), np.full((3000, 2), 0.2)
    truth = np.array([0.05, 2.0])
    y = mean + np.sqrt(variance + truth) * rng.standard_normal((3000, 2))
    channel = GaussianChannel(1.0)
    for _ in range(200):
        channel = channel.learned(y, mean, variance)
    np.testing.assert_allclose(channel.noise_variance, np.mean((y - mean) ** 2, axis=0) - 0.2, rtol=1e-3)


@pytest.mark.parametrize("count", [1e6, 1e9, 1e12])
@pytest.mark.parametrize("variance", [1e-3, 1.0, 30.0])
def test_large_counts_keep_the_digits_of_their_posterior(count, variance):
    """The posterior is far narrower than what was believed before; its grid is laid around the mode, found here by bisection."""
    mean, low, high = 5.0, 0.0, 40.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if (middle - mean) / variance < count - np.exp(middle) else (low, middle)
    peak = np.exp(low)
    step = np.linspace(-30, 30, 60_001) / np.sqrt(peak + 1 / variance)
    rise = np.where(np.abs(step) < 1e-3, step**2 / 2 + step**3 / 6 + step**4 / 24, np.expm1(step) - step)
    mass = np.exp(-peak * rise - step**2 / (2 * variance))
    mass /= mass.sum()
    found, spread = PoissonChannel().posterior(np.array([count]), np.array([mean]), np.array([variance]))
    expected = mass @ (step - mass @ step) ** 2
    np.testing.assert_allclose(spread[0], expected, rtol=1e-4)
    np.testing.assert_allclose(found[0], low + mass @ step, rtol=0, atol=1e-3 * np.sqrt(expected) + 1e-14)


@every_case
def test_no_question_gets_an_answer_that_is_not_a_number(name):
    channel, _, observations = CASES[name]
    for y in (*observations, 1.0 if name == "probit" else 9e15):
        for mean in (-1e160, -800.0, 800.0, 1e160):
            variance = np.array([1e-100, 1e-8, 1.0, 1e8, 1e100])
            ask = np.full(5, y), np.full(5, mean), variance
            found = [*channel.posterior(*ask), *(part * variance for part in channel.score(*ask))]
            assert np.all(np.isfinite(found))
            assert np.all(found[1] >= 0) and np.all(found[3] > 0)


def test_the_mean_of_counts_beyond_all_numbers_is_the_largest_number():
    for dtype in (np.float32, np.float64):
        found = PoissonChannel().response(np.array([2000.0, -2000.0, 1.0], dtype=dtype), 0.0)
        assert np.all(np.isfinite(found)) and found.dtype == dtype
        assert found[0] > 0.9 * np.finfo(dtype).max


@every_case
def test_whole_numbers_are_asked_like_others(name):
    channel, _, _ = CASES[name]
    y, mean, variance = np.array([1, 0]), np.array([-3, 2]), np.array([10, 1])
    for asked in (channel.posterior, channel.score):
        for found, expected in zip(asked(y, mean, variance), asked(1.0 * y, 1.0 * mean, 1.0 * variance), strict=True):
            np.testing.assert_allclose(found, expected)


@every_case
def test_far_from_what_was_expected_there_are_still_numbers(name):
    channel, _, observations = CASES[name]
    for y in observations:
        for mean in (-300.0, 300.0):
            for variance in (1e-12, 1.0, 1e6):
                for part in channel.posterior(np.array([y]), np.array([mean]), np.array([variance])):
                    assert np.all(np.isfinite(part))
                for part in channel.score(np.array([y]), np.array([mean]), np.array([variance])):
                    assert np.all(np.isfinite(part))


@pytest.mark.parametrize("namespace", FOREIGN)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@every_case
def test_every_namespace_gives_numpys_answers(name, dtype, namespace):
    channel, _, observations = CASES[name]
    y = np.array(observations, dtype=dtype)[:, None]
    mean, variance = np.full(y.shape, 0.7, dtype=dtype), np.full(y.shape, 0.4, dtype=dtype)
    for method in ("score", "posterior"):
        reference = getattr(channel, method)(y, mean, variance)
        found = getattr(channel, method)(*(put(part, namespace) for part in (y, mean, variance)))
        for left, right in zip(found, reference, strict=True):
            assert str(left.dtype).endswith(dtype)
            np.testing.assert_allclose(get(left), right, rtol=1e-4 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize(
    ("channel", "y", "text"),
    [
        (GaussianChannel(0.0), [1.0], "noise_variance greater than 0"),
        (GaussianChannel("high"), [1.0], "noise_variance greater than 0"),
        (ProbitChannel(-1.0), [1.0], "noise_variance greater than 0"),
        (ProbitChannel(), [0.0, 1.0, 2.0], "labels 0 and 1"),
        (ProbitChannel(), [0.0, 1.0, -1.0], "labels 0 and 1"),
        (PoissonChannel(), [0.5], "counts"),
        (PoissonChannel(), [-1.0], "counts"),
        (PoissonChannel(), [1e16], "counts below 2\\^53"),
    ],
)
def test_bad_parameters_and_observations_get_an_error_that_says_what_is_needed(channel, y, text):
    with pytest.raises(ValueError, match=text):
        channel.check(np.array(y))
