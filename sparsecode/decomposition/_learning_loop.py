"""The loop around dictionary learning: passes over the data, certificate, history, callbacks, checkpoints."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from ..result import Status
from ..solvers.dictionary.alternating import Pass
from ..solvers.dictionary.incoherence import coherence
from ..solvers.dictionary.signals import dense_rows
from ..solvers.dictionary.statistics import Statistics, add_statistics, stationarity
from ._checkpoint import chained, describe_data, generator_state, restored_generator
from ._learning_setup import make_learner, repeated

__all__ = ["Learned", "LearningProgress", "follow", "learn", "online_pass", "shortfall", "whole_pass"]

_HISTORY = ("epoch", "objective", "certificate", "seconds", "replaced")


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


def learn(learner, one_pass, *, max_iter, tol, random, callback, checkpoint, task) -> Learned:
    """Pass after pass, until one has a certificate of at most `tol`.

    ``one_pass(random, task, epoch)`` returns a `Pass`, whether it went to the end, and whether a callback asked to stop. The certificate is how far one
    sweep over the statistics of the whole pass moves the atoms it began with: zero for a stationary dictionary, and not made
    small by statistics that change slowly.
    """
    epoch, history, last, random = _resumed(learner, checkpoint, random)
    began = time.perf_counter() - (history["seconds"][-1] if epoch else 0.0)
    status = _judged(last, tol)
    while status is Status.MAX_ITER and epoch < max_iter:
        epoch += 1
        last, whole, stopped = one_pass(random, task, epoch)
        seconds = time.perf_counter() - began
        entries = (epoch, last.objective, last.certificate, seconds, learner.n_replaced)
        for name, value in zip(_HISTORY, entries, strict=True):
            history[name].append(value)
        if checkpoint is not None and whole:
            numbers, arrays = learner.state()
            run = {"epoch": epoch, "history": history, "last": last._asdict(), "random": generator_state(random)}
            checkpoint.save({"learner": numbers, "run": run}, arrays)
        progress = LearningProgress(epoch, learner.atoms.copy(), last.objective, last.certificate, seconds)
        stopped = (callback is not None and bool(callback(progress))) or stopped
        status = _judged(last, tol)
        if stopped and status is Status.MAX_ITER:
            status = Status.INTERRUPTED
    return Learned(status, epoch, last, history)


def _judged(last, tol):
    """Whether a pass was the last one that is needed."""
    return Status.CONVERGED if tol is not None and last.certificate <= tol else Status.MAX_ITER


def _resumed(learner, checkpoint, random):
    """Where to go on: epochs done, history, last pass and generator, of the checkpoint or of a new run."""
    if checkpoint is None or checkpoint.saved is None:
        return 0, {name: [] for name in _HISTORY}, Pass(np.inf, np.inf, np.inf), random
    numbers, arrays = checkpoint.saved
    learner.restore(numbers["learner"], arrays)
    run = numbers["run"]
    return run["epoch"], run["history"], Pass(**run["last"]), restored_generator(run["random"])


def online_pass(learner, X, *, batch_size, shuffle, n_jobs):
    """``one_pass`` of an online learner: X in batches, in a new order each time if `shuffle`."""

    def one_pass(random, task, epoch):
        before = learner.atoms
        order = random.permutation(X.shape[0]) if shuffle else None
        starts = range(0, X.shape[0], batch_size)
        part = task.part(f"pass {epoch}", len(starts))
        of_pass, whole = Statistics.empty(*before.shape), True
        for start in starts:
            step = part.part("batch")
            chosen = slice(start, start + batch_size) if order is None else np.sort(order[start : start + batch_size])
            of_pass = add_statistics(of_pass, learner.step(dense_rows(X, chosen), n_jobs))
            if step.end(lambda: _fitted(learner, X)):
                whole = False
                break
        stopped = part.end(lambda: _fitted(learner, X)) or not whole
        certificate = stationarity(before, of_pass, positive=learner.positive, bound=learner.max_coherence)
        return Pass(of_pass.objective / of_pass.n_signals, certificate, of_pass.certificate), whole, stopped

    return one_pass


def whole_pass(learner, X, *, n_jobs):
    """``one_pass`` of a learner that holds all signals."""

    def one_pass(random, task, epoch):
        part = task.part(f"pass {epoch}")
        last = learner.one_pass(n_jobs)
        return last, True, part.end(lambda: _fitted(learner, X))

    return one_pass


def follow(estimator, batches):
    """Let an estimator that has no learner take one step a batch; how it ended, and the history.

    With a checkpoint, batches that it has seen are passed over, after a look whether they are the ones.
    """
    checkpoint, seen, known = None, 0, ""
    learned, history = None, {name: [] for name in _HISTORY}
    began = time.perf_counter()
    for count, batch in enumerate(batches, 1):
        X = estimator._signals(batch, reset=count == 1)
        if count == 1 and estimator.checkpoint is not None:
            checkpoint = estimator._opened_checkpoint({"n_features": X.shape[1], "dtype": str(X.dtype)})
            if checkpoint.saved is not None:
                learned, history, seen = _back_in_stream(estimator, X, *checkpoint.saved)
                began -= history["seconds"][-1]
        if checkpoint is not None:
            known = chained(known, describe_data(X))
        if count <= seen:
            if count == seen:
                _same_stream(checkpoint, known, count, seen)
            continue
        learned = estimator._step(X)
        learner, last, seconds = estimator._learner, learned.last, time.perf_counter() - began
        for name, value in zip(
            _HISTORY, (count, last.objective, last.certificate, seconds, learner.n_replaced), strict=True
        ):
            history[name].append(value)
        if checkpoint is not None:
            numbers, arrays = learner.state()
            run = {
                "epoch": count,
                "history": history,
                "last": last._asdict(),
                "alpha": estimator.alpha_,
                "stream": known,
            }
            checkpoint.save({"learner": numbers, "run": run}, arrays)
        progress = LearningProgress(count, learner.atoms.copy(), last.objective, last.certificate, seconds)
        if estimator.callback is not None and estimator.callback(progress):
            learned = learned._replace(status=Status.INTERRUPTED)
            break
    if learned is None:
        raise ValueError("batches is empty: a stream needs at least one batch of signals.")
    if count < seen:
        _same_stream(checkpoint, known, count, seen)
    return learned, history


def _same_stream(checkpoint, known, count, seen):
    """Refuse a stream whose batches, as many as the checkpoint has seen, are not those that it has seen."""
    if count < seen or known != checkpoint.saved[0]["run"]["stream"]:
        had = f"only {count} batches" if count < seen else "others in their place"
        raise ValueError(
            f"the checkpoint {str(checkpoint.path)!r} is of another run: it has seen {seen} batches, and batches has {had}; "
            "give the stream from its first batch, or another path to begin anew."
        )


def _back_in_stream(estimator, X, numbers, arrays):
    """Give the estimator back what it had after the last batch of the checkpoint."""
    run = numbers["run"]
    learner = make_learner(estimator, X, np.random.RandomState(0))
    estimator.alpha_ = run["alpha"]
    learner.coder = repeated(estimator._coder(*learner.atoms.shape[::-1]))
    learner.restore(numbers["learner"], arrays)
    learned = Learned(_judged(Pass(**run["last"]), estimator.tol), 1, Pass(**run["last"]), {})
    estimator._store(learner, X, learned)
    return learned, run["history"], run["epoch"]


def shortfall(estimator):
    """What to warn of after a fit: atoms that are not stationary, or closer than was asked for, codes that miss their certificate or have
    no entry at all; else nothing."""
    found, learner = [], estimator._learner
    if estimator.tol is not None and estimator.status_ is Status.MAX_ITER:
        more = "max_iter or batch_size" if estimator.method == "online" else "max_iter"
        found.append(
            f"relative stationarity {estimator.certificate_:.3e} after {estimator.n_iter_} passes, tolerance {estimator.tol:.1e}: "
            f"raise {more}, loosen tol, or pass tol=None if the number of passes is what you want."
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
            f"codes of the last pass miss the tolerance {goal:.1e}: the largest {learner.coder.certificate_name} is "
            f"{estimator.code_certificate_:.3e}; {learner.coder.remedy}."
        )
    if estimator.objective_ > 0 and not np.any(learner.statistics.code_gram):
        found.append("no code has an entry, so no atom was learned: lower the penalty, or its error bound.")
    return " Also, ".join(found)


def _fitted(learner, X):
    """Attributes of an estimator that stopped here."""
    return {"components_": learner.atoms.astype(X.dtype if X.dtype.kind == "f" else float)}
