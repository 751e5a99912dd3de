"""Laws of SparseCoder: each algorithm against its definition, error constraints, formats, memory, and bad input."""

import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import Lasso, orthogonal_mp
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import SparseCoder
from sparsecode.decomposition import overcomplete_dct


@parametrize_with_checks(
    [
        SparseCoder(),
        SparseCoder(algorithm="ols"),
        SparseCoder(algorithm="lasso", alpha=0.1, positive_code=True),
        SparseCoder(algorithm="threshold", alpha=0.1, split_sign=True),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def problem(n_atoms=40, n_features=16, n_signals=60, seed=0):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_atoms, n_features))
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True), rng.standard_normal((n_signals, n_features))


def test_omp_codes_are_those_of_scikit_learn():
    atoms, X = problem()
    codes = SparseCoder(atoms, n_nonzero_coefs=3).fit(X).transform(X)
    np.testing.assert_allclose(codes, orthogonal_mp(atoms.T, X.T, n_nonzero_coefs=3).T, atol=1e-10)


def test_lasso_codes_are_those_of_scikit_learn():
    atoms, X = problem()
    codes = SparseCoder(atoms, algorithm="lasso", alpha=0.3).fit(X).transform(X)
    peer = Lasso(0.3 / 16, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(atoms.T, X.T)
    np.testing.assert_allclose(codes, peer.coef_, atol=1e-6)


def test_threshold_codes_minimise_over_each_atom_alone():
    atoms, X = problem()
    atoms = atoms * np.linspace(0.5, 2.0, len(atoms))[:, None]
    codes = SparseCoder(atoms, algorithm="threshold", alpha=0.4).fit(X).transform(X)
    grid = np.linspace(-8, 8, 16_001)
    for i, j in ((0, 0), (1, 20), (2, 39), (3, 7)):
        losses = 0.5 * np.sum((X[i] - grid[:, None] * atoms[j]) ** 2, axis=1) + 0.4 * np.abs(grid)
        assert codes[i, j] == pytest.approx(grid[np.argmin(losses)], abs=1e-3)


def test_threshold_keeps_the_largest_normalised_correlations_as_they_are():
    atoms, X = problem()
    atoms = atoms * np.linspace(0.5, 2.0, len(atoms))[:, None]
    codes = SparseCoder(atoms, algorithm="threshold", n_nonzero_coefs=4).fit(X).transform(X)
    norms = np.linalg.norm(atoms, axis=1)
    for x, code in zip(X, codes, strict=True):
        kept = np.argsort(-np.abs(atoms @ x) / norms)[:4]
        np.testing.assert_allclose(code[kept], (atoms @ x)[kept] / norms[kept] ** 2)
        assert np.count_nonzero(code) == 4


@pytest.mark.parametrize("algorithm", ["omp", "ols"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("tol", [0.5, 0.1, 1e-3])
def test_error_constrained_codes_meet_the_constraint_with_no_more_atoms_than_needed(algorithm, dtype, tol):
    atoms, X = problem()
    X = X.astype(dtype)
    coder = SparseCoder(atoms, algorithm=algorithm, tol=tol).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codes = coder.transform(X).astype(float)
    norms = np.linalg.norm(X.astype(float), axis=1)
    assert np.all(np.linalg.norm(X - codes @ atoms, axis=1) <= tol * norms * (1 + 1e-4 * (dtype == np.float32)))
    shorter = SparseCoder(atoms, algorithm=algorithm, n_nonzero_coefs=1).fit(X).transform(X).astype(float)
    long = np.count_nonzero(codes, axis=1) > 1
    assert np.all(np.linalg.norm(X - shorter @ atoms, axis=1)[long] > tol * norms[long])


def test_an_absolute_constraint_is_met_and_zero_signals_get_zero_codes():
    atoms, X = problem()
    X[3] = 0.0
    result = SparseCoder(atoms, atol=0.7).fit(X).encode(X)
    assert np.all(np.linalg.norm(X - result.coef @ atoms, axis=1) <= 0.7)
    np.testing.assert_allclose(result.certificate, np.linalg.norm(X - result.coef @ atoms, axis=1))
    assert not result.coef[3].any()
    assert result.status.name == "CONVERGED"


def test_codes_that_miss_the_constraint_are_counted():
    atoms, X = problem(n_atoms=5)
    coder = SparseCoder(atoms, tol=0.1).fit(X)
    with pytest.warns(ConvergenceWarning, match=r"60 of 60 codes .* add atoms"):
        result = coder.encode(X)
    assert result.status.name == "STALLED"
    assert result.n_missed == 60
    relative = np.linalg.norm(X - result.coef @ atoms, axis=1) / np.linalg.norm(X, axis=1)
    np.testing.assert_allclose(result.certificate, relative)
    X[0] = 2 * atoms[1]
    with pytest.warns(ConvergenceWarning, match="59 of 60 codes"):
        coder.transform(X)


def test_certificates_are_recomputed_from_the_codes():
    atoms, X = problem()
    greedy = SparseCoder(atoms, n_nonzero_coefs=4).fit(X).encode(X)
    assert greedy.certificate_name == "support optimality"
    assert np.all(greedy.certificate <= 1e-10)
    np.testing.assert_allclose(greedy.objective, 0.5 * np.sum((X - greedy.coef @ atoms) ** 2, axis=1))
    lasso = SparseCoder(atoms, algorithm="lasso", alpha=0.3).fit(X).encode(X)
    assert lasso.certificate_name == "relative duality gap"
    assert lasso.certificate.shape == (60,)
    assert np.all(lasso.certificate <= 1e-8)


def test_of_two_constraints_the_looser_one_is_certified():
    atoms, X = problem()
    X *= np.geomspace(0.1, 10, len(X))[:, None]
    result = SparseCoder(atoms, tol=0.2, atol=0.7).encode(X)
    residual, size = np.linalg.norm(X - result.coef @ atoms, axis=1), np.linalg.norm(X, axis=1)
    np.testing.assert_allclose(result.certificate, residual / np.maximum(0.2 * size, 0.7))
    assert result.status.name == "CONVERGED"
    assert np.any(residual > 0.2 * size)
    assert np.any(residual > 0.7)


@pytest.mark.parametrize("constraint", [{"tol": 0.0}, {"tol": 1e-17}, {"atol": 0.0}])
def test_a_residual_that_is_rounding_meets_any_constraint(constraint):
    atoms, X = problem()
    result = SparseCoder(atoms, **constraint).encode(X)
    assert result.status.name == "CONVERGED"
    np.testing.assert_allclose(result.coef @ atoms, X, atol=1e-12)


def test_the_support_optimality_is_the_worst_of_all_used_atoms():
    from sparsecode.decomposition._coders import measure_codes

    rng = np.random.default_rng(0)
    atoms, X = rng.standard_normal((5, 8)), rng.standard_normal((1, 8))
    values = rng.standard_normal(5)
    residual = X[0] - values @ atoms
    defects = np.abs(atoms @ residual) / np.linalg.norm(atoms, axis=1)
    for order in (np.argsort(defects), np.argsort(-defects)):
        measured = measure_codes(atoms[order], X, np.array([0, 5]), np.arange(5, dtype=np.int32), values[order])
        np.testing.assert_allclose(
            [float(m[0]) for m in measured], [residual @ residual, max(defects), np.linalg.norm(X)]
        )


def test_a_hard_threshold_keeps_exactly_the_correlations_above_it():
    X = np.array([[0.95, -1.0, 1.0 + 1e-12, -3.0]])
    codes = SparseCoder(np.eye(4), algorithm="threshold", alpha=1.0, hard_threshold=True).transform(X)
    np.testing.assert_array_equal(codes, [[0.0, 0.0, 1.0 + 1e-12, -3.0]])


@pytest.mark.parametrize("algorithm", ["omp", "lasso", "threshold"])
def test_positive_codes_are_not_negative(algorithm):
    atoms, X = problem()
    strength = {} if algorithm == "omp" else {"alpha": 0.2}
    codes = SparseCoder(atoms, algorithm=algorithm, positive_code=True, **strength).fit(X).transform(X)
    assert codes.min() >= 0
    assert codes.max() > 0


@pytest.mark.parametrize("algorithm", ["omp", "ols", "lasso", "threshold"])
def test_scaling_an_atom_scales_its_coefficient_inversely_in_greedy_codes_and_zero_atoms_are_never_used(algorithm):
    atoms, X = problem()
    atoms[5] = 0.0
    strength = {"n_nonzero_coefs": 3} if algorithm in ("omp", "ols") else {"alpha": 0.2}
    codes = SparseCoder(atoms, algorithm=algorithm, **strength).fit(X).transform(X)
    assert np.all(np.isfinite(codes))
    assert not codes[:, 5].any()
    if "n_nonzero_coefs" in strength:
        scale = np.geomspace(1e-3, 1e3, len(atoms))
        scaled = SparseCoder(scale[:, None] * atoms, algorithm=algorithm, **strength).fit(X).transform(X)
        np.testing.assert_allclose(scaled * scale, codes, atol=1e-9)


@pytest.mark.parametrize("split_sign", [False, True])
@pytest.mark.parametrize("parameters", [{"n_nonzero_coefs": 3}, {"algorithm": "lasso", "alpha": 0.2}, {"tol": 0.3}])
def test_sparse_codes_equal_dense_ones(parameters, split_sign):
    atoms, X = problem(n_signals=1000)
    dense = SparseCoder(atoms, split_sign=split_sign, **parameters).fit(X).transform(X)
    coder = SparseCoder(atoms, split_sign=split_sign, sparse_output=True, **parameters).fit(X)
    codes = coder.transform(X)
    assert sp.issparse(codes)
    assert codes.format == "csr"
    assert codes.has_sorted_indices
    np.testing.assert_array_equal(codes.toarray(), dense)
    np.testing.assert_allclose(coder.inverse_transform(codes), coder.inverse_transform(dense), atol=1e-12)


def test_splitting_signs_keeps_the_reconstruction():
    atoms, X = problem()
    plain, split = SparseCoder(atoms).fit(X), SparseCoder(atoms, split_sign=True).fit(X)
    codes = split.transform(X)
    assert codes.min() >= 0
    assert codes.shape[1] == len(split.get_feature_names_out()) == 80
    np.testing.assert_allclose(split.inverse_transform(codes), plain.inverse_transform(plain.transform(X)), atol=1e-12)


@pytest.mark.parametrize("parameters", [{"n_nonzero_coefs": 3}, {"algorithm": "lasso", "alpha": 0.2}])
def test_bits_depend_neither_on_threads_nor_on_which_rows_come_along(parameters):
    atoms, X = problem(n_signals=2000)
    one = SparseCoder(atoms, n_jobs=1, **parameters).fit(X).transform(X)
    np.testing.assert_array_equal(one, SparseCoder(atoms, n_jobs=2, **parameters).fit(X).transform(X))
    np.testing.assert_array_equal(one[100:900], SparseCoder(atoms, n_jobs=2, **parameters).fit(X).transform(X[100:900]))


def test_a_given_dictionary_needs_no_fit_and_a_built_one_does():
    atoms, X = problem()
    np.testing.assert_array_equal(SparseCoder(atoms).transform(X), SparseCoder(atoms).fit(X).transform(X))
    with pytest.raises(NotFittedError):
        SparseCoder().transform(X)


@pytest.mark.parametrize(
    "parameters", [{}, {"algorithm": "lasso", "alpha": 0.2}, {"algorithm": "threshold", "alpha": 0.2}]
)
def test_transform_leaves_the_estimator_as_it_was(parameters):
    atoms, X = problem()
    coder = SparseCoder(atoms, **parameters).fit(X)
    before = dict(vars(coder))
    coder.transform(X)
    coder.encode(X)
    assert vars(coder) == before


def test_memory_maps_are_coded_like_arrays(tmp_path):
    atoms, X = problem(n_signals=3000)
    for dtype in (np.float64, np.float32, np.int16):
        data = (100 * X).astype(dtype)
        np.save(tmp_path / "X.npy", data)
        coder = SparseCoder(atoms, n_nonzero_coefs=3).fit(data)
        np.testing.assert_array_equal(
            coder.transform(np.load(tmp_path / "X.npy", mmap_mode="r")), coder.transform(data)
        )


def test_the_overcomplete_cosines_span_and_have_unit_norm():
    for atoms in (overcomplete_dct(16), overcomplete_dct(16, 16), overcomplete_dct(16, 49, two_dimensional=True)):
        assert np.linalg.matrix_rank(atoms) == 16
        np.testing.assert_allclose(np.linalg.norm(atoms, axis=1), 1.0)
    np.testing.assert_allclose(overcomplete_dct(16, 16) @ overcomplete_dct(16, 16).T, np.eye(16), atol=1e-12)
    patch = overcomplete_dct(16, 49, two_dimensional=True)[10].reshape(4, 4)
    assert np.linalg.matrix_rank(patch, tol=1e-10) == 1
    with pytest.raises(ValueError, match="square"):
        SparseCoder("dct2").fit(np.ones((2, 15)))


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"alpha": 1.0}, "alpha"),
        ({"algorithm": "lasso"}, "alpha"),
        ({"algorithm": "lasso", "alpha": 1.0, "tol": 0.1}, "tol"),
        ({"algorithm": "lasso", "alpha": 1.0, "n_nonzero_coefs": 3}, "n_nonzero_coefs"),
        ({"algorithm": "lasso", "alpha": 0.0}, "alpha"),
        ({"algorithm": "threshold"}, "alpha"),
        ({"algorithm": "threshold", "alpha": 1.0, "atol": 0.1}, "atol"),
        ({"gap_tol": 1e-3}, "gap_tol"),
        ({"hard_threshold": True}, "hard_threshold"),
        ({"n_components": 7}, "n_components"),
        ({"algorithm": "lars"}, "algorithm"),
        ({"dictionary": np.ones((3, 4))}, "dictionary"),
        ({"dictionary": np.full((3, 16), np.inf)}, "dictionary"),
        ({"tol": -1.0}, "tol"),
    ],
)
def test_a_parameter_that_cannot_be_honoured_is_refused_by_name(parameters, word):
    atoms, X = problem()
    with pytest.raises(ValueError, match=word):
        SparseCoder(**{"dictionary": atoms, **parameters}).fit(X)


def test_more_coefficients_than_atoms_are_clipped_with_a_warning():
    atoms, X = problem()
    with pytest.warns(RuntimeWarning, match="n_nonzero_coefs"):
        SparseCoder(atoms, n_nonzero_coefs=1000).fit(X)


def test_lazy_collections_are_refused():
    da = pytest.importorskip("dask.array")
    atoms, X = problem()
    for call in (SparseCoder(atoms).fit, SparseCoder(atoms).fit(X).transform):
        with pytest.raises(ValueError, match="dask"):
            call(da.from_array(X))


def test_sparse_coding_needs_no_more_memory_than_its_output_and_64_mib():
    script = """
        import tracemalloc
        import numpy as np
        from sparsecode import L0, SparseCoder

        rng = np.random.default_rng(0)
        X = rng.standard_normal((200_000, 64), dtype=np.float32)
        for parameters in (
            {"n_nonzero_coefs": 5},
            {"algorithm": "lasso", "alpha": 2.0},
            {"algorithm": "elastic_net", "alpha": 2.2, "l1_ratio": 0.95},
            {"algorithm": "penalty", "penalty": L0(2.5)},
        ):
            coder = SparseCoder(sparse_output=True, n_jobs=2, **parameters).fit(X[:10])
            coder.transform(X)  # what is compiled on the way would count
            tracemalloc.start()
            codes = coder.transform(X)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            output = codes.data.nbytes + codes.indices.nbytes + codes.indptr.nbytes
            assert output > 4 << 20
            assert peak <= output + (32 << 20), (peak, output)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=300, cwd=Path(__file__).parents[2]
    )


def test_a_dictionary_of_columns_is_told_from_one_of_another_length():
    atoms, signals = np.eye(5, 8), np.ones((3, 5))
    with pytest.raises(ValueError, match=r"rows of the same length; give its transpose, dictionary\.T\.$"):
        SparseCoder(atoms).fit(signals)
    with pytest.raises(ValueError, match=r"rows of the same length\.$"):
        SparseCoder(atoms).fit(np.ones((3, 4)))
