"""The passes over a cost, against NumPy: exponentials, sums, soft minima, stored kernels, extrapolation."""

import numba
import numpy as np
import pytest
from scipy.special import logsumexp

from sparsecode.kernels._exp import exp_cut, larger, log_positive, plus
from sparsecode.transport._costs import ArrayCost, GridCost
from sparsecode.transport._plan import make_plan
from sparsecode.transport._problem import Problem, Record
from sparsecode.transport._sinkhorn import Extrapolation, StoredKernel, sinkhorn_sweeps
from tests.transport import naive


@numba.njit
def _exp_all(x, out):
    for i in range(x.size):
        out[i] = exp_cut(x[i])


@numba.njit
def _log_all(x, out):
    for i in range(x.size):
        out[i] = log_positive(x[i])


@numba.njit
def _sum_and_top(x):
    total, top = 0.0, -np.inf
    for i in range(x.size):
        total, top = plus(total, x[i]), larger(x[i], top)
    return total, top


def units(values, truth):
    """Distance in units in the last place."""
    return np.abs(values - truth) / np.spacing(np.abs(truth).astype(float))


def test_the_exponential_is_right_to_three_units_and_zero_where_it_is_slow():
    x = np.concatenate([np.random.default_rng(0).uniform(-700, 700, 200_000), np.linspace(-1e-3, 1e-3, 1001)])
    out = np.empty_like(x)
    _exp_all(x, out)
    assert units(out, np.exp(x.astype(np.longdouble))).max() < 3.0
    edge = np.array([-np.inf, -1e300, -745.0, -700.0, np.nextafter(-700, 0), 0.0, 700.0, 800.0, np.inf])
    out = np.empty_like(edge)
    _exp_all(edge, out)
    np.testing.assert_allclose(out, [0, 0, 0, 0, np.exp(-700), 1, np.exp(700), np.exp(700), np.exp(700)], rtol=1e-12)
    assert out[5] == 1.0 and np.all(out[:4] == 0.0)


def test_the_logarithm_is_right_to_two_units():
    x = np.concatenate([np.exp(np.random.default_rng(0).uniform(-700, 700, 200_000)), np.linspace(0.5, 2.0, 1001)])
    out = np.empty_like(x)
    _log_all(x, out)
    truth = np.log(x.astype(np.longdouble))
    assert np.max(np.abs(out - truth) / np.maximum(np.abs(truth), 1e-3)) < 1e-15


@pytest.mark.parametrize("size", [1, 7, 8, 23])
def test_sums_and_maxima_of_any_length(size):
    x = np.random.default_rng(size).standard_normal(size) - 3.0
    total, top = _sum_and_top(x)
    assert total == pytest.approx(x.sum()) and top == x.max()


@pytest.mark.parametrize("shift", [0.0, 5.0, -5.0, 300.0])
@pytest.mark.parametrize("reg", [1.0, 1e-2])
def test_a_sweep_finds_the_rows_from_any_start(shift, reg):
    """Also where the given potential is so far off that sums leave the range of numbers."""
    a, b, cost = naive.problem(30, 17)
    g = 0.1 * np.random.default_rng(0).standard_normal(17)
    f, sums = Problem(a, b, ArrayCost(cost), reg).sweep(np.full(30, shift), g)
    np.testing.assert_allclose(f, reg * (np.log(a) - logsumexp((g - cost) / reg, axis=1)), atol=1e-13)
    np.testing.assert_allclose(sums, naive.plan(f, g, cost, reg).sum(0), rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-2, 1.0, 50.0])
def test_the_columns_line_holds_for_sums_of_any_size(scale):
    a, b, cost = naive.problem(30, 17)
    problem = Problem(a, b, ArrayCost(cost), 1e-2)
    f = scale * np.random.default_rng(1).standard_normal(30)
    g = np.zeros(17)
    with np.errstate(over="ignore"):
        sums = naive.plan(f, g, cost, 1e-2).sum(0)
    moved = problem.move_columns(f, g, sums)
    np.testing.assert_allclose(moved, 1e-2 * (np.log(b) - logsumexp((f[:, None] - cost) / 1e-2, axis=0)), rtol=1e-12)


def test_sums_along_the_axes_of_a_grid_are_sums_over_its_points():
    grid = GridCost((3, 5, 2), scale=0.3)
    g = np.random.default_rng(0).standard_normal(30)
    g[4] = -np.inf
    for reg in (1.0, 1e-3):
        truth = -reg * logsumexp((g - grid.rows(slice(None))) / reg, axis=1)
        np.testing.assert_allclose(grid.softmin_rows(g, reg), truth, atol=1e-12)


def test_a_stored_kernel_sweeps_as_the_log_domain_does_and_absorbs_what_moves_far():
    a, b, cost = naive.problem(30, 17)
    problem = Problem(a, b, ArrayCost(cost), 1e-2)
    f, g = naive.sinkhorn(a, b, cost, 1e-2, max_iter=2)
    stored = StoredKernel(problem, f, g)
    rng = np.random.default_rng(0)
    for spread in (0.0, 0.1, 2.0, 0.1):  # 2.0 / reg is beyond the range of a scaling
        moved = g + spread * rng.standard_normal(17)
        for ours, truth in zip(stored.sweep(f, moved), problem.sweep(f, moved), strict=True):
            np.testing.assert_allclose(ours, truth, rtol=1e-10, atol=1e-12)
    assert stored.f is not f  # the kernel was made anew on the way


def test_extrapolation_ends_a_linear_iteration_in_as_many_steps_as_it_has_rates():
    """One that takes constants to themselves, as sweeps do; constants of the answer mean nothing."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(np.column_stack([np.ones(6), rng.standard_normal((6, 5))]))[0]
    matrix = basis @ np.diag([1.0, 0.99, 0.9, 0.5, 0.0, 0.0]) @ basis.T
    truth = rng.standard_normal(6)
    ends = []
    for depth in (5, 0):
        mixing, point = Extrapolation(6, depth), np.zeros(6)
        for _ in range(6):
            image = truth + matrix @ (point - truth) + 0.1
            point = mixing.step(point, image)
            assert point.mean() == pytest.approx(image.mean(), abs=1e-12)
        ends.append(np.ptp(point - truth))
    assert ends[0] < 1e-5 and ends[1] > 0.1


@pytest.mark.parametrize("depth", [0, 10])
@pytest.mark.parametrize("stored", [False, True])
def test_every_kind_of_sweep_ends_at_the_same_plan(depth, stored):
    a, b, cost = naive.problem()
    problem = Problem(a, b, ArrayCost(cost), 0.02)
    start = (np.zeros(9), np.zeros(7))
    outcome = sinkhorn_sweeps(problem, *start, tol=1e-12, max_iter=3000, record=Record(), depth=depth, stored=stored)
    assert outcome.error <= 1e-12
    truth = naive.plan(*naive.sinkhorn(a, b, cost, 0.02), cost, 0.02)
    plan = naive.plan(outcome.f, outcome.g, cost, 0.02)
    np.testing.assert_allclose(plan, truth, atol=1e-11)
    rough = sinkhorn_sweeps(problem, *start, tol=1e-3, max_iter=3000, record=Record(), depth=depth, stored=stored)
    plan = naive.plan(rough.f, rough.g, cost, 0.02)
    np.testing.assert_allclose(plan.sum(0), b, rtol=1e-11)
    assert 1e-9 < np.abs(plan.sum(1) - a).sum() <= rough.error * (1 + 1e-9)


@pytest.mark.parametrize("depth", [0, 10])
def test_sweeps_that_rounding_holds_up_end(depth):
    a, b, cost = naive.problem()
    record = Record()
    problem = Problem(a, b, ArrayCost(cost), 0.1)
    options = {"tol": -1.0, "max_iter": 10_000, "record": record, "depth": depth}  # not even an error of zero meets it
    outcome = sinkhorn_sweeps(problem, np.zeros(9), np.zeros(7), **options)
    assert outcome.stalled and outcome.error < 1e-14
    assert record.n_iter < 2000


def test_sweeps_that_gain_nothing_end():
    class Idle:
        """Sweeps whose error is always the same."""

        shape, reg, b, cost = (3, 3), 1.0, np.ones(3) / 3, ArrayCost(np.zeros((3, 3)))

        def sweep(self, f, g):
            return f, self.b + [1e-3, 0.0, -1e-3]

        def move_columns(self, f, g, sums):
            return g + [1.0, 0.0, -1.0]

    record = Record()
    options = {"tol": 1e-9, "max_iter": 10_000, "record": record, "stored": False}
    outcome = sinkhorn_sweeps(Idle(), np.zeros(3), np.zeros(3), **options)
    assert outcome.stalled and record.n_iter < 500


def test_compressed_rows_keep_what_exceeds_the_cut():
    a, b, cost = naive.problem(30, 17)
    f, g = naive.sinkhorn(a, b, cost, 1e-2)
    dense = naive.plan(f, g, cost, 1e-2)
    rng = np.random.default_rng(0)
    rows, columns = 10.0 ** rng.uniform(-8, -2, 30), 10.0 ** rng.uniform(-8, -2, 17)
    rows[0] = 0.0
    made = make_plan(Problem(a, b, ArrayCost(cost), 1e-2), f, g, "csr", (rows, columns))
    kept = dense > np.minimum(rows[:, None], columns)
    assert 0 < kept[1:].sum() < kept[1:].size
    np.testing.assert_allclose(made.toarray(), np.where(kept, dense, 0.0), rtol=1e-12)
    assert made.has_canonical_format and made.indices.dtype == np.int32
