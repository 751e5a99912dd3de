"""Elastic costs ``h(z) = |z|^2 / 2 + tau(z)``: those whose optimal displacements are sparse.

The displacement of the transport map for such a cost is a prox of tau, and proxes of norms with kinks are zero in many
features. One class a regulariser: its prox, and what a block of points adds to the two sums over pairs, costs and mean slopes
over a plan. Those that are sums over features also give charge and slope of one number, which sparse points need.

Cuturi, Klein and Ablin, "Monge, Bregman and Occam: interpretable optimal transport in high dimensions with feature-sparse
maps", 2023 (arXiv 2302.04065). Schreck, Fort, Le Corff and Moulines, "A shrinkage-thresholding Metropolis adjusted Langevin
algorithm for Bayesian variable selection", 2016 (arXiv 1312.5658): soft thresholding with vanishing shrinkage.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._validation import as_count, as_number
from ..penalties import L1, GroupL1, SparseEnvelope
from ..penalties._groups import as_labels, groups_of

__all__ = ["PENALTIES", "Absolute", "Group", "KSupport", "VanishingShrinkage", "elastic_regulariser"]

PENALTIES = ("l1", "elastic", "stvs", "group", "k_support")


class Absolute(NamedTuple):
    """``tau(z) = gamma |z|_1 + ridge / 2 |z|^2``; without the ridge the l1 norm."""

    gamma: float
    ridge: float = 0.0

    @property
    def is_separable(self):
        """Whether it is a sum over features."""
        return True

    def charge(self, differences):
        """tau of each number by itself."""
        return self.gamma * np.abs(differences) + 0.5 * self.ridge * differences**2

    def slope(self, differences):
        """The gradient, zero at kinks."""
        return self.gamma * np.sign(differences) + self.ridge * differences

    def prox(self, rows):
        """Soft threshold, then shrinkage by the ridge."""
        return L1(self.gamma).prox(rows, 1.0) / (1.0 + self.ridge)

    def add_costs(self, columns, targets, out):
        """Add h between sources (d, L), one a column, and targets (m, d) to `out` (m, L)."""
        from ..kernels.transport_elastic import absolute_costs

        absolute_costs(columns, targets, self.gamma, 0.5 * (1.0 + self.ridge), out)

    def add_overlaps(self, sources, targets, charges, out):
        """Add ``h(v - w) - h(v) - h(w)`` over the features that compressed rows and compressed columns share.

        `charges` are those of the entries of the targets, of which the l1 norm needs none.
        """
        from ..kernels.transport_elastic import absolute_overlaps

        parts = (*_parts(sources), *_parts(targets))
        absolute_overlaps(*parts, self.gamma, 0.5 * (1.0 + self.ridge), out)

    def add_pull(self, sources, targets, plan, out):
        """Add the mean slope ``sum_j plan[i, j] grad tau(sources[i] - targets[j])`` to `out` (q, d)."""
        from ..kernels.transport_elastic import absolute_pull

        absolute_pull(sources, targets, plan, self.gamma, out)
        if self.ridge:
            out += self.ridge * (plan.sum(axis=1)[:, None] * sources - plan @ targets)

    def add_sparse_pull(self, sources, targets, plan, out):
        """The same for targets in compressed rows, less what targets that are zero would add."""
        from ..kernels.transport_elastic import absolute_sparse_pull

        absolute_sparse_pull(sources, *_parts(targets), plan, self.gamma, out)
        if self.ridge:
            out -= self.ridge * (plan @ targets)


class VanishingShrinkage(NamedTuple):
    """Soft thresholding with vanishing shrinkage, ``scale`` times the regulariser of threshold `gamma`.

    ``tau(z) = scale gamma^2 sum_k (s_k + 1/2 - exp(-2 s_k) / 2)``, ``s = asinh(|z| / (2 gamma))``. Its curvature is never below
    ``-scale / 2``, so h is convex up to a scale of 2.
    """

    gamma: float
    scale: float = 1.0

    @property
    def is_separable(self):
        """Whether it is a sum over features."""
        return True

    def charge(self, differences):
        """tau of each number by itself."""
        s = np.arcsinh(np.abs(differences) / (2.0 * self.gamma))
        return self.scale * self.gamma**2 * (s - 0.5 * np.expm1(-2.0 * s))

    def slope(self, differences):
        """The gradient, zero at zero."""
        half = 0.5 * np.abs(differences)
        root = np.sqrt(half * half + self.gamma**2)
        return self.scale * self.gamma**2 * np.sign(differences) / (root + half)

    def prox(self, rows):
        """Zero up to ``scale gamma``; beyond, the root of ``z + tau'(z) = w``, whose shrinkage vanishes as w grows."""
        size, threshold = np.abs(rows), self.scale * self.gamma
        root = np.sqrt(np.maximum(size * size + 4.0 * (1.0 - self.scale) * self.gamma**2, 0.0))
        below = (2.0 - self.scale) * size + self.scale * root
        beyond = 2.0 * (size - threshold) * (size + threshold) / np.where(size > threshold, below, 1.0)
        return np.where(size > threshold, np.sign(rows) * beyond, 0.0)

    def add_costs(self, columns, targets, out):
        """As in `Absolute`."""
        from ..kernels.transport_elastic import stvs_costs

        stvs_costs(columns, targets, self.gamma, self.scale, out)

    def add_overlaps(self, sources, targets, charges, out):
        """As in `Absolute`."""
        from ..kernels.transport_elastic import stvs_overlaps

        stvs_overlaps(*_parts(sources), *_parts(targets), charges, self.gamma, self.scale, out)

    def add_pull(self, sources, targets, plan, out):
        """As in `Absolute`."""
        from ..kernels.transport_elastic import stvs_pull

        stvs_pull(sources, targets, plan, self.gamma, self.scale, out)

    def add_sparse_pull(self, sources, targets, plan, out):
        """As in `Absolute`."""
        from ..kernels.transport_elastic import stvs_sparse_pull

        stvs_sparse_pull(sources, *_parts(targets), plan, self.gamma, self.scale, out)


class Group(NamedTuple):
    """``tau(z) = gamma sum_g weights_g |z_g|``: groups of features move together, or not at all."""

    gamma: float
    groups: int | tuple = 1
    weights: tuple | None = None

    @property
    def is_separable(self):
        """Whether it is a sum over features."""
        return False

    def layout(self, d):
        """Order in which groups are neighbours, starts of the groups in it (and the end), and strength of each."""
        groups = groups_of(self.groups, d)
        weights = np.sqrt(groups.sizes) if self.weights is None else np.asarray(self.weights, dtype=np.float64)
        starts = np.concatenate([groups.starts, [d]]).astype(np.int64)
        return None if groups.in_order else groups.order, starts, self.gamma * weights

    def prox(self, rows):
        """Block soft threshold."""
        return GroupL1(self.gamma, self.groups, self.weights).prox(rows.T, 1.0).T

    def add_costs(self, columns, targets, out):
        """As in `Absolute`."""
        from ..kernels.transport_elastic import group_costs

        order, starts, weights = self.layout(targets.shape[1])
        if order is not None:
            columns, targets = columns[order], targets[:, order]
        group_costs(columns, targets, starts, weights, out)

    def add_pull(self, sources, targets, plan, out):
        """As in `Absolute`."""
        from ..kernels.transport_elastic import group_pull

        order, starts, weights = self.layout(targets.shape[1])
        if order is None:
            group_pull(sources, targets, plan, starts, weights, out)
            return
        moved = np.zeros_like(out)
        group_pull(sources[:, order], targets[:, order], plan, starts, weights, moved)
        out[:, order] += moved


class KSupport(NamedTuple):
    """``tau(z) = gamma / 2 |z|_k^2`` with the k-support norm: between the squared l1 norm (k = 1) and ridge (k = d)."""

    gamma: float
    k: int = 1

    @property
    def is_separable(self):
        """Whether it is a sum over features."""
        return False

    def prox(self, rows):
        """Each feature shrunk as by ridge, the more the smaller its share of the budget."""
        return SparseEnvelope(self.gamma, self.k).prox(rows.T, 1.0).T

    def add_costs(self, columns, targets, out):
        """As in `Absolute`."""
        from ..kernels.transport_elastic import k_support_costs

        k_support_costs(columns, targets, self.k, self.gamma, out)

    def add_pull(self, sources, targets, plan, out):
        """As in `Absolute`."""
        from ..kernels.transport_elastic import k_support_pull

        k_support_pull(sources, targets, plan, self.k, self.gamma, out)


def elastic_regulariser(penalty, gamma, d, *, ridge=1.0, scale=1.0, groups=None, group_weights=None, k=1):
    """The regulariser of that name for d features, or an error that names the argument that does not fit it."""
    gamma = as_number(gamma, "gamma")
    if penalty == "l1":
        return Absolute(gamma)
    if penalty == "elastic":
        return Absolute(gamma, as_number(ridge, "ridge"))
    if penalty == "stvs":
        gamma = as_number(gamma, "gamma", strict=True)
        scale = as_number(scale, "scale")
        if scale >= 2.0:
            raise ValueError(f"scale must be below 2, where the cost stops being convex; got {scale:g}.")
        return VanishingShrinkage(gamma, scale)
    if penalty == "group":
        return _group(gamma, d, groups, group_weights)
    if penalty == "k_support":
        k = as_count(k, "k")
        if k > d:
            raise ValueError(f"k must lie between 1 and the number of features, {d}; got {k}.")
        return KSupport(gamma, k)
    raise ValueError(f"penalty must be one of {', '.join(map(repr, PENALTIES))}; got {penalty!r}.")


def _group(gamma, d, groups, weights):
    if groups is None:
        raise ValueError("penalty='group' needs groups: a block size, or one label for each feature.")
    if not isinstance(groups, (int, np.integer)):
        groups = as_labels(groups)
    weights = None if weights is None else tuple(np.asarray(weights, dtype=np.float64).tolist())
    GroupL1(gamma, groups, weights).check(d)
    if weights is not None and not np.all(np.isfinite(weights)):
        raise ValueError("group_weights must be finite: leave features that must not move out of both samples.")
    return Group(gamma, groups, weights)


def _parts(matrix):
    return matrix.data, matrix.indices, matrix.indptr
