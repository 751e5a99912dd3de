"""Codes that arrive block by block, gathered into the matrix that was asked for."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

__all__ = ["CompressedRows", "DenseRows"]

_SLACK = 1.02  # buffers are made a little larger than the density so far calls for


class DenseRows:
    """A dense matrix of codes, filled block by block."""

    def __init__(self, n_signals, n_atoms, dtype):
        self._matrix = np.zeros((n_signals, n_atoms), dtype=dtype)
        self._filled = 0

    def append(self, indptr, indices, values):
        """The codes of the next signals, as compressed rows."""
        from ..kernels.rows import scatter_codes

        stop = self._filled + indptr.size - 1
        scatter_codes(indptr, indices, values, self._matrix[self._filled : stop])
        self._filled = stop

    def finish(self):
        """The matrix."""
        return self._matrix


class CompressedRows:
    """A CSR matrix of codes; its buffers grow by reallocation, so the peak of memory is the result and one block."""

    def __init__(self, n_signals, n_atoms, dtype):
        self._shape = (n_signals, n_atoms)
        self._counts = np.zeros(n_signals + 1, dtype=np.int32)
        self._indices, self._values = np.empty(0, dtype=np.int32), np.empty(0, dtype=dtype)
        self._filled = self._entries = 0

    def append(self, indptr, indices, values):
        """The codes of the next signals, as compressed rows."""
        counts = np.diff(indptr)
        self._counts[self._filled + 1 : self._filled + 1 + counts.size] = counts
        self._filled += counts.size
        stop = self._entries + indices.size
        if stop > self._indices.size:
            wanted = max(stop, int(_SLACK * stop * (self._shape[0] / self._filled)))
            self._indices.resize(wanted, refcheck=False)  # no other view of the buffers exists
            self._values.resize(wanted, refcheck=False)
        self._indices[self._entries : stop], self._values[self._entries : stop] = indices, values
        self._entries = stop

    def finish(self):
        """The matrix, with sorted indices."""
        self._indices.resize(self._entries, refcheck=False)
        self._values.resize(self._entries, refcheck=False)
        if self._entries <= np.iinfo(np.int32).max:
            indptr, indices = np.cumsum(self._counts, out=self._counts), self._indices
        else:
            indptr, indices = np.cumsum(self._counts, dtype=np.int64), self._indices.astype(np.int64)
        return sp.csr_matrix((self._values, indices, indptr), shape=self._shape)
