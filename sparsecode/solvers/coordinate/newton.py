"""A Newton step on the support of a Lasso subproblem, where signs are fixed and the objective is quadratic.

    min over d   1/2 d^T G d - d^T (q - threshold * sign)          G = Gram matrix of the support, q = its correlations

If no coefficient changes sign the step ends at the exact minimiser on this support. Otherwise the best of three moves is
taken: coefficients that would change sign are set to zero; the step is cut where the (piecewise quadratic) objective along it
is least; or coefficients that change sign are held at zero, the earliest first, until what is left is a minimiser without a
change of sign. One factorisation serves them all.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dpotrs

from ..._parallel import blas_for_system

__all__ = ["newton_step", "solve_definite"]

_RIDGE = 1e-10  # relative; resolves linearly dependent columns by moving along their null space
_EARLY = 0.2  # share of the sign changes that are held at zero at once: some of the later ones then no longer happen
_FACES = 60
_ROUNDING = 8 * np.finfo(np.float64).eps


def newton_step(gram, coef, remaining, threshold, positive):
    """The change of the support's coefficients, or None if none lowers the objective.

    Shapes: gram (size, size), coef, remaining and threshold (size,). No entry of `coef` is zero unless its threshold is, and none
    at all if they are `positive`.
    """
    sign = np.sign(coef)
    descent = remaining - threshold * sign
    solve = _factored(gram)
    direction = None if solve is None else solve(descent)
    if direction is None:
        return None

    def crosses(new):
        return new < 0 if positive else (new * sign < 0) & (threshold > 0)

    crossing = crosses(coef + direction)
    if not crossing.any():
        return direction
    cut = _least_along(coef, direction, descent, direction @ (gram @ direction), threshold, positive) * direction
    projected = np.where(crossing, -coef, direction)
    held = _held_at_zero(solve, coef, direction, crosses)
    moves = [cut, projected] if held is None else [cut, projected, held]
    best = min(moves, key=lambda step: _change(gram, coef, remaining, threshold, step))
    if not _change(gram, coef, remaining, threshold, best) < 0:
        return None
    lands_on_zero = (np.abs(coef + best) <= _ROUNDING * np.abs(coef)) & (positive | (threshold > 0))
    return np.where(lands_on_zero, -coef, best)


def _held_at_zero(solve, coef, direction, crosses):
    """The step to the minimiser that keeps all signs, over those faces where what would cross is zero; None if none is found.

    Constraints on a quadratic model: ``step = direction - gram^-1[:, held] mix`` with ``step[held] = -coef[held]``.
    """
    held = np.empty(0, dtype=np.int64)
    columns, step = np.empty((coef.size, 0)), direction
    for _ in range(_FACES):
        crossing = crosses(coef + step)
        crossing[held] = False  # those are zero up to rounding
        new = np.flatnonzero(crossing)
        if not new.size:
            step[held] = -coef[held]
            return step
        when = -coef[new] / step[new]
        last = int(_EARLY * (new.size - 1))
        new = new[when <= np.partition(when, last)[last]]
        held = np.concatenate([held, new])
        if 2 * held.size > coef.size:
            return None
        unit = np.zeros((coef.size, new.size), order="F")
        unit[new, np.arange(new.size)] = 1.0
        inverse = solve(unit)
        if inverse is None:
            return None
        columns = np.hstack([columns, inverse])
        mix = solve_definite(np.asfortranarray(columns[held]), direction[held] + coef[held])
        if mix is None:
            return None
        step = direction - columns @ mix
    return None


def solve_definite(gram, right):
    """``gram^-1 right`` by Cholesky, with a ridge where the columns are dependent; None if that fails too."""
    with blas_for_system(len(gram)):
        _, answer, failed = dposv(gram, right, lower=1)
    if not failed:
        return answer if np.isfinite(answer).all() else None
    solve = _factored(gram)
    return None if solve is None else solve(right)


def _factored(gram):
    """The function ``right -> gram^-1 right``, None for an answer that is not finite; or None."""
    with blas_for_system(len(gram)):
        factor, failed = dpotrf(gram, lower=1, clean=0)
        if failed:
            bumped = gram.copy(order="F")
            bumped[np.diag_indices_from(bumped)] += _RIDGE * max(np.max(np.diagonal(gram)), np.finfo(float).tiny)
            factor, failed = dpotrf(bumped, lower=1, clean=0)
            if failed:
                return None

    def solve(right):
        with blas_for_system(len(gram)):
            answer, failed = dpotrs(factor, right, lower=1)
        return None if failed or not np.all(np.isfinite(answer)) else answer

    return solve


def _change(gram, coef, remaining, threshold, step):
    """By how much the objective changes."""
    quadratic = 0.5 * step @ (gram @ step) - step @ remaining
    return quadratic + threshold @ (np.abs(coef + step) - np.abs(coef))


def _least_along(coef, direction, descent, curvature, threshold, positive):
    """The multiple, at most one, of the direction with the least objective: sort the sign changes, find where the slope turns.

    Along the null space of dependent columns the curvature is rounding, of either sign: there the slope turns at a sign change.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        crossings = -coef / direction
    met = np.flatnonzero((crossings > 0) & np.isfinite(crossings))
    met = met[np.argsort(crossings[met])]
    if positive:
        return min(1.0, crossings[met[0]]) if met.size else 1.0
    times = np.concatenate(([0.0], crossings[met]))
    slope = -(direction @ descent) + np.concatenate(([0.0], np.cumsum(2.0 * threshold[met] * np.abs(direction[met]))))
    with np.errstate(over="ignore"):  # least point of each piece, unless the next piece begins before it
        turns = np.maximum(-slope / max(curvature, np.finfo(np.float64).tiny), times)
    ends = np.append(times[1:], np.inf)
    return min(1.0, float(turns[np.argmax(turns <= ends)]))
