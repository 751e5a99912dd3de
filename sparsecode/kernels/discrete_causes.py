"""Posterior over the states of causes that add up, one signal after another.

    log p(y, s) = const + precision (sum_h s_h b_h - 1/2 sum_hl s_h s_l G_hl) + sum of the log odds of the active values

with b = W y and G = W W^T over the observed entries. The states are: no cause, one cause, and every row of a table of states with
several causes among the candidates of the signal. A row of the table adds the cause `unit` with the value `value` to the state
`parent` (-1: none), which stands before it.
"""

from __future__ import annotations

import numpy as np

from ._candidates import local_gram
from ._compile import kernel

__all__ = ["discrete_posterior"]

_NEGLIGIBLE = 1e-18  # states below add nothing that double precision keeps


@kernel
def discrete_posterior(
    dots,
    norms,
    gram,
    atoms,
    observed,
    values,
    log_odds,
    precision,
    candidates,
    parent,
    unit,
    value,
    weight,
    evidence,
    inclusion,
    pairs,
    best,
):
    """Evidence relative to the state without causes, probabilities of the values of each cause, and of pairs of them.

    Signals of weight zero get their evidence alone. `pairs` (1 or n_features, H K, H K) collects the sums over signals below its
    diagonal's blocks and above, each pair once; with no rows it is left out, and so is `best` (n, H), the likeliest state.
    """
    n_signals, n_units = dots.shape
    n_values, n_candidates, n_states = values.shape[0], candidates.shape[1], parent.shape[0]
    local = np.empty((n_candidates, n_candidates))
    single = np.empty((n_units, n_values))
    joint = np.empty(n_states)
    together = np.empty((n_candidates * n_values, n_candidates * n_values))
    chosen = np.zeros(n_units, dtype=np.bool_)
    for n in range(n_signals):
        for h in range(n_units):
            chosen[h] = False
            for k in range(n_values):
                gain = dots[n, h] - 0.5 * values[k] * norms[n, h]
                single[h, k] = precision * values[k] * gain + log_odds[k]
        for i in range(n_candidates):
            chosen[candidates[n, i]] = True
        local_gram(n, candidates, gram, atoms, observed, local)
        top, winner, lonely = 0.0, -1, -1
        for s in range(n_states):
            i, k, t = unit[s], value[s], parent[s]
            total = single[candidates[n, i], k]
            if t >= 0:
                total += joint[t]
                crossed = 0.0
                while t >= 0:
                    crossed += values[value[t]] * local[i, unit[t]]
                    t = parent[t]
                total -= precision * values[k] * crossed
            joint[s] = total
            if total > top:
                top, winner = total, s
        for h in range(n_units):
            if not chosen[h]:
                for k in range(n_values):
                    if single[h, k] > top:
                        top, winner, lonely = single[h, k], -1, h * n_values + k
        mass = np.exp(-top)
        for s in range(n_states):
            joint[s] = np.exp(joint[s] - top)
            mass += joint[s]
        for h in range(n_units):
            if not chosen[h]:
                for k in range(n_values):
                    single[h, k] = np.exp(single[h, k] - top)
                    mass += single[h, k]
        evidence[n] = top + np.log(mass)
        if weight[n] == 0.0:
            continue
        if best.shape[0] > 0:
            if winner >= 0:
                while winner >= 0:
                    best[n, candidates[n, unit[winner]]] = value[winner] + 1
                    winner = parent[winner]
            elif lonely >= 0:
                best[n, lonely // n_values] = lonely % n_values + 1
        for h in range(n_units):
            if not chosen[h]:
                for k in range(n_values):
                    inclusion[n, h, k] = single[h, k] / mass
        together[:] = 0.0
        for s in range(n_states):
            share = joint[s] / mass
            if share < _NEGLIGIBLE:
                continue
            t = s
            while t >= 0:
                inclusion[n, candidates[n, unit[t]], value[t]] += share
                first = unit[t] * n_values + value[t]
                r = parent[t]
                while r >= 0:
                    together[first, unit[r] * n_values + value[r]] += share
                    r = parent[r]
                t = parent[t]
        for p in range(pairs.shape[0]):
            if observed.shape[0] == 0 or observed[n, p]:
                for i in range(n_candidates):
                    for j in range(i):  # the unit of a parent has the lower place
                        for k in range(n_values):
                            row = candidates[n, i] * n_values + k
                            for m in range(n_values):
                                column = candidates[n, j] * n_values + m
                                pairs[p, row, column] += together[i * n_values + k, j * n_values + m]
