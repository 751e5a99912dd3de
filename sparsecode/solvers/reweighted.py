"""Reweighted l1: a concave penalty by a sequence of l1 problems, each of which lies above it and touches it at the last answer.

    x <- minimiser of   loss(target, design @ x) + sum_j weights_j slope(|x_j^last|) |x_j|

Each round lowers the objective (majorise and minimise). For `LogSum` the weights are ``alpha / (epsilon + |x_j^last|)``; for `MCP`
and `SCAD` it is the local linear approximation, for `CappedL1` multi-stage convex relaxation. The first round, from zeros, is the
Lasso at the slope at zero.

Candes, Wakin and Boyd, "Enhancing sparsity by reweighted l1 minimization", 2008 (arXiv 0711.1612).
"""

from __future__ import annotations

import numpy as np

from .._array import as_double, attainable, is_single
from ..losses import SquareRoot
from ..penalties import L1
from .certificates import PairCertificate
from .driver import State, drive, with_intercept
from .interpolation import aligned
from .method import Method
from .methods import choose, methods

__all__ = ["REWEIGHTED_L1", "has_tangents", "majorised"]

_FIRST, _LAST = 1e-4, 1e-15  # gaps of the l1 problems: all but the last rounds only give weights
_FINER = (
    0.01  # gap of an l1 problem over the squared stationarity of the concave one: a residual goes like a gap's root
)
_INNER = 10_000
_EXACT = {False: 1e-9, True: 1e-6}  # in single precision: misfit over that of zeros


def _rounds(problem, start, duals):
    """Yield the answers of the rounds, for ever; an exact fit with the subgradient of its loss in `duals`."""
    wide = problem.in_double()  # single precision cannot tell when an l1 problem is solved well enough
    coef = as_double(_majoriser(problem).prox(start, 0.0))
    certificate = yield State(_narrow(problem, coef))
    objective, gap = float(certificate.objective), _FIRST
    while True:
        gap = max(min(gap, _FINER * float(certificate.value) ** 2), _LAST)
        convex = majorised(wide, coef)
        method = choose(convex)
        new = method.run(convex, coef, method.remember(convex), tol=gap, max_iter=_INNER).coef
        value = float(wide.value(as_double(_narrow(problem, new))))
        lower = value < objective
        if lower:
            coef, objective = new, value
        duals.point = _subgradient(problem, coef)
        certificate = yield State(_narrow(problem, coef), finished=not lower and gap == _LAST)
        if not lower:
            gap = 0.01 * gap


def _subgradient(problem, coef):
    """At an exact fit, where a loss that is a norm has many subgradients: the least of those that the penalty takes; None elsewhere."""
    core, wide = getattr(problem.loss, "loss", problem.loss), problem.in_double()
    if core.is_smooth:
        return None
    fitted = wide.design.product(as_double(_narrow(problem, coef)))
    left = float(wide.loss.value(wide.target, fitted, wide.row_weights))
    if not left <= _EXACT[is_single(problem.target)] * float(wide.at_zero().loss):
        return None
    touching = majorised(wide, coef)
    return aligned(touching, coef, 0.0 * wide.target, touching.penalty.alpha)


def _narrow(problem, coef):
    return problem.xp.astype(coef, problem.target.dtype, copy=False)


def _majoriser(problem):
    """The l1 norm at the slope of the penalty at zero."""
    penalty = problem.penalty
    top = float(penalty.tangent(problem.xp.zeros((1,), dtype=problem.xp.float64))[0])
    return L1(top, positive=getattr(penalty, "positive", False))


def majorised(problem, coef):
    """The problem under the weighted l1 norm that touches the penalty at `coef`."""
    xp, penalty, known = problem.xp, _majoriser(problem), problem.penalty_weights
    weights = problem.penalty.tangent(coef) / (penalty.alpha or 1.0)
    if known is not None:
        excluded = xp.isinf(known)
        weights = xp.where(excluded, known, xp.where(excluded, xp.zeros_like(known), known) * weights)
    twin = problem.with_penalty(penalty)
    twin.penalty_weights, twin._double = weights, None
    return twin


def has_tangents(problem):
    """Whether the penalty is concave in the modulus, with a finite slope at zero."""
    penalty = problem.penalty
    return not penalty.is_convex and hasattr(penalty, "tangent") and bool(np.isfinite(_majoriser(problem).alpha))


def _suits(problem):
    """Whether the loss is smooth (the square root: but at zero), and the penalty's l1 problems are ones that can be solved."""
    core = getattr(problem.loss, "loss", problem.loss)
    if problem.is_joint or not (core.is_smooth or isinstance(core, SquareRoot)) or not has_tangents(problem):
        return False
    if problem.target.ndim == 2 and not problem.design.is_numpy:
        return False
    return any(method.suits(problem.with_penalty(_majoriser(problem))) for method in methods())


def _run(problem, coef, memory, *, tol, max_iter, callback=None):
    duals = PairCertificate(problem)
    result = drive(
        _rounds(problem, coef, duals),
        duals,
        max_iter=max_iter,
        tol=attainable(tol, problem.target),
        callback=callback,
    )
    return with_intercept(problem, result)


REWEIGHTED_L1 = Method("reweighted_l1", _suits, _run, each_target=True)
