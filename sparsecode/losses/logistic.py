"""Logistic loss: two classes, and a fitted value that is the log-odds of the second.

    value(z) = sum_i weights_i log(1 + exp(-y_i z_i))          y_i = -1 or 1

Its dual value at u is ``-sum_i weights_i h(y_i u_i / weights_i)`` with ``h(t) = t log t + (1 - t) log(1 - t)`` on [0, 1].

Cox, "The regression analysis of binary sequences", 1958.
"""

import math
from typing import NamedTuple

from .._array import array_namespace, clip
from ._constant import bracketed_constant, widest
from ._numbers import (
    best_scale,
    exp_remainder,
    over_weight,
    room_between,
    sigmoid,
    slack,
    softplus,
    weighted_mean,
    weighted_sum,
    where_inside,
)
from ._registry import scalar_loss

__all__ = ["Logistic"]

_FAR = 30.0  # beyond, the distance between two points is no small difference of large numbers


class Logistic(NamedTuple):
    """Logistic loss ``sum_i weights_i log(1 + exp(-y_i z_i))`` for labels of -1 and 1, with weights of sum one.

    All methods take the `target`, the `fitted` values ``design @ coef`` (the log-odds of label 1), of shape (n_samples,) or
    (n_samples, n_targets), and `weights`: a number, or an array that broadcasts over the samples. Other labels are for
    the caller to translate, which estimators do.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Logistic
    >>> float(Logistic().value(np.array([-1.0, 1.0]), np.array([-1000.0, 1000.0]), 0.5))
    0.0
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
        """Lipschitz constant of the gradient for one sample of weight one."""
        return 0.25

    def check(self, target):
        """Raise a ValueError if the target is not one of labels -1 and 1."""
        xp = array_namespace(target)
        if not bool(xp.all(xp.abs(target) == 1)):
            raise ValueError(
                "Logistic needs labels -1 and 1 in y; recode them, for example with np.where(y > 0, 1, -1)."
            )

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number a target."""
        return weighted_sum(softplus(-target * fitted), weights)

    def gradient(self, target, fitted, weights):
        """Gradient in the fitted values."""
        return -weights * target * sigmoid(-target * fitted)

    def hessian_diagonal(self, target, fitted, weights):
        """Second derivatives in the fitted values, sample by sample."""
        return weights * sigmoid(fitted) * sigmoid(-fitted)

    def dual_curvature(self, target, dual, weights):
        """The same from the dual point, minus the gradient, instead of the fitted values."""
        share = clip(over_weight(target * dual, weights), 0.0, 1.0)
        return weights * share * (1.0 - share)

    def bregman(self, target, fitted, other, weights):
        """``F(fitted) - F(other) - <grad F(other), fitted - other>``, without cancellation."""
        xp = array_namespace(fitted)
        change, here = fitted - other, sigmoid(other)
        far = xp.abs(change) > _FAR
        short = xp.where(far, xp.zeros_like(change), change)
        there = sigmoid(-other)
        near = xp.log1p(here * exp_remainder(there * short) + there * exp_remainder(-here * short))
        # the distance is the same for both labels: the one whose tangent is flat at `other` loses nothing
        sign = xp.where(other >= 0, xp.ones_like(other), -xp.ones_like(other))
        tangent = softplus(-sign * other) - sigmoid(-sign * other) * sign * change
        return weighted_sum(xp.where(far, softplus(-sign * fitted) - tangent, near), weights)

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: what a dual point proves about the minimum; minus infinity outside the domain."""
        xp = array_namespace(dual)
        share = over_weight(target * dual, weights)
        inside = (share >= -slack(share)) & (share <= 1 + slack(share))
        share = clip(share, 0.0, 1.0)
        return where_inside(inside, weighted_sum(_entropy(xp, share) + _entropy(xp, 1.0 - share), weights))

    def dual_scaling(self, target, dual, limit, weights):
        """The scaling of `dual`, from 0 to `limit`, with the greatest dual value."""
        xp = array_namespace(dual)
        share = over_weight(target * dual, weights)
        tiny = xp.finfo(share.dtype).smallest_normal

        def slope(scale):
            part = scale * share
            odds = xp.log(clip(part, tiny, 1.0)) - xp.log(clip(1.0 - part, tiny, 1.0))
            return -weighted_sum(share * odds, weights)

        return best_scale(slope, xp.minimum(limit, room_between(share, 0.0, 1.0)))

    def into_domain(self, target, dual, weights):
        """The nearest dual point in the domain: `dual` itself where it lies inside."""
        return weights * target * clip(over_weight(target * dual, weights), 0.0, 1.0)

    def inverse_link(self, fitted):
        """Probability of label 1."""
        return sigmoid(fitted)

    def best_constant(self, target, fitted, weights):
        """The constant that, added to the fitted values, makes the loss least, one number a target: infinite for one class."""
        xp = array_namespace(fitted)
        mean = weighted_mean(target + 0 * fitted, weights)  # of labels: the share of each class
        both = xp.abs(mean) < 1 - slack(mean)
        inner = xp.where(both, mean, xp.zeros_like(mean))
        bracket = widest(fitted, xp.log1p(inner) - xp.log1p(-inner))
        found = bracketed_constant(self, target, fitted, weights, *bracket)
        one_class = xp.where(mean > 0, xp.full_like(mean, float("inf")), xp.full_like(mean, -float("inf")))
        return xp.where(both, found, one_class)


def _entropy(xp, share):
    """``-t log t``, zero at zero."""
    return -share * xp.log(xp.where(share > 0, share, xp.ones_like(share)))


@scalar_loss(Logistic)
def _slopes(loss, target, fitted):
    small = math.exp(-abs(fitted))
    wrong = small / (1.0 + small) if target * fitted >= 0 else 1.0 / (1.0 + small)
    return -target * wrong, small / ((1.0 + small) * (1.0 + small))
