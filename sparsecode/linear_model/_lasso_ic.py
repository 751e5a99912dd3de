"""The Lasso with its strength chosen by an information criterion."""

from __future__ import annotations

from ..penalties import L1
from ._choice import CRITERION_CONSTRAINTS, ByCriterion
from ._penalised import PenalisedRegressor

__all__ = ["LassoIC"]


class LassoIC(ByCriterion, PenalisedRegressor):
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
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    positive : bool, default=False
        Whether negative coefficients are forbidden.
    solver : str, default="auto"
        The method, as for `solve`; by default the first that suits.
    max_iter : int, default=10000
        Rounds of working sets for each strength, counted as by `Lasso`. Paths that few samples or features let be followed at once count changes of the support.
    tol : float, default=1e-6
        Duality gap relative to the objective at zero coefficients. In single precision at least 1e-6 is used.
    debias : bool, default=False
        Whether coefficients are those of least squares on the support, whose criterion then chooses the strength.

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

    _complex_data = True
    _parameter_constraints = CRITERION_CONSTRAINTS

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
        solver="auto",
        max_iter=10_000,
        tol=1e-6,
        debias=False,
    ):
        self.criterion = criterion
        self.ebic_gamma = ebic_gamma
        self.noise_variance = noise_variance
        self.alphas = alphas
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.positive = positive
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.debias = debias

    def _penalty(self, alpha):
        return L1(alpha, self.positive)
