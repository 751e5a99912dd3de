"""How far prior variances are from the best evidence: what a change of one of them alone could still gain.

With C the covariance of the data and ``C_-n`` that without column n, let ``s = a_n^H C_-n^-1 a_n``, ``q = a_n^H C_-n^-1 y``. As a
function of its variance g_n alone the log evidence of L real targets is, up to a constant,

    l(g) = L/2 (|q|^2/L  g / (1 + g s) - log(1 + g s)),    largest at  g* = max(0, (|q|^2/L - s) / s^2)

so that ``l(g*) - l(g_n)``, in nats, is what adding, re-estimating or deleting the coefficient would gain. It does not depend on the
scale of anything, and is zero for all n exactly where no single variance can be improved. Complex targets count twice.

A `charge` asks each coefficient in use to bring so many nats: what is then maximised is ``log evidence - charge #{n: g_n > 0}``,
and a variance is zero unless ``l(g*) > charge``. Without one, every third column that has nothing to do with the data stays in use,
those with ``|q|^2 > s``, and a learned noise variance sinks with them.

Tipping and Faul, "Fast marginal likelihood maximisation for sparse Bayesian models", 2003.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["best_variance", "cavity", "charged_move", "noise_gain", "presence", "single_gain"]

_GRID = 16  # variances tried where the targets disagree on the best one


def cavity(quality_sq, sparsity, prior_variance) -> tuple[Any, Any]:
    """``|q|^2`` (mean over the targets) and s of each column without itself, from those with it."""
    left = np.maximum(1.0 - prior_variance * sparsity, 1e-12)
    return quality_sq / left**2, sparsity / left


def best_variance(quality_sq, sparsity):
    """The prior variance that maximises the evidence alone, from the cavity's numbers."""
    safe = np.where(sparsity > 0, sparsity, 1.0)
    return np.where(sparsity > 0, np.maximum((quality_sq / safe - 1.0) / safe, 0.0), 0.0)


def single_gain(quality_sq, sparsity, prior_variance, n_targets=1, complex_data=False, charge=0.0):
    """The gain in nats of each prior variance by changing it alone; the numbers are float64 arrays (n_features,).

    `quality_sq` is the mean over the targets of ``|q_n|^2``, with the column in C, as `sparsity` is.
    """
    factor = n_targets * (1.0 if complex_data else 0.5)
    return charged_move(*cavity(quality_sq, sparsity, prior_variance), prior_variance, factor, charge)[1]


def charged_move(quality_sq, sparsity, prior_variance, factor, charge=0.0):
    """The best value of each variance alone, and what it gains in nats, from the cavity's numbers.

    Those of targets that see a variance on different scales come as arrays (n_features, n_targets), the scale multiplied in.
    """
    best = best_variance(quality_sq, sparsity)
    if quality_sq.ndim == 2:
        best = _common_best(quality_sq, sparsity, best)
    bought = factor * presence(quality_sq, sparsity, best)
    best, bought = np.where(bought > charge, best, 0.0), np.maximum(bought - charge, 0.0)
    here = factor * presence(quality_sq, sparsity, prior_variance) - charge * (prior_variance > 0)
    gain = np.maximum(bought - here, 0.0)
    if quality_sq.ndim == 1:
        gain = np.where((best > 0) & (prior_variance > 0), factor * _moved(quality_sq, sparsity, prior_variance), gain)
    return best, gain


def _moved(quality_sq, sparsity, variance):
    """``l(g*) - l(variance)`` for ``g* > 0``, where both are large in little noise, and their difference is not."""
    scale = 1.0 + variance * sparsity
    apart = np.maximum((quality_sq / np.where(sparsity > 0, sparsity, 1.0) - scale) / scale, -1.0 + 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        return apart - np.log1p(apart)


def presence(quality_sq, sparsity, variance):
    """``l(variance) - l(0)`` over the factor that counts targets."""
    if quality_sq.ndim == 2:
        return np.sum(_alone(quality_sq, sparsity, variance[:, None]), axis=1)
    return _alone(quality_sq, sparsity, variance)


def _alone(quality_sq, sparsity, variance):
    return quality_sq * variance / (1.0 + variance * sparsity) - np.log1p(variance * sparsity)


def _common_best(quality_sq, sparsity, best):
    """The best of a grid between what each target wants for itself, refined; outside, all of them lose."""
    high = np.max(best, axis=1)
    safe = np.where(high > 0, high, 1.0)
    low = np.maximum(np.min(best, axis=1), 1e-8 * safe)
    for _ in range(5):
        low = np.minimum(low, safe)
        share = np.linspace(0.0, 1.0, _GRID)
        tried = low[:, None] * (safe / low)[:, None] ** share  # (n_features, _GRID)
        value = _alone(quality_sq[:, None, :], sparsity[:, None, :], tried[:, :, None]).sum(axis=2)
        top = np.argmax(value, axis=1)
        rows = np.arange(top.size)
        found = tried[rows, top]
        low, safe = tried[rows, np.maximum(top - 1, 0)], tried[rows, np.minimum(top + 1, _GRID - 1)]
    return np.where(high > 0, found, 0.0)


def noise_gain(sq_residual, effective, noise_variance, shape, complex_data=False, floor=0.0):
    """The gain in nats of moving the noise variance alone, by the score test; none where only one below `floor` gains.

    `sq_residual` is ``sum |y - A mean|^2``, `effective` the number of coefficients that the data determine,
    ``sum_n (1 - variance_n / g_n)``, and `shape` that of the targets.
    """
    n_samples, n_targets = shape
    factor = n_targets * (1.0 if complex_data else 0.5)
    left = max(n_samples - effective, np.finfo(float).eps * n_samples)  # trace of s C^-1
    score = factor * (sq_residual / (n_targets * noise_variance) - left)
    if score < 0 and noise_variance <= floor:
        return 0.0
    information = factor * left**2 / n_samples  # never more than factor * trace (s C^-1)^2
    return 0.5 * score**2 / information
