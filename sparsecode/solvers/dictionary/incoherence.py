"""A dictionary whose atoms are far from each other, and near the one it was.

    maximise over D   tr(B D^T)      subject to   ||d_j|| = 1   and   |<d_i, d_j>| <= bound   for i != j

with ``B = Z^T X``, the products of codes and signals: where the Gram matrix is held this is the misfit ``||X - Z D||^2``. Two steps
are repeated. The Gram matrix is projected on the matrices with entries within the bound, then on those of rank d without negative
eigenvalues, of which it takes a root; the root, which any rotation leaves a root, is rotated to where the signals are. The atoms
stop where every cosine is within the bound, or the steps run out.

Barchiesi and Plumbley, "Learning incoherent dictionaries for sparse approximation using iterative projections and rotations",
2013.
"""

from __future__ import annotations

import numpy as np

from ..._parallel import single_threaded_blas

__all__ = ["coherence", "incoherent", "least_coherence", "refuse_coherence"]

_MOST_STEPS = 300
_ASIDE = 0.995  # of the bound: what is projected a little further ends within it


def least_coherence(n_atoms, n_features):
    """Welch's bound: no dictionary of that shape has a smaller mutual coherence."""
    if n_atoms <= n_features:
        return 0.0
    return float(np.sqrt((n_atoms - n_features) / (n_features * (n_atoms - 1))))


def refuse_coherence(bound, n_atoms, n_features, positive):
    """Refuse a bound on the coherence, if there is one, that cannot be."""
    if bound is None:
        return
    if not 0.0 < bound < 1.0:
        raise ValueError(f"max_coherence is {bound!r}; it must be above 0 and below 1, or None.")
    if positive:
        raise ValueError(
            "max_coherence has no meaning with positive_dict: it is kept by rotations, which make entries negative."
        )
    if bound < least_coherence(n_atoms, n_features):
        raise ValueError(
            f"max_coherence is {bound:g}, but {n_atoms} atoms of length {n_features} have a mutual coherence of at least "
            f"{least_coherence(n_atoms, n_features):.3g} (Welch's bound); raise it, or learn fewer atoms."
        )


def coherence(atoms) -> float:
    """The largest absolute cosine of two atoms of norm one (or zero)."""
    gram = np.abs(atoms @ atoms.T)
    np.fill_diagonal(gram, 0.0)
    return float(np.max(gram))


def incoherent(atoms, code_signal, bound):
    """Atoms of norm one with mutual coherence at most `bound`, or as near to it as 300 steps came.

    Parameters
    ----------
    atoms : float64 array of shape (n_components, n_features)
        Where to start; those within the bound already are only scaled to norm one.
    code_signal : float64 array of shape (n_components, n_features)
        ``Z^T X``, which says where the signals are.
    bound : float
        Between Welch's bound and 1.
    """
    with single_threaded_blas():  # bits must not depend on the machine
        return _bounded(atoms, code_signal, bound)


def _bounded(atoms, code_signal, bound):
    norms = np.linalg.norm(atoms, axis=1)
    atoms = atoms / np.where(norms > 0, norms, 1.0)[:, None]
    weights = code_signal * norms[:, None]  # a code shrinks as its atom grows
    best, least = atoms, coherence(atoms)
    for _ in range(_MOST_STEPS):
        if least <= bound:
            break
        atoms = _rotated(_projected(atoms, _ASIDE * bound), weights)
        found = coherence(atoms)
        if found < least:
            best, least = atoms, found
    return best


def _projected(atoms, bound):
    """A root of the nearest matrix of rank d to the Gram matrix with its entries clipped, rows of norm one."""
    n_features = atoms.shape[1]
    gram = np.clip(atoms @ atoms.T, -bound, bound)
    np.fill_diagonal(gram, 1.0)
    values, vectors = np.linalg.eigh(gram)
    root = vectors[:, -n_features:] * np.sqrt(np.maximum(values[-n_features:], 0.0))
    if root.shape[1] < n_features:
        root = np.pad(root, ((0, 0), (0, n_features - root.shape[1])))
    norms = np.linalg.norm(root, axis=1, keepdims=True)
    return root / np.where(norms > 0, norms, 1.0)


def _rotated(atoms, weights):
    """The atoms, rotated to the largest ``tr(B D^T)``."""
    left, _, right = np.linalg.svd(atoms.T @ weights)
    return atoms @ (left @ right)
