"""Relative and peak errors of an estimate against a reference, in plain numbers or decibels."""

from __future__ import annotations

import numpy as np

from .._array import is_array_api_obj, plain, to_numpy
from .._validation import as_number

__all__ = ["as_pair", "as_values", "nmse", "psnr"]


def nmse(reference, estimate, *, db=False):
    """Normalised mean squared error ``||estimate - reference||^2 / ||reference||^2``.

    Parameters
    ----------
    reference, estimate : array of shape (n,) or (n, n_targets)
        The truth and the estimate.
    db : bool, default=False
        Whether to answer in decibels, ``10 log10``.

    Returns
    -------
    float or array of shape (n_targets,)
        Zero (minus infinity in decibels) for a perfect estimate; for a zero reference, zero if the estimate is
        zero too, else infinity.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from sparsecode.metrics import nmse
    >>> nmse([3.0, 4.0], [3.0, 3.5])
    0.01
    >>> nmse([3.0, 4.0], [3.0, 3.5], db=True)
    -20.0
    """
    reference, estimate = as_pair(reference, estimate)
    error = np.sum(np.abs(estimate - reference) ** 2, axis=0)
    energy = np.sum(np.abs(reference) ** 2, axis=0)
    value = np.divide(error, energy, out=np.where(error > 0, np.inf, 0.0), where=energy > 0)
    return plain(_decibels(value) if db else value)


def psnr(reference, estimate, *, data_range=None):
    """Peak signal-to-noise ratio ``10 log10(data_range^2 / mean squared error)`` of an image, in decibels.

    Parameters
    ----------
    reference, estimate : array of the same shape
        The true image and its estimate; complex ones are compared as they are.
    data_range : float, optional
        Largest value minus smallest value that a pixel can have (1 for images in [0, 1], 255 for 8-bit ones). By
        default the range of `reference`.

    Returns
    -------
    float
        Infinity for a perfect estimate.

    Raises
    ------
    ValueError
        If the shapes differ, or the range is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.metrics import psnr
    >>> psnr(np.zeros((8, 8)), np.full((8, 8), 0.1), data_range=1.0)
    20.0
    """
    reference, estimate = as_pair(reference, estimate)
    if data_range is None:
        size = np.abs(reference) if np.iscomplexobj(reference) else reference
        data_range = float(size.max() - size.min())
    data_range = as_number(data_range, "data_range", strict=True)
    error = np.mean(np.abs(estimate - reference) ** 2)
    return float(-_decibels(error / data_range**2))


def as_values(values):
    """NumPy values in double precision, from an array of any namespace or a list."""
    array = to_numpy(values) if is_array_api_obj(values) else np.asarray(values)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64, copy=False)


def as_pair(reference, estimate):
    """Two arrays of one shape, in double precision."""
    reference, estimate = as_values(reference), as_values(estimate)
    if reference.shape != estimate.shape:
        raise ValueError(
            f"estimate has shape {estimate.shape}, but reference has shape {reference.shape}; they must agree."
        )
    if reference.size == 0:
        raise ValueError("reference is empty; there is nothing to compare.")
    return reference, estimate


def _decibels(ratio):
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(ratio)
