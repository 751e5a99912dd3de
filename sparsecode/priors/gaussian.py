"""Gaussian prior: message passing with it is ridge regression.

density(x) = N(x; mean, variance)          E[x | r = x + N(0, v)] = (variance r + v mean) / (variance + v)
"""

from typing import Any, NamedTuple

import numpy as np

from ._numbers import average, check_number, is_zero, parameter, power

__all__ = ["GaussianPrior"]


class GaussianPrior(NamedTuple):
    """Coefficients that are ``N(mean, variance)``, all of them.

    Each parameter may also be an array (n_targets,), as it is after learning.

    Parameters
    ----------
    variance : float, default=1.0
        In the squared units of a coefficient; of complex ones ``E |x - mean|^2``. Greater than zero.
    mean : float, default=0.0
        The mean; complex for complex data.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import GaussianPrior
    >>> mean, variance = GaussianPrior(3.0).denoise(np.array([4.0]), 1.0)
    >>> mean, variance
    (array([3.]), 0.75)
    """

    variance: Any = 1.0
    mean: Any = 0.0

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
        check_number(self, "variance", self.variance, least=0.0, strict=True)
        check_number(self, "mean", self.mean)

    def moments(self):
        """Mean and variance of a coefficient before the data are seen."""
        return np.asarray(self.mean), np.asarray(self.variance, dtype=float)

    def components(self):
        """Weights, means and variances of the normal distributions it is a mixture of."""
        return (1.0,), (self.mean,), (self.variance,)

    def denoise(self, pseudo, variance):
        """Posterior mean and variance of coefficients seen as ``pseudo = x + N(0, variance)``, arrays that broadcast."""
        prior, center = parameter(self.variance, pseudo), parameter(self.mean, pseudo)
        shrink = variance / (prior + variance)
        return pseudo + shrink * (center - pseudo), prior * shrink

    def inclusion(self, pseudo, variance):
        """None: no coefficient is zero."""
        return

    def learned(self, pseudo, variance):
        """The prior with the parameters that expectation maximisation moves to, one set a target; a mean of zero stays zero."""
        mean, spread = self.denoise(pseudo, variance)
        apart = mean - parameter(self.mean, pseudo)
        return self.moved_to([(1.0, average(apart), average(power(apart) + spread))], pseudo.shape[0])

    def moved_to(self, statistics, count):
        """The prior that its statistics imply, which are those of `BernoulliGaussian.moved_to`."""
        _, apart, square = statistics[0]
        center = self.mean
        if not is_zero(center):
            center, square = center + apart, square - np.abs(apart) ** 2
        return GaussianPrior(np.where(square > 0, square, self.variance), center)
