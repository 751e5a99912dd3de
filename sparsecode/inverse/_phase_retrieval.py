"""Few coefficients from the magnitudes of their measurements."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

from .._array import array_namespace
from .._estimators import all_or_nothing
from ..linear_model._base import CenteredProblem, SparseLinearModel, default_sparsity
from ..result import announce
from ..solvers.thresholding.phase_retrieval import as_magnitudes, solve_phase_retrieval

__all__ = ["SparsePhaseRetrieval"]


class SparsePhaseRetrieval(SparseLinearModel):
    """Minimise ``|| |X @ coef| - y ||^2`` subject to at most `n_nonzero_coefs` non-zero coefficients.

    Signs, or phases of complex measurements, are not measured, so coefficients are known up to one sign or phase for all; the
    largest one comes out positive.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        Sparsity level, the same for every target; a tenth of the features (at least one, at most the samples) if None.
    method : {"newton", "htp"}, default="newton"
        "newton": Newton steps on the thresholded support. "htp": least squares there with the phases held.
    n_restarts : int, default=10
        How many further starts are tried while the fit is not exact; the answer of least misfit is kept.
    penalty_weights : array of shape (n_features,), default=None
        Magnitudes are divided by their weight before the largest are kept: inf excludes a column, 0 always keeps it (outside
        the count of `n_nonzero_coefs`).
    max_iter : int, default=100
        Iterations from each start.
    tol : float, default=1e-8
        Largest relative fixed-point residual. In single precision at least 1e-5 is used.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        Zero: a constant added to magnitudes has no counterpart among the coefficients.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Iterations from the start that led to the answer.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        Relative fixed-point residual with the phases held, recomputed in float64 from `coef_`.
    result_ : SolveResult
        The solver's whole answer.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    sparse_phase_retrieval : The same as a function; it takes a start, too.
    sparsecode.metrics.align_phase : Coefficients with the sign or phase nearest to known ones.

    Notes
    -----
    Complex X is supported; y is real and not negative.

    References
    ----------
    Cai, Long, Wen and Ying, "A fast and provable algorithm for sparse phase retrieval", 2023, arXiv 2309.02046.
    Cai, Li, Lu and Wen, "Sparse signal recovery from phaseless measurements via hard thresholding pursuit", 2020,
    arXiv 2005.08777.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparsePhaseRetrieval
    >>> X = np.random.default_rng(0).standard_normal((60, 100))
    >>> model = SparsePhaseRetrieval(n_nonzero_coefs=2).fit(X, np.abs(2 * X[:, 7] - X[:, 77]))
    >>> model.support_, model.coef_[model.support_].round(6), round(model.score(X, model.predict(X)), 6)
    (array([ 7, 77]), array([ 2., -1.]), 1.0)
    """

    _complex_data = True
    _parameter_constraints = {
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "method": [StrOptions({"newton", "htp"})],
        "n_restarts": [Interval(Integral, 0, None, closed="left")],
        "penalty_weights": ["array-like", None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_nonzero_coefs=None,
        *,
        method="newton",
        n_restarts=10,
        penalty_weights=None,
        max_iter=100,
        tol=1e-8,
    ):
        self.n_nonzero_coefs = n_nonzero_coefs
        self.method = method
        self.n_restarts = n_restarts
        self.penalty_weights = penalty_weights
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,) or (n_samples, n_targets)
            Magnitudes, real and not negative.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If y is negative or complex, the data are not finite, shapes disagree or a parameter is out of range; the error
            names it.
        """
        with all_or_nothing(self):
            self._validate_params()
            design, _ = self._validated(X, y)
            target = as_magnitudes(y, design)
            result = solve_phase_retrieval(
                design,
                target,
                default_sparsity(design.shape) if self.n_nonzero_coefs is None else self.n_nonzero_coefs,
                method=self.method,
                n_restarts=self.n_restarts,
                penalty_weights=self.penalty_weights,
                sample_weight=sample_weight,
                max_iter=self.max_iter,
                tol=self.tol,
                level_name="n_nonzero_coefs",
            )
            self._store(announce(result), CenteredProblem(design, target, None, None, None))
        return self

    def predict(self, X):
        """Predict the magnitudes: ``|X @ coef_|``.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_targets)
            The predictions.
        """
        fitted = super().predict(X)
        return array_namespace(fitted).abs(fitted)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        tags.regressor_tags.poor_score = True  # magnitudes of a linear function are all it can fit
        return tags
