"""The laws every loss obeys: gradient and dual value belong to the value, weights are weights, namespaces agree."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests._backends import FOREIGN, get, put
from tests.contracts.registry import LOSSES, named

every_loss = pytest.mark.parametrize("loss", **named(LOSSES))
number = st.floats(-4, 4, allow_subnormal=False).map(lambda value: round(value, 6))
vector = arrays(np.float64, 5, elements=number)
quick = settings(max_examples=60, deadline=None, derandomize=True)
WEIGHTS = {"equal": 0.2, "some zero": np.array([0.0, 0.1, 0.2, 0.3, 0.4])}
weighted = pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)


@every_loss
@weighted
@quick
@given(target=vector, fitted=vector, direction=vector)
def test_the_gradient_is_the_slope_of_the_value(loss, weights, target, fitted, direction):
    step = 1e-5
    slope = (
        loss.value(target, fitted + step * direction, weights) - loss.value(target, fitted - step * direction, weights)
    ) / (2 * step)
    assert np.dot(loss.gradient(target, fitted, weights), direction) == pytest.approx(float(slope), abs=1e-6)


@every_loss
def test_a_complex_gradient_pairs_with_directions_by_its_real_part(loss):
    if not loss.supports_complex:
        return
    rng = np.random.default_rng(0)
    target, fitted, direction = rng.standard_normal((3, 5)) + 1j * rng.standard_normal((3, 5))
    for weights in WEIGHTS.values():
        step = 1e-5
        ahead, behind = (loss.value(target, fitted + sign * step * direction, weights) for sign in (1, -1))
        slope = np.vdot(loss.gradient(target, fitted, weights), direction).real
        assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-7)


@every_loss
@weighted
@quick
@given(target=vector, fitted=vector, other=vector)
def test_fenchel_and_young_bound_the_value_and_meet_at_the_gradient(loss, weights, target, fitted, other):
    """``value(z) >= dual_value(u) - <z, u>``, with equality where u is the negative gradient at z."""
    dual = -loss.gradient(target, fitted, weights)
    bound = float(loss.dual_value(target, dual, weights))
    assert bound - np.dot(fitted, dual) == pytest.approx(float(loss.value(target, fitted, weights)), abs=1e-9)
    assert bound - np.dot(other, dual) <= float(loss.value(target, other, weights)) + 1e-9


@every_loss
@weighted
@quick
@given(target=vector, fitted=vector, other=vector)
def test_the_bregman_distance_is_what_the_tangent_misses(loss, weights, target, fitted, other):
    tangent = loss.value(target, other, weights) + np.dot(loss.gradient(target, other, weights), fitted - other)
    distance = float(loss.bregman(target, fitted, other, weights))
    assert distance == pytest.approx(float(loss.value(target, fitted, weights) - tangent), abs=1e-9)
    assert distance >= 0
    assert distance <= loss.curvature / 2 * np.sum(weights * (fitted - other) ** 2) + 1e-12


@every_loss
@weighted
@quick
@given(target=vector, fitted=vector, limit=st.floats(0.01, 3))
def test_the_dual_scaling_is_the_best_within_its_limit(loss, weights, target, fitted, limit):
    dual = -loss.gradient(target, fitted, weights)
    scale = float(loss.dual_scaling(target, dual, limit, weights))
    assert 0 <= scale <= limit  # below zero, penalties that allow one sign only would not bound the dual point
    best = float(loss.dual_value(target, scale * dual, weights))
    for other in np.linspace(0, limit, 101):
        assert float(loss.dual_value(target, other * dual, weights)) <= best + 1e-9


@every_loss
def test_a_sample_of_integer_weight_counts_that_often(loss):
    rng = np.random.default_rng(0)
    target, fitted = rng.standard_normal((2, 5))
    counts = np.array([0, 1, 2, 3, 1])
    repeated = loss.value(np.repeat(target, counts), np.repeat(fitted, counts), 1.0 / counts.sum())
    assert loss.value(target, fitted, counts / counts.sum()) == pytest.approx(repeated)


@every_loss
@weighted
def test_targets_are_measured_one_by_one_and_in_double_precision(loss, weights):
    rng = np.random.default_rng(0)
    target, fitted = rng.standard_normal((2, 5, 3))
    column = weights if isinstance(weights, float) else weights[:, None]
    values = loss.value(target, fitted, column)
    assert values.shape == (3,)
    assert values.dtype == np.float64
    for index in range(3):
        assert values[index] == pytest.approx(loss.value(target[:, index].copy(), fitted[:, index].copy(), weights))
        np.testing.assert_allclose(
            loss.gradient(target, fitted, column)[:, index], loss.gradient(target[:, index], fitted[:, index], weights)
        )


@every_loss
@weighted
@pytest.mark.parametrize("name", FOREIGN)
def test_every_namespace_gives_numpys_numbers(loss, weights, name):
    rng = np.random.default_rng(0)
    target, fitted, dual = rng.standard_normal((3, 5))
    limit = np.asarray(0.7)
    for method in ("value", "gradient", "bregman", "dual_value", "dual_scaling"):
        given_ = {"bregman": (fitted, dual), "dual_value": (dual,), "dual_scaling": (dual, limit)}.get(
            method, (fitted,)
        )
        expected = getattr(loss, method)(target, *given_, weights)
        there = [put(values, name) for values in (target, *given_, weights)]
        np.testing.assert_allclose(get(getattr(loss, method)(*there)), expected, rtol=1e-12)


@every_loss
def test_a_loss_is_an_immutable_value(loss):
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert hash(loss) == hash(type(loss)(*loss))
    for trait in ("is_smooth", "supports_complex"):
        assert getattr(loss, trait) in (True, False)
