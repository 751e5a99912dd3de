"""The one rule by which training did harm: it ended above where it began, by more than a good start wavers.

    last > first + wavering max(zero - first, 0)

with the loss at the end, before training, and of codes that are zero. A start worse than zeros is no harm done, as long as it
gets better. Adam's steps are as long as its rate whatever the loss, so a rate far too large leaves parameters at finite values
that mean nothing.
"""

from __future__ import annotations

import numpy as np

__all__ = ["harm"]

_WAVERING = 0.1
_ROUNDING = 1e-6


def harm(
    last, first, zero, rate, what="the objective", nothing="that of codes that are zero", wavering=_WAVERING
) -> str:
    """What to warn of where training did harm, without its full stop; empty where it did none.

    `wavering` is the share of what the start was better by than zeros that may be given away: little where the best state is kept, more where it
    is the last one.
    """
    most = first + wavering * max(zero - first, 0.0)
    if last <= most + _ROUNDING * abs(most):
        return ""
    if not np.isfinite(last):
        return f"training left the range of numbers at learning_rate={rate:.3g}: lower learning_rate"
    began = "" if first == zero else f", and it began at {first:.3g}"
    return f"training diverged: {what} ended at {last:.3g}, {nothing} is {zero:.3g}{began}: lower learning_rate, which was {rate:.3g}"
