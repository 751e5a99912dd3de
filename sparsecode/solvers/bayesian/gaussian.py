"""The posterior of a linear Gaussian model whose prior variances and noise variance are known.

    y_t = A x_t + e_t,    x_t ~ N(0, diag(g)),    e_t ~ N(0, s I),    C = s I + A diag(g) A^H,    t = 1 .. L targets

    mean = g A^H C^-1 y,    variance_n = g_n - g_n^2 d_n,    d_n = a_n^H C^-1 a_n,    q_n = a_n^H C^-1 y

computed from C (n_samples x n_samples), or from ``B = I + G^1/2 A^H A G^1/2 / s`` (n_features x n_features), whichever is smaller.
Complex data are circular: variances are of the modulus, and densities lose their halves.

Tipping, "Sparse Bayesian learning and the relevance vector machine", 2001.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular

from ..._array import array_namespace, dagger, device, is_complex, is_numpy, real_part, sq_norm

__all__ = ["SPANNED", "Posterior", "posterior", "steady_cholesky", "triangular_solve"]

SPANNED = 1e-12  # share of a column's squared norm that rounding alone leaves of one that those in use span


class Posterior(NamedTuple):
    """What the data say of coefficients with these prior variances; arrays have one row a coefficient."""

    mean: Any  # (n, L)
    variance: Any  # (n,), the same for every target
    quality: Any  # q, (n, L): correlation of a column with the data, in the metric of C
    sparsity: Any  # d, (n,): squared norm of a column in the metric of C
    log_evidence: float  # of all targets together


def posterior(columns, target, prior_variance, noise_variance, gram=None, correlation=None) -> Posterior:
    """The posterior of the coefficients of `columns` (n_samples, n), for targets (n_samples, L).

    Parameters
    ----------
    columns : array of shape (n_samples, n)
        The columns of the design that have a prior variance.
    target : array of shape (n_samples, n_targets)
        The data.
    prior_variance : array of shape (n,)
        Prior variances; zero is allowed.
    noise_variance : float
        Variance of the noise; greater than zero.
    gram, correlation : arrays of shape (n, n) and (n, n_targets), optional
        ``A^H A`` and ``A^H y``, which the smaller form for fewer columns than samples needs: a caller with many prior variances
        computes them once.
    """
    if columns.shape[1] >= columns.shape[0]:
        return _from_samples(columns, target, prior_variance, noise_variance)
    gram = dagger(columns) @ columns if gram is None else gram
    correlation = dagger(columns) @ target if correlation is None else correlation
    return _from_features(columns, target, prior_variance, noise_variance, gram, correlation)


def _from_samples(columns, target, prior_variance, noise_variance):
    xp = array_namespace(columns)
    root = columns * xp.sqrt(prior_variance)[None, :]
    eye = xp.eye(columns.shape[0], dtype=columns.dtype, device=device(columns))
    factor = steady_cholesky(root @ dagger(root) + noise_variance * eye)
    atoms = triangular_solve(factor, columns)
    data = triangular_solve(factor, target)
    quality = dagger(atoms) @ data
    sparsity = xp.astype(sq_norm(atoms), prior_variance.dtype)
    variance = prior_variance * (1.0 - prior_variance * sparsity)
    return Posterior(
        mean=prior_variance[:, None] * quality,
        variance=xp.where(variance > 0, variance, 0 * variance),
        quality=quality,
        sparsity=sparsity,
        log_evidence=_log_density(columns, target, _log_det(factor), float(xp.sum(sq_norm(data)))),
    )


def _from_features(columns, target, prior_variance, noise_variance, gram, correlation):
    xp = array_namespace(columns)
    root = xp.sqrt(prior_variance)
    eye = xp.eye(columns.shape[1], dtype=columns.dtype, device=device(columns))
    factor = steady_cholesky(eye + root[:, None] * gram * root[None, :] / noise_variance)
    inverse = triangular_solve(factor, eye)  # B^-1 = L^-H L^-1
    share = xp.astype(sq_norm(inverse), root.dtype)  # diagonal of B^-1: what is left of the prior variances
    scaled = dagger(inverse) @ (inverse @ (root[:, None] * correlation)) / noise_variance  # mean / root
    mean = root[:, None] * scaled
    residual = target - columns @ mean
    explained = xp.astype(sq_norm(inverse @ (root[:, None] * gram)), root.dtype) / noise_variance
    own = real_part(xp.linalg.diagonal(gram))
    left = xp.where(own - explained > SPANNED * own, (own - explained) / noise_variance, 0 * own)
    known = share < 0.5  # each of the two forms of q and d loses digits where the other does not
    prior = xp.where(known, prior_variance, xp.ones_like(root))
    seen = xp.where((left > 0)[:, None], dagger(columns) @ residual / noise_variance, 0 * mean)  # |q|^2 <= d y^H C^-1 y
    quadratic = float(xp.sum(sq_norm(residual))) / noise_variance + float(xp.sum(sq_norm(scaled)))
    return Posterior(
        mean=mean,
        variance=prior_variance * share,
        quality=xp.where(known[:, None], mean / prior[:, None], seen),
        sparsity=xp.where(known, (1.0 - share) / prior, left),
        log_evidence=_log_density(
            columns, target, _log_det(factor) + columns.shape[0] * math.log(noise_variance), quadratic
        ),
    )


def steady_cholesky(matrix):
    """The lower factor of a positive definite matrix; one that rounding made singular first gains what rounding may have cost it."""
    xp = array_namespace(matrix)
    own = real_part(xp.linalg.diagonal(matrix))
    lost = float(xp.finfo(own.dtype).eps) * float(xp.sum(own))
    eye = xp.eye(matrix.shape[0], dtype=matrix.dtype, device=device(matrix))
    for share in (0.0, 1.0, 1e2, 1e4):
        try:
            factor = xp.linalg.cholesky(matrix + share * lost * eye if share else matrix)
        except (np.linalg.LinAlgError, RuntimeError):
            continue
        if bool(xp.all(xp.isfinite(real_part(xp.linalg.diagonal(factor))))):
            return factor
    raise FloatingPointError("prior variances left the range of double precision")


def _log_det(factor):
    """Of ``L L^H``."""
    xp = array_namespace(factor)
    return 2.0 * float(xp.sum(xp.log(real_part(xp.linalg.diagonal(factor)))))


def _log_density(columns, target, log_det, quadratic):
    """Log density of all targets under N(0, C), or CN(0, C)."""
    n_samples, n_targets = target.shape
    if is_complex(columns):
        return -(n_targets * (n_samples * math.log(math.pi) + log_det) + quadratic)
    return -0.5 * (n_targets * (n_samples * math.log(2 * math.pi) + log_det) + quadratic)


def triangular_solve(factor, right):
    """``L^-1 right`` for a lower triangular factor, in any namespace."""
    if is_numpy(factor):
        return solve_triangular(factor, right, lower=True, check_finite=False)
    xp = array_namespace(factor)
    if hasattr(xp.linalg, "solve_triangular"):  # torch
        return xp.linalg.solve_triangular(factor, right, upper=False)
    if "cupy" in xp.__name__:
        from cupyx.scipy.linalg import solve_triangular as on_device

        return on_device(factor, right, lower=True)
    return xp.linalg.solve(factor, right)
