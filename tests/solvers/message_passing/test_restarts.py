"""Targets that start again, learn again, or are given up, one by one; and columns that say nothing."""

import numpy as np
import pytest

from sparsecode import (
    BernoulliGaussian,
    GaussianChannel,
    GaussianMixture,
    GaussianPrior,
    LaplacePrior,
    ProbitChannel,
    gamp,
    state_evolution,
    vamp,
)
from sparsecode.result import Status
from sparsecode.solvers.message_passing.damping import Damper
from sparsecode.solvers.message_passing.learning import Learner


def test_what_starts_again_learns_again():
    learner = Learner(BernoulliGaussian(0.1), 2, True)
    learned = BernoulliGaussian(0.5, 0.0, 2.0)
    for _ in range(20):
        learner.update(lambda part: learned)
    assert np.all(learner.is_held)
    learner.restart(np.array([True, False]))
    np.testing.assert_array_equal(learner.is_held, [False, True])
    for _ in range(8):
        learner.update(lambda part: pytest.fail("the first messages say little of the parameters"))
    for _ in range(12):
        learner.update(lambda part: learned)
    assert np.all(learner.is_held)
    np.testing.assert_allclose(learner.part.rate, 0.5)
    idle = Learner(BernoulliGaussian(0.1), 1, False)
    idle.restart(np.array([True]))
    assert np.all(idle.is_held)


def test_short_steps_are_given_up_only_where_they_diverge():
    damper = Damper(0.01, 2)
    damper.restart(np.array([True, False]))
    np.testing.assert_array_equal(damper.given_up, [True, False])


@pytest.mark.parametrize("seed", [2, 8])
@pytest.mark.parametrize("targets", [1, 2])
def test_vamp_is_that_without_columns_of_zeros(seed, targets):
    rng = np.random.default_rng(seed)
    A, x = rng.standard_normal((80, 40)), rng.standard_normal((40, targets))
    x[:8] = 0
    A[:, 5] = 0
    y = A @ x + 0.1 * rng.standard_normal((80, targets))
    y = y[:, 0] if targets == 1 else y
    seen, expected = vamp(A, y), vamp(np.delete(A, 5, axis=1), y)
    assert seen.status is Status.CONVERGED
    kept = np.arange(40) != 5
    for name in ("coef", "variance", "inclusion"):
        np.testing.assert_allclose(getattr(seen, name)[kept], getattr(expected, name), atol=1e-10)
    assert np.all(seen.coef[5] == 0)
    assert np.all(seen.inclusion[5] == 0)
    assert np.all(seen.variance[5] > 0)
    shapes = []
    vamp(A, y, callback=lambda progress: shapes.append(progress.coef.shape))
    assert set(shapes) == {seen.coef.shape}


def test_gamp_never_selects_a_column_of_zeros():
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((80, 40)), rng.standard_normal(40)
    A[:, 5] = 0
    x[:8] = 0
    found = gamp(A, A @ x + 0.1 * rng.standard_normal(80))
    assert found.parameters["prior"].rate > 0.5
    assert 5 not in found.support
    assert found.coef[5] == 0


@pytest.mark.parametrize("n_samples", [80, 30])
def test_of_a_column_of_zeros_the_prior_is_what_is_known(n_samples):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n_samples, 40))
    A[:, 5] = 0.0
    prior = BernoulliGaussian(0.2, 0.5, 2.0)
    y = A @ np.where(np.arange(40) < 4, 2.0, 0.0) + 0.1 * rng.standard_normal(n_samples)
    found = gamp(A, y, prior=prior, noise_variance=0.01)
    messages = found.parameters["messages"]
    np.testing.assert_allclose(found.variance[5], prior.moments()[1], rtol=1e-6)
    np.testing.assert_allclose(messages.mean[5], prior.moments()[0], rtol=1e-6)


def test_errors_name_what_was_given():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 10))
    labels = np.sign(rng.standard_normal((20, 2)))
    with pytest.raises(ValueError, match="one noise_variance greater than 0"):
        gamp(A, labels, channel=ProbitChannel(np.ones(2)))
    with pytest.raises(ValueError, match=r"prior must be .* got 'x'"):
        state_evolution("x", 0.5, 0.1, truth=GaussianPrior())
    with pytest.raises(ValueError, match=r"prior, which without truth .* mixture"):
        state_evolution(LaplacePrior(), 0.5, 0.1)
    with pytest.raises(ValueError, match="give the noise variance once"):
        gamp(A, labels, channel=GaussianChannel(5.0), noise_variance=0.1)
    for targets in (labels, labels[:, 0]):
        with pytest.raises(ValueError, match="must be tuples"):
            gamp(A, targets, prior=GaussianMixture([0.9, 0.1], [0, 0], [0, 1]))
    for solver in (gamp, vamp):
        with pytest.raises(ValueError, match="sample_weight sums to"):
            solver(A, labels, sample_weight=np.full(20, 0.04))
