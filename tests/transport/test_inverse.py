"""Inverse transport against a maximum-entropy program, a closed form for Gaussians, finite differences and planted costs."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import InverseTransport
from sparsecode.transport import inverse_transport, solve
from sparsecode.transport._inverse import Bilinear, pose_inverse
from sparsecode.transport._irrepresentability import hessian_columns, irrepresentability_of
from tests.transport import naive


def naive_plan(cost, a, b, reg):
    """The entropic plan by plain sweeps."""
    return naive.plan(*naive.sinkhorn(a, b, cost, reg, max_iter=5000), cost, reg)


def made(seed=0, n=9, m=7, p=3, q=2):
    rng = np.random.default_rng(seed)
    coupling = rng.random((n, m)) ** 4
    return coupling / coupling.sum(), rng.standard_normal((n, p)), rng.standard_normal((m, q))


def misfit(coupling, X, Y, theta, reg):
    plan = naive_plan(-X @ theta @ Y.T, coupling.sum(1), coupling.sum(0), reg)
    return reg * np.sum(coupling * np.log(coupling / plan)), plan


def pairs(n=400, d=6, seed=0):
    """Gaussian pairs whose joint precision holds a ring."""
    rng = np.random.default_rng(seed)
    ring = np.eye(d) + 0.5 * (np.roll(np.eye(d), 1, 0) + np.roll(np.eye(d), -1, 0))
    precision = np.block([[3 * np.eye(d), -ring], [-ring, 3 * np.eye(d)]])
    both = rng.standard_normal((n, 2 * d)) @ np.linalg.cholesky(np.linalg.inv(precision)).T
    both /= both.std(axis=0)
    return both[:, :d], both[:, d:], ring


def test_loss_and_gradient_are_those_of_the_divergence_from_the_plan():
    coupling, X, Y = made()
    theta, reg = np.random.default_rng(1).standard_normal((3, 2)), 0.7
    problem = pose_inverse(coupling, (X, Y), reg, None)
    problem.inner = 1e-13
    here = problem.at(theta)
    loss, plan = misfit(coupling, X, Y, theta, reg)
    assert here.loss == pytest.approx(loss, abs=1e-12)
    np.testing.assert_allclose(here.plan, plan, atol=1e-12)
    for k in np.ndindex(3, 2):
        step = np.zeros((3, 2))
        step[k] = 1e-5
        slope = (misfit(coupling, X, Y, theta + step, reg)[0] - misfit(coupling, X, Y, theta - step, reg)[0]) / 2e-5
        assert here.gradient[k] == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("alpha", [0.02, 0.1])
def test_the_minimum_is_the_largest_entropy_within_alpha_of_the_moments(alpha):
    cvxpy = pytest.importorskip("cvxpy")
    coupling, X, Y = made()
    reg = 0.5
    costs = np.array([-np.outer(x, y) for x in (X - coupling.sum(1) @ X).T for y in (Y - coupling.sum(0) @ Y).T])
    plan = cvxpy.Variable(coupling.shape, nonneg=True)
    within = [cvxpy.abs(cvxpy.sum(cvxpy.multiply(cost, plan - coupling))) <= alpha for cost in costs]
    marginals = [cvxpy.sum(plan, axis=1) == coupling.sum(1), cvxpy.sum(plan, axis=0) == coupling.sum(0)]
    entropy = cvxpy.Problem(cvxpy.Maximize(cvxpy.sum(cvxpy.entr(plan))), within + marginals).solve()
    expected = reg * (entropy + np.sum(coupling * np.log(coupling)))
    by_points = inverse_transport(coupling, (X, Y), alpha, reg=reg, tol=1e-9)
    by_matrices = inverse_transport(coupling, costs, alpha, reg=reg, tol=1e-9)
    assert by_points.status.name == by_matrices.status.name == "CONVERGED"
    assert by_points.objective == pytest.approx(expected, abs=1e-6)
    np.testing.assert_allclose(by_matrices.coef, by_points.coef.ravel(), atol=1e-4)


def test_the_gap_bounds_what_is_left_to_gain():
    coupling, X, Y = made()
    problem = pose_inverse(coupling, (X, Y), 0.5, None)
    best = inverse_transport(coupling, (X, Y), 0.02, reg=0.5, tol=1e-10).objective
    rng = np.random.default_rng(0)
    for size in (0.0, 0.1, 1.0):
        theta = size * rng.standard_normal((3, 2))
        problem.inner = 1e-4
        proof = problem.certify(theta, 0.02)
        assert proof.objective - best <= proof.value * problem.at_zero + 1e-12
        assert proof.value > 0
        assert problem.inner <= 0.1 * proof.value + 1e-11  # of inner solves from here on


@pytest.mark.parametrize("weights", [None, np.random.default_rng(1).uniform(0.2, 5.0, (6, 6))])
def test_theta_is_zero_from_alpha_max_on(weights):
    X, Y, _ = pairs()
    options = {"penalty_weights": weights}
    top = pose_inverse(None, (X, Y), 1.0, weights).alpha_max()
    assert not inverse_transport(None, (X, Y), 1.001 * top, **options).coef.any()
    assert np.count_nonzero(inverse_transport(None, (X, Y), 0.99 * top, tol=1e-9, **options).coef) == 1


def test_parts_of_a_cost_on_one_side_alone_change_no_step():
    X, Y, _ = pairs(n=40, d=3)
    costs = np.array([-np.outer(X[:, k], Y[:, k]) for k in range(3)])
    rng = np.random.default_rng(0)
    aside = 5.0 * (rng.standard_normal((3, 40, 1)) + rng.standard_normal((3, 1, 40)))
    one, other = (inverse_transport(None, family, 0.05) for family in (costs, costs + aside))
    assert abs(one.n_iter - other.n_iter) <= 2
    np.testing.assert_allclose(other.coef, one.coef, atol=1e-3)


def test_a_plan_gives_its_own_cost_back():
    _, X, Y = made(n=12, m=11)
    theta = np.array([[0.8, 0.0], [0.0, -0.5], [0.3, 0.0]])
    plan = naive_plan(-X @ theta @ Y.T, np.full(12, 1 / 12), np.full(11, 1 / 11), 1.0)
    result = inverse_transport(plan, (X, Y), 1e-7, tol=1e-9, max_iter=20_000)
    np.testing.assert_allclose(result.coef, theta, atol=1e-5)


def test_gaussian_variables_on_a_grid_have_the_known_cost():
    """The joint precision, up to sign: ``reg rho / (1 - rho^2)``."""
    grid = np.linspace(-5, 5, 61)
    precision = np.linalg.inv([[1.0, 0.6], [0.6, 1.0]])
    x, y = grid[:, None], grid[None, :]
    coupling = np.exp(-0.5 * (precision[0, 0] * x**2 + 2 * precision[0, 1] * x * y + precision[1, 1] * y**2))
    points = grid[:, None]
    result = inverse_transport(coupling, (points, points), 1e-8, reg=0.5, tol=1e-10)
    assert result.coef[0, 0] == pytest.approx(0.5 * 0.6 / (1 - 0.36), abs=1e-5)


def test_only_theta_over_reg_matters():
    X, Y, _ = pairs(n=60)
    one, other = (inverse_transport(None, (X, Y), 0.05, reg=reg, tol=1e-10) for reg in (1.0, 0.25))
    np.testing.assert_allclose(other.coef / 0.25, one.coef, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_the_unit_of_the_features_does_not_matter(scale):
    X, Y, _ = pairs(n=60, d=3)
    one, other = (inverse_transport(None, (s * X, s * Y), 0.1 * s**2, max_iter=200) for s in (1.0, scale))
    assert other.status.name == "CONVERGED"
    assert other.n_iter == one.n_iter
    np.testing.assert_allclose(scale**2 * other.coef, one.coef, atol=1e-9)
    costs = np.array([-np.outer(X[:, k], Y[:, k]) for k in range(3)])
    units, start = np.array([1.0, scale, 1.0 / scale]), 0.3 * np.ones(3)
    plain = inverse_transport(None, costs, 0.1, max_iter=200, init=start)
    scaled = inverse_transport(
        None, units[:, None, None] * costs, 0.1, penalty_weights=units, max_iter=200, init=start / units
    )
    assert plain.status.name == scaled.status.name == "CONVERGED"
    assert plain.n_iter == scaled.n_iter
    np.testing.assert_allclose(units * scaled.coef, plain.coef, atol=1e-9)


def test_constant_features_and_costs_that_move_no_plan_are_left_out():
    X, Y, _ = pairs(n=40, d=2)
    one = inverse_transport(None, (X, Y), 0.1)
    flat = inverse_transport(None, (np.c_[X, np.full(40, 7.3)], np.c_[np.full(40, 1e9), Y]), 0.1)
    assert flat.status.name == "CONVERGED"
    assert not flat.coef[2].any()
    assert not flat.coef[:, 0].any()
    np.testing.assert_allclose(flat.coef[:2, 1:], one.coef, atol=1e-5)


def test_squared_differences_are_twice_the_diagonal_of_products():
    """``sum_k q_k (x_k - y_k)^2`` moves plans as ``theta = 2 diag(q)``, and pays for q."""
    X, Y, _ = pairs(n=50, d=3)
    squares = np.array([(x[:, None] - y) ** 2 for x, y in zip(X.T, Y.T, strict=True)])
    q = inverse_transport(None, squares, 0.1, tol=1e-10).coef
    weights = np.where(np.eye(3) > 0, 0.5, np.inf)
    theta = inverse_transport(None, (X, Y), 0.1, penalty_weights=weights, tol=1e-10).coef
    assert np.count_nonzero(q) > 0
    np.testing.assert_allclose(theta, 2 * np.diag(q), atol=1e-5)


def test_moving_the_points_and_empty_masses_change_nothing():
    coupling, X, Y = made()
    one = inverse_transport(coupling, (X, Y), 0.02, tol=1e-10)
    bigger = np.zeros((10, 8))
    bigger[:9, :7] = 3 * coupling
    far = (np.vstack([X + 5.0, [[1.0, 2.0, 3.0]]]), np.vstack([Y - 2.0, [[4.0, 5.0]]]))
    np.testing.assert_allclose(inverse_transport(bigger, far, 0.02, tol=1e-10).coef, one.coef, atol=1e-5)


def test_infinite_weights_exclude_and_larger_ones_shrink():
    X, Y, _ = pairs()
    weights = np.where(np.eye(6) > 0, 1.0, np.inf)
    diagonal = InverseTransport(0.02, penalty_weights=weights).fit(X, Y).coef_
    assert np.all((diagonal != 0) == np.eye(6, dtype=bool))
    weights[0, 0] = 1e6
    assert InverseTransport(0.02, penalty_weights=weights).fit(X, Y).coef_[0, 0] == 0


def test_a_ring_is_found_and_the_path_goes_on_from_where_it_was():
    X, Y, ring = pairs()
    model = InverseTransport().fit(X, Y)
    path = model.path(X, Y, n_alphas=6, eps=0.1)
    counts = (path.coefs != 0).sum(axis=(0, 1))
    assert counts[0] == 0
    assert np.all(np.diff(counts) >= 0)
    found = path.coefs[:, :, -1] != 0
    assert found[ring != 0].sum() >= 17
    assert found[ring == 0].sum() <= 6
    cold = [inverse_transport(None, (X, Y), alpha).n_iter for alpha in path.alphas]
    assert sum(result.n_iter for result in path.results) < 0.9 * sum(cold)
    alone = inverse_transport(None, (X, Y), path.alphas[-1], tol=1e-9)
    np.testing.assert_allclose(path.coefs[:, :, -1], alone.coef, atol=1e-3)
    assert path.alphas[0] == pytest.approx(model.alpha_max_)


def test_hessian_columns_are_differences_of_gradients():
    _, X, Y = made()
    theta, reg, uniform = np.random.default_rng(2).standard_normal((3, 2)), 0.7, (np.full(9, 1 / 9), np.full(7, 1 / 7))
    family = Bilinear(X, Y)
    plan = naive_plan(family.cost(theta), *uniform, reg)
    entries = [(0, 0), (2, 1)]
    for entry, column in zip(entries, hessian_columns(X, Y, plan, entries, reg), strict=True):
        step = np.zeros((3, 2))
        step[entry] = 1e-5
        sides = [family.moments(naive_plan(family.cost(theta + sign * step), *uniform, reg)) for sign in (1, -1)]
        np.testing.assert_allclose(column, (sides[1] - sides[0]) / 2e-5, atol=1e-7)


def test_irrepresentability_is_the_ratio_by_dense_algebra():
    X, Y, ring = pairs(n=50, d=4)
    plan = naive_plan(-X @ ring @ Y.T, np.full(50, 0.02), np.full(50, 0.02), 1.0)
    theta = np.where(np.eye(4) > 0, 1.0, 0.0)
    every = hessian_columns(X, Y, plan, list(np.ndindex(4, 4)), 1.0).reshape(16, 16)
    np.testing.assert_allclose(every, every.T, atol=1e-12)
    on = theta.ravel() != 0
    expected = np.max(np.abs(every[~on][:, on] @ np.linalg.solve(every[on][:, on], np.ones(4))))
    assert irrepresentability_of(X, Y, plan, theta, np.ones((4, 4)), 1.0) == pytest.approx(expected)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, (4, 4))
    ratios = np.abs(every[~on][:, on] @ np.linalg.solve(every[on][:, on], weights.ravel()[on])) / weights.ravel()[~on]
    assert irrepresentability_of(X, Y, plan, theta, weights, 1.0) == pytest.approx(np.max(ratios))
    weights[0, 1] = np.inf  # an entry that is excluded is no rival
    ratios[0] = 0.0
    assert irrepresentability_of(X, Y, plan, theta, weights, 1.0) == pytest.approx(np.max(ratios))
    assert irrepresentability_of(X, Y, plan, 0 * theta, np.ones((4, 4)), 1.0) == 0.0
    model = InverseTransport(0.05).fit(X, Y)
    own = naive_plan(model.cost(X, Y), np.full(50, 0.02), np.full(50, 0.02), 1.0)
    expected = irrepresentability_of(X - X.mean(0), Y - Y.mean(0), own, model.coef_, np.ones((4, 4)), 1.0)
    assert model.irrepresentability(X, Y) == pytest.approx(expected, rel=1e-5)


def naive_hessian(X, Y, plan, reg):
    """Moments, under the plan, of what weighted least squares by functions of one side leaves of each cost."""
    (n, m), root = plan.shape, np.sqrt(plan.ravel())
    sides = np.hstack([np.kron(np.eye(n), np.ones((m, 1))), np.kron(np.ones((n, 1)), np.eye(m))])
    costs = np.array([np.outer(x, y).ravel() for x in X.T for y in Y.T]).T
    left = root[:, None] * (costs - sides @ np.linalg.lstsq(root[:, None] * sides, root[:, None] * costs)[0])
    return left.T @ left / reg


def test_a_plan_of_two_components_has_the_hessian_of_least_squares():
    _, X, Y = made(n=8, m=6)
    plan = np.zeros((8, 6))
    rng = np.random.default_rng(3)
    plan[:5, :3], plan[5:, 3:] = rng.random((5, 3)), rng.random((3, 3))
    plan /= plan.sum()
    every = hessian_columns(X, Y, plan, list(np.ndindex(3, 2)), 0.7).reshape(6, 6)
    np.testing.assert_allclose(every, naive_hessian(X, Y, plan, 0.7), atol=1e-10)


def test_a_plan_that_is_a_matching_says_nothing_of_supports():
    X, _, _ = pairs(n=8, d=3)
    for share in (0.0, 1e-16):
        plan = (1.0 - share) * np.eye(8) / 8 + share / 64
        assert irrepresentability_of(X, 5 * X, plan, np.diag([1.0, 1.0, 0.0]), np.ones((3, 3)), 1.0) == np.inf


def test_scores_of_fresh_pairs_are_those_of_the_divergence():
    X, Y, _ = pairs(n=80)
    model = InverseTransport(0.05).fit(X[:50], Y[:50])
    plan = naive_plan(model.cost(X[50:], Y[50:]), np.full(30, 1 / 30), np.full(30, 1 / 30), 1.0)
    assert model.score(X[50:], Y[50:]) == pytest.approx(np.mean(np.log(30 * np.diag(plan))), abs=1e-8)
    assert model.score(X[50:], Y[50:]) > -np.log(30)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coupling": -np.eye(3)}, "coupling must hold masses"),
        ({"coupling": np.eye(4)}, r"coupling has shape \(4, 4\)"),
        ({"coupling": np.full((3, 3), np.nan)}, "coupling contains NaN"),
        ({"costs": (np.ones((3, 2)), np.ones((4, 2)))}, "3 of one and 4 of the other"),
        ({"costs": np.ones((3, 3))}, "costs has shape"),
        ({"alpha": 0.0}, "alpha must be greater than 0"),
        ({"reg": -1.0}, "reg must be greater than 0"),
        ({"penalty_weights": np.zeros((2, 2))}, "penalty_weights must be greater than 0"),
        ({"penalty_weights": np.ones(2)}, "penalty_weights has shape"),
        ({"init": np.ones(3)}, "init has shape"),
    ],
)
def test_bad_input_is_named(change, words):
    rng = np.random.default_rng(0)
    arguments = {"coupling": None, "costs": (rng.random((3, 2)), rng.random((3, 2))), "alpha": 0.1} | change
    with pytest.raises(ValueError, match=words):
        inverse_transport(arguments.pop("coupling"), arguments.pop("costs"), **arguments)


@pytest.mark.parametrize("form", ["csr", "lazy"])
def test_plans_of_any_form_are_couplings(form):
    a, b, cost = naive.problem()
    costs = np.stack([cost, cost**2])
    dense, other = (
        inverse_transport(solve(a, b, cost, 0.5, plan=kind).plan, costs, 1e-3).coef for kind in ("dense", form)
    )
    assert dense.max() > 0.5
    np.testing.assert_allclose(other, dense, atol=1e-6)


def test_an_uncertified_answer_is_announced():
    X, Y, _ = pairs(n=50)
    with pytest.warns(ConvergenceWarning, match="relative duality gap"):
        assert InverseTransport(0.01, max_iter=1).fit(X, Y).certificate_ > 1e-6


def test_momentum_that_leads_uphill_is_dropped():
    """Features of which all lean one way: with momentum that is never dropped three times as many steps."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 4)) @ (np.eye(4) + 0.9)
    rng.standard_normal((4, 4))
    Y = 0.6 * X + rng.standard_normal((60, 4))
    assert inverse_transport(None, (X, Y), 1e-2, tol=1e-8).n_iter < 350
