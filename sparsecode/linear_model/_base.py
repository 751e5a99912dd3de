"""What every sparse linear regressor shares: validation, the intercept, and fits that succeed whole or not at all."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted, column_or_1d

from .._array import asarray_like, is_array_api_obj, sq_norm, to_numpy
from .._estimators import all_or_nothing
from .._tables import validate_data
from .._validation import as_design, as_sample_weight, as_target, refuse_lazy, weighted
from ..designs import CenteredDesign, DenseDesign, Design, GramDesign
from ..designs.centered import constant_level

__all__ = [
    "CenteredProblem",
    "LinearBase",
    "ModulusScore",
    "SparseLinearModel",
    "all_or_nothing",
    "center",
    "default_sparsity",
]


class CenteredProblem:
    """Design and target after centring and weighting, and the way back to the intercept."""

    def __init__(self, design, target, feature_mean, target_mean, weight):
        self.design, self.target, self.weight = design, target, weight
        self.feature_mean, self.target_mean = feature_mean, target_mean

    def intercept(self, coef):
        """The constant that makes the weighted mean of the residuals zero."""
        if self.feature_mean is None:
            return 0.0 if coef.ndim == 1 else np.zeros(coef.shape[1])
        shift = to_numpy(self.target_mean) - to_numpy(self.feature_mean @ coef)
        return shift[()] if np.ndim(shift) == 0 else shift


def center(design, target, *, fit_intercept=True, sample_weight=None) -> CenteredProblem:
    """The least-squares problem whose solution, with its intercept, is that of the weighted problem with a constant.

    NumPy-backed designs are centred and weighted implicitly; arrays of other namespaces are centred by a copy.
    """
    weight = as_sample_weight(sample_weight, design.shape[0])
    if not fit_intercept and weight is None:
        return CenteredProblem(design, target, None, None, None)
    if isinstance(design, GramDesign):
        raise ValueError(
            "a GramDesign carries no means: use fit_intercept=False and no sample_weight, or pass the design itself."
        )
    if not design.is_numpy:
        return _center_copy(design, target, fit_intercept, weight)
    n_samples = design.shape[0]
    real = target.real.dtype
    feature_mean = target_mean = None
    if fit_intercept:
        share = np.full(n_samples, 1.0 / n_samples) if weight is None else weight / n_samples
        share = share.astype(real)
        feature_mean = np.conj(design.rmatvec(share.astype(design.dtype)))
        target_mean = share @ target
        target = target - target_mean
    scale = None if weight is None else np.sqrt(weight).astype(real)
    if scale is not None:
        target = target * (scale if target.ndim == 1 else scale[:, None])
    if fit_intercept:
        target = _without_constants(np, target, target_mean)
    return CenteredProblem(CenteredDesign(design, feature_mean, scale), target, feature_mean, target_mean, weight)


def _center_copy(design, target, fit_intercept, weight):
    if not isinstance(design, DenseDesign):
        raise ValueError(
            f"a {type(design).__name__} of {design.xp.__name__} cannot be centred or weighted; use fit_intercept=False and no "
            "sample_weight, or factors of NumPy."
        )
    xp, array = design.xp, design.array
    share = np.full(design.shape[0], 1.0 / design.shape[0]) if weight is None else weight / design.shape[0]
    feature_mean = target_mean = None
    if fit_intercept:
        feature_mean = asarray_like(share, array, dtype=array.dtype) @ array
        target_mean = asarray_like(share, target, dtype=target.dtype) @ target
        design, target = as_design(array - feature_mean), target - target_mean
    design, target = weighted(design, target, weight)
    if fit_intercept:
        design = as_design(_without_constants(xp, design.array, feature_mean))
        target = _without_constants(xp, target, target_mean)
    return CenteredProblem(design, target, feature_mean, target_mean, weight)


def _without_constants(xp, centered, mean):
    """Columns that were constant are zero after centring, not rounding errors."""
    keep = to_numpy(sq_norm(centered)) > constant_level(to_numpy(mean), centered.shape[0])
    if np.all(keep):
        return centered
    return xp.where(asarray_like(np.asarray(keep), centered), centered, 0 * centered)


def default_sparsity(shape, block_size=1):
    """What ``n_nonzero_coefs=None`` stands for: a tenth of the features, at least one block and at most the samples."""
    return max(1, min(block_size, shape[1]), min(shape[1] // 10, shape[0]))


class LinearBase(BaseEstimator):
    """What regressors and classifiers share: validation, the attributes of a fit, and fitted values of new data.

    They accept arrays of any namespace, SciPy sparse matrices and arrays, and LinearOperators.
    """

    _complex_data = False
    _checks_later = (
        False  # whether posing the problem looks for NaN and infinity in X, in a product that it makes anyway
    )

    def _validated(self, X, y):
        """Design and target, with `n_features_in_` and feature names set."""
        refuse_lazy(X, "X")
        refuse_lazy(y, "y")
        if isinstance(X, GramDesign):
            raise ValueError(
                "X is a GramDesign, which has no samples to fit and predict; pass the design itself, or give the GramDesign to "
                "a solver function such as lasso or omp."
            )
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        if isinstance(X, (LinearOperator, Design)) or (is_array_api_obj(X) and not isinstance(X, np.ndarray)):
            design = as_design(X, "X")
            self.n_features_in_ = design.shape[1]
            return design, as_target(y, design)
        if _is_complex(X) or _is_complex(y):
            if not self._complex_data:
                raise ValueError(f"Complex data not supported: {type(self).__name__} needs real X and y.")
            design = as_design(X, "X")
            self.n_features_in_ = design.shape[1]
            return design, as_target(y, design)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=("csc", "csr"),
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
            ensure_all_finite=False,  # as_design looks once, at memory speed
        )
        design = as_design(X, "X", check_finite=not self._checks_later)
        return design, as_target(y, design)

    def _validated_single(self, X, y):
        """Design and one-dimensional target, for models that choose something for one target."""
        if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        design, target = self._validated(X, y)
        if target.ndim != 1:
            raise ValueError(
                f"y has shape {tuple(target.shape)}; {type(self).__name__} takes one target, fit one model for each."
            )
        return design, target

    def _store(self, result, problem):
        """Attributes of a fit, from a solver's result on the centred problem."""
        coef = result.coef
        self.intercept_ = problem.intercept(coef)
        self.coef_ = coef if coef.ndim == 1 else coef.T  # scikit-learn: (n_targets, n_features)
        self.support_ = result.support if coef.ndim == 1 else result.support.T
        self.n_iter_ = result.n_iter
        self.status_ = result.status
        self.certificate_ = result.certificate
        self.result_ = result

    def _linear(self, X):
        """``X @ coef_ + intercept_``."""
        check_is_fitted(self)
        refuse_lazy(X, "X")
        if not isinstance(X, Design) and (
            isinstance(X, (np.ndarray, list, tuple)) or sp.issparse(X) or hasattr(X, "columns")
        ):
            if _is_complex(X):
                X = as_design(X, "X")
            else:
                X = validate_data(self, X, accept_sparse=("csc", "csr"), dtype=[np.float64, np.float32], reset=False)
        design = as_design(X, "X")
        if design.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {design.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features as input."
            )
        fitted = design.matvec(self.coef_ if self.coef_.ndim == 1 else self.coef_.T)
        if np.ndim(self.intercept_) == 0:
            return fitted + float(self.intercept_) if not np.iscomplexobj(self.intercept_) else fitted + self.intercept_
        return fitted + asarray_like(np.asarray(self.intercept_), fitted, dtype=fitted.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class ModulusScore(RegressorMixin):
    """Regressors whose R^2 takes complex data too, which scikit-learn's refuses."""

    def score(self, X, y, sample_weight=None):
        """The coefficient of determination ``1 - sum |y - predict(X)|^2 / sum |y - mean(y)|^2``.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,) or (n_samples, n_targets)
            The target.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples, in both sums and the mean.

        Returns
        -------
        float
            At most one; zero for the best constant. The mean over the targets where there are many.
        """
        predicted = self.predict(X)
        values, target = (array if isinstance(array, np.ndarray) else to_numpy(array) for array in (predicted, y))
        if not (np.iscomplexobj(values) or np.iscomplexobj(target)):
            return r2_score(y, predicted, sample_weight=sample_weight)
        target, weight = target.reshape(values.shape), as_sample_weight(sample_weight, len(values))
        left = np.average(np.abs(target - values) ** 2, axis=0, weights=weight)
        total = np.average(np.abs(target - np.average(target, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
        of_constant = np.where(left > 0, 1.0, 0.0)  # as in scikit-learn
        share = np.divide(left, total, out=of_constant, where=total > 0)
        return float(np.mean(1.0 - share))


class SparseLinearModel(MultiOutputMixin, ModulusScore, LinearBase):
    """Base of the regressors that solve least squares: subclasses implement ``_solve(design, target) -> SolveResult``."""

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,) or (n_samples, n_targets)
            The target.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data are not finite, shapes disagree or a parameter is out of range; the error names it.
        """
        with all_or_nothing(self):
            self._validate_params()
            design, target = self._validated(X, y)
            problem = self._pose(design, target, sample_weight)
            self._store(self._answer(problem, sample_weight), problem)
        return self

    def _pose(self, design, target, sample_weight):
        """The problem that `_solve` is given; for losses without a mean there are others than the centred one."""
        return center(design, target, fit_intercept=self.fit_intercept, sample_weight=sample_weight)

    def _answer(self, problem, sample_weight):
        """The solver's answer; models that count samples need their weights as they were given."""
        return self._solve(problem.design, problem.target)

    def _solve(self, design, target):
        raise NotImplementedError(f"{type(self).__name__} must implement _solve(design, target).")

    def predict(self, X):
        """Predict the target: ``X @ coef_ + intercept_``.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_targets)
            The predictions.
        """
        return self._linear(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _is_complex(values):
    dtype = getattr(values, "dtype", None)
    if dtype is None and isinstance(values, (list, tuple)):
        dtype = np.asarray(values).dtype if len(values) else None
    return getattr(dtype, "kind", "") == "c"
