"""What the Bayesian regressors share: the attributes of a posterior, and predictions with their uncertainty."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._array import as_double, asarray_like, real_dtype, to_numpy
from .._validation import as_design, total_weight
from ._base import SparseLinearModel

__all__ = ["PosteriorRegressor"]


class PosteriorRegressor(SparseLinearModel):
    """Base of the regressors whose answer is a posterior: subclasses implement ``_solve(design, target) -> PosteriorResult``."""

    _counts_samples = True  # whether weights say how often a sample counts; else they are relative

    def _store(self, result, problem):
        super()._store(result, problem)
        single = result.coef.ndim == 1
        self.variance_ = result.variance if single else result.variance.T
        self.noise_variance_ = result.noise_variance
        self.log_evidence_ = result.log_evidence
        if result.inclusion is not None:
            self.inclusion_ = result.inclusion if single else result.inclusion.T
        self._feature_mean = problem.feature_mean
        self._total = problem.total

    def _pose(self, design, target, sample_weight):
        problem = super()._pose(design, target, sample_weight)
        problem.total = total_weight(sample_weight, design.shape[0]) if self._counts_samples else design.shape[0]
        problem.lost = int(self.fit_intercept and design.shape[0] > 1)  # degrees of freedom, to the mean
        return problem

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,) or (n_samples, n_targets)
            The target.
        sample_weight : array of shape (n_samples,), optional
            How often each sample counts (their sum matters; to `CompoundGaussianRegressor` alone they are relative). Weights of a mean
            above one say that replicates agree exactly, and a learned noise variance may then collapse; scale precisions to a mean of
            one.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data are not finite, shapes disagree or a parameter is out of range; the error names it.
        """
        return super().fit(X, y, sample_weight=sample_weight)

    def predict(self, X, return_std=False):
        """Predict the target: ``X @ coef_ + intercept_``, the mean of its posterior distribution.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        return_std : bool, default=False
            Whether to return the standard deviation of a new observation too: of the fitted value, the intercept and the noise together.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_targets)
            The predictions.
        array of the same shape
            Their standard deviations; only if `return_std`. They are from the covariance of the coefficients where the model holds one,
            else from their variances alone, as if the coefficients were independent.
        """
        mean = self._linear(X)
        if not return_std:
            return mean
        check_is_fitted(self)
        spread = self._spread(as_design(X, "X"))
        noise = np.asarray(self.noise_variance_, dtype=np.float64)
        if self.fit_intercept:  # a mean over so many samples
            noise = noise * (1.0 + 1.0 / self._total)
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
