"""Which coefficients form a block, and what a block costs: what group penalties and the rows of many targets have in common.

    penalty(W) = alpha sum_b (single sum |w_jt| + weights_b ||W_b||)

Coefficients stand with targets first, (n_targets, n_columns), the columns of a block side by side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...penalties import GroupL1, RowL2, SparseGroupL1
from ...penalties._groups import groups_of

__all__ = ["Blocks", "block_norms", "blocks_of"]

_NEWTON_STEPS = 60


class Blocks(NamedTuple):
    """Some blocks of a problem."""

    columns: np.ndarray  # (n_columns,) columns of the design, block by block
    starts: np.ndarray  # (n_blocks + 1,) where each block begins, and the end
    weights: np.ndarray  # (n_blocks,) of the norms, from 0 to inf
    single: float  # weight of the l1 norm

    @property
    def sizes(self):
        """Columns in each block."""
        return self.starts[1:] - self.starts[:-1]

    @property
    def is_free(self):
        """Which blocks the penalty does not charge."""
        return (self.weights == 0) & (self.single == 0)

    def pick(self, chosen):
        """The chosen blocks alone."""
        sizes = self.sizes[chosen]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        within = np.arange(starts[-1]) - np.repeat(starts[:-1], sizes)
        return self._replace(
            columns=self.columns[np.repeat(self.starts[:-1][chosen], sizes) + within],
            starts=starts,
            weights=self.weights[chosen],
        )

    def join(self, others):
        """These blocks, and then the others."""
        return self._replace(
            columns=np.concatenate([self.columns, others.columns]),
            starts=np.concatenate([self.starts, self.starts[-1] + others.starts[1:]]),
            weights=np.concatenate([self.weights, others.weights]),
        )

    def of(self, values):
        """Coefficients or correlations (n_features, ...) of these columns, targets first."""
        picked = values[self.columns]
        return np.ascontiguousarray(picked.T) if picked.ndim == 2 else picked[None, :]

    def used(self, coef):
        """Which blocks hold a coefficient (n_targets, n_columns) that is not zero."""
        return np.logical_or.reduceat(coef.any(axis=0), self.starts[:-1])

    def spread(self, values):
        """One value a block, given to each of its columns."""
        return np.repeat(values, self.sizes)

    def charge(self, coef, alpha):
        """The penalty of coefficients (n_targets, n_columns)."""
        total = self.weights @ block_norms(coef, self.starts)
        return alpha * (total + self.single * np.abs(coef).sum() if self.single else total)

    def critical(self, correlation):
        """The strength from which on each block is zero if its correlations (n_targets, n_columns) are these.

        It is where ``||soft(correlation_b, alpha single)|| - alpha weights_b``, convex and falling in alpha, vanishes: Newton's
        method reaches it from below. Infinite for free blocks with any correlation, zero for excluded ones.
        """
        excluded = np.isinf(self.weights)
        weights = np.where(excluded, 1.0, self.weights)
        slope = weights + self.single * np.sqrt(self.sizes * len(correlation))
        norms = block_norms(correlation, self.starts)
        alpha = np.divide(norms, slope, out=np.where(norms > 0, np.inf, 0.0), where=slope > 0)
        if self.single > 0:
            alpha = self._newton(np.abs(correlation), weights, alpha)
        return np.where(excluded, 0.0, alpha)

    def _newton(self, size, weights, alpha):
        for _ in range(_NEWTON_STEPS):
            left = np.maximum(size - self.single * self.spread(alpha), 0.0)
            norms = block_norms(left, self.starts)
            along = self.single * np.add.reduceat(left.sum(axis=0), self.starts[:-1])
            excess = norms - alpha * weights
            fall = np.divide(along, norms, out=np.zeros_like(norms), where=norms > 0) + weights
            step = np.divide(excess, fall, out=np.zeros_like(norms), where=(fall > 0) & (excess > 0))
            if not np.any(step > np.finfo(np.float64).eps * alpha):
                break
            alpha = alpha + step
        return alpha


def block_norms(values, starts):
    """Euclidean norms of the blocks of values (n_targets, n_columns)."""
    squares = values[0] * values[0] if len(values) == 1 else np.einsum("tj,tj->j", values, values)
    if squares.size == starts.size - 1:
        return np.sqrt(squares)
    return np.sqrt(np.add.reduceat(squares, starts[:-1]))


def blocks_of(problem):
    """The blocks of a problem; None if its penalty has none."""
    penalty = problem.penalty
    if isinstance(penalty, RowL2):
        given = problem.penalty_weights
        weights = np.ones(problem.n_features) if given is None else np.asarray(given, dtype=np.float64)
        return Blocks(np.arange(problem.n_features), np.arange(problem.n_features + 1), weights, 0.0)
    if not isinstance(penalty, (GroupL1, SparseGroupL1)):
        return None
    groups = groups_of(penalty.groups, problem.n_features)
    weights = groups.weights(penalty.weights, groups.sizes.astype(np.float64))
    starts = np.append(groups.starts, problem.n_features)
    single = float(getattr(penalty, "l1_ratio", 0.0))
    return Blocks(groups.order, starts, weights if single == 0 else _scaled(weights, 1.0 - single), single)


def _scaled(weights, share):
    """Weights times a share that may be zero; infinite ones stay."""
    return np.where(np.isinf(weights), np.inf, share * np.where(np.isinf(weights), 0.0, weights))
