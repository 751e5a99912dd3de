"""Activations that share a budget of entries over a batch: signals that need more get more.

    BatchTopK (Mutual Choice)   the k n largest pre-activations of the n signals together
    FeatureChoice               each latent keeps its m_j largest positive ones, sum m_j = k n: none is dead that has any

What a batch shares out depends on the batch, so outside of training entries are those above a threshold, which is followed in training: running
means of the least value that was kept, for all latents together or for each.

Bussmann, Leask and Nanda, "BatchTopK sparse autoencoders", 2024 (arXiv 2412.06410). Ayonrinde, "Adaptive sparse allocation with mutual choice and
feature choice sparse autoencoders", 2024 (arXiv 2411.02124).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..._array import array_namespace, hard_threshold_mask, to_numpy
from .encoder import above, largest_of_latents, largest_of_rows
from .parameters import Codes, DenseCodes, plain_codes, plain_dense

__all__ = ["BatchTopK", "FeatureChoice", "zipf_budgets"]

_PACE = 1e-2  # of the running thresholds: the share of the newest batch, once there were enough
_SPARE = 4  # entries of a signal that are looked at first, for each that it has on average
_SHIFT = 2.7  # of the law of Zipf and Mandelbrot
_TURN = 0.5 * (5.0**0.5 - 1.0)  # multiples of it are spread evenly over [0, 1)
_ROUNDING = 1e-6  # of sums of shares, less than any of them


class BatchTopK(NamedTuple):
    """The ``k n`` largest positive pre-activations of a batch of n signals; ties go to the first signal, and there to the lowest latent."""

    k: int

    def codes(self, parameters, X, life=None, n_jobs=None) -> Codes:
        """Codes of a batch in training, else what is above the threshold."""
        if life is None:
            return plain_codes(*above(parameters, X, parameters.threshold, n_jobs))
        return plain_codes(*self._shared_out(parameters, X, n_jobs))

    def _shared_out(self, parameters, X, n_jobs):
        """A few times k entries of each signal are candidates; where they may not have been enough, there are more."""
        n, m = X.shape[0], parameters.encoder.shape[0]
        room = min(_SPARE * self.k, m)
        while True:
            indptr, indices, values = largest_of_rows(parameters, X, room, False, n_jobs)
            wanted = min(self.k * n, values.size)
            if wanted == values.size:
                least, keep = 0.0, np.ones(values.size, dtype=bool)
            else:
                least = -np.partition(-values, wanted - 1)[wanted - 1]
                keep = values > least
                keep[np.flatnonzero(values == least)[: wanted - np.count_nonzero(keep)]] = True
            counts = np.add.reduceat(np.append(values >= least, False), indptr[:-1]) * (np.diff(indptr) > 0)
            if room == m or np.max(counts) < room:
                break
            room = min(4 * room, m)
        kept = np.concatenate([[0], np.cumsum(keep)])
        return kept[indptr], indices[keep], values[keep]

    def dense(self, pre, threshold, life=None) -> DenseCodes:
        """The same from pre-activations (n, m), in any array namespace."""
        xp = array_namespace(pre)
        if life is None:
            keep = pre > threshold
        else:
            flat = xp.reshape(pre, (-1,))
            keep = xp.reshape(hard_threshold_mask(flat, min(self.k * pre.shape[0], flat.shape[0])), pre.shape) & (
                pre > 0
            )
        return plain_dense(pre, keep)

    def settle(self, parameters, codes, life):
        """Let the threshold follow the least value that was kept."""
        values = codes.values[codes.values > 0]
        if to_numpy(values).size:
            xp = array_namespace(values)
            _follow(parameters.threshold, xp.min(values), life)


class FeatureChoice(NamedTuple):
    """Each latent keeps its largest signals of the batch: as many for all, or by Zipf's law of how often it was used so far."""

    k: int
    zipf: bool = False

    def codes(self, parameters, X, life=None, n_jobs=None) -> Codes:
        """Codes of a batch in training, else what is above the threshold of its latent."""
        if life is None:
            return plain_codes(*above(parameters, X, parameters.threshold, n_jobs))
        return plain_codes(*largest_of_latents(parameters, X, self.budgets(X.shape[0], parameters, life), n_jobs))

    def budgets(self, n_signals, parameters, life):
        """How many signals each latent keeps; they add up to ``k n_signals``, where no latent has them all."""
        return self._budgets(parameters.encoder.shape[0], n_signals, life)

    def _budgets(self, n_latents, n_signals, life):
        density, turn = life.density if self.zipf else None, life.n_steps * _TURN % 1.0
        return zipf_budgets(density, n_latents, min(self.k, n_latents) * n_signals, n_signals, turn)

    def dense(self, pre, threshold, life=None) -> DenseCodes:
        """The same from pre-activations (n, m), in any array namespace."""
        xp = array_namespace(pre)
        if life is None:
            keep = pre > threshold
            return plain_dense(pre, keep)
        budgets = self._budgets(pre.shape[1], pre.shape[0], life)
        keep = [hard_threshold_mask(pre[:, j], int(budget)) & (pre[:, j] > 0) for j, budget in enumerate(budgets)]
        keep = xp.stack(keep, axis=1)
        return plain_dense(pre, keep)

    def settle(self, parameters, codes, life):
        """Let each latent's threshold follow the least value that it kept."""
        threshold = parameters.threshold
        xp = array_namespace(threshold)
        if isinstance(codes, Codes):
            least = np.full(threshold.shape, np.inf, dtype=threshold.dtype)
            np.minimum.at(least, codes.indices, np.where(codes.values > 0, codes.values, np.inf))
        else:
            least = xp.min(xp.where(codes.values > 0, codes.values, xp.full_like(codes.values, float("inf"))), axis=0)
        least = xp.where(xp.isfinite(least), least, threshold)
        threshold[...] = xp.where(threshold == 0.0, least, threshold)  # a mean with zeros would let too much in
        _follow(threshold, least, life)


def zipf_budgets(density, n_latents, total, most, turn=0.0):
    """Integers that add up to `total`, none above `most`: all alike, or falling as ``1 / (rank + 2.7)`` with the rank of a density (m,).

    What is no integer is rounded up for some and down for others; who they are depends on `turn` in [0, 1), such that over evenly
    spread turns each latent has its share: where a batch has fewer entries than there are latents, some would never have any.
    """
    if density is None:
        shares = np.ones(n_latents)
    else:
        shares = np.empty(n_latents)
        shares[np.argsort(-density, kind="stable")] = 1.0 / (np.arange(n_latents) + 1 + _SHIFT)
    budgets, free = np.zeros(n_latents), np.ones(n_latents, dtype=bool)
    while True:  # what one has too much of goes to the others
        left = total - most * np.count_nonzero(~free)
        budgets[free] = left * shares[free] / shares[free].sum()
        over = free & (budgets > most)
        if not over.any():
            break
        budgets[over], free[over] = most, False
        if not free.any():
            break
    ends = np.floor(np.cumsum(budgets) + turn + _ROUNDING).astype(np.int64)
    return np.diff(np.minimum(ends, total), prepend=0)


def _follow(threshold, least, life):
    """A running mean, plain at first."""
    pace = max(_PACE, 1.0 / max(life.n_steps, 1))
    threshold += pace * (least - threshold)
