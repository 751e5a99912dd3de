"""The loop around dictionary learning: passes over the data, certificate, history, callbacks, checkpoints."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from .._array import array_namespace
from ..result import Status
from ..solvers.dictionary.alternating import Pass
from ..solvers.dictionary.incoherence import coherence
from ..solvers.dictionary.signals import dense_rows
from ..solvers.dictionary.statistics import Statistics, add_statistics, sampling_error, stationarity
from ._checkpoint import generator_state, restored_generator

__all__ = [
    "HISTORY",
    "Learned",
    "LearningProgress",
    "ended",
    "judged",
    "learn",
    "online_pass",
    "record",
    "shortfall",
    "whole_pass",
]

HISTORY = ("epoch", "objective", "certificate", "seconds", "replaced")


class LearningProgress(NamedTuple):
    """What the callback of `DictionaryLearning` is given after each pass over the data (`fit_stream`: batch): it may return True to stop.

    Attributes
    ----------
    epoch : int
        Passes (batches) done.
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
    """How learning ended: objective and certificates are those of the last pass."""

    status: Status
    n_iter: int
    last: Pass
    history: dict


def learn(learner, one_pass, *, max_iter, goal, random, callback, checkpoint, task) -> Learned:
    """Pass after pass, until one has a certificate of at most ``goal(pass)``; None for all passes, which then are what was asked for.

    ``one_pass(random, task, epoch)`` returns a `Pass`, whether it went to the end, and whether a callback asked to stop. The certificate is how far one
    sweep over the statistics of the whole pass moves the atoms it began with: zero for a stationary dictionary, and not made
    small by statistics that change slowly.
    """
    epoch, history, last, random = _resumed(learner, checkpoint, random, max_iter)
    began = time.perf_counter() - (history["seconds"][-1] if epoch else 0.0)
    status = judged(last, goal(last))
    while status is Status.MAX_ITER and epoch < max_iter:
        epoch += 1
        last, whole, stopped = one_pass(random, task, epoch)
        seconds = time.perf_counter() - began
        progress = record(history, epoch, last, seconds, learner)
        if checkpoint is not None and whole:
            numbers, arrays = learner.state()
            run = {"epoch": epoch, "history": history, "last": last._asdict(), "random": generator_state(random)}
            run["max_iter"] = max_iter
            checkpoint.save({"learner": numbers, "run": run}, arrays)
        stopped = (callback is not None and bool(callback(progress))) or stopped
        status = judged(last, goal(last))
        if stopped and status is Status.MAX_ITER:
            status = Status.INTERRUPTED
    return Learned(ended(status, goal(last)), epoch, last, history)


def record(history, count, last, seconds, learner) -> LearningProgress:
    """One more pass, or batch of a stream, in the history; and what the callback is given of it."""
    entries = (count, last.objective, last.certificate, seconds, learner.n_replaced)
    for name, value in zip(HISTORY, entries, strict=True):
        history[name].append(value)
    atoms = array_namespace(learner.atoms).asarray(learner.atoms, copy=True)
    return LearningProgress(count, atoms, last.objective, last.certificate, seconds)


def judged(last, tol):
    """Whether a pass was the last one that is needed."""
    return Status.CONVERGED if tol is not None and last.certificate <= tol else Status.MAX_ITER


def ended(status, tol):
    """How a run ended that made all its passes: where there is no tolerance, they are what was asked for."""
    return Status.CONVERGED if tol is None and status is Status.MAX_ITER else status


def _resumed(learner, checkpoint, random, max_iter):
    """Where to go on: epochs done, history, last pass and generator, of the checkpoint or of a new run."""
    if checkpoint is None or checkpoint.saved is None:
        return 0, {name: [] for name in HISTORY}, Pass(np.inf, np.inf, np.inf), random
    numbers, arrays = checkpoint.saved
    run = numbers["run"]
    checkpoint.within(run["epoch"], max_iter)
    learner.restore(numbers["learner"], arrays)
    return run["epoch"], run["history"], Pass(**run["last"]), restored_generator(run["random"])


def online_pass(learner, X, *, batch_size, shuffle, n_jobs):
    """``one_pass`` of an online learner: X in batches, in a new order each time if `shuffle`."""

    def one_pass(random, task, epoch):
        before = learner.atoms
        order = random.permutation(X.shape[0]) if shuffle else None
        starts = range(0, X.shape[0], batch_size)
        part = task.part(f"pass {epoch}", len(starts))
        halves, whole = [Statistics.empty(*before.shape)] * 2, True
        for count, start in enumerate(starts):
            step = part.part("batch")
            chosen = slice(start, start + batch_size) if order is None else np.sort(order[start : start + batch_size])
            halves[count % 2] = add_statistics(halves[count % 2], learner.step(dense_rows(X, chosen), n_jobs))
            if step.end(lambda: _fitted(learner, X)):
                whole = False
                break
        stopped = part.end(lambda: _fitted(learner, X)) or not whole
        of_pass, limits = add_statistics(*halves), {"positive": learner.positive, "bound": learner.max_coherence}
        last = Pass(
            of_pass.objective / of_pass.n_signals,
            stationarity(before, of_pass, **limits),
            of_pass.certificate,
            sampling_error(before, *halves, **limits),
        )
        return last, whole, stopped

    return one_pass


def whole_pass(learner, X, *, n_jobs):
    """``one_pass`` of a learner that holds all signals."""

    def one_pass(random, task, epoch):
        part = task.part(f"pass {epoch}")
        last = learner.one_pass(n_jobs)
        return last, True, part.end(lambda: _fitted(learner, X))

    return one_pass


def shortfall(estimator, of="passes"):
    """What to warn of after a fit, or a stream of batches: atoms that are not stationary, or closer than was asked for, codes that miss
    their certificate or have no entry at all; else nothing."""
    found, learner = [], estimator._learner
    if estimator.tol_ is not None and estimator.status_ is Status.MAX_ITER:
        count, more = (
            estimator.n_iter_,
            "raise batch_size, or max_iter where history_ still falls"
            if estimator.method == "online"
            else "raise max_iter",
        )
        if of == "batches":
            count, more = estimator.n_steps_, "give more batches, or larger ones"
        found.append(
            f"relative stationarity {estimator.certificate_:.3e} after {count} {of}, tolerance {estimator.tol_:.1e}: "
            f"{more}, loosen tol, or pass tol=None if the number of {of} is what you want."
        )
    bound = estimator.max_coherence
    if bound is not None and coherence(learner.atoms) > bound:
        found.append(
            f"the mutual coherence is {coherence(learner.atoms):.4g}, above max_coherence={bound:g}, which is too near to "
            "what so many atoms can reach; raise it, or learn fewer atoms."
        )
    goal = learner.coder.goal(np.dtype(np.float64))
    if not estimator.code_certificate_ <= goal:
        found.append(
            f"codes of the last {'batch' if of == 'batches' else 'pass'} miss the tolerance {goal:.1e}: the largest {learner.coder.certificate_name} is "
            f"{estimator.code_certificate_:.3e}; {learner.coder.remedy}."
        )
    if estimator.objective_ > 0 and not np.any(learner.statistics.code_gram):
        found.append("no code has an entry, so no atom was learned: lower the penalty, or its error bound.")
    return " Also, ".join(found)


def _fitted(learner, X):
    """Attributes of an estimator that stopped here."""
    return {"components_": learner.atoms.astype(X.dtype if X.dtype.kind == "f" else float)}
