"""The bars test: images in which horizontal and vertical bars appear independently of each other."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch

from .._validation import as_count, as_number
from ._random import as_generator, one_of

__all__ = ["make_bars"]


def make_bars(
    n_samples,
    size,
    *,
    activity=None,
    values=(1.0,),
    height=10.0,
    noise=1.0,
    overlap="sum",
    dtype=np.float64,
    random_state=None,
):
    """Draw square images of bars: the standard test of models of independent causes.

    Each of the ``2 * size`` bars is active with the same probability, with one of `values` times `height`.

    Parameters
    ----------
    n_samples : int
        Number of images, the rows of `data`.
    size : int
        Height and width of an image, which has as many horizontal bars and as many vertical ones.
    activity : float, optional
        Probability that a bar is active, between 0 and 1; by default two of all bars on average.
    values : tuple of float, default=(1.0,)
        What an active bar counts, one drawn as likely as another.
    height : float, default=10.0
        Brightness of a bar of value 1.
    noise : float, default=1.0
        Standard deviation of the Gaussian noise of a pixel.
    overlap : {"sum", "max", "magnitude"}, default="sum"
        What a pixel shows where bars cross: their sum, the brightest, or the one of largest modulus.
    dtype : {float32, float64}, default=float64
        Precision.
    random_state : int, sequence of int, Generator, RandomState or None
        What to draw from.

    Returns
    -------
    Bunch
        `data` (n_samples, size * size), `components` (2 * size, size * size): the bars, `states` (n_samples, 2 * size): what
        each counts, `activity`, and `clean`: the data without noise.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from sparsecode.datasets import make_bars
    >>> bars = make_bars(100, 5, noise=2.0, random_state=0)
    >>> bars.data.shape, bars.components.shape
    ((100, 25), (10, 25))
    """
    n_samples, size = as_count(n_samples, "n_samples"), as_count(size, "size")
    n_bars = 2 * size
    activity = min(2.0 / n_bars, 0.5) if activity is None else as_number(activity, "activity", maximum=1.0)
    height, noise = as_number(height, "height"), as_number(noise, "noise")
    one_of(overlap, ("sum", "max", "magnitude"), "overlap")
    rng = as_generator(random_state)
    lines = np.kron(np.eye(size), np.ones((1, size)))
    bars = height * np.vstack([lines, lines.reshape(size, size, size).transpose(0, 2, 1).reshape(size, -1)])
    active = rng.random((n_samples, n_bars)) < activity
    states = active * rng.choice(np.asarray(values, dtype=np.float64), (n_samples, n_bars))
    if overlap == "sum":
        clean = states @ bars
    else:
        shown = states[:, :, None] * bars
        largest = np.argmax(np.abs(shown) if overlap == "magnitude" else shown, axis=1)
        clean = np.take_along_axis(shown, largest[:, None], axis=1)[:, 0]
    fields = {
        "data": clean + noise * rng.standard_normal(clean.shape),
        "clean": clean,
        "components": bars,
        "states": states,
    }
    return Bunch(**{name: array.astype(dtype) for name, array in fields.items()}, activity=activity)
