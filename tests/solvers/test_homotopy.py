"""The whole path of a small Lasso at once: the same minimisers as one solve for each strength, whatever the data are like."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator
from sklearn.linear_model import LassoCV as PeerLassoCV

from sparsecode import GramDesign, LassoCV, lasso, lasso_path, regularization_path
from sparsecode.losses import Squared
from sparsecode.penalties import L1
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.coordinate import at_once, homotopy
from sparsecode.solvers.coordinate import working_set as working_set_module
from sparsecode.solvers.coordinate.at_once import path_at_once
from sparsecode.solvers.coordinate.homotopy import is_small
from sparsecode.solvers.path import path_alphas, solve_path
from sparsecode.solvers.problem import make_problem
from tests.planted import planted

TOL = 1e-9


def _design(kind, rng):
    A = rng.standard_normal((24 if kind.startswith("wide") else 60, 30))
    kind = kind.removeprefix("wide ")
    if kind == "correlated":
        A += 3.0 * rng.standard_normal((len(A), 1))
    elif kind == "duplicates":
        A[:, 7], A[:, 19] = A[:, 0], -A[:, 0]
    elif kind == "dependent":
        A[:, 7] = A[:, 0] + A[:, 1]
    elif kind == "zero columns":
        A[:, [0, 12]] = 0.0
    elif kind == "scales":
        A *= np.geomspace(1e-5, 1e5, 30)
    elif kind == "ties":
        A = np.sign(A)
    return A


def _weights(kind, n_features, rng):
    if kind is None:
        return None
    weights = rng.uniform(0.5, 2.0, n_features)
    if kind == "free and excluded":
        weights[[1, 4]], weights[[2, 5]] = 0.0, np.inf
    return weights


KINDS = ["plain", "correlated", "duplicates", "dependent", "zero columns", "scales", "ties"]
KINDS += [
    f"wide {kind}" for kind in ("plain", "correlated", "duplicates", "dependent", "zero columns", "scales", "ties")
]


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", [None, "some", "free and excluded"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_strength_has_the_minimiser_that_its_own_solve_finds(kind, weights, positive):
    rng = np.random.default_rng(3)
    A = _design(kind, rng)
    scale = np.maximum(np.linalg.norm(A, axis=0), 1e-300)
    y = A @ (np.where(rng.random(A.shape[1]) < 0.4, rng.standard_normal(A.shape[1]), 0.0) / scale) * 8.0
    y += rng.standard_normal(len(A))
    weights = _weights(weights, A.shape[1], rng)
    problem = make_problem(A, y, Squared(), L1(1.0, positive), penalty_weights=weights)
    if positive and problem.free_columns().size:
        assert not is_small(problem)
        return
    assert is_small(problem)
    alphas = path_alphas(problem, None, 25, 1e-3)
    exact = lasso_path(A, y, alphas=alphas, penalty_weights=weights, positive=positive, tol=1e-12)
    for alpha, result, own in zip(alphas, path_at_once(problem, alphas, TOL), exact.results, strict=True):
        gap = relative_gap(problem.with_penalty(L1(float(alpha), positive)), result.coef)
        assert float(gap.value) == pytest.approx(result.certificate, abs=1e-12) and result.certificate <= TOL
        assert result.objective == pytest.approx(float(gap.objective), rel=1e-10)
        np.testing.assert_allclose(A @ result.coef, A @ own.coef, atol=1e-3)
        assert result.objective == pytest.approx(own.objective, rel=1e-8)


def test_orthonormal_columns_are_thresholded_softly():
    rng = np.random.default_rng(0)
    A, y = np.linalg.qr(rng.standard_normal((20, 8)))[0] * np.sqrt(20), rng.standard_normal(20)
    pull, alphas = A.T @ y / 20, np.array([0.3, 0.1, 0.05, 0.01])
    for alpha, result in zip(alphas, path_at_once(make_problem(A, y, None, L1(1.0)), alphas, TOL), strict=True):
        np.testing.assert_allclose(result.coef, np.sign(pull) * np.maximum(np.abs(pull) - alpha, 0.0), atol=1e-14)


@pytest.mark.parametrize("unit", [1e-100, 1e-9, 1e100])
@pytest.mark.parametrize("target", ["noise", "zero"])
def test_units_and_a_zero_target_change_nothing(unit, target):
    made = planted(40, 12, 3, noise=0.5, seed=1)
    y = made.y if target == "noise" else 0.0 * made.y
    problem = make_problem(unit * made.A, unit * y, Squared(), L1(1.0))
    alphas = path_alphas(problem, None, 10, 1e-2)
    one = make_problem(made.A, y, Squared(), L1(1.0))
    own = path_at_once(one, path_alphas(one, None, 10, 1e-2), TOL)
    for result, other in zip(path_at_once(problem, alphas, TOL), own, strict=True):
        np.testing.assert_allclose(result.coef, other.coef, rtol=1e-8, atol=1e-12)


def test_every_form_of_the_design_gives_one_path():
    made = planted(50, 20, 4, noise=0.5, seed=2)
    alphas = np.geomspace(0.2, 1e-3, 8)
    gram = GramDesign(made.A.T @ made.A, 50, float(made.y @ made.y))
    forms = [(made.A, made.y), (sparse.csc_array(made.A), made.y), (gram, made.A.T @ made.y)]
    paths = [path_at_once(make_problem(A, y, Squared(), L1(1.0)), alphas, TOL) for A, y in forms]
    for others in paths[1:]:
        for result, other in zip(paths[0], others, strict=True):
            np.testing.assert_allclose(result.coef, other.coef, rtol=1e-9, atol=1e-13)
    single = make_problem(made.A.astype(np.float32), made.y.astype(np.float32), Squared(), L1(1.0))
    assert all(result.coef.dtype == np.float32 for result in path_at_once(single, alphas, 1e-5))


def test_strengths_that_rounding_spoils_are_left_to_the_solver(monkeypatch):
    made = planted(60, 20, 4, noise=0.5, seed=3)
    problem = make_problem(made.A, made.y, Squared(), L1(1.0))
    alphas = path_alphas(problem, None, 20, 1e-3)
    right = homotopy.homotopy_path

    def spoilt(known, alphas):
        coefs, pivots = right(known, alphas)
        coefs[:, 5:9] *= 1.1
        return coefs, pivots

    monkeypatch.setattr(at_once, "homotopy_path", spoilt)
    assert [k for k, result in enumerate(path_at_once(problem, alphas, TOL)) if result is None] == [5, 6, 7, 8]
    path = solve_path(problem, alphas, keep_proofs=True, tol=TOL, max_iter=1000)
    for alpha, result in zip(alphas, path, strict=True):
        own = lasso(made.A, made.y, float(alpha), tol=1e-12)
        assert result.certificate <= TOL
        assert result.objective == pytest.approx(own.objective, rel=1e-7)


@pytest.mark.parametrize("shape", [(60, 20), (40, 300)])
def test_paths_that_are_handed_out_are_proved_by_the_design(monkeypatch, shape):
    made = planted(*shape, 4, noise=0.5, seed=3)
    monkeypatch.setattr(working_set_module, "working_set_steps", lambda *_, **__: pytest.fail("not for small designs"))
    problem = make_problem(10.0 + made.A, made.y, Squared(), L1(1.0))  # its Gram matrix loses digits
    path = regularization_path(problem.design, made.y, n_alphas=20, eps=1e-2)
    assert path.status.is_success
    for alpha, result in zip(path.alphas, path.results, strict=True):
        own = relative_gap(problem.with_penalty(L1(float(alpha))), result.coef)
        assert result.certificate == pytest.approx(float(own.value), abs=1e-13)
        assert result.objective == pytest.approx(float(own.objective), rel=1e-12)
        assert result.history["certificate"] == [result.certificate]


def test_a_callback_sees_every_strength_solved():
    made, seen = planted(40, 20, 4, noise=0.5, seed=3), []
    path = lasso_path(made.A, made.y, n_alphas=5, callback=lambda progress: seen.append(progress.coef) and False)
    plain = lasso_path(made.A, made.y, n_alphas=5, tol=1e-12)
    assert len(seen) >= 4
    np.testing.assert_allclose(path.coefs, plain.coefs, atol=1e-2)


def test_large_and_matrix_free_designs_are_not_small():
    rng = np.random.default_rng(0)

    def small(n_samples, n_features):
        A = rng.standard_normal((n_samples, n_features))
        return is_small(make_problem(A, A[:, 0], Squared(), L1(1.0)))

    assert small(300, 256) and not small(300, 257)
    assert small(5, 256) and not small(20_000, 250)
    assert small(100, 2000) and not small(129, 2000) and not small(100, 3000)
    assert not is_small(make_problem(aslinearoperator(np.eye(5)), np.ones(5), Squared(), L1(1.0)))


def far_from_the_origin(shape, weighted):
    """Columns and a target with means, one column constant, and weights of the samples."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal(shape) + 2.0
    X[:, 3] = 1.0
    y = X[:, :5] @ np.array([1.0, -2.0, 3.0, 0.0, 0.5]) + 2.0 * rng.standard_normal(shape[0]) + 7.0
    weight = rng.uniform(0.2, 2.0, shape[0]) if weighted else None
    return X, y, weight


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(83, 12), (100, 50), (60, 60)])
def test_held_out_errors_are_those_of_scikit_learn(shape, weighted):
    X, y, weight = far_from_the_origin(shape, weighted)
    model = LassoCV(alphas=12, eps=1e-2, tol=1e-10).fit(X, y, sample_weight=weight)
    peer = PeerLassoCV(alphas=model.alphas_, tol=1e-10, max_iter=100_000).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.mse_path_, peer.mse_path_, rtol=1e-5)


def test_few_directions_in_many_columns_are_no_support_of_rounding_errors():
    rng = np.random.default_rng(6)
    A = rng.standard_normal((60, 5)) @ rng.standard_normal((5, 40))
    problem = make_problem(A, rng.standard_normal(60) + A[:, 0], Squared(), L1(1.0))
    for result in path_at_once(problem, path_alphas(problem, None, 25, 1e-5), TOL):
        assert result is not None and np.count_nonzero(result.coef) <= 5


@pytest.mark.parametrize("seed", range(4))
def test_sums_of_other_columns_are_known_as_such(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((60, 20)) + 0.5
    A = np.hstack([A, A[:, ::-1] * rng.uniform(0.5, 2.0, 20), A @ rng.standard_normal((20, 20)) / 4.0])
    problem = make_problem(A / np.linalg.norm(A, axis=0), rng.standard_normal(60) + A[:, 0], Squared(), L1(1.0))
    results = path_at_once(problem, path_alphas(problem, None, 25, 1e-5), TOL)
    assert all(result is not None for result in results)


def test_a_free_constant_column_is_left_to_the_intercept():
    rng = np.random.default_rng(7)
    X = rng.standard_normal((50, 6))
    X[:, 2] = 0.1
    y = X[:, 0] + rng.standard_normal(50) + 5.0
    weights = np.where(np.arange(6) == 2, 0.0, 1.0)
    free, excluded = (
        LassoCV(alphas=6, penalty_weights=given, tol=1e-10).fit(X, y)
        for given in (weights, np.where(weights == 0, np.inf, 1.0))
    )
    np.testing.assert_allclose(free.mse_path_, excluded.mse_path_, rtol=1e-6)


def test_a_constant_target_is_predicted():
    rng = np.random.default_rng(5)
    model = LassoCV(alphas=5).fit(rng.standard_normal((30, 4)), np.full(30, 3.0))
    assert not model.coef_.any() and model.intercept_ == pytest.approx(3.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_largest_strength_has_a_zero_answer_beside_free_columns(seed):
    rng = np.random.default_rng(seed)
    A, y = rng.standard_normal((40, 12)), rng.standard_normal(40)
    path = lasso_path(A, y, n_alphas=2, penalty_weights=[0.0, 0.0] + [1.0] * 10)
    assert not np.any(path.coefs[2:, 0])
