"""Exact total variation denoising of a sequence, in linear time; plain loops that run as they are or compiled.

    minimise over x   sum_i (x_i - values_i)**2 / 2 + strength sum_i |x_(i+1) - x_i|

Dynamic programming: the derivative, in the last value, of the least cost of the first i values is piecewise linear and increases;
the absolute value between neighbours clips it at -strength and strength. Where it is clipped is all that the way back needs.

Johnson, "A dynamic programming algorithm for the fused lasso and l0-segmentation", 2013.
"""

from __future__ import annotations

__all__ = ["denoise"]


def denoise(values, strength, knots, steps, lows, highs, result):
    """Write the minimiser into `result`. Workspaces: knots (2 n,), steps (2 n, 2), lows and highs (n,)."""
    n = values.shape[0]
    left, right = n, n - 1  # the knots in use, from left to right; each side grows outwards
    left_slope, left_start = 1.0, -values[0]  # the outermost pieces: slope * x + start
    right_slope, right_start = 1.0, -values[0]
    for i in range(n - 1):
        while left <= right and left_slope * knots[left] + left_start < -strength:
            left_slope += steps[left, 0]
            left_start += steps[left, 1]
            left += 1
        lows[i] = (-strength - left_start) / left_slope
        while right >= left and right_slope * knots[right] + right_start > strength:
            right_slope -= steps[right, 0]
            right_start -= steps[right, 1]
            right -= 1
        highs[i] = (strength - right_start) / right_slope
        if highs[i] < lows[i]:
            highs[i] = lows[i]  # rounding
        left -= 1
        knots[left], steps[left, 0], steps[left, 1] = lows[i], left_slope, left_start + strength
        right += 1
        knots[right], steps[right, 0], steps[right, 1] = highs[i], -right_slope, strength - right_start
        left_slope, left_start = 1.0, -strength - values[i + 1]
        right_slope, right_start = 1.0, strength - values[i + 1]
    while left <= right and left_slope * knots[left] + left_start < 0.0:
        left_slope += steps[left, 0]
        left_start += steps[left, 1]
        left += 1
    result[n - 1] = -left_start / left_slope
    for i in range(n - 2, -1, -1):
        result[i] = min(max(result[i + 1], lows[i]), highs[i])
