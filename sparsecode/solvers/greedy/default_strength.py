"""The strength of the penalty of loss-based OMP where nobody gives one: what a column of noise does not reach.

A column drawn at random has a cosine c with a residual that knows nothing of it, in n dimensions: c^2 follows the law
Beta(1/2, (n - 1)/2), or Beta(1, n - 1) for complex data. The same holds for the signs of such a residual, which are what
absolute deviations are correlated with. The default lets any of the columns in by chance one time in twenty, whatever their weights.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import betainc

from ...designs import CenteredDesign
from .rules import np_dtype

__all__ = ["default_strength"]

_LEVEL = 0.05  # chance that any column of noise is selected
_NOISE_GUESS = 0.1  # of the target, where a default strength needs the size of the noise: 20 dB
_GRID = np.log(1.01)  # spacing of the worths of columns that are told apart, in logarithms
_SHORT = 1e-4  # columns worth less than that, relative to the best, do not count


def default_strength(request, design, target, weights, n_counted):
    """A callable that gives the strength which a column of noise does not reach, for targets of some misfit (see `loss_omp`)."""
    is_complex = "c" in (np_dtype(design).kind, np_dtype(target).kind)
    worth = _worth(request, design, weights)
    level = _Cosines(n_counted, is_complex).least_gain(worth, _cosine_of(request))
    if (request.loss, request.penalty) == ("absolute", "l0"):
        level *= np.sqrt(np.pi / 2.0)
    knows_no_scale = request.loss != "squared" if request.penalty == "l1" else request.scale_free

    def strength(misfit):
        if knows_no_scale:
            return np.full(np.shape(misfit), level)
        size = np.sqrt(np.pi / 2.0) * misfit if request.loss == "absolute" else np.sqrt(2.0 * misfit)
        noise = _NOISE_GUESS * size
        return level * (noise**2 if (request.loss, request.penalty) == ("squared", "l0") else noise)

    return strength


class _Cosines:
    """The law of the cosine between a fixed vector and a random one in n dimensions."""

    def __init__(self, n_dimensions, is_complex):
        free = max(n_dimensions - 1.0, 1e-3)
        self.first, self.second = (free, 1.0) if is_complex else (free / 2.0, 0.5)

    def chance(self, cosine):
        """Of a cosine at least that large."""
        return betainc(self.first, self.second, np.maximum(1.0 - cosine**2, 0.0))

    def least_gain(self, worth, cosine_of):
        """The strength that columns are expected to reach `_LEVEL` times, each by its gain times its worth.

        Gains are known by their cosines; worths count on a grid, each shared between two neighbours.
        """
        if worth.size == 0:
            return 0.0
        largest = np.max(worth)
        place = np.log(largest / np.maximum(worth, _SHORT * largest)) / _GRID
        lower = np.floor(place).astype(int)
        counts = np.bincount(lower, 1.0 - (place - lower), np.max(lower) + 2)
        counts += np.bincount(lower + 1, place - lower, counts.size)
        grid = np.exp(-_GRID * np.arange(counts.size))

        def excess(strength):
            return np.sum(counts * self.chance(cosine_of(np.minimum(strength / grid, 1.0)))) - _LEVEL

        return float(largest * brentq(excess, 0.0, 1.0, xtol=1e-300, rtol=1e-12, maxiter=500))


def _cosine_of(request):
    """The cosine with the residual that gains so much, as a share of what the penalty's price is compared with."""
    if request.penalty == "l1":
        return lambda gain: gain
    if request.loss == "square_root":
        return lambda gain: np.sqrt(gain * (2.0 - gain))  # the gain is 1 - sqrt(1 - cosine^2)
    return lambda gain: np.sqrt(2.0 * gain)


def _worth(request, design, weights):
    """What the gain of every column that may be selected counts for: over its price, and with l1 times the size of its entries.

    That size is their root mean square; a sample of weight two counts twice.
    """
    if request.loss == "absolute" and isinstance(design, CenteredDesign) and design.scale is not None:
        design = CenteredDesign(design.base, design.mean, np.sqrt(design.scale))  # its rows carry whole weights
    norms = np.asarray(design.column_sq_norms(), dtype=np.float64)
    with np.errstate(over="ignore"):
        price = weights if request.penalty == "l1" else weights**2
    open_ = (norms > 0) & np.isfinite(price) & (price > 0)
    size = np.sqrt(norms[open_] / design.shape[0]) if request.penalty == "l1" else 1.0
    return size / price[open_]
