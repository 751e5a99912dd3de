"""Nested reconstructions against their definitions."""

import numpy as np
import pytest

from sparsecode.solvers.autoencoder.activations import TopK
from sparsecode.solvers.autoencoder.gradients import loss_and_gradients
from sparsecode.solvers.autoencoder.parameters import zeros_like
from sparsecode.solvers.autoencoder.structures import (
    FLAT,
    Matryoshka,
    RankedBudgets,
    halving_budgets,
    halving_prefixes,
)
from tests.solvers.autoencoder import naive

STRUCTURES = {
    "flat": (FLAT, lambda p, Z, target: naive.flat_loss(p, Z, target)),
    "prefixes": (Matryoshka((2, 5, 10)), lambda p, Z, target: naive.matryoshka_loss(p, Z, target, (2, 5, 10))),
    "budgets": (RankedBudgets((1, 2, 4)), lambda p, Z, target: naive.budgets_loss(p, Z, target, (1, 2, 4))),
    "all budgets": (
        RankedBudgets((1, 2, 3, 4)),
        lambda p, Z, target: naive.budgets_loss(p, Z, target, (1, 2, 3, 4)),
    ),
}


def both(parameters, X, target, structure, signed=False):
    """Objective and gradients of the four largest entries."""
    gradients = zeros_like(parameters)
    objective, _ = loss_and_gradients(parameters, X, target, TopK(4, signed), gradients, structure)
    return objective, gradients


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("n_targets", [None, 4])
@pytest.mark.parametrize("name", STRUCTURES)
def test_loss_and_gradients_are_those_of_the_definition(name, n_targets, signed):
    parameters, X, target = naive.problem(n_targets=n_targets)
    structure, by_definition = STRUCTURES[name]

    def loss(p):
        return by_definition(p, naive.topk_codes(p, X, 4, signed), target)

    objective, gradients = both(parameters, X, target, structure, signed)
    np.testing.assert_allclose(objective, loss(parameters), rtol=1e-12)
    for made, expected in zip(gradients, naive.slopes(loss, parameters), strict=True):
        np.testing.assert_allclose(made, expected, atol=1e-7)


@pytest.mark.parametrize("structure", [Matryoshka((10,)), RankedBudgets((4,))])
def test_one_level_is_the_flat_autoencoder(structure):
    parameters, X, target = naive.problem(1)
    (flat, of_flat), (nested, of_nested) = both(parameters, X, target, FLAT), both(parameters, X, target, structure)
    assert nested == flat
    for made, expected in zip(of_nested, of_flat, strict=True):
        np.testing.assert_array_equal(made, expected)


def test_entries_beyond_the_last_budget_belong_to_the_whole_code():
    parameters, X, target = naive.problem(2)
    objective, gradients = both(parameters, X, target, RankedBudgets((1, 3)))  # codes have four

    def loss(p):
        Z = naive.topk_codes(p, X, 4)
        return 0.5 * (naive.budgets_loss(p, Z, target, (1,)) + naive.flat_loss(p, Z, target))

    np.testing.assert_allclose(objective, loss(parameters), rtol=1e-12)
    np.testing.assert_allclose(gradients.encoder, naive.slopes(loss, parameters).encoder, atol=1e-7)


@pytest.mark.parametrize("count", [1, 2, 3, 16, 33, 100])
def test_halved_sizes_ascend_to_the_whole(count):
    for sizes in (halving_prefixes(count), halving_budgets(count)):
        assert sizes[-1] == count and sizes[0] >= 1 and all(np.diff(sizes) > 0)
