"""The square-root Lasso to a relative duality gap of 1e-6, against cvxpy's conic solver and skglm's experimental solver."""

from __future__ import annotations

import time
import warnings

import numpy as np

from ..measure import Ask, Certificate, Contest, compare, progress
from . import Job

__all__ = ["GAP", "JOB"]

GAP = 1e-6
_LADDER = 10.0 ** -np.arange(3.0, 13.1)
_FULL, _SMALL = ((500, 1000), (1000, 5000)), ((60, 100),)
_CONIC = 1_000_000  # entries of the design up to which the conic program is posed


def certifier(X, y, alpha):
    """Gap of any coefficients over the objective at zero, from the bound that our answer proves: its dual point suits all."""
    from sparsecode import L1, SquareRoot, solve

    best, at_zero = solve(X, y, SquareRoot(), L1(alpha), tol=1e-8), np.linalg.norm(y) / np.sqrt(len(y))
    bound = best.objective - best.certificate * at_zero

    def certify(coef):
        coef = np.asarray(coef)
        objective = np.linalg.norm(y - X @ coef) / np.sqrt(len(y)) + alpha * np.sum(np.abs(coef))
        return Certificate(float(objective - bound) / at_zero, float(objective))

    return certify


def _problem(n_samples, n_features, fraction):
    from sparsecode import SquareRoot, alpha_max

    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((n_features, n_samples)).T)
    y = X[:, :10] @ np.full(10, 2.0) + 2.0 * rng.standard_normal(n_samples)
    return X, y, alpha_max(X, y, SquareRoot()) / fraction


def _ours(X, y, alpha):
    def run(_):
        from sparsecode import L1, SquareRoot, solve

        return solve(X, y, SquareRoot(), L1(alpha), tol=GAP).coef

    return run


def _skglm(X, y, alpha, tol):
    from skglm.experimental.sqrt_lasso import SqrtLasso

    strength = alpha * np.sqrt(len(y))  # its loss is the norm itself

    def run(_):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return SqrtLasso(alpha=strength, tol=tol, max_iter=1000, fit_intercept=False).fit(X, y).coef_.ravel()

    return run


def _conic(X, y, alpha):
    def run(_):
        import cvxpy as cp

        coef = cp.Variable(X.shape[1])
        objective = cp.norm(y - X @ coef) / np.sqrt(len(y)) + alpha * cp.norm1(coef)
        cp.Problem(cp.Minimize(objective)).solve(solver="CLARABEL")
        return coef.value

    return run


def loosest(make, certify, patience=20.0):
    """The run with the loosest tolerance that attains the gap; None if none does in time."""
    began = time.perf_counter()
    for tol in _LADDER:
        run = make(tol)
        if certify(run(0)).value <= GAP:
            return run
        if time.perf_counter() - began > patience:
            break
    return None


def rows(setting):
    """Two sizes at two strengths."""
    for shape in setting.size(_FULL, _SMALL):
        for fraction in (2, 5):
            X, y, alpha = _problem(*shape, fraction)
            certify, name = (
                certifier(X, y, alpha),
                f"square-root Lasso, iid {shape[0]} x {shape[1]}, alpha_max / {fraction}",
            )
            progress(f"  {name}")
            found = loosest(lambda tol, X=X, y=y, alpha=alpha: _skglm(X, y, alpha, tol), certify)
            contests = [("skglm", found, 1.5)]
            if X.size <= _CONIC:
                contests.append(("cvxpy (CLARABEL)", _conic(X, y, alpha), 10.0))
            for peer, run, bound in contests:
                if run is None:
                    progress(f"  {peer} missed the gap")
                    continue
                contest = Contest(
                    problem=name,
                    ours=_ours(X, y, alpha),
                    peers={peer: run},
                    certify=certify,
                    tol=GAP,
                    ask=Ask(bound),
                    certificate_name="relative gap",
                )
                yield compare(contest, setting, JOB.name)


def first_call(setting):
    """A small problem."""
    X, y, alpha = _problem(200, 400, 5)
    run = _ours(X, y, alpha)
    return lambda: run(0)


JOB = Job("square-root", rows, first_call)
