"""Every convex penalty, minimised by FISTA, ends where an interior-point solver ends, with a gap that proves it."""

import warnings

import numpy as np
import pytest

from sparsecode import (
    SLOPE,
    Box,
    GramDesign,
    GroupL1,
    GroupSparseEnvelope,
    KSupport,
    L1Ridge,
    RowL2,
    SparseEnvelope,
    SparseGroupL1,
    Squared,
    TotalVariation1D,
    TotalVariation2D,
    fista,
)
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.problem import make_problem

cvxpy = pytest.importorskip("cvxpy")

N, P = 25, 12
LABELS = (0, 0, 1, 1, 1, 2, 3, 3, 0, 2, 4, 4)
COSTS = (2.0, 1.0, 3.0, 1.5, 2.0)


def members(label):
    return [j for j in range(P) if LABELS[j] == label]


def largest_sum(w, prices):
    """``sum_i prices_i |w|_(i)`` as a sum of sums of largest moduli."""
    steps = np.append(-np.diff(prices), prices[-1])
    return sum(step * cvxpy.sum_largest(cvxpy.abs(w), k + 1) for k, step in enumerate(steps) if step > 0)


def envelope(w, groups, costs, budget):
    """Half the least sum of squared norms over shares, with the constraints on the shares."""
    share = cvxpy.Variable(len(groups))
    terms = [cvxpy.quad_over_lin(w[group], share[g]) for g, group in enumerate(groups)]
    return 0.5 * sum(terms), [share >= 0, share <= 1, np.asarray(costs) @ share <= budget]


def k_support(w, k):
    """The least sum of lengths of vectors with at most k non-zeros that add up to w: all supports, one by one."""
    from itertools import combinations

    supports = list(combinations(range(P), k))
    pieces = cvxpy.Variable((len(supports), k))
    total = sum(
        cvxpy.sum([pieces[s, i] * np.eye(P)[j] for i, j in enumerate(support)]) for s, support in enumerate(supports)
    )
    return cvxpy.sum(cvxpy.norm(pieces, axis=1)), [w == total]


def total_variation(w, isotropic):
    image = cvxpy.reshape(w, (3, 4), order="C")
    if isotropic:
        return isotropic_variation(image)
    return cvxpy.sum(cvxpy.abs(cvxpy.diff(image, axis=0))) + cvxpy.sum(cvxpy.abs(cvxpy.diff(image, axis=1)))


def isotropic_variation(image):
    """Pixel by pixel, with no difference beyond the far edges."""
    terms = []
    for i in range(3):
        for j in range(4):
            pair = [image[i + 1, j] - image[i, j]] if i < 2 else []
            pair += [image[i, j + 1] - image[i, j]] if j < 3 else []
            if pair:
                terms.append(cvxpy.norm(cvxpy.hstack(pair)))
    return sum(terms)


def groups_norm(w, weights):
    return sum(weights[g] * cvxpy.norm(w[members(g)]) for g in range(5))


ROOTS = [len(members(g)) ** 0.5 for g in range(5)]
CASES = {
    "elastic-net": (L1Ridge(0.3, 0.4), lambda w: 0.12 * cvxpy.norm1(w) + 0.09 * cvxpy.sum_squares(w)),
    "ridge": (L1Ridge(0.3, 0.0), lambda w: 0.15 * cvxpy.sum_squares(w)),
    "group": (GroupL1(0.2, LABELS), lambda w: 0.2 * groups_norm(w, ROOTS)),
    "group-free": (GroupL1(0.2, LABELS, (1, 0, 2, 1, 1)), lambda w: 0.2 * groups_norm(w, [1, 0, 2, 1, 1])),
    "sparse-group": (
        SparseGroupL1(0.3, LABELS, 0.4),
        lambda w: 0.12 * cvxpy.norm1(w) + 0.18 * groups_norm(w, ROOTS),
    ),
    "slope": (
        SLOPE(0.2, (3.0, 2.0, 1.5, 1.0)),
        lambda w: 0.2 * largest_sum(w, np.r_[3.0, 2.0, 1.5, np.ones(P - 3)]),
    ),
    "envelope": (
        SparseEnvelope(0.5, 3),
        lambda w: (lambda v, c: (0.5 * v, c))(*envelope(w, [[j] for j in range(P)], np.ones(P), 3)),
    ),
    "group-envelope": (
        GroupSparseEnvelope(0.5, 3.5, LABELS, COSTS),
        lambda w: (lambda v, c: (0.5 * v, c))(*envelope(w, [members(g) for g in range(5)], COSTS, 3.5)),
    ),
    "k-support": (KSupport(0.3, 2), lambda w: (lambda v, c: (0.3 * v, c))(*k_support(w, 2))),
    "box": (Box(-0.2, 0.3), lambda w: (0 * cvxpy.sum(w), [w >= -0.2, w <= 0.3])),
    "tv1d": (TotalVariation1D(0.2), lambda w: 0.2 * cvxpy.sum(cvxpy.abs(cvxpy.diff(w)))),
    "tv2d-anisotropic": (
        TotalVariation2D(0.2, (3, 4), isotropic=False, tol=1e-16),
        lambda w: 0.2 * total_variation(w, False),
    ),
    "tv2d-isotropic": (TotalVariation2D(0.2, (3, 4), tol=1e-16), lambda w: 0.2 * total_variation(w, True)),
}


def data():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((N, P))
    return A, A @ np.repeat([1.0, 0.0, -1.0], 4) + 0.3 * rng.standard_normal(N)


def optimum(A, y, build, variable):
    charge = build(variable)
    charge, constraints = charge if isinstance(charge, tuple) else (charge, [])
    program = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(y - A @ variable) / (2 * len(y)) + charge), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_fista_is_certified_where_an_interior_point_solver_ends(name):
    penalty, build = CASES[name]
    A, y = data()
    best = optimum(A, y, build, cvxpy.Variable(P))
    result = fista(A, y, penalty=penalty, tol=1e-8)
    assert result.status.is_success, result
    assert result.certificate_name == "relative duality gap"
    assert result.certificate <= 1e-8
    assert result.objective == pytest.approx(best, rel=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_the_gap_bounds_the_distance_to_the_optimum_everywhere(name):
    penalty, build = CASES[name]
    A, y = data()
    best = fista(A, y, penalty=penalty, tol=1e-9).objective  # compared with an interior-point solver above
    rng = np.random.default_rng(1)
    problem = make_problem(A, y, Squared(), penalty)
    gram = make_problem(GramDesign(A.T @ A, N, target_sq_norm=y @ y), A.T @ y, Squared(), penalty)
    scale = float(problem.at_zero().loss)
    for size in (0.0, 0.1, 1.0, 10.0):
        coef = penalty.prox(size * rng.standard_normal(P), 0.1)
        here, there = relative_gap(problem, coef), relative_gap(gram, coef)
        assert here.value * scale >= here.objective - best - 1e-8 * scale
        np.testing.assert_allclose(there.value, here.value, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("weights", [None, np.r_[0.0, np.inf, np.linspace(0.5, 2, P - 2)]])
@pytest.mark.parametrize("positive", [False, True])
def test_the_weighted_elastic_net_is_certified(weights, positive):
    A, y = data()
    w = np.ones(P) if weights is None else np.where(np.isinf(weights), 0, weights)
    variable = cvxpy.Variable(P, nonneg=positive)
    charge = 0.3 * (0.4 * w @ cvxpy.abs(variable) + 0.3 * w @ cvxpy.square(variable))
    best = optimum(A, y, lambda v: (charge, [] if weights is None else [v[1] == 0]), variable)
    result = fista(A, y, penalty=L1Ridge(0.3, 0.4, positive), penalty_weights=weights, tol=1e-9)
    assert result.status.is_success
    assert result.objective == pytest.approx(best, rel=1e-7)


def test_rows_are_certified_together_and_one_target_is_the_lasso():
    rng = np.random.default_rng(2)
    A, Y = rng.standard_normal((N, P)), rng.standard_normal((N, 3))
    weights = np.r_[0.0, np.inf, np.linspace(0.5, 2, P - 2)]
    variable = cvxpy.Variable((P, 3))
    charge = 0.2 * np.where(np.isinf(weights), 0, weights) @ cvxpy.norm(variable, axis=1)
    best = optimum(A, Y, lambda v: (charge, [v[1] == 0]), variable)
    result = fista(A, Y, penalty=RowL2(0.2), penalty_weights=weights, tol=1e-9)
    assert result.status.is_success
    assert np.shape(result.certificate) == ()
    assert result.objective == pytest.approx(best, rel=1e-7)
    assert np.all(np.any(result.coef != 0, axis=1) == np.all(result.coef != 0, axis=1))


def test_complex_groups_are_certified():
    rng = np.random.default_rng(3)
    A = rng.standard_normal((N, P)) + 1j * rng.standard_normal((N, P))
    y = A[:, 0] + 0.1 * rng.standard_normal(N)
    for penalty in (
        GroupL1(0.2, 2),
        SparseGroupL1(0.2, 3),
        SLOPE(0.2, (2.0, 1.0)),
        SparseEnvelope(0.5, 2),
        KSupport(0.2, 2),
    ):
        assert fista(A, y, penalty=penalty, tol=1e-8).status.is_success


def test_bad_parameters_are_refused_by_name():
    A, y = data()
    for penalty, field in (
        (L1Ridge(1.0, 1.5), "l1_ratio"),
        (GroupL1(1.0, (0, 1)), "groups"),
        (GroupL1(1.0, 0), "groups"),
        (GroupL1(1.0, 3, (1.0,)), "weights"),
        (GroupL1(1.0, 6, (1.0, -1.0)), "weights"),
        (SparseGroupL1(1.0, 2, -0.1), "l1_ratio"),
        (SLOPE(1.0, (1.0, 2.0)), "prices"),
        (SLOPE(1.0, ()), "prices"),
        (SparseEnvelope(1.0, 0), "n_nonzero"),
        (KSupport(1.0, 1.5), "n_nonzero"),
        (GroupSparseEnvelope(1.0, 0.0), "budget"),
        (GroupSparseEnvelope(1.0, 1.0, 6, (1.0, 0.0)), "costs"),
        (TotalVariation2D(1.0, (3, 5)), "shape"),
        (Box(1.0, 2.0), "lower"),
    ):
        with pytest.raises(ValueError, match=f"{type(penalty).__name__}.*{field}"):
            fista(A, y, penalty=penalty)
