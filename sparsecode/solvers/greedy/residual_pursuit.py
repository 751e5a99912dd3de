"""The pursuit in residual form: one product with the adjoint for each atom, and no Gram matrix.

    select j by |a_j^H r|      q = (a_j - Q Q^H a_j) / d      z = q^H r      r -= z q

with Gram-Schmidt done twice, so that Q stays orthonormal to rounding. Columns, Q and r are kept in double precision whatever
the design; OLS correlates q in place of r and updates ``c -= z A^H q`` and the norms outside the span, ``n -= |A^H q|^2``.
All targets advance together, so that their products with the design are one matrix product.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from ..._parallel import single_threaded_blas, worker_pool
from .rules import Settings, preferences
from .screening import RoundedColumns, pays

__all__ = ["residual_pursuit"]

_PRODUCT_BYTES = 1 << 26  # correlations held at a time


class Pursued(NamedTuple):
    """One target's code."""

    indices: np.ndarray  # in order of selection
    values: np.ndarray  # double
    sq_residuals: list  # before the first atom, then after each


def residual_pursuit(design, target, settings: Settings, limits, penalty_weights=None, n_jobs=None) -> list[Pursued]:
    """Code each column of `target` (n_samples, n_targets) on a NumPy-backed design."""
    shared = _Shared(design, settings, penalty_weights)
    if pays(design, settings, target.shape[1]):
        with worker_pool(n_jobs), single_threaded_blas():
            shared.rounded = RoundedColumns(design, shared.scale, settings.positive, n_jobs)
            return _in_lockstep([_Target(shared, target[:, 0], limits[0])], shared)
    width = max(1, _PRODUCT_BYTES // (16 * design.shape[1]))
    codes = []
    for start in range(0, target.shape[1], width):
        stop = min(start + width, target.shape[1])
        codes += _in_lockstep([_Target(shared, target[:, p], limits[p]) for p in range(start, stop)], shared)
    return codes


def _in_lockstep(targets, shared):
    """Advance all targets, one atom at a time, until none wants another product."""
    probes = [(one, one.begin()) for one in targets]
    while probes := [(one, probe) for one, probe in probes if probe is not None]:
        if shared.rounded is not None:
            one, probe = probes[0]
            among, product = shared.rounded.correlate(probe, one.closed)
            probes = [(one, one.advance(product, among))]
            continue
        if len(probes) == 1:
            products = shared.correlate(probes[0][1])[:, None]
        else:
            products = shared.correlate(np.stack([probe for _, probe in probes], axis=1))
        probes = [(one, one.advance(products[:, p])) for p, (one, _) in enumerate(probes)]
    return [one.code() for one in targets]


class _Shared:
    """What all targets have in common."""

    def __init__(self, design, settings, penalty_weights):
        self.design, self.settings = design, settings
        self.sq_norms = design.column_sq_norms()
        self.scale, self.preference, self.free, self.first = preferences(self.sq_norms, penalty_weights, settings.first)
        self.dtype = np.result_type(design.dtype, np.float64)
        self.rounded: RoundedColumns | None = None

    def correlate(self, probe):
        """``A^H probe``, computed in the design's precision."""
        design = self.design
        narrow = np.result_type(design.dtype, probe.dtype if probe.dtype.kind == "c" else design.dtype)
        return design.rmatvec(probe.astype(narrow, copy=False))


class _Target:
    """Progress on one target."""

    def __init__(self, shared, target, limit):
        self.shared, self.limit = shared, limit
        self.residual = target.astype(np.result_type(target.dtype, shared.dtype))  # r, a copy
        self.sq_residuals = [_sq(self.residual)]
        self.noise = shared.settings.noise * self.sq_residuals[0]
        self.indices: list[int] = []
        self.directions = np.empty((target.shape[0], 8), dtype=self.residual.dtype, order="F")  # Q
        self.factor = np.zeros((8, 8), dtype=self.residual.dtype)  # R, with A_S = Q R
        self.projection = np.zeros(8, dtype=self.residual.dtype)  # z
        self.closed = np.zeros(shared.sq_norms.size, dtype=bool)
        self.room = shared.settings.n_nonzero
        self.correlations: Any = None
        self.remaining: Any = shared.sq_norms.copy() if shared.settings.orthogonal else None

    def begin(self):
        """Free atoms and others that enter first; then the first vector to correlate, or None if there is nothing to do."""
        for place, j in enumerate(self.shared.first):
            if not self._append(j):
                continue
            self.room -= place >= self.shared.free.size
            if self.remaining is not None:
                self.remaining -= np.abs(self.shared.correlate(self.directions[:, len(self.indices) - 1])) ** 2
        return None if self._done() else self.residual

    def advance(self, product, among=None):
        """Take the product asked for and select an atom `among` those it has; the next vector to correlate, or None at the end."""
        orthogonal = self.shared.settings.orthogonal
        if not orthogonal or self.correlations is None:
            self.correlations = product.astype(np.result_type(product.dtype, np.float64))
        else:
            self.correlations -= self.projection[len(self.indices) - 1] * product
            self.remaining -= np.abs(product) ** 2
        score = self._scores(among)
        rejected: list[int] = []
        while True:
            best = int(np.argmax(score))
            j = best if among is None else int(among[best])
            if not score[best] > 0 or np.abs(self.correlations[best]) ** 2 <= self.noise * self.shared.sq_norms[j]:
                return None  # nothing but rounding error is left
            if self._append(j):
                break
            rejected.append(j)
            if among is not None:  # what is next best is not among them
                self.correlations, among = self.shared.correlate(self.residual).astype(np.float64), None
                score = self._scores(among)
            score[rejected] = 0.0
        self.room -= 1
        if self._done():
            return None
        return self.directions[:, len(self.indices) - 1] if orthogonal else self.residual

    def code(self):
        """Solve for the values."""
        count = len(self.indices)
        return Pursued(np.array(self.indices, dtype=np.int64), self._solve(count), self.sq_residuals)

    def _done(self):
        return self.room <= 0 or len(self.indices) == self.residual.size or self.sq_residuals[-1] <= self.limit

    def _scores(self, among):
        settings, norms = self.shared.settings, self.shared.sq_norms
        size = np.abs(self.correlations) ** 2
        if settings.orthogonal:
            closed = self.closed | (self.remaining <= settings.dependence * norms) | (size <= self.noise * norms)
            score = size * self.shared.preference / np.where(closed, 1.0, self.remaining)
        else:
            closed, scale = self.closed, self.shared.scale
            if among is not None:
                closed, scale = closed[among], scale[among]
            score = size * scale
        if settings.positive:
            closed = closed | (self.correlations <= 0)
        score[closed] = 0.0
        return score

    def _append(self, j):
        """Add atom j; False if it lies in the span of the others, or would make a value negative where that is forbidden."""
        count = len(self.indices)
        if count == self.projection.size:
            self._grow()
        column = self.shared.design.columns(np.array([j]))[:, 0].astype(self.residual.dtype)
        basis = self.directions[:, :count]
        direction = column.copy()
        entries = np.zeros(count, dtype=column.dtype)
        for _ in range(2):
            share = basis.conj().T @ direction if basis.dtype.kind == "c" else basis.T @ direction
            direction -= basis @ share
            entries += share
        distance_sq = _sq(direction)
        if not distance_sq > self.shared.settings.dependence * _sq(column):
            self.closed[j] = True
            return False
        distance = np.sqrt(distance_sq)
        direction /= distance
        self.factor[:count, count] = entries
        self.factor[count, count] = distance
        self.projection[count] = np.vdot(direction, self.residual)
        if self.shared.settings.positive and not np.all(self._solve(count + 1) > 0):
            return False
        self.directions[:, count] = direction
        self.residual = self.residual - self.projection[count] * direction
        self.sq_residuals.append(_sq(self.residual))
        self.indices.append(j)
        self.closed[j] = True
        return True

    def _solve(self, count):
        return solve_triangular(self.factor[:count, :count], self.projection[:count]) if count else self.projection[:0]

    def _grow(self):
        size = self.projection.size
        directions = np.empty((self.residual.size, 2 * size), dtype=self.residual.dtype, order="F")
        directions[:, :size] = self.directions
        self.directions = directions
        self.factor = np.pad(self.factor, (0, size))
        self.projection = np.pad(self.projection, (0, size))


def _sq(vector):
    return float(np.vdot(vector, vector).real)
