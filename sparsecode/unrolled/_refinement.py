"""The end of proximal matching, where gamma is small: L-BFGS on one large sample of noisy points against all signals.

Near the mode the loss is flat and gradients of batches are all noise, so steps on batches stop short of it. On points that stay the loss is
an ordinary function, with bounds, of few parameters. Signals in one cell of a grid, small beside gamma, count as one at their mean: of
millions of numbers some thousands are left; of signals of many entries, none fall together and nothing changes.

Byrd, Lu, Nocedal and Zhu, "A limited memory algorithm for bound constrained optimization", SIAM Journal on Scientific Computing, 1995.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, minimize

__all__ = ["cells", "refine"]

_BATCHES = 16  # of noisy points in the sample
_START_SHARE = 0.2
_CELLS = 4  # a gamma
_LARGEST_CELL = 0.125  # in units of the noise, of which likelihoods tell
_MEMORY = 30
_FALL = 0.97  # of gamma, in search of a share
_FURTHEST = 0.125  # of gamma, in one search


def refine(network, signals, schedule, gamma, random, history):
    """Steps of L-BFGS in place, on signals (n, d) in units of the noise, at gammas of falling shares; the last gamma."""
    twin, signals = network.cast(np.float64), signals.astype(np.float64)
    sources = signals[random.randint(len(signals), size=_BATCHES * schedule.batch)]
    noisy = sources + random.standard_normal(sources.shape)
    for share in _shares(schedule.share):
        sample = _Sample(twin, signals, sources, noisy, gamma)
        sample.fall_to(share)
        sample = _Sample(twin, signals, sources, noisy, sample.gamma)
        sample.minimise(schedule.refine, history)
        gamma = sample.gamma
    for part, fine in zip(network.parameters, twin.parameters, strict=True):
        part[...] = fine
    return gamma


def _shares(last):
    """Shares that halve, down to the last."""
    share = _START_SHARE
    while share > last:
        yield share
        share *= 0.5
    yield last


def cells(signals, size):
    """Means of the signals (n, d) in each cell of a grid, sorted by their first column, and how many each is of."""
    keys = np.floor(signals / size)
    order = np.lexsort(keys.T[::-1])
    signals, keys = signals[order], keys[order]
    begins = np.flatnonzero(np.append(True, np.any(keys[1:] != keys[:-1], axis=1)))
    counts = np.diff(np.append(begins, len(signals))).astype(signals.dtype)
    means = np.add.reduceat(signals, begins, axis=0) / counts[:, None]
    order = np.argsort(means[:, 0], kind="stable")
    return means[order], counts[order]


class _Sample:
    """The loss of a network on noisy points that stay, at one gamma."""

    def __init__(self, network, signals, sources, noisy, gamma):
        self.network, self.sources, self.noisy, self.gamma = network, sources, noisy, gamma
        self.signals, self.counts = cells(signals, min(gamma / _CELLS, _LARGEST_CELL))
        self.pulls, self.shares = np.empty_like(noisy), np.empty(len(noisy))
        self.share = self.size = 0.0

    def _match(self, images):
        from ..kernels.matching import matched_pulls

        points, made = (images, self.noisy, self.sources), (self.pulls, self.shares)
        matched_pulls(*points, self.signals, self.counts, 1.0, self.gamma, *made)
        self.share = float(np.mean(self.shares))

    def fall_to(self, share):
        """Gamma falls until the share of the network as it is does; not without end, since signals that repeat never part."""
        images, lowest = self.network.gradient(self.noisy), self.gamma * _FURTHEST
        self._match(images)
        while self.share > share and self.gamma > lowest:
            self.gamma *= max((share / self.share) ** (1.0 / images.shape[1]), 0.5) * _FALL
            self._match(images)

    def minimise(self, steps, history):
        """L-BFGS steps, whose lines in the history are written as they are done."""
        parameters, bounded = self.network.parameters, self.network.bounded()
        ends = np.cumsum([part.size for part in parameters])[:-1]
        low = [np.full(part.size, 0.0 if b else -np.inf) for part, b in zip(parameters, bounded, strict=True)]

        def put(values):
            for part, piece in zip(parameters, np.split(values, ends), strict=True):
                part[...] = piece.reshape(part.shape)

        def loss(values):
            """In units of gamma, to be of one size throughout."""
            put(values)
            trace = self.network.trace(self.noisy)
            self._match(self.network.gradient_of(trace))
            gradients = self.network.of_gradients(trace, self.pulls / (len(self.noisy) * self.gamma))
            gradient = np.concatenate([part.ravel() for part in gradients])
            self.size = float(np.linalg.norm(gradient)) * self.gamma**2
            return -self.share / self.gamma, gradient

        def note(_):
            for name, value in zip(("gamma", "share", "gradient"), (self.gamma, self.share, self.size), strict=True):
                history[name].append(value)

        start = np.concatenate([part.ravel() for part in parameters])
        options = {"maxiter": steps, "maxcor": _MEMORY, "ftol": 1e-12, "gtol": 1e-9}
        bounds = Bounds(np.concatenate(low), np.inf)
        put(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, callback=note, options=options).x)
