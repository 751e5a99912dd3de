"""Codes in compressed rows: sorted, packed, spread out, and measured against the signals they stand for."""

from __future__ import annotations

import numpy as np

from ._compile import kernel
from ._inner import LANES, inner

__all__ = ["code_residuals", "pack_codes", "scatter_codes", "sort_rows"]


@kernel
def sort_rows(indptr, indices, values):
    """Sort every row by its indices, in place, by insertion: codes have few entries."""
    for s in range(indptr.shape[0] - 1):
        start = indptr[s]
        for i in range(start + 1, indptr[s + 1]):
            position, value, m = indices[i], values[i], i - 1
            while m >= start and indices[m] > position:
                indices[m + 1], values[m + 1] = indices[m], values[m]
                m -= 1
            indices[m + 1], values[m + 1] = position, value


@kernel
def pack_codes(padded, coefficients, counts, indptr, indices, values):
    """Turn rows padded to a common length into compressed rows with sorted indices."""
    filled = 0
    indptr[0] = 0
    for s in range(counts.shape[0]):
        for i in range(counts[s]):
            indices[filled], values[filled] = padded[s, i], coefficients[s, i]
            filled += 1
        indptr[s + 1] = filled
    sort_rows(indptr, indices, values)


@kernel
def scatter_codes(indptr, indices, values, out):
    """Write compressed rows into a dense matrix of zeros."""
    for s in range(out.shape[0]):
        for i in range(indptr[s], indptr[s + 1]):
            out[s, indices[i]] = values[i]


@kernel
def code_residuals(atoms, sq_norms, signals, indptr, indices, values, sq_residuals, defects):
    """Squared residual of given codes, and ``max_j |a_j r| / ||a_j||`` over the atoms they use, from the signals themselves."""
    n_signals, n_features = signals.shape
    residual, lanes = np.empty(n_features), np.empty(LANES)
    for s in range(n_signals):
        for m in range(n_features):
            residual[m] = signals[s, m]
        for i in range(indptr[s], indptr[s + 1]):
            j, value = indices[i], values[i]
            for m in range(n_features):
                residual[m] -= value * atoms[j, m]
        total = inner(residual, residual, lanes)
        worst = 0.0
        for i in range(indptr[s], indptr[s + 1]):
            j = indices[i]
            if sq_norms[j] > 0.0:
                product = inner(residual, atoms[j], lanes)
                worst = max(worst, abs(product) / np.sqrt(sq_norms[j]))
        sq_residuals[s], defects[s] = total, worst
