"""Where dictionary learning starts: signals of norm one, as different as asked for."""

from __future__ import annotations

import numpy as np

from ..._parallel import single_threaded_blas
from .replacement import distinct, likeness, positive_part, unit_rows
from .signals import dense_rows

__all__ = ["initial_atoms", "mixtures"]

_POOL = 4096  # signals, of which those far from each other are wanted
_MIXED = 4  # signals in an atom of a start that no signal may be


def initial_atoms(signals, n_atoms, random, *, positive=False, spread=False, signed=False):
    """Distinct signals of norm one; random directions where there are too few.

    They are drawn at random, or with `spread` one after another with probability in proportion to the squared sine of the angle to
    the nearest one so far: k-means++ for lines, where a signal and its negative are the same unless `signed`. The draw is from 4 K signals, with
    `spread` from 40 K or 4096.

    Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007.
    """
    n_looked_at = max(40 * n_atoms, _POOL) if spread else 4 * n_atoms
    drawn = random.permutation(signals.shape[0])[:n_looked_at]
    order = np.argsort(drawn)  # a memory-map is read in order
    rows = np.empty((drawn.size, signals.shape[1]))
    rows[order] = dense_rows(signals, drawn[order])
    rows = unit_rows(positive_part(rows, positive))
    with single_threaded_blas():  # bits must not depend on the machine
        chosen = _spread(rows, n_atoms, random, signed) if spread else distinct(rows, n_atoms, signed=signed)
    missing = n_atoms - chosen.shape[0]
    if missing:
        noise = random.standard_normal((missing, signals.shape[1]))
        chosen = np.vstack([chosen, unit_rows(np.abs(noise) if positive else noise)])
    return chosen


def _spread(rows, count, random, signed):
    """Unit rows drawn one after another, those far from all lines so far more often."""
    chosen = np.empty((min(count, rows.shape[0]), rows.shape[1]))
    distance = np.ones(rows.shape[0])
    for size in range(chosen.shape[0]):
        total = np.cumsum(distance)
        if not total[-1] > 1e-12 * rows.shape[0]:  # nothing but directions that were chosen
            return chosen[:size]
        place = int(np.searchsorted(total, random.uniform(0.0, total[-1]), side="right"))
        chosen[size] = rows[min(place, rows.shape[0] - 1)]
        distance = np.minimum(
            distance, np.maximum(1.0 - np.maximum(likeness(rows @ chosen[size], signed), 0.0) ** 2, 0.0)
        )
        distance[distance < 1e-12] = 0.0
    return chosen


def mixtures(signals, count, random):
    """Sums of four random signals with Gaussian weights: directions that the data take, but no signal with its noise."""
    chosen = random.randint(signals.shape[0], size=(count, _MIXED))
    weights = random.standard_normal((count, _MIXED))
    return np.einsum("ij,ijk->ik", weights, signals[chosen])
