"""Causes that are not what signals are made of, and what takes their place.

All causes of a model are active with one probability, independently. One that answers for much fewer signals than the others has found
no cause of its own: it doubles two others where they meet, or fits noise, and elsewhere a cause is missing. What is missing shows in what
the others leave over, again and again.

Where causes have both signs, V + W and W explain V too, as their difference. What they cannot is V - W, which few signals show. What gives
such a pair away is that one is mostly active with the other: then their sum, with the signs that they have together, belongs in the place of
one of them.
"""

from __future__ import annotations

import numpy as np

from ..._parallel import single_threaded_blas
from .inference import local_statistics, posterior

__all__ = ["better_models", "without_idle_causes"]

_IDLE = 0.5  # of the mean number of signals that a cause is active in
_ROWS = 1 << 12  # signals whose posterior is held at a time
_WORST = 1 << 10  # signals looked at, those explained worst
_CANDIDATES = 4  # one in so many of them may become a cause
_TOGETHER = 0.25  # correlation from which two causes may be a sum and a part of it
_MOST_PAIRS = 4  # of those, tried one after another


def better_models(X, model, truncation=None, *, n_jobs=None):
    """Models that may be better to go on from: without idle causes, then with sums parted, the likeliest first.

    Parameters
    ----------
    X : array of shape (n_signals, n_features)
        Signals, one a row; NaN where an entry is missing.
    model : DiscreteCauses, MaximalCauses or SpikeSlabCauses
        The parameters.
    truncation : Truncation, optional
        The states that are looked at.
    n_jobs : int, optional
        Threads; the answer has the same bits for any number.

    Yields
    ------
    DiscreteCauses, MaximalCauses or SpikeSlabCauses
        A model to go on from.
    """
    busy = without_idle_causes(X, model, truncation, n_jobs=n_jobs)
    if busy is not None:
        yield busy
    if not model.is_signed:
        return
    for first, second, sign in _pairs_together(X, model, truncation, n_jobs):
        whole = model.components[first] + sign * model.components[second]
        parted = [model.replaced([place], whole[None]) for place in (first, second)]
        yield max(parted, key=lambda one: local_statistics(X, one, truncation, n_jobs=n_jobs).log_evidence)


def without_idle_causes(X, model, truncation=None, *, n_jobs=None):
    """The model with every idle cause put where it is missed most; None if no cause is idle.

    Of the signals that are explained worst, the residual is taken that stands for most of the energy of all their residuals; with
    several idle causes, then that which stands for most of what is left.

    Parameters
    ----------
    X : array of shape (n_signals, n_features)
        Signals, one a row; NaN where an entry is missing.
    model : DiscreteCauses, MaximalCauses or SpikeSlabCauses
        The parameters.
    truncation : Truncation, optional
        The states that are looked at.
    n_jobs : int, optional
        Threads; the answer has the same bits for any number.

    Returns
    -------
    DiscreteCauses, MaximalCauses or SpikeSlabCauses, or None
        The model to go on from.
    """
    usage, residuals = _usage_and_worst(X, model, truncation, n_jobs)
    idle = np.flatnonzero(usage < _IDLE * np.mean(usage))
    if idle.size == 0:
        return None
    rows = _common(residuals, idle.size)
    return model.replaced(idle[: len(rows)], rows) if len(rows) else None


def _pairs_together(X, model, truncation, n_jobs):
    """Pairs of causes and the sign that they have together, the most correlated first."""
    moments, products = 0.0, 0.0
    for start in range(0, X.shape[0], _ROWS):
        codes = posterior(X[start : start + _ROWS], model, truncation, n_jobs=n_jobs).mean
        moments = moments + np.sum(codes, axis=0)
        with single_threaded_blas():  # bits must not depend on the machine
            products = products + codes.T @ codes
    covariance = products - np.outer(moments, moments) / X.shape[0]
    sizes = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    correlation = np.triu(covariance, 1) / np.maximum(np.outer(sizes, sizes), np.finfo(float).tiny)
    strength = np.abs(correlation).ravel()
    order = np.argsort(-strength, kind="stable")[:_MOST_PAIRS]
    for place in order[strength[order] > _TOGETHER]:
        first, second = divmod(int(place), correlation.shape[0])
        yield first, second, np.sign(correlation[first, second])


def _usage_and_worst(X, model, truncation, n_jobs):
    """How many signals each cause is active in, and the residuals of those explained worst, the worst first."""
    usage = np.zeros(model.components.shape[0])
    evidence, residuals = np.empty(0), np.empty((0, X.shape[1]))
    for start in range(0, X.shape[0], _ROWS):
        signals = np.asarray(X[start : start + _ROWS], dtype=np.float64)
        found = posterior(signals, model, truncation, n_jobs=n_jobs)
        usage += np.sum(found.inclusion, axis=0)
        left = signals - found.reconstruction
        evidence = np.concatenate([evidence, found.log_evidence])
        residuals = np.concatenate([residuals, np.where(np.isnan(left), 0.0, left)])
        worst = np.argsort(evidence, kind="stable")[:_WORST]
        evidence, residuals = evidence[worst], residuals[worst]
    return usage, residuals


def _common(residuals, count):
    """At most `count` of the first residuals, which together stand for most of the energy of all."""
    largest = np.max(np.abs(residuals))
    left = residuals / (largest if largest > 0 else 1.0)  # squares neither overflow nor vanish
    sizes = np.linalg.norm(left, axis=1)
    places = np.flatnonzero(sizes[: -(-len(sizes) // _CANDIDATES)] > 0)
    units = left[places] / sizes[places, None]
    chosen: list = []
    with single_threaded_blas():  # bits must not depend on the machine
        while len(chosen) < min(count, len(places)):
            energy = np.sum((left @ units.T) ** 2, axis=0)
            best = int(np.argmax(energy))
            chosen.append(places[best])
            left = left - np.outer(left @ units[best], units[best])
    return residuals[chosen]
