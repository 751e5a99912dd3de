"""Laws of `DictionaryLearning` beyond the online method: MOD and K-SVD, starts, coherence, kinds of input, and bad ones."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.linalg import orthogonal_procrustes
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import DictionaryLearning, Lq, SparseCoder, Status
from sparsecode.datasets import make_dictionary_problem
from sparsecode.metrics import dictionary_recovery, mutual_coherence
from sparsecode.solvers.dictionary import incoherence, initial_atoms

METHODS = ("online", "mod", "ksvd", "aksvd")
every_method = pytest.mark.parametrize("method", METHODS)
alternating = pytest.mark.parametrize("method", METHODS[1:])
PROBLEM = make_dictionary_problem(600, 12, 18, 2, snr_db=25, random_state=0)
X = PROBLEM.data


def model_for(method, **parameters):
    settings = {"coder": "omp", "n_nonzero_coefs": 2, "max_iter": 5, "tol": None, "random_state": 0, **parameters}
    return DictionaryLearning(18, method=method, **settings)


@parametrize_with_checks(
    [
        DictionaryLearning(method="mod", max_iter=20),
        DictionaryLearning(3, method="ksvd", coder="omp", max_iter=20, positive_dict=True),
        DictionaryLearning(4, method="aksvd", coder="elastic_net", alpha=0.1, max_iter=20, dict_init="k-means++"),
        DictionaryLearning(4, coder="omp", max_coherence=0.9, tol=None, max_iter=5),
    ]
)
def test_scikit_learn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # tiny problems, few passes
        check(estimator)


# ---------------------------------------------------------------- methods


@alternating
@pytest.mark.parametrize(
    "coder",
    [
        {},
        {"coder": "lasso", "n_nonzero_coefs": None},
        {"coder": SparseCoder(n_nonzero_coefs=2), "n_nonzero_coefs": None},
    ],
)
def test_the_objective_falls_and_is_that_of_the_final_codes(method, coder):
    model = model_for(method, max_iter=15, **coder).fit(X)
    assert np.all(np.diff(model.history_["objective"]) <= 1e-12)
    assert model.objective_ == model.history_["objective"][-1]
    later = SparseCoder(model.components_, algorithm="omp", n_nonzero_coefs=2) if coder == {} else model
    assert later.encode(X).objective.mean() == pytest.approx(model.objective_, rel=0.1)
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1.0)


@alternating
def test_planted_atoms_are_found_and_the_status_says_so(method):
    model = model_for(method, max_iter=100, tol=1e-2).fit(X)
    assert model.status_ is Status.CONVERGED
    assert model.certificate_ <= 1e-2
    assert dictionary_recovery(PROBLEM.dictionary, model.components_) >= 0.7
    with pytest.warns(ConvergenceWarning, match="stationarity .* raise max_iter, loosen"):
        early = model_for(method, max_iter=1, tol=1e-3).fit(X)
    assert early.status_ is Status.MAX_ITER


def test_mod_lowers_the_objective_of_any_penalty():
    coder = SparseCoder(algorithm="penalty", penalty=Lq(0.3))
    model = model_for("mod", coder=coder, n_nonzero_coefs=None).fit(X)
    objectives = model.history_["objective"]
    assert np.all(np.diff(objectives) <= 1e-12)
    assert objectives[-1] < 0.9 * objectives[0]
    with pytest.raises(ValueError, match="method='ksvd' changes the codes"):
        model.set_params(method="ksvd").fit(X)


@alternating
def test_coders_that_bound_the_error_take_new_codes(method):
    model = model_for(method, coder=SparseCoder(tol=0.3), n_nonzero_coefs=None).fit(X)
    assert np.all(model.encode(X).certificate <= 0.3 + 1e-12)
    entries = np.count_nonzero(model.transform(X))
    start = DictionaryLearning(18, coder=SparseCoder(tol=0.3), max_iter=1, tol=None, random_state=0).fit(X)
    assert entries < np.count_nonzero(start.transform(X))


@alternating
@pytest.mark.parametrize(
    "parameters", [{}, {"coder": "threshold"}, {"coder": "elastic_net", "alpha": 0.2, "n_nonzero_coefs": None}]
)
def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(method, parameters):
    one, two = (model_for(method, n_jobs=n_jobs, **parameters).fit(X).components_ for n_jobs in (1, 2))
    np.testing.assert_array_equal(one, two)


@every_method
@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_scaling_the_signals_leaves_the_atoms(method, scale):
    for coder in ({}, {"coder": "lasso", "n_nonzero_coefs": None}):
        model, scaled = (model_for(method, **coder).fit(data) for data in (X, scale * X))
        np.testing.assert_allclose(scaled.components_, model.components_, atol=1e-7)
        assert scaled.certificate_ == pytest.approx(model.certificate_, rel=1e-5)


@every_method
def test_the_default_tolerance_ends_no_fit_far_from_where_it_leads(method):
    problem = make_dictionary_problem(1500, 20, 50, 3, random_state=1)
    settings = {"method": method, "coder": "omp", "n_nonzero_coefs": 3, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = DictionaryLearning(50, **settings).fit(problem.data)
    longest = DictionaryLearning(50, tol=None, **settings).fit(problem.data)
    assert model.tol_ == (1e-2 if method == "online" else 1e-3)
    assert longest.tol_ is None
    found, most = (dictionary_recovery(problem.dictionary, each.components_) for each in (model, longest))
    assert found >= most - 0.02
    assert model.objective_ <= 1.2 * longest.objective_


@alternating
def test_a_stream_can_go_on_where_a_whole_data_set_ended(method):
    model = model_for(method).fit(X)
    before = model.components_
    assert not hasattr(model, "partial_fit")
    for name in ("partial_fit", "fit_stream"):
        words = f"{name} is for method='online'; method='{method}' takes all signals at once: use fit"
        with pytest.raises(AttributeError, match=words):
            getattr(model, name)(X)
    pickle.loads(pickle.dumps(model)).set_params(method="online").partial_fit(X[:100])
    model.set_params(method="online").partial_fit(X[:100])
    assert 0 < np.abs(model.components_ - before).max() < 0.5
    assert model.n_steps_ == 6


@every_method
def test_dead_atoms_are_replaced_by_different_signals(method):
    start = np.zeros((18, 12))
    start[:, 0] = 1.0  # eighteen equal atoms
    stuck, freed = (
        model_for(method, dict_init=start, replace_dead=replace, max_iter=8).fit(X) for replace in (False, True)
    )
    assert stuck.history_["replaced"][-1] == 0
    assert freed.history_["replaced"][-1] >= 15
    assert mutual_coherence(stuck.components_.T) > 0.999
    assert mutual_coherence(freed.components_.T) < 0.995
    assert freed.objective_ < 0.5 * stuck.objective_


# ---------------------------------------------------------------- starts


def lines(sizes=(400, 40, 12, 6, 6), n_features=8):
    """Signals near a few lines, most of them near one, on either side."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
    signals = np.vstack([rng.choice([-3.0, 1.0], (n, 1)) * axes[i] for i, n in enumerate(sizes)])
    return rng.permutation(signals + 0.001 * rng.standard_normal(signals.shape)), axes[: len(sizes)]


def test_k_means_start_is_on_every_line_whatever_the_side():
    signals, axes = lines()
    for seed in range(20):
        atoms = initial_atoms(signals, 5, np.random.RandomState(seed), spread=True)
        assert np.all(np.max(np.abs(atoms @ axes.T), axis=0) > 0.99)


def test_a_start_is_drawn_in_proportion_to_the_squared_sine():
    signals = np.array([[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])
    pairs = [initial_atoms(signals, 2, np.random.RandomState(seed), spread=True) for seed in range(4000)]
    second = [pair[1] for pair in pairs if abs(pair[0, 0] - 1) < 1e-12]
    assert np.mean(np.array(second)[:, 1] == 1.0) == pytest.approx(1 / 1.36, abs=0.05)


@every_method
def test_dict_init_says_where_to_start(method):
    signals, axes = lines()
    common = {"coder": "omp", "n_nonzero_coefs": 1, "method": method, "tol": None, "random_state": 0}
    model = DictionaryLearning(5, dict_init="k-means++", max_iter=2, **common).fit(signals)
    assert dictionary_recovery(axes, model.components_) == 1.0
    given = DictionaryLearning(5, dict_init=axes, max_iter=1, **common).fit(signals)
    assert np.all(np.abs(np.sum(given.components_ * axes, axis=1)) > 0.99)


@pytest.mark.parametrize("spread", [False, True])
def test_first_atoms_are_different_directions_even_where_signals_are_few_or_equal(spread):
    for signals in (np.ones((50, 6)), np.vstack([np.eye(6)[:2]] * 20), np.zeros((5, 6)), np.eye(6)[:2]):
        atoms = initial_atoms(signals, 5, np.random.RandomState(0), spread=spread)
        np.testing.assert_allclose(np.linalg.norm(atoms, axis=1), 1.0)
        assert mutual_coherence(atoms.T) < 0.99
    assert np.all(initial_atoms(np.ones((9, 6)), 4, np.random.RandomState(0), positive=True, spread=spread) >= 0)


# ---------------------------------------------------------------- coherence


@every_method
@pytest.mark.parametrize("coder", [{}, {"coder": "lasso", "n_nonzero_coefs": None}])
def test_the_coherence_is_kept_within_its_bound_and_rotations_keep_the_fit(method, coder, monkeypatch):
    free = model_for(method, max_iter=10, **coder).fit(X)
    bound = 0.7 * mutual_coherence(free.components_.T)
    model = model_for(method, max_iter=10, max_coherence=bound, **coder).fit(X)
    assert mutual_coherence(model.components_.T) <= bound + 1e-12
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1.0)
    monkeypatch.setattr(incoherence, "_rotated", lambda atoms, weights: atoms)
    adrift = model_for(method, max_iter=10, max_coherence=bound, **coder).fit(X)
    assert model.objective_ < adrift.objective_


def test_the_rotation_is_that_of_procrustes_and_the_projection_clips_the_gram_matrix():
    rng = np.random.default_rng(0)
    atoms, weights = rng.standard_normal((7, 4)), rng.standard_normal((7, 4))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    np.testing.assert_allclose(
        incoherence._rotated(atoms, weights), atoms @ orthogonal_procrustes(atoms, weights)[0], atol=1e-12
    )
    np.testing.assert_allclose(
        np.abs(incoherence._projected(atoms, 1.0) @ incoherence._projected(atoms, 1.0).T), np.abs(atoms @ atoms.T)
    )
    assert incoherence.coherence(incoherence._projected(atoms, 0.3)) < incoherence.coherence(atoms)


def test_atoms_within_the_bound_stay():
    atoms = np.vstack([np.eye(4), np.full((1, 4), 0.5)])
    np.testing.assert_array_equal(incoherence.incoherent(atoms, atoms, 0.6), atoms)


def test_a_coherence_that_cannot_be_is_refused_and_one_that_is_missed_is_announced():
    with pytest.raises(ValueError, match=r"max_coherence is 0.1, but 18 atoms of length 12 .* at least 0.171"):
        model_for("ksvd", max_coherence=0.1).fit(X)
    with pytest.raises(ValueError, match="max_coherence has no meaning with positive_dict"):
        model_for("ksvd", max_coherence=0.5, positive_dict=True).fit(X)
    with pytest.warns(ConvergenceWarning, match="mutual coherence is .* above max_coherence=0.18"):
        model_for("ksvd", max_coherence=0.18, max_iter=1).fit(X)


# ---------------------------------------------------------------- kinds of input


@every_method
def test_sparse_signals_and_memory_maps_are_learned_from_like_arrays(tmp_path, method):
    data = np.where(np.abs(X) > 0.3, X, 0.0)
    np.save(tmp_path / "X.npy", data)
    dense = model_for(method).fit(data)
    for other in (
        sp.csr_matrix(data),
        sp.csr_array(data),
        sp.coo_matrix(data),
        np.load(tmp_path / "X.npy", mmap_mode="r"),
    ):
        model = model_for(method).fit(other)
        np.testing.assert_array_equal(model.components_, dense.components_)
        np.testing.assert_array_equal(model.transform(other), dense.transform(data))
        np.testing.assert_array_equal(model.encode(other).certificate, dense.encode(data).certificate)
    stateless = SparseCoder(dense.components_, n_nonzero_coefs=2)
    np.testing.assert_array_equal(stateless.transform(sp.csr_matrix(data)), stateless.transform(data))


def test_a_stream_takes_sparse_batches():
    data = np.where(np.abs(X) > 0.3, X, 0.0)
    dense, sparse = (
        model_for("online").partial_fit(kind(data[:200])).partial_fit(kind(data[200:]))
        for kind in (np.asarray, sp.csr_array)
    )
    np.testing.assert_array_equal(dense.components_, sparse.components_)


@every_method
def test_single_precision_stays(method):
    model = model_for(method).fit(X.astype(np.float32))
    assert model.components_.dtype == np.float32
    assert model.transform(X.astype(np.float32)).dtype == np.float32
    double = model_for(method).fit(X.astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(model.components_, double.components_, atol=1e-5)


def test_a_stream_is_partial_fit_batch_by_batch():
    batches = np.split(X, [30, 31, 200])
    seen = []
    stream = model_for("online", callback=seen.append).fit_stream(iter(batches))
    steps = model_for("online")
    for batch in batches:
        steps.partial_fit(batch)
    np.testing.assert_array_equal(stream.components_, steps.components_)
    assert [progress.epoch for progress in seen] == stream.history_["epoch"] == [1, 2, 3, 4]
    np.testing.assert_array_equal(seen[-1].components, stream.components_)
    again = stream.fit_stream(batches)  # from a new start
    np.testing.assert_array_equal(again.components_, steps.components_)
    stopped = model_for("online", callback=lambda progress: progress.epoch == 2).fit_stream(batches)
    assert stopped.status_ is Status.INTERRUPTED
    assert stopped.n_steps_ == 2


# ---------------------------------------------------------------- bad input


@every_method
def test_more_atoms_than_signals_constant_and_zero_signals_do_no_harm(method):
    for data in (X[:7], np.ones((40, 12)), np.zeros((40, 12)), np.vstack([np.zeros((20, 12)), X[:30]])):
        for coder in ({}, {"coder": "lasso", "n_nonzero_coefs": None}):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                model = model_for(method, **coder).fit(data)
            assert np.all(np.isfinite(model.components_))
            assert np.isfinite(model.objective_)
            assert np.isfinite(model.certificate_)
            assert not model.transform(np.zeros((2, 12))).any()
    assert model_for(method).fit(np.ones((40, 12))).objective_ < 1e-12


@every_method
def test_nan_is_named_and_loses_nothing(method):
    model = model_for(method).fit(X)
    before = model.components_
    for bad in (np.nan, np.inf):
        data = X.copy()
        data[5, 3] = bad
        for kind in (np.asarray, sp.csr_matrix):
            with pytest.raises(ValueError, match="Input X contains"):
                model.fit(kind(data))
    np.testing.assert_array_equal(model.components_, before)


@every_method
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_a_signal_out_of_range_is_named_by_its_row_in_X(method, size):
    data = X.copy()
    data[170] = size
    with pytest.raises(ValueError, match=r"^X has a row \(170\)"):
        model_for(method).fit(data)
    if method == "online":
        model = model_for(method).partial_fit(X)
        with pytest.raises(ValueError, match=r"^X has a row \(170\)"):
            model.partial_fit(data)


def test_batches_of_another_width_are_named_and_lose_nothing():
    model = model_for("online").partial_fit(X[:200])
    before = model.components_
    with pytest.raises(ValueError, match="X has 11 features, but DictionaryLearning is expecting 12"):
        model.partial_fit(X[:, :11])
    with pytest.raises(ValueError, match="X has 11 features, but DictionaryLearning is expecting 12"):
        model.fit_stream([X[:50], X[50:, :11]])
    np.testing.assert_array_equal(model.components_, before)
    with pytest.raises(ValueError, match="batches is empty"):
        model.fit_stream([])


@alternating
@pytest.mark.parametrize(
    ("parameter", "value"), [("batch_size", 10), ("forgetting", 1.0), ("n_sweeps", 2), ("shuffle", False)]
)
def test_what_a_method_does_not_use_is_refused_by_name(method, parameter, value):
    with pytest.raises(ValueError, match=f"{parameter}={value} has no meaning for method='{method}'"):
        model_for(method, **{parameter: value}).fit(X)


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"method": "svd"}, "method"),
        ({"dict_init": "signals"}, "dict_init"),
        ({"coder": "penalty"}, "coder"),
        ({"max_coherence": 1.5}, "max_coherence"),
        ({"checkpoint": 3}, "checkpoint"),
    ],
)
def test_a_parameter_that_cannot_be_honoured_is_named(parameters, word):
    with pytest.raises(ValueError, match=word):
        model_for("online").set_params(**parameters).fit(X)
