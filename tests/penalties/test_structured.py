"""Penalties that tie coefficients together: closed forms, enumeration, and their special cases."""

import itertools

import numpy as np
import pytest

from sparsecode import (
    L1,
    SLOPE,
    Box,
    GroupL1,
    GroupSparseEnvelope,
    KSupport,
    L1Ridge,
    RowL2,
    SparseEnvelope,
    SparseGroupL1,
    TotalVariation1D,
    TotalVariation2D,
)
from tests._backends import FOREIGN, get, put

rng = np.random.default_rng(0)
LABELS = (4, 0, 0, 4, 7, 0, 7)


def near(found, expected, **tolerance):
    np.testing.assert_allclose(found, expected, **{"rtol": 1e-9, "atol": 1e-11, **tolerance})


def test_one_penalty_is_another_at_its_ends():
    coef = rng.standard_normal(7)
    for mine, other in (
        (L1Ridge(0.5, 1.0), L1(0.5)),
        (GroupL1(0.5, 1), L1(0.5)),
        (SparseGroupL1(0.5, LABELS, 1.0), L1(0.5)),
        (SparseGroupL1(0.5, LABELS, 0.0), GroupL1(0.5, LABELS)),
        (RowL2(0.5), L1(0.5)),
        (SLOPE(0.5, (1.0,)), L1(0.5)),
        (KSupport(0.5, 1), L1(0.5)),
        (KSupport(0.5, 7), GroupL1(0.5, 7, (1.0,))),
        (SparseEnvelope(0.5, 7), L1Ridge(0.5, 0.0)),
        (GroupSparseEnvelope(0.5, 3.0, 1), SparseEnvelope(0.5, 3)),
        (TotalVariation2D(0.5, (1, 7)), TotalVariation1D(0.5)),
    ):
        loose = {"rtol": 1e-6, "atol": 1e-6} if isinstance(mine, TotalVariation2D) else {}
        near(mine.value(coef), other.value(coef))
        near(mine.prox(coef, 0.8), other.prox(coef, 0.8), **loose)
        centred = coef - coef.mean()
        near(mine.conjugate(coef), other.conjugate(coef))
        if not loose:
            near(mine.dual_limit(centred), other.dual_limit(centred))
    near(Box(0.0).prox(coef, 0.3), L1(0.0, positive=True).prox(coef, 0.3))


def test_labels_are_taken_as_they_come_and_weights_in_their_order():
    coef = np.array([3.0, 1.0, 2.0, 4.0, 0.5, 2.0, 0.0])
    penalty = GroupL1(1.0, LABELS, (1.0, 2.0, np.inf))
    assert penalty.value(coef) == np.inf
    assert penalty.value(np.where(np.asarray(LABELS) == 7, 0, coef)) == 1.0 * 3.0 + 2.0 * 5.0
    near(penalty.prox(coef, 1.0), [3 * 0.6, 2 / 3, 4 / 3, 4 * 0.6, 0, 4 / 3, 0])
    np.testing.assert_array_equal(GroupL1(1.0, LABELS, (0.0, 1.0, 0.0)).free(7), [1, 2, 4, 5, 6])


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("shape", [(7,), (7, 3)])
def test_unequal_groups_give_the_same_in_every_namespace(name, shape):
    coef, grad = rng.standard_normal((2, *shape))
    for penalty in (
        GroupL1(0.7, LABELS),
        SparseGroupL1(0.7, LABELS, 0.3, (1.0, 0.5, np.inf)),
        GroupSparseEnvelope(0.7, 2.5, LABELS, (1.0, 2.0, 1.5)),
    ):
        there, slope = put(coef, name), put(grad, name)
        near(get(penalty.prox(there, 0.3)), penalty.prox(coef, 0.3))
        near(get(penalty.value(there)), penalty.value(coef))
        near(get(penalty.dual_limit(there)), penalty.dual_limit(coef))
        near(get(penalty.subdiff_distance(slope, there)), penalty.subdiff_distance(grad, coef))


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
def test_the_k_support_norm_is_the_greatest_product_with_its_dual_ball(k):
    """By its published formula, and against every k-sparse direction of length one."""
    for _ in range(20):
        coef = rng.standard_normal(6)
        size = np.sort(np.abs(coef))[::-1]
        (squared,) = (
            np.sum(size[: k - r - 1] ** 2) + np.sum(size[k - r - 1 :]) ** 2 / (r + 1)
            for r in range(k)
            if (k - r - 1 == 0 or size[k - r - 2] > np.sum(size[k - r - 1 :]) / (r + 1))
            and np.sum(size[k - r - 1 :]) / (r + 1) >= size[k - r - 1] * (1 - 1e-12)
        )
        near(KSupport(2.0, k).value(coef), 2.0 * np.sqrt(squared))
        near(SparseEnvelope(2.0, k).value(coef), squared)
        dual = max(np.linalg.norm(coef[list(s)]) for s in itertools.combinations(range(6), k))
        near(KSupport(2.0, k).dual_limit(coef), 2.0 / dual)
        near(SparseEnvelope(2.0, k).conjugate(coef), 0.5 * dual**2 / 2.0)


def test_ties_zeros_and_sparse_vectors_in_the_envelopes():
    for coef in (
        np.zeros(5),
        np.ones(5),
        np.array([2.0, 0, 0, 0, 0]),
        np.array([2.0, -2, 0, 0, 0]),
        np.full(5, 1e-150),
    ):
        for k in (1, 2, 5, 9):
            penalty = SparseEnvelope(1.5, k)
            point = penalty.prox(coef, 0.5)
            assert np.all(np.isfinite(point))
            near(penalty.subdiff_distance((point - coef) / 0.5, point), 0)
            if np.count_nonzero(coef) <= k:
                near(point, coef / 1.75)


def test_slope_pools_what_comes_out_of_order():
    # 4 - 3, 3.5 - 1 and 3.4 - 1 come out as 1, 2.5, 2.4: their mean for all three
    near(SLOPE(1.0, (3.0, 1.0)).prox(np.array([4.0, 3.5, -3.4]), 1.0), [5.9 / 3, 5.9 / 3, -5.9 / 3])
    near(SLOPE(1.0, (3.0, 1.0)).prox(np.array([0.5, 9.0, -3.4]), 1.0), [0.0, 6.0, -2.4])
    prices = SLOPE.benjamini_hochberg(50, 0.1)
    assert len(prices) == 50
    assert prices[0] == 1.0
    assert np.all(np.diff(prices) < 0)


@pytest.mark.parametrize("n", [1, 2, 3, 17, 400, 6000])
@pytest.mark.parametrize("strength", [1e-3, 0.3, 5.0, 1e4])
def test_denoising_a_sequence_meets_its_optimality_conditions(n, strength):
    """Running sums of what is taken away stay within the strength, and reach it at every jump; long ones run compiled."""
    values = 100.0 + np.random.default_rng(n).standard_normal(n).cumsum()
    point = TotalVariation1D(strength).prox(values, 1.0)
    sums, jumps = np.cumsum(values - point), np.diff(point)
    rounding = 1e-12 * n * (100 + np.ptp(values))
    assert abs(sums[-1]) <= rounding
    assert np.all(np.abs(sums[:-1]) <= strength + rounding)
    np.testing.assert_allclose(sums[:-1][jumps != 0], -strength * np.sign(jumps[jumps != 0]), atol=rounding)


def test_the_denoised_sequence_does_not_depend_on_the_compiler(monkeypatch):
    from sparsecode.penalties import total_variation_1d

    values = np.random.default_rng(0).standard_normal((3000, 2)).cumsum(axis=0)
    plain = TotalVariation1D(2.0).prox(values, 1.0)
    monkeypatch.setattr(total_variation_1d, "_COMPILE_FROM", 1)
    np.testing.assert_allclose(TotalVariation1D(2.0).prox(values, 1.0), plain, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("isotropic", [False, True])
def test_denoising_an_image_keeps_its_promised_gap(isotropic):
    """The gap bounds the error: a coarse tolerance ends within its bound of a fine one."""
    image = np.random.default_rng(1).standard_normal((6, 9)).reshape(-1)
    fine = TotalVariation2D(0.4, (6, 9), isotropic, tol=1e-16).prox(image, 1.0)
    for tol in (1e-3, 1e-6, 1e-9):
        coarse = TotalVariation2D(0.4, (6, 9), isotropic, tol=tol).prox(image, 1.0)
        assert np.sum((coarse - fine) ** 2) <= 4.01 * tol * np.sum(image**2)
    turned = TotalVariation2D(0.4, (9, 6), isotropic, tol=1e-16).prox(image.reshape(6, 9).T.reshape(-1), 1.0)
    near(turned.reshape(9, 6).T.reshape(-1), fine, atol=1e-6)


def test_the_bound_on_the_dual_ball_of_an_image_is_met_by_every_image():
    penalty = TotalVariation2D(0.5, (4, 5))
    for _ in range(5):
        correlation = rng.standard_normal(20)
        correlation -= correlation.mean()
        limit = penalty.dual_limit(correlation)
        for image in rng.standard_normal((50, 20)):
            assert limit * correlation @ image <= penalty.value(image) * (1 + 1e-9)
        inside = correlation * 0.02
        assert penalty.dual_limit(inside) >= 1.0


@pytest.mark.parametrize(
    "penalty", [TotalVariation1D(0.7), TotalVariation2D(0.4, (4, 5), isotropic=False), SLOPE(0.5, (2.0, 1.5, 1.0, 0.4))]
)
def test_degrees_of_freedom_are_the_divergence_of_the_prox(penalty):
    """Stein's formula on the identity as design: the trace of the map from the target to its fit."""
    for seed in range(5):
        target = 2.0 * np.random.default_rng(seed).standard_normal(20)
        shift = 1e-4 * np.eye(20)
        slopes = [(penalty.prox(target + e, 1.0) - penalty.prox(target - e, 1.0)) / 2e-4 for e in shift]
        assert penalty.degrees_of_freedom(penalty.prox(target, 1.0)) == round(np.trace(slopes), 2)


@pytest.mark.parametrize("penalty", [GroupL1(2.0, (0, 0, 0, 1)), SparseGroupL1(2.0, (0, 0, 0, 1), 0.0)])
def test_groups_weigh_the_root_of_their_size_unless_told_otherwise(penalty):
    coef = np.array([3.0, 4.0, 0.0, -2.0])
    assert penalty.value(coef) == pytest.approx(2.0 * (5.0 * np.sqrt(3.0) + 2.0))
    assert penalty._replace(weights=(0.5, 3.0)).value(coef) == pytest.approx(2.0 * (5.0 * 0.5 + 2.0 * 3.0))


def test_a_group_of_zeros_is_as_far_from_stationary_as_its_gradient_is_from_the_ball():
    penalty, grad = GroupL1(2.0, (0, 0, 1, 1), (1.5, 1.0)), np.array([3.0, -4.0, 0.5, 1.0])
    distance = penalty.subdiff_distance(grad, np.zeros(4))
    assert np.linalg.norm(distance[:2]) == pytest.approx(5.0 - 3.0)
    np.testing.assert_array_equal(distance[2:], 0.0)
