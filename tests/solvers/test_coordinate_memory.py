"""Coordinate descent copies no design: what it allocates is a few vectors and its working set."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import L1, MCP, ElasticNet, Lasso, NonconvexRegressor, Status, solve
from sparsecode.designs import SparseDesign

N_VECTORS = 20


def peak(function):
    """Most bytes that were alive at once during a call, beyond those before it."""
    function()  # compiles, and loads what is loaded once
    tracemalloc.start()
    try:
        result = function()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


def planted_target(A, rng):
    coef = np.zeros(A.shape[1])
    coef[:20] = 1.0
    return A @ coef + 0.1 * rng.standard_normal(A.shape[0])


@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("kind", [L1, MCP])
def test_a_dense_design_is_not_copied(order, kind):
    rng = np.random.default_rng(0)
    A = np.asarray(rng.standard_normal((1000, 6000)), order=order)  # 46 MiB
    y = planted_target(A, rng)
    penalty = kind(float(np.max(np.abs(A.T @ y))) / 1000 / 5)
    used, result = peak(lambda: solve(A, y, penalty=penalty))
    assert result.status is Status.CONVERGED
    capacity = 512  # columns for which the working set makes room at first
    working_set = 8 * capacity * (1000 + capacity)
    assert used <= 8 * N_VECTORS * (1000 + 6000) + 2 * working_set
    assert used <= A.nbytes / 2


@pytest.mark.parametrize("kind", [L1, MCP])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_a_compressed_design_is_not_copied(kind, index):
    rng = np.random.default_rng(0)
    A = sp.random(4000, 8000, 0.015, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    A.indices, A.indptr = A.indices.astype(index), A.indptr.astype(index)
    y = planted_target(A, rng)
    penalty = kind(float(np.max(np.abs(A.T @ y))) / 4000 / 5)
    used, result = peak(lambda: solve(A, y, penalty=penalty))
    assert result.status is Status.CONVERGED
    design = A.data.nbytes + A.indices.nbytes
    working_set = 4 * 300 * 60 * 16  # 300 columns of 60 entries, as they are gathered
    blocks = 3 * 8 * 2**16  # squared entries
    assert used <= 8 * N_VECTORS * (4000 + 8000) + working_set + blocks
    assert used <= design / 2


def test_the_estimator_copies_no_fortran_design():
    rng = np.random.default_rng(0)
    A = np.asfortranarray(rng.standard_normal((1000, 6000)))
    y = planted_target(A, rng)
    model = Lasso(alpha=float(np.max(np.abs(A.T @ y))) / 1000 / 5)
    used, _ = peak(lambda: model.fit(A, y))
    assert used <= A.nbytes / 2


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
@pytest.mark.parametrize("kind", ["F", "C", "CSC"])
@pytest.mark.parametrize(
    "build", [ElasticNet, NonconvexRegressor, lambda alpha: Lasso(alpha, debias=True)], ids=["ridge", "mcp", "debias"]
)
def test_curvatures_of_centred_columns_need_no_second_design(build, kind, weighted):
    rng = np.random.default_rng(0)
    if kind == "CSC":
        A = sp.random(3000, 12_000, 0.01, format="csc", random_state=rng)
    else:
        A = np.asarray(rng.standard_normal((1000, 6000)), order=kind)
    y = planted_target(A, rng)
    model = build(float(np.max(np.abs(A.T @ (y - y.mean())))) / A.shape[0] / 2)
    weights = rng.uniform(0.5, 2.0, A.shape[0]) if weighted else None
    capacity = 8 * 512 * (A.shape[0] + 512)  # the room that the working set makes at first, most of it never touched
    used, _ = peak(lambda: model.fit(A, y, sample_weight=weights))
    assert model.status_ is Status.CONVERGED
    assert used <= capacity + 2**23 + 8 * N_VECTORS * sum(A.shape)  # 2**23: a block of centred columns


@pytest.mark.parametrize("block", [1, 7, 1 << 16])
def test_norms_of_compressed_columns_do_not_depend_on_the_blocks(block, monkeypatch):
    from sparsecode.designs import sparse

    monkeypatch.setattr(sparse, "_BLOCK", block)
    A = sp.random(40, 60, 0.1, random_state=1).toarray()
    A[:, [3, 4, 59]] = 0.0
    np.testing.assert_allclose(SparseDesign(sp.csc_array(A)).column_sq_norms(), np.sum(A**2, axis=0), rtol=1e-14)
