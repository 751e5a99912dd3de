"""Counts with a logarithmic link: y ~ Poisson(exp(z)).

For z ~ N(p, v) the posterior density of z is proportional to ``exp(y z - exp(z) - (z - p)^2 / (2 v))``, which is log-concave. Its
moments are sums over equal steps between the two points where it has fallen to ``exp(-40)`` of its maximum: for a smooth function
that vanishes at both ends they converge faster than any power of the step.
"""

import math
from typing import NamedTuple

import numpy as np

from .._array import array_namespace, as_double, as_float, clip, to_numpy
from ._numbers import average

__all__ = ["PoissonChannel"]

_DEPTH = 40.0  # how far the log density falls until it is cut
_STEP = 0.3  # of z: the likelihood bends within one unit
_NODES = (64, 1024)  # at least, at most
_NEWTON = 30
_TINY = 1e-300
_LEAST = 1e-12  # share of its bound below which an information is rounding
_LARGEST = 700.0  # logarithm of a mean count that is still a number
_UNKNOWN = 1e12  # variance of the logarithm of a count, of which nothing is known
_COUNTABLE = 2.0**53  # above, neighbouring counts are the same number


class PoissonChannel(NamedTuple):
    """Counts ``y ~ Poisson(exp(z))``.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import PoissonChannel
    >>> mean, variance = PoissonChannel().posterior(np.array([0.0, 5.0]), np.zeros(2), np.ones(2))
    >>> mean.round(3), variance.round(3)
    (array([-0.678,  1.223]), array([0.621, 0.223]))
    """

    @property
    def supports_complex(self):
        """Whether observations may be complex."""
        return False

    def check(self, target):
        """Raise a ValueError if `target` holds anything but counts, or counts that are not told from their neighbours."""
        values = to_numpy(target)
        if np.iscomplexobj(values) or np.any(values < 0) or np.any(values != np.floor(values)):
            raise ValueError("PoissonChannel needs counts in y: 0, 1, 2, ...")
        if np.any(values >= _COUNTABLE):
            raise ValueError(f"PoissonChannel needs counts below 2^53 in y; got {np.max(values):g}.")

    def score(self, target, mean, variance):
        """``(E[z | y] - mean) / variance`` and ``(1 - Var[z | y] / variance) / variance`` for ``z ~ N(mean, variance)``."""
        xp = array_namespace(mean)
        dtype = as_float(mean).dtype
        target, mean, variance = _wide(target, mean, variance)
        mode, moved, spread = _moments(target, mean, variance)
        information = xp.maximum(1.0 - spread / variance, _LEAST * xp.ones_like(mean)) / variance
        peak = xp.exp(
            mode
        )  # the mode itself is mean + variance (target - peak), which has the fewer digits for large counts
        score = xp.where(variance * peak > 1.0, (mode - mean) / variance, target - peak) + moved / variance
        return xp.astype(score, dtype), xp.astype(information, dtype)

    def posterior(self, target, mean, variance):
        """Mean and variance of z given the count `target`, for ``z ~ N(mean, variance)``."""
        xp = array_namespace(mean)
        dtype = as_float(mean).dtype
        mode, moved, spread = _moments(*_wide(target, mean, variance))
        return xp.astype(mode + moved, dtype), xp.astype(spread, dtype)

    def learned(self, target, mean, variance, weights=None):
        """The channel itself, which has no parameters."""
        return self

    def misfit(self, target, fitted, weights=None):
        """Mean negative log probability of the counts without the part of them alone, one a target, in float64."""
        values, counts = (np.asarray(to_numpy(as_double(array))) for array in (fitted, target))
        with np.errstate(over="ignore"):
            return average(np.exp(values) - counts * values, weights)

    def power(self, target, weights=None):
        """What may be guessed of the mean of ``|z|^2``, one a target."""
        return average(np.log1p(np.asarray(to_numpy(as_double(target)))) ** 2, weights)

    def response(self, fitted, spread):
        """Mean count where z has this mean and variance."""
        xp = array_namespace(fitted)
        most = float(np.log(xp.finfo(fitted.dtype).max)) - 1e-3
        return xp.exp(clip(fitted + 0.5 * spread, -most, most))


def _wide(target, mean, variance):
    """The question in double precision, the variance as an array; what is known no better than that is not known."""
    mean = as_double(mean)
    variance = (as_double(variance) if hasattr(variance, "dtype") else variance) + 0 * mean
    return as_double(target), mean, clip(variance, 0.0, _UNKNOWN)


def _moments(target, mean, variance):
    """The mode, and mean less mode and variance of z, float64 arrays of one shape."""
    xp = array_namespace(mean)
    mode = _mode(xp, target, mean, variance)
    peak = xp.exp(mode)

    def fallen(step):
        """How far the log density has fallen at ``mode + step``, and its slope."""
        rise = peak * xp.expm1(clip(step, -_LARGEST, _LARGEST))
        return rise - peak * step + 0.5 * step * step / variance, rise + step / variance

    reach = (2.0 * _DEPTH) ** 0.5
    near = xp.sqrt(
        3.0 * _DEPTH / xp.maximum(peak, _TINY * xp.ones_like(peak))
    )  # outside, if not beyond 1: e^s - 1 - s > s^2 / 3
    wide = reach * xp.sqrt(variance)
    left = _crossing(fallen, -xp.where(near <= 1.0, xp.minimum(near, wide), wide))
    likely = 2.0 + xp.log1p(2.0 * _DEPTH / xp.maximum(peak, _TINY * xp.ones_like(peak)))  # falls as far by itself
    right = _crossing(fallen, xp.minimum(reach / xp.sqrt(1.0 / variance + peak), likely))
    width = right - left
    nodes = int(min(max(_NODES[0], float(xp.max(width)) / _STEP), _NODES[1]))
    totals = [0 * mean, 0 * mean, 0 * mean]
    for node in range(1, nodes):
        step = left + (node / nodes) * width
        density = xp.exp(-fallen(step)[0])
        totals = [total + density * power for total, power in zip(totals, (1.0, step, step * step), strict=True)]
    moved = totals[1] / totals[0]
    return mode, moved, totals[2] / totals[0] - moved * moved


def _mode(xp, target, mean, variance):
    """The root of ``variance exp(z) + z - (mean + variance target)``, by Newton's steps from its right: none overshoots."""
    with np.errstate(over="ignore"):
        level = xp.minimum(mean + variance * target, variance * math.exp(_LARGEST) + _LARGEST)
    bound = xp.log(xp.abs(level) + 1.0 + xp.abs(xp.log(variance))) - xp.log(variance)
    z = xp.minimum(level, bound)
    for _ in range(_NEWTON):
        rate = variance * xp.exp(z)
        z = z - (rate + z - level) / (1.0 + rate)
    return z


def _crossing(fallen, step):
    """Where the log density has fallen by the depth, from a point outside: Newton's steps on a convex function."""
    for _ in range(_NEWTON // 2):
        value, slope = fallen(step)
        step = step - (value - _DEPTH) / slope
    return step
