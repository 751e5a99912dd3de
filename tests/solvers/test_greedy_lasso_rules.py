"""The six greedy rules against brute force: one coefficient, moved alone, minimises the penalised objective."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from sparsecode.kernels.weighted_median import l1_falls, weighted_median
from sparsecode.solvers.greedy.greedy_lasso_rules import EUCLIDEAN_RULES, absolute_fall, absolute_l0, absolute_l1

STRENGTHS = [0.0, 0.05, 0.3, 1.0, 3.0]


def problem(complex_=False, unit=False, seed=0):
    """A design with a least-squares fit on three of eight columns."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((12, 8)) * rng.uniform(0.2, 3.0, 8)
    y = 2 * rng.standard_normal(12)
    if complex_:
        A, y = A + 1j * rng.standard_normal((12, 8)), y + 1j * rng.standard_normal(12)
    if unit:
        A = A / np.linalg.norm(A, axis=0)
    x = np.zeros(8, dtype=A.dtype)
    support = rng.choice(8, 3, replace=False)
    x[support] = np.linalg.lstsq(A[:, support], y)[0]
    return A, y, x, rng.uniform(0.3, 2.0, 8)


def misfit(loss, residual):
    size = np.linalg.norm(residual)
    return {"squared": size**2 / 2, "square_root": size, "absolute": np.abs(residual).sum()}[loss]


def price(penalty, value, strength):
    return strength * (value != 0) if penalty == "l0" else strength * abs(value)


def brute_force(loss, penalty, A, y, x, j, strength):
    """``max_t G(x) - G(x + t e_j)`` by numerical minimisation from many starts, over the plane if the data are complex."""
    others = y - A @ x + A[:, j] * x[j]

    def objective(value):
        return misfit(loss, others - A[:, j] * value) + price(penalty, value, strength)

    found = [objective(0.0), objective(x[j])]
    reach = 2 * np.linalg.norm(others) / np.linalg.norm(A[:, j])
    if np.iscomplexobj(A):
        for turn in np.exp(2j * np.pi * np.arange(4) / 4):
            start = np.array([(reach / 4 * turn).real, (reach / 4 * turn).imag])
            options = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 2000}
            best = minimize(lambda t: objective(t[0] + 1j * t[1]), start, method="Nelder-Mead", options=options)
            found.append(best.fun)
    elif loss == "absolute":  # piecewise linear: the minimum is at a breakpoint
        found += [objective(value) for value in others / A[:, j]]
    else:
        for low, high in itertools.pairwise(np.linspace(-reach, reach, 9)):
            found.append(minimize_scalar(objective, bounds=(low, high), method="bounded", options={"xatol": 1e-11}).fun)
    return objective(x[j]) - min(found)


@pytest.mark.parametrize(("loss", "penalty"), list(EUCLIDEAN_RULES))
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("complex_", [False, True])
def test_the_euclidean_rules_are_the_best_that_one_coefficient_can_do(loss, penalty, unit, complex_):
    A, y, x, weights = problem(complex_, unit)
    r = y - A @ x
    for strength in STRENGTHS[:: 2 if complex_ else 1]:
        s = strength * weights
        rule = EUCLIDEAN_RULES[loss, penalty]
        correlation = np.where(x != 0, 0.0, A.conj().T @ r)
        delta = rule(correlation, x, np.sum(np.abs(A) ** 2, axis=0), np.linalg.norm(r), s)
        expected = [brute_force(loss, penalty, A, y, x, j, s[j]) for j in range(8)]
        np.testing.assert_allclose(delta, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("penalty", "rule"), [("l0", absolute_l0), ("l1", absolute_l1)])
@pytest.mark.parametrize("unit", [False, True])
def test_the_absolute_rules_are_the_best_that_one_coefficient_can_do(penalty, rule, unit):
    A, y, x, weights = problem(unit=unit, seed=1)
    A[3, :] = np.where(np.arange(8) % 2, 0.0, A[3])  # rows without a ratio
    A[4, 1], y[4] = 0.0, (A @ x)[4]  # 0/0
    support = np.flatnonzero(x)
    from scipy.optimize import linprog

    eye = np.eye(12)
    cost = np.r_[np.zeros(3), np.ones(24)]
    lp = linprog(cost, A_eq=np.hstack([A[:, support], eye, -eye]), b_eq=y, bounds=[(None, None)] * 3 + [(0, None)] * 24)
    x[support] = lp.x[:3]  # a fit by absolute deviations, as the pursuit has
    with np.errstate(divide="ignore", invalid="ignore"):
        for strength in STRENGTHS:
            s = strength * weights
            delta = rule(A, y - A @ x, x, s)
            expected = []
            for j in range(8):
                rows = A[:, j] != 0
                expected.append(brute_force("absolute", penalty, A[rows], y[rows], x, j, s[j]))
            if penalty == "l0":  # the rule only asks whether a member should leave: it is fitted already
                assert np.all(delta[x == 0] >= 0)
            np.testing.assert_allclose(delta, expected, rtol=0, atol=1e-9)


def test_columns_that_may_not_be_touched_score_zero():
    A, y, x, weights = problem()
    norms = np.sum(A**2, axis=0)
    norms[0], weights[1] = 0.0, np.inf
    for rule in EUCLIDEAN_RULES.values():
        delta = rule(A.T @ y, 0 * x, norms, np.linalg.norm(y), 1e-3 * weights)
        assert np.all(delta[:2] == 0)
        assert np.all(delta[2:] >= 0)
        assert np.all(np.isfinite(delta))
        assert np.all(rule(0 * x, 0 * x, norms, 0.0, weights) == 0)  # nothing left of the target


def test_the_square_root_rule_has_its_geometric_form():
    theta, phi, length = 0.6, 1.1, 2.5
    one = np.ones(1)
    delta = EUCLIDEAN_RULES["square_root", "l1"](length * np.cos(theta) * one, 0 * one, one, length, np.cos(phi) * one)
    assert delta[0] == pytest.approx(length * (1 - np.cos(theta - phi)), rel=1e-12)
    tiny = phi - 1e-9  # where the difference of cosines would lose every digit
    delta = EUCLIDEAN_RULES["square_root", "l1"](length * np.cos(tiny) * one, 0 * one, one, length, np.cos(phi) * one)
    assert delta[0] == pytest.approx(length * 5e-19, rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("whole", [False, True])
def test_the_compiled_weighted_median_is_the_sorted_one(seed, whole):
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.integers(-3, 4, shape).astype(float) if whole else rng.standard_normal(shape)

    columns, residual = np.asfortranarray(draw(41, 30)), draw(41)
    columns[:, 0] = 0.0
    coef, strength = draw(30) * (rng.random(30) < 0.5), np.abs(draw(30))
    expected = absolute_fall(columns, residual, coef, strength)
    np.testing.assert_allclose(l1_falls(columns, residual, coef, strength), expected, atol=1e-12)
    assert np.all(np.isfinite(expected))
    for count in (1, 2, 3, 17, 41):
        points, weights = draw(count), rng.random(count) + 0.1
        order = np.argsort(points, kind="stable")
        place = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
        assert weighted_median(points.copy(), weights.copy(), count) == points[order][place]
