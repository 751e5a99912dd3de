"""Exact selection from rounded columns: most correlations need no more than eight bits.

A pursuit reads the whole design at every step, only to learn which column correlates most. With each column rounded to
eight bits, ``a_j = scale_j q_j + e_j``, an eighth of the memory gives every correlation up to ``||e_j|| ||r||``; the few columns
whose upper bound reaches the best lower bound are then correlated exactly. The selected column is the one that a product
with the whole design would have selected.
"""

from __future__ import annotations

import numpy as np

from ..._parallel import map_blocks
from ...designs import DenseDesign

__all__ = ["RoundedColumns", "pays"]

_WORK = 1 << 28  # entries read in a pursuit: below, it is over before a compiler is loaded
_STEPS = 16  # rounding costs about four products
_MANY = 8  # more than this share of the columns in doubt: the product with all of them is cheaper
_BLOCK = 40  # panels
_SAFETY = 1.0 + 1e-6  # the bounds themselves are rounded
_FAINT = 1e-30  # of the largest factor: nearer to the end of single precision's range only norms are compared


def pays(design, settings, n_targets):
    """Whether rounding the columns costs less than it saves: one target on a large real dense matrix, and many steps."""
    if not isinstance(design, DenseDesign) or settings.orthogonal or n_targets > 1:
        return False
    array, steps = design.array, settings.n_nonzero
    stored = array.flags.c_contiguous or array.flags.f_contiguous
    return stored and array.dtype.kind == "f" and steps >= _STEPS and array.size * steps >= _WORK


class RoundedColumns:
    """The columns of a dense design in eight bits, and what rounding left of them.

    Parameters
    ----------
    design : DenseDesign
        A real NumPy array in C or Fortran order.
    preference : ndarray of shape (n_features,)
        Squared correlations are multiplied by it before columns are compared; 0 for a column that may not be selected.
    positive : bool
        Whether only positive correlations count.
    n_jobs : int, optional
        Threads; the bits do not depend on them.
    """

    def __init__(self, design, preference, positive, n_jobs=None):
        from ...kernels.quantised import PANEL

        self.design, self.positive, self.n_jobs = design, bool(positive), n_jobs
        n_rows, n_columns = design.shape
        self.n_columns, self.n_panels = n_columns, -(-n_columns // PANEL)
        self.levels = np.empty((self.n_panels, n_rows, PANEL), dtype=np.int8)
        self.levels[-1] = 0  # columns that are not there
        self.scores = np.empty((2, self.n_panels, PANEL), dtype=np.float32)
        scale, error_sq = np.empty(n_columns), np.empty(n_columns)
        self._round(scale, error_sq)
        rounding = (n_rows + 16) * float(
            np.finfo(np.float32).eps
        )  # of sums of products in single precision, by the norms
        error = np.sqrt(error_sq)
        norms = np.sqrt(design.column_sq_norms()) + error
        error += rounding * norms
        root = np.sqrt(preference)  # undoes the spread of the norms: only their products are fit for single precision
        factor, error, reach = scale * root, error * root, norms * root
        unit = 1.0 / (np.max(factor) or 1.0)
        faint = factor * unit < _FAINT
        error = np.where(faint, reach, error) * (_SAFETY * unit)
        error[root > 0] = np.maximum(error[root > 0], _FAINT)
        self.columns = np.zeros((2, self.n_panels, PANEL), dtype=np.float32)
        for place, values in enumerate((np.where(faint, 0.0, factor * unit), error)):
            self.columns[place].reshape(-1)[:n_columns] = values

    def _round(self, scale, error_sq):
        from ...kernels.quantised import PANEL, quantise_columns, quantise_rows

        array = self.design.array
        by_rows = array.flags.c_contiguous

        def block(first, last):
            if by_rows:
                quantise_rows(array, first, last, self.levels, scale, error_sq, np.empty(PANEL))
            else:
                quantise_columns(array, first, last, self.levels, scale, error_sq, np.empty((2, PANEL)))

        map_blocks(block, self.n_panels, _BLOCK, self.n_jobs)

    def correlate(self, residual, closed):
        """The columns that may be the best of those not closed (None: all), and their exact ``a_j^T residual``."""
        from ...kernels.quantised import correlate

        size = np.linalg.norm(residual)
        unit = (residual / size).astype(np.float32) if size > 0 else np.zeros(residual.size, dtype=np.float32)
        self.columns.reshape(2, -1)[:, np.flatnonzero(closed)] = 0

        def block(first, last):
            correlate(self.levels, unit, first, last, self.positive, self.columns, self.scores)

        map_blocks(block, self.n_panels, _BLOCK, self.n_jobs)
        low, high = self.scores.reshape(2, -1)[:, : self.n_columns]
        in_doubt = np.flatnonzero(high >= np.max(low))
        if in_doubt.size > self.n_columns // _MANY:
            return None, self.design.rmatvec(residual.astype(self.design.dtype, copy=False))
        return in_doubt, self.design.columns(in_doubt).T @ residual
