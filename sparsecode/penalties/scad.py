"""Smoothly clipped absolute deviation: l1 near zero, flat far from it, a parabola between.

    value(w) = sum_j weights_j cost(|w_j|),   cost(t) = alpha t                                            if t <= alpha,
                                              (2 a alpha t - t**2 - alpha**2) / (2 (a - 1))                if t <= a alpha,
                                              alpha**2 (a + 1) / 2                                         beyond

Fan and Li, "Variable selection via nonconcave penalized likelihood and its oracle properties", 2001.
"""

import math
from typing import NamedTuple

from .._array import array_namespace
from ._checks import require
from ._radial import radial
from ._registry import scalar_prox

__all__ = ["SCAD"]


@radial
class SCAD(NamedTuple):
    """Smoothly clipped absolute deviation: slope `alpha` up to `alpha`, flat from ``a * alpha`` on; not convex.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    a : float, default=3.7
        Where it becomes flat, in units of alpha; greater than 2.
    positive : bool, default=False
        Whether negative coefficients are forbidden.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SCAD
    >>> SCAD(1.0, a=3.0).prox(np.array([0.5, 1.5, 2.5, 4.0]), 1.0)
    array([0. , 0.5, 2. , 4. ])
    """

    alpha: float
    a: float = 3.7
    positive: bool = False

    @property
    def concavity(self):
        """How much its slope falls, at most, per unit of a modulus: with so much curvature more it would be convex."""
        return 1.0 / (self.a - 1.0)

    def check(self, n_features):
        """Raise a ValueError if a parameter is out of range."""
        require(2 < self.a < math.inf, f"SCAD.a must be a finite number greater than 2; got {self.a!r}.")

    def cost(self, size):
        """The penalty of one modulus."""
        xp = array_namespace(size)
        beyond = xp.clip(size - self.alpha, min=0.0, max=(self.a - 1.0) * self.alpha)
        return self.alpha * xp.clip(size, max=self.alpha) + beyond * (self.alpha - beyond / (2.0 * (self.a - 1.0)))

    def slope(self, size):
        """Its derivative."""
        xp = array_namespace(size)
        return xp.clip((self.a * self.alpha - size) / (self.a - 1.0), min=0.0, max=self.alpha)

    def shrink(self, size, step):
        """Its prox: three straight pieces, or soft threshold and identity where the parabola outbends the distance."""
        xp = array_namespace(size)
        bend = self.a - 1.0
        soft = xp.maximum(size - step * self.alpha, xp.zeros_like(size))
        convex = step < bend
        slack = xp.where(convex, bend - step, xp.ones_like(step))
        middle = (bend * size - self.a * self.alpha * step) / slack
        pieces = xp.where(size <= self.a * self.alpha, middle, size)
        pieces = xp.where(size <= self.alpha * (1.0 + step), soft, pieces)
        even = xp.where(step < self.a + 1.0, 0.5 * (self.a + 1.0 + step), xp.sqrt(step * (self.a + 1.0)))
        return xp.where(convex, pieces, xp.where(size > self.alpha * even, size, soft))


@scalar_prox(SCAD)
def _prox(penalty, value, step):
    size, alpha, a = max(value, 0.0) if penalty.positive else abs(value), penalty.alpha, penalty.a
    soft = max(size - step * alpha, 0.0)
    if step < a - 1.0:
        if size <= alpha * (1.0 + step):
            size = soft
        elif size <= a * alpha:
            size = ((a - 1.0) * size - a * alpha * step) / (a - 1.0 - step)
    else:
        even = 0.5 * (a + 1.0 + step) if step < a + 1.0 else math.sqrt(step * (a + 1.0))
        if not size > alpha * even:
            size = soft
    return math.copysign(size, value) if size > 0.0 else 0.0 * value
