"""An iteration of GAMP whose passes over samples and coefficients are compiled, for real NumPy data and parts that have such passes.

It gives the messages of `gamp_steps.advance`, and with them what the loop and the learners ask next, so that nothing is computed twice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...channels import GaussianChannel
from ...priors import LaplacePrior
from .gamp_steps import inverse

__all__ = ["CompiledSteps", "Told", "is_compilable"]

_INTERPRETED = (
    1 << 16
)  # entries of the design up to which numba is not even imported: an iteration costs a tenth of a millisecond


class Told(NamedTuple):
    """What the passes found on their way, of the messages `of`; NumPy, the last axis for targets."""

    of: Any
    misfit: Any  # half the mean of |y - z|^2
    moment: Any  # the noise variance that expectation maximisation moves to
    statistics: Any  # of the prior's components, (n_components, 3, n_targets), as its `moved_to` takes them; or None


def is_compilable(model, prior, channel):
    """Whether the passes exist: for Gaussian noise, mixtures of normal distributions and the mode of a Laplace prior."""
    if (
        type(model.target) is not np.ndarray
        or model.target.dtype.kind != "f"
        or model.added
        or model.counts is not None
    ):
        return False
    if not isinstance(channel, GaussianChannel) or model.design.shape[0] * model.design.shape[1] <= _INTERPRETED:
        return False
    if isinstance(prior, LaplacePrior):
        return prior.estimate == "map"
    return hasattr(prior, "moved_to") and not any(np.iscomplexobj(mean) for mean in prior.components()[1])


class CompiledSteps:
    """The steps from one set of messages to the next; parameters become arrays when they change."""

    def __init__(self, model):
        self.model = model
        self.target = np.ascontiguousarray(model.target)
        self._ones = np.ones(self.target.shape[1])
        self._prior = self._channel = self._parameters = self._noise = None
        self._pass: Any = None  # over the coefficients

    def advance(self, prior, channel, now, step):
        """One iteration with steps of these lengths, (1, n_targets) or None, and what it tells: `Messages` and `Told`."""
        from ...kernels.messages import gaussian_samples

        self._prepare(prior, channel)
        model = self.model
        step = self._ones if step is None else step[0, :].astype(np.float64)
        image = np.ascontiguousarray(model.design.matvec(now.mean))
        spread = np.ascontiguousarray(model.squares.spread(now.variance))
        center, score, information = np.empty_like(image), np.empty_like(image), np.empty_like(spread)
        before = now.score, now.information, now.image_variance
        noise = gaussian_samples(
            self.target, image, self._noise, step, *before, score, information, spread, center
        )  # (2, n_targets)
        seen = inverse(np.ascontiguousarray(model.squares.gather(information)))
        pull = np.ascontiguousarray(model.design.rmatvec(score))
        anchor, pseudo, mean = np.empty_like(pull), np.empty_like(pull), np.empty_like(pull)
        variance = np.empty_like(pull)
        found = self._pass(self._parameters, step, now.anchor, now.mean, pull, seen, anchor, pseudo, mean, variance)
        after = type(now)(mean, variance, score, information, spread, anchor, pseudo, seen, image, center)
        return after, Told(after, 0.5 * noise[0], noise[1], found)

    def _prepare(self, prior, channel):
        """The parameters as the passes take them, arrays whose last axis is that of targets."""
        from ...kernels.messages import mixture_coefficients, slab_coefficients, soft_coefficients

        if channel is not self._channel:
            self._channel, self._noise = channel, _row(channel.noise_variance, self._ones)
        if prior is self._prior:
            return
        self._prior = prior
        if isinstance(prior, LaplacePrior):
            self._pass, self._parameters = soft_coefficients, _row(prior.scale, self._ones)
            return
        weights, means, variances = parameters = tuple(_table(values, self._ones) for values in prior.components())
        is_slab = len(weights) == 2 and not means[0].any() and not variances[0].any() and variances[1].all()
        self._pass, self._parameters = (slab_coefficients if is_slab else mixture_coefficients), parameters


def _row(value, ones):
    return ones * value


def _table(values, ones):
    """The parameters of components, numbers or one a target, as an array (n_components, n_targets)."""
    table = np.empty((len(values), ones.size))
    for k, value in enumerate(values):
        table[k] = value
    return table
