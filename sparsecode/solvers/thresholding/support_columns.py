"""Columns of one support after another, most of which are those of the support before."""

from __future__ import annotations

import numpy as np

__all__ = ["SupportColumns"]


class SupportColumns:
    """Columns of a design, those of the support before kept where each costs a product."""

    def __init__(self, design):
        self.design = design
        self.support = np.empty(0, dtype=np.int64)
        self.columns = None

    def __call__(self, support):
        if self.columns is not None and np.array_equal(support, self.support):
            return self.columns
        if self.columns is None or not self.design.is_matrix_free:
            columns = self.design.columns(support)
        else:
            known = np.isin(support, self.support)
            columns = np.empty((self.design.shape[0], support.size), dtype=self.columns.dtype, order="F")
            columns[:, known] = self.columns[:, np.searchsorted(self.support, support[known])]
            columns[:, ~known] = self.design.columns(support[~known])
        self.support, self.columns = support, columns
        return columns
