"""Robust unmixing: pixels as mixtures of a few endmembers, with bands that may be useless.

    minimise over endmembers M >= 0 (K, n_bands) and abundances A >= 0 (n_pixels, K), each row of A on the simplex

        mean over bands l of rho(e_l)  +  mean over pixels of  alpha sum_k ((a_k + s)^p - s^p)        e_l = mean of (X - A M)_l^2

    squared        rho(e) = e / 2
    correntropy    rho(e) = c^2 (1 - exp(-e / (2 c^2)))
    l21            rho(e) = c (sqrt(e + t) - sqrt(t)),    the sum of the norms of the bands of the residual

Half-quadratic minimisation: each rho lies below a parabola in the residual whose weight, ``w_l = 2 rho'(e_l)``, falls with the error of
the band. Given the weights, endmembers and abundances follow by coordinate descent. The scale c is the median of ``sqrt(e_l)``; once it
is frozen, the objective never rises. For correntropy it is no less than a hundredth of the size of the bands: a median that vanishes on
clean data would cut off half of the bands, whichever they are.

Wang, Pan, Xiang and Zhu, "Robust hyperspectral unmixing with correntropy-based metric", 2015.
Zhu, Wang, Xiang, Fan and Pan, "Effective spectral unmixing via robust representation and learning-based sparsity", 2014
(arXiv 1409.0685).
Gillis and Vavasis, "Fast and robust recursive algorithms for separable nonnegative matrix factorization", 2012 (arXiv 1208.1237).
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from .._parallel import map_blocks, single_threaded_blas
from ..result import Status

__all__ = ["LOSSES", "SMOOTHING", "Unmixed", "abundances", "band_scale", "first_endmembers", "onto_simplex", "unmix"]

LOSSES = ("correntropy", "l21", "squared")
SMOOTHING = 1e-4  # of abundances under a power below one, whose slope at zero would be infinite
_LEAST = 1e-10  # of the largest weight, and of the energy of a band: floors that keep every system regular
_CLEAN = 1e-4  # of the energy of the median band: errors that say nothing against a band
_SETTLING = 50  # iterations, at most, in which scale and powers may change
_REFRESH = 20  # iterations between two estimates of the powers
_POWERS = 0.3, 1.0
_PASSES = 5  # over a pixel or a band in an iteration
_BLOCK = 1 << 12  # pixels


class Unmixed(NamedTuple):
    """Endmembers (K, n_bands), and how the solver ended."""

    endmembers: Any
    abundances: Any
    weights: Any  # (n_bands,), the largest is one
    largest_weight: float  # what it was
    scale: float
    status: Status
    n_iter: int
    objective: float
    certificate: float
    history: dict


class _Abundance(NamedTuple):
    """What is asked of abundances beside the fit."""

    alpha: float
    sq_delta: float
    exact: bool
    n_jobs: Any

    def descend(self, rows, gram, linear, powers, n_passes, tol=0.0):
        """Lower the objective of every row, in place; `linear` gives that of the rows from `start` to `stop`."""
        from ..kernels.unmixing import descend_rows

        def block(start, stop):
            own = rows[start:stop], gram, linear(start, stop), self.alpha, powers[start:stop], SMOOTHING
            descend_rows(*own, self.sq_delta, self.exact, n_passes, tol)

        map_blocks(block, len(rows), _BLOCK, self.n_jobs)

    def value(self, rows, powers):
        """Mean over pixels of the penalties."""
        value = 0.0
        if self.alpha > 0:
            raised = (rows + SMOOTHING) ** powers[:, None] - SMOOTHING ** powers[:, None]
            value += self.alpha * float(np.sum(raised))
        if not self.exact:
            value += 0.5 * self.sq_delta * float(np.sum((1.0 - rows.sum(axis=1)) ** 2))
        return value / len(rows)

    def gradient(self, rows, powers):
        """Gradient of the penalties of every pixel."""
        slope = np.zeros_like(rows)
        if self.alpha > 0:
            slope += self.alpha * powers[:, None] * (rows + SMOOTHING) ** (powers[:, None] - 1.0)
        if not self.exact:
            slope += self.sq_delta * (rows.sum(axis=1, keepdims=True) - 1.0)
        return slope


def unmix(X, endmembers, *, loss, alpha, power, delta, max_iter, tol, n_jobs=None, callback=None) -> Unmixed:
    """Alternate between endmembers, band weights and abundances until a projected gradient step moves them by at most `tol`.

    Parameters
    ----------
    X : float64 array of shape (n_pixels, n_bands)
        Pixels, of about unit size (see `band_scale`).
    endmembers : float64 array of shape (K, n_bands)
        Where to start.
    loss, alpha, power, delta, max_iter, tol, n_jobs, callback
        As in `RobustUnmixing`; `delta` None for the exact simplex, `power` None for learned ones.
    """
    began = time.perf_counter()
    n_pixels, n_bands = X.shape
    asked = _Abundance(alpha, 0.0 if delta is None else delta**2, delta is None, n_jobs)
    free = _Abundance(0.0, 0.0, False, n_jobs)
    M, A = endmembers.copy(), np.full((n_pixels, len(endmembers)), 1.0 / len(endmembers))
    powers = np.full(n_pixels, 0.5 if power is None else power)
    energy = np.einsum("nl,nl->l", X, X) / n_pixels
    weights = np.ones(n_bands)
    _abundance_step(asked, A, X, M, weights, powers, 10 * _PASSES)
    settling = min(_SETTLING, max_iter // 2) if loss != "squared" or power is None else 0
    history: dict[str, list] = {name: [] for name in ("iteration", "objective", "certificate", "scale", "seconds")}
    scale, status, iteration = 1.0, Status.MAX_ITER, 0
    while True:
        gram, mixed = _moments(A, X, n_jobs)
        errors = _band_errors(energy, M, gram, mixed)
        if iteration <= settling:
            scale = _scale(loss, errors, energy)
            if power is None and iteration % _REFRESH == 0:
                powers = learned_powers(A)
        weights = _weights(loss, errors, scale)
        objective = _rho(loss, errors, scale) + asked.value(A, powers)
        certificate = _moves(asked, A, X, M, weights, powers, gram, mixed)
        row = (iteration, objective, certificate, scale, time.perf_counter() - began)
        for name, value in zip(history, row, strict=True):
            history[name].append(value)
        if certificate <= tol and iteration > settling:
            status = Status.CONVERGED
        elif callback is not None and callback(iteration, M, objective, certificate):
            status = Status.INTERRUPTED
        if status is not Status.MAX_ITER or iteration >= max_iter:
            break
        iteration += 1
        bands = np.ascontiguousarray(M.T)
        free.descend(bands, gram, lambda start, stop: mixed[start:stop], np.ones(n_bands), _PASSES)  # noqa: B023
        M = np.ascontiguousarray(bands.T)
        weights = _weights(loss, _band_errors(energy, M, gram, mixed), scale)
        _abundance_step(asked, A, X, M, weights, powers, _PASSES)
    top = float(np.max(weights))
    return Unmixed(M, A, weights / top, top, scale, status, iteration, objective, certificate, history)


def abundances(X, endmembers, weights, *, alpha, power, delta, n_passes=2000, tol=1e-9, n_jobs=None):
    """Abundances (n_pixels, K) of pixels over given endmembers and band weights; each pixel's own, whatever comes beside it."""
    asked = _Abundance(alpha, 0.0 if delta is None else delta**2, delta is None, n_jobs)
    A = np.full((len(X), len(endmembers)), 1.0 / len(endmembers))
    powers = np.full(len(X), 0.5 if power is None else power)
    for _ in range(1 if power is not None else 3):
        _abundance_step(asked, A, X, endmembers, weights, powers, n_passes, tol)
        if power is None:
            powers = learned_powers(A)
    return A


def _abundance_step(asked, A, X, M, weights, powers, n_passes, tol=0.0):
    weighted = M * (weights / X.shape[1])
    asked.descend(A, weighted @ M.T, lambda start, stop: X[start:stop] @ weighted.T, powers, n_passes, tol)


def _moments(A, X, n_jobs):
    """``A^T A`` (K, K) and ``X^T A`` (n_bands, K), each over the number of pixels."""
    parts = map_blocks(lambda start, stop: _products(A[start:stop], X[start:stop]), len(A), _BLOCK, n_jobs)
    return tuple(sum(part) / len(A) for part in zip(*parts, strict=True))


def _products(A, X):
    return A.T @ A, X.T @ A


def learned_powers(A):
    """Exponents of pixels, the lower the purer the pixel: one minus Hoyer's sparseness, between .3 and 1."""
    size = np.sqrt(A.shape[1])
    norms = np.linalg.norm(A, axis=1)
    ratio = np.divide(A.sum(axis=1), norms, out=np.full(len(A), size), where=norms > 0)
    hoyer = (size - ratio) / (size - 1.0) if size > 1 else np.zeros(len(A))
    return np.clip(1.0 - hoyer, *_POWERS)


def _band_errors(energy, M, gram, mixed):
    """``e_l``, mean squared residuals of the bands, from products that are at hand."""
    errors = energy - 2.0 * np.einsum("lk,kl->l", mixed, M) + np.einsum("kl,kj,jl->l", M, gram, M)
    return np.maximum(errors, 0.0)


def _scale(loss, errors, energy):
    """``c^2``, the median of the errors, but no less than rounding; for correntropy, whose weights vanish, than clean data have."""
    least = _LEAST * float(np.mean(energy))
    if loss == "correntropy" and np.any(energy > 0):
        least = max(least, _CLEAN * float(np.median(energy[energy > 0])))
    return max(float(np.median(errors)), least, np.finfo(float).tiny)


def _rho(loss, errors, scale):
    """Mean over bands of the loss."""
    if loss == "squared":
        return 0.5 * float(np.mean(errors))
    if loss == "correntropy":
        return scale * float(np.mean(-np.expm1(-errors / (2.0 * scale))))
    least = _LEAST * scale
    return float(np.sqrt(scale) * np.mean(np.sqrt(errors + least) - np.sqrt(least)))


def _weights(loss, errors, scale):
    """``2 rho'(e_l)``, which says how much each band counts."""
    if loss == "squared":
        return np.ones_like(errors)
    if loss == "correntropy":
        return np.exp(-errors / (2.0 * scale))
    return np.sqrt(scale / (errors + _LEAST * scale))


def _moves(asked, A, X, M, weights, powers, gram, mixed):
    """How far projected gradient steps would move the abundances (root mean square over pixels) or the endmembers (relative)."""
    weighted = M * (weights / X.shape[1])
    inner = weighted @ M.T
    step = 1.0 / (float(np.linalg.norm(inner, 2)) + A.shape[1] * asked.sq_delta or 1.0)

    def block(start, stop):
        rows = A[start:stop]
        slope = rows @ inner - X[start:stop] @ weighted.T + asked.gradient(rows, powers[start:stop])
        moved = rows - step * slope
        return float(np.sum(((onto_simplex(moved) if asked.exact else np.maximum(moved, 0.0)) - rows) ** 2))

    of_pixels = np.sqrt(sum(map_blocks(block, len(A), _BLOCK, asked.n_jobs)) / len(A))
    size = float(np.linalg.norm(gram, 2))
    bands = np.maximum(M - (gram @ M - mixed.T) / (size or 1.0), 0.0) - M
    return max(float(of_pixels), float(np.linalg.norm(bands)) / (float(np.linalg.norm(M)) or 1.0))


def onto_simplex(rows):
    """The nearest point of the simplex to every row (n, K)."""
    falling = -np.sort(-rows, axis=1)
    excess = (np.cumsum(falling, axis=1) - 1.0) / np.arange(1, rows.shape[1] + 1)
    last = np.count_nonzero(falling > excess, axis=1) - 1
    return np.maximum(rows - excess[np.arange(len(rows)), last][:, None], 0.0)


def band_scale(X):
    """The median over bands of their root mean squares: the size that bad bands cannot change; one where all are zero."""
    sizes = np.sqrt(np.mean(X.astype(np.float64, copy=False) ** 2, axis=0))
    sizes = sizes[sizes > 0]
    return float(np.median(sizes)) if sizes.size else 1.0


def first_endmembers(X, n_endmembers):
    """Pixels that are vertices of the cloud of pixels, by successive projections within its leading directions.

    Bands are first divided by the part of them that the other bands do not explain, so that noisy ones do not lead.
    """
    with single_threaded_blas():
        noise = _unexplained(X.T @ X / len(X))
        clean = np.divide(X, noise, out=np.zeros_like(X), where=noise > 0)
        _, directions = np.linalg.eigh(clean.T @ clean)
        directions = directions[:, ::-1][:, :n_endmembers]
        cloud = clean @ directions
    vertices = cloud[successive_projections(cloud, n_endmembers)]
    return np.ascontiguousarray(np.maximum((vertices @ directions.T) * noise, 0.0))


def _unexplained(moments):
    """Standard deviations of what a regression of each band on the others leaves; zero for bands of zeros."""
    energy = np.diagonal(moments)
    ridge = 1e-6 * float(np.mean(energy)) or 1.0
    inverse = np.linalg.inv(moments + ridge * np.eye(len(moments)))
    left = np.sqrt(1.0 / np.diagonal(inverse))
    return np.where(energy > 0, np.clip(left, 1e-3 * np.sqrt(energy), np.sqrt(energy)), 0.0)


def successive_projections(cloud, count):
    """Indices of points of largest norm, each after those before have been projected out; then the farthest from those chosen."""
    chosen: list[int] = []
    left = cloud.copy()
    least = 1e-12 * float(np.max(np.sum(cloud**2, axis=1), initial=0.0))
    for _ in range(count):
        norms = np.sum(left**2, axis=1)
        norms[chosen] = -1.0
        best = int(np.argmax(norms))
        if not norms[best] > least:  # the points span no more directions
            distances = [np.sum((cloud - cloud[i]) ** 2, axis=1) for i in chosen] or [norms]
            away = np.min(distances, axis=0)
            away[chosen] = -1.0
            best = int(np.argmax(away))
        else:
            unit = left[best] / np.sqrt(norms[best])
            left = left - np.outer(left @ unit, unit)
        chosen.append(best)
    return np.array(chosen)
