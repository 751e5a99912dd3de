"""The path of a small elastic net: what the conditions of its minimum say, strength by strength, whatever the data are like."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator
from sklearn.linear_model import ElasticNetCV as PeerElasticNetCV

from sparsecode import L1, ElasticNetCV, ElasticNetIC, GramDesign, L1Ridge, regularization_path, solve
from sparsecode.losses import Squared
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.coordinate import elastic_homotopy, working_set
from sparsecode.solvers.coordinate.elastic_homotopy import elastic_path_at_once, is_small_elastic_net
from sparsecode.solvers.path import path_alphas, solve_path
from sparsecode.solvers.problem import make_problem
from tests.planted import planted
from tests.solvers.test_homotopy import KINDS, _design, _weights, far_from_the_origin

TOL = 1e-9


def missed(A, y, coef, alpha, l1_ratio, weights, positive):
    """By how much the conditions of a minimum fail, over the largest threshold: written from the definition."""
    used, charged = coef != 0, np.isfinite(weights)
    assert not np.any(used & ~charged) and not (positive and np.any(coef < 0))
    weights = np.where(charged, weights, 0.0)
    pull = A.T @ (y - A @ coef) / len(y) - alpha * (1 - l1_ratio) * weights * coef
    threshold = alpha * l1_ratio * weights
    size = pull if positive else np.abs(pull)
    off = np.where(used, np.abs(pull - threshold * np.sign(coef)), np.maximum(size - threshold, 0.0))
    return np.max(off[charged]) / np.max(threshold)


@pytest.mark.parametrize("l1_ratio", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", [None, "some", "excluded"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_strength_meets_the_conditions_of_a_minimum(kind, weights, positive, l1_ratio):
    rng = np.random.default_rng(3)
    A = _design(kind, rng)
    scale = np.maximum(np.linalg.norm(A, axis=0), 1e-300)
    y = A @ (np.where(rng.random(30) < 0.4, rng.standard_normal(30), 0.0) / scale) * 8.0 + rng.standard_normal(len(A))
    given = _weights("some" if weights else None, 30, rng)
    if weights == "excluded":
        given[[2, 5]] = np.inf
    problem = make_problem(A, y, Squared(), L1Ridge(1.0, l1_ratio, positive), penalty_weights=given)
    assert is_small_elastic_net(problem)
    alphas = path_alphas(problem, None, 25, 1e-3)
    for alpha, result in zip(alphas, elastic_path_at_once(problem, alphas, TOL), strict=True):
        own = np.ones(30) if given is None else given
        assert missed(A, y, result.coef, alpha, l1_ratio, own, positive) <= 1e-7
        gap = relative_gap(problem.with_penalty(L1Ridge(float(alpha), l1_ratio, positive)), result.coef)
        assert result.certificate == pytest.approx(float(gap.value), abs=1e-14)
        assert result.objective == pytest.approx(float(gap.objective), rel=1e-12)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
def test_the_largest_strength_gives_zeros_by_whichever_products_it_was_found(l1_ratio):
    for seed in range(20):
        made = planted(61, 20, 3, noise=0.5, seed=seed)
        largest = np.max(np.abs(made.A.T @ made.y)) / 61 / l1_ratio
        penalty = L1(1.0) if l1_ratio == 1.0 else L1Ridge(1.0, l1_ratio)
        alphas = [largest * (1.0 - 1e-15), largest * 0.99]
        path = regularization_path(made.A, made.y, penalty=penalty, alphas=alphas)
        assert [np.count_nonzero(result.coef) for result in path.results] == [0, 1]


def test_strengths_need_not_begin_where_the_path_does():
    made = planted(40, 30, 4, noise=0.5, seed=2)
    problem = make_problem(made.A, made.y, Squared(), L1Ridge(1.0, 0.5))
    top = path_alphas(problem, None, 2, 0.5)[0]
    for alphas in ([3 * top, 2 * top, 0.1 * top], [0.01 * top], [0.3 * top, 0.3 * top, 0.001 * top]):
        for alpha, result in zip(alphas, elastic_path_at_once(problem, np.array(alphas), TOL), strict=True):
            if alpha > top:
                assert not result.coef.any()
            else:
                assert missed(made.A, made.y, result.coef, alpha, 0.5, np.ones(30), False) <= 1e-9


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_targets_of_every_unit_are_solved(unit):
    made = planted(40, 12, 3, noise=0.5, seed=1)
    paths = []
    for factor in (1.0, unit):
        problem = make_problem(made.A, factor * made.y, Squared(), L1Ridge(1.0, 0.5))
        paths.append(elastic_path_at_once(problem, path_alphas(problem, None, 10, 1e-2), TOL))
    for result, other in zip(*paths, strict=True):  # the ridge of strengths in the target's unit is another one
        assert result.status.is_success and other.status.is_success


@pytest.mark.parametrize("seed", [67, 15, 277])
def test_coefficients_may_leave_between_two_strengths(seed):
    rng = np.random.default_rng(seed)
    p = int(rng.integers(6, 20))
    A = rng.standard_normal((20, p)) @ np.linalg.cholesky(0.8 * np.ones((p, p)) + 0.2 * np.eye(p)).T
    y = A @ rng.standard_normal(p) + rng.standard_normal(20)
    problem = make_problem(A, y, Squared(), L1Ridge(1.0, 0.3))
    alphas = path_alphas(problem, None, 6, 1e-4)  # few: several changes from one to the next, some of them back again
    results = elastic_path_at_once(problem, alphas, TOL)
    for alpha, result in zip(alphas, results, strict=True):
        assert missed(A, y, result.coef, alpha, 0.3, np.ones(p), False) <= 1e-9


def test_a_zero_target_and_one_that_pulls_to_the_other_side_give_zeros():
    A = np.abs(np.random.default_rng(0).standard_normal((20, 8)))
    for y, positive in ((np.zeros(20), False), (-np.ones(20), True)):
        path = regularization_path(A, y, penalty=L1Ridge(1.0, 0.5, positive), n_alphas=5)
        assert path.status.is_success and not path.coefs.any()


def test_every_form_of_the_design_gives_one_path():
    made = planted(50, 20, 4, noise=0.5, seed=2)
    alphas, penalty = np.geomspace(0.2, 1e-3, 8), L1Ridge(1.0, 0.7)
    dense, stored = (
        elastic_path_at_once(make_problem(form(made.A), made.y, Squared(), penalty), alphas, TOL)
        for form in (np.asarray, sparse.csc_array)
    )
    for result, other in zip(dense, stored, strict=True):
        np.testing.assert_allclose(result.coef, other.coef, rtol=1e-9, atol=1e-13)
    single = make_problem(made.A.astype(np.float32), made.y.astype(np.float32), Squared(), penalty)
    assert all(result.coef.dtype == np.float32 for result in elastic_path_at_once(single, alphas, 1e-5))


def test_strengths_that_rounding_spoils_are_left_to_the_solver(monkeypatch):
    made = planted(60, 20, 4, noise=0.5, seed=3)
    problem = make_problem(made.A, made.y, Squared(), L1Ridge(1.0, 0.6))
    alphas = path_alphas(problem, None, 20, 1e-3)
    go_to = elastic_homotopy._Elastic.go_to

    def spoilt(self, alpha):
        return go_to(self, alpha) * (1.1 if alpha in alphas[5:9] else 1.0)

    monkeypatch.setattr(elastic_homotopy._Elastic, "go_to", spoilt)
    assert [k for k, one in enumerate(elastic_path_at_once(problem, alphas, TOL)) if one is None] == [5, 6, 7, 8]
    for alpha, result in zip(alphas, solve_path(problem, alphas, tol=TOL, max_iter=1000), strict=True):
        own = solve(made.A, made.y, penalty=L1Ridge(float(alpha), 0.6), tol=1e-12)
        assert result.certificate <= TOL
        assert result.objective == pytest.approx(own.objective, rel=1e-7)


def test_large_matrix_free_and_unpenalised_designs_are_not_small():
    rng = np.random.default_rng(0)

    def small(n_samples, n_features, l1_ratio=0.5, **weights):
        A = rng.standard_normal((n_samples, n_features))
        return is_small_elastic_net(make_problem(A, A[:, 0], Squared(), L1Ridge(1.0, l1_ratio), **weights))

    assert small(128, 300) and small(500, 100) and small(5, 4)
    assert not small(129, 129) and not small(128, 600) and not small(50, 30, l1_ratio=0.0)
    assert not small(50, 3, penalty_weights=np.array([0.0, 1.0, 1.0]))
    for design, y in ((aslinearoperator(np.eye(5)), np.ones(5)), (GramDesign(np.eye(5), 5, 5.0), np.ones(5))):
        assert not is_small_elastic_net(make_problem(design, y, Squared(), L1Ridge(1.0, 0.5)))


def test_estimators_and_paths_take_this_way(monkeypatch):
    made = planted(40, 30, 4, noise=0.5, seed=2)
    monkeypatch.setattr(working_set, "separable_steps", lambda *_: pytest.fail("not for small designs"))
    assert regularization_path(made.A, made.y, penalty=L1Ridge(1.0, 0.5), n_alphas=10).status.is_success
    assert ElasticNetIC(alphas=10).fit(made.A, made.y).status_.is_success


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(83, 12), (40, 90)])
def test_held_out_errors_are_those_of_scikit_learn(shape, weighted):
    X, y, weight = far_from_the_origin(shape, weighted)
    model = ElasticNetCV(l1_ratio=0.6, alphas=12, eps=1e-2, tol=1e-10).fit(X, y, sample_weight=weight)
    peer = PeerElasticNetCV(l1_ratio=0.6, alphas=model.alphas_, tol=1e-10, max_iter=100_000)
    np.testing.assert_allclose(model.mse_path_, peer.fit(X, y, sample_weight=weight).mse_path_, rtol=1e-5)
