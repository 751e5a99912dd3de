"""Compound-Gaussian least squares against the penalties that it amounts to, and its objective written out."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from sklearn.exceptions import ConvergenceWarning

from sparsecode import L1, CompoundGaussianRegressor, KroneckerDesign, Lq, Status, compound_gaussian, fista, lasso
from tests._backends import FOREIGN, get, put
from tests.planted import planted

TEXTURES = ["half-normal", "exponential"]


def joint(A, y, z, u, alpha, texture):
    """The objective over textures and Gaussian factors."""
    strength, own = (alpha, 0.5 * z**2) if texture == "half-normal" else (2 * alpha / 3, z)
    return np.sum(np.abs(y - A @ (z * u)) ** 2) / (2 * len(y)) + strength * np.sum(0.5 * np.abs(u) ** 2 + own)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_texture_steps", [0, 1, 5])
def test_half_normal_textures_solve_the_lasso(complex_, n_texture_steps):
    A, y, _ = planted(complex_=complex_)
    found = compound_gaussian(A, y, 0.2, n_texture_steps=n_texture_steps, tol=1e-12)
    expected = fista(A, y, penalty=L1(0.2), tol=1e-13) if complex_ else lasso(A, y, 0.2, tol=1e-13)
    np.testing.assert_allclose(found.objective, expected.objective, rtol=1e-10)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-6)
    assert found.certificate_name == "relative duality gap"


def test_an_orthonormal_design_gives_the_prox_of_each_penalty():
    A = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 12)))[0]
    c = np.array([5.0, -4.0, 3.0, 2.5, -0.2, 0.1, 0.05, -0.02, 0.0, 6.0, 1e-3, 1.8])
    for texture, penalty in (("half-normal", L1(0.05)), ("exponential", Lq(0.05, 2 / 3))):
        found = compound_gaussian(A, A @ c, 0.05, texture=texture, tol=1e-12)
        np.testing.assert_allclose(found.coef, penalty.prox(c, 12.0), atol=1e-7)


@pytest.mark.parametrize("texture", TEXTURES)
def test_the_penalty_is_the_least_sum_over_all_factorisations(texture):
    """So the objective of the coefficients is that of the balanced pair."""
    A, y, _ = planted(20, 30, 3)
    found = compound_gaussian(A, y, 0.1, texture=texture, tol=1e-10)
    z = found.parameters["texture"]
    u = np.divide(found.coef, z, out=np.zeros(30), where=z > 0)
    np.testing.assert_allclose(joint(A, y, z, u, 0.1, texture), found.objective, rtol=1e-5)
    for c in (0.3, 2.0):
        strength, own = (1.0, lambda v: 0.5 * v**2) if texture == "half-normal" else (2 / 3, lambda v: v)
        least = minimize_scalar(
            lambda v, c=c, own=own, s=strength: s * (0.5 * (c / v) ** 2 + own(v)), bounds=(1e-3, 9), method="bounded"
        )
        power = 1.0 if texture == "half-normal" else 2 / 3
        np.testing.assert_allclose(least.fun, c**power, rtol=1e-5)


@pytest.mark.parametrize("texture", TEXTURES)
def test_no_pair_of_factors_near_the_answer_is_better(texture):
    A, y, _ = planted(20, 12, 3, noise=0.1)
    found = compound_gaussian(A, y, 0.1, texture=texture, tol=1e-10)
    z = found.parameters["texture"]
    u = np.divide(found.coef, z, out=np.zeros(12), where=z > 0)
    start = np.concatenate([z, u])
    searched = minimize(
        lambda both: joint(A, y, both[:12], both[12:], 0.1, texture),
        start + 1e-3 * np.random.default_rng(0).standard_normal(24),
        bounds=[(0, None)] * 12 + [(None, None)] * 12,
    )
    assert searched.fun > found.objective * (1 - 1e-4)


@pytest.mark.parametrize("texture", TEXTURES)
@pytest.mark.parametrize("n_texture_steps", [0, 3])
def test_the_objective_never_rises(texture, n_texture_steps):
    A, y, _ = planted(noise=0.5)
    values = []
    for max_iter in range(1, 15):
        with pytest.warns(ConvergenceWarning):
            result = compound_gaussian(
                A, y, 0.1, texture=texture, n_texture_steps=n_texture_steps, max_iter=max_iter, tol=0
            )
        penalty = L1(0.1) if texture == "half-normal" else Lq(0.1, 2 / 3)
        values.append(np.sum((y - A @ result.coef) ** 2) / 120 + float(penalty.value(result.coef)))
        np.testing.assert_allclose(result.history["objective"][-1], values[-1], rtol=1e-12)
    assert np.all(np.diff(values) <= 1e-12)
    assert values[-1] < values[0]


def test_texture_steps_are_proximal_gradient_steps():
    """One iteration from the definition: a ridge fit, steps in z, the balanced pair, and the next ridge fit."""
    A, y, _ = planted(20, 30, 3)
    for texture in TEXTURES:
        alpha, n = 0.1, 20
        strength, power = (alpha, 1 / 2) if texture == "half-normal" else (2 * alpha / 3, 2 / 3)
        z = (np.abs(A.T @ y) / np.sum(A**2, axis=0)) ** power

        def ridge(z, strength=strength, n=n):
            Z = A * z
            return z * np.linalg.solve(Z.T @ Z + n * strength * np.eye(30), Z.T @ y)

        u = ridge(z) / z
        step = n / (1.05 * np.linalg.norm(A, 2) ** 2 * np.max(np.abs(u)) ** 2)
        for _ in range(2):
            z = z - step * (u * (A.T @ (A @ (z * u) - y)) / n)
            z = np.maximum(z / (1 + step * strength) if texture == "half-normal" else z - step * strength, 0)
        expected = ridge(np.maximum(np.abs(z * u) ** power, 1e-12))
        with pytest.warns(ConvergenceWarning):
            found = compound_gaussian(A, y, alpha, texture=texture, n_texture_steps=2, max_iter=1, tol=0)
        value = np.sum((y - A @ expected) ** 2) / (2 * n) + alpha * np.sum(
            np.abs(expected) ** (1.0 if power == 1 / 2 else 2 / 3)
        )
        start, after = found.history["objective"]
        assert abs(after - value) < 1e-3 * (start - value)  # the norm is estimated


def test_exponential_textures_find_fewer_coefficients_and_less_bias():
    errors, sizes = [], []
    for seed in range(8):
        A, y, x = planted(40, 100, 5, noise=0.05, seed=seed)
        best = {}
        for texture in TEXTURES:
            found = [compound_gaussian(A, y, alpha, texture=texture) for alpha in np.geomspace(0.005, 0.5, 6)]
            error = [np.sum((result.coef - x) ** 2) for result in found]
            best[texture] = min(error), found[int(np.argmin(error))].support.size
        errors.append(best["exponential"][0] / best["half-normal"][0])
        sizes.append(best["exponential"][1])
    assert np.median(errors) < 0.3
    assert np.median(sizes) == 5


def test_variances_are_those_of_the_ridge_for_given_textures():
    A, y, _ = planted(30, 20, 3, noise=0.3)
    found = compound_gaussian(A, y, 0.1, tol=1e-10)
    used, s = found.support, found.noise_variance
    z = found.parameters["texture"][used]
    inverse = np.linalg.inv(A[:, used].T @ A[:, used] / s + np.diag(30 * 0.1 / s / z**2))
    np.testing.assert_allclose(found.variance[used], np.diag(inverse), rtol=1e-6)
    assert np.all(np.delete(found.variance, used) < 1e-6)
    degrees = np.trace(A[:, used] @ inverse @ A[:, used].T) / s
    np.testing.assert_allclose(s, np.sum((y - A @ found.coef) ** 2) / (30 - degrees), rtol=1e-6)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("texture", TEXTURES)
def test_every_namespace_gives_numpys_answer(name, texture):
    A, Y, _ = planted(n_targets=2, complex_=True)
    expected = compound_gaussian(A, Y, 0.2, texture=texture)
    found = compound_gaussian(put(A, name), put(Y, name), 0.2, texture=texture)
    np.testing.assert_allclose(get(found.coef), expected.coef, atol=1e-8)
    np.testing.assert_allclose(get(found.variance), expected.variance, atol=1e-10)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"alpha": 0.0}, "alpha must be greater than 0"),
        ({"texture": "gamma"}, "texture must be 'half-normal' or 'exponential'"),
        ({"n_texture_steps": -1}, "n_texture_steps must be"),
    ],
)
def test_bad_arguments_get_an_error_that_names_them(change, text):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=text):
        compound_gaussian(A, y, **{"alpha": 0.1, **change})


@pytest.mark.parametrize("texture", TEXTURES)
def test_nothing_to_explain_gives_zeros(texture):
    A, y, _ = planted()
    for design, target in ((A, 0 * y), (0 * A, y)):
        found = compound_gaussian(design, target, 0.1, texture=texture)
        assert found.status is Status.CONVERGED
        assert np.all(found.coef == 0)
        assert np.isfinite(found.noise_variance)
    doubled = np.hstack([A, A])
    for strength in (1e-300, 1e-12, 1e3, 1e12):
        for design in (A, A[:1], doubled, KroneckerDesign([np.ones((1, 2)), A])):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", ConvergenceWarning)
                found = compound_gaussian(design, y[: design.shape[0]], strength, texture=texture, max_iter=50)
            assert np.all(np.isfinite(found.coef))
            assert np.all(np.isfinite(found.variance))


def test_no_answer_is_worse_than_none():
    """Textures near zero are nearly a fixed point, and so are those of a column that is far too short."""
    A, y, _ = planted()
    short = A.copy()
    short[:, 3] *= 1e-9
    short[:, 4] *= 1e9
    nothing = np.sum(y**2) / (2 * y.size)
    for design, strength, most in itertools.product((A, short), (1e300, 2.0, 0.1), (1, 5, 30, 200)):
        for texture in TEXTURES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                found = compound_gaussian(design, y, strength, texture=texture, max_iter=most)
            assert found.n_iter <= most
            assert found.objective <= nothing * (1 + 1e-6)
            assert strength < 1e3 or np.all(found.coef == 0)


def test_variances_keep_their_digits_or_the_data_are_refused():
    A, y, _ = planted()
    plain = compound_gaussian(A, y, 0.1, texture="exponential")
    grown = compound_gaussian(A, 1e100 * y, 0.1 * 1e100 ** (4 / 3), texture="exponential")
    np.testing.assert_allclose(grown.variance / 1e200, plain.variance, rtol=1e-6)
    with pytest.raises(ValueError, match="range of float32"):
        compound_gaussian(np.float32(A), np.float32(1e25 * y), 1e24)


def test_the_estimator_predicts_with_a_spread():
    A, y, _ = planted(noise=0.5)
    model = CompoundGaussianRegressor(0.05, texture="exponential").fit(A, y + 3)
    mean, std = model.predict(A, return_std=True)
    assert np.mean(np.abs(y + 3 - mean) < 2 * std) > 0.8
    assert abs(model.intercept_ - 3) < 0.5
