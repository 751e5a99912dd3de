"""The l2,1 norm of rows: one support for all targets.

    value(W) = alpha sum_j weights_j ||w_j||          w_j the row of coefficients of feature j, over all targets

Obozinski, Taskar and Jordan, "Joint covariate selection and joint subspace selection for multiple classification problems", 2010.
"""

from typing import NamedTuple

from .._array import array_namespace, as_double, divisor
from .l1 import L1

__all__ = ["RowL2"]


class RowL2(NamedTuple):
    """``alpha * sum_j weights_j ||w_j||`` over rows of coefficients (n_features, n_targets); one number for all targets.

    For one target it is `L1`. Weights are one a feature, from 0 (free) to inf (excluded).

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import RowL2
    >>> RowL2(2.5).prox(np.array([[3.0, 4.0], [1.0, -1.0]]), 1.0)
    array([[ 1.5,  2. ],
           [ 0. , -0. ]])
    """

    alpha: float

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients: it is one over rows."""
        return False

    @property
    def is_joint(self):
        """Whether it joins the targets, so that one number certifies all."""
        return True

    @property
    def is_homogeneous(self):
        """Whether doubling the coefficients doubles it, so that its conjugate is zero in the dual ball."""
        return True

    @property
    def supports_weights(self):
        """Whether penalty weights apply although the penalty is not separable."""
        return True

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return True

    def value(self, coef, weights=None):
        """The penalty in float64, one number for all targets."""
        return L1(self.alpha).value(_norms(coef), _flat(weights))

    def prox(self, coef, step):
        """Row soft threshold; `step` broadcasts over the rows (weights enter here)."""
        norms = _norms(coef)
        shrunk = L1(self.alpha).prox(norms, _flat(step))
        xp = array_namespace(coef)
        factor = shrunk / divisor(norms)
        return xp.astype(_column(factor, coef) * as_double(coef), coef.dtype, copy=False)

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential; a row that is zero shares it in proportion to its gradient."""
        xp = array_namespace(grad)
        norms, pull = _norms(coef), _norms(grad)
        excess = L1(self.alpha).subdiff_distance(pull, 0 * norms, _flat(weights))
        share = xp.abs(grad) * _column(excess / divisor(pull), grad)
        limit = (
            self.alpha if weights is None else self.alpha * xp.where(xp.isinf(weights), xp.zeros_like(weights), weights)
        )
        direction = coef / _column(divisor(norms), coef)
        used = xp.abs(grad + limit * direction)
        if weights is not None:
            used = xp.where(xp.isinf(weights) & (used >= 0), xp.full_like(used, float("inf")), used)
        return xp.where(_column(norms == 0, grad) & (used >= 0), share, used)

    def dual_limit(self, correlation, weights=None):
        """Largest s with ``s * correlation`` in the dual ball, one number for all targets."""
        return L1(self.alpha).dual_limit(_norms(correlation), _flat(weights))

    def conjugate(self, correlation, weights=None):
        """Convex conjugate inside its domain: zero."""
        return 0.0


def _norms(coef):
    """Norms of the rows, (n_features,), in float64."""
    xp = array_namespace(coef)
    size = as_double(xp.abs(coef))
    return size if coef.ndim == 1 else xp.sqrt(xp.sum(size * size, axis=1))


def _flat(step):
    """A column of weights or steps as a vector; numbers and None stay as they are."""
    return step[:, 0] if getattr(step, "ndim", 0) == 2 else step


def _column(values, like):
    return values if like.ndim == 1 else values[:, None]
