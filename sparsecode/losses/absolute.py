"""Absolute loss: least absolute deviations, which no outlier can move far.

    value(z) = sum_i weights_i |y_i - z_i|

Its dual value at u is ``y^T u`` where ``|u_i| <= weights_i``.

Wang, Li and Jiang, "Robust regression shrinkage and consistent variable selection through the LAD-Lasso", 2007.
"""

from typing import NamedTuple

from .._array import clip
from . import _residual

__all__ = ["Absolute"]

_SLOPES = (-1.0, 1.0)


class Absolute(NamedTuple):
    """Absolute loss ``sum_i weights_i |y_i - z_i|``, with weights of sum one.

    All methods take the `target` and the `fitted` values ``design @ coef``, of shape (n_samples,) or
    (n_samples, n_targets), and `weights`: a number, or an array that broadcasts over the samples. It is not smooth:
    `prox` replaces the gradient, which is only one of many subgradients where a residual is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Absolute
    >>> Absolute().prox(np.array([3.0, 0.5]), np.zeros(2), 1.0, 1.0)
    array([1. , 0.5])
    """

    @property
    def is_smooth(self):
        """Whether the gradient is continuous, so that gradient methods apply."""
        return False

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

    def slopes(self):
        """What a residual below zero and one above pull with: the ends of the dual interval for weight one."""
        return _SLOPES

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number a target."""
        return _residual.value(_SLOPES, target - fitted, weights)

    def gradient(self, target, fitted, weights):
        """A subgradient in the fitted values, zero where the residual is."""
        return -weights * _residual.pull(_SLOPES, target - fitted)

    def bregman(self, target, fitted, other, weights):
        """``F(fitted) - F(other) - <grad F(other), fitted - other>``, without cancellation."""
        return _residual.bregman(_SLOPES, target - fitted, target - other, weights)

    def prox(self, target, fitted, step, weights):
        """Minimiser over z of ``|z - fitted|**2 / 2 + step * value(z)``; `step` broadcasts."""
        return target - _residual.prox(_SLOPES, target - fitted, step * weights)

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: what a dual point proves about the minimum; minus infinity outside the domain."""
        return _residual.dual_value(_SLOPES, target, dual, weights)

    def dual_scaling(self, target, dual, limit, weights):
        """The scaling of `dual`, from 0 to `limit`, with the greatest dual value."""
        return _residual.dual_scaling(_SLOPES, target, dual, limit, weights)

    def into_domain(self, target, dual, weights):
        """The nearest dual point in the domain: `dual` itself where it lies inside."""
        return clip(dual, -weights + 0 * dual, weights + 0 * dual)

    def best_constant(self, target, fitted, weights):
        """The constant that, added to the fitted values, makes the loss least: the least such one for each target."""
        return _residual.best_constant(_SLOPES, target - fitted, weights)
