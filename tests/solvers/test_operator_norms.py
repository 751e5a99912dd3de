"""Pursuits on operators that do not know the norms of their columns: the answers of the matrix, at a price that is bounded."""

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from sparsecode import (
    GeneralizedOMP,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    SimultaneousOMP,
    cosamp,
    gomp,
    htp,
    loss_omp,
    mp,
    null_space_tuning,
    omp,
    somp,
    stomp,
    subspace_pursuit,
)
from sparsecode.designs import CenteredDesign, OperatorDesign

PURSUITS = {
    "ols": lambda A, y: omp(A, y, n_nonzero=8, selection="ols"),
    "gomp": lambda A, y: gomp(A, y, 8),
    "cosamp": lambda A, y: cosamp(A, y, 8),
    "subspace pursuit": lambda A, y: subspace_pursuit(A, y, 8),
    "stomp": lambda A, y: stomp(A, y, threshold=2.0),
    "somp": lambda A, y: somp(A, np.column_stack([y, y[::-1]]), n_nonzero=8),
    "somp, one target": lambda A, y: somp(A, y, n_nonzero=8),
    "mp": lambda A, y: mp(A, y, n_nonzero=8),
    "squared": lambda A, y: loss_omp(A, y, loss="squared", n_nonzero=8),
    "htp": lambda A, y: htp(A, y, 8),
    "fast htp": lambda A, y: htp(A, y, 8, n_gradient_steps=3, tol=1e-8),
    "null-space tuning": lambda A, y: null_space_tuning(A, y, 8),
    "null-space tuning, adaptive": lambda A, y: null_space_tuning(A, y, tol=0.3),
    "square root": lambda A, y: loss_omp(A, y, 0.01, penalty="l0", n_nonzero=8),
}


class Counted(LinearOperator):
    """A matrix as an operator that counts its products, and may know its norms."""

    def __init__(self, A, knows=False):
        super().__init__(A.dtype, A.shape)
        self.A, self.n_products = A, 0
        if knows:
            self.column_sq_norms = np.sum(np.abs(A) ** 2, axis=0)

    def _matvec(self, v):
        self.n_products += 1
        return self.A @ v

    def _rmatvec(self, v):
        self.n_products += 1
        return self.A.conj().T @ v


def uneven(seed, shape=(200, 50)):
    """Columns over two decades, none of which stands out."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal(shape) * 10.0 ** rng.uniform(-1, 1, shape[1])
    return A, A @ (rng.standard_normal(shape[1]) / np.linalg.norm(A, axis=0))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # cycles
@pytest.mark.parametrize("name", PURSUITS)
@pytest.mark.parametrize("shape", [(200, 50), (80, 120)])
def test_an_operator_is_coded_as_its_matrix(name, shape):
    for seed in range(5):
        A, y = uneven(seed, shape)
        expected, result = PURSUITS[name](A, y), PURSUITS[name](aslinearoperator(A), y)
        np.testing.assert_array_equal(result.support, expected.support)
        np.testing.assert_allclose(result.coef, expected.coef, rtol=1e-6, atol=1e-9 * np.max(np.abs(expected.coef)))
        if "decrease" in expected.history:
            np.testing.assert_allclose(result.history["decrease"], expected.history["decrease"], rtol=1e-6)


@pytest.mark.parametrize(
    "estimator",
    [
        OrthogonalMatchingPursuit(3, selection="ols"),
        OrthogonalMatchingPursuitCV(max_n_nonzero_coefs=3, selection="ols"),
        SimultaneousOMP(3, selection="ols"),
        GeneralizedOMP(3),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("weights", [False, True])
def test_constant_columns_of_an_operator_are_no_features_beside_an_intercept(estimator, weights):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 30))
    X[:, 5] = 7.0
    y = 3.0 * X[:, 3] - 2.0 * X[:, 9] + 4.0 + 0.1 * rng.standard_normal(100)
    weight = rng.uniform(0.5, 2.0, 100) if weights else None
    model = estimator.fit(aslinearoperator(X), y, sample_weight=weight)
    assert model.coef_[5] == 0.0
    result = {"coef": model.coef_, "intercept": model.intercept_}
    expected = estimator.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(result["coef"], expected.coef_, atol=1e-6)
    np.testing.assert_allclose(result["intercept"], expected.intercept_, atol=1e-6)


def test_ties_go_to_the_lowest_index_on_operators_too():
    y = np.ones(12)
    y[4] = 2.0
    for solve in (gomp, cosamp, subspace_pursuit):
        for complex_ in (1.0, 1.0j):
            for A, target in ((np.eye(12), complex_ * y), (aslinearoperator(np.eye(12) + 0j), complex_ * y)):
                np.testing.assert_array_equal(solve(A, target, 3).support, [0, 1, 4])


@pytest.mark.parametrize("shape", [(300, 70), (70, 300)])
def test_norms_cost_as_many_products_as_there_are_rows_or_columns_and_only_once(shape):
    A, _ = uneven(0, shape)
    operator = Counted(A)
    design = OperatorDesign(operator)
    np.testing.assert_allclose(design.with_exact_norms().column_sq_norms(), np.sum(A**2, axis=0), rtol=1e-12)
    assert operator.n_products == 70
    design.with_exact_norms().with_exact_norms().column_sq_norms()
    assert operator.n_products == 70
    centred = CenteredDesign(design, A.mean(axis=0))
    expected = np.sum((A - A.mean(axis=0)) ** 2, axis=0)
    for _ in range(2):
        np.testing.assert_allclose(centred.with_exact_norms().column_sq_norms(), expected, rtol=1e-10)
    assert operator.n_products == 140


def test_a_second_solve_on_one_design_does_not_pay_again():
    A, y = uneven(0)
    operator = Counted(A)
    design = OperatorDesign(operator)
    gomp(design, y, 3)
    first = operator.n_products
    gomp(design, y, 3)
    assert operator.n_products == 2 * first - 50


def test_operators_that_know_their_norms_never_pay():
    A, y = uneven(0)
    operator = Counted(A, knows=True)
    for design in (OperatorDesign(operator), CenteredDesign(OperatorDesign(operator), A.mean(axis=0))):
        np.testing.assert_allclose(
            design.with_exact_norms().column_sq_norms(),
            np.sum((A - getattr(design, "mean", 0.0)) ** 2, axis=0),
            rtol=1e-9,
        )
    assert operator.n_products == 0


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6, 1e7])
@pytest.mark.parametrize("n_features", [10, 100])
@pytest.mark.parametrize("n_samples", [60, 150])
def test_an_offset_does_not_cost_an_operator_the_norms_that_it_knows(offset, n_features, n_samples):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    y = 3.0 * X[:, 2] - 2.0 * X[:, 5] + 0.1 * rng.standard_normal(n_samples)
    X += offset
    X[:, 7] = 3.0 * offset  # constant
    for selection in ("omp", "ols"):
        model = OrthogonalMatchingPursuit(2, selection=selection).fit(Counted(X, knows=True), y)
        np.testing.assert_array_equal(model.support_, [2, 5])
    design = CenteredDesign(OperatorDesign(Counted(X, knows=True)), X.mean(axis=0))
    expected = CenteredDesign(OperatorDesign(aslinearoperator(X)), X.mean(axis=0)).with_exact_norms().column_sq_norms()
    exact = design.with_exact_norms().column_sq_norms()
    np.testing.assert_allclose(exact, expected, rtol=1e-3)  # as many digits as the offset leaves
    assert exact[7] == 0.0
    np.testing.assert_array_equal(design.column_sq_norms() > 0, exact > 0)
    if n_features == 10 or n_samples == 60:  # few enough to look at, or few rows
        np.testing.assert_allclose(design.column_sq_norms(), expected, rtol=1e-3)
