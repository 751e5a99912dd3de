"""Absolute and quantile losses with an l1 norm: a simplex method on the columns that are needed, exact.

    min over x   sum_i weights_i max(low r_i, high r_i) + alpha sum_j weights_j |x_j|          r = y - A x

The linear program of a few columns is solved to its end (`kernels.absolute`); its multipliers u price all other columns by
the one product ``A^T u`` that the certificate needs anyway, and those with ``|a_j^T u| > alpha weights_j`` join. A vertex stays one
when columns join or the strength changes, so every solve starts where the last one ended, also along a path. The target is
moved by random numbers far below the tolerance, so that no two residuals vanish by accident and every pivot descends; the
coefficients are then those of the target itself on the basis found.

Barrodale and Roberts, "An improved algorithm for discrete l1 linear approximation", 1973.
Wang, Li and Jiang, "Robust regression shrinkage and consistent variable selection through the LAD-Lasso", 2007.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._array import is_complex, real_dtype
from ..._parallel import single_threaded_blas
from ...designs import GramDesign
from ...losses import Absolute, Quantile
from ...penalties import L1
from ..certificates import gap_of_pair, relative_gap, stationarity, stationarity_of_pair
from ..driver import State, drive
from ..methods import Method

__all__ = ["LEAST_ABSOLUTE"]

_FIRST = 50  # columns that join at least in one round, if so many object
_GROWTH = 1.0  # as many as this share of the support
_PERTURBATION = 1e-11  # of a target, relative
_REFRESH = 50  # pivots between two factorisations
_PIVOTS = 100  # for each row and column: more than are ever needed


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
            self._append(members)
        wanted = np.array(target[rows], dtype=np.float64)
        self.low, self.high = slopes[0] * weights[rows], slopes[1] * weights[rows]
        if self.target is not None and np.array_equal(wanted, self.target):
            return
        self.target = wanted
        size = np.abs(wanted)
        typical = np.median(size[size > 0]) if np.any(size) else 1.0
        shift = np.random.default_rng(0).uniform(0.5, 1.0, size.size)
        self.moved = wanted + _PERTURBATION * shift * (size + typical)
        self.support, self.basis = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)

    def _append(self, new):
        fresh = self.design.columns(new)[self.rows].T if new.size else np.empty((0, self.rows.size))
        if self.has_intercept and -1 not in self.members:
            new, fresh = np.append(-1, new), np.vstack([np.ones((1, self.rows.size)), fresh])
        self.members = np.concatenate([self.members, new])
        self.columns = np.ascontiguousarray(np.vstack([self.columns, fresh]))

    def grow(self, new):
        """Append columns."""
        self._append(new)

    def solve(self, alpha, penalty_weights, positive):
        """Pivot to the optimum; whether it was reached."""
        from ...kernels.absolute import absolute_pivots

        count, n = self.members.size, self.rows.size
        real = self.members >= 0
        cost = np.zeros(count)
        cost[real] = alpha if penalty_weights is None else alpha * penalty_weights[self.members[real]]
        mass = np.abs(self.columns) @ np.maximum(self.high, -self.low)
        one_sided = real & positive
        rank, capacity = self.support.size, min(count, n) + 1
        support, basis = np.zeros(capacity, dtype=np.int64), np.zeros(capacity, dtype=np.int64)
        support[:rank], basis[:rank] = self.support, self.basis
        place, seat = np.full(count, -1), np.full(n, -1)
        place[self.support], seat[self.basis] = np.arange(rank), np.arange(rank)
        x, self.u = np.zeros(count), np.zeros(n)
        inverse = np.zeros((capacity, capacity))
        rows = np.ascontiguousarray(self.columns.T)
        problem = (self.columns, rows, self.low, self.high, cost, mass, one_sided)
        self.pivots, status, last = 0, 0, -1
        while self.pivots < _PIVOTS * (n + count):
            self.support, self.basis = support[:rank].copy(), basis[:rank].copy()
            residual = self._settle(x, inverse)
            if residual is None:
                return False
            rank, last, status = absolute_pivots(
                *problem, support, basis, rank, inverse, place, seat, x, residual, self.u, _REFRESH
            )
            self.pivots += last
            if status and last == 0:  # said right after a factorisation
                break
        self.support, self.basis = support[:rank].copy(), basis[:rank].copy()
        return status == 1

    def _settle(self, x, inverse):
        """Write inverse and coefficients of the vertex; return the residual, or None if the vertex is none."""
        residual = self.moved.copy()
        rank = self.support.size
        if rank:
            matrix, wanted = self.columns[self.support][:, self.basis].T, self.moved[self.basis]
            try:
                inverse[:rank, :rank] = found = np.linalg.inv(matrix)
            except np.linalg.LinAlgError:
                return None
            values = found @ wanted
            values = values + found @ (wanted - matrix @ values)
            x[self.support] = values
            residual -= values @ self.columns[self.support]
            residual[self.basis] = 0.0
        return residual if np.all(np.isfinite(residual)) else None

    def coef(self, n_features, positive):
        """The coefficients (n_features,) of the vertex for the target itself."""
        values = np.zeros(self.members.size)
        if self.support.size:
            matrix, wanted = self.columns[self.support][:, self.basis].T, self.target[self.basis]
            found = np.linalg.solve(matrix, wanted)
            values[self.support] = found + np.linalg.solve(matrix, wanted - matrix @ found)
        coef = np.zeros(n_features)
        real = self.members >= 0
        coef[self.members[real]] = np.maximum(values[real], 0.0) if positive else values[real]
        return coef

    def dual(self, n_samples):
        """The multipliers of all samples (n_samples,)."""
        full = np.zeros(n_samples)
        full[self.rows] = self.u
        return full


class _Duals:
    """The multipliers of the vertex last yielded."""

    point: Any = None


def _steps(problem, start, simplex, duals):
    """Yield the vertex of one working set after another."""
    certificate = yield State(start)
    wide, penalty = problem.in_double(), problem.penalty
    weights = np.full(problem.n_samples, wide.row_weights) if isinstance(wide.row_weights, float) else wide.row_weights
    core = getattr(problem.loss, "loss", problem.loss)
    simplex.begin(wide.target, weights.ravel(), core.slopes())
    while True:
        new = _objecting(wide, certificate.point.correlation, np.flatnonzero(start), simplex.members)
        with single_threaded_blas():
            simplex.grow(new)
            done = simplex.solve(penalty.alpha, wide.penalty_weights, penalty.positive)
            coef = simplex.coef(problem.n_features, penalty.positive)
        duals.point = simplex.dual(problem.n_samples)
        start = coef.astype(problem.target.dtype)
        certificate = yield State(start, finished=not done or (not new.size and simplex.pivots == 0))


def _objecting(problem, correlation, needed, members):
    """Columns to add: those needed, free ones, and the ones that object most."""
    cost = np.full(problem.n_features, problem.penalty.alpha)
    if problem.penalty_weights is not None:
        cost = problem.penalty.alpha * problem.penalty_weights if problem.penalty.alpha else cost
        cost = np.where(np.isinf(problem.penalty_weights), np.inf, cost)
    size = np.maximum(correlation, 0.0) if problem.penalty.positive else np.abs(correlation)
    excess = np.where(cost > 0, size / np.where(cost > 0, cost, 1.0), np.inf)
    excess[needed] = np.inf
    excess[members[members >= 0]] = 0.0
    forced = np.flatnonzero(np.isinf(excess))
    excess[forced] = 0.0
    objecting = np.flatnonzero(excess > 1.0)
    count = max(_FIRST, int(_GROWTH * needed.size))
    if objecting.size > count:
        objecting = np.sort(objecting[np.argpartition(excess[objecting], -count)[-count:]])
    return np.concatenate([forced, objecting])


def _suits(problem):
    """Real NumPy data (or sparse, or an operator), a loss linear on both sides of zero, an l1 norm."""
    core = getattr(problem.loss, "loss", problem.loss)
    pair = isinstance(core, (Absolute, Quantile)) and isinstance(problem.penalty, L1)
    design = problem.design
    plain = design.is_numpy and not design.is_matrix_free and not isinstance(design, GramDesign)
    return pair and plain and not is_complex(problem.target)


def _remember(problem):
    return Simplex(problem.design, bool(getattr(problem.loss, "has_intercept", False)))


def _run(problem, coef, memory, *, tol, max_iter, callback=None, screening=True):
    """One target, from `coef`. No warning."""
    single = real_dtype(problem.xp, problem.target.dtype) == problem.xp.float32
    duals = _Duals()
    plain, of_pair = (relative_gap, gap_of_pair) if problem.penalty.alpha > 0 else (stationarity, stationarity_of_pair)

    def certify(coef):
        return plain(problem, coef) if duals.point is None else of_pair(problem, coef, duals.point)

    steps = _steps(problem, coef, memory, duals)
    return drive(steps, certify, max_iter=max_iter, tol=max(tol, 1e-6) if single else tol, callback=callback)


LEAST_ABSOLUTE = Method("least_absolute", _suits, _run, _remember, each_target=True)
