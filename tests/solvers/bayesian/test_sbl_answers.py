"""What the methods of sparse Bayesian learning promise of their answers, beyond where each of them ends."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import SparseBayesianRegressor, sbl
from sparsecode.result import Status
from sparsecode.solvers.bayesian import noise as learning


def correlated(n_samples=100, n_features=200, rho=0.95):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n_samples, n_features))
    for j in range(1, n_features):
        A[:, j] = rho * A[:, j - 1] + np.sqrt(1 - rho**2) * A[:, j]
    x = np.zeros(n_features)
    x[rng.choice(n_features, n_features // 10, False)] = rng.standard_normal(n_features // 10)
    return A, A @ x + 0.05 * rng.standard_normal(n_samples)


def cost(A, y, g, s, charge=3.0):
    """The objective by the covariance of the samples."""
    C = s * np.eye(len(y)) + (A * g) @ A.T
    evidence = -0.5 * (np.linalg.slogdet(2 * np.pi * C)[1] + y @ np.linalg.solve(C, y))
    return charge * np.count_nonzero(g) - evidence


@pytest.mark.parametrize("noise", [0.0025, "learn"])
def test_message_passing_ends_where_no_variance_gains_by_the_exact_evidence(noise):
    A, y = correlated()
    found = sbl(A, y, method="gamp", noise_variance=noise)
    g, s = found.parameters["prior_variance"], found.noise_variance
    assert found.status is Status.CONVERGED
    here = cost(A, y, g, s)
    assert found.objective == pytest.approx(here, abs=1e-6)
    assert here == pytest.approx(3.0 * found.support.size - found.log_evidence, abs=1e-6)
    for n in range(A.shape[1]):
        for value in np.geomspace(1e-3, 10.0, 9) if g[n] == 0 else [0.0, 0.8 * g[n], 1.25 * g[n]]:
            assert cost(A, y, np.where(np.arange(g.size) == n, value, g), s) >= here - 1e-4
    assert len(found.history["iteration"]) == len(found.history["seconds"]) == len(found.history["objective"])
    assert np.all(np.diff(found.history["seconds"]) >= 0)
    assert found.n_iter == found.history["iteration"][-1]


@pytest.mark.parametrize("seed", [5, 6])
def test_a_learned_correlation_is_learned_to_the_end(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((25, 60))
    root = np.linalg.cholesky(0.95 ** np.abs(np.subtract.outer(range(4), range(4))))
    X = np.zeros((60, 4))
    X[:10] = rng.standard_normal((10, 4)) @ root.T
    Y = A @ X + 0.1 * rng.standard_normal((25, 4))
    options = {"method": "em", "correlation": "learn", "noise_variance": 0.01}
    found, longer = sbl(A, Y, **options), sbl(A, Y, tol=1e-9, max_iter=3000, **options)
    assert found.status is Status.CONVERGED
    assert abs(found.objective - longer.objective) < 2e-3


def test_a_covariance_too_large_is_not_formed(monkeypatch):
    A, y = correlated(40, 20)
    exact = SparseBayesianRegressor(prune=0.0, noise_variance=0.0025).fit(A, y)
    monkeypatch.setattr(importlib.import_module("sparsecode.solvers.bayesian.sbl"), "MOST_EXACT", 3)
    for target in (y, np.stack([y, y], axis=1)):
        marginal = SparseBayesianRegressor(prune=0.0, noise_variance=0.0025).fit(A, target)
        covariance = marginal.covariance_ if target.ndim == 1 else marginal.covariance_[0]
        assert exact.covariance_.shape[0] > 3
        assert covariance is None
        std = marginal.predict(A, return_std=True)[1]
        centred = A - A.mean(axis=0)
        expected = np.sqrt(centred**2 @ exact.variance_ + 0.0025 * (1 + 1 / 40))
        np.testing.assert_allclose(std if target.ndim == 1 else std[:, 1], expected, rtol=1e-6)


def test_targets_of_zeros_have_the_correlation_they_were_given():
    found = sbl(np.eye(4), np.zeros((4, 3)), correlation=0.5)
    np.testing.assert_allclose(found.parameters["correlation"], [[1, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 1]])
    assert found.parameters["covariance"].shape == (3, 0, 0)


def test_a_complex_correlation_of_neighbours_is_its_matrix():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 30)) + 1j * rng.standard_normal((20, 30))
    Y = A[:, [3]] * np.array([1, 1j, -1]) + 0.1 * rng.standard_normal((20, 3))
    matrix = np.array([[1, -0.5j, -0.25], [0.5j, 1, -0.5j], [-0.25, 0.5j, 1]])
    found, expected = (sbl(A, Y, correlation=value, noise_variance=0.01) for value in (0.5j, matrix))
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-12)
    np.testing.assert_allclose(
        SparseBayesianRegressor(correlation=0.5j, noise_variance=0.01, fit_intercept=False).fit(A, Y).coef_.T,
        found.coef,
        atol=1e-12,
    )
    with pytest.raises(ValueError, match="between -1 and 1"):
        sbl(A.real, Y.real, correlation=0.5j)


def test_the_fixed_point_of_mackay_is_left_for_careful_steps_of_the_noise(monkeypatch):
    A, y = correlated(60, 30)
    rounds = []
    after = learning.Noise.after

    def seen(self, sq_residual, effective, setting, rounds_done=0, cautious=False):
        rounds.append(rounds_done)
        return after(self, sq_residual, effective, setting, rounds_done, cautious)

    monkeypatch.setattr(learning.Noise, "after", seen)
    with pytest.warns(ConvergenceWarning):
        sbl(A, y, method="mackay", tol=0.0, max_iter=60)
    assert max(rounds) > learning._CAREFUL


@pytest.mark.parametrize(
    ("effective", "rounds", "cautious", "value"),
    [
        (10.0, 40, False, 4 / 40),  # MacKay's: what is left of the samples
        (10.0, 41, False, (4 + 0.2 * 10) / 50),  # expectation maximisation
        (10.0, 0, True, (4 + 0.2 * 10) / 50),
        (46.0, 0, False, (4 + 0.2 * 46) / 50),  # where hardly any are left
        (0.0, 0, True, 4 / 50),
    ],
)
def test_steps_of_the_noise_are_the_formulas(effective, rounds, cautious, value):
    setting = SimpleNamespace(n_targets=2, counted=50.0, charge=3.0, unit=1.0)
    after = learning.Noise(0.2, learned=True).after(8.0, effective, setting, rounds, cautious)
    np.testing.assert_allclose(after.value, value)
    held = learning.Noise(0.2).after(8.0, effective, setting, rounds, cautious)
    assert held.value == 0.2
