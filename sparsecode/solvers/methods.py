"""Which methods there are, what each can solve, and which is taken when nobody says."""

from __future__ import annotations

from functools import cache

from .method import Method

__all__ = ["choose", "methods"]


@cache
def methods() -> tuple[Method, ...]:
    """All methods; the first that suits a problem is the one to take."""
    from .coordinate.blocks import BLOCK_DESCENT
    from .coordinate.least_absolute import LEAST_ABSOLUTE
    from .coordinate.prox_newton import PROX_NEWTON
    from .coordinate.square_root import SQUARE_ROOT
    from .coordinate.support_newton import SUPPORT_NEWTON
    from .coordinate.working_set import WORKING_SETS
    from .proximal.forward_backward import FISTA, ISTA
    from .proximal.nonconvex import NONCONVEX_AG
    from .proximal.primal_dual import PRIMAL_DUAL
    from .reweighted import REWEIGHTED_L1

    return (
        WORKING_SETS,
        SQUARE_ROOT,
        BLOCK_DESCENT,
        SUPPORT_NEWTON,
        PROX_NEWTON,
        FISTA,
        ISTA,
        NONCONVEX_AG,
        REWEIGHTED_L1,
        LEAST_ABSOLUTE,
        PRIMAL_DUAL,
    )


def choose(problem, solver="auto") -> Method:
    """The method called `solver`, or the first that suits."""
    known = methods()
    for method in known:
        if solver in ("auto", method.name) and method.suits(problem):
            return method
    able = [method for method in known if method.suits(problem)]
    pair = f"{type(problem.loss).__name__} with {type(problem.penalty).__name__}"
    names = ", ".join(repr(method.name) for method in able) or "none"
    if solver != "auto" and solver not in {method.name for method in known}:
        every = ", ".join(repr(method.name) for method in known)
        raise ValueError(f"solver must be 'auto' or one of {every}; got {solver!r}.")
    raise ValueError(f"solver={solver!r} cannot solve {pair} on these data; methods that can: {names}.")
