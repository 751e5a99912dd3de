"""An intercept takes a degree of freedom: the data have one direction less, and the noise is learned from the others alone."""

import numpy as np
import pytest
from scipy.linalg import null_space
from sklearn.base import clone

from sparsecode import (
    GAMPRegressor,
    HierarchicalBayesRegressor,
    KroneckerSBL,
    SparseBayesianRegressor,
    VAMPRegressor,
)

MODELS = {
    "sbl": SparseBayesianRegressor(tol=1e-8),
    "kronecker": KroneckerSBL(tol=1e-8, max_iter=5000),
    "kronecker, alternating": KroneckerSBL(method="am", tol=1e-8, max_iter=5000),
    "hierarchical": HierarchicalBayesRegressor(rate=0.2, tol=1e-8),
    "subspace": HierarchicalBayesRegressor(rate=0.2, method="subspace", tol=1e-8),
    "gamp": GAMPRegressor(variances="uniform"),
    "vamp": VAMPRegressor(),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_constant_is_a_direction_less_of_the_data(name):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((24, 16))
    y = 4 * X[:, 2] - 3 * X[:, 5] + 5 * X[:, 11] + 7 + 0.3 * rng.standard_normal(24)
    basis = null_space(np.ones((1, 24))).T  # (23, 24): all that a constant leaves of the data
    model = MODELS[name]
    one = clone(model).set_params(fit_intercept=True).fit(X, y)
    other = clone(model).set_params(fit_intercept=False).fit(basis @ X, basis @ y)
    exact = name not in ("gamp", "vamp")  # these hold parameters that hardly move any more
    np.testing.assert_allclose(one.noise_variance_, other.noise_variance_, rtol=1e-4 if exact else 5e-3)
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-4 if exact else 5e-3)
    if exact and name != "subspace":
        np.testing.assert_allclose(one.log_evidence_, other.log_evidence_, atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_a_single_sample_ends_in_numbers(name):
    model = clone(MODELS[name]).set_params(fit_intercept=True).fit(np.ones((1, 3)), np.array([2.0]))
    np.testing.assert_array_equal(model.coef_, np.zeros(3))
    np.testing.assert_allclose(model.intercept_, 2.0)
