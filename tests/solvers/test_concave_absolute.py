"""Absolute and quantile losses under concave penalties: vertices that no linear program which touches there can improve."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode import (
    CEL0,
    MCP,
    SCAD,
    Absolute,
    CappedL1,
    LogSum,
    Quantile,
    Status,
    WithIntercept,
    alpha_max,
    regularization_path,
    solve,
)
from tests.planted import planted
from tests.solvers.test_least_absolute import program


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([Absolute(), Quantile(0.3), Quantile(0.9)]),
    st.sampled_from([MCP, SCAD, LogSum, CappedL1, CEL0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.01, 0.05, 0.3]),
    st.booleans(),
)
def test_the_linear_program_that_touches_there_has_its_minimum_there(
    seed, loss, kind, intercept, positive, alpha, whole
):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rng.integers(1, 25), rng.integers(1, 30)))
    y = rng.standard_normal(len(A)) * 3
    if whole:  # ties everywhere, exact fits too
        A = np.round(A)
        y = np.round(A[:, :2].sum(axis=1) + (seed % 2) * y)
    sample_weight = rng.integers(0, 4, len(A)) + (np.arange(len(A)) == 0)
    weights = rng.choice([0.5, 1.0, 2.0, np.inf], A.shape[1])
    weights[0] = 1.0
    penalty = kind(alpha)._replace(positive=positive)
    posed = WithIntercept(loss) if intercept else loss
    result = solve(A, y, posed, penalty, penalty_weights=weights, sample_weight=sample_weight, tol=1e-9)
    assert result.status is Status.CONVERGED
    slope = np.where(np.isinf(weights), np.inf, weights * penalty.slope(np.abs(result.coef)))
    low, high = loss.slopes()
    share = sample_weight / sample_weight.sum()
    residual = y - A @ result.coef - result.intercept
    here = share @ np.maximum(low * residual, high * residual) + slope[result.coef != 0] @ np.abs(
        result.coef[result.coef != 0]
    )
    assert not positive or np.all(result.coef >= 0)
    least = program(A, y, low, high, share, slope, positive, intercept)
    assert here == pytest.approx(least, abs=1e-7 * (1 + np.max(np.abs(y))))


@pytest.mark.parametrize("penalty", [MCP(0.3), SCAD(0.3, a=3.0)], ids=repr)
def test_large_coefficients_are_fitted_as_if_nothing_else_were_there(penalty):
    A, y, true = planted(200, 80, 5, noise=0.1)
    y[::16] += 50.0  # outliers
    result = solve(A, y, Absolute(), penalty)
    np.testing.assert_array_equal(result.coef != 0, true != 0)
    few = A[:, true != 0]
    fitted = np.sum(np.abs(y - few @ result.coef[true != 0])) / 200
    assert fitted == pytest.approx(program(few, y, -1.0, 1.0, np.full(200, 1 / 200), np.zeros(5)), rel=1e-9)


@pytest.mark.parametrize("penalty", [MCP(0.001), SCAD(0.001), LogSum(0.001), CappedL1(0.001)], ids=repr)
@pytest.mark.parametrize("q", [0.2, 0.5, 0.9])
def test_a_constant_column_alone_is_proved_too(penalty, q):
    y = np.random.default_rng(0).uniform(1.0, 2.0, 7)
    result = solve(np.ones((7, 1)), y, Quantile(q), penalty)
    assert result.status is Status.CONVERGED
    assert result.coef[0] == np.sort(y)[int(np.ceil(7 * q)) - 1]


def test_an_exact_fit_has_no_coefficients_of_rounding():
    A, _, true = planted(18, 23, 3)
    result = solve(A, A @ np.sign(true), Quantile(0.3), MCP(0.1, gamma=30.0))
    assert result.status is Status.CONVERGED
    np.testing.assert_array_equal(result.coef != 0, true != 0)


def test_large_supports_and_columns_that_join_late_are_proved_too():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((150, 400))
    y = A[:, :10].sum(axis=1) + rng.standard_t(2, 150)
    result = solve(A, y, Absolute(), MCP(0.02, gamma=30.0))
    assert result.status is Status.CONVERGED
    assert result.support.size > 60


def test_a_path_is_warm_started_and_every_strength_proved():
    A, y, true = planted(60, 100, 5, noise=0.3)
    top = alpha_max(A, y, Absolute())
    path = regularization_path(A, y, Absolute(), MCP(1.0), alphas=top * np.array([1.0, 0.6, 0.3, 0.2]))
    assert all(result.status is Status.CONVERGED for result in path.results)
    assert not np.any(path.coefs[:, 0])
    assert np.all(path.coefs[true != 0, -1])


def test_many_targets_are_solved_one_by_one():
    A, y, _ = planted(40, 20, noise=1.0)
    both = np.column_stack([y, -2.0 * y[::-1]])
    result = solve(A, both, Absolute(), SCAD(0.1))
    assert result.status is Status.CONVERGED
    for k in range(2):
        np.testing.assert_allclose(result.coef[:, k], solve(A, both[:, k], Absolute(), SCAD(0.1)).coef, atol=1e-10)
