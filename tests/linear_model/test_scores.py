"""Scores of complex fits are those of their real twins, in which real and imaginary parts are samples of their own."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from sparsecode import BasisPursuit, Lasso, NonconvexRegressor, OrthogonalMatchingPursuit, SparseGLM

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 30)) + 1j * rng.standard_normal((60, 30))
COEF = np.zeros(30, dtype=complex)
COEF[[3, 17]] = 2 - 1j, 1.5j
NOISE = rng.standard_normal(60) + 1j * rng.standard_normal(60)
Y = X @ COEF + (0.5 - 2j) + 0.5 * NOISE
MODELS = [Lasso(0.3), OrthogonalMatchingPursuit(n_nonzero_coefs=2), BasisPursuit(noise=8.0), SparseGLM()]


def by_parts(target, fitted, weight=None):
    """Shares of the variance of both parts, by scikit-learn."""
    both = [np.stack([values.real, values.imag], axis=1) for values in (target, fitted)]
    return r2_score(*both, sample_weight=weight, multioutput="variance_weighted")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("weight", [None, rng.uniform(0.1, 2.0, 60)], ids=["equal", "weighted"])
def test_r2_of_complex_data_is_that_of_their_parts(model, weight):
    fitted = model.fit(X, Y).predict(X)
    score = model.score(X, Y, sample_weight=weight)
    assert score == pytest.approx(by_parts(Y, fitted, weight), rel=1e-12)
    assert 0.5 < score < 1.0


def test_many_complex_targets_are_averaged():
    both = np.stack([Y, 3j * Y[::-1]], axis=1)
    model = Lasso(0.3).fit(X, both)
    fitted = model.predict(X)
    expected = np.mean([by_parts(both[:, k], fitted[:, k]) for k in range(2)])
    assert model.score(X, both) == pytest.approx(expected, rel=1e-12)


def test_real_scores_are_scikit_learns():
    model = Lasso(0.1).fit(X.real, Y.real)
    weight = rng.uniform(size=60)
    assert model.score(X.real, Y.real, weight) == r2_score(Y.real, model.predict(X.real), sample_weight=weight)


def test_a_complex_constant_scores_as_a_real_one():
    model = Lasso(0.3).fit(X, Y)
    assert model.score(X, np.full(60, 1j)) == 0.0
    assert model.score(X, model.predict(X)) == 1.0


def test_names_of_penalties_are_listed_in_one_order():
    with pytest.raises(ValueError, match="'mcp', 'scad', 'cel0', 'lq', 'log_sum', 'capped_l1', 'l0'"):
        NonconvexRegressor(penalty="MCP").fit(X.real, Y.real)
