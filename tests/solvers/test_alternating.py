"""Laws of MOD, K-SVD and approximate K-SVD: each update against its definition, an objective that never rises, dead atoms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode.datasets import make_dictionary_problem
from sparsecode.decomposition._coders import make_coder
from sparsecode.metrics import dictionary_recovery
from sparsecode.solvers.dictionary import AlternatingLearner
from sparsecode.solvers.dictionary.replacement import fresh_atoms, useless_atoms

METHODS = ("mod", "ksvd", "aksvd")
CODERS = {
    "omp": {"n_nonzero_coefs": 3},
    "ols": {"n_nonzero_coefs": 2},
    "lasso": {"alpha": 0.2},
    "elastic_net": {"alpha": 0.3},
}


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def drawn(seed=0, n_signals=200, n_atoms=15, n_features=10):
    """Signals with some structure, and atoms that do not fit them."""
    rng = np.random.default_rng(seed)
    data = make_dictionary_problem(n_signals, n_features, n_atoms, min(3, n_atoms), snr_db=15, random_state=seed).data
    return data, unit(rng.standard_normal((n_atoms, n_features)))


def learner_for(X, atoms, method, coder="omp", positive_code=False, positive_dict=False, **settings):
    chosen = make_coder(coder, X.shape[1], atoms.shape[0], positive=positive_code, **CODERS[coder])
    settings = {"replace_dead": False, "max_coherence": None, **settings}
    return AlternatingLearner(
        X, atoms, chosen, method=method, positive_code=positive_code, positive_dict=positive_dict, **settings
    )


def dense(learner):
    return learner.codes.matrix(learner.atoms.shape[0]).toarray()


def first_codes(learner):
    """The codes that the first pass begins with."""
    coded = learner.coder.code(learner.atoms, learner.signals)
    codes = np.zeros((learner.signals.shape[0], learner.atoms.shape[0]))
    for s, row in enumerate(codes):
        part = slice(coded.indptr[s], coded.indptr[s + 1])
        row[coded.indices[part]] = coded.values[part]
    return codes


def cost(X, atoms, codes, l1=0.0, ridge=0.0):
    return 0.5 * np.sum((X - codes @ atoms) ** 2) + l1 * np.abs(codes).sum() + 0.5 * ridge * np.sum(codes**2)


def naive_pairs(X, atoms, codes, best_pair):
    """K-SVD from its definition, `best_pair` for the errors, atom and codes of one atom."""
    atoms, codes = atoms.copy(), codes.copy()
    for j in range(atoms.shape[0]):
        users = np.flatnonzero(codes[:, j])
        if users.size == 0:
            continue
        others = codes[users].copy()
        others[:, j] = 0.0
        atoms[j], codes[users, j] = best_pair(X[users] - others @ atoms, atoms[j], codes[users, j])
    return atoms, codes


def singular_pair(errors, atom, code):
    left, values, right = np.linalg.svd(errors, full_matrices=False)
    sign = 1.0 if right[0] @ atom >= 0 else -1.0
    return sign * right[0], sign * values[0] * left[:, 0]


def power_step(errors, atom, code):
    atom = errors.T @ code
    atom = atom / np.linalg.norm(atom)
    return atom, errors @ atom


def alternation(l1, ridge, positive_code, positive_dict, n_steps):
    """Best atom, best codes, and so on."""

    def best_pair(errors, atom, code):
        for _ in range(n_steps):
            pull = errors.T @ code
            pull = np.maximum(pull, 0) if positive_dict else pull
            if np.any(pull != 0):
                atom = pull / np.linalg.norm(pull)
            fit = errors @ atom
            fit = np.maximum(fit, 0) if positive_code else fit
            code = np.sign(fit) * np.maximum(np.abs(fit) - l1, 0) / (1 + ridge)
        return atom, code

    return best_pair


@pytest.mark.parametrize(("method", "best_pair"), [("ksvd", singular_pair), ("aksvd", power_step)])
@pytest.mark.parametrize("n_signals", [200, 12])  # more and fewer users of an atom than features
def test_a_pass_of_k_svd_is_its_definition(method, best_pair, n_signals):
    X, atoms = drawn(1, n_signals)
    learner = learner_for(X, atoms, method)
    expected = naive_pairs(X, atoms, first_codes(learner), best_pair)
    learner.one_pass()
    np.testing.assert_allclose(learner.atoms, expected[0], atol=1e-9)
    np.testing.assert_allclose(dense(learner), expected[1], atol=1e-9)


@pytest.mark.parametrize("coder", ["omp", "lasso", "elastic_net"])
@pytest.mark.parametrize(("positive_code", "positive_dict"), [(False, True), (True, False), (True, True)])
@pytest.mark.parametrize("method", ["ksvd", "aksvd"])
def test_constraints_and_penalties_enter_each_step_of_k_svd(method, coder, positive_code, positive_dict):
    X, atoms = drawn(2, 60)
    X, atoms = np.abs(X), np.abs(atoms) if positive_dict else atoms
    learner = learner_for(X, atoms, method, coder, positive_code, positive_dict)
    l1, ridge = learner.coder.strengths
    pair = alternation(l1, ridge, positive_code, positive_dict, 1 if method == "aksvd" else 100)
    start = first_codes(learner)
    expected = naive_pairs(X, atoms, start, pair)
    learner.one_pass()
    np.testing.assert_allclose(learner.atoms, expected[0], atol=1e-7)
    np.testing.assert_allclose(dense(learner), expected[1], atol=1e-7)
    assert cost(X, *expected, l1, ridge) < cost(X, atoms, start, l1, ridge)
    assert not positive_code or dense(learner).min() >= 0
    assert not positive_dict or learner.atoms.min() >= 0


def test_the_penalised_pair_of_k_svd_is_stationary():
    X, atoms = drawn(3, 100)
    learner = learner_for(X, atoms, "ksvd", "lasso")
    learner.one_pass()
    codes, last = dense(learner), learner.atoms.shape[0] - 1  # nothing moved after the last atom
    errors = X - codes @ learner.atoms + np.outer(codes[:, last], learner.atoms[last])
    users = codes[:, last] != 0
    fit = errors[users] @ learner.atoms[last]
    np.testing.assert_allclose(codes[users, last], fit - 0.2 * np.sign(fit), atol=1e-8)
    pull = errors[users].T @ codes[users, last]
    np.testing.assert_allclose(learner.atoms[last], pull / np.linalg.norm(pull), atol=1e-8)


def test_mod_is_least_squares_with_its_norms_moved_to_the_codes():
    X, atoms = drawn(4)
    learner = learner_for(X, atoms, "mod")
    codes = first_codes(learner)
    best = np.linalg.lstsq(codes, X, rcond=None)[0]
    learner.one_pass()
    np.testing.assert_allclose(learner.atoms, unit(best), atol=1e-9)
    np.testing.assert_allclose(dense(learner) @ learner.atoms, codes @ best, atol=1e-9)


@pytest.mark.parametrize(("coder", "positive_dict"), [("omp", True), ("lasso", False), ("lasso", True)])
def test_mod_with_constraints_solves_its_convex_program(coder, positive_dict):
    import cvxpy as cp

    X, atoms = drawn(5, 80, 6, 5)
    X, atoms = np.abs(X), np.abs(atoms)
    learner = learner_for(X, atoms, "mod", coder, positive_dict=positive_dict)
    codes = first_codes(learner)
    D = cp.Variable(atoms.shape)
    limits = [cp.norm(D[j]) <= 1 for j in range(6)] + ([D >= 0] if positive_dict else [])
    least = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(X - codes @ D)), limits).solve(solver="CLARABEL")
    learner.one_pass()
    assert 0.5 * np.sum((X - dense(learner) @ learner.atoms) ** 2) == pytest.approx(least, rel=1e-6)


def test_mod_of_dependent_codes_still_lowers_the_misfit():
    X, atoms = drawn(6)
    atoms[3] = atoms[2]  # never chosen, and of no rank
    learner = learner_for(X, atoms, "mod")
    before = cost(X, atoms, first_codes(learner))
    assert learner.one_pass().objective * len(X) < before
    np.testing.assert_allclose(learner.atoms[3], atoms[3], rtol=1e-15)


def test_an_atom_that_only_negative_codes_use_is_learned():
    rng = np.random.default_rng(0)
    direction = unit(rng.standard_normal((1, 8)))[0]
    X = -np.outer(rng.uniform(1, 2, 50), direction)
    start = unit((direction + 0.2 * rng.standard_normal(8))[None])
    for method in METHODS:
        learner = learner_for(X, start, method, "lasso")
        for _ in range(3):
            learner.one_pass()
        assert learner.atoms[0] @ direction > 1 - 1e-9
        assert np.all(learner.codes.values < 0)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    method=st.sampled_from(METHODS),
    coder=st.sampled_from(sorted(CODERS)),
    positive_code=st.booleans(),
    positive_dict=st.booleans(),
    replace_dead=st.booleans(),
    n_signals=st.integers(3, 80),
    n_atoms=st.integers(3, 14),
)
def test_the_objective_never_rises(seed, method, coder, positive_code, positive_dict, replace_dead, n_signals, n_atoms):
    X, atoms = drawn(seed, n_signals, n_atoms, 7)
    atoms[-1] = atoms[0]
    atoms = np.abs(atoms) if positive_dict else atoms
    learner = learner_for(X, atoms, method, coder, positive_code, positive_dict, replace_dead=replace_dead)
    before = np.inf
    for _ in range(6):
        now = learner.one_pass().objective
        again = cost(X, learner.atoms, dense(learner), *learner.coder.strengths) / n_signals
        assert now == pytest.approx(again, rel=1e-9, abs=1e-12)
        assert now <= before + 1e-12 * np.mean(np.sum(X**2, axis=1))
        before = now
    np.testing.assert_allclose(np.linalg.norm(learner.atoms, axis=1), 1.0)
    assert not positive_code or dense(learner).min() >= 0
    assert not positive_dict or learner.atoms.min() >= 0
    limit = CODERS[coder].get("n_nonzero_coefs", n_atoms)
    assert np.count_nonzero(dense(learner), axis=1).max() <= limit


def test_codes_that_are_always_new_let_the_objective_rise():
    class Fickle:
        """The same codes, by whose objectives nothing is decided."""

        comparable, strengths = False, (0.0, 0.0)

        def __init__(self, coder):
            self.code = coder.code

    X, atoms = drawn(0, 300, 20, 8)
    rises = []
    for keep in (True, False):
        learner = learner_for(X, atoms, "aksvd")
        learner.coder = learner.coder if keep else Fickle(learner.coder)
        rises.append(np.max(np.diff([learner.one_pass().objective for _ in range(40)])))
    assert rises[0] <= 0 < rises[1]


@pytest.mark.parametrize("method", METHODS)
def test_the_certificate_is_how_far_a_sweep_moves_the_atoms_a_pass_begins_with(method):
    X, atoms = drawn(7)
    learner = learner_for(X, atoms, method)
    codes = first_codes(learner)
    swept, energy = atoms.copy(), np.sum(codes**2, axis=0)
    for j in range(atoms.shape[0]):
        step = swept[j] + codes[:, j] @ (X - codes @ swept) / energy[j]
        swept[j] = step / max(np.linalg.norm(step), 1.0)
    moves, usage = np.sum((swept - atoms) ** 2, axis=1), np.count_nonzero(codes, axis=0)
    moved = np.sqrt(max(energy @ moves / energy.sum(), usage @ moves / usage.sum()))
    assert learner.one_pass().certificate == pytest.approx(moved)
    planted = make_dictionary_problem(400, 10, 10, 1, coef="sign", random_state=0)
    assert learner_for(planted.data, planted.dictionary, method, "ols").one_pass().certificate <= 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_planted_atoms_are_found(method):
    problem = make_dictionary_problem(1000, 16, 24, 3, snr_db=30, random_state=0)
    start = unit(problem.data[:24])
    learner = learner_for(problem.data, start, method, replace_dead=True)
    for _ in range(40):
        learner.one_pass()
    assert dictionary_recovery(problem.dictionary, start) <= 0.1
    assert dictionary_recovery(problem.dictionary, learner.atoms) >= 0.7


def test_an_unused_atom_becomes_the_signal_represented_worst_and_no_signal_is_taken_twice():
    X = np.repeat(np.eye(6)[:5], 20, axis=0) * np.linspace(1.0, 2.0, 100)[:, None]
    X[80:] *= 3.0  # the direction no atom has
    atoms = np.vstack([np.eye(6)[:4], np.eye(6)[5:], np.eye(6)[5:]])  # two atoms without use
    learner = learner_for(X, atoms, "ksvd", "ols", replace_dead=True)
    learner.one_pass()
    assert learner.n_replaced == 0  # nothing is known yet
    learner.one_pass()
    assert learner.n_replaced == 1  # one direction is all that the signals offer
    assert np.sum(np.abs(learner.atoms @ np.eye(6)[4]) > 0.99) == 1


def test_a_used_twin_is_replaced_only_where_that_lowers_the_objective():
    rng = np.random.default_rng(0)
    axes = np.eye(6)
    twins = unit(axes[0] + np.array([[0.0], [0.1]]) * axes[1])  # of cosine 0.995
    atoms = np.vstack([twins, axes[2:3]])
    needed = np.vstack([rng.uniform(1, 2, (50, 1)) * d for d in (twins[0], twins[1], twins[0] + axes[2])])
    learner = learner_for(needed, atoms, "aksvd", "ols", replace_dead=True)
    assert max(learner.one_pass().objective for _ in range(4)) <= 1e-12
    assert learner.tried[:2].any()
    assert learner.n_replaced == 0
    spare = np.vstack(
        [needed[:50] + 0.01 * rng.standard_normal((50, 1)) * axes[1], rng.standard_normal((50, 4)) @ axes[2:]]
    )
    learner = learner_for(spare, atoms, "aksvd", "ols", replace_dead=True)
    before = learner.one_pass().objective
    assert np.bincount(learner.codes.indices)[:2].min() > 0
    assert learner.one_pass().objective < before
    assert learner.n_replaced == 1


def test_twins_that_could_not_go_together_go_one_by_one_and_may_be_tried_again_once_they_have_parted():
    rng = np.random.default_rng(0)
    axes = np.eye(10)
    pairs = [unit(axes[k] + np.array([[0.0], [0.1]]) * axes[k + 1]) for k in (0, 2)]  # of cosine 0.995
    needed = np.vstack([rng.uniform(30, 60, (50, 1)) * d for d in pairs[0]])
    spare = axes[2] * rng.uniform(1, 2, (40, 1)) + 0.05 * rng.standard_normal((40, 1)) * axes[3]
    signals = np.vstack([needed, spare, rng.standard_normal((50, 5)) @ axes[5:]])
    learner = learner_for(signals, np.vstack([*pairs, axes[5:6]]), "aksvd", "ols", replace_dead=True)
    objectives, replaced = zip(*[(learner.one_pass().objective, learner.n_replaced) for _ in range(5)], strict=True)
    assert np.all(np.diff(objectives) <= 1e-12)
    assert replaced[1] == 0  # both at once would cost what the first pair is needed for
    assert replaced[-1] == 1
    assert np.max(np.abs(unit(learner.atoms) @ pairs[0].T), axis=0) == pytest.approx(1.0)
    learner.atoms = np.vstack([axes[:2], learner.atoms[2:]])
    learner.one_pass()
    assert not learner.tried.any()


def test_signals_that_a_trial_does_not_touch_are_protected_from_it():
    """Codes of the past stand against new ones that lose, but those of the atom that goes."""
    X, atoms = drawn(5, n_signals=300)
    learner = learner_for(X, atoms, "mod")
    learner.one_pass()
    past = learner.codes
    trial = learner.atoms.copy()
    trial[3] = unit(np.random.default_rng(0).standard_normal((1, 10)))[0]
    touched = dense(learner)[:, 3] != 0
    new = learner.coder.code(trial, X).objective
    merged = learner._better(trial, past, None, touched).objective
    np.testing.assert_array_equal(merged[touched], new[touched])
    assert np.all((merged == new) | (merged == past.objective))
    most = np.sum(np.where(touched, new, np.minimum(new, past.objective)))  # all that protection can do
    assert np.sum(merged) <= max(np.sum(past.objective), most) + 1e-9
    assert np.sum(new) > 1.0001 * max(np.sum(past.objective), most)


def test_of_twins_the_one_used_less_is_useless_and_fresh_atoms_differ_from_all():
    atoms = np.vstack([np.eye(4), np.eye(4)[1] + 0.01, np.zeros(4)])
    assert useless_atoms(atoms, np.array([5.0, 2.0, 5.0, 0.0, 3.0, 1.0])).tolist() == [1, 3, 5]
    candidates = np.vstack([2 * np.eye(4)[:2], np.zeros((1, 4)), -3 * np.eye(4)[3:], np.eye(4)[3:], [[1, 1, 0, 0]]])
    fresh = fresh_atoms(candidates, np.array([3, 5]), atoms, positive=False)
    np.testing.assert_allclose(fresh, [[0, 0, 0, -1], [0.5**0.5, 0.5**0.5, 0, 0]])


@pytest.mark.parametrize("n_features", [2, 9])  # the smaller Gram matrix is that of the features, and of the signals
def test_k_svd_leaves_an_atom_that_is_a_singular_vector_but_not_the_leading_one(n_features):
    X = np.zeros((4, n_features))
    X[:, 0], X[:, 1] = [10.0, -10.0, 10.0, -10.0], 1.0
    learner = learner_for(X, np.eye(n_features)[1:2], "ksvd", "lasso")
    learner.coder = make_coder("omp", n_features, 1, n_nonzero_coefs=1)
    learner.one_pass()
    np.testing.assert_allclose(np.abs(learner.atoms[0]), np.eye(n_features)[0], atol=1e-12)
