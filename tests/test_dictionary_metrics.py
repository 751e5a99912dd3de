"""Metrics of dictionaries and of codes against enumeration: every order, every entry, every set of columns."""

from itertools import combinations, permutations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode.metrics import (
    atom_usage,
    babel,
    dead_fraction,
    dictionary_distance,
    dictionary_recovery,
    mean_max_cosine,
    mutual_coherence,
    sparsity,
)

RNG = np.random.default_rng(0)

# dictionaries


def brute_distance(true, found):
    """Minimum over all orders and signs, atom by atom."""
    best = np.inf
    for order in permutations(range(len(found)), len(true)):
        pairs = [min(np.sum((d - e) ** 2), np.sum((d + e) ** 2)) for d, e in zip(true, found[list(order)], strict=True)]
        best = min(best, np.mean(pairs))
    return np.sqrt(best)


@pytest.mark.parametrize("n_found", [5, 6])
def test_distance_is_the_minimum_over_orders_and_signs(n_found):
    true, found = RNG.standard_normal((5, 4)), RNG.standard_normal((n_found, 4))
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    assert dictionary_distance(true, found) == pytest.approx(brute_distance(true, found))


def test_distance_ignores_order_sign_and_norm():
    atoms = RNG.standard_normal((30, 12))
    moved = -3.0 * atoms[RNG.permutation(30)]
    assert dictionary_distance(atoms, moved) == pytest.approx(0.0, abs=1e-7)
    assert dictionary_recovery(atoms, moved) == 1.0


def test_distance_ignores_the_phase_of_complex_atoms():
    atoms = RNG.standard_normal((6, 4)) + 1j * RNG.standard_normal((6, 4))
    phases = np.exp(2j * np.pi * RNG.random((6, 1)))
    assert dictionary_distance(atoms, phases * atoms) == pytest.approx(0.0, abs=1e-7)


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1e200, 1e307])
def test_atoms_of_any_norm_count(size):
    atoms = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 2.0, 0.0]])
    assert dictionary_distance(atoms, size * atoms) == pytest.approx(0.0, abs=1e-7)
    assert dictionary_recovery(atoms, size * atoms) == 1.0
    assert mutual_coherence(size * atoms) == pytest.approx(mutual_coherence(atoms), rel=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_entries_that_are_not_finite_are_named(bad):
    with pytest.raises(ValueError, match="dictionary has entries that are not finite"):
        mean_max_cosine(np.eye(2), [[1.0, bad], [0.0, 1.0]])
    with pytest.raises(ValueError, match="dictionary_true has entries"):
        dictionary_distance([[1.0, bad], [0.0, 1.0]], np.eye(2))
    with pytest.raises(ValueError, match="A has entries"):
        mutual_coherence([[1.0, bad], [0.0, 1.0]])


def test_one_column_is_coherent_with_none():
    assert mutual_coherence([[1.0], [2.0]]) == 0.0


def test_entries_stored_twice_count_once():
    codes = sp.coo_matrix(([1.0, 1.0, 2.0, -2.0], ([0, 0, 0, 0], [0, 0, 1, 1])), shape=(1, 3))
    assert sparsity(codes) == sparsity(codes.toarray()) == 1.0
    assert codes.nnz == 4  # as it came


def test_atoms_without_a_match_count_as_orthogonal():
    assert dictionary_distance(np.eye(4), np.eye(4)[:1]) == pytest.approx(np.sqrt(2 * 3 / 4))


def test_recovery_counts_each_found_atom_once():
    near = np.array([[1.0, 0.0], [1.0, 1e-3]])
    assert dictionary_recovery(near, near[:1]) == 0.5


def test_recovery_threshold_is_a_cosine():
    tilted = np.array([[np.cos(0.1), np.sin(0.1)]])
    assert dictionary_recovery([[1.0, 0.0]], tilted, threshold=np.cos(0.1) - 1e-6) == 1.0
    assert dictionary_recovery([[1.0, 0.0]], tilted, threshold=np.cos(0.1) + 1e-6) == 0.0


def random_atoms(n_atoms, n_features, is_complex=False):
    atoms = RNG.standard_normal((n_atoms, n_features))
    if is_complex:
        atoms = atoms + 1j * RNG.standard_normal((n_atoms, n_features))
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("n_found", [4, 5])
def test_signed_distance_is_the_minimum_over_orders_alone(n_found, is_complex):
    true, found = random_atoms(4, 3, is_complex), random_atoms(n_found, 3, is_complex)
    best = min(
        np.sqrt(np.mean(np.sum(np.abs(true - found[list(order)]) ** 2, axis=1)))
        for order in permutations(range(n_found), 4)
    )
    assert dictionary_distance(true, found, signed=True) == pytest.approx(best)
    assert dictionary_distance(true, found) < best
    assert dictionary_distance(true, -true[::-1], signed=True) > 0.1


@pytest.mark.parametrize("is_complex", [False, True])
def test_distance_of_too_few_atoms_is_the_minimum_over_which_of_the_true_ones_they_match(is_complex):
    true, found = random_atoms(5, 3, is_complex), random_atoms(3, 3, is_complex)
    best = np.inf
    for chosen in permutations(range(5), 3):
        cosines = [abs(np.vdot(found[i], true[j])) for i, j in enumerate(chosen)]
        best = min(best, np.sqrt((sum(2 - 2 * cosine for cosine in cosines) + 2 * 2) / 5))
    assert dictionary_distance(true, found) == pytest.approx(best)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("n_found", [3, 5, 7])
def test_recovery_is_the_largest_matching_over_all_orders(n_found, signed):
    for _ in range(5):
        true, found = random_atoms(5, 2), random_atoms(n_found, 2)
        cosines = true @ found.T if signed else np.abs(true @ found.T)
        above = np.pad(cosines > 0.8, ((0, 0), (0, 5)))  # atoms that match nothing
        best = max(sum(above[i, j] for i, j in enumerate(order)) for order in permutations(range(n_found + 2), 5))
        assert dictionary_recovery(true, found, threshold=0.8, signed=signed) == best / 5


@pytest.mark.parametrize("is_complex", [False, True])
def test_mean_max_cosine_looks_for_the_nearest_atom_of_each(is_complex):
    true, found = random_atoms(6, 4, is_complex), random_atoms(9, 4, is_complex)
    nearest = [max(abs(np.vdot(e, d)) for e in found) for d in true]
    assert mean_max_cosine(true, 3.0 * found) == pytest.approx(np.mean(nearest))
    nearest = [max(np.vdot(e, d).real for e in found) for d in true]
    assert mean_max_cosine(true, 3.0 * found, signed=True) == pytest.approx(np.mean(nearest))


def test_mean_max_cosine_lets_one_atom_serve_several_and_ignores_spare_ones():
    near = np.array([[1.0, 0.0], [1.0, 1e-3]])
    assert mean_max_cosine(near, near[:1]) == pytest.approx(1.0, abs=1e-6)
    assert mean_max_cosine(near, np.vstack([-near, random_atoms(5, 2)])) == pytest.approx(1.0, abs=1e-12)
    assert mean_max_cosine(np.eye(3), np.zeros((2, 3))) == 0.0


@pytest.mark.parametrize("metric", [dictionary_distance, dictionary_recovery, mean_max_cosine])
def test_atoms_of_different_length_are_refused(metric):
    with pytest.raises(ValueError, match="length"):
        metric(np.eye(3), np.eye(4))


# codes


def naive_uses(codes):
    """How many entries are not zero, and which atoms have one, entry by entry."""
    total, used = 0, set()
    for where, value in np.ndenumerate(codes):
        if value != 0:
            total += 1
            used.add(where[1])
    return total, used


@pytest.mark.parametrize("shape", [(7, 5), (4, 6, 9), (3, 4, 5, 2)])
def test_sparsity_and_dead_atoms_are_counted_entry_by_entry(shape):
    codes = RNG.standard_normal(shape) * (RNG.random(shape) < 0.3)
    codes[:, 2] = 0.0
    total, used = naive_uses(codes)
    assert sparsity(codes) == pytest.approx(total / shape[0])
    assert sparsity(codes, relative=True) == pytest.approx(total / codes.size)
    assert dead_fraction(codes) == pytest.approx(1 - len(used) / shape[1])
    assert atom_usage(codes).shape == shape[1:2]
    assert atom_usage(codes).sum() == pytest.approx(sparsity(codes))
    assert set(np.flatnonzero(atom_usage(codes))) == used


def test_compressed_codes_count_like_dense_ones_and_stored_zeros_do_not_count():
    codes = RNG.standard_normal((20, 8)) * (RNG.random((20, 8)) < 0.2)
    codes[:, 5] = 0.0
    for kind in (sp.csr_matrix, sp.csc_array, sp.coo_array):
        compressed = kind(codes)
        for metric in (sparsity, dead_fraction):
            assert metric(compressed) == metric(codes)
        np.testing.assert_array_equal(atom_usage(compressed), np.mean(codes != 0, axis=0))
    stored = sp.csr_matrix(codes)
    stored.data[:] = 0.0
    assert sparsity(stored) == 0.0
    assert dead_fraction(stored) == 1.0


def test_an_atom_that_is_used_too_rarely_can_count_as_dead():
    codes = np.zeros((10, 4))
    codes[:1, 1], codes[:2, 2], codes[:, 3] = 1.0, 1.0, 1.0
    assert [dead_fraction(codes, max_usage=share) for share in (0.0, 0.05, 0.1, 0.2, 1.0)] == [
        0.25,
        0.25,
        0.5,
        0.75,
        1.0,
    ]


@pytest.mark.parametrize("codes", [np.ones(3), np.zeros((0, 3)), sp.csr_matrix((2, 0))])
def test_codes_that_are_no_matrix_are_refused(codes):
    for metric in (sparsity, dead_fraction):
        with pytest.raises(ValueError, match="codes has shape"):
            metric(codes)


def test_coherence_is_the_largest_cosine_between_two_columns():
    design = RNG.standard_normal((5, 8)) + 1j * RNG.standard_normal((5, 8))
    cosines = [
        abs(np.vdot(design[:, i], design[:, j])) / np.linalg.norm(design[:, i]) / np.linalg.norm(design[:, j])
        for i, j in combinations(range(8), 2)
    ]
    assert mutual_coherence(design) == pytest.approx(max(cosines))


def test_coherence_of_spikes_and_cosines_is_known():
    n = 16
    cosines = np.cos(np.pi / n * np.outer(np.arange(n) + 0.5, np.arange(n)))
    expected = np.max(np.abs(cosines) / np.linalg.norm(cosines, axis=0))
    assert mutual_coherence(np.hstack([np.eye(n), cosines])) == pytest.approx(expected)


def test_coherence_leaves_zero_columns_out():
    assert mutual_coherence(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])) == 0.0


@pytest.mark.parametrize("order", [1, 2, 4])
def test_babel_is_the_worst_sum_over_all_sets(order):
    design = RNG.standard_normal((4, 6))
    unit = design / np.linalg.norm(design, axis=0)
    worst = max(
        np.abs(unit[:, list(others)].T @ unit[:, column]).sum()
        for column in range(6)
        for others in combinations([j for j in range(6) if j != column], order)
    )
    assert babel(design, order) == pytest.approx(worst)


def test_babel_refuses_more_columns_than_there_are():
    with pytest.raises(ValueError, match="order"):
        babel(np.eye(3), 3)
