"""How well a support was found: precision, recall and their harmonic mean."""

from __future__ import annotations

import numpy as np

from .._validation import as_number
from ._errors import as_values

__all__ = ["support_f1", "support_precision", "support_recall"]


def support_precision(coef_true, coef, *, threshold=0.0):
    """Share of the coefficients found that are truly not zero.

    Parameters
    ----------
    coef_true, coef : array of shape (n_features,) or (n_features, n_targets)
        The truth and the estimate.
    threshold : float, default=0.0
        A magnitude at or below `threshold` times the largest one of its target counts as zero.

    Returns
    -------
    float or array of shape (n_targets,)
        Between 0 and 1; 1 where nothing was found, since nothing found is wrong.

    Raises
    ------
    ValueError
        If the shapes differ or `threshold` is not in [0, 1).

    Examples
    --------
    >>> from sparsecode.metrics import support_precision
    >>> support_precision([1.0, 2.0, 0.0, 0.0], [0.9, 0.0, 0.1, 0.0])
    0.5
    """
    hits, _, found = _counts(coef_true, coef, threshold)
    return _ratio(hits, found)


def support_recall(coef_true, coef, *, threshold=0.0):
    """Share of the true non-zero coefficients that were found.

    Parameters
    ----------
    coef_true, coef, threshold
        As for `support_precision`.

    Returns
    -------
    float or array of shape (n_targets,)
        Between 0 and 1; 1 where there was nothing to find.

    Examples
    --------
    >>> from sparsecode.metrics import support_recall
    >>> support_recall([1.0, 2.0, 0.0, 0.0], [0.9, 0.0, 0.1, 0.0])
    0.5
    """
    hits, true, _ = _counts(coef_true, coef, threshold)
    return _ratio(hits, true)


def support_f1(coef_true, coef, *, threshold=0.0):
    """Harmonic mean of support precision and recall: 1 exactly where the support is right.

    Parameters
    ----------
    coef_true, coef, threshold
        As for `support_precision`.

    Returns
    -------
    float or array of shape (n_targets,)
        Between 0 and 1; 1 where both supports are empty.

    Examples
    --------
    >>> from sparsecode.metrics import support_f1
    >>> support_f1([1.0, 2.0, 0.0], [0.9, 1.0, 0.0])
    1.0
    """
    hits, true, found = _counts(coef_true, coef, threshold)
    return _ratio(2 * hits, true + found)


def _counts(coef_true, coef, threshold):
    """Hits, true coefficients and coefficients found, one number a target."""
    threshold = as_number(threshold, "threshold", maximum=1.0)
    coef_true, coef = as_values(coef_true), as_values(coef)
    if coef_true.shape != coef.shape:
        raise ValueError(f"coef has shape {coef.shape}, but coef_true has shape {coef_true.shape}; they must agree.")
    true, found = _nonzero(coef_true, threshold), _nonzero(coef, threshold)
    return np.sum(true & found, axis=0), np.sum(true, axis=0), np.sum(found, axis=0)


def _nonzero(coef, threshold):
    size = np.abs(coef)
    return size > threshold * size.max(axis=0, initial=0.0)


def _ratio(numerator, denominator):
    value = np.divide(numerator, denominator, out=np.ones(np.shape(denominator)), where=denominator > 0)
    return float(value) if value.ndim == 0 else value
