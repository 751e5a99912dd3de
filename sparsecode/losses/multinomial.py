"""Multinomial loss: several classes, and fitted values that are their log-odds.

    value(Z) = sum_i weights_i (log sum_k exp(Z_ik) - sum_k Y_ik Z_ik)          Y_i one-hot

Its dual value at U is ``-sum_i weights_i sum_k P_ik log P_ik`` where ``P_i = Y_i - U_i / weights_i`` is a probability vector.

Boehning, "Multinomial logistic regression algorithm", 1992 (its curvature is at most 1/2).
"""

from typing import NamedTuple

from .._array import array_namespace
from ._constant import class_constants
from ._numbers import best_scale, exp_remainder, over_weight, slack, weighted_sum

__all__ = ["Multinomial"]

_FAR = 30.0  # beyond, the distance between two points is no small difference of large numbers


class Multinomial(NamedTuple):
    """Multinomial loss ``sum_i weights_i (log sum_k exp(Z_ik) - sum_k Y_ik Z_ik)``, with weights of sum one.

    `target` and `fitted` have shape (n_samples, n_classes); each row of the target is a probability vector, one-hot for
    labels. The classes are one problem: values are single numbers. `weights` is a number or of shape (n_samples, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Multinomial
    >>> labels = np.array([0, 2, 1])
    >>> round(float(Multinomial().value(np.eye(3)[labels], np.zeros((3, 3)), 1 / 3)), 4)  # log 3
    1.0986
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
    def is_joint(self):
        """Whether the columns of the target are one problem instead of one each."""
        return True

    @property
    def supports_complex(self):
        """Whether target and fitted values may be complex."""
        return False

    @property
    def curvature(self):
        """Lipschitz constant of the gradient for one sample of weight one."""
        return 0.5

    def check(self, target):
        """Raise a ValueError if the rows of the target are not probability vectors."""
        xp = array_namespace(target)
        if target.ndim != 2 or target.shape[1] < 2:
            raise ValueError(
                f"Multinomial needs y of shape (n_samples, n_classes), one-hot; got shape {tuple(target.shape)}. "
                "For labels use np.eye(n_classes)[labels]."
            )
        off = xp.abs(xp.sum(target, axis=1) - 1)
        if bool(xp.any(target < 0)) or bool(xp.any(off > slack(target))):
            raise ValueError(
                "Multinomial needs rows of y that are not negative and sum to one; use np.eye(n_classes)[labels]."
            )

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number."""
        xp = array_namespace(fitted)
        return xp.sum(weighted_sum(target * (_log_total(xp, fitted) - fitted), weights))

    def gradient(self, target, fitted, weights):
        """Gradient in the fitted values."""
        return weights * (_shares(array_namespace(fitted), fitted) - target)

    def hessian_diagonal(self, target, fitted, weights):
        """Diagonal of the second derivatives in the fitted values; each row's block couples its classes."""
        share = _shares(array_namespace(fitted), fitted)
        return weights * share * (1 - share)

    def bregman(self, target, fitted, other, weights):
        """``F(fitted) - F(other) - <grad F(other), fitted - other>``, without cancellation."""
        xp = array_namespace(fitted)
        share = _shares(xp, other)
        change = fitted - other
        change = change - xp.sum(share * change, axis=1, keepdims=True)
        top = xp.max(change, axis=1, keepdims=True)
        far = top > _FAR
        short = xp.where(far, xp.zeros_like(change), change)
        near = xp.log1p(xp.sum(share * exp_remainder(short), axis=1, keepdims=True))
        tiny = xp.full_like(share, xp.finfo(share.dtype).smallest_normal)
        leap = _log_total(xp, xp.log(xp.maximum(share, tiny)) + change)
        return xp.sum(weighted_sum(xp.where(far, leap, near), weights))

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: what a dual point proves about the minimum; minus infinity outside the domain."""
        xp = array_namespace(dual)
        share = target - over_weight(dual, weights)
        inside = xp.all(share >= -slack(share)) & xp.all(
            xp.abs(xp.sum(share, axis=1) - 1) <= slack(share) * share.shape[1]
        )
        share = xp.maximum(share, xp.zeros_like(share))
        entropy = xp.sum(weighted_sum(-share * xp.log(xp.where(share > 0, share, xp.ones_like(share))), weights))
        return xp.where(inside, entropy, xp.full_like(entropy, -float("inf")))

    def dual_scaling(self, target, dual, limit, weights):
        """The scaling of `dual`, from 0 to `limit`, with the greatest dual value."""
        xp = array_namespace(dual)
        pull = over_weight(dual, weights)
        tiny = xp.full_like(pull, xp.finfo(pull.dtype).smallest_normal)

        def slope(scale):
            return xp.sum(weighted_sum(pull * xp.log(xp.maximum(target - scale * pull, tiny)), weights))

        inf = xp.full_like(pull, float("inf"))
        down = pull > 0
        # a share of zero that rounding carries out of the domain, by as much as `dual_value` forgives, leaves room
        room = xp.min(xp.where(down, (target + slack(pull)) / xp.where(down, pull, xp.ones_like(pull)), inf))
        return best_scale(slope, xp.minimum(limit, room))

    def into_domain(self, target, dual, weights):
        """A dual point in the domain: `dual` itself where it lies inside."""
        xp = array_namespace(dual)
        pull = over_weight(dual, weights)
        share = target - (pull - xp.mean(pull, axis=1, keepdims=True))  # of sum one
        share = xp.maximum(share, xp.zeros_like(share))
        return weights * (target - share / xp.sum(share, axis=1, keepdims=True))

    def inverse_link(self, fitted):
        """Probabilities of the classes, (n_samples, n_classes)."""
        return _shares(array_namespace(fitted), fitted)

    def best_constant(self, target, fitted, weights):
        """The constants, one for each class and of sum zero, that make the loss least."""
        return class_constants(self, target, fitted, weights)


def _shares(xp, fitted):
    """Probabilities of the classes, each to full relative accuracy."""
    size = xp.exp(fitted - xp.max(fitted, axis=1, keepdims=True))
    return size / xp.sum(size, axis=1, keepdims=True)


def _log_total(xp, fitted):
    """``log sum_k exp(Z_ik)``, one number a row, kept as a column."""
    top = xp.max(fitted, axis=1, keepdims=True)
    return top + xp.log(xp.sum(xp.exp(fitted - top), axis=1, keepdims=True))
