"""The one loop around every iterative solver: stop, certify, record, call back.

A solver is a generator of states that never ends; it knows nothing of tolerances. The loop asks a certificate of the
current coefficients now and then, and sends it back into the generator, which may use what was computed for it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .._array import plain
from ..result import SolveResult, Status

__all__ = ["Progress", "State", "drive", "with_intercept"]


class State(NamedTuple):
    """What a solver yields after an iteration."""

    coef: Any
    certify: bool = True  # whether this iterate is worth a certificate
    finished: bool = False  # whether the solver can do nothing more (fixed point reached)
    chosen: bool = False  # whether it is the answer even if another iterate had the lower certificate
    reason: str = ""  # why nothing more can be done, where the solver can tell; for the warning


class Progress(NamedTuple):
    """What a callback is given: it may return True to stop."""

    iteration: int
    coef: Any
    certificate: Any
    objective: Any
    seconds: float


def drive(steps, certify, *, max_iter, tol, callback=None) -> SolveResult:
    """Run `steps` until the certificate of every target is at most `tol`; return the best iterate with its certificate.

    Parameters
    ----------
    steps : generator of State
        The first state it yields is the starting point; a Certificate is sent in whenever one was made.
    certify : callable
        Certificate of a coefficient array, in float64.
    max_iter : int
        Iterations after the starting point.
    tol : float
        Tolerance for the certificate, relative.
    callback : callable or None
        Called with a `Progress` at each certificate; a true answer stops the solve.
    """
    began = time.perf_counter()
    history: dict[str, list] = {"iteration": [], "certificate": [], "objective": [], "seconds": []}
    best: Any = None  # worst certificate, coefficients, all certificates, iteration
    status = Status.MAX_ITER
    iteration = 0
    message = None
    reason = ""
    while True:
        state = steps.send(message)
        message = None
        last = iteration >= max_iter or state.finished
        if state.certify or last:
            message = certify(state.coef)
            worst = _in_one(message.value, np.max)
            _record(history, iteration, worst, message.objective, time.perf_counter() - began)
            if best is None or worst <= best[0] or np.isnan(best[0]) or state.chosen:
                best = (worst, state.coef, message, iteration)
            if worst <= tol:
                status = Status.CONVERGED
                break
            if np.isnan(worst) or (
                iteration and not np.all(np.isfinite(message.objective))
            ):  # a start may be infeasible
                status = Status.DIVERGED
                break
            if callback is not None and callback(
                Progress(iteration, state.coef, message.value, message.objective, history["seconds"][-1])
            ):
                status = Status.INTERRUPTED
                break
        if last:
            status = Status.STALLED if state.finished else Status.MAX_ITER
            reason = state.reason if state.finished else ""
            break
        iteration += 1
    steps.close()
    _, coef, certificate, _ = best
    return SolveResult(
        coef=coef,
        intercept=0.0,
        status=status,
        n_iter=iteration,
        objective=plain(certificate.objective),
        certificate=plain(certificate.value),
        certificate_name=certificate.name,
        tol=float(tol),
        history=history,
        reason=reason,
    )


def with_intercept(problem, result) -> SolveResult:
    """The result with the constant that the loss adds to its fitted values, if it does."""
    if not getattr(problem.loss, "has_intercept", False):
        return result
    return replace(result, intercept=problem.intercept(result.coef))


def _in_one(values, combine):
    """One number as it is, those of many targets combined; zero for none."""
    if np.ndim(values) == 0:
        return float(values)
    return float(combine(values)) if np.size(values) else 0.0


def _record(history, iteration, worst, objective, seconds):
    history["iteration"].append(iteration)
    history["certificate"].append(worst)
    history["objective"].append(_in_one(objective, np.sum))
    history["seconds"].append(seconds)
