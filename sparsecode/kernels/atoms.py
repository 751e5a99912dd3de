"""Updates of a dictionary from the sufficient statistics of its codes.

    statistics    A = Z^T Z  (K, K),   B = Z^T X  (K, d)        for codes Z (n, K) of signals X (n, d)
    surrogate     1/2 tr(A D D^T) - tr(B D^T)                   over atoms d_j with ||d_j|| <= 1

Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", 2010 (arXiv 0908.0050).
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["accumulate", "sweep"]

_TINY = 1e-290  # energies so small have lost their digits


@kernel
def accumulate(code_gram, code_signal, signals, indptr, indices, values):
    """Add ``Z^T Z`` and ``Z^T X`` of codes in compressed rows to the two statistics."""
    n_signals, n_features = signals.shape
    for s in range(n_signals):
        for i in range(indptr[s], indptr[s + 1]):
            j, value = indices[i], values[i]
            for m in range(indptr[s], indptr[s + 1]):
                code_gram[j, indices[m]] += value * values[m]
            for f in range(n_features):
                code_signal[j, f] += value * signals[s, f]


@kernel
def sweep(atoms, code_gram, code_signal, positive, least):
    """Minimise the surrogate over one atom after another, in place; atoms with ``A_jj <= least max_i |A_ji|`` stay.

    Returns ``sqrt(sum_j A_jj ||move of d_j||^2 / sum_j A_jj)``: how far the atoms moved, weighted by the energy they carry.
    """
    n_atoms, n_features = atoms.shape
    new = np.empty(n_features)
    energy = moved_energy = 0.0
    for j in range(n_atoms):
        weight = code_gram[j, j]
        beside = _TINY
        for i in range(n_atoms):
            beside = max(beside, least * abs(code_gram[j, i]))
        if not weight > beside:
            continue
        for f in range(n_features):
            new[f] = code_signal[j, f]
        i = 0
        while i + 4 <= n_atoms:
            a, b, c, d = code_gram[j, i], code_gram[j, i + 1], code_gram[j, i + 2], code_gram[j, i + 3]
            for f in range(n_features):
                new[f] -= (a * atoms[i, f] + b * atoms[i + 1, f]) + (c * atoms[i + 2, f] + d * atoms[i + 3, f])
            i += 4
        while i < n_atoms:
            a = code_gram[j, i]
            for f in range(n_features):
                new[f] -= a * atoms[i, f]
            i += 1
        total = 0.0
        for f in range(n_features):
            new[f] = new[f] / weight + atoms[j, f]
            if positive and new[f] < 0.0:
                new[f] = 0.0
            total += new[f] * new[f]
        shrink = 1.0 / np.sqrt(total) if total > 1.0 else 1.0
        moved = 0.0
        for f in range(n_features):
            value = shrink * new[f]
            moved += (value - atoms[j, f]) ** 2
            atoms[j, f] = value
        energy += weight
        moved_energy += weight * moved
    return np.sqrt(moved_energy / energy) if energy > 0.0 else 0.0
