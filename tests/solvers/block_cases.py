"""Penalties of blocks and problems for them, shared by the tests of their solver."""

import numpy as np
import pytest

from sparsecode import GroupL1, RowL2, SparseGroupL1
from tests.planted import planted

TIGHT = {"solver": "block_descent", "tol": 1e-11}
LABELS = tuple(np.random.default_rng(3).integers(0, 20, 80))
LABELS = tuple(int(label) for label in np.unique(LABELS, return_inverse=True)[1])
PENALTIES = [
    GroupL1(0.15, 4),
    GroupL1(0.15, 7),
    GroupL1(0.15, LABELS),
    SparseGroupL1(0.15, 4, 0.4),
    SparseGroupL1(0.15, LABELS, 0.7),
    RowL2(0.15),
]
each = pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: f"{type(penalty).__name__}")


def target_of(penalty, **options):
    """A planted problem, with three targets for rows."""
    return planted(n_targets=3 if isinstance(penalty, RowL2) else None, **options)
