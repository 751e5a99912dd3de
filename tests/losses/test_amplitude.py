"""The misfit of magnitudes against its definition, finite differences and brute force over phases."""

import numpy as np
import pytest

from sparsecode.losses import Squared
from sparsecode.losses.amplitude import Amplitude, magnitude, phase
from tests._backends import NAMESPACES, get, put

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", NAMESPACES)
@pytest.mark.parametrize("complex_", [False, True])
def test_its_gradient_is_that_of_finite_differences(name, complex_):
    z = RNG.standard_normal(6) + (1j * RNG.standard_normal(6) if complex_ else 0)
    y = np.abs(RNG.standard_normal(6))
    loss, weights, h = Amplitude(), 0.3, 1e-6
    gradient = get(loss.gradient(put(y.astype(z.dtype), name), put(z, name), weights))
    for i in range(6):
        for direction in (1, 1j) if complex_ else (1,):
            e = np.zeros(6, dtype=z.dtype)
            e[i] = h * direction
            slope = (loss.value(y, z + e, weights) - loss.value(y, z - e, weights)) / (2 * h)
            assert slope == pytest.approx((np.conj(direction) * gradient[i]).real, abs=1e-8)


def test_it_is_the_least_squared_loss_over_all_signs():
    z, y = RNG.standard_normal(4), np.abs(RNG.standard_normal(4))
    signs = 1.0 - 2.0 * ((np.arange(16)[:, None] >> np.arange(4)) % 2)
    least = min(Squared().value(sign * y, z, 0.5) for sign in signs)
    assert Amplitude().value(y, z, 0.5) == pytest.approx(least)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_many_targets_have_one_value_each_in_double_precision(dtype):
    z, y = RNG.standard_normal((5, 3)).astype(dtype), np.abs(RNG.standard_normal((5, 3))).astype(dtype)
    value = Amplitude().value(y, z, 0.2)
    assert value.shape == (3,)
    assert value.dtype == np.float64
    np.testing.assert_allclose(value, 0.1 * np.sum((np.abs(z) - y.real) ** 2, axis=0), rtol=1e-5)


@pytest.mark.parametrize("name", NAMESPACES)
def test_a_phase_has_size_one_and_is_one_at_zero(name):
    z = np.array([0.0, 3j, -2.0, 1e-300])
    np.testing.assert_allclose(get(phase(put(z, name))), [1, 1j, -1, 1])
    np.testing.assert_array_equal(get(phase(put(np.array([-2.0, 0.0, 5.0]), name))), [-1, 1, 1])
    assert get(magnitude(put(z, name))).dtype == np.float64
