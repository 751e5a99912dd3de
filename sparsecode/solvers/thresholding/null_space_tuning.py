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

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, norm, sq_norm, to_numpy
from ..._validation import as_count, as_number
from ...result import Status, announce
from ..certificates import Certificate, column_norms
from ..driver import State, drive
from ..problem import GramProblem
from ..support import make_support_fit
from .htp import pursue
from .setting import Visited, sparsity_problem, support_of, tolerance
from .whitening import make_whitening

__all__ = ["null_space_tuning"]

_ROUGH = 0.5  # error of the whitened gradient, relative, while it still changes the support
_FINE = 1e-6  # and relative to the coefficients before the support is called final
_EXACT = 1e-12
_LARGE = 1000
_ROUGH_FIT = 1e-2
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
        The design, real or complex. Columns count as if they had unit norm, so their scale does not matter. The method is meant
        for ``n_samples < n_features`` and rows that are linearly independent.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int, optional
        Sparsity level of each target; clipped, with a warning, to the number of features. None for the adaptive form.
    growth : int, default=6
        By how much the support of the adaptive form grows from pass to pass; it never has more than ``n_samples - 1`` members.
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
        to the norm of `y`; with noise it should not be below the noise. In single precision at least 1e-5 is used.
    atol : float, optional
        Adaptive form only: stop also when the residual norm is at most `atol`.
    callback : callable, optional
        Called with a `Progress` at each pass; return True to stop.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``. The certificate is the relative fixed-point residual: the distance
        from the coefficients to those after one more pass (on unit columns); or, without `n_nonzero`, the relative residual.

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
    problem = sparsity_problem(
        A,
        y,
        block_size if n_nonzero is None else n_nonzero,
        positive=positive,
        block_size=block_size,
        joint=joint,
        penalty_weights=penalty_weights,
        sample_weight=sample_weight,
    )
    tol, growth, max_iter = tolerance(problem, tol), as_count(growth, "growth"), as_count(max_iter, "max_iter")
    fit = _Remembering(make_support_fit(problem.in_double(), positive=problem.penalty.positive))
    tuning = _Tuning(problem, make_whitening(problem))
    start = problem.start(init)
    if n_nonzero is not None:
        if atol is not None:
            raise ValueError("atol only ends the adaptive form; leave out n_nonzero, or use tol.")
        steps = pursue(problem, start, fit, lambda problem, coef, point: point.support, 0.01 * tol)
        certify = _Pass(problem, tuning, fit, 0.01 * tol)
        return announce(drive(steps, certify, max_iter=max_iter, tol=tol, callback=callback))
    residual = _Residual(problem, tuning, 0.0 if atol is None else as_number(atol, "atol"), tol)
    steps = _growing(problem, start, tuning, fit, growth, tol, 0.1 * tol if tuning.is_large else 0.0)
    result = drive(steps, residual, max_iter=max_iter, tol=tol, callback=callback)
    return announce(_pruned(problem, result, fit, residual))


class _Seen(NamedTuple):
    """What is known at a coefficient vector."""

    residual: Any  # what the whitening takes
    support: Any = None  # after one pass


class _Tuning:
    """Misfits, and the support after null-space tuning and thresholding."""

    def __init__(self, problem, whitening):
        self.problem, self.whitening = problem.in_double(), whitening
        self.scale = column_norms(self.problem, self.problem.target)
        self.is_large = min(problem.design.shape) > _LARGE  # elsewhere nothing is saved by less than full accuracy
        self.rough, self.fine = (_ROUGH, _FINE) if self.is_large else (0.0, _EXACT)

    def misfit(self, coef):
        """The loss, one number a target, and the residual in the form that the whitening takes."""
        problem, coef = self.problem, as_double(coef)
        if self.whitening.takes_correlation:
            point = problem.at(coef)
            return to_numpy(point.loss), point.correlation * problem.n_samples
        residual = problem.target - problem.design.product(coef)
        return 0.5 * to_numpy(sq_norm(residual)) / problem.n_samples, residual

    def support(self, problem, coef, residual):
        """The largest of the tuned coefficients; the whitening becomes finer as long as the support looks final."""
        problem, coef = problem.in_double(), as_double(coef)
        here, fine = self.scale * coef, False
        for step, guess, bound in self.whitening(residual):
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
    """Certificate of the form with a sparsity level: how far one more pass moves the coefficients, in the metric of unit columns."""

    def __init__(self, problem, tuning, fit, accuracy):
        self.problem, self.tuning, self.fit, self.accuracy = problem, tuning, fit, accuracy

    def __call__(self, coef):
        loss, residual = self.tuning.misfit(coef)
        support = self.tuning.support(self.problem, coef, residual)
        mask = support if support.ndim == coef.ndim else support[:, None]
        changed = bool(self.problem.xp.any((coef != 0) != mask))
        coef = as_double(coef)
        new = self.fit(support, coef, _ROUGH_FIT if changed else self.accuracy)
        moved, size = (to_numpy(norm(self.tuning.scale * vector)) for vector in (coef - new, coef))
        value = np.divide(moved, size, out=np.where(moved > 0, np.inf, 0.0), where=size > 0)
        return Certificate(value, loss, "relative fixed-point residual", _Seen(residual, support))


class _Residual:
    """Certificate of the adaptive form: the relative residual; a target within `atol` counts as exact to `tol`."""

    def __init__(self, problem, tuning, atol, tol):
        self.tuning, self.atol, self.tol = tuning, atol, tol
        wide = problem.in_double()
        known = wide.target_sq_norm if isinstance(problem, GramProblem) else to_numpy(sq_norm(wide.target))
        self.size = np.sqrt(np.broadcast_to(known, problem.target.shape[1:]))

    def __call__(self, coef):
        loss, residual = self.tuning.misfit(coef)
        left = np.sqrt(2.0 * loss * self.tuning.problem.n_samples)
        value = np.divide(left, self.size, out=np.where(left > 0, np.inf, 0.0), where=self.size > 0)
        value = np.where(left <= self.atol, np.minimum(value, self.tol), value)
        return Certificate(value, loss, "relative residual", _Seen(residual))


class _Remembering:
    """A support fit that does not repeat its last exact answer."""

    def __init__(self, fit):
        self.fit, self.is_exact = fit, fit.is_exact
        self._mask = self._coef = None

    def __call__(self, mask, coef, accuracy=0.0):
        known = self.is_exact and self._mask is not None and mask.ndim == self._mask.ndim
        if not (known and bool(np.all(to_numpy(mask) == to_numpy(self._mask)))):
            self._coef, self._mask = self.fit(mask, coef, accuracy), mask
        return self._coef


def _growing(problem, coef, tuning, fit, growth, tol, accuracy):
    """Yield fits on ever larger supports; at the largest size until each support comes back."""
    xp, ball = problem.xp, problem.penalty
    most = max(ball.block_size, min(problem.n_samples - 1, problem.n_features))
    coef = problem.without_excluded(coef)
    certificate = yield State(coef)
    best, least = coef, certificate.value
    met, n_passes = Visited(), 0
    while True:
        n_passes += 1
        count = min(max(growth * n_passes, ball.block_size), most)
        widened = problem.with_penalty(ball._replace(n_nonzero=count))
        support = tuning.support(widened, coef, certificate.point.residual)
        done = np.atleast_1d(certificate.value <= tol)
        if count == most and np.all(met(support) | (np.all(done) if ball.joint else done)):
            yield State(best, finished=True, chosen=True)
        held = asarray_like(done[0] if coef.ndim == 1 else done[None, :], coef, dtype=None)
        wanted = support if support.ndim != coef.ndim else support & ~held
        coef = xp.where(held, coef, _narrow(fit(wanted, as_double(coef), accuracy), coef))
        certificate = yield State(coef)
        lower = np.atleast_1d(certificate.value < least)
        best = xp.where(asarray_like(lower[0] if coef.ndim == 1 else lower[None, :], coef, dtype=None), coef, best)
        least = np.minimum(certificate.value, least)


def _narrow(wide, like):
    """Double-precision coefficients in the precision of `like`."""
    return array_namespace(like).astype(wide, like.dtype, copy=False)


def _pruned(problem, result, fit, certify):
    """The result without its negligible coefficients, refitted, where that is still certified."""
    if result.status is not Status.CONVERGED:
        return result
    xp, coef = problem.xp, result.coef
    size = column_norms(problem, coef) * xp.abs(coef)
    mask = problem.penalty.together(size > _NOTHING * xp.max(size, axis=0)) & (coef != 0)
    if fit.is_exact and not bool(xp.any((coef != 0) & ~mask)):
        return result
    mask = xp.any(mask, axis=1) if problem.penalty.joint else mask
    new = _narrow(fit(mask, as_double(coef), 0.01 * min(result.tol, _FINE)), coef)
    certificate = certify(new)
    if not np.all(certificate.value <= result.tol):
        return result
    value, objective = (
        float(part) if np.ndim(part) == 0 else part for part in (certificate.value, certificate.objective)
    )
    return replace(result, coef=new, certificate=value, objective=objective)
