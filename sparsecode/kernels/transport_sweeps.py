"""Passes over the rows of a transport cost: sweeps of Sinkhorn's algorithm, sums, entries and certificates of a plan.

    P_ij = exp((f_i + g_j - C_ij) / reg)

Every kernel takes a block of consecutive rows of C, C-contiguous (B, m), with the parts of f and of what else has a row index,
and adds to or overwrites what has a column index; blocks run in threads, each with column arrays of its own. All numbers are
float64; entries below exp(-700) count as 0.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel
from ._exp import exp_cut, larger, plus

__all__ = [
    "column_tops",
    "fill_gibbs",
    "fill_plan",
    "plan_counts",
    "plan_sums",
    "sweep_rows",
]

_HUGE = 1e150  # row sums within 1/_HUGE ... _HUGE have lost no digits to the cut or to overflow


@kernel(inline=True)
def _top(row, g):
    """``max_j g_j - C_ij`` of one row."""
    top = -np.inf
    for j in range(row.shape[0]):
        top = larger(g[j] - row[j], top)
    return top


@kernel
def column_tops(cost, f, tops):
    """``tops_j = max(tops_j, max_i f_i - C_ij)``."""
    for i in range(cost.shape[0]):
        row, shift = cost[i], f[i]
        for j in range(row.shape[0]):
            tops[j] = larger(shift - row[j], tops[j])


@kernel
def plan_sums(cost, f, g, reg, row_sums, column_sums):
    """Row sums of P, and its column sums added to `column_sums`."""
    m, per_reg = cost.shape[1], 1.0 / reg
    for i in range(cost.shape[0]):
        row, shift, total = cost[i], f[i], 0.0
        for j in range(m):
            value = exp_cut((shift + g[j] - row[j]) * per_reg)
            total = plus(total, value)
            column_sums[j] += value
        row_sums[i] = total


@kernel
def sweep_rows(cost, f, g, a, reg, f_new, row_sums, column_sums):
    """The f-line of a sweep, and the sums that its g-line needs, with one exponential an entry.

    row_sums (B,) of P(f, g), and ``f_new = f + reg log(a / row_sums)``, after which the rows of P sum to a; column_sums (m,)
    gains those of P(f_new, g). A row whose sum has left the range of numbers is done again from its largest term.
    """
    m, per_reg = cost.shape[1], 1.0 / reg
    terms = np.empty(m)
    for i in range(cost.shape[0]):
        row, shift, total = cost[i], f[i], 0.0
        for j in range(m):
            terms[j] = exp_cut((shift + g[j] - row[j]) * per_reg)
            total = plus(total, terms[j])
        row_sums[i] = total
        if not (total > 1.0 / _HUGE and total < _HUGE):
            shift, total = -_top(row, g), 0.0
            for j in range(m):
                terms[j] = exp_cut((shift + g[j] - row[j]) * per_reg)
                total = plus(total, terms[j])
        f_new[i] = shift + reg * np.log(a[i] / total)
        scale = a[i] / total
        for j in range(m):
            column_sums[j] += scale * terms[j]


@kernel
def fill_gibbs(cost, f, g, reg, out):
    """P as a dense block, with zeros where products with an entry could leave the normal numbers."""
    m, per_reg = cost.shape[1], 1.0 / reg
    for i in range(cost.shape[0]):
        row, shift, made = cost[i], f[i], out[i]
        for j in range(m):
            argument = (shift + g[j] - row[j]) * per_reg
            value = exp_cut(argument)
            made[j] = value if argument > -600.0 else 0.0


@kernel
def plan_counts(cost, f, g, row_floors, column_floors, counts):
    """How many entries of each row of P have an exponent ``f_i + g_j - C_ij`` above a floor, that of the row or of the column."""
    m = cost.shape[1]
    for i in range(cost.shape[0]):
        row, shift, floor, count = cost[i], f[i], row_floors[i], 0
        for j in range(m):
            count += 1 if shift + g[j] - row[j] > min(floor, column_floors[j]) else 0
        counts[i] = count


@kernel
def fill_plan(cost, f, g, reg, row_floors, column_floors, starts, indices, values):
    """The entries that `plan_counts` counts, row i from place ``starts[i]`` on."""
    m, per_reg = cost.shape[1], 1.0 / reg
    for i in range(cost.shape[0]):
        row, shift, floor, place = cost[i], f[i], row_floors[i], starts[i]
        for j in range(m):
            argument = shift + g[j] - row[j]
            if argument > min(floor, column_floors[j]):
                indices[place], values[place] = j, exp_cut(argument * per_reg)
                place += 1
