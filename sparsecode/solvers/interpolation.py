"""Coefficients that fit a target exactly on the support of others: where strengths that fall to zero lead."""

from __future__ import annotations

import numpy as np

from .._array import as_double, asarray_like, to_numpy

__all__ = ["aligned", "interpolated"]

_GONE = 1e-10  # share of the largest coefficient, on columns of unit norm


def aligned(problem, coef, dual, strength):
    """The dual point nearest to `dual` with correlations ``strength * weights * sign(coef)`` on the support, in float64.

    With it coefficients that interpolate have no gap beyond that of the columns off their support.
    """
    support = np.flatnonzero(to_numpy(coef))
    if support.size == 0:
        return dual
    wide = problem.in_double()
    columns, here = _columns(wide, support), to_numpy(as_double(coef))[support]
    weights = 1.0 if problem.penalty_weights is None else to_numpy(as_double(problem.penalty_weights))[support]
    wanted = strength * weights * here / np.abs(here)
    size = np.linalg.norm(columns, axis=0)
    size = np.where(size > 0, size, 1.0)
    there = to_numpy(dual)
    missed = (wanted - columns.conj().T @ there) / size
    return asarray_like(there + np.linalg.lstsq((columns / size).conj().T, missed, rcond=None)[0], dual)


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
