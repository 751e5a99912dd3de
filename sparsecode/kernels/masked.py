"""Greedy pursuit of signals of which each has entries missing of its own: one step of all signals of a block.

With the observed entries of a signal as a mask m and ``w_j = m * d_j`` for the atoms d_j, orthogonal matching pursuit
selects the largest ``|<w_j, r>| / ||w_j||``, as if the signal were as short as what is seen of it. The correlations
``r D^T`` and the norms ``m (D * D)^T`` of a whole block are matrix products, made outside; what is left is here: the
choice, and Gram-Schmidt of the chosen columns among the observed entries.

    v = w_j - sum_q <q_q, w_j> q_q        q_t = v / ||v||        z_t = <q_t, r>        r -= z_t q_t
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["masked_coefficients", "masked_step"]


@kernel(borrows=True, inline=True)
def _inner(left, right):
    total = 0.0
    for f in range(left.shape[0]):
        total += left[f] * right[f]
    return total


@kernel(borrows=True)
def _best(scores, sq_norms, most, chosen, count):
    """Atom of the largest ``score^2 / norm^2`` that is not chosen yet; -1 if all are zero."""
    best, top = -1, 0.0
    for j in range(scores.shape[0]):
        if sq_norms[j] > 1e-12 * most[j] and scores[j] * scores[j] > top * sq_norms[j]:
            taken = False
            for q in range(count):
                taken |= chosen[q] == j
            if not taken:
                best, top = j, scores[j] * scores[j] / sq_norms[j]
    return best


@kernel
def masked_step(atoms, atom_sq_norms, observed, sq_norms, scores, residuals, limits, found):
    """Give every signal of a block that can use one its next atom.

    Parameters
    ----------
    atoms : array of shape (K, d)
        The dictionary; `atom_sq_norms` (K,) are its squared norms.
    observed : array of shape (B, d)
        1 where a signal is observed, 0 elsewhere.
    sq_norms : array of shape (B, K)
        Squared norms of the observed parts of the atoms.
    scores : array of shape (B, K)
        Correlations of atoms and residuals; used up.
    residuals : array of shape (B, d)
        What is left of the signals, zero where they are not observed; changed.
    limits : array of shape (B,)
        Squared size of a correlation with a unit column that is rounding error.
    found : tuple (indices (B, k), counts (B,), directions (B, k, d), factors (B, k, k), projections (B, k))
        What is known of the codes; the q-th atom is row q of a lower triangular factor times the directions.
    """
    indices, counts, directions, factors, projections = found
    n_signals, n_features = residuals.shape
    for p in range(n_signals):
        t = counts[p]
        while True:
            j = _best(scores[p], sq_norms[p], atom_sq_norms, indices[p], t)
            if j < 0 or scores[p, j] * scores[p, j] <= limits[p] * sq_norms[p, j]:
                break
            v = directions[p, t]
            for f in range(n_features):
                v[f] = observed[p, f] * atoms[j, f]
            for q in range(t):
                factors[p, t, q] = _inner(directions[p, q], v)
                for f in range(n_features):
                    v[f] -= factors[p, t, q] * directions[p, q, f]
            left = _inner(v, v)
            if left <= 1e-10 * sq_norms[p, j]:  # in the span of those that are chosen: the next best may do
                scores[p, j] = 0.0
                continue
            size = np.sqrt(left)
            for f in range(n_features):
                v[f] /= size
            z = _inner(v, residuals[p])
            for f in range(n_features):
                residuals[p, f] -= z * v[f]
            indices[p, t], factors[p, t, t], projections[p, t] = j, size, z
            counts[p] = t + 1
            break


@kernel
def masked_coefficients(counts, factors, projections, values):
    """Solve ``L^T values = projections`` for every signal of a block."""
    for p in range(counts.shape[0]):
        for i in range(counts[p] - 1, -1, -1):
            value = projections[p, i]
            for q in range(i + 1, counts[p]):
                value -= factors[p, q, i] * values[p, q]
            values[p, i] = value / factors[p, i, i]
