"""Bayesian recovery: a prior on the coefficients, and their posterior mean, variances and evidence."""

from .compound import compound_gaussian
from .hierarchical import hierarchical_bayes
from .kronecker import kronecker_sbl
from .sbl import sbl

__all__ = ["compound_gaussian", "hierarchical_bayes", "kronecker_sbl", "sbl"]
