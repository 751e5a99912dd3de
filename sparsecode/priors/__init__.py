"""What is believed of a coefficient before the data are seen: one prior a file."""

from .bernoulli_gaussian import BernoulliGaussian
from .gaussian import GaussianPrior
from .gaussian_mixture import GaussianMixture
from .laplace import LaplacePrior

__all__ = ["BernoulliGaussian", "GaussianMixture", "GaussianPrior", "LaplacePrior"]
