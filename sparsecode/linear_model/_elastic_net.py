"""The elastic net: squared loss, the l1 norm and a ridge."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from ..penalties import L1Ridge
from ._choice import CRITERION_CONSTRAINTS, CV_CONSTRAINTS, ByCriterion, CrossValidated, SquaredErrors
from ._penalised import FIT_CONSTRAINTS, PenalisedRegressor

__all__ = ["ElasticNet", "ElasticNetCV", "ElasticNetIC"]


class ElasticNet(PenalisedRegressor):
    """Minimise ``||y - X @ coef - intercept||^2 / (2 n_samples) + alpha * (l1_ratio |coef|_1 + (1 - l1_ratio) |coef|_2^2 / 2)``.

    Correlated features get coefficients of like size, where the Lasso picks one of them.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty. With 0 there is none, and a warning says what to use.
    l1_ratio : float, default=0.5
        Share of the l1 norm, from 0 (ridge) to 1 (the Lasso).
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Rounds of working sets, or iterations of FISTA where `solver` is that or the data are complex or no NumPy arrays: each with about
        one product with X and one with its transpose. Sweeps and Newton steps within a round are not counted.
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
    ElasticNetCV : Chooses `alpha`, and `l1_ratio`, by cross-validation.
    ElasticNetIC : Chooses `alpha` by an information criterion.
    L1Ridge : The penalty.

    References
    ----------
    Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import ElasticNet
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> X[:, 5] = X[:, 4] + 0.01 * rng.standard_normal(80)
    >>> model = ElasticNet(0.5, l1_ratio=0.7).fit(X, 3 * X[:, 4] + 3 * X[:, 5])
    >>> model.support_, bool(abs(model.coef_[4] - model.coef_[5]) < 0.1)
    (array([4, 5]), True)
    """

    _complex_data = True
    _checks_later = True
    _parameter_constraints = {**FIT_CONSTRAINTS, "l1_ratio": [Interval(Real, 0, 1, closed="both")]}

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
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
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def _penalty(self, alpha):
        return L1Ridge(alpha, self.l1_ratio, self.positive)


class ElasticNetCV(SquaredErrors, CrossValidated, PenalisedRegressor):
    """`ElasticNet` with the `alpha` and the `l1_ratio` of least cross-validated error.

    One set of folds serves all candidates, each `l1_ratio` with its own grid of strengths.

    Parameters
    ----------
    l1_ratio : float or array of floats, default=0.5
        Share of the l1 norm, or several to choose from.
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; 5 by default.
    scoring : str or callable, default=None
        A scorer of scikit-learn to judge held-out samples by; by default mean squared error.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `ElasticNet`. Paths that few samples or features let be followed at once count changes of the support.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients. In single precision at least 1e-6 is used.
    debias : bool, default=False
        Whether coefficients are those of least squares on the support, here and in every fold: the strength is then chosen by
        the held-out errors of these refits (the relaxed Lasso's end without any shrinkage), which leaves fewer columns in.
    n_jobs : int, default=None
        Threads over folds; by default as many as there are cores, or one where the design is small.

    Attributes
    ----------
    l1_ratio_ : float
        The share chosen.
    alpha_ : float
        The strength chosen.
    alphas_ : array of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        The strengths tried, descending.
    mse_path_ : array of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
        Mean squared error on the held-out samples, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `ElasticNet`.

    See Also
    --------
    ElasticNet : For one given `alpha` and `l1_ratio`.

    Notes
    -----
    A ridge alone (`l1_ratio=0`) makes nothing zero: it needs `alphas`, for there is no largest one.

    References
    ----------
    Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import ElasticNetCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> model = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=20, cv=4).fit(X, y)
    >>> model.l1_ratio_, model.mse_path_.shape
    (1.0, (2, 20, 4))
    """

    _complex_data = True
    _parameter_constraints = {**CV_CONSTRAINTS, "l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"]}

    def __init__(
        self,
        *,
        l1_ratio=0.5,
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
        debias=False,
        n_jobs=None,
    ):
        self.l1_ratio = l1_ratio
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
        self.debias = debias
        self.n_jobs = n_jobs

    def _penalty(self, alpha):
        return L1Ridge(alpha, float(np.ravel(self.l1_ratio)[0]), self.positive)

    def _candidates(self):
        return [
            (L1Ridge(1.0, float(ratio), self.positive), {"l1_ratio_": float(ratio)})
            for ratio in np.ravel(self.l1_ratio)
        ]


class ElasticNetIC(ByCriterion, PenalisedRegressor):
    """`ElasticNet` with the `alpha` of least AIC, BIC or extended BIC along a path on all data.

    As `LassoIC`, with the degrees of freedom of the ridge: the trace of the map from y to its fit on the support.

    Parameters
    ----------
    criterion : {"aic", "bic", "ebic"}, default="bic"
        What is minimised.
    l1_ratio : float, default=0.5
        Share of the l1 norm, from 0 (ridge) to 1 (the Lasso).
    ebic_gamma : float, default=1.0
        Weight of the number of models of one size, from 0 (bic) to 1; for "ebic" only.
    noise_variance : float, default=None
        Variance of the noise, if known. By default it is estimated at each strength by its residuals (the profile
        likelihood), and supports larger than half of the samples are left out, where that estimate breaks down.
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `ElasticNet`. Paths that few samples or features let be followed at once count changes of the support.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients. In single precision at least 1e-6 is used.
    debias : bool, default=False
        Whether coefficients are those of least squares on the support, whose criterion then chooses the strength.

    Attributes
    ----------
    alpha_ : float
        The strength chosen.
    alphas_ : array of shape (n_alphas,)
        The strengths tried, descending.
    criterion_ : array of shape (n_alphas,)
        Value of the criterion at each; inf where it was left out.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit with `alpha_`: see `ElasticNet`.

    See Also
    --------
    ElasticNetCV : Chooses by cross-validation, for prediction.

    References
    ----------
    Zou, Hastie and Tibshirani, "On the degrees of freedom of the lasso", 2007, arXiv 0712.0881.
    Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import ElasticNetIC
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> ElasticNetIC("ebic", l1_ratio=0.9).fit(X, y).support_
    array([ 4, 11])
    """

    _complex_data = True
    _parameter_constraints = {**CRITERION_CONSTRAINTS, "l1_ratio": [Interval(Real, 0, 1, closed="both")]}

    def __init__(
        self,
        criterion="bic",
        *,
        l1_ratio=0.5,
        ebic_gamma=1.0,
        noise_variance=None,
        alphas=100,
        eps=1e-3,
        fit_intercept=True,
        penalty_weights=None,
        positive=False,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        debias=False,
    ):
        self.criterion = criterion
        self.l1_ratio = l1_ratio
        self.ebic_gamma = ebic_gamma
        self.noise_variance = noise_variance
        self.alphas = alphas
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias

    def _penalty(self, alpha):
        return L1Ridge(alpha, self.l1_ratio, self.positive)
