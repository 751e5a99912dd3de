"""When message passing damps, learns, restarts and holds: each rule by itself."""

import numpy as np
import pytest

from sparsecode import BernoulliGaussian, GaussianChannel, GaussianPrior
from sparsecode._validation import as_design
from sparsecode.solvers.message_passing.damping import Damper
from sparsecode.solvers.message_passing.gamp import parts
from sparsecode.solvers.message_passing.gamp_iteration import Gamp
from sparsecode.solvers.message_passing.gamp_steps import Model, start
from sparsecode.solvers.message_passing.learning import Learner
from sparsecode.solvers.message_passing.squares import squares


def observed(damper, changes, opposed):
    for change in changes:
        damper.observe(np.array([change, 1.0]), np.array([opposed, False]))
    return damper.step


def test_steps_are_halved_where_iterates_swing_without_getting_closer():
    damper = Damper("adaptive", 2)
    np.testing.assert_array_equal(observed(damper, [1.0] * 12, True), [1.0, 1.0])  # nothing to compare with yet
    np.testing.assert_array_equal(observed(damper, [1.0] * 11, True), [1.0, 1.0])
    np.testing.assert_array_equal(observed(damper, [1.0], True), [0.5, 1.0])


@pytest.mark.parametrize(("factor", "opposed"), [(0.7, True), (1.0, False)])
def test_steps_stay_where_iterates_get_closer_or_keep_their_direction(factor, opposed):
    damper = Damper("adaptive", 2)
    for window in range(4):
        step = observed(damper, [factor**window] * 12, opposed)
    np.testing.assert_array_equal(step, [1.0, 1.0])


def test_steps_are_never_halved_below_a_fiftieth_and_given_ones_not_at_all():
    damper, given = Damper("adaptive", 2), Damper(0.7, 2)
    for _ in range(300):
        observed(damper, [1.0], True)
        observed(given, [1.0], True)
    np.testing.assert_allclose(damper.step, [0.02, 1.0])
    np.testing.assert_array_equal(given.step, [0.7, 0.7])


def test_a_target_that_diverges_has_half_its_step_until_it_is_given_up():
    damper, steps = Damper(1.0, 2), []
    for _ in range(6):
        damper.restart(np.array([True, False]))
        steps.append(damper.step[0])
    np.testing.assert_allclose(steps, 0.5 ** np.arange(1, 7))
    np.testing.assert_array_equal(damper.given_up, [True, False])


def test_parameters_are_learned_after_eight_iterations_and_held_after_three_that_hardly_move():
    asked = []
    learner = Learner(GaussianPrior(1.0), 1, True)

    def learned(part, variance):
        asked.append(variance)
        return GaussianPrior(np.array([variance]))

    for _ in range(8):
        learner.update(lambda part: learned(part, 5.0))
    assert not asked
    for variance in (2.0, 2.0, 2.0, 2.1, 2.1, 2.1):  # two that do not move, then one that does
        learner.update(lambda part, variance=variance: learned(part, variance))
        assert not learner.is_held.any()
    learner.update(lambda part: learned(part, 2.1 * (1 + 5e-5)))
    assert learner.is_held.all()
    learner.update(lambda part: learned(part, 9.0))
    assert len(asked) == 7
    np.testing.assert_allclose(learner.part.variance, 2.1, rtol=1e-4)


def test_parameters_that_never_settle_are_held_in_the_end():
    learner = Learner(GaussianPrior(1.0), 1, True)
    for count in range(402):
        learner.update(lambda part, count=count: GaussianPrior(np.array([1.0 + count % 2])))
        assert learner.is_held.all() == (count >= 400)


def test_a_learned_noise_variance_moves_by_a_factor_of_three_and_keeps_its_bounds():
    rng = np.random.default_rng(0)
    A, y = as_design(rng.standard_normal((30, 20))), rng.standard_normal((30, 1))
    energy = np.mean(y**2)
    for asked, last in ((1e9, energy), (0.0, 1e-6 * energy)):
        _, channel = parts(A, y, None, None, "learn", None)
        values = [float(channel.part.noise_variance[0])]
        for _ in range(30):
            channel.update(lambda part, asked=asked: GaussianChannel(np.array([asked])))
            values.append(float(channel.part.noise_variance[0]))
        ratios = np.array(values[1:]) / np.array(values[:-1])
        assert np.all((ratios > 1 / 3.001) & (ratios < 3.001))
        assert np.isclose(max(ratios.max(), 1 / ratios.min()), 3.0)
        np.testing.assert_allclose(values[-1], last)


def test_a_target_is_blown_where_its_misfit_is_a_hundred_times_that_of_the_start():
    rng = np.random.default_rng(0)
    design, y = as_design(rng.standard_normal((30, 20))), rng.standard_normal((30, 2))
    model = Model(design, squares(design), y)
    prior, channel = parts(design, y, BernoulliGaussian(0.2), None, 0.1, None)
    iteration, now = Gamp(model, prior, channel), start(model, prior.part)
    image = y - y * np.sqrt([100.5, 101.5])  # the start explains nothing: misfits as many times the energy
    np.testing.assert_array_equal(iteration.blown(now._replace(image=image)), [False, True])
    np.testing.assert_array_equal(iteration.blown(now._replace(image=np.nan * image)), [True, True])
