"""What sparse classifiers share: labels become the targets of the logistic or the multinomial loss, and come back."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .._array import array_namespace, asarray_like, is_array_api_obj, to_numpy
from .._validation import refuse_lazy
from ..losses import Logistic, Multinomial
from ..penalties import L1, L1Ridge
from ._penalised import PenalisedModel

__all__ = ["SparseClassifier"]


class SparseClassifier(ClassifierMixin, PenalisedModel):
    """Two classes by the logistic loss, more by the multinomial one."""

    def _loss(self):
        return Logistic() if len(self.classes_) == 2 else Multinomial()

    def _penalty(self, alpha):
        return L1(alpha, self.positive) if self.l1_ratio == 1 else L1Ridge(alpha, self.l1_ratio, self.positive)

    def _joins_targets(self):
        return True

    def _validated(self, X, y):
        """Design and target; labels are -1 and 1, or one column of indicators for each of more classes."""
        refuse_lazy(y, "y")
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        labels = column_or_1d(to_numpy(y) if is_array_api_obj(y) else y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) == 1:
            raise ValueError(
                f"y holds one class only, {self.classes_[0]}; {type(self).__name__} needs samples of at least two classes."
            )
        target = 2.0 * codes - 1.0 if len(self.classes_) == 2 else np.eye(len(self.classes_))[codes]
        if is_array_api_obj(X) and not isinstance(X, np.ndarray):
            target = asarray_like(target, X, dtype=X.dtype)
        elif getattr(X, "dtype", None) == np.float32:
            target = target.astype(np.float32)
        return super()._validated(X, target)

    def _weights_of(self, y, sample_weight):
        """Weights of the samples times those of their classes."""
        if self.class_weight is None:
            return sample_weight
        labels = column_or_1d(to_numpy(y) if is_array_api_obj(y) else y)
        weights = compute_sample_weight(self.class_weight, labels)
        return weights if sample_weight is None else weights * np.asarray(sample_weight, dtype=np.float64)

    def decision_function(self, X):
        """Log-odds of the second class, or the fitted values of each of more classes.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
            ``X @ coef_.T + intercept_``.
        """
        return self._linear(X)

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.

        Returns
        -------
        array of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        fitted = self._linear(X)
        second = self._loss().inverse_link(fitted)
        if fitted.ndim == 2:
            return second
        return array_namespace(fitted).stack([Logistic().inverse_link(-fitted), second], axis=1)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.

        Returns
        -------
        array of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        probability = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return array_namespace(probability).log(probability)

    def predict(self, X):
        """The most probable class of each sample.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, as in `classes_`.
        """
        fitted = to_numpy(self._linear(X))
        return self.classes_[(fitted > 0).astype(int) if fitted.ndim == 1 else fitted.argmax(axis=1)]

    def score(self, X, y, sample_weight=None):
        """The share of samples whose class is predicted.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,)
            The true labels.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples.

        Returns
        -------
        float
            From 0 to 1.
        """
        return super().score(X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags
