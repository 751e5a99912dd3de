"""Total variation of a sequence: coefficients that are constant in pieces.

    value(w) = alpha sum_i |w_(i+1) - w_i|

The prox is exact and takes linear time. Constants are free: a dual point must be orthogonal to them, and then its
running sums, the jumps' multipliers, are at most alpha.

Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms", 1992.
Johnson, "A dynamic programming algorithm for the fused lasso and l0-segmentation", 2013.
"""

import math
from typing import NamedTuple

import numpy as np

from .._array import array_namespace, as_double, asarray_like, quotient, to_numpy
from ._chain import denoise

__all__ = ["TotalVariation1D"]

_COMPILE_FROM = 5000  # shorter sequences are done before the compiled loop is loaded


class TotalVariation1D(NamedTuple):
    """``alpha * sum_i |w_(i+1) - w_i|``, each target by itself.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import TotalVariation1D
    >>> TotalVariation1D(1.0).prox(np.array([0.0, 0.0, 9.0, 7.0]), 1.0)
    array([0.5, 0.5, 7.5, 7.5])
    """

    alpha: float

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients: neighbours are tied."""
        return False

    @property
    def is_homogeneous(self):
        """Whether doubling the coefficients doubles it, so that its conjugate is zero in the dual ball."""
        return True

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return False

    def free(self, n_features):
        """Directions that are not charged, as columns: constants."""
        return np.ones((n_features, 1))

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target."""
        xp = array_namespace(coef)
        wide = as_double(coef)
        return self.alpha * xp.sum(xp.abs(wide[1:, ...] - wide[:-1, ...]), axis=0)

    def degrees_of_freedom(self, coef):
        """Levels that the pieces of one target have: what a fit may choose."""
        return 1 + int(np.count_nonzero(np.diff(to_numpy(coef))))

    def prox(self, coef, step):
        """Exact denoising, one target after another, on the CPU."""
        wide = to_numpy(as_double(coef))
        strength = float(step) * self.alpha
        columns = [_denoised(column, strength) for column in wide.reshape(len(wide), -1).T]
        return asarray_like(np.stack(columns, axis=1).reshape(wide.shape), coef, dtype=coef.dtype)

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential: what denoising leaves of it, piece by piece of `coef`."""
        slopes, wide = to_numpy(as_double(grad)), to_numpy(as_double(coef))
        distance = np.empty_like(slopes)
        for target in np.ndindex(wide.shape[1:]):
            jumps = np.diff(wide[:, *target])
            at = np.flatnonzero(jumps) + 1
            pull = -slopes[:, *target]
            pull[at] -= self.alpha * np.sign(jumps[at - 1])  # a jump's multiplier is known
            pull[at - 1] += self.alpha * np.sign(jumps[at - 1])
            pieces = [np.abs(_denoised(piece, self.alpha)) for piece in np.split(pull, at)]
            distance[:, *target] = np.concatenate(pieces)
        return asarray_like(distance, grad)

    def dual_limit(self, correlation, weights=None):
        """Largest s with ``s * correlation`` in the dual ball, for correlations of sum zero: running sums are at most alpha."""
        xp = array_namespace(correlation)
        zero = xp.zeros_like(as_double(correlation)[:1, ...])
        sums = xp.cumulative_sum(as_double(correlation), axis=0)[:-1, ...]
        top = xp.max(xp.concat([zero, xp.abs(sums)], axis=0), axis=0)
        return quotient(self.alpha, top)

    def conjugate(self, correlation, weights=None):
        """Convex conjugate inside its domain: zero."""
        return 0.0


def _denoised(values, strength):
    """The prox for one sequence."""
    n = len(values)
    if n < 2 or strength == 0:
        return values.copy()
    middle = float(np.mean(values))
    if strength == math.inf:
        return np.full(n, middle)
    function = denoise
    if n >= _COMPILE_FROM:
        from ..kernels.chain import compiled_denoise as function
    result = np.empty(n)
    function(values - middle, strength, np.empty(2 * n), np.empty((2 * n, 2)), np.empty(n), np.empty(n), result)
    return result + middle
