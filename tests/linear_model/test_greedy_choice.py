"""Greedy estimators that choose their sparsity level, and matching pursuit: against loops over the functions."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import OrthogonalMatchingPursuitCV as TheirCV
from sklearn.model_selection import KFold, ShuffleSplit

from sparsecode import LassoIC, MatchingPursuit, OrthogonalMatchingPursuit, OrthogonalMatchingPursuitCV, mp, omp
from tests._backends import FOREIGN, get, put
from tests.planted import planted


def data(noise=1.0, seed=0, n_features=40):
    X, y, _ = planted(60, n_features, 5, noise=noise, seed=seed)
    return X + 0.5, y + 2.0


def held_out_errors(X, y, folds, count, weight, **options):
    """Mean squared errors (count, n_folds) of fits on copies of the training samples."""
    errors = np.zeros((count, len(folds)))
    for i, (train, test) in enumerate(folds):
        share = weight[train] / weight[train].sum()
        mean, level = share @ X[train], share @ y[train]
        root = np.sqrt(weight[train] / weight[train].mean())
        for k in range(1, count + 1):
            coef = omp(root[:, None] * (X[train] - mean), root * (y[train] - level), n_nonzero=k, **options).coef
            missed = y[test] - level - (X[test] - mean) @ coef
            errors[k - 1, i] = np.average(missed**2, weights=weight[test])
    return errors


@pytest.mark.parametrize("selection", ["omp", "ols"])
@pytest.mark.parametrize("convert", [np.asarray, sp.csc_array], ids=["dense", "csc"])
@pytest.mark.parametrize("weights", [False, True])
def test_errors_are_those_of_fits_on_the_training_samples(selection, convert, weights):
    X, y = data()
    weight = np.random.default_rng(0).uniform(0.2, 3.0, 60) if weights else np.ones(60)
    folds = list(KFold(4).split(X))
    model = OrthogonalMatchingPursuitCV(max_n_nonzero_coefs=9, cv=4, selection=selection)
    model.fit(convert(X), y, sample_weight=weight if weights else None)
    errors = held_out_errors(X, y, folds, 9, weight, selection=selection)
    np.testing.assert_allclose(model.mse_path_, errors, rtol=1e-8)
    sizes = [weight[test].sum() for _, test in folds]
    assert model.n_nonzero_coefs_ == 1 + np.argmin(np.average(errors, axis=1, weights=sizes))
    refit = OrthogonalMatchingPursuit(model.n_nonzero_coefs_, selection=selection)
    refit.fit(X, y, sample_weight=weight if weights else None)
    np.testing.assert_allclose(model.coef_, refit.coef_, atol=1e-10)


def test_a_fold_counts_by_the_weight_of_what_it_holds_out():
    differs = 0
    for seed in range(8):
        X, y = data(noise=3.0, seed=seed)
        order = np.random.default_rng(seed).permutation(60)
        tests = np.split(order, [25, 50, 53, 56])
        folds = [(np.setdiff1d(order, test), test) for test in tests]
        model = OrthogonalMatchingPursuitCV(max_n_nonzero_coefs=10, cv=folds).fit(X, y)
        sizes = [test.size for test in tests]
        assert model.n_nonzero_coefs_ == 1 + np.argmin(np.average(model.mse_path_, axis=1, weights=sizes))
        differs += model.n_nonzero_coefs_ != 1 + np.argmin(model.mse_path_.mean(axis=1))
    assert differs


def test_the_choice_is_scikit_learns_on_unit_columns():
    X, y = data(noise=0.5)
    X = X - X.mean(axis=0)
    X /= np.linalg.norm(X, axis=0)
    folds = list(KFold(5).split(X))
    theirs = TheirCV(cv=folds, max_iter=10).fit(X, y)
    ours = OrthogonalMatchingPursuitCV(cv=iter(folds), max_n_nonzero_coefs=10).fit(X, y)
    assert ours.n_nonzero_coefs_ == theirs.n_nonzero_coefs_
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)


def test_free_columns_are_in_every_fit_and_not_counted():
    X, y = data(noise=0.3)
    weights = np.ones(40)
    weights[[3, 8]] = 0.0
    model = OrthogonalMatchingPursuitCV(max_n_nonzero_coefs=8, penalty_weights=weights).fit(X, y)
    assert model.mse_path_.shape == (8, 5)
    assert np.all(model.coef_[[3, 8]] != 0)
    assert np.count_nonzero(np.delete(model.coef_, [3, 8])) == model.n_nonzero_coefs_


def test_a_path_that_ends_early_keeps_its_last_error():
    X, y = data(noise=0.3, n_features=6)
    X = np.hstack([X, X])
    model = OrthogonalMatchingPursuitCV(max_n_nonzero_coefs=12).fit(X, y)
    assert model.mse_path_.shape == (12, 5)
    np.testing.assert_array_equal(model.mse_path_[6:], np.tile(model.mse_path_[5], (6, 1)))
    assert model.n_nonzero_coefs_ <= 6


def test_levels_are_bounded_by_what_every_fold_can_fit():
    X, y = data(n_features=100)
    assert OrthogonalMatchingPursuitCV(cv=3).fit(X, y).mse_path_.shape == (10, 3)
    with pytest.warns(RuntimeWarning, match="max_n_nonzero_coefs=90"):
        model = OrthogonalMatchingPursuitCV(max_n_nonzero_coefs=90, cv=3).fit(X, y)
    assert model.mse_path_.shape == (39, 3)


def test_random_folds_are_drawn_once():
    X, y = data()
    splitter = ShuffleSplit(3, random_state=0)
    one, two = (OrthogonalMatchingPursuitCV(cv=splitter, n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)


@pytest.mark.parametrize("name", FOREIGN)
def test_every_namespace_gives_numpys_choice(name):
    X, y = data(noise=0.3)
    reference = OrthogonalMatchingPursuitCV().fit(X, y)
    model = OrthogonalMatchingPursuitCV().fit(put(X, name), put(y, name))
    np.testing.assert_allclose(model.mse_path_, reference.mse_path_, rtol=1e-8)
    np.testing.assert_allclose(get(model.coef_), reference.coef_, atol=1e-10)


def test_many_targets_and_empty_folds_are_refused():
    X, y = data()
    for target in (np.column_stack([y, y]), 1j * np.column_stack([y, y])):
        with pytest.raises(ValueError, match=r"y has shape .*, 2\); OrthogonalMatchingPursuitCV takes one target"):
            OrthogonalMatchingPursuitCV().fit(X, target)
    with pytest.raises(ValueError, match="cv has no folds"):
        OrthogonalMatchingPursuitCV(cv=[]).fit(X, y)


@pytest.mark.parametrize("criterion", ["aic", "bic", "ebic"])
def test_a_criterion_chooses_as_the_function_does_on_centred_data(criterion):
    X, y = data()
    model = OrthogonalMatchingPursuit(criterion=criterion, ebic_gamma=0.5).fit(X, y)
    result = omp(X - X.mean(axis=0), y - y.mean(), criterion=criterion, ebic_gamma=0.5)
    np.testing.assert_allclose(model.coef_, result.coef, atol=1e-10)
    assert model.n_nonzero_coefs_ == result.support.size
    assert model.n_iter_ == result.n_iter == result.support.size


def test_omp_and_the_lasso_share_one_criterion():
    X, y = data(noise=0.2)
    X, y = X - X.mean(axis=0), y - y.mean()
    lasso = LassoIC("bic", fit_intercept=False).fit(X, y)
    last = lasso.criterion_[np.isfinite(lasso.criterion_)][0]  # of zero coefficients, at the largest strength
    np.testing.assert_allclose(omp(X, y, criterion="bic").history["criterion"][0], last, rtol=1e-12)


@pytest.mark.parametrize(
    "options", [{"n_nonzero_coefs": 5}, {"tol": 0.3}, {"n_nonzero_coefs": 4, "positive": True}, {}]
)
@pytest.mark.parametrize("n_targets", [None, 3])
def test_matching_pursuit_is_the_function_on_centred_data(options, n_targets):
    X, Y, _ = planted(60, 40, 5, noise=0.5, n_targets=n_targets)
    X, Y = X + 0.5, Y + 2.0
    model = MatchingPursuit(**options).fit(X, Y)
    request = {"n_nonzero" if name == "n_nonzero_coefs" else name: value for name, value in options.items()}
    result = mp(X - X.mean(axis=0), Y - Y.mean(axis=0), **(request or {"n_nonzero": 4}))
    np.testing.assert_allclose(model.coef_.T, result.coef, atol=1e-7)
    np.testing.assert_allclose(model.predict(X).mean(axis=0), Y.mean(axis=0))
