"""Huber loss: quadratic for small residuals, linear for outliers.

    value(z) = sum_i weights_i h(y_i - z_i)          h(r) = r**2 / 2 if |r| <= delta, else delta |r| - delta**2 / 2

Its dual value at u is ``y^T u - 1/2 sum_i u_i**2 / weights_i`` where ``|u_i| <= delta weights_i``. It is the squared loss
with a shift of its own for every sample, charged by ``delta`` times its size.

Huber, "Robust estimation of a location parameter", 1964.
"""

from typing import NamedTuple

from .._array import array_namespace, clip, divisor, inner
from ._constant import bracketed_constant
from ._numbers import (
    counted_range,
    over_weight,
    room_between,
    slack,
    weighted_mean,
    weighted_sq_norm,
    weighted_sum,
    where_inside,
)
from ._registry import scalar_loss

__all__ = ["Huber"]


class Huber(NamedTuple):
    """Huber loss ``sum_i weights_i h(y_i - z_i)``, quadratic up to `delta` and linear beyond, with weights of sum one.

    All methods take the `target` and the `fitted` values ``design @ coef``, of shape (n_samples,) or
    (n_samples, n_targets), and `weights`: a number, or an array that broadcasts over the samples.

    Parameters
    ----------
    delta : float, default=1.345
        Size of a residual from which on it counts as an outlier, in the units of the target; greater than zero. The
        default, in standard deviations, keeps 95 % of least squares' efficiency if the noise is normal.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Huber
    >>> Huber(1.0).gradient(np.array([0.5, 100.0]), np.zeros(2), 1.0)
    array([-0.5, -1. ])
    """

    delta: float = 1.345

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
        return 1.0

    def check(self, target):
        """Raise a ValueError if `delta` is out of range."""
        if not 0 < self.delta < float("inf"):
            raise ValueError(f"Huber needs a finite delta greater than 0, in the units of y; got {self.delta!r}.")

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number a target."""
        residual = target - fitted
        cut = self._cut(residual)
        return weighted_sum(cut * (residual - 0.5 * cut), weights)

    def gradient(self, target, fitted, weights):
        """Gradient in the fitted values."""
        return -weights * self._cut(target - fitted)

    def hessian_diagonal(self, target, fitted, weights):
        """Second derivatives in the fitted values, sample by sample; zero for outliers."""
        xp = array_namespace(fitted)
        residual = target - fitted
        one = xp.ones_like(residual)
        return weights * xp.where(xp.abs(residual) <= self.delta, one, 0 * one)

    def bregman(self, target, fitted, other, weights):
        """``F(fitted) - F(other) - <grad F(other), fitted - other>``, without cancellation."""
        xp = array_namespace(fitted)
        here, there = target - fitted, target - other
        cut, cut_there = self._cut(here), self._cut(there)
        both_small = (xp.abs(here) <= self.delta) & (xp.abs(there) <= self.delta)
        bent = (cut - cut_there) * (here - 0.5 * (cut + cut_there))
        return weighted_sum(xp.where(both_small, 0.5 * (fitted - other) ** 2, bent), weights)

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: what a dual point proves about the minimum; minus infinity outside the domain."""
        xp = array_namespace(dual)
        pull = over_weight(dual, weights)
        inside = xp.abs(pull) <= self.delta * (1 + slack(pull))
        return where_inside(inside, inner(target, dual) - 0.5 * weighted_sq_norm(pull, weights))

    def dual_scaling(self, target, dual, limit, weights):
        """The scaling of `dual`, from 0 to `limit`, with the greatest dual value."""
        xp = array_namespace(dual)
        pull = over_weight(dual, weights)
        curvature = weighted_sq_norm(pull, weights)
        best = inner(target, dual) / divisor(curvature)
        top = xp.minimum(limit, room_between(pull, -self.delta, self.delta))
        return xp.minimum(xp.maximum(best, 0 * best), top)

    def into_domain(self, target, dual, weights):
        """The nearest dual point in the domain: `dual` itself where it lies inside."""
        return weights * self._cut(over_weight(dual, weights))

    def best_constant(self, target, fitted, weights):
        """The constant that, added to the fitted values, makes the loss least, one number a target."""
        residual = target - fitted
        bracket = *counted_range(residual, weights), weighted_mean(residual, weights)
        return bracketed_constant(self, target, fitted, weights, *bracket)

    def _cut(self, residual):
        return clip(residual, -self.delta, self.delta)


@scalar_loss(Huber)
def _slopes(loss, target, fitted):
    residual = target - fitted
    if residual > loss.delta:
        return -loss.delta, 0.0
    if residual < -loss.delta:
        return loss.delta, 0.0
    return -residual, 1.0
