"""The sparse group lasso penalty: few groups, and few coefficients in each.

    value(w) = alpha sum_g (l1_ratio ||w_g||_1 + (1 - l1_ratio) weights_g ||w_g||)

Simon, Friedman, Hastie and Tibshirani, "A sparse-group lasso", 2013.
"""

import math
from typing import NamedTuple

import numpy as np

from .._array import array_namespace, as_double, divisor
from ._checks import require
from ._groups import check_groups, groups_of
from .group_l1 import charge, group_distance, shrink_groups
from .l1 import L1

__all__ = ["SparseGroupL1"]

_HALVINGS = 55  # bring a bracket to rounding


class SparseGroupL1(NamedTuple):
    """``alpha * sum_g (l1_ratio ||w_g||_1 + (1 - l1_ratio) weights_g ||w_g||)``, each target by itself.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    groups : int or tuple of int
        Size of contiguous blocks (the last may be shorter), or one label for each coefficient.
    l1_ratio : float, default=0.5
        Share of the l1 norm, from 0 (groups alone, as `GroupL1`) to 1 (l1 alone).
    weights : tuple of float, optional
        One for each group, in the order of the labels, from 0 to inf (excluded); square roots of the sizes by default.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparseGroupL1
    >>> SparseGroupL1(2.0, 2, weights=(2.5, 2.5)).prox(np.array([4.0, 5.0, 1.5, -1.0]), 1.0)
    array([ 1.5,  2. ,  0. , -0. ])
    """

    alpha: float
    groups: int | tuple = 1
    l1_ratio: float = 0.5
    weights: tuple | None = None

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients: it is one over groups."""
        return False

    @property
    def is_homogeneous(self):
        """Whether doubling the coefficients doubles it, so that its conjugate is zero in the dual ball."""
        return True

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return True

    def check(self, n_features):
        """Raise a ValueError if a parameter is out of range."""
        require(0 <= self.l1_ratio <= 1, f"SparseGroupL1.l1_ratio must lie between 0 and 1; got {self.l1_ratio!r}.")
        check_groups(self, n_features, "weights")

    def free(self, n_features):
        """Indices of the coefficients that are not charged."""
        groups = groups_of(self.groups, n_features)
        free = groups.weights(self.weights, groups.sizes)[groups.labels] == 0
        return np.flatnonzero(free & (self.l1_ratio == 0))

    def _parts(self, like):
        """Groups, their weights, and the strengths of both norms."""
        groups = groups_of(self.groups, like.shape[0])
        strengths = self.alpha * self.l1_ratio, self.alpha * (1.0 - self.l1_ratio)
        return groups, groups.weights(self.weights, like), *strengths

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target."""
        groups, scale, single, grouped = self._parts(coef)
        return L1(single).value(coef) + charge(groups.norm(coef), scale, grouped)

    def prox(self, coef, step):
        """Soft threshold, then block soft threshold."""
        groups, scale, single, grouped = self._parts(coef)
        return shrink_groups(L1(single).prox(coef, step), groups, step * grouped, scale)

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential, coefficient by coefficient."""
        xp = array_namespace(grad)
        groups, scale, single, grouped = self._parts(coef)
        size = xp.abs(coef)
        zero = size == 0
        pulled = grad + single * coef / xp.where(zero, xp.ones_like(size), size)
        return group_distance(xp.where(zero, L1(single).prox(grad, 1.0), pulled), coef, groups, grouped, scale)

    def dual_limit(self, correlation, weights=None):
        """Largest s with ``||soft(s correlation_g, alpha l1_ratio)|| <= alpha (1 - l1_ratio) weights_g`` in every group."""
        xp = array_namespace(correlation)
        groups, scale, single, grouped = self._parts(correlation)
        excluded = groups.spread(xp.isinf(scale))
        size = as_double(xp.abs(correlation))
        size = xp.where(excluded, xp.zeros_like(size), size)
        radius = grouped * xp.where(xp.isinf(scale), xp.zeros_like(scale), scale)
        top = xp.max(size, axis=0)
        safe = divisor(top)
        low, high = single / safe, (single + xp.max(radius, axis=0)) / safe
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            inside = xp.all(groups.norm(xp.maximum(middle * size - single, xp.zeros_like(size))) <= radius, axis=0)
            low, high = xp.where(inside, middle, low), xp.where(inside, high, middle)
        return xp.where(top > 0, low, xp.full_like(top, math.inf))

    def conjugate(self, correlation, weights=None):
        """Convex conjugate inside its domain: zero."""
        return 0.0
