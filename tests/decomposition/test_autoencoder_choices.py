"""What the parameters of `SparseAutoencoder` choose for its learner."""

import numpy as np
import pytest

from sparsecode import SparseAutoencoder
from sparsecode.decomposition._autoencoder_loop import Rows, measure
from sparsecode.solvers.autoencoder.dead import AuxiliaryLatents, AuxiliaryPursuit, silent, underused
from sparsecode.solvers.autoencoder.frame import geometric_median
from sparsecode.solvers.autoencoder.orthogonality import Apart
from tests.decomposition.autoencoder_cases import QUICK, SHAPE, planted


@pytest.fixture(scope="module")
def signals():
    return planted(**SHAPE)[0][:300]


def learner_of(signals, y=None, **given):
    return SparseAutoencoder(**QUICK | {"max_iter": 1, "batch_size": 100} | given).fit(signals, y)._learner


def test_an_entry_too_many_by_all_that_are_wanted_costs_what_a_code_without_entries_does(signals):
    """The price of "jumprelu" unless told; signals have entries of about one."""
    activation = learner_of(signals, activation="jumprelu").activation
    assert activation.target == 2.0
    assert activation._price(2.0)[0] == 0.0 and activation._price(4.0)[0] == pytest.approx(0.5 * 12)


def test_signals_lie_about_their_geometric_median():
    X = planted(**SHAPE)[0][:300]
    X[:20] += 1000.0  # which a mean would follow
    model = SparseAutoencoder(**QUICK | {"max_iter": 1}).fit(X)
    np.testing.assert_allclose(model._frame.center, geometric_median(X))
    assert np.linalg.norm(model._frame.center) < 30


@pytest.mark.parametrize("structure", ["flat", "matching_pursuit"])
@pytest.mark.parametrize("dead_latents, helped", [("aux_k", silent), ("aux_zipf", underused)])
@pytest.mark.parametrize("activation", ["topk", "abstopk"])
def test_dead_latents_are_helped_by_codes_of_the_same_kind(signals, structure, dead_latents, helped, activation):
    given = {"structure": structure, "dead_latents": dead_latents, "activation": activation, "orthogonality": 0.5}
    aux, apart = learner_of(signals, **given).terms
    signed = activation == "abstopk"
    assert isinstance(aux, AuxiliaryPursuit if structure == "matching_pursuit" else AuxiliaryLatents)
    assert aux.helped is helped and aux.weight == 1 / 32 and aux.signed == signed
    assert aux.after == 1000  # a hundred times 20 latents over 2 entries
    assert apart == Apart(0.5, signed=signed)


@pytest.mark.parametrize("structure, weight", [("orthogonal", 0.25), ("matching_pursuit", 0.25), ("flat", None)])
def test_atoms_are_kept_apart_by_default_where_the_structure_asks_for_it(signals, structure, weight):
    terms = learner_of(signals, structure=structure).terms
    assert [term.weight for term in terms if isinstance(term, Apart)] == ([] if weight is None else [weight])


def test_signals_without_an_entry_that_make_a_latent_dead_are_as_told(signals):
    (aux,) = learner_of(signals, dead_latents="aux_k", dead_after=77).terms
    assert aux.after == 77


@pytest.mark.parametrize(
    "structure, given, levels",
    [
        ("matryoshka", None, (1, 2, 5, 10, 20)),
        ("matryoshka", (3, 9), (3, 9, 20)),
        ("matryoshka", (3, 20), (3, 20)),
        ("hierarchical", None, (1, 3, 6)),
        ("hierarchical", (2,), (2, 6)),
    ],
)
def test_the_whole_is_the_last_of_the_levels(signals, structure, given, levels):
    made = learner_of(signals, structure=structure, levels=given, n_nonzero_coefs=6).structure
    assert (made.sizes if structure == "matryoshka" else made.budgets) == levels
    np.testing.assert_allclose(made.weights, 1 / len(levels))


def test_what_is_told_does_not_change_with_the_next_step(signals):
    model = SparseAutoencoder(**QUICK).fit(signals)
    kept = {name: getattr(model, name) for name in ("density_", "components_", "encoder_", "threshold_")}
    copies = {name: array.copy() for name, array in kept.items()}
    model._learner.step(*(model._frame.inputs(signals),) * 2, 0.1)
    for name, array in kept.items():
        np.testing.assert_array_equal(array, copies[name], err_msg=name)


def test_the_attributes_of_a_transcoder_are_in_the_units_of_both_sides(signals):
    """Pre-activations and codes are in those of the targets."""
    y = 50.0 * np.maximum(signals @ np.random.RandomState(2).standard_normal((12, 5)), 0) + 3.0
    for activation in ("topk", "jumprelu"):
        model = SparseAutoencoder(**QUICK | {"structure": "transcoder", "activation": activation}).fit(signals, y)
        pre = signals @ model.encoder_.T + model.encoder_intercept_
        if activation == "topk":
            expected = np.where(pre >= np.sort(np.maximum(pre, 0), axis=1)[:, -2, None], np.maximum(pre, 0), 0)
        else:
            expected = np.where(pre > model.threshold_, pre, 0)
        np.testing.assert_allclose(model.transform(signals), expected, atol=1e-8 * np.max(pre))
        left = y - model.inverse_transform(model.transform(signals))
        if activation == "topk":
            assert model.objective_ == pytest.approx(0.5 * np.mean(np.sum(left**2, axis=1)), rel=1e-9)


def test_thresholds_begin_where_the_l0_norm_has_them(signals):
    given = {"activation": "jumprelu", "n_nonzero_coefs": None, "alpha": 0.3, "learning_rate": 1e-12}
    model = SparseAutoencoder(**QUICK | given).fit(signals)
    np.testing.assert_allclose(model.threshold_, np.sqrt(2 * 0.3), rtol=1e-9)


def test_atoms_to_start_from_may_have_any_length(signals):
    atoms = np.random.RandomState(4).standard_normal((20, 12))
    lengths = np.linspace(0.5, 30, 20)[:, None]
    for structure in ("flat", "transcoder"):
        one, other = (
            learner_of(signals, signals, structure=structure, dict_init=part) for part in (atoms, lengths * atoms)
        )
        np.testing.assert_allclose(one.parameters.encoder, other.parameters.encoder, rtol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(other.parameters.decoder, axis=1), 1.0)


def test_fewer_latents_than_a_tenth_of_the_width_may_all_be_on():
    X = np.random.RandomState(0).standard_normal((50, 35))
    assert learner_of(X, n_components=2, n_nonzero_coefs=None).activation.k == 2


@pytest.mark.parametrize("structure", ["flat", "matryoshka", "hierarchical", "orthogonal", "matching_pursuit"])
@pytest.mark.parametrize("activation", ["topk", "abstopk"])
def test_the_objective_is_that_of_the_definition_in_the_units_of_the_signals(structure, activation):
    X = 3.0 * planted(**SHAPE, signed=True)[0][:200] + 2.0
    given = QUICK | {"structure": structure, "activation": activation, "n_nonzero_coefs": 5, "dead_latents": "aux_k"}
    model = SparseAutoencoder(**given | {"orthogonality": 0.3 if structure == "flat" else None}).fit(X)
    codes, atoms = model.transform(X), model.components_
    parts = [codes]
    if structure == "matryoshka":
        parts = [codes * (np.arange(20) < size) for size in (1, 2, 5, 10, 20)]
    elif structure == "hierarchical":
        ranks = np.argsort(np.argsort(-np.abs(codes), axis=1, kind="stable"), axis=1)
        parts = [codes * (ranks < k) for k in (1, 2, 5)]
    expected = np.mean([0.5 * np.sum((z @ atoms + model.intercept_ - X) ** 2) / len(X) for z in parts])
    weight = {"flat": 0.3, "orthogonal": 0.25, "matching_pursuit": 0.25}.get(structure, 0.0)
    cosines = atoms @ atoms.T - np.eye(20)
    nearest = np.max(np.abs(cosines) if activation == "abstopk" else np.maximum(cosines, 0.0), axis=1)
    half_variance = 0.5 * np.mean(np.sum((X - geometric_median(X)) ** 2, axis=1))
    expected += weight * half_variance * np.mean(nearest**2)
    assert model.objective_ == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("structure", ["flat", "matching_pursuit"])
def test_what_helps_dead_latents_is_no_part_of_the_certificate(signals, structure):
    given = {"structure": structure, "dead_latents": "aux_k", "dead_after": 50, "n_components": 60, "max_iter": 3}
    model = SparseAutoencoder(**QUICK | given).fit(signals)
    assert np.any(model._learner.life.silence >= 50)
    rest = [term for term in model._learner.terms if isinstance(term, Apart)]
    model._learner.terms = rest
    without = measure(model._learner, Rows(signals), model._frame, 200, n_jobs=1)
    assert model.certificate_ == pytest.approx(float(without.certificate), rel=1e-10)


def test_steps_of_a_stream_begin_at_a_hundredth_of_the_rate(signals):
    """The first step of Adam is as long as the rate in every number that has a gradient."""
    atoms = np.random.RandomState(4).standard_normal((20, 12))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    model = SparseAutoencoder(dict_init=atoms, learning_rate=0.5, n_nonzero_coefs=2, dead_latents=None)
    model.partial_fit(signals)
    before = model._learner.parameters.encoder.copy()
    np.testing.assert_allclose(np.max(np.abs(before - atoms)), 0.005, rtol=1e-3)
    model.partial_fit(signals)
    moved = np.max(np.abs(model._learner.parameters.encoder - before))
    assert 0.006 < moved < 0.0105  # the second is up to twice as long
