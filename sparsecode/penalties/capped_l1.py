"""Capped l1: the l1 norm up to a size, constant beyond.

    value(w) = alpha sum_j weights_j min(|w_j|, cap)

Zhang, "Analysis of multi-stage convex relaxation for sparse regularization", 2010.
"""

import math
from typing import NamedTuple

from .._array import array_namespace
from ._checks import require_positive
from ._radial import radial
from ._registry import scalar_prox

__all__ = ["CappedL1"]


@radial
class CappedL1(NamedTuple):
    """``alpha * sum_j weights_j min(|w_j|, cap)``; not convex.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    cap : float, default=1.0
        Size from which on a coefficient costs nothing more.
    positive : bool, default=False
        Whether negative coefficients are forbidden.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import CappedL1
    >>> CappedL1(1.0, cap=2.0).prox(np.array([0.5, 2.0, 2.6]), 1.0)
    array([0. , 1. , 2.6])
    """

    alpha: float
    cap: float = 1.0
    positive: bool = False

    def check(self, n_features):
        """Raise a ValueError if a parameter is out of range."""
        require_positive(self, "cap")

    def cost(self, size):
        """The penalty of one modulus."""
        return self.alpha * array_namespace(size).clip(size, max=self.cap)

    def slope(self, size):
        """Its derivative (at the cap, which no prox returns, from the right)."""
        xp = array_namespace(size)
        return xp.where(size < self.cap, xp.full_like(size, self.alpha), xp.zeros_like(size))

    def shrink(self, size, step):
        """Its prox: soft threshold below, identity above the size where both cost the same."""
        xp = array_namespace(size)
        strength, cap = step * self.alpha, self.cap
        even = xp.where(strength <= 2.0 * cap, cap + 0.5 * strength, xp.sqrt(2.0 * strength * cap))
        return xp.where(size > even, size, xp.maximum(size - strength, xp.zeros_like(size)))


@scalar_prox(CappedL1)
def _prox(penalty, value, step):
    size = max(value, 0.0) if penalty.positive else abs(value)
    strength, cap = step * penalty.alpha, penalty.cap
    even = cap + 0.5 * strength if strength <= 2.0 * cap else math.sqrt(2.0 * strength * cap)
    if size > even:
        return value
    return math.copysign(size - strength, value) if size > strength else 0.0 * value
