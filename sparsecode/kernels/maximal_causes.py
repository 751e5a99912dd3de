"""Posterior over the states of causes of which the largest shows, one signal after another.

    log p(y, s) = const + precision sum_d (y_d m_d - 1/2 m_d^2) + |s| log_odds,    m_d = max over active h of W_hd

or, by magnitude, m_d = the W_hd of largest modulus. The states and the table of those with several causes are those of
`discrete_causes`. An update of W needs, for each entry, how much each active cause answers for it: all that shows (ties in equal
shares), or a share of ``sharp_hd / sum of sharp_ld over the active l``.
"""

from __future__ import annotations

import numpy as np

from ._candidates import mark, weigh_states
from ._compile import kernel

__all__ = ["maximal_posterior"]

_NEGLIGIBLE = 1e-18  # states below add nothing that double precision keeps


@kernel
def _add_state(signals, n, atoms, sharp, observed, magnitude, members, n_members, share, numerator, denominator, mean):
    """Add what one state with the probability `share` says of the atoms of its members, and its signal to the mean."""
    for d in range(atoms.shape[1]):
        top, shown = -1.0, 0.0
        for m in range(n_members):
            entry = atoms[members[m], d]
            size = abs(entry) if magnitude else entry
            if size > top:
                top, shown = size, entry
        if mean.shape[0] > 0:
            mean[n, d] += share * shown
        if numerator.shape[0] == 0 or (observed.shape[0] > 0 and not observed[n, d]):
            continue
        total = 0.0
        for m in range(n_members):
            total += sharp[members[m], d] if sharp.shape[0] > 0 else 0.0
        soft = total > 0.0  # if not, all members lie far below other causes
        if not soft:
            for m in range(n_members):
                entry = atoms[members[m], d]
                if (abs(entry) if magnitude else entry) == top:
                    total += 1.0
        for m in range(n_members):
            entry = atoms[members[m], d]
            if soft:
                part = sharp[members[m], d] / total
            else:
                part = 1.0 / total if (abs(entry) if magnitude else entry) == top else 0.0
            if part > 0.0:
                numerator[members[m], d] += share * part * signals[n, d]
                denominator[members[m], d] += share * part


@kernel
def _joint_of_states(
    signals, n, atoms, observed, magnitude, log_odds, precision, candidates, parent, unit, depth, level, joint
):
    """Log joint of every state of the table, relative to the state without causes."""
    for s in range(parent.shape[0]):
        row, m = candidates[n, unit[s]], depth[s]
        gain = 0.0
        for d in range(atoms.shape[1]):
            entry = atoms[row, d]
            if m > 1:
                before = level[m - 1, d]
                if (abs(before) >= abs(entry)) if magnitude else (before >= entry):
                    entry = before
            level[m, d] = entry
            if observed.shape[0] == 0 or observed[n, d]:
                gain += entry * (signals[n, d] - 0.5 * entry)
        joint[s] = precision * gain + m * log_odds


@kernel
def maximal_posterior(
    signals,
    atoms,
    sharp,
    observed,
    magnitude,
    single,
    log_odds,
    precision,
    candidates,
    parent,
    unit,
    depth,
    weight,
    evidence,
    inclusion,
    gain,
    numerator,
    denominator,
    mean,
    best,
):
    """Evidence relative to the state without causes, probabilities of the causes, and sums for an update of the atoms.

    `single` (n, H) holds the log joints of single causes. Signals of weight zero get their evidence alone. `gain` becomes the
    expected log likelihood relative to that of no cause. Sums, the mean signals and the likeliest states are left out where
    their arrays have no rows; `sharp` without rows gives each entry to the cause that shows.
    """
    n_signals, n_units = single.shape
    n_states = parent.shape[0]
    most = 0
    for s in range(n_states):
        most = max(most, depth[s])
    level = np.empty((most + 1, atoms.shape[1]))
    joint, members = np.empty(n_states), np.empty(max(most, 1), dtype=np.int64)
    shares, alone = np.empty(n_states), np.empty((n_units, 1))
    chosen = np.zeros(n_units, dtype=np.bool_)
    for n in range(n_signals):
        mark(n, candidates, chosen)
        _joint_of_states(
            signals, n, atoms, observed, magnitude, log_odds, precision, candidates, parent, unit, depth, level, joint
        )
        mass, evidence[n], winner, lonely = weigh_states(joint, single[n].reshape(n_units, 1), chosen, shares, alone)
        if weight[n] == 0.0:
            continue
        if best.shape[0] > 0:
            while winner >= 0:
                best[n, candidates[n, unit[winner]]] = 1.0
                winner = parent[winner]
            if lonely >= 0:
                best[n, lonely] = 1.0
        total = 0.0
        for h in range(n_units):
            share = 0.0 if chosen[h] else alone[h, 0] / mass
            if share >= _NEGLIGIBLE:
                inclusion[n, h] += share
                total += share * (single[n, h] - log_odds)
                members[0] = h
                _add_state(
                    signals, n, atoms, sharp, observed, magnitude, members, 1, share, numerator, denominator, mean
                )
        for s in range(n_states):
            share = shares[s] / mass
            if share >= _NEGLIGIBLE:
                total += share * (joint[s] - depth[s] * log_odds)
                t, m = s, 0
                while t >= 0:
                    members[m] = candidates[n, unit[t]]
                    inclusion[n, members[m]] += share
                    t, m = parent[t], m + 1
                _add_state(
                    signals, n, atoms, sharp, observed, magnitude, members, m, share, numerator, denominator, mean
                )
        gain[n] = total
