"""The group lasso penalty: groups of coefficients are zero together.

    value(w) = alpha sum_g weights_g ||w_g||

Yuan and Lin, "Model selection and estimation in regression with grouped variables", 2006.
"""

import math
from typing import NamedTuple

import numpy as np

from .._array import array_namespace, as_double, divisor
from ._groups import check_groups, groups_of

__all__ = ["GroupL1"]


class GroupL1(NamedTuple):
    """``alpha * sum_g weights_g ||w_g||`` over groups of coefficients, each target by itself.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    groups : int or tuple of int
        Size of contiguous blocks (the last may be shorter), or one label for each coefficient.
    weights : tuple of float, optional
        One for each group, in the order of the labels, from 0 (free) to inf (excluded); square roots of the sizes by default.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import GroupL1
    >>> GroupL1(1.0, 2, weights=(2.5, 2.5)).prox(np.array([3.0, 4.0, 1.0, -1.0]), 1.0)
    array([ 1.5,  2. ,  0. , -0. ])
    """

    alpha: float
    groups: int | tuple = 1
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
        """Raise a ValueError if groups and weights do not fit the coefficients."""
        check_groups(self, n_features, "weights")

    def free(self, n_features):
        """Indices of the coefficients that are not charged."""
        groups = groups_of(self.groups, n_features)
        return np.flatnonzero(groups.weights(self.weights, groups.sizes)[groups.labels] == 0)

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target."""
        groups = groups_of(self.groups, coef.shape[0])
        return charge(groups.norm(coef), groups.weights(self.weights, coef), self.alpha)

    def prox(self, coef, step):
        """Block soft threshold."""
        groups = groups_of(self.groups, coef.shape[0])
        return shrink_groups(coef, groups, step * self.alpha, groups.weights(self.weights, coef))

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential; a group that is zero shares it in proportion to its gradient."""
        groups = groups_of(self.groups, coef.shape[0])
        return group_distance(grad, coef, groups, self.alpha, groups.weights(self.weights, coef))

    def dual_limit(self, correlation, weights=None):
        """Largest s with ``s * correlation`` in the dual ball; free groups must be zero already, excluded ones do not count."""
        xp = array_namespace(correlation)
        groups = groups_of(self.groups, correlation.shape[0])
        norms, scale = groups.norm(correlation), groups.weights(self.weights, correlation)
        counted = ~xp.isinf(scale) & (norms > 0)
        limit = self.alpha * scale / xp.where(counted, norms, xp.ones_like(norms))
        return xp.min(xp.where(counted, limit, xp.full_like(limit, math.inf)), axis=0)

    def conjugate(self, correlation, weights=None):
        """Convex conjugate inside its domain: zero."""
        return 0.0


def charge(norms, weights, alpha):
    """``alpha sum_g weights_g norms_g``; an infinite weight forbids a group."""
    xp = array_namespace(norms)
    excluded = xp.isinf(weights)
    total = alpha * xp.sum(xp.where(excluded, xp.zeros_like(weights), weights) * norms, axis=0)
    return xp.where(xp.any(excluded & (norms > 0), axis=0), xp.full_like(total, math.inf), total)


def shrink_groups(coef, groups, step, weights):
    """Each group scaled so that its norm is smaller by ``step * weight``, or zero."""
    xp = array_namespace(coef)
    norms = groups.norm(coef)
    excluded = xp.isinf(weights)
    threshold = step * xp.where(excluded, xp.zeros_like(weights), weights)
    keep = (norms > threshold) & ~excluded
    factor = xp.where(keep, 1.0 - threshold / xp.where(keep, norms, xp.ones_like(norms)), xp.zeros_like(norms))
    return xp.astype(groups.spread(factor) * as_double(coef), coef.dtype, copy=False)


def group_distance(grad, coef, groups, alpha, weights):
    """Distance of ``-grad`` to the subdifferential of ``alpha sum_g weights_g ||w_g||``, coefficient by coefficient."""
    xp = array_namespace(grad)
    excluded = groups.spread(xp.isinf(weights)) & (xp.abs(grad) >= 0)
    limit = alpha * xp.where(xp.isinf(weights), xp.zeros_like(weights), weights)
    norms, pull = groups.norm(coef), groups.norm(grad)
    zero = groups.spread(norms == 0)
    left = xp.where(pull > limit, 1.0 - limit / divisor(pull), xp.zeros_like(pull))
    push = groups.spread(limit / divisor(norms))
    distance = xp.where(zero, groups.spread(left) * xp.abs(grad), xp.abs(grad + push * coef))
    forbidden = xp.where(zero, xp.zeros_like(distance), xp.full_like(distance, math.inf))
    return xp.where(excluded, forbidden, distance)
