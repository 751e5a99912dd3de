"""Where a separable penalty leaves its scalar prox for the compiled kernels to pick up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["SCALAR_PROX", "scalar_prox"]

SCALAR_PROX: dict[Any, Callable] = {}


def scalar_prox(penalty_class):
    """Register ``prox(penalty, value, step)``, plain arithmetic on scalars, as the compiled form of a penalty's prox.

    The function is compiled when a kernel first meets the penalty, so it may use only numbers, the penalty's
    fields and the `math` module. It must return the minimiser over w of ``(w - value)**2 / 2 + step * penalty(w)``
    for every ``step >= 0``; a weight reaches it as part of `step`.

    Parameters
    ----------
    penalty_class : type
        The penalty's class, a `typing.NamedTuple`.

    Returns
    -------
    callable
        The decorator; it hands the function on as it is.

    Notes
    -----
    It serves the kernels alone: what else the class has to answer, the example plot_write_a_penalty of the gallery shows.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> from sparsecode.penalties import scalar_prox
    >>> class Ridge(NamedTuple):
    ...     alpha: float
    >>> @scalar_prox(Ridge)
    ... def ridge_prox(penalty, value, step):
    ...     return value / (1.0 + step * penalty.alpha)
    """

    def register(function):
        SCALAR_PROX[penalty_class] = function
        return function

    return register
