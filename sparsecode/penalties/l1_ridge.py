"""The elastic net: the l1 norm and a ridge, which keeps correlated columns together.

    value(w) = alpha sum_j weights_j (l1_ratio |w_j| + (1 - l1_ratio) |w_j|**2 / 2)

Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.
"""

from typing import NamedTuple

from .._array import array_namespace
from ._checks import require
from ._radial import radial
from ._registry import scalar_prox
from .l1 import L1

__all__ = ["L1Ridge"]


@radial
class L1Ridge(NamedTuple):
    """``alpha * sum_j weights_j (l1_ratio |w_j| + (1 - l1_ratio) |w_j|**2 / 2)``, restricted to ``w >= 0`` if `positive`.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    l1_ratio : float, default=0.5
        Share of the l1 norm, from 0 (ridge) to 1 (l1 alone).
    positive : bool, default=False
        Whether negative coefficients are forbidden.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1Ridge
    >>> L1Ridge(1.0, l1_ratio=0.5).prox(np.array([3.5, -0.25]), 2.0)
    array([ 1.25, -0.  ])
    """

    alpha: float
    l1_ratio: float = 0.5
    positive: bool = False

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    def check(self, n_features):
        """Raise a ValueError if a parameter is out of range."""
        require(0 <= self.l1_ratio <= 1, f"L1Ridge.l1_ratio must lie between 0 and 1; got {self.l1_ratio!r}.")

    def cost(self, size):
        """The penalty of one modulus."""
        return self.alpha * size * (self.l1_ratio + 0.5 * (1.0 - self.l1_ratio) * size)

    def slope(self, size):
        """Its derivative."""
        return self.alpha * (self.l1_ratio + (1.0 - self.l1_ratio) * size)

    def shrink(self, size, step):
        """Its prox: soft threshold, then ridge."""
        xp = array_namespace(size)
        soft = xp.maximum(size - step * (self.alpha * self.l1_ratio), xp.zeros_like(size))
        return soft / (1.0 + step * (self.alpha * (1.0 - self.l1_ratio)))

    def dual_limit(self, correlation, weights=None):
        """Largest s with a finite conjugate at ``s * correlation``: any, unless the ridge is missing."""
        if self.l1_ratio == 1:
            return L1(self.alpha, self.positive).dual_limit(correlation, weights)
        top = array_namespace(correlation).max(array_namespace(correlation).abs(correlation), axis=0)
        return array_namespace(top).full_like(top, float("inf"))

    def conjugate(self, correlation, weights=None):
        """Convex conjugate, one number a target; correlations of free coefficients must be zero already."""
        xp = array_namespace(correlation)
        if self.l1_ratio == 1:
            return xp.sum(0 * xp.abs(correlation), axis=0)
        size = correlation if self.positive else xp.abs(correlation)
        scale = xp.ones_like(size)
        if weights is not None:
            counted = (weights > 0) & ~xp.isinf(weights)
            scale = scale * xp.where(counted, weights, xp.ones_like(weights))
            size = xp.where(counted, size, xp.zeros_like(size))
        beyond = xp.maximum(size - scale * (self.alpha * self.l1_ratio), xp.zeros_like(size))
        return xp.sum(beyond * beyond / scale, axis=0) / (2.0 * self.alpha * (1.0 - self.l1_ratio))


@scalar_prox(L1Ridge)
def _prox(penalty, value, step):
    threshold = step * penalty.alpha * penalty.l1_ratio
    divisor = 1.0 + step * penalty.alpha * (1.0 - penalty.l1_ratio)
    if value > threshold:
        return (value - threshold) / divisor
    if value < -threshold and not penalty.positive:
        return (value + threshold) / divisor
    return 0.0 * value
