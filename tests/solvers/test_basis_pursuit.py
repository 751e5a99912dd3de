"""Basis pursuit: against linear and conic programs, and the certificate from its definition."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, Status, basis_pursuit
from sparsecode.losses import Squared
from sparsecode.penalties import L1
from sparsecode.solvers.certificates import constrained_gap
from sparsecode.solvers.interpolation import aligned, interpolated
from sparsecode.solvers.problem import make_problem
from tests.planted import planted


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_an_exact_fit_is_that_of_a_linear_program(seed, positive):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(1, 12), rng.integers(12, 30)
    A = rng.standard_normal((n, p))
    x = rng.standard_normal(p) * (rng.random(p) < 0.5)
    y = A @ (np.abs(x) if positive else x)
    weights = rng.uniform(0.5, 2.0, p)
    result = basis_pursuit(A, y, penalty_weights=weights, positive=positive, tol=1e-8)
    one_sided = [(0, None)] * p + [(0, 0 if positive else None)] * p
    expected = linprog(np.r_[weights, weights], A_eq=np.hstack([A, -A]), b_eq=y, bounds=one_sided).fun
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(expected, rel=1e-6, abs=1e-9)
    np.testing.assert_allclose(A @ result.coef, y, atol=1e-6 * (1 + np.linalg.norm(y)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.9), st.booleans())
def test_denoising_is_a_conic_program(seed, share, complex_):
    import cvxpy as cp

    rng = np.random.default_rng(seed)
    n, p = rng.integers(2, 12), rng.integers(12, 24)
    A, y = rng.standard_normal((n, p)), rng.standard_normal(n)
    if complex_:
        A, y = A + 1j * rng.standard_normal((n, p)), y + 1j * rng.standard_normal(n)
    noise = share * np.linalg.norm(y)
    x = cp.Variable(p, complex=complex_)
    expected = cp.Problem(cp.Minimize(cp.norm1(x)), [cp.norm(y - A @ x) <= noise]).solve(solver="CLARABEL")
    result = basis_pursuit(A, y, noise=noise)
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(expected, rel=1e-4)
    assert np.linalg.norm(y - A @ result.coef) <= noise + 1e-6 * np.linalg.norm(y)


@pytest.mark.parametrize("complex_", [False, True])
def test_exact_measurements_of_a_sparse_vector_give_it_back(complex_):
    A, _, coef = planted(40, 100, complex_=complex_)
    result = basis_pursuit(A, A @ coef)
    np.testing.assert_array_equal(result.support, np.flatnonzero(coef))
    np.testing.assert_allclose(result.coef, coef, atol=1e-6)


def test_a_noise_above_the_target_needs_no_coefficient():
    A, y, _ = planted()
    result = basis_pursuit(A, y, noise=1.01 * np.linalg.norm(y))
    assert result.status is Status.CONVERGED
    assert result.support.size == 0


def test_more_noise_never_costs_more():
    A, y, _ = planted(noise=0.5)
    costs = [basis_pursuit(A, y, noise=share * np.linalg.norm(y)).objective for share in (0.0, 0.1, 0.3, 0.7)]
    assert np.all(np.diff(costs) < 0)


def test_a_noise_out_of_reach_is_said():
    A, y, _ = planted(60, 10, noise=1.0)
    with pytest.warns(ConvergenceWarning, match="pass a noise above it"):
        result = basis_pursuit(A, y, noise=0.01)
    assert not result.status.is_success
    assert np.all(np.isfinite(result.coef))


def test_a_free_column_costs_nothing_and_an_excluded_one_is_never_used():
    A, y, _ = planted(30, 60, noise=0.5)
    weights = np.ones(60)
    weights[3], weights[4] = 0.0, np.inf
    result = basis_pursuit(A, y, penalty_weights=weights)
    assert result.status is Status.CONVERGED
    assert result.coef[4] == 0
    assert result.objective == pytest.approx(np.abs(np.delete(result.coef, [3, 4])).sum())
    assert result.objective < basis_pursuit(np.delete(A, 4, axis=1), y).objective


def test_the_certificate_is_gap_and_infeasibility_from_their_definition():
    A, y, _ = planted(noise=0.5)
    problem = make_problem(A, y, Squared(), L1(1.0))
    rng = np.random.default_rng(0)
    coef, dual, noise = rng.standard_normal(80), y + rng.standard_normal(60), 0.5
    dual_unit = dual / np.abs(A.T @ dual).max()
    bound = max(y @ dual_unit - noise * np.linalg.norm(dual_unit), 0.0)
    primal = np.abs(coef).sum()
    missed = (np.linalg.norm(y - A @ coef) - noise) / np.linalg.norm(y)
    expected = max(abs(primal - bound) / max(primal, bound), missed)
    assert constrained_gap(problem, coef, dual, noise).value == pytest.approx(expected)


def test_a_sample_of_weight_two_counts_like_two():
    A, y, _ = planted(30, 40, noise=0.5)
    weights = 1 + np.arange(30) % 3
    twice = basis_pursuit(np.repeat(A, weights, axis=0), np.repeat(y, weights), noise=2.0)
    once = basis_pursuit(A, y, noise=2.0, sample_weight=weights)
    np.testing.assert_allclose(once.coef, twice.coef, atol=1e-4)


@pytest.mark.parametrize("noise", [-1.0, np.nan, "little"])
def test_a_noise_that_is_none_is_refused(noise):
    A, y, _ = planted()
    with pytest.raises(ValueError, match="noise"):
        basis_pursuit(A, y, noise=noise)


def test_a_gram_matrix_is_refused_with_the_reason():
    A, y, _ = planted()
    with pytest.raises(ValueError, match="GramDesign"):
        basis_pursuit(GramDesign(A.T @ A, 60, target_sq_norm=y @ y), A.T @ y)


def test_sparse_designs_and_many_targets_are_solved_alike():
    A, Y, _ = planted(30, 60, n_targets=2)
    together = basis_pursuit(sp.csc_array(A), Y, noise=0.2)
    for k in range(2):
        np.testing.assert_allclose(together.coef[:, k], basis_pursuit(A, Y[:, k], noise=0.2).coef, atol=1e-5)


def test_interpolation_keeps_the_support_and_alignment_the_signs():
    A, y, _ = planted(30, 60)
    problem = make_problem(A, y, Squared(), L1(1.0))
    coef = np.where(np.arange(60) < 30, 1.0, 0.0)
    found = interpolated(problem, coef)
    np.testing.assert_allclose(A @ found, y, atol=1e-9)
    assert np.all(found[30:] == 0)
    dual = aligned(problem, found, y, 0.5)
    support = found != 0
    np.testing.assert_allclose((A.T @ dual)[support], 0.5 * np.sign(found[support]), atol=1e-8)


def test_nothing_is_said_where_all_is_well():
    A, y, _ = planted(30, 60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert basis_pursuit(A, y).status is Status.CONVERGED


@pytest.mark.parametrize("noise", [0.0, 0.5, 2.0])
def test_a_design_of_zeros_explains_nothing(noise):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = basis_pursuit(np.zeros((3, 2)), np.ones(3), noise=noise)
    np.testing.assert_array_equal(result.coef, 0)
    assert float(result.certificate) == pytest.approx(max(3**0.5 - noise, 0.0) / 3**0.5)
    assert result.status.is_success == (noise >= 3**0.5)
