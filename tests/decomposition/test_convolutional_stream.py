"""Laws of convolutional dictionary learning from batches: one step is that of `fit`, sums are those of the codes, nothing is half done."""

import pickle

import numpy as np
import pytest

from sparsecode import ConvolutionalDictionaryLearning
from tests.decomposition.test_convolutional_learning import likeness, planted_atoms, planted_signals

SETTINGS = {"atom_shape": 12, "alpha": 0.1, "tol": None, "random_state": 0}
X = planted_signals(planted_atoms((3, 12)), 60, (120,), 4)


def learner(**parameters):
    return ConvolutionalDictionaryLearning(3, **{**SETTINGS, **parameters})


def correlations(codes, signals, n_features=12):
    """Sums of codes times signals, and of codes times codes, at all lags within an atom: from the definition."""
    places = codes.shape[2]
    with_signal = np.zeros((codes.shape[1], n_features))
    with_codes = np.zeros((codes.shape[1], codes.shape[1], 2 * n_features - 1))
    for code, signal in zip(codes, signals, strict=True):
        for u in range(n_features):
            with_signal[:, u] += code @ signal[u : u + places]
        for lag in range(1 - n_features, n_features):
            ours = slice(max(0, -lag), places - max(0, lag))
            theirs = slice(max(0, lag), places - max(0, -lag))
            with_codes[:, :, lag + n_features - 1] += code[:, ours] @ code[:, theirs].T
    return with_signal, with_codes


def test_a_batch_of_all_signals_is_an_iteration():
    one = learner().partial_fit(X)
    other = learner(max_iter=2).fit(X)  # codes, atoms, and codes over them
    np.testing.assert_array_equal(one.components_, other.components_)
    assert one.objective_ == other.history_["objective"][0]
    assert one.certificate_ == other.history_["certificate"][0]
    assert one.n_iter_ == 1
    assert one.alpha_ == other.alpha_


@pytest.mark.parametrize("forgetting", [0.0, 2.0])
def test_the_sums_are_those_of_the_codes_of_all_batches(forgetting):
    stream = learner(forgetting=forgetting, replace_dead=False)
    expected = [0.0, 0.0]
    seen = 0
    for part in np.split(X, [10, 30]):
        if seen:
            codes = stream.encode(part).coef
        stream.partial_fit(part)
        if not seen:  # over the first atoms
            start = learner(max_iter=1).fit(part)
            codes = start.transform(part)
        seen += len(part)
        kept = (1.0 - len(part) / seen) ** forgetting
        news = correlations(codes.reshape(len(part), 3, -1), part)
        expected = [kept * old + new for old, new in zip(expected, news, strict=True)]
    found = stream._stream.statistics
    np.testing.assert_allclose(found.code_signal.reshape(expected[0].shape), expected[0], atol=1e-6)
    np.testing.assert_allclose(found.code_corr.reshape(expected[1].shape), expected[1], atol=1e-6)


def test_planted_atoms_are_found_in_a_stream():
    atoms = planted_atoms((3, 12))
    stream = learner(atom_shape=16)
    for seed in range(30):
        stream.partial_fit(planted_signals(atoms, 10, (120,), 4, seed=seed))
    wider = np.zeros((3, 16))
    wider[:, 2:14] = atoms
    assert stream.n_iter_ == 30
    assert likeness(wider, stream.components_).min() > 0.97


def test_a_stream_goes_on_from_a_fit_and_after_pickling():
    fitted = learner(max_iter=3).fit(X[:30])
    alpha = fitted.alpha_
    copy = pickle.loads(pickle.dumps(fitted))
    for each in (fitted, copy):
        each.partial_fit(X[30:])
    np.testing.assert_array_equal(fitted.components_, copy.components_)
    assert fitted.n_iter_ == 4
    assert fitted.alpha_ == alpha
    again = fitted.fit(X[:30])  # begins anew
    np.testing.assert_array_equal(again.components_, learner(max_iter=3).fit(X[:30]).components_)


def test_an_atom_that_a_stream_does_not_use_is_replaced():
    start = np.vstack([planted_atoms((2, 12)), (-1.0) ** np.arange(12)[None] / np.sqrt(12)])
    signals = planted_signals(planted_atoms((3, 12)), 20, (120,), 4, noise=0.0)
    kept, replaced = (
        learner(dict_init=start, alpha=0.9, replace_dead=replace).partial_fit(signals) for replace in (False, True)
    )
    assert np.any(kept._stream.statistics.usage == 0)
    np.testing.assert_array_equal(kept.components_[2], start[2])
    assert abs(replaced.components_[2] @ start[2]) < 0.9
    assert not np.any(replaced._stream.statistics.code_corr[2])
    assert not np.any(replaced._stream.statistics.code_corr[:, 2])


def test_a_batch_that_fails_leaves_everything_as_it_was():
    stream = learner().partial_fit(X)
    before = pickle.dumps(vars(stream))
    for bad in (np.full_like(X, np.nan), X[:, :50]):
        with pytest.raises(ValueError, match="NaN|features"):
            stream.partial_fit(bad)
    assert pickle.dumps(vars(stream)) == before


@pytest.mark.parametrize("shape", [(8, 20, 22), (8, 2, 60)])
def test_images_and_channels_stream_too_in_single_precision(shape):
    signals = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    atom_shape = (5, 5) if shape[1] == 20 else (2, 8)
    stream = learner(atom_shape=atom_shape)
    for part in np.split(signals, 2):
        stream.partial_fit(part)
    assert stream.components_.dtype == np.float32
    assert stream.components_.shape == (3, *atom_shape)
    assert np.all(np.isfinite(stream.components_))
    assert stream.transform(signals).shape == (8, np.prod(stream.code_shape_))
