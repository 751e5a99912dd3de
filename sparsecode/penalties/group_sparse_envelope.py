"""The weighted group sparse envelope: a ridge on few groups, of a total cost within a budget, made convex.

    value(w) = alpha/2 min { sum_g ||w_g||**2 / u_g :  0 <= u_g <= 1, sum_g costs_g u_g <= budget }

With equal costs and a budget of k of them it is the convex envelope of ``alpha/2 ||w||**2`` over vectors of at most k
non-zero groups; with unequal ones, of the relaxed knapsack.

Refael, Lehmann and Beck, "Learning k-level structured sparse neural networks using group envelope regularization", 2022
(arXiv 2212.12921).
"""

import math
from typing import NamedTuple

from .._array import array_namespace, as_double
from ._checks import require, require_positive
from ._groups import check_groups, groups_of
from ._shares import dual_square, shares

__all__ = ["GroupSparseEnvelope"]


class GroupSparseEnvelope(NamedTuple):
    """``alpha / 2 * min sum_g ||w_g||**2 / u_g`` over shares ``0 <= u_g <= 1`` of total cost at most `budget`.

    Parameters
    ----------
    alpha : float
        Strength, that of a ridge on groups within the budget. Not negative.
    budget : float
        Total cost allowed, greater than 0; with costs of 1, a number of groups.
    groups : int or tuple of int
        Size of contiguous blocks (the last may be shorter), or one label for each coefficient.
    costs : tuple of float, optional
        One for each group, in the order of the labels, greater than 0; 1 by default.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import GroupSparseEnvelope
    >>> GroupSparseEnvelope(1.0, 1.0, groups=2).prox(np.array([3.0, 4.0, 0.5, 0.0]), 1.0)
    array([1.5, 2. , 0. , 0. ])
    """

    alpha: float
    budget: float
    groups: int | tuple = 1
    costs: tuple | None = None

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients: groups share a budget."""
        return False

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return True

    def check(self, n_features):
        """Raise a ValueError if groups, costs or budget do not fit."""
        require_positive(self, "budget")
        check_groups(self, n_features, "costs")
        require(
            self.costs is None or all(0 < cost < math.inf for cost in self.costs),
            f"GroupSparseEnvelope.costs must be finite and greater than 0; got {self.costs!r}.",
        )

    def _parts(self, like):
        """Groups, their costs, the roots of these, and the norms of `like` relative to the roots."""
        groups = groups_of(self.groups, like.shape[0])
        xp = array_namespace(like)
        costs = groups.weights(self.costs or (1.0,) * len(groups.sizes), like)
        return groups, costs, xp.sqrt(costs), groups.norm(like) / xp.sqrt(costs)

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target."""
        xp = array_namespace(coef)
        _, costs, _, size = self._parts(coef)
        share, _ = shares(size, costs, self.budget, 0.0)
        return (
            0.5 * self.alpha * xp.sum(costs * size * (size / xp.where(share > 0, share, xp.ones_like(share))), axis=0)
        )

    def prox(self, coef, step):
        """Its prox: each group shrunk as by ridge, the more the smaller its share of the budget."""
        xp = array_namespace(coef)
        groups, costs, _, size = self._parts(coef)
        ridge = float(step) * self.alpha
        share, _ = shares(size, costs, self.budget, ridge)
        factor = share / xp.where(share > 0, share + ridge, xp.ones_like(share))
        return xp.astype(groups.spread(factor) * as_double(coef), coef.dtype, copy=False)

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential; a group that is zero shares it in proportion to its gradient."""
        xp = array_namespace(grad)
        groups, costs, root, size = self._parts(coef)
        share, level = shares(size, costs, self.budget, 0.0)
        slope = self.alpha / xp.where(share > 0, share, xp.ones_like(share))
        used = xp.abs(grad + groups.spread(slope) * coef)
        pull = groups.norm(grad)
        left = xp.maximum(pull - self.alpha * root / level, xp.zeros_like(pull))
        share_of_group = groups.spread(left / xp.where(pull > 0, pull, xp.ones_like(pull)))
        return xp.where(groups.spread(size == 0), share_of_group * xp.abs(grad), used)

    def dual_limit(self, correlation, weights=None):
        """Largest s with a finite conjugate at ``s * correlation``: any."""
        xp = array_namespace(correlation)
        top = xp.max(as_double(xp.abs(correlation)), axis=0)
        return xp.full_like(top, math.inf)

    def conjugate(self, correlation, weights=None):
        """Half the greatest sum of squared norms that the budget allows, over alpha."""
        _, costs, _, size = self._parts(correlation)
        return 0.5 * dual_square(size, costs, self.budget) / self.alpha
