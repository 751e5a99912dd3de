"""Weighted medians: how far ``||r - (z - x) a||_1 + s |z|`` falls when z alone may move, column by column.

The minimiser over z is a weighted median of the points ``x + r_i / a_i`` with weights ``|a_i|`` and of zero with weight s; it is
found by selection, in time linear in the number of rows.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["l1_falls", "weighted_median"]


@kernel
def weighted_median(points, weights, count):
    """The first point, in increasing order, at which half of the total weight is reached; both arrays are reordered."""
    half = 0.0
    for i in range(count):
        half += weights[i]
    half *= 0.5
    low, high, below = 0, count - 1, 0.0  # the answer lies in points[low..high]; what is left of them weighs `below`
    while low < high:
        middle = (low + high) // 2
        a, b, c = points[low], points[middle], points[high]
        pivot = max(min(a, b), min(max(a, b), c))
        left, i, right, less, equal = low, low, high, 0.0, 0.0
        while i <= right:  # smaller ones to the left, larger ones to the right
            point, weight = points[i], weights[i]
            if point < pivot:
                points[i], weights[i] = points[left], weights[left]
                points[left], weights[left] = point, weight
                less += weight
                left += 1
                i += 1
            elif point > pivot:
                points[i], weights[i] = points[right], weights[right]
                points[right], weights[right] = point, weight
                right -= 1
            else:
                equal += weight
                i += 1
        if below + less >= half and left > low:
            high = left - 1
        elif below + less + equal >= half or right == high:
            return pivot
        else:
            below += less + equal
            low = right + 1
    return points[low]


@kernel
def l1_falls(columns, residual, coef, strength):
    """``||r||_1 + s|x| - min_z (||r - (z - x) a||_1 + s|z|)`` for every column of a Fortran-ordered array."""
    n_samples, n_columns = columns.shape
    falls = np.empty(n_columns)
    points = np.empty(n_samples + 1)
    weights = np.empty(n_samples + 1)
    for j in range(n_columns):
        x, s = coef[j], strength[j]
        count, before = 0, s * abs(x)
        for i in range(n_samples):
            before += abs(residual[i])
            entry = columns[i, j]
            if entry != 0.0:
                points[count] = x + residual[i] / entry
                weights[count] = abs(entry)
                count += 1
        if s > 0.0:
            points[count] = 0.0
            weights[count] = s
            count += 1
        falls[j] = 0.0
        if count == 0:
            continue
        best = weighted_median(points, weights, count)
        after = s * abs(best)
        for i in range(n_samples):
            after += abs(residual[i] - (best - x) * columns[i, j])
        falls[j] = max(before - after, 0.0)
    return falls
