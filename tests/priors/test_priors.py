"""Every prior's estimates against integrals over its density, and its learning against the likelihood that it must not lower."""

import numpy as np
import pytest

from sparsecode import BernoulliGaussian, GaussianMixture, GaussianPrior, LaplacePrior
from tests._backends import FOREIGN, get, put

# each with its density on a grid, and the weight of its atom at zero
CASES = {
    "bernoulli": (BernoulliGaussian(0.2, 0.3, 1.7), lambda x: 0.2 * normal(x, 0.3, 1.7), 0.8),
    "bernoulli, rare": (BernoulliGaussian(1e-4, 0.0, 4.0), lambda x: 1e-4 * normal(x, 0.0, 4.0), 1 - 1e-4),
    "bernoulli, always": (BernoulliGaussian(1.0, -1.0, 2.0), lambda x: normal(x, -1.0, 2.0), 0.0),
    "gaussian": (GaussianPrior(0.7, 0.4), lambda x: normal(x, 0.4, 0.7), 0.0),
    "mixture": (
        GaussianMixture((0.5, 0.2, 0.3), (0.0, -1.0, 2.0), (0.0, 0.3, 1.5)),
        lambda x: 0.2 * normal(x, -1.0, 0.3) + 0.3 * normal(x, 2.0, 1.5),
        0.5,
    ),
    "mixture without atom": (
        GaussianMixture((0.4, 0.6), (0.0, 0.0), (0.2, 3.0)),
        lambda x: 0.4 * normal(x, 0.0, 0.2) + 0.6 * normal(x, 0.0, 3.0),
        0.0,
    ),
    "laplace": (LaplacePrior(0.6, "mmse"), lambda x: np.exp(-np.abs(x) / 0.6) / 1.2, 0.0),
}
every_case = pytest.mark.parametrize("name", CASES)
LEARNABLE = [name for name in CASES if name != "bernoulli, rare"]  # of which no sample shows a coefficient


def normal(x, mean, variance):
    return np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def integrals(density, atom, pseudo, variance):
    """Posterior mean, variance, probability of being no atom, and the evidence, by sums on a fine grid."""
    near = pseudo + np.sqrt(variance) * np.linspace(-30, 30, 60_001)
    wide = np.unique(np.concatenate([near, np.linspace(-40, 40, 40_001)]))
    mass = np.gradient(wide) * density(wide) * normal(wide, pseudo, variance)
    at_zero = atom * normal(0.0, pseudo, variance)
    total = mass.sum() + at_zero
    mean = (mass * wide).sum() / total
    spread = (mass * (wide - mean) ** 2).sum() / total + at_zero / total * mean**2
    return mean, spread, mass.sum() / total, total


@every_case
@pytest.mark.parametrize("variance", [1e-3, 0.3, 20.0])
def test_estimates_are_the_posteriors_mean_and_variance(name, variance):
    prior, density, atom = CASES[name]
    pseudo = np.array([-6.0, -0.4, 0.0, 0.1, 3.0])
    mean, spread = prior.denoise(pseudo, variance)
    inclusion = prior.inclusion(pseudo, variance)
    for i, value in enumerate(pseudo):
        expected = integrals(density, atom, value, variance)
        np.testing.assert_allclose(mean[i], expected[0], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(np.broadcast_to(spread, pseudo.shape)[i], expected[1], rtol=1e-5, atol=1e-10)
        if inclusion is not None:
            np.testing.assert_allclose(inclusion[i], expected[2], rtol=1e-6, atol=1e-12)
    assert (inclusion is None) == (atom == 0 and not isinstance(prior, BernoulliGaussian))


@pytest.mark.parametrize("prior", [BernoulliGaussian(0.3, 0.5 - 0.2j, 1.4), GaussianPrior(1.4, 0.2j)])
def test_complex_estimates_are_integrals_over_the_plane(prior):
    rate = getattr(prior, "rate", 1.0)
    axis = np.linspace(-9, 9, 901)
    x = axis[:, None] + 1j * axis[None, :]
    for pseudo in (0.3 + 0.1j, -1.0 + 2.0j):
        likelihood = np.exp(-(np.abs(x - pseudo) ** 2) / 0.4) / (np.pi * 0.4)
        density = rate * np.exp(-(np.abs(x - prior.mean) ** 2) / prior.variance) / (np.pi * prior.variance)
        mass = likelihood * density * (axis[1] - axis[0]) ** 2
        at_zero = (1 - rate) * np.exp(-(np.abs(pseudo) ** 2) / 0.4) / (np.pi * 0.4)
        total = mass.sum() + at_zero
        expected = (mass * x).sum() / total
        mean, spread = prior.denoise(np.array([pseudo]), 0.4)
        np.testing.assert_allclose(mean[0], expected, rtol=1e-8)
        second = (mass * np.abs(x) ** 2).sum() / total
        np.testing.assert_allclose(np.ravel(spread)[0], second - np.abs(expected) ** 2, rtol=1e-7)


@pytest.mark.parametrize("complex_", [False, True])
def test_the_most_likely_coefficient_minimises_the_penalised_square(complex_):
    prior, variance = LaplacePrior(0.5), 0.3
    pseudo = np.array([0.2, -0.9, 2.0]) * (np.exp(0.4j) if complex_ else 1.0)
    found, slope = prior.denoise(pseudo, variance)
    size = np.linspace(0, 3, 300_001)
    factor = 1.0 if complex_ else 0.5  # halves of the log densities: exp(-2 |x| / scale) of complex x
    for i, value in enumerate(pseudo):
        best = size[np.argmin(factor * (size - np.abs(value)) ** 2 / variance + 2 * factor * size / 0.5)]
        np.testing.assert_allclose(found[i], best * value / np.abs(value), atol=2e-5)
        step = 1e-6
        ways = (1.0, 1.0j) if complex_ else (1.0,)
        moved = [
            (prior.denoise(np.array([value + step * way]), variance)[0][0] - found[i]) / (step * way) for way in ways
        ]
        np.testing.assert_allclose(slope[i], variance * np.mean(np.real(moved)), atol=1e-5)
    np.testing.assert_array_equal(prior.inclusion(pseudo, variance), found != 0)


def test_a_bernoulli_gaussian_is_a_mixture_with_an_atom():
    one, other = BernoulliGaussian(0.2, 0.3, 1.7), GaussianMixture((0.8, 0.2), (0.0, 0.3), (0.0, 1.7))
    pseudo = np.random.default_rng(0).normal(0, 2, (50, 3))
    for left, right in zip(one.denoise(pseudo, 0.1), other.denoise(pseudo, 0.1), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(one.inclusion(pseudo, 0.1), other.inclusion(pseudo, 0.1), rtol=1e-10)
    np.testing.assert_allclose(one.moments(), other.moments())
    new, mixed = one.learned(pseudo, 0.1), other.learned(pseudo, 0.1)
    np.testing.assert_allclose(new.rate, mixed.weights[1], rtol=1e-10)
    np.testing.assert_allclose([new.mean, new.variance], [mixed.means[1], mixed.variances[1]], rtol=1e-10)


@pytest.mark.parametrize("name", LEARNABLE)
def test_learning_never_lowers_the_likelihood_and_ends_near_the_truth(name):
    prior, _, _ = CASES[name]
    rng = np.random.default_rng(0)
    x = sampled(prior, rng, 1000)
    pseudo = x + np.sqrt(0.05) * rng.standard_normal(x.size)
    now, last = (
        {
            BernoulliGaussian: lambda: BernoulliGaussian(0.5, 0.1, 0.5),
            GaussianPrior: lambda: GaussianPrior(3.0, 0.1),
            GaussianMixture: lambda: prior._replace(variances=tuple(2 * variance for variance in prior.variances)),
            LaplacePrior: lambda: LaplacePrior(2.0, "mmse"),
        }[type(prior)](),
        -np.inf,
    )
    for _ in range(40):
        likelihood = log_likelihood(now, pseudo, 0.05)
        assert likelihood >= last - 1e-9 * abs(last)
        now, last = now.learned(pseudo, 0.05), likelihood
    assert last >= log_likelihood(prior, pseudo, 0.05) - 5.0


def sampled(prior, rng, size):
    if isinstance(prior, LaplacePrior):
        return rng.laplace(0.0, prior.scale, size)
    weights, means, variances = prior.components()
    which = rng.choice(len(weights), size, p=weights)
    return np.array(means)[which] + np.sqrt(np.array(variances)[which]) * rng.standard_normal(size)


def log_likelihood(prior, pseudo, variance):
    if isinstance(prior, LaplacePrior):
        grid = np.linspace(-15, 15, 1201)
        density = np.exp(-np.abs(grid) / prior.scale) / (2 * prior.scale) * (grid[1] - grid[0])
        return np.sum(np.log(normal(grid, pseudo[:, None], variance) @ density))
    parts = zip(*prior.components(), strict=True)
    return float(np.sum(np.log(sum(w * normal(pseudo, m, v + variance) for w, m, v in parts))))


@every_case
def test_moments_are_those_of_the_density(name):
    prior, density, _ = CASES[name]
    grid = np.linspace(-60, 60, 400_001)
    mass = density(grid) * (grid[1] - grid[0])
    mean = (mass * grid).sum()
    np.testing.assert_allclose(prior.moments()[0], mean, atol=1e-6)
    np.testing.assert_allclose(prior.moments()[1], (mass * grid**2).sum() - mean**2, rtol=1e-6)


def test_a_set_of_parameters_for_each_target():
    pseudo = np.random.default_rng(0).normal(0, 1, (40, 2))
    pseudo[:, 1] *= 5
    together = BernoulliGaussian(0.3, 0.1, 2.0).learned(pseudo, 0.2)
    for target in range(2):
        alone = BernoulliGaussian(0.3, 0.1, 2.0).learned(pseudo[:, target], 0.2)
        np.testing.assert_allclose([part[target] for part in together], alone)
        both = together.denoise(pseudo, 0.2)[0][:, target]
        np.testing.assert_allclose(both, alone.denoise(pseudo[:, target], 0.2)[0])


@every_case
def test_no_question_gets_an_answer_that_is_not_a_number(name):
    prior, _, _ = CASES[name]
    pseudo = np.array([0.0, 1e-300, -1e3, 1e8, -1e8, 1e155, -1e160, 1e250, -1e300])
    for variance in (1e-250, 1e-12, 1.0, 1e12, 1e200):
        with np.errstate(over="ignore"):
            mean, spread = prior.denoise(pseudo, variance)
        assert np.all(np.isfinite(mean))
        assert np.all(np.isfinite(spread))
        assert np.all(np.asarray(spread) >= 0)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("size", [1e-120, 1e120])
@pytest.mark.parametrize("name", CASES)
def test_estimates_scale_with_the_unit_of_coefficients(name, size, complex_):
    """Squares of the numbers asked for are no numbers; those of a suitable unit are."""
    prior, _, _ = CASES[name]
    if complex_ and not prior.supports_complex:
        return
    larger = {
        BernoulliGaussian: lambda: BernoulliGaussian(prior.rate, size * prior.mean, size**2 * prior.variance),
        GaussianPrior: lambda: GaussianPrior(size**2 * prior.variance, size * prior.mean),
        GaussianMixture: lambda: GaussianMixture(
            prior.weights, tuple(size * m for m in prior.means), tuple(size**2 * v for v in prior.variances)
        ),
        LaplacePrior: lambda: LaplacePrior(size * prior.scale, prior.estimate),
    }[type(prior)]()
    pseudo = np.array([-6.0, -0.4, 0.0, 0.1, 3.0]) * (np.exp(0.4j) if complex_ else 1.0)
    mean, spread = prior.denoise(pseudo, 0.3)
    found, around = larger.denoise(size * pseudo, size**2 * 0.3)
    np.testing.assert_allclose(found / size, mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(around / size / size, spread, rtol=1e-9)


@pytest.mark.parametrize("namespace", FOREIGN)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@every_case
def test_every_namespace_gives_numpys_estimates(name, dtype, namespace):
    prior, _, _ = CASES[name]
    pseudo = np.random.default_rng(0).normal(0, 2, (20, 2)).astype(dtype)
    variance = np.full((1, 2), 0.3, dtype=dtype)
    for part in (prior, prior.learned(pseudo, variance)):
        reference = part.denoise(pseudo, variance)
        found = part.denoise(put(pseudo, namespace), put(variance, namespace))
        for left, right in zip(found, reference, strict=True):
            assert str(left.dtype).endswith(dtype)
            np.testing.assert_allclose(get(left), right, rtol=1e-4 if dtype == "float32" else 1e-12, atol=1e-6)


@pytest.mark.parametrize(
    ("prior", "text"),
    [
        (BernoulliGaussian(1.2), "BernoulliGaussian needs a finite rate"),
        (BernoulliGaussian(variance=0.0), "variance greater than 0"),
        (BernoulliGaussian(mean=np.nan), "finite mean"),
        (GaussianPrior(-1.0), "GaussianPrior needs a finite variance"),
        (GaussianMixture((0.5,), (0.0, 1.0), (1.0, 1.0)), "as many weights as means"),
        (GaussianMixture((0.5, 0.4), (0.0, 1.0), (1.0, 1.0)), "sum one"),
        (GaussianMixture((1.0,), (0.0,), (0.0,)), "component of variance greater than zero"),
        (LaplacePrior(0.0), "scale greater than 0"),
        (LaplacePrior(estimate="mean"), "'map' or 'mmse'"),
    ],
)
def test_bad_parameters_get_an_error_that_names_them(prior, text):
    with pytest.raises(ValueError, match=text):
        prior.check()
