"""Passes of masked dictionary learning over the data: batches, masks, learning rates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._array import divisor
from ..networks import harm
from ..solvers.dictionary.alternating import Pass
from ..solvers.dictionary.signals import dense_rows, row_blocks
from ..solvers.dictionary.start import mixtures

__all__ = ["Pace", "harm_of", "masked_pass", "measure"]

_WAVERING = 0.01  # atoms have norm one, so that harm is never great
_FALLING = 0.5  # share of the steps after which the learning rate falls, linearly to zero


class Pace(NamedTuple):
    """How the passes go."""

    max_iter: int
    batch_size: int
    warm_start_epochs: int
    last_plain_share: float
    learning_rate: float
    shuffle: bool

    def rate(self, step, n_batches):
        """Learning rate of a step, counted from 0: Adam's noise is as large as its rate, so that ends at zero."""
        left = 1.0 - step / (self.max_iter * n_batches)
        return self.learning_rate * min(left / (1.0 - _FALLING), 1.0)

    def hides(self, step, n_batches):
        """Whether a step hides anything: not in the first passes, and not in the last share of the steps."""
        first, total = self.warm_start_epochs * n_batches, self.max_iter * n_batches
        return first <= step < (1.0 - self.last_plain_share) * total


def masked_pass(learner, X, pace, *, n_jobs):
    """``one_pass`` of `learn`: X in batches, each under a mask of its own where the pace says so."""

    def one_pass(random, task, epoch):
        order = random.permutation(X.shape[0]) if pace.shuffle else np.arange(X.shape[0])
        starts = range(0, X.shape[0], pace.batch_size)
        part = task.part(f"pass {epoch}", len(starts))
        before, of_pass, whole = learner.copy(), _Sums(learner), True
        for count, start in enumerate(starts):
            step = part.part("batch")
            batch = dense_rows(X, np.sort(order[start : start + pace.batch_size]))
            number = (epoch - 1) * len(starts) + count
            hidden = learner.draw_mask(random) if pace.hides(number, len(starts)) else None
            of_pass.add(learner.step(batch, hidden, pace.rate(number, len(starts)), n_jobs))
            if step.end(lambda: _fitted(learner, X)):
                whole = False
                break
        stopped = part.end(lambda: _fitted(learner, X)) or not whole
        return of_pass.judged_by(before), whole, stopped

    return one_pass


def measure(learner, X, batch_size, *, random, n_jobs) -> Pass:
    """Mean hidden misfit of X over the atoms as they are, under one new mask a batch, and how stationary the atoms are."""
    sums = _Sums(learner)
    for rows in row_blocks(X, batch_size):
        sums.add(learner.misfit(dense_rows(X, rows), learner.draw_mask(random), n_jobs))
    return sums.judged_by(learner)


def harm_of(learner, X, pace, began, n_jobs) -> str:
    """What to say where the atoms fit a batch worse than those they began as, and than mixtures of it: a signal among the former fits its noise."""
    batch = dense_rows(X, slice(0, pace.batch_size))
    known = ~np.isnan(batch)
    signals = np.where(known, batch, 0.0)
    drawn = mixtures(signals, began.shape[0], np.random.RandomState(0))
    candidates = learner.atoms, began, drawn / divisor(np.linalg.norm(drawn, axis=1, keepdims=True))
    last, *firsts = (learner.with_atoms(atoms).misfit(batch, None, n_jobs).objective for atoms in candidates)
    zero = 0.5 * float(np.vdot(signals, signals)) / (known.mean() or 1.0)
    last, first, zero = (value / len(batch) for value in (last, max(firsts), zero))
    return harm(last, first, zero, pace.learning_rate, "the misfit", wavering=_WAVERING)


class _Sums:
    """What batches said, added up."""

    def __init__(self, learner):
        self.gradient, self.energy = np.zeros(learner.atoms.shape), np.zeros(learner.atoms.shape[0])
        self.objective, self.n_signals = 0.0, 0

    def add(self, found):
        self.gradient += found.gradient
        self.energy += found.energy
        self.objective += found.objective
        self.n_signals += found.n_signals

    def judged_by(self, learner):
        """Mean objective, and the stationarity of the learner's atoms."""
        return Pass(self.objective / self.n_signals, learner.stationarity(self.gradient, self.energy), 0.0)


def _fitted(learner, X):
    """Attributes of an estimator that stopped here."""
    return {"components_": learner.atoms.astype(X.dtype if X.dtype.kind == "f" else float)}
