"""Laws of causes that are replaced: idle ones begin anew where one is missing, sums are parted; all others stay."""

import numpy as np
import pytest

from sparsecode import ProbabilisticSparseCoding
from sparsecode.datasets import make_bars
from sparsecode.metrics import dictionary_recovery
from sparsecode.solvers.probabilistic import (
    DiscreteCauses,
    MaximalCauses,
    SpikeSlabCauses,
    Truncation,
    local_statistics,
)
from sparsecode.solvers.probabilistic.replacement import better_models, without_idle_causes

TOO_MUCH = 60.0  # in every pixel: no image shows it
MODELS = ("binary", "ternary", "maximal", "maximum_magnitude", "spike_slab")


def bars_for(model):
    values = (-1.0, 1.0) if model == "ternary" else (1.0,)
    overlap = {"maximal": "max", "maximum_magnitude": "magnitude"}.get(model, "sum")
    return make_bars(300, 4, values=values, overlap=overlap, noise=1.0, random_state=0)


def causes(model, components):
    """The planted causes with other components."""
    probability, noise = 0.25, 1.0
    if model in ("maximal", "maximum_magnitude"):
        return MaximalCauses(components, probability, noise, model == "maximum_magnitude")
    if model == "spike_slab":
        norms = np.linalg.norm(components, axis=1, keepdims=True)
        slab = np.eye(len(components)) + 0.1
        return SpikeSlabCauses(components / norms, probability, norms[:, 0], slab, noise, True)
    values = np.array([-1.0, 1.0] if model == "ternary" else [1.0])
    return DiscreteCauses(components, np.full(values.size, probability / values.size), values, noise)


def cosine(one, other):
    return float(np.abs(one @ other) / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("model", MODELS)
def test_an_idle_cause_becomes_the_one_that_is_missing(model):
    bars = bars_for(model)
    assert without_idle_causes(bars.data, causes(model, bars.components), Truncation(8, 4)) is None
    found = bars.components.copy()
    found[5] = TOO_MUCH if model == "maximal" else TOO_MUCH * (-1.0) ** np.arange(16)
    idle = causes(model, found)
    better = without_idle_causes(bars.data, idle, Truncation(8, 4)).checked()
    others = np.arange(8) != 5
    np.testing.assert_array_equal(better.components[others], idle.components[others])
    assert cosine(better.components[5], bars.components[5]) > 0.85
    assert better.noise_variance == idle.noise_variance
    before, after = (local_statistics(bars.data, m, Truncation(8, 4)).log_evidence for m in (idle, better))
    assert after > before
    if model == "spike_slab":
        assert np.linalg.norm(better.components[5]) == pytest.approx(1.0)
        np.testing.assert_array_equal(better.covariance[5, others], 0.0)
        np.testing.assert_array_equal(better.covariance[others, 5], 0.0)
        np.testing.assert_array_equal(
            better.covariance[np.ix_(others, others)], idle.covariance[np.ix_(others, others)]
        )
        assert better.mean[5] == 0.0
        assert better.covariance[5, 5] > 100.0  # the energy of a bar is 400


def test_causes_that_are_missing_are_found_one_each_and_gaps_do_no_harm():
    bars = bars_for("binary")
    found = bars.components.copy()
    found[2], found[3] = TOO_MUCH, -TOO_MUCH
    gaps = np.arange(300)[:, None] % 16 == np.arange(16)  # one in every image
    for X in (bars.data, np.where(gaps, np.nan, bars.data)):
        better = without_idle_causes(X, causes("binary", found), Truncation(8, 4))
        likeness = [[cosine(better.components[h], bars.components[m]) for m in (2, 3)] for h in (2, 3)]
        assert np.all(np.max(likeness, axis=0) > 0.6)  # what is missed most may be both at once
        assert cosine(better.components[2], better.components[3]) < 0.8


def test_the_size_of_the_data_does_not_matter():
    bars = bars_for("binary")
    found = bars.components.copy()
    found[5] = TOO_MUCH
    better = without_idle_causes(bars.data, causes("binary", found))
    factor = 1e120
    scaled = without_idle_causes(
        factor * bars.data, causes("binary", factor * found)._replace(noise_variance=factor**2)
    )
    np.testing.assert_allclose(scaled.components, factor * better.components, rtol=1e-9)


@pytest.mark.parametrize("model", ["binary", "maximal"])
def test_a_fit_with_an_idle_cause_goes_on_without_it(model):
    bars = bars_for(model)
    start = bars.components.copy()
    start[5] = TOO_MUCH
    fits = {
        replace: ProbabilisticSparseCoding(
            model=model, dict_init=start, n_annealing=0, cut_data=False, n_candidates=8, replace_dead=replace
        ).fit(bars.data)
        for replace in (True, False)
    }
    recovered = {
        replace: dictionary_recovery(bars.components, fits[replace].components_, threshold=0.98) for replace in fits
    }
    assert recovered[True] == 1.0
    assert recovered[False] < 1.0
    assert fits[True].score(bars.data) > fits[False].score(bars.data)


def summed(model="ternary"):
    """Bars of both signs, and the planted causes of which the third also holds the sixth."""
    bars = bars_for(model)
    found = bars.components.copy()
    found[2] = bars.components[2] - bars.components[5]
    return bars, causes(model, found)


def test_a_sum_of_causes_is_parted():
    """With V - W and W, a signal of V alone needs both: that is how they are found out."""
    bars, model = summed()
    before = local_statistics(bars.data, model).log_evidence
    better = next(better_models(bars.data, model))
    assert better.noise_variance == model.noise_variance
    others = np.arange(8) != 2
    np.testing.assert_array_equal(better.components[others], model.components[others])
    np.testing.assert_allclose(better.components[2], bars.components[2])
    assert local_statistics(bars.data, better).log_evidence > before


def test_parting_sums_asks_for_both_signs_and_for_correlated_causes():
    bars = bars_for("ternary")
    assert list(better_models(bars.data, causes("ternary", bars.components))) == []
    bars, model = summed("binary")
    assert list(better_models(bars.data, model)) == []


def test_gaps_do_not_hide_a_sum_of_causes():
    bars, model = summed()
    gaps = np.arange(300)[:, None] % 16 == np.arange(16)  # one in every image
    better = next(better_models(np.where(gaps, np.nan, bars.data), model))
    np.testing.assert_allclose(better.components[2], bars.components[2])


@pytest.mark.parametrize("replace", [True, False])
def test_a_fit_parts_sums_of_causes(replace):
    bars, model = summed()
    learner = ProbabilisticSparseCoding(
        model="ternary", dict_init=model.components, n_annealing=10, temperature=1.0, replace_dead=replace
    ).fit(bars.data)
    assert (dictionary_recovery(bars.components, learner.components_, threshold=0.98) == 1.0) == replace
