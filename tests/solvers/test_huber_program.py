"""Huber's loss with deltas far below the residuals: certified on every scale, where an interior-point solver ends too."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import L1, Huber, HuberLasso, Status, WithIntercept, alpha_max, solve
from tests.planted import planted

DELTA = 1.3
SHAPES = [(60, 20), (40, 100)]
NOISES = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails": lambda rng, n: rng.standard_t(1, n),
    "outliers": lambda rng, n: 0.1 * rng.standard_normal(n) + 100.0 * (rng.random(n) < 0.1),
    "none": lambda rng, n: np.zeros(n),
}


def data(shape, noise, scale=1.0):
    """A planted problem whose targets have a median size of `scale`."""
    A, y, _ = planted(*shape, noise=0.0)
    y = y + NOISES[noise](np.random.default_rng(3), shape[0])
    return A, y * (scale / np.median(np.abs(y)))


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1e-9, 1e2, 1e4, 1e6, 1e9])
def test_every_scale_of_the_target_is_certified(shape, noise, scale):
    A, y = data(shape, noise, scale)
    for loss in (Huber(DELTA), WithIntercept(Huber(DELTA))):
        for share in (0.3, 0.01):
            result = solve(A, y, loss, L1(share * alpha_max(A, y, loss)))
            assert result.status is Status.CONVERGED


def dual_optimum(A, y, delta, alpha, share, weights, *, intercept=False, positive=False):
    """The minimum by its dual, a program whose numbers are all of one size: residuals enter as their target over `size`."""
    cvxpy = pytest.importorskip("cvxpy")
    size = np.max(np.abs(y))
    u = cvxpy.Variable(len(y))  # over delta
    charged = np.isfinite(weights)
    pull, cost = A[:, charged].T @ u, (alpha / delta) * weights[charged]
    bounds = [cvxpy.abs(u) <= share, pull <= cost] + ([] if positive else [pull >= -cost])
    bounds += [cvxpy.sum(u) == 0] if intercept else []
    kept = share > 0
    curved = (delta / size) * cvxpy.sum_squares(cvxpy.multiply(1 / np.sqrt(share[kept]), u[kept])) / 2
    program = cvxpy.Problem(cvxpy.Maximize((y / size) @ u - curved), bounds)
    return delta * size * program.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [3e3, 1e5])
def test_it_ends_where_an_interior_point_solver_does(intercept, positive, shape, scale):
    A, y = data(shape, "heavy tails", scale)
    A[:, 4] = A[:, 3]
    rng = np.random.default_rng(0)
    sample_weight = rng.choice([0.0, 1.0, 2.0], len(y))
    weights = rng.choice([0.0, 0.5, 1.0, 2.0, np.inf], A.shape[1], p=[0.05, 0.25, 0.4, 0.25, 0.05])
    loss, alpha = WithIntercept(Huber(DELTA)) if intercept else Huber(DELTA), 0.05
    options = {"penalty_weights": weights, "sample_weight": sample_weight}
    found = solve(A, y, loss, L1(alpha, positive), **options)
    share = sample_weight / sample_weight.sum()
    best = dual_optimum(A, y, DELTA, alpha, share, weights, intercept=intercept, positive=positive)
    assert found.status is Status.CONVERGED
    close = 2e-6 * DELTA * (share @ np.abs(y))
    assert abs(found.objective - best) <= close
    assert not positive or np.all(found.coef >= 0)
    compressed = solve(sp.csc_array(A), y, loss, L1(alpha, positive), **options)
    assert compressed.status is Status.CONVERGED
    assert compressed.objective == pytest.approx(found.objective, abs=close)


def test_coefficients_are_stationary_without_the_help_of_a_dual_point():
    """On the support: the clipped residual itself correlates with every column as the penalty asks."""
    A, y = data((60, 20), "heavy tails", 1e5)
    alpha = 0.1 * alpha_max(A, y, Huber(DELTA))
    coef = solve(A, y, Huber(DELTA), L1(alpha)).coef
    pull = A.T @ np.clip(y - A @ coef, -DELTA, DELTA) / len(y)
    assert 0 < np.count_nonzero(coef) < 20
    np.testing.assert_allclose(pull[coef != 0], alpha * np.sign(coef[coef != 0]), rtol=1e-6)
    assert np.all(np.abs(pull) <= alpha * (1 + 1e-6))


def test_few_huge_outliers_in_a_large_target():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 50))
    y = 1e3 * (X[:, :5] @ np.array([1.0, -1.0, 0.5, 2.0, -0.5]) + 0.1 * rng.standard_normal(200))
    y[rng.choice(200, 10, replace=False)] += 1e5
    model = HuberLasso(alpha=0.0609, tol=1e-9).fit(X, y)
    assert model.status_ is Status.CONVERGED
    assert np.all(np.abs(model.coef_[:5]) > 300)


@pytest.mark.parametrize("intercept", [False, True])
def test_the_null_model_of_free_columns_is_fitted_where_every_sample_is_an_outlier(intercept):
    """At the largest strength nothing is selected, and just below it something is."""
    A, y = data((60, 20), "heavy tails", 1e4)
    weights = np.ones(20)
    weights[:2] = 0.0
    loss = WithIntercept(Huber(DELTA)) if intercept else Huber(DELTA)
    top = alpha_max(A, y, loss, penalty_weights=weights)
    assert top > 0
    above, below = (solve(A, y, loss, L1(share * top), penalty_weights=weights, tol=1e-10) for share in (1.0001, 0.99))
    assert not np.any(above.coef[2:])
    assert np.any(below.coef[2:])


def drawn(seed, positive, dtype):
    """A small problem with free, excluded and doubled columns, samples without weight, and targets of any size."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(5, 60)), int(rng.integers(4, 80))
    A = rng.standard_normal((n, p))
    A[:, 1] = A[:, 0]
    A[:, -1] = 1.0 if seed % 3 else 0.0
    y = A @ (rng.standard_normal(p) * (rng.random(p) < 0.2)) + rng.standard_t(1, n)
    y *= 10.0 ** rng.integers(-2, 6) / np.median(np.abs(y))
    weights = rng.choice([0.0, 0.5, 1.0, 2.0, np.inf], p, p=[0.1, 0.25, 0.35, 0.2, 0.1])
    sample_weight = np.r_[1.0, rng.choice([0.0, 1.0, 2.0], n - 1)]
    kind = sp.csc_array if seed % 4 == 0 else np.asarray
    options = {"penalty_weights": weights, "sample_weight": sample_weight}
    return kind(A.astype(dtype)), y.astype(dtype), options


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.1, 0.01, 0.001])
def test_free_columns_and_single_precision_are_certified_whatever_the_scale(intercept, positive, dtype, share):
    loss = WithIntercept(Huber(DELTA)) if intercept else Huber(DELTA)
    for seed in (0, 4, 7, 8, 9, 13, 22, 25, 32, 43, 177):
        A, y, options = drawn(seed, positive, dtype)
        pull = A.T @ (np.clip(y, -DELTA, DELTA) * options["sample_weight"]) / options["sample_weight"].sum()
        found = solve(A, y, loss, L1(share * float(np.max(np.abs(pull))), positive), **options)
        assert found.status is Status.CONVERGED, seed
