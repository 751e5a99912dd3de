"""What several losses need: weighted sums, sums of exponentials without cancellation, the best point of a dual segment."""

from __future__ import annotations

import math

import numpy as np

from .._array import array_namespace, as_double, clip, is_complex, sq_norm

__all__ = [
    "best_scale",
    "counted_range",
    "exp_remainder",
    "over_weight",
    "room_between",
    "sigmoid",
    "slack",
    "softplus",
    "value_where",
    "weighted_mean",
    "weighted_sq_norm",
    "weighted_sum",
    "where_inside",
]

_SERIES = 0.01  # below this the exponential's remainder is summed, above it subtracted
_NEGLIGIBLE = 1e-17  # relative
_SLACK = 64 * np.finfo(np.float64).eps


def weighted_sum(values, weights):
    """``sum_i weights_i values_i`` in float64, one number a target."""
    xp = array_namespace(values)
    if isinstance(weights, float):
        return weights * xp.sum(values, axis=0, dtype=xp.float64)
    return xp.sum(weights * values, axis=0, dtype=xp.float64)


def over_weight(dual, weights):
    """``dual / weights``: the dual of a sample of weight one; a sample without weight has none."""
    if isinstance(weights, float):
        return dual / weights
    xp = array_namespace(dual)
    counts = (weights > 0) & xp.ones_like(dual, dtype=xp.bool)
    return xp.where(counts, dual / xp.where(weights > 0, weights, xp.ones_like(weights)), xp.zeros_like(dual))


def softplus(values):
    """``log(1 + exp(values))``, for values of any size."""
    xp = array_namespace(values)
    return xp.maximum(values, xp.zeros_like(values)) + xp.log1p(xp.exp(-xp.abs(values)))


def sigmoid(values):
    """``1 / (1 + exp(-values))``, for values of any size and to full relative accuracy."""
    xp = array_namespace(values)
    small = xp.exp(-xp.abs(values))
    return xp.where(values >= 0, xp.ones_like(small), small) / (1.0 + small)


def exp_remainder(values):
    """``exp(x) - 1 - x``, what the tangent of the exponential misses, as exactly as rounding of x by an eps would leave it."""
    xp = array_namespace(values)
    size = xp.abs(values)
    top = float(xp.max(size)) if math.prod(values.shape) else 0.0
    if top < _SERIES:
        return _summed_remainder(xp, values, top)
    near = xp.astype(size < _SERIES, values.dtype)  # products: no processor guesses which way a choice goes
    summed = near * _summed_remainder(xp, clip(values, -_SERIES, _SERIES), _SERIES)
    return summed + (1.0 - near) * (xp.expm1(values) - values)


def _summed_remainder(xp, x, top):
    """Its series, of as many terms as numbers of modulus up to `top` need."""
    shares, rest = [0.5], 1.0  # of x**2, x**3 and so on
    while rest > _NEGLIGIBLE:
        k = len(shares) + 2
        shares.append(shares[-1] / k)
        rest *= top / k
    series = xp.full_like(x, shares.pop())
    for share in reversed(shares):
        series *= x
        series += share
    series *= x
    series *= x
    return series


def slack(values):
    """By how much rounding may carry a dual point of unit size out of the domain."""
    if type(values) is np.float64:
        return _SLACK
    return 64 * array_namespace(values).finfo(values.dtype).eps


def where_inside(inside, value):
    """The dual value of the targets whose samples all lie in the domain, minus infinity for the others."""
    return value_where(array_namespace(inside).all(inside, axis=0), value)


def value_where(inside, value):
    """The dual value of the targets that lie inside the domain, minus infinity for the others."""
    if type(inside) is np.bool_:  # one target
        return value if inside else np.float64(-np.inf)
    xp = array_namespace(inside)
    return xp.where(inside, value, xp.full_like(xp.asarray(value), -float("inf")))


def room_between(values, low, high):
    """Largest s >= 0 with ``low <= s * values <= high`` for every sample (low <= 0 <= high), one number a target."""
    xp = array_namespace(values)
    moves = values != 0
    bound = xp.where(values > 0, high + 0 * values, low + 0 * values)
    ratio = bound / xp.where(moves, values, xp.ones_like(values))
    return xp.min(xp.where(moves, ratio, xp.full_like(values, float("inf"))), axis=0)


def best_scale(slope, top):
    """Where a concave function of one scale is greatest on [0, top], one number a target, from its slope.

    Near an optimum the slope at the top is positive and nothing is searched.
    """
    xp = array_namespace(top)
    low, high = 0.0 * xp.where(xp.isinf(top), xp.ones_like(top), top), xp.where(xp.isinf(top), xp.ones_like(top), top)
    for _ in range(60):  # a top of infinity is replaced by one beyond the maximum
        rising = xp.isinf(top) & (slope(high) > 0)
        if not bool(xp.any(rising)):
            break
        high = xp.where(rising, 2.0 * high, high)
    done = (slope(high) >= 0) | (high <= 0)
    if bool(xp.all(done)):
        return high
    best = high
    for _ in range(60):
        middle = 0.5 * (low + high)
        up = slope(middle) > 0
        low, high = xp.where(up, middle, low), xp.where(up, high, middle)
    return xp.where(done, best, low)


def weighted_sq_norm(values, weights):
    """``sum_i weights_i |values_i|**2`` in float64, one number a target."""
    if isinstance(weights, float):
        return weights * sq_norm(values)
    return sq_norm(array_namespace(weights).sqrt(weights) * values)


def weighted_mean(values, weights):
    """The mean of the values in their own dtype, one number a target; of a constant it is that constant, without rounding."""
    xp = array_namespace(values)
    if isinstance(weights, float):
        mean = xp.mean(as_double(values), axis=0)
    else:
        mean = xp.sum(as_double(weights) * as_double(values), axis=0) / xp.sum(as_double(weights), axis=0)
    mean = xp.astype(mean, values.dtype)
    return mean if is_complex(values) else clip(mean, *counted_range(values, weights))


def counted_range(values, weights):
    """The least and the largest of the values of samples that have a weight, one number a target."""
    xp = array_namespace(values)
    if isinstance(weights, float):
        return xp.min(values, axis=0), xp.max(values, axis=0)
    absent = xp.full_like(values, float("inf"))
    low, high = (xp.min(xp.where(weights > 0, sign * values, absent), axis=0) for sign in (1, -1))
    return low, -high
