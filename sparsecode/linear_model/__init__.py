"""Sparse linear regressors with scikit-learn's face: X is the design, `coef_` the sparse vector."""

from ._cosamp import CoSaMP
from ._gomp import GeneralizedOMP
from ._htp import HardThresholdingPursuit
from ._iht import IterativeHardThresholding
from ._lasso import Lasso
from ._lasso_cv import LassoCV
from ._lasso_ic import LassoIC
from ._loss_omp import LossOMP
from ._mp import MatchingPursuit
from ._nst import NullSpaceTuning
from ._omp import OrthogonalMatchingPursuit
from ._omp_cv import OrthogonalMatchingPursuitCV
from ._somp import SimultaneousOMP
from ._stomp import StagewiseOMP
from ._subspace_pursuit import SubspacePursuit

__all__ = [
    "CoSaMP",
    "GeneralizedOMP",
    "HardThresholdingPursuit",
    "IterativeHardThresholding",
    "Lasso",
    "LassoCV",
    "LassoIC",
    "LossOMP",
    "MatchingPursuit",
    "NullSpaceTuning",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "SimultaneousOMP",
    "StagewiseOMP",
    "SubspacePursuit",
]
