"""Groups of features that come and go together: squared loss under the (sparse) group lasso penalty."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from ..penalties import GroupL1, SparseGroupL1
from ..penalties._groups import as_labels
from ._choice import CV_CONSTRAINTS, CrossValidated, SquaredErrors
from ._penalised import FIT_CONSTRAINTS, PenalisedModel, PenalisedRegressor, without

__all__ = ["GroupLasso", "GroupLassoCV"]


_GROUP_CONSTRAINTS = {
    "groups": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "group_weights": ["array-like", None],
}


class GroupModel(PenalisedModel):
    """What both share: the penalty of the groups."""

    groups: Any
    l1_ratio: Any
    group_weights: Any

    def _penalty(self, alpha):
        groups: Any = self.groups if isinstance(self.groups, Integral) else as_labels(self.groups)
        weights = (
            None if self.group_weights is None else tuple(np.asarray(self.group_weights, dtype=np.float64).tolist())
        )
        if self.l1_ratio == 0:
            return GroupL1(alpha, groups, weights)
        return SparseGroupL1(alpha, groups, self.l1_ratio, weights)


class GroupLasso(GroupModel, PenalisedRegressor):
    """Minimise ``||y - X @ coef - intercept||^2 / (2 n_samples) + alpha * sum_g weights_g ||coef_g||``: groups of features are chosen whole.

    With `l1_ratio` above zero (sparse group lasso) the penalty is ``alpha * sum_g (l1_ratio ||coef_g||_1 + (1 - l1_ratio) weights_g ||coef_g||)``.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty. With 0 there is none, and a warning says what to use.
    groups : int or array of shape (n_features,), default=1
        Size of contiguous blocks (the last may be shorter), or one label for each feature.
    l1_ratio : float, default=0.0
        Share of the l1 norm inside the groups: 0 is the group lasso, values below 1 the sparse group lasso.
    group_weights : array of shape (n_groups,), default=None
        One for each group, in the order of the labels, from 0 (free) to inf (excluded); by default square roots of the sizes.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Rounds of working sets, or iterations of FISTA where a gradient method is taken: each with about one product with X and one
        with its transpose. Sweeps over the blocks and Newton steps within a round are not counted.
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
    GroupLassoCV : Chooses `alpha` by cross-validation.
    GroupL1, SparseGroupL1 : The penalties.

    References
    ----------
    Yuan and Lin, "Model selection and estimation in regression with grouped variables", 2006.
    Simon, Friedman, Hastie and Tibshirani, "A sparse-group lasso", 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import GroupLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = X[:, 3:6] @ np.array([3.0, -2.0, 1.0]) + 0.1 * rng.standard_normal(80)
    >>> GroupLasso(0.5, groups=3).fit(X, y).support_
    array([3, 4, 5])
    """

    _complex_data = True
    _parameter_constraints = {**without(FIT_CONSTRAINTS, "positive", "penalty_weights"), **_GROUP_CONSTRAINTS}

    def __init__(
        self,
        alpha=1.0,
        groups=1,
        *,
        l1_ratio=0.0,
        group_weights=None,
        fit_intercept=True,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        debias=False,
        warm_start=False,
        n_jobs=None,
    ):
        self.alpha = alpha
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.group_weights = group_weights
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.warm_start = warm_start
        self.n_jobs = n_jobs


class GroupLassoCV(GroupModel, SquaredErrors, CrossValidated, PenalisedRegressor):
    """`GroupLasso` with the `alpha` of least cross-validated error.

    Parameters
    ----------
    groups : int or array of shape (n_features,), default=1
        Size of contiguous blocks (the last may be shorter), or one label for each feature.
    l1_ratio : float, default=0.0
        Share of the l1 norm inside the groups: 0 is the group lasso, values below 1 the sparse group lasso.
    group_weights : array of shape (n_groups,), default=None
        One for each group, in the order of the labels, from 0 (free) to inf (excluded); by default square roots of the sizes.
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
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `GroupLasso`.
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
        Mean squared error on the held-out samples, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `GroupLasso`.

    See Also
    --------
    GroupLasso : For one given `alpha`.

    References
    ----------
    Yuan and Lin, "Model selection and estimation in regression with grouped variables", 2006.
    Simon, Friedman, Hastie and Tibshirani, "A sparse-group lasso", 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import GroupLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = X[:, 3:6] @ np.array([3.0, -2.0, 1.0]) + 0.1 * rng.standard_normal(80)
    >>> model = GroupLassoCV(groups=3, alphas=20, cv=4).fit(X, y)
    >>> np.isin([3, 4, 5], model.support_).all(), model.mse_path_.shape
    (np.True_, (20, 4))
    """

    _complex_data = True
    _parameter_constraints = {**without(CV_CONSTRAINTS, "positive", "penalty_weights"), **_GROUP_CONSTRAINTS}

    def __init__(
        self,
        groups=1,
        *,
        l1_ratio=0.0,
        group_weights=None,
        alphas=100,
        eps=1e-3,
        cv=None,
        scoring=None,
        fit_intercept=True,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        debias=False,
        n_jobs=None,
    ):
        self.groups = groups
        self.l1_ratio = l1_ratio
        self.group_weights = group_weights
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.n_jobs = n_jobs
