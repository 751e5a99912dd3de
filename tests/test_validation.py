"""What a user passes becomes a design, a target, weights or numbers, or an error that names the argument.

The errors on data that every solver shares are laws in tests/contracts/.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from sparsecode import GramDesign, OrthogonalMatchingPursuit, omp
from sparsecode._validation import (
    as_count,
    as_design,
    as_number,
    as_penalty_weights,
    as_sample_weight,
    as_start,
    as_target,
    weighted,
)
from sparsecode.designs import DenseDesign, OperatorDesign, SparseDesign
from tests._backends import NAMESPACES, namespace

A = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("value", "kind", "dtype"),
    [
        (A, DenseDesign, np.float64),
        (A.astype(np.float32), DenseDesign, np.float32),
        (A.astype(np.float16), DenseDesign, np.float32),
        (A.astype(int), DenseDesign, np.float64),
        (A > 3, DenseDesign, np.float64),
        (A.astype(object), DenseDesign, np.float64),
        (A + 0j, DenseDesign, np.complex128),
        (A.astype(np.longdouble), DenseDesign, np.float64),
        (A.tolist(), DenseDesign, np.float64),
        (sp.csr_array(A), SparseDesign, np.float64),
        (sp.coo_matrix(A.astype(np.float32)), SparseDesign, np.float32),
        (sp.csc_array(A.astype(int)), SparseDesign, np.float64),
        (sp.csc_array(A.astype(np.complex64)), SparseDesign, np.complex64),
        (aslinearoperator(A), OperatorDesign, np.float64),
        (aslinearoperator(A.astype(np.float32)), OperatorDesign, np.float32),
    ],
)
def test_each_kind_of_matrix_becomes_its_design(value, kind, dtype):
    design = as_design(value)
    assert type(design) is kind
    assert design.shape == (4, 3)
    assert design.dtype == dtype


def test_a_design_and_a_float_array_are_taken_as_they_are():
    design = as_design(A)
    assert as_design(design) is design
    assert design.array is A


def test_an_integer_operator_computes_in_floats():
    operator = LinearOperator((3, 3), matvec=lambda v: 2 * v, rmatvec=lambda v: 2 * v, dtype=int)
    assert as_design(operator).dtype == np.float64


@pytest.mark.parametrize(
    ("design", "target", "dtype"),
    [
        ("float32", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("float64", "float32", "float64"),
        ("float32", "int64", "float64"),
        ("float32", "complex64", "complex64"),
        ("complex64", "float32", "complex64"),
        ("float64", "complex64", "complex128"),
        ("complex64", "float64", "complex128"),
    ],
)
def test_the_target_takes_the_wider_precision_and_the_complex_field(design, target, dtype):
    assert as_target(np.ones(4).astype(target), as_design(A.astype(design))).dtype == dtype


def test_the_target_of_a_gram_design_has_a_row_for_each_feature():
    design = GramDesign(A.T @ A, 4)
    assert as_target(A.T @ np.ones(4), design).shape == (3,)
    with pytest.raises(ValueError, match=r"y has shape \(4,\).*\(3,\).*A.conj\(\).T @ y"):
        as_target(np.ones(4), design)


def test_sample_weights_have_mean_one_and_equal_ones_vanish():
    np.testing.assert_allclose(as_sample_weight([1, 2, 3, 2], 4), [0.5, 1.0, 1.5, 1.0])
    assert as_sample_weight(None, 4) is None
    assert as_sample_weight(np.full(4, 7.0), 4) is None
    assert as_sample_weight(2.0, 4) is None


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ([1, 2], r"sample_weight has shape \(2,\).*4 samples"),
        ([1, -2, 1, 1], r"sample_weight\[1\] is -2"),
        ([1, 1, np.inf, 1], r"sample_weight\[2\] is inf"),
        ([1, 1, 1, np.nan], r"sample_weight\[3\] is nan"),
        ([0, 0, 0, 0], "zero everywhere"),
    ],
)
def test_bad_sample_weights_are_named_with_their_place(weights, text):
    with pytest.raises(ValueError, match=text):
        as_sample_weight(weights, 4)


def test_penalty_weights_sit_beside_the_design_and_equal_ones_vanish():
    assert as_penalty_weights(None, as_design(A)) is None
    assert as_penalty_weights([1, 1, 1], as_design(A)) is None
    assert as_penalty_weights([0, 1, np.inf], as_design(A.astype(np.float32))).dtype == np.float32
    with pytest.raises(ValueError, match=r"penalty_weights\[1\] is -1"):
        as_penalty_weights([0, -1, 1], as_design(A))
    with pytest.raises(ValueError, match="one weight for each of the 3 features"):
        as_penalty_weights([0, 1], as_design(A))


def test_weighting_multiplies_rows_by_roots():
    design, target = weighted(as_design(A), np.ones((4, 2)), np.array([4.0, 1.0, 0.0, 1.0]))
    np.testing.assert_allclose(design.matvec(np.ones(3)), [2, 1, 0, 1] * A.sum(axis=1))
    np.testing.assert_allclose(target[:, 1], [2, 1, 0, 1])
    with pytest.raises(ValueError, match="sample_weight cannot be applied to a GramDesign"):
        weighted(GramDesign(A.T @ A, 4), np.ones(3), np.ones(4))


def test_a_start_must_fit_the_problem():
    like = np.zeros(3)
    assert as_start([1, 2, 3], like).dtype == np.float64
    with pytest.raises(ValueError, match=r"init has shape \(2,\)"):
        as_start([1, 2], like)
    with pytest.raises(ValueError, match="init is complex"):
        as_start(np.ones(3) * 1j, like)
    with pytest.raises(ValueError, match="init contains NaN"):
        as_start([1, 2, np.nan], like)


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, True, "3", None, np.nan])
def test_a_count_is_a_positive_integer(value):
    with pytest.raises(ValueError, match="n_nonzero must be an integer of at least 1"):
        as_count(value, "n_nonzero")


def test_a_count_above_its_maximum_is_clipped_with_one_warning_at_the_users_line():
    assert as_count(np.int64(4), "k") == 4
    with pytest.warns(RuntimeWarning, match="k=9 is more than the number of features; 5 is used") as caught:
        assert as_count(9, "k", maximum=5, maximum_name="the number of features") == 5
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_count(5, "k", maximum=5) == 5


@pytest.mark.parametrize("value", ["1", None, True, np.nan, np.inf, 1j, np.ones(1)])
def test_a_number_is_finite_and_real(value):
    with pytest.raises(ValueError, match="alpha must be a finite number"):
        as_number(value, "alpha")


@pytest.mark.parametrize("name", NAMESPACES)
def test_a_number_may_be_an_array_without_axes(name):
    xp = namespace(name)
    assert as_number(xp.asarray(0.5), "alpha") == 0.5
    assert type(as_number(xp.max(xp.asarray([1, 2])), "alpha")) is float
    for wrong in (xp.asarray(True), xp.asarray(float("nan")), xp.asarray(1j), xp.asarray([0.5])):
        with pytest.raises(ValueError, match="alpha must be a finite number"):
            as_number(wrong, "alpha")


def test_a_number_keeps_its_bounds():
    assert as_number(np.float32(0.5), "alpha") == 0.5
    with pytest.raises(ValueError, match="alpha must be at least 0; got -1"):
        as_number(-1, "alpha")
    with pytest.raises(ValueError, match="alpha must be greater than 0"):
        as_number(0, "alpha", strict=True)
    with pytest.raises(ValueError, match="l1_ratio must be at least 0 and at most 1; got 1.5"):
        as_number(1.5, "l1_ratio", maximum=1)


@pytest.mark.parametrize("name", ["A", "y", "penalty_weights", "sample_weight"])
def test_masked_entries_are_refused_by_name(name):
    data = {"A": A, "y": np.ones(4), "penalty_weights": np.array([1.0, 2.0, 3.0]), "sample_weight": np.arange(4.0)}
    data[name] = np.ma.masked_greater(data[name], 1.5 if name != "y" else 0.5)
    X, y = data.pop("A"), data.pop("y")
    with pytest.raises(ValueError, match=f"{name} is a masked array with [0-9]+ masked entries; drop their samples"):
        omp(X, y, n_nonzero=1, **data)
    if name in ("A", "y"):
        with pytest.raises(ValueError, match=f"{'X' if name == 'A' else 'y'} is a masked array"):
            OrthogonalMatchingPursuit().fit(X, y)


def test_a_masked_array_without_masked_entries_is_an_array():
    X, y = np.ma.masked_array(A, mask=False), np.ma.masked_array(A[:, 1])
    np.testing.assert_array_equal(omp(X, y, n_nonzero=1).coef, omp(A, A[:, 1], n_nonzero=1).coef)


@pytest.mark.parametrize("n_jobs", ["2", 1.5, True])
def test_threads_that_are_no_number_are_refused_by_name(n_jobs):
    with pytest.raises(ValueError, match="n_jobs must be a positive number of threads"):
        omp(A, A[:, 1], n_nonzero=1, n_jobs=n_jobs)


def test_a_norm_out_of_range_is_told_with_the_limit_that_it_meets():
    big = 1e141 * A[:, 1]
    assert np.isfinite(big @ big)
    with pytest.raises(ValueError, match=r"norm leaves the range of float64 .* 1e-140 to 1e\+140; divide it"):
        omp(A, big, n_nonzero=1)
    assert omp(A, 1e138 * A[:, 1], n_nonzero=1).support.tolist() == [1]
