"""A dense array, of any array namespace, as a design."""

from __future__ import annotations

import numpy as np

from .._array import array_namespace, as_double, asarray_like, conj, dagger, device, is_numpy, sq_norm, to_numpy
from .base import Design

__all__ = ["DenseDesign"]

_BLOCK_BYTES = 1 << 25  # float32 designs are widened to float64 in pieces of this size


class DenseDesign(Design):
    """An array (n_samples, n_features): NumPy (C or Fortran order), CuPy, torch or any array-API array."""

    def __init__(self, array):
        self.array = array
        self.shape = tuple(array.shape)
        self.dtype = array.dtype
        self.xp = array_namespace(array)
        self.is_numpy = is_numpy(array)
        self._sq_norms = None

    def vector(self, values):
        """NumPy values as a vector of this design's namespace, device and dtype."""
        return asarray_like(values, self.array, dtype=self.dtype)

    def matvec(self, coef):
        return self.array @ coef

    def rmatvec(self, residual):
        if not self.is_numpy or self.array.dtype.kind != "c":
            return dagger(self.array) @ residual
        return conj(self.array.T @ conj(residual))  # conjugates the vector, not the matrix

    def columns(self, indices):
        if self.is_numpy:
            return np.asfortranarray(self.array[:, indices])
        return self.xp.take(self.array, self.xp.asarray(indices, device=device(self.array)), axis=1)

    def gram(self, left, right=None):
        first = self.columns(left)
        return dagger(first) @ (first if right is None else self.columns(right))

    def column_sq_norms(self):
        if self._sq_norms is None:
            self._sq_norms = _sq_norms(self.array) if self.is_numpy else to_numpy(sq_norm(self.array))
        return self._sq_norms

    def in_double(self):
        if self.dtype in (self.xp.float64, self.xp.complex128):
            return self
        return _WidenedDesign(self)


class _WidenedDesign(DenseDesign):
    """A single-precision array that multiplies in double precision, block of columns by block of columns."""

    def __init__(self, narrow):
        super().__init__(narrow.array)
        self._sq_norms = narrow.column_sq_norms()
        self.dtype = self.xp.complex128 if "complex" in str(narrow.dtype) else self.xp.float64

    def _blocks(self):
        width = max(1, _BLOCK_BYTES // (16 * max(1, self.shape[0])))
        for start in range(0, self.shape[1], width):
            block = slice(start, min(start + width, self.shape[1]))
            yield block, as_double(self.array[:, block])

    def matvec(self, coef):
        return sum(array @ coef[block, ...] for block, array in self._blocks())

    def rmatvec(self, residual):
        return self.xp.concat([dagger(array) @ residual for _, array in self._blocks()], axis=0)

    def columns(self, indices):
        return as_double(super().columns(indices))


def _sq_norms(array):
    if array.dtype.kind == "c":
        return _sq_norms(array.real) + _sq_norms(array.imag)
    if array.dtype == np.float64:
        return np.einsum("ij,ij->j", array, array)
    return np.einsum("ij,ij->j", array, array, dtype=np.float64)
