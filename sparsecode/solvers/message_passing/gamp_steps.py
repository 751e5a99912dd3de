"""The iteration of generalised approximate message passing, its start and its certificate; arrays have one column a target.

    vp = |A|^2 vx             p = A x - vp s                     what the samples are believed to be before they are seen
    s  = (E[z | y, z ~ N(p, vp)] - p) / vp,    vs = (1 - Var[z | ...] / vp) / vp
    vr = 1 / (|A|^2)^T vs     r = x + vr A^H s                   each coefficient, seen through noise of variance vr
    x  = E[x | r, vr],        vx = Var[x | r, vr]

A step b < 1 damps vp, s, vs and the x in r. Damping the means alone would not do: variances that shrink before the means have moved
leave them where they are.

Rangan, "Generalized approximate message passing for estimation with random linear mixing", 2011 (arXiv 1010.5141).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, device, is_single, norm, real_part, to_numpy
from ...priors._numbers import parameter, power
from ..certificates import Certificate
from .message_loop import change, damped

__all__ = ["Messages", "Model", "advance", "certify", "inverse", "start"]

_ROUNDING = {True: 2e-2, False: 4e-9}  # single or double: moves by rounding are less of it than any tolerance
_UNSEEN = 1e12  # variance of what a zero column says, in units of the least uncertain coefficient


class Model(NamedTuple):
    """What an iteration needs to know; `added` unknowns without a prior and exact zero observations come last."""

    design: Any
    squares: Any
    target: Any  # (n_samples, n_targets)
    added: int = 0
    weights: Any = None  # the added unknowns are weights^T x
    single: bool = False  # whether the answer is one-dimensional
    counts: Any = None  # how often each sample is seen, (n_samples, 1), the added ones once

    @property
    def n_features(self):
        """How many coefficients have a prior."""
        return self.design.shape[1] - self.added

    @property
    def shares(self):
        """The counts of the samples as weights of sum one, NumPy (n_samples, 1)."""
        if self.counts is None:
            return None
        counts = np.asarray(to_numpy(as_double(self.counts)))[: self.target.shape[0], :]
        return counts / np.sum(counts)

    def in_double(self):
        """The same model in double precision."""
        return self._replace(
            design=self.design.in_double(),
            squares=self.squares.in_double(),
            target=as_double(self.target),
            counts=None if self.counts is None else as_double(self.counts),
        )


class Messages(NamedTuple):
    """Where an iteration stands; `pseudo` is r and `pseudo_variance` vr, the denoiser's last question."""

    mean: Any  # x, (n_features, n_targets)
    variance: Any  # vx
    score: Any  # s, (n_samples, n_targets)
    information: Any  # vs
    image_variance: Any  # vp
    anchor: Any  # the damped mean
    pseudo: Any
    pseudo_variance: Any
    image: Any = None  # A x of the mean before
    image_mean: Any = None  # p

    def of_prior(self, n_features):
        """What the prior is asked: the coefficients as the data see them, and with which variance."""
        variance = self.pseudo_variance
        return self.pseudo[:n_features, :], variance if variance.shape[0] == 1 else variance[:n_features, :]


def start(model, prior):
    """The messages before the data are seen."""
    xp = array_namespace(model.target)
    n_samples, n_features = model.design.shape
    n_targets = model.target.shape[1]
    like = xp.zeros((n_features - model.added, n_targets), dtype=model.target.dtype, device=device(model.target))
    center, spread = (parameter(np.asarray(moment), like) for moment in prior.moments())
    mean, variance = like + center, real_part(like) + spread
    if model.added:
        weights = model.weights.T
        mean = xp.concat([mean, weights @ mean], axis=0)
        variance = xp.concat([variance, power(weights) @ variance], axis=0)
    spread_out = model.squares.spread(variance)
    return Messages(
        mean=mean,
        variance=variance,
        score=xp.zeros((n_samples, n_targets), dtype=mean.dtype, device=device(mean)),
        information=0 * spread_out,
        image_variance=spread_out,
        anchor=mean,
        pseudo=mean,
        pseudo_variance=variance if spread_out.shape[0] == n_samples else xp.mean(variance, axis=0, keepdims=True),
    )


def advance(model, prior, channel, now, step) -> Messages:
    """One iteration with steps of these lengths, (1, n_targets); None does not damp."""
    image = model.design.matvec(now.mean)
    image_variance = damped(step, model.squares.spread(now.variance), now.image_variance)
    image_mean = image - image_variance * now.score
    score, information = _observe(model, channel, image_mean, image_variance)
    score = damped(step, score, now.score)
    information = damped(step, information, now.information)
    anchor = damped(step, now.mean, now.anchor)
    seen, pull = information, score
    if model.counts is not None:  # the messages of a sample's copies are the same
        seen, pull = information if information.shape[0] == 1 else model.counts * information, model.counts * score
    pseudo_variance = inverse(model.squares.gather(seen))
    pseudo = anchor + pseudo_variance * model.design.rmatvec(pull)
    mean, variance = _denoise(model, prior, pseudo, pseudo_variance)
    return Messages(
        mean, variance, score, information, image_variance, anchor, pseudo, pseudo_variance, image, image_mean
    )


def _observe(model, channel, mean, variance):
    """Scores and informations of all samples, the added ones included, which are exact zeros."""
    xp = array_namespace(mean)
    n_samples, uniform = model.target.shape[0], variance.shape[0] == 1
    score, information = channel.score(
        model.target, mean[:n_samples, :], variance if uniform else variance[:n_samples, :]
    )
    if uniform and information.shape[0] > 1:
        shares = model.shares
        shares = 1.0 / n_samples if shares is None else asarray_like(shares, information, dtype=information.dtype)
        information = xp.sum(shares * information, axis=0, keepdims=True)
    if model.added:
        last = variance if uniform else variance[n_samples:, :]
        exact = 1.0 / xp.maximum(last, xp.finfo(last.dtype).smallest_normal * xp.ones_like(last))
        score = xp.concat([score, -mean[n_samples:, :] * exact], axis=0)
        if not uniform:
            information = xp.concat([information, exact], axis=0)
    return score, information


def _denoise(model, prior, pseudo, pseudo_variance):
    """The prior's estimates, and of the added unknowns what was seen of them."""
    xp = array_namespace(pseudo)
    count, uniform = model.n_features, pseudo_variance.shape[0] == 1
    known = pseudo[:count, :] if model.added else pseudo
    mean, variance = prior.denoise(known, pseudo_variance if uniform else pseudo_variance[:count, :])
    if variance.shape != known.shape:
        variance = variance + 0 * real_part(known)
    if not model.added:
        return mean, variance
    seen = 0 * real_part(pseudo[count:, :]) + (pseudo_variance if uniform else pseudo_variance[count:, :])
    return xp.concat([mean, pseudo[count:, :]], axis=0), xp.concat([variance, seen], axis=0)


def inverse(information):
    """Its inverse; a column that no sample sees has a variance too large to say anything."""
    xp = array_namespace(information)
    if bool(xp.min(information) > 0):
        return 1.0 / information
    one = xp.ones_like(information)
    seen = information > 0
    most = xp.max(xp.where(seen, information, 0 * one), axis=0, keepdims=True)
    least = 1.0 / xp.where(most > 0, most, xp.ones_like(most))
    return xp.where(seen, 1.0 / xp.where(seen, information, one), _UNSEEN * least)


def certify(wide, belief):
    """The relative change under one more undamped iteration of this (double precision) model, from the belief's messages alone.

    Scores count as no smaller than those that rounding makes of fitted values in the messages' own precision: exact data have none.
    """
    now = belief.parameters["messages"]
    rounding = _ROUNDING[is_single(now.mean)]
    now = Messages(*(None if part is None else as_double(part) for part in now))
    after = advance(wide, belief.parameters["prior"], belief.parameters["channel"], now, None)
    of_rounding = rounding * to_numpy(norm(after.information * after.image))
    moved = np.maximum(change(now.mean, after.mean), change(now.score, after.score, of_rounding))
    n_samples = wide.target.shape[0]
    objective = belief.parameters["channel"].misfit(wide.target, after.image[:n_samples, :], wide.shares)
    value = moved[0] if wide.single else moved
    return Certificate(value, objective[0] if wide.single else objective, "relative change under one more iteration")
