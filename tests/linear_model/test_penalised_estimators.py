"""Estimators of one loss and one penalty against scikit-learn, cvxpy and what the solvers say."""

import pickle

import cvxpy
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as peers
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sparsecode
from sparsecode import (
    L1,
    MCP,
    ElasticNet,
    GroupL1,
    GroupLasso,
    Huber,
    HuberLasso,
    LADLasso,
    Lasso,
    MultiTaskLasso,
    NonconvexRegressor,
    SparseGLM,
    SparseGroupL1,
    SparseLogisticRegression,
    SparsePoissonRegressor,
    SquareRoot,
    SquareRootLasso,
    Status,
    WithIntercept,
    basis_pursuit,
    fista,
    ista,
    lasso,
    nonconvex_ag,
    solve,
)
from tests._peers import sparse_logistic
from tests.planted import planted


@pytest.fixture(scope="module")
def data():
    """A planted problem with means that are not zero."""
    A, y, _ = planted(60, 30, 4, noise=0.5, seed=1)
    return A + np.linspace(-1, 1, 30), y + 3.0


@pytest.fixture(scope="module")
def tasks():
    """Three targets of one support."""
    rng = np.random.default_rng(2)
    A = planted(60, 30, 4, seed=2).A + 0.5
    coef = np.zeros((30, 3))
    coef[[3, 7, 20]] = rng.standard_normal((3, 3))
    return A, A @ coef + 0.3 * rng.standard_normal((60, 3)) + [1.0, -2.0, 3.0]


def minimum(X, y, misfit, charge):
    """Coefficients and intercept that cvxpy finds."""
    coef, constant = cvxpy.Variable(X.shape[1]), cvxpy.Variable()
    cvxpy.Problem(cvxpy.Minimize(misfit(y, X @ coef + constant) + charge(coef))).solve(solver="CLARABEL")
    return coef.value, float(constant.value)


# --- against peers


@pytest.mark.parametrize("l1_ratio", [0.2, 0.8, 1.0])
@pytest.mark.parametrize("positive", [False, True])
def test_elastic_net_equals_scikit_learn(data, l1_ratio, positive):
    X, y = data
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    ours = ElasticNet(0.1, l1_ratio=l1_ratio, positive=positive, tol=1e-11).fit(X, y, sample_weight=weight)
    peer = peers.ElasticNet(0.1, l1_ratio=l1_ratio, positive=positive, tol=1e-13, max_iter=10**6)
    peer.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-5)
    assert ours.intercept_ == pytest.approx(peer.intercept_, abs=1e-5)


def test_multi_task_lasso_equals_scikit_learn(tasks):
    X, Y = tasks
    ours = MultiTaskLasso(0.1, tol=1e-11).fit(X, Y)
    peer = peers.MultiTaskLasso(0.1, tol=1e-12, max_iter=10**6).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, atol=1e-5)
    np.testing.assert_array_equal(ours.support_.any(axis=0), ours.support_.all(axis=0))


def test_binary_logistic_equals_scikit_learn(data):
    X, y = data
    label = np.where(y > np.median(y), "b", "a")
    ours = SparseLogisticRegression(0.03, fit_intercept=False, tol=1e-10).fit(X, label)
    peer = sparse_logistic(
        C=1 / (0.03 * len(y)), solver="liblinear", fit_intercept=False, tol=1e-10, max_iter=10**5
    ).fit(X, label)
    np.testing.assert_allclose(ours.coef_, peer.coef_[0], atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(ours.predict(X), peer.predict(X))
    np.testing.assert_array_equal(ours.classes_, ["a", "b"])


@pytest.mark.parametrize("quantile", [0.5, 0.8])
def test_lad_lasso_equals_scikit_learns_quantile_regression(data, quantile):
    X, y = data
    ours = LADLasso(0.05, quantile=quantile, tol=1e-9).fit(X, y)
    peer = peers.QuantileRegressor(quantile=quantile, alpha=0.05, solver="highs").fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.predict(X), peer.predict(X), atol=1e-3)


def test_square_root_lasso_is_the_lasso_at_the_strength_of_its_residual(data):
    X, y = data
    root = SquareRootLasso(0.15, tol=1e-10).fit(X, y)
    sigma = np.sqrt(np.mean((y - root.predict(X)) ** 2))
    lasso = Lasso(0.15 * sigma, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(root.coef_, lasso.coef_, atol=1e-5)
    assert root.intercept_ == pytest.approx(lasso.intercept_, abs=1e-5)


def test_the_pivotal_strength_finds_the_support_at_every_noise_level():
    from scipy.stats import norm

    A, _, coef = planted(200, 100, 4, seed=3)
    noise = np.random.default_rng(4).standard_normal(200)
    for sigma in (1e-3, 1e-1, 1.0):
        model = SquareRootLasso().fit(A, A @ coef + sigma * noise)
        np.testing.assert_array_equal(model.support_, np.flatnonzero(coef))
        assert model.alpha_ == pytest.approx(1.1 * norm.ppf(1 - 0.05 / 200) / np.sqrt(200))


@pytest.mark.parametrize(
    ("estimator", "misfit"),
    [
        (HuberLasso(0.1, delta=0.5, tol=1e-10), lambda y, z: cvxpy.sum(cvxpy.huber(y - z, 0.5)) / 2),
        (LADLasso(0.1, tol=1e-9), lambda y, z: cvxpy.norm1(y - z) / 2),
        (SquareRootLasso(0.2, tol=1e-9), lambda y, z: cvxpy.norm2(y - z) * np.sqrt(len(y))),
    ],
    ids=["huber", "absolute", "square root"],
)
def test_robust_regression_equals_cvxpy(data, estimator, misfit):
    X, y = data
    ours = clone(estimator).fit(X, y)
    coef, constant = minimum(X, y, lambda y, z: misfit(y, z) / len(y), lambda w: estimator.alpha * cvxpy.norm1(w))
    np.testing.assert_allclose(ours.coef_, coef, atol=1e-4)
    assert ours.intercept_ == pytest.approx(constant, abs=1e-3)


def test_poisson_regression_equals_cvxpy(data):
    X, _ = data
    counts = np.random.default_rng(0).poisson(np.exp(0.5 * X[:, 3] + 1))
    ours = SparsePoissonRegressor(0.1, tol=1e-10).fit(X, counts)
    coef, constant = minimum(
        X, counts, lambda y, z: cvxpy.sum(cvxpy.exp(z) - cvxpy.multiply(y, z)) / len(y), lambda w: 0.1 * cvxpy.norm1(w)
    )
    np.testing.assert_allclose(ours.coef_, coef, atol=1e-4)
    np.testing.assert_allclose(ours.predict(X), np.exp(X @ coef + constant), rtol=1e-3)


def test_the_poisson_score_is_scikit_learns_share_of_the_deviance(data):
    from sklearn.metrics import d2_tweedie_score

    X, _ = data
    counts = np.random.default_rng(0).poisson(np.exp(0.5 * X[:, 3] + 1))
    weight = np.random.default_rng(1).uniform(0, 2, len(counts))
    model = SparsePoissonRegressor(0.1).fit(X, counts)
    for weights in (None, weight):
        expected = d2_tweedie_score(counts, model.predict(X), sample_weight=weights, power=1)
        assert model.score(X, counts, weights) == pytest.approx(expected)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.4])
def test_group_lasso_equals_cvxpy(data, l1_ratio):
    X, y = data
    labels = np.arange(30) % 7
    ours = GroupLasso(0.1, groups=labels, l1_ratio=l1_ratio, tol=1e-11).fit(X, y)

    def charge(w):
        groups = [np.flatnonzero(labels == g) for g in range(7)]
        grouped = cvxpy.sum([np.sqrt(len(g)) * cvxpy.norm2(w[g]) for g in groups])
        return 0.1 * (l1_ratio * cvxpy.norm1(w) + (1 - l1_ratio) * grouped)

    coef, constant = minimum(X, y, lambda y, z: cvxpy.sum_squares(y - z) / (2 * len(y)), charge)
    np.testing.assert_allclose(ours.coef_, coef, atol=1e-4)
    assert ours.intercept_ == pytest.approx(constant, abs=1e-4)


@pytest.mark.parametrize("penalty", ["mcp", "scad", "cel0", "log_sum", "capped_l1"])
def test_nonconvex_answers_are_stationary(data, penalty):
    X, y = data
    gamma = 0.05 if penalty == "log_sum" else None
    model = NonconvexRegressor(0.2, penalty, gamma=gamma, tol=1e-8).fit(X, y)
    assert model.certificate_ <= 1e-8 and model.support_.size
    pull = (X - X.mean(axis=0)).T @ (y - model.predict(X)) / len(y)
    size = np.abs(model.coef_[model.support_])
    slope = {
        "mcp": np.maximum(0.2 - size / 3.0, 0),
        "scad": np.where(size <= 0.2, 0.2, np.clip((3.7 * 0.2 - size) / 2.7, 0, None)),
        "log_sum": 0.2 / (size + 0.05),
        "capped_l1": np.where(size < 1.0, 0.2, 0.0),
    }.get(penalty)
    if slope is not None:
        np.testing.assert_allclose(pull[model.support_] * np.sign(model.coef_[model.support_]), slope, atol=1e-6)


def test_gamma_reaches_the_shape_of_each_penalty(data):
    X, y = data
    for name, field in (
        ("mcp", "gamma"),
        ("scad", "a"),
        ("cel0", "curvature"),
        ("lq", "q"),
        ("log_sum", "epsilon"),
        ("capped_l1", "cap"),
    ):
        gamma = 0.6 if name == "lq" else 5.0
        assert getattr(NonconvexRegressor(0.2, name, gamma=gamma)._penalty(0.2), field) == gamma
    with pytest.raises(ValueError, match="gamma=1.0 has no meaning for penalty='l0'"):
        NonconvexRegressor(0.2, "l0", gamma=1.0).fit(X, y)
    with pytest.raises(ValueError, match=r"SCAD\.a must be a finite number greater than 2"):
        NonconvexRegressor(0.2, "scad", gamma=1.5).fit(X, y)


# --- what all share


EVERY = [
    Lasso(0.1),
    ElasticNet(0.1),
    MultiTaskLasso(0.1),
    GroupLasso(0.1, groups=3),
    SquareRootLasso(0.2),
    HuberLasso(0.1),
    SparsePoissonRegressor(0.1),
    NonconvexRegressor(0.2),
    SparseGLM(Huber(1.0), MCP(0.2)),
]
every = pytest.mark.parametrize("estimator", EVERY, ids=lambda model: type(model).__name__)


@every
def test_debiasing_keeps_the_support_and_undoes_the_penalty(data, estimator):
    X, y = data
    y = np.abs(y) if isinstance(estimator, SparsePoissonRegressor) else y
    model = clone(estimator).set_params(debias=True, tol=1e-9, max_iter=100_000).fit(X, y)
    plain = clone(estimator).set_params(tol=1e-9, max_iter=100_000).fit(X, y)
    np.testing.assert_array_equal(model.support_, plain.support_)
    np.testing.assert_array_equal(np.flatnonzero(model.coef_), model.support_)
    assert 0 < model.support_.size < 30
    loss = model._loss()
    fitted = model._linear(X)
    slope = loss.gradient(y, fitted, 1.0 / len(y))
    assert np.abs(X[:, model.support_].T @ slope).max() < 1e-5 and abs(slope.sum()) < 1e-6
    assert np.all(np.asarray(model.certificate_) == plain.certificate_)


@every
def test_a_warm_start_begins_where_the_last_fit_ended(data, estimator):
    X, y = data
    y = np.abs(y) if isinstance(estimator, SparsePoissonRegressor) else y
    model = clone(estimator).set_params(warm_start=True).fit(X, y)
    assert model.n_iter_ > 0 and model.fit(X, y).n_iter_ == 0


@every
def test_no_penalty_is_warned_about(data, estimator):
    X, y = data
    y = np.abs(y) if isinstance(estimator, SparsePoissonRegressor) else y
    name = "penalty__alpha" if isinstance(estimator, SparseGLM) else "alpha"
    with pytest.warns(RuntimeWarning, match=r"alpha=0 leaves the fit without a penalty.*use sklearn\.linear_model"):
        model = clone(estimator).set_params(**{name: 0.0, "tol": 1e-6}).fit(X, y)
    slope = model._loss().gradient(y, model._linear(X), 1.0 / len(y))
    assert np.abs(X.T @ slope).max() < 1e-3


def test_the_warning_says_whether_scaling_the_features_would_help(data):
    X, y = data
    with pytest.warns(ConvergenceWarning, match=r"gap \d.*tolerance 0.*within a factor of .*would not help"):
        HuberLasso(0.01, tol=0.0, max_iter=2).fit(X - X.mean(axis=0), y)
    with pytest.warns(ConvergenceWarning, match=r"differ by a factor of .*e\+0.*scaling the features would help"):
        HuberLasso(0.01, tol=0.0, max_iter=2).fit(X * np.geomspace(1, 1e4, 30), y)


@pytest.mark.parametrize(
    "run",
    [
        lambda X, y: fista(X, y, penalty=L1(0.01), max_iter=2, tol=0.0),
        lambda X, y: ista(X, y, penalty=L1(0.01), max_iter=2, tol=0.0),
        lambda X, y: nonconvex_ag(X, y, penalty=MCP(0.01), max_iter=2, tol=0.0),
        lambda X, y: lasso(X, y, 0.001, max_iter=1, tol=0.0),
        lambda X, y: basis_pursuit(X[:5], y[:5], max_iter=1, tol=0.0),
    ],
    ids=["fista", "ista", "nonconvex_ag", "lasso", "basis_pursuit"],
)
def test_functions_say_it_too_and_advise_nothing_else(data, run):
    X, y = data
    for scales, word in ((np.ones(30), "would not help"), (np.geomspace(1e-2, 1e2, 30), "would help")):
        with pytest.warns(ConvergenceWarning, match=word) as caught:
            result = run(X / np.linalg.norm(X[:5], axis=0) * scales, y)
        assert len(caught) == 1
        assert str(caught[0].message).count("max_iter") == 1
        assert result.status is Status.MAX_ITER and not result.reason


def test_excluding_every_feature_is_refused(data):
    X, y = data
    for penalty in (GroupL1(0.1, 15, (np.inf, np.inf)), SparseGroupL1(0.1, 15, 0.5, (np.inf, np.inf))):
        with pytest.raises(
            ValueError, match=r"GroupL1\.weights are infinite for every group.*give some a finite weight"
        ):
            solve(X, y, penalty=penalty)
    for estimator in (Lasso(), HuberLasso(), SparseGLM()):
        with pytest.raises(ValueError, match="penalty_weights are infinite for every feature"):
            clone(estimator).set_params(penalty_weights=np.full(30, np.inf)).fit(X, y)


def test_negative_counts_are_refused(data):
    X, y = data
    with pytest.raises(ValueError, match="Poisson needs counts in y, never negative"):
        SparsePoissonRegressor().fit(X, y - 100)


def test_the_method_can_be_named(data):
    X, y = data
    named = HuberLasso(0.1, solver="fista", tol=1e-9).fit(X, y)
    np.testing.assert_allclose(named.coef_, HuberLasso(0.1, tol=1e-9).fit(X, y).coef_, atol=1e-5)
    with pytest.raises(ValueError, match="solver must be 'auto' or one of"):
        HuberLasso(0.1, solver="magic").fit(X, y)


def test_estimators_pose_what_solve_is_given(data):
    X, y = data
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    model = HuberLasso(0.1, delta=0.7, tol=1e-9).fit(X, y, sample_weight=weight)
    result = solve(X, y, WithIntercept(Huber(0.7)), sparsecode.L1(0.1), sample_weight=weight, tol=1e-9)
    np.testing.assert_allclose(model.coef_, result.coef, atol=1e-6)
    assert model.intercept_ == pytest.approx(float(result.intercept), abs=1e-6)


def test_pipelines_and_names_of_columns(data):
    pd = pytest.importorskip("pandas")
    X, y = data
    frame = pd.DataFrame(X, columns=[f"feature {j}" for j in range(30)])
    for estimator in (ElasticNet(0.1), HuberLasso(0.1), SquareRootLasso(0.2)):
        model = clone(estimator).fit(frame, y)
        assert list(model.feature_names_in_) == list(frame.columns)
        with pytest.raises(ValueError, match="feature names"):
            model.predict(frame.rename(columns={"feature 0": "other"}))
        piped = make_pipeline(StandardScaler(), clone(estimator)).fit(frame, y)
        assert piped.score(frame, y) > 0.5


@pytest.mark.parametrize("make", [sp.csc_array, sp.csr_matrix])
def test_sparse_designs_give_the_dense_fit(make):
    rng = np.random.default_rng(0)
    X = sp.random(150, 60, density=0.1, random_state=rng, data_rvs=lambda size: rng.uniform(1, 2, size))
    y = X.toarray() @ (rng.standard_normal(60) * (rng.uniform(size=60) < 0.1)) + 2.0
    for estimator in (ElasticNet(0.01, tol=1e-10), HuberLasso(0.01, tol=1e-10), SquareRootLasso(0.2, tol=1e-9)):
        dense, other = clone(estimator).fit(X.toarray(), y), clone(estimator).fit(make(X), y)
        np.testing.assert_allclose(other.coef_, dense.coef_, atol=1e-4)
        assert other.intercept_ == pytest.approx(dense.intercept_, abs=1e-4)


# --- any pair


def test_fields_of_loss_and_penalty_are_parameters():
    model = SparseGLM(Huber(1.0), MCP(0.2, gamma=4.0))
    params = model.get_params()
    assert params["loss__delta"] == 1.0 and params["penalty__alpha"] == 0.2 and params["penalty__gamma"] == 4.0
    model.set_params(loss__delta=2.0, penalty__alpha=0.3)
    assert model.loss == Huber(2.0) and model.penalty == MCP(0.3, gamma=4.0)
    model.set_params(penalty=sparsecode.L1(1.0), penalty__alpha=0.5)
    assert model.penalty == sparsecode.L1(0.5)
    with pytest.raises(ValueError, match="MCP has the fields alpha, gamma, positive"):
        SparseGLM(penalty="mcp").set_params(penalty__beta=1)
    twin = clone(model)
    assert twin.loss == model.loss and twin.penalty == model.penalty
    assert pickle.loads(pickle.dumps(model)).penalty == model.penalty


def test_strength_and_loss_are_searched_on_a_grid(data):
    X, y = data
    grid = {"penalty__alpha": [10.0, 0.1], "loss__delta": [0.5, 2.0]}
    search = GridSearchCV(SparseGLM(Huber(1.0)), grid, cv=3).fit(X, y)
    assert search.best_params_["penalty__alpha"] == 0.1
    assert search.best_estimator_.loss.delta == search.best_params_["loss__delta"]
    piped = GridSearchCV(make_pipeline(StandardScaler(), SparseGLM()), {"sparseglm__penalty__alpha": [10.0, 0.1]}, cv=3)
    assert piped.fit(X, y).best_params_ == {"sparseglm__penalty__alpha": 0.1}


def test_pairs_by_name_and_by_object_agree(data):
    X, y = data
    named = SparseGLM("huber", "mcp").set_params(penalty__alpha=0.2).fit(X, y)
    given = SparseGLM(Huber(), MCP(0.2)).fit(X, y)
    np.testing.assert_array_equal(named.coef_, given.coef_)
    for loss in ("hubert", 3, Huber, WithIntercept(Huber())):
        with pytest.raises(ValueError, match="loss"):
            SparseGLM(loss).fit(X, y)
    with pytest.raises(ValueError, match="penalty must be one of"):
        SparseGLM(penalty="l7").fit(X, y)


def test_predictions_follow_the_link_of_the_loss(data):
    X, y = data
    label = np.where(y > 3, 1.0, -1.0)
    logistic = SparseGLM("logistic").set_params(penalty__alpha=0.02).fit(X, label)
    peer = SparseLogisticRegression(0.02).fit(X, label)
    np.testing.assert_allclose(logistic.predict(X), peer.predict_proba(X)[:, 1], atol=1e-6)
    classes = np.digitize(y, [2.0, 4.0])
    multinomial = SparseGLM("multinomial").set_params(penalty__alpha=0.02).fit(X, np.eye(3)[classes])
    peer = SparseLogisticRegression(0.02).fit(X, classes)
    np.testing.assert_allclose(multinomial.predict(X), peer.predict_proba(X), atol=1e-6)
    assert 0 < multinomial.score(X, np.eye(3)[classes]) < 1
    root = SparseGLM(SquareRoot()).set_params(penalty__alpha=0.2).fit(X, y)
    np.testing.assert_allclose(root.predict(X), SquareRootLasso(0.2).fit(X, y).predict(X), atol=1e-4)


def test_the_score_of_the_squared_loss_is_r_squared(data, tasks):
    from sklearn.metrics import r2_score

    for X, y in (data, tasks):
        model = SparseGLM().fit(X, y)
        assert model.score(X, y) == pytest.approx(r2_score(y, model.predict(X)))
