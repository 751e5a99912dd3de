"""Dead latents: who they are, what they learn from the residual, and how they begin anew."""

from types import SimpleNamespace

import numpy as np
import pytest

from sparsecode.solvers.autoencoder.activations import TopK
from sparsecode.solvers.autoencoder.dead import AuxiliaryLatents, AuxiliaryPursuit, Resampling, silent, underused
from sparsecode.solvers.autoencoder.gradients import loss_and_gradients
from sparsecode.solvers.autoencoder.parameters import Life, zeros_like
from sparsecode.solvers.autoencoder.pursuit import MatchingPursuit, pursuit_loss_and_gradients
from sparsecode.solvers.autoencoder.training import AutoencoderLearner
from tests.solvers.autoencoder import naive


def with_dead(latents, n_latents=10):
    """A life in which these have been silent."""
    life = Life(n_latents, np.random.RandomState(0))
    life.silence[latents] = 1000
    return life


def alone(term, loss, parameters, X, target, activation, life):
    """Value and gradients of the term by itself, which the objective does not count; and what became of the batch."""
    parts, values = [], []

    def noted(*arguments):
        values.append(term(*arguments))
        return 0.0

    for terms in ((noted,), (term,), ()):
        gradients = zeros_like(parameters)
        objective, made = loss(parameters, X, target, activation, gradients, terms=terms, life=life)
        parts.append((objective, gradients))
    assert parts[0][0] == parts[1][0] == parts[2][0]
    difference = (a - b for a, b in zip(parts[1][1], parts[2][1], strict=True))
    return values[0], type(parameters)(*difference), made


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("n_targets", [None, 4])
def test_auxiliary_loss_is_that_of_the_definition(n_targets, signed):
    parameters, X, target = naive.problem(n_targets=n_targets)
    dead = [1, 4, 5, 8]
    term = AuxiliaryLatents(500, 0.25, most=2, signed=signed)
    value, gradients, made = alone(term, loss_and_gradients, parameters, X, target, TopK(3, signed), with_dead(dead))

    def loss(p):
        return 0.25 * naive.auxiliary_loss(p, X, -made.residual, dead, 2, signed)

    np.testing.assert_allclose(value, loss(parameters), rtol=1e-10)
    for part, expected in zip(gradients, naive.slopes(loss, parameters), strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-7)
    assert not gradients.decoder[[0, 2, 3, 6, 7, 9]].any()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("n_dead, n_steps", [(4, 1), (35, 2), (60, 3)])  # a sixteenth of the dead, at most three
def test_auxiliary_pursuit_is_that_of_the_definition(n_dead, n_steps, signed):
    parameters, X, _ = naive.problem(1, n_signals=5, n_latents=64)
    dead = np.arange(n_dead)
    arguments = parameters, X, X, MatchingPursuit(2, signed), with_dead(dead, 64)
    term = AuxiliaryPursuit(500, 3, 0.25, signed=signed)
    value, gradients, made = alone(term, pursuit_loss_and_gradients, *arguments)

    def loss(p):
        atoms = p.decoder[dead] / np.linalg.norm(p.decoder[dead], axis=1, keepdims=True)
        left = sum(naive.pursuit(e, atoms, n_steps, not signed)[1][-1] for e in -made.residual)
        return 0.25 * 0.5 * 6 * left / np.sum((made.residual - made.residual.mean(axis=0)) ** 2)

    np.testing.assert_allclose(value, loss(parameters), rtol=1e-10)
    of_decoder = naive.along_sphere(gradients.decoder, parameters.decoder)
    random = np.random.RandomState(0)
    for _ in range(5):  # along directions: there are many numbers
        direction = random.standard_normal(parameters.decoder.shape)
        ahead, back = (loss(parameters._replace(decoder=parameters.decoder + h * direction)) for h in (1e-6, -1e-6))
        np.testing.assert_allclose(np.sum(of_decoder * direction), (ahead - back) / 2e-6, rtol=1e-5)


@pytest.mark.parametrize("n_dead, expected", [(1, 1), (31, 1), (32, 2), (1000, 3)])
def test_few_of_the_dead_take_part_in_a_signal(n_dead, expected):
    parameters, X, _ = naive.problem(0, n_signals=4, n_latents=1100)
    codes = AuxiliaryLatents(500)._codes(parameters, X, np.arange(n_dead))
    assert np.diff(codes.indptr).max() == expected  # up to half of six targets
    told = AuxiliaryLatents(500, most=40)._codes(parameters, X, np.arange(n_dead))
    assert np.diff(told.indptr).max() <= min(40, n_dead)  # there may be fewer dead latents than are asked for


@pytest.mark.parametrize("term", [AuxiliaryLatents(500), AuxiliaryPursuit(500, 3)])
def test_without_dead_latents_or_error_nothing_is_added(term):
    parameters, X, _ = naive.problem()
    loss, activation = loss_and_gradients, TopK(3)
    if isinstance(term, AuxiliaryPursuit):
        loss, activation = pursuit_loss_and_gradients, MatchingPursuit(3)
    for life, signals in ((with_dead([]), X), (None, X), (with_dead([1]), np.zeros_like(X))):
        own = parameters._replace(encoder_bias=0 * parameters.encoder_bias, decoder_bias=0 * parameters.decoder_bias)
        value, gradients, _ = alone(term, loss, own, signals, signals, activation, life)
        assert value == 0.0 and not any(np.any(part) for part in gradients)


def test_the_dead_are_those_that_were_silent_long_enough():
    life = Life(3, np.random.RandomState(0))
    for _ in range(4):
        life.follow(np.array([5, 0, 1]), 10)
    life.follow(np.array([0, 0, 1]), 10)
    assert silent(life, 10).tolist() == [True, True, False]
    assert silent(life, 11).tolist() == [False, True, False]


def test_the_underused_are_measured_by_the_law_of_their_rank():
    life = Life(8, np.random.RandomState(0))
    for _ in range(20):
        life.follow(np.full(8, 10), 100)
    assert not underused(life, 10**6).any()  # all alike: nobody
    zipf = Life(8, np.random.RandomState(0))
    counts = np.array([840, 420, 280, 210, 168, 20, 0, 105])  # 840 / rank, but for the last three ranks
    for _ in range(20):
        zipf.follow(counts, 1000)
    assert underused(zipf, 10**6).tolist() == [False] * 5 + [True, True, False]
    young = Life(8, np.random.RandomState(0))
    for _ in range(9):
        young.follow(counts, 1000)
    assert underused(young, 10**6).sum() == 0  # too early to tell
    assert underused(young, 1000).tolist() == silent(young, 1000).tolist()
    young.follow(counts, 1000)  # the tenth batch
    assert underused(young, 10**6).sum() == 2


@pytest.mark.parametrize("n_targets", [None, 4])
def test_resampled_latents_point_where_signals_are_missed_and_forget_their_moments(n_targets):
    parameters, X, target = naive.problem(3, n_targets=n_targets)
    learner = AutoencoderLearner(
        parameters, TopK(2), np.random.RandomState(0), renewal=Resampling(60, every=3, tied=n_targets is None)
    )
    learner.step(X, target, 1e-3)
    learner.life.silence[[2, 7]] = 100
    learner.life.n_steps = 1
    learner.step(X, target, 1e-3)  # the second step: nothing is due
    parameters.encoder_bias[[2, 7]] = -50.0  # still silent in the third
    learner.life.silence[[2, 7]] = 100
    before = [part.copy() for part in learner.adam.means]
    made = learner.step(X, target, 1e-3).made
    directions = -made.residual / np.linalg.norm(made.residual, axis=1, keepdims=True)
    cosines = parameters.decoder[[2, 7]] @ directions.T
    signals = np.argmax(cosines, axis=1)
    np.testing.assert_allclose(np.max(cosines, axis=1), 1.0)
    assert signals[0] != signals[1] and learner.n_replaced == 2
    assert not learner.life.silence[[2, 7]].any()
    for k, part in enumerate(learner.adam.means[:3]):
        assert not part[[2, 7]].any() and (k == 1 or before[k].any())
        assert not learner.adam.squares[k][[2, 7]].any()
    encoder = parameters.encoder[[2, 7]]
    expected = directions[signals] if n_targets is None else X[signals]
    cosines = np.sum(encoder * expected, axis=1) / np.linalg.norm(encoder, axis=1) / np.linalg.norm(expected, axis=1)
    np.testing.assert_allclose(cosines, 1.0)
    assert np.all(parameters.encoder_bias[[2, 7]] == 0.0)


def test_a_latent_begins_anew_where_the_square_of_the_energy_is_large():
    parameters, X, _ = naive.problem(4, n_signals=4)
    parameters.threshold[:] = np.arange(10.0)
    made = SimpleNamespace(residual=np.eye(4, 6) * np.array([1.0, 2.0, 3.0, 0.0])[:, None] ** 0.5)
    learner = AutoencoderLearner(parameters, TopK(2), np.random.RandomState(0))
    others = np.mean(np.linalg.norm(np.delete(parameters.encoder, 4, axis=0), axis=1))
    drawn = np.zeros(4)
    for learner.life.n_steps in range(3000):
        learner.life.silence[4], learner.life.density[4] = 100, 0.5
        Resampling(60, every=1)(learner, X, made)
        drawn[np.argmax(-parameters.decoder[4])] += 1
    np.testing.assert_allclose(drawn / 3000, np.array([1.0, 4.0, 9.0, 0.0]) / 14, atol=0.03)
    assert np.linalg.norm(parameters.encoder[4]) == pytest.approx(others)
    assert parameters.threshold[4] == 5.0  # the median, which itself it moved at first
    assert learner.life.density[4] == 0.0 and learner.life.silence[4] == 0


@pytest.mark.parametrize("tied", [True, False])
def test_an_encoder_that_is_not_tied_begins_anew_at_the_input(tied):
    parameters, X, _ = naive.problem(4, n_signals=4)
    made = SimpleNamespace(residual=np.random.RandomState(1).standard_normal((4, 6)))
    learner = AutoencoderLearner(parameters, TopK(2), np.random.RandomState(0))
    learner.life.silence[4] = 100
    Resampling(60, every=1, tied=tied)(learner, X, made)
    s = np.argmax(-made.residual @ parameters.decoder[4] / np.linalg.norm(made.residual, axis=1))
    expected = -made.residual[s] if tied else X[s]
    cosine = parameters.encoder[4] @ expected / np.linalg.norm(parameters.encoder[4]) / np.linalg.norm(expected)
    assert cosine == pytest.approx(1.0)
