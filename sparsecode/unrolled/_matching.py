"""Training of proximal networks: noisy signals are mapped to the mode of their posterior.

    minimise over convex psi   E [ 1 - exp(-||grad psi(y) - x||^2 / gamma^2) ],      y = x + noise

after steps on the absolute error ``||grad psi(y) - x||_1``, with gamma falling. Which x a point y came from is drawn once where data
are made, but the loss need not hold on to it: given y, any signal x of the batch may have been the source, with a probability known from
the noise. The mean over all of them has the same expectation and far less variance; in many dimensions only the true source is likely,
and nothing is lost. Gamma follows from a share: the mean of ``exp(-||f(y) - x||^2 / gamma^2)``, which means the same in any dimension,
where a gamma that is right for one number never meets a signal of many. Where gamma is small, `_refinement` goes on.

Fang, Buchanan and Sulam, "What's in a prior? Learned proximal networks for inverse problems", 2024 (arXiv 2310.14344).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..networks import Adam
from ._refinement import refine

__all__ = ["Schedule", "train"]

_FIRST_SHARE = 0.5
_COARSE_SHARE = 0.2  # at which steps on batches end where refinement follows
_FALLING = 0.5  # share of the matching steps in which gamma falls
_AVERAGED = 0.1  # share of the last steps whose weights are averaged
_FOLLOW = 0.1  # gain with which gamma follows its share
_BETAS = 0.9, 0.99
_JUDGED = 16  # batches of the final gradient


class Schedule(NamedTuple):
    """How a network is trained."""

    pretrain: int  # steps on the absolute error
    steps: int  # of matching
    refine: int  # steps on a fixed sample for each of the gammas
    share: float  # at which gamma ends
    rate: float
    batch: int  # noisy points in a step
    met: int  # signals that a point meets within reach of gamma, as far as there are so many


class Trained(NamedTuple):
    """What training tells."""

    gamma: float
    certificate: float  # relative norm of the gradient
    fine: bool  # whether all numbers stayed in range
    history: dict


class _Batches:
    """Signals in random order, again and again, each time with fresh noise of variance one."""

    def __init__(self, signals, random):
        self.signals, self.random = signals[random.permutation(len(signals))], random
        self.place = 0

    def __call__(self, count, n_noisy):
        """So many signals, sorted by their first column, and noisy copies of some of them with their sources."""
        count = min(max(count, n_noisy), len(self.signals))
        if self.place + count > len(self.signals):
            self.place = 0
        chosen = self.signals[self.place : self.place + count]
        self.place += count
        sources = chosen[:n_noisy]
        noisy = sources + self.random.standard_normal(sources.shape).astype(sources.dtype)
        order = np.argsort(chosen[:, 0], kind="stable")
        return chosen[order], sources, noisy


def train(network, signals, schedule, random) -> Trained:
    """Train the network in place on signals (n, d) in units of the noise; if numbers leave their range, weights are those before it."""
    batches, adam = _Batches(signals, random), Adam(network.parameters, schedule.rate, betas=_BETAS)
    history: dict = {"gamma": [], "share": [], "gradient": []}
    start = adam.state()
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(schedule.pretrain):
            _, sources, noisy = batches(schedule.batch, schedule.batch)
            trace = network.trace(noisy)
            pull = np.sign(network.gradient_of(trace) - sources) / len(noisy)
            adam.step(network.of_gradients(trace, pull))
            network.project()
        middle = adam.state()
        if not _finite(network):
            adam.restore(*start)
            return Trained(np.inf, np.inf, False, history)
        gamma = _match(network, adam, batches, schedule, history)
        if schedule.refine and _finite(network):
            gamma = refine(network, signals, schedule, gamma, random, history)
        if not _finite(network):
            adam.restore(*middle)
            return Trained(np.inf, np.inf, False, history)
        certificate = _stationarity(network, batches, schedule, gamma)
    return Trained(gamma, certificate, True, history)


def _match(network, adam, batches, schedule, history):
    """Steps of matching; the last gamma. Weights of the last steps are averaged: convex networks of one shape are a convex set."""
    _, sources, noisy = batches(schedule.batch, schedule.batch)
    gamma = float(np.sqrt(np.mean(np.sum((network.gradient(noisy) - sources) ** 2, axis=1)))) or 1.0
    last = max(schedule.share, _COARSE_SHARE) if schedule.refine else schedule.share
    means, n_averaged = None, 0
    for step in range(schedule.steps):
        done = min(step / (_FALLING * schedule.steps), 1.0)
        share = _FIRST_SHARE * (last / _FIRST_SHARE) ** done
        left = 1.0 - step / schedule.steps
        gradients, found, size = _gradients(network, batches, schedule, gamma, share)
        adam.step(gradients, schedule.rate * left)
        network.project()
        for name, value in zip(("gamma", "share", "gradient"), (gamma, found, size), strict=True):
            history[name].append(value)
        gamma *= float(np.clip((share / max(found, 1e-12)) ** _FOLLOW, 0.9, 1.1))
        if step >= (1.0 - _AVERAGED) * schedule.steps:
            n_averaged += 1
            means = [part.copy() for part in network.parameters] if means is None else means
            for mean, part in zip(means, network.parameters, strict=True):
                mean += (part - mean) / n_averaged
    for mean, part in zip(means or network.parameters, network.parameters, strict=True):
        part[...] = mean
    return gamma


def _gradients(network, batches, schedule, gamma, share):
    """Gradient of the loss in the parameters, times gamma to be of one size throughout; the share found, and the gradient's norm."""
    from ..kernels.matching import matched_pulls

    signals, sources, noisy = batches(round(schedule.met / share), schedule.batch)
    trace = network.trace(noisy)
    images = network.gradient_of(trace)
    pulls, shares = np.empty_like(images), np.empty(len(images), dtype=images.dtype)
    counts = np.ones(len(signals), dtype=signals.dtype)
    matched_pulls(images, noisy, sources, signals, counts, 1.0, gamma, pulls, shares)
    gradients = network.of_gradients(trace, pulls * (gamma / len(images)))
    return gradients, float(np.mean(shares)), float(np.sqrt(sum(np.vdot(part, part) for part in gradients)))


def _stationarity(network, batches, schedule, gamma):
    """Norm of the mean gradient of some batches over their root mean square norm, as far as the bounds at zero let it act."""
    free = [np.ones(part.shape, dtype=bool) for part in network.parameters]
    bounded = network.bounded()
    drawn = [_gradients(network, batches, schedule, gamma, schedule.share)[0] for _ in range(_JUDGED)]
    mean = [np.mean([batch[k] for batch in drawn], axis=0) for k in range(len(free))]
    for k, part in enumerate(network.parameters):
        if bounded[k]:
            free[k] = (part > 0) | (mean[k] < 0)
    total = sum(np.sum(part[chosen] ** 2, dtype=np.float64) for part, chosen in zip(mean, free, strict=True))
    each = np.mean(
        [
            sum(np.sum(part[chosen] ** 2, dtype=np.float64) for part, chosen in zip(batch, free, strict=True))
            for batch in drawn
        ]
    )
    return float(np.sqrt(total / each)) if each > 0 else 0.0


def _finite(network):
    return all(np.all(np.isfinite(part)) for part in network.parameters)
