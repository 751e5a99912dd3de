"""Null-space tuning with hard thresholding and feedbacks: the least change that explains the target chooses the support.

    minimise over coef   ||y - A coef||**2   subject to at most n_nonzero non-zero coefficients
    x = u + A^+ (y - A u)   (so that A x = y),   S = the f(k) largest of x,   u = argmin over supp in S of ||y - A u||**2

The paper's feedback ``u_S = x_S + (A_S^H A_S)^-1 A_S^H A_R x_R`` (R the rest) is ``A_S^+ A x = A_S^+ y``: least squares. So this
is hard thresholding pursuit with a whitened gradient. With f(k) growing from pass to pass it needs no sparsity level.

Li, Liu and Mi, "Fast thresholding algorithms with feedbacks for sparse signal recovery", 2014 (arXiv 1204.3700).
Han, Li, Liu et al., "Efficient iterative thresholding algorithms with functional feedbacks and convergence analysis", 2020
(arXiv 2005.06693).
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..._array import as_double, norm, sq_norm, to_numpy
from ..._validation import as_count, as_number
from ...result import SolveResult, Status, announce
from ..certificates import Certificate, column_norms, inverse_norms, relative
from ..driver import State, drive
from ..gram_problem import GramProblem
from ..support import make_support_fit
from .htp import pursue
from .setting import Visited, broadcast_flags, narrowed, pooled, sparsity_problem, support_of, tolerance
from .whitening import make_whitening

__all__ = ["null_space_tuning", "solve_null_space_tuning"]

_ROUGH = 0.5  # error of the whitened gradient, relative, while it still changes the support
_FINE = 1e-6  # and relative to the coefficients before the support is called final
_EXACT = 1e-12
_LARGE = 1000
_CANCELLED = 8.0  # rounding errors, in units of the precision, in a squared residual that is a difference
_NOTHING = 1e-6  # share of the largest coefficient below which one is dropped in the end


def null_space_tuning(
    A,
    y,
    n_nonzero=None,
    *,
    growth=6,
    positive=False,
    block_size=1,
    joint=False,
    penalty_weights=None,
    sample_weight=None,
    init=None,
    max_iter=500,
    tol=1e-6,
    atol=None,
    callback=None,
):
    """Find few coefficients that explain `y` by null-space tuning, hard thresholding and feedbacks (NST+HT+FB).

    Each pass adds to the coefficients the least change that explains the residual, keeps the largest, and refits them by least
    squares. With a sparsity level the passes go on until the support comes back. Without one, the k-th pass keeps
    ``growth * k`` coefficients, and the passes end when the residual is small; what is negligible then is dropped.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex. Columns count as if they had unit norm, so their scale does not matter: their norms are
        computed, for a LinearOperator of more than 64 rows without an attribute `column_sq_norms` by one product for each row or
        column. The method is meant for ``n_samples < n_features`` and rows that are linearly independent.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int, optional
        Sparsity level of each target; clipped, with a warning, to the number of features or samples. None for the adaptive form.
    growth : int, default=6
        By how much the support of the adaptive form grows from pass to pass. It always has fewer members than there are samples
        that count (of positive weight, linearly independent), lest it fit noise exactly.
    positive : bool, default=False
        Whether negative coefficients are forbidden; least squares on the support is then non-negative.
    block_size : int, default=1
        Coefficients ``0 .. block_size - 1``, ``block_size .. 2 block_size - 1``, ... stand or fall together.
    joint : bool, default=False
        Whether all targets share one support, chosen by the norms of the rows of coefficients.
    penalty_weights : array of shape (n_features,), optional
        Magnitudes are divided by their weight before the largest are kept: inf excludes a column, 0 always keeps it
        (outside the count of `n_nonzero`).
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples.
    init : array, optional
        Where to start; zeros by default.
    max_iter : int, default=500
        Passes.
    tol : float, default=1e-6
        With `n_nonzero`: how far a pass may move the coefficients, relative to their norm. Without: the residual norm, relative
        to the norm of `y`; with noise it should not be below the noise. In single precision at least 1e-5 is used. From a Gram
        matrix, which must know `target_sq_norm` then, no relative residual below 4e-8 can be told, and that is used at least.
    atol : float, optional
        Adaptive form only: stop when the residual norm is at most `atol`, or what `tol` allows if that is more.
    callback : callable, optional
        Called with a `Progress` at each pass; return True to stop.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``. The certificate is the relative fixed-point residual on unit columns,
        ``||x - z|| / ||x||``: z is ``x + A^H (y - A x)`` on the support that one more pass chooses, and zero elsewhere. So it is zero
        where `x` is least squares on that support, and has nothing off it. Without `n_nonzero` it is the relative residual, and with
        `atol` the residual norm over its limit.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If the supports run into a cycle, or the residual cannot be made small enough.

    See Also
    --------
    htp : The same with the plain gradient: no whitening to pay for, but a sparsity level is needed.

    References
    ----------
    Li, Liu and Mi, "Fast thresholding algorithms with feedbacks for sparse signal recovery", 2014 (arXiv 1204.3700).
    Han, Li, Liu et al., "Efficient iterative thresholding algorithms with functional feedbacks and convergence analysis", 2020
    (arXiv 2005.06693).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import null_space_tuning
    >>> A = np.random.default_rng(0).standard_normal((40, 100))
    >>> coef = np.zeros(100); coef[[3, 50, 71]] = [1.0, -2.0, 3.0]
    >>> result = null_space_tuning(A, A @ coef)  # no sparsity level
    >>> result.support, result.coef[result.support].round(6), result.certificate_name
    (array([ 3, 50, 71]), array([ 1., -2.,  3.]), 'relative residual')
    """
    constraint = {"positive": positive, "block_size": block_size, "joint": joint, "penalty_weights": penalty_weights}
    run = {"growth": growth, "init": init, "max_iter": max_iter, "tol": tol, "atol": atol, "callback": callback}
    return announce(solve_null_space_tuning(A, y, n_nonzero, sample_weight=sample_weight, **constraint, **run))


def solve_null_space_tuning(
    A,
    y,
    n_nonzero=None,
    *,
    growth=6,
    init=None,
    max_iter=500,
    tol=1e-6,
    atol=None,
    callback=None,
    level_name="n_nonzero",
    **constraint,
) -> SolveResult:
    """The solve behind `null_space_tuning`, without a warning; `constraint` goes to `sparsity_problem`."""
    grows = n_nonzero is None
    if atol is not None and not grows:
        raise ValueError(f"atol only ends the adaptive form; leave out {level_name}, or use tol.")
    problem = sparsity_problem(A, y, n_nonzero, grows=grows, level_name=level_name, **constraint)
    tol, growth, max_iter = tolerance(problem, tol), as_count(growth, "growth"), as_count(max_iter, "max_iter")
    residual = _Residual(problem, tol, atol, level_name) if grows else None
    fit = make_support_fit(problem.in_double(), positive=problem.penalty.positive)
    tuning = _Tuning(problem, make_whitening(problem), fit)
    start = problem.start(init)
    if residual is None:
        steps = pursue(problem, start, fit, lambda problem, coef, point: point.support, 0.01 * tol)
        return drive(steps, _Pass(tuning), max_iter=max_iter, tol=tol, callback=callback)
    steps = _growing(problem, start, tuning, fit, growth, residual, level_name)
    result = drive(steps, lambda coef: residual(tuning, coef), max_iter=max_iter, tol=residual.tol, callback=callback)
    return _pruned(problem, result, fit, lambda coef: residual(tuning, coef), 0.01 * min(residual.accuracy, _FINE))


class _Seen(NamedTuple):
    """What is known at a coefficient vector."""

    residual: Any  # what the whitening takes
    support: Any = None  # after one pass


class _Tuning:
    """Misfits, and the support after null-space tuning and thresholding."""

    def __init__(self, problem, whitening, fit):
        self.problem, self.whitening, self._fit = problem.in_double(), whitening, fit
        self.scale = column_norms(self.problem, self.problem.target)
        self.is_large = min(problem.design.shape) > _LARGE  # elsewhere nothing is saved by less than full accuracy
        self.rough, self.fine = (_ROUGH, _FINE) if self.is_large else (0.0, _EXACT)
        self._members: Any = None
        self._part: Any = None

    def misfit(self, coef):
        """The loss, one number a target, and the residual in the form that the whitening takes."""
        problem, coef = self.problem, as_double(coef)
        if self.whitening.takes_correlation:
            point = problem.at(coef)
            return to_numpy(point.loss), point.correlation * problem.n_samples
        residual = problem.target - self._product(coef)
        return 0.5 * to_numpy(sq_norm(residual)) / problem.n_samples, residual

    def _product(self, coef):
        design = self.problem.design
        used = np.flatnonzero(coef) if design.is_numpy and coef.ndim == 1 else None
        part = None if used is None else self.columns(used)
        return design.product(coef) if part is None else part.matvec(coef[used])

    def columns(self, members):
        """The design of these columns alone, where it is cheaper; a pass asks for those that it fits, and that the next one has."""
        if not (self._fit.is_exact and self.problem.design.is_few(members.size)):
            return None
        if not np.array_equal(members, self._members):
            self._members, self._part = members, self._fit.columns(members)
        return self._part

    def support(self, problem, coef, residual):
        """The largest of the tuned coefficients; the whitening becomes finer as long as the support looks final."""
        problem, coef = problem.in_double(), as_double(coef)
        here, fine = self.scale * coef, False
        with closing(self.whitening(residual)) as refinements:  # left to the garbage, it would swallow a Ctrl-C
            for step, guess, bound in refinements:
                is_final = np.all(bound <= self.fine * to_numpy(norm(here + step)))
                if not is_final and (fine or not np.all(guess <= self.rough * to_numpy(norm(step)))):
                    continue
                support = support_of(problem, here + step, self.scale)
                changed = (coef != 0) != (support if support.ndim == coef.ndim else support[:, None])
                if is_final or bool(problem.xp.any(changed)):
                    return support
                fine = True
        return support_of(problem, here + step, self.scale)


class _Pass:
    """Certificate of the form with a sparsity level: the fixed-point residual on the support that one more pass chooses.

    That is ``||x - z|| / ||x||`` on unit columns, with ``z = x + A^H (y - A x)`` on that support and zero elsewhere: what least
    squares on the support leaves undone, and the coefficients that the pass would drop.
    """

    def __init__(self, tuning):
        self.tuning, self.problem = tuning, tuning.problem

    def __call__(self, coef):
        with np.errstate(invalid="ignore"):
            loss, residual = self.tuning.misfit(coef)
        if not np.all(np.isfinite(loss)):  # nothing can be chosen by what is no number
            return Certificate(np.full_like(loss, np.nan), loss, "relative fixed-point residual", _Seen(residual))
        support = self.tuning.support(self.problem, coef, residual)
        mask = support if support.ndim == coef.ndim else support[:, None]
        here = self.tuning.scale * as_double(coef)
        moved = here + inverse_norms(self.tuning.scale) * self._correlation(support, residual)
        if self.problem.penalty.positive:
            moved = self.problem.xp.maximum(moved, 0 * moved)
        moved = self.problem.xp.where(mask, moved, 0 * moved)
        value = relative(norm(here - moved), norm(here))
        return Certificate(value, loss, "relative fixed-point residual", _Seen(residual, support))

    def _correlation(self, support, residual):
        """``A^H r`` on the support at least."""
        design = self.problem.design
        if self.tuning.whitening.takes_correlation:
            return residual
        members = np.flatnonzero(support) if design.is_numpy and support.ndim == 1 else None
        part = None if members is None else self.tuning.columns(members)
        if part is None:
            return design.rmatvec(residual)
        on_support = part.rmatvec(residual)
        correlation = np.zeros((design.shape[1], *residual.shape[1:]), dtype=on_support.dtype)
        correlation[members] = on_support
        return correlation


class _Residual:
    """Certificate of the adaptive form: the relative residual, or, with an absolute tolerance, the residual over its limit.

    A Gram matrix gives the squared residual as a difference, of which rounding leaves a floor, relative; no less can be asked.
    """

    def __init__(self, problem, tol, atol, level_name):
        floor = 0.0
        wide = problem.in_double()
        known = sq_norm(wide.target)
        if isinstance(problem, GramProblem):
            known = problem.design.known_target_sq_norm("the adaptive form", f", or pass {level_name}")
            floor = (_CANCELLED * float(np.finfo(problem.design.dtype).eps)) ** 0.5
        self.accuracy = self.tol = max(tol, floor)
        self.name = "relative residual"
        self.scale = size = np.sqrt(np.broadcast_to(to_numpy(known), problem.target.shape[1:]))
        self.least = floor * size
        if atol is not None:
            self.scale, self.tol = np.maximum(self.tol * size, as_number(atol, "atol")), 1.0
            self.name = "residual norm over its limit"

    def __call__(self, tuning, coef):
        loss, residual = tuning.misfit(coef)
        left = np.sqrt(2.0 * loss * tuning.problem.n_samples)
        return Certificate(relative(np.maximum(left, self.least), self.scale), loss, self.name, _Seen(residual))


def _growing(problem, coef, tuning, fit, growth, residual, level_name):
    """Yield fits on ever larger supports; at the largest size until each support comes back."""
    xp, ball = problem.xp, problem.penalty
    n_free = 0 if problem.penalty_weights is None else int(np.count_nonzero(to_numpy(problem.penalty_weights) == 0))
    most = max(ball.block_size, tuning.whitening.largest_support - n_free)
    accuracy = 0.1 * residual.accuracy if tuning.is_large else 0.0
    reason = (
        f"{most} columns leave that much, and as many as there are independent samples would fit anything; raise tol or atol to the "
        f"level of the noise, or pass {level_name}"
    )
    coef = problem.without_excluded(coef)
    certificate = yield State(coef)
    best, least = coef, pooled(problem, certificate.objective)
    met, n_passes = Visited(), 0
    while True:
        n_passes += 1
        count = min(max(growth * n_passes, ball.block_size), most)
        widened = problem.with_penalty(ball._replace(n_nonzero=count))
        support = tuning.support(widened, coef, certificate.point.residual)
        done = np.atleast_1d(certificate.value <= residual.tol)
        done = np.all(done, keepdims=True) if ball.joint else done
        if count == most and np.all(met(support) | done):
            yield State(best, finished=True, chosen=True, reason=reason)
        refit = narrowed(fit(support & broadcast_flags(~done, support), as_double(coef), accuracy), coef)
        coef = xp.where(broadcast_flags(done, coef), coef, refit)
        certificate = yield State(coef)
        objective = pooled(problem, certificate.objective)
        best = xp.where(broadcast_flags(objective < least, coef), coef, best)
        least = np.fmin(objective, least)


def _pruned(problem, result, fit, certify, accuracy):
    """The result without its negligible coefficients, refitted, where that is still certified."""
    if result.status is not Status.CONVERGED:
        return result
    xp, coef = problem.xp, result.coef
    size = column_norms(problem, coef) * xp.abs(coef)
    mask = problem.penalty.together(size > _NOTHING * xp.max(size, axis=0), problem.coef_weights) & (coef != 0)
    if fit.is_exact and not bool(xp.any((coef != 0) & ~mask)):
        return result
    mask = xp.any(mask, axis=1) if problem.penalty.joint else mask
    new = narrowed(fit(mask, as_double(coef), accuracy), coef)
    certificate = certify(new)
    if not np.all(certificate.value <= result.tol):
        return result
    value, objective = (
        float(part) if np.ndim(part) == 0 else part for part in (certificate.value, certificate.objective)
    )
    history = {name: column.copy() for name, column in result.history.items()}
    history["certificate"][-1], history["objective"][-1] = float(np.max(value)), float(np.sum(objective))
    return replace(result, coef=new, certificate=value, objective=objective, history=history)
