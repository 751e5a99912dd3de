"""Unrolled layers on Gram products, signal by signal: forward, and back for the derivatives in steps, thresholds and momenta.

    z_k = c_k + beta_k (c_k - c_k-1),   g_k = z_k Q - x W',   c_k+1 = eta(z_k - gamma_k g_k; theta_k),      Q = D W'

A code has few entries, so ``z_k Q`` reads one row of Q for each of them; on the way back the derivative in c_k+1 counts only where
c_k+1 is not zero, and one row of Q' is read for each of those. What a signal leaves behind for its way back fits into the cache.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["COUNT", "HARD", "SOFT", "layer_codes", "layer_slopes"]

SOFT, HARD, COUNT = 0, 1, 2  # shrink by theta; keep what is above theta; keep the largest


@kernel
def _add_rows(start, stop, indices, values, rows, total):
    """``total += sum_i values[i] rows[indices[i]]``, eight rows at a time to save stores."""
    i = start
    while i + 8 <= stop:
        p, q, r, t = indices[i], indices[i + 1], indices[i + 2], indices[i + 3]
        a, b, c, d = values[i], values[i + 1], values[i + 2], values[i + 3]
        p2, q2, r2, t2 = indices[i + 4], indices[i + 5], indices[i + 6], indices[i + 7]
        a2, b2, c2, d2 = values[i + 4], values[i + 5], values[i + 6], values[i + 7]
        for m in range(total.shape[0]):
            first = (a * rows[p, m] + b * rows[q, m]) + (c * rows[r, m] + d * rows[t, m])
            second = (a2 * rows[p2, m] + b2 * rows[q2, m]) + (c2 * rows[r2, m] + d2 * rows[t2, m])
            total[m] += first + second
        i += 8
    while i + 4 <= stop:
        p, q, r, t = indices[i], indices[i + 1], indices[i + 2], indices[i + 3]
        a, b, c, d = values[i], values[i + 1], values[i + 2], values[i + 3]
        for m in range(total.shape[0]):
            total[m] += (a * rows[p, m] + b * rows[q, m]) + (c * rows[r, m] + d * rows[t, m])
        i += 4
    while i < stop:
        p, a = indices[i], values[i]
        for m in range(total.shape[0]):
            total[m] += a * rows[p, m]
        i += 1


@kernel
def _largest_of(sizes, n, count):
    """The `count`-th largest of the first n sizes, whose order is lost (Hoare's selection)."""
    low, high, wanted = 0, n - 1, count - 1
    while low < high:
        pivot = sizes[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while sizes[i] > pivot:
                i += 1
            while sizes[j] < pivot:
                j -= 1
            if i <= j:
                sizes[i], sizes[j] = sizes[j], sizes[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return sizes[wanted]


@kernel
def _keep_largest(code, count, sizes):
    """Set all but the `count` largest entries to zero; of equal ones the first stay."""
    n_atoms = code.shape[0]
    for j in range(n_atoms):
        sizes[j] = abs(code[j])
    least = _largest_of(sizes, n_atoms, count)
    room = count
    for j in range(n_atoms):
        room -= np.int64(abs(code[j]) > least)
    for j in range(n_atoms):
        size = abs(code[j])
        if size < least or (size == least and room <= 0):
            code[j] = code.dtype.type(0)
        room -= np.int64(size == least)


@kernel
def _spare(start, stop, count, level, code, indices, values, shrunk, sizes):
    """Give the `count` largest entries back what shrinkage took; of equal ones the first."""
    for i in range(start, stop):
        sizes[i - start] = abs(values[i])
    least = _largest_of(sizes, stop - start, count)
    room = count
    for i in range(start, stop):
        room -= np.int64(abs(values[i]) > least)
    for i in range(start, stop):
        size = abs(values[i])
        if size > least or (size == least and room > 0):
            room -= np.int64(size == least)
            values[i] += level if values[i] > 0 else -level
            shrunk[i] = False
            code[indices[i]] = values[i]


@kernel
def _threshold(point, slope, step, level, rule, count, code, start, indices, values, slopes, shrunk, sizes, found):
    """``code = eta(point - step slope)``, dense and as entries from `start` on with their slopes; returns where they end.

    `count` is how many COUNT keeps, or how many SOFT leaves as they are; lists have room for one entry more than there are atoms.
    """
    n_atoms = code.shape[0]
    zero = code.dtype.type(0)
    if rule == SOFT:
        for j in range(n_atoms):
            moved = point[j] - step * slope[j]
            code[j] = moved - level if moved > level else (moved + level if moved < -level else zero)
    elif rule == HARD:
        for j in range(n_atoms):
            moved = point[j] - step * slope[j]
            code[j] = moved if moved > level or moved < -level else zero
    else:
        for j in range(n_atoms):
            code[j] = point[j] - step * slope[j]
        if count < n_atoms:
            _keep_largest(code, count, sizes)
    n = 0
    for j in range(n_atoms):  # without a branch, which would be guessed wrongly at every entry
        found[n] = j
        n += np.int64(code[j] != zero)
    for i in range(n):
        j = found[i]
        indices[start + i], values[start + i], slopes[start + i], shrunk[start + i] = j, code[j], slope[j], rule == SOFT
    stop = start + n
    if rule == SOFT and count > 0 and stop > start:
        _spare(start, stop, min(count, stop - start), level, code, indices, values, shrunk, sizes)
    return stop


@kernel
def _forward(correlation, products, layers, left, dense, found):
    """One signal through all layers; `dense` (5, n_atoms) has its code in row 0 in the end, `left` what `_backward` needs."""
    steps, levels, momenta, counts, rule, accelerated = layers
    starts, indices, values, slopes, shrunk, point_starts, point_indices, point_values, point_changes = left
    code, before, point, slope, sizes = dense[0], dense[1], dense[2], dense[3], dense[4]
    n_atoms = correlation.shape[0]
    zero = correlation.dtype.type(0)
    code[:] = zero
    before[:] = zero
    starts[0] = point_starts[0] = point_starts[1] = 0
    for k in range(steps.shape[0]):
        for j in range(n_atoms):
            slope[j] = -correlation[j]
        if k > 0 and accelerated:
            place, momentum = point_starts[k], momenta[k]
            for j in range(n_atoms):
                change = code[j] - before[j]
                point[j] = code[j] + momentum * change
                before[j], sizes[j] = code[j], change
                point_indices[place] = j
                place += np.int64((code[j] != zero) | (change != zero))
            for i in range(point_starts[k], place):
                j = point_indices[i]
                point_values[i], point_changes[i] = point[j], sizes[j]
            point_starts[k + 1] = place
            _add_rows(point_starts[k], place, point_indices, point_values, products, slope)
        else:
            for j in range(n_atoms):  # a copy: the threshold from an array into itself would not run on vectors
                point[j] = code[j]
            if k > 0:
                _add_rows(starts[k - 1], starts[k], indices, values, products, slope)
        starts[k + 1] = _threshold(
            point,
            slope,
            steps[k],
            levels[k],
            rule,
            counts[k],
            code,
            starts[k],
            indices,
            values,
            slopes,
            shrunk,
            sizes,
            found,
        )


@kernel
def _backward(back_products, layers, left, dense, out):
    """Add the derivatives of one signal to `out` (3, n_layers); row 0 of `dense` (5, n_atoms) holds those in its code."""
    steps, _, momenta, _, _, accelerated = layers
    starts, indices, values, slopes, shrunk, point_starts, point_indices, _, point_changes = left
    bar, carry, masked, pull, weights = dense[0], dense[1], dense[2], dense[3], dense[4]
    n_atoms = bar.shape[0]
    zero = bar.dtype.type(0)
    carry[:] = zero
    for k in range(steps.shape[0] - 1, -1, -1):
        start, stop = starts[k], starts[k + 1]
        by_step = by_level = 0.0
        masked[:] = zero
        for i in range(start, stop):
            weight = bar[indices[i]]
            masked[indices[i]] = weights[i - start] = weight
            by_step -= np.float64(weight) * slopes[i]
            if shrunk[i]:
                by_level -= weight if values[i] > zero else -weight
        out[0, k] += by_step
        out[1, k] += by_level
        if k == 0:
            return
        pull[:] = zero
        _add_rows(0, stop - start, indices[start:stop], weights, back_products, pull)
        for j in range(n_atoms):
            bar[j] = masked[j] - steps[k] * pull[j]
        if accelerated:
            by_momentum, momentum = 0.0, momenta[k]
            for i in range(point_starts[k], point_starts[k + 1]):
                by_momentum += np.float64(bar[point_indices[i]]) * point_changes[i]
            out[2, k] += by_momentum
            for j in range(n_atoms):
                slope = bar[j]
                bar[j] = slope + momentum * slope + carry[j]
                carry[j] = -momentum * slope


@kernel
def _room(n_layers, n_atoms, like, accelerated):
    """What a signal leaves behind in all layers (entries, and those of extrapolated points); memory that no code reaches is never touched."""
    size = n_layers * n_atoms + 1
    more = size if accelerated else 1
    return (
        np.zeros(n_layers + 1, np.int64),
        np.empty(size, np.int32),
        np.empty(size, like.dtype),
        np.empty(size, like.dtype),
        np.empty(size, np.bool_),
        np.zeros(n_layers + 1, np.int64),
        np.empty(more, np.int32),
        np.empty(more, like.dtype),
        np.empty(more, like.dtype),
    )


@kernel
def layer_codes(correlations, products, layers, dense, codes):
    """Codes (n_signals, n_atoms) of signals with these correlations ``x W'`` behind the last layer.

    `products` are ``D W'``; `layers` holds steps, levels, momenta and counts (n_layers,), the rule, and whether layers extrapolate. `dense`
    (5, n_atoms) is scratch memory; rows that start on cache lines are read in half the time.
    """
    n_signals, n_atoms = codes.shape
    left, found = _room(layers[0].shape[0], n_atoms, codes, layers[5]), np.empty(n_atoms + 1, np.int32)
    for s in range(n_signals):
        _forward(correlations[s], products, layers, left, dense, found)
        for j in range(n_atoms):
            codes[s, j] = dense[0, j]


@kernel
def _misfit_seed(correlation, gram, sq_norm, alpha, layers, left, dense):
    """``1/2 ||x - c D||^2`` and the penalty of a code, whose derivative takes its place in row 0 of `dense`."""
    starts, indices, values = left[0], left[1], left[2]
    rule, depth = layers[4], layers[0].shape[0]
    start, stop = starts[depth - 1], starts[depth]
    slope = dense[0]
    strength = slope.dtype.type(alpha)
    for j in range(slope.shape[0]):
        slope[j] = -correlation[j]
    _add_rows(start, stop, indices, values, gram, slope)
    loss = 0.5 * sq_norm
    for i in range(start, stop):
        j, value = indices[i], values[i]
        loss += 0.5 * value * (slope[j] - correlation[j])
        if rule == SOFT:
            loss += alpha * abs(value)
            slope[j] += strength if value > 0 else -strength
        elif rule == HARD:
            loss += alpha
    return loss


@kernel
def layer_slopes(correlations, products, back_products, layers, targets, gram, sq_norms, alpha, supervised, dense, out):
    """Add the derivatives of a block's loss to `out` (3, n_layers): in steps, thresholds and momenta. Returns the loss, summed.

    Supervised, `targets` are codes and the loss is the squared distance to them; otherwise `targets` are the correlations ``x D'``, and it is
    ``1/2 ||x - c D||^2`` and `alpha` times the l1 norm (HARD: the count; COUNT: nothing), from the Gram matrix of the atoms. `back_products` are the
    transpose of `products`; the rest is as in `layer_codes`.
    """
    n_signals, n_atoms = correlations.shape
    left = _room(layers[0].shape[0], n_atoms, correlations, layers[5])
    found = np.empty(n_atoms + 1, np.int32)
    loss, two = 0.0, correlations.dtype.type(2)
    for s in range(n_signals):
        _forward(correlations[s], products, layers, left, dense, found)
        if supervised:
            code = dense[0]
            for j in range(n_atoms):
                error = code[j] - targets[s, j]
                loss += np.float64(error) * error
                code[j] = two * error
        else:
            loss += _misfit_seed(targets[s], gram, sq_norms[s], alpha, layers, left, dense)
        _backward(back_products, layers, left, dense, out)
    return loss
