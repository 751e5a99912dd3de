"""Which methods there are, what each can solve, and which is taken when nobody says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from .method import Method

__all__ = ["choose", "methods"]


_HOMES = (  # the first that suits a problem is the one to take
    ("coordinate.working_set", "WORKING_SETS"),
    ("coordinate.blocks", "BLOCK_DESCENT"),
    ("coordinate.square_root", "SQUARE_ROOT"),
    ("coordinate.support_newton", "SUPPORT_NEWTON"),
    ("coordinate.prox_newton", "PROX_NEWTON"),
    ("proximal.forward_backward", "FISTA"),
    ("proximal.forward_backward", "ISTA"),
    ("proximal.nonconvex", "NONCONVEX_AG"),
    ("reweighted", "REWEIGHTED_L1"),
    ("coordinate.least_absolute", "LEAST_ABSOLUTE"),
    ("proximal.primal_dual", "PRIMAL_DUAL"),
)


@cache
def _method(place) -> Method:
    module, name = _HOMES[place]
    return getattr(import_module(f".{module}", __package__), name)


def methods() -> Iterator[Method]:
    """All methods, each imported when it is its turn: a first fit does not wait for those that it does not need."""
    return map(_method, range(len(_HOMES)))


def choose(problem, solver="auto") -> Method:
    """The method called `solver`, or the first that suits."""
    for method in methods():
        if solver in ("auto", method.name) and method.suits(problem):
            return method
    known = tuple(methods())
    able = [method for method in known if method.suits(problem)]
    pair = f"{type(problem.loss).__name__} with {type(problem.penalty).__name__}"
    names = ", ".join(repr(method.name) for method in able) or "none"
    if solver != "auto" and solver not in {method.name for method in known}:
        every = ", ".join(repr(method.name) for method in known)
        raise ValueError(f"solver must be 'auto' or one of {every}; got {solver!r}.")
    raise ValueError(f"solver={solver!r} cannot solve {pair} on these data; methods that can: {names}.")
