"""Greedy pursuit of many signals at once, in Gram form: one kernel for the OMP and the OLS rule.

With ``G = A^H A`` and ``c = A^H y``, Gram-Schmidt on the selected columns never touches the samples. At step t, for the
chosen atom j and ``b_q = A^H q_q`` the correlations of all atoms with the q-th orthonormal direction:

    L[t, q] = b_q[j]        d = sqrt(n_j - sum_q |L[t, q]|^2)        b_t = (G[:, j] - sum_q conj(L[t, q]) b_q) / d
    z_t = c_j / d           c -= z_t b_t                             ||r||^2 -= |z_t|^2

and the coefficients solve ``L^H gamma = z`` at the end. OMP picks the largest ``|c_j|^2 / n_j``, orthogonal least squares
(OLS) the largest ``|c_j|^2 / (n_j - sum_q |b_q[j]|^2)``: the fall of the squared residual that the atom would bring.

Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching pursuit", 1993. Chen, Billings and Luo, "Orthogonal least squares
methods and their application to non-linear system identification", 1989.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ._compile import kernel

__all__ = ["Atoms", "Codes", "Rule", "pursue", "row_sq_norms"]


class Atoms(NamedTuple):
    """What the kernel knows of the dictionary; K atoms in d dimensions."""

    gram: np.ndarray  # (K, K): row j holds A^H a_j
    sq_norms: np.ndarray  # (K,) n_j, in working precision
    scale: np.ndarray  # (K,) 1 / (weight_j^2 n_j), zero for an atom that may not be selected
    preference: np.ndarray  # (K,) 1 / weight_j^2, zero likewise
    first: np.ndarray  # (F,) atoms that enter before any selection, in this order
    rows: np.ndarray  # (K, d) the atoms themselves, or (0, 0): then residuals are never recomputed


class Rule(NamedTuple):
    """How to select and when to stop; negative tolerances never stop."""

    max_atoms: int  # beside the free ones
    n_free: int  # of the atoms that enter first: do not count
    orthogonal: bool  # OLS instead of OMP
    positive: bool
    dependence: float  # tau: an atom with d^2 <= tau n_j lies in the span of the selected ones
    noise: float  # a correlation with |c_j|^2 <= noise n_j ||y||^2 is rounding error
    resolution: float  # ||r||^2 by recursion is known to resolution * ||y||^2
    tol_sq: float  # stop when ||r||^2 <= tol_sq ||y||^2
    atol_sq: float  # or when ||r||^2 <= atol_sq


class Codes(NamedTuple):
    """Where the answer goes; one row a signal."""

    indices: np.ndarray  # (P, k) in order of selection, -1 behind the last
    values: np.ndarray  # (P, k)
    counts: np.ndarray  # (P,)
    sq_residuals: np.ndarray  # (P,) double


@kernel(borrows=True, inline=True)
def _sq_abs(value):
    return value.real * value.real + value.imag * value.imag


@kernel(borrows=True, inline=True)
def _wide_sq_abs(value):
    real, imag = np.float64(value.real), np.float64(value.imag)
    return real * real + imag * imag


@kernel(borrows=True, inline=True)
def _largest(bits, order):
    """Index of the largest score, the lowest among equals; -1 if all are zero. Two integer reductions, no branch."""
    top = bits[0]
    for i in range(bits.size):
        top = max(top, bits[i])
    if top == 0:
        return -1
    last = order[order.size - 1]
    first = last
    for i in range(bits.size):
        first = min(first, order[i] if bits[i] == top else last)
    return first


@kernel(borrows=True, inline=True)
def _score_first(atoms, rule, correlations, p, unit, work):
    """Correlations times the power of two `unit`, and scores before any atom is selected: both rules agree."""
    score = work.score
    for i in range(atoms.sq_norms.size):
        c = correlations[p, i] * unit
        correlations[p, i] = c
        score[i] = _sq_abs(c) * atoms.scale[i]
    if rule.positive:
        for i in range(atoms.sq_norms.size):
            score[i] = score[i] if correlations[p, i].real > 0 else 0
    if rule.orthogonal:
        for i in range(atoms.sq_norms.size):
            work.remaining[i] = atoms.sq_norms[i]


@kernel(borrows=True, inline=True)
def _orthogonalise(gram, j, basis, t, row):
    """basis[t] = gram[j] - sum_q row[q] basis[q]; four directions at a time."""
    n = gram.shape[1]
    q = t % 4
    if q == 0:
        for i in range(n):
            basis[t, i] = gram[j, i]
    elif q == 1:
        r0 = row[0]
        for i in range(n):
            basis[t, i] = gram[j, i] - r0 * basis[0, i]
    elif q == 2:
        r0, r1 = row[0], row[1]
        for i in range(n):
            basis[t, i] = gram[j, i] - r0 * basis[0, i] - r1 * basis[1, i]
    else:
        r0, r1, r2 = row[0], row[1], row[2]
        for i in range(n):
            basis[t, i] = gram[j, i] - r0 * basis[0, i] - r1 * basis[1, i] - r2 * basis[2, i]
    while q < t:
        r0, r1, r2, r3 = row[q], row[q + 1], row[q + 2], row[q + 3]
        for i in range(n):
            basis[t, i] = (
                basis[t, i] - r0 * basis[q, i] - r1 * basis[q + 1, i] - r2 * basis[q + 2, i] - r3 * basis[q + 3, i]
            )
        q += 4


@kernel(borrows=True, inline=True)
def _score_omp(atoms, positive, correlations, p, work, t, z, inverse):
    """Scale basis[t], take its share out of the correlations, and score by ``|c|^2 / n``."""
    basis, score, scale = work.basis, work.score, atoms.scale
    for i in range(scale.size):
        b = basis[t, i] * inverse
        basis[t, i] = b
        c = correlations[p, i] - z * b
        correlations[p, i] = c
        score[i] = _sq_abs(c) * scale[i]
    if positive:
        for i in range(scale.size):
            score[i] = score[i] if correlations[p, i].real > 0 else 0


@kernel(borrows=True, inline=True)
def _score_ols(atoms, positive, correlations, p, work, t, z, inverse, dependence, noise):
    """Scale basis[t], take its share out of correlations and norms, and score by ``|c|^2 / remaining``."""
    basis, score, remaining = work.basis, work.score, work.remaining
    norms, preference = atoms.sq_norms, atoms.preference
    for i in range(norms.size):
        b = basis[t, i] * inverse
        basis[t, i] = b
        c = correlations[p, i] - z * b
        correlations[p, i] = c
        left = remaining[i] - _sq_abs(b)
        remaining[i] = left
        size = _sq_abs(c)
        gain = size * preference[i] / left
        score[i] = gain if (left > dependence * norms[i]) & (size > noise * norms[i]) else 0
    if positive:
        for i in range(norms.size):
            score[i] = score[i] if correlations[p, i].real > 0 else 0


@kernel(borrows=True, inline=True)
def _solve(work, count):
    """coef = L^-H projection."""
    factor, coef = work.factor, work.coef
    for i in range(count - 1, -1, -1):
        value = work.projection[i]
        for q in range(i + 1, count):
            value -= np.conj(factor[q, i]) * coef[q]
        coef[i] = value / factor[i, i]


@kernel(borrows=True)
def _exact_residual(atoms, signals, p, unit, work, indices, count):
    """Squared residual from the signal itself, in double precision."""
    _solve(work, count)
    residual = work.residual
    for i in range(residual.size):
        residual[i] = signals[p, i] * unit
    for q in range(count):
        value = work.coef[q]
        for i in range(residual.size):
            residual[i] -= atoms.rows[indices[p, q], i] * value
    total = 0.0
    for i in range(residual.size):
        total += _sq_abs(residual[i])
    return total


@kernel(borrows=True)
def _correlate(rows, j, residual):
    total = residual[0] * 0
    for i in range(residual.size):
        total += np.conj(rows[j, i]) * residual[i]
    return total


@kernel(borrows=True)
def _refine(atoms, signals, p, unit, work, indices, count):
    """One step of iterative refinement of the coefficients, in double precision; the squared residual after it."""
    factor, step = work.factor, work.coef
    for q in range(count):
        value = _correlate(atoms.rows, indices[p, q], work.residual)
        for s in range(q):
            value -= factor[q, s] * step[s]
        step[q] = value / factor[q, q]
    for q in range(count):
        work.projection[q] += step[q]
    return _exact_residual(atoms, signals, p, unit, work, indices, count)


@kernel(borrows=True)
def _all_positive(work, count):
    _solve(work, count)
    positive = True
    for q in range(count):
        positive &= work.coef[q].real > 0
    return positive


@kernel(borrows=True, inline=True)
def _append(j, count, p, atoms, rule, correlations, work):
    """Next row of the factor and z for atom j; its distance d to the span of the selected ones.

    Zero for an atom in that span (a selected one, for instance), negative for one that would make a coefficient negative
    where that is forbidden.
    """
    factor = work.factor
    norm_sq = np.float64(atoms.sq_norms[j])
    distance_sq = norm_sq
    for q in range(count):
        factor[count, q] = work.basis[q, j]
        distance_sq -= _sq_abs(factor[count, q])
    if not distance_sq > rule.dependence * norm_sq:
        return 0.0
    distance = np.sqrt(distance_sq)
    factor[count, count] = distance
    work.projection[count] = correlations[p, j] * (1.0 / distance)
    if rule.positive and not _all_positive(work, count + 1):
        return -1.0
    return distance


@kernel(borrows=True, inline=True)
def _extend(j, t, p, z, distance, atoms, rule, correlations, noise, work):
    """b_t from the t-th selected atom j, and the scores of all atoms after it."""
    row, depth = work.row, work.basis.shape[0]
    for q in range(t):
        row[q] = np.conj(work.factor[t, q])
    row[depth] = z
    row[depth + 1] = 1.0 / distance
    _orthogonalise(atoms.gram, j, work.basis, t, row)
    if rule.orthogonal:
        _score_ols(atoms, rule.positive, correlations, p, work, t, row[depth], row[depth + 1], rule.dependence, noise)
    else:
        _score_omp(atoms, rule.positive, correlations, p, work, t, row[depth], row[depth + 1])


@kernel(borrows=True)
def _true_residual(limit, count, p, unit, atoms, correlations, signals, work, indices):
    """Squared residual recomputed from the signal, refined if that helps, with the correlations that belong to it."""
    sq_residual = _exact_residual(atoms, signals, p, unit, work, indices, count)
    if sq_residual > limit:
        sq_residual = min(sq_residual, _refine(atoms, signals, p, unit, work, indices, count))
    if sq_residual > limit:
        for i in range(atoms.sq_norms.size):
            correlations[p, i] = _correlate(atoms.rows, i, work.residual)
    return sq_residual


@kernel(borrows=True, inline=True)
def _pursue_one(p, atoms, rule, correlations, signals, norm_sq, work, codes):
    """Code one signal, scaled by a power of two to a norm near one; its row of `correlations` is used up."""
    unit = math.ldexp(1.0, -math.frexp(math.sqrt(norm_sq))[1])
    target_sq = norm_sq * unit * unit
    limit = max(rule.tol_sq * norm_sq, rule.atol_sq) * unit * unit
    if limit < 0:
        limit = -np.inf
    sq_residual = known = target_sq  # `known`: the last squared residual that did not come from the recursion
    noise = rule.noise * target_sq
    n_first = atoms.first.size
    count, tried, room = 0, 0, rule.max_atoms
    work.scalar[0] = unit  # in working precision
    _score_first(atoms, rule, correlations, p, work.scalar[0], work)
    while tried < n_first or (room > 0 and sq_residual > limit):
        selecting = tried == n_first
        j = _largest(work.score_bits, work.order) if selecting else atoms.first[tried]
        tried += not selecting
        if j < 0 or (selecting and _sq_abs(correlations[p, j]) <= noise * atoms.sq_norms[j]):
            break  # nothing but rounding error is left
        distance = _append(j, count, p, atoms, rule, correlations, work)
        if distance <= 0:
            work.score[j] = 0  # the next best may do
            continue
        z = work.projection[count]
        codes.indices[p, count] = j
        count += 1
        room -= selecting or tried > rule.n_free
        sq_residual -= _sq_abs(z)
        if (
            abs(sq_residual - limit) < rule.resolution * known
            and limit > 0
            and atoms.rows.size > 0
            and tried == n_first
        ):
            sq_residual = known = _true_residual(
                limit, count, p, unit, atoms, correlations, signals, work, codes.indices
            )
            z *= 0
        if tried < n_first or (room > 0 and sq_residual > limit):
            _extend(j, count - 1, p, z, distance, atoms, rule, correlations, noise, work)
    _solve(work, count)
    for q in range(count):
        codes.values[p, q] = work.coef[q] / unit
    codes.counts[p] = count
    codes.sq_residuals[p] = max(sq_residual, 0.0) / (unit * unit)


@kernel(borrows=True)
def pursue(atoms, rule, correlations, signals, target_sq, work, codes):
    """Code every signal of a block.

    `correlations` (P, K) is overwritten; `target_sq` (P,) are the squared norms of the signals in double precision;
    `signals` (P, d) is read only where a residual is recomputed.
    """
    for p in range(target_sq.size):
        _pursue_one(p, atoms, rule, correlations, signals, target_sq[p], work, codes)


@kernel(borrows=True)
def row_sq_norms(rows, out):
    """Squared norms of rows, summed in double precision in four interleaved parts."""
    whole = rows.shape[1] // 4 * 4
    for p in range(out.size):
        first = second = third = fourth = 0.0
        for i in range(0, whole, 4):
            first += _wide_sq_abs(rows[p, i])
            second += _wide_sq_abs(rows[p, i + 1])
            third += _wide_sq_abs(rows[p, i + 2])
            fourth += _wide_sq_abs(rows[p, i + 3])
        for i in range(whole, rows.shape[1]):
            first += _wide_sq_abs(rows[p, i])
        out[p] = (first + second) + (third + fourth)
