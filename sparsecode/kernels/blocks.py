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
def block_sweeps(gram, starts, ceilings, single, thresholds, coef, remaining, before, local, n_steps, enough):
    """One sweep over all blocks; returns the number of rows of the Gram matrix that were used.

    Shapes: gram (capacity, capacity), of which the leading (size, size) counts; starts (n_blocks + 1,), ceilings (largest
    eigenvalues of the blocks) and thresholds (n_blocks,); coef and remaining (``Q - G W``), both (n_targets, size); before and
    local (n_targets, widest block) are room to work in. A block takes at most `n_steps` steps, fewer once one is shorter
    than the share `enough` of the first (squared lengths).
    """
    n_targets, size = coef.shape
    moves = 0
    for block in range(ceilings.shape[0]):
        begin, width, ceiling = starts[block], starts[block + 1] - starts[block], ceilings[block]
        if ceiling <= 0.0:
            continue
        for t in range(n_targets):
            for i in range(width):
                before[t, i] = coef[t, begin + i]
                local[t, i] = remaining[t, begin + i]
        first = 0.0
        for step in range(n_steps):
            square = 0.0
            for t in range(n_targets):
                for i in range(width):
                    value = coef[t, begin + i] + local[t, i] / ceiling
                    if single > 0.0:
                        value = math.copysign(max(abs(value) - single / ceiling, 0.0), value)
                    square += value * value
            norm = math.sqrt(square)
            factor = 1.0 - thresholds[block] / (ceiling * norm) if ceiling * norm > thresholds[block] else 0.0
            moved = 0.0
            for t in range(n_targets):
                for i in range(width):
                    value = coef[t, begin + i] + local[t, i] / ceiling
                    if single > 0.0:
                        value = math.copysign(max(abs(value) - single / ceiling, 0.0), value)
                    value = factor * value + 0.0  # no negative zeros
                    moved += (value - coef[t, begin + i]) ** 2
                    coef[t, begin + i] = value
            if moved == 0.0 or width == 1:
                break
            for t in range(n_targets):
                for i in range(width):
                    local[t, i] = remaining[t, begin + i]
                for k in range(width):
                    change = coef[t, begin + k] - before[t, k]
                    for i in range(width):
                        local[t, i] -= change * gram[begin + k, begin + i]
            first = max(first, moved)
            if moved <= enough * first:
                break
        for t in range(n_targets):
            for i in range(width):
                change = coef[t, begin + i] - before[t, i]
                if change != 0.0:
                    for k in range(size):
                        remaining[t, k] -= change * gram[begin + i, k]
                    moves += 1
    return moves
