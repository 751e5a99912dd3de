"""GAMP as the loop of message passing wants it: which passes it takes, what it learns, and what is known in the end."""

from __future__ import annotations

import numpy as np

from ..belief import Belief
from .compiled_steps import CompiledSteps, is_compilable
from .gamp_steps import advance, start

__all__ = ["Gamp"]

_BLOWN = 100.0  # times the misfit of the start: no transient rises that far and returns


class Gamp:
    """The iteration as the loop of message passing wants it; `prior` and `channel` are `Learner`s."""

    def __init__(self, model, prior, channel):
        self.model, self.prior, self.channel = model, prior, channel
        self.learners = (prior, channel)
        self._shares = model.shares
        rest = self._misfit(model.design.matvec(self.start().mean))
        self._most = rest + _BLOWN * np.abs(rest)
        self._compiled = CompiledSteps(model) if is_compilable(model, prior.part, channel.part) else None
        self._told = None  # what the compiled passes found on their way

    def start(self):
        """The messages before the data are seen."""
        return start(self.model, self.prior.part)

    def after(self, now, step):
        """The messages an iteration later."""
        if self._compiled is None:
            return advance(self.model, self.prior.part, self.channel.part, now, step)
        after, self._told = self._compiled.advance(self.prior.part, self.channel.part, now, step)
        return after

    def blown(self, now):
        """Which targets diverged: their misfit rose far above that of the start, or is no number any more."""
        told = self._of(now)
        return ~((self._misfit(now.image) if told is None else told.misfit) <= self._most)

    def learn(self, now):
        """Let prior and channel learn."""
        told = self._of(now)
        if told is not None:
            self.prior.update(lambda part: part.moved_to(told.statistics, self.model.n_features))
            self.channel.update(lambda part: type(part)(told.moment))
            return
        n_samples = self.model.target.shape[0]
        spread = now.image_variance if now.image_variance.shape[0] == 1 else now.image_variance[:n_samples, :]
        pseudo, variance = now.of_prior(self.model.n_features)
        self.prior.update(lambda part: part.learned(pseudo, variance))
        self.channel.update(
            lambda part: part.learned(self.model.target, now.image_mean[:n_samples, :], spread, self._shares)
        )

    def belief(self, now):
        """What is known of the coefficients."""
        mean, variance = now.mean[: self.model.n_features, :], now.variance[: self.model.n_features, :]
        return Belief(
            mean=mean[:, 0] if self.model.single else mean,
            variance=variance[:, 0] if self.model.single else variance,
            noise_variance=getattr(self.channel.part, "noise_variance", None),
            parameters={"prior": self.prior.part, "channel": self.channel.part, "messages": now},
        )

    def _misfit(self, image):
        fitted = image[: self.model.target.shape[0], :]
        return np.asarray(self.channel.part.misfit(self.model.target, fitted, self._shares))

    def _of(self, now):
        """What the compiled passes told of these messages; nothing where a target has been put back to its start since."""
        return self._told if self._told is not None and self._told.of is now else None
