"""The least l1 norm that explains a target exactly, or up to a given noise."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval

from ..designs import CenteredDesign
from ..solvers.basis_pursuit import basis_pursuit
from ._base import SparseLinearModel

__all__ = ["BasisPursuit"]


class BasisPursuit(SparseLinearModel):
    """Minimise ``sum_j penalty_weights_j |coef_j|`` subject to ``||y - X @ coef - intercept|| <= noise``.

    The same trade-off as `Lasso`, asked for by the noise that is known to be in y instead of by a strength. Solved by Lassos
    whose strength is sought, to a certificate recomputed in float64.

    Parameters
    ----------
    noise : float, default=0.0
        Norm that the residual may have, in the units of y; with 0 the target has to be met exactly. For noise of standard
        deviation sigma pass ``sigma * sqrt(n_samples)``.
    positive : bool, default=False
        Whether negative coefficients are forbidden; needs real data.
    penalty_weights : array of shape (n_features,), default=None
        Each from 0 (unpenalised) to inf (excluded).
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    max_iter : int, default=100
        Lasso solves.
    tol : float, default=1e-6
        For the duality gap relative to the objective, and for the infeasibility relative to the norm of y. In single precision at
        least 1e-5 is used.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Lasso solves done.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        The larger of relative duality gap and relative infeasibility.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    basis_pursuit : The same as a function.
    Lasso : The strength given instead of the noise.
    SquareRootLasso : A strength that suits every noise level.

    Notes
    -----
    A sample of weight w counts in the norm of the residual as often as w samples. Complex X and y are supported.

    References
    ----------
    Chen, Donoho and Saunders, "Atomic decomposition by basis pursuit", 1998.
    van den Berg and Friedlander, "Probing the Pareto frontier for basis pursuit solutions", 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import BasisPursuit
    >>> X = np.random.default_rng(0).standard_normal((40, 100))
    >>> model = BasisPursuit().fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(6)
    (array([ 4, 11]), array([ 3., -2.]))
    """

    _complex_data = True
    _parameter_constraints = {
        "noise": [Interval(Real, 0, None, closed="left")],
        "positive": ["boolean"],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, noise=0.0, *, positive=False, penalty_weights=None, fit_intercept=True, max_iter=100, tol=1e-6):
        self.noise = noise
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def _pose(self, design, target, sample_weight):
        """The centred problem, its rows scaled by the weights themselves: their mean counts in a norm."""
        problem = super()._pose(design, target, sample_weight)
        if sample_weight is None or self.noise == 0:
            return problem
        root = float(np.sqrt(np.mean(np.asarray(sample_weight, dtype=np.float64))))
        if isinstance(problem.design, CenteredDesign):
            scaled = CenteredDesign(problem.design.base, problem.design.mean, root * problem.design.scale)
        else:
            scaled = type(problem.design)(root * problem.design.array)
        problem.design, problem.target = scaled, root * problem.target
        return problem

    def _solve(self, design, target):
        return basis_pursuit(
            design,
            target,
            noise=self.noise,
            penalty_weights=self.penalty_weights,
            positive=self.positive,
            max_iter=self.max_iter,
            tol=self.tol,
        )
