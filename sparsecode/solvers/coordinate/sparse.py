"""A working set of compressed columns, with the residual in place of a Gram matrix.

Columns of a few entries make a Gram matrix of thousands of columns a waste: a sweep here costs two passes over the
stored entries. Implicit centring and row weights (`CenteredDesign`) never fill the columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...designs import CenteredDesign
from .subproblem import WorkingSet

__all__ = ["SparseWorkingSet"]


class SparseWorkingSet(WorkingSet):
    """Members as a compact CSC matrix in float64."""

    growth, cheap = 1.0, 2e6

    def __init__(self, design, coef_weights):
        super().__init__(design, coef_weights)
        centered = isinstance(design, CenteredDesign)
        self.matrix = (design.base if centered else design).matrix
        self.mean = design.mean if centered else None
        self.scale: Any = design.scale if centered else None
        if self.mean is not None and self.scale is None:
            self.scale = np.ones(self.n_samples)
        self.members = np.empty(0, dtype=np.int64)

    def grow(self, new):
        self.members = np.concatenate([self.members, new])
        self._columns = self._stored(self.members)
        self._shift, self._touch = self._centring(self._columns, self.members)
        sq_norms = _column_sums(self._columns, self._columns.data**2)
        scale_sq = 0.0 if self.scale is None else self.scale @ self.scale
        self._curvature = (sq_norms - 2.0 * self._shift * self._touch + self._shift**2 * scale_sq) / self.n_samples
        rounding = 8 * np.finfo(np.float64).eps * sq_norms / self.n_samples
        self._curvature[self._curvature <= rounding] = 0.0  # constant columns, once centred

    def _stored(self, indices):
        """Stored entries of some columns in float64, rows weighted; the index types are the kernel's."""
        columns = self.matrix[:, indices].astype(np.float64)
        columns.indices = columns.indices.astype(np.int64, copy=False)
        columns.indptr = columns.indptr.astype(np.int64, copy=False)
        if self.scale is not None:
            columns.data = columns.data * self.scale[columns.indices]
        return columns

    def _centring(self, columns, indices):
        if self.mean is None:
            return np.zeros(indices.size), np.zeros(indices.size)
        return self.mean[indices].astype(np.float64), columns.T @ self.scale.astype(np.float64)

    def begin(self, coef, point):
        self.coef = coef.copy()
        self.residual = np.asarray(point.dual, dtype=np.float64) * self.n_samples
        scale = self.scale if self.mean is not None else None
        self._drift = np.array(
            [0.0, 0.0 if scale is None else scale @ self.residual, 0.0 if scale is None else scale @ scale]
        )
        self._point = None  # the residual has not been folded and multiplied since it last changed

    def sweep(self, penalty, weights, still):
        from ...kernels.coordinate import sparse_sweeps

        columns = self._columns
        self._point = None
        self.work += sparse_sweeps(
            columns.data, columns.indices, columns.indptr, self._shift, self._touch, self._curvature,
            penalty, weights, self.coef, self.residual, self._drift, 1, still,
        )  # fmt: skip

    def _fold(self):
        """The true residual in place of the drifted one, and its products."""
        if self._point is None:
            if self._drift[0] != 0.0:
                self.residual += self._drift[0] * self.scale
                self._drift[0] = 0.0
            correlations = self._columns.T @ self.residual
            if self.mean is not None:
                self._drift[1] = self.scale @ self.residual
                correlations -= self._shift * self._drift[1]
            self._point = correlations / self.n_samples, float(self.residual @ self.residual) / self.n_samples
        return self._point

    def correlations(self):
        return self._fold()[0]

    def curvatures(self):
        return self._curvature

    def misfit(self):
        return self._fold()[1]

    def support_gram(self, support):
        columns = self._columns[:, support]
        gram = (columns.T @ columns).toarray(order="F")
        if self.mean is not None:
            shift, touch = self._shift[support], self._touch[support]
            gram += np.outer(shift, shift) * self._drift[2] - np.outer(shift, touch) - np.outer(touch, shift)
        return gram / self.n_samples

    def move(self, step, where):
        self.coef[where] += step
        self.residual -= self._columns[:, where] @ step
        if self.mean is not None:
            self.residual += (self._shift[where] @ step) * self.scale
        self._point = None

    def put(self, coef, correlations):
        self.move(coef - self.coef, np.arange(self.coef.size))
        self.coef = coef


def _column_sums(matrix, values):
    sums = np.zeros(matrix.shape[1])
    filled = np.diff(matrix.indptr) > 0
    sums[filled] = np.add.reduceat(values, matrix.indptr[:-1][filled])
    return sums
