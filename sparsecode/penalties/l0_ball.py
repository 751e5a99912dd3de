"""The l0 ball: at most k coefficients are not zero.

    value(w) = 0 if card{j : w_j != 0} <= k, else inf

Its prox is the projection H_k that keeps the k largest magnitudes (ties go to the lowest index).
"""

from __future__ import annotations

from typing import NamedTuple

from .._array import array_namespace, hard_threshold_mask

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

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L0Ball
    >>> L0Ball(1).prox(np.array([3.0, -5.0, 1.0]), 1.0)
    array([ 0., -5.,  0.])
    """

    n_nonzero: int
    positive: bool = False

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
        outside = xp.count_nonzero(self._counted(coef, weights), axis=0) > self.n_nonzero
        if self.positive:
            outside = outside | xp.any(coef < 0, axis=0)
        if weights is not None:
            outside = outside | xp.any((coef != 0) & xp.isinf(weights), axis=0)
        return xp.where(outside, xp.asarray(float("inf"), dtype=xp.float64), xp.asarray(0.0, dtype=xp.float64))

    def _counted(self, coef, weights):
        return coef != 0 if weights is None else (coef != 0) & (weights > 0)

    def prox(self, coef, step):
        """Projection on the ball; of `step` only the ratios matter, which carry the weights."""
        xp = array_namespace(coef)
        return xp.where(self.keep(coef, step if getattr(step, "ndim", 0) else None), coef, xp.zeros_like(coef))

    def keep(self, coef, weights=None):
        """Mask of the coefficients that the projection leaves: the free ones and the `n_nonzero` largest others."""
        xp = array_namespace(coef)
        size = xp.maximum(coef, xp.zeros_like(coef)) if self.positive else xp.abs(coef)
        if weights is None:
            return hard_threshold_mask(size, self.n_nonzero) & (size > 0)
        free = weights == 0
        rank = xp.where(free, xp.zeros_like(size), size / xp.where(free, xp.ones_like(weights), weights))
        return (hard_threshold_mask(rank, self.n_nonzero) & (rank > 0)) | (free & (size > 0))

    def subdiff_distance(self, grad, coef, weights=None):
        """Size of the gradient on the support: what a stationary point of the constrained problem brings to zero.

        Off the support nothing is asked while the support is full; while it is not, every coordinate counts.
        """
        xp = array_namespace(grad)
        size = xp.abs(grad)
        if self.positive:
            size = xp.where(coef > 0, size, xp.maximum(-grad, xp.zeros_like(grad)))
        asked = (coef != 0) | (xp.count_nonzero(self._counted(coef, weights), axis=0) < self.n_nonzero)
        if weights is not None:
            asked = (asked | (weights == 0)) & xp.isfinite(weights)
        return xp.where(asked, size, xp.zeros_like(size))
