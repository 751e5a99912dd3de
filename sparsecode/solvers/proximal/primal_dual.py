"""Any loss and any penalty that have a prox, by the primal-dual hybrid gradient method: neither has to be smooth.

    min over x  max over v   Re <A x, v> - F*(v) + P(x)          F the loss, P the penalty

One step T takes a prox of each in turn. Halpern's iteration draws the reflected steps to where the last restart was,

    z <- (k + 1) / (k + 2) (2 T(z) - z) + 1 / (k + 2) z_restart

and restarts when ``||z - T(z)||`` has fallen enough; then the weight of the primal against the dual step is balanced by how
far each has come. On linear programs (absolute losses with an l1 norm) this converges linearly. An intercept is one more
coefficient without a penalty.

Chambolle and Pock, "A first-order primal-dual algorithm for convex problems with applications to imaging", 2011.
Lu and Yang, "Restarted Halpern PDHG for linear programming", 2024 (arXiv 2407.16144).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import as_double, attainable, inner, sq_norm, to_numpy
from ...designs import GramDesign
from ...designs.base import largest_eigenvalue
from ..certificates import PairCertificate
from ..driver import State, drive
from ..methods import Method
from ..targets import solve_targets

__all__ = ["PRIMAL_DUAL", "primal_dual_steps"]

_CERTIFY_EVERY = 40
_SAFETY = 0.998  # of the longest steps that the norm of the design allows
_ENOUGH, _SOME, _LONG = 0.2, 0.8, 0.36  # fall of the residual, fall if it rises again, share of all iterations: restart
_GREATEST_CHANGE = 1e3  # of the balance at one restart


class _Pair(NamedTuple):
    """Coefficients, the intercept beside them, and the dual variable, each with its product: all linear, so they mix."""

    coef: Any
    constant: Any  # one a target, in units that give its column the norm of the design
    dual: Any  # a negative dual point
    image: Any  # A coef, with the constant
    back: Any  # A^H dual

    def mix(self, own, other, share):
        """``own * self + share * other``."""
        return _Pair(*(own * mine + share * theirs for mine, theirs in zip(self, other, strict=True)))


class _Operator:
    """The steps of a problem, in double precision."""

    def __init__(self, problem):
        self.problem = problem.in_double()
        self.xp, self.loss = problem.xp, problem.loss
        self.core = getattr(problem.loss, "loss", problem.loss)
        size = _spectral_norm(problem) or 1.0
        self.has_intercept = bool(getattr(problem.loss, "has_intercept", False))
        self.column = size / problem.n_samples**0.5 if self.has_intercept else 0.0
        self.size = size * (2.0**0.5 if self.has_intercept else 1.0)

    def begin(self, start, point=None):
        """The pair of some coefficients: their best constant, and as the dual the loss's own pull, or a dual point that is known."""
        problem = self.problem
        coef = as_double(start)
        fitted = problem.design.matvec(coef)
        constant = 0.0 * fitted[0, ...]
        if self.has_intercept:
            constant = problem.loss.best_constant(problem.target, fitted, problem.row_weights) / self.column
        pull = problem.loss.gradient(problem.target, fitted, problem.row_weights)
        dual = pull if point is None else -as_double(point)
        return _Pair(coef, constant, dual, fitted + self.column * constant, problem.design.rmatvec(dual))

    def balance(self, pair):
        """A weight of dual against primal lengths that does not depend on the units of design and target."""
        target = self.problem.target
        pull = self.problem.at_zero().dual
        lengths = _length(pull), _length(target) / self.size
        return lengths[0] / lengths[1] if lengths[0] > 0 and lengths[1] > 0 else 1.0 / self.size

    def step(self, pair, balance):
        """One step: primal prox, extrapolation, dual prox."""
        problem, length = self.problem, _SAFETY / self.size
        primal, dual = length / balance, length * balance
        coef = problem.prox(pair.coef - primal * pair.back, primal)
        constant = pair.constant - primal * self.column * self.xp.sum(pair.dual, axis=0)
        image = problem.design.matvec(coef) + self.column * constant
        aimed = pair.dual + dual * (2.0 * image - pair.image)
        fitted = self.core.prox(problem.target, aimed / dual, 1.0 / dual, problem.row_weights)
        new = aimed - dual * fitted
        return _Pair(coef, constant, new, image, problem.design.rmatvec(new))

    def residual(self, change, balance):
        """Length of a change in the metric in which the step is a firmly nonexpansive one."""
        primal = _sum(sq_norm(change.coef)) + _sum(abs(change.constant) ** 2)
        cross = _sum(inner(change.dual, change.image))
        value = balance * primal + _sum(sq_norm(change.dual)) / balance - 2.0 * _SAFETY / self.size * cross
        return float(np.sqrt(max(value, 0.0)))


def _spectral_norm(problem):
    """Norm of the design, of the columns that are not excluded."""
    weights = problem.penalty_weights
    excluded = None if weights is None else problem.xp.isinf(weights)
    if excluded is None or not bool(problem.xp.any(excluded)):
        return float(np.sqrt(problem.design.spectral_sq_norm()))
    return float(np.sqrt(largest_eigenvalue(problem.design, ~excluded)))


def _sum(values):
    return float(np.sum(to_numpy(values)))


def _length(array):
    return _sum(sq_norm(array)) ** 0.5


def primal_dual_steps(problem, start, duals):
    """Yield the coefficients of T(z), for ever; the dual point of each is `duals.point`, that of the start too, if known."""
    operator, dtype = _Operator(problem), problem.target.dtype
    yield State(start)
    anchor = pair = operator.begin(start, duals.point)
    balance = operator.balance(pair)
    first = last = None
    total = since = 0
    while True:
        new = operator.step(pair, balance)
        change = new.mix(1.0, pair, -1.0)
        residual = operator.residual(change, balance)
        total += 1
        duals.point = -new.dual
        coef = problem.xp.astype(new.coef, dtype, copy=False)
        still = _length(change.coef) == 0.0 and _length(change.dual) == 0.0
        yield State(coef, total % _CERTIFY_EVERY == 0 or still, finished=still)
        first = residual if first is None else first
        rises = last is not None and residual > last
        if since and (residual <= _ENOUGH * first or (residual <= _SOME * first and rises) or since >= _LONG * total):
            balance = _rebalanced(balance, new.mix(1.0, anchor, -1.0))
            anchor = pair = new
            first = last = None
            since = 0
            continue
        share = (since + 1.0) / (since + 2.0)
        reflected = new.mix(2.0, pair, -1.0)
        pair = reflected.mix(share, anchor, 1.0 - share)
        last, since = residual, since + 1


def _rebalanced(balance, moved):
    """Half way, on a logarithmic scale, to the weight that makes both have come equally far."""
    primal = (_length(moved.coef) ** 2 + _sum(abs(moved.constant) ** 2)) ** 0.5
    dual = _length(moved.dual)
    if not (primal > 0 and dual > 0):
        return balance
    aim = (balance * dual / primal) ** 0.5
    return min(max(aim, balance / _GREATEST_CHANGE), balance * _GREATEST_CHANGE)


def _suits(problem):
    """Whether both have a prox, the loss one at the fitted values themselves."""
    loss = getattr(problem.loss, "loss", problem.loss)
    both = hasattr(loss, "prox") and hasattr(problem.penalty, "prox")
    return both and not isinstance(problem.design, GramDesign)


def _run(problem, coef, memory, *, tol, max_iter, callback=None, screening=False):
    """Any problem that suits; independent targets one by one where they can be taken apart. No warning."""
    if problem.target.ndim == 2 and not problem.is_joint and problem.design.is_numpy:
        return solve_targets(problem, coef, PRIMAL_DUAL, callback=callback, tol=tol, max_iter=max_iter)
    duals = PairCertificate(problem)
    steps = primal_dual_steps(problem, coef, duals)
    return drive(steps, duals, max_iter=max_iter, tol=attainable(tol, problem.target), callback=callback)


PRIMAL_DUAL = Method("primal_dual", _suits, _run)
