"""How often each algorithm recovers, over undersampling and sparsity: ``python benchmarks/recovery_rates.py``.

Two files come out of it, which the gallery draws and the tests hold the solvers against:

* the plane: delta = n_samples / n_features and rho = n_nonzero / n_samples on a grid, 400 features;
* the cells of a published-style table, with 50 trials each.

Every trial can be repeated on its own; see `sparsecode.metrics.phase_transition`. The rates do not depend on the machine
beyond rounding; the seconds do.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script
    sys.path.insert(0, str(ROOT))

OUTPUT = ROOT / "gallery" / "recovery_rates.json"
SEED = 20240
COEFS = ("gaussian", "sign")
DELTAS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
RHOS = (0.05, 0.12, 0.19, 0.26, 0.33, 0.4, 0.47, 0.54, 0.61, 0.68)
CELLS = tuple(
    (delta, rho) for delta, last in ((0.25, 4), (0.5, 5)) for rho in np.round(0.1 * np.arange(1, last + 1), 1)
)


def algorithms():
    """Name to ``solve(design, target, n_nonzero)``; each is given the true sparsity, if it takes one."""
    from scipy.optimize import linprog

    from sparsecode import cosamp, gomp, htp, iht, null_space_tuning, omp, stomp, subspace_pursuit

    def basis_pursuit(design, target, n_nonzero):
        """The vector of least l1 norm that fits exactly, as the difference of two non-negative ones."""
        A, cost = np.hstack([design, -design]), np.ones(2 * design.shape[1])
        answer = linprog(cost, A_eq=A, b_eq=target, bounds=(0, None), method="highs-ds").x
        return answer[: design.shape[1]] - answer[design.shape[1] :]

    return {
        "OMP": lambda A, y, k: omp(A, y, n_nonzero=k),
        "OLS": lambda A, y, k: omp(A, y, n_nonzero=k, selection="ols"),
        "gOMP": lambda A, y, k: gomp(A, y, k),
        "StOMP": lambda A, y, k: stomp(A, y),
        "CoSaMP": lambda A, y, k: cosamp(A, y, k, max_iter=100),
        "SP": lambda A, y, k: subspace_pursuit(A, y, k, max_iter=100),
        "IHT": lambda A, y, k: iht(A, y, k, step="fixed", max_iter=500),
        "NIHT": lambda A, y, k: iht(A, y, k, max_iter=500),
        "HTP": lambda A, y, k: htp(A, y, k, max_iter=100),
        "fast HTP": lambda A, y, k: htp(A, y, k, n_gradient_steps=3, max_iter=200),
        "NST+HT+FB": lambda A, y, k: null_space_tuning(A, y, k, max_iter=200),
        "NST, adaptive": lambda A, y, k: null_space_tuning(A, y, max_iter=200),
        "basis pursuit": basis_pursuit,
    }


def rates(solve, cells, coef, n_trials, n_jobs):
    """Success rates of the cells (delta, rho), and the mean seconds of a solve."""
    from sparsecode.metrics import phase_transition

    warnings.filterwarnings("ignore", message="n_nonzero=", category=RuntimeWarning)  # cells beyond what can work
    found, began = [], time.perf_counter()
    for delta in dict.fromkeys(delta for delta, _ in cells):
        rhos = [rho for each, rho in cells if each == delta]
        result = phase_transition(
            solve,
            deltas=[delta],
            rhos=rhos,
            n_features=400,
            n_trials=n_trials,
            coef=coef,
            random_state=SEED,
            n_jobs=n_jobs,
        )
        found += result.success_rates[0].tolist()
    return found, (time.perf_counter() - began) * (n_jobs or 1) / (len(cells) * n_trials)


def main(argv=None) -> int:
    """Measure, and write the file of the gallery."""
    parser = argparse.ArgumentParser(prog="benchmarks/recovery_rates.py", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=None, help="comma-separated names; the others keep the rates they have")
    parser.add_argument("--jobs", type=int, default=None, help="threads")
    parser.add_argument("--trials", type=int, default=20, help="trials in a cell of the plane")
    parser.add_argument("--table-trials", type=int, default=50, help="trials in a cell of the table")
    arguments = parser.parse_args(argv)
    known = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {"plane": {}, "table": {}}
    chosen = algorithms()
    if arguments.only is not None:
        chosen = {name: chosen[name] for name in arguments.only.split(",")}
    plane = [(delta, rho) for delta in DELTAS for rho in RHOS]
    for name, solve in chosen.items():
        for coef in COEFS:
            table, seconds = rates(solve, CELLS, coef, arguments.table_trials, arguments.jobs)
            known["table"].setdefault(name, {})[coef] = {"rates": table, "milliseconds": round(1e3 * seconds, 2)}
            found, _ = rates(solve, plane, coef, arguments.trials, arguments.jobs)
            known["plane"].setdefault(name, {})[coef] = np.reshape(found, (len(DELTAS), len(RHOS))).tolist()
            print(f"{name}, {coef}: {table}", file=sys.stderr, flush=True)
        known |= {"deltas": DELTAS, "rhos": RHOS, "cells": CELLS, "trials": arguments.trials, "seed": SEED}
        known["table_trials"] = arguments.table_trials
        OUTPUT.write_text(json.dumps(known) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
