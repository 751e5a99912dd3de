"""Bars: each as it should look, drawn as often as it should be, and crossing as asked."""

import numpy as np
import pytest

from sparsecode.datasets import make_bars


def test_every_row_and_every_column_is_a_bar():
    bars = make_bars(1, 4, height=3.0, random_state=0).components.reshape(8, 4, 4)
    for i in range(4):
        image = np.zeros((4, 4))
        image[i] = 3.0
        np.testing.assert_array_equal(bars[i], image)
        np.testing.assert_array_equal(bars[4 + i], image.T)


@pytest.mark.parametrize("overlap", ["sum", "max", "magnitude"])
def test_bars_cross_as_asked(overlap):
    bars = make_bars(
        50,
        3,
        activity=0.5,
        values=(-1.0, 2.0) if overlap == "magnitude" else (1.0,),
        overlap=overlap,
        noise=0,
        random_state=0,
    )
    for image, state in zip(bars.data, bars.states, strict=True):
        shown = state[:, None] * bars.components
        expected = {
            "sum": shown.sum(axis=0),
            "max": shown.max(axis=0),
            "magnitude": [column[np.argmax(np.abs(column))] for column in shown.T],
        }[overlap]
        np.testing.assert_allclose(image, expected)
    assert len(np.unique(bars.states)) == (3 if overlap == "magnitude" else 2)


def test_rates_and_noise_are_as_asked():
    bars = make_bars(20_000, 4, activity=0.3, noise=2.0, random_state=0)
    assert bars.activity == 0.3
    assert np.mean(bars.states != 0) == pytest.approx(0.3, abs=0.01)
    assert np.std(bars.data - bars.clean) == pytest.approx(2.0, rel=0.01)
    assert make_bars(2, 5, random_state=0).activity == 0.2
    np.testing.assert_array_equal(make_bars(3, 2, random_state=1).data, make_bars(3, 2, random_state=1).data)
    assert make_bars(3, 2, dtype=np.float32).data.dtype == np.float32


@pytest.mark.parametrize("wrong", [{"activity": 1.5}, {"noise": -1.0}, {"overlap": "or"}, {"size": 0}])
def test_bad_arguments_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_bars(**({"n_samples": 5, "size": 3} | wrong))
