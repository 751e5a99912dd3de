"""The square-root loss with an elastic net that can fit nearly exactly: by its multipliers, as many as there are samples.

    maximise over u   y^T u - P*(A^T u)        subject to   sum_i u_i**2 / weights_i <= 1

The residual is ``sigma u_i / weights_i``. Given its size sigma, the coefficients are what the multipliers ask for, ``ridge_j x_j =
a_j^T u - cost_j sign_j`` where ``|a_j^T u| > cost_j``; a support and its signs then leave one linear system in u and in what costs
nothing, and Newton's method lets the support follow u. Sigma is zero, or as large as makes the bound on u hold. Unlike solves of
the squared loss, which lose their grip as sigma vanishes, this does not become harder.

Li, Sun and Toh, "A highly efficient semismooth Newton augmented Lagrangian method for solving Lasso problems", 2018
(arXiv 1607.05428).
"""

from __future__ import annotations

import numpy as np

from ..._array import as_double, is_complex
from ...penalties import L1Ridge

__all__ = ["ridged_root"]

_MOST = 500  # samples: each step solves a system of them
_ROUNDS = 200  # changes of a support
_TOGETHER = 20  # after so many only what objects most changes: together they can go in circles
_FALLS = 0.01 ** np.arange(6)  # sizes of the residual that lead to none
_HALVINGS, _NEARLY = 60, 1.0 - 1e-6
_EPS = np.finfo(np.float64).eps
_ROUNDING = 1e-10  # of the largest product with multipliers


def ridged_root(problem, coef, sigma):
    """Coefficients and multipliers (n_samples,) of the optimum, from `coef` and the size `sigma` of its residual nearby.

    None where the supports do not settle, and for problems of another kind.
    """
    design, penalty = problem.design, problem.penalty
    plain = design.is_numpy and not design.is_matrix_free and not is_complex(problem.target)
    if not (plain and isinstance(penalty, L1Ridge) and 0 < penalty.l1_ratio < 1 and problem.n_samples <= _MOST):
        return None
    multipliers = _Multipliers(problem, coef)
    settled = multipliers.settle(0.0)
    for size in () if settled else (*(sigma * _FALLS), 0.0):
        settled = multipliers.settle(size)
    if settled and multipliers.size() > 1.0:  # no exact fit
        high = max(sigma, _ROUNDING * float(np.max(np.abs(multipliers.target))))
        while settled and multipliers.size() > 1.0:
            high *= 2.0
            settled = multipliers.settle(high)
        low = 0.0
        for _ in range(_HALVINGS):  # sizes of u fall as sigma rises
            middle = 0.5 * (low + high)
            if not (low < middle < high and multipliers.settle(middle)):
                break
            low, high = (middle, high) if multipliers.size() > 1.0 else (low, middle)
        settled = settled and multipliers.settle(high) and multipliers.size() > _NEARLY
    return (multipliers.values, multipliers.everywhere()) if settled else None


class _Multipliers:
    """Multipliers u and coefficients at a size of the residual, and the support that goes with them."""

    def __init__(self, problem, coef):
        self.problem = wide = problem.in_double()
        share = np.broadcast_to(wide.row_weights, wide.target.shape)
        self.rows = np.flatnonzero(share > 0)
        self.share, self.target = share[self.rows], wide.target[self.rows]
        self.one = np.ones((self.rows.size, 1 if getattr(problem.loss, "has_intercept", False) else 0))
        weights = np.ones(problem.n_features) if problem.penalty_weights is None else problem.penalty_weights
        weights, penalty = np.asarray(weights, dtype=np.float64), problem.penalty
        self.is_free, self.positive = weights == 0, penalty.positive
        self.cost = penalty.alpha * penalty.l1_ratio * weights
        self.bend = penalty.alpha * (1.0 - penalty.l1_ratio) * weights
        self.sign = np.where(self.is_free & (not penalty.positive), 1.0, np.sign(as_double(coef)))

    def size(self):
        """``sqrt(sum_i u_i**2 / weights_i)``."""
        return float(np.sqrt(np.sum(self.u**2 / self.share)))

    def everywhere(self):
        """The multipliers of all samples."""
        full = np.zeros(self.problem.n_samples)
        full[self.rows] = self.u
        return full

    def settle(self, sigma):
        """Find the support, the multipliers and the coefficients at a size of the residual; whether they settle."""
        for count in range(_ROUNDS):
            pull = self._solve(sigma)
            sign = self._signs(pull)
            changed = np.flatnonzero(sign != self.sign)
            if not changed.size:
                return bool(self.missed <= _ROUNDING * np.max(np.abs(self.target)))
            if count >= _TOGETHER:
                changed = changed[[np.argmax(np.abs(np.abs(pull) - self.cost)[changed])]]
            self.sign[changed] = sign[changed]
        return False

    def _solve(self, sigma):
        """Multipliers and coefficients of the support as it is; the products of all columns with the former."""
        held, free = np.flatnonzero((self.sign != 0) & ~self.is_free), np.flatnonzero((self.sign != 0) & self.is_free)
        design, n = self.problem.design, self.rows.size
        columns, fixed = design.columns(held)[self.rows], np.hstack([design.columns(free)[self.rows], self.one])
        soft = columns / self.bend[held]
        left, singular, right = np.linalg.svd(fixed)
        rank = int(np.count_nonzero(singular > max(fixed.shape) * _EPS * singular[0])) if singular.size else 0
        inside = left[:, rank:]  # what is orthogonal to all that costs nothing
        system = soft @ columns.T + np.diag(sigma / self.share)
        wanted = self.target + soft @ (self.cost[held] * self.sign[held])
        reduced, self.u = inside.T @ system @ inside, np.zeros(n)
        for _ in range(2):  # the second time clears what the first one rounds
            owed = inside.T @ (wanted - system @ self.u)
            self.u = self.u + inside @ np.linalg.lstsq(reduced, owed, rcond=None)[0]
        found = right[:rank].T @ ((left[:, :rank].T @ (wanted - system @ self.u)) / singular[:rank])
        self.missed = np.max(np.abs(wanted - system @ self.u - fixed @ found), initial=0.0)  # by what no u can explain
        pull = design.rmatvec(self.everywhere())
        self.values = np.zeros(self.sign.size)
        self.values[held] = (pull[held] - self.cost[held] * self.sign[held]) / self.bend[held]
        self.values[free] = found[: free.size]
        return pull

    def _signs(self, pull):
        """The signs of the coefficients that the multipliers ask for."""
        if not self.positive:
            return np.where(self.is_free, 1.0, np.where(np.abs(pull) > self.cost, np.sign(pull), 0.0))
        rounding = _ROUNDING * np.max(np.abs(pull), initial=0.0)
        kept = np.where(self.values != 0, self.values > 0, pull > rounding)
        return np.where(self.is_free, kept, pull > self.cost).astype(np.float64)
