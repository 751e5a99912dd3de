"""The six greedy rules of the LASSO's relatives: how much one coefficient, moved alone, lowers ``G(x) = F(x) + R(x)``.

    delta_j = max_t  G(x) - G(x + t e_j)
    F(x) = ||y - A x||**2 / 2,   ||y - A x||   or   ||y - A x||_1
    R(x) = sum_(x_j != 0) s_j   (l0)   or   sum_j s_j |x_j|   (l1)

x minimises F alone on its support, so for the two Euclidean losses ``c_j = a_j^H r`` is zero there, and each rule has a branch
for columns inside the support (``x_j != 0``) and one for the others. Strengths s_j are inf for columns that may not be touched;
columns of norm zero give zero. Everything is in the unscaled form above; `loss_omp` converts its `alpha`.

Mohammad-Taheri and Adcock, "The greedy side of the LASSO: New algorithms for weighted sparse recovery via loss function-based
orthogonal matching pursuit", 2023 (arXiv 2303.00844).
"""

from __future__ import annotations

import numpy as np

from ..._array import array_namespace

__all__ = [
    "EUCLIDEAN_RULES",
    "absolute_fall",
    "absolute_l0",
    "absolute_l1",
    "root_l0",
    "root_l1",
    "squared_l0",
    "squared_l1",
]


def squared_l0(correlation, coef, sq_norms, residual_norm, strength):
    """Rule of ``||r||**2 / 2`` with the l0 penalty: a new column's fall of F minus its price, or the price minus the rise of F.

    Parameters
    ----------
    correlation, coef : arrays of shape (n_features,) or (n_features, n_targets)
        ``A^H r`` and x, in double precision.
    sq_norms : array that broadcasts against them
        Squared column norms.
    residual_norm : array of shape () or (n_targets,)
        ``||r||``.
    strength : array that broadcasts against `coef`
        s_j.

    Returns
    -------
    array of the shape of `coef`
        delta, never negative.
    """
    xp = array_namespace(coef)
    n, s, usable = _safe(xp, sq_norms, strength)
    new = xp.abs(correlation) ** 2 / (2.0 * n) - s
    inside = s - 0.5 * n * xp.abs(coef) ** 2
    return _chosen(xp, coef, new, inside, usable)


def squared_l1(correlation, coef, sq_norms, residual_norm, strength):
    """Rule of ``||r||**2 / 2`` with the l1 penalty: soft thresholding of the coefficient; arguments as in `squared_l0`."""
    xp = array_namespace(coef)
    n, s, usable = _safe(xp, sq_norms, strength)
    over = _positive(xp, xp.abs(correlation) - s)
    move = xp.minimum(xp.abs(coef), s / n)  # how far the coefficient shrinks
    return _chosen(xp, coef, over * over / (2.0 * n), move * (s - 0.5 * n * move), usable)


def root_l0(correlation, coef, sq_norms, residual_norm, strength):
    """Rule of ``||r||`` with the l0 penalty; arguments as in `squared_l0`."""
    xp = array_namespace(coef)
    n, s, usable = _safe(xp, sq_norms, strength)
    length = residual_norm + 0.0 * n  # in the shape of the coefficients
    explained = xp.minimum(xp.abs(correlation) ** 2 / n, length * length)
    left = xp.sqrt(_positive(xp, length * length - explained))
    fall = explained / _nonzero(xp, length + left)  # ||r|| - left, without cancellation
    return _chosen(xp, coef, fall - s, s - _rise(xp, length, n * xp.abs(coef) ** 2), usable)


def root_l1(correlation, coef, sq_norms, residual_norm, strength):
    """Rule of ``||r||`` with the l1 penalty; arguments as in `squared_l0`.

    With ``cos theta = |c_j| / (||a_j|| ||r||)`` and ``cos phi = s_j / ||a_j||`` a new column gains ``||r|| (1 - cos(theta - phi))``
    if theta < phi, else nothing.
    """
    xp = array_namespace(coef)
    n, s, usable = _safe(xp, sq_norms, strength)
    size, length = xp.sqrt(n), residual_norm + 0.0 * n
    ones = xp.ones_like(size)
    cos_theta = xp.minimum(xp.abs(correlation) / (size * _nonzero(xp, length)), ones)
    cos_phi = xp.minimum(s / size, ones)
    sin_theta, sin_phi = (xp.sqrt((1.0 - cosine) * (1.0 + cosine)) for cosine in (cos_theta, cos_phi))
    sum_ = sin_phi * cos_theta + cos_phi * sin_theta
    sine = _positive(xp, (cos_theta - cos_phi) * (cos_theta + cos_phi)) / _nonzero(xp, sum_)  # sin(phi - theta)
    sine = xp.minimum(sine, ones)
    new = length * sine * sine / (1.0 + xp.sqrt((1.0 - sine) * (1.0 + sine)))
    steep = sin_phi == 0.0  # the price of a coefficient rises faster than any residual: it goes to zero
    limit = cos_phi * length / (size * xp.where(steep, ones, sin_phi))
    move = xp.where(steep, xp.abs(coef), xp.minimum(xp.abs(coef), limit))
    return _chosen(xp, coef, new, s * move - _rise(xp, length, n * move * move), usable)


EUCLIDEAN_RULES = {
    ("squared", "l0"): squared_l0,
    ("squared", "l1"): squared_l1,
    ("square_root", "l0"): root_l0,
    ("square_root", "l1"): root_l1,
}


def _safe(xp, sq_norms, strength):
    """Norms and strengths with ones where the column may not be touched, and where it may."""
    usable = (sq_norms > 0) & xp.isfinite(strength)
    return (
        xp.where(usable, sq_norms, xp.ones_like(sq_norms)),
        xp.where(usable, strength, xp.ones_like(strength)),
        usable,
    )


def _chosen(xp, coef, new, inside, usable):
    return _positive(xp, xp.where(usable, xp.where(coef != 0, inside, new), xp.zeros_like(new)))


def _positive(xp, values):
    return xp.maximum(values, xp.zeros_like(values))


def _nonzero(xp, values):
    """A divisor of something that is zero where it is."""
    return xp.where(values > 0, values, xp.ones_like(values))


def _rise(xp, length, moved_sq):
    """``sqrt(||r||**2 + ||t a_j||**2) - ||r||`` without cancellation."""
    return moved_sq / _nonzero(xp, length + xp.sqrt(length * length + moved_sq))


def absolute_l0(columns, residual, coef, strength):
    """Rule of ``||r||_1`` with the l0 penalty, for real data.

    Parameters
    ----------
    columns : float64 array of shape (n_samples, B)
        The columns asked about.
    residual : float64 array of shape (n_samples,)
        r.
    coef, strength : float64 arrays of shape (B,)
        x_j and s_j.

    Returns
    -------
    float64 array of shape (B,)
        delta, never negative.
    """
    inside = coef != 0
    removed = np.sum(np.abs(residual), dtype=np.float64) + strength
    removed = removed - np.sum(np.abs(residual[:, None] + columns * coef), axis=0)
    free = np.zeros_like(coef)
    return np.maximum(np.where(inside, removed, absolute_fall(columns, residual, free, free) - strength), 0.0)


def absolute_l1(columns, residual, coef, strength):
    """Rule of ``||r||_1`` with the l1 penalty; arguments as in `absolute_l0`."""
    return absolute_fall(columns, residual, coef, strength)


_SMALL = 200_000  # entries that NumPy sorts before a compiler is loaded
_PIECE = 1 << 18  # entries sorted at a time


def absolute_fall(columns, residual, coef, strength):
    """``max_z  ||r||_1 + s|x| - ||r - (z - x) a||_1 - s|z|`` for every column: z is a weighted median of ``{x + r_i / a_i}`` and 0.

    The weights are ``|a_i|`` and s; rows with ``a_i = 0`` have none, 0/0 included.
    """
    if columns.size > _SMALL:
        from ...kernels.weighted_median import l1_falls

        return l1_falls(np.asfortranarray(columns), residual, coef, strength)
    width = max(1, _PIECE // max(1, residual.size))
    parts = [
        _fall_by_sorting(
            columns[:, start : start + width], residual, coef[start : start + width], strength[start : start + width]
        )
        for start in range(0, coef.size, width)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _fall_by_sorting(columns, residual, coef, strength):
    carries = columns != 0
    ratios = np.divide(residual[:, None], columns, out=np.zeros_like(columns), where=carries)
    points = np.vstack([np.where(carries, coef + ratios, 0.0), np.zeros_like(coef)])
    weights = np.vstack([np.abs(columns), strength])
    order = np.argsort(points, axis=0, kind="stable")
    sums = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0)
    place = np.argmax(2.0 * sums >= sums[-1], axis=0)
    here = np.arange(coef.size)
    best = points[order[place, here], here]
    after = np.sum(np.abs(residual[:, None] - (best - coef) * columns), axis=0) + strength * np.abs(best)
    return np.maximum(np.sum(np.abs(residual)) + strength * np.abs(coef) - after, 0.0)
