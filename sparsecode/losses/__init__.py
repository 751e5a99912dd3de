"""How the misfit between target and fitted values is measured: one loss a file."""

from ._registry import scalar_loss
from .absolute import Absolute
from .huber import Huber
from .logistic import Logistic
from .multinomial import Multinomial
from .poisson import Poisson
from .quantile import Quantile
from .square_root import SquareRoot
from .squared import Squared
from .with_intercept import WithIntercept

__all__ = [
    "Absolute",
    "Huber",
    "Logistic",
    "Multinomial",
    "Poisson",
    "Quantile",
    "SquareRoot",
    "Squared",
    "WithIntercept",
    "scalar_loss",
]
