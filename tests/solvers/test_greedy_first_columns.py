"""Columns that enter before any selection: free ones and given ones count as what they are, also where they cannot enter."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, OrthogonalMatchingPursuit, OrthogonalMatchingPursuitCV, Status, omp, somp
from sparsecode.solvers.greedy import forms
from tests._backends import put
from tests.planted import planted

BOTH = pytest.mark.parametrize("selection", ["omp", "ols"])
FORMS = {
    "residual": lambda A, Y: (A, Y),
    "csc": lambda A, Y: (sp.csc_array(A), Y),
    "operator": lambda A, Y: (aslinearoperator(A), Y),
    "gram": lambda A, Y: (GramDesign(A.T @ A, len(A), np.sum(Y**2, axis=0)), A.T @ Y),
    "torch": lambda A, Y: (put(A, "torch"), put(Y, "torch")),
}
every_form = pytest.mark.parametrize("form", [*FORMS, "kernel", "gram kernel"])


def coded(form, A, Y, monkeypatch, **options):
    """Codes of a given form of the pursuit, and the supports in order, one a target."""
    kernel = "kernel" in form
    with monkeypatch.context() as patch:
        patch.setattr(forms, "is_small", lambda *_: not kernel)
        patch.setattr(forms, "_shares_gram", lambda *_: kernel)
        A, Y = FORMS["gram" if form == "gram kernel" else "residual" if kernel else form](A, Y)
        result = omp(A, Y, **options)
    order = result.history["selected"]
    return result, [order] if Y.ndim == 1 else order


def noise_with(spoiled, seed=1):
    """Noise, a design, and weights that free a column which cannot enter (or one that can)."""
    A, _, _ = planted(60, 20, 3, seed=seed)
    weights = np.ones(20)
    weights[0] = 0.0
    if spoiled == "zero":
        A[:, 0] = 0.0
    elif spoiled == "duplicate":
        A[:, 0] = -2.0 * A[:, 7]
        weights[7] = 0.0
    return A, np.random.default_rng(seed).standard_normal(60), weights


# ---------------------------------------------------------------- criteria and cross-validation


@every_form
@pytest.mark.parametrize("spoiled", ["zero", "duplicate", "none"])
def test_a_criterion_keeps_of_the_free_columns_those_that_entered_and_no_others(form, spoiled, monkeypatch):
    A, y, weights = noise_with(spoiled)
    result, _ = coded(form, A, y, monkeypatch, criterion="ebic", penalty_weights=weights)
    expected = {"zero": [], "duplicate": [0], "none": [0]}[spoiled]
    np.testing.assert_array_equal(np.flatnonzero(np.asarray(result.coef)), expected)


@pytest.mark.parametrize("spoiled", ["zero", "duplicate", "none"])
def test_a_criterion_for_many_targets_counts_free_columns_likewise(spoiled):
    A, y, weights = noise_with(spoiled)
    Y = np.column_stack([y, np.random.default_rng(5).standard_normal(60)])
    expected = {"zero": [], "duplicate": [0], "none": [0]}[spoiled]
    joint = somp(A, Y, criterion="ebic", penalty_weights=weights)
    np.testing.assert_array_equal(np.flatnonzero(np.any(joint.coef, axis=1)), expected)
    assert np.flatnonzero(np.isfinite(joint.history["criterion"]))[0] == len(expected)


@pytest.mark.parametrize("positive", [False, True])
def test_given_columns_that_drop_out_are_not_replaced_by_others_that_a_criterion_must_keep(positive):
    A, y, _ = noise_with("duplicate")
    given = np.argsort(A.T @ y)[:2] if positive else [0, 7]
    entered = 0 if positive else 1
    result = omp(A, y, criterion="ebic", support=given, positive=positive)
    assert result.support.size == entered
    assert np.flatnonzero(np.isfinite(result.history["criterion"]))[0] == entered


def test_zero_and_excluded_columns_are_no_features_of_a_criterion():
    A, y, _ = planted(40, 30, 3, noise=1.0)
    alone = omp(A, y, criterion="ebic").history["criterion"]
    wider = np.hstack([A, np.zeros((40, 500))])
    np.testing.assert_allclose(omp(wider, y, criterion="ebic").history["criterion"], alone, rtol=1e-12)
    weights = np.r_[np.ones(30), np.full(500, np.inf)]
    noisy = np.hstack([A, np.random.default_rng(3).standard_normal((40, 500))])
    found = omp(noisy, y, criterion="ebic", penalty_weights=weights).history["criterion"]
    np.testing.assert_allclose(found, alone, rtol=1e-12)


@pytest.mark.parametrize("spoiled", ["constant", "zero", "duplicate", "none"])
def test_cross_validation_judges_the_fits_of_the_levels_it_names(spoiled):
    X, _, _ = planted(60, 20, 3)
    y = 5.0 * X[:, 3] - 4.0 * X[:, 7] + 2.0 + 0.01 * np.random.default_rng(0).standard_normal(60)
    weights = np.ones(20)
    weights[0] = 0.0
    X[:, 0] = {"constant": 1.0, "zero": 0.0}.get(spoiled, X[:, 0])
    if spoiled == "duplicate":
        X[:, 12] = X[:, 0]
        weights[12] = 0.0
    model = OrthogonalMatchingPursuitCV(penalty_weights=weights, cv=4).fit(X, y)
    assert set(model.support_) >= {3, 7}
    folds = [np.arange(15 * i, 15 * i + 15) for i in range(4)]
    for level in (1, 2):
        for i, test in enumerate(folds):
            train = np.setdiff1d(np.arange(60), test)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fold = OrthogonalMatchingPursuit(level, penalty_weights=weights).fit(X[train], y[train])
            error = np.mean((fold.predict(X[test]) - y[test]) ** 2)
            assert model.mse_path_[level - 1, i] == pytest.approx(error, rel=1e-6)


# ---------------------------------------------------------------- the room that is left


@every_form
@BOTH
@pytest.mark.parametrize("n_targets", [None, 3])
def test_given_columns_that_drop_out_leave_their_room_to_others(form, selection, n_targets, monkeypatch):
    A, Y, _ = planted(40, 60, 5, noise=0.5, n_targets=n_targets)
    A[:, 6] = A[:, 5]
    A[:, 9] = 0.0
    options = {"n_nonzero": 4, "selection": selection}
    _, expected = coded("residual", A, Y, monkeypatch, support=[5], **options)
    result, orders = coded(form, A, Y, monkeypatch, support=[5, 9, 6], **options)
    assert orders == expected
    assert all(len(order) == 4 for order in orders)
    assert result.status is Status.CONVERGED


@every_form
@pytest.mark.parametrize("n_targets", [None, 3])
def test_given_columns_that_would_be_negative_leave_their_room_to_others(form, n_targets, monkeypatch):
    A, Y, _ = planted(40, 60, 5, noise=0.5, n_targets=n_targets)
    negative = np.argsort(A.T @ (Y if Y.ndim == 1 else Y[:, 0]))[:2]
    options = {"n_nonzero": 3, "positive": True}
    _, alone = coded(form, A, Y, monkeypatch, **options)
    result, orders = coded(form, A, Y, monkeypatch, support=negative, **options)
    assert orders[0] == alone[0]
    assert all(len(order) == 3 for order in orders)
    assert np.all(np.asarray(result.coef) >= 0)


@every_form
def test_given_columns_of_weight_zero_are_outside_the_count(form, monkeypatch):
    A, y, _ = planted(40, 60, 5, noise=0.5)
    weights = np.ones(60)
    weights[7] = 0.0
    _, (order,) = coded(form, A, y, monkeypatch, n_nonzero=2, support=[3], penalty_weights=weights)
    assert order[:2] == [7, 3]
    assert len(order) == 3
    for given in ([7, 3], [3, 7]):
        assert coded(form, A, y, monkeypatch, n_nonzero=2, support=given, penalty_weights=weights)[1] == [order]
    assert coded(form, A, y, monkeypatch, n_nonzero=1, support=[7, 3], penalty_weights=weights)[1] == [[7, 3]]


def test_a_path_on_a_gram_matrix_that_ends_early_keeps_its_last_feature():
    A, _, _ = planted(40, 30, 3)
    y = 2.0 * A[:, 29] + A[:, 3]
    for design, target in (FORMS["gram"](A, y), FORMS["torch"](A, y)):
        result = omp(design, target, tol=1e-3, return_path=True)
        np.testing.assert_allclose(np.asarray(result.history["path"])[:, -1], np.asarray(result.coef), atol=1e-12)


# ---------------------------------------------------------------- what is said at the end


@pytest.mark.parametrize("n_targets", [None, 2])
def test_free_columns_do_not_stand_in_for_those_that_were_asked_for(n_targets):
    rng = np.random.default_rng(4)
    A = rng.standard_normal((20, 3)) @ rng.standard_normal((3, 12))
    Y = rng.standard_normal((20, n_targets)) if n_targets else rng.standard_normal(20)
    weights = np.ones(12)
    weights[:2] = 0.0
    for solve in (omp, somp):
        with pytest.warns(ConvergenceWarning, match="after (at most )?1 column, tol=1.0e-06 not reached"):
            assert solve(A, Y, n_nonzero=3, tol=1e-6, penalty_weights=weights).status is Status.STALLED
        with pytest.warns(ConvergenceWarning, match="after (at most )?3 columns, tol=1.0e-06 not reached"):
            assert solve(A, Y, n_nonzero=4, tol=1e-6).status is Status.STALLED


def test_only_the_columns_that_count_are_counted_where_too_few_are_independent(monkeypatch):
    A, _, _ = planted(20, 12, 3)
    A[:, 4:] = A[:, :1] + 1e-6 * A[:, 4:]
    weights = np.ones(12)
    weights[1] = 0.0
    y = np.random.default_rng(0).standard_normal(20)
    with pytest.warns(ConvergenceWarning, match="only 3 of 9 columns could be selected"):
        assert omp(A, y, n_nonzero=9, penalty_weights=weights).status is Status.STALLED


def test_simultaneous_and_single_pursuits_call_the_same_residual_zero():
    A, Y, _ = planted(30, 50, 2, n_targets=1, noise=0.0)
    Y = Y @ np.array([[1.0, -2.0, 0.5]])
    for solve in (omp, somp):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert solve(A, Y, tol=0.0).status is Status.CONVERGED


def test_the_remedy_is_one_for_what_happened():
    A, y, _ = planted(30, 10, 3, noise=0.5)
    with pytest.warns(ConvergenceWarning, match="positive coefficient; loosen tol, or drop positive=True") as caught:
        result = omp(A, y, tol=1e-3, positive=True)
    assert "linearly dependent" not in str(caught[0].message)
    assert "positive" in result.reason


# ---------------------------------------------------------------- samples that count more than once


@pytest.mark.parametrize("criterion", ["aic", "bic", "ebic"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_sample_of_weight_two_is_a_sample_twice_for_a_criterion(criterion, fit_intercept):
    for seed in range(4):
        A, y, _ = planted(60, 20, 3, noise=2.0, seed=seed)
        times = np.random.default_rng(seed).integers(0, 4, 60)
        model = OrthogonalMatchingPursuit(criterion=criterion, fit_intercept=fit_intercept)
        expected = model.fit(np.repeat(A, times, axis=0), np.repeat(y, times)).result_.history["criterion"]
        found = model.fit(A, y, sample_weight=times).result_.history["criterion"]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        same = model.fit(A, y, sample_weight=np.full(60, 2.0)).result_.history["criterion"]
        doubled = model.fit(np.repeat(A, 2, axis=0), np.repeat(y, 2)).result_.history["criterion"]
        np.testing.assert_allclose(same, doubled, rtol=1e-9)
    plain = omp(np.repeat(A, times, axis=0), np.repeat(y, times), criterion=criterion)
    np.testing.assert_allclose(omp(A, y, criterion=criterion, sample_weight=times).coef, plain.coef, atol=1e-9)


def test_simultaneous_pursuits_count_samples_by_their_weight_too():
    A, Y, _ = planted(60, 20, 3, noise=2.0, n_targets=3)
    times = np.random.default_rng(1).integers(0, 4, 60)
    expected = somp(np.repeat(A, times, axis=0), np.repeat(Y, times, axis=0), criterion="bic")
    result = somp(A, Y, criterion="bic", sample_weight=times)
    np.testing.assert_allclose(result.history["criterion"], expected.history["criterion"], rtol=1e-9)
    np.testing.assert_allclose(result.coef, expected.coef, atol=1e-9)
