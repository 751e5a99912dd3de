"""Columns centred and rows weighted, without touching the matrix: ``diag(scale) (A - 1 mean^T)``.

This is how an intercept and sample weights reach a quadratic problem; sparse matrices stay sparse and
operators stay matrix-free.
"""

from __future__ import annotations

import numpy as np

from .base import Design
from .operator import PROBES, estimated_sq_norms, exact_sq_norms, sq_norms_of

__all__ = ["CenteredDesign", "constant_level"]

_BLOCK, _FEWEST = 1 << 18, 64  # entries of the columns centred together for a Gram matrix, and columns at least
_CANCELLED = 1e-6  # a difference of squares below that share of them, or half the digits, has lost too much


def constant_level(mean, weight_sum):
    """Squared norm, with weights of this sum, that rounding leaves of a constant vector when its mean is subtracted.

    What is no longer than that is a constant: kept, it would be a direction made of rounding errors alone.
    """
    mean = np.asarray(mean)
    error = (4.0 + np.sqrt(weight_sum)) * np.finfo(mean.dtype).eps
    return (error * np.abs(mean.astype(np.result_type(mean.dtype, np.float64)))) ** 2 * weight_sum


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

    Notes
    -----
    Columns that are constant up to rounding have norm zero, so that no solver uses them.

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
        self._sq_norms = self._exact = None

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
        if self.mean is not None:
            picked -= self.mean[indices]
        if self.scale is not None:
            picked *= self.scale[:, None]
        return picked

    def select(self, indices):
        base = self.base.select(indices)
        return base and CenteredDesign(base, None if self.mean is None else self.mean[indices], self.scale)

    def gram(self, left, right=None):
        first = self.columns(left)
        return first.conj().T @ (first if right is None else self.columns(right))

    def full_gram(self):
        """From columns centred on both sides: a product with the design itself, then centred, would cancel."""
        blocks = self.column_blocks(_BLOCK, _FEWEST)
        gram = np.empty((self.shape[1], self.shape[1]), dtype=self.dtype)
        for k, block in enumerate(blocks):
            columns = self.columns(block)
            for other in blocks[: k + 1]:
                part = columns.conj().T @ (columns if other is block else self.columns(other))
                gram[block[0] : block[-1] + 1, other] = part
                gram[other[0] : other[-1] + 1, block] = part.conj().T
        return gram

    def matvec_support(self, values, indices):
        product = self.base.matvec_support(values, indices)
        return self._scaled(product if self.mean is None else product - self.mean[indices] @ values)

    def column_sq_norms(self):
        if self._sq_norms is None:
            if self.base.is_matrix_free:
                self._sq_norms = self._operator_sq_norms()
            else:
                self._sq_norms = self._without_constants(self.base.sq_norms_around(self.mean, self.scale))
        return self._sq_norms

    def _operator_sq_norms(self):
        """Where a column costs a product: from norms that the operator knows, or estimated on the centred columns.

        Estimates before centring would be useless after it: their errors are those of the means.
        """
        if not self._knows_norms:
            return self._without_constants(estimated_sq_norms(self))
        norms, cancelled = self._known_sq_norms()
        if cancelled.size > PROBES:
            norms[cancelled] = estimated_sq_norms(self)[cancelled]
        else:
            norms[cancelled] = sq_norms_of(self, cancelled)
        return self._without_constants(norms)

    @property
    def _knows_norms(self):
        return self.scale is None and getattr(self.base, "knows_norms", False)

    def _known_sq_norms(self):
        """Norms by the difference of squares, and the columns where that cancels: those must be looked at."""
        known = self.base.column_sq_norms()
        if self.mean is None:
            return known, np.empty(0, dtype=np.int64)
        left = known - self.shape[0] * np.abs(self.mean.astype(np.result_type(self.mean.dtype, np.float64))) ** 2
        share = max(_CANCELLED, float(np.finfo(self.mean.dtype).eps) ** 0.5)
        return left, np.flatnonzero((left <= share * known) & (known > 0))

    def with_exact_norms(self):
        if not self.base.is_matrix_free or self.shape[0] <= PROBES:
            return self
        if self._exact is None:
            self._exact = twin = CenteredDesign(self.base, self.mean, self.scale)
            twin._exact = twin
            if self._knows_norms:
                norms, cancelled = self._known_sq_norms()
                norms[cancelled] = sq_norms_of(self, cancelled)
            else:
                norms = exact_sq_norms(self)
            twin._sq_norms = self._without_constants(norms)
        return self._exact

    def _without_constants(self, norms):
        if self.mean is not None:
            weight_sum = self.shape[0] if self.scale is None else float(np.sum(self.scale.astype(np.float64) ** 2))
            norms[norms <= constant_level(self.mean, weight_sum)] = 0.0
        return norms

    def in_double(self):
        wide = self.base.in_double()
        return self if wide is self.base else CenteredDesign(wide, self.mean, self.scale)
