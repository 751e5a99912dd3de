"""What models that choose a strength along a path share: by held-out error (`CrossValidated`) or by a criterion (`ByCriterion`).

One grid of strengths, for each penalty to choose from, and one set of folds serve the whole search: every candidate is judged
on the same held-out samples. A fold's training set is all data with zero weight on the held-out samples, so that sparse
matrices and operators are never copied; its path is warm-started, and folds run on threads.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from itertools import islice
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions

from .._array import array_namespace, to_numpy
from .._estimators import FitTask, all_or_nothing, with_callbacks
from .._parallel import map_blocks
from .._validation import as_sample_weight
from ..losses import Squared
from ..penalties import L1
from ..solvers.advice import announce_solve
from ..solvers.criteria import criterion_of_fit
from ..solvers.debias import debiased
from ..solvers.path import path_alphas, solve_path
from ._folds import draw_folds, training_weight
from ._penalised import COMMON_CONSTRAINTS, PenalisedModel

__all__ = ["CRITERION_CONSTRAINTS", "CV_CONSTRAINTS", "ByCriterion", "CrossValidated"]

_SMALL = 1 << 18  # entries of a design up to which threads would wait for the interpreter, not for products
_AT_ONCE = 1 << 22  # numbers, of coefficients and fitted values, that wait to be judged together

_GRID_CONSTRAINTS = {
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "eps": [Interval(Real, 0, 1, closed="neither")],
    **COMMON_CONSTRAINTS,
    "debias": ["boolean"],
}
CV_CONSTRAINTS = {
    **_GRID_CONSTRAINTS,
    "cv": ["cv_object"],
    "scoring": [str, callable, None],
    "n_jobs": [Integral, None],
}
CRITERION_CONSTRAINTS = {
    **_GRID_CONSTRAINTS,
    "criterion": [StrOptions({"aic", "bic", "ebic"})],
    "ebic_gamma": [Interval(Real, 0, None, closed="left")],
    "noise_variance": [Interval(Real, 0, None, closed="neither"), None],
}


class PathModel(PenalisedModel):
    """One or more penalties, each with a grid of strengths; one target, unless the family joins several."""

    def _joins_targets(self):
        """Whether several targets are one problem."""
        return False

    def _candidates(self):
        """The penalties to choose from, with what `fit` then says of the choice: ``[(penalty, attributes), ...]``."""
        return [(self._penalty(1.0), {})]

    def _grid(self, problem):
        """The strengths of one penalty, descending."""
        if isinstance(self.alphas, Integral):
            return path_alphas(problem, None, self.alphas, self.eps)
        return path_alphas(problem, self.alphas)

    def _data(self, X, y):
        return self._validated(X, y) if self._joins_targets() else self._validated_single(X, y)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self._joins_targets()
        return tags


class CrossValidated(PathModel):
    """Chooses the strength of least held-out error, then fits on all data."""

    _errors_name = "error_path_"

    def _held_out(self, target, fitted, weights):
        """The error of fitted values; weights of sum one."""
        return float(np.mean(self._loss().value(target, fitted, weights)))

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Choose the strength by cross-validation, then fit on all data.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,), or (n_samples, n_targets) where the targets share a support
            The target.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples, in the fits and in the held-out errors.

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
        with all_or_nothing(self):
            design, target = self._data(X, y)
            weight = as_sample_weight(self._weights_of(y, sample_weight), design.shape[0])
            weight = np.ones(design.shape[0]) if weight is None else weight
            labels = to_numpy(y if is_classifier(self) else target)
            folds = draw_folds(self.cv, labels, weight, classifier=is_classifier(self))
            task = FitTask.of_fit(self, len(folds) + 1)
            candidates = self._candidates()
            posed = self._posed(design, target, candidates[0][0], None if np.all(weight == 1) else weight)
            problem = posed.problem
            grids = [self._grid(problem.with_penalty(penalty)) for penalty, _ in candidates]
            search = _Search(self, design, target, weight, [penalty for penalty, _ in candidates], grids)
            scorer = None if self.scoring is None else (check_scoring(self, self.scoring), X, y)
            errors, sizes, worst = search.over(folds, scorer, task)
            best = _least(errors @ sizes / sizes.sum())
            alpha = float(grids[best[0]][best[1]])
            penalty, chosen = candidates[best[0]]
            problem = posed.problem = problem.with_penalty(penalty._replace(alpha=alpha))
            (result,) = solve_path(
                problem,
                np.array([alpha]),
                self.solver,
                callback=self._watched(task.part("refit", None), posed),
                **self._options(),
            )
            announce_solve(problem, max(worst, result, key=lambda each: np.max(each.certificate)))
            self._store(result, posed, _Refits()(problem, result) if self.debias else None)
            self._store_choice(alpha, chosen, grids, errors)
            task.end(lambda: {"coef_": self.coef_, "intercept_": self.intercept_})
        return self

    def _store_choice(self, alpha, chosen, grids, errors):
        """What was chosen, and from what; one grid alone stands without an axis of its own."""
        self.alpha_ = alpha
        for name, value in chosen.items():
            setattr(self, name, value)
        several = len(grids) > 1
        self.alphas_ = np.stack(grids) if several else grids[0]
        setattr(self, self._errors_name, errors if several else errors[0])


def _least(errors):
    """Where the error is least; strengths whose error is no number lose to all others."""
    known = np.where(np.isnan(errors), np.inf, errors)
    if not np.any(np.isfinite(known)):
        raise ValueError(
            "the held-out error is not finite at any strength; pass folds of more samples, another scoring, or other alphas."
        )
    return np.unravel_index(np.argmin(known), known.shape)


class _Search:
    """The paths of all penalties on each fold, and the errors on what the fold holds out."""

    def __init__(self, model, design, target, weight, penalties, grids):
        self.model, self.design, self.target, self.weight = model, design, target, weight
        self.penalties, self.grids = penalties, grids
        self.values = to_numpy(target)

    def over(self, folds, scorer, task):
        """Errors (n_penalties, n_alphas, n_folds), the weight of each fold's held-out samples, the worst certified result."""
        lock = threading.Lock()

        def one_fold(start, _):
            train, test = folds[start]
            found = self._fold(train, test, scorer)
            with lock:
                task.part("fold").end()
            return found

        n_jobs, (n_samples, n_features) = self.model.n_jobs, self.design.shape
        if n_jobs is None and n_samples * n_features <= _SMALL:
            n_jobs = 1
        errors, sizes, results = zip(*map_blocks(one_fold, len(folds), 1, n_jobs), strict=True)
        worst = max(results, key=lambda result: np.max(result.certificate))
        return np.stack(errors, axis=-1), np.array(sizes), worst

    def _fold(self, train, test, scorer):
        model = self.model
        inside = training_weight(train, self.weight)
        posed = model._posed(self.design, self.target, self.penalties[0], inside)
        total = self.weight[test].sum()
        share = self.weight[test] / (total if total > 0 else 1.0)
        judge = _Scorer(model, posed, test, share, *scorer) if scorer else self._judge(posed, test, share)
        errors, worst = np.zeros((len(self.penalties), len(self.grids[0]))), None
        for i, (penalty, alphas) in enumerate(zip(self.penalties, self.grids, strict=True)):
            problem = posed.problem.with_penalty(penalty)
            path = solve_path(problem, alphas, model.solver, keep_proofs=True, **model._options())
            done, refits = 0, _Refits()
            while results := list(islice(path, max(1, _AT_ONCE // (problem.n_samples + problem.n_features)))):
                if total > 0:
                    judged = [refits(problem, result) for result in results] if model.debias else results
                    errors[i, done : done + len(results)] = judge(judged)
                done += len(results)
                worst = max(results if worst is None else [worst, *results], key=lambda each: np.max(each.certificate))
        return errors, total, worst

    def _judge(self, posed, test, share):
        """The errors of results on the held-out samples, by the loss: one product for all of them."""
        target, share = self.values[test], share if self.values.ndim == 1 else share[:, None]

        def errors(results):
            coefs = [result.coef for result in results]
            xp, shape = array_namespace(*coefs), tuple(coefs[0].shape)
            product = self.design.product(xp.concat([xp.reshape(coef, (shape[0], -1)) for coef in coefs], axis=1))
            fitted = to_numpy(product)[test]
            fitted = fitted.reshape(fitted.shape[0], len(coefs), *shape[1:])
            return [
                self.model._held_out(target, fitted[:, k] + posed.intercept(result.coef, result.intercept), share)
                for k, result in enumerate(results)
            ]

        return errors


class _Refits:
    """Least squares on the supports along a path, one after another: a support that stays is not fitted again."""

    _support: Any = None
    _refit: Any = None

    def __call__(self, problem, result):
        """The result with the coefficients of the refit."""
        support = to_numpy(result.coef != 0)
        if self._support is None or not np.array_equal(support, self._support):
            self._support, self._refit = support, debiased(problem, result)
        return replace(result, coef=self._refit.coef)


class _Scorer:
    """The errors of results on the held-out samples: minus what a scorer says of the models that they make."""

    def __init__(self, model, posed, test, share, score, X, y):
        self.model, self.posed, self.score = model, posed, score
        self.X, self.y = _safe_indexing(X, test), _safe_indexing(y, test)
        self.share = None if np.all(share == share[0]) else share * len(share)

    def __call__(self, results):
        return [self._error(result) for result in results]

    def _error(self, result):
        twin = copy.copy(self.model)
        PenalisedModel._store(twin, result, self.posed)
        weights = {} if self.share is None else {"sample_weight": self.share}
        return -self.score(twin, self.X, self.y, **weights)


class ByCriterion(PathModel):
    """Chooses the strength of least information criterion along a path on all data."""

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Solve the path and keep the strength of least criterion.

        Parameters
        ----------
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,)
            The target.
        sample_weight : array of shape (n_samples,), optional
            How often each sample counts; their sum takes the place of n_samples in the criterion.

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
            design, target = self._data(X, y)
            posed = self._posed(design, target, self._penalty(1.0), self._weights_of(y, sample_weight))
            alphas = self._grid(posed.problem)
            weight = 1.0 if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
            n_samples = float(np.broadcast_to(weight, design.shape[0]).sum())
            options = {name: getattr(self, name) for name in ("noise_variance", "ebic_gamma") if hasattr(self, name)}
            results, values, refits = [], np.full(alphas.size, np.inf), _Refits()
            for i, result in enumerate(solve_path(posed.problem, alphas, self.solver, **self._options())):
                results.append(result)
                problem = posed.problem.with_penalty(self._penalty(float(alphas[i])))
                if self.debias:
                    result, problem = refits(problem, result), problem.with_penalty(L1(0.0))
                values[i] = criterion_of_fit(self.criterion, problem, result.coef, n_samples, **options)
                task.part("alpha").end()
            best = int(np.argmin(values))
            if not np.isfinite(values[best]):
                raise ValueError(
                    "alphas hold no strength at which at most half as many coefficients as samples are left, which the criterion "
                    "needs; pass larger alphas, the noise_variance, or choose by cross-validation."
                )
            announce_solve(posed.problem, max(results, key=lambda result: np.max(result.certificate)))
            problem = posed.problem.with_penalty(self._penalty(float(alphas[best])))
            self._store(results[best], posed, _Refits()(problem, results[best]) if self.debias else None)
            self.n_iter_ = sum(result.n_iter for result in results)  # of the path that leads there
            self.alpha_, self.alphas_, self.criterion_ = float(alphas[best]), alphas, values
            task.end(lambda: {"coef_": self.coef_, "intercept_": self.intercept_})
        return self


class SquaredErrors:
    """Cross-validation under the squared loss reports mean squared errors, as scikit-learn's does."""

    _errors_name = "mse_path_"

    def _held_out(self, target, fitted, weights):
        return 2.0 * float(np.mean(Squared().value(target, fitted, weights)))
