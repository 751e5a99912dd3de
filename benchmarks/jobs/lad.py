"""Quantiles, the median first, with an l1 norm to a relative duality gap of 1e-6, against scikit-learn (HiGHS) and cvxpy.

Every answer, also a peer's, is certified by one dual point: that of our exact vertex, which proves the minimum for all.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from ..measure import Ask, Certificate, Contest, compare, progress
from . import Job

__all__ = ["GAP", "JOB"]

GAP = 1e-6
_CONIC = 500_000  # entries of the design up to which cvxpy answers within minutes
_SLOW = 5  # pairs where one run of a peer takes half a minute


class _Case(NamedTuple):
    """A problem: the share of alpha_max is one over `fraction`; neighbouring columns correlate by `rho`."""

    n_samples: int
    n_features: int
    fraction: float
    quantile: float = 0.5
    rho: float = 0.0
    slow: bool = False

    def __str__(self):
        kind = f"rho {self.rho}" if self.rho else "iid"
        name = "LAD Lasso" if self.quantile == 0.5 else f"quantile {self.quantile} Lasso"
        return f"{name}, {kind} {self.n_samples} x {self.n_features}, alpha_max / {self.fraction}"

    def problem(self):
        """Design, target, strength."""
        from sparsecode import Quantile, alpha_max

        rng = np.random.default_rng(0)
        columns = rng.standard_normal((self.n_features, self.n_samples))
        for j in range(1, self.n_features if self.rho else 1):
            columns[j] = self.rho * columns[j - 1] + np.sqrt(1.0 - self.rho**2) * columns[j]
        X = np.asfortranarray(columns.T)
        y = X[:, :10] @ np.full(10, 2.0) + 0.5 * rng.standard_t(2, self.n_samples)
        return X, y, alpha_max(X, y, Quantile(self.quantile)) / self.fraction


_FULL = (
    _Case(1000, 100, 10),
    _Case(1000, 1000, 5),
    _Case(2000, 500, 5),
    _Case(5000, 100, 10),
    _Case(500, 500, 20, slow=True),  # supports of hundreds from here on
    _Case(1000, 1000, 20, slow=True),
    *(_Case(2000, 500, 100, quantile, 0.9, slow=True) for quantile in (0.1, 0.9)),
)
_SMALL = (_Case(100, 40, 5), _Case(150, 150, 20), _Case(150, 60, 20, 0.9, 0.9))


def _ours(X, y, alpha, quantile):
    def run(_):
        from sparsecode import L1, Quantile, solve

        return solve(X, y, Quantile(quantile), L1(alpha), tol=GAP).coef

    return run


def _highs(X, y, alpha, quantile):
    from sklearn.linear_model import QuantileRegressor

    def run(_):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = QuantileRegressor(quantile=quantile, alpha=alpha, fit_intercept=False, solver="highs")
            return model.fit(X, y).coef_

    return run


def _conic(X, y, alpha, quantile, solver):
    def run(_):
        import cvxpy as cp

        coef = cp.Variable(X.shape[1])
        residual = y - X @ coef
        misfit = (0.5 * cp.norm1(residual) + (quantile - 0.5) * cp.sum(residual)) / len(y)
        cp.Problem(cp.Minimize(misfit + alpha * cp.norm1(coef))).solve(solver=solver)
        return coef.value

    return run


def _certifier(X, y, alpha, quantile):
    """Gap of any coefficients over the objective at zero, from the bound that our vertex proves."""
    from sparsecode import L1, Quantile, solve

    best = solve(X, y, Quantile(quantile), L1(alpha), tol=1e-9)

    def misfit(residual):
        return float(np.mean(np.maximum(quantile * residual, (quantile - 1.0) * residual)))

    at_zero = misfit(y)
    bound = best.objective - best.certificate * at_zero

    def certify(coef):
        coef = np.asarray(coef)
        objective = misfit(y - X @ coef) + alpha * float(np.sum(np.abs(coef)))
        return Certificate((objective - bound) / at_zero, objective)

    return certify


def rows(setting):
    """Small supports, then large ones; scikit-learn first, then the faster of cvxpy's solvers."""
    for case in setting.size(_FULL, _SMALL):
        progress(f"  {case}")
        posed = (*case.problem(), case.quantile)
        contests = [({"scikit-learn": _highs(*posed)}, 5.0)]
        if posed[0].size <= _CONIC:
            conic = {f"cvxpy ({solver})": _conic(*posed, solver) for solver in ("CLARABEL", "HIGHS")}
            contests.append((conic, 10.0))
        for peers, bound in contests:
            contest = Contest(
                problem=str(case),
                ours=_ours(*posed),
                peers=peers,
                certify=_certifier(*posed),
                tol=GAP,
                ask=Ask(bound),
                certificate_name="relative gap",
            )
            pairs = min(setting.pairs, _SLOW) if case.slow else setting.pairs
            yield compare(contest, setting._replace(pairs=pairs), JOB.name)


def first_call(setting):
    """A small problem."""
    case = _Case(200, 100, 5)
    run = _ours(*case.problem(), case.quantile)
    return lambda: run(0)


JOB = Job("lad", rows, first_call)
