"""The parts of the working-set Lasso: screening, growing Gram matrices, sweeps, Newton steps."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import L1, alpha_max, fista, lasso
from sparsecode.designs import DenseDesign
from sparsecode.losses import Squared
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.coordinate.newton import _least_along, newton_step
from sparsecode.solvers.coordinate.screening import survivors
from sparsecode.solvers.coordinate.subproblem import _interpreted_sweeps
from sparsecode.solvers.gram import GrowingGram
from sparsecode.solvers.problem import make_problem
from tests.planted import planted
from tests.solvers.naive_lasso import naive_lasso


@pytest.fixture(scope="module")
def wide():
    """More features than samples, a noisy target: supports of dozens."""
    return planted(60, 150, 8, noise=0.5, seed=3)


@pytest.mark.parametrize("screening", [False, True])
def test_screening_changes_no_answer(screening, monkeypatch):
    from sparsecode.solvers.coordinate import working_set

    monkeypatch.setattr(working_set, "_SCREEN_AFTER", 1)
    monkeypatch.setattr(working_set, "_FEW_LEFT", 0.9)
    monkeypatch.setattr(working_set, "_FIRST", 5)
    A, y, _ = planted(100, 300, 10, noise=0.1, seed=4)
    for share in (0.5, 0.1):
        alpha = share * alpha_max(A, y)
        result = lasso(A, y, alpha, screening=screening, tol=1e-11)
        np.testing.assert_allclose(result.coef, naive_lasso(A, y, alpha), atol=1e-6)


def test_screening_never_drops_an_active_column_and_drops_most_others(wide):
    alpha = 0.3 * alpha_max(wide.A, wide.y)
    active = np.flatnonzero(naive_lasso(wide.A, wide.y, alpha))
    problem = make_problem(wide.A, wide.y, Squared(), L1(alpha))
    dropped = []
    for tol in (1e-1, 1e-3, 1e-6):
        coef = lasso(wide.A, wide.y, alpha, tol=tol).coef
        for blur in (0.0, 1e-3):
            near = coef * (1 + blur)
            left = survivors(problem, relative_gap(problem, near), [])
            assert np.isin(active, left).all()
            dropped.append(150 - left.size)
    assert max(dropped) > 0.8 * (150 - active.size)


@pytest.mark.parametrize("kind", ["fortran", "csc"])
def test_screened_rounds_are_certified_on_all_columns(kind, monkeypatch):
    from sparsecode.solvers.coordinate import working_set

    A, y, _ = planted(100, 300, 10, noise=0.1, seed=4)
    alpha = 0.1 * alpha_max(A, y)
    monkeypatch.setattr(working_set, "_SCREEN_AFTER", 1)
    monkeypatch.setattr(working_set, "_FIRST", 5)
    result = lasso((np.asfortranarray if kind == "fortran" else sp.csc_array)(A), y, alpha, tol=1e-10)
    problem = make_problem(A, y, Squared(), L1(alpha))
    assert result.certificate == pytest.approx(relative_gap(problem, result.coef).value, abs=1e-13)
    assert result.certificate <= 1e-10


def test_a_growing_gram_is_the_gram():
    A = planted(30, 40).A
    growing = GrowingGram(DenseDesign(A))
    for new in ([3, 1], [7], list(range(10, 40))):
        growing.grow(np.array(new))
    members = growing.members
    np.testing.assert_allclose(growing.matrix[:33, :33], A[:, members].T @ A[:, members] / 30, atol=1e-14)


def test_compiled_and_interpreted_sweeps_agree():
    from sparsecode.kernels.coordinate import gram_sweeps

    A, y, _ = planted(30, 20, noise=0.3)
    gram, correlation, weights = A.T @ A / 30, A.T @ y / 30, np.linspace(0, 2, 20)
    outcomes = []
    for sweeps in (gram_sweeps, _interpreted_sweeps):
        for penalty in (L1(0.1), L1(0.1, positive=True)):
            coef, remaining = np.zeros(20), correlation.copy()
            moves = sweeps(gram, penalty, weights, coef, remaining, 7, 0.0)
            np.testing.assert_allclose(remaining, correlation - gram @ coef, atol=1e-12)
            outcomes.append((moves, coef))
    for compiled, interpreted in zip(outcomes[:2], outcomes[2:], strict=True):
        assert compiled[0] == interpreted[0]
        np.testing.assert_allclose(compiled[1], interpreted[1], atol=1e-13)


def test_a_descent_sweeps_until_the_support_is_settled_or_its_moves_are_spent():
    from sparsecode.kernels.coordinate import gram_descent

    A, y, _ = planted(30, 20, noise=0.3)
    A = np.cumsum(A, axis=1)  # columns so alike that some enter late, and others leave
    gram, correlation, weights, penalty = A.T @ A / 30, A.T @ y / 30, np.linspace(0, 2, 20), L1(0.1)
    for budget in (0, 60, 10_000):
        coef, remaining, trail = np.zeros(20), correlation.copy(), np.empty((4, 20))
        moves, settled = gram_descent(gram, penalty, weights, coef, remaining, trail, budget)
        swept, left, spent, supports = [np.zeros(20)], correlation.copy(), 0, [()]
        calm = False
        while not calm and (len(swept) <= 3 or spent < budget):
            swept.append(swept[-1].copy())
            spent += _interpreted_sweeps(gram, penalty, weights, swept[-1], left, 1, 0.0)
            supports.append(tuple(np.flatnonzero(swept[-1])))
            calm = len(supports) > 3 and len(set(supports[-4:])) == 1
        assert (moves, settled) == (spent, calm)
        np.testing.assert_allclose(trail, swept[-4:], atol=1e-13)
        np.testing.assert_array_equal(coef, trail[-1])
        np.testing.assert_allclose(remaining, correlation - gram @ coef, atol=1e-12)
    assert settled and len(swept) > 5  # the last budget was no limit, the first was one


def test_small_problems_never_import_the_compiler():
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from sparsecode import lasso; A = np.random.default_rng(0).standard_normal((50, 30));"
        "r = lasso(A, A[:, 0] - A[:, 1], 0.01); print(r.status.name, 'numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["CONVERGED", "False"]


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_newton_steps_lower_the_objective_or_are_refused(positive, seed):
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((12, 8))
    columns[:, 5] = columns[:, 4]  # dependent
    gram, correlation = columns.T @ columns, columns.T @ rng.standard_normal(12)
    threshold = np.where(np.arange(8) == 2, 0.0, 0.3)
    coef = np.abs(rng.standard_normal(8)) if positive else rng.standard_normal(8)

    def value(w):
        return 0.5 * w @ gram @ w - correlation @ w + threshold @ np.abs(w)

    step = newton_step(gram, coef, correlation - gram @ coef, threshold, positive)
    if step is not None:
        assert value(coef + step) < value(coef)
        assert not positive or np.all(coef + step >= 0)


def test_a_newton_step_without_sign_change_is_exact():
    gram = np.array([[2.0, 0.3], [0.3, 1.0]])
    correlation, threshold, coef = np.array([5.0, -4.0]), np.array([0.5, 0.5]), np.array([1.0, -1.0])
    step = newton_step(gram, coef, correlation - gram @ coef, threshold, False)
    np.testing.assert_allclose(gram @ (coef + step), correlation - threshold * [1, -1], atol=1e-12)


def test_fista_and_working_sets_share_one_answer(wide):
    alpha = 0.1 * alpha_max(wide.A, wide.y)
    by_gradient = fista(wide.A, wide.y, penalty=L1(alpha), tol=1e-11)
    by_sets = lasso(wide.A, wide.y, alpha, tol=1e-11)
    np.testing.assert_allclose(by_gradient.coef, by_sets.coef, atol=1e-5)
    assert by_gradient.certificate_name == by_sets.certificate_name


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_a_step_along_a_direction_ends_where_the_objective_is_least(positive, seed):
    rng = np.random.default_rng(seed)
    columns, threshold = rng.standard_normal((12, 6)), rng.uniform(0.1, 3.0, 6)
    gram, coef = columns.T @ columns, np.abs(rng.standard_normal(6)) if positive else rng.standard_normal(6)
    correlation = columns.T @ (3 * rng.standard_normal(12))
    descent = correlation - gram @ coef - threshold * np.sign(coef)
    direction = np.linalg.solve(gram, descent)
    bend = direction @ gram @ direction
    found = _least_along(coef, direction, descent, bend, threshold, positive)
    lengths = np.linspace(0, 1, 200_001)
    path = coef + lengths[:, None] * direction
    values = 0.5 * np.sum((path @ columns.T) ** 2, axis=1) - path @ correlation + np.abs(path) @ threshold
    values[np.any(path < 0, axis=1) & positive] = np.inf
    assert found == pytest.approx(lengths[np.argmin(values)], abs=1e-5)
