"""Log-Gabor atoms and orientation bandwidths, against sums of waves written from the definition."""

import numpy as np
import pytest

from sparsecode.decomposition import log_gabor_bank, orientation_bandwidth


def fine_energy(atom):
    """Energy of the spectrum within half a cycle a pixel, with its angles, from sums of waves."""
    axis = np.linspace(-0.5, 0.5, 201)
    waves = [np.exp(-2j * np.pi * np.outer(axis, np.arange(n))) for n in atom.shape]
    energy = np.abs(waves[0] @ (atom - atom.mean()) @ waves[1].T) ** 2
    return np.where(np.hypot(axis[:, None], axis) <= 0.5, energy, 0.0), np.arctan2(axis[:, None], axis)


@pytest.mark.parametrize("size", [12, 15])
def test_atoms_have_norm_one_no_mean_and_their_orientation(size):
    bank = log_gabor_bank(6, [0.3], 2, size)
    assert bank.shape == (12, size, size)
    np.testing.assert_allclose(np.sum(bank**2, axis=(1, 2)), 1.0)
    np.testing.assert_allclose(bank.mean(axis=(1, 2)), 0.0, atol=1e-15)
    for i, atom in enumerate(bank):
        energy, angle = fine_energy(atom)
        found = 0.5 * np.angle(np.sum(energy * np.exp(2j * angle)))
        assert abs((found - (i // 2) * np.pi / 6 + np.pi / 2) % np.pi - np.pi / 2) < 0.05


def test_the_two_phases_are_even_and_odd():
    even, odd = log_gabor_bank(1, [0.4], 2, 15)
    np.testing.assert_allclose(even[::-1, ::-1], even, atol=1e-12)
    np.testing.assert_allclose(odd[::-1, ::-1], -odd, atol=1e-12)


def test_the_spectrum_peaks_at_the_frequency_asked_for():
    for frequency in (0.15, 0.3):
        atom = log_gabor_bank(1, [0.3], 1, 32, frequency=frequency)[0]
        row, column = np.unravel_index(np.argmax(np.abs(np.fft.fft2(atom, s=(256, 256)))), (256, 256))
        axis = np.fft.fftfreq(256)
        assert np.hypot(axis[row], axis[column]) == pytest.approx(frequency, rel=0.08)


@pytest.mark.parametrize("width", [0.2, 0.35, 0.5])
def test_the_bandwidth_of_a_wide_atom_is_the_one_it_was_made_with(width):
    found = orientation_bandwidth(log_gabor_bank(5, [width], 2, 48))
    np.testing.assert_allclose(found, width, rtol=0.1)


def test_the_bandwidth_is_that_of_the_circular_variance_of_a_fine_spectrum():
    atom = np.random.default_rng(0).standard_normal((7, 5))
    energy, angle = fine_energy(atom)
    variance = 1 - np.abs(np.sum(energy * np.exp(2j * angle))) / energy.sum()
    assert orientation_bandwidth(atom[None])[0] == pytest.approx(np.sqrt(-np.log1p(-variance)), rel=0.02)


def test_bandwidths_do_not_depend_on_scale_sign_or_a_quarter_turn():
    atoms = log_gabor_bank(3, [0.2, 0.5], 1, 11)
    base = orientation_bandwidth(atoms)
    np.testing.assert_allclose(orientation_bandwidth(-3.0 * atoms), base)
    np.testing.assert_allclose(orientation_bandwidth(np.rot90(atoms, axes=(1, 2))), base, rtol=1e-8)
    assert base[3:].min() > base[:3].max()


def test_a_blob_has_no_orientation():
    axis = np.arange(-5, 6)
    blob = np.exp(-0.5 * (axis[:, None] ** 2 + axis**2))
    assert orientation_bandwidth(blob[None])[0] > 2
    assert np.isinf(orientation_bandwidth(np.zeros((1, 4, 4)))[0])


@pytest.mark.parametrize(
    "parameters, name",
    [
        ({"n_theta": 0}, "n_theta"),
        ({"b_theta": []}, "b_theta"),
        ({"b_theta": [0.3, -1.0]}, "b_theta"),
        ({"n_phase": 0}, "n_phase"),
        ({"size": 2}, "size"),
        ({"frequency": 0.6}, "frequency"),
        ({"b_frequency": 0.0}, "b_frequency"),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(parameters, name):
    with pytest.raises(ValueError, match=name):
        log_gabor_bank(**parameters)


@pytest.mark.parametrize("atoms", [np.ones((4, 4)), np.full((1, 4, 4), np.nan)])
def test_what_is_no_stack_of_atoms_is_refused(atoms):
    with pytest.raises(ValueError, match="components"):
        orientation_bandwidth(atoms)


@pytest.mark.parametrize("size", [1e-170, 1e-300, 1e160, 1e300])
def test_bandwidths_of_the_largest_and_smallest_numbers_are_those_of_others(size):
    atoms = np.stack([np.eye(8), np.random.default_rng(0).standard_normal((8, 8)) / 8])
    np.testing.assert_allclose(orientation_bandwidth(size * atoms), orientation_bandwidth(atoms), rtol=1e-9)
