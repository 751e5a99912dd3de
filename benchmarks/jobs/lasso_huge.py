"""The LASSO on a million samples, ten thousand features and a hundred million stored entries: time, and memory above the design.

Each contestant works in a fresh process, which makes the design, fits a small one (so that libraries and compiled code are
loaded), resets the high-water mark of its resident memory where the system allows it, and fits the large one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings

import numpy as np
import scipy.sparse as sp

from ..measure import Ask, Row, progress, row_of_ratios
from . import Job
from .memory import high_water, reset_high_water, status

__all__ = ["JOB"]

_MIB = 2**20
_GAP = 1e-6
_FRACTION = 20
_LADDER = (1e-4, 1e-5, 1e-6, 1e-7)


def huge_problem(n_samples, n_features, per_column):
    """Normal entries in sorted random rows, CSC with int32 indices, filled in place: nothing else of its size is ever alive."""
    rng = np.random.default_rng(0)
    data = np.empty(n_features * per_column)
    indices = np.empty(n_features * per_column, dtype=np.int32)
    for j in range(n_features):
        part = slice(j * per_column, (j + 1) * per_column)
        rows = rng.integers(0, n_samples // per_column, per_column) + np.arange(per_column) * (n_samples // per_column)
        indices[part], data[part] = rows, rng.standard_normal(per_column)
    indptr = np.arange(0, n_features * per_column + 1, per_column, dtype=np.int32)
    X = sp.csc_matrix((data, indices, indptr), shape=(n_samples, n_features))
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, min(100, n_features // 10), replace=False)] = 1.0
    y = X @ coef
    y += rng.standard_normal(n_samples) * np.std(y) / 10.0
    return X, y, float(np.max(np.abs(X.T @ y))) / n_samples / _FRACTION


def _fit(who, X, y, alpha, tol):
    if who == "ours":
        from sparsecode import Lasso
    else:
        from skglm import Lasso
    return Lasso(alpha=alpha, fit_intercept=False, tol=tol).fit(X, y).coef_


def _gap(X, y, alpha, coef):
    from sparsecode.losses import Squared
    from sparsecode.penalties import L1
    from sparsecode.solvers.certificates import relative_gap
    from sparsecode.solvers.problem import make_problem

    return float(relative_gap(make_problem(X, y, Squared(), L1(alpha)), coef).value)


def measure(who, n_samples, n_features, per_column):
    """In a fresh process: seconds to the gap, and the rise of resident memory above that with the design in it."""
    _fit(who, *huge_problem(1000, 100, 10), 1e-4)
    X, y, alpha = huge_problem(n_samples, n_features, per_column)
    for tol in (_GAP,) if who == "ours" else _LADDER:
        exact = reset_high_water()
        before = status("VmRSS") or high_water()
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            coef = _fit(who, X, y, alpha, tol)
        seconds = time.perf_counter() - began
        rise = high_water() - before
        gap = _gap(X, y, alpha, coef)
        if gap <= _GAP:
            break
    return {"seconds": seconds, "rise": rise, "gap": gap, "tol": tol, "exact": exact, "nnz": int(np.sum(coef != 0))}


def _in_fresh_process(who, shape):
    command = [sys.executable, "-m", __name__, who, *map(str, shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the huge fit of {who} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def rows(setting):
    """Time against skglm, and memory."""
    shape = setting.size((1_000_000, 10_000, 10_000), (2_000, 300, 20))
    n_samples, n_features, per_column = shape
    name = f"LASSO CSC {n_samples:,}×{n_features:,}, {n_features * per_column:,} entries, alpha = max/{_FRACTION}"
    progress(f"  {name}")
    made = {who: _in_fresh_process(who, shape) for who in ("ours", "skglm")}
    both = all(each["gap"] <= _GAP for each in made.values())
    row = row_of_ratios(
        [made["ours"]["seconds"]],
        [made["skglm"]["seconds"]],
        np.array([both]),
        job=JOB.name,
        problem=name,
        peer="skglm",
        ask=Ask(1.0),
    )
    row.threads, row.certificate_name, row.tol = setting.threads, "relative gap", _GAP
    row.certificate, row.peer_certificate = made["ours"]["gap"], made["skglm"]["gap"]
    row.note = f"{made['ours']['nnz']} non-zero coefficients; skglm tol={made['skglm']['tol']:.0e}"
    yield row
    ask = Ask(6.0 * 1024, at_least=False, unit="MiB")
    value = made["ours"]["rise"] / _MIB
    yield Row(
        job=JOB.name,
        problem=f"{name}: peak memory above the design",
        peer="skglm",
        value=value,
        unit="MiB",
        ask=str(ask),
        met=ask.met(value),
        threads=setting.threads,
        ours=made["ours"]["rise"],
        theirs=made["skglm"]["rise"],
        pairs=1,
        note="" if made["ours"]["exact"] else "the high-water mark could not be reset; the rise is understated",
    )


JOB = Job("lasso-huge", rows)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], *map(int, sys.argv[2:]))))
