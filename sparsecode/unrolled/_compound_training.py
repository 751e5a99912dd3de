"""Training of compound-Gaussian layers: passes over signals in batches, by Adam, until the loss falls no more.

Losses are measured by that of codes that are zero. The state of the lowest loss of all signals, looked at after each pass, is kept.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from ..decomposition._checkpoint import generator_state, restored_generator
from ..networks import Adam, clipped, harm
from ..result import Status
from ._training import TrainingProgress

__all__ = ["Settings", "Trained", "continue_from", "total", "train"]

_ROWS = 256  # signals at a time, where no step is made
_NUMBERS = ("history", "first", "reference", "best", "steep", "stale")  # where a run stands


class Settings(NamedTuple):
    """How layers are trained."""

    rate: float
    batch_size: int
    max_iter: int
    tol: float
    patience: int


class Trained(NamedTuple):
    """How training ended."""

    status: Status
    n_iter: int
    loss: float
    certificate: float
    history: dict
    harm: str = ""  # what to say of it


def total(layers, rows, truth=None):
    """Sum over signals of the loss, over that of zero codes; inf where numbers left their range."""
    value = 0.0
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        try:
            value += layers.loss(rows[part], None if truth is None else truth[part])
        except np.linalg.LinAlgError:
            return np.inf
    value /= _zero_loss(rows, truth)
    return value if np.isfinite(value) else np.inf


def train(layers, rows, truth, settings, random, *, scale=1.0, checkpoint=None, callback=None, task=None) -> Trained:
    """Train the arrays of `layers` where they are; a checkpoint also keeps `scale`, in whose units `rows` are."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        run = _Run(layers, rows, truth, settings, random)
        if checkpoint is not None and checkpoint.saved is not None:
            checkpoint.within(len(checkpoint.saved[0]["run"]["history"]["loss"]), settings.max_iter)
            run.restore(*checkpoint.saved)
        began = time.perf_counter() - (run.history["seconds"][-1] if run.history["seconds"] else 0.0)
        while run.goes_on():
            part = task.part(f"pass {len(run.history['loss']) + 1}") if task is not None else None
            loss, seconds = run.one_pass(), time.perf_counter() - began
            for name, value in zip(run.history, (run.adam.count, loss, seconds), strict=True):
                run.history[name].append(value)
            run.judge(loss)
            if checkpoint is not None:
                numbers, arrays = run.state()
                checkpoint.save({**numbers, "scale": scale}, arrays)
            progress = TrainingProgress(run.adam.count, layers.shape[0], settings.rate, loss, seconds)
            stopped = callback is not None and bool(callback(progress))
            if (part is not None and part.end(dict)) or stopped:
                run.status = Status.INTERRUPTED
                break
        return run.finish()


class _Run:
    """Where training stands: the arrays as they are, the best so far, and how the loss went."""

    def __init__(self, layers, rows, truth, settings, random):
        self.layers, self.rows, self.truth, self.settings, self.random = layers, rows, truth, settings, random
        self.adam = Adam(layers.arrays.values(), settings.rate)
        self.history: dict = {"step": [], "loss": [], "seconds": []}
        self.first = self.reference = total(layers, rows, truth)
        self.best, self.kept = self.first, _copies(layers)
        self.steep, self.stale, self.status = _steepness(layers, rows, truth), 0, Status.MAX_ITER
        self.scale = _zero_loss(rows, truth) / len(rows)
        if self.first == 0.0:  # signals of zeros
            self.status = Status.CONVERGED

    def goes_on(self):
        """Whether there is another pass."""
        return self.status is Status.MAX_ITER and len(self.history["loss"]) < self.settings.max_iter

    def one_pass(self):
        """One step for each batch; the loss of all signals after them."""
        settings = self.settings
        fine = _passed(self.layers, self.rows, self.truth, settings.batch_size, self.scale, self.adam, self.random)
        return total(self.layers, self.rows, self.truth) if fine else np.inf

    def judge(self, loss):
        """Keep the best state; end where the loss has not fallen for long, or left its range."""
        if not np.isfinite(loss):
            self.status = Status.DIVERGED
            return
        if loss < self.best:
            self.best, self.kept = loss, _copies(self.layers)
        self.stale = 0 if loss < (1.0 - self.settings.tol) * self.reference else self.stale + 1
        self.reference = min(self.reference, loss) if self.stale == 0 else self.reference
        if self.stale >= self.settings.patience:
            self.status = Status.CONVERGED

    def finish(self):
        """The best state, and how it was reached."""
        looks = self.history["loss"] or [self.first]
        found = harm(looks[-1], self.first, 1.0, self.settings.rate, "the loss")
        if found and self.status is not Status.INTERRUPTED:
            self.status = Status.DIVERGED
        _put_back(self.layers, self.kept)
        certificate = _steepness(self.layers, self.rows, self.truth) / self.steep if self.steep > 0 else 0.0
        n_iter = len(self.history["loss"])
        return Trained(self.status, n_iter, float(self.best), float(certificate), self.history, found)

    def state(self):
        """Numbers and arrays of a checkpoint."""
        numbers, arrays = self.adam.state()
        run = {name: getattr(self, name) for name in _NUMBERS}
        run |= {"status": self.status.name, "random": generator_state(self.random), "adam": numbers}
        return {"run": run}, {**arrays, **{f"best_{name}": part for name, part in self.kept.items()}}

    def restore(self, numbers, arrays):
        """Go on from there."""
        run = numbers["run"]
        for name in _NUMBERS:
            setattr(self, name, run[name])
        self.status, self.random = Status[run["status"]], restored_generator(run["random"])
        self.adam.restore(run["adam"], arrays)
        self.kept = {name: arrays[f"best_{name}"] for name in self.layers.arrays}


def _passed(layers, rows, truth, size, scale, adam, random):
    """One step for each batch; False where numbers left their range."""
    order = random.permutation(len(rows))
    for start in range(0, len(rows), size):
        batch = np.sort(order[start : start + size])
        gradients = _gradients(layers, rows[batch], None if truth is None else truth[batch], scale)
        if gradients is None:
            return False
        adam.step(clipped(gradients)[0])
    return True


def _gradients(layers, rows, truth, scale):
    """Derivatives of the mean loss of signals, or None where numbers left their range."""
    try:
        value, slopes = layers.loss(rows, truth, slopes=True)
    except np.linalg.LinAlgError:
        return None
    gradients = [slopes[name] / slopes[name].dtype.type(scale * len(rows)) for name in layers.arrays]
    fine = np.isfinite(value) and all(np.all(np.isfinite(part)) for part in gradients)
    return gradients if fine else None


def _steepness(layers, rows, truth):
    """Norm of the derivatives of the loss of all signals."""
    found = [0.0 for _ in layers.arrays]
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        gradients = _gradients(layers, rows[part], None if truth is None else truth[part], 1.0)
        if gradients is None:
            return np.inf
        found = [a + len(rows[part]) * b for a, b in zip(found, gradients, strict=True)]
    return clipped(found)[1]


def _zero_loss(rows, truth):
    """The loss of codes that are zero, or one."""
    found = 0.5 * np.sum(rows * rows) if truth is None else np.sum(np.abs(truth))
    return float(found) or 1.0


def continue_from(layers, old):
    """Give new layers what the last fit has learned; they must be of the same kind."""
    same = layers.arrays.keys() == old.arrays.keys() and layers.atoms.shape == old.atoms.shape
    same = same and all(layers.arrays[name].shape == part.shape for name, part in old.arrays.items())
    if not same or not np.allclose(layers.atoms, old.atoms, rtol=1e-6, atol=0.0):
        raise ValueError(
            "warm_start=True goes on from the layers of the last fit, but the dictionary, regulariser, learn_prior or the number of layers, "
            "steps or channels are not those any more; set warm_start=False, or put them back."
        )
    _put_back(layers, old.arrays)


def _copies(layers):
    return {name: array.copy() for name, array in layers.arrays.items()}


def _put_back(layers, arrays):
    for name, array in arrays.items():
        layers.arrays[name][...] = array
