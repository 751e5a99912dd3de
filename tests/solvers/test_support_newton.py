"""Newton's method on the support: what the conditions of a minimum say, strength by strength, and what interior points find."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import sparse

from sparsecode import (
    L1,
    MCP,
    Huber,
    L1Ridge,
    Logistic,
    Poisson,
    Status,
    WithIntercept,
    regularization_path,
    solve,
)
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.coordinate import support_newton
from sparsecode.solvers.coordinate.support_newton import newton_path
from sparsecode.solvers.methods import choose
from sparsecode.solvers.path import path_alphas, solve_path
from sparsecode.solvers.problem import make_problem
from tests.planted import planted
from tests.solvers.test_homotopy import _design, _weights

TOL = 1e-9
LOSSES = {"huber": Huber(0.8), "logistic": Logistic(), "poisson": Poisson()}
KINDS = ["plain", "correlated", "duplicates", "dependent", "zero columns", "wide plain", "wide duplicates", "wide ties"]
every_loss = pytest.mark.parametrize("name", LOSSES)


def target_of(name, fitted, rng):
    """A target drawn from the model of a loss, with outliers for Huber."""
    if name == "huber":
        return fitted + 0.3 * rng.standard_normal(fitted.size) + np.where(np.arange(fitted.size) % 12 == 0, 30.0, 0.0)
    if name == "logistic":
        labels = np.where(fitted + rng.logistic(size=fitted.size) > 0, 1.0, -1.0)
        labels[:2] = 1.0, -1.0
        return labels
    return rng.poisson(np.exp(np.clip(0.5 * fitted + 1, -3, 3))).astype(float) + (np.arange(fitted.size) == 0)


def data(name, n_samples=60, n_features=40, seed=0):
    A, y, _ = planted(n_samples, n_features, 4, noise=0.3, seed=seed)
    return A, target_of(name, y, np.random.default_rng(seed + 1))


def pull_of(name, y, fitted):
    """Minus the derivative of the loss of each sample, from the definition."""
    if name == "huber":
        return np.clip(y - fitted, -0.8, 0.8)
    return y / (1 + np.exp(y * fitted)) if name == "logistic" else y - np.exp(fitted)


def missed(name, A, y, result, alpha, weights, share, positive, intercept):
    """By how much the conditions of a minimum fail, over the strength: written from the definition."""
    coef = result.coef
    dual = share * pull_of(name, y, A @ coef + result.intercept)
    used, charged = coef != 0, np.isfinite(weights)
    assert not np.any(used & ~charged) and not (positive and np.any(coef < 0))
    pull, threshold = A.T @ dual, alpha * np.where(charged, weights, 0.0)
    size = pull if positive else np.abs(pull)
    off = np.where(used | (weights == 0), np.abs(pull - threshold * np.sign(coef)), np.maximum(size - threshold, 0.0))
    return max(np.max(off[charged]), abs(dual.sum()) if intercept else 0.0) / max(alpha, 1e-9)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", [None, "some", "free and excluded"])
@pytest.mark.parametrize("kind", KINDS)
@every_loss
def test_every_strength_meets_the_conditions_of_a_minimum(name, kind, weights, positive):
    rng = np.random.default_rng(3)
    A = _design(kind, rng)
    scale = np.maximum(np.linalg.norm(A, axis=0), 1e-300) / np.sqrt(len(A))
    y = target_of(name, A @ (np.where(rng.random(30) < 0.2, rng.standard_normal(30), 0.0) / scale), rng)
    given, counts = _weights(weights, 30, rng), rng.integers(0, 4, len(A)).astype(float)
    counts[:2] = 1.0
    for intercept, sample_weight in ((True, None), (False, counts)):
        loss = WithIntercept(LOSSES[name]) if intercept else LOSSES[name]
        kept = {"penalty_weights": given, "sample_weight": sample_weight}
        problem = make_problem(A, y, loss, L1(1.0, positive), **kept)
        if positive and weights == "free and excluded":
            assert choose(problem).name == "prox_newton"
            continue
        assert choose(problem).name == "support_newton"
        share = np.full(len(A), 1 / len(A)) if sample_weight is None else counts / counts.sum()
        alphas, own = path_alphas(problem, None, 15, 0.02), np.ones(30) if given is None else given
        results = newton_path(problem, alphas, TOL)
        far = name == "huber" and kind.startswith("wide")  # nearly all samples are outliers: for the quadratic program
        assert far or sum(result is None for result in results) <= 2
        for alpha, result in zip(alphas, results, strict=True):
            if result is None:
                continue
            assert missed(name, A, y, result, alpha, own, share, positive, intercept) <= 1e-5
            posed = problem.with_penalty(L1(float(alpha), positive))
            gap = relative_gap(posed, result.coef)
            assert result.certificate <= TOL
            assert result.certificate == pytest.approx(float(gap.value), abs=1e-12)
            assert result.objective == pytest.approx(float(gap.objective), rel=1e-10)
            assert float(result.intercept) == pytest.approx(float(posed.intercept(result.coef)), rel=1e-6, abs=1e-9)


@every_loss
def test_one_strength_alone_is_solved_from_zero_and_from_any_start(name):
    A, y = data(name)
    loss = WithIntercept(LOSSES[name])
    alpha = 0.05 * float(path_alphas(make_problem(A, y, loss, L1(1.0)), None, 1, 0.5)[0])
    found = solve(A, y, loss, L1(alpha), solver="support_newton", tol=TOL)
    other = solve(A, y, loss, L1(alpha), solver="fista", tol=TOL, max_iter=100_000)
    assert found.status is Status.CONVERGED and found.n_iter <= 25
    np.testing.assert_allclose(found.coef, other.coef, atol=1e-4)
    for init in (found.coef, np.full(40, 0.1)):
        again = solve(A, y, loss, L1(alpha), solver="support_newton", init=init, tol=TOL)
        assert again.status is Status.CONVERGED
        np.testing.assert_allclose(again.coef, found.coef, atol=1e-5)


@every_loss
def test_what_it_misses_goes_to_working_sets(name, monkeypatch):
    A, y = data(name)
    problem = make_problem(A, y, WithIntercept(LOSSES[name]), L1(1.0))
    alphas = path_alphas(problem, None, 8, 0.05)
    exact = newton_path(problem, alphas, TOL)
    go_to = support_newton._Support.go_to

    def spoilt(self, alpha, enough, *steps):
        found = go_to(self, alpha, enough, *steps)
        if alpha in alphas[3:5]:
            self.coef[np.flatnonzero(self.coef)[:1]] *= 1.5
            return None
        return found

    monkeypatch.setattr(support_newton._Support, "go_to", spoilt)
    assert [k for k, one in enumerate(newton_path(problem, alphas, TOL)) if one is None][:2] == [3, 4]
    for result, own in zip(solve_path(problem, alphas, tol=TOL, max_iter=1000), exact, strict=True):
        assert result.certificate <= TOL
        np.testing.assert_allclose(result.coef, own.coef, atol=1e-4)


def test_labels_that_a_line_separates_and_targets_that_are_fitted_exactly_end_with_a_proof():
    A, y, _ = planted(40, 60, 3, noise=0.0, seed=4)
    for loss, target in ((Logistic(), np.sign(y)), (Huber(0.1), y), (WithIntercept(Huber(10.0)), 100 * y)):
        path = regularization_path(A, target, loss, n_alphas=20, eps=1e-3)
        assert path.status is Status.CONVERGED


@every_loss
def test_every_form_of_the_design_gives_one_path(name):
    A, y = data(name)
    alphas = path_alphas(make_problem(A, y, LOSSES[name], L1(1.0)), None, 6, 0.05)
    dense, stored = (
        newton_path(make_problem(form(A), y, LOSSES[name], L1(1.0)), alphas, TOL)
        for form in (np.asarray, sparse.csc_array)
    )
    for result, other in zip(dense, stored, strict=True):
        np.testing.assert_allclose(result.coef, other.coef, rtol=1e-6, atol=1e-10)
    single = regularization_path(A.astype(np.float32), y.astype(np.float32), LOSSES[name], alphas=alphas)
    assert single.status is Status.CONVERGED and single.coefs.dtype == np.float32
    np.testing.assert_allclose(single.coefs[:, -1], dense[-1].coef, atol=1e-3)


def test_large_data_other_penalties_and_no_penalty_are_not_for_it():
    def chosen(n_samples, n_features, penalty, **weights):
        A = np.random.default_rng(0).standard_normal((n_samples, n_features))
        return choose(make_problem(A, np.sign(A[:, 0]), Logistic(), penalty, **weights)).name

    assert chosen(128, 500, L1(0.1)) == chosen(600, 100, L1(0.1)) == "support_newton"
    others = (129, 129, L1(0.1)), (128, 600, L1(0.1)), (50, 30, MCP(0.1)), (50, 30, L1Ridge(0.1)), (50, 30, L1(0.0))
    assert all(chosen(*other) != "support_newton" for other in others)


def test_no_strength_warns_of_anything():
    A, y = data("poisson", seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        regularization_path(A, y, WithIntercept(Poisson()), n_alphas=30, eps=1e-3)


@pytest.mark.parametrize("name", ["HuberLassoCV", "SparseLogisticRegressionCV"])
def test_small_choices_compile_nothing(name):
    code = (
        f"import sys, numpy as np; from sparsecode import {name}; rng = np.random.default_rng(0); "
        f"X = rng.standard_normal((60, 90)); {name}(alphas=5).fit(X, (X[:, 0] > 0) * 1.0); sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0


def test_a_start_that_is_worse_than_none_is_left():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 10))
    y = rng.poisson(np.exp(0.5 * A[:, 0])).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = solve(A, y, Poisson(), L1(0.05), init=np.full(10, 1e3))
    np.testing.assert_allclose(result.coef, solve(A, y, Poisson(), L1(0.05)).coef, atol=1e-4)


def test_a_vanishing_strength_is_not_approached_in_hundreds_of_steps():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 10))
    y = np.sign(A[:, 0] + rng.standard_normal(40))
    assert solve(A, y, Logistic(), L1(1e-12), max_iter=60).n_iter < 60
