"""Coefficients that fit a target exactly on the support of others: where strengths that fall to zero lead."""

from __future__ import annotations

import numpy as np

from .._array import as_double, asarray_like, divisor, is_complex, to_numpy
from .._parallel import single_threaded_blas
from ..penalties import L1
from .cone_path import cone_path
from .free_fit import nonnegative_fit, orthonormal_basis

__all__ = ["aligned", "free_start", "interpolated", "least_fit", "least_moduli"]

_GONE = 1e-10  # share of the largest coefficient, on columns of unit norm
_COLUMNS = 4  # times as many as there are samples may be used by the fit of least norm
_ROOM = 10.0  # of multipliers, over those of a dual point that is nearly the answer's
_ROUNDS = 20  # of columns that join because the dual point of the others violates them
_LARGEST = 3e7  # numbers that a path holds


def aligned(problem, coef, dual, strength):
    """The dual point nearest to `dual` with correlations ``strength * weights * sign(coef)`` on the support, in float64.

    Beside an intercept its sum is zero, too. With it coefficients that interpolate have no gap beyond that of the columns off their support.
    """
    support = np.flatnonzero(to_numpy(coef))
    if support.size == 0:
        return dual
    wide = problem.in_double()
    columns, here = _columns(wide, support), to_numpy(as_double(coef))[support]
    weights = 1.0 if problem.penalty_weights is None else to_numpy(as_double(problem.penalty_weights))[support]
    wanted = strength * weights * here / np.abs(here)
    if getattr(problem.loss, "has_intercept", False):
        columns, wanted = np.hstack([columns, np.ones((len(columns), 1))]), np.append(wanted, 0.0)
    root = np.ones(1) if isinstance(wide.row_weights, float) else np.sqrt(to_numpy(wide.row_weights))
    there, columns = to_numpy(dual), root[:, None] * columns  # a sample without weight has no dual
    missed = wanted - columns.conj().T @ np.divide(there, root, out=np.zeros_like(there), where=root > 0)
    size = divisor(np.linalg.norm(columns, axis=0))
    moved = root * np.linalg.lstsq((columns / size).conj().T, missed / size, rcond=None)[0]
    return asarray_like(there + moved, dual)


def _columns(problem, support):
    """Some columns as a NumPy array."""
    design = problem.design
    return to_numpy(design.columns(support if design.is_numpy else support.tolist()))


def interpolated(problem, coef):
    """``argmin_z ||y - A_S z||`` on the support S of `coef` (n_features,), in float64; None if S cannot be fitted so.

    The fit that is nearest to `coef` where columns depend on one another. Under a one-sided constraint it must keep it.
    """
    support = np.flatnonzero(to_numpy(coef))
    if support.size == 0 or support.size > problem.n_samples:
        return None
    wide = problem.in_double()
    columns = _columns(wide, support)
    size = np.linalg.norm(columns, axis=0)
    size = np.where(size > 0, size, 1.0)
    here, target = to_numpy(as_double(coef))[support], to_numpy(wide.target)
    fitted = here + np.linalg.lstsq(columns / size, target - columns @ here, rcond=None)[0] / size
    kept = np.abs(fitted) * size > _GONE * np.max(np.abs(fitted) * size)
    if not np.all(kept):  # only the target's noise, or the strength, held those
        support, here = support[kept], fitted[kept]
        columns, size = columns[:, kept], size[kept]
        fitted = here + np.linalg.lstsq(columns / size, target - columns @ here, rcond=None)[0] / size
    if getattr(problem.penalty, "positive", False) and np.any(fitted < 0):
        return None
    new = np.zeros(coef.shape[0], dtype=fitted.dtype)
    new[support] = fitted
    return problem.xp.astype(asarray_like(new, coef), coef.dtype, copy=False)


def least_fit(problem, dual, strength):
    """Of all coefficients that fit the target exactly those of least weighted l1 norm, in float64; None where that finds none.

    `dual` (n_samples,) nearly is a dual point of theirs, ``|a_j^T dual| <= strength * weights_j``: it tells which columns may be
    needed and how far the multipliers of the linear program reach. Real data only.
    """
    design = problem.design
    if is_complex(problem.target) or design.is_matrix_free or not isinstance(problem.penalty, L1):
        return None
    from .coordinate.simplex import STUCK, Simplex

    wide, there = problem.in_double(), to_numpy(as_double(dual))
    weights = np.ones(problem.n_features) if problem.penalty_weights is None else to_numpy(problem.penalty_weights)
    weights = weights.astype(np.float64)
    pull = np.abs(to_numpy(wide.design.rmatvec(as_double(dual))))
    loud = np.divide(pull, weights, out=np.full(pull.size, np.inf), where=weights > 0)
    loud[np.isinf(weights)] = -1.0
    kept = np.sort(np.argsort(-loud, kind="stable")[: _COLUMNS * problem.n_samples])
    kept = kept[loud[kept] >= 0]
    room = _ROOM * float(np.max(np.abs(there)))  # absolute deviations so dear are not to be had: the fit is exact
    simplex = Simplex(wide.design, False)
    simplex.begin(to_numpy(wide.target), np.ones(problem.n_samples), (-room, room))
    with single_threaded_blas():
        simplex.grow(kept)
        posed = (strength, weights, bool(problem.penalty.positive))
        if not simplex.leap(*posed) or simplex.solve(*posed, np.inf) == STUCK:
            return None
    coef = simplex.coef(problem.n_features, problem.penalty.positive)
    return interpolated(problem, asarray_like(coef, problem.start(), dtype=problem.xp.float64))


def least_moduli(problem, dual, close):
    """Of all coefficients that fit the target exactly those of least weighted l1 norm, and a dual point that proves them, in float64.

    `dual` (n_samples,) tells which columns may be needed; `close` is the gap to leave, over the norm. None where the target is out
    of reach, or the problem too large. Any namespace, real or complex; computed on the CPU.
    """
    wide, n_samples = problem.in_double(), problem.n_samples
    weights = np.ones(problem.n_features) if problem.penalty_weights is None else to_numpy(wide.penalty_weights)
    free, charged = np.flatnonzero(weights == 0), np.flatnonzero((weights > 0) & np.isfinite(weights))
    positive = bool(getattr(problem.penalty, "positive", False))
    if charged.size == 0 or (positive and free.size):  # free ones that may not be negative are no subspace
        return None
    own, parts = to_numpy(wide.target), 2 if is_complex(wide.target) else 1
    fixed = _columns(wide, free) if free.size else np.zeros((n_samples, 0), dtype=own.dtype)
    basis = orthonormal_basis(np, fixed) if free.size else fixed
    target, count = _off(basis, own), _COLUMNS * n_samples
    members = _loudest(_loudness(wide, dual, positive)[charged] / weights[charged], count)
    for left in reversed(range(_ROUNDS)):
        if parts**2 * members.size * n_samples > _LARGEST:
            return None
        columns = _columns(wide, charged[members]) / weights[charged[members]]
        with single_threaded_blas():
            found = cone_path(_off(basis, columns), target, positive, close)
        dual = _off(orthonormal_basis(np, columns), target) if found is None else found[1]
        excess = _loudness(wide, asarray_like(dual, wide.target), positive)[charged] / weights[charged]
        excess[members] = 0.0
        joining = np.flatnonzero(excess > (0.0 if found is None else 1.0 + close))
        if not joining.size or not left:
            break
        members = np.concatenate([members, joining[_loudest(excess[joining], count)]])
    if found is None:
        return None
    coef = np.zeros(problem.n_features, dtype=own.dtype)
    coef[charged[members]] = found[0] / weights[charged[members]]
    if free.size:
        coef[free] = np.linalg.lstsq(fixed, own - columns @ found[0], rcond=None)[0]
    return asarray_like(coef, wide.target), asarray_like(found[1], wide.target)


def free_start(problem):
    """Least squares by the columns that the penalty does not charge, zeros elsewhere."""
    coef, free = problem.start(), problem.free_columns()
    if not free.size:
        return coef
    columns, target = _columns(problem, free), to_numpy(problem.target)
    if getattr(problem.penalty, "positive", False):
        fitted = nonnegative_fit(columns, target)[0]
    else:
        fitted = np.linalg.lstsq(columns, target, rcond=None)[0]
    new = np.zeros(problem.n_features, dtype=fitted.dtype)
    new[free] = fitted
    return asarray_like(new, coef)


def _off(basis, vectors):
    """What is left of vectors outside a subspace."""
    for _ in range(2):  # the second time clears what the first one rounds
        vectors = vectors - basis @ (basis.conj().T @ vectors)
    return vectors


def _loudness(problem, dual, positive):
    """Correlations of a dual point as they count against their bounds."""
    pull = to_numpy(problem.design.rmatvec(as_double(dual)))
    return pull if positive else np.abs(pull)


def _loudest(values, count):
    """Places of the largest values, ascending."""
    return np.sort(np.argsort(-values, kind="stable")[:count])
