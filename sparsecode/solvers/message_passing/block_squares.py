"""Products with ``|A|^2`` where a second matrix of that size would be too much, or where A is not known entry by entry."""

from __future__ import annotations

import math

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, is_numpy
from ...designs import CenteredDesign, DenseDesign
from ...priors._numbers import power
from .squares import squares

__all__ = ["BlockSquares", "ColumnSquares", "moduli", "there_and_back"]

_STORED = 1 << 22  # entries up to which the squares are kept
_BLOCK = 1 << 16  # entries squared at a time: they stay in the cache for the product that follows


def moduli(design):
    """The products with ``|A|^2``, in double precision: exact where entries are known, by the norms of the columns where not.

    `spread` answers (n_samples, L), or (1, L) if all samples get the same; `gather` (n_features, L).
    """
    if design.is_matrix_free:
        return ColumnSquares(design)
    base = design.base if isinstance(design, CenteredDesign) else design
    if isinstance(base, DenseDesign) and math.prod(design.shape) > _STORED:
        return BlockSquares(design)
    return squares(design)


def there_and_back(squared, variance, noise, share=1.0):
    """``v = noise + share |A|^2 variance`` and ``(|A|^2)^T (1 / v)``; each block of rows is squared once for both.

    `share` is a number or an array (n_samples, 1).
    """
    if isinstance(squared, BlockSquares):
        return squared.there_and_back(variance, noise, share)
    total = noise + share * squared.spread(variance)
    return total, squared.gather(1.0 / total)


class BlockSquares:
    """``|A|^2`` of a dense design, squared anew for every product."""

    def __init__(self, design):
        self.design = design

    def spread(self, variance):
        """``|A|^2 variance``, (n_samples, L)."""
        by_columns, blocks = self._blocks()
        if by_columns:
            return sum(part @ variance[block, :] for block, part in blocks)
        return array_namespace(variance).concat([part @ variance for _, part in blocks], axis=0)

    def gather(self, information):
        """``(|A|^2)^T information``, (n_features, L)."""
        by_columns, blocks = self._blocks()
        if by_columns:
            return array_namespace(information).concat([part.T @ information for _, part in blocks], axis=0)
        return sum(part.T @ information[block, :] for block, part in blocks)

    def there_and_back(self, variance, noise, share=1.0):
        """Both products of the function of that name."""
        by_columns, blocks = self._blocks()
        if by_columns:
            total = noise + share * self.spread(variance)
            return total, self.gather(1.0 / total)
        totals, information = [], 0.0
        for block, part in blocks:
            totals.append(noise + (share if np.ndim(share) == 0 else share[block, :]) * (part @ variance))
            information = information + part.T @ (1.0 / totals[-1])
        return array_namespace(variance).concat(totals, axis=0), information

    def _blocks(self):
        """Whether blocks are of columns, and the blocks, along the storage."""
        design = self.design
        array = design.array if isinstance(design, DenseDesign) else None
        by_columns = array is None or (is_numpy(array) and array.flags.f_contiguous)
        return by_columns, self._squared(array, by_columns, *(design.shape[::-1] if by_columns else design.shape))

    def _squared(self, array, by_columns, along, across):
        width = max(1, _BLOCK // across)
        for start in range(0, along, width):
            block = slice(start, min(start + width, along))
            if array is None:
                part = self.design.columns(np.arange(block.start, block.stop))
            else:
                part = array[:, block] if by_columns else array[block, :]
            yield block, power(as_double(part))


class ColumnSquares:
    """``|A|^2`` with every entry replaced by the mean of its column: what is known of an operator."""

    def __init__(self, design):
        self.n_samples = design.shape[0]
        self.sq_norms = np.asarray(design.column_sq_norms(), dtype=np.float64)

    def spread(self, variance):
        """What all samples get, (1, L)."""
        weight = asarray_like(self.sq_norms / self.n_samples, variance, dtype=variance.dtype)
        return (weight @ variance)[None, :]

    def gather(self, information):
        """What each coefficient gets of informations (1, L) that all samples share, (n_features, L)."""
        return asarray_like(self.sq_norms, information, dtype=information.dtype)[:, None] * information
