"""Sparse regression with any prior and output channel, by generalised approximate message passing."""

from __future__ import annotations

import numpy as np
from sklearn.utils._param_validation import StrOptions

from .._array import array_namespace, asarray_like, is_array_api_obj
from .._validation import as_design
from ..channels import GaussianChannel, ProbitChannel
from ..designs import CenteredDesign
from ..solvers.message_passing.gamp import check_channel, solve_gamp
from ._message_passing import MessagePassing

__all__ = ["GAMPRegressor"]


class GAMPRegressor(MessagePassing):
    """Posterior means of coefficients ``x_n ~ prior`` observed as ``y_m ~ channel((X @ x)_m)``, by approximate message passing.

    Costs two products with X and two with its squared moduli an iteration, or only the first two with uniform variances. Made for
    large matrices with independent entries, where it is optimal; ill-conditioned or correlated ones are for `VAMPRegressor`.

    Parameters
    ----------
    prior : prior, default=None
        `BernoulliGaussian`, `GaussianMixture`, `GaussianPrior` or `LaplacePrior`; a Bernoulli-Gaussian one that is learned if None.
    channel : channel, default=None
        `ProbitChannel`, `PoissonChannel` or `GaussianChannel`; Gaussian noise of variance `noise_variance` if None. Others need
        ``fit_intercept=False``: append a column of ones to X where a constant is wanted.
    noise_variance : float or "learn", default="learn"
        Variance of the noise in the squared units of y; "learn": with everything else, one a target, by expectation maximisation.
    learn : bool, default=None
        Whether the prior's parameters are learned, a set for each target; if None only where no prior is given.
    variances : {"vector", "uniform"}, default="vector"
        Whether every coefficient and sample has its own variance in the messages, or all have their mean.
    remove_mean : bool, default=False
        Whether the model is solved in an equivalent form whose matrix has rows and columns of mean zero.
    damping : "adaptive" or float in (0, 1], default="adaptive"
        Length of the steps; 1 does not damp. "adaptive" halves it where the iterates swing without getting closer.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    max_iter : int, default=1000
        Iterations.
    tol : float, default=1e-6
        Tolerance for the certificate. In single precision at least 1e-4 is used.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        Posterior means; for `LaplacePrior` by default the most likely coefficients.
    variance_ : array of the shape of `coef_`
        Marginal posterior variances.
    inclusion_ : array of the shape of `coef_`
        Posterior probability that a coefficient is not zero; only for priors that let it be.
    noise_variance_ : float or array of shape (n_targets,) or None
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
    gamp : The same algorithm as a function.
    VAMPRegressor : For ill-conditioned and correlated matrices.

    Notes
    -----
    Complex X and y are supported with Gaussian noise.

    References
    ----------
    Rangan, "Generalized approximate message passing for estimation with random linear mixing", 2011 (arXiv 1010.5141).
    Vila and Schniter, "Expectation-maximization Gaussian-mixture approximate message passing", 2013 (arXiv 1207.3107).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import GAMPRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 200))
    >>> y = X[:, 7] - 2 * X[:, 77] + 3 * X[:, 177] + 0.1 * rng.standard_normal(100) + 5
    >>> model = GAMPRegressor().fit(X, y)
    >>> model.support_, round(float(model.intercept_), 1)
    (array([  7,  77, 177]), 5.0)
    """

    _pass = staticmethod(solve_gamp)
    _own = ("channel", "variances", "remove_mean")
    _parameter_constraints = {
        **MessagePassing._parameter_constraints,
        "channel": "no_validation",  # the solver's own words name those there are
        "variances": [StrOptions({"vector", "uniform"})],
        "remove_mean": ["boolean"],
    }

    def __init__(
        self,
        *,
        prior=None,
        channel=None,
        noise_variance="learn",
        learn=None,
        variances="vector",
        remove_mean=False,
        damping="adaptive",
        fit_intercept=True,
        max_iter=1_000,
        tol=1e-6,
    ):
        self.prior = prior
        self.channel = channel
        self.noise_variance = noise_variance
        self.learn = learn
        self.variances = variances
        self.remove_mean = remove_mean
        self.damping = damping
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    @property
    def _is_gaussian(self):
        return self.channel is None or isinstance(self.channel, GaussianChannel)

    def _validate_params(self):
        super()._validate_params()
        check_channel(self.channel)

    def _pose(self, design, target, sample_weight):
        if not self._is_gaussian and self.fit_intercept:
            name = type(self.channel).__name__
            raise ValueError(
                f"with {name}, GAMPRegressor needs fit_intercept=False; append a column of ones to X for a constant."
            )
        problem = super()._pose(design, target, sample_weight)
        if (
            problem.weight is not None
        ):  # the means are weighted, the rows are not: each sample's copies have messages of their own
            self._without_weights(problem, design, target)
        return problem

    @staticmethod
    def _without_weights(problem, design, target):
        if problem.feature_mean is not None:
            centered = target - problem.target_mean
            xp = array_namespace(target)
            target = xp.where(xp.any(problem.target != 0, axis=0), centered, 0 * centered)
            whole = design.is_numpy
            design = (
                CenteredDesign(design, problem.feature_mean)
                if whole
                else as_design(design.array - problem.feature_mean)
            )
        problem.design, problem.target = design, target

    def _counts(self, problem, sample_weight):
        return {"sample_weight": sample_weight}

    def predict(self, X, return_std=False):
        """Predict the target: the mean of a new observation.

        That is ``X @ coef_ + intercept_`` for Gaussian noise, the probability of the label 1 for `ProbitChannel`, and the mean count for
        `PoissonChannel`, over the posterior distribution of the coefficients.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        return_std : bool, default=False
            Whether to return the standard deviation of a new observation too: of the fitted value, the intercept and the noise
            together. Only for Gaussian noise.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_targets)
            The predictions.
        array of the same shape
            Their standard deviations; only if `return_std`. They are from the variances of the coefficients alone, as if these were
            independent, which those of columns that are alike are not: `VAMPRegressor` knows better.
        """
        if self._is_gaussian:
            return super().predict(X, return_std=return_std)
        if return_std:
            raise ValueError(
                f"return_std needs Gaussian noise; with {type(self.channel).__name__} ask for the prediction alone."
            )
        fitted = self._linear(X)
        return self.channel.response(
            fitted, asarray_like(np.asarray(self._spread(as_design(X, "X"))), fitted, dtype=fitted.dtype)
        )

    def score(self, X, y, sample_weight=None):
        """The coefficient of determination ``1 - sum |y - predict(X)|^2 / sum |y - mean(y)|^2``.

        With `ProbitChannel` labels count as 0 and 1, as predictions are probabilities of the label 1: it is one less the Brier score over
        that of the frequency of the label, the Brier skill score.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,) or (n_samples, n_targets)
            The target; labels as `fit` takes them, 0 and 1 or -1 and 1.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples, in both sums and the mean.

        Returns
        -------
        float
            At most one; zero for the best constant. The mean over the targets where there are many.
        """
        if isinstance(self.channel, ProbitChannel):
            y = y if is_array_api_obj(y) else np.asarray(y)
            self.channel.check(y)
            y = array_namespace(y).astype(y > 0, array_namespace(y).int64)
        return super().score(X, y, sample_weight=sample_weight)
