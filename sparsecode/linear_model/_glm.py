"""Any loss with any penalty as an estimator, their fields being parameters of it."""

from __future__ import annotations

from ._choice import CRITERION_CONSTRAINTS, CV_CONSTRAINTS, ByCriterion, CrossValidated
from ._pair import PairModel
from ._penalised import FIT_CONSTRAINTS, DevianceScore, PenalisedRegressor, without

__all__ = ["SparseGLM", "SparseGLMCV", "SparseGLMIC"]


_CONSTRAINTS = {"loss": "no_validation", "penalty": "no_validation"}


class SparseGLM(DevianceScore, PairModel, PenalisedRegressor):
    """Minimise ``loss(y, X @ coef + intercept) + sum_j penalty_weights_j penalty(coef_j)`` for any pair of loss and penalty.

    The estimator of `solve`. `predict` goes through the inverse link of the loss: means of counts for `Poisson`, probabilities of
    label 1 for `Logistic` (labels are -1 and 1), of the classes for `Multinomial` (y is one-hot), ``X @ coef_ + intercept_``
    otherwise. `score` is the share of the loss that is explained, D^2.

    Parameters
    ----------
    loss : loss or str, default=None
        A loss of the library, or its name ("squared", "square_root", "absolute", "quantile", "huber",
        "logistic", "multinomial", "poisson"); by default `Squared`.
    penalty : penalty or str, default=None
        A penalty of the library or of your own, or a name ("l1", "mcp", "scad", "cel0", "lq", "log_sum", "capped_l1", "l0", "row_l2",
        all of strength 0.1); by default ``L1(0.1)``.
    fit_intercept : bool, default=True
        Whether to fit a constant, which is not penalised; X is not changed, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        What the solver of the pair repeats, with about one product with X and one with its transpose: rounds of working sets, Newton
        steps, iterations of a gradient or primal-dual method, and for the square-root loss solves of the squared one. Sweeps and
        pivots within a round are not counted.
    tol : float, default=1e-6
        For a convex penalty the duality gap relative to the objective at zero, otherwise the stationarity residual relative to
        its size at zero.
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
        The duality gap, in the units of the objective; NaN where the certificate is no gap.
    certificate_ : float or array of shape (n_targets,)
        The relative duality gap, or the relative stationarity for a penalty that is not convex.
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
    solve : The same as a function.
    SparseGLMCV : Chooses the strength by cross-validation.
    SparseGLMIC : Chooses the strength by an information criterion.

    Notes
    -----
    The fields of loss and penalty are parameters of the estimator: ``set_params(penalty__alpha=0.1, loss__delta=2.0)``, and so can be
    searched for.

    References
    ----------
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import MCP, Huber, SparseGLM
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> model = SparseGLM(Huber(0.5), MCP(0.3)).fit(X, y)
    >>> model.support_, model.get_params()["penalty__alpha"]
    (array([ 4, 11]), 0.3)
    """

    _complex_data = True
    _parameter_constraints = {**_CONSTRAINTS, **without(FIT_CONSTRAINTS, "alpha", "positive")}

    def __init__(
        self,
        loss=None,
        penalty=None,
        *,
        fit_intercept=True,
        penalty_weights=None,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        debias=False,
        warm_start=False,
        n_jobs=None,
    ):
        self.loss = loss
        self.penalty = penalty
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.warm_start = warm_start
        self.n_jobs = n_jobs


class SparseGLMCV(DevianceScore, PairModel, CrossValidated, PenalisedRegressor):
    """`SparseGLM` with the strength of its penalty chosen by cross-validation.

    Parameters
    ----------
    loss : loss or str, default=None
        A loss of the library, or its name ("squared", "square_root", "absolute", "quantile", "huber",
        "logistic", "multinomial", "poisson"); by default `Squared`.
    penalty : penalty or str, default=None
        A penalty of the library or of your own, or a name ("l1", "mcp", "scad", "cel0", "lq", "log_sum", "capped_l1", "l0", "row_l2",
        all of strength 0.1); by default ``L1(0.1)``. Its own
        `alpha` does not matter.
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; 5 by default.
    scoring : str or callable, default=None
        A scorer of scikit-learn to judge held-out samples by; by default the loss.
    fit_intercept : bool, default=True
        Whether to fit a constant, which is not penalised; X is not changed, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `SparseGLM`. Paths of small data that are followed at once count changes of the support or Newton steps.
    tol : float, default=1e-6
        For a convex penalty the duality gap relative to the objective at zero, otherwise the stationarity residual relative to
        its size at zero.
    n_jobs : int, default=None
        Threads over folds; by default as many as there are cores, or one where the design is small.

    Attributes
    ----------
    alpha_ : float
        The strength chosen.
    alphas_ : array of shape (n_alphas,)
        The strengths tried, descending.
    error_path_ : array of shape (n_alphas, n_folds)
        Loss on the held-out samples, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `SparseGLM`.

    See Also
    --------
    SparseGLM : For one given strength.

    Notes
    -----
    The fields of loss and penalty are parameters of the estimator: ``set_params(penalty__alpha=0.1, loss__delta=2.0)``, and so can be
    searched for.

    References
    ----------
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import MCP, Huber, SparseGLMCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> model = SparseGLMCV(Huber(0.5), MCP(1.0), alphas=10, cv=4).fit(X, y)
    >>> np.isin([4, 11], model.support_).all(), model.error_path_.shape
    (np.True_, (10, 4))
    """

    _complex_data = True
    _parameter_constraints = {**_CONSTRAINTS, **without(CV_CONSTRAINTS, "positive", "debias")}

    def __init__(
        self,
        loss=None,
        penalty=None,
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
        n_jobs=None,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs


class SparseGLMIC(DevianceScore, PairModel, ByCriterion, PenalisedRegressor):
    """`SparseGLM` with the strength of its penalty chosen by AIC, BIC or extended BIC, for losses that are likelihoods.

    With k the size of the support::

        2 n_samples loss + k f            f = 2 (aic), log(n_samples) (bic)

    for logistic, multinomial and Poisson losses (up to a constant), where supports larger than half of the samples are left out;
    for the squared loss as in `LassoIC`. ebic adds ``2 ebic_gamma log(binomial(n_features, k))`` to bic.

    Parameters
    ----------
    criterion : {"aic", "bic", "ebic"}, default="bic"
        What is minimised.
    loss : loss or str, default=None
        A loss of the library, or its name ("squared", "square_root", "absolute", "quantile", "huber",
        "logistic", "multinomial", "poisson"); by default `Squared`.
    penalty : penalty or str, default=None
        A penalty of the library or of your own, or a name ("l1", "mcp", "scad", "cel0", "lq", "log_sum", "capped_l1", "l0", "row_l2",
        all of strength 0.1); by default ``L1(0.1)``. Its own
        `alpha` does not matter.
    ebic_gamma : float, default=1.0
        Weight of the number of models of one size, from 0 (bic) to 1; for "ebic" only.
    noise_variance : float, default=None
        Variance of the noise, if known. By default it is estimated at each strength by its residuals (the profile
        likelihood), and supports larger than half of the samples are left out, where that estimate breaks down. For
        the squared loss only.
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    fit_intercept : bool, default=True
        Whether to fit a constant, which is not penalised; X is not changed, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `SparseGLM`. Paths of small data that are followed at once count changes of the support or Newton steps.
    tol : float, default=1e-6
        For a convex penalty the duality gap relative to the objective at zero, otherwise the stationarity residual relative to
        its size at zero.

    Attributes
    ----------
    alpha_ : float
        The strength chosen.
    alphas_ : array of shape (n_alphas,)
        The strengths tried, descending.
    criterion_ : array of shape (n_alphas,)
        Value of the criterion at each; inf where it was left out.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit with `alpha_`: see `SparseGLM`.

    See Also
    --------
    SparseGLMCV : Chooses by cross-validation, for prediction.

    Notes
    -----
    The fields of loss and penalty are parameters of the estimator: ``set_params(penalty__alpha=0.1, loss__delta=2.0)``, and so can be
    searched for.

    References
    ----------
    Chen and Chen, "Extended BIC for small-n-large-P sparse GLM", 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1, Poisson, SparseGLMIC
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = rng.poisson(np.exp(0.8 * X[:, 4] - 0.6 * X[:, 11] + 1))
    >>> model = SparseGLMIC("ebic", Poisson(), L1(1.0)).fit(X, y)
    >>> np.isin([4, 11], model.support_).all(), model.support_.size < 5
    (np.True_, True)
    """

    _complex_data = True
    _parameter_constraints = {**_CONSTRAINTS, **without(CRITERION_CONSTRAINTS, "positive", "debias")}

    def __init__(
        self,
        criterion="bic",
        loss=None,
        penalty=None,
        *,
        ebic_gamma=1.0,
        noise_variance=None,
        alphas=100,
        eps=1e-3,
        fit_intercept=True,
        penalty_weights=None,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
    ):
        self.criterion = criterion
        self.loss = loss
        self.penalty = penalty
        self.ebic_gamma = ebic_gamma
        self.noise_variance = noise_variance
        self.alphas = alphas
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
