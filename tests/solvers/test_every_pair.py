"""Every convex loss with every convex penalty through `solve`: certified, and where an interior-point solver ends.

Problems are small and drawn by hypothesis; what takes a pair is whatever method `solve` chooses.
"""

import itertools
import warnings
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sparsecode import (
    L1,
    SLOPE,
    Absolute,
    Box,
    GroupL1,
    GroupSparseEnvelope,
    Huber,
    KSupport,
    L1Ridge,
    Logistic,
    Multinomial,
    Poisson,
    Quantile,
    RowL2,
    SparseEnvelope,
    SparseGroupL1,
    Squared,
    SquareRoot,
    Status,
    TotalVariation1D,
    TotalVariation2D,
    WithIntercept,
    alpha_max,
    solve,
)
from tests.contracts import registry

cvxpy = pytest.importorskip("cvxpy")

N, P, CLASSES = 12, 6, 3
PRICES = (2.0, 1.5, 1.0, 1.0, 0.5, 0.5)
BLOCKS = [[0, 1], [2, 3], [4, 5]]
PAIRS = [list(pair) for pair in itertools.combinations(range(P), 2)]


class Drawn(NamedTuple):
    """A small problem: data, sample weights of sum one, and a share of the largest strength."""

    A: np.ndarray
    y: np.ndarray
    share: float


# the losses: how a target is made, and the misfit of fitted values for cvxpy


def counts(values):
    """Counts around e."""
    return np.floor(np.exp(np.clip(values, -3, 2)) + 0.7)


def labels(values):
    """Two classes of equal size."""
    return np.where(values > np.median(values), 1.0, -1.0)


def classes(values):
    """Indicators of three classes, all present."""
    return np.eye(CLASSES)[np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]))]


def poisson(y, z, share):
    """Half the deviance."""
    logs = y * np.log(np.maximum(y, 1)) - y
    return share @ (cvxpy.exp(z) - cvxpy.multiply(y, z)) + share @ logs


def multinomial(y, z, share):
    """Log-sum-exp minus the score of the class."""
    return share @ (cvxpy.log_sum_exp(z, axis=1) - cvxpy.sum(cvxpy.multiply(y, z), axis=1))


LOSSES = [
    (Squared(), np.asarray, lambda y, z, share: share @ cvxpy.square(y - z) / 2),
    (SquareRoot(), np.asarray, lambda y, z, share: cvxpy.norm(cvxpy.multiply(np.sqrt(share), y - z))),
    (Absolute(), np.asarray, lambda y, z, share: share @ cvxpy.abs(y - z)),
    (Quantile(0.3), np.asarray, lambda y, z, share: share @ cvxpy.maximum(0.3 * (y - z), -0.7 * (y - z))),
    (Huber(0.5), np.asarray, lambda y, z, share: share @ cvxpy.huber(y - z, 0.5) / 2),
    (Logistic(), labels, lambda y, z, share: share @ cvxpy.logistic(-cvxpy.multiply(y, z))),
    (Poisson(), counts, poisson),
    (Multinomial(), classes, multinomial),
]
OF_LOSS = {
    type(loss): (target, misfit) for loss, target, misfit in LOSSES
}  # losses without parameters equal each other


# the penalties at strength one, for a vector w; where targets are joined, for a matrix


def slope(w):
    """Prices by rank, as differences of sums of largest moduli."""
    steps = np.append(-np.diff(PRICES), PRICES[-1])
    return sum(step * cvxpy.sum_largest(cvxpy.abs(w), k + 1) for k, step in enumerate(steps) if step > 0)


def blocks(w):
    """Norms of blocks, times the roots of their sizes."""
    return np.sqrt(2) * sum(cvxpy.norm(w[block]) for block in BLOCKS)


def envelope(w, groups, budget):
    """Half the least sum of squares over shares."""
    share = cvxpy.Variable(len(groups))
    terms = [cvxpy.quad_over_lin(w[group], share[g]) for g, group in enumerate(groups)]
    return sum(terms) / 2, [share >= 0, share <= 1, cvxpy.sum(share) <= budget]


def k_support(w):
    """The least sum of lengths of vectors on two coefficients that add up to w."""
    pieces = cvxpy.Variable((len(PAIRS), 2))
    spread = [np.array([[float(j == pair[i]) for j in range(P)] for pair in PAIRS]) for i in range(2)]
    return cvxpy.sum(cvxpy.norm(pieces, axis=1)), [w == spread[0].T @ pieces[:, 0] + spread[1].T @ pieces[:, 1]]


def image(w, isotropic):
    """Total variation of two rows of three pixels."""
    pixels = [(i, j) for i in range(2) for j in range(3)]
    terms = []
    for i, j in pixels:
        near = [(i + 1, j)] * (i < 1) + [(i, j + 1)] * (j < 2)
        steps = [w[3 * k + m] - w[3 * i + j] for k, m in near]
        if steps:
            terms.append(cvxpy.norm(cvxpy.hstack(steps), 2 if isotropic else 1))
    return sum(terms)


PENALTIES = [
    (L1(1.0), cvxpy.norm1),
    (L1(1.0, positive=True), lambda w: (cvxpy.norm1(w), [w >= 0])),
    (L1Ridge(1.0, 0.6), lambda w: 0.6 * cvxpy.norm1(w) + 0.2 * cvxpy.sum_squares(w)),
    (GroupL1(1.0, 2), blocks),
    (SparseGroupL1(1.0, 2, 0.4), lambda w: 0.4 * cvxpy.norm1(w) + 0.6 * blocks(w)),
    (SLOPE(1.0, PRICES), slope),
    (KSupport(1.0, 2), k_support),
    (SparseEnvelope(1.0, 2), lambda w: envelope(w, [[j] for j in range(P)], 2)),
    (GroupSparseEnvelope(1.0, 1.5, 2), lambda w: envelope(w, BLOCKS, 1.5)),
    (TotalVariation1D(1.0), lambda w: cvxpy.norm1(cvxpy.diff(w))),
    (TotalVariation2D(1.0, (2, 3)), lambda w: image(w, True)),
    (TotalVariation2D(1.0, (2, 3), isotropic=False), lambda w: image(w, False)),
    (RowL2(1.0), lambda w: cvxpy.sum(cvxpy.norm(w, axis=1)) if w.ndim == 2 else cvxpy.norm1(w)),
    (Box(-0.2, 0.4), lambda w: (0 * cvxpy.sum(w), [w >= -0.2, w <= 0.4])),
]
OF_PENALTY = {repr(penalty): price for penalty, price in PENALTIES}


def charge(penalty, w):
    """The penalty of all targets, with its constraints, at the strength of `penalty`."""
    columns = [w] if w.ndim == 1 or getattr(penalty, "is_joint", False) else [w[:, t] for t in range(w.shape[1])]
    kind = penalty._replace(alpha=1.0) if hasattr(penalty, "alpha") else penalty
    total, constraints = 0.0, []
    for column in columns:
        value = OF_PENALTY[repr(kind)](column)
        value, more = value if isinstance(value, tuple) else (value, [])
        total, constraints = total + value, constraints + more
    return getattr(penalty, "alpha", 1.0) * total, constraints


def optimum(problem, loss, penalty, share, weights=None):
    """Least objective, by an interior-point solver."""
    intercept, loss = isinstance(loss, WithIntercept), getattr(loss, "loss", loss)
    w = cvxpy.Variable((P, *problem.y.shape[1:]))
    z = problem.A @ w
    if intercept:
        constant = cvxpy.Variable((1, *problem.y.shape[1:]))
        z = z + (np.ones((N, 1)) @ constant if problem.y.ndim == 2 else constant)
    value, constraints = charge(penalty, w) if weights is None else (penalty.alpha * weights @ cvxpy.abs(w), [])
    program = cvxpy.Problem(cvxpy.Minimize(OF_LOSS[type(loss)][1](problem.y, z, share) + value), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an inaccurate solution would fail the comparison
        return program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)


def strongest(problem, loss, penalty):
    """The least strength with the null answer."""
    return float(np.max(alpha_max(problem.A, problem.y, loss, penalty)))


def at_a_share(problem, loss, penalty):
    """The penalty at a share of the strength from which on nothing is selected; where there is none, of l1's."""
    if not hasattr(penalty, "alpha"):
        return penalty
    known = penalty if has_strongest(loss, penalty) else L1(1.0)
    return penalty._replace(alpha=problem.share * strongest(problem, loss, known))


def has_strongest(loss, penalty):
    """Whether there is a least strength with the null answer."""
    return hasattr(penalty, "alpha") and not isinstance(penalty, (SparseEnvelope, GroupSparseEnvelope))


@st.composite
def problems(draw):
    """Data of normal or discrete entries, with columns of different size and, at times, equal or empty ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    A = rng.standard_normal((N, P))
    kind = draw(st.sampled_from(["normal", "signs", "twins", "empty"]))
    if kind == "signs":
        A = np.sign(A)
    if kind == "twins":
        A[:, 1] = A[:, 0]
    if kind == "empty":
        A[:, 2] = 0.0
    values = A @ (rng.standard_normal(P) * (rng.uniform(size=P) < 0.6)) + 0.5 * rng.standard_normal(N)
    return Drawn(A * rng.uniform(0.5, 2.0, P), values, draw(st.floats(0.05, 0.7)))


def for_loss(problem, loss):
    """The problem with a target that the loss can measure."""
    return problem._replace(y=OF_LOSS[type(getattr(loss, "loss", loss))][0](problem.y))


CONVEX = [penalty for penalty, _ in PENALTIES]
every_loss = pytest.mark.parametrize("loss", [loss for loss, _, _ in LOSSES], ids=repr)


def pairs(penalties=CONVEX, known=lambda loss, penalty: True):
    """Arguments of `pytest.mark.parametrize` for all pairs."""
    every = [(loss, penalty) for loss, _, _ in LOSSES for penalty in penalties if known(loss, penalty)]
    return {"argvalues": every, "ids": [f"{loss!r}-{penalty!r}" for loss, penalty in every]}


few = settings(max_examples=1, deadline=None, derandomize=True, database=None, phases=[Phase.generate])


@pytest.mark.parametrize("loss, penalty", **pairs())
@few
@given(problem=problems())
def test_it_is_certified_where_an_interior_point_solver_ends(loss, penalty, problem):
    problem = for_loss(problem, loss)
    penalty = at_a_share(problem, loss, penalty)
    best = optimum(problem, loss, penalty, np.full(N, 1 / N))
    result = solve(problem.A, problem.y, loss, penalty, tol=1e-7)
    assert result.status is Status.CONVERGED, result
    assert result.certificate_name == "relative duality gap"
    assert result.objective == pytest.approx(best, rel=2e-6, abs=1e-8)


@every_loss
@few
@given(problem=problems(), seed=st.integers(0, 1000))
def test_intercepts_and_sample_weights_are_part_of_the_problem(loss, problem, seed):
    problem = for_loss(problem, loss)
    times = np.random.default_rng(seed).integers(1, 4, N)
    penalty = L1(problem.share * 0.5 * strongest(problem, WithIntercept(loss), L1(1.0)) + 1e-3)
    best = optimum(problem, WithIntercept(loss), penalty, times / times.sum())
    result = solve(problem.A, problem.y, WithIntercept(loss), penalty, sample_weight=times, tol=1e-7)
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(best, rel=2e-6, abs=1e-8)


ANY = Drawn(*(lambda rng: (rng.standard_normal((N, P)), rng.standard_normal(N)))(np.random.default_rng(5)), 0.2)


@pytest.mark.parametrize("loss, penalty", **pairs(known=has_strongest))
def test_just_above_alpha_max_nothing_is_selected_and_just_below_something_is(loss, penalty):
    problem = for_loss(ANY, loss)
    top = strongest(problem, loss, penalty)
    answers = []
    for factor in (1.001, 0.9):
        result = solve(problem.A, problem.y, loss, penalty._replace(alpha=factor * top), tol=1e-8)
        selected = np.diff(result.coef, axis=0) if "Variation" in repr(penalty) else result.coef
        answers.append(np.abs(selected).max())
    assert answers[0] <= 1e-4
    assert answers[1] >= 1e-3


@pytest.mark.parametrize("loss, penalty", **pairs([L1(1.0), GroupL1(1.0, 2)]))
def test_a_weight_of_two_is_a_sample_seen_twice(loss, penalty):
    problem = for_loss(ANY, loss)
    penalty = at_a_share(problem, loss, penalty)
    times = np.random.default_rng(0).integers(1, 4, N)
    weighted = solve(problem.A, problem.y, loss, penalty, sample_weight=times, tol=1e-7)
    repeated = solve(np.repeat(problem.A, times, axis=0), np.repeat(problem.y, times, axis=0), loss, penalty, tol=1e-7)
    assert weighted.objective == pytest.approx(float(repeated.objective), rel=1e-6)


separable = [L1(1.0), L1(1.0, positive=True)]


@pytest.mark.parametrize("loss, penalty", **pairs(penalties=separable))
def test_weights_of_the_penalty_are_columns_of_another_scale(loss, penalty):
    problem = for_loss(ANY, loss)
    penalty = at_a_share(problem, loss, penalty)
    weights = np.random.default_rng(1).uniform(0.3, 3, P)
    charged = solve(problem.A, problem.y, loss, penalty, penalty_weights=weights, tol=1e-8)
    scaled = solve(problem.A / weights, problem.y, loss, penalty, tol=1e-8)
    assert charged.objective == pytest.approx(float(scaled.objective), rel=1e-6)
    weights = weights if problem.y.ndim == 1 else weights[:, None]
    np.testing.assert_allclose(charged.coef, scaled.coef / weights, atol=2e-3)


@every_loss
def test_free_and_excluded_columns_are_for_every_loss(loss):
    problem = for_loss(ANY, loss)
    weights = np.r_[np.inf, 0.0, np.ones(P - 2)]
    inside = solve(problem.A, problem.y, loss, L1(0.03), penalty_weights=weights, tol=1e-7)
    assert inside.status is Status.CONVERGED
    assert not np.any(inside.coef[0])
    without = problem._replace(A=problem.A * (np.arange(P) > 0))
    if problem.y.ndim == 1:
        best = optimum(without, loss, L1(0.03), np.full(N, 1 / N), np.r_[1.0, 0.0, np.ones(P - 2)])
        assert inside.objective == pytest.approx(best, rel=2e-6, abs=1e-8)


@every_loss
@pytest.mark.parametrize("penalty", [SparseEnvelope(1.0, 2), GroupSparseEnvelope(1.0, 1.5, 2)], ids=repr)
def test_where_no_strength_has_the_null_answer_that_is_said(loss, penalty):
    problem = for_loss(ANY, loss)
    with pytest.raises(ValueError, match=f"no strength of {type(penalty).__name__}"):
        alpha_max(problem.A, problem.y, loss, penalty)


def test_no_convex_loss_or_penalty_of_the_registry_is_left_out():
    assert {type(case.loss) for case in registry.LOSSES} - {WithIntercept} == set(OF_LOSS)
    convex = {type(penalty) for penalty in registry.PENALTIES if penalty.is_convex}
    assert convex == {type(penalty) for penalty in CONVEX}
