"""A simplex method for absolute and quantile losses with an l1 norm, on a basis no larger than the support.

    minimise over x   sum_i max(low_i r_i, high_i r_i) + sum_j cost_j |x_j|            r = y - A x

A vertex interpolates as many rows (the basis B) as coefficients are not zero (the support S), and ``M = A[B, S]`` says which.
Multipliers u, the slopes of the residuals off the basis and ``M^-T (cost sign(x) - A_N^T u_N)`` on it, prove optimality where
they lie between the slopes and ``|a_j^T u| <= cost_j``. Otherwise a row is released or a coefficient moved off zero, and the
line search goes on over sign changes to where the piecewise linear objective turns.

A pivot prices (`_price`), finds the edge (`_edge`) and the points on it where a sign changes (`_stops`), walks to the one where
the objective turns (`_turn`, `_walk`), and exchanges there (`_enter_row` or `_leave_column`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._compile import kernel

__all__ = ["Program", "Vertex", "absolute_pivots"]

_OPTIMAL = 1e-11  # violations, over what the multiplier could be
_TINY = 1e-10  # of the largest change along an edge: smaller ones are rounding


class Program(NamedTuple):
    """What is minimised: m columns of A, n samples."""

    columns: Any  # (m, n), columns of A as its rows
    rows: Any  # (n, m), the transpose
    low: Any  # (n,) slopes below zero
    high: Any  # (n,) and above
    cost: Any  # (m,)
    mass: Any  # (m,) the most that a column may pull with
    positive: Any  # (m,) whether a coefficient may not be negative


class Vertex(NamedTuple):
    """Where the simplex method stands; the first `size` entries of support and basis count."""

    support: Any  # (capacity,) columns
    basis: Any  # (capacity,) rows
    inverse: Any  # (capacity, capacity), of M, with ``inverse[s, b]``
    place: Any  # (m,) position of a column in the support, or -1
    seat: Any  # (n,) position of a row in the basis, or -1
    x: Any  # (m,)
    residual: Any  # (n,)
    u: Any  # (n,)


class _Scratch(NamedTuple):
    pulls: Any  # (m,) products of the columns with u off the basis
    along: Any  # (m,) with all of u
    step: Any  # (capacity,) change of the support's coefficients along the edge
    change: Any  # (n,) of the residuals
    h: Any  # (capacity,) the entering column in terms of the support
    z: Any  # (capacity,) the entering row in terms of the basis
    points: Any  # (n + m,) where on the edge a sign changes
    jumps: Any  # (n + m,) by how much the slope of the objective does
    which: Any  # (n + m,) row, or -1 - position in the support


@kernel
def _turn(points, jumps, which, count, rate):
    """The position at which jumps, added up in the order of the points, reach the rate; all three arrays are reordered."""
    low, high, below = 0, count - 1, 0.0
    while low < high:
        middle = (low + high) // 2
        a, b, c = points[low], points[middle], points[high]
        pivot = max(min(a, b), min(max(a, b), c))
        left, i, right, less, equal = low, low, high, 0.0, 0.0
        while i <= right:
            point = points[i]
            if point < pivot:
                less += jumps[i]
                points[i], points[left] = points[left], point
                jumps[i], jumps[left] = jumps[left], jumps[i]
                which[i], which[left] = which[left], which[i]
                left += 1
                i += 1
            elif point > pivot:
                points[i], points[right] = points[right], point
                jumps[i], jumps[right] = jumps[right], jumps[i]
                which[i], which[right] = which[right], which[i]
                right -= 1
            else:
                equal += jumps[i]
                i += 1
        if below + less >= rate:
            high = left - 1
        elif below + less + equal >= rate:
            below += less
            low = left
            while low < right and below + jumps[low] < rate:
                below += jumps[low]
                low += 1
            return low
        else:
            below += less + equal
            low = right + 1
    return min(low, count - 1)


@kernel
def _add(pulls, row, slope):
    for j in range(pulls.size):
        pulls[j] += slope * row[j]


@kernel
def _pull(program, vertex, pulls):
    """Slopes of the residuals off the basis, zero on it, and their products with the columns."""
    pulls[:] = 0.0
    u, seat, residual = vertex.u, vertex.seat, vertex.residual
    for i in range(u.size):
        u[i] = 0.0
        if seat[i] < 0:
            u[i] = program.high[i] if residual[i] > 0 else program.low[i]
            _add(pulls, program.rows[i], u[i])


@kernel
def _replace(inverse, size, b, z):
    """Row b of the matrix becomes the one whose product with the inverse is z."""
    for s in range(size):
        head = inverse[s, b] / z[b]
        for c in range(size):
            inverse[s, c] -= head * z[c]
        inverse[s, b] = head


@kernel
def _swap(inverse, size, s, h):
    """Column s of the matrix becomes the one whose product with the inverse is h."""
    for c in range(size):
        inverse[s, c] /= h[s]
    for a in range(size):
        if a != s and h[a] != 0.0:
            for c in range(size):
                inverse[a, c] -= h[a] * inverse[s, c]


@kernel
def _border(inverse, size, h, z, schur):
    """The matrix grows by a column and a row."""
    for s in range(size):
        head = h[s] / schur
        for c in range(size):
            inverse[s, c] += head * z[c]
        inverse[s, size] = -head
    for c in range(size):
        inverse[size, c] = -z[c] / schur
    inverse[size, size] = 1.0 / schur


@kernel
def _strip(inverse, size, s, b):
    """The matrix loses column s and row b; the last ones take their places."""
    pivot = inverse[s, b]
    for a in range(size):
        if a != s:
            head = inverse[a, b] / pivot
            for c in range(size):
                inverse[a, c] -= head * inverse[s, c]
    last = size - 1
    inverse[s, :size] = inverse[last, :size]
    inverse[:size, b] = inverse[:size, last]


@kernel
def _multipliers(program, vertex, size, scratch, value, length):
    """Multipliers of the basis, and what rounding in them is measured by."""
    support, inverse = vertex.support, vertex.inverse
    for s in range(size):
        j = support[s]
        wanted = (program.cost[j] if vertex.x[j] > 0 else -program.cost[j]) - scratch.pulls[j]
        for b in range(size):
            value[b] += inverse[s, b] * wanted
            length[b] += (inverse[s, b] * program.mass[j]) ** 2


@kernel
def _price(program, vertex, size, scratch):
    """Multipliers of the basis into u, products of all columns with u into `along`; what to move: kind, index, sign, rate.

    Kind 0 releases the row at a position of the basis, kind 1 moves a column; -1 says that the vertex is optimal.
    """
    low, high, cost, mass, along, u = program.low, program.high, program.cost, program.mass, scratch.along, vertex.u
    value, length = np.zeros(size), np.zeros(size)
    _multipliers(program, vertex, size, scratch, value, length)
    best, kind, index, sign, rate = _OPTIMAL, -1, -1, 0.0, 0.0
    along[:] = scratch.pulls
    for b in range(size):
        i = vertex.basis[b]
        u[i] = value[b]
        _add(along, program.rows[i], u[i])
        over = max(u[i] - high[i], low[i] - u[i])
        score = over / np.sqrt((high[i] - low[i]) ** 2 + length[b])
        if score > best:
            best, kind, index, rate = score, 0, b, over
            sign = 1.0 if u[i] > high[i] else -1.0
    for j in range(along.size):
        if vertex.place[j] < 0 and mass[j] > 0:
            over = (along[j] if program.positive[j] else abs(along[j])) - cost[j]
            score = over / mass[j]
            if score > best:
                best, kind, index, rate = score, 1, j, over
                sign = 1.0 if along[j] > 0 else -1.0
    return kind, index, sign, rate


@kernel
def _edge(program, vertex, size, scratch, kind, index, sign):
    """The change of the support's coefficients and of the residuals; returns the size below which a change is rounding."""
    columns, basis, inverse, step, change = program.columns, vertex.basis, vertex.inverse, scratch.step, scratch.change
    change[:] = 0.0
    if kind == 0:
        for s in range(size):
            step[s] = -sign * inverse[s, index]
    else:
        entries, h = np.empty(size), scratch.h
        for b in range(size):
            entries[b] = columns[index, basis[b]]
        for s in range(size):
            h[s] = 0.0
            for b in range(size):
                h[s] += inverse[s, b] * entries[b]
            step[s] = -sign * h[s]
        _add(change, columns[index], -sign)
    for s in range(size):
        _add(change, columns[vertex.support[s]], -step[s])
    for b in range(size):
        change[basis[b]] = 0.0
    top = 1.0 if kind == 0 else 0.0
    for i in range(change.size):
        top = max(top, abs(change[i]))
    return _TINY * top


@kernel
def _stops(program, vertex, size, scratch, tiny):
    """Where residuals and coefficients change their signs along the edge; how many do."""
    low, high, cost, positive = program.low, program.high, program.cost, program.positive
    residual, x, u, change, step = vertex.residual, vertex.x, vertex.u, scratch.change, scratch.step
    points, jumps, which = scratch.points, scratch.jumps, scratch.which
    count = 0
    for i in range(residual.size):
        if vertex.seat[i] < 0 and abs(change[i]) > tiny and residual[i] * change[i] <= 0.0:
            if residual[i] == 0.0 and (change[i] > 0) == (u[i] == high[i]):
                continue
            points[count] = -residual[i] / change[i]
            jumps[count] = (high[i] - low[i]) * abs(change[i])
            which[count] = i
            count += 1
    for s in range(size):
        j = vertex.support[s]
        if (cost[j] > 0 or positive[j]) and x[j] * step[s] < 0.0:
            points[count] = -x[j] / step[s]
            jumps[count] = np.inf if positive[j] else 2.0 * cost[j] * abs(step[s])
            which[count] = -1 - s
            count += 1
    return count


@kernel
def _walk(program, vertex, size, scratch, turn, kind, index, sign):
    """Move to a stop; rows that were passed have changed their sign, and a released row counts with its new slope."""
    low, high, u, residual = program.low, program.high, vertex.u, vertex.residual
    length = scratch.points[turn]
    for s in range(size):
        vertex.x[vertex.support[s]] += length * scratch.step[s]
    _add(residual, scratch.change, length)
    for k in range(turn):
        i = scratch.which[k]
        if i >= 0:
            slope = low[i] if u[i] == high[i] else high[i]
            _add(scratch.pulls, program.rows[i], slope - u[i])
            u[i] = slope
    if kind == 0:
        i = vertex.basis[index]
        u[i] = high[i] if sign > 0 else low[i]
        residual[i] = sign * length
        _add(scratch.pulls, program.rows[i], u[i])
        vertex.seat[i] = -1
    else:
        vertex.x[index] = sign * length


@kernel
def _enter_row(program, vertex, size, scratch, row, kind, index):
    """A row is interpolated from here on, in place of the one released or together with the column moved; the new size."""
    support, basis, inverse, z, h = vertex.support, vertex.basis, vertex.inverse, scratch.z, scratch.h
    entries = program.rows[row]
    _add(scratch.pulls, entries, -vertex.u[row])
    vertex.residual[row] = 0.0
    z[:size] = 0.0
    for s in range(size):
        _add(z[:size], inverse[s], entries[support[s]])
    if kind == 0:
        _replace(inverse, size, index, z)
        basis[index], vertex.seat[row] = row, index
        return size
    schur = entries[index]
    for s in range(size):
        schur -= entries[support[s]] * h[s]
    _border(inverse, size, h, z, schur)
    support[size], basis[size] = index, row
    vertex.place[index], vertex.seat[row] = size, size
    return size + 1


@kernel
def _leave_column(vertex, size, scratch, s, kind, index):
    """The coefficient at position s is zero from here on, in place of the row released or of the column moved; the new size."""
    support, basis, place, seat = vertex.support, vertex.basis, vertex.place, vertex.seat
    gone = support[s]
    vertex.x[gone] = 0.0
    place[gone] = -1
    if kind == 1:
        _swap(vertex.inverse, size, s, scratch.h)
        support[s] = index
        place[index] = s
        return size
    _strip(vertex.inverse, size, s, index)
    size -= 1
    if s < size:
        support[s] = support[size]
        place[support[s]] = s
    if index < size:
        basis[index] = basis[size]
        seat[basis[index]] = index
    return size


@kernel
def absolute_pivots(program, vertex, size, limit):
    """At most `limit` pivots; returns the size of support and basis, how many there were, and 1 at the optimum (-1: no way down)."""
    n, m, capacity = vertex.residual.size, program.cost.size, vertex.support.size
    scratch = _Scratch(
        np.empty(m),
        np.empty(m),
        np.empty(capacity),
        np.empty(n),
        np.empty(capacity),
        np.empty(capacity),
        np.empty(n + m),
        np.empty(n + m),
        np.empty(n + m, dtype=np.int64),
    )
    _pull(program, vertex, scratch.pulls)
    for pivot in range(limit):
        kind, index, sign, rate = _price(program, vertex, size, scratch)
        if kind < 0:
            return size, pivot, 1
        tiny = _edge(program, vertex, size, scratch, kind, index, sign)
        count = _stops(program, vertex, size, scratch, tiny)
        if count == 0:
            return size, pivot, -1
        turn = _turn(scratch.points, scratch.jumps, scratch.which, count, rate)
        _walk(program, vertex, size, scratch, turn, kind, index, sign)
        stop = scratch.which[turn]
        if stop >= 0:
            size = _enter_row(program, vertex, size, scratch, stop, kind, index)
        else:
            size = _leave_column(vertex, size, scratch, -1 - stop, kind, index)
    return size, limit, 0
