"""Group, sparse group and row lasso by working sets of blocks, against definitions, closed forms and an interior-point solver."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsecode import (
    GroupL1,
    RowL2,
    SparseGroupL1,
    Status,
    alpha_max,
    lasso,
    solve,
)
from tests.planted import planted
from tests.solvers.block_cases import LABELS, TIGHT, each, target_of

cvxpy = pytest.importorskip("cvxpy")


def charge(penalty, coef, weights=None):
    """The penalty from its definition; labels of groups must be 0, 1, ..."""
    if isinstance(penalty, RowL2):
        sizes = np.abs(coef) if coef.ndim == 1 else np.linalg.norm(coef, axis=1)
        weights = np.ones(len(coef)) if weights is None else weights
        return penalty.alpha * sum(w * size for w, size in zip(weights, sizes, strict=True) if size > 0)
    share = getattr(penalty, "l1_ratio", 0.0)
    total = share * np.abs(coef).sum()
    for group, members in enumerate(members_of(penalty, len(coef))):
        weight = np.sqrt(len(members)) if penalty.weights is None else penalty.weights[group]
        size = np.linalg.norm(coef[members])
        total += (1 - share) * weight * size if size > 0 else 0.0
    return penalty.alpha * total


def members_of(penalty, n_features):
    """Columns of each group."""
    labels = np.arange(n_features) // penalty.groups if isinstance(penalty.groups, int) else np.array(penalty.groups)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def objective(A, y, penalty, coef, weights=None):
    """The minimised function from its definition."""
    return np.sum((y - A @ coef) ** 2) / (2 * len(A)) + charge(penalty, coef, weights)


def naive(A, y, penalty, sweeps=4000):
    """Block descent on the residual: one proximal gradient step on each block in turn."""
    n_samples, n_features = A.shape
    coef, residual = np.zeros((n_features, *y.shape[1:])), y.astype(float).copy()
    rows = isinstance(penalty, RowL2)
    groups = [np.array([j]) for j in range(n_features)] if rows else members_of(penalty, n_features)
    share = getattr(penalty, "l1_ratio", 0.0)
    for _ in range(sweeps):
        largest = 0.0
        for group in groups:
            block = A[:, group]
            step = n_samples / np.linalg.norm(block, 2) ** 2
            moved = coef[group] + step * block.T @ residual / n_samples
            moved = np.sign(moved) * np.maximum(np.abs(moved) - step * penalty.alpha * share, 0)
            threshold = step * penalty.alpha * (1 - share) * (1.0 if rows else np.sqrt(len(group)))
            size = np.linalg.norm(moved)
            moved = moved * max(1 - threshold / size, 0) if size > 0 else moved
            residual -= block @ (moved - coef[group])
            largest = max(largest, np.abs(moved - coef[group]).max())
            coef[group] = moved
        if largest < 1e-14:
            break
    return coef


# ---------------------------------------------------------------- against independent solvers


@each
@pytest.mark.parametrize("n_features", [24, 80])  # interpreted, and compiled
def test_it_ends_where_plain_block_descent_ends(penalty, n_features):
    A, y, _ = target_of(penalty, n_features=n_features)
    if not isinstance(penalty, RowL2) and isinstance(penalty.groups, tuple):
        penalty = penalty._replace(groups=LABELS[:n_features])
    result = solve(A, y, penalty=penalty, **TIGHT)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, naive(A, y, penalty), atol=1e-6)
    assert result.objective == pytest.approx(objective(A, y, penalty, result.coef), rel=1e-12)


@st.composite
def group_problems(draw):
    """Small designs of any shape, labels in any order, weights from 0 to infinity, and a strength."""
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    n_samples, n_features = draw(st.integers(3, 14)), draw(st.integers(1, 12))
    labels = rng.integers(0, draw(st.integers(1, 5)), n_features)
    labels = tuple(int(label) for label in np.unique(labels, return_inverse=True)[1])
    few = max(0, min(1, n_samples - 3))
    weights = rng.uniform(0.2, 3.0, max(labels) + 1)
    if draw(st.booleans()) and few and labels.count(0) < n_samples - 1:
        weights[0] = 0.0
    if draw(st.booleans()) and len(weights) > 1:  # excluding every group is an error
        weights[-1] = np.inf
    A = rng.standard_normal((n_samples, n_features)) * 10.0 ** rng.uniform(-1, 1, n_features)
    return A, rng.standard_normal(n_samples), labels, tuple(weights), draw(st.sampled_from([0.02, 0.3, 0.9]))


def cvxpy_minimum(A, y, coef, penalty, constraints):
    """The optimal value, to the accuracy of an interior-point method."""
    misfit = cvxpy.sum_squares(A @ coef - y) / (2 * len(A))
    program = cvxpy.Problem(cvxpy.Minimize(misfit + penalty), constraints)
    return program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(group_problems(), st.sampled_from([0.0, 0.4, 1.0]))
def test_groups_reach_the_optimum_of_an_interior_point_solver(problem, l1_ratio):
    A, y, labels, weights, fraction = problem
    penalty = SparseGroupL1(1.0, labels, l1_ratio, weights) if l1_ratio else GroupL1(1.0, labels, weights)
    penalty = penalty._replace(alpha=fraction * alpha_max(A, y, penalty=penalty) or 1.0)
    result = solve(A, y, penalty=penalty, **(TIGHT | {"tol": 1e-9}))
    assert result.status is Status.CONVERGED
    coef = cvxpy.Variable(len(labels))
    groups = members_of(penalty, len(labels))
    terms = [
        weight * cvxpy.norm2(coef[group]) for weight, group in zip(weights, groups, strict=True) if 0 < weight < np.inf
    ]
    cost = penalty.alpha * ((1 - l1_ratio) * sum(terms) + l1_ratio * cvxpy.norm1(coef))
    excluded = [coef[group] == 0 for weight, group in zip(weights, groups, strict=True) if np.isinf(weight)]
    best = cvxpy_minimum(A, y, coef, cost, excluded)
    scale = y @ y / (2 * len(y))
    assert abs(result.objective - best) <= 1e-7 * scale
    assert all(
        not np.any(result.coef[group]) for weight, group in zip(weights, groups, strict=True) if weight == np.inf
    )


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**16), st.integers(4, 12), st.integers(1, 12), st.integers(1, 4), st.sampled_from([0.02, 0.3]))
def test_rows_reach_the_optimum_of_an_interior_point_solver(seed, n_samples, n_features, n_targets, fraction):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_features)) * 10.0 ** rng.uniform(-1, 1, n_features)
    Y = rng.standard_normal((n_samples, n_targets))
    weights = rng.uniform(0.2, 3.0, n_features)
    weights[1:2], weights[3:4] = 0.0, np.inf
    penalty = RowL2(fraction * alpha_max(A, Y, penalty=RowL2(1.0), penalty_weights=weights) or 1.0)
    result = solve(A, Y, penalty=penalty, penalty_weights=weights, **(TIGHT | {"tol": 1e-9}))
    assert result.status is Status.CONVERGED
    assert isinstance(result.certificate, float)  # one number for all targets
    coef = cvxpy.Variable((n_features, n_targets))
    finite = np.where(np.isinf(weights), 0.0, weights)
    cost = penalty.alpha * cvxpy.sum(cvxpy.multiply(finite, cvxpy.norm(coef, axis=1)))
    best = cvxpy_minimum(A, Y, coef, cost, [coef[j] == 0 for j in np.flatnonzero(np.isinf(weights))])
    assert abs(result.objective - best) <= 1e-7 * np.sum(Y**2) / (2 * n_samples)
    assert not np.any(result.coef[np.isinf(weights)])


# ---------------------------------------------------------------- closed forms and limits


def test_groups_of_one_column_are_the_lasso():
    A, y, _ = planted()
    reference = lasso(A, y, 0.2, tol=1e-12).coef
    for penalty in (GroupL1(0.2, 1), SparseGroupL1(0.2, 1, 0.3), RowL2(0.2)):
        np.testing.assert_allclose(solve(A, y, penalty=penalty, **TIGHT).coef, reference, atol=1e-6)
    column = solve(A, y[:, None], penalty=RowL2(0.2), **TIGHT).coef
    np.testing.assert_allclose(column[:, 0], reference, atol=1e-6)


def test_the_limits_of_the_sparse_group_lasso_are_the_group_lasso_and_the_lasso():
    A, y, _ = planted()
    groups = solve(A, y, penalty=GroupL1(0.15, 4), **TIGHT).coef
    np.testing.assert_allclose(solve(A, y, penalty=SparseGroupL1(0.15, 4, 0.0), **TIGHT).coef, groups, atol=1e-6)
    single = lasso(A, y, 0.15, tol=1e-12).coef
    np.testing.assert_allclose(solve(A, y, penalty=SparseGroupL1(0.15, 4, 1.0), **TIGHT).coef, single, atol=1e-6)


def test_an_orthonormal_design_is_solved_by_one_block_threshold():
    A = np.linalg.qr(np.random.default_rng(0).standard_normal((80, 80)))[0] * np.sqrt(80)
    Y = A @ np.random.default_rng(1).standard_normal((80, 3))
    pull = A.T @ Y / 80
    one, size = pull[:, 0].reshape(20, 4), np.linalg.norm(pull[:, 0].reshape(20, 4), axis=1, keepdims=True)
    expected = (one * np.maximum(1 - 0.8 * 2 / size, 0)).ravel()
    np.testing.assert_allclose(solve(A, Y[:, 0], penalty=GroupL1(0.8, 4), **TIGHT).coef, expected, atol=1e-9)
    expected = pull * np.maximum(1 - 0.8 / np.linalg.norm(pull, axis=1, keepdims=True), 0)
    np.testing.assert_allclose(solve(A, Y, penalty=RowL2(0.8), **TIGHT).coef, expected, atol=1e-9)


@each
def test_the_answer_is_zero_from_the_critical_strength_on_and_not_below(penalty):
    A, y, _ = target_of(penalty)
    critical = alpha_max(A, y, penalty=penalty)
    assert not np.any(solve(A, y, penalty=penalty._replace(alpha=1.0001 * critical), **TIGHT).coef)
    assert np.any(solve(A, y, penalty=penalty._replace(alpha=0.99 * critical), **TIGHT).coef)


@each
def test_the_answer_is_stationary(penalty):
    """Used blocks pull exactly as the penalty pushes; unused ones no more than it allows."""
    A, y, _ = target_of(penalty)
    coef = solve(A, y, penalty=penalty, **(TIGHT | {"tol": 1e-13})).coef
    pull = A.T @ (y - A @ coef) / len(A)
    share = getattr(penalty, "l1_ratio", 0.0)
    rows = isinstance(penalty, RowL2)
    groups = [np.array([j]) for j in range(80)] if rows else members_of(penalty, 80)
    assert any(coef[group].any() for group in groups)
    assert not all(coef[group].any() for group in groups)
    for group in groups:
        weight = penalty.alpha * (1 - share) * (1.0 if rows else np.sqrt(len(group)))
        single, size = penalty.alpha * share, np.linalg.norm(coef[group])
        if size == 0:
            left = np.maximum(np.abs(pull[group]) - single, 0)
            assert np.linalg.norm(left) <= weight + 1e-9
            continue
        used = coef[group] != 0
        push = weight * coef[group] / size + single * np.sign(coef[group])
        np.testing.assert_allclose(pull[group][used], push[used], atol=1e-6)
        assert np.all(np.abs(pull[group][~used]) <= single + 1e-9)
