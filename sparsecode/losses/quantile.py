"""Quantile ("pinball") loss: its best constant is a quantile, at q = 1/2 the median.

    value(z) = sum_i weights_i max(q r_i, (q - 1) r_i)          r = y - z

Its dual value at u is ``y^T u`` where ``(q - 1) weights_i <= u_i <= q weights_i``.

Koenker and Bassett, "Regression quantiles", 1978.
"""

from typing import NamedTuple

from .._array import clip
from . import _residual

__all__ = ["Quantile"]


class Quantile(NamedTuple):
    """Quantile loss ``sum_i weights_i max(q r_i, (q - 1) r_i)`` of the residuals r = y - z, with weights of sum one.

    All methods take the `target` and the `fitted` values ``design @ coef``, of shape (n_samples,) or
    (n_samples, n_targets), and `weights`: a number, or an array that broadcasts over the samples. At q = 1/2 it is half
    of `Absolute`. It is not smooth: `prox` replaces the gradient, which is only one of many subgradients where a
    residual is zero.

    Parameters
    ----------
    q : float, default=0.5
        The quantile, between 0 and 1 (exclusive): the share of the targets that shall lie below the fit.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Quantile
    >>> Quantile(0.9).gradient(np.array([1.0, -1.0]), np.zeros(2), 1.0)
    array([-0.9,  0.1])
    """

    q: float = 0.5

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

    def check(self, target):
        """Raise a ValueError if `q` is out of range."""
        if not 0 < self.q < 1:
            raise ValueError(f"Quantile needs q between 0 and 1, both excluded; got {self.q!r}.")

    def slopes(self):
        """What a residual below zero and one above pull with: the ends of the dual interval for weight one."""
        return self.q - 1.0, self.q

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number a target."""
        return _residual.value(self.slopes(), target - fitted, weights)

    def gradient(self, target, fitted, weights):
        """A subgradient in the fitted values, zero where the residual is."""
        return -weights * _residual.pull(self.slopes(), target - fitted)

    def bregman(self, target, fitted, other, weights):
        """``F(fitted) - F(other) - <grad F(other), fitted - other>``, without cancellation."""
        return _residual.bregman(self.slopes(), target - fitted, target - other, weights)

    def prox(self, target, fitted, step, weights):
        """Minimiser over z of ``|z - fitted|**2 / 2 + step * value(z)``; `step` broadcasts."""
        return target - _residual.prox(self.slopes(), target - fitted, step * weights)

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: what a dual point proves about the minimum; minus infinity outside the domain."""
        return _residual.dual_value(self.slopes(), target, dual, weights)

    def dual_scaling(self, target, dual, limit, weights):
        """The scaling of `dual`, from 0 to `limit`, with the greatest dual value."""
        return _residual.dual_scaling(self.slopes(), target, dual, limit, weights)

    def into_domain(self, target, dual, weights):
        """The nearest dual point in the domain: `dual` itself where it lies inside."""
        low, high = self.slopes()
        return clip(dual, low * weights + 0 * dual, high * weights + 0 * dual)

    def best_constant(self, target, fitted, weights):
        """The constant that, added to the fitted values, makes the loss least: the least such one for each target."""
        return _residual.best_constant(self.slopes(), target - fitted, weights)
