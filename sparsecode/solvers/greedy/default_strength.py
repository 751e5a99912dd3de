"""The strength of the penalty of loss-based OMP where nobody gives one: what a column of noise does not reach.

A column drawn at random has a cosine c with a residual that knows nothing of it, in n dimensions: c^2 follows the law
Beta(1/2, (n - 1)/2), or Beta(1, n - 1) for complex data. The same holds for the signs of such a residual, which are what
absolute deviations are correlated with. The default lets any of the columns in by chance one time in twenty.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import betainc, betaincinv

from ...designs import CenteredDesign
from .rules import np_dtype

__all__ = ["default_strength"]

_LEVEL = 0.05  # chance that any column of noise is selected
_NOISE_GUESS = 0.1  # of the target, where a default strength needs the size of the noise: 20 dB
_GRID = np.log(1.01)  # spacing of the norms of columns that are told apart, in logarithms
_SHORT = 1e-4  # columns shorter than that, relative to the longest, do not count


def default_strength(request, design, target, weights, n_counted):
    """A callable that gives the strength which a column of noise does not reach, for targets of some misfit (see `loss_omp`)."""
    is_complex = "c" in (np_dtype(design).kind, np_dtype(target).kind)
    law, sizes = _Cosines(n_counted, is_complex), _sizes(request, design, weights)
    u = law.least(max(1, sizes.size))
    if request.penalty == "l1":
        level = law.least_product(sizes)
    elif request.loss == "square_root":
        level = 1.0 - np.sqrt(1.0 - u * u)
    else:
        level = 0.5 * u * u if request.loss == "squared" else np.sqrt(np.pi / 8.0) * u * u
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

    def least(self, n_columns):
        """The cosine that so many columns are expected to exceed `_LEVEL` times."""
        return float(np.sqrt(1.0 - betaincinv(self.first, self.second, _LEVEL / n_columns)))

    def least_product(self, sizes):
        """The same for cosines times the sizes of their columns, which count on a grid, each shared between two neighbours."""
        largest, least = np.max(sizes, initial=0.0), self.least(max(1, sizes.size))
        if np.all(sizes == largest):
            return float(largest * least)
        place = np.log(largest / np.maximum(sizes, _SHORT * largest)) / _GRID
        lower = np.floor(place).astype(int)
        counts = np.bincount(lower, 1.0 - (place - lower), np.max(lower) + 2)
        counts += np.bincount(lower + 1, place - lower, counts.size)
        grid = np.exp(-_GRID * np.arange(counts.size))

        def excess(product):
            return np.sum(counts * self.chance(product / grid)) - _LEVEL

        return float(largest * brentq(excess, least * grid[-1], least * (1.0 + 1e-9), rtol=1e-10))


def _sizes(request, design, weights):
    """Root mean square of the entries of every column that may be selected; a sample of weight two counts twice."""
    if request.loss == "absolute" and isinstance(design, CenteredDesign) and design.scale is not None:
        design = CenteredDesign(design.base, design.mean, np.sqrt(design.scale))  # its rows carry whole weights
    norms = np.asarray(design.column_sq_norms(), dtype=np.float64)
    open_ = (norms > 0) & np.isfinite(weights) & (weights > 0)
    return np.sqrt(norms[open_] / design.shape[0])
