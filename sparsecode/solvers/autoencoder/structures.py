"""Nested reconstructions: which entries of a code take part in which of them.

A structure has the `weights` of its levels and ``levels(codes, n_latents)``, the first level that each entry takes part in.

Bussmann, Nabeshima, Karvonen and Nanda, "Learning multi-level features with Matryoshka sparse autoencoders", 2025 (arXiv 2503.17547).
Balagansky, Aksenov, Laptev and others, "Train one sparse autoencoder across multiple sparsity budgets to preserve interpretability and
accuracy", 2025 (arXiv 2505.24473).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["FLAT", "Flat", "Matryoshka", "RankedBudgets", "halving_budgets", "halving_prefixes"]

_PREFIXES = 5  # of Matryoshka unless told: the last has all latents, each before half as many


class Flat(NamedTuple):
    """One reconstruction, by the whole code."""

    weights: tuple = (1.0,)

    def levels(self, codes, n_latents):
        """The only one."""
        return np.zeros(codes.indices.size, dtype=np.int64)


FLAT = Flat()


class Matryoshka(NamedTuple):
    """Reconstructions by the first m_1 < m_2 < ... < m latents, of equal weight: the first latents must do without the others."""

    sizes: tuple

    @property
    def weights(self):
        """The same for each."""
        return (1.0 / len(self.sizes),) * len(self.sizes)

    def levels(self, codes, n_latents):
        """The first prefix with the entry's latent."""
        return np.searchsorted(self.sizes, codes.indices, side="right")


class RankedBudgets(NamedTuple):
    """HierarchicalTopK: reconstructions by the k_1 < k_2 < ... < k largest entries of a code, of equal weight.

    Entries beyond the last budget belong to its level, so that the last reconstruction has the whole code.
    """

    budgets: tuple

    @property
    def weights(self):
        """The same for each."""
        return (1.0 / len(self.budgets),) * len(self.budgets)

    def levels(self, codes, n_latents):
        """The first budget with room for the entry's rank in its row, by modulus; ties go to the lowest index."""
        rows = np.repeat(np.arange(codes.n_signals), np.diff(codes.indptr))
        order = np.lexsort((-np.abs(codes.values), rows))
        ranks = np.empty(order.size, dtype=np.int64)
        ranks[order] = np.arange(order.size) - codes.indptr[rows]
        return np.searchsorted(self.budgets[:-1], ranks, side="right")


def halving_prefixes(n_latents):
    """Sizes of Matryoshka's prefixes unless told."""
    return tuple(sorted({max(1, n_latents >> l) for l in range(_PREFIXES)}))


def halving_budgets(k):
    """Budgets of HierarchicalTopK unless told: k and all its halves."""
    return tuple(sorted({k >> l for l in range(k.bit_length())}))
