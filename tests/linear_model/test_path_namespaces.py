"""Strengths chosen on arrays of other namespaces are those chosen on NumPy's, for losses that carry their intercept too."""

import numpy as np
import pytest

from sparsecode import ElasticNetIC, HuberLassoCV, SparseLogisticRegressionCV, SparsePoissonRegressorCV
from tests._backends import FOREIGN, get, put
from tests.planted import planted

GRID = {"alphas": 3, "eps": 0.2}
X, SCORES, _ = planted(40, 8, 2, noise=0.3, seed=1)
CASES = [
    (HuberLassoCV(cv=3, tol=1e-8, **GRID), SCORES),
    (SparsePoissonRegressorCV(cv=3, tol=1e-8, **GRID), np.floor(np.exp(np.clip(0.5 * SCORES, -3, 2)) + 0.7)),
    (SparseLogisticRegressionCV(cv=3, tol=1e-8, **GRID), (SCORES > 0).astype(float)),
    (ElasticNetIC(tol=1e-10, **GRID), SCORES),
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("space", FOREIGN)
@pytest.mark.parametrize("model, y", CASES, ids=lambda part: type(part).__name__)
def test_the_choice_does_not_depend_on_the_namespace(model, y, space):
    model.fit(X, y)
    alpha, coef, intercept = model.alpha_, model.coef_, model.intercept_
    model.fit(put(X, space), put(y, space))
    assert model.alpha_ == pytest.approx(alpha, rel=1e-9)
    assert model.intercept_ == pytest.approx(intercept, abs=1e-3)
    np.testing.assert_allclose(get(model.coef_), coef, atol=1e-3)
