"""SparsePhaseRetrieval: what its face adds to the solver."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import SparsePhaseRetrieval, sparse_phase_retrieval
from sparsecode.metrics import phase_distance
from tests._backends import FOREIGN, get, put
from tests.planted import planted


def magnitudes(**options):
    A, y, coef = planted(100, 80, 4, **{"noise": 0.0, **options})
    return A, np.abs(y), coef


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("method", ["newton", "htp"])
def test_it_is_the_solver_and_predicts_magnitudes(complex_, method):
    X, y, coef = magnitudes(complex_=complex_)
    model = SparsePhaseRetrieval(n_nonzero_coefs=4, method=method).fit(X, y)
    np.testing.assert_array_equal(model.coef_, sparse_phase_retrieval(X, y, 4, method=method).coef)
    assert phase_distance(coef, model.coef_) < 1e-6
    np.testing.assert_array_equal(model.support_, np.flatnonzero(coef))
    assert model.intercept_ == 0.0
    assert model.status_.is_success
    assert model.certificate_ <= 1e-8
    prediction = model.predict(X)
    assert not np.iscomplexobj(prediction)
    np.testing.assert_allclose(prediction, y, atol=1e-6)
    assert model.score(X, y) > 1 - 1e-10


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_targets", [None, 3])
def test_every_kind_of_design_gives_the_same_fit(complex_, n_targets):
    X, y, coef = magnitudes(complex_=complex_, n_targets=n_targets)
    reference = SparsePhaseRetrieval(n_nonzero_coefs=4).fit(X, y)
    assert reference.coef_.shape == (y.T.shape[:-1] + (80,) if n_targets else (80,))
    assert np.max(phase_distance(coef, reference.coef_.T)) < 1e-6
    for kind in (sp.csc_array(X), sp.csr_matrix(X), aslinearoperator(X)):
        other = SparsePhaseRetrieval(n_nonzero_coefs=4).fit(kind, y)
        np.testing.assert_allclose(other.coef_, reference.coef_, atol=1e-6)
        np.testing.assert_allclose(other.predict(kind), y, atol=1e-5)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("complex_", [False, True])
def test_every_namespace_gives_numpys_fit(name, complex_):
    X, y, _ = magnitudes(complex_=complex_)
    reference = SparsePhaseRetrieval(n_nonzero_coefs=4).fit(X, y)
    model = SparsePhaseRetrieval(n_nonzero_coefs=4).fit(put(X, name), put(y, name))
    assert type(model.coef_) is type(put(X, name))
    np.testing.assert_allclose(get(model.coef_), reference.coef_, atol=1e-7)
    np.testing.assert_allclose(get(model.predict(put(X, name))), y, atol=1e-6)


def test_a_tenth_of_the_features_is_the_level_by_default():
    X, y, _ = magnitudes(noise=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert SparsePhaseRetrieval().fit(X, y).support_.size == 8


def test_weights_of_columns_and_samples_reach_the_solver():
    X, y, coef = magnitudes(noise=0.1)
    weights, samples = np.ones(80), np.random.default_rng(0).uniform(0.5, 2, 100)
    weights[np.flatnonzero(coef == 0)[0]] = 0.0
    model = SparsePhaseRetrieval(n_nonzero_coefs=4, penalty_weights=weights).fit(X, y, sample_weight=samples)
    expected = sparse_phase_retrieval(X, y, 4, penalty_weights=weights, sample_weight=samples)
    np.testing.assert_array_equal(model.coef_, expected.coef)
    assert model.support_.size == 5


def test_what_is_no_magnitude_is_refused_before_the_fit():
    X, y, _ = magnitudes()
    model = SparsePhaseRetrieval(n_nonzero_coefs=4)
    with pytest.raises(ValueError, match="y has negative entries"):
        model.fit(X, -y)
    with pytest.raises(ValueError, match="y is complex"):
        model.fit(X, y.astype(complex))
    with pytest.raises(ValueError, match="y is complex"):
        model.fit(X.astype(complex), y.astype(complex))
    assert not hasattr(model, "coef_")


def test_a_complex_design_takes_real_magnitudes_as_a_list():
    X, y, coef = magnitudes(complex_=True)
    model = SparsePhaseRetrieval(n_nonzero_coefs=4).fit(X, y.tolist())
    assert model.coef_.dtype == np.complex128
    assert phase_distance(coef, model.coef_) < 1e-6


def test_scikit_learn_is_told_that_targets_are_positive():
    tags = SparsePhaseRetrieval().__sklearn_tags__()
    assert tags.target_tags.positive_only
    assert tags.target_tags.multi_output
    assert tags.input_tags.sparse
