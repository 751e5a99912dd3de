"""The laws every loss obeys: gradient and dual value belong to the value, weights are weights, namespaces agree."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsecode.losses._registry import SCALAR_LOSS
from tests._backends import FOREIGN, get, put
from tests.contracts.registry import LOSSES, named

N_SAMPLES = 5


def that(condition):
    """Parametrize over the losses that meet a condition."""
    return pytest.mark.parametrize("case", **named([case for case in LOSSES if condition(case)]))


every_loss = that(lambda case: True)
smooth = that(lambda case: case.loss.is_smooth)
with_prox = that(lambda case: hasattr(case.loss, "prox"))
with_hessian = that(lambda case: case.loss.is_smooth and not hasattr(case.loss, "has_intercept"))
with_constant = that(lambda case: hasattr(case.loss, "best_constant"))
compiled = that(lambda case: type(case.loss) in SCALAR_LOSS)
number = st.floats(-4, 4, allow_subnormal=False).map(lambda value: round(value, 6))
numbers = arrays(np.float64, (4, N_SAMPLES, 3), elements=number)
quick = settings(max_examples=30, deadline=None, derandomize=True)
WEIGHTS = {"equal": 0.2, "some zero": np.array([0.0, 0.1, 0.2, 0.3, 0.4])}
weighted = pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)


def vectors(case, values, weights):
    """A target, three vectors of fitted values, and weights, all in the shape that the loss measures."""
    values = values if case.n_columns else values[..., 0]
    if case.n_columns and not isinstance(weights, float):
        weights = weights[:, None]
    return case.target(values[0]), values[1], values[2], values[3], weights


def drawn(case, weights, seed=0):
    """The same from a generator."""
    return vectors(case, np.random.default_rng(seed).standard_normal((4, N_SAMPLES, 3)), weights)


def pairing(left, right):
    return float(np.sum(left * right))


@smooth
@weighted
@quick
@given(values=numbers)
def test_the_gradient_is_the_slope_of_the_value(case, weights, values):
    target, fitted, direction, _, weights = vectors(case, values, weights)
    step = 1e-5
    ahead, behind = (case.loss.value(target, fitted + sign * step * direction, weights) for sign in (1, -1))
    slope = pairing(case.loss.gradient(target, fitted, weights), direction)
    assert slope == pytest.approx(float(ahead - behind) / (2 * step), abs=1e-6)


@every_loss
@weighted
@quick
@given(values=numbers)
def test_the_tangent_by_the_gradient_never_lies_above_the_value(case, weights, values):
    target, fitted, other, _, weights = vectors(case, values, weights)
    for start in (fitted, target):  # where residuals vanish, too
        tangent = case.loss.value(target, start, weights) + pairing(
            case.loss.gradient(target, start, weights), other - start
        )
        assert tangent <= case.loss.value(target, other, weights) + 1e-9


@that(lambda case: not case.loss.is_smooth)
@weighted
def test_away_from_its_kinks_a_rough_loss_has_its_gradient_as_slope(case, weights):
    target, fitted, direction, _, weights = drawn(case, weights)
    step = 1e-6
    ahead, behind = (case.loss.value(target, fitted + sign * step * direction, weights) for sign in (1, -1))
    slope = pairing(case.loss.gradient(target, fitted, weights), direction)
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-7)


@that(lambda case: hasattr(case.loss, "dual_curvature"))
@weighted
def test_curvatures_can_be_told_from_the_dual(case, weights):
    target, fitted, _, _, weights = drawn(case, weights)
    told = case.loss.dual_curvature(target, -case.loss.gradient(target, fitted, weights), weights)
    np.testing.assert_allclose(told, case.loss.hessian_diagonal(target, fitted, weights), rtol=1e-12, atol=1e-16)


@with_hessian
@weighted
def test_the_hessian_diagonal_is_the_slope_of_the_gradient(case, weights):
    for seed in range(5):
        target, fitted, _, _, weight = drawn(case, weights, seed)
        found = case.loss.hessian_diagonal(target, fitted, weight)
        assert found.shape == fitted.shape
        for index in np.ndindex(*fitted.shape):
            step = np.zeros(fitted.shape)
            step[index] = 1e-6
            ahead, behind = (case.loss.gradient(target, fitted + sign * step, weight)[index] for sign in (1, -1))
            assert found[index] == pytest.approx((ahead - behind) / 2e-6, rel=1e-6, abs=1e-9)


@that(lambda case: case.loss.supports_complex)
def test_a_complex_gradient_pairs_with_directions_by_its_real_part(case):
    rng = np.random.default_rng(0)
    target, fitted, direction = rng.standard_normal((3, 5)) + 1j * rng.standard_normal((3, 5))
    for weights in WEIGHTS.values():
        step = 1e-5
        ahead, behind = (case.loss.value(target, fitted + sign * step * direction, weights) for sign in (1, -1))
        gradient = case.loss.gradient(target, fitted, weights)
        assert np.vdot(gradient, direction).real == pytest.approx((ahead - behind) / (2 * step), rel=1e-7)
        meets = case.loss.dual_value(target, -gradient, weights) + np.vdot(fitted, gradient).real
        assert meets == pytest.approx(case.loss.value(target, fitted, weights), rel=1e-12)


@every_loss
@weighted
@quick
@given(values=numbers)
def test_fenchel_and_young_bound_the_value_and_meet_at_the_gradient(case, weights, values):
    """``value(z) >= dual_value(u) - <z, u>``, with equality where u is the negative gradient at z."""
    target, fitted, other, _, weights = vectors(case, values, weights)
    dual = -case.loss.gradient(target, fitted, weights)
    bound = float(case.loss.dual_value(target, dual, weights))
    assert bound - pairing(fitted, dual) == pytest.approx(float(case.loss.value(target, fitted, weights)), abs=1e-9)
    assert bound - pairing(other, dual) <= float(case.loss.value(target, other, weights)) + 1e-9


@every_loss
@weighted
@quick
@given(values=numbers)
def test_any_point_brought_into_the_domain_is_a_bound_and_the_domain_is_left_alone(case, weights, values):
    target, fitted, other, dual, weights = vectors(case, values, weights)
    inside = case.loss.into_domain(target, dual, weights)
    bound = float(case.loss.dual_value(target, inside, weights))
    assert np.isfinite(bound)
    assert bound - pairing(other, inside) <= float(case.loss.value(target, other, weights)) + 1e-9
    np.testing.assert_allclose(case.loss.into_domain(target, inside, weights), inside, atol=1e-15)
    gradient = case.loss.gradient(target, fitted, weights)
    np.testing.assert_allclose(case.loss.into_domain(target, -gradient, weights), -gradient, atol=1e-15)


@every_loss
def test_outside_its_domain_a_dual_point_proves_nothing(case):
    """If the conjugate is finite at a point, the loss cannot fall below every line of that slope."""
    for seed in range(20):
        target, _, _, dual, weights = drawn(case, 0.2, seed)
        for size in (0.01, 0.1, 1.0, 10.0):
            bound = float(case.loss.dual_value(target, size * dual, weights))
            away = np.linspace(-60, 60, 41)
            lines = [float(case.loss.value(target, t * dual, weights)) + t * size * pairing(dual, dual) for t in away]
            assert bound <= min(lines) + 1e-9


@every_loss
@weighted
@quick
@given(values=numbers)
def test_the_bregman_distance_is_what_the_tangent_misses(case, weights, values):
    target, fitted, other, _, weights = vectors(case, values, weights)
    loss = case.loss
    tangent = loss.value(target, other, weights) + pairing(loss.gradient(target, other, weights), fitted - other)
    distance = float(loss.bregman(target, fitted, other, weights))
    assert distance == pytest.approx(float(loss.value(target, fitted, weights) - tangent), abs=1e-9)
    assert distance >= 0
    if np.isfinite(loss.curvature):
        assert distance <= loss.curvature / 2 * np.sum(weights * (fitted - other) ** 2) + 1e-12


@that(lambda case: case.loss.is_smooth and not (case.n_columns or hasattr(case.loss, "has_intercept")))
@weighted
def test_the_bregman_distance_of_close_points_is_half_the_second_derivative(case, weights):
    target, fitted, change, _, weights = drawn(case, weights)
    change = 1e-9 * change  # the difference of two values would be rounding alone
    distance = float(case.loss.bregman(target, fitted + change, fitted, weights))
    moved = (fitted + change) - fitted
    expected = 0.5 * np.sum(case.loss.hessian_diagonal(target, fitted, weights) * moved**2)
    assert distance == pytest.approx(expected, rel=1e-6)


@every_loss
@weighted
@quick
@given(values=numbers, limit=st.floats(0.01, 3))
def test_the_dual_scaling_is_the_best_within_its_limit(case, weights, values, limit):
    target, fitted, _, _, weights = vectors(case, values, weights)
    dual = -case.loss.gradient(target, fitted, weights)
    scale = float(case.loss.dual_scaling(target, dual, np.asarray(limit), weights))
    assert 0 <= scale <= limit  # below zero, penalties that allow one sign only would not bound the dual point
    best = float(case.loss.dual_value(target, scale * dual, weights))
    assert np.isfinite(best)
    for other in np.linspace(0, limit, 101):
        assert float(case.loss.dual_value(target, other * dual, weights)) <= best + 1e-9


@every_loss
@weighted
def test_without_a_limit_the_dual_scaling_is_a_number(case, weights):
    target, fitted, _, dual, weights = drawn(case, weights)
    for point in (dual, -case.loss.gradient(target, fitted, weights), 0 * dual):
        limit = np.full(() if case.n_columns else fitted.shape[1:], np.inf)
        scale = case.loss.dual_scaling(target, point, limit, weights)
        assert np.all(np.isfinite(scale))
        assert np.all(np.isfinite(case.loss.dual_value(target, scale * point, weights)))


@with_prox
@weighted
@pytest.mark.parametrize("step", [0.05, 1.0, 20.0])
def test_the_prox_satisfies_its_optimality_condition(case, weights, step):
    """``(fitted - z) / step`` is a subgradient at z: Fenchel and Young meet there."""
    for seed in range(5):
        target, fitted, _, _, weight = drawn(case, weights, seed)
        point = case.loss.prox(target, fitted, step, weight)
        pull = (point - fitted) / step  # minus the subgradient
        dual = case.loss.into_domain(target, pull, weight)
        np.testing.assert_allclose(dual, pull, atol=1e-12)
        bound = float(case.loss.dual_value(target, dual, weight)) - pairing(point, dual)
        assert bound == pytest.approx(float(case.loss.value(target, point, weight)), abs=1e-12)


@with_constant
@weighted
@quick
@given(values=numbers)
def test_no_constant_beats_the_best_constant(case, weights, values):
    target, fitted, other, _, weights = vectors(case, values, weights)
    constant = case.loss.best_constant(target, fitted, weights)
    if not np.all(np.isfinite(constant)):  # one class, or nothing but zeros to count
        assert np.unique(target[weights * np.ones(target.shape) > 0]).size == 1
        return
    least = float(case.loss.value(target, fitted + constant, weights))
    direction = other[0]  # a number, or one for each class
    for other in (*(constant + step * direction for step in np.linspace(-1, 1, 41)), *(target - fitted)):
        assert least <= float(case.loss.value(target, fitted + other, weights)) + 1e-12


@every_loss
def test_a_sample_of_integer_weight_counts_that_often(case):
    target, fitted, _, _, _ = drawn(case, 0.2)
    counts = np.array([0, 1, 2, 3, 1])
    share = counts / counts.sum()
    share = share[:, None] if case.n_columns else share
    repeated = case.loss.value(np.repeat(target, counts, axis=0), np.repeat(fitted, counts, axis=0), 1.0 / counts.sum())
    assert case.loss.value(target, fitted, share) == pytest.approx(repeated)


@that(lambda case: not case.n_columns)
@weighted
def test_targets_are_measured_one_by_one_and_in_double_precision(case, weights):
    loss = case.loss
    target, fitted, other, dual = np.random.default_rng(0).standard_normal((4, 5, 3))
    target = case.target(target)
    column = weights if isinstance(weights, float) else weights[:, None]
    dual = loss.into_domain(target, 0.1 * dual, column)
    limit = np.array([0.3, 1.0, 3.0])
    together = {
        "value": loss.value(target, fitted, column),
        "bregman": loss.bregman(target, fitted, other, column),
        "dual_value": loss.dual_value(target, dual, column),
        "dual_scaling": loss.dual_scaling(target, dual, limit, column),
    }
    for index in range(3):
        t, z, o, u = (values[:, index].copy() for values in (target, fitted, other, dual))
        alone = {
            "value": loss.value(t, z, weights),
            "bregman": loss.bregman(t, z, o, weights),
            "dual_value": loss.dual_value(t, u, weights),
            "dual_scaling": loss.dual_scaling(t, u, limit[index], weights),
        }
        for name, values in together.items():
            assert values.shape == (3,)
            assert values.dtype == np.float64
            assert values[index] == pytest.approx(alone[name], rel=1e-12, abs=1e-15), name
        np.testing.assert_allclose(loss.gradient(target, fitted, column)[:, index], loss.gradient(t, z, weights))
        if hasattr(loss, "prox"):
            np.testing.assert_allclose(loss.prox(target, fitted, 0.7, column)[:, index], loss.prox(t, z, 0.7, weights))
        if hasattr(loss, "best_constant"):
            constant = loss.best_constant(target, fitted, column)[index]
            assert constant == pytest.approx(loss.best_constant(t, z, weights))


@every_loss
@weighted
@pytest.mark.parametrize("name", FOREIGN)
def test_every_namespace_gives_numpys_numbers(case, weights, name):
    target, fitted, other, dual, weights = drawn(case, weights)
    limit, dual = np.asarray(0.7), case.loss.into_domain(target, dual, weights)
    arguments = {
        "value": (fitted, weights),
        "gradient": (fitted, weights),
        "hessian_diagonal": (fitted, weights),
        "bregman": (fitted, other, weights),
        "prox": (fitted, 0.7, weights),
        "dual_value": (dual, weights),
        "dual_scaling": (dual, limit, weights),
        "into_domain": (3 * dual, weights),
        "best_constant": (fitted, weights),
    }
    for method, given_ in arguments.items():
        if hasattr(case.loss, method) and (case.loss.is_smooth or method != "hessian_diagonal"):
            expected = getattr(case.loss, method)(target, *given_)
            there = [put(values, name) for values in (target, *given_)]
            found = getattr(case.loss, method)(*there)
            assert get(found).dtype == expected.dtype
            np.testing.assert_allclose(get(found), expected, rtol=1e-12, atol=1e-15, err_msg=method)
    if hasattr(case.loss, "check"):
        case.loss.check(put(target, name))


@every_loss
@weighted
def test_single_precision_stays_single_and_sums_in_double(case, weights):
    target, fitted, other, _, weights = drawn(case, weights)
    narrow = [np.asarray(values, dtype=np.float32) for values in (target, fitted, other)]
    weight = weights if isinstance(weights, float) else weights.astype(np.float32)
    for method in ("value", "gradient", "hessian_diagonal"):
        if hasattr(case.loss, method) and (case.loss.is_smooth or method != "hessian_diagonal"):
            found = getattr(case.loss, method)(*narrow[:2], weight)
            assert found.dtype == (np.float64 if method == "value" else np.float32)
            np.testing.assert_allclose(found, getattr(case.loss, method)(target, fitted, weights), rtol=1e-5, atol=1e-6)
    if hasattr(case.loss, "prox"):
        assert case.loss.prox(*narrow[:2], 0.5, weight).dtype == np.float32


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fitted_values_of_any_size_give_numbers(case, dtype):
    """Trial steps reach far: no overflow, no warning, and a distance that is not negative."""
    target = drawn(case, 0.2)[0].astype(dtype)
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        for size in (0.0, 1e-30, 40.0, 1000.0, 1e9):
            for sign in (1, -1, np.where(np.arange(target.size).reshape(target.shape) % 2, 1, -1)):
                fitted = np.asarray(sign * size * np.ones(target.shape), dtype=dtype)
                for values in (
                    case.loss.value(target, fitted, 0.2),
                    case.loss.gradient(target, fitted, 0.2),
                    case.loss.bregman(target, fitted, 0 * fitted, 0.2),
                    case.loss.bregman(target, 0 * fitted, fitted, 0.2),
                ):
                    assert np.all(np.isfinite(values))
                assert np.all(case.loss.value(target, fitted, 0.2) >= 0)
                assert np.all(case.loss.bregman(target, fitted, 0 * fitted, 0.2) >= 0)


@compiled
@quick
@given(values=numbers)
def test_the_scalar_slopes_are_the_gradient_and_the_hessian(case, values):
    target, fitted, _, _, _ = vectors(case, values, 1.0)
    scalar = np.array([SCALAR_LOSS[type(case.loss)](case.loss, t, z) for t, z in zip(target, fitted, strict=True)])
    np.testing.assert_allclose(scalar[:, 0], case.loss.gradient(target, fitted, 1.0), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(scalar[:, 1], case.loss.hessian_diagonal(target, fitted, 1.0), rtol=1e-13, atol=1e-15)


@compiled
def test_the_compiled_slopes_are_the_gradient_and_the_hessian(case):
    import numba

    from sparsecode.kernels._compile import slopes

    @numba.njit
    def all_slopes(loss, target, fitted):
        result = np.empty((fitted.size, 2))
        for index in range(fitted.size):
            result[index] = slopes(loss, target[index], fitted[index])
        return result

    rng = np.random.default_rng(0)
    target, fitted = (
        case.target(rng.standard_normal(206)),
        np.append(rng.standard_normal(200), [0, 40, -40, 1e3, -1e3, 1e9]),
    )
    found = all_slopes(case.loss, target, fitted)
    np.testing.assert_allclose(found[:, 0], case.loss.gradient(target, fitted, 1.0), rtol=1e-10)
    np.testing.assert_allclose(found[:, 1], case.loss.hessian_diagonal(target, fitted, 1.0), rtol=1e-10)


@that(lambda case: case.loss.is_smooth and not (case.n_columns or hasattr(case.loss, "has_intercept")))
def test_every_smooth_loss_of_one_column_has_scalar_slopes(case):
    assert type(case.loss) in SCALAR_LOSS


@every_loss
def test_a_loss_is_an_immutable_value(case):
    loss = case.loss
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert hash(loss) == hash(type(loss)(*loss))
    for trait in ("is_smooth", "is_quadratic", "supports_complex"):
        assert getattr(loss, trait) in (True, False)
