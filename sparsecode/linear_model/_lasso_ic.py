"""The Lasso with its strength chosen by an information criterion."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._array import to_numpy
from .._estimators import FitTask, all_or_nothing, with_callbacks
from ..result import announce
from ..solvers.criteria import information_criterion
from ..solvers.path import solve_path
from ._base import center
from ._lasso import COMMON_CONSTRAINTS
from ._lasso_cv import LassoPathModel

__all__ = ["LassoIC"]


class LassoIC(LassoPathModel):
    """`Lasso` with the `alpha` of least AIC, BIC or extended BIC along a path on all data.

    With k the size of the support (the degrees of freedom of the Lasso) and RSS the weighted residual sum of squares::

        n_samples log(2 pi s2) + RSS / s2 + k f           s2 = noise_variance, or RSS / n_samples if that is None

    where f is 2 (aic) or log(n_samples) (bic); ebic adds ``2 ebic_gamma log(binomial(n_features, k))`` to bic.

    Parameters
    ----------
    criterion : {"aic", "bic", "ebic"}, default="bic"
        What is minimised.
    ebic_gamma : float, default=1.0
        Weight of the number of models of one size, from 0 (bic) to 1; for "ebic" only.
    noise_variance : float, default=None
        Variance of the noise, if known. By default it is estimated at each strength by its residuals (the profile
        likelihood), and supports larger than half of the samples are left out, where that estimate breaks down.
    alphas : int or array of shape (n_alphas,), default=100
        The strengths, or how many to put on a geometric grid that ends at the smallest strength with a zero answer.
    eps : float, default=1e-3
        Smallest strength of the grid over the largest.
    fit_intercept : bool, default=True
        Whether to fit a constant.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    max_iter : int, default=10000
        Rounds for each strength.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients.

    Attributes
    ----------
    alpha_ : float
        The strength chosen.
    alphas_ : array of shape (n_alphas,)
        The strengths tried, descending.
    criterion_ : array of shape (n_alphas,)
        Value of the criterion at each; inf where it was left out.
    coef_, intercept_, sparse_coef_, support_, n_iter_, dual_gap_, certificate_, status_, result_, n_features_in_
        Of the fit with `alpha_`: see `Lasso`.

    See Also
    --------
    LassoCV : Chooses `alpha` by cross-validation, for prediction.

    References
    ----------
    Zou, Hastie and Tibshirani, "On the degrees of freedom of the lasso", 2007, arXiv 0712.0881.
    Chen and Chen, "Extended Bayesian information criteria for model selection with large model spaces", 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LassoIC
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 200))
    >>> LassoIC("ebic").fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 0.1 * rng.standard_normal(80)).support_
    array([ 4, 11])
    """

    _parameter_constraints = {
        "criterion": [StrOptions({"aic", "bic", "ebic"})],
        "ebic_gamma": [Interval(Real, 0, None, closed="left")],
        "noise_variance": [Interval(Real, 0, None, closed="neither"), None],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        **COMMON_CONSTRAINTS,
    }

    def __init__(
        self,
        criterion="bic",
        *,
        ebic_gamma=1.0,
        noise_variance=None,
        alphas=100,
        eps=1e-3,
        fit_intercept=True,
        penalty_weights=None,
        positive=False,
        max_iter=10_000,
        tol=1e-6,
    ):
        self.criterion = criterion
        self.ebic_gamma = ebic_gamma
        self.noise_variance = noise_variance
        self.alphas = alphas
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.max_iter = max_iter
        self.tol = tol

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Solve the path and keep the strength of least criterion.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,)
            The target.
        sample_weight : array of shape (n_samples,), optional
            How often each sample counts; their sum takes the place of n_samples in the criterion.

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
        task = FitTask.of_fit(self, None)
        with all_or_nothing(self):
            design, target = self._validated_single(X, y)
            centered = center(design, target, fit_intercept=self.fit_intercept, sample_weight=sample_weight)
            problem = self._problem(centered)
            alphas = self._grid(problem)
            weight = 1.0 if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
            n_samples = float(np.broadcast_to(weight, design.shape[0]).sum())
            results, values = [], np.full(alphas.size, np.inf)
            for i, result in enumerate(solve_path(problem, alphas, **self._options())):
                results.append(result)
                values[i] = self._criterion_of(centered, result.coef, n_samples)
                task.part("alpha").end()
            best = int(np.argmin(values))
            announce(max(results, key=lambda result: result.certificate))
            self._store(results[best], centered)
            self.alpha_, self.alphas_, self.criterion_ = float(alphas[best]), alphas, values
            task.end(lambda: {"coef_": self.coef_, "intercept_": self.intercept_})
        return self

    def _criterion_of(self, centered, coef, n_samples):
        """The criterion at some coefficients; `n_samples` counts the samples by their weights."""
        n_rows, n_features = centered.design.shape
        size = int(np.count_nonzero(to_numpy(coef)))
        residual = to_numpy(centered.target - centered.design.product(coef)).astype(np.float64)
        rss = float(residual @ residual) * n_samples / n_rows
        value = information_criterion(
            self.criterion,
            rss,
            size,
            n_samples,
            n_features,
            noise_variance=self.noise_variance,
            ebic_gamma=self.ebic_gamma,
        )
        return float(value)
