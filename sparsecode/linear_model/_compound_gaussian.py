"""Compound-Gaussian least squares as an estimator."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._array import as_double, to_numpy
from ..result import announce
from ..solvers.bayesian.active import covariance_in_use
from ..solvers.bayesian.compound import solve_compound_gaussian
from ._posterior import PosteriorRegressor

__all__ = ["CompoundGaussianRegressor"]

_MOST = 2000  # coefficients in use up to which their covariance is kept


class CompoundGaussianRegressor(PosteriorRegressor):
    """Minimise ``||y - X (z u) - intercept||^2 / (2 n_samples) + t sum_j (|u_j|^2 / 2 + r(z_j))`` over textures z >= 0 and Gaussian u.

    The coefficients are the products ``z u``. With half-normal textures, ``r(z) = z^2 / 2`` and ``t = alpha``, they solve the LASSO; with
    exponential ones, ``r(z) = z`` and ``t = 2 alpha / 3``, they are a local minimum of the l_2/3 penalty ``alpha sum_j |coef_j|^(2/3)``.
    For given textures the posterior is Gaussian, which gives the coefficients variances.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty on the coefficients that the two priors amount to; greater than zero.
    texture : {"half-normal", "exponential"}, default="half-normal"
        Distribution of the textures. "exponential" has the heavier tail: fewer coefficients, less bias, and local minima.
    n_texture_steps : int, default=5
        Proximal gradient steps in the textures an iteration.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    max_iter : int, default=2000
        Iterations.
    tol : float, default=1e-6
        Tolerance for the certificate.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    variance_ : array of the shape of `coef_`
        Their posterior variances for given textures.
    noise_variance_ : float or array of shape (n_targets,)
        The variance of the noise that the residual shows.
    log_evidence_ : None
        Not known to this method.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Iterations done.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        Relative duality gap, or relative prox residual for exponential textures, recomputed in float64.
    result_ : PosteriorResult
        The solver's whole answer; `result_.history` tells how it got there.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    compound_gaussian : The same algorithm as a function.
    Lasso : The minimum for half-normal textures, far faster, without variances.

    Notes
    -----
    Complex X and y are supported.

    References
    ----------
    Lyons, Raj and Cheney, "Deep regularized compound Gaussian network for solving linear inverse problems", 2024 (arXiv 2311.17248).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import CompoundGaussianRegressor
    >>> X = np.random.default_rng(0).standard_normal((40, 100))
    >>> model = CompoundGaussianRegressor(0.05, texture="exponential").fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(1)
    (array([ 4, 11]), array([ 3., -2.]))
    """

    _complex_data = True
    _counts_samples = False
    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "texture": [StrOptions({"half-normal", "exponential"})],
        "n_texture_steps": [Interval(Integral, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        texture="half-normal",
        n_texture_steps=5,
        fit_intercept=True,
        max_iter=2_000,
        tol=1e-6,
    ):
        self.alpha = alpha
        self.texture = texture
        self.n_texture_steps = n_texture_steps
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def _solve(self, design, target):
        result = solve_compound_gaussian(
            design,
            target,
            self.alpha,
            texture=self.texture,
            n_texture_steps=self.n_texture_steps,
            max_iter=self.max_iter,
            tol=self.tol,
        )
        return announce(result)

    def _store(self, result, problem):
        super()._store(result, problem)
        textures = result.parameters["texture"]
        n_samples = problem.design.shape[0]
        strength = n_samples * (self.alpha if self.texture == "half-normal" else 2.0 * self.alpha / 3.0)
        self._covariances: list | None = None
        covariances = []
        for texture, noise in zip(np.atleast_2d(textures.T), np.atleast_1d(result.noise_variance), strict=True):
            used = np.flatnonzero(texture)
            if used.size > _MOST:
                return
            columns = as_double(to_numpy(problem.design.columns(used)))
            covariance, _ = covariance_in_use(columns.conj().T @ columns, texture[used] ** 2, strength)
            covariances.append((used, covariance * (noise / strength)))
        self._covariances = covariances

    def _spread(self, design):
        """Posterior variance of the fitted values for given textures."""
        if self._covariances is None:
            return super()._spread(design)
        spread = []
        for used, covariance in self._covariances:
            columns = self._centered(design, used)
            spread.append(np.real(np.einsum("nk,nk->n", columns @ covariance, columns.conj())))
        return spread[0] if self.coef_.ndim == 1 else np.stack(spread, axis=1)
