"""The inverted index against the dense product of all pairs, sorted whole."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode.decomposition import InvertedIndex, _inverted_index


def codes_of(n, m, density=0.15, signed=False):
    rng = np.random.default_rng(n)
    draw = rng.standard_normal if signed else rng.random
    return sp.random_array(
        (n, m), density=density, random_state=rng, format="csr", data_sampler=lambda size: draw(size)
    )


def naive(codes, queries, count, normalize):
    """Score of every pair, best positive ones first."""
    codes, queries = codes.toarray(), queries.toarray()
    if normalize:
        codes, queries = (c / np.maximum(np.linalg.norm(c, axis=1, keepdims=True), 1e-300) for c in (codes, queries))
    products = queries @ codes.T
    best = np.argsort(-products, axis=1, kind="stable")[:, :count]
    scores = np.take_along_axis(products, best, axis=1)
    return np.where(scores > 0, scores, 0.0), np.where(scores > 0, best, -1)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("count", [1, 5, 60])
def test_neighbours_are_those_of_the_whole_product(count, signed, normalize):
    codes, queries = codes_of(60, 25, signed=signed), codes_of(30, 25, signed=signed)
    scores, neighbours = InvertedIndex(codes, normalize=normalize).query(queries, count)
    expected_scores, expected = naive(codes, queries, count, normalize)
    np.testing.assert_array_equal(neighbours, expected)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-12)


def test_blocks_of_queries_change_nothing(monkeypatch):
    codes, queries = codes_of(80, 12), codes_of(50, 12, density=0.1)
    whole = InvertedIndex(codes).query(queries, 4)
    monkeypatch.setattr(_inverted_index, "_BLOCK_ENTRIES", 30)
    for one, other in zip(whole, InvertedIndex(codes).query(queries, 4), strict=True):
        np.testing.assert_array_equal(one, other)


def test_equal_scores_go_to_the_lower_index_and_who_shares_nothing_is_nobody():
    index = InvertedIndex(np.array([[0.0, 1.0], [2.0, 0.0], [3.0, 0.0], [1.0, 0.0]]))
    scores, neighbours = index.query([[1.0, 0.0], [0.0, 0.0]], 4)
    np.testing.assert_array_equal(neighbours, [[1, 2, 3, -1], [-1] * 4])
    np.testing.assert_array_equal(scores, [[1.0, 1.0, 1.0, 0.0], [0.0] * 4])
    np.testing.assert_array_equal(index.query([[1.0, 0.0]], 2)[1], [[1, 2]])


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, sp.csr_matrix, sp.coo_array, sp.csc_array])
def test_codes_of_any_form_are_taken_and_left_as_they_are(make):
    dense = codes_of(20, 10, density=0.6).toarray()
    dense[3] = 0.0
    given = make(dense)
    index = InvertedIndex(given)
    np.testing.assert_array_equal(index.query(given, 1)[1][dense.any(axis=1), 0], np.flatnonzero(dense.any(axis=1)))
    np.testing.assert_array_equal(given.toarray() if sp.issparse(given) else given, dense)
    assert (index.n_signals, index.n_components, index.n_entries) == (20, 10, np.count_nonzero(dense))
    assert "20 signals over 10 latents" in repr(index)


def test_single_precision_stays_single():
    codes = codes_of(20, 10).astype(np.float32)
    assert InvertedIndex(codes).query(codes, 3)[0].dtype == np.float32


def test_what_cannot_be_queried_is_named():
    index = InvertedIndex(np.eye(3))
    with pytest.raises(ValueError, match="3 latents"):
        index.query(np.eye(4))
    with pytest.raises(ValueError, match="n_neighbors"):
        index.query(np.eye(3), 0)
    with pytest.raises(ValueError, match="NaN"):
        InvertedIndex([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="normalize"):
        InvertedIndex(np.eye(3), normalize="yes")


def test_products_that_cancel_are_no_neighbours():
    index = InvertedIndex([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0], [-1.0, 0.0, 0.0]], normalize=False)
    scores, neighbours = index.query([[1.0, 1.0, 0.0]], n_neighbors=3)
    np.testing.assert_array_equal(neighbours, [[0, -1, -1]])
    np.testing.assert_array_equal(scores, [[2.0, 0.0, 0.0]])


@pytest.mark.parametrize("normalize", [True, False])
def test_entries_stored_twice_count_as_their_sum(normalize):
    """In the index and in the query; those that cancel are none."""
    values, places = np.array([1.0, 2.0, 4.0, 1.0, -1.0, 3.0]), np.array([0, 0, 1, 2, 2, 1])
    twice = sp.csr_array((values, places, np.array([0, 3, 6])), shape=(2, 3))
    assert twice.nnz == 6
    whole = InvertedIndex(twice.toarray(), normalize=normalize)
    index = InvertedIndex(twice, normalize=normalize)
    assert index.n_entries == whole.n_entries == 3 and twice.nnz == 6
    for found, expected in zip(index.query(twice, 2), whole.query(twice.toarray(), 2), strict=True):
        np.testing.assert_allclose(found, expected)
