"""Activations of one signal at a time: a prox step from zero, as the codes of a sparse autoencoder.

With unit step and tied weights ``prox_phi(D x)`` is one step of proximal gradient for ``1/2 ||x - z D||^2 + phi(z)``; an autoencoder unties them:

    TopK            {||z||_0 <= k, z >= 0}                the k largest; AbsTopK without the sign: the k largest in modulus
    Prox            any separable penalty phi             ReLU with the bias -alpha: phi = alpha ||z||_1, z >= 0
    JumpReLU        alpha ||z||_0, z >= 0                 thresholds sqrt(2 alpha) to begin with, then learned
    GradientTopK    TopK by what an entry does to a downstream loss

Where phi is a penalty and no constraint it belongs to the objective, and its slope there is ``pre - z``, which is what a prox means.

Zhu, Khalili and Zhu, "AbsTopK: rethinking sparse autoencoders for bidirectional features", 2025 (arXiv 2510.00404). Gao, la Tour, Tillman and others,
"Scaling and evaluating sparse autoencoders", 2024 (arXiv 2406.04093). Rajamanoharan, Lieberum, Sonnerat and others, "Jumping ahead:
improving reconstruction fidelity with JumpReLU sparse autoencoders", 2024 (arXiv 2407.14435). Olmo, Wilson, Forsey and others, "Features that
make a difference: leveraging gradients for improved dictionary learning", 2024 (arXiv 2411.10397).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, hard_threshold_mask
from ..._parallel import map_blocks
from ...penalties import L0, L1
from .encoder import above, largest_of_rows, largest_scores, pre_activations
from .parameters import Codes, DenseCodes, plain_codes, plain_dense

__all__ = ["GradientTopK", "JumpReLU", "Prox", "TopK"]

_STEP = 1e-6  # over which a prox is differentiated, relative
_BLOCK = 256  # signals whose pre-activations are held at a time


class TopK(NamedTuple):
    """The projection of each row on ``{||z||_0 <= k, z >= 0}``, or on ``{||z||_0 <= k}`` where signed; ties go to the lowest index."""

    k: int
    signed: bool = False

    def codes(self, parameters, X, life=None, n_jobs=None) -> Codes:
        """Codes of a batch."""
        return plain_codes(*largest_of_rows(parameters, X, self.k, self.signed, n_jobs))

    def dense(self, pre, threshold, life=None) -> DenseCodes:
        """The same from pre-activations (n, m), in any array namespace."""
        xp = array_namespace(pre)
        size = xp.abs(pre) if self.signed else pre
        keep = hard_threshold_mask(size.T, min(self.k, pre.shape[1])).T & (size > 0)
        return plain_dense(pre, keep)


class Prox(NamedTuple):
    """The prox of a separable penalty; `scale` is that of the signals in units of the penalty."""

    penalty: Any
    scale: float = 1.0

    def codes(self, parameters, X, life=None, n_jobs=None) -> Codes:
        """Codes of a batch."""

        def block(start, stop):
            pre = pre_activations(parameters, X[start:stop])
            z, slope, cost = self._made(pre)
            rows, columns = np.nonzero(z)
            values = z[rows, columns]
            pulls = pre[rows, columns] - values
            counts = np.bincount(rows, minlength=stop - start)
            return counts, columns.astype(np.int32), values, slope[rows, columns], pulls, cost

        parts = list(zip(*map_blocks(block, X.shape[0], _BLOCK, n_jobs), strict=True))
        counts, indices, values, slopes, pulls = (np.concatenate(part) for part in parts[:5])
        indptr = np.concatenate([[0], np.cumsum(counts)])
        return Codes(indptr, indices, values, slopes, None, sum(parts[5]) / X.shape[0], pulls, None)

    def dense(self, pre, threshold, life=None) -> DenseCodes:
        """The same from pre-activations (n, m), in any array namespace."""
        xp = array_namespace(pre)
        z, slope, cost = self._made(pre)
        zero = xp.zeros_like(pre)
        pulls = xp.where(z != 0, pre - z, zero)
        return DenseCodes(z, xp.where(z != 0, slope, zero), None, cost / pre.shape[0], pulls, None)

    def _made(self, pre):
        """The prox, how it changes outwards (where it is continuous), and the sum of the penalty."""
        xp = array_namespace(pre)
        in_units = self._prox(pre)
        cost = float(xp.sum(self.penalty.value(in_units))) / self.scale**2
        z = in_units.T / self.scale
        if isinstance(self.penalty, (L0, L1)):
            return z, xp.ones_like(pre), cost
        double = xp.astype(pre, xp.float64)
        step = _STEP * xp.where(double < 0, -xp.ones_like(double), xp.ones_like(double)) * (xp.abs(double) + 1.0)
        change = (self._prox(double + step) - self._prox(double)).T / (self.scale * step)
        return z, xp.astype(change, pre.dtype), cost

    def _prox(self, pre):
        """In units of the penalty, which takes one signal a column: (m, n)."""
        return self.penalty.prox(pre.T * self.scale, 1.0)


class JumpReLU(NamedTuple):
    """``z = pre`` above a learned threshold, else zero, at the price of `alpha` an entry.

    The slopes in the threshold are those of a straight-through estimator: with the kernel 1 on ``|pre - threshold| < bandwidth / 2``,

        d z / d threshold = - threshold / bandwidth,      d ||z||_0 / d threshold = - 1 / bandwidth

    With a `target` the price is ``alpha (L0 / target - 1)^2`` of the mean number of entries instead.
    """

    alpha: float
    bandwidth: float
    target: float | None = None

    def codes(self, parameters, X, life=None, n_jobs=None) -> Codes:
        """Codes of a batch; in training with the entries in the window below the threshold, of value zero."""
        threshold, half = parameters.threshold, 0.5 * self.bandwidth
        if life is None:
            return plain_codes(*above(parameters, X, threshold, n_jobs))
        indptr, indices, pre = above(parameters, X, np.maximum(threshold - half, 0), n_jobs)
        own = threshold[indices]
        on, near = pre > own, np.abs(pre - own) < half
        dtype = pre.dtype
        jumps = np.where(near, -own / self.bandwidth, 0).astype(dtype)
        cost, price = self._price(np.count_nonzero(on) / X.shape[0])
        pulled = np.bincount(indices, near, minlength=threshold.size) * (-price / (self.bandwidth * X.shape[0]))
        return Codes(indptr, indices, np.where(on, pre, 0), on.astype(dtype), jumps, cost, None, pulled.astype(dtype))

    def dense(self, pre, threshold, life=None) -> DenseCodes:
        """The same from pre-activations (n, m), in any array namespace."""
        xp = array_namespace(pre)
        on, zero = pre > threshold, xp.zeros_like(pre)
        z = xp.where(on, pre, zero)
        if life is None:
            return plain_dense(pre, on)
        near = (xp.abs(pre - threshold) < 0.5 * self.bandwidth) & (pre > 0)
        jumps = xp.where(near, zero - threshold / self.bandwidth, zero)
        cost, price = self._price(float(xp.sum(xp.astype(on, pre.dtype))) / pre.shape[0])
        pulled = xp.sum(xp.astype(near, pre.dtype), axis=0) * (-price / (self.bandwidth * pre.shape[0]))
        return DenseCodes(z, xp.astype(on, pre.dtype), jumps, cost, None, pulled)

    def _price(self, n_entries):
        """The cost of so many entries in a code, and its slope."""
        if self.target is None:
            return self.alpha * n_entries, self.alpha
        excess = n_entries / self.target - 1.0
        return self.alpha * excess**2, 2.0 * self.alpha * excess / self.target


class GradientTopK(NamedTuple):
    """TopK by ``pre_j |<d_j, g>|``, to first order what entry j changes of a downstream loss with gradient g in the signal.

    `slopes` (n, p) are those gradients for the signals of one batch, in its order; without them it is `TopK`.
    """

    k: int
    slopes: Any = None

    def given(self, slopes):
        """The activation for the batch that has these slopes."""
        return self._replace(slopes=slopes)

    def codes(self, parameters, X, life=None, n_jobs=None) -> Codes:
        """Codes of a batch."""
        if self.slopes is None:
            return TopK(self.k).codes(parameters, X, life, n_jobs)
        return plain_codes(*largest_scores(parameters, X, self.slopes, self.k, n_jobs))

    def dense(self, pre, threshold, life=None) -> DenseCodes:
        """TopK from pre-activations (n, m), in any array namespace: slopes come with compressed codes only."""
        return TopK(self.k).dense(pre, threshold, life)
