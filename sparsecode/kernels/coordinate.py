"""Coordinate descent for a separable penalty on a least-squares misfit: cyclic sweeps over a working set.

    min_w  1/(2 n) ||y - A w||^2 + sum_j weights_j penalty(w_j)

`gram_sweeps` sees the columns through ``gram = A^T A / n`` and keeps the correlations ``remaining = A^T (y - A w) / n``
up to date: a coordinate that stays put costs nothing, one that moves costs a row of the Gram matrix. `sparse_sweeps`
keeps the residual instead and touches only the entries that a compressed column stores, so that working sets of
thousands of short columns need no Gram matrix. Both take the penalty as its NamedTuple: weights enter as part of the
step of its prox.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel, prox

__all__ = ["gram_descent", "gram_lasso", "gram_line", "gram_sweeps", "moves", "sparse_sweeps"]


@kernel
def gram_sweeps(gram, penalty, weights, coef, remaining, n_sweeps, still):
    """Sweep over all coordinates until the largest decrease is at most `still`; return the number of moves.

    Shapes: gram (capacity, capacity), of which the leading (size, size) counts; weights, coef, remaining (size,).
    """
    moves = 0
    for _ in range(n_sweeps):
        moved, largest, _ = _gram_sweep(gram, penalty, weights, coef, remaining)
        moves += moved
        if largest <= still:
            break
    return moves


@kernel
def gram_descent(gram, penalty, weights, coef, remaining, trail, n_moves):
    """Sweep until the support has stayed the same as often as `trail` has rows beyond the first, or there were `n_moves`.

    Returns the number of moves, and whether the support is settled. At least as many sweeps are made as `trail`
    (n_kept, size) has rows beyond the first; its rows are the last iterates, the latest at the end.
    """
    n_kept = trail.shape[0]
    moves = calm = sweeps = 0
    trail[n_kept - 1] = coef
    while True:
        moved, _, changes = _gram_sweep(gram, penalty, weights, coef, remaining)
        moves += moved
        sweeps += 1
        calm = 0 if changes else calm + 1
        for row in range(n_kept - 1):
            trail[row] = trail[row + 1]
        trail[n_kept - 1] = coef
        settled = calm >= n_kept - 1
        if settled or (sweeps >= n_kept - 1 and moves >= n_moves):
            return moves, settled


@kernel
def _gram_sweep(gram, penalty, weights, coef, remaining):
    """One sweep: its moves, the largest decrease, and how many coordinates became zero or ceased to be."""
    size = coef.shape[0]
    moves = changes = 0
    largest = 0.0
    for j in range(size):
        curvature = gram[j, j]
        if curvature <= 0.0:
            continue
        old = coef[j]
        new = prox(penalty, old + remaining[j] / curvature, weights[j] / curvature)
        change = new - old
        if change != 0.0:
            coef[j] = new
            for k in range(size):
                remaining[k] -= change * gram[j, k]
            largest = max(largest, change * change * curvature)
            moves += 1
            if old == 0.0 or new == 0.0:
                changes += 1
    return moves, largest, changes


@kernel
def gram_lasso(gram, target, target_sq, penalty, weights, alpha, goal, n_sweeps, coef, remaining):
    """The l1 norm at one strength: sweeps over what is or wants to be non-zero, until the duality gap is at most `goal`.

    Shapes: gram (size, size), target, weights, coef and remaining (size,). The penalty has strength one, target_sq is ``||y||^2 / n``
    for ``target = A^T y / n``. Returns the gap.
    """
    size = target.shape[0]
    active = np.empty(size, dtype=np.int64)
    gap = np.inf
    for sweep in range(n_sweeps):
        if sweep % 2 == 0:
            count = 0
            for j in range(size):
                limit = alpha * weights[j]
                if coef[j] != 0.0 or abs(remaining[j]) > limit:
                    active[count] = j
                    count += 1
        for i in range(count):
            j = active[i]
            curvature = gram[j, j]
            if curvature > 0.0:
                new = prox(penalty, coef[j] + remaining[j] / curvature, alpha * weights[j] / curvature)
                if new != coef[j]:
                    _move(gram, coef, remaining, j, new)
        if sweep % 2 == 1:
            gap = _gap_on_gram(target, target_sq, weights, penalty, coef, remaining, alpha)
            if gap <= goal:
                break
    return gap


@kernel
def gram_line(gram, last, before, way, coef, remaining):
    """Go on in the direction from `before` to `last`, `way` times as far; what was zero or would change its sign is left, or made, zero."""
    for j in range(coef.shape[0]):
        new = last[j] + way * (last[j] - before[j])
        if before[j] != 0.0 and new != last[j]:
            _move(gram, coef, remaining, j, new if new * last[j] > 0.0 else 0.0)


@kernel
def _move(gram, coef, remaining, j, new):
    """Set a coefficient, and the correlations right."""
    change = new - coef[j]
    coef[j] = new
    for k in range(coef.shape[0]):
        remaining[k] -= change * gram[j, k]


@kernel
def _gap_on_gram(target, target_sq, weights, penalty, coef, remaining, alpha):
    """Duality gap of the Lasso from ``q = A^T y / n`` and ``remaining = q - G coef``, without free coefficients."""
    left = aimed = target_sq
    norm = top = 0.0
    for j in range(coef.shape[0]):
        if coef[j] != 0.0:
            left -= coef[j] * (target[j] + remaining[j])
            aimed -= coef[j] * target[j]
            norm += weights[j] * abs(coef[j])
        size = remaining[j] if penalty.positive else abs(remaining[j])
        top = max(top, size / weights[j])
    left = max(left, 0.0)
    scale = alpha / top if top > 0.0 else 1.0
    if left > 0.0:
        scale = max(min(scale, aimed / left), 0.0)
    return 0.5 * left + alpha * norm - scale * (aimed - 0.5 * scale * left)


@kernel
def sparse_sweeps(
    data, indices, indptr, shift, touch, curvature, penalty, weights, coef, residual, drift, n_sweeps, still
):
    """The same on compressed columns; returns the number of stored entries that were touched.

    Column j is the stored column minus ``shift[j] * scale`` for a common vector `scale` (n_samples,): implicit centring of
    weighted rows. ``touch[j] = <stored column j, scale>``. The true residual is ``residual + drift[0] * scale``;
    ``drift[1]`` is its product with `scale` and ``drift[2] = ||scale||^2``. `curvature` is ``||column j||^2 / n``.
    """
    n_samples = residual.shape[0]
    work = 0
    for sweep in range(n_sweeps):
        largest = 0.0
        for j in range(coef.shape[0]):
            if curvature[j] <= 0.0:
                continue
            correlation = 0.0
            for i in range(indptr[j], indptr[j + 1]):
                correlation += data[i] * residual[indices[i]]
            correlation = (correlation + drift[0] * touch[j] - shift[j] * drift[1]) / n_samples
            work += indptr[j + 1] - indptr[j]
            old = coef[j]
            new = prox(penalty, old + correlation / curvature[j], weights[j] / curvature[j])
            change = new - old
            if change != 0.0:
                coef[j] = new
                for i in range(indptr[j], indptr[j + 1]):
                    residual[indices[i]] -= change * data[i]
                drift[0] += change * shift[j]
                drift[1] -= change * (touch[j] - shift[j] * drift[2])
                largest = max(largest, change * change * curvature[j])
        if largest <= still:
            break
    return work


@kernel(borrows=True)
def moves(penalty, pull, steps, coef, out):
    """How far each coordinate is from ``prox(pull)``, all arrays (n_features,), the distance in `out`."""
    for j in range(coef.shape[0]):
        out[j] = abs(prox(penalty, pull[j], steps[j]) - coef[j])
