"""Contrastive codes: the objective spelt out, what they retrieve, and what comes beside X."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from sparsecode import ContrastiveSparseRepresentation, InvertedIndex
from sparsecode.metrics import neighbour_recall
from sparsecode.solvers.autoencoder.frame import geometric_median
from sparsecode.solvers.autoencoder.training import AutoencoderLearner

DIGITS = load_digits()
X = DIGITS.data / 16.0
FIT, QUERIES = slice(0, 900), slice(900, 1300)


def largest(pre, k):
    """The k largest positive entries of every row."""
    codes = np.zeros_like(pre)
    for row, values in enumerate(pre):
        best = [j for j in np.argsort(-values, kind="stable")[:k] if values[j] > 0]
        codes[row, best] = values[best]
    return codes


def cosines(rows):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit @ unit.T


def divergence(wanted, codes, temperature, with_self):
    """Mean over the rows that want anything of KL(wanted || softmax of cosines)."""
    scores, total, count = cosines(codes) / temperature, 0.0, 0
    for i, row in enumerate(wanted):
        others = [j for j in range(len(row)) if with_self or j != i]
        if row[others].sum() == 0:
            continue
        shares = np.exp(scores[i, others])
        shares /= shares.sum()
        q = row[others] / row[others].sum()
        total += np.sum(q[q > 0] * np.log(q[q > 0] / shares[q > 0]))
        count += 1
    return total / count


@pytest.mark.parametrize("positives", ["neighbours", "self", "labels", "pairs"])
def test_the_objective_is_what_the_docstring_says(positives):
    views = X[:40]
    y = {"labels": DIGITS.target[:40], "pairs": X[40:80]}.get(positives)
    options = {"n_nonzero_coefs": 4, "contrast": 0.7, "temperature": 0.3, "batch_size": 50, "max_iter": 20}
    model = ContrastiveSparseRepresentation(64, positives=positives, **options, random_state=0).fit(views, y)
    center = geometric_median(views)
    energy = np.mean(np.sum((views - center) ** 2, axis=1))
    if positives == "pairs":
        views = np.vstack([views, y])
    pre = views @ model.encoder_.T + model.encoder_intercept_
    codes, wider = largest(pre, 4), largest(pre, 16)
    errors = [np.mean(np.sum((z @ model.components_ + model.intercept_ - views) ** 2, axis=1)) for z in (codes, wider)]
    near = np.exp(cosines(views - center) / 0.3)
    labels = {"labels": y, "pairs": np.tile(np.arange(40), 2)}.get(positives, np.arange(40))
    wanted = near if positives == "neighbours" else (labels[:, None] == labels).astype(float)
    contrast = divergence(wanted, codes, 0.3, positives == "self")
    expected = errors[0] / 2 + errors[1] / 16 + 0.7 * energy / 2 * contrast
    assert contrast > 0.01
    assert model.objective_ == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(model.transform(views[:5]), codes[:5], atol=1e-9)
    assert model.history_["objective"][-1] < model.history_["objective"][0]


def test_neighbours_are_found_better_than_by_as_many_principal_components():
    nearest = NearestNeighbors(n_neighbors=10, metric="cosine")
    center = X[FIT].mean(axis=0)
    true = nearest.fit(X[FIT] - center).kneighbors(X[QUERIES] - center)[1]
    pca = PCA(8, svd_solver="full").fit(X[FIT])
    truncated = nearest.fit(pca.transform(X[FIT])).kneighbors(pca.transform(X[QUERIES]))[1]
    model = ContrastiveSparseRepresentation(n_nonzero_coefs=8, max_iter=40, sparse_output=True, random_state=0)
    codes = model.fit(X[FIT]).transform(X[FIT])
    assert np.diff(codes.indptr).max() <= 8
    found = InvertedIndex(codes).query(model.transform(X[QUERIES]))[1]
    assert neighbour_recall(true, found) > neighbour_recall(true, truncated) + 0.03


def same_class(model):
    """Share of the ten neighbours of held-out digits that are the same digit."""
    found = InvertedIndex(model.transform(X[FIT])).query(model.transform(X[QUERIES]))[1]
    return np.mean(DIGITS.target[FIT][found] == DIGITS.target[QUERIES][:, None])


def test_labels_bring_digits_of_a_kind_together():
    options = {"n_nonzero_coefs": 4, "max_iter": 15, "random_state": 0}
    plain = ContrastiveSparseRepresentation(contrast=0.0, **options).fit(X[FIT])
    labelled = ContrastiveSparseRepresentation(positives="labels", **options).fit(X[FIT], DIGITS.target[FIT])
    names = np.array(
        [
            ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"][d]
            for d in DIGITS.target[FIT]
        ]
    )
    named = ContrastiveSparseRepresentation(positives="labels", **options).fit(X[FIT], names)
    assert same_class(labelled) > same_class(plain) + 0.05
    assert same_class(named) == pytest.approx(same_class(labelled), abs=0.03)


def test_pairs_bring_two_views_together():
    shifted = np.roll(X.reshape(-1, 8, 8), 1, axis=2).reshape(X.shape)
    options = {"n_nonzero_coefs": 8, "max_iter": 20, "batch_size": 128, "random_state": 0}
    hits = []
    for model in (
        ContrastiveSparseRepresentation(**options).fit(X[:600]),
        ContrastiveSparseRepresentation(positives="pairs", **options).fit(X[:600], shifted[:600]),
    ):
        index = InvertedIndex(model.transform(X[QUERIES]))
        hits.append(np.mean(index.query(model.transform(shifted[QUERIES]), 1)[1][:, 0] == np.arange(400)))
    assert hits[0] < 0.1
    assert hits[1] > 0.4


def test_no_batch_is_a_short_one(monkeypatch):
    """Contrast between four signals is noise, and a step of Adam is as long after it as after any other."""
    sizes, step = [], AutoencoderLearner.step

    def noted(self, batch, *rest):
        sizes.append(len(batch))
        return step(self, batch, *rest)

    monkeypatch.setattr(AutoencoderLearner, "step", noted)
    ContrastiveSparseRepresentation(32, batch_size=32, max_iter=2, random_state=0).fit(X[:100])
    assert sizes == [25] * 8


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fit_leaves_what_it_is_given_as_it_is(dtype):
    given, views = X[:80].astype(dtype), X[80:160].astype(dtype)
    model = ContrastiveSparseRepresentation(32, n_nonzero_coefs=3, max_iter=2, positives="pairs", random_state=0)
    model.fit(given, views).partial_fit(given, views).transform(given)
    np.testing.assert_array_equal(given, X[:80].astype(dtype))
    np.testing.assert_array_equal(views, X[80:160].astype(dtype))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("positives", ["neighbours", "self", "labels"])
@pytest.mark.parametrize(
    "rows", [np.ones((30, 6)), X[:1, :6], np.repeat(X[:2], 15, axis=0)], ids=["constant", "one", "two"]
)
def test_degenerate_signals_end_with_numbers(rows, positives):
    model = ContrastiveSparseRepresentation(12, n_nonzero_coefs=3, max_iter=3, positives=positives, random_state=0)
    codes = model.fit(rows, np.arange(len(rows)) % 3).transform(rows)
    for values in (codes, model.components_, model.objective_, model.certificate_):
        assert np.all(np.isfinite(values))


def test_what_comes_beside_x_is_ignored_unless_it_is_asked_for():
    options = {"n_nonzero_coefs": 4, "max_iter": 2, "random_state": 0}
    one = ContrastiveSparseRepresentation(32, **options).fit(X[:100])
    other = ContrastiveSparseRepresentation(32, **options).fit(X[:100], DIGITS.target[:100])
    np.testing.assert_array_equal(one.components_, other.components_)


@pytest.mark.parametrize("positives", ["neighbours", "labels", "pairs"])
def test_a_run_that_was_cut_goes_on_with_the_same_bits(positives, tmp_path):
    y = {"labels": DIGITS.target[:120], "pairs": X[120:240]}.get(positives)
    options = {"n_nonzero_coefs": 3, "batch_size": 50, "max_iter": 4, "positives": positives, "random_state": 0}
    whole = ContrastiveSparseRepresentation(32, **options).fit(X[:120], y)
    path = tmp_path / "run"
    cut = ContrastiveSparseRepresentation(32, checkpoint=path, callback=lambda p: p.epoch == 2, **options)
    assert cut.fit(X[:120], y).status_.name == "INTERRUPTED"
    resumed = cut.set_params(callback=None).fit(X[:120], y)
    np.testing.assert_array_equal(whole.components_, resumed.components_)
    np.testing.assert_array_equal(whole.encoder_, resumed.encoder_)
    if y is not None:
        with pytest.raises(ValueError, match="checkpoint"):
            cut.fit(X[:120], y[::-1])


def test_batches_of_a_stream_are_steps_and_go_on_from_a_fit():
    options = {"n_nonzero_coefs": 3, "random_state": 0}
    stream = ContrastiveSparseRepresentation(32, **options).fit_stream([X[:60], X[60:100]])
    steps = ContrastiveSparseRepresentation(32, **options).partial_fit(X[:60]).partial_fit(X[60:100])
    np.testing.assert_array_equal(stream.components_, steps.components_)
    fitted = ContrastiveSparseRepresentation(32, max_iter=2, positives="labels", **options).fit(
        X[:100], DIGITS.target[:100]
    )
    before = fitted.n_steps_
    assert fitted.partial_fit(X[100:150], DIGITS.target[100:150]).n_steps_ == before + 1
    wider = fitted.set_params(n_nonzero_coefs=5).partial_fit(X[:50], DIGITS.target[:50]).transform(X[:50])
    assert np.count_nonzero(wider, axis=1).max() == 5


@pytest.mark.parametrize(
    ("options", "y", "named"),
    [
        ({"positives": "labels"}, None, "labels"),
        ({"positives": "pairs"}, None, "pairs"),
        ({"positives": "pairs"}, X[:50, :3], "64"),
        ({"positives": "labels"}, DIGITS.target[:49], "49"),
        ({"positives": "labels"}, np.where(np.arange(50) < 9, np.nan, DIGITS.target[:50]), "None or NaN"),
        ({"positives": "labels"}, np.array([None, *DIGITS.target[1:50]], dtype=object), "None or NaN"),
        ({"positives": "pairs"}, np.full((50, 64), np.nan), "NaN"),
        ({"n_nonzero_coefs": 40}, None, "latents"),
        ({"temperature": 0.0}, None, "temperature"),
        ({"positives": "friends"}, None, "positives"),
    ],
)
def test_what_cannot_be_learned_from_is_named(options, y, named):
    with pytest.raises(ValueError, match=named):
        ContrastiveSparseRepresentation(32, **options).fit(X[:50], y)


def test_streams_have_no_labels_and_other_arrays_are_coded_but_not_learned_from():
    with pytest.raises(ValueError, match="partial_fit"):
        ContrastiveSparseRepresentation(32, positives="labels").fit_stream([X[:50]])
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="NumPy"):
        ContrastiveSparseRepresentation(32).fit(torch.tensor(X[:50]))
    fitted = ContrastiveSparseRepresentation(32, n_nonzero_coefs=3, max_iter=2, random_state=0).fit(X[:50])
    np.testing.assert_allclose(fitted.transform(torch.tensor(X[:9])).numpy(), fitted.transform(X[:9]), atol=1e-12)


def test_a_batch_of_pairs_has_two_signals_for_each():
    """Latents are dead that thirty batches left out."""
    model = ContrastiveSparseRepresentation(32, positives="pairs", batch_size=20, max_iter=1, random_state=0)
    model.fit(X[:40], X[40:80])
    assert model._learner.life.n_signals == 80 and model.n_steps_ == 2
    assert model._learner.terms[1].after == 30 * 2 * 20


def test_defaults_of_contrast_are_those_of_the_docstring():
    one = ContrastiveSparseRepresentation(100, max_iter=1, random_state=0).fit(X[:50])
    other = ContrastiveSparseRepresentation(100, max_iter=1, random_state=0, learning_rate=0.0512).fit(X[:50])
    np.testing.assert_array_equal(one.components_, other.components_)
    assert one._learner.terms[1].after == 30 * 256  # a latent that thirty batches left out is dead
    assert np.count_nonzero(one.transform(X[:50]), axis=1).max() == 6
    assert ContrastiveSparseRepresentation(max_iter=1, random_state=0).fit(X[:50]).encoder_.shape == (256, 64)
