"""What matrix-free transforms share: blocks of vectors in and out, shapes, and the choice of what is observed."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

__all__ = ["Transform", "as_length", "as_rows", "as_shape"]


class Transform(LinearOperator):
    """A linear map between arrays of shapes `domain` and `image`, applied to one vector or a block of them.

    Subclasses implement `forward` and `adjoint` on arrays whose leading axes are those shapes and whose last axis
    counts vectors. `shift_class` labels columns that are circular shifts of one another, where that is known.
    """

    column_sq_norms: Any = None
    shift_class: Any = None
    is_shift_invariant = False  # whether shifted inputs give outputs of the same norm

    def __init__(self, n_rows, n_columns, dtype):
        super().__init__(np.dtype(dtype), (n_rows, n_columns))

    def _matmat(self, block):
        return self.forward(np.ascontiguousarray(block))

    def _rmatmat(self, block):
        return self.adjoint(np.ascontiguousarray(block))

    def _matvec(self, vector):
        return self.forward(vector.reshape(-1, 1))[:, 0]

    def _rmatvec(self, vector):
        return self.adjoint(vector.reshape(-1, 1))[:, 0]


def as_length(value, name):
    """A positive integer."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1; got {value!r}.")
    return int(value)


def as_shape(shape):
    lengths = (shape,) if np.ndim(shape) == 0 else tuple(shape)
    if not lengths:
        raise ValueError("shape is empty; give at least one length.")
    return tuple(as_length(length, "shape") for length in lengths)


def as_rows(samples, shape):
    """Flat indices of what is observed."""
    samples = np.asarray(samples)
    size = int(np.prod(shape))
    if samples.dtype == bool:
        if samples.shape != shape:
            raise ValueError(f"samples is a mask of shape {samples.shape}; the signal has shape {shape}.")
        rows = np.flatnonzero(samples)
    else:
        rows = samples.ravel()
    if rows.size == 0:
        raise ValueError("samples selects nothing; observe at least one entry.")
    if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= size:
        raise ValueError(f"samples must be a mask, or flat indices from 0 to {size - 1}.")
    if np.unique(rows).size != rows.size:
        raise ValueError("samples names an entry twice; pass each index once.")
    return rows.astype(np.int64)
