"""Least squares under the minimax concave penalty, to the same stationarity, against skglm.

minimise over w   ||y - X w||^2 / (2 n_samples) + sum_j MCP(w_j; alpha, gamma = 3)          (no intercept)

Columns have norm sqrt(n_samples), so that every coordinate's own problem is convex. Both end in local minima: ours counts only
where its objective is not above that of the peer by more than a hundredth.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp

from ..measure import Ask, Certificate, Contest, compare, progress
from . import Job
from ._lasso_problems import lasso_problem

__all__ = ["JOB"]

_GAMMA = 3.0
_STATIONARITY = 1e-6
_LADDER = 10.0 ** -np.arange(3.0, 9.1, 0.5)
_FULL = (("iid", 1000, 10_000), ("AR 0.9", 1000, 10_000), ("CSC", 20_000, 100_000))
_SMALL = (("iid", 100, 400), ("CSC", 1000, 2000))


def _problem(kind, n_samples, n_features, fraction):
    """A LASSO problem with the columns scaled, and its largest correlation."""
    problem = lasso_problem(kind, n_samples, n_features, fraction)
    X = problem.X
    if sp.issparse(X):
        norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=0)).ravel())
        scale = np.where(norms > 0, np.sqrt(n_samples) / np.where(norms > 0, norms, 1.0), 0.0)
        X = sp.csc_matrix(X @ sp.diags(scale))
        X.sort_indices()
    else:
        X = X * (np.sqrt(n_samples) / np.linalg.norm(X, axis=0))
    top = float(np.max(np.abs(X.T @ problem.y))) / n_samples
    return problem._replace(name=problem.name.replace("LASSO", "MCP"), X=X, alpha=top / fraction), top


def _certifier(problem):
    from sparsecode import MCP, Squared
    from sparsecode.solvers.certificates import stationarity
    from sparsecode.solvers.problem import make_problem

    posed = make_problem(problem.X, problem.y, Squared(), MCP(problem.alpha, _GAMMA))

    def certify(coef):
        made = stationarity(posed, coef)
        return Certificate(float(made.value), float(made.objective))

    return certify


def _ours(problem):
    def run(_):
        from sparsecode import MCP, solve

        return solve(problem.X, problem.y, penalty=MCP(problem.alpha, _GAMMA), tol=_STATIONARITY).coef

    return run


def _skglm(problem, tol):
    from skglm import MCPRegression

    model = MCPRegression(alpha=problem.alpha, gamma=_GAMMA, fit_intercept=False, tol=tol, max_iter=200)
    return lambda _: model.fit(problem.X, problem.y).coef_


def _cheapest(problem, top, certify):
    """The loosest tolerance with which skglm is as stationary, and its run; skglm's tolerance is in the units of a correlation."""
    for tol in _LADDER:
        run = _skglm(problem, tol * top)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a tolerance below what double precision can do
            coef = run(0)
        if certify(coef).value <= _STATIONARITY:
            return tol, run
    raise RuntimeError(f"skglm does not attain a stationarity of {_STATIONARITY:g} on {problem.name}.")


def rows(setting):
    """Three designs at two strengths."""
    for kind, n_samples, n_features in setting.size(_FULL, _SMALL):
        for fraction in (10, 100):
            problem, top = _problem(kind, n_samples, n_features, fraction)
            progress(f"  {problem.name}")
            certify = _certifier(problem)
            tol, run = _cheapest(problem, top, certify)
            yield compare(
                Contest(
                    problem=problem.name,
                    ours=_ours(problem),
                    peers={"skglm": run},
                    certify=certify,
                    tol=_STATIONARITY,
                    slack=0.01,
                    ask=Ask(1.2),
                    certificate_name="relative stationarity",
                    note=f"skglm tol={tol:.1e} of the largest correlation",
                ),
                setting,
                JOB.name,
            )


JOB = Job("mcp", rows)
