"""Bernoulli-Gaussian prior (spike and slab): a coefficient is zero, or normal.

    density(x) = (1 - rate) delta(x) + rate N(x; mean, variance)

Seen as r = x + N(0, v), the coefficient is not zero with probability pi, and then N(m, u):

    logit pi = log(rate / (1 - rate)) + 1/2 log(v / (v + variance)) + 1/2 (r^2 variance / v + mean (2 r - mean)) / (v + variance)
    m = (r variance + mean v) / (variance + v),    u = variance v / (variance + v)

Complex coefficients are circular; their log densities have no halves.

Vila and Schniter, "Expectation-maximization Gaussian-mixture approximate message passing", 2013 (arXiv 1207.3107).
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import logit

from .._array import array_namespace
from ._numbers import average, between, check_number, halves, is_zero, parameter, power, product, sigmoid

__all__ = ["BernoulliGaussian"]


class BernoulliGaussian(NamedTuple):
    """Coefficients that are zero with probability ``1 - rate`` and ``N(mean, variance)`` otherwise.

    Each parameter may also be an array (n_targets,), as it is after learning.

    Parameters
    ----------
    rate : float, default=0.1
        Probability that a coefficient is not zero, from 0 to 1.
    mean : float, default=0.0
        Mean of those that are not zero; complex for complex data.
    variance : float, default=1.0
        Their variance, in the squared units of a coefficient; of complex ones ``E |x - mean|^2``. Greater than zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import BernoulliGaussian
    >>> mean, variance = BernoulliGaussian(0.1).denoise(np.array([0.1, 3.0]), 0.01)
    >>> mean.round(3)
    array([2.00e-03, 2.97e+00])
    """

    rate: Any = 0.1
    mean: Any = 0.0
    variance: Any = 1.0

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return True

    @property
    def is_learnable(self):
        """Whether `learned` knows how to fit the parameters."""
        return True

    def check(self):
        """Raise a ValueError if a parameter is out of range."""
        check_number(self, "rate", self.rate, least=0.0, most=1.0)
        check_number(self, "mean", self.mean)
        check_number(self, "variance", self.variance, least=0.0, strict=True)

    def moments(self):
        """Mean and variance of a coefficient before the data are seen."""
        mean, rate = np.asarray(self.mean), np.asarray(self.rate, dtype=float)
        return rate * mean, rate * self.variance + rate * (1 - rate) * np.abs(mean) ** 2

    def components(self):
        """Weights, means and variances of the normal distributions it is a mixture of."""
        return (1 - self.rate, self.rate), (0.0, self.mean), (0.0, self.variance)

    def denoise(self, pseudo, variance):
        """Posterior mean and variance of coefficients seen as ``pseudo = x + N(0, variance)``, arrays that broadcast."""
        chance, mean, spread = self._posterior(pseudo, variance)
        return chance * mean, chance * spread + between(chance, mean)

    def inclusion(self, pseudo, variance):
        """Posterior probability that a coefficient is not zero."""
        return self._posterior(pseudo, variance)[0]

    def learned(self, pseudo, variance):
        """The prior with the parameters that expectation maximisation moves to, one set a target; a mean of zero stays zero."""
        chance, mean, spread = self._posterior(pseudo, variance)
        apart = mean if is_zero(self.mean) else mean - parameter(self.mean, pseudo)
        slab = [average(part) for part in (chance, chance * apart, chance * (power(apart) + spread))]
        return self.moved_to([None, slab], pseudo.shape[0])

    def moved_to(self, statistics, count):
        """The prior that its statistics over `count` coefficients imply.

        The statistics of a component are means over the coefficients: of its chance, and of its chance times ``x - mean`` and
        ``|x - mean|^2``, of the mean before.
        """
        rate, apart, square = statistics[1]
        safe, center = np.where(rate > 0, rate, 1.0), self.mean
        slab = square / safe
        if not is_zero(center):
            center = center + apart / safe
            slab = slab - np.abs(apart / safe) ** 2
        least = 0.1 / count  # a rate of zero could never grow again
        return BernoulliGaussian(
            np.minimum(np.maximum(rate, least), 1.0), center, np.where(slab > 0, slab, self.variance)
        )

    def _posterior(self, pseudo, variance):
        """Probability of the slab, and mean and variance given the slab."""
        xp = array_namespace(pseudo)
        slab, center = parameter(self.variance, pseudo), parameter(self.mean, pseudo)
        odds = parameter(logit(self.rate), pseudo)
        variance = variance + 0 * xp.real(pseudo) if not hasattr(variance, "dtype") else variance
        total = variance + slab
        shrink, share = variance / total, slab / total
        mean = share * pseudo
        with np.errstate(over="ignore"):
            gain = xp.log(shrink) + product(pseudo / variance, mean)
        if not is_zero(self.mean):
            gain = gain + product(center + 0 * pseudo, 2.0 * pseudo - center) / total
            mean = mean + shrink * center
        return sigmoid(odds + halves(pseudo) * gain), mean, slab * shrink
