"""Exact fits of least l1 norm by a path inside the dual: against conic programs, real and complex, in every namespace."""

import warnings

import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator

from sparsecode import BasisPursuit, Status, basis_pursuit
from sparsecode.losses import Squared
from sparsecode.penalties import L1
from sparsecode.solvers import interpolation
from sparsecode.solvers.certificates import constrained_gap
from sparsecode.solvers.cone_path import cone_path
from sparsecode.solvers.interpolation import least_moduli
from sparsecode.solvers.problem import make_problem
from tests._backends import FOREIGN, get, put


def conic(A, y, weights=None, positive=False):
    """The least weighted l1 norm, by another interior-point method; columns of infinite weight do not exist."""
    import cvxpy as cp

    weights = np.ones(A.shape[1]) if weights is None else weights
    kept = np.isfinite(weights)
    x = cp.Variable(int(kept.sum()), complex=np.iscomplexobj(A), nonneg=positive)
    program = cp.Problem(cp.Minimize(weights[kept] @ cp.abs(x)), [A[:, kept] @ x == y])
    return program.solve(solver="CLARABEL")


def drawn(n, p, seed, complex_=True):
    """A design and a target that no few columns explain."""
    rng = np.random.default_rng(seed)
    A, y = rng.standard_normal((n, p)), rng.standard_normal(n)
    if complex_:
        A, y = A + 1j * rng.standard_normal((n, p)), y + 1j * rng.standard_normal(n)
    return A, y, rng


@pytest.mark.parametrize("seed", range(12))
def test_complex_targets_that_no_few_columns_explain_are_met(seed):
    n = 1 + seed
    A, y, rng = drawn(n, 3 * n + seed % 4, seed)
    weights = rng.uniform(0.5, 2.0, A.shape[1]) if seed % 3 else None
    result = basis_pursuit(A, y, penalty_weights=weights, tol=1e-8)
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(conic(A, y, weights), rel=1e-5)
    assert np.linalg.norm(A @ result.coef - y) <= 1e-8 * np.linalg.norm(y)


def test_complex_answers_may_have_more_coefficients_than_samples():
    A, y, _ = drawn(20, 60, 0)
    result = basis_pursuit(A, y, tol=1e-9)
    assert result.status is Status.CONVERGED
    assert 20 < result.support.size <= 40


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(("complex_", "positive"), [(False, False), (False, True), (True, False)])
def test_other_namespaces_are_met_as_exactly(name, complex_, positive):
    A, y, _ = drawn(15, 50, 3, complex_)
    y = A @ np.where(np.arange(50) < 15, 1.0 + np.arange(50), 0.0) if positive else y
    result = basis_pursuit(put(A, name), put(y, name), positive=positive)
    assert result.status is Status.CONVERGED
    coef = get(result.coef)
    assert result.objective == pytest.approx(conic(A, y, positive=positive), rel=1e-5)
    np.testing.assert_allclose(A @ coef, y, atol=1e-6 * np.linalg.norm(y))
    assert not positive or np.all(coef >= 0)


@pytest.mark.parametrize("complex_", [False, True])
def test_free_and_excluded_columns_keep_their_meaning(complex_):
    A, y, _ = drawn(12, 40, 5, complex_)
    weights = np.ones(40)
    weights[[3, 8]], weights[[4, 20]] = 0.0, np.inf
    result = basis_pursuit(put(A, "torch"), put(y, "torch"), penalty_weights=weights)
    coef = get(result.coef)
    assert result.status is Status.CONVERGED
    assert not coef[[4, 20]].any() and coef[[3, 8]].all()
    assert result.objective == pytest.approx(conic(A, y, weights), rel=1e-5)


def test_columns_join_until_the_dual_point_violates_none(monkeypatch):
    monkeypatch.setattr(interpolation, "_COLUMNS", 1)
    A, y, _ = drawn(10, 200, 1)
    problem = make_problem(A, y, Squared(), L1(1.0))
    coef, dual = least_moduli(problem, np.ones(10, dtype=complex), 1e-9)
    assert np.max(np.abs(A.conj().T @ dual)) <= 1 + 1e-8
    assert np.abs(coef).sum() == pytest.approx(np.vdot(dual, y).real, rel=1e-7)
    assert np.abs(coef).sum() == pytest.approx(conic(A, y), rel=1e-6)


@pytest.mark.parametrize("one_sided", [False, True])
def test_dependent_rows_are_met_and_targets_out_of_range_refused(one_sided):
    A, _, _ = drawn(8, 30, 2, complex_=False)
    A = np.vstack([A, A[:3] + A[3:6]])
    y = A @ np.r_[np.ones(8), np.zeros(22)]
    values, dual = cone_path(A, y, one_sided, 1e-9)
    np.testing.assert_allclose(A @ values, y, atol=1e-9)
    assert np.abs(values).sum() == pytest.approx(y @ dual, rel=1e-8)
    assert y @ dual == pytest.approx(conic(A, y, positive=one_sided), rel=1e-6)
    assert cone_path(A, y + np.eye(11)[8], one_sided, 1e-9) is None


def test_a_target_that_only_negative_coefficients_reach_is_refused():
    A = np.abs(drawn(5, 20, 0, complex_=False)[0])
    assert cone_path(A, -A.sum(axis=1), True, 1e-9) is None


def test_a_problem_too_large_for_the_path_is_left_alone(monkeypatch):
    A, y, _ = drawn(10, 30, 0)
    problem = make_problem(A, y, Squared(), L1(1.0))
    assert least_moduli(problem, y, 1e-9) is not None
    monkeypatch.setattr(interpolation, "_LARGEST", 100)
    assert least_moduli(problem, y, 1e-9) is None


@pytest.mark.parametrize("unit", [1e-130, 1e-9, 1e9, 1e130])
def test_units_change_nothing(unit):
    A, y, _ = drawn(8, 24, 4)
    one, other = basis_pursuit(A, y), basis_pursuit(unit**0.5 * A, unit * y)
    assert other.status is Status.CONVERGED
    np.testing.assert_allclose(other.coef / unit**0.5, one.coef, atol=1e-4)


def test_operators_and_estimators_take_the_path():
    A, y, _ = drawn(12, 40, 6)
    plain = basis_pursuit(A, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        operator = basis_pursuit(aslinearoperator(A), y)
        model = BasisPursuit(fit_intercept=False).fit(A, y)
    assert operator.objective == pytest.approx(plain.objective, rel=1e-5)
    np.testing.assert_allclose(model.coef_, plain.coef, atol=1e-4)


@pytest.mark.parametrize("scale", [1e4, 1e6])
def test_needed_coefficients_stay_whatever_the_scales_of_columns(scale):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((8, 24)) + 1j * rng.standard_normal((8, 24))
    y = rng.standard_normal(8) + 1j * rng.standard_normal(8)
    A[:, 3] *= scale
    result = basis_pursuit(A, y, max_iter=3)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(A @ result.coef, y, atol=1e-6)


def test_small_coefficients_are_not_dropped():
    np.testing.assert_allclose(cone_path(np.eye(2), np.array([1.0, 1e-5]), False, 1e-8)[0], [1.0, 1e-5], rtol=1e-6)


def test_one_sided_coefficients_are_never_negative_and_fit():
    rng = np.random.default_rng(5)
    for _ in range(30):
        A = rng.standard_normal((4, 11)) * 10.0 ** rng.uniform(-3, 3, 11)
        y = A @ np.where(rng.random(11) < 0.4, 10.0 ** rng.uniform(-5, 0, 11), 0.0)
        found = cone_path(A, y, True, 1e-6)
        if found is not None and np.any(y):
            assert np.all(found[0] >= 0)
            assert np.linalg.norm(A @ found[0] - y) <= 2e-6 * np.linalg.norm(y)


def test_rounds_that_run_out_leave_an_answer_or_none(monkeypatch):
    monkeypatch.setattr(interpolation, "_ROUNDS", 1)
    monkeypatch.setattr(interpolation, "_COLUMNS", 1)
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((4, 40)), rng.standard_normal(4)
    found = interpolation.least_moduli(make_problem(A, y, Squared(), L1(1.0)), y, 1e-9)
    if found is not None:
        np.testing.assert_allclose(A @ found[0], y, atol=1e-8)


@pytest.mark.parametrize(
    ("A", "y", "noise", "answer"),
    [
        ([[1.0, 1.0]], [2.0], 0.0, [2.0, 0.0]),
        ([[1.0, 1.0], [0.0, 1.0]], [2.0, 0.0], 0.1, [2.0, 0.0]),
        ([[1.0j, 1.0]], [2.0], 0.0, [-2.0j, 0.0]),
    ],
)
def test_free_columns_that_explain_the_target_are_the_answer(A, y, noise, answer):
    result = basis_pursuit(np.array(A), np.array(y, dtype=np.array(A).dtype), noise=noise, penalty_weights=[0.0, 1.0])
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, answer, atol=0.11 if noise else 1e-12)


def without(A, y, free):
    """The least l1 norm where some columns cost nothing: of what is left of all once these are projected out."""
    basis = np.linalg.qr(A[:, free])[0]
    left, aim = A - basis @ (basis.conj().T @ A), y - basis @ (basis.conj().T @ y)
    rows = np.linalg.svd(left)[0][:, : A.shape[0] - len(free)].conj().T
    charged = np.setdiff1d(np.arange(A.shape[1]), free)
    return conic(rows @ left[:, charged], rows @ aim)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("size", [1e10, 1e13, 1e16, 1e20])
@pytest.mark.parametrize("free", [[3], [2, 7]])
def test_columns_of_any_size_hide_nothing_of_the_others(complex_, size, free):
    A, y, _ = drawn(8, 24, 5, complex_)
    least = without(A, y, free)
    large = A.copy()
    large[:, free] *= size
    values, dual = cone_path(large, y, False, 1e-9)
    assert np.linalg.norm(large @ values - y) <= 1e-12 * np.linalg.norm(y)
    assert np.sum(np.abs(values)) == pytest.approx(least, rel=1e-6)
    assert np.max(np.abs(np.delete(large, free, 1).conj().T @ dual)) <= 1.0 + 1e-9
    assert (y.conj() @ dual).real == pytest.approx(least, rel=1e-6)
    if complex_:  # of real data Lassos come first
        result = basis_pursuit(large, y, tol=1e-7)
        assert result.status is Status.CONVERGED and result.n_iter <= 2
        weights = np.ones(24)
        weights[free] = 1.0 / size
        result = basis_pursuit(A, y, penalty_weights=weights, tol=1e-7)
        assert result.status is Status.CONVERGED and result.n_iter <= 2
        assert result.objective == pytest.approx(least, rel=1e-6)


def test_a_large_column_twice_takes_no_direction_from_the_others():
    A, y, _ = drawn(8, 24, 5)
    large = np.hstack([A, (1 + 1j) * A[:, [3]]])
    large[:, [3, 24]] *= 1e16
    values, _ = cone_path(large, y, False, 1e-9)
    assert np.sum(np.abs(values)) == pytest.approx(without(A, y, [3]), rel=1e-6)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(10))
def test_no_dual_point_proves_more_than_the_least_norm_where_correlations_are_rounding(seed, noise):
    A, y, rng = drawn(5, 12, seed, complex_=False)
    large = rng.choice(12, 1 + seed % 3, replace=False)
    size = np.ones(12)
    size[large] = 10.0 ** rng.uniform(8, 14, large.size)
    weights = rng.uniform(0.5, 2.0, 12) / size
    least, best = _least_noisy(A, y, weights, noise)
    basis = np.linalg.qr(A[:, large])[0]
    problem, proved = make_problem(A, y, Squared(), L1(1.0), penalty_weights=weights), 0.0
    for _ in range(30):
        off = (
            basis @ rng.standard_normal(large.size) * rng.choice([0.0, 1e-6, 1e-4, 1e-2])
        )  # above the limits of large columns
        off = off if off @ y > 0 else -off
        dual = best - basis @ (basis.T @ best) + off
        certificate = constrained_gap(problem, np.linalg.pinv(A) @ y, dual, noise)
        bound = (1.0 - float(certificate.value)) * float(certificate.objective)
        assert bound <= least * (1.0 + 1e-6)
        proved = max(proved, bound)
    assert proved > 0.99 * least


def _least_noisy(A, y, weights, noise):
    """The least norm under a bound on the residual, and the dual point that proves it."""
    import cvxpy as cp

    v = cp.Variable(A.shape[0])
    limits = cp.abs(A.T @ v / weights.clip(1e-6)) <= np.minimum(weights / 1e-6, 1.0)
    least = cp.Problem(cp.Maximize(y @ v - noise * cp.norm(v)), [limits]).solve(solver="CLARABEL")
    return least, v.value
