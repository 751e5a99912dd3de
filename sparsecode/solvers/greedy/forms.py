"""Which form of the pursuit suits a problem: residual form, compiled Gram form, or the array-API Gram form.

* arrays outside NumPy go through the array API, on a Gram matrix only if there are enough targets to pay for it;
* many targets on few columns share a Gram matrix, compiled unless the job is done before a compiler is loaded;
* everything else (one target, operators, more columns than a Gram matrix should have) takes the residual form.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, dagger, sq_norm, to_numpy
from ..._validation import check_columns, check_range
from ...designs import CenteredDesign, GramDesign, SparseDesign
from .array_pursuit import array_pursuit, make_dictionary
from .kernel_pursuit import KernelPursuit
from .residual_pursuit import residual_pursuit
from .rules import is_small, power_of_two

__all__ = ["Selected", "check_ranges", "pursue", "require_target_norm", "target_sq_norms"]

_MAX_GRAM = 8192  # columns: a larger Gram matrix (512 MiB) is never formed


class Selected(NamedTuple):
    """Codes of P targets, and for a single target in residual form the squared residuals on the way."""

    indices: Any  # (P, k), -1 behind the last
    values: Any  # (P, k)
    counts: np.ndarray  # (P,)
    sq_residuals: list | None = None
    n_free: Any = 0  # (P,) how many of them are free, at their beginning
    n_first: Any = 0  # (P,) how many entered before any was selected, the free ones included


def target_sq_norms(design, target):
    """Squared norm of every target, NumPy, float64, (P,)."""
    if isinstance(design, GramDesign):
        size = design.sq_norm_of_target(target)
        return np.maximum(size, 0.0) + np.zeros(1 if target.ndim == 1 else target.shape[1])
    with np.errstate(over="ignore"):  # the caller says what to do about it
        return np.atleast_1d(to_numpy(sq_norm(target)).astype(np.float64))


def require_target_norm(design, **asked):
    """Refuse those requests of `asked` that are not None on a Gram matrix that was not told the norm of its target."""
    if isinstance(design, GramDesign):
        for name, value in asked.items():
            if value is not None:
                design.known_target_sq_norm(name)


def check_ranges(design, target, target_sq):
    """Refuse targets and columns so large or small that their squares are no numbers; an operator's columns are not known."""
    check_range(target_sq, target[None, :] if target.ndim == 1 else target.T, "y", "target")
    check_columns(design)
    if isinstance(design, GramDesign):
        design.check_target(target)


def pursue(design, target, settings, target_sq, penalty_weights=None, n_jobs=None) -> Selected:
    """Code every column of `target` (n_samples, P), or a single target (n_samples,).

    `penalty_weights` is a NumPy array (n_features,), or None.
    """
    selected = _in_some_form(design, target, settings, target_sq, penalty_weights, n_jobs)
    free = np.flatnonzero(penalty_weights == 0) if penalty_weights is not None else np.empty(0, dtype=np.int64)
    first = np.concatenate([free, np.array(settings.first, dtype=np.int64)])
    if first.size == 0:
        nothing = np.zeros(selected.counts.shape, dtype=np.int64)
        return selected._replace(n_free=nothing, n_first=nothing)
    order = np.full(design.shape[1] + 1, -1)  # the last for the empty slots, -1
    order[first] = np.arange(first.size)
    places = order[to_numpy(selected.indices)[:, : first.size]]
    rising = np.diff(places, axis=1, prepend=-1) > 0  # a column that was not let in first may be selected later
    entered = np.cumprod(rising & (places >= 0), axis=1)
    n_free = np.sum(entered * (places < free.size), axis=1)
    return selected._replace(n_free=n_free, n_first=np.sum(entered, axis=1))


def _in_some_form(design, target, settings, target_sq, penalty_weights, n_jobs):
    xp = array_namespace(target)
    columns = target if target.ndim == 2 else xp.reshape(target, (-1, 1))
    n_targets, n_features = columns.shape[1], design.shape[1]
    if not design.is_numpy:
        return _by_arrays(design, columns, settings, target_sq, penalty_weights)
    small = is_small(n_targets, n_features, settings.n_nonzero)
    if isinstance(design, GramDesign):
        form = _gram_by_arrays if small else _gram_by_kernel
        return form(design, columns, settings, target_sq, penalty_weights, n_jobs)
    limits = settings.limits(target_sq)
    if small or not _shares_gram(design, n_targets, settings, target_sq):
        return _by_residual(design, columns, settings, limits, penalty_weights, n_jobs)
    return _by_kernel(design, columns, settings, target_sq, penalty_weights, n_jobs)


def _shares_gram(design, n_targets, settings, target_sq):
    """Whether a Gram matrix costs less than the products it saves, fits, and is fine enough for the tolerance."""
    n_features = design.shape[1]
    if design.is_matrix_free or n_features > min(_MAX_GRAM, n_targets * settings.n_nonzero):
        return False
    if isinstance(design, CenteredDesign):
        return not (design.base.is_matrix_free or isinstance(design.base, SparseDesign))
    limits = settings.limits(target_sq)
    too_fine = np.any((limits >= 0) & (limits < 1e3 * settings.resolution * target_sq))
    return not (isinstance(design, SparseDesign) and too_fine)


def _by_residual(design, target, settings, limits, penalty_weights, n_jobs):
    codes = residual_pursuit(design, target, settings, limits, penalty_weights, n_jobs)
    counts = np.array([code.indices.size for code in codes])
    indices = np.full((len(codes), int(counts.max())), -1, dtype=np.int64)
    values = np.zeros(indices.shape, dtype=target.dtype)
    for p, code in enumerate(codes):
        indices[p, : counts[p]], values[p, : counts[p]] = code.indices, code.values
    return Selected(indices, values, counts, codes[0].sq_residuals if len(codes) == 1 else None)


def _by_kernel(design, target, settings, target_sq, penalty_weights, n_jobs):
    everything = np.arange(design.shape[1])
    dtype, rows = target.dtype, None
    if isinstance(design, SparseDesign):
        gram = design.gram(everything).astype(dtype)
    else:
        rows = np.ascontiguousarray(design.columns(everything).T.astype(dtype, copy=False))
        gram = dagger(rows.T) @ rows.T
    pursuit = KernelPursuit(
        np.ascontiguousarray(gram.T), design.column_sq_norms(), settings, penalty_weights=penalty_weights, rows=rows
    )

    def block(start, stop, correlations):
        part = target[:, start:stop]
        correlations[: stop - start] = design.rmatvec(part).T
        return (None if rows is None else np.ascontiguousarray(part.T)), target_sq[start:stop]

    codes = pursuit.code(target.shape[1], block, n_jobs)
    return Selected(codes.indices, codes.values, codes.counts)


def _gram_by_kernel(design, correlations, settings, target_sq, penalty_weights, n_jobs):
    """In double precision whatever the Gram matrix: there is no signal to recompute a residual from."""
    wide = as_double(correlations)
    pursuit = KernelPursuit(
        np.ascontiguousarray(design.matrix.T.astype(wide.dtype)),
        design.column_sq_norms(),
        settings,
        penalty_weights=penalty_weights,
    )

    def block(start, stop, correlations):
        correlations[: stop - start] = wide[:, start:stop].T
        return None, target_sq[start:stop]

    codes = pursuit.code(wide.shape[1], block, n_jobs)
    return Selected(codes.indices, codes.values, codes.counts)


def _gram_by_arrays(design, correlations, settings, target_sq, penalty_weights, n_jobs):
    wide = as_double(correlations)
    rows = design.matrix.T.astype(wide.dtype)
    dictionary = make_dictionary(
        lambda j: rows[j], design.column_sq_norms(), wide, penalty_weights=penalty_weights, first=settings.first
    )
    codes = array_pursuit(dictionary, settings, wide.T, np.array(target_sq), settings.limits(target_sq))
    return Selected(*codes[:3])


def _by_arrays(design, target, settings, target_sq, penalty_weights):
    xp = design.xp
    rows = xp.astype(design.array.T, target.dtype, copy=False)
    adjoint = dagger(rows)
    shared = design.shape[1] <= min(_MAX_GRAM, target.shape[1] * settings.n_nonzero)
    gram = rows @ adjoint if shared else None

    def gram_rows(j):
        return xp.take(gram, j, axis=0) if shared else xp.take(rows, j, axis=0) @ adjoint

    dictionary = make_dictionary(
        gram_rows, design.column_sq_norms(), target, penalty_weights=penalty_weights, rows=rows, first=settings.first
    )
    scale = power_of_two(target_sq)
    scale_here = asarray_like(scale, target, dtype=dictionary.sq_norms.dtype)
    signals = target.T * scale_here[:, None]
    scaled_sq = asarray_like(target_sq * scale**2, target, dtype=xp.float64)
    limits = asarray_like(settings.limits(target_sq * scale**2, scale), target, dtype=xp.float64)
    codes = array_pursuit(dictionary, settings, signals @ adjoint, scaled_sq, limits, signals=signals)
    return Selected(codes[0], codes[1] / scale_here[:, None], to_numpy(codes[2]))
