"""Codes of many signals: every path against pursuits written from their definition."""

import numpy as np
import pytest
from sklearn.linear_model import orthogonal_mp

from sparsecode.solvers.greedy import batch_omp, codes_to_csr, iter_batch_omp, rules
from tests._backends import get, put


def omp_by_definition(atoms, signal, n_nonzero):
    support, coef, residual = [], np.zeros(0), signal
    for _ in range(n_nonzero):
        score = np.abs(atoms.conj() @ residual) / np.linalg.norm(atoms, axis=1)
        score[support] = -1.0
        support.append(int(np.argmax(score)))
        coef = np.linalg.lstsq(atoms[support].T, signal)[0]
        residual = signal - atoms[support].T @ coef
    return support, coef, np.linalg.norm(residual) ** 2


def ols_by_definition(atoms, signal, n_nonzero):
    support = []
    for _ in range(n_nonzero):
        errors = np.full(len(atoms), np.inf)
        for j in set(range(len(atoms))) - set(support):
            chosen = atoms[[*support, j]].T
            errors[j] = np.linalg.norm(signal - chosen @ np.linalg.lstsq(chosen, signal)[0])
        support.append(int(np.argmin(errors)))
    chosen = atoms[support].T
    coef = np.linalg.lstsq(chosen, signal)[0]
    return support, coef, np.linalg.norm(signal - chosen @ coef) ** 2


TWINS = {"omp": omp_by_definition, "ols": ols_by_definition}


def draw(seed, n_atoms=40, dim=20, n_signals=25, dtype=np.float64):
    """Atoms of very different norms, and signals that no few of them explain."""
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_atoms, dim)) * rng.uniform(0.1, 10.0, (n_atoms, 1))
    signals = rng.standard_normal((n_signals, dim))
    if np.dtype(dtype).kind == "c":
        atoms = atoms + 1j * rng.standard_normal((n_atoms, dim))
        signals = signals + 1j * rng.standard_normal((n_signals, dim))
    return atoms.astype(dtype), signals.astype(dtype)


@pytest.fixture(params=["compiled", "arrays"])
def path(request, monkeypatch):
    """Both ways a NumPy job can take, whatever its size."""
    monkeypatch.setattr(rules, "_SMALL", 0 if request.param == "compiled" else 10**12)
    return request.param


def reconstruct(codes, atoms):
    return codes_to_csr(codes, len(atoms)).toarray() @ atoms


@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128, np.complex64])
def test_codes_are_those_of_the_definition(path, selection, dtype):
    atoms, signals = draw(0, dtype=dtype)
    single = np.finfo(dtype).eps > 1e-10
    codes = batch_omp(atoms, signals, n_nonzero=6, selection=selection)
    assert codes.values.dtype == dtype
    assert codes.indices.dtype == np.int32
    wide = np.result_type(dtype, np.float64)
    for p, signal in enumerate(signals.astype(wide)):
        support, coef, sq_residual = TWINS[selection](atoms.astype(wide), signal, 6)
        assert codes.indices[p].tolist() == support
        np.testing.assert_allclose(codes.values[p], coef, atol=(2e-5 if single else 1e-12) * np.max(np.abs(coef)))
        assert codes.sq_residuals[p] == pytest.approx(sq_residual, rel=1e-4 if single else 1e-11)


def test_omp_equals_scikit_learn_on_unit_atoms(path):
    atoms, signals = draw(1)
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    ours = codes_to_csr(batch_omp(atoms, signals, n_nonzero=5), len(atoms)).toarray()
    np.testing.assert_allclose(ours, orthogonal_mp(atoms.T, signals.T, n_nonzero_coefs=5).T, atol=1e-10)


def test_ols_equals_spams(path):
    spams = pytest.importorskip("spams")
    atoms, signals = draw(2)
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    theirs = spams.omp(np.asfortranarray(signals.T), np.asfortranarray(atoms.T), L=5, numThreads=1)
    ours = codes_to_csr(batch_omp(atoms, signals, n_nonzero=5, selection="ols"), len(atoms)).toarray()
    np.testing.assert_allclose(ours, theirs.toarray().T, atol=1e-8)


@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_orthonormal_atoms_keep_the_largest_correlations(path, selection):
    rng = np.random.default_rng(3)
    atoms = np.linalg.qr(rng.standard_normal((16, 16)))[0]
    signals = rng.standard_normal((9, 16))
    correlations = signals @ atoms.T
    threshold = np.sort(np.abs(correlations), axis=1)[:, -4:-3]
    expected = np.where(np.abs(correlations) >= threshold, correlations, 0.0)
    codes = batch_omp(atoms, signals, n_nonzero=4, selection=selection)
    np.testing.assert_allclose(codes_to_csr(codes, 16).toarray(), expected, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_bits_depend_neither_on_threads_nor_on_chunks(monkeypatch, selection, dtype):
    monkeypatch.setattr(rules, "_SMALL", 0)
    atoms, signals = draw(4, n_atoms=50, n_signals=1300, dtype=dtype)
    reference = batch_omp(atoms, signals, n_nonzero=5, selection=selection, n_jobs=1)
    for n_jobs, chunk in [(2, None), (4, 256), (1, 300), (3, 1)]:
        again = batch_omp(atoms, signals, n_nonzero=5, selection=selection, n_jobs=n_jobs, chunk=chunk)
        for ours, theirs in zip(again, reference, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_batch_is_a_loop_over_its_signals(path):
    atoms, signals = draw(5, n_signals=7)
    codes = batch_omp(atoms, signals, n_nonzero=4)
    for p in range(7):
        alone = batch_omp(atoms, signals[p : p + 1], n_nonzero=4)
        np.testing.assert_array_equal(alone.indices[0], codes.indices[p])
        np.testing.assert_allclose(alone.values[0], codes.values[p], rtol=1e-12)


@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("name", ["numpy", "torch"])
@pytest.mark.parametrize("options", [{"n_nonzero": 3}, {"tol": 1e-3}], ids=["sparsity", "tolerance"])
def test_small_jobs_have_the_same_bits_for_any_chunk(selection, name, options):
    rng = np.random.default_rng(0)
    atoms, signals = rng.standard_normal((26, 19)), rng.standard_normal((513, 19))
    if name == "torch":
        atoms, signals = put(atoms, name), put(signals, name)
    whole = batch_omp(atoms, signals, selection=selection, **options)
    for chunk in (1, 256, 300, 512, 10_000):
        again = batch_omp(atoms, signals, selection=selection, chunk=chunk, **options)
        for one, other in zip(whole, again, strict=True):
            np.testing.assert_array_equal(get(other), get(one))


def test_chunks_yield_the_whole_in_order(monkeypatch):
    monkeypatch.setattr(rules, "_SMALL", 0)
    atoms, signals = draw(6, n_signals=700)
    whole = batch_omp(atoms, signals, n_nonzero=3, tol=0.5)
    chunks = list(iter_batch_omp(atoms, signals, n_nonzero=3, tol=0.5, chunk=256))
    assert [part.counts.size for part in chunks] == [256, 256, 188]
    np.testing.assert_array_equal(np.concatenate([part.values for part in chunks]), whole.values)
    matrix = codes_to_csr(iter(chunks), len(atoms))
    assert matrix.has_sorted_indices
    assert matrix.shape == (700, len(atoms))
    assert (matrix != codes_to_csr(whole, len(atoms))).nnz == 0


@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_a_relative_tolerance_stops_each_signal_as_soon_as_it_is_met(path, selection):
    atoms, signals = draw(7)
    codes = batch_omp(atoms, signals, tol=0.4, selection=selection)
    residual = np.linalg.norm(signals - reconstruct(codes, atoms), axis=1)
    size = np.linalg.norm(signals, axis=1)
    assert np.all(residual <= 0.4 * size * (1 + 1e-12))
    assert np.unique(codes.counts).size > 1
    for p, signal in enumerate(signals):
        support, _, before = TWINS[selection](atoms, signal, codes.counts[p] - 1)
        assert support == codes.indices[p, : codes.counts[p] - 1].tolist()
        assert before > (0.4 * size[p]) ** 2
        assert np.all(codes.indices[p, codes.counts[p] :] == -1)
        assert np.all(codes.values[p, codes.counts[p] :] == 0)


def test_an_absolute_tolerance_is_a_norm_of_the_residual(path):
    atoms, signals = draw(8)
    codes = batch_omp(atoms, signals, atol=2.0)
    residual = np.linalg.norm(signals - reconstruct(codes, atoms), axis=1)
    assert np.all(residual <= 2.0)
    assert residual.max() > 1.0


@pytest.mark.parametrize("dtype, tol", [(np.float32, 3e-6), (np.complex64, 3e-6), (np.float64, 1e-13)])
@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_residual_tolerances_below_the_resolution_of_the_recursion_are_met(path, dtype, tol, selection):
    rng = np.random.default_rng(9)
    atoms, _ = draw(9, n_atoms=60, dim=40, dtype=dtype)
    planted = np.zeros((30, 60), dtype=dtype)
    for row in planted:
        row[rng.choice(60, 4, replace=False)] = [1.0, -0.3, 0.01, 0.0005]
    signals = planted @ (atoms / np.linalg.norm(atoms, axis=1, keepdims=True)).astype(dtype)
    codes = batch_omp(atoms, signals, tol=tol, selection=selection)
    wide = np.result_type(dtype, np.float64)
    residual = np.linalg.norm(signals.astype(wide) - reconstruct(codes, atoms.astype(wide)), axis=1)
    assert np.all(residual <= 1.5 * tol * np.linalg.norm(signals, axis=1))
    assert codes.counts.max() <= 6


@pytest.mark.parametrize("factor", [1e-9, 1e9, 1e-18])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scaling_the_signals_scales_the_codes(path, factor, dtype):
    atoms, signals = draw(10, dtype=dtype)
    codes, scaled = (batch_omp(atoms, signals * dtype(f), n_nonzero=5, tol=0.1) for f in (1.0, factor))
    np.testing.assert_array_equal(codes.indices, scaled.indices)
    np.testing.assert_allclose(scaled.values, codes.values * dtype(factor), rtol=2e-3 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("factor", [1e-30, 1e-20, 1e20, 1e30])
def test_single_precision_is_no_matter_of_scale(path, dtype, selection, factor):
    atoms, signals = draw(19, dtype=dtype)
    factor = np.float32(factor)
    options = {"n_nonzero": 5, "tol": 0.1, "selection": selection}
    expected = batch_omp(atoms, signals, **options)
    result = batch_omp(atoms, signals * factor, **options)
    np.testing.assert_array_equal(result.indices, expected.indices)
    np.testing.assert_allclose(result.values / factor, expected.values, rtol=2e-3)
    lengths = np.ones((40, 1), dtype=np.float32)
    lengths[::3] = factor
    for scale in (lengths, factor):
        result = batch_omp(atoms * scale, signals, **options)
        np.testing.assert_array_equal(result.indices, expected.indices)
        np.testing.assert_allclose(reconstruct(result, atoms * scale), reconstruct(expected, atoms), atol=2e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["atoms", "signals"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_rows_whose_squares_are_no_numbers_are_refused_by_name(path, dtype, name, sign):
    atoms, signals = draw(20, n_signals=300)
    data = {"atoms": atoms, "signals": signals}
    data[name][27] *= 10.0 ** (sign * (38 if dtype == np.float32 else 200))
    data = {key: (values / 10).astype(dtype) for key, values in data.items()}
    with pytest.raises(ValueError, match=rf"{name} has a row \(27\) .* range of {np.dtype(dtype)}"):
        batch_omp(**data, n_nonzero=3)


def test_dependent_atoms_end_the_pursuit_with_finite_codes(path):
    rng = np.random.default_rng(11)
    three = rng.standard_normal((3, 10))
    atoms = np.concatenate([three, 2.0 * three, three[:1] + three[1:2], np.zeros((2, 10))])
    for selection in ("omp", "ols"):
        codes = batch_omp(atoms, rng.standard_normal((8, 10)), n_nonzero=6, selection=selection)
        assert np.all(codes.counts == 3)
        assert np.all(np.isfinite(codes.values))
        assert codes.indices.max() < 7


@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("dtype, near, far", [(np.float64, 1e-6, 1e-4), (np.float32, 1e-3, 1e-2)])
def test_an_atom_is_dependent_from_the_documented_distance_on(path, selection, dtype, near, far):
    for apart, expected in ((near, 1), (far, 2)):
        atoms = np.array([[1.0, 0.0, 0.0], [1.0, apart, 0.0]], dtype=dtype)
        codes = batch_omp(atoms, np.array([[1.0, 1.0, 1.0]], dtype=dtype), n_nonzero=2, selection=selection)
        assert codes.counts.tolist() == [expected]


def test_the_pursuit_ends_where_only_rounding_errors_are_left(path):
    atoms, _ = draw(12)
    codes = batch_omp(atoms, np.stack([np.zeros(20), 3.0 * atoms[7], -0.1 * atoms[30]]), n_nonzero=8)
    assert codes.counts.tolist() == [0, 1, 1]


def test_signals_that_are_zero_or_exact_stop_early(path):
    atoms, _ = draw(12)
    signals = np.stack([np.zeros(20), 3.0 * atoms[7], atoms[2] - atoms[30]])
    codes = batch_omp(atoms, signals, n_nonzero=8, selection="ols")
    assert codes.counts.tolist() == [0, 1, 2]
    np.testing.assert_allclose(reconstruct(codes, atoms), signals, atol=1e-12)


@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_positive_codes_are_positive_least_squares_fits(path, selection):
    atoms, signals = draw(13)
    codes = batch_omp(atoms, signals, n_nonzero=6, selection=selection, positive=True)
    for p, signal in enumerate(signals):
        used = codes.indices[p, : codes.counts[p]]
        chosen = atoms[used].T
        best = np.linalg.lstsq(chosen, signal)[0]
        assert np.all(best > 0)
        np.testing.assert_allclose(codes.values[p, : codes.counts[p]], best, rtol=1e-9)
        gain = atoms @ signal / np.linalg.norm(atoms, axis=1)
        assert used[0] == np.argmax(gain)
    assert codes.counts.max() > 3


def positive_by_definition(atoms, signal, n_nonzero):
    """Atoms in the order of their correlation; the first whose least-squares fit is positive is taken."""
    support, residual = [], signal
    while len(support) < n_nonzero:
        score = atoms @ residual / np.linalg.norm(atoms, axis=1)
        score[support] = -1.0
        for j in np.argsort(-score):
            if score[j] <= 1e-12:
                return support
            fit = np.linalg.lstsq(atoms[[*support, j]].T, signal)[0]
            if np.all(fit > 0):
                break
        else:
            return support
        support.append(int(j))
        residual = signal - fit @ atoms[support]
    return support


def test_atoms_that_would_make_a_value_negative_are_passed_over(path):
    rng = np.random.default_rng(21)
    atoms = rng.uniform(size=(40, 12)) ** 2
    signals = rng.uniform(size=(30, 12)) * (rng.uniform(size=(30, 12)) < 0.5)
    codes = batch_omp(atoms, signals, n_nonzero=6, positive=True)
    plain = batch_omp(atoms, signals, n_nonzero=6)
    assert np.any(plain.values < 0)
    for p, signal in enumerate(signals):
        assert codes.indices[p, : codes.counts[p]].tolist() == positive_by_definition(atoms, signal, 6)
        assert np.all(codes.values[p, : codes.counts[p]] > 0)


def test_positive_codes_recover_a_positive_planted_code(path):
    rng = np.random.default_rng(14)
    atoms = rng.standard_normal((60, 40))
    planted = np.zeros((10, 60))
    for row in planted:
        row[rng.choice(60, 3, replace=False)] = rng.uniform(1, 2, 3)
    codes = batch_omp(atoms, planted @ atoms, n_nonzero=3, positive=True)
    np.testing.assert_allclose(codes_to_csr(codes, 60).toarray(), planted, atol=1e-10)


@pytest.mark.parametrize("request_", [{"n_nonzero": 5}, {"tol": 0.3}, {"n_nonzero": 4, "positive": True}])
@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("kind", ["array_api_strict", "torch"])
def test_every_namespace_gives_the_same_codes(kind, selection, request_, monkeypatch):
    xp = pytest.importorskip(kind)
    monkeypatch.setattr(rules, "_SMALL", 0)
    atoms, signals = draw(15)
    reference = batch_omp(atoms, signals, selection=selection, **request_)
    codes = batch_omp(xp.asarray(atoms), xp.asarray(signals), selection=selection, **request_)
    assert type(codes.values) is type(xp.asarray(signals))
    width = reference.indices.shape[1]
    np.testing.assert_array_equal(np.from_dlpack(codes.indices)[:, :width], reference.indices)
    np.testing.assert_allclose(np.from_dlpack(codes.values), reference.values, atol=1e-11)
    np.testing.assert_array_equal(codes_to_csr(codes, 40).indices, codes_to_csr(reference, 40).indices)


def test_inputs_may_be_read_only_strided_or_of_mixed_precision_and_stay_as_they_are(path):
    atoms, signals = draw(16)
    reference = batch_omp(atoms, signals, n_nonzero=4)
    for a, s in [
        (np.asfortranarray(atoms), np.repeat(signals, 2, axis=0)[::2]),
        (atoms.astype(np.float32).astype(np.float64), signals),
    ]:
        a.flags.writeable = s.flags.writeable = False
        codes = batch_omp(a, s, n_nonzero=4)
        np.testing.assert_allclose(codes.values, reference.values, atol=1e-4)
    assert batch_omp(atoms.astype(np.float32), signals, n_nonzero=2).values.dtype == np.float64


def test_ties_go_to_the_lowest_index(path):
    atoms = np.tile(np.eye(6), (60, 1))
    codes = batch_omp(atoms, np.ones((4, 6)), n_nonzero=4)
    np.testing.assert_array_equal(codes.indices, np.tile(np.arange(4), (4, 1)))


@pytest.mark.parametrize(
    "change, word",
    [
        ({"n_nonzero": None}, "when to stop"),
        ({"n_nonzero": 0}, "n_nonzero"),
        ({"tol": -1.0}, "tol"),
        ({"selection": "mp"}, "selection"),
        ({"signals": np.ones((3, 19))}, "signals"),
        ({"signals": np.full((3, 20), np.nan)}, "signals"),
        ({"atoms": np.ones(20)}, "atoms"),
        ({"atoms": 1j * np.ones((2, 20)), "positive": True}, "positive"),
    ],
)
def test_bad_input_is_named(change, word):
    atoms, signals = draw(17)
    arguments = {"atoms": atoms, "signals": signals, "n_nonzero": 3, **change}
    with pytest.raises(ValueError, match=word):
        batch_omp(**arguments)


def test_more_atoms_than_there_are_dimensions_is_clipped_with_a_warning():
    atoms, signals = draw(18)
    with pytest.warns(RuntimeWarning, match="n_nonzero=50"):
        codes = batch_omp(atoms, signals, n_nonzero=50)
    np.testing.assert_allclose(reconstruct(codes, atoms), signals, atol=1e-9)
