"""Sparse regression with any prior, by vector approximate message passing."""

from __future__ import annotations

import numpy as np

from .._array import to_numpy
from ..solvers.message_passing.vamp import solve_vamp
from ._message_passing import MessagePassing

__all__ = ["VAMPRegressor"]


class VAMPRegressor(MessagePassing):
    """Posterior means of coefficients ``x_n ~ prior`` observed as ``y = X @ x + noise``, by vector approximate message passing.

    The noise is Gaussian; other output channels are for `GAMPRegressor`. One singular value decomposition of X, then two products with its right singular vectors an iteration. It takes ill-conditioned
    matrices, correlated columns and matrices with a mean of their own, where `GAMPRegressor` fails.

    Parameters
    ----------
    prior : prior, default=None
        `BernoulliGaussian`, `GaussianMixture`, `GaussianPrior` or `LaplacePrior`; a Bernoulli-Gaussian one that is learned if None.
    noise_variance : float or "learn", default="learn"
        Variance of the noise in the squared units of y; "learn": with everything else, one a target, by expectation maximisation.
    learn : bool, default=None
        Whether the prior's parameters are learned, a set for each target; if None only where no prior is given.
    damping : "adaptive" or float in (0, 1], default="adaptive"
        Length of the steps; 1 does not damp. "adaptive" starts with 0.7 and halves it where the iterates swing without getting closer.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred.
    max_iter : int, default=1000
        Iterations.
    tol : float, default=1e-6
        Tolerance for the certificate.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        Posterior means; for `LaplacePrior` by default the most likely coefficients.
    variance_ : array of the shape of `coef_`
        Marginal posterior variances.
    inclusion_ : array of the shape of `coef_`
        Posterior probability that a coefficient is not zero; only for priors that let it be.
    noise_variance_ : float or array of shape (n_targets,)
        The variance of the noise.
    log_evidence_ : None
        Not known to message passing.
    prior_ : prior
        The prior, as learned.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the coefficients that are more likely not zero, for one target; their mask for many.
    n_iter_ : int
        Iterations done.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        Relative change under one more iteration, recomputed in double precision.
    result_ : PosteriorResult
        The solver's whole answer, for the centred and weighted problem; `result_.history` tells how it got there.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    vamp : The same algorithm as a function.
    GAMPRegressor : Without the decomposition, and for other output channels.

    Notes
    -----
    Complex X and y are supported. X is formed as a dense array in double precision.

    References
    ----------
    Rangan, Schniter and Fletcher, "Vector approximate message passing", 2019 (arXiv 1610.03082).
    Fletcher and Schniter, "Learning and free energies for vector approximate message passing", 2017 (arXiv 1602.08207).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import VAMPRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 200)).cumsum(axis=1)  # neighbouring columns are alike
    >>> y = X[:, 7] - 2 * X[:, 77] + 3 * X[:, 177] + 0.1 * rng.standard_normal(100) + 5
    >>> VAMPRegressor().fit(X, y).support_
    array([  7,  77, 177])
    """

    _pass = staticmethod(solve_vamp)

    def __init__(
        self,
        *,
        prior=None,
        noise_variance="learn",
        learn=None,
        damping="adaptive",
        fit_intercept=True,
        max_iter=1_000,
        tol=1e-6,
    ):
        self.prior = prior
        self.noise_variance = noise_variance
        self.learn = learn
        self.damping = damping
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def _spread(self, design):
        """Posterior variance of the fitted values, by the covariance of the linear estimate."""
        learned = self.result_.parameters
        messages, directions = learned["messages"], to_numpy(learned["directions"])
        if messages.inner_variance is None:
            return super()._spread(design)
        seen = np.any(directions != 0, axis=1)
        variance = to_numpy(self.variance_).T
        inner = to_numpy(messages.inner_variance)
        columns = self._centered(design, np.arange(len(seen)))
        within = np.abs(columns @ directions) ** 2
        spread = within @ inner
        if directions.shape[1] < np.count_nonzero(seen):
            outside = np.sum(np.abs(columns[:, seen]) ** 2, axis=1) - np.sum(within, axis=1)
            spread = spread + np.maximum(outside, 0.0)[:, None] / to_numpy(messages.precision)
        spread = spread[:, 0] if variance.ndim == 1 else spread
        return spread + np.abs(columns[:, ~seen]) ** 2 @ variance[~seen]
