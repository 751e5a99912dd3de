"""Paths of Lasso solutions."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import Status, alpha_max, lasso, lasso_path, regularization_path
from sparsecode.designs import DenseDesign
from tests._backends import get, put
from tests.planted import planted
from tests.solvers.naive_lasso import naive_lasso


@pytest.fixture(scope="module")
def wide():
    """More features than samples, a noisy target: supports of dozens."""
    return planted(60, 150, 8, noise=0.5, seed=3)


def test_a_path_equals_its_strengths_one_by_one(wide):
    path = lasso_path(wide.A, wide.y, n_alphas=12, eps=1e-2, tol=1e-11)
    assert path.alphas[0] == pytest.approx(alpha_max(wide.A, wide.y)) and path.alphas[-1] == pytest.approx(
        path.alphas[0] / 100
    )
    assert path.status is Status.CONVERGED and path.coefs.shape == (150, 12)
    for alpha, coef in zip(path.alphas, path.coefs.T, strict=True):
        np.testing.assert_allclose(coef, lasso(wide.A, wide.y, alpha, tol=1e-11).coef, atol=1e-5)


def test_a_path_takes_strengths_in_any_order_and_weights():
    A, y, _ = planted(50, 80, 5, noise=0.2)
    weights = np.where(np.arange(80) == 4, 0.0, 1.5)
    path = lasso_path(A, y, alphas=[0.1, 0.4], penalty_weights=weights, positive=True, tol=1e-10)
    np.testing.assert_array_equal(path.alphas, [0.4, 0.1])
    np.testing.assert_allclose(path.coefs[:, 1], naive_lasso(A, y, 0.1, weights, True), atol=1e-5)


def test_a_path_makes_one_product_a_round():
    A, y, _ = planted(200, 400, 5, noise=0.2)
    calls = []

    class Counting(DenseDesign):
        def rmatvec(self, residual):
            calls.append(1)
            return super().rmatvec(residual)

    path = lasso_path(Counting(A), y, n_alphas=10, tol=1e-8, screening=False)
    assert len(calls) == 1 + sum(result.n_iter for result in path.results)


@pytest.mark.parametrize("data", ["complex", "torch"])
def test_paths_of_other_data_are_solved_by_gradient_steps(wide, data):
    A, y = (wide.A + 0j, wide.y + 0j) if data == "complex" else (put(wide.A, data), put(wide.y, data))
    path = lasso_path(A, y, n_alphas=4, eps=0.1, tol=1e-9)
    expected = lasso_path(wide.A, wide.y, n_alphas=4, eps=0.1, tol=1e-9)
    np.testing.assert_allclose(get(path.coefs), expected.coefs, atol=1e-4)


def test_a_path_of_a_zero_target_is_zero(wide):
    assert not lasso_path(wide.A, np.zeros(60), n_alphas=3).coefs.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphas": [0.1, -1.0]}, "alphas must be"),
        ({"alphas": []}, "alphas must be"),
        ({"n_alphas": 0}, "n_alphas must be"),
        ({"eps": 0.0}, "eps must be"),
    ],
)
def test_bad_paths_are_named(wide, change, message):
    with pytest.raises(ValueError, match=message):
        lasso_path(wide.A, wide.y, **change)


def test_a_path_refuses_many_targets(wide):
    with pytest.raises(ValueError, match="one target"):
        lasso_path(wide.A, np.ones((60, 2)))


def test_a_path_warns_once_of_its_worst_strength(wide):
    A, y, _ = wide
    with pytest.warns(ConvergenceWarning) as caught:
        path = regularization_path(A, y, n_alphas=5, eps=0.1, solver="fista", max_iter=2, tol=1e-10)
    assert path.certificates[0] < 1e-10 < path.certificates.max()
    assert len(caught) == 1
    assert f"gap {path.certificates.max():.3e} after 2 iterations" in str(caught[0].message)


def test_a_callback_that_stops_ends_the_path_there(wide):
    A, y, _ = wide
    path = regularization_path(
        A, y, n_alphas=8, eps=0.05, callback=lambda progress: np.count_nonzero(progress.coef) > 3
    )
    assert 1 < len(path.results) == len(path.alphas) == path.coefs.shape[1] < 8
    assert [result.status for result in path.results[:-1]] == [Status.CONVERGED] * (len(path.results) - 1)
    assert path.results[-1].status is Status.INTERRUPTED
