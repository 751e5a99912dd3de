"""Steps, the life of latents, and where signals lie."""

import numpy as np
import pytest
from scipy.optimize import minimize

from sparsecode.networks import Adam
from sparsecode.solvers.autoencoder.activations import JumpReLU, TopK
from sparsecode.solvers.autoencoder.allocation import BatchTopK, FeatureChoice
from sparsecode.solvers.autoencoder.frame import Frame, geometric_median
from sparsecode.solvers.autoencoder.gradients import loss_and_gradients
from sparsecode.solvers.autoencoder.parameters import Life, Parameters, zeros_like
from sparsecode.solvers.autoencoder.steps import SphereAdam
from sparsecode.solvers.autoencoder.training import AutoencoderLearner
from tests._backends import FOREIGN, get, put
from tests.solvers.autoencoder import naive


def learner_of(activation, seed=0, n_signals=700):
    parameters, X, _ = naive.problem(seed, n_signals=n_signals, n_features=9, n_latents=300)
    parameters.threshold[:] = 0.5
    return AutoencoderLearner(parameters, activation, np.random.RandomState(4)), X


def same(one, other):
    for name, left, right in zip(one.parameters._fields, one.parameters, other.parameters, strict=True):
        np.testing.assert_array_equal(left, right, err_msg=name)


def test_a_step_is_adams_on_the_tangent_and_back_on_the_sphere():
    parameters, X, _ = naive.problem(1, n_signals=40)
    learner = AutoencoderLearner(Parameters(*(part.copy() for part in parameters)), TopK(3), np.random.RandomState(0))
    parts = [part.copy() for part in parameters]
    plain = Adam(parts)
    for rate in (0.1, 0.02, 0.05):
        at, gradients = Parameters(*parts), zeros_like(parameters)
        loss_and_gradients(at, X, X, TopK(3), gradients)
        gradients = gradients._replace(decoder=naive.along_sphere(gradients.decoder, at.decoder))
        plain.step(gradients, rate)
        parts[2] /= np.linalg.norm(parts[2], axis=1, keepdims=True)
        learner.step(X, X, rate)
        for one, other in zip(learner.parameters, parts, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def test_large_gradients_are_shrunk_together():
    parameters, _, _ = naive.problem(2)
    gradients = Parameters(*(np.full_like(part, 3.0) for part in parameters))
    norm = np.sqrt(sum(np.sum(part**2) for part in gradients))
    one, other = (SphereAdam([part.copy() for part in parameters]) for _ in range(2))
    one.step(gradients, 0.1, most=0.5)
    other.step([part * (0.5 / norm) for part in gradients], 0.1)
    for left, right in zip(one.means, other.means, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12)


@pytest.mark.parametrize(
    "activation", [TopK(5), BatchTopK(5), FeatureChoice(5, zipf=True), JumpReLU(0.1, 0.2)], ids=repr
)
def test_the_number_of_threads_does_not_change_a_bit(activation):
    (one, X), (two, _) = learner_of(activation), learner_of(activation)
    for _ in range(3):
        one.step(X, X, 0.01, 1)
        two.step(X, X, 0.01, 2)
    same(one, two)


def test_a_state_put_back_goes_on_as_it_would_have():
    (one, X), (other, _) = learner_of(BatchTopK(4)), learner_of(BatchTopK(4), seed=5)
    for part in (X[:300], X[300:]):
        one.step(part, part, 0.01)
    numbers, arrays = one.state()
    other.restore(numbers, {name: array.copy() for name, array in arrays.items()})
    np.testing.assert_array_equal(one.life.random.uniform(size=3), other.life.random.uniform(size=3))
    for learner in (one, other):
        learner.step(X, X, 0.02)
    same(one, other)
    assert one.life.state() == other.life.state()
    np.testing.assert_array_equal(one.life.silence, other.life.silence)
    np.testing.assert_array_equal(one.life.density, other.life.density)


def test_a_copy_goes_its_own_way():
    learner, X = learner_of(TopK(4))
    learner.step(X, X, 0.01)
    kept = [part.copy() for part in learner.parameters]
    twin = learner.copy()
    twin.step(X, X, 0.1)
    for one, other in zip(learner.parameters, kept, strict=True):
        np.testing.assert_array_equal(one, other)
    learner.step(X, X, 0.1)
    same(learner, twin)


def test_silence_and_density_count_entries():
    life = Life(3, np.random.RandomState(0))
    first = life.random.uniform()
    assert life.random.uniform() == first  # a step draws from a generator of its own
    life.follow(np.array([4, 0, 1]), 8)
    life.follow(np.array([0, 0, 3]), 4)
    np.testing.assert_array_equal(life.silence, [4, 12, 0])
    np.testing.assert_allclose(life.density, [0.25, 0.0, 0.4375])
    assert (life.n_steps, life.n_signals) == (2, 12)
    assert life.random.uniform() != first


def test_a_threshold_is_never_negative():
    learner, X = learner_of(JumpReLU(0.0, 5.0))
    for _ in range(5):
        learner.step(X, X, 1.0)
    assert np.all(learner.parameters.threshold >= 0) and np.any(learner.parameters.threshold == 0)


@pytest.mark.parametrize("name", FOREIGN)
def test_steps_elsewhere_keep_the_same_bounds(name):
    parameters, _, _ = naive.problem(2)
    parameters.threshold[:] = 0.05
    here, there = SphereAdam(list(parameters)), SphereAdam([put(part.copy(), name) for part in parameters])
    gradients = [np.ones_like(part) for part in parameters]
    there.step([put(part, name) for part in gradients], 0.1)
    here.step(gradients, 0.1)
    for one, other in zip(there.parameters, here.parameters, strict=True):
        np.testing.assert_allclose(get(one), other, rtol=1e-10, atol=1e-12)
    assert not get(there.parameters[4]).any()  # thresholds would have been negative
    np.testing.assert_allclose(np.linalg.norm(get(there.parameters[2]), axis=1), 1.0)


def test_the_geometric_median_has_the_least_sum_of_distances():
    random = np.random.RandomState(0)
    rows = random.standard_normal((60, 3))
    rows[:5] += 1000.0  # which a mean would follow
    found = geometric_median(rows)
    best = minimize(lambda c: np.sum(np.linalg.norm(rows - c, axis=1)), np.zeros(3), method="Nelder-Mead", tol=1e-10)
    np.testing.assert_allclose(found, best.x, atol=1e-3)
    np.testing.assert_array_equal(geometric_median(np.ones((4, 2))), [1, 1])


def test_a_frame_takes_signals_and_targets_to_about_zero_and_one():
    frame = Frame(np.array([1.0, 2.0]), 4.0, np.array([3.0]), 0.5, is_one=False)
    np.testing.assert_allclose(frame.inputs(np.array([[5.0, -2.0]])), [[1.0, -1.0]])
    np.testing.assert_allclose(frame.targets(np.array([[4.0]])), [[2.0]])


def test_gradients_of_a_batch_far_out_of_line_are_shrunk_to_ten_targets():
    learner, X = learner_of(TopK(5))
    found = learner.found(1e4 * X, 1e4 * X)
    norm = np.sqrt(sum(np.sum(part**2) for part in found.gradients))
    assert norm > 1e4
    learner.step(1e4 * X, 1e4 * X, 0.0)
    for mean, part in zip(learner.adam.means, found.gradients, strict=True):
        np.testing.assert_allclose(mean, 0.1 * part * (10 * 9 / norm), rtol=1e-6, atol=1e-12)
