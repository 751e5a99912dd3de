"""The strength of the penalty of loss-based OMP where nobody gives one: what a column of noise does not reach."""

from __future__ import annotations

import numpy as np

from .absolute_pursuit import Columns

__all__ = ["default_strength"]

_COSINE = (
    0.32  # u of the docstring: found best for the square-root loss with l1 at every noise level of a measured series
)
_NOISE_GUESS = 0.1  # of the target, where a default strength needs the size of the noise: 20 dB


def default_strength(request, design, weights, misfit):
    """The strength that a column of noise does not reach, for every target of this misfit (see `loss_omp`)."""
    u = _COSINE
    angle = 1.0 - np.sqrt(1.0 - u * u)
    spread = _spread(request, design, weights) if request.penalty == "l1" else 1.0
    if request.loss != "absolute":
        noise = _NOISE_GUESS * np.sqrt(2.0 * misfit)
    else:
        noise = _NOISE_GUESS * np.sqrt(np.pi / 2.0) * misfit
    if request.penalty == "l1":
        return spread * u * (noise if request.loss == "squared" else np.ones_like(noise))
    if request.loss == "absolute":
        return np.sqrt(np.pi / 8.0) * u * u * noise
    if request.loss == "squared":
        return 0.5 * (u * noise) ** 2
    return angle * (np.ones_like(noise) if request.scale_free else noise)


def _spread(request, design, weights):
    """Size of the entries of the columns that may be selected; a sample of weight two counts twice."""
    norms = np.asarray(design.column_sq_norms(), dtype=np.float64)
    open_ = np.flatnonzero((norms > 0) & np.isfinite(weights) & (weights > 0))
    if open_.size == 0:
        return 1.0
    if request.loss != "absolute":
        return np.sqrt(np.mean(norms[open_]) / design.shape[0])
    total = sum(np.sum(np.abs(columns)) for _, columns in Columns(design).pieces(open_))
    return total / (open_.size * design.shape[0])
