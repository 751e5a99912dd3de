"""What a method is: a way to solve problems that `methods.py` can choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Method"]


class Method(NamedTuple):
    """A way to solve problems: what it is called, what it can solve, and how it is run.

    ``run(problem, coef, memory, *, tol, max_iter, callback=None)`` returns a `SolveResult` without a warning, the certificate
    that `certificate_of` gives the problem. What ``remember(problem)`` returns is handed to `run` again for the next strength
    of a path, and for the next of independent targets; ``keep_proofs(memory)`` has it carry what one strength proves of the
    others, so that certificates are gaps of coefficients with another's dual point. ``at_once(problem, alphas, tol, handed_out)``
    gives those results of a path that need no run: one for each strength, with its intercept, or None; those `handed_out` prove
    themselves.
    """

    name: str
    suits: Callable[[Any], bool]
    run: Callable[..., Any]
    remember: Callable[[Any], Any] = lambda problem: None
    each_target: bool = False  # whether independent targets have to be given one by one
    keep_proofs: Callable[[Any], Any] = lambda memory: memory
    at_once: Callable[..., list] = lambda problem, alphas, tol, handed_out: [None] * len(alphas)
