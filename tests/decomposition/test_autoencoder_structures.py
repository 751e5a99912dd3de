"""Structures of `SparseAutoencoder`, and the life of its latents, as a user meets them."""

import warnings

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import L1, SparseAutoencoder, mp
from sparsecode.datasets import make_planted_features
from sparsecode.metrics import match_atoms, variance_unexplained

K, M = 4, 24
NAMES = ("flat", "matryoshka", "hierarchical", "orthogonal", "matching_pursuit")


@pytest.fixture(scope="module")
def planted():
    return make_planted_features(600, 12, M, n_active=3.0, random_state=0)


def autoencoder(**parameters):
    settings = {"n_nonzero_coefs": K, "batch_size": 100, "max_iter": 20, "learning_rate": 0.01, "random_state": 0}
    return SparseAutoencoder(M, **{**settings, **parameters})


def unexplained(model, X, codes):
    return variance_unexplained(X, model.inverse_transform(codes))


@pytest.mark.parametrize("activation", ["topk", "abstopk"])
def test_codes_of_matching_pursuit_are_those_of_the_library(planted, activation):
    model = autoencoder(structure="matching_pursuit", activation=activation).fit(planted.data)
    X = planted.data[:40]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few steps prove nothing
        targets = (X - model.intercept_).T
        result = mp(model.components_.T, targets, tol=1e-13, positive=activation == "topk", max_iter=K)
    np.testing.assert_allclose(model.transform(X), result.coef.T, atol=1e-12)
    first = X @ model.encoder_.T + model.encoder_intercept_
    np.testing.assert_allclose(first, targets.T @ model.components_.T, atol=1e-12)


@pytest.mark.parametrize("structure, levels", [("matryoshka", (M,)), ("hierarchical", (K,))])
def test_one_level_is_the_flat_autoencoder(planted, structure, levels):
    flat = autoencoder(max_iter=3).fit(planted.data)
    nested = autoencoder(max_iter=3, structure=structure, levels=levels).fit(planted.data)
    np.testing.assert_array_equal(nested.components_, flat.components_)
    np.testing.assert_array_equal(nested.encoder_, flat.encoder_)


def test_the_first_latents_of_a_matryoshka_do_without_the_others(planted):
    X = planted.data
    left = {}
    for structure in ("flat", "matryoshka"):
        model = autoencoder(structure=structure).fit(X)
        left[structure] = unexplained(model, X, model.transform(X) * (np.arange(M) < 6))
    assert left["matryoshka"] < 0.8 * left["flat"]


def test_codes_of_a_hierarchy_of_budgets_may_be_cut(planted):
    X = planted.data
    left = {}
    for structure in ("flat", "hierarchical"):
        model = autoencoder(structure=structure).fit(X)
        codes = model.transform(X)
        left[structure] = unexplained(model, X, codes * (codes == codes.max(axis=1, keepdims=True)))
    assert left["hierarchical"] < 0.95 * left["flat"]


@pytest.mark.parametrize("structure", ["flat", "matching_pursuit"])
def test_orthogonality_keeps_atoms_apart(planted, structure):
    nearest = {}
    for weight in (0.0, 0.25):
        atoms = autoencoder(structure=structure, orthogonality=weight).fit(planted.data).components_
        nearest[weight] = np.mean(np.max(atoms @ atoms.T - 2 * np.eye(M), axis=1))
    assert nearest[0.25] < 0.9 * nearest[0.0]


def test_orthogonal_is_flat_with_its_weight(planted):
    one = autoencoder(max_iter=2, structure="orthogonal").fit(planted.data)
    other = autoencoder(max_iter=2, orthogonality=0.25).fit(planted.data)
    np.testing.assert_array_equal(one.components_, other.components_)


@pytest.fixture(scope="module")
def rare():
    """Five times as many latents as a signal ever sees, of which some are never on if nothing is done."""
    X = make_planted_features(1000, 16, 40, n_active=2, random_state=1).data

    def fitted(**parameters):
        settings = {"n_nonzero_coefs": 2, "batch_size": 100, "max_iter": 30, "learning_rate": 0.01, "random_state": 0}
        return SparseAutoencoder(120, **{"orthogonality": 0.0, **settings, **parameters}).fit(X)

    return fitted


def test_dead_latents_find_what_is_missing():
    """As many latents as signed features: latents that die take features with them."""
    planted = make_planted_features(6000, 24, 64, n_active=2.5, signed=True, random_state=0, dtype=np.float32)
    settings = {"activation": "abstopk", "n_nonzero_coefs": 5, "max_iter": 25, "learning_rate": 0.02, "random_state": 0}
    found = {}
    for how in (None, "aux_k"):
        atoms = SparseAutoencoder(64, dead_latents=how, **settings).fit(planted.data).components_
        found[how] = np.count_nonzero(match_atoms(planted.dictionary, atoms)[1] > 0.95)
    assert found["aux_k"] > found[None]


@pytest.mark.parametrize("activation", ["topk", "jumprelu", L1(0.5, positive=True)])
def test_resampled_latents_are_counted(rare, activation):
    budget = {} if isinstance(activation, str) else {"n_nonzero_coefs": None}
    model = rare(activation=activation, dead_latents="resample", dead_after=500, max_iter=15, **budget)
    assert model.history_["replaced"][-1] > 0


def test_the_loss_of_dead_latents_is_no_part_of_the_objective(rare):
    """Both ways to write down the objective of the same parameters."""
    model = rare(dead_latents="aux_k", dead_after=100, max_iter=3)
    assert np.any(model._learner.life.silence > 100)
    X = make_planted_features(1000, 16, 40, n_active=2, random_state=1).data
    left = X - model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(model.objective_, 0.5 * np.mean(np.sum(left**2, axis=1)), rtol=1e-10)


def test_a_transcoder_learns_a_map_of_the_features():
    planted = make_planted_features(2000, 10, 12, n_active=1.5, random_state=2)
    targets = planted.code @ np.random.default_rng(0).standard_normal((12, 7)) + 3.0
    model = SparseAutoencoder(
        24, n_nonzero_coefs=4, structure="transcoder", batch_size=100, max_iter=60, learning_rate=0.01, random_state=0
    )
    model.fit(planted.data, targets)
    assert model.components_.shape == (24, 7) and model.encoder_.shape == (24, 10)
    assert unexplained(model, targets, model.transform(planted.data)) < 0.2


@pytest.mark.parametrize("structure", NAMES)
def test_labels_are_ignored_where_nothing_is_transcoded(planted, structure):
    one = autoencoder(max_iter=1, structure=structure).fit(planted.data)
    other = autoencoder(max_iter=1, structure=structure).fit(planted.data, np.arange(600))
    np.testing.assert_array_equal(one.components_, other.components_)


@pytest.mark.parametrize("structure", NAMES)
def test_threads_and_interruptions_leave_the_bits(planted, structure, tmp_path):
    settings = {"structure": structure, "max_iter": 6, "dead_latents": "resample", "dead_after": 50}
    X = planted.data.astype(np.float32)
    whole = autoencoder(**settings, n_jobs=2).fit(X)
    checkpoint = tmp_path / "state.npz"
    cut = autoencoder(**settings, n_jobs=1, checkpoint=checkpoint)
    cut.set_params(callback=lambda progress: progress.epoch == 3).fit(X)
    assert cut.status_.name == "INTERRUPTED"
    resumed = cut.set_params(callback=None).fit(X)
    assert resumed.components_.dtype == np.float32 and resumed.transform(X).dtype == np.float32
    np.testing.assert_array_equal(resumed.components_, whole.components_)
    np.testing.assert_array_equal(resumed.transform(X), whole.transform(X))


def test_partial_fit_goes_on_with_the_structure(planted):
    model = autoencoder(structure="matching_pursuit")
    for part in np.split(planted.data, 6):
        model.partial_fit(part)
    assert model.n_steps_ == 6
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1.0)
    assert np.count_nonzero(model.transform(planted.data), axis=1).max() <= K


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"levels": (2, 24)}, "levels=.* has no meaning for structure='flat'"),
        ({"structure": "matryoshka", "levels": (4, 2)}, "levels is .* ascending numbers of latents"),
        ({"structure": "matryoshka", "levels": (4, 25)}, "levels is .* of which there are 24"),
        ({"structure": "hierarchical", "levels": (0, 4)}, "levels is .* at least 1"),
        ({"structure": "hierarchical", "levels": (2, 5)}, "levels is .* of which there are 4"),
        (
            {"structure": "hierarchical", "activation": "relu", "n_nonzero_coefs": None},
            "structure='hierarchical' is for",
        ),
        ({"structure": "matching_pursuit", "activation": "batchtopk"}, "structure='matching_pursuit' has an encoder"),
        ({"dead_latents": None, "dead_after": 5}, "dead_after=5 has no meaning"),
        (
            {"dead_latents": "aux_k", "activation": L1(0.1), "n_nonzero_coefs": None},
            "dead_latents='aux_k' takes the largest",
        ),
        ({"structure": "transcoder"}, "structure='transcoder' requires y"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(planted, parameters, message):
    with pytest.raises(ValueError, match=message):
        autoencoder(**parameters).fit(planted.data)


def test_arrays_of_other_namespaces_have_the_flat_structure(planted):
    torch = pytest.importorskip("torch")
    X = torch.tensor(planted.data)
    assert isinstance(autoencoder(max_iter=1).fit(X).components_, torch.Tensor)
    for parameters in ({"structure": "matryoshka"}, {"orthogonality": 0.1}, {"dead_latents": "aux_k"}):
        with pytest.raises(ValueError, match="X is no NumPy array"):
            autoencoder(max_iter=1, **parameters).fit(X)
    pursuit = autoencoder(max_iter=1, structure="matching_pursuit").fit(planted.data)
    with pytest.raises(ValueError, match="matching_pursuit.*NumPy"):
        pursuit.transform(X)


@parametrize_with_checks([SparseAutoencoder(max_iter=1, structure=name) for name in ("matching_pursuit", "transcoder")])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)
