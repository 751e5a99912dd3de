"""Sparse logistic regression to a relative duality gap of 1e-6, against skglm, celer and liblinear."""

from __future__ import annotations

import numpy as np

from . import Job
from ._glm_problems import contest_rows, first_of, glm_problem, skglm_runner

__all__ = ["JOB"]

_FULL = (("iid", 1000, 10_000), ("CSC", 20_000, 100_000))
_SMALL = (("iid", 100, 400), ("CSC", 1000, 2000))


def _draw(signal, rng):
    return np.where(3.0 * signal + rng.logistic(size=signal.size) > 0, 1.0, -1.0)


def _problem(*shape):
    from sparsecode import Logistic

    return glm_problem(Logistic(), _draw, *shape)


def _skglm(problem, tol):
    from skglm.datafits import Logistic
    from skglm.solvers import ProxNewton

    return skglm_runner(problem, tol, Logistic(), ProxNewton(tol=tol, fit_intercept=False, max_iter=200))


def _celer(problem, tol):
    from celer import LogisticRegression

    model = LogisticRegression(C=1.0 / (problem.alpha * problem.y.size), tol=tol, fit_intercept=False)
    return lambda _: model.fit(problem.X, problem.y).coef_[0]


def _liblinear(problem, tol):
    from sklearn.linear_model import LogisticRegression

    strength = 1.0 / (problem.alpha * problem.y.size)
    model = LogisticRegression(
        C=strength, l1_ratio=1.0, solver="liblinear", tol=tol, fit_intercept=False, max_iter=1000
    )
    return lambda _: model.fit(problem.X, problem.y).coef_[0]


_PEERS = {"skglm": _skglm, "celer": _celer, "scikit-learn (liblinear)": _liblinear}


def rows(setting):
    """A dense and a CSC design at two strengths."""
    problems = (_problem(*shape, fraction) for shape in setting.size(_FULL, _SMALL) for fraction in (10, 100))
    yield from contest_rows(problems, _PEERS, setting, JOB.name)


def first_call(setting):
    """The prepared first call."""
    return first_of(_problem)


JOB = Job("logistic", rows, first_call)
