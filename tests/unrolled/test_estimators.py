"""What a user meets: codes with certificates, the solver that goes on, other namespaces, searches and pipelines, and clear errors."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sparsecode import L1, Status, UnrolledFISTA, UnrolledIHT, UnrolledISTA, fista, iht
from sparsecode._array import to_numpy
from tests._backends import FOREIGN, namespace, put

RNG = np.random.default_rng(3)
ATOMS = RNG.standard_normal((20, 10)) / np.sqrt(10)
CODES = (RNG.random((200, 20)) < 0.1) * RNG.standard_normal((200, 20))
X = CODES @ ATOMS + 0.02 * RNG.standard_normal((200, 10))
QUICK = {"n_layers": 3, "steps_per_layer": 10, "max_iter": 40, "tol": 0.01, "n_iter_no_change": 1, "random_state": 0}
MODELS = {
    "ista": (UnrolledISTA, {"alpha": 0.1}),
    "fista": (UnrolledFISTA, {"alpha": 0.1}),
    "coupled": (UnrolledISTA, {"alpha": 0.1, "weights": "coupled"}),
    "l0": (UnrolledIHT, {"alpha": 0.02}),
    "count": (UnrolledIHT, {"n_nonzero_coefs": 2}),
}
every_model = pytest.mark.parametrize("name", MODELS)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fitted(name, data=X, codes=None, **more):
    kind, settings = MODELS[name]
    return kind(ATOMS, **{**QUICK, **settings, **more}).fit(data, codes)


@every_model
def test_encode_gives_the_codes_and_their_objective(name):
    model = fitted(name)
    result = model.encode(X)
    np.testing.assert_array_equal(result.coef, model.transform(X))
    assert result.certificate.shape == (200,) and result.n_iter == model.n_layers and "(no tolerance)" in repr(result)
    assert np.max(result.certificate) == pytest.approx(model.certificate_, rel=1e-6)
    penalty = {"l0": 0.02 * np.count_nonzero(result.coef, axis=1), "count": 0.0}.get(
        name, 0.1 * np.abs(result.coef).sum(axis=1)
    )
    misfit = 0.5 * np.sum((X - result.coef @ ATOMS) ** 2, axis=1)
    np.testing.assert_allclose(result.objective, misfit + penalty, rtol=1e-9)


def test_the_gap_is_that_of_the_lasso():
    model = fitted("ista")
    result = model.encode(X[:20])
    for x, objective, gap in zip(X, result.objective, result.certificate, strict=False):
        least = 10 * fista(ATOMS.T, x, penalty=L1(0.01), tol=1e-12).objective
        assert objective - least <= gap * 0.5 * np.sum(x**2) + 1e-9  # a gap bounds what could be gained
        assert objective >= least - 1e-9


@every_model
def test_the_solver_goes_on_from_the_layers_to_its_certificate(name):
    model = fitted(name)
    solver = model.to_solver()
    stopped = solver(X[0], max_iter=1, tol=1e9)  # accepts where the layers end
    np.testing.assert_allclose(stopped.coef, model.transform(X[:1])[0], rtol=1e-10, atol=1e-12)
    assert stopped.n_iter == 0
    result = solver(X[:5].T, tol=1e-9, max_iter=100_000)
    assert result.status is Status.CONVERGED and result.coef.shape == (20, 5)
    if name in ("ista", "fista", "coupled"):  # the minimum does not depend on where one starts
        expected = fista(ATOMS.T, X[:5].T, penalty=L1(0.01), tol=1e-9)
        np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-7)
    elif name == "count":
        start = model.transform(X[:5]).T
        expected = iht(ATOMS.T, X[:5].T, 2, step="fixed", init=start, tol=1e-9, max_iter=100_000)
        np.testing.assert_array_equal(result.coef, expected.coef)


@pytest.mark.parametrize("backend", FOREIGN)
@pytest.mark.parametrize("name", ["fista", "coupled", "count"])
def test_other_namespaces_are_trained_and_coded_where_they_are(backend, name):
    xp = namespace(backend)
    here, there = fitted(name, codes=CODES), fitted(name, put(X, backend), put(CODES, backend))
    np.testing.assert_allclose(there.steps_, here.steps_, rtol=1e-6)
    codes = there.transform(put(X, backend))
    assert type(codes) is type(xp.asarray([0.0]))
    np.testing.assert_allclose(to_numpy(codes), here.transform(X), rtol=1e-5, atol=1e-7)
    assert there.score(put(X, backend)) == pytest.approx(here.score(X), rel=1e-6)
    solved = there.to_solver()(put(np.ascontiguousarray(X[0]), backend), tol=1e9)
    np.testing.assert_allclose(to_numpy(solved.coef), here.transform(X[:1])[0], rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match="expecting 10 features"):
        there.transform(put(X[:, :9].copy(), backend))
    with pytest.raises(ValueError, match="NaN"):
        fitted(name, put(np.where(X > 1, np.nan, X), backend))


@every_model
def test_single_precision_stays_single_and_near_double(name):
    double, single = fitted(name), fitted(name, X.astype(np.float32))
    codes = single.transform(X.astype(np.float32))
    assert codes.dtype == np.float32 and single.components_.dtype == np.float32
    assert np.mean(np.abs(codes - double.transform(X)) > 1e-3) < 0.01  # a code at a threshold may fall on either side


def test_sparse_output_and_memory_maps(tmp_path):
    model = fitted("ista", sparse_output=True)
    np.save(tmp_path / "x.npy", X)
    codes = model.transform(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert sp.issparse(codes) and codes.format == "csr"
    np.testing.assert_array_equal(codes.toarray(), model.set_params(sparse_output=False).transform(X))
    np.testing.assert_allclose(model.inverse_transform(codes), codes @ ATOMS)


def test_a_search_needs_no_scoring_and_a_pipeline_may_hand_on_labels():
    search = GridSearchCV(UnrolledISTA(ATOMS, **QUICK), {"n_layers": [1, 4]}, cv=2).fit(X, CODES)
    assert search.best_params_ == {"n_layers": 4}
    labels = (CODES[:, 0] + CODES[:, 1] > 0).astype(int)
    pipeline = make_pipeline(UnrolledISTA(ATOMS, **QUICK), LogisticRegression()).fit(X, labels)
    assert pipeline[0].loss_ == "objective" and pipeline.score(X, labels) > 0.6


def test_pickles_give_the_same_codes():
    model = fitted("coupled", codes=CODES)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), model.transform(X))


@pytest.mark.parametrize(
    "estimator, arguments, said",
    [
        (UnrolledISTA(ATOMS, weights="free", thresholds="tied"), (X,), "thresholds='tied' has no meaning"),
        (UnrolledIHT(ATOMS, alpha=0.1, n_nonzero_coefs=2), (X,), "two problems"),
        (UnrolledIHT(ATOMS, alpha=0.1, weights="free"), (X,), "give n_nonzero_coefs"),
        (UnrolledISTA(ATOMS, support_selection=(0.1, 2.0)), (X,), "support_selection"),
        (UnrolledISTA(ATOMS), (X, CODES[:, :3]), r"y has shape \(200, 3\)"),
        (UnrolledISTA(ATOMS), (X, np.where(CODES > 0, np.nan, CODES)), "y contains NaN"),
        (UnrolledISTA(ATOMS), (X[:, :4],), "atoms are rows of the same length"),
        (UnrolledISTA(ATOMS, alpha=-1.0), (X,), "alpha"),
        (UnrolledISTA(ATOMS, checkpoint="no/such/folder"), (X,), "there is no folder"),
    ],
)
def test_bad_input_is_named(estimator, arguments, said):
    with pytest.raises(ValueError, match=said):
        estimator.fit(*arguments)
    assert not hasattr(estimator, "components_") and not hasattr(estimator, "n_nonzero_coefs_")


def test_a_failed_refit_leaves_the_old_fit():
    model = fitted("ista")
    before = model.transform(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 1, np.nan, X))
    np.testing.assert_array_equal(model.transform(X), before)


def test_signals_of_zeros_have_codes_of_zeros():
    model = UnrolledISTA(ATOMS, **QUICK).fit(np.zeros((30, 10)))
    np.testing.assert_array_equal(model.transform(np.zeros((3, 10))), 0.0)
    assert model.alpha_ == 1.0 and model.certificate_ == 0.0


def test_names_of_features_do_not_outlive_their_data():
    pandas = pytest.importorskip("pandas")
    model = fitted("ista", pandas.DataFrame(X, columns=list("abcdefghij")), max_iter=1)
    model.fit(put(X, "array_api_strict"))
    assert model.n_features_in_ == 10 and not hasattr(model, "feature_names_in_")


@every_model
def test_the_solver_is_told_in_a_line(name):
    text = repr(fitted(name).to_solver())
    assert text.startswith("LearnedSolver(") and "atoms.shape=(" in text and "array" not in text and len(text) < 120
