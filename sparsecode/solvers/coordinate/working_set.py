"""The Lasso by working sets: solve on a few columns, look at all of them, add those that object, repeat.

    min over x   1/(2 n) ||y - A x||^2 + alpha sum_j weights_j |x_j|

The look at all columns is the one product ``A^T residual`` that the certificate needs anyway: the driver sends it back
in. While columns outside the set correlate far above `alpha`, the set is solved for a larger strength first (a
continuation), so that it is not filled with columns that only fit the noise of a wrong model.

Massias, Gramfort and Salmon, "Celer: a fast solver for the Lasso with dual extrapolation", 2018 (arXiv 1802.07481).
Bertrand, Klopfenstein, Bannier, Gidel and Massias, "Beyond L1: faster and better sparse models with skglm", 2022
(arXiv 2204.07826).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import attainable, is_complex
from ..._parallel import single_threaded_blas
from ...designs import CenteredDesign, SparseDesign
from ...losses import Squared
from ...penalties import L1, L1Ridge
from ...penalties._registry import SCALAR_PROX
from ..certificates import relative_gap
from ..driver import State, drive
from ..method import Method
from ..proximal.forward_backward import accelerated_steps
from .at_once import is_one_go, path_at_once
from .certifier import Certifier
from .elastic_homotopy import elastic_path_at_once, is_small_elastic_net
from .screening import survivors
from .separable import separable_steps
from .sparse import SparseWorkingSet
from .subproblem import Aim, GramWorkingSet

__all__ = ["WORKING_SETS", "make_working_set", "working_set_round", "working_set_steps"]

_FEWEST, _FIRST = 60, 150  # columns to start with, and at least as many are added at a time: fewer of few features
_CONTINUATION = 0.15  # strength of a round, at least this share of the largest correlation outside the set
_FINE, _COARSE = 1e-6, 0.3  # gap of a working set over the gap of the whole problem: wanted, and enough when dear
_OPERATOR_COLUMNS = 256  # columns of a matrix-free design cost a product each: beyond this, gradient steps are cheaper
_SHORT = 0.02  # columns with fewer stored entries than this share are kept compressed
_SCREEN_AFTER = 10  # rounds: column norms and the copy of the columns left cost about two products
_FEW_LEFT = 0.25
_NEAR = 0.8  # of the tolerance: how far above a bound on the objective a working set may end
_SETTLED = 0.01  # of the tolerance: how little five sweeps then still gain
_PATIENCE = 3
_NONE = np.empty(0, dtype=np.int64)


def make_working_set(design, coef_weights):
    """The representation that suits the design."""
    stored = design.base if isinstance(design, CenteredDesign) else design
    if isinstance(stored, SparseDesign) and stored.matrix.nnz <= _SHORT * np.prod(stored.shape, dtype=float):
        return SparseWorkingSet(design, coef_weights)
    return GramWorkingSet(design, coef_weights)


def working_set_steps(problem, coef, working_set, *, tol, screening=True, by_bound=False):
    """Yield the coefficients after each working set; the first certificate sent in is that of `coef`.

    With `by_bound`, certificates count the best bound met so far: a working set is done once its objective is near that.
    """
    penalty, score = problem.penalty, _Scores(problem)
    at_zero = float(problem.in_double().at_zero().loss)
    certificate = yield State(coef)
    look = _Look(problem, tol, screening)
    least, idle, strength = np.inf, 0, penalty.alpha
    while True:
        look.narrow(certificate, np.flatnonzero(_mask(working_set.members, coef.size) | (coef != 0)))
        correlation = score(certificate.point.correlation)
        gap = float(certificate.value) * at_zero
        idle = 0 if gap < 0.9 * least else idle + 1
        least = min(least, gap)
        last, (strength, new) = strength, _next_columns(problem, correlation, coef, working_set, idle)
        if problem.design.is_matrix_free and working_set.members.size + new.size > _OPERATOR_COLUMNS:
            yield from accelerated_steps(problem, coef)
        unit = tol * at_zero / 10.0**idle
        fine, coarse = max(_FINE * gap / 10.0**idle, 0.1 * unit), max(_COARSE * gap / 10.0**idle, 0.5 * unit)
        bound = float(certificate.objective) - gap if by_bound and strength == penalty.alpha and not idle else -np.inf
        work = max(score.product, working_set.cheap)
        aim = Aim(fine, coarse, work, bound + _NEAR * tol * at_zero, _SETTLED * tol * at_zero)
        before, coef = coef, _minimised(problem, coef, working_set, certificate.point, new, strength, aim)
        stuck = idle >= _PATIENCE and last == strength == penalty.alpha and not new.size
        finished = stuck or (not new.size and np.array_equal(before, coef))
        certificate = yield from look(coef, finished)


def working_set_round(problem, coef, working_set, point, gap, tol):
    """Coefficients after one working set, from those whose point is known; `gap`, relative, is what is expected of the answer."""
    score, at_zero = _Scores(problem), float(problem.in_double().at_zero().loss)
    strength, new = _next_columns(problem, score(point.correlation), coef, working_set, 0)
    aim = Aim(
        max(_FINE * gap, 0.1 * tol) * at_zero,
        max(_COARSE * gap, 0.5 * tol) * at_zero,
        max(score.product, working_set.cheap),
    )
    return _minimised(problem, coef, working_set, point, new, strength, aim)


def _minimised(problem, coef, working_set, point, new, strength, aim):
    """The coefficients once the columns `new` have joined the set, which is then solved at a strength."""
    with single_threaded_blas():  # many small products, which lose more by waiting for threads than they gain
        if new.size:
            working_set.grow(new)
        members = working_set.members
        working_set.begin(np.asarray(coef[members], dtype=np.float64), point)
        working_set.minimise(problem.penalty._replace(alpha=strength), aim)
    solved = np.zeros(problem.n_features, dtype=coef.dtype)
    solved[members] = working_set.coef
    return solved


class _Look:
    """The look at all columns after a round: a certificate that the driver makes, of those columns that are left.

    Once the gap proves most columns to be inactive, rounds look at the others only, until the gap of these meets the
    tolerance; the driver then has the last word, on all columns.
    """

    def __init__(self, problem, tol, screening):
        self.problem, self.tol, self.screening = problem, tol, screening
        self.left = self.few = None
        self.rounds = 0

    def narrow(self, certificate, kept):
        """Drop the columns that the certificate proves to be inactive, save those `kept`, if that saves enough."""
        self.rounds += 1
        if not self.screening or self.few is not None or self.rounds < _SCREEN_AFTER:
            return
        left = survivors(self.problem, certificate, kept)
        if left is None or left.size > _FEW_LEFT * self.problem.n_features:
            return
        few = self.problem.select(left)
        if few is not None:
            self.left, self.few = left, few

    def __call__(self, coef, finished):
        """Yield the coefficients; return their certificate, its correlations zero where columns were dropped."""
        if self.few is not None and not finished:
            with single_threaded_blas():
                certificate = relative_gap(self.few, coef[self.left])
            if certificate.value > self.tol:
                yield State(coef, certify=False)
                correlation = np.zeros(coef.size)
                correlation[self.left] = certificate.point.correlation
                return certificate._replace(point=certificate.point._replace(correlation=correlation))
            self.few, self.screening = None, False
        return (yield State(coef, finished=finished))


class _Scores:
    """How much each column objects: its correlation over its weight; free columns first, excluded ones never."""

    def __init__(self, problem):
        self.positive = problem.penalty.positive
        weights = problem.penalty_weights
        self.weights = None if weights is None else np.asarray(weights, dtype=np.float64)
        self.free = problem.free_columns()
        design = problem.design.base if isinstance(problem.design, CenteredDesign) else problem.design
        self.product = (
            design.matrix.nnz if isinstance(design, SparseDesign) else float(problem.n_samples) * problem.n_features
        )

    def __call__(self, correlation):
        size = np.maximum(correlation, 0.0) if self.positive else np.abs(correlation)
        if self.weights is not None:
            size = np.divide(size, self.weights, out=np.full_like(size, np.inf), where=self.weights > 0)
        return size


def _next_columns(problem, score, coef, working_set, idle):
    """The strength to solve for and the columns to add: free and non-zero ones, then the largest scores above it."""
    alpha, members = problem.penalty.alpha, working_set.members
    score[members] = 0.0
    needed = ((coef != 0) & ~_mask(members, score.size) if members.size else coef).nonzero()[0]
    score[needed] = 0.0
    free, top = _NONE, score.max(initial=0.0)
    if top == np.inf:
        free = np.isinf(score).nonzero()[0]
        score[free] = 0.0
        top = score.max(initial=0.0)
    strength = max(alpha, _CONTINUATION * top)
    objecting = (score > strength).nonzero()[0]
    first = min(_FIRST, max(_FEWEST, int(3.0 * np.sqrt(coef.size))))  # a Gram matrix of so many costs some products
    count = max(first, int(working_set.growth * np.count_nonzero(coef))) * 2**idle
    if objecting.size > count:
        objecting = np.sort(objecting[np.argpartition(score[objecting], -count)[-count:]])
    return strength, np.concatenate([free, needed, objecting])


def _mask(indices, size):
    mask = np.zeros(size, dtype=bool)
    mask[indices] = True
    return mask


class Memory(NamedTuple):
    """What is kept from one strength of a path to the next."""

    working_set: Any
    certify: Any


def _remember(problem):
    return Memory(make_working_set(problem.design, problem.penalty_weights), Certifier())


def _keep_proofs(memory):
    return memory._replace(certify=Certifier(keeps_proofs=True))


def _suits(problem):
    """Whether coordinate descent can serve these data: real and NumPy's (or sparse, an operator, a Gram matrix)."""
    plain = problem.design.is_numpy and not is_complex(problem.target) and isinstance(problem.row_weights, float)
    return plain and isinstance(problem.loss, Squared) and _selects(problem.penalty)


def _selects(penalty):
    """Whether a penalty has a scalar prox, and is not known to leave all coefficients non-zero."""
    ridge = isinstance(penalty, L1Ridge) and penalty.l1_ratio == 0
    return type(penalty) in SCALAR_PROX and not ridge and getattr(penalty, "alpha", 1.0) > 0


def _run(problem, coef, memory, *, tol, max_iter, screening=True, callback=None):
    """One target, from `coef`. No warning."""
    tol = attainable(tol, problem.target)
    if isinstance(problem.penalty, L1):
        by_bound = memory.certify.keeps_proofs  # another point's proof, which screening cannot use
        screening = screening and not by_bound
        steps = working_set_steps(problem, coef, memory.working_set, tol=tol, screening=screening, by_bound=by_bound)
    else:
        steps = separable_steps(problem, coef, memory.working_set, memory.certify, tol)
    return drive(steps, lambda coef: memory.certify(problem, coef), max_iter=max_iter, tol=tol, callback=callback)


def _at_once(problem, alphas, tol, handed_out):
    """What the path of a Lasso or elastic net of few samples or features needs no working set for."""
    tol = attainable(tol, problem.target)
    if is_one_go(problem, alphas):
        return path_at_once(problem, alphas, tol, handed_out=handed_out)
    if isinstance(problem.penalty, L1Ridge) and is_small_elastic_net(problem):
        return elastic_path_at_once(problem, alphas, tol)
    return [None] * len(alphas)


WORKING_SETS = Method(
    "working_set", _suits, _run, _remember, each_target=True, keep_proofs=_keep_proofs, at_once=_at_once
)
