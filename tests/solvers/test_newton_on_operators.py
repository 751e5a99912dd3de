"""Newton steps where a column costs a product: the answers of the matrix, each column looked at once, not too many of them."""

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from sparsecode import (
    L1,
    MCP,
    Logistic,
    Poisson,
    SparseLogisticRegressionCV,
    Status,
    WithIntercept,
    alpha_max,
    regularization_path,
    solve,
)
from sparsecode.solvers.coordinate import prox_newton
from tests.solvers.test_prox_newton import LOSSES, data, every_loss


class Counted(LinearOperator):
    """A matrix that counts its products, and those with a unit vector by its index."""

    def __init__(self, matrix):
        super().__init__(matrix.dtype, matrix.shape)
        self.matrix, self.products, self.looks = matrix, 0, []

    def _matvec(self, coef):
        self.products += 1
        used = np.flatnonzero(coef)
        if used.size == 1 and np.ravel(coef)[used[0]] == 1:
            self.looks.append(int(used[0]))
        return self.matrix @ coef

    def _rmatvec(self, residual):
        self.products += 1
        return self.matrix.T @ residual


@every_loss
@pytest.mark.parametrize("intercept", [False, True])
def test_a_path_is_that_of_the_matrix(name, intercept):
    A, y = data(name, 150, 400)
    rng = np.random.default_rng(0)
    loss = WithIntercept(LOSSES[name]) if intercept else LOSSES[name]
    posed = {"penalty_weights": rng.choice([0.5, 1.0, np.inf], 400), "sample_weight": rng.integers(0, 3, 150)}
    alphas = alpha_max(A, y, loss, **posed) * np.array([0.7, 0.4, 0.2])
    operator, matrix = (
        regularization_path(each, y, loss, L1(1.0), alphas=alphas, tol=1e-10, solver="prox_newton", **posed)
        for each in (aslinearoperator(A), A)
    )
    assert operator.status is Status.CONVERGED
    np.testing.assert_allclose(operator.coefs, matrix.coefs, atol=1e-6)
    np.testing.assert_allclose(operator.intercepts, matrix.intercepts, atol=1e-6)


@every_loss
def test_concave_penalties_are_certified_where_newton_steps_gain_no_more(name):
    A, y = data(name, 150, 400)
    rng = np.random.default_rng(0)
    loss, posed = LOSSES[name], {"sample_weight": rng.integers(0, 3, 150)}
    alphas = alpha_max(A, y, loss, **posed) * np.array([0.7, 0.4, 0.2])
    path = regularization_path(aslinearoperator(A), y, loss, MCP(1.0), alphas=alphas, **posed)
    assert all(result.status is Status.CONVERGED for result in path.results)


def test_each_column_is_looked_at_once_along_a_path():
    A, y = data("logistic", 150, 400)
    operator = Counted(A)
    path = regularization_path(operator, y, Logistic(), L1(1.0), n_alphas=10, eps=0.05)
    assert path.status is Status.CONVERGED
    assert len(operator.looks) == len(set(operator.looks)) < 200
    assert set(path.results[-1].support) <= set(operator.looks)


@every_loss
def test_gradient_steps_go_on_where_columns_are_too_many(name, monkeypatch):
    monkeypatch.setattr(prox_newton, "OPERATOR_COLUMNS", 10)
    A, y = data(name, 150, 400)
    loss, operator = LOSSES[name], Counted(A)
    alpha = 0.1 * alpha_max(A, y, loss)
    result = solve(operator, y, loss, L1(alpha), tol=1e-8)
    assert result.status is Status.CONVERGED
    assert result.support.size > 10 >= len(operator.looks)
    np.testing.assert_allclose(result.coef, solve(A, y, loss, L1(alpha), tol=1e-8).coef, atol=1e-5)


def test_what_gradient_steps_took_is_allowed_to_columns_at_the_next_strength(monkeypatch):
    monkeypatch.setattr(prox_newton, "OPERATOR_COLUMNS", 10)
    A, y = data("poisson", 150, 400)
    operator, top = Counted(A), alpha_max(A, y, Poisson())
    path = regularization_path(operator, y, Poisson(), L1(1.0), alphas=top * np.geomspace(0.3, 0.05, 8))
    assert path.status is Status.CONVERGED
    looks = operator.looks
    assert set(path.results[-1].support) <= set(looks)  # Newton steps again in the end
    operator.products = 0
    assert solve(operator, y, Poisson(), L1(0.05 * top), solver="fista").status is Status.CONVERGED
    assert len(looks) < 2 * operator.products


def test_cross_validation_on_an_operator_takes_far_fewer_products_than_gradient_steps():
    A, y = data("logistic", 120, 300)
    operator = Counted(A)
    model = SparseLogisticRegressionCV(alphas=10, cv=3).fit(operator, y)
    newton, operator.products = operator.products, 0
    other = SparseLogisticRegressionCV(alphas=10, cv=3, solver="fista").fit(operator, y)
    assert 3 * newton < operator.products
    matrix = SparseLogisticRegressionCV(alphas=10, cv=3).fit(A, y)
    assert model.alpha_ == pytest.approx(matrix.alpha_) == pytest.approx(other.alpha_)
    np.testing.assert_allclose(model.coef_, matrix.coef_, atol=1e-3)
