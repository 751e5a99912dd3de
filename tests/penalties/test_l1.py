"""The l1 norm's numbers, worked out by hand. Its laws are in tests/contracts/."""

import numpy as np

from sparsecode import L1


def test_the_value_is_the_weighted_sum_of_moduli():
    coef = np.array([3.0, -4.0, 0.0])
    assert L1(0.5).value(coef) == 3.5
    assert L1(0.5).value(coef, np.array([1.0, 2.0, 7.0])) == 5.5
    assert L1(0.5).value(np.array([3 + 4j, 0, 0])) == 2.5


def test_the_prox_is_the_soft_threshold():
    np.testing.assert_array_equal(L1(2.0).prox(np.array([3.0, -5.0, 0.5, 1.0]), 0.5), [2, -4, 0, 0])
    np.testing.assert_array_equal(L1(2.0, positive=True).prox(np.array([3.0, -5.0, 0.5]), 0.5), [2, 0, 0])
    np.testing.assert_allclose(L1(1.0).prox(np.array([6 + 8j]), 5.0), [3 + 4j])


def test_weights_reach_the_prox_in_the_step_from_free_to_excluded():
    np.testing.assert_array_equal(L1(1.0).prox(np.array([3.0, 3.0, 3.0]), np.array([0.0, 1.0, np.inf])), [3, 2, 0])
    np.testing.assert_array_equal(L1(1.0).prox(np.array([3j, 3j, 3j]), np.array([0.0, 1.0, np.inf])), [3j, 2j, 0])


def test_the_distance_to_the_subdifferential_at_and_off_zero():
    grad, coef = np.array([0.5, 2.0, -3.0, -1.0]), np.array([0.0, 0.0, 0.0, 2.0])
    np.testing.assert_array_equal(L1(1.0).subdiff_distance(grad, coef), [0, 1, 2, 0])
    np.testing.assert_array_equal(L1(1.0, positive=True).subdiff_distance(grad, coef), [0, 0, 2, 0])


def test_the_dual_limit_ignores_free_and_excluded_columns():
    weights = np.array([0.0, np.inf, 2.0, 1.0])
    assert L1(1.0).dual_limit(np.array([9.0, 9.0, 4.0, 1.0]), weights) == 0.5
    assert L1(1.0, positive=True).dual_limit(np.array([-9.0, 0.0, 0.0, -1.0])) == np.inf
