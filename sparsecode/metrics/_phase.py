"""Errors of coefficients that are known only up to a common sign or complex phase."""

from __future__ import annotations

import numpy as np

from ..solvers.certificates import relative
from ._errors import as_values

__all__ = ["align_phase", "phase_distance"]


def phase_distance(coef_true, coef):
    """Relative error up to one sign or phase: ``min_{|c| = 1} ||c coef - coef_true|| / ||coef_true||``.

    Parameters
    ----------
    coef_true, coef : array of shape (n_features,) or (n_features, n_targets)
        The truth and the estimate. Real ones may differ by a sign, complex ones by a phase, one for each target.

    Returns
    -------
    float or array of shape (n_targets,)
        Zero for a perfect estimate; for a zero truth, zero if the estimate is zero too, else infinity; NaN where either has one.

    Raises
    ------
    ValueError
        If the shapes differ.

    See Also
    --------
    align_phase : The estimate with that sign or phase.

    Examples
    --------
    >>> from sparsecode.metrics import phase_distance
    >>> phase_distance([3.0, 0.0, -4.0], [-3.0, 0.0, 4.0])
    0.0
    >>> phase_distance([3.0, 0.0, -4.0], [-3.0, 0.0, 3.5])
    0.1
    """
    coef_true, coef = _pair(coef_true, coef)
    size = _largest(coef_true)
    size = np.where(size > 0, size, 1.0)  # in units of the truth: squares of tiny or huge numbers are none
    with np.errstate(over="ignore", invalid="ignore"):  # beyond all numbers: infinitely far
        apart = coef * _turn(coef_true, coef) / size - coef_true / size  # that of squares would lose half the digits
        value = relative(_norm(apart), _norm(coef_true / size))
    return float(value) if value.ndim == 0 else value


def align_phase(coef_true, coef):
    """The estimate times the sign or phase that brings it nearest to the truth.

    Parameters
    ----------
    coef_true, coef : array of shape (n_features,) or (n_features, n_targets)
        The truth and the estimate; each target has a sign or phase of its own.

    Returns
    -------
    array of the same shape
        ``coef * <coef, coef_true> / |<coef, coef_true>|``, in double precision; unchanged where the two are orthogonal.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from sparsecode.metrics import align_phase
    >>> align_phase([1.0, -2.0], [-1.1, 2.0])
    array([ 1.1, -2. ])
    """
    coef_true, coef = _pair(coef_true, coef)
    return coef * _turn(coef_true, coef)


def _pair(coef_true, coef):
    coef_true, coef = as_values(coef_true), as_values(coef)
    if coef_true.shape != coef.shape:
        raise ValueError(f"coef has shape {coef.shape}, but coef_true has shape {coef_true.shape}; they must agree.")
    return coef_true, coef


def _turn(coef_true, coef):
    """The sign or phase that brings `coef` nearest to the truth; one where they are orthogonal."""
    unit_true, unit = (values / np.where(_largest(values) > 0, _largest(values), 1.0) for values in (coef_true, coef))
    product = np.sum(np.conj(unit) * unit_true, axis=0)
    size = np.abs(product)
    return np.divide(product, size, out=np.ones_like(product), where=size > 0)


def _largest(values):
    return np.max(np.abs(values), axis=0)


def _norm(values):
    """Euclidean norms, of numbers of any size."""
    size = _largest(values)
    size = np.where((size > 0) & np.isfinite(size), size, 1.0)
    return size * np.linalg.norm(values / size, axis=0)
