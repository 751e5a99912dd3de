"""Metrics of learned coders against enumeration and definitions spelt out."""

from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import r2_score

from sparsecode.metrics import absorption, dictionary_distance, match_atoms, neighbour_recall, variance_unexplained

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("n_found", [3, 5, 6])
def test_the_match_is_the_best_of_all_orders(n_found, signed):
    true, found = RNG.standard_normal((5, 4)), RNG.standard_normal((n_found, 4))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (true, found)]
    likeness = unit[0] @ unit[1].T if signed else np.abs(unit[0] @ unit[1].T)
    size = min(5, n_found)
    best = max(
        sum(likeness[i, j] for i, j in zip(some, order, strict=True))
        for some in permutations(range(5), size)
        if list(some) == sorted(some)
        for order in permutations(range(n_found), size)
    )
    matches, cosines = match_atoms(true, found, signed=signed)
    assert cosines.sum() == pytest.approx(best)
    matched = matches >= 0
    assert matched.sum() == size == len(set(matches[matched]))
    np.testing.assert_allclose(cosines[matched], likeness[np.flatnonzero(matched), matches[matched]])
    assert not cosines[~matched].any()
    assert dictionary_distance(true, found, signed=signed) == pytest.approx(np.sqrt(2 - 2 * best / 5))


def test_variance_unexplained_is_one_minus_the_coefficient_of_determination():
    data = RNG.standard_normal((20, 6)) * np.arange(1, 7) + 5
    guess = data + RNG.standard_normal(data.shape)
    expected = 1 - r2_score(data, guess, multioutput="variance_weighted")
    assert variance_unexplained(data, guess) == pytest.approx(expected)
    assert variance_unexplained(data, np.tile(data.mean(axis=0), (20, 1))) == pytest.approx(1.0)
    assert variance_unexplained(data, data) == 0.0


def test_what_does_not_vary_is_explained_exactly_or_not_at_all():
    constant = np.ones((4, 3))
    assert variance_unexplained(constant, constant) == 0.0
    assert variance_unexplained(constant, constant + 1) == np.inf
    with pytest.raises(ValueError, match="shape"):
        variance_unexplained(constant, constant[:2])


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.coo_array])
def test_absorption_counts_pair_by_pair(kind):
    true = (RNG.random((60, 6)) < 0.5) * RNG.standard_normal((60, 6))
    codes = (RNG.random((60, 9)) < 0.4) * RNG.standard_normal((60, 9))
    parents = np.array([-1, -1, 0, 0, 1, -1])
    matches = np.array([4, 7, 0, 1, 2, -1])
    cases = silent = 0
    for row in range(60):
        for child, parent in ((2, 0), (3, 0), (4, 1)):
            if true[row, child] != 0 and true[row, parent] != 0:
                cases += 1
                silent += codes[row, matches[parent]] == 0
    assert 0 < silent < cases
    assert absorption(kind(true), kind(codes), parents, matches) == pytest.approx(silent / cases)


def test_a_parent_without_a_latent_is_silent_and_no_case_counts_as_none():
    true = np.ones((3, 2))
    assert absorption(true, np.ones((3, 1)), [-1, 0], [-1, 0]) == 1.0
    assert absorption(true, np.ones((3, 1)), [-1, 0], [0, -1]) == 0.0
    assert absorption(true, np.ones((3, 1)), [-1, -1], [0, -1]) == 0.0


def test_an_entry_stored_twice_whose_sum_is_zero_is_off():
    codes = sp.coo_array(([1.0, -1.0, 2.0], ([0, 0, 1], [0, 0, 0])), shape=(2, 1))
    assert absorption(np.ones((2, 2)), codes, [-1, 0], [0, -1]) == 0.5
    assert codes.nnz == 3  # as it came


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"codes": np.ones((2, 3))}, "signals"),
        ({"parents": [-1]}, "parents"),
        ({"matches": [0.0, 1.0]}, "matches"),
        ({"matches": [0, 3]}, "matches"),
        ({"codes": np.ones(3)}, "codes"),
    ],
)
def test_what_does_not_fit_together_is_named(changed, named):
    arguments = {"codes_true": np.ones((3, 2)), "codes": np.ones((3, 3)), "parents": [-1, 0], "matches": [0, 1]}
    with pytest.raises(ValueError, match=named):
        absorption(**(arguments | changed))


def test_recall_is_the_overlap_of_sets():
    true = np.array([RNG.permutation(30)[:5] for _ in range(20)])
    found = np.array([RNG.permutation(30)[:8] for _ in range(20)])
    expected = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(true, found, strict=True)])
    assert 0 < expected < 1
    assert neighbour_recall(true, found) == pytest.approx(expected)
    assert neighbour_recall(true, true[:, ::-1]) == 1.0
    assert neighbour_recall(true, np.full((20, 3), -1)) == 0.0


@pytest.mark.parametrize(
    ("true", "found"),
    [([[1]], [[1], [2]]), ([[1.0]], [[1]]), ([1], [1]), ([[-1]], [[-1]]), (np.ones((0, 2), int), [[1]])],
)
def test_neighbours_that_cannot_be_compared_are_refused(true, found):
    with pytest.raises(ValueError, match="neighbours"):
        neighbour_recall(true, found)
