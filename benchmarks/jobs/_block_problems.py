"""Problems whose coefficients are zero in blocks, the gap of any answer to them, and how peers are held to that same gap.

minimise over W   ||Y - X W||^2 / (2 n_samples) + alpha sum_b weights_b ||W_b||          (no intercept)
"""

from __future__ import annotations

import time
import warnings
from typing import Any, NamedTuple

import numpy as np

from ..measure import Ask, Certificate, Contest, compare, progress
from ._lasso_problems import LADDER, ar_design, iid_design

__all__ = ["DESIGNS", "GAP", "BlockProblem", "contest_rows", "noisy", "ours"]

GAP = 1e-8
_PATIENCE = 10.0  # seconds; beyond it, a peer that has not attained the gap is given up
DESIGNS = {"iid": iid_design, "AR 0.9": ar_design}


class BlockProblem(NamedTuple):
    """Design, targets, penalty, and words for the table."""

    name: str
    X: Any
    y: np.ndarray
    penalty: Any

    def certificate(self, coef) -> Certificate:
        """Relative duality gap and objective of `coef`."""
        from sparsecode import Squared
        from sparsecode.solvers.certificates import relative_gap
        from sparsecode.solvers.problem import make_problem

        made = relative_gap(make_problem(self.X, self.y, Squared(), self.penalty), coef)
        return Certificate(float(made.value), float(made.objective))


def noisy(signal, rng, snr=40.0):
    """The signal, `snr` decibels above white noise."""
    noise = rng.standard_normal(signal.shape)
    return signal + noise * np.linalg.norm(signal) / np.linalg.norm(noise) / 10.0 ** (snr / 20.0)


def ours(problem):
    """Our solver, as a user would call it."""

    def run(_):
        from sparsecode import solve

        return solve(problem.X, problem.y, penalty=problem.penalty, tol=GAP).coef

    return run


def contest_rows(problems, peers, setting, job):
    """One row a problem, against the fastest peer; each peer at the loosest tolerance with which it attains the gap."""
    for problem in problems:
        progress(f"  {problem.name}")
        found = {name: _cheapest(problem, make) for name, make in peers.items()}
        missed = "".join(f"; {name} missed the gap" for name, tuned in found.items() if tuned is None)
        found = {name: tuned for name, tuned in found.items() if tuned is not None}
        if not found:
            raise RuntimeError(f"no peer attains a relative gap of {GAP:g} on {problem.name}.")
        contest = Contest(
            problem=problem.name,
            ours=ours(problem),
            peers={name: run for name, (_, run) in found.items()},
            certify=problem.certificate,
            tol=GAP,
            ask=Ask(1.2),
            certificate_name="relative gap",
            note=", ".join(f"{name} tol={tol:.1e}" for name, (tol, _) in found.items()) + missed,
        )
        yield compare(contest, setting, job)


def _cheapest(problem, make):
    """The loosest tolerance of the ladder with which a peer attains the gap, and its run; None if it does not."""
    make(problem, 1.0)(0)  # compiles
    for tol in LADDER:
        run = make(problem, tol)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a tolerance below what double precision can do
            began = time.perf_counter()
            coef = run(0)
            seconds = time.perf_counter() - began
        if problem.certificate(coef).value <= GAP:
            return tol, run
        if seconds > _PATIENCE:
            return None
    return None
