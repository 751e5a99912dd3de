"""One job a file. A job module has a `JOB`: its name, what it asks, its rows, and the call whose compilation is timed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..measure import Row, Setting

__all__ = ["NAMES", "Job", "load"]

_MODULES = {
    "omp": "omp",
    "omp-one": "omp_one",
    "ols": "ols",
    "ols-wide": "ols_wide",
    "thresholding": "thresholding",
    "partial-dct": "partial_dct",
    "phase-retrieval": "phase_retrieval",
    "lasso": "lasso",
    "lasso-path": "lasso_path",
    "lasso-huge": "lasso_huge",
    "mcp": "mcp",
    "logistic": "logistic",
    "poisson": "poisson",
    "huber": "huber",
    "group": "group",
    "multitask": "multitask",
    "lasso-cv": "lasso_cv",
    "square-root": "square_root",
    "lad": "lad",
    "sbl": "sbl",
    "ggamp-large": "ggamp_large",
    "gamp": "gamp",
    "kronecker": "kronecker",
    "dictionary": "dictionary",
    "convolutional": "convolutional",
    "complete-dictionary": "complete_dictionary",
    "ksvd": "ksvd",
    "autoencoder": "autoencoder",
    "unrolled": "unrolled",
    "transport": "transport",
    "transport-newton": "transport_newton",
    "elastic-cost": "elastic_cost",
    "iteration": "iteration",
    "memory": "memory",
    "imports": "imports",
}
NAMES = tuple(_MODULES)


class Job(NamedTuple):
    """What the runner knows of a job.

    `rows` yields the figures of the table. `first_call`, if any, returns the prepared call whose first run in a fresh
    process is timed. `threaded` says whether the thread count matters.
    """

    name: str
    rows: Callable[[Setting], Iterable[Row]]
    first_call: Callable[[Setting], Callable[[], object]] | None = None
    threaded: bool = True


def load(name) -> Job:
    """The job of that name; only its own imports are paid for."""
    if name not in _MODULES:
        raise ValueError(f"there is no job {name!r}; the jobs are {', '.join(NAMES)}.")
    return importlib.import_module(f".{_MODULES[name]}", __name__).JOB
