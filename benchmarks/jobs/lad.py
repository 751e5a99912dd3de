"""Least absolute deviations with an l1 norm to a relative duality gap of 1e-6, against scikit-learn and cvxpy, both by HiGHS or conic.

Every answer, also a peer's, is certified by one dual point: that of our exact vertex, which proves the minimum for all.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..measure import Ask, Certificate, Contest, compare, progress
from . import Job

__all__ = ["GAP", "JOB"]

GAP = 1e-6
_FULL, _SMALL = ((1000, 100, 10), (1000, 1000, 5), (2000, 500, 5), (5000, 100, 10)), ((100, 40, 5),)


def _problem(n_samples, n_features, fraction):
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((n_features, n_samples)).T)
    y = X[:, :10] @ np.full(10, 2.0) + 0.5 * rng.standard_t(2, n_samples)
    return X, y, float(np.max(np.abs(X.T @ np.sign(y)))) / n_samples / fraction


def _ours(X, y, alpha):
    def run(_):
        from sparsecode import L1, Absolute, solve

        return solve(X, y, Absolute(), L1(alpha), tol=GAP).coef

    return run


def _highs(X, y, alpha):
    from sklearn.linear_model import QuantileRegressor

    def run(_):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # half of the loss, half of the strength
            return QuantileRegressor(quantile=0.5, alpha=alpha / 2, fit_intercept=False, solver="highs").fit(X, y).coef_

    return run


def _conic(X, y, alpha, solver):
    def run(_):
        import cvxpy as cp

        coef = cp.Variable(X.shape[1])
        cp.Problem(cp.Minimize(cp.norm1(y - X @ coef) / len(y) + alpha * cp.norm1(coef))).solve(solver=solver)
        return coef.value

    return run


def _certifier(X, y, alpha):
    """Gap of any coefficients over the objective at zero, from the bound that our vertex proves."""
    from sparsecode import L1, Absolute, solve

    best = solve(X, y, Absolute(), L1(alpha), tol=1e-9)
    at_zero = float(np.mean(np.abs(y)))
    bound = best.objective - best.certificate * at_zero

    def certify(coef):
        coef = np.asarray(coef)
        objective = float(np.mean(np.abs(y - X @ coef)) + alpha * np.sum(np.abs(coef)))
        return Certificate((objective - bound) / at_zero, objective)

    return certify


def rows(setting):
    """Four shapes; scikit-learn first, then the faster of cvxpy's solvers."""
    for n_samples, n_features, fraction in setting.size(_FULL, _SMALL):
        X, y, alpha = _problem(n_samples, n_features, fraction)
        name = f"LAD Lasso, iid {n_samples} x {n_features}, alpha_max / {fraction}"
        progress(f"  {name}")
        conic = {f"cvxpy ({solver})": _conic(X, y, alpha, solver) for solver in ("CLARABEL", "HIGHS")}
        for peers, bound in (({"scikit-learn": _highs(X, y, alpha)}, 5.0), (conic, 10.0)):
            contest = Contest(
                problem=name,
                ours=_ours(X, y, alpha),
                peers=peers,
                certify=_certifier(X, y, alpha),
                tol=GAP,
                ask=Ask(bound),
                certificate_name="relative gap",
            )
            yield compare(contest, setting, JOB.name)


def first_call(setting):
    """A small problem."""
    run = _ours(*_problem(200, 100, 5))
    return lambda: run(0)


JOB = Job("lad", rows, first_call)
