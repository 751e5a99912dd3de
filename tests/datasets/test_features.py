"""Planted features keep what they promise: frequencies, families, groups, signs, magnitudes; activations are a network's."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from sparsecode.datasets import _activations, load_activations, make_planted_features
from sparsecode.datasets._random import as_generator

FAMILIES = {"n_parents": 6, "n_children": 3, "child_rate": 0.6}


def test_data_is_code_times_dictionary_plus_noise():
    planted = make_planted_features(50, 12, 30, snr_db=10, **FAMILIES, random_state=0)
    np.testing.assert_allclose(planted.code @ planted.dictionary + planted.noise, planted.data, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(planted.dictionary, axis=1), 1.0)
    power = np.mean(planted.noise**2) / np.mean((planted.code @ planted.dictionary) ** 2)
    assert 10 * np.log10(power) == pytest.approx(-10, abs=0.5)


@pytest.mark.parametrize(
    "options", [{}, FAMILIES, {"zipf": 1.2}, {"group_size": 5}, {**FAMILIES, "zipf": 1.0, "group_size": 4}]
)
def test_features_are_on_as_often_as_their_frequency_says(options):
    planted = make_planted_features(40_000, 4, 40, n_active=5, **options, random_state=0)
    assert planted.frequencies.sum() == pytest.approx(5.0)
    error = np.mean(planted.code != 0, axis=0) - planted.frequencies
    assert np.all(np.abs(error) < 5 * np.sqrt(planted.frequencies / 40_000))


def test_a_child_is_on_with_its_parent_only_and_without_its_siblings():
    planted = make_planted_features(20_000, 4, 30, **FAMILIES, random_state=0)
    on = planted.code != 0
    np.testing.assert_array_equal(planted.parents[:6], -1)
    np.testing.assert_array_equal(planted.parents[6:24], np.repeat(np.arange(6), 3))
    np.testing.assert_array_equal(planted.parents[24:], -1)
    for parent in range(6):
        children = on[:, planted.parents == parent].sum(axis=1)
        assert children.max() == 1
        assert not children[~on[:, parent]].any()
        assert np.mean(children[on[:, parent]]) == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize("cosine", [0.0, 0.6, -0.3])
def test_children_lean_towards_their_parent_as_asked(cosine):
    planted = make_planted_features(2, 20, 30, **FAMILIES, parent_cosine=cosine, random_state=0)
    children = np.flatnonzero(planted.parents >= 0)
    cosines = np.sum(planted.dictionary[children] * planted.dictionary[planted.parents[children]], axis=1)
    np.testing.assert_allclose(cosines, cosine, atol=1e-12)


def test_frequencies_follow_zipf_up_to_one_half():
    steep = make_planted_features(1, 4, 50, n_active=3, zipf=1.5, random_state=0).frequencies
    ordered = np.sort(steep)[::-1]
    below = ordered < 0.5
    assert 1 <= np.sum(~below) < 5
    ranks = np.flatnonzero(below) + 1.0
    np.testing.assert_allclose(ordered[below] * ranks**1.5, ordered[below][0] * ranks[0] ** 1.5)
    assert not np.array_equal(steep, ordered)  # the rank says nothing about the place


def test_a_group_is_on_together_and_others_are_not():
    planted = make_planted_features(40_000, 4, 20, n_active=4, group_size=4, correlation=0.8, random_state=0)
    on = (planted.code != 0).astype(float)
    likeness = np.corrcoef(on.T)
    same = planted.groups[:, None] == planted.groups
    np.fill_diagonal(same, False)
    assert np.bincount(planted.groups).tolist() == [4] * 5
    assert likeness[same].min() > 0.3
    assert np.abs(likeness[(planted.groups[:, None] != planted.groups)]).max() < 0.03


def test_the_correlation_of_a_group_is_that_of_its_normal_variables():
    options = {"n_active": 1.8, "group_size": 2, "correlation": 0.6, "random_state": 0}
    planted = make_planted_features(40_000, 4, 6, **options)
    level = norm.ppf(0.3)
    both = multivariate_normal([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]]).cdf([level, level])
    for group in range(3):
        pair = np.flatnonzero(planted.groups == group)
        assert np.mean(np.all(planted.code[:, pair] != 0, axis=1)) == pytest.approx(both, abs=0.008)  # four deviations


@pytest.mark.parametrize("signed", [False, True])
def test_signs_and_magnitudes_are_as_asked(signed):
    planted = make_planted_features(5000, 4, 20, signed=signed, magnitudes=(1.0, 3.0), random_state=0)
    values = planted.code[planted.code != 0]
    assert np.abs(values).min() >= 1.0
    assert np.abs(values).max() <= 3.0
    assert np.mean(np.abs(values)) == pytest.approx(2.0, abs=0.02)
    assert np.mean(values < 0) == pytest.approx(0.5 if signed else 0.0, abs=0.02)


def test_precision_and_seed_of_features_are_honoured():
    first, second = (make_planted_features(5, 4, 10, dtype=np.float32, random_state=3) for _ in range(2))
    assert first.data.dtype == first.code.dtype == np.float32
    np.testing.assert_array_equal(first.data, second.data)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"n_components": 10, "n_parents": 3}, "n_parents"),
        ({"n_active": 11.0}, "n_active"),
        ({"n_active": 0.0}, "n_active"),
        ({"child_rate": 1.5}, "child_rate"),
        ({"parent_cosine": 1.0}, "parent_cosine"),
        ({"correlation": 1.0}, "correlation"),
        ({"magnitudes": (2.0, 1.0)}, "magnitudes"),
        ({"magnitudes": 1.0}, "magnitudes"),
        ({"signed": "yes"}, "signed"),
        ({"n_features": 1, "n_parents": 2}, "n_features"),
    ],
)
def test_features_that_cannot_be_planted_are_named(options, named):
    with pytest.raises(ValueError, match=named):
        make_planted_features(**({"n_samples": 5, "n_features": 4, "n_components": 20} | options))


# activations


@pytest.mark.parametrize("source", ["digits", "patches"])
def test_activations_are_centred_scaled_and_what_the_outputs_are_made_of(source):
    held = load_activations(source, 500, n_units=24, random_state=0)
    assert held.data.shape == held.outputs.shape == (500, 24)
    assert held.inputs.shape == (500, 64)
    np.testing.assert_allclose(held.data.mean(axis=0), 0.0, atol=1e-10)
    assert np.mean(np.sum(held.data**2, axis=1)) == pytest.approx(24.0)
    for unit in range(24):  # rectified, an output that is on is the activation, shifted and scaled alike for all
        on = held.outputs[:, unit] > 0
        if np.sum(on) > 2:
            slope = np.polyfit(held.data[on, unit], held.outputs[on, unit], 1)[0]
            assert slope == pytest.approx(np.std(held.outputs[on, unit]) / np.std(held.data[on, unit]), rel=1e-6)


def test_the_digits_can_be_told_apart_by_their_activations():
    held = load_activations("digits", n_units=32, dtype=np.float32, random_state=1)
    assert held.data.dtype == np.float32
    centres = np.array([held.data[held.target == digit].mean(axis=0) for digit in range(10)])
    nearest = np.argmin(np.linalg.norm(held.data[:, None] - centres, axis=2), axis=1)
    assert np.mean(nearest == held.target) > 0.9
    np.testing.assert_array_equal(
        held.data, load_activations("digits", n_units=32, dtype=np.float32, random_state=1).data
    )


def test_activations_that_there_are_not_are_named():
    with pytest.raises(ValueError, match="1797"):
        load_activations("digits", 2000)
    with pytest.raises(ValueError, match="source"):
        load_activations("words")


@pytest.mark.parametrize("zipf", [0.0, 3.0, 20.0, 500.0])
@pytest.mark.parametrize("n_active", [0.3, 2.0, 7.2])
def test_steep_laws_still_add_up(zipf, n_active):
    planted = make_planted_features(2, 4, 100, n_active=n_active, zipf=zipf, n_parents=3, random_state=0)
    assert planted.frequencies.sum() == pytest.approx(n_active, rel=1e-12)
    assert planted.frequencies.max() <= 0.5
    all_of_them = make_planted_features(2, 4, 9, n_active=4.5, zipf=zipf, random_state=0)
    np.testing.assert_allclose(all_of_them.frequencies, 0.5)


def test_activations_are_those_of_the_second_layer_of_a_rectified_network():
    """Written out with the weights of the same network."""
    inputs, names, weights = _activations._digits(None, 16, as_generator(0))
    hidden = np.maximum(inputs @ weights[0] + weights[1], 0.0)
    entering = hidden @ weights[2] + weights[3]
    made = load_activations("digits", n_units=16, random_state=0)
    np.testing.assert_array_equal(made.target, names)
    np.testing.assert_allclose(made.inputs, inputs)
    np.testing.assert_allclose(made.outputs, np.maximum(entering, 0.0), rtol=1e-10)
    centred = entering - entering.mean(axis=0)
    np.testing.assert_allclose(made.data, centred / np.sqrt(np.mean(centred**2)), rtol=1e-9, atol=1e-12)
