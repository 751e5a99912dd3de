"""A simplex method for absolute and quantile losses with an l1 norm, on a basis no larger than the support.

    minimise over x   sum_i max(low_i r_i, high_i r_i) + sum_j cost_j |x_j|            r = y - A x

A vertex interpolates as many rows (the basis B) as coefficients are not zero (the support S), and ``M = A[B, S]`` says which.
Multipliers u, the slopes of the residuals off the basis and ``M^-T (cost sign(x) - A_N^T u_N)`` on it, prove optimality where
they lie between the slopes and ``|a_j^T u| <= cost_j``. Otherwise a row is released or a coefficient moved off zero, and the
line search goes on over sign changes to where the piecewise linear objective turns.

Arrays: columns (size, n) holds columns of A as its rows, rows (n, size) the transpose; support and basis (capacity,), inverse
(capacity, capacity) with ``inverse[s, b]``, `place` the position of a column in the support or -1, `seat` of a row in the basis.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["absolute_pivots"]

_OPTIMAL = 1e-11  # violations, over what the multiplier could be
_TINY = 1e-10  # of the largest change along an edge: smaller ones are rounding


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
def _pull(rows, residual, low, high, seat, u, pulls):
    """Slopes of the residuals off the basis, zero on it, and their products with the columns."""
    pulls[:] = 0.0
    for i in range(residual.size):
        u[i] = 0.0
        if seat[i] < 0:
            u[i] = high[i] if residual[i] > 0 else low[i]
            row, slope = rows[i], u[i]
            for j in range(pulls.size):
                pulls[j] += slope * row[j]


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
def _price(pulls, rows, inverse, support, basis, size, x, cost, mass, low, high, place, positive, u, along):
    """Multipliers of the basis into u, products of all columns with u into `along`; what to move: kind, index, sign, rate."""
    value, length = np.zeros(size), np.zeros(size)
    for s in range(size):
        j = support[s]
        wanted = (cost[j] if x[j] > 0 else -cost[j]) - pulls[j]
        for b in range(size):
            value[b] += inverse[s, b] * wanted
            length[b] += (inverse[s, b] * mass[j]) ** 2
    best, kind, index, sign, rate = _OPTIMAL, -1, -1, 0.0, 0.0
    along[:] = pulls
    for b in range(size):
        i = basis[b]
        u[i] = value[b]
        row = rows[i]
        for j in range(along.size):
            along[j] += u[i] * row[j]
        over = max(u[i] - high[i], low[i] - u[i])
        score = over / np.sqrt((high[i] - low[i]) ** 2 + length[b])
        if score > best:
            best, kind, index, rate = score, 0, b, over
            sign = 1.0 if u[i] > high[i] else -1.0
    for j in range(along.size):
        if place[j] < 0 and mass[j] > 0:
            over = (along[j] if positive[j] else abs(along[j])) - cost[j]
            score = over / mass[j]
            if score > best:
                best, kind, index, rate = score, 1, j, over
                sign = 1.0 if along[j] > 0 else -1.0
    return kind, index, sign, rate


@kernel
def absolute_pivots(
    columns, rows, low, high, cost, mass, positive, support, basis, size, inverse, place, seat, x, residual, u, limit
):
    """At most `limit` pivots; returns the size of support and basis, how many there were, and 1 at the optimum (-1: no way down)."""
    n, m = residual.size, cost.size
    change, points, jumps = np.empty(n), np.empty(n + m), np.empty(n + m)
    which = np.empty(n + m, dtype=np.int64)
    pulls, along = np.empty(m), np.empty(m)
    h, z, step, entries = (
        np.empty(inverse.shape[0]),
        np.empty(inverse.shape[0]),
        np.empty(inverse.shape[0]),
        np.empty(n),
    )
    _pull(rows, residual, low, high, seat, u, pulls)
    for pivot in range(limit):
        kind, index, sign, rate = _price(
            pulls, rows, inverse, support, basis, size, x, cost, mass, low, high, place, positive, u, along
        )
        if kind < 0:
            return size, pivot, 1
        # the edge: change of the support's coefficients (step) and of the residuals (change)
        change[:] = 0.0
        if kind == 0:
            for s in range(size):
                step[s] = -sign * inverse[s, index]
        else:
            for b in range(size):
                entries[b] = columns[index, basis[b]]
            for s in range(size):
                h[s] = 0.0
                for b in range(size):
                    h[s] += inverse[s, b] * entries[b]
                step[s] = -sign * h[s]
            column = columns[index]
            for i in range(n):
                change[i] = -sign * column[i]
        for s in range(size):
            value, column = step[s], columns[support[s]]
            for i in range(n):
                change[i] -= value * column[i]
        for b in range(size):
            change[basis[b]] = 0.0
        top = 0.0
        for i in range(n):
            top = max(top, abs(change[i]))
        if kind == 0:
            top = max(top, 1.0)
        count = 0
        for i in range(n):
            if seat[i] < 0 and abs(change[i]) > _TINY * top and residual[i] * change[i] <= 0.0:
                if residual[i] == 0.0 and (change[i] > 0) == (u[i] == high[i]):
                    continue
                points[count] = -residual[i] / change[i]
                jumps[count] = (high[i] - low[i]) * abs(change[i])
                which[count] = i
                count += 1
        for s in range(size):
            j = support[s]
            if (cost[j] > 0 or positive[j]) and x[j] * step[s] < 0.0:
                points[count] = -x[j] / step[s]
                jumps[count] = np.inf if positive[j] else 2.0 * cost[j] * abs(step[s])
                which[count] = -1 - s
                count += 1
        if count == 0:
            return size, pivot, -1
        turn = _turn(points, jumps, which, count, rate)
        length, blocking = points[turn], which[turn]
        for s in range(size):
            x[support[s]] += length * step[s]
        for i in range(n):
            residual[i] += length * change[i]
        for k in range(turn):  # what was passed has changed its sign
            i = which[k]
            if i >= 0:
                slope = low[i] if u[i] == high[i] else high[i]
                row, flip = rows[i], slope - u[i]
                u[i] = slope
                for j in range(m):
                    pulls[j] += flip * row[j]
        if kind == 0:  # the released row counts with its new slope
            i = basis[index]
            u[i] = high[i] if sign > 0 else low[i]
            residual[i] = sign * length
            row, slope = rows[i], u[i]
            for j in range(m):
                pulls[j] += slope * row[j]
            seat[i] = -1
        else:
            x[index] = sign * length
        if blocking >= 0:  # a row is interpolated next
            row, slope = rows[blocking], u[blocking]
            for j in range(m):
                pulls[j] -= slope * row[j]
            residual[blocking] = 0.0
            for b in range(size):
                z[b] = 0.0
            for s in range(size):
                entry = row[support[s]]
                for b in range(size):
                    z[b] += entry * inverse[s, b]
            if kind == 0:
                _replace(inverse, size, index, z)
                basis[index], seat[blocking] = blocking, index
            else:
                schur = row[index]
                for s in range(size):
                    schur -= row[support[s]] * h[s]
                _border(inverse, size, h, z, schur)
                support[size], basis[size] = index, blocking
                place[index], seat[blocking] = size, size
                size += 1
        else:  # a coefficient gets to zero
            s = -1 - blocking
            gone = support[s]
            x[gone] = 0.0
            place[gone] = -1
            if kind == 0:
                _strip(inverse, size, s, index)
                size -= 1
                if s < size:
                    support[s] = support[size]
                    place[support[s]] = s
                if index < size:
                    basis[index] = basis[size]
                    seat[basis[index]] = index
            else:
                _swap(inverse, size, s, h)
                support[s] = index
                place[index] = s
    return size, limit, 0
