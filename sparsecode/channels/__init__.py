"""How an observation comes from a linear prediction: one output channel a file."""

from .gaussian import GaussianChannel
from .poisson import PoissonChannel
from .probit import ProbitChannel

__all__ = ["GaussianChannel", "PoissonChannel", "ProbitChannel"]
