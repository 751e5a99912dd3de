"""`Lasso`, `LassoCV` and `LassoIC` against scikit-learn and against their definitions."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as peers
from scipy.sparse.linalg import aslinearoperator
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import Lasso, LassoCV, LassoIC, Status, alpha_max, lasso_path
from tests._backends import get, put
from tests.planted import planted


def expected_failures(estimator):
    """Complex data are supported by all of them."""
    return {"check_complex_data": "complex data are supported"}


@parametrize_with_checks([Lasso(), LassoCV(), LassoIC()], expected_failed_checks=expected_failures)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    """A planted problem with means that are not zero."""
    A, y, _ = planted(80, 120, 6, noise=0.5, seed=1)
    return A + np.linspace(-2, 2, 120), y + 5.0


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_lasso_equals_scikit_learn(data, fit_intercept, positive):
    X, y = data
    ours = Lasso(0.1, fit_intercept=fit_intercept, positive=positive, tol=1e-11).fit(X, y)
    peer = peers.Lasso(0.1, fit_intercept=fit_intercept, positive=positive, tol=1e-13, max_iter=10**6).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.predict(X), peer.predict(X), atol=1e-5)
    assert ours.status_ is Status.CONVERGED


@pytest.mark.parametrize("make", [np.asfortranarray, sp.csr_array, sp.csc_matrix, aslinearoperator])
def test_kinds_of_design_give_one_fit(data, make):
    X, y = data
    weight = np.linspace(0, 2, 80)
    dense, other = (Lasso(0.1, tol=1e-10).fit(A, y, sample_weight=weight) for A in (X, make(X)))
    np.testing.assert_allclose(other.coef_, dense.coef_, atol=1e-5)
    np.testing.assert_allclose(other.predict(make(X)), dense.predict(X), atol=1e-4)


def test_short_sparse_columns_are_centred_without_filling():
    rng = np.random.default_rng(0)
    X = sp.random(300, 500, density=0.01, format="csc", random_state=rng, data_rvs=lambda size: rng.uniform(1, 2, size))
    y = X @ (rng.standard_normal(500) * (rng.uniform(size=500) < 0.05)) + 3.0
    weight = rng.uniform(0, 2, 300)
    compressed, dense = (Lasso(1e-3, tol=1e-10).fit(A, y, sample_weight=weight) for A in (X, X.toarray()))
    np.testing.assert_allclose(compressed.coef_, dense.coef_, atol=1e-4)
    assert compressed.intercept_ == pytest.approx(dense.intercept_, abs=1e-5)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_the_gap_and_the_certificate_are_one_number_in_two_units(data, shape):
    X, y = data
    y = y if not shape else np.stack([y, X[:, 0], np.random.default_rng(0).standard_normal(80)], axis=1)
    model = Lasso(0.05, tol=1e-5).fit(X, y)
    at_zero = 0.5 * np.mean((y - y.mean(axis=0)) ** 2, axis=0)
    np.testing.assert_allclose(model.dual_gap_, model.certificate_ * at_zero)
    assert np.shape(model.dual_gap_) == shape and np.shape(model.intercept_) == shape


def test_sparse_coefficients_are_the_coefficients(data):
    X, y = data
    one, many = Lasso(0.1).fit(X, y), Lasso(0.1).fit(X, np.stack([y, 2 * y], axis=1))
    np.testing.assert_array_equal(one.sparse_coef_.toarray(), one.coef_[None, :])
    np.testing.assert_array_equal(many.sparse_coef_.toarray(), many.coef_)
    np.testing.assert_array_equal(one.support_, np.flatnonzero(one.coef_))


def test_weights_reach_the_penalty(data):
    X, y = data
    weights = np.ones(120)
    weights[4], weights[5] = 0.0, np.inf
    model = Lasso(10.0, penalty_weights=weights).fit(X, y)
    np.testing.assert_array_equal(model.support_, [4])
    centred = X[:, 4] - X[:, 4].mean()
    assert model.coef_[4] == pytest.approx(centred @ y / (centred @ centred), abs=1e-6)


def test_a_warm_start_begins_where_the_last_fit_ended(data):
    X, y = data
    model = Lasso(0.05, warm_start=True, tol=1e-8).fit(X, y)
    first = model.n_iter_
    assert first > 0 and model.fit(X, y).n_iter_ == 0
    assert Lasso(0.05, tol=1e-8).fit(X, y).n_iter_ == first
    assert model.fit(X[:, :50], y).coef_.shape == (50,)


def test_complex_fits_have_a_complex_intercept():
    A, y, _ = planted(60, 30, 3, complex_=True)
    model = Lasso(0.05, tol=1e-9).fit(A, y + (2 - 3j))
    np.testing.assert_allclose(model.predict(A), y + (2 - 3j), atol=0.5)
    assert model.intercept_ == pytest.approx(2 - 3j, abs=0.2)


def test_torch_fits_stay_in_torch(data):
    X, y = data
    torch = pytest.importorskip("torch")
    model = Lasso(0.1, tol=1e-9).fit(put(X, "torch"), put(y, "torch"))
    assert isinstance(model.coef_, torch.Tensor)
    np.testing.assert_allclose(get(model.coef_), Lasso(0.1, tol=1e-9).fit(X, y).coef_, atol=1e-4)


def test_a_failed_refit_leaves_the_old_fit(data):
    X, y = data
    model = Lasso(0.1).fit(X, y)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match="X contains NaN"):
        model.fit(np.where(X > 2, np.nan, X), y)
    np.testing.assert_array_equal(model.coef_, before)


def test_one_warning_a_fit(data):
    X, y = data
    for model in (Lasso(0.01, max_iter=1), LassoCV(max_iter=1, cv=3, alphas=5), LassoIC(max_iter=1, alphas=5)):
        with pytest.warns(ConvergenceWarning) as caught:
            model.set_params(tol=0.0).fit(X, y)
        assert len(caught) == 1


# --- cross-validation


def test_cv_equals_its_definition(data):
    """Folds by hand, fits by scikit-learn."""
    X, y = data
    folds = list(KFold(4, shuffle=True, random_state=0).split(X))
    alphas = np.array([1.0, 0.3, 0.1, 0.03])
    model = LassoCV(alphas=alphas[::-1], cv=folds, tol=1e-10).fit(X, y)
    expected = np.empty((4, 4))
    for i, alpha in enumerate(alphas):
        for k, (train, test) in enumerate(folds):
            peer = peers.Lasso(alpha, tol=1e-12, max_iter=10**6).fit(X[train], y[train])
            expected[i, k] = np.mean((y[test] - peer.predict(X[test])) ** 2)
    np.testing.assert_array_equal(model.alphas_, alphas)
    np.testing.assert_allclose(model.mse_path_, expected, rtol=1e-4)
    assert model.alpha_ == alphas[np.argmin(expected.mean(axis=1))]
    np.testing.assert_allclose(model.coef_, Lasso(model.alpha_, tol=1e-10).fit(X, y).coef_, atol=1e-6)


def test_cv_splits_once_for_all_strengths(data):
    X, y = data

    class Random(KFold):
        calls = 0

        def split(self, X, y=None, groups=None):
            type(self).calls += 1
            return super().split(X, y, groups)

    LassoCV(alphas=10, cv=Random(3, shuffle=True)).fit(X, y)
    assert Random.calls == 1


@pytest.mark.parametrize("make", [sp.csr_array, aslinearoperator])
def test_cv_of_other_designs_equals_the_dense_one(data, make):
    X, y = data
    dense, other = (LassoCV(alphas=6, eps=0.05, cv=3, tol=1e-9).fit(A, y) for A in (X, make(X)))
    np.testing.assert_allclose(other.mse_path_, dense.mse_path_, rtol=1e-4)
    assert other.alpha_ == pytest.approx(dense.alpha_)


def test_cv_sample_weights_are_repetition(data):
    X, y = data
    counts = np.random.default_rng(0).integers(0, 3, 80)
    group = np.arange(80) % 4
    repeated = np.repeat(np.arange(80), counts)
    folds = [(np.flatnonzero(group != k), np.flatnonzero(group == k)) for k in range(4)]
    folds_repeated = [(np.flatnonzero(group[repeated] != k), np.flatnonzero(group[repeated] == k)) for k in range(4)]
    weighted = LassoCV(cv=folds, alphas=8, tol=1e-10).fit(X, y, sample_weight=counts)
    longer = LassoCV(cv=folds_repeated, alphas=8, tol=1e-10).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(weighted.mse_path_, longer.mse_path_, rtol=1e-5)
    np.testing.assert_allclose(weighted.coef_, longer.coef_, atol=1e-6)


def test_cv_threads_change_no_bit(data):
    X, y = data
    one, two = (LassoCV(cv=4, alphas=10, n_jobs=jobs).fit(X, y) for jobs in (1, 2))
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_cv_finds_the_planted_support():
    A, y, coef = planted(100, 300, 5, noise=0.1)
    model = LassoCV(cv=5).fit(A, y)
    assert np.isin(np.flatnonzero(coef), model.support_).all()
    assert model.score(A, y) > 0.99


# --- information criteria


@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_criteria_equal_scikit_learn_with_the_noise_known(criterion):
    A, y, _ = planted(100, 20, 4, noise=0.5)
    peer = peers.LassoLarsIC(criterion, noise_variance=0.25).fit(A, y)
    alphas = peer.alphas_[peer.alphas_ > 1e-6]
    model = LassoIC(criterion, noise_variance=0.25, alphas=alphas, tol=1e-12).fit(A, y)
    # at the breakpoints of the path a coefficient is on the verge of zero: keep to where both see the same support
    sizes = np.array(
        [np.count_nonzero(coef) for coef in lasso_path(A - A.mean(0), y - y.mean(), alphas=alphas, tol=1e-12).coefs.T]
    )
    steps = 2.0 if criterion == "aic" else np.log(100)
    expected = peer.criterion_[: alphas.size]
    offset = (model.criterion_ - expected) / steps  # whole numbers: the difference in counted columns
    np.testing.assert_allclose(offset, np.round(offset), atol=1e-3)
    assert np.all(np.abs(offset) <= 1.001) and sizes.max() > 4


def test_criterion_by_its_formula():
    from math import comb, log, pi

    A, y, _ = planted(60, 40, 3, noise=0.5)
    model = LassoIC("ebic", ebic_gamma=0.5, alphas=[0.3, 0.1], fit_intercept=False, tol=1e-12).fit(A, y)
    for alpha, value in zip(model.alphas_, model.criterion_, strict=True):
        coef = Lasso(alpha, fit_intercept=False, tol=1e-12).fit(A, y).coef_
        rss, size = np.sum((y - A @ coef) ** 2), np.count_nonzero(coef)
        expected = 60 * log(2 * pi * rss / 60) + 60 + size * log(60) + log(comb(40, size))
        assert value == pytest.approx(expected, rel=1e-6)
    assert model.alpha_ == model.alphas_[np.argmin(model.criterion_)]


@pytest.mark.parametrize("criterion", ["bic", "ebic"])
def test_wide_data_do_not_end_in_interpolation(criterion):
    A, y, coef = planted(60, 200, 3, noise=0.2)
    model = LassoIC(criterion).fit(A, y)
    assert np.isinf(model.criterion_[-1])
    assert model.support_.size < 30 and np.isin(np.flatnonzero(coef), model.support_).all()


def test_criterion_sample_weights_are_repetition():
    A, y, _ = planted(60, 30, 3, noise=0.5)
    counts = np.random.default_rng(0).integers(0, 3, 60)
    alphas = alpha_max(A - A.mean(0), y - y.mean()) * np.geomspace(0.5, 0.01, 7)
    weighted = LassoIC(alphas=alphas, tol=1e-11).fit(A, y, sample_weight=counts)
    longer = LassoIC(alphas=alphas, tol=1e-11).fit(np.repeat(A, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.criterion_, longer.criterion_, rtol=1e-6)


@pytest.mark.parametrize("model", [LassoCV(), LassoIC()])
def test_one_target_at_a_time(model, data):
    with pytest.raises(ValueError, match="y"):
        clone(model).fit(data[0], np.ones((80, 2)))


# --- scikit-learn's callbacks


def recorder():
    """A callback of scikit-learn that notes the tasks that end, and can ask to stop."""
    pytest.importorskip("sklearn.callback")

    class Recorder:
        def __init__(self, stop=False):
            self.names, self.stop = [], stop

        def setup(self, estimator, context):
            self.began = True

        def teardown(self, estimator, context):
            self.ended = True

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            self.names.append(context.task_name)
            return self.stop

    return Recorder


def test_callbacks_hear_of_rounds_folds_and_strengths(data):
    X, y = data
    for model, name, count in (
        (Lasso(0.01, tol=1e-9), "round", None),
        (LassoCV(cv=3, alphas=4), "fold", 3),
        (LassoIC(alphas=4), "alpha", 4),
    ):
        callback = recorder()()
        model.set_callbacks(callback).fit(X, y)
        heard = callback.names.count(name)
        assert heard == count if count else heard >= 2
        assert callback.began and callback.ended and callback.names[-1] == "fit"


def test_a_callback_can_stop_a_fit(data):
    X, y = data
    stopping = recorder()(stop=True)
    model = Lasso(0.01, tol=1e-12).set_callbacks(stopping).fit(X, y)
    assert model.status_ is Status.INTERRUPTED and model.n_iter_ == 0
