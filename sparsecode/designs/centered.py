"""Columns centred and rows weighted, without touching the matrix: ``diag(scale) (A - 1 mean^T)``.

This is how an intercept and sample weights reach a quadratic problem; sparse matrices stay sparse and
operators stay matrix-free.
"""

from __future__ import annotations

import numpy as np

from .base import Design

__all__ = ["CenteredDesign"]


class CenteredDesign(Design):
    """Another design with `mean` (n_features,) subtracted from its rows, then rows multiplied by `scale` (n_samples,).

    Parameters
    ----------
    base : Design
        What is centred and weighted; a NumPy design.
    mean : array of shape (n_features,), optional
        What is subtracted from every row; nothing by default.
    scale : array of shape (n_samples,), optional
        What rows are then multiplied by; one by default.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.designs import CenteredDesign, DenseDesign
    >>> base = DenseDesign(np.array([[1.0, 2.0], [3.0, 6.0]]))
    >>> CenteredDesign(base, mean=np.array([2.0, 4.0])).matvec(np.array([1.0, 1.0]))
    array([-3.,  3.])
    """

    xp = np

    def __init__(self, base, mean=None, scale=None):
        self.base, self.mean, self.scale = base, mean, scale
        self.shape, self.dtype = base.shape, base.dtype
        self.is_matrix_free, self.few = base.is_matrix_free, base.few
        self._sq_norms = None

    def vector(self, values):
        """NumPy values in this design's dtype."""
        return self.base.vector(values)

    def _scaled(self, rows):
        if self.scale is None:
            return rows
        return rows * (self.scale if rows.ndim == 1 else self.scale[:, None])

    def matvec(self, coef):
        product = self.base.matvec(coef)
        return self._scaled(product if self.mean is None else product - self.mean @ coef)

    def rmatvec(self, residual):
        residual = self._scaled(residual)
        product = self.base.rmatvec(residual)
        if self.mean is None:
            return product
        total = np.sum(residual, axis=0)
        return product - (self.mean.conj() * total if residual.ndim == 1 else np.outer(self.mean.conj(), total))

    def columns(self, indices):
        picked = self.base.columns(indices)
        picked = self._scaled(picked if self.mean is None else picked - self.mean[indices])
        return np.asfortranarray(picked)

    def select(self, indices):
        base = self.base.select(indices)
        return base and CenteredDesign(base, None if self.mean is None else self.mean[indices], self.scale)

    def gram(self, left, right=None):
        first = self.columns(left)
        return first.conj().T @ (first if right is None else self.columns(right))

    def matvec_support(self, values, indices):
        product = self.base.matvec_support(values, indices)
        return self._scaled(product if self.mean is None else product - self.mean[indices] @ values)

    def column_sq_norms(self):
        if self._sq_norms is None:
            self._sq_norms = self._block_sq_norms()
        return self._sq_norms

    def _block_sq_norms(self):
        """From the centred columns themselves, a block at a time: the difference of squares would cancel."""
        if self.base.is_matrix_free:  # a column costs a product there, and the norms are estimates anyway
            weight = np.ones(self.shape[0]) if self.scale is None else self.scale**2
            shift = 0.0 if self.mean is None else np.abs(self.mean) ** 2
            return np.maximum(self.base.column_sq_norms() - self.shape[0] * shift, 0.0) * np.mean(weight)
        width = max(1, (1 << 22) // max(1, self.shape[0]))
        blocks = []
        for start in range(0, self.shape[1], width):
            block = self.columns(np.arange(start, min(start + width, self.shape[1])))
            blocks.append(np.sum(np.abs(block.astype(np.result_type(block.dtype, np.float64))) ** 2, axis=0))
        return np.concatenate(blocks)

    def in_double(self):
        wide = self.base.in_double()
        return self if wide is self.base else CenteredDesign(wide, self.mean, self.scale)
