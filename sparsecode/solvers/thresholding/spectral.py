"""Where sparse phase retrieval starts: one column, and the directions that vary with it.

With t_i = y_i / mean(y) - 1, the matrix ``M = sum_i t_i a_i a_i^H`` of a random design has the mean ``c x x^H``: its diagonal
tells large coefficients from none, and its j-th column is c conj(x_j) x and noise. So

1. the columns are ranked by ``sum_i y_i |a_ij|**2 / ||a_j||**2``, the diagonal of M but for constants;
2. the j-th start is three steps, or one, ``v <- H_k(M v)`` of the truncated power method from the j-th ranked unit vector; when
   the columns are used up, none or one from the sums and differences of any two of them;
3. its length is fitted: ``minimise over c   sum_i (y_i - c |a_i^H v|)**2``.

The amplitudes y_i weigh the rows, not their squares: the heavy tail of y_i**2 is noise. Everything is done on columns of norm
one, so that their scale does not matter.

Wang, Zhang, Giannakis, Akcakaya and Chen, "Sparse phase retrieval via truncated amplitude flow", 2018, arXiv 1611.07641
(support from the diagonal); Yuan and Zhang, "Truncated power method for sparse eigenvalue problems", 2013, arXiv 1112.2679;
Wu and Rebeschini, "Hadamard Wirtinger flow for sparse phase retrieval", 2021, arXiv 2006.01065 (one column as a start).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ..._array import array_namespace, asarray_like, is_complex, norm, real_dtype, to_numpy
from ...designs import CenteredDesign
from ...losses.amplitude import magnitude

__all__ = ["spectral_starts"]

_POWER_STEPS = (3, 1)  # of even and odd starts: more are more accurate, fewer keep the starts apart
_POWER_STEPS_OF_TWO = (0, 1)
_BLOCK = 256  # rows of a dense array, or of an operator, that are squared at a time


def spectral_starts(design, target, sample_weight, penalty, weights):
    """Yield starting coefficients, the most promising first: one for each column, then some for each pair of columns.

    Parameters
    ----------
    design : Design
        Its rows are not weighted.
    target : array of shape (n_samples,)
        Magnitudes.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the samples, of mean one.
    penalty : L0Ball
        Which coefficients a start may have.
    weights : array of shape (n_features,) or None
        Penalty weights.
    """
    xp = array_namespace(target)
    real = real_dtype(xp, target.dtype)
    n_samples = design.shape[0]
    share = np.full(n_samples, 1.0) if sample_weight is None else sample_weight
    share = asarray_like(share / n_samples, target, dtype=real)
    size = magnitude(target)
    mean = float(xp.sum(share * size))
    if mean == 0.0:
        yield xp.zeros_like(design.vector(np.zeros(design.shape[1])))
        return
    relative = size / mean
    if sample_weight is None:
        norms = np.sqrt(design.with_exact_norms().column_sq_norms() / n_samples)
    else:
        norms = np.sqrt(row_weighted_sq_norms(design, share))
    inverse = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    diagonal = row_weighted_sq_norms(design, share * relative) * inverse**2
    inverse = asarray_like(inverse, target, dtype=real)
    pull = share * (relative - 1.0)
    for first, n_steps in _directions(_ranked(diagonal, weights), design):
        vector = _power_steps(design, first, n_steps, inverse, pull, penalty, weights)
        image = xp.abs(design.product(vector))
        energy = float(xp.sum(share * image * image))
        if energy > 0:
            yield vector * (float(xp.sum(share * image * size)) / energy)


def _directions(ranked, design):
    """Unit vectors of the columns in this order, then sums and differences of any two; and how many power steps to make from each."""
    turns = (1.0, -1.0, 1j, -1j) if "complex" in str(design.dtype) else (1.0, -1.0)
    for number, first in enumerate(ranked):
        yield _combination(design, (first, 1.0)), _POWER_STEPS[number % 2]
    for n_steps in _POWER_STEPS_OF_TWO:
        for i, j in combinations(ranked, 2):
            for turn in turns:
                yield _combination(design, (i, 1.0), (j, turn)), n_steps


def _combination(design, *members):
    """A vector of these entries, zero elsewhere."""
    unit = np.zeros(design.shape[1], dtype=np.result_type(*(value for _, value in members)))
    for index, value in members:
        unit[index] = value
    return design.vector(unit)


def _power_steps(design, unit, n_steps, inverse, pull, penalty, weights):
    """Truncated power steps from a unit vector, in the coefficients of the design as it is."""
    xp = array_namespace(unit)
    vector = inverse * unit
    for _ in range(n_steps):
        moved = inverse * design.rmatvec(pull * design.product(vector))
        kept = xp.where(penalty.keep(moved, weights), moved, 0 * moved)
        length = float(norm(kept))
        if length == 0.0:
            return inverse * unit
        vector = inverse * kept / length
    return vector


def _ranked(diagonal, weights):
    """Columns by falling value over weight; those excluded or of norm zero not at all."""
    if weights is not None:
        weights = to_numpy(weights)
        free = weights == 0
        diagonal = np.where(free, np.inf, diagonal / np.where(free, 1.0, weights)) * (diagonal > 0)
    order = np.argsort(-diagonal, kind="stable")
    return order[diagonal[order] > 0]


def row_weighted_sq_norms(design, share):
    """``sum_i share_i |a_ij|**2`` for all columns, a NumPy array; n_samples products of a matrix-free design."""
    if hasattr(design, "array"):
        total = np.zeros(design.shape[1])
        for i in range(0, design.shape[0], _BLOCK):
            block = slice(i, min(i + _BLOCK, design.shape[0]))
            total += to_numpy(_squares(design.array[block, :]).T @ share[block])
        return total
    if not design.is_matrix_free:
        return CenteredDesign(design, scale=np.sqrt(share)).column_sq_norms()
    total = np.zeros(design.shape[1])
    for i in range(0, design.shape[0], _BLOCK):
        count = min(_BLOCK, design.shape[0] - i)
        unit = np.zeros((design.shape[0], count), dtype=design.dtype)
        unit[np.arange(i, i + count), np.arange(count)] = 1.0
        rows = np.abs(design.rmatvec(unit)).astype(np.float64)
        total += rows**2 @ share[i : i + count]
    return total


def _squares(array):
    """``|a|**2``, real."""
    if not is_complex(array):
        return array * array
    xp = array_namespace(array)
    return xp.real(array) ** 2 + xp.imag(array) ** 2
