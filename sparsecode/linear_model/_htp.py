"""Least squares with at most k non-zero coefficients, by hard thresholding pursuit."""

from __future__ import annotations

from numbers import Integral

from sklearn.utils._param_validation import Interval

from ..solvers.thresholding.htp import solve_htp
from ._thresholding import Thresholding

__all__ = ["HardThresholdingPursuit"]


class HardThresholdingPursuit(Thresholding):
    """Minimise ``||y - X @ coef - intercept||^2`` subject to at most `n_nonzero_coefs` non-zero coefficients, support after support.

    Each iteration chooses the support by one thresholded gradient step and fits the coefficients on it. It ends after a few
    iterations, exactly. Columns count as if they had unit norm, so their scale does not matter.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        Sparsity level, the same for every target; a tenth of the features (at least one, at most the samples) if None.
    n_gradient_steps : int, default=None
        Fast form: so many gradient steps on each support instead of least squares.
    positive : bool, default=False
        Whether negative coefficients are forbidden; needs real data.
    block_size : int, default=1
        Coefficients ``0 .. block_size - 1``, ``block_size .. 2 block_size - 1``, ... stand or fall together.
    joint : bool, default=False
        Whether all targets share one support; by default each has its own.
    penalty_weights : array of shape (n_features,), default=None
        Magnitudes are divided by their weight before the largest are kept: inf excludes a column, 0 always keeps it (outside
        the count of `n_nonzero_coefs`).
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    max_iter : int, default=200
        Iterations.
    tol : float, default=1e-6
        How far a thresholded gradient step may move the coefficients, relative to their norm. In single precision at least
        1e-5 is used.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Iterations done.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        Relative fixed-point residual, recomputed in float64 from `coef_`.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem; `result_.history` tells how it got there.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    htp : The same algorithm as a function.
    NullSpaceTuning : Chooses the support by a whitened gradient; needs no sparsity level.

    Notes
    -----
    Complex X and y are supported.

    References
    ----------
    Foucart, "Hard thresholding pursuit: an algorithm for compressive sensing", 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import HardThresholdingPursuit
    >>> X = np.random.default_rng(0).standard_normal((60, 20))
    >>> model = HardThresholdingPursuit(n_nonzero_coefs=2).fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(4), round(float(model.intercept_), 4)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    """

    _threshold = staticmethod(solve_htp)
    _own = ("n_gradient_steps",)
    _parameter_constraints = {
        **Thresholding._parameter_constraints,
        "n_gradient_steps": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_nonzero_coefs=None,
        *,
        n_gradient_steps=None,
        positive=False,
        block_size=1,
        joint=False,
        penalty_weights=None,
        fit_intercept=True,
        max_iter=200,
        tol=1e-6,
    ):
        super().__init__(
            n_nonzero_coefs,
            positive=positive,
            block_size=block_size,
            joint=joint,
            penalty_weights=penalty_weights,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
        )
        self.n_gradient_steps = n_gradient_steps
