"""The parts of block descent: layout, critical strengths, sweeps, Newton's direction, and the growing Gram matrix."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import GroupL1, RowL2, SparseGroupL1, Squared, alpha_max, solve
from sparsecode.designs import CenteredDesign, SparseDesign
from sparsecode.kernels.blocks import block_sweeps
from sparsecode.solvers.coordinate import block_set
from sparsecode.solvers.coordinate.block_layout import blocks_of
from sparsecode.solvers.coordinate.block_newton import _Along, direction_of, newton_step
from sparsecode.solvers.coordinate.block_set import BlockSet, _interpreted_sweeps
from sparsecode.solvers.coordinate.subproblem import Aim
from sparsecode.solvers.gram import CompressedGram
from sparsecode.solvers.problem import make_problem
from tests.planted import planted

STARTS = np.array([0, 3, 4, 8, 10])


def quadratic(n_targets, size=10, seed=0):
    """A positive definite matrix, coefficients that are not zero, and correlations."""
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((2 * size, size))
    return half.T @ half / (2 * size), rng.standard_normal((n_targets, size)), rng.standard_normal((n_targets, size))


def cost(coef, starts, thresholds, single):
    """Penalty from its definition."""
    norms = [np.linalg.norm(coef[:, b:e]) for b, e in pairwise(starts)]
    return thresholds @ norms + single * np.abs(coef).sum()


def test_blocks_are_picked_and_joined_in_any_order():
    A, y, _ = planted(n_features=9)
    labels = (2, 0, 1, 0, 2, 2, 1, 0, 2)
    every = blocks_of(make_problem(A, y, None, GroupL1(1.0, labels, weights=(1.0, 2.0, 3.0))))
    two = every.pick(np.array([2])).join(every.pick(np.array([0, 1])))
    np.testing.assert_array_equal(two.columns, [0, 4, 5, 8, 1, 3, 7, 2, 6])
    np.testing.assert_array_equal(two.starts, [0, 4, 7, 9])
    np.testing.assert_array_equal(two.weights, [3.0, 1.0, 2.0])
    np.testing.assert_array_equal(two.of(np.arange(9.0)), [[0, 4, 5, 8, 1, 3, 7, 2, 6]])
    np.testing.assert_array_equal(two.used(two.of(np.eye(9)[3])), [False, True, False])


@pytest.mark.parametrize(
    "penalty",
    [GroupL1(1.0, 3), SparseGroupL1(1.0, 3, 0.3), SparseGroupL1(1.0, 3, 1.0), SparseGroupL1(1.0, 3, 1e-6), RowL2(1.0)],
    ids=repr,
)
def test_a_block_is_zero_from_its_critical_strength_on_and_not_below(penalty):
    rng = np.random.default_rng(0)
    many = isinstance(penalty, RowL2)
    A, y = rng.standard_normal((5, 13)), rng.standard_normal((5, 2) if many else 5)
    every = blocks_of(make_problem(A, y, None, penalty))
    correlation = rng.standard_normal((13, 2) if many else 13) * 10.0 ** rng.integers(-3, 4)
    correlation[3:6] = 0.7  # a tie
    strengths = every.critical(every.of(correlation))
    labels = np.arange(13) // (1 if many else 3)
    for block, strength in enumerate(strengths):
        chosen = np.flatnonzero(labels == block)
        for factor, is_zero in ((1 + 1e-9, True), (1 - 1e-9, False)):
            trial = penalty._replace(alpha=factor * strength)
            distance = trial.subdiff_distance(-correlation, 0 * correlation)[chosen]
            assert np.all(distance == 0) == is_zero


def test_the_critical_strength_of_free_and_excluded_blocks_is_infinite_and_zero():
    A, y, _ = planted(n_features=9)
    every = blocks_of(make_problem(A, y, None, GroupL1(1.0, 3, weights=(0.0, np.inf, 1.0))))
    strengths = every.critical(np.ones((1, 9)))
    np.testing.assert_allclose(strengths, [np.inf, 0.0, np.sqrt(3)])
    assert every.critical(np.zeros((1, 9)))[0] == 0


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("single", [0.0, 0.2])
def test_compiled_and_interpreted_sweeps_agree_and_keep_the_correlations(n_targets, single):
    gram, coef, target = quadratic(n_targets)
    coef[:, 4:8] = 0
    ceilings = np.array([np.linalg.eigvalsh(gram[b:e, b:e])[-1] for b, e in pairwise(STARTS)])
    ceilings[3] = 0  # a block of zero columns stays as it is
    thresholds = np.array([0.1, 0.3, 0.2, 0.1])
    made = []
    for sweeps in (block_sweeps, _interpreted_sweeps):
        new, remaining = coef.copy(), target - coef @ gram
        room, trail = np.empty((2, n_targets, 4)), np.empty((3, n_targets, 10))
        sweeps(gram, STARTS, ceilings, single, thresholds, new, remaining, room, trail, 20, 1e-3)
        again, left, kept = coef.copy(), target - coef @ gram, np.empty((1, n_targets, 10))
        for after in trail:  # one at a time
            sweeps(gram, STARTS, ceilings, single, thresholds, again, left, room, kept, 20, 1e-3)
            np.testing.assert_array_equal(after, again)
        np.testing.assert_array_equal(new, again)
        np.testing.assert_allclose(remaining, target - new @ gram, atol=1e-12)
        np.testing.assert_array_equal(new[:, 8:], coef[:, 8:])
        made.append(new)
    np.testing.assert_allclose(made[0], made[1], atol=1e-12)


@pytest.mark.parametrize("n_targets", [1, 3])
def test_many_sweeps_end_at_a_point_that_no_small_change_improves(n_targets):
    gram, coef, target = quadratic(n_targets)
    thresholds, single = np.array([0.4, 0.3, 0.6, 0.2]), 0.1
    ceilings = np.array([np.linalg.eigvalsh(gram[b:e, b:e])[-1] for b, e in pairwise(STARTS)])
    remaining, room, trail = target - coef @ gram, np.empty((2, n_targets, 4)), np.empty((300, n_targets, 10))
    block_sweeps(gram, STARTS, ceilings, single, thresholds, coef, remaining, room, trail, 20, 1e-3)

    def objective(at):
        return 0.5 * np.vdot(at @ gram, at) - np.vdot(target, at) + cost(at, STARTS, thresholds, single)

    rng = np.random.default_rng(1)
    for size in (1e-6, 1e-3, 1.0):
        for _ in range(50):
            assert objective(coef) <= objective(coef + size * rng.standard_normal(coef.shape)) + 1e-14


@pytest.mark.parametrize(("n_targets", "starts"), [(1, STARTS), (1, np.arange(11)), (4, np.arange(11))])
def test_newtons_direction_solves_the_system_of_the_hessian(n_targets, starts):
    """The Hessian by differences of the gradient."""
    gram, coef, target = quadratic(n_targets)
    thresholds = np.linspace(0.2, 0.9, starts.size - 1)
    thresholds[1] = 0.0  # free
    single = 0.3 if n_targets == 1 else 0.0

    def gradient(flat):
        at = flat.reshape(coef.shape)
        push = np.concatenate(
            [
                t * at[:, b:e] / np.linalg.norm(at[:, b:e])
                for t, b, e in zip(thresholds, starts[:-1], starts[1:], strict=True)
            ],
            axis=1,
        )
        return (at @ gram - target + push + single * np.sign(at)).ravel()

    step = 1e-6
    hessian = np.stack(
        [
            (gradient(coef.ravel() + step * e) - gradient(coef.ravel() - step * e)) / (2 * step)
            for e in np.eye(coef.size)
        ]
    )
    expected = np.linalg.solve(hessian, -gradient(coef.ravel())).reshape(coef.shape)
    made = direction_of(gram.copy(), coef, target - coef @ gram, starts, thresholds, single)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("rank", [3, 10])
@pytest.mark.parametrize("level", [0.01, 1.0, 100.0])
def test_a_newton_step_lowers_the_objective_also_where_columns_depend_on_one_another(n_targets, rank, level):
    rng = np.random.default_rng(0)
    half = rng.standard_normal((rank, 10))
    gram, coef, target = (
        half.T @ half,
        rng.standard_normal((n_targets, 10)),
        rng.standard_normal((n_targets, rank)) @ half,
    )
    starts = STARTS if n_targets == 1 else np.arange(11)
    thresholds = np.full(starts.size - 1, level)
    before = gram.copy()
    step = newton_step(gram.copy(), coef, target - coef @ gram, starts, thresholds, 0.0)

    def objective(at):
        return 0.5 * np.vdot(at @ gram, at) - np.vdot(target, at) + cost(at, starts, thresholds, 0.0)

    assert objective(coef + step) < objective(coef)
    np.testing.assert_array_equal(gram, before)


@pytest.mark.parametrize("n_targets", [1, 3])
def test_a_block_that_pulls_less_than_its_threshold_gets_exactly_to_zero(n_targets):
    """Also where the others' pull is on its side, and the objective would rise again beyond zero."""
    size = 3 if n_targets == 1 else 1
    gram, coef, _ = quadratic(n_targets, size)
    target = 0.3 * coef / np.linalg.norm(coef)
    step = newton_step(gram, coef, target - coef @ gram, np.array([0, size]), np.array([0.9]), 0.0)
    np.testing.assert_array_equal(coef + step, 0 * coef)


@pytest.mark.parametrize("length", [0.3, 1.0])
def test_the_slope_along_a_step_is_the_derivative_from_below(length):
    """At one, a block and a coefficient of another get to zero: the objective has a kink there."""
    gram, coef, target = quadratic(1)
    step = np.random.default_rng(1).standard_normal(coef.shape)
    step[:, 4:8], step[:, 1] = -coef[:, 4:8], -coef[:, 1]
    along = _Along(gram, coef, target - coef @ gram, STARTS, np.array([0.4, 0.3, 0.6, 0.2]), 0.1, step)
    expected = (along.change(length) - along.change(length - 1e-7)) / 1e-7
    assert along.slope(length) == pytest.approx(expected, abs=1e-5)


def test_a_newton_step_at_the_minimum_is_refused():
    gram, coef, _ = quadratic(1)
    thresholds = np.full(4, 0.5)
    push = np.concatenate([0.5 * coef[0, b:e] / np.linalg.norm(coef[0, b:e]) for b, e in pairwise(STARTS)])
    step = newton_step(gram.copy(), coef, push[None], STARTS, thresholds, 0.0)
    assert step is None or np.abs(step).max() <= 1e-12


@pytest.mark.parametrize("penalty", [GroupL1(0.02, 4), SparseGroupL1(0.02, 4), RowL2(0.02)], ids=repr)
def test_a_working_set_of_everything_is_solved_to_a_gap_that_it_reports(penalty):
    many = isinstance(penalty, RowL2)
    A, y, _ = planted(n_targets=3 if many else None)
    problem = make_problem(A, y, None, penalty)
    blocks = BlockSet(problem.design, blocks_of(problem))
    blocks.grow(np.arange(80 if many else 20))
    blocks.begin(problem.start(), problem.at_zero())
    gap = blocks.minimise(penalty.alpha, Aim(1e-13, 1e-13, np.inf))
    assert gap <= 1e-13
    coef = np.zeros(problem.shape)
    coef[blocks.blocks.columns] = blocks.coef.T if many else blocks.coef[0]
    point = problem.at(coef)
    np.testing.assert_allclose(blocks.blocks.of(point.correlation), blocks.remaining, atol=1e-12)
    assert 0.5 * blocks.misfit() == pytest.approx(float(point.loss), rel=1e-9)


@pytest.mark.parametrize("centered", [False, True])
def test_the_gram_matrix_of_compressed_columns_is_that_of_the_dense_ones(centered):
    rng = np.random.default_rng(0)
    A = sp.random(50, 90, 0.05, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    design, dense = SparseDesign(A), A.toarray()
    if centered:
        mean, scale = dense.mean(axis=0), rng.uniform(0.5, 2.0, 50)
        design, dense = CenteredDesign(design, mean, scale), (dense - mean) * scale[:, None]
    order = rng.permutation(90)
    gram = CompressedGram(design)
    for part in np.split(order, [1, 40, 41]):
        gram.grow(part)
    np.testing.assert_array_equal(gram.members, order)
    np.testing.assert_allclose(gram.matrix[:90, :90], dense[:, order].T @ dense[:, order] / 50, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_an_extrapolation_of_blocks_never_raises_the_objective(seed):
    rng = np.random.default_rng(seed)
    problem = make_problem(rng.standard_normal((30, 12)), rng.standard_normal(30), Squared(), GroupL1(0.01, 3))
    blocks = BlockSet(problem.design, blocks_of(problem))
    blocks.grow(np.arange(4))
    iterates = rng.standard_normal(
        (6, 1, 12)
    )  # of no descent to the minimum, where they end: their combination is worse
    iterates[-1, 0] = solve(problem.design, problem.target, penalty=GroupL1(0.01, 3), tol=1e-10).coef
    blocks.begin(iterates[-1, 0], problem.at(iterates[-1, 0]))
    before = problem.value(iterates[-1, 0])
    blocks._extrapolate(iterates, 0.01)
    after = blocks.coef[0]
    assert problem.value(after) <= before * (1 + 1e-12)
    np.testing.assert_allclose(blocks.remaining[0], problem.at(after).correlation, atol=1e-12)


@pytest.mark.parametrize("penalty", [GroupL1(1.0, 4), SparseGroupL1(1.0, 4), RowL2(1.0)], ids=repr)
def test_the_line_through_two_minimisers_leads_near_the_next(penalty):
    many = isinstance(penalty, RowL2)
    A, y, _ = planted(n_targets=3 if many else None)
    alphas = alpha_max(A, y, penalty=penalty) * np.array([0.100, 0.098, 0.096])  # no block comes in
    problem = make_problem(A, y, None, penalty._replace(alpha=alphas[-1]))
    blocks = BlockSet(problem.design, blocks_of(problem))
    blocks.grow(np.arange(80 if many else 20))
    blocks.begin(problem.start(), problem.at_zero())
    for alpha in alphas[:2]:
        blocks.minimise(alpha, Aim(1e-13, 1e-13, np.inf))
    coef, least = np.zeros(problem.shape), solve(A, y, penalty=problem.penalty, tol=1e-13).objective

    def excess():
        coef[blocks.blocks.columns] = blocks.coef.T if many else blocks.coef[0]
        return float(np.sum(problem.value(coef))) - least

    before = excess()
    blocks._predict(alphas[-1])
    assert excess() < 0.01 * before
    np.testing.assert_allclose(blocks.blocks.of(problem.at(coef).correlation), blocks.remaining, atol=1e-12)


def test_no_line_is_followed_from_coefficients_of_another_start():
    A, y, _ = planted()
    problem = make_problem(A, y, None, GroupL1(1.0, 4))
    blocks = BlockSet(problem.design, blocks_of(problem))
    blocks.grow(np.arange(20))
    top = alpha_max(A, y, penalty=GroupL1(1.0, 4))
    for alpha in (0.30 * top, 0.28 * top):
        blocks.begin(problem.start(), problem.at_zero())
        blocks.minimise(alpha, Aim(1e-13, 1e-13, np.inf))
    blocks.begin(problem.start(), problem.at_zero())
    blocks._predict(0.26 * top)
    assert not blocks.coef.any()


def test_a_newton_step_that_only_the_model_calls_a_descent_is_not_taken(monkeypatch):
    A, y, _ = planted()
    problem = make_problem(A, y, None, GroupL1(0.02, 4))
    blocks = BlockSet(problem.design, blocks_of(problem))
    blocks.grow(np.arange(20))
    blocks.begin(problem.start(), problem.at_zero())
    monkeypatch.setattr(block_set, "newton_step", lambda gram, coef, *_: np.full_like(coef, 1e12))
    gap = blocks.minimise(0.02, Aim(1e-6, 1e-6, np.inf))
    assert gap <= 1e-6
    assert np.abs(blocks.coef).max() < 100.0
