"""How long the steps of a message-passing iteration are, target by target."""

from __future__ import annotations

import numpy as np

from ..._validation import as_number

__all__ = ["Damper"]

_WINDOW = 12  # iterations looked at together
_OPPOSED = 5  # of them, that turned back: slow progress in one direction needs longer steps, not shorter ones
_PROGRESS = 0.8
_LEAST = 0.02


class Damper:
    """Step lengths in (0, 1], one a target; adaptive ones are halved where the iterates swing without getting closer.

    Whatever they are, a target whose iterates diverge starts again with half its step, and is given up below 0.02.
    """

    def __init__(self, damping, n_targets, first=1.0):
        self.adaptive = damping == "adaptive"
        if not self.adaptive:
            if isinstance(damping, str):
                raise ValueError(f"damping must be 'adaptive' or a number in (0, 1]; got {damping!r}.")
            first = as_number(damping, "damping", strict=True, maximum=1.0)
        self.step = np.full(n_targets, first)
        self.given_up = np.zeros(n_targets, dtype=bool)
        self._clear(slice(None))

    def _clear(self, which):
        if not hasattr(self, "_best"):
            shape = self.step.shape
            self._best, self._before = np.full(shape, np.inf), np.full(shape, np.inf)
            self._age, self._opposed = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
        self._best[which] = np.inf
        self._age[which] = self._opposed[which] = 0

    def observe(self, change, opposed):
        """Learn of the relative change of each target and whether it went against the one before."""
        if not self.adaptive:
            return
        np.minimum(self._best, change, out=self._best)
        self._age += 1
        self._opposed += opposed
        full = self._age >= _WINDOW
        if not full.any():
            return
        swings = full & (self._opposed >= _OPPOSED) & ~(self._best < _PROGRESS * self._before)
        self.step[swings] = np.maximum(0.5 * self.step[swings], _LEAST)
        self._before[full] = np.where(swings, np.inf, self._best)[full]
        self._clear(full)

    def restart(self, diverged):
        """Halve the steps of the targets that diverged, and give up those whose step is too short already."""
        self.step[diverged] *= 0.5
        self.given_up |= diverged & (self.step < _LEAST)
        self._before[diverged] = np.inf
        self._clear(diverged)
