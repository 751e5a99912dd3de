"""Absolute and quantile losses with an l1 norm: against linear programs, medians, and the definition of a vertex."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from sparsecode import L1, Absolute, Quantile, Status, WithIntercept, alpha_max, regularization_path, solve
from tests.planted import planted


def program(A, y, low, high, share, cost, positive=False, intercept=False):
    """The minimum of ``sum_i share_i max(low r_i, high r_i) + sum_j cost_j |x_j|`` by HiGHS."""
    n, p = A.shape
    kept = np.flatnonzero(np.isfinite(cost))
    parts = [A[:, kept], -A[:, kept]] + ([np.ones((n, 1)), -np.ones((n, 1))] if intercept else [])
    prices = np.concatenate([cost[kept], cost[kept], np.zeros(2 * intercept)])
    total = np.concatenate([prices, high * share, -low * share])
    bounds = [(0, None)] * len(total)
    if positive:
        bounds[len(kept) : 2 * len(kept)] = [(0, 0)] * len(kept)
    return linprog(total, A_eq=np.hstack([*parts, np.eye(n), -np.eye(n)]), b_eq=y, bounds=bounds, method="highs").fun


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([Absolute(), Quantile(0.3), Quantile(0.9)]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.01, 0.1, 0.4]),
    st.booleans(),
)
def test_the_objective_is_that_of_a_linear_program(seed, loss, intercept, positive, alpha, whole):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rng.integers(1, 25), rng.integers(1, 15)))
    y = rng.standard_normal(len(A)) * 3
    if whole:  # ties everywhere
        A, y = np.round(A), np.round(y)
    sample_weight = rng.integers(0, 4, len(A)) + (np.arange(len(A)) == 0)
    weights = rng.choice([0.5, 1.0, 2.0, np.inf], A.shape[1])
    weights[0] = 1.0
    posed = WithIntercept(loss) if intercept else loss
    kept = {"penalty_weights": weights, "sample_weight": sample_weight}
    result = solve(A, y, posed, L1(alpha, positive), tol=1e-8, **kept)
    low, high = loss.slopes()
    cost = np.where(np.isinf(weights), np.inf, alpha * weights if alpha else 0.0)
    expected = program(A, y, low, high, sample_weight / sample_weight.sum(), cost, positive, intercept)
    assert result.objective == pytest.approx(expected, abs=1e-7 * (1 + np.max(np.abs(y))))
    if alpha:
        assert result.status is Status.CONVERGED


def test_a_constant_column_alone_is_fitted_by_the_median():
    y = np.random.default_rng(0).standard_normal(31)
    result = solve(np.ones((31, 1)), y, Absolute(), L1(0.0))
    assert result.coef[0] == np.median(y)


@pytest.mark.parametrize("q", [0.2, 0.5, 0.75])
def test_an_intercept_under_a_great_strength_is_the_quantile(q):
    A, y, _ = planted(61, 5)
    result = solve(A, y, WithIntercept(Quantile(q)), L1(100.0))
    assert result.support.size == 0
    assert result.intercept == np.sort(y)[int(np.ceil(61 * q)) - 1]


def test_the_vertex_interpolates_as_many_samples_as_it_has_coefficients():
    A, y, _ = planted(noise=1.0)
    result = solve(A, y, Absolute(), L1(0.05))
    residual = np.abs(y - A @ result.coef)
    assert np.count_nonzero(residual < 1e-10) == result.support.size


def test_quantiles_at_one_half_are_half_of_absolute_deviations():
    A, y, _ = planted(noise=1.0)
    np.testing.assert_allclose(
        solve(A, y, Quantile(0.5), L1(0.05)).coef, solve(A, y, Absolute(), L1(0.1)).coef, atol=1e-10
    )


def test_outliers_of_any_size_do_not_move_the_answer():
    A, y, _ = planted(noise=0.1)
    result = solve(A, y, Absolute(), L1(0.05))
    far = y.copy()
    above = np.flatnonzero(y - A @ result.coef > 1e-3)[:5]
    far[above] += 1e9
    np.testing.assert_allclose(solve(A, far, Absolute(), L1(0.05)).coef, result.coef, atol=1e-6)


def test_a_path_starts_each_vertex_from_the_last_and_agrees_with_single_solves():
    A, y, _ = planted(noise=1.0)
    top = alpha_max(A, y, Absolute())
    path = regularization_path(A, y, Absolute(), L1(1.0), alphas=top * np.array([0.8, 0.3, 0.1]))
    for alpha, coef in zip(path.alphas, path.coefs.T, strict=True):
        np.testing.assert_allclose(coef, solve(A, y, Absolute(), L1(alpha)).coef, atol=1e-8)


def test_duplicated_rows_and_columns_are_solved():
    A, y, _ = planted(20, 10, noise=1.0)
    A, y = np.tile(A, (3, 2)), np.tile(y, 3)
    result = solve(A, y, Absolute(), L1(0.05))
    assert result.status is Status.CONVERGED
    expected = program(A, y, -1.0, 1.0, np.full(60, 1 / 60), np.full(20, 0.05))
    assert result.objective == pytest.approx(expected, abs=1e-8)


def test_wide_sparse_designs_need_few_columns():
    rng = np.random.default_rng(0)
    A = sp.csc_array(rng.uniform(size=(200, 2000)) * (rng.uniform(size=(200, 2000)) < 0.05))
    y = A @ np.r_[np.full(5, 3.0), np.zeros(1995)] + 0.01 * np.random.default_rng(1).standard_normal(200)
    alpha = 0.3 * alpha_max(A, y, Absolute())
    sparse, dense = solve(A, y, Absolute(), L1(alpha)), solve(A.toarray(), y, Absolute(), L1(alpha))
    assert sparse.status is Status.CONVERGED
    np.testing.assert_allclose(sparse.coef, dense.coef, atol=1e-8)


def test_it_agrees_with_primal_and_dual_steps():
    A, y, _ = planted(40, 30, noise=1.0)
    exact = solve(A, y, Absolute(), L1(0.1))
    other = solve(A, y, Absolute(), L1(0.1), solver="primal_dual", tol=1e-8)
    np.testing.assert_allclose(other.coef, exact.coef, atol=1e-5)
