"""RobustUnmixing against planted scenes, naive objectives, quadratic programs and closed forms."""

import warnings

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, minimize, nnls
from sklearn.exceptions import ConvergenceWarning

from sparsecode import RobustUnmixing, Status
from sparsecode.solvers.unmixing import (
    SMOOTHING,
    abundances,
    band_scale,
    first_endmembers,
    learned_powers,
    onto_simplex,
    successive_projections,
    unmix,
)

N_BANDS, N_ENDMEMBERS, N_PIXELS = 80, 4, 900


def scene(n_noisy=0, seed=0, snr_db=30.0, n_pixels=N_PIXELS, n_bands=N_BANDS, n_endmembers=N_ENDMEMBERS):
    """Smooth positive spectra mixed by sparse Dirichlet shares; some bands are drowned in noise."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, 1, n_bands)
    bumps = rng.uniform(0, 1, (n_endmembers, 5, 1))
    widths = rng.uniform(0.05, 0.2, (n_endmembers, 5, 1))
    heights = rng.uniform(0.1, 0.5, (n_endmembers, 5, 1))
    spectra = 0.1 + np.sum(heights * np.exp(-0.5 * ((axis - bumps) / widths) ** 2), axis=1)
    shares = rng.dirichlet(np.full(n_endmembers, 0.3), n_pixels)
    X = shares @ spectra
    X = X + rng.standard_normal(X.shape) * np.sqrt(np.mean(X**2)) * 10 ** (-snr_db / 20)
    noisy = rng.choice(n_bands, n_noisy, replace=False)
    X[:, noisy] += rng.standard_normal((n_pixels, n_noisy)) * 1.5
    return X, spectra, shares, noisy


def matched(spectra, found, bands):
    """Mean spectral angle in degrees over good bands, and the assignment (Hungarian)."""
    one, other = spectra[:, bands], found[:, bands]
    cosine = one @ other.T / np.linalg.norm(one, axis=1)[:, None] / np.linalg.norm(other, axis=1)
    rows, columns = linear_sum_assignment(-cosine)
    return np.degrees(np.arccos(np.clip(cosine[rows, columns], -1, 1))).mean(), columns


def errors(model, X, spectra, shares, noisy):
    good = np.setdiff1d(np.arange(X.shape[1]), noisy)
    angle, order = matched(spectra, model.components_, good)
    return np.sqrt(np.mean((model.transform(X)[:, order] - shares) ** 2)), angle


def test_noisy_bands_spoil_least_squares_and_not_correntropy():
    total = {}
    for seed in range(3):
        X, spectra, shares, noisy = scene(12, seed)
        for name, parameters in {
            "least squares": {"loss": "squared", "alpha": 0.0},
            "correntropy": {"loss": "correntropy"},
            "l21": {"loss": "l21", "power": "learned"},
        }.items():
            model = RobustUnmixing(N_ENDMEMBERS, **parameters, max_iter=300, tol=None).fit(X)
            total.setdefault(name, []).append(errors(model, X, spectra, shares, noisy))
            weights = model.band_weights_
            good = np.setdiff1d(np.arange(N_BANDS), noisy)
            if name == "correntropy":
                assert weights[noisy].max() < 1e-6 < 0.1 < np.median(weights[good])
            elif name == "l21":
                assert weights[noisy].max() < 0.2 * np.median(weights[good])
            else:
                np.testing.assert_array_equal(weights, 1.0)
    rmse = {name: np.mean([pair[0] for pair in pairs]) for name, pairs in total.items()}
    angle = {name: np.mean([pair[1] for pair in pairs]) for name, pairs in total.items()}
    assert rmse["correntropy"] < 0.6 * rmse["least squares"]
    assert rmse["l21"] < rmse["least squares"]
    assert angle["correntropy"] < angle["least squares"]


def test_a_clean_scene_is_unmixed():
    X, spectra, shares, noisy = scene(0, 1, snr_db=40)
    rmse, angle = errors(RobustUnmixing(N_ENDMEMBERS).fit(X), X, spectra, shares, noisy)
    assert rmse < 0.05
    assert angle < 3


@pytest.mark.parametrize("factor", [1.0, 1e-6])
def test_no_band_of_exact_data_is_distrusted(factor):
    rng = np.random.default_rng(5)
    endmembers = rng.random((3, 20))
    X = factor * rng.dirichlet([0.3] * 3, 300) @ endmembers
    model = RobustUnmixing(3).fit(X)
    plain = RobustUnmixing(3, loss="squared").fit(X)
    missed, least = (np.linalg.norm(X - each.inverse_transform(each.transform(X))) for each in (model, plain))
    assert model.band_weights_.min() > 0.9
    assert missed < 1.5 * least < 5e-3 * np.linalg.norm(X)
    assert model.scale_ == pytest.approx(0.01 * band_scale(X), rel=1e-3)


# ---------------------------------------------------------------- objective, step by step


def naive_objective(X, A, M, loss, scale, alpha, powers, delta):
    """Written from the definition, one number at a time."""
    value = 0.0
    for band in range(X.shape[1]):
        error = np.mean((X[:, band] - A @ M[:, band]) ** 2)
        if loss == "squared":
            value += error / 2
        elif loss == "correntropy":
            value += scale * (1 - np.exp(-error / (2 * scale)))
        else:
            least = 1e-10 * scale
            value += np.sqrt(scale) * (np.sqrt(error + least) - np.sqrt(least))
    value /= X.shape[1]
    for row, power in zip(A, powers, strict=True):
        value += alpha * np.sum((row + SMOOTHING) ** power - SMOOTHING**power) / len(A)
        if delta is not None:
            value += 0.5 * delta**2 * (1 - row.sum()) ** 2 / len(A)
    return value


@pytest.mark.parametrize("loss", ["correntropy", "l21", "squared"])
@pytest.mark.parametrize("delta", [None, 1.5])
@pytest.mark.parametrize("power", [0.5, None])
def test_once_the_scale_is_frozen_the_objective_never_rises(loss, delta, power):
    X, *_ = scene(3, 2, n_pixels=120, n_bands=20)
    X /= band_scale(X)
    asked = {"alpha": 3e-3, "power": power, "delta": delta}
    found = unmix(X, first_endmembers(X, 3), loss=loss, **asked, max_iter=160, tol=-1.0)
    frozen = np.array(found.history["objective"])[81:]
    assert len(frozen) == 80
    assert np.ptp(found.history["scale"][81:]) == 0
    assert np.all(np.diff(frozen) <= 1e-13 * frozen[0])
    powers = np.full(len(X), 0.5) if power else None
    if powers is not None:
        value = naive_objective(X, found.abundances, found.endmembers, loss, found.scale, 3e-3, powers, delta)
        assert found.objective == pytest.approx(value, rel=1e-8)


@pytest.mark.parametrize("delta", [None, 1.5])
def test_abundances_without_sparsity_are_those_of_a_quadratic_program(delta):
    rng = np.random.default_rng(0)
    M, X, weights = rng.uniform(0, 1, (4, 12)), rng.uniform(0, 1, (10, 12)), rng.uniform(0, 1, 12)
    found = abundances(X, M, weights, alpha=0.0, power=0.5, delta=delta, n_passes=100_000, tol=1e-14)
    root = np.sqrt(weights / 12)
    for pixel, row in zip(X, found, strict=True):
        rows, target = (M * root).T, pixel * root
        heavy = 1e4 if delta is None else delta  # a sum of one is the limit of a heavy charge
        expected, _ = nnls(np.vstack([rows, np.full((1, 4), heavy)]), np.append(target, heavy))
        np.testing.assert_allclose(row, expected, atol=1e-6)
    if delta is None:
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)


def test_sparse_abundances_are_stationary_for_a_general_solver():
    """No descent direction is left that scipy's solver could follow by more than rounding."""
    rng = np.random.default_rng(1)
    M, X = rng.uniform(0, 1, (3, 9)), rng.uniform(0, 1, (5, 9))
    found = abundances(X, M, np.ones(9), alpha=0.02, power=0.5, delta=1.0, n_passes=100_000, tol=1e-14)
    for pixel, row in zip(X, found, strict=True):

        def value(a, pixel=pixel):
            return naive_objective(pixel[None], a[None], M, "squared", 1.0, 0.02, [0.5], 1.0)

        near = minimize(value, row, method="L-BFGS-B", bounds=[(0, None)] * 3, options={"ftol": 1e-15, "gtol": 1e-10})
        assert near.fun >= value(row) - 1e-9


def test_the_projection_is_the_nearest_point_of_the_simplex():
    rows = np.random.default_rng(0).standard_normal((20, 5))
    found = onto_simplex(rows)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found.min() >= 0
    for row, point in zip(rows, found, strict=True):  # (row - point) . (vertex - point) <= 0 for every vertex
        assert np.max((np.eye(5) - point) @ (row - point)) <= 1e-12


def test_a_stationary_point_has_certificate_zero_and_another_one_has_not():
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 50)
    M = np.random.default_rng(1).uniform(0.2, 1, (3, 10))
    asked = {"loss": "squared", "alpha": 0.0, "power": 0.5, "delta": None}
    exact = unmix(shares @ M, M, **asked, max_iter=2, tol=1e-6)
    assert exact.history["certificate"][0] < 1e-3
    assert unmix(shares @ M, M[:, ::-1], **asked, max_iter=1, tol=1e-6).history["certificate"][0] > 1e-2


def test_learned_powers_fall_with_purity():
    powers = learned_powers(np.array([[0.25] * 4, [0.7, 0.1, 0.1, 0.1], [1.0, 0.0, 0.0, 0.0]]))
    assert powers[0] == pytest.approx(1.0)
    assert 0.3 < powers[1] < 1.0
    assert powers[2] == 0.3


def test_successive_projections_find_the_vertices():
    vertices = np.array([[2.0, 0.0, 0.0], [0.0, 1.5, 0.0], [0.5, 0.5, 1.0]])
    inside = np.random.default_rng(0).dirichlet([1, 1, 1], 30) * 0.9 @ vertices
    cloud = np.vstack([inside[:10], vertices[:1], inside[10:], vertices[1:]])
    assert set(successive_projections(cloud, 3)) == {10, 31, 32}
    assert len(set(successive_projections(np.ones((5, 2)), 4))) == 4  # even where nothing is left to project out


def test_the_start_is_near_the_truth_although_bands_are_useless():
    X, spectra, _, noisy = scene(12, 3)
    good = np.setdiff1d(np.arange(N_BANDS), noisy)
    assert matched(spectra, first_endmembers(X, N_ENDMEMBERS), good)[0] < 15


# ---------------------------------------------------------------- the estimator


def test_scaling_the_data_scales_endmembers_alone():
    X, *_ = scene(2, 0, n_pixels=200, n_bands=30)
    one, other = (RobustUnmixing(3, max_iter=150, tol=None).fit(f * X) for f in (1.0, 1e-6))
    np.testing.assert_allclose(other.components_ * 1e6, one.components_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(other.transform(1e-6 * X), one.transform(X), atol=1e-5)
    assert other.scale_ * 1e6 == pytest.approx(one.scale_)


@pytest.mark.parametrize("simplex", ["exact", "soft"])
def test_abundances_lie_on_the_simplex(simplex):
    X, *_ = scene(2, 0, n_pixels=150, n_bands=30)
    model = RobustUnmixing(3, simplex=simplex, delta=5.0 if simplex == "soft" else 1.0, max_iter=100, tol=None).fit(X)
    shares = model.transform(X)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12 if simplex == "exact" else 0.2)
    assert model.components_.min() >= 0
    np.testing.assert_allclose(model.inverse_transform(shares), shares @ model.components_)


def test_each_pixel_is_unmixed_for_itself_on_any_number_of_threads():
    X, *_ = scene(2, 0, n_pixels=150, n_bands=30)
    one = RobustUnmixing(3, power="learned", max_iter=30, tol=None, n_jobs=1).fit(X)
    two = RobustUnmixing(3, power="learned", max_iter=30, tol=None, n_jobs=3).fit(X)
    np.testing.assert_array_equal(one.components_, two.components_)
    shares = one.transform(X)
    np.testing.assert_allclose(one.transform(X[7:9]), shares[7:9], atol=1e-9)


def test_negative_noise_zero_pixels_and_zero_bands_do_no_harm():
    X, spectra, shares, noisy = scene(4, 5)
    X[3] = 0.0
    X[:, 11] = 0.0
    assert X.min() < 0
    model = RobustUnmixing(N_ENDMEMBERS, max_iter=200, tol=None).fit(X)
    found = model.transform(X)
    assert np.all(np.isfinite(found))
    assert np.all(np.isfinite(model.components_))
    assert not np.any(model.components_[:, 11])
    clean = RobustUnmixing(N_ENDMEMBERS, max_iter=200, tol=None).fit(np.maximum(X, 0.0))
    assert (
        errors(model, X, spectra, shares, noisy)[0] < 1.5 * errors(clean, np.maximum(X, 0), spectra, shares, noisy)[0]
    )


def test_how_a_fit_ended_is_told():
    X, *_ = scene(0, 0, n_pixels=150, n_bands=30)
    model = RobustUnmixing(3, tol=1e-3).fit(X)
    assert model.status_ is Status.CONVERGED
    assert model.certificate_ <= 1e-3
    assert model.history_["iteration"] == list(range(model.n_iter_ + 1))
    with pytest.warns(ConvergenceWarning, match="raise max_iter") as caught:
        RobustUnmixing(3, max_iter=3, tol=1e-12).fit(X)
    assert len(caught) == 1
    stopped = RobustUnmixing(3, callback=lambda progress: progress.iteration == 2).fit(X)
    assert stopped.status_ is Status.INTERRUPTED
    assert stopped.n_iter_ == 2


@pytest.mark.parametrize(
    "parameters, X, message",
    [
        ({"n_components": 9}, np.ones((5, 6)), "n_samples=5"),
        ({}, -np.ones((5, 6)), "no positive entry"),
        ({}, np.full((5, 6), 1e-200), "X has a column .* entries of size"),
        ({"init": np.ones((2, 6))}, np.ones((5, 6)), "init has shape"),
        ({"init": -np.ones((3, 6))}, np.ones((5, 6)), "init has negative"),
        ({"loss": "huber"}, np.ones((5, 6)), "loss"),
        ({"power": 0.0}, np.ones((5, 6)), "power"),
        ({"simplex": "both"}, np.ones((5, 6)), "simplex"),
    ],
)
def test_bad_input_is_refused_by_name(parameters, X, message):
    with pytest.raises(ValueError, match=message):
        RobustUnmixing(**parameters).fit(X)


def test_identical_pixels_leave_no_nan():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for X in (np.ones((6, 4)), np.eye(6)[:, :1] + np.zeros((6, 4))):
            model = RobustUnmixing(3, max_iter=20).fit(X)
            assert np.all(np.isfinite(model.transform(X)))
            assert np.all(np.isfinite(model.components_))


def test_a_soft_constraint_has_a_weight_and_an_exact_one_has_none():
    X = np.random.default_rng(0).random((20, 5))
    with pytest.raises(ValueError, match="'delta'"):
        RobustUnmixing(2, simplex="soft", delta=0.0).fit(X)
    with pytest.raises(ValueError, match="delta has no meaning for simplex='exact'"):
        RobustUnmixing(2, delta=2.0).fit(X)


def test_pure_pixels_are_wholly_pure():
    """A pair of shares moves all the way to its bound at once: what is not there is zero, not small."""
    endmembers = np.random.default_rng(0).random((3, 12))
    beyond = 2.0 * endmembers - np.mean(endmembers, axis=0)
    found = abundances(beyond, endmembers, np.ones(12), alpha=0.0, power=1.0, delta=None)
    np.testing.assert_array_equal(found == 0.0, np.eye(3) == 0.0)
    np.testing.assert_allclose(found, np.eye(3), rtol=1e-12)


def test_learned_powers_fall_with_the_sparseness_of_a_pixel():
    shares = np.array([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.6, 0.2, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1]])
    hoyer = [(2.0 - np.sum(row) / np.sqrt(np.sum(row**2))) / (2.0 - 1.0) for row in shares]
    np.testing.assert_allclose(learned_powers(shares), np.maximum(1.0 - np.array(hoyer), 0.3), rtol=1e-12)
    assert 0.3 < learned_powers(shares)[2] < learned_powers(shares)[3] < 1.0


def test_a_projection_leaves_nothing_of_its_direction():
    cloud = np.array([[9.9, 0.05], [10.0, 0.0], [0.0, 0.9], [5.0, 0.1]])  # a tenth of the first would beat the third
    np.testing.assert_array_equal(successive_projections(cloud, 2), [1, 2])
