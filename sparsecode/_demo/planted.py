"""A planted sparse vector, recovered by a greedy, a thresholding, a proximal and a coordinate method."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import L1, fista, iht, lasso, omp
from ..datasets import make_sparse_recovery
from ..metrics import nmse
from .rows import Row, timed_twice

__all__ = ["PlantedVector", "recover", "solvers"]

_SHAPE = (400, 1600)
_N_NONZERO = 30
_SNR_DB = 30.0
_ALPHA = 0.1  # of the strength at which everything is zero: large enough to keep the noise out of the support
_REPEATS = 5


class PlantedVector(NamedTuple):
    """What the picture shows, and a row for each method."""

    problem: object
    result: object
    rows: list


def solvers(problem):
    """Name and call of each method; the two l1 methods solve one and the same problem."""
    design, target = problem.design, problem.target
    alpha = _ALPHA * float(np.abs(design.T @ target).max()) / target.size
    return {
        "OMP": lambda: omp(design, target, n_nonzero=_N_NONZERO),
        "IHT": lambda: iht(design, target, n_nonzero=_N_NONZERO, tol=1e-8),
        "FISTA, l1": lambda: fista(design, target, penalty=L1(alpha), tol=1e-8),
        "Lasso": lambda: lasso(design, target, alpha, tol=1e-8),
    }


def recover(progress) -> PlantedVector:
    """Solve the planted problem by every method."""
    problem = make_sparse_recovery(*_SHAPE, _N_NONZERO, coef="sign", snr_db=_SNR_DB, random_state=0)
    rows, results = [], {}
    for name, solve in solvers(problem).items():
        progress.begin(f"planted vector: {name}")
        result, first, later = timed_twice(solve, _REPEATS)
        results[name] = result
        hits = np.isin(result.support, problem.support).sum()
        rows.append(
            Row(
                task="planted",
                method=name,
                certificate=result.certificate_name,
                value=result.certificate,
                bound=result.tol,
                first=first,
                later=later,
                support=f"{hits}/{_N_NONZERO} +{result.support.size - hits}",
                error=nmse(problem.coef, result.coef) ** 0.5,
            )
        )
    return PlantedVector(problem, results["OMP"], rows)
