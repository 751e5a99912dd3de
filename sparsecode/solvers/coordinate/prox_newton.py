"""Smooth losses by proximal Newton steps on working sets: for logistic, Poisson, Huber and any loss with scalar slopes.

    minimise over coef   loss(y, A @ coef) + sum_j weights_j penalty(coef_j)

A look at all columns (the product that the certificate needs anyway) chooses those that matter; on these, Newton steps
minimise the quadratic model of the misfit plus the penalty, as exactly as the distance to the goal asks for, and a
search along the step on the true objective keeps them honest. While columns outside correlate far above the strength,
a larger strength is solved for first (a continuation), so that the set is not filled with columns that fit a wrong model.
Of an operator every column of a working set costs a product, and is kept along a path. Where there would be too many of them,
gradient steps go on, and so many more columns are allowed at the next strength as these took products: at most twice what the
better of both would have taken. Huber's loss with an l1 norm is solved as a quadratic program (`huber_program`) where residuals lie far beyond its quadratic part.

Lee, Sun and Saunders, "Proximal Newton-type methods for minimizing composite functions", 2014 (arXiv 1206.1623).
Massias, Vaiter, Gramfort and Salmon, "Dual extrapolation for sparse generalized linear models", 2020 (arXiv 1907.05830).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import attainable, is_complex, is_single
from ..._parallel import single_threaded_blas
from ...designs import DenseDesign, SparseDesign
from ...losses import Logistic
from ...losses._registry import SCALAR_LOSS
from ...penalties._registry import SCALAR_PROX
from ..certificates import PairCertificate, certificate_of, relative_gap, stationarity
from ..driver import State, drive
from ..method import Method
from ..proximal.forward_backward import accelerated_steps
from .certifier import Certifier
from .glm_fit import Fit
from .glm_models import QuadraticModel, make_model
from .huber_program import HuberProgram

__all__ = ["OPERATOR_COLUMNS", "PROX_NEWTON", "prox_newton_steps"]

OPERATOR_COLUMNS = 256  # of a matrix-free design, which cost a product each, before any gradient steps
_OPERATOR_ENTRIES = 1 << 24  # numbers in them, in the end
_FINE, _FINER = (
    0.3,
    0.03,
)  # defect of a working set over the certificate of the whole problem; the latter once few columns come in
_SETTLED = 0.02
_FLOOR = 0.2  # and over the tolerance
_FREE_COLUMNS = 500  # so many unpenalised columns may enter together
_NEAR, _USEFUL = 0.8, 0.9  # correlation over what is allowed at zero; share of the members below which they are pruned
_PROPORTIONAL = 1e-5  # rounding of the limits of a penalty that are proportional to its strength
_PATIENCE = 3
_TOLD_APART = 1e-3  # of the loss at zero: what labels leave that are told apart
_TINY = np.finfo(np.float64).tiny


class Memory(NamedTuple):
    """What is kept from one strength of a path to the next."""

    model: QuadraticModel
    certify: Any
    room: Any  # a `_Room` of an operator, else None


class _Room:
    """How many columns of an operator may be looked at along a path; gradient steps make more of it."""

    def __init__(self, n_samples):
        self.columns, self._most = OPERATOR_COLUMNS, max(OPERATOR_COLUMNS, _OPERATOR_ENTRIES // n_samples)

    def gradient_steps(self, problem, coef):
        """Yield the iterates of accelerated gradient steps, for ever."""
        steps, message = accelerated_steps(problem, coef), None
        while True:
            message = yield steps.send(message)
            self.columns = min(self.columns + 2, self._most)


def prox_newton_steps(problem, coef, model, duals, *, tol, room=None):
    """Yield the coefficients after each working set; the first certificate sent in is that of `coef`."""
    certificate = yield State(coef)
    scores, fit = _Scores(problem, bool(np.any(coef))), Fit(problem, model)
    program = HuberProgram(problem) if HuberProgram.suits(problem) else None
    is_far, single = program is not None and program.is_far(coef), is_single(problem.target)
    least, idle, strength, inside = np.inf, 0, None, None
    while True:
        value = float(certificate.value)
        idle = idle + 1 if strength is problem.penalty and not value < 0.9 * least else 0
        least = min(least, value)
        if idle:
            scores.continues = False  # or larger strengths and this one could take turns for ever
        elif room is None or model.members.size + model.first > room.columns:
            scores.prune(certificate.point.correlation, coef, model)
        last, (strength, new) = strength, scores.next_columns(certificate.point.correlation, coef, model, idle)
        if room is not None and (idle >= _PATIENCE or model.members.size + new.size > room.columns):
            duals.point = None
            yield from room.gradient_steps(problem, coef)
        same = not new.size and last == strength
        if same and inside is not None:  # the program would answer the same again
            program, idle = None, 0
        floor = _FLOOR * tol / 10.0**idle
        settled = strength is problem.penalty and new.size <= _SETTLED * model.members.size
        enough = max((_FINER if settled else _FINE) * value / 10.0**idle, floor)
        with single_threaded_blas():  # many small products, which lose more by waiting for threads than they gain
            if new.size:
                model.grow(new)
            is_far = is_far or (program is not None and idle > fit.was_easy)  # once, columns were missing
            inside = program.minimise(strength, model.members) if program is not None and is_far else None
            if inside is not None:
                solved, duals.point = inside
            else:
                start, constant = np.asarray(coef[model.members], dtype=np.float64), problem.in_double().intercept(coef)
                solved, duals.point = fit.minimise(strength, start, constant, enough, floor), None
                problem.in_double().expect(fit.constant)
        before, coef = coef, np.zeros_like(coef)
        coef[model.members] = solved
        if inside is None and single and (idle or np.array_equal(before, coef)):
            duals.point = fit.dual.copy()  # that of the coefficients before they were rounded
        stuck = same and (idle >= _PATIENCE or np.array_equal(before, coef)) and room is None
        certificate = yield State(coef, finished=stuck, reason=_runaway(problem, certificate) if stuck else "")


def _runaway(problem, certificate):
    """What is said where coefficients grow for ever: labels are told apart, and a concave penalty charges no more for it."""
    is_logistic = isinstance(getattr(problem.loss, "loss", problem.loss), Logistic)
    told_apart = float(certificate.point.loss) <= _TOLD_APART * float(problem.in_double().at_zero().loss)
    if problem.penalty.is_convex or not (is_logistic and told_apart):
        return ""
    return (
        "the chosen features tell the labels apart, and the penalty does not grow with their coefficients: there may be no minimum; "
        "pass a larger alpha, or a convex penalty"
    )


class _Scores:
    """How much each column objects at zero, over what the penalty allows it there: above one, it has to come in."""

    def __init__(self, problem, warm):
        self.penalty, self.weights = problem.penalty, problem.penalty_weights
        probe = 8.0 * max(float(np.max(np.abs(problem.at_zero().correlation))), self.penalty.alpha, _TINY)
        pull = np.full(1 if self.weights is None else problem.n_features, probe)  # without weights columns are alike
        limit = probe - _objection(self.penalty, pull, self.weights)  # free columns 0
        self.limit = np.broadcast_to(limit, problem.n_features)
        double = probe - _objection(self._of_strength(2.0), pull, self.weights)
        told = double < probe  # elsewhere even the probe is allowed
        proportional = np.all(np.abs(double - 2.0 * limit)[told] <= _PROPORTIONAL * double[told])
        self.continues = proportional and self.penalty.alpha > 0 and (self.penalty.is_convex or not warm)

    def _of_strength(self, factor):
        return self.penalty._replace(alpha=factor * self.penalty.alpha)

    def prune(self, correlation, coef, model):
        """Let go of members that are zero and far from coming back, if they are many."""
        members = model.members
        useful = (coef[members] != 0) | (np.abs(correlation[members]) >= _NEAR * self.limit[members])
        if np.count_nonzero(useful) < _USEFUL * members.size:
            model.keep(np.flatnonzero(useful))

    def next_columns(self, correlation, coef, model, idle):
        """The penalty to solve for and the columns to add: free and non-zero ones, then those that object most to it."""
        outside = np.ones(coef.size, dtype=bool)
        outside[model.members] = False
        free = np.flatnonzero(outside & ((self.limit == 0) | (coef != 0)))
        outside[free] = False
        excess = np.where(outside, _objection(self.penalty, correlation, self.weights), 0.0)
        score = np.divide(excess, self.limit, out=np.zeros_like(excess), where=self.limit > 0)
        factor = max(1.0, model.continuation * (1.0 + score.max(initial=0.0))) if self.continues else 1.0
        objecting = np.flatnonzero(score > factor - 1.0)
        count = max(model.first, int(model.growth * np.count_nonzero(coef))) * 2**idle
        if objecting.size > count:
            objecting = np.sort(objecting[np.argpartition(score[objecting], -count)[-count:]])
        return self._of_strength(factor) if factor > 1.0 else self.penalty, np.concatenate([free, objecting])


def _objection(penalty, correlation, weights):
    """Distance of the correlations to the subdifferential of the penalty at zero, column by column."""
    return np.asarray(penalty.subdiff_distance(-correlation, 0.0 * correlation, weights), dtype=np.float64)


def _remember(problem):
    room = _Room(problem.n_samples) if problem.design.is_matrix_free else None
    return Memory(make_model(problem.design, getattr(problem.loss, "has_intercept", False)), Certifier(), room)


def _suits(problem):
    """Whether Newton steps can serve: scalar slopes and prox, a penalty that selects columns, real data of NumPy's or SciPy's, operators too."""
    core, penalty = getattr(problem.loss, "loss", problem.loss), problem.penalty
    if type(core) not in SCALAR_LOSS or type(penalty) not in SCALAR_PROX or problem.is_joint:
        return False
    design = problem.design
    if not design.is_numpy or not (design.is_matrix_free or isinstance(design, (DenseDesign, SparseDesign))):
        return False
    if is_complex(problem.target) or np.dtype(design.dtype).kind == "c" or not hasattr(penalty, "alpha"):
        return False
    return certificate_of(problem) in (relative_gap, stationarity) and _charges(problem)


def _charges(problem):
    """Whether the penalty keeps all but a few columns at zero as long as their correlations are small."""
    weights, n_features = problem.penalty_weights, problem.n_features
    weights = None if weights is None else np.asarray(weights, dtype=np.float64)
    tiny = np.full(1 if weights is None else n_features, _TINY)  # without weights columns are alike
    free = np.broadcast_to(_objection(problem.penalty, tiny, weights) > 0, n_features)
    return np.count_nonzero(free) <= _FREE_COLUMNS


def _run(problem, coef, memory, *, tol, max_iter, callback=None, screening=False):
    """One target, from `coef`. No warning."""
    tol = attainable(tol, problem.target)
    duals = PairCertificate(problem, memory.certify)
    steps = prox_newton_steps(problem, coef, memory.model, duals, tol=tol, room=memory.room)
    return drive(steps, duals, max_iter=max_iter, tol=tol, callback=callback)


PROX_NEWTON = Method("prox_newton", _suits, _run, _remember, each_target=True)
