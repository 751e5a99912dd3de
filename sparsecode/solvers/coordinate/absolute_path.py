"""The whole path of an absolute or quantile loss on few samples at once: the coefficients change at some strengths, and not between them.

    min over x   sum_i max(low_i r_i, high_i r_i) + alpha sum_j weights_j |x_j|          r = y - A x

A vertex interpolates as many samples (the basis) as coefficients are not zero (the support). Its multipliers u are linear in the
strength, ``u = base + alpha slope``: as alpha falls it stays optimal until a multiplier of the basis meets ``low`` or ``high``, or a column's
``|a_j^T u|`` meets ``alpha weights_j``. There one pivot leads to the next vertex: the sample, or the column, moves to where the next residual or
coefficient gets to zero. A hundred strengths are then some hundreds of pivots in NumPy, and nothing is compiled. All gaps are computed together;
strengths whose gap is too large are left to `simplex`.

Li and Zhu, "L1-norm quantile regression", 2008.
Yao and Lee, "Another look at linear programming for feature selection via methods of regularization", 2014.
"""

from __future__ import annotations

import time

import numpy as np

from ..._parallel import single_threaded_blas
from ..certificates import relative_gaps
from .at_once import proved

__all__ = ["absolute_path", "is_short", "moved_target"]

_SAMPLES, _ENTRIES = 128, 1 << 16  # a pivot costs the square of the samples, and a product with the design
_PIVOTS = 20  # for each sample: more are a circle
_REFRESH = 50  # pivots between two factorisations
_TINY = 1e-10  # of the largest change along an edge: smaller ones are rounding
_PERTURBATION = 1e-11  # of a target, relative


def is_short(problem):
    """Whether the path is worth following, and the penalty leaves no column free."""
    n_samples, n_features = problem.design.shape
    return n_samples <= _SAMPLES and n_samples * n_features <= _ENTRIES and not problem.free_columns().size


def moved_target(target):
    """A target moved far below the tolerance, so that no two residuals vanish by accident."""
    size = np.abs(target)
    typical = np.median(size[size > 0]) if np.any(size) else 1.0
    shift = np.random.default_rng(0).uniform(0.5, 1.0, size.size)
    return target + _PERTURBATION * shift * (size + typical)


def absolute_path(problem, alphas, tol):
    """Results for a descending sequence of strengths of an `L1` penalty, intercepts included; None for those whose gap misses `tol`."""
    began, alphas = time.perf_counter(), np.asarray(alphas, dtype=np.float64)
    with single_threaded_blas():  # many small products
        coefs, duals, pivots = _followed(problem, alphas)
        coefs = coefs.astype(problem.target.dtype)
        certificate, constants = relative_gaps(problem, coefs, alphas, duals)
    constants = np.broadcast_to(constants, alphas.shape).astype(problem.target.dtype)
    seconds = (time.perf_counter() - began) / alphas.size  # one strength's share
    found = zip(coefs.T, constants, certificate.value, certificate.objective, pivots, strict=True)
    return [proved(coef.copy(), c, gap, objective, own, seconds, tol) for coef, c, gap, objective, own in found]


def _followed(problem, alphas):
    """Coefficients and multipliers, one strength a column, and the pivots that each took from the one before."""
    vertex = _Vertex(problem)
    coefs, duals = np.zeros((problem.n_features, alphas.size)), np.zeros((problem.n_samples, alphas.size))
    done, pivots = 0, np.zeros(alphas.size, dtype=np.int64)
    for count in range(_PIVOTS * problem.n_samples):
        end, kind, index, sign = vertex.end()
        last = int(np.searchsorted(-alphas, -end))  # those at least as large
        if last > done:
            coefs[:, done:last], duals[:, done:last] = vertex.coef()[:, None], vertex.duals(alphas[done:last])
            pivots[done:] = count
            done = last
        if done == alphas.size or not vertex.move(end, kind, index, sign):
            break
    return coefs, duals, np.diff(pivots, prepend=0)


class _Vertex:
    """Support, basis and the inverse of ``columns[support][:, basis].T``; what follows from them at every strength.

    Shapes: n counts the samples of positive weight, m the columns, of which the last is that of the intercept if there is one.
    """

    def __init__(self, problem):
        wide = problem.in_double()
        core, self.shape = getattr(wide.loss, "loss", wide.loss), problem.design.shape
        mass = np.broadcast_to(np.asarray(wide.row_weights).ravel(), self.shape[:1])
        self.samples = np.flatnonzero(mass > 0)
        low, high = core.slopes()
        self.low, self.high = low * mass[self.samples], high * mass[self.samples]
        self.target = wide.target[self.samples]
        self.moved = moved_target(self.target)
        self.positive, self.alpha, self.since = problem.penalty.positive, np.inf, 0
        columns = np.asarray(wide.design.columns(np.arange(self.shape[1])))[self.samples]
        weights = problem.penalty_weights
        cost = np.ones(self.shape[1]) if weights is None else np.asarray(weights, dtype=np.float64)
        columns[:, np.isinf(cost)] = 0.0
        self.cost = np.where(np.isinf(cost), 1.0, cost)
        self.support, self.basis = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self.x = np.zeros(0)
        if getattr(wide.loss, "has_intercept", False):
            columns, self.cost = np.column_stack([columns, np.ones(self.samples.size)]), np.append(self.cost, 0.0)
            self.support, self.basis = np.array([self.shape[1]]), np.array([self._quantile()])
        self.rows, self.columns = np.ascontiguousarray(columns), np.ascontiguousarray(columns.T)  # (n, m), (m, n)
        self._settle()

    def _quantile(self):
        """The sample that the best constant interpolates: its multiplier balances the others'."""
        order = np.argsort(self.moved)
        low, high = self.low[order], self.high[order]
        others = np.cumsum(low) - low + (high.sum() - np.cumsum(high))
        return order[np.argmin(np.maximum(low + others, -others - high))]

    def _settle(self):
        """Inverse, coefficients, residual and the multipliers off the basis, from support and basis."""
        matrix = self.columns[self.support][:, self.basis].T
        self.inverse = np.linalg.inv(matrix) if self.support.size else np.empty((0, 0))
        self.x = self.inverse @ self.moved[self.basis]
        self.residual = self.moved - self.x @ self.columns[self.support]
        self.residual[self.basis] = 0.0
        self.u = np.where(self.residual > 0, self.high, self.low)
        self.u[self.basis] = 0.0
        self.pulls = self.u @ self.rows  # (m,), off the basis
        self.since = 0

    def end(self):
        """The strength at which the vertex ceases to be optimal, and what moves there: 0 a place of the basis or 1 a column, which, its sign."""
        signs = self.cost[self.support] * np.sign(self.x)
        slope, base = np.stack([signs, -self.pulls[self.support]]) @ self.inverse
        linear = np.zeros((2, self.u.size))
        linear[0, self.basis], linear[1], linear[1, self.basis] = slope, self.u, base
        self.linear = linear  # slopes and values at strength zero of the multipliers
        along, at_zero = linear @ self.rows
        above, below = self.cost - along, self.cost + along
        rising = slope < 0  # as the strength falls
        with np.errstate(divide="ignore", invalid="ignore"):
            leaves = np.where(rising, self.high[self.basis] - base, self.low[self.basis] - base) / slope
            enters = np.where(above > 0, at_zero / above, 0.0)
            falls = np.where(below > 0, -at_zero / below, 0.0)
        leaves[slope == 0] = 0.0
        if self.positive:
            falls[:] = 0.0
        enters[self.support] = falls[self.support] = 0.0
        if self.cost.size > self.shape[1]:
            enters[-1] = falls[-1] = 0.0
        times = np.concatenate([leaves, enters, falls])
        first = int(np.argmax(times))
        strength, n_leaves = min(max(float(times[first]), 0.0), self.alpha), leaves.size
        if first < n_leaves:
            return strength, 0, first, 1.0 if rising[first] else -1.0
        side, column = divmod(first - n_leaves, self.cost.size)
        return strength, 1, column, -1.0 if side else 1.0

    def move(self, strength, kind, index, sign):
        """Pivot: whether there was a next vertex."""
        self.alpha = strength
        inverse, columns = self.inverse, self.columns
        ahead = inverse[:, index] if kind == 0 else inverse @ columns[index, self.basis]
        step = -sign * ahead
        change = -(step @ columns[self.support])
        if kind == 1:
            change -= sign * columns[index]
        change[self.basis] = 0.0
        tiny = _TINY * max(float(np.max(np.abs(change), initial=0.0)), 1.0 if kind == 0 else 0.0)
        meets = np.where(
            (np.abs(change) > tiny) & (self.residual * change < 0),
            -self.residual / np.where(change, change, 1.0),
            np.inf,
        )
        held = (self.cost[self.support] > 0) & (self.x * step < 0)
        ends = np.where(held, -self.x / np.where(held, step, 1.0), np.inf)
        sample, place = int(np.argmin(meets)), int(np.argmin(ends)) if ends.size else 0
        by_sample = not ends.size or meets[sample] <= ends[place]
        length = float(meets[sample] if by_sample else ends[place])
        if not np.isfinite(length):
            return False
        self.x = self.x + length * step
        self.residual += length * change
        if kind == 0:
            self._slope_of(self.basis[index], sign, sign * length)
        if by_sample:
            self._interpolate(sample, kind, index, ahead, sign * length)
        else:
            self._leave(place, kind, index, ahead, sign * length)
        self.since += 1
        if self.since >= _REFRESH:
            self._settle()
        return bool(np.all(np.isfinite(self.x)))

    def _slope_of(self, sample, sign, residual):
        """A sample of the basis is released."""
        self.residual[sample] = residual
        self.u[sample] = self.high[sample] if sign > 0 else self.low[sample]
        self.pulls += self.u[sample] * self.rows[sample]

    def _interpolate(self, sample, kind, index, ahead, value):
        """A sample joins the basis, in place of the one released or together with the column that moved."""
        self.pulls -= self.u[sample] * self.rows[sample]
        self.u[sample] = self.residual[sample] = 0.0
        entries = self.rows[sample, self.support] @ self.inverse
        if kind == 0:
            entries[index] -= 1.0
            self.inverse = self.inverse - np.outer(ahead / (1.0 + entries[index]), entries)
            self.basis[index] = sample
            return
        size, schur = self.x.size, self.rows[sample, index] - self.rows[sample, self.support] @ ahead
        grown = np.empty((size + 1, size + 1))
        grown[:size, :size] = self.inverse + np.outer(ahead / schur, entries)
        grown[:size, size], grown[size, :size], grown[size, size] = -ahead / schur, -entries / schur, 1.0 / schur
        self.inverse, self.x = grown, np.append(self.x, value)
        self.support, self.basis = np.append(self.support, index), np.append(self.basis, sample)

    def _leave(self, place, kind, index, ahead, value):
        """A column leaves the support, in place of the one that moved or together with the sample released."""
        if kind == 1:
            ahead = ahead.copy()
            ahead[place] -= 1.0
            self.inverse = self.inverse - np.outer(ahead / (1.0 + ahead[place]), self.inverse[place])
            self.support[place], self.x[place] = index, value
            return
        others, rest = np.delete(np.arange(self.x.size), place), np.delete(np.arange(self.x.size), index)
        link = self.inverse[others, index] / self.inverse[place, index]
        self.inverse = self.inverse[np.ix_(others, rest)] - np.outer(link, self.inverse[place, rest])
        self.support, self.x, self.basis = self.support[others], self.x[others], self.basis[rest]

    def coef(self):
        """The coefficients (n_features,) of the vertex for the target itself."""
        wanted, matrix = self.target[self.basis], self.columns[self.support][:, self.basis].T
        values = self.inverse @ wanted
        values += self.inverse @ (wanted - matrix @ values)
        coef = np.zeros(self.cost.size)
        coef[self.support] = values
        coef = coef[: self.shape[1]]
        return np.maximum(coef, 0.0) if self.positive else coef

    def duals(self, alphas):
        """The multipliers of all samples, one strength a column."""
        duals = np.zeros((self.shape[0], alphas.size))
        duals[self.samples] = self.linear[1][:, None] + self.linear[0][:, None] * alphas
        return duals
