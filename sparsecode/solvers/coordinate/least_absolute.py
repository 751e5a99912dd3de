"""Absolute and quantile losses with an l1 norm, or a concave penalty: a simplex method on the columns that are needed, exact.

    min over x   sum_i weights_i max(low r_i, high r_i) + alpha sum_j weights_j |x_j|          r = y - A x

The linear program of a few columns is solved to its end (`kernels.absolute`); its multipliers u price all other columns by
the one product ``A^T u`` that the certificate needs anyway, and those with ``|a_j^T u| > alpha weights_j`` join. A vertex stays one
when columns join or the strength changes, so every solve starts where the last one ended, also along a path. Where pivots have
taken half as long as a way through the inside of the program would (`central_path`), or the columns that object at first foresee
as much, as they do for supports of hundreds, that is taken instead, and a few pivots from where it leads find the vertex. On few
samples the vertices are followed from one strength to the next instead, without the compiler (`absolute_path`).

A concave penalty whose slope at zero is finite is a sequence of such programs: each weighs the l1 norm by the slopes at the last
vertex, lies above the objective and touches it there (`majorised`). The objective falls from one vertex to the next, of which there
are finitely many; the one that is its own successor is stationary, and its multipliers prove that to rounding.

Wang, Li and Jiang, "Robust regression shrinkage and consistent variable selection through the LAD-Lasso", 2007.
Zou and Li, "One-step sparse estimates in nonconcave penalized likelihood models", 2008 (arXiv 0808.1012).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import as_double, attainable, is_complex
from ..._parallel import single_threaded_blas
from ...designs import GramDesign
from ...losses import Absolute, Quantile
from ...penalties import L1
from ..certificates import PairCertificate
from ..driver import State, drive
from ..method import Method
from ..reweighted import has_tangents, majorised
from .absolute_path import absolute_path, is_short
from .simplex import OPTIMAL, PAUSED, STUCK, Simplex

__all__ = ["LEAST_ABSOLUTE"]

_FIRST = 50  # columns that join at least in one round, if so many object
_GROWTH = 1.0  # as many as this share of the support
_WIDE = 3  # times as many as there are samples, before a leap
_PATIENCE = 0.5  # of the time of a leap that pivots may take before it


def _steps(problem, start, simplex, duals):
    """Yield the vertex of one working set after another."""
    certificate = yield State(start)
    wide = problem.in_double()
    weights = np.full(problem.n_samples, wide.row_weights) if isinstance(wide.row_weights, float) else wide.row_weights
    core = getattr(problem.loss, "loss", problem.loss)
    simplex.begin(wide.target, weights.ravel(), core.slopes())
    came_to, priced, touched = "", None, start
    posed = _posed(wide, touched)
    while True:
        support = np.flatnonzero(start)
        leaps, excess = came_to == PAUSED, _excess(posed, certificate.point.correlation, support, simplex.members)
        leaps = leaps or (not simplex.members.size and simplex.foresees_a_leap(np.count_nonzero(excess > 1.0)))
        least, most = (0.0, _WIDE * problem.n_samples) if leaps else (1.0, max(_FIRST, int(_GROWTH * support.size)))
        new = _loudest(excess, least, most)
        with single_threaded_blas():
            simplex.grow(new)
            budget = np.inf if leaps else _PATIENCE * simplex.leap_work()
            if leaps:
                simplex.leap(*posed)
            came_to = simplex.solve(*posed, budget)
            coef = simplex.coef(problem.n_features, posed.positive)
        duals.point = simplex.dual(problem.n_samples)
        start = coef.astype(problem.target.dtype)
        still = came_to == OPTIMAL and simplex.pivots == 0 and not new.size
        solved = still and priced is posed  # for by these multipliers no other column objects
        settled = solved and (isinstance(problem.penalty, L1) or np.array_equal(coef, touched))
        priced = posed
        if solved and not settled:
            touched, posed = coef, _posed(wide, coef)
        certificate = yield State(start, finished=settled or came_to == STUCK)


class _Posed(NamedTuple):
    """The l1 norm of a program: strength, weights of the columns or None, and whether coefficients may not be negative."""

    alpha: float
    penalty_weights: Any
    positive: bool


def _posed(problem, coef):
    """The penalty itself if it is an l1 norm, else the one that touches it at `coef`."""
    convex = problem if isinstance(problem.penalty, L1) else majorised(problem, as_double(coef))
    return _Posed(convex.penalty.alpha, convex.penalty_weights, convex.penalty.positive)


def _excess(posed, correlation, needed, members):
    """How loud columns object: above one, if they do; infinite for those needed and for free ones, zero for members."""
    cost = np.full(correlation.size, posed.alpha)
    if posed.penalty_weights is not None:
        cost = posed.alpha * posed.penalty_weights if posed.alpha else cost
        cost = np.where(np.isinf(posed.penalty_weights), np.inf, cost)
    size = np.maximum(correlation, 0.0) if posed.positive else np.abs(correlation)
    excess = np.where(cost > 0, size / np.where(cost > 0, cost, 1.0), np.inf)
    excess[needed] = np.inf
    excess[members[members >= 0]] = 0.0
    return excess


def _loudest(excess, least, most):
    """Columns to add: all of infinite excess, and of those above `least` as many as `most`."""
    forced = np.flatnonzero(np.isinf(excess))
    loud = np.flatnonzero((excess > least) & np.isfinite(excess))
    if loud.size > most:
        loud = np.sort(loud[np.argpartition(excess[loud], -most)[-most:]])
    return np.concatenate([forced, loud])


def _suits(problem):
    """Real NumPy data (or sparse), a loss linear on both sides of zero, an l1 norm or a concave penalty of finite slope."""
    core = getattr(problem.loss, "loss", problem.loss)
    pair = isinstance(core, (Absolute, Quantile)) and (isinstance(problem.penalty, L1) or has_tangents(problem))
    design = problem.design
    plain = design.is_numpy and not design.is_matrix_free and not isinstance(design, GramDesign)
    return pair and plain and not is_complex(problem.target)


def _remember(problem):
    return Simplex(problem.design, bool(getattr(problem.loss, "has_intercept", False)))


def _run(problem, coef, memory, *, tol, max_iter, callback=None, screening=True):
    """One target, from `coef`. No warning."""
    tol = attainable(tol, problem.target)
    duals = PairCertificate(problem)
    steps = _steps(problem, coef, memory, duals)
    return drive(steps, duals, max_iter=max_iter, tol=tol, callback=callback)


def _at_once(problem, alphas, tol, handed_out):
    """What the path on few samples needs no working set for; with a concave penalty there is none."""
    if not (isinstance(problem.penalty, L1) and is_short(problem)):
        return [None] * len(alphas)
    return absolute_path(problem, alphas, attainable(tol, problem.target))


LEAST_ABSOLUTE = Method("least_absolute", _suits, _run, _remember, each_target=True, at_once=_at_once)
