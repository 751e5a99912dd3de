"""Strengths chosen for complex data, and by refits without the penalty: against fits made and judged one by one."""

import numpy as np
import pytest
from scipy.special import binom
from sklearn.base import clone
from sklearn.model_selection import KFold

from sparsecode import (
    ElasticNet,
    ElasticNetCV,
    ElasticNetIC,
    GroupLasso,
    GroupLassoCV,
    Lasso,
    LassoCV,
    LassoIC,
    MultiTaskLasso,
    MultiTaskLassoCV,
    NonconvexRegressor,
    NonconvexRegressorCV,
    NonconvexRegressorIC,
    SquareRootLasso,
    SquareRootLassoCV,
)
from sparsecode.linear_model import _choice
from tests.planted import planted

FOLDS = KFold(3)
PAIRS = {
    "lasso": (LassoCV(tol=1e-10), Lasso(tol=1e-10)),
    "elastic net": (ElasticNetCV(l1_ratio=0.7, tol=1e-10), ElasticNet(l1_ratio=0.7, tol=1e-10)),
    "groups": (GroupLassoCV(groups=2, tol=1e-10), GroupLasso(groups=2, tol=1e-10)),
    "square root": (SquareRootLassoCV(tol=1e-8), SquareRootLasso(tol=1e-8)),
    "tasks": (MultiTaskLassoCV(tol=1e-10), MultiTaskLasso(tol=1e-10)),
    "scad": (NonconvexRegressorCV("scad", tol=1e-10), NonconvexRegressor(penalty="scad", tol=1e-10)),
}
CRITERIA = {
    "lasso": (LassoIC("ebic", tol=1e-11), Lasso(tol=1e-11)),
    "elastic net": (ElasticNetIC("ebic", l1_ratio=0.7, tol=1e-11), ElasticNet(l1_ratio=0.7, tol=1e-11)),
    "mcp": (NonconvexRegressorIC("ebic", tol=1e-11), NonconvexRegressor(tol=1e-11)),
}


def data(name, complex_values):
    made = planted(61, 20, 3, noise=0.5, seed=4)
    X, y = made.A, made.y + 2.0
    if complex_values:
        other = planted(61, 20, 3, noise=0.5, seed=5)
        X, y = X + 1j * other.A, y * (1.0 - 0.5j) + 1j * other.y
    return X, np.column_stack([y, 0.5 * y + X[:, 0]]) if name == "tasks" else y


def refitted(X, y, model):
    """Least squares with a constant on the support of a fit: coefficients and constant, the latter in the last row."""
    used = np.atleast_2d(model.coef_).any(axis=0)
    columns = np.column_stack([X[:, used], np.ones(len(X))])
    coef = np.zeros((X.shape[1] + 1, *y.shape[1:]), dtype=y.dtype)
    coef[np.append(used, True)] = np.linalg.lstsq(columns, y)[0]
    return coef


def predicted(X, y, Z, model, debias):
    if not debias:
        return model.predict(Z)
    coef = refitted(X, y, model)
    return Z @ coef[:-1] + coef[-1]


@pytest.mark.parametrize(("complex_values", "debias"), [(True, False), (True, True), (False, True)])
@pytest.mark.parametrize("name", PAIRS)
def test_held_out_errors_are_those_of_fits_made_one_by_one(name, complex_values, debias):
    X, y = data(name, complex_values)
    choice, single = PAIRS[name]
    choice = clone(choice).set_params(alphas=5, eps=0.1, cv=FOLDS, debias=debias).fit(X, y)
    alphas = choice.alphas_
    scores = getattr(choice, "mse_path_" if hasattr(choice, "mse_path_") else "error_path_")
    expected = np.zeros((5, 3))
    for fold, (train, test) in enumerate(FOLDS.split(X)):
        for k, alpha in enumerate(alphas):
            model = clone(single).set_params(alpha=alpha, max_iter=100_000).fit(X[train], y[train])
            missed = np.abs(y[test] - predicted(X[train], y[train], X[test], model, debias)) ** 2
            expected[k, fold] = np.sqrt(missed.mean()) if name == "square root" else missed.mean()
    np.testing.assert_allclose(scores, expected, rtol=2e-4)
    sizes = [len(test) for _, test in FOLDS.split(X)]
    assert choice.alpha_ == alphas[np.argmin(np.average(expected, axis=1, weights=sizes))]


@pytest.mark.parametrize("complex_values", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_the_last_fit_is_least_squares_on_the_support(name, complex_values):
    X, y = data(name, complex_values)
    model = clone(PAIRS[name][0]).set_params(alphas=5, eps=0.1, cv=FOLDS, debias=True).fit(X, y)
    coef = refitted(X, y, model)
    np.testing.assert_allclose(model.coef_, coef[:-1].T, atol=1e-9)
    np.testing.assert_allclose(model.intercept_, coef[-1], atol=1e-9)
    assert model.status_.is_success and model.certificate_ == model.result_.certificate


@pytest.mark.parametrize("complex_values", [False, True])
@pytest.mark.parametrize(
    ("name", "debias"),  # an elastic net's own degrees of freedom are a trace
    [("lasso", False), ("lasso", True), ("elastic net", True), ("mcp", False), ("mcp", True)],
)
def test_criteria_are_those_of_fits_made_one_by_one(name, complex_values, debias):
    """Deviance ``n log(2 pi RSS / n) + n``, ``log n`` and ``2 log binomial`` for each coefficient; a complex number counts once."""
    X, y = data(name, complex_values)
    choice, single = CRITERIA[name]
    choice = clone(choice).set_params(alphas=6, eps=0.1, debias=debias).fit(X, y)
    for alpha, value in zip(choice.alphas_, choice.criterion_, strict=True):
        model = clone(single).set_params(alpha=alpha, max_iter=100_000).fit(X, y)
        rss = np.sum(np.abs(y - predicted(X, y, X, model, debias)) ** 2)
        size = np.count_nonzero(model.coef_)
        expected = 61 * np.log(2 * np.pi * rss / 61) + 61 + size * np.log(61) + 2 * np.log(binom(20, size))
        assert value == pytest.approx(expected, rel=1e-4)
    assert choice.alpha_ == choice.alphas_[np.argmin(choice.criterion_)]
    if debias:
        np.testing.assert_allclose(choice.coef_, refitted(X, y, choice)[:-1], atol=1e-9)


def test_refits_keep_to_the_signs_that_were_asked_for():
    X, y = data("lasso", complex_values=False)
    for model in (LassoCV(positive=True, debias=True, cv=FOLDS), LassoIC(positive=True, debias=True)):
        assert np.all(model.fit(X, -y).coef_ >= 0)


def test_refits_are_chosen_at_larger_strengths_and_leave_fewer_columns_in():
    made = planted(100, 60, 4, noise=0.5, seed=7)
    plain, refits = (LassoCV(debias=debias, cv=FOLDS).fit(made.A, made.y) for debias in (False, True))
    assert refits.alpha_ > plain.alpha_
    assert set(refits.support_) == set(np.flatnonzero(made.coef)) < set(plain.support_)


@pytest.mark.parametrize(
    ("n_jobs", "shape", "threads"), [(None, (30, 5), 1), (2, (30, 5), 2), (None, (600, 500), None)]
)
def test_folds_of_small_designs_stay_on_one_thread_unless_more_are_asked_for(monkeypatch, n_jobs, shape, threads):
    seen, map_blocks = [], _choice.map_blocks
    monkeypatch.setattr(_choice, "map_blocks", lambda *args: seen.append(args[-1]) or map_blocks(*args))
    made = planted(*shape, 2, noise=0.5, seed=1)
    LassoCV(alphas=2, eps=0.5, cv=2, n_jobs=n_jobs).fit(made.A, made.y)
    assert seen == [threads]
