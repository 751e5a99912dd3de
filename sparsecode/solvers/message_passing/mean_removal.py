"""The same linear model with a matrix whose rows and columns have mean zero, and two more unknowns and exact observations.

With ``g_m`` the mean of row m, ``c_n`` the mean of column n less the mean of all, and ``At = A - g 1^T - 1 c^T``:

    [At      b12 g     b13 1 ] [x      ]   [z]
    [b21 1^T -b21 b12  0     ] [x_{N+1}] = [0]        x_{N+1} = 1^T x / b12,   x_{N+2} = c^T x / b13,   z = A x
    [b31 c^T  0       -b31 b13] [x_{N+2}]   [0]

The numbers b give every block entries of the root mean square of At. Message passing diverges on matrices with a mean of their own;
on this one it need not.

Vila, Schniter, Rangan, Krzakala, Zdeborova, "Adaptive damping and mean removal for the generalized approximate message passing
algorithm", 2015 (arXiv 1412.2005).
"""

from __future__ import annotations

import numpy as np

from ..._array import array_namespace, is_numpy
from ...designs import DenseDesign
from ...priors._numbers import power

__all__ = ["ADDED", "without_mean"]

ADDED = 2  # unknowns, and as many exact observations
_ROUNDING = 1e-6  # of the matrix: means below can do no harm


def without_mean(design):
    """The augmented design, and the two new unknowns as linear functions ``weights^T x`` of x, (n_features, 2)."""
    matrix = design.array if type(design) is DenseDesign else design.columns(np.arange(design.shape[1]))
    xp = array_namespace(matrix)
    level = _ROUNDING * _rms(matrix)
    row = _unless_rounding(xp.mean(matrix, axis=1), level)
    column = _unless_rounding(xp.mean(matrix, axis=0) - xp.mean(matrix), level)
    flat = matrix - row[:, None] - column[None, :]
    size = _rms(flat) or _rms(matrix) or 1.0
    scale_row, scale_column = (_ratio(size, _rms(part)) for part in (row, column))
    one, zero = xp.ones_like(row), xp.zeros_like(row[:1])
    ones = xp.ones_like(column)
    upper = [flat, (scale_row * row)[:, None], (size * one)[:, None]]
    middle = [(size * ones)[None, :], (zero - size * scale_row)[None, :], zero[None, :]]
    lower = [(scale_column * column)[None, :], zero[None, :], (zero - scale_column * size)[None, :]]
    array = xp.concat([xp.concat(blocks, axis=1) for blocks in (upper, middle, lower)], axis=0)
    array = np.ascontiguousarray(array) if is_numpy(array) else array
    weights = xp.stack([ones / scale_row, column / size], axis=1)
    return DenseDesign(array), weights


def _unless_rounding(means, level):
    """Means that are rounding errors would be blown up to the size of the matrix."""
    return means if _rms(means) > level else 0 * means


def _rms(array):
    xp = array_namespace(array)
    return float(xp.mean(power(array))) ** 0.5


def _ratio(size, other):
    return size / other if other > 0 else 1.0
