"""Labels: logistic and multinomial regression with an l1 penalty."""

from __future__ import annotations

from numbers import Real

from sklearn.utils._param_validation import Interval, StrOptions

from ._choice import CV_CONSTRAINTS, CrossValidated
from ._classifier import SparseClassifier
from ._penalised import FIT_CONSTRAINTS, without

__all__ = ["SparseLogisticRegression", "SparseLogisticRegressionCV"]


_CONSTRAINTS = {
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "class_weight": [dict, StrOptions({"balanced"}), None],
}


class SparseLogisticRegression(SparseClassifier):
    """Minimise ``sum_i log(1 + exp(-y_i z_i)) / n_samples + alpha * sum_j penalty_weights_j |coef_j|`` with ``z = X @ coef + intercept``.

    Labels may be anything; for more than two classes the loss is the multinomial one, with coefficients for each class. `alpha` is
    ``1 / (C n_samples)`` in terms of scikit-learn's `LogisticRegression`.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the penalty. With 0 there is none, and a warning says what to use.
    l1_ratio : float, default=1.0
        Share of the l1 norm in the penalty; the rest is a ridge, as in the elastic net.
    class_weight : dict or "balanced", default=None
        Weights of the classes, multiplied with those of the samples; "balanced" makes all classes weigh the same.
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

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted.
    coef_ : array of shape (n_features,) or (n_classes, n_features)
        The coefficients: those of the second class for two classes, one row a class for more.
    intercept_ : float or array of shape (n_classes,)
        The constants.
    sparse_coef_ : csr_array of shape (1, n_features) or (n_classes, n_features)
        The coefficients, compressed.
    support_ : array of int64, or of bool of shape (n_classes, n_features)
        Indices of the non-zero coefficients for two classes, their mask for more.
    n_iter_ : int
        How many were done of what `max_iter` counts.
    dual_gap_ : float
        The duality gap, in the units of the objective; NaN with `alpha=0`, where there is no such proof.
    certificate_ : float
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
    SparseLogisticRegressionCV : Chooses `alpha` by cross-validation.
    Logistic, Multinomial : The losses.

    References
    ----------
    Koh, Kim and Boyd, "An interior-point method for large-scale l1-regularized logistic regression", 2007.
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparseLogisticRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = np.where(2 * X[:, 4] - 2 * X[:, 11] + 0.5 * rng.standard_normal(80) > 0, "yes", "no")
    >>> model = SparseLogisticRegression(0.1).fit(X, y)
    >>> model.support_, model.classes_, model.score(X, y) > 0.9
    (array([ 4, 11]), array(['no', 'yes'], dtype='<U3'), True)
    """

    _parameter_constraints = {**without(FIT_CONSTRAINTS, "n_jobs"), **_CONSTRAINTS}

    def __init__(
        self,
        alpha=0.01,
        *,
        l1_ratio=1.0,
        class_weight=None,
        fit_intercept=True,
        penalty_weights=None,
        positive=False,
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        debias=False,
        warm_start=False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias
        self.warm_start = warm_start


class SparseLogisticRegressionCV(SparseClassifier, CrossValidated):
    """`SparseLogisticRegression` with the `alpha` of least cross-validated log-loss.

    By default every fold holds about the same share of each class.

    Parameters
    ----------
    l1_ratio : float, default=1.0
        Share of the l1 norm in the penalty; the rest is a ridge, as in the elastic net.
    class_weight : dict or "balanced", default=None
        Weights of the classes, multiplied with those of the samples; "balanced" makes all classes weigh the same.
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; 5 by default.
    scoring : str or callable, default=None
        A scorer of scikit-learn to judge held-out samples by; by default the log-loss.
    fit_intercept : bool, default=True
        Whether to fit a constant, which is not penalised; X is not changed, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Of each strength, counted as by `SparseLogisticRegression`. Paths of small data that are followed at once count Newton steps.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients. In single precision at least 1e-6 is used.
    n_jobs : int, default=None
        Threads over folds; by default as many as there are cores, or one where the design is small.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted.
    alpha_ : float
        The strength chosen.
    alphas_ : array of shape (n_alphas,)
        The strengths tried, descending.
    error_path_ : array of shape (n_alphas, n_folds)
        Log-loss on the held-out samples, weighted by `sample_weight`; with `scoring` minus the score.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `SparseLogisticRegression`.

    See Also
    --------
    SparseLogisticRegression : For one given `alpha`.

    References
    ----------
    Koh, Kim and Boyd, "An interior-point method for large-scale l1-regularized logistic regression", 2007.
    Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparseLogisticRegressionCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> y = np.where(2 * X[:, 4] - 2 * X[:, 11] + 0.5 * rng.standard_normal(80) > 0, "yes", "no")
    >>> model = SparseLogisticRegressionCV(alphas=20, cv=4).fit(X, y)
    >>> np.isin([4, 11], model.support_).all(), model.error_path_.shape
    (np.True_, (20, 4))
    """

    _parameter_constraints = {**without(CV_CONSTRAINTS, "debias"), **_CONSTRAINTS}

    def __init__(
        self,
        *,
        l1_ratio=1.0,
        class_weight=None,
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
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
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
