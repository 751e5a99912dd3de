"""The inner product that kernels inline."""

from __future__ import annotations

from ._compile import kernel

__all__ = ["LANES", "inner"]

LANES = 8  # sums side by side


@kernel(inline=True)
def inner(left, right, lanes):
    """Inner product as sums side by side (in the scratch `lanes`, of so many), which one chain of additions would keep waiting."""
    size = left.shape[0]
    whole = size // LANES * LANES
    for l in range(LANES):
        lanes[l] = 0.0
    for m in range(0, whole, LANES):
        for l in range(LANES):
            lanes[l] += left[m + l] * right[m + l]
    total = 0.0
    for l in range(LANES):
        total += lanes[l]
    for m in range(whole, size):
        total += left[m] * right[m]
    return total
