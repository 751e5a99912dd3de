"""Signals in whatever they are kept: an array, a memory-map, a CSR matrix."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

__all__ = ["dense_rows", "row_blocks"]


def dense_rows(signals, rows, dtype=np.float64):
    """Some rows (a slice, or ascending numbers) as a dense C-contiguous array; `dtype` None leaves the precision."""
    part = signals[rows]
    part = part.toarray() if sp.issparse(part) else part
    return np.ascontiguousarray(part, dtype=dtype)


def row_blocks(signals, size):
    """Slices of `size` rows, in order."""
    for start in range(0, signals.shape[0], size):
        yield slice(start, min(start + size, signals.shape[0]))
