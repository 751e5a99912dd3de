"""The least l1 norm that explains a target exactly, for moduli too: by a path through the inside of the dual.

    minimise over x   sum_j |x_j|   subject to   A x = y
    maximise over v   Re <y, v>     subject to   |a_j^H v| <= 1

With q the correlations ``A^H v``, Newton's method maximises ``Re <y, v> / strength + sum_j log(1 - |q_j|^2)`` for strengths that
fall to zero; coefficients that may not be negative have ``log(1 - q_j)`` instead. The slopes of the logarithms, times the
strength, are coefficients that fit the target after each step: both bound each other all the way. No support has to be guessed,
of which fits tell nothing where answers are complex: they may have up to twice as many coefficients as there are samples.

Nesterov and Nemirovskii, "Interior-point polynomial algorithms in convex programming", 1994.
Lobo, Vandenberghe, Boyd and Lebret, "Applications of second-order cone programming", 1998.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr, solve_triangular

from .coordinate.newton import solve_definite

__all__ = ["cone_path"]

_REACH = 1e-9  # share of the target that may lie outside the range of the columns
_STEPS = 300
_FALL = 0.1  # of the strength
_CENTRED = 0.5  # Newton's decrement, squared, below which the next strength is taken
_SHORT = 0.95  # of the way to the next bound
_RISE = 0.1  # share of what the slope promises that a step has to fetch
_CUTS = 30
_ROUNDING = 1e-13
_VAGUE = 1e-8  # rounding of correlations, of large columns, from which on slacks tell nothing


def cone_path(columns, target, one_sided, close):
    """Coefficients (size,) and a dual point (n_samples,) whose gap is at most `close` of the norm, or what rounding leaves of that.

    None where the range of the columns (n_samples, size) does not hold the target, or the path is lost.
    """
    left, lower, turned = _ranges(columns)
    seen = left.conj().T @ target
    if not np.linalg.norm(target - left @ seen) <= _REACH * np.linalg.norm(target):
        return None
    rank = seen.size
    cone = (_Half if one_sided else _Balls)(_in_reals(turned))
    found = _followed(cone, _flat(solve_triangular(lower, seen, lower=True)), close)
    if found is None:
        return None
    values, dual = found
    slack = cone.slack(cone.rows @ dual)
    dual = dual[:rank] + 1j * dual[rank:] if np.iscomplexobj(columns) else dual
    values = values[:, 0] + 1j * values[:, 1] if np.iscomplexobj(columns) else values[:, 0]
    dual = left @ solve_triangular(lower, dual, lower=True, trans="C")
    missed = left.conj().T @ (target - columns @ values)
    fitted = values + turned @ solve_triangular(lower, missed, lower=True)  # slopes of large columns are rounding
    values = values if one_sided and np.any(fitted < 0) else fitted
    told = columns.shape[0] * np.finfo(float).eps * np.linalg.norm(columns, axis=0) * np.linalg.norm(dual) < _VAGUE
    return _sparse(columns, target, values, np.where(told, slack, 0.0), one_sided), dual


def _ranges(columns):
    """``columns = left @ lower @ turned^H``: orthonormal bases of the range (n_samples, rank) and of that of the rows (size, rank).

    By two QR decompositions: a column of any size leaves rounding of its own size alone, where the singular values of all together
    would drown in that of the largest. The first takes large columns first; one that depends on those before it is taken no more.
    """
    sizes = np.linalg.norm(columns, axis=0)
    taken = np.flatnonzero(sizes > 0)
    while True:
        left, upper, order = qr(columns[:, taken], mode="economic", pivoting=True)
        pivots = np.abs(np.diagonal(upper)) / sizes[taken[order[: upper.shape[0]]]]
        own = pivots > max(columns.shape) * np.finfo(float).eps
        rank = int(np.max(np.flatnonzero(own), initial=-1)) + 1
        if np.all(own[:rank]):
            break
        taken = np.delete(taken, order[:rank][~own[:rank]])
    left = left[:, :rank]
    turned, lower = qr((left.conj().T @ columns).conj().T, mode="economic")
    return left, lower.conj().T, turned


def _in_reals(rows):
    """Rows (size, rank) as maps of real vectors to real ones, (size, 1, rank) or, of complex ones, (size, 2, 2 rank)."""
    if not np.iscomplexobj(rows):
        return rows[:, None, :]
    return np.stack([np.hstack([rows.real, -rows.imag]), np.hstack([rows.imag, rows.real])], axis=1)


def _flat(vector):
    return np.concatenate([vector.real, vector.imag]) if np.iscomplexobj(vector) else vector


class _Balls:
    """``sum_j log(1 - |q_j|^2)`` of correlations q (size, d), and what Newton's method asks of it."""

    def __init__(self, rows):
        self.rows = rows

    def slack(self, q):
        """How far each lies from its bound, (size,), here ``1 - |q|^2``."""
        size = np.sqrt(np.sum(q * q, axis=1))
        return (1.0 - size) * (1.0 + size)

    def pull(self, q, slack):
        """Minus its slopes, (size, d)."""
        return 2.0 * q / slack[:, None]

    def root(self, q, slack, vectors):
        """The square root of minus its second derivatives, times vectors (size, d, ...): ``2 / s + 4 q q^T / s^2``."""
        plain, sq_norm = np.sqrt(2.0 / slack), np.sum(q * q, axis=1)
        along = 4.0 / slack**2 / (plain + np.sqrt(2.0 / slack + 4.0 * sq_norm / slack**2))
        shape = (-1,) + (1,) * (vectors.ndim - 1)
        touch = np.einsum("kd,kd...->k...", q, vectors) * along.reshape(shape[: vectors.ndim - 1])
        return plain.reshape(shape) * vectors + np.einsum("kd,k...->kd...", q, touch)

    def way(self, q, change):
        """How far q may go in a direction."""
        bend, slope = np.sum(change * change, axis=1), np.sum(q * change, axis=1)
        root = np.sqrt(slope**2 + bend * self.slack(q))
        far = np.where(slope > 0, self.slack(q) / np.where(slope > 0, root + slope, 1.0), np.inf)
        back = np.where((slope <= 0) & (bend > 0), (root - slope) / np.where(bend > 0, bend, 1.0), np.inf)
        return float(np.min(np.minimum(far, back)))


class _Half(_Balls):
    """The same of ``sum_j log(1 - q_j)``, real and bounded from above alone."""

    def slack(self, q):
        return 1.0 - q[:, 0]

    def pull(self, q, slack):
        return 1.0 / slack[:, None]

    def root(self, q, slack, vectors):
        return vectors / slack.reshape((-1,) + (1,) * (vectors.ndim - 1))

    def way(self, q, change):
        rising = change[:, 0] > 0
        return float(np.min(self.slack(q)[rising] / change[rising, 0], initial=np.inf))


def _followed(cone, aim, close):
    """Coefficients (size, d) and dual vector (rank,) at the end of the path; the best of those that exist if rounding ends it."""
    rows = cone.rows
    flat, dual = rows.reshape(-1, aim.size), np.zeros(aim.size)
    strength, best = float(np.max(np.abs(rows @ aim), initial=0.0)), None
    if strength == 0.0:
        return np.zeros(rows.shape[:2]), dual
    for _ in range(_STEPS):
        q = rows @ dual
        slack = cone.slack(q)
        pull, bent = cone.pull(q, slack), cone.root(q, slack, rows).reshape(flat.shape)
        owed = aim / strength - pull.ravel() @ flat
        step = solve_definite(np.asfortranarray(bent.T @ bent), owed)
        if step is None:
            break
        change, decrement = rows @ step, float(owed @ step)
        if decrement < _CENTRED:
            values = strength * (pull + cone.root(q, slack, cone.root(q, slack, change)))
            norm = float(np.sum(np.sqrt(np.sum(values * values, axis=1))))
            gap = norm - float(aim @ dual)
            if best is not None and not gap < best[0]:
                break
            best = gap, values, dual
            if gap <= close * norm:
                break
            dual, strength = dual + step, _FALL * strength
            continue
        length = _length(cone, q, slack, change, float(aim @ step) / strength, decrement)
        if length == 0.0:
            break
        dual = dual + length * step
    return None if best is None else best[1:]


def _length(cone, q, slack, change, slope, decrement):
    """How far to go along a step: as far as what is maximised rises by a share of what its slope promises."""
    length = min(1.0, _SHORT * cone.way(q, change))
    for _ in range(_CUTS):
        there = cone.slack(q + length * change)
        if np.all(there > 0) and length * slope + np.sum(np.log(there / slack)) >= _RISE * length * decrement:
            return length
        length *= 0.5
    return 0.0


def _sparse(columns, target, values, slack, one_sided):
    """Coefficients without those that are small where their bounds are loose, if they fit the target as well at no larger norm."""
    size = np.abs(values)
    kept = np.flatnonzero(size > slack * np.max(size, initial=0.0))
    scaled = columns[:, kept] * size[kept]
    share = values[kept] / size[kept]
    share = share + np.linalg.lstsq(scaled, target - scaled @ share, rcond=None)[0]
    sparse = np.zeros_like(values)
    sparse[kept] = size[kept] * share
    missed, allowed = (np.linalg.norm(columns @ each - target) for each in (sparse, values))
    fits = missed <= max(2.0 * allowed, _ROUNDING * np.linalg.norm(target))
    small = np.sum(np.abs(sparse)) <= (1.0 + _ROUNDING) * np.sum(size)
    return sparse if fits and small and not (one_sided and np.any(sparse < 0)) else values
