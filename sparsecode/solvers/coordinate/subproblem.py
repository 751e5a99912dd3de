"""The Lasso restricted to a working set, solved almost exactly before the next product with the whole design.

Sweeps of coordinate descent find the support, a Newton step on it ends the descent; where the support is too large to
factor, Anderson's extrapolation speeds the sweeps up instead. Two representations of the working set share this
strategy: its Gram matrix (`GramWorkingSet`) and its compressed columns with the residual (`sparse.SparseWorkingSet`).

Bertrand and Massias, "Anderson acceleration of coordinate descent", 2021 (arXiv 2011.10065).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from ...penalties._registry import SCALAR_PROX
from ..gram import GrowingGram
from .newton import newton_step

__all__ = ["INTERPRETED", "NEWTON_CUBE", "NEWTON_SQUARE", "SWEEPS", "Aim", "GramWorkingSet", "WorkingSet", "anderson"]

SWEEPS = 5  # between two Newton steps, and iterates behind one extrapolation
_ROUNDS = 60
NEWTON_CUBE, NEWTON_SQUARE = 1 / 36, 10.0  # cost of a Newton step on k coefficients, in multiplications of a sweep
_SMALL = 256  # a Newton step on so many coefficients costs about a millisecond
_MOST = 0.25
INTERPRETED = 64  # features up to which sweeps are interpreted: numba is not even imported


class Aim(NamedTuple):
    """When a working set is solved well enough; gaps in the units of the objective."""

    fine: float  # done
    coarse: float  # enough once `work` multiplications were spent
    work: float
    objective: float = -np.inf  # low enough, whatever the gap, once sweeps lower it by
    settled: float = 0.0  # no more than this


class WorkingSet(ABC):
    """Columns `members`, their coefficients, and moves that keep the correlations with the residual up to date."""

    def __init__(self, design, coef_weights):
        self.design, self.n_samples = design, design.shape[0]
        self.coef_weights = None if coef_weights is None else np.asarray(coef_weights, dtype=np.float64)
        self.work = 0.0

    members: Any  # (size,) columns, in the order in which they came
    coef: Any  # (size,) float64
    growth: float  # columns to add at a time, over the size of the support: fewer where a column costs more
    cheap: float  # multiplications of sweeps that cost less than the interpreter around them

    @property
    def weights(self):
        """Penalty weights of the members."""
        return np.ones(self.members.size) if self.coef_weights is None else self.coef_weights[self.members]

    @abstractmethod
    def grow(self, new):
        """Append columns."""

    @abstractmethod
    def begin(self, coef, point):
        """Take the coefficients (size,) of the members, the misfit and the correlations from a point of the problem."""

    @abstractmethod
    def sweep(self, penalty, weights, still):
        """One sweep of coordinate descent."""

    def visit(self, penalty, weights, chosen):
        """One sweep over the chosen members at least, without the compiler where it can do without."""
        self.sweep(penalty, weights, 0.0)

    @abstractmethod
    def correlations(self):
        """``A_W^T residual / n_samples``, (size,)."""

    @abstractmethod
    def curvatures(self):
        """Squared norms of the members over n_samples, (size,)."""

    @abstractmethod
    def misfit(self):
        """``||residual||^2 / n_samples``."""

    @abstractmethod
    def support_gram(self, support):
        """Gram matrix of some members over n_samples, an array of the caller's own."""

    @abstractmethod
    def move(self, step, where):
        """Add `step` to the coefficients of the members `where`."""

    @abstractmethod
    def put(self, coef, correlations):
        """Go back to coefficients (size,) whose correlations are known."""

    def descend(self, penalty, weights, work):
        """Some sweeps; returns the last iterates, one a row, and whether the support is known to be settled."""
        iterates = [self.coef.copy()]
        for _ in range(SWEEPS):
            self.sweep(penalty, weights, 0.0)
            iterates.append(self.coef.copy())
        return np.array(iterates), False

    def minimise(self, penalty, aim):
        """Minimise the penalised misfit over the members down to `aim`; returns the gap reached."""
        weights = self.weights
        threshold = penalty.alpha * weights
        self.work = spent = 0.0
        for _ in range(_ROUNDS):
            before = self._objective(threshold) if aim.objective > -np.inf else np.inf
            iterates, settled = self.descend(penalty, weights, aim.work)
            gap = self._gap(threshold, penalty.positive)
            if gap <= aim.fine or (gap <= aim.coarse and self.work >= aim.work and not settled):
                break
            if before < np.inf:
                reached = self._objective(threshold)
                if reached <= aim.objective and before - reached <= aim.settled:
                    break
            support = self._support(threshold, penalty.positive)
            cost = NEWTON_CUBE * support.size**3 + NEWTON_SQUARE * support.size**2
            if cost <= self.work - spent and self._newton(support, threshold, penalty.positive):
                self.work += cost
                spent = self.work
                gap = self._gap(threshold, penalty.positive)
                if gap <= aim.fine:
                    break
            else:
                self._extrapolate(iterates, threshold, penalty.positive)
        return gap

    def _objective(self, threshold):
        return 0.5 * self.misfit() + threshold @ np.abs(self.coef)

    def _gap(self, threshold, positive):
        """Duality gap of the working set, free of cancellation: zero to rounding at the minimiser."""
        remaining, misfit = self.correlations(), self.misfit()
        size = remaining if positive else np.abs(remaining)
        counted = threshold > 0
        top = np.max(size[counted] / threshold[counted], initial=0.0)
        along = self.coef @ remaining
        scale = max(misfit + along, 0.0) / misfit if misfit > 0 else 1.0  # below zero a one-sided constraint may fail
        if top > 0:
            scale = min(scale, 1.0 / top)
        undone = 0.0 if counted.all() else self._undone(np.flatnonzero(~counted), size, remaining)
        return 0.5 * misfit * (1.0 - scale) ** 2 + threshold @ np.abs(self.coef) - scale * along + undone

    def _undone(self, free, size, remaining):
        """What steps along the free columns would gain: their correlations have to vanish (not to be positive)."""
        bend, push = self.curvatures()[free], np.maximum(size[free], 0.0)
        gain = np.divide(0.5 * push**2, bend, out=np.zeros_like(push), where=bend > 0)
        return gain.sum() + np.abs(self.coef[free]) @ np.abs(remaining[free])

    def _support(self, threshold, positive):
        """Members whose coefficients are not zero, or free to take any sign."""
        return np.flatnonzero((self.coef != 0) | ((threshold == 0) & (not positive)))

    def _newton(self, support, threshold, positive):
        """A Newton step on the support; whether it made progress.

        Where columns depend on one another a step ends when a coefficient gets to zero, and sweeps would bring it back: small
        supports go on with what is left.
        """
        moved = False
        while support.size:
            gram, correlations = self.support_gram(support), self.correlations()[support]
            step = newton_step(gram, self.coef[support], correlations, threshold[support], positive)
            if step is None:
                break
            self.move(step, support)
            moved = True
            left = self._support(threshold, positive)
            if left.size == support.size or left.size > _SMALL:
                break
            support = left
        return moved

    def _extrapolate(self, iterates, threshold, positive):
        """Anderson's combination of the last iterates (rows), kept if the objective falls."""
        mixed = anderson(iterates)
        if mixed is None:
            return
        step = mixed - self.coef
        if positive:
            step = np.maximum(step, -self.coef)
        before, correlations, misfit = self.coef.copy(), self.correlations().copy(), self.misfit()
        moved = np.flatnonzero(step)
        self.move(step[moved], moved)
        rise = 0.5 * (self.misfit() - misfit) + threshold @ (np.abs(self.coef) - np.abs(before))
        if not rise < 0:
            self.put(before, correlations)


def anderson(iterates):
    """The combination of iterates (rows) whose change is least, as if it were linear; None where it is not defined."""
    changes = np.diff(iterates, axis=0)
    try:
        mix = np.linalg.solve(changes @ changes.T, np.ones(len(changes)))
    except np.linalg.LinAlgError:
        return None
    total = mix.sum()
    return (mix / total) @ iterates[1:] if np.isfinite(total) and total != 0 else None


class GramWorkingSet(WorkingSet):
    """A working set known through its own Gram matrix, which only ever grows."""

    growth, cheap = 0.25, 1e7

    def __init__(self, design, coef_weights):
        super().__init__(design, coef_weights)
        self.gram = GrowingGram(design)
        self._compiled = design.shape[1] > INTERPRETED

    @property
    def members(self):
        """The columns, in the order in which they came."""
        return self.gram.members

    def grow(self, new):
        self.gram.grow(new)

    def begin(self, coef, point):
        self.coef = coef.copy()
        self.remaining = point.correlation[self.members]
        self._start = (coef, self.remaining.copy(), 2.0 * float(point.loss))

    def sweep(self, penalty, weights, still):
        sweeps = _interpreted_sweeps
        if self._compiled:
            from ...kernels.coordinate import gram_sweeps as sweeps
        moves = sweeps(self.gram.matrix, penalty, weights, self.coef, self.remaining, 1, still)
        self.work += moves * self.coef.size

    def descend(self, penalty, weights, work):
        """Sweeps until the support stays the same, as far as `work` goes: a Newton step on a wrong one costs hundreds of them."""
        if not self._compiled:
            return super().descend(penalty, weights, work)
        from ...kernels.coordinate import gram_descent

        size = self.coef.size
        trail, n_moves = np.empty((SWEEPS + 1, size)), (work - self.work) / size
        moves, settled = gram_descent(self.gram.matrix, penalty, weights, self.coef, self.remaining, trail, n_moves)
        self.work += moves * size
        return trail, settled

    def visit(self, penalty, weights, chosen):
        moves = _interpreted_sweeps(self.gram.matrix, penalty, weights, self.coef, self.remaining, 1, 0.0, chosen)
        self.work += moves * self.coef.size

    def correlations(self):
        return self.remaining

    def curvatures(self):
        return np.diagonal(self.gram.matrix)[: self.coef.size]

    def misfit(self):
        coef, remaining, misfit = self._start
        return max(misfit - (self.coef - coef) @ (remaining + self.remaining), 0.0)

    def support_gram(self, support):
        rows = self.gram.matrix[support, : self.coef.size]
        return rows.T[support].T  # rows, then rows of its transpose: four times faster than one by one

    def move(self, step, where):
        self.coef[where] += step
        size = self.coef.size
        if where.size > _MOST * size:  # a product with all rows, in place, beats copying those that are wanted
            every = np.zeros(size)
            every[where] = step
            self.remaining -= self.gram.matrix[:size, :size] @ every
        else:
            self.remaining -= step @ self.gram.matrix[where, :size]

    def put(self, coef, correlations):
        self.coef, self.remaining = coef, correlations


def _interpreted_sweeps(gram, penalty, weights, coef, remaining, n_sweeps, still, chosen=None):
    """`kernels.coordinate.gram_sweeps` without the compiler, for small problems, over all coordinates or the chosen."""
    prox = SCALAR_PROX[type(penalty)]
    size, moves = coef.size, 0
    chosen = range(size) if chosen is None else chosen.tolist()
    for _ in range(n_sweeps):
        largest = 0.0
        for j in chosen:
            curvature = float(gram[j, j])
            if curvature <= 0.0:
                continue
            old = float(coef[j])
            change = prox(penalty, old + float(remaining[j]) / curvature, float(weights[j]) / curvature) - old
            if change != 0.0:
                coef[j] = old + change
                remaining -= change * gram[j, :size]
                largest = max(largest, change * change * curvature)
                moves += 1
        if largest <= still:
            break
    return moves
