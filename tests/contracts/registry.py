"""Every member of every room, one line each: the laws of this folder then cover it.

A solver enters as a function ``solve(A, y, scale=1.0, **options) -> SolveResult`` that is asked for about four non-zero
coefficients of the problems in `tests.planted`; whatever strength it has in the units of `y` is multiplied by `scale`.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

from sparsecode import (
    CEL0,
    L0,
    L1,
    MCP,
    SCAD,
    SLOPE,
    Absolute,
    BasisPursuit,
    BernoulliGaussian,
    Box,
    CappedL1,
    ClassTransport,
    CompoundGaussianNetwork,
    CompoundGaussianRegressor,
    ContrastiveSparseRepresentation,
    ConvolutionalDictionaryLearning,
    CoSaMP,
    DictionaryLearning,
    ElasticNet,
    ElasticNetCV,
    ElasticNetIC,
    GAMPRegressor,
    GeneralizedOMP,
    GroupL1,
    GroupLasso,
    GroupLassoCV,
    GroupSparseEnvelope,
    HardThresholdingPursuit,
    HierarchicalBayesRegressor,
    Huber,
    HuberLasso,
    HuberLassoCV,
    InverseTransport,
    IterativeHardThresholding,
    KroneckerSBL,
    KSparseCompression,
    KSupport,
    L0Ball,
    L1Ridge,
    LADLasso,
    LADLassoCV,
    LaplacePrior,
    Lasso,
    LassoCV,
    LassoIC,
    LearnedProximalNetwork,
    Logistic,
    LogSum,
    LossOMP,
    LpDictionaryLearning,
    Lq,
    MaskedDictionaryLearning,
    MatchingPursuit,
    Multinomial,
    MultiTaskLasso,
    MultiTaskLassoCV,
    NeuralSparseMap,
    NonconvexRegressor,
    NonconvexRegressorCV,
    NonconvexRegressorIC,
    NullSpaceTuning,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    PlugAndPlay,
    Poisson,
    ProbabilisticSparseCoding,
    Quantile,
    RobustUnmixing,
    RowL2,
    SimultaneousOMP,
    SparseAutoencoder,
    SparseBayesianRegressor,
    SparseCoder,
    SparseEnvelope,
    SparseGLM,
    SparseGLMCV,
    SparseGLMIC,
    SparseGroupL1,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparseMongeMap,
    SparsePhaseRetrieval,
    SparsePoissonRegressor,
    SparsePoissonRegressorCV,
    Squared,
    SquareRoot,
    SquareRootLasso,
    SquareRootLassoCV,
    StagewiseOMP,
    SubspacePursuit,
    TotalVariation1D,
    TotalVariation2D,
    UnrolledFISTA,
    UnrolledIHT,
    UnrolledISTA,
    VAMPRegressor,
    WassersteinDictionary,
    WithIntercept,
    basis_pursuit,
    compound_gaussian,
    cosamp,
    fista,
    gamp,
    gomp,
    hierarchical_bayes,
    htp,
    iht,
    ista,
    kronecker_sbl,
    lasso,
    lasso_path,
    loss_omp,
    mp,
    nonconvex_ag,
    null_space_tuning,
    omp,
    regularization_path,
    sbl,
    solve,
    somp,
    sparse_phase_retrieval,
    stomp,
    subspace_pursuit,
    vamp,
)
from sparsecode._array import asarray_like, inner, is_complex
from sparsecode._validation import as_design
from tests.planted import planted

UNPROVED = {"max_iter": 1, "tol": 0.0}  # paths of small problems are followed without iterations
QUICK = {"alphas": 5, "eps": 0.1, "cv": 3}  # a cross-validation of fifteen fits
ALPHA = 0.2  # about a tenth of the strength at which the Lasso's answer to the planted problems is zero
SPARSITY = 4
NOISE = 1e-2  # variance of the noise that Bayesian methods are told of


def _for_points(laws):
    """Why each of these checks fails; all of them are made in ``tests/transport/test_estimator_checks.py``."""
    return {
        name: f"{law}: asked with a label for each source, where points of the other sample belong; checked with such points instead"
        for name, law in laws.items()
    }


LABELS_FOR_POINTS = _for_points(
    {
        "check_array_api_input": "that arrays of another namespace give the same answer",
        "check_dict_unchanged": "that transforming leaves the attributes alone",
        "check_dont_overwrite_parameters": "that fitting adds no public attribute without an underscore",
        "check_dtype_object": "numbers in arrays of objects",
        "check_estimators_dtypes": "samples of four types of numbers",
        "check_estimators_fit_returns_self": "that fit returns the estimator",
        "check_estimators_nan_inf": "the error for samples that are not finite",
        "check_estimators_overwrite_params": "that fitting leaves the parameters alone",
        "check_estimators_pickle": "that a pickled fit answers as before",
        "check_f_contiguous_array_estimator": "samples in Fortran's order",
        "check_fit2d_1feature": "samples of one feature",
        "check_fit2d_1sample": "samples of one point",
        "check_fit2d_predict1d": "the error for a vector in place of points",
        "check_fit_check_is_fitted": "that it is known to be fitted",
        "check_fit_idempotent": "that a second fit answers as the first",
        "check_fit_score_takes_y": "the names of the arguments",
        "check_methods_sample_order_invariance": "that the order of points to transform means nothing",
        "check_methods_subset_invariance": "that points are transformed each for itself",
        "check_n_features_in": "the attribute n_features_in_",
        "check_n_features_in_after_fitting": "the error for points of another width",
        "check_pipeline_consistency": "that a pipeline answers as the estimator",
        "check_positive_only_tag_during_fit": "samples that are negative",
        "check_readonly_memmap_input": "samples that must not be written to",
        "check_transformer_data_not_an_array": "samples that are lists",
        "check_transformer_general": "that fit_transform is fit and transform",
        "check_transformer_n_iter": "that iterations are counted",
        "check_transformer_preserve_dtypes": "that precision is kept",
    }
)
LABELS_FOR_SPARSE_POINTS = _for_points(
    {
        "check_estimator_sparse_array": "samples in sparse arrays",
        "check_estimator_sparse_matrix": "samples in sparse matrices",
        "check_estimator_sparse_tag": "that the tag of sparse samples is true",
    }
)
EVERY_KIND = frozenset({"dense", "csc", "csr", "operator", "kronecker", "gram"})


class SolverCase(NamedTuple):
    """A solver and what it is known to support."""

    name: str
    solve: Any
    certificate: str  # "gap", "mcp" (stationarity), "stationarity", "support", "residual", or a kind of "fixed point"
    kinds: frozenset = EVERY_KIND
    complex: bool = True
    weights: bool = True
    namespaces: bool = True  # runs on any array-API namespace
    threads: bool = False  # takes n_jobs
    many: bool = True  # takes many targets at once
    descends: bool = False  # the objective never rises
    phaseless: bool = False  # sees only the magnitudes of y
    squared: bool = True  # minimises the squared loss, whose certificate and scaling the laws know
    circular: bool = (
        True  # a complex target without imaginary part gives the real answer (not so where it counts as two numbers)
    )
    options: tuple = ("max_iter", "tol", "callback", "init")
    limit: dict = {}  # options with which it stops before it is done
    accuracy: float = 1e-5  # of coefficients, relative, between two ways of posing one problem


def stronger(model, factor):
    """A strength in the units of the target grows with it."""
    alpha = model.get_params().get("alpha")
    return {"alpha": alpha * factor} if isinstance(alpha, float) else {}


def same(model, factor):
    """Nothing is in the units of the target."""
    return {}


def stronger_elastic_net(model, factor):
    """The strength of the l1 norm grows with the target, that of the ridge does not."""
    single, ridge = factor * model.l1_ratio, 1.0 - model.l1_ratio
    return {"alpha": model.alpha * (single + ridge), "l1_ratio": single / (single + ridge)}


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
    missing: bool = False  # takes NaN for a missing entry
    alone: bool = True  # fits each of many targets as if it were alone
    euclidean: bool = True  # on the support it is a least-squares fit, whose residuals are orthogonal to what is free
    entries: bool = False  # asks for the entries of the design, which an operator does not have
    linear: bool = True  # predicts X @ coef_ + intercept_; if not, something else, and targets are not negative
    labels: bool = False  # a classifier
    ordered: bool = False  # neighbouring columns belong together
    scaled: Any = stronger  # the parameters for a target `factor` times as large; None where that is another problem
    limit: dict = {}  # parameters with which it stops before it is done
    quick: dict = {}  # parameters with which scikit-learn's checks are done in seconds
    samples: Any = None  # what `fit` is given for a seed, where that is neither: two samples, for example
    answer: Any = None  # (model, data) -> array that a user takes from such a fit
    failures: dict = {}  # checks of scikit-learn that it cannot pass, with the reason

    def data(self, seed=0):
        """What `fit` is given."""
        if self.samples:
            return self.samples(seed)
        if self.predicts:
            A, y, _ = planted(seed=seed)
            return A, (y > 0).astype(y.dtype) if self.labels else y if self.linear else np.abs(y)
        return (planted(20, 30, 3, n_targets=80, seed=seed).y.T.copy(),)

    def outcome(self, model, data):
        """What a user takes from the fit."""
        if self.answer:
            return self.answer(model, data)
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


def _sample_pairs(seed):
    """Sources, and targets beside them."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 3))
    return X, X[:, :2] + rng.standard_normal((40, 2))


def _labelled_samples(seed):
    """Two samples in one space, and classes of both."""
    rng = np.random.default_rng(seed)
    labels = np.arange(14) % 2
    return (
        rng.standard_normal((14, 2)) + labels[:, None],
        rng.standard_normal((14, 2)) - labels[:, None],
        labels,
        labels,
    )


def _two_samples(seed):
    """Two samples of different length in one space; one feature is moved."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((40, 6)), rng.standard_normal((30, 6)) + 2.0 * np.eye(6)[0]


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


def solve_huber(A, y, scale=1.0, **options):
    """The same by the method that suits: proximal Newton steps on working sets for real matrices."""
    return solve(A, y, Huber(scale), L1(ALPHA * scale), **{"tol": 1e-11, **options})


def solve_fista_l0(A, y, scale=1.0, **options):
    """Projected accelerated gradient on the l0 ball."""
    return fista(A, y, penalty=L0Ball(SPARSITY), **{"tol": 1e-10, **options})


def solve_nonconvex_ag(A, y, scale=1.0, **options):
    """Accelerated gradient on the minimax concave penalty."""
    return nonconvex_ag(A, y, penalty=_gentle_mcp(A, scale, **options), **{"tol": 1e-10, **options})


def _gentle_mcp(A, scale, penalty_weights=None, **_):
    """A minimax concave penalty three times as slow to flatten as the steepest column asks that is not excluded."""
    design = as_design(A)
    norms = design.column_sq_norms()
    if np.shape(penalty_weights) == norms.shape:
        norms = np.where(np.isinf(penalty_weights), 0.0, norms)
    steepest = float(np.max(norms)) / design.shape[0]
    return MCP(ALPHA * scale, 3 / (steepest or 1.0))


def solve_iht(A, y, scale=1.0, **options):
    """Normalised iterative hard thresholding."""
    return iht(A, y, SPARSITY, **{"tol": 1e-10, **options})


def solve_iht_fixed(A, y, scale=1.0, **options):
    """Iterative hard thresholding with a fixed step."""
    return iht(A, y, SPARSITY, step="fixed", **{"tol": 1e-10, "max_iter": 5_000, **options})


def solve_iht_positive(A, y, scale=1.0, **options):
    """Normalised iterative hard thresholding with non-negative coefficients."""
    return iht(A, y, SPARSITY, positive=True, **{"tol": 1e-10, **options})


def solve_htp(A, y, scale=1.0, **options):
    """Hard thresholding pursuit."""
    return htp(A, y, SPARSITY, **{"tol": 1e-10, **options})


def solve_htp_fast(A, y, scale=1.0, **options):
    """Hard thresholding pursuit with gradient steps on the support."""
    return htp(A, y, SPARSITY, n_gradient_steps=2, **{"tol": 1e-10, **options})


def solve_htp_positive(A, y, scale=1.0, **options):
    """Hard thresholding pursuit with non-negative coefficients."""
    return htp(A, y, SPARSITY, positive=True, **{"tol": 1e-10, **options})


def solve_nst(A, y, scale=1.0, **options):
    """Null-space tuning with a sparsity level."""
    return null_space_tuning(A, y, SPARSITY, **{"tol": 1e-10, **options})


def solve_nst_adaptive(A, y, scale=1.0, **options):
    """Null-space tuning without one."""
    return null_space_tuning(A, y, growth=SPARSITY, **{"tol": 0.05, **options})


def solve_omp(A, y, scale=1.0, **options):
    """Orthogonal matching pursuit."""
    return omp(A, y, n_nonzero=SPARSITY, **options)


def solve_ols(A, y, scale=1.0, **options):
    """Orthogonal least squares."""
    return omp(A, y, n_nonzero=SPARSITY, selection="ols", **options)


def solve_omp_criterion(A, y, scale=1.0, **options):
    """Orthogonal matching pursuit stopped by the extended BIC."""
    return omp(A, y, criterion="ebic", n_nonzero=SPARSITY, **options)


def solve_mp(A, y, scale=1.0, **options):
    """Matching pursuit, down to least squares on its support."""
    return mp(A, y, n_nonzero=SPARSITY, **options)


def solve_mp_positive(A, y, scale=1.0, **options):
    """Matching pursuit with coefficients that are not negative."""
    return mp(A, y, n_nonzero=SPARSITY, positive=True, **options)


def solve_omp_positive(A, y, scale=1.0, **options):
    """Orthogonal matching pursuit with positive coefficients."""
    return omp(A, y, n_nonzero=SPARSITY, positive=True, **options)


def solve_gomp(A, y, scale=1.0, **options):
    """Generalised orthogonal matching pursuit."""
    return gomp(A, y, SPARSITY, **options)


def solve_stomp(A, y, scale=1.0, **options):
    """Stagewise orthogonal matching pursuit."""
    return stomp(A, y, threshold=3.0, **options)


def solve_cosamp(A, y, scale=1.0, **options):
    """Compressive sampling matching pursuit."""
    return cosamp(A, y, SPARSITY, **options)


def solve_subspace_pursuit(A, y, scale=1.0, **options):
    """Subspace pursuit."""
    return subspace_pursuit(A, y, SPARSITY, **options)


def solve_loss_omp(A, y, scale=1.0, **options):
    """Loss-based OMP: square root of the squares, l1, and the strength that needs no noise level."""
    return loss_omp(A, y, **options)


def solve_loss_omp_squared(A, y, scale=1.0, **options):
    """Loss-based OMP with the LASSO's objective."""
    return loss_omp(A, y, ALPHA * scale, loss="squared", **options)


def solve_loss_omp_backward(A, y, scale=1.0, **options):
    """Loss-based OMP with the l0 penalty and removals."""
    return loss_omp(A, y, loss="squared", penalty="l0", candidates="backward", **options)


def solve_loss_omp_free(A, y, scale=1.0, **options):
    """Loss-based OMP with the square root, l0 and no scale."""
    return loss_omp(A, y, penalty="l0", scale_free=True, **options)


def solve_loss_omp_absolute(A, y, scale=1.0, **options):
    """Loss-based OMP by absolute deviations."""
    return loss_omp(A, y, loss="absolute", **options)


def solve_loss_omp_absolute_l0(A, y, scale=1.0, **options):
    """The same with the l0 penalty."""
    return loss_omp(A, y, loss="absolute", penalty="l0", **options)


def solve_somp(A, y, scale=1.0, **options):
    """Simultaneous orthogonal matching pursuit, on the target and half of it."""
    if not is_array_api_obj(y) or y.ndim != 1 or y.shape[0] not in getattr(A, "shape", ()):
        return somp(A, y, n_nonzero=SPARSITY, **options)
    result = somp(A, array_namespace(y).stack([y, y / 2], axis=1), n_nonzero=SPARSITY, **options)
    one = {name: float(getattr(result, name)[0]) for name in ("objective", "certificate")}
    return replace(result, coef=result.coef[:, 0], **one)


def solve_phase_newton(A, y, scale=1.0, **options):
    """Sparse phase retrieval by Newton's method."""
    return _turned(A, y, sparse_phase_retrieval, **options)


def solve_phase_htp(A, y, scale=1.0, **options):
    """Sparse phase retrieval by least squares with the phases held."""
    return _turned(A, y, sparse_phase_retrieval, method="htp", **{"max_iter": 1000, **options})


def _turned(A, y, solver, **options):
    """The answer for the magnitudes of `y`, with the sign or phase that `y` itself asks for: then it is that of a linear solver."""
    size = abs(y) if hasattr(y, "__abs__") else np.abs(y)
    result = solver(A, size, SPARSITY, **{"tol": 1e-10, **options})
    coef = result.coef
    xp = array_namespace(coef)
    target = asarray_like(np.asarray(y), coef) if not is_array_api_obj(y) else y
    fitted = as_design(A).matvec(coef)
    turn = inner(fitted, target)
    if is_complex(fitted):
        turn = turn + 1j * inner(1j * fitted, target)
    turn = xp.where(turn != 0, turn, xp.ones_like(turn))
    turn = turn / xp.abs(turn)
    return replace(result, coef=coef * xp.astype(turn, coef.dtype))


def solve_lasso(A, y, scale=1.0, **options):
    """Lasso by working sets and coordinate descent."""
    return lasso(A, y, ALPHA * scale, **{"tol": 1e-11, **options})


def solve_lasso_positive(A, y, scale=1.0, **options):
    """The same with non-negative coefficients."""
    return lasso(A, y, ALPHA * scale, positive=True, **{"tol": 1e-11, **options})


def solve_elastic_net_path(A, y, scale=1.0, **options):
    """The last point of a path of any penalty, here one without a ridge."""
    alphas = [4 * ALPHA * scale, 2 * ALPHA * scale, ALPHA * scale]
    options = {"penalty": L1Ridge(1.0, 1.0), "alphas": alphas, "tol": 1e-11} | options
    return regularization_path(A, y, **options).results[-1]


def solve_lasso_path(A, y, scale=1.0, **options):
    """The last point of a path."""
    alphas = [4 * ALPHA * scale, 2 * ALPHA * scale, ALPHA * scale]
    return lasso_path(A, y, alphas=alphas, **{"tol": 1e-11, **options}).results[-1]


def solve_mcp(A, y, scale=1.0, **options):
    """Minimax concave penalty by whatever suits the data: working sets and coordinate descent where they are NumPy's and real."""
    return solve(A, y, penalty=_gentle_mcp(A, scale, **options), **{"tol": 1e-10, **options})


def solve_groups(A, y, scale=1.0, **options):
    """Groups of one column, by blocks where the data are NumPy's and real: the laws of `tests.solvers.test_blocks` are for larger ones."""
    return solve(A, y, penalty=GroupL1(ALPHA * scale), **{"tol": 1e-11, **options})


def solve_rows(A, y, scale=1.0, **options):
    """The row penalty of a single target."""
    return solve(A, y, penalty=RowL2(ALPHA * scale), **{"tol": 1e-11, **options})


def solve_square_root(A, y, scale=1.0, **options):
    """Square-root Lasso: a search for the residual's size."""
    return solve(A, y, SquareRoot(), L1(ALPHA), **{"tol": 1e-11, **options})


def solve_square_root_primal_dual(A, y, scale=1.0, **options):
    """The same by primal and dual proximal steps."""
    return solve(A, y, SquareRoot(), L1(ALPHA), solver="primal_dual", **{"tol": 1e-9, **options})


def solve_least_absolute(A, y, scale=1.0, **options):
    """Least absolute deviations with an l1 norm: a simplex method, or primal and dual steps where there are no columns."""
    return solve(A, y, Absolute(), L1(ALPHA), **{"tol": 1e-9, **options})


def solve_basis_pursuit(A, y, scale=1.0, **options):
    """The least l1 norm within a given noise."""
    return basis_pursuit(A, y, noise=0.5 * scale, **{"tol": 1e-7, **options})


def solve_compound(A, y, scale=1.0, **options):
    """The LASSO by half-normal textures."""
    return compound_gaussian(A, y, ALPHA * scale, **{"tol": 1e-11, **options})


def solve_compound_exponential(A, y, scale=1.0, **options):
    """The l_2/3 penalty by exponential textures."""
    return compound_gaussian(A, y, ALPHA * scale ** (4 / 3), texture="exponential", **{"tol": 1e-10, **options})


def solve_hierarchical(A, y, scale=1.0, **options):
    """Variational Bayes with three layers; the noise is learned."""
    return hierarchical_bayes(A, y, rate=0.05, **{"tol": 1e-8, **options})


def solve_hierarchical_subspace(A, y, scale=1.0, **options):
    """The same without a large inverse."""
    return hierarchical_bayes(A, y, rate=0.05, method="subspace", **{"tol": 1e-8, **options})


def solve_kronecker_sbl(A, y, scale=1.0, **options):
    """Sparse Bayesian learning of a single factor."""
    return kronecker_sbl(A, y, **{"noise_variance": NOISE * scale**2, "tol": 1e-6, "max_iter": 20_000, **options})


MESSAGES = {
    "certificate": "change",
    "kinds": EVERY_KIND - {"gram"},
    "weights": False,
    "squared": False,
    "options": ("max_iter", "tol", "callback"),
    "limit": {"max_iter": 1},
}  # what message passing supports

GIVEN = {
    "prior": BernoulliGaussian(0.5),
    "noise_variance": 0.1,
    "tol": 1e-12,
}  # little can be learned from random labels


def _prior(scale):
    """What the planted coefficients are like."""
    return BernoulliGaussian(0.05, 0.0, 2.5 * scale**2)


def solve_gamp(A, y, scale=1.0, **options):
    """The LASSO by approximate message passing with a variance for every coefficient; of 60 samples its strength is `ALPHA`."""
    prior = LaplacePrior(scale / (60 * ALPHA))
    return gamp(A, y, prior=prior, noise_variance=scale**2, **{"tol": 1e-10, **options})


def solve_gamp_uniform(A, y, scale=1.0, **options):
    """Approximate message passing with one variance for all, prior and noise learned."""
    return gamp(A, y, variances="uniform", **{"tol": 1e-10, **options})


def solve_vamp(A, y, scale=1.0, **options):
    """The LASSO by vector approximate message passing."""
    prior = LaplacePrior(scale / (60 * ALPHA))
    return vamp(A, y, prior=prior, noise_variance=scale**2, **{"tol": 1e-10, **options})


def solve_sbl(A, y, scale=1.0, **options):
    """Sparse Bayesian learning, one variance at a time."""
    return sbl(A, y, noise_variance="estimate", **{"tol": 1e-8, **options})


def solve_sbl_learn(A, y, scale=1.0, **options):
    """The same, with a noise variance that is learned on and on."""
    return sbl(A, y, noise_variance="learn", **{"tol": 1e-8, **options})


def solve_sbl_em(A, y, scale=1.0, **options):
    """Sparse Bayesian learning by expectation-maximisation, the noise estimated before."""
    return sbl(A, y, method="em", noise_variance="estimate", **{"tol": 1e-8, **options})


def solve_sbl_mackay(A, y, scale=1.0, **options):
    """Sparse Bayesian learning by MacKay's fixed point."""
    return sbl(A, y, method="mackay", noise_variance="estimate", **{"tol": 1e-8, **options})


def solve_sbl_gamp(A, y, scale=1.0, **options):
    """Sparse Bayesian learning by message passing."""
    return sbl(A, y, method="gamp", **{"tol": 1e-8, **options})


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
    SolverCase(
        "solve-huber",
        solve_huber,
        "gap",
        kinds=EVERY_KIND - {"gram"},
        complex=False,
        threads=True,
        squared=False,
        limit={"max_iter": 1},
    ),
    SolverCase("fista-l0", solve_fista_l0, "stationarity", limit={"max_iter": 3}),
    SolverCase("nonconvex-ag", solve_nonconvex_ag, "mcp", descends=True, limit={"max_iter": 3}),
    SolverCase("iht", solve_iht, "gradient fixed point", descends=True, limit={"max_iter": 1}),
    SolverCase("iht-fixed", solve_iht_fixed, "gradient fixed point", descends=True, limit={"max_iter": 1}),
    SolverCase(
        "iht-positive",
        solve_iht_positive,
        "gradient fixed point",
        complex=False,
        descends=True,
        options=("max_iter", "tol", "callback"),  # other starts lead to other local minima
        limit={"max_iter": 1},
    ),
    SolverCase("htp", solve_htp, "fixed point"),
    SolverCase("htp-fast", solve_htp_fast, "fixed point", limit={"max_iter": 1}),
    SolverCase("htp-positive", solve_htp_positive, "fixed point", complex=False),
    SolverCase("nst", solve_nst, "tuned fixed point"),
    SolverCase("nst-adaptive", solve_nst_adaptive, "residual"),
    SolverCase("omp", solve_omp, "support", threads=True, options=()),
    SolverCase("ols", solve_ols, "support", threads=True, options=()),
    SolverCase("omp-criterion", solve_omp_criterion, "support", threads=True, options=()),
    SolverCase("mp", solve_mp, "support", options=("max_iter", "callback"), limit={"max_iter": 12}),
    SolverCase("mp-positive", solve_mp_positive, "support", complex=False, options=("max_iter", "callback")),
    SolverCase("omp-positive", solve_omp_positive, "support", complex=False, threads=True, options=()),
    SolverCase("gomp", solve_gomp, "support", options=()),
    SolverCase("stomp", solve_stomp, "support", options=()),
    SolverCase("cosamp", solve_cosamp, "support", options=()),
    SolverCase("subspace-pursuit", solve_subspace_pursuit, "support", options=()),
    SolverCase("somp", solve_somp, "support", many=False, options=()),
    SolverCase("loss-omp", solve_loss_omp, "support", options=()),
    SolverCase("loss-omp-squared", solve_loss_omp_squared, "support", options=()),
    SolverCase("loss-omp-backward", solve_loss_omp_backward, "support", options=()),
    SolverCase("loss-omp-scale-free", solve_loss_omp_free, "support", options=()),
    *(
        SolverCase(name, solve, "absolute", kinds=EVERY_KIND - {"gram"}, complex=False, namespaces=False, options=())
        for name, solve in (
            ("loss-omp-absolute", solve_loss_omp_absolute),
            ("loss-omp-absolute-l0", solve_loss_omp_absolute_l0),
        )
    ),
    SolverCase(
        "phase-newton",
        solve_phase_newton,
        "fixed-point",
        kinds=EVERY_KIND - {"gram"},
        phaseless=True,
        options=("max_iter", "tol", "init"),
        limit={"max_iter": 1},
    ),
    SolverCase(
        "phase-htp",
        solve_phase_htp,
        "fixed-point",
        kinds=EVERY_KIND - {"gram"},
        namespaces=False,  # it does, but slowly: eleven starts of linear convergence; Newton's line stands for both
        phaseless=True,
        options=("tol",),
    ),
    SolverCase("lasso", solve_lasso, "gap", threads=True, descends=True, limit={"max_iter": 1}),
    SolverCase("lasso-positive", solve_lasso_positive, "gap", complex=False, descends=True, limit={"max_iter": 1}),
    SolverCase("solve-mcp", solve_mcp, "mcp", threads=True, limit={"max_iter": 1, "tol": 1e-15}),
    SolverCase("solve-groups", solve_groups, "gap", weights=False, threads=True, limit={"max_iter": 1}),
    SolverCase("solve-rows", solve_rows, "gap", many=False),
    SolverCase("elastic-net-path", solve_elastic_net_path, "gap", many=False, options=("max_iter", "tol")),
    SolverCase("lasso-path", solve_lasso_path, "gap", many=False, options=("max_iter", "tol")),
    SolverCase(
        "square-root", solve_square_root, "gap", kinds=EVERY_KIND - {"gram"}, squared=False, limit={"max_iter": 1}
    ),
    SolverCase(
        "square-root-primal-dual",
        solve_square_root_primal_dual,
        "gap",
        kinds=EVERY_KIND - {"gram"},
        squared=False,
        options=("max_iter", "tol", "callback"),  # a start has no dual point, which proves more than coefficients alone
        limit={"max_iter": 3},
    ),
    SolverCase(
        "least-absolute",
        solve_least_absolute,
        "absolute",
        kinds=EVERY_KIND - {"gram"},
        complex=False,
        squared=False,
        options=("max_iter", "tol", "init"),
    ),
    SolverCase(
        "basis-pursuit",
        solve_basis_pursuit,
        "constrained",
        kinds=EVERY_KIND - {"gram"},
        squared=False,
        options=("max_iter", "tol", "callback"),
        limit={"max_iter": 1},
    ),
    *(
        SolverCase(
            name,
            solve,
            "gain",
            kinds=EVERY_KIND - {"gram"},
            weights=False,
            squared=False,
            options=("max_iter", "tol", "callback"),
            limit={"max_iter": 1, "tol": 0.0},
        )
        for name, solve in (
            ("sbl", solve_sbl),
            ("sbl-learn", solve_sbl_learn),
            ("sbl-em", solve_sbl_em),
            ("sbl-mackay", solve_sbl_mackay),
        )
    ),
    SolverCase(
        "sbl-gamp",
        solve_sbl_gamp,
        "gain",
        kinds=EVERY_KIND
        - {"gram", "operator", "kronecker"},  # of these it sees the norms of columns alone, not their entries
        weights=False,
        squared=False,
        options=("max_iter", "tol", "callback"),
        limit={"max_iter": 1},
    ),
    SolverCase(
        "compound-gaussian",
        solve_compound,
        "gap",
        kinds=EVERY_KIND - {"gram"},
        weights=False,
        descends=True,
        options=("max_iter", "tol", "callback"),
        limit={"max_iter": 1},
    ),
    SolverCase(
        "compound-gaussian-exponential",
        solve_compound_exponential,
        "prox",
        kinds=EVERY_KIND - {"gram"},
        weights=False,
        descends=True,
        squared=False,
        options=("max_iter", "tol", "callback"),
        limit={"max_iter": 1},
    ),
    *(
        SolverCase(
            name,
            solve,
            "change",
            kinds=EVERY_KIND - {"gram"},
            weights=False,
            many=False,  # targets share precisions and support
            squared=False,
            circular=False,
            options=("max_iter", "tol", "callback"),
        )
        for name, solve in (
            ("hierarchical-bayes", solve_hierarchical),
            ("hierarchical-bayes-subspace", solve_hierarchical_subspace),
        )
    ),
    SolverCase(
        "kronecker-sbl",
        solve_kronecker_sbl,
        "change",
        kinds=EVERY_KIND - {"gram"},
        weights=False,
        many=False,  # targets share their prior variances
        squared=False,
        options=("max_iter", "tol", "callback"),
    ),
    SolverCase("gamp", solve_gamp, **MESSAGES),
    SolverCase("gamp-uniform", solve_gamp_uniform, **MESSAGES),
    SolverCase("vamp", solve_vamp, **MESSAGES),
]

PENALTIES = [
    L1(0.7),
    L1(0.7, positive=True),
    L1(0.0),
    L1Ridge(0.7, 0.4),
    L1Ridge(0.7, 0.4, positive=True),
    L1Ridge(0.7, 0.0),
    L1Ridge(0.7, 1.0),
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
    L0Ball(4, block_size=2),
    L0Ball(4, positive=True, block_size=3),
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
        "BasisPursuit",
        BasisPursuit(noise=0.5, tol=1e-7),
        complex=True,
        namespaces=True,
        scaled=lambda model, factor: {"noise": model.noise * factor},
        limit={"max_iter": 1},
    ),
    *(
        EstimatorCase(
            f"SparseBayesianRegressor-{method}",
            SparseBayesianRegressor(method, tol=1e-7),
            complex=True,
            namespaces=True,
            weights=False,
            euclidean=False,
            entries=method == "gamp",
            limit={"max_iter": 1, "tol": 0.0},  # the second start of "em" may be certified at once
        )
        for method in ("fast", "em", "mackay", "gamp")
    ),
    EstimatorCase(
        "CompoundGaussianRegressor",
        CompoundGaussianRegressor(ALPHA, tol=1e-11),
        complex=True,
        namespaces=True,
        weights=False,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "CompoundGaussianRegressor-exponential",
        CompoundGaussianRegressor(ALPHA, texture="exponential", tol=1e-10),
        complex=True,
        namespaces=True,
        weights=False,
        scaled=lambda model, factor: {"alpha": ALPHA * factor ** (4 / 3)},
        limit={"max_iter": 1},
    ),
    *(
        EstimatorCase(
            f"HierarchicalBayesRegressor-{method}",
            HierarchicalBayesRegressor(rate=0.05, method=method, tol=1e-7),
            complex=True,
            namespaces=True,
            weights=False,
            alone=False,
            euclidean=False,
            limit={"max_iter": 1},
        )
        for method in ("full", "subspace")
    ),
    EstimatorCase(
        "KroneckerSBL",
        KroneckerSBL(noise_variance=NOISE, fit_intercept=True, tol=1e-6, max_iter=20_000),
        complex=True,
        namespaces=True,
        weights=False,
        alone=False,
        euclidean=False,
        scaled=lambda model, factor: {"noise_variance": model.noise_variance * factor**2},
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "GAMPRegressor",
        GAMPRegressor(prior=_prior(1.0), noise_variance=NOISE, tol=1e-9),
        complex=True,
        namespaces=True,
        weights=False,
        euclidean=False,
        scaled=lambda model, factor: {"prior": _prior(factor), "noise_variance": NOISE * factor**2},
        limit={"max_iter": 1},
        quick=GIVEN,
    ),
    EstimatorCase(
        "VAMPRegressor",
        VAMPRegressor(prior=_prior(1.0), noise_variance=NOISE, tol=1e-9),
        complex=True,
        namespaces=True,
        weights=False,
        euclidean=False,
        scaled=lambda model, factor: {"prior": _prior(factor), "noise_variance": NOISE * factor**2},
        limit={"max_iter": 1},
        quick=GIVEN,
    ),
    EstimatorCase(
        "IterativeHardThresholding",
        IterativeHardThresholding(n_nonzero_coefs=SPARSITY, tol=1e-10),
        complex=True,
        namespaces=True,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "IterativeHardThresholding-fixed",
        IterativeHardThresholding(n_nonzero_coefs=SPARSITY, step="fixed", tol=1e-10, max_iter=5_000),
        complex=True,
        namespaces=True,
    ),
    EstimatorCase(
        "HardThresholdingPursuit",
        HardThresholdingPursuit(n_nonzero_coefs=SPARSITY, tol=1e-10),
        complex=True,
        namespaces=True,
    ),
    EstimatorCase(
        "HardThresholdingPursuit-fast",
        HardThresholdingPursuit(n_nonzero_coefs=SPARSITY, n_gradient_steps=2, tol=1e-10),
        complex=True,
        namespaces=True,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "NullSpaceTuning",
        NullSpaceTuning(n_nonzero_coefs=SPARSITY, tol=1e-10),
        complex=True,
        namespaces=True,
    ),
    EstimatorCase(
        "NullSpaceTuning-adaptive",
        NullSpaceTuning(growth=SPARSITY, tol=0.05),
        complex=True,
        namespaces=True,
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
    *(
        EstimatorCase(
            type(model).__name__, model, complex=True, namespaces=True, alone=type(model) is not SimultaneousOMP
        )
        for model in (
            GeneralizedOMP(n_nonzero_coefs=SPARSITY),
            StagewiseOMP(threshold=3.0),
            CoSaMP(n_nonzero_coefs=SPARSITY),
            SubspacePursuit(n_nonzero_coefs=SPARSITY),
            SimultaneousOMP(n_nonzero_coefs=SPARSITY),
            LossOMP(),
        )
    ),
    EstimatorCase("LossOMP-squared", LossOMP("squared", alpha=ALPHA), complex=True, namespaces=True),
    EstimatorCase("LossOMP-absolute", LossOMP("absolute"), euclidean=False),
    EstimatorCase(
        "SparsePhaseRetrieval",
        SparsePhaseRetrieval(n_nonzero_coefs=SPARSITY, tol=1e-10),
        complex=True,
        namespaces=True,
        linear=False,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "OrthogonalMatchingPursuit-criterion",
        OrthogonalMatchingPursuit(n_nonzero_coefs=SPARSITY, criterion="ebic"),
        complex=True,
        namespaces=True,
    ),
    EstimatorCase("OrthogonalMatchingPursuitCV", OrthogonalMatchingPursuitCV(), complex=True, repeats=False),
    EstimatorCase(
        "MatchingPursuit",
        MatchingPursuit(n_nonzero_coefs=SPARSITY),
        complex=True,
        namespaces=True,
        limit={"max_iter": 12},
    ),
    EstimatorCase("Lasso", Lasso(alpha=ALPHA, tol=1e-11), complex=True, namespaces=True, limit={"max_iter": 1}),
    EstimatorCase(
        "LassoCV",
        LassoCV(alphas=10, eps=0.05, tol=1e-11),
        complex=True,
        repeats=False,
        limit={"max_iter": 1},
        quick=QUICK,
    ),
    EstimatorCase("LassoIC", LassoIC(alphas=10, eps=0.05, tol=1e-11), complex=True, repeats=False, limit=UNPROVED),
    EstimatorCase(
        "ElasticNet",
        ElasticNet(alpha=ALPHA, l1_ratio=0.8, tol=1e-12),
        complex=True,
        namespaces=True,
        scaled=stronger_elastic_net,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "MultiTaskLasso",
        MultiTaskLasso(ALPHA, tol=1e-11),
        complex=True,
        namespaces=True,
        alone=False,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "GroupLasso",
        GroupLasso(ALPHA, groups=2, tol=1e-11),
        complex=True,
        ordered=True,
        namespaces=True,
        weights=False,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "GroupLasso-sparse",
        GroupLasso(ALPHA, groups=np.arange(80) % 27, l1_ratio=0.5, tol=1e-11),
        complex=True,
        ordered=True,
        namespaces=True,
        weights=False,
        limit={"max_iter": 1},
    ),
    EstimatorCase("SquareRootLasso", SquareRootLasso(0.2, tol=1e-9), complex=True, scaled=same, limit={"max_iter": 1}),
    EstimatorCase("LADLasso", LADLasso(0.1, tol=1e-11), euclidean=False, scaled=same, limit={"max_iter": 1}),
    EstimatorCase(
        "LADLasso-quantile", LADLasso(0.1, quantile=0.8, tol=1e-11), euclidean=False, scaled=same, limit={"max_iter": 1}
    ),
    EstimatorCase(
        "HuberLasso",
        HuberLasso(ALPHA, delta=1.0, tol=1e-11),
        namespaces=True,
        euclidean=False,
        scaled=lambda model, factor: {"alpha": ALPHA * factor, "delta": factor},
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "SparsePoissonRegressor",
        SparsePoissonRegressor(ALPHA, tol=1e-11),
        linear=False,
        scaled=None,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "SparseLogisticRegression",
        SparseLogisticRegression(0.05, tol=1e-11),
        linear=False,
        labels=True,
        scaled=None,
        limit={"max_iter": 1},
    ),
    *(
        EstimatorCase(
            f"NonconvexRegressor-{penalty}",
            NonconvexRegressor(ALPHA, penalty, tol=1e-10),
            complex=True,
            namespaces=penalty == "mcp",
            limit={"max_iter": 1},
        )
        for penalty in ("mcp", "scad")
    ),
    EstimatorCase(
        "SparseGLM",
        SparseGLM(penalty=L1Ridge(ALPHA, 0.8), tol=1e-12),
        complex=True,
        namespaces=True,
        scaled=lambda model, factor: {
            f"penalty__{name}": value for name, value in stronger_elastic_net(L1Ridge(ALPHA, 0.8), factor).items()
        },
        limit={"max_iter": 1},
    ),
    *(
        EstimatorCase(type(model).__name__, model, repeats=False, limit={"max_iter": 1}, quick=QUICK, **traits)
        for model, traits in (
            (ElasticNetCV(l1_ratio=1.0, alphas=6, eps=0.05, cv=3, tol=1e-11), {"complex": True}),
            (MultiTaskLassoCV(alphas=6, eps=0.05, cv=3, tol=1e-11), {"alone": False, "complex": True}),
            (
                GroupLassoCV(groups=2, alphas=6, eps=0.05, cv=3, tol=1e-11),
                {"weights": False, "ordered": True, "complex": True},
            ),
            (SquareRootLassoCV(alphas=4, eps=0.3, cv=3, tol=1e-7), {"complex": True}),
            (LADLassoCV(alphas=4, eps=0.2, cv=3, tol=1e-11), {"euclidean": False}),
            (
                HuberLassoCV(alphas=6, eps=0.05, cv=3, tol=1e-11),
                {"euclidean": False, "scaled": lambda model, factor: {"delta": 1.345 * factor}},
            ),
            (NonconvexRegressorCV(alphas=6, eps=0.05, cv=3, tol=1e-10), {"complex": True}),
            (SparseGLMCV(alphas=6, eps=0.05, cv=3, tol=1e-11), {"complex": True}),
            (SparsePoissonRegressorCV(alphas=6, eps=0.1, cv=3, tol=1e-10), {"linear": False, "scaled": None}),
            (
                SparseLogisticRegressionCV(alphas=6, eps=0.1, cv=3, tol=1e-10),
                {"linear": False, "labels": True, "scaled": None},
            ),
        )
    ),
    *(
        EstimatorCase(
            type(model).__name__,
            model,
            complex=True,
            repeats=False,
            limit=UNPROVED,
            quick={"alphas": 5, "eps": 0.1},
        )
        for model in (
            ElasticNetIC(l1_ratio=1.0, alphas=6, eps=0.05, tol=1e-11),
            NonconvexRegressorIC(alphas=6, eps=0.05, tol=1e-10),
            SparseGLMIC(alphas=6, eps=0.05, tol=1e-11),
        )
    ),
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
            "elastic_net": {"alpha": 0.5},
            "penalty": {"penalty": MCP(0.5)},
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
    *(
        EstimatorCase(
            f"DictionaryLearning-{method}",
            DictionaryLearning(30, method=method, coder="omp", n_nonzero_coefs=3, max_iter=3, tol=None, random_state=0),
            predicts=False,
            smooth=False,
        )
        for method in ("mod", "ksvd", "aksvd")
    ),
    EstimatorCase(
        "LpDictionaryLearning",
        LpDictionaryLearning(max_iter=5000, tol=1e-6, random_state=0),
        predicts=False,
        complex=True,
        smooth=False,
        limit={"max_iter": 1},
        quick={"max_iter": 20},
    ),
    *(
        EstimatorCase(
            f"{kind.__name__}-{weights}",
            kind(
                planted(30, 20).A, n_layers=3, weights=weights, steps_per_layer=5, random_state=0, tol=0.1, **strength
            ),
            predicts=False,
            smooth=False,
            limit={"max_iter": 1},
            quick={"n_layers": 2, "steps_per_layer": 2, "tol": 0.5, "n_iter_no_change": 1},
        )
        for kind, weights, strength in (
            (UnrolledISTA, "tied", {"alpha": 0.5}),
            (UnrolledISTA, "coupled", {"alpha": 0.5}),
            (UnrolledFISTA, "analytic", {"alpha": 0.5}),
            (UnrolledIHT, "tied", {"n_nonzero_coefs": 3}),
        )
    ),
    EstimatorCase(
        "CompoundGaussianNetwork",
        CompoundGaussianNetwork(
            planted(30, 20).A,
            regulariser="prox",
            n_layers=2,
            n_texture_steps=2,
            learning_rate=0.05,
            tol=0.1,
            random_state=0,
        ),
        predicts=False,
        smooth=False,
        limit={"max_iter": 1},
        quick={"regulariser": "prox", "n_layers": 2, "n_texture_steps": 2, "max_iter": 3},
    ),
    EstimatorCase(
        "LearnedProximalNetwork",
        LearnedProximalNetwork(width=8, pretrain_steps=10, n_steps=10, random_state=0),
        predicts=False,
        smooth=False,
        scaled=None,
        limit={"learning_rate": 1e30},
        quick={"pretrain_steps": 3, "n_steps": 3},
    ),
    EstimatorCase(
        "PlugAndPlay",
        PlugAndPlay(alpha=ALPHA, tol=1e-11),
        complex=True,
        namespaces=True,
        weights=False,
        limit={"max_iter": 1},
    ),
    EstimatorCase(
        "MaskedDictionaryLearning",
        MaskedDictionaryLearning(30, n_nonzero_coefs=3, max_iter=3, random_state=0),
        predicts=False,
        smooth=False,
        missing=True,
        limit={"tol": 1e-9},
        quick={"max_iter": 3},
    ),
    *(
        EstimatorCase(
            f"SparseAutoencoder-{activation}",
            SparseAutoencoder(30, activation=activation, max_iter=3, batch_size=20, random_state=0, **given),
            predicts=False,
            smooth=False,
            limit={"tol": 1e-12},
            quick={"max_iter": 3},
        )
        for activation, given in (
            ("topk", {"n_nonzero_coefs": 3}),
            ("batchtopk", {"n_nonzero_coefs": 3}),
            ("feature_choice", {"n_nonzero_coefs": 3}),
            ("relu", {}),
            ("jumprelu", {}),
        )
    ),
    *(
        EstimatorCase(
            f"SparseAutoencoder-{structure}",
            SparseAutoencoder(
                30, structure=structure, dead_latents=dead, n_nonzero_coefs=3, max_iter=3, batch_size=20, random_state=0
            ),
            predicts=False,
            smooth=False,
            limit={"tol": 1e-12},
            quick={"max_iter": 3},
        )
        for structure, dead in (
            ("matryoshka", "auto"),
            ("hierarchical", "aux_zipf"),
            ("orthogonal", "resample"),
            ("matching_pursuit", "aux_k"),
        )
    ),
    EstimatorCase(
        "ContrastiveSparseRepresentation",
        ContrastiveSparseRepresentation(30, n_nonzero_coefs=3, max_iter=3, random_state=0),
        predicts=False,
        smooth=False,
        limit={"tol": 1e-9},
        quick={"max_iter": 3},
    ),
    *(
        EstimatorCase(
            f"ProbabilisticSparseCoding-{model}",
            ProbabilisticSparseCoding(
                6, model=model, max_active=2, n_annealing=2, n_init=1, max_iter=4, tol=None, random_state=0
            ),
            predicts=False,
            missing=True,
            limit={"tol": 1e-9},
            quick={"n_annealing": 2, "max_iter": 4, "tol": None},
        )
        for model in ("binary", "maximal", "spike_slab")
    ),
    EstimatorCase(
        "KSparseCompression",
        KSparseCompression(rate=0.2, tol=0.1, max_iter=100, random_state=0),
        predicts=False,
        smooth=False,
        limit={"max_iter": 1, "tol": 0.0},
        quick={"max_iter": 3},
    ),
    EstimatorCase(
        "ConvolutionalDictionaryLearning",
        ConvolutionalDictionaryLearning(3, atom_shape=5, max_iter=3, tol=None, random_state=0),
        predicts=False,
        smooth=False,
        limit={"tol": 1e-12, "max_iter": 1},
        quick={"n_components": 3, "max_iter": 3},
    ),
    *(
        EstimatorCase(
            f"RobustUnmixing-{loss}",
            RobustUnmixing(3, loss=loss, simplex=simplex, power=power, max_iter=20, tol=None),
            predicts=False,
            smooth=False,
            limit={"tol": 1e-12, "max_iter": 1},
            quick={"max_iter": 20},
        )
        for loss, simplex, power in (("correntropy", "exact", 0.5), ("l21", "soft", "learned"))
    ),
    EstimatorCase(
        "NeuralSparseMap",
        NeuralSparseMap(0.1, n_steps=3, hidden=(4, 2), random_state=0),
        predicts=False,
        samples=_two_samples,
        limit={"n_displaced": 0.0, "alpha": 1e-9, "round_steps": 1},
        quick={"n_steps": 2},
        failures={name: why for name, why in LABELS_FOR_POINTS.items() if name != "check_transformer_n_iter"},
    ),
    EstimatorCase(
        "WassersteinDictionary",
        WassersteinDictionary(2, max_iter=3, tol=10.0, random_state=0),
        predicts=False,
        samples=lambda seed: (np.random.default_rng(seed).random((8, 6)),),
        answer=lambda model, data: model.transform(data[0]),
        smooth=False,
        limit={"max_iter": 1, "tol": 1e-9},
        quick={"max_iter": 2, "tol": 1.0},
        failures={"check_estimators_dtypes": "its integers are all zero, and a row of zeros is no distribution"},
    ),
    EstimatorCase(
        "ClassTransport",
        ClassTransport(0.5),
        predicts=False,
        samples=_labelled_samples,
        answer=lambda model, data: model.transform(data[0]),
        smooth=False,
        limit={"max_iter": 1},
        failures=LABELS_FOR_POINTS,
    ),
    EstimatorCase(
        "InverseTransport",
        InverseTransport(0.05, tol=1e-8),
        predicts=False,
        samples=_sample_pairs,
        answer=lambda model, data: model.cost(*data),
        limit={"max_iter": 1},
        failures={
            "check_n_features_in_after_fitting": "it passes targets as y, which is called Y where it holds points"
        },
    ),
    *(
        EstimatorCase(
            f"SparseMongeMap-{penalty}",
            SparseMongeMap(penalty, 0.3, groups=2, k=2),
            predicts=False,
            samples=_two_samples,
            limit={"max_iter": 1, "reg": 0.02},
            failures=LABELS_FOR_POINTS | LABELS_FOR_SPARSE_POINTS,
        )
        for penalty in ("l1", "stvs", "group", "k_support")
    ),
]


def named(cases):
    """Arguments of `pytest.mark.parametrize` that show each case by its name."""
    return {"argvalues": cases, "ids": [case.name if hasattr(case, "name") else repr(case) for case in cases]}
