"""Masses of the sources and targets: checked, scaled to a total of one, and without those that are zero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._array import is_complex
from .._validation import refuse_lazy
from ._home import on_host

__all__ = ["Masses", "as_masses"]

_UNEQUAL, _UNEQUAL_SINGLE = 1e-8, 1e-5  # relative difference of the totals that passes for rounding
_LEAST = 1e-100  # total mass below which, or above whose inverse, entries of a plan would leave the range of numbers


class Masses(NamedTuple):
    """Positive masses of total one, and where they stood.

    `rows` and `columns` are the indices of the positive masses in what was given, None where all of them are positive.
    """

    a: np.ndarray
    b: np.ndarray
    total: float
    rows: np.ndarray | None
    columns: np.ndarray | None


def as_masses(a, b, shape) -> Masses:
    """Masses for a cost of that shape; None stands for equal ones."""
    rough = any("32" in str(getattr(values, "dtype", "")) for values in (a, b))
    a, b = _vector(a, "a", shape[0]), _vector(b, "b", shape[1])
    total = float(np.sum(a if a is not None else b if b is not None else 1.0))
    a = np.full(shape[0], total / shape[0]) if a is None else a
    b = np.full(shape[1], total / shape[1]) if b is None else b
    for values, name in ((a, "a"), (b, "b")):
        if np.sum(values) == 0.0:
            raise ValueError(f"{name} is zero everywhere; at least one entry needs a positive mass.")
    if not _LEAST <= total <= 1.0 / _LEAST:
        raise ValueError(f"the masses sum to {total:g}, where entries of a plan lose their digits; rescale a and b.")
    if abs(np.sum(b) - total) > (_UNEQUAL_SINGLE if rough else _UNEQUAL) * total:
        raise ValueError(
            f"a sums to {total:g}, b to {np.sum(b):g}; balanced transport moves equal masses: rescale one of them, "
            "for example b * (a.sum() / b.sum())."
        )
    (a, rows), (b, columns) = _positive(a), _positive(b)
    return Masses(a / a.sum(), b / b.sum(), total, rows, columns)


def _vector(values, name, size):
    if values is None:
        return None
    refuse_lazy(values, name)
    array = np.asarray(on_host(values))
    if array.dtype.kind not in "biuf" or is_complex(array):
        raise ValueError(f"{name} has dtype {array.dtype}; masses are real numbers.")
    if array.shape != (size,):
        remedy = f"pass {name}.ravel()" if array.size == size else "or None for equal ones"
        raise ValueError(
            f"{name} has shape {array.shape}; the cost needs one mass for each of {size}: shape ({size},), {remedy}."
        )
    array = array.astype(np.float64)
    wrong = ~((array >= 0) & np.isfinite(array))
    if np.any(wrong):
        worst = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"{name}[{worst}] is {array[worst]}; masses are finite and not negative.")
    return array


def _positive(values):
    where = values > 0
    return (values, None) if np.all(where) else (values[where], np.flatnonzero(where))
