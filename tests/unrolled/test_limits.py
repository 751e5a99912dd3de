"""Where unrolled solvers could go wrong in silence: ranges of numbers, units, zeros, and cuts of runs that began elsewhere."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sparsecode import CompoundGaussianNetwork, Status, UnrolledFISTA, UnrolledIHT, UnrolledISTA
from tests._backends import FOREIGN, put
from tests.unrolled.cuts import Cut, cut_after

RNG = np.random.default_rng(0)
ATOMS = RNG.standard_normal((20, 10)) / np.sqrt(10)
CODES = (RNG.random((120, 20)) < 0.1) * RNG.standard_normal((120, 20))
X = CODES @ ATOMS + 0.02 * RNG.standard_normal((120, 10))
QUICK = {"n_layers": 3, "steps_per_layer": 10, "max_iter": 40, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_signals_out_of_range_are_refused_where_they_are_coded():
    model = UnrolledISTA(ATOMS, **QUICK).fit(X)
    for rows in (np.full((2, 10), 3e38, dtype=np.float32), 1e300 * X, 1e-300 * X):
        with pytest.raises(ValueError, match="leaves the range"):
            model.transform(rows)


@pytest.mark.parametrize("backend", FOREIGN)
def test_other_namespaces_refuse_them_too_and_score_what_is_sparse(backend):
    model = UnrolledISTA(ATOMS, sparse_output=True, **QUICK)
    with pytest.raises(ValueError, match="leaves the range"):
        model.fit(put(1e300 * X, backend))
    here, there = model.fit(X).score(X), model.fit(put(X, backend)).score(put(X, backend))
    assert there == pytest.approx(here, rel=1e-6)


def test_codes_that_are_all_zero_are_blamed_on_alpha():
    """The loss held out is over that of zero codes for the same signals."""
    for seed in range(3):
        with pytest.warns(ConvergenceWarning, match="all codes are zero.* lower alpha") as caught:
            model = UnrolledISTA(ATOMS, alpha=1e3, **{**QUICK, "random_state": seed}).fit(X[:40] ** 3)
        assert len(caught) == 1 and f"above {np.abs(X[:40] ** 3 @ ATOMS.T).max():.3g};" in str(caught[0].message)
        assert not np.any(model.transform(X)) and model.status_ is Status.CONVERGED
        assert model.validation_loss_ == 1.0


@pytest.mark.parametrize("model", [UnrolledISTA(ATOMS, alpha=0.1, **QUICK), UnrolledIHT(ATOMS, **QUICK)])
@pytest.mark.parametrize("codes", [None, 0 * CODES])
def test_signals_of_zeros_are_coded_in_silence(model, codes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(model).fit(0 * X, codes)


@pytest.mark.parametrize("kind", [UnrolledISTA, UnrolledFISTA, UnrolledIHT])
@pytest.mark.parametrize("rate", [10.0, 1e6])
@pytest.mark.parametrize("codes", [None, CODES])
@pytest.mark.parametrize("weights", ["tied", "coupled"])
def test_a_rate_far_too_large_is_blamed_and_nothing_else(kind, rate, codes, weights):
    model = kind(ATOMS, weights=weights, **{**QUICK, "learning_rate": rate})
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, codes)
    assert [warning.category for warning in caught] == [ConvergenceWarning]
    assert "lower learning_rate" in str(caught[0].message) and model.status_ is Status.DIVERGED


def test_a_large_share_may_be_held_out():
    losses = [UnrolledISTA(ATOMS, validation_fraction=share, **QUICK).fit(X).validation_loss_ for share in (0.0, 0.8)]
    assert losses[0] != losses[1]


def test_signals_of_zeros_do_not_choose_alpha():
    alone = UnrolledISTA(ATOMS, **QUICK).fit(X)
    beside = UnrolledISTA(ATOMS, **QUICK).fit(np.concatenate([X, np.zeros((200, 10))]))
    assert beside.alpha_ == alone.alpha_
    found = [
        CompoundGaussianNetwork(ATOMS, regulariser="prox", max_iter=1).fit(1e-3 * rows).scale_
        for rows in (X, np.concatenate([X, np.zeros((200, 10))]))
    ]
    assert found[0] == found[1] < 0.1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("model", [UnrolledISTA(0 * ATOMS, **QUICK), UnrolledIHT(0 * ATOMS, **QUICK)])
def test_atoms_of_zeros_have_codes_of_zeros_and_a_certificate(model, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model.fit(X.astype(dtype))
    assert not np.any(model.transform(X)) and model.certificate_ <= 1e-6


@pytest.mark.parametrize("kind", [UnrolledISTA, UnrolledFISTA])
@pytest.mark.parametrize("supervised", [False, True])
@pytest.mark.parametrize("scale", [2.0**-83, 2.0**83])  # squares are out of the range of single precision
def test_units_do_not_matter_in_single_precision(kind, supervised, scale):
    found = []
    for unit in (1.0, scale):
        rows, codes = (unit * part.astype(np.float32) for part in (X, CODES))
        found.append(kind(ATOMS, **QUICK).fit(rows, codes if supervised else None))
    assert found[1].validation_loss_ == pytest.approx(found[0].validation_loss_, rel=1e-3)
    np.testing.assert_allclose(found[1].steps_, found[0].steps_, rtol=1e-2)


def test_layers_begin_as_iterations_of_fista():
    """Beck and Teboulle's iteration, written out."""
    alpha, step = 0.1, 1.0 / np.linalg.norm(ATOMS, 2) ** 2
    code = point = np.zeros((len(X), 20))
    t = 1.0
    for _ in range(5):
        moved = point - step * (point @ ATOMS - X) @ ATOMS.T
        after, later = np.sign(moved) * np.maximum(np.abs(moved) - step * alpha, 0.0), (1 + np.sqrt(1 + 4 * t * t)) / 2
        point, code, t = after + (t - 1.0) / later * (after - code), after, later
    settings = {**QUICK, "n_layers": 5, "max_iter": 1, "steps_per_layer": 0, "learning_rate": 1e-12}
    model = UnrolledFISTA(ATOMS, alpha=alpha, **settings).fit(X)
    np.testing.assert_allclose(model.transform(X), code, rtol=1e-6, atol=1e-9)


def test_the_same_signals_are_held_out_after_a_cut_whatever_the_generator(tmp_path):
    settings = {**QUICK, "batch_size": 32, "checkpoint": tmp_path / "run"}
    whole = UnrolledISTA(
        ATOMS, **{**settings, "random_state": np.random.RandomState(5), "checkpoint": tmp_path / "whole"}
    ).fit(X)
    with pytest.raises(Cut):
        UnrolledISTA(ATOMS, **{**settings, "random_state": np.random.RandomState(5)}, callback=cut_after(2)).fit(X)
    resumed = UnrolledISTA(ATOMS, **{**settings, "random_state": np.random.RandomState(9)}).fit(X)
    assert resumed.history_["loss"] == whole.history_["loss"]
    np.testing.assert_array_equal(resumed.steps_, whole.steps_)


def test_a_warm_start_that_was_cut_goes_on_elsewhere(tmp_path):
    """What the run began with is in the file: layers that are not grown again, and their alpha."""
    settings = {**QUICK, "batch_size": 32}
    begun = [UnrolledISTA(ATOMS, **settings).fit(2 * X).set_params(warm_start=True) for _ in range(2)]
    whole = begun[0].fit(X)
    with pytest.raises(Cut):
        begun[1].set_params(checkpoint=tmp_path / "run", callback=cut_after(1)).fit(X)
    resumed = UnrolledISTA(ATOMS, checkpoint=tmp_path / "run", **settings).fit(X)
    assert resumed.alpha_ == whole.alpha_ and set(resumed.history_["depth"]) == {3}
    assert resumed.history_["loss"] == whole.history_["loss"]
    np.testing.assert_array_equal(resumed.steps_, whole.steps_)
