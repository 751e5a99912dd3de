"""scikit-learn's checks as estimators use them: what they say of entries that are missing, and tensors with a graph."""

import numpy as np
import pytest

from sparsecode import LearnedProximalNetwork, NeuralSparseMap, SparseCoder, SparseMongeMap
from sparsecode._tables import check_array
from tests._backends import put

X = np.random.default_rng(0).standard_normal((12, 3))
GAP = X.copy()
GAP[1, 2] = np.nan


@pytest.mark.parametrize(
    "model, data, name",
    [
        (LearnedProximalNetwork(), (GAP,), "X"),
        (SparseMongeMap(), (GAP, X), "X"),
        (SparseMongeMap(), (X, GAP), "Y"),
        (NeuralSparseMap(), (X, GAP), "Y"),
    ],
)
def test_missing_entries_are_refused_by_name_and_without_talk_of_classifiers(model, data, name):
    with pytest.raises(ValueError, match=f"Input {name} contains NaN; leave out") as caught:
        model.fit(*data)
    assert "HistGradientBoosting" not in str(caught.value)


def test_other_refusals_are_scikit_learns():
    with pytest.raises(ValueError, match="Found array with 0 sample"):
        check_array(X[:0])


def test_codes_of_tensors_that_ask_for_gradients_are_those_of_plain_ones():
    X = np.random.default_rng(0).standard_normal((5, 8))
    model = SparseCoder(n_nonzero_coefs=2).fit(put(X, "torch").requires_grad_())
    np.testing.assert_array_equal(model.transform(put(X, "torch").requires_grad_()), model.transform(X))
