"""Patches of a real photograph, a dictionary drawn from them, and the certificate of greedy codes."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from sparsecode.designs import DenseDesign
from sparsecode.losses import Squared
from sparsecode.penalties import L0Ball
from sparsecode.solvers.certificates import support_optimality
from sparsecode.solvers.problem import Problem

from ..measure import Certificate

__all__ = ["china_patches", "drawn_dictionary", "greedy_certificate"]

_BLOCK = 5_000  # signals certified at a time
_MAX_COHERENCE = 0.95


def china_patches(n_patches, size=8, seed=0):
    """Distinct random patches of scikit-learn's china.jpg without their means, grey values in 0..1: (n_patches, size**2)."""
    from sklearn.datasets import load_sample_image
    from sklearn.feature_extraction.image import extract_patches_2d

    grey = load_sample_image("china.jpg").mean(axis=2) / 255.0
    patches = extract_patches_2d(grey, (size, size), max_patches=n_patches, random_state=seed)
    patches = patches.reshape(n_patches, size * size)
    return np.ascontiguousarray(patches - patches.mean(axis=1, keepdims=True))


def drawn_dictionary(n_atoms, n_features=64, seed=1):
    """Unit-norm atoms drawn from the textured half of other patches, no two of them nearly parallel: (n_atoms, n_features)."""
    size = round(n_features**0.5)
    pool = china_patches(40 * n_atoms, size, seed)
    norms = np.linalg.norm(pool, axis=1)
    textured = norms > np.median(norms)
    pool = pool[textured] / norms[textured, None]
    atoms = np.empty((n_atoms, n_features))
    count = 0
    for candidate in pool:
        if count == 0 or np.max(np.abs(atoms[:count] @ candidate)) < _MAX_COHERENCE:
            atoms[count] = candidate
            count += 1
            if count == n_atoms:
                return atoms
    raise ValueError(
        f"only {count} of {n_atoms} atoms are less coherent than {_MAX_COHERENCE}; draw from a larger pool."
    )


def greedy_certificate(patches, dictionary, n_nonzero):
    """``certify(codes)``: worst support optimality of the codes (n_signals, n_atoms), and their mean squared residual.

    A code with more than `n_nonzero` coefficients has no certificate. Patches that are constant have only the zero code.
    """
    design = DenseDesign(np.ascontiguousarray(dictionary.T))
    real = np.linalg.norm(patches, axis=1) > 1e-12

    def certify(codes):
        codes = sp.csr_array(codes)
        worst = 0.0 if np.max(np.diff(codes.indptr), initial=0) <= n_nonzero else np.inf
        energy = 0.0
        for start in range(0, patches.shape[0], _BLOCK):
            rows = slice(start, start + _BLOCK)
            keep = real[rows]
            problem = Problem(design, patches[rows][keep].T, Squared(), L0Ball(n_nonzero))
            made = support_optimality(problem, codes[rows].toarray()[keep].T)
            worst = max(worst, float(np.max(made.value, initial=0.0)))
            energy += 2.0 * patches.shape[1] * float(np.sum(made.objective))
        return Certificate(worst, energy / patches.shape[0])

    return certify
