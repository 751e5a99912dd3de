"""Simultaneous OMP against a twin written from the paper, brute force, `omp` for one target, and its own forms."""

import itertools
from math import comb

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, Status, omp, somp
from tests._backends import FOREIGN, get, put
from tests.planted import planted
from tests.solvers.naive_greedy import fit, naive_somp

RULES = pytest.mark.parametrize(("norm", "selection"), [(2, "omp"), (2, "ols"), (1, "omp"), (1, "ols")])
DESIGNS = {
    "dense": lambda A, Y: (A, Y),
    "fortran": lambda A, Y: (np.asfortranarray(A), Y),
    "csc": lambda A, Y: (sp.csc_array(A), Y),
    "operator": lambda A, Y: (aslinearoperator(A), Y),
    "gram": lambda A, Y: (GramDesign(A.conj().T @ A, len(A), np.sum(np.abs(Y) ** 2, axis=0)), A.conj().T @ Y),
    "torch": lambda A, Y: (put(A, "torch"), put(Y, "torch")),
    "strict": lambda A, Y: (put(A, "array_api_strict"), put(Y, "array_api_strict")),
}


def joint_problem(n_targets=5, *, seed=0, noise=0.5, complex_=False, shape=(40, 60), count=6):
    """Targets that share a support, on columns of norms from 0.1 to 9."""
    A, _, _ = planted(*shape, 1, complex_=complex_, seed=seed)
    rng = np.random.default_rng(seed)
    A = A * np.linspace(0.1, 9.0, shape[1])
    support = rng.choice(shape[1], count, replace=False)
    values = rng.standard_normal((count, n_targets)) * (1 + 1j if complex_ else 1)
    clean = (A[:, support] / np.linalg.norm(A[:, support], axis=0)) @ values
    spread = rng.standard_normal(clean.shape) * (1 - 1j if complex_ else 1)
    return A, clean + noise * spread / np.sqrt(shape[0]), np.sort(support)


@RULES
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("kind", DESIGNS)
@pytest.mark.parametrize("n_targets", [2, 70])
def test_the_answer_is_that_of_the_definition_on_every_design(norm, selection, complex_, kind, n_targets):
    A, Y, _ = joint_problem(n_targets, complex_=complex_)
    order, expected = naive_somp(A, Y, 8, norm, selection)
    result = somp(*DESIGNS[kind](A, Y), n_nonzero=8, norm=norm, selection=selection)
    assert result.history["selected"] == order
    np.testing.assert_allclose(get(result.coef), expected, atol=1e-9)
    path = [np.linalg.norm(Y - A @ fit(A, Y, order[:t])) / np.linalg.norm(Y) for t in range(9)]
    np.testing.assert_allclose(result.history["residual"], path, rtol=1e-6)
    assert result.status is Status.CONVERGED
    assert result.n_iter == 8
    assert np.all(result.certificate < 1e-10)


@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("norm", [1, 2])
def test_one_target_is_coded_by_omp_to_the_last_bit(selection, norm):
    A, Y, _ = joint_problem(1)
    for target in (Y, Y[:, 0]):
        expected = omp(A, target, n_nonzero=6, selection=selection)
        result = somp(A, target, n_nonzero=6, norm=norm, selection=selection)
        np.testing.assert_array_equal(result.coef, expected.coef)
        assert result.history == expected.history


@RULES
def test_copies_of_one_target_are_coded_as_it_is_alone(norm, selection):
    A, Y, _ = joint_problem(1)
    alone = omp(A, Y[:, 0], n_nonzero=7, selection=selection)
    result = somp(A, Y @ np.array([[1.0, -2.0, 0.5]]), n_nonzero=7, norm=norm, selection=selection)
    assert result.history["selected"] == alone.history["selected"]
    np.testing.assert_allclose(result.history["residual"], alone.history["residual"], rtol=1e-9)
    np.testing.assert_allclose(result.coef, alone.coef[:, None] * [1.0, -2.0, 0.5], atol=1e-11)


@pytest.mark.parametrize("kind", ["dense", "gram", "strict"])
def test_principal_components_of_many_targets_choose_the_same_columns(kind, monkeypatch):
    from sparsecode.solvers.greedy.somp import _principal

    A, Y, _ = joint_problem(300, complex_=True)
    module = _principal.__globals__
    seen = []
    monkeypatch.setitem(module, "_principal", lambda target: seen.append(_principal(target)) or seen[-1])
    reduced = somp(*DESIGNS[kind](A, Y), n_nonzero=8)
    assert seen[0].shape[1] <= 60
    monkeypatch.setitem(module, "_principal", lambda target: target)
    whole = somp(*DESIGNS[kind](A, Y), n_nonzero=8)
    assert reduced.history["selected"] == whole.history["selected"]
    np.testing.assert_allclose(reduced.history["residual"], whole.history["residual"], rtol=1e-9)
    np.testing.assert_allclose(get(reduced.coef), get(whole.coef), atol=1e-11)


def test_turning_the_targets_turns_the_coefficients():
    A, Y, _ = joint_problem(5)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((5, 5)))[0]
    np.testing.assert_allclose(somp(A, Y @ turn, n_nonzero=6).coef, somp(A, Y, n_nonzero=6).coef @ turn, atol=1e-11)


def test_exhaustive_search_finds_no_better_support():
    for seed in range(6):
        A, Y, planted_support = joint_problem(4, seed=seed, noise=0.05, shape=(20, 10), count=3)
        errors = {S: np.linalg.norm(Y - A @ fit(A, Y, list(S))) for S in itertools.combinations(range(10), 3)}
        best = min(errors, key=errors.get)
        assert best == tuple(planted_support)
        for selection in ("omp", "ols"):
            assert sorted(somp(A, Y, n_nonzero=3, selection=selection).history["selected"]) == list(best)


def test_each_step_of_ols_is_the_addition_that_lowers_the_residual_most():
    A, Y, _ = joint_problem(4, noise=3.0, shape=(8, 10), count=3)
    order = somp(A, Y, n_nonzero=4, selection="ols").history["selected"]
    for step in range(4):
        errors = [np.linalg.norm(Y - A @ fit(A, Y, sorted({*order[:step], j}))) for j in range(10)]
        assert errors[order[step]] == pytest.approx(min(errors))


def test_orthonormal_columns_give_the_rows_of_largest_norm():
    rng = np.random.default_rng(0)
    Q, Y = np.linalg.qr(rng.standard_normal((30, 20)))[0], rng.standard_normal((30, 4))
    rows = Q.T @ Y
    for norm in (1, 2):
        size = np.linalg.norm(rows, ord=norm, axis=1)
        assert somp(Q, Y, n_nonzero=5, norm=norm).history["selected"] == np.argsort(-size)[:5].tolist()


def test_a_shared_support_is_found_under_noise_that_hides_single_ones():
    together = alone = 0
    for seed in range(10):
        A, Y, support = joint_problem(16, seed=seed, noise=1.5, shape=(30, 80), count=4)
        together += sorted(somp(A, Y, n_nonzero=4).history["selected"]) == support.tolist()
        alone += np.mean([np.array_equal(np.flatnonzero(c), support) for c in omp(A, Y, n_nonzero=4).coef.T])
    assert together >= 9
    assert alone <= 3


@pytest.mark.parametrize("kind", DESIGNS)
def test_scales_of_columns_and_targets_do_not_matter(kind):
    A, Y, _ = joint_problem(4)
    scale = 10.0 ** np.random.default_rng(0).uniform(-6, 6, 60)
    expected = somp(A, Y, n_nonzero=6)
    for factor in (1e-9, 1e9):
        result = somp(*DESIGNS[kind](A * scale, factor * Y), n_nonzero=6)
        assert result.history["selected"] == expected.history["selected"]
        np.testing.assert_allclose(get(result.coef) * scale[:, None] / factor, expected.coef, atol=1e-7)
        assert result.status is Status.CONVERGED


@RULES
@pytest.mark.parametrize("kind", ["dense", "gram", "torch"])
def test_weights_order_force_and_exclude_columns(norm, selection, kind):
    A, Y, _ = joint_problem(4)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, 60)
    order, _ = naive_somp(A, Y, 6, norm, selection, weights)
    result = somp(*DESIGNS[kind](A, Y), n_nonzero=6, norm=norm, selection=selection, penalty_weights=weights)
    assert result.history["selected"] == order
    weights[[8, 3]], weights[order[0]] = 0.0, np.inf
    result = somp(*DESIGNS[kind](A, Y), n_nonzero=6, norm=norm, selection=selection, penalty_weights=weights)
    assert result.history["selected"][:2] == [3, 8]
    assert order[0] not in result.history["selected"]
    assert result.n_iter == 8
    assert np.all(get(result.coef)[[3, 8]] != 0)


def test_whole_sample_weights_are_repeated_rows():
    A, Y, _ = joint_problem(4)
    repeats = np.random.default_rng(0).integers(0, 4, 40)
    expected = somp(np.repeat(A, repeats, axis=0), np.repeat(Y, repeats, axis=0), n_nonzero=5)
    result = somp(A, Y, n_nonzero=5, sample_weight=repeats)
    assert result.history["selected"] == expected.history["selected"]
    np.testing.assert_allclose(result.coef, expected.coef, atol=1e-10)


@pytest.mark.parametrize("kind", DESIGNS)
@pytest.mark.parametrize(
    "copies", [lambda A: A, lambda A: -3.0 * A, lambda A: A @ np.random.default_rng(0).standard_normal((3, 4))]
)
def test_dependent_columns_are_never_selected_together(kind, copies):
    rng = np.random.default_rng(5)
    three, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 4))
    A = np.hstack([three, copies(three), np.zeros((20, 2))])
    design, target = DESIGNS[kind](A, Y)
    with pytest.warns(ConvergenceWarning, match="only 3 of 5 columns could be selected") as caught:
        result = somp(design, target, n_nonzero=5)
    assert len(caught) == 1
    assert result.n_iter == 3
    assert result.status is Status.STALLED
    np.testing.assert_allclose(A @ get(result.coef), three @ np.linalg.lstsq(three, Y)[0], atol=1e-7)
    with pytest.warns(ConvergenceWarning, match=r"residual norm .* after 3 columns, tol=1.0e-03 not reached"):
        assert somp(design, target, tol=1e-3).status is Status.STALLED


def test_columns_that_are_nearly_dependent_are_said_to_be_too_few():
    A = np.array([[1.0, 1.0], [0.0, 1e-6], [0.0, 0.0]])
    with pytest.warns(ConvergenceWarning, match="only 1 of 2 columns could be selected"):
        result = somp(A, np.array([[1.0, 2.0], [1.0, -1.0], [1.0, 0.0]]), n_nonzero=2)
    assert result.n_iter == 1


@pytest.mark.parametrize("kind", DESIGNS)
def test_whichever_of_sparsity_and_tolerance_comes_first_ends_the_pursuit(kind):
    A, Y, _ = joint_problem(4)
    design, target = DESIGNS[kind](A, Y)
    residuals = somp(design, target, n_nonzero=10).history["residual"]
    by_tol = somp(design, target, tol=0.5)
    assert residuals[by_tol.n_iter] <= 0.5 < residuals[by_tol.n_iter - 1]
    assert somp(design, target, tol=0.5, n_nonzero=20).n_iter == by_tol.n_iter
    assert somp(design, target, atol=0.5 * np.linalg.norm(Y)).n_iter == by_tol.n_iter
    assert somp(design, target, tol=1e-9, n_nonzero=2).n_iter == 2
    assert somp(design, target, tol=1.0).n_iter == 0


@pytest.mark.parametrize("kind", DESIGNS)
def test_an_exact_fit_ends_the_pursuit(kind):
    A, Y, support = joint_problem(4, noise=0.0)
    result = somp(*DESIGNS[kind](A, Y), n_nonzero=20)
    assert sorted(result.history["selected"]) == support.tolist()
    assert result.status is Status.CONVERGED
    assert result.history["residual"][-1] < 1e-7


@pytest.mark.parametrize("backend", ["numpy", *FOREIGN])
def test_zero_targets_have_zero_coefficients(backend):
    A, Y, _ = joint_problem(4)
    Y[:, 2] = 0.0
    result = somp(put(A, backend), put(Y, backend), n_nonzero=4)
    assert not np.any(get(result.coef)[:, 2])
    assert result.certificate[2] == 0
    nothing = somp(put(A, backend), put(0 * Y, backend), n_nonzero=4)
    assert nothing.status is Status.CONVERGED
    assert not np.any(get(nothing.coef))
    assert nothing.n_iter == 0


@pytest.mark.parametrize("kind", ["dense", "csc", "gram"])
def test_single_precision_stays_single(kind):
    A, Y, _ = joint_problem(4)
    result = somp(*DESIGNS[kind](A.astype(np.float32), Y.astype(np.float32)), n_nonzero=6)
    assert result.coef.dtype == np.float32
    assert result.history["selected"] == somp(A, Y, n_nonzero=6).history["selected"]
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize(
    "change, word",
    [
        ({}, "when to stop"),
        ({"n_nonzero": 0}, "n_nonzero"),
        ({"tol": -0.1}, "tol"),
        ({"n_nonzero": 1, "norm": 3}, "norm must be 1 or 2; got 3"),
        ({"n_nonzero": 1, "selection": "best"}, "selection"),
        ({"n_nonzero": 1, "penalty_weights": [-1.0] * 60}, "penalty_weights"),
        ({"n_nonzero": 1, "sample_weight": [1.0]}, "sample_weight"),
    ],
)
def test_bad_input_is_named(change, word):
    A, Y, _ = joint_problem(2)
    with pytest.raises(ValueError, match=word):
        somp(A, Y, **change)
    with pytest.raises(ValueError, match="y has shape"):
        somp(A, Y[:-1], n_nonzero=2)


@pytest.mark.parametrize("kind", DESIGNS)
@pytest.mark.parametrize("criterion", ["aic", "bic", "ebic"])
def test_a_criterion_keeps_the_step_that_its_formula_prefers(kind, criterion):
    A, Y, support = joint_problem(5, noise=0.3)
    result = somp(*DESIGNS[kind](A, Y), criterion=criterion)
    order, _ = naive_somp(A, Y, 20)
    values = []
    for k in range(21):
        rss = np.linalg.norm(Y - A @ fit(A, Y, order[:k])) ** 2
        value = 200 * np.log(2 * np.pi * rss / 200) + 200 + 5 * k * (2 if criterion == "aic" else np.log(200))
        values.append(value + (2 * np.log(comb(60, k)) if criterion == "ebic" else 0.0))
    np.testing.assert_allclose(result.history["criterion"], values, rtol=1e-9)
    best = int(np.argmin(values))
    assert result.history["selected"] == order
    assert sorted(np.flatnonzero(np.any(get(result.support), axis=1))) == sorted(order[:best])
    assert result.status is Status.CONVERGED
    if criterion != "aic":
        assert sorted(order[:best]) == support.tolist()


def test_a_criterion_of_one_target_is_that_of_omp():
    A, Y, _ = joint_problem(1)
    for target in (Y, Y[:, 0]):
        expected = omp(A, target, criterion="ebic", ebic_gamma=0.5)
        np.testing.assert_array_equal(somp(A, target, criterion="ebic", ebic_gamma=0.5).coef, expected.coef)
    with pytest.raises(ValueError, match="criterion must be"):
        somp(A, np.hstack([Y, Y]), criterion="cp")


def test_a_criterion_keeps_free_columns_and_stops_where_it_is_told():
    A, Y, support = joint_problem(5, noise=0.3)
    weights = np.ones(60)
    weights[[0, 1]] = 0.0
    result = somp(A, Y, criterion="bic", penalty_weights=weights)
    assert np.all(result.support[[0, 1]])
    assert result.history["criterion"][:2] == [np.inf, np.inf]
    assert set(support) <= set(np.flatnonzero(result.support[:, 0]))
    assert somp(A, Y, criterion="bic", n_nonzero=3).n_iter == 3
    zero = somp(A, 0 * Y, criterion="bic")
    assert zero.status is Status.CONVERGED
    assert not np.any(zero.coef)
