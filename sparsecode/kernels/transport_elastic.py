"""Costs between points that charge their difference as ``h(z) = |z|^2 / 2 + tau(z)``, and the mean slopes of tau over a plan.

Sources come as a block of columns, one source a lane, so that the innermost loop runs over sources and needs no reduction.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = [
    "absolute_costs",
    "absolute_overlaps",
    "absolute_pull",
    "absolute_sparse_pull",
    "group_costs",
    "group_pull",
    "k_support_costs",
    "k_support_pull",
    "stvs_costs",
    "stvs_overlaps",
    "stvs_pull",
    "stvs_sparse_pull",
]

_CHUNK = 128  # features at a time: with 32 lanes their sources stay in the first-level cache
_SPAN = 512  # features at a time where they are the innermost loop
_NOTHING = 1e-20  # weights of a plan below it change no digit
_PASSES = 100  # of Newton's method on a piecewise linear function, which needs a handful


@kernel
def absolute_costs(columns, targets, linear, square, out):
    """Add ``sum_k linear |z_k| + square z_k^2`` for ``z = columns[:, i] - targets[j]`` to ``out[j, i]``.

    Shapes: columns (d, L), targets (m, d), out (m, L).
    """
    d, lanes = columns.shape
    for first in range(0, d, _CHUNK):
        last = min(first + _CHUNK, d)
        whole = first + (last - first) // 4 * 4
        for j in range(targets.shape[0]):
            for k in range(first, whole, 4):
                y0, y1, y2, y3 = targets[j, k], targets[j, k + 1], targets[j, k + 2], targets[j, k + 3]
                for i in range(lanes):
                    z0, z1 = columns[k, i] - y0, columns[k + 1, i] - y1
                    z2, z3 = columns[k + 2, i] - y2, columns[k + 3, i] - y3
                    size = (abs(z0) + abs(z1)) + (abs(z2) + abs(z3))
                    out[j, i] += linear * size + square * ((z0 * z0 + z1 * z1) + (z2 * z2 + z3 * z3))
            for k in range(whole, last):
                for i in range(lanes):
                    z = columns[k, i] - targets[j, k]
                    out[j, i] += linear * abs(z) + square * (z * z)


@kernel
def stvs_costs(columns, targets, gamma, scale, out):
    """Add ``|z|^2 / 2 + tau(z)`` for the soft threshold with vanishing shrinkage; shapes as in `absolute_costs`.

    With ``u = |z| / (2 gamma)`` and ``t = u + sqrt(1 + u^2)`` it charges ``scale gamma^2 (log t + 1/2 - 1 / (2 t^2))``; one logarithm
    serves four features.
    """
    d, lanes = columns.shape
    half, level = 0.5 / gamma, scale * gamma * gamma
    for first in range(0, d, _CHUNK):
        last = min(first + _CHUNK, d)
        whole = first + (last - first) // 4 * 4
        for j in range(targets.shape[0]):
            for k in range(first, whole, 4):
                y0, y1, y2, y3 = targets[j, k], targets[j, k + 1], targets[j, k + 2], targets[j, k + 3]
                for i in range(lanes):
                    z0, z1 = abs(columns[k, i] - y0), abs(columns[k + 1, i] - y1)
                    z2, z3 = abs(columns[k + 2, i] - y2), abs(columns[k + 3, i] - y3)
                    u0, u1, u2, u3 = half * z0, half * z1, half * z2, half * z3
                    r0, r1 = np.sqrt(1.0 + u0 * u0), np.sqrt(1.0 + u1 * u1)
                    r2, r3 = np.sqrt(1.0 + u2 * u2), np.sqrt(1.0 + u3 * u3)
                    squares = (z0 * z0 + z1 * z1) + (z2 * z2 + z3 * z3)
                    rest = ((r0 - u0) ** 2 + (r1 - u1) ** 2) + ((r2 - u2) ** 2 + (r3 - u3) ** 2)
                    product = ((u0 + r0) * (u1 + r1)) * ((u2 + r2) * (u3 + r3))
                    out[j, i] += 0.5 * squares + level * (np.log(product) + 2.0 - 0.5 * rest)
            for k in range(whole, last):
                for i in range(lanes):
                    z = abs(columns[k, i] - targets[j, k])
                    out[j, i] += 0.5 * z * z + _stvs(z, gamma, level)


@kernel(inline=True)
def _stvs(size, gamma, level):
    """The charge of one difference of that size."""
    u = 0.5 * size / gamma
    r = np.sqrt(1.0 + u * u)
    return level * (np.log(u + r) + 0.5 - 0.5 * (r - u) ** 2)


@kernel
def group_costs(columns, targets, starts, weights, out):
    """Add ``|z|^2 / 2 + sum_g weights_g |z_g|`` over groups of neighbouring features from one of `starts` to the next."""
    lanes = columns.shape[1]
    squares = np.empty(lanes)
    for j in range(targets.shape[0]):
        for g in range(weights.shape[0]):
            squares[:] = 0.0
            for k in range(starts[g], starts[g + 1]):
                y = targets[j, k]
                for i in range(lanes):
                    z = columns[k, i] - y
                    squares[i] += z * z
            for i in range(lanes):
                out[j, i] += 0.5 * squares[i] + weights[g] * np.sqrt(squares[i])


@kernel
def _level(sizes, k):
    """The least level with ``sum_i min(level sizes_i, 1) = k``, by Newton's method from below, or inf where at most k are not zero.

    The sum is concave in the level, so the iteration only rises, and ends after finitely many steps.
    """
    total, used = 0.0, 0
    for i in range(sizes.shape[0]):
        total += sizes[i]
        used += sizes[i] > 0.0
    if used <= k:
        return np.inf
    level = k / total
    for _ in range(_PASSES):
        full, rest = 0, 0.0
        for i in range(sizes.shape[0]):
            capped = level * sizes[i] >= 1.0
            full += 1 if capped else 0
            rest += 0.0 if capped else sizes[i]
        if not rest > 0.0 or full >= k:
            return level
        higher = (k - full) / rest
        if not higher > level:
            return level
        level = higher
    return level


@kernel
def k_support_costs(columns, targets, k, gamma, out):
    """Add ``|z|^2 / 2 + gamma / 2 (squared k-support norm of z)``; shapes as in `absolute_costs`."""
    d, lanes = columns.shape
    sizes = np.empty(d)
    for i in range(lanes):
        for j in range(targets.shape[0]):
            squares = 0.0
            for f in range(d):
                sizes[f] = abs(columns[f, i] - targets[j, f])
                squares += sizes[f] * sizes[f]
            level = _level(sizes, k)
            norm = squares
            if level < np.inf:
                full, rest = 0.0, 0.0
                for f in range(d):
                    capped = level * sizes[f] >= 1.0
                    full += sizes[f] * sizes[f] if capped else 0.0
                    rest += 0.0 if capped else sizes[f]
                norm = full + rest / level
            out[j, i] += 0.5 * squares + 0.5 * gamma * norm


@kernel
def absolute_overlaps(data, indices, indptr, t_data, t_indices, t_indptr, linear, square, out):
    """Add what sources and targets in use at the same feature save: ``h(v - w) - h(v) - h(w)``.

    Sources are compressed rows, targets compressed columns; out is (n, m).
    """
    for i in range(indptr.shape[0] - 1):
        row = out[i]
        for p in range(indptr[i], indptr[i + 1]):
            v, k = data[p], indices[p]
            size, product = 2.0 * linear * abs(v), 2.0 * square * v
            for q in range(t_indptr[k], t_indptr[k + 1]):
                w = t_data[q]
                shared = 2.0 * linear * abs(w)
                shared = shared if shared < size else size
                row[t_indices[q]] -= product * w + (shared if v * w > 0.0 else 0.0)


@kernel
def stvs_overlaps(data, indices, indptr, t_data, t_indices, t_indptr, t_charges, gamma, scale, out):
    """The same for the soft threshold with vanishing shrinkage; `t_charges` are those of the targets' entries by themselves."""
    level = scale * gamma * gamma
    for i in range(indptr.shape[0] - 1):
        for p in range(indptr[i], indptr[i + 1]):
            v, k = data[p], indices[p]
            alone = _stvs(abs(v), gamma, level)
            for q in range(t_indptr[k], t_indptr[k + 1]):
                w = t_data[q]
                out[i, t_indices[q]] += _stvs(abs(v - w), gamma, level) - alone - t_charges[q] - v * w


@kernel(inline=True)
def _sign(z):
    return (1.0 if z > 0.0 else 0.0) - (1.0 if z < 0.0 else 0.0)


@kernel(inline=True)
def _stvs_slope(z, gamma, scale):
    """``scale sign(z) (sqrt(z^2 / 4 + gamma^2) - |z| / 2)``, without the cancellation."""
    size = 0.5 * abs(z)
    return scale * gamma * gamma * _sign(z) / (np.sqrt(size * size + gamma * gamma) + size)


@kernel
def absolute_pull(sources, targets, plan, linear, out):
    """Add ``linear sum_j plan[i, j] sign(sources[i, k] - targets[j, k])`` to ``out[i, k]``."""
    d = sources.shape[1]
    for first in range(0, d, _SPAN):
        last = min(first + _SPAN, d)
        for j in range(targets.shape[0]):
            for i in range(sources.shape[0]):
                weight = linear * plan[i, j]
                if plan[i, j] > _NOTHING:
                    for k in range(first, last):
                        out[i, k] += weight * _sign(sources[i, k] - targets[j, k])


@kernel
def stvs_pull(sources, targets, plan, gamma, scale, out):
    """The same with the slope of the soft threshold with vanishing shrinkage."""
    d = sources.shape[1]
    for first in range(0, d, _SPAN):
        last = min(first + _SPAN, d)
        for j in range(targets.shape[0]):
            for i in range(sources.shape[0]):
                weight = plan[i, j]
                if weight > _NOTHING:
                    for k in range(first, last):
                        out[i, k] += weight * _stvs_slope(sources[i, k] - targets[j, k], gamma, scale)


@kernel
def group_pull(sources, targets, plan, starts, weights, out):
    """The same with the slope ``weights_g z_g / |z_g|`` of a norm over groups of neighbours."""
    for i in range(sources.shape[0]):
        for j in range(targets.shape[0]):
            if plan[i, j] > _NOTHING:
                for g in range(weights.shape[0]):
                    squares = 0.0
                    for k in range(starts[g], starts[g + 1]):
                        squares += (sources[i, k] - targets[j, k]) ** 2
                    if squares > 0.0:
                        factor = plan[i, j] * weights[g] / np.sqrt(squares)
                        for k in range(starts[g], starts[g + 1]):
                            out[i, k] += factor * (sources[i, k] - targets[j, k])


@kernel
def k_support_pull(sources, targets, plan, count, gamma, out):
    """The same with the slope ``gamma z / theta``, ``theta = min(level |z|, 1)``, of half the squared k-support norm."""
    d = sources.shape[1]
    sizes = np.empty(d)
    for i in range(sources.shape[0]):
        for j in range(targets.shape[0]):
            weight = gamma * plan[i, j]
            if plan[i, j] > _NOTHING:
                for k in range(d):
                    sizes[k] = abs(sources[i, k] - targets[j, k])
                floor = 1.0 / _level(sizes, count)
                for k in range(d):
                    slope = sizes[k] if sizes[k] > floor else floor
                    out[i, k] += weight * slope * _sign(sources[i, k] - targets[j, k])


@kernel
def absolute_sparse_pull(sources, data, indices, indptr, plan, linear, out):
    """What targets in compressed rows add to ``linear sign(sources[i, k])`` in the mean slope."""
    for i in range(sources.shape[0]):
        for j in range(indptr.shape[0] - 1):
            weight = linear * plan[i, j]
            if plan[i, j] > _NOTHING:
                for p in range(indptr[j], indptr[j + 1]):
                    x = sources[i, indices[p]]
                    out[i, indices[p]] += weight * (_sign(x - data[p]) - _sign(x))


@kernel
def stvs_sparse_pull(sources, data, indices, indptr, plan, gamma, scale, out):
    """The same for the soft threshold with vanishing shrinkage."""
    for i in range(sources.shape[0]):
        for j in range(indptr.shape[0] - 1):
            weight = plan[i, j]
            if weight > _NOTHING:
                for p in range(indptr[j], indptr[j + 1]):
                    x = sources[i, indices[p]]
                    change = _stvs_slope(x - data[p], gamma, scale) - _stvs_slope(x, gamma, scale)
                    out[i, indices[p]] += weight * change
