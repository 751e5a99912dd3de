"""Checkpoints, warm starts and callbacks of the two networks: a run that was cut goes on with the same bits."""

from contextlib import suppress

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sparsecode import CompoundGaussianNetwork, LearnedProximalNetwork, Status
from sparsecode.unrolled import TrainingProgress
from sparsecode.unrolled._matching import _Run
from tests._backends import namespace
from tests.unrolled.cuts import Cut, cut_after

RNG = np.random.default_rng(3)
ATOMS = RNG.standard_normal((12, 8))
CODES = (RNG.random((40, 12)) < 0.2) * RNG.standard_normal((40, 12))
X = CODES @ ATOMS
PROX = {"regulariser": "prox", "learning_rate": 0.05, "batch_size": 7, "max_iter": 8, "random_state": 0}
NETWORK = {"n_layers": 1, "n_texture_steps": 1, "n_conv_layers": 2, "n_channels": 3, "max_iter": 4, "random_state": 0}
MATCH = {"pretrain_steps": 70, "n_steps": 80, "batch_size": 32, "width": 8}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def _same(one, other):
    assert one.history_["loss"] == other.history_["loss"] and one.status_ is other.status_
    assert one.training_loss_ == other.training_loss_ and one.certificate_ == other.certificate_
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


@pytest.mark.parametrize("settings", [PROX, NETWORK], ids=["prox", "network"])
@pytest.mark.parametrize("codes", [None, CODES])
def test_compound_layers_that_were_cut_go_on_bit_for_bit(settings, codes, tmp_path):
    if settings is NETWORK:
        namespace("torch")
    model = CompoundGaussianNetwork(ATOMS, checkpoint=tmp_path / "run", **settings)
    whole = clone(model).set_params(checkpoint=None).fit(X, codes)
    with pytest.raises(Cut):
        clone(model).set_params(callback=cut_after(2)).fit(X, codes)
    _same(clone(model).fit(X, codes), whole)


def test_more_passes_go_on_from_fewer(tmp_path):
    model = CompoundGaussianNetwork(ATOMS, checkpoint=tmp_path / "run", **PROX)
    whole = clone(model).set_params(checkpoint=None).fit(X, CODES)
    clone(model).set_params(max_iter=3).fit(X, CODES)
    _same(clone(model).fit(X, CODES), whole)
    with pytest.raises(ValueError, match="8 passes behind it, but max_iter=3"):
        clone(model).set_params(max_iter=3).fit(X, CODES)
    for other in ((X, None), (2 * X, CODES)):
        with pytest.raises(ValueError, match="is of another run"):
            clone(model).fit(*other)
    with pytest.raises(ValueError, match="learning_rate was 0.05"):
        clone(model).set_params(learning_rate=0.1).fit(X, CODES)


def test_a_warm_start_goes_on_from_the_layers_also_elsewhere(tmp_path):
    begun = [CompoundGaussianNetwork(ATOMS, **PROX).fit(2 * X, 2 * CODES).set_params(warm_start=True) for _ in "ab"]
    before = begun[0].training_loss_
    whole = begun[0].fit(X, CODES)
    assert whole.history_["loss"][0] < before * 1.5
    with pytest.raises(Cut):
        begun[1].set_params(checkpoint=tmp_path / "run", callback=cut_after(1)).fit(X, CODES)
    _same(CompoundGaussianNetwork(ATOMS, checkpoint=tmp_path / "run", **PROX).fit(X, CODES), whole)
    with pytest.raises(ValueError, match="warm_start=True goes on from the layers"):
        whole.set_params(n_layers=2).fit(X, CODES)


def test_a_callback_sees_every_pass_and_may_stop():
    seen = []
    model = CompoundGaussianNetwork(ATOMS, callback=lambda at: seen.append(at) or len(seen) == 3, **PROX).fit(X, CODES)
    assert model.status_ is Status.INTERRUPTED and model.n_iter_ == 3
    assert all(isinstance(at, TrainingProgress) for at in seen)
    assert [at.loss for at in seen] == model.history_["loss"] and seen[0].step == 6


def test_a_learning_rate_far_too_large_is_blamed():
    for rate in (5.0, 1e6):
        with pytest.warns(ConvergenceWarning, match="lower learning_rate.*best state so far is kept") as caught:
            model = CompoundGaussianNetwork(ATOMS, **PROX | {"learning_rate": rate}).fit(X, CODES)
        assert len(caught) == 1 and model.status_ is Status.DIVERGED
    laplace = RNG.laplace(size=(500, 2))
    for rate in (10.0, 1e6):
        with pytest.warns(ConvergenceWarning, match="lower learning_rate.*weights from before are kept") as caught:
            model = LearnedProximalNetwork(learning_rate=rate, random_state=0, **MATCH).fit(laplace)
        assert len(caught) == 1 and model.status_ is Status.DIVERGED and model.score(laplace) > -3


@pytest.mark.parametrize("refine_steps", [0, 3])
@pytest.mark.parametrize("saves", [1, 2, 3, 4, 5])  # at steps 50, 70, 100 and 150, and behind the refinement
def test_matching_that_was_cut_goes_on_bit_for_bit(refine_steps, saves, tmp_path, monkeypatch):
    signals = np.random.default_rng(0).laplace(size=(500, 2))
    whole = LearnedProximalNetwork(refine_steps=refine_steps, random_state=1, **MATCH).fit(signals)
    keep, done = _Run._keep, []

    def cut(run):
        keep(run)
        done.append(run.step)
        if len(done) == saves:
            raise Cut

    model = LearnedProximalNetwork(refine_steps=refine_steps, checkpoint=tmp_path / "run", **MATCH)
    monkeypatch.setattr(_Run, "_keep", cut)
    with suppress(Cut):  # without a refinement there are four only
        clone(model).set_params(random_state=np.random.RandomState(1)).fit(signals)
    assert done == [50, 70, 100, 150, 150][: saves if refine_steps else min(saves, 4)]
    monkeypatch.setattr(_Run, "_keep", keep)
    resumed = clone(model).set_params(random_state=np.random.RandomState(9)).fit(signals)
    assert resumed.history_ == whole.history_ and resumed.gamma_ == whole.gamma_
    assert resumed.certificate_ == whole.certificate_
    np.testing.assert_array_equal(resumed.transform(signals), whole.transform(signals))
