"""The l0 penalty: every non-zero coefficient costs the same, whatever its size.

    value(w) = alpha sum_j weights_j [w_j != 0]

Its prox is the hard threshold at ``sqrt(2 step alpha)``. Blumensath and Davies, "Iterative thresholding for sparse
approximations", 2008.
"""

import math
from typing import NamedTuple

from .._array import array_namespace
from ._radial import radial
from ._registry import scalar_prox

__all__ = ["L0"]


@radial
class L0(NamedTuple):
    """``alpha`` for each non-zero coefficient (times its weight); not convex. For a given count use `L0Ball`.

    Parameters
    ----------
    alpha : float
        Price of a non-zero coefficient, in the units of the loss. Not negative.
    positive : bool, default=False
        Whether negative coefficients are forbidden.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L0
    >>> L0(0.5).prox(np.array([0.9, -1.1]), 1.0)
    array([ 0. , -1.1])
    """

    alpha: float
    positive: bool = False

    @property
    def certificate(self):
        """What certifies an answer: any gradient suits a coefficient that is zero, so only the prox residual tells."""
        return "prox"

    def cost(self, size):
        """The penalty of one modulus."""
        xp = array_namespace(size)
        return xp.where(size > 0, xp.full_like(size, self.alpha), xp.zeros_like(size))

    def slope(self, size):
        """Its derivative."""
        xp = array_namespace(size)
        at_zero = xp.full_like(size, math.inf if self.alpha else 0.0)
        return xp.where(size > 0, xp.zeros_like(size), at_zero)

    def shrink(self, size, step):
        """Its prox: the hard threshold."""
        xp = array_namespace(size)
        return xp.where(size > xp.sqrt(2.0 * step * self.alpha), size, xp.zeros_like(size))


@scalar_prox(L0)
def _prox(penalty, value, step):
    size = max(value, 0.0) if penalty.positive else abs(value)
    return value if size > math.sqrt(2.0 * step * penalty.alpha) else 0.0 * value
