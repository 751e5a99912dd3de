"""The posterior of few coefficients in use, and how every other column would do beside them.

With R the root of the prior variances in use and G their Gram matrix, ``B = I + R G R / s``, the covariance of the coefficients in
use is ``S = R B^-1 R``, their mean ``S A^H y / s``, and for any column n

    a_n^H C^-1 y = a_n^H (y - A mean) / s,       a_n^H C^-1 a_n = (|a_n|^2 - G_n S G_n^H / s) / s

at the cost of products with the columns in use alone: no matrix of n_samples or n_features squared.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from ..._array import asarray_like, sq_norm, to_numpy
from .evidence import cavity, charged_move
from .gaussian import SPANNED, steady_cholesky

__all__ = ["ActivePosterior", "active_posterior", "covariance_in_use", "gram_block"]


class ActivePosterior(NamedTuple):
    """NumPy arrays in double precision."""

    mean: Any  # of the coefficients in use, (k, L)
    covariance: Any  # (k, k)
    quality: Any  # a_n^H C^-1 y, (n_features, L)
    sparsity: Any  # a_n^H C^-1 a_n, (n_features,)
    sq_residual: float
    effective: float  # number of coefficients that the data determine
    log_evidence: float

    def moves(self, setting, prior_variance):
        """The best value of every prior variance alone, and what it gains in nats; none for a column that those in use span."""
        quality_sq = np.mean(np.abs(self.quality) ** 2, axis=1)
        factor = setting.n_targets * setting.half
        return charged_move(*cavity(quality_sq, self.sparsity, prior_variance), prior_variance, factor, setting.charge)


def gram_block(design, indices):
    """``A^H A_indices``, a NumPy array (n_features, k)."""
    return to_numpy(design.rmatvec(design.columns(np.asarray(indices))))


def covariance_in_use(gram, variances, noise):
    """The covariance of the coefficients in use, and ``log det B``."""
    root = np.sqrt(variances)
    scaled = root[:, None] * gram * root / noise
    scaled[np.diag_indices(root.size)] += 1.0
    factor = steady_cholesky(scaled)
    inverse = solve_triangular(factor, np.diag(root).astype(factor.dtype), lower=True, check_finite=False)
    return inverse.conj().T @ inverse, 2.0 * float(np.sum(np.log(np.real(np.diagonal(factor)))))


def active_posterior(setting, active, variances, noise, block=None) -> ActivePosterior:
    """The posterior for prior `variances` (k,) of the columns `active` (k,), all others being zero.

    `block` is ``A^H A_active`` (n_features, k), for a caller who keeps it.
    """
    design, target, n_samples = setting.design, setting.target, setting.n_samples
    block = gram_block(design, active) if block is None else block
    covariance, log_det = covariance_in_use(block[active], variances, noise)
    mean = covariance @ setting.correlation[active] / noise
    coef = np.zeros(setting.correlation.shape, dtype=np.result_type(mean, setting.correlation))
    coef[active] = mean
    residual = target - design.matvec(asarray_like(coef, target, dtype=target.dtype))
    quality = to_numpy(design.rmatvec(residual)) / noise
    quality[active] = mean / variances[:, None]
    explained = np.real(np.einsum("nk,nk->n", block @ covariance, block.conj())) / noise
    left = setting.sq_norms - explained
    sparsity = np.where(left > SPANNED * setting.sq_norms, left, 0.0) / noise
    known = 1.0 - np.real(np.diagonal(covariance)) / variances
    sparsity[active] = np.maximum(known, 0.0) / variances
    sq_residual = float(np.sum(to_numpy(sq_norm(residual))))
    quadratic = sq_residual / noise + float(np.sum(np.abs(mean) ** 2 / variances[:, None]))
    constant = math.log(math.pi if setting.complex_data else 2.0 * math.pi)
    log_det += n_samples * (constant + math.log(noise))
    return ActivePosterior(
        mean=mean,
        covariance=covariance,
        quality=quality,
        sparsity=sparsity,
        sq_residual=sq_residual,
        effective=float(np.sum(known)),
        log_evidence=-setting.half * (setting.n_targets * log_det + quadratic),
    )
