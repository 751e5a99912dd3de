"""The convolution design against loops over shifts, written from the definition."""

import itertools

import numpy as np
import pytest

from sparsecode import L1, MCP, solve
from sparsecode.designs import ConvolutionDesign
from tests._backends import FOREIGN, get, put

CASES = {
    "in time": ((3, 4), (11,)),
    "an image": ((2, 3, 2), (6, 7)),
    "two channels in time": ((3, 2, 4), (2, 9)),
    "colours": ((2, 3, 2, 2), (3, 5, 4)),
    "a volume": ((2, 2, 3, 2), (4, 5, 3)),
    "one place": ((3, 4), (4,)),
    "short atoms": ((3, 1), (5,)),
}
every_case = pytest.mark.parametrize("atom_shape, signal_shape", CASES.values(), ids=CASES)


def naive_matrix(atoms, signal_shape):
    """One column for each atom at each place, in the order of flattened codes."""
    places = [s - a + 1 for s, a in zip(signal_shape, atoms.shape[1:], strict=True)]
    columns = []
    for atom in atoms:
        for corner in itertools.product(*map(range, places)):
            signal = np.zeros(signal_shape)
            for offset in itertools.product(*map(range, atom.shape)):
                signal[tuple(c + o for c, o in zip(corner, offset, strict=True))] = atom[offset]
            columns.append(signal.ravel())
    return np.array(columns).T


def drawn(atom_shape, seed=0):
    return np.random.default_rng(seed).standard_normal(atom_shape)


@every_case
def test_products_are_those_of_the_explicit_matrix(atom_shape, signal_shape):
    atoms, rng = drawn(atom_shape), np.random.default_rng(1)
    design, explicit = ConvolutionDesign(atoms, signal_shape), naive_matrix(atoms, signal_shape)
    assert design.shape == explicit.shape
    for tail in ((), (1,), (3,)):
        coef, residual = (
            rng.standard_normal((explicit.shape[1], *tail)),
            rng.standard_normal((explicit.shape[0], *tail)),
        )
        np.testing.assert_allclose(design.matvec(coef), explicit @ coef, atol=1e-12)
        np.testing.assert_allclose(design.rmatvec(residual), explicit.T @ residual, atol=1e-12)
    some = np.array([0, explicit.shape[1] - 1, explicit.shape[1] // 2])
    np.testing.assert_array_equal(design.columns(some), explicit[:, some])
    np.testing.assert_allclose(design.column_sq_norms(), np.sum(explicit**2, axis=0))
    assert np.linalg.norm(explicit, 2) ** 2 <= design.spectral_sq_norm() * (1 + 1e-12)


def test_in_time_it_is_the_sum_of_numpys_convolutions():
    atoms, codes = drawn((2, 5)), drawn((2, 20), seed=1)
    expected = sum(np.convolve(code, atom) for code, atom in zip(codes, atoms, strict=True))
    np.testing.assert_allclose(ConvolutionDesign(atoms, 24).matvec(codes.ravel()), expected, atol=1e-12)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_namespace_gives_numpys_products(name, dtype):
    atoms = drawn((3, 4, 2)).astype(dtype)
    reference, design = ConvolutionDesign(atoms, (7, 6)), ConvolutionDesign(put(atoms, name), (7, 6))
    coef = drawn(reference.shape[1:] + (2,), seed=1).astype(dtype)
    residual = drawn(reference.shape[:1], seed=2).astype(dtype)
    close = {"atol": 1e-4 if dtype == "float32" else 1e-12}
    for answer, expected in (
        (design.matvec(put(coef, name)), reference.matvec(coef)),
        (design.rmatvec(put(residual, name)), reference.rmatvec(residual)),
        (design.columns([1, 5]), reference.columns([1, 5])),
    ):
        assert type(answer) is type(put(atoms, name))
        assert get(answer).dtype == dtype
        np.testing.assert_allclose(get(answer), expected, **close)
    assert get(design.in_double().matvec(put(coef, name))).dtype == np.float64


def test_complex_vectors_take_both_of_their_parts_along():
    design, explicit = ConvolutionDesign(drawn((2, 3)), 8), naive_matrix(drawn((2, 3)), (8,))
    coef = drawn((12,), 1) + 1j * drawn((12,), 2)
    np.testing.assert_allclose(design.matvec(coef), explicit @ coef, atol=1e-12)


@pytest.mark.parametrize("penalty", [L1(0.05), MCP(0.05)])
def test_any_penalty_of_the_library_takes_it_for_a_matrix(penalty):
    atoms, rng = drawn((2, 5)), np.random.default_rng(3)
    design, explicit = ConvolutionDesign(atoms, 30), naive_matrix(atoms, (30,))
    coef = np.where(rng.random(52) < 0.06, rng.standard_normal(52), 0.0)
    y = explicit @ coef + 0.01 * rng.standard_normal(30)
    ours, reference = (solve(A, y, penalty=penalty, tol=1e-10) for A in (design, explicit))
    assert ours.status.is_success
    np.testing.assert_allclose(ours.coef, reference.coef, atol=1e-4)


@pytest.mark.parametrize(
    "atoms, shape, message",
    [
        (np.ones(3), 5, "atoms has shape"),
        (np.ones((2, 0)), 5, "atoms has shape"),
        (np.ones((2, 6)), 5, "do not lie within signals"),
        (np.ones((2, 6)), (5, 5), "same axes"),
        (np.ones((2, 3)) * 1j, 5, "must be real"),
        (np.full((2, 3), np.nan), 5, "NaN or infinity"),
    ],
)
def test_atoms_that_do_not_fit_are_refused_by_name(atoms, shape, message):
    with pytest.raises(ValueError, match=message):
        ConvolutionDesign(atoms, shape)
