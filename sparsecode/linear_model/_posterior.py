"""What the Bayesian regressors share: the attributes of a posterior, and predictions with their uncertainty."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._array import as_double, asarray_like, real_dtype, to_numpy
from .._validation import as_design
from ._base import SparseLinearModel

__all__ = ["PosteriorRegressor"]


class PosteriorRegressor(SparseLinearModel):
    """Base of the regressors whose answer is a posterior: subclasses implement ``_solve(design, target) -> PosteriorResult``."""

    def _store(self, result, problem):
        super()._store(result, problem)
        single = result.coef.ndim == 1
        self.variance_ = result.variance if single else result.variance.T
        self.noise_variance_ = result.noise_variance
        self.log_evidence_ = result.log_evidence
        if result.inclusion is not None:
            self.inclusion_ = result.inclusion if single else result.inclusion.T
        self._feature_mean = problem.feature_mean

    def predict(self, X, return_std=False):
        """Predict the target: ``X @ coef_ + intercept_``, the mean of its posterior distribution.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        return_std : bool, default=False
            Whether to return the standard deviation of a new observation too: of the fitted value and the noise together.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_targets)
            The predictions.
        array of the same shape
            Their standard deviations; only if `return_std`.
        """
        mean = self._linear(X)
        if not return_std:
            return mean
        check_is_fitted(self)
        spread = self._spread(as_design(X, "X"))
        noise = np.asarray(self.noise_variance_, dtype=np.float64)
        std = np.sqrt(np.maximum(spread + noise, 0.0))
        std = np.broadcast_to(std if np.ndim(mean) == std.ndim else std[:, None], tuple(mean.shape))
        return mean, asarray_like(std.copy(), mean, dtype=real_dtype(as_design(X, "X").xp, mean.dtype))

    def _spread(self, design):
        """Posterior variance of the fitted values, float64 (n_samples,) or (n_samples, n_targets), from the marginal variances alone.

        Models that know the correlations of their coefficients do better.
        """
        variance = to_numpy(self.variance_).T
        used = np.flatnonzero(variance if variance.ndim == 1 else variance.any(axis=1))
        return np.abs(self._centered(design, used)) ** 2 @ variance[used]

    def _centered(self, design, used):
        """The columns `used`, NumPy in double precision, about the means that the fit saw."""
        columns = as_double(to_numpy(design.columns(used)))
        return columns if self._feature_mean is None else columns - to_numpy(self._feature_mean)[used]
