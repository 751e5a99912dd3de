"""Training of compound-Gaussian layers: passes over signals in batches, by Adam, until the loss falls no more.

Losses are measured by that of codes that are zero. The state of the lowest loss of all signals, looked at after each pass, is kept.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from ..networks import Adam, clipped
from ..result import Status

__all__ = ["Settings", "Trained", "total", "train"]

_ROWS = 256  # signals at a time, where no step is made


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


def train(layers, rows, truth, settings, random) -> Trained:
    """Train the arrays of `layers` where they are."""
    began, adam = time.perf_counter(), Adam(layers.arrays.values(), settings.rate)
    history: dict = {"step": [], "loss": [], "seconds": []}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        best, first = total(layers, rows, truth), _copies(layers)
        kept, reference, stale, status = first, best, 0, Status.MAX_ITER
        scale = _zero_loss(rows, truth) / len(rows)
        for _ in range(settings.max_iter):
            fine = _passed(layers, rows, truth, settings.batch_size, scale, adam, random)
            loss = total(layers, rows, truth) if fine else np.inf
            for name, value in zip(history, (adam.count, loss, time.perf_counter() - began), strict=True):
                history[name].append(value)
            if not np.isfinite(loss):
                status = Status.DIVERGED
                break
            if loss < best:
                best, kept = loss, _copies(layers)
            stale = 0 if loss < (1.0 - settings.tol) * reference else stale + 1
            reference = min(reference, loss) if stale == 0 else reference
            if stale >= settings.patience:
                status = Status.CONVERGED
                break
        _put_back(layers, first)
        steep = _steepness(layers, rows, truth)
        _put_back(layers, kept)
        certificate = _steepness(layers, rows, truth) / steep if steep > 0 else 0.0
    return Trained(status, len(history["loss"]), float(best), float(certificate), history)


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


def _copies(layers):
    return {name: array.copy() for name, array in layers.arrays.items()}


def _put_back(layers, arrays):
    for name, array in arrays.items():
        layers.arrays[name][...] = array
