"""Streams of batches: one step of an online learner a batch, with the callbacks and checkpoints that passes over data have."""

from __future__ import annotations

import time
from contextlib import contextmanager
from types import MethodType

import numpy as np

from ..result import Status
from ..solvers.dictionary.alternating import Pass
from ._checkpoint import chained, describe_data
from ._learning_loop import HISTORY, Learned, ended, judged, record
from ._learning_setup import tolerance

__all__ = ["OnlineOnly", "follow"]


class OnlineOnly:
    """A method for batches, which the method that keeps statistics has; for the others the error says what to do.

    As `available_if` of scikit-learn, whose error has no room for that.
    """

    def __init__(self, function):
        self.function, self.__doc__ = function, function.__doc__

    def __get__(self, estimator, owner=None):
        if estimator is None:
            return self.function
        if estimator.method != "online":
            raise AttributeError(
                f"{self.function.__name__} is for method='online'; method={estimator.method!r} takes all signals at once: use fit."
            )
        return MethodType(self.function, estimator)


def follow(estimator, batches, task, go_back):
    """Let an estimator begin anew and take one step a batch; sets its status and history.

    ``go_back(estimator, X, numbers, arrays, learned)`` gives it what it had at a checkpoint; X is the first batch. With a checkpoint, batches that it has seen are passed over, after a look whether they are the ones.
    """
    vars(estimator).pop("_learner", None)
    checkpoint, seen, known = None, 0, ""
    learned, history = None, {name: [] for name in HISTORY}
    began = time.perf_counter()
    for count, (place, X) in enumerate(_filled(estimator, batches), 1):
        if count == 1 and estimator.checkpoint is not None:
            checkpoint = estimator._opened_checkpoint(
                {"n_features": X.shape[1], "dtype": str(X.dtype)}, method="fit_stream"
            )
            if checkpoint.saved is not None:
                numbers, arrays = checkpoint.saved
                learned, history, seen = _learned(estimator, numbers["run"])
                go_back(estimator, X, numbers, arrays, learned)
                began -= history["seconds"][-1]
        if checkpoint is not None:
            known = chained(known, describe_data(X))
        if count <= seen:
            if count == seen:
                _same_stream(checkpoint, known, count, seen)
            continue
        part = task.part("batch")
        with _in_batch(place):
            learned = estimator._step(X)
        progress = record(history, count, learned.last, time.perf_counter() - began, estimator._learner)
        if checkpoint is not None:
            _save(checkpoint, estimator, learned.last, history, known)
        stopped = estimator.callback is not None and bool(estimator.callback(progress))
        if part.end(lambda: {"components_": estimator.components_}) or stopped:
            learned = learned._replace(status=Status.INTERRUPTED)
            break
    if learned is None:
        raise ValueError("batches is empty: a stream needs at least one batch that holds a signal.")
    if count < seen:
        _same_stream(checkpoint, known, count, seen)
    estimator.status_, estimator.history_ = ended(learned.status, tolerance(estimator, learned.last)), history


def _filled(estimator, batches):
    """The place and the signals of every batch that holds any."""
    if getattr(batches, "ndim", 0) == 2:
        raise ValueError(
            f"batches is one array of signals, of shape {tuple(batches.shape)}: pass its rows in batches, for example "
            "np.array_split(X, 10), or use fit."
        )
    first = True
    for place, batch in enumerate(batches, 1):
        with _in_batch(place):
            if np.shape(batch)[:1] == (0,):
                continue
            X = estimator._signals(batch, reset=first)
        first = False
        yield place, X


@contextmanager
def _in_batch(place):
    """Say of errors which batch they are about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"batch {place} of batches: {error}") from error


def _save(checkpoint, estimator, last, history, known):
    """The learner after a batch, and how it came there."""
    numbers, arrays = estimator._learner.state()
    run = {"epoch": history["epoch"][-1], "history": history, "last": last._asdict()}
    checkpoint.save({"learner": numbers, "run": {**run, "alpha": estimator.alpha_, "stream": known}}, arrays)


def _same_stream(checkpoint, known, count, seen):
    """Refuse a stream whose batches, as many as the checkpoint has seen, are not those that it has seen."""
    if count < seen or known != checkpoint.saved[0]["run"]["stream"]:
        had = f"only {count} batches" if count < seen else "others in their place"
        raise ValueError(
            f"the checkpoint {str(checkpoint.path)!r} is of another run: it has seen {seen} batches, and batches has {had}; "
            "give the stream from its first batch, or another path to begin anew."
        )


def _learned(estimator, run):
    """How the last batch of the checkpoint ended, the history, and the number of batches."""
    last = Pass(**run["last"])
    return Learned(judged(last, tolerance(estimator, last)), 1, last, {}), run["history"], run["epoch"]
