"""The square-root Lasso: the norm of the residual itself under an l1 penalty, whose strength needs no noise level."""

from __future__ import annotations

from ..losses import SquareRoot
from ..penalties import L1
from ._choice import CV_CONSTRAINTS, CrossValidated
from ._penalised import FIT_CONSTRAINTS, PenalisedRegressor, PivotalModel

__all__ = ["SquareRootLasso", "SquareRootLassoCV"]


class SquareRootLasso(PivotalModel, PenalisedRegressor):
    """Minimise ``||y - X @ coef - intercept|| / sqrt(n_samples) + alpha * sum_j penalty_weights_j |coef_j|``.

    The best `alpha` does not depend on how noisy y is: one serves all noise levels, and `fit` has it by default.

    Parameters
    ----------
    alpha : float, default=None
        Strength of the penalty. By default the one that needs no noise level,
        ``1.1 * quantile(1 - 0.05 / (2 n_features)) / sqrt(n_samples)`` with the quantiles of the normal distribution,
        for features of unit standard deviation.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Solves of the squared loss, one after another, each with one to a few rounds of working sets (one product with X and one with its
        transpose each); iterations of the primal-dual method where that is taken.
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
    SquareRootLassoCV : Chooses `alpha` by cross-validation.
    Lasso : The same path of answers, with an `alpha` in the units of the noise.

    Notes
    -----
    With `sigma = ||y - X @ coef - intercept|| / sqrt(n_samples)` above zero the answer is that of `Lasso(alpha * sigma)`.

    References
    ----------
    Belloni, Chernozhukov and Wang, "Square-root lasso: pivotal recovery of sparse signals via conic programming", 2011, arXiv
    1009.5689.
    Ndiaye, Fercoq, Gramfort, Leclere and Salmon, "Efficient smoothed concomitant lasso estimation for high dimensional
    regression", 2017, arXiv 1606.02702.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SquareRootLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> [SquareRootLasso().fit(X, scale * y).support_.tolist() for scale in (1e-3, 1.0, 1e3)]
    [[4, 11], [4, 11], [4, 11]]
    """

    _complex_data = True
    _parameter_constraints = {**FIT_CONSTRAINTS, "alpha": [*FIT_CONSTRAINTS["alpha"], None]}

    def __init__(
        self,
        alpha=None,
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

    def _loss(self):
        return SquareRoot()

    def _penalty(self, alpha):
        return L1(alpha, self.positive)


class SquareRootLassoCV(CrossValidated, PenalisedRegressor):
    """`SquareRootLasso` with the `alpha` of least cross-validated error.

    Parameters
    ----------
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; 5 by default.
    scoring : str or callable, default=None
        A scorer of scikit-learn to judge held-out samples by; by default root mean squared error.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `SquareRootLasso`.
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
    error_path_ : array of shape (n_alphas, n_folds)
        Root mean squared error on the held-out samples, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `SquareRootLasso`.

    See Also
    --------
    SquareRootLasso : For one given `alpha`, or the one that needs no search.

    References
    ----------
    Belloni, Chernozhukov and Wang, "Square-root lasso: pivotal recovery of sparse signals via conic programming", 2011, arXiv
    1009.5689.
    Ndiaye, Fercoq, Gramfort, Leclere and Salmon, "Efficient smoothed concomitant lasso estimation for high dimensional
    regression", 2017, arXiv 1606.02702.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SquareRootLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> model = SquareRootLassoCV(alphas=20, cv=4).fit(X, y)
    >>> np.isin([4, 11], model.support_).all(), model.error_path_.shape
    (np.True_, (20, 4))
    """

    _complex_data = True
    _parameter_constraints = CV_CONSTRAINTS

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
        debias=False,
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
        self.debias = debias
        self.n_jobs = n_jobs

    def _loss(self):
        return SquareRoot()

    def _penalty(self, alpha):
        return L1(alpha, self.positive)
