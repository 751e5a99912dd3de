"""Overcomplete cosine dictionaries: fixed atoms to start from, or to be measured against."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["overcomplete_dct"]


def overcomplete_dct(n_features, n_components=None, *, two_dimensional=False):
    """Cosines of `n_components` frequencies, sampled at `n_features` points; unit norm, mean removed except for the first.

    Parameters
    ----------
    n_features : int
        Length of a signal; with `two_dimensional` the number of pixels of a square patch.
    n_components : int, optional
        Number of atoms, by default ``2 * n_features``. With `two_dimensional` the first so many products of two cosines,
        by increasing frequency.
    two_dimensional : bool, default=False
        Whether signals are square patches, row after row.

    Returns
    -------
    ndarray of shape (n_components, n_features)
        The dictionary, one atom a row, in float64.

    Raises
    ------
    ValueError
        If `two_dimensional` and `n_features` is not a square number.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.decomposition import overcomplete_dct
    >>> atoms = overcomplete_dct(64, 256, two_dimensional=True)
    >>> atoms.shape, bool(np.allclose(np.linalg.norm(atoms, axis=1), 1.0))
    ((256, 64), True)
    """
    n_components = 2 * n_features if n_components is None else n_components
    if not two_dimensional:
        return _cosines(n_features, n_components)
    side = math.isqrt(n_features)
    if side * side != n_features:
        raise ValueError(
            f"a two-dimensional DCT needs square patches, but X has {n_features} features, which is not a square number."
        )
    per_axis = math.isqrt(n_components - 1) + 1
    axis = _cosines(side, per_axis)
    order = np.argsort(np.add.outer(np.arange(per_axis), np.arange(per_axis)).ravel(), kind="stable")[:n_components]
    return np.kron(axis, axis)[np.sort(order)]


def _cosines(n_points, n_atoms):
    grid = np.outer(
        np.arange(n_atoms) * (math.pi / n_atoms), np.arange(n_points) + (0.5 if n_atoms <= n_points else 0.0)
    )
    atoms = np.cos(grid)
    atoms[1:] -= atoms[1:].mean(axis=1, keepdims=True) if n_points > 1 else 0.0
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
