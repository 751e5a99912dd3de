"""SparseAutoencoder: what it finds, what it says of it, and what it does with streams, checkpoints and bad input."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from sklearn.model_selection import GridSearchCV

from sparsecode import L0, L1, MCP, SLOPE, L0Ball, SparseAutoencoder, Status
from sparsecode.solvers.autoencoder.training import AutoencoderLearner
from tests._backends import FOREIGN, get, put
from tests.decomposition.autoencoder_cases import QUICK, SHAPE, planted, pre_activations


@pytest.fixture(scope="module")
def signals():
    return planted(**SHAPE)[0]


def recovered(atoms, found, signed):
    """Share of the atoms with a partner of their own at a cosine of 0.95."""
    cosines = atoms @ found.T
    cosines = np.abs(cosines) if signed else cosines
    return np.mean(cosines[linear_sum_assignment(-cosines)] > 0.95)


@pytest.mark.parametrize(
    "activation, signed", [("topk", False), ("batchtopk", False), ("jumprelu", False), ("abstopk", True)]
)
def test_planted_atoms_are_found(activation, signed):
    X, atoms = planted(4000, 16, 24, 2, signed)
    model = SparseAutoencoder(
        24, activation=activation, n_nonzero_coefs=2, batch_size=250, max_iter=50, random_state=1
    ).fit(X)
    assert recovered(atoms, model.components_, signed) >= 0.75
    left = X - model.inverse_transform(model.transform(X))
    assert np.sum(left**2) < 0.25 * np.sum((X - X.mean(axis=0)) ** 2)
    assert model.status_ is Status.CONVERGED  # of the passes that were asked for, none is missing
    assert model.history_["objective"][-1] < 0.5 * model.history_["objective"][0]


def test_abstopk_needs_half_the_latents_for_features_of_two_directions():
    X, atoms = planted(4000, 16, 20, 2, signed=True)
    given = {"n_nonzero_coefs": 2, "batch_size": 250, "max_iter": 40, "random_state": 0}
    both = SparseAutoencoder(20, activation="abstopk", **given).fit(X)
    one = SparseAutoencoder(20, activation="topk", **given).fit(X)
    two = SparseAutoencoder(40, activation="topk", **given).fit(X)
    assert both.objective_ < 0.6 * one.objective_
    assert both.objective_ < 1.1 * two.objective_
    assert recovered(atoms, both.components_, True) > recovered(atoms, one.components_, True)


def test_codes_are_what_the_attributes_say(signals):
    X = signals + 5.0
    model = SparseAutoencoder(**QUICK).fit(X)
    pre = np.maximum(pre_activations(model, X), 0)
    expected = np.where(pre >= np.sort(pre, axis=1)[:, -2, None], pre, 0)
    codes = model.transform(X)
    np.testing.assert_allclose(codes, expected, atol=1e-10)
    np.testing.assert_allclose(
        model.inverse_transform(codes), expected @ model.components_ + model.intercept_, atol=1e-10
    )
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1, rtol=1e-12)
    for activation in ("batchtopk", "feature_choice", "jumprelu"):
        model = SparseAutoencoder(**QUICK | {"activation": activation, "max_iter": 20}).fit(X)
        pre = pre_activations(model, X)
        margin = np.abs(pre - model.threshold_) > 1e-9
        codes = model.transform(X)
        np.testing.assert_allclose(codes[margin], np.where(pre > model.threshold_, pre, 0)[margin], atol=1e-10)
        assert 1 < np.count_nonzero(codes) / len(X) < 4


def test_objective_and_certificate_are_recomputed_from_the_attributes(signals):
    """Against central differences of the mean objective, written from its definition."""
    X = signals[:300] + 1.0
    model = SparseAutoencoder(
        **QUICK | {"n_components": 7, "activation": L1(0.8, positive=True), "n_nonzero_coefs": None}
    ).fit(X)
    center = model._frame.center
    scale = np.sqrt(np.mean((X - center) ** 2))
    inputs = (X - center) / scale
    own = model._learner.parameters

    def objective(encoder, bias, decoder, offset):
        z = np.maximum(inputs @ encoder.T + bias - 0.8 / scale, 0)
        return np.mean(0.5 * np.sum((z @ decoder + offset - inputs) ** 2, axis=1) + 0.8 / scale * np.sum(z, axis=1))

    parts = [np.array(part) for part in own[:4]]
    assert model.objective_ == pytest.approx(scale**2 * objective(*parts), rel=1e-10)
    z = np.maximum(pre_activations(model, X) - 0.8, 0)
    data = 0.5 * np.sum((z @ model.components_ + model.intercept_ - X) ** 2, axis=1) + 0.8 * np.sum(z, axis=1)
    assert model.objective_ == pytest.approx(np.mean(data), rel=1e-10)
    slopes = [np.zeros_like(part) for part in parts]
    for part, slope in zip(parts, slopes, strict=True):
        for place in np.ndindex(part.shape):
            kept = part[place]
            part[place] = kept + 1e-6
            slope[place] = objective(*parts)
            part[place] = kept - 1e-6
            slope[place] = (slope[place] - objective(*parts)) / 2e-6
            part[place] = kept
    slopes[2] -= np.sum(slopes[2] * parts[2], axis=1, keepdims=True) * parts[2]
    slopes[0] *= np.sqrt(np.mean(np.sum(parts[0] ** 2, axis=1)))
    norm = np.sqrt(sum(np.sum(slope**2) for slope in slopes))
    assert model.certificate_ == pytest.approx(norm / (0.5 * np.mean(np.sum(inputs**2, axis=1))), rel=1e-4)


@pytest.mark.parametrize(
    "activation, price",
    [
        ("topk", None),
        ("batchtopk", None),
        ("relu", None),
        ("relu", 1),
        ("jumprelu", None),
        ("jumprelu", 2),
        ("feature_choice_zipf", None),
    ],
)
@pytest.mark.parametrize("factor", [1e-6, 1e8])
def test_scaling_and_moving_the_signals_scales_the_codes(signals, activation, price, factor):
    """A price of "relu" scales with the signals, one of "jumprelu" with their square."""
    given = QUICK | {"activation": activation}
    if activation == "relu" or price is not None:
        given["n_nonzero_coefs"] = None
    one, other = (
        SparseAutoencoder(**given, alpha=None if price is None else 0.5 * scale**price).fit(scale * signals)
        for scale in (1.0, factor)
    )
    np.testing.assert_allclose(
        other.transform(factor * signals), factor * one.transform(signals), rtol=1e-5, atol=1e-6 * factor
    )
    assert other.objective_ == pytest.approx(factor**2 * one.objective_, rel=1e-5)
    assert other.certificate_ == pytest.approx(one.certificate_, rel=1e-4)


@pytest.mark.parametrize(
    "activation, penalty",
    [("topk", L0Ball(2, positive=True)), ("abstopk", L0Ball(2)), ("relu", L1(0.6, positive=True))],
)
def test_a_penalty_is_the_activation_of_its_prox(signals, activation, penalty):
    given = QUICK | {"n_nonzero_coefs": None}
    named = given | ({"alpha": 0.6} if activation == "relu" else {"n_nonzero_coefs": 2})
    one = SparseAutoencoder(**named | {"activation": activation}).fit(signals)
    other = SparseAutoencoder(**given | {"activation": penalty}).fit(signals)
    np.testing.assert_array_equal(one.components_, other.components_)
    np.testing.assert_array_equal(one.transform(signals), other.transform(signals))


def test_any_separable_penalty_shrinks_as_its_prox(signals):
    model = SparseAutoencoder(**QUICK | {"activation": MCP(0.7), "n_nonzero_coefs": None}).fit(signals)
    expected = MCP(0.7).prox(pre_activations(model, signals), 1.0)
    np.testing.assert_allclose(model.transform(signals), expected, atol=1e-10)


def test_mutual_choice_is_batchtopk_by_another_name(signals):
    one, other = (
        SparseAutoencoder(**QUICK | {"activation": name}).fit(signals) for name in ("batchtopk", "mutual_choice")
    )
    np.testing.assert_array_equal(one.encoder_, other.encoder_)


def test_gradients_of_a_loss_downstream_choose_the_entries(signals):
    slopes = np.random.RandomState(5).standard_normal(signals.shape)
    model = SparseAutoencoder(**QUICK | {"activation": "gradient_topk"})
    plain = SparseAutoencoder(**QUICK).fit(signals)
    np.testing.assert_array_equal(model.fit(signals).components_, plain.components_)
    model.fit(signals, gradients=slopes)
    assert not np.allclose(model.components_, plain.components_)
    pre = np.maximum(pre_activations(model, signals), 0)
    score = pre * np.abs(slopes @ model.components_.T)
    expected = np.where(score >= np.sort(score, axis=1)[:, -2, None], pre, 0)
    np.testing.assert_allclose(model.transform(signals, gradients=slopes), expected, atol=1e-10)
    again = np.where(pre >= np.sort(pre, axis=1)[:, -2, None], pre, 0)
    np.testing.assert_allclose(model.transform(signals), again, atol=1e-10)
    with pytest.raises(ValueError, match="gradients has no meaning for activation='topk'"):
        plain.transform(signals, gradients=slopes)
    with pytest.raises(ValueError, match="gradients has 3 columns; it needs the 12"):
        model.fit(signals, gradients=slopes[:, :3])


def test_a_transcoder_reconstructs_its_targets(signals):
    mix = np.random.RandomState(2).standard_normal((12, 5))
    y = np.maximum(signals @ mix, 0) + 3.0
    model = SparseAutoencoder(
        30, structure="transcoder", n_nonzero_coefs=8, max_iter=60, batch_size=100, random_state=0
    )
    made = model.fit(signals, y).inverse_transform(model.transform(signals))
    assert made.shape == y.shape and model.encoder_.shape == (30, 12) and model.components_.shape == (30, 5)
    assert np.sum((made - y) ** 2) < 0.1 * np.sum((y - y.mean(axis=0)) ** 2)
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(signals)
    with pytest.raises(ValueError, match="transcoder reconstructs y"):
        model.encode(signals)


def test_encode_tells_how_far_codes_are_from_the_best_on_their_support(signals):
    model = SparseAutoencoder(**QUICK).fit(signals)
    result = model.encode(signals[:50])
    np.testing.assert_array_equal(result.coef, model.transform(signals[:50]))
    assert result.n_iter == 1 and "(no tolerance)" in repr(result)
    pursuit = SparseAutoencoder(**QUICK | {"structure": "matching_pursuit"}).fit(signals)
    assert pursuit.encode(signals[:50]).n_iter == 2
    for x, z, objective, certificate in zip(signals, result.coef, result.objective, result.certificate, strict=False):
        residual = x - model.intercept_ - z @ model.components_
        assert objective == pytest.approx(0.5 * residual @ residual)
        used = model.components_[z != 0]
        size = np.linalg.norm(x - model.intercept_)
        assert certificate == pytest.approx(np.max(np.abs(used @ residual), initial=0) / size, rel=1e-6, abs=1e-12)


def test_sparse_codes_are_the_dense_ones(signals):
    model = SparseAutoencoder(**QUICK).fit(signals)
    dense = model.transform(signals)
    codes = model.set_params(sparse_output=True).transform(signals)
    assert sp.issparse(codes) and codes.format == "csr" and codes.nnz <= 2 * len(signals)
    np.testing.assert_array_equal(codes.toarray(), dense)
    np.testing.assert_allclose(model.inverse_transform(codes), model.inverse_transform(dense), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_memory_maps_and_sparse_signals_are_read_as_arrays(signals, dtype, tmp_path):
    X = np.where(np.abs(signals) > 0.5, signals, 0).astype(dtype)
    path = tmp_path / "signals.npy"
    np.save(path, X)
    expected = SparseAutoencoder(**QUICK).fit(X)
    mapped = SparseAutoencoder(**QUICK).fit(np.load(path, mmap_mode="r"))
    np.testing.assert_array_equal(mapped.encoder_, expected.encoder_)
    assert (
        expected.components_.dtype == expected.transform(X).dtype == (np.float64 if dtype == np.float64 else np.float32)
    )
    if dtype != np.float16:  # SciPy has none
        compressed = SparseAutoencoder(**QUICK).fit(sp.csr_matrix(X))
        np.testing.assert_array_equal(compressed.encoder_, expected.encoder_)
        np.testing.assert_array_equal(compressed.transform(sp.csr_matrix(X)), expected.transform(X))


@pytest.mark.parametrize("activation", ["topk", "batchtopk", "jumprelu"])
@pytest.mark.parametrize("dead_latents", ["aux_k", "resample"])
def test_a_run_that_was_cut_goes_on_bit_for_bit(signals, activation, dead_latents, tmp_path):
    given = QUICK | {
        "activation": activation,
        "dead_latents": dead_latents,
        "dead_after": 200,
        "n_components": 60,
        "max_iter": 6,
    }
    given["random_state"] = 3
    whole = SparseAutoencoder(**given).fit(signals)
    cut = SparseAutoencoder(**given, checkpoint=tmp_path / "run.npz")
    cut.set_params(callback=lambda progress: progress.epoch == 2).fit(signals)
    assert cut.status_ is Status.INTERRUPTED
    again = SparseAutoencoder(**given, checkpoint=tmp_path / "run.npz", n_jobs=2).fit(signals)
    for name in ("components_", "encoder_", "encoder_intercept_", "threshold_", "density_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name), err_msg=name)
    assert again.history_["objective"] == whole.history_["objective"]
    assert again.objective_ == whole.objective_
    for one, other in zip(again._learner.adam.squares, whole._learner.adam.squares, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_stream_that_was_cut_goes_on_bit_for_bit(signals, tmp_path):
    batches = np.array_split(signals[:1010], 6)
    batches.append(signals[1010:1017])  # a stream that ends within a batch
    given = QUICK | {"checkpoint": None}
    whole = SparseAutoencoder(**given).fit_stream(iter(batches))
    assert whole.n_steps_ == 7 and len(whole.history_["objective"]) == 7
    given["checkpoint"] = tmp_path / "stream.npz"

    def broken():
        yield from batches[:3]
        raise ConnectionError("the source went away")

    with pytest.raises(ConnectionError):
        SparseAutoencoder(**given).fit_stream(broken())
    again = SparseAutoencoder(**given).fit_stream(batches)
    np.testing.assert_array_equal(again.encoder_, whole.encoder_)
    np.testing.assert_array_equal(again.components_, whole.components_)
    by_hand = SparseAutoencoder(**QUICK)
    for batch in batches:
        by_hand.partial_fit(batch)
    np.testing.assert_array_equal(by_hand.encoder_, whole.encoder_)
    with pytest.raises(ValueError, match="is of another run"):
        SparseAutoencoder(**given).fit_stream([batches[0][:-1], *batches[1:]])
    with pytest.raises(ValueError, match="batches is empty"):
        SparseAutoencoder(**QUICK).fit_stream([])


def test_partial_fit_goes_on_from_a_fit_and_leaves_it_alone_where_it_fails(signals, monkeypatch):
    model = SparseAutoencoder(**QUICK).fit(signals)
    before = pickle.dumps(model._learner.state())
    broken = signals[:10].copy()
    broken[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(broken)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(signals[:, :5])
    step = AutoencoderLearner.step

    def interrupted(*given):
        step(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(AutoencoderLearner, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(signals)
    monkeypatch.undo()
    assert pickle.dumps(model._learner.state()) == before
    steps = model.n_steps_
    assert model.partial_fit(signals[:100]).n_steps_ == steps + 1
    assert pickle.dumps(model._learner.state()) != before


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("activation", ["topk", "batchtopk", "relu", "jumprelu", "feature_choice"])
def test_arrays_are_learned_from_where_they_live(signals, name, activation):
    given = QUICK | {"activation": activation} | ({"n_nonzero_coefs": None} if activation == "relu" else {})
    here, X = SparseAutoencoder(**given).fit(signals[:400]), put(signals[:400], name)
    there = SparseAutoencoder(**given).fit(X)
    codes = there.transform(X)
    assert type(there.components_) is type(codes) is type(X)
    np.testing.assert_allclose(get(there.components_), here.components_, atol=1e-6)
    np.testing.assert_allclose(get(codes), here.transform(signals[:400]), atol=1e-5)
    assert there.objective_ == pytest.approx(here.objective_, rel=1e-6)
    assert there.certificate_ == pytest.approx(here.certificate_, rel=1e-3)
    np.testing.assert_allclose(get(there.inverse_transform(codes)), here.inverse_transform(get(codes)), atol=1e-5)
    np.testing.assert_allclose(there.transform(signals[:50]), get(codes)[:50], atol=1e-6)


def test_what_tensors_cannot_do_is_said(signals):
    X = put(signals[:100], "torch")
    for given, others in (
        ({"structure": "transcoder"}, {"y": X}),
        ({"activation": "gradient_topk"}, {"gradients": X}),
    ):
        with pytest.raises(ValueError, match="X is a torch array.*convert X to NumPy"):
            SparseAutoencoder(**QUICK | given).fit(X, **others)
    with pytest.raises(ValueError, match=r"X is no NumPy array.*structure='matryoshka'"):
        SparseAutoencoder(**QUICK | {"structure": "matryoshka"}).fit(X)


def test_tensors_that_ask_for_gradients_leave_no_graph_behind(signals):
    X = put(signals[:100], "torch")
    plain, asked = SparseAutoencoder(**QUICK), SparseAutoencoder(**QUICK)
    for _ in range(2):
        plain.partial_fit(X)
        asked.partial_fit(X.clone().requires_grad_())
    for name in ("components_", "encoder_", "intercept_", "encoder_intercept_"):
        assert not getattr(asked, name).requires_grad
        np.testing.assert_array_equal(get(getattr(asked, name)), get(getattr(plain, name)))


def test_a_run_on_tensors_goes_on_bit_for_bit(signals, tmp_path):
    X = put(signals[:400], "torch")
    whole = SparseAutoencoder(**QUICK).fit(X)
    given = QUICK | {"checkpoint": tmp_path / "run.npz"}
    SparseAutoencoder(**given, callback=lambda progress: True).fit(X)
    again = SparseAutoencoder(**given).fit(X)
    np.testing.assert_array_equal(get(again.encoder_), get(whole.encoder_))
    assert len(again.history_["epoch"]) == 3


def test_a_checkpoint_of_another_run_is_refused(signals, tmp_path):
    given = QUICK | {"checkpoint": tmp_path / "run.npz"}
    SparseAutoencoder(**given).fit(signals)
    for other, X in (
        ({"n_components": 21}, signals),
        ({"activation": "abstopk"}, signals),
        ({"max_iter": 4}, signals),  # the learning rate would have been another
        ({}, signals[:, :11]),
        ({}, signals[::-1]),
    ):
        with pytest.raises(ValueError, match="is of another run"):
            SparseAutoencoder(**given | other).fit(X)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"n_nonzero_coefs": 21}, "n_nonzero_coefs=21 is more than the 20 latents"),
        ({"alpha": 0.1}, "alpha=0.1 has no meaning for activation='topk'"),
        ({"activation": "relu"}, "n_nonzero_coefs=2 has no meaning for activation='relu'"),
        ({"activation": L0(0.1)}, "n_nonzero_coefs=2 has no meaning for activation='L0'"),
        ({"activation": SLOPE(1.0, (1.0, 0.5)), "n_nonzero_coefs": None}, "SLOPE, which is no sum over the entries"),
        (
            {"activation": MCP, "n_nonzero_coefs": None},
            "activation is the class MCP; give a penalty with its parameters",
        ),
        ({"activation": L0Ball(30), "n_nonzero_coefs": None}, "L0Ball(30), but there are 20 latents"),
        ({"activation": "swish"}, "activation"),
        ({"structure": "round"}, "structure"),
        ({"dict_init": np.ones((20, 11))}, "dict_init has shape (20, 11), but it must have shape (20, 12)"),
        ({"dict_init": np.zeros((20, 12))}, "dict_init has a row of zeros (0)"),
        ({"checkpoint": "/nowhere/at/all.npz"}, "there is no folder"),
    ],
)
def test_bad_parameters_are_named(signals, changed, message):
    import re

    with pytest.raises(ValueError, match=re.escape(message)):
        SparseAutoencoder(**QUICK | changed).fit(signals)


def test_a_grid_search_chooses_by_what_is_left(signals):
    def score(model, X, y=None):
        return -np.mean((X - model.inverse_transform(model.transform(X))) ** 2)

    search = GridSearchCV(
        SparseAutoencoder(**QUICK | {"max_iter": 10}), {"n_nonzero_coefs": [1, 2]}, scoring=score, cv=2
    )
    assert search.fit(signals).best_params_ == {"n_nonzero_coefs": 2}
