"""A smooth loss with an l1 norm on small data: Newton's method on the support, from one strength to the next.

    min over x, c   loss(y, A x + c) + alpha sum_j weights_j |x_j|          for alpha_1 > alpha_2 > ...

While support and signs stay, the objective is smooth on the support, and its minimiser at one strength is near that at the last.
A step solves the quadratic model there; coefficients that it would carry across zero leave, columns outside whose correlation
exceeds their threshold come in with its sign. The last step's look at all columns ends the strength. All that is a few products of
BLAS, and nothing has to be compiled. Strengths whose gap, computed for all of them together, is too large are left to others.

Rosset and Zhu, "Piecewise linear regularized solution paths", 2007 (arXiv 0708.2197).
Park and Hastie, "L1-regularization path algorithm for generalized linear models", 2007.
"""

from __future__ import annotations

import time

import numpy as np

from ..._array import attainable
from ..._parallel import single_threaded_blas
from ...penalties import L1
from ..certificates import PairCertificate, relative_gaps
from ..driver import State, drive
from ..method import Method
from .at_once import proved
from .newton import newton_step
from .prox_newton import OPERATOR_COLUMNS, PROX_NEWTON, prox_newton_steps

__all__ = ["SUPPORT_NEWTON", "newton_path"]

_SIDE, _ENTRIES = 128, 1 << 16  # samples or features: a step costs the cube; entries: it costs a product
_STEPS = 30  # for one strength
_ALONE = 10  # steps after which columns come in one at a time: several may keep one another from settling
_FEWEST = 16  # columns that come in together otherwise, and as many as there are
_SETTLED = 0.1  # of what they miss is missed on the support, before one more comes in then
_HALVINGS = 12
_ENOUGH = 0.1  # of the tolerance: by how much correlations may miss their thresholds, relative to these
_CONTINUATION = 0.4  # from one strength to the next, where one alone is asked for
_COARSE = 0.1  # what is enough on the way
_LEAST = 1e-4  # of the largest strength: below that, the way is gone in one
_ROUNDING = 1e-13  # relative change of the objective that says nothing


def newton_path(problem, alphas, tol):
    """Results for a descending sequence of strengths of an `L1` penalty, intercepts included; None for those whose gap misses `tol`."""
    began, alphas = time.perf_counter(), np.asarray(alphas, dtype=np.float64)
    coefs, steps = np.zeros((problem.n_features, alphas.size), problem.target.dtype, order="F"), []
    with single_threaded_blas():  # many small products
        support = _Support(problem)
        for k, alpha in enumerate(alphas.tolist()):
            before = support.steps
            support.go_to(alpha, _ENOUGH * tol)
            coefs[:, k] = support.coef
            steps.append(support.steps - before)
        certificate, constants = relative_gaps(problem, coefs, alphas)
    constants = np.broadcast_to(constants, alphas.shape).astype(problem.target.dtype)
    seconds = (time.perf_counter() - began) / alphas.size  # one strength's share
    found = zip(coefs.T, constants, certificate.value, certificate.objective, steps, strict=True)
    return [proved(coef.copy(), c, gap, objective, own, seconds, tol) for coef, c, gap, objective, own in found]


def _steps(problem, coef, tol, others):
    """Yield the start and the minimiser that is reached from there, from zero through larger strengths; then the states of `others` from there."""
    yield State(coef)
    alpha, support = problem.penalty.alpha, _Support(problem)
    above = floor = alpha
    if np.any(coef):
        support.begin(coef)
    else:
        largest = support.largest_strength()
        above, floor = max(_CONTINUATION * largest, alpha), max(_LEAST * largest, alpha)
    while above > floor:
        with single_threaded_blas():
            support.go_to(above, _COARSE)
        yield State(support.coef.astype(coef.dtype), certify=False)
        above = max(_CONTINUATION * above, alpha)
    found: bool | None = False
    for step in range(_STEPS):
        with single_threaded_blas():
            found = support.go_to(alpha, _ENOUGH * tol, step, step + 1)
        if found is not False:
            break
        yield State(support.coef.astype(coef.dtype), certify=False)
    reached = support.coef.astype(coef.dtype)
    if found:
        yield State(reached)
    yield from others(reached if _objective(problem, reached) < _objective(problem, coef) else coef)


def _objective(problem, coef):
    """The objective, inf where it is not a number."""
    with np.errstate(over="ignore", invalid="ignore"):
        value = float(problem.value(coef))
    return value if np.isfinite(value) else np.inf


class _Support:
    """Coefficients with fixed signs on a support, and the fitted values of the samples that have a weight."""

    def __init__(self, problem):
        wide = problem.in_double()
        self.has_intercept = getattr(wide.loss, "has_intercept", False)
        self.loss, self.positive = wide.loss.loss if self.has_intercept else wide.loss, problem.penalty.positive
        mass = np.broadcast_to(wide.row_weights, wide.target.shape)
        rows = np.flatnonzero(mass > 0)
        self.mass, self.target = mass[rows].astype(np.float64), wide.target[rows]
        columns = np.asarray(wide.design.columns(np.arange(problem.n_features)))
        self.columns = np.ascontiguousarray((columns if rows.size == mass.size else columns[rows]).T)  # one a row
        weights = problem.penalty_weights
        cost = np.ones(problem.n_features) if weights is None else np.asarray(weights, dtype=np.float64)
        excluded = np.isinf(cost)
        self.columns[excluded], self.cost = 0.0, np.where(excluded, 1.0, cost)
        self.free = np.flatnonzero(self.cost == 0)
        self.correlation = wide.at_zero().correlation
        self.constant = float(wide.intercept(wide.start()))
        self.steps, self.support = 0, self.free
        self.coef, self.fitted = np.zeros(problem.n_features), np.full(rows.size, self.constant)

    def begin(self, coef):
        """Stand at coefficients (n_features,)."""
        self.coef = np.where(self.columns.any(axis=1), coef, 0.0)
        self.fitted = self.coef @ self.columns
        if self.has_intercept:
            self.constant = float(self.loss.best_constant(self.target, self.fitted, self.mass))
            self.fitted += self.constant
        self.support = np.flatnonzero((self.coef != 0) | (self.cost == 0))

    def largest_strength(self):
        """The least strength with a zero answer, as far as columns are charged."""
        size = self.correlation if self.positive else np.abs(self.correlation)
        charged = (self.cost > 0) & self.columns.any(axis=1)
        return float(np.max(size[charged] / self.cost[charged], initial=0.0))

    def go_to(self, alpha, enough, first=0, last=_STEPS):
        """Move to the minimiser at a strength, by some of its steps; whether thresholds are met to `enough`, relative to themselves.

        None where no step leads on.
        """
        threshold = alpha * self.cost
        limit = np.where(self.cost > 0, threshold, alpha)
        for step in range(first, last):
            dual = -self.loss.gradient(self.target, self.fitted, self.mass)
            bend = self.loss.hessian_diagonal(self.target, self.fitted, self.mass)
            pull, total = float(dual.sum()), float(bend.sum())
            if not total > 0:
                return None
            shift = pull / total if self.has_intercept else 0.0
            remaining = self.columns @ (dual - bend * shift)
            excess = ((remaining if self.positive else np.abs(remaining)) - threshold) / limit
            support = self.support
            sign = np.where(self.cost[support] > 0, np.sign(self.coef[support]), 0.0)
            missed = np.max(np.abs(remaining[support] - threshold[support] * sign) / limit[support], initial=0.0)
            excess[support] = 0.0
            new = np.flatnonzero(excess > enough)
            if missed <= enough and not new.size and abs(shift * total) <= enough * np.abs(dual).sum():
                return True
            room = self.target.size - 1 - support.size  # a support as large as the sample fits anything
            crowded = step > _ALONE or room < 1
            few = int(missed <= _SETTLED * excess.max()) if crowded else min(max(_FEWEST, support.size), room)
            new = _largest(excess, new, few)
            support = np.concatenate([support, new])
            self.steps += 1
            if not self._step(support, new.size, remaining[support], bend, shift, threshold[support]):
                return None
        return False

    def _step(self, support, n_new, remaining, bend, shift, threshold):
        """Go to the minimiser of the quadratic model on a support, or as far there as the objective falls; whether it did.

        The last `n_new` of the support come in, each by its own minimiser, so that it has a sign.
        """
        columns, start = self.columns[support], self.coef[support]
        scaled = columns * np.sqrt(bend)
        gram, total = scaled @ scaled.T, float(bend.sum())
        if self.has_intercept:
            touch = columns @ bend
            gram -= np.outer(touch, touch / total)
        aim = start.copy()
        for j in range(start.size - n_new, start.size):
            pull = np.sign(remaining[j]) * max(abs(remaining[j]) - threshold[j], 0.0)
            if gram[j, j] > 0 and not (self.positive and pull < 0):
                aim[j] = pull / gram[j, j]
                remaining = remaining - aim[j] * gram[j]
        kept = np.flatnonzero((aim != 0) | (threshold == 0))
        inside = gram if kept.size == start.size else gram[np.ix_(kept, kept)]
        step = newton_step(inside, aim[kept], remaining[kept], threshold[kept], self.positive) if kept.size else None
        if step is not None:
            aim[kept] += step
        elif not n_new and kept.size:
            return False
        return self._search(support, start, aim, (aim - start) @ columns, bend, shift, threshold)

    def _search(self, support, start, aim, moved, bend, shift, threshold):
        """Go from one to the other, fitted values by `moved`, or part of the way; whether the objective fell."""
        change = shift - float(bend @ moved) / float(bend.sum()) if self.has_intercept else 0.0
        before = self._value(self.fitted, start, threshold)
        noise, length = _ROUNDING * abs(before), 1.0
        for _ in range(_HALVINGS):
            fitted = self.fitted + length * (moved + change)
            coef = aim if length == 1.0 else start + length * (aim - start)
            if self._value(fitted, coef, threshold) <= before + noise:
                self.fitted, self.coef[support] = fitted, coef
                self.support = support[(coef != 0) | (threshold == 0)]
                return True
            length *= 0.5
        return False

    def _value(self, fitted, coef, threshold):
        with np.errstate(over="ignore", invalid="ignore"):
            return float(self.loss.value(self.target, fitted, self.mass)) + float(threshold @ np.abs(coef))


def _largest(excess, chosen, count):
    """Those of the chosen whose excess is largest, as many as `count`."""
    if chosen.size <= count or not count:
        return chosen[:count]
    return chosen[np.argpartition(excess[chosen], -count)[-count:]]


def _suits(problem):
    """Small data for `PROX_NEWTON`, under an l1 norm that leaves no orthant for free coefficients to stay in."""
    n_samples, n_features = problem.n_samples, problem.n_features
    few = min(n_samples, n_features) <= _SIDE and n_samples * n_features <= _ENTRIES
    few = few and not (problem.design.is_matrix_free and n_features > OPERATOR_COLUMNS)  # all of them are looked at
    core, penalty = getattr(problem.loss, "loss", problem.loss), problem.penalty
    if not (few and isinstance(penalty, L1) and penalty.alpha > 0 and hasattr(core, "hessian_diagonal")):
        return False
    return PROX_NEWTON.suits(problem) and not (penalty.positive and problem.free_columns().size)


def _run(problem, coef, memory, *, tol, max_iter, callback=None, screening=False):
    """One target, from `coef`. No warning."""
    tol = attainable(tol, problem.target)
    duals, zeros = PairCertificate(problem, memory.certify), np.zeros_like(coef)
    if np.any(coef) and not _objective(problem, coef) <= _objective(problem, zeros):
        coef = zeros  # a start that is worse than none
    steps = _steps(problem, coef, tol, lambda coef: prox_newton_steps(problem, coef, memory.model, duals, tol=tol))
    return drive(steps, duals, max_iter=max_iter, tol=tol, callback=callback)


def _at_once(problem, alphas, tol, handed_out):
    return newton_path(problem, alphas, attainable(tol, problem.target))


SUPPORT_NEWTON = Method("support_newton", _suits, _run, PROX_NEWTON.remember, each_target=True, at_once=_at_once)
