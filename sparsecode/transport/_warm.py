"""Entropic plans of one pair of marginals under one dense cost after another, each started from the last potentials."""

from __future__ import annotations

import numpy as np

from .._parallel import single_threaded_blas
from ._costs import ArrayCost
from ._plan import rounded
from ._problem import Problem, Record
from ._sinkhorn import sinkhorn_sweeps
from ._start import centred

__all__ = ["WarmPlan"]

_SWEEPS = 10_000


class WarmPlan:
    """Sweeps of Sinkhorn's algorithm, on one thread, which keep their potentials between costs.

    Parameters
    ----------
    rows, columns : ndarray of shape (n,) and (m,)
        Marginals, positive, of total one.
    reg : float
        Strength of the entropy.
    """

    def __init__(self, rows, columns, reg):
        self.rows, self.columns, self.reg = rows, columns, reg
        self.f, self.g = np.zeros(rows.size), np.zeros(columns.size)

    def of(self, cost, tol):
        """The plan, rounded to the exact marginals, and the value of the dual problem there: a lower bound on the optimum."""
        problem = Problem(self.rows, self.columns, ArrayCost(cost), self.reg, n_jobs=1)
        with single_threaded_blas():
            found = sinkhorn_sweeps(problem, self.f, self.g, tol=tol, max_iter=_SWEEPS, record=Record())
        self.f, self.g = centred(self.rows, self.columns, found.f, found.g)
        plan = problem.gibbs(self.f, self.g, np.empty(problem.shape))
        dual = float(self.rows @ self.f + self.columns @ self.g - self.reg * plan.sum())
        return rounded(plan, self.rows, self.columns), dual
