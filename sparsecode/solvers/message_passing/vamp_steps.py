"""The iteration of vector approximate message passing, its start and its certificate; arrays have one column a target.

With one economic singular value decomposition ``A = U diag(s) V^H`` of rank R, noise variance s2 and ``u = U^H y``:

    x1 = E[x | r1, 1/g1]                                      e1 = 1 / mean Var     g2 = e1 - g1     r2 = (e1 x1 - g1 r1) / g2
    x2 = V d (s u / s2 + g2 V^H r2) + (1 - V V^H) r2          d = 1 / (s^2 / s2 + g2)
    e2 = N / (sum d + (N - R) / g2)                           g1 = e2 - g2          r1 = (e2 x2 - g2 r2) / g1

so that x1 knows the prior and x2 the data; at a fixed point they agree, in mean and in mean variance. A step b < 1 damps g1, g1 r1,
g2 and g2 r2. Where the data see every direction g2 may be negative, as long as d is not.

Rangan, Schniter and Fletcher, "Vector approximate message passing", 2019 (arXiv 1610.03082).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, dagger, real_part, sq_norm, to_numpy
from ...channels import GaussianChannel
from ...priors._numbers import parameter
from ..belief import Belief
from ..certificates import Certificate
from .message_loop import change, damped

__all__ = ["Messages", "Model", "Vamp", "certify", "decomposed"]

_SHARE = 1e-6  # of what is known: what a half adds is never less
_TAKEN = 0.2  # of the least precision that the data give: what the prior may take back
_LEAST = 1e-12  # share of the variance before that an estimate keeps
_SPREAD = 1e-285  # the least variance whose shares have an inverse
_WEAK = 1e-3  # of the prior's precision: what is known before the data are seen
_NOTHING = 1e-12  # of the largest singular value: below, a direction is not seen
_BLOWN = 1e4  # times the energy of the target, by which no misfit of a sane estimate exceeds it


class Model(NamedTuple):
    """The singular value decomposition of the design and the target in its terms, in double precision."""

    right: Any  # V, (n_features, rank)
    values: Any  # s, (rank, 1)
    data: Any  # U^H y, (rank, n_targets)
    outside: Any  # squared norm of what no coefficients can explain, NumPy (n_targets,)
    n_samples: float  # as many as the likelihood counts
    like: Any  # an empty array in the dtype of the answer
    single: bool  # whether the answer is one-dimensional

    @property
    def n_features(self):
        """How many coefficients there are."""
        return self.right.shape[0]

    @property
    def sees_all(self):
        """Whether no direction of the coefficients is hidden from the data."""
        return self.values.shape[0] == self.n_features

    def sq_residual(self, turned):
        """``||y - A x||^2`` from ``V^H x``, NumPy (n_targets,)."""
        return self.outside + np.asarray(to_numpy(sq_norm(self.data - self.values * turned)))


class Messages(NamedTuple):
    """Where an iteration stands: r1, 1/g1 are `pseudo` and `pseudo_variance`, the denoiser's last question."""

    mean: Any  # x1, (n_features, n_targets)
    variance: Any
    pseudo: Any
    pseudo_variance: Any  # (1, n_targets)
    linear: Any  # g2 r2
    precision: Any  # g2, (1, n_targets)
    turned: Any = None  # V^H x2
    inner_variance: Any = None  # d, (rank, n_targets)

    def of_prior(self, n_features):
        """What the prior is asked: the coefficients as the data see them, and with which variance."""
        return self.pseudo, self.pseudo_variance


def decomposed(design, target, single, counted):
    """The model of a design and targets (n_samples, n_targets)."""
    xp = array_namespace(target)
    wide = as_double(target)
    matrix = as_double(design.array if hasattr(design, "array") else design.columns(np.arange(design.shape[1])))
    left, values, right = xp.linalg.svd(xp.astype(matrix, wide.dtype, copy=False), full_matrices=False)
    seen = max(1, int(xp.sum(xp.astype(values > _NOTHING * values[0], xp.int64))))
    left, values, right = left[:, :seen], values[:seen], right[:seen, :]
    data = dagger(left) @ wide
    outside = np.asarray(to_numpy(sq_norm(wide - left @ data)))
    return Model(dagger(right), values[:, None], data, outside, counted, target[:0, :], single)


def certify(model, belief):
    """How far x1 is from x2 and from the x1 of one more undamped iteration, relative, from the belief's messages alone."""
    now, prior = belief.parameters["messages"], belief.parameters["prior"]
    mean = as_double(belief.mean)[:, None] if model.single else as_double(belief.mean)
    noise = belief.parameters["channel"].noise_variance
    now = now._replace(mean=mean, variance=_denoised(prior, now.pseudo, now.pseudo_variance)[1])
    noise = parameter(noise, now.pseudo_variance)
    after, other = _other_half(model, noise, _half(model, noise, now, None), None)
    again, _ = prior.denoise(after.pseudo, after.pseudo_variance)
    moved = np.maximum(change(mean, again), change(mean, other))
    objective = model.sq_residual(dagger(model.right) @ mean) / (2.0 * model.n_samples)
    value, objective = (moved[0], objective[0]) if model.single else (moved, objective)
    return Certificate(value, objective, "relative change under one more iteration")


def _denoised(prior, pseudo, variance):
    mean, spread = prior.denoise(pseudo, variance)
    return mean, spread + 0 * real_part(pseudo)


def _half(model, noise, now, step):
    """The damped g2 and g2 r2 that follow from x1."""
    xp = array_namespace(now.pseudo)
    precision = 1.0 / now.pseudo_variance
    first = 1.0 / xp.maximum(xp.mean(now.variance, axis=0, keepdims=True), _LEAST * now.pseudo_variance)
    least = _SHARE * first
    if model.sees_all:  # then the data alone determine x2, and the prior may take precision back
        least = -_TAKEN * xp.min(model.values, axis=0, keepdims=True) ** 2 / noise + 0 * first
    given = damped(step, xp.maximum(first - precision, least), now.precision)
    linear = damped(step, first * now.mean - precision * now.pseudo, now.linear)
    return now._replace(linear=linear, precision=xp.maximum(given, least))


def _other_half(model, noise, now, step):
    """The damped r1 and 1/g1 that follow from x2, and x2."""
    xp = array_namespace(now.pseudo)
    inner = 1.0 / (model.values**2 / noise + now.precision)
    within = dagger(model.right) @ now.linear
    turned = inner * (model.values * model.data / noise + within)
    second, spread = model.right @ turned, xp.sum(inner, axis=0, keepdims=True)
    if not model.sees_all:
        second = second + (now.linear - model.right @ within) / now.precision
        spread = spread + (model.n_features - model.values.shape[0]) / now.precision
    known, before = model.n_features / spread, 1.0 / now.pseudo_variance
    precision = damped(step, xp.maximum(known - now.precision, _SHARE * known), before)
    pull = damped(step, known * second - now.linear, before * now.pseudo)
    after = now._replace(pseudo=pull / precision, pseudo_variance=1.0 / precision, turned=turned, inner_variance=inner)
    return after, second


class Vamp:
    """The iteration as the loop of message passing wants it; `prior` and `channel` are `Learner`s."""

    def __init__(self, model, prior, channel):
        self.model, self.prior, self.channel = model, prior, channel
        self.learners = (prior, channel)
        self._energy = model.outside + np.asarray(to_numpy(sq_norm(model.data)))

    def start(self):
        """The messages before the data are seen."""
        prior, data = self.prior.part, self.model.data
        center, spread = prior.moments()
        nothing = asarray_like(np.zeros((self.model.n_features, data.shape[1])), data, dtype=data.dtype)
        level = real_part(nothing[:1, :]) + parameter(np.where(spread > 0, np.maximum(spread, _SPREAD), 1.0), nothing)
        pseudo, variance = nothing + parameter(center, nothing), level / _WEAK
        mean, spread = _denoised(prior, pseudo, variance)
        return Messages(mean, spread, pseudo, variance, pseudo / level, 1.0 / level)

    def after(self, now, step):
        """The messages an iteration later: the next r1, and what the prior says of that."""
        noise = parameter(self.channel.part.noise_variance, now.pseudo_variance)
        now, _ = _other_half(self.model, noise, _half(self.model, noise, now, step), step)
        mean, variance = _denoised(self.prior.part, now.pseudo, now.pseudo_variance)
        return now._replace(mean=mean, variance=variance)

    def blown(self, now):
        """Which targets diverged."""
        return ~(self.model.sq_residual(now.turned) <= _BLOWN * self._energy)

    def learn(self, now):
        """Let prior and noise learn."""
        self.prior.update(lambda part: part.learned(now.pseudo, now.pseudo_variance))
        xp = array_namespace(now.pseudo)
        explained = np.asarray(to_numpy(xp.sum(self.model.values**2 * now.inner_variance, axis=0)))
        mean_sq = (self.model.sq_residual(now.turned) + explained) / self.model.n_samples
        self.channel.update(lambda part: GaussianChannel(mean_sq))

    def belief(self, now):
        """What is known of the coefficients."""
        xp = array_namespace(now.mean)
        dtype = self.model.like.dtype
        mean, variance = xp.astype(now.mean, dtype), xp.astype(now.variance, real_part(self.model.like).dtype)
        return Belief(
            mean=mean[:, 0] if self.model.single else mean,
            variance=variance[:, 0] if self.model.single else variance,
            noise_variance=self.channel.part.noise_variance,
            parameters={
                "prior": self.prior.part,
                "channel": self.channel.part,
                "messages": now,
                "directions": self.model.right,
            },
        )
