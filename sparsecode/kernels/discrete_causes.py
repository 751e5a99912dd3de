"""Posterior over the states of causes that add up, one signal after another.

    log p(y, s) = const + precision (sum_h s_h b_h - 1/2 sum_hl s_h s_l G_hl) + sum of the log odds of the active values

with b = W y and G = W W^T over the observed entries. The states are: no cause, one cause, and every row of a table of states with
several causes among the candidates of the signal. A row of the table adds the cause `unit` with the value `value` to the state
`parent` (-1: none), which stands before it.
"""

from __future__ import annotations

import numpy as np

from ._candidates import add_pairs, local_gram, mark, weigh_states
from ._compile import kernel

__all__ = ["discrete_posterior"]

_NEGLIGIBLE = 1e-18  # states below add nothing that double precision keeps


@kernel
def _joint_of_states(n, single, values, local, precision, candidates, parent, unit, value, joint):
    """Log joint of every state of the table, relative to the state without causes."""
    for s in range(parent.shape[0]):
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


@kernel
def _add_states(n, shares, mass, candidates, parent, unit, value, n_values, inclusion, together):
    """Add the probabilities of the states of the table to those of their causes, and of pairs of them."""
    together[:] = 0.0
    for s in range(parent.shape[0]):
        share = shares[s] / mass
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
    n_values, n_candidates = values.shape[0], candidates.shape[1]
    local = np.empty((n_candidates, n_candidates))
    single, joint = np.empty((n_units, n_values)), np.empty(parent.shape[0])
    together = np.empty((n_candidates * n_values, n_candidates * n_values))
    chosen = np.zeros(n_units, dtype=np.bool_)
    for n in range(n_signals):
        for h in range(n_units):
            for k in range(n_values):
                gain = dots[n, h] - 0.5 * values[k] * norms[n, h]
                single[h, k] = precision * values[k] * gain + log_odds[k]
        mark(n, candidates, chosen)
        local_gram(n, candidates, gram, atoms, observed, local)
        _joint_of_states(n, single, values, local, precision, candidates, parent, unit, value, joint)
        mass, evidence[n], winner, lonely = weigh_states(joint, single, chosen, joint, single)
        if weight[n] == 0.0:
            continue
        if best.shape[0] > 0:
            while winner >= 0:
                best[n, candidates[n, unit[winner]]] = value[winner] + 1
                winner = parent[winner]
            if lonely >= 0:
                best[n, lonely // n_values] = lonely % n_values + 1
        for h in range(n_units):
            if not chosen[h]:
                for k in range(n_values):
                    inclusion[n, h, k] = single[h, k] / mass
        _add_states(n, joint, mass, candidates, parent, unit, value, n_values, inclusion, together)
        add_pairs(n, candidates, together, observed, n_values, pairs)
