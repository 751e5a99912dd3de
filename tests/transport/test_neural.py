"""Neural maps: slopes by finite differences, a known map between Gaussians, and a strategy that puts everything back."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import NeuralSparseMap
from sparsecode.transport._neural import Judgement, NeuralTransport, Settings, adapted, sliced_distance, tau, tau_slope

KEYS = ("stage", "alpha", "n_displaced", "sliced", "accepted")


@pytest.mark.parametrize("penalty", ["l0", "l1"])
def test_slopes_of_penalties_are_differences(penalty):
    Z = np.random.RandomState(0).standard_normal((4, 3))
    for step in np.eye(3):
        slope = (tau(Z + 1e-6 * step, penalty, 0.7) - tau(Z - 1e-6 * step, penalty, 0.7)) / 2e-6
        np.testing.assert_allclose(tau_slope(Z, penalty, 0.7) @ step, slope, atol=1e-8)


def test_the_smooth_count_counts():
    assert tau(np.array([[0.0, 5.0, -7.0, 1e-4]]), "l0", 0.1)[0] == pytest.approx(2.0, abs=1e-5)


def test_the_sliced_distance_of_a_shift_is_its_mean_square_projection():
    random = np.random.RandomState(0)
    X, directions = random.standard_normal((300, 2)), np.eye(2)
    assert sliced_distance(X, X + [3.0, 4.0], directions) == pytest.approx(np.sqrt(12.5))
    assert sliced_distance(X, X[::-1], directions) == 0.0


class Scripted:
    """Stands for a model: a script of judgements, and weights that count the training."""

    def __init__(self, script):
        self.script, self.weights, self.random = list(script), 0, np.random.RandomState(0)

    def train(self, n_steps, strength):
        self.weights += 1
        return True

    def judge(self, cut):
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def saved(self):
        return self.weights

    def restore(self, saved):
        self.weights = saved


def test_rejected_proposals_put_strength_and_weights_back():
    history = {key: [] for key in KEYS}
    few, near = Judgement(2.0, 1.0), Judgement(2.0, 0.5)
    model = Scripted([Judgement(5.0, 1.0), Judgement(4.0, 1.0), few, near, few, Judgement(9.0, 0.1)])
    alpha, fine = adapted(model, 1.0, 3.0, 0.1, 1, history)
    assert fine
    assert history["stage"][:2] == ["raise", "raise"]
    assert history["alpha"][:2] == [1.5, 2.25]
    assert history["accepted"][2:5] == [True, False, False]  # nearer; further away than that; too many features
    assert alpha == history["alpha"][2] < 2.25
    assert model.weights == 3


def trained(seed=0, n_steps=20):
    random = np.random.RandomState(seed)
    samples = random.standard_normal((60, 3)), random.standard_normal((60, 3)) + [2.0, 0.3, 0.0]
    settings = Settings("l0", 0.2, 5e-3, 2, 16)
    model = NeuralTransport(samples, samples, settings, (8, 2), np.random.RandomState(1))
    assert model.train(n_steps, 0.1)
    return model


def everything(model):
    """All numbers that training changes."""
    counts = [np.array([side.count]) for side in model.optimisers]
    return counts + [
        part.copy() for side in model.optimisers for part in (*side.parameters, *side.means, *side.squares)
    ]


def test_both_networks_and_optimisers_are_put_back():
    model = trained()
    saved, before = model.saved(), everything(model)
    model.train(5, 0.1)
    assert sum(not np.array_equal(one, other) for one, other in zip(before, everything(model), strict=True)) > 20
    model.restore(saved)
    for one, other in zip(before, everything(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_after_rejected_rounds_the_networks_are_those_of_the_last_accepted_one():
    model, history = trained(), {key: [] for key in KEYS}
    saved, judge, states = model.saved, model.judge, []
    model.saved = lambda: states.append(everything(model)) or saved()
    before = judge(0.2)
    alpha, fine = adapted(model, 0.1, 3.0, 0.2, 1, history)  # of three features: no number of them is too large
    assert fine
    accepted = history["accepted"]
    assert not all(accepted)
    assert set(history["stage"]) == {"lower"}
    standing = before
    for k, (number, sliced) in enumerate(zip(history["n_displaced"], history["sliced"], strict=True)):
        assert accepted[k] == (sliced <= standing.sliced)
        standing = Judgement(number, sliced) if accepted[k] else standing
        if k + 1 < len(accepted) and not accepted[k]:  # each round begins where the last accepted one ended
            for one, other in zip(states[k], states[k + 1], strict=True):
                np.testing.assert_array_equal(one, other)
    assert judge(0.2) == standing
    assert alpha == ([0.1] + [a for a, kept in zip(history["alpha"], accepted, strict=True) if kept])[-1]


def test_rounds_end_where_the_number_is_not_reached():
    history = {key: [] for key in KEYS}
    alpha, fine = adapted(Scripted([Judgement(5.0, 1.0)]), 1.0, 3.0, 0.1, 1, history)
    assert fine
    assert set(history["stage"]) == {"raise"}
    assert alpha > 1e3


def gaussians(n=600, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal((n, 2)), random.standard_normal((n, 2)) * [2.0, 0.5] + [1.0, -3.0]


def test_between_gaussians_the_map_is_the_affine_one():
    X, Y = gaussians()
    model = NeuralSparseMap(0.0, n_steps=250, hidden=(32, 2), learning_rate=5e-3, random_state=0).fit(X, Y)
    truth = X * [2.0, 0.5] + [1.0, -3.0]
    assert np.mean((model.transform(X) - truth) ** 2) < 0.05 * np.mean((X - truth) ** 2)
    assert model.score(X, Y) > -0.3
    assert np.mean((model.inverse_transform(truth) - X) ** 2) < 0.05 * np.mean((X - truth) ** 2)
    assert model.cost_ == pytest.approx(0.5 * np.mean(np.sum((X - truth) ** 2, axis=1)), rel=0.2)
    moved = NeuralSparseMap(0.0, n_steps=250, hidden=(32, 2), learning_rate=5e-3, random_state=0).fit(
        10 * X + 5, 10 * Y + 5
    )
    np.testing.assert_allclose(moved.transform(10 * X + 5), 10 * model.transform(X) + 5, atol=0.3)


def shifted(n=400, d=6, seed=0):
    """Two features move far, two a little."""
    random = np.random.default_rng(seed)
    return random.standard_normal((n, d)), random.standard_normal((n, d)) + np.r_[4.0, -4.0, 0.5, 0.5, 0.0, 0.0]


def test_the_penalty_moves_fewer_features():
    X, Y = shifted()
    counts = []
    for alpha in (0.0, 1.0):
        model = NeuralSparseMap(alpha, n_steps=60, hidden=(16, 2), width=0.3, random_state=0).fit(X, Y)
        counts.append(model.n_displaced_)
        assert np.abs(model.displacement(X)[:, :2]).mean() > 2.0
    assert counts[1] < counts[0] - 0.5


def test_a_number_of_features_is_reached_or_announced():
    X, Y = shifted()
    options = {"n_steps": 60, "round_steps": 20, "hidden": (16, 2), "width": 0.5, "random_state": 0}
    model = NeuralSparseMap(0.2, n_displaced=3.0, **options).fit(X, Y)
    assert model.n_displaced_ <= 3.0
    assert model.status_.name == "CONVERGED"
    assert len(model.history_["alpha"]) == len(model.history_["accepted"]) > 5
    unpenalised = NeuralSparseMap(0.0, n_displaced=3.0, **options).fit(X, Y)
    assert unpenalised.n_displaced_ <= 3.0
    assert unpenalised.history_["stage"][0] == "raise"
    assert unpenalised.alpha_ > 0
    with pytest.warns(ConvergenceWarning, match="more than n_displaced=0.0"):
        NeuralSparseMap(1e-9, n_displaced=0.0, **(options | {"round_steps": 1})).fit(X, Y)


def test_numbers_out_of_range_are_announced_and_never_returned():
    X, Y = gaussians(60)
    with pytest.warns(ConvergenceWarning, match="lower learning_rate"):
        model = NeuralSparseMap(learning_rate=1e30, n_steps=5, random_state=0).fit(X, Y)
    assert model.status_.name == "DIVERGED"
    assert np.all(np.isfinite(model.transform(X)))


def test_bad_samples_are_named():
    X, Y = gaussians(20)
    with pytest.raises(ValueError, match="Y has 1 features, but X has 2"):
        NeuralSparseMap().fit(X, Y[:, :1])
    with pytest.raises(ValueError, match="needs 5, some to hold out"):
        NeuralSparseMap().fit(X, Y[:3])
    with pytest.raises(ValueError, match="hidden must be two positive integers"):
        NeuralSparseMap(hidden=(3,)).fit(X, Y)
    with pytest.raises(ValueError, match="n_displaced is 2.5, but there are 2 features"):
        NeuralSparseMap(n_displaced=2.5).fit(X, Y)


def test_maps_are_judged_by_held_out_points():
    random = np.random.RandomState(0)
    samples, held = ([random.standard_normal((20, 2)).astype(np.float32) for _ in range(2)] for _ in range(2))
    model = NeuralTransport(samples, held, Settings("l0", 0.1, 1e-3, 2, 8), (4, 2), np.random.RandomState(1))
    model.train(3, 0.1)
    images = model.source.gradient(held[0])
    moved = np.abs(images - held[0])
    judged = model.judge(float(np.median(moved)))
    assert judged.n_displaced == pytest.approx(np.mean(np.sum(moved > np.median(moved), axis=1)))
    assert judged.sliced == pytest.approx(sliced_distance(images, held[1], model.directions))
    assert model.size() == pytest.approx(np.sqrt(np.mean(moved**2)), rel=1e-5)


def test_held_out_points_are_not_trained_on():
    random = np.random.RandomState(0)
    samples = random.standard_normal((20, 2)), random.standard_normal((20, 2))
    outcomes = []
    for held in (samples, (samples[0] + 1e3, samples[1] - 1e3)):
        model = NeuralTransport(samples, held, Settings("l0", 0.1, 1e-3, 2, 8), (4, 2), np.random.RandomState(1))
        model.train(3, 0.1)
        outcomes.append(model.source.gradient(samples[0].astype(np.float32)))
    np.testing.assert_array_equal(*outcomes)
