"""Posteriors of the causes of one signal by enumeration, from the definitions of the models and dense Gaussian algebra."""

from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from sparsecode.solvers.probabilistic import DiscreteCauses, MaximalCauses, SpikeSlabCauses

N_CAUSES, N_FEATURES = 4, 6
KINDS = ("binary", "ternary", "discrete", "maximal", "maximum_magnitude", "spike_slab", "spike_slab-full")


def example(kind, seed=0, n_causes=N_CAUSES, noise_variance=0.3):
    """A model with random parameters."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((n_causes, N_FEATURES))
    if kind == "binary":
        return DiscreteCauses(W, np.array([0.3]), np.array([1.0]), noise_variance)
    if kind == "ternary":
        return DiscreteCauses(W, np.array([0.15, 0.15]), np.array([-1.0, 1.0]), noise_variance, tied=True)
    if kind == "discrete":
        return DiscreteCauses(W, np.array([0.2, 0.1]), np.array([1.0, -1.7]), noise_variance)
    if kind == "maximal":
        return MaximalCauses(np.abs(W), 0.3, noise_variance, sharpness=np.inf)
    if kind == "maximum_magnitude":
        return MaximalCauses(W, 0.3, noise_variance, magnitude=True, sharpness=np.inf)
    root = rng.standard_normal((n_causes, n_causes))
    covariance = root @ root.T / n_causes + 0.2 * np.eye(n_causes)
    full = kind == "spike_slab-full"
    if not full:
        covariance = np.diag(np.diagonal(covariance))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    return SpikeSlabCauses(W, 0.3, rng.standard_normal(n_causes), covariance, noise_variance, full)


def draw(model, n_signals, seed=1, missing=0.0):
    """Signals of a model, some of whose entries are NaN."""
    rng = np.random.default_rng(seed)
    n_causes, n_features = model.components.shape
    X = np.empty((n_signals, n_features))
    for n in range(n_signals):
        if isinstance(model, DiscreteCauses):
            chances = [1 - model.activity, *model.probabilities]
            state = rng.choice([0.0, *model.values], size=n_causes, p=chances)
        else:
            state = (rng.random(n_causes) < model.probability).astype(float)
        if isinstance(model, SpikeSlabCauses):
            state = state * rng.multivariate_normal(model.mean, model.covariance)
        X[n] = shown(model, state)
    X += np.sqrt(model.noise_variance) * rng.standard_normal(X.shape)
    X[rng.random(X.shape) < missing] = np.nan
    return X


def shown(model, state):
    """The signal without noise."""
    if not isinstance(model, MaximalCauses):
        return state @ model.components
    active = [model.components[h] for h in np.flatnonzero(state)]
    if not active:
        return np.zeros(model.components.shape[1])
    active = np.array(active)
    places = np.argmax(np.abs(active) if model.magnitude else active, axis=0)
    return active[places, np.arange(active.shape[1])]


def all_states(model):
    """Every state, one a row."""
    values = model.values if isinstance(model, DiscreteCauses) else [1.0]
    return np.array(list(product([0.0, *values], repeat=model.components.shape[0])))


def log_prior(model, state):
    """Log probability of a state."""
    if isinstance(model, DiscreteCauses):
        chance = dict(zip([0.0, *model.values], [1 - model.activity, *model.probabilities], strict=True))
        return sum(np.log(chance[value]) for value in state)
    return sum(np.log(model.probability if value else 1 - model.probability) for value in state)


def amplitudes(model, signal, state):
    """Log density of the observed entries given the active causes, and mean and covariance of the amplitudes given both."""
    seen, active = ~np.isnan(signal), np.flatnonzero(state)
    W, y = model.components[np.ix_(active, seen)], signal[seen]
    mean, covariance = model.mean[active], model.covariance[np.ix_(active, active)]
    total = W.T @ covariance @ W + model.noise_variance * np.eye(y.size)
    log_density = multivariate_normal(mean @ W, total).logpdf(y) if y.size else 0.0
    gain = covariance @ W @ np.linalg.inv(total)
    return log_density, mean + gain @ (y - mean @ W), covariance - gain @ W.T @ covariance


def log_joint(model, signal, state, temperature=1.0):
    """Log of the prior times the likelihood to the power of one over the temperature."""
    if isinstance(model, SpikeSlabCauses):
        assert temperature == 1.0
        return log_prior(model, state) + amplitudes(model, signal, state)[0]
    seen = ~np.isnan(signal)
    density = norm.logpdf(signal[seen], shown(model, state)[seen], np.sqrt(model.noise_variance))
    return log_prior(model, state) + np.sum(density) / temperature


class Exact(NamedTuple):
    """A posterior over states."""

    states: Any
    chances: Any
    log_evidence: float


def enumerate_states(model, signal, states=None, temperature=1.0):
    """The posterior over the given states, all by default."""
    states = all_states(model) if states is None else states
    joint = np.array([log_joint(model, signal, state, temperature) for state in states])
    evidence = logsumexp(joint)
    return Exact(states, np.exp(joint - evidence), evidence)


def expected_code(model, signal, exact):
    """Posterior mean of the causes (times their amplitudes)."""
    if not isinstance(model, SpikeSlabCauses):
        return exact.chances @ exact.states
    total = np.zeros(model.components.shape[0])
    for state, chance in zip(exact.states, exact.chances, strict=True):
        total[np.flatnonzero(state)] += chance * amplitudes(model, signal, state)[1]
    return total


def expected_log_joint(new, old, X):
    """Sum over signals of the expectation, under the posterior of `old`, of the log joint density under `new`."""
    total = 0.0
    for signal in X:
        exact = enumerate_states(old, signal)
        seen = ~np.isnan(signal)
        for state, chance in zip(exact.states, exact.chances, strict=True):
            total += chance * log_prior(new, state if not isinstance(new, DiscreteCauses) else _moved(new, old, state))
            if not isinstance(new, SpikeSlabCauses):
                if isinstance(new, DiscreteCauses):
                    clean = _moved(new, old, state) @ new.components
                else:
                    clean = shown(new, state)
                deviation = np.sqrt(new.noise_variance)
                total += chance * np.sum(norm.logpdf(signal[seen], clean[seen], deviation))
            else:
                total += chance * _expected_slab(new, old, signal, state, seen)
    return total


def _moved(new, old, state):
    """The state with the values of the old model replaced by those of the new one."""
    table = dict(zip([0.0, *old.values], [0.0, *new.values], strict=True))
    return np.array([table[value] for value in state])


def _expected_slab(new, old, signal, state, seen):
    """The same of the amplitudes and of the signal, for given active causes."""
    active = np.flatnonzero(state)
    _, mean, covariance = amplitudes(old, signal, state)
    W, y, variance = new.components[np.ix_(active, seen)], signal[seen], new.noise_variance
    misfit = np.sum((y - mean @ W) ** 2) + np.trace(W.T @ covariance @ W)
    total = -0.5 * misfit / variance - 0.5 * y.size * np.log(2 * np.pi * variance)
    if new.full:  # the amplitudes of causes that are not active have a posterior too
        cross = old.covariance[:, active] @ np.linalg.inv(old.covariance[np.ix_(active, active)])
        shift = mean - old.mean[active]
        inside = covariance - old.covariance[np.ix_(active, active)]
        covariance = old.covariance + cross @ inside @ cross.T
        mean = old.mean + cross @ shift
        active = np.arange(old.mean.size)
    prior = new.covariance[np.ix_(active, active)]
    error = mean - new.mean[active]
    second = covariance + np.outer(error, error)
    inverse = np.linalg.inv(prior)
    return total - 0.5 * np.sum(inverse * second) - 0.5 * np.linalg.slogdet(2 * np.pi * prior)[1]
