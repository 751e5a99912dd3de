"""The fits of ProbabilisticSparseCoding: where they start, from its parameters and the data, and which of them is the best."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..result import Status
from ..solvers.probabilistic.em import Annealing, CausesResult, fit_causes, mean_square
from ..solvers.probabilistic.inference import local_statistics
from ..solvers.probabilistic.start import TEMPERATURES, initial_causes
from ..solvers.probabilistic.states import Truncation
from ._transform import as_dictionary

__all__ = ["best_fit"]

_OWN = (
    ("values", "discrete", None),
    ("learn_values", "discrete", False),
    ("slab_covariance", "spike_slab", "diagonal"),
)


def best_fit(estimator, X) -> CausesResult:
    """The fit, of those from several starts, under which all rows of X are likeliest: each leaves other rows out of what it learns from."""
    random = check_random_state(estimator.random_state)
    temperature = TEMPERATURES[estimator.model] if estimator.temperature is None else estimator.temperature
    truncation = Truncation(estimator.n_candidates, estimator.max_active)
    n_starts = estimator.n_init if estimator.dict_init is None else 1
    best: Any = None
    most = -np.inf
    for start in range(n_starts):
        result = fit_causes(
            X,
            _first_causes(estimator, X, random),
            truncation=truncation,
            annealing=Annealing(estimator.n_annealing, temperature, estimator.parameter_noise, estimator.cut_data),
            max_iter=estimator.max_iter,
            tol=estimator.tol or 0.0,
            random_state=random,
            callback=estimator.callback,
            n_jobs=estimator.n_jobs,
        )
        stopped = result.status is Status.INTERRUPTED
        if start == 0 and (stopped or n_starts == 1):
            return result
        evidence = local_statistics(X, result.model, truncation, n_jobs=estimator.n_jobs).log_evidence
        if best is None or evidence > most:
            best, most = result, evidence
        if stopped:
            break
    return best


def _first_causes(estimator, X, random):
    """Where a fit starts, or an error that names what is wrong."""
    for name, model, default in _OWN:
        given = getattr(estimator, name)
        if estimator.model != model and (given is not None if default is None else given != default):
            raise ValueError(f"{name} has no meaning for model={estimator.model!r}; leave it at its default.")
    for name, unset in (("temperature", None), ("parameter_noise", 0.0)):
        if estimator.n_annealing == 0 and getattr(estimator, name) != unset:
            raise ValueError(f"{name} has no meaning for n_annealing=0; leave it at its default.")
    components = None if estimator.dict_init is None else _checked_init(estimator, X.shape[1])
    if components is not None:
        n_components = components.shape[0]
    else:
        n_components = X.shape[1] if estimator.n_components is None else estimator.n_components
    return initial_causes(
        X,
        estimator.model,
        n_components,
        random,
        mean_square=mean_square(X),
        values=_checked_values(estimator.values),
        learn_values=estimator.learn_values,
        full=estimator.slab_covariance == "full",
        components=components,
    )


def _checked_values(given):
    """Values of an active cause."""
    if given is None:
        return np.array([1.0, 2.0])
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    apart = np.unique(np.append(values, 0.0)).size == values.size + 1
    if values.ndim != 1 or values.size == 0 or not np.all(np.isfinite(values)) or not apart:
        raise ValueError(f"values must be finite numbers, different from each other and from zero; got {given!r}.")
    return values


def _checked_init(estimator, n_features):
    """The components to start with."""
    components = as_dictionary(estimator.dict_init, "dict_init").astype(np.float64)
    wanted = estimator.n_components
    if components.shape[1] != n_features or wanted not in (None, components.shape[0]):
        rows = "n_components" if wanted is None else wanted
        raise ValueError(
            f"dict_init has shape {components.shape}, but it must have shape ({rows}, {n_features}), one component a row."
        )
    if estimator.model == "maximal" and np.any(components < 0):
        raise ValueError("dict_init has negative entries, but model='maximal' has none; pass np.maximum(dict_init, 0).")
    return components
