"""Least squares with at most k non-zero coefficients, selected several at a time: gOMP."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from ..solvers.greedy import gomp
from ._base import SparseLinearModel, default_sparsity

__all__ = ["GeneralizedOMP"]


class GeneralizedOMP(SparseLinearModel):
    """Minimise ``||y - X @ coef - intercept||^2`` over `n_nonzero_coefs` non-zero coefficients, several columns a pass.

    Each pass adds the `n_select` columns most correlated with the residual and refits all selected ones by least squares; at the
    end the coefficients that carry most are kept and refitted. Columns are compared relative to their norms, so their scale does
    not matter.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        Non-zero coefficients of each target; a tenth of the features (at least one, at most the samples) if None.
    n_select : int, default=2
        Columns a pass; with one it is OMP.
    tol : float, default=None
        Stop early when the residual norm is at most `tol` times the norm of the (centred) target.
    joint : bool, default=False
        Whether many targets share one support; by default each has its own.
    positive : bool, default=False
        Whether coefficients must not be negative; needs real data on NumPy.
    penalty_weights : array of shape (n_features,), default=None
        Correlations and coefficients are divided by their weight before columns are compared: inf excludes a column, those of
        weight 0 are always fitted, outside the count of `n_nonzero_coefs`.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Passes done.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        Support optimality: how far the fit on the support is from least squares, recomputed in float64 from `coef_`.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem; `result_.history` tells what it did pass by pass.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    gomp : The same algorithm as a function.
    OrthogonalMatchingPursuit : One column a pass.

    Notes
    -----
    Complex X and y are supported.

    References
    ----------
    Wang, Kwon and Shim, "Generalized orthogonal matching pursuit", 2012 (arXiv 1111.6664).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import GeneralizedOMP
    >>> X = np.random.default_rng(0).standard_normal((60, 20))
    >>> model = GeneralizedOMP(n_nonzero_coefs=2).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(4), round(float(model.intercept_), 4)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    """

    _complex_data = True
    _parameter_constraints = {
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "n_select": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "joint": ["boolean"],
        "positive": ["boolean"],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
    }

    def __init__(
        self,
        n_nonzero_coefs=None,
        *,
        n_select=2,
        tol=None,
        joint=False,
        positive=False,
        penalty_weights=None,
        fit_intercept=True,
    ):
        self.n_nonzero_coefs = n_nonzero_coefs
        self.n_select = n_select
        self.tol = tol
        self.joint = joint
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept

    def _solve(self, design, target):
        count = default_sparsity(design.shape) if self.n_nonzero_coefs is None else self.n_nonzero_coefs
        return gomp(
            design,
            target,
            count,
            n_select=self.n_select,
            tol=self.tol,
            joint=self.joint,
            positive=self.positive,
            penalty_weights=self.penalty_weights,
        )
