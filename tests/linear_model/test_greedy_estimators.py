"""The greedy family as regressors: their defaults, the intercept, and that they are their functions."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import (
    CoSaMP,
    GeneralizedOMP,
    MatchingPursuit,
    OrthogonalMatchingPursuit,
    SimultaneousOMP,
    StagewiseOMP,
    Status,
    SubspacePursuit,
    cosamp,
    gomp,
    mp,
    omp,
    somp,
    stomp,
    subspace_pursuit,
)
from tests.planted import planted

MODELS = {
    "gomp": (GeneralizedOMP(4), lambda X, Y: gomp(X, Y, 4)),
    "gomp-3": (GeneralizedOMP(4, n_select=3), lambda X, Y: gomp(X, Y, 4, n_select=3)),
    "gomp-joint": (GeneralizedOMP(4, joint=True), lambda X, Y: gomp(X, Y, 4, joint=True)),
    "gomp-positive": (GeneralizedOMP(4, positive=True), lambda X, Y: gomp(X, Y, 4, positive=True)),
    "gomp-tol": (GeneralizedOMP(4, tol=0.5), lambda X, Y: gomp(X, Y, 4, tol=0.5)),
    "stomp": (StagewiseOMP(), stomp),
    "stomp-2": (StagewiseOMP(threshold=2.0, n_stages=2), lambda X, Y: stomp(X, Y, threshold=2.0, n_stages=2)),
    "stomp-tol": (StagewiseOMP(tol=0.6), lambda X, Y: stomp(X, Y, tol=0.6)),
    "cosamp": (CoSaMP(4), lambda X, Y: cosamp(X, Y, 4)),
    "cosamp-joint": (CoSaMP(4, joint=True), lambda X, Y: cosamp(X, Y, 4, joint=True)),
    "cosamp-positive": (CoSaMP(4, positive=True, tol=0.98), lambda X, Y: cosamp(X, Y, 4, positive=True, tol=0.98)),
    "sp": (SubspacePursuit(4), lambda X, Y: subspace_pursuit(X, Y, 4)),
    "sp-joint": (SubspacePursuit(4, joint=True), lambda X, Y: subspace_pursuit(X, Y, 4, joint=True)),
    "sp-positive": (SubspacePursuit(4, positive=True), lambda X, Y: subspace_pursuit(X, Y, 4, positive=True)),
    "somp": (SimultaneousOMP(4), lambda X, Y: somp(X, Y, n_nonzero=4)),
    "somp-1": (
        SimultaneousOMP(4, norm=1, selection="ols"),
        lambda X, Y: somp(X, Y, n_nonzero=4, norm=1, selection="ols"),
    ),
    "somp-bic": (SimultaneousOMP(criterion="bic"), lambda X, Y: somp(X, Y, criterion="bic")),
    "somp-tol": (SimultaneousOMP(tol=0.5), lambda X, Y: somp(X, Y, tol=0.5)),
    "somp-atol": (SimultaneousOMP(atol=8.0), lambda X, Y: somp(X, Y, atol=8.0)),
    "somp-ebic": (
        SimultaneousOMP(criterion="ebic", ebic_gamma=0.1),
        lambda X, Y: somp(X, Y, criterion="ebic", ebic_gamma=0.1),
    ),
    "somp-support": (SimultaneousOMP(4, support=[9, 2]), lambda X, Y: somp(X, Y, n_nonzero=4, support=[9, 2])),
    "omp-atol": (OrthogonalMatchingPursuit(atol=8.0), lambda X, Y: omp(X, Y, atol=8.0)),
    "omp-support": (OrthogonalMatchingPursuit(4, support=[9, 2]), lambda X, Y: omp(X, Y, n_nonzero=4, support=[9, 2])),
    "mp-atol": (MatchingPursuit(atol=8.0), lambda X, Y: mp(X, Y, atol=8.0)),
}


@parametrize_with_checks(
    [
        GeneralizedOMP(1, n_select=3, fit_intercept=False, positive=True),
        StagewiseOMP(threshold=1.0, n_stages=3, fit_intercept=False),
        CoSaMP(1, joint=True, positive=True),
        SubspacePursuit(2, joint=True, fit_intercept=False),
        SimultaneousOMP(1, norm=1, selection="ols"),
    ],
    expected_failed_checks=lambda estimator: {"check_complex_data": "complex data is supported"},
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::RuntimeWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_targets", [None, 3])
def test_a_fit_is_the_function_on_centred_data(name, n_targets):
    model, solve = MODELS[name]
    X, Y, _ = planted(50, 30, 4, n_targets=n_targets, noise=0.3)
    X, Y = X + np.linspace(-3, 3, 30), Y + 5.0
    model = clone(model).fit(X, Y)
    expected = solve(X - X.mean(axis=0), Y - Y.mean(axis=0))
    np.testing.assert_allclose(model.coef_.T, expected.coef, atol=1e-10)
    np.testing.assert_allclose(np.mean(Y - model.predict(X), axis=0), 0, atol=1e-10)
    assert model.status_ is Status.CONVERGED
    assert model.n_iter_ == expected.n_iter


def test_cosamp_without_the_last_fit_is_what_the_function_gives():
    X, y, _ = planted(50, 30, 4, noise=0.3)
    with pytest.warns(UserWarning, match="no least-squares fit") as caught:
        model = CoSaMP(4, debias=False, fit_intercept=False).fit(X, y)
    assert len(caught) == 1
    assert model.status_ is Status.STALLED
    with pytest.warns(UserWarning, match="no least-squares fit"):
        np.testing.assert_array_equal(model.coef_, cosamp(X, y, 4, debias=False).coef)
    assert not np.allclose(model.coef_, cosamp(X, y, 4).coef)


@pytest.mark.parametrize("name", ["gomp", "cosamp", "sp", "somp"])
def test_weights_and_the_limit_of_passes_reach_the_solver(name):
    X, y, _ = planted(noise=0.3)
    found = clone(MODELS[name][0]).fit(X, y).support_
    weights = np.ones(80)
    weights[found[0]] = np.inf
    assert found[0] not in clone(MODELS[name][0]).set_params(penalty_weights=weights).fit(X, y).support_


@pytest.mark.parametrize("model", [CoSaMP(9, max_iter=1), SubspacePursuit(9, max_iter=1)])
def test_passes_that_run_out_leave_a_status_and_a_warning(model):
    X, y, _ = planted(40, 80, 9, noise=0.5)
    with pytest.warns(UserWarning, match="still changed after 1 passes") as caught:
        model.fit(X, y)
    assert model.status_ is Status.MAX_ITER
    assert caught[0].filename == __file__


@pytest.mark.parametrize("model", [GeneralizedOMP(), CoSaMP(), SubspacePursuit(), SimultaneousOMP()])
def test_by_default_a_tenth_of_the_features_is_used(model):
    X, y, _ = planted(60, 80, 4, noise=0.3)
    assert clone(model).fit(X, y).support_.size == 8
    with np.errstate(all="raise"):
        assert clone(model).fit(X[:, :3], y).support_.size == 1


def test_many_targets_make_simultaneous_omp_share_a_support():
    X, Y, _ = planted(noise=0.3, n_targets=3)
    model = SimultaneousOMP(5).fit(X, Y)
    assert model.coef_.shape == (3, 80)
    assert np.all(np.all(model.support_, axis=0) == np.any(model.support_, axis=0))
    assert len(model.result_.history["selected"]) == 5
