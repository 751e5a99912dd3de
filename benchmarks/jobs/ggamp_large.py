"""Sparse Bayesian learning by message passing where exact learning is out of reach: how often it succeeds, how fast, in what memory.

A success is an error within 3 dB of least squares on the true support, which no method knows. Memory is measured on the first trial, in
a fresh process: what the resident memory rises to beyond that before the solve, and the design itself, in designs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np

from ..measure import Ask, Row, progress
from . import Job
from .memory import high_water, reset_high_water, status

__all__ = ["JOB"]

_SIZES = ((6000, 10_000, 1000), (150, 250, 20))
_TRIALS = (20, 2)
_NEAR = 3.0  # decibels
_SUCCESS = Ask(95.0, unit="%")
_SECONDS = Ask(20.0, at_least=False, unit="s")
_MEMORY = Ask(2.0, at_least=False, unit="designs")


def _problem(n_samples, n_features, n_nonzero, seed):
    from sparsecode.datasets import make_sparse_recovery

    return make_sparse_recovery(n_samples, n_features, n_nonzero, snr_db=40, random_state=seed)


def _learned(problem):
    from sparsecode import sbl

    return sbl(problem.design, problem.target, method="gamp").coef


def _is_near(problem, coef):
    from sparsecode.metrics import nmse

    oracle = np.zeros_like(coef)
    columns = problem.design[:, problem.support]
    oracle[problem.support] = np.linalg.solve(columns.T @ columns, columns.T @ problem.target)
    return nmse(problem.coef, coef, db=True) <= nmse(problem.coef, oracle, db=True) + _NEAR


def measure(*size):
    """In a fresh process: the memory of a solve, in designs."""
    _learned(_problem(*_SIZES[1], 0))  # loads what the solve needs
    problem = _problem(*size, 0)
    exact = reset_high_water()
    before = status("VmRSS") or high_water()
    _learned(problem)
    rise = high_water() - before
    return {"designs": 1.0 + rise / problem.design.nbytes, "exact": exact}


def _in_fresh_process(size):
    command = [sys.executable, "-m", __name__, *map(str, size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring the memory failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def rows(setting):
    """Successes, seconds and memory."""
    size, n_trials = setting.size(*_SIZES), setting.trials or setting.size(*_TRIALS)
    found, seconds = [], []
    for trial in range(n_trials):
        problem = _problem(*size, trial)
        began = time.perf_counter()
        coef = _learned(problem)
        seconds.append(time.perf_counter() - began)
        found.append(_is_near(problem, coef))
        progress(f"ggamp-large: {trial + 1} of {n_trials}, {seconds[-1]:.1f} s, {sum(found)} successes")
    made = _in_fresh_process(size)
    text = f'"gamp", noise learned, {size[0]}×{size[1]}, {size[2]} non-zeros, 40 dB'
    for what, value, ask, note in (
        ("success", 100.0 * float(np.mean(found)), _SUCCESS, f"{_NEAR:g} dB from least squares on the true support"),
        ("seconds", float(np.median(seconds)), _SECONDS, f"the slowest {max(seconds):.1f} s"),
        ("memory", made["designs"], _MEMORY, "the design itself is one" + ("" if made["exact"] else "; understated")),
    ):
        line = {"unit": ask.unit, "ask": str(ask), "met": ask.met(value), "pairs": n_trials, "note": note}
        yield Row(JOB.name, f"{what} of {text}", "", value, threads=setting.threads, **line)


JOB = Job("ggamp-large", rows)


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:]))))
