"""Huber's loss with an l1 norm where most residuals lie far beyond its quadratic part: as a quadratic program.

    maximise over u   y^T u - 1/2 sum_i u_i**2 / weights_i       subject to   |u_i| <= delta weights_i,   |A^T u| <= cost

There curvatures hold for a tiny part of a Newton step, and tell nothing of the rest. A path through the inside of the bounds
(`central_path`) does not depend on them. Its end tells which samples are outliers, to which side, and which coefficients are not
zero; on these, a linear system gives coefficients and dual point to rounding.

Huber and Ronchetti, "Robust statistics", 2nd edition, 2009, section 7.8.
"""

from __future__ import annotations

import numpy as np

from ...losses import Huber
from ...penalties import L1
from ..free_fit import orthonormal_basis
from .central_path import central_path
from .newton import solve_definite

__all__ = ["HuberProgram"]

_FAR = 100.0  # deltas, from which on a median residual is far out
_CLOSE = 1e-11  # gap of the program, over the loss at zero
_LARGEST = 5e7  # numbers in the columns, which are copied
_BARELY = 1e-6  # cost of a column that is free but may not be negative, over the strength: it needs an inside
_REFINEMENTS, _ROUNDS = 3, 20
_ROUNDING, _ROUNDED = 1e-9, 1e-14  # of delta and of the target, by which a residual may miss the side it is on


class HuberProgram:
    """The quadratic program of a problem's samples and some of its columns."""

    def __init__(self, problem):
        self.problem = problem.in_double()
        loss = problem.loss
        self.has_intercept = getattr(loss, "has_intercept", False)
        self.delta = (loss.loss if self.has_intercept else loss).delta
        weights = np.broadcast_to(self.problem.row_weights, self.problem.target.shape)
        self.rows = np.flatnonzero(weights > 0)
        self.mass = np.asarray(weights[self.rows], dtype=np.float64)
        self.scale = float(self.problem.at_zero().loss)

    @staticmethod
    def suits(problem):
        """Whether it is this loss with this penalty."""
        return isinstance(getattr(problem.loss, "loss", problem.loss), Huber) and isinstance(problem.penalty, L1)

    def is_far(self, coef):
        """Whether most residuals of coefficients (n_features,) lie far beyond delta."""
        wide = self.problem
        residual = wide.target - (wide.design.product(np.asarray(coef, dtype=np.float64)) if np.any(coef) else 0.0)
        if self.has_intercept:
            residual = residual - wide.loss.best_constant(residual, 0.0 * residual, wide.row_weights)
        return bool(np.median(np.abs(residual[self.rows])) > _FAR * self.delta)

    def minimise(self, penalty, members):
        """Coefficients of some columns and a dual point (n_samples,) that proves them; None if the path is lost, or the program too large."""
        if members.size * self.rows.size > _LARGEST:
            return None
        columns, cost, one_sided = self._posed(penalty, members)
        n, target, free = self.rows.size, self.problem.target[self.rows], (cost == 0) & ~one_sided
        basis = orthonormal_basis(np, columns[free].T).T if np.any(free) else columns[free]
        none, high = np.zeros(basis.shape[0]), self.delta * self.mass
        limits = np.maximum(cost[~free], _BARELY * (penalty.alpha or np.max(np.abs(columns) @ high, initial=0.0)))
        close = _CLOSE * min(self.scale / float(np.sum(high * np.abs(target)) or 1.0), 1.0)
        end = central_path(
            np.vstack([basis, columns[~free]]), target, -high, high, np.concatenate([none, limits]),
            np.concatenate([none > 0, one_sided[~free]]), 1.0 / self.mass, close,
        )  # fmt: skip
        if end is None:
            return None
        slack, pull, _, grown = end
        pull, dual, values = pull[0] - pull[1], high - slack[0, :n], np.zeros(cost.size)
        values[~free] = (pull * grown)[n + none.size :]
        exact = self._settled(columns, cost, free, np.sign(values), np.where(grown[:n], np.sign(dual), 0.0), dual)
        if exact is not None:
            values, dual = exact
        elif np.any(free):
            left = target - dual / self.mass - pull[:n] - values @ columns
            values[free] = np.linalg.lstsq(columns[free].T, left, rcond=None)[0]
        point = np.zeros(self.problem.n_samples)
        point[self.rows] = dual
        return values[: members.size], point

    def _posed(self, penalty, members):
        """Columns (size, n) as rows, what each costs, and whether it may not be negative; the last is the intercept's."""
        weights = self.problem.penalty_weights
        cost = np.full(members.size, penalty.alpha) if weights is None else penalty.alpha * weights[members]
        columns, one_sided = self.problem.design.columns(members)[self.rows].T, np.full(members.size, penalty.positive)
        if self.has_intercept:
            columns = np.vstack([columns, np.ones((1, self.rows.size))])
            cost, one_sided = np.append(cost, 0.0), np.append(one_sided, False)
        return np.ascontiguousarray(columns), cost, one_sided

    def _settled(self, columns, cost, free, sign, outliers, dual):
        """Coefficients and dual point to rounding, where the path's signs and outliers are right or nearly so; None if they do not settle.

        Samples and coefficients that turn out to be on the other side change it.
        """
        target, bound = self.problem.target[self.rows], self.delta * self.mass
        room = _ROUNDING * self.delta + _ROUNDED * np.max(np.abs(target))
        for _ in range(_ROUNDS):
            kept = np.flatnonzero((sign != 0) | free)
            found = self._solved(columns[kept], target, (cost * sign)[kept], outliers, dual)
            if found is None:
                return None
            there, residual, point = found
            turned = kept[there * sign[kept] < 0]
            out = np.abs(residual) > self.delta + np.where(outliers == np.sign(residual), -room, room)
            before, outliers = outliers, np.where(out, np.sign(residual), 0.0)
            if not turned.size and np.array_equal(before, outliers):
                values = np.zeros(cost.size)
                values[kept] = there
                return values, np.clip(point, -bound, bound)
            sign[turned] = 0.0
        return None

    def _solved(self, columns, target, pull, outliers, dual):
        """Coefficients, their residual and the dual point of correlations `pull`, with outliers at their bounds; None where that fails.

        The other samples have residuals that are multipliers over their weights. A path that rounding has moved off them ends at
        multipliers that prove less; those of the residuals have fewer digits where targets are large. The better of both is kept.
        """
        inside, bound = outliers == 0, self.delta * self.mass
        dual, values = np.where(inside, dual, outliers * bound), np.zeros(columns.shape[0])
        if not columns.size:
            return values, target, dual
        within, mass = columns[:, inside], self.mass[inside]
        scaled = within * np.sqrt(mass)
        gram = np.asfortranarray(scaled @ scaled.T)
        for _ in range(_REFINEMENTS):
            residual = target - values @ columns
            owed = columns @ np.where(inside, self.mass * residual, outliers * bound) - pull
            both = solve_definite(gram.copy(order="F"), np.column_stack([owed, pull - columns @ dual]))
            if both is None:
                return None
            values = values + both[:, 0]
            dual[inside] += mass * (both[:, 1] @ within)
        residual = target - values @ columns
        other = np.where(inside, np.clip(self.mass * residual, -bound, bound), dual)
        left = solve_definite(gram, pull - columns @ other)
        if left is not None:
            other[inside] += mass * (left @ within)
            dual = max(dual, other, key=lambda point: target @ point - 0.5 * np.sum(point**2 / self.mass))
        return values, residual, dual
