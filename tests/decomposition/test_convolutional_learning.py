"""ConvolutionalDictionaryLearning against planted atoms, naive convolutions and its own solver."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sparsecode import ConvolutionalDictionaryLearning, Status
from sparsecode.decomposition import log_gabor_bank
from sparsecode.solvers.convolutional import convolutional_lasso
from tests.designs.test_convolution import naive_matrix


def planted_atoms(shape, seed=0):
    """Noise under a window that vanishes at the ends, of norm one."""
    rng = np.random.default_rng(seed)
    window = np.ones(shape[1:])
    for axis, length in enumerate(shape[1:]):
        window = window * np.hanning(length + 2)[1:-1].reshape([-1 if i == axis else 1 for i in range(len(shape) - 1)])
    atoms = window**2 * rng.standard_normal(shape)
    return atoms / np.sqrt(np.sum(atoms**2, axis=tuple(range(1, len(shape))), keepdims=True))


def planted_signals(atoms, n_signals, shape, n_events, noise=0.01, seed=0, positive=False):
    rng = np.random.default_rng(seed)
    signals = noise * rng.standard_normal((n_signals, *shape))
    for signal in signals:
        for _ in range(n_events):
            corner = [rng.integers(0, s - a + 1) for s, a in zip(shape, atoms.shape[1:], strict=True)]
            window = tuple(slice(c, c + a) for c, a in zip(corner, atoms.shape[1:], strict=True))
            size = rng.uniform(1, 2) * (1 if positive else rng.choice([-1, 1]))
            signal[window] += size * atoms[rng.integers(len(atoms))]
    return signals


def likeness(true, found):
    """For each true atom the largest absolute cosine with a learned one at any shift."""
    shape = [2 * n for n in true.shape[1:]]
    axes = tuple(range(1, true.ndim))
    one, other = np.fft.fftn(true, s=shape, axes=axes), np.fft.fftn(found, s=shape, axes=axes)
    norms = np.sqrt(np.sum(found**2, axis=axes))
    return np.array(
        [max(np.abs(np.fft.ifftn(np.conj(t) * f)).max() / n for f, n in zip(other, norms, strict=True)) for t in one]
    )


def test_planted_atoms_in_time_are_found_up_to_shift_and_sign():
    atoms = planted_atoms((3, 16))
    X = planted_signals(atoms, 40, (300,), 6)
    learner = ConvolutionalDictionaryLearning(3, atom_shape=20, alpha=0.1, max_iter=60, random_state=0).fit(X)
    wider = np.zeros((3, 20))
    wider[:, 2:18] = atoms
    assert likeness(wider, learner.components_).min() > 0.97
    assert learner.status_ is Status.CONVERGED
    assert learner.certificate_ <= 1e-2
    assert learner.code_certificate_ <= 1e-4


def test_planted_atoms_of_images_are_found_up_to_shift_and_sign():
    atoms = planted_atoms((2, 6, 6))
    X = planted_signals(atoms, 12, (30, 34), 6)
    learner = ConvolutionalDictionaryLearning(2, atom_shape=(8, 8), alpha=0.1, max_iter=60, random_state=0).fit(X)
    wider = np.zeros((2, 8, 8))
    wider[:, 1:7, 1:7] = atoms
    assert likeness(wider, learner.components_).min() > 0.97


@pytest.mark.parametrize("solver", ["lgcd", "fista"])
def test_the_objective_never_rises_while_no_atom_is_replaced(solver):
    X = planted_signals(planted_atoms((2, 8)), 5, (60,), 3, noise=0.1)
    learner = ConvolutionalDictionaryLearning(
        2, atom_shape=8, solver=solver, max_iter=8, tol=None, code_tol=1e-9, replace_dead=False, random_state=0
    ).fit(X)
    objective = np.array(learner.history_["objective"])
    assert len(objective) == learner.n_iter_ == 8
    assert np.all(np.diff(objective) <= 1e-8 * objective[0])
    assert objective[-1] < 0.95 * objective[0]
    assert learner.objective_ == objective[-1]


def test_the_last_objective_is_that_of_the_attributes():
    X = planted_signals(planted_atoms((2, 8)), 6, (80,), 4)
    learner = ConvolutionalDictionaryLearning(2, atom_shape=8, max_iter=4, tol=None, code_tol=1e-9, random_state=0).fit(
        X
    )
    total = 0.0
    matrix = naive_matrix(learner.components_, (80,))
    for signal, row in zip(X, learner.transform(X), strict=True):
        total += 0.5 * np.sum((signal - matrix @ row) ** 2) + learner.alpha_ * np.abs(row).sum()
    assert learner.objective_ == pytest.approx(total / 6, rel=1e-7)
    assert np.all(np.linalg.norm(learner.components_, axis=1) <= 1 + 1e-12)


def test_transform_is_the_solver_and_inverse_transform_the_convolution():
    X = planted_signals(planted_atoms((2, 5, 4)), 5, (14, 12), 4)
    learner = ConvolutionalDictionaryLearning(2, atom_shape=(5, 4), max_iter=3, tol=None, random_state=0).fit(X)
    codes = learner.transform(X)
    assert learner.code_shape_ == (2, 10, 9)
    assert codes.shape == (5, 180) == (5, len(learner.get_feature_names_out()))
    direct = convolutional_lasso(learner.components_, X, learner.alpha_, relative=False, tol=1e-4)
    np.testing.assert_array_equal(codes.reshape(5, 2, 10, 9), direct.coef)
    encoded = learner.encode(X)
    np.testing.assert_array_equal(encoded.coef, codes)
    np.testing.assert_array_equal(encoded.certificate, direct.certificate)
    expected = codes @ naive_matrix(learner.components_, (14, 12)).T
    np.testing.assert_allclose(learner.inverse_transform(codes).reshape(5, -1), expected, atol=1e-12)
    np.testing.assert_allclose(learner.inverse_transform(sp.csr_matrix(codes)).reshape(5, -1), expected, atol=1e-12)
    with pytest.raises(ValueError, match="X has 9 columns"):
        learner.inverse_transform(np.ones((1, 9)))


def test_sparse_output_holds_the_same_codes():
    X = planted_signals(planted_atoms((2, 8)), 70, (40,), 2)
    learner = ConvolutionalDictionaryLearning(2, atom_shape=8, max_iter=2, tol=None, random_state=0).fit(X)
    dense = learner.transform(X)
    compressed = learner.set_params(sparse_output=True).transform(X)
    assert sp.issparse(compressed)
    np.testing.assert_array_equal(compressed.toarray(), dense)
    assert compressed.nnz == np.count_nonzero(dense)


def test_channels_share_their_events():
    rng = np.random.default_rng(0)
    atoms = planted_atoms((2, 12))[:, None, :] * rng.standard_normal((2, 3, 1))
    atoms /= np.sqrt(np.sum(atoms**2, axis=(1, 2), keepdims=True))
    X = planted_signals(atoms, 25, (3, 150), 4)
    learner = ConvolutionalDictionaryLearning(2, atom_shape=(3, 16), max_iter=40, random_state=0).fit(X)
    assert learner.code_shape_ == (2, 1, 135)
    wider = np.zeros((2, 3, 16))
    wider[:, :, 2:14] = atoms
    assert likeness(wider, learner.components_).min() > 0.95


def test_positive_codes_are_not_negative():
    X = planted_signals(planted_atoms((2, 8)), 10, (60,), 3, positive=True)
    learner = ConvolutionalDictionaryLearning(
        2, atom_shape=8, positive_code=True, max_iter=5, tol=None, random_state=0
    ).fit(X)
    codes = learner.transform(X)
    assert codes.min() == 0.0
    assert codes.max() > 0.0


def test_atoms_without_use_and_copies_up_to_a_shift_are_replaced():
    atoms = planted_atoms((2, 12), seed=3)
    X = planted_signals(atoms, 20, (150,), 4)
    start = np.zeros((4, 16))
    start[0, 2:14], start[1, 3:15], start[2, 1:13] = atoms[0], atoms[0], atoms[1]  # the second is the first, moved
    kept = ConvolutionalDictionaryLearning(4, dict_init=start, max_iter=8, tol=None, replace_dead=False).fit(X)
    assert not np.any(kept.components_[3])
    learner = ConvolutionalDictionaryLearning(4, dict_init=start, max_iter=8, tol=None).fit(X)
    assert learner.history_["replaced"][1] == 2
    assert np.all(np.linalg.norm(learner.components_, axis=1) > 0.1)


def test_the_strength_is_a_share_of_the_one_that_silences_the_first_atoms():
    atoms = planted_atoms((2, 8))
    X = planted_signals(atoms, 5, (40,), 3)
    largest = np.abs(X @ naive_matrix(atoms, (40,))).max()
    common = {"n_components": 2, "dict_init": atoms, "max_iter": 1, "tol": None, "replace_dead": False}
    assert ConvolutionalDictionaryLearning(**common, alpha=0.3).fit(X).alpha_ == pytest.approx(0.3 * largest)
    assert ConvolutionalDictionaryLearning(**common, alpha=0.3, relative=False).fit(X).alpha_ == 0.3


def test_scaling_the_data_scales_the_codes_alone():
    X = planted_signals(planted_atoms((2, 8)), 8, (60,), 3)
    one, other = (
        ConvolutionalDictionaryLearning(2, atom_shape=8, max_iter=5, tol=None, random_state=0).fit(f * X)
        for f in (1.0, 1e6)
    )
    np.testing.assert_allclose(other.components_, one.components_, atol=1e-6)
    np.testing.assert_allclose(other.transform(1e6 * X) / 1e6, one.transform(X), atol=1e-5)


def test_a_bank_of_log_gabor_atoms_can_be_where_learning_starts():
    X = planted_signals(planted_atoms((2, 8, 8)), 2, (24, 24), 4)
    bank = log_gabor_bank(2, size=8)
    learner = ConvolutionalDictionaryLearning(4, dict_init=bank, max_iter=2, tol=None).fit(X)
    assert learner.components_.shape == (4, 8, 8)


def test_a_callback_sees_each_iteration_and_may_stop():
    X = planted_signals(planted_atoms((2, 8)), 5, (40,), 2)
    seen = []

    def stop(progress):
        seen.append(progress)
        return progress.iteration == 2

    learner = ConvolutionalDictionaryLearning(2, atom_shape=8, tol=None, callback=stop, random_state=0).fit(X)
    assert learner.status_ is Status.INTERRUPTED
    assert [progress.iteration for progress in seen] == [1, 2]
    np.testing.assert_array_equal(seen[-1].components, learner.components_)


def test_zeros_and_constants_leave_no_nan():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for X in (np.zeros((3, 20)), np.ones((3, 20))):
            learner = ConvolutionalDictionaryLearning(2, atom_shape=5, max_iter=4, random_state=0).fit(X)
            assert np.all(np.isfinite(learner.components_))
            assert np.all(np.isfinite(learner.transform(X)))


def test_a_fit_that_runs_out_of_iterations_says_so_once():
    X = planted_signals(planted_atoms((2, 8)), 5, (40,), 2)
    with pytest.warns(ConvergenceWarning, match="raise max_iter") as caught:
        ConvolutionalDictionaryLearning(2, atom_shape=8, max_iter=1, tol=1e-12, random_state=0).fit(X)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "parameters, shape, message",
    [
        ({"atom_shape": 50}, (4, 40), "atom_shape is"),
        ({"atom_shape": (5, 5)}, (4, 40), "atom_shape is"),
        ({"atom_shape": (5, 0)}, (4, 8, 8), "atom_shape is"),
        ({"atom_shape": (5, 2.5)}, (4, 8, 8), "atom_shape is"),
        ({"atom_shape": (2, 2, 2)}, (4, 8, 8, 8), "move along 3 axes"),
        ({"dict_init": np.ones((3, 5))}, (4, 40), "dict_init has shape"),
        ({"dict_init": np.full((2, 5), np.nan)}, (4, 40), "dict_init contains NaN"),
        ({"alpha": 0.0}, (4, 40), "alpha"),
        ({"solver": "admm"}, (4, 40), "solver"),
    ],
)
def test_bad_parameters_are_refused_by_name(parameters, shape, message):
    with pytest.raises(ValueError, match=message):
        ConvolutionalDictionaryLearning(2, **parameters).fit(np.ones(shape))


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_signals_whose_squares_are_no_numbers_are_refused(size):
    with pytest.raises(ValueError, match="X has a row .* entries of size"):
        ConvolutionalDictionaryLearning(2).fit(np.full((3, 20), size))


def test_signals_of_another_shape_are_referred_to_the_solver():
    X = planted_signals(planted_atoms((2, 4, 4)), 3, (10, 10), 2)
    learner = ConvolutionalDictionaryLearning(2, atom_shape=(4, 4), max_iter=1, tol=None, random_state=0).fit(X)
    with pytest.raises(ValueError, match="convolutional_lasso"):
        learner.transform(X[:, :, :8])


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("entry", [-1.0, 0.0])
def test_the_strength_has_the_units_of_the_data_where_the_first_atoms_suit_none(entry, factor):
    X = np.zeros((3, 40))
    X[[0, 1, 2], [3, 11, 27]] = X[[0, 1, 2], [4, 12, 28]] = 2.0
    learner = ConvolutionalDictionaryLearning(
        1, dict_init=np.full((1, 6), entry), positive_code=True, alpha=0.1, max_iter=2, tol=None, random_state=0
    ).fit(factor * X)
    assert learner.alpha_ == pytest.approx(0.1 * factor * np.sqrt(8.0))


# ---------------------------------------------------------------- checkpoints


CUT = 3
EVENTS = planted_signals(planted_atoms((2, 8)), 6, (60,), 3)
#: the last one has an atom that nothing uses, and one that doubles another
ENDS = np.vstack([np.eye(8)[:2], np.zeros((1, 8)), np.eye(8)[1:2]])
CONVOLUTIONAL_RUNS = {
    "windows": {"n_components": 3, "atom_shape": 8},
    "fista, single": {"n_components": 2, "atom_shape": 8, "solver": "fista", "code_tol": 1e-2},
    "replaced": {"n_components": 4, "dict_init": ENDS},
}
convolutional_runs = pytest.mark.parametrize("name", CONVOLUTIONAL_RUNS)


def run_for(name, **more):
    settings = {"tol": None, "max_iter": 8, "random_state": 0, **CONVOLUTIONAL_RUNS[name], **more}
    return ConvolutionalDictionaryLearning(**settings), EVENTS.astype("f4" if "single" in name else "f8")


def interrupted_at(iteration):
    def interrupt(progress):
        if progress.iteration == iteration:
            raise KeyboardInterrupt

    return interrupt


def assert_same_run(left, right):
    for name in ("components_", "n_iter_", "objective_", "certificate_", "code_certificate_", "status_", "alpha_"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    for name in ("iteration", "objective", "certificate", "replaced", "code_certificate"):
        assert left.history_[name] == right.history_[name]


@convolutional_runs
@pytest.mark.parametrize("cut", [1, CUT, 8])
def test_a_run_cut_after_any_iteration_goes_on_with_the_same_bits(tmp_path, name, cut):
    model, X = run_for(name, checkpoint=tmp_path / "run", callback=interrupted_at(cut))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert not hasattr(model, "components_")
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
    seen = []
    went_on = model.set_params(callback=lambda progress: seen.append(progress.iteration)).fit(X)
    assert seen == list(range(cut + 1, 9))
    whole = run_for(name)[0].fit(X)
    assert_same_run(went_on, whole)
    assert (whole.history_["replaced"][-1] > 0) == (name == "replaced")


@convolutional_runs
def test_a_run_may_be_made_longer_than_it_was_meant_to_be(tmp_path, name):
    model, X = run_for(name, checkpoint=tmp_path / "run", max_iter=CUT)
    assert model.fit(X).n_iter_ == CUT
    assert_same_run(model.set_params(max_iter=8).fit(X), run_for(name)[0].fit(X))


def test_ctrl_c_amid_an_iteration_keeps_the_one_before(tmp_path, monkeypatch):
    from sparsecode.solvers.convolutional import learning

    model, X = run_for("windows", checkpoint=tmp_path / "run")
    calls, original = [], learning._coded

    def interrupting(*arguments):
        calls.append(None)
        if len(calls) == CUT + 1:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(learning, "_coded", interrupting)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X)
    with np.load(tmp_path / "run") as stored:
        assert '"iteration": [1, 2, 3]' in str(stored["sparsecode"])
    assert_same_run(model.fit(X), run_for("windows")[0].fit(X))


def test_the_strength_of_the_first_run_stays_whatever_the_generator(tmp_path):
    model, X = run_for("windows", checkpoint=tmp_path / "run", random_state=None, callback=interrupted_at(2))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    went_on = model.set_params(callback=None).fit(X)
    done = run_for("windows", checkpoint=tmp_path / "run", random_state=None)[0].fit(X)
    assert_same_run(went_on, done)
    assert went_on.alpha_ == done.alpha_


def test_a_run_that_converged_is_not_run_again_unless_more_is_asked_for(tmp_path):
    model, X = run_for("windows", checkpoint=tmp_path / "run", tol=0.3, max_iter=40)
    done = model.fit(X)
    assert done.status_ is Status.CONVERGED
    calls = []
    again = run_for("windows", checkpoint=tmp_path / "run", tol=0.3, max_iter=40, callback=calls.append)[0].fit(X)
    assert not calls
    assert_same_run(again, done)
    more = run_for("windows", checkpoint=tmp_path / "run", tol=0.1, max_iter=40)[0].fit(X)
    assert more.n_iter_ > done.n_iter_


@pytest.mark.parametrize(
    ("parameters", "factor", "words"),
    [
        ({"alpha": 0.2}, 1.0, "parameter alpha was"),
        ({"max_iter": 7}, 1.0, "has 8 iterations behind it, but max_iter=7"),
        ({}, 2.0, "data digest"),
    ],
)
def test_a_checkpoint_of_another_convolutional_run_is_refused(tmp_path, parameters, factor, words):
    model, X = run_for("windows", checkpoint=tmp_path / "run")
    atoms, before = model.fit(X).components_.copy(), (tmp_path / "run").read_bytes()
    with pytest.raises(ValueError, match=f"checkpoint .*run.*{words}"):
        model.set_params(**parameters).fit(factor * X)
    assert (tmp_path / "run").read_bytes() == before
    np.testing.assert_array_equal(model.components_, atoms)


def test_the_callback_sees_the_iteration_that_converges():
    seen = []
    model, X = run_for("windows", tol=0.3, max_iter=40, callback=lambda progress: seen.append(progress.iteration))
    assert model.fit(X).status_ is Status.CONVERGED
    assert seen == model.history_["iteration"]


def test_of_two_atoms_that_are_one_up_to_a_shift_the_one_used_less_goes():
    from sparsecode.solvers.convolutional.atoms import ConvolutionalStatistics
    from sparsecode.solvers.convolutional.coder import Layout
    from sparsecode.solvers.convolutional.coding import make_coder
    from sparsecode.solvers.convolutional.learning import _useless

    pulse = np.array([0.0, 0.6, 0.8, 0.0, 0.0])
    atoms = np.array([pulse, np.roll(pulse, 1), np.eye(5)[4]])
    coder = make_coder("lgcd", atoms, Layout((5,), (20,)), 0.1)
    for usage, gone in (([5.0, 2.0, 3.0], [1]), ([2.0, 5.0, 3.0], [0]), ([2.0, 5.0, 0.0], [0, 2])):
        statistics = ConvolutionalStatistics.empty(coder.atoms.shape)._replace(usage=np.array(usage))
        np.testing.assert_array_equal(_useless(coder, statistics), gone)
