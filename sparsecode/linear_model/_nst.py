"""Few coefficients that explain the target, by null-space tuning with hard thresholding and feedbacks."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from ..solvers.thresholding.null_space_tuning import solve_null_space_tuning
from ._thresholding import Thresholding

__all__ = ["NullSpaceTuning"]


class NullSpaceTuning(Thresholding):
    """Find few coefficients with ``y = X @ coef + intercept``, by null-space tuning, hard thresholding and feedbacks.

    Each pass adds to the coefficients the least change that explains the residual, keeps the largest, and refits them by least
    squares. Without a sparsity level it keeps more from pass to pass until the residual is small. It is meant for fewer samples
    than features.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        Sparsity level, the same for every target; None for the adaptive form, which needs none.
    growth : int, default=6
        By how much the support of the adaptive form grows from pass to pass.
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
    max_iter : int, default=500
        Iterations.
    tol : float, default=1e-6
        With `n_nonzero_coefs`: how far a pass may move the coefficients, relative to their norm. Without: the norm of the residual,
        relative to that of the centred target; with noise it should not be below the noise. In single precision at least 1e-5 is
        used.
    atol : float, default=None
        Adaptive form only: stop when the norm of the residual is at most `atol`, or what `tol` allows if that is more.

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
        Relative fixed-point residual; without `n_nonzero_coefs` the relative residual, or with `atol` the norm of the residual over
        its limit. Recomputed in float64 from `coef_`.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem; `result_.history` tells how it got there.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    null_space_tuning : The same algorithm as a function.
    HardThresholdingPursuit : The same with the plain gradient.

    Notes
    -----
    Complex X and y are supported.

    References
    ----------
    Li, Liu and Mi, "Fast thresholding algorithms with feedbacks for sparse signal recovery", 2014 (arXiv 1204.3700).
    Han, Li, Liu et al., "Efficient iterative thresholding algorithms with functional feedbacks and convergence analysis", 2020
    (arXiv 2005.06693).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import NullSpaceTuning
    >>> X = np.random.default_rng(0).standard_normal((20, 60))
    >>> model = NullSpaceTuning().fit(X, 3 * X[:, 4] - 2 * X[:, 11] + 1)
    >>> model.support_, model.coef_[model.support_].round(4), round(float(model.intercept_), 4)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    """

    _threshold = staticmethod(solve_null_space_tuning)
    _own = ("growth", "atol")
    _parameter_constraints = {
        **Thresholding._parameter_constraints,
        "growth": [Interval(Integral, 1, None, closed="left")],
        "atol": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        n_nonzero_coefs=None,
        *,
        growth=6,
        positive=False,
        block_size=1,
        joint=False,
        penalty_weights=None,
        fit_intercept=True,
        max_iter=500,
        tol=1e-6,
        atol=None,
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
        self.growth = growth
        self.atol = atol

    def _level(self, shape):
        return self.n_nonzero_coefs  # none is the adaptive form
