"""Convolutional sparse coding of one signal, and what its codes say about the atoms.

    minimise over z   1/2 ||y - sum_k d_k * z_k||^2 + alpha sum_k ||z_k||_1

Everything has two axes of places (one of length one for signals in time). With ``beta = correlate(y - D z) + ||d||^2 z``, what is
left over for each coefficient alone, the best value of a coefficient is ``soft(beta, alpha) / ||d||^2``; `score` holds how far it is
from that, in the norm of the residual. Moving one coefficient changes beta within an atom's length only.

Moreau, Oudre and Vayatis, "DICOD: distributed convolutional coordinate descent for convolutional sparse coding", 2018
(arXiv 1705.10087).
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["code_statistics", "descend", "reconstruct"]

_ALL, _NO_SIGN = np.int64(-1), np.int64(0x7FFFFFFFFFFFFFFF)


@kernel(inline=True)
def _number(bits):
    """The float64 of these bits."""
    return np.array([bits]).view(np.float64)[0]


@kernel(inline=True)
def _best(left, low, alpha):
    """``soft(left, alpha)`` where `low` is ``-alpha``, its positive part where `low` is ``-inf``; without a branch."""
    return left - min(max(left, low), alpha)


@kernel
def _refresh(state, model):
    """Scores of all coefficients; the largest of them."""
    beta, _, codes, score, _ = state
    _, norms, low, alpha = model
    n_atoms, height, width = codes.shape
    top = 0.0
    for k in range(n_atoms):
        if norms[k] <= 0.0:
            score[k] = 0.0
            continue
        inverse, root = 1.0 / norms[k], np.sqrt(norms[k])
        for i in range(height):
            for t in range(width):
                value = root * abs(_best(beta[k, i, t], low, alpha) * inverse - codes[k, i, t])
                score[k, i, t] = value
                top = max(top, value)
    return top


@kernel
def _move(atom, row, place, change, state, model):
    """Add `change` to a coefficient; what is left over, and the scores, follow."""
    beta, _, codes, score, _ = state
    cross, norms, low, alpha = model
    n_atoms, height, width = codes.shape
    reach_h, reach_w = (cross.shape[2] + 1) // 2, (cross.shape[3] + 1) // 2
    own = beta[atom, row, place]
    codes[atom, row, place] += change
    first_h, last_h = max(0, row - reach_h + 1), min(height, row + reach_h)
    first_w, last_w = max(0, place - reach_w + 1), min(width, place + reach_w)
    count = last_w - first_w
    for k in range(n_atoms):
        if norms[k] <= 0.0:
            continue
        inverse, root = 1.0 / norms[k], np.sqrt(norms[k])
        for i in range(first_h, last_h):
            lag = first_w - place + reach_w - 1
            like = cross[atom, k, i - row + reach_h - 1, lag : lag + count]
            left = beta[k, i, first_w:last_w]
            value = codes[k, i, first_w:last_w]
            stale = score[k, i, first_w:last_w]
            for t in range(count):
                now = left[t] - change * like[t]
                left[t] = now
                stale[t] = root * abs(_best(now, low, alpha) * inverse - value[t])
    beta[atom, row, place] = own
    inverse, root = 1.0 / norms[atom], np.sqrt(norms[atom])
    score[atom, row, place] = root * abs(_best(own, low, alpha) * inverse - codes[atom, row, place])


@kernel
def _settle_tile(bounds, state, model, least, most):
    """Move the coefficient of greatest score of a tile, until none is above `least`; how many moves that took."""
    beta, _, codes, score, bits = state
    _, norms, low, alpha = model
    top_h, end_h, top_w, end_w = bounds
    n_atoms = codes.shape[0]
    moves = 0
    while moves < most:
        best, atom, row = np.int64(-1), 0, 0
        for k in range(n_atoms):
            for i in range(top_h, end_h):
                line = bits[k, i, top_w:end_w]  # scores are not negative, so they are in the order of their bits
                largest = np.int64(-1)
                for t in range(line.size):
                    largest = max(largest, line[t])
                if largest > best:
                    best, atom, row = largest, k, i
        place = top_w
        while place < end_w and bits[atom, row, place] != best:
            place += 1
        if place == end_w or not score[atom, row, place] > least:
            break
        change = _best(beta[atom, row, place], low, alpha) / norms[atom] - codes[atom, row, place]
        _move(atom, row, place, change, state, model)
        moves += 1
    return moves


@kernel
def _gap(state, model, sq_norm, first):
    """Duality gap over ``||y||^2 / 2``, from what is left over; `first` is ``correlate(y)``."""
    beta, beta_bits, codes, _, _ = state
    _, norms, low, alpha = model
    n_atoms = codes.shape[0]
    sign = (
        _ALL if low == -np.inf else _NO_SIGN
    )  # the order of numbers is that of their bits, or of those of their sizes
    largest = np.int64(0)
    along = fitted = size = top = 0.0
    for k in range(n_atoms):
        left, value, at_zero = beta[k].ravel(), codes[k].ravel(), first[k].ravel()
        bits = beta_bits[k].ravel()
        for t in range(left.size):
            largest = max(largest, bits[t] & sign if value[t] == 0.0 else np.int64(0))
        for t in range(left.size):
            if value[t] != 0.0:
                correlation = left[t] - norms[k] * value[t]
                top = max(top, correlation if low == -np.inf else abs(correlation))
                along += value[t] * at_zero[t]
                fitted += value[t] * correlation
                size += abs(value[t])
    top = max(top, _number(largest))
    residual = max(sq_norm - along - fitted, 0.0)  # ||r||^2 = ||y||^2 - <y, D z> - <r, D z>
    meeting = sq_norm - along  # <y, r>
    limit = alpha / top if top > 0.0 else np.inf
    scale = min(max(meeting / residual, 0.0), limit) if residual > 0.0 else 0.0
    primal = 0.5 * residual + alpha * size
    return (primal - scale * meeting + 0.5 * scale * scale * residual) / (0.5 * sq_norm)


@kernel
def descend(state, model, tile, first, sq_norm, tol, floor, shrink, max_moves):
    """Locally greedy coordinate descent on the codes (n_atoms, height, width), in place.

    Tiles in turn settle to within a bound on the score, which falls by the factor `shrink` from round to round, so that what is
    small waits for what is large; the duality gap is looked at between rounds. Returns the number of moves and the gap; it ends
    when the gap is at most `tol`, when the bound is below `floor`, or after `max_moves`.

    `state`: beta, its view as int64, the codes, scratch of the same shape for the scores, and its view as int64. `model`: correlations
    ``cross[k, j, lag]`` of the atoms (lags from ``-(P - 1)``), their squared norms, `low` as in `_best`, alpha. `tile`: height and width;
    `first` and `sq_norm`: ``correlate(y)`` and ``||y||^2``.
    """
    codes = state[2]
    height, width = codes.shape[1], codes.shape[2]
    tile_h, tile_w = tile
    least = shrink * _refresh(state, model)
    moves = 0
    gap = _gap(state, model, sq_norm, first)
    while gap > tol and moves < max_moves and least > floor:
        again = True
        while again and moves < max_moves:
            again = False
            for top_h in range(0, height, tile_h):
                for top_w in range(0, width, tile_w):
                    bounds = top_h, min(top_h + tile_h, height), top_w, min(top_w + tile_w, width)
                    done = _settle_tile(bounds, state, model, least, max_moves - moves)
                    moves += done
                    again = again or done > 0
        gap = _gap(state, model, sq_norm, first)
        least *= shrink
    return moves, gap


@kernel
def reconstruct(atoms, codes, signal):
    """Add ``sum_k d_k * z_k`` to a signal (n_channels, height, width); atoms are (n_atoms, n_channels, h, w)."""
    n_atoms, n_channels, atom_h, atom_w = atoms.shape
    for k in range(n_atoms):
        for i in range(codes.shape[1]):
            for t in range(codes.shape[2]):
                value = codes[k, i, t]
                if value == 0.0:
                    continue
                for c in range(n_channels):
                    for u in range(atom_h):
                        line = signal[c, i + u, t : t + atom_w]
                        form = atoms[k, c, u]
                        for v in range(atom_w):
                            line[v] += value * form[v]


@kernel
def code_statistics(codes, signal, code_corr, code_signal, usage):
    """Add what the codes of one signal say about the atoms to the statistics.

    ``code_corr[k, j, lag] += sum_s z_k(s) z_j(s + lag)`` for the lags at which two atoms overlap, ``code_signal[k, c, u] +=
    sum_s z_k(s) y_c(s + u)``, and ``usage[k] +=`` entries of z_k that are not zero.
    """
    n_atoms, height, width = codes.shape
    n_channels, atom_h, atom_w = code_signal.shape[1:]
    for k in range(n_atoms):
        for i in range(height):
            for t in range(width):
                value = codes[k, i, t]
                if value == 0.0:
                    continue
                usage[k] += 1.0
                first_h, last_h = max(0, i - atom_h + 1), min(height, i + atom_h)
                first_w, last_w = max(0, t - atom_w + 1), min(width, t + atom_w)
                for j in range(n_atoms):
                    for row in range(first_h, last_h):
                        lag = first_w - t + atom_w - 1
                        total = code_corr[k, j, row - i + atom_h - 1, lag : lag + last_w - first_w]
                        other = codes[j, row, first_w:last_w]
                        for v in range(other.size):
                            total[v] += value * other[v]
                for c in range(n_channels):
                    for u in range(atom_h):
                        line = signal[c, i + u, t : t + atom_w]
                        total = code_signal[k, c, u]
                        for v in range(atom_w):
                            total[v] += value * line[v]
