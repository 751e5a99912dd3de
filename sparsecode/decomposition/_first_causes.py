"""The first parameters of ProbabilisticSparseCoding, from its parameters and the data, or an error that names what is wrong."""

from __future__ import annotations

import numpy as np

from ..solvers.probabilistic.em import mean_square
from ..solvers.probabilistic.start import initial_causes
from ._transform import as_dictionary

__all__ = ["first_causes"]

_OWN = (
    ("values", "discrete", None),
    ("learn_values", "discrete", False),
    ("slab_covariance", "spike_slab", "diagonal"),
)


def first_causes(estimator, X, random):
    """Where the fit of an estimator starts."""
    for name, model, default in _OWN:
        given = getattr(estimator, name)
        if estimator.model != model and (given is not None if default is None else given != default):
            raise ValueError(f"{name} has no meaning for model={estimator.model!r}; leave it at its default.")
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
