"""Counts, numbers and switches, within their bounds."""

from __future__ import annotations

import numbers

import numpy as np

from .._array import is_array_api_obj, to_numpy
from .._warnings import warn

__all__ = ["as_count", "as_flag", "as_number"]


def as_count(value, name, *, minimum=1, maximum=None, maximum_name=None):
    """An integer of at least `minimum`; above `maximum` it is clipped, with a warning."""
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, numbers.Integral)):
        raise ValueError(f"{name} must be an integer of at least {minimum}; got {value!r}.")
    value = int(value)
    if value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}; got {value}.")
    if maximum is not None and value > maximum:
        warn(f"{name}={value} is more than {maximum_name or 'possible'}; {maximum} is used.", RuntimeWarning)
        return maximum
    return value


def as_number(value, name, *, minimum=0.0, strict=False, maximum=np.inf):
    """A finite real number within bounds, or an array that is one; `strict` excludes the minimum itself."""
    if is_array_api_obj(value) and value.ndim == 0:
        value = to_numpy(value)[()]
    is_number = type(value) is float or (isinstance(value, numbers.Real) and not isinstance(value, bool))
    if not is_number or not np.isfinite(value):
        raise ValueError(f"{name} must be a finite number; got {value!r}.")
    value = float(value)
    if value < minimum or (strict and value == minimum) or value > maximum:
        bound = f"{'greater than' if strict else 'at least'} {minimum:g}"
        bound += "" if maximum == np.inf else f" and at most {maximum:g}"
        raise ValueError(f"{name} must be {bound}; got {value:g}.")
    return value


def as_flag(value, name) -> bool:
    """True or False, and not what merely counts as one of them."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False; got {value!r}.")
    return bool(value)
