"""The pursuit that MP-SAE encodes by, and its slopes."""

import warnings

import numpy as np
import pytest

from sparsecode import mp
from sparsecode.solvers.autoencoder.parameters import zeros_like
from sparsecode.solvers.autoencoder.pursuit import (
    MatchingPursuit,
    pursue,
    pursuit_gradient,
    pursuit_loss_and_gradients,
)
from tests.solvers.autoencoder import naive


def falling(n_steps=20):
    """Signals whose pursuit takes a coefficient all the way back to zero, which is rare, and others."""
    parameters, X, _ = naive.problem(n_signals=2000)
    steps = pursue(X, parameters.decoder_bias * 0, parameters.decoder, n_steps)
    distinct = np.min(np.abs(steps.changes), axis=1) > 1e-3  # or choices change within a difference quotient
    falls = steps.ends_at_zero.any(axis=1)
    assert np.sum(falls & distinct) >= 5
    kept = np.concatenate([X[falls & distinct][:5], X[~falls & distinct][:3]])
    return parameters._replace(decoder_bias=parameters.decoder_bias * 0), kept


def dense(pursuit, n_latents):
    """Codes (n, m)."""
    codes = np.zeros((pursuit.values.shape[0], n_latents), dtype=pursuit.values.dtype)
    for s, t in zip(*np.nonzero(pursuit.values), strict=True):
        codes[s, pursuit.chosen[s, t]] += pursuit.values[s, t]
    return codes


@pytest.mark.parametrize("positive", [True, False])
def test_the_encoder_is_the_matching_pursuit_of_the_library(positive):
    parameters, X, _ = naive.problem(n_signals=30, n_latents=14)
    steps = pursue(X, parameters.decoder_bias, parameters.decoder, 9, positive=positive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nine steps prove nothing
        result = mp(parameters.decoder.T, (X - parameters.decoder_bias).T, tol=1e-13, positive=positive, max_iter=9)
    assert not positive or np.any(steps.changes < 0)
    np.testing.assert_allclose(dense(steps, 14), result.coef.T, atol=1e-12)


@pytest.mark.parametrize("positive", [True, False])
def test_the_encoder_is_pursuit_word_for_word(positive):
    parameters, X = falling()
    steps = pursue(X, parameters.decoder_bias, parameters.decoder, 20, positive=positive)
    expected = [naive.pursuit(x - parameters.decoder_bias, parameters.decoder, 20, positive)[0] for x in X]
    np.testing.assert_allclose(dense(steps, 10), expected, atol=1e-12)
    left = X - parameters.decoder_bias - np.array(expected) @ parameters.decoder
    np.testing.assert_allclose(steps.residuals, left, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("positive", [True, False])
def test_the_residual_never_grows_and_is_orthogonal_to_the_last_atom(positive, dtype):
    parameters, X, _ = naive.problem(2, n_signals=40)
    X, bias, atoms = (part.astype(dtype) for part in (X, parameters.decoder_bias, parameters.decoder))
    before = np.full(X.shape[0], np.inf)
    for n_steps in range(1, 12):
        steps = pursue(X, bias, atoms, n_steps, positive=positive)
        assert steps.residuals.dtype == dtype and steps.values.dtype == dtype
        norms = np.linalg.norm(steps.residuals, axis=1)
        assert np.all(norms <= before * (1 + 1e-6))
        before = norms
        last = (steps.chosen[:, -1] >= 0) & ~steps.ends_at_zero[:, -1]
        products = np.sum(steps.residuals * atoms[steps.chosen[:, -1]], axis=1)
        assert np.all(np.abs(products[last]) <= (2e-6 if dtype == np.float32 else 1e-13))


@pytest.mark.parametrize("positive", [True, False])
def test_gradients_are_those_of_the_definition(positive):
    parameters, X = falling()
    gradients = zeros_like(parameters)
    activation = MatchingPursuit(20, not positive)
    objective, made = pursuit_loss_and_gradients(parameters, X, X, activation, gradients)
    expected = naive.slopes(lambda p: naive.pursuit_loss(p, X, 20, positive), parameters)
    np.testing.assert_allclose(objective, naive.pursuit_loss(parameters, X, 20, positive), rtol=1e-12)
    np.testing.assert_allclose(naive.along_sphere(gradients.decoder, parameters.decoder), expected.decoder, atol=1e-7)
    np.testing.assert_allclose(gradients.decoder_bias, expected.decoder_bias, atol=1e-7)
    assert not gradients.encoder.any() and not gradients.encoder_bias.any()
    codes = activation.codes(parameters, X)
    np.testing.assert_array_equal(codes.values, made.codes.values)
    assert np.all(np.diff(codes.indptr) <= 20)


def test_slopes_of_codes_reach_the_decoder():
    parameters, X = falling()
    weights = np.random.RandomState(3).standard_normal((X.shape[0], 10))

    def loss(p):
        atoms = p.decoder / np.linalg.norm(p.decoder, axis=1, keepdims=True)
        return sum(w @ naive.pursuit(x - p.decoder_bias, atoms, 20)[0] for w, x in zip(weights, X, strict=True))

    steps = pursue(X, parameters.decoder_bias, parameters.decoder, 20)
    slopes = np.where(steps.values != 0, np.take_along_axis(weights, np.maximum(steps.chosen, 0), axis=1), 0.0)
    decoder, bias = pursuit_gradient(parameters.decoder, steps, np.zeros_like(X), slopes)
    expected = naive.slopes(loss, parameters)
    np.testing.assert_allclose(naive.along_sphere(decoder, parameters.decoder), expected.decoder, atol=1e-6)
    np.testing.assert_allclose(bias, expected.decoder_bias, atol=1e-6)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_bits_do_not_depend_on_threads(n_jobs):
    parameters, X, _ = naive.problem(4, n_signals=700)
    steps = pursue(X, parameters.decoder_bias, parameters.decoder, 5, n_jobs=n_jobs)
    decoder, bias = pursuit_gradient(parameters.decoder, steps, steps.residuals, n_jobs=n_jobs)
    again = pursue(X, parameters.decoder_bias, parameters.decoder, 5, n_jobs=3)
    of_decoder, of_bias = pursuit_gradient(parameters.decoder, again, again.residuals, n_jobs=3)
    np.testing.assert_array_equal(steps.values, again.values)
    np.testing.assert_array_equal(decoder, of_decoder)
    np.testing.assert_array_equal(bias, of_bias)


def test_a_signal_that_is_an_atom_takes_one_step_and_zeros_none():
    parameters, _, _ = naive.problem(5)
    atoms = parameters.decoder.astype(np.float32)
    X = np.stack([3 * atoms[4], 0 * atoms[4]])
    steps = pursue(X, np.zeros(6, dtype=np.float32), atoms, 6)
    assert steps.chosen.tolist() == [[4] + [-1] * 5, [-1] * 6]
    np.testing.assert_allclose(steps.values[0], [3, 0, 0, 0, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("dtype, least", [(np.float32, 1e-6), (np.float64, 1e-12)])
def test_what_is_weak_is_pursued_down_to_rounding(dtype, least):
    atoms, offset = np.eye(3, dtype=dtype), np.zeros(3, dtype=dtype)
    X = np.array([[1.0, 10 * least, 0.0], [1.0, 0.1 * least, 0.0]], dtype=dtype)
    steps = pursue(X, offset, atoms, 3)
    assert steps.chosen.tolist() == [[0, 1, -1], [0, -1, -1]]
