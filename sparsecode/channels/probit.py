"""Labels by the sign of a noisy prediction: P(y = 1 | z) = Phi(z / sd), with Phi the normal distribution function.

For z ~ N(p, v), with s = sd^2, sign = +1 or -1 by the label, t = sign p / sqrt(s + v), h = density(t) / Phi(t):

    E[z | y] = p + sign v h / sqrt(s + v),      Var[z | y] = v - v^2 h (t + h) / (s + v)

Rasmussen and Williams, "Gaussian processes for machine learning", 2006, section 3.9.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr, ndtr

from .._array import array_namespace, as_double, asarray_like, to_numpy
from .._tails import positive_part
from ._numbers import average

__all__ = ["ProbitChannel"]

_LEAST = 1e-12  # share of its bound below which an information is rounding


class ProbitChannel(NamedTuple):
    """Labels ``y = 1`` where ``z + N(0, noise_variance) > 0``; the others are 0 or -1.

    Parameters
    ----------
    noise_variance : float, default=1.0
        Variance of the noise before the sign is taken, in the squared units of z; greater than zero. It sets the scale of the
        coefficients: labels know none.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import ProbitChannel
    >>> mean, variance = ProbitChannel().posterior(np.array([1.0, 0.0]), np.zeros(2), np.ones(2))
    >>> mean.round(3), variance.round(3)
    (array([ 0.564, -0.564]), array([0.682, 0.682]))
    """

    noise_variance: float = 1.0

    @property
    def supports_complex(self):
        """Whether observations may be complex."""
        return False

    def check(self, target):
        """Raise a ValueError if the noise variance is out of range, or if `target` holds other things than two labels."""
        noise = np.asarray(self.noise_variance)
        if noise.ndim > 0 or not 0 < noise < np.inf:
            raise ValueError(
                f"ProbitChannel needs one noise_variance greater than 0, for all targets; got {self.noise_variance!r}."
            )
        labels = np.unique(to_numpy(target))
        if not (np.all(np.isin(labels, (0, 1))) or np.all(np.isin(labels, (-1, 1)))):
            raise ValueError(f"ProbitChannel needs labels 0 and 1, or -1 and 1, in y; got {labels[:5]}.")

    def score(self, target, mean, variance):
        """``(E[z | y] - mean) / variance`` and ``(1 - Var[z | y] / variance) / variance`` for ``z ~ N(mean, variance)``."""
        xp = array_namespace(mean)
        sign = _signs(target)
        total = variance + self.noise_variance + 0 * mean
        t = sign * mean / xp.sqrt(total)
        moved, spread, _ = positive_part(t)
        least = _LEAST * xp.ones_like(spread)
        return sign * (moved - t) / xp.sqrt(total), xp.maximum(1.0 - spread, least) / total

    def posterior(self, target, mean, variance):
        """Mean and variance of z given the label `target`, for ``z ~ N(mean, variance)``."""
        score, information = self.score(target, mean, variance)
        return mean + variance * score, variance * (1.0 - variance * information)

    def learned(self, target, mean, variance, weights=None):
        """The channel itself: the scale of the noise is that of z, which labels do not know."""
        return self

    def misfit(self, target, fitted, weights=None):
        """Mean negative log probability of the labels, one a target, in float64."""
        t = np.asarray(to_numpy(as_double(_signs(target) * fitted))) / np.sqrt(self.noise_variance)
        return -average(log_ndtr(t), weights)

    def power(self, target, weights=None):
        """What may be guessed of the mean of ``|z|^2``, one a target: z about as large as the noise."""
        return np.full(target.shape[1:], float(self.noise_variance))

    def response(self, fitted, spread):
        """Probability of the label 1 where z has this mean and variance."""
        total = np.sqrt(self.noise_variance + np.asarray(spread))
        return asarray_like(np.asarray(ndtr(to_numpy(fitted) / total)), fitted, dtype=fitted.dtype)


def _signs(target):
    xp = array_namespace(target)
    return xp.where(target > 0, xp.ones_like(target), -xp.ones_like(target))
