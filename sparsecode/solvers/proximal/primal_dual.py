"""Any loss and any penalty that have a prox, by the primal-dual hybrid gradient method: neither has to be smooth.

    min over x  max over v   Re <A x, v> - F*(v) + P(x)          F the loss, P the penalty

One step T takes a prox of each in turn. Halpern's iteration draws the reflected steps to where the last restart was,

    z <- (k + 1) / (k + 2) (2 T(z) - z) + 1 / (k + 2) z_restart

and restarts when ``||z - T(z)||`` has fallen enough; then the weight of the primal against the dual step is balanced by how
far each has come. On linear programs (absolute losses with an l1 norm) this converges linearly. An intercept is one more
coefficient without a penalty. Columns without one have no prox either, so that their steps may be taken in any metric: that of
their own Gram matrix, in which they are orthonormal.

Chambolle and Pock, "A first-order primal-dual algorithm for convex problems with applications to imaging", 2011.
Lu and Yang, "Restarted Halpern PDHG for linear programming", 2024 (arXiv 2407.16144).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, attainable, dagger, inner, norm, sq_norm, to_numpy
from ...designs import GramDesign
from ...designs.base import largest_eigenvalue
from ..certificates import PairCertificate, certificate_of, prox_residual
from ..driver import State, drive
from ..method import Method
from ..targets import solve_targets

__all__ = ["PRIMAL_DUAL", "primal_dual_steps"]

_CERTIFY_EVERY = 40
_SAFETY = 0.998  # of the longest steps that the norm of the design allows
_ENOUGH, _SOME, _LONG = 0.2, 0.8, 0.36  # fall of the residual, fall if it rises again, share of all iterations: restart
_GREATEST_CHANGE = 1e3  # of the balance at one restart
_UNIT = 0.7  # norm of the free columns, over that of the others
_FREE_COLUMNS = 500  # so many at most are made orthonormal


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
        self.free = _Free.of(self.problem)
        size = _spectral_norm(self.problem, self.free) or 1.0
        self.has_intercept = bool(getattr(problem.loss, "has_intercept", False))
        self.column = size / problem.n_samples**0.5 if self.has_intercept else 0.0
        self.unit = _UNIT * size
        self.size = size * (1.0 + self.has_intercept + _UNIT**2 * (self.free is not None)) ** 0.5

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

    def balance(self):
        """A weight of dual against primal lengths that does not depend on the units of design and target."""
        target = self.problem.target
        pull = self.problem.at_zero().dual
        lengths = _length(pull), _length(target) / self.size
        return lengths[0] / lengths[1] if lengths[0] > 0 and lengths[1] > 0 else 1.0 / self.size

    def step(self, pair, balance):
        """One step: primal prox, extrapolation, dual prox."""
        problem, length = self.problem, _SAFETY / self.size
        primal, dual = length / balance, length * balance
        back = pair.back if self.free is None else self.free.turned(pair.back, self.unit)
        coef = problem.prox(pair.coef - primal * back, primal)
        constant = pair.constant - primal * self.column * self.xp.sum(pair.dual, axis=0)
        image = problem.design.matvec(coef) + self.column * constant
        aimed = pair.dual + dual * (2.0 * image - pair.image)
        fitted = self.core.prox(problem.target, aimed / dual, 1.0 / dual, problem.row_weights)
        new = aimed - dual * fitted
        return _Pair(coef, constant, new, image, problem.design.rmatvec(new))

    def residual(self, change, balance):
        """Length of a change in the metric in which the step is a firmly nonexpansive one."""
        cross = _sum(inner(change.dual, change.image))
        primal, dual = self.come(change) ** 2, _sum(sq_norm(change.dual))
        value = balance * primal + dual / balance - 2.0 * _SAFETY / self.size * cross
        return float(np.sqrt(max(value, 0.0)))

    def come(self, change):
        """Length of the primal part of a change."""
        coef, free = change.coef, self.free
        coefs = _sum(sq_norm(coef)) if free is None else free.sq_length(coef, self.unit)
        return (coefs + _sum(abs(change.constant) ** 2)) ** 0.5

    def rebalanced(self, balance, moved):
        """Half way, on a logarithmic scale, to the weight that makes both have come equally far."""
        primal, dual = self.come(moved), _length(moved.dual)
        if not (primal > 0 and dual > 0):
            return balance
        aim = (balance * dual / primal) ** 0.5
        return min(max(aim, balance / _GREATEST_CHANGE), balance * _GREATEST_CHANGE)


class _Free:
    """The columns that the penalty leaves alone, ``U S V^H D`` of unit columns U S V^H: steps are those of the columns of U, times a unit."""

    def __init__(self, problem, indices):
        xp, columns = problem.xp, problem.design.columns(indices)
        length = norm(columns)
        length = xp.where(length > 0, length, xp.ones_like(length))
        _, size, right = xp.linalg.svd(columns / length, full_matrices=False)
        rank = int(xp.count_nonzero(size > max(problem.n_samples, len(indices)) * xp.finfo(size.dtype).eps * size[0]))
        size, right = size[:rank, None], right[:rank, :]
        self._seen, inverse = size * right * length, right / size / length
        self._steps = dagger(inverse) @ inverse
        place, mask = np.zeros(problem.n_features, dtype=np.int64), np.zeros(problem.n_features, dtype=bool)
        place[indices], mask[indices] = np.arange(len(indices)), True
        self.mask = mask
        self._indices, self._place = (asarray_like(each, problem.target) for each in (indices, place))

    @classmethod
    def of(cls, problem):
        """Those of a problem; None where there are none, or too many, or they may not be negative."""
        free = problem.free_columns()
        few = free.ndim == 1 and 0 < free.size <= _FREE_COLUMNS
        return cls(problem, free) if few and not getattr(problem.penalty, "positive", False) else None

    def turned(self, back, unit):
        """The direction of a step: products with the adjoint, those of the free columns in their metric."""
        xp = array_namespace(back)
        own = unit**2 * (self._steps @ xp.take(back, self._indices, axis=0))
        return xp.where(self._where(back), xp.take(own, self._place, axis=0), back)

    def sq_length(self, coef, unit):
        """Squared length of coefficients in that metric."""
        xp = array_namespace(coef)
        own = self._seen @ xp.take(coef, self._indices, axis=0) / unit
        return _sum(sq_norm(own)) + _sum(sq_norm(xp.where(self._where(coef), 0 * coef, coef)))

    def _where(self, like):
        return asarray_like(self.mask.reshape(-1, *[1] * (like.ndim - 1)), like)


def _spectral_norm(problem, free):
    """Norm of the design, of the columns that are neither excluded nor free ones on their own."""
    counted = np.ones(problem.n_features, dtype=bool) if free is None else ~free.mask
    if problem.penalty_weights is not None:
        counted &= np.isfinite(to_numpy(problem.penalty_weights))
    if np.all(counted):
        return float(np.sqrt(problem.design.spectral_sq_norm()))
    if not np.any(counted):
        return 0.0
    return float(np.sqrt(largest_eigenvalue(problem.design, asarray_like(counted, problem.target))))


def _sum(values):
    return float(np.sum(to_numpy(values)))


def _length(array):
    return _sum(sq_norm(array)) ** 0.5


def primal_dual_steps(problem, start, duals):
    """Yield the coefficients of T(z), for ever; the dual point of each is `duals.point`, that of the start too, if known."""
    operator, dtype = _Operator(problem), problem.target.dtype
    yield State(start)
    anchor = pair = operator.begin(start, duals.point)
    balance = operator.balance()
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
            balance = operator.rebalanced(balance, new.mix(1.0, anchor, -1.0))
            anchor = pair = new
            first = last = None
            since = 0
            continue
        share = (since + 1.0) / (since + 2.0)
        reflected = new.mix(2.0, pair, -1.0)
        pair = reflected.mix(share, anchor, 1.0 - share)
        last, since = residual, since + 1


def _suits(problem):
    """Whether both have a prox, the loss one at the fitted values themselves, and a certificate tells how near the answer is."""
    loss = getattr(problem.loss, "loss", problem.loss)
    both = hasattr(loss, "prox") and hasattr(problem.penalty, "prox")
    proved = loss.is_smooth or certificate_of(problem) is not prox_residual  # which takes a step along a gradient
    return both and proved and not isinstance(problem.design, GramDesign)


def _run(problem, coef, memory, *, tol, max_iter, callback=None, screening=False):
    """Any problem that suits; independent targets one by one where they can be taken apart. No warning."""
    if problem.target.ndim == 2 and not problem.is_joint and problem.design.is_numpy:
        return solve_targets(problem, coef, PRIMAL_DUAL, callback=callback, tol=tol, max_iter=max_iter)
    duals = PairCertificate(problem)
    steps = primal_dual_steps(problem, coef, duals)
    return drive(steps, duals, max_iter=max_iter, tol=attainable(tol, problem.target), callback=callback)


PRIMAL_DUAL = Method("primal_dual", _suits, _run)
