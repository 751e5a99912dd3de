"""Greedy regression by a loss and a weighted penalty: orthogonal matching pursuit that knows when to stop."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from .._validation import as_penalty_weights, as_sample_weight, total_weight
from ..designs import CenteredDesign
from ..result import announce
from ..solvers.greedy.loss_omp import LOSSES, solve_loss_omp
from ._base import CenteredProblem, SparseLinearModel

__all__ = ["LossOMP"]


class LossOMP(SparseLinearModel):
    """Greedily minimise ``F(y - X @ coef - intercept) + alpha * R(coef)``; the fit on the support minimises F alone.

    F is ``||r||^2 / (2 n)``, ``||r|| / sqrt(n)`` or ``||r||_1 / n`` for n samples, and R the sum of ``w_j^2`` over the non-zero
    coefficients or of ``w_j |coef_j|``. Columns enter while one of them lowers ``F + alpha R`` by itself, so `alpha` stops the
    pursuit and shrinks nothing.

    Parameters
    ----------
    loss : {"square_root", "squared", "absolute"}, default="square_root"
        "squared" is the weighted LASSO's loss; "square_root" keeps one good `alpha` over all noise levels (with "l1", or with
        `scale_free`); "absolute" survives gross errors in some samples.
    penalty : {"l1", "l0"}, default="l1"
        The price of a coefficient.
    alpha : float, default=None
        What a non-zero coefficient must earn, in the scaling of F above. If None, what some column of a random design of this shape
        (samples counted by the `sample_weight` given to `fit`) reaches against pure noise in one case of twenty: see
        :func:`~sparsecode.loss_omp`.
    penalty_weights : array of shape (n_features,), default=None
        The w above, small for columns that are expected. inf excludes a column; columns of weight 0 enter first, outside the count of
        `n_nonzero_coefs`.
    n_nonzero_coefs : int, default=None
        Most columns to select for each target. If None, as many as are linearly independent: `alpha` says when to stop.
    candidates : {"new", "all", "backward"}, default="new"
        "new": columns off the support may enter. "all": the pursuit ends when a coefficient on it would win. "backward" (l0
        only): such a coefficient is removed.
    scale_free : bool, default=False
        For the square-root loss with "l0": `alpha` is relative to F.
    fit_intercept : bool, default=True
        Whether to fit a constant: by centring for the Euclidean losses, as a column of weight zero for the absolute one.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    alpha_ : float or array of shape (n_targets,)
        The strength that was used.
    n_iter_ : int
        Steps, of the target that took most.
    status_ : Status
        How the solve ended.
    certificate_ : float or array of shape (n_targets,)
        How far the fit on the support is from a minimiser of F, recomputed in float64 from `coef_`.
    result_ : SolveResult
        The solver's whole answer, for the centred and weighted problem.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    loss_omp : The same algorithm as a function.
    OrthogonalMatchingPursuit : The same selection at ``alpha=0`` for the Euclidean losses, much faster.

    Notes
    -----
    Complex X and y are supported, except by the absolute loss.

    References
    ----------
    Mohammad-Taheri and Adcock, "The greedy side of the LASSO: New algorithms for weighted sparse recovery via loss
    function-based orthogonal matching pursuit", 2023 (arXiv 2303.00844).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LossOMP
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 20))
    >>> y = 3 * X[:, 4] - 2 * X[:, 11] + 1 + 0.1 * rng.standard_normal(100)
    >>> y[:5] = 1000
    >>> model = LossOMP(loss="absolute").fit(X, y)
    >>> model.support_, model.coef_[model.support_].round(1), round(float(model.intercept_), 1)
    (array([ 4, 11]), array([ 3., -2.]), 1.0)
    """

    _parameter_constraints = {
        "loss": [StrOptions(set(LOSSES))],
        "penalty": [StrOptions({"l0", "l1"})],
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "penalty_weights": ["array-like", None],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "candidates": [StrOptions({"new", "all", "backward"})],
        "scale_free": ["boolean"],
        "fit_intercept": ["boolean"],
    }

    def __init__(
        self,
        loss="square_root",
        *,
        penalty="l1",
        alpha=None,
        penalty_weights=None,
        n_nonzero_coefs=None,
        candidates="new",
        scale_free=False,
        fit_intercept=True,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.candidates = candidates
        self.scale_free = scale_free
        self.fit_intercept = fit_intercept

    @property
    def _complex_data(self):  # type: ignore[override]
        return self.loss != "absolute"

    def _pose(self, design, target, sample_weight):
        if self.loss != "absolute":
            return super()._pose(design, target, sample_weight)
        if not design.is_numpy:
            raise ValueError(
                "loss='absolute' needs NumPy arrays or SciPy sparse matrices; convert X and y with numpy.asarray."
            )
        return _AbsoluteProblem(design, target, as_sample_weight(sample_weight, design.shape[0]), self.fit_intercept)

    def _answer(self, problem, sample_weight):
        design, target = problem.design, problem.target
        result, missed = solve_loss_omp(
            design,
            target,
            self.alpha,
            loss=self.loss,
            penalty=self.penalty,
            penalty_weights=as_penalty_weights(self.penalty_weights, design),
            n_nonzero=self.n_nonzero_coefs,
            candidates=self.candidates,
            scale_free=self.scale_free,
            n_counted=total_weight(sample_weight, design.shape[0]) - bool(self.fit_intercept),
            constant=_constant(design) if self.loss == "absolute" and self.fit_intercept else None,
        )
        return announce(result, missed)

    def _store(self, result, problem):
        super()._store(result, problem)
        self.alpha_ = result.history["alpha"] if result.coef.ndim == 1 else np.array(result.history["alpha"])
        if self.loss == "absolute":
            self.intercept_ = self.intercept_ + result.intercept  # that of the centred columns


def _constant(design):
    """The column of an intercept, weighted like the rows of the design."""
    return np.ones(design.shape[0]) if design.scale is None else design.scale.astype(np.float64)


class _AbsoluteProblem(CenteredProblem):
    """Columns centred, so that their means do not decide which is selected; rows and target multiplied by the weights.

    The target is not centred: the constant of a fit by absolute deviations is no mean.
    """

    def __init__(self, design, target, weight, fit_intercept):
        mean, real = None, target.dtype
        if fit_intercept:
            share = np.full(design.shape[0], 1.0) if weight is None else weight
            mean = design.rmatvec((share / design.shape[0]).astype(design.dtype))
        scale = None if weight is None else weight.astype(real)
        if scale is not None:
            target = target * (scale if target.ndim == 1 else scale[:, None])
        nothing = np.zeros(target.shape[1:])
        super().__init__(CenteredDesign(design, mean, scale), target, mean, nothing, weight)
