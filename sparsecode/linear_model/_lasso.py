"""Linear regression with an l1 penalty: scikit-learn"s `Lasso`, certified, weighted, sparse, complex or matrix-free."""

from __future__ import annotations

from ..penalties import L1
from ._penalised import FIT_CONSTRAINTS, PenalisedRegressor

__all__ = ["Lasso"]


class Lasso(PenalisedRegressor):
    """Minimise ``||y - X @ coef - intercept||^2 / (2 n_samples) + alpha * sum_j penalty_weights_j |coef_j|``.

    Solved by working sets and coordinate descent to a duality gap that is recomputed in float64 from the coefficients.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty. With 0 there is none, and a warning says what to use.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Rounds of working sets, each with one product with X and one with its transpose; sweeps and Newton steps within a round are not
        counted. Iterations of FISTA where that is taken.
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
    lasso : The same as a function.
    LassoCV : Chooses `alpha` by cross-validation.
    LassoIC : Chooses `alpha` by an information criterion.

    Notes
    -----
    Complex X and y, arrays of other namespaces and `alpha=0` are solved by accelerated proximal gradient. scikit-learn's
    callbacks (version 1.9 and later) are told of each round.

    References
    ----------
    Tibshirani, "Regression shrinkage and selection via the lasso", 1996.
    Massias, Gramfort and Salmon, "Celer: a fast solver for the Lasso with dual extrapolation", 2018, arXiv 1802.07481.
    Belloni and Chernozhukov, "Least squares after model selection in high-dimensional sparse models", 2013, arXiv 1001.0188.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import Lasso
    >>> X = np.random.default_rng(0).standard_normal((60, 200))
    >>> model = Lasso(alpha=0.1).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.certificate_ <= model.tol
    (array([ 4, 11]), True)
    >>> model.set_params(debias=True).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1).coef_[[4, 11]].round(6)
    array([ 3., -2.])
    """

    _complex_data = True
    _checks_later = True
    _parameter_constraints = FIT_CONSTRAINTS

    def __init__(
        self,
        alpha=1.0,
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

    def _penalty(self, alpha):
        return L1(alpha, self.positive)
