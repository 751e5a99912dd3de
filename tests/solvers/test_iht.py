"""Normalised iterative hard thresholding against a twin written from the paper, closed forms and brute force."""

import itertools
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, Status, iht
from tests.planted import planted


def top(values, count):
    """H_k: keep the `count` largest magnitudes, ties to the lowest index."""
    kept = np.zeros_like(values)
    order = sorted(range(len(values)), key=lambda index: (-abs(values[index]), index))[:count]
    kept[order] = values[order]
    return kept


def naive_niht(A, y, count, n_iter):
    """Blumensath and Davies (2010), section 3, with c = 0.01 and kappa = 2."""
    c, kappa = 0.01, 2.0
    x = np.zeros(A.shape[1], dtype=np.result_type(A, y))
    support = np.flatnonzero(top(A.conj().T @ y, count))
    for _ in range(n_iter):
        g = A.conj().T @ (y - A @ x)
        energy = np.linalg.norm(A[:, support] @ g[support]) ** 2
        if energy == 0:
            return x
        mu = np.linalg.norm(g[support]) ** 2 / energy
        new = top(x + mu * g, count)
        while set(np.flatnonzero(new)) != set(support):
            change = new - x
            omega = (1 - c) * np.linalg.norm(change) ** 2 / max(np.linalg.norm(A @ change) ** 2, 1e-300)
            if mu <= omega:
                break
            mu /= kappa * (1 - c)
            new = top(x + mu * g, count)
        x, support = new, np.flatnonzero(new)
    return x


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("complex_", [False, True])
def test_it_walks_the_way_of_the_paper(seed, complex_):
    A, y, _ = planted(40, 80, 6, seed=seed, noise=0.05, complex_=complex_)
    for n_iter in (1, 3, 12):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            seen = {}
            iht(A, y, 6, max_iter=n_iter, tol=0.0, callback=lambda p, seen=seen: seen.update({p.iteration: p.coef}))
            result = iht(A, y, 6, max_iter=n_iter, tol=0.0)
        last = seen.get(n_iter, result.coef)
        if result.history["iteration"][-1] == n_iter and result.certificate == result.history["certificate"][-1]:
            np.testing.assert_allclose(last, naive_niht(A, y, 6, n_iter), atol=1e-9)


def test_the_objective_never_rises_from_one_iteration_to_the_next():
    A, y, _ = planted(40, 120, 12, noise=0.2)
    objective = []
    for n_iter in range(1, 25):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            objective.append(iht(A, y, 12, max_iter=n_iter, tol=0.0).history["objective"][-1])
    assert np.all(np.diff(objective) <= 1e-12)


@pytest.mark.parametrize("complex_", [False, True])
def test_an_orthogonal_design_is_solved_by_one_hard_threshold(complex_):
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.standard_normal((30, 30)) + (1j * rng.standard_normal((30, 30)) if complex_ else 0))[0]
    y = rng.standard_normal(30)
    result = iht(A, y, 7)
    np.testing.assert_allclose(result.coef, top(A.conj().T @ y, 7), atol=1e-9)
    assert result.n_iter <= 10


def test_ties_go_to_the_lowest_index():
    result = iht(np.eye(5), np.array([1.0, 2.0, 2.0, 2.0, 1.0]), 2)
    np.testing.assert_array_equal(result.support, [1, 2])


def test_exact_data_of_few_atoms_is_recovered_exactly():
    for seed in range(10):
        A, y, coef = planted(60, 120, 6, noise=0.0, seed=seed)
        np.testing.assert_allclose(iht(A, y, 6, tol=1e-12).coef, coef, atol=1e-9)


def test_the_answer_is_least_squares_on_its_support():
    A, y, _ = planted(noise=0.3)
    result = iht(A, y, 4, tol=1e-12)
    np.testing.assert_allclose(result.coef[result.support], np.linalg.lstsq(A[:, result.support], y)[0], atol=1e-9)


def test_brute_force_finds_nothing_better_on_a_tame_problem():
    A, y, _ = planted(20, 8, 2, noise=0.1)
    result = iht(A, y, 2, tol=1e-12)
    best = min(
        np.sum((y - A[:, pair] @ np.linalg.lstsq(A[:, pair], y)[0]) ** 2)
        for pair in map(list, itertools.combinations(range(8), 2))
    )
    assert result.objective == pytest.approx(best / 40)


def test_free_columns_lie_outside_the_count_and_excluded_ones_too():
    A, y, coef = planted(noise=0.0)
    support = np.flatnonzero(coef)
    free, gone = [int(j) for j in np.flatnonzero(coef == 0)[[5, 6]]]
    weights = np.ones(80)
    weights[free], weights[gone] = 0.0, np.inf
    target = y + 3.0 * A[:, free]
    result = iht(A, target, 4, penalty_weights=weights, tol=1e-12)
    assert result.status is Status.CONVERGED
    assert np.isfinite(result.objective)
    np.testing.assert_array_equal(result.support, np.sort([*support, free]))
    assert result.coef[free] == pytest.approx(3.0)
    gram = iht(
        GramDesign(A.T @ A, 60, target_sq_norm=target @ target), A.T @ target, 4, penalty_weights=weights, tol=1e-12
    )
    np.testing.assert_allclose(gram.coef, result.coef, atol=1e-8)


def test_free_columns_are_fitted_even_where_nothing_else_is_left():
    A, y, _ = planted()
    weights = np.full(80, np.inf)
    weights[[3, 5]] = 0
    result = iht(A, y, 4, penalty_weights=weights, tol=1e-10)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef[[3, 5]], np.linalg.lstsq(A[:, [3, 5]], y)[0], atol=1e-8)
    assert result.support.tolist() == [3, 5]


def test_weights_rank_the_columns():
    y = np.array([3.0, 2.9, 2.8, 0.0])
    assert iht(np.eye(4), y, 1).support.tolist() == [0]
    assert iht(np.eye(4), y, 1, penalty_weights=[2, 1, 1, 1]).support.tolist() == [1]
    assert iht(np.eye(4), y, 1, penalty_weights=[2, 1, 0.5, 1]).support.tolist() == [2]


def test_more_non_zeros_than_the_target_needs_is_no_failure():
    result = iht(np.eye(4), np.array([0.0, 2.0, 0.0, 0.0]), 3)
    assert result.status is Status.CONVERGED
    np.testing.assert_array_equal(result.coef, [0, 2, 0, 0])


def test_a_short_start_is_filled_up():
    A, y, coef = planted(noise=0.0)
    start = np.zeros(80)
    start[np.flatnonzero(coef)[0]] = 1.0
    np.testing.assert_allclose(iht(A, y, 4, init=start, tol=1e-12).coef, coef, atol=1e-8)


def test_a_long_start_is_cut_down():
    A, y, coef = planted(noise=0.0)
    np.testing.assert_allclose(iht(A, y, 4, init=np.ones(80), tol=1e-12).coef, coef, atol=1e-8)


def test_a_level_above_the_number_of_features_is_clipped_with_a_warning():
    A, y, _ = planted(60, 10, 3)
    with pytest.warns(RuntimeWarning, match="n_nonzero=99 is more than the number of features; 10 is used"):
        result = iht(A, y, 99, tol=1e-10)
    np.testing.assert_allclose(result.coef, np.linalg.lstsq(A, y)[0], atol=1e-8)


@pytest.mark.parametrize("count", [0, -1, 2.0, None, True])
def test_a_bad_level_is_named(count):
    with pytest.raises(ValueError, match="n_nonzero must be an integer"):
        iht(np.eye(3), np.ones(3), count)


@pytest.mark.parametrize("step", ["normalized", "fixed"])
def test_least_squares_on_a_poor_support_is_no_fixed_point(step):
    result = iht(np.eye(3), np.array([1.0, 5.0, 2.0]), 1, init=np.array([1.0, 0.0, 0.0]), step=step)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, [0, 5, 0], atol=1e-5)
    A, y, coef = planted(60, 120, 6, noise=0.0)
    poor = np.zeros(120)
    poor[:6] = np.linalg.lstsq(A[:, :6], y)[0]
    np.testing.assert_allclose(iht(A, y, 6, init=poor, tol=1e-10).coef, coef, atol=1e-7)


@pytest.mark.parametrize("seed", range(20))
def test_it_ends_where_the_certified_step_ends(seed):
    """Correlated columns, noise, columns of unlike size: the normalised step is cut there, but never below the certified one."""
    rng = np.random.default_rng(seed)
    A = (rng.standard_normal((40, 100)) + 2 * rng.standard_normal((40, 1))) * rng.uniform(0.3, 3, 100)
    y = A[:, :8] @ rng.standard_normal(8) + rng.standard_normal(40)
    result = iht(A, y, 8, max_iter=20_000)
    assert result.status is Status.CONVERGED
    moved = result.coef + 0.9 / np.linalg.norm(A, 2) ** 2 * A.T @ (y - A @ result.coef)
    np.testing.assert_array_equal(np.flatnonzero(top(moved, 8)), result.support)
