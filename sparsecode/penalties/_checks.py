"""How a penalty refuses: parameters by a ValueError that names the field, what it got, and the fix; coefficients by inf."""

from __future__ import annotations

import math

from .._array import array_namespace

__all__ = ["forbid_negative", "require", "require_positive"]


def require(condition, message):
    """Raise a ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def require_positive(penalty, name):
    """Raise a ValueError unless a field is a finite number above zero."""
    number = getattr(penalty, name)
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{type(penalty).__name__}.{name} must be a finite number greater than 0; got {number!r}.")


def forbid_negative(penalty, coef, values):
    """`values`, one a coefficient or one a target, inf where a one-sided penalty meets a negative coefficient."""
    if not penalty.positive:
        return values
    xp = array_namespace(coef)
    negative = coef < 0 if values.ndim == coef.ndim else xp.any(coef < 0, axis=0)
    return xp.where(negative, xp.full_like(values, float("inf")), values)
