"""Least squares with at most k non-zero coefficients, by subspace pursuit."""

from __future__ import annotations

from ..solvers.greedy import subspace_pursuit
from ._support_passes import SupportPasses

__all__ = ["SubspacePursuit"]


class SubspacePursuit(SupportPasses):
    """Minimise ``||y - X @ coef - intercept||^2`` subject to at most `n_nonzero_coefs` non-zero coefficients, support after support.

    Each pass fits the current support and as many new columns by least squares, keeps those that carry most, and fits again, while
    the residual falls. Columns are compared relative to their norms, so their scale does not matter.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        Non-zero coefficients of each target; a tenth of the features (at least one, at most the samples) if None.
    joint : bool, default=False
        Whether many targets share one support; by default each has its own.
    positive : bool, default=False
        Whether coefficients must not be negative; needs real data on NumPy.
    penalty_weights : array of shape (n_features,), default=None
        Correlations and coefficients are divided by their weight before columns are compared: inf excludes a column, those of
        weight 0 are always fitted, outside the count of `n_nonzero_coefs`.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    max_iter : int, default=100
        Passes at most.
    tol : float, default=None
        Stop early when the residual norm is at most `tol` times the norm of the (centred) target.

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
    subspace_pursuit : The same algorithm as a function.
    CoSaMP : Fits more columns at once.

    Notes
    -----
    Complex X and y are supported.

    References
    ----------
    Dai and Milenkovic, "Subspace pursuit for compressive sensing signal reconstruction", 2009 (arXiv 0803.0811).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SubspacePursuit
    >>> X = np.random.default_rng(0).standard_normal((60, 20))
    >>> model = SubspacePursuit(n_nonzero_coefs=2).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(4), round(float(model.intercept_), 4)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    """

    _pursuit = staticmethod(subspace_pursuit)
