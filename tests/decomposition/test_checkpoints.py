"""Laws of checkpoints: a run that was cut and goes on has the bits of one that was not; what does not fit is refused, and nothing lost."""

import gc
import json
import warnings

import numpy as np
import pytest

from sparsecode import DictionaryLearning, GroupL1, SparseCoder, Status
from sparsecode.datasets import make_dictionary_problem
from sparsecode.decomposition._learning_setup import make_learner
from sparsecode.solvers.dictionary import AlternatingLearner, OnlineLearner

X = make_dictionary_problem(300, 8, 12, 2, snr_db=20, random_state=0).data
RUNS = {
    "online": {"alpha": 0.2, "batch_size": 50},
    "online, measured": {"batch_size": 64, "positive_dict": True},
    "mod": {"method": "mod", "coder": "omp", "n_nonzero_coefs": 2},
    "ksvd": {"method": "ksvd", "coder": SparseCoder(n_nonzero_coefs=2)},
    "aksvd": {"method": "aksvd", "alpha": 0.2, "dict_init": "k-means++"},
}
runs = pytest.mark.parametrize("parameters", RUNS.values(), ids=RUNS)
CUT = 3
CHANGED = np.vstack([X[:1], 1e3 * X[1:4], X[4:]])  # three rows of 300


def model_for(parameters, **more):
    return DictionaryLearning(12, **{"tol": None, "max_iter": 6, "random_state": 0, **parameters, **more})


def assert_same(left, right):
    """Everything that fit leaves behind but the clock."""
    for name in (
        "components_",
        "n_iter_",
        "n_steps_",
        "objective_",
        "certificate_",
        "code_certificate_",
        "status_",
        "alpha_",
    ):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    for name in ("epoch", "objective", "certificate", "replaced"):
        assert left.history_[name] == right.history_[name]
    if left.method == "online":  # and goes on alike
        part = X[::7]
        np.testing.assert_array_equal(
            left.set_params(tol=1e-3).partial_fit(part).components_,
            right.set_params(tol=1e-3).partial_fit(part).components_,
        )


@runs
@pytest.mark.parametrize("cut", [1, 2, 5, 6])
def test_a_run_cut_after_any_pass_goes_on_with_the_same_bits(tmp_path, parameters, cut):
    path = tmp_path / "run"
    model_for(parameters, checkpoint=path, max_iter=cut).fit(X)
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
    went_on = model_for(parameters, checkpoint=str(path)).fit(X)
    assert_same(went_on, model_for(parameters).fit(X))


@runs
def test_a_callback_may_cut_it(tmp_path, parameters):
    path = tmp_path / "run"
    stopped = model_for(parameters, checkpoint=path, callback=lambda progress: progress.epoch == CUT).fit(X)
    assert stopped.status_ is Status.INTERRUPTED
    seen = []
    went_on = model_for(parameters, checkpoint=path, callback=lambda progress: seen.append(progress.epoch)).fit(X)
    assert seen == [4, 5, 6]
    assert_same(went_on, model_for(parameters).fit(X))


@runs
def test_ctrl_c_amid_a_pass_keeps_the_pass_before(tmp_path, parameters, monkeypatch):
    path = tmp_path / "run"
    kind, step = (AlternatingLearner, "_improved") if "method" in parameters else (OnlineLearner, "step")
    n_batches = -(-len(X) // parameters["batch_size"]) if "batch_size" in parameters else 1
    calls, original = [], getattr(kind, step)

    def interrupting(self, *arguments, **more):
        calls.append(None)
        if len(calls) == CUT * n_batches + (n_batches + 1) // 2:
            raise KeyboardInterrupt
        return original(self, *arguments, **more)

    model = model_for(parameters, checkpoint=path)
    with monkeypatch.context() as patch:
        patch.setattr(kind, step, interrupting)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X)
    assert not hasattr(model, "components_")
    with np.load(path) as stored:
        assert json.loads(str(stored["sparsecode"]))["numbers"]["run"]["epoch"] == CUT
    assert_same(model.fit(X), model_for(parameters).fit(X))


def test_ctrl_c_while_it_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "run"
    parameters = RUNS["online"]
    calls, original = [], np.savez

    def interrupting(file, **arrays):
        calls.append(None)
        original(file, **dict(list(arrays.items())[: 2 if len(calls) == CUT else None]))
        if len(calls) == CUT:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", interrupting)
        with pytest.raises(KeyboardInterrupt):
            model_for(parameters, checkpoint=path).fit(X)
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
    assert_same(model_for(parameters, checkpoint=path).fit(X), model_for(parameters).fit(X))


def test_a_run_that_is_done_is_not_run_again(tmp_path):
    path = tmp_path / "run"
    parameters = {**RUNS["ksvd"], "tol": 0.1, "max_iter": 200}
    done = model_for(parameters, checkpoint=path).fit(X)
    assert done.status_ is Status.CONVERGED
    calls = []
    again = model_for(parameters, checkpoint=path, callback=calls.append).fit(X)
    assert not calls
    assert_same(again, done)
    assert model_for({**parameters, "tol": 0.05}, checkpoint=path).fit(X).n_iter_ > done.n_iter_


@runs
def test_a_run_with_more_passes_behind_it_than_max_iter_is_refused(tmp_path, parameters):
    path = tmp_path / "run"
    model = model_for(parameters, checkpoint=path, max_iter=3).fit(X)
    atoms = model.components_.copy()
    with pytest.raises(ValueError, match="has 3 passes behind it, but max_iter=2; raise max_iter"):
        model.set_params(max_iter=2).fit(X)
    np.testing.assert_array_equal(model.components_, atoms)
    assert model.set_params(max_iter=3).fit(X).n_iter_ == 3


def test_the_generator_of_the_user_is_neither_needed_nor_moved(tmp_path):
    path = tmp_path / "run"
    for generator in (np.random.RandomState(3), np.random.RandomState(np.random.PCG64(3))):
        whole = model_for(RUNS["online"], random_state=generator).fit(X)
        for start in (np.random.RandomState(3), np.random.RandomState(np.random.PCG64(3))):
            if start.get_state(legacy=False)["bit_generator"] != generator.get_state(legacy=False)["bit_generator"]:
                continue
            model_for(RUNS["online"], random_state=start, checkpoint=path, max_iter=CUT).fit(X)
            other = np.random.RandomState(99)
            went_on = model_for(RUNS["online"], random_state=other, checkpoint=path).fit(X)
            assert_same(went_on, whole)
        path.unlink()


def cut_stream(path, batches, **more):
    def interrupt(progress):
        if progress.epoch == CUT:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model_for(RUNS["online, measured"], checkpoint=path, callback=interrupt, **more).fit_stream(batches)


def test_a_stream_that_was_cut_goes_on_with_the_same_bits(tmp_path):
    path = tmp_path / "stream"
    sizes = np.cumsum([40, 7, 100, 1, 90])
    batches = np.split(X, sizes)
    cut_stream(path, iter(batches))
    went_on = model_for(RUNS["online, measured"], checkpoint=path).fit_stream(iter(batches))
    whole = model_for(RUNS["online, measured"]).fit_stream(batches)
    assert whole.n_steps_ == 6
    assert_same(went_on, whole)
    again = model_for(RUNS["online, measured"], checkpoint=path).fit_stream(iter(batches))
    assert_same(again, model_for(RUNS["online, measured"]).fit_stream(batches))
    cut_stream(tmp_path / "other", iter(batches))
    with pytest.raises(ValueError, match="data n_features was 8, and is now 5"):
        model_for(RUNS["online, measured"], checkpoint=tmp_path / "other").fit_stream([X[:, :5]])


@pytest.mark.parametrize(
    "other",
    [
        [X[:40], X[40:47], 2 * X[47:147], X[147:]],
        [2 * X[:40], X[40:47], X[47:147], X[147:]],
        [X[:40], X[40:47]],
        [X[:47], X[47:147], X[147:200], X[200:]],
    ],
    ids=["third batch", "first batch", "too short", "other sizes"],
)
def test_a_checkpoint_of_another_stream_is_refused_and_nothing_is_lost(tmp_path, other):
    path = tmp_path / "stream"
    cut_stream(path, np.split(X, [40, 47, 147, 148]))
    before = path.read_bytes()
    model = model_for(RUNS["online, measured"]).fit(X)
    atoms = model.components_.copy()
    with pytest.raises(ValueError, match="batches has"):
        model.set_params(checkpoint=path).fit_stream(iter(other))
    assert path.read_bytes() == before
    np.testing.assert_array_equal(model.components_, atoms)


def test_a_penalty_of_groups_is_known_again(tmp_path):
    def model(groups, max_iter):
        coder = SparseCoder(algorithm="penalty", penalty=GroupL1(0.1, groups))
        settings = {"max_iter": max_iter, "tol": None, "random_state": 0, "checkpoint": tmp_path / "run"}
        return DictionaryLearning(5, coder=coder, **settings)

    model((0, 0, 1, 1, 1), 1).fit(X)
    assert model((0, 0, 1, 1, 1), 2).fit(X).n_iter_ == 2
    with pytest.raises(ValueError, match="parameter coder was"):
        model((0, 0, 0, 1, 1), 2).fit(X)
    (tmp_path / "run").unlink()
    with pytest.raises(ValueError, match="GroupL1.groups must be"):
        model([[0, 1], [2, 3, 4]], 1).fit(X)


def test_a_parameter_that_cannot_be_known_again_is_named(tmp_path):
    class Penalty:
        """Known by its address alone."""

    coder = SparseCoder(algorithm="penalty", penalty=Penalty())
    with pytest.raises(ValueError, match=r"coder\.penalty is the same in another run, as it holds Penalty"):
        DictionaryLearning(5, coder=coder, checkpoint=tmp_path / "run").fit(X)


def edited(path, change):
    """Rewrite the header of a checkpoint."""
    with np.load(path) as stored:
        arrays = dict(stored)
    header = json.loads(str(arrays["sparsecode"]))
    change(header)
    arrays["sparsecode"] = np.array(json.dumps(header))
    with open(path, "wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize(
    ("change", "parameters", "data", "words"),
    [
        (
            lambda header: header["identity"]["version"].update(sparsecode="0.0.1"),
            {},
            X,
            "version sparsecode was '0.0.1'",
        ),
        (lambda header: header.pop("numbers"), {}, X, "cannot be read"),
        (None, {}, X[:, :7], r"data shape was \[300, 8\], and is now \[300, 7\]"),
        (None, {}, X[:200], r"data shape was"),
        (None, {}, X.astype(np.float32), "data dtype was 'float64', and is now 'float32'"),
        (None, {}, 2 * X, "data digest"),
        (None, {}, CHANGED, "data digest"),
        (None, {"alpha": 0.3}, X, "parameter alpha was 0.2, and is now 0.3"),
        (None, {"n_components": 5}, X, "parameter n_components was 12, and is now 5"),
        (None, {"random_state": 1}, X, "parameter random_state was 0, and is now 1"),
        (None, {"method": "mod", "batch_size": None}, X, "parameter .* was"),
        (None, {"dict_init": np.eye(8)[np.arange(12) % 8]}, X, "parameter dict_init was None"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_and_nothing_is_lost(tmp_path, change, parameters, data, words):
    path = tmp_path / "run"
    model_for(RUNS["online"], checkpoint=path, max_iter=CUT).fit(X)
    if change is not None:
        edited(path, change)
    before = path.read_bytes()
    model = model_for(RUNS["online"]).fit(X)
    atoms = model.components_.copy()
    model.set_params(checkpoint=path, **parameters)
    with pytest.raises(ValueError, match=f"checkpoint .*run.* {words}") as caught:
        model.fit(data)
    assert caught.type is ValueError
    assert path.read_bytes() == before
    np.testing.assert_array_equal(model.components_, atoms)
    assert model.n_features_in_ == 8


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 half a zip"])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match="checkpoint .*notes.* cannot be read: the file there is no checkpoint"
    ) as caught:
        model_for(RUNS["online"], checkpoint=path).fit(X)
    assert "unsafely" not in str(caught.value) and caught.value.__suppress_context__
    assert path.read_bytes() == content


def test_arrays_of_another_program_are_no_checkpoint(tmp_path):
    for save, name in ((np.savez, "arrays.npz"), (np.save, "array.npy")):
        save(tmp_path / name, np.eye(3))
        with pytest.raises(ValueError, match="the file there is no checkpoint of a learner"):
            model_for(RUNS["online"], checkpoint=tmp_path / name).fit(X)


def test_a_file_that_was_cut_short_is_refused_and_closed(tmp_path):
    path = tmp_path / "run"
    model_for(RUNS["online"], checkpoint=path, max_iter=CUT).fit(X)
    path.write_bytes(path.read_bytes()[:-100])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="or was cut short"):
            model_for(RUNS["online"], checkpoint=path).fit(X)
        gc.collect()
    assert not [warning for warning in seen if issubclass(warning.category, ResourceWarning)]


def test_objects_are_never_unpickled(tmp_path):
    path = tmp_path / "run"
    with open(path, "wb") as file:
        np.savez(file, sparsecode=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="cannot be read"):
        model_for(RUNS["online"], checkpoint=path).fit(X)


def test_a_folder_that_does_not_exist_is_named_before_anything_is_learned(tmp_path):
    with pytest.raises(ValueError, match=r"no folder .*nowhere"):
        model_for(RUNS["online"], checkpoint=tmp_path / "nowhere" / "run").fit(X)


@runs
def test_a_learner_is_wholly_in_its_state(parameters):
    model = model_for(parameters)
    learner, twin = (make_learner(model, X, np.random.RandomState(0)) for _ in range(2))
    for part in np.split(X, [20, 250]):
        learner.step(part) if isinstance(learner, OnlineLearner) else learner.one_pass()
    numbers, arrays = learner.state()
    twin.restore(json.loads(json.dumps(numbers)), arrays)
    for name, value in vars(learner).items():
        if name == "coder":
            continue
        parts = value if isinstance(value, tuple) else (value,)
        others = getattr(twin, name) if isinstance(value, tuple) else (getattr(twin, name),)
        for one, other in zip(parts, others, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
