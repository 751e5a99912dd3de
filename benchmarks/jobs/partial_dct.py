"""Hard thresholding pursuit from a quarter of the samples of a sparse cosine series, matrix-free: seconds, and peak memory.

Memory is that of NumPy arrays while the solver runs, in vectors of the length of the coefficients; the problem itself (operator,
target, truth) is made before.
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np

from ..measure import Ask, Row
from . import Job

__all__ = ["JOB"]

_REACHED = 1e-6


def _problem(setting, seed=0):
    from sparsecode.designs.transforms import dct_operator

    n_features, n_nonzero = setting.size((2**20, 5000), (2**12, 40))
    rng = np.random.default_rng(seed)
    operator = dct_operator(n_features, np.sort(rng.choice(n_features, n_features // 4, replace=False)))
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, n_nonzero, replace=False)] = rng.standard_normal(n_nonzero)
    return operator, operator @ coef, coef, n_nonzero


def _row(name, setting, coef, value, ask, error, note):
    return Row(
        job=JOB.name,
        problem=f"{name}, partial DCT, n = {coef.size:,}, m = n/4, s = {np.count_nonzero(coef):,}, to relative error 1e-6",
        peer="none",
        value=value,
        unit=ask.unit,
        ask=str(ask),
        met=bool(ask.met(value) and error <= _REACHED),
        threads=setting.threads,
        pairs=1,
        certificate=error,
        certificate_name="relative error",
        tol=_REACHED,
        note=note,
    )


def rows(setting):
    from sparsecode import htp

    operator, y, coef, n_nonzero = _problem(setting)
    solvers = {
        "HTP": lambda: htp(operator, y, n_nonzero),
        "fast HTP": lambda: htp(operator, y, n_nonzero, n_gradient_steps=3),
    }
    for name, solve in solvers.items():
        solve()
        seconds = []
        for _ in range(1 if setting.smoke else 3):
            began = time.perf_counter()
            answer = solve().coef
            seconds.append(time.perf_counter() - began)
        error = float(np.linalg.norm(answer - coef) / np.linalg.norm(coef))
        tracemalloc.start()
        solve()
        peak = tracemalloc.get_traced_memory()[1] / coef.nbytes
        tracemalloc.stop()
        median = float(np.median(seconds))
        yield _row(name, setting, coef, median, Ask(60.0, at_least=False, unit="s"), error, "median of three runs")
        ask = Ask(40.0, at_least=False, unit="vectors")
        yield _row(name, setting, coef, peak, ask, error, "peak of traced NumPy memory, in vectors of length n")


JOB = Job("partial-dct", rows)
