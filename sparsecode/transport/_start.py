"""Potentials to start from, as the user gives them."""

from __future__ import annotations

import numpy as np

from ._home import on_host
from ._result import TransportResult

__all__ = ["as_potentials", "centred"]

_MOST = 1e15  # size over reg beyond which float64 has no digits left for a plan


def as_potentials(initial, masses, problem, shape):
    """Potentials of the positive masses, of total one, with ``<a, f> = <b, g>``; `shape` is that of the whole cost."""
    if initial is None:
        return np.zeros(problem.shape[0]), np.zeros(problem.shape[1])
    pair = (initial.f, initial.g) if isinstance(initial, TransportResult) else initial
    try:
        f, g = pair
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"initial must be a TransportResult or a pair (f, g); got {type(initial).__name__}."
        ) from error
    most = _MOST * problem.reg
    f = _potential(f, "f", masses.rows, shape[0], most) - problem.reg * np.log(masses.total)
    g = _potential(g, "g", masses.columns, shape[1], most)
    return centred(masses.a, masses.b, f, g)


def centred(a, b, f, g):
    """The same plan with ``<a, f> = <b, g>``, masses of total one: large constants that cancel would cost digits."""
    lift = 0.5 * float(b @ g - a @ f)
    return f + lift, g - lift


def _potential(values, name, where, size, most):
    array = np.array(on_host(values), dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"initial {name} has shape {np.shape(values)}; it needs shape ({size},).")
    if np.any(np.isnan(array)) or np.any(array == np.inf):
        raise ValueError(f"initial {name} contains NaN or inf; a potential is finite, or -inf where there is no mass.")
    array = array if where is None else array[where]
    array[np.abs(array) > most] = 0.0
    return array
