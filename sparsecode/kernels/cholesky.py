"""Cholesky's factor of a Gram matrix from which a column is taken away."""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["delete_column"]


@kernel
def delete_column(factor, size, position, spare):
    """Make the factor that of the matrix without row and column `position`, in place.

    The rows below move up, and the block behind takes in the deleted column v: ``L' L'^H = L L^H + v v^H``, by one Givens
    rotation a column.

    Parameters
    ----------
    factor : array of shape (capacity, capacity), Fortran-ordered
        Lower triangular in its leading (size, size) block; what lies above the diagonal is never read.
    size : int
        Columns of the matrix before.
    position : int
        Which of them goes.
    spare : array of shape (capacity,)
        Workspace of the factor's dtype.
    """
    last = size - 1
    for i in range(position, last):
        spare[i] = factor[i + 1, position]
    for j in range(position):
        for i in range(position, last):
            factor[i, j] = factor[i + 1, j]
    for j in range(position, last):
        for i in range(j, last):
            factor[i, j] = factor[i + 1, j + 1]
    for j in range(position, last):
        pivot, other = factor[j, j].real, spare[j]
        length = np.sqrt(pivot * pivot + other.real * other.real + other.imag * other.imag)
        cosine, sine = pivot / length, other / length
        factor[j, j] = length
        for i in range(j + 1, last):
            below, extra = factor[i, j], spare[i]
            factor[i, j] = cosine * below + np.conj(sine) * extra
            spare[i] = cosine * extra - sine * below
