"""A sample without weight is absent, whatever its features and its target are."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import (
    L1,
    MCP,
    Huber,
    L1Ridge,
    Logistic,
    Poisson,
    SparsePoissonRegressor,
    Squared,
    SquareRoot,
    Status,
    WithIntercept,
    solve,
)
from tests.planted import planted

N, P = 40, 12


def data(loss):
    A, y, _ = planted(N, P, 3, noise=0.3, seed=4)
    y = {
        Poisson: np.random.default_rng(5).poisson(np.exp(np.clip(0.4 * y, -2, 2))).astype(float),
        Logistic: np.where(y + np.linspace(-2, 2, N) > 0, 1.0, -1.0),
        Huber: y,
    }[type(loss)]
    weight = np.linspace(0.5, 1.5, N)
    weight[[4, 17]] = 0.0
    return A, y, weight


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("loss", [Poisson(), Logistic(), Huber(0.5)], ids=repr)
@pytest.mark.parametrize("kind", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("solver", ["prox_newton", "fista"])
def test_an_outlier_without_weight_changes_nothing(loss, intercept, kind, solver):
    A, y, weight = data(loss)
    if intercept:
        loss = WithIntercept(loss)
    counted = weight > 0
    expected = solve(A[counted], y[counted], loss, L1(0.03), sample_weight=weight[counted], tol=1e-10)
    far = A.copy()
    far[[4, 17]] *= 1e4
    found = solve(kind(far), y, loss, L1(0.03), sample_weight=weight, solver=solver, tol=1e-8)
    assert expected.status is Status.CONVERGED
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(found.coef, expected.coef, atol=2e-3)
    assert found.objective == pytest.approx(expected.objective, rel=1e-7)
    assert float(found.intercept) == pytest.approx(float(expected.intercept), abs=2e-3)


def test_a_constant_is_fitted_to_the_samples_that_count():
    loss, fitted = Poisson(), np.array([0.0, 1.0, 2e3])
    counts, weights = np.array([2.0, 3.0, 1.0]), np.array([0.5, 0.5, 0.0])
    expected = np.log(5.0 / (1.0 + np.e))
    assert float(loss.best_constant(counts, fitted, weights)) == pytest.approx(expected, rel=1e-14)


def test_a_model_of_counts_is_fitted_without_what_has_no_weight():
    A, y, weight = data(Poisson())
    A[17] *= 1e3
    model = SparsePoissonRegressor(0.03, tol=1e-9).fit(A, y, sample_weight=weight)
    alone = SparsePoissonRegressor(0.03, tol=1e-9).fit(A[weight > 0], y[weight > 0], sample_weight=weight[weight > 0])
    assert model.status_ is Status.CONVERGED
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-3)


@pytest.mark.parametrize("weights", [None, [1.0, 0.0, 1.0, np.inf]])
@pytest.mark.parametrize("penalty", [L1(0.1), L1Ridge(0.1, 0.5), MCP(0.1)], ids=repr)
@pytest.mark.parametrize("loss", [Huber(1.35), Huber(1e-3), Poisson(), Squared(), SquareRoot()], ids=repr)
def test_samples_that_count_and_are_all_alike_are_what_the_intercept_fits(loss, penalty, weights):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(3, 12))
        A, y = rng.standard_normal((n, 4)), rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4)
        y = np.abs(np.round(y)) + 1.0 if isinstance(loss, Poisson) else y
        alike = int(rng.integers(2, n))
        A[:alike], y[:alike] = A[0], y[0]
        share = np.where(np.arange(n) < alike, rng.uniform(0.01, 1.0, n), 0.0)
        result = solve(A, y, WithIntercept(loss), penalty, sample_weight=share, penalty_weights=weights)
        assert result.status is Status.CONVERGED
        assert not np.any(result.coef)
        expected = np.log(y[0]) if isinstance(loss, Poisson) else y[0]
        assert float(result.intercept) == pytest.approx(expected, rel=1e-14)
