"""A group lasso or row lasso restricted to a working set of blocks, solved almost exactly on its own Gram matrix.

Sweeps of block coordinate descent find which blocks are zero, Newton steps on the others end the descent; where they are
too many to factor, Anderson's extrapolation speeds the sweeps up instead.

Qin, Scheinberg and Goldfarb, "Efficient block-coordinate descent algorithms for the group lasso", 2013.
Bertrand and Massias, "Anderson acceleration of coordinate descent", 2021 (arXiv 2011.10065).
"""

from __future__ import annotations

import numpy as np

from ...designs import CenteredDesign, SparseDesign
from ..gram import CompressedGram, GrowingGram
from .block_newton import newton_step
from .subproblem import NEWTON_CUBE, NEWTON_SQUARE, SWEEPS, anderson

__all__ = ["BlockSet"]

_ROUNDS = 60
_STEPS, _ENOUGH = 20, 1e-3  # on one block in a sweep: at most, and share of the first (squared) that ends them
_SWEEPS, _CHEAP = 10, 2e5  # sweeps at a time; multiplications up to which one costs less than the interpreter around it
_MORE = 1.001  # than the objective: what the penalty alone never is after a descent
_FARTHEST = 2.0  # beyond the last strength, over what lies between the last two: how far their line is followed
_SMALL = 256  # a Newton step on so many coefficients costs about a millisecond
_SHORT = 0.02  # columns with fewer stored entries than this share stay compressed
_INTERPRETED = 64  # features up to which sweeps are interpreted: numba is not even imported


class BlockSet:
    """Blocks, their coefficients (n_targets, size), and moves that keep the correlations with the residual up to date."""

    def __init__(self, design, blocks):
        self.every = blocks
        self.blocks = blocks.pick(np.empty(0, dtype=np.int64))
        self.members = np.empty(0, dtype=np.int64)  # numbers of the blocks, in the order in which they came
        self.ceilings = np.empty(0)  # largest eigenvalues of their Gram matrices
        self.gram = _gram_of(design)
        self.work = 0.0
        self._minimisers = []  # at the last two strengths, with these
        self._is_hard = False  # whether the last one took more than sweeps
        self._compiled = design.shape[1] > _INTERPRETED

    def grow(self, new):
        """Append blocks that are not members yet."""
        added = self.every.pick(new)
        begin = self.gram.size
        self.gram.grow(added.columns)
        self.members = np.concatenate([self.members, new])
        self.blocks = self.blocks.join(added)
        self.ceilings = np.concatenate([self.ceilings, _largest_eigenvalues(self.gram.matrix, begin + added.starts)])

    def begin(self, coef, point):
        """Take the coefficients (n_features, ...) of the members, the misfit and the correlations from a point of the problem."""
        self.coef = np.array(self.blocks.of(coef), dtype=np.float64)
        self.remaining = np.array(self.blocks.of(point.correlation), dtype=np.float64)
        self._start = (self.coef.copy(), self.remaining.copy(), 2.0 * float(np.sum(point.loss)))

    def misfit(self):
        """``||residual||^2 / n_samples``."""
        coef, remaining, misfit = self._start
        return max(misfit - float(np.vdot(self.coef - coef, remaining + self.remaining)), 0.0)

    def minimise(self, alpha, aim):
        """Minimise the penalised misfit over the members down to `aim`; returns the gap reached."""
        self.work = spent = 0.0
        gap = np.inf
        if self._is_hard:
            self._predict(alpha)
        self._is_hard = False
        for _ in range(_ROUNDS):
            iterates = self._descend(alpha)
            gap = self._gap(alpha)
            if gap <= aim.fine or (gap <= aim.coarse and self.work >= aim.work):
                break
            self._is_hard = True
            support = self._support()
            cost = NEWTON_CUBE * support.size**3 + NEWTON_SQUARE * support.size**2
            if cost <= self.work - spent and self._newton(support, alpha):
                self.work += cost
                spent = self.work
                gap = self._gap(alpha)
                if gap <= aim.fine:
                    break
            else:
                self._extrapolate(iterates, alpha)
        self._keep(alpha)
        return gap

    def _predict(self, alpha):
        """Go on along the line through the minimisers at the last two strengths; a block that it would turn round gets to zero."""
        if len(self._minimisers) < 2:
            return
        (first, before), (second, last) = self._minimisers
        size, way = before.shape[1], (second - alpha) / (first - second)
        if not 0 < way <= _FARTHEST or not np.array_equal(self.coef[:, : last.shape[1]], last):
            return
        step = np.zeros_like(self.coef)
        step[:, :size] = way * (last[:, :size] - before)
        step[:, :size] *= before.any(axis=0) & last[:, :size].any(axis=0)
        turned = np.add.reduceat(np.sum(self.coef * (self.coef + step), axis=0), self.blocks.starts[:-1]) <= 0
        self._move_down(np.where(self.blocks.spread(turned), -self.coef, step), alpha)

    def _keep(self, alpha):
        """Remember the minimiser at a strength, for `_predict`."""
        older = [each for each in self._minimisers if each[0] > alpha]
        self._minimisers = [*older[-1:], (alpha, self.coef.copy())]

    def _descend(self, alpha):
        """Some sweeps; returns the iterates, the first of which they begin with, (n_sweeps + 1, n_targets, size)."""
        sweeps = _interpreted_sweeps
        if self._compiled:
            from ...kernels.blocks import block_sweeps as sweeps
        n_sweeps = SWEEPS if self.coef.size * self.gram.size > _CHEAP else _SWEEPS
        iterates = np.empty((n_sweeps + 1, *self.coef.shape))
        iterates[0] = self.coef
        room = np.empty((2, len(self.coef), int(self.blocks.sizes.max())))
        thresholds = alpha * self.blocks.weights
        single = alpha * self.blocks.single
        at = (self.gram.matrix, self.blocks.starts, self.ceilings, single, thresholds, self.coef, self.remaining)
        self.work += sweeps(*at, room, iterates[1:], _STEPS, _ENOUGH) * self.gram.size
        return iterates

    def _gap(self, alpha):
        """Duality gap of the working set, free of cancellation: zero to rounding at the minimiser."""
        misfit, along = self.misfit(), float(np.vdot(self.coef, self.remaining))
        scale = max(misfit + along, 0.0) / misfit if misfit > 0 else 1.0
        free = self.blocks.is_free
        critical = np.max(self.blocks.critical(self.remaining)[~free], initial=0.0)
        if critical > 0:
            scale = min(scale, alpha / critical)
        undone = self._undone(free) if free.any() else 0.0
        return 0.5 * misfit * (1.0 - scale) ** 2 + self.blocks.charge(self.coef, alpha) - scale * along + undone

    def _undone(self, free):
        """What steps along the free columns would gain: their correlations have to vanish."""
        columns = np.flatnonzero(self.blocks.spread(free))
        bend, push = np.diagonal(self.gram.matrix)[columns], self.remaining[:, columns]
        gain = np.divide(0.5 * push**2, bend, out=np.zeros_like(push), where=bend > 0)
        return float(gain.sum() + np.abs(self.coef[:, columns] * push).sum())

    def _support(self):
        """Columns whose coefficients are not zero, or free."""
        return np.flatnonzero(self.coef.any(axis=0) | self.blocks.spread(self.blocks.is_free))

    def _newton(self, support, alpha):
        """A Newton step on the support; whether it made progress.

        Where columns depend on one another a step ends when a block gets to zero, and sweeps would bring it back: small
        supports go on with what is left.
        """
        moved = False
        while support.size:
            owner = np.searchsorted(self.blocks.starts, support, side="right") - 1
            starts = np.append(np.flatnonzero(np.diff(owner, prepend=-1)), support.size)
            thresholds = alpha * self.blocks.weights[owner[starts[:-1]]]
            gram = self.gram.matrix.T[np.ix_(support, support)]
            at = self.coef[:, support], self.remaining[:, support], starts, thresholds, alpha * self.blocks.single
            step = newton_step(gram, *at)
            if step is None:
                break
            new = self.coef.copy()
            new[:, support] += step
            if not self.blocks.charge(new, alpha) <= _MORE * (
                0.5 * self.misfit() + self.blocks.charge(self.coef, alpha)
            ):
                break  # no descent, whatever the model says: along dependent columns it may be rounding
            self.coef = new
            self.remaining -= step @ self.gram.matrix[support, : self.gram.size]
            moved = True
            left = self._support()
            if left.size == support.size or left.size > _SMALL:
                break
            support = left
        return moved

    def _extrapolate(self, iterates, alpha):
        """Anderson's combination of the last iterates, kept if the objective falls."""
        mixed = anderson(iterates[-SWEEPS - 1 :].reshape(SWEEPS + 1, -1))
        if mixed is None:
            return
        step = mixed.reshape(self.coef.shape) - self.coef
        self._move_down(step, alpha)

    def _move_down(self, step, alpha):
        """Take a step if the objective falls."""
        where = np.flatnonzero(step.any(axis=0))
        moved = step[:, where] @ self.gram.matrix[where, : self.gram.size]
        bend, slope = float(np.vdot(step[:, where], moved[:, where])), float(np.vdot(step, self.remaining))
        new = self.coef + step
        rise = 0.5 * bend - slope + self.blocks.charge(new, alpha) - self.blocks.charge(self.coef, alpha)
        if rise < 0:
            self.coef, self.remaining = new, self.remaining - moved


def _gram_of(design):
    """The Gram matrix of the working set, kept as suits the design."""
    stored = design.base if isinstance(design, CenteredDesign) else design
    if isinstance(stored, SparseDesign) and stored.matrix.nnz <= _SHORT * np.prod(stored.shape, dtype=float):
        return CompressedGram(design)
    return GrowingGram(design)


def _largest_eigenvalues(gram, starts):
    """Of each diagonal block; blocks of one size at a time."""
    sizes = np.diff(starts)
    largest = np.empty(sizes.size)
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        at = starts[chosen][:, None] + np.arange(size)
        largest[chosen] = np.linalg.eigvalsh(gram[at[:, :, None], at[:, None, :]])[:, -1]
    return largest


def _interpreted_sweeps(gram, starts, ceilings, single, thresholds, coef, remaining, room, trail, n_steps, enough):
    """`kernels.blocks.block_sweeps` without the compiler, for small problems."""
    moves = 0
    for after in trail:
        moves += _interpreted_sweep(gram, starts, ceilings, single, thresholds, coef, remaining, n_steps, enough)
        after[:] = coef
    return moves


def _interpreted_sweep(gram, starts, ceilings, single, thresholds, coef, remaining, n_steps, enough):
    size, moves = coef.shape[1], 0
    for block in np.flatnonzero(ceilings > 0):
        part, ceiling = slice(starts[block], starts[block + 1]), ceilings[block]
        own = gram[part, part]
        old, first = coef[:, part].copy(), 0.0
        new, pull = old, remaining[:, part]
        for _ in range(n_steps):
            value = new + pull / ceiling
            value = np.sign(value) * np.maximum(np.abs(value) - single / ceiling, 0.0)
            norm = float(np.sqrt(np.sum(value * value)))
            shrunk = thresholds[block] / ceiling
            value = (1.0 - shrunk / norm) * value if norm > shrunk else 0.0 * old
            moved = float(np.sum((value - new) ** 2))
            new = value
            first = max(first, moved)
            if new.shape[1] == 1 or moved <= enough * first:
                break
            pull = remaining[:, part] - (new - old) @ own
        change = new - old
        if change.any():
            coef[:, part] = new
            remaining -= change @ gram[part, :size]
            moves += int(np.count_nonzero(change))
    return moves
