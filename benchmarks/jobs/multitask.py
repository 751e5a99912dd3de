"""The row lasso of twenty targets to a relative duality gap of 1e-8, against skglm and scikit-learn, warm, without an intercept.

celer's `MultiTaskLasso` does not run with current scikit-learn.
"""

from __future__ import annotations

import numpy as np

from . import Job
from ._block_problems import DESIGNS, BlockProblem, contest_rows, noisy, ours

__all__ = ["JOB"]


def multitask_problem(kind, n_samples, n_features, n_targets, fraction):
    """Fifty rows (at most a tenth of the samples) carry signal."""
    from sparsecode import RowL2, alpha_max

    rng = np.random.default_rng(0)
    X = DESIGNS[kind](n_samples, n_features, rng)
    coef = np.zeros((n_features, n_targets))
    used = rng.choice(n_features, min(50, n_samples // 10), replace=False)
    coef[used] = rng.standard_normal((used.size, n_targets))
    Y = np.asfortranarray(noisy(X @ coef, rng))
    alpha = alpha_max(X, Y, penalty=RowL2(1.0)) / fraction
    name = f"multi-task lasso {kind} {n_samples}×{n_features}×{n_targets}, alpha = max/{fraction}"
    return BlockProblem(name, X, Y, RowL2(alpha))


def _skglm(problem, tol):
    from skglm import MultiTaskLasso

    model = MultiTaskLasso(problem.penalty.alpha, fit_intercept=False, tol=tol)
    return lambda _: model.fit(problem.X, problem.y).coef_.T.copy()


def _scikit_learn(problem, tol):
    from sklearn.linear_model import MultiTaskLasso

    model = MultiTaskLasso(problem.penalty.alpha, fit_intercept=False, tol=tol, max_iter=100_000)
    return lambda _: model.fit(problem.X, problem.y).coef_.T.copy()


def rows(setting):
    """Two designs at two strengths."""
    shape = setting.size((1000, 5000, 20), (100, 400, 5))
    problems = (multitask_problem(kind, *shape, fraction) for kind in DESIGNS for fraction in (10, 100))
    yield from contest_rows(problems, {"skglm": _skglm, "scikit-learn": _scikit_learn}, setting, JOB.name)


def first_call(setting):
    """A problem large enough for the compiled kernel."""
    run = ours(multitask_problem("iid", 200, 1000, 5, 10))
    return lambda: run(0)


JOB = Job("multitask", rows, first_call)
