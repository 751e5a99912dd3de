"""The Lasso with its strength chosen by cross-validation."""

from __future__ import annotations

import threading
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval

from .._array import to_numpy
from .._estimators import FitTask, all_or_nothing, with_callbacks
from .._parallel import map_blocks
from .._validation import as_sample_weight
from ..penalties import L1
from ..result import announce
from ..solvers.path import path_alphas, solve_path
from ..solvers.solve import pose, solve_problem
from ._base import center
from ._folds import draw_folds, training_weight
from ._lasso import COMMON_CONSTRAINTS, LassoModel

__all__ = ["LassoCV"]


class LassoPathModel(LassoModel):
    """What models that choose a strength along a path share: one target, one grid of strengths."""

    def _problem(self, centered):
        """The solver's problem for centred data; its strength is still to be set."""
        penalty = L1(1.0, self.positive)
        return pose(centered.design, centered.target, None, penalty, penalty_weights=self.penalty_weights)

    def _grid(self, problem):
        """The strengths, descending."""
        if isinstance(self.alphas, Integral):
            return path_alphas(problem, None, self.alphas, self.eps)
        return path_alphas(problem, self.alphas)

    def _options(self):
        return {"max_iter": self.max_iter, "tol": self.tol}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags


class LassoCV(LassoPathModel):
    """`Lasso` with the `alpha` of least cross-validated squared error.

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
    fit_intercept : bool, default=True
        Whether to fit a constant.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    max_iter : int, default=10000
        Rounds for each strength.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients.
    n_jobs : int, default=None
        Threads over folds; by default as many as there are cores.

    Attributes
    ----------
    alpha_ : float
        The strength chosen.
    alphas_ : array of shape (n_alphas,)
        The strengths tried, descending.
    mse_path_ : array of shape (n_alphas, n_folds)
        Mean squared error on the held-out samples, weighted by `sample_weight`.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit on all data with `alpha_`: see `Lasso`.

    See Also
    --------
    Lasso : For one given `alpha`.
    LassoIC : Chooses `alpha` by an information criterion, for one path on all data.

    Notes
    -----
    The errors of the folds are averaged over held-out samples, so that a fold counts by its (weighted) size.

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

    _parameter_constraints = {
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        **COMMON_CONSTRAINTS,
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        alphas=100,
        eps=1e-3,
        cv=None,
        fit_intercept=True,
        penalty_weights=None,
        positive=False,
        max_iter=10_000,
        tol=1e-6,
        n_jobs=None,
    ):
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Choose `alpha_` by cross-validation, then fit on all data.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,)
            The target.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples, in the fits and in the held-out errors.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data are not finite, shapes disagree or a parameter is out of range; the error names it.
        """
        self._validate_params()
        with all_or_nothing(self):
            design, target = self._validated_single(X, y)
            n_samples = design.shape[0]
            weight = as_sample_weight(sample_weight, n_samples)
            weight = np.ones(n_samples) if weight is None else weight
            folds = draw_folds(self.cv, to_numpy(target), weight)
            task = FitTask.of_fit(self, len(folds) + 1)
            centered = center(design, target, fit_intercept=self.fit_intercept, sample_weight=sample_weight)
            problem = self._problem(centered)
            alphas = self._grid(problem)
            errors, sizes, worst = self._cross_validate(design, target, weight, folds, alphas, task)
            alpha = float(alphas[np.argmin(errors @ sizes / sizes.sum())])
            problem = problem.with_penalty(problem.penalty._replace(alpha=alpha))
            result = solve_problem(
                problem, problem.start(), callback=self._watched(task.part("refit", None), centered), **self._options()
            )
            announce(max(worst, result, key=lambda each: each.certificate))
            self._store(result, centered)
            self.alpha_, self.alphas_, self.mse_path_ = alpha, alphas, errors
            task.end(lambda: {"coef_": self.coef_, "intercept_": self.intercept_})
        return self

    def _cross_validate(self, design, target, weight, folds, alphas, task):
        """Errors (n_alphas, n_folds), the weight of each fold's held-out samples, and the worst certified result."""
        values, lock = to_numpy(target), threading.Lock()

        def one_fold(start, _):
            train, test = folds[start]
            inside = training_weight(train, weight)
            centered = center(design, target, fit_intercept=self.fit_intercept, sample_weight=inside)
            total = weight[test].sum()
            errors, worst = np.zeros(len(alphas)), None
            for i, result in enumerate(solve_path(self._problem(centered), alphas, **self._options())):
                missed = values - to_numpy(design.product(result.coef)) - centered.intercept(result.coef)
                errors[i] = weight[test] @ missed[test] ** 2 / total if total > 0 else 0.0
                worst = result if worst is None or result.certificate > worst.certificate else worst
            with lock:
                task.part("fold").end()
            return errors, total, worst

        errors, sizes, results = zip(*map_blocks(one_fold, len(folds), 1, self.n_jobs), strict=True)
        return np.stack(errors, axis=1), np.array(sizes), max(results, key=lambda result: result.certificate)
