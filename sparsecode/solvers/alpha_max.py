"""The strength from which on nothing is selected: what the loss pulls with at the null model, in the penalty's own measure.

The null model has fitted what the penalty leaves free (the intercept, columns of weight zero), and nothing else. Zero is the
answer for all other coefficients where some dual point u of the null model, a negative subgradient of the loss, has
correlations ``A^H u`` in the subdifferential of the penalty at zero. For a smooth loss u is unique. The absolute and the
quantile loss leave it open at residuals of zero; there the least strength is a linear program for a separable penalty, and
found by cutting planes for another norm.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array

from .._array import asarray_like, to_numpy
from ..designs import DenseDesign, SparseDesign
from ..losses import Huber, SquareRoot
from ..penalties import L1, RowL2
from .certificates import without_free
from .least_gauge import Segment, least_gauge
from .parts import checked
from .problem import make_problem

__all__ = ["alpha_max", "largest_strength"]

_NEWTON_STEPS = 100
_LARGEST = 1e300
_ON_THE_KINK = 1e-9  # residuals of a linear program's solution that are zero up to its tolerance


def alpha_max(A, y, loss=None, penalty=None, *, penalty_weights=None, sample_weight=None, positive=False):
    """The smallest `alpha` for which all penalised coefficients are zero, for any pair of loss and penalty.

    For the Lasso it is ``max_j |a_j^H y| / (n_samples * penalty_weights_j)``. Columns of weight zero, and the intercept of a
    loss `WithIntercept`, are fitted first.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; for a `GramDesign` the correlations ``A.conj().T @ y``.
    loss : loss, default=Squared()
        Any loss of the library.
    penalty : penalty, default=L1(1.0, positive)
        Any penalty with a strength `alpha`, whose own value does not matter. If it is not convex, zero is stationary from the
        returned strength on. What total variation leaves free, a constant, is fitted like a column of weight zero.
    penalty_weights : array of shape (n_features,), optional
        Each from 0 (unpenalised) to inf (excluded).
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples; they are scaled to mean one.
    positive : bool, default=False
        Whether the default penalty forbids negative coefficients.

    Returns
    -------
    float or ndarray of shape (n_targets,)
        The strength; one number for all targets where loss or penalty joins them. It is exact, or rounded up: by a relative 1e-4
        for `TotalVariation2D`, by 1e-6 for absolute and quantile losses with norms that are not separable (by more where many
        dozens of targets are exactly zero).

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, a weight is negative, or the penalty has no such strength.

    References
    ----------
    Ndiaye, Fercoq, Gramfort and Salmon, "Gap safe screening rules for sparsity enforcing penalties", 2017, arXiv 1611.05780.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Logistic, alpha_max
    >>> float(alpha_max(np.eye(2), np.array([3.0, -8.0])))
    4.0
    >>> float(alpha_max(np.eye(2), np.array([1.0, -1.0]), Logistic()))
    0.25
    """
    penalty = L1(1.0, bool(positive)) if penalty is None else checked(penalty, "penalty")
    if not hasattr(penalty, "alpha"):
        raise ValueError(f"{type(penalty).__name__} has no strength alpha; alpha_max needs a penalty with one.")
    problem = make_problem(
        A, y, loss, penalty._replace(alpha=1.0), penalty_weights=penalty_weights, sample_weight=sample_weight
    )
    value = largest_strength(problem)
    return float(value) if np.ndim(value) == 0 else value


def largest_strength(problem):
    """`alpha_max` of a problem, one number a target."""
    problem = problem.with_penalty(problem.penalty._replace(alpha=1.0)).in_double()
    if hasattr(_core(problem.loss), "slopes"):
        return _of_a_loss_with_kinks(problem)
    correlation = _null_point(problem).correlation
    free = problem.free_columns()
    if free.size:
        correlation = without_free(problem.xp, correlation, free)
    strength = critical_strength(problem.penalty, correlation, problem.coef_weights)
    return np.max(strength) if problem.is_joint else strength


def critical_strength(penalty, correlation, weights=None):
    """The least `alpha` of a penalty whose subdifferential at zero holds the correlations, one number a target."""
    if hasattr(penalty, "critical_strength"):
        return to_numpy(penalty.critical_strength(correlation))
    if isinstance(penalty, L1) or getattr(penalty, "is_homogeneous", False):
        limit = to_numpy(penalty._replace(alpha=1.0).dual_limit(correlation, weights))
        return np.where(np.isfinite(limit), 1.0 / limit, 0.0)
    if correlation.ndim == 2 and not getattr(penalty, "is_joint", False):
        columns = (correlation[:, target] for target in range(correlation.shape[1]))
        flat = None if weights is None else weights[:, 0]
        return np.array([critical_strength(penalty, column, flat) for column in columns])
    return np.asarray(_bisected(penalty, correlation, weights))


def _bisected(penalty, correlation, weights):
    """The same where the subdifferential does not simply grow in proportion to `alpha`."""

    def holds(alpha):
        distance = penalty._replace(alpha=alpha).subdiff_distance(-correlation, 0 * correlation, weights)
        return not np.any(to_numpy(distance) > 0)

    high = float(np.max(np.abs(to_numpy(correlation)), initial=0.0))
    if high == 0.0 or holds(1e-200 * high):
        if high == 0.0 or (penalty.is_convex and getattr(penalty, "positive", False)):  # all pull to the other side
            return 0.0
        raise ValueError(f"zero is stationary at every strength of {type(penalty).__name__}, which has no alpha_max.")
    low = 0.0
    while not holds(high):
        low, high = high, 2.0 * high
        if high > _LARGEST:
            raise ValueError(
                f"no strength of {type(penalty).__name__} makes the coefficients zero, so there is no alpha_max; pass alphas where a "
                "path needs them."
            )
    while high - low > 2e-16 * high:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _core(loss):
    """The loss inside a loss with an intercept."""
    return getattr(loss, "loss", loss)


def _null_point(problem):
    """The point of the null model of a smooth loss (or the square-root loss)."""
    free, point = problem.free_columns(), problem.at_zero()
    if not free.size:
        return point
    core = _core(problem.loss)
    if not (problem.loss_is_quadratic or isinstance(core, SquareRoot)):
        return _fitted_point(problem, free)
    point = problem.free_of(point, free)  # the residual of least squares, as both losses see it
    if isinstance(core, SquareRoot):
        full = core.dual_scaling(
            problem.target, point.dual, problem.xp.full_like(point.loss, float("inf")), problem.row_weights
        )
        point = point._replace(dual=full * point.dual, correlation=full * point.correlation)
    return point


def _fitted_point(problem, free):
    """The point after the free columns have been fitted by Newton's method, or, for Huber's loss, as a quadratic program."""
    dual = _huber_dual(problem, free)
    if dual is not None:
        return problem.free_of(problem.at_zero()._replace(dual=dual), free)
    if getattr(problem.penalty, "positive", False):
        raise ValueError("alpha_max fits unpenalised columns that must stay positive under the squared loss only.")
    directions = free.ndim == 2
    design = problem.design
    columns = to_numpy(design.matvec(asarray_like(free, problem.target)) if directions else design.columns(free))
    core = _core(problem.loss)
    if core is not problem.loss:
        columns = np.hstack([columns, np.ones((problem.n_samples, 1))])
    size = np.linalg.norm(columns, axis=0)
    columns = columns / np.where(size > 0, size, 1.0)
    target = to_numpy(problem.target)
    weights = problem.row_weights if isinstance(problem.row_weights, float) else to_numpy(problem.row_weights)
    if problem.is_joint:
        fitted = _newton_fit(core, target, weights, columns, target.shape[1])
    elif target.ndim == 2:
        parts = (
            _newton_fit(core, np.ascontiguousarray(part), np.ravel(weights) if np.ndim(weights) else weights, columns)
            for part in target.T
        )
        fitted = np.stack(list(parts), axis=1)
    else:
        fitted = _newton_fit(core, target, weights, columns)
    dual = -core.gradient(target, fitted, weights)
    point = problem.at_zero()
    point = point._replace(dual=asarray_like(dual, point.dual))
    return problem.free_of(point, free)


def _huber_dual(problem, free):
    """The dual point of Huber's null model, of which Newton's method knows nothing where all samples are outliers; None elsewhere."""
    design = problem.design
    plain = isinstance(design, (DenseDesign, SparseDesign)) and design.is_numpy and problem.target.ndim == 1
    if not (plain and free.ndim == 1 and isinstance(_core(problem.loss), Huber)):
        return None
    from .coordinate.huber_program import HuberProgram  # whose neighbours make paths, which begin here

    found = HuberProgram(problem).minimise(L1(1.0, getattr(problem.penalty, "positive", False)), free)
    return None if found is None else found[1]


def _newton_fit(loss, target, weights, columns, n_classes=None):
    """Fitted values of the unpenalised model on a few columns: damped Newton steps.

    Several classes share the curvature bound of their loss instead of a matrix of second derivatives.
    """
    fitted = np.zeros(target.shape)
    value = loss.value(target, fitted, weights)
    steps = _NEWTON_STEPS if n_classes is None else 50 * _NEWTON_STEPS
    for _ in range(steps):
        gradient = loss.gradient(target, fitted, weights)
        if n_classes is None:
            root = np.sqrt(loss.hessian_diagonal(target, fitted, weights))
        else:
            root = np.sqrt(loss.curvature * weights * np.ones((len(target), 1)))[:, 0]
        steepness = columns.T @ gradient
        if np.max(np.abs(steepness)) <= 1e-13 * np.max(np.abs(columns).T @ np.abs(gradient), initial=0.0):
            return fitted
        scaled = root[:, None] * columns
        damping = 1e-12 * np.eye(columns.shape[1]) * max(1e-300, float(np.max(np.sum(scaled**2, axis=0))))
        direction = -columns @ np.linalg.lstsq(scaled.T @ scaled + damping, steepness)[0]
        for _ in range(60):
            ahead = loss.value(target, fitted + direction, weights)
            if ahead < value:
                break
            direction = 0.5 * direction
        else:
            return fitted  # rounding is all that is left
        fitted, value = fitted + direction, ahead
    if np.max(np.abs(fitted)) > 25:
        raise ValueError(
            "the unpenalised columns alone explain y without end (they separate the classes, or the counts of zero); give them a "
            "penalty weight above 0."
        )
    return fitted


def _of_a_loss_with_kinks(problem):
    """The least strength over the dual points: ``|u_i|`` is between the slopes where the null model's residual is zero."""
    target = to_numpy(problem.target)
    weights = (
        np.broadcast_to(problem.row_weights, (problem.n_samples,))
        if isinstance(problem.row_weights, float)
        else np.ravel(to_numpy(problem.row_weights))
    )
    columns = target[:, None] if target.ndim == 1 else target
    segments = [_segment(problem, np.ascontiguousarray(column), weights) for column in columns.T]
    one_of_rows = isinstance(problem.penalty, RowL2) and len(segments) == 1  # then it is the l1 norm
    if problem.penalty.is_separable or one_of_rows:
        strengths = [critical_strength(problem.penalty, np.array([_largest_pull(problem, part)])) for part in segments]
    elif problem.is_joint:
        return np.asarray(_least_norm(problem, segments))
    else:
        strengths = [_least_norm(problem, [part]) for part in segments]
    return np.asarray(strengths[0] if target.ndim == 1 or one_of_rows else strengths)


def _segment(problem, target, weights):
    """The correlations that dual points of one target can have."""
    loss, free = problem.loss, problem.free_columns()
    low, high = _core(loss).slopes()
    fixed = np.empty((len(target), 0))
    if free.size:
        fixed = to_numpy(
            problem.design.matvec(asarray_like(free, problem.target))
            if free.ndim == 2
            else problem.design.columns(free)
        )
    if _core(loss) is not loss:
        fixed = np.hstack([fixed, np.ones((len(target), 1))])
    if free.size:
        residual = _quantile_residual(fixed, target, weights, low, high)
    else:
        residual = target - (_core(loss).best_constant(target, 0 * target, weights) if fixed.shape[1] else 0.0)
    open_ = np.flatnonzero((residual == 0) & (weights > 0))
    pull = weights * np.where(residual > 0, high, np.where(residual < 0, low, 0.0))
    center = to_numpy(problem.design.rmatvec(asarray_like(pull, problem.target)))
    rows = np.empty((0, problem.n_features))
    if open_.size:
        rows = _open_rows(problem, open_) * weights[open_, None]
    return Segment(center, rows, fixed[open_] * weights[open_, None], fixed.T @ pull)


def _counted(problem):
    """Weights of the penalised columns, and which these are."""
    weights = np.ones(problem.n_features) if problem.penalty_weights is None else to_numpy(problem.penalty_weights)
    counted = np.isfinite(weights) & (weights > 0)
    return np.where(counted, weights, 1.0), counted


def _largest_pull(problem, segment):
    """The least ``max_j |v_j| / weights_j``, by one linear program; for a separable penalty."""
    weights, counted = _counted(problem)
    gauge, positive = segment.center[counted] / weights[counted], getattr(problem.penalty, "positive", False)
    if not len(segment.rows):
        return float(np.max(gauge if positive else np.abs(gauge), initial=0.0))
    rows = segment.rows[:, counted] / weights[counted]
    low, high = _core(problem.loss).slopes()
    return _program(gauge, rows, segment.fixed, segment.owed, low, high, positive)


def _least_norm(problem, segments):
    """The least gauge of a penalty that is a norm, but not separable; for one target, or for all of a joint problem."""
    penalty, free = problem.penalty, problem.free_columns()
    weights, counted = _counted(problem)

    def charged(values):
        values = np.where(counted, values, 0.0)
        return without_free(np, values.T, free).T

    segments = [part._replace(center=charged(part.center), rows=charged(part.rows)) for part in segments]
    if not getattr(penalty, "is_homogeneous", False):
        return float(critical_strength(penalty, segments[0].center))  # the named error
    given = problem.penalty_weights is not None
    by = (weights[:, None] if len(segments) > 1 else weights) if given else 1.0
    return least_gauge(
        lambda v: float(critical_strength(penalty, v, by if given else None)),
        lambda v, strength: penalty.prox(v, strength * by),
        lambda w: penalty.value(w, by if given else None),
        segments,
        *_core(problem.loss).slopes(),
        close=getattr(penalty, "critical_error", 1e-6),
    )


def _open_rows(problem, rows):
    """Rows of the design, as products with unit vectors: (n_rows, n_features)."""
    unit = np.zeros((problem.n_samples, len(rows)))
    unit[rows, np.arange(len(rows))] = 1.0
    return to_numpy(problem.design.rmatvec(asarray_like(unit, problem.target))).T


def _program(gauge, rows, fixed, owed, low, high, positive):
    """Minimise t over shares s in [low, high] and t: ``|gauge + rows^T s| <= t``, ``fixed^T s = -owed``."""
    from scipy.optimize import linprog  # slow to import, rarely needed

    scale = max(float(np.max(np.abs(gauge), initial=0.0)), float(np.max(np.abs(rows), initial=0.0))) or 1.0
    one = np.ones((len(gauge), 1))
    above = np.hstack([rows.T / scale, -one])
    below = np.hstack([-rows.T / scale, -one])
    sides = [(above, -gauge / scale)] + ([] if positive else [(below, gauge / scale)])
    size = np.max(np.abs(fixed), axis=0, initial=0.0)
    size = np.where(size > 0, size, 1.0)
    equal = csc_array(np.hstack([fixed.T / size[:, None], np.zeros((fixed.shape[1], 1))])) if fixed.shape[1] else None
    found = linprog(
        np.r_[np.zeros(rows.shape[0]), 1.0],
        A_ub=np.vstack([matrix for matrix, _ in sides]),
        b_ub=np.concatenate([bound for _, bound in sides]),
        A_eq=equal,
        b_eq=-owed / size if fixed.shape[1] else None,
        bounds=[(low, high)] * rows.shape[0] + [(0.0, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.status != 0:
        raise ValueError(
            f"the linear program of alpha_max was not solved ({found.message}); scale the columns of A and y."
        )
    return float(found.fun) * scale


def _quantile_residual(columns, target, weights, low, high):
    """Residuals of the unpenalised quantile regression on some columns, exact zeros where it interpolates."""
    from scipy.optimize import linprog  # slow to import, rarely needed

    n_samples, n_columns = columns.shape
    size = np.linalg.norm(columns, axis=0)
    scale = float(np.max(np.abs(target))) or 1.0
    found = linprog(
        np.r_[np.zeros(n_columns), high * weights * n_samples, -low * weights * n_samples],
        A_eq=np.hstack([columns / np.where(size > 0, size, 1.0), np.eye(n_samples), -np.eye(n_samples)]),
        b_eq=target / scale,
        bounds=[(None, None)] * n_columns + [(0.0, None)] * (2 * n_samples),
        method="highs",
    )
    if found.status != 0:
        raise ValueError(f"the null model of alpha_max was not found ({found.message}); scale the columns of A and y.")
    residual = found.x[n_columns : n_columns + n_samples] - found.x[n_columns + n_samples :]
    return scale * np.where(np.abs(residual) > _ON_THE_KINK, residual, 0.0)
