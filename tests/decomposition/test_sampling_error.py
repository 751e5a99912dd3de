"""The default tolerance of online learning: what fresh signals of the same kind would not tell from zero."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import DictionaryLearning, Status, add_statistics, local_statistics, update_dictionary
from sparsecode.datasets import load_patches, make_dictionary_problem
from sparsecode.metrics import dictionary_recovery
from sparsecode.solvers.dictionary.statistics import sampling_error

OMP = {"coder": "omp", "n_nonzero_coefs": 2}
ATOMS = make_dictionary_problem(1, 8, 12, 2, random_state=0).dictionary


def signals(n_signals, seed):
    """Noisy sums of two of the atoms."""
    rng = np.random.default_rng(seed)
    codes = np.zeros((n_signals, 12))
    used = np.argsort(rng.random(codes.shape), axis=1)[:, :2]
    np.put_along_axis(codes, used, rng.standard_normal((n_signals, 2)), axis=1)
    return codes @ ATOMS + 0.2 * rng.standard_normal((n_signals, 8))


def noisy_patches(n_patches):
    patches = load_patches(n_patches=n_patches, random_state=0)
    return patches + 0.1 * np.random.default_rng(0).standard_normal(patches.shape)


@pytest.mark.parametrize(("cut", "bound"), [(300, None), (100, None), (300, 0.6)])
def test_the_sampling_error_is_how_much_steps_over_fresh_signals_differ(cut, bound):
    """Steps over fifty data sets of 600 signals, against what halves (or a sixth and the rest) of one of them say."""
    parts = [
        [local_statistics(part, ATOMS, **OMP) for part in np.split(signals(600, seed), [cut])] for seed in range(50)
    ]
    wholes = [add_statistics(*pair) for pair in parts]
    steps = np.array([update_dictionary(ATOMS, whole, max_coherence=bound) for whole in wholes])
    squares = np.sum(np.var(steps, axis=0, ddof=1), axis=1)
    weights = (
        np.mean([np.diagonal(whole.code_gram) for whole in wholes], axis=0),
        np.mean([whole.usage for whole in wholes], axis=0),
    )
    spread = np.sqrt(max(weight @ squares / np.sum(weight) for weight in weights))
    said = [sampling_error(ATOMS, *pair, bound=bound) for pair in parts]
    assert np.sqrt(np.mean(np.square(said))) == pytest.approx(spread, rel=0.1)
    assert np.std(said) < 0.25 * spread  # one data set is enough


def test_the_default_tolerance_is_a_third_of_the_sampling_error():
    """By fresh patches: the move that they make by chance, from atoms that were learned without them."""
    X = noisy_patches(4000)
    learned, fresh = X[:2000], X[2000:]
    settings = {"coder": "omp", "n_nonzero_coefs": 3}
    model = DictionaryLearning(32, **settings, random_state=0).fit(learned)
    assert model.status_ is Status.CONVERGED
    assert 1e-2 < model.certificate_ <= model.tol_
    steps = [
        update_dictionary(model.components_, local_statistics(part, model.components_, **settings))
        for part in np.split(fresh, 2)
    ]
    energy = np.diagonal(local_statistics(fresh, model.components_, **settings).code_gram)
    apart = np.sqrt(energy @ np.sum((steps[0] - steps[1]) ** 2, axis=1) / np.sum(energy))
    assert 3.0 * model.tol_ == pytest.approx(apart / 2.0, rel=0.15)


def test_noisy_photographs_converge_without_a_warning_and_a_number_is_kept_to():
    X = noisy_patches(2000)
    for settings in ({"coder": "lasso"}, {"coder": "omp", "n_nonzero_coefs": 3}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = DictionaryLearning(32, **settings, random_state=0).fit(X)
        assert model.n_iter_ < 60
        with pytest.warns(ConvergenceWarning, match="tolerance 1.0e-02"):
            strict = DictionaryLearning(32, **settings, tol=1e-2, max_iter=model.n_iter_, random_state=0).fit(X)
        assert strict.tol_ == 1e-2
        np.testing.assert_array_equal(strict.components_, model.components_)
        longest = DictionaryLearning(32, **settings, tol=None, max_iter=100, random_state=0).fit(X)
        assert model.objective_ < 1.02 * longest.objective_


def test_one_batch_and_streams_say_nothing_of_the_sampling_error():
    X = signals(200, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert DictionaryLearning(12, **OMP, max_iter=2).fit(X).tol_ == 1e-2
        assert DictionaryLearning(12, **OMP, max_iter=2, batch_size=100).fit(X).tol_ > 2e-2
    assert DictionaryLearning(12, **OMP).partial_fit(X).tol_ == 1e-2


@pytest.mark.parametrize("coder", [{"coder": "omp", "n_nonzero_coefs": 3}, {"coder": "lasso"}])
def test_planted_atoms_are_found_all_the_same(coder):
    problem = make_dictionary_problem(3000, 20, 50, 3, snr_db=10, random_state=1)
    model = DictionaryLearning(50, **coder, random_state=0).fit(problem.data)
    longest = DictionaryLearning(50, **coder, tol=None, random_state=0).fit(problem.data)
    assert model.status_ is Status.CONVERGED
    found, most = (
        dictionary_recovery(problem.dictionary, each.components_, threshold=0.97) for each in (model, longest)
    )
    assert found >= most - 0.08
    assert model.objective_ <= 1.12 * longest.objective_
