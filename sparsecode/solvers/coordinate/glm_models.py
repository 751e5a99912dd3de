"""The quadratic model of a smooth misfit on a few columns, and its penalised minimiser.

    min over d   -u^T (A_W d + c) + 1/2 ||A_W d + c||_H^2 + sum_j weights_j penalty(w_j + d_j)

u is the negative gradient in the fitted values, H the diagonal of curvatures, c the best constant where there is an intercept
and zero where there is none. Coordinate descent runs on the weighted Gram matrix ``A_W^T H A_W`` (`GramModel`), or on
compressed columns with the residual ``u - H A_W d`` (`SparseModel`) where a Gram matrix would be waste.

Bertrand, Klopfenstein, Bannier, Gidel and Massias, "Beyond L1: faster and better sparse models with skglm", 2022
(arXiv 2204.07826).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ...designs import SparseDesign
from ...penalties._registry import SCALAR_PROX
from .support_step import support_step

__all__ = ["GramModel", "QuadraticModel", "SparseModel", "make_model"]

_SHORT = 0.02  # columns with fewer stored entries than this share are kept compressed
_INTERPRETED = 64  # features up to which sweeps are interpreted: numba is not even imported
_ROUNDS = 40
_SWEEPS = 5
_LARGE = 200  # columns from which on a sweep costs more than a look at what it has reached
_FORCING, _NEWTON_FORCING = 0.2, 0.01
_STALE = 0.25  # relative change of a sample's curvature from which on the Gram matrix follows it
_CHEAP = 4e6  # multiplications that cost less than the interpreter around a step: a Gram matrix of so many follows every change
_FEW = 0.4  # share of samples up to which their changes are cheaper than a new Gram matrix
_FIRST_CAPACITY = 256
_CANCELLED = 1e-6  # a Gram matrix is made anew once a change leaves so little of it


def make_model(design, has_intercept):
    """The representation that suits the design."""
    compressed = isinstance(design, SparseDesign) and design.matrix.nnz <= _SHORT * np.prod(design.shape, dtype=float)
    if compressed and design.shape[1] > _INTERPRETED:
        return SparseModel(design, has_intercept)
    return GramModel(design, has_intercept)


class QuadraticModel(ABC):
    """Columns `members` of a design, the curvatures `bend` of the samples, and coefficients that minimise the model."""

    members: Any  # (size,) columns, in the order in which they came
    bend: Any  # (n_samples,) curvatures that the model holds
    total: float  # their sum where there is an intercept, else zero
    coef: Any  # (size,) where the model stands
    first: int  # columns to start with, and at least as many are added at a time
    growth: float  # columns to add at a time, over the size of the support
    continuation: float  # strength of a round, at least this share of what the columns outside ask for
    knows_remaining = False  # whether `remaining` costs nothing

    def __init__(self, design, has_intercept):
        self.design, self.has_intercept = design.in_double(), has_intercept
        self.members = np.empty(0, dtype=np.int64)

    @property
    def forcing(self):
        """Defect of the model's minimiser over the defect before the step."""
        return _FORCING

    @abstractmethod
    def grow(self, new):
        """Append columns."""

    @abstractmethod
    def keep(self, places):
        """Drop all members but those at these places."""

    @abstractmethod
    def image(self, coef):
        """``A_W @ coef``, (n_samples,)."""

    @abstractmethod
    def products(self, vector):
        """``A_W^T @ vector``, (size,)."""

    @abstractmethod
    def bend_to(self, bend):
        """Take new curvatures."""

    @abstractmethod
    def begin(self, coef, dual, remaining):
        """Stand at `coef`; `dual` is balanced, `remaining` its products with the members."""

    @abstractmethod
    def sweep(self, penalty, weights):
        """Some sweeps of coordinate descent; returns the multiplications they took."""

    @abstractmethod
    def remaining(self):
        """Products of the members with the model's negative gradient, (size,)."""

    @abstractmethod
    def curvatures(self):
        """``a_j^T H a_j`` of the members, (size,)."""

    @abstractmethod
    def gram_of(self, support):
        """Weighted Gram matrix of some members, an array of the caller's own; None where it would be waste."""

    @abstractmethod
    def go_to(self, coef):
        """Stand at other coefficients."""

    def balanced(self, dual):
        """The dual of the model once its constant is the best one: with an intercept it sums to zero."""
        return dual - self.bend * (dual.sum() / self.total) if self.total > 0 else dual

    def constant(self, pull, moved):
        """The model's constant for a change of the fitted values by `moved`; `pull` is the sum of the dual."""
        return (pull - self.bend @ moved) / self.total if self.total > 0 else 0.0

    def minimise(self, penalty, weights, measure, enough):
        """Descend until the defect, as `measure` tells it from coefficients and remaining products, is at most `enough`."""
        work = spent = 0.0
        for _ in range(_ROUNDS):
            iterates = [self.coef.copy()]
            for count in range(_SWEEPS):
                work += self.sweep(penalty, weights)
                iterates.append(self.coef.copy())
                worth = count == _SWEEPS - 1 or (self.knows_remaining and self.coef.size >= _LARGE)
                if worth and measure(self.coef, self.remaining()) <= enough:
                    return
            spent += support_step(self, penalty, weights, iterates, work - spent)


class GramModel(QuadraticModel):
    """A model known through ``A_W^T H A_W``, which follows the curvatures only where they have changed noticeably."""

    first, growth, continuation = 100, 0.25, 0.3
    knows_remaining = True

    def __init__(self, design, has_intercept):
        super().__init__(design, has_intercept)
        self._rows = np.empty((0, design.shape[0]))  # columns of the design as rows, of which the first `size` count
        self._raw = np.empty((0, 0))
        self._compiled = design.shape[1] > _INTERPRETED
        self.bend, self.total = None, 0.0

    @property
    def _columns(self):
        return self._rows[: self.members.size]

    def grow(self, new):
        old, size = self.members.size, self.members.size + new.size
        if size > self._rows.shape[0]:
            capacity = max(size, min(max(2 * self._rows.shape[0], _FIRST_CAPACITY), self.design.shape[1]))
            rows = np.empty((capacity, self._rows.shape[1]))
            rows[:old] = self._columns
            self._rows = rows
        self._rows[old:size] = self.design.columns(new).T
        self.members = np.concatenate([self.members, new])
        if self.bend is None:
            return
        raw = np.empty((size, size))
        raw[:old, :old] = self._raw
        raw[old:] = (self._rows[old:size] * self.bend) @ self._rows[:size].T
        raw[:old, old:] = raw[old:, :old].T
        self._set(raw)

    def keep(self, places):
        self._rows[: places.size] = self._rows[places]
        self.members = self.members[places]
        if self.bend is not None:
            self._set(self._raw[np.ix_(places, places)])

    def image(self, coef):
        return coef @ self._columns

    def products(self, vector):
        return self._columns @ vector

    @property
    def _is_small(self):
        """Whether the matrix may be made anew for each step, for which descent then goes far: Newton's method, quadratic convergence."""
        return self.members.size**2 * self.design.shape[0] <= _CHEAP

    @property
    def forcing(self):
        return _NEWTON_FORCING if self._is_small else _FORCING

    def bend_to(self, bend):
        if self.bend is not None and not self._is_small:
            moved = np.flatnonzero(np.abs(bend - self.bend) > _STALE * np.maximum(bend, self.bend))
            if not moved.size:
                return
            if moved.size <= _FEW * bend.size:
                self._change(moved, bend[moved] - self.bend[moved])
                return
        self.bend = bend.copy()
        self._make()

    def _make(self):
        scaled = self._columns * np.sqrt(self.bend)
        self._set(scaled @ scaled.T)

    def _change(self, samples, change):
        """Add the outer products of some samples' rows, times the change of their curvatures."""
        rose, fell = change > 0, change < 0
        raw = self._raw.copy()
        for some, sign in ((samples[rose], 1.0), (samples[fell], -1.0)):
            part = self._columns[:, some] * np.sqrt(np.abs(change[rose if sign > 0 else fell]))
            raw += sign * (part @ part.T)
        self.bend[samples] += change
        if np.any(np.diagonal(raw) < _CANCELLED * np.diagonal(self._raw)):
            self._make()
        else:
            self._set(raw)

    def _set(self, raw):
        self._raw = self.gram = raw
        if self.has_intercept:
            self.total = float(self.bend.sum())
            touch = self._columns @ self.bend
            self.gram = raw - np.outer(touch, touch) / self.total
            rounding = 8 * np.finfo(np.float64).eps * np.diagonal(raw)
            constant = np.flatnonzero(np.diagonal(self.gram) <= rounding)
            self.gram[constant, constant] = 0.0  # a constant column is what the intercept does

    def begin(self, coef, dual, remaining):
        self.coef, self._remaining = coef.copy(), remaining.copy()

    def sweep(self, penalty, weights):
        descend = _interpreted_descent
        if self._compiled:
            from ...kernels.glm import gram_descent as descend
        return descend(self.gram, penalty, weights, self.coef, self._remaining, 1) * self.coef.size

    def remaining(self):
        return self._remaining

    def curvatures(self):
        return np.diagonal(self.gram)

    def gram_of(self, support):
        return self.gram[np.ix_(support, support)]

    def go_to(self, coef):
        changed = np.flatnonzero(coef != self.coef)
        self._remaining = self._remaining - (coef - self.coef)[changed] @ self.gram[changed]
        self.coef = coef.copy()


class SparseModel(QuadraticModel):
    """A model on compact CSC columns in float64."""

    first, growth, continuation = 200, 2.0, 0.1  # columns are cheap, looks at all of them are not

    def __init__(self, design, has_intercept):
        super().__init__(design, has_intercept)
        self._store(self.members)

    def grow(self, new):
        self._store(np.concatenate([self.members, new]))

    def keep(self, places):
        self._store(self.members[places])

    def _store(self, members):
        self.members = members
        columns = self.design.matrix[:, members].astype(np.float64)
        columns.indices = columns.indices.astype(np.int64, copy=False)
        columns.indptr = columns.indptr.astype(np.int64, copy=False)
        self._columns, self._rows = columns, columns.T  # transposed once: SciPy checks it anew every time
        squares = columns.copy()
        squares.data = columns.data**2
        self._squared_rows = squares.T

    def image(self, coef):
        return self._columns @ coef

    def products(self, vector):
        return self._rows @ vector

    def bend_to(self, bend):
        self.bend = bend
        self._touch, self.total = np.zeros(self.members.size), 0.0
        self._curvature = raw = self._squared_rows @ bend
        if self.has_intercept:
            self.total, self._touch = float(bend.sum()), self._rows @ bend
            self._curvature = raw - self._touch**2 / self.total
        self._curvature[self._curvature <= 8 * np.finfo(np.float64).eps * raw] = 0.0

    def begin(self, coef, dual, remaining):
        self.coef, self._residual = coef.copy(), dual.copy()
        self._drift = np.zeros(1)
        self._sweeps = 0

    def sweep(self, penalty, weights):
        from ...kernels.glm import sparse_descent

        columns = self._columns
        every = self._sweeps % _SWEEPS == 0  # else those that are not zero
        order = np.arange(self.coef.size) if every else np.flatnonzero((self.coef != 0) | (weights == 0))
        self._sweeps += 1
        sparse_descent(
            columns.data, columns.indices, columns.indptr, self.bend, self.total, self._touch, self._curvature,
            penalty, weights, self.coef, order, self._residual, self._drift,
        )  # fmt: skip
        return 4.0 * columns.nnz * order.size / max(self.coef.size, 1)

    def remaining(self):
        residual = self._residual
        if self.total > 0:
            residual = residual - self.bend * (self._drift[0] / self.total)
        return self._rows @ residual

    def curvatures(self):
        return self._curvature

    def gram_of(self, support):
        return None

    def go_to(self, coef):
        change = coef - self.coef
        self._residual -= self.bend * (self._columns @ change)
        self._drift[0] -= self._touch @ change
        self.coef = coef.copy()


def _interpreted_descent(gram, penalty, weights, coef, remaining, n_sweeps):
    """`kernels.glm.gram_descent` without the compiler, for small problems."""
    prox = SCALAR_PROX[type(penalty)]
    moves = 0
    for _ in range(n_sweeps):
        for j in range(coef.size):
            curvature = float(gram[j, j])
            if curvature <= 0.0:
                continue
            old = float(coef[j])
            change = prox(penalty, old + float(remaining[j]) / curvature, float(weights[j]) / curvature) - old
            if change != 0.0:
                coef[j] = old + change
                remaining -= change * gram[j]
                moves += 1
    return moves
