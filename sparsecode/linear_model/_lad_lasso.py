"""Least absolute deviations, or another quantile, under an l1 penalty."""

from __future__ import annotations

from numbers import Real

from sklearn.utils._param_validation import Interval

from ..losses import Quantile
from ..penalties import L1
from ._choice import CV_CONSTRAINTS, CrossValidated
from ._penalised import FIT_CONSTRAINTS, PenalisedRegressor, PivotalModel, without

__all__ = ["LADLasso", "LADLassoCV"]


_QUANTILE = {"quantile": [Interval(Real, 0, 1, closed="neither")]}


class LADLasso(PivotalModel, PenalisedRegressor):
    """Minimise ``sum_i pinball(y_i - X_i @ coef - intercept) / n_samples + alpha * sum_j penalty_weights_j |coef_j|``.

    ``pinball(r) = max(quantile r, (quantile - 1) r)``, half the absolute residual for the median: the least absolute deviations
    that give the estimator its name. An outlier counts by its side, not by its size. `alpha` is that of scikit-learn's
    `QuantileRegressor`.

    Parameters
    ----------
    alpha : float, default=None
        Strength of the penalty. By default the one that needs no noise level,
        ``1.1 * sqrt(quantile (1 - quantile) / n_samples) * quantile(1 - 0.05 / (2 n_features))`` with the quantiles of the normal distribution,
        for features of unit standard deviation. It lets no useless feature in, and at few samples misses useful ones: `LADLassoCV`
        finds more of them.
    quantile : float, default=0.5
        Which quantile of the target to fit, between 0 and 1; 0.5 is the median.
    fit_intercept : bool, default=True
        Whether to fit a constant, which is not penalised; X is not changed, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Rounds of working sets, or iterations of the primal-dual method where that is taken: each with about one product with X and one
        with its transpose. Pivots of the simplex method within a round are not counted.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients. In single precision at least 1e-6 is used.
    debias : bool, default=False
        Whether the coefficients are fitted once more without the penalty, on the support that it chose.
    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the last fit.
    n_jobs : int, default=None
        Threads over targets; by default as many as there are cores.

    Attributes
    ----------
    alpha_ : float
        The strength used.
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
        The coefficients, compressed.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        How many were done of what `max_iter` counts.
    dual_gap_ : float or array of shape (n_targets,)
        The duality gap, in the units of the objective; NaN with `alpha=0`, where there is no such proof.
    certificate_ : float or array of shape (n_targets,)
        The duality gap over the objective at zero coefficients; with `alpha=0` the relative stationarity.
    status_ : Status
        How the solve ended.
    result_ : SolveResult
        The solver's whole answer, before any debiasing.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    LADLassoCV : Chooses `alpha` by cross-validation.
    HuberLasso : Robust too, and smooth: faster, and more precise without outliers.

    References
    ----------
    Wang, Li and Jiang, "Robust regression shrinkage and consistent variable selection through the LAD-lasso", 2007.
    Belloni and Chernozhukov, "l1-penalized quantile regression in high-dimensional sparse models", 2011, arXiv 0904.2931.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LADLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> y[:8] += 100.0
    >>> LADLasso().fit(X, y).support_
    array([ 4, 11])
    """

    _parameter_constraints = {
        **FIT_CONSTRAINTS,
        "alpha": [*FIT_CONSTRAINTS["alpha"], None],
        **_QUANTILE,
    }

    def __init__(
        self,
        alpha=None,
        *,
        quantile=0.5,
        fit_intercept=True,
        penalty_weights=None,
        positive=False,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        debias=False,
        warm_start=False,
        n_jobs=None,
    ):
        self.alpha = alpha
        self.quantile = quantile
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def _loss(self):
        return Quantile(self.quantile)

    def _penalty(self, alpha):
        return L1(alpha, self.positive)


class LADLassoCV(CrossValidated, PenalisedRegressor):
    """`LADLasso` with the `alpha` of least cross-validated error.

    Parameters
    ----------
    quantile : float, default=0.5
        Which quantile of the target to fit, between 0 and 1; 0.5 is the median.
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; 5 by default.
    scoring : str or callable, default=None
        A scorer of scikit-learn to judge held-out samples by; by default the mean pinball loss.
    fit_intercept : bool, default=True
        Whether to fit a constant, which is not penalised; X is not changed, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `LADLasso`. Paths of few samples that are followed at once count pivots.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients. In single precision at least 1e-6 is used.
    n_jobs : int, default=None
        Threads over folds; by default as many as there are cores, or one where the design is small.

    Attributes
    ----------
    alpha_ : float
        The strength chosen.
    alphas_ : array of shape (n_alphas,)
        The strengths tried, descending.
    error_path_ : array of shape (n_alphas, n_folds)
        Mean pinball loss on the held-out samples, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `LADLasso`.

    See Also
    --------
    LADLasso : For one given `alpha`, or the one that needs no search.

    References
    ----------
    Wang, Li and Jiang, "Robust regression shrinkage and consistent variable selection through the LAD-lasso", 2007.
    Belloni and Chernozhukov, "l1-penalized quantile regression in high-dimensional sparse models", 2011, arXiv 0904.2931.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LADLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> y[:8] += 100.0
    >>> model = LADLassoCV(alphas=10, eps=0.05, cv=4).fit(X, y)
    >>> np.isin([4, 11], model.support_).all(), model.error_path_.shape
    (np.True_, (10, 4))
    """

    _parameter_constraints = {**without(CV_CONSTRAINTS, "debias"), **_QUANTILE}

    def __init__(
        self,
        *,
        quantile=0.5,
        alphas=100,
        eps=1e-3,
        cv=None,
        scoring=None,
        fit_intercept=True,
        penalty_weights=None,
        positive=False,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        n_jobs=None,
    ):
        self.quantile = quantile
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    def _loss(self):
        return Quantile(self.quantile)

    def _penalty(self, alpha):
        return L1(alpha, self.positive)
