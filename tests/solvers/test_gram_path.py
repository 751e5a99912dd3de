"""The path of a Lasso with many samples for each feature, swept on its Gram matrix: the same minimisers as one solve a strength."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import lasso_path as peer_path

from sparsecode import GramDesign, Lasso, LassoCV, lasso, lasso_path, regularization_path
from sparsecode._validation import as_design
from sparsecode.designs import CenteredDesign
from sparsecode.losses import Squared
from sparsecode.penalties import L1, L1Ridge
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.coordinate import at_once, gram_path, homotopy
from sparsecode.solvers.coordinate.at_once import path_at_once
from sparsecode.solvers.coordinate.gram_path import is_tall
from sparsecode.solvers.problem import make_problem

TOL = 1e-9


@pytest.fixture
def nothing_is_small(monkeypatch):
    monkeypatch.setattr(at_once, "is_small", lambda problem: False)
    monkeypatch.setattr(homotopy, "_FEATURES", 0)


def _data(kind="plain", seed=0, n_samples=120, n_features=40):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_features))
    if kind == "correlated":
        A += 2.0 * rng.standard_normal((n_samples, 1))
    elif kind == "zero columns":
        A[:, [0, 12]] = 0.0
    elif kind == "duplicates":
        A[:, 7], A[:, 19] = A[:, 0], -A[:, 0]
    elif kind == "scales":
        A *= np.geomspace(1e-3, 1e3, n_features)
    scale = np.linalg.norm(A, axis=0)
    coef = np.zeros(n_features)
    coef[:10] = rng.standard_normal(10) / np.where(scale[:10] > 0, scale[:10], 1.0) * 10
    return A, A @ coef + 0.3 * rng.standard_normal(n_samples)


def _alphas(A, y, count=25):
    return np.max(np.abs(A.T @ y)) / y.size * np.geomspace(1.1, 1e-3, count)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", [None, "some excluded"])
@pytest.mark.parametrize("kind", ["plain", "correlated", "zero columns", "duplicates", "scales"])
def test_every_strength_has_the_minimiser_that_its_own_solve_finds(kind, weights, positive, nothing_is_small):
    A, y = _data(kind)
    if weights is not None:
        weights = np.random.default_rng(1).uniform(0.5, 2.0, A.shape[1])
        weights[[2, 5]] = np.inf
    alphas = _alphas(A, y)
    problem = make_problem(A, y, Squared(), L1(1.0, positive), penalty_weights=weights)
    results = path_at_once(problem, alphas, TOL, handed_out=True)
    assert all(result is not None for result in results)
    for alpha, result in zip(alphas, results, strict=True):
        own = lasso(A, y, alpha, penalty_weights=weights, positive=positive, tol=1e-12)
        assert own.objective <= result.objective + 1e-12 <= own.objective + 0.51 * TOL * np.mean(y**2)
        posed = problem.with_penalty(L1(float(alpha), positive))
        assert result.certificate == pytest.approx(float(relative_gap(posed, result.coef).value), abs=1e-12)
        assert result.objective == pytest.approx(float(relative_gap(posed, result.coef).objective), rel=1e-12)


@pytest.fixture(scope="module")
def tall():
    """A tall problem, strengths, and scikit-learn's path."""
    A, y = _data("correlated", n_samples=700, n_features=300)
    alphas = _alphas(A, y, 30)
    return A, y, alphas, peer_path(A, y, alphas=alphas, tol=1e-14, max_iter=100_000)[1]


@pytest.mark.parametrize("order", ["C", "F"])
def test_public_path_agrees_with_scikit_learn(tall, order):
    A, y, alphas, peer = tall
    A = np.asarray(A, order=order)
    assert is_tall(make_problem(A, y, Squared(), L1(1.0)), alphas.size)
    path = lasso_path(A, y, alphas=alphas, tol=1e-10)
    assert path.certificates.max() <= 1e-10
    np.testing.assert_allclose(path.coefs, peer, atol=1e-4 * np.abs(peer).max())


def test_forms_of_one_design_give_one_path(nothing_is_small):
    A, y = _data()
    alphas = _alphas(A, y)
    gram = GramDesign(A.T @ A, len(y), float(y @ y))
    forms = [(A, y), (np.asfortranarray(A), y), (gram, A.T @ y)]
    paths = [path_at_once(make_problem(form, target, Squared(), L1(1.0)), alphas, 1e-6) for form, target in forms]
    for results in zip(*paths, strict=True):
        for result in results[1:]:
            np.testing.assert_allclose(result.coef, results[0].coef, atol=1e-12)
    narrow = make_problem(A.astype(np.float32), y.astype(np.float32), Squared(), L1(1.0))
    for result, wide in zip(path_at_once(narrow, alphas, 1e-5, handed_out=True), paths[0], strict=True):
        assert result.coef.dtype == np.float32
        np.testing.assert_allclose(result.coef, wide.coef, atol=1e-2)


def test_where_sweeps_are_slow_the_solver_goes_on(monkeypatch, nothing_is_small):
    A, y = _data("correlated")
    alphas = _alphas(A, y)
    monkeypatch.setattr(gram_path, "_SWEEPS", 2)
    monkeypatch.setattr(gram_path, "_ROUNDS", 1)
    missing = [result is None for result in path_at_once(make_problem(A, y, Squared(), L1(1.0)), alphas, TOL)]
    assert missing[-1] and not missing[0]
    path = lasso_path(A, y, alphas=alphas, tol=TOL)
    assert path.certificates.max() <= TOL


def test_cross_validation_and_intercept_take_this_way(monkeypatch, nothing_is_small):
    A, y = _data()
    A, y = A + 3.0, y + 5.0
    model = LassoCV(alphas=30, cv=3, tol=1e-8).fit(A, y)
    monkeypatch.setattr(at_once, "is_tall", lambda problem, n_alphas: False)
    other = LassoCV(alphas=30, cv=3, tol=1e-8).fit(A, y)
    np.testing.assert_allclose(model.mse_path_, other.mse_path_, rtol=1e-4)
    np.testing.assert_allclose(model.coef_, Lasso(alpha=model.alpha_, tol=1e-10).fit(A, y).coef_, atol=1e-3)


def test_when_it_is_taken():
    A, y = _data()
    assert is_tall(make_problem(A, y, Squared(), L1(1.0)), 10)
    assert not is_tall(make_problem(A, y, Squared(), L1(1.0)), 1)  # fewer strengths than the Gram matrix is worth
    assert not is_tall(make_problem(A[:70], y[:70], Squared(), L1(1.0)), 10)
    assert not is_tall(make_problem(sparse.csc_array(A), y, Squared(), L1(1.0)), 10)
    assert not is_tall(make_problem(A, 0.0 * y, Squared(), L1(1.0)), 10)
    free = np.ones(40)
    free[3] = 0.0
    assert not is_tall(make_problem(A, y, Squared(), L1(1.0), penalty_weights=free), 10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_full_gram_is_the_gram_matrix(dtype):
    A, _ = _data()
    A = (A + (1j * A[::-1] if dtype is np.complex128 else 0.0)).astype(dtype)
    wide = A.astype(np.complex128 if dtype is np.complex128 else np.float64)
    for form in (A, np.asfortranarray(A), sparse.csc_array(A)):
        np.testing.assert_allclose(as_design(form, "A").in_double().full_gram(), wide.conj().T @ wide, atol=1e-9)
    if dtype is np.float64:
        centred = A - A.mean(axis=0)
        np.testing.assert_allclose(
            CenteredDesign(as_design(A, "A"), A.mean(axis=0)).full_gram(), centred.T @ centred, atol=1e-9
        )


def test_the_gap_on_the_gram_matrix_is_that_of_the_problem():
    from sparsecode.kernels.coordinate import _gap_on_gram

    A, y = _data()
    rng, n = np.random.default_rng(2), len(y)
    gram, target, weights = A.T @ A / n, A.T @ y / n, rng.uniform(0.5, 2.0, A.shape[1])
    weights[3] = np.inf
    for positive in (False, True):
        for _ in range(40):
            coef = rng.standard_normal(A.shape[1]) * 10.0 ** rng.uniform(-3, 1) * (rng.random(A.shape[1]) < 0.3)
            coef = np.where(np.isinf(weights), 0.0, np.abs(coef) if positive else coef)
            alpha = float(10.0 ** rng.uniform(-3, 1))
            problem = make_problem(A, y, Squared(), L1(alpha, positive), penalty_weights=weights)
            gap = float(relative_gap(problem, coef).value) * 0.5 * float(y @ y) / n
            found = _gap_on_gram(
                target, float(y @ y) / n, weights, L1(1.0, positive), coef, target - gram @ coef, alpha
            )
            assert found == pytest.approx(gap, rel=1e-9, abs=1e-12 * float(y @ y))


def test_a_centred_gram_matrix_does_not_cancel():
    A, _ = _data(n_samples=300)
    A = A + 1e8
    centred = A - A.mean(axis=0)
    for width in (64, 7):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sparsecode.designs.centered._FEWEST", width)
            patch.setattr("sparsecode.designs.centered._BLOCK", 1)
            gram = CenteredDesign(as_design(A, "A"), A.mean(axis=0)).full_gram()
        np.testing.assert_array_equal(gram, gram.T)
        np.testing.assert_allclose(gram, centred.T @ centred, rtol=1e-12, atol=1e-10 * np.max(gram))


def test_each_strength_counts_its_own_work_and_owns_its_coefficients():
    A, y = _data(n_samples=50, n_features=20)
    for penalty in (L1(1.0), L1Ridge(1.0, 0.5)):
        results = regularization_path(A, y, penalty=penalty, n_alphas=12).results
        assert results[0].n_iter == 0
        assert sum(result.n_iter for result in results) < 120
        assert all(result.history["seconds"][0] > 0 for result in results)
    results[3].coef[:] = 7.0
    assert not np.any(results[4].coef == 7.0)
