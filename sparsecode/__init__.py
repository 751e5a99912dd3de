"""Sparse coding and sparse recovery: greedy pursuits, proximal methods, the LASSO, dictionary learning.

A sparse problem is a design, a loss and a penalty; a solver minimises it and proves how well; an estimator gives it
scikit-learn's face. Public names load on first use: importing the package imports no compiler and no plotting.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "SolveResult": "result",
    "Status": "result",
    "GramDesign": "designs",
    "Absolute": "losses",
    "Huber": "losses",
    "Logistic": "losses",
    "Multinomial": "losses",
    "Poisson": "losses",
    "Quantile": "losses",
    "SquareRoot": "losses",
    "Squared": "losses",
    "WithIntercept": "losses",
    "scalar_loss": "losses",
    "Box": "penalties",
    "CEL0": "penalties",
    "CappedL1": "penalties",
    "L1Ridge": "penalties",
    "GroupL1": "penalties",
    "GroupSparseEnvelope": "penalties",
    "KSupport": "penalties",
    "L0": "penalties",
    "L0Ball": "penalties",
    "L1": "penalties",
    "LogSum": "penalties",
    "Lq": "penalties",
    "MCP": "penalties",
    "RowL2": "penalties",
    "SCAD": "penalties",
    "SLOPE": "penalties",
    "SparseEnvelope": "penalties",
    "SparseGroupL1": "penalties",
    "TotalVariation1D": "penalties",
    "TotalVariation2D": "penalties",
    "scalar_prox": "penalties",
    "fista": "solvers.proximal",
    "ista": "solvers.proximal",
    "nonconvex_ag": "solvers.proximal",
    "iht": "solvers.thresholding",
    "htp": "solvers.thresholding",
    "null_space_tuning": "solvers.thresholding",
    "sparse_phase_retrieval": "solvers.thresholding",
    "mp": "solvers.greedy",
    "omp": "solvers.greedy",
    "gomp": "solvers.greedy",
    "stomp": "solvers.greedy",
    "cosamp": "solvers.greedy",
    "subspace_pursuit": "solvers.greedy",
    "somp": "solvers.greedy",
    "loss_omp": "solvers.greedy",
    "alpha_max": "solvers.alpha_max",
    "solve": "solvers.solve",
    "regularization_path": "solvers.path",
    "RegularizationPath": "solvers.path",
    "compare": "_comparison",
    "Comparison": "_comparison",
    "lasso": "solvers.coordinate",
    "basis_pursuit": "solvers.basis_pursuit",
    "lasso_path": "solvers.coordinate",
    "MatchingPursuit": "linear_model",
    "OrthogonalMatchingPursuit": "linear_model",
    "OrthogonalMatchingPursuitCV": "linear_model",
    "GeneralizedOMP": "linear_model",
    "StagewiseOMP": "linear_model",
    "CoSaMP": "linear_model",
    "SubspacePursuit": "linear_model",
    "SimultaneousOMP": "linear_model",
    "LossOMP": "linear_model",
    "IterativeHardThresholding": "linear_model",
    "HardThresholdingPursuit": "linear_model",
    "NullSpaceTuning": "linear_model",
    "BasisPursuit": "linear_model",
    "Lasso": "linear_model",
    "LassoCV": "linear_model",
    "LassoIC": "linear_model",
    "ElasticNet": "linear_model",
    "ElasticNetCV": "linear_model",
    "ElasticNetIC": "linear_model",
    "MultiTaskLasso": "linear_model",
    "MultiTaskLassoCV": "linear_model",
    "GroupLasso": "linear_model",
    "GroupLassoCV": "linear_model",
    "SquareRootLasso": "linear_model",
    "SquareRootLassoCV": "linear_model",
    "LADLasso": "linear_model",
    "LADLassoCV": "linear_model",
    "HuberLasso": "linear_model",
    "HuberLassoCV": "linear_model",
    "SparsePoissonRegressor": "linear_model",
    "SparsePoissonRegressorCV": "linear_model",
    "NonconvexRegressor": "linear_model",
    "NonconvexRegressorCV": "linear_model",
    "NonconvexRegressorIC": "linear_model",
    "SparseLogisticRegression": "linear_model",
    "SparseLogisticRegressionCV": "linear_model",
    "SparseGLM": "linear_model",
    "SparseGLMCV": "linear_model",
    "SparseGLMIC": "linear_model",
    "SparseCoder": "decomposition",
    "DictionaryLearning": "decomposition",
    "SparsePhaseRetrieval": "inverse",
}
_MODULES = (
    "datasets",
    "metrics",
    "plotting",
    "designs",
    "losses",
    "penalties",
    "solvers",
    "linear_model",
    "decomposition",
    "inverse",
)

__all__ = [*sorted(_PUBLIC), *_MODULES]


def __getattr__(name):
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
