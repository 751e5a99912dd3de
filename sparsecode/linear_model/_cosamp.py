"""Least squares with at most k non-zero coefficients, by compressive sampling matching pursuit."""

from __future__ import annotations

from ..solvers.greedy import cosamp
from ._support_passes import SupportPasses

__all__ = ["CoSaMP"]


class CoSaMP(SupportPasses):
    """Minimise ``||y - X @ coef - intercept||^2`` subject to at most `n_nonzero_coefs` non-zero coefficients, by CoSaMP.

    Each pass fits the current support and twice as many new columns by least squares and keeps the coefficients that carry most;
    the best ones met are fitted once more (unless `debias` is False). Columns are compared relative to their norms, so their scale does not matter. There
    should be three times as many samples as non-zero coefficients.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        Non-zero coefficients of each target; a tenth of the features (at least one, at most the samples) if None.
    joint : bool, default=False
        Whether many targets share one support; by default each has its own.
    positive : bool, default=False
        Whether coefficients must not be negative; needs real data on NumPy.
    debias : bool, default=True
        Whether the coefficients are fitted by least squares on their support at the end. Without it they are what the method's
        definition says, and hardly ever certified: `status_` is then ``STALLED``, and `fit` warns.
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
    cosamp : The same algorithm as a function.
    SubspacePursuit : Fits fewer columns at once, and never gets worse.

    Notes
    -----
    Complex X and y are supported.

    References
    ----------
    Needell and Tropp, "CoSaMP: iterative signal recovery from incomplete and inaccurate samples", 2009 (arXiv 0803.2392).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import CoSaMP
    >>> X = np.random.default_rng(0).standard_normal((60, 20))
    >>> model = CoSaMP(n_nonzero_coefs=2).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(4), round(float(model.intercept_), 4)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    """

    _pursuit = staticmethod(cosamp)
    _parameter_constraints = SupportPasses._parameter_constraints | {"debias": ["boolean"]}
    _options = ("debias",)

    def __init__(
        self,
        n_nonzero_coefs=None,
        *,
        joint=False,
        positive=False,
        debias=True,
        penalty_weights=None,
        fit_intercept=True,
        max_iter=100,
        tol=None,
    ):
        super().__init__(
            n_nonzero_coefs,
            joint=joint,
            positive=positive,
            penalty_weights=penalty_weights,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
        )
        self.debias = debias
