"""Least squares with few non-zero coefficients, one coefficient at a time: matching pursuit."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from .._validation import as_penalty_weights
from ..result import announce
from ..solvers.greedy.mp import solve_mp
from ._base import SparseLinearModel, default_sparsity

__all__ = ["MatchingPursuit"]


class MatchingPursuit(SparseLinearModel):
    """Lower ``||y - X @ coef - intercept||^2`` over few non-zero coefficients, one coefficient at a time.

    Each step moves the coefficient of the column most correlated with the residual; the others stay. Columns are compared
    relative to their norms, so their scale does not matter.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        Columns that may be used for each target; once all are in use, the pursuit goes on among them and converges to their
        least-squares fit. If None without a tolerance, a tenth of the features (at least one); if None with one, no limit.
    tol : float, default=None
        Stop when the residual norm is at most `tol` times the norm of the (centred) target.
    atol : float, default=None
        Stop when the residual norm is at most `atol`, for weighted samples with weights of mean one, or what `tol` allows if that is
        more.
    positive : bool, default=False
        Whether coefficients must not be negative.
    penalty_weights : array of shape (n_features,), default=None
        Correlations are divided by their weight before columns are compared. inf excludes a column; columns of weight 0 enter
        first, outside the count of `n_nonzero_coefs`.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    max_iter : int, default=10000
        Steps.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Steps done.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        Support optimality, or what the residual is against its tolerance: see `mp`.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    mp : The same algorithm as a function.
    OrthogonalMatchingPursuit : Least squares on the chosen columns after every step: fewer columns for the same residual.

    Notes
    -----
    Complex X and y are supported.

    References
    ----------
    Mallat and Zhang, "Matching pursuits with time-frequency dictionaries", 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import MatchingPursuit
    >>> X = np.random.default_rng(0).standard_normal((60, 20))
    >>> model = MatchingPursuit(n_nonzero_coefs=2).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(4), round(float(model.intercept_), 4)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    """

    _complex_data = True
    _parameter_constraints = {
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "atol": [Interval(Real, 0, None, closed="left"), None],
        "positive": ["boolean"],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_nonzero_coefs=None,
        *,
        tol=None,
        atol=None,
        positive=False,
        penalty_weights=None,
        fit_intercept=True,
        max_iter=10_000,
    ):
        self.n_nonzero_coefs = n_nonzero_coefs
        self.tol = tol
        self.atol = atol
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter

    def _solve(self, design, target):
        count = self.n_nonzero_coefs
        if count is None and self.tol is None and self.atol is None:
            count = default_sparsity(design.shape)
        result = solve_mp(
            design,
            target,
            n_nonzero=count,
            tol=self.tol,
            atol=self.atol,
            positive=self.positive,
            penalty_weights=as_penalty_weights(self.penalty_weights, design),
            max_iter=self.max_iter,
        )
        return announce(result)
