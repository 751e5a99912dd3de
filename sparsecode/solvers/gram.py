"""The Gram matrix of a growing set of columns, never recomputed: new columns meet the old ones in one BLAS-3 product."""

from __future__ import annotations

import numpy as np

from .._array import conj, dagger
from ..designs import GramDesign

__all__ = ["CompressedGram", "GrowingGram"]

_FEWEST = 64  # columns there is room for at first: pages that nothing is written to cost more than a small copy
_AT_ONCE = 16  # columns that are not compressed, for a moment


class GrowingGram:
    """``A_W^H A_W / n_samples`` in double precision over the columns W met so far, in the order in which they came.

    Attributes
    ----------
    members : int64 array of shape (size,)
        The columns.
    matrix : float64 or complex128 array of shape (capacity, capacity)
        Its leading (size, size) block is the Gram matrix.
    """

    def __init__(self, design):
        self.design = design.in_double()
        self.n_samples = design.shape[0]
        self.members = np.empty(0, dtype=np.int64)
        self._dtype = np.result_type(self.design.dtype, np.float64)
        self.matrix = np.zeros((0, 0), dtype=self._dtype)
        self._rows = None  # columns of A as rows
        if self._keeps_columns():
            self._rows = np.empty((0, self.n_samples), dtype=self._dtype)

    def _keeps_columns(self):
        """Whether the columns met so far are kept for those to come."""
        return not isinstance(self.design, GramDesign)

    @property
    def size(self):
        """How many columns it holds."""
        return self.members.size

    def grow(self, new):
        """Append columns that are not members yet."""
        old, size = self.size, self.size + new.size
        self._reserve(size)
        self.members = np.concatenate([self.members, new])
        self.matrix[old:size, :size] = self._cross(new, old, size) / self.n_samples
        self.matrix[:old, old:size] = dagger(self.matrix[old:size, :old])

    def _cross(self, new, old, size):
        """``A_new^H A_members``, (size - old, size)."""
        if self._rows is None:
            return self.design.gram(new, self.members)
        self._rows[old:size] = self.design.columns(new).T
        return conj(self._rows[old:size]) @ self._rows[:size].T

    def columns(self, places):
        """Members by their places, as columns (n_samples, n_chosen)."""
        return self.design.columns(self.members[places]) if self._rows is None else self._rows[places].T

    def _reserve(self, size):
        capacity = self.matrix.shape[0]
        if size <= capacity:
            return
        capacity = max(size, min(max(2 * capacity, _FEWEST), self.design.shape[1]))
        matrix = np.empty((capacity, capacity), dtype=self._dtype)
        matrix[: self.size, : self.size] = self.matrix[: self.size, : self.size]
        self.matrix = matrix
        if self._rows is not None:
            rows = np.empty((capacity, self.n_samples), dtype=self._dtype)
            rows[: self.size] = self._rows[: self.size]
            self._rows = rows


class CompressedGram(GrowingGram):
    """The same over columns of few stored entries, centred or not: none is kept, so that many samples need no memory."""

    def _keeps_columns(self):
        return False

    def _cross(self, new, old, size):
        members = self.design.select(self.members)
        parts = (new[start : start + _AT_ONCE] for start in range(0, new.size, _AT_ONCE))
        return np.vstack([dagger(members.rmatvec(self.design.columns(part))) for part in parts])
