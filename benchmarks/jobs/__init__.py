"""One job a file. A job module has a `JOB`: its name, what it asks, its rows, and the call whose compilation is timed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..measure import Row, Setting

__all__ = ["NAMES", "TITLES", "Job", "load"]

_REGISTRY = {  # name: module, and what it measures in words
    "omp": ("omp", "OMP codes of image patches"),
    "omp-one": ("omp_one", "OMP of one signal"),
    "ols": ("ols", "OLS codes of image patches"),
    "ols-wide": ("ols_wide", "OLS, 1,024 atoms"),
    "thresholding": ("thresholding", "hard thresholding pursuits"),
    "partial-dct": ("partial_dct", "hard thresholding, a million unknowns, partial DCT"),
    "phase-retrieval": ("phase_retrieval", "sparse phase retrieval"),
    "lasso": ("lasso", "LASSO"),
    "lasso-path": ("lasso_path", "LASSO paths"),
    "lasso-huge": ("lasso_huge", "LASSO, a million samples"),
    "mcp": ("mcp", "MCP"),
    "logistic": ("logistic", "l1 logistic regression"),
    "poisson": ("poisson", "l1 Poisson regression"),
    "huber": ("huber", "Huber LASSO"),
    "group": ("group", "group LASSO"),
    "multitask": ("multitask", "multi-task LASSO"),
    "lasso-cv": ("lasso_cv", "LassoCV"),
    "square-root": ("square_root", "square-root LASSO"),
    "lad": ("lad", "LAD and quantile LASSO"),
    "sbl": ("sbl", "sparse Bayesian learning"),
    "ggamp-large": ("ggamp_large", "sparse Bayesian learning by GGAMP, N = 10,000"),
    "gamp": ("gamp", "message passing"),
    "kronecker": ("kronecker", "Kronecker SBL"),
    "dictionary": ("dictionary", "online dictionary learning"),
    "convolutional": ("convolutional", "convolutional codes"),
    "complete-dictionary": ("complete_dictionary", "complete dictionaries by lp norms"),
    "ksvd": ("ksvd", "K-SVD"),
    "autoencoder": ("autoencoder", "sparse autoencoder, training"),
    "unrolled": ("unrolled", "unrolled layers, training"),
    "transport": ("transport", "entropic transport"),
    "transport-newton": ("transport_newton", "sparse Newton transport"),
    "elastic-cost": ("elastic_cost", "elastic transport cost, 34,000 dimensions"),
    "iteration": ("iteration", "one iteration over its products"),
    "memory": ("memory", "memory of codes"),
    "imports": ("imports", "imports"),
    "first-fits": ("first_fits", "first fits in a second process, the LASSO family"),
}
NAMES = tuple(_REGISTRY)
TITLES = {name: title for name, (_, title) in _REGISTRY.items()}


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
    if name not in _REGISTRY:
        raise ValueError(f"there is no job {name!r}; the jobs are {', '.join(NAMES)}.")
    return importlib.import_module(f".{_REGISTRY[name][0]}", __name__).JOB
