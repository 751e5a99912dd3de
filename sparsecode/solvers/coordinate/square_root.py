"""The square-root loss through the squared one: the residual's size is one more unknown, found by a search in one dimension.

    sqrt(2 F(x)) + P(x)  =  min over sigma > 0 of  F(x) / sigma + sigma / 2 + P(x)            F = squared loss

For given sigma this is the squared loss with the penalty sigma P, and the minimum over sigma is where it is the size of the
residual. While support and signs stay, the squared size of a Lasso's residual is linear in the squared strength: one solve tells
where they meet on its support, coefficients included, or two do by a secant, for other penalties than the l1 norm; each
starts from the last, on the same working set.

Where even a vanishing sigma leaves a smaller residual, the minimiser fits the target exactly. Then sigma falls until the fit
on the support interpolates, and the Lasso's residual over sigma is the dual point that proves it. Supports nearly as large as the
sample hardly are found that way: there a linear program gives the exact fit of least norm, or, under an elastic net, a search in
the multipliers the optimum (`ridged_root`). Where the search gains no more, as near exact fits under penalties of groups, primal
and dual steps go on from its coefficients and its dual point.

Belloni, Chernozhukov and Wang, "Square-root lasso: pivotal recovery of sparse signals via conic programming", 2011
(arXiv 1009.5689).
Sun and Zhang, "Scaled sparse linear regression", 2012 (arXiv 1104.4595).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..._array import any_nonzero, as_double, attainable, to_numpy
from ...designs import CenteredDesign, GramDesign
from ...losses import Squared, SquareRoot
from ...penalties import L1, SLOPE, GroupL1, L1Ridge, SparseGroupL1, TotalVariation1D, TotalVariation2D
from ...result import Status
from ..certificates import PairCertificate, relative
from ..driver import State, drive
from ..interpolation import aligned, interpolated, least_fit
from ..method import Method
from ..methods import choose
from ..problem import Point, Problem
from ..proximal.primal_dual import primal_dual_steps
from .lasso_support import meeting, stationary
from .ridged_root import ridged_root
from .working_set import WORKING_SETS, working_set_round

__all__ = ["SQUARE_ROOT", "SecantInSquares"]

_PROPORTIONAL = (L1, L1Ridge, GroupL1, SparseGroupL1, SLOPE, TotalVariation1D, TotalVariation2D)  # to their strength
_FALL = 0.05  # of sigma at most, in one solve
_ROUNDED = 1e-6  # of its square: residuals that the Gram matrix of a working set tells no more
_FLOOR = 1e-8  # of the target's size: below, residuals and what proves them are rounding
_FINEST = 1e-13  # relative gap of the squared loss
_NEAR = 1e-2  # changes of sigma after which solves are as exact as can be
_SETTLED = 0.03  # the same, from which on a certificate is worth its products
_POLISH, _POLISH_GRADIENT = 1, 300  # rounds of working sets, iterations of gradients, of such a solve
_PATIENCE = 4  # of them without a smaller gap
_PROVED = 1e-10  # relative gap: above it, steps of another kind may still gain
_EXACT = 1e-2  # sizes of the residual, over that of the target, at which an exact fit is tried
_FULL = 0.8  # of the samples: supports at which it is looked for by a linear program
_AGAIN = 0.1  # of sigma, after which that is done once more
_SHARE = 0.1  # of the tolerance that a solve of the squared loss may use up
_INNER_ITERATIONS = 2_000
_QUICK = 8  # solves at first that end with one working set


class SecantInSquares:
    """``size^2 = level + slope * strength^2`` through the last two solves: how the residual of a Lasso grows with its strength."""

    def __init__(self):
        self.points: list[tuple[float, float]] = []

    def add(self, strength, size):
        """A solve and the size of its residual."""
        self.points = [*self.points[-1:], (strength**2, size**2)]

    def line(self):
        """Level and slope, the latter not negative; None before there are two different solves."""
        if len(self.points) < 2 or self.points[0][0] == self.points[1][0]:
            return None
        (a, left), (b, right) = self.points
        slope = max((right - left) / (b - a), 0.0)
        return right - slope * b, slope


class _Memory(NamedTuple):
    """The design as the squared loss sees it, what its method keeps, and the loss there."""

    design: Any
    share: Any  # weights of the samples, of sum one, where a mean has to be taken off the target; else None
    scale: Any  # what rows are multiplied by
    kept: dict


def _remember(problem):
    """For NumPy's arrays intercept and sample weights become part of the design; others keep them in the loss.

    In double precision: the gap of the square-root loss is linear where that of the squared one is quadratic.
    """
    problem = problem.in_double()
    share = scale = None
    design, weights = problem.design, problem.row_weights
    if not design.is_numpy:
        return _Memory(design, None, None, {})
    if not isinstance(weights, float):
        weights = weights.ravel()
        scale = np.sqrt(weights * problem.n_samples)
    mean = None
    if getattr(problem.loss, "has_intercept", False):
        share = np.full(problem.n_samples, weights, dtype=problem.target.dtype) if scale is None else weights
        mean = np.conj(design.rmatvec(share.astype(design.dtype)))
    if mean is not None or scale is not None:
        design = CenteredDesign(design, mean, scale)
    return _Memory(design, share, scale, {})


def _squared(problem, memory):
    """The same problem under the squared loss, without its intercept and weights where the design has them."""
    problem = problem.in_double()
    if not problem.design.is_numpy:
        loss = problem.loss._replace(loss=Squared()) if hasattr(problem.loss, "loss") else Squared()
        twin = Problem(problem.design, problem.target, loss, problem.penalty, problem.penalty_weights)
        twin.row_weights, twin._root = problem.row_weights, problem._root
        return twin
    target = problem.target
    if memory.share is not None:
        target = target - memory.share @ target
    if memory.scale is not None:
        target = memory.scale * target
    return Problem(memory.design, target, Squared(), problem.penalty, problem.penalty_weights)


class _Inner:
    """Solves of the squared loss at one sigma after another, each from the last."""

    def __init__(self, problem, memory):
        self.problem = problem
        self.squared = _squared(problem, memory)
        self.kept = memory.kept
        self.alpha, self.solved = problem.penalty.alpha, None  # the working set whose coefficients are the last solve's
        self.is_homogeneous = getattr(problem.penalty, "is_homogeneous", False)  # duals prove alike at any length
        wide, at_zero = self.squared.in_double(), problem.in_double().at_zero()
        self.target_size = size = float(at_zero.loss)
        if wide is self.squared and wide.design.is_numpy:
            wide._at_zero = self._point(0 * wide.target, size, size * at_zero.correlation)

    def solve(self, coef, sigma, wanted, last, quick=False):
        """Coefficients at a sigma, to a relative gap `wanted` of the square-root problem, and the size of their residual.

        If `quick`, after one working set of a Lasso, without a look at the other columns: the certificate that follows is one.
        """
        squared = self.squared.with_penalty(self.problem.penalty._replace(alpha=float(self.alpha * sigma)))
        if "method" not in self.kept:
            method = choose(squared)
            self.kept["method"], self.kept["memory"] = method, method.remember(squared)
        options = {"tol": max(_SHARE * wanted * sigma / self.target_size, _FINEST), "max_iter": _INNER_ITERATIONS}
        if last:  # a change of sigma by a millionth is one of the squared loss's gap by its square: below any tolerance
            options = {"tol": 0.0, "max_iter": _POLISH if self.kept["method"].each_target else _POLISH_GRADIENT}
        memory, self.solved = self.kept["memory"], None
        if quick and self.is_quick:
            point, gap = memory.certify.point(squared, coef), 2.0 * wanted * sigma / self.target_size
            coef = working_set_round(squared, coef, memory.working_set, point, gap, options["tol"])
            misfit = memory.working_set.misfit()
            if misfit > _ROUNDED * self.target_size**2:
                self.solved = memory.working_set
                return coef, float(np.sqrt(misfit))
        else:
            coef = self.kept["method"].run(squared, coef, memory, **options).coef
        if last and isinstance(squared.penalty, L1):
            coef = stationary(squared, coef)
        return coef, float(np.sqrt(2.0 * float(self._misfit(coef))))

    @property
    def is_quick(self):
        """Whether the squared loss is that of a Lasso by working sets, whose columns are there to be taken."""
        by_columns = self.kept["method"] is WORKING_SETS and not self.squared.design.is_matrix_free
        return by_columns and isinstance(self.squared.penalty, L1)

    def _misfit(self, coef):
        squared = self.squared.in_double()
        return squared.loss.value(squared.target, squared.design.product(as_double(coef)), squared.row_weights)

    def _point(self, fitted, size, correlation):
        """The point of the squared loss whose fitted values, correlations and size of the residual are known."""
        squared = self.squared
        dual = -squared.loss.gradient(squared.target, fitted, squared.row_weights)
        return Point(np.float64(0.5 * size**2), correlation, dual)

    def know(self, coef, size, point):
        """The square-root problem's point of the coefficients that the next solve starts from, whose residual is of a given size.

        Its correlations, times that size, are those of the squared loss (and its dual where the samples are the same): the next
        solve begins without a product.
        """
        certifier = getattr(self.kept.get("memory"), "certify", None)
        if certifier is None:
            return
        if self.squared.design is self.problem.in_double().design:
            known = Point(np.float64(0.5 * size**2), size * point.correlation, size * point.dual)
        else:
            known = self._point(self.squared.design.product(coef), size, size * point.correlation)
        certifier.know(coef, known)

    def meeting(self, coef, sigma):
        """Sigma and coefficients where the two meet on this support, not too far away; None where that is not known."""
        met = meeting(self.squared, coef, self.alpha, self.solved) if isinstance(self.squared.penalty, L1) else None
        return met if met is not None and _FALL * sigma <= met[0] <= sigma / _FALL else None

    def is_full(self, coef):
        """Whether the support has nearly as many columns as there are samples: then an exact fit may be near."""
        return np.count_nonzero(to_numpy(coef)) >= _FULL * self.problem.n_samples

    def least_fit(self, coef, sigma):
        """The exact fit of least norm, by a linear program; None if none was found."""
        return least_fit(self.squared, self.dual(coef, None, sigma), self.alpha)

    def dual(self, coef, exact, sigma):
        """The dual point of the square-root problem that the residual at sigma is, made to fit the signs of an exact fit if there is one."""
        wide = self.problem.in_double()
        squared = wide.loss._replace(loss=Squared()) if hasattr(wide.loss, "loss") else Squared()
        fitted = wide.design.product(coef)
        dual = -squared.gradient(wide.target, fitted, wide.row_weights) / float(sigma)
        if exact is None or not isinstance(self.problem.penalty, L1):
            return dual
        return aligned(self.problem, exact, dual, self.alpha)


def _steps(problem, start, memory, tol, duals):
    """Yield the coefficients of one solve of the squared loss after another.

    An exact fit of least norm is the answer for every smaller strength too: its dual point, scaled to fit, then proves that at once.
    """
    fit, proof, strength = memory.kept.get("exact", (None, None, 1.0))
    duals.point = proof * (problem.penalty.alpha / strength) if fit is start else None
    wide = problem.in_double()
    is_zero = not any_nonzero(start)
    certificate = yield State(start, certify=not (is_zero and _is_left(wide)))
    duals.point = None
    inner, secant = _Inner(problem, memory), SecantInSquares()
    size, coef, dtype = inner.target_size, as_double(start), start.dtype
    sigma = size if is_zero else float(wide.loss.value(wide.target, wide.design.product(coef), wide.row_weights))
    sigma = max(min(sigma, size), _FLOOR * size)
    wanted, following, least, idle, untried, rounds = 1.0, 0.0, np.inf, 0, np.inf, 0
    while True:
        near = abs(following - sigma) <= _NEAR * sigma
        wanted = tol if near else _next_gap(wanted, certificate, tol)
        sigma = following or sigma
        quick, rounds = not near and rounds < _QUICK, rounds + 1
        coef, left = inner.solve(coef, sigma, wanted, near, quick)
        quick = quick and inner.is_quick
        secant.add(sigma, left)
        line, met = secant.line(), inner.meeting(coef, sigma)
        vanishes = line is None or line[0] <= 0.1 * left**2  # the residual, with sigma
        exact = interpolated(inner.squared, coef) if vanishes and left < min(sigma, _EXACT * size) else None
        if exact is None and met is None and left < sigma <= untried and inner.is_full(coef):
            exact, untried = inner.least_fit(coef, sigma), _AGAIN * sigma
        if exact is not None:
            duals.point, exact = inner.dual(coef, exact, sigma), problem.xp.astype(exact, dtype, copy=False)
            memory.kept["exact"] = exact, duals.point, problem.penalty.alpha
            yield State(exact)
            duals.point = None
        ridged = ridged_root(problem, coef, left) if vanishes and left < sigma else None
        if ridged is not None:
            duals.point = ridged[1]
            yield State(ridged[0].astype(dtype, copy=False))
        following, coef = (_next_sigma(secant, sigma, left, _FLOOR * size), coef) if met is None else met
        duals.point = None
        if coef.dtype != dtype or (vanishes and left < sigma and not inner.is_homogeneous):
            duals.point = inner.dual(coef, None, following if met else sigma)
        settled = quick or near or met is not None or abs(following - sigma) <= _SETTLED * sigma
        certificate = yield State(problem.xp.astype(coef, dtype, copy=False), settled)
        if certificate is not None and duals.point is None and following > _FLOOR * size:
            inner.know(coef, met[0] if met else left, certificate.point)
        if near:
            idle = 0 if certificate.value < 0.5 * least else idle + 1
            least = min(least, float(certificate.value))
        if idle >= _PATIENCE:
            if least <= _PROVED:
                yield State(problem.xp.astype(coef, dtype, copy=False), finished=True)
            duals.point = inner.dual(coef, None, following if met else sigma)
            yield from primal_dual_steps(problem, problem.xp.astype(coef, dtype, copy=False), duals)


def _is_left(problem):
    """Whether zero is no minimiser, as the correlations there say: then it needs no certificate."""
    limit = problem.penalty.dual_limit(problem.at_zero().correlation, problem.coef_weights)
    left = limit < 1.0 - _NEAR
    return bool(left) if left.ndim == 0 else bool(problem.xp.all(left))


class _Proofs:
    """Certificates of a solve, its best bound, and its lowest objective: these need not come from the same coefficients."""

    def __init__(self, problem, duals):
        self.duals = duals
        self.scale = float(problem.in_double().at_zero().loss)
        self.bound, self.objective, self.coef = -np.inf, np.inf, None

    def __call__(self, coef):
        """The certificate of coefficients with the dual point that goes with them."""
        certificate = self.duals(coef)
        objective = float(certificate.objective)
        self.bound = max(self.bound, objective - float(certificate.value) * self.scale)
        if objective < self.objective:
            self.objective, self.coef = objective, coef
        return certificate

    def best(self, result):
        """What the driver found, or the coefficients of the lowest objective with the best bound where it missed its tolerance."""
        if result.status is Status.CONVERGED or not self.objective < result.objective:
            return result
        gap = float(relative(max(self.objective - self.bound, 0.0), self.scale))
        status = Status.CONVERGED if gap <= result.tol and result.status is not Status.DIVERGED else result.status
        return replace(result, coef=self.coef, objective=self.objective, certificate=gap, status=status)


def _next_gap(wanted, certificate, tol):
    """How exactly the next Lasso is solved, after the last one was to a gap of `wanted`; no certificate if nothing was proved."""
    if certificate is None:
        return max(wanted / 10.0, tol)
    return max(min(wanted / 3.0, 0.3 * float(certificate.value)), tol)


def _next_sigma(secant, sigma, left, floor):
    """Where sigma and the residual's size meet: by the secant, and at least as far away as that size.

    The size grows with sigma, but more slowly, so the meeting point lies beyond it, as seen from sigma.
    """
    aim, line = left, secant.line()
    if line is not None:
        level, slope = line
        aim = np.sqrt(max(level, 0.0) / (1.0 - slope)) if slope < 1.0 else left
    if left < sigma:
        return max(min(aim, left), _FALL * sigma, floor)
    return min(max(aim, left), sigma / _FALL)


def _suits(problem):
    """The square-root loss of one target, or of many independent ones, with a penalty proportional to its strength."""
    core = getattr(problem.loss, "loss", problem.loss)
    penalty = problem.penalty
    pair = isinstance(core, SquareRoot) and isinstance(penalty, _PROPORTIONAL) and penalty.alpha > 0
    single = problem.target.ndim == 1 or (problem.design.is_numpy and not problem.is_joint)
    return pair and single and not isinstance(problem.design, GramDesign)


def _run(problem, coef, memory, *, tol, max_iter, callback=None, screening=True):
    """One target, from `coef`. No warning."""
    tol, duals = attainable(tol, problem.target), PairCertificate(problem)
    proofs = _Proofs(problem, duals)
    steps = _steps(problem, coef, memory, tol, duals)
    return proofs.best(drive(steps, proofs, max_iter=max_iter, tol=tol, callback=callback))


SQUARE_ROOT = Method("square_root", _suits, _run, _remember, each_target=True)
