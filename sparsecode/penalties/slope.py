"""Sorted l1 (SLOPE, OWL): the largest coefficients pay the highest prices, so that false discoveries stay few.

    value(w) = alpha sum_i prices_i |w|_(i)          |w|_(1) >= |w|_(2) >= ...,  prices_1 >= prices_2 >= ... >= 0

Bogdan, van den Berg, Sabatti, Su and Candes, "SLOPE: adaptive variable selection via convex optimization", 2015
(arXiv 1407.3824).
"""

from typing import NamedTuple

import numpy as np

from .._array import array_namespace, as_double, asarray_like, quotient, to_numpy
from ._checks import require

__all__ = ["SLOPE"]

_TIED = 1e-6  # relative difference of two sizes that are one: answers are in single precision, or complex


class SLOPE(NamedTuple):
    """``alpha * sum_i prices_i |w|_(i)``, moduli sorted in descending order; equal prices give `L1`.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    prices : tuple of float
        Descending, not negative; the last one holds for all coefficients beyond. See `benjamini_hochberg`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SLOPE
    >>> SLOPE(1.0, (2.0, 1.0)).prox(np.array([5.0, -4.5, 0.5]), 1.0)
    array([ 3.25, -3.25,  0.  ])
    """

    alpha: float
    prices: tuple

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients: prices depend on ranks."""
        return False

    @property
    def is_homogeneous(self):
        """Whether doubling the coefficients doubles it, so that its conjugate is zero in the dual ball."""
        return True

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return True

    @staticmethod
    def benjamini_hochberg(n_features, rate=0.1):
        """Prices that bound the false discovery rate on orthogonal designs, the first scaled to 1."""
        from scipy.special import ndtri

        prices = ndtri(1.0 - rate * np.arange(1, n_features + 1) / (2.0 * n_features))
        return tuple((prices / prices[0]).tolist())

    def check(self, n_features):
        """Raise a ValueError if the prices are not a descending sequence above zero."""
        prices = np.asarray(self.prices, dtype=np.float64)
        require(
            prices.ndim == 1 and prices.size > 0 and bool(np.all(np.isfinite(prices))) and bool(prices[0] > 0),
            f"SLOPE.prices must be a sequence of finite numbers, the first above zero; got {self.prices!r}.",
        )
        require(
            bool(np.all(np.diff(prices) <= 0) and prices[-1] >= 0),
            f"SLOPE.prices must descend and not be negative; got {self.prices!r}. Sort them.",
        )

    def _ladder(self, count):
        """Prices of so many coefficients, times the strength."""
        prices = np.asarray(self.prices, dtype=np.float64)[:count]
        return self.alpha * np.append(prices, np.full(count - len(prices), prices[-1]))

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target."""
        xp = array_namespace(coef)
        size = xp.sort(as_double(xp.abs(coef)), axis=0, descending=True)
        return xp.sum(_column(self._ladder(coef.shape[0]), size) * size, axis=0)

    def degrees_of_freedom(self, coef):
        """Sizes that the non-zero coefficients of one target have: equal ones move together."""
        size = np.sort(np.abs(to_numpy(as_double(coef))))
        size = size[size > 0]
        return min(size.size, 1) + int(np.count_nonzero(np.diff(size) > _TIED * size[1:]))

    def prox(self, coef, step):
        """Sort, pull down by the prices, pool what comes out of order, and cut at zero."""
        wide = to_numpy(as_double(coef))
        size = np.abs(wide)
        prices = float(step) * self._ladder(len(wide))
        new = np.stack([_shrunk(column, prices) for column in size.reshape(len(wide), -1).T], axis=1)
        phase = np.divide(wide, size, out=np.zeros_like(wide), where=size > 0)
        return asarray_like(new.reshape(size.shape) * phase, coef, dtype=coef.dtype)

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential: ties share the prices of their ranks."""
        wide, slopes = to_numpy(as_double(coef)), to_numpy(as_double(grad))
        ladder = self._ladder(len(wide))
        columns = zip(wide.reshape(len(wide), -1).T, slopes.reshape(len(wide), -1).T, strict=True)
        distance = np.stack([_distance(-slope, column, ladder) for column, slope in columns], axis=1)
        return asarray_like(distance.reshape(wide.shape), grad)

    def dual_limit(self, correlation, weights=None):
        """Largest s for which no sum of the k largest moduli of ``s * correlation`` exceeds the k first prices."""
        xp = array_namespace(correlation)
        size = xp.cumulative_sum(xp.sort(as_double(xp.abs(correlation)), axis=0, descending=True), axis=0)
        room = xp.cumulative_sum(_column(self._ladder(size.shape[0]), size) + 0 * size, axis=0)
        return xp.min(quotient(room, size), axis=0)

    def conjugate(self, correlation, weights=None):
        """Convex conjugate inside its domain: zero."""
        return 0.0


def _column(values, like):
    return asarray_like(values.reshape(-1, *[1] * (like.ndim - 1)), like)


def _descending(values):
    """The nearest descending sequence."""
    from scipy.optimize import isotonic_regression  # slow to import

    return isotonic_regression(values, increasing=False).x


def _shrunk(size, prices):
    order = np.argsort(-size, kind="stable")
    new = np.empty_like(size)
    new[order] = np.maximum(_descending(size[order] - prices), 0.0)
    return new


def _distance(pull, coef, ladder):
    """Distance of `pull` to the subdifferential at `coef`, one target."""
    size = np.abs(coef)
    order = np.argsort(-size, kind="stable")
    distance = np.empty_like(size)
    for block in np.split(order, np.flatnonzero(np.diff(size[order])) + 1):
        rank = np.searchsorted(-size[order], -size[block[0]])
        prices = ladder[rank : rank + len(block)]
        if size[block[0]] == 0:
            distance[block] = _shrunk(np.abs(pull[block]), prices)
            continue
        turned = pull[block] * np.conj(coef[block] / size[block])
        along, across = turned.real, turned.imag
        inside = np.argsort(-along, kind="stable")
        left = np.empty_like(along)
        left[inside] = _descending(along[inside] - prices)
        distance[block] = np.hypot(left, across)
    return distance
