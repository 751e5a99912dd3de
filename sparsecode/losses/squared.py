"""Squared loss: Gaussian misfit.

    value(z) = 1/2 sum_i weights_i |y_i - z_i|**2          weights_i = 1 / n_samples unless given

Its dual value at u is ``Re(y^H u) - 1/2 sum_i |u_i|**2 / weights_i``, with u the negative gradient in the fitted values.
"""

from typing import NamedTuple

from .._array import array_namespace, divisor, inner, sq_norm
from ._numbers import over_weight, weighted_mean, weighted_sq_norm
from ._registry import scalar_loss

__all__ = ["Squared"]


class Squared(NamedTuple):
    """Squared loss ``1/2 sum_i weights_i |y_i - z_i|**2`` with weights of sum one: scikit-learn's ``1 / (2 n_samples)`` scaling.

    All methods take the `target` and the `fitted` values ``design @ coef``, of shape (n_samples,) or
    (n_samples, n_targets), and `weights`: a number, or an array that broadcasts over the samples.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Squared
    >>> float(Squared().value(np.array([1.0, 3.0]), np.array([1.0, 1.0]), 0.5))
    1.0
    """

    @property
    def is_smooth(self):
        """Whether the gradient is Lipschitz continuous, so that gradient methods apply."""
        return True

    @property
    def is_quadratic(self):
        """Whether the gradient is linear in ``fitted - target``."""
        return True

    @property
    def supports_complex(self):
        """Whether target and fitted values may be complex."""
        return True

    @property
    def curvature(self):
        """Lipschitz constant of the gradient for one sample of weight one."""
        return 1.0

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number a target."""
        return 0.5 * weighted_sq_norm(target - fitted, weights)

    def gradient(self, target, fitted, weights):
        """Gradient in the fitted values."""
        return weights * (fitted - target)

    def hessian_diagonal(self, target, fitted, weights):
        """Second derivatives in the fitted values, sample by sample."""
        return weights * array_namespace(fitted).ones_like(fitted)

    def bregman(self, target, fitted, other, weights):
        """``F(fitted) - F(other) - <grad F(other), fitted - other>``, without cancellation."""
        return self.value(fitted, other, weights)

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: what a dual point proves about the minimum."""
        if isinstance(weights, float):
            return inner(target, dual) - 0.5 * sq_norm(dual) / weights
        return inner(target, dual) - 0.5 * weighted_sq_norm(over_weight(dual, weights), weights)

    def dual_scaling(self, target, dual, limit, weights):
        """The scaling of `dual`, from 0 to `limit`, with the greatest dual value."""
        xp = array_namespace(dual)
        if isinstance(weights, float):
            curvature = sq_norm(dual) / weights
        else:
            curvature = weighted_sq_norm(over_weight(dual, weights), weights)
        best = inner(target, dual) / divisor(curvature)
        return xp.minimum(xp.maximum(best, 0 * best), limit)  # below zero a one-sided constraint may fail

    def into_domain(self, target, dual, weights):
        """The nearest dual point in the domain: all are, if samples without weight have none."""
        return weights * over_weight(dual, weights)

    def best_constant(self, target, fitted, weights):
        """The constant that, added to the fitted values, makes the loss least, one number a target."""
        return weighted_mean(target - fitted, weights)


@scalar_loss(Squared)
def _slopes(loss, target, fitted):
    return fitted - target, 1.0
