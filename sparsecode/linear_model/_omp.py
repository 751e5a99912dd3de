"""Least squares with few non-zero coefficients, selected greedily: OMP and OLS."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._array import to_numpy
from .._validation import as_penalty_weights, total_weight
from ..result import announce
from ..solvers.criteria import CRITERIA
from ..solvers.greedy.omp import solve_omp
from ._base import SparseLinearModel, default_sparsity

__all__ = ["OrthogonalMatchingPursuit"]


class OrthogonalMatchingPursuit(SparseLinearModel):
    """Minimise ``||y - X @ coef - intercept||^2`` over few non-zero coefficients, one column after another.

    Each step adds the column that the selection rule prefers and refits all selected ones by least squares. Columns are
    compared relative to their norms, so their scale does not matter.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        Columns to select for each target. If None and nothing else says when to stop, a tenth of the features (at least one); if
        None with a tolerance, no limit.
    tol : float, default=None
        Stop when the residual norm is at most `tol` times the norm of the (centred) target. Of it, `atol` and `n_nonzero_coefs`,
        whichever is met first ends the path.
    atol : float, default=None
        Stop when the residual norm is at most `atol`, for weighted samples with weights of mean one.
    criterion : {"aic", "bic", "ebic"}, default=None
        Keep the step of the greedy path with the least information criterion; see `omp`. The stops above then end the
        path, which otherwise goes up to half as many columns as samples; samples count by the `sample_weight` given to `fit`.
    ebic_gamma : float, default=1.0
        Weight of the number of models of one size, from 0 (bic) to 1; for "ebic" only.
    selection : {"omp", "ols"}, default="omp"
        "omp": the column most correlated with the residual. "ols": the column whose addition lowers the least-squares
        residual most.
    positive : bool, default=False
        Whether coefficients must be positive.
    support : array of int, default=None
        Columns to start from: they enter first, in this order, whatever the tolerance, and count in `n_nonzero_coefs` unless their
        weight is 0.
    penalty_weights : array of shape (n_features,), default=None
        Correlations are divided by their weight before columns are compared. inf excludes a column; columns of weight 0 enter
        first, outside the count of `n_nonzero_coefs`.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    n_jobs : int, default=None
        Threads for many targets; -1 for all cores, by default as many as OMP_NUM_THREADS allows.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_nonzero_coefs_ : int
        The largest number of columns selected for a target.
    n_iter_ : int
        Columns kept: the largest number of a target.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        Support optimality: how far the fit on the support is from least squares, recomputed in float64 from `coef_`.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem; `result_.history["selected"]` is the order of selection.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    omp : The same algorithm as a function.
    OrthogonalMatchingPursuitCV : Chooses `n_nonzero_coefs` by cross-validation.
    IterativeHardThresholding : All columns at once; cheaper for large supports.

    Notes
    -----
    Complex X and y are supported. Against scikit-learn's class of the same name, `tol` is relative and a norm (not a squared
    norm), and nothing needs to be precomputed.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching pursuit: recursive function approximation with applications to
    wavelet decomposition", 1993.
    Chen, Billings and Luo, "Orthogonal least squares methods and their application to non-linear system identification", 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import OrthogonalMatchingPursuit
    >>> X = np.random.default_rng(0).standard_normal((60, 20))
    >>> model = OrthogonalMatchingPursuit(n_nonzero_coefs=2).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(4), round(float(model.intercept_), 4)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    """

    _complex_data = True
    _parameter_constraints = {
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "atol": [Interval(Real, 0, None, closed="left"), None],
        "criterion": [StrOptions(set(CRITERIA)), None],
        "ebic_gamma": [Interval(Real, 0, None, closed="left")],
        "selection": [StrOptions({"omp", "ols"})],
        "positive": ["boolean"],
        "support": ["array-like", None],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_nonzero_coefs=None,
        *,
        tol=None,
        atol=None,
        criterion=None,
        ebic_gamma=1.0,
        selection="omp",
        positive=False,
        support=None,
        penalty_weights=None,
        fit_intercept=True,
        n_jobs=None,
    ):
        self.n_nonzero_coefs = n_nonzero_coefs
        self.tol = tol
        self.atol = atol
        self.criterion = criterion
        self.ebic_gamma = ebic_gamma
        self.selection = selection
        self.positive = positive
        self.support = support
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.n_jobs = n_jobs

    def _answer(self, problem, sample_weight):
        design, target = problem.design, problem.target
        count = self.n_nonzero_coefs
        if count is None and self.tol is None and self.atol is None and self.criterion is None:
            count = default_sparsity(design.shape)
        result, missed = solve_omp(
            design,
            target,
            n_nonzero=count,
            tol=self.tol,
            atol=self.atol,
            criterion=self.criterion,
            ebic_gamma=self.ebic_gamma,
            selection=self.selection,
            positive=self.positive,
            support=self.support,
            penalty_weights=as_penalty_weights(self.penalty_weights, design),
            n_counted=total_weight(sample_weight, design.shape[0]),
            n_jobs=self.n_jobs,
        )
        self.n_nonzero_coefs_ = int(np.max(np.count_nonzero(to_numpy(result.coef), axis=0)))
        return announce(result, missed)
