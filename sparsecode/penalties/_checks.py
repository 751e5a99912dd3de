"""How a penalty refuses parameters: a ValueError that names the field, what it got, and the fix."""

from __future__ import annotations

import math

__all__ = ["require", "require_positive"]


def require(condition, message):
    """Raise a ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def require_positive(penalty, name):
    """Raise a ValueError unless a field is a finite number above zero."""
    number = getattr(penalty, name)
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{type(penalty).__name__}.{name} must be a finite number greater than 0; got {number!r}.")
