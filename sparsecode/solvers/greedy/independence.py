"""Which columns of a Gram matrix are linearly independent, in the order in which they come."""

from __future__ import annotations

import numpy as np

__all__ = ["first_independent"]


def first_independent(gram, dependence):
    """Which columns are not in the span of those kept before them, from their Gram matrix: a Cholesky factor that skips."""
    size = np.sqrt(np.diagonal(gram).real)
    size = np.where(size > 0, size, 1.0)
    gram = gram / (size[:, None] * size)
    remaining = np.diagonal(gram).real.copy()
    keep = np.zeros(len(gram), dtype=bool)
    factor = np.zeros_like(gram)  # row q holds q-th direction^H A
    for j in range(len(gram)):
        if remaining[j] > dependence:
            before = factor[keep]
            factor[j] = (gram[j] - before[:, j].conj() @ before) / np.sqrt(remaining[j])
            remaining -= np.abs(factor[j]) ** 2
            keep[j] = True
    return keep
