"""Every kind of design answers like the explicit matrix it stands for."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from sparsecode import GramDesign, omp
from sparsecode._array import to_numpy
from sparsecode._validation import as_design
from sparsecode.designs import CenteredDesign, ConvolutionDesign, KroneckerDesign
from tests._backends import FOREIGN, put

N_SAMPLES, N_FEATURES = 9, 6
DTYPES = ["float64", "float32", "complex128", "complex64"]
quick = settings(max_examples=15, deadline=None, derandomize=True)


def matrix(dtype, seed=0, shape=(N_SAMPLES, N_FEATURES)):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape)
    if "complex" in dtype:
        values = values + 1j * rng.standard_normal(shape)
    values[:, 2] = 0  # an empty column
    values[rng.uniform(size=shape) < 0.3] = 0
    return values.astype(dtype)


def centred(A, mean, scale):
    return scale[:, None] * (A - mean)


def kinds(A):
    """Pairs of a design and the explicit matrix it stands for."""
    rng = np.random.default_rng(1)
    real = np.zeros(1, dtype=A.dtype).real.dtype
    mean = (rng.standard_normal(A.shape[1]) + (0.5j if A.dtype.kind == "c" else 0)).astype(A.dtype)
    scale = rng.uniform(0.5, 2, A.shape[0]).astype(real)
    yield "C order", as_design(np.ascontiguousarray(A)), A
    yield "Fortran order", as_design(np.asfortranarray(A)), A
    yield "strided", as_design(np.repeat(np.repeat(A, 2, axis=0), 2, axis=1)[::2, ::2]), A
    yield "CSC", as_design(sp.csc_array(A)), A
    yield "CSR", as_design(sp.csr_matrix(A)), A
    yield "operator", as_design(aslinearoperator(A)), A
    for name, base in (("dense", A), ("CSC", sp.csc_array(A)), ("operator", aslinearoperator(A))):
        yield f"centred {name}", CenteredDesign(as_design(base), mean, scale), centred(A, mean, scale)
        yield f"only centred {name}", CenteredDesign(as_design(base), mean), A - mean
        yield f"only weighted {name}", CenteredDesign(as_design(base), None, scale), scale[:, None] * A
    factors = A[:3, 1:3], A[3:6, 3:6]
    product, mean, scale = np.kron(*factors), mean[:N_FEATURES], scale[:N_SAMPLES]
    yield "Kronecker", KroneckerDesign(factors), product
    yield "centred Kronecker", CenteredDesign(KroneckerDesign(factors), mean, scale), centred(product, mean, scale)


every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def close(found, expected, dtype):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=5e-5 if dtype in ("float32", "complex64") else 1e-12)


@every_dtype
@quick
@given(seed=st.integers(0, 10_000), n_targets=st.sampled_from([None, 1, 3]))
def test_products_are_those_of_the_explicit_matrix(dtype, seed, n_targets):
    A = matrix(dtype, seed)
    rng = np.random.default_rng(seed)
    tail = () if n_targets is None else (n_targets,)
    coef = rng.standard_normal((N_FEATURES, *tail)).astype(dtype)
    coef[rng.uniform(size=coef.shape) < 0.5] = 0
    residual = rng.standard_normal((N_SAMPLES, *tail)).astype(dtype)
    for name, design, explicit in kinds(A):
        for found, expected in (
            (design.matvec(coef), explicit @ coef),
            (design.product(coef), explicit @ coef),
            (design.product(0 * coef), 0 * (explicit @ coef)),
            (design.rmatvec(residual), explicit.conj().T @ residual),
            (design.normal(coef), explicit.conj().T @ (explicit @ coef)),
            (design.matvec_support(coef[[4, 1]], np.array([4, 1])), explicit[:, [4, 1]] @ coef[[4, 1]]),
        ):
            assert found.dtype == dtype, name
            close(found, expected, dtype)


@every_dtype
@quick
@given(seed=st.integers(0, 10_000))
def test_the_adjoint_is_the_adjoint(dtype, seed):
    A = matrix(dtype, seed)
    rng = np.random.default_rng(seed)
    coef, residual = rng.standard_normal(N_FEATURES).astype(dtype), rng.standard_normal(N_SAMPLES).astype(dtype)
    for name, design, _ in kinds(A):
        left, right = np.vdot(residual, design.matvec(coef)), np.vdot(design.rmatvec(residual), coef)
        assert left == pytest.approx(right, abs=1e-4 if dtype in ("float32", "complex64") else 1e-11), name


@every_dtype
def test_columns_and_grams_are_those_of_the_explicit_matrix(dtype):
    left, right = np.array([5, 0, 2]), np.array([1, 2])
    for name, design, explicit in kinds(matrix(dtype)):
        picked = design.columns(left)
        assert picked.flags.f_contiguous, name
        close(picked, explicit[:, left], dtype)
        close(design.gram(left), explicit[:, left].conj().T @ explicit[:, left], dtype)
        close(design.gram(left, right), explicit[:, left].conj().T @ explicit[:, right], dtype)


@every_dtype
def test_column_norms_are_double_precision_sums_of_squares(dtype):
    for name, design, explicit in kinds(matrix(dtype)):
        if name.endswith(" operator"):
            continue  # estimated there
        norms = design.column_sq_norms()
        assert norms.dtype == np.float64
        wide = explicit.astype(np.complex128)
        np.testing.assert_allclose(norms, np.sum(np.abs(wide) ** 2, axis=0), rtol=1e-5, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_in_double_multiplies_the_same_numbers_in_double_precision(dtype):
    rng = np.random.default_rng(0)
    A = matrix(dtype, shape=(300, 200)) * 10.0 ** rng.integers(-3, 4, 200).astype(np.float32)
    wide = A.astype("complex128" if "complex" in dtype else "float64")
    coef, residual = rng.standard_normal((200, 2)), rng.standard_normal((300, 2))
    for layout in (np.ascontiguousarray, np.asfortranarray, sp.csc_array):
        design = as_design(layout(A)).in_double()
        assert design.dtype == wide.dtype
        np.testing.assert_allclose(design.matvec(coef), wide @ coef, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(design.matvec(coef[:, 0]), wide @ coef[:, 0], rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(design.rmatvec(residual), wide.conj().T @ residual, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(design.columns([3, 1]), wide[:, [3, 1]])
        few = np.where(np.arange(200)[:, None] < 2, coef, 0)
        np.testing.assert_allclose(design.product(few), wide @ few, rtol=1e-12, atol=1e-9)


def test_in_double_splits_large_arrays_into_blocks_without_a_seam():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((700, 1500)).astype(np.float32)
    coef, residual = rng.standard_normal(1500), rng.standard_normal(700)
    for layout in (np.ascontiguousarray, np.asfortranarray):
        design = as_design(layout(A)).in_double()
        assert len(list(design._blocks())) > 1
        np.testing.assert_allclose(design.matvec(coef), A.astype(float) @ coef, atol=1e-10)
        np.testing.assert_allclose(design.rmatvec(residual), A.astype(float).T @ residual, atol=1e-10)


@pytest.mark.parametrize("name", ["numpy", *FOREIGN])
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
def test_a_kronecker_product_is_that_of_numpy_in_every_namespace(name, dtype):
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal(shape).astype(dtype) for shape in ((2, 3), (4, 2), (3, 3))]
    if dtype == "complex128":
        factors[1] = factors[1] + 1j * rng.standard_normal((4, 2))
        factors[2] = factors[2].real  # a real factor beside complex ones
    A = np.kron(factors[0], np.kron(factors[1], factors[2]))
    design = KroneckerDesign([put(factor, name) for factor in factors])
    assert (design.sample_shape, design.feature_shape, design.shape) == ((2, 4, 3), (3, 2, 3), A.shape)
    coef, residual = rng.standard_normal((A.shape[1], 2)).astype(dtype), rng.standard_normal(len(A)).astype(dtype)
    accuracy = {"rtol": 1e-4, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}
    for found, expected in (
        (design.matvec(put(coef, name)), A @ coef),
        (design.matvec(put(coef[:, 0].copy(), name)), A @ coef[:, 0]),
        (design.rmatvec(put(residual, name)), A.conj().T @ residual),
        (design.matvec(put(coef[:, :0].copy(), name)), A @ coef[:, :0]),
        (design.columns([7, 2, 7]), A[:, [7, 2, 7]]),
        (design.columns([]), A[:, :0]),
        (design.column_sq_norms(), np.sum(np.abs(A) ** 2, axis=0)),
        (design.spectral_sq_norm(), np.linalg.norm(A, 2) ** 2),
        (design.in_double().matvec(put(coef.astype(A.dtype), name)), A @ coef),
    ):
        np.testing.assert_allclose(to_numpy(found), expected, **accuracy)


@pytest.mark.parametrize(
    ("factors", "text"),
    [
        ([], "at least one factor"),
        ([np.eye(2), np.ones(3)], "factor 1 has shape"),
        ([np.empty((0, 2))], "factor 0 has shape"),
        ([np.eye(2), np.full((2, 2), np.nan)], "factor 1 contains NaN"),
        ([np.eye(2), sp.csc_array(np.eye(2))], "dense arrays of one namespace"),
    ],
)
def test_bad_factors_get_an_error_that_names_them(factors, text):
    with pytest.raises(ValueError, match=text):
        KroneckerDesign(factors)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
def test_every_namespace_multiplies_like_numpy(name, dtype):
    A = matrix(dtype)
    rng = np.random.default_rng(0)
    coef, residual = rng.standard_normal((N_FEATURES, 2)).astype(dtype), rng.standard_normal(N_SAMPLES).astype(dtype)
    design = as_design(put(A, name))
    assert not design.is_numpy
    for wide in (design, design.in_double()):
        there = put(coef.astype(A.dtype if wide is design else "complex128" if "c" in dtype else "float64"), name)
        np.testing.assert_allclose(to_numpy(wide.matvec(there)), A @ coef, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(to_numpy(wide.product(there)), A @ coef, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        to_numpy(design.rmatvec(put(residual, name))), A.conj().T @ residual, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(to_numpy(design.columns(np.array([3, 1]))), A[:, [3, 1]])
    np.testing.assert_allclose(to_numpy(design.gram(np.array([3, 1]))), A[:, [3, 1]].conj().T @ A[:, [3, 1]], rtol=1e-4)
    np.testing.assert_allclose(design.column_sq_norms(), np.sum(np.abs(A) ** 2, axis=0), rtol=1e-5)
    assert isinstance(design.column_sq_norms(), np.ndarray)
    top = np.linalg.svd(A, compute_uv=False)[0] ** 2
    assert top * (1 - 1e-6) <= design.spectral_sq_norm() <= 1.11 * top


@pytest.mark.parametrize("bulk", [0.5, 0.88, 0.92, 0.98, 1.0])
@pytest.mark.parametrize("size", [10, 1_000, 30_000])
def test_the_spectral_norm_is_bounded_where_one_direction_hardly_stands_out(size, bulk):
    values = np.sqrt(np.r_[1.0, np.linspace(0.0, bulk, size)])
    for seed in range(3):
        values = np.random.default_rng(seed).permutation(values)
        assert 1.0 - 1e-12 <= as_design(sp.diags_array(values).tocsc()).spectral_sq_norm() <= 1.15


def test_the_spectral_norm_is_an_upper_bound():
    for name, design, explicit in kinds(matrix("float64", shape=(40, 30))):
        top = np.linalg.svd(explicit, compute_uv=False)[0] ** 2
        assert top * (1 - 1e-6) <= design.spectral_sq_norm() <= 1.11 * top, name
    assert as_design(np.zeros((3, 2))).spectral_sq_norm() == 0.0


def test_a_large_mean_does_not_cancel_the_norm_of_a_centred_column():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((50, 4)) + 1e8
    for base in (A, sp.csc_array(A)):
        design = CenteredDesign(as_design(base), A.mean(axis=0))
        expected = np.sum((A - A.mean(axis=0)) ** 2, axis=0)
        np.testing.assert_allclose(design.column_sq_norms(), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("as_kind", [np.asarray, np.asfortranarray, sp.csc_array], ids=["C", "F", "CSC"])
def test_norms_around_a_mean_are_taken_block_by_block_without_a_seam(dtype, as_kind, monkeypatch):
    from sparsecode.designs import base, sparse

    monkeypatch.setattr(base, "_BLOCK", 45)
    monkeypatch.setattr(sparse, "_BLOCK", 11)
    A = matrix(dtype, shape=(N_SAMPLES, 17))
    A[:, 5] = 3.0  # a constant, with no zero among its entries
    rng = np.random.default_rng(1)
    scale = np.sqrt(rng.uniform(0.1, 3.0, N_SAMPLES)).astype(A.real.dtype)
    scale[4] = 0.0
    mean = (scale**2 @ A / np.sum(scale**2)).astype(A.dtype)
    wide = A.astype("complex128" if A.dtype.kind == "c" else "float64")
    for m, s in ((mean, scale), (A.mean(axis=0), None), (None, scale), (None, None)):
        explicit = (1.0 if s is None else s[:, None].astype(float)) * (wide - (0.0 if m is None else m))
        norms = CenteredDesign(as_design(as_kind(A)), m, s).column_sq_norms()
        np.testing.assert_allclose(norms, np.sum(np.abs(explicit) ** 2, axis=0), rtol=1e-12, atol=1e-11)
        assert norms[2] == 0.0
        assert (norms[5] == 0.0) == (m is not None)


def test_sparse_duplicates_and_unsorted_indices_are_summed_without_touching_the_input():
    data, rows, columns = [1.0, 2.0, 4.0], [0, 0, 1], [1, 1, 0]
    A = sp.csc_matrix((data, (rows, columns)), shape=(2, 2))
    doubled = sp.csc_matrix((np.array([1.0, 2.0, 4.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(2, 2))
    design = as_design(doubled)
    np.testing.assert_array_equal(design.column_sq_norms(), [9.0, 16.0])
    assert doubled.nnz == 3
    np.testing.assert_array_equal(as_design(A).columns([1]).ravel(), [3.0, 0.0])


def test_an_operator_may_bring_exact_column_norms():
    A = np.random.default_rng(0).standard_normal((200, 5))
    operator = aslinearoperator(A)
    estimate = as_design(operator).column_sq_norms()
    exact = np.sum(A**2, axis=0)
    np.testing.assert_allclose(estimate, exact, rtol=0.8)
    operator.column_sq_norms = exact
    np.testing.assert_array_equal(as_design(operator).column_sq_norms(), exact)
    short = aslinearoperator(A[:20])  # few rows: exact without help
    np.testing.assert_allclose(as_design(short).column_sq_norms(), np.sum(A[:20] ** 2, axis=0))


def test_an_operator_is_asked_for_products_only():
    A = matrix("float64")
    calls = []

    def matvec(coef):
        calls.append("matvec")
        return A @ coef

    def rmatvec(residual):
        calls.append("rmatvec")
        return A.T @ residual

    design = as_design(LinearOperator(A.shape, matvec=matvec, rmatvec=rmatvec, dtype=A.dtype))
    np.testing.assert_allclose(design.columns([4, 2]), A[:, [4, 2]])
    assert calls.count("matvec") == 2


def test_an_operator_answers_in_the_dtype_that_it_declares():
    wide = np.random.default_rng(0).standard_normal((4, 3))
    narrow = as_design(
        LinearOperator((4, 3), matvec=lambda v: wide @ v, rmatvec=lambda v: wide.T @ v, dtype=np.float32)
    )
    assert narrow.matvec(np.ones(3, dtype=np.float32)).dtype == np.float32
    assert narrow.matvec(np.ones(3)).dtype == np.float64
    hidden = as_design(
        LinearOperator((4, 3), matvec=lambda v: 1j * wide @ v, rmatvec=lambda v: -1j * wide.T @ v, dtype=float)
    )
    with pytest.raises(ValueError, match="declares dtype float64 but returned complex128; pass dtype=complex"):
        hidden.matvec(np.ones(3))


@every_dtype
def test_a_gram_design_answers_with_normal_equations(dtype):
    A = matrix(dtype)
    gram = A.conj().T @ A
    design = GramDesign(gram, N_SAMPLES)
    coef = np.random.default_rng(0).standard_normal(N_FEATURES).astype(dtype)
    close(design.normal(coef), gram @ coef, dtype)
    close(design.gram([3, 1], [0]), gram[np.ix_([3, 1], [0])], dtype)
    np.testing.assert_allclose(design.column_sq_norms(), np.sum(np.abs(A) ** 2, axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(design.spectral_sq_norm(), np.linalg.svd(A, compute_uv=False)[0] ** 2, rtol=1e-4)
    for unavailable in (design.matvec, design.rmatvec, design.columns):
        with pytest.raises(ValueError, match="needs the design itself"):
            unavailable(coef)


def test_a_gram_design_knows_the_norm_of_the_reachable_part_of_the_target():
    rng = np.random.default_rng(0)
    A, Y = rng.standard_normal((20, 5)), rng.standard_normal((20, 2))
    design = GramDesign(A.T @ A, 20)
    reachable = A @ np.linalg.lstsq(A, Y)[0]
    np.testing.assert_allclose(design.sq_norm_of_target(A.T @ Y), np.sum(reachable**2, axis=0))
    assert GramDesign(A.T @ A, 20, target_sq_norm=3.0).sq_norm_of_target(A.T @ Y) == 3.0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((np.ones((2, 3)), 5), "gram must be a square matrix"),
        ((np.ones(4), 5), "gram must be a square matrix"),
        ((np.empty((0, 0)), 5), "gram must be a square matrix"),
        ((np.full((2, 2), np.nan), 5), "gram contains NaN"),
        ((np.eye(2), 0), "n_samples must be"),
    ],
)
def test_a_bad_gram_gets_an_error_that_names_it(arguments, text):
    with pytest.raises(ValueError, match=text):
        GramDesign(*arguments)


def test_a_gram_matrix_with_a_negative_diagonal_is_refused():
    with pytest.raises(ValueError, match=r"gram\[1, 1\] is -1.0e\+00, .* never negative"):
        GramDesign(np.diag([2.0, -1.0]), 3)


@pytest.mark.parametrize("n_targets", [None, 3])
def test_a_target_norm_that_one_column_exceeds_is_refused(n_targets):
    rng = np.random.default_rng(0)
    A, Y = rng.standard_normal((20, 5)), rng.standard_normal((20, n_targets or 1))
    Y = Y if n_targets else Y[:, 0]
    sq_norm = np.sum(Y**2, axis=0)
    least = np.max((A.T @ Y).T ** 2 / np.sum(A**2, axis=0), axis=-1)
    GramDesign(A.T @ A, 20, least).check_target(A.T @ Y)
    with pytest.raises(ValueError, match="target_sq_norm stands for a target of norm .* pass the squared norm of y"):
        omp(GramDesign(A.T @ A, 20, 1e-3 * sq_norm), A.T @ Y, n_nonzero=2)


def test_a_target_norm_that_several_columns_exceed_is_no_reason_to_stop():
    A = np.random.default_rng(0).standard_normal((20, 30))
    y = A[:, 0] - A[:, 3] + 0.5 * A[:, 5]
    least = np.max((A.T @ y) ** 2 / np.sum(A**2, axis=0))
    for n_targets in (1, 300):
        result = omp(GramDesign(A.T @ A, 20, least), np.tile((A.T @ y)[:, None], n_targets), n_nonzero=3)
        assert all(set(order) == {0, 3, 5} for order in result.history["selected"])
        assert result.status.is_success


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda design: pickle.loads(pickle.dumps(design))])
@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_a_copy_gives_the_same_products(name, copied):
    A = matrix("float32")
    designs = [as_design(put(A, name)), KroneckerDesign([put(A, name)] * 2), ConvolutionDesign(put(A, name), 11)]
    designs += [design for _, design, _ in kinds(A)] if name == "numpy" else []
    for design in (*designs, *(design.in_double() for design in designs)):
        twin, vector = copied(design), design.vector(np.arange(float(design.shape[1])))
        np.testing.assert_allclose(to_numpy(twin.matvec(vector)), to_numpy(design.matvec(vector)), atol=1e-5)
        assert twin.xp is design.xp
