"""The square-root loss through the squared one: the residual's size is one more unknown, found by a search in one dimension.

    sqrt(2 F(x)) + P(x)  =  min over sigma > 0 of  F(x) / sigma + sigma / 2 + P(x)            F = squared loss

For given sigma this is the squared loss with the penalty sigma P, and the minimum over sigma is where it is the size of the
residual. While support and signs stay, the squared size of a Lasso's residual is linear in the squared strength: one solve tells
where they meet on its support, coefficients included, or two do by a secant, for other penalties than the l1 norm; each
starts from the last, on the same working set.

Where even a vanishing sigma leaves a smaller residual, the minimiser fits the target exactly. Then sigma falls until the fit
on the support interpolates, and the Lasso's residual over sigma is the dual point that proves it. Supports nearly as large as the
sample hardly are found that way: there a linear program gives the exact fit of least norm.

Belloni, Chernozhukov and Wang, "Square-root lasso: pivotal recovery of sparse signals via conic programming", 2011
(arXiv 1009.5689).
Sun and Zhang, "Scaled sparse linear regression", 2012 (arXiv 1104.4595).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import as_double, asarray_like, is_complex, real_dtype, to_numpy
from ...designs import CenteredDesign, GramDesign
from ...losses import Squared, SquareRoot
from ...penalties import L1, SLOPE, GroupL1, L1Ridge, SparseGroupL1, TotalVariation1D, TotalVariation2D
from ..certificates import gap_of_pair, relative_gap
from ..driver import State, drive
from ..interpolation import aligned, interpolated, least_fit
from ..methods import Method, choose
from ..problem import Problem
from .newton import newton_step, solve_definite

__all__ = ["SQUARE_ROOT", "SecantInSquares"]

_PROPORTIONAL = (L1, L1Ridge, GroupL1, SparseGroupL1, SLOPE, TotalVariation1D, TotalVariation2D)  # to their strength
_FALL = 0.05  # of sigma at most, in one solve
_FLOOR = 1e-8  # of the target's size: below, residuals and what proves them are rounding
_FINEST = 1e-13  # relative gap of the squared loss
_NEAR = 1e-2  # changes of sigma after which solves are as exact as can be
_SETTLED = 0.03  # the same, from which on a certificate is worth its products
_POLISH, _POLISH_GRADIENT = 1, 300  # rounds of working sets, iterations of gradients, of such a solve
_PATIENCE = 4  # of them without a smaller gap
_EXACT = 1e-2  # sizes of the residual, over that of the target, at which an exact fit is tried
_FULL = 0.8  # of the samples: supports at which it is looked for by a linear program
_AGAIN = 0.1  # of sigma, after which that is done once more
_SHARE = 0.1  # of the tolerance that a solve of the squared loss may use up
_INNER_ITERATIONS = 2_000
_ROUNDED = 1e-8  # of a residual's square: what a fit leaves, if less, is lost in the difference of squares
_MOST = 2_000  # columns of a support whose equations are solved once more


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


class _Duals:
    """The dual point of an exact fit, where the loss has no gradient; None elsewhere."""

    point: Any = None


class _Inner:
    """Solves of the squared loss at one sigma after another, each from the last."""

    def __init__(self, problem, memory):
        self.problem = problem
        self.squared = _squared(problem, memory)
        self.kept = memory.kept
        self.alpha = problem.penalty.alpha
        self.target_size = float(np.sqrt(2.0 * float(self.squared.in_double().at_zero().loss)))

    def solve(self, coef, sigma, wanted, last):
        """Coefficients at a sigma, to a relative gap `wanted` of the square-root problem, and the size of their residual."""
        squared = self.squared.with_penalty(self.problem.penalty._replace(alpha=float(self.alpha * sigma)))
        if "method" not in self.kept:
            method = choose(squared)
            self.kept["method"], self.kept["memory"] = method, method.remember(squared)
        options = {"tol": max(_SHARE * wanted * sigma / self.target_size, _FINEST), "max_iter": _INNER_ITERATIONS}
        if last:  # a change of sigma by a millionth is one of the squared loss's gap by its square: below any tolerance
            options = {"tol": 0.0, "max_iter": _POLISH if self.kept["method"].each_target else _POLISH_GRADIENT}
        coef = self.kept["method"].run(squared, coef, self.kept["memory"], **options).coef
        if last and isinstance(squared.penalty, L1):
            coef = _stationary(squared, coef)
        misfit = squared.loss.value(squared.target, squared.design.product(coef), squared.row_weights)
        return coef, float(np.sqrt(2.0 * float(misfit)))

    def meeting(self, coef, sigma):
        """Sigma and coefficients where the two meet on this support, not too far away; None where that is not known."""
        met = _meeting(self.squared, coef, self.alpha) if isinstance(self.squared.penalty, L1) else None
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


class _OnSupport(NamedTuple):
    """The squared loss of some columns around coefficients, none of them zero."""

    support: Any  # (size,)
    gram: Any  # (size, size)
    weights: Any  # (size,)
    correlation: Any  # (size,) of the residual
    energy: float  # the mean square of the residual


def _on_support(problem, coef):
    """The support of `coef` (n_features,); None where it is too large, or an intercept is in the loss."""
    support = np.flatnonzero(to_numpy(coef))
    if not isinstance(problem.loss, Squared) or not 0 < support.size <= min(_MOST, problem.n_samples):
        return None
    design, rows = problem.design, problem.row_weights
    columns = to_numpy(design.columns(support if design.is_numpy else support.tolist()))
    residual = to_numpy(problem.target - design.product(coef))
    if isinstance(rows, float):
        gram, weighted = rows * (columns.conj().T @ columns), rows * residual
    else:
        rows = to_numpy(rows).ravel()
        gram, weighted = (columns.conj().T * rows) @ columns, rows * residual
    weights = np.ones(problem.n_features) if problem.penalty_weights is None else to_numpy(problem.penalty_weights)
    energy = float(np.vdot(residual, weighted).real)
    return _OnSupport(support, gram, weights[support], columns.conj().T @ weighted, energy)


def _stationary(problem, coef):
    """Coefficients moved to where the gradient on their support is that of the l1 norm, to rounding.

    The gap of the squared loss is blind to what is left of the gradient below the root of rounding; that of its root is not.
    """
    here = _on_support(problem, coef)
    if here is None:
        return coef
    values, threshold = to_numpy(coef).copy(), problem.penalty.alpha * here.weights
    if is_complex(coef):
        step = _complex_step(here.gram, values[here.support], here.correlation, threshold)
    else:
        step = newton_step(here.gram, values[here.support], here.correlation, threshold, problem.penalty.positive)
    if step is None:
        return coef
    values[here.support] += step
    return asarray_like(values, coef)


def _complex_step(gram, coef, correlation, threshold):
    """Newton's step of complex coefficients, none of them zero: the l1 norm bends across their phases; None if that fails."""
    size = coef.size
    sign, bend = coef / np.abs(coef), threshold / np.abs(coef)
    matrix = np.block([[gram.real, -gram.imag], [gram.imag, gram.real]])
    across = np.concatenate([-sign.imag, sign.real])
    for block in (slice(0, size), slice(size, 2 * size)):
        for other in (slice(0, size), slice(size, 2 * size)):
            matrix[block, other] += np.diag(bend * across[block] * across[other])
    left = correlation - threshold * sign
    step = solve_definite(np.asfortranarray(matrix), np.concatenate([left.real, left.imag]))
    return None if step is None else step[:size] + 1j * step[size:]


def _meeting(problem, coef, alpha):
    """Where the Lasso of strength ``alpha sigma`` leaves a residual of size sigma, if support and signs of `coef` stay: sigma and it.

    For real data: there the coefficients are ``coef + fit - sigma * shift``, and the squared size is what the fit leaves plus
    ``sigma**2 threshold^T shift``. None if signs do not stay, or the fit leaves nothing.
    """
    here = None if is_complex(coef) else _on_support(problem, coef)
    if here is None:
        return None
    values = to_numpy(coef).copy()
    threshold = alpha * here.weights * np.sign(values[here.support])
    both = solve_definite(here.gram, np.column_stack([here.correlation, threshold]))
    if both is None:
        return None
    fit, shift = both.T
    level, slope = here.energy - here.correlation @ fit, threshold @ shift
    if not (slope < 1.0 and level > _ROUNDED * here.energy):
        return None
    sigma = np.sqrt(level / (1.0 - slope))
    moved = values[here.support] + fit - sigma * shift
    if np.any((moved * threshold < 0.0) | ((moved == 0.0) & (threshold != 0.0))):
        return None
    values[here.support] = moved
    return float(sigma), asarray_like(values, coef)


def _steps(problem, start, memory, tol, duals):
    """Yield the coefficients of one solve of the squared loss after another."""
    certificate = yield State(start)
    inner, secant = _Inner(problem, memory), SecantInSquares()
    size, coef, dtype = inner.target_size, as_double(start), start.dtype
    wide = problem.in_double()
    sigma = min(float(wide.loss.value(wide.target, wide.design.product(coef), wide.row_weights)), size)
    sigma = max(sigma, _FLOOR * size)
    wanted, following, least, idle, untried = 1.0, 0.0, np.inf, 0, np.inf
    while True:
        near = abs(following - sigma) <= _NEAR * sigma
        wanted = tol if near else _next_gap(wanted, certificate, tol)
        sigma = following or sigma
        coef, left = inner.solve(coef, sigma, wanted, near)
        secant.add(sigma, left)
        line, met = secant.line(), inner.meeting(coef, sigma)
        vanishes = line is None or line[0] <= 0.1 * left**2  # the residual, with sigma
        exact = interpolated(inner.squared, coef) if vanishes and left < min(sigma, _EXACT * size) else None
        if exact is None and met is None and left < sigma <= untried and inner.is_full(coef):
            exact, untried = inner.least_fit(coef, sigma), _AGAIN * sigma
        if exact is not None:
            duals.point = inner.dual(coef, exact, sigma)
            yield State(problem.xp.astype(exact, dtype, copy=False))
            duals.point = None
        following, coef = (_next_sigma(secant, sigma, left, _FLOOR * size), coef) if met is None else met
        if coef.dtype != dtype:  # rounded coefficients have a residual that proves less than the one before
            duals.point = inner.dual(coef, None, following if met else sigma)
        settled = near or met is not None or abs(following - sigma) <= _SETTLED * sigma
        certificate = yield State(problem.xp.astype(coef, dtype, copy=False), settled, finished=idle >= _PATIENCE)
        if near:
            idle = 0 if certificate.value < 0.5 * least else idle + 1
            least = min(least, float(certificate.value))


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
    single = real_dtype(problem.xp, problem.target.dtype) == problem.xp.float32
    tol, duals = max(tol, 1e-6) if single else tol, _Duals()

    def certify(coef):
        return relative_gap(problem, coef) if duals.point is None else gap_of_pair(problem, coef, duals.point)

    steps = _steps(problem, coef, memory, tol, duals)
    return drive(steps, certify, max_iter=max_iter, tol=tol, callback=callback)


SQUARE_ROOT = Method("square_root", _suits, _run, _remember, each_target=True)
