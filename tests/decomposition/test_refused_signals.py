"""What a learner cannot take it refuses in words that name who does."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import (
    ConvolutionalDictionaryLearning,
    DictionaryLearning,
    KSparseCompression,
    LpDictionaryLearning,
    MaskedDictionaryLearning,
    ProbabilisticSparseCoding,
    RobustUnmixing,
    SparseCoder,
)

X = np.random.default_rng(0).random((60, 8))
REAL = [
    DictionaryLearning(4, max_iter=2, tol=None),
    SparseCoder(np.eye(8), n_nonzero_coefs=2),
    ConvolutionalDictionaryLearning(2, max_iter=2, tol=None),
    KSparseCompression(n_components=4, n_nonzero_coefs=2, tol=1.0),
    RobustUnmixing(2, max_iter=2, tol=None),
]
TAKE_MISSING = [MaskedDictionaryLearning(4, max_iter=1), ProbabilisticSparseCoding(2, max_iter=2, tol=None)]


def missing():
    data = X.copy()
    data[3, 2] = np.nan
    return data


def name_of(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("estimator", [*REAL, LpDictionaryLearning()], ids=name_of)
def test_missing_entries_are_referred_to_who_takes_them(estimator):
    words = f"Input X contains NaN, and {name_of(estimator)} .*MaskedDictionaryLearning and ProbabilisticSparseCoding"
    with pytest.raises(ValueError, match=words) as caught:
        estimator.fit(missing())
    assert "HistGradientBoosting" not in str(caught.value)
    if isinstance(estimator, (DictionaryLearning, RobustUnmixing, SparseCoder)):
        with pytest.raises(ValueError, match=words):
            estimator.fit(X).transform(missing())


@pytest.mark.parametrize("estimator", [*REAL, *TAKE_MISSING], ids=name_of)
def test_complex_signals_are_referred_to_who_takes_them(estimator):
    words = f"Complex data not supported: {name_of(estimator)} takes real signals.*LpDictionaryLearning"
    kinds = [np.asarray, sp.csr_matrix] if isinstance(estimator, DictionaryLearning) else [np.asarray]
    for kind in kinds:
        with pytest.raises(ValueError, match=words) as caught:
            estimator.fit(kind(X + 1j))
        assert len(str(caught.value)) < 300  # and not all of X


def test_a_coder_that_was_never_fitted_refuses_alike():
    coder = SparseCoder(np.eye(8), n_nonzero_coefs=2)
    with pytest.raises(ValueError, match="SparseCoder takes no missing entries"):
        coder.transform(missing())
    with pytest.raises(ValueError, match="SparseCoder takes real signals"):
        coder.transform(X + 1j)


def test_infinity_is_refused_as_by_scikit_learn():
    data = X.copy()
    data[3, 2] = np.inf
    for estimator in (*REAL, *TAKE_MISSING, LpDictionaryLearning()):
        with pytest.raises(ValueError, match="contains infinity"):
            estimator.fit(data)
