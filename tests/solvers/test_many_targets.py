"""Independent targets over threads: what a callback sees of them, and how it stops them."""

import numpy as np
import pytest

from sparsecode import L1, Absolute, Lasso, Logistic, Squared, Status, solve
from tests.planted import planted

CASES = [(Squared(), "working_set"), (Logistic(), "prox_newton"), (Absolute(), "primal_dual")]
every_case = pytest.mark.parametrize(("loss", "solver"), CASES, ids=lambda case: str(case))


def data(loss, n_targets=20):
    A = planted(30, 12, 3, seed=0).A
    Y = A @ np.random.default_rng(1).standard_normal((12, n_targets))
    return A, np.where(Y > 0, 1.0, -1.0) if isinstance(loss, Logistic) else Y


@every_case
def test_a_callback_sees_the_rounds_of_every_target(loss, solver):
    A, Y = data(loss)
    seen = []
    result = solve(A, Y, loss, L1(0.05), solver=solver, callback=lambda progress: seen.append(progress))
    plain = solve(A, Y, loss, L1(0.05), solver=solver)
    np.testing.assert_array_equal(result.coef, plain.coef)
    assert all(progress.coef.shape == (12,) for progress in seen)
    assert sum(progress.iteration == 0 for progress in seen) == 20


@every_case
def test_a_callback_stops_all_targets(loss, solver):
    A, Y = data(loss)
    seen = []
    result = solve(A, Y, loss, L1(1e-4), solver=solver, callback=lambda progress: seen.append(progress) or True)
    assert len(seen) == 1
    assert result.status is Status.INTERRUPTED
    assert result.n_iter == 0


def test_an_estimator_of_many_targets_needs_no_callback_of_its_own():
    A, Y = data(Squared())
    model = Lasso(0.05).fit(A, Y)
    np.testing.assert_allclose(model.coef_[3], Lasso(0.05).fit(A, Y[:, 3]).coef_, atol=1e-12)


@every_case
def test_every_target_is_weighted_as_it_is_alone(loss, solver):
    A, Y = data(loss, 3)
    weight = np.random.default_rng(2).integers(0, 4, 30)
    together = solve(A, Y, loss, L1(0.1), solver=solver, sample_weight=weight, tol=1e-9)
    for target in range(3):
        rows = np.repeat(np.arange(30), weight)
        alone = solve(A[rows], Y[rows, target], loss, L1(0.1), solver=solver, tol=1e-9)
        assert together.objective[target] == pytest.approx(float(alone.objective), rel=1e-7)
