"""Sparse Poisson regression to a relative duality gap of 1e-6, against skglm's proximal Newton method."""

from __future__ import annotations

import numpy as np

from . import Job
from ._glm_problems import contest_rows, first_of, glm_problem, skglm_runner

__all__ = ["JOB"]

_FULL = (("iid", 2000, 2000), ("CSC", 20_000, 50_000))
_SMALL = (("iid", 200, 200), ("CSC", 1000, 2000))


def _draw(signal, rng):
    return rng.poisson(np.exp(np.clip(0.7 * signal + 0.5, None, 5.0))).astype(float)


def _problem(*shape):
    from sparsecode import Poisson

    return glm_problem(Poisson(), _draw, *shape)


def _skglm(problem, tol):
    from skglm.datafits import Poisson
    from skglm.solvers import ProxNewton

    return skglm_runner(problem, tol, Poisson(), ProxNewton(tol=tol, fit_intercept=False, max_iter=200))


def rows(setting):
    """A dense and a CSC design at two strengths."""
    problems = (_problem(*shape, fraction) for shape in setting.size(_FULL, _SMALL) for fraction in (10, 100))
    yield from contest_rows(problems, {"skglm": _skglm}, setting, JOB.name)


def first_call(setting):
    """The prepared first call."""
    return first_of(_problem)


JOB = Job("poisson", rows, first_call)
