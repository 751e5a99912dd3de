"""Orthogonal matching pursuit with its sparsity level chosen by cross-validation."""

from __future__ import annotations

import threading
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._array import to_numpy
from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._parallel import map_blocks
from .._validation import as_count, as_penalty_weights, as_sample_weight
from ..result import announce
from ..solvers.greedy.omp import solve_omp
from ._base import SparseLinearModel, center
from ._folds import draw_folds, training_weight

__all__ = ["OrthogonalMatchingPursuitCV"]


class OrthogonalMatchingPursuitCV(CallbackSupportMixin, SparseLinearModel):
    """`OrthogonalMatchingPursuit` with the `n_nonzero_coefs` of least cross-validated squared error.

    One greedy path a fold answers for every sparsity level: its steps are the fits with 1, 2, ... columns, all judged on the same
    held-out samples. A fold's training set is all data with zero weight on the held-out samples, so sparse matrices and
    operators are never copied; folds run on threads.

    Parameters
    ----------
    max_n_nonzero_coefs : int, default=None
        The largest number tried; clipped to the features and to the samples that every fold trains on. By default a tenth of the
        features, at least five.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; 5 by default.
    selection : {"omp", "ols"}, default="omp"
        "omp": the column most correlated with the residual. "ols": the column whose addition lowers the least-squares
        residual most.
    positive : bool, default=False
        Whether coefficients must be positive.
    penalty_weights : array of shape (n_features,), default=None
        Correlations are divided by their weight before columns are compared. inf excludes a column; columns of weight 0 enter
        first, outside the count.
    fit_intercept : bool, default=True
        Whether to fit a constant.
    n_jobs : int, default=None
        Threads over folds; by default as many as there are cores.

    Attributes
    ----------
    n_nonzero_coefs_ : int
        The number chosen; the smallest of equally good ones.
    mse_path_ : array of shape (n_levels, n_folds)
        Mean squared error on the held-out samples with 1, 2, ... columns, weighted by `sample_weight`. A path that ends early
        keeps its last error.
    coef_, intercept_, support_, n_iter_, status_, certificate_, result_, n_features_in_, feature_names_in_
        Of the fit on all data with `n_nonzero_coefs_`: see `OrthogonalMatchingPursuit`.

    See Also
    --------
    OrthogonalMatchingPursuit : For a given number, or one chosen by an information criterion on a single path.

    Notes
    -----
    The errors of the folds are averaged over held-out samples, so that a fold counts by its (weighted) size. As for every model that
    chooses a strength or a size for targets without a common support, `y` is one target: fit one model for each of several.
    Complex X and y are supported.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching pursuit: recursive function approximation with applications to
    wavelet decomposition", 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import OrthogonalMatchingPursuitCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 30))
    >>> model = OrthogonalMatchingPursuitCV(cv=4).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80))
    >>> model.n_nonzero_coefs_, model.support_, model.mse_path_.shape
    (2, array([ 4, 11]), (5, 4))
    """

    _complex_data = True
    _parameter_constraints = {
        "max_n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "cv": ["cv_object"],
        "selection": [StrOptions({"omp", "ols"})],
        "positive": ["boolean"],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        max_n_nonzero_coefs=None,
        cv=None,
        selection="omp",
        positive=False,
        penalty_weights=None,
        fit_intercept=True,
        n_jobs=None,
    ):
        self.max_n_nonzero_coefs = max_n_nonzero_coefs
        self.cv = cv
        self.selection = selection
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Choose `n_nonzero_coefs_` by cross-validation, then fit on all data.

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
            weight = as_sample_weight(sample_weight, design.shape[0])
            weight = np.ones(design.shape[0]) if weight is None else weight
            folds = draw_folds(self.cv, to_numpy(target), weight)
            task = FitTask.of_fit(self, len(folds) + 1)
            count = self._largest_count(design, folds, weight)
            errors, sizes = self._cross_validate(design, target, weight, folds, count, task)
            centered = center(design, target, fit_intercept=self.fit_intercept, sample_weight=sample_weight)
            best = 1 + int(np.argmin(errors @ sizes / sizes.sum()))
            result, missed = self._solve_path(centered, best)
            task.part("refit").end()
            self._store(announce(result, missed), centered)
            self.n_nonzero_coefs_, self.mse_path_ = best, errors
            task.end(lambda: {"coef_": self.coef_, "intercept_": self.intercept_})
        return self

    def _largest_count(self, design, folds, weight):
        """The largest sparsity level that every fold can fit."""
        samples = min(np.unique(train[weight[train] > 0]).size for train, _ in folds)
        largest = max(1, min(design.shape[1], samples - bool(self.fit_intercept)))
        if self.max_n_nonzero_coefs is None:
            return min(largest, max(5, design.shape[1] // 10))
        name = "the features, or the samples that every fold trains on"
        return as_count(self.max_n_nonzero_coefs, "max_n_nonzero_coefs", maximum=largest, maximum_name=name)

    def _solve_path(self, centered, count):
        return solve_omp(
            centered.design,
            centered.target,
            n_nonzero=count,
            selection=self.selection,
            positive=self.positive,
            penalty_weights=as_penalty_weights(self.penalty_weights, centered.design),
            return_path=True,
            n_jobs=1,
        )

    def _cross_validate(self, design, target, weight, folds, count, task):
        """Errors (count, n_folds) and the weight of each fold's held-out samples."""
        values, lock = to_numpy(target), threading.Lock()
        free = np.flatnonzero(np.asarray(self.penalty_weights if self.penalty_weights is not None else []) == 0)

        def one_fold(start, _):
            train, test = folds[start]
            inside = training_weight(train, weight)
            centered = center(design, target, fit_intercept=self.fit_intercept, sample_weight=inside)
            history = self._solve_path(centered, count)[0].history
            path, n_free = history["path"], np.count_nonzero(np.isin(history["selected"], free))
            fitted = to_numpy(design.product(path)) + centered.intercept(path)
            total = weight[test].sum()
            missed = np.abs(values[test, None] - fitted[test]) ** 2
            errors = weight[test] @ missed / total if total > 0 else np.zeros(missed.shape[1])
            levels = np.minimum(n_free + np.arange(1, count + 1), errors.size - 1)
            with lock:
                task.part("fold").end()
            return errors[levels], total

        errors, sizes = zip(*map_blocks(one_fold, len(folds), 1, self.n_jobs), strict=True)
        return np.stack(errors, axis=1), np.array(sizes)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags
