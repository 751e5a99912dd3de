"""Minimax concave penalty: l1 without its bias on large coefficients.

    value(w) = sum_j weights_j cost(|w_j|),   cost(t) = alpha t - t**2 / (2 gamma)  if t <= gamma alpha,  else gamma alpha**2 / 2

Zhang, "Nearly unbiased variable selection under minimax concave penalty", 2010 (arXiv 1002.4734).
"""

import math
from typing import NamedTuple

from .._array import array_namespace
from ._checks import require_positive
from ._radial import radial
from ._registry import scalar_prox

__all__ = ["MCP"]


@radial
class MCP(NamedTuple):
    """Minimax concave penalty: slope `alpha` at zero, flat from ``gamma * alpha`` on; not convex.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    gamma : float, default=3.0
        How slowly it becomes flat. One coordinate's problem is convex while gamma exceeds one over its curvature (columns of
        norm sqrt(n_samples) have curvature 1); below that the prox is a jump, still the global minimiser.
    positive : bool, default=False
        Whether negative coefficients are forbidden.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import MCP
    >>> MCP(1.0, gamma=3.0).prox(np.array([0.5, 2.0, 4.0]), 1.0)
    array([0. , 1.5, 4. ])
    """

    alpha: float
    gamma: float = 3.0
    positive: bool = False

    @property
    def concavity(self):
        """How much its slope falls, at most, per unit of a modulus: with so much curvature more it would be convex."""
        return 1.0 / self.gamma

    def check(self, n_features):
        """Raise a ValueError if a parameter is out of range."""
        require_positive(self, "gamma")

    def cost(self, size):
        """The penalty of one modulus."""
        xp = array_namespace(size)
        size = xp.minimum(size, xp.full_like(size, self.gamma * self.alpha))
        return size * (self.alpha - size / (2.0 * self.gamma))

    def slope(self, size):
        """Its derivative."""
        xp = array_namespace(size)
        return xp.maximum(self.alpha - size / self.gamma, xp.zeros_like(size))

    def shrink(self, size, step):
        """Its prox."""
        return firm(size, step, self.alpha, self.gamma)


def firm(size, step, alpha, gamma):
    """Firm threshold where ``step < gamma``, hard threshold beyond: the prox of ``alpha t - t**2 / (2 gamma)``, then flat."""
    xp = array_namespace(size)
    convex = step < gamma
    every = bool(xp.all(convex))
    slack = 1.0 - step / gamma
    slack = slack if every else xp.where(convex, slack, xp.ones_like(step))
    rising = xp.maximum(size - step * alpha, 0 * size) / slack
    if every:
        return xp.where(size <= gamma * alpha, rising, size)
    hard = xp.where(size > alpha * xp.sqrt(step) * math.sqrt(gamma), size, 0 * size)
    return xp.where(convex, xp.where(size <= gamma * alpha, rising, size), hard)


@scalar_prox(MCP)
def _prox(penalty, value, step):
    size = max(value, 0.0) if penalty.positive else abs(value)
    if step < penalty.gamma:
        if size <= step * penalty.alpha:
            return 0.0 * value
        if size <= penalty.gamma * penalty.alpha:
            size = (size - step * penalty.alpha) / (1.0 - step / penalty.gamma)
    elif not size > penalty.alpha * math.sqrt(step) * math.sqrt(penalty.gamma):
        return 0.0 * value
    return math.copysign(size, value)
