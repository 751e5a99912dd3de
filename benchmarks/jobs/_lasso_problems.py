"""The LASSO problems of the table, the gap of any answer to them, and the peers, each held to that same gap.

minimise over coef   ||y - X coef||^2 / (2 n_samples) + alpha ||coef||_1          (no intercept)
"""

from __future__ import annotations

import time
import warnings
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..measure import Certificate

__all__ = [
    "LADDER",
    "PEERS",
    "LassoProblem",
    "ar_design",
    "cheapest_tolerance",
    "iid_design",
    "lasso_problem",
    "sparse_design",
]

SEED = 0
LADDER = 10.0 ** -np.arange(3.0, 15.1, 0.5)  # tolerances tried for a peer, loose to tight


class LassoProblem(NamedTuple):
    """Design, target, penalty strength, and words for the table."""

    name: str
    X: Any
    y: np.ndarray
    alpha: float

    def certificate(self, coef) -> Certificate:
        """Relative duality gap and objective of `coef`."""
        from sparsecode.losses import Squared
        from sparsecode.penalties import L1
        from sparsecode.solvers.certificates import relative_gap
        from sparsecode.solvers.problem import make_problem

        made = relative_gap(make_problem(self.X, self.y, Squared(), L1(self.alpha)), coef)
        return Certificate(float(made.value), float(made.objective))


def iid_design(n_samples, n_features, rng):
    """Independent standard normal entries, in Fortran order."""
    return np.asfortranarray(rng.standard_normal((n_features, n_samples)).T)


def ar_design(n_samples, n_features, rng, rho=0.9):
    """Rows are stationary autoregressive sequences: columns i and j correlate by rho**|i - j|."""
    columns = rng.standard_normal((n_features, n_samples))
    for j in range(1, n_features):
        columns[j] = rho * columns[j - 1] + np.sqrt(1 - rho**2) * columns[j]
    return np.asfortranarray(columns.T)


def sparse_design(n_samples, n_features, rng, density=1e-3):
    """Normal entries in random places, CSC with int32 indices."""
    X = sp.random(n_samples, n_features, density, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    X.sort_indices()
    return X


def lasso_problem(kind, n_samples, n_features, fraction, snr=40.0, seed=SEED) -> LassoProblem:
    """A planted problem: 100 features (at most n_samples / 10) carry signal, `snr` decibels above the noise; alpha = alpha_max / fraction."""
    rng = np.random.default_rng(seed)
    X = {"iid": iid_design, "AR 0.9": ar_design, "CSC": sparse_design}[kind](n_samples, n_features, rng)
    coef = np.zeros(n_features)
    n_nonzero = min(100, n_samples // 10)
    coef[rng.choice(n_features, n_nonzero, replace=False)] = rng.choice([-1.0, 1.0], n_nonzero)
    signal = X @ coef
    noise = rng.standard_normal(n_samples)
    y = signal + noise * np.linalg.norm(signal) / np.linalg.norm(noise) / 10.0 ** (snr / 20.0)
    alpha = float(np.max(np.abs(X.T @ y)) / n_samples / fraction)
    return LassoProblem(f"LASSO {kind} {n_samples}×{n_features}, SNR {snr:g} dB, alpha = max/{fraction}", X, y, alpha)


def _scikit_learn(problem, tol):
    from sklearn.linear_model import Lasso

    model = Lasso(alpha=problem.alpha, fit_intercept=False, tol=tol, max_iter=100_000, copy_X=False)
    return lambda _: model.fit(problem.X, problem.y).coef_


def _celer(problem, tol):
    from celer import Lasso

    model = Lasso(alpha=problem.alpha, fit_intercept=False, tol=tol)
    return lambda _: model.fit(problem.X, problem.y).coef_


def _skglm(problem, tol):
    from skglm import Lasso

    model = Lasso(alpha=problem.alpha, fit_intercept=False, tol=tol)
    return lambda _: model.fit(problem.X, problem.y).coef_


def _skglm_fixpoint(problem, tol):
    from skglm import Lasso

    model = Lasso(alpha=problem.alpha, fit_intercept=False, tol=tol, ws_strategy="fixpoint")
    return lambda _: model.fit(problem.X, problem.y).coef_


PEERS = {"scikit-learn": _scikit_learn, "celer": _celer, "skglm": _skglm, "skglm (fixpoint)": _skglm_fixpoint}


def cheapest_tolerance(problem, peer, gap, patience=np.inf, ladder=LADDER):
    """The loosest tolerance of the ladder with which a peer attains the gap: ``(tol, run, seconds)``, or None.

    The peer is given up once one run takes longer than `patience` seconds.
    """
    PEERS[peer](problem, 1.0)(0)  # compiles
    for tol in ladder:
        run = PEERS[peer](problem, tol)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a tolerance below what double precision can do
            began = time.perf_counter()
            coef = run(0)
            seconds = time.perf_counter() - began
        if problem.certificate(coef).value <= gap:
            return tol, run, seconds
        if seconds > patience:
            return None
    return None
