"""Kernels of sparse autoencoders against sorting, loops and NumPy's dense algebra."""

import numpy as np
import pytest

from sparsecode.kernels import autoencoder as kernels
from sparsecode.networks import Adam


def top(products, bias, signed, k):
    """Places and values of each row, as the kernel has them."""
    n, m = products.shape
    words = np.empty(m, dtype=np.int32 if products.dtype == np.float32 else np.int64)
    indices, values = np.full((n, k), -1, dtype=np.int32), np.empty((n, k), dtype=products.dtype)
    counts = np.empty(n, dtype=np.int64)
    kernels.top_rows(products, bias, signed, words, words.view(products.dtype), indices, values, counts)
    return [(indices[s, : counts[s]], values[s, : counts[s]]) for s in range(n)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("kind", ["smooth", "ties", "negative", "long"])
def test_the_largest_of_a_row_are_those_of_a_stable_sort(dtype, signed, kind):
    random = np.random.RandomState(0)
    for _ in range(60):
        m = random.randint(300, 900) if kind == "long" else random.randint(1, 70)
        k = random.randint(1, min(m, 40) + 1)
        products, bias = random.standard_normal((3, m)), random.standard_normal(m)
        if kind == "ties":
            products, bias = np.round(2 * products) / 2, np.round(bias)
        if kind == "negative":
            products, bias = -np.abs(products), 0.2 * bias
        products, bias = products.astype(dtype), bias.astype(dtype)
        pre = products + bias
        size = np.abs(pre) if signed else np.maximum(pre, 0)
        for s, (places, values) in enumerate(top(products, bias, signed, k)):
            expected = np.sort(np.argsort(-size[s], kind="stable")[:k])
            expected = expected[size[s][expected] > 0]
            np.testing.assert_array_equal(places, expected)
            np.testing.assert_array_equal(values, pre[s, expected])


def test_what_is_above_is_what_is_above():
    random = np.random.RandomState(1)
    products, bias, low = random.standard_normal((5, 20)), random.standard_normal(20), random.uniform(0, 1, 20)
    counts = np.empty(5, dtype=np.int64)
    kernels.count_above(products, bias, low, counts)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices, values = np.empty(indptr[-1], dtype=np.int32), np.empty(indptr[-1])
    kernels.fill_above(products, bias, low, indptr, indices, values)
    rows, columns = np.nonzero(products + bias > low)
    np.testing.assert_array_equal(counts, np.bincount(rows, minlength=5))
    np.testing.assert_array_equal(indices, columns)
    np.testing.assert_array_equal(values, (products + bias)[rows, columns])


@pytest.mark.parametrize("width", [3, 16, 37])
def test_sums_of_rows_by_latent_are_a_product_with_the_codes(width):
    random = np.random.RandomState(2)
    codes = random.standard_normal((30, 9)) * (random.random_sample((30, 9)) < 0.4)
    vectors = random.standard_normal((2, 30, width))
    signals, latents = np.nonzero(codes)
    levels = random.randint(2, size=latents.size)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(signals, minlength=30))])
    starts, order, rows = np.empty(10, dtype=np.int64), *np.empty((2, latents.size), dtype=np.int64)
    kernels.sort_by_latent(indptr, latents.astype(np.int32), starts, order, rows)
    np.testing.assert_array_equal(latents[order], np.sort(latents))
    np.testing.assert_array_equal(rows, signals[order])
    factors = codes[signals, latents]
    out = random.standard_normal((9, width))
    expected = out.copy()
    for value, s, j, l in zip(factors, signals, latents, levels, strict=True):
        expected[j] += 0.5 * value * vectors[l, s]
    kernels.sum_rows(starts, order, rows, factors, levels, vectors, 0.5, out)
    np.testing.assert_allclose(out, expected, atol=1e-13)


@pytest.mark.parametrize("size", [0.01, 1.0])
@pytest.mark.parametrize("unit", [False, True])
def test_a_step_on_rows_is_a_step_of_adam(unit, size):
    random = np.random.RandomState(3)
    rows = size * random.standard_normal((6, 19))
    adam = Adam([rows.copy()], 0.05)
    mean, square = np.zeros_like(rows), np.zeros_like(rows)
    for count in range(1, 4):
        gradient = random.standard_normal(rows.shape)
        adam.step([gradient])
        if unit:
            adam.parameters[0][...] /= np.linalg.norm(adam.parameters[0], axis=1, keepdims=True)
        length, share = 0.05 / (1 - 0.9**count), (1 - 0.999**count) ** -0.5
        kernels.adam_rows(rows, mean, square, gradient, 0.1, 0.001, length, share, 1e-8, unit)
        np.testing.assert_allclose(rows, adam.parameters[0], rtol=1e-12)


def test_tangent_rows_are_orthogonal_to_the_atoms():
    random = np.random.RandomState(4)
    atoms, gradient = random.standard_normal((2, 5, 21))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    expected = gradient - np.sum(gradient * atoms, axis=1, keepdims=True) * atoms
    square = kernels.tangent_rows(gradient, atoms)
    np.testing.assert_allclose(gradient, expected, atol=1e-14)
    assert np.isclose(square, np.sum(expected**2))
