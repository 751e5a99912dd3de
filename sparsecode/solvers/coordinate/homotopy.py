"""The whole path of a small Lasso at once: between the strengths at which its support changes, the coefficients are linear.

    min over x   1/(2 n) ||y - A x||^2 + alpha sum_j weights_j |x_j|      for alpha from infinity down to the least one asked for

Each change of the support is a rank-one update: a principal pivot of the Gram matrix where features are few (`_Table`), a row and
a column of the support's inverse Gram matrix where samples are (`Columns`). A path of a hundred strengths is then some dozens
of pivots, where a solver would be set up and certified a hundred times. What rounding or dependent columns spoil shows in the
certificates, all computed in two products; such strengths are left to the solver.

Osborne, Presnell and Turlach, "A new approach to variable selection in least squares problems", 2000.
Efron, Hastie, Johnstone and Tibshirani, "Least angle regression", 2004.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..gram_problem import GramProblem

__all__ = ["ROUNDING", "Columns", "homotopy_path", "is_small", "is_wide"]

_FEATURES, _ENTRIES = 256, 1 << 22  # a pivot costs the square of the features; the design is looked at as a dense array
_SAMPLES, _WIDE_ENTRIES = 128, 1 << 18  # or a product with the design, and there are some for each sample
_PIVOTS = 10  # for each feature: more are a circle that ties of rounding errors have closed
ROUNDING = 1e-14  # of the largest strength, by which two ways to it may differ
_DEPENDENT = 1e-10  # share of a column, squared, below which what is new in it may be rounding


def is_small(problem):
    """Whether the path is worth following, and has no orthant for free coefficients to stay in."""
    few = problem.n_features <= _FEATURES and problem.n_samples * problem.n_features <= _ENTRIES
    plain = not problem.design.is_matrix_free and not (problem.penalty.positive and problem.free_columns().size)
    return plain and (few or is_wide(problem))


def is_wide(problem):
    """Whether the support can never be large, and a product with the design costs little."""
    few = problem.n_samples <= min(_SAMPLES, problem.n_features) and not isinstance(problem, GramProblem)
    return few and problem.n_samples * problem.n_features <= _WIDE_ENTRIES


def homotopy_path(problem, alphas):
    """Coefficients (n_features, n_alphas) under an `L1` penalty, and how many pivots each took from the one before."""
    follower = _Table(problem) if isinstance(problem, GramProblem) else Columns(problem)
    coefs, pivots = np.zeros((problem.n_features, alphas.size)), np.zeros(alphas.size, dtype=np.int64)
    done, begun = 0, follower.pivots
    for _ in range(_PIVOTS * problem.n_features):
        follower.aim()
        alpha, column, sign = follower.next_change()
        if follower.pivots == begun:
            alpha *= 1.0 - ROUNDING  # a strength that others find to be the largest is one
        last = int(np.searchsorted(-alphas, -alpha))  # those at least as large as alpha
        if last > done:
            coefs[:, done:last] = follower.coefs(alphas[done:last])
            pivots[done:] = follower.pivots
            done = last
        if done == alphas.size:
            break
        follower.change(column, alpha, sign)
    return coefs, np.diff(pivots, prepend=0)


class _Follower(ABC):
    """A piece of the path: its support and signs, and the Gram matrix as far as the next piece needs it.

    On the support the coefficients are ``base - alpha * slope``, elsewhere the correlations are, all in the same two arrays.
    """

    base: Any
    slope: Any

    def __init__(self, problem, size, target):
        n_features = problem.n_features
        weights = problem.penalty_weights
        self.weights = np.ones(n_features) if weights is None else np.asarray(weights, dtype=np.float64)
        self.size, self.target = size, target  # Gram matrix's diagonal and correlations of the target, over n_samples
        self.positive = problem.penalty.positive
        self.alpha, self.pivots = np.inf, 0
        self.sign = np.zeros(n_features)
        self.inside = np.zeros(n_features, dtype=bool)
        self.excluded = (self.size <= 0) | np.isinf(self.weights)
        self.weights = np.where(self.excluded, 0.0, self.weights)
        self.barred = self.excluded.copy()
        self.rate, self.least = self.weights, 0.0  # of the strength in each column's threshold, and what it falls to
        for column in np.flatnonzero((self.weights == 0) & ~self.excluded):
            self._enter(column, 0.0)

    @abstractmethod
    def aim(self):
        """The piece that the support and its signs begin."""

    @abstractmethod
    def _left(self, column):
        """What of a column outside, squared, is not in the span of the support."""

    @abstractmethod
    def _pivot(self, column):
        """Exchange a coefficient for its correlation; done twice it undoes itself."""

    def coefs(self, alphas):
        """The coefficients at strengths of the piece; rounding carries none beyond zero."""
        coefs = np.where(self.inside[:, None], self.base[:, None] - self.slope[:, None] * alphas, 0.0)
        coefs[coefs * self.sign[:, None] < 0] = 0.0
        return coefs

    def next_change(self):
        """The largest strength at which the piece ends, the column that enters or leaves there, and its sign."""
        base, slope, least = self.base, self.slope, self.least
        free_to_enter = ~self.inside & ~self.barred
        above, below = self.rate + slope, self.rate - slope
        with np.errstate(divide="ignore", invalid="ignore"):
            leaves = np.where(self.inside & (self.sign * slope < 0), base / slope, 0.0)
            rises = np.where(free_to_enter & (above > 0), (base - least) / above, 0.0)
            falls = np.where(free_to_enter & (below > 0) & (not self.positive), (-base - least) / below, 0.0)
        times = np.concatenate([rises, falls, leaves])
        first = int(np.argmax(times))
        kind, column = divmod(first, base.size)
        return min(max(float(times[first]), 0.0), self.alpha), column, (1.0, -1.0, 0.0)[kind]

    def change(self, column, alpha, sign):
        """Let a column in with its sign, or out with none."""
        self.alpha = alpha
        if sign:
            self._enter(column, sign)
            return
        self.pivots += 1
        self._pivot(column)
        self.inside[column], self.sign[column] = False, 0.0
        self.barred = self.excluded.copy()

    def _enter(self, column, sign):
        if self._left(column) <= _DEPENDENT * self.size[column]:
            self.barred[column] = True  # until another one leaves
            return
        self.pivots += 1
        self._pivot(column)
        self.inside[column], self.sign[column] = True, sign


class _Table(_Follower):
    """The whole Gram matrix, the support pivoted in."""

    def __init__(self, problem):
        self.table = np.array(problem.design.matrix) / problem.n_samples
        super().__init__(problem, np.diagonal(self.table).copy(), problem.target / problem.n_samples)

    def aim(self):
        known = np.column_stack([self.target, self.weights * self.sign])
        piece = self.table @ np.where(self.inside[:, None], known, 0.0)
        outside = ~self.inside
        piece[outside] += known[outside]  # signs are zero there
        self.base, self.slope = piece.T

    def _left(self, column):
        return self.table[column, column]

    def _pivot(self, column):
        table = self.table
        pivot, row, left = table[column, column], table[column] / table[column, column], table[:, column].copy()
        table -= left[:, None] * row
        table[column], table[:, column] = row, -left / pivot
        table[column, column] = 1.0 / pivot


class Columns(_Follower):
    """The design's columns, as rows, and the inverse of the support's Gram matrix."""

    def __init__(self, problem):
        design, n_samples = problem.design, problem.n_samples
        self.rows = np.ascontiguousarray(design.columns(np.arange(problem.n_features)).T) / np.sqrt(n_samples)
        self.ends = np.column_stack([problem.target / np.sqrt(n_samples), np.zeros(n_samples)])
        self.support, self.inverse = np.empty(0, dtype=np.int64), np.empty((0, 0))
        size = np.where(design.column_sq_norms() > 0, np.einsum("ij,ij->i", self.rows, self.rows), 0.0)
        super().__init__(problem, size, self.rows @ self.ends[:, 0])

    def aim(self):
        support = self.support
        inside = self.inverse @ np.column_stack([self.target[support], (self.weights * self.sign)[support]])
        piece = self.rows @ (self.ends - self.rows[support].T @ inside)
        piece[support] = inside
        self.base, self.slope = piece.T

    def _left(self, column):
        touch = self.rows[self.support] @ self.rows[column]
        self.shared = self.inverse @ touch  # of the other columns, in this one
        self.rest = self.size[column] - touch @ self.shared
        return self.rest

    def _pivot(self, column):
        inverse, count = self.inverse, self.support.size
        if not self.inside[column]:
            self.support = np.append(self.support, column)
            self.inverse = np.empty((count + 1, count + 1))
            self.inverse[:count, :count] = inverse + np.outer(self.shared, self.shared) / self.rest
            self.inverse[count, :count] = self.inverse[:count, count] = -self.shared / self.rest
            self.inverse[count, count] = 1.0 / self.rest
            return
        place = int(np.flatnonzero(self.support == column)[0])
        others = np.delete(np.arange(count), place)
        link = inverse[others, place]
        self.inverse = inverse[np.ix_(others, others)] - np.outer(link, link) / inverse[place, place]
        self.support = self.support[others]
