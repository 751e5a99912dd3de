"""Laws of complete dictionary learning by lp-norm maximisation: a naive twin, monotone objectives, planted dictionaries."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import KSparseCompression, LpDictionaryLearning, Status
from sparsecode.metrics import dictionary_distance, dictionary_recovery
from sparsecode.solvers.dictionary import lp_dictionary
from tests._backends import FOREIGN, get, put


@parametrize_with_checks(
    [LpDictionaryLearning(max_iter=20), LpDictionaryLearning(4, n_components=1, max_iter=20)],
    expected_failed_checks=lambda _: {"check_complex_data": "complex data is supported, and documented"},
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def rotation(n, rng, complex_=False):
    matrix = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0)
    return np.linalg.qr(matrix)[0]


def planted(n=10, n_signals=5000, rate=0.2, seed=0, atoms=None, complex_=False, noise=0.0):
    """Bernoulli-Gaussian codes over an orthogonal dictionary, or the one that is given; white noise."""
    rng = np.random.default_rng(seed)
    atoms = rotation(n, rng, complex_) if atoms is None else atoms
    draw = lambda: rng.standard_normal((n_signals, n)) + (1j * rng.standard_normal((n_signals, n)) if complex_ else 0)  # noqa: E731
    codes = draw() * (rng.random((n_signals, n)) < rate)
    return codes @ atoms + noise * rng.standard_normal((n_signals, n)), atoms


def skewed_atoms(n, condition, seed=1):
    """Atoms of norm one from a matrix of that condition."""
    rng = np.random.default_rng(seed)
    matrix = rotation(n, rng) * np.geomspace(1, condition, n) @ rotation(n, rng)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def papers_error(atoms, truth):
    """Zero if and only if the orthogonal atoms are the true ones up to order and sign."""
    return 1 - np.sum(np.abs(atoms @ truth.conj().T) ** 4) / len(truth)


def naive_iteration(X, A, p):
    """The formula, with a power and the whole product."""
    Z = X @ A.conj().T
    gradient = (np.abs(Z) ** (p - 2) * Z).conj().T @ X
    return scipy.linalg.polar(gradient)[0]


# ---------------------------------------------------------------- the method


@pytest.mark.parametrize("p", [2.5, 3, 3.7, 4, 5, 6])
@pytest.mark.parametrize("complex_", [False, True])
def test_three_iterations_are_those_of_the_naive_twin(p, complex_):
    X, _ = planted(n=6, n_signals=700, complex_=complex_)
    start = rotation(6, np.random.default_rng(5), complex_)
    with pytest.warns(ConvergenceWarning):
        result = lp_dictionary(X, p, orthogonal=True, init=start, max_iter=3, tol=0.0)
    A = start
    for _ in range(3):
        A = naive_iteration(X, A, p)
    np.testing.assert_allclose(result.coef, A, atol=1e-10)
    np.testing.assert_allclose(result.filters, A.conj().T, atol=1e-10)
    size = np.sqrt(np.linalg.norm(X) ** 2 / X.size)
    assert result.objective == pytest.approx(np.sum(np.abs(X / size @ A.conj().T) ** p) / len(X))
    again = scipy.linalg.norm(naive_iteration(X, A, p) - A) / np.sqrt(6)
    assert result.certificate == pytest.approx(again, rel=1e-6)


@pytest.mark.parametrize("p", [3, 4, 5])
@pytest.mark.parametrize("options", [{}, {"orthogonal": True}, {"n_atoms": 2}], ids=str)
@pytest.mark.parametrize("complex_", [False, True])
def test_the_objective_never_falls_and_the_end_is_stationary(p, options, complex_):
    X, _ = planted(n=8, n_signals=3000, complex_=complex_)
    result = lp_dictionary(X, p, random_state=1, max_iter=1000, **options)
    rises = np.diff(result.history["objective"])
    assert np.all(rises >= -1e-12 * result.objective)
    assert rises[0] > 0
    assert result.status is Status.CONVERGED
    assert result.certificate <= 1e-8


@pytest.mark.parametrize("p", [3, 4])
def test_no_small_rotation_raises_the_objective(p):
    X, _ = planted(n=5, n_signals=2000)
    atoms = lp_dictionary(X, p, orthogonal=True, random_state=0).coef
    value = lambda A: np.sum(np.abs(X @ A.T) ** p)  # noqa: E731
    rng = np.random.default_rng(0)
    for _ in range(20):
        skew = rng.standard_normal((5, 5))
        skew = (skew - skew.T) / np.linalg.norm(skew - skew.T)
        ahead, behind = (value(atoms @ scipy.linalg.expm(t * skew)) for t in (1e-3, -1e-3))
        assert abs(ahead - behind) / 2e-3 < 1e-3 * value(atoms)  # first derivative
        assert ahead + behind < 2 * value(atoms)  # second


def test_one_atom_is_the_power_method_on_the_sphere():
    X, truth = planted(n=6)
    result = lp_dictionary(X, 3, n_atoms=1, orthogonal=True, random_state=0)
    q = result.coef[0]
    step = X.T @ (np.abs(X @ q) * (X @ q))
    np.testing.assert_allclose(step / np.linalg.norm(step), q, atol=1e-7)
    assert np.max(np.abs(truth @ q)) > 0.995


def test_a_few_atoms_are_different_true_ones():
    X, truth = planted(n=10, n_signals=8000)
    atoms = lp_dictionary(X, n_atoms=3, random_state=0).coef
    cosines = np.abs(atoms @ truth.T)
    assert np.all(cosines.max(axis=1) > 0.99)
    assert np.unique(cosines.argmax(axis=1)).size == 3


# ---------------------------------------------------------------- planted dictionaries


@pytest.mark.parametrize(("p", "most"), [(3, 0.01), (4, 0.03)])
def test_an_orthogonal_dictionary_is_found(p, most):
    X, truth = planted(n=30, n_signals=2000)
    assert papers_error(lp_dictionary(X, p, orthogonal=True, random_state=0).coef, truth) < most


@pytest.mark.parametrize("condition", [2, 10, 50])
def test_a_dictionary_that_is_not_orthogonal_is_found_through_whitening(condition):
    X, truth = planted(n=10, n_signals=20_000, atoms=skewed_atoms(10, condition))
    assert dictionary_recovery(truth, lp_dictionary(X, random_state=0).coef) == 1.0
    assert dictionary_recovery(truth, lp_dictionary(X, orthogonal=True, random_state=0).coef) < 1.0


def test_known_noise_is_taken_out_of_the_covariance():
    X, truth = planted(n=8, n_signals=40_000, atoms=skewed_atoms(8, 4), noise=0.3)
    deaf, told = (lp_dictionary(X, noise_variance=v, random_state=0).coef for v in (0.0, 0.09))
    assert dictionary_distance(truth, told) < 0.5 * dictionary_distance(truth, deaf)


def test_a_complex_dictionary_is_found_up_to_phases():
    X, truth = planted(n=8, n_signals=5000, complex_=True)
    for orthogonal in (False, True):
        result = lp_dictionary(X, orthogonal=orthogonal, random_state=0)
        assert dictionary_distance(truth, result.coef) < 0.1
        np.testing.assert_allclose(X @ result.filters @ result.coef, X, atol=1e-10)


def test_clipping_saves_what_outliers_spoil():
    X, truth = planted(n=20, n_signals=10_000)
    rng = np.random.default_rng(3)
    struck = rng.random(X.shape) < 1e-3
    X = X + struck * 25 * rng.standard_normal(X.shape)
    spoilt = papers_error(lp_dictionary(X, orthogonal=True, random_state=0, max_iter=1000).coef, truth)
    size = np.median(np.abs(X[X != 0])) / 0.6745
    clipped = np.clip(X, -5 * size, 5 * size)
    saved = papers_error(lp_dictionary(clipped, orthogonal=True, random_state=0, max_iter=1000).coef, truth)
    assert spoilt > 0.2
    assert saved < 0.05


# ---------------------------------------------------------------- forms


def test_signals_of_a_subspace_have_as_many_atoms_as_it_has_dimensions():
    X, _ = planted(n=9)
    X = X - X.mean(axis=1, keepdims=True)  # as patches without their means
    result = lp_dictionary(X, random_state=0)
    assert result.coef.shape == (8, 9)
    np.testing.assert_allclose(np.linalg.norm(result.coef, axis=1), 1.0)
    np.testing.assert_allclose(X @ result.filters @ result.coef, X, atol=1e-9)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("options", [{}, {"orthogonal": True, "p": 4}, {"n_atoms": 2, "p": 2.5}], ids=str)
def test_every_namespace_finds_numpys_atoms(name, options):
    X, _ = planted(n=6, n_signals=1500)
    mine = lp_dictionary(X, random_state=0, max_iter=500, **options)
    theirs = lp_dictionary(put(X, name), random_state=0, max_iter=500, **options)
    assert type(theirs.coef) is type(theirs.filters) is type(put(X, name))
    np.testing.assert_allclose(np.abs(np.sum(get(theirs.coef) * mine.coef, axis=1)), 1.0, atol=1e-9)
    learner = LpDictionaryLearning(random_state=0, max_iter=500).fit(put(X, name))
    codes = learner.transform(put(X, name))
    assert type(codes) is type(put(X, name))
    np.testing.assert_allclose(get(learner.inverse_transform(codes)), X, atol=1e-8)


@pytest.mark.parametrize("complex_", [False, True])
def test_single_precision_is_proved_in_double(complex_):
    X, truth = planted(n=8, complex_=complex_)
    dtype = np.complex64 if complex_ else np.float32
    result = lp_dictionary(X.astype(dtype), random_state=0)
    assert result.coef.dtype == result.filters.dtype == dtype
    assert result.status is Status.CONVERGED
    assert result.certificate <= result.tol == 1e-5
    assert dictionary_distance(truth, result.coef) < 0.1


@pytest.mark.parametrize(("factor", "dtype"), [(1e-60, float), (1e60, float), (1e-15, "f4"), (1e15, "f4")])
def test_the_units_of_the_data_do_not_matter(factor, dtype):
    X, _ = planted(n=6, n_signals=2000)
    for orthogonal in (False, True):
        one, other = (
            lp_dictionary(scaled.astype(dtype), random_state=0, orthogonal=orthogonal, max_iter=500)
            for scaled in (X, factor * X)
        )
        np.testing.assert_allclose(other.coef, one.coef, atol=1e-10 if dtype is float else 1e-3)


def test_the_threads_share_the_signals_without_a_change_of_bits():
    X, _ = planted(n=5, n_signals=40_000)
    first, *others = (lp_dictionary(X, random_state=0, n_jobs=n_jobs).coef for n_jobs in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_no_array_of_the_size_of_the_data_is_made():
    X, _ = planted(n=8, n_signals=200_000)
    lp_dictionary(X[:1000], random_state=0)
    tracemalloc.start()
    lp_dictionary(X, random_state=0, max_iter=5, tol=1.0, n_jobs=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 2


def test_integers_and_memory_maps_are_read(tmp_path):
    X = np.random.default_rng(0).integers(-3, 4, (300, 4)) * (np.random.default_rng(1).random((300, 4)) < 0.4)
    np.save(tmp_path / "signals.npy", X.astype(float))
    mapped = np.load(tmp_path / "signals.npy", mmap_mode="r")
    one, other = (LpDictionaryLearning(random_state=0, max_iter=1000).fit(data) for data in (X, mapped))
    np.testing.assert_array_equal(one.components_, other.components_)


def test_the_estimator_codes_and_decodes():
    X, truth = planted(n=8, atoms=skewed_atoms(8, 5), n_signals=10_000)
    learner = LpDictionaryLearning(random_state=0).fit(X)
    codes = learner.transform(X)
    np.testing.assert_allclose(codes, np.linalg.solve(learner.components_.T, X.T).T, atol=1e-9)
    np.testing.assert_allclose(learner.inverse_transform(codes), X, atol=1e-9)
    assert np.mean(np.abs(codes) < 0.1) > 0.6  # of a rate of one in five
    assert learner.get_feature_names_out().tolist()[:2] == ["lpdictionarylearning0", "lpdictionarylearning1"]
    warm = LpDictionaryLearning(dict_init=learner.components_).fit(X)
    assert warm.n_iter_ <= 1
    np.testing.assert_allclose(warm.components_, learner.components_, atol=1e-7)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"p": 2}, "p must be greater than 2"),
        ({"n_atoms": 7}, "n_atoms is 7, but the signals span only 6"),
        ({"noise_variance": 0.1, "orthogonal": True}, "noise_variance has no meaning"),
        ({"noise_variance": 100.0}, "no variance beyond noise_variance"),
        ({"init": np.eye(5)}, r"init has shape \(5, 5\).*\(6, 6\)"),
        ({"init": 1j * np.eye(6)}, "init is complex"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1.0}, "tol"),
    ],
)
def test_bad_parameters_are_named(options, message):
    X, _ = planted(n=6, n_signals=100)
    with pytest.raises(ValueError, match=message):
        lp_dictionary(X, **options)


def test_bad_data_are_named():
    X, _ = planted(n=6, n_signals=100)
    with pytest.raises(ValueError, match="zero everywhere"):
        lp_dictionary(np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"span all 6 dimensions; those of X span 3"):
        lp_dictionary(X[:3] + 1e-3 * X[3:6], orthogonal=True)
    with pytest.raises(ValueError, match="X contains NaN"):
        lp_dictionary(np.where(np.arange(6) == 2, np.nan, X))
    with pytest.raises(ValueError, match="n_components is 7"):
        LpDictionaryLearning(n_components=7).fit(X)
    learner = LpDictionaryLearning(max_iter=1000, random_state=0).fit(X)
    with pytest.raises(ValueError, match="5 features"):
        learner.transform(X[:, :5])
    with pytest.raises(ValueError, match="X has 5 columns"):
        learner.inverse_transform(X[:, :5])


def test_powers_beyond_the_precision_end_with_a_status():
    X, _ = planted(n=6, n_signals=1000)
    X[0] = 1e4
    with pytest.warns(ConvergenceWarning):
        result = lp_dictionary(X.astype(np.float32), p=200, random_state=0)
    assert result.status is Status.DIVERGED
    assert np.all(np.isfinite(result.coef))


def test_a_start_at_the_least_objective_is_left():
    X, start = np.vstack([np.eye(4), -np.eye(4)]), scipy.linalg.hadamard(4) / 2.0
    least = np.mean(np.sum(np.abs(X @ start.T) ** 3, axis=1))
    result = lp_dictionary(X, orthogonal=True, init=start, random_state=0)
    assert result.status is Status.CONVERGED and least == pytest.approx(0.5)
    np.testing.assert_allclose(np.sort(np.abs(result.coef), axis=1), np.eye(4)[[3] * 4], atol=1e-6)
    again = lp_dictionary(X, orthogonal=True, init=result.coef, random_state=0)
    assert again.n_iter <= 1
    np.testing.assert_allclose(again.coef, result.coef, atol=1e-9)


@pytest.mark.parametrize("start", [np.zeros((3, 3)), np.eye(3)[[0, 1, 1]], np.diag([1.0, 1.0, 0.0])])
def test_atoms_to_start_from_must_be_independent(start):
    with pytest.raises(ValueError, match="init has atoms that are zero or dependent"):
        lp_dictionary(np.random.default_rng(0).standard_normal((50, 3)), init=start)


def test_names_of_features_do_not_outlive_their_data():
    pandas = pytest.importorskip("pandas")
    X = np.random.default_rng(0).standard_normal((60, 3))
    learner = LpDictionaryLearning(max_iter=1000, random_state=0).fit(pandas.DataFrame(X, columns=list("abc")))
    learner.fit((X + 1j)[:, :2])
    assert learner.n_features_in_ == 2 and not hasattr(learner, "feature_names_in_")


def test_a_run_that_is_too_short_is_told_what_helps_a_dictionary():
    X, _ = planted(n=6, n_signals=500)
    short = [
        (LpDictionaryLearning(max_iter=2, random_state=0), X),
        (KSparseCompression(np.eye(6), n_components=4, n_nonzero_coefs=2, max_iter=1, tol=0.0, random_state=0), X),
    ]
    for learner, data in short:
        with pytest.warns(ConvergenceWarning, match="raise max_iter, or loosen tol.$") as caught:
            learner.fit(data)
        assert learner.status_ is Status.MAX_ITER
        assert "design" not in str(caught[0].message)
