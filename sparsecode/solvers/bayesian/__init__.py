"""Bayesian recovery: a prior on the coefficients, and their posterior mean, variances and evidence."""

from .compound import compound_gaussian
from .gamp import gamp
from .hierarchical import hierarchical_bayes
from .kronecker import kronecker_sbl
from .sbl import sbl
from .state_evolution import StateEvolution, state_evolution
from .vamp import vamp

__all__ = [
    "StateEvolution",
    "compound_gaussian",
    "gamp",
    "hierarchical_bayes",
    "kronecker_sbl",
    "sbl",
    "state_evolution",
    "vamp",
]
