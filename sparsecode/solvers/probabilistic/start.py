"""Where the fit of a model of causes starts: at random signals, which differ in the causes that they show."""

from __future__ import annotations

import numpy as np

from .discrete import DiscreteCauses
from .maximal import MaximalCauses
from .spike_slab import SpikeSlabCauses

__all__ = ["MODELS", "TEMPERATURES", "initial_causes"]

TEMPERATURES = {
    "binary": 5.0,
    "ternary": 4.0,
    "discrete": 6.0,
    "maximal": 2.0,
    "maximum_magnitude": 2.0,
    "spike_slab": 2.0,
}
MODELS = tuple(TEMPERATURES)
_SPREAD = 0.05  # of the deviation of the data: noise of the first components, should signals be equal
_LEAST_SPREAD = 1e-3  # of their root mean square, where they hardly deviate
_ROWS = 1 << 12


def initial_causes(
    X, kind, n_components, random, *, mean_square, values=None, learn_values=False, full=False, components=None
):
    """The first parameters of a model of the given kind.

    Parameters
    ----------
    X : array of shape (n_signals, n_features)
        Signals; NaN where an entry is missing.
    kind : str
        One of `MODELS`.
    n_components : int
        Number of causes.
    random : RandomState
        What the noise is drawn from.
    mean_square : float
        Of the entries of X, greater than zero.
    values : array, optional
        Values of a cause, for "discrete".
    learn_values : bool, default=False
        Whether they are learned.
    full : bool, default=False
        Whether "spike_slab" learns a full covariance.
    components : array of shape (n_components, n_features), optional
        Where the components start.

    Returns
    -------
    DiscreteCauses, MaximalCauses or SpikeSlabCauses
        The model.
    """
    mean, variance = _moments(X)
    variance = max(variance, _LEAST_SPREAD**2 * mean_square)
    if components is None:
        noise = random.standard_normal((n_components, X.shape[1]))
        components = _signals(X, n_components, mean, random) + _SPREAD * np.sqrt(variance) * noise
    probability = min(1.0 / n_components, 0.5)
    if kind in ("maximal", "maximum_magnitude"):
        magnitude = kind == "maximum_magnitude"
        components = components if magnitude else np.maximum(components, 0.0)
        return MaximalCauses(components, probability, variance, magnitude)
    if kind == "spike_slab":
        energy = mean_square * X.shape[1]
        slab = energy * np.eye(n_components)
        norms = np.linalg.norm(components, axis=1, keepdims=True)
        components = components / np.where(norms > 0, norms, 1.0)
        return SpikeSlabCauses(components, probability, np.zeros(n_components), slab, variance, full)
    values = {"binary": np.array([1.0]), "ternary": np.array([-1.0, 1.0])}.get(kind, values)
    shares = np.full(len(values), probability / len(values))
    return DiscreteCauses(components, shares, values, variance, kind == "ternary", learn_values)


def _signals(X, count, mean, random):
    """Random rows of X, distinct as far as there are enough, with means where entries are missing."""
    places = np.resize(random.permutation(X.shape[0]), count)
    order = np.argsort(places, kind="stable")  # a memory-map is read in order
    rows = np.empty((count, X.shape[1]))
    rows[order] = X[places[order]]
    return np.where(np.isnan(rows), mean, rows)


def _moments(X):
    """Mean of each feature, and mean square deviation from it, over what was observed."""
    count, total = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for block in _blocks(X):
        count += np.sum(~np.isnan(block), axis=0)
        total += np.nansum(block, axis=0)
    mean = total / np.maximum(count, 1.0)
    deviation = sum(float(np.nansum((block - mean) ** 2)) for block in _blocks(X))
    return mean, deviation / np.sum(count)


def _blocks(X):
    for start in range(0, X.shape[0], _ROWS):
        yield np.asarray(X[start : start + _ROWS], dtype=np.float64)
