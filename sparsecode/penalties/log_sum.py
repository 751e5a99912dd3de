"""The log-sum penalty, which reweighted l1 majorises: between l1 and l0.

    value(w) = alpha sum_j weights_j log(1 + |w_j| / epsilon)

Reweighted l1 solves, again and again, an l1 problem with the weights ``alpha / (epsilon + |w_j|)`` of the last answer, which
`tangent` gives.

Candes, Wakin and Boyd, "Enhancing sparsity by reweighted l1 minimization", 2008 (arXiv 0711.1612).
"""

import math
from typing import NamedTuple

from .._array import array_namespace
from ._checks import require_positive
from ._radial import radial
from ._registry import scalar_prox

__all__ = ["LogSum"]


@radial
class LogSum(NamedTuple):
    """``alpha * sum_j weights_j log(1 + |w_j| / epsilon)``; not convex.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss. Not negative. The slope at zero is ``alpha / epsilon``.
    epsilon : float, default=0.1
        Size of a small coefficient.
    positive : bool, default=False
        Whether negative coefficients are forbidden.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LogSum
    >>> LogSum(1.0, epsilon=1.0).prox(np.array([1.0, 3.0]), 1.0).round(6)
    array([0.      , 2.732051])
    """

    alpha: float
    epsilon: float = 0.1
    positive: bool = False

    @property
    def concavity(self):
        """How much its slope falls, at most, per unit of a modulus: with so much curvature more it would be convex."""
        return self.alpha / self.epsilon**2

    def check(self, n_features):
        """Raise a ValueError if a parameter is out of range."""
        require_positive(self, "epsilon")

    def cost(self, size):
        """The penalty of one modulus."""
        return self.alpha * array_namespace(size).log1p(size / self.epsilon)

    def slope(self, size):
        """Its derivative."""
        return self.alpha / (self.epsilon + size)

    def shrink(self, size, step):
        """Its prox: the larger root of a quadratic, or zero, whichever is lower."""
        xp = array_namespace(size)
        strength, zero = step * self.alpha, xp.zeros_like(size)
        reach, root = size + self.epsilon, 2.0 * xp.sqrt(strength)
        width = xp.sqrt(xp.maximum(reach - root, zero)) * xp.sqrt(reach + root)  # no square that overflows
        product = size * self.epsilon - strength  # of both roots, negative: a small one loses nothing in a difference
        apart = self.epsilon - size + width
        small = product / xp.where(apart > 0, apart, xp.ones_like(apart))
        stationary = xp.where(size < self.epsilon, 2.0 * small, 0.5 * (size - self.epsilon + width))
        usable = (reach >= root) & (stationary > 0)
        point = xp.where(usable, stationary, xp.ones_like(size))
        lower = strength * xp.log1p(point / self.epsilon) / point < size - 0.5 * point
        return xp.where(usable & lower, point, zero)


@scalar_prox(LogSum)
def _prox(penalty, value, step):
    size = max(value, 0.0) if penalty.positive else abs(value)
    strength = step * penalty.alpha
    reach, root = size + penalty.epsilon, 2.0 * math.sqrt(strength)
    if not reach >= root:
        return 0.0 * value
    width = math.sqrt(reach - root) * math.sqrt(reach + root)
    if size < penalty.epsilon:  # the same by the product of the roots: small ones lose nothing in a difference
        point = 2.0 * (size * penalty.epsilon - strength) / (penalty.epsilon - size + width)
    else:
        point = 0.5 * (size - penalty.epsilon + width)
    if point > 0.0 and strength * math.log1p(point / penalty.epsilon) / point < size - 0.5 * point:
        return math.copysign(point, value)
    return 0.0 * value
