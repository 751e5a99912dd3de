"""The l1 norm: the convex penalty that makes coefficients exactly zero.

    value(w) = alpha sum_j weights_j |w_j|          (w_j >= 0 if positive)

Tibshirani, "Regression shrinkage and selection via the lasso", 1996.
"""

from typing import NamedTuple

import numpy as np

from .._array import array_namespace, clip, is_complex, largest, quotient, real_dtype, total
from ._checks import forbid_negative
from ._registry import scalar_prox

__all__ = ["L1"]


class L1(NamedTuple):
    """``alpha * sum_j weights_j |w_j|``, restricted to ``w >= 0`` if `positive`.

    Arrays are (n_features,) or (n_features, n_targets); `weights` broadcasts against them, each from 0 (free) to
    inf (excluded). Complex coefficients are shrunk in modulus.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    positive : bool, default=False
        Whether negative coefficients are forbidden.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1
    >>> L1(1.0).prox(np.array([3.0, -0.5, -2.0]), 1.0)
    array([ 2., -0., -1.])
    """

    alpha: float
    positive: bool = False

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients, so that weights apply."""
        return True

    @property
    def is_homogeneous(self):
        """Whether doubling the coefficients doubles it, so that its conjugate is zero in the dual ball."""
        return True

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return not self.positive

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target."""
        xp = array_namespace(coef)
        size = xp.abs(coef)
        if weights is None:
            return forbid_negative(self, coef, self.alpha * total(size))
        excluded = xp.isinf(weights)
        if not bool(xp.any(excluded)):
            return forbid_negative(self, coef, self.alpha * total(size * weights))
        values = self.alpha * xp.sum(
            size * xp.where(excluded, xp.zeros_like(weights), weights), axis=0, dtype=xp.float64
        )
        values = xp.where(xp.any(excluded & (size > 0), axis=0), xp.full_like(values, float("inf")), values)
        return forbid_negative(self, coef, values)

    def prox(self, coef, step):
        """Minimiser over w of ``|w - coef|**2 / 2 + step * alpha * |w|``; `step` broadcasts (weights enter here)."""
        xp = array_namespace(coef)
        threshold = step * self.alpha if self.alpha else 0.0  # a step holds weights, and inf * 0 is not a number
        if self.positive:
            return xp.maximum(coef - threshold, xp.zeros_like(coef))
        size = xp.abs(coef)
        if not is_complex(coef):
            shrunk = xp.maximum(size - threshold, xp.zeros_like(size))
            return xp.sign(coef) * shrunk
        keep = size > threshold
        safe = xp.where(keep, size, xp.ones_like(size))
        factor = xp.where(keep, 1.0 - threshold / safe, xp.zeros_like(size))
        return xp.astype(factor, real_dtype(xp, coef.dtype)) * coef

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential at `coef`, coefficient by coefficient."""
        xp = array_namespace(grad)
        zero = coef == 0
        limit = self.alpha
        if weights is not None:  # excluded coefficients obey, at zero, whatever the gradient
            excluded = xp.isinf(weights)
            excluded = excluded if bool(xp.any(excluded)) else None
            limit = self.alpha * (weights if excluded is None else xp.where(excluded, xp.zeros_like(weights), weights))
        pull = -grad if self.positive else xp.abs(grad)
        distance = clip(pull - limit, 0.0, float("inf"))
        if type(coef) is not np.ndarray or coef.any():  # else they are zero, all of many
            distance = xp.where(zero, distance, xp.abs(grad + limit * xp.sign(coef)))
            distance = forbid_negative(self, coef, distance)
        if weights is None or excluded is None:
            return distance
        return xp.where(excluded, xp.where(zero, xp.zeros_like(pull), xp.full_like(pull, float("inf"))), distance)

    def dual_limit(self, correlation, weights=None):
        """Largest s >= 0 with ``s * correlation`` in the dual unit ball of the penalty, one number a target.

        Correlations of free coefficients (weight 0) must be zero already; those of excluded ones do not count.
        """
        xp = array_namespace(correlation)
        size = correlation if self.positive else xp.abs(correlation)
        if weights is not None:
            counted = (weights > 0) & xp.isfinite(weights)
            counted = counted | xp.zeros_like(size, dtype=xp.bool)
            safe = xp.where(counted, weights + size * 0, xp.ones_like(size))
            size = xp.where(counted, size / safe, xp.zeros_like(size))
        return quotient(self.alpha, largest(size))

    def conjugate(self, correlation, weights=None):
        """Convex conjugate inside its domain: zero (feasibility is what `dual_limit` ensures)."""
        return 0.0


@scalar_prox(L1)
def _prox(penalty, value, step):
    threshold = step * penalty.alpha
    if value > threshold:
        return value - threshold
    if value < -threshold and not penalty.positive:
        return value + threshold
    return 0.0 * value
