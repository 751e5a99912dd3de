"""Where signals lie and how large they are: an autoencoder is trained on signals about zero with entries of about one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Frame", "geometric_median"]

_STEPS = 30
_FLOOR = 1e-6  # of the mean distance: a signal at the median itself does not pull without bound


class Frame(NamedTuple):
    """Centre and scale of the signals (d,) and of the targets (p,); the same where signals are reconstructed."""

    center: Any
    scale: float
    target_center: Any
    target_scale: float
    is_one: bool = True  # whether signals are their own targets

    def inputs(self, rows):
        """Signals as the encoder sees them."""
        return (rows - self.center) * (1.0 / self.scale)

    def targets(self, rows):
        """Targets as the decoder makes them."""
        return (rows - self.target_center) * (1.0 / self.target_scale)


def geometric_median(rows):
    """The point with the least sum of distances to the rows, by Weiszfeld's iteration: a mean that outliers cannot move far."""
    center = np.mean(rows, axis=0)
    for _ in range(_STEPS):
        distances = np.linalg.norm(rows - center, axis=1)
        size = float(np.mean(distances))
        if size == 0.0:
            break
        weights = 1.0 / np.maximum(distances, _FLOOR * size)
        center, before = weights @ rows / np.sum(weights), center
        if np.linalg.norm(center - before) <= _FLOOR * size:
            break
    return center
