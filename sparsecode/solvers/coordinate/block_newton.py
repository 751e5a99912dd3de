"""A Newton step on the blocks that are not zero, where the norms of the blocks are smooth.

    H = G + D - sum_b v_b v_b^T          D = thresholds_b / ||W_b|| for the columns of block b,   v_b = sqrt(D_b) W_b / ||W_b||

Many targets have ``G + D`` in common: H is ``(G + D) x I`` minus one rank for each row, and Woodbury's identity leaves two systems of
the size of the support, however many targets there are. Coefficients stand with targets first, (n_targets, size).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from .block_layout import block_norms

__all__ = ["direction_of", "newton_step"]

_RIDGE = 1e-10  # relative to each column; resolves linearly dependent columns by moving along their null space
_FLAT = 0.1  # share of the first slope at which a point along the step is low enough
_HALVINGS = 80
_ROUNDING = 1e-8  # share of its norm below which a block has got to zero


def newton_step(gram, coef, remaining, starts, thresholds, single):
    """The change of the coefficients of some blocks, or None if none lowers the objective.

    Blocks, or coefficients, that a full step would turn round are better off at zero: the better is taken of two steps, one
    to there and one that goes on as Newton says; each ends where the objective along it is (nearly) least.

    Shapes: gram (size, size), the caller's own to overwrite; coef and remaining (n_targets, size); starts (n_blocks + 1,);
    thresholds (n_blocks,). No block is zero unless its threshold is; where `single` is positive, no coefficient is.
    """
    kept = gram.copy()
    direction = direction_of(gram, coef, remaining, starts, thresholds, single)
    if direction is None:
        return None
    new = coef + direction
    turned = np.add.reduceat(np.sum(coef * new, axis=0), starts[:-1]) <= 0
    zeroed = np.repeat(turned & (thresholds > 0), starts[1:] - starts[:-1]) | ((single > 0) & (coef * new < 0))
    steps = [direction] if not zeroed.any() else [direction, np.where(zeroed, -coef, direction)]
    best, lowest = None, 0.0
    for step in steps:
        along = _Along(kept, coef, remaining, starts, thresholds, single, step)
        length = along.least()
        change = along.change(length)
        if change < lowest:
            best, lowest = length * step, change
    if best is None:
        return None
    small = block_norms(coef + best, starts) <= _ROUNDING * block_norms(coef, starts)
    landed = np.repeat(small & (thresholds > 0), starts[1:] - starts[:-1])
    landed = landed | ((single > 0) & (np.abs(coef + best) <= _ROUNDING * np.abs(coef)))
    return np.where(landed, -coef, best)


def direction_of(gram, coef, remaining, starts, thresholds, single):
    """``H^-1`` times the descent direction, or None; `gram` is overwritten."""
    sizes, norms = starts[1:] - starts[:-1], block_norms(coef, starts)
    charged = thresholds > 0
    bend = np.repeat(np.divide(thresholds, norms, out=np.zeros_like(norms), where=charged), sizes)
    unit = coef / np.repeat(np.where(charged, norms, 1.0), sizes)
    descent = remaining - bend * coef - single * np.sign(coef)
    if len(coef) == 1:
        direction = _of_groups(gram, unit[0], bend, starts, descent[0])
        return None if direction is None else direction[None, :]
    return _of_rows(gram, unit, bend, descent)


def _of_groups(gram, unit, bend, starts, descent):
    """For one target: H itself."""
    for begin, end in pairwise(starts):
        part = unit[begin:end]
        gram[begin:end, begin:end] -= bend[begin] * np.outer(part, part)
    gram[np.diag_indices_from(gram)] += bend
    factor = _factor(gram)
    return None if factor is None else _solve(factor, descent)


def _of_rows(gram, unit, bend, descent):
    """For many targets, and blocks of one column."""
    gram[np.diag_indices_from(gram)] += bend
    factor = _factor(gram)
    if factor is None:
        return None
    inverse, failed = dpotri(factor, lower=1)
    if failed:
        return None
    inverse = inverse + inverse.T  # its upper triangle was clean
    inverse[np.diag_indices_from(inverse)] *= 0.5
    unit = np.sqrt(bend) * unit
    factor = _factor(np.eye(bend.size) - inverse * (unit.T @ unit))
    if factor is None:
        return None
    moved = descent @ inverse
    mix = _solve(factor, np.einsum("tj,tj->j", unit, moved))
    return None if mix is None else moved + (unit * mix) @ inverse


class _Along:
    """The objective along a step, a convex function of its length."""

    def __init__(self, gram, coef, remaining, starts, thresholds, single, step):
        self.coef, self.step, self.starts = coef, step, starts
        self.thresholds, self.single = thresholds, single
        self.pull, self.bend = float(np.vdot(step, remaining)), float(np.vdot(step, step @ gram))
        inner = np.einsum("tj,tj->j", coef, step), np.einsum("tj,tj->j", step, step)
        self.inner, self.square = (np.add.reduceat(values, starts[:-1]) for values in inner)
        self.cost = self._cost(coef)

    def _cost(self, coef):
        single = self.single * np.abs(coef).sum() if self.single else 0.0
        return self.thresholds @ block_norms(coef, self.starts) + single

    def change(self, length):
        """By how much the objective changes."""
        cost = self._cost(self.coef + length * self.step) - self.cost
        return 0.5 * length**2 * self.bend - length * self.pull + cost

    def slope(self, length):
        """Its derivative from below: what has just got to zero came down to it."""
        here = self.coef + length * self.step
        norms = block_norms(here, self.starts)
        rate = np.divide(self.inner + length * self.square, norms, out=-np.sqrt(self.square), where=norms > 0)
        single = 0.0
        if self.single:
            single = self.single * np.where(here != 0, np.sign(here) * self.step, -np.abs(self.step)).sum()
        return length * self.bend - self.pull + float(self.thresholds @ rate) + single

    def least(self):
        """A length of at most one where the slope is small, or changes sign."""
        low, high = 0.0, 1.0
        flat = _FLAT * abs(self.slope(0.0))
        length = 1.0
        for _ in range(_HALVINGS):
            slope = self.slope(length)
            if abs(slope) <= flat or (slope < 0 and length == 1.0):
                break
            low, high = (length, high) if slope < 0 else (low, length)
            length = 0.5 * (low + high)
        return length


def _factor(matrix):
    """Cholesky's factor, with a ridge where columns are dependent; None if that fails too."""
    factor, failed = dpotrf(matrix, lower=1, clean=1)
    if failed:
        bumped = matrix.copy(order="F")
        diagonal = np.diagonal(matrix)
        bumped[np.diag_indices_from(bumped)] += _RIDGE * np.maximum(diagonal, np.finfo(float).tiny)
        factor, failed = dpotrf(bumped, lower=1, clean=1)
    return None if failed else factor


def _solve(factor, right):
    solution, failed = dpotrs(factor, right, lower=1)
    return None if failed or not np.all(np.isfinite(solution)) else solution
