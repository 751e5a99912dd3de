"""Squared loss under penalties that are not convex: sparser than l1, and without its bias."""

from __future__ import annotations

from numbers import Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from ..penalties import CEL0, L0, MCP, SCAD, CappedL1, LogSum, Lq
from ._choice import CRITERION_CONSTRAINTS, CV_CONSTRAINTS, ByCriterion, CrossValidated, SquaredErrors
from ._penalised import FIT_CONSTRAINTS, PenalisedModel, PenalisedRegressor

__all__ = ["NonconvexRegressor", "NonconvexRegressorCV", "NonconvexRegressorIC"]


_SHAPES: dict[str, Any] = {
    "mcp": (MCP, "gamma"),
    "scad": (SCAD, "a"),
    "cel0": (CEL0, "curvature"),
    "lq": (Lq, "q"),
    "log_sum": (LogSum, "epsilon"),
    "capped_l1": (CappedL1, "cap"),
    "l0": (L0, None),
}
_CONSTRAINTS = {"penalty": [StrOptions(_SHAPES.keys())], "gamma": [Interval(Real, 0, None, closed="neither"), None]}


class NonconvexModel(PenalisedModel):
    """What the three share: a penalty by its name and shape."""

    penalty: Any
    gamma: Any

    def _penalty(self, alpha):
        kind, shape = _SHAPES[self.penalty]
        if self.gamma is None:
            return kind(alpha, positive=self.positive)
        if shape is None:
            raise ValueError(f"gamma={self.gamma!r} has no meaning for penalty={self.penalty!r}; leave it at None.")
        return kind(alpha, self.gamma, self.positive)


class NonconvexRegressor(NonconvexModel, PenalisedRegressor):
    """Minimise ``||y - X @ coef - intercept||^2 / (2 n_samples) + sum_j penalty_weights_j penalty(coef_j)`` with a penalty that is not convex.

    Such penalties find sparser supports than the l1 norm at the same fit, and leave large coefficients (almost) without bias. The
    answer is a stationary point, which depends on where the solver starts: at zero, or at the last fit with `warm_start`.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty. With 0 there is none, and a warning says what to use.
    penalty : {"mcp", "scad", "cel0", "lq", "log_sum", "capped_l1", "l0"}, default="mcp"
        Which one.
    gamma : float, default=None
        Its shape; by default that of the penalty's class. For "mcp" the `gamma` of `MCP`, for "scad" the `a` of `SCAD`, for "cel0"
        the `curvature` of `CEL0` (mean squares of the columns), for "lq" the power `q` of `Lq`, for "log_sum" the `epsilon` of
        `LogSum`, for "capped_l1" the `cap` of `CappedL1`; "l0" has none.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Rounds of working sets, or iterations of a gradient method where one is taken: each with about one product with X and one
        with its transpose. Sweeps and Newton steps within a round are not counted.
    tol : float, default=1e-6
        Distance of the negative gradient to the subdifferential of the penalty, relative to its size at zero coefficients.
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
    certificate_ : float or array of shape (n_targets,)
        The relative stationarity (for "lq" and "l0" the relative prox residual): zero at a stationary point.
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
    NonconvexRegressorCV : Chooses `alpha` by cross-validation, along a path that makes good starts.
    NonconvexRegressorIC : Chooses `alpha` by an information criterion.

    References
    ----------
    Zhang, "Nearly unbiased variable selection under minimax concave penalty", 2010, arXiv 1002.4734.
    Fan and Li, "Variable selection via nonconcave penalized likelihood and its oracle properties", 2001.
    Soubies, Blanc-Feraud and Aubert, "A continuous exact l0 penalty (CEL0) for least squares regularized problem", 2015.
    Breheny and Huang, "Coordinate descent algorithms for nonconvex penalized regression", 2011, arXiv 1104.2748.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import NonconvexRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> model = NonconvexRegressor(0.5, "mcp").fit(X, y)
    >>> model.support_, model.coef_[[4, 11]].round(1)
    (array([ 4, 11]), array([ 3., -2.]))
    """

    _complex_data = True
    _parameter_constraints = {**FIT_CONSTRAINTS, **_CONSTRAINTS}

    def __init__(
        self,
        alpha=1.0,
        penalty="mcp",
        *,
        gamma=None,
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
        self.penalty = penalty
        self.gamma = gamma
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.warm_start = warm_start
        self.n_jobs = n_jobs


class NonconvexRegressorCV(NonconvexModel, SquaredErrors, CrossValidated, PenalisedRegressor):
    """`NonconvexRegressor` with the `alpha` of least cross-validated error.

    Every path starts at the strength from which on zero is stationary, and each strength from the answer of the one before.

    Parameters
    ----------
    penalty : {"mcp", "scad", "cel0", "lq", "log_sum", "capped_l1", "l0"}, default="mcp"
        Which one.
    gamma : float, default=None
        Its shape; by default that of the penalty's class. For "mcp" the `gamma` of `MCP`, for "scad" the `a` of `SCAD`, for "cel0"
        the `curvature` of `CEL0` (mean squares of the columns), for "lq" the power `q` of `Lq`, for "log_sum" the `epsilon` of
        `LogSum`, for "capped_l1" the `cap` of `CappedL1`; "l0" has none.
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
        Of each strength, counted as by `NonconvexRegressor`.
    tol : float, default=1e-6
        Distance of the negative gradient to the subdifferential of the penalty, relative to its size at zero coefficients.
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
        Mean squared error on the held-out samples, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `NonconvexRegressor`.

    See Also
    --------
    NonconvexRegressor : For one given `alpha`.

    Notes
    -----
    For "lq" zero is stationary at every strength: it needs `alphas`, an array.

    References
    ----------
    Zhang, "Nearly unbiased variable selection under minimax concave penalty", 2010, arXiv 1002.4734.
    Fan and Li, "Variable selection via nonconcave penalized likelihood and its oracle properties", 2001.
    Soubies, Blanc-Feraud and Aubert, "A continuous exact l0 penalty (CEL0) for least squares regularized problem", 2015.
    Breheny and Huang, "Coordinate descent algorithms for nonconvex penalized regression", 2011, arXiv 1104.2748.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import NonconvexRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> model = NonconvexRegressorCV("scad", alphas=20, cv=4).fit(X, y)
    >>> np.isin([4, 11], model.support_).all(), model.mse_path_.shape
    (np.True_, (20, 4))
    """

    _complex_data = True
    _parameter_constraints = {**CV_CONSTRAINTS, **_CONSTRAINTS}

    def __init__(
        self,
        penalty="mcp",
        *,
        gamma=None,
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
        self.penalty = penalty
        self.gamma = gamma
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


class NonconvexRegressorIC(NonconvexModel, ByCriterion, PenalisedRegressor):
    """`NonconvexRegressor` with the `alpha` of least AIC, BIC or extended BIC along a path on all data.

    As `LassoIC`: the size of the support counts as degrees of freedom.

    Parameters
    ----------
    criterion : {"aic", "bic", "ebic"}, default="bic"
        What is minimised.
    penalty : {"mcp", "scad", "cel0", "lq", "log_sum", "capped_l1", "l0"}, default="mcp"
        Which one.
    gamma : float, default=None
        Its shape; by default that of the penalty's class. For "mcp" the `gamma` of `MCP`, for "scad" the `a` of `SCAD`, for "cel0"
        the `curvature` of `CEL0` (mean squares of the columns), for "lq" the power `q` of `Lq`, for "log_sum" the `epsilon` of
        `LogSum`, for "capped_l1" the `cap` of `CappedL1`; "l0" has none.
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
        Of each strength, counted as by `NonconvexRegressor`.
    tol : float, default=1e-6
        Distance of the negative gradient to the subdifferential of the penalty, relative to its size at zero coefficients.
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
    coef_, intercept_, sparse_coef_, support_, n_iter_, certificate_, status_, result_, n_features_in_
        Of the fit with `alpha_`: see `NonconvexRegressor`.

    See Also
    --------
    NonconvexRegressorCV : Chooses by cross-validation, for prediction.

    References
    ----------
    Wang, Li and Tsai, "Tuning parameter selectors for the smoothly clipped absolute deviation method", 2007.
    Zhang, "Nearly unbiased variable selection under minimax concave penalty", 2010, arXiv 1002.4734.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import NonconvexRegressorIC
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)
    >>> NonconvexRegressorIC("ebic", "mcp").fit(X, y).support_
    array([ 4, 11])
    """

    _complex_data = True
    _parameter_constraints = {**CRITERION_CONSTRAINTS, **_CONSTRAINTS}

    def __init__(
        self,
        criterion="bic",
        penalty="mcp",
        *,
        gamma=None,
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
        self.penalty = penalty
        self.gamma = gamma
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
