"""Atoms pushed apart: OrtSAE's penalty on the nearest neighbour of each.

    penalty(D) = mean over i of  (max over j != i, in the chunk of i, of  cos(d_i, d_j))^2

Chunks are drawn anew each step, so that a step costs the latents times the size of a chunk. Where codes have signs, -d_j is an atom
like d_j, and the cosine counts in modulus; else an obtuse neighbour is none.

Korznikov, Galichin, Dontsov and others, "OrtSAE: orthogonal sparse autoencoders uncover atomic features", 2025 (arXiv 2509.22033).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..._parallel import single_threaded_blas

__all__ = ["Apart", "nearest_overlaps"]


def nearest_overlaps(atoms, signed=False):
    """Sum over unit atoms (c, p) of the squared cosine with the nearest other one, and its gradient along the sphere."""
    with single_threaded_blas():
        cosines = atoms @ atoms.T
    np.fill_diagonal(cosines, 0.0)
    rows = np.arange(atoms.shape[0])
    nearest = np.argmax(np.abs(cosines) if signed else cosines, axis=1)
    nearness = cosines[rows, nearest]
    gradient = 2.0 * nearness[:, None] * (atoms[nearest] - nearness[:, None] * atoms)
    np.add.at(gradient, nearest, 2.0 * nearness[:, None] * (atoms - nearness[:, None] * atoms[nearest]))
    return float(np.sum(nearness.astype(np.float64) ** 2)), gradient


class Apart(NamedTuple):
    """The penalty as a term of training, `weight` times as large as the loss of a code without entries is on signals of unit variance."""

    weight: float = 0.25
    chunk: int = 2048  # latents
    signed: bool = False

    def __call__(self, parameters, X, made, gradients, life):
        """Its value; its gradient is added to that of the decoder."""
        atoms = parameters.decoder
        n_latents, n_targets = atoms.shape
        n_chunks = -(-n_latents // self.chunk)
        scale, total = 0.5 * n_targets * self.weight / n_latents, 0.0
        order = np.arange(n_latents) if n_chunks == 1 or life is None else life.random.permutation(n_latents)
        for members in np.array_split(order, n_chunks):
            value, gradient = nearest_overlaps(atoms[members], self.signed)
            gradients.decoder[members] += np.asarray(scale, dtype=atoms.dtype) * gradient
            total += value
        return scale * total
