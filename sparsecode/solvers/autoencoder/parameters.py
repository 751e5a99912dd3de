"""Parameters of a sparse autoencoder, and codes in compressed rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace

__all__ = [
    "Codes",
    "DenseCodes",
    "Life",
    "Parameters",
    "initial_parameters",
    "plain_codes",
    "plain_dense",
    "zeros_like",
]

_PACE = 1e-2  # of the running density: the share of the newest batch


class Parameters(NamedTuple):
    """Of m latents, d features and p targets (p = d where the input is reconstructed); gradients have the same form.

    Signals reach them centred and scaled, so the biases start at zero.
    """

    encoder: Any  # (m, d)
    encoder_bias: Any  # (m,)
    decoder: Any  # (m, p), unit rows
    decoder_bias: Any  # (p,)
    threshold: Any  # (m,) of the activations that have one, else zeros


class Codes(NamedTuple):
    """Codes of n signals in compressed rows, with what a gradient needs.

    An entry may have value zero and a slope: near a threshold the codes would jump.
    """

    indptr: Any  # (n + 1,) int64
    indices: Any  # (nnz,) int32, latents, ascending in a row
    values: Any  # (nnz,)
    slopes: Any  # (nnz,) of the values in the pre-activations
    jumps: Any  # (nnz,) of the values in the thresholds; None where none is learned
    cost: float  # of the codes, mean over signals
    pulls: Any  # (nnz,) slopes of n times the cost in the values; None where they cost nothing
    of_thresholds: Any  # (m,) gradient of the cost in the thresholds; None likewise

    @property
    def n_signals(self):
        """Number of rows."""
        return self.indptr.shape[0] - 1


class DenseCodes(NamedTuple):
    """Codes of n signals over all m latents, in any array namespace; otherwise as `Codes`."""

    values: Any  # (n, m)
    slopes: Any  # (n, m)
    jumps: Any
    cost: float
    pulls: Any
    of_thresholds: Any  # (m,)


def plain_codes(indptr, indices, values) -> Codes:
    """Codes of a projection: entries are pre-activations, and cost nothing."""
    return Codes(indptr, indices, values, np.ones_like(values), None, 0.0, None, None)


def plain_dense(pre, keep) -> DenseCodes:
    """The same from pre-activations (n, m), of which those are kept where `keep` is true."""
    kept = array_namespace(pre).astype(keep, pre.dtype)
    return DenseCodes(pre * kept, kept, None, 0.0, None, None)


class Life:
    """What training knows of its latents and its luck, beside the parameters.

    Attributes
    ----------
    silence : int64 array of shape (m,)
        Signals since each latent had an entry.
    density : float64 array of shape (m,)
        Running share of signals in which it has one.
    n_steps, n_signals : int
        Batches and signals so far.
    """

    def __init__(self, n_latents, random):
        self.silence, self.density = np.zeros(n_latents, dtype=np.int64), np.zeros(n_latents)
        self.n_steps, self.n_signals = 0, 0
        self.seed = int(random.randint(np.iinfo(np.int32).max))

    def follow(self, counts, n_signals):
        """Take note of a batch: how many of its signals have an entry of each latent."""
        self.n_steps, self.n_signals = self.n_steps + 1, self.n_signals + n_signals
        self.silence = np.where(counts > 0, 0, self.silence + n_signals)
        pace = max(_PACE, 1.0 / self.n_steps)  # a plain mean at first
        self.density += pace * (counts / n_signals - self.density)

    @property
    def random(self):
        """What random choices of this step are drawn from: a generator that begins anew with each."""
        return np.random.RandomState([self.seed, self.n_steps])

    def state(self):
        """Numbers, ready for JSON, beside silence and density."""
        return {"n_steps": self.n_steps, "n_signals": self.n_signals, "seed": self.seed}

    def restore(self, numbers, silence, density):
        """Become what `state` and the two arrays told."""
        self.silence, self.density = silence.astype(np.int64), density.astype(np.float64)
        self.n_steps, self.n_signals, self.seed = numbers["n_steps"], numbers["n_signals"], numbers["seed"]


def initial_parameters(decoder, n_features):
    """Where training starts: unit rows (m, p), the encoder their transpose where inputs are targets, no biases.

    An encoder of another width starts at zero; the caller draws one.
    """
    n_latents, n_targets = decoder.shape
    encoder = decoder.copy() if n_targets == n_features else np.zeros((n_latents, n_features), dtype=decoder.dtype)
    bias, threshold = np.zeros(n_latents, dtype=decoder.dtype), np.zeros(n_latents, dtype=decoder.dtype)
    return Parameters(encoder, bias, decoder, np.zeros(n_targets, dtype=decoder.dtype), threshold)


def zeros_like(parameters):
    """Gradients to add to."""
    return Parameters(*(array_namespace(part).zeros_like(part) for part in parameters))
