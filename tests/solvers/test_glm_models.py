"""Quadratic models of a misfit: their products are those of weighted columns, centred where there is an intercept."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import L1
from sparsecode.designs import DenseDesign, SparseDesign
from sparsecode.solvers.coordinate.glm_models import GramModel, SparseModel

RNG = np.random.default_rng(0)
A = RNG.standard_normal((50, 90)) * (RNG.uniform(size=(50, 90)) < 0.5)
A[:, 4] = 2.0  # a constant, which is what an intercept does
BEND = RNG.uniform(0.1, 2.0, 50) / 50
DUAL = RNG.standard_normal(50) / 50
MEMBERS = np.array([7, 4, 0, 80, 33, 12])

every_model = pytest.mark.parametrize("kind", [GramModel, SparseModel])
either = pytest.mark.parametrize("intercept", [False, True], ids=["alone", "intercept"])


def naive(members, intercept):
    """Columns whose weighted products are those of the model: centred by the weights of the samples."""
    columns = A[:, members]
    return columns - (BEND @ columns / BEND.sum() if intercept else 0.0)


def started(kind, intercept, members=MEMBERS):
    """A model that stands at coefficients of its own, and these."""
    model = kind(DenseDesign(A) if kind is GramModel else SparseDesign(sp.csc_array(A)), intercept)
    model.grow(members[:2])
    model.bend_to(BEND)
    model.grow(members[2:])
    model.bend_to(BEND)
    coef = np.linspace(-1.0, 1.0, members.size)
    dual = model.balanced(DUAL)
    model.begin(coef, dual, model.products(dual))
    return model, coef


def left(members, intercept, moved):
    """What the members' products with the model's negative gradient are after a change `moved` of the coefficients."""
    residual = DUAL - BEND * (A[:, members] @ moved)
    residual = residual - (BEND * residual.sum() / BEND.sum() if intercept else 0.0)
    return A[:, members].T @ residual


@every_model
@either
def test_curvatures_are_those_of_weighted_columns(kind, intercept):
    model, _ = started(kind, intercept)
    columns = naive(MEMBERS, intercept)
    gram = columns.T @ (BEND[:, None] * columns)
    np.testing.assert_allclose(model.curvatures(), np.diagonal(gram), rtol=1e-12, atol=1e-15)
    assert (model.curvatures()[1] == 0.0) == intercept
    if kind is GramModel:
        np.testing.assert_allclose(model.gram, gram, rtol=1e-12, atol=1e-15)


@every_model
@either
def test_what_is_left_follows_the_coefficients(kind, intercept):
    model, coef = started(kind, intercept)
    np.testing.assert_allclose(model.remaining(), left(MEMBERS, intercept, 0 * coef), atol=1e-15)
    new = coef + np.array([0.5, 0.0, -1.0, 0.0, 2.0, 0.3])
    model.go_to(new)
    np.testing.assert_allclose(model.remaining(), left(MEMBERS, intercept, new - coef), atol=1e-14)
    for _ in range(3):
        model.sweep(L1(0.02), np.ones(MEMBERS.size))
        np.testing.assert_allclose(model.remaining(), left(MEMBERS, intercept, model.coef - coef), atol=1e-14)


@every_model
@either
def test_sweeps_end_at_the_minimum_of_the_model(kind, intercept):
    members = np.setdiff1d(MEMBERS, [4])
    model, coef = started(kind, intercept, members)
    for _ in range(300):
        model.sweep(L1(0.005), np.ones(members.size))
    pull = left(members, intercept, model.coef - coef)
    used = model.coef != 0
    assert used.any()
    np.testing.assert_allclose(pull[used], 0.005 * np.sign(model.coef[used]), atol=1e-12)
    assert np.all(np.abs(pull[~used]) <= 0.005 + 1e-12)


@every_model
def test_the_constant_is_the_best_one_of_the_model(kind):
    model, coef = started(kind, True)
    moved = model.image(0.3 * coef)
    best = model.constant(DUAL.sum(), moved)
    assert np.sum(DUAL - BEND * (moved + best)) == pytest.approx(0.0, abs=1e-14)


@every_model
@either
def test_members_that_are_dropped_leave_the_others_as_they_were(kind, intercept):
    model, _ = started(kind, intercept)
    model.keep(np.array([0, 3, 5]))
    model.bend_to(BEND)
    columns = naive(MEMBERS[[0, 3, 5]], intercept)
    np.testing.assert_allclose(model.curvatures(), BEND @ columns**2, rtol=1e-12)
    np.testing.assert_allclose(model.products(DUAL), A[:, MEMBERS[[0, 3, 5]]].T @ DUAL, atol=1e-15)
