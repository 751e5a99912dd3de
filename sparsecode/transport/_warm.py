"""Entropic plans of one pair of marginals under one dense cost after another, each started from the last potentials."""

from __future__ import annotations

import numpy as np

__all__ = ["WarmPlan", "rounded"]

_SWEEPS = 10_000


class WarmPlan:
    """Sweeps of Sinkhorn's algorithm in the log domain, which keep their potentials between costs.

    Parameters
    ----------
    rows, columns : ndarray of shape (n,) and (m,)
        Marginals, positive.
    reg : float
        Strength of the entropy.
    """

    def __init__(self, rows, columns, reg):
        self.rows, self.columns, self.reg = rows, columns, reg
        self.f, self.g = np.zeros(rows.size), np.zeros(columns.size)

    def of(self, cost, tol):
        """The plan, rounded to the exact marginals, and the value of the dual problem there: a lower bound on the optimum."""
        from ..kernels.transport_sweeps import softmin_rows, sweep_rows

        cost = np.ascontiguousarray(cost)
        f, g = np.empty_like(self.f), self.g
        softmin_rows(cost, g, self.reg, f)
        f += self.reg * np.log(self.rows)
        g = self._column_line(cost, f)
        row_sums, best = np.empty_like(f), (np.inf, f, g)
        for _ in range(_SWEEPS):
            following, sums = np.empty_like(f), np.zeros_like(g)
            sweep_rows(cost, f, g, self.rows, self.reg, following, row_sums, sums)
            error = float(np.sum(np.abs(row_sums - self.rows)))
            best = min(best, (error, f, g), key=lambda state: state[0])
            if error <= tol:
                break
            f = following
            g = g + self.reg * np.log(self.columns / sums) if sums.min() > 0 else self._column_line(cost, f)
        _, self.f, self.g = best
        plan = np.exp(np.minimum((self.f[:, None] + self.g - cost) / self.reg, 700.0))
        dual = float(self.rows @ self.f + self.columns @ self.g - self.reg * plan.sum())
        return rounded(plan, self.rows, self.columns), dual

    def _column_line(self, cost, f):
        from ..kernels.transport_sweeps import softmin_rows

        g = np.empty_like(self.g)
        softmin_rows(np.ascontiguousarray(cost.T), f, self.reg, g)
        return g + self.reg * np.log(self.columns)


def rounded(plan, rows, columns):
    """A plan near this one with exactly these marginals.

    Altschuler, Weed and Rigollet, "Near-linear time approximation algorithms for optimal transport via Sinkhorn iteration", 2017
    (arXiv 1705.09634).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        plan = plan * np.fmin(rows / plan.sum(axis=1), 1.0)[:, None]
        plan = plan * np.fmin(columns / plan.sum(axis=0), 1.0)
    above, left = np.maximum(rows - plan.sum(axis=1), 0.0), np.maximum(columns - plan.sum(axis=0), 0.0)
    missing = above.sum()
    return plan + np.outer(above, left / left.sum()) if missing > 0 and left.sum() > 0 else plan
