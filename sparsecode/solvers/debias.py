"""Debiasing: the same loss again on the support that a penalty chose, without the penalty.

minimise over coef   loss(y, A @ coef)        coef_j = 0 off the support (and within the bounds that the penalty set)

Belloni and Chernozhukov, "Least squares after model selection in high-dimensional sparse models", 2013 (arXiv 1001.0188).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .._array import array_namespace, asarray_like, to_numpy
from .._validation import as_design
from ..losses import Squared, SquareRoot
from ..penalties import L1, Box
from .problem import Problem
from .solve import solve_problem
from .support import make_support_fit
from .targets import one_target

__all__ = ["debiased"]


def debiased(problem, result, **options):
    """The unpenalised fit on the support of a result; no warning.

    A support of more columns than samples has no such fit of its own, and stays as it is. Least squares are solved at once;
    other losses on their own few columns, and say how well by their own certificate.
    """
    bounded = isinstance(problem.penalty, Box)
    if isinstance(problem.loss, (Squared, SquareRoot)) and isinstance(problem.row_weights, float) and not bounded:
        support = to_numpy(result.coef != 0)
        if np.max(np.count_nonzero(support, axis=0)) > problem.n_samples:
            return result
        positive = getattr(problem.penalty, "positive", False)
        squared = Problem(problem.design, problem.target, Squared(), L1(0.0, positive))
        return replace(result, coef=make_support_fit(squared, positive=positive)(result.coef != 0))
    if problem.target.ndim == 1 or problem.is_joint:
        return _minimised(problem, result, result.coef, options)
    parts = [
        _minimised(one_target(problem, target), result, result.coef[:, target], options)
        for target in range(problem.target.shape[1])
    ]
    coef = array_namespace(result.coef).stack([part.coef for part in parts], axis=1)
    worst = max(parts, key=lambda part: np.max(part.certificate))
    return replace(worst, coef=coef, intercept=problem.intercept(coef))


def _minimised(problem, result, coef, options):
    """Another loss on the columns that the coefficients use, from where they are."""
    used = to_numpy(coef != 0).reshape(problem.n_features, -1).any(axis=1)
    support = np.flatnonzero(used)
    if not 0 < support.size <= problem.n_samples:
        return replace(result, coef=coef)
    penalty: Any
    penalty, weights = L1(0.0, getattr(problem.penalty, "positive", False)), None
    if isinstance(problem.penalty, Box):  # bounds are no bias
        penalty, weights = problem.penalty, problem.penalty_weights
        weights = None if weights is None else weights[support]
    few = Problem(as_design(problem.design.columns(support)), problem.target, problem.loss, penalty, weights)
    few.row_weights, few._root = problem.row_weights, problem._root
    xp = array_namespace(coef)
    found = solve_problem(few, few.start(xp.take(coef, asarray_like(support, coef), axis=0)), **options)
    place = np.where(used, np.cumsum(used) - 1, 0)  # of each coefficient among those found
    spread = xp.take(found.coef, asarray_like(place, coef), axis=0)
    mask = asarray_like(used.reshape(-1, *[1] * (coef.ndim - 1)), coef)
    return replace(found, coef=xp.where(mask, spread, 0 * spread))
