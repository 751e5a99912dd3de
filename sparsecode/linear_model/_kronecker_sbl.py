"""Sparse Bayesian learning for a design that is a Kronecker product."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._array import as_double, to_numpy
from ..designs import KroneckerDesign
from ..result import announce
from ..solvers.bayesian.kronecker import solve_kronecker_sbl
from ..solvers.bayesian.kronecker_model import fitted_variance
from ._posterior import PosteriorRegressor

__all__ = ["KroneckerSBL"]


class KroneckerSBL(PosteriorRegressor):
    """Posterior of sparse coefficients of a Kronecker product of designs, whose support is a product of one support for each axis.

    Minimises ``-log p(y | g_1 ⊗ ... ⊗ g_I, s)`` over the factors g_i of the prior variances and the noise variance s, y being Gaussian of
    covariance ``s I + X diag(g_1 ⊗ ... ⊗ g_I) X^H``. The factors of X are never multiplied out.

    Parameters
    ----------
    method : {"svd", "am"}, default="svd"
        How the variances are made a product again after each step: by singular vectors (faster, and in general more accurate), or by the
        likelihood's own optimum for one factor after another (the evidence then never falls).
    coupling : float or sequence of floats, one for each factor, default=None
        For non-zeros that come in blocks along an axis: the share, from 0 to 1, that the variance of an index has in those of its
        neighbours, for columns of norm one; 0.5 to 0.8 is usual. No blocks if None.
    noise_variance : float or "learn", default="learn"
        Variance of the noise in the squared units of y; "learn": with everything else. One below 1e-12 of the mean square of y counts as
        that.
    prune : float, default=None
        An index is dropped once its variance, for columns of norm one, is below this share of the largest of its axis and its coefficients
        too small to be told from the noise; if None 1e-3 for "svd", 5e-3 for "am". With a coupling 1e-2, whatever the noise.
    fit_intercept : bool, default=False
        Whether to fit a constant; only for a single factor: a centred Kronecker product is none.
    max_iter : int, default=1000
        Iterations.
    tol : float, default=1e-4
        Tolerance for the certificate.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        Posterior mean of the coefficients: a tensor of shape ``X.feature_shape``, flattened in C order.
    variance_ : array of the shape of `coef_`
        Their posterior variances.
    noise_variance_ : float
        The variance of the noise.
    log_evidence_ : float
        Log density of the targets with the coefficients integrated out.
    prior_variances_ : list of arrays of shape (n_features_i,)
        The factors of the prior variances; zero where an index was dropped.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Iterations done.
    status_ : Status
        How the solve ended.
    certificate_ : float
        Relative change under one more iteration, recomputed in float64.
    result_ : PosteriorResult
        The solver's whole answer; `result_.history` tells how it got there.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    kronecker_sbl : The same algorithm as a function.
    KroneckerDesign : What `fit` takes as X; a matrix alone is a single factor.

    Notes
    -----
    Complex X and y are supported. Several targets share the prior variances, and so the support.

    Cross-validation cannot split the samples of a product: rows left out, it is no product any more. Compare `method`, `coupling` and the
    factors themselves by the `log_evidence_` of fits to the same y, of which the highest is best.

    References
    ----------
    He and Joseph, "Bayesian algorithms for Kronecker-structured sparse vector recovery with application to IRS-MIMO channel estimation",
    2023 (arXiv 2307.14719).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import KroneckerDesign, KroneckerSBL
    >>> rng = np.random.default_rng(0)
    >>> X = KroneckerDesign([rng.standard_normal((8, 10)), rng.standard_normal((8, 10))])
    >>> coef = np.zeros((10, 10))
    >>> coef[np.ix_([2, 7], [1, 4])] = [[3, -2], [1, 4]]
    >>> model = KroneckerSBL().fit(X, X.matvec(coef.ravel()) + 0.01 * rng.standard_normal(64))
    >>> [np.flatnonzero(variance) for variance in model.prior_variances_]
    [array([2, 7]), array([1, 4])]
    """

    _complex_data = True
    _parameter_constraints = {
        "method": [StrOptions({"svd", "am"})],
        "coupling": [Interval(Real, 0, 1, closed="both"), "array-like", None],
        "noise_variance": [Interval(Real, 0, None, closed="neither"), StrOptions({"learn"})],
        "prune": [Interval(Real, 0, 1, closed="both"), None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        method="svd",
        coupling=None,
        noise_variance="learn",
        prune=None,
        fit_intercept=False,
        max_iter=1_000,
        tol=1e-4,
    ):
        self.method = method
        self.coupling = coupling
        self.noise_variance = noise_variance
        self.prune = prune
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def _validated(self, X, y):
        if isinstance(X, (list, tuple)) and X and all(getattr(part, "ndim", 0) == 2 for part in X):
            raise ValueError(
                f"X is a {type(X).__name__} of {len(X)} matrices; pass KroneckerDesign(X) for their product."
            )
        return super()._validated(X, y)

    def _pose(self, design, target, sample_weight):
        several = isinstance(design, KroneckerDesign) and len(design.factors) > 1
        if several and (self.fit_intercept or sample_weight is not None):
            raise ValueError(
                "an intercept and sample_weight are only possible with a single factor: centred or weighted, a Kronecker product is none."
            )
        return super()._pose(design, target, sample_weight)

    def _answer(self, problem, sample_weight):
        result = solve_kronecker_sbl(
            problem.design,
            problem.target,
            method=self.method,
            coupling=self.coupling,
            noise_variance=self.noise_variance,
            prune=self.prune,
            counted=problem.total,
            lost=problem.lost,
            max_iter=self.max_iter,
            tol=self.tol,
        )
        return announce(result)

    def _store(self, result, problem):
        super()._store(result, problem)
        self.prior_variances_ = result.parameters["prior_variances"]
        self._factors = _factors(problem.design)
        self._row_noise = result.noise_variance * problem.design.shape[0] / problem.total  # of weights of mean one

    def _spread(self, design):
        variances = [to_numpy(variance) for variance in self.prior_variances_]
        factors = _factors(design)
        if self._feature_mean is not None:
            factors = [factors[0] - to_numpy(self._feature_mean)]
        if [factor.shape[1] for factor in factors] != [variance.size for variance in variances]:
            return super()._spread(design)
        return fitted_variance(self._factors, variances, self._row_noise, factors)


def _factors(design):
    """The factors of a design in double precision and in NumPy; a matrix is one."""
    factors = design.factors if isinstance(design, KroneckerDesign) else [design.columns(np.arange(design.shape[1]))]
    return [to_numpy(as_double(factor)) for factor in factors]
