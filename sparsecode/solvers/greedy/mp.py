"""Matching pursuit: one coefficient at a time, without refitting the others.

    j = argmax |a_j^H r| / (w_j ||a_j||)        x_j += a_j^H r / ||a_j||**2        r -= (a_j^H r / ||a_j||**2) a_j

Correlations follow by ``c -= change A^H a_j``, so that a column costs a product only the first time it is chosen.

Mallat and Zhang, "Matching pursuits with time-frequency dictionaries", 1993.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..._array import as_double, asarray_like, device, is_numpy, to_numpy
from ..._validation import as_count, as_design, as_penalty_weights, as_sample_weight, as_target, weighted
from ...designs import GramDesign
from ...losses import Squared
from ...penalties import L0Ball
from ...result import announce
from ..certificates import Certificate
from ..driver import State, drive
from ..problem import make_problem
from .ending import certificate_tolerance
from .forms import check_ranges, require_target_norm, target_sq_norms
from .rules import check_single, make_settings, np_dtype, preferences

__all__ = ["mp", "solve_mp"]

_CERTIFY_EVERY = 200  # steps; a certificate also clears the rounding of the correlations
_SAFETY = 0.9  # of the tolerance: the certificate is computed from coefficients that may be rounded
_MAX_GRAM = 8192  # columns whose Gram matrix (512 MiB) is still formed
_CACHE_BYTES = 1 << 28  # columns A^H a_j that are kept


def mp(
    A,
    y,
    *,
    n_nonzero=None,
    tol=None,
    atol=None,
    positive=False,
    penalty_weights=None,
    sample_weight=None,
    max_iter=10_000,
    return_path=False,
    callback=None,
):
    """Greedily lower ``||y - A @ coef||^2`` one coefficient at a time: matching pursuit.

    Each step moves the coefficient of the column most correlated with the residual, relative to its norm, to where the residual
    is orthogonal to that column; a column may be chosen again and again. Independent codes for many targets.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex. Columns need not have unit norm: their norms are computed, for a LinearOperator of more than
        64 rows without an attribute `column_sq_norms` by one product for each row or column.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many to code independently; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int, optional
        Columns that may be used. Once so many have been chosen, the pursuit goes on among them and converges to their
        least-squares fit.
    tol : float, optional
        Stop when the residual norm is at most `tol` times the norm of `y`, which a `GramDesign` knows by its `target_sq_norm`.
    atol : float, optional
        Stop when the residual norm is at most `atol`, or what `tol` allows if that is more; as for `tol`, a `GramDesign` needs its
        `target_sq_norm`. `n_nonzero`, `tol` or `atol` must be given.
    positive : bool, default=False
        Whether coefficients must not be negative: a step then ends at zero.
    penalty_weights : array of shape (n_features,), optional
        Correlations are divided by their weight before columns are compared. inf excludes a column; columns of weight 0 are chosen
        first, then like those of the smallest weight, outside the count of `n_nonzero`.
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples, scaled to mean one. Residual norms are then weighted ones.
    max_iter : int, default=10_000
        Steps.
    return_path : bool, default=False
        Whether `history` also holds ``"selected"``, the column of each step, and ``"path"``, the coefficients
        (n_features, n_steps + 1) after each, from zero on; for one target.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``. The certificate is the support optimality,
        ``max |a_j^H r| / (||a_j|| ||y||)`` over the columns that may still change: those in use once there are `n_nonzero`, all
        before. With `tol` it is the relative residual norm, with `atol` the residual norm over its limit, and with `n_nonzero` beside
        them the lesser of the residual norm over its limit and, once so many columns are in use, the support optimality over its
        own. `n_iter` counts steps, each a column of ``"path"``. A residual tolerance that the answer misses is a failure
        with one warning, unless another stop that was asked for (`n_nonzero`) ended the pursuit.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, a parameter is out of range, or nothing says when to stop.

    Warns
    -----
    ConvergenceWarning
        Once, if the certificate is above the tolerance after `max_iter` steps, or no step lowers the residual any more.

    See Also
    --------
    omp : least squares on the chosen columns after every step.

    References
    ----------
    Mallat and Zhang, "Matching pursuits with time-frequency dictionaries", 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import mp
    >>> mp(np.eye(4), np.array([4.0, 0.1, -8.0, 0.0]), n_nonzero=2).coef
    array([ 4.,  0., -8.,  0.])
    """
    design = as_design(A)
    target = as_target(y, design)
    penalty_weights = as_penalty_weights(penalty_weights, design)
    design, target = weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    request = {"n_nonzero": n_nonzero, "tol": tol, "atol": atol, "positive": positive, "max_iter": max_iter}
    how = {"penalty_weights": penalty_weights, "return_path": return_path, "callback": callback}
    return announce(solve_mp(design, target, **request, **how))


def solve_mp(
    design,
    target,
    *,
    n_nonzero=None,
    tol=None,
    atol=None,
    positive=False,
    penalty_weights=None,
    max_iter=10_000,
    return_path=False,
    callback=None,
):
    """The solve behind `mp`, on validated data, without a warning."""
    if return_path:
        check_single(target)
    design = design.with_exact_norms()  # estimates would make steps too long
    settings = make_settings(n_nonzero, tol, atol, "omp", positive, shape=design.shape, dtype=np_dtype(target))
    require_target_norm(design, tol=settings.tol, atol=settings.atol)
    weights = None if penalty_weights is None else to_numpy(penalty_weights).astype(np.float64)
    target_sq = target_sq_norms(design, target)
    check_ranges(design, target, target_sq)
    problem = make_problem(design, target, Squared(), L0Ball(settings.n_nonzero, positive))
    goal = _make_goal(problem, settings, weights, target_sq)
    record = _Record(return_path)
    result = drive(
        _steps(problem, goal, record),
        lambda coef: _certify(problem, goal, coef),
        max_iter=as_count(max_iter, "max_iter"),
        tol=goal.tol,
        callback=callback,
    )
    result.history["iteration"] = [min(iteration, record.n_steps) for iteration in result.history["iteration"]]
    if return_path:
        result.history["selected"] = [j for j, _ in record.moves]
        result.history["path"] = _path(problem, record.moves)
    return replace(result, n_iter=record.n_steps)


class _Record:
    """How many steps were made, without those that only looked for one, and for a path the moves of one target."""

    def __init__(self, keeps_moves):
        self.n_steps, self.keeps_moves = 0, keeps_moves
        self.moves: list[tuple[int, Any]] = []


class _Goal(NamedTuple):
    """Which columns may change and what ends the pursuit; P targets."""

    n_nonzero: int  # columns beside the free ones
    positive: bool
    sq_norms: np.ndarray  # (n_features,) double; zero for a column that may not be chosen
    preference: np.ndarray  # (n_features,) 1 / weight^2, zero likewise
    free: np.ndarray  # columns of weight zero
    target_sq: np.ndarray  # (P,)
    limits: np.ndarray | None  # (P,) residual norms to reach; None to converge on the support
    tol: float  # what the certificate must reach
    name: str  # of the certificate
    has_two: bool  # whether least squares on `n_nonzero` columns ends it as well as the limits do
    optimal: float  # correlations relative to column and target norms that count as zero
    rounding: float  # relative, of a residual norm whose coefficients are rounded to the precision of the target


def _make_goal(problem, settings, weights, target_sq):
    design = problem.design
    norms = design.column_sq_norms()
    _, preference, free, _ = preferences(norms, weights)
    preference[free] = np.max(preference, initial=0.0) or 1.0
    count = settings.n_nonzero if settings.sparsity_was_asked else design.shape[1]
    optimal = certificate_tolerance(problem.target)
    limits, tol, name, has_two = None, optimal, "support optimality", False
    if settings.tol is not None or settings.atol is not None:
        limits = np.sqrt(settings.limits(target_sq))
        relative = settings.atol is None
        tol, name = (settings.tol, "relative residual norm") if relative else (1.0, "residual norm over its limit")
        has_two = settings.sparsity_was_asked
        if has_two:
            tol, name = 1.0, "residual norm or support optimality over its limit"
        optimal = optimal if settings.sparsity_was_asked else 16.0 * np.finfo(np.float64).eps
    norms = np.where(preference > 0, norms, 0.0)
    rounding = 100.0 * float(np.finfo(np_dtype(problem.target)).eps)
    ends = (limits, tol, name, has_two, optimal, rounding)
    return _Goal(count, settings.positive, norms, preference, free, target_sq, *ends)


def _certify(problem, goal, coef):
    """The residual norm over its limit, or what the columns that may still change could do about it; with both the lesser."""
    problem = problem.in_double()
    point = problem.at(as_double(coef))
    objective = to_numpy(point.loss)
    size = np.sqrt(goal.target_sq)
    if goal.limits is None:
        value = _optimality(problem, goal, coef, point)[0]
    else:
        left = np.sqrt(2.0 * problem.n_samples * np.atleast_1d(objective))
        scale = size if goal.name.startswith("relative") else goal.limits
        value = np.divide(left, scale, out=np.where(left > 0, np.inf, 0.0), where=scale > 0)
    if goal.has_two:
        optimality, is_full = _optimality(problem, goal, coef, point)
        value = np.minimum(value, np.where(is_full, optimality / goal.optimal, np.inf))
    return Certificate(value if coef.ndim == 2 else value[0], objective, goal.name, point)


def _optimality(problem, goal, coef, point):
    """``max |a_j^H r| / (||a_j|| ||y||)`` (P,) over the columns that may still change, and whether all columns are in use."""
    correlation = np.abs(to_numpy(point.correlation)).reshape(problem.n_features, -1) * problem.n_samples
    x, size = to_numpy(coef).reshape(problem.n_features, -1), np.sqrt(goal.target_sq)
    usable = (goal.sq_norms > 0)[:, None]
    is_full = np.count_nonzero(np.delete(x, goal.free, axis=0), axis=0) >= goal.n_nonzero
    usable = usable & ((x != 0) | ~is_full)
    if goal.positive:
        usable = usable & ((x > 0) | (to_numpy(point.correlation).reshape(x.shape) > 0))
    norms = np.sqrt(np.where(goal.sq_norms > 0, goal.sq_norms, 1.0))[:, None]
    worst = np.max(np.where(usable, correlation / norms, 0.0), axis=0)
    return np.divide(worst, size, out=np.where(worst > 0, np.inf, 0.0), where=size > 0), is_full


def _steps(problem, goal, record):
    """Yield coefficients after one step of every target after another, for ever."""
    wide = problem.in_double()
    xp, n_features = problem.xp, problem.n_features
    n_targets = goal.target_sq.size
    correlation = xp.reshape(wide.at_zero().correlation * problem.n_samples, (n_features, n_targets))
    coef = 0.0 * correlation
    state = _Selection(xp, goal, correlation)
    gram_columns = _GramColumns(wide.design, n_targets)
    certificate, was_idle = (yield State(problem.start())), False
    while True:
        if certificate is not None and problem is wide:  # else it belongs to rounded coefficients
            correlation = xp.reshape(certificate.point.correlation * problem.n_samples, correlation.shape)
            state.sq_residual = 2.0 * problem.n_samples * np.atleast_1d(certificate.objective)
        j, change, active = state.choose(coef, correlation)
        idle = not np.any(active)
        if not idle:
            here = state.atoms == j[None, :]
            coef = xp.where(here, coef + change[None, :], coef)
            correlation = correlation - gram_columns(j) * change[None, :]
            record.n_steps += 1
            if record.keeps_moves:
                record.moves.append((int(j[0]), to_numpy(change)[0]))
        certify = idle or record.n_steps % _CERTIFY_EVERY == 0 or state.all_reached()
        shaped = xp.astype(xp.reshape(coef, problem.shape), problem.target.dtype)
        certificate = yield State(shaped, certify=certify, finished=idle and was_idle)
        was_idle = idle


class _Selection:
    """Which column each target moves next, and by how much."""

    def __init__(self, xp, goal, like):
        self.xp, self.goal = xp, goal
        self.atoms = xp.arange(like.shape[0], dtype=xp.int64, device=device(like))[:, None]
        norms = np.where(goal.sq_norms > 0, goal.sq_norms, 1.0)
        self.norms = asarray_like(norms, like, dtype=xp.float64)[:, None]
        self.preference = asarray_like(goal.preference, like, dtype=xp.float64)[:, None]
        self.is_free = asarray_like(np.isin(np.arange(like.shape[0]), goal.free), like)[:, None]
        self.used = xp.zeros(like.shape, dtype=xp.bool, device=device(like))
        self.sq_residual = np.array(goal.target_sq)
        self._n_forced = 0
        self._reach = None if goal.limits is None else (goal.limits * (1.0 - goal.rounding)) ** 2

    def reached(self):
        """Targets whose residual is small enough."""
        return np.zeros(self.sq_residual.size, dtype=bool) if self._reach is None else self.sq_residual <= self._reach

    def all_reached(self):
        """Whether a certificate is due for that."""
        return self._reach is not None and bool(np.all(self.reached()))

    def choose(self, coef, correlation):
        """Columns (P,), changes of their coefficients (P,), zero for targets that are done, and which are not (NumPy)."""
        xp, goal = self.xp, self.goal
        change = correlation / self.norms
        fall = xp.abs(correlation) ** 2 / self.norms
        if goal.positive:
            change = xp.where(change < -coef, -coef, change)
            fall = 2.0 * change * correlation - self.norms * change**2
        room = xp.count_nonzero(self.used & ~self.is_free, axis=0) < goal.n_nonzero
        open_ = (self.preference > 0) & (self.used | self.is_free | room[None, :])
        score = xp.where(open_, fall * self.preference, 0.0 * fall)
        active = ~self.reached() & (goal.target_sq > 0)
        best = xp.max(xp.where(open_, fall, 0.0 * fall), axis=0)
        if self._n_forced < goal.free.size:
            j = xp.zeros(active.size, dtype=xp.int64, device=device(coef)) + int(goal.free[self._n_forced])
            self._n_forced += 1
        else:
            j = xp.argmax(score, axis=0)
            active = active & (to_numpy(best) > (_SAFETY * goal.optimal) ** 2 * goal.target_sq)
        moving = asarray_like(active, coef)
        here = (self.atoms == j[None, :]) & moving[None, :]
        self.used = self.used | here
        step = xp.sum(xp.where(here, change, 0.0 * change), axis=0)
        gain = xp.sum(xp.where(here, fall, 0.0 * fall), axis=0)
        self.sq_residual = np.maximum(self.sq_residual - to_numpy(gain), 0.0)
        return j, step, active


class _GramColumns:
    """Columns of ``A^H A``: all of them where there are few, else those asked for so far."""

    def __init__(self, design, n_targets):
        self.design, self.xp, self.matrix = design, design.xp, None
        n_features = design.shape[1]
        base = getattr(design, "base", design)
        if isinstance(design, GramDesign):
            self.matrix = design.matrix
        elif (
            n_features <= (min(_MAX_GRAM, 4 * n_targets) if design.is_numpy else _MAX_GRAM) and not base.is_matrix_free
        ):
            self.matrix = design.gram(np.arange(n_features))
        self._place = np.full(n_features, -1)
        self._rows: Any = None
        self._size = 0

    def __call__(self, j):
        """(n_features, P) for columns `j` (P,)."""
        if self.matrix is not None:
            return self.xp.take(self.matrix, j, axis=1)
        new = np.unique(to_numpy(j))
        new = new[self._place[new] < 0] if self.design.is_numpy else new
        itemsize = np.dtype(np.complex128).itemsize
        if not self.design.is_numpy or (self._size + new.size) * self.design.shape[1] * itemsize > _CACHE_BYTES:
            return self.design.rmatvec(self.design.columns(to_numpy(j)))
        if new.size:
            self._append(new)
        return self._rows[self._place[j]].T

    def _append(self, new):
        product = self.design.rmatvec(self.design.columns(new)).T
        size = self._size + new.size
        if self._rows is None or size > self._rows.shape[0]:
            rows = np.empty((max(16, 2 * size), product.shape[1]), dtype=product.dtype)
            if self._size:
                rows[: self._size] = self._rows[: self._size]
            self._rows = rows
        self._rows[self._size : size] = product
        self._place[new] = np.arange(self._size, size)
        self._size = size


def _path(problem, moves):
    """Coefficients after each recorded step of one target, from zero on."""
    steps = np.zeros((problem.n_features, len(moves) + 1), dtype=np_dtype(problem.in_double().target))
    for t, (j, change) in enumerate(moves):
        steps[j, t + 1] = change
    path = np.cumsum(steps, axis=1)
    if is_numpy(problem.target):
        return path.astype(problem.target.dtype, copy=False)
    return problem.xp.astype(asarray_like(path, problem.target), problem.target.dtype)
