"""Errors up to a sign or phase, against brute force."""

import numpy as np
import pytest

from sparsecode.metrics import align_phase, phase_distance
from tests._backends import put

RNG = np.random.default_rng(0)


def gaussian(*shape, complex_=True):
    values = RNG.standard_normal(shape)
    return values + 1j * RNG.standard_normal(shape) if complex_ else values


@pytest.mark.parametrize("complex_", [False, True])
def test_it_is_the_least_error_over_all_phases(complex_):
    truth, coef = gaussian(7, complex_=complex_), gaussian(7, complex_=complex_)
    turns = np.exp(2j * np.pi * np.arange(20_000) / 20_000) if complex_ else np.array([1.0, -1.0])
    least = np.linalg.norm(turns[:, None] * coef - truth, axis=1).min() / np.linalg.norm(truth)
    assert phase_distance(truth, coef) == pytest.approx(least, rel=1e-7)
    np.testing.assert_allclose(
        np.linalg.norm(align_phase(truth, coef) - truth), least * np.linalg.norm(truth), rtol=1e-7
    )


@pytest.mark.parametrize("turn", [-1.0, 1j, np.exp(0.3j)])
def test_turned_coefficients_are_the_same(turn):
    truth = gaussian(9)
    assert phase_distance(truth, turn * truth) < 1e-15
    np.testing.assert_allclose(align_phase(truth, turn * truth), truth)


def test_small_errors_keep_their_digits():
    truth = gaussian(50)
    wrong = truth.copy()
    wrong[3] += 1e-12
    assert phase_distance(truth, 1j * wrong) == pytest.approx(1e-12 / np.linalg.norm(truth), rel=1e-2)


def test_every_target_has_a_phase_of_its_own():
    truth = gaussian(6, 3)
    other = truth * np.exp(1j * np.array([0.1, 2.0, -1.0]))
    np.testing.assert_allclose(phase_distance(truth, other), 0, atol=1e-14)
    alone = [phase_distance(truth[:, p], gaussian(6)) for p in range(3)]
    assert phase_distance(truth, truth).shape == np.shape(alone)


def test_zero_truth_is_met_by_zero_alone():
    assert phase_distance([0.0, 0.0], [0.0, 0.0]) == 0.0
    assert phase_distance([0.0, 0.0], [0.0, 1.0]) == np.inf
    assert phase_distance([3.0, 4.0], [0.0, 0.0]) == 1.0
    np.testing.assert_array_equal(align_phase([1.0, 0.0], [0.0, 2.0]), [0.0, 2.0])


@pytest.mark.parametrize("name", ["array_api_strict", "torch"])
def test_arrays_of_other_namespaces_are_read(name):
    assert phase_distance(put(np.array([1.0, -2.0]), name), put(np.array([-1.0, 2.0]), name)) == 0.0


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"coef has shape \(3,\), but coef_true has shape \(2,\)"):
        phase_distance([1.0, 2.0], [1.0, 2.0, 3.0])


def test_numbers_of_any_size_are_measured():
    expected = phase_distance([1.0, 2.0], [5.0, 1.0])
    for scale in (1e-200, 1e200, 1e-300, 1e300):
        assert phase_distance(scale * np.array([1.0, 2.0]), scale * np.array([5.0, 1.0])) == pytest.approx(expected)
        assert phase_distance(scale * np.array([1.0, 2.0]), scale * np.array([-1.0, -2.0])) == 0.0
    assert phase_distance([1.0, 0.0], [1e300, 1e308]) == pytest.approx(1e308)
    assert phase_distance([1e-300, 0.0], [1e300, 1e308]) == np.inf


@pytest.mark.parametrize(
    "pair", [([0.0, 0.0], [np.nan, 0.0]), ([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [np.nan, 2.0])]
)
def test_what_is_no_number_has_no_distance(pair):
    assert np.isnan(phase_distance(*pair))
