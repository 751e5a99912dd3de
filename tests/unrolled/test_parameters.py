"""What is trained: where it starts, and what a new layer takes over from the one before."""

import numpy as np
import pytest

from sparsecode.unrolled._layers import analytic_filters
from sparsecode.unrolled._parameters import Parameters
from tests.unrolled.cases import ALPHA, problem


def made(atoms, rule="soft", weights="tied", shared=False, trains_levels=True, accelerated=False):
    return Parameters(
        atoms, n_layers=4, rule=rule, weights=weights, shared=shared, trains_levels=trains_levels,
        accelerated=accelerated, alpha=ALPHA, counts=np.full(4, 3 if rule == "count" else 0),
    )  # fmt: skip


@pytest.mark.parametrize("weights", ["tied", "analytic", "coupled", "free"])
def test_layers_start_with_one_over_the_largest_stretch(weights):
    """Of ``D W'``: for W = D the step of the plain solver."""
    atoms, _, _ = problem()
    filters = analytic_filters(atoms) if weights == "analytic" else atoms
    step = 1.0 / np.linalg.svd(atoms @ filters.T, compute_uv=False)[0]
    layers = made(atoms, weights=weights).layers()
    np.testing.assert_allclose(layers.levels, step * ALPHA, rtol=1e-12)
    if weights == "free":
        np.testing.assert_allclose(layers.filters[0], step * atoms, rtol=1e-12)
        np.testing.assert_allclose(layers.mixing[3], np.eye(13) - step * atoms @ atoms.T, atol=1e-12)
    else:
        np.testing.assert_allclose(layers.steps, step, rtol=1e-12)
        np.testing.assert_allclose(layers.filters[0], filters, rtol=1e-12)


def test_a_new_layer_takes_over_all_but_the_momentum():
    atoms, _, _ = problem()
    found = made(atoms, weights="coupled", accelerated=True)
    rng = np.random.default_rng(0)
    for array in found.arrays.values():
        array += rng.standard_normal(array.shape)
    before = found.copies()
    found.begin_layer(0)  # nothing is before it
    found.begin_layer(2)
    for name, array in found.arrays.items():
        expected = before[name].copy()
        if name != "momenta":
            expected[2] = expected[1]
        np.testing.assert_array_equal(array, expected, err_msg=name)


@pytest.mark.parametrize("rule", ["hard", "count"])
def test_new_layers_of_hard_thresholds_are_those_of_the_plain_iteration(rule):
    atoms, _, _ = problem()
    found = made(atoms, rule=rule, trains_levels=False)
    found.arrays["log_steps"][:2] += 1.0
    before = found.copies()
    found.begin_layer(2)
    np.testing.assert_array_equal(found.arrays["log_steps"], before["log_steps"])


def test_a_matrix_that_all_layers_share_stays():
    atoms, _, _ = problem()
    found = made(atoms, weights="coupled", shared=True)
    assert found.arrays["filters"].shape[0] == 1
    before = found.copies()
    found.begin_layer(1)
    np.testing.assert_array_equal(found.arrays["filters"], before["filters"])
