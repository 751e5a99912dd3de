"""Posterior over the states of causes with Gaussian amplitudes, one signal after another.

    y = sum over active h of z_h W_h + noise,    z ~ N(mean, covariance)

For the active causes S, with b = W y and G = W W^T over the observed entries, covariance_S = P P^T and one over the noise variance
as `precision`, everything follows from ``A = I + precision P^T G_SS P`` and ``t = precision P^T (b_S - G_SS mean_S)``:

    log p(y | S) - log p(y | none) = precision (mean_S b_S - 1/2 mean_S^T G_SS mean_S) + 1/2 t^T A^-1 t - 1/2 log det A
    z_S | S, y ~ N(mean_S + P A^-1 t,  P A^-1 P^T)

which stays exact as the covariance becomes singular or zero. The table of states is that of `discrete_causes`.
"""

from __future__ import annotations

import numpy as np

from ._candidates import add_pairs, local_gram, mark, weigh_states
from ._compile import kernel

__all__ = ["slab_posterior"]

_NEGLIGIBLE = 1e-18  # states below add nothing that double precision keeps


@kernel
def _factor(matrix, size):
    """Lower Cholesky factor of the leading block, in place; a pivot that rounding made negative counts as zero."""
    for i in range(size):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i == j:
                matrix[i, i] = np.sqrt(max(total, 0.0))
            else:
                matrix[i, j] = total / matrix[j, j] if matrix[j, j] > 0.0 else 0.0


@kernel
def _solve_state(members, size, dots, rows, local, mean, covariance, precision, root, factor, pull, whitened):
    """Factors P and L (A = L L^T), t and L^-1 t of one state; returns its log evidence against no cause.

    `members` are places among the candidates, `rows` the causes at these places, `dots` their products with the signal.
    """
    for i in range(size):
        for j in range(i + 1):
            root[i, j] = covariance[rows[members[i]], rows[members[j]]]
    _factor(root, size)
    gain = 0.0
    for i in range(size):
        inner = 0.0
        for j in range(size):
            inner += local[members[i], members[j]] * mean[rows[members[j]]]
        gain += mean[rows[members[i]]] * (dots[rows[members[i]]] - 0.5 * inner)
        whitened[i] = dots[rows[members[i]]] - inner
    for i in range(size):
        total = 0.0
        for j in range(i, size):
            total += root[j, i] * whitened[j]
        pull[i] = precision * total
    for i in range(size):
        for j in range(i + 1):
            total = 0.0
            for k in range(i, size):
                inner = 0.0
                for m in range(j, size):
                    inner += local[members[k], members[m]] * root[m, j]
                total += root[k, i] * inner
            factor[i, j] = precision * total
        factor[i, i] += 1.0
    _factor(factor, size)
    score = precision * gain
    for i in range(size):
        total = pull[i]
        for j in range(i):
            total -= factor[i, j] * whitened[j]
        whitened[i] = total / factor[i, i]
        score += 0.5 * whitened[i] * whitened[i] - np.log(factor[i, i])
    return score


@kernel
def _state_moments(members, size, rows, mean, root, factor, whitened, solved, center, spread):
    """A^-1 t, the mean of the amplitudes of a state, and their covariance, from what `_solve_state` left."""
    for i in range(size - 1, -1, -1):
        total = whitened[i]
        for j in range(i + 1, size):
            total -= factor[j, i] * solved[j]
        solved[i] = total / factor[i, i]
    for i in range(size):
        total = mean[rows[members[i]]]
        for j in range(i + 1):
            total += root[i, j] * solved[j]
        center[i] = total
    for column in range(size):  # spread[:, column] = L^-1 (row `column` of P)
        for i in range(size):
            total = root[column, i] if i <= column else 0.0
            for j in range(i):
                total -= factor[i, j] * spread[j, column]
            spread[i, column] = total / factor[i, i]


@kernel
def _dual_moments(members, size, dots, rows, local, covariance, precision, center, dual, dual_spread):
    """``covariance_S^-1 (mean of the state - mean_S)``, and ``covariance_S^-1 (P A^-1 P^T - covariance_S) covariance_S^-1``.

    Nothing is divided by the covariance, which may be singular: the first is ``precision (b_S - G_SS mean of the state)``, and with
    ``precision G_SS = R R^T`` the second is ``-R (I + R^T covariance_S R)^-1 R^T``.
    """
    root, inner = np.zeros((size, size)), np.empty((size, size))
    for i in range(size):
        total = dots[rows[members[i]]]
        for j in range(size):
            total -= local[members[i], members[j]] * center[j]
            if j <= i:
                root[i, j] = precision * local[members[i], members[j]]
        dual[i] = precision * total
    _factor(root, size)
    for i in range(size):
        for j in range(i + 1):
            total = 1.0 if i == j else 0.0
            for k in range(i, size):
                for m in range(j, size):
                    total += root[k, i] * covariance[rows[members[k]], rows[members[m]]] * root[m, j]
            inner[i, j] = total
    _factor(inner, size)
    solved = np.empty((size, size))  # L^-1 R^T, with the factor L of what is inverted
    for column in range(size):
        for i in range(size):
            total = root[column, i]
            for j in range(i):
                total -= inner[i, j] * solved[j, column]
            solved[i, column] = total / inner[i, i]
    for i in range(size):
        for j in range(size):
            total = 0.0
            for k in range(size):
                total -= solved[k, i] * solved[k, j]
            dual_spread[i, j] = total


@kernel
def _members_of(state, parent, unit, members):
    """Write the places of the active candidates of a state; returns how many they are."""
    size = 0
    while state >= 0:
        members[size] = unit[state]
        state, size = parent[state], size + 1
    return size


@kernel
def _add_singles(n, chosen, alone, mass, single_mean, single_variance, dots, atoms, observed, model, sums):
    """Add the moments of the causes on their own, those that are not `chosen`."""
    _, covariance, precision = model
    inclusion, amplitude, square, dual_mean, dual_second = sums
    for h in range(chosen.shape[0]):
        share = 0.0 if chosen[h] else alone[h, 0] / mass
        if share < _NEGLIGIBLE:
            continue
        mean = single_mean[n, h]
        inclusion[n, h] += share
        amplitude[n, h] += share * mean
        square[n, h] += share * (mean**2 + single_variance[n, h])
        if dual_mean.shape[0] > 0:
            size = 0.0  # as in _dual_moments
            for d in range(atoms.shape[1]):
                if observed.shape[0] == 0 or observed[n, d]:
                    size += atoms[h, d] ** 2
            shift = precision * (dots[n, h] - size * mean)
            dual_mean[h] += share * shift
            change = precision * size / (1.0 + precision * size * covariance[h, h])
            dual_second[h, h] += share * (shift * shift - change)


@kernel
def _add_state(n, share, members, size, rows, center, spread, inclusion, amplitude, square, together):
    """Add the moments of a state of the table, those of pairs to `together`."""
    for i in range(size):
        h = rows[members[i]]
        inclusion[n, h] += share
        amplitude[n, h] += share * center[i]
        for j in range(i + 1):
            total = center[i] * center[j]
            for k in range(size):
                total += spread[k, i] * spread[k, j]
            if i == j:
                square[n, h] += share * total
            else:
                together[members[j], members[i]] += share * total


@kernel
def _add_duals(share, members, size, rows, dual, dual_spread, dual_mean, dual_second):
    """Add what `_dual_moments` left of a state."""
    for i in range(size):
        dual_mean[rows[members[i]]] += share * dual[i]
        for j in range(size):
            dual_second[rows[members[i]], rows[members[j]]] += share * (dual[i] * dual[j] + dual_spread[i, j])


@kernel
def _score_states(
    rows, dots, parent, unit, log_odds, local, mean, covariance, precision, members, root, factor, pull, whitened, joint
):
    """Log joints of the states of the table for one signal, relative to that without causes."""
    for s in range(joint.shape[0]):
        size = _members_of(s, parent, unit, members)
        joint[s] = size * log_odds + _solve_state(
            members, size, dots, rows, local, mean, covariance, precision, root, factor, pull, whitened
        )


@kernel
def _add_states(
    n,
    rows,
    shares,
    mass,
    winner,
    dots,
    parent,
    unit,
    local,
    mean,
    covariance,
    precision,
    members,
    root,
    factor,
    pull,
    whitened,
    spread,
    dual_spread,
    solved,
    center,
    dual,
    inclusion,
    amplitude,
    square,
    dual_mean,
    dual_second,
    together,
    best,
):
    """Add the moments of the states of the table that count, and keep the mean of the likeliest."""
    for s in range(shares.shape[0]):
        share = shares[s] / mass
        if share < _NEGLIGIBLE:
            continue
        size = _members_of(s, parent, unit, members)
        _solve_state(members, size, dots, rows, local, mean, covariance, precision, root, factor, pull, whitened)
        _state_moments(members, size, rows, mean, root, factor, whitened, solved, center, spread)
        _add_state(n, share, members, size, rows, center, spread, inclusion, amplitude, square, together)
        if best.shape[0] > 0 and s == winner:
            for i in range(size):
                best[n, rows[members[i]]] = center[i]
        if dual_mean.shape[0] > 0:
            _dual_moments(members, size, dots, rows, local, covariance, precision, center, dual, dual_spread)
            _add_duals(share, members, size, rows, dual, dual_spread, dual_mean, dual_second)


@kernel
def slab_posterior(
    dots,
    gram,
    atoms,
    observed,
    mean,
    covariance,
    single,
    single_mean,
    single_variance,
    log_odds,
    precision,
    candidates,
    parent,
    unit,
    depth,
    weight,
    evidence,
    inclusion,
    amplitude,
    square,
    pairs,
    dual_mean,
    dual_second,
    best,
):
    """Evidence relative to the state without causes, and moments of activity times amplitude.

    `single` (n, H) holds the log joints of single causes, `single_mean` and `single_variance` their amplitudes. Signals of weight
    zero get their evidence alone. `pairs` (1 or n_features, H, H) collects sums over signals of the second moments, each pair once;
    `dual_mean` (H,) and `dual_second` (H, H) what a full covariance needs; `best` the likeliest state with its mean amplitudes.
    Arrays without rows are left out.
    """
    n_signals, n_units = single.shape
    n_candidates, n_states = candidates.shape[1], parent.shape[0]
    most = 1
    for s in range(n_states):
        most = max(most, depth[s])
    local, together = np.empty((n_candidates, n_candidates)), np.empty((n_candidates, n_candidates))
    joint, shares, alone = np.empty(n_states), np.empty(n_states), np.empty((n_units, 1))
    members, root, factor = np.empty(most, dtype=np.int64), np.empty((most, most)), np.empty((most, most))
    spread, dual_spread = np.empty((most, most)), np.empty((most, most))
    pull, whitened = np.empty(most), np.empty(most)
    solved, center, dual = np.empty(most), np.empty(most), np.empty(most)
    solving, moments = (members, root, factor, pull, whitened), (spread, dual_spread, solved, center, dual)
    table, model = (parent, unit), (mean, covariance, precision)
    sums = inclusion, amplitude, square, dual_mean, dual_second
    chosen = np.zeros(n_units, dtype=np.bool_)
    for n in range(n_signals):
        rows = candidates[n]
        mark(n, candidates, chosen)
        local_gram(n, candidates, gram, atoms, observed, local)
        _score_states(rows, dots[n], *table, log_odds, local, *model, *solving, joint)
        mass, evidence[n], winner, lonely = weigh_states(joint, single[n].reshape(n_units, 1), chosen, shares, alone)
        if weight[n] == 0.0:
            continue
        if lonely >= 0 and best.shape[0] > 0:
            best[n, lonely] = single_mean[n, lonely]
        _add_singles(n, chosen, alone, mass, single_mean, single_variance, dots, atoms, observed, model, sums)
        together[:] = 0.0
        _add_states(
            n, rows, shares, mass, winner, dots[n], *table, local, *model, *solving, *moments, *sums, together, best
        )
        add_pairs(n, candidates, together, observed, 1, pairs)
