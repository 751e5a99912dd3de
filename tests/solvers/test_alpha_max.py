"""The strength where selection begins: closed forms, solutions on either side of it, and the linear program of LAD."""

import cvxpy
import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import (
    L1,
    MCP,
    SCAD,
    SLOPE,
    Absolute,
    GroupL1,
    Huber,
    L0Ball,
    L1Ridge,
    Logistic,
    LogSum,
    Lq,
    Multinomial,
    Poisson,
    Quantile,
    RowL2,
    SparseEnvelope,
    SparseGroupL1,
    Squared,
    SquareRoot,
    TotalVariation1D,
    WithIntercept,
    alpha_max,
    fista,
    regularization_path,
)
from tests._backends import FOREIGN, put
from tests.planted import planted

N = 30


def problems():
    """Losses with a target for each, zeros among the residuals included."""
    A, y, _ = planted(N, 12, 3, noise=0.5)
    rng = np.random.default_rng(1)
    zeros = np.where(np.arange(N) % 3, y, 0.0)
    return A, {
        "squared": (Squared(), y),
        "square root": (SquareRoot(), y),
        "absolute": (Absolute(), y),
        "absolute, zeros": (Absolute(), zeros),
        "quantile, zeros": (Quantile(0.3), zeros),
        "huber": (Huber(0.7), y),
        "logistic": (Logistic(), np.where(y + rng.standard_normal(N) > 0, 1.0, -1.0)),
        "poisson": (Poisson(), rng.poisson(np.exp(0.3 * y)).astype(float)),
        "multinomial": (Multinomial(), np.eye(3)[rng.integers(0, 3, N)]),
    }


A, PROBLEMS = problems()
every_problem = pytest.mark.parametrize("name", PROBLEMS)


def misfit(loss, target, fitted, share):
    """The loss as a cvxpy expression."""
    inner = getattr(loss, "loss", loss)
    if isinstance(inner, Multinomial):
        rows = cvxpy.log_sum_exp(fitted, axis=1) - cvxpy.sum(cvxpy.multiply(target, fitted), axis=1)
    elif isinstance(inner, SquareRoot):
        return cvxpy.norm(cvxpy.multiply(np.sqrt(share), target - fitted))
    else:
        residual = target - fitted
        rows = {
            Squared: lambda: 0.5 * cvxpy.square(residual),
            Absolute: lambda: cvxpy.abs(residual),
            Quantile: lambda: cvxpy.maximum(inner.q * residual, (inner.q - 1) * residual),
            Huber: lambda: 0.5 * cvxpy.huber(residual, inner.delta),
            Logistic: lambda: cvxpy.logistic(-cvxpy.multiply(target, fitted)),
            Poisson: lambda: cvxpy.exp(fitted) - cvxpy.multiply(target, fitted),
        }[type(inner)]()
    return share @ rows


def penalised(loss, target, alpha, weights, share, intercept):
    """Largest penalised coefficient of an interior-point solution."""
    shape = (A.shape[1], *target.shape[1:])
    coef = cvxpy.Variable(shape)
    fitted = A @ coef
    if intercept:
        constant = cvxpy.Variable((1, target.shape[1]) if target.ndim == 2 else 1)
        fitted = (
            fitted + np.ones((N, 1) if target.ndim == 2 else N) @ constant if target.ndim == 2 else fitted + constant
        )
    charge = cvxpy.sum(cvxpy.multiply(weights[:, None] if target.ndim == 2 else weights, cvxpy.abs(coef)))
    cvxpy.Problem(cvxpy.Minimize(misfit(loss, target, fitted, share) + alpha * charge)).solve(
        solver=cvxpy.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10
    )
    return np.max(np.abs(coef.value[weights > 0]))


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")  # of the interior-point solver
@every_problem
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_just_above_nothing_is_selected_and_just_below_something_is(name, free, intercept):
    loss, target = PROBLEMS[name]
    rng = np.random.default_rng(2)
    counts = rng.integers(0, 4, N).astype(float)
    weights = np.where(np.arange(12) < 2, 0.0, rng.uniform(0.5, 2, 12)) if free else np.ones(12)
    asked = WithIntercept(loss) if intercept else loss
    top = alpha_max(A, target, asked, penalty_weights=weights, sample_weight=counts)
    if np.ndim(top):
        pytest.fail("one number was expected")
    share = counts / counts.sum()
    assert penalised(loss, target, 1.002 * top, weights, share, intercept) < 1e-5
    assert penalised(loss, target, 0.97 * top, weights, share, intercept) > 1e-4


def test_closed_forms():
    y = PROBLEMS["squared"][1]
    labels, counts = PROBLEMS["logistic"][1], PROBLEMS["poisson"][1]

    def largest(pull):
        return np.max(np.abs(A.T @ pull)) / N

    assert alpha_max(A, y) == pytest.approx(largest(y))
    assert alpha_max(A, y, WithIntercept(Squared())) == pytest.approx(largest(y - y.mean()))
    assert alpha_max(A, y, SquareRoot()) == pytest.approx(np.sqrt(N) * largest(y) / np.linalg.norm(y))
    assert alpha_max(A, y, Absolute()) == pytest.approx(largest(np.sign(y)))
    assert alpha_max(A, y, Huber(0.7)) == pytest.approx(largest(np.clip(y, -0.7, 0.7)))
    assert alpha_max(A, labels, Logistic()) == pytest.approx(largest(labels) / 2)
    share = (labels > 0).mean()
    assert alpha_max(A, labels, WithIntercept(Logistic())) == pytest.approx(largest((labels > 0) - share))
    assert alpha_max(A, counts, Poisson()) == pytest.approx(largest(counts - 1))
    assert alpha_max(A, counts, WithIntercept(Poisson())) == pytest.approx(largest(counts - counts.mean()))
    assert alpha_max(A, y, positive=True) == pytest.approx(np.max(A.T @ y) / N)


def test_zeros_among_the_targets_of_lad_leave_room_below_the_sign_formula():
    target = PROBLEMS["absolute, zeros"][1]
    assert alpha_max(A, target, Absolute()) < 0.95 * np.max(np.abs(A.T @ np.sign(target))) / N


OTHER_PENALTIES = [
    L1Ridge(1.0, 0.5),
    MCP(1.0),
    SCAD(1.0),
    LogSum(1.0),
    GroupL1(1.0, groups=3),
    SparseGroupL1(1.0, groups=3),
    SLOPE(1.0, tuple(np.linspace(1.0, 0.2, 12))),
    TotalVariation1D(1.0),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("penalty", OTHER_PENALTIES, ids=[type(penalty).__name__ for penalty in OTHER_PENALTIES])
@pytest.mark.parametrize("name", ["squared", "logistic"])
def test_any_penalty_with_a_strength_has_one_from_which_on_it_selects_nothing(name, penalty):
    loss, target = PROBLEMS[name]
    loss = WithIntercept(loss)
    top = alpha_max(A, target, loss, penalty)

    def charged(alpha):
        coef = fista(A, target, loss, penalty._replace(alpha=alpha), tol=1e-10).coef
        return np.max(np.abs(np.diff(coef) if isinstance(penalty, TotalVariation1D) else coef))

    assert charged(1.001 * top) <= 1e-7
    assert charged(0.97 * top) > 1e-4


def test_bisection_and_the_dual_norm_agree():
    from sparsecode.solvers.alpha_max import _bisected, critical_strength

    correlation, weights = np.array([0.3, -0.7, 9.0]), np.array([0.1, 1.0, np.inf])
    assert float(critical_strength(L1(1.0), correlation, weights)) == pytest.approx(3.0)
    assert _bisected(L1(1.0), correlation, weights) == pytest.approx(3.0, rel=1e-15)
    assert _bisected(L1(1.0), 0 * correlation, None) == 0.0


def test_the_strength_of_joined_targets_is_one_number():
    target = np.stack([PROBLEMS["squared"][1], A[:, 3]], axis=1)
    assert alpha_max(A, target, penalty=RowL2(1.0)) == pytest.approx(np.max(np.linalg.norm(A.T @ target, axis=1)) / N)


@pytest.mark.parametrize("name", ["squared", "absolute, zeros", "huber", "poisson", "multinomial"])
def test_every_kind_of_design_and_namespace_gives_the_same_strength(name):
    loss, target = PROBLEMS[name]
    expected = alpha_max(A, target, WithIntercept(loss))
    assert alpha_max(sp.csc_array(A), target, WithIntercept(loss)) == pytest.approx(expected)
    for space in FOREIGN:
        assert alpha_max(put(A, space), put(target, space), WithIntercept(loss)) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["squared", "square root", "absolute, zeros", "quantile, zeros", "huber"])
def test_targets_are_independent_and_strengths_scale_as_they_should(name):
    loss, target = PROBLEMS[name]
    both = alpha_max(A, np.stack([target, target[::-1]], axis=1), loss)
    assert both == pytest.approx([alpha_max(A, target, loss), alpha_max(A, target[::-1].copy(), loss)])
    if isinstance(loss, (SquareRoot, Absolute, Quantile)):
        assert alpha_max(A, 1e-6 * target, loss) == pytest.approx(alpha_max(A, target, loss), rel=1e-7)
    assert alpha_max(1e6 * A, target, loss) == pytest.approx(1e6 * alpha_max(A, target, loss), rel=1e-7)


@pytest.mark.parametrize("penalty", [L1(1.0), MCP(1.0), L1Ridge(1.0, 0.5)], ids=lambda penalty: type(penalty).__name__)
def test_weights_of_columns_count_for_every_target(penalty):
    rng = np.random.default_rng(3)
    A, Y = rng.standard_normal((25, 7)), rng.standard_normal((25, 3))
    weights = np.array([0.1, 5.0, 1.0, np.inf, 2.0, 0.5, 9.0])
    expected = np.max(np.abs(A.T @ Y) / 25 / weights[:, None], axis=0) / getattr(penalty, "l1_ratio", 1.0)
    np.testing.assert_allclose(alpha_max(A, Y, penalty=penalty, penalty_weights=weights), expected, rtol=1e-12)


@pytest.mark.parametrize("loss", [Absolute(), Quantile(0.3)], ids=lambda loss: type(loss).__name__)
def test_only_positive_pulls_count_where_negative_coefficients_are_forbidden(loss):
    rng = np.random.default_rng(4)
    A, y = rng.standard_normal((25, 7)), rng.standard_normal(25)
    A[:, 2] = -3.0 * np.sign(y)  # pulls most, and the wrong way
    low, high = loss.slopes()
    pull = A.T @ np.where(y > 0, high, low) / 25
    assert alpha_max(A, y, loss, L1(1.0, positive=True)) == pytest.approx(pull.max(), rel=1e-12)
    assert alpha_max(A, y, loss, L1(1.0)) == pytest.approx(np.abs(pull).max(), rel=1e-12)


def test_a_target_in_the_span_of_the_free_columns_leaves_nothing_to_select():
    weights = np.r_[0.0, np.ones(11)]
    for loss in (Squared(), SquareRoot(), Absolute(), Huber(1.0)):
        assert alpha_max(A, 2 * A[:, 0], loss, penalty_weights=weights) == pytest.approx(0, abs=1e-9)


def test_what_has_no_largest_strength_is_named():
    with pytest.raises(ValueError, match="L0Ball has no strength alpha"):
        alpha_max(A, np.ones(N), penalty=L0Ball(2))
    with pytest.raises(ValueError, match="stationary at every strength of Lq"):
        alpha_max(A, np.ones(N), penalty=Lq(1.0))
    with pytest.raises(ValueError, match="no strength of SparseEnvelope"):
        regularization_path(A, np.ones(N), penalty=SparseEnvelope(1.0, 3))
    with pytest.raises(ValueError, match="no strength of L1Ridge"):
        alpha_max(A, np.ones(N), penalty=L1Ridge(1.0, 0.0))
    labels = np.where(A[:, 0] > 0, 1.0, -1.0)
    with pytest.raises(ValueError, match="separate the classes"):
        alpha_max(A, labels, Logistic(), penalty_weights=np.r_[0.0, np.ones(11)])
    with pytest.raises(ValueError, match="no finite intercept"):
        alpha_max(A, np.ones(N), WithIntercept(Logistic()))
