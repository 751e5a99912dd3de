"""Errors of coefficients that are known only up to a common sign or complex phase."""

from __future__ import annotations

import numpy as np

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
        Zero for a perfect estimate; for a zero truth, zero if the estimate is zero too, else infinity.

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
    aligned = align_phase(coef_true, coef)  # the difference itself: that of squares would lose half the digits
    error = np.linalg.norm(aligned - as_values(coef_true), axis=0)
    size = np.linalg.norm(as_values(coef_true), axis=0)
    value = np.divide(error, size, out=np.where(error > 0, np.inf, 0.0), where=size > 0)
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
    coef_true, coef = as_values(coef_true), as_values(coef)
    if coef_true.shape != coef.shape:
        raise ValueError(f"coef has shape {coef.shape}, but coef_true has shape {coef_true.shape}; they must agree.")
    product = np.sum(np.conj(coef) * coef_true, axis=0)
    size = np.abs(product)
    return coef * np.divide(product, size, out=np.ones_like(product), where=size > 0)
