"""The losses' numbers, worked out by hand or by SciPy and scikit-learn. Their laws are in tests/contracts/."""

import numpy as np
import pytest
from scipy import optimize, special
from sklearn.metrics import d2_pinball_score, log_loss, mean_pinball_loss, mean_poisson_deviance

from sparsecode import (
    Absolute,
    Huber,
    Logistic,
    Multinomial,
    Poisson,
    Quantile,
    Squared,
    SquareRoot,
    WithIntercept,
)

rng = np.random.default_rng(0)
N = 40
Y, Z = rng.standard_normal((2, N))
SHARE = rng.integers(0, 4, N) / 60.0
SHARE = SHARE / SHARE.sum()
LABELS = np.where(rng.uniform(size=N) < 0.4, -1.0, 1.0)
COUNTS = rng.poisson(3.0, N).astype(float)
CLASSES = np.eye(4)[rng.integers(0, 4, N)]
SCORES = rng.standard_normal((N, 4))


def test_values_are_those_of_scipy_and_scikit_learn():
    assert Huber(0.7).value(Y, Z, SHARE) == pytest.approx(SHARE @ special.huber(0.7, Y - Z))
    assert Quantile(0.8).value(Y, Z, SHARE) == pytest.approx(mean_pinball_loss(Y, Z, alpha=0.8, sample_weight=SHARE))
    assert Absolute().value(Y, Z, SHARE) == pytest.approx(2 * Quantile(0.5).value(Y, Z, SHARE))
    assert SquareRoot().value(Y, Z, 1 / N) == pytest.approx(np.linalg.norm(Y - Z) / np.sqrt(N))
    assert Logistic().value(LABELS, Z, SHARE) == pytest.approx(log_loss(LABELS, special.expit(Z), sample_weight=SHARE))
    assert Multinomial().value(CLASSES, SCORES, SHARE[:, None]) == pytest.approx(
        log_loss(np.argmax(CLASSES, axis=1), special.softmax(SCORES, axis=1), sample_weight=SHARE)
    )
    assert Poisson().value(COUNTS, Z, SHARE) == pytest.approx(
        mean_poisson_deviance(COUNTS, np.exp(Z), sample_weight=SHARE) / 2
    )


def test_a_perfect_fit_costs_nothing():
    for loss, target, fitted in (
        (Squared(), Y, Y),
        (SquareRoot(), Y, Y),
        (Absolute(), Y, Y),
        (Quantile(0.2), Y, Y),
        (Huber(0.5), Y, Y),
        (Logistic(), LABELS, 800 * LABELS),
        (Poisson(), COUNTS + 1, np.log(COUNTS + 1)),
        (Multinomial(), CLASSES, 800 * CLASSES),
    ):
        assert loss.value(target, fitted, 1 / N) == pytest.approx(0, abs=1e-15)
        np.testing.assert_allclose(loss.gradient(target, fitted, 1 / N), 0, atol=1e-15)


def test_the_logistic_loss_is_exact_where_probabilities_round_to_one():
    for z in (30.0, 700.0, 1000.0, 1e300):
        right, wrong = (Logistic().value(np.array([sign]), np.array([z]), 1.0) for sign in (1.0, -1.0))
        assert wrong == pytest.approx(z, rel=1e-12)
        assert right == pytest.approx(np.exp(-z), rel=1e-12)
        assert Logistic().gradient(np.ones(1), np.array([z]), 1.0)[0] == pytest.approx(-np.exp(-z), rel=1e-12)
    one = Logistic()
    share = np.array([1e-20])  # of the dual domain: an entropy of 1e-20 |log 1e-20|
    assert one.dual_value(np.ones(1), share, 1.0) == pytest.approx(1e-20 * (1 - np.log(1e-20)), rel=1e-12)


def test_the_poisson_loss_keeps_its_digits_at_large_counts():
    count, step = 1e12, 1e-5
    z = np.log(count) + step
    assert Poisson().value(np.array([count]), np.array([z]), 1.0) == pytest.approx(count * step**2 / 2, rel=1e-4)
    dual = -Poisson().gradient(np.array([count]), np.array([z]), 1.0)
    bound = Poisson().dual_value(np.array([count]), dual, 1.0)
    assert bound == pytest.approx(Poisson().value(np.array([count]), np.array([z]), 1.0) + z * dual[0], rel=1e-12)


def brute_conjugate(loss, target, dual):
    """``-F*(-u) = min over z of F(z) + u z``, for one sample of weight one, by a bracketed search."""
    found = optimize.minimize_scalar(
        lambda z: float(loss.value(np.array([target]), np.array([z]), 1.0)) + dual * z,
        bounds=(-60, 60),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return found.fun


@pytest.mark.parametrize(
    ("loss", "target", "duals"),
    [
        (Absolute(), 1.5, (-0.9, 0.0, 0.9)),
        (Quantile(0.3), -0.5, (-0.65, 0.0, 0.25)),
        (Huber(0.8), 2.0, (-0.75, 0.1, 0.75)),
        (Logistic(), 1.0, (0.01, 0.5, 0.99)),
        (Logistic(), -1.0, (-0.01, -0.5, -0.99)),
        (Poisson(), 3.0, (-5.0, 0.0, 2.9)),
        (Poisson(), 0.0, (-5.0, -0.1)),
    ],
)
def test_the_dual_value_is_the_minimum_that_defines_it(loss, target, duals):
    for dual in duals:
        found = float(loss.dual_value(np.array([target]), np.array([dual]), 1.0))
        assert found == pytest.approx(brute_conjugate(loss, target, dual), abs=1e-8)


@pytest.mark.parametrize(
    ("loss", "target", "dual"),
    [
        (Absolute(), 1.5, 1.01),
        (Quantile(0.3), -0.5, 0.31),
        (Quantile(0.3), -0.5, -0.71),
        (Huber(0.8), 2.0, -0.81),
        (SquareRoot(), 2.0, 1.01),
        (Logistic(), 1.0, -0.01),
        (Logistic(), 1.0, 1.01),
        (Poisson(), 3.0, 3.01),
    ],
)
def test_outside_the_domain_nothing_is_proved(loss, target, dual):
    assert loss.dual_value(np.array([target]), np.array([dual]), 1.0) == -np.inf
    scale = loss.dual_scaling(np.array([target]), np.array([dual]), np.float64(1.0), 1.0)
    assert np.isfinite(loss.dual_value(np.array([target]), scale * np.array([dual]), 1.0))


def test_proxes_in_closed_form():
    fitted = np.array([0.0, 0.9, 3.0])
    target = np.array([1.0, 1.0, 1.0])
    np.testing.assert_allclose(Absolute().prox(target, fitted, 0.5, 1.0), [0.5, 1.0, 2.5])
    np.testing.assert_allclose(Quantile(0.2).prox(target, fitted, 1.0, 1.0), [0.2, 1.0, 2.2])
    np.testing.assert_allclose(Absolute().prox(target, fitted, 0.5, np.array([0.0, 1.0, 2.0])), [0.0, 1.0, 2.0])
    # the norm of the residual shrinks by the step, its direction stays
    residual = np.array([3.0, 4.0])
    np.testing.assert_allclose(SquareRoot().prox(np.zeros(2), residual, 1.0, 1.0), residual * 0.8)
    np.testing.assert_array_equal(SquareRoot().prox(np.ones(2), 1 + residual, 6.0, 1.0), np.ones(2))
    turned = SquareRoot().prox(np.zeros(2), 1j * residual, 1.0, 1.0)
    np.testing.assert_allclose(turned, 0.8j * residual)


def test_the_weighted_prox_of_the_norm_is_the_brute_force_minimiser():
    target, fitted, weights = Y[:4], Z[:4], np.array([0.1, 0.0, 0.5, 0.4])
    for step in (0.1, 1.0, 3.0):
        point = SquareRoot().prox(target, fitted, step, weights)

        def objective(z, step=step):
            return 0.5 * np.sum((z - fitted) ** 2) + step * SquareRoot().value(target, z, weights)

        best = optimize.minimize(objective, fitted, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14})
        assert objective(point) <= best.fun + 1e-10
        assert point[1] == pytest.approx(fitted[1])  # without weight, without pull


def test_best_constants_in_closed_form():
    def best(loss, target, fitted=None):
        shape = (N, 4) if isinstance(loss, Multinomial) else N
        fitted = np.zeros(shape) if fitted is None else fitted
        return loss.best_constant(target, fitted, SHARE[:, None] if fitted.ndim == 2 else SHARE)

    assert best(Squared(), Y) == pytest.approx(SHARE @ Y)
    assert best(SquareRoot(), Y, Z) == pytest.approx(SHARE @ (Y - Z))
    positive = SHARE[LABELS > 0].sum()
    assert best(Logistic(), LABELS) == pytest.approx(np.log(positive / (1 - positive)))
    assert best(Poisson(), COUNTS) == pytest.approx(np.log(SHARE @ COUNTS))
    frequency = np.log(SHARE @ CLASSES)
    np.testing.assert_allclose(best(Multinomial(), CLASSES), frequency - frequency.mean())
    counts = np.rint(SHARE / SHARE[SHARE > 0].min()).astype(int)
    assert best(Absolute(), Y) in np.repeat(Y, counts)
    repeated = np.sort(np.repeat(Y, counts))
    assert best(Absolute(), Y) == pytest.approx(repeated[(repeated.size - 1) // 2])
    assert best(Quantile(0.25), Y) == pytest.approx(repeated[int(np.ceil(0.25 * repeated.size)) - 1])
    assert d2_pinball_score(Y, np.full(N, best(Quantile(0.9), Y)), alpha=0.9, sample_weight=SHARE) >= -0.05


@pytest.mark.parametrize("offset", [0.0, 3.0, 300.0, 1000.0])
def test_best_constants_next_to_fitted_values_of_any_size(offset):
    for loss, target in ((Logistic(), LABELS), (Huber(0.3), Y), (Poisson(), COUNTS)):
        constant = loss.best_constant(target, offset * Z, SHARE)
        pull = loss.gradient(target, offset * Z + constant, SHARE)
        assert abs(pull.sum()) <= 1e-9 * np.abs(pull).sum()
    constant = Multinomial().best_constant(CLASSES, offset * SCORES, SHARE[:, None])
    pull = Multinomial().gradient(CLASSES, offset * SCORES + constant, SHARE[:, None])
    assert np.max(np.abs(pull.sum(axis=0))) <= 1e-6
    assert abs(constant.sum()) < 1e-9 * np.abs(constant).sum()


def test_one_class_has_no_constant():
    assert Logistic().best_constant(np.ones(3), np.zeros(3), 1 / 3) == np.inf
    assert Logistic().best_constant(-np.ones(3), np.zeros(3), 1 / 3) == -np.inf
    assert Poisson().best_constant(np.zeros(3), np.zeros(3), 1 / 3) == -np.inf
    weights = np.array([0.5, 0.5, 0.0])
    with pytest.raises(ValueError, match="Logistic has no finite intercept"):
        WithIntercept(Logistic()).value(np.array([1.0, 1.0, -1.0]), np.zeros(3), weights)


def test_a_dual_point_that_does_not_balance_proves_nothing_about_a_loss_with_an_intercept():
    loss = WithIntercept(Squared())
    assert loss.dual_value(Y, np.ones(N) / N, 1 / N) == -np.inf
    centred = (Y - Y.mean()) / N
    assert loss.dual_value(Y, centred, 1 / N) == pytest.approx(np.var(Y) / 2)


@pytest.mark.parametrize(
    ("loss", "target", "fitted", "direction"),
    [
        (Squared(), np.zeros(1), np.zeros(1), np.ones(1)),
        (Huber(1.0), np.zeros(1), np.zeros(1), np.ones(1)),
        (Logistic(), np.ones(1), np.zeros(1), np.ones(1)),
        (Multinomial(), np.eye(3)[:1], np.array([[0.0, 0.0, -99.0]]), np.array([[1.0, -1.0, 0.0]])),
    ],
)
def test_the_curvature_is_the_least_upper_bound(loss, target, fitted, direction):
    distance = loss.bregman(target, fitted + 1e-5 * direction, fitted, 1.0)
    assert distance == pytest.approx(loss.curvature / 2 * np.sum((1e-5 * direction) ** 2), rel=1e-6)
