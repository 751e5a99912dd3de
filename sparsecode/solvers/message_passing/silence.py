"""What is learned from targets that are zero: a prior without coefficients and noise without variance.

Such a target has no units, so that a start of the learning would be an answer in units of its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..._array import array_namespace, asarray_like
from ...channels import GaussianChannel
from ...channels._numbers import average, modulus_sq
from ...priors import BernoulliGaussian

__all__ = ["silenced"]


def silenced(result, target, shares=None, *, finds_prior, finds_noise):
    """The result of targets (n_samples, n_targets), with what was found for those that are zero as nothing."""
    prior, channel, messages = (result.parameters[name] for name in ("prior", "channel", "messages"))
    silent = average(modulus_sq(target), shares) == 0
    if not silent.any() or not isinstance(channel, GaussianChannel):
        return result
    variance = result.variance
    if finds_noise:
        channel = GaussianChannel(np.where(silent, 0.0, channel.noise_variance))
    if finds_prior:
        prior = BernoulliGaussian(np.where(silent, 0.0, prior.rate), prior.mean, prior.variance)
        variance = _where(silent, 0.0, variance)
        messages = messages._replace(variance=_where(silent, 0.0, messages.variance))
        if getattr(messages, "inner_variance", None) is not None:  # of the linear estimate of vector message passing
            messages = messages._replace(
                inner_variance=_where(silent, 0.0, messages.inner_variance),
                precision=_where(silent, np.inf, messages.precision),
            )
    learned = {"prior": prior, "channel": channel, "messages": messages}
    return replace(result, variance=variance, parameters=result.parameters | learned)


def _where(silent, value, array):
    """The array (n, n_targets), or of a single target (n,), with a number in the place of silent targets."""
    chosen = asarray_like(silent if array.ndim == 1 else silent[None, :], array)
    return array_namespace(array).where(chosen, asarray_like(value, array, dtype=array.dtype), array)
