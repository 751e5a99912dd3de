"""Counts: Poisson regression with an l1 penalty."""

from __future__ import annotations

from ..losses import Poisson
from ..penalties import L1
from ._choice import CV_CONSTRAINTS, CrossValidated
from ._penalised import FIT_CONSTRAINTS, DevianceScore, PenalisedRegressor, without

__all__ = ["SparsePoissonRegressor", "SparsePoissonRegressorCV"]


class CountModel(DevianceScore):
    """What both share: targets that are not negative."""

    def _loss(self):
        return Poisson()

    def _penalty(self, alpha):
        return L1(alpha, self.positive)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags


class SparsePoissonRegressor(CountModel, PenalisedRegressor):
    """Minimise ``sum_i (exp(z_i) - y_i z_i) / n_samples + alpha * sum_j penalty_weights_j |coef_j|`` with ``z = X @ coef + intercept``.

    Counts whose mean is ``exp(z)``: `predict` gives that mean, and `score` the share of the deviance that is explained, D^2.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the penalty. With 0 there is none, and a warning says what to use.
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
    SparsePoissonRegressorCV : Chooses `alpha` by cross-validation.
    Poisson : The loss.

    References
    ----------
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparsePoissonRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = rng.poisson(np.exp(0.8 * X[:, 4] - 0.6 * X[:, 11] + 1))
    >>> model = SparsePoissonRegressor(1.5).fit(X, y)
    >>> model.support_, bool(np.all(model.predict(X) > 0))
    (array([ 4, 11]), True)
    """

    _parameter_constraints = FIT_CONSTRAINTS

    def __init__(
        self,
        alpha=0.01,
        *,
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
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.warm_start = warm_start
        self.n_jobs = n_jobs


class SparsePoissonRegressorCV(CountModel, CrossValidated, PenalisedRegressor):
    """`SparsePoissonRegressor` with the `alpha` of least cross-validated deviance.

    Parameters
    ----------
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; 5 by default.
    scoring : str or callable, default=None
        A scorer of scikit-learn to judge held-out samples by; by default half the mean Poisson deviance.
    fit_intercept : bool, default=True
        Whether to fit a constant, which is not penalised; X is not changed, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `SparsePoissonRegressor`. Paths of small data that are followed at once count Newton steps.
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
        Half the mean deviance on the held-out samples, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `SparsePoissonRegressor`.

    See Also
    --------
    SparsePoissonRegressor : For one given `alpha`.

    References
    ----------
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparsePoissonRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = rng.poisson(np.exp(0.8 * X[:, 4] - 0.6 * X[:, 11] + 1))
    >>> model = SparsePoissonRegressorCV(alphas=20, cv=4).fit(X, y)
    >>> np.isin([4, 11], model.support_).all(), model.error_path_.shape
    (np.True_, (20, 4))
    """

    _parameter_constraints = without(CV_CONSTRAINTS, "debias")

    def __init__(
        self,
        *,
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
