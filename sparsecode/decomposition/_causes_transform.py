"""What a learned model of causes says of signals: codes, reconstructions, densities."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._parallel import worker_pool
from .._tables import check_array, validate_data
from .._validation import refuse_lazy
from ..solvers.probabilistic.inference import posterior
from ..solvers.probabilistic.states import Truncation
from ._rows import CompressedRows, DenseRows
from ._signals import refusing
from ._transform import rows_dtype

__all__ = ["CausesTransformer"]

_CHUNK = 1 << 12  # signals whose posterior is held beside the output
_SILENT = 1e-6  # causes with a smaller posterior probability get a code of zero


class CausesTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of estimators that learn ``model_`` and ``components_``, and have `n_candidates`, `max_active`, `code`, `sparse_output`, `n_jobs`."""

    def transform(self, X):
        """Codes of the rows of X: posterior means of the causes, or their likeliest state.

        Causes whose posterior probability is below a millionth get a zero.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row; NaN where an entry is missing. A memory-map is read block by block.

        Returns
        -------
        ndarray or scipy.sparse.csr_matrix of shape (n_samples, n_components)
            The codes, sparse if `sparse_output`.
        """
        check_is_fitted(self)
        X = self._signals(X)
        rows = (CompressedRows if self.sparse_output else DenseRows)(X.shape[0], self._n_features_out, rows_dtype(X))
        for part in self._posteriors(X):
            codes = part.likeliest if self.code == "map" else np.where(part.inclusion >= _SILENT, part.mean, 0.0)
            active, places = np.nonzero(codes)
            indptr = np.concatenate([[0], np.cumsum(np.bincount(active, minlength=codes.shape[0]))])
            rows.append(indptr, places, codes[active, places].astype(rows_dtype(X)))
        return rows.finish()

    def inverse_transform(self, X):
        """Signals from codes, as the model makes them.

        For models that add causes up, the signals of posterior means are the posterior means of the signals. For "maximal" and
        "maximum_magnitude" they are not: `reconstruct` gives these.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The signals that the codes stand for.

        Raises
        ------
        ValueError
            If the number of columns is not that of the components.
        """
        check_is_fitted(self)
        refuse_lazy(X, "X")
        X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32], input_name="X", estimator=self)
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} columns, but the codes of this {type(self).__name__} have {self._n_features_out}."
            )
        codes = X if isinstance(X, np.ndarray) else X.toarray()
        return self.model_.render(codes.astype(np.float64)).astype(X.dtype)

    def reconstruct(self, X):
        """Posterior means of the signals without noise: denoised, and filled in where entries are missing.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row; NaN where an entry is missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The reconstructions, in the precision of X.
        """
        check_is_fitted(self)
        X = self._signals(X)
        return np.concatenate([part.reconstruction.astype(rows_dtype(X)) for part in self._posteriors(X)])

    def score_samples(self, X):
        """Log density of each row of X; a lower bound where the truncation leaves states out.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row; of missing entries (NaN) no density counts.

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats, in double precision.
        """
        check_is_fitted(self)
        return np.concatenate([part.log_evidence for part in self._posteriors(self._signals(X))])

    def score(self, X, y=None):
        """Mean of `score_samples`.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row.
        y : None
            Ignored.

        Returns
        -------
        float
            Mean log density of a row, or a lower bound on it.
        """
        return float(np.mean(self.score_samples(X)))

    def _signals(self, X, reset=False):
        refuse_lazy(X, "X")
        with refusing(self):
            return validate_data(self, X, dtype="numeric", ensure_all_finite="allow-nan", reset=reset)

    def _posteriors(self, X):
        """Posteriors of the rows of X, some thousands at a time."""
        truncation = Truncation(self.n_candidates, self.max_active)
        with worker_pool(self.n_jobs):
            for start in range(0, X.shape[0], _CHUNK):
                yield posterior(X[start : start + _CHUNK], self.model_, truncation, n_jobs=self.n_jobs)

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
