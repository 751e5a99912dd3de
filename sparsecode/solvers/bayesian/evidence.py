"""How far prior variances are from the best evidence: what a change of one of them alone could still gain.

With C the covariance of the data and ``C_-n`` that without column n, let ``s = a_n^H C_-n^-1 a_n``, ``q = a_n^H C_-n^-1 y``. As a
function of its variance g_n alone the log evidence of L real targets is, up to a constant,

    l(g) = L/2 (|q|^2/L  g / (1 + g s) - log(1 + g s)),    largest at  g* = max(0, (|q|^2/L - s) / s^2)

so that ``l(g*) - l(g_n)``, in nats, is what adding, re-estimating or deleting the coefficient would gain. It does not depend on the
scale of anything, and is zero for all n exactly where no single variance can be improved. Complex targets count twice.

Tipping and Faul, "Fast marginal likelihood maximisation for sparse Bayesian models", 2003.
"""

from __future__ import annotations

import numpy as np

__all__ = ["best_variance", "cavity", "noise_gain", "single_gain"]


def cavity(quality_sq, sparsity, prior_variance):
    """``|q|^2`` (mean over the targets) and s of each column without itself, from those with it."""
    left = np.maximum(1.0 - prior_variance * sparsity, 1e-12)
    return quality_sq / left**2, sparsity / left


def best_variance(quality_sq, sparsity):
    """The prior variance that maximises the evidence alone, from the cavity's numbers."""
    safe = np.where(sparsity > 0, sparsity, 1.0)
    return np.where(sparsity > 0, np.maximum((quality_sq / safe - 1.0) / safe, 0.0), 0.0)


def single_gain(quality_sq, sparsity, prior_variance, n_targets=1, complex_data=False):
    """The gain in nats of each prior variance by changing it alone; the numbers are float64 arrays (n_features,).

    `quality_sq` is the mean over the targets of ``|q_n|^2``, with the column in C, as `sparsity` is.
    """
    quality_sq, sparsity = cavity(quality_sq, sparsity, prior_variance)
    best = best_variance(quality_sq, sparsity)
    factor = n_targets * (1.0 if complex_data else 0.5)
    gain = _alone(quality_sq, sparsity, best) - _alone(quality_sq, sparsity, prior_variance)
    return factor * np.maximum(gain, 0.0)


def _alone(quality_sq, sparsity, variance):
    return quality_sq * variance / (1.0 + variance * sparsity) - np.log1p(variance * sparsity)


def noise_gain(sq_residual, effective, noise_variance, shape, complex_data=False, floor=0.0):
    """The gain in nats of moving the noise variance alone, by the score test; none where only one below `floor` gains.

    `sq_residual` is ``sum |y - A mean|^2``, `effective` the number of coefficients that the data determine,
    ``sum_n (1 - variance_n / g_n)``, and `shape` that of the targets.
    """
    n_samples, n_targets = shape
    factor = n_targets * (1.0 if complex_data else 0.5)
    left = max(n_samples - effective, np.finfo(float).tiny)  # trace of s C^-1
    score = factor * (sq_residual / (n_targets * noise_variance) - left)
    if score < 0 and noise_variance <= floor:
        return 0.0
    information = factor * left**2 / n_samples  # never more than factor * trace (s C^-1)^2
    return 0.5 * score**2 / information
