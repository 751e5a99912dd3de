"""The l0 ball: at most k coefficients are not zero, counted one by one, in blocks, or in rows shared by all targets.

    value(w) = 0 if card{j : w_j != 0} <= k, else inf

Its prox is the projection H_k that keeps the k largest magnitudes (ties go to the lowest index); blocks and rows are compared
by their Euclidean norms.
"""

from typing import NamedTuple

import numpy as np

from .._array import array_namespace, as_double, device, hard_threshold_mask

__all__ = ["L0Ball"]


class L0Ball(NamedTuple):
    """Constraint of at most `n_nonzero` non-zero coefficients a target; not convex.

    With penalty weights, magnitudes are divided by their weight before the largest are kept; coefficients of weight 0
    are free and not counted, those of weight inf are excluded.

    Parameters
    ----------
    n_nonzero : int
        Sparsity level, at least 0.
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    block_size : int, default=1
        Coefficients ``0 .. block_size - 1``, ``block_size .. 2 block_size - 1``, ... stand or fall together; at most
        ``n_nonzero // block_size`` blocks are not zero.
    joint : bool, default=False
        Whether all targets share one support: rows of coefficients are counted.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L0Ball
    >>> L0Ball(1).prox(np.array([3.0, -5.0, 1.0]), 1.0)
    array([ 0., -5.,  0.])
    >>> L0Ball(2, block_size=2).prox(np.array([4.0, -4.0, 5.0, 1.0]), 1.0)
    array([ 4., -4.,  0.,  0.])
    """

    n_nonzero: int
    positive: bool = False
    block_size: int = 1
    joint: bool = False

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return False

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients, which coordinate-wise kernels need."""
        return False

    @property
    def supports_weights(self):
        """Whether penalty weights apply although the penalty is not separable."""
        return True

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return not self.positive

    def value(self, coef, weights=None):
        """Zero inside the ball, inf outside, one number a target."""
        xp = array_namespace(coef)
        none = xp.zeros(coef.shape[1:], dtype=xp.bool, device=device(coef))
        outside = none | (self._n_in_use(coef, weights) > self.n_nonzero // self.block_size)
        if self.positive:
            outside = outside | xp.any(coef < 0, axis=0)
        if weights is not None:
            outside = outside | xp.any((coef != 0) & xp.isinf(weights), axis=0)
        return xp.where(outside, xp.asarray(float("inf"), dtype=xp.float64), xp.asarray(0.0, dtype=xp.float64))

    def _n_in_use(self, coef, weights):
        """Coefficients, blocks or rows that are not zero, the free ones aside: one number a target."""
        xp = array_namespace(coef)
        used = coef != 0 if weights is None else (coef != 0) & (weights > 0)
        groups = self._group_sizes(xp.astype(used, xp.float64))
        return xp.count_nonzero(groups, axis=0)

    def _group_sizes(self, size):
        """What is compared: magnitudes (n_features, ...), or the norms of what stands and falls together."""
        xp = array_namespace(size)
        joint = self.joint and size.ndim == 2
        if self.block_size == 1 and not joint:
            return size
        with np.errstate(over="ignore"):
            squares = as_double(size) ** 2
        if joint:
            squares = xp.sum(squares, axis=1, keepdims=True)
        if self.block_size > 1:
            missing = -squares.shape[0] % self.block_size
            if missing:
                filler = xp.zeros((missing, *squares.shape[1:]), dtype=squares.dtype, device=device(squares))
                squares = xp.concat([squares, filler], axis=0)
            squares = xp.sum(xp.reshape(squares, (-1, self.block_size, *squares.shape[1:])), axis=1)
        return xp.sqrt(squares)

    def _ungrouped(self, mask, like):
        """A mask of groups as one of coefficients, shaped like `like`."""
        xp = array_namespace(mask)
        if self.block_size > 1:
            mask = xp.repeat(mask, self.block_size, axis=0)[: like.shape[0], ...]
        return mask & xp.ones_like(like, dtype=xp.bool) if mask.shape != like.shape else mask

    def together(self, mask, weights=None):
        """The mask of all coefficients that stand or fall with one in `mask`: a free one stands alone, an excluded one falls."""
        xp = array_namespace(mask)
        if weights is None:
            return self._ungrouped(self._group_sizes(xp.astype(mask, xp.float64)) > 0, mask)
        charged = (weights > 0) & xp.isfinite(weights)
        return (self.together(mask & charged) & charged) | (mask & (weights == 0))

    def prox(self, coef, step):
        """Projection on the ball; of `step` only the ratios matter, which carry the weights."""
        xp = array_namespace(coef)
        return xp.where(self.keep(coef, step if getattr(step, "ndim", 0) else None), coef, xp.zeros_like(coef))

    def keep(self, coef, weights=None):
        """Mask of the coefficients that the projection leaves: the free ones and the `n_nonzero` largest others."""
        xp = array_namespace(coef)
        size = xp.maximum(coef, xp.zeros_like(coef)) if self.positive else xp.abs(coef)
        if weights is None:
            return self._largest(size)
        free = weights == 0
        with np.errstate(over="ignore"):  # by a tiny weight: first of all, as it should be
            rank = xp.where(free, xp.zeros_like(size), size / xp.where(free, xp.ones_like(weights), weights))
        return (self._largest(rank) & xp.isfinite(weights) & ~free) | (free & (size > 0))

    def _largest(self, rank):
        groups = self._group_sizes(rank)
        mask = self._ungrouped(hard_threshold_mask(groups, self.n_nonzero // self.block_size) & (groups > 0), rank)
        return mask & (rank > 0) if self.positive else mask

    def subdiff_distance(self, grad, coef, weights=None):
        """Size of the gradient on the support: what a stationary point of the constrained problem brings to zero.

        Off the support nothing is asked while the support is full; while it is not, every coordinate counts.
        """
        xp = array_namespace(grad)
        size = xp.abs(grad)
        if self.positive:
            size = xp.where(coef > 0, size, xp.maximum(-grad, xp.zeros_like(grad)))
        in_use = self.together(coef != 0, weights)
        asked = in_use | (self._n_in_use(coef, weights) < self.n_nonzero // self.block_size)
        if weights is not None:
            asked = (asked & xp.isfinite(weights)) | (weights == 0)
        return xp.where(asked, size, xp.zeros_like(size))
