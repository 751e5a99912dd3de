"""Warnings that point at the line of the user's code that led to them."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

__all__ = ["warn"]

_INSIDE = (__name__.partition(".")[0], "sklearn")  # scikit-learn's decorators stand between an estimator and its user


def warn(message, category):
    """Warn as from the first caller outside this package and scikit-learn, however deep inside the cause lies."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
