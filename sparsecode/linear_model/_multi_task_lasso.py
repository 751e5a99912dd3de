"""Many targets that share a support: squared loss under the l2,1 norm."""

from __future__ import annotations

from ..penalties import RowL2
from ._choice import CV_CONSTRAINTS, CrossValidated, SquaredErrors
from ._penalised import FIT_CONSTRAINTS, PenalisedRegressor, without

__all__ = ["MultiTaskLasso", "MultiTaskLassoCV"]


class MultiTaskLasso(PenalisedRegressor):
    """Minimise ``||Y - X @ coef - intercept||^2 / (2 n_samples) + alpha * sum_j penalty_weights_j ||coef_j||``, one support for all targets.

    ``coef_j`` are the coefficients of feature j for all targets: a feature serves all of them or none.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty. With 0 there is none, and a warning says what to use.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Rounds of working sets, or iterations of FISTA where a gradient method is taken: each with about one product with X and one
        with its transpose. Sweeps over the rows and Newton steps within a round are not counted.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients. In single precision at least 1e-6 is used.
    debias : bool, default=False
        Whether the coefficients are fitted once more without the penalty, on the support that it chose.
    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
        The coefficients, compressed.
    support_ : array of bool of shape (n_targets, n_features), or of int64
        Mask of the non-zero coefficients, the same for all targets; their indices if y has one dimension.
    n_iter_ : int
        How many were done of what `max_iter` counts.
    dual_gap_ : float
        The duality gap, in the units of the objective; NaN with `alpha=0`, where there is no such proof.
    certificate_ : float
        The duality gap over the objective at zero coefficients, one for all targets; with `alpha=0` the relative stationarity.
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
    MultiTaskLassoCV : Chooses `alpha` by cross-validation.
    Lasso : Fits each of many targets by itself.
    SimultaneousOMP : The greedy counterpart.

    References
    ----------
    Obozinski, Taskar and Jordan, "Joint covariate selection and joint subspace selection for multiple classification problems", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import MultiTaskLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> support = np.zeros((30, 3))
    >>> support[[4, 11]] = [[3, -2, 1], [1, 1, 2]]
    >>> Y = X @ support + 0.1 * rng.standard_normal((80, 3))
    >>> np.flatnonzero(MultiTaskLasso(0.5).fit(X, Y).support_.all(axis=0))
    array([ 4, 11])
    """

    _complex_data = True
    _parameter_constraints = without(FIT_CONSTRAINTS, "positive", "n_jobs")

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        penalty_weights=None,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        debias=False,
        warm_start=False,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.warm_start = warm_start

    def _penalty(self, alpha):
        return RowL2(alpha)


class MultiTaskLassoCV(SquaredErrors, CrossValidated, PenalisedRegressor):
    """`MultiTaskLasso` with the `alpha` of least cross-validated error.

    Parameters
    ----------
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; 5 by default.
    scoring : str or callable, default=None
        A scorer of scikit-learn to judge held-out samples by; by default mean squared error, averaged over the targets.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `MultiTaskLasso`.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients. In single precision at least 1e-6 is used.
    debias : bool, default=False
        Whether coefficients are those of least squares on the support, here and in every fold: the strength is then chosen by
        the held-out errors of these refits (the relaxed Lasso's end without any shrinkage), which leaves fewer columns in.
    n_jobs : int, default=None
        Threads over folds; by default as many as there are cores, or one where the design is small.

    Attributes
    ----------
    alpha_ : float
        The strength chosen.
    alphas_ : array of shape (n_alphas,)
        The strengths tried, descending.
    mse_path_ : array of shape (n_alphas, n_folds)
        Mean squared error on the held-out samples, averaged over the targets, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `MultiTaskLasso`.

    See Also
    --------
    MultiTaskLasso : For one given `alpha`.

    References
    ----------
    Obozinski, Taskar and Jordan, "Joint covariate selection and joint subspace selection for multiple classification problems", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import MultiTaskLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> support = np.zeros((30, 3))
    >>> support[[4, 11]] = [[3, -2, 1], [1, 1, 2]]
    >>> Y = X @ support + 0.1 * rng.standard_normal((80, 3))
    >>> model = MultiTaskLassoCV(alphas=20, cv=4).fit(X, Y)
    >>> model.coef_.shape, model.score(X, Y) > 0.99
    ((3, 30), True)
    """

    _complex_data = True
    _parameter_constraints = without(CV_CONSTRAINTS, "positive")

    def __init__(
        self,
        *,
        alphas=100,
        eps=1e-3,
        cv=None,
        scoring=None,
        fit_intercept=True,
        penalty_weights=None,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        debias=False,
        n_jobs=None,
    ):
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.n_jobs = n_jobs

    def _penalty(self, alpha):
        return RowL2(alpha)

    def _joins_targets(self):
        return True
