"""Logistic and multinomial regression: labels, weights of classes, probabilities."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import is_classifier, is_regressor
from sklearn.model_selection import StratifiedKFold

from sparsecode import SparseLogisticRegression, SparseLogisticRegressionCV
from tests._peers import sparse_logistic
from tests.planted import planted


@pytest.fixture(scope="module")
def data():
    A, y, _ = planted(90, 20, 4, noise=1.0, seed=5)
    return A + 0.3, np.array(["low", "mid", "top"])[np.digitize(y, [-1.0, 1.0])]


def test_they_are_classifiers(data):
    for model in (SparseLogisticRegression(), SparseLogisticRegressionCV()):
        assert is_classifier(model) and not is_regressor(model)


def test_multinomial_equals_scikit_learn_without_an_intercept(data):
    X, label = data
    ours = SparseLogisticRegression(0.02, fit_intercept=False, tol=1e-9).fit(X, label)
    peer = sparse_logistic(C=1 / (0.02 * len(label)), solver="saga", fit_intercept=False, tol=1e-9, max_iter=10**5).fit(
        X, label
    )
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), peer.predict(X))
    assert ours.coef_.shape == (3, 20) and ours.sparse_coef_.shape == (3, 20)


def test_the_intercept_matches_the_shares_of_the_classes(data):
    X, label = data
    for labels in (label, label == "mid"):
        model = SparseLogisticRegression(0.05, tol=1e-10).fit(X, labels)
        shares = [np.mean(labels == each) for each in model.classes_]
        np.testing.assert_allclose(model.predict_proba(X).mean(axis=0), shares, atol=1e-6)


def test_probabilities_are_those_of_the_decisions(data):
    X, label = data
    model = SparseLogisticRegression(0.05).fit(X, label)
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probability)
    np.testing.assert_array_equal(model.classes_[model.decision_function(X).argmax(axis=1)], model.predict(X))
    two = SparseLogisticRegression(0.05).fit(X, label == "mid")
    np.testing.assert_allclose(two.predict_proba(X)[:, 1], 1 / (1 + np.exp(-two.decision_function(X))))
    np.testing.assert_array_equal(two.predict(X), two.decision_function(X) > 0)


def test_weights_of_classes_are_weights_of_their_samples(data):
    X, label = data
    weight = np.random.default_rng(0).uniform(0.5, 2, len(label))
    by_class = {"low": 2.0, "mid": 1.0, "top": 0.5}
    ours = SparseLogisticRegression(0.02, class_weight=by_class, tol=1e-9).fit(X, label, sample_weight=weight)
    spelt = SparseLogisticRegression(0.02, tol=1e-9).fit(X, label, weight * np.array([by_class[one] for one in label]))
    np.testing.assert_allclose(ours.coef_, spelt.coef_, atol=1e-6)
    balanced = SparseLogisticRegression(0.02, class_weight="balanced", tol=1e-9).fit(X, label)
    probability, counts = balanced.predict_proba(X), {one: np.sum(label == one) for one in balanced.classes_}
    shares = np.average(probability, axis=0, weights=[1 / counts[one] for one in label])
    np.testing.assert_allclose(shares, 1 / 3, atol=1e-5)


def test_a_ridge_is_added_by_the_ratio(data):
    X, label = data
    ours = SparseLogisticRegression(0.05, l1_ratio=0.3, tol=1e-10).fit(X, label == "mid")
    peer = sparse_logistic(C=1 / (0.05 * len(label)), l1_ratio=0.3, solver="saga", tol=1e-9, max_iter=10**5).fit(
        X, label == "mid"
    )
    np.testing.assert_allclose(ours.coef_, peer.coef_[0], atol=1e-3)


def test_sparse_designs_and_single_precision(data):
    X, label = data
    dense = SparseLogisticRegression(0.05).fit(X, label)
    np.testing.assert_allclose(SparseLogisticRegression(0.05).fit(sp.csr_array(X), label).coef_, dense.coef_, atol=1e-3)
    single = SparseLogisticRegression(0.05).fit(X.astype(np.float32), label)
    assert single.coef_.dtype == np.float32 and single.predict(X.astype(np.float32)).dtype == label.dtype


def test_bad_labels_get_an_error_that_says_so(data):
    X, label = data
    with pytest.raises(ValueError, match="y holds one class only"):
        SparseLogisticRegression().fit(X, np.zeros(90))
    with pytest.raises(ValueError, match="Unknown label type"):
        SparseLogisticRegression().fit(X, np.linspace(0, 1, 90))


def test_folds_keep_the_shares_of_the_classes(data):
    X, label = data
    chosen = SparseLogisticRegressionCV(alphas=8, eps=0.05, cv=3, tol=1e-8).fit(X, label)
    given = SparseLogisticRegressionCV(alphas=8, eps=0.05, cv=StratifiedKFold(3), tol=1e-8).fit(X, label)
    np.testing.assert_array_equal(chosen.error_path_, given.error_path_)
    assert chosen.error_path_.shape == (8, 3)


def test_cv_errors_are_log_losses_of_the_held_out_samples(data):
    from sklearn.metrics import log_loss

    X, label = data
    folds = list(StratifiedKFold(3).split(X, label))
    model = SparseLogisticRegressionCV(alphas=[0.1, 0.02], cv=folds, tol=1e-10).fit(X, label)
    for i, alpha in enumerate(model.alphas_):
        for k, (train, test) in enumerate(folds):
            alone = SparseLogisticRegression(alpha, tol=1e-10).fit(X[train], label[train])
            expected = log_loss(label[test], alone.predict_proba(X[test]), labels=model.classes_)
            assert model.error_path_[i, k] == pytest.approx(expected, rel=1e-4)
