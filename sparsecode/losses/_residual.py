"""Losses linear on either side of a zero residual: ``max(low r, high r)`` with slopes low < 0 < high."""

from __future__ import annotations

import numpy as np

from .._array import array_namespace, asarray_like, inner, to_numpy
from ._numbers import over_weight, room_between, slack, weighted_sum, where_inside

__all__ = ["best_constant", "bregman", "dual_scaling", "dual_value", "prox", "pull", "value"]


def value(slopes, residual, weights):
    """The weighted sum of ``max(low r, high r)``."""
    return weighted_sum(residual * pull(slopes, residual), weights)


def pull(slopes, residual):
    """The slope at each residual, zero where it is zero."""
    xp = array_namespace(residual)
    one = xp.ones_like(residual)
    return xp.where(residual > 0, slopes[1] * one, xp.where(residual < 0, slopes[0] * one, 0 * one))


def bregman(slopes, here, there, weights):
    """By how much the tangent at the residuals `there` misses the value at those `here`."""
    return weighted_sum(here * (pull(slopes, here) - pull(slopes, there)), weights)


def prox(slopes, residual, step):
    """The residuals after a proximal step: pulled to zero by ``step * high`` from above, ``-step * low`` from below."""
    xp = array_namespace(residual)
    zero = xp.zeros_like(residual)
    return xp.maximum(residual - step * slopes[1], zero) + xp.minimum(residual - step * slopes[0], zero)


def dual_value(slopes, target, dual, weights):
    """``y^T u`` inside the box."""
    part = over_weight(dual, weights)
    inside = (part >= slopes[0] * (1 + slack(part))) & (part <= slopes[1] * (1 + slack(part)))
    return where_inside(inside, inner(target, dual))


def dual_scaling(slopes, target, dual, limit, weights):
    """As far as box and limit allow where the product with the target is positive."""
    xp = array_namespace(dual)
    top = xp.minimum(limit, room_between(over_weight(dual, weights), *slopes))
    top = xp.where(xp.isinf(top), xp.ones_like(top), top)
    return xp.where(inner(target, dual) > 0, top, 0 * top)


def best_constant(slopes, residual, weights):
    """The least c for which the pulls of ``residual - c`` balance: a weighted quantile, one number a target."""
    values = to_numpy(residual).astype(np.float64)
    weights = weights if isinstance(weights, float) else to_numpy(weights).astype(np.float64)
    mass = np.broadcast_to(np.asarray(weights), values.shape)
    order = np.argsort(values, axis=0)
    values, mass = np.take_along_axis(values, order, axis=0), np.take_along_axis(mass, order, axis=0)
    below = np.cumsum(mass, axis=0)
    share = slopes[1] / (slopes[1] - slopes[0])
    rounding = 8 * np.finfo(np.float64).eps * below[-1]
    first = np.argmax(below >= share * below[-1] - rounding, axis=0)  # weight that is missing by rounding is there
    found = np.take_along_axis(values, first[None, ...], axis=0)[0]
    return asarray_like(found, residual, dtype=residual.dtype)
