"""Hot loops of sparse autoencoders: selection, reconstruction from few atoms, gradients latent by latent, Adam on rows.

Only the encoder's product is dense; all else costs the entries of the codes. Sums over signals run latent by latent, on codes sorted so, which
needs no locks and gives the same bits for any number of threads.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel
from ._inner import LANES, inner

__all__ = [
    "adam_rows",
    "count_above",
    "fill_above",
    "reconstruct_rows",
    "sort_by_latent",
    "sum_rows",
    "tangent_rows",
    "top_rows",
]

_CHUNK = 16  # entries looked at together


@kernel
def _largest(values, count, k):
    """The k-th largest of the first `count` values, which are reordered."""
    low, high, place = 0, count - 1, k - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            break
    return values[place]


@kernel
def top_rows(products, bias, signed, words, sizes, indices, values, counts):
    """The largest entries of each row of ``products + bias``, as many as `indices` has columns, of those that are positive (not zero if `signed`).

    Ties go to the lowest place; places of a row ascend. `sizes` (m,) is scratch, and `words` the same memory as signed integers: numbers that are
    not negative are ordered like their bits, and the maximum of integers vectorises. Of chunks of a row, as many as entries are wanted
    have their maximum above the least entry wanted, so that few are looked at again.
    """
    n_rows, size = products.shape
    room = indices.shape[1]
    n_chunks = (size + _CHUNK - 1) // _CHUNK
    tops, ranked = np.empty(n_chunks, dtype=words.dtype), np.empty(n_chunks, dtype=words.dtype)
    found, places = np.empty(size, dtype=words.dtype), np.empty(size, dtype=np.int32)
    for s in range(n_rows):
        row = products[s]
        for j in range(size):
            sizes[j] = row[j] + bias[j]
        if signed:
            for j in range(size):
                sizes[j] = abs(sizes[j])
        whole = size // _CHUNK
        for g in range(whole):
            top = words[g * _CHUNK]
            for j in range(1, _CHUNK):
                top = max(top, words[g * _CHUNK + j])
            tops[g] = top
        if whole < n_chunks:
            top = words[whole * _CHUNK]
            for j in range(whole * _CHUNK, size):
                top = max(top, words[j])
            tops[whole] = top
        bound = words.dtype.type(1)  # the least positive number
        if room <= n_chunks:
            for g in range(n_chunks):
                ranked[g] = tops[g]
            bound = max(bound, _largest(ranked, n_chunks, room))
        filled = 0
        for g in range(n_chunks):
            if tops[g] >= bound:
                for j in range(g * _CHUNK, min((g + 1) * _CHUNK, size)):
                    if words[j] >= bound:
                        places[filled], found[filled] = j, words[j]
                        filled += 1
        least, ties = words.dtype.type(0), room
        if filled > room:
            least = _largest(found, filled, room)
        for i in range(filled):
            ties -= np.int64(words[places[i]] > least)
        count = 0
        for i in range(filled):
            j = places[i]
            if words[j] == least:
                ties -= 1
            if words[j] > least or (words[j] == least and ties >= 0):
                indices[s, count] = j
                values[s, count] = row[j] + bias[j]
                count += 1
        counts[s] = count


@kernel
def count_above(products, bias, low, counts):
    """How many entries of each row of ``products + bias`` are above `low`, (m,)."""
    for s in range(products.shape[0]):
        count = 0
        for j in range(products.shape[1]):
            count += products[s, j] + bias[j] > low[j]
        counts[s] = count


@kernel
def fill_above(products, bias, low, indptr, indices, values):
    """Those entries, as compressed rows."""
    for s in range(products.shape[0]):
        place = indptr[s]
        for j in range(products.shape[1]):
            value = products[s, j] + bias[j]
            if value > low[j]:
                indices[place], values[place] = j, value
                place += 1


@kernel
def reconstruct_rows(
    decoder, offset, target, indptr, indices, values, levels, weights, residual, errors, pulls, start, stop
):
    """Residuals of nested reconstructions of the signals from start to stop, what each level answers for, its product with the atoms.

    Returns twice the loss, summed; `errors` is (n_levels, n_signals, p). See `solvers.autoencoder.gradients`.
    """
    n_levels, _, size = errors.shape
    lanes = np.empty(LANES, dtype=decoder.dtype)
    total = 0.0
    for s in range(start, stop):
        for l in range(n_levels):
            errors[l, s, :] = 0
        first = errors[0, s]
        for f in range(size):
            first[f] = offset[f] - target[s, f]
        for i in range(indptr[s], indptr[s + 1]):
            value, atom, into = values[i], decoder[indices[i]], errors[levels[i], s]
            if value != 0:
                for f in range(size):
                    into[f] += value * atom[f]
        for l in range(n_levels):
            r = errors[l, s]
            if l > 0:
                before = errors[l - 1, s]
                for f in range(size):
                    r[f] += before[f]
            total += weights[l] * np.float64(inner(r, r, lanes))
        last = errors[n_levels - 1, s]
        for f in range(size):
            residual[s, f] = last[f]
        for l in range(n_levels - 1, -1, -1):
            r = errors[l, s]
            for f in range(size):
                r[f] *= weights[l]
            if l < n_levels - 1:
                above = errors[l + 1, s]
                for f in range(size):
                    r[f] += above[f]
        for i in range(indptr[s], indptr[s + 1]):
            pulls[i] = inner(errors[levels[i], s], decoder[indices[i]], lanes)
    return total


@kernel
def sort_by_latent(indptr, indices, starts, order, rows):
    """Entries of compressed rows, latent by latent: where each latent starts, and the entry and signal at each place."""
    starts[:] = 0
    for i in range(indices.shape[0]):
        starts[indices[i] + 1] += 1
    for j in range(starts.shape[0] - 1):
        starts[j + 1] += starts[j]
    fill = starts.copy()
    for s in range(indptr.shape[0] - 1):
        for i in range(indptr[s], indptr[s + 1]):
            place = fill[indices[i]]
            order[place], rows[place] = i, s
            fill[indices[i]] = place + 1


@kernel
def sum_rows(starts, order, rows, factors, levels, vectors, scale, out):
    """Add ``scale * sum of factors[i] vectors[level of i, signal of i]`` over the entries i of each latent of a block to its row of `out`."""
    size = vectors.shape[2]
    total = np.empty(size, dtype=out.dtype)
    for j in range(out.shape[0]):
        if starts[j] == starts[j + 1]:
            continue
        total[:] = 0
        for place in range(starts[j], starts[j + 1]):
            i = order[place]
            factor, vector = factors[i], vectors[levels[i], rows[place]]
            if factor != 0:
                for f in range(size):
                    total[f] += factor * vector[f]
        for f in range(size):
            out[j, f] += scale * total[f]


@kernel
def tangent_rows(gradient, atoms):
    """Take out of each row its part along the unit atom; returns the squared norm of what is left."""
    size = atoms.shape[1]
    lanes = np.empty(LANES, dtype=atoms.dtype)
    total = 0.0
    for j in range(atoms.shape[0]):
        along = inner(gradient[j], atoms[j], lanes)
        for f in range(size):
            gradient[j, f] -= along * atoms[j, f]
        total += np.float64(inner(gradient[j], gradient[j], lanes))
    return total


@kernel
def adam_rows(rows, mean, square, gradient, one, two, length, share, floor, unit):
    """A step of Adam (see `networks.Adam`) on each row, which is scaled to norm one afterwards where `unit`."""
    size = rows.shape[1]
    lanes = np.empty(LANES, dtype=rows.dtype)
    for j in range(rows.shape[0]):
        row, m, s, g = rows[j], mean[j], square[j], gradient[j]
        for f in range(size):
            m[f] += one * (g[f] - m[f])
            s[f] += two * (g[f] * g[f] - s[f])
            row[f] -= length * m[f] / (share * np.sqrt(s[f]) + floor)
        if unit:
            norm = np.sqrt(inner(row, row, lanes))
            if norm > 0:
                scale = 1 / norm
                for f in range(size):
                    row[f] *= scale
