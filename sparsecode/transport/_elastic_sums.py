"""Sums over pairs of points, in blocks: costs between all of them, and mean slopes of the regulariser over a plan.

Points are rows of arrays or of CSR matrices. No array of (n, m, d) is made, and no dense copy of sparse points: regularisers
that are sums over features see only what is stored, ``h(x - y) = h(x) + h(y) + sum over shared features of h(x_k - y_k) -
h(x_k) - h(y_k)``; others are given some dense rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp

from .._parallel import map_blocks

__all__ = ["block_rows", "elastic_costs", "mean_slopes"]

_LANES = 32  # sources at a time, one a lane
_ENTRIES = 1 << 20  # of a dense block, or of compressed columns, at a time


def block_rows(d):
    """Rows of d features that are handled together."""
    return max(_LANES, min(1024, 2 * _ENTRIES // d))


def elastic_costs(regulariser, sources, targets, n_jobs=None):
    """``C[i, j] = |x_i - y_j|^2 / 2 + tau(x_i - y_j)``, of shape (n, m), in float64."""
    out = np.zeros((sources.shape[0], targets.shape[0]))
    if regulariser.is_separable and sp.issparse(sources) and sp.issparse(targets):
        _sparse_costs(regulariser, sources, targets, out, n_jobs)
        return out
    for low, high in _row_blocks(targets, max(1, _ENTRIES // targets.shape[1])):
        rows = _dense(targets[low:high])

        def fill(start, stop, rows=rows, low=low, high=high):
            lanes = np.zeros((rows.shape[0], stop - start))
            columns = np.ascontiguousarray(_dense(sources[start:stop]).T)
            regulariser.add_costs(columns, rows, lanes)
            out[start:stop, low:high] = lanes.T

        map_blocks(fill, sources.shape[0], _LANES, n_jobs)
    return out


def _sparse_costs(regulariser, sources, targets, out, n_jobs):
    out += _alone(regulariser, sources)[:, None]
    out += _alone(regulariser, targets)
    mean = max(1.0, targets.nnz / targets.shape[0])
    for low, high in _row_blocks(targets, max(1, int(_ENTRIES / mean))):
        columns = targets[low:high].tocsc()
        charges = regulariser.charge(columns.data)

        def fill(start, stop, columns=columns, charges=charges, low=low, high=high):
            shared = np.zeros((stop - start, high - low))
            regulariser.add_overlaps(sources[start:stop], columns, charges, shared)
            out[start:stop, low:high] += shared

        map_blocks(fill, sources.shape[0], _LANES, n_jobs)
    np.maximum(out, 0.0, out=out)  # what the differences of equal points leave


def _alone(regulariser, points):
    """h of each point."""
    out = np.empty(points.shape[0])
    for i in range(out.size):
        row = points.data[points.indptr[i] : points.indptr[i + 1]]
        out[i] = np.sum(regulariser.charge(row)) + 0.5 * np.vdot(row, row)
    return out


def mean_slopes(regulariser, sources, targets, plan, n_jobs=None):
    """``sum_j plan[i, j] (grad tau(x_i - y_j) - y_j)``, of shape (q, d); sources (q, d) are dense, rows of the plan sum to 1."""
    parts: Iterable
    if sp.issparse(targets) and regulariser.is_separable:
        out = regulariser.slope(sources)
        parts = [(targets, plan, regulariser.add_sparse_pull)]
    else:
        out = np.zeros(sources.shape)
        blocks = _row_blocks(targets, max(1, _ENTRIES // targets.shape[1]))
        parts = (
            (_dense(targets[low:high]), np.ascontiguousarray(plan[:, low:high]), regulariser.add_pull)
            for low, high in blocks
        )
    for rows, weights, add in parts:

        def fill(start, stop, rows=rows, weights=weights, add=add):
            add(sources[start:stop], rows, weights[start:stop], out[start:stop])
            out[start:stop] -= weights[start:stop] @ rows

        map_blocks(fill, sources.shape[0], _LANES, n_jobs)
    return out


def _row_blocks(points, rows):
    """Bounds of blocks of so many rows; arrays, whose parts are views, come in one."""
    step = rows if sp.issparse(points) else points.shape[0]
    return [(low, min(low + step, points.shape[0])) for low in range(0, points.shape[0], step)]


def _dense(rows):
    return rows.toarray() if sp.issparse(rows) else rows
