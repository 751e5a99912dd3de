"""A vertex near the optimum of an absolute or quantile loss with an l1 norm, by a path through the inside: for large supports.

    maximise over u   y^T u - 1/2 sum_i bend_i u_i**2        subject to   low <= u <= high,   |A^T u| <= cost

without bends; with them it is the dual of Huber's loss, and the path leads to the optimum itself (`huber_program`). The slacks
of all bounds and the multipliers of the bounds stay positive while Newton's method, a predictor and a corrector a step, leads
their products to zero. Every step solves one linear system of the smaller side of A; fifteen or so are enough whatever the
support, where a simplex method needs several pivots for each of its columns. In the end either the slack of a bound vanishes or
its multiplier: columns without slack are the support, and rows without multipliers are those that it interpolates. Which of the
two it is shows in the last steps, in which multiplier over slack, the stiffness of the bound, grows or falls.

Mehrotra, "On the implementation of a primal-dual interior point method", 1992.
Portnoy and Koenker, "The Gaussian hare and the Laplacian tortoise: computability of squared-error versus absolute-error
estimators", 1997.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular
from scipy.linalg.lapack import dgetrf

__all__ = ["central_path", "central_vertex"]

_CLOSE = 1e-8  # sum of the products, over the loss at zero: below, vertices are told apart
_STEPS = 50
_SHORT = 0.9995  # of the way to the next bound
_RIDGE = 1e-14  # of a diagonal, against rounding
_LOOK_BACK = 4  # steps at the end, with the first: the products fall by orders of magnitude
_DEPENDENT = 1e-10  # pivots of a column, over its largest entry
_SIDES = np.array([[1.0], [-1.0]])  # the upper bounds, and the lower ones


def central_vertex(columns, target, low, high, cost, one_sided):
    """Support (rank,) and basis (rank,) of a vertex near the optimum; None where the linear systems fail.

    `columns` (size, n) holds columns of A as its rows; those of no cost are free, those `one_sided` may not be negative.
    """
    end = central_path(columns, target, low, high, cost, one_sided)
    n = target.size
    if end is None or not np.all(end[2][:n] > 0):
        return None
    _, _, stiffness, grown = end
    rows, price = 1.0 / np.sqrt(stiffness[:n]), np.where(cost > 0, stiffness[n:], np.inf)
    chosen = np.flatnonzero(grown[n:] | (cost <= 0))
    chosen = chosen[np.argsort(-price[chosen], kind="stable")][:n]
    while True:
        support, basis = _square(columns, chosen, rows)
        values = np.linalg.solve(columns[support][:, basis].T, target[basis]) if support.size else np.empty(0)
        wrong = support[one_sided[support] & (values < 0.0)]
        if not wrong.size:
            return support, basis
        chosen = np.setdiff1d(support, wrong)


def central_path(columns, target, low, high, cost, one_sided, bend=0.0, close=_CLOSE):
    """Slacks and multipliers (2, n + size) of the upper and the lower bounds of rows and columns, near the optimum.

    With them the stiffness of rows and columns (n + size,) there, and whether it has grown; None where the path was lost.
    A column of no cost is free, and a row or column of infinite bounds has none.
    """
    n = target.size
    limits = np.vstack([np.concatenate([high, cost]), np.concatenate([-low, cost])])
    bounded = (limits > 0) & np.isfinite(limits)
    bounded[1, n:] &= ~one_sided
    slack, pull = np.where(bounded, limits, 1.0), np.zeros(limits.shape)
    scale = float(np.mean(np.abs(target)))
    roomy = (
        np.maximum(slack[:, n:], np.mean(cost)) if cost.size else slack[:, n:]
    )  # what costs little must not start far away
    pull[:, n:] = np.where(bounded[:, n:], scale * np.mean(high - low) / (2.0 * roomy), 0.0)
    residual = target - (pull[0, n:] - pull[1, n:]) @ columns
    pull[:, :n] = np.maximum(_SIDES * residual, 0.0) + scale
    close *= float(np.sum(np.maximum(high * target, low * target)))
    past = []
    try:
        for _ in range(_STEPS):
            past.append(np.sum(pull / slack, axis=0))
            gap = float(np.sum(slack * pull))
            if not gap > close:
                break
            slack, pull = _step(columns, slack, pull, bounded, gap, bend)
    except LinAlgError:
        return None
    end = past[-1]
    return (slack, pull, end, end > past[-min(len(past), _LOOK_BACK)]) if np.all(np.isfinite(end)) else None


def _step(columns, slack, pull, bounded, gap, bend):
    """Slacks and multipliers (2, n + size) after a predictor and a corrector that share one factorisation."""
    n, stiffness = columns.shape[1], np.sum(pull / slack, axis=0)
    system = _by_columns if columns.shape[0] <= n else _by_rows
    change = system(columns, stiffness[:n] + bend, stiffness[n:])

    def direction(force):
        total = np.sum(_SIDES * force / slack, axis=0)
        moved = change(total[:n], total[n:])
        slacks = -_SIDES * np.concatenate([moved, columns @ moved]) * bounded
        return slacks, (force - pull * slacks) / slack

    slacks, pulls = direction(-slack * pull)
    here, there = _ways(slack, slacks, pull, pulls, 1.0, bend)
    after = float(np.sum((slack + here * slacks) * (pull + there * pulls)))
    centre = (after / gap) ** 3 * gap / np.count_nonzero(bounded)
    slacks, pulls = direction((centre - slack * pull - slacks * pulls) * bounded)
    here, there = _ways(slack, slacks, pull, pulls, _SHORT, bend)
    return slack + here * slacks, pull + there * pulls


def _ways(slack, slacks, pull, pulls, share, bend):
    """How far slacks and multipliers go: equally far where rows bend, since there the one depends on the other."""
    here, there = (min(share * _way(*both), 1.0) for both in ((slack, slacks), (pull, pulls)))
    return (min(here, there),) * 2 if np.any(bend) else (here, there)


def _way(values, change):
    """How far positive values may go in a direction."""
    falling = change < 0
    return float(np.min(values[falling] / -change[falling])) if np.any(falling) else np.inf


def _by_columns(columns, rows, prices):
    """The map from g, h to the u with ``rows u + A x = -g`` and ``x = prices A^T u + h``, where ``A^T u = 0`` for no price."""
    soft = np.divide(1.0, prices, out=np.zeros_like(prices), where=prices > 0)
    scaled = columns / np.sqrt(rows)
    matrix = scaled @ scaled.T
    matrix[np.diag_indices_from(matrix)] += soft + _RIDGE * np.diag(matrix)
    factor = cho_factor(matrix, overwrite_a=True, check_finite=False)

    def change(g, h):
        x = cho_solve(factor, soft * h - columns @ (g / rows), check_finite=False)
        return -(g + x @ columns) / rows

    return change


def _by_rows(columns, rows, prices):
    """The same map by a system of the rows, which is the smaller one for many columns."""
    free = prices == 0
    scaled = np.sqrt(prices[~free])[:, None] * columns[~free]
    matrix = scaled.T @ scaled
    matrix[np.diag_indices_from(matrix)] += rows + _RIDGE * np.diag(matrix)
    factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)[0]
    fixed = np.linalg.qr(solve_triangular(factor, columns[free].T, lower=True, check_finite=False))[0]

    def change(g, h):
        half = solve_triangular(factor, -(g + h @ columns), lower=True, check_finite=False)
        return solve_triangular(factor, half - fixed @ (fixed.T @ half), lower=True, trans=1, check_finite=False)

    return change


def _square(columns, chosen, weights):
    """Of the chosen columns those that are independent, and as many rows, of the greatest weights, on which they are."""
    size = chosen.size
    factors, pivots, _ = dgetrf(np.asfortranarray((columns[chosen] * weights).T), overwrite_a=True)
    order = np.arange(weights.size)
    for k, other in enumerate(pivots[:size]):
        order[k], order[other] = order[other], order[k]
    pivot, largest = np.abs(np.diag(factors)), np.max(np.abs(columns[chosen] * weights), axis=1, initial=0.0)
    kept = pivot > _DEPENDENT * largest
    return chosen[kept], order[:size][kept]
