"""Stages of training: when they begin and end, what they start from, what one step does, and that a cut changes none of it."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import Status, UnrolledFISTA, UnrolledIHT, UnrolledISTA
from sparsecode.unrolled._parameters import Parameters
from sparsecode.unrolled._training import Settings, Signals, _Run
from tests.unrolled.cases import ALPHA, problem
from tests.unrolled.cuts import Cut
from tests.unrolled.naive import naive_loss

ATOMS, X, CODES = problem(n=60)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def run_of(n_layers=4, steps_per_layer=20, truth=None, **settings):
    found = Parameters(
        ATOMS, n_layers=n_layers, rule="soft", weights="tied", shared=False, trains_levels=True,
        accelerated=True, alpha=ALPHA, counts=np.zeros(n_layers, dtype=np.int64),
    )  # fmt: skip
    signals = Signals(X, truth)
    given = {"max_iter": 100, "rate": 0.02, "batch_size": 60, "tol": 1e-3, "patience": 2, "n_jobs": 1, **settings}
    return _Run(found, signals, signals, Settings(steps_per_layer, **given), np.random.RandomState(0), False)


def test_losses_are_looked_at_every_twenty_steps_and_at_the_end_of_a_stage():
    settings = {"steps_per_layer": 30, "max_iter": 50, "tol": 0.0, "n_iter_no_change": 100, "random_state": 0}
    model = UnrolledISTA(ATOMS, n_layers=3, **settings).fit(X)
    assert model.history_["step"] == [20, 30, 50, 60, 80, 100, 110]
    assert model.history_["depth"] == [1, 1, 2, 2, 3, 3, 3]
    assert model.n_iter_ == 110 and model.status_ is Status.MAX_ITER


@pytest.mark.parametrize("supervised", [False, True])
def test_a_step_is_adams_along_the_slope_of_the_mean_loss_over_that_of_zero_codes(supervised):
    run = run_of(truth=CODES if supervised else None)
    run.stage = 3
    layers = run.parameters.layers()
    zero = np.sum(CODES**2) if supervised else 0.5 * np.sum(X**2)
    expected = []
    for name, array in run.parameters.arrays.items():
        slopes = np.zeros_like(array)
        for k in range(1 if name == "momenta" else 0, 4):
            sides = []
            for change in (1e-6, -1e-6):
                before = array[k]
                array[k] = before + change
                sides.append(naive_loss(run.parameters.layers(), X, run.signals.truth, ALPHA))
                array[k] = before
            slopes[k] = (sides[0] - sides[1]) / 2e-6 / zero
        expected.append(slopes)
    np.testing.assert_array_equal(run.parameters.layers().steps, layers.steps)
    size = np.sqrt(sum(np.sum(part**2) for part in expected))
    assert run._step()
    for mean, slopes in zip(run.adam.means, expected, strict=True):
        np.testing.assert_allclose(mean, 0.1 * slopes / max(size, 1.0), rtol=1e-4, atol=1e-8)


def test_slopes_that_are_longer_than_one_are_shrunk():
    run = run_of()
    run.scale *= 1e-6
    assert run._step()
    assert np.sqrt(sum(np.sum(mean**2) for mean in run.adam.means)) == pytest.approx(0.1)


def test_a_layer_that_ran_away_becomes_what_the_one_before_is():
    run = run_of()
    steps = run.parameters.arrays["log_steps"]
    steps[0] += 1.0
    run.in_stage = 20
    run.judge(0.5)  # layer 1 begins
    assert run.stage == 1 and steps[1] == steps[0]
    learned = steps[0]
    steps[:2] = np.nan
    run.judge(np.inf)
    assert run.stage == 2 and run.in_stage == 0
    np.testing.assert_array_equal(steps[:3], learned)


def test_a_lower_rate_begins_with_the_best_state_and_a_fresh_optimiser():
    run = run_of(steps_per_layer=0)
    arrays = run.parameters.arrays
    run._step()
    run.judge(0.1)
    best = run.parameters.copies()
    for loss in (0.2, 0.1):  # as good is no fall
        run._step()
        run.judge(loss)
    assert run.stage == 1 and run.rate == pytest.approx(0.3 * 0.02)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, best[name])
    assert run.adam.count == 0 and not any(np.any(mean) for mean in run.adam.means)


@pytest.mark.parametrize(
    "settings",
    [
        {"steps_per_layer": 60, "tol": 1e-3},  # looks within the stage of a layer
        {"steps_per_layer": 0, "tol": 1.0, "max_iter": 200},  # looks without a fall, to the end
        {"steps_per_layer": 20, "tol": 1e-3, "learning_rate": 0.5},  # the best state is not the last
    ],
    ids=["growing", "stale", "best"],
)
def test_a_fit_may_be_cut_at_every_look(tmp_path, settings):
    settings = {"n_layers": 3, "max_iter": 140, "n_iter_no_change": 3, "random_state": 0, "batch_size": 20, **settings}
    whole = UnrolledFISTA(ATOMS, **settings).fit(X)
    for cut in range(1, len(whole.history_["loss"]) + 1):
        path, seen = tmp_path / f"run{cut}", []

        def stop(progress, seen=seen, cut=cut):
            seen.append(progress)
            if len(seen) == cut:
                raise Cut

        with pytest.raises(Cut):
            UnrolledFISTA(ATOMS, checkpoint=path, callback=stop, **settings).fit(X)
        resumed = UnrolledFISTA(ATOMS, checkpoint=path, **settings).fit(X)
        for name in ("step", "depth", "rate", "loss"):
            assert resumed.history_[name] == whole.history_[name], cut
        assert resumed.status_ is whole.status_ and resumed.validation_loss_ == whole.validation_loss_
        np.testing.assert_array_equal(resumed.steps_, whole.steps_)
        np.testing.assert_array_equal(resumed.momenta_, whole.momenta_)


def test_a_warm_start_keeps_its_strength_unless_another_is_given():
    settings = {"n_layers": 2, "steps_per_layer": 5, "max_iter": 20, "random_state": 0}
    first = UnrolledISTA(ATOMS, **settings).fit(X).alpha_
    model = UnrolledISTA(ATOMS, warm_start=True, **settings).fit(X)
    assert model.fit(3 * X).alpha_ == first
    assert model.set_params(alpha=0.25).fit(X).alpha_ == 0.25
    np.testing.assert_allclose(model.thresholds_, 0.25 * model.steps_, rtol=1e-12)


def test_certificates_are_the_largest_and_the_median_of_the_signals():
    model = UnrolledISTA(ATOMS, n_layers=2, max_iter=20, random_state=0).fit(X)
    found = model.encode(X).certificate
    assert model.certificate_ == pytest.approx(np.max(found))
    assert model.median_certificate_ == pytest.approx(np.median(found)) != pytest.approx(np.mean(found))


def test_layers_that_are_no_better_than_zero_codes_say_so():
    """Taught the opposite of what signals hold, they can only shorten their steps."""
    settings = {"n_layers": 1, "tol": 1e-2, "n_iter_no_change": 1, "random_state": 0, "alpha": ALPHA}
    with pytest.warns(ConvergenceWarning, match="no better than codes that are zero"):
        model = UnrolledISTA(ATOMS, **settings).fit(X, -CODES)
    assert model.status_ is Status.CONVERGED and model.validation_loss_ > 1.0


def test_strength_and_count_by_default_are_those_of_the_docstring():
    settings = {"n_layers": 1, "steps_per_layer": 0, "max_iter": 1}
    strengths = np.max(np.abs(X @ ATOMS.T), axis=1)  # at which the code of a signal is zero
    assert UnrolledISTA(ATOMS, **settings).fit(X).alpha_ == pytest.approx(0.1 * np.median(strengths))
    rng = np.random.default_rng(0)
    signals, atoms = rng.standard_normal((20, 20)), rng.standard_normal((45, 20))
    assert UnrolledIHT(atoms, **settings).fit(signals).n_nonzero_coefs_ == 2  # a tenth of the width
    assert UnrolledIHT(ATOMS, **settings).fit(X).n_nonzero_coefs_ == 1


def test_the_certificate_of_a_count_is_how_far_a_step_of_fixed_iht_moves_the_codes():
    model = UnrolledIHT(ATOMS, n_layers=3, n_nonzero_coefs=3, max_iter=20, random_state=0).fit(X)
    codes = model.transform(X)
    moved = codes + 0.99 / np.linalg.norm(ATOMS, 2) ** 2 * (X - codes @ ATOMS) @ ATOMS.T
    kept = np.where(np.abs(moved) >= np.sort(np.abs(moved), axis=1)[:, -3:-2], moved, 0.0)
    expected = np.linalg.norm(codes - kept, axis=1) / np.linalg.norm(codes, axis=1)
    np.testing.assert_allclose(model.encode(X).certificate, expected, rtol=1e-2)  # the norm of the atoms is estimated
