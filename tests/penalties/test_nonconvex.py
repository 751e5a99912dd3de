"""Penalties that are not convex: closed forms, identities between them, and what certifies their answers."""

import itertools

import numpy as np
import pytest

from sparsecode import CEL0, L0, L1, MCP, SCAD, CappedL1, LogSum, Lq, Squared, fista, ista
from sparsecode.solvers.certificates import certificate_of, prox_residual
from sparsecode.solvers.problem import make_problem
from tests.contracts.test_penalty_laws import minimiser
from tests.planted import planted

SOME = [
    MCP(0.3),
    SCAD(0.3),
    CEL0(0.1),
    LogSum(0.2, 0.5),
    CappedL1(0.3, 0.6),
    Lq(0.2),
    Lq(0.2, 2 / 3),
    Lq(0.2, 0.4),
    L0(0.1),
]


@pytest.mark.parametrize("penalty", SOME, ids=repr)
def test_the_prox_is_global_for_steps_of_every_size(penalty):
    rng = np.random.default_rng(0)
    for step in 10.0 ** np.linspace(-3, 3, 13):
        for value in rng.uniform(0, 4, 8) * max(1.0, (step * penalty.alpha) ** 0.6):

            def objective(w, value=value, step=step):
                w = np.atleast_1d(w)
                return 0.5 * (w - value) ** 2 + step * penalty.value(w[None, :])

            found = float(penalty.prox(np.array([value]), step)[0])
            scale = 1.0 + value**2
            assert objective(found)[0] <= objective(minimiser(objective, 1.5 * value + 0.1))[0] + 1e-13 * scale


@pytest.mark.parametrize("q", [0.5, 2 / 3])
def test_closed_forms_agree_with_newtons_method(q):
    rng = np.random.default_rng(1)
    value, step = rng.uniform(0, 5, 2000), 10.0 ** rng.uniform(-6, 1, 2000)
    closed = Lq(1.0, q).prox(value, step)
    numeric = Lq(1.0, np.nextafter(q, 0)).prox(value, step)  # another branch for nearly the same power
    np.testing.assert_allclose(closed, numeric, rtol=1e-11)
    np.testing.assert_allclose(Lq(1.0, q).prox(np.array([1e9, 1e200]), 1e-3), [1e9, 1e200], rtol=1e-15)


def test_continuous_exact_l0_is_a_minimax_concave_penalty():
    rng = np.random.default_rng(2)
    coef, step = 2 * rng.standard_normal(200), rng.uniform(0, 2, 200)
    mine, other = CEL0(0.4, 2.5), MCP((2 * 0.4 * 2.5) ** 0.5, 1 / 2.5)
    np.testing.assert_allclose(mine.value(coef), other.value(coef))
    np.testing.assert_allclose(mine.prox(coef, step), other.prox(coef, step))


def test_continuous_exact_l0_has_the_least_objective_of_l0():
    """Every support by least squares on one side, starts from everywhere on the other."""
    for seed in range(3):
        A, y, _ = planted(8, 5, 2, noise=0.5, seed=seed)
        A *= np.sqrt(8) / np.linalg.norm(A, axis=0)
        least = np.inf
        for size in range(6):
            for support in itertools.combinations(range(5), size):
                columns = A[:, list(support)]
                left = y - columns @ np.linalg.lstsq(columns, y)[0] if size else y
                least = min(least, left @ left / 16 + 0.1 * size)
        starts = np.random.default_rng(seed).standard_normal((30, 5)) * 2
        found = min(float(ista(A, y, penalty=CEL0(0.1), init=start).objective) for start in starts)
        assert found == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize("penalty", SOME, ids=repr)
@pytest.mark.parametrize("solver", [fista, ista])
def test_the_solvers_end_certified(penalty, solver):
    A, y, coef = planted()
    result = solver(A, y, penalty=penalty, tol=1e-7)
    assert result.status.is_success
    expected = "prox residual" if isinstance(penalty, (L0, Lq)) else "stationarity"
    assert expected in result.certificate_name
    assert set(np.flatnonzero(coef)) == set(result.support)


@pytest.mark.parametrize("penalty", [L0(0.1), Lq(0.2)], ids=repr)
def test_the_prox_residual_sees_what_stationarity_does_not(penalty):
    A, y, _ = planted()
    problem = make_problem(A, y, Squared(), penalty)
    assert np.all(penalty.subdiff_distance(A.T @ y, np.zeros(80)) == 0)
    assert prox_residual(problem, np.zeros(80)).value > 0.1
    assert certificate_of(problem) is prox_residual
    solved = fista(A, y, penalty=penalty, tol=1e-9)
    moved = np.where(np.arange(80) == solved.support[0], 1.01, 1.0) * solved.coef
    assert prox_residual(problem, solved.coef).value <= 1e-9 < 1e-4 < prox_residual(problem, moved).value


@pytest.mark.parametrize("penalty", [MCP(0.3), SCAD(0.3), LogSum(0.2, 0.5)], ids=repr)
def test_reweighted_l1_never_raises_the_objective_and_ends_stationary(penalty):
    A, y, _ = planted(noise=0.3)
    problem = make_problem(A, y, Squared(), penalty)
    coef, last = np.zeros(80), np.inf
    for _ in range(60):
        coef = fista(A, y, penalty=L1(1.0), penalty_weights=penalty.tangent(coef), tol=1e-12).coef
        objective = float(problem.value(coef))
        assert objective <= last + 1e-10
        last = objective
    distance = penalty.subdiff_distance(A.T @ (A @ coef - y) / len(y), coef)
    assert np.max(distance) < 1e-3


def test_a_parameter_out_of_range_is_refused_by_name():
    A, y, _ = planted()
    for penalty, field in (
        (MCP(1.0, 0.0), "gamma"),
        (SCAD(1.0, 2.0), "a must"),
        (CEL0(1.0, -1.0), "curvature"),
        (Lq(1.0, 1.0), "q must"),
        (LogSum(1.0, 0.0), "epsilon"),
        (CappedL1(1.0, float("inf")), "cap"),
    ):
        with pytest.raises(ValueError, match=f"{type(penalty).__name__}.{field}"):
            fista(A, y, penalty=penalty)


@pytest.mark.parametrize("penalty", [*SOME, LogSum(0.7, 1e9), LogSum(0.7, 1e-9), Lq(0.7, 0.01)], ids=repr)
@pytest.mark.parametrize("size", [1e-310, 1e-210, 1e-30, 1e-12, 1.0, 1e12, 1e200])
def test_a_free_coefficient_of_any_size_is_left_alone(penalty, size):
    from sparsecode.penalties._registry import SCALAR_PROX

    assert float(penalty.prox(np.array([-size]), 0.0)[0]) == pytest.approx(-size, rel=1e-9)
    assert SCALAR_PROX[type(penalty)](penalty, -size, 0.0) == pytest.approx(-size, rel=1e-9)


@pytest.mark.parametrize("size", [1e-9, 1e-3, 0.3, 20.0])
def test_the_log_sum_of_a_large_epsilon_is_an_l1_norm(size):
    """Coefficients far below epsilon keep their digits: ``log(1 + t / epsilon)`` is ``t / epsilon`` there."""
    from sparsecode.penalties._registry import SCALAR_PROX

    penalty, step = LogSum(0.5e9 * size, 1e9), 0.6
    expected = size
    for _ in range(3):  # a contraction by the size over epsilon
        expected = size - step * 0.5 * size / (1.0 + expected / 1e9)
    assert float(penalty.prox(np.array([size]), step)[0]) == pytest.approx(expected, rel=1e-9, abs=0)
    assert SCALAR_PROX[LogSum](penalty, size, step) == pytest.approx(expected, rel=1e-9, abs=0)
