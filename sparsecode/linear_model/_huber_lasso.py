"""Robust regression with an l1 penalty: quadratic for small residuals, linear for outliers."""

from __future__ import annotations

from numbers import Real

from sklearn.utils._param_validation import Interval

from ..losses import Huber
from ..penalties import L1
from ._choice import CV_CONSTRAINTS, CrossValidated
from ._penalised import FIT_CONSTRAINTS, PenalisedRegressor, without

__all__ = ["HuberLasso", "HuberLassoCV"]


_DELTA = {"delta": [Interval(Real, 0, None, closed="neither")]}


class HuberLasso(PenalisedRegressor):
    """Minimise ``sum_i huber(y_i - X_i @ coef - intercept) / n_samples + alpha * sum_j penalty_weights_j |coef_j|``.

    ``huber(r)`` is ``r^2 / 2`` up to `delta` and grows linearly beyond: least squares for most samples, and no more than `delta` times
    a constant from any outlier.

    Parameters
    ----------
    alpha : float, default=0.1
        Strength of the penalty. With 0 there is none, and a warning says what to use.
    delta : float, default=1.345
        Size of a residual from which on it counts as an outlier, in the units of y. The default keeps 95 % of least squares'
        efficiency if the noise is normal of unit standard deviation.
    fit_intercept : bool, default=True
        Whether to fit a constant, which is not penalised; X is not changed, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Rounds of working sets, each with one product with X and one with its transpose; the Newton steps and sweeps within are not
        counted. Of small data Newton steps on the support, those at a larger strength on the way as one; iterations of a gradient
        method where one is taken.
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
    HuberLassoCV : Chooses `alpha` by cross-validation.
    LADLasso : The median instead of the mean, without a `delta` to know.

    References
    ----------
    Huber, "Robust estimation of a location parameter", 1964.
    Fan, Li and Wang, "Estimation of high dimensional mean regression in the absence of symmetry and light tail assumptions",
    2017, arXiv 1410.2150.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import HuberLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> y[:8] += 100.0
    >>> HuberLasso(0.1, delta=0.3).fit(X, y).support_
    array([ 4, 11])
    """

    _parameter_constraints = {**FIT_CONSTRAINTS, **_DELTA}

    def __init__(
        self,
        alpha=0.1,
        *,
        delta=1.345,
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
        self.delta = delta
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
        return Huber(self.delta)

    def _penalty(self, alpha):
        return L1(alpha, self.positive)


class HuberLassoCV(CrossValidated, PenalisedRegressor):
    """`HuberLasso` with the `alpha` of least cross-validated error.

    Parameters
    ----------
    delta : float, default=1.345
        Size of a residual from which on it counts as an outlier, in the units of y. The default keeps 95 % of least squares'
        efficiency if the noise is normal of unit standard deviation.
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; 5 by default.
    scoring : str or callable, default=None
        A scorer of scikit-learn to judge held-out samples by; by default the mean Huber loss.
    fit_intercept : bool, default=True
        Whether to fit a constant, which is not penalised; X is not changed, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `HuberLasso`. Paths of small data that are followed at once count Newton steps.
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
        Mean Huber loss on the held-out samples, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `HuberLasso`.

    See Also
    --------
    HuberLasso : For one given `alpha`.

    References
    ----------
    Huber, "Robust estimation of a location parameter", 1964.
    Fan, Li and Wang, "Estimation of high dimensional mean regression in the absence of symmetry and light tail assumptions",
    2017, arXiv 1410.2150.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import HuberLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> y[:8] += 100.0
    >>> model = HuberLassoCV(delta=0.3, alphas=20, cv=4).fit(X, y)
    >>> np.isin([4, 11], model.support_).all(), model.error_path_.shape
    (np.True_, (20, 4))
    """

    _parameter_constraints = {**without(CV_CONSTRAINTS, "debias"), **_DELTA}

    def __init__(
        self,
        *,
        delta=1.345,
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
        self.delta = delta
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
        return Huber(self.delta)

    def _penalty(self, alpha):
        return L1(alpha, self.positive)
