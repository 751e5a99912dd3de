"""The l0 ball and the hard threshold: ties, targets, weights. Its laws are in tests/contracts/."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsecode import L0Ball
from sparsecode._array import hard_threshold_mask
from tests._backends import NAMESPACES, get, put

small = arrays(np.float64, 8, elements=st.integers(0, 3).map(float))  # many ties


@settings(max_examples=60, deadline=None, derandomize=True)
@given(size=small, count=st.integers(0, 10))
@pytest.mark.parametrize("name", NAMESPACES)
def test_the_hard_threshold_keeps_the_largest_and_ties_go_to_the_lowest_index(name, size, count):
    order = sorted(range(8), key=lambda index: (-size[index], index))[:count]
    expected = np.isin(np.arange(8), order)
    np.testing.assert_array_equal(get(hard_threshold_mask(put(size, name), count)), expected)
    both = np.stack([size, size[::-1]], axis=1)
    np.testing.assert_array_equal(get(hard_threshold_mask(put(both, name), count))[:, 0], expected)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(value=arrays(np.float64, 6, elements=st.integers(-3, 3).map(float)), count=st.integers(0, 6))
def test_the_prox_is_the_nearest_point_of_the_ball(value, count):
    nearest = min(np.sum(value[list(gone)] ** 2) for gone in itertools.combinations(range(6), 6 - count))
    point = L0Ball(count).prox(value, 1.0)
    assert np.count_nonzero(point) <= count
    assert np.sum((value - point) ** 2) == nearest


def test_negative_coefficients_leave_the_positive_ball():
    np.testing.assert_array_equal(L0Ball(2, positive=True).prox(np.array([-9.0, 1.0, 2.0, 3.0]), 1.0), [0, 0, 2, 3])
    np.testing.assert_array_equal(L0Ball(3, positive=True).prox(np.array([-9.0, -1.0, 2.0]), 1.0), [0, 0, 2])
    assert L0Ball(3, positive=True).value(np.array([-1.0, 0.0])) == np.inf


def test_only_weighted_coefficients_count():
    weights = np.array([0.0, np.inf, 1.0, 1.0, 4.0])
    ball = L0Ball(1)
    assert ball.value(np.array([5.0, 0.0, 1.0, 0.0, 0.0]), weights) == 0
    assert ball.value(np.array([5.0, 0.0, 1.0, 1.0, 0.0]), weights) == np.inf
    assert ball.value(np.array([0.0, 1.0, 0.0, 0.0, 0.0]), weights) == np.inf
    np.testing.assert_array_equal(ball.prox(np.array([1.0, 9.0, 2.0, 3.0, 8.0]), weights), [1, 0, 0, 3, 0])
    np.testing.assert_array_equal(
        ball.subdiff_distance(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([0, 0, 1.0, 0, 0]), weights),
        [1, 0, 3, 0, 0],
    )


def test_no_step_moves_the_projection():
    value = np.array([1.0, -3.0, 2.0])
    for step in (0.0, 1e-9, 1.0, 1e9):
        np.testing.assert_array_equal(L0Ball(2).prox(value, step), [0, -3, 2])
