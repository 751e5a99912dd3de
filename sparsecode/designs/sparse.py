"""A SciPy sparse matrix or array, kept in compressed columns, as a design."""

from __future__ import annotations

import numpy as np

from .._array import as_double
from .base import Design

__all__ = ["SparseDesign"]

_BLOCK = 1 << 16  # stored entries squared at a time


class SparseDesign(Design):
    """CSC storage (n_samples, n_features); other sparse formats are converted once.

    Parameters
    ----------
    matrix : SciPy sparse matrix or array of shape (n_samples, n_features)
        The matrix, of a floating or complex dtype.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from sparsecode.designs import SparseDesign
    >>> SparseDesign(sp.csr_array([[1.0, 0.0], [3.0, 4.0]])).column_sq_norms()
    array([10., 16.])
    """

    xp = np
    few = 1 / 8

    def __init__(self, matrix):
        self.matrix = matrix if matrix.format == "csc" else matrix.tocsc()
        self.shape = tuple(matrix.shape)
        self.dtype = matrix.dtype
        self._sq_norms = None

    def vector(self, values):
        """NumPy values in this design's dtype."""
        return np.asarray(values, dtype=self.dtype)

    def matvec(self, coef):
        return self.matrix @ coef

    def rmatvec(self, residual):
        if self.matrix.dtype.kind == "c":
            return (self.matrix.T @ residual.conj()).conj()
        return self.matrix.T @ residual

    def columns(self, indices):
        return np.asfortranarray(self.matrix[:, indices].toarray())

    def select(self, indices):
        return SparseDesign(self.matrix[:, indices])

    def gram(self, left, right=None):
        first = self.matrix[:, left]
        second = first if right is None else self.matrix[:, right]
        return (first.conj().T @ second).toarray()

    def matvec_support(self, values, indices):
        return self.matrix[:, indices] @ values

    def column_sq_norms(self):
        if self._sq_norms is None:
            self._sq_norms = self._block_sq_norms()
        return self._sq_norms

    def _block_sq_norms(self):
        """A block of columns at a time, so that no second copy of all entries is ever alive."""
        norms = np.empty(self.shape[1])
        for columns, entries, indptr in self._blocks():
            with np.errstate(over="ignore"):  # solvers refuse columns that long
                size = np.abs(self.matrix.data[entries]).astype(np.float64, copy=False) ** 2
            norms[columns] = _column_sums(size, indptr)
        return norms

    def sq_norms_around(self, mean=None, scale=None):
        """From the stored entries: all others lie at minus the mean, so that only their weight has to be known."""
        n_samples, norms = self.shape[0], np.empty(self.shape[1])
        mean = np.zeros(norms.size) if mean is None else mean
        weights = None if scale is None else scale.astype(np.float64) ** 2
        total = float(n_samples if weights is None else weights.sum())
        rounding = 0.0 if weights is None else n_samples * np.finfo(np.float64).eps * total
        for columns, entries, indptr in self._blocks():
            counts = np.diff(indptr)
            distance = np.abs(as_double(self.matrix.data[entries]) - np.repeat(mean[columns], counts)) ** 2
            stored = counts
            if weights is not None:
                weight = weights[self.matrix.indices[entries]]
                distance, stored = distance * weight, _column_sums(weight, indptr)
            left = total - stored
            left = np.where(left > rounding, left, 0.0)
            norms[columns] = _column_sums(distance, indptr) + left * np.abs(as_double(mean[columns])) ** 2
        return norms

    def _blocks(self):
        """Blocks of columns: which, their stored entries, and where each of them begins among these."""
        indptr, start = self.matrix.indptr, 0
        while start < self.shape[1]:
            stop = max(start + 1, int(np.searchsorted(indptr, indptr[start] + _BLOCK, side="right")) - 1)
            yield slice(start, stop), slice(indptr[start], indptr[stop]), indptr[start : stop + 1] - indptr[start]
            start = stop

    def in_double(self):
        if self.dtype in (np.float64, np.complex128):
            return self
        return SparseDesign(self.matrix.astype(np.complex128 if self.matrix.dtype.kind == "c" else np.float64))


def _column_sums(values, indptr):
    """Sum of each column's stored values; `reduceat` needs the empty columns set aside."""
    sums = np.zeros(indptr.size - 1)
    filled = np.diff(indptr) > 0
    sums[filled] = np.add.reduceat(values, indptr[:-1][filled])
    return sums
