"""The loop of loss-based OMP for the two Euclidean losses: score every column, take or drop one, refit by least squares.

All targets advance in step, so that their products with the design are one matrix product; each has its own support. Scores and
products live where the arrays do, decisions are made in NumPy, everything in double precision.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import asarray_like, to_numpy
from ..support import ExplicitFit, make_support_fit
from .greedy_lasso_rules import EUCLIDEAN_RULES
from .independence import first_independent
from .rules import dependence, rounding

__all__ = ["Request", "Walk", "euclidean_pursuit", "next_move", "strengths"]


class Request(NamedTuple):
    """A validated request."""

    loss: str  # "squared", "square_root" or "absolute"
    penalty: str  # "l0" or "l1"
    alpha: float | None  # as the user gave it
    n_nonzero: int  # columns beside the free ones
    candidates: str  # "new", "all" or "backward"
    scale_free: bool
    keep_path: bool
    precision: float  # of the data

    @property
    def noise(self):
        """Squared correlations below this share of ``||a_j||^2 ||y||^2`` are rounding errors."""
        return rounding(self.precision) ** 2

    @property
    def dependence(self):
        """Columns whose squared distance to the span of the others is below this share of their squared norm lie in it."""
        return dependence(self.precision)

    @property
    def max_steps(self):
        """More than any pursuit takes: additions, and removals that each lower the penalised objective."""
        return 10 * self.n_nonzero + 10


class Walk:
    """What is recorded on the way of one target."""

    def __init__(self, alpha):
        self.alpha = alpha
        self.selected: list[int] = []
        self.removed: list[int] = []
        self.decrease: list[float] = []
        self.objective: list[float] = []
        self.path: list[Any] = []
        self.was_cut = False  # whether the limit of steps ended it

    def history(self, keep_path):
        """The record as plain lists."""
        record = {name: getattr(self, name) for name in ("selected", "removed", "decrease", "objective", "alpha")}
        return record | ({"path": np.stack(self.path, axis=1)} if keep_path else {})


def strengths(request, alpha, weights, scaling):
    """s_j in the unscaled form of the rules: ``scaling * alpha * w_j`` (l1) or ``scaling * alpha * w_j^2`` (l0); inf stays inf."""
    with np.errstate(over="ignore"):
        price = weights**2 if request.penalty == "l0" else weights
        finite = np.isfinite(price)
        return np.where(finite, scaling * alpha * np.where(finite, price, 0.0), np.inf)


def next_move(delta, inside, request, n_taken):
    """Which column moves, and whether it enters; (-1, False) at the end.

    Parameters
    ----------
    delta : ndarray of shape (n_features,)
        Scores, zero for columns that may not move.
    inside : bool ndarray of shape (n_features,)
        The support.
    request : Request
        Says whether members of the support compete.
    n_taken : int
        Columns taken beside the free ones.
    """
    new = np.where(inside, 0.0, delta)
    j = int(np.argmax(new))
    if request.candidates != "new":
        old = np.where(inside, delta, 0.0)
        p = int(np.argmax(old))
        if old[p] > new[j] or (request.candidates == "backward" and n_taken >= request.n_nonzero):
            return (p, False) if request.candidates == "backward" and old[p] > 0.0 else (-1, False)
    return (j, True) if new[j] > 0.0 and n_taken < request.n_nonzero else (-1, False)


def euclidean_pursuit(problem, request, weights, make_alpha):
    """Coefficients in double precision, and the walk of every target.

    Parameters
    ----------
    problem : Problem
        Squared loss; its certificates and products serve both losses.
    request : Request
        What to do.
    weights : float64 ndarray of shape (n_features,)
        Penalty weights.
    make_alpha : callable
        Strength from the misfit ``||r||^2 / (2 n_samples)`` that the free columns leave, one number a target.
    """
    return _Pursuit(problem, request, weights, make_alpha).run()


class _Pursuit:
    """Supports, coefficients and records of all targets of a problem."""

    def __init__(self, problem, request, weights, make_alpha):
        self.problem, self.request, self.xp = problem.in_double(), request, problem.xp
        self.single = problem.target.ndim == 1
        self.norms = np.asarray(problem.design.column_sq_norms(), dtype=np.float64)
        n_targets = 1 if self.single else problem.target.shape[1]
        is_numpy = problem.design.is_numpy
        self.fit = ExplicitFit(self.problem) if is_numpy else make_support_fit(self.problem)
        self.inside = np.repeat(self._free(weights)[:, None], n_targets, axis=1)
        self.closed = np.zeros_like(self.inside)  # columns found to depend on the support
        self.taken = np.zeros(n_targets, dtype=int)
        self.coef = self._refit()
        self.point = self.problem.at(self.coef)
        alphas = make_alpha(np.atleast_1d(to_numpy(self.point.loss)))
        self.walks = [Walk(float(alpha)) for alpha in alphas]
        n = problem.n_samples
        scaling = n if request.loss == "squared" else 1.0 if request.scale_free else np.sqrt(n)
        self.strength = np.stack([strengths(request, alpha, weights, scaling) for alpha in alphas], axis=1)
        largest = 2.0 * n * np.atleast_1d(to_numpy(self.problem.at_zero().loss))
        self.noise = request.noise * largest

    def _free(self, weights):
        """Mask of the free columns, without those in the span of others before them."""
        free = np.flatnonzero((weights == 0) & (self.norms > 0))
        if free.size:
            free = free[first_independent(to_numpy(self.problem.design.gram(free)), self.request.dependence)]
        return np.isin(np.arange(weights.size), free)

    def run(self):
        active = np.ones(len(self.walks), dtype=bool)
        for _ in range(self.request.max_steps):
            self._record(active)
            moved = self._move(self._scores(), active)
            if not np.any(moved):
                break
            active = moved
            self.coef = self._refit()
            self.point = self.problem.at(self.coef)
        else:
            for p in np.flatnonzero(active):
                self.walks[p].was_cut = True
        return self.coef, self.walks

    def _refit(self):
        mask = self.inside[:, 0] if self.single else self.inside
        if not mask.any():
            return self.problem.start()
        return self.fit(asarray_like(mask, self.problem.target), self.problem.start())

    def _record(self, active):
        loss = np.atleast_1d(to_numpy(self.point.loss))
        values = loss if self.request.loss == "squared" else np.sqrt(2.0 * loss)
        coef = to_numpy(self.coef) if self.request.keep_path else None
        for p in np.flatnonzero(active):
            self.walks[p].objective.append(float(values[p]))
            if coef is not None:
                self.walks[p].path.append(coef if self.single else coef[:, p])

    def _scores(self):
        """Delta of every column and target, NumPy; zero where it is rounding."""
        xp, request = self.xp, self.request
        correlation = self.problem.n_samples * self.point.correlation
        residual_sq = 2.0 * self.problem.n_samples * np.atleast_1d(to_numpy(self.point.loss))
        length = np.sqrt(residual_sq)
        strength = self.strength * length if request.scale_free else self.strength
        norms = np.broadcast_to(self.norms[:, None], strength.shape)

        def here(array):
            return asarray_like(array[..., 0] if self.single else array, correlation, dtype=xp.float64)

        rule = EUCLIDEAN_RULES[request.loss, request.penalty]
        delta = to_numpy(rule(correlation, self.coef, here(norms), here(length), here(strength)))
        size = to_numpy(xp.abs(correlation)) ** 2
        delta, size = (array[:, None] if self.single else array for array in (delta, size))
        coef = to_numpy(self.coef) != 0
        stays = self.inside & ~(coef[:, None] if self.single else coef)  # a member that least squares makes zero
        self.cosine_sq = np.divide(size, norms * residual_sq, out=np.ones_like(size), where=norms * residual_sq > 0)
        noise = ~self.inside & (size <= self.noise * norms)
        return np.where(noise | stays | self.closed, 0.0, delta)

    def _move(self, delta, active):
        """Take or drop one column of every active target; which of them moved."""
        moved = np.zeros_like(active)
        for p in np.flatnonzero(active):
            score = delta[:, p].copy()
            while True:
                j, enters = next_move(score, self.inside[:, p], self.request, self.taken[p])
                if j < 0 or not enters or not self._depends(j, p):
                    break
                self.closed[j, p], score[j] = True, 0.0
            if j < 0:
                continue
            moved[p] = True
            self.inside[j, p] = enters
            if not enters:
                self.closed[:, p] = False  # what depended on the support may no longer do so
            self.taken[p] += 1 if enters else -1
            walk = self.walks[p]
            (walk.selected if enters else walk.removed).append(j)
            walk.decrease.append(self._decrease(score[j], p))
        return moved

    def _decrease(self, value, p):
        """Delta in the scaling of the objective."""
        n = self.problem.n_samples
        return float(value / (n if self.request.loss == "squared" else np.sqrt(n)))

    def _depends(self, j, p):
        """Whether a column lies in the span of the support; its correlation then is next to nothing, which is seen first."""
        limit = self.request.dependence
        if self.cosine_sq[j, p] > limit or not self.inside[:, p].any():
            return False
        members = np.append(np.flatnonzero(self.inside[:, p]), j)
        return not first_independent(to_numpy(self.problem.design.gram(members)), limit)[-1]
