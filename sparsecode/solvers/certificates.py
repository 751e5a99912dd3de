"""Numbers that prove how good an answer is, recomputed in float64 from the coefficients alone.

* `relative_gap`: duality gap of a convex problem over its value at zero, P(0);
* `constrained_gap`: duality gap of the l1 norm under a bound on the residual, and by how much the bound is missed;
* `stationarity`: distance of the negative gradient to the subdifferential, over its size at zero;
* `fixed_point`: how far one thresholded step on unit columns moves the coefficients of a sparsity-constrained problem;
* `gradient_fixed_point`: how far a thresholded gradient step of given length does;
* `prox_residual`: how far a proximal gradient step moves, for penalties at whose zero every gradient is stationary;
* `support_optimality`: what least squares on the support leaves undone, relative to target and column norms.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._array import any_nonzero, array_namespace, as_double, asarray_like, divisor, inner, norm, real_dtype, to_numpy

__all__ = [
    "Certificate",
    "PairCertificate",
    "certificate_kind",
    "certificate_of",
    "column_norms",
    "constrained_gap",
    "fixed_point",
    "gap_of_pair",
    "gradient_fixed_point",
    "inverse_norms",
    "longest_step",
    "lower_bound",
    "prox_residual",
    "relative",
    "relative_gap",
    "relative_gaps",
    "scaled_step",
    "stationarity",
    "stationarity_of_pair",
    "support_optimality",
    "thresholded_step",
    "without_free",
]

_ROUNDING = 1e-13  # a gap that no other proof can make smaller
_BLURRED = 1e-8  # of a limit: rounding of correlations above it hides whether it is kept
_SHORTER = 1.3  # a solver's own step may be shorter than one over the Lipschitz constant; its fixed points must do


class Certificate(NamedTuple):
    """The proof (`value`), the objective beside it, and the point that both came from."""

    value: Any  # one float64 a target, NumPy
    objective: Any  # likewise
    name: str
    point: Any = None


def relative(size, scale):
    """``size / scale``, one float64 a target: zero over zero is zero, more over zero infinite, and NaN stays NaN."""
    if (
        type(size) is type(scale) is np.float64 and scale > 0 and size <= scale < np.inf
    ):  # at once: nothing can overflow
        return np.asarray(size / scale)
    size, scale = (np.asarray(to_numpy(part), dtype=np.float64) for part in (size, scale))
    with np.errstate(invalid="ignore", over="ignore"):
        instead = np.asarray(np.where(size > 0, np.inf, 0.0) + 0.0 * scale)
        value = np.divide(size, scale, out=instead, where=scale > 0)
    return np.where(np.isnan(size) | np.isnan(scale), np.nan, value)


def certificate_kind(penalty):
    """What certifies answers under a penalty, which may name it itself: "gap", "stationarity" or "prox"."""
    kind = getattr(penalty, "certificate", "gap" if penalty.is_convex else "stationarity")
    if kind == "gap" and getattr(penalty, "alpha", None) == 0:  # without a penalty there is no dual ball to scale into
        return "stationarity"
    return kind


def certificate_of(problem):
    """The function of a problem and its coefficients that suits the penalty."""
    return {"gap": relative_gap, "stationarity": stationarity, "prox": prox_residual}[certificate_kind(problem.penalty)]


def relative_gap(problem, coef, point=None) -> Certificate:
    """Duality gap over ``P(0)``, one number a target; never negative up to rounding, zero at the minimiser.

    A caller that has the point of these coefficients already, from the certificate of another penalty strength, passes it.
    """
    problem = problem.in_double()
    coef = as_double(coef)
    point = _point_at(problem, coef) if point is None else point
    objective = _objective(problem, point, coef)
    gap = objective - to_numpy(_best_dual(problem, point))
    value = np.maximum(relative(gap, problem.at_zero().loss), 0.0)
    return Certificate(value, objective, "relative duality gap", point)


def relative_gaps(problem, coefs, alphas, duals=None):
    """`relative_gap` of coefficients (n_features, n_alphas), each at its own strength of a homogeneous penalty, and their constants.

    For a problem of one target; the products are shared. With `duals` (n_samples, n_alphas) of the solver's own, it is those that prove.
    """
    problem, coefs = problem.in_double(), as_double(coefs)
    penalty, target = problem.penalty._replace(alpha=1.0), np.repeat(problem.target[:, None], alphas.size, axis=1)
    many = type(problem)(problem.design, target, problem.loss, penalty, problem.penalty_weights)
    if not isinstance(problem.row_weights, float):
        many.row_weights, many._root = problem.row_weights[:, None], problem._root
    point = many.at(coefs) if duals is None else many.at_pair(coefs, duals)
    objective = point.loss + alphas * many.penalty_value(coefs)
    gap = objective - _best_dual(many, point, alphas)
    value = np.maximum(relative(gap, problem.at_zero().loss), 0.0)
    return Certificate(value, objective, "relative duality gap", point), many.intercept(coefs)


def gap_of_pair(problem, coef, dual) -> Certificate:
    """`relative_gap` from coefficients and a dual point of the solver's own: it proves what the loss's gradient, where that jumps, does not.

    The dual point is first brought into the loss's domain, then treated as any other; the better of both proofs counts.
    """
    given = relative_gap(problem, coef, problem.in_double().at_pair(as_double(coef), as_double(dual)))
    if np.all(given.value <= _ROUNDING):
        return given
    plain = relative_gap(problem, coef)
    value = np.fmin(plain.value, given.value)
    return given._replace(value=value)


def constrained_gap(problem, coef, dual, noise) -> Certificate:
    """Certificate of ``min P(coef) : ||y - A coef|| <= noise`` for the l1 norm P (the penalty at strength one), one target.

    A dual point v with ``|a_j^H v| <= weights_j`` proves ``Re(y^H v) - noise ||v||``. The value is the larger of the gap,
    relative to the objective, and of the infeasibility, relative to the norm of the target. Without a `dual` the residual is it.
    """
    problem = problem.in_double()
    xp, coef = problem.xp, as_double(coef)
    residual = problem.target - problem.design.product(coef)
    missed = max(float(norm(residual)) - noise, 0.0)
    dual = residual if dual is None else dual
    point = problem.at_zero()._replace(correlation=problem.design.rmatvec(dual), dual=dual)
    free = problem.free_columns()
    if free.size:
        point = problem.free_of(point, free)
        point = point._replace(correlation=without_free(xp, point.correlation, free))
    proved = float(inner(problem.target, point.dual)) - noise * float(norm(point.dual))
    limit = float(problem.penalty.dual_limit(point.correlation, problem.coef_weights))
    bound = proved * limit if proved > 0 and np.isfinite(limit) else 0.0
    if limit < 1.0 - _BLURRED and problem.design.is_numpy and not problem.design.is_matrix_free:
        bound = max(bound, _bound_nearby(problem, point, proved, noise))
    objective, size = float(problem.penalty_value(coef)), float(norm(problem.target))
    top = max(objective, bound)
    gap = abs(objective - bound) / top if top > 0 else 0.0
    value = max(gap, missed / size if size > 0 else 0.0)
    return Certificate(np.asarray(value), np.asarray(objective), "relative duality gap and infeasibility", point)


def _bound_nearby(problem, point, proved, noise):
    """What the nearest dual point proves that keeps the limits of large columns, whose correlations here are rounding.

    With J those columns, it is less than ``shift = ||excess_J|| / smallest singular value of A_J`` away (A_J of unit norms), which
    changes what is `proved` and all other correlations by so much at most.
    """
    corr, norms = point.correlation, np.sqrt(problem.design.column_sq_norms())
    weights = np.ones(norms.size) if problem.penalty_weights is None else problem.penalty_weights
    size = np.maximum(corr.real, 0.0) if problem.penalty.positive else np.abs(corr)
    rounding = problem.n_samples * np.finfo(np.float64).eps * norms * float(norm(point.dual))
    large = (weights > 0) & (rounding > _BLURRED * weights)
    if not large.any() or np.count_nonzero(large) > problem.n_samples:
        return 0.0
    unit = problem.design.columns(np.flatnonzero(large)) / norms[large]
    excess = (np.maximum(size - weights, 0.0) + rounding)[large] / norms[large]
    least = float(np.linalg.svd(unit, compute_uv=False)[-1])
    shift = float(norm(excess)) / least if least > 0 else np.inf
    charged = ~large & (weights > 0)
    top = np.max((size[charged] + norms[charged] * shift) / weights[charged], initial=1.0)
    return max(proved - (float(norm(problem.target)) + noise) * shift, 0.0) / top


def stationarity_of_pair(problem, coef, dual) -> Certificate:
    """`stationarity` with a subgradient of the loss that the solver names, if that is one at these coefficients.

    How far it is from being one counts like how far the penalty is from taking it.
    """
    plain = stationarity(problem, coef)
    wide = problem.in_double()
    coef = as_double(coef)
    point = wide.at_pair(coef, as_double(dual))
    misfit, loss = wide.loss_excess(point, coef)
    distance = wide.penalty.subdiff_distance(-point.correlation, coef, wide.coef_weights)
    given = _relative(wide, point, coef, distance, plain.name)
    value = np.maximum(given.value, np.divide(misfit, loss, out=np.zeros_like(misfit), where=loss > 0))
    return given._replace(value=np.fmin(plain.value, value))


class PairCertificate:
    """The certificate of coefficients with `point`, a dual point of the solver's own; with that of the loss's gradient while it is None."""

    point: Any = None

    def __init__(self, problem, alone=None):
        self.problem, kind = problem, certificate_of(problem)
        self._alone = alone or kind
        self._of_pair = {relative_gap: gap_of_pair, stationarity: stationarity_of_pair}.get(kind)

    def __call__(self, coef) -> Certificate:
        if self.point is None or self._of_pair is None:
            return self._alone(self.problem, coef)
        return self._of_pair(self.problem, coef, self.point)


def _point_at(problem, coef):
    """The point of these coefficients, known already if they are zero."""
    return problem.at(coef) if any_nonzero(coef) else problem.at_zero()


def _objective(problem, point, coef):
    return to_numpy(point.loss) + to_numpy(problem.penalty_value(coef))


def lower_bound(problem, point):
    """What a point proves of any coefficients: no objective is below it. The point may come from another penalty strength."""
    return to_numpy(_best_dual(problem.in_double(), point))


def _best_dual(problem, point, strength=1.0):
    """Dual value of the point after projection off what is free and scaling into the domain of the conjugate of so often the penalty."""
    xp, penalty = problem.xp, problem.penalty
    free = problem.free_columns()
    if free.size:
        point = problem.free_of(point, free)
        point = point._replace(correlation=without_free(xp, point.correlation, free))
    limit = strength * penalty.dual_limit(point.correlation, problem.coef_weights)
    if problem.is_joint:
        limit = xp.min(limit)
    is_joint = getattr(penalty, "is_joint", False)
    if not is_joint:
        scale = problem.dual_scaling(point, limit)  # the best for the loss alone
        value = problem.dual_value(point, scale)
        if getattr(penalty, "is_homogeneous", False):
            return value
    one = xp.minimum(limit, xp.ones_like(limit))  # the scale that is exact at the minimum
    if is_joint:
        return problem.dual_value(point, one)
    charged = problem.dual_value(point, one) - _conjugate(problem, point, one)
    return xp.maximum(value - _conjugate(problem, point, scale), charged)


def without_free(xp, correlation, free):
    """Correlations with the free columns, or directions, taken out: there they are rounding."""
    if free.ndim == 2:
        basis = asarray_like(np.linalg.qr(free)[0], correlation)
        return correlation - basis @ (basis.T @ correlation)
    is_free = np.zeros((correlation.shape[0], *([1] * (correlation.ndim - 1))), dtype=bool)
    is_free[free] = True
    return xp.where(asarray_like(is_free, correlation), 0 * correlation, correlation)


def _conjugate(problem, point, scale):
    """Conjugate of the weighted penalty at the scaled correlations."""
    scale = asarray_like(scale, point.correlation, dtype=problem.xp.float64)
    return problem.in_total(problem.penalty.conjugate(scale * point.correlation, problem.coef_weights))


def stationarity(problem, coef, point=None) -> Certificate:
    """Largest distance of ``-gradient`` to the subdifferential over the largest correlation at zero."""
    problem = problem.in_double()
    coef = as_double(coef)
    point = _point_at(problem, coef) if point is None else point
    distance = problem.penalty.subdiff_distance(-point.correlation, coef, problem.coef_weights)
    return _relative(problem, point, coef, distance, "relative stationarity")


def longest_step(problem) -> float:
    """The longest step for which the penalty knows its prox."""
    return getattr(problem.penalty, "longest_step", np.inf)


def prox_residual(problem, coef, point=None) -> Certificate:
    """How far a proximal gradient step moves the coefficients, over its length and the largest correlation at zero."""
    problem = problem.in_double()
    coef = as_double(coef)
    point = _point_at(problem, coef) if point is None else point
    length = min(1.0 / (_SHORTER * problem.lipschitz(coef) or 1.0), longest_step(problem))
    moved = problem.xp.abs(coef - problem.prox(coef + length * point.correlation, length)) / length
    return _relative(problem, point, coef, moved, "relative prox residual")


def _relative(problem, point, coef, defect, name):
    xp, axis = problem.xp, None if problem.is_joint else 0
    worst = xp.max(defect, axis=axis)
    scale = xp.max(xp.abs(problem.without_excluded(problem.at_zero().correlation)), axis=axis)
    design = problem.design
    if getattr(problem.loss, "has_intercept", False) and design.is_numpy and not design.is_matrix_free:
        # a constant column, whose correlations with any dual are zero, or rounding, may be all there is
        size = norm(problem.at_zero().dual)
        size = xp.max(size) if problem.is_joint else size
        rounding = 4.0 * np.finfo(np.float64).eps * np.sqrt(np.max(design.column_sq_norms(), initial=0.0)) * size
        worst = xp.where(worst <= rounding, 0.0 * worst, worst)
    return Certificate(relative(worst, scale), _objective(problem, point, coef), name, point)


def fixed_point(problem, coef) -> Certificate:
    """``||x - H_k(x + D^-1 A^H (y - A x))|| / ||x||`` in the norm of D, the squared column norms; H_k is the penalty's projection.

    Zero says that least squares on the support cannot be improved, and that no coefficient off it would overtake one on it
    in a step of length one on columns of unit norm; for that, the design should know their norms (`with_exact_norms`).
    """
    problem = problem.in_double()
    coef = as_double(coef)
    point = _point_of(problem, coef)
    new, scale = thresholded_step(problem, coef, point)
    value = relative(norm(scale * (coef - new)), norm(scale * coef))
    return Certificate(value, to_numpy(point.loss), "relative fixed-point residual", point)


def gradient_fixed_point(problem, coef, length) -> Certificate:
    """``||x - H_k(x + mu A^H (y - A x))|| / ||x||`` for a step of length mu; H_k is the penalty's projection.

    Zero says the same as `fixed_point` does, of a step common to all columns: one no longer than one over the largest eigenvalue of
    ``A^H A`` never raises the objective, and every minimum is a fixed point of it.
    """
    problem = problem.in_double()
    coef = as_double(coef)
    point = _point_of(problem, coef)
    moved = coef + (length * problem.n_samples) * problem.xp.astype(point.correlation, coef.dtype, copy=False)
    new = problem.xp.where(problem.penalty.keep(moved, problem.coef_weights), moved, 0 * moved)
    value = relative(norm(coef - new), norm(coef))
    return Certificate(value, to_numpy(point.loss), "relative fixed-point residual", point)


def _point_of(problem, coef):
    with np.errstate(invalid="ignore"):  # infinite coefficients are told by the certificate
        return _point_at(problem, coef)


def thresholded_step(problem, coef, point):
    """The projection of ``coef + D^-1 A^H (y - A coef)``, chosen by magnitude times column norm; and those norms, shaped to match."""
    moved, scale = scaled_step(problem, coef, point)
    kept = problem.xp.where(problem.penalty.keep(moved, problem.coef_weights), moved, 0 * moved)
    return inverse_norms(scale) * kept, scale


def scaled_step(problem, coef, point):
    """``D^1/2 coef + D^-1/2 A^H (y - A coef)`` for columns of squared norms D: a gradient step of length one on unit columns; and D^1/2."""
    scale = column_norms(problem, coef)
    step = problem.xp.astype(point.correlation, coef.dtype, copy=False) * problem.n_samples
    return scale * coef + step * inverse_norms(scale), scale


def column_norms(problem, coef):
    """Norms of the columns as an array that broadcasts against `coef`."""
    norms = np.sqrt(problem.design.column_sq_norms())
    scale = asarray_like(norms, coef, dtype=real_dtype(problem.xp, coef.dtype))
    return scale if coef.ndim == 1 else scale[:, None]


def inverse_norms(scale):
    """One over the norms, zero for zero columns."""
    xp = array_namespace(scale)
    return xp.where(scale > 0, 1.0 / divisor(scale), xp.zeros_like(scale))


def support_optimality(problem, coef) -> Certificate:
    """``max_{j in support} |a_j^H r| / (||a_j|| ||y||)``: zero when the fit on the support is least squares."""
    problem = problem.in_double()
    coef = as_double(coef)
    xp, norms = problem.xp, np.sqrt(problem.design.column_sq_norms())
    used = _few_used(problem.design, coef)
    if used is None:
        point = problem.at(coef)
        objective, correlation = point.loss, point.correlation
    else:  # a product with all columns would cost more than everything else here
        fitted = problem.design.product(coef)
        objective = problem.loss.value(problem.target, fitted, problem.row_weights)
        dual = -problem.loss.gradient(problem.target, fitted, problem.row_weights)
        correlation = problem.design.select(used).rmatvec(dual)
        coef, norms = coef[used], norms[used]
    norms = asarray_like(norms, correlation, dtype=xp.float64)
    inverse = inverse_norms(norms if coef.ndim == 1 else norms[:, None])
    defect = xp.where(coef != 0, xp.abs(correlation) * inverse, 0 * inverse)
    value = relative(xp.max(defect, axis=0) * problem.n_samples, np.sqrt(to_numpy(_target_sq_norm(problem))))
    return Certificate(value, to_numpy(objective), "support optimality")


def _few_used(design, coef):
    """The columns in use, where they are few and a design of them alone is cheap; else None."""
    if not design.is_numpy or coef.ndim != 1:
        return None
    used = np.flatnonzero(coef)
    return used if design.is_few(used.size) else None


def _target_sq_norm(problem):
    known = getattr(problem, "target_sq_norm", None)
    return norm(problem.target) ** 2 if known is None else known
