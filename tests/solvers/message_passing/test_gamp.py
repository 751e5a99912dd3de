"""GAMP against its naive twin, exact posteriors, the LASSO, and what it must do where it cannot work."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sparsecode import (
    BernoulliGaussian,
    GaussianChannel,
    GaussianMixture,
    GaussianPrior,
    LaplacePrior,
    PoissonChannel,
    ProbitChannel,
    Status,
    gamp,
    lasso,
    vamp,
)
from sparsecode.designs import CenteredDesign, DenseDesign, SparseDesign
from sparsecode.solvers.message_passing.gamp import solve_gamp
from sparsecode.solvers.message_passing.mean_removal import without_mean
from sparsecode.solvers.message_passing.squares import squares
from tests.solvers.message_passing.naive_messages import degenerate, enumerated, naive_gamp, nmse, sparse_problem

SPARSE = BernoulliGaussian(0.1)


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("step", [1.0, 0.6])
@pytest.mark.parametrize("complex_", [False, True])
def test_iterations_are_those_of_the_naive_twin(uniform, step, complex_):
    A, y, _, noise = sparse_problem(shape=(20, 30))
    if complex_:
        A, y = A * np.exp(1j * np.arange(30)), y * np.exp(0.3j)
    options = {"variances": "uniform" if uniform else "vector", "damping": step, "tol": 0.0}
    for n_iter in (1, 2, 7):
        seen = []
        solve_gamp(A, y, prior=SPARSE, noise_variance=noise, max_iter=n_iter, callback=seen.append, **options)
        mean, _ = naive_gamp(A, y, SPARSE, noise, n_iter, step, uniform)
        assert seen[-1].iteration == n_iter
        np.testing.assert_allclose(seen[-1].coef, mean, atol=1e-10)
    result = solve_gamp(A, y, prior=SPARSE, noise_variance=noise, **options | {"tol": 1e-11})
    if result.status is Status.CONVERGED:
        _, variance = naive_gamp(A, y, SPARSE, noise, 2 * result.n_iter, step, uniform)
        np.testing.assert_allclose(result.variance, variance, atol=1e-8)


def test_a_gaussian_prior_gives_ridge_regression():
    A, y, _, _ = sparse_problem(shape=(60, 40))
    result = gamp(A, y, prior=GaussianPrior(0.7), noise_variance=0.2, tol=1e-11)
    exact = np.linalg.solve(A.T @ A / 0.2 + np.eye(40) / 0.7, A.T @ y / 0.2)
    np.testing.assert_allclose(result.coef, exact, atol=1e-9)
    covariance = np.linalg.inv(A.T @ A / 0.2 + np.eye(40) / 0.7)
    np.testing.assert_allclose(result.variance, np.diag(covariance), rtol=0.2)


def test_a_rate_of_one_is_a_gaussian_prior():
    A, y, _, _ = sparse_problem(shape=(60, 40))
    one = gamp(A, y, prior=BernoulliGaussian(1.0, 0.2, 0.7), noise_variance=0.2, tol=1e-11)
    np.testing.assert_allclose(one.coef, gamp(A, y, prior=GaussianPrior(0.7, 0.2), noise_variance=0.2, tol=1e-11).coef)


@pytest.mark.parametrize("variances", ["vector", "uniform"])
@pytest.mark.parametrize("complex_", [False, True])
def test_the_most_likely_coefficients_are_the_lassos(variances, complex_):
    A, y, _, noise = sparse_problem(shape=(60, 100))
    if complex_:
        A = A * np.exp(1j * np.random.default_rng(1).uniform(0, 6, A.shape))
        y = A @ (np.arange(100) % 17 == 0) + 0.1 * (y + 1j * y[::-1])
    scale = noise / (0.01 * len(y))
    result = gamp(A, y, prior=LaplacePrior(scale), noise_variance=noise, variances=variances, tol=1e-11)
    np.testing.assert_allclose(result.coef, lasso(A, y, 0.01, tol=1e-13).coef, atol=1e-7)
    np.testing.assert_array_equal(result.support, np.flatnonzero(result.coef))


@pytest.mark.parametrize("seed", range(4))
def test_marginals_are_near_those_of_all_supports(seed):
    prior, noise = BernoulliGaussian(0.3), 0.3
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((100, 10)) / 10
    y = A @ (rng.standard_normal(10) * (rng.random(10) < 0.3)) + np.sqrt(noise) * rng.standard_normal(100)
    result = gamp(A, y, prior=prior, noise_variance=noise)
    mean, variance, inclusion = enumerated(A, y, prior, noise)
    np.testing.assert_allclose(result.coef, mean, atol=0.06)
    np.testing.assert_allclose(result.variance, variance, atol=0.06)
    np.testing.assert_allclose(result.inclusion, inclusion, atol=0.1)


@pytest.mark.parametrize(
    ("prior", "learn"),
    [
        (GaussianMixture((0.9, 0.1), (0.0, 0.0), (0.0, 1.0)), False),
        (GaussianMixture((0.8, 0.1, 0.1), (0.0, -0.5, 0.5), (0.0, 1.0, 1.0)), True),
        (None, None),
    ],
)
def test_sparse_coefficients_are_found_from_half_as_many_samples(prior, learn):
    for seed in range(3):
        A, y, coef, noise = sparse_problem(seed=seed)
        result = gamp(A, y, prior=prior, learn=learn, noise_variance="learn" if prior is None else noise)
        assert result.status is Status.CONVERGED
        assert nmse(result.coef, coef) < -26


def test_noise_and_prior_are_learned():
    A, y, coef, noise = sparse_problem(shape=(500, 1000), snr=20)
    result = gamp(A, y)
    prior = result.parameters["prior"]
    np.testing.assert_allclose(result.noise_variance, noise, rtol=0.15)
    np.testing.assert_allclose(prior.rate, np.mean(coef != 0), rtol=0.25)
    np.testing.assert_allclose(prior.variance, np.mean(coef[coef != 0] ** 2), rtol=0.25)


def test_labels_are_explained_through_the_probit_channel():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((400, 60))
    coef = rng.standard_normal(60) * (rng.random(60) < 0.15)
    labels = (A @ coef + rng.standard_normal(400) > 0).astype(float)
    result = gamp(A, labels, prior=BernoulliGaussian(0.15), channel=ProbitChannel())
    assert result.status is Status.CONVERGED
    assert nmse(result.coef, coef) < -12
    assert result.noise_variance == 1.0


def test_counts_are_explained_through_the_poisson_channel():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((400, 60)) / np.sqrt(10)
    coef = rng.standard_normal(60) * (rng.random(60) < 0.15)
    counts = rng.poisson(np.exp(A @ coef)).astype(float)
    result = gamp(A, counts, prior=BernoulliGaussian(0.15), channel=PoissonChannel())
    assert result.status is Status.CONVERGED
    assert nmse(result.coef, coef) < -12
    assert result.noise_variance is None
    assert np.any(gamp(A, counts, channel=PoissonChannel()).support)


@pytest.mark.parametrize("channel", [ProbitChannel(0.5), PoissonChannel()])
def test_posterior_of_two_coefficients_is_the_integral_over_the_plane(channel):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((150, 2))
    z = A @ np.array([0.8, -0.3])
    y = rng.poisson(np.exp(z)) if isinstance(channel, PoissonChannel) else z + rng.standard_normal(150) > 0
    y = y.astype(float)
    result = gamp(A, y, prior=GaussianPrior(1.0), channel=channel, tol=1e-9)
    axis = np.linspace(-1, 1, 241)
    grid = result.coef[:, None] + 8 * np.sqrt(result.variance.max()) * np.array(np.meshgrid(axis, axis)).reshape(2, -1)
    log = -150 * channel.misfit(np.tile(y[:, None], (1, grid.shape[1])), A @ grid) - 0.5 * np.sum(grid**2, axis=0)
    mass = np.exp(log - log.max())
    mass /= mass.sum()
    mean = grid @ mass
    np.testing.assert_allclose(result.coef, mean, atol=0.01)
    np.testing.assert_allclose(result.variance, (grid - mean[:, None]) ** 2 @ mass, rtol=0.08)


@pytest.mark.parametrize("channel", [ProbitChannel(), PoissonChannel(), GaussianChannel(0.5)])
@pytest.mark.parametrize("variances", ["vector", "uniform"])
def test_a_sample_of_weight_two_is_a_sample_seen_twice(channel, variances):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 12)) / np.sqrt(12)
    y = (A[:, 0] - A[:, 3] > 0).astype(float)
    counts = rng.integers(0, 4, 40)
    options = {"prior": GaussianPrior(1.0), "channel": channel, "variances": variances, "tol": 1e-9}
    one = gamp(A, y, sample_weight=counts, **options)
    other = gamp(np.repeat(A, counts, axis=0), np.repeat(y, counts), **options)
    assert one.status is other.status is Status.CONVERGED
    np.testing.assert_allclose(one.coef, other.coef, atol=1e-7)
    np.testing.assert_allclose(one.variance, other.variance, rtol=1e-6)
    np.testing.assert_allclose(one.objective, other.objective, rtol=1e-6)


def test_a_matrix_with_a_mean_needs_it_removed():
    A, y, coef, noise = sparse_problem("mean", (250, 500), snr=40)
    options = {"prior": SPARSE, "noise_variance": noise}
    with pytest.warns(ConvergenceWarning, match="grew without bound"):
        result = gamp(A, y, **options)
    assert result.status is Status.DIVERGED
    assert "remove_mean=True" in result.reason
    assert np.all(np.isfinite(result.coef))
    assert np.all(np.isfinite(result.variance))
    removed = gamp(A, y, remove_mean=True, **options)
    assert removed.status is Status.CONVERGED
    assert removed.coef.shape == (500,)
    assert nmse(removed.coef, coef) < -35


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("mean", [3.0, 0.0])
def test_removing_the_mean_leaves_the_model_as_it_is(complex_, mean):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((7, 5))
    A = A - A.mean(axis=0) + mean
    if complex_:
        A = A + 1j * rng.standard_normal((7, 5)) - 2j
    design, weights = without_mean(DenseDesign(A))
    x = rng.standard_normal(5)
    image = design.array @ np.concatenate([x, weights.T @ x])
    np.testing.assert_allclose(image[:7], A @ x, atol=1e-12)
    np.testing.assert_allclose(image[7:], 0, atol=1e-12)
    flat = design.array[:7, :5]
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(flat.mean(axis=1), 0, atol=1e-12)


def test_a_gaussian_prior_gives_ridge_regression_with_the_mean_removed():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 40)) + 0.5
    y = A[:, 3] + 0.1 * rng.standard_normal(60)
    result = gamp(A, y, prior=GaussianPrior(0.7), noise_variance=2.0, remove_mean=True, tol=1e-10)
    exact = np.linalg.solve(A.T @ A / 2.0 + np.eye(40) / 0.7, A.T @ y / 2.0)
    np.testing.assert_allclose(result.coef, exact, atol=1e-7)


@pytest.mark.parametrize("remove_mean", [False, True])
@pytest.mark.parametrize("size", [1e-135, 1e-75, 1e-25, 1e135])
def test_the_size_of_the_target_is_immaterial(remove_mean, size):
    A, y, _, _ = sparse_problem("iid", (60, 120), snr=40)
    plain = gamp(A, y, remove_mean=remove_mean)
    np.testing.assert_allclose(gamp(A, size * y, remove_mean=remove_mean).coef / size, plain.coef, atol=1e-9)


def test_data_whose_squares_are_no_numbers_are_refused():
    A, y, _, _ = sparse_problem("iid", (30, 60), snr=40)
    for solve in (gamp, vamp):
        for size in (1e-160, 1e160):
            with pytest.raises(ValueError, match="y has a target"):
                solve(A, size * y)
            with pytest.raises(ValueError, match="A has a column"):
                solve(size * A, y)
        with pytest.raises(ValueError, match="range of float32"):
            solve(np.float32(A), np.float32(1e25 * y))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"prior": "sparse"}, "prior must be a prior such as"),
        ({"prior": BernoulliGaussian}, "prior must be a prior such as"),
        ({"channel": 1.0}, "channel must be a channel such as"),
        (
            {"prior": BernoulliGaussian(np.array([0.1, 0.2]))},
            r"parameters of prior must be numbers or have shape \(1,\)",
        ),
        ({"prior": GaussianMixture((0.9, 0.1), (0.0, np.zeros(3)))}, "parameters of prior"),
        ({"channel": GaussianChannel(np.ones(2))}, "parameters of channel"),
    ],
)
def test_what_is_no_prior_or_channel_gets_an_error_that_says_so(options, text):
    with pytest.raises(ValueError, match=text):
        gamp(np.eye(4), np.ones(4), **options)


def test_a_target_that_diverges_leaves_the_others_their_answers():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((200, 60)) / np.sqrt(60)
    coef = np.where(rng.random(60) < 0.2, 2 * rng.standard_normal(60), 0.0)
    counts, wild = (rng.poisson(np.exp(np.clip(size * A @ coef, -50, 30))).astype(float) for size in (1, 30))
    options = {"prior": BernoulliGaussian(0.2, 0.0, 4.0), "channel": PoissonChannel()}
    alone = gamp(A, counts, **options)
    for order in ([counts, wild], [wild, counts]):
        with pytest.warns(ConvergenceWarning, match="1 of 2 targets"):
            both = gamp(A, np.stack(order, axis=1), **options)
        place = 0 if order[0] is counts else 1
        assert both.status is Status.DIVERGED
        np.testing.assert_allclose(both.coef[:, place], alone.coef, atol=1e-5)
        np.testing.assert_array_equal(both.certificate <= both.tol, [place == 0, place == 1])
        assert np.all(np.isfinite(both.coef))


def test_what_does_not_converge_says_so_and_stays_finite():
    A, y, _, noise = sparse_problem("1000", (60, 120), snr=40)
    with pytest.warns(ConvergenceWarning):
        result = gamp(A, y, prior=SPARSE, noise_variance=noise, max_iter=150)
    assert result.status in (Status.MAX_ITER, Status.DIVERGED)
    assert np.all(np.isfinite(result.coef))
    assert result.certificate > 1e-6


def test_degenerate_data_end_with_a_status():
    for A_, y_ in degenerate().values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            result = gamp(A_, y_)
        assert isinstance(result.status, Status)
        for part in (result.coef, result.variance, result.inclusion, result.noise_variance):
            assert np.all(np.isfinite(part))


@pytest.mark.parametrize("kind", ["dense", "sparse", "centred", "centred sparse", "complex centred sparse"])
def test_squares_of_a_design_are_those_of_its_entries(kind):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((6, 8)) * (rng.random((6, 8)) < 0.5)
    if "complex" in kind:
        A = A * np.exp(1j * rng.uniform(0, 6, A.shape))
    base = SparseDesign(sp.csc_array(A)) if "sparse" in kind else DenseDesign(A)
    mean, scale = rng.standard_normal(8) + (1j if "complex" in kind else 0), rng.uniform(0.5, 2, 6)
    design = CenteredDesign(base, mean, scale) if "centred" in kind else base
    moduli = np.abs(scale[:, None] * (A - mean) if "centred" in kind else A) ** 2
    variance, information = rng.uniform(0, 1, (8, 2)), rng.uniform(0, 1, (6, 2))
    np.testing.assert_allclose(squares(design).spread(variance), moduli @ variance, atol=1e-12)
    np.testing.assert_allclose(squares(design).gather(information), moduli.T @ information, atol=1e-12)
    uniform = squares(design, uniform=True)
    np.testing.assert_allclose(uniform.spread(variance)[0], moduli.sum() / 6 * variance.mean(axis=0))
    np.testing.assert_allclose(uniform.gather(information)[0], moduli.sum() / 8 * information.mean(axis=0))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"variances": "scalar"}, "variances"),
        ({"damping": 0.0}, "damping"),
        ({"damping": "none"}, "damping"),
        ({"noise_variance": 0.0}, "noise_variance"),
        ({"noise_variance": "guess"}, "noise_variance"),
        ({"noise_variance": None}, "noise_variance must be a number greater than 0, or 'learn'; got None"),
        ({"remove_mean": "yes"}, "remove_mean must be True or False; got 'yes'"),
        ({"learn": "prior"}, "learn must be True or False; got 'prior'"),
        ({"prior": LaplacePrior(), "learn": True}, "cannot be learned"),
        ({"prior": BernoulliGaussian(-0.1)}, "rate"),
        ({"channel": ProbitChannel()}, "labels"),
    ],
)
def test_bad_options_get_an_error_that_names_them(options, text):
    A, y, _, _ = sparse_problem(shape=(10, 20))
    with pytest.raises(ValueError, match=text):
        gamp(A, y, **options)


def test_complex_data_are_refused_where_a_part_is_real():
    A, y, _, _ = sparse_problem(shape=(10, 20))
    for options in ({"prior": LaplacePrior(1.0, "mmse")}, {"channel": ProbitChannel(), "prior": SPARSE}):
        target = np.sign(y) if "channel" in options else y
        with pytest.raises(ValueError, match="complex"):
            gamp(A * 1j, target, **options)
