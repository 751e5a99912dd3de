"""The squared loss's numbers, worked out by hand. Its laws are in tests/contracts/."""

import numpy as np

from sparsecode import Squared


def test_the_value_is_half_the_weighted_sum_of_squares():
    target, fitted = np.array([1.0, 3.0]), np.array([0.0, 1.0])
    assert Squared().value(target, fitted, 0.5) == 1.25
    assert Squared().value(target, fitted, np.array([0.5, 0.25])) == 0.75
    assert Squared().value(np.array([3 + 4j]), np.array([0j]), 1.0) == 12.5


def test_the_gradient_is_the_weighted_residual():
    np.testing.assert_array_equal(
        Squared().gradient(np.array([1.0, 3.0]), np.zeros(2), np.array([0.5, 2.0])), [-0.5, -6]
    )


def test_a_sample_without_weight_has_no_say_in_the_dual():
    weights = np.array([0.0, 1.0])
    with np.errstate(all="raise"):
        assert Squared().dual_value(np.array([7.0, 2.0]), np.array([0.0, 1.0]), weights) == 1.5
        assert Squared().dual_scaling(np.array([7.0, 2.0]), np.array([0.0, 1.0]), np.float64(10), weights) == 2


def test_single_precision_sums_in_double():
    target = np.full(1 << 20, 0.1, dtype=np.float32)
    exact = 0.5 * float(np.float32(0.1)) ** 2 * (1 << 20)
    np.testing.assert_allclose(Squared().value(target, np.zeros_like(target), 1.0), exact, rtol=1e-7)
