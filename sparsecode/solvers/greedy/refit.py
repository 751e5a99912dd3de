"""What pursuits that move whole supports share: fair comparison of columns, least squares on masks, and how they end.

Columns are compared as if they had norm one, by ``|a_j^H r| / ||a_j||`` before a fit and by ``|x_j| ||a_j||`` after it, so that
their scale never matters. Supports are masks shaped like the coefficients; a *unit* is a target, or all of them where they
share one support, and everything said of units is a NumPy array with one entry each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..._array import as_double, asarray_like, is_complex, plain, to_numpy
from ..._validation import as_count, as_design, as_number, as_sample_weight, as_target, weighted
from ..._warnings import warn
from ...designs import GramDesign
from ...losses import Squared
from ...penalties import L0Ball
from ...result import SolveResult, Status, announce
from ..certificates import Certificate, column_norms, support_optimality
from ..driver import State, drive
from ..problem import make_problem
from ..support import make_support_fit
from .ending import MISSING_COLUMNS, certificate_tolerance, certify_support, missing_columns, without_columns
from .forms import check_ranges, require_target_norm, target_sq_norms
from .independence import first_independent
from .rules import check_single, dependence, np_dtype, rounding

__all__ = ["Pursuit", "as_sparsity", "conclude", "growing", "pose", "run", "warn_of_wide_fits", "with_path"]


_GRAIN = 8.0  # times rounding: what conjugate gradients leave of a tie


def pose(A, y, n_nonzero, *, joint=False, positive=False, penalty_weights=None, sample_weight=None):
    """The validated problem ``min ||y - A coef||^2`` over the l0 ball; `n_nonzero` None stands for no bound but the rank."""
    design = as_design(A)
    target = as_target(y, design)
    count = min(design.shape) if n_nonzero is None else as_sparsity(n_nonzero, design.shape)
    design, target = weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    design = design.with_exact_norms()
    check_ranges(design, target, target_sq_norms(design, target))
    if positive and not design.is_numpy:
        raise ValueError("positive=True needs NumPy arrays here; convert A and y, or use fista with L1(positive=True).")
    ball = L0Ball(count, positive=bool(positive), joint=bool(joint))
    return make_problem(design, target, Squared(), ball, penalty_weights=penalty_weights)


def as_sparsity(n_nonzero, shape):
    """The sparsity level, clipped with a warning to what least squares can tell apart."""
    name = "the number of features" if shape[1] <= shape[0] else "the number of samples"
    return as_count(n_nonzero, "n_nonzero", maximum=min(shape), maximum_name=name)


def warn_of_wide_fits(pursuit, method, width, others):
    """Say so where a pass fits more columns than there are samples."""
    n_samples = pursuit.problem.n_samples
    if width > n_samples:
        warn(
            f"n_nonzero={pursuit.ball.n_nonzero} makes {method} fit up to {width} columns to {n_samples} samples, where least squares "
            f"has many answers; lower it, or use {others}.",
            RuntimeWarning,
        )


class Seen(NamedTuple):
    """What a pursuit looks at before it goes on."""

    residual: np.ndarray  # relative residual norm, one number a unit
    point: Any  # correlations and objectives, in double precision


class Pursuit:
    """A problem with what its pursuits ask, and the best coefficients met so far."""

    def __init__(self, problem, tol=None):
        self.problem, self.wide, self.xp = problem, problem.in_double(), problem.xp
        self.ball, self.weights = problem.penalty, self.wide.coef_weights
        self.joint = self.ball.joint and problem.target.ndim == 2
        require_target_norm(problem.design, tol=tol)
        self.has_tol, self.tol = tol is not None, 0.0 if tol is None else as_number(tol, "tol")
        eps = float(np.finfo(np_dtype(problem.target)).eps)
        self.rounding, self.dependence = rounding(eps), dependence(eps)
        self.norms = column_norms(self.wide, self.wide.start())
        positive = self.norms > 0
        ones = self.xp.ones_like(self.norms)
        self.inverse = self.xp.where(positive, 1.0 / self.xp.where(positive, self.norms, ones), 0 * ones)
        sizes = target_sq_norms(problem.design, problem.target)
        self.size = np.sqrt(sizes if problem.target.ndim == 2 and not self.joint else np.sum(sizes))
        self.fit = make_support_fit(problem, positive=self.ball.positive)
        self.best: Any = None
        self.best_residual = np.full_like(self.size, np.inf)
        self.step_name = ("pass", "passes")
        self.n_used: list[int] = []  # size of the largest support, one entry a certified iterate
        self._known: list = []  # the last few coefficients, with what was seen there

    @property
    def free(self):
        """Mask of the columns that are always used, those of weight zero."""
        nothing = self.xp.zeros(self.problem.shape, dtype=self.xp.bool, device=self.norms.device)
        return nothing if self.weights is None else nothing | ((self.weights == 0) & (self.norms > 0))

    def begin(self):
        """Coefficients before the first pass: least squares on the free columns."""
        free = self.free
        return self.least_squares(free, self.norms)[0] if bool(self.xp.any(free)) else self.problem.start()

    # ---------------------------------------------------------------- looking

    def measure(self, coef) -> Seen:
        """Residual and correlations at `coef`, which also competes for the best."""
        for known, seen in self._known:
            if known is coef:
                return seen
        point = self.wide.at(as_double(coef)) if bool(self.xp.any(coef != 0)) else self.wide.at_zero()
        sq = 2.0 * self.problem.n_samples * np.asarray(to_numpy(point.loss))
        norm = np.sqrt(np.sum(sq) if self.size.ndim == 0 else sq)
        seen = Seen(np.divide(norm, self.size, out=np.zeros_like(self.size), where=self.size > 0), point)
        self._known = [*self._known[-2:], (coef, seen)]
        better = seen.residual < self.best_residual
        self.best = coef if self.best is None else self.where(better, coef, self.best)
        self.best_residual = np.where(better, seen.residual, self.best_residual)
        return seen

    def certify(self, coef) -> Certificate:
        """What the driver stops by, and records."""
        seen = self.measure(coef)
        self.n_used.append(int(np.max(to_numpy(self.xp.count_nonzero(coef, axis=0)))))
        return Certificate(seen.residual, to_numpy(seen.point.loss), "relative residual norm", seen.point)

    def is_done(self, seen):
        """Units whose residual is what was asked for, or rounding."""
        return seen.residual <= max(self.tol, self.rounding)

    def scores(self, seen):
        """``a_j^H r / ||a_j||`` in double precision; zero where it is rounding, or the column excluded."""
        return self.wide.without_excluded(
            self._beyond_rounding(self.problem.n_samples * seen.point.correlation * self.inverse)
        )

    def _beyond_rounding(self, values):
        """`values`, in the units of the target, with zeros where they are not more than rounding errors."""
        size = asarray_like(np.asarray(self.rounding * self.size), values, dtype=self.xp.float64)
        return self.xp.where(self.xp.abs(values) > size, values, 0 * values)

    # ---------------------------------------------------------------- choosing

    def largest(self, values, count):
        """Mask of the `count` largest values a unit, after division by their weights; and of the free ones that are not zero."""
        return self.together(self.ball._replace(n_nonzero=count).keep(self._levelled(values), self.weights))

    def _levelled(self, values):
        """`values`, in the units of the target, to the digits that an iterative fit gets right: ties then go to the lowest index."""
        if self.fit.is_exact:
            return values
        size = np.where(self.size > 0, self.size, 1.0)
        grain = (
            _GRAIN * self.rounding * np.exp2(np.ceil(np.log2(size)))
        )  # a power of two keeps round numbers as they are
        grain = asarray_like(np.asarray(grain), values, dtype=self.xp.float64)
        values = self.xp.abs(values) if is_complex(values) else values
        return self.xp.round(values / grain) * grain

    def prune(self, coef, count):
        """Mask of the `count` coefficients that carry most, by magnitude times column norm, and of the free ones."""
        return self.free | self.largest(self._beyond_rounding(as_double(coef) * self.norms), count)

    def any(self, mask):
        """Units with something in the mask."""
        return np.asarray(to_numpy(self.xp.any(mask) if self.size.ndim == 0 else self.xp.any(mask, axis=0)))

    def only(self, units, mask):
        """The mask, emptied for other units."""
        return self.where(units, mask, self.xp.zeros_like(mask))

    def where(self, units, new, old):
        """`new` for these units, `old` for others."""
        if np.all(units):
            return new
        return self.xp.where(asarray_like(np.asarray(units), new)[None, :], new, old) if np.any(units) else old

    def together(self, mask):
        """The mask of whole rows where targets share a support."""
        return self.ball.together(mask) if self.joint else mask

    # ---------------------------------------------------------------- fitting

    def least_squares(self, mask, priority, coef=None):
        """Least squares on the mask, and the mask without columns in the span of others of higher priority."""
        fitted = self.fit(self._support(mask), coef)
        if not self.fit.is_ill:
            return fitted, mask
        independent = self._independent(mask, priority)
        return self.fit(self._support(independent), coef), independent

    def _support(self, mask):
        return mask[:, 0] if self.joint else mask

    def _independent(self, mask, priority):
        """Column after column in order of priority, on the host: this is rare."""
        rows = np.array(to_numpy(self._support(mask)))
        rank = np.abs(to_numpy(priority)) + np.zeros(self.problem.shape)
        if self.joint:
            rank = np.linalg.norm(rank, axis=1)
        for used, score in zip(rows.T, rank.T, strict=True) if rows.ndim == 2 else ((rows, rank),):
            chosen = np.flatnonzero(used)
            chosen = chosen[np.argsort(-score[chosen], kind="stable")]
            if chosen.size:
                used[chosen[~first_independent(to_numpy(self.wide.design.gram(chosen)), self.dependence)]] = False
        independent = asarray_like(rows[:, None] if self.joint else rows, mask)
        return independent & self.xp.ones_like(mask) if self.joint else independent


def growing(pursuit, choose, path=None):
    """Yield least-squares fits on supports that grow by what ``choose(scores, seen, mask)`` names, until it names nothing.

    A column in the span of the others is not tried again. Every fit is appended to `path`.
    """
    xp = pursuit.xp
    mask = tried = pursuit.free
    coef = pursuit.begin()
    while True:
        seen = pursuit.measure(coef)
        if path is not None:
            path.append(coef)
        scores = pursuit.scores(seen)
        scores = xp.where(tried, 0 * scores, scores)
        new = pursuit.only(~pursuit.is_done(seen), choose(scores, seen, mask))
        grows = pursuit.any(new)
        yield State(coef, finished=not np.any(grows))
        first = xp.where(mask, xp.full_like(xp.abs(scores), float("inf")), xp.abs(scores))
        fitted, fitted_mask = pursuit.least_squares(pursuit.only(grows, mask | new), first, coef)
        coef, mask = pursuit.where(grows, fitted, coef), pursuit.where(grows, fitted_mask, mask)
        tried = tried | new


def with_path(problem, wanted):
    """The list that `growing` fills, or None."""
    if wanted:
        check_single(problem.target)
    return [] if wanted else None


def run(pursuit, steps, *, max_iter, callback=None, path=None) -> SolveResult:
    """Drive the steps until every residual is what was asked for; the best coefficients met, not yet certified."""
    result = drive(steps, pursuit.certify, max_iter=max_iter, tol=pursuit.tol, callback=callback)
    history = {"residual" if name == "certificate" else name: column for name, column in result.history.items()}
    history["n_nonzero"] = pursuit.n_used
    if path is not None:
        history["path"] = pursuit.xp.stack(path, axis=1)
    return replace(result, coef=pursuit.best, history=history)


def conclude(pursuit, result, *, n_asked=None, debias=True, limit_is_rule=False, advice=None) -> SolveResult:
    """Fit the best coefficients, cut to the sparsity level, certify them, and say, once, what is not as it should be.

    Parameters
    ----------
    pursuit : Pursuit
        What ran.
    result : SolveResult
        How it ended, with the best coefficients met.
    n_asked : int, optional
        How many columns were asked for.
    debias : bool, default=True
        Whether to fit by least squares on what is left of the support.
    limit_is_rule : bool, default=False
        Whether the limit of passes is part of the method, and no failure.
    advice : str, optional
        What to do about a tolerance that is not reached, where it is not what the status or the sparsity level suggests.
    """
    problem, coef = pursuit.problem, result.coef
    tolerance = certificate_tolerance(problem.target)
    if debias:
        mask = pursuit.prune(coef, pursuit.ball.n_nonzero)
        coef, _ = pursuit.least_squares(mask, as_double(coef) * pursuit.norms, coef)
    certificate = support_optimality(problem, coef)
    if debias and not np.all(np.atleast_1d(certificate.value) <= tolerance):
        better, refitted = certify_support(problem, coef + 0 * coef, tolerance)
        if not (pursuit.ball.positive and bool(pursuit.xp.any(refitted < 0))):
            certificate, coef = better, refitted
    status, missed, reason = result.status, None, ""
    if status is not Status.INTERRUPTED:
        certified = np.all(np.atleast_1d(certificate.value) <= tolerance)
        ran_out = status is Status.MAX_ITER and not limit_is_rule
        advice = advice or ("" if ran_out else "raise n_nonzero, or loosen tol")
        missed, reason = _missed(pursuit, coef, certificate, result.n_iter, n_asked, advice)
        if ran_out:
            missed = missed or f"the support still changed after {result.n_iter} passes"
        else:
            status = Status.CONVERGED if certified and missed is None else Status.STALLED
        if not (certified or debias or missed):
            missed = "the coefficients are no least-squares fit on their support"
            reason = "debias=True makes them one"
    result = replace(
        result,
        coef=coef,
        status=status,
        objective=plain(certificate.objective),
        certificate=plain(certificate.value),
        certificate_name=certificate.name,
        tol=tolerance,
        reason=reason,
    )
    return result if status is Status.INTERRUPTED else announce(result, missed)


def _missed(pursuit, coef, certificate, n_iter, n_asked, advice):
    """Which request the answer does not meet, and what to do; None and nothing if it meets all."""
    sq = 2.0 * pursuit.problem.n_samples * np.asarray(certificate.objective)
    left = np.sqrt(np.sum(sq) if pursuit.size.ndim == 0 else sq)
    if pursuit.has_tol:
        late = np.atleast_1d(left > (pursuit.tol + pursuit.rounding) * pursuit.size)
        if not np.any(late):
            return None, ""
        worst = np.max((np.atleast_1d(left) / np.where(pursuit.size > 0, pursuit.size, 1.0))[late])
        several = f" for {np.count_nonzero(late)} of {late.size} targets" if late.size > 1 else ""
        passes = f"{n_iter} {pursuit.step_name[n_iter != 1]}"
        return f"relative residual norm {worst:.3e} after {passes}, tol={pursuit.tol:.1e} not reached{several}", advice
    if n_asked is None or pursuit.ball.positive:
        return None, ""
    rounding = (
        3.0 * np.sqrt(pursuit.rounding) if isinstance(pursuit.problem.design, GramDesign) else 10 * pursuit.rounding
    )
    used = to_numpy(pursuit.together((coef != 0) | pursuit.free) & ~pursuit.free).reshape(
        pursuit.problem.n_features, -1
    )
    counts = np.count_nonzero(used[:, :1] if pursuit.joint else used, axis=0)
    short = (counts < n_asked) & np.atleast_1d(left > rounding * pursuit.size)
    if not np.any(short):
        return None, ""
    weights = None if pursuit.weights is None else to_numpy(pursuit.weights).astype(np.float64).reshape(-1)
    stuck = without_columns(pursuit.problem, coef, weights, pursuit.dependence, short)
    if not np.any(stuck):
        return None, ""
    return missing_columns(int(counts[stuck].min()), n_asked, stuck), MISSING_COLUMNS
