"""Continuous exact l0: the continuous penalty with the same global minima as the l0 penalty on a least-squares misfit.

    value(w) = sum_j weights_j cost(|w_j|),   cost(t) = alpha - c/2 (t - sqrt(2 alpha / c))**2  if t < sqrt(2 alpha / c),  else alpha

c is the curvature of the misfit along one coefficient, ``||a_j||**2 / n_samples`` for `Squared`. It is the minimax concave
penalty of strength sqrt(2 alpha c) and gamma 1 / c.

Soubies, Blanc-Feraud and Aubert, "A continuous exact l0 penalty (CEL0) for least squares regularized problem", 2015.
"""

import math
from typing import NamedTuple

from .._array import array_namespace
from ._checks import require_positive
from ._radial import radial
from ._registry import scalar_prox
from .mcp import firm

__all__ = ["CEL0"]


@radial
class CEL0(NamedTuple):
    """Continuous exact l0: every local minimum of the misfit plus it is one of the misfit plus ``alpha * card{w_j != 0}``.

    Parameters
    ----------
    alpha : float
        Price of a non-zero coefficient, in the units of the loss. Not negative.
    curvature : float, default=1.0
        ``||a_j||**2 / n_samples``, the same for all columns: scale them to one norm first. (`SparseCoder` and `DictionaryLearning`
        follow the norms of the atoms by themselves, and 1 is then right.)
    positive : bool, default=False
        Whether negative coefficients are forbidden.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import CEL0
    >>> CEL0(0.5).prox(np.array([0.9, 1.1]), 1.0)
    array([0. , 1.1])
    """

    alpha: float
    curvature: float = 1.0
    positive: bool = False

    @property
    def follows_norms(self):
        """Whether codes over a dictionary are charged times the norms of their atoms: `curvature` then counts in squared norms."""
        return True

    @property
    def concavity(self):
        """How much its slope falls, at most, per unit of a modulus: with so much curvature more it would be convex."""
        return self.curvature

    def check(self, n_features):
        """Raise a ValueError if a parameter is out of range."""
        require_positive(self, "curvature")

    def cost(self, size):
        """The penalty of one modulus."""
        xp = array_namespace(size)
        missing = xp.maximum(math.sqrt(2.0 * self.alpha / self.curvature) - size, xp.zeros_like(size))
        return self.alpha - 0.5 * self.curvature * missing**2

    def slope(self, size):
        """Its derivative."""
        xp = array_namespace(size)
        return xp.maximum(math.sqrt(2.0 * self.alpha * self.curvature) - self.curvature * size, xp.zeros_like(size))

    def shrink(self, size, step):
        """Its prox."""
        return firm(size, step, math.sqrt(2.0 * self.alpha * self.curvature), 1.0 / self.curvature)


@scalar_prox(CEL0)
def _prox(penalty, value, step):
    size = max(value, 0.0) if penalty.positive else abs(value)
    slope, curvature = math.sqrt(2.0 * penalty.alpha * penalty.curvature), penalty.curvature
    if step < 1.0 / curvature:
        if size <= step * slope:
            return 0.0 * value
        if size <= slope / curvature:
            size = (size - step * slope) / (1.0 - step * curvature)
    elif not size > slope * math.sqrt(step) * math.sqrt(1.0 / curvature):
        return 0.0 * value
    return math.copysign(size, value)
