"""gOMP, StOMP, CoSaMP and subspace pursuit against twins written from the papers, closed forms, brute force and known rates."""

import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GeneralizedOMP, GramDesign, Status, cosamp, gomp, omp, stomp, subspace_pursuit
from sparsecode.datasets import make_sparse_recovery
from tests._backends import FOREIGN, get, put
from tests.planted import planted
from tests.solvers.naive_greedy import fit, naive_cosamp, naive_gomp, naive_stomp, naive_subspace_pursuit

FAMILY = {
    "gomp": gomp,
    "stomp": lambda A, y, n_nonzero, **kw: stomp(A, y, **kw),
    "cosamp": cosamp,
    "sp": subspace_pursuit,
}
SPARSE = {name: FAMILY[name] for name in ("gomp", "cosamp", "sp")}  # told a sparsity level
TWINS = {"gomp": naive_gomp, "cosamp": naive_cosamp, "sp": naive_subspace_pursuit}
family = pytest.mark.parametrize("name", FAMILY)
sparse = pytest.mark.parametrize("name", SPARSE)


def hard_problem(seed, n_targets=None, complex_=False, joint=False):
    """More coefficients and noise than the methods are sure to get right, on columns of norms from 0.1 to 9."""
    A, Y, coef = planted(40, 80, 9, n_targets=n_targets, noise=0.5, complex_=complex_, seed=seed)
    if joint:
        Y = A @ (coef[:, :1] * np.random.default_rng(seed).standard_normal((80, n_targets))) + Y / 20
    return A * np.random.default_rng(seed).permutation(np.linspace(0.1, 9.0, 80)), Y


# ---------------------------------------------------------------- definitions


@sparse
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("complex_", [False, True])
def test_the_answer_is_that_of_the_definition(name, seed, complex_):
    A, y = hard_problem(seed, complex_=complex_)
    expected = TWINS[name](A, y[:, None], 9)[:, 0]
    result = SPARSE[name](A, y, 9)
    np.testing.assert_array_equal(result.support, np.flatnonzero(expected))
    np.testing.assert_allclose(result.coef, expected, rtol=1e-9, atol=1e-12)
    assert result.status is Status.CONVERGED
    assert result.certificate < 1e-13


@sparse
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("complex_", [False, True])
def test_a_joint_answer_is_that_of_the_definition_on_rows(name, seed, complex_):
    A, Y = hard_problem(seed, n_targets=3, complex_=complex_, joint=True)
    expected = TWINS[name](A, Y, 9)
    result = SPARSE[name](A, Y, 9, joint=True)
    np.testing.assert_array_equal(result.support, expected != 0)
    np.testing.assert_allclose(result.coef, expected, rtol=1e-9, atol=1e-12)
    assert np.all(np.all(result.support, axis=1) == np.any(result.support, axis=1))
    assert result.certificate.shape == (3,)


@pytest.mark.parametrize("threshold", [2.0, 2.5, 3.5])
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_stages", [1, 2, 10])
def test_stages_are_those_of_the_definition(threshold, complex_, n_stages):
    for seed in range(4):
        A, y = hard_problem(seed, complex_=complex_)
        expected = naive_stomp(A, y[:, None], threshold, n_stages)[:, 0]
        result = stomp(A, y, threshold=threshold, n_stages=n_stages)
        np.testing.assert_array_equal(result.support, np.flatnonzero(expected))
        np.testing.assert_allclose(result.coef, expected, rtol=1e-9, atol=1e-12)
        assert result.n_iter <= n_stages


@pytest.mark.parametrize("n_select", [1, 2, 3, 5])
def test_n_select_columns_enter_in_a_pass(n_select):
    A, y = hard_problem(0)
    twin_path = []
    expected = naive_gomp(A, y[:, None], 9, n_select, twin_path)[:, 0]
    result = gomp(A, y, 9, n_select=n_select, return_path=True)
    np.testing.assert_allclose(result.coef, expected, rtol=1e-9, atol=1e-12)
    assert result.history["n_nonzero"] == [n_select * t for t in range(len(twin_path) + 1)]
    path = result.history["path"]
    assert path.shape == (80, len(twin_path) + 1)
    assert not np.any(path[:, 0])
    np.testing.assert_allclose(path[:, 1:], np.stack(twin_path, axis=1)[..., 0], rtol=1e-9, atol=1e-12)
    residuals = np.linalg.norm(y[:, None] - A @ path, axis=0) / np.linalg.norm(y)
    np.testing.assert_allclose(result.history["residual"], residuals, rtol=1e-9, atol=1e-14)


def test_one_column_a_pass_is_omp():
    A, Y = hard_problem(1, n_targets=4)
    np.testing.assert_allclose(gomp(A, Y, 9, n_select=1).coef, omp(A, Y, n_nonzero=9).coef, rtol=1e-9, atol=1e-12)


def test_the_path_of_stages_is_kept_for_one_target():
    A, y = hard_problem(2)
    result = stomp(A, y, return_path=True)
    path = result.history["path"]
    assert path.shape == (80, result.n_iter + 1)
    np.testing.assert_allclose(path[:, -1], result.coef, rtol=1e-12)
    for before, after in itertools.pairwise(path.T):
        assert set(np.flatnonzero(before)) <= set(np.flatnonzero(after))
        np.testing.assert_allclose(after, fit(A, y[:, None], np.flatnonzero(after).tolist())[:, 0], atol=1e-10)
    for solve in (stomp, lambda *args, **kw: gomp(*args, 3, **kw)):
        with pytest.raises(ValueError, match=r"return_path=True is for one target; y has shape \(40, 2\)"):
            solve(A, np.stack([y, y], axis=1), return_path=True)


# ---------------------------------------------------------------- what must come out


@sparse
def test_orthonormal_columns_give_the_largest_correlations(name):
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((30, 20)))[0]
    y = rng.standard_normal(30)
    expected = Q.T @ y
    expected[np.argsort(-np.abs(expected))[5:]] = 0
    np.testing.assert_allclose(SPARSE[name](Q, y, 5).coef, expected, atol=1e-13)


@family
@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("seed", range(4))
def test_exhaustive_search_finds_no_better_support(name, noise, seed):
    A, y, coef = planted(40, 12, 3, noise=noise, seed=seed)
    result = FAMILY[name](A, y, 3, **({"threshold": 4.0} if name == "stomp" else {}))
    errors = {
        S: np.linalg.norm(y - A @ fit(A, y[:, None], list(S))[:, 0]) for S in itertools.combinations(range(12), 3)
    }
    assert tuple(result.support) == min(errors, key=errors.get) == tuple(np.flatnonzero(coef))


RATES = {  # (100 delta, 100 rho): rates for gaussian coefficients and for signs, from 50 trials of N = 400
    (25, 20): {"gomp": (1.00, 0.72), "stomp": (0.98, 0.86), "cosamp": (1.00, 0.92), "sp": (1.00, 0.76)},
    (25, 30): {"gomp": (0.90, 0.00), "stomp": (0.68, 0.02), "cosamp": (0.60, 0.00), "sp": (0.82, 0.04)},
}


@family
@pytest.mark.parametrize("cell", RATES)
def test_recovery_rates_are_the_known_ones(name, cell):
    delta, rho = cell
    n_samples, count = 4 * delta, round(4 * delta * rho / 100)
    hits, trials = np.zeros(2), 50
    for trial in range(trials):
        rng = np.random.default_rng([20240, delta, rho, trial])
        A = rng.standard_normal((n_samples, 400))
        A /= np.linalg.norm(A, axis=0)
        support = rng.choice(400, count, replace=False)
        values = rng.standard_normal(count)
        for law, planted_values in enumerate((values, np.sign(values))):
            coef = np.zeros(400)
            coef[support] = planted_values
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = FAMILY[name](A, A @ coef, count).coef
            hits[law] += np.linalg.norm(found - coef) <= 1e-3 * np.linalg.norm(coef)
    np.testing.assert_allclose(hits / trials, RATES[cell][name], atol=0.15)


@family
def test_the_scale_of_columns_does_not_matter(name):
    A, y = hard_problem(3)
    expected = FAMILY[name](A, y, 9)
    scale = 10.0 ** np.random.default_rng(0).uniform(-9, 9, 80)
    for design, target in ((A * scale, y), (GramDesign((A * scale).T @ (A * scale), 40, y @ y), (A * scale).T @ y)):
        result = FAMILY[name](design, target, 9)
        np.testing.assert_array_equal(result.support, expected.support)
        np.testing.assert_allclose(result.coef * scale, expected.coef, rtol=1e-7, atol=1e-10)
        assert result.status is Status.CONVERGED


@family
@pytest.mark.parametrize("backend", FOREIGN)
def test_the_scale_of_columns_does_not_matter_in_any_namespace(name, backend):
    A, y = hard_problem(3)
    scale = 10.0 ** np.random.default_rng(0).uniform(-9, 9, 80)
    result = FAMILY[name](put(A * scale, backend), put(y, backend), 9)
    np.testing.assert_allclose(get(result.coef) * scale, FAMILY[name](A, y, 9).coef, rtol=1e-7, atol=1e-10)


@family
@pytest.mark.parametrize("copies", [lambda A: A, lambda A: -3.0 * A, lambda A: A[:, ::-1] * 1e-3])
@pytest.mark.parametrize("backend", ["numpy", *FOREIGN])
def test_dependent_columns_do_not_crowd_out_others(name, copies, backend):
    A, Y, coef = planted(n_targets=2)
    twice = np.hstack([A, copies(A)])
    result = FAMILY[name](put(twice, backend), put(Y, backend), 4)
    used = get(result.coef) != 0
    for target in range(2):
        support = np.flatnonzero(used[:, target])
        assert np.linalg.matrix_rank(twice[:, support]) == support.size
    np.testing.assert_allclose(result.objective, FAMILY[name](A, Y, 4).objective, rtol=1e-6)
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize("complex_", [False, True])
def test_columns_are_kept_first_come_first_served(complex_):
    from sparsecode.solvers.greedy.independence import first_independent

    rng = np.random.default_rng(0)
    for _ in range(20):
        basis = rng.standard_normal((12, 5)) + (1j * rng.standard_normal((12, 5)) if complex_ else 0)
        A = basis @ rng.choice([0.0, 1.0, -2.0, 1j if complex_ else 3.0], (5, 9)) * 10.0 ** rng.integers(-5, 5, 9)
        kept = []
        for j in range(9):
            unit = A[:, [*kept, j]] / np.maximum(np.linalg.norm(A[:, [*kept, j]], axis=0), 1e-300)
            if np.linalg.matrix_rank(unit, tol=1e-8) > len(kept):
                kept.append(j)
        np.testing.assert_array_equal(np.flatnonzero(first_independent(A.conj().T @ A, 1e-10)), kept)


@sparse
def test_dependent_rows_of_joint_problems_do_not_crowd_out_others(name):
    A, y, _ = planted()
    Y = np.stack([0 * y, y, -2 * y], axis=1)
    result = SPARSE[name](np.hstack([A, A]), Y, 4, joint=True)
    np.testing.assert_allclose(result.objective, SPARSE[name](A, Y, 4, joint=True).objective, rtol=1e-6, atol=1e-30)
    assert not np.any(result.coef[:, 0])
    assert np.sum(result.coef[:, 1] != 0) == 4
    assert result.status is Status.CONVERGED


@sparse
@pytest.mark.parametrize("seed", range(4))
def test_a_zero_target_changes_nothing_for_those_it_shares_a_support_with(name, seed):
    A, Y = hard_problem(seed, n_targets=2, joint=True)
    with_zero = SPARSE[name](A, np.column_stack([0 * Y[:, 0], Y]), 9, joint=True)
    expected = SPARSE[name](A, Y, 9, joint=True)
    np.testing.assert_allclose(with_zero.coef[:, 1:], expected.coef, atol=1e-12)
    assert with_zero.n_iter == expected.n_iter


@sparse
def test_the_residual_of_joint_targets_is_that_of_all(name):
    A, Y = hard_problem(5, n_targets=3, joint=True)
    Y = Y * np.array([1.0, 5.0, 2.0])
    history = SPARSE[name](A, Y, 9, joint=True, tol=0.9).history
    result = SPARSE[name](A, Y, 9, joint=True, tol=history["residual"][-1] * (1 + 1e-9))
    assert result.history["residual"][-1] == history["residual"][-1]
    if name == "sp":
        assert history["residual"][-1] == pytest.approx(np.linalg.norm(Y - A @ result.coef) / np.linalg.norm(Y))
    start = SPARSE[name](A, Y, 9, joint=True).history["residual"][0]
    assert name == "sp" or start == pytest.approx(1.0)


# ---------------------------------------------------------------- many targets


@family
@pytest.mark.parametrize("backend", ["numpy", *FOREIGN])
def test_targets_of_very_different_size_are_coded_alone(name, backend):
    A, Y = hard_problem(4, n_targets=4)
    Y = Y * np.array([1e-9, 1.0, 0.0, 1e9])
    result = FAMILY[name](put(A, backend), put(Y, backend), 9)
    for p in range(4):
        alone = FAMILY[name](A, Y[:, p].copy(), 9)
        size = np.abs(alone.coef).max() or 1.0
        np.testing.assert_allclose(get(result.coef)[:, p] / size, alone.coef / size, atol=1e-9)
    assert result.status is Status.CONVERGED


@sparse
@pytest.mark.parametrize("backend", FOREIGN)
def test_joint_answers_are_the_same_in_every_namespace(name, backend):
    A, Y = hard_problem(5, n_targets=3, joint=True, complex_=True)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, 80)
    weights[[2, 7]] = 0.0, np.inf
    expected = SPARSE[name](A, Y, 6, joint=True, penalty_weights=weights)
    result = SPARSE[name](put(A, backend), put(Y, backend), 6, joint=True, penalty_weights=weights)
    np.testing.assert_allclose(get(result.coef), expected.coef, atol=1e-9)
    assert np.all(expected.support[2])
    assert not np.any(expected.support[7])
    assert int(np.sum(np.any(expected.support, axis=1))) == 7


@sparse
def test_joint_means_nothing_for_one_target(name):
    A, y = hard_problem(6)
    expected = SPARSE[name](A, y, 9).coef
    np.testing.assert_array_equal(SPARSE[name](A, y, 9, joint=True).coef, expected)
    np.testing.assert_allclose(SPARSE[name](A, y[:, None], 9, joint=True).coef[:, 0], expected, atol=1e-12)


@sparse
def test_a_joint_support_survives_noise_that_single_ones_do_not(name):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 60))
    coef = np.zeros((60, 12))
    coef[[3, 17, 30, 44]] = rng.standard_normal((4, 12))
    Y = A @ coef + 1.0 * rng.standard_normal((20, 12))
    joint, alone = SPARSE[name](A, Y, 4, joint=True), SPARSE[name](A, Y, 4)
    assert np.all(joint.support == (coef != 0))
    assert np.mean(np.all(alone.support == (coef != 0), axis=0)) < 0.9


# ---------------------------------------------------------------- options


@sparse
def test_positive_coefficients_are_the_nonnegative_fit_on_their_support(name):
    A, Y, _ = planted(30, 60, 5, n_targets=3, noise=0.5)
    Y = np.abs(Y)
    for joint in (False, True):
        result = SPARSE[name](A, Y, 6, positive=True, joint=joint)
        assert np.all(result.coef >= 0)
        assert np.any(result.coef > 0)
        for p in range(3):
            support = np.flatnonzero(result.coef[:, p])
            np.testing.assert_allclose(result.coef[support, p], nnls(A[:, support], Y[:, p])[0], atol=1e-9)
        assert result.status is Status.CONVERGED


@sparse
def test_positive_coefficients_are_found(name):
    A, _, coef = planted(40, 80, 5)
    y = A @ np.abs(coef)
    np.testing.assert_allclose(SPARSE[name](A, y, 5, positive=True).coef, np.abs(coef), atol=1e-9)
    gram = GramDesign(A.T @ A, 40, y @ y)
    np.testing.assert_allclose(SPARSE[name](gram, A.T @ y, 5, positive=True).coef, np.abs(coef), atol=1e-6)
    with pytest.raises(ValueError, match="positive=True needs NumPy"):
        SPARSE[name](put(A, "torch"), put(y, "torch"), 5, positive=True)
    with pytest.raises(ValueError, match="complex"):
        SPARSE[name](A, y + 1j, 5, positive=True)


@sparse
def test_free_columns_are_fitted_outside_the_count(name):
    A, y = hard_problem(7)
    weights = np.ones(80)
    weights[[4, 9]] = 0.0
    result = SPARSE[name](A, y, 5, penalty_weights=weights)
    assert {4, 9} <= set(result.support)
    assert result.support.size == 7
    basis = np.linalg.qr(A[:, [4, 9]])[0]
    residual = y - A @ result.coef
    assert np.abs(basis.T @ residual).max() <= 1e-12 * np.linalg.norm(y)


@family
def test_weights_divide_the_correlations(name):
    A, y, coef = planted(seed=1)
    inside, outside = np.flatnonzero(coef), np.flatnonzero(coef == 0)
    weights = np.ones(80)
    weights[inside[0]] = 1e6
    options = {"threshold": 3.0} if name == "stomp" else {}
    assert inside[0] not in FAMILY[name](A, y, 4, penalty_weights=weights, **options).support
    weights = np.ones(80)
    weights[outside[:4]] = 1e-6
    assert set(outside[:4]) <= set(FAMILY[name](A, y, 4, penalty_weights=weights, **options).support)
    both = [FAMILY[name](A, y, 4, penalty_weights=factor * weights, **options).coef for factor in (1.0, 1.0 / 1024)]
    if name != "stomp":  # whose threshold is one for weights of one
        np.testing.assert_allclose(*both, rtol=1e-12)


@family
def test_a_residual_tolerance_ends_each_target_early(name):
    A, Y, _ = planted(60, 80, 6, n_targets=3, noise=0.01)
    Y[:, 1] = 3 * A[:, 5] + 0.01 * Y[:, 1] / 10
    result = FAMILY[name](A, Y, 6, tol=0.05)
    assert result.status is Status.CONVERGED
    assert np.all(np.linalg.norm(Y - A @ result.coef, axis=0) <= 0.05 * np.linalg.norm(Y, axis=0))
    assert np.max(result.history["residual"][-1]) <= 0.05
    assert np.min(result.history["residual"][:-1]) > 0.05
    for p in range(3):
        np.testing.assert_allclose(result.coef[:, p], FAMILY[name](A, Y[:, p].copy(), 6, tol=0.05).coef, atol=1e-10)


def test_the_residual_of_subspace_pursuit_falls_until_the_last_pass():
    longest = 0
    for seed in range(8):
        A, y = hard_problem(seed)
        result = subspace_pursuit(A, y, 9)
        residuals = result.history["residual"]
        assert np.all(np.diff(residuals)[:-1] < 0)
        assert residuals[-1] == residuals[-2]
        longest = max(longest, result.n_iter)
    assert 3 < longest < 20


@pytest.mark.parametrize("common", [0.0, 2.0])
def test_subspace_pursuit_stops_where_another_support_would_be_worse(common):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        A, y = rng.standard_normal((20, 40)) + common * rng.standard_normal((20, 1)), rng.standard_normal(20)
        result = subspace_pursuit(A, y, 5)
        np.testing.assert_allclose(result.coef, naive_subspace_pursuit(A, y[:, None], 5)[:, 0], atol=1e-9)
        assert np.all(np.diff(result.history["residual"]) <= 0)
        assert result.status is Status.CONVERGED


def test_a_fit_that_repeats_ends_cosamp():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((30, 20)))[0]
    assert cosamp(Q, rng.standard_normal(30), 5).n_iter <= 2


def test_cosamp_returns_the_best_of_its_iterates():
    rose = 0
    for seed in range(8):
        A, y = hard_problem(seed)
        with pytest.warns(ConvergenceWarning, match="debias=True makes"):
            raw = cosamp(A, y, 9, debias=False)
        assert raw.status is Status.STALLED
        residual = np.linalg.norm(y - A @ raw.coef) / np.linalg.norm(y)
        assert residual == pytest.approx(min(raw.history["residual"]))
        np.testing.assert_allclose(raw.coef, naive_cosamp(A, y[:, None], 9, debias=False)[:, 0], atol=1e-9)
        assert cosamp(A, y, 9).objective <= raw.objective
        rose += raw.history["residual"][-1] > min(raw.history["residual"])
    assert rose > 2


@pytest.mark.parametrize("name", ["cosamp", "sp"])
def test_passes_that_run_out_are_announced(name):
    A, Y = hard_problem(0, n_targets=2)
    with pytest.warns(ConvergenceWarning, match="still changed after 1 passes.*raise max_iter") as caught:
        result = SPARSE[name](A, Y, 9, max_iter=1)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert result.status is Status.MAX_ITER
    assert result.n_iter == 1
    assert np.all(result.certificate < 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stopped = SPARSE[name](A, Y, 9, callback=lambda progress: progress.iteration == 1)
    assert stopped.status is Status.INTERRUPTED
    assert stopped.n_iter == 1
    np.testing.assert_array_equal(stopped.coef, result.coef)


def test_coefficients_that_are_a_fit_all_the_same_need_no_debiasing():
    A, _, _ = planted(20, 30, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = cosamp(A, A[:, 0] - A[:, 3], 2, debias=False)
    assert result.status is Status.CONVERGED
    assert result.certificate < 1e-12


def test_more_columns_a_pass_than_samples_are_clipped_with_a_warning_by_the_estimator_too():
    A, y, _ = planted(20, 30, 2)
    with pytest.warns(RuntimeWarning, match="n_select=100 is more than the number of samples; 20 is used"):
        GeneralizedOMP(2, n_select=100).fit(A, y)


def test_a_tolerance_that_stages_do_not_reach_is_announced():
    A, y, _ = planted(60, 30, 4, noise=0.3)
    with pytest.warns(
        ConvergenceWarning, match=r"residual norm .* tol=1.0e-06 not reached: no other column stands out"
    ):
        assert stomp(A, y, tol=1e-6, threshold=3.5).status is Status.STALLED
    with pytest.warns(ConvergenceWarning, match=r"after 1 stage, tol=1.0e-06 not reached: raise n_stages"):
        assert stomp(A, y, tol=1e-6, threshold=4.0, n_stages=1).status is Status.MAX_ITER
    assert stomp(A, y, tol=0.9, n_stages=1).status is Status.CONVERGED


def test_cosamp_warns_of_more_columns_than_samples():
    A, y, _ = planted(20, 40, 2)
    with pytest.warns(RuntimeWarning, match="up to 21 columns to 20 samples"):
        result = cosamp(A, y, 7)
    assert result.status is Status.CONVERGED


@sparse
def test_more_coefficients_than_exist_are_clipped_with_a_warning(name):
    A, y, _ = planted(40, 10, 2)
    with pytest.warns(RuntimeWarning, match="n_nonzero=11 .* number of features; 10"):
        result = SPARSE[name](A, y, 11)
    np.testing.assert_allclose(result.coef, np.linalg.lstsq(A, y)[0], atol=1e-10)


@pytest.mark.parametrize("threshold", [2.0, 3.0, 4.0])
def test_the_weight_of_samples_counts_them(threshold):
    A, y, _ = planted(60, 40, 3, noise=0.5)
    weights = np.random.default_rng(0).integers(0, 6, 60)
    expected = naive_stomp(np.repeat(A, weights, axis=0), np.repeat(y, weights)[:, None], threshold)[:, 0]
    assert np.any(expected)
    np.testing.assert_allclose(stomp(A, y, threshold=threshold, sample_weight=weights).coef, expected, atol=1e-10)


def test_stages_never_take_more_columns_than_samples():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((10, 500)), rng.standard_normal(10)
    result = stomp(A, y, threshold=0.5)
    assert result.support.size <= 10
    assert result.history["residual"][-1] < 1e-12
    assert result.status is Status.CONVERGED
    assert max(stomp(aslinearoperator(A), y, threshold=0.5).history["n_nonzero"]) <= 10
    free = np.ones(500)
    free[:3] = 0.0
    assert stomp(A, y, threshold=0.5, penalty_weights=free).support.size <= 10


@pytest.mark.parametrize("taken", [0, 1])
def test_a_column_in_the_span_of_others_is_tried_once(taken):
    A = np.array([[1.0, 1.0], [0.0, 1e-6], [0.0, 0.0]])
    result = stomp(A, np.array([2.0, 2.0 * taken - 1.0, 1.0]), threshold=1e-7)
    np.testing.assert_array_equal(result.support, [taken])
    assert result.n_iter == 1
    assert result.status is Status.CONVERGED


@family
def test_a_matrix_free_transform_is_recovered(name):
    problem = make_sparse_recovery(
        256, 1024, 20, ensemble="partial_dct", as_operator=True, coef="gaussian", random_state=0
    )
    result = FAMILY[name](problem.design, problem.target, 20)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, problem.coef, atol=1e-6)


@family
def test_single_precision_finds_the_support_of_double(name):
    A, y, coef = planted(60, 80, 6, noise=0.01)
    for design in (np.asarray, sp.csc_array, aslinearoperator):
        result = FAMILY[name](design(A.astype(np.float32)), y.astype(np.float32), 6)
        assert result.coef.dtype == np.float32
        assert set(np.flatnonzero(coef)) <= set(result.support)
        assert result.status is Status.CONVERGED


@family
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_exact_fit_ends_the_pursuit(name, dtype):
    A, _, coef = planted(60, 80, 4, dtype=dtype)
    result = FAMILY[name](A, A @ coef, 4, **({"threshold": 4.0} if name == "stomp" else {}))
    np.testing.assert_array_equal(result.support, np.flatnonzero(coef))
    assert result.n_iter <= 5


@sparse
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["dense", "gram", "strict"])
def test_coefficients_that_are_rounding_errors_are_none(name, dtype, kind):
    A, _, coef = planted(60, 80, 4, dtype=dtype)
    y = A @ coef
    design, target = {
        "dense": lambda: (A, y),
        "gram": lambda: (GramDesign(A.T @ A, 60, y @ y), A.T @ y),
        "strict": lambda: (put(A, "array_api_strict"), put(y, "array_api_strict")),
    }[kind]()
    result = SPARSE[name](design, target, 8)
    np.testing.assert_array_equal(np.flatnonzero(get(result.coef)), np.flatnonzero(coef))
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize(
    "solve, change, word",
    [
        (gomp, {"n_nonzero": 0}, "n_nonzero"),
        (gomp, {"n_nonzero": 2, "n_select": 0}, "n_select"),
        (gomp, {"n_nonzero": 2, "tol": -1.0}, "tol"),
        (stomp, {"threshold": 0.0}, "threshold"),
        (stomp, {"n_stages": 0}, "n_stages"),
        (cosamp, {"n_nonzero": 1.5}, "n_nonzero"),
        (cosamp, {"n_nonzero": 2, "max_iter": 0}, "max_iter"),
        (subspace_pursuit, {"n_nonzero": True}, "n_nonzero"),
        (subspace_pursuit, {"n_nonzero": 2, "tol": np.nan}, "tol"),
    ],
)
def test_bad_options_are_named(solve, change, word):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=word):
        solve(A, y, **change)


def test_nothing_here_needs_a_compiler():
    script = (
        "import sys, numpy as np; from sparsecode import *; rng = np.random.default_rng(0); A = rng.standard_normal((60, 300));"
        "Y = rng.standard_normal((60, 300)); gomp(A, Y, 5); stomp(A, Y); cosamp(A, Y, 5, joint=True); subspace_pursuit(A, Y, 5);"
        "somp(A, Y, n_nonzero=5); somp(A, Y, n_nonzero=5, selection='ols'); sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=False).returncode == 0
