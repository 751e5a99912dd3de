"""The Gram-form pursuit written once against the array API: all signals in lockstep, wherever the arrays live.

Same recursion as `sparsecode.kernels.greedy`, with one slot of every code filled at a time. A signal that has ended, or that
takes no atom in a slot, carries zeros along, so nothing is ever gathered or branched on by signal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, conj, is_complex, real_dtype
from .rules import Settings, block_products, preferences

__all__ = ["Dictionary", "array_pursuit", "make_dictionary"]


class Dictionary(NamedTuple):
    """What the pursuit asks of K atoms."""

    gram_rows: Any  # callable: indices (P,) -> (P, K), row p is A^H a_(j_p)
    sq_norms: Any  # (K,)
    scale: Any  # (K,) 1 / (weight^2 n), 0 for an atom that may not be selected
    preference: Any  # (K,) 1 / weight^2, 0 likewise
    first: list  # atoms of weight zero, then others that enter first
    n_free: int  # how many are of weight zero
    rows: Any = None  # (K, d) the atoms, or None: then residuals are never recomputed


class _State(NamedTuple):
    """Everything that changes from slot to slot; P signals."""

    correlations: Any  # (P, K)
    remaining: Any  # (P, K) n_j - sum_q |b_q[j]|^2; None for OMP
    closed: Any  # (P, K) bool
    basis: list  # t arrays (P, K)
    factor: Any  # (P, k, k) L, double
    projection: Any  # (P, k) z, double
    indices: Any  # (P, k) int64, -1 where a slot took nothing
    sq_residual: Any  # (P,) double
    known: Any  # (P,) the last squared residual that did not come from the recursion
    active: Any  # (P,) bool
    room: Any  # (P,) how many atoms may still be taken


def make_dictionary(gram_rows, sq_norms, like, *, penalty_weights=None, rows=None, first=()) -> Dictionary:
    """Thresholds and weights as arrays beside `like`; `sq_norms` and `penalty_weights` are NumPy arrays."""
    scale, preference, free, first = preferences(sq_norms, penalty_weights, first)
    dtype = real_dtype(array_namespace(like), like.dtype)
    norms, scale, preference = (
        asarray_like(each, like, dtype=dtype) for each in (np.asarray(sq_norms), scale, preference)
    )
    return Dictionary(gram_rows, norms, scale, preference, first.tolist(), free.size, rows)


def array_pursuit(dictionary: Dictionary, settings: Settings, correlations, target_sq, limits, signals=None):
    """Indices, values, counts and squared residuals of P signals.

    `correlations` (P, K) is ``A^H y`` row by row; `target_sq` and `limits` (P,) are float64 arrays beside it; `signals` (P, d)
    serve residuals finer than the recursion can see.
    """
    xp = array_namespace(correlations)
    n_first = len(dictionary.first)  # a slot each, whether they enter or not
    depth = n_first + min(correlations.shape[1], settings.n_nonzero)
    state = _start(xp, dictionary, settings, correlations, target_sq, depth)
    for t in range(depth):
        if t >= n_first:
            state = state._replace(active=state.active & (state.room > 0) & (state.sq_residual > limits))
        if not bool(xp.any(state.active)):
            break
        state, took, distance = _fill_slot(xp, dictionary, settings, state, t, target_sq)
        if t >= dictionary.n_free:
            state = state._replace(room=state.room - xp.astype(took, xp.int64))
        step = xp.where(took, state.projection[:, t], 0 * state.projection[:, t])
        state = state._replace(sq_residual=state.sq_residual - xp.abs(step) ** 2)
        if signals is not None and t + 1 >= n_first:
            state, step = _recompute(xp, dictionary, settings, state, t, step, took, limits, signals)
        if t + 1 < depth:
            state = _extend(xp, dictionary, state, t, step, distance, took)
    values = _solve(xp, state.factor, state.projection)
    return _packed(xp, state, values, correlations.dtype)


def _start(xp, dictionary, settings, correlations, target_sq, depth):
    n_signals, n_atoms = correlations.shape
    place = {"device": correlations.device}
    wide = xp.complex128 if is_complex(correlations) else xp.float64
    eye = xp.eye(depth, dtype=wide, **place)
    return _State(
        correlations,
        dictionary.sq_norms[None, :] + xp.zeros((n_signals, 1), dtype=dictionary.sq_norms.dtype, **place)
        if settings.orthogonal
        else None,
        xp.zeros((n_signals, n_atoms), dtype=xp.bool, **place),
        [],
        eye[None, :, :] + xp.zeros((n_signals, 1, 1), dtype=wide, **place),
        xp.zeros((n_signals, depth), dtype=wide, **place),
        xp.full((n_signals, depth), -1, dtype=xp.int64, **place),
        target_sq,
        target_sq,
        xp.ones((n_signals,), dtype=xp.bool, **place),
        xp.full((n_signals,), settings.n_nonzero, dtype=xp.int64, **place),
    )


def _scores(xp, dictionary, settings, state, noise):
    """Fall of the squared residual (OLS) or normalised correlation (OMP), over the squared weight; 0 where closed."""
    size = xp.abs(state.correlations) ** 2
    closed = state.closed
    if settings.orthogonal:
        norms = dictionary.sq_norms[None, :]
        open_ = (state.remaining > settings.dependence * norms) & (size > noise[:, None] * norms) & ~closed
        score = size * dictionary.preference[None, :] / xp.where(open_, state.remaining, xp.ones_like(size))
        closed = ~open_
    else:
        score = size * dictionary.scale[None, :]
    if settings.positive:
        closed = closed | ~(state.correlations > 0)
    return xp.where(closed, xp.zeros_like(score), score)


def _fill_slot(xp, dictionary, settings, state, t, target_sq):
    """The t-th atom of every active signal: its index, its row of the factor, its projection."""
    noise = xp.astype(settings.noise * target_sq, dictionary.sq_norms.dtype)
    forced = t < len(dictionary.first)
    score = None if forced else _scores(xp, dictionary, settings, state, noise)
    pending = state.active
    took = xp.zeros_like(pending)
    distance = xp.ones_like(target_sq)
    atoms = xp.arange(state.closed.shape[1], dtype=xp.int64, device=pending.device)
    while bool(xp.any(pending)):
        if forced:
            j = xp.zeros_like(state.indices[:, 0]) + dictionary.first[t]
        else:
            j = xp.argmax(score, axis=1)
            correlation = _pick(xp, state.correlations, j)
            small = xp.abs(correlation) ** 2 <= noise * xp.take(dictionary.sq_norms, j)
            nothing = pending & (small | (_pick(xp, score, j) == 0))
            state = state._replace(active=state.active & ~nothing)
            pending = pending & ~nothing
        row, d, independent = _candidate(xp, dictionary, settings, state, t, j)
        accepted = pending & independent
        if settings.positive:
            trial = _written(xp, state, t, j, row, d, accepted)
            values = _solve(xp, trial.factor, trial.projection)
            accepted = accepted & xp.all((values > 0) | (trial.indices < 0), axis=1)
        state = _written(xp, state, t, j, row, d, accepted)
        distance = xp.where(accepted, d, distance)
        took = took | accepted
        here = atoms[None, :] == j[:, None]
        state = state._replace(closed=state.closed | (here & (accepted | (pending & ~independent))[:, None]))
        if forced:
            break
        pending = pending & ~accepted
        score = xp.where(here, xp.zeros_like(score), score)
    return state, took, distance


def _pick(xp, array, j):
    return xp.take_along_axis(array, j[:, None], axis=1)[:, 0]


def _candidate(xp, dictionary, settings, state, t, j):
    """Row of the factor for atoms `j`, their distance to the span of the selected ones, and whether that is not zero."""
    norms = xp.astype(xp.take(dictionary.sq_norms, j), xp.float64)
    row = [as_double(_pick(xp, direction, j)) for direction in state.basis]
    distance_sq = norms - sum((xp.abs(entry) ** 2 for entry in row), xp.zeros_like(norms))
    independent = distance_sq > settings.dependence * norms
    return row, xp.sqrt(xp.where(independent, distance_sq, xp.ones_like(norms))), independent


def _written(xp, state, t, j, row, distance, accepted):
    """The state with the candidate in slot t, for the signals that accepted it."""
    depth = state.indices.shape[1]
    slot = xp.arange(depth, device=j.device) == t
    wide = state.factor.dtype
    entries = [*row, xp.astype(distance, wide)]
    entries += [xp.zeros_like(entries[-1])] * (depth - t - 1)
    rows = xp.stack(entries, axis=1)
    projection = as_double(_pick(xp, state.correlations, j)) / xp.astype(distance, wide)
    here = slot[None, :] & accepted[:, None]
    return state._replace(
        factor=xp.where(slot[None, :, None] & accepted[:, None, None], rows[:, None, :], state.factor),
        projection=xp.where(here, projection[:, None], state.projection),
        indices=xp.where(here, j[:, None], state.indices),
    )


def _solve(xp, factor, projection):
    """Coefficients: ``L^H gamma = z``; empty slots hold a unit diagonal and zeros."""
    adjoint = conj(xp.permute_dims(factor, (0, 2, 1)))
    return xp.linalg.solve(adjoint, projection[..., None])[..., 0]


def _extend(xp, dictionary, state, t, step, distance, took):
    """The direction b_t, and what it takes from correlations and norms."""
    dtype, real = state.correlations.dtype, dictionary.sq_norms.dtype
    j = xp.where(took, state.indices[:, t], xp.zeros_like(state.indices[:, t]))
    direction = dictionary.gram_rows(j)
    for q, other in enumerate(state.basis):
        direction = direction - xp.astype(conj(state.factor[:, t, q]), dtype)[:, None] * other
    direction = direction * xp.astype(xp.astype(took, xp.float64) / distance, real)[:, None]
    direction = xp.where(state.closed, xp.zeros_like(direction), direction)
    return state._replace(
        basis=[*state.basis, direction],
        correlations=state.correlations - xp.astype(step, dtype)[:, None] * direction,
        remaining=None if state.remaining is None else state.remaining - xp.abs(direction) ** 2,
    )


def _recompute(xp, dictionary, settings, state, t, step, took, limits, signals):
    """Where the recursion cannot tell whether the residual is small enough: the residual itself, refined in double."""
    unsure = took & (limits > 0) & (xp.abs(state.sq_residual - limits) < settings.resolution * state.known)
    if not bool(xp.any(unsure)):
        return state, step
    values = _solve(xp, state.factor, state.projection)
    residual = _residual(xp, dictionary, signals, state.indices, values)
    columns = [_atoms_of(xp, dictionary, state.indices[:, q]) for q in range(state.indices.shape[1])]
    against = xp.stack([xp.sum(conj(column) * residual, axis=1) for column in columns], axis=1)
    correction = xp.linalg.solve(state.factor, against[..., None])[..., 0]
    projection = xp.where(unsure[:, None], state.projection + correction, state.projection)
    residual = _residual(xp, dictionary, signals, state.indices, _solve(xp, state.factor, projection))
    exact = xp.sum(xp.abs(residual) ** 2, axis=1)
    fresh = block_products(xp.astype(residual, signals.dtype), conj(dictionary.rows).T)
    state = state._replace(
        projection=projection,
        sq_residual=xp.where(unsure, exact, state.sq_residual),
        known=xp.where(unsure, exact, state.known),
        correlations=xp.where(unsure[:, None] & ~state.closed, fresh, state.correlations),
    )
    return state, xp.where(unsure, xp.zeros_like(step), step)


def _atoms_of(xp, dictionary, j):
    """The chosen atoms in double precision, zero where a slot is empty."""
    picked = as_double(xp.take(dictionary.rows, xp.where(j < 0, xp.zeros_like(j), j), axis=0))
    return xp.where((j >= 0)[:, None], picked, xp.zeros_like(picked))


def _residual(xp, dictionary, signals, indices, values):
    residual = as_double(signals)
    for q in range(indices.shape[1]):
        residual = residual - values[:, q][:, None] * _atoms_of(xp, dictionary, indices[:, q])
    return residual


def _packed(xp, state, values, dtype):
    """Codes with their empty slots moved to the end."""
    empty = state.indices < 0
    order = xp.argsort(xp.astype(empty, xp.int8), axis=1, stable=True)
    values = xp.astype(xp.where(empty, xp.zeros_like(values), values), dtype)
    return (
        xp.astype(xp.take_along_axis(state.indices, order, axis=1), xp.int32),
        xp.take_along_axis(values, order, axis=1),
        xp.astype(xp.sum(xp.astype(~empty, xp.int64), axis=1), xp.int32),
        xp.maximum(state.sq_residual, xp.zeros_like(state.sq_residual)),
    )
