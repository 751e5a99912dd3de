"""The Gaussian posterior against algebra written out, and the gain of one variance against the evidence itself."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from sparsecode.solvers.bayesian.evidence import best_variance, cavity, noise_gain, single_gain
from sparsecode.solvers.bayesian.gaussian import posterior
from tests._backends import FOREIGN, get, put
from tests.planted import planted

SHAPES = {"wide": (12, 20), "tall": (30, 9), "square": (10, 10)}


def naive(A, Y, g, s):
    """Mean, variances and log evidence from the joint Gaussian density, by inverses."""
    C = s * np.eye(len(A)) + A @ np.diag(g) @ A.conj().T
    inverse = np.linalg.inv(C)
    mean = np.diag(g) @ A.conj().T @ inverse @ Y
    covariance = np.diag(g) - np.diag(g) @ A.conj().T @ inverse @ A @ np.diag(g)
    factor = 1.0 if np.iscomplexobj(A) else 0.5
    norm = np.pi if np.iscomplexobj(A) else 2 * np.pi
    quadratic = np.real(np.trace(Y.conj().T @ inverse @ Y))
    log_evidence = -factor * (Y.shape[1] * (len(A) * np.log(norm) + np.linalg.slogdet(C)[1]) + quadratic)
    return mean, np.real(np.diag(covariance)), log_evidence


def problem(kind, complex_=False, n_targets=3):
    """A design, targets and prior variances of which some are zero and some tiny."""
    A, Y, _ = planted(*SHAPES[kind], 3, n_targets=n_targets, noise=0.1, complex_=complex_)
    g = np.random.default_rng(1).uniform(0.1, 3.0, A.shape[1])
    g[2], g[4] = 0.0, 1e-12
    return A, Y, g


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("kind", SHAPES)
def test_posterior_is_that_of_the_joint_density(kind, complex_):
    A, Y, g = problem(kind, complex_)
    found = posterior(A, Y, g, 0.3)
    mean, variance, log_evidence = naive(A, Y, g, 0.3)
    np.testing.assert_allclose(found.mean, mean, atol=1e-12)
    np.testing.assert_allclose(found.variance, variance, atol=1e-12)
    np.testing.assert_allclose(found.log_evidence, log_evidence, rtol=1e-12)
    inverse = np.linalg.inv(0.3 * np.eye(len(A)) + A @ np.diag(g) @ A.conj().T)
    np.testing.assert_allclose(found.quality, A.conj().T @ inverse @ Y, atol=1e-10)
    np.testing.assert_allclose(found.sparsity, np.real(np.diag(A.conj().T @ inverse @ A)), rtol=1e-10)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("kind", SHAPES)
def test_posterior_is_the_same_in_every_namespace(kind, name):
    A, Y, g = problem(kind)
    found = posterior(put(A, name), put(Y, name), put(g, name), 0.3)
    expected = posterior(A, Y, g, 0.3)
    np.testing.assert_allclose(get(found.mean), expected.mean, atol=1e-12)
    np.testing.assert_allclose(get(found.variance), expected.variance, atol=1e-12)
    assert abs(found.log_evidence - expected.log_evidence) < 1e-9


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("kind", SHAPES)
def test_gain_of_one_variance_is_that_of_the_evidence(kind, complex_):
    A, Y, g = problem(kind, complex_)
    now = posterior(A, Y, g, 0.3)
    quality = np.mean(np.abs(now.quality) ** 2, axis=1)
    gains = single_gain(quality, now.sparsity, g, Y.shape[1], complex_)
    for n in [0, 2, 4, 6]:

        def loss(value, n=n):
            changed = g.copy()
            changed[n] = value
            return -naive(A, Y, changed, 0.3)[2]

        best = best_variance(*cavity(quality, now.sparsity, g))[n]
        assert abs(gains[n] - (loss(g[n]) - loss(best))) < 1e-6
        searched = minimize_scalar(lambda log: loss(np.exp(log)), bounds=(-20, 10), method="bounded").fun
        assert min(searched, loss(0.0)) > loss(best) - 1e-6


def test_gain_of_the_noise_is_zero_where_its_evidence_is_largest():
    A, Y, g = problem("wide")

    def loss(log):
        return -posterior(A, Y, g, np.exp(log)).log_evidence

    best = float(np.exp(minimize_scalar(loss, bounds=(-10, 5), method="bounded", options={"xatol": 1e-9}).x))

    def gain(noise):
        at = posterior(A, Y, g, noise)
        effective = float(np.sum(g * at.sparsity))
        return noise_gain(np.sum((Y - A @ at.mean) ** 2), effective, noise, Y.shape)

    assert gain(best) < 1e-8
    assert gain(1.3 * best) > 0.9 * (loss(np.log(1.3 * best)) - loss(np.log(best)))
    assert noise_gain(0.0, 3.0, 0.1, (12, 1), floor=0.2) == 0.0
