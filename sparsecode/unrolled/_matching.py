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

from ..decomposition._checkpoint import generator_state, restored_generator
from ..networks import Adam, harm
from ._refinement import refine

__all__ = ["Schedule", "train"]

_FIRST_SHARE = 0.5
_COARSE_SHARE = 0.2  # at which steps on batches end where refinement follows
_FALLING = 0.5  # share of the matching steps in which gamma falls
_AVERAGED = 0.1  # share of the last steps whose weights are averaged
_FOLLOW = 0.1  # gain with which gamma follows its share
_BETAS = 0.9, 0.99
_JUDGED = 16  # batches of the final gradient
_KEPT = 50  # steps between two states in a checkpoint
_NUMBERS = ("history", "step", "gamma", "refined", "n_averaged")  # where a run stands


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
    harm: str  # what to say of it, if training did any; the weights are then those before
    history: dict


class _Batches:
    """Signals in random order, again and again, each time with fresh noise of variance one."""

    def __init__(self, signals, random):
        self.given, self.random = signals, random
        self.signals, self.place = signals[random.permutation(len(signals))], 0

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


def train(network, signals, schedule, random, *, begun=None, checkpoint=None) -> Trained:
    """Train the network in place on signals (n, d) in units of the noise; if that does harm, weights are those before it.

    A checkpoint keeps where the run stands, and the state of the generator before the network was drawn as `begun`.
    """
    run = _Run(network, signals, schedule, random, begun, checkpoint)
    harmed = _Harm(network, signals, schedule)
    if checkpoint is not None and checkpoint.saved is not None:
        run.restore(*checkpoint.saved)
    with np.errstate(over="ignore", invalid="ignore"):
        run.pretrain()
        if found := harmed(network):
            run.adam.restore(*run.before)
            return Trained(np.inf, np.inf, found, run.history)
        run.match()
        run.refine()
        if found := harmed(network):
            run.adam.restore(*run.before)
            return Trained(np.inf, np.inf, found, run.history)
        certificate = _stationarity(network, run.batches, schedule, run.gamma)
    return Trained(run.gamma, certificate, "", run.history)


class _Run:
    """Where training stands: so many steps of all phases done, or refined at last."""

    def __init__(self, network, signals, schedule, random, begun, checkpoint):
        self.network, self.schedule, self.begun, self.checkpoint = network, schedule, begun, checkpoint
        self.batches, self.adam = _Batches(signals, random), Adam(network.parameters, schedule.rate, betas=_BETAS)
        self.history: dict = {"gamma": [], "share": [], "gradient": []}
        self.before = self.adam.state()  # of the phase
        self.step, self.gamma, self.refined = 0, np.inf, False
        self.means, self.n_averaged = [part.copy() for part in network.parameters], 0

    def pretrain(self):
        """Steps on the absolute error."""
        while self.step < self.schedule.pretrain:
            _, sources, noisy = self.batches(self.schedule.batch, self.schedule.batch)
            trace = self.network.trace(noisy)
            pull = np.sign(self.network.gradient_of(trace) - sources) / len(noisy)
            self.adam.step(self.network.of_gradients(trace, pull))
            self.network.project()
            self._stepped()

    def match(self):
        """Steps of matching. Weights of the last steps are averaged: convex networks of one shape are a convex set."""
        schedule = self.schedule
        if self.step == schedule.pretrain and not self.refined:
            self.before = self.adam.state()
            _, sources, noisy = self.batches(schedule.batch, schedule.batch)
            self.gamma = float(np.sqrt(np.mean(np.sum((self.network.gradient(noisy) - sources) ** 2, axis=1)))) or 1.0
        for step in range(self.step - schedule.pretrain, schedule.steps):
            self._match(step)
            self._stepped()
        if self.n_averaged and not self.refined:
            for mean, part in zip(self.means, self.network.parameters, strict=True):
                part[...] = mean

    def _match(self, step):
        schedule = self.schedule
        last = max(schedule.share, _COARSE_SHARE) if schedule.refine else schedule.share
        done = min(step / (_FALLING * schedule.steps), 1.0)
        share = _FIRST_SHARE * (last / _FIRST_SHARE) ** done
        left = 1.0 - step / schedule.steps
        gradients, found, size = _gradients(self.network, self.batches, schedule, self.gamma, share)
        self.adam.step(gradients, schedule.rate * left)
        self.network.project()
        for name, value in zip(("gamma", "share", "gradient"), (self.gamma, found, size), strict=True):
            self.history[name].append(value)
        self.gamma *= float(np.clip((share / max(found, 1e-12)) ** _FOLLOW, 0.9, 1.1))
        if step >= (1.0 - _AVERAGED) * schedule.steps:
            self.n_averaged += 1
            for mean, part in zip(self.means, self.network.parameters, strict=True):
                mean[...] = part if self.n_averaged == 1 else mean + (part - mean) / self.n_averaged

    def refine(self):
        """Steps of L-BFGS, all of them or none: what they begin with is kept."""
        if self.schedule.refine and not self.refined and _finite(self.network):
            batches = self.batches
            self.gamma = refine(self.network, batches.given, self.schedule, self.gamma, batches.random, self.history)
            self.refined = True
            self._keep()

    def _stepped(self):
        self.step += 1
        last = self.step in (self.schedule.pretrain, self.schedule.pretrain + self.schedule.steps)
        if last or self.step % _KEPT == 0:
            self._keep()

    def _keep(self):
        """Put where the run stands into the checkpoint."""
        if self.checkpoint is None:
            return
        (now, arrays), (then, earlier) = self.adam.state(), self.before
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        numbers |= {"adam": now, "before": then, "place": self.batches.place}
        numbers |= {"random": generator_state(self.batches.random)}
        arrays |= {f"before_{name}": part for name, part in earlier.items()}
        arrays |= {f"average_{k}": part for k, part in enumerate(self.means)}
        self.checkpoint.save({"run": numbers, "begun": self.begun}, arrays)

    def restore(self, numbers, arrays):
        """Go on from there."""
        run = numbers["run"]
        for name in _NUMBERS:
            setattr(self, name, run[name])
        self.batches.place, self.batches.random = run["place"], restored_generator(run["random"])
        self.adam.restore(run["adam"], arrays)
        self.before = run["before"], {name[7:]: part for name, part in arrays.items() if name.startswith("before_")}
        for k, mean in enumerate(self.means):
            mean[...] = arrays[f"average_{k}"]


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


class _Harm:
    """What to say of a network that denoises worse than leaving signals as they are, than their mean, and than the one before training.

    A mode is no mean and has an error of its own, but never such a one.
    """

    def __init__(self, network, signals, schedule):
        random, self.rate = np.random.RandomState(0), schedule.rate  # its own: steps draw what they always drew
        self.signals = signals[
            np.linspace(0, len(signals) - 1, min(len(signals), _JUDGED * schedule.batch)).astype(int)
        ]
        self.noisy = self.signals + random.standard_normal(self.signals.shape).astype(signals.dtype)
        self.before = self._error(network.gradient(self.noisy))
        self.nothing = max(self._error(self.noisy), self._error(np.zeros_like(self.noisy)))

    def _error(self, images):
        return float(np.mean(np.square(images - self.signals, dtype=np.float64)))

    def __call__(self, network):
        last = self._error(network.gradient(self.noisy)) if _finite(network) else np.inf
        worst = max(self.before, self.nothing)
        return harm(last, worst, worst, self.rate, "the squared error of denoising", "that of doing nothing")
