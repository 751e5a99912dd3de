"""Sparse robust regression by Huber's loss to a relative duality gap of 1e-6, against skglm's coordinate descent.

One sample in twenty is an outlier; the others carry noise of a tenth of the signal.
"""

from __future__ import annotations

import numpy as np

from . import Job
from ._glm_problems import contest_rows, first_of, glm_problem, skglm_runner

__all__ = ["JOB"]

_DELTA = 0.3
_FULL = (("iid", 1000, 10_000), ("CSC", 20_000, 100_000))
_SMALL = (("iid", 100, 400), ("CSC", 1000, 2000))


def _draw(signal, rng):
    return signal + 0.1 * rng.standard_normal(signal.size) + np.where(rng.random(signal.size) < 0.05, 10.0, 0.0)


def _problem(*shape):
    from sparsecode import Huber

    return glm_problem(Huber(_DELTA), _draw, *shape)


def _skglm(problem, tol):
    from skglm.datafits import Huber
    from skglm.solvers import AndersonCD

    return skglm_runner(problem, tol, Huber(_DELTA), AndersonCD(tol=tol, fit_intercept=False, max_iter=200))


def rows(setting):
    """A dense and a CSC design at two strengths; weaker ones would interpolate, outliers included."""
    problems = (_problem(*shape, fraction) for shape in setting.size(_FULL, _SMALL) for fraction in (1.5, 3))
    yield from contest_rows(problems, {"skglm": _skglm}, setting, JOB.name)


def first_call(setting):
    """The prepared first call."""
    return first_of(_problem)


JOB = Job("huber", rows, first_call)
