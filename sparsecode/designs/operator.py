"""A matrix-free `scipy.sparse.linalg.LinearOperator` as a design."""

from __future__ import annotations

import numpy as np

from .base import Design

__all__ = ["PROBES", "OperatorDesign", "estimated_sq_norms", "exact_sq_norms", "sq_norms_of"]

PROBES = 64
_BLOCK = 1 << 18  # entries of the columns looked at together


class OperatorDesign(Design):
    """A LinearOperator (n_samples, n_features) with `matvec` and `rmatvec`; its matrix is never formed.

    An operator that carries an attribute `column_sq_norms` (n_features,) makes atom selection exact for nothing; without it
    they are estimated from 64 random probes (relative error about 0.18), good enough for a scale, and `with_exact_norms`
    computes them, at one product for each row or column, for solvers that select by them.

    Parameters
    ----------
    operator : LinearOperator of shape (n_samples, n_features)
        With `matvec` and `rmatvec`.
    dtype : dtype, optional
        What the operator computes in; by default what it says.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse.linalg import LinearOperator
    >>> from sparsecode.designs import OperatorDesign
    >>> double = LinearOperator((2, 2), matvec=lambda x: 2 * x, rmatvec=lambda r: 2 * r, dtype=float)
    >>> OperatorDesign(double).normal(np.array([1.0, 2.0]))
    array([4., 8.])
    """

    xp = np
    is_matrix_free = True

    def __init__(self, operator, dtype=None):
        self.operator = operator
        self.shape = tuple(operator.shape)
        given = np.dtype(dtype if dtype is not None else operator.dtype or np.float64)
        self.dtype = given if given.kind in "fc" else np.dtype(np.float64)
        self._sq_norms = self._exact = None

    def vector(self, values):
        """NumPy values in this design's dtype."""
        return np.asarray(values, dtype=self.dtype)

    def matvec(self, coef):
        return self._typed(self.operator.matvec(coef) if coef.ndim == 1 else self.operator.matmat(coef), coef)

    def rmatvec(self, residual):
        product = self.operator.rmatvec(residual) if residual.ndim == 1 else self.operator.rmatmat(residual)
        return self._typed(product, residual)

    def _typed(self, product, factor):
        """The product in the dtype that the operator declares: user code often computes in another precision."""
        wanted = np.result_type(self.dtype, factor.dtype)
        if product.dtype.kind == "c" and wanted.kind != "c":
            raise ValueError(
                f"the LinearOperator declares dtype {self.dtype} but returned {product.dtype}; pass dtype=complex to it."
            )
        return product.astype(wanted, copy=False)

    def columns(self, indices):
        indices = np.asarray(indices)
        unit = np.zeros(self.shape[1], dtype=self.dtype)
        picked = np.empty((self.shape[0], indices.size), dtype=self.dtype, order="F")
        for position, index in enumerate(indices):
            unit[index] = 1
            picked[:, position] = self.operator.matvec(unit)
            unit[index] = 0
        return picked

    def matvec_support(self, values, indices):
        coef = np.zeros((self.shape[1], *values.shape[1:]), dtype=np.result_type(self.dtype, values.dtype))
        coef[indices] = values
        return self.matvec(coef)

    @property
    def knows_norms(self):
        """Whether the operator carries the norms of its columns."""
        return getattr(self.operator, "column_sq_norms", None) is not None

    def column_sq_norms(self):
        if self._sq_norms is None:
            known = getattr(self.operator, "column_sq_norms", None)
            self._sq_norms = estimated_sq_norms(self) if known is None else np.asarray(known, dtype=np.float64)
        return self._sq_norms

    def with_exact_norms(self):
        if self.knows_norms or self.shape[0] <= PROBES:
            return self
        if self._exact is None:
            self._exact = OperatorDesign(self.operator, self.dtype)
            self._exact._exact, self._exact._sq_norms = self._exact, exact_sq_norms(self)
        return self._exact

    def in_double(self):
        return self  # the operator computes in whatever precision it was written for


def exact_sq_norms(design):
    """Squared column norms of a matrix-free design, from its rows or its columns, whichever are fewer.

    One vector at a time: not every operator multiplies blocks as it should.
    """
    if design.shape[0] < design.shape[1]:
        return _by_rows(design)
    return sq_norms_of(design, np.arange(design.shape[1]))


def sq_norms_of(design, indices):
    """Squared norms of some columns, which are looked at a block at a time."""
    width = max(1, _BLOCK // max(1, design.shape[0]))
    norms = np.empty(len(indices))
    for start in range(0, len(indices), width):
        block = design.columns(indices[start : start + width])
        wide = block.astype(np.result_type(block.dtype, np.float64), copy=False)
        norms[start : start + width] = np.sum(np.abs(wide) ** 2, axis=0)
    return norms


def _by_rows(design):
    total, unit = np.zeros(design.shape[1]), np.zeros(design.shape[0], dtype=design.dtype)
    for row in range(unit.size):
        unit[row] = 1
        product = design.rmatvec(unit)
        total += np.abs(product.astype(np.result_type(product.dtype, np.float64), copy=False)) ** 2
        unit[row] = 0
    return total


def estimated_sq_norms(design):
    """``mean |A^H z|^2`` over random signs z (exact up to as many samples as there are probes, which are then unit vectors)."""
    n_samples = design.shape[0]
    if n_samples <= PROBES:
        return _by_rows(design)
    total = np.zeros(design.shape[1])
    rng = np.random.default_rng(0)
    for _ in range(PROBES):
        signs = rng.choice(np.array([-1.0, 1.0]), size=n_samples).astype(design.dtype)
        total += np.abs(design.rmatvec(signs)) ** 2
    return total / PROBES
