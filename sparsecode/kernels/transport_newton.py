"""Newton steps of entropic transport: the plan by rows, the entries kept of it, conjugate gradients on the Schur complement.

    P_ij = exp((f_i + g_j - C_ij) / reg)

A pass costs one exponential an entry: the rows are scaled to their masses while they are at hand, and the columns summed. Kept
entries are compressed rows of float32 values with uint32 indices, half the memory that a product has to read: an error of 1e-7
in an entry of the matrix leaves the matrix as good.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel
from ._exp import exp_cut, plus

__all__ = ["keep_entries", "kept_counts", "plan_rows", "scale_columns", "scaled_rows", "schur_cg"]

_HUGE = 1e150  # row sums within 1/_HUGE ... _HUGE have lost no digits to the cut or to overflow


@kernel(merge=True)
def plan_rows(cost, f, g, reg, out, row_sums):
    """Rows of the plan and their sums."""
    m, per_reg = cost.shape[1], 1.0 / reg
    for i in range(cost.shape[0]):
        shift, costs, row = f[i], cost[i], out[i]
        total = 0.0
        for j in range(m):
            value = exp_cut((shift + g[j] - costs[j]) * per_reg)
            row[j] = value
            total = plus(total, value)
        row_sums[i] = total


@kernel
def scaled_rows(cost, f, g, a, reg, out, f_new, row_sums, column_sums):
    """Rows of the plan scaled to their masses, and the potentials `f_new` that do it; adds to `column_sums`.

    `row_sums` are those before. A row whose sum has left the range of numbers is done again from its largest term.
    """
    m, per_reg = cost.shape[1], 1.0 / reg
    plan_rows(cost, f, g, reg, out, row_sums)
    for i in range(cost.shape[0]):
        shift, costs, row = f[i], cost[i], out[i]
        total = row_sums[i]
        if not (total > 1.0 / _HUGE and total < _HUGE):
            shift = np.inf
            for j in range(m):
                shift = min(shift, costs[j] - g[j])
            total = 0.0
            for j in range(m):
                row[j] = exp_cut((shift + g[j] - costs[j]) * per_reg)
                total += row[j]
        scale = a[i] / total
        f_new[i] = shift + reg * np.log(scale)
        for j in range(m):
            value = row[j] * scale
            row[j] = value
            column_sums[j] += value


@kernel
def scale_columns(plan, scale, row_sums):
    """Multiply the columns of the plan in place; `row_sums` are the sums of its rows afterwards."""
    m = plan.shape[1]
    for i in range(plan.shape[0]):
        row = plan[i]
        total = 0.0
        for j in range(m):
            value = row[j] * scale[j]
            row[j] = value
            total = plus(total, value)
        row_sums[i] = total


@kernel
def kept_counts(plan, cut, counts, lost_rows, lost_columns):
    """How many entries of each row reach `cut`, and what the others weigh; adds to `lost_columns`."""
    m = plan.shape[1]
    for i in range(plan.shape[0]):
        row = plan[i]
        count, total = 0, 0.0
        for j in range(m):
            value = row[j]
            kept = value >= cut
            lost = 0.0 if kept else value
            count += 1 if kept else 0
            total = plus(total, lost)
            lost_columns[j] += lost
        counts[i], lost_rows[i] = count, total


@kernel
def keep_entries(plan, cut, starts, indices, values):
    """The entries that reach `cut`, row i from place ``starts[i]`` on."""
    m = plan.shape[1]
    found = np.empty(m + 1, dtype=np.uint32)
    for i in range(plan.shape[0]):
        row, start, count = plan[i], starts[i], 0
        for j in range(m):  # without a branch, which would be guessed wrong once an entry
            found[count] = j
            count += 1 if row[j] >= cut else 0
        for p in range(count):
            indices[start + p], values[start + p] = found[p], row[found[p]]


@kernel(merge=True)
def _row_times(indptr, indices, values, i, y):
    """``(P y)_i``: of compressed rows, or of an array where there are no indices."""
    if values.ndim == 2:
        row, total = values[i], 0.0
        for j in range(row.shape[0]):
            total = plus(total, row[j] * y[j])
        return total
    first = second = third = fourth = 0.0
    start, stop = indptr[i], indptr[i + 1]
    whole = start + (stop - start) // 4 * 4
    for p in range(start, whole, 4):
        first += values[p] * y[indices[p]]
        second += values[p + 1] * y[indices[p + 1]]
        third += values[p + 2] * y[indices[p + 2]]
        fourth += values[p + 3] * y[indices[p + 3]]
    for p in range(whole, stop):
        first += values[p] * y[indices[p]]
    return (first + second) + (third + fourth)


@kernel
def _add_row(indptr, indices, values, i, scale, out):
    """``out += scale * P_i``."""
    if values.ndim == 2:
        row = values[i]
        for j in range(row.shape[0]):
            out[j] += row[j] * scale
    else:
        for p in range(indptr[i], indptr[i + 1]):
            out[indices[p]] += values[p] * scale


@kernel
def _add_squares(indptr, indices, values, i, scale, out):
    """``out += scale * P_i ** 2``."""
    if values.ndim == 2:
        row = values[i]
        for j in range(row.shape[0]):
            out[j] += row[j] * row[j] * scale
    else:
        for p in range(indptr[i], indptr[i + 1]):
            value = np.float64(values[p])
            out[indices[p]] += value * value * scale


@kernel(merge=True)
def _schur_product(indptr, indices, values, per_row, diagonal, y, out):
    """``out = diagonal * y - P' (per_row * (P y))``."""
    for j in range(y.shape[0]):
        out[j] = diagonal[j] * y[j]
    for i in range(per_row.shape[0]):
        total = _row_times(indptr, indices, values, i, y)
        _add_row(indptr, indices, values, i, -per_row[i] * total, out)


@kernel(merge=True)
def _dot(x, y):
    total = 0.0
    for j in range(x.shape[0]):
        total = plus(total, x[j] * y[j])
    return total


@kernel(merge=True)
def _eliminate(indptr, indices, values, w, lost_rows, lost_columns, per_row, diagonal, residual, precondition):
    """What the Schur complement is made of; takes the rows out of the right-hand side `residual`."""
    n, m = w.shape[0], diagonal.shape[0]
    ones = np.ones(m)
    diagonal[:] = lost_columns
    for i in range(n):
        per_row[i] = 1.0 / (_row_times(indptr, indices, values, i, ones) + lost_rows[i])
        _add_row(indptr, indices, values, i, 1.0, diagonal)
        _add_row(indptr, indices, values, i, -w[i] * per_row[i], residual)
    precondition[:] = diagonal
    for i in range(n):
        _add_squares(indptr, indices, values, i, -per_row[i], precondition)
    for j in range(m):
        precondition[j] = 1.0 / max(precondition[j], 1e-14 * diagonal[j])


@kernel
def schur_cg(indptr, indices, values, w, z, lost_rows, lost_columns, tol, max_iter, x, y):
    """Solve ``[[diag(P 1 + lost_rows), P], [P', diag(P' 1 + lost_columns)]] (x, y) = (w, z)``; returns the iterations.

    The rows are eliminated; conjugate gradients with the diagonal as preconditioner solve the rest until the residual is below
    `tol` times the first one. P are compressed rows, or an array `values` with None for `indptr` and `indices`.
    """
    n, m = w.shape[0], z.shape[0]
    per_row, diagonal, precondition, residual = np.empty(n), np.empty(m), np.empty(m), z.copy()
    _eliminate(indptr, indices, values, w, lost_rows, lost_columns, per_row, diagonal, residual, precondition)
    direction, product = precondition * residual, np.empty(m)
    y[:] = 0.0
    size, goal, count = _dot(residual, direction), tol * tol * _dot(residual, residual), 0
    while count < max_iter and size > 0.0:
        count += 1
        _schur_product(indptr, indices, values, per_row, diagonal, direction, product)
        curvature = _dot(direction, product)
        if not curvature > 0.0:  # rounding
            break
        step = size / curvature
        for j in range(m):
            y[j] += step * direction[j]
            residual[j] -= step * product[j]
        if _dot(residual, residual) <= goal:
            break
        for j in range(m):
            product[j] = precondition[j] * residual[j]
        before, size = size, _dot(residual, product)
        for j in range(m):
            direction[j] = product[j] + size / before * direction[j]
    for i in range(n):
        x[i] = (w[i] - _row_times(indptr, indices, values, i, y)) * per_row[i]
    return count
