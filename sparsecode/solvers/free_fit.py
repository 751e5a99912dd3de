"""What is left of a vector once columns that the penalty does not charge have taken their share of it."""

from __future__ import annotations

import numpy as np

from .._array import norm

__all__ = ["gram_root", "nonnegative_fit", "orthonormal_basis"]


def orthonormal_basis(xp, columns):
    """Basis of the range of some columns, whatever their scales and however dependent they are."""
    size = norm(columns)
    left, singular, _ = xp.linalg.svd(columns / xp.where(size > 0, size, xp.ones_like(size)), full_matrices=False)
    rank = int(xp.count_nonzero(singular > max(columns.shape) * xp.finfo(singular.dtype).eps * singular[0]))
    return left[:, :rank]


def gram_root(gram, right):
    """A matrix R with ``R^T R = gram``, without its null space, and ``R^-T right``: least squares from normal equations."""
    values, vectors = np.linalg.eigh(gram)
    root = np.sqrt(np.maximum(values, 0.0))
    keep = root > len(root) * np.finfo(root.dtype).eps ** 0.5 * root[-1]
    vectors, root = vectors[:, keep], root[keep]
    return root[:, None] * vectors.T, ((vectors.T @ right).T / root).T


def nonnegative_fit(columns, targets):
    """Non-negative least-squares coefficients of each target, and whether they are that: SciPy can fail at a solution.

    Everything has unit scale there, since SciPy's tolerance is absolute; a target that correlates positively with no column
    by more than rounding needs no fit, and is where SciPy fails.
    """
    from scipy.optimize import nnls  # slow to import, rarely needed

    size = np.linalg.norm(columns, axis=0)
    size = np.where(size > 0, size, 1.0)
    length = np.linalg.norm(targets, axis=0)
    length = np.where(length > 0, length, 1.0)
    unit, unit_columns = (targets / length).reshape(len(columns), -1), columns / size
    rounding = 8 * max(columns.shape) * np.finfo(np.float64).eps
    coefs = np.zeros((len(size), unit.shape[1]))
    for i in np.flatnonzero(np.max(unit_columns.T @ unit, axis=0) > rounding):
        coefs[:, i] = nnls(unit_columns, unit[:, i])[0]
    left = unit - unit_columns @ coefs
    # relative to what is left: that becomes the dual point, and a proof from nothing but rounding is none
    solved = np.max(unit_columns.T @ left, axis=0) <= 1e5 * rounding * np.linalg.norm(left, axis=0)
    shape = targets.shape[1:]
    return (coefs / size[:, None]).reshape(len(size), *shape) * length, solved.reshape(shape)
