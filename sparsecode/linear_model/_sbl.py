"""Sparse Bayesian learning with an intercept, its uncertainty included."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._validation import total_weight
from ..result import announce
from ..solvers.bayesian.sbl import solve_sbl
from ._posterior import PosteriorRegressor

__all__ = ["SparseBayesianRegressor"]


class SparseBayesianRegressor(PosteriorRegressor):
    """Posterior of sparse coefficients under the prior variances of the highest evidence: the relevance vector machine.

    With ``y = X @ coef + intercept + e``, ``coef ~ N(0, diag(g))`` and ``e ~ N(0, s I)``, maximise ``log p(y | g, s) - prune *
    #{n: g_n > 0}`` over the prior variances g, and over the noise variance s where it is learned. Coefficients of prior variance zero
    are zero; the intercept has a flat prior.

    Parameters
    ----------
    method : {"auto", "em", "mackay", "fast", "gamp"}, default="auto"
        How the evidence is maximised: "fast" one variance at a time on the columns in use alone; "em" and "mackay" all at once, by
        expectation-maximisation (many iterations) or MacKay's fixed point; "gamp" by message passing, for
        designs too large for a matrix of n_samples squared. "auto": "em" with a `correlation`, else "fast".
    noise_variance : float, "learn" or "estimate", default="learn"
        Variance of the noise in the squared units of y. "learn": with everything else, in every iteration. "estimate": learned once with
        ``prune=3``, and then kept: for a `prune` below 1, with which learning may collapse.
    joint : bool, default=False
        Whether all targets share one support, their prior variances and the noise variance; by default each has its own.
    correlation : float, array of shape (n_targets, n_targets) or "learn", default=None
        Correlation of the coefficients of one feature along the targets, which then share their support: of neighbours, or of all
        pairs, by a matrix that is scaled to trace n_targets; "learn" re-estimates it in every iteration.
    prune : float, default=3.0
        How much a coefficient must add to the log evidence, in nats, to be in use; 3 asks for about three standard deviations. With 0 it
        is the evidence alone that is maximised: about a third of the features that have nothing to do with y then stay in use.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    max_iter : int, default=1000
        Iterations.
    tol : float, default=1e-4
        What changing a single variance may still gain, in nats.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        Posterior mean of the coefficients.
    variance_ : array of the shape of `coef_`
        Posterior variances.
    covariance_ : array of shape (n_active, n_active), or one for each target
        Posterior covariance of the coefficients of a prior variance above zero, in their order. An array for one target, and for
        targets that share a support, (n_targets, n_active, n_active) with a correlation; else a list. None in place of one of more
        than 2000 coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    prior_variance_ : array of shape (n_features,), or (n_targets, n_features) where each target has its own
        Prior variances of the highest evidence.
    correlation_ : array of shape (n_targets, n_targets) or None
        Correlation of the coefficients of one feature along the targets, of trace n_targets, as given or as learned; None without one.
    noise_variance_ : float or array of shape (n_targets,)
        Variance of the noise, as given or as learned.
    log_evidence_ : float
        Logarithm of the density of the data (about their mean where an intercept is fitted), of all targets together; None where a
        target is zero and its noise is not given.
    pruned_at_ : array of int of the shape of `prior_variance_`
        The iteration at which a column was dropped because the evidence is larger without it; -1 if it never was.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Iterations done.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        The largest gain in nats that changing one prior variance alone could still bring.
    result_ : PosteriorResult
        The solver's whole answer, for the centred and weighted problem.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    sbl : The same as a function.
    sklearn.linear_model.ARDRegression : The same model by MacKay's fixed point and a matrix of the smaller dimension squared.

    Notes
    -----
    Complex X and y are supported. Weights of samples count them: one of weight w has noise of variance ``noise_variance_ / w``.

    References
    ----------
    Tipping, "Sparse Bayesian learning and the relevance vector machine", 2001.
    Tipping and Faul, "Fast marginal likelihood maximisation for sparse Bayesian models", 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparseBayesianRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((40, 60))
    >>> model = SparseBayesianRegressor().fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1 + 0.1 * rng.standard_normal(40))
    >>> model.support_, model.coef_[model.support_].round(1), round(float(model.intercept_), 1)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    >>> mean, std = model.predict(X[:2], return_std=True)
    >>> std.round(1)
    array([0.1, 0.1])
    """

    _complex_data = True
    _parameter_constraints = {
        "method": [StrOptions({"auto", "em", "mackay", "fast", "gamp"})],
        "noise_variance": [Interval(Real, 0, None, closed="neither"), StrOptions({"learn", "estimate"})],
        "joint": ["boolean"],
        "correlation": [Interval(Real, -1, 1, closed="neither"), complex, "array-like", StrOptions({"learn"}), None],
        "prune": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        method="auto",
        *,
        noise_variance="learn",
        joint=False,
        correlation=None,
        prune=3.0,
        fit_intercept=True,
        max_iter=1_000,
        tol=1e-4,
    ):
        self.method = method
        self.noise_variance = noise_variance
        self.joint = joint
        self.correlation = correlation
        self.prune = prune
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def _answer(self, problem, sample_weight):
        total = total_weight(sample_weight, problem.design.shape[0])
        result = solve_sbl(
            problem.design,
            problem.target,
            method=self.method,
            noise_variance=self.noise_variance,
            joint=self.joint,
            correlation=self.correlation,
            prune=self.prune,
            init=None,
            max_iter=self.max_iter,
            tol=self.tol,
            callback=None,
            counted=total - bool(self.fit_intercept),
            total=total,
            row_weight=problem.weight,
        )
        return announce(result)

    def _store(self, result, problem):
        super()._store(result, problem)
        learned = result.parameters
        self.prior_variance_ = learned["prior_variance"].T
        self.pruned_at_ = learned["pruned_at"].T
        self.covariance_ = learned["covariance"]
        self.correlation_ = learned.get("correlation")

    def _spread(self, design):
        """Posterior variance of the fitted values, by the whole covariance."""
        if self.covariance_ is None or any(part is None for part in self.covariance_):
            return super()._spread(design)
        if isinstance(self.covariance_, list):
            pairs = zip(self.prior_variance_, self.covariance_, strict=True)
            spread = np.stack([self._spread_of(design, prior, covariance) for prior, covariance in pairs], axis=1)
        elif np.ndim(self.covariance_) == 3:
            spread = np.stack(
                [self._spread_of(design, self.prior_variance_, part) for part in self.covariance_], axis=1
            )
        else:
            spread = self._spread_of(design, self.prior_variance_, self.covariance_)
        return spread

    def _spread_of(self, design, prior, covariance):
        used = np.flatnonzero(prior)
        columns = self._centered(design, used)
        return np.real(np.einsum("nk,nk->n", columns @ covariance, columns.conj()))
