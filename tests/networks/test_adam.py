"""Adam: torch's steps, wherever the arrays live, and a state that comes back whole."""

import json

import numpy as np
import pytest

from sparsecode.networks import Adam, clipped


def quadratic(parts):
    """Gradients of a badly scaled quadratic."""
    return [(k + 1.0) ** 3 * part for k, part in enumerate(parts)]


def start(dtype=np.float64):
    random = np.random.default_rng(0)
    return [random.standard_normal(shape).astype(dtype) for shape in ((3, 2), (4,))]


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_steps_are_those_of_torch(betas):
    torch = pytest.importorskip("torch")
    theirs = [torch.tensor(part, requires_grad=True) for part in start()]
    peer = torch.optim.Adam(theirs, lr=0.05, betas=betas)
    ours = start()
    adam = Adam(ours, 0.05, betas=betas)
    for _ in range(25):
        for part, gradient in zip(theirs, quadratic(theirs), strict=True):
            part.grad = gradient.detach()
        peer.step()
        adam.step(quadratic(ours))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-10)


def test_a_rate_and_a_floor_of_one_step_hold_for_it_alone():
    one, other = start(), start()
    plain, told = Adam(one, 0.1), Adam(other, 7.0, floor=3.0)
    for _ in range(3):
        plain.step(quadratic(one))
        told.step(quadratic(other), rate=0.1, floor=1e-8)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)
    assert told.rate == 7.0


def test_torch_tensors_are_changed_where_they_are():
    torch = pytest.importorskip("torch")
    ours, theirs = start(np.float32), [torch.tensor(part) for part in start(np.float32)]
    addresses = [part.data_ptr() for part in theirs]
    plain, other = Adam(ours, 0.1), Adam(theirs, 0.1)
    kept = other.state()
    for _ in range(5):
        plain.step(quadratic(ours))
        other.step(quadratic(theirs))
    assert [part.data_ptr() for part in theirs] == addresses
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, two.numpy(), rtol=1e-5)
    other.restore(*kept)
    np.testing.assert_array_equal(theirs[0].numpy(), start(np.float32)[0])
    assert other.count == 0


def test_what_was_saved_comes_back_with_the_state_of_the_optimiser():
    parts = start(np.float32)
    adam = Adam(parts, 0.01)
    for _ in range(3):
        adam.step(quadratic(parts))
    numbers, arrays = adam.state()

    def onward():
        for _ in range(4):
            adam.step(quadratic(parts))
        return [part.copy() for part in parts]

    first = onward()
    for _ in range(2):  # the saved state is not used up
        adam.restore(json.loads(json.dumps(numbers)), arrays)
        for one, other in zip(onward(), first, strict=True):
            np.testing.assert_array_equal(one, other)
    assert first[0].dtype == np.float32


def test_clipping_shrinks_all_by_one_factor():
    parts = [np.array([3.0, 0.0]), np.array([[4.0]])]
    shrunk, size = clipped(parts, 1.0)
    assert size == pytest.approx(5.0)
    np.testing.assert_allclose(shrunk[0], [0.6, 0.0])
    np.testing.assert_allclose(shrunk[1], [[0.8]])
    same, _ = clipped(parts, 5.0)
    np.testing.assert_array_equal(same[1], parts[1])
