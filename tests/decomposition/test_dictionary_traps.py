"""Problems on which dictionary learning must not stop early, forget, freeze, or take two atoms for one."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import L1, DictionaryLearning, SparseCoder, Status, local_statistics, update_dictionary
from sparsecode.datasets import make_dictionary_problem
from sparsecode.metrics import mutual_coherence
from sparsecode.solvers.dictionary import initial_atoms

METHODS = ("online", "mod", "ksvd", "aksvd")
every_method = pytest.mark.parametrize("method", METHODS)
ONE = {"coder": "omp", "n_nonzero_coefs": 1, "tol": None, "random_state": 0}


@pytest.mark.parametrize("batch_size", [100, 400])
def test_less_forgetting_remembers_more(batch_size):
    X = np.random.default_rng(0).standard_normal((400, 3))
    settings = {"alpha": 0.5, "max_iter": 3, "tol": None, "random_state": 0, "batch_size": batch_size}
    held = [
        DictionaryLearning(3, forgetting=rate, **settings).fit(X)._learner.statistics.n_signals
        for rate in (0.0, 0.01, 0.1, 0.3, 1.0)
    ]
    assert held[0] == pytest.approx(1200)
    assert held[1] > 0.97 * held[0]  # no jump at zero
    assert np.all(np.diff(held) < 0)


def rays(sizes, rng):
    """Signals near the rays e1, -e1 and e2, e3, ..."""
    directions = np.vstack([np.eye(5)[0], -np.eye(5)[0], np.eye(5)[1:]])
    return np.vstack([np.outer(rng.uniform(1, 2, n), d) for n, d in zip(sizes, directions, strict=False)])


@pytest.mark.parametrize(
    ("method", "coder"),
    [
        *((method, {"coder": "omp", "n_nonzero_coefs": 1, "positive_code": True}) for method in METHODS),
        *(
            (method, {"coder": SparseCoder(algorithm="penalty", penalty=L1(0.02, positive=True))})
            for method in ("online", "mod")
        ),
    ],
)
def test_an_atom_and_its_negative_are_two_where_codes_are_not_negative(method, coder):
    rng = np.random.default_rng(0)
    X = rays((40, 40), rng) + 0.01 * rng.standard_normal((80, 5))
    found = DictionaryLearning(2, method=method, max_iter=8, tol=None, random_state=0, **coder).fit(X).components_
    found = found / np.linalg.norm(found, axis=1, keepdims=True)
    assert found[0] @ found[1] < -0.99


@pytest.mark.parametrize("spread", [False, True])
def test_a_start_has_both_sides_of_a_line_where_signs_count(spread):
    X = rays((40, 40), np.random.default_rng(0))
    starts = [initial_atoms(X, 2, np.random.RandomState(s), spread=spread, signed=True) for s in range(5)]
    np.testing.assert_allclose([first @ second for first, second in starts], -1.0, atol=1e-12)
    atoms = initial_atoms(X, 2, np.random.RandomState(0), spread=spread)
    assert abs(atoms[0] @ atoms[1]) < 0.99


def test_an_atom_in_use_is_not_replaced_because_its_negative_is_one_too():
    rng = np.random.default_rng(0)
    X = np.vstack([rays((40, 30, 40), rng), np.outer(rng.uniform(0.3, 0.4, 40), np.eye(5)[2])])
    start = np.vstack([np.eye(5)[0], -np.eye(5)[0], np.eye(5)[1]])
    settings = {**ONE, "positive_code": True, "dict_init": start, "max_iter": 6, "batch_size": 50}
    model = DictionaryLearning(3, replace_dead=True, **settings).fit(X)
    assert model.objective_ == DictionaryLearning(3, replace_dead=False, **settings).fit(X).objective_
    found = local_statistics(X, start, n_nonzero_coefs=1, positive_code=True)
    after = update_dictionary(start, found, positive_code=True, replace_dead=True)
    np.testing.assert_allclose(after[1], -np.eye(5)[0], atol=1e-12)
    assert abs(update_dictionary(start, found, replace_dead=True)[1, 0]) < 0.1


@every_method
def test_one_huge_signal_freezes_no_other_atom(method):
    rng = np.random.default_rng(0)
    atoms, codes = np.eye(6)[:4], np.zeros((100, 4))
    codes[np.arange(100), rng.integers(1, 4, 100)] = rng.uniform(1, 2, 100)
    start = atoms + 0.2 * rng.standard_normal(atoms.shape)
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    X = np.vstack([codes @ atoms, 1e8 * atoms[:1]])
    settings = {**ONE, "dict_init": start, "max_iter": 10, "replace_dead": False}
    found = DictionaryLearning(4, method=method, **settings).fit(X).components_
    cosines = np.sum(found * atoms, axis=1) / np.linalg.norm(found, axis=1)
    np.testing.assert_allclose(cosines, 1.0, atol=1e-6)


@every_method
def test_a_bound_on_the_coherence_can_be_converged_under(method):
    X = make_dictionary_problem(60, 6, 8, 2, snr_db=20, random_state=0).data
    settings = {"coder": "omp", "n_nonzero_coefs": 2, "max_iter": 60, "max_coherence": 0.5, "random_state": 0}
    model = DictionaryLearning(12, method=method, **settings).fit(X)
    assert model.status_ is Status.CONVERGED
    assert model.certificate_ <= model.tol_ <= 0.05
    assert mutual_coherence(model.components_.T) <= 0.5


def test_the_callback_sees_the_pass_that_converges():
    X = make_dictionary_problem(100, 6, 8, 2, random_state=0).data
    seen = []
    settings = {"coder": "omp", "n_nonzero_coefs": 2, "tol": 2.0, "random_state": 0}
    model = DictionaryLearning(8, method="mod", callback=lambda progress: seen.append(progress.epoch), **settings)
    assert model.fit(X).status_ is Status.CONVERGED
    assert seen == model.history_["epoch"] == [1]


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"n_sweeps": -3}, "n_sweeps"),
        ({"max_coherence": -1.0}, "max_coherence"),
        ({"max_coherence": 0.9, "positive_dict": True}, "max_coherence"),
        ({"positive_dict": True}, "dictionary has negative"),
    ],
)
def test_update_dictionary_refuses_what_the_class_refuses(parameters, word):
    found = local_statistics(np.eye(4), np.eye(4), n_nonzero_coefs=1)
    with pytest.raises(ValueError, match=word):
        update_dictionary(-np.eye(4), found, **parameters)


def test_update_dictionary_names_a_nan():
    found = local_statistics(np.eye(4), np.eye(4), n_nonzero_coefs=1)
    with pytest.raises(ValueError, match="dictionary"):
        update_dictionary(np.full((4, 4), np.nan), found)


def test_both_shortfalls_are_announced(monkeypatch):
    X = make_dictionary_problem(60, 6, 8, 2, random_state=0).data
    model = DictionaryLearning(12, method="mod", coder="omp", max_coherence=0.4, tol=1e-12, max_iter=2, random_state=0)
    monkeypatch.setattr("sparsecode.solvers.dictionary.incoherence._MOST_STEPS", 0)
    with pytest.warns(ConvergenceWarning, match=r"stationarity(.|\n)*mutual coherence"):
        model.fit(X)


@every_method
def test_codes_that_miss_their_tolerance_are_announced(method):
    X = np.random.default_rng(0).standard_normal((60, 8))
    coder = SparseCoder(n_nonzero_coefs=1, tol=1e-6)
    with pytest.warns(ConvergenceWarning, match="codes of the last pass miss the tolerance"):
        model = DictionaryLearning(8, method=method, coder=coder, max_iter=2, tol=None, random_state=0).fit(X)
    assert model.code_certificate_ > 1e-6


@every_method
def test_codes_without_an_entry_are_announced(method):
    X = np.random.default_rng(0).standard_normal((60, 8))
    with pytest.warns(ConvergenceWarning, match="no code has an entry"):
        DictionaryLearning(4, method=method, alpha=1e6, max_iter=3, random_state=0).fit(X)


def test_descent_does_not_stall_where_the_square_of_a_code_is_zero():
    rng = np.random.default_rng(0)
    atoms, X = rng.standard_normal((6, 4)), rng.standard_normal((5, 4))
    tiny = SparseCoder(1e60 * atoms, algorithm="penalty", penalty=L1(0.1 * 1e-50)).encode(1e-110 * X)
    plain = SparseCoder(atoms, algorithm="penalty", penalty=L1(0.1)).encode(X)
    assert tiny.status is Status.CONVERGED
    np.testing.assert_allclose(tiny.coef * 1e170, plain.coef, rtol=1e-5, atol=1e-6)


@every_method
def test_one_long_signal_does_not_make_a_wrong_dictionary_stationary(method):
    rng = np.random.default_rng(1)
    atoms, codes = np.eye(6)[:4], np.zeros((300, 4))
    codes[np.arange(300), rng.integers(1, 4, 300)] = rng.choice([-1, 1], 300) * rng.uniform(1, 2, 300)
    start = atoms + 0.25 * rng.standard_normal(atoms.shape)
    start[0] = atoms[0]
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    X = np.vstack([codes @ atoms, 1e4 * atoms[:1]])
    settings = {"coder": "omp", "n_nonzero_coefs": 1, "dict_init": start, "replace_dead": False, "random_state": 0}
    model = DictionaryLearning(4, method=method, max_iter=50, **settings).fit(X)
    assert model.history_["certificate"][0] > 0.1
    assert model.status_ is Status.CONVERGED
    np.testing.assert_allclose(np.abs(np.sum(model.components_ * atoms, axis=1)), 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("parameter", "value"), [("n_components", 7), ("split_sign", True), ("sparse_output", True), ("n_jobs", 2)]
)
def test_what_a_coder_would_not_be_asked_for_is_refused_by_name(parameter, value):
    X = np.random.default_rng(0).standard_normal((20, 5))
    with pytest.raises(ValueError, match=parameter):
        DictionaryLearning(5, coder=SparseCoder(n_nonzero_coefs=1, **{parameter: value})).fit(X)


def test_the_parameters_of_a_coder_are_checked():
    X = np.random.default_rng(0).standard_normal((20, 5))
    coder = SparseCoder(algorithm="threshold", alpha=0.1, hard_threshold="no")
    with pytest.raises(ValueError, match="hard_threshold"):
        DictionaryLearning(5, coder=coder).fit(X)


def test_a_signal_out_of_range_is_named_by_its_row_of_x():
    X = np.ones((32800, 2))
    X[32770] = 1e-200
    with pytest.raises(ValueError, match=r"X has a row \(32770\)"):
        SparseCoder(np.eye(2), algorithm="threshold", alpha=0.1).transform(X)
