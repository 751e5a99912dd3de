"""Primal and dual proximal steps: every loss without a gradient with every kind of penalty, against conic programs."""

import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator

from sparsecode import (
    L0,
    L1,
    MCP,
    SLOPE,
    Absolute,
    Box,
    GroupL1,
    Lq,
    Quantile,
    RowL2,
    SquareRoot,
    Status,
    TotalVariation1D,
    WithIntercept,
    solve,
)
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.problem import make_problem
from sparsecode.solvers.proximal import primal_dual
from tests.planted import planted

LOSSES = [Absolute(), Quantile(0.3), SquareRoot(), WithIntercept(Absolute()), WithIntercept(SquareRoot())]
PENALTIES = [L1(0.1), L1(0.1, positive=True), GroupL1(0.1, 2), TotalVariation1D(0.1), Box(-0.5, 1.0)]


def conic(A, y, loss, penalty):
    """The minimum by an interior-point method."""
    import cvxpy as cp

    core = getattr(loss, "loss", loss)
    x, c = cp.Variable(A.shape[1]), cp.Variable()
    r = y - A @ x - (c if core is not loss else 0)
    if isinstance(core, SquareRoot):
        misfit = cp.norm(r) / np.sqrt(len(y))
    else:
        low, high = core.slopes()
        misfit = cp.sum(cp.maximum(low * r, high * r)) / len(y)
    limits = []
    if isinstance(penalty, GroupL1):
        cost = sum(cp.norm(x[i : i + 2]) * 0.1 * np.sqrt(2) for i in range(0, A.shape[1], 2))
    elif isinstance(penalty, TotalVariation1D):
        cost = 0.1 * cp.norm1(cp.diff(x))
    elif isinstance(penalty, Box):
        cost, limits = 0.0, [x >= penalty.lower, x <= penalty.upper]
    else:
        cost, limits = 0.1 * cp.norm1(x), [x >= 0] if penalty.positive else []
    return cp.Problem(cp.Minimize(misfit + cost), limits).solve(solver="CLARABEL")


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_the_minimum_is_that_of_a_conic_program(loss, penalty):
    A, y, _ = planted(30, 16, noise=1.0)
    result = solve(A, y + 1, loss, penalty, solver="primal_dual", tol=1e-7)
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(conic(A, y + 1, loss, penalty), abs=2e-6)


@pytest.mark.parametrize("loss", [Absolute(), WithIntercept(Quantile(0.3)), SquareRoot()], ids=repr)
@pytest.mark.parametrize("kind", [np.asarray, aslinearoperator])
def test_free_columns_of_any_scale_and_excluded_ones_keep_their_meaning(kind, loss):
    import cvxpy as cp

    A, y, _ = planted(40, 12, noise=1.0)
    A = A * np.geomspace(1e-2, 1e2, 12)
    A[:, 2] = 3.0 * A[:, 0]  # dependent free columns
    A[:, 1] = A[:, 5] + 1e-3 * A[:, 1]
    weights = np.r_[np.zeros(4), np.inf, np.ones(7)]
    x, c = cp.Variable(12), cp.Variable()
    core = getattr(loss, "loss", loss)
    r = y - A @ x - (c if core is not loss else 0)
    if isinstance(core, SquareRoot):
        misfit = cp.norm(r) / np.sqrt(40)
    else:
        low, high = core.slopes()
        misfit = cp.sum(cp.maximum(low * r, high * r)) / 40
    expected = cp.Problem(cp.Minimize(misfit + 0.1 * cp.norm1(x[5:])), [x[4] == 0]).solve(solver="CLARABEL")
    result = solve(kind(A), y, loss, L1(0.1), penalty_weights=weights, solver="primal_dual", tol=1e-7)
    assert result.status is Status.CONVERGED
    assert result.coef[4] == 0
    assert result.objective == pytest.approx(expected, rel=1e-5)


def test_free_columns_do_not_slow_the_steps_by_their_scales(monkeypatch):
    A, y, _ = planted(40, 12, noise=1.0)
    A[:, :4] *= np.geomspace(1e-1, 10.0, 4)
    weights = np.r_[np.zeros(4), np.ones(8)]

    def iterations():
        return solve(A, y, Absolute(), L1(0.1), penalty_weights=weights, solver="primal_dual").n_iter

    few = iterations()
    monkeypatch.setattr(primal_dual, "_FREE_COLUMNS", 0)  # the metric of the coefficients themselves
    assert 2 * few < iterations()


def test_slope_is_no_cheaper_than_its_least_l1_norm():
    A, y, _ = planted(30, 16, noise=1.0)
    shares = tuple(np.linspace(2.0, 1.0, 16))
    between = solve(A, y, Absolute(), SLOPE(0.1, shares)).objective
    assert solve(A, y, Absolute(), L1(0.1)).objective < between < solve(A, y, Absolute(), L1(0.2)).objective


def test_rows_shared_by_targets_are_one_problem():
    A, Y, _ = planted(40, 20, n_targets=3, noise=0.5)
    result = solve(A, Y, Absolute(), RowL2(0.3), tol=1e-7)
    assert result.status is Status.CONVERGED
    assert np.all((result.coef != 0).all(axis=1) | (result.coef == 0).all(axis=1))


def test_complex_data_are_solved_by_the_square_root_loss():
    A, y, _ = planted(30, 16, noise=0.5, complex_=True)
    other = solve(A, y, SquareRoot(), L1(0.1), tol=1e-8)
    result = solve(A, y, SquareRoot(), L1(0.1), solver="primal_dual", tol=1e-8)
    np.testing.assert_allclose(result.coef, other.coef, atol=1e-5)


def test_matrix_free_designs_are_solved_like_their_matrix():
    A, y, _ = planted(40, 30, noise=1.0)
    result = solve(aslinearoperator(A), y, Absolute(), L1(0.1), tol=1e-7)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, solve(A, y, Absolute(), L1(0.1)).coef, atol=1e-4)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_of_the_design_change_nothing(factor):
    A, y, _ = planted(40, 30, noise=1.0)
    one = solve(A, y, Absolute(), L1(0.1), solver="primal_dual", tol=1e-7)
    other = solve(factor * A, y, Absolute(), L1(factor * 0.1), solver="primal_dual", tol=1e-7)
    assert other.status is Status.CONVERGED
    np.testing.assert_allclose(factor * other.coef, one.coef, atol=1e-4)


def test_a_penalty_that_is_not_convex_ends_at_a_stationary_point():
    A, y, coef = planted(200, 20, noise=0.3)
    result = solve(A, y, Absolute(), MCP(0.3), solver="primal_dual")
    assert result.status is Status.CONVERGED
    assert result.certificate_name == "relative stationarity"
    np.testing.assert_array_equal(result.support, np.flatnonzero(coef))


@pytest.mark.parametrize("loss", [Absolute(), WithIntercept(SquareRoot())], ids=repr)
@pytest.mark.parametrize("penalty", [L0(0.1), Lq(0.1)], ids=repr)
def test_a_pair_that_no_certificate_can_judge_is_refused(loss, penalty):
    A, y, _ = planted(20, 6, noise=0.3)
    with pytest.raises(ValueError, match="cannot solve"):
        solve(A, y, loss, penalty)


def test_the_dual_point_proves_what_the_gradient_of_a_kinked_loss_cannot():
    A, y, _ = planted(40, 30, noise=1.0)
    result = solve(A, y, Absolute(), L1(0.1), solver="primal_dual", tol=1e-7)
    alone = relative_gap(make_problem(A, y, Absolute(), L1(0.1)), result.coef)
    assert result.certificate <= 1e-7 < alone.value
