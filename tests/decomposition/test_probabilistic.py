"""ProbabilisticSparseCoding: planted causes found again, gaps filled in, codes in both forms, errors that name what is wrong."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sparsecode import ProbabilisticSparseCoding, Status
from sparsecode.datasets import make_bars
from sparsecode.metrics import dictionary_recovery
from sparsecode.solvers.probabilistic import Truncation, posterior
from tests.solvers.probabilistic.naive_causes import enumerate_states

ALL_MODELS = ("binary", "ternary", "discrete", "maximal", "maximum_magnitude", "spike_slab")


def bars_for(model, n_samples=400, seed=0, size=4):
    """Bars as the model makes them."""
    values = {"ternary": (-1.0, 1.0), "discrete": (1.0, 2.0)}.get(model, (1.0,))
    overlap = {"maximal": "max", "maximum_magnitude": "magnitude"}.get(model, "sum")
    return make_bars(n_samples, size, values=values, overlap=overlap, random_state=seed)


def learner_for(model, **parameters):
    """An estimator of the eight bars."""
    return ProbabilisticSparseCoding(8, model=model, random_state=1, **({"n_init": 1, "n_annealing": 60} | parameters))


def near(bars):
    """Components to start with, not far from the bars."""
    noise = np.random.default_rng(0).standard_normal(bars.components.shape)
    return {"dict_init": np.maximum(bars.components + 2.0 * noise, 0.0), "n_annealing": 15, "temperature": 1.0}


def assert_found(learner, bars):
    """Every bar, how often it appears, and the noise."""
    assert learner.status_ is Status.CONVERGED
    assert dictionary_recovery(bars.components, learner.components_, threshold=0.98, signed=True) == 1.0
    np.testing.assert_allclose(np.sum(learner.prior_), np.mean(bars.states != 0), rtol=0.1)
    np.testing.assert_allclose(np.sqrt(learner.noise_variance_), np.std(bars.data - bars.clean), rtol=0.1)


@pytest.mark.parametrize("model", ["binary", "maximal"])
def test_planted_causes_are_found_from_random_starts(model):
    bars = make_bars(400, 5, noise=2.0, overlap="sum" if model == "binary" else "max", random_state=1)
    learner = ProbabilisticSparseCoding(10, model=model, n_init=2, n_annealing=60, random_state=1).fit(bars.data)
    assert_found(learner, bars)


@pytest.mark.parametrize("model", ["binary", "discrete", "maximal", "maximum_magnitude"])
def test_planted_causes_are_found_from_near_by(model):
    bars = bars_for(model)
    assert_found(learner_for(model, **near(bars)).fit(bars.data), bars)


def test_the_start_that_explains_all_rows_best_is_kept():
    """A free energy is that of the rows that a fit kept, so the best one can be that of a fit which explains the others worst."""
    X = make_bars(60, 3, activity=0.35, noise=1.5, random_state=0).data
    ends = []

    def watch(progress):
        if progress.iteration == 22:
            everything = posterior(X, progress.model, Truncation(6, 2)).log_evidence
            ends.append((progress.free_energy, np.mean(everything)))

    learner = ProbabilisticSparseCoding(
        6, n_candidates=6, max_active=2, n_init=5, n_annealing=12, temperature=5.0, max_iter=22, tol=None,
        callback=watch, random_state=0,
    ).fit(X)  # fmt: skip
    energies, evidences = np.transpose(ends)
    assert np.argmax(energies) != np.argmax(evidences)
    assert learner.score(X) == pytest.approx(max(evidences), rel=1e-10)


def test_the_codes_are_the_planted_states():
    bars = bars_for("binary")
    learner = learner_for("binary", code="map", **near(bars)).fit(bars.data)
    order = np.argmax(bars.components @ learner.components_.T, axis=1)
    found = learner.transform(bars.data)[:, order]
    assert np.mean(found == bars.states) > 0.995  # a few images have five bars or more


@pytest.mark.parametrize("model", ALL_MODELS)
def test_codes_scores_and_reconstructions_are_those_of_the_posterior(model):
    X = bars_for(model, 50).data
    X[0, 2] = X[3, 4] = np.nan
    learner = learner_for(model, n_annealing=5, max_iter=6, tol=None).fit(X)
    expected = posterior(X, learner.model_, Truncation(8, 4))
    np.testing.assert_allclose(learner.transform(X), expected.mean, atol=1e-4 * np.max(np.abs(expected.mean)))
    np.testing.assert_allclose(learner.reconstruct(X), expected.reconstruction, rtol=1e-12)
    np.testing.assert_array_equal(learner.score_samples(X), expected.log_evidence)
    assert learner.score(X) == pytest.approx(np.mean(expected.log_evidence))
    np.testing.assert_array_equal(learner.set_params(code="map").transform(X), expected.likeliest)
    if not model.startswith("max"):
        clean = learner.inverse_transform(expected.mean)
        np.testing.assert_allclose(clean, expected.reconstruction, atol=1e-10 * np.max(np.abs(clean)))


@pytest.mark.parametrize("code", ["mean", "map"])
def test_sparse_codes_equal_dense_ones(code):
    X = bars_for("binary").data
    learner = learner_for("binary", code=code, dict_init=bars_for("binary").components, n_annealing=0).fit(X)
    dense = learner.transform(X)
    sparse = learner.set_params(sparse_output=True).transform(X)
    assert isinstance(sparse, sp.csr_matrix) and sparse.nnz < 0.6 * dense.size
    np.testing.assert_array_equal(sparse.toarray(), dense)
    np.testing.assert_allclose(learner.inverse_transform(sparse), learner.inverse_transform(dense))


@pytest.mark.parametrize("model", ["binary", "maximal"])
def test_missing_entries_are_filled_in(model):
    bars = bars_for(model)
    gaps = np.random.default_rng(0).random(bars.data.shape) < 0.2
    X = np.where(gaps, np.nan, bars.data)
    learner = learner_for(model, **near(bars)).fit(X)
    assert dictionary_recovery(bars.components, learner.components_, threshold=0.98) == 1.0
    np.testing.assert_allclose(learner.noise_variance_, 1.0, rtol=0.1)
    filled = learner.reconstruct(X)
    error = np.sqrt(np.mean((filled - bars.clean)[gaps] ** 2))
    assert error < 0.35 * np.sqrt(np.mean((bars.clean - np.nanmean(X, axis=0))[gaps] ** 2))


def test_the_likeliest_code_is_that_of_enumeration():
    X = bars_for("discrete", 40, size=2).data
    learner = ProbabilisticSparseCoding(4, model="discrete", code="map", random_state=0, max_iter=60, tol=None).fit(X)
    for signal, code in zip(X[:10], learner.transform(X[:10]), strict=True):
        exact = enumerate_states(learner.model_, signal)
        np.testing.assert_array_equal(code, exact.states[np.argmax(exact.chances)])


def test_values_are_learned_up_to_their_scale():
    bars = make_bars(600, 4, values=(1.0, 3.0), random_state=0)
    start = bars.components + np.random.default_rng(0).standard_normal(bars.components.shape)
    parameters = {"values": (1.0, 2.0), "learn_values": True, "dict_init": start, "n_annealing": 0}
    learner = learner_for("discrete", **parameters).fit(bars.data)
    assert dictionary_recovery(bars.components, learner.components_, threshold=0.98) == 1.0
    np.testing.assert_allclose(np.max(learner.values_), 2.0)
    np.testing.assert_allclose(np.min(learner.values_), 2.0 / 3.0, rtol=0.05)


def test_a_full_slab_covariance_is_learned():
    rng = np.random.default_rng(0)
    W = np.linalg.qr(rng.standard_normal((8, 4)))[0].T
    covariance = np.array([[4.0, 3.0, 0, 0], [3.0, 4.0, 0, 0], [0, 0, 4.0, -3.0], [0, 0, -3.0, 4.0]])
    z = rng.multivariate_normal(np.full(4, 3.0), covariance, size=3000)
    X = ((rng.random((3000, 4)) < 0.5) * z) @ W + 0.1 * rng.standard_normal((3000, 8))
    parameters = {"dict_init": W, "n_annealing": 0, "max_iter": 400, "tol": 1e-3, "slab_covariance": "full"}
    learner = ProbabilisticSparseCoding(4, model="spike_slab", **parameters).fit(X)
    np.testing.assert_allclose(learner.slab_covariance_, covariance, atol=0.5)
    np.testing.assert_allclose(learner.slab_mean_, 3.0, atol=0.3)


def test_a_memory_map_gives_the_same_fit(tmp_path):
    X = bars_for("binary", 300).data
    X[5, 3] = np.nan
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    one, other = (learner_for("binary", max_iter=20, tol=None).fit(data) for data in (X, mapped))
    np.testing.assert_array_equal(one.components_, other.components_)
    np.testing.assert_array_equal(one.transform(X), other.transform(mapped))


def test_a_start_is_where_the_fit_starts():
    bars = bars_for("binary")
    learner = learner_for("binary", dict_init=bars.components, n_annealing=0, max_iter=200).fit(bars.data)
    assert learner.n_iter_ < 50
    np.testing.assert_allclose(learner.components_, bars.components, atol=0.5)
    assert ProbabilisticSparseCoding(dict_init=bars.components, max_iter=5, tol=None).fit(bars.data).transform(
        bars.data
    ).shape == (400, 8)


def test_a_fit_that_is_not_done_warns_once():
    X = bars_for("binary").data
    with pytest.warns(ConvergenceWarning, match="after 20 iterations.*n_annealing") as caught:
        learner_for("binary", max_iter=20).fit(X)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"values": [1, 2]}, "values has no meaning for model='binary'"),
        ({"learn_values": True}, "learn_values has no meaning"),
        ({"slab_covariance": "full"}, "slab_covariance has no meaning"),
        ({"model": "discrete", "values": [1.0, 0.0]}, "values must be finite numbers, different"),
        ({"model": "discrete", "values": [1.0, 1.0]}, "values must be finite numbers, different"),
        ({"model": "discrete", "values": ["a"]}, "values must be finite numbers, different"),
        ({"model": "maximal", "dict_init": -np.ones((8, 16))}, "dict_init has negative entries"),
        ({"dict_init": np.ones((8, 15))}, r"dict_init has shape \(8, 15\)"),
        ({"dict_init": np.ones((5, 16))}, r"dict_init has shape \(5, 16\).*\(8, 16\)"),
        ({"max_active": 9}, "max_active=9"),
        ({"n_annealing": 0, "temperature": 2.0}, "temperature has no meaning for n_annealing=0"),
        ({"n_annealing": 0, "parameter_noise": 0.1}, "parameter_noise has no meaning for n_annealing=0"),
    ],
)
def test_bad_parameters_get_an_error_that_names_them(parameters, message):
    parameters = {"model": "binary"} | parameters
    with pytest.raises(ValueError, match=message):
        ProbabilisticSparseCoding(8, **parameters).fit(bars_for("binary", 20).data)


def test_bad_data_get_an_error_that_names_them():
    X = bars_for("binary", 20).data
    learner = learner_for("binary", max_iter=3, tol=None)
    with pytest.raises(ValueError, match="no observed entry"):
        learner.fit(np.full_like(X, np.nan))
    with pytest.raises(ValueError, match="infinity"):
        learner.fit(np.where(X > 0, np.inf, X))
    with pytest.raises(ValueError, match="15 features"):
        learner.fit(X).transform(X[:, :15])
    with pytest.raises(ValueError, match="X has 5 columns"):
        learner.inverse_transform(np.ones((2, 5)))


def test_another_model_leaves_nothing_of_the_last_one():
    X = bars_for("binary", 50).data
    learner = learner_for("spike_slab", max_iter=3, tol=None).fit(X)
    assert hasattr(learner, "slab_mean_")
    assert not hasattr(learner.set_params(model="binary").fit(X), "slab_mean_")
