"""The linear program of an absolute or quantile loss with an l1 norm, on a few columns, and a vertex of it.

The target is moved by random numbers far below the tolerance, so that no two residuals vanish by accident and every pivot
descends; the coefficients are then those of the target itself on the basis found.

Barrodale and Roberts, "An improved algorithm for discrete l1 linear approximation", 1973.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .absolute_path import moved_target
from .central_path import central_vertex

__all__ = ["OPTIMAL", "PAUSED", "STUCK", "Simplex"]

OPTIMAL, PAUSED, STUCK = "optimal", "paused", "stuck"  # what pivoting came to

_LEFT, _ROUNDING = 1e-10, 1e-14  # of the target: what a coefficient adds to it that perturbation, or rounding, leaves
_REFRESH = 50  # pivots between two factorisations
_PIVOTS = 100  # for each row and column: more than are ever needed
_LEAP_STEPS = 16  # of the central path
_DENSE = 12.0  # how many times faster products of matrices are than the loops of a pivot
_LEFT_OF_THEM, _PIVOTS_EACH = 0.75, 8.0  # support over the columns that object at first, pivots for each of it
_PIVOT_WORK, _STEP_WORK = 3e4, 6e5  # what does not depend on the size


class Simplex:
    """The linear program of the columns met so far, and its vertex.

    Shapes: n counts the samples of positive weight, size the members, rank the support and the basis.
    """

    def __init__(self, design, has_intercept):
        self.design, self.has_intercept = design.in_double(), has_intercept
        self.members = np.empty(0, dtype=np.int64)  # -1 stands for the intercept
        self.rows: Any = None
        self.target: Any = None
        self.columns = np.empty((0, 0))

    def begin(self, target, weights, slopes):
        """Take a target (n_samples,); the vertex of the last one stays if it is the same."""
        rows = np.flatnonzero(weights > 0)
        if self.rows is None or not np.array_equal(rows, self.rows):
            members = self.members[self.members >= 0]
            self.rows, self.members, self.columns = rows, np.empty(0, dtype=np.int64), np.empty((0, rows.size))
            self.target = None
            self.grow(members)
        wanted = np.array(target[rows], dtype=np.float64)
        self.low, self.high = slopes[0] * weights[rows], slopes[1] * weights[rows]
        if self.target is not None and np.array_equal(wanted, self.target):
            return
        self.target = wanted
        self.moved = moved_target(wanted)
        self.support, self.basis = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)

    def grow(self, new):
        """Append columns, and first of all that of the intercept."""
        fresh = self.design.columns(new)[self.rows].T if new.size else np.empty((0, self.rows.size))
        if self.has_intercept and -1 not in self.members:
            new, fresh = np.append(-1, new), np.vstack([np.ones((1, self.rows.size)), fresh])
        self.members = np.concatenate([self.members, new])
        self.columns = np.ascontiguousarray(np.vstack([self.columns, fresh]))

    def _program(self, alpha, penalty_weights, positive):
        """What is minimised over the columns met so far."""
        from ...kernels.absolute import Program

        real = self.members >= 0
        cost = np.zeros(self.members.size)
        cost[real] = alpha if penalty_weights is None else alpha * penalty_weights[self.members[real]]
        mass = np.abs(self.columns) @ np.maximum(self.high, -self.low)
        rows = np.ascontiguousarray(self.columns.T)
        return Program(self.columns, rows, self.low, self.high, cost, mass, real & positive)

    def _vertex(self):
        """Room for the vertex and those that follow; coefficients, residual and inverse are `_settle`'s."""
        from ...kernels.absolute import Vertex

        count, n, rank = self.members.size, self.rows.size, self.support.size
        capacity = min(count, n) + 1
        support, basis = np.zeros(capacity, dtype=np.int64), np.zeros(capacity, dtype=np.int64)
        support[:rank], basis[:rank] = self.support, self.basis
        place, seat = np.full(count, -1), np.full(n, -1)
        place[self.support], seat[self.basis] = np.arange(rank), np.arange(rank)
        self.u = np.zeros(n)
        self.x = np.zeros(count)
        inverse, residual = np.zeros((capacity, capacity)), self.moved.copy()
        return Vertex(support, basis, inverse, place, seat, self.x, residual, self.u)

    def leap(self, alpha, penalty_weights, positive):
        """Go to a vertex near the optimum, through the inside; whether there was a way."""
        program = self._program(alpha, penalty_weights, positive)
        if np.any(program.positive & (program.cost <= 0)):  # no inside
            return False
        found = central_vertex(program.columns, self.moved, self.low, self.high, program.cost, program.positive)
        if found is not None:
            self.support, self.basis = found
        return found is not None

    def solve(self, alpha, penalty_weights, positive, budget):
        """Pivot to the optimum, or until the budget (see `leap_work`) is spent; what it came to."""
        from ...kernels.absolute import absolute_pivots

        program, vertex = self._program(alpha, penalty_weights, positive), self._vertex()
        count, n = self.members.size, self.rows.size
        self.pivots, status, last, rank, spent = 0, 0, -1, self.support.size, 0.0
        while self.pivots < _PIVOTS * (n + count):
            self.support, self.basis = vertex.support[:rank].copy(), vertex.basis[:rank].copy()
            if not self._settle(vertex):
                return STUCK
            if spent > budget:
                return PAUSED
            rank, last, status = absolute_pivots(program, vertex, rank, _REFRESH)
            self.pivots += last
            spent += last * (2.0 * rank * (rank + n + count) + _PIVOT_WORK)
            if status and last == 0:  # said right after a factorisation
                break
        self.support, self.basis = vertex.support[:rank].copy(), vertex.basis[:rank].copy()
        return OPTIMAL if status == 1 else STUCK

    def leap_work(self):
        """Additions and multiplications of a pivot that take as long as a leap would once all that object have joined."""
        n = self.rows.size
        count = min(self.design.shape[1], self.members.size + n)
        side = min(n, count)
        return _LEAP_STEPS * ((n * count * side + side**3 / 3.0) / _DENSE + _STEP_WORK)

    def foresees_a_leap(self, objecting):
        """Whether a leap is less work than the pivots to the support that so many objecting columns leave, before any has joined."""
        rank = _LEFT_OF_THEM * min(objecting, self.rows.size)
        pivot = rank * (1.5 * rank + self.rows.size) + _PIVOT_WORK  # half way
        return _PIVOTS_EACH * rank * pivot > self.leap_work()

    def _settle(self, vertex):
        """Write inverse, coefficients and residual of the vertex; whether it is one."""
        residual, rank = self.moved.copy(), self.support.size
        if rank:
            matrix, wanted = self.columns[self.support][:, self.basis].T, self.moved[self.basis]
            try:
                vertex.inverse[:rank, :rank] = found = np.linalg.inv(matrix)
            except np.linalg.LinAlgError:
                return False
            values = found @ wanted
            values = values + found @ (wanted - matrix @ values)
            vertex.x[self.support] = values
            residual -= values @ self.columns[self.support]
            residual[self.basis] = 0.0
        vertex.residual[:] = residual
        return bool(np.all(np.isfinite(residual)))

    def coef(self, n_features, positive):
        """The coefficients (n_features,) of the vertex for the target itself."""
        values = np.zeros(self.members.size)
        if self.support.size:
            matrix, wanted = self.columns[self.support][:, self.basis].T, self.target[self.basis]
            found = np.linalg.solve(matrix, wanted)
            values[self.support] = found + np.linalg.solve(matrix, wanted - matrix @ found)
            reach = np.mean(np.abs(self.columns[self.support]), axis=1) * np.abs(values[self.support])
            turned = values[self.support] * self.x[self.support] <= 0  # only the moved target takes it off zero
            rounding = reach <= np.where(turned, _LEFT, _ROUNDING) * np.mean(np.abs(self.moved))
            values[self.support[rounding]] = 0.0
        coef = np.zeros(n_features)
        real = self.members >= 0
        coef[self.members[real]] = np.maximum(values[real], 0.0) if positive else values[real]
        return coef

    def dual(self, n_samples):
        """The multipliers of all samples (n_samples,)."""
        full = np.zeros(n_samples)
        full[self.rows] = self.u
        return full
