"""The path of an absolute or quantile loss on few samples, followed from one vertex to the next."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import L1, Absolute, Quantile, WithIntercept, regularization_path, solve
from sparsecode.solvers.coordinate import absolute_path, least_absolute
from tests.solvers.test_least_absolute import program


def planted(seed, n_samples=24, n_features=30):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_features))
    return A, A[:, :3] @ [2.0, -1.0, 1.5] + 0.5 * rng.standard_t(2, n_samples), rng


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_every_strength_has_the_objective_of_its_linear_program(seed, intercept, positive):
    A, y, rng = planted(seed)
    sample_weight = rng.uniform(0.2, 1.0, y.size) * (np.arange(y.size) % 5 > 0)
    share = sample_weight / sample_weight.sum()
    weights = rng.uniform(0.5, 2.0, 30)
    weights[7] = np.inf
    loss, (low, high) = (Absolute(), (-1.0, 1.0)) if seed else (Quantile(0.3), (-0.7, 0.3))
    path = regularization_path(
        A,
        y,
        WithIntercept(loss) if intercept else loss,
        L1(1.0, positive),
        n_alphas=8,
        penalty_weights=weights,
        sample_weight=sample_weight,
    )
    for alpha, result in zip(path.alphas, path.results, strict=True):
        best = program(
            A[:, weights < np.inf], y, low, high, share, alpha * weights[weights < np.inf], positive, intercept
        )
        assert result.objective == pytest.approx(best, rel=1e-9)
        assert result.certificate <= 1e-10
        assert result.coef[7] == 0
        assert len(result.history["iteration"]) == 1  # at once
        assert not positive or result.coef.min() >= 0


@pytest.mark.parametrize("intercept", [False, True])
def test_ties_and_copies_are_followed_too(intercept):
    A, y, _ = planted(0)
    A, y = np.round(np.vstack([A, A]), 1), np.round(np.concatenate([y, y]))
    A[:, 5] = A[:, 1]
    loss = WithIntercept(Absolute()) if intercept else Absolute()
    assert regularization_path(A, y, loss, L1(1.0)).certificates.max() <= 1e-9


def test_the_pieces_agree_with_the_simplex_method_on_every_strength(monkeypatch):
    A, y, _ = planted(1, 60, 90)
    at_once = regularization_path(A, y, WithIntercept(Absolute()), L1(1.0), n_alphas=30)
    monkeypatch.setattr(least_absolute, "is_short", lambda problem: False)
    one_by_one = regularization_path(A, y, WithIntercept(Absolute()), L1(1.0), n_alphas=30)
    for here, there in zip(at_once.results, one_by_one.results, strict=True):
        assert here.objective == pytest.approx(there.objective, rel=1e-11)


def test_strengths_that_are_not_reached_are_left_to_the_simplex_method(monkeypatch):
    A, y, _ = planted(2)
    monkeypatch.setattr(absolute_path, "_PIVOTS", 1)
    path = regularization_path(A, y, Absolute(), L1(1.0), n_alphas=20, eps=1e-4)
    pieces = [len(result.history["iteration"]) for result in path.results]
    assert pieces[0] == 1 < pieces[-1]
    assert path.certificates.max() <= 1e-9


def test_a_refreshed_inverse_changes_nothing(monkeypatch):
    A, y, _ = planted(3, 60, 90)
    often = regularization_path(A, y, Absolute(), L1(1.0), n_alphas=10)
    monkeypatch.setattr(absolute_path, "_REFRESH", 10**9)
    never = regularization_path(A, y, Absolute(), L1(1.0), n_alphas=10)
    np.testing.assert_allclose(never.coefs, often.coefs, atol=1e-9)


def test_float32_stays_and_free_columns_are_left_to_the_simplex_method():
    A, y, _ = planted(4)
    path = regularization_path(A.astype(np.float32), y.astype(np.float32), Absolute(), L1(1.0), n_alphas=5)
    assert path.coefs.dtype == np.float32
    weights = np.ones(30)
    weights[:2] = 0
    free = regularization_path(A, y, Absolute(), L1(1.0), n_alphas=5, penalty_weights=weights)
    assert free.certificates.max() <= 1e-9
    single = solve(A, y, Absolute(), L1(free.alphas[2]), penalty_weights=weights)
    assert free.results[2].objective == pytest.approx(single.objective, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_multipliers_of_the_last_strength_settle_nothing(seed, monkeypatch):
    """A vertex that stays optimal for its own columns may have others object at the next strength."""
    monkeypatch.setattr(least_absolute, "is_short", lambda problem: False)
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((60, 20))
    y = A[:, :5] @ np.ones(5) + 0.5 * rng.standard_normal(60)
    assert regularization_path(A, y, Quantile(0.3), L1(1.0)).certificates.max() <= 1e-9


def test_strengths_that_need_more_pivots_than_allowed_are_left_to_rounds():
    A, y, _ = planted(5)
    free = regularization_path(A, y, Absolute(), L1(1.0), n_alphas=10)
    assert max(result.n_iter for result in free.results) > 2
    with pytest.warns(ConvergenceWarning):
        limited = regularization_path(A, y, Absolute(), L1(1.0), n_alphas=10, max_iter=1)
    assert max(result.n_iter for result in limited.results) == 1
