"""How sparse codes are, and which atoms they leave idle."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from .._array import is_array_api_obj, to_numpy
from .._validation import as_number

__all__ = ["atom_usage", "dead_fraction", "sparsity"]


def atom_usage(codes):
    """How often a signal uses each atom: non-zero entries of each column over the number of signals.

    Parameters
    ----------
    codes : array or sparse matrix of shape (n_samples, n_components), or array (n_samples, n_components, ...)
        One code a row; further axes are places, as in convolutional codes.

    Returns
    -------
    float64 array of shape (n_components,)
        Between 0 and 1, or the number of places. They add up to the `sparsity`.

    Raises
    ------
    ValueError
        If there are no codes.

    Examples
    --------
    >>> from sparsecode.metrics import atom_usage
    >>> atom_usage([[0.0, 2.0, 0.0, -1.0], [0.0, 0.0, 0.0, 3.0]])
    array([0. , 0.5, 0. , 1. ])
    """
    counts, n_samples, _ = _uses(codes)
    return counts / n_samples


def sparsity(codes, *, relative=False):
    """Mean number of non-zero entries of a code.

    Parameters
    ----------
    codes : array or sparse matrix of shape (n_samples, n_components), or array (n_samples, n_components, ...)
        One code a row; further axes are places, as in convolutional codes.
    relative : bool, default=False
        Whether to divide by the number of entries that a code could have.

    Returns
    -------
    float
        Active entries per signal; with `relative` their share, between 0 and 1.

    Raises
    ------
    ValueError
        If there are no codes.

    Examples
    --------
    >>> from sparsecode.metrics import sparsity
    >>> codes = [[0.0, 2.0, 0.0, -1.0], [0.0, 0.0, 0.0, 3.0]]
    >>> sparsity(codes), sparsity(codes, relative=True)
    (1.5, 0.375)
    """
    counts, n_samples, n_places = _uses(codes)
    mean = counts.sum() / n_samples
    return float(mean / (counts.size * n_places) if relative else mean)


def dead_fraction(codes, *, max_usage=0.0):
    """Share of the atoms that no code uses.

    Parameters
    ----------
    codes : array or sparse matrix of shape (n_samples, n_components), or array (n_samples, n_components, ...)
        One code a row; further axes are places, as in convolutional codes.
    max_usage : float, default=0.0
        An atom is dead if it makes up at most this share of its possible entries: 0 where it is never used.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If there are no codes, or `max_usage` is not in [0, 1].

    Examples
    --------
    >>> from sparsecode.metrics import dead_fraction
    >>> codes = [[0.0, 2.0, 0.0, -1.0], [0.0, 0.0, 0.0, 3.0]]
    >>> dead_fraction(codes), dead_fraction(codes, max_usage=0.5)
    (0.5, 0.75)
    """
    max_usage = as_number(max_usage, "max_usage", maximum=1.0)
    counts, n_samples, n_places = _uses(codes)
    return float(np.mean(counts <= max_usage * (n_samples * n_places)))


def _uses(codes):
    """How often each atom is used, the number of signals, and that of the places where a signal can use an atom."""
    if sp.issparse(codes):
        codes = codes.tocoo(copy=True)
        codes.sum_duplicates()
        counts, shape = np.bincount(codes.col[codes.data != 0], minlength=codes.shape[1]), codes.shape
    else:
        codes = to_numpy(codes) if is_array_api_obj(codes) else np.asarray(codes)
        shape = codes.shape
        if codes.ndim >= 2:
            counts = np.count_nonzero(codes, axis=(0, *range(2, codes.ndim)))
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            f"codes has shape {shape}; it must be (n_samples, n_components), one code a row, and hold at least one entry."
        )
    return counts, shape[0], int(np.prod(shape[2:]))
