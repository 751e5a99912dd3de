"""Laws of learning from hidden entries: codes of incomplete signals, the hidden misfit and its gradient, Adam, resumed runs."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import MaskedDictionaryLearning, Status
from sparsecode.datasets import make_dictionary_problem
from sparsecode.metrics import dictionary_distance
from sparsecode.solvers.dictionary import masked_omp
from sparsecode.solvers.dictionary.masked import MaskedLearner
from sparsecode.solvers.greedy import batch_omp


@parametrize_with_checks(
    [
        MaskedDictionaryLearning(max_iter=3),
        MaskedDictionaryLearning(4, hidden_share=0.0, split_sign=True, sparse_output=True, max_iter=3),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def dense(codes, n_atoms):
    matrix = np.zeros((len(codes.counts), n_atoms))
    for row, (indices, values, count) in enumerate(zip(codes.indices, codes.values, codes.counts, strict=True)):
        matrix[row, indices[:count]] = values[:count]
    return matrix


def naive_code(atoms, signal, n_nonzero):
    """Orthogonal matching pursuit on the observed entries, with least squares from scratch at every step."""
    seen = ~np.isnan(signal)
    columns, target = atoms[:, seen].T, signal[seen]
    norms = np.linalg.norm(columns, axis=0)
    code, chosen, residual = np.zeros(len(atoms)), [], target
    for _ in range(min(n_nonzero, len(target))):
        scores = np.divide(np.abs(columns.T @ residual), norms, out=np.zeros(len(atoms)), where=norms > 0)
        scores[chosen] = 0
        if scores.max() <= 1e-12 * np.linalg.norm(target):
            break
        chosen.append(int(np.argmax(scores)))
        values = np.linalg.lstsq(columns[:, chosen], target, rcond=None)[0]
        residual = target - columns[:, chosen] @ values
        code[chosen] = values
    return code


def incomplete(X, share, seed=0):
    return np.where(np.random.default_rng(seed).random(X.shape) < share, np.nan, X)


# ---------------------------------------------------------------- codes of incomplete signals


@pytest.mark.parametrize("n_nonzero", [1, 3, 6])
def test_every_signal_is_coded_as_if_it_were_as_short_as_what_is_seen(n_nonzero):
    problem = make_dictionary_problem(300, 16, 30, 3, snr_db=20, random_state=0)
    X = incomplete(problem.data, 0.3)
    X[5] = np.nan
    X[6] = 0.0
    X[7, :2], X[7, 2:] = (1.0, 2.0), np.nan
    atoms = problem.dictionary * np.linspace(0.5, 2, 30)[:, None]
    codes = masked_omp(atoms, X, n_nonzero=n_nonzero)
    expected = np.array([naive_code(atoms, signal, n_nonzero) for signal in X])
    np.testing.assert_allclose(dense(codes, 30), expected, atol=1e-8)
    residual = np.nan_to_num(X - expected @ atoms)
    np.testing.assert_allclose(codes.sq_residuals, np.sum(residual**2, axis=1), atol=1e-10)
    assert codes.counts[5] == codes.counts[6] == 0


def test_one_mask_for_all_is_a_pursuit_over_parts_of_the_atoms():
    problem = make_dictionary_problem(200, 20, 40, 4, random_state=0)
    hidden = np.arange(20) % 5 == 2
    codes = masked_omp(problem.dictionary, np.where(hidden, np.nan, problem.data), n_nonzero=4)
    whole = batch_omp(problem.dictionary[:, ~hidden], problem.data[:, ~hidden], n_nonzero=4)
    np.testing.assert_allclose(dense(codes, 40), dense(whole, 40), atol=1e-9)


def test_complete_signals_among_incomplete_ones_are_coded_as_ever():
    problem = make_dictionary_problem(100, 12, 20, 3, random_state=0)
    X = problem.data.copy()
    X[::3, 4] = np.nan
    codes, ever = (
        masked_omp(problem.dictionary, X, n_nonzero=3),
        batch_omp(problem.dictionary, problem.data, n_nonzero=3),
    )
    complete = np.arange(100) % 3 != 0
    np.testing.assert_allclose(dense(codes, 20)[complete], dense(ever, 20)[complete], atol=1e-12)


def test_equal_atoms_are_not_both_taken():
    atoms = np.vstack([np.eye(4), np.eye(4)])
    codes = masked_omp(atoms, np.array([[3.0, 2.0, np.nan, 1.0]]), n_nonzero=4)
    assert codes.counts[0] == 3
    np.testing.assert_allclose(np.sort(codes.values[0, :3]), [1, 2, 3])


def test_bad_signals_are_named():
    with pytest.raises(ValueError, match="signals contains infinity"):
        masked_omp(np.eye(2), np.array([[np.inf, 1.0]]), n_nonzero=1)
    with pytest.raises(ValueError, match="atoms contains NaN"):
        masked_omp(np.full((2, 2), np.nan), np.eye(2), n_nonzero=1)
    with pytest.raises(ValueError, match=r"signals has shape \(3, 3\)"):
        masked_omp(np.eye(2), np.eye(3), n_nonzero=1)


# ---------------------------------------------------------------- the hidden misfit


def learner_for(problem, n_atoms, n_hidden, seed=1):
    atoms = np.random.default_rng(seed).standard_normal((n_atoms, problem.data.shape[1]))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    return MaskedLearner(atoms, n_nonzero=3, n_hidden=n_hidden, scale=1.0)


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("n_hidden", [0, 2])
def test_the_misfit_is_that_of_hidden_entries_and_its_gradient_that_of_the_atoms(n_hidden, share):
    problem = make_dictionary_problem(40, 12, 20, 3, snr_db=20, random_state=0)
    X = incomplete(problem.data, share)
    learner = learner_for(problem, 20, n_hidden)
    hidden = learner.draw_mask(np.random.RandomState(0))
    asked = np.ones(12, dtype=bool) if hidden is None else hidden
    codes = np.array([naive_code(learner.atoms, x if hidden is None else np.where(hidden, np.nan, x), 3) for x in X])
    share = np.mean(~np.isnan(np.where(asked, X, np.nan)))  # of the entries that are asked for: none that is missing
    value = lambda atoms: 0.5 / share * np.nansum((X - codes @ atoms)[:, asked] ** 2)  # noqa: E731
    found = learner.misfit(X, hidden)
    assert found.objective == pytest.approx(value(learner.atoms))
    np.testing.assert_allclose(found.energy, np.sum(codes**2, axis=0), atol=1e-9)
    differences = np.zeros((20, 12))
    for place in np.ndindex(20, 12):
        step = np.zeros((20, 12))
        step[place] = 1e-5
        differences[place] = (value(learner.atoms + step) - value(learner.atoms - step)) / 2e-5
    np.testing.assert_allclose(found.gradient, differences, atol=1e-6)


def test_steps_at_an_exact_optimum_stay_there():
    """Rounding divided by rounding is no direction."""
    rng = np.random.default_rng(0)
    atoms = np.linalg.qr(rng.standard_normal((10, 6)))[0].T  # whose codes pursuit finds exactly
    codes = np.zeros((60, 6))
    np.put_along_axis(codes, np.argsort(rng.random((60, 6)), axis=1)[:, :2], rng.uniform(1, 2, (60, 2)), axis=1)
    learner = MaskedLearner(atoms, n_nonzero=2, n_hidden=0, scale=np.sqrt(np.mean(codes**2) * 6))
    for batch in np.split(codes @ atoms, 6) * 10:
        learner.step(batch, None, 1e-2)
    np.testing.assert_allclose(learner.atoms, atoms, atol=1e-10)


def test_the_truth_is_stationary_without_noise_and_other_atoms_are_not():
    problem = make_dictionary_problem(500, 20, 25, 2, random_state=0)
    learner = MaskedLearner(problem.dictionary, n_nonzero=2, n_hidden=2, scale=1.0)
    found = learner.misfit(problem.data, learner.draw_mask(np.random.RandomState(0)))
    exact = np.mean(np.abs(found.gradient)) < 1e-3 * np.mean(found.energy)
    assert exact
    assert learner.stationarity(np.zeros((25, 20)), found.energy) == 0.0
    other = learner_for(problem, 25, 2)
    found_there = other.misfit(problem.data, other.draw_mask(np.random.RandomState(0)))
    assert other.stationarity(found_there.gradient, found_there.energy) > 10 * learner.stationarity(
        found.gradient, found.energy
    )


def test_masks_hide_the_share_that_was_asked_for_and_never_all():
    for width, share, expected in (
        (20, 0.1, 2),
        (15, 0.1, 2),
        (3, 0.9, 2),
        (1, 0.5, 0),
        (20, 0.0, 0),
        (10, 0.8, 8),
        (100, 0.9, 90),
    ):
        assert MaskedDictionaryLearning(hidden_share=share)._n_hidden(width) == expected


# ---------------------------------------------------------------- learning


def nearest(truth, found):
    """Mean over true atoms of the squared distance to the nearest one, as the paper measures it."""
    return np.mean(2 - 2 * np.max(np.abs(truth @ found.T), axis=1))


def test_missing_entries_are_learned_around_and_filled_in():
    problem = make_dictionary_problem(1000, 16, 16, 2, random_state=0)
    X = incomplete(problem.data, 0.15)
    settings = {"n_nonzero_coefs": 2, "hidden_share": 0.0, "max_iter": 40, "batch_size": 100, "random_state": 0}
    learner = MaskedDictionaryLearning(16, learning_rate=1e-2, **settings).fit(X)
    filled = learner.inverse_transform(learner.transform(X))
    missing = np.isnan(X)
    error = np.sqrt(np.mean((filled - problem.data)[missing] ** 2) / np.mean(problem.data[missing] ** 2))
    assert error < 0.65
    complete = MaskedDictionaryLearning(16, learning_rate=1e-2, **settings).fit(problem.data)
    assert nearest(problem.dictionary, learner.components_) < nearest(problem.dictionary, complete.components_) + 0.1


def test_transform_codes_what_is_seen():
    problem = make_dictionary_problem(80, 10, 15, 2, random_state=0)
    learner = MaskedDictionaryLearning(15, n_nonzero_coefs=2, max_iter=2, random_state=0).fit(problem.data)
    X = incomplete(problem.data, 0.3)
    X[3] = np.nan
    expected = np.array([naive_code(learner.components_, x, 2) for x in X])
    np.testing.assert_allclose(learner.transform(X), expected, atol=1e-8)
    result = learner.encode(X)
    assert result.status is Status.CONVERGED
    misfit = 0.5 * np.nansum((X - expected @ learner.components_) ** 2, axis=1)
    np.testing.assert_allclose(result.objective, misfit, atol=1e-10)
    assert not learner.transform(X)[3].any()
    sparse = learner.set_params(sparse_output=True, split_sign=True).transform(X)
    np.testing.assert_allclose(sparse.toarray()[:, :15] - sparse.toarray()[:, 15:], expected, atol=1e-8)


def test_the_units_of_the_data_do_not_matter():
    problem = make_dictionary_problem(300, 10, 15, 2, snr_db=10, random_state=0)
    one, other = (
        MaskedDictionaryLearning(20, n_nonzero_coefs=2, max_iter=3, random_state=0).fit(factor * problem.data)
        for factor in (1.0, 2.0**40)
    )
    np.testing.assert_allclose(other.components_, one.components_, atol=1e-9)
    assert other.certificate_ == pytest.approx(one.certificate_)


def test_a_run_that_was_cut_and_resumed_has_the_bits_of_one_that_was_not(tmp_path):
    problem = make_dictionary_problem(300, 10, 15, 2, snr_db=10, random_state=0)
    X = incomplete(problem.data, 0.05)
    settings = {"n_nonzero_coefs": 2, "max_iter": 6, "batch_size": 64, "random_state": 3}
    whole = MaskedDictionaryLearning(20, **settings).fit(X)
    path = tmp_path / "run.npz"
    cut = MaskedDictionaryLearning(20, checkpoint=path, callback=lambda at: at.epoch == 4, **settings).fit(X)
    assert (cut.status_, cut.n_iter_) == (Status.INTERRUPTED, 4)
    resumed = MaskedDictionaryLearning(20, checkpoint=path, **settings).fit(X)
    np.testing.assert_array_equal(resumed.components_, whole.components_)
    assert (resumed.objective_, resumed.certificate_) == (whole.objective_, whole.certificate_)
    assert resumed.history_["objective"] == whole.history_["objective"]
    assert resumed.n_steps_ == whole.n_steps_ == 30
    with pytest.raises(ValueError, match="parameter max_iter was 6, and is now 7"):
        MaskedDictionaryLearning(20, checkpoint=path, **{**settings, "max_iter": 7}).fit(X)


def test_the_learning_rate_falls_to_zero_and_the_first_and_last_steps_hide_nothing(monkeypatch):
    steps = []
    original = MaskedLearner.step
    monkeypatch.setattr(
        MaskedLearner,
        "step",
        lambda self, X, hidden, rate, n_jobs=None: (
            steps.append((hidden is None, rate)),
            original(self, X, hidden, rate, n_jobs),
        )[1],
    )
    problem = make_dictionary_problem(40, 10, 12, 2, random_state=0)
    MaskedDictionaryLearning(
        12, n_nonzero_coefs=2, max_iter=10, batch_size=20, warm_start_epochs=2, learning_rate=0.01, random_state=0
    ).fit(problem.data)
    assert [plain for plain, _ in steps] == [True] * 4 + [False] * 10 + [True] * 6
    np.testing.assert_allclose([rate for _, rate in steps], [0.01] * 10 + [0.001 * left for left in range(10, 0, -1)])


@pytest.mark.parametrize("n_components", [200, 300, 400])
def test_hiding_finds_the_true_atoms_among_too_many_where_seeing_all_does_not(n_components):
    settings = {"n_nonzero_coefs": 3, "batch_size": 100}
    for seed in range(3):
        problem = make_dictionary_problem(400, 30, 40, 3, snr_db=5, random_state=seed)
        plain, masked = (
            MaskedDictionaryLearning(n_components, hidden_share=share, random_state=seed, **settings).fit(problem.data)
            for share in (0.0, 0.1)
        )
        found, seen = (nearest(problem.dictionary, learner.components_) for learner in (masked, plain))
        assert found < 0.9 * seen


def test_partial_fit_goes_on_and_a_failed_step_changes_nothing():
    problem = make_dictionary_problem(600, 10, 12, 2, random_state=0)
    learner = MaskedDictionaryLearning(12, n_nonzero_coefs=2, random_state=0, learning_rate=1e-2)
    for start in range(0, 600, 100):
        learner.partial_fit(problem.data[start : start + 100])
    assert learner.n_steps_ == 6
    assert learner.status_ is Status.MAX_ITER
    before = learner.components_
    with pytest.raises(ValueError, match="features"):
        learner.partial_fit(problem.data[:, :5])
    assert learner.components_ is before
    assert not np.array_equal(learner.partial_fit(problem.data[:50]).components_, before)


@pytest.mark.parametrize("given", [False, True])
def test_steps_far_too_long_are_warned_of_once_and_short_ones_are_not(given):
    problem = make_dictionary_problem(300, 20, 30, 2, snr_db=20, random_state=0)
    options = {"n_nonzero_coefs": 2, "max_iter": 5, "random_state": 0}
    if given:
        options["dict_init"] = problem.dictionary
    with pytest.warns(
        ConvergenceWarning, match=r"the misfit ended at .*lower learning_rate, which was 1e\+06"
    ) as caught:
        learner = MaskedDictionaryLearning(30, learning_rate=1e6, **options).fit(problem.data)
    assert len(caught) == 1 and learner.status_ is Status.DIVERGED
    energy = 0.5 * np.mean(np.sum(problem.data[:256] ** 2, axis=1))  # of the first batch
    assert f"codes that are zero is {energy:.3g}" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rate in (1e-12, 1e-2):
            assert (
                MaskedDictionaryLearning(30, learning_rate=rate, **options).fit(problem.data).status_
                is Status.CONVERGED
            )


def test_a_tolerance_that_is_missed_is_warned_of_once():
    problem = make_dictionary_problem(100, 10, 12, 2, snr_db=5, random_state=0)
    with pytest.warns(ConvergenceWarning, match="relative stationarity") as caught:
        MaskedDictionaryLearning(12, max_iter=2, tol=1e-9, random_state=0).fit(problem.data)
    assert len(caught) == 1
    easy = MaskedDictionaryLearning(12, max_iter=2, tol=1e9, random_state=0).fit(problem.data)
    assert easy.status_ is Status.CONVERGED


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dict_init": np.zeros((4, 10))}, r"row of zeros \(0\)"),
        ({"dict_init": np.eye(10)[:3]}, r"dict_init has shape \(3, 10\).*\(4, 10\)"),
        ({"hidden_share": 1.0}, "hidden_share"),
        ({"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_bad_parameters_are_named(options, message):
    X = np.random.default_rng(0).standard_normal((30, 10))
    with pytest.raises(ValueError, match=message):
        MaskedDictionaryLearning(4, **options).fit(X)


def test_infinite_data_are_refused_and_missing_ones_are_not():
    X = np.random.default_rng(0).standard_normal((30, 10))
    X[2, 3] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        MaskedDictionaryLearning(4, max_iter=1).fit(X)
    X[2, 3] = np.nan
    learner = MaskedDictionaryLearning(4, max_iter=1, random_state=0).fit(X)
    assert np.all(np.isfinite(learner.components_))
    np.testing.assert_allclose(np.linalg.norm(learner.components_, axis=1), 1.0)


def test_the_distance_to_the_planted_dictionary_falls():
    problem = make_dictionary_problem(2000, 12, 12, 2, random_state=1)
    distances = []
    MaskedDictionaryLearning(
        12,
        n_nonzero_coefs=2,
        hidden_share=0.0,
        max_iter=20,
        batch_size=100,
        learning_rate=1e-2,
        random_state=0,
        callback=lambda at: distances.append(dictionary_distance(problem.dictionary, at.components)),
    ).fit(problem.data)
    assert distances[-1] < 0.8 * distances[0]


def test_no_fit_starts_at_the_signals_where_there_are_as_many_atoms():
    problem = make_dictionary_problem(40, 10, 12, 2, snr_db=10, random_state=0)
    signals = problem.data / np.linalg.norm(problem.data, axis=1, keepdims=True)
    for n_components, most in ((20, 1.0), (21, 0.99), (60, 0.99)):
        learner = MaskedDictionaryLearning(n_components, learning_rate=1e-12, max_iter=1, random_state=0)
        nearest_signal = np.max(np.abs(learner.fit(problem.data).components_ @ signals.T), axis=1)
        assert learner.status_ is Status.CONVERGED  # no harm done, though mixtures of signals would fit better
        assert np.mean(nearest_signal > 1 - 1e-9) == (most == 1.0)
