"""The square-root loss with concave penalties: stationarity written out, exact fits, and the l1 problems behind them."""

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import L1, MCP, SCAD, CappedL1, LogSum, SquareRoot, Status, WithIntercept, alpha_max, solve
from tests.planted import planted

A, y, TRUE = planted(60, 120, 6, noise=0.3)
TOP = alpha_max(A, y, SquareRoot())
PENALTIES = [MCP(1.0), SCAD(1.0), LogSum(1.0, 0.3), CappedL1(1.0, 2.0), MCP(1.0, positive=True)]
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def of_share(penalty, share, top=TOP):
    return penalty._replace(alpha=share * top)


def missed(coef, dual, penalty, weights=1.0):
    """By how much a subgradient of the loss misses what the penalty takes, as large as its slope at zero is."""
    slope, pull = weights * penalty.tangent(coef), A.T @ dual
    outside = np.maximum((pull if getattr(penalty, "positive", False) else np.abs(pull)) - slope, 0.0)
    return np.max(np.where(coef != 0, np.abs(pull - np.sign(coef) * slope), outside))


@pytest.mark.parametrize("share", [0.5, 0.2, 0.05])
@every_penalty
def test_the_residual_over_its_size_is_what_the_penalty_takes(penalty, share):
    penalty = of_share(penalty, share)
    result = solve(A, y, SquareRoot(), penalty)
    assert result.status is Status.CONVERGED
    residual = y - A @ result.coef
    size = np.linalg.norm(residual)
    if size > 1e-6 * np.linalg.norm(y):
        assert missed(result.coef, residual / (np.sqrt(len(y)) * size), penalty) < 1e-5 * TOP


@pytest.mark.parametrize("mass", [None, np.tile([0.0, 1.0, 2.0], 20)], ids=["alike", "weighted"])
@pytest.mark.parametrize("loss", [SquareRoot(), WithIntercept(SquareRoot())], ids=["origin", "intercept"])
@pytest.mark.parametrize("penalty", PENALTIES[:4], ids=repr)
def test_at_an_exact_fit_some_subgradient_is_what_the_penalty_takes(penalty, loss, mass):
    """Found by a conic program, where the solver takes least squares. Duals are those of the residuals times the roots of the weights."""
    target = y + 5.0 * (loss != SquareRoot())
    penalty = of_share(penalty, 0.005, alpha_max(A, target, loss, sample_weight=mass))
    result = solve(A, target, loss, penalty, sample_weight=mass)
    assert result.status is Status.CONVERGED
    share = np.full(len(y), 1 / len(y)) if mass is None else mass / mass.sum()
    residual = target - A @ result.coef - (result.intercept if loss != SquareRoot() else 0.0)
    assert np.sqrt(share @ residual**2) < 1e-9 * np.linalg.norm(y)
    dual, limit = cp.Variable(len(y)), penalty.tangent(result.coef)
    pull, support = (A * np.sqrt(share)[:, None]).T @ dual, result.coef != 0
    charge = (np.sign(result.coef) * limit)[support]
    kept = [cp.norm(dual) <= 1.0, cp.abs(pull[~support]) <= limit[~support]]
    if loss != SquareRoot():
        kept.append(np.sqrt(share) @ dual == 0)
    least = cp.Problem(cp.Minimize(cp.norm_inf(pull[support] - charge)), kept).solve(solver="CLARABEL")
    assert least < 1e-6 * TOP


def test_an_exact_fit_that_is_not_stationary_is_not_said_to_be(monkeypatch):
    """A dual point of the right correlations on the support, and too large ones off it, proves nothing."""
    monkeypatch.setattr("sparsecode.solvers.reweighted.aligned", lambda problem, coef, dual, strength: dual + 1.0)
    with pytest.warns(match="stationarity"):
        result = solve(A, y, SquareRoot(), of_share(MCP(1.0), 0.005), max_iter=30)
    assert result.status is not Status.CONVERGED


@every_penalty
def test_weights_of_coefficients_and_samples_and_an_intercept(penalty):
    rng = np.random.default_rng(3)
    weights = rng.choice([0, 0.5, 1, 2, np.inf], 120, p=[0.03, 0.2, 0.5, 0.2, 0.07])
    mass = rng.choice([0.0, 1.0, 2.0], len(y))
    loss = WithIntercept(SquareRoot())
    kept = {"penalty_weights": weights, "sample_weight": mass}
    penalty = of_share(penalty, 0.2, alpha_max(A, y + 5, loss, **kept))
    result = solve(A, y + 5, loss, penalty, **kept)
    assert result.status is Status.CONVERGED
    assert not result.coef[np.isinf(weights)].any()
    repeated = np.repeat(np.arange(len(y)), mass.astype(int))
    again = solve(A[repeated], y[repeated] + 5, loss, penalty, penalty_weights=weights)
    assert again.objective == pytest.approx(result.objective, rel=1e-5)
    np.testing.assert_allclose(again.coef, result.coef, atol=1e-4)
    residual = y + 5 - A @ result.coef - result.intercept
    assert abs(mass @ residual) < 1e-9 * mass.sum()


@pytest.mark.parametrize("share", [0.2, 0.005])
def test_single_precision_sparse_columns_and_float64_agree(share):
    penalty = of_share(MCP(1.0), share)
    dense = solve(A, y, SquareRoot(), penalty)
    single = solve(A.astype(np.float32), y.astype(np.float32), SquareRoot(), penalty)
    assert single.status is Status.CONVERGED and single.coef.dtype == np.float32
    assert single.objective == pytest.approx(dense.objective, rel=1e-3)
    assert solve(sp.csc_array(A), y, SquareRoot(), penalty).objective == pytest.approx(dense.objective, rel=1e-6)


def test_it_finds_what_was_planted_with_less_bias_than_the_l1_norm():
    alpha = np.sqrt(2 * np.log(120) / 60)  # the largest pull of pure noise on columns, whatever its size
    concave, convex = (solve(A, y, SquareRoot(), penalty) for penalty in (MCP(alpha), L1(alpha)))
    assert set(concave.support) == set(np.flatnonzero(TRUE))
    assert np.linalg.norm(concave.coef - TRUE) < 0.3 * np.linalg.norm(convex.coef - TRUE)


@pytest.mark.parametrize("loss", [None, SquareRoot()], ids=["squared", "square root"])
@pytest.mark.parametrize("share", [0.3, 0.1, 0.03])
@pytest.mark.parametrize("seed", [5, 47, 54, 55, 58])
def test_one_sided_coefficients_without_a_penalty_stay_on_their_side(seed, share, loss):
    """As a concave penalty leaves large ones: a step on the support must not carry them below zero."""
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((30, 80))
    target = design @ np.where(rng.uniform(size=80) < 0.2, rng.standard_normal(80), 0) + 0.3 * rng.standard_normal(30)
    weights = rng.choice([0.0, 1.0], 80, p=[0.4, 0.6])
    losses = {} if loss is None else {"loss": loss}
    strength = share * alpha_max(design, target, penalty_weights=np.maximum(weights, 0.5), **losses)
    result = solve(design, target, penalty=L1(strength, positive=True), penalty_weights=weights, tol=1e-8, **losses)
    assert result.status is Status.CONVERGED
    assert (result.coef >= 0).all()
    w = cp.Variable(80, nonneg=True)
    misfit = target - design @ w
    misfit = cp.sum_squares(misfit) / 60 if loss is None else cp.norm(misfit) / np.sqrt(30)
    best = cp.Problem(cp.Minimize(misfit + strength * weights @ w)).solve(solver="CLARABEL")
    assert result.objective == pytest.approx(best, abs=1e-6)
