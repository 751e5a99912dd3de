"""Many small quadratic programs that share a matrix: abundances of pixels, and endmembers of bands.

    minimise over a >= 0   1/2 a^T G a - b^T a + alpha sum_k ((a_k + s)^p - s^p) + delta^2 / 2 (1 - sum_k a_k)^2

or over the simplex, ``sum_k a_k = 1``, in place of the last term. The concave powers are replaced by their tangents at each step, so
every step lowers this objective.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["descend_rows"]


@kernel
def descend_rows(rows, gram, linear, alpha, powers, smoothing, sq_delta, exact, n_passes, tol):
    """Coordinate descent on each row (n, K), in place, until a pass moves none of its entries by more than `tol`.

    `exact` keeps the sum of a row: mass moves between two entries at a time. ``powers`` (n,) are the exponents.
    """
    n_rows, size = rows.shape
    slope, product = np.empty(size), np.empty(size)
    for n in range(n_rows):
        row = rows[n]
        for k in range(size):
            total = -linear[n, k]
            for j in range(size):
                total += gram[k, j] * row[j]
            product[k] = total  # G a - b
        for _ in range(n_passes):
            if exact:
                moved = _pairs(row, product, slope, gram, alpha, powers[n], smoothing)
            else:
                moved = _singles(row, product, gram, alpha, powers[n], smoothing, sq_delta)
            if moved <= tol:
                break


@kernel
def _singles(row, product, gram, alpha, power, smoothing, sq_delta):
    """One pass over the entries; the largest move."""
    size = row.size
    moved = total = 0.0
    for k in range(size):
        total += row[k]
    for k in range(size):
        curvature = gram[k, k] + sq_delta
        if not curvature > 0.0:
            continue
        slope = product[k] + sq_delta * (total - 1.0)
        if alpha > 0.0:
            slope += alpha * power * (row[k] + smoothing) ** (power - 1.0)
        change = max(row[k] - slope / curvature, 0.0) - row[k]
        if change != 0.0:
            row[k] += change
            total += change
            for j in range(size):
                product[j] += change * gram[k, j]
            moved = max(moved, abs(change))
    return moved


@kernel
def _pairs(row, product, slope, gram, alpha, power, smoothing):
    """One pass over the pairs of entries; the largest move."""
    size = row.size
    moved = 0.0
    for k in range(size):
        slope[k] = alpha * power * (row[k] + smoothing) ** (power - 1.0) if alpha > 0.0 else 0.0
    for i in range(size):
        for j in range(i):
            pull = product[j] + slope[j] - product[i] - slope[i]  # towards i, where it is positive
            if pull == 0.0 or (pull > 0.0 and row[j] == 0.0) or (pull < 0.0 and row[i] == 0.0):
                continue
            curvature = gram[i, i] + gram[j, j] - 2.0 * gram[i, j]
            change = pull / curvature if curvature > 0.0 else np.inf * pull
            change = min(max(change, -row[i]), row[j])
            row[i] = max(row[i] + change, 0.0)
            row[j] = max(row[j] - change, 0.0)
            for k in range(size):
                product[k] += change * (gram[i, k] - gram[j, k])
            if alpha > 0.0:
                slope[i] = alpha * power * (row[i] + smoothing) ** (power - 1.0)
                slope[j] = alpha * power * (row[j] + smoothing) ** (power - 1.0)
            moved = max(moved, abs(change))
    return moved
