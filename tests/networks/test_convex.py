"""Input-convex networks: gradients by finite differences, convexity where they are projected."""

import numpy as np
import pytest

from sparsecode.networks import ConvexNetwork


def network(seed=0, d=3):
    random = np.random.RandomState(seed)
    made = ConvexNetwork(d, 5, 3, random)
    for part in made.parameters:
        part += 0.3 * random.standard_normal(part.shape)
    return made, random.standard_normal((6, d)), random.standard_normal((6, d))


def test_gradients_of_networks_are_differences():
    made, X, V = network()
    differences = [(made.value(X + 1e-6 * e) - made.value(X - 1e-6 * e)) / 2e-6 for e in np.eye(3)]
    np.testing.assert_allclose(made.gradient(X), np.transpose(differences), atol=1e-7)
    for of_what, gradients in (
        (lambda: np.sum(V * made.gradient(X)), made.of_gradients(made.trace(X), V)),
        (lambda: np.sum(V[:, 0] * made.value(X)), made.of_values(made.trace(X), V[:, 0])),
    ):
        for part, gradient in zip(made.parameters, gradients, strict=True):
            step = np.random.RandomState(1).standard_normal(part.shape)
            part += 1e-6 * step
            above = of_what()
            part -= 2e-6 * step
            below = of_what()
            part += 1e-6 * step
            assert np.sum(step * gradient) == pytest.approx((above - below) / 2e-6, rel=1e-6, abs=1e-7)


def test_projected_networks_are_convex():
    made, X, V = network()
    made.project()
    middle = made.value(0.5 * (X + 3 * V))
    assert np.all(middle <= 0.5 * (made.value(X) + made.value(3 * V)) + 1e-12)


def test_networks_start_near_the_identity():
    fresh = ConvexNetwork(4, 16, 3, np.random.RandomState(0))
    X = np.random.RandomState(1).standard_normal((20, 4))
    assert np.abs(fresh.gradient(X) - X).max() < 0.5


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_hessians_are_differences_of_gradients_and_symmetric(depth):
    random = np.random.RandomState(0)
    made = ConvexNetwork(3, 5, depth, random, leak=0.1, sharpness=2.0)
    for part in made.parameters:
        part += 0.3 * random.standard_normal(part.shape)
    X = random.standard_normal((6, 3))
    found = made.hessian_of(made.trace(X))
    differences = [(made.gradient(X + 1e-6 * e) - made.gradient(X - 1e-6 * e)) / 2e-6 for e in np.eye(3)]
    np.testing.assert_allclose(found, np.stack(differences, axis=2), atol=1e-6)
    np.testing.assert_allclose(found, np.swapaxes(found, 1, 2), atol=1e-12)
    made.project()
    assert np.linalg.eigvalsh(made.hessian_of(made.trace(X))).min() > -1e-12


def naive(torch, network, X):
    """The network in torch, which differentiates by itself; parameters first."""
    parts = [torch.tensor(part, requires_grad=True) for part in network.parameters]

    def value(x):
        h = x @ parts[0].T + parts[1]
        z = torch.where(h > 0, h, network.leak * h) ** 2
        rest = parts[2:-1]
        for l in range(0, len(rest), 3):
            h = x @ rest[l].T + rest[l + 1] + z @ rest[l + 2].T
            z = torch.nn.functional.softplus(h, beta=network.sharpness, threshold=1e9)
        return h[:, 0] + 0.5 * (x * x) @ parts[-1]

    return parts, value


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_passes_are_those_of_torch(depth):
    torch = pytest.importorskip("torch")
    random = np.random.RandomState(1)
    made = ConvexNetwork(4, 6, depth, random, leak=0.3, sharpness=5.0)
    for part in made.parameters:
        part += 0.3 * random.standard_normal(part.shape)
    X, V, c = (random.standard_normal(shape) for shape in ((7, 4), (7, 4), (7,)))
    parts, value = naive(torch, made, X)
    x = torch.tensor(X, requires_grad=True)
    values = value(x)
    (gradient,) = torch.autograd.grad(values.sum(), x, create_graph=True)
    np.testing.assert_allclose(made.value(X), values.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(made.gradient(X), gradient.detach().numpy(), rtol=1e-9, atol=1e-12)
    of_values = torch.autograd.grad((torch.tensor(c) * values).sum(), parts, retain_graph=True)
    of_gradients = torch.autograd.grad((torch.tensor(V) * gradient).sum(), parts, allow_unused=True)
    for theirs, ours in (
        (of_values, made.of_values(made.trace(X), c)),
        (of_gradients, made.of_gradients(made.trace(X), V)),
    ):
        for one, other in zip(theirs, ours, strict=True):
            expected = np.zeros_like(other) if one is None else one.numpy()
            np.testing.assert_allclose(other, expected, rtol=1e-8, atol=1e-10)


def test_a_cast_is_a_copy():
    made = ConvexNetwork(2, 3, 2, np.random.RandomState(0), np.float32)
    wide = made.cast(np.float64)
    assert {part.dtype for part in wide.parameters} == {np.dtype(np.float64)}
    wide.parameters[0][:] = 0.0
    assert np.any(made.parameters[0] != 0)


def test_a_cast_to_the_same_precision_is_a_copy_too():
    network = ConvexNetwork(3, 4, 2, np.random.RandomState(0))
    twin = network.cast(np.float64)
    for one, other in zip(network.parameters, twin.parameters, strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.shares_memory(one, other)
