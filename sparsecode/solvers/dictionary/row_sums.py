"""Sums over the rows of a tall matrix, block by block, with the same bits for any number of threads."""

from __future__ import annotations

from ..._array import as_double, dagger, is_numpy
from ..._parallel import map_blocks

__all__ = ["second_moments", "summed_over_rows"]

_CACHED = 1 << 16  # products of a block held at a time: what is done to them finds them in the cache
_FEWEST = 128  # rows of a block, below which its matrix products lose more than the cache gains
_PARTS = 64  # at most so many partial sums, whatever the number of rows
_CHUNK = 1 << 13  # rows of a partial sum, at least
_DEVICE_BYTES = 1 << 28  # products held at a time where arrays live elsewhere than in NumPy


def summed_over_rows(product, X, width, *, double, n_jobs=None):
    """Sum of ``product(block)`` over blocks of rows of X, in double precision.

    Parameters
    ----------
    product : callable
        Takes some rows of X, in double precision if `double`; returns an array.
    X : array of shape (N, n)
        Of any namespace; a memory-map is read block by block.
    width : int
        Columns of the largest array that `product` makes of a block.
    double : bool
        Whether the products themselves are made in double precision.
    n_jobs : int, optional
        Threads, for NumPy arrays.
    """
    width = max(width, X.shape[1])
    if not is_numpy(X):
        rows = max(_FEWEST, _DEVICE_BYTES // (16 * width))
        return _sum_of(product, X, 0, X.shape[0], rows, double)
    rows = max(_FEWEST, _CACHED // width // _FEWEST * _FEWEST)
    chunk = -(-max(_CHUNK, -(-X.shape[0] // _PARTS)) // rows) * rows
    parts = map_blocks(lambda start, stop: _sum_of(product, X, start, stop, rows, double), X.shape[0], chunk, n_jobs)
    return sum(parts[1:], start=parts[0])


def _sum_of(product, X, start, stop, rows, double):
    total = None
    for first in range(start, stop, rows):
        part = X[first : min(first + rows, stop), ...]
        value = as_double(product(as_double(part) if double else part))
        total = value if total is None else total + value
    return total


def second_moments(X, n_jobs=None):
    """``X^H X`` in double precision, of the namespace of X."""
    return summed_over_rows(lambda part: dagger(part) @ part, X, X.shape[1], double=True, n_jobs=n_jobs)
