"""Linear regression with an l1 penalty: scikit-learn's `Lasso`, certified, weighted, sparse, complex or matrix-free."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._array import sq_norm, to_numpy
from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from ..solvers.coordinate import lasso
from ._base import SparseLinearModel, center

__all__ = ["Lasso"]

COMMON_CONSTRAINTS = {
    "fit_intercept": ["boolean"],
    "penalty_weights": ["array-like", None],
    "positive": ["boolean"],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
}


class LassoModel(CallbackSupportMixin, SparseLinearModel):
    """What `Lasso`, `LassoCV` and `LassoIC` share: attributes derived from a result."""

    @property
    def sparse_coef_(self):
        """`coef_` as a CSR array, one row a target."""
        check_is_fitted(self)
        return sp.csr_array(np.atleast_2d(to_numpy(self.coef_)))

    def _store(self, result, problem):
        super()._store(result, problem)
        at_zero = 0.5 * to_numpy(sq_norm(problem.target)) / problem.design.shape[0]
        gap = at_zero * (result.certificate if "gap" in result.certificate_name else np.nan)
        self.dual_gap_ = float(gap) if np.ndim(gap) == 0 else gap

    def _watched(self, task, problem):
        """A solver's callback that tells scikit-learn's callbacks of each round."""

        def callback(progress):
            return task.part("round").end(
                lambda: {"coef_": progress.coef, "intercept_": problem.intercept(progress.coef)}
            )

        return callback


class Lasso(LassoModel):
    """Minimise ``||y - X @ coef - intercept||^2 / (2 n_samples) + alpha * sum_j penalty_weights_j |coef_j|``.

    Solved by working sets and coordinate descent to a duality gap that is recomputed in float64 from the coefficients.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty. With 0 it is least squares.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    max_iter : int, default=10000
        Rounds of working sets, each with one product with X and one with its transpose.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients. In single precision at least 1e-6 is used.
    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the last fit.
    n_jobs : int, default=None
        Threads over targets; by default as many as there are cores.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
        The coefficients, compressed.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Rounds done.
    dual_gap_ : float or array of shape (n_targets,)
        The duality gap, in the units of the objective; NaN with `alpha=0`, where there is no such proof.
    certificate_ : float or array of shape (n_targets,)
        The duality gap over the objective at zero coefficients; with `alpha=0` the relative stationarity.
    status_ : Status
        How the solve ended.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    lasso : The same as a function.
    LassoCV : Chooses `alpha` by cross-validation.
    LassoIC : Chooses `alpha` by an information criterion.

    Notes
    -----
    Complex X and y, arrays of other namespaces and `alpha=0` are solved by accelerated proximal gradient. scikit-learn's
    callbacks (version 1.9 and later) are told of each round.

    References
    ----------
    Tibshirani, "Regression shrinkage and selection via the lasso", 1996.
    Massias, Gramfort and Salmon, "Celer: a fast solver for the Lasso with dual extrapolation", 2018, arXiv 1802.07481.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Lasso
    >>> X = np.random.default_rng(0).standard_normal((60, 200))
    >>> model = Lasso(alpha=0.1).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.certificate_ <= model.tol
    (array([ 4, 11]), True)
    """

    _complex_data = True
    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        **COMMON_CONSTRAINTS,
        "warm_start": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        penalty_weights=None,
        positive=False,
        max_iter=10_000,
        tol=1e-6,
        warm_start=False,
        n_jobs=None,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,) or (n_samples, n_targets)
            The target.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples; a weight of 2 is the same as a sample twice.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data are not finite, shapes disagree or a parameter is out of range; the error names it.
        """
        self._validate_params()
        task = FitTask.of_fit(self, None)
        with all_or_nothing(self):
            design, target = self._validated(X, y)
            problem = center(design, target, fit_intercept=self.fit_intercept, sample_weight=sample_weight)
            result = lasso(
                problem.design,
                problem.target,
                self.alpha,
                penalty_weights=self.penalty_weights,
                positive=self.positive,
                init=self._last_coef(problem),
                max_iter=self.max_iter,
                tol=self.tol,
                callback=self._watched(task, problem),
                n_jobs=self.n_jobs,
            )
            self._store(result, problem)
            task.end(lambda: {"coef_": self.coef_, "intercept_": self.intercept_})
        return self

    def _last_coef(self, problem):
        """Where a warm start begins: the last coefficients, if they fit."""
        coef = getattr(self, "coef_", None) if self.warm_start else None
        if coef is None:
            return None
        coef = coef if coef.ndim == 1 else coef.T
        wanted = (problem.design.shape[1], *problem.target.shape[1:])
        return coef if tuple(coef.shape) == wanted else None
