"""Products with the squared moduli of a design, ``|A|^2`` entry by entry: how variances travel through it.

`spread` carries variances of coefficients to the samples (``|A|^2 v``), `gather` informations of samples to the coefficients
(``(|A|^2)^T u``). Their uniform form replaces ``|A|^2`` by its mean entry, and answers with one number a target.
"""

from __future__ import annotations

import numpy as np

from ..._array import array_namespace, is_complex, to_numpy
from ..._validation import weighted
from ...designs import CenteredDesign, DenseDesign, SparseDesign
from ...priors._numbers import power

__all__ = ["UniformSquares", "squares"]


def squares(design, uniform=False, counts=None):
    """The products with ``|A|^2`` for this design; a matrix-free one is multiplied out once, unless they are uniform.

    Only uniform ones see how often samples count, (n_samples, 1): for the others the informations carry it.
    """
    if uniform:
        return _uniform(design, counts)
    if isinstance(design, SparseDesign):
        return MatrixSquares(_entry_squares(design.matrix), design)
    if isinstance(design, CenteredDesign) and isinstance(design.base, SparseDesign):
        return CenteredSquares(design)
    matrix = design.array if type(design) is DenseDesign else design.columns(np.arange(design.shape[1]))
    return MatrixSquares(power(matrix), design)


def _uniform(design, counts):
    n_samples, n_features = design.shape
    if counts is not None:
        counts = np.asarray(to_numpy(counts), dtype=np.float64)[:, 0]
        n_samples = float(np.sum(counts))
        design, _ = weighted(design, design.vector(np.zeros(design.shape[0])), counts)
    return UniformSquares(float(np.sum(design.with_exact_norms().column_sq_norms())), (n_samples, n_features))


def _entry_squares(matrix):
    moduli = matrix.copy()
    moduli.data = power(matrix.data)
    return moduli.real if is_complex(matrix.data) else moduli


class MatrixSquares:
    """``|A|^2`` as a matrix of its own, dense or sparse."""

    def __init__(self, matrix, design=None):
        self.matrix, self.design = matrix, design

    def in_double(self):
        """The same products in double precision."""
        if self.design is None or self.design.in_double() is self.design:
            return self
        return squares(self.design.in_double())

    def spread(self, variance):
        """``|A|^2 variance``, (n_samples, n_targets)."""
        return self.matrix @ variance

    def gather(self, information):
        """``(|A|^2)^T information``, (n_features, n_targets)."""
        return self.matrix.T @ information


class CenteredSquares:
    """``|scale (A - 1 mean^T)|^2`` of a sparse A, multiplied out so that it stays sparse."""

    def __init__(self, design):
        base, self.design = design.base, design
        self.entries = _entry_squares(base.matrix)
        self.mean = np.zeros(base.shape[1], dtype=base.dtype) if design.mean is None else design.mean
        self.weight = 1.0 if design.scale is None else design.scale[:, None] ** 2

    def in_double(self):
        """The same products in double precision."""
        wide = self.design.in_double()
        return self if wide is self.design else CenteredSquares(wide)

    def spread(self, variance):
        """``|A|^2 variance``, (n_samples, n_targets)."""
        cross = self.design.base.matvec(self.mean.conj()[:, None] * variance).real
        total = self.entries @ variance - 2 * cross + power(self.mean) @ variance
        return self.weight * np.maximum(total, 0.0)

    def gather(self, information):
        """``(|A|^2)^T information``, (n_features, n_targets)."""
        weighted = self.weight * information
        cross = self.mean[:, None] * self.design.base.rmatvec(weighted.astype(self.design.dtype, copy=False))
        total = self.entries.T @ weighted - 2 * cross.real + power(self.mean)[:, None] * np.sum(weighted, axis=0)
        return np.maximum(total, 0.0)


class UniformSquares:
    """``|A|^2`` with every entry replaced by their mean."""

    def __init__(self, total, shape):
        self.total, self.shape = total, shape

    def in_double(self):
        """The same: its numbers are not arrays."""
        return self

    def spread(self, variance):
        """What the samples have in common, (1, n_targets)."""
        return self.total / self.shape[0] * _mean(variance)

    def gather(self, information):
        """What the coefficients have in common, (1, n_targets)."""
        return self.total / self.shape[1] * _mean(information)


def _mean(values):
    if type(values) is np.ndarray:  # at once: small problems ask hundreds of times
        return np.add.reduce(values, axis=0, keepdims=True) / values.shape[0]
    return array_namespace(values).sum(values, axis=0, keepdims=True) / values.shape[0]
