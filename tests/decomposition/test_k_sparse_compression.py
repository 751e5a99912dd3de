"""Laws of weight compression: what the calibration enters by, the singular value decomposition as a limit, storage."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import KSparseCompression
from sparsecode.solvers.dictionary import k_sparse_compression, storage_of, truncated_svd
from sparsecode.solvers.dictionary.storage import sizes_within


@parametrize_with_checks([KSparseCompression(max_iter=3), KSparseCompression(n_components=2, ratio=1.0, max_iter=3)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::RuntimeWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def calibration(n_samples=600, m=24, decay=0.7, seed=0):
    """Correlated inputs."""
    rng = np.random.default_rng(seed)
    mix = np.linalg.qr(rng.standard_normal((m, m)))[0] * np.arange(1, m + 1.0) ** -decay
    return rng.standard_normal((n_samples, m)) @ mix.T


def union_of_subspaces(m=24, n=120, n_subspaces=6, dimension=3, seed=1):
    """Columns of which each lies near one of a few subspaces."""
    rng = np.random.default_rng(seed)
    bases = rng.standard_normal((n_subspaces, m, dimension))
    columns = [bases[j % n_subspaces] @ rng.standard_normal(dimension) for j in range(n)]
    return np.array(columns).T + 0.05 * rng.standard_normal((m, n))


def solve(weight, gram, **options):
    return k_sparse_compression(weight, gram, **{"random_state": 0, "max_iter": 60, "tol": 0.05, **options})


# ---------------------------------------------------------------- what is minimised


def test_the_error_is_that_of_the_outputs():
    weight, X = union_of_subspaces(), calibration()
    result = solve(weight, X.T @ X)
    lost = X @ (weight - result.coef @ result.codes)
    assert result.output_error == pytest.approx(np.linalg.norm(lost) / np.linalg.norm(X @ weight), rel=1e-9)
    assert result.objective == pytest.approx(0.5 * np.linalg.norm(lost) ** 2, rel=1e-2)  # and a small ridge
    np.testing.assert_allclose(np.linalg.norm(result.coef, axis=0), 1.0)
    assert np.all(np.diff(result.codes.indptr) <= result.coef.shape[1] // 2)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_error_never_rises():
    result = solve(union_of_subspaces(), calibration().T @ calibration(), tol=0.0, max_iter=15)
    assert np.all(np.diff(result.history["objective"]) <= 1e-12 * result.history["objective"][0])
    assert result.history["objective"][-1] < result.history["objective"][0]
    assert result.objective <= result.history["objective"][-1] * (1 + 1e-12)


def test_codes_are_least_squares_on_their_supports():
    weight, X = union_of_subspaces(), calibration()
    gram = X.T @ X
    result = solve(weight, gram, max_iter=5)
    ridged = np.linalg.cholesky(gram + 1e-6 * np.trace(gram) / 24 * np.eye(24)).T
    codes = result.codes.toarray()
    for column in range(0, 120, 7):
        support = np.flatnonzero(codes[:, column])
        fit = np.linalg.lstsq(ridged @ result.coef[:, support], ridged @ weight[:, column], rcond=None)[0]
        np.testing.assert_allclose(codes[support, column], fit, rtol=1e-6, atol=1e-8)


def test_rotating_the_inputs_changes_nothing():
    weight, X = union_of_subspaces(), calibration()
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((len(X), len(X))))[0]
    one, other = (KSparseCompression(weight, random_state=0, tol=0.05).fit(inputs) for inputs in (X, turn @ X))
    assert other.output_error_ == pytest.approx(one.output_error_, rel=1e-3)
    factor = np.linalg.cholesky(X.T @ X).T  # nor does anything else with the same Gram matrix
    assert KSparseCompression(weight, random_state=0, tol=0.05).fit(factor).output_error_ == pytest.approx(
        one.output_error_, rel=1e-3
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_white_inputs_make_it_dictionary_learning_of_the_columns():
    weight = union_of_subspaces()
    result = solve(weight, np.eye(24), n_atoms=16, n_nonzero=3, tol=0.0, max_iter=2)
    naive, codes = result_of_naive_learning(weight, 16, 3, 2)
    assert result.output_error == pytest.approx(
        np.linalg.norm(weight - naive @ codes) / np.linalg.norm(weight), rel=1e-6
    )


def result_of_naive_learning(weight, n_atoms, n_nonzero, n_passes):
    """Pursuit, then each atom and its codes by one power step, from the leading singular vectors; codes refitted at the end."""
    atoms, kept = np.linalg.svd(weight)[0][:, :n_atoms], None

    def refit(column, support):
        code = np.zeros(n_atoms)
        code[support] = np.linalg.lstsq(atoms[:, support], column, rcond=None)[0]
        return code

    for _ in range(n_passes):
        codes = np.zeros((n_atoms, weight.shape[1]))
        for j, column in enumerate(weight.T):
            support, residual = [], column
            for _ in range(n_nonzero):
                support.append(int(np.argmax(np.abs(atoms.T @ residual))))
                codes[:, j] = refit(column, support)
                residual = column - atoms @ codes[:, j]
            if kept is not None and np.linalg.norm(column - atoms @ kept[:, j]) < np.linalg.norm(residual):
                codes[:, j] = kept[:, j]
        for k in range(n_atoms):
            users = codes[k] != 0
            left = weight[:, users] - atoms @ codes[:, users] + np.outer(atoms[:, k], codes[k, users])
            atoms[:, k] = left @ codes[k, users] / np.linalg.norm(left @ codes[k, users])
            codes[k, users] = left.T @ atoms[:, k]
        kept = codes
    return atoms, np.array(
        [refit(column, np.flatnonzero(code)) for column, code in zip(weight.T, kept.T, strict=True)]
    ).T


def test_dense_codes_reproduce_the_truncated_svd():
    weight, X = union_of_subspaces(), calibration()
    result = solve(weight, X.T @ X, n_atoms=8, ratio=1.0)
    tail = np.linalg.svd(X @ weight, compute_uv=False)[8:]
    assert result.output_error == pytest.approx(np.linalg.norm(tail) / np.linalg.norm(X @ weight), rel=1e-4)
    left, right = truncated_svd(weight, X.T @ X, 8)
    assert np.linalg.norm(X @ (weight - left @ right)) == pytest.approx(np.linalg.norm(tail), rel=1e-4)
    assert result.status.is_success


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_columns_of_several_subspaces_cost_less_than_one_for_all(rate):
    weight, X = union_of_subspaces(), calibration()
    result = solve(weight, X.T @ X, rate=rate)
    left, right = truncated_svd(weight, X.T @ X, result.storage.rank)
    theirs = np.linalg.norm(X @ (weight - left @ right)) / np.linalg.norm(X @ weight)
    assert result.output_error < 0.8 * theirs
    assert result.storage.rate >= rate


# ---------------------------------------------------------------- storage


@pytest.mark.parametrize(("n_atoms", "n_nonzero", "layout"), [(50, 2, "indices"), (50, 20, "bitmask"), (1, 1, None)])
def test_storage_is_counted_bit_by_bit(n_atoms, n_nonzero, layout):
    storage = storage_of((100, 200), n_atoms, n_nonzero, bits=16)
    assert storage.dictionary == 16 * 100 * n_atoms
    assert storage.values == 16 * 200 * n_nonzero
    address = len(bin(n_atoms - 1)) - 2 if n_atoms > 1 else 0  # digits that tell the atoms apart
    assert storage.positions == min(200 * n_atoms, 200 * n_nonzero * address)
    assert layout in (storage.layout, None)
    assert storage.total == storage.dictionary + storage.values + storage.positions
    assert storage.rate == pytest.approx(1 - storage.total / (16 * 100 * 200), abs=1e-15)
    assert 16 * 300 * storage.rank <= storage.total < 16 * 300 * (storage.rank + 1)


@pytest.mark.parametrize(("rate", "ratio"), list(itertools.product([0.2, 0.5, 0.8], [1.0, 2.0, 4.0])))
def test_the_rate_chooses_the_largest_dictionary_that_keeps_it(rate, ratio):
    weight, X = union_of_subspaces(), calibration()
    result = solve(weight, X.T @ X, rate=rate, ratio=ratio, max_iter=1, tol=np.finfo(float).max)
    K = result.coef.shape[1]
    assert result.storage.rate >= rate
    larger = storage_of(weight.shape, K + 1, max(1, math.floor((K + 1) / ratio)))
    assert larger.rate < rate or K == 120
    assert result.storage == storage_of(weight.shape, K, min(24, max(1, math.floor(K / ratio))))


def test_a_rate_that_cannot_be_kept_is_warned_of():
    with pytest.warns(RuntimeWarning, match="no dictionary saves 90%"):
        result = solve(np.eye(4), np.eye(4), rate=0.9)
    assert result.coef.shape == (4, 1)
    assert result.storage.rate < 0.9


# ---------------------------------------------------------------- the estimator


def test_transform_is_the_compressed_layer():
    weight, X = union_of_subspaces(), calibration()
    layer = KSparseCompression(weight, rate=0.4, tol=0.05, random_state=0).fit(X)
    new = calibration(50, seed=9)
    np.testing.assert_allclose(layer.transform(new), new @ layer.dictionary_ @ layer.codes_.toarray(), atol=1e-10)
    assert sp.issparse(layer.codes_)
    assert layer.codes_.format == "csc"
    assert layer.transform(new.astype(np.float32)).dtype == np.float32
    assert layer.n_samples_seen_ == 600
    assert len(layer.get_feature_names_out()) == 120
    kept = np.linalg.norm(layer.transform(new) - new @ weight) / np.linalg.norm(new @ weight)
    assert kept < 2 * layer.output_error_


def test_batches_add_up_to_the_whole_calibration():
    weight, X = union_of_subspaces(), calibration()
    layer = KSparseCompression(weight, rate=0.4, tol=0.05, random_state=0)
    errors = []
    for _ in range(4):
        for start in range(0, 600, 200):
            layer.partial_fit(X[start : start + 200])
        errors.append(layer.output_error_)
    np.testing.assert_allclose(layer._gram, 4 * X.T @ X, rtol=1e-10)
    assert layer.n_samples_seen_ == 2400
    assert errors[-1] < errors[0]
    whole = KSparseCompression(weight, rate=0.4, tol=0.05, random_state=0).fit(X)
    assert layer.dictionary_.shape == whole.dictionary_.shape
    assert layer.output_error_ < 1.15 * whole.output_error_


def test_layers_that_share_a_dictionary_are_one_wide_layer():
    weight, X = union_of_subspaces(), calibration()
    together = KSparseCompression([weight[:, :50], weight[:, 50:]], random_state=0, tol=0.05).fit(X)
    one = KSparseCompression(weight, random_state=0, tol=0.05).fit(X)
    np.testing.assert_array_equal(together.dictionary_, one.dictionary_)


def test_fewer_inputs_than_features_are_enough_to_fit_them():
    weight, X = union_of_subspaces(), calibration()[:10]
    layer = KSparseCompression(weight, rate=0.3, random_state=0, tol=0.1).fit(X)
    assert np.all(np.isfinite(layer.dictionary_))
    assert layer.output_error_ < 0.05


def test_columns_of_zeros_get_no_code():
    weight, X = union_of_subspaces(), calibration()
    weight[:, [3, 50]] = 0.0
    layer = KSparseCompression(weight, random_state=0, tol=0.05).fit(X)
    assert not layer.codes_[:, [3, 50]].nnz


@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_the_units_do_not_matter(factor):
    weight, X = union_of_subspaces(), calibration()
    one = KSparseCompression(weight, random_state=0, tol=0.05).fit(X)
    for layer in (
        KSparseCompression(factor * weight, random_state=0, tol=0.05).fit(X),
        KSparseCompression(weight, random_state=0, tol=0.05).fit(factor * X),
    ):
        assert layer.output_error_ == pytest.approx(one.output_error_, rel=1e-6)


@pytest.mark.parametrize(
    ("weight", "gram", "options", "message"),
    [
        (np.ones(3), np.eye(3), {}, "weight has shape"),
        (np.ones((3, 2)), np.eye(2), {}, "gram has shape"),
        (np.full((2, 2), np.nan), np.eye(2), {}, "weight contains NaN"),
        (np.eye(2), np.zeros((2, 2)), {}, "inputs are zero"),
        (np.eye(2), np.diag([3.0, -1.0]), {"n_atoms": 1}, "positive"),
        (np.eye(2), np.eye(2), {"rate": 1.5}, "rate"),
        (np.eye(2), np.eye(2), {"ratio": 0.5}, "ratio"),
        (np.eye(2), np.eye(2), {"n_atoms": 1, "init": np.eye(2)}, "init has shape"),
    ],
)
def test_bad_input_is_named(weight, gram, options, message):
    with pytest.raises(ValueError, match=message):
        k_sparse_compression(weight, gram, **options)


def test_a_weight_of_another_width_is_named():
    with pytest.raises(ValueError, match=r"weight has shape \(5, 7\), but X has 24 features"):
        KSparseCompression(np.ones((5, 7))).fit(calibration())


def test_more_of_the_same_inputs_do_not_make_the_answer_worse():
    weight, X = union_of_subspaces(m=8, n=24, dimension=2), calibration(m=8)
    layer = KSparseCompression(weight, max_iter=15, tol=0.0, random_state=0)
    with pytest.warns(ConvergenceWarning):
        layer.fit(X)
    error = layer.output_error_
    for _ in range(3):
        layer.partial_fit(X)
        assert layer.output_error_ <= error * (1 + 1e-9)
        error = layer.output_error_
    layer.set_params(weight=weight[:, :9])
    with pytest.raises(ValueError, match="weight has 9 columns, but the one before had 24"):
        layer.partial_fit(X)


@pytest.mark.parametrize(
    ("gram", "message"), [(np.diag([10.0, -1.0]), "positive semidefinite"), ([[2.0, 1.0], [0.0, 2.0]], "symmetric")]
)
def test_what_is_no_gram_matrix_is_refused(gram, message):
    with pytest.raises(ValueError, match=f"gram is not {message}"):
        k_sparse_compression(np.eye(2), gram, n_atoms=2, n_nonzero=1)


@pytest.mark.filterwarnings("ignore:no dictionary saves:RuntimeWarning")
@pytest.mark.parametrize(("shape", "n_nonzero"), [((20, 60), 70), ((20, 600), 50)])
def test_no_code_has_more_entries_than_a_column(shape, n_nonzero):
    assert sizes_within(shape, None, n_nonzero, 0.2, 2.0, 16) == sizes_within(shape, None, 20, 0.2, 2.0, 16)


def test_codes_without_zeros_need_no_positions():
    storage = storage_of((20, 60), 15, 15)
    assert (storage.positions, storage.layout, storage.rank) == (0, "dense", 15)


@pytest.mark.parametrize(("name", "sizes"), [("rate", {}), ("ratio", {"n_nonzero_coefs": 2})])
def test_what_sizes_say_already_is_not_said_twice(name, sizes):
    value = {"rate": 0.9, "ratio": 4.0}[name]
    with pytest.raises(ValueError, match=f"{name} has no meaning"):
        KSparseCompression(np.eye(6), n_components=4, **sizes, **{name: value}).fit(np.eye(6))
