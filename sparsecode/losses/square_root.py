"""Square-root loss: the norm of the residual itself, whose best penalty strength does not depend on the noise level.

    value(z) = sqrt(sum_i weights_i |y_i - z_i|**2)          weights_i = 1 / n_samples unless given

Its dual value at u is ``Re(y^H u)`` where ``sum_i |u_i|**2 / weights_i <= 1``.

Belloni, Chernozhukov and Wang, "Square-root lasso: pivotal recovery of sparse signals via conic programming", 2011
(arXiv 1009.5689).
"""

from typing import NamedTuple

import numpy as np

from .._array import array_namespace, as_double, divisor, inner, real_dtype, sq_norm
from ._numbers import over_weight, slack, value_where, weighted_mean, weighted_sq_norm

__all__ = ["SquareRoot"]

_GONE = 1e-15  # residuals that the prox brings below this share of their size are zero


class SquareRoot(NamedTuple):
    """Square-root loss ``sqrt(sum_i weights_i |y_i - z_i|**2)`` with weights of sum one: ``||y - z|| / sqrt(n_samples)``.

    All methods take the `target` and the `fitted` values ``design @ coef``, of shape (n_samples,) or
    (n_samples, n_targets), and `weights`: a number, or an array that broadcasts over the samples. It is not smooth
    where all residuals are zero; everywhere else it has a gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SquareRoot
    >>> float(SquareRoot().value(np.array([3.0, 4.0]), np.zeros(2), 1.0))
    5.0
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
        return True

    @property
    def curvature(self):
        """Lipschitz constant of the gradient for one sample of weight one: there is none."""
        return float("inf")

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number a target."""
        return _size(target - fitted, weights)

    def gradient(self, target, fitted, weights):
        """Gradient in the fitted values; zero where all residuals are."""
        return -weights * _unit(target - fitted, weights)

    def bregman(self, target, fitted, other, weights):
        """``F(fitted) - F(other) - <grad F(other), fitted - other>``, without cancellation."""
        xp = array_namespace(fitted)
        here, there = target - fitted, target - other
        size, size_there = _size(here, weights), _size(there, weights)
        known = (size > 0) & (size_there > 0)
        one = xp.ones_like(size)
        here, there = here / xp.where(known, size, one), there / xp.where(known, size_there, one)
        # of two residuals of unit size: ||a|| ||b|| - <a, b> = ||a - b||^2 / 2
        apart = 0.5 * size * weighted_sq_norm(here - there, weights)
        return xp.where(known, apart, xp.where(size_there > 0, 0 * size, size))

    def prox(self, target, fitted, step, weights):
        """Minimiser over z of ``||z - fitted||**2 / 2 + step * value(z)``, `step` one number (or one a target).

        It solves ``sum_i weights_i |r_i|**2 / (t + step weights_i)**2 = 1`` for the size t of what is left.
        """
        xp = array_namespace(fitted)
        residual = target - fitted
        dtype, residual = residual.dtype, as_double(residual)
        mass = as_double(weights) if not isinstance(weights, float) else weights * xp.ones_like(xp.abs(residual))
        size = _size(residual, mass)
        low, high = xp.maximum(size - step * xp.max(mass, axis=0), 0 * size), size
        if isinstance(weights, float):  # all equal: in closed form
            high = low
        for _ in range(0 if isinstance(weights, float) else 100):
            middle = 0.5 * (low + high)
            larger = weighted_sq_norm(residual / divisor(middle + step * mass), mass) > 1
            low, high = xp.where(larger, middle, low), xp.where(larger, high, middle)
        left = xp.where(high > _GONE * size, high, 0 * high)
        share = xp.where(mass > 0, left / divisor(left + step * mass), xp.ones_like(mass))
        return target - xp.astype(share * residual, dtype, copy=False)

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: what a dual point proves about the minimum; minus infinity outside the domain."""
        size = _size(over_weight(dual, weights), weights)
        return value_where(size <= 1 + slack(size), inner(target, dual))

    def dual_scaling(self, target, dual, limit, weights):
        """The scaling of `dual`, from 0 to `limit`, with the greatest dual value."""
        xp = array_namespace(dual)
        size = _size(over_weight(dual, weights), weights)
        top, rises = xp.minimum(limit, 1.0 / divisor(size)), inner(target, dual) > 0
        if type(rises) is np.bool_:  # one target
            return top if rises else 0 * top
        return xp.where(rises, top, 0 * top)

    def into_domain(self, target, dual, weights):
        """A dual point in the domain, on the way to zero: `dual` itself where it lies inside."""
        xp = array_namespace(dual)
        pull = over_weight(dual, weights)
        size = _size(pull, weights)
        size = xp.maximum(size, xp.ones_like(size))
        return weights * pull / xp.astype(size, real_dtype(xp, dual.dtype))

    def best_constant(self, target, fitted, weights):
        """The constant that, added to the fitted values, makes the loss least, one number a target."""
        return weighted_mean(target - fitted, weights)


def _size(residual, weights):
    """``sqrt(sum_i weights_i |r_i|**2)``, one number a target."""
    if type(residual) is np.ndarray and residual.ndim == 1 and isinstance(weights, float):  # at once
        return np.sqrt(weights * sq_norm(residual))
    squares = weighted_sq_norm(residual, weights)
    return array_namespace(residual).sqrt(squares)


def _unit(residual, weights):
    """The residual over its size, in its own precision; zero stays zero."""
    size = divisor(_size(residual, weights))
    if type(residual) is np.ndarray and residual.dtype == size.dtype:
        return residual / size
    xp = array_namespace(residual)
    return residual / xp.astype(size, real_dtype(xp, residual.dtype))
