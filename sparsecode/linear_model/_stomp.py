"""Least squares on the columns that stand out from the noise, in a few stages: StOMP."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from .._validation import total_weight
from ..solvers.greedy.refit import pose
from ..solvers.greedy.stomp import solve_stomp
from ._base import SparseLinearModel, all_or_nothing, center

__all__ = ["StagewiseOMP"]


class StagewiseOMP(SparseLinearModel):
    """Minimise ``||y - X @ coef - intercept||^2`` over few non-zero coefficients, in stages that take all columns that stand out.

    A stage adds every column whose correlation with the residual exceeds `threshold` times its standard deviation if there were only
    noise, ``||r|| / sqrt(n_samples)`` for columns of unit norm, and refits all selected ones by least squares. Made for random
    designs; the number of coefficients need not be known.

    Parameters
    ----------
    threshold : float, default=2.5
        How far a correlation must stand out, in standard deviations of the noise; from 2 to 3 as a rule. At 2.5 one wrong column in
        eighty stands out by chance in every stage: wide designs and noisy targets need up to ``sqrt(2 log(n_features))``.
    n_stages : int, default=10
        Stages at most.
    tol : float, default=None
        Stop when the residual norm is at most `tol` times the norm of the (centred) target.
    penalty_weights : array of shape (n_features,), default=None
        Correlations are divided by their weight before columns are compared: inf excludes a column, those of
        weight 0 are always fitted.
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
        Stages done.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        Support optimality: how far the fit on the support is from least squares, recomputed in float64 from `coef_`.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem; `result_.history` tells what it did stage by stage.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    stomp : The same algorithm as a function.
    OrthogonalMatchingPursuit : One column a stage.

    Notes
    -----
    Complex X and y are supported.

    References
    ----------
    Donoho, Tsaig, Drori and Starck, "Sparse solution of underdetermined systems of linear equations by stagewise orthogonal
    matching pursuit", 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import StagewiseOMP
    >>> X = np.random.default_rng(0).standard_normal((60, 20))
    >>> model = StagewiseOMP(threshold=3).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(4), round(float(model.intercept_), 4)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    """

    _complex_data = True
    _parameter_constraints = {
        "threshold": [Interval(Real, 0, None, closed="neither")],
        "n_stages": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
    }

    def __init__(self, *, threshold=2.5, n_stages=10, tol=None, penalty_weights=None, fit_intercept=True):
        self.threshold = threshold
        self.n_stages = n_stages
        self.tol = tol
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,) or (n_samples, n_targets)
            The target.
        sample_weight : array of shape (n_samples,), optional
            How often each sample counts; their sum takes the place of n_samples in the threshold.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data are not finite, shapes disagree or a parameter is out of range; the error names it.
        """
        with all_or_nothing(self):
            self._validate_params()
            design, target = self._validated(X, y)
            centered = center(design, target, fit_intercept=self.fit_intercept, sample_weight=sample_weight)
            problem = pose(centered.design, centered.target, None, penalty_weights=self.penalty_weights)
            n_counted = total_weight(sample_weight, design.shape[0])
            result = solve_stomp(problem, n_counted, threshold=self.threshold, n_stages=self.n_stages, tol=self.tol)
            self._store(result, centered)
        return self
