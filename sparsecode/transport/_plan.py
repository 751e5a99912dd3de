"""The plan of a pair of potentials: dense, in compressed rows, or made a block of rows at a time when it is used."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator

from ._home import on_host

__all__ = ["PLANS", "LazyPlan", "as_dense", "make_plan", "rounded"]

PLANS = ("csr", "dense", "lazy", "feasible")


def make_plan(problem, f, g, kind, cuts):
    """``exp((f_i + g_j - C_ij) / reg)`` in the form asked for, or what the certificate makes of it.

    `cuts` are two arrays, for rows and columns: compressed rows leave out what is below both that of its row and of its column.
    """
    if kind == "lazy":
        return LazyPlan(problem, f, g)
    if kind == "csr":
        return _compressed(problem, f, g, cuts)
    plan = problem.gibbs(f, g, np.empty(problem.shape))
    return plan if kind == "dense" else rounded(plan, problem.a, problem.b)


def _compressed(problem, f, g, cuts):
    from ..kernels._exp import CUT
    from ..kernels.transport_sweeps import fill_plan, plan_counts

    with np.errstate(divide="ignore"):
        low, right = (problem.reg * np.maximum(np.log(cut), CUT) for cut in cuts)
    counts = np.empty(problem.shape[0], dtype=np.int64)
    problem.over_rows(lambda rows, part: plan_counts(rows, f[part], g, low[part], right, counts[part]))
    starts = np.concatenate([[0], np.cumsum(counts)])
    small = max(starts[-1], problem.shape[1]) < np.iinfo(np.int32).max
    indices, values = np.empty(starts[-1], np.int32 if small else np.int64), np.empty(starts[-1])

    def work(rows, part):
        fill_plan(rows, f[part], g, problem.reg, low[part], right, starts[part], indices, values)

    problem.over_rows(work)
    return csr_array((values, indices, starts.astype(indices.dtype)), shape=problem.shape)


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


def as_dense(plan):
    """Any form of a plan as a NumPy array."""
    return plan.toarray() if hasattr(plan, "toarray") else on_host(plan)


class LazyPlan(LinearOperator):
    """A plan as an operator: products with vectors and matrices, and blocks of rows; it never exists as a whole.

    Parameters
    ----------
    problem : Problem
        Cost and regularisation.
    f, g : ndarray of shape (n,) and (m,)
        Potentials.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.transport import solve
    >>> plan = solve(None, None, np.zeros((2, 4)), reg=1.0, plan="lazy").plan
    >>> (plan @ np.ones(4)).round(9)
    array([0.5, 0.5])
    """

    def __init__(self, problem, f, g):
        self._problem, self._f, self._g = problem, f, g
        super().__init__(np.dtype(np.float64), problem.shape)

    def rows(self, index):
        """Rows of the plan, of a slice or an array of indices."""
        cost = self._problem.cost.rows(index)
        return np.exp((self._f[index][:, None] + self._g - cost) / self._problem.reg)

    def toarray(self):
        """The whole plan."""
        return self.rows(slice(None))

    def _matmat(self, X):
        parts = self._problem.over_blocks(lambda start, stop: self.rows(slice(start, stop)) @ X)
        return np.concatenate(parts)

    def _rmatmat(self, X):
        parts = self._problem.over_blocks(lambda start, stop: self.rows(slice(start, stop)).T @ X[start:stop])
        return np.sum(parts, axis=0)

    def _matvec(self, x):
        return self._matmat(np.reshape(x, (-1, 1)))[:, 0]

    def _rmatvec(self, x):
        return self._rmatmat(np.reshape(x, (-1, 1)))[:, 0]
