"""The laws every penalty obeys: its prox minimises, its subdifferential is that of its value, compiled equals array."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsecode.penalties._registry import SCALAR_PROX
from tests._backends import FOREIGN, get, put
from tests.contracts.registry import PENALTIES, named


def positive(penalty):
    """Whether negative coefficients are forbidden."""
    return getattr(penalty, "positive", False)


def fit(penalty, values):
    """The numbers of a vector or of columns, as many as the penalty's own shape asks for."""
    count = int(np.prod(getattr(penalty, "shape", values.shape[:1])))
    return np.resize(values, (count, *values.shape[1:]))


def admissible(penalty, coef):
    """Coefficients that the penalty allows."""
    if hasattr(penalty, "lower"):
        return np.clip(coef, penalty.lower, penalty.upper)
    return np.abs(coef) if positive(penalty) else coef


def in_domain(penalty, direction):
    """A direction in which some dual point lies: off what is free."""
    if hasattr(penalty, "free") and np.ndim(penalty.free(len(direction))) == 2:
        return direction - np.mean(direction)
    return direction


def error(penalty):
    """Error of an iterative prox's coefficients; its objectives are exact to the square."""
    return 1e-12 + 30 * getattr(penalty, "tol", 0.0) ** 0.5


every_penalty = pytest.mark.parametrize("penalty", **named(PENALTIES))
convex = pytest.mark.parametrize("penalty", **named([p for p in PENALTIES if p.is_convex]))
separable = pytest.mark.parametrize("penalty", **named([p for p in PENALTIES if p.is_separable]))
homogeneous = pytest.mark.parametrize("penalty", **named([p for p in PENALTIES if getattr(p, "is_homogeneous", False)]))
by_target = pytest.mark.parametrize("penalty", **named([p for p in PENALTIES if not getattr(p, "is_joint", False)]))
joint = pytest.mark.parametrize("penalty", **named([p for p in PENALTIES if getattr(p, "is_joint", False)]))
complex_ones = pytest.mark.parametrize("penalty", **named([p for p in PENALTIES if p.supports_complex]))

number = st.floats(-4, 4, allow_subnormal=False).map(lambda value: round(value, 6))
vector = arrays(np.float64, 6, elements=number)
step = st.floats(0.01, 3).map(lambda value: round(value, 6))
quick = settings(max_examples=60, deadline=None, derandomize=True)


def minimiser(objective, width=10.0):
    """Where a function of one number is least: a fine grid that holds 0, then ever finer ones around the best point."""
    best = 0.0
    while width > 1e-10:
        grid = np.append(best + width * np.linspace(-1, 1, 2001), [best, 0.0])
        best = grid[np.argmin(objective(grid))]
        width /= 200
    return best


@separable
@quick
@given(value=number, step=step, weight=st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_the_prox_is_the_brute_force_minimiser(penalty, value, step, weight):
    def objective(w):
        w = np.atleast_1d(w)
        total = 0.5 * (w - value) ** 2 + step * penalty.value(w[None, :], np.array([[weight]]))
        return np.where(w < 0, np.inf, total) if positive(penalty) else total

    found = float(penalty.prox(np.array([value]), step * weight)[0])
    best = minimiser(objective)
    assert objective(found)[0] <= objective(best)[0] + 1e-12
    if penalty.is_convex:
        assert abs(found - best) < 1e-6


@every_penalty
@quick
@given(value=arrays(np.float64, 5, elements=number), step=step)
def test_no_point_nearby_or_on_another_support_beats_the_prox(penalty, value, step):
    value = fit(penalty, value)

    def objective(w):
        outside = positive(penalty) and np.any(w < 0)
        return np.inf if outside else 0.5 * np.sum((w - value) ** 2) + step * float(penalty.value(w))

    found = penalty.prox(value, step)
    least = objective(found)
    assert np.isfinite(least)
    for kept in itertools.product([False, True], repeat=value.size):
        for candidate in (np.where(kept, value, 0), np.where(kept, np.maximum(value, 0), 0), np.where(kept, found, 0)):
            assert least <= objective(candidate) + 1e-12
    for noise in np.random.default_rng(0).standard_normal((20, value.size)):
        assert least <= objective(found + 1e-3 * noise * (found != 0)) + 1e-12


@convex
@quick
@given(first=vector, second=vector, step=step)
def test_the_prox_of_a_convex_penalty_is_firmly_nonexpansive(penalty, first, second, step):
    p, q = penalty.prox(first, step), penalty.prox(second, step)
    assert np.dot(p - q, first - second) >= np.dot(p - q, p - q) - 10 * error(penalty)


@convex
@quick
@given(value=vector, step=step)
def test_moreaus_identity_splits_a_vector_into_two_proxes(penalty, value, step):
    """``value = prox(value) + step * dual`` with a dual point of the ball where Fenchel and Young meet."""
    point = penalty.prox(value, step)
    dual = (value - point) / step
    free = np.asarray(penalty.free(6)) if hasattr(penalty, "free") else np.empty(0)
    if free.ndim == 2:
        np.testing.assert_allclose(free.T @ dual, 0, atol=error(penalty) / step + 1e-10)
    assert penalty.dual_limit(dual) >= 1 - 1e-9 - error(penalty) / step or np.allclose(dual, 0, atol=1e-12)
    together = float(penalty.value(point)) + float(penalty.conjugate(dual))
    assert together == pytest.approx(np.dot(dual, point), abs=1e-9 + 10 * error(penalty) / step)
    again = penalty.prox(dual * step + point, step)  # and back
    np.testing.assert_allclose(again, point, atol=10 * error(penalty))


@convex
@quick
@given(direction=vector, coef=vector, part=st.floats(0, 1))
def test_fenchel_and_young_bound_every_product_inside_the_dual_domain(penalty, direction, coef, part):
    direction, coef = in_domain(penalty, direction), admissible(penalty, coef)
    dual = part * min(float(penalty.dual_limit(direction)), 1e3) * direction
    bound = float(penalty.value(coef)) + float(penalty.conjugate(dual))
    assert np.dot(dual, coef) <= bound + 1e-9 * (1 + np.sum(np.abs(dual)))


@homogeneous
@quick
@given(direction=vector)
def test_the_dual_limit_is_where_the_prox_stops_being_zero(penalty, direction):
    """The dual ball of a norm is what its prox sends to zero (to what is free of charge)."""
    direction = in_domain(penalty, direction)
    limit = float(penalty.dual_limit(direction))
    if np.isinf(limit):
        np.testing.assert_allclose(penalty.prox(1e3 * direction, 1.0), 0, atol=1e-9)
    elif penalty.alpha:
        inside, outside = (penalty.prox(factor * limit * direction, 1.0) for factor in (0.999, 1.001))
        size = limit * np.max(np.abs(direction))
        assert np.max(np.abs(inside)) <= 1e-9 + 10 * size * error(penalty)
        assert np.max(np.abs(outside)) >= 1e-5 * size or hasattr(penalty, "tol")  # which bounds the limit from below
    else:
        assert limit == 0


@every_penalty
@quick
@given(value=vector)
def test_the_subdifferential_holds_what_the_prox_leaves(penalty, value):
    point = penalty.prox(value, 1.0)
    np.testing.assert_allclose(penalty.subdiff_distance(point - value, point), 0, atol=2e-11 + 1e3 * error(penalty))


@every_penalty
@quick
@given(value=vector, size=st.floats(0.5, 2))
def test_no_gradient_beyond_the_subdifferential_passes_for_stationary(penalty, value, size):
    """A descent direction of a convex penalty contradicts distance zero; a distance is the slope it promises at most."""
    point = penalty.prox(value, 1.0)
    if not penalty.is_convex or hasattr(penalty, "lower") or hasattr(penalty, "tol"):
        return  # bounds and iterative proxes are too coarse for a difference quotient
    grad = size * np.cos(np.arange(6.0) + value)
    distance = np.linalg.norm(penalty.subdiff_distance(grad, point))
    tiny = 1e-6  # a norm near zero bends as fast as it is short
    moved = penalty.prox(point - tiny * grad, tiny)  # the steepest way down
    np.testing.assert_allclose(np.linalg.norm(moved - point) / tiny, distance, atol=0.02 + error(penalty) / tiny)


@separable
@quick
@given(grad=number, coef=st.one_of(number, st.just(0.0)), weight=st.sampled_from([0.0, 0.5, 2.0]))
def test_the_subdifferential_distance_follows_from_one_sided_slopes(penalty, grad, coef, weight):
    coef = float(admissible(penalty, np.array(coef)))
    coef = 0.0 if abs(coef) < 0.05 else coef
    small = 1e-6
    here = float(penalty.value(np.array([coef]), np.array([weight])))
    right = (float(penalty.value(np.array([coef + small]), np.array([weight]))) - here) / small
    left = (here - float(penalty.value(np.array([coef - small]), np.array([weight])))) / small
    if positive(penalty) and coef == 0:
        left = -np.inf
    expected = max(left - -grad, -grad - right, 0.0)
    found = float(penalty.subdiff_distance(np.array([grad]), np.array([coef]), np.array([weight]))[0])
    assert found == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("penalty", [p for p in PENALTIES if hasattr(p, "positive")], ids=str)
def test_a_one_sided_penalty_forbids_negative_coefficients(penalty):
    penalty = penalty._replace(positive=True)
    for weights in (None, np.array([1.0, 0.0, 2.0])):
        coef, grad = np.array([1.0, -1e-9, 0.0]), np.zeros(3)
        assert penalty.value(coef, weights) == np.inf
        if penalty.is_separable:
            assert penalty.subdiff_distance(grad, coef, weights)[1] == np.inf
        assert np.isfinite(penalty.value(np.maximum(coef, 0.0), weights))
    many = penalty.value(np.array([[1.0, 1.0], [0.0, -1.0], [0.0, 0.0]]), None)
    assert np.isfinite(many[0]) and many[1] == np.inf


@separable
def test_an_excluded_coefficient_is_free_of_charge_at_zero_and_forbidden_elsewhere(penalty):
    weights = np.array([np.inf, 1.0])
    with np.errstate(all="raise"):
        assert penalty.value(np.array([0.0, 1.0]), weights) == penalty.value(np.array([1.0]))
        assert penalty.subdiff_distance(np.array([5.0, 0.0]), np.array([0.0, 0.0]), weights)[0] == 0
        assert penalty.subdiff_distance(np.array([5.0, 0.0]), np.array([1.0, 0.0]), weights)[0] == np.inf
        assert penalty.value(np.array([1.0, 1.0]), weights) == np.inf


@pytest.mark.parametrize("penalty", **named([p for p in PENALTIES if type(p) in SCALAR_PROX]))
@quick
@given(values=arrays(np.float64, 8, elements=number), step=step)
def test_the_scalar_prox_is_the_array_prox(penalty, values, step):
    scalar = [SCALAR_PROX[type(penalty)](penalty, value, step) for value in values]
    np.testing.assert_allclose(scalar, penalty.prox(values, step), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("penalty", **named([p for p in PENALTIES if type(p) in SCALAR_PROX]))
def test_the_compiled_prox_is_the_array_prox(penalty):
    import numba

    from sparsecode.kernels._compile import prox

    @numba.njit
    def compiled(penalty, values, step):
        result = np.empty_like(values)
        for index in range(values.size):
            result[index] = prox(penalty, values[index], step)
        return result

    values = np.concatenate([np.random.default_rng(0).standard_normal(200), [0.0, 0.35, -0.35, 1e300, -1e300]])
    for step in (0.0, 0.5, 2.0):
        np.testing.assert_allclose(compiled(penalty, values, step), penalty.prox(values, step), rtol=1e-13)


@pytest.mark.parametrize("penalty", **named([p for p in PENALTIES if p.is_separable]))
def test_every_separable_penalty_has_a_scalar_prox(penalty):
    assert type(penalty) in SCALAR_PROX


@complex_ones
@quick
@given(value=vector, phase=st.floats(0, 6.28), step=step)
def test_a_complex_prox_shrinks_the_modulus_and_keeps_the_phase(penalty, value, phase, step):
    turn = np.exp(1j * phase)
    found = penalty.prox(turn * value, step)
    np.testing.assert_allclose(found, turn * penalty.prox(value, step), atol=1e-12)
    assert penalty.value(found) == pytest.approx(penalty.value(penalty.prox(value, step)))


@every_penalty
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_the_prox_keeps_the_precision_and_values_are_double(penalty, dtype):
    if "complex" in dtype and not penalty.supports_complex:
        return
    coef = fit(penalty, np.arange(-3, 4)).astype(dtype)
    assert penalty.prox(coef, 0.5).dtype == dtype
    assert penalty.value(coef).dtype == np.float64


@every_penalty
@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("shape", [(7,), (7, 3)])
def test_every_namespace_gives_numpys_numbers(penalty, name, shape):
    rng = np.random.default_rng(0)
    coef, grad = (fit(penalty, values) for values in rng.standard_normal((2, *shape)))
    coef[rng.uniform(size=coef.shape) < 0.4] = 0
    coef = admissible(penalty, coef)
    weights = fit(penalty, np.array([0.0, np.inf, 0.5, 1.0, 2.0, 1.0, 3.0]).reshape(7, *[1] * (len(shape) - 1)))
    there = [put(values, name) for values in (coef, grad, weights)]
    for weight, weight_there in ((None, None), (weights, there[2])):
        np.testing.assert_allclose(get(penalty.value(there[0], weight_there)), penalty.value(coef, weight))
        np.testing.assert_allclose(
            get(penalty.subdiff_distance(there[1], there[0], weight_there)),
            penalty.subdiff_distance(grad, coef, weight),
        )
        if penalty.is_convex:
            np.testing.assert_allclose(
                get(penalty.dual_limit(there[1], weight_there)), penalty.dual_limit(grad, weight)
            )
            np.testing.assert_allclose(get(penalty.conjugate(there[1], weight_there)), penalty.conjugate(grad, weight))
    np.testing.assert_allclose(get(penalty.prox(there[0], 0.7)), penalty.prox(coef, 0.7))


@by_target
def test_targets_are_penalised_one_by_one(penalty):
    rng = np.random.default_rng(0)
    coef, grad = rng.standard_normal((2, 6, 4))
    coef[rng.uniform(size=(6, 4)) < 0.4] = 0
    for target in range(4):
        mine = np.ascontiguousarray(coef[:, target])
        np.testing.assert_allclose(penalty.value(coef)[target], penalty.value(mine))
        np.testing.assert_allclose(penalty.prox(coef, 0.3)[:, target], penalty.prox(mine, 0.3))
        np.testing.assert_allclose(
            penalty.subdiff_distance(grad, coef)[:, target], penalty.subdiff_distance(grad[:, target], mine)
        )
        if penalty.is_convex:
            np.testing.assert_allclose(penalty.dual_limit(grad)[target], penalty.dual_limit(grad[:, target]))


@joint
def test_a_joint_penalty_gives_one_number_and_turns_with_the_targets(penalty):
    rng = np.random.default_rng(0)
    coef, grad = rng.standard_normal((2, 6, 4))
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    np.testing.assert_allclose(penalty.value(coef @ turn), penalty.value(coef))
    np.testing.assert_allclose(penalty.prox(coef @ turn, 0.7), penalty.prox(coef, 0.7) @ turn)
    np.testing.assert_allclose(penalty.dual_limit(grad @ turn), penalty.dual_limit(grad))
    assert np.shape(penalty.value(coef)) == np.shape(penalty.dual_limit(grad)) == ()
    for weights in (None, np.array([0.0, np.inf, 0.5, 1.0, 2.0, 1.0])[:, None]):
        step = 0.7 if weights is None else 0.7 * weights
        point = penalty.prox(coef, step)
        np.testing.assert_allclose(penalty.subdiff_distance((point - coef) / 0.7, point, weights), 0, atol=1e-12)


@joint
def test_an_excluded_row_is_free_of_charge_at_zero_and_forbidden_elsewhere(penalty):
    weights = np.array([np.inf, np.inf, 1.0])[:, None]
    grad, coef = np.full((3, 2), 5.0), np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    with np.errstate(all="raise"):
        distance = penalty.subdiff_distance(grad, coef, weights)
        assert penalty.value(coef, weights) == np.inf
    assert np.all(distance[0] == 0)
    assert np.any(distance[1] == np.inf)
    assert np.all(np.isfinite(distance[2])) and np.all(distance[2] > 0)


@complex_ones
@quick
@given(value=vector, angle=st.floats(0, 6), step=step)
def test_turning_the_phase_turns_the_prox(penalty, value, angle, step):
    real, turn = penalty.prox(value, step), np.exp(1j * angle)
    turned = penalty.prox(turn * value, step)
    if penalty.is_convex or not np.allclose(value, value.round(1)):  # a rounding decides ties
        np.testing.assert_allclose(turned, turn * real, atol=1e-8)
    np.testing.assert_allclose(penalty.value(turn * value), penalty.value(value), rtol=1e-9)


@every_penalty
def test_a_penalty_is_an_immutable_value(penalty):
    assert pickle.loads(pickle.dumps(penalty)) == penalty
    assert hash(penalty) == hash(type(penalty)(*penalty))
    with pytest.raises(AttributeError):
        setattr(penalty, penalty._fields[0], 1)
    for trait in ("is_convex", "is_separable", "supports_complex"):
        assert getattr(penalty, trait) in (True, False)
