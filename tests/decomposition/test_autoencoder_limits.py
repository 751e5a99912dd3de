"""SparseAutoencoder where it starts, where it ends, and what it does with few, equal, or enormous signals."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import L0Ball, SparseAutoencoder, Status
from sparsecode.decomposition._autoencoder_loop import Pace, Rows, half_energy, measure, silent
from tests.decomposition.autoencoder_cases import QUICK, SHAPE, planted, pre_activations


@pytest.fixture(scope="module")
def signals():
    return planted(**SHAPE)[0]


@pytest.mark.parametrize("structure", ["flat", "transcoder", "matching_pursuit"])
def test_there_are_as_many_latents_as_atoms_to_start_from(signals, structure):
    given = {name: value for name, value in QUICK.items() if name != "n_components"} | {"structure": structure}
    y = signals[:, :5] if structure == "transcoder" else signals
    atoms = np.random.RandomState(4).standard_normal((7, y.shape[1]))
    one = SparseAutoencoder(dict_init=atoms, **given).fit(signals, y)
    other = SparseAutoencoder(7, dict_init=atoms, **given).fit(signals, y)
    assert one.encoder_.shape == (7, 12) and one.components_.shape == atoms.shape
    np.testing.assert_array_equal(one.encoder_, other.encoder_)
    for k, activation in ((8, {}), (None, {"activation": L0Ball(8, positive=True)})):
        with pytest.raises(ValueError, match="7 latents"):
            SparseAutoencoder(dict_init=atoms, **given | activation | {"n_nonzero_coefs": k}).fit(signals, y)


@pytest.mark.parametrize("activation", ["feature_choice", "feature_choice_zipf"])
def test_no_latent_is_dead_where_a_batch_has_fewer_entries_than_latents(signals, activation):
    given = QUICK | {"n_components": 250, "n_nonzero_coefs": 1, "batch_size": 100, "activation": activation}
    model = SparseAutoencoder(**given | {"max_iter": 10}).fit(signals)
    assert np.mean(model.density_ > 0) == 1.0
    assert np.mean(np.count_nonzero(model.transform(signals), axis=1)) < 2.0


@pytest.mark.parametrize("first", [1, 20])
def test_a_stream_that_begins_with_equal_signals_scales_like_any_other(signals, first):
    batches = [np.repeat(signals[:1], first, axis=0), *np.array_split(signals[1:], 8)]
    one, other = (SparseAutoencoder(**QUICK).fit_stream([s * batch for batch in batches]) for s in (1.0, 1e-6))
    assert other.objective_ == pytest.approx(1e-12 * one.objective_, rel=1e-6)
    np.testing.assert_allclose(other.transform(1e-6 * signals), 1e-6 * one.transform(signals), rtol=1e-5, atol=1e-11)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype, rate", [(np.float64, 1e300), (np.float32, 1e41), (np.float64, np.finfo(float).max)])
def test_a_last_step_out_of_the_range_of_numbers_is_noticed(signals, dtype, rate):
    X = signals[:150].astype(dtype)
    model = SparseAutoencoder(**QUICK | {"learning_rate": rate, "max_iter": 1})
    with pytest.raises(ValueError, match="left the range of numbers"):
        model.fit(X)
    kept = SparseAutoencoder(**QUICK).fit(X)
    before = kept.transform(X)
    with pytest.raises(ValueError, match="left the range of numbers"):
        kept.set_params(learning_rate=rate).partial_fit(X)
    np.testing.assert_array_equal(kept.transform(X), before)


def test_gradients_of_a_transcoder_are_as_wide_as_its_targets(signals):
    y = np.maximum(signals @ np.random.RandomState(2).standard_normal((12, 5)), 0)
    slopes = np.random.RandomState(5).standard_normal(y.shape)
    model = SparseAutoencoder(**QUICK | {"activation": "gradient_topk", "structure": "transcoder"})
    model.fit(signals, y, gradients=slopes)
    pre = np.maximum(pre_activations(model, signals), 0)
    score = pre * np.abs(slopes @ model.components_.T)
    expected = np.where(score >= np.sort(score, axis=1)[:, -2, None], pre, 0)
    np.testing.assert_allclose(model.transform(signals, gradients=slopes), expected, atol=1e-10)
    with pytest.raises(ValueError, match="gradients has 12 columns; it needs the 5"):
        model.transform(signals, gradients=signals)


def test_a_fit_goes_on_with_the_targets_it_had(signals):
    flat = SparseAutoencoder(**QUICK).fit(signals)
    with pytest.raises(ValueError, match="so far reconstructs the signals, and this one would reconstruct 12 columns"):
        flat.set_params(structure="transcoder").partial_fit(signals, signals)
    transcoder = SparseAutoencoder(**QUICK | {"structure": "transcoder"}).fit(signals, signals[:, :4])
    with pytest.raises(ValueError, match="4 columns of y, and this one would reconstruct 5"):
        transcoder.partial_fit(signals, signals[:, :5])
    assert transcoder.partial_fit(signals, signals[:, :4]).components_.shape == (20, 4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [1e-200, 1e170, 1e300])
def test_signals_whose_squares_leave_the_range_are_refused_by_name(signals, factor):
    with pytest.raises(ValueError, match="X has a row"):
        SparseAutoencoder(**QUICK).fit(factor * signals)


def test_a_run_that_was_cut_between_resamplings_goes_on_bit_for_bit(signals, tmp_path):
    given = QUICK | {"n_components": 60, "batch_size": 15, "max_iter": 4, "dead_latents": "resample", "dead_after": 200}
    whole = SparseAutoencoder(**given).fit(signals)
    replaced = whole.history_["replaced"]
    assert 0 < replaced[0] < replaced[1] == replaced[3]  # none begins anew while the learning rate falls
    given["checkpoint"] = tmp_path / "run.npz"
    SparseAutoencoder(**given, callback=lambda progress: progress.epoch == 1).fit(signals)
    again = SparseAutoencoder(**given).fit(signals)
    assert again.history_["replaced"] == replaced
    np.testing.assert_array_equal(again.components_, whole.components_)
    np.testing.assert_array_equal(again.encoder_, whole.encoder_)


def test_more_passes_go_on_from_a_run_whose_rate_had_not_fallen(signals, tmp_path):
    """Of two hundred steps a pass, so that it rises over the first hundred in both."""
    given = QUICK | {"batch_size": 5, "checkpoint": tmp_path / "run.npz"}
    whole = SparseAutoencoder(**given | {"max_iter": 14, "checkpoint": None}).fit(signals[:1000])
    cut = SparseAutoencoder(**given | {"max_iter": 10}, callback=lambda progress: progress.epoch == 4)
    assert cut.fit(signals[:1000]).status_ is Status.INTERRUPTED
    again = SparseAutoencoder(**given | {"max_iter": 14}).fit(signals[:1000])
    assert again.history_["objective"] == whole.history_["objective"] and again.objective_ == whole.objective_
    np.testing.assert_array_equal(again.encoder_, whole.encoder_)


def test_other_numbers_of_passes_are_refused_with_the_reason(signals, tmp_path):
    given = QUICK | {"checkpoint": tmp_path / "run.npz"}
    SparseAutoencoder(**given | {"max_iter": 4}).fit(signals)
    content = (tmp_path / "run.npz").read_bytes()
    with pytest.raises(ValueError, match="max_iter was 4, and is now 8, which would have had other learning rates"):
        SparseAutoencoder(**given | {"max_iter": 8}).fit(signals)
    with pytest.raises(ValueError, match="has 4 passes behind it, but max_iter=3; raise max_iter"):
        SparseAutoencoder(**given | {"max_iter": 3}).fit(signals)
    with pytest.raises(ValueError, match="estimator method was 'fit', and is now 'fit_stream'"):
        SparseAutoencoder(**given | {"max_iter": 4}).fit_stream([signals])
    assert (tmp_path / "run.npz").read_bytes() == content
    given["checkpoint"] = tmp_path / "stream.npz"
    SparseAutoencoder(**given).fit_stream(np.array_split(signals, 3))
    with pytest.raises(ValueError, match="estimator method was 'fit_stream', and is now 'fit'"):
        SparseAutoencoder(**given).fit(signals)


def test_the_learning_rate_rises_stays_and_falls():
    pace = Pace(10, 32, 2.0, True)  # 200 steps: 10 to rise over, 60 to fall over
    rates = [pace.rate(step, 20) for step in range(200)]
    np.testing.assert_allclose(rates[:10], 0.2 * np.arange(1, 11))
    np.testing.assert_allclose(rates[10:141], 2.0)
    np.testing.assert_allclose(rates[140:], np.arange(60, 0, -1) / 30)
    assert not pace.falls(139, 20) and pace.falls(140, 20)
    assert Pace(100, 32, 1.0, True).rate(99, 100) == 1.0 > Pace(100, 32, 1.0, True).rate(98, 100)
    np.testing.assert_allclose([pace.of_stream(step) for step in (0, 49, 99, 10**6)], [0.02, 1.0, 2.0, 2.0])


def test_without_shuffling_the_seed_only_draws_the_first_atoms(signals):
    atoms = np.random.RandomState(4).standard_normal((20, 12))
    for shuffle in (False, True):
        one, other = (
            SparseAutoencoder(**QUICK | {"dict_init": atoms, "shuffle": shuffle, "random_state": seed}).fit(signals)
            for seed in (0, 1)
        )
        assert np.array_equal(one.components_, other.components_) != shuffle


def test_defaults_are_those_of_the_docstring():
    X = np.random.RandomState(0).standard_normal((300, 35)) * np.linspace(1, 3, 35)
    model = SparseAutoencoder(max_iter=1, random_state=0).fit(X)
    assert model.encoder_.shape == (140, 35)
    assert np.all(np.count_nonzero(model.transform(X), axis=1) == 3)
    (aux,) = model._learner.terms
    assert aux.after == 4667  # a hundred times as many signals as lie between two of an average latent: 140 / 3
    priced = SparseAutoencoder(activation="relu", max_iter=1, random_state=0).fit(X)
    assert priced.alpha_ == pytest.approx(1.2 * np.sqrt(np.mean((X - priced._frame.center) ** 2)))
    assert priced._learner.terms == ()
    rate = 5e-4 * np.sqrt(2**14 / 140)
    named = SparseAutoencoder(max_iter=1, random_state=0, learning_rate=rate).fit(X)
    np.testing.assert_array_equal(named.components_, model.components_)


def test_training_begins_tied_and_with_as_many_entries_as_wanted(signals):
    still = QUICK | {"learning_rate": 1e-12, "max_iter": 1}
    cosines = {}
    for structure in ("flat", "transcoder"):
        model = SparseAutoencoder(**still | {"structure": structure}).fit(signals, signals)
        cosines[structure] = np.sum(model.encoder_ * model.components_, axis=1)
    np.testing.assert_allclose(cosines["flat"], 1.0, rtol=1e-6)
    assert np.max(np.abs(cosines["transcoder"])) < 0.95  # other targets, so nothing says that directions are shared
    jump = SparseAutoencoder(**still | {"activation": "jumprelu"}).fit(signals)
    assert np.mean(np.count_nonzero(jump.transform(signals), axis=1)) == pytest.approx(2.0, rel=0.15)


def test_training_that_leaves_the_range_of_numbers_is_refused(signals):
    model = SparseAutoencoder(**QUICK | {"learning_rate": 1e300})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(ValueError, match="left the range of numbers"):
            model.fit(signals)
    assert not hasattr(model, "components_")


def test_constant_signals_have_empty_codes_and_no_error():
    X = np.full((40, 3), 7.0)
    model = SparseAutoencoder(5, n_nonzero_coefs=1, max_iter=3, tol=1e-3, random_state=0).fit(X)
    assert model.status_ is Status.CONVERGED and model.objective_ == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), X)


@pytest.mark.parametrize("activation", ["topk", "abstopk", "batchtopk", "feature_choice", "relu", "jumprelu"])
@pytest.mark.parametrize("tol", [None, 1e-3])
def test_a_learning_rate_far_too_large_is_blamed_and_nothing_else(signals, activation, tol):
    count = None if activation == "relu" else 2
    given = QUICK | {"activation": activation, "n_nonzero_coefs": count, "tol": tol, "max_iter": 5}
    with pytest.warns(ConvergenceWarning, match="training diverged.*lower learning_rate") as caught:
        model = SparseAutoencoder(**given | {"learning_rate": 100.0}).fit(signals)
    assert len(caught) == 1 and model.status_ is Status.DIVERGED
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert SparseAutoencoder(**given | {"tol": None}).fit(signals).status_ is Status.CONVERGED


def test_a_code_without_entries_costs_half_the_energy_about_the_geometric_median(signals):
    model = SparseAutoencoder(**QUICK).fit(signals)
    half = 0.5 * np.mean(np.sum((signals - model._frame.center) ** 2, axis=1))
    assert half_energy(Rows(signals), model._frame, 200) == pytest.approx(half)
    found = measure(silent(model._learner), Rows(signals), model._frame, 200, n_jobs=1)
    assert found.objective == pytest.approx(half)


def test_what_is_no_harm_is_not_warned_of(signals):
    """Matching pursuit cannot do worse than nothing; a number of entries that is not met yet is no loss; a bad start gets better."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in (
            {"structure": "matching_pursuit", "learning_rate": 1.0},
            {"activation": "jumprelu", "n_nonzero_coefs": 1, "max_iter": 10},
            {"n_nonzero_coefs": 15, "max_iter": 1},
        ):
            assert SparseAutoencoder(**QUICK | given).fit(signals).status_ is Status.CONVERGED


def test_a_stream_is_judged_by_its_last_batch(signals):
    batches = np.array_split(signals, 6)
    with pytest.warns(ConvergenceWarning, match="training diverged.*lower learning_rate") as caught:
        model = SparseAutoencoder(**QUICK | {"learning_rate": 100.0}).fit_stream(batches)
    assert len(caught) == 1 and model.status_ is Status.DIVERGED
    assert SparseAutoencoder(**QUICK).fit_stream(batches).status_ is Status.CONVERGED


def test_falling_short_of_a_tolerance_is_said_once(signals):
    with pytest.warns(ConvergenceWarning, match="relative gradient norm .* after 3 passes") as caught:
        model = SparseAutoencoder(**QUICK | {"tol": 1e-12}).fit(signals)
    assert len(caught) == 1 and model.status_ is Status.MAX_ITER
    assert SparseAutoencoder(**QUICK | {"tol": 1e3, "max_iter": 50}).fit(signals).n_iter_ == 1


@pytest.mark.parametrize(
    "given, name", [({"structure": "transcoder"}, "y"), ({"activation": "gradient_topk"}, "gradients")]
)
def test_a_checkpoint_knows_what_came_beside_the_signals(signals, given, name, tmp_path):
    model = SparseAutoencoder(**QUICK | given | {"checkpoint": tmp_path / "run.npz", "max_iter": 1})
    model.fit(signals, **{name: signals**2})
    with pytest.raises(ValueError, match="is of another run"):
        model.fit(signals, **{name: signals**3})


@pytest.mark.parametrize("structure", ["flat", "transcoder"])
def test_only_signals_that_are_their_own_targets_give_encoders_the_residual(signals, structure):
    model = SparseAutoencoder(**QUICK | {"structure": structure, "dead_latents": "resample"}).fit(signals, signals)
    assert model._learner.renewal.tied == (structure == "flat")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_status_is_that_of_the_last_parameters(signals):
    """And not of the last pass, whose batches were seen by parameters on their way."""
    plain = SparseAutoencoder(**QUICK).fit(signals)
    tol = 0.5 * (plain.certificate_ + plain.history_["certificate"][-1])
    assert plain.certificate_ != tol
    model = SparseAutoencoder(**QUICK | {"tol": tol}).fit(signals)
    assert (model.status_ is Status.CONVERGED) == (model.certificate_ <= tol)
