"""The Gram matrix of a growing set of columns, never recomputed: new columns meet the old ones in one BLAS-3 product."""

from __future__ import annotations

import numpy as np

from .._array import conj, dagger
from ..designs import GramDesign

__all__ = ["GrowingGram"]

_FIRST_CAPACITY = 512


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
        self._rows = (
            None if isinstance(design, GramDesign) else np.empty((0, self.n_samples), dtype=self._dtype)
        )  # columns of A as rows

    @property
    def size(self):
        """How many columns it holds."""
        return self.members.size

    def grow(self, new):
        """Append columns that are not members yet."""
        old, size = self.size, self.size + new.size
        self._reserve(size)
        self.members = np.concatenate([self.members, new])
        if self._rows is None:
            cross = self.design.gram(new, self.members)
        else:
            self._rows[old:size] = self.design.columns(new).T
            cross = conj(self._rows[old:size]) @ self._rows[:size].T
        self.matrix[old:size, :size] = cross / self.n_samples
        self.matrix[:old, old:size] = dagger(self.matrix[old:size, :old])

    def columns(self, places):
        """Members by their places, as columns (n_samples, n_chosen)."""
        return self.design.columns(self.members[places]) if self._rows is None else self._rows[places].T

    def _reserve(self, size):
        capacity = self.matrix.shape[0]
        if size <= capacity:
            return
        capacity = max(size, min(max(2 * capacity, _FIRST_CAPACITY), self.design.shape[1]))
        matrix = np.empty((capacity, capacity), dtype=self._dtype)
        matrix[: self.size, : self.size] = self.matrix[: self.size, : self.size]
        self.matrix = matrix
        if self._rows is not None:
            rows = np.empty((capacity, self.n_samples), dtype=self._dtype)
            rows[: self.size] = self._rows[: self.size]
            self._rows = rows
