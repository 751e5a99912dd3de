"""Strengths of zero, and penalties that lack what a method is made of: said once, in words that name them."""

import re
import warnings
from typing import NamedTuple

import numpy as np
import pytest

import sparsecode
from sparsecode import (
    L1,
    MCP,
    Absolute,
    GroupL1,
    L1Ridge,
    Lasso,
    RowL2,
    SparseGroupL1,
    TotalVariation1D,
    WithIntercept,
    fista,
    ista,
    lasso,
    solve,
)
from tests.planted import planted

A, y, _ = planted(30, 5, 2, noise=0.1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: lasso(A, y, 0.0),
        lambda: solve(A, y, penalty=L1(0.0)),
        lambda: fista(A, y, penalty=L1(0.0)),
        lambda: ista(A, y, penalty=L1(0.0)),
        lambda: Lasso(0.0).fit(A, y),
    ],
)
def test_a_strength_of_zero_is_told_once_with_what_to_use(call):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        call()
    assert ["LinearRegression" in str(one.message) for one in told] == [True]


def test_the_advice_is_that_of_the_loss_inside_its_intercept():
    with pytest.warns(RuntimeWarning, match="QuantileRegressor"):
        solve(A, y, WithIntercept(Absolute()), L1(0.0))


@pytest.mark.parametrize(
    ("penalty", "target", "named"),
    [
        (L1(0.0), y, "LassoCV"),
        (L1Ridge(0.0, 0.5), y, "ElasticNetCV"),
        (GroupL1(0.0, 1), y, "GroupLassoCV"),
        (SparseGroupL1(0.0, 1, 0.5), y, "GroupLassoCV"),
        (RowL2(0.0), np.stack([y, -y], axis=1), "MultiTaskLassoCV"),
        (MCP(0.0), y, "NonconvexRegressorCV"),
        (TotalVariation1D(0.0), y, "SparseGLMCV"),
        (L1(0.0), np.stack([y, -y], axis=1), None),
    ],
    ids=repr,
)
def test_the_advice_names_the_class_that_chooses_the_strength_of_this_penalty(penalty, target, named):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        solve(A, target, penalty=penalty, max_iter=1)
    text = next(str(one.message) for one in told if "alpha=0" in str(one.message))
    assert re.findall(r"\w+CV", text) == ([named] if named else [])
    assert named is None or hasattr(sparsecode, named)


class Sloped(NamedTuple):
    """A concave penalty with a slope and no prox."""

    alpha: float = 0.1

    is_convex = False
    is_separable = True
    supports_complex = False

    def value(self, coef, weights=None):
        return self.alpha * np.sum(np.log1p(np.abs(coef)))

    def slope(self, size):
        return self.alpha / (1.0 + size)

    def subdiff_distance(self, grad, coef, weights=None):
        return np.maximum(np.abs(grad) - self.alpha, 0.0)


@pytest.mark.parametrize("solver", [fista, ista])
def test_proximal_gradient_names_the_prox_that_a_penalty_lacks(solver):
    with pytest.raises(ValueError, match=r"penalty Sloped lacks prox.*use solve"):
        solver(A, y, penalty=Sloped())
