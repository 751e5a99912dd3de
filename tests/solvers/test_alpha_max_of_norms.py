"""Strengths where selection begins, for norms that are not separable and losses with kinks: against conic programs.

The strength is the greatest slope of the misfit at the null model over directions of penalty at most one; cvxpy is told that.
"""

import cvxpy
import numpy as np
import pytest

from sparsecode import (
    CEL0,
    L1,
    SLOPE,
    Absolute,
    GroupL1,
    KSupport,
    L1Ridge,
    Quantile,
    RowL2,
    SparseGroupL1,
    TotalVariation1D,
    TotalVariation2D,
    WithIntercept,
    alpha_max,
    solve,
)
from tests.solvers.test_every_pair import PRICES, N, P, charge

RNG = np.random.default_rng(8)
A, Y = RNG.standard_normal((N, P)), RNG.standard_normal((N, 3))
TARGETS = {"no zeros": Y[:, 0], "half zeros": np.where(np.arange(N) % 2, Y[:, 0], 0.0)}
NORMS = [GroupL1(1.0, 2), SparseGroupL1(1.0, 2, 0.4), SLOPE(1.0, PRICES), KSupport(1.0, 2)]
CHAINS = [TotalVariation1D(1.0), TotalVariation2D(1.0, (2, 3)), TotalVariation2D(1.0, (2, 3), isotropic=False)]


def steepest(slopes, y, penalty, intercept):
    """The greatest slope, downwards, of the misfit at zero; where a constant is free, at its best value."""
    low, high = slopes
    pinball = np.quantile(y, high / (high - low), method="inverted_cdf") if intercept else 0.0
    left = y - pinball
    w = cvxpy.Variable((P, *y.shape[1:]))
    z = A @ w
    if intercept:
        z = z + cvxpy.Variable(1)
    gain = cvxpy.sum(cvxpy.multiply(np.where(left > 0, high, np.where(left < 0, low, 0.0)), z)) / N
    open_ = left == 0
    if open_.any():
        gain = gain - cvxpy.sum(cvxpy.maximum(-high * z[open_], -low * z[open_])) / N
    value, constraints = charge(penalty, w)
    program = cvxpy.Problem(cvxpy.Maximize(gain), [value <= 1, *constraints])
    return program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("penalty", NORMS, ids=repr)
@pytest.mark.parametrize("loss, slopes", [(Absolute(), (-1.0, 1.0)), (Quantile(0.3), (-0.7, 0.3))], ids=["lad", "0.3"])
def test_it_is_the_steepest_way_down_from_the_null_model(name, intercept, penalty, loss, slopes):
    y = TARGETS[name]
    found = alpha_max(A, y, WithIntercept(loss) if intercept else loss, penalty)
    assert found == pytest.approx(steepest(slopes, y, penalty, intercept), rel=2e-6)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("penalty", CHAINS, ids=repr)
def test_what_total_variation_leaves_free_is_fitted_first(name, intercept, penalty):
    loss = WithIntercept(Absolute()) if intercept else Absolute()
    top = alpha_max(A, TARGETS[name], loss, penalty)
    above, below = (
        np.ptp(solve(A, TARGETS[name], loss, penalty._replace(alpha=factor * top), tol=1e-6).coef)
        for factor in (1.001, 0.97)
    )
    assert above <= 1e-5 and below >= 1e-3


def test_joined_targets_have_one_strength_and_weights_count():
    y = np.where(np.arange(N)[:, None] < 4, 0.0, Y)
    found = alpha_max(A, y, Absolute(), RowL2(1.0))
    assert found == pytest.approx(steepest((-1.0, 1.0), y, RowL2(1.0), False), rel=2e-6)
    weights = np.array([np.inf, 2.0, 0.5, 1.0, 1.0, 3.0])
    weighted = alpha_max(A, y, Absolute(), RowL2(1.0), penalty_weights=weights)
    assert weighted == pytest.approx(alpha_max(A[:, 1:] / weights[1:], y, Absolute(), RowL2(1.0)), rel=2e-6)


@pytest.mark.parametrize("loss", [Absolute(), Quantile(0.3), WithIntercept(Absolute()), WithIntercept(Quantile(0.3))])
def test_rows_of_one_target_have_the_strength_of_the_l1_norm_to_the_last_digit(loss):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        rows = rng.standard_normal((12, P))
        y = np.where(rng.random(12) < 0.7, 0.0, rng.standard_normal(12))
        options = {
            "penalty_weights": [0.0, 1.0, 0.5, 2.0, np.inf, 1.0],
            "sample_weight": np.r_[1.0, rng.integers(0, 3, 11)],
        }
        expected = alpha_max(rows, y, loss, L1(1.0), **options)
        assert alpha_max(rows, y, loss, RowL2(1.0), **options) == expected
        assert alpha_max(rows, y[:, None], loss, RowL2(1.0), **options) == expected


def test_independent_targets_have_one_strength_each():
    y = np.stack(list(TARGETS.values()), axis=1)
    alone = [alpha_max(A, column, Absolute(), GroupL1(1.0, 2)) for column in y.T]
    assert alpha_max(A, y, Absolute(), GroupL1(1.0, 2)) == pytest.approx(alone)


def test_a_threshold_that_is_no_multiple_of_the_strength():
    """CEL0's slope at zero is the root of twice its strength; the elastic net's only the l1 share."""
    plain = alpha_max(A, TARGETS["half zeros"], Absolute())
    assert alpha_max(A, TARGETS["half zeros"], Absolute(), CEL0(1.0)) == pytest.approx(plain**2 / 2)
    assert alpha_max(A, TARGETS["half zeros"], Absolute(), L1Ridge(1.0, 0.25)) == pytest.approx(4 * plain)


@pytest.mark.parametrize("isotropic", [False, True])
def test_the_dual_norm_of_an_image_is_its_least_flow(isotropic):
    rows, columns = 5, 4
    pull = np.random.default_rng(2).standard_normal((rows, columns))
    pull -= pull.mean()
    found = float(TotalVariation2D(1.0, (rows, columns), isotropic).critical_strength(pull.reshape(-1)))
    down, across = cvxpy.Variable((rows, columns)), cvxpy.Variable((rows, columns))
    none_down, none_across = np.zeros((1, columns)), np.zeros((rows, 1))
    spread = cvxpy.vstack([none_down, down[:-1]]) - cvxpy.vstack([down[:-1], none_down])
    spread += cvxpy.hstack([none_across, across[:, :-1]]) - cvxpy.hstack([across[:, :-1], none_across])
    pairs = cvxpy.vstack([cvxpy.vec(down, order="C"), cvxpy.vec(across, order="C")])
    edges = [down[-1] == 0, across[:, -1] == 0, spread == pull]
    size = cvxpy.max(cvxpy.norm(pairs, 2, axis=0)) if isotropic else cvxpy.max(cvxpy.abs(pairs))
    best = cvxpy.Problem(cvxpy.Minimize(size), edges).solve(solver=cvxpy.CLARABEL)
    assert found == pytest.approx(best, rel=1e-5)
    assert found >= best * (1 - 1e-7)


@pytest.mark.parametrize("loss", [Absolute(), WithIntercept(Quantile(0.3))], ids=repr)
@pytest.mark.parametrize(
    "penalty", [GroupL1(1.0, 2, (0.0, 1.0, 1.0)), SparseGroupL1(1.0, 2, 0.0, (0.0, 1.0, 1.0))], ids=repr
)
def test_free_groups_are_fitted_first_and_then_do_not_count(penalty, loss):
    y = np.random.default_rng(1).standard_t(2, N)
    top = alpha_max(A, y, loss, penalty)
    assert np.isfinite(top)
    for share, selects in ((1.02, False), (0.95, True)):
        coef = solve(A, y, loss, penalty._replace(alpha=share * top), tol=1e-7).coef
        assert np.all(coef[:2] != 0)
        assert bool(np.any(np.abs(coef[2:]) > 1e-6)) is selects
