"""The fits of ProbabilisticSparseCoding: where they start, from its parameters and the data, and which of them is the best."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..result import Status
from ..solvers.probabilistic.em import Annealing, CausesResult, fit_causes, mean_square
from ..solvers.probabilistic.inference import local_statistics
from ..solvers.probabilistic.replacement import better_models
from ..solvers.probabilistic.start import TEMPERATURES, initial_causes
from ..solvers.probabilistic.states import Truncation
from ._transform import as_dictionary

__all__ = ["best_fit"]

_FEATURES = 25  # for which the highest temperatures are meant: log likelihoods grow with their number
_AGAIN = 20  # iterations, at the temperature one, in which rows are left out anew after causes were replaced
_REPLACEMENTS = 5  # at most

_OWN = (
    ("values", "discrete", None),
    ("learn_values", "discrete", False),
    ("slab_covariance", "spike_slab", "diagonal"),
)


def best_fit(estimator, X) -> CausesResult:
    """The fit, of those from several starts, under which all rows of X are likeliest: each leaves other rows out of what it learns from."""
    random = check_random_state(estimator.random_state)
    n_starts = estimator.n_init if estimator.dict_init is None else 1
    best: Any = None
    most = -np.inf
    for _ in range(n_starts):
        result = _fit(estimator, X, _first_causes(estimator, X, random), _annealing(estimator, X.shape[1]), random)
        evidence = -np.inf if n_starts == 1 else _evidence(estimator, X, result.model)
        if best is None or evidence > most:
            best, most = result, evidence
        if result.status is Status.INTERRUPTED:
            return best
    return _repaired(estimator, X, best, random) if estimator.replace_dead else best


def _repaired(estimator, X, best, random):
    """The fit, or what comes of it once idle causes and sums of causes have been replaced, as long as that makes all rows likelier."""
    again = Annealing(min(_AGAIN, estimator.n_annealing), 1.0, 0.0, estimator.cut_data)
    most = None
    for _ in range(_REPLACEMENTS):
        for model in better_models(X, best.model, _truncation(estimator), n_jobs=estimator.n_jobs):
            most = _evidence(estimator, X, best.model) if most is None else most
            result = _fit(estimator, X, model, again, random)
            evidence = _evidence(estimator, X, result.model)
            better = evidence > most
            if better:
                best, most = result, evidence
            if result.status is Status.INTERRUPTED:
                return best
            if better:
                break
        else:
            return best
    return best


def _fit(estimator, X, model, annealing, random):
    return fit_causes(
        X,
        model,
        truncation=_truncation(estimator),
        annealing=annealing,
        max_iter=estimator.max_iter,
        tol=estimator.tol or 0.0,
        random_state=random,
        callback=estimator.callback,
        n_jobs=estimator.n_jobs,
    )


def _evidence(estimator, X, model):
    """Sum over all rows of the lower bounds on their log densities."""
    return local_statistics(X, model, _truncation(estimator), n_jobs=estimator.n_jobs).log_evidence


def _truncation(estimator):
    return Truncation(estimator.n_candidates, estimator.max_active)


def _annealing(estimator, n_features):
    """As asked for, or from a temperature that does not melt causes of few features into one."""
    temperature = estimator.temperature
    if temperature is None:
        temperature = TEMPERATURES[estimator.model]
        if estimator.model in ("binary", "discrete"):
            temperature = max(1.0, temperature * min(n_features / _FEATURES, 1.0))
    return Annealing(estimator.n_annealing, temperature, estimator.parameter_noise, estimator.cut_data)


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
