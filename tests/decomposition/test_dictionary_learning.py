"""Laws of online dictionary learning: the atom step against its formula, streams, planted dictionaries, and interrupted fits."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import DictionaryLearning, SparseCoder, Status
from sparsecode._parallel import map_blocks, worker_pool
from sparsecode.decomposition._coders import make_coder
from sparsecode.solvers.dictionary import (
    OnlineLearner,
    Statistics,
    add_statistics,
    initial_atoms,
    local_statistics,
    online,
    stationarity,
    surrogate,
    update_dictionary,
)


@parametrize_with_checks(
    [
        DictionaryLearning(max_iter=20),
        DictionaryLearning(3, coder="omp", max_iter=20, positive_dict=True),
        DictionaryLearning(coder="threshold", max_iter=20, split_sign=True),
        DictionaryLearning(4, coder=SparseCoder(tol=0.5), tol=None, max_iter=5),
    ]
)
def test_scikit_learn_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # tiny problems, few passes
        check(estimator)


def planted(n_signals=3000, n_atoms=30, n_features=20, sparsity=3, seed=0, positive=False):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_atoms, n_features))
    codes = np.zeros((n_signals, n_atoms))
    for row in codes:
        row[rng.choice(n_atoms, sparsity, replace=False)] = rng.standard_normal(sparsity)
    if positive:
        atoms, codes = np.abs(atoms) ** 3, np.abs(codes)
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    return codes @ atoms, atoms


def recovered(found, truth):
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return np.mean(np.max(np.abs(truth @ (found / np.where(norms > 0, norms, 1)).T), axis=1) > 0.99)


def statistics_of(codes, signals):
    empty = Statistics.empty(codes.shape[1], signals.shape[1])
    products = {"code_gram": codes.T @ codes, "code_signal": codes.T @ signals}
    return empty._replace(usage=np.count_nonzero(codes, axis=0), n_signals=float(len(signals)), **products)


def test_the_statistics_are_products_of_codes_and_signals():
    X, atoms = planted(500)
    coder = make_coder("lasso", 20, 30, alpha=0.2)
    statistics, objectives = local_statistics(X, atoms, coder), coder.code(atoms, X).objective
    codes = SparseCoder(atoms, algorithm="lasso", alpha=0.2).transform(X)
    np.testing.assert_allclose(statistics.code_gram, codes.T @ codes, atol=1e-9)
    np.testing.assert_allclose(statistics.code_signal, codes.T @ X, atol=1e-9)
    np.testing.assert_array_equal(statistics.usage, np.count_nonzero(codes, axis=0))
    naive = 0.5 * np.sum((X - codes @ atoms) ** 2, axis=1) + 0.2 * np.sum(np.abs(codes), axis=1)
    np.testing.assert_allclose(objectives, naive)
    assert statistics.objective == pytest.approx(naive.sum())


def test_statistics_add_up_over_parts():
    X, atoms = planted(500)
    coder = make_coder("omp", 20, 30, n_nonzero_coefs=3)
    whole = local_statistics(X, atoms, coder)
    parts = [local_statistics(part, atoms, coder) for part in (X[:130], X[130:])]
    for left, right in zip(add_statistics(*parts), whole, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-10)


@pytest.mark.parametrize("positive", [False, True])
def test_a_sweep_is_the_formula_atom_by_atom(positive):
    rng = np.random.default_rng(0)
    codes, signals, atoms = rng.standard_normal((60, 7)), rng.standard_normal((60, 5)), rng.standard_normal((7, 5))
    atoms = np.abs(atoms) if positive else atoms
    statistics = statistics_of(codes, signals)
    new = update_dictionary(atoms, statistics, positive_dict=positive)
    naive = atoms.copy()
    for j in range(7):
        A, B = statistics.code_gram, statistics.code_signal
        step = (B[j] - A[j] @ naive) / A[j, j] + naive[j]
        step = np.maximum(step, 0) if positive else step
        naive[j] = step / max(np.linalg.norm(step), 1.0)
    np.testing.assert_allclose(new, naive, atol=1e-12)
    energy = np.diag(statistics.code_gram)
    moves = np.sum((new - atoms) ** 2, axis=1)
    moved = np.sqrt(max(energy @ moves / energy.sum(), np.mean(moves)))  # every signal uses every atom
    assert stationarity(atoms, statistics, positive=positive) == pytest.approx(moved)


def test_atoms_whose_codes_are_rounding_errors_stay():
    rng = np.random.default_rng(2)
    codes, signals = rng.standard_normal((60, 4)), rng.standard_normal((60, 5))
    codes[:, 2] *= 1e-12
    atoms = np.eye(5)[:4]
    new = update_dictionary(atoms, statistics_of(codes, signals))
    np.testing.assert_array_equal(new[2], atoms[2])
    assert np.all(np.any(new[[0, 1, 3]] != atoms[[0, 1, 3]], axis=1))


@pytest.mark.parametrize("positive", [False, True])
def test_every_sweep_lowers_the_surrogate_which_is_the_misfit_of_the_codes(positive):
    rng = np.random.default_rng(1)
    codes, signals = rng.standard_normal((60, 7)), rng.standard_normal((60, 5))
    statistics = statistics_of(codes, signals)
    atoms = np.abs(rng.standard_normal((7, 5)))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    values = []
    for _ in range(30):
        values.append(surrogate(atoms, statistics))
        misfit = 0.5 * np.sum((signals - codes @ atoms) ** 2) - 0.5 * np.sum(signals**2)
        assert values[-1] == pytest.approx(misfit)
        atoms = update_dictionary(atoms, statistics, positive_dict=positive)
    assert np.all(np.diff(values) <= 1e-12)
    assert np.all(np.linalg.norm(atoms, axis=1) <= 1 + 1e-12)
    assert stationarity(atoms, statistics, positive=positive) <= 1e-3
    assert not positive or atoms.min() >= 0


def learner_for(atoms, **settings):
    coder = make_coder("omp", atoms.shape[1], atoms.shape[0], n_nonzero_coefs=2)
    settings = {"forgetting": 1.0, "positive": False, "n_sweeps": 1, "replace_dead": False, **settings}
    return OnlineLearner(atoms, coder, **settings)


def test_the_signals_of_step_t_count_t_to_the_forgetting_times():
    X, atoms = planted(500)
    learner = learner_for(atoms, forgetting=2.0)
    parts = [learner.step(X[i : i + 100]) for i in range(0, 500, 100)]
    for name in ("code_gram", "code_signal"):
        expected = sum((t + 1) ** 2.0 * getattr(part, name) for t, part in enumerate(parts)) / 5**2.0
        np.testing.assert_allclose(getattr(learner.statistics, name), expected, atol=1e-10)


def test_beyond_the_horizon_forgetting_goes_on_at_a_steady_rate():
    X, atoms = planted(500)
    learner = learner_for(atoms, forgetting=2.0, horizon=300)
    expected = np.zeros((30, 30))
    for t, start in enumerate(range(0, 500, 100)):
        part = learner.step(X[start : start + 100])
        expected = (1 - 1 / min(t + 1, 3)) ** 2.0 * expected + part.code_gram
    np.testing.assert_allclose(learner.statistics.code_gram, expected, atol=1e-10)


def test_only_atoms_that_are_never_used_or_equal_another_are_replaced_by_the_signals_represented_worst():
    signals = np.repeat(np.eye(6)[:5], 40, axis=0) * np.linspace(1.0, 2.0, 200)[:, None]
    signals[160:] *= 3.0  # the direction that no atom has; the last signals are represented worst
    unused = np.eye(6)[5]
    twin = np.eye(6)[0] + 0.05 * np.eye(6)[1]
    signals = np.vstack([signals, np.tile(twin, (5, 1))])
    atoms = np.vstack([np.eye(6)[:4], twin / np.linalg.norm(twin), unused])
    coder = make_coder("omp", 6, 6, n_nonzero_coefs=1)
    learner = OnlineLearner(atoms, coder, forgetting=1.0, positive=False, n_sweeps=1, replace_dead=True)
    learner.step(signals)
    assert learner.n_replaced == 1  # one new direction is all that the signals offer
    replaced = np.flatnonzero(np.abs(learner.atoms @ np.eye(6)[4]) > 0.99)
    assert replaced.tolist() == [4]  # of the twins the one used less
    assert not learner.statistics.code_gram[4].any()
    assert not learner.statistics.code_gram[:, 4].any()
    assert not learner.statistics.code_signal[4].any()
    np.testing.assert_allclose(learner.atoms[:4], np.eye(6)[:4], atol=1e-6)


def test_atoms_are_not_judged_before_ten_signals_for_each():
    X, _ = planted(400)
    atoms = np.vstack([np.eye(20), np.eye(20)[:1]])
    learner = learner_for(atoms, replace_dead=True)
    learner.step(X[:200])
    assert learner.n_replaced == 0
    learner.step(X[200:211])
    assert learner.n_replaced >= 1


@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": 0.1},
        {"coder": "omp", "n_nonzero_coefs": 3},
        {"coder": "ols", "n_nonzero_coefs": 3},
        {"coder": SparseCoder(n_nonzero_coefs=3, tol=0.05)},
    ],
)
def test_a_planted_dictionary_is_found(parameters):
    X, truth = planted()
    model = DictionaryLearning(30, batch_size=100, max_iter=15, tol=None, random_state=0, **parameters).fit(X)
    assert recovered(model.components_, truth) >= 0.8
    assert model.history_["objective"][-1] < 0.9 * model.history_["objective"][0]


def test_positive_atoms_and_codes_are_found_and_stay_positive():
    X, truth = planted(positive=True)
    model = DictionaryLearning(
        30, alpha=0.05, positive_dict=True, positive_code=True, max_iter=15, tol=None, random_state=0
    ).fit(X)
    assert model.components_.min() >= 0
    assert model.transform(X).min() >= 0
    assert recovered(model.components_, truth) >= 0.8


def test_the_objective_is_as_low_as_that_of_scikit_learn():
    from sklearn.decomposition import MiniBatchDictionaryLearning

    X, _ = planted(1000)
    X = X + 0.05 * np.random.default_rng(0).standard_normal(X.shape)
    ours = DictionaryLearning(30, alpha=0.2, max_iter=20, tol=None, random_state=0).fit(X)
    peer = MiniBatchDictionaryLearning(30, alpha=0.2, max_iter=20, batch_size=256, random_state=0).fit(X)
    objectives = [
        SparseCoder(atoms, algorithm="lasso", alpha=0.2).encode(X).objective.mean()
        for atoms in (ours.components_, peer.components_)
    ]
    assert objectives[0] <= objectives[1] * 1.01


def test_a_stream_of_batches_is_one_unshuffled_pass():
    X, _ = planted(1000)
    start = X[:30] / np.linalg.norm(X[:30], axis=1, keepdims=True)
    common = {"alpha": 0.1, "dict_init": start, "forgetting": 1.0, "tol": None}
    whole = DictionaryLearning(30, batch_size=250, max_iter=1, shuffle=False, **common).fit(X)
    stream = DictionaryLearning(30, **common)
    for i in range(0, 1000, 250):
        stream.partial_fit(X[i : i + 250])
    np.testing.assert_array_equal(stream.components_, whole.components_)
    assert stream.n_steps_ == whole.n_steps_ == 4


def test_batches_of_any_size_stream_and_a_fit_can_go_on():
    X, _ = planted(1000)
    model = DictionaryLearning(30, alpha=0.1, random_state=0)
    for part in (X[:1], X[1:4], X[4:400]):
        model.partial_fit(part)
    assert model.n_steps_ == 3
    assert np.all(np.isfinite(model.components_))
    model.fit(X)
    steps, before = model.n_steps_, model.components_.copy()
    assert model.partial_fit(X[:100]).n_steps_ == steps + 1
    assert 0 < np.abs(model.components_ - before).max() < 0.5


def test_after_a_fit_a_stream_forgets_by_all_signals_seen():
    X, _ = planted(400)
    model = DictionaryLearning(10, alpha=0.1, max_iter=12, tol=None, random_state=0).fit(X)
    past, atoms, new = model._learner.statistics, model._learner.atoms, X[:100]
    part = local_statistics(new, atoms, make_coder("lasso", 20, 10, alpha=0.1))
    kept = (1.0 - 100 / (12 * 400 + 100)) ** 3.0
    model.set_params(replace_dead=False).partial_fit(new)
    np.testing.assert_allclose(model._learner.statistics.code_gram, kept * past.code_gram + part.code_gram, atol=1e-9)


def test_a_stream_goes_on_under_the_parameters_of_today():
    X, _ = planted(400)
    stream = DictionaryLearning(10, alpha=0.1, random_state=0).partial_fit(X[:200])
    stream.set_params(alpha=0.5).partial_fit(X[200:])
    assert stream.alpha_ == 0.5
    naive = DictionaryLearning(10, alpha=0.1, random_state=0).partial_fit(X[:200])
    before = SparseCoder(naive.components_, algorithm="lasso", alpha=0.5).encode(X[200:])
    assert stream.objective_ == pytest.approx(before.objective.mean())
    stream.set_params(coder="omp", alpha=None, n_nonzero_coefs=2, positive_dict=True).partial_fit(X[:200])
    assert np.count_nonzero(stream.transform(X), axis=1).max() == 2
    assert stream.components_.min() >= 0
    measured = DictionaryLearning(10, random_state=0).partial_fit(X[:200])
    alpha = measured.alpha_
    assert measured.partial_fit(10 * X[200:]).alpha_ == alpha


def test_more_coefficients_than_features_are_clipped_with_one_warning():
    X, _ = planted(600)
    with pytest.warns(RuntimeWarning, match="n_nonzero_coefs=25 .* number of features; 20") as caught:
        DictionaryLearning(30, coder="omp", n_nonzero_coefs=25, max_iter=2, tol=None, batch_size=100).fit(X)
    assert len(caught) == 1


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_data_whose_squares_are_no_numbers_are_refused(size):
    X, _ = planted(100)
    with pytest.raises(ValueError, match=r"X has a row \(0\) .* range of float64"):
        DictionaryLearning(10).fit(size * X)


@pytest.mark.parametrize("parameters", [{"alpha": 0.1}, {"coder": "omp", "n_nonzero_coefs": 3}])
def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(parameters):
    X, _ = planted(1000)
    one, two, other = (
        DictionaryLearning(30, max_iter=2, tol=None, random_state=seed, n_jobs=n_jobs, **parameters).fit(X).components_
        for seed, n_jobs in ((0, 1), (0, 2), (1, 1))
    )
    np.testing.assert_array_equal(one, two)
    assert np.any(one != other)


def test_scaling_the_signals_scales_the_codes_and_leaves_the_atoms():
    X, _ = planted(500)
    model = DictionaryLearning(10, max_iter=3, tol=None, random_state=0).fit(X)
    for scale in (2.0**-30, 2.0**30):
        scaled = DictionaryLearning(10, max_iter=3, tol=None, random_state=0).fit(scale * X)
        np.testing.assert_allclose(scaled.components_, model.components_, atol=1e-8)
        np.testing.assert_allclose(scaled.transform(scale * X), scale * model.transform(X), atol=1e-6 * scale)


def test_atoms_that_nothing_uses_or_that_equal_another_are_replaced():
    X, _ = planted(2000)
    start = np.zeros((30, 20))
    start[:, 0] = 1.0  # thirty equal atoms
    stuck = DictionaryLearning(
        30, coder="omp", n_nonzero_coefs=3, dict_init=start, replace_dead=False, max_iter=3, tol=None
    ).fit(X)
    freed = DictionaryLearning(30, coder="omp", n_nonzero_coefs=3, dict_init=start, max_iter=3, tol=None).fit(X)
    assert stuck.history_["replaced"][-1] == 0
    assert freed.history_["replaced"][-1] >= 25
    assert freed.objective_ < 0.5 * stuck.objective_
    assert np.all(np.count_nonzero(freed.transform(X), axis=0) > 0)


def test_a_zero_atom_and_zero_signals_do_no_harm():
    X, _ = planted(300)
    X[::7] = 0.0
    start = np.vstack([np.zeros(20), np.eye(20)[:9]])
    for parameters in ({"alpha": 0.1}, {"coder": "omp", "n_nonzero_coefs": 2}, {"coder": "threshold", "alpha": 0.1}):
        model = DictionaryLearning(10, dict_init=start, max_iter=3, tol=None, **parameters).fit(X)
        assert np.all(np.isfinite(model.components_))
        assert not model.transform(X)[::7].any()
    assert np.all(np.isfinite(DictionaryLearning(5, random_state=0).fit(np.zeros((10, 4))).components_))


def test_the_first_atoms_are_distinct_signals_from_anywhere_in_the_data():
    X = np.random.default_rng(0).standard_normal((4000, 6))
    X[::3] = 0.0
    atoms = initial_atoms(X, 200, np.random.RandomState(0))
    units = X / np.where(X.any(axis=1), np.linalg.norm(X, axis=1), 1)[:, None]
    where = np.argmax(atoms @ units.T, axis=1)
    np.testing.assert_allclose(atoms, units[where], atol=1e-12)
    assert len(set(where)) == 200
    assert 0.3 < np.mean(where < 2000) < 0.7


def test_kept_threads_do_the_blocks_in_order_and_let_errors_through():
    def block(start, stop):
        if start == 40:
            raise KeyError(start)
        return start, stop

    with worker_pool(2):
        assert map_blocks(block, 35, 10, 2) == [(0, 10), (10, 20), (20, 30), (30, 35)]
        with pytest.raises(KeyError):
            map_blocks(block, 50, 10, 2)
        nested = map_blocks(lambda start, stop: map_blocks(block, 20, 5, 2), 8, 2, 2)
    assert nested == [[(0, 5), (5, 10), (10, 15), (15, 20)]] * 4


def test_the_certificate_is_the_move_of_the_whole_pass_and_decides_the_status():
    X, _ = planted(200)
    with pytest.warns(ConvergenceWarning, match="stationarity"):
        early = DictionaryLearning(10, alpha=0.1, max_iter=1, tol=1e-3, random_state=0).fit(X)
    assert early.status_ is Status.MAX_ITER
    late = DictionaryLearning(10, alpha=0.1, max_iter=3000, tol=1e-3, random_state=0).fit(X)
    assert late.status_ is Status.CONVERGED
    assert late.certificate_ <= 1e-3
    codes = late.transform(X)
    moved = stationarity(late.components_, statistics_of(codes, X))
    assert moved <= 2e-3  # one batch holds everything, so this is the same number one step later
    assert late.code_certificate_ <= 1e-8


def test_without_a_tolerance_there_is_no_warning():
    X, _ = planted(200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert DictionaryLearning(10, max_iter=2, tol=None, random_state=0).fit(X).n_iter_ == 2


def test_the_callback_sees_every_pass_and_can_stop():
    X, _ = planted(600)
    seen = []
    model = DictionaryLearning(
        10, tol=None, max_iter=9, random_state=0, callback=lambda p: seen.append(p) or p.epoch == 3
    ).fit(X)
    assert [progress.epoch for progress in seen] == [1, 2, 3]
    assert model.status_ is Status.INTERRUPTED
    assert model.n_iter_ == 3
    np.testing.assert_array_equal(seen[-1].components, model.components_)
    assert seen[-1].certificate == model.certificate_


def test_an_interrupted_or_failed_fit_leaves_the_estimator_as_it_was():
    X, _ = planted(600)

    def interrupt(progress):
        raise KeyboardInterrupt

    fresh = DictionaryLearning(10, callback=interrupt)
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X)
    assert not hasattr(fresh, "components_")
    assert not hasattr(fresh, "n_features_in_")
    model = DictionaryLearning(10, max_iter=2, tol=None, random_state=0).fit(X)
    codes = model.transform(X)
    model.callback = interrupt
    with pytest.raises(KeyboardInterrupt):
        model.fit(2 * X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan))
    np.testing.assert_array_equal(model.transform(X), codes)


def test_an_interrupted_step_leaves_the_statistics_as_they_were(monkeypatch):
    X, _ = planted(600)
    model, twin = (DictionaryLearning(10, alpha=0.1, random_state=0).partial_fit(X[:300]) for _ in range(2))

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(online, "updated", interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(X[300:])
    assert model.n_steps_ == 1
    np.testing.assert_array_equal(model.partial_fit(X[300:]).components_, twin.partial_fit(X[300:]).components_)


def test_a_copy_goes_on_like_the_original():
    X, _ = planted(600)
    model = DictionaryLearning(10, alpha=0.1, random_state=0).partial_fit(X[:300])
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.partial_fit(X[300:]).components_, twin.partial_fit(X[300:]).components_)
    assert not hasattr(clone(model), "components_")


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_memory_maps_are_learned_from_like_arrays(tmp_path, dtype):
    X, _ = planted(600)
    data = (100 * X).astype(dtype)
    np.save(tmp_path / "X.npy", data)
    common = {"max_iter": 2, "tol": None, "random_state": 0}
    mapped = DictionaryLearning(10, **common).fit(np.load(tmp_path / "X.npy", mmap_mode="r"))
    np.testing.assert_array_equal(mapped.components_, DictionaryLearning(10, **common).fit(data).components_)
    assert mapped.components_.dtype == (np.float32 if dtype == np.float32 else np.float64)


def test_lazy_collections_are_refused_and_their_blocks_are_taken():
    da = pytest.importorskip("dask.array")
    X, _ = planted(600)
    lazy = da.from_array(X, chunks=(200, 20))
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=r"dask.*partial_fit"):
            getattr(DictionaryLearning(10), method)(lazy)
    model = DictionaryLearning(10, random_state=0)
    for block in lazy.blocks:
        model.partial_fit(block.compute())
    assert model.n_steps_ == 3


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"coder": "omp", "alpha": 1.0}, "alpha"),
        ({"coder": "lasso", "n_nonzero_coefs": 3}, "n_nonzero_coefs"),
        ({"coder": "lars"}, "coder"),
        ({"coder": SparseCoder(), "alpha": 1.0}, "alpha"),
        ({"coder": SparseCoder(), "positive_code": True}, "positive_code"),
        ({"dict_init": np.ones((3, 4))}, "dict_init"),
        ({"dict_init": -np.ones((10, 20)), "positive_dict": True}, "dict_init"),
        ({"alpha": -1.0}, "alpha"),
        ({"max_iter": 0}, "max_iter"),
        ({"forgetting": -1.0}, "forgetting"),
    ],
)
def test_a_parameter_that_cannot_be_honoured_is_refused_by_name(parameters, word):
    X, _ = planted(50)
    with pytest.raises(ValueError, match=word):
        DictionaryLearning(10, **parameters).fit(X)


class Recorder:
    """A callback of scikit-learn 1.9 that remembers what it was told."""

    def __init__(self, stop_at=None):
        self.ended, self.torn_down, self.stop_at, self.fitted = [], 0, stop_at, None

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.ended.append(context.task_name)
        self.fitted = fitted_estimator if context.task_name.startswith("pass") else self.fitted
        return context.task_name == self.stop_at


def test_callbacks_of_scikit_learn_are_told_of_every_pass_and_batch():
    pytest.importorskip("sklearn.callback")
    X, _ = planted(600)
    recorder = Recorder()
    model = DictionaryLearning(10, max_iter=2, batch_size=300, tol=None, random_state=0).set_callbacks(recorder).fit(X)
    assert recorder.ended == ["batch", "batch", "pass 1", "batch", "batch", "pass 2", "fit"]
    assert recorder.torn_down == 1
    np.testing.assert_array_equal(recorder.fitted.transform(X[:5]), model.transform(X[:5]))
    recorder = Recorder(stop_at="pass 1")
    model.set_callbacks(recorder).fit(X)
    assert model.status_ is Status.INTERRUPTED
    assert model.n_iter_ == 1


def test_callbacks_of_scikit_learn_are_torn_down_when_a_fit_fails():
    pytest.importorskip("sklearn.callback")
    X, _ = planted(100)

    def interrupt(progress):
        raise KeyboardInterrupt

    recorder = Recorder()
    model = DictionaryLearning(10, callback=interrupt).set_callbacks(recorder)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert recorder.torn_down == 1
    assert not hasattr(model, "_callback_fit_ctx")


def test_callbacks_of_scikit_learn_are_told_of_every_batch_of_a_stream():
    pytest.importorskip("sklearn.callback")
    X, _ = planted(90)
    recorder = Recorder()
    model = DictionaryLearning(10, tol=None, random_state=0).set_callbacks(recorder).fit_stream([X[:40], X[40:]])
    assert recorder.ended == ["batch", "batch", "fit"]
    assert recorder.torn_down == 1

    class Second(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            self.ended.append(context.task_name)
            self.fitted = fitted_estimator if context.task_name == "batch" else self.fitted
            return self.ended == ["batch", "batch"]

    second = Second()
    model.set_callbacks(second).fit_stream([X[:20], X[20:40], X[40:]])
    assert model.status_ is Status.INTERRUPTED
    assert model.n_steps_ == 2
    np.testing.assert_array_equal(second.fitted.transform(X[:5]), model.transform(X[:5]))


def test_a_stream_says_what_it_falls_short_of():
    X, _ = planted(90)
    with pytest.warns(ConvergenceWarning, match="after 2 batches, tolerance 1.0e-09: give more batches"):
        DictionaryLearning(10, tol=1e-9, random_state=0).fit_stream([X[:40], X[40:]])
    with pytest.warns(ConvergenceWarning, match="no code has an entry"):
        DictionaryLearning(10, alpha=1e6, tol=None, random_state=0).fit_stream([X])


def test_a_bad_batch_is_named_by_its_place():
    X, _ = planted(90)
    bad, far = X[40:].copy(), X[40:].copy()
    bad[3, 2], far[5] = np.nan, 1e200
    for batches, words in (
        ([X[:40], bad], "batch 2 of batches: Input X contains NaN"),
        ([X[:40], X[:0], X[40:, :19]], "batch 3 of batches: X has 19 features"),
        ([X[:40], X[40:], far], r"batch 3 of batches: X has a row \(5\)"),
        ([X[0], X[1]], "batch 1 of batches: Expected 2D array"),
    ):
        model = DictionaryLearning(10, tol=None, random_state=0)
        with pytest.raises(ValueError, match=words):
            model.fit_stream(batches)
        assert not hasattr(model, "components_")


def test_one_array_is_no_stream_of_batches():
    X, _ = planted(90)
    for data in (X, sp.csr_matrix(X)):
        with pytest.raises(ValueError, match=r"of shape \(90, 20\): pass its rows in batches, .*array_split"):
            DictionaryLearning(10).fit_stream(data)
    stacked = DictionaryLearning(10, tol=None, random_state=0).fit_stream(X.reshape(2, 45, 20))
    assert stacked.n_steps_ == 2


def test_batches_without_a_signal_are_passed_over():
    X, _ = planted(90)
    model, plain = (DictionaryLearning(10, tol=None, random_state=0) for _ in range(2))
    model.fit_stream([X[:0], X[:40], [], X[40:], sp.csr_matrix((0, 20))])
    np.testing.assert_array_equal(model.components_, plain.fit_stream([X[:40], X[40:]]).components_)
    assert model.history_["epoch"] == [1, 2]
    with pytest.raises(ValueError, match="batches is empty"):
        model.fit_stream([X[:0]])


def test_an_atom_that_a_stream_never_uses_becomes_a_signal():
    X = np.repeat(np.eye(6)[:4], 40, axis=0)[np.random.default_rng(0).permutation(160)]
    start = np.eye(6)[[0, 1, 2, 5]]  # nothing shows the last one, and nothing stands for the fourth
    settings = {"coder": "omp", "n_nonzero_coefs": 1, "tol": None, "dict_init": start}
    batches = np.split(X, 8)
    left = DictionaryLearning(4, replace_dead=False, **settings).fit_stream(batches)
    assert left.history_["replaced"][-1] == 0
    assert left.history_["objective"][-1] > 0.05
    model = DictionaryLearning(4, **settings).fit_stream(batches)
    assert model.history_["replaced"][-1] == 1
    assert model.history_["objective"][-1] < 1e-12
    np.testing.assert_allclose(np.abs(model.components_[3]), np.eye(6)[3], atol=1e-12)


def test_an_atom_that_begins_anew_has_no_past():
    axes = np.eye(4)
    coder = make_coder("omp", 4, 2, n_nonzero_coefs=2)
    learner = OnlineLearner(axes[:2].copy(), coder, forgetting=0.0, positive=False, n_sweeps=1, replace_dead=True)
    learner.step(np.tile(2 * axes[0] + axes[1], (20, 1)))
    assert learner.statistics.code_gram[0, 1] != 0.0
    learner.step(np.vstack([np.tile(axes[1], (15, 1)), np.tile(3 * axes[2], (5, 1))]))
    assert learner.n_replaced == 1
    np.testing.assert_array_equal(learner.statistics.code_gram[0], 0.0)
    np.testing.assert_array_equal(learner.statistics.code_gram[:, 0], 0.0)
    np.testing.assert_array_equal(learner.statistics.code_signal[0], 0.0)
    np.testing.assert_allclose(learner.atoms[0], axes[2], atol=1e-12)
