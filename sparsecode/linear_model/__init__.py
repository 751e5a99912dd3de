"""Sparse linear regressors with scikit-learn's face: X is the design, `coef_` the sparse vector."""

from ._basis_pursuit import BasisPursuit
from ._compound_gaussian import CompoundGaussianRegressor
from ._cosamp import CoSaMP
from ._elastic_net import ElasticNet, ElasticNetCV, ElasticNetIC
from ._gamp import GAMPRegressor
from ._glm import SparseGLM, SparseGLMCV, SparseGLMIC
from ._gomp import GeneralizedOMP
from ._group_lasso import GroupLasso, GroupLassoCV
from ._hierarchical_bayes import HierarchicalBayesRegressor
from ._htp import HardThresholdingPursuit
from ._huber_lasso import HuberLasso, HuberLassoCV
from ._iht import IterativeHardThresholding
from ._kronecker_sbl import KroneckerSBL
from ._lad_lasso import LADLasso, LADLassoCV
from ._lasso import Lasso
from ._lasso_cv import LassoCV
from ._lasso_ic import LassoIC
from ._logistic import SparseLogisticRegression, SparseLogisticRegressionCV
from ._loss_omp import LossOMP
from ._mp import MatchingPursuit
from ._multi_task_lasso import MultiTaskLasso, MultiTaskLassoCV
from ._nonconvex import NonconvexRegressor, NonconvexRegressorCV, NonconvexRegressorIC
from ._nst import NullSpaceTuning
from ._omp import OrthogonalMatchingPursuit
from ._omp_cv import OrthogonalMatchingPursuitCV
from ._poisson import SparsePoissonRegressor, SparsePoissonRegressorCV
from ._sbl import SparseBayesianRegressor
from ._somp import SimultaneousOMP
from ._square_root_lasso import SquareRootLasso, SquareRootLassoCV
from ._stomp import StagewiseOMP
from ._subspace_pursuit import SubspacePursuit
from ._vamp import VAMPRegressor

__all__ = [
    "BasisPursuit",
    "CoSaMP",
    "CompoundGaussianRegressor",
    "ElasticNet",
    "ElasticNetCV",
    "ElasticNetIC",
    "GAMPRegressor",
    "GeneralizedOMP",
    "GroupLasso",
    "GroupLassoCV",
    "HardThresholdingPursuit",
    "HierarchicalBayesRegressor",
    "HuberLasso",
    "HuberLassoCV",
    "IterativeHardThresholding",
    "KroneckerSBL",
    "LADLasso",
    "LADLassoCV",
    "Lasso",
    "LassoCV",
    "LassoIC",
    "LossOMP",
    "MatchingPursuit",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "NonconvexRegressor",
    "NonconvexRegressorCV",
    "NonconvexRegressorIC",
    "NullSpaceTuning",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "SimultaneousOMP",
    "SparseBayesianRegressor",
    "SparseGLM",
    "SparseGLMCV",
    "SparseGLMIC",
    "SparseLogisticRegression",
    "SparseLogisticRegressionCV",
    "SparsePoissonRegressor",
    "SparsePoissonRegressorCV",
    "SquareRootLasso",
    "SquareRootLassoCV",
    "StagewiseOMP",
    "SubspacePursuit",
    "VAMPRegressor",
]
