"""A dense array, of any array namespace, as a design."""

from __future__ import annotations

import numpy as np

from .._array import (
    array_namespace,
    as_double,
    asarray_like,
    conj,
    dagger,
    device,
    is_complex,
    is_numpy,
    sq_norm,
    to_numpy,
)
from .base import Design

__all__ = ["DenseDesign"]

_FEW_OF_ROWS = (
    1 / 16
)  # share of the columns of 8 bytes an entry up to which gathering them from rows beats a product with all
_BLOCK_BYTES = 1 << 22  # float32 designs are widened to float64 in pieces that stay in the cache


class DenseDesign(Design):
    """An array (n_samples, n_features): NumPy (C or Fortran order), CuPy, torch or any array-API array.

    Parameters
    ----------
    array : array of shape (n_samples, n_features)
        The matrix itself, of a floating or complex dtype; it is not copied.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.designs import DenseDesign
    >>> DenseDesign(np.array([[1.0, 2.0], [3.0, 4.0]])).rmatvec(np.array([1.0, 1.0]))
    array([4., 6.])
    """

    def __init__(self, array):
        self.array = array
        self.shape = tuple(array.shape)
        self.dtype = array.dtype
        self.xp = array_namespace(array)
        self.is_numpy = is_numpy(array)
        by_columns = self.is_numpy and array.flags.f_contiguous
        self.few = 1 / 8 if by_columns else _FEW_OF_ROWS * self._entry_size() / 8  # each entry costs a cache line there
        self._sq_norms = None

    def _entry_size(self):
        return self.array.dtype.itemsize if self.is_numpy else 8

    def vector(self, values):
        """NumPy values as a vector of this design's namespace, device and dtype."""
        return asarray_like(values, self.array, dtype=self.dtype)

    def matvec(self, coef):
        return _times(self.array, coef)

    def rmatvec(self, residual):
        if not self.is_numpy or self.array.dtype.kind != "c":
            return _times(dagger(self.array), residual)
        return conj(self.array.T @ conj(residual))  # conjugates the vector, not the matrix

    def columns(self, indices):
        if self.is_numpy:
            return np.asfortranarray(self.array[:, indices])
        return self.xp.take(self.array, self.xp.asarray(indices, device=device(self.array)), axis=1)

    def select(self, indices):
        return DenseDesign(self.columns(indices))

    def gram(self, left, right=None):
        first = self.columns(left)
        return dagger(first) @ (first if right is None else self.columns(right))

    def full_gram(self):
        return dagger(self.array) @ self.array

    def matvec_support(self, values, indices):
        if self.is_numpy:
            return _times(self.array[:, indices], values)
        return _times(self.columns(indices), values)

    def column_sq_norms(self):
        if self._sq_norms is None:
            self._sq_norms = _sq_norms(self.array) if self.is_numpy else to_numpy(sq_norm(self.array))
        return self._sq_norms

    def in_double(self):
        if self.dtype in (self.xp.float64, self.xp.complex128):
            return self
        return _WidenedDesign(self)


class _WidenedDesign(DenseDesign):
    """A single-precision array that multiplies in double precision, widened block by block along its storage."""

    def __init__(self, narrow):
        super().__init__(narrow.array)
        self.narrow = narrow
        self.dtype = self.xp.complex128 if "complex" in str(narrow.dtype) else self.xp.float64
        self._by_columns = self.is_numpy and self.array.flags.f_contiguous

    def _blocks(self):
        along, across = self.shape[::-1] if self._by_columns else self.shape
        width = max(1, _BLOCK_BYTES // (16 * max(1, across)))
        for start in range(0, along, width):
            block = slice(start, min(start + width, along))
            yield block, as_double(self.array[:, block] if self._by_columns else self.array[block, :])

    def matvec(self, coef):
        if self._by_columns:
            return sum(_times(array, coef[block, ...]) for block, array in self._blocks())
        return self.xp.concat([_times(array, coef) for _, array in self._blocks()], axis=0)

    def rmatvec(self, residual):
        if self._by_columns:
            return self.xp.concat([_times(dagger(array), residual) for _, array in self._blocks()], axis=0)
        return sum(_times(dagger(array), residual[block, ...]) for block, array in self._blocks())

    def columns(self, indices):
        return as_double(super().columns(indices))

    def full_gram(self):
        return Design.full_gram(self)

    def column_sq_norms(self):
        return self.narrow.column_sq_norms()  # sums of squares are accumulated in double precision there

    def matvec_support(self, values, indices):
        return _times(self.columns(indices), values)


def _times(matrix, factor):
    """``matrix @ factor``; a real matrix meets a complex factor as its real and imaginary parts, and is not copied."""
    if is_complex(matrix) or not is_complex(factor):
        return matrix @ factor
    xp = array_namespace(factor)
    parts = xp.stack([xp.real(factor), xp.imag(factor)], axis=-1)
    product = matrix @ xp.reshape(parts, (factor.shape[0], -1))
    product = xp.reshape(product, (matrix.shape[0], *factor.shape[1:], 2))
    return product[..., 0] + 1j * product[..., 1]


def _sq_norms(array):
    if array.dtype.kind == "c":
        return _sq_norms(array.real) + _sq_norms(array.imag)
    if array.dtype == np.float64:
        return np.einsum("ij,ij->j", array, array)
    return np.einsum("ij,ij->j", array, array, dtype=np.float64)
