"""Sparse linear regressors with scikit-learn's face: X is the design, `coef_` the sparse vector."""

from ._iht import IterativeHardThresholding
from ._lasso import Lasso
from ._lasso_cv import LassoCV
from ._lasso_ic import LassoIC
from ._omp import OrthogonalMatchingPursuit

__all__ = ["IterativeHardThresholding", "Lasso", "LassoCV", "LassoIC", "OrthogonalMatchingPursuit"]
