"""Poisson loss: counts, and a fitted value that is the logarithm of their mean.

    value(z) = sum_i weights_i (exp(z_i) - y_i z_i + y_i log y_i - y_i)          y_i >= 0, half the Poisson deviance

Its dual value at u is ``-sum_i weights_i (p_i log p_i - p_i - y_i log y_i + y_i)`` with ``p_i = y_i - u_i / weights_i >= 0``.

Nelder and Wedderburn, "Generalized linear models", 1972.
"""

import math
import sys
from typing import NamedTuple

from .._array import array_namespace, clip, quotient
from ._numbers import best_scale, exp_remainder, over_weight, slack, weighted_sum, where_inside
from ._registry import scalar_loss

__all__ = ["Poisson"]

_ROOM = 0.9  # share of the exponents in use: what is left is room for sums and products
_LARGEST = _ROOM * math.log(sys.float_info.max)


class Poisson(NamedTuple):
    """Half the Poisson deviance, ``sum_i weights_i (exp(z_i) - y_i z_i + y_i log y_i - y_i)``, with weights of sum one.

    All methods take the `target` (counts, or any numbers that are not negative), the `fitted` values ``design @ coef``
    (logarithms of means), of shape (n_samples,) or (n_samples, n_targets), and `weights`: a number, or an array that
    broadcasts over the samples. The terms without z make the value zero at a perfect fit. The gradient is not
    Lipschitz continuous; the exponential is cut off near the largest number of the precision.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Poisson
    >>> float(Poisson().value(np.array([0.0, 3.0]), np.array([0.0, np.log(3.0)]), 0.5))
    0.5
    """

    @property
    def is_smooth(self):
        """Whether the gradient is continuous, so that gradient methods apply."""
        return True

    @property
    def is_quadratic(self):
        """Whether the gradient is linear in ``fitted - target``."""
        return False

    @property
    def supports_complex(self):
        """Whether target and fitted values may be complex."""
        return False

    @property
    def curvature(self):
        """Lipschitz constant of the gradient for one sample of weight one: there is none."""
        return float("inf")

    def check(self, target):
        """Raise a ValueError if a count is negative."""
        xp = array_namespace(target)
        if bool(xp.any(target < 0)):
            raise ValueError(f"Poisson needs counts in y, never negative; got {float(xp.min(target)):g}.")

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number a target."""
        xp = array_namespace(fitted)
        fitted = _cut(xp, fitted)
        some = target > 0
        count = xp.where(some, target, xp.ones_like(target))
        off = fitted - xp.log(count)
        off = xp.where(xp.abs(off) > _rounding(xp, fitted), off, 0 * off)
        return weighted_sum(xp.where(some, count * exp_remainder(off), xp.exp(fitted)), weights)

    def gradient(self, target, fitted, weights):
        """Gradient in the fitted values."""
        xp = array_namespace(fitted)
        fitted = _cut(xp, fitted)
        off = xp.exp(fitted) - target
        return weights * xp.where(xp.abs(off) > _rounding(xp, fitted) * target, off, 0 * off)

    def hessian_diagonal(self, target, fitted, weights):
        """Second derivatives in the fitted values, sample by sample."""
        xp = array_namespace(fitted)
        return weights * xp.exp(_cut(xp, fitted)) + 0 * target

    def dual_curvature(self, target, dual, weights):
        """The same from the dual point, minus the gradient, instead of the fitted values."""
        mean = weights * target - dual
        return array_namespace(dual).maximum(mean, 0 * mean)

    def bregman(self, target, fitted, other, weights):
        """``F(fitted) - F(other) - <grad F(other), fitted - other>``, without cancellation."""
        xp = array_namespace(fitted)
        fitted, other = _cut(xp, fitted), _cut(xp, other)
        change, mean = fitted - other, xp.exp(other)
        far = change > 1
        if not bool(xp.any(far)):
            return weighted_sum(mean * exp_remainder(change), weights)
        short = xp.where(far, xp.zeros_like(change), change)
        leap = xp.exp(fitted) - mean * (1 + change)  # the exponential of a large change may be no number
        return weighted_sum(xp.where(far, leap, mean * exp_remainder(short)), weights)

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: what a dual point proves about the minimum; minus infinity outside the domain."""
        xp = array_namespace(dual)
        pull = over_weight(dual, weights)
        mean = target - pull
        inside = mean >= -slack(mean) * (target + xp.abs(pull))
        mean = xp.maximum(mean, xp.zeros_like(mean))
        some = target > 0
        count = xp.where(some, target, xp.ones_like(target))
        ratio = mean / count  # relative to the count: p log p - p loses its digits where counts are large
        log_ratio = xp.log(xp.where(ratio > 0, ratio, xp.ones_like(ratio)))
        least = xp.where(some, pull * xp.log(count) - count * (ratio * log_ratio - ratio + 1), mean - mean * log_ratio)
        return where_inside(inside, weighted_sum(least, weights))

    def dual_scaling(self, target, dual, limit, weights):
        """The scaling of `dual`, from 0 to `limit`, with the greatest dual value."""
        xp = array_namespace(dual)
        pull = over_weight(dual, weights)
        tiny = xp.finfo(pull.dtype).smallest_normal

        def slope(scale):
            mean = target - scale * pull
            return weighted_sum(pull * xp.log(xp.maximum(mean, xp.full_like(mean, tiny))), weights)

        # a count of zero bounds nothing: its pull is negative
        share = xp.max(clip(pull, 0.0, float("inf")) / clip(target, tiny**0.5, float("inf")), axis=0)
        return best_scale(slope, xp.minimum(limit, quotient(1.0, share)))

    def into_domain(self, target, dual, weights):
        """The nearest dual point in the domain: `dual` itself where it lies inside."""
        xp = array_namespace(dual)
        return weights * xp.minimum(over_weight(dual, weights), target)

    def inverse_link(self, fitted):
        """Mean of the counts."""
        return array_namespace(fitted).exp(fitted)

    def best_constant(self, target, fitted, weights):
        """The constant that, added to the fitted values, makes the loss least, one number a target: -inf without a count."""
        xp = array_namespace(fitted)
        counted = fitted if isinstance(weights, float) else xp.where(weights > 0, fitted, xp.min(fitted, axis=0))
        top = xp.max(counted, axis=0)  # of those that have a weight
        total = weighted_sum(target, weights)
        mass = weighted_sum(xp.exp(counted - top), weights)
        some = total > 0
        ratio = xp.where(some, total, xp.ones_like(total)) / mass
        return xp.where(some, xp.log(ratio) - top, xp.full_like(total, -float("inf")))


def _cut(xp, fitted):
    """Fitted values whose exponential is a number, and whose sum is one."""
    return xp.minimum(fitted, xp.full_like(fitted, _ROOM * math.log(float(xp.finfo(fitted.dtype).max))))


def _rounding(xp, fitted):
    """What rounding may leave of a count's logarithm at fitted values that meet it: kept, it would be a pull."""
    return 4 * xp.finfo(fitted.dtype).eps * (1 + xp.abs(fitted))


@scalar_loss(Poisson)
def _slopes(loss, target, fitted):
    mean = math.exp(min(fitted, _LARGEST))
    return mean - target, mean
