"""The lq penalty, 0 < q < 1: sparser than l1, with a prox that jumps.

    value(w) = alpha sum_j weights_j |w_j|**q

The prox has closed forms at q = 1/2 and 2/3; elsewhere Newton's method solves its equation, from above, where it is convex.

Xu, Chang, Xu and Zhang, "L1/2 regularization: a thresholding representation theory and a fast solver", 2012.
Marjanovic and Solo, "On lq optimization and matrix completion", 2012.
"""

import math
from typing import NamedTuple

from .._array import array_namespace
from ._checks import require
from ._radial import radial
from ._registry import scalar_prox

__all__ = ["Lq"]

_STEPS = 20  # Newton needs seven at most; in the last digit it may alternate for ever
_STILL = 4e-15


@radial
class Lq(NamedTuple):
    """``alpha * sum_j weights_j |w_j|**q``; not convex.

    Parameters
    ----------
    alpha : float
        Strength. Not negative.
    q : float, default=0.5
        The power, between 0 and 1, both excluded (`L0` and `L1` are the ends).
    positive : bool, default=False
        Whether negative coefficients are forbidden.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Lq
    >>> Lq(1.0, q=0.5).prox(np.array([1.4, 4.0]), 1.0).round(6)
    array([0.      , 3.741508])
    """

    alpha: float
    q: float = 0.5
    positive: bool = False

    @property
    def certificate(self):
        """What certifies an answer: any gradient suits a coefficient that is zero, so only the prox residual tells."""
        return "prox"

    def check(self, n_features):
        """Raise a ValueError if a parameter is out of range."""
        require(0 < self.q < 1, f"Lq.q must lie between 0 and 1, both excluded; got {self.q!r}. Use L0 or L1.")

    def cost(self, size):
        """The penalty of one modulus."""
        return self.alpha * size**self.q

    def slope(self, size):
        """Its derivative."""
        xp = array_namespace(size)
        at_zero = xp.full_like(size, math.inf if self.alpha else 0.0)
        positive = size > 0
        return xp.where(positive, self.alpha * self.q * xp.where(positive, size, 1.0 + size) ** (self.q - 1), at_zero)

    def shrink(self, size, step):
        """Its prox: zero up to a threshold, beyond it the larger stationary point."""
        xp = array_namespace(size)
        strength = step * self.alpha
        floor = (2.0 * strength * (1.0 - self.q)) ** (1.0 / (2.0 - self.q))  # where it jumps to
        beyond = size > floor * ((2.0 - self.q) / (2.0 * (1.0 - self.q)))
        free = strength == 0
        beyond = beyond & ~free
        start = xp.where(beyond, size, xp.ones_like(size))
        strength = xp.where(beyond, strength, xp.zeros_like(size))
        if self.q == 0.5:
            root = _half(xp, start, strength)
        elif self.q == 2 / 3:
            root = _two_thirds(xp, start, strength)
        else:
            root = self._newton(xp, start, strength, xp.where(beyond, floor, xp.ones_like(size)))
        return xp.where(beyond, root, xp.where(free, size, xp.zeros_like(size)))

    def _newton(self, xp, size, strength, floor):
        point = size
        for _ in range(_STEPS):
            pull = strength * self.q * point ** (self.q - 1.0)
            change = (point + pull - size) / (1.0 + (self.q - 1.0) * pull / point)
            point = xp.maximum(point - change, floor)
            if bool(xp.all(xp.abs(change) <= _STILL * point)):
                break
        return point


def _half(xp, size, strength):
    """The larger root of ``z + strength / (2 sqrt(z)) = size``."""
    angle = xp.acos(xp.clip(0.25 * (3.0 * strength ** (2.0 / 3.0) / size) ** 1.5, max=1.0))
    return size * (2.0 / 3.0) * (1.0 + xp.cos(2.0 / 3.0 * (math.pi - angle)))


def _two_thirds(xp, size, strength):
    """The larger root of ``z + 2 strength / (3 z**(1/3)) = size``."""
    far = size > 1e6 * strength**0.75  # one Newton step from `size` is exact there, and nothing overflows
    near = xp.where(far, 1e6 * xp.ones_like(size), size)
    double = xp.where(far, xp.ones_like(size), 2.0 * strength)
    angle = xp.acosh(xp.clip(27.0 / 16.0 * near**2 / double**1.5, min=1.0))
    width = 2.0 / math.sqrt(3.0) * double**0.25 * xp.sqrt(xp.cosh(angle / 3.0))
    closed = ((width + xp.sqrt(xp.maximum(2.0 * near / width - width**2, xp.zeros_like(size)))) / 2.0) ** 3
    pull = 2.0 / 3.0 * strength * size ** (-1.0 / 3.0)
    return xp.where(far, size - pull / (1.0 - pull / (3.0 * size)), closed)


@scalar_prox(Lq)
def _prox(penalty, value, step):
    size, q = max(value, 0.0) if penalty.positive else abs(value), penalty.q
    strength = step * penalty.alpha
    if strength == 0.0:
        return math.copysign(size, value)
    floor = (2.0 * strength * (1.0 - q)) ** (1.0 / (2.0 - q))
    if not size > floor * ((2.0 - q) / (2.0 * (1.0 - q))):
        return 0.0 * value
    if q == 0.5:
        angle = math.acos(min(0.25 * (3.0 * strength ** (2.0 / 3.0) / size) ** 1.5, 1.0))
        return math.copysign(size * (2.0 / 3.0) * (1.0 + math.cos(2.0 / 3.0 * (math.pi - angle))), value)
    point = size
    for _ in range(_STEPS):
        pull = strength * q * point ** (q - 1.0)
        change = (point + pull - size) / (1.0 + (q - 1.0) * pull / point)
        point = max(point - change, floor)
        if abs(change) <= _STILL * point:
            break
    return math.copysign(point, value)
