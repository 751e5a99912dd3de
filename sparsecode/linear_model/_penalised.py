"""What every estimator of one loss and one penalty shares: posing the problem, `fit`, warm starts, debiasing.

A family names its loss, `_loss()`, and its penalty of a given strength, `_penalty(alpha)`. Losses that see nothing but the
norm of the residual are centred implicitly, so that the fast solvers apply; the others carry their intercept with them.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import MultiOutputMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._array import to_numpy
from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._validation import as_sample_weight
from ..losses import Squared, SquareRoot, WithIntercept
from ..solvers.advice import announce_solve, warn_without_penalty
from ..solvers.debias import debiased
from ..solvers.pivotal import pivotal_strength
from ..solvers.solve import pose, solve_problem
from ._base import LinearBase, ModulusScore, center

__all__ = [
    "COMMON_CONSTRAINTS",
    "FIT_CONSTRAINTS",
    "DevianceScore",
    "PenalisedModel",
    "PenalisedRegressor",
    "PivotalModel",
    "Posed",
    "without",
]

COMMON_CONSTRAINTS: dict[str, Any] = {
    "fit_intercept": ["boolean"],
    "penalty_weights": ["array-like", None],
    "positive": ["boolean"],
    "solver": [str],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
}
FIT_CONSTRAINTS: dict[str, Any] = {
    "alpha": [Interval(Real, 0, None, closed="left")],
    **COMMON_CONSTRAINTS,
    "debias": ["boolean"],
    "warm_start": ["boolean"],
    "n_jobs": [Integral, None],
}


def without(constraints, *names):
    """Constraints of a model that lacks some of the parameters."""
    return {name: value for name, value in constraints.items() if name not in names}


class Posed:
    """The solver's problem for some data, and the way back from its coefficients to the intercept."""

    def __init__(self, design, target, loss, penalty, *, fit_intercept, penalty_weights, sample_weight):
        self._centered = None
        if isinstance(loss, (Squared, SquareRoot)):
            self._centered = center(design, target, fit_intercept=fit_intercept, sample_weight=sample_weight)
            design, target, sample_weight = self._centered.design, self._centered.target, None
        elif fit_intercept:
            loss = WithIntercept(loss)
        weights = {"penalty_weights": penalty_weights, "sample_weight": sample_weight}
        self.problem = pose(design, target, loss, penalty, **weights, name="X")

    def intercept(self, coef, known=None):
        """The constant that goes with some coefficients, as far as it is not `known`: that of the problem, centred or not."""
        if self._centered is not None:
            known = self._centered.intercept(coef)
        constant = to_numpy(self.problem.intercept(coef) if known is None else known)
        if np.ndim(constant) == 0:
            return constant[()] if coef.ndim == 1 else np.full(coef.shape[1], constant)
        return constant


class PenalisedModel(CallbackSupportMixin, LinearBase):
    """Estimators that minimise one loss under one penalty, by the method that suits or the one they name."""

    alpha: Any
    positive: Any
    solver: Any
    debias: Any = False
    warm_start: Any = False

    def _loss(self):
        """The loss; families with another one than the squared say so."""
        return Squared()

    def _penalty(self, alpha):
        """The penalty of strength `alpha`."""
        raise NotImplementedError(f"{type(self).__name__} must implement _penalty(alpha).")

    def _fit_penalty(self, design):
        """The penalty that `fit` uses."""
        return self._penalty(self.alpha)

    def _weights_of(self, y, sample_weight):
        """Weights of the samples."""
        return sample_weight

    def _posed(self, design, target, penalty, sample_weight):
        """The problem, for these weights of the samples."""
        return Posed(
            design,
            target,
            self._loss(),
            penalty,
            fit_intercept=self.fit_intercept,
            penalty_weights=getattr(self, "penalty_weights", None),
            sample_weight=sample_weight,
        )

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,) or (n_samples, n_targets)
            The target.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples; a weight of 2 is the same as a sample twice.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data are not finite, shapes disagree or a parameter is out of range; the error names it.
        """
        self._validate_params()
        task = FitTask.of_fit(self, None)
        with all_or_nothing(self):
            design, target = self._validated(X, y)
            penalty = self._fit_penalty(design)
            warn_without_penalty(self._loss(), penalty, target)
            posed = self._posed(design, target, penalty, self._weights_of(y, sample_weight))
            result = self._solved(posed.problem, self._last_coef(posed.problem), self._watched(task, posed))
            answer = debiased(posed.problem, result, **self._options()) if self.debias else result
            announce_solve(posed.problem, answer if result.status.is_success else result)
            self._store(result, posed, answer)
            task.end(lambda: {"coef_": self.coef_, "intercept_": self.intercept_})
        return self

    def _options(self):
        return {"max_iter": self.max_iter, "tol": self.tol}

    def _solved(self, problem, init, callback):
        n_jobs = getattr(self, "n_jobs", None)
        return solve_problem(
            problem, problem.start(init), self.solver, callback=callback, n_jobs=n_jobs, **self._options()
        )

    def _last_coef(self, problem):
        """Where a warm start begins: the last coefficients, if they fit."""
        coef = getattr(self, "coef_", None) if self.warm_start else None
        if coef is None:
            return None
        coef = coef if coef.ndim == 1 else coef.T
        return coef if tuple(coef.shape) == tuple(problem.shape) else None

    def _watched(self, task, posed):
        """A solver's callback that tells scikit-learn's callbacks of each round; None where there are none."""
        if not task.is_watched:
            return None

        def callback(progress):
            if progress.coef.ndim < len(posed.problem.shape):  # one target of many is no model yet
                return False
            return task.part("round").end(
                lambda: {"coef_": progress.coef, "intercept_": posed.intercept(progress.coef)}
            )

        return callback

    def _store(self, result, posed, answer=None):
        """Attributes of a fit; where its answer was debiased, the rest tells of the penalised problem that chose the support."""
        super()._store(result, posed)
        if answer is not None:
            self.coef_ = answer.coef if answer.coef.ndim == 1 else answer.coef.T
            self.intercept_ = posed.intercept(answer.coef)
        at_zero = to_numpy(posed.problem.in_double().at_zero().loss)
        gap = at_zero * (result.certificate if "gap" in result.certificate_name else np.nan)
        self.dual_gap_ = float(gap) if np.ndim(gap) == 0 else gap

    @property
    def sparse_coef_(self):
        """`coef_` as a CSR array, one row a target."""
        check_is_fitted(self)
        return sp.csr_array(np.atleast_2d(to_numpy(self.coef_)))


class PenalisedRegressor(MultiOutputMixin, ModulusScore, PenalisedModel):
    """A `PenalisedModel` that predicts numbers."""

    def predict(self, X):
        """Predict the target: ``X @ coef_ + intercept_``, through the inverse link of the loss where it has one.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_targets)
            The predictions.
        """
        fitted = self._linear(X)
        loss = self._loss()
        return loss.inverse_link(fitted) if hasattr(loss, "inverse_link") else fitted

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class PivotalModel(PenalisedModel):
    """Models whose strength needs no noise level: without one they take what theory says."""

    def _fit_penalty(self, design):
        self.alpha_ = pivotal_strength(self._loss(), design.shape) if self.alpha is None else float(self.alpha)
        return self._penalty(self.alpha_)


class DevianceScore(PenalisedModel):
    """Scores by the share of the null model's loss that the fit explains: D^2, which is R^2 for the squared loss."""

    def score(self, X, y, sample_weight=None):
        """The share of the loss that is explained: ``1 - loss(y, fitted) / loss(y, best constant)``.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,) or (n_samples, n_targets)
            The target.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples.

        Returns
        -------
        float
            At most one; zero for the best constant. The mean over the targets where there are many.
        """
        fitted = to_numpy(self._linear(X))
        wide = np.complex128 if np.iscomplexobj(y) else np.float64
        target = np.asarray(y, dtype=wide).reshape(fitted.shape)
        weight = as_sample_weight(sample_weight, len(target))
        weight = 1.0 / len(target) if weight is None else weight / len(target)
        if target.ndim == 2 and not isinstance(weight, float):
            weight = weight[:, None]
        loss = self._loss()
        if hasattr(loss, "check"):
            loss.check(target)
        null = WithIntercept(loss).value(target, 0 * target, weight)
        left = np.asarray(loss.value(target, fitted, weight))
        share = np.divide(left, null, out=np.where(left > 0, np.inf, 0.0), where=np.asarray(null) > 0)
        return float(np.mean(1.0 - share))
