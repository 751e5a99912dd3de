"""Least squares for many targets with one support, selected greedily: SOMP."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, Options, StrOptions

from .._validation import as_penalty_weights, total_weight
from ..result import announce
from ..solvers.greedy.somp import solve_somp
from ._base import SparseLinearModel, default_sparsity

__all__ = ["SimultaneousOMP"]


class SimultaneousOMP(SparseLinearModel):
    """Minimise ``||Y - X @ coef - intercept||_F^2`` over few columns of X, the same ones for all targets.

    Each step adds the column whose correlations with all residuals are largest together and refits all selected ones by least squares.
    Columns are compared relative to their norms, so their scale does not matter; that of the targets does.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        Columns to select. If None and nothing else says when to stop, a tenth of the features (at least one, at most the samples); if
        None with a tolerance, no limit.
    tol : float, default=None
        Stop when the Frobenius norm of the residuals is at most `tol` times that of the (centred) targets. Of it, `atol`
        and `n_nonzero_coefs`, whichever is met first ends the search.
    atol : float, default=None
        Stop when the Frobenius norm of the residuals is at most `atol`, for weighted samples with weights of mean one.
    criterion : {"aic", "bic", "ebic"}, default=None
        Keep the step at which this information criterion is least; see `somp`. It looks at up to `n_nonzero_coefs` columns, or half as
        many as samples if that is None; samples count by the `sample_weight` given to `fit`.
    ebic_gamma : float, default=1.0
        Weight of the number of models of one size, from 0 (bic) to 1; for "ebic" only.
    norm : {2, 1}, default=2
        How the correlations of a column with the residuals are put together: the root of their sum of squares, or the sum of
        their magnitudes.
    selection : {"omp", "ols"}, default="omp"
        "omp": correlations relative to the column's norm. "ols": relative to its distance from the span of the selected ones.
    support : array of int, default=None
        Columns to start from: they enter first, in this order, whatever the tolerance, and count in `n_nonzero_coefs` unless their
        weight is 0.
    penalty_weights : array of shape (n_features,), default=None
        Correlations are divided by their weight before columns are compared: inf excludes a column, those of
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
        Columns kept.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        Support optimality: how far the fit on the support is from least squares, recomputed in float64 from `coef_`.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem; `result_.history` tells what it did column by column.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    somp : The same algorithm as a function.
    OrthogonalMatchingPursuit : Every target with a support of its own.

    Notes
    -----
    Complex X and y are supported. For one target it is orthogonal matching pursuit.

    References
    ----------
    Tropp, Gilbert and Strauss, "Algorithms for simultaneous sparse approximation. Part I: greedy pursuit", 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SimultaneousOMP
    >>> X = np.random.default_rng(0).standard_normal((60, 20))
    >>> model = SimultaneousOMP(n_nonzero_coefs=2).fit(X, X[:, [4, 11]] @ [[3, 1], [-2, 5]] + 1)
    >>> model.result_.history["selected"], model.coef_[:, [4, 11]].round(4)
    ([11, 4], array([[ 3., -2.],
           [ 1.,  5.]]))
    """

    _complex_data = True
    _parameter_constraints = {
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "atol": [Interval(Real, 0, None, closed="left"), None],
        "criterion": [StrOptions({"aic", "bic", "ebic"}), None],
        "ebic_gamma": [Interval(Real, 0, None, closed="left")],
        "norm": [Options(Integral, {1, 2})],
        "selection": [StrOptions({"omp", "ols"})],
        "support": ["array-like", None],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
    }

    def __init__(
        self,
        n_nonzero_coefs=None,
        *,
        tol=None,
        atol=None,
        criterion=None,
        ebic_gamma=1.0,
        norm=2,
        selection="omp",
        support=None,
        penalty_weights=None,
        fit_intercept=True,
    ):
        self.n_nonzero_coefs = n_nonzero_coefs
        self.tol = tol
        self.atol = atol
        self.criterion = criterion
        self.ebic_gamma = ebic_gamma
        self.norm = norm
        self.selection = selection
        self.support = support
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept

    def _answer(self, problem, sample_weight):
        design, target = problem.design, problem.target
        count = self.n_nonzero_coefs
        if count is None and self.tol is None and self.atol is None and self.criterion is None:
            count = default_sparsity(design.shape)
        result, missed = solve_somp(
            design,
            target,
            n_nonzero=count,
            tol=self.tol,
            atol=self.atol,
            criterion=self.criterion,
            ebic_gamma=self.ebic_gamma,
            norm=self.norm,
            selection=self.selection,
            support=self.support,
            penalty_weights=as_penalty_weights(self.penalty_weights, design),
            n_counted=total_weight(sample_weight, design.shape[0]),
        )
        return announce(result, missed)
