"""Causes that take one of a few values and add up: binary, ternary and discrete sparse coding.

    y = sum_h s_h W_h + noise,    noise ~ N(0, sigma^2 I),    P(s_h = v_k) = pi_k,    P(s_h = 0) = 1 - sum_k pi_k

Expectation maximisation, with sums over the signals n and expectations <.> over the states that the truncation leaves:

    W = (sum <s s^T>)^-1 (sum <s> y^T),    sigma^2 = sum <||y - s W||^2> / number of observed entries

and pi from the mean number of active causes under the prior cut off after `max_active` of them. For missing entries W has a
system of its own for each feature, over the signals in which it was observed.

Luecke and Eggert, "Expectation truncation and the benefits of preselection in training generative models", 2010. Henniges et al.,
"Binary sparse coding", 2010. Exarchakis and Luecke, "Discrete sparse coding", 2017.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._validation import as_number
from .linear import (
    as_parameter,
    best_candidates,
    check_probability,
    expected_misfit,
    log_likelihood_of_nothing,
    solve_atoms,
)
from .states import active_probability

__all__ = ["DiscreteCauses", "DiscreteStatistics"]

_LEAST_SHARE = 1e-6  # of the active causes, for each value


class DiscreteStatistics(NamedTuple):
    """What the posterior of signals says about a `DiscreteCauses`; sums over signals, so they add up.

    Indicators u have one entry for each cause and value, ``u[h, k] = 1`` if ``s_h = v_k``.

    Attributes
    ----------
    code_gram : array of shape (1, H K, H K) or (n_features, H K, H K)
        Sum of ``<u u^T>``; with missing entries for each feature over the signals in which it was observed.
    code_signal : array of shape (H K, n_features)
        Sum of ``<u> y^T``.
    counts : array of shape (K,)
        Expected number of active causes of each value.
    n_signals : float
        How many signals there were.
    n_observed : float
        How many entries they had.
    sq_sum : float
        Sum of the squares of the entries.
    log_evidence : float
        Sum of the lower bounds on their log densities.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import DiscreteCauses, local_statistics
    >>> model = DiscreteCauses(np.eye(2), np.array([0.5]), np.array([1.0]), 0.01)
    >>> local_statistics(np.array([[1.0, 0.0], [1.0, 1.0]]), model).code_gram.round(3)
    array([[[2., 1.],
            [1., 1.]]])
    """

    code_gram: Any
    code_signal: Any
    counts: Any
    n_signals: float
    n_observed: float
    sq_sum: float
    log_evidence: float


class DiscreteCauses(NamedTuple):
    """Causes with few values that add up; binary and ternary sparse coding are the cases ``values=[1]`` and ``[-1, 1]``.

    Parameters
    ----------
    components : array of shape (H, n_features)
        What each cause contributes at the value 1.
    probabilities : array of shape (K,)
        Probability of each value; what is left of one is the probability of zero.
    values : array of shape (K,)
        Values of an active cause; different from each other and from zero.
    noise_variance : float
        Variance of the noise of an entry.
    tied : bool, default=False
        Whether all values are equally likely.
    learn_values : bool, default=False
        Whether updates learn the values too, the largest modulus among them staying as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import DiscreteCauses, posterior
    >>> model = DiscreteCauses(np.eye(3), np.array([0.2]), np.array([1.0]), 0.01)
    >>> posterior(np.array([[1.1, 0.0, 0.9]]), model).mean.round(3)
    array([[1., 0., 1.]])
    """

    components: Any
    probabilities: Any
    values: Any
    noise_variance: float
    tied: bool = False
    learn_values: bool = False

    def checked(self):
        """The same in double precision, or an error that names what is out of range."""
        values = as_parameter(self.values, "values", (None,))
        if np.unique(np.append(values, 0.0)).size != values.size + 1:
            raise ValueError(f"values must be different from each other and from zero; got {self.values!r}.")
        probabilities = as_parameter(self.probabilities, "probabilities", values.shape)
        check_probability(float(np.min(probabilities)), "the smallest of the probabilities")
        check_probability(float(np.sum(probabilities)), "the sum of the probabilities")
        return self._replace(
            components=as_parameter(self.components, "components", (None, None)),
            probabilities=probabilities,
            values=values,
            noise_variance=as_number(self.noise_variance, "noise_variance", strict=True),
        )

    @property
    def n_values(self):
        """Number of values of an active cause."""
        return len(self.values)

    @property
    def activity(self):
        """Probability that a cause is active."""
        return float(np.sum(self.probabilities))

    def _log_odds(self):
        return np.log(self.probabilities) - np.log1p(-self.activity)

    @property
    def is_signed(self):
        """Whether a cause and its negative are one, and causes add up to sums that stand for differences."""
        return set(np.negative(self.values)) == set(self.values)

    @property
    def may_overshoot(self):
        """Never: an update maximises the expected log joint density."""
        return False

    def expectations(self, block, setting, weight, *, pairs=True, best=False):
        """Log evidence of each signal, probabilities of the values of its causes, sums over pairs, and its likeliest state."""
        from ...kernels.discrete_causes import discrete_posterior

        (n, _), n_causes, n_values = block.signals.shape, self.components.shape[0], self.n_values
        dots = block.signals @ self.components.T
        norms = block.over_observed(self.components.T**2)
        precision = 1.0 / (self.noise_variance * setting.temperature)
        log_odds = self._log_odds()
        gains = self.values * (dots[:, :, None] - 0.5 * self.values * norms[:, :, None])
        candidates = best_candidates(np.max(precision * gains + log_odds, axis=2), setting.n_candidates)
        layers = block.signals.shape[1] if not block.is_complete else 1
        size = n_causes * n_values
        together = np.zeros((layers, size, size) if pairs else (0, 0, 0))
        evidence, inclusion = np.empty(n), np.zeros((n, n_causes, n_values))
        state = np.zeros((n, n_causes) if best else (0, 0), dtype=np.int64)
        discrete_posterior(
            dots,
            norms,
            self.components @ self.components.T,
            self.components,
            block.observed,
            self.values,
            log_odds,
            precision,
            candidates,
            setting.table.parent,
            setting.table.unit,
            setting.table.value,
            weight,
            evidence,
            inclusion,
            together,
            state,
        )
        evidence += log_likelihood_of_nothing(block, self.noise_variance, setting.temperature)
        evidence += n_causes * np.log1p(-self.activity)
        return evidence, inclusion, together, state

    def statistics(self, block, setting, weight) -> DiscreteStatistics:
        """Sums over the signals of a block that have weight one."""
        evidence, inclusion, together, _ = self.expectations(block, setting, weight)
        indicators = inclusion.reshape(inclusion.shape[0], -1)
        together = together + np.swapaxes(together, 1, 2)
        places = np.arange(indicators.shape[1])
        together[:, places, places] += block.per_feature(indicators)
        return DiscreteStatistics(
            together,
            indicators.T @ block.signals,
            np.sum(inclusion, axis=(0, 1)),
            float(np.sum(weight)),
            float(weight @ block.n_observed),
            float(weight @ block.sq_norms),
            float(weight @ evidence),
        )

    def updated(self, statistics, setting, noise_floor):
        """The parameters that maximise the expected log joint density."""
        n_causes, values = self.components.shape[0], self.values
        gram = statistics.code_gram.reshape(-1, n_causes, self.n_values, n_causes, self.n_values)
        signal = statistics.code_signal.reshape(n_causes, self.n_values, -1)
        code_gram = np.einsum("dhklm,k,m->dhl", gram, values, values, optimize=True)
        code_signal = np.einsum("hkd,k->hd", signal, values)
        atoms = solve_atoms(code_gram, code_signal, self.components)
        if self.learn_values and self.n_values > 1:
            values, atoms = _learned_values(gram, signal, values, atoms)
            code_gram = np.einsum("dhklm,k,m->dhl", gram, values, values, optimize=True)
            code_signal = np.einsum("hkd,k->hd", signal, values)
        misfit = expected_misfit(statistics, code_gram, code_signal, atoms)
        return self._replace(
            components=atoms,
            values=values,
            probabilities=self._learned_probabilities(statistics, setting),
            noise_variance=max(misfit / statistics.n_observed, noise_floor),
        )

    def _learned_probabilities(self, statistics, setting):
        """Shares of the values stay while the likelihood is tempered: one that starves early never comes back."""
        total = float(np.sum(statistics.counts))
        activity = active_probability(total / statistics.n_signals, self.components.shape[0], setting.max_active)
        if self.tied or total == 0.0 or setting.temperature > 1.0:
            return activity * self.probabilities / self.activity
        shares = np.maximum(statistics.counts / total, _LEAST_SHARE)
        return activity * shares / np.sum(shares)

    def codes(self, block, setting):
        """Posterior means of the causes, their likeliest state, the reconstructions, and the log evidence."""
        evidence, inclusion, _, state = self.expectations(
            block, setting, np.ones(block.signals.shape[0]), pairs=False, best=True
        )
        mean = inclusion @ self.values
        likeliest = np.concatenate([[0.0], self.values])[state]
        return mean, likeliest, np.sum(inclusion, axis=2), self.render(mean), evidence

    def render(self, codes):
        """The signals that codes stand for."""
        return codes @ self.components

    def shaken(self, noise):
        """The same model with noise added to the components."""
        return self._replace(components=self.components + noise)

    def replaced(self, places, rows):
        """The same model with other components in these places."""
        components = self.components.copy()
        components[places] = rows
        return self._replace(components=components)

    def parameters(self):
        """What is learned, one array a kind."""
        return (
            self.components,
            np.asarray(self.probabilities),
            np.asarray(self.values),
            np.atleast_1d(self.noise_variance),
        )


def _learned_values(gram, signal, values, atoms):
    """Values that minimise the expected misfit over the atoms; the largest modulus stays, by the scale of the atoms."""
    if gram.shape[0] == 1:
        products = np.einsum("hklm,hl->km", gram[0], atoms @ atoms.T, optimize=True)
    else:
        products = np.einsum("dhklm,hd,ld->km", gram, atoms, atoms, optimize=True)
    sides = np.einsum("hkd,hd->k", signal, atoms)
    try:
        learned = np.linalg.solve(products, sides)
    except np.linalg.LinAlgError:  # a value that no cause takes
        return values, atoms
    scale = np.max(np.abs(learned)) / np.max(np.abs(values))
    gaps = np.abs(np.subtract.outer(np.append(learned, 0.0), np.append(learned, 0.0)))
    if not np.all(np.isfinite(learned)) or np.min(gaps[~np.eye(gaps.shape[0], dtype=bool)]) < 1e-6 * np.max(gaps):
        return values, atoms  # two values would become one
    return learned / scale, atoms * scale
