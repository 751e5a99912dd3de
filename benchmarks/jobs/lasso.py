"""The LASSO to a relative duality gap of 1e-8, against the fastest of scikit-learn, celer and skglm on each problem.

Each peer runs with the loosest tolerance of its own with which it attains the gap as we recompute it, warm (compiled,
arrays in the order it wants), without an intercept. Those far behind the fastest are left out of the timed rounds.
"""

from __future__ import annotations

import numpy as np

from ..measure import NOTHING, Ask, Contest, Row, compare, progress
from . import Job
from ._lasso_problems import PEERS, cheapest_tolerance, lasso_problem

__all__ = ["GAP", "JOB", "ours"]

GAP = 1e-8
_FAR_BEHIND = 2.0
_PATIENCE = 5.0  # seconds; beyond it, a peer that has not attained the gap is given up

_FULL = (("iid", 1000, 10_000), ("AR 0.9", 1000, 10_000), ("AR 0.9", 2000, 500), ("CSC", 20_000, 100_000))
_SMALL = (("iid", 100, 400), ("AR 0.9", 100, 400), ("AR 0.9", 200, 50), ("CSC", 1000, 2000))


def ours(problem, gap=GAP):
    """Our estimator, as a user would call it."""

    def run(_):
        from sparsecode import Lasso

        return Lasso(alpha=problem.alpha, fit_intercept=False, tol=gap).fit(problem.X, problem.y).coef_

    return run


def _contest(problem, ask):
    found = {peer: cheapest_tolerance(problem, peer, GAP, _PATIENCE) for peer in PEERS}
    missed = [peer for peer, tuned in found.items() if tuned is None]
    found = {peer: tuned for peer, tuned in found.items() if tuned is not None}
    if not found:
        raise RuntimeError(f"no peer attains a relative gap of {GAP:g} on {problem.name}.")
    seconds = {peer: _best_of_two(run) for peer, (_, run, _) in found.items()}
    limit = _FAR_BEHIND * min(seconds.values())
    tolerances = ", ".join(f"{peer} tol={tol:.1e}" for peer, (tol, _, _) in found.items())
    slower = "".join(f"; {peer} left out at {seconds[peer]:.3f} s" for peer in found if seconds[peer] > limit)
    absent = "".join(f"; {peer} missed the gap" for peer in missed)
    return Contest(
        problem=problem.name,
        ours=ours(problem),
        peers={peer: run for peer, (_, run, _) in found.items() if seconds[peer] <= limit},
        certify=problem.certificate,
        tol=GAP,
        ask=ask,
        certificate_name="relative gap",
        note=tolerances + slower + absent,
    )


def _best_of_two(run):
    import time

    marks = [time.perf_counter()]
    for _ in range(2):
        run(0)
        marks.append(time.perf_counter())
    return float(np.min(np.diff(marks)))


def rows(setting):
    """Four designs at two strengths that are asked for and their geometric mean; then the same under much noise, where supports are large."""
    noisy = setting._replace(pairs=max(2, setting.pairs // 5))
    levels = ((40.0, Ask(1.2), setting), (10.0, NOTHING, noisy))
    for snr, ask, how in levels[: setting.size(2, 1)]:
        made = []
        for kind, n_samples, n_features in setting.size(_FULL, _SMALL):
            for fraction in (10, 100):
                problem = lasso_problem(kind, n_samples, n_features, fraction, snr)
                progress(f"  {problem.name}")
                made.append(compare(_contest(problem, ask), how, JOB.name))
                yield made[-1]
        yield geometric_mean(
            made, f"LASSO, geometric mean of the eight, SNR {snr:g} dB", Ask(2.0) if ask.bound else NOTHING
        )


def geometric_mean(made, problem, ask):
    """One row for many: the geometric mean of the medians, and of the quartiles; none if a figure is missing."""
    row = Row(JOB.name, problem, "the fastest of each", None, ask=str(ask), threads=made[0].threads)
    row.pairs, row.rejected = min(each.pairs for each in made), sum(each.rejected for each in made)
    if any(each.value is None for each in made):
        row.met = None if ask.bound is None else False
        return row
    for part in ("low", "value", "high"):
        setattr(row, part, float(np.exp(np.mean([np.log(getattr(each, part)) for each in made]))))
    row.met = ask.met(row.value)
    return row


def first_call(setting):
    """A dense and a CSC problem, so that the compilation for both is timed."""
    dense, sparse = lasso_problem("iid", 200, 1000, 10), lasso_problem("CSC", 1000, 2000, 10)
    runs = [ours(dense), ours(sparse)]
    return lambda: [run(0) for run in runs]


JOB = Job("lasso", rows, first_call)
