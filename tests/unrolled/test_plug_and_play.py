"""PlugAndPlay: the Lasso and other penalties by their own solvers, stationarity by an independent root finder, descent, ways to fail."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.optimize import root
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV

from sparsecode import MCP, Box, Lasso, LearnedProximalNetwork, NonconvexRegressor, PlugAndPlay
from sparsecode.networks import ConvexNetwork
from sparsecode.solvers.proximal import forward_backward
from sparsecode.unrolled._learned_penalty import LearnedPenalty


def threshold(slope=1.0):
    """The penalty of ``y -> slope * soft(y, 1)``: the modulus at slope 1, falling like a square above."""
    network = ConvexNetwork(1, 2, 1, np.random.RandomState(0), leak=0.0)
    parts = [[[1.0], [-1.0]], [-1.0, -1.0], [[0.0]], [0.0], [[slope / 2, slope / 2]], [0.0]]
    network.parameters = [np.array(part) for part in parts]
    return LearnedPenalty(1.0, network)


def bent(noise=0.5):
    """A penalty of pairs that is not convex, but bounded below."""
    random = np.random.RandomState(0)
    network = ConvexNetwork(2, 8, 2, random, leak=0.0, sharpness=3.0)
    for part in network.parameters[:-1]:
        part += 0.4 * random.standard_normal(part.shape)
    network.parameters[-2] *= 0.5
    network.parameters[-1][:] = 0.2
    network.project()
    return LearnedPenalty(1.0, network, noise)


def problem(n=14, m=8, seed=3):
    random = np.random.default_rng(seed)
    A = random.standard_normal((n, m)) * np.linspace(0.6, 1.4, m)
    return A, A @ random.standard_normal(m) * 2 + 1.5 + 0.1 * random.standard_normal(n), random.uniform(0.5, 2, n)


@pytest.mark.parametrize("denoiser", [None, threshold()])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_l1_norm_and_the_network_that_is_its_prox_give_the_lasso(denoiser, fit_intercept):
    A, y, weight = problem()
    lasso = Lasso(0.3, fit_intercept=fit_intercept, tol=1e-12).fit(A, y, weight)
    model = PlugAndPlay(denoiser, 0.3, fit_intercept=fit_intercept, tol=1e-9).fit(A, y, weight)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, lasso.intercept_, atol=1e-6)
    assert model.status_.name == "CONVERGED"
    assert ("gap" in model.result_.certificate_name) == (denoiser is None)


def test_other_penalties_take_its_strength_and_constraints_have_none():
    A, y, _ = problem()
    mcp = NonconvexRegressor(0.3, "mcp", gamma=3.0, solver="ista", tol=1e-9).fit(A, y)
    np.testing.assert_allclose(PlugAndPlay(MCP(9.0, 3.0), 0.3, tol=1e-9).fit(A, y).coef_, mcp.coef_, atol=1e-8)
    boxed = PlugAndPlay(Box(0.0, 1.0), tol=1e-9).fit(A, y).coef_
    assert boxed.min() == 0.0
    assert boxed.max() == 1.0


@pytest.mark.parametrize("alpha", [0.05, 0.3, 10.0])
def test_the_objective_never_rises_and_the_end_is_stationary(alpha, monkeypatch):
    """Whether the step is one over the curvature (small alpha) or the longest that the prox allows (large alpha)."""
    monkeypatch.setattr(forward_backward, "_CERTIFY_EVERY", 1)
    (A, y, weight), penalty = problem(), bent()
    model = PlugAndPlay(penalty, alpha, tol=1e-7).fit(A, y, weight)
    objective = np.array(model.result_.history["objective"])[1:]  # zero may be outside the range of the prox
    assert len(objective) > 10
    assert np.all(np.diff(objective) <= 1e-12 * np.abs(objective[:-1]) + 1e-13)
    assert model.status_.name == "CONVERGED"
    assert model.certificate_ <= 1e-7

    share = weight / weight.sum()
    left = y - A @ model.coef_ - model.intercept_
    assert abs(share @ left) < 1e-9
    own = 0.5 * share @ left**2 + float(penalty._replace(alpha=alpha).value(model.coef_))
    assert model.result_.objective == pytest.approx(own, rel=1e-8)
    for block in range(4):  # the subgradient of R at w is f^-1(w) - w
        w = model.coef_[2 * block : 2 * block + 2]
        pull = (A.T @ (share * left))[2 * block : 2 * block + 2]
        there = root(lambda p, w=w: 0.5 * penalty.network.gradient(p[None] / 0.5)[0] - w, w, tol=1e-13)
        assert np.linalg.norm(there.fun) < 1e-9
        np.testing.assert_allclose(pull, alpha * (there.x - w), atol=1e-5)


def test_moves_lower_the_objective_by_what_the_notes_say():
    (A, y, _), penalty, alpha = problem(), bent(), 8.0
    largest = np.linalg.norm(A, 2) ** 2 / len(A)
    assert largest < alpha  # so that steps are 1 / alpha
    model = PlugAndPlay(penalty, alpha, fit_intercept=False, tol=1e-8, warm_start=True)
    coefs, objectives = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(30):
            model.set_params(max_iter=1).fit(A, y)
            coefs.append(model.result_.coef)
            value = float(penalty._replace(alpha=alpha).value(model.coef_))
            objectives.append(value + 0.5 * np.mean((y - A @ model.coef_) ** 2))
    moved = np.sum(np.diff(coefs, axis=0) ** 2, axis=1)
    assert moved[0] > 1e-3
    assert np.all(-np.diff(objectives) >= 0.5 * (alpha - largest) * moved - 1e-12)


def test_blocks_are_fitted_one_by_one_where_the_design_allows():
    random, penalty = np.random.default_rng(0), bent()
    A, y = random.standard_normal((6, 2)), random.standard_normal((6, 3))
    whole = PlugAndPlay(penalty, 0.1 / 3, fit_intercept=False, tol=1e-10).fit(np.kron(np.eye(3), A), y.T.ravel())
    parts = PlugAndPlay(penalty, 0.1, fit_intercept=False, tol=1e-10).fit(A, y)
    np.testing.assert_allclose(whole.coef_, parts.coef_.ravel(), atol=1e-6)
    with pytest.raises(ValueError, match="blocks of 2 coefficients, but there are 3"):
        PlugAndPlay(penalty).fit(np.eye(3), np.ones(3))


def test_an_objective_without_a_minimum_is_said_to_have_none():
    """From a prox of slope 1.5 far out, R(x) = |x| - x^2 / 6, which the data hold while alpha / 3 is less than their curvature 1 / 2."""
    held = PlugAndPlay(threshold(1.5), 1.2, fit_intercept=False).fit(np.eye(2), np.full(2, 40.0))
    np.testing.assert_allclose(held.coef_, (40 / 2 - 1.2) / (0.5 - 1.2 / 3), rtol=1e-4)
    assert held.status_.name == "CONVERGED"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = PlugAndPlay(threshold(1.5), 5.0, fit_intercept=False).fit(np.eye(2), np.full(2, 40.0))
    assert model.status_.name == "DIVERGED"
    assert [each.category for each in caught] == [ConvergenceWarning]
    assert "the objective fell without bound" in str(caught[0].message)
    assert np.all(np.isfinite(model.coef_))


def test_a_fitted_network_stays_fitted():
    random = np.random.default_rng(0)
    network = LearnedProximalNetwork(1.0, width=8, pretrain_steps=30, n_steps=30, random_state=0)
    A, y, _ = problem(24, 4)
    with pytest.raises(NotFittedError):
        PlugAndPlay(network).fit(A, y)
    network.fit(random.laplace(size=(500, 2)))
    model = PlugAndPlay(network, 0.3, tol=1e-4).fit(A, y)
    again = PlugAndPlay(network.penalty(), 0.3, tol=1e-4).fit(A, y)
    np.testing.assert_array_equal(again.coef_, model.coef_)
    for twin in (clone(model), clone(again), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin.fit(A, y).coef_, model.coef_)
    search = GridSearchCV(model, {"alpha": [0.3, 50.0]}, cv=2).fit(A, y)
    assert search.best_params_ == {"alpha": 0.3}
    assert clone(model).denoiser is network
    assert model.fit(A.astype(np.float32), y.astype(np.float32)).coef_.dtype == np.float32


@pytest.mark.parametrize("denoiser", ["l1", np.tanh, MCP])
def test_what_is_no_prox_is_refused(denoiser):
    with pytest.raises(ValueError, match="denoiser must be a fitted LearnedProximalNetwork or a penalty"):
        PlugAndPlay(denoiser).fit(np.eye(3), np.ones(3))
