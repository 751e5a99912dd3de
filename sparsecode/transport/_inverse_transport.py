"""InverseTransport: which features of two sides are matched, from observed pairs."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, check_X_y

from .._estimators import all_or_nothing
from .._tables import check_array, validate_data
from .._validation import as_count, as_number, refuse_lazy
from ..result import announce
from ..solvers.path import RegularizationPath
from ._inverse import inverse_path, pose_inverse, solve_inverse
from ._irrepresentability import irrepresentability_of

__all__ = ["InverseTransport"]


class InverseTransport(BaseEstimator):
    """Learn from observed pairs the sparse ground cost under which they are the cheapest matching.

    The problem is::

        minimise over theta (p, q)     reg KL(pairs | P(theta)) + alpha sum_kl penalty_weights_kl |theta_kl|

    where ``P(theta)`` is the entropic transport plan of the cost ``C_ij = -x_i' theta y_j`` between the sources and the targets
    of the pairs. An entry ``theta_kl > 0`` says that sources with large feature k are matched with targets of large feature l.
    The problem is convex and certified by its duality gap. For a large `reg` it behaves as the Lasso on the covariance of X
    and Y, for a small one as the graphical Lasso on their joint precision.

    Parameters
    ----------
    alpha : float, default=0.1
        Strength of the penalty, greater than 0, in units of a feature of X times one of Y: at ``alpha_max_`` theta is zero.
    reg : float, default=1.0
        Strength of the entropy. Only ``theta / reg`` matters, so it is the unit of theta.
    penalty_weights : array of shape (p, q), optional
        Weights of the entries, greater than 0; inf excludes one. A matrix of inf with a diagonal of ones learns
        ``sum_k theta_k (x_k - y_k)^2 / 2``.
    max_iter : int, default=5000
        Iterations of FISTA, each of two transport problems.
    tol : float, default=1e-6
        Tolerance of ``certificate_``.
    callback : callable, optional
        Called with a `Progress` after each iteration; return True to stop.

    Attributes
    ----------
    coef_ : ndarray of shape (p, q)
        Theta, in the precision of X.
    alpha_max_ : float
        The smallest strength at which theta is zero.
    x_mean_, y_mean_ : ndarray of shape (p,) and (q,)
        What was subtracted from the features.
    n_iter_ : int
        Iterations done.
    objective_ : float
        The minimum.
    certificate_ : float
        Duality gap relative to the misfit at theta = 0, in float64.
    status_ : Status
        How `fit` ended.
    history_ : dict of str to list
        ``"iteration"``, ``"objective"``, ``"certificate"`` and ``"seconds"``.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (p,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If data are not finite, lengths disagree, or a parameter is out of range.

    See Also
    --------
    sparsecode.transport.inverse_transport : The same for costs of any kind, and couplings that are no pairs.

    Notes
    -----
    Scale the features (unit variance) before the fit: the penalty is in their units. `score` on held-out pairs, for example in
    scikit-learn's ``GridSearchCV``, chooses `alpha`; `irrepresentability` below one says that the support can be found at all.

    References
    ----------
    Andrade, Peyré and Poon, "Sparsistency for inverse optimal transport", 2024 (arXiv 2310.05461).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import InverseTransport
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 2))
    >>> Y = np.c_[X[:, 0] + rng.standard_normal(100), rng.standard_normal(100)]
    >>> model = InverseTransport(alpha=0.3).fit(X, Y)
    >>> model.coef_.round(2), model.status_.name
    (array([[0.36, 0.  ],
           [0.  , 0.  ]]), 'CONVERGED')
    >>> model.irrepresentability(X, Y) < 1
    True
    """

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "reg": [Interval(Real, 0, None, closed="neither")],
        "penalty_weights": ["array-like", None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "callback": [callable, None],
    }

    def __init__(self, alpha=0.1, *, reg=1.0, penalty_weights=None, max_iter=5000, tol=1e-6, callback=None):
        self.alpha = alpha
        self.reg = reg
        self.penalty_weights = penalty_weights
        self.max_iter = max_iter
        self.tol = tol
        self.callback = callback

    def fit(self, X, Y):
        """Learn theta from pairs.

        Parameters
        ----------
        X : array of shape (n, p)
            Sources, one a row.
        Y : array of shape (n, q) or (n,)
            The target of each source, one a row.

        Returns
        -------
        self
            The fitted estimator.
        """
        with all_or_nothing(self):
            self._validate_params()
            X, Y, dtype = self._pairs(X, Y, reset=True)
            problem = pose_inverse(None, (X, Y), float(self.reg), self.penalty_weights)
            result = solve_inverse(
                problem,
                float(self.alpha),
                np.zeros(problem.family.shape),
                max_iter=self.max_iter,
                tol=float(self.tol),
                callback=self.callback,
            )
            self.coef_ = result.coef.astype(dtype)
            self.x_mean_, self.y_mean_ = X.mean(axis=0).astype(dtype), Y.mean(axis=0).astype(dtype)
            self.alpha_max_ = problem.alpha_max()
            self.n_iter_, self.objective_, self.certificate_ = result.n_iter, result.objective, result.certificate
            self.status_, self.history_ = result.status, result.history
            announce(result)
        return self

    def path(self, X, Y, alphas=None, *, n_alphas=20, eps=1e-2) -> RegularizationPath:
        """Theta along a sequence of strengths, each solve starting where the last one ended.

        Parameters
        ----------
        X, Y : array of shape (n, p) and (n, q)
            Pairs, as for `fit`, which need not have been called.
        alphas : array of shape (n_alphas,), optional
            The strengths; by default a geometric grid below the smallest at which theta is zero.
        n_alphas : int, default=20
            How many.
        eps : float, default=1e-2
            Smallest strength over the largest.

        Returns
        -------
        RegularizationPath
            With `alphas` (descending), `coefs` of shape (p, q, n_alphas), and a `SolveResult` for each.

        Raises
        ------
        ValueError
            As for `fit`, or if a strength is not positive.
        """
        self._validate_params()
        X, Y, _ = self._pairs(X, Y)
        problem = pose_inverse(None, (X, Y), float(self.reg), self.penalty_weights)
        if alphas is None:
            ratio = as_number(eps, "eps", strict=True, maximum=1.0)
            top = problem.alpha_max() or 1.0  # constant features: any strength will do
            alphas = top * np.geomspace(1.0, ratio, as_count(n_alphas, "n_alphas"))
        alphas = np.sort(np.asarray(alphas, dtype=np.float64))[::-1]
        if alphas.ndim != 1 or alphas.size == 0 or not np.all((alphas > 0) & np.isfinite(alphas)):
            raise ValueError(f"alphas must be a one-dimensional array of positive numbers; got {alphas!r}.")
        path = inverse_path(problem, alphas, max_iter=self.max_iter, tol=float(self.tol), callback=self.callback)
        announce(max(path.results, key=lambda result: result.certificate))
        return path

    def cost(self, X, Y):
        """Costs between any sources and any targets.

        Parameters
        ----------
        X, Y : array of shape (n, p) and (m, q)
            Sources and targets.

        Returns
        -------
        ndarray of shape (n, m)
            ``-(X - x_mean_) coef_ (Y - y_mean_)'``.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        Y = _columns(check_array(Y, dtype=[np.float64, np.float32], ensure_2d=False, input_name="Y"))
        if Y.shape[1] != self.coef_.shape[1]:
            raise ValueError(
                f"Y has {Y.shape[1]} features, but {type(self).__name__} was fitted with {self.coef_.shape[1]}."
            )
        return -((X - self.x_mean_) @ self.coef_) @ (Y - self.y_mean_).T

    def score(self, X, Y):
        """How well the cost explains pairs: minus the Kullback-Leibler divergence from the plan to them, 0 at best.

        Parameters
        ----------
        X, Y : array of shape (n, p) and (n, q)
            Pairs.

        Returns
        -------
        float
            In nats; independent pairs under theta = 0 have ``-log(n)``.
        """
        check_is_fitted(self)
        X, Y, _ = self._pairs(X, Y, reset=False)
        problem = pose_inverse(None, (X, Y), float(self.reg), None)
        problem.inner = 1e-9
        return -problem.at(self.coef_.astype(np.float64)).loss / float(self.reg)

    def irrepresentability(self, X, Y):
        """Whether the support of theta is one that the penalty finds, from enough pairs distributed as these.

        Parameters
        ----------
        X, Y : array of shape (n, p) and (n, q)
            Pairs; their plan under the fitted cost stands for the population.

        Returns
        -------
        float
            ``max |H[S^c, S] H[S, S]^-1 sign(theta[S])|`` with H the Hessian of the misfit and S the support: below 1 the support is
            found, above it is not, whatever the number of pairs. Infinite where the Hessian on the support is singular: the plan is
            nearly a matching, and says nothing of it.
        """
        check_is_fitted(self)
        X, Y, _ = self._pairs(X, Y, reset=False)
        problem = pose_inverse(None, (X, Y), float(self.reg), self.penalty_weights)
        problem.inner = 1e-9
        theta = self.coef_.astype(np.float64)
        plan = problem.at(theta).plan
        return irrepresentability_of(problem.family.X, problem.family.Y, plan, theta, problem.weights, problem.reg)

    def _pairs(self, X, Y, **reset):
        """Sources and targets in float64, and the precision of the sources; without `reset` nothing is asked of an earlier fit."""
        refuse_lazy(X, "X")
        refuse_lazy(Y, "Y")
        rules = {"dtype": [np.float64, np.float32], "multi_output": True, "y_numeric": True, "ensure_min_samples": 2}
        X, Y = validate_data(self, X, Y, **rules, **reset) if reset else check_X_y(X, Y, **rules)
        if np.iscomplexobj(Y):
            raise ValueError("Y is complex; complex data not supported: pass its real and imaginary parts as features.")
        return X.astype(np.float64), _columns(Y).astype(np.float64), X.dtype


def _columns(Y):
    return Y[:, None] if Y.ndim == 1 else Y
