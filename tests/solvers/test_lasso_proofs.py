"""What one strength of a path proves of another, and Newton steps that end on a face of the orthant."""

import numpy as np
import pytest

from sparsecode import LassoCV, alpha_max, lasso_path
from sparsecode.losses import Squared
from sparsecode.penalties import L1
from sparsecode.solvers.certificates import lower_bound, relative_gap
from sparsecode.solvers.coordinate import working_set
from sparsecode.solvers.coordinate.newton import newton_step
from sparsecode.solvers.path import path_alphas, solve_path
from sparsecode.solvers.problem import make_problem
from tests.planted import planted
from tests.solvers.naive_lasso import naive_lasso

TOL = 1e-4


@pytest.fixture(scope="module")
def noisy():
    """More features than samples under much noise: at small strengths supports are as large as the samples are many."""
    made = planted(60, 300, 10, noise=1.0, seed=5)
    return make_problem(made.A, made.y, Squared(), L1(1.0))


@pytest.mark.parametrize("weights", [None, "some"])
@pytest.mark.parametrize("positive", [False, True])
def test_no_objective_is_below_what_any_point_proves(noisy, weights, positive):
    rng = np.random.default_rng(0)
    weights = None if weights is None else rng.uniform(0.5, 2.0, 300)
    posed = make_problem(noisy.design.array, noisy.target, Squared(), L1(1.0, positive), penalty_weights=weights)
    top = float(np.max(np.abs(posed.at_zero().correlation)))
    path = list(solve_path(posed, top * np.geomspace(0.5, 0.02, 6), tol=1e-12, max_iter=1000))
    least = [result.objective for result in path]
    for result in path:
        proof = posed.at(result.coef + 0.01 * rng.standard_normal(300) * (rng.random(300) < 0.1))
        for k, alpha in enumerate(top * np.geomspace(0.5, 0.02, 6)):
            assert float(lower_bound(posed.with_penalty(L1(alpha, positive)), proof)) <= least[k] * (1 + 1e-10)


def test_the_minimiser_proves_its_own_objective(noisy):
    alpha = 0.1 * alpha_max(noisy.design.array, noisy.target)
    posed = noisy.with_penalty(L1(alpha))
    coef = naive_lasso(noisy.design.array, noisy.target, alpha)
    assert float(lower_bound(posed, posed.at(coef))) == pytest.approx(float(posed.value(coef)), rel=1e-6)


@pytest.fixture
def solved_one_by_one(monkeypatch):
    """Paths whose strengths are all solved, as those of larger designs are."""
    monkeypatch.setattr(working_set, "is_one_go", lambda problem, alphas: False)


@pytest.mark.usefixtures("solved_one_by_one")
def test_kept_proofs_are_true_and_save_what_the_residual_would_have_to_prove(noisy):
    alphas = path_alphas(noisy, None, 40, 1e-3)
    exact = lasso_path(noisy.design.array, noisy.target, alphas=alphas, tol=1e-11)
    scale = float(noisy.at_zero().loss)
    unproved = 0
    for alpha, best, result in zip(
        alphas, exact.results, solve_path(noisy, alphas, keep_proofs=True, tol=TOL, max_iter=1000), strict=True
    ):
        posed = noisy.with_penalty(L1(alpha))
        above = (float(posed.value(result.coef)) - best.objective) / scale
        assert above <= result.certificate + 1e-10 <= TOL + 1e-10
        unproved += float(relative_gap(posed, result.coef).value) > TOL
    assert unproved > 5


def test_paths_that_are_handed_out_prove_themselves(noisy):
    alphas = path_alphas(noisy, None, 40, 1e-3)
    path = lasso_path(noisy.design.array, noisy.target, alphas=alphas, tol=TOL)
    for alpha, result in zip(alphas, path.results, strict=True):
        own = float(relative_gap(noisy.with_penalty(L1(alpha)), result.coef).value)
        assert own == pytest.approx(result.certificate, rel=1e-6, abs=1e-12)


@pytest.mark.usefixtures("solved_one_by_one")
def test_errors_of_folds_are_those_of_exact_paths(noisy):
    X, y = noisy.design.array, noisy.target
    loose, tight = (LassoCV(alphas=25, cv=3, tol=tol).fit(X, y) for tol in (1e-6, 1e-12))
    np.testing.assert_allclose(loose.mse_path_, tight.mse_path_, rtol=2e-2)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_newton_step_over_many_sign_changes_leaves_a_stationary_support(seed, positive):
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((80, 40)) + rng.standard_normal((80, 1))
    gram, coef = columns.T @ columns, np.abs(rng.standard_normal(40)) * 0.05
    coef[:30] += 1.0
    sign = np.ones(40) if positive else rng.choice([-1.0, 1.0], 40)
    coef *= sign
    target = np.where(np.arange(40) < 30, coef, -0.01 * sign)  # the last ten would change sign for less than it costs
    threshold = np.full(40, 2.0)
    correlation = gram @ target
    step = newton_step(gram, coef, correlation - gram @ coef, threshold, positive)
    new = coef + step
    left = new != 0
    assert 5 <= np.count_nonzero(~left) < 20
    np.testing.assert_array_equal(np.sign(new[left]), sign[left])
    np.testing.assert_allclose((correlation - gram @ new)[left], (threshold * sign)[left], atol=1e-8)
