"""Random ingredients that planted problems share: the generator, sparse coefficients, noise of a given strength."""

from __future__ import annotations

import numpy as np

from .._validation import as_number

__all__ = ["COEF_LAWS", "as_generator", "draw_coefs", "noise_at", "one_of"]

COEF_LAWS = ("gaussian", "sign", "uniform", "decaying", "positive")


def as_generator(random_state) -> np.random.Generator:
    """A `numpy.random.Generator` from None, an integer, a sequence of integers, a RandomState or a Generator."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 2**32, size=4, dtype=np.uint64))
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"random_state must be None, a non-negative integer or a Generator; got {random_state!r}."
        ) from error


def one_of(value, choices, name):
    """The value itself, or an error that lists the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}.")
    return value


def draw_coefs(law, shape, rng, *, is_complex=False, decay=0.9):
    """Non-zero coefficients of a law, (n_nonzero, ...); complex ones get a uniform phase in place of a sign."""
    if law == "gaussian":
        values = rng.standard_normal(shape)
        return (values + 1j * rng.standard_normal(shape)) / np.sqrt(2.0) if is_complex else values
    if law == "sign":  # the signs of the Gaussian draw: both laws plant the same pattern from the same seed
        values = draw_coefs("gaussian", shape, rng, is_complex=is_complex)
        return values / np.abs(values)
    if law == "positive":
        return np.abs(rng.standard_normal(shape))
    phase = draw_coefs("sign", shape, rng, is_complex=is_complex)
    if law == "uniform":
        return phase * rng.uniform(0.0, 1.0, shape)
    ranks = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return phase * decay**ranks


def noise_at(signal, snr_db, rng, *, axis=0):
    """White Gaussian noise whose expected energy lies `snr_db` decibels below that of the signal, along `axis`."""
    if snr_db is None or snr_db == np.inf:
        return np.zeros_like(signal)
    snr_db = as_number(snr_db, "snr_db", minimum=-np.inf)
    power = np.mean(np.abs(signal) ** 2, axis=axis, keepdims=True)
    noise = draw_coefs("gaussian", signal.shape, rng, is_complex=np.iscomplexobj(signal))
    return np.sqrt(power * 10.0 ** (-snr_db / 10.0)) * noise
