"""Block coordinate descent on a working set known through its Gram matrix.

    min over W   1/2 <W, G W> - <W, Q> + single sum |w_jt| + sum_b thresholds_b ||W_b||       W_b the rows of block b

Blocks are groups of columns of one target, or single columns of many. A block is minimised by proximal gradient steps
with its own largest eigenvalue: for a block of one column the first is exact.
"""

from __future__ import annotations

import math

from ._compile import kernel

__all__ = ["block_sweeps"]


@kernel(borrows=True)
def block_sweeps(gram, starts, ceilings, single, thresholds, coef, remaining, room, trail, n_steps, enough):
    """Sweep over all blocks once for each place in `trail`; returns the number of rows of the Gram matrix that were used.

    Shapes: gram (capacity, capacity), of which the leading (size, size) counts; starts (n_blocks + 1,), ceilings (largest
    eigenvalues of the blocks) and thresholds (n_blocks,); coef and remaining (``Q - G W``), both (n_targets, size); room
    (2, n_targets, widest block) to work in; trail (n_sweeps, n_targets, size) takes the coefficients after each sweep. A block
    takes at most `n_steps` steps, fewer once one is shorter than the share `enough` of the first (squared lengths).
    """
    n_targets, size = coef.shape
    moves = 0
    for sweep in range(trail.shape[0]):
        for block in range(ceilings.shape[0]):
            if ceilings[block] > 0.0:
                begin, end = starts[block], starts[block + 1]
                threshold, ceiling = thresholds[block], ceilings[block]
                moves += _block(gram, begin, end, ceiling, single, threshold, coef, remaining, room, n_steps, enough)
        for t in range(n_targets):
            for k in range(size):
                trail[sweep, t, k] = coef[t, k]
    return moves


@kernel(borrows=True)
def _block(gram, begin, end, ceiling, single, threshold, coef, remaining, room, n_steps, enough):
    """Minimise over one block; returns how many of its coefficients moved."""
    n_targets, size = coef.shape
    width = end - begin
    before, local = 0, 1
    for t in range(n_targets):
        for i in range(width):
            room[before, t, i] = coef[t, begin + i]
            room[local, t, i] = remaining[t, begin + i]
    first = 0.0
    for step in range(n_steps):
        square = 0.0
        for t in range(n_targets):
            for i in range(width):
                value = coef[t, begin + i] + room[local, t, i] / ceiling
                if single > 0.0:
                    value = math.copysign(max(abs(value) - single / ceiling, 0.0), value)
                square += value * value
        norm = math.sqrt(square)
        factor = 1.0 - threshold / (ceiling * norm) if ceiling * norm > threshold else 0.0
        moved = 0.0
        for t in range(n_targets):
            for i in range(width):
                value = coef[t, begin + i] + room[local, t, i] / ceiling
                if single > 0.0:
                    value = math.copysign(max(abs(value) - single / ceiling, 0.0), value)
                value = factor * value + 0.0  # no negative zeros
                moved += (value - coef[t, begin + i]) ** 2
                coef[t, begin + i] = value
        if moved == 0.0 or width == 1:
            break
        for t in range(n_targets):
            for i in range(width):
                room[local, t, i] = remaining[t, begin + i]
            for k in range(width):
                change = coef[t, begin + k] - room[before, t, k]
                for i in range(width):
                    room[local, t, i] -= change * gram[begin + k, begin + i]
        first = max(first, moved)
        if moved <= enough * first:
            break
    moves = 0
    for t in range(n_targets):
        for i in range(width):
            change = coef[t, begin + i] - room[before, t, i]
            if change != 0.0:
                for k in range(size):
                    remaining[t, k] -= change * gram[begin + i, k]
                moves += 1
    return moves
