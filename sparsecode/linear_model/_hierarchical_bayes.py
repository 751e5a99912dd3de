"""Structured sparsity by variational Bayes, as an estimator."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._array import as_double, to_numpy
from ..result import announce
from ..solvers.bayesian.gaussian import steady_cholesky, triangular_solve
from ..solvers.bayesian.hierarchical import solve_hierarchical_bayes
from ._posterior import PosteriorRegressor

__all__ = ["HierarchicalBayesRegressor"]


class HierarchicalBayesRegressor(PosteriorRegressor):
    """Posterior of coefficients that are active or not, by groups or in runs, under a prior of three layers.

    The model is ``y = X @ coef + intercept + e`` with ``e ~ N(0, s)``, ``coef_n ~ N(0, 1 / rho_n)``, ``rho_n ~ Gamma(1, b)`` where the
    support s_n is active and ``Gamma(1, 1e-5 b)`` where not. Maximises ``E_q log p(y, coef, rho, s) - E_q log q`` over q, a product of
    distributions of coefficients, precisions, support and noise.

    Parameters
    ----------
    structure : {"chain"}, default=None
        How the units of the support depend on each other: "chain" is a Markov chain in their order, whose active ones come in runs; if
        None they are independent.
    rate : float, default=0.1
        Prior probability that a unit is active.
    cluster_length : float, default=10.0
        Mean length of a run of active units; for the chain.
    groups : int or array of int of shape (n_features,), default=None
        What is active together: contiguous blocks of one size, or a label for each coefficient. If None each is its own unit.
    method : {"full", "subspace"}, default="full"
        "full": a sweep inverts a matrix of as many rows as samples or features, whichever are fewer. "subspace": one of the size of the
        support, with ten conjugate-gradient steps.
    noise_variance : float or "learn", default="learn"
        Variance of the noise in the squared units of y; "learn": with everything else, which is safe as long as the support is smaller
        than the number of samples. One below 1e-12 of the mean square of y counts as that.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    max_iter : int, default=1000
        Sweeps.
    tol : float, default=1e-5
        Tolerance for the certificate.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        Posterior mean of the coefficients; small, but not zero, where they are not active.
    variance_ : array of the shape of `coef_`
        Their posterior variances.
    inclusion_ : array of the shape of `coef_`
        Posterior probabilities of being active; zero for columns of zeros.
    noise_variance_ : float
        The variance of the noise.
    log_evidence_ : float
        The bound of the log evidence.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Where `inclusion_` is above one half: indices for one target, a mask for many.
    n_iter_ : int
        Sweeps done.
    status_ : Status
        How the solve ended.
    certificate_ : float
        What one more sweep changes, recomputed in float64.
    result_ : PosteriorResult
        The solver's whole answer; `result_.history` tells how it got there.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    hierarchical_bayes : The same algorithm as a function.
    SparseBayesianRegressor : Two layers, no structure, and coefficients that are exactly zero.

    Notes
    -----
    Complex X and y are supported. Several targets share precisions and support. Columns should have comparable norms: the prior energy
    of an active coefficient is common to all.

    References
    ----------
    Liu, Liu, Lian, Lau and Zhao, "Robust recovery of structured sparse signals with uncertain sensing matrix: a Turbo-VBI approach", 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import HierarchicalBayesRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((40, 100))
    >>> coef = np.zeros(100)
    >>> coef[20:26] = [2, -1, 1, -2, 1, 3]
    >>> y = X @ coef + 0.1 * rng.standard_normal(40) + 3
    >>> HierarchicalBayesRegressor(structure="chain", rate=0.06, cluster_length=6).fit(X, y).support_
    array([20, 21, 22, 23, 24, 25])
    """

    _complex_data = True
    _parameter_constraints = {
        "structure": [StrOptions({"chain"}), None],
        "rate": [Interval(Real, 0, 1, closed="neither")],
        "cluster_length": [Interval(Real, 1, None, closed="left")],
        "groups": [Interval(Integral, 1, None, closed="left"), "array-like", None],
        "method": [StrOptions({"full", "subspace"})],
        "noise_variance": [Interval(Real, 0, None, closed="neither"), StrOptions({"learn"})],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        structure=None,
        rate=0.1,
        cluster_length=10.0,
        groups=None,
        method="full",
        noise_variance="learn",
        fit_intercept=True,
        max_iter=1_000,
        tol=1e-5,
    ):
        self.structure = structure
        self.rate = rate
        self.cluster_length = cluster_length
        self.groups = groups
        self.method = method
        self.noise_variance = noise_variance
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def _answer(self, problem, sample_weight):
        result = solve_hierarchical_bayes(
            problem.design,
            problem.target,
            structure=self.structure,
            rate=self.rate,
            cluster_length=self.cluster_length,
            groups=self.groups,
            method=self.method,
            noise_variance=self.noise_variance,
            counted=problem.total,
            lost=problem.lost,
            row_weight=problem.weight,
            max_iter=self.max_iter,
            tol=self.tol,
        )
        return announce(result)

    def _store(self, result, problem):
        super()._store(result, problem)
        precision = np.asarray(result.parameters["precision"])
        self._joint = None
        if self.method == "full" and np.all(precision > 0):
            noise = result.noise_variance * problem.design.shape[0] / problem.total  # of rows of weights of mean one
            self._joint = _covariance_root(problem.design, 1.0 / precision, noise)

    def _spread(self, design):
        """Posterior variance of the fitted values, by the whole covariance; that of "subspace" is diagonal."""
        if self._joint is None:
            return super()._spread(design)
        prior, root = self._joint
        columns = self._centered(design, np.arange(design.shape[1]))
        through = np.sum(np.abs(columns @ root.conj().T) ** 2, axis=1)
        return through if prior is None else np.maximum(np.abs(columns) ** 2 @ prior - through, 0.0)


def _covariance_root(design, prior, noise):
    """The posterior covariance of coefficients with such prior variances g, of as few rows as it takes.

    ``None, R`` where it is ``R^H R``, of fewer features than samples, or ``g, R`` where it is ``diag(g) - R^H R``.
    """
    columns = to_numpy(as_double(design.columns(np.arange(design.shape[1]))))
    scaled = columns * np.sqrt(prior)
    n_samples, n_features = columns.shape
    if n_features < n_samples:
        factor = steady_cholesky(np.eye(n_features) + scaled.conj().T @ scaled / noise)
        return None, triangular_solve(factor, np.diag(np.sqrt(prior)))
    factor = steady_cholesky(noise * np.eye(n_samples) + scaled @ scaled.conj().T)
    return prior, triangular_solve(factor, columns * prior)
