"""Training of unrolled layers: one layer after another, then all of them at falling rates, judged by signals held out.

Each step draws a batch, divides the derivatives of its mean loss by the loss of codes that are zero, shrinks them to norm one where they are
longer, and lets Adam make a step. First layers 1 .. k are trained for k = 1, 2, ..., where layer k starts from layer k - 1: from scratch, steps of
many layers run away. Then all layers are trained until the loss of held-out signals stops falling, from the best state so far at a lower rate each
time.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from .._array import any_nonzero, array_namespace, asarray_like, is_numpy, to_numpy
from ..decomposition._checkpoint import generator_state, restored_generator
from ..networks import Adam, clipped, harm
from ..result import Status
from ._layers import Slopes, beside, loss_seed
from ._passes import Passes

__all__ = ["HISTORY", "Settings", "Signals", "Trained", "TrainingProgress", "train"]

HISTORY = ("step", "depth", "rate", "loss", "seconds")
_ROWS = 1024  # signals held out that are looked at together
_EVERY = 20  # steps between two looks at the signals held out
_COUNTS = ("n_growing", "stage", "in_stage", "at_last", "count", "stale")  # where a run stands
_FALLING = (1.0, 0.3, 0.1)  # of the rate, while all layers are trained


class TrainingProgress(NamedTuple):
    """What the callback of an unrolled solver is given whenever held-out signals were looked at: it may return True to stop.

    Attributes
    ----------
    step : int
        Steps done.
    depth : int
        Layers in training.
    rate : float
        Length of a step.
    loss : float
        Mean loss of the signals held out, over that of zero codes.
    seconds : float
        Since the fit began.
    """

    step: int
    depth: int
    rate: float
    loss: float
    seconds: float


class Signals(NamedTuple):
    """Signals (n, n_features), with the codes they should have (n, n_atoms), or None."""

    rows: Any
    truth: Any

    def chosen(self, which):
        """Some of them."""
        return Signals(*(_rows_of(part, which) for part in self))

    def between(self, start, stop):
        """Those of a block."""
        return Signals(*(part if part is None else part[start:stop, ...] for part in self))


class Settings(NamedTuple):
    """How layers are trained."""

    steps_per_layer: int
    max_iter: int
    rate: float
    batch_size: int
    tol: float
    patience: int
    n_jobs: Any


class Trained(NamedTuple):
    """How training ended; the loss is that of the signals held out, over that of zero codes."""

    status: Status
    n_iter: int
    loss: float
    history: dict
    harm: str = ""  # what to say of it


def train(
    parameters,
    signals,
    held_out,
    settings,
    random,
    *,
    grown=False,
    begun=None,
    checkpoint=None,
    callback=None,
    task=None,
) -> Trained:
    """Train `parameters` where they are; `grown` layers are not built up one by one again.

    A checkpoint also keeps `begun`, the state of the generator before it chose the signals held out.
    """
    run = _Run(parameters, signals, held_out, settings, random, grown)
    if not any_nonzero(signals.rows):  # the layers do not matter
        return Trained(Status.CONVERGED, 0, run.first, run.history)
    with np.errstate(over="ignore", invalid="ignore"):  # what leaves the range ends with a status
        _run(run, settings, begun, checkpoint, callback, task)
        return run.finish()


def _run(run, settings, begun, checkpoint, callback, task):
    """Round after round, until training ends or is stopped."""
    if checkpoint is not None and checkpoint.saved is not None:
        checkpoint.within(checkpoint.saved[0]["run"]["at_last"], settings.max_iter, "steps of all layers")
        run.restore(*checkpoint.saved)
    began = time.perf_counter() - (run.history["seconds"][-1] if run.history["seconds"] else 0.0)
    part, stage = None, None
    while run.goes_on():
        if stage != run.stage:
            stage, part = run.stage, task.part(f"stage {run.stage + 1}") if task is not None else None
        loss = run.round()
        seconds = time.perf_counter() - began
        progress = TrainingProgress(run.count, run.depth, run.rate, loss, seconds)
        for name, value in zip(HISTORY, progress, strict=True):
            run.history[name].append(value)
        run.judge(loss)
        if checkpoint is not None:
            numbers, arrays = run.state()
            checkpoint.save({**numbers, "begun": begun}, arrays)
        stopped = callback is not None and bool(callback(progress))
        if part is not None and stage != run.stage:
            stopped = part.end(dict) or stopped
        if stopped:
            run.status = Status.INTERRUPTED
            break


class _Run:
    """Where training stands: stages ``0 .. n_layers - 2`` grow the network, the others train all of it."""

    def __init__(self, parameters, signals, held_out, settings, random, grown):
        self.parameters, self.signals, self.held_out = parameters, signals, held_out
        self.settings, self.random = settings, random
        self.passes = Passes(self._layers(), parameters.trains_matrices, settings.n_jobs)
        self.scale, self.held_scale = (
            _zero_loss(self._layers(), some, parameters.alpha) for some in (signals, held_out)
        )
        self.n_growing = 0 if grown or not settings.steps_per_layer else parameters.n_layers - 1
        self.stage, self.in_stage, self.at_last, self.count, self.stale = 0, 0, 0, 0, 0
        self.history: dict = {name: [] for name in HISTORY}
        self.status = Status.MAX_ITER
        self.adam = Adam(parameters.arrays.values())
        self.first = self._held_out_loss(parameters.n_layers)
        self.best: Any = (np.inf if self.n_growing else self.first, parameters.copies())  # of all layers

    @property
    def depth(self):
        """Layers in training."""
        return (
            min(self.stage + 1, self.parameters.n_layers) if self.stage < self.n_growing else self.parameters.n_layers
        )

    @property
    def rate(self):
        """Length of a step."""
        return self.settings.rate * _FALLING[max(self.stage - self.n_growing, 0)]

    def goes_on(self):
        """Whether there is another round."""
        return self.stage < self.n_growing + len(_FALLING) and self.at_last < self.settings.max_iter

    def _layers(self):
        return beside(self.parameters.layers(), self.signals.rows)

    def round(self):
        """Some steps; returns the loss of the held-out signals after them."""
        if self.stage < self.n_growing:
            limit = self.settings.steps_per_layer - self.in_stage
        else:
            limit = self.settings.max_iter - self.at_last
        for _ in range(min(_EVERY, limit)):
            if not self._step():
                return np.inf
        return self._held_out_loss()

    def _step(self):
        """One batch; False, and nothing is done, where its numbers left their range."""
        layers, batch = self._layers().up_to(self.depth), self._batch()
        loss, slopes = self.passes.slopes(layers, batch.rows, batch.truth, self.parameters.alpha)
        size = self.scale * batch.rows.shape[0]
        gradients = [part / size for part in self.parameters.gradients(_as_numpy(slopes), layers)]
        self.in_stage += 1
        self.count += 1
        self.at_last += self.stage >= self.n_growing
        if not (np.isfinite(loss) and all(np.all(np.isfinite(part)) for part in gradients)):
            return False
        self.adam.step(clipped(gradients)[0], self.rate)
        return True

    def _batch(self):
        n = self.signals.rows.shape[0]
        if n <= self.settings.batch_size:
            return self.signals
        return self.signals.chosen(self.random.randint(n, size=self.settings.batch_size))

    def _held_out_loss(self, depth=None):
        layers = self._layers().up_to(depth or self.depth)
        total, n = 0.0, self.held_out.rows.shape[0]
        for start in range(0, n, _ROWS):
            part = self.held_out.between(start, min(start + _ROWS, n))
            codes = self.passes.codes(layers, part.rows)
            total += loss_seed(layers, codes, part.rows, part.truth, self.parameters.alpha)[0]
        loss = total / n / self.held_scale
        return loss if np.isfinite(loss) else np.inf

    def judge(self, loss):
        """Go on with this stage, or to the next one."""
        if self.stage < self.n_growing:
            if not np.isfinite(loss):  # what this layer was to become: what the one before is
                self.parameters.put_back(self.best[1])
                self.parameters.begin_layer(self.stage)
            if self.in_stage < self.settings.steps_per_layer and np.isfinite(loss):
                return
            self.best = (np.inf, self.parameters.copies())
            self.parameters.begin_layer(self.stage + 1)
            self._next_stage()
            return
        if loss < (1.0 - self.settings.tol) * self.best[0]:
            self.stale = 0
        else:
            self.stale += 1
        if loss < self.best[0]:
            self.best = (loss, self.parameters.copies())
        if self.stale >= self.settings.patience or not np.isfinite(loss):
            self.parameters.put_back(self.best[1])
            self._next_stage()
            if self.stage == self.n_growing + len(_FALLING):
                self.status = Status.CONVERGED

    def _next_stage(self):
        self.stage, self.in_stage, self.stale = self.stage + 1, 0, 0
        self.adam = Adam(self.parameters.arrays.values())
        if self.stage == self.n_growing:
            self.best = (self._held_out_loss(), self.parameters.copies())

    def finish(self):
        """The best state of all layers, and how it was reached."""
        if self.stage < self.n_growing:  # a callback stopped it: the other layers are what they would begin with
            for k in range(self.stage + 1, self.parameters.n_layers):
                self.parameters.begin_layer(k)
            self.stage = self.n_growing
            self.best = (self._held_out_loss(), self.parameters.copies())
        self.parameters.put_back(self.best[1])
        looks, loss = self.history["loss"], float(self.best[0])
        left = bool(looks) and not np.isfinite(looks[-1])  # at the lowest rate, or the last one there was time for
        found = harm(np.inf if left else loss, self.first, 1.0, self.settings.rate, "the loss of the signals held out")
        if found and self.status is not Status.INTERRUPTED:
            self.status = Status.DIVERGED
        return Trained(self.status, self.count, loss, self.history, found)

    def state(self):
        """Numbers and arrays of a checkpoint."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        numbers, arrays = self.adam.state()
        run = {**counts, "best": self.best[0], "history": self.history, "random": generator_state(self.random)}
        run |= {"adam": numbers, "status": self.status.name, "alpha": self.parameters.alpha, "first": self.first}
        return {"run": run}, {**arrays, **{f"best_{name}": part for name, part in self.best[1].items()}}

    def restore(self, numbers, arrays):
        """Go on from there."""
        run = numbers["run"]
        for name in (*_COUNTS, "history"):
            setattr(self, name, run[name])
        self.parameters.alpha, self.first = run["alpha"], run["first"]
        self.status, self.random = Status[run["status"]], restored_generator(run["random"])
        self.adam.restore(run["adam"], arrays)
        self.best = (run["best"], {name: arrays[f"best_{name}"] for name in self.parameters.arrays})


def _zero_loss(layers, signals, alpha):
    """Mean loss of codes that are zero: what losses are measured by."""
    xp = array_namespace(signals.rows)
    total = 0.0
    for start in range(0, signals.rows.shape[0], _ROWS):
        part = signals.between(start, min(start + _ROWS, signals.rows.shape[0]))
        zero = xp.zeros((part.rows.shape[0], layers.atoms.shape[0]), dtype=part.rows.dtype, device=part.rows.device)
        total += loss_seed(layers, zero, part.rows, part.truth, alpha)[0]
    return total / signals.rows.shape[0] or 1.0


def _rows_of(part, which):
    if part is None or is_numpy(part):
        return None if part is None else part[which]
    xp = array_namespace(part)
    return xp.take(part, asarray_like(which, part, dtype=xp.int64), axis=0)


def _as_numpy(slopes):
    return Slopes(*slopes[:3], *(tuple(to_numpy(part) for part in parts) for parts in slopes[3:]))
