"""The Lasso with its strength chosen by cross-validation."""

from __future__ import annotations

from ..penalties import L1
from ._choice import CV_CONSTRAINTS, CrossValidated, SquaredErrors
from ._penalised import PenalisedRegressor

__all__ = ["LassoCV"]


class LassoCV(SquaredErrors, CrossValidated, PenalisedRegressor):
    """`Lasso` with the `alpha` of least cross-validated error.

    One set of folds and one grid of strengths serve the whole search: every strength is judged on the same held-out samples.
    A fold's training set is all data with zero weight on the held-out samples, so sparse matrices and operators are never
    copied; its path is warm-started, and folds run on threads.

    Parameters
    ----------
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
        Rounds of working sets for each strength, counted as by `Lasso`. Paths that few samples or features let be followed at once count changes of the support.
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
        Of the fit on all data with `alpha_`: see `Lasso`.

    See Also
    --------
    Lasso : For one given `alpha`.
    LassoIC : Chooses `alpha` by an information criterion, for one path on all data.

    Notes
    -----
    The errors of the folds are averaged over held-out samples, so that a fold counts by its (weighted) size.
    On a fold's path, a gap may be proved by the dual point of another strength; the last fit, which is kept, proves itself. With
    up to 256 features, or 128 samples and not too many features, a fold's path is followed from one change of the support to the
    next, all strengths at once.

    With `debias` the strength is judged by what is used in the end, the refits, as for the relaxed Lasso: by errors of shrunken
    fits a smaller strength would be chosen, whose support holds more columns than the refit needs.

    References
    ----------
    Meinshausen, "Relaxed lasso", 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> model = LassoCV(cv=4).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80))
    >>> bool(model.alpha_ < 0.1), model.mse_path_.shape
    (True, (100, 4))
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

    def _penalty(self, alpha):
        return L1(alpha, self.positive)
