"""What the posteriors of all models of causes share: the candidates of a signal, the weights of its states, sums over pairs of causes."""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["add_pairs", "local_gram", "mark", "weigh_states"]


@kernel
def mark(signal, candidates, chosen):
    """Which causes (H,) are candidates of a signal."""
    chosen[:] = False
    for i in range(candidates.shape[1]):
        chosen[candidates[signal, i]] = True


@kernel
def local_gram(signal, candidates, gram, atoms, observed, local):
    """Products of the atoms of the candidates over what is observed."""
    for i in range(candidates.shape[1]):
        for j in range(i + 1):
            first, second = candidates[signal, i], candidates[signal, j]
            if observed.shape[0] == 0:
                total = gram[first, second]
            else:
                total = 0.0
                for d in range(atoms.shape[1]):
                    if observed[signal, d]:
                        total += atoms[first, d] * atoms[second, d]
            local[i, j] = local[j, i] = total


@kernel
def weigh_states(joint, single, chosen, shares, alone):
    """From log joints relative to the state without causes to weights, not normalised, which may take their place.

    `joint` (n_states,) belongs to the states of a table, `single` (H, K) to causes on their own, of which those that are not `chosen`
    count; `shares` and `alone` become their weights. Returns the sum of all weights, the log evidence, and which state is the likeliest: the row
    in the table, or the cause on its own (times K, plus the place of its value); both -1 for none.
    """
    top, winner, lonely = 0.0, -1, -1
    for s in range(joint.shape[0]):
        if joint[s] > top:
            top, winner = joint[s], s
    for h in range(single.shape[0]):
        if not chosen[h]:
            for k in range(single.shape[1]):
                if single[h, k] > top:
                    top, winner, lonely = single[h, k], -1, h * single.shape[1] + k
    mass = np.exp(-top)
    for s in range(joint.shape[0]):
        shares[s] = np.exp(joint[s] - top)
        mass += shares[s]
    for h in range(single.shape[0]):
        if not chosen[h]:
            for k in range(single.shape[1]):
                alone[h, k] = np.exp(single[h, k] - top)
                mass += alone[h, k]
    return mass, top + np.log(mass), winner, lonely


@kernel
def add_pairs(signal, candidates, together, observed, n_values, pairs):
    """Add what a signal says of pairs of candidates, with K values each, to the sums over signals of all features, or of those observed."""
    for p in range(pairs.shape[0]):
        if observed.shape[0] == 0 or observed[signal, p]:
            for i in range(candidates.shape[1]):
                for j in range(i):  # the unit of a parent has the lower place
                    for k in range(n_values):
                        row = candidates[signal, i] * n_values + k
                        for m in range(n_values):
                            column = candidates[signal, j] * n_values + m
                            pairs[p, row, column] += together[i * n_values + k, j * n_values + m]
