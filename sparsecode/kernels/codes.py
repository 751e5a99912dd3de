"""Lasso codes of many signals on one Gram matrix, one signal after another.

    min_c  1/2 ||x - c D||^2 + alpha ||c||_1        given  gram = D D^T,  correlation = D x,  ||x||^2

Feature-sign search: the code restricted to an active set with known signs solves a small linear system, kept factored
by Cholesky; the atom that violates optimality most comes in, those whose coefficient reaches zero leave. Where the active atoms
are dependent up to rounding, coordinate descent takes over.

Lee, Battle, Raina and Ng, "Efficient sparse coding algorithms", 2007.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["lasso_codes", "lasso_gaps"]

_DEPENDENT = 1e-10  # squared distance of an atom to the span of the active ones, relative, below which it is dependent
_SUPPORT_SWEEPS = 20  # sweeps of coordinate descent over the support between two over all atoms


@kernel
def _subtract_rows(out, gram, rows, weights, count):
    """``out -= sum_i weights[i] gram[rows[i]]``, four rows at a time to save stores."""
    i = 0
    while i + 4 <= count:
        p, q, r, s = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        a, b, c, d = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for j in range(out.shape[0]):
            out[j] -= (a * gram[p, j] + b * gram[q, j]) + (c * gram[r, j] + d * gram[s, j])
        i += 4
    while i < count:
        p, a = rows[i], weights[i]
        for j in range(out.shape[0]):
            out[j] -= a * gram[p, j]
        i += 1


@kernel
def _largest(cor, positive, bits):
    """Largest correlation that counts: in modulus, or of positive sign (zero if there is none).

    Doubles that are not negative are ordered like their bits, and the maximum of integers vectorises.
    """
    words = cor.view(np.int64)
    top = np.int64(0)
    if positive:
        for j in range(words.shape[0]):
            top = max(top, words[j])
    else:
        for j in range(words.shape[0]):
            top = max(top, words[j] & np.int64(0x7FFFFFFFFFFFFFFF))
    bits[0] = top
    return bits.view(np.float64)[0]


@kernel
def _relative_gap(sq_norm, with_code, remaining, l1, top, alpha):
    """Duality gap over the objective at zero; with_code = <D x, c>, remaining = <D r, c>, top = max |D r|."""
    if sq_norm <= 0.0:
        return 0.0
    with_target = sq_norm - with_code
    residual = max(with_target - remaining, 0.0)
    limit = alpha / top if top > 0.0 else np.inf
    scale = with_target / residual if residual > 0.0 else 1.0
    scale = min(max(scale, 0.0), limit)  # below zero the constraint of positive codes may fail
    gap = 0.5 * residual + alpha * l1 - scale * with_target + 0.5 * scale * scale * residual
    return max(gap, 0.0) / (0.5 * sq_norm)


@kernel
def _append(lower, upper, inverse, gram, active, size, atom):
    """Append an atom to the Cholesky factor of the active Gram matrix.

    The factor is kept twice, by rows in `lower` and by columns in `upper`, so that both substitutions run along rows,
    with the inverse of its diagonal. Returns the squared distance of the atom to the span of the active ones, 0 if dependent.
    """
    for i in range(size):
        lower[size, i] = gram[atom, active[i]]
    left = gram[atom, atom]
    for i in range(size):
        value = lower[size, i] * inverse[i]
        lower[size, i] = value
        upper[i, size] = value
        left -= value * value
        for m in range(i + 1, size):
            lower[size, m] -= upper[i, m] * value
    if not left > _DEPENDENT * gram[atom, atom]:
        return 0.0
    diagonal = np.sqrt(left)
    lower[size, size] = upper[size, size] = diagonal
    inverse[size] = 1.0 / diagonal
    return left


@kernel
def _remove(lower, upper, inverse, size, position):
    """Delete one atom from the factor by Givens rotations."""
    for i in range(position, size - 1):
        for m in range(i + 2):
            lower[i, m] = lower[i + 1, m]
    for i in range(position, size - 1):
        a, b = lower[i, i], lower[i, i + 1]
        length = np.sqrt(a * a + b * b)
        cosine, sine = a / length, b / length
        lower[i, i] = length
        inverse[i] = 1.0 / length
        for m in range(i + 1, size - 1):
            first, second = lower[m, i], lower[m, i + 1]
            lower[m, i] = cosine * first + sine * second
            lower[m, i + 1] = cosine * second - sine * first
    for i in range(position, size - 1):
        for m in range(i + 1):
            upper[m, i] = lower[i, m]


@kernel
def _solve_upper(lower, inverse, size, out):
    """Solve ``L^T out = out`` in place."""
    for i in range(size - 1, -1, -1):
        value = out[i] * inverse[i]
        out[i] = value
        for m in range(i):
            out[m] -= lower[i, m] * value


@kernel
def _move(coef, goal, sign, size):
    """Move towards `goal` until the first coefficient reaches zero; returns its position, or -1 if none does."""
    step, leaving = 1.0, np.int64(-1)
    for i in range(size):
        if goal[i] * sign[i] <= 0.0:
            change = coef[i] - goal[i]
            reach = coef[i] / change if change != 0.0 else 0.0
            if leaving < 0 or reach < step:
                step, leaving = reach, i
    if leaving < 0:
        for i in range(size):
            coef[i] = goal[i]
    else:
        for i in range(size):
            coef[i] += step * (goal[i] - coef[i])
    return leaving


@kernel
def _leave(active, coef, sign, lower, upper, inverse, size, position):
    """Take one atom out of the active set; returns the new size."""
    _remove(lower, upper, inverse, size, position)
    for i in range(position, size - 1):
        active[i], coef[i], sign[i] = active[i + 1], coef[i + 1], sign[i + 1]
    return size - 1


@kernel
def _settle(gram, corr, alpha, active, coef, sign, lower, upper, inverse, size, goal):
    """Minimise over the active set; coefficients that reach zero leave it. Returns its new size."""
    while True:
        for i in range(size):
            goal[i] = corr[active[i]] - alpha * sign[i]
        for i in range(size):
            value = goal[i] * inverse[i]
            goal[i] = value
            for m in range(i + 1, size):
                goal[m] -= upper[i, m] * value
        _solve_upper(lower, inverse, size, goal)
        leaving = _move(coef, goal, sign, size)
        if leaving < 0:
            return size
        size = _leave(active, coef, sign, lower, upper, inverse, size, leaving)


@kernel
def _exchange(gram, atom, direction, active, coef, sign, lower, upper, inverse, size, weights):
    """Let an atom in that equals ``weights @ active atoms``: the fit stays, the l1 norm falls, until another reaches zero.

    Returns the new size, or ``-1 - size`` if rounding makes that impossible.
    """
    step, leaving = np.inf, np.int64(-1)
    for i in range(size):
        fall = direction * weights[i]
        if fall * sign[i] > 0.0 and coef[i] / fall < step:
            step, leaving = coef[i] / fall, i
    if leaving < 0:
        return -1 - size
    for i in range(size):
        coef[i] -= step * direction * weights[i]
    size = _leave(active, coef, sign, lower, upper, inverse, size, leaving)
    if _append(lower, upper, inverse, gram, active, size, atom) == 0.0:
        return -1 - size
    active[size], coef[size], sign[size] = atom, step * direction, direction
    return size + 1


@kernel
def _feature_sign(
    gram, corr, sq_norm, alpha, positive, tol, max_iter, cor, active, coef, sign, lower, upper, inverse, goal, bits
):
    """One signal's code on its active set; returns (size, whether nothing but rounding is left to gain)."""
    size = np.int64(0)  # a literal would compile every helper twice
    refined = False
    n_atoms = cor.shape[0]
    for j in range(n_atoms):
        cor[j] = corr[j]
    for _ in range(max_iter):
        top = _largest(cor, positive, bits)
        with_code = remaining = l1 = 0.0
        for i in range(size):
            with_code += coef[i] * corr[active[i]]
            remaining += coef[i] * cor[active[i]]
            l1 += abs(coef[i])
        if _relative_gap(sq_norm, with_code, remaining, l1, top, alpha) <= tol:
            return size, True
        worst = 0
        while worst < n_atoms and cor[worst] != top and (positive or cor[worst] != -top):
            worst += 1
        if worst == n_atoms:
            return size, False
        known = False
        for i in range(size):
            known = known or active[i] == worst
        if known:  # only rounding is left: solve afresh, once
            if refined:
                return size, True
            refined = True
            size = _settle(gram, corr, alpha, active, coef, sign, lower, upper, inverse, size, goal)
            for j in range(n_atoms):
                cor[j] = corr[j]
            _subtract_rows(cor, gram, active, coef, size)
            continue
        direction = 1.0 if cor[worst] > 0.0 else -1.0
        distance = _append(lower, upper, inverse, gram, active, size, worst)
        for i in range(size):
            goal[i] = lower[size, i]
        _solve_upper(lower, inverse, size, goal)
        if distance == 0.0 or size == coef.shape[0]:
            size = _exchange(gram, worst, direction, active, coef, sign, lower, upper, inverse, size, goal)
            if size < 0:
                return -1 - size, False
            size = _settle(gram, corr, alpha, active, coef, sign, lower, upper, inverse, size, goal)
        else:
            active[size], coef[size], sign[size] = worst, 0.0, direction
            entering = (cor[worst] - alpha * direction) / distance
            for i in range(size):
                goal[i] = coef[i] - entering * goal[i]
            goal[size] = entering
            size += 1
            leaving = _move(coef, goal, sign, size)
            if leaving >= 0:
                size = _leave(active, coef, sign, lower, upper, inverse, size, leaving)
                size = _settle(gram, corr, alpha, active, coef, sign, lower, upper, inverse, size, goal)
        for j in range(n_atoms):
            cor[j] = corr[j]
        _subtract_rows(cor, gram, active, coef, size)
    return size, False


@kernel
def _coordinate_step(j, gram, alpha, positive, cor, code):
    """Minimise over one coefficient; returns its change."""
    curvature = gram[j, j]
    if not curvature > 0.0:
        return 0.0
    pull = cor[j] + curvature * code[j]
    new = 0.0
    if pull > alpha:
        new = (pull - alpha) / curvature
    elif pull < -alpha and not positive:
        new = (pull + alpha) / curvature
    change = new - code[j]
    if change != 0.0:
        code[j] = new
        row = gram[j]
        for m in range(cor.shape[0]):
            cor[m] -= change * row[m]
    return change


@kernel
def _coordinate_descent(gram, corr, sq_norm, alpha, positive, tol, max_iter, cor, code, bits):
    """Cyclic coordinate descent from `code`, for active sets that are linearly dependent."""
    n_atoms = cor.shape[0]
    for _ in range(max_iter):
        for j in range(n_atoms):
            cor[j] = corr[j]
        for j in range(n_atoms):
            if code[j] != 0.0:
                row, value = gram[j], code[j]
                for m in range(n_atoms):
                    cor[m] -= value * row[m]
        with_code = remaining = l1 = 0.0
        for j in range(n_atoms):
            with_code += code[j] * corr[j]
            remaining += code[j] * cor[j]
            l1 += abs(code[j])
        top = _largest(cor, positive, bits)
        if _relative_gap(sq_norm, with_code, remaining, l1, top, alpha) <= tol:
            return
        moved = 0.0
        for j in range(n_atoms):
            change = _coordinate_step(j, gram, alpha, positive, cor, code)
            moved = max(moved, change * change * gram[j, j])
        for _sweep in range(_SUPPORT_SWEEPS):
            moved_now = 0.0
            for j in range(n_atoms):
                if code[j] != 0.0:
                    change = _coordinate_step(j, gram, alpha, positive, cor, code)
                    moved_now = max(moved_now, change * change * gram[j, j])
            if moved_now <= 1e-4 * moved:
                break
        if moved == 0.0:
            return


@kernel
def lasso_codes(gram, corr, sq_norms, alpha, positive, tol, max_iter, rank, indptr, indices, values):
    """Codes of a block of signals in compressed rows; returns how many entries were written.

    gram (K, K), corr (B, K) and sq_norms (B,) in float64; rank bounds the size of an independent active set. Out:
    indptr (B + 1,), indices (B K,) in no order within a row, values (B K,).
    """
    n_signals, n_atoms = corr.shape
    capacity = min(rank, n_atoms)
    cor, code = np.empty(n_atoms), np.zeros(n_atoms)
    active = np.empty(capacity, np.int64)
    coef, sign, goal, inverse = np.empty(capacity), np.empty(capacity), np.empty(capacity), np.empty(capacity + 1)
    lower, upper = np.empty((capacity + 1, capacity + 1)), np.empty((capacity + 1, capacity + 1))
    bits = np.empty(1, np.int64)
    filled = 0
    indptr[0] = 0
    for s in range(n_signals):
        size, done = _feature_sign(
            gram,
            corr[s],
            sq_norms[s],
            alpha,
            positive,
            tol,
            max_iter,
            cor,
            active,
            coef,
            sign,
            lower,
            upper,
            inverse,
            goal,
            bits,
        )
        if done:
            for i in range(size):
                if coef[i] != 0.0:
                    indices[filled], values[filled] = active[i], coef[i]
                    filled += 1
        else:
            code[:] = 0.0
            for i in range(size):
                code[active[i]] = coef[i]
            _coordinate_descent(gram, corr[s], sq_norms[s], alpha, positive, tol, max_iter, cor, code, bits)
            for j in range(n_atoms):
                if code[j] != 0.0:
                    indices[filled], values[filled] = j, code[j]
                    filled += 1
        indptr[s + 1] = filled
    return filled


@kernel
def lasso_gaps(gram, corr, sq_norms, alpha, positive, indptr, indices, values, gaps, objectives):
    """Relative duality gap and objective of given codes, from nothing but the codes and the float64 products."""
    n_signals, n_atoms = corr.shape
    cor, bits = np.empty(n_atoms), np.empty(1, np.int64)
    for s in range(n_signals):
        start, stop = indptr[s], indptr[s + 1]
        rows, code = indices[start:stop], values[start:stop]
        for j in range(n_atoms):
            cor[j] = corr[s, j]
        _subtract_rows(cor, gram, rows, code, stop - start)
        with_code = remaining = l1 = 0.0
        infeasible = False
        for i in range(stop - start):
            with_code += code[i] * corr[s, rows[i]]
            remaining += code[i] * cor[rows[i]]
            l1 += abs(code[i])
            infeasible = infeasible or (positive and code[i] < 0.0)
        top = _largest(cor, positive, bits)
        gap = _relative_gap(sq_norms[s], with_code, remaining, l1, top, alpha)
        gaps[s] = np.inf if infeasible else gap
        objectives[s] = 0.5 * max(sq_norms[s] - with_code - remaining, 0.0) + alpha * l1
