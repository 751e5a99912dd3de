"""What LassoCV asks of its folds, and what Lasso says of an answer without a penalty."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso as PeerLasso
from sklearn.linear_model import LassoCV as PeerLassoCV
from sklearn.model_selection import StratifiedKFold

from sparsecode import Lasso, LassoCV


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((83, 12)) + 3.0
    return X, X[:, :4] @ np.array([1.0, -2.0, 3.0, 0.5]) + 2.0 * rng.standard_normal(83) + 7.0


def test_splitters_see_the_target(data):
    X, y = data
    label = (y > np.quantile(y, 0.8)).astype(float)
    model = LassoCV(cv=StratifiedKFold(4), alphas=5, tol=1e-12).fit(X, label)
    peer = PeerLassoCV(cv=StratifiedKFold(4), alphas=model.alphas_, tol=1e-10, max_iter=100_000).fit(X, label)
    np.testing.assert_allclose(model.mse_path_, peer.mse_path_, rtol=1e-6)


def test_a_training_sample_drawn_twice_counts_twice(data):
    X, y = data
    train, test = np.random.default_rng(1).integers(0, 60, 60), np.arange(60, 83)
    model = LassoCV(cv=[(train, test)], alphas=5, tol=1e-12).fit(X, y)
    for alpha, error in zip(model.alphas_, model.mse_path_[:, 0], strict=True):
        peer = PeerLasso(alpha, tol=1e-12, max_iter=100_000).fit(X[train], y[train])
        assert error == pytest.approx(np.mean((y[test] - peer.predict(X[test])) ** 2), rel=1e-6)


def test_a_fold_counts_by_its_held_out_weight(data):
    X, y = data
    folds = [(np.arange(10, 83), np.arange(10)), (np.arange(40), np.arange(40, 83))]
    differs = 0
    for first in (30.0, 10.0, 3.0, 1.0, 0.1, 0.01):
        weight = np.where(np.arange(83) < 10, first, 1.0)
        model = LassoCV(cv=folds, alphas=40, eps=1e-2).fit(X, y, sample_weight=weight)
        sizes = np.array([weight[test].sum() for _, test in folds])
        best = int(np.argmin(model.mse_path_ @ sizes))
        assert model.alpha_ == model.alphas_[best]
        differs += best != int(np.argmin(model.mse_path_.mean(axis=1)))
    assert differs > 0


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([], "cv has no folds"),
        ([(np.arange(0), np.arange(40))], "cv has no training sample"),
        ([(np.arange(40), np.arange(0))], "cv holds out no sample"),
        ([(np.arange(40), np.arange(60, 83))], "cv holds out no sample"),
    ],
)
def test_folds_without_weight_are_refused(data, folds, message):
    X, y = data
    weight = np.where(np.arange(83) < 60, 1.0, 0.0)
    with pytest.raises(ValueError, match=message):
        LassoCV(cv=folds, alphas=5).fit(X, y, sample_weight=weight)


def test_without_a_penalty_no_duality_gap_is_claimed(data):
    with pytest.warns(RuntimeWarning, match="alpha=0 leaves the fit without a penalty"):
        model = Lasso(alpha=0, tol=1e-8).fit(*data)
    assert np.isnan(model.dual_gap_)
    assert model.result_.certificate_name == "relative stationarity" and model.certificate_ <= 1e-8
