"""What training must do: fall, judge by what was held out, go on where it was cut, and leave alone what it does not train."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import Status, UnrolledFISTA, UnrolledIHT, UnrolledISTA
from sparsecode.solvers.coordinate.batch import batch_lasso
from sparsecode.unrolled import TrainingProgress
from sparsecode.unrolled._training import Signals
from tests.unrolled.cuts import Cut
from tests.unrolled.naive import naive_codes

RNG = np.random.default_rng(0)
ATOMS = RNG.standard_normal((24, 12)) / np.sqrt(12)
CODES = (RNG.random((400, 24)) < 0.1) * RNG.standard_normal((400, 24))
X = CODES @ ATOMS + 0.02 * RNG.standard_normal((400, 12))
ALPHA = 0.1
QUICK = {"n_layers": 4, "steps_per_layer": 20, "max_iter": 200, "tol": 1e-3, "n_iter_no_change": 2, "random_state": 0}
KINDS = {
    "ista": (UnrolledISTA, {"alpha": ALPHA}),
    "fista": (UnrolledFISTA, {"alpha": ALPHA}),
    "analytic": (UnrolledISTA, {"alpha": ALPHA, "weights": "analytic"}),
    "coupled": (UnrolledISTA, {"alpha": ALPHA, "weights": "coupled"}),
    "free": (UnrolledISTA, {"alpha": ALPHA, "weights": "free", "share_weights": True}),
    "l0": (UnrolledIHT, {"alpha": 0.02}),
    "count": (UnrolledIHT, {"n_nonzero_coefs": 3}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def model_for(kind, **more):
    estimator, settings = KINDS[kind]
    return estimator(ATOMS, **{**QUICK, **settings, **more})


def plain(kind, n_iter):
    """The iterations that are unrolled, with the step that is sure to descend."""
    step, codes = 1.0 / np.linalg.norm(ATOMS, 2) ** 2, np.zeros((len(X), len(ATOMS)))
    for _ in range(n_iter):
        moved = codes - step * (codes @ ATOMS - X) @ ATOMS.T
        if kind == "ista":
            codes = np.sign(moved) * np.maximum(np.abs(moved) - step * ALPHA, 0.0)
        elif kind == "l0":
            codes = np.where(np.abs(moved) > np.sqrt(2 * step * 0.02), moved, 0.0)
        else:
            least = np.sort(np.abs(moved), axis=1)[:, -3:-2]
            codes = np.where(np.abs(moved) >= least, moved, 0.0)
    return codes


def objective(codes, alpha=ALPHA):
    return (0.5 * np.sum((X - codes @ ATOMS) ** 2) + alpha * np.sum(np.abs(codes))) / len(X)


@pytest.mark.parametrize("kind", ["ista", "l0", "count"])
def test_without_training_layers_are_plain_iterations(kind):
    model = model_for(kind, max_iter=1, steps_per_layer=0, learning_rate=1e-12).fit(X)
    np.testing.assert_allclose(model.transform(X), plain(kind, 4), rtol=1e-6, atol=1e-9)


@every_kind
@pytest.mark.parametrize("supervised", [True, False])
def test_training_lowers_the_loss(kind, supervised):
    codes = CODES if supervised else None
    first = model_for(kind, max_iter=1, steps_per_layer=0, learning_rate=1e-12).fit(X, codes)
    model = model_for(kind).fit(X, codes)
    assert model.loss_ == ("codes" if supervised else "objective")
    assert model.validation_loss_ < 0.97 * first.validation_loss_
    assert model.score(X, codes) > first.score(X, codes)
    if supervised:
        assert model.score(X, codes) == pytest.approx(-np.mean(np.sum((model.transform(X) - CODES) ** 2, axis=1)))
    elif kind == "ista":
        assert model.score(X) == pytest.approx(-objective(model.transform(X)))
        assert model.score(X, np.zeros(len(X))) == model.score(X)  # labels


def test_trained_without_codes_ista_comes_near_the_lasso_and_with_codes_nearer_to_them():
    settings = {"n_layers": 6, "max_iter": 400, "steps_per_layer": 40}
    alone, taught = (model_for("ista", **settings).fit(X, codes) for codes in (None, CODES))
    least = np.mean(batch_lasso(ATOMS, X, alpha=ALPHA).objectives)
    plain_gap = objective(plain("ista", 6)) - least
    gaps = [objective(model.transform(X)) - least for model in (alone, taught)]
    assert 0.0 <= gaps[0] < 0.5 * plain_gap  # of as many iterations
    assert gaps[0] < gaps[1]  # who is taught does not minimise the objective
    errors = [np.sum((model.transform(X) - CODES) ** 2) for model in (taught, alone)]
    assert errors[0] < errors[1] < np.sum((plain("ista", 6) - CODES) ** 2)
    assert alone.median_certificate_ < taught.median_certificate_


def test_thresholds_are_tied_or_learned():
    tied = model_for("ista").fit(X, CODES)
    np.testing.assert_allclose(tied.thresholds_, ALPHA * tied.steps_, rtol=1e-12)
    hard = model_for("l0").fit(X, CODES)
    np.testing.assert_allclose(hard.thresholds_, np.sqrt(2 * 0.02 * hard.steps_), rtol=1e-12)
    free = model_for("ista", thresholds="learned").fit(X, CODES)
    assert np.max(np.abs(free.thresholds_ / (ALPHA * free.steps_) - 1.0)) > 0.05


def test_only_what_is_named_is_trained():
    tied, analytic, shared, coupled = (
        model_for("ista", **more).fit(X, CODES)
        for more in (
            {},
            {"weights": "analytic"},
            {"weights": "coupled", "share_weights": True},
            {"weights": "coupled"},
        )
    )
    np.testing.assert_array_equal(tied.filters_, ATOMS[None])
    np.testing.assert_allclose(np.sum(analytic.filters_[0] * ATOMS, axis=1), np.sum(ATOMS**2, axis=1))
    assert shared.filters_.shape == (1, *ATOMS.shape) and coupled.filters_.shape == (4, *ATOMS.shape)
    assert np.max(np.abs(coupled.filters_ - ATOMS)) > 1e-3
    np.testing.assert_array_equal(coupled.components_, ATOMS)


def test_support_selection_lets_more_entries_pass_from_layer_to_layer():
    model = model_for("ista", weights="analytic", n_layers=5, support_selection=(0.04, 0.1)).fit(X, CODES)
    layers = model._parameters.layers()
    np.testing.assert_array_equal(layers.counts, [0, 1, 2, 2, 2])
    expected = [naive_codes(layers, signal)[-1] for signal in X[:20]]
    np.testing.assert_allclose(model.transform(X[:20]), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["fista", "coupled", "count"])
@pytest.mark.parametrize("cut", [2, 5])
def test_a_fit_that_was_cut_goes_on_with_the_same_bits(tmp_path, kind, cut):
    seen = []

    def stop(progress):
        assert isinstance(progress, TrainingProgress)
        seen.append(progress)
        if len(seen) == cut + 1:
            raise Cut

    whole = model_for(kind, batch_size=64).fit(X, CODES)
    path = tmp_path / "run"
    with pytest.raises(Cut):
        model_for(kind, batch_size=64, checkpoint=path, callback=stop).fit(X, CODES)
    resumed = model_for(kind, batch_size=64, checkpoint=path).fit(X, CODES)
    assert resumed.history_["loss"] == whole.history_["loss"] and resumed.n_iter_ == whole.n_iter_
    assert resumed.status_ is whole.status_
    for name in ("steps_", "thresholds_", "filters_"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))
    np.testing.assert_array_equal(resumed.transform(X), whole.transform(X))


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run"
    model_for("ista", checkpoint=path).fit(X)
    for other, codes, what in (
        (model_for("ista", checkpoint=path, n_layers=5), None, "n_layers"),
        (model_for("ista", checkpoint=path), CODES, "codes"),
        (model_for("fista", checkpoint=path), None, "UnrolledISTA"),
    ):
        with pytest.raises(ValueError, match=what):
            other.fit(X, codes)
    with pytest.raises(ValueError, match="max_iter=1"):
        model_for("ista", checkpoint=path, max_iter=1).fit(X)


def test_the_best_state_of_all_layers_is_kept():
    model = model_for("ista", learning_rate=0.3).fit(X)  # losses go up and down
    losses = [loss for loss, depth in zip(model.history_["loss"], model.history_["depth"], strict=True) if depth == 4]
    assert model.validation_loss_ <= min(losses) < losses[-1]


def test_warm_start_goes_on_from_the_last_layers():
    model = model_for("ista", max_iter=40, warm_start=True).fit(X)
    first = model.validation_loss_
    model.set_params(max_iter=400).fit(X)
    assert model.validation_loss_ <= first
    assert set(model.history_["depth"]) == {4}
    with pytest.raises(ValueError, match="warm_start"):
        model.set_params(n_layers=6).fit(X)


def test_a_callback_may_stop_and_what_was_not_trained_continues_the_last_layer():
    model = model_for("ista", callback=lambda progress: progress.depth == 2).fit(X)
    assert model.status_ is Status.INTERRUPTED
    np.testing.assert_array_equal(model.steps_[2:], model.steps_[1])


def test_a_fit_says_when_its_steps_ran_out_or_it_ran_away():
    with pytest.warns(ConvergenceWarning, match="max_iter=20") as caught:
        model = model_for("ista", max_iter=20, steps_per_layer=0).fit(X)
    assert model.status_ is Status.MAX_ITER and len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model_for("ista", max_iter=4000).fit(X).status_ is Status.CONVERGED


def test_a_rate_that_is_far_too_high_leaves_numbers():
    model = model_for("coupled", learning_rate=50.0).fit(X, CODES)
    assert np.all(np.isfinite(model.transform(X)))


def test_the_loss_that_is_told_is_that_of_the_layers_that_are_kept():
    seen = []

    def rises(progress):
        seen.append(progress.loss)
        return progress.loss > min(seen)

    model = model_for("ista", validation_fraction=0.0, learning_rate=1.0, steps_per_layer=0, callback=rises).fit(X)
    assert model.status_ is Status.INTERRUPTED and model.validation_loss_ < seen[-1]
    assert -model.score(X) / (0.5 * np.mean(np.sum(X**2, axis=1))) == pytest.approx(model.validation_loss_, rel=1e-9)


def test_rates_fall_after_as_many_looks_as_asked_for():
    model = model_for("ista", tol=1.0, n_iter_no_change=3, steps_per_layer=0, learning_rate=0.02).fit(X)
    np.testing.assert_allclose(model.history_["rate"], np.repeat([0.02, 0.006, 0.002], 3))
    assert model.status_ is Status.CONVERGED


def test_what_is_held_out_is_not_trained_on():
    rows = np.arange(50.0)[:, None]
    parts = model_for("ista", validation_fraction=0.3)._split_off(Signals(rows, rows), np.random.RandomState(0))
    assert [len(part.rows) for part in parts] == [35, 15]
    np.testing.assert_array_equal(np.sort(np.concatenate([part.rows[:, 0] for part in parts])), rows[:, 0])
    for part in parts:
        np.testing.assert_array_equal(part.rows, part.truth)


def test_a_layer_starts_from_what_the_one_before_has_learned():
    model = model_for("ista", n_layers=2, steps_per_layer=40, max_iter=1, learning_rate=0.05).fit(X)
    assert model.steps_[0] > 1.3 / np.linalg.norm(ATOMS, 2) ** 2
    assert abs(np.log(model.steps_[1] / model.steps_[0])) < 0.11  # what one step of all layers can put between them
