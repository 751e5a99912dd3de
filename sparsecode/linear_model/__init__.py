"""Sparse linear regressors with scikit-learn's face: X is the design, `coef_` the sparse vector.

Each loads on first use: a fit in a new process waits for the solvers of its own family alone.
"""

from .._lazy import on_first_use

_HOMES = {
    "BasisPursuit": "_basis_pursuit",
    "CompoundGaussianRegressor": "_compound_gaussian",
    "CoSaMP": "_cosamp",
    "ElasticNet": "_elastic_net",
    "ElasticNetCV": "_elastic_net",
    "ElasticNetIC": "_elastic_net",
    "GAMPRegressor": "_gamp",
    "SparseGLM": "_glm",
    "SparseGLMCV": "_glm",
    "SparseGLMIC": "_glm",
    "GeneralizedOMP": "_gomp",
    "GroupLasso": "_group_lasso",
    "GroupLassoCV": "_group_lasso",
    "HierarchicalBayesRegressor": "_hierarchical_bayes",
    "HardThresholdingPursuit": "_htp",
    "HuberLasso": "_huber_lasso",
    "HuberLassoCV": "_huber_lasso",
    "IterativeHardThresholding": "_iht",
    "KroneckerSBL": "_kronecker_sbl",
    "LADLasso": "_lad_lasso",
    "LADLassoCV": "_lad_lasso",
    "Lasso": "_lasso",
    "LassoCV": "_lasso_cv",
    "LassoIC": "_lasso_ic",
    "SparseLogisticRegression": "_logistic",
    "SparseLogisticRegressionCV": "_logistic",
    "LossOMP": "_loss_omp",
    "MatchingPursuit": "_mp",
    "MultiTaskLasso": "_multi_task_lasso",
    "MultiTaskLassoCV": "_multi_task_lasso",
    "NonconvexRegressor": "_nonconvex",
    "NonconvexRegressorCV": "_nonconvex",
    "NonconvexRegressorIC": "_nonconvex",
    "NullSpaceTuning": "_nst",
    "OrthogonalMatchingPursuit": "_omp",
    "OrthogonalMatchingPursuitCV": "_omp_cv",
    "SparsePoissonRegressor": "_poisson",
    "SparsePoissonRegressorCV": "_poisson",
    "SparseBayesianRegressor": "_sbl",
    "SimultaneousOMP": "_somp",
    "SquareRootLasso": "_square_root_lasso",
    "SquareRootLassoCV": "_square_root_lasso",
    "StagewiseOMP": "_stomp",
    "SubspacePursuit": "_subspace_pursuit",
    "VAMPRegressor": "_vamp",
}

__all__ = sorted(_HOMES)

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
