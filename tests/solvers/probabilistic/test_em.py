"""The loop of expectation maximisation: monotone where theory says so, annealed where asked, never anything but numbers."""

import numpy as np
import pytest

from sparsecode import Status
from sparsecode.solvers.probabilistic import Annealing, Truncation, fit_causes, local_statistics, update_causes
from tests.solvers.probabilistic.naive_causes import KINDS, N_CAUSES, draw, enumerate_states, example

ALL = Truncation(N_CAUSES, N_CAUSES)
PLAIN = Annealing(0, cut=False)
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_free_energy_never_falls_without_annealing_and_truncation(kind, missing):
    X = draw(example(kind, seed=5), 60, missing=missing)
    for seed in range(3):
        result = fit_causes(X, example(kind, seed=seed), truncation=ALL, annealing=PLAIN, max_iter=40, tol=0.0)
        energy = np.array(result.history["free_energy"])
        assert energy[-1] > energy[0] + 0.1
        assert np.all(np.diff(energy) >= -1e-9 * np.abs(energy[:-1])), kind


def test_learned_values_never_lower_the_free_energy():
    X = draw(example("discrete", seed=5), 80)
    start = example("discrete", seed=1)._replace(learn_values=True)
    energy = fit_causes(X, start, truncation=ALL, annealing=PLAIN, max_iter=60, tol=0.0).history["free_energy"]
    assert np.all(np.diff(energy) >= -1e-9 * np.abs(energy[:-1]))


@every_kind
def test_the_free_energy_is_the_log_likelihood_of_enumeration(kind):
    X = draw(example(kind, seed=5), 12)
    result = fit_causes(X, example(kind), truncation=ALL, annealing=PLAIN, max_iter=3, tol=0.0)
    exact = np.mean([enumerate_states(result.model, signal).log_evidence for signal in X])
    np.testing.assert_allclose(result.free_energy, exact, rtol=1e-10)
    assert result.n_iter == 3 and len(result.history["iteration"]) == 4


@every_kind
def test_the_certificate_is_the_change_by_one_more_update(kind):
    X, start = draw(example(kind, seed=5), 60), example(kind, seed=5)
    if kind.startswith("max"):
        start = start._replace(sharpness=2.0)
    result = fit_causes(X, start, truncation=ALL, annealing=PLAIN, max_iter=500, tol=1e-3)
    assert result.status is Status.CONVERGED
    following = update_causes(result.model, local_statistics(X, result.model, ALL), ALL)
    changes = [
        np.linalg.norm(new - old) / max(np.linalg.norm(new), np.linalg.norm(old))
        for old, new in zip(result.model.parameters(), following.parameters(), strict=True)
    ]
    np.testing.assert_allclose(max(changes), result.certificate, rtol=1e-6)
    assert result.certificate <= 1e-3


@every_kind
def test_scaling_the_signals_scales_the_components(kind):
    X, start = draw(example(kind, seed=5), 40, missing=0.1), example(kind)
    one = fit_causes(X, start, annealing=Annealing(5, 2.0), max_iter=10, tol=0.0).model
    for factor in (1e-8, 1e8):
        scaled = start._replace(noise_variance=start.noise_variance * factor**2)
        if hasattr(start, "mean"):
            scaled = scaled._replace(mean=factor * start.mean, covariance=factor**2 * start.covariance)
        else:
            scaled = scaled._replace(components=factor * start.components)
        other = fit_causes(factor * X, scaled, annealing=Annealing(5, 2.0), max_iter=10, tol=0.0).model
        at = 1.0 if hasattr(start, "mean") else factor
        np.testing.assert_allclose(other.components / at, one.components, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(other.noise_variance / factor**2, one.noise_variance, rtol=1e-6)


@every_kind
@pytest.mark.parametrize(
    "what", ["zeros", "constant", "one signal", "noise-free", "mostly missing", "huge", "zero atoms"]
)
def test_nothing_but_numbers_comes_out(kind, what):
    model = example(kind)
    X = draw(model, 30)
    if what == "zeros":
        X = np.zeros_like(X)
    elif what == "constant":
        X = np.full_like(X, 3.0)
    elif what == "one signal":
        X = X[:1]
    elif what == "noise-free":
        X = draw(model._replace(noise_variance=0.0), 30)
    elif what == "mostly missing":
        X[np.random.default_rng(0).random(X.shape) < 0.9] = np.nan
        X[:, 2] = np.nan
        X[0, 0] = 1.0
    elif what == "huge":
        X[3] *= 1e6
    elif what == "zero atoms":
        model = model._replace(components=np.zeros_like(model.components))
    result = fit_causes(X, model, annealing=Annealing(10, 4.0, noise=0.1), max_iter=30, tol=1e-9, random_state=0)
    for values in result.model.parameters():
        assert np.all(np.isfinite(values))
    assert np.isfinite(result.free_energy) and np.isfinite(result.certificate)
    assert result.model.noise_variance > 0
    assert 0 < result.model.activity < 1


def test_noise_stays_above_its_floor():
    model = example("binary", noise_variance=0.0)
    X = draw(model, 40)
    result = fit_causes(X, example("binary"), truncation=ALL, annealing=PLAIN, max_iter=200)
    assert result.model.noise_variance == pytest.approx(1e-6 * np.mean(X**2))


def test_annealing_lowers_the_temperature_and_leaves_the_worst_signals_out():
    model = example("binary", n_causes=8)
    X = draw(model, 50)
    result = fit_causes(X, model, truncation=Truncation(6, 2), annealing=Annealing(20, 5.0), max_iter=25, tol=0.0)
    temperature, used = result.history["temperature"], result.history["n_used"]
    assert temperature[0] == 5.0 and np.all(np.diff(temperature[:17]) < 0) and set(temperature[16:]) == {1.0}
    assert used[0] == 50 and used[-1] < 45
    whole = fit_causes(
        X, model, truncation=Truncation(6, 2), annealing=Annealing(20, 5.0, cut=False), max_iter=25, tol=0.0
    )
    assert set(whole.history["n_used"]) == {50}


def test_parameter_noise_is_drawn_from_the_random_state():
    X, start = draw(example("maximal", seed=5), 40), example("maximal")
    fits = [
        fit_causes(
            X, start, annealing=Annealing(10, noise=0.3), max_iter=12, tol=0.0, random_state=seed
        ).model.components
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.array_equal(fits[0], fits[2])
    assert np.all(fits[2] >= 0)


def test_a_callback_can_stop_the_fit():
    X, seen = draw(example("binary", seed=5), 40), []

    def stop(progress):
        seen.append(progress.free_energy)
        return progress.iteration == 4

    result = fit_causes(X, example("binary"), annealing=PLAIN, callback=stop)
    assert result.status is Status.INTERRUPTED and result.n_iter == 4
    assert seen == result.history["free_energy"]


def test_bad_input_gets_an_error_that_names_it():
    model = example("binary")
    with pytest.raises(ValueError, match="no observed entry"):
        fit_causes(np.full((3, 6), np.nan), model)
    with pytest.raises(ValueError, match="too small to square"):
        fit_causes(np.full((3, 6), 1e-200), model)
    with pytest.raises(ValueError, match="infinity"):
        fit_causes(np.full((3, 6), np.inf), model)
    with pytest.raises(ValueError, match="temperature must be at least 1"):
        fit_causes(np.ones((3, 6)), model, annealing=Annealing(10, 0.5))
    with pytest.raises(ValueError, match="max_iter"):
        fit_causes(np.ones((3, 6)), model, max_iter=0)
