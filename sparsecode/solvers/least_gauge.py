"""The least strength at which some point of a set lies in the dual ball of a norm, by cuts.

    minimise over s   gauge(center + sum_i s_i rows_i)        low <= s <= high,   fixed^T s = -owed

``gauge(v) = max over w of <v, w> / value(w)`` is the least strength whose dual ball holds v. Every w bounds it from below by a
linear function of s; what the prox at the best bound so far leaves of v is a w that does so above that bound, unless v is in
the ball already. The least of all bounds is a linear program, its solution the next s (cutting planes).

Kelley, "The cutting-plane method for solving convex programs", 1960.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Segment", "least_gauge"]

_ROUNDS = 300
_INWARDS = 0.2  # where a second cut is made: so far from the best point to that of the linear program


class Segment(NamedTuple):
    """The correlations that the dual points of one target can have, and what the free columns ask of these."""

    center: np.ndarray  # (n_features,)
    rows: np.ndarray  # (n_open, n_features)
    fixed: np.ndarray  # (n_open, n_fixed)
    owed: np.ndarray  # (n_fixed,)


def least_gauge(gauge, leave, value, segments, low, high, *, close=1e-6):
    """The least gauge, from above; the segments are the columns of v, or v itself where there is one of one dimension.

    Parameters
    ----------
    gauge : callable
        ``gauge(v)``, the least strength of v.
    leave : callable
        ``leave(v, strength)``: the prox of the penalty of that strength at v.
    value : callable
        ``value(w)`` of the penalty of strength one.
    segments : list of Segment
        One for each column.
    low, high : float
        Bounds of the shares s.
    close : float, default=1e-6
        Relative distance of the bounds that is enough; not below the error of `gauge`.
    """
    center = np.stack([part.center for part in segments], axis=1)
    ends = np.cumsum([0] + [len(part.rows) for part in segments])

    def correlation(share):
        parts = zip(segments, np.split(share, ends[1:-1]), strict=True)
        v = center + np.stack([part.rows.T @ own for part, own in parts], axis=1)
        return v if len(segments) > 1 else v[:, 0]

    if not ends[-1]:
        return gauge(correlation(np.empty(0)))
    slopes, levels, lower, upper, best = [], [], 0.0, np.inf, None
    for _ in range(_ROUNDS):
        share, bound = _cheapest(segments, np.array(slopes).reshape(-1, ends[-1]), np.array(levels), low, high)
        lower = max(lower, bound)
        for point in (share,) if best is None else (best + _INWARDS * (share - best), share):
            v = correlation(point)
            size = gauge(v)
            if size < upper:
                upper, best = size, point
            direction = leave(v, lower)
            price = float(value(direction))
            if price > 0:
                direction = direction.reshape(center.shape) / price
                slopes.append(np.concatenate([part.rows @ direction[:, k] for k, part in enumerate(segments)]))
                levels.append(float(np.sum(direction * center)))
        if upper - lower <= close * upper:
            break
    return upper


def _cheapest(segments, slopes, levels, low, high):
    """Shares with the least of ``max_k levels_k + slopes_k s``, and that, not below zero."""
    from scipy.optimize import linprog  # slow to import, rarely needed
    from scipy.sparse import block_diag, csc_array, hstack

    n_shares = slopes.shape[1]
    scale = float(np.max(np.abs(levels), initial=0.0)) or 1.0
    size = [np.maximum(np.max(np.abs(part.fixed), axis=0, initial=0.0), np.finfo(float).tiny) for part in segments]
    equal = owed = None
    if segments[0].fixed.shape[1]:
        tied = block_diag([(part.fixed / by).T for part, by in zip(segments, size, strict=True)])
        equal = csc_array(hstack([tied, csc_array((tied.shape[0], 1))]))
        owed = np.concatenate([-part.owed / by for part, by in zip(segments, size, strict=True)])
    found = linprog(
        np.r_[np.zeros(n_shares), 1.0],
        A_ub=np.hstack([slopes / scale, -np.ones((len(slopes), 1))]),
        b_ub=-levels / scale,
        A_eq=equal,
        b_eq=owed,
        bounds=[(low, high)] * n_shares + [(0.0, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.status != 0:
        raise ValueError(
            f"the linear program of alpha_max was not solved ({found.message}); scale the columns of A and y."
        )
    return found.x[:-1], scale * float(found.fun)
