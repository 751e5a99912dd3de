"""VAMP against its naive twin, exact posteriors, the LASSO, and the matrices that it is made for."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import (
    BernoulliGaussian,
    GaussianMixture,
    GaussianPrior,
    LaplacePrior,
    ProbitChannel,
    Status,
    gamp,
    lasso,
    vamp,
)
from sparsecode.solvers.message_passing.vamp import solve_vamp
from tests.solvers.message_passing.naive_messages import degenerate, enumerated, naive_vamp, nmse, sparse_problem

SPARSE = BernoulliGaussian(0.1)


@pytest.mark.parametrize("shape", [(20, 30), (30, 20)])
@pytest.mark.parametrize("complex_", [False, True])
def test_undamped_iterations_are_those_of_the_naive_twin(shape, complex_):
    A, y, _, noise = sparse_problem(shape=shape, snr=15)
    if complex_:
        A, y = A * np.exp(1j * np.arange(shape[1])), y * np.exp(0.3j)
    for n_iter in (1, 2, 5):
        seen = []
        solve_vamp(
            A, y, prior=SPARSE, noise_variance=noise, damping=1.0, max_iter=n_iter, tol=0.0, callback=seen.append
        )
        mean, _ = naive_vamp(A, y, SPARSE, noise, n_iter)
        assert seen[-1].iteration == n_iter
        np.testing.assert_allclose(seen[-1].coef, mean, atol=1e-8)


def test_a_gaussian_prior_gives_ridge_regression_and_its_mean_variance():
    A, y, _, _ = sparse_problem("100", shape=(40, 60))
    result = vamp(A, y, prior=GaussianPrior(0.7), noise_variance=0.2, tol=1e-11)
    covariance = np.linalg.inv(A.T @ A / 0.2 + np.eye(60) / 0.7)
    np.testing.assert_allclose(result.coef, covariance @ A.T @ y / 0.2, atol=1e-9)
    np.testing.assert_allclose(result.variance, np.mean(np.diag(covariance)), rtol=1e-8)


@pytest.mark.parametrize("complex_", [False, True])
def test_the_most_likely_coefficients_are_the_lassos(complex_):
    A, y, _, noise = sparse_problem("100", shape=(60, 100))
    if complex_:
        A = A * np.exp(1j * np.random.default_rng(1).uniform(0, 6, A.shape))
        y = A @ (np.arange(100) % 17 == 0) + 0.1 * (y + 1j * y[::-1])
    result = vamp(A, y, prior=LaplacePrior(noise / (0.01 * len(y))), noise_variance=noise, tol=1e-10, max_iter=5_000)
    np.testing.assert_allclose(result.coef, lasso(A, y, 0.01, tol=1e-13).coef, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_on_orthonormal_columns_marginals_are_exact(seed):
    prior, noise = BernoulliGaussian(0.3), 0.1
    rng = np.random.default_rng(seed)
    A = np.linalg.qr(rng.standard_normal((16, 10)))[0]
    y = A @ (rng.standard_normal(10) * (rng.random(10) < 0.3)) + np.sqrt(noise) * rng.standard_normal(16)
    result = vamp(A, y, prior=prior, noise_variance=noise, tol=1e-10)
    mean, variance, inclusion = enumerated(A, y, prior, noise)
    np.testing.assert_allclose(result.coef, mean, atol=1e-8)
    np.testing.assert_allclose(result.variance, variance, atol=1e-8)
    np.testing.assert_allclose(result.inclusion, inclusion, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_on_random_columns_marginals_are_near_those_of_all_supports(seed):
    prior, noise = BernoulliGaussian(0.3), 0.3
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((100, 10)) / 10
    y = A @ (rng.standard_normal(10) * (rng.random(10) < 0.3)) + np.sqrt(noise) * rng.standard_normal(100)
    result = vamp(A, y, prior=prior, noise_variance=noise)
    mean, variance, inclusion = enumerated(A, y, prior, noise)
    np.testing.assert_allclose(result.coef, mean, atol=0.08)
    np.testing.assert_allclose(result.variance, variance, atol=0.08)
    np.testing.assert_allclose(result.inclusion, inclusion, atol=0.12)


@pytest.mark.parametrize(("kind", "bound"), [("iid", -35), ("mean", -30), ("correlated", -25), ("1000", -25)])
def test_no_family_of_matrices_defeats_it(kind, bound):
    A, y, coef, noise = sparse_problem(kind, (250, 500), snr=40)
    for options in ({"prior": SPARSE, "noise_variance": noise}, {}):
        result = vamp(A, y, **options)
        assert result.status is Status.CONVERGED
        assert nmse(result.coef, coef) < bound


def test_thirty_decibels_of_signal_give_twenty_nine_of_coefficients():
    A, y, coef, noise = sparse_problem(shape=(500, 1000))
    assert nmse(vamp(A, y, prior=SPARSE, noise_variance=noise).coef, coef) < -29


def test_learning_finds_ten_targets_on_an_ill_conditioned_matrix():
    A, Y, coef, _ = sparse_problem("100", n_targets=10)
    result = vamp(A, Y)
    assert result.status is Status.CONVERGED
    assert nmse(result.coef, coef) < -20
    assert result.parameters["prior"].rate.shape == (10,)


def test_a_mixture_with_an_atom_is_a_bernoulli_gaussian():
    A, y, _, noise = sparse_problem()
    mixture = GaussianMixture((0.9, 0.1), (0.0, 0.0), (0.0, 1.0))
    one, other = (vamp(A, y, prior=prior, noise_variance=noise, tol=1e-9) for prior in (SPARSE, mixture))
    np.testing.assert_allclose(one.coef, other.coef, atol=1e-7)
    np.testing.assert_allclose(one.inclusion, other.inclusion, atol=1e-6)


def test_it_agrees_with_gamp_where_both_are_at_home():
    A, y, _, noise = sparse_problem(shape=(500, 1000), snr=20)
    one, other = (solve(A, y, prior=SPARSE, noise_variance=noise) for solve in (gamp, vamp))
    assert nmse(one.coef, other.coef) < -30


def test_a_sample_of_weight_two_is_a_sample_seen_twice_when_all_is_learned():
    A, y, _, _ = sparse_problem(shape=(200, 100), snr=20)
    counts = np.random.default_rng(0).integers(1, 4, 200)
    one = vamp(A, y, sample_weight=counts, tol=1e-8)
    other = vamp(np.repeat(A, counts, axis=0), np.repeat(y, counts), tol=1e-8)
    np.testing.assert_allclose(one.coef, other.coef, atol=1e-6)
    np.testing.assert_allclose(one.noise_variance, other.noise_variance, rtol=1e-6)


def test_degenerate_data_end_with_a_status():
    for A_, y_ in degenerate().values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = vamp(A_, y_)
        assert isinstance(result.status, Status)
        for part in (result.coef, result.variance, result.inclusion, result.noise_variance):
            assert np.all(np.isfinite(part))


@pytest.mark.parametrize("rate", [0.0, 1e-300])
def test_a_prior_that_hardly_believes_in_coefficients_gives_none(rate):
    rng = np.random.default_rng(0)
    for y in (np.zeros(20), rng.standard_normal(20)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = vamp(rng.standard_normal((20, 30)), y, prior=BernoulliGaussian(rate), noise_variance=1.0)
        assert np.all(np.isfinite(result.variance))
        assert np.isfinite(result.certificate)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"noise_variance": ProbitChannel()},
            "noise_variance is that of Gaussian noise.*ProbitChannel is a channel, which gamp alone",
        ),
        ({"noise_variance": None}, "noise_variance must be a number greater than 0, or 'learn'; got None"),
        ({"noise_variance": "estimate"}, "noise_variance must be a number greater than 0, or 'learn'; got 'estimate'"),
        ({"prior": ProbitChannel()}, "prior must be a prior such as"),
    ],
)
def test_bad_options_get_an_error_that_names_them(options, text):
    A, y, _, _ = sparse_problem(shape=(10, 20))
    with pytest.raises(ValueError, match=text):
        vamp(A, y, **options)


def test_undamped_on_correlated_columns_it_says_that_it_did_not_converge():
    A, y, _, noise = sparse_problem("correlated", (250, 500), snr=40, seed=1)
    with pytest.warns(ConvergenceWarning):
        result = vamp(A, y, prior=SPARSE, noise_variance=noise, damping=1.0, max_iter=50)
    assert result.status in (Status.MAX_ITER, Status.DIVERGED)
    assert np.all(np.isfinite(result.coef))
