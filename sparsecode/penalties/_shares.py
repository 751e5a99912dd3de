"""How a budget is shared among groups: what value, prox and subdifferential of sparse envelopes have in common.

    u_g = clip(level * size_g - ridge, 0, 1)   with the least level for which   sum_g costs_g u_g = budget

With ridge 0 these are the minimisers of ``sum_g costs_g size_g**2 / (2 u_g)`` over ``0 <= u <= 1, sum_g costs_g u_g <= budget``. If the groups that are
not zero cost no more than the budget, they all get 1.
"""

from __future__ import annotations

import math

from .._array import array_namespace

__all__ = ["dual_square", "shares"]


def shares(size, costs, budget, ridge):
    """Shares u of shape (n_groups, ...), and the level, one number a target (inf where the budget is not exhausted).

    The sum is piecewise linear in the level: its breakpoints are sorted, the piece that meets the budget is found, and
    the level follows from the groups that are partly paid there.
    """
    xp = array_namespace(size)
    zero, one = xp.zeros_like(size), xp.ones_like(size)
    costs = costs + zero
    used = size > 0
    top = xp.max(size, axis=0, keepdims=True)
    scaled = xp.where(used, size, one) / xp.where(top > 0, top, xp.ones_like(top))
    never = xp.full_like(size, math.inf)
    starts, ends = xp.where(used, ridge / scaled, never), xp.where(used, (1.0 + ridge) / scaled, never)
    points = xp.concat([starts, ends], axis=0)
    slopes = xp.where(used, costs * scaled, zero)
    order = xp.argsort(points, axis=0)
    points = _reordered(xp, points, order)
    slope = xp.cumulative_sum(_reordered(xp, xp.concat([slopes, -slopes], axis=0), order), axis=0)
    finite = xp.isfinite(points)
    reach = xp.where(finite, points, xp.zeros_like(points))
    gains = slope[:-1, ...] * xp.maximum(reach[1:, ...] - reach[:-1, ...], xp.zeros_like(reach[1:, ...]))
    spent = xp.concat([xp.zeros_like(gains[:1, ...]), xp.cumulative_sum(gains, axis=0)], axis=0)
    below = finite & (spent < budget * (1.0 - 1e-14))  # full shares add up to the budget only up to rounding
    low = xp.max(xp.where(below, points, xp.zeros_like(points)), axis=0, keepdims=True)
    high = xp.min(xp.where(below, xp.full_like(points, math.inf), points), axis=0, keepdims=True)
    partly = (starts <= low) & (ends >= high)
    full = ends <= low
    steep = xp.sum(xp.where(partly, slopes, zero), axis=0, keepdims=True)
    left = budget - xp.sum(xp.where(full, costs, zero), axis=0, keepdims=True)
    left = left + ridge * xp.sum(xp.where(partly, costs, zero), axis=0, keepdims=True)
    exhausted = xp.isfinite(high) & (steep > 0)
    level = left / xp.where(exhausted, steep, xp.ones_like(steep))
    level = xp.clip(level, min=low, max=xp.where(exhausted, high, low))
    share = xp.clip(level * scaled - ridge, min=0.0, max=1.0)
    share = xp.where(used, xp.where(exhausted, xp.where(full, one, share), one), zero)
    level = xp.where(exhausted, level / xp.where(top > 0, top, xp.ones_like(top)), xp.full_like(level, math.inf))
    return share, level[0, ...]


def _reordered(xp, values, order):
    """`values` with each column in its own `order`."""
    if values.ndim == 1:
        return xp.take(values, order, axis=0)
    return xp.stack([xp.take(values[:, t], order[:, t], axis=0) for t in range(values.shape[1])], axis=1)


def dual_square(size, costs, budget):
    """The greatest ``sum_g u_g costs_g size_g**2`` over the same shares, for sizes relative to their costs: the dearest first."""
    xp = array_namespace(size)
    order = xp.argsort(-size, axis=0)
    costs = _reordered(xp, costs + xp.zeros_like(size), order)
    before = xp.cumulative_sum(costs, axis=0) - costs
    taken = xp.clip(budget - before, min=0.0, max=costs)
    return xp.sum(taken * _reordered(xp, size, order) ** 2, axis=0)
