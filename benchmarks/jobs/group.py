"""The group lasso to a relative duality gap of 1e-8, against skglm and celer, warm, without an intercept."""

from __future__ import annotations

import numpy as np

from . import Job
from ._block_problems import DESIGNS, BlockProblem, contest_rows, noisy, ours

__all__ = ["JOB"]

_SIZE = 10  # features in a group


def group_problem(kind, n_samples, n_features, fraction):
    """Ten groups (at most a tenth of them) carry signal."""
    from sparsecode import GroupL1, alpha_max

    rng = np.random.default_rng(0)
    X = DESIGNS[kind](n_samples, n_features, rng)
    n_groups = n_features // _SIZE
    coef = np.zeros((n_groups, _SIZE))
    used = rng.choice(n_groups, min(10, n_groups // 10), replace=False)
    coef[used] = rng.standard_normal((used.size, _SIZE))
    y = noisy(X @ coef.ravel(), rng)
    alpha = alpha_max(X, y, penalty=GroupL1(1.0, _SIZE)) / fraction
    name = f"group lasso {kind} {n_samples}×{n_features}, groups of {_SIZE}, alpha = max/{fraction}"
    return BlockProblem(name, X, y, GroupL1(alpha, _SIZE))


def _skglm(problem, tol):
    from skglm import GroupLasso

    weights = np.full(problem.X.shape[1] // _SIZE, np.sqrt(_SIZE))
    model = GroupLasso(_SIZE, problem.penalty.alpha, weights=weights, fit_intercept=False, tol=tol, max_iter=1000)
    return lambda _: model.fit(problem.X, problem.y).coef_.copy()


def _celer(problem, tol):
    from celer import GroupLasso

    weights = np.full(problem.X.shape[1] // _SIZE, np.sqrt(_SIZE))
    model = GroupLasso(_SIZE, problem.penalty.alpha, weights=weights, fit_intercept=False, tol=tol)
    return lambda _: model.fit(problem.X, problem.y).coef_.copy()


def rows(setting):
    """Two designs at two strengths."""
    shape = setting.size((1000, 10_000), (100, 400))
    problems = (group_problem(kind, *shape, fraction) for kind in DESIGNS for fraction in (10, 100))
    yield from contest_rows(problems, {"skglm": _skglm, "celer": _celer}, setting, JOB.name)


def first_call(setting):
    """A problem large enough for the compiled kernel."""
    run = ours(group_problem("iid", 200, 1000, 10))
    return lambda: run(0)


JOB = Job("group", rows, first_call)
