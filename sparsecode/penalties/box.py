"""Bounds: coefficients between a lower and an upper limit; non-negative ones by default.

value(w) = 0 if lower <= w_j <= upper for all j, else inf
"""

import math
from typing import NamedTuple

import numpy as np

from .._array import array_namespace
from ._checks import require
from ._registry import scalar_prox

__all__ = ["Box"]


class Box(NamedTuple):
    """Constraint ``lower <= w_j <= upper``; ``Box()`` asks for non-negative coefficients.

    A weight of 0 frees a coefficient, inf excludes it; any other weight changes nothing.

    Parameters
    ----------
    lower : float, default=0.0
        At most 0, so that zero is allowed; may be -inf.
    upper : float, default=inf
        At least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Box
    >>> Box(0.0, 1.0).prox(np.array([-3.0, 0.5, 7.0]), 1.0)
    array([0. , 0.5, 1. ])
    """

    lower: float = 0.0
    upper: float = math.inf

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer (with two finite bounds)."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients, so that weights apply."""
        return True

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return False

    @property
    def certificate(self):
        """What certifies an answer: a gap, unless a bound is missing and scaling cannot make a dual point feasible."""
        return "gap" if math.isfinite(self.lower) and math.isfinite(self.upper) else "stationarity"

    def check(self, n_features):
        """Raise a ValueError if zero is out of bounds."""
        require(
            self.lower <= 0 <= self.upper,
            f"Box needs lower <= 0 <= upper; got lower={self.lower!r}, upper={self.upper!r}. Shift the target instead.",
        )

    def in_single(self):
        """The same with bounds that coefficients of single precision can meet exactly."""
        return Box(float(np.float32(self.lower)), float(np.float32(self.upper)))

    def value(self, coef, weights=None):
        """Zero inside, inf outside, one number a target."""
        xp = array_namespace(coef)
        outside = (coef < self.lower) | (coef > self.upper)
        if weights is not None:
            outside = (outside & (weights > 0)) | ((coef != 0) & xp.isinf(weights))
        wrong = xp.any(outside, axis=0)
        return xp.where(wrong, xp.asarray(math.inf, dtype=xp.float64), xp.asarray(0.0, dtype=xp.float64))

    def prox(self, coef, step):
        """The nearest point inside; a step of 0 (a free coefficient) moves nothing, one of inf gives zero."""
        xp = array_namespace(coef)
        step = step + 0 * coef
        inside = xp.clip(coef, min=self.lower, max=self.upper)
        return xp.where(step == 0, coef, xp.where(xp.isinf(step), xp.zeros_like(coef), inside))

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the normal cone, coefficient by coefficient."""
        xp = array_namespace(grad)
        zero, inf = xp.zeros_like(grad), xp.full_like(grad, math.inf)
        at_lower, at_upper = coef <= self.lower, coef >= self.upper
        distance = xp.where(at_lower, xp.maximum(-grad, zero), xp.abs(grad))
        distance = xp.where(at_upper, xp.where(at_lower, zero, xp.maximum(grad, zero)), distance)
        outside = (coef < self.lower) | (coef > self.upper)
        distance = xp.where(outside, inf, distance)
        if weights is None:
            return distance
        distance = xp.where((weights == 0) & (zero == 0), xp.abs(grad), distance)
        return xp.where(xp.isinf(weights) & (zero == 0), xp.where(coef == 0, zero, inf), distance)

    def dual_limit(self, correlation, weights=None):
        """Largest s with a finite conjugate at ``s * correlation``: 0 where a missing bound forbids the direction."""
        xp = array_namespace(correlation)
        open_up = (correlation > 0) if self.upper == math.inf else (correlation != correlation)
        open_down = (correlation < 0) if self.lower == -math.inf else (correlation != correlation)
        free = open_up | open_down
        if weights is not None:
            free = free & (weights > 0) & ~xp.isinf(weights)
        top = xp.max(correlation, axis=0)
        return xp.where(xp.any(free, axis=0), xp.zeros_like(top), xp.full_like(top, math.inf))

    def conjugate(self, correlation, weights=None):
        """The greatest ``<correlation, w>`` over the box, one number a target."""
        xp = array_namespace(correlation)
        bound = xp.where(correlation > 0, xp.full_like(correlation, self.upper), xp.full_like(correlation, self.lower))
        counted = correlation != 0
        if weights is not None:
            counted = counted & (weights > 0) & ~xp.isinf(weights)
        zero = xp.zeros_like(correlation)
        return xp.sum(xp.where(counted, correlation, zero) * xp.where(counted, bound, zero), axis=0)


@scalar_prox(Box)
def _prox(penalty, value, step):
    if step == 0.0:
        return value
    if step == math.inf:
        return 0.0 * value
    return min(max(value, penalty.lower), penalty.upper)
