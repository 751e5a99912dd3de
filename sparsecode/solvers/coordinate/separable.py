"""Any separable penalty under the squared loss by working sets.

    min over w   1/(2 n) ||y - A w||^2 + sum_j weights_j penalty(w_j)

A column objects by how far its own minimiser, the others held, lies from its coefficient: ``c_j |prox(w_j + q_j / c_j) - w_j|`` with its
correlation q_j and its curvature c_j. Every stationary point shows objections of zero, and a point without objections is not
only stationary: no coordinate alone can lower the objective, however far it moves. Penalties whose strength can be raised are
solved for larger ones first, which for a nonconvex penalty leads to lower minima than the strength itself from zero.

Bertrand, Klopfenstein, Bannier, Gidel and Massias, "Beyond L1: faster and better sparse models with skglm", 2022
(arXiv 2204.07826).
Mazumder, Friedman and Hastie, "SparseNet: coordinate descent with nonconvex penalties", 2011.
"""

from __future__ import annotations

import numpy as np

from ..._parallel import single_threaded_blas
from ..driver import State
from ..proximal.forward_backward import accelerated_steps
from .pieces import is_uncompiled, minimise_pieces
from .subproblem import INTERPRETED

__all__ = ["separable_steps"]

_FIRST = 100  # columns to start with, and at least as many are added at a time
_CONTINUATION = 0.3  # strength of a round, at least this share of what would keep the strongest column outside at zero
_COARSE, _FINE = 0.1, 1e-3  # objections left in a working set over those of all columns: while it grows, and after
_OPERATOR_COLUMNS = 256  # columns of a matrix-free design cost a product each: beyond this, gradient steps are cheaper
_PATIENCE = 5


def separable_steps(problem, coef, working_set, certify, tol):
    """Yield the coefficients after each working set.

    `certify(problem, coef)` must remember its last point: the driver's certificate is then that product once more, for free.
    """
    penalty, dtype = problem.penalty, coef.dtype
    columns = _Columns(problem)
    certificate = certify(problem, coef)
    objection = columns.objections(penalty, coef, certificate.point.correlation)
    yield State(coef, certify=columns.is_settled(certificate, objection, tol))
    coef = np.where(columns.null, 0, coef)
    least, idle, strength = np.inf, 0, None
    while True:
        correlation = certificate.point.correlation
        worst = float(objection.max(initial=0.0))
        outside = ~_mask(working_set.members, coef.size)
        count = max(_FIRST, int(working_set.growth * np.count_nonzero(coef))) * 2**idle
        last = strength
        strength, charged = columns.stronger(penalty, last, objection * outside, correlation)
        if charged is not penalty:
            objection = columns.objections(charged, coef, correlation)
        new = _chosen(objection, outside, (coef != 0) | columns.free, count)
        settled = not new.size and charged is penalty
        idle = 0 if worst < 0.9 * least or not settled else idle + 1
        least = min(least, worst)
        crowded = idle >= _PATIENCE or working_set.members.size + new.size > _OPERATOR_COLUMNS
        if problem.design.is_matrix_free and crowded:
            yield from accelerated_steps(problem, coef)
        with single_threaded_blas():  # many small products, which lose more by waiting for threads than they gain
            if new.size:
                working_set.grow(new)
            members = working_set.members
            working_set.begin(np.asarray(coef[members], dtype=np.float64), certificate.point)
            minimise_pieces(
                working_set, charged, (_FINE if settled or columns.uncompiled else _COARSE) * worst / 10.0**idle
            )
        before, coef = coef, np.zeros(problem.n_features, dtype=dtype)
        coef[members] = working_set.coef
        certificate = certify(problem, coef)
        objection = columns.objections(penalty, coef, certificate.point.correlation)
        stuck = settled and (idle >= _PATIENCE or np.array_equal(before, coef)) and not problem.design.is_matrix_free
        yield State(coef, certify=columns.is_settled(certificate, objection, tol), finished=stuck)


def _chosen(objection, outside, needed, count):
    """Columns to add: those that must be members, then as many as asked of those that object most."""
    needed = needed & outside
    objecting = np.flatnonzero((objection > 0) & outside & ~needed)
    if objecting.size > count:
        objecting = np.sort(objecting[np.argpartition(objection[objecting], -count)[-count:]])
    return np.concatenate([np.flatnonzero(needed), objecting])


class _Columns:
    """What is known of all columns: curvatures, weights, which are free, zero or excluded."""

    def __init__(self, problem):
        bend = problem.design.column_sq_norms() / problem.n_samples
        weights = problem.penalty_weights
        weights = np.ones(bend.size) if weights is None else np.asarray(weights, dtype=np.float64)
        self.null = (bend <= 0) | np.isinf(weights)
        self.bend = np.where(self.null, 1.0, bend)
        self.steps = np.where(self.null, 0.0, weights) / self.bend
        self.free = _mask(problem.free_columns(), bend.size) & ~self.null
        self.uncompiled = is_uncompiled(problem.design, problem.penalty)
        self.jumps = not problem.penalty.is_convex
        self.unit = float(np.max(np.abs(problem.in_double().at_zero().correlation), initial=0.0))

    def objections(self, penalty, coef, correlation):
        """How far each coefficient is from the minimiser of its own problem, in the units of a correlation."""
        coef = np.asarray(coef, dtype=np.float64)
        pull, distance = coef + correlation / self.bend, np.empty(coef.size)
        if coef.size > INTERPRETED and not self.uncompiled:
            from ...kernels.coordinate import moves

            moves(penalty, pull, self.steps, coef, distance)
        else:
            distance = np.abs(penalty.prox(pull, self.steps) - coef)
        distance *= self.bend
        distance[self.null] = 0.0
        return distance

    def is_settled(self, certificate, objection, tol):
        """Whether the driver may see a certificate: not that of a stationary point which a jump of one coefficient would lower."""
        return not (self.jumps and certificate.value <= tol and objection.max(initial=0.0) > 10.0 * tol * self.unit)

    def stronger(self, penalty, last, objection, correlation):
        """The strength of this round, below the last one, and the penalty of that strength; its own where it has none.

        Where every gradient suits a coefficient that is zero, as for l0, no strength keeps columns out, and the own one it is.
        """
        alpha = getattr(penalty, "alpha", None)
        objection = np.where(self.free, 0.0, objection)
        top = np.argmax(objection, keepdims=True)
        if alpha is None or objection[top] == 0:
            return alpha, penalty
        held, grad, zero, weight = alpha, -correlation[top], np.zeros(1), self.steps[top] * self.bend[top]
        while penalty._replace(alpha=held).subdiff_distance(grad, zero, weight) > 0 and np.isfinite(held):
            held *= 2.0
        strength = _CONTINUATION * held if last is None else _CONTINUATION * min(held, last)
        if strength <= alpha:
            return alpha, penalty
        return strength, penalty._replace(alpha=strength)


def _mask(indices, size):
    mask = np.zeros(size, dtype=bool)
    mask[indices] = True
    return mask
