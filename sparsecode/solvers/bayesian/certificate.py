"""The proof of sparse Bayesian learning: what any one variance could still gain, recomputed from the variances alone."""

from __future__ import annotations

import numpy as np

from ..._array import asarray_like, sq_norm, to_numpy
from ..certificates import Certificate
from .active import active_posterior, covariance_in_use
from .evidence import cavity, charged_move, noise_gain
from .gaussian import posterior
from .noise import least_learned
from .temporal import learned_correlation, rotated_posterior, rotation

__all__ = ["CERTIFICATE_NAME", "certifier", "covariances"]

CERTIFICATE_NAME = "largest gain of one variance (nats)"


def certifier(setting, noise_is_learned, correlation_is_learned=False):
    """The certificate of a belief: the largest gain of a variance, over all columns and, where it is learned, of the noise.

    Of a learned correlation, it is what one more step would change the evidence by.

    Its `point` holds the best value of every prior variance alone and its gain.
    """

    def certify(belief):
        prior, noise = belief.parameters["prior_variance"], belief.noise_variance
        correlation = belief.parameters.get("correlation")
        active = np.flatnonzero(prior)
        if correlation is None and active.size < setting.n_samples:
            now = active_posterior(setting, active, prior[active], noise)
            best, gain = now.moves(setting, prior)
            sq_residual, effective, evidence = now.sq_residual, now.effective, now.log_evidence
        else:
            best, gain, sq_residual, effective, evidence = _from_all(setting, prior, noise, correlation)
        worst = float(np.max(gain, initial=0.0))
        if noise_is_learned or "searching" in belief.parameters:
            shape = (setting.counted, setting.n_targets)
            worst = max(
                worst,
                float(noise_gain(sq_residual, effective, noise, shape, setting.complex_data, least_learned(setting))),
            )
        if correlation_is_learned and active.size:
            worst = max(worst, _correlation_step(setting, active, prior[active], noise, correlation))
        objective = setting.charge * active.size - setting.reported_evidence(evidence, noise)
        return Certificate(np.asarray(worst), np.asarray(objective), CERTIFICATE_NAME, (best, gain))

    return certify


def _from_all(setting, prior, noise, correlation):
    """The same from the covariance of the samples, and all columns at once."""
    columns = setting.columns(np.arange(prior.size))
    variances = asarray_like(prior, columns, dtype=setting.design.xp.float64)
    if correlation is None:
        now = posterior(columns, setting.target, variances, noise)
        quality_sq, sparsity = np.mean(np.abs(to_numpy(now.quality)) ** 2, axis=1), to_numpy(now.sparsity)
        there, factor = cavity(quality_sq, sparsity, prior), setting.half * setting.n_targets
        effective = float(prior @ sparsity)
    else:
        turn = rotation(correlation)
        now = rotated_posterior(columns, setting.target, variances, noise, turn)
        quality_sq, sparsity = turn.scales * np.abs(to_numpy(now.quality)) ** 2, turn.scales * to_numpy(now.sparsity)
        there, factor = cavity(quality_sq, sparsity, prior[:, None]), setting.half
        effective = float(prior @ np.mean(sparsity, axis=1))
    best, gain = charged_move(*there, prior, factor, setting.charge)
    sq_residual = float(np.sum(to_numpy(sq_norm(setting.target - columns @ now.mean))))
    return best, gain, sq_residual, effective, now.log_evidence


def _correlation_step(setting, active, prior, noise, correlation):
    """Nats by which one step of learning the correlation changes the evidence, either way."""
    columns = setting.columns(active)
    variances = asarray_like(prior, columns, dtype=setting.design.xp.float64)
    turn = rotation(correlation)
    now = rotated_posterior(columns, setting.target, variances, noise, turn)
    after = rotation(learned_correlation(now, prior, turn))
    return abs(rotated_posterior(columns, setting.target, variances, noise, after).log_evidence - now.log_evidence)


def covariances(setting, learned, noise):
    """Posterior covariance of the coefficients in use (k, k); of each target (L, k, k) where targets are correlated."""
    prior = learned["prior_variance"]
    active = np.flatnonzero(prior)
    columns = to_numpy(setting.design.columns(active))
    gram = columns.conj().T @ columns
    if "correlation" not in learned:
        return covariance_in_use(gram, prior[active], noise)[0]
    turn = rotation(learned["correlation"])
    parts = np.stack([covariance_in_use(gram, scale * prior[active], noise)[0] for scale in turn.scales])
    return np.tensordot(np.abs(turn.vectors) ** 2, parts, axes=1)
