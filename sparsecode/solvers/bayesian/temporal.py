"""Rows of coefficients that are correlated along the targets, exactly and at the cost of independent targets.

    Y = A X + E,   rows x_n ~ N(0, g_n B),   E white of variance s,   B = U diag(l) U^H

Column j of ``X conj(U)`` has prior variances ``g_n l_j``, is independent of the others, and the noise stays white: L problems that
share the eigenvectors of ``A diag(g) A^H``, in place of one with L times as many unknowns.

Zhang and Rao, "Sparse signal recovery with temporally correlated source vectors using sparse Bayesian learning", 2011.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..._array import array_namespace, asarray_like, dagger, is_array_api_obj, is_complex, real_part, to_numpy
from .gaussian import Posterior

__all__ = ["Rotation", "as_correlation", "learned_correlation", "rotated_posterior", "rotation"]

_RIDGE = 1e-2  # of a learned correlation: few rows determine it badly


class Rotation(NamedTuple):
    """Eigenvalues and eigenvectors of the correlation of the targets."""

    scales: np.ndarray  # (L,), not negative
    vectors: np.ndarray  # (L, L)


def rotation(correlation) -> Rotation:
    """The eigenvalues, none of them zero, with the eigenvectors."""
    scales, vectors = np.linalg.eigh(correlation)
    return Rotation(np.maximum(scales, 1e-10 * scales[-1]), vectors)


def rotated_posterior(columns, target, prior_variance, noise_variance, turn) -> Posterior:
    """As `gaussian.posterior`, with a column of `quality` (of the rotated targets), `sparsity` and `variance` for each target."""
    xp = array_namespace(columns)
    vectors = asarray_like(turn.vectors, target, dtype=target.dtype)
    rotated = target @ _conj(xp, vectors)  # (n_samples, L)
    root = columns * xp.sqrt(prior_variance)[None, :]
    spectrum, basis = xp.linalg.eigh(root @ dagger(root))
    spectrum = xp.where(spectrum > 0, spectrum, 0 * spectrum)
    scales = asarray_like(turn.scales, prior_variance, dtype=prior_variance.dtype)
    total = noise_variance + spectrum[:, None] * scales[None, :]  # (n_samples, L)
    atoms, data = dagger(basis) @ columns, dagger(basis) @ rotated
    quality = dagger(atoms) @ (data / total)
    sparsity = _sq_abs(xp, atoms).T @ (1.0 / total)
    mean = (prior_variance[:, None] * scales[None, :]) * quality
    left = prior_variance[:, None] * scales[None, :]
    variance = left * (1.0 - left * sparsity)
    variance = xp.where(variance > 0, variance, 0 * variance)
    half, constant = (
        (1.0, math.log(math.pi)) if is_complex(columns) or is_complex(target) else (0.5, math.log(2 * math.pi))
    )
    quadratic = float(xp.sum(_sq_abs(xp, data) / total))
    log_det = float(xp.sum(xp.log(total)))
    return Posterior(
        mean=mean @ vectors.T,
        variance=variance @ _sq_abs(xp, vectors).T,
        quality=quality,
        sparsity=sparsity,
        log_evidence=-half * (math.prod(target.shape) * constant + log_det + quadratic),
    )


def learned_correlation(now, prior_variance, turn):
    """The correlation of the next step of expectation-maximisation, of trace L: mean of ``E x_n x_n^H / g_n`` over the rows, and a ridge."""
    left = prior_variance[:, None] * turn.scales
    mean = left * to_numpy(now.quality)  # of the rotated targets
    own = left * np.maximum(1.0 - left * to_numpy(now.sparsity), 0.0)
    weight = 1.0 / prior_variance
    inside = (mean * weight[:, None]).T @ mean.conj() + np.diag(weight @ own)
    found = turn.vectors @ inside @ turn.vectors.conj().T
    found = (found + found.conj().T) / 2.0
    n_targets = len(turn.scales)
    found = found * (n_targets / np.real(np.trace(found)))
    return (found + _RIDGE * np.eye(n_targets)) / (1.0 + _RIDGE)


def as_correlation(correlation, n_targets, complex_data=False):
    """A matrix (n_targets, n_targets) of trace n_targets, from itself or from the correlation of neighbouring targets."""
    try:
        values = to_numpy(correlation) if is_array_api_obj(correlation) else np.asarray(correlation)
    except ValueError:  # rows of different lengths
        values = np.asarray(None)
    if values.ndim == 0 and values.dtype.kind == "O":
        raise ValueError(f"correlation must be a number, a matrix or 'learn'; got {correlation!r}.")
    if values.ndim == 0:
        value = values[()] if values.dtype.kind in "biuf" or (complex_data and values.dtype.kind == "c") else np.nan
        if not abs(value) < 1.0:
            raise ValueError(
                f"correlation must be between -1 and 1 (both excluded), or for complex data of modulus below 1; got {values[()]!r}."
            )
        steps = np.subtract.outer(np.arange(n_targets), np.arange(n_targets))
        powers = value ** np.abs(steps) if value else np.eye(n_targets)
        return np.where(steps < 0, np.conj(powers), powers)
    if values.shape != (n_targets, n_targets):
        raise ValueError(
            f"correlation has shape {values.shape}; it must be a number, 'learn', or a matrix of shape ({n_targets}, {n_targets})."
        )
    if values.dtype.kind not in "biufc" or not np.all(np.isfinite(values)):
        raise ValueError("correlation contains NaN, infinity, or no numbers.")
    if np.iscomplexobj(values) and not complex_data:
        raise ValueError("correlation is complex, but the data are real; pass its real part.")
    spectrum = np.linalg.eigvalsh(values)
    if not np.allclose(values, values.conj().T) or spectrum[0] < -1e-8 * spectrum[-1] or spectrum[-1] <= 0:
        raise ValueError("correlation must be Hermitian with no negative eigenvalue, and not zero.")
    return values * (n_targets / np.real(np.trace(values)))


def _conj(xp, array):
    return xp.conj(array) if is_complex(array) else array


def _sq_abs(xp, array):
    return real_part(array * _conj(xp, array))
