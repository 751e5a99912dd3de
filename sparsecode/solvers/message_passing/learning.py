"""Priors and channels whose parameters are learned: one set a target, merged target by target.

Expectation maximisation moves them once an iteration, after the messages have settled a little, until they move by less than a
ten-thousandth, three times in a row; then they are held, so that what follows converges to a fixed point of given parameters.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Learner", "as_plain", "leaves", "merged"]

_WARM = 8  # iterations before the first update: the first messages say little of the parameters
_LONGEST = 400
_SETTLED = 1e-4
_CALM = 3


def merged(mask, first, second):
    """The parameters of `first` for the targets in `mask`, those of `second` for the others."""
    if isinstance(first, tuple):
        parts = [merged(mask, one, other) for one, other in zip(first, second, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    return first if isinstance(first, str) or first is second else np.where(mask, first, second)


def as_plain(part):
    """The same part with the parameters of a single target as numbers."""
    if isinstance(part, tuple):
        parts = [as_plain(value) for value in part]
        return type(part)(*parts) if hasattr(part, "_fields") else tuple(parts)
    if isinstance(part, np.ndarray):
        return part.reshape(-1)[0].item() if part.size == 1 else part
    return part


def leaves(part):
    """The parameters one by one, without names of choices."""
    if isinstance(part, tuple):
        return [leaf for value in part for leaf in leaves(value)]
    return [] if isinstance(part, str) else [part]


def _movement(old, new, n_targets):
    """Largest relative change of a parameter, one a target."""
    pairs = list(zip(leaves(old), leaves(new), strict=True))
    values = np.empty((2, len(pairs), n_targets), dtype=complex)
    for row, pair in enumerate(pairs):
        values[0, row], values[1, row] = pair
    size = np.maximum(*np.abs(values))
    size[size == 0] = 1.0
    return np.max(np.abs(values[1] - values[0]) / size, axis=0, initial=0.0)


class Learner:
    """A part (prior or channel) and its learning.

    Parameters
    ----------
    part : prior or channel
        Where it starts.
    n_targets : int
        How many sets of parameters there are.
    active : bool
        Whether it learns at all.
    limit : callable or None
        Maps a learned part and the one before to an admissible one.
    """

    def __init__(self, part, n_targets, active, limit=None):
        self.part = self._start = part
        self._limit = limit
        self._active = active
        self._held = np.full(n_targets, not active)
        self._age = np.zeros(n_targets, dtype=int)
        self._calm = np.zeros(n_targets, dtype=int)  # updates in a row that hardly moved
        self._is_done = not active

    @property
    def is_held(self):
        """Which targets have their final parameters."""
        return self._held

    def update(self, learned):
        """Take over what `learned`, a function of the part, says, for the targets that still learn."""
        if self._is_done:
            return
        self._age += 1
        ready = ~self._held & (self._age > _WARM)
        if not np.any(ready):
            return
        new = learned(self.part)
        new = new if self._limit is None else self._limit(new, self.part)
        moved = _movement(self.part, new, self._held.size)
        self.part = new if ready.all() else merged(ready, new, self.part)
        self._calm = np.where(ready & (moved < _SETTLED), self._calm + 1, 0)
        self._held = self._held | (self._calm >= _CALM) | (ready & (self._age > _LONGEST))
        self._is_done = bool(np.all(self._held))

    def restart(self, mask):
        """Back to the start for the targets in `mask`, which learn anew."""
        self.part = merged(mask, self._start, self.part)
        self._age[mask] = self._calm[mask] = 0
        self._held = np.where(mask, not self._active, self._held)
        self._is_done = bool(np.all(self._held))
