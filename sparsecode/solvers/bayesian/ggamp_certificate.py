"""The proof of learning by message passing: what one variance could gain by it, and how far the mean is from the posterior's."""

from __future__ import annotations

import numpy as np

from ..._array import asarray_like, real_like, sq_norm, to_numpy
from ..certificates import Certificate
from ..message_passing.block_squares import moduli
from .evidence import charged_move, noise_gain
from .noise import least_learned
from .passing import Columns, Model, exchange, measured
from .ridge import Mean

__all__ = ["CERTIFICATE_NAME", "ggamp_certifier"]

CERTIFICATE_NAME = "largest gain of one variance by message passing (nats), or relative gap of the mean"
_SWEEPS, _CHANGE = 100, 1e-7  # of the variances; where they start has no say
_FEW = 5  # of those of more columns than samples: products with all of them, for a belief that is far from its end
_DOUBT, _FAINT = 1 / 6, 0.01  # share of the charge, and nats, by which a column must beat it to come back


def _entrance(charge):
    """What a column out of use must bring: message passing sees a column in use a little differently from one that is not."""
    return charge + max(_DOUBT * charge, _FAINT)


def ggamp_certifier(setting, noise):
    """The certificate of a belief, from its mean, prior variances and noise variance alone.

    It is the largest of three numbers: what changing one prior variance of any column could gain, as message passing sees it, where those
    out of use pay a sixth more of the charge and at least 0.01 nats more; the same of a learned noise variance; and the duality gap of the mean, relative to that at zero. Its `point` holds the
    best value of every prior variance alone and its gain.
    """
    squared = moduli(setting.design)

    def certify(belief):
        prior = belief.parameters["prior_variance"]
        value = belief.noise_variance if noise.learned else noise.value
        model = Model(setting, belief.parameters.get("correlation"))
        mean = model.forth(belief.mean)
        now, total, residual = _measure(model, prior, mean, value, belief.variance)
        towards = to_numpy(setting.design.rmatvec(residual)) / value
        information = to_numpy(squared.gather(1.0 / total))
        priors = model.priors(prior)
        gap = np.sum(np.abs(np.sqrt(priors) * towards - _over(mean, np.sqrt(priors))) ** 2)
        now = now._replace(
            quality=np.where(priors > 0, _over(mean, priors), towards),
            information=information,
            share=priors * information / (1.0 + priors * information),
        )
        charge = np.where(prior > 0, setting.charge, _entrance(setting.charge))
        quality_sq, sparsity = model.cavities(now, prior)
        best, gain = charged_move(quality_sq, sparsity, prior, model.factor, charge)
        worst = max(np.max(gain, initial=0.0), gap / (np.sum(to_numpy(sq_norm(model.target))) / value))
        if noise.learned:
            shape = (setting.counted, setting.n_targets)
            effective = float(np.sum(np.mean(now.share, axis=1)))
            floor = least_learned(setting)
            worst = max(worst, noise_gain(now.sq_residual, effective, value, shape, setting.complex_data, floor))
        objective = setting.charge * np.count_nonzero(prior) - setting.reported_evidence(now.log_evidence, value)
        return Certificate(np.asarray(worst), np.asarray(objective), CERTIFICATE_NAME, (best, gain))

    return certify


def _measure(model, prior, mean, noise, variance):
    """What the columns in use say, at the fixed point of the variances; with it, the variance of the samples and the residual."""
    setting, used = model.setting, np.flatnonzero(prior)
    columns = Columns(setting, used)
    target, covered = model.target, columns.indices
    priors = real_like(model.priors(prior[covered]), target)
    first = priors if model.turn is not None else asarray_like(variance[covered, None], target, dtype=priors.dtype)
    sweeps = _SWEEPS if used.size < setting.n_samples else _FEW
    passed = exchange(columns.moduli, priors, first, noise, sweeps, _CHANGE, model.share)
    coef = asarray_like(mean[covered], target)
    residual = target - columns.design.matvec(coef)
    scaled = asarray_like(_over(mean[covered], np.sqrt(to_numpy(priors))), target)
    return measured(model, priors, passed, Mean(coef, scaled, residual, 1), noise), passed.total, residual


def _over(above, below):
    """The quotient, zero where there is nothing to divide by."""
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0)
