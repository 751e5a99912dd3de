"""Causes with Gaussian amplitudes that add up: spike-and-slab sparse coding.

    y = sum_h s_h z_h W_h + noise,    P(s_h = 1) = pi,    z ~ N(mean, covariance),    noise ~ N(0, sigma^2 I)

Expectation maximisation; with S the active causes and w = s z,

    W = (sum <w> y^T, solved with sum <w w^T>),    sigma^2 = sum <||y - w W||^2> / number of observed entries
    mean_h = sum <w_h> / sum <s_h>,    variance_h = sum <w_h^2> / sum <s_h> - mean_h^2         (diagonal covariance)

A full covariance is learned from the amplitudes of all causes, active or not: ``mean += covariance a / n`` and ``covariance +=
covariance O covariance / n - (change of the mean)^2`` with a and O the sums of ``covariance_S^-1 (z_S - mean_S)`` and of its
square, less ``covariance_S^-1``. Atoms have norm one; their scale is that of the amplitudes.

Luecke and Sheikh, "Closed-form EM for sparse coding and its application to source separation", 2012 (arXiv 1105.2493). Sheikh,
Shelton and Luecke, "A truncated EM approach for spike-and-slab sparse coding", 2014 (arXiv 1211.3589).
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

__all__ = ["SpikeSlabCauses", "SpikeSlabStatistics"]

_FLAT = 1e-10  # of the mean square of an amplitude: its variance is no less
_UNUSED = 1e-12  # of a signal: amplitudes of causes that are active less often stay as they are


class SpikeSlabStatistics(NamedTuple):
    """What the posterior of signals says about a `SpikeSlabCauses`; sums over signals, so they add up.

    Attributes
    ----------
    code_gram : array of shape (1, H, H) or (n_features, H, H)
        Sum of ``<w w^T>``; with missing entries for each feature over the signals in which it was observed.
    code_signal : array of shape (H, n_features)
        Sum of ``<w> y^T``.
    usage : array of shape (H,)
        Sum of ``<s>``.
    amplitude : array of shape (H,)
        Sum of ``<w>``.
    square : array of shape (H,)
        Sum of ``<w^2>``.
    dual_mean : array of shape (H,) or (0,)
        For a full covariance: sum of ``covariance_S^-1 (<z_S> - mean_S)``.
    dual_second : array of shape (H, H) or (0, 0)
        For a full covariance: sum of the squares of the same, less ``covariance_S^-1``.
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
    >>> from sparsecode.solvers.probabilistic import SpikeSlabCauses, local_statistics
    >>> model = SpikeSlabCauses(np.eye(2), 0.2, np.zeros(2), np.eye(2), 0.01)
    >>> local_statistics(np.array([[2.0, 0.0]]), model).amplitude.round(2)
    array([1.98, 0.  ])
    """

    code_gram: Any
    code_signal: Any
    usage: Any
    amplitude: Any
    square: Any
    dual_mean: Any
    dual_second: Any
    n_signals: float
    n_observed: float
    sq_sum: float
    log_evidence: float


class SpikeSlabCauses(NamedTuple):
    """Causes that are inactive or have a Gaussian amplitude, and add up.

    Parameters
    ----------
    components : array of shape (H, n_features)
        What each cause contributes at the amplitude 1.
    probability : float
        Probability that a cause is active.
    mean : array of shape (H,)
        Means of the amplitudes.
    covariance : array of shape (H, H)
        Their covariance.
    noise_variance : float
        Variance of the noise of an entry.
    full : bool, default=False
        Whether updates learn the whole covariance, and not its diagonal alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import SpikeSlabCauses, posterior
    >>> model = SpikeSlabCauses(np.eye(2), 0.2, np.zeros(2), np.eye(2), 0.01)
    >>> posterior(np.array([[2.0, 0.0]]), model).mean.round(3)
    array([[1.98, 0.  ]])
    """

    components: Any
    probability: float
    mean: Any
    covariance: Any
    noise_variance: float
    full: bool = False

    def checked(self):
        """The same in double precision, or an error that names what is out of range."""
        components = as_parameter(self.components, "components", (None, None))
        n_causes = components.shape[0]
        covariance = as_parameter(self.covariance, "covariance", (n_causes, n_causes))
        least = np.min(np.linalg.eigvalsh(covariance))
        if not np.allclose(covariance, covariance.T) or least < -1e-10 * np.max(np.abs(covariance)):
            raise ValueError("covariance must be symmetric, without negative eigenvalues.")
        return self._replace(
            components=components,
            probability=check_probability(self.probability, "probability"),
            mean=as_parameter(self.mean, "mean", (n_causes,)),
            covariance=covariance,
            noise_variance=as_number(self.noise_variance, "noise_variance", strict=True),
        )

    @property
    def n_values(self):
        """Number of kinds of an active cause."""
        return 1

    @property
    def activity(self):
        """Probability that a cause is active."""
        return float(self.probability)

    @property
    def is_signed(self):
        """Whether a cause and its negative are one, and causes add up to sums that stand for differences."""
        return False

    @property
    def may_overshoot(self):
        """Never: an update maximises the expected log joint density."""
        return False

    def expectations(self, block, setting, weight, *, sums=True, best=False):
        """Log evidence of each signal, moments of its causes, sums over pairs and for the covariance, likeliest states."""
        from ...kernels.slab_causes import slab_posterior

        n, n_features = block.signals.shape
        n_causes = self.components.shape[0]
        precision = 1.0 / (self.noise_variance * setting.temperature)
        log_odds = float(np.log(self.probability) - np.log1p(-self.probability))
        dots = block.signals @ self.components.T
        single = self._single(dots, block.over_observed(self.components.T**2), precision)
        single[0] += log_odds
        layers = 0 if not sums else 1 if block.is_complete else n_features
        pairs = np.zeros((layers, n_causes, n_causes) if sums else (0, 0, 0))
        full = n_causes if sums and self.full else 0
        dual = np.zeros(full), np.zeros((full, full))
        evidence = np.empty(n)
        inclusion, amplitude, square = (np.zeros((n, n_causes)) for _ in range(3))
        state = np.zeros((n, n_causes) if best else (0, 0))
        slab_posterior(
            dots,
            self.components @ self.components.T,
            self.components,
            block.observed,
            self.mean,
            self.covariance,
            *single,
            log_odds,
            precision,
            best_candidates(single[0], setting.n_candidates),
            setting.table.parent,
            setting.table.unit,
            setting.table.depth,
            weight,
            evidence,
            inclusion,
            amplitude,
            square,
            pairs,
            *dual,
            state,
        )
        evidence += log_likelihood_of_nothing(block, self.noise_variance, setting.temperature)
        evidence += n_causes * np.log1p(-self.probability)
        return evidence, (inclusion, amplitude, square), pairs, dual, state

    def _single(self, dots, norms, precision):
        """Log evidence of each cause alone against none, and mean and variance of its amplitude, (n, H) each."""
        variance = np.diagonal(self.covariance)
        shrink = 1.0 / (1.0 + precision * variance * norms)
        pull = precision * (dots - norms * self.mean)
        gain = precision * self.mean * (dots - 0.5 * norms * self.mean)
        score = gain + 0.5 * variance * pull**2 * shrink + 0.5 * np.log(shrink)
        return [score, self.mean + variance * pull * shrink, variance * shrink]

    def statistics(self, block, setting, weight) -> SpikeSlabStatistics:
        """Sums over the signals of a block that have weight one."""
        evidence, (inclusion, amplitude, square), pairs, (dual_mean, dual_second), _ = self.expectations(
            block, setting, weight
        )
        pairs = pairs + np.swapaxes(pairs, 1, 2)
        places = np.arange(pairs.shape[1])
        pairs[:, places, places] += block.per_feature(square)
        return SpikeSlabStatistics(
            pairs,
            amplitude.T @ block.signals,
            np.sum(inclusion, axis=0),
            np.sum(amplitude, axis=0),
            np.sum(square, axis=0),
            dual_mean,
            dual_second,
            float(np.sum(weight)),
            float(weight @ block.n_observed),
            float(weight @ block.sq_norms),
            float(weight @ evidence),
        )

    def updated(self, statistics, setting, noise_floor):
        """The parameters that maximise the expected log joint density, with atoms of norm one."""
        return self.maximised(statistics, setting, noise_floor).normalised()

    def maximised(self, statistics, setting, noise_floor):
        """The same at the scale of the amplitudes that the statistics are of."""
        atoms = solve_atoms(statistics.code_gram, statistics.code_signal, self.components)
        misfit = expected_misfit(statistics, statistics.code_gram, statistics.code_signal, atoms)
        mean, covariance = self._learned_slab(statistics)
        activity = float(np.sum(statistics.usage)) / statistics.n_signals
        return self._replace(
            components=atoms,
            probability=active_probability(activity, atoms.shape[0], setting.max_active),
            mean=mean,
            covariance=covariance,
            noise_variance=max(misfit / statistics.n_observed, noise_floor),
        )

    def _learned_slab(self, statistics):
        """Mean and covariance of the amplitudes."""
        if self.full:
            shift = self.covariance @ statistics.dual_mean / statistics.n_signals
            growth = self.covariance @ statistics.dual_second @ self.covariance / statistics.n_signals
            mean, covariance = self.mean + shift, self.covariance + growth - np.outer(shift, shift)
            covariance = 0.5 * (covariance + covariance.T)
            variance = np.diagonal(covariance)
        else:
            used = statistics.usage > _UNUSED * statistics.n_signals
            usage = np.where(used, statistics.usage, 1.0)
            mean = np.where(used, statistics.amplitude / usage, self.mean)
            variance = np.where(used, statistics.square / usage - mean**2, np.diagonal(self.covariance))
            covariance = np.zeros_like(self.covariance)
        least = _FLAT * (mean**2 + np.abs(variance))
        np.fill_diagonal(covariance, np.maximum(variance, np.where(least > 0, least, 1.0)))
        return mean, covariance

    def normalised(self):
        """The same model with atoms of norm one."""
        norms = np.linalg.norm(self.components, axis=1)
        norms = np.where(norms > 0, norms, 1.0)
        return self._replace(
            components=self.components / norms[:, None],
            mean=self.mean * norms,
            covariance=self.covariance * norms * norms[:, None],
        )

    def codes(self, block, setting):
        """Posterior means of activity times amplitude, the likeliest state, probabilities, reconstructions, log evidence."""
        weight = np.ones(block.signals.shape[0])
        evidence, (inclusion, amplitude, _), _, _, state = self.expectations(
            block, setting, weight, sums=False, best=True
        )
        return amplitude, state, inclusion, self.render(amplitude), evidence

    def render(self, codes):
        """The signals that codes stand for."""
        return codes @ self.components

    def shaken(self, noise):
        """The same model with noise added to the components, at the root mean square of their amplitudes."""
        amplitudes = np.sqrt(np.maximum(self.mean**2 + np.diagonal(self.covariance), 1e-300))
        return self._replace(components=self.components + noise / amplitudes[:, None]).normalised()

    def replaced(self, places, rows):
        """The same model with other components in these places, whose amplitudes are of either sign and of the length of these."""
        components, mean, covariance = self.components.copy(), self.mean.copy(), self.covariance.copy()
        norms = np.linalg.norm(rows, axis=1)
        components[places] = rows / np.where(norms > 0, norms, 1.0)[:, None]
        mean[places] = 0.0
        covariance[places] = 0.0
        covariance[:, places] = 0.0
        covariance[places, places] = norms**2
        return self._replace(components=components, mean=mean, covariance=covariance)

    def parameters(self):
        """What is learned, one array a kind."""
        slab = np.concatenate([self.mean, np.sqrt(np.diagonal(self.covariance))])  # a mean may be zero
        return (
            self.components,
            np.atleast_1d(self.probability),
            slab,
            self.covariance,
            np.atleast_1d(self.noise_variance),
        )
