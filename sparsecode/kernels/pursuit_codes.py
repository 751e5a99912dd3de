"""Matching pursuit of a fixed number of steps on a Gram matrix, signal by signal, and the slopes of what is left through all its steps.

    j = argmax of what a step gains,     v = <d_j, r> / ||d_j||^2  (or -c_j, where c_j may not fall below zero),     c_j += v,     r -= v d_j

Backwards, with the choices held fixed, ``q = dL/dr`` after the last step and p the slope of the codes:

    dL/dv = p_j - <q, d_j>,     dL/dd_j += -v q + (dL/dv) r,     q += (dL/dv) d_j           (unit atoms)

A step that ends at zero passes ``<q, d_j>`` on to the earlier value of that coefficient instead.

Mallat and Zhang, "Matching pursuits with time-frequency dictionaries", 1993. Costa, Fel, Lubana, Tolooshams and Ba, "From flat to
hierarchical: extracting sparse representations with matching pursuit", 2025 (arXiv 2506.03093).
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["pursuit_slopes", "pursuit_steps"]


@kernel
def _best_lowering(chosen, count, correlation, code, best):
    """The used atom whose coefficient gains more by falling, at most to zero, than `best`; -1 if there is none."""
    found = -1
    for i in range(count):
        j = chosen[i]
        if correlation[j] < 0.0 and code[j] > 0.0:
            change = max(correlation[j], -code[j])
            gain = (2.0 * correlation[j] - change) * change
            if gain > best:
                best, found = gain, j
    return found


@kernel
def _largest(bits, mask):
    """Where masked bits are largest, -1 if nowhere positive: floats that are not negative order like them, and this vectorises."""
    best = mask * 0
    for j in range(bits.shape[0]):
        best = max(best, bits[j] & mask)
    if best > 0:
        for j in range(bits.shape[0]):
            if bits[j] & mask == best:
                return j
    return -1


@kernel
def pursuit_steps(gram, correlations, bits, mask, least, positive, chosen, changes, ends_at_zero, values):
    """Atoms and changes of every step of every signal; a signal of which no step gains more than `least` (n,) has no further ones.

    `correlations` (n, K) are those of signals with atoms of norm one, and become those of the residuals; `bits` is their memory read as
    integers, `mask` removes the sign unless coefficients are positive. chosen, changes, ends_at_zero and values (n, T): the atom of each step, -1 where there is none, what the
    step adds, and at its first step the final coefficient of each atom, 0 elsewhere.
    """
    n_signals, n_atoms = correlations.shape
    code = np.zeros(n_atoms, dtype=correlations.dtype)
    for s in range(n_signals):
        correlation, count = correlations[s], 0
        for t in range(chosen.shape[1]):
            j = _largest(bits[s], mask)
            best = correlation[j] ** 2 if j >= 0 else 0.0
            if positive:
                lowered = _best_lowering(chosen[s], count, correlation, code, best)
                if lowered >= 0:
                    j = lowered
            if j < 0:
                break
            change = correlation[j]
            if positive:
                change = max(change, -code[j])
            if not (2.0 * correlation[j] - change) * change > least[s]:
                break
            ends_at_zero[s, t] = change != correlation[j]
            chosen[s, t], changes[s, t] = j, change
            code[j] = 0.0 if ends_at_zero[s, t] else code[j] + change
            for i in range(n_atoms):
                correlation[i] -= change * gram[j, i]
            count += 1
        for t in range(count):
            values[s, t], code[chosen[s, t]] = code[chosen[s, t]], 0.0
        for t in range(count, chosen.shape[1]):
            chosen[s, t], changes[s, t], ends_at_zero[s, t], values[s, t] = -1, 0.0, False, 0.0


@kernel
def pursuit_slopes(decoder, chosen, changes, ends_at_zero, residuals, pull, code_slopes, decoder_slope):
    """Adds slopes of decoder and offset (the last row of decoder_slope, (K + 1, d)) of a loss of residuals and codes.

    `pull` (n, d) is the slope of the residuals after the last step, and becomes that of the signals; code_slopes (n, T) that of the final
    coefficient of the atom of step t, the same wherever an atom comes again, and is overwritten. `residuals` (n, d) are those after the
    last step, and become ``signals - offset``.
    """
    n_atoms, n_features = decoder.shape
    for s in range(chosen.shape[0]):
        residual, q, onward = residuals[s], pull[s], code_slopes[s]
        for t in range(chosen.shape[1] - 1, -1, -1):
            j, change = chosen[s, t], changes[s, t]
            if j < 0:
                continue
            product = q[0] * decoder[j, 0]
            for f in range(1, n_features):
                product += q[f] * decoder[j, f]
            if ends_at_zero[s, t]:
                for i in range(t):
                    if chosen[s, i] == j:
                        onward[i] = product
                slope = change * 0.0
            else:
                slope = onward[t] - product
            for f in range(n_features):
                residual[f] += change * decoder[j, f]
                decoder_slope[j, f] += slope * residual[f] - change * q[f]
                q[f] += slope * decoder[j, f]
        for f in range(n_features):
            decoder_slope[n_atoms, f] -= q[f]
