"""Transforms against their dense matrices, built entry by entry from the definitions."""

import pickle

import numpy as np
import pytest
import scipy.fft

from sparsecode import L1, fista
from sparsecode.designs import OperatorDesign
from sparsecode.designs.transforms import compose, daubechies_filter, dct_operator, fourier_operator, wavelet_operator

MASK = np.random.default_rng(3).random((16, 16)) < 0.4

OPERATORS = {
    "dct 1-D": dct_operator(7),
    "dct 2-D": dct_operator((4, 6)),
    "dct rows": dct_operator((4, 6), [0, 5, 17]),
    "wavelet 1-D": wavelet_operator(32, n_levels=2),
    "wavelet 2-D": wavelet_operator((16, 32), n_moments=3, n_levels=2),
    "wavelet 3-D": wavelet_operator((4, 8, 4), n_moments=2, n_levels=2),
    "wavelet longer than the signal": wavelet_operator(4, n_moments=4, n_levels=2),
    "fourier": fourier_operator((4, 5), [1, 7, 19]),
    "fourier of wavelets": compose(fourier_operator((16, 16), MASK), wavelet_operator((16, 16), n_levels=2)),
    "rows of dct of wavelets": compose(dct_operator(32, range(10)), wavelet_operator(32)),
}

all_operators = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


def dense(operator):
    return operator @ np.eye(operator.shape[1])


def naive_wavelet_matrix(length, n_moments):
    """One level of periodic synthesis from the definition: columns are even circular shifts of the two filters."""
    lowpass = daubechies_filter(n_moments)
    n_taps = lowpass.size
    highpass = [(-1) ** tap * lowpass[n_taps - 1 - tap] for tap in range(n_taps)]
    matrix = np.zeros((length, length))
    for shift in range(length // 2):
        for tap in range(n_taps):
            matrix[(2 * shift + tap) % length, shift] += lowpass[tap]
            matrix[(2 * shift + tap) % length, length // 2 + shift] += highpass[tap]
    return matrix


@all_operators
def test_adjoint_is_the_conjugate_transpose(operator):
    np.testing.assert_allclose(operator.rmatmat(np.eye(operator.shape[0])), dense(operator).conj().T, atol=1e-13)


@all_operators
def test_inner_products_agree_on_both_sides(operator):
    rng = np.random.default_rng(0)
    left = rng.standard_normal(operator.shape[1]) + 1j * rng.standard_normal(operator.shape[1])
    right = rng.standard_normal(operator.shape[0]) + 1j * rng.standard_normal(operator.shape[0])
    assert np.vdot(right, operator @ left) == pytest.approx(np.vdot(operator.rmatvec(right), left), abs=1e-12)


@all_operators
def test_a_vector_and_a_block_give_the_same_product(operator):
    block = np.random.default_rng(1).standard_normal((operator.shape[1], 3))
    np.testing.assert_allclose(operator @ block, np.column_stack([operator @ column for column in block.T]), atol=1e-14)


@all_operators
def test_known_column_norms_are_those_of_the_columns(operator):
    norms = np.sum(np.abs(dense(operator)) ** 2, axis=0)
    if operator.column_sq_norms is None:
        assert np.ptp(norms) > 1e-3  # only transforms with unequal columns may leave their norms unsaid
    else:
        np.testing.assert_allclose(operator.column_sq_norms, norms, rtol=1e-12)


@all_operators
def test_a_copy_through_pickle_gives_the_same_products(operator):
    twin = pickle.loads(pickle.dumps(operator))
    vector = np.arange(operator.shape[1], dtype=float)
    np.testing.assert_array_equal(twin @ vector, operator @ vector)


@pytest.mark.parametrize("name", ["dct 1-D", "dct 2-D", "wavelet 1-D", "wavelet 2-D", "wavelet 3-D"])
def test_synthesis_is_orthogonal(name):
    matrix = dense(OPERATORS[name])
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(len(matrix)), atol=1e-13)


def test_dct_columns_are_sampled_cosines():
    grid = np.arange(7)
    cosines = np.cos(np.pi / 7 * np.outer(grid + 0.5, grid)) * np.where(grid == 0, np.sqrt(1 / 7), np.sqrt(2 / 7))
    np.testing.assert_allclose(dense(dct_operator(7)), cosines, atol=1e-14)


def test_two_dimensional_dct_is_the_kronecker_product_of_two():
    expected = np.kron(dense(dct_operator(4)), dense(dct_operator(6)))
    np.testing.assert_allclose(dense(dct_operator((4, 6))), expected, atol=1e-14)


def test_partial_dct_holds_the_scaled_rows_of_the_whole():
    rows = [0, 5, 17]
    np.testing.assert_allclose(
        dense(dct_operator((4, 6), rows)), dense(dct_operator((4, 6)))[rows] * np.sqrt(24 / 3), atol=1e-14
    )


def test_fourier_samples_are_scaled_entries_of_the_spectrum():
    signal = np.random.default_rng(0).standard_normal((4, 5))
    mask = np.zeros((4, 5), dtype=bool)
    mask[1, 2] = mask[3, 0] = True
    expected = scipy.fft.fft2(signal)[mask] / np.sqrt(mask.sum())
    np.testing.assert_allclose(fourier_operator((4, 5), mask) @ signal.ravel(), expected, atol=1e-13)


def test_one_wavelet_level_equals_the_naive_matrix():
    np.testing.assert_allclose(
        dense(wavelet_operator(16, n_moments=3, n_levels=1)), naive_wavelet_matrix(16, 3), atol=1e-14
    )


def test_two_wavelet_levels_transform_the_approximation_again():
    inner = np.eye(16)
    inner[:8, :8] = naive_wavelet_matrix(8, 2)
    expected = naive_wavelet_matrix(16, 2) @ inner
    np.testing.assert_allclose(dense(wavelet_operator(16, n_moments=2, n_levels=2)), expected, atol=1e-13)


def test_one_two_dimensional_level_is_the_kronecker_product_of_two():
    matrix = naive_wavelet_matrix(8, 2)
    np.testing.assert_allclose(
        dense(wavelet_operator((8, 8), n_moments=2, n_levels=1)), np.kron(matrix, matrix), atol=1e-13
    )


def test_two_moments_give_the_filter_of_daubechies():
    root = np.sqrt(3.0)
    expected = np.array([1 + root, 3 + root, 3 - root, 1 - root]) / (4 * np.sqrt(2.0))
    np.testing.assert_allclose(daubechies_filter(2), expected, atol=1e-14)


@pytest.mark.parametrize("n_moments", range(1, 11))
def test_filters_are_orthonormal_to_their_even_shifts(n_moments):
    taps = daubechies_filter(n_moments)
    shifts = [taps[: taps.size - 2 * shift] @ taps[2 * shift :] for shift in range(n_moments)]
    np.testing.assert_allclose(shifts, np.eye(1, n_moments)[0], atol=1e-13)


@pytest.mark.parametrize("n_moments", range(1, 6))
def test_wavelets_do_not_see_polynomials_below_their_moments(n_moments):
    taps = daubechies_filter(n_moments)
    place = np.arange(taps.size)
    for degree in range(n_moments):
        assert abs(np.sum((-1.0) ** place * taps * (place / taps.size) ** degree)) < 1e-12


def test_single_precision_stays_single():
    operator = compose(fourier_operator(16, range(8), dtype=np.complex64), wavelet_operator(16, dtype=np.float32))
    samples = operator @ np.ones(16, dtype=np.complex64)
    assert operator.dtype == samples.dtype == operator.rmatvec(samples).dtype == np.complex64


def test_a_design_reads_the_known_norms():
    operator = OPERATORS["fourier of wavelets"]
    np.testing.assert_array_equal(OperatorDesign(operator).column_sq_norms(), operator.column_sq_norms)


def test_a_solver_gives_the_same_answer_through_the_operator_and_its_matrix():
    operator = OPERATORS["fourier of wavelets"]
    target = operator @ np.random.default_rng(0).laplace(size=256).astype(complex) ** 3
    answers = [fista(design, target, penalty=L1(0.05), tol=1e-10).coef for design in (operator, dense(operator))]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-4 * np.abs(answers[1]).max())


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: dct_operator(0), "shape"),
        (lambda: dct_operator((4, 4), np.ones((4, 5), dtype=bool)), "samples"),
        (lambda: dct_operator(4, [4]), "samples"),
        (lambda: dct_operator(4, [1, 1]), "samples"),
        (lambda: dct_operator(4, dtype=np.complex128), "dtype"),
        (lambda: fourier_operator(4, []), "samples"),
        (lambda: fourier_operator(4, [0], dtype=np.float64), "dtype"),
        (lambda: wavelet_operator(12, n_levels=3), "n_levels"),
        (lambda: wavelet_operator(16, n_moments=11), "n_moments"),
        (lambda: compose(dct_operator(4), dct_operator(5)), "outer"),
    ],
)
def test_arguments_that_do_not_fit_are_named(build, named):
    with pytest.raises(ValueError, match=named):
        build()
