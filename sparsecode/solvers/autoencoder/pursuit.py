"""Codes by matching pursuit of a fixed number of steps, with their slopes through all steps: the encoder of MP-SAE.

    r_0 = x - b,     r_t+1 = r_t - v_t d_(j_t)       with j_t and v_t chosen as matching pursuit does

The encoder has no parameters of its own: it is the decoder's pursuit, so the residual never grows and is orthogonal to the last
atom (which has norm one), unless the coefficient of that atom ended at zero. Codes that are not negative may take back what they
added, down to zero, where the published encoder only ever adds. Slopes go through all the values v_t, with the choices j_t held fixed.

Costa, Fel, Lubana, Tolooshams and Ba, "From flat to hierarchical: extracting sparse representations with matching pursuit", 2025
(arXiv 2506.03093).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..._parallel import map_blocks, single_threaded_blas
from .gradients import Made, added
from .parameters import Codes
from .structures import FLAT

__all__ = ["MatchingPursuit", "Pursuit", "compressed", "pursue", "pursuit_gradient", "pursuit_loss_and_gradients"]

_BLOCK = 256  # signals whose correlations are held at a time
_PARTS = 8  # sums of slopes beside each other, however many threads there are
_NOTHING = 1e-12  # share of its energy below which a signal counts as represented: double precision; single: 1e-6


class Pursuit(NamedTuple):
    """The steps of n signals."""

    chosen: np.ndarray  # (n, T) the atom of each step, which may come again; -1 where there is none
    changes: np.ndarray  # (n, T) what the step adds to its coefficient
    ends_at_zero: np.ndarray  # (n, T) whether the coefficient would have fallen further
    values: np.ndarray  # (n, T) the final coefficient of an atom, at its first step; 0 elsewhere
    residuals: np.ndarray  # (n, d)


def pursue(signals, offset, decoder, n_steps, *, positive=True, n_jobs=None) -> Pursuit:
    """Matching pursuit of ``signals - offset`` (n, d) over the rows of `decoder` (K, d), which have norm one.

    With `positive` coefficients never fall below zero. A signal ends early once a step would gain nothing but rounding.
    """
    from ...kernels.pursuit_codes import pursuit_steps

    n_signals, dtype = signals.shape[0], decoder.dtype
    words = np.int32 if dtype == np.float32 else np.int64
    mask = words(-1 if positive else np.iinfo(words).max)
    nothing = 1e-6 if dtype == np.float32 else _NOTHING
    with single_threaded_blas():
        gram = decoder @ decoder.T
    chosen = np.empty((n_signals, n_steps), dtype=np.int32)
    changes, values = np.empty((2, n_signals, n_steps), dtype=dtype)
    ends_at_zero = np.empty((n_signals, n_steps), dtype=np.bool_)
    residuals = np.empty(signals.shape, dtype=dtype)

    def block(start, stop):
        part = slice(start, stop)
        centered = signals[part] - offset
        correlations = centered @ decoder.T
        least = (nothing * np.sqrt(np.einsum("sf,sf->s", centered, centered))) ** 2
        out = chosen[part], changes[part], ends_at_zero[part], values[part]
        pursuit_steps(gram, correlations, correlations.view(words), mask, least, positive, *out)
        _subtract(centered, chosen[part], values[part], decoder)
        residuals[part] = centered

    map_blocks(block, n_signals, _BLOCK, n_jobs)
    return Pursuit(chosen, changes, ends_at_zero, values, residuals)


def _subtract(rows, support, values, decoder):
    """Take reconstructions away from rows, in place, entry by entry: what all entries need at once is large."""
    for t in range(support.shape[1]):
        rows -= values[:, t, None] * decoder[support[:, t]]  # -1 comes with a value of zero


def pursuit_gradient(decoder, pursuit, pull, code_slopes=None, *, n_jobs=None):
    """Slopes of decoder (K, d) and offset (d,) of a loss whose slopes in the residuals (n, d) and, in the places of `values`, in the
    codes (n, T) are given."""
    from ...kernels.pursuit_codes import pursuit_slopes

    onward = np.zeros_like(pursuit.changes) if code_slopes is None else _spread(pursuit.chosen, code_slopes)
    residuals, pull = pursuit.residuals.copy(), np.array(pull, dtype=decoder.dtype)

    def block(start, stop):
        part = slice(start, stop)
        made = np.zeros((decoder.shape[0] + 1, decoder.shape[1]), dtype=decoder.dtype)
        steps = pursuit.chosen[part], pursuit.changes[part], pursuit.ends_at_zero[part]
        pursuit_slopes(decoder, *steps, residuals[part], pull[part], onward[part], made)
        return made

    total = sum(map_blocks(block, pull.shape[0], -(-pull.shape[0] // _PARTS), n_jobs))
    return total[:-1], total[-1]


def _spread(chosen, slopes):
    """The slope of an atom's coefficient at every step of that atom."""
    same = (chosen[:, :, None] == chosen[:, None, :]) & (chosen >= 0)[:, None, :]
    return np.einsum("nst,nt->ns", same, slopes).astype(slopes.dtype)


class MatchingPursuit(NamedTuple):
    """The encoder as an activation: codes of `k` steps of pursuit, so of at most `k` entries."""

    k: int
    signed: bool = False

    def codes(self, parameters, X, life=None, n_jobs=None) -> Codes:
        """Codes of a batch."""
        steps = pursue(X, parameters.decoder_bias, parameters.decoder, self.k, positive=not self.signed, n_jobs=n_jobs)
        return compressed(steps, parameters.decoder.shape[0])

    def settle(self, parameters, codes, life):
        """After a step of training: an encoder that gives the correlations of the first step of pursuit."""
        parameters.encoder[...] = parameters.decoder
        parameters.encoder_bias[...] = -(parameters.decoder @ parameters.decoder_bias)

    def dense(self, pre, threshold, life=None):
        """Not from pre-activations."""
        raise ValueError("structure='matching_pursuit' codes NumPy arrays only; convert X to NumPy.")


def compressed(pursuit, n_latents) -> Codes:
    """Codes in compressed rows; values do not depend on pre-activations, of which there are none."""
    kept = pursuit.values != 0
    places = np.where(kept, pursuit.chosen, n_latents)
    order = np.argsort(places, axis=1, kind="stable")
    kept = np.take_along_axis(kept, order, axis=1)
    indices = np.take_along_axis(places, order, axis=1)[kept].astype(np.int32)
    values = np.take_along_axis(pursuit.values, order, axis=1)[kept]
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return Codes(indptr, indices, values, np.zeros_like(values), None, 0.0, None, None)


def pursuit_loss_and_gradients(
    parameters, X, target, activation, gradients, structure=FLAT, terms=(), life=None, n_jobs=None
):
    """As `loss_and_gradients`, for codes by pursuit: gradients in decoder and decoder bias; the target is X, the structure flat."""
    decoder, bias = parameters.decoder, parameters.decoder_bias
    pursuit = pursue(X, bias, decoder, activation.k, positive=not activation.signed, n_jobs=n_jobs)
    n_signals = X.shape[0]
    residual = -pursuit.residuals
    loss = 0.5 * float(np.sum(residual.astype(np.float64) ** 2)) / n_signals
    of_decoder, of_bias = pursuit_gradient(decoder, pursuit, pursuit.residuals / n_signals, n_jobs=n_jobs)
    gradients.decoder[...] += of_decoder
    gradients.decoder_bias[...] += of_bias
    codes = compressed(pursuit, decoder.shape[0])
    made = Made(codes, loss, residual, residual[None], None, np.zeros_like(codes.values))
    return loss + added(terms, parameters, X, made, gradients, life), made
