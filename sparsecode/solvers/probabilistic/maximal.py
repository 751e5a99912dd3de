"""Causes of which the largest shows: maximal causes, and causes of largest magnitude.

    y_d = max_h s_h W_hd + noise,    W >= 0                       maximal causes
    y_d = s_h W_hd of the active h with the largest |W_hd|        largest magnitude

with P(s_h = 1) = pi and noise ~ N(0, sigma^2). Expectation maximisation, with <A_hd> the expected share that cause h has in entry d:

    W_hd = sum <A_hd> y_d / sum <A_hd>,    sigma^2 = sum <||y - m(s, W)||^2> / number of observed entries

A is ``exp(sharpness |W_hd| / (sigma T))`` over the sum of these of the active causes, at the temperature T: causes that differ by much
less than the noise share what shows. With an infinite sharpness all goes to the cause that shows, with ties in equal shares. Then the
step points uphill, but may go too far, where another cause shows, and the loop goes part of the way back if the evidence fell; where
causes tie, it may end on an edge that has no uphill step left. Soft shares pass over edges, and move to a fixed point near by.

Luecke and Sahani, "Maximal causes for non-linear component extraction", 2008. Bornschein, Henniges and Luecke, "Are V1 simple
cells optimized for visual occlusions? A comparative study", 2013.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._validation import as_number
from .linear import as_parameter, best_candidates, check_probability, log_likelihood_of_nothing
from .states import active_probability

__all__ = ["MaximalCauses", "MaximalStatistics"]

_UNUSED = 1e-12  # of a signal: entries that causes answer for less often stay as they are


class MaximalStatistics(NamedTuple):
    """What the posterior of signals says about a `MaximalCauses`; sums over signals, so they add up.

    Attributes
    ----------
    shared_signal : array of shape (H, n_features)
        Sum of ``<A_hd> y_d``.
    shares : array of shape (H, n_features)
        Sum of ``<A_hd>``.
    counts : float
        Expected number of active causes.
    n_signals : float
        How many signals there were.
    n_observed : float
        How many entries they had.
    misfit : float
        Expected sum of the squared residuals.
    log_evidence : float
        Sum of the lower bounds on their log densities.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import MaximalCauses, local_statistics
    >>> statistics = local_statistics(np.array([[3.0, 4.0]]), MaximalCauses(np.array([[3.0, 2.0], [0.0, 4.0]]), 0.2, 0.1))
    >>> statistics.shares.round(3)
    array([[1., 0.],
           [0., 1.]])
    """

    shared_signal: Any
    shares: Any
    counts: float
    n_signals: float
    n_observed: float
    misfit: float
    log_evidence: float


class MaximalCauses(NamedTuple):
    """Active or inactive causes of which the largest shows in each entry.

    Parameters
    ----------
    components : array of shape (H, n_features)
        What each cause shows; not negative, unless `magnitude`.
    probability : float
        Probability that a cause is active.
    noise_variance : float
        Variance of the noise of an entry.
    magnitude : bool, default=False
        Whether entries of largest modulus show, whatever their sign.
    sharpness : float, default=4.0
        How strongly the largest of the active causes is preferred in updates, by differences in units of the noise; infinity gives
        all to the largest.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import MaximalCauses, posterior
    >>> model = MaximalCauses(np.array([[3.0, 2.0], [0.0, 4.0]]), 0.2, 0.1)
    >>> posterior(np.array([[3.0, 4.1]]), model).likeliest
    array([[1., 1.]])
    """

    components: Any
    probability: float
    noise_variance: float
    magnitude: bool = False
    sharpness: float = 4.0

    @property
    def is_signed(self):
        """Whether a cause and its negative are one, and causes add up to sums that stand for differences."""
        return False

    @property
    def may_overshoot(self):
        """Whether updates go uphill, but may go too far."""
        return np.isinf(self.sharpness)

    def checked(self):
        """The same in double precision, or an error that names what is out of range."""
        components = as_parameter(self.components, "components", (None, None))
        if not self.magnitude and np.any(components < 0):
            raise ValueError("components of maximal causes must not be negative; pass np.maximum(components, 0).")
        return self._replace(
            components=components,
            probability=check_probability(self.probability, "probability"),
            noise_variance=as_number(self.noise_variance, "noise_variance", strict=True),
            sharpness=np.inf if self.sharpness == np.inf else as_number(self.sharpness, "sharpness"),
        )

    @property
    def n_values(self):
        """Number of values of an active cause."""
        return 1

    @property
    def activity(self):
        """Probability that a cause is active."""
        return float(self.probability)

    def _sharp(self, temperature):
        """Unnormalised soft shares, or none."""
        if np.isinf(self.sharpness):
            return np.empty((0, 0))
        sizes = np.abs(self.components)
        return np.exp((sizes - np.max(sizes, axis=0)) * (self.sharpness / np.sqrt(self.noise_variance) / temperature))

    def _scores(self, block, single):
        """How well each cause could be one of several: by how little it overshoots, or alone."""
        if self.magnitude:
            return single
        scores = np.empty_like(single)
        signals = block.signals if block.is_complete else np.where(block.observed, block.signals, np.inf)
        for h, atom in enumerate(self.components):
            scores[:, h] = -np.sum(np.maximum(atom - signals, 0.0), axis=1)
        return scores

    def expectations(self, block, setting, weight, *, sums=True, codes=False):
        """Log evidence of each signal, probabilities of its causes, its expected misfit; sums, mean signals, likeliest states."""
        from ...kernels.maximal_causes import maximal_posterior

        n, n_features = block.signals.shape
        n_causes = self.components.shape[0]
        precision = 1.0 / (self.noise_variance * setting.temperature)
        log_odds = float(np.log(self.probability) - np.log1p(-self.probability))
        norms = block.over_observed(self.components.T**2)
        single = precision * (block.signals @ self.components.T - 0.5 * norms) + log_odds
        evidence, inclusion, gain = np.empty(n), np.zeros((n, n_causes)), np.zeros(n)
        shared, shares = (np.zeros((n_causes, n_features) if sums else (0, 0)) for _ in range(2))
        mean = np.zeros((n, n_features) if codes else (0, 0))
        state = np.zeros((n, n_causes) if codes else (0, 0))
        maximal_posterior(
            block.signals,
            self.components,
            self._sharp(setting.temperature),
            block.observed,
            self.magnitude,
            single,
            log_odds,
            precision,
            best_candidates(self._scores(block, single), setting.n_candidates),
            setting.table.parent,
            setting.table.unit,
            setting.table.depth,
            weight,
            evidence,
            inclusion,
            gain,
            shared,
            shares,
            mean,
            state,
        )
        misfit = block.sq_norms - 2.0 * gain / precision
        evidence += log_likelihood_of_nothing(block, self.noise_variance, setting.temperature)
        evidence += n_causes * np.log1p(-self.probability)
        return evidence, inclusion, misfit, (shared, shares), mean, state

    def statistics(self, block, setting, weight) -> MaximalStatistics:
        """Sums over the signals of a block that have weight one."""
        evidence, inclusion, misfit, (shared, shares), _, _ = self.expectations(block, setting, weight)
        return MaximalStatistics(
            shared,
            shares,
            float(np.sum(inclusion)),
            float(np.sum(weight)),
            float(weight @ block.n_observed),
            float(weight @ misfit),
            float(weight @ evidence),
        )

    def updated(self, statistics, setting, noise_floor):
        """The parameters one step uphill; the noise is that of the atoms before the step."""
        used = statistics.shares > _UNUSED * statistics.n_signals
        atoms = np.where(used, statistics.shared_signal / np.where(used, statistics.shares, 1.0), self.components)
        if not self.magnitude:
            atoms = np.maximum(atoms, 0.0)
        n_causes = self.components.shape[0]
        return self._replace(
            components=atoms,
            probability=active_probability(statistics.counts / statistics.n_signals, n_causes, setting.max_active),
            noise_variance=max(statistics.misfit / statistics.n_observed, noise_floor),
        )

    def codes(self, block, setting):
        """Posterior means of the causes, their likeliest state, their probabilities, the reconstructions, and the log evidence."""
        weight = np.ones(block.signals.shape[0])
        evidence, inclusion, _, _, mean, state = self.expectations(block, setting, weight, sums=False, codes=True)
        return inclusion, state, inclusion, mean, evidence

    def render(self, codes):
        """The signals that codes stand for."""
        signals = np.zeros((codes.shape[0], self.components.shape[1]))
        for code, signal in zip(codes, signals, strict=True):
            active = np.flatnonzero(code)
            if active.size:
                shown = code[active, None] * self.components[active]
                largest = np.argmax(np.abs(shown) if self.magnitude else shown, axis=0)
                signal[:] = np.take_along_axis(shown, largest[None], axis=0)[0]
        return signals

    def shaken(self, noise):
        """The same model with noise added to the components."""
        atoms = self.components + noise
        return self._replace(components=atoms if self.magnitude else np.maximum(atoms, 0.0))

    def replaced(self, places, rows):
        """The same model with other components in these places."""
        components = self.components.copy()
        components[places] = rows if self.magnitude else np.maximum(rows, 0.0)
        return self._replace(components=components)

    def parameters(self):
        """What is learned, one array a kind."""
        return self.components, np.atleast_1d(self.probability), np.atleast_1d(self.noise_variance)
