"""Learned penalties: the prox against brute force at every step, the value where it is known, solvers that descend and converge."""

import warnings

import numpy as np
import pytest

from sparsecode import fista, ista
from sparsecode.networks import ConvexNetwork
from sparsecode.unrolled._learned_penalty import LearnedPenalty


def penalty_of(d, alpha=1.0, noise=1.0, depth=2, seed=0, size=1.0):
    """A penalty whose network is not trained, but bent; with a small size the slope of its prox stays below one far out."""
    random = np.random.RandomState(seed)
    network = ConvexNetwork(d, 8, depth, random, leak=0.0, sharpness=3.0)
    for part in network.parameters[:-1]:
        part += 0.4 * random.standard_normal(part.shape)
    network.parameters[-1][:] = 0.2
    network.parameters[-2] *= size
    network.project()
    return LearnedPenalty(alpha, network, noise)


def soft(noise=1.0, alpha=1.0):
    """The penalty whose prox is known: ``|x|``, as a network of two units."""
    network = ConvexNetwork(1, 2, 1, np.random.RandomState(0), leak=0.0)
    parts = [[[1.0], [-1.0]], [-1.0, -1.0], [[0.0]], [0.0], [[0.5, 0.5]], [0.0]]
    network.parameters = [np.array(part) for part in parts]
    return LearnedPenalty(alpha, network, noise)


@pytest.mark.parametrize("share", [1.0, 0.7, 0.2, 1e-6])
def test_two_units_are_the_soft_threshold(share):
    coef = np.linspace(-4, 4, 33)
    np.testing.assert_allclose(soft().prox(coef, share), np.sign(coef) * np.maximum(np.abs(coef) - share, 0), atol=1e-8)
    np.testing.assert_allclose(soft(noise=3.0).prox(3 * coef, 1.0), 3 * soft().prox(coef, 1.0), atol=1e-12)


def test_the_value_of_two_units_is_the_modulus():
    coef = np.array([0.5, -2.0, 3.25])
    assert float(soft().value(coef)) == pytest.approx(np.sum(np.abs(coef)), abs=1e-6)
    assert float(soft(alpha=0.3, noise=2.0).value(coef)) == pytest.approx(0.3 * 2.0 * np.sum(np.abs(coef)), abs=1e-6)
    many = soft().value(np.stack([coef, 2 * coef], axis=1))
    np.testing.assert_allclose(many, [5.75, 11.5], atol=1e-6)


def test_a_center_moves_all_with_it():
    penalty, center = penalty_of(2, noise=2.0), np.array([1.0, -30.0])
    moved, shift = penalty._replace(center=center), np.tile(center, 3)
    coef = np.random.default_rng(0).standard_normal(6)
    for share in (1.0, 0.4):
        np.testing.assert_allclose(moved.prox(coef + shift, share), penalty.prox(coef, share) + shift, atol=1e-9)
    images = penalty.prox(np.stack([coef, 2 * coef], axis=1), 1.0)
    np.testing.assert_allclose(moved.value(images + shift[:, None]), penalty.value(images), atol=1e-6)


def test_what_was_not_found_is_not_handed_on_as_found():
    penalty = penalty_of(2)
    found = penalty.prox(np.array([1e200, -1e200, 1.0, 2.0]), 0.5)
    assert np.all(np.isnan(found[:2])) and np.all(np.isfinite(found[2:]))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_at_images_the_value_is_the_identity_of_proximal_maps(depth):
    penalty = penalty_of(4, depth=depth)
    points = np.random.default_rng(1).standard_normal((5, 4))
    images = penalty.network.gradient(points)
    known = np.sum(points * images, axis=1) - 0.5 * np.sum(images**2, axis=1) - penalty.network.value(points)
    np.testing.assert_allclose(penalty.value(images.T), known, atol=1e-7)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("share", [1.0, 0.6, 0.1])
def test_no_point_beats_the_prox(d, share):
    penalty, random = penalty_of(d, alpha=0.5, noise=2.0), np.random.default_rng(2)
    coef = 3.0 * random.standard_normal(6)
    step = share / penalty.alpha

    def objective(w):
        return 0.5 * np.sum((w - coef) ** 2) + step * float(penalty.value(w))

    found = penalty.prox(coef, step)
    least = objective(found)
    assert np.isfinite(least)
    for size in (1e-3, 0.1, 2.0):
        for noise in random.standard_normal((6, 6)):
            assert least <= objective(penalty.prox(coef + size * noise, step)) + 1e-9
            assert least <= objective(found + size * noise) + 1e-9


def test_blocks_are_penalised_one_by_one_and_targets_too():
    penalty = penalty_of(3)
    coef = np.random.default_rng(0).standard_normal((6, 4))
    whole, value = penalty.prox(coef, 0.5), penalty.value(penalty.prox(coef, 1.0))
    for target in range(4):
        parts = [penalty.prox(coef[rows, target], 0.5) for rows in (slice(3), slice(3, 6))]
        np.testing.assert_allclose(whole[:, target], np.concatenate(parts))
        np.testing.assert_allclose(value[target], penalty.value(penalty.prox(coef[:, target], 1.0)), atol=1e-9)


def test_what_cannot_be_is_refused():
    penalty = penalty_of(2, alpha=0.5)
    with pytest.raises(ValueError, match="step of at most 2"):
        penalty.prox(np.zeros(4), 2.1)
    with pytest.raises(ValueError, match="blocks of 2 coefficients, but there are 3"):
        ista(np.eye(3), np.ones(3), penalty=penalty)
    np.testing.assert_array_equal(penalty._replace(alpha=0.0).prox(np.ones(2), 5.0), np.ones(2))
    assert penalty._replace(alpha=0.0).value(np.ones(2)) == 0.0
    assert penalty.prox(np.ones(4, dtype=np.float32), 1.0).dtype == np.float32


def test_values_outside_the_range_of_the_prox_are_infinite():
    network = ConvexNetwork(1, 2, 1, np.random.RandomState(0), leak=0.0)
    network.parameters = [
        np.array(part) for part in ([[1.0], [1.0]], [0.0, 0.0], [[0.0]], [0.0], [[0.5, 0.0]], [0.0])
    ]  # f is the positive part
    penalty = LearnedPenalty(1.0, network)
    values = penalty.value(np.array([[2.0, -1.0]]))
    assert values[0] == pytest.approx(0.0, abs=1e-9)
    assert values[1] == np.inf


@pytest.mark.parametrize("alpha", [0.002, 0.05, 5.0])
def test_proximal_gradient_descends_and_converges(alpha):
    """With steps of at most one over the curvature the objective never rises, and the steps' squares have a finite sum."""
    random = np.random.default_rng(3)
    A, penalty = random.standard_normal((12, 8)), penalty_of(2, alpha=alpha, size=0.5)
    y = A @ random.standard_normal(8) * 2
    result = ista(A, y, penalty=penalty, tol=1e-7, max_iter=5000)
    objective = np.array(result.history["objective"])[1:]  # the start may be outside the range
    assert np.all(np.diff(objective) <= 1e-10 * np.abs(objective[:-1]) + 1e-12)
    assert result.status.name == "CONVERGED"
    assert result.certificate_name == "relative prox residual"
    # a fixed point of an independent iteration with the step of the theory
    largest = [
        np.linalg.eigvalsh(penalty.network.hessian_of(penalty.network.trace(size * points))).max()
        for points in [random.standard_normal((1000, 2))]
        for size in (2.0, 1e4)
    ]
    assert largest[0] > 1.5  # R is not convex,
    assert largest[1] < 1.0  # and the objective is bounded below
    step = min(1.0 / (np.linalg.norm(A, 2) ** 2 / 12), 1.0 / alpha)
    moved = penalty.prox(result.coef - step * A.T @ (A @ result.coef - y) / 12, step)
    np.testing.assert_allclose(moved, result.coef, atol=1e-4 * step)


def test_proximal_gradient_on_the_soft_threshold_is_the_lasso():
    from sparsecode import lasso

    random = np.random.default_rng(4)
    A, y = random.standard_normal((20, 10)), random.standard_normal(20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for solver in (ista, fista):
            found = solver(A, y, penalty=soft(alpha=0.1), tol=1e-7)
            np.testing.assert_allclose(found.coef, lasso(A, y, 0.1, tol=1e-12).coef, atol=1e-5)
