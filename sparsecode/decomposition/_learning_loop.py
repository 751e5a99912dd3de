"""The loop around online dictionary learning: passes over the data, certificate, history, callbacks."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from ..result import Status
from ..solvers.dictionary.online import Statistics, add_statistics, stationarity

__all__ = ["Learned", "LearningProgress", "learn"]


class LearningProgress(NamedTuple):
    """What the callback of `DictionaryLearning` is given after each pass over the data: it may return True to stop.

    Attributes
    ----------
    epoch : int
        Passes done.
    components : ndarray of shape (n_components, n_features)
        The atoms.
    objective : float
        Mean objective of the codes of this pass, each over the atoms of its time.
    certificate : float
        How far the statistics of this pass moved the atoms.
    seconds : float
        Since the fit began.
    """

    epoch: int
    components: Any
    objective: float
    certificate: float
    seconds: float


class Learned(NamedTuple):
    """How learning ended: `statistics` and `certificate` are those of the last pass."""

    status: Status
    n_iter: int
    statistics: Statistics
    certificate: float
    history: dict


def learn(learner, X, *, max_iter, tol, batch_size, shuffle, random, n_jobs, callback, task) -> Learned:
    """Feed X to the learner, pass after pass, until a pass moves the atoms by at most `tol`.

    The certificate of a pass is how far one sweep over the statistics of the whole pass moves the atoms it began with: zero for a
    stationary dictionary, and not made small by statistics that change slowly.
    """
    began = time.perf_counter()
    history: dict[str, list] = {"epoch": [], "objective": [], "certificate": [], "seconds": [], "replaced": []}
    status, epoch = Status.MAX_ITER, 0
    while status is Status.MAX_ITER and epoch < max_iter:
        epoch += 1
        before = learner.atoms
        order = random.permutation(X.shape[0]) if shuffle else None
        of_pass, stopped = _one_pass(learner, X, order, batch_size, n_jobs, task, epoch)
        certificate = stationarity(before, of_pass, positive=learner.positive)
        objective = of_pass.objective / of_pass.n_signals
        seconds = time.perf_counter() - began
        for name, value in zip(history, (epoch, objective, certificate, seconds, learner.n_replaced), strict=True):
            history[name].append(value)
        if tol is not None and certificate <= tol:
            status = Status.CONVERGED
        elif stopped or (
            callback is not None
            and callback(LearningProgress(epoch, learner.atoms.copy(), objective, certificate, seconds))
        ):
            status = Status.INTERRUPTED
    return Learned(status, epoch, of_pass, certificate, history)


def _one_pass(learner, X, order, batch_size, n_jobs, task, epoch):
    """Statistics of one pass over X, and whether a callback asked to stop."""
    starts = range(0, X.shape[0], batch_size)
    part = task.part(f"pass {epoch}", len(starts))
    of_pass = Statistics.empty(*learner.atoms.shape)
    stopped = False
    for start in starts:
        step = part.part("batch")
        chosen = slice(start, start + batch_size) if order is None else np.sort(order[start : start + batch_size])
        of_pass = add_statistics(of_pass, learner.step(np.asarray(X[chosen], dtype=np.float64, order="C"), n_jobs))
        if step.end(lambda: {"components_": learner.atoms.astype(X.dtype if X.dtype.kind == "f" else float)}):
            stopped = True
            break
    stopped = (
        part.end(lambda: {"components_": learner.atoms.astype(X.dtype if X.dtype.kind == "f" else float)}) or stopped
    )
    return of_pass, stopped
