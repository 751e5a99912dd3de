"""What estimators that are fitted to two samples of points ask of them."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

from .._tables import check_array, validate_data
from .._validation import refuse_lazy
from ._elastic_cost import canonical

__all__ = ["PointTransport"]


class PointTransport(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Estimators with ``fit(X, Y)`` that move points of the space of both samples."""

    _takes_sparse = False

    def _points(self, X, reset=False):
        """Points like the sources; those of the fit with `reset`."""
        refuse_lazy(X, "X")
        return canonical(validate_data(self, X, reset=reset, **self._kinds()))

    def _targets(self, Y):
        """The second sample, in the space of the first."""
        if Y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: the target points are the second "
                "argument, Y."
            )
        refuse_lazy(Y, "Y")
        points = check_array(Y, input_name="Y", **self._kinds())
        if points.shape[1] != self.n_features_in_:
            raise ValueError(
                f"Y has {points.shape[1]} features, but X has {self.n_features_in_}: both samples need the same."
            )
        validate_data(self, Y, reset=False, skip_check_array=True)  # the names of its features
        return canonical(points)

    def _kinds(self):
        return {"accept_sparse": "csr" if self._takes_sparse else False, "dtype": [np.float64, np.float32]}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.one_d_labels = False
        tags.target_tags.two_d_labels = True
        tags.input_tags.sparse = self._takes_sparse
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
