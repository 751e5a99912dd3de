"""Laws of the public statistics: they add up in any grouping, travel between processes, and are what `partial_fit` uses."""

import pickle
from functools import reduce

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode import DictionaryLearning, SparseCoder, add_statistics, local_statistics, update_dictionary
from sparsecode.datasets import make_dictionary_problem
from sparsecode.metrics import mutual_coherence

PROBLEM = make_dictionary_problem(300, 8, 12, 2, snr_db=20, random_state=0)
X, ATOMS = PROBLEM.data, PROBLEM.dictionary


def assert_alike(left, right):
    for name, value in left._asdict().items():
        np.testing.assert_allclose(value, getattr(right, name), rtol=1e-12, atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(left.worst, right.worst)


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 299), min_size=1, max_size=6, unique=True),
    order=st.randoms(use_true_random=False),
    coder=st.sampled_from([{"n_nonzero_coefs": 2}, {"coder": "lasso", "alpha": 0.2}]),
)
def test_statistics_add_up_in_any_grouping(cuts, order, coder):
    parts = [local_statistics(part, ATOMS, **coder) for part in np.split(X, sorted(cuts))]
    whole = local_statistics(X, ATOMS, **coder)
    assert_alike(reduce(add_statistics, parts), whole)
    while len(parts) > 1:  # neighbours are joined in any order
        i = order.randrange(len(parts) - 1)
        parts[i : i + 2] = [add_statistics(*parts[i : i + 2])]
    assert_alike(parts[0], whole)


def test_statistics_are_those_of_the_codes_and_the_worst_signals_are_the_worst():
    found = local_statistics(X, ATOMS, "lasso", alpha=0.2)
    codes = SparseCoder(ATOMS, algorithm="lasso", alpha=0.2).transform(X)
    np.testing.assert_allclose(found.code_gram, codes.T @ codes, atol=1e-9)
    np.testing.assert_allclose(found.code_signal, codes.T @ X, atol=1e-9)
    np.testing.assert_array_equal(found.usage, np.count_nonzero(codes, axis=0))
    objectives = 0.5 * np.sum((X - codes @ ATOMS) ** 2, axis=1) + 0.2 * np.abs(codes).sum(axis=1)
    assert found.objective == pytest.approx(objectives.sum())
    worst = np.argsort(-objectives)[: len(ATOMS) + 16]
    np.testing.assert_array_equal(found.worst, X[worst])
    np.testing.assert_allclose(found.worst_objectives, objectives[worst])


def test_statistics_travel():
    found = local_statistics(X, ATOMS)
    assert_alike(pickle.loads(pickle.dumps(found)), found)


def test_signals_may_be_arrays_memory_maps_or_sparse_and_the_coder_a_sparse_coder(tmp_path):
    zeros = X * (np.abs(X) > 0.3)
    np.save(tmp_path / "X.npy", zeros)
    expected = local_statistics(zeros, ATOMS, n_nonzero_coefs=3)
    for other in (sp.csr_matrix(zeros), sp.csr_array(zeros), np.load(tmp_path / "X.npy", mmap_mode="r")):
        assert_alike(local_statistics(other, ATOMS, n_nonzero_coefs=3), expected)
    assert_alike(local_statistics(zeros, ATOMS, SparseCoder(n_nonzero_coefs=3)), expected)
    single = local_statistics(zeros.astype(np.float32), ATOMS, n_nonzero_coefs=3)
    np.testing.assert_allclose(single.code_gram, expected.code_gram, rtol=1e-4, atol=1e-3)


def test_a_step_of_partial_fit_is_these_functions():
    model = DictionaryLearning(12, alpha=0.2, dict_init=ATOMS, forgetting=1.0, replace_dead=False)
    atoms, total, seen = ATOMS, None, 0
    for part in (X[:50], X[50:200], X[200:]):
        model.partial_fit(part)
        new = local_statistics(part, atoms, "lasso", alpha=0.2)
        seen += len(part)
        total = new if total is None else add_statistics(total, new, keep=1.0 - len(part) / seen)
        atoms = update_dictionary(atoms, total)
        np.testing.assert_array_equal(model.components_, atoms)


def test_a_distributed_loop_learns_the_planted_atoms_and_replaces_dead_ones():
    rng = np.random.default_rng(1)
    atoms = rng.standard_normal(ATOMS.shape)
    atoms[1] = atoms[0]
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    errors = []
    for _ in range(30):
        parts = [local_statistics(part, atoms, n_nonzero_coefs=2) for part in np.split(X, 3)]
        total = reduce(add_statistics, parts)
        errors.append(total.objective)
        atoms = update_dictionary(atoms, total, n_sweeps=3, replace_dead=True)
    assert np.all(total.usage > 0)
    assert mutual_coherence(atoms.T) < 0.99
    assert errors[-1] < 0.2 * errors[0]


def test_nothing_replaces_the_same_atom_twice():
    atoms = np.vstack([np.eye(4)[:1]] * 4)
    signals = np.vstack([np.eye(4)] * 3) * np.linspace(2, 1, 12)[:, None]
    new = update_dictionary(atoms, local_statistics(signals, atoms, n_nonzero_coefs=1), replace_dead=True)
    np.testing.assert_allclose(np.sort(np.abs(new).argmax(axis=1)), [0, 1, 2, 3])


def test_shapes_that_disagree_and_settings_without_meaning_are_named():
    found = local_statistics(X, ATOMS)
    with pytest.raises(ValueError, match=r"X has 8 features, but the atoms of dictionary have 5"):
        local_statistics(X, ATOMS[:, :5])
    with pytest.raises(ValueError, match=r"dictionary has shape \(3, 8\)"):
        update_dictionary(ATOMS[:3], found)
    with pytest.raises(ValueError, match=r"only statistics over dictionaries of one shape add up"):
        add_statistics(found, local_statistics(X, ATOMS[:3]))
    with pytest.raises(ValueError, match="alpha=0.1 has no meaning for algorithm='omp'"):
        local_statistics(X, ATOMS, alpha=0.1)
    with pytest.raises(ValueError, match="n_nonzero_coefs has no meaning where coder is a SparseCoder"):
        local_statistics(X, ATOMS, SparseCoder(), n_nonzero_coefs=2)
    with pytest.raises(ValueError, match="NaN"):
        local_statistics(np.where(X > 1, np.nan, X), ATOMS)


def test_the_sum_has_the_larger_certificate_and_the_past_counts_as_it_is_told():
    one = local_statistics(X[:100], ATOMS)._replace(certificate=0.5)
    two = local_statistics(X[100:], ATOMS)._replace(certificate=0.25)
    assert add_statistics(one, two).certificate == add_statistics(two, one).certificate == 0.5
    faded = add_statistics(one, two, keep=0.25)
    for name in ("code_gram", "code_signal", "usage", "n_signals", "objective"):
        np.testing.assert_allclose(getattr(faded, name), 0.25 * getattr(one, name) + getattr(two, name), err_msg=name)
