"""Codes of many signals under a separable penalty on one Gram matrix, one signal after another.

    min_c  1/2 ||x - c D||^2 + sum_j w_j penalty(c_j)        given  gram = D D^T,  correlation = D x

With the others held, a coefficient is best at ``T_j(c) = prox(c_j + q_j / g_j)`` for a step of ``w_j / g_j``; g_j is the squared norm of
atom j and q = D (x - c D). Both dynamics end where ``T(c) = c``: no coefficient alone can lower the objective, however far
it jumps.

* `descent_codes`: from zero, the coefficient moves whose move is longest in the signal's space, then those in use settle among
  themselves, and so on; each move is a minimisation, so the objective never rises.
* `competition_codes`: a potential for each atom is driven by what the others leave of the signal; what exceeds its threshold, the prox,
  is the code. Where a threshold that jumps keeps neurons oscillating, the moves of the descent end it. Rozell, Johnson,
  Baraniuk and Olshausen, "Sparse coding via thresholding and local competition in neural circuits", 2008.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel, prox

__all__ = ["competition_codes", "descent_codes", "silent_ranges"]

_COARSE = 0.1  # of the move before: settled well enough to choose the next
_SWEEPS = 10  # among the atoms in use, before the next one is chosen
_REFRESH = 32  # moves after which correlations are computed afresh: what is added up has rounding
_CHECK = 10  # steps of the competition between two looks at what is left to gain


@kernel
def _edge(penalty, sign, step):
    """The largest v >= 0 found with ``prox(sign v) = 0``: a prox is monotone, so all below it are mapped to zero too."""
    zero = 1.0
    while zero < 1e300 and prox(penalty, sign * zero, step) == 0.0:
        zero *= 2.0
    if zero >= 1e300:
        return np.inf
    while prox(penalty, sign * zero, step) != 0.0:
        zero *= 0.5
        if zero < 1e-300:
            return 0.0
    beyond = 2.0 * zero
    for _ in range(60):
        middle = 0.5 * (zero + beyond)
        if prox(penalty, sign * middle, step) == 0.0:
            zero = middle
        else:
            beyond = middle
    return zero


@kernel
def silent_ranges(gram, steps, penalty, ranges):
    """For each atom, the pulls from ``ranges[0]`` to ``ranges[1]`` (2, K) that leave a coefficient at zero: known once, they spare the prox."""
    known, least, most = -1.0, 0.0, 0.0
    for j in range(gram.shape[0]):
        if gram[j, j] > 0.0:
            if steps[j] != known:
                known = steps[j]
                least, most = -_edge(penalty, -1.0, known), _edge(penalty, 1.0, known)
            ranges[0, j], ranges[1, j] = least, most
        else:
            ranges[0, j], ranges[1, j] = -np.inf, np.inf


@kernel
def _remaining(gram, corr, code, out):
    """``out = corr - gram @ code``."""
    for j in range(out.shape[0]):
        out[j] = corr[j]
    for i in range(out.shape[0]):
        if code[i] != 0.0:
            _subtract(out, code[i], gram[i])


@kernel
def _subtract(out, change, row):
    for m in range(out.shape[0]):
        out[m] -= change * row[m]


@kernel
def _objector(gram, steps, penalty, ranges, code, cor):
    """The coefficient whose move would change the fit most, by ``g_j (T_j - c_j)^2``, where it goes, and the largest ``g_j |T_j - c_j|``."""
    chosen, longest, worst, goal = np.int64(-1), 0.0, 0.0, 0.0
    for j in range(code.shape[0]):
        curvature = gram[j, j]
        pull = cor[j] / curvature
        if code[j] == 0.0 and not (pull < ranges[0, j] or pull > ranges[1, j]):
            continue
        best = prox(penalty, code[j] + pull, steps[j])
        change = abs(best - code[j])
        worst = max(worst, curvature * change)
        gain = (curvature * change) * change  # in this order: the square of a small change is zero
        if gain > longest:
            chosen, longest, goal = j, gain, best
    return chosen, goal, worst


@kernel
def _settle(gram, steps, penalty, active, code, cor, local, pull, start, still):
    """Sweeps over the active atoms alone, on their own Gram matrix, until none objects by more than `still`."""
    size = 0
    for j in range(code.shape[0]):
        if code[j] != 0.0:
            active[size] = j
            size += 1
    for i in range(size):
        pull[i] = cor[active[i]]
        start[i] = code[active[i]]
        for m in range(size):
            local[i, m] = gram[active[i], active[m]]
    for _ in range(_SWEEPS):
        worst = 0.0
        for i in range(size):
            j, curvature = active[i], local[i, i]
            change = prox(penalty, code[j] + pull[i] / curvature, steps[j]) - code[j]
            if change != 0.0:
                code[j] += change
                for m in range(size):
                    pull[m] -= change * local[i, m]
                worst = max(worst, curvature * abs(change))
        if worst <= still:
            break
    for i in range(size):
        change = code[active[i]] - start[i]
        if change != 0.0:
            _subtract(cor, change, gram[active[i]])


@kernel
def _descend(gram, corr, steps, penalty, ranges, still, max_iter, code, cor, active, local, pull, start):
    """Lower the objective from `code`, whose correlations are `cor`, until no coefficient objects by more than `still`."""
    for step in range(max_iter):
        chosen, goal, worst = _objector(gram, steps, penalty, ranges, code, cor)
        if worst <= still or chosen < 0:
            break
        change = goal - code[chosen]
        code[chosen] = goal
        _subtract(cor, change, gram[chosen])
        enough = max(still, _COARSE * gram[chosen, chosen] * abs(change))
        _settle(gram, steps, penalty, active, code, cor, local, pull, start, enough)
        if step % _REFRESH == _REFRESH - 1:
            _remaining(gram, corr, code, cor)


@kernel
def _store(code, s, filled, indptr, indices, values):
    """Append the entries of a code that are not zero."""
    for j in range(code.shape[0]):
        if code[j] != 0.0:
            indices[filled], values[filled] = j, code[j]
            filled += 1
    indptr[s + 1] = filled
    return filled


@kernel
def descent_codes(gram, corr, steps, penalty, ranges, tol, max_iter, indptr, indices, values):
    """Codes of a block of signals in compressed rows; returns how many entries were written.

    gram (K, K), corr (B, K) and steps (K,) in float64, ranges (2, K) from `silent_ranges`. A signal is done when no coefficient objects by more than
    `tol` times its largest correlation. Out: indptr (B + 1,), indices and values (B K,), ascending within a row.
    """
    n_signals, n_atoms = corr.shape
    cor, code = np.empty(n_atoms), np.empty(n_atoms)
    local, pull, start = np.empty((n_atoms, n_atoms)), np.empty(n_atoms), np.empty(n_atoms)
    active = np.empty(n_atoms, np.int64)
    filled = 0
    indptr[0] = 0
    for s in range(n_signals):
        code[:] = 0.0
        cor[:] = corr[s]
        still = tol * np.max(np.abs(cor))
        _descend(gram, corr[s], steps, penalty, ranges, still, max_iter, code, cor, active, local, pull, start)
        filled = _store(code, s, filled, indptr, indices, values)
    return filled


@kernel
def _compete(gram, corr, steps, penalty, ranges, rate, still, max_iter, code, cor, potential):
    """Euler steps of length `rate` from potentials of zero; whether they settled."""
    for step in range(max_iter):
        _remaining(gram, corr, code, cor)
        if step % _CHECK == 0 and _objector(gram, steps, penalty, ranges, code, cor)[2] <= still:
            return True
        for j in range(code.shape[0]):
            curvature = gram[j, j]
            if curvature > 0.0:
                potential[j] += rate * (cor[j] / curvature + code[j] - potential[j])
                if potential[j] < ranges[0, j] or potential[j] > ranges[1, j]:
                    code[j] = prox(penalty, potential[j], steps[j])
                else:
                    code[j] = 0.0
    return False


@kernel
def competition_codes(gram, corr, steps, penalty, ranges, rate, tol, max_iter, n_moves, indptr, indices, values):
    """The same by locally competitive neurons; those that oscillate after `max_iter` steps are settled by at most `n_moves` of the descent."""
    n_signals, n_atoms = corr.shape
    cor, code, potential = np.empty(n_atoms), np.empty(n_atoms), np.empty(n_atoms)
    local, pull, start = np.empty((n_atoms, n_atoms)), np.empty(n_atoms), np.empty(n_atoms)
    active = np.empty(n_atoms, np.int64)
    filled = 0
    indptr[0] = 0
    for s in range(n_signals):
        code[:] = 0.0
        potential[:] = 0.0
        still = tol * np.max(np.abs(corr[s]))
        if not _compete(gram, corr[s], steps, penalty, ranges, rate, still, max_iter, code, cor, potential):
            _remaining(gram, corr[s], code, cor)
            _descend(gram, corr[s], steps, penalty, ranges, still, n_moves, code, cor, active, local, pull, start)
        filled = _store(code, s, filled, indptr, indices, values)
    return filled
