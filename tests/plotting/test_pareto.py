"""The Pareto display draws what the metrics say of each coder, and fills the marks of those that none beats."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest

from sparsecode import SparseCoder
from sparsecode.datasets import make_planted_features
from sparsecode.metrics import dictionary_recovery, sparsity, variance_unexplained
from sparsecode.plotting import ParetoDisplay


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


PLANTED = make_planted_features(80, 10, 16, n_active=2, random_state=0)


def coder(atoms, k):
    return SparseCoder(atoms, algorithm="omp", n_nonzero_coefs=k).fit(PLANTED.data)


def test_points_are_what_the_metrics_say_by_number_of_entries():
    coders = [coder(PLANTED.dictionary[:12], k) for k in (4, 1, 2)]
    display = ParetoDisplay.from_estimators({"twelve": coders}, PLANTED.data, dictionary_true=PLANTED.dictionary)
    curve = display.curves["twelve"]
    for position, fitted in enumerate((coders[1], coders[2], coders[0])):
        codes = fitted.transform(PLANTED.data)
        assert curve.sparsity[position] == sparsity(codes)
        assert curve.error[position] == variance_unexplained(PLANTED.data, fitted.inverse_transform(codes))
        expected = dictionary_recovery(PLANTED.dictionary, fitted.components_, threshold=0.95)
        assert curve.recovery[position] == expected == 12 / 16
    line = display.axes_[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), curve.sparsity)
    np.testing.assert_array_equal(line.get_ydata(), curve.error)
    np.testing.assert_array_equal(display.axes_[1].lines[0].get_ydata(), curve.recovery)


def test_the_front_is_what_no_other_point_beats():
    display = ParetoDisplay(
        {"good": ([1.0, 2.0, 4.0], [0.5, 0.3, 0.1], None), "poor": ([1.0, 3.0, 5.0], [0.6, 0.3, 0.05], None)}
    ).plot()
    np.testing.assert_array_equal(display.front_["good"], [True, True, True])
    np.testing.assert_array_equal(display.front_["poor"], [False, False, True])
    assert len(display.axes_) == 1


def test_without_the_truth_there_is_one_panel_on_the_axes_that_are_given():
    _, ax = plt.subplots()
    display = ParetoDisplay.from_estimators({"a": [coder(PLANTED.dictionary, 2)]}, PLANTED.data, ax=ax)
    assert display.axes_ == [ax]
    assert len(plt.get_fignums()) == 1
    _, axes = plt.subplots(1, 2)
    display = ParetoDisplay.from_estimators(
        {"a": [coder(PLANTED.dictionary, 2)]}, PLANTED.data, dictionary_true=PLANTED.dictionary, ax=axes
    )
    assert display.axes_ == list(axes)


def test_what_cannot_be_drawn_is_named():
    with pytest.raises(ValueError, match="empty"):
        ParetoDisplay.from_estimators({"none": []}, PLANTED.data)
    with pytest.raises(ValueError, match="2 axes"):
        ParetoDisplay({"a": ([1.0], [0.5], None)}).plot(ax=plt.subplots(1, 2)[1])
