"""The rule by which training did harm, case by case."""

import numpy as np
import pytest

from sparsecode.networks import harm


@pytest.mark.parametrize(
    "last, first, zero, harmed",
    [
        (0.2, 0.5, 1.0, False),
        (0.54, 0.5, 1.0, False),  # a good start wavers
        (0.56, 0.5, 1.0, True),
        (1.01, 0.5, 1.0, True),
        (1.0, 1.0, 1.0, False),  # nothing is coded, nothing was given away
        (1.01, 3.0, 1.0, False),  # still worse than no code, but on its way
        (3.01, 3.0, 1.0, True),
        (0.9, 3.0, 1.0, False),
        (0.0, 0.0, 0.0, False),
        (np.inf, 0.5, 1.0, True),
        (np.nan, 0.5, 1.0, True),
    ],
)
def test_what_counts_as_harm(last, first, zero, harmed):
    said = harm(last, first, zero, 0.5)
    assert bool(said) == harmed
    assert not harmed or ("lower learning_rate" in said and "0.5" in said)
