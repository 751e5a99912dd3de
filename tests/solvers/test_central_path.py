"""The way through the inside of the program of absolute and quantile losses: against linear programs, with every kind of bound."""

import numpy as np
import pytest

from sparsecode import L1, Absolute, Quantile, Status, WithIntercept, solve
from sparsecode.solvers.coordinate import least_absolute
from sparsecode.solvers.coordinate.central_path import central_vertex
from sparsecode.solvers.coordinate.simplex import Simplex
from tests.planted import planted
from tests.solvers.test_least_absolute import program


def objective(A, y, low, high, cost, x):
    residual = y - A @ x
    return np.mean(np.maximum(low * residual, high * residual)) + np.sum(cost * np.abs(x))


@pytest.mark.parametrize("shape", [(120, 60), (60, 120)])
@pytest.mark.parametrize("slopes", [(-1.0, 1.0), (-0.1, 0.9)])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("free", [0, 4])
def test_it_leads_to_a_vertex_next_to_the_optimum(shape, slopes, positive, free):
    A, y, _ = planted(*shape, noise=1.0)
    n, p = A.shape
    cost = np.full(p, 0.02)
    cost[:free] = 0.0
    one_sided = positive & (cost > 0)
    low, high = (np.full(n, slope / n) for slope in slopes)
    support, basis = central_vertex(np.ascontiguousarray(A.T), y, low, high, cost, one_sided)
    assert support.size == basis.size == np.unique(support).size == np.unique(basis).size
    assert set(range(free)) <= set(support)
    x = np.zeros(p)
    x[support] = np.linalg.solve(A[np.ix_(basis, support)], y[basis])
    assert np.all(x[one_sided] >= 0)
    if positive:  # the program of the test knows one sign for all
        A, cost, either = np.hstack([A, -A[:, :free]]), np.r_[cost, np.zeros(free)], x[:free]
        x = np.r_[np.maximum(either, 0.0), x[free:], np.maximum(-either, 0.0)]
    best = program(A, y, *slopes, np.full(n, 1 / n), cost, positive)
    assert objective(A, y, *slopes, cost, x) <= best + 1e-3 * np.mean(np.abs(y))


def test_columns_that_depend_on_one_another_are_not_in_one_vertex():
    A, y, _ = planted(60, 30, noise=1.0)
    A = np.hstack([A, A])
    n = len(y)
    support, basis = central_vertex(
        np.ascontiguousarray(A.T), y, np.full(n, -1 / n), np.full(n, 1 / n), np.full(60, 0.02), np.zeros(60, dtype=bool)
    )
    assert support.size == basis.size
    assert np.unique(support % 30).size == support.size
    assert np.linalg.cond(A[np.ix_(basis, support)]) < 1e6


@pytest.mark.parametrize("loss", [Absolute(), Quantile(0.2), WithIntercept(Quantile(0.7))])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.01, 0.1])
def test_an_impatient_solver_finds_the_minimum_too(loss, positive, alpha, monkeypatch):
    monkeypatch.setattr(least_absolute, "_PATIENCE", 0.0)
    rng = np.random.default_rng(0)
    A, y, _ = planted(50, 40, noise=1.0)
    weights, sample_weight = rng.choice([0.0, 0.5, 1.0, np.inf], 40), rng.integers(0, 4, 50)
    result = solve(A, y, loss, L1(alpha, positive), tol=1e-9, penalty_weights=weights, sample_weight=sample_weight)
    core, intercept = (loss.loss, True) if hasattr(loss, "loss") else (loss, False)
    cost = np.where(np.isinf(weights), np.inf, alpha * np.where(np.isinf(weights), 0.0, weights))
    share = sample_weight / sample_weight.sum()
    expected = program(A, y, *core.slopes(), share, cost, positive, intercept)
    assert result.objective == pytest.approx(expected, abs=1e-9)


def test_large_supports_leap_and_need_few_pivots_after(monkeypatch):
    leaps, pivots = [], []
    leap, pivot = Simplex.leap, Simplex.solve
    monkeypatch.setattr(Simplex, "leap", lambda self, *posed: leaps.append(leap(self, *posed)) or leaps[-1])

    def counted(self, *posed):
        came_to = pivot(self, *posed)
        pivots.append(self.pivots)
        return came_to

    monkeypatch.setattr(Simplex, "solve", counted)
    rng = np.random.default_rng(0)
    A = rng.standard_normal((200, 200))
    y = A[:, :10].sum(axis=1) + rng.standard_t(2, 200)
    result = solve(A, y, Absolute(), L1(0.02))
    assert result.status is Status.CONVERGED
    assert result.support.size > 100
    assert leaps == [True]
    assert pivots[-1] <= 20
    assert np.count_nonzero(np.abs(y - A @ result.coef) < 1e-9) == result.support.size


def test_columns_that_object_at_first_foresee_whether_a_leap_is_worth_it(monkeypatch):
    leaps = []
    leap, pivot = Simplex.leap, Simplex.solve

    def counted(self, *posed):
        came_to = pivot(self, *posed)
        leaps.append(self.pivots)
        return came_to

    monkeypatch.setattr(Simplex, "leap", lambda self, *posed: leaps.append("leap") or leap(self, *posed))
    monkeypatch.setattr(Simplex, "solve", counted)
    rng = np.random.default_rng(0)
    A = rng.standard_normal((200, 200))
    y = A[:, :10].sum(axis=1) + rng.standard_t(2, 200)
    large = solve(A, y, Absolute(), L1(0.02))
    assert large.status is Status.CONVERGED
    assert leaps[0] == "leap"  # and no pivot before it
    leaps.clear()
    few = solve(A, y, Absolute(), L1(0.3))
    assert few.status is Status.CONVERGED
    assert "leap" not in leaps
