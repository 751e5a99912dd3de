"""Labels and counts that free columns or the intercept explain almost surely: dual points at the edge of their domain."""

import numpy as np
import pytest

from sparsecode import L1, Logistic, Multinomial, Poisson, Status, WithIntercept, alpha_max, solve


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(
    "share, solver", [(0.3, "prox_newton"), (0.3, "fista"), (0.01, "prox_newton"), (0.001, "prox_newton")]
)
def test_samples_that_a_free_column_explains_do_not_spoil_the_proof(intercept, positive, share, solver):
    """Their dual is next to the edge of its domain: whatever makes the dual orthogonal to the free column must not push it over."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 30))
    y = np.where(2 * A[:, 0] - A[:, 3] + 0.3 * rng.standard_normal(60) > 0, 1.0, -1.0)
    loss = WithIntercept(Logistic()) if intercept else Logistic()
    weights = np.ones(30)
    weights[[0, 5]] = 0.0, np.inf
    penalty = L1(share * alpha_max(A, y, loss, positive=positive), positive)
    result = solve(A, y, loss, penalty, penalty_weights=weights, solver=solver)
    assert result.status is Status.CONVERGED
    assert np.max(np.abs(A @ result.coef)) > 5


@pytest.mark.parametrize("solver", ["prox_newton", "fista"])
def test_targets_that_a_free_column_explains_are_proved_one_by_one(solver):
    rng = np.random.default_rng(3)
    A = rng.standard_normal((60, 30))
    scores = np.stack([4 * A[:, 0] - A[:, 3], A[:, 4] - A[:, 0]], axis=1)
    y = np.where(scores + 0.3 * rng.standard_normal((60, 2)) > 0, 1.0, -1.0)
    result = solve(A, y, WithIntercept(Logistic()), L1(0.03), penalty_weights=np.r_[0.0, np.ones(29)], solver=solver)
    assert np.all(result.certificate <= 1e-6)
    alone = [
        solve(A, y[:, k], WithIntercept(Logistic()), L1(0.03), penalty_weights=np.r_[0.0, np.ones(29)]) for k in (0, 1)
    ]
    np.testing.assert_allclose(result.objective, [one.objective for one in alone], rtol=1e-5)


@pytest.mark.parametrize("loss", [Logistic(), Poisson()])
def test_counts_of_zero_and_clear_labels_stay_in_the_domain_with_an_intercept(loss):
    fitted = np.r_[-60.0, -45.0, 0.3, 0.1, 1.0]
    target = (
        np.array([0.0, 0.0, 1.0, 2.0, 3.0]) if isinstance(loss, Poisson) else np.array([-1.0, -1.0, 1.0, -1.0, 1.0])
    )
    gradient = WithIntercept(loss).gradient(target, fitted, 0.2)
    assert abs(np.sum(gradient)) <= 1e-16
    assert np.isfinite(WithIntercept(loss).dual_value(target, -gradient, 0.2))
    assert float(loss.dual_scaling(target, -gradient, np.asarray(1.0), 0.2)) > 0.5


def test_classes_that_are_certain_leave_the_dual_point_room():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((150, 40))
    scores = np.c_[2 * A[:, 3] - 2 * A[:, 10] + 1.5 * A[:, 30], 2 * A[:, 5], 2 * A[:, 7]] + rng.gumbel(size=(150, 3))
    A, Y = A[30:], np.eye(3)[np.argmax(scores, axis=1)][30:]
    loss = WithIntercept(Multinomial())
    result = solve(A, Y, loss, L1(1e-3 * alpha_max(A, Y, loss)), max_iter=1000)
    assert result.status is Status.CONVERGED
    assert result.certificate <= 1e-6
