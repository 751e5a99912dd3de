"""The picture of a map shows the features that it moves, the most moved first."""

import matplotlib
import numpy as np
import pytest
import scipy.sparse as sp

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from sparsecode import SparseMongeMap
from sparsecode.plotting import DisplacementDisplay

MOVED = np.array([[0.0, -2.0, 0.0, 0.5], [0.0, -1.0, 0.0, 0.0], [0.0, 0.3, 0.0, 0.1]])


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def drawn(display):
    """Names, lengths and labels of the bars, from the top."""
    bars = sorted(display.ax_.patches, key=lambda bar: bar.get_y())
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    texts = [text.get_text() for text in display.ax_.texts]
    return names, [bar.get_width() for bar in bars], texts


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_matrix])
def test_bars_are_mean_displacements_the_most_moved_on_top(kind):
    display = DisplacementDisplay.from_displacement(kind(MOVED))
    np.testing.assert_array_equal(display.ranking_, [1, 3, 0, 2])
    names, lengths, texts = drawn(display)
    assert names == ["1", "3"]
    np.testing.assert_allclose(lengths, [-0.9, 0.2])
    assert texts == ["100%", "67%"]
    np.testing.assert_allclose(display.share, [0, 1, 0, 2 / 3])
    assert display.ax_.get_ylim()[0] > display.ax_.get_ylim()[1]
    assert "1.67 of 4" in display.ax_.get_title()


def test_what_moves_to_and_fro_comes_after_what_moves_one_way():
    display = DisplacementDisplay.from_displacement(np.array([[3.0, 0.5], [-3.1, 0.5]]))
    np.testing.assert_array_equal(display.ranking_, [1, 0])


def test_no_more_features_are_drawn_than_asked_for():
    display = DisplacementDisplay.from_displacement(MOVED, n_features=1, feature_names=list("abcd"))
    assert drawn(display)[0] == ["b"]
    assert "1.67 of 4" in display.ax_.get_title()
    assert drawn(DisplacementDisplay.from_displacement(np.zeros((2, 3))))[1] == []


def test_a_fitted_map_is_drawn_with_its_names():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X, Y = (pd.DataFrame(rng.random((80, 5)), columns=list("abcde")) for _ in range(2))
    Y["d"] -= 3.0
    model = SparseMongeMap("stvs", 0.5).fit(X, Y)
    ax = plt.figure().subplots()
    display = DisplacementDisplay.from_estimator(model, X, n_features=1, ax=ax)
    assert display.ax_ is ax
    names, lengths, texts = drawn(display)
    assert names == ["d"]
    np.testing.assert_allclose(lengths, [model.displacement(X)[:, 3].mean()])
    assert texts == ["100%"]


def test_what_cannot_be_drawn_is_named():
    X = np.eye(3)
    with pytest.raises(NotFittedError):
        DisplacementDisplay.from_estimator(SparseMongeMap(), X)
    with pytest.raises(ValueError, match="StandardScaler has no displacements"):
        DisplacementDisplay.from_estimator(StandardScaler().fit(X), X)
    with pytest.raises(ValueError, match="feature_names has shape"):
        DisplacementDisplay.from_displacement(X, feature_names=["a"])
    with pytest.raises(ValueError, match="displacement has shape"):
        DisplacementDisplay.from_displacement(X[0])
    with pytest.raises(ValueError, match="NaN"):
        DisplacementDisplay.from_displacement(np.full((2, 2), np.nan))
