"""Many targets as independent problems over threads, and what is said of all of them together."""

from __future__ import annotations

import threading
from itertools import chain

import numpy as np

from .._parallel import map_blocks
from ..designs import GramDesign
from ..result import SolveResult, Status
from .certificates import certificate_of

__all__ = ["joined_history", "one_target", "solve_targets", "worst_status"]

_BLOCK = 8  # targets that share what a method remembers; fixed, so that bits do not depend on the threads


def solve_targets(problem, coef, method, *, n_jobs=None, callback=None, **options) -> SolveResult:
    """Every target by itself, blocks of targets over threads; the certificate is recomputed for all at once. No warning.

    The callback sees the rounds of one target at a time; a true answer stops all of them.
    """
    options["callback"] = None if callback is None else _for_all(callback)

    def block(start, stop):
        memory = method.remember(one_target(problem, start))
        results = []
        for column in range(start, stop):
            begin = np.ascontiguousarray(coef[:, column])
            results.append(method.run(one_target(problem, column), begin, memory, **options))
        return results

    results = list(chain.from_iterable(map_blocks(block, coef.shape[1], _BLOCK, n_jobs)))
    coef = np.stack([result.coef for result in results], axis=1)
    certificate = certificate_of(problem)(problem, coef)
    tol = results[0].tol
    if certificate.name == results[0].certificate_name:  # a method may know a better proof of the same coefficients
        proved = [result.certificate for result in results]
        certificate = certificate._replace(value=np.fmin(certificate.value, proved))
    return SolveResult(
        coef=coef,
        intercept=0.0,
        status=worst_status(results, certificate.value, tol),
        n_iter=max(result.n_iter for result in results),
        objective=np.asarray(certificate.objective),
        certificate=np.asarray(certificate.value),
        certificate_name=certificate.name,
        tol=tol,
        history=joined_history(results),
    )


def _for_all(callback):
    """The callback, asked by one thread at a time, whose first true answer is given to all who ask later."""
    lock, stopped = threading.Lock(), False

    def shared(progress):
        nonlocal stopped
        with lock:
            stopped = stopped or bool(callback(progress))
            return stopped

    return shared


def one_target(problem, column):
    """The problem of one target out of many."""
    target = np.ascontiguousarray(problem.target[:, column])
    design = problem.design
    if isinstance(design, GramDesign) and design.target_sq_norm is not None:
        design = GramDesign(
            design.matrix, design.shape[0], np.broadcast_to(design.target_sq_norm, problem.target.shape[1:])[column]
        )
    twin = type(problem)(design, target, problem.loss, problem.penalty, problem.penalty_weights)
    if not isinstance(problem.row_weights, float):
        twin.row_weights, twin._root = problem.row_weights[:, 0], problem._root
    return twin


def worst_status(results, certificate, tol):
    """CONVERGED only if every target is certified; else what befell the worst that is not."""
    if np.all(np.atleast_1d(certificate) <= tol):
        return Status.CONVERGED
    failed = [result.status for result in results if not result.status.is_success]
    order = [Status.DIVERGED, Status.STALLED, Status.INTERRUPTED, Status.MAX_ITER]
    return min(failed, key=order.index) if failed else Status.STALLED


def joined_history(results):
    """The rounds of all targets, one after another, with the index of the target beside each."""
    history = {"target": []}
    for index, result in enumerate(results):
        history["target"] += [index] * len(result.history["iteration"])
        for name, values in result.history.items():
            history.setdefault(name, []).extend(values)
    return history
