"""Every member of every room, one line each: the laws of this folder then cover it.

A solver enters as a function ``solve(A, y, scale=1.0, **options) -> SolveResult`` that is asked for about four non-zero
coefficients of the problems in `tests.planted`; whatever strength it has in the units of `y` is multiplied by `scale`.
"""

from typing import Any, NamedTuple

import numpy as np

from sparsecode import (
    CEL0,
    L0,
    L1,
    MCP,
    SCAD,
    SLOPE,
    Absolute,
    Box,
    CappedL1,
    DictionaryLearning,
    ElasticNet,
    GroupL1,
    GroupSparseEnvelope,
    Huber,
    IterativeHardThresholding,
    KSupport,
    L0Ball,
    Lasso,
    LassoCV,
    LassoIC,
    Logistic,
    LogSum,
    Lq,
    Multinomial,
    OrthogonalMatchingPursuit,
    Poisson,
    Quantile,
    RowL2,
    SparseCoder,
    SparseEnvelope,
    SparseGroupL1,
    Squared,
    SquareRoot,
    TotalVariation1D,
    TotalVariation2D,
    WithIntercept,
    fista,
    iht,
    ista,
    lasso,
    lasso_path,
    omp,
)
from tests.planted import planted

ALPHA = 0.2  # about a tenth of the strength at which the Lasso's answer to the planted problems is zero
SPARSITY = 4
EVERY_KIND = frozenset({"dense", "csc", "csr", "operator", "gram"})


class SolverCase(NamedTuple):
    """A solver and what it is known to support."""

    name: str
    solve: Any
    certificate: str  # "gap", "stationarity" or "support"
    kinds: frozenset = EVERY_KIND
    complex: bool = True
    weights: bool = True
    namespaces: bool = True  # runs on any array-API namespace
    threads: bool = False  # takes n_jobs
    many: bool = True  # takes many targets at once
    descends: bool = False  # the objective never rises
    squared: bool = True  # minimises the squared loss, whose certificate and scaling the laws know
    options: tuple = ("max_iter", "tol", "callback", "init")
    limit: dict = {}  # options with which it stops before it is done
    accuracy: float = 1e-5  # of coefficients, relative, between two ways of posing one problem


class EstimatorCase(NamedTuple):
    """An estimator ready to fit the planted problems, and what it is known to support."""

    name: str
    estimator: Any
    predicts: bool = True  # a regressor: fit(X, y), predict(X); otherwise a transformer: fit(X), transform(X)
    complex: bool = False
    weights: bool = True  # takes penalty_weights
    namespaces: bool = False  # fits arrays of any array-API namespace
    repeats: bool = True  # a sample of weight two is a sample seen twice (not so where folds are drawn)
    smooth: bool = True  # a rounding error in the data is a small change of the answer
    stateless: bool = False  # transforms without a fit
    limit: dict = {}  # parameters with which it stops before it is done

    def data(self, seed=0):
        """What `fit` is given."""
        if self.predicts:
            return planted(seed=seed)[:2]
        return (planted(20, 30, 3, n_targets=80, seed=seed).y.T.copy(),)

    def outcome(self, model, data):
        """What a user takes from the fit."""
        return model.coef_ if self.predicts else model.transform(data[0])


class LossCase(NamedTuple):
    """A loss and the targets it measures."""

    loss: Any
    target: Any = np.asarray  # a valid target from any numbers
    n_columns: int = 0  # of a target that is one problem; 0 where every column is one of its own

    @property
    def name(self):
        """What the case is called in the report."""
        return repr(self.loss)


def _rows(values):
    """0, 1, 2, ... down each column: for labels of which none is missing."""
    return np.cumsum(np.ones_like(values, dtype=int), axis=0) - 1


def solve_ista(A, y, scale=1.0, **options):
    """Lasso by proximal gradient."""
    return ista(A, y, penalty=L1(ALPHA * scale), **{"tol": 1e-11, **options})


def solve_fista(A, y, scale=1.0, **options):
    """Lasso by accelerated proximal gradient."""
    return fista(A, y, penalty=L1(ALPHA * scale), **{"tol": 1e-11, **options})


def solve_fista_positive(A, y, scale=1.0, **options):
    """Lasso with non-negative coefficients."""
    return fista(A, y, penalty=L1(ALPHA * scale, positive=True), **{"tol": 1e-11, **options})


def solve_fista_huber(A, y, scale=1.0, **options):
    """Sparse robust regression: some residuals of the planted problems count as outliers."""
    return fista(A, y, Huber(scale), L1(ALPHA * scale), **{"tol": 1e-11, **options})


def solve_fista_l0(A, y, scale=1.0, **options):
    """Projected accelerated gradient on the l0 ball."""
    return fista(A, y, penalty=L0Ball(SPARSITY), **{"tol": 1e-10, **options})


def solve_iht(A, y, scale=1.0, **options):
    """Normalised iterative hard thresholding."""
    return iht(A, y, SPARSITY, **{"tol": 1e-10, **options})


def solve_omp(A, y, scale=1.0, **options):
    """Orthogonal matching pursuit."""
    return omp(A, y, n_nonzero=SPARSITY, **options)


def solve_ols(A, y, scale=1.0, **options):
    """Orthogonal least squares."""
    return omp(A, y, n_nonzero=SPARSITY, selection="ols", **options)


def solve_omp_positive(A, y, scale=1.0, **options):
    """Orthogonal matching pursuit with positive coefficients."""
    return omp(A, y, n_nonzero=SPARSITY, positive=True, **options)


def solve_lasso(A, y, scale=1.0, **options):
    """Lasso by working sets and coordinate descent."""
    return lasso(A, y, ALPHA * scale, **{"tol": 1e-11, **options})


def solve_lasso_positive(A, y, scale=1.0, **options):
    """The same with non-negative coefficients."""
    return lasso(A, y, ALPHA * scale, positive=True, **{"tol": 1e-11, **options})


def solve_lasso_path(A, y, scale=1.0, **options):
    """The last point of a path."""
    alphas = [4 * ALPHA * scale, 2 * ALPHA * scale, ALPHA * scale]
    return lasso_path(A, y, alphas=alphas, **{"tol": 1e-11, **options}).results[-1]


SOLVERS = [
    SolverCase("ista", solve_ista, "gap", descends=True, limit={"max_iter": 3}),
    SolverCase("fista", solve_fista, "gap", limit={"max_iter": 3}),
    SolverCase("fista-positive", solve_fista_positive, "gap", complex=False, limit={"max_iter": 3}),
    SolverCase(
        "fista-huber",
        solve_fista_huber,
        "gap",
        kinds=EVERY_KIND - {"gram"},
        complex=False,
        squared=False,
        limit={"max_iter": 3},
    ),
    SolverCase("fista-l0", solve_fista_l0, "stationarity", limit={"max_iter": 3}),
    SolverCase("iht", solve_iht, "stationarity", descends=True, limit={"max_iter": 1}),
    SolverCase("omp", solve_omp, "support", threads=True, options=()),
    SolverCase("ols", solve_ols, "support", threads=True, options=()),
    SolverCase("omp-positive", solve_omp_positive, "support", complex=False, threads=True, options=()),
    SolverCase("lasso", solve_lasso, "gap", threads=True, descends=True, limit={"max_iter": 1}),
    SolverCase("lasso-positive", solve_lasso_positive, "gap", complex=False, descends=True, limit={"max_iter": 1}),
    SolverCase("lasso-path", solve_lasso_path, "gap", many=False, options=("max_iter", "tol")),
]

PENALTIES = [
    L1(0.7),
    L1(0.7, positive=True),
    L1(0.0),
    ElasticNet(0.7, 0.4),
    ElasticNet(0.7, 0.4, positive=True),
    ElasticNet(0.7, 0.0),
    ElasticNet(0.7, 1.0),
    Box(),
    Box(-0.61, 1.43),
    MCP(0.7),
    MCP(0.7, gamma=1.2, positive=True),
    SCAD(0.7),
    SCAD(0.7, a=2.2, positive=True),
    CEL0(0.7),
    CEL0(0.7, curvature=3.0, positive=True),
    L0(0.7),
    L0(0.7, positive=True),
    Lq(0.7),
    Lq(0.7, q=2 / 3),
    Lq(0.7, q=0.3, positive=True),
    LogSum(0.7, 0.45),
    LogSum(0.7, 0.45, positive=True),
    CappedL1(0.7, cap=0.77),
    CappedL1(0.7, cap=0.77, positive=True),
    L0Ball(3),
    L0Ball(3, positive=True),
    GroupL1(0.7, 2),
    GroupL1(0.7, 3),
    SparseGroupL1(0.7, 2, 0.4),
    SparseGroupL1(0.7, 3, 0.0),
    RowL2(0.7),
    SLOPE(0.7, (2.0, 1.3, 0.6, 0.1)),
    SparseEnvelope(0.7, 1),
    SparseEnvelope(0.7, 3),
    GroupSparseEnvelope(0.7, 1.5, 2),
    KSupport(0.7, 1),
    KSupport(0.7, 3),
    TotalVariation1D(0.7),
    TotalVariation2D(0.7, (2, 3)),
    TotalVariation2D(0.7, (2, 3), isotropic=False),
]

LOSSES = [
    LossCase(Squared()),
    LossCase(SquareRoot()),
    LossCase(Absolute()),
    LossCase(Quantile(0.3)),
    LossCase(Huber(0.8)),
    LossCase(Logistic(), lambda values: np.where(values > 0, 1.0, -1.0)),
    LossCase(Poisson(), lambda values: np.floor(np.abs(values))),
    LossCase(Multinomial(), lambda values: np.eye(3)[_rows(values)[:, 0] % 3], n_columns=3),
    *(LossCase(WithIntercept(loss)) for loss in (Squared(), SquareRoot(), Absolute(), Quantile(0.7), Huber(0.8))),
    LossCase(WithIntercept(Logistic()), lambda values: 2.0 * (_rows(values) % 2) - 1),
    LossCase(WithIntercept(Poisson()), lambda values: np.floor(np.abs(values)) + 1),
    LossCase(WithIntercept(Multinomial()), lambda values: np.eye(3)[_rows(values)[:, 0] % 3], n_columns=3),
]

ESTIMATORS = [
    EstimatorCase(
        "IterativeHardThresholding",
        IterativeHardThresholding(n_nonzero_coefs=SPARSITY, tol=1e-10),
        complex=True,
        namespaces=True,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "OrthogonalMatchingPursuit", OrthogonalMatchingPursuit(n_nonzero_coefs=SPARSITY), complex=True, namespaces=True
    ),
    EstimatorCase(
        "OrthogonalMatchingPursuit-ols",
        OrthogonalMatchingPursuit(n_nonzero_coefs=SPARSITY, selection="ols"),
        complex=True,
        namespaces=True,
    ),
    EstimatorCase("Lasso", Lasso(alpha=ALPHA, tol=1e-11), complex=True, namespaces=True, limit={"max_iter": 1}),
    EstimatorCase("LassoCV", LassoCV(alphas=10, eps=0.05, tol=1e-11), repeats=False, limit={"max_iter": 1}),
    EstimatorCase("LassoIC", LassoIC(alphas=10, eps=0.05, tol=1e-11), repeats=False, limit={"max_iter": 1}),
    *(
        EstimatorCase(
            f"SparseCoder-{algorithm}",
            SparseCoder(planted(30, 20).A, algorithm=algorithm, **strength),
            predicts=False,
            stateless=True,
        )
        for algorithm, strength in {
            "omp": {"n_nonzero_coefs": 3},
            "ols": {"n_nonzero_coefs": 3},
            "lasso": {"alpha": 0.5},
            "threshold": {"alpha": 0.5},
        }.items()
    ),
    *(
        EstimatorCase(
            f"DictionaryLearning-{coder}",
            DictionaryLearning(30, coder=coder, max_iter=3, tol=None, random_state=0, **strength),
            predicts=False,
            smooth=False,
        )
        for coder, strength in {"lasso": {"alpha": 0.5}, "omp": {"n_nonzero_coefs": 3}}.items()
    ),
]


def named(cases):
    """Arguments of `pytest.mark.parametrize` that show each case by its name."""
    return {"argvalues": cases, "ids": [case.name if hasattr(case, "name") else repr(case) for case in cases]}
