"""Tails of the normal distribution, exact far out: what truncated Gaussians need.

With t = x / sd and h(t) = density(t) / cdf(t), a normal variable of mean x and standard deviation sd that is known to be
positive has mean ``sd (t + h(t))`` and variance ``sd**2 (1 - h(t) (t + h(t)))``.
"""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx, log_ndtr

from ._array import as_double, asarray_like, to_numpy

__all__ = ["positive_part"]

_MOST = np.finfo(np.float64).max
_FAR = -50.0  # below, differences of large numbers would lose more digits than the asymptotic series


def positive_part(t):
    """Mean and variance of N(t, 1) given that it is positive, and the logarithm of that event's probability plus ``t^2 / 2``.

    Real arrays of any namespace; the special functions are SciPy's, in double precision.
    """
    place = np.clip(to_numpy(as_double(t)), -_MOST, _MOST)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # of the branches not taken
        ratio = erfcx(-place / np.sqrt(2))
        hazard = np.sqrt(2 / np.pi) / ratio
        inverse = 1.0 / np.minimum(place, _FAR)
        square = inverse**2
        far = place < _FAR
        mean = np.where(far, -inverse * (1 - square * (2 - square * (10 - 74 * square))), place + hazard)
        near = 1.0 - hazard * np.where(far, 0.0, place + hazard)
        variance = np.where(far, square * (1 - square * (6 - square * (50 - 518 * square))), np.maximum(near, 0.0))
        mass = np.where(place < 0, np.log(0.5 * ratio), log_ndtr(np.abs(place)) + 0.5 * place**2)
        return tuple(asarray_like(np.asarray(part), t, dtype=t.dtype) for part in (mean, variance, mass))
