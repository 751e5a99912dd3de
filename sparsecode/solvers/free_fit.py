"""What is left of a vector once columns that the penalty does not charge have taken their share of it."""

from __future__ import annotations

import numpy as np

from .._array import asarray_like, norm

__all__ = ["gram_root", "moved_off", "nonnegative_fit", "orthonormal_basis"]


def orthonormal_basis(xp, columns):
    """Basis of the range of some columns, whatever their scales and however dependent they are."""
    size = norm(columns)
    left, singular, _ = xp.linalg.svd(columns / xp.where(size > 0, size, xp.ones_like(size)), full_matrices=False)
    rank = int(xp.count_nonzero(singular > max(columns.shape) * xp.finfo(singular.dtype).eps * singular[0]))
    return left[:, :rank]


def moved_off(xp, columns, curvature, dual, instead, active=None):
    """The dual of one target, orthogonal to some columns after the move that is least where the curvature is small.

    To first order it is the gradient after the columns were fitted: samples at the edge of the dual's domain, which have no
    curvature, stay where they are. With `active` only those columns have to be orthogonal, and no other one may correlate
    positively (a last one beyond the columns tells of the last column's other sign). Where that fails, `instead`.
    """
    size = norm(columns)
    columns = columns / xp.where(size > 0, size, xp.ones_like(size))
    held = columns
    if active is not None:
        both = np.array(active[: columns.shape[1]])
        both[-1:] |= np.any(active[columns.shape[1] :])
        held = xp.take(columns, asarray_like(np.flatnonzero(both), columns), axis=1)
    if held.shape[1] == 0:
        return instead
    root = xp.sqrt(curvature)
    left, singular, right = xp.linalg.svd(root[:, None] * held, full_matrices=False)
    rank = int(xp.count_nonzero(singular > max(held.shape) * xp.finfo(singular.dtype).eps * singular[0]))
    moved = dual
    for _ in range(2):  # the second time clears what the first one rounds
        owed = (right[:rank, :] @ (held.T @ moved)) / singular[:rank]
        moved = moved - root * (left[:, :rank] @ owed)
    rounding = dual.shape[0] * xp.finfo(dual.dtype).eps * norm(moved)
    off = bool(xp.any(xp.abs(held.T @ moved) > rounding))
    return instead if off or (active is not None and bool(xp.any(columns.T @ moved > rounding))) else moved


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
