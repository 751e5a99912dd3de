"""The estimator: scikit-learn's checks, its intercept and weights, and what it adds."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import OrthogonalMatchingPursuit as Theirs
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import OrthogonalMatchingPursuit, Status, omp
from tests._backends import get, put
from tests.planted import planted


@parametrize_with_checks(
    [
        OrthogonalMatchingPursuit(),
        OrthogonalMatchingPursuit(n_nonzero_coefs=1, selection="ols"),
        OrthogonalMatchingPursuit(n_nonzero_coefs=1, tol=0.1, fit_intercept=False, positive=True),
    ],
    expected_failed_checks=lambda estimator: {"check_complex_data": "complex data is supported"},
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_targets", [None, 3, 400])
def test_centring_is_implicit_and_exact(n_targets):
    X, Y, _ = planted(50, 30, 4, n_targets=n_targets, noise=0.3)
    X, Y = X + np.linspace(-3, 3, 30), Y + 5.0
    model = OrthogonalMatchingPursuit(n_nonzero_coefs=4).fit(X, Y)
    centred = omp(X - X.mean(axis=0), Y - Y.mean(axis=0), n_nonzero=4)
    np.testing.assert_allclose(model.coef_.T, centred.coef, atol=1e-10)
    np.testing.assert_allclose(np.mean(Y - model.predict(X), axis=0), 0, atol=1e-10)
    assert model.status_ is Status.CONVERGED
    assert model.n_nonzero_coefs_ == model.n_iter_ == 4


def test_it_equals_scikit_learn_on_columns_of_equal_centred_norm():
    X, y, _ = planted(50, 40, 4, noise=0.3)
    X = X - X.mean(axis=0)
    X = X / np.linalg.norm(X, axis=0) + 2.0
    ours, theirs = OrthogonalMatchingPursuit().fit(X, y), Theirs().fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-9)
    assert ours.intercept_ == pytest.approx(theirs.intercept_)


@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("n_targets", [None, 400])
def test_sparse_and_operator_designs_fit_as_dense_ones(selection, n_targets):
    X, Y, _ = planted(60, 30, 4, n_targets=n_targets, noise=0.3)
    X[np.abs(X) < 0.7] = 0.0
    dense = OrthogonalMatchingPursuit(3, selection=selection).fit(X, Y + 1.0)
    for other in (sp.csr_array(X), sp.csc_matrix(X), aslinearoperator(X)):
        model = OrthogonalMatchingPursuit(3, selection=selection).fit(other, Y + 1.0)
        np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-9)
        np.testing.assert_allclose(model.intercept_, dense.intercept_, atol=1e-9)
        np.testing.assert_allclose(model.predict(other), dense.predict(X), atol=1e-8)


def test_integer_sample_weights_are_repetitions():
    X, y, _ = planted(40, 20, 3, noise=0.5)
    repeats = np.random.default_rng(0).integers(0, 4, 40)
    weighted = OrthogonalMatchingPursuit(3).fit(X, y, sample_weight=repeats)
    repeated = OrthogonalMatchingPursuit(3).fit(np.repeat(X, repeats, axis=0), np.repeat(y, repeats))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-12)
    assert weighted.intercept_ == pytest.approx(repeated.intercept_)


def test_a_relative_tolerance_bounds_the_residual_of_the_centred_target():
    X, y, _ = planted(60, 40, 4, noise=0.3)
    model = OrthogonalMatchingPursuit(tol=0.3).fit(X, y + 100.0)
    residual = np.linalg.norm(y + 100.0 - model.predict(X))
    assert residual <= 0.3 * np.linalg.norm(y - y.mean())
    fewer = OrthogonalMatchingPursuit(model.n_iter_ - 1).fit(X, y + 100.0)
    assert np.linalg.norm(y + 100.0 - fewer.predict(X)) > 0.3 * np.linalg.norm(y - y.mean())


def test_complex_data_are_fitted():
    X, y, coef = planted(complex_=True, noise=0.0)
    model = OrthogonalMatchingPursuit(4).fit(X, y + (2 - 1j))
    np.testing.assert_allclose(model.coef_, coef, atol=1e-12)
    assert model.intercept_ == pytest.approx(2 - 1j)


def test_float32_stays_float32_and_pickles():
    X, y, _ = planted(dtype=np.float32)
    model = pickle.loads(pickle.dumps(OrthogonalMatchingPursuit(4).fit(X, y)))
    assert model.coef_.dtype == model.predict(X).dtype == np.float32
    np.testing.assert_array_equal(clone(model).fit(X, y).coef_, model.coef_)


def test_penalty_weights_force_and_exclude():
    X, y, coef = planted(noise=0.01)
    weights = np.ones(80)
    first, second = np.flatnonzero(coef)[:2]
    weights[first], weights[second + 1] = np.inf, 0.0
    model = OrthogonalMatchingPursuit(3, penalty_weights=weights).fit(X, y)
    assert model.coef_[first] == 0
    assert model.coef_[second + 1] != 0
    assert model.support_.size == 4


@pytest.mark.parametrize("parameter", [{"n_nonzero_coefs": 0}, {"tol": -1.0}, {"selection": "x"}, {"n_jobs": 0}])
def test_a_failed_refit_names_the_parameter_and_leaves_the_old_fit(parameter):
    X, Y, _ = planted(n_targets=500)
    model = OrthogonalMatchingPursuit(4).fit(X, Y)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match=next(iter(parameter))):
        model.set_params(**parameter).fit(X, Y)
    np.testing.assert_array_equal(model.coef_, before)


@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("kind", ["dense", "float32", "csc", "torch", "array_api_strict"])
@pytest.mark.parametrize("n_targets", [None, 500])
def test_a_constant_column_is_what_the_intercept_already_fits(selection, kind, n_targets):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((50, 2)), np.full(50, 0.1), np.full(50, 1 / 3)])
    y = rng.standard_normal(50) if n_targets is None else rng.standard_normal((50, n_targets))
    if kind == "csc":
        X = sp.csc_array(X)
    elif kind == "float32":
        X, y = X.astype(np.float32), y.astype(np.float32)
    elif kind != "dense":
        X, y = put(X, kind), put(y, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = OrthogonalMatchingPursuit(2, selection=selection).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="only 2 of 4 columns"):
        assert OrthogonalMatchingPursuit(4, selection=selection).fit(X, y).status_ is Status.STALLED
    coef = np.atleast_2d(get(model.coef_))
    assert np.all(coef[:, :2] != 0)
    assert not np.any(coef[:, 2:])
    assert model.status_ is Status.CONVERGED


@pytest.mark.parametrize("kind", ["dense", "torch"])
@pytest.mark.parametrize("n_targets", [None, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_constant_target_is_its_intercept(kind, n_targets, weighted):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 20)), np.full(50 if n_targets is None else (50, n_targets), 3.1)
    sample_weight = rng.uniform(0, 2, 50) if weighted else None
    if kind != "dense":
        X, y = put(X, kind), put(y, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = OrthogonalMatchingPursuit(tol=1e-3).fit(X, y, sample_weight=sample_weight)
    assert not np.any(get(model.coef_))
    np.testing.assert_allclose(get(model.intercept_) if n_targets else float(model.intercept_), 3.1)
    assert model.status_ is Status.CONVERGED


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_an_operator_whose_columns_have_large_means_selects_as_its_matrix_does(known, weighted):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((100, 50)) * np.linspace(0.1, 1.0, 50) + 8.0
    A[:, 20] = 8.0
    y = A[:, [3, 7]] @ [20.0, -10.0] + 0.1 * rng.standard_normal(100)
    sample_weight = rng.uniform(0.5, 2.0, 100) if weighted else None
    operator = LinearOperator(A.shape, matvec=lambda v: A @ v, rmatvec=lambda v: A.T @ v, dtype=A.dtype)
    if known:
        operator.column_sq_norms = np.sum(A**2, axis=0)
    expected = OrthogonalMatchingPursuit(2).fit(A, y, sample_weight=sample_weight)
    model = OrthogonalMatchingPursuit(2).fit(operator, y, sample_weight=sample_weight)
    np.testing.assert_array_equal(expected.support_, [3, 7])
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-9)
    norms = model.result_.history["residual"]
    assert norms[-1] == pytest.approx(expected.result_.history["residual"][-1])


def test_a_gram_matrix_as_x_is_refused_by_name():
    from sparsecode import GramDesign

    with pytest.raises(ValueError, match="X is a GramDesign"):
        OrthogonalMatchingPursuit().fit(GramDesign(np.eye(3), n_samples=3), np.ones(3))
