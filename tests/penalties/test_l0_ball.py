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


def distance_by_enumeration(value, ball):
    """Smallest squared distance of `value` (n, targets) to the ball, over all choices of blocks (of rows, if joint)."""
    if value.ndim == 2 and not ball.joint:
        return sum(distance_by_enumeration(column, ball) for column in value.T)
    groups = [slice(start, start + ball.block_size) for start in range(0, len(value), ball.block_size)]
    target = np.maximum(value, 0) if ball.positive else value
    everything = np.sum(value**2)
    most = min(ball.n_nonzero // ball.block_size, len(groups))
    gains = [np.sum(value[g] ** 2) - np.sum((value[g] - target[g]) ** 2) for g in groups]
    return everything - max(sum(chosen) for chosen in itertools.combinations(gains, most))


BALLS = [
    L0Ball(count, positive, block_size, joint)
    for count, block_size in ((0, 1), (1, 1), (3, 1), (3, 3), (4, 2), (7, 3), (9, 4))
    for positive in (False, True)
    for joint in (False, True)
    if count >= block_size or count == 0
]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(value=arrays(np.float64, (7, 3), elements=st.integers(-3, 3).map(float)))
@pytest.mark.parametrize("ball", BALLS, ids=repr)
def test_blocks_and_rows_are_projected_as_enumeration_says(ball, value):
    point = ball.prox(value, 1.0)
    assert np.all(np.isfinite(ball.value(point)))
    np.testing.assert_allclose(np.sum((value - point) ** 2), distance_by_enumeration(value, ball), atol=1e-12)
    np.testing.assert_array_equal(ball.prox(point, 1.0), point)
    kept = ball.keep(value)
    np.testing.assert_array_equal(point, np.where(kept, value, 0.0))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(value=arrays(np.float64, (7, 3), elements=st.integers(-3, 3).map(float)), turn=st.permutations(range(3)))
def test_a_joint_projection_does_not_see_the_order_of_the_targets_nor_their_signs(value, turn):
    ball = L0Ball(4, block_size=2, joint=True)
    signs = np.array([1.0, -1.0, -1.0])
    np.testing.assert_array_equal(ball.prox((signs * value)[:, turn], 1.0), (signs * ball.prox(value, 1.0))[:, turn])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(mask=arrays(bool, (7, 2)))
@pytest.mark.parametrize("name", NAMESPACES)
def test_what_stands_or_falls_together(name, mask):
    for block_size in (1, 2, 3):
        for joint in (False, True):
            expected = np.zeros_like(mask)
            for start in range(0, 7, block_size):
                block = mask[start : start + block_size]
                expected[start : start + block_size] = np.any(block) if joint else np.any(block, axis=0)
            found = L0Ball(6, block_size=block_size, joint=joint).together(put(mask, name))
            np.testing.assert_array_equal(get(found), expected)


@pytest.mark.parametrize("name", NAMESPACES)
def test_blocks_and_rows_are_the_same_in_every_namespace(name):
    value = np.random.default_rng(0).standard_normal((7, 3))
    weights = np.array([0.0, np.inf, 0.5, 1.0, 2.0, 1.0, 3.0])[:, None]
    for ball in BALLS:
        for weight in (None, weights):
            expected = ball.keep(value, weight)
            found = ball.keep(put(value, name), None if weight is None else put(weight, name))
            np.testing.assert_array_equal(get(found), expected)


def test_the_value_counts_blocks_and_rows():
    coef = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    assert L0Ball(2, block_size=2).value(coef).tolist() == [0.0, 0.0]
    assert L0Ball(1, joint=True).value(coef).tolist() == [np.inf, np.inf]
    assert L0Ball(2, joint=True).value(coef).tolist() == [0.0, 0.0]
    assert L0Ball(2, block_size=2, joint=True).value(coef).tolist() == [np.inf, np.inf]
    assert L0Ball(4, block_size=2, joint=True).value(coef).tolist() == [0.0, 0.0]


def test_a_full_block_asks_nothing_of_the_others():
    grad, coef = np.arange(1.0, 7.0), np.array([0.0, 0.0, 3.0, 0.0, 0.0, 0.0])
    assert L0Ball(2, block_size=2).subdiff_distance(grad, coef).tolist() == [0, 0, 3, 4, 0, 0]
    assert L0Ball(4, block_size=2).subdiff_distance(grad, coef).tolist() == grad.tolist()


def test_a_free_coefficient_stands_alone_in_its_block():
    weights = np.array([0.0, 1.0, 1.0, np.inf, 1.0, 1.0])
    ball = L0Ball(2, block_size=2)
    mask = np.array([True, False, True, False, False, False])
    assert ball.together(mask, weights).tolist() == [True, False, True, False, False, False]
    assert ball.together(~mask, weights).tolist() == [False, True, False, False, True, True]
    coef, grad = np.array([1.0, 0.0, 2.0, 3.0]), np.array([0.0, 7.0, 0.0, 0.0])
    assert ball.subdiff_distance(grad, coef, np.array([0.0, 1.0, 1.0, 1.0])).tolist() == [0, 0, 0, 0]
