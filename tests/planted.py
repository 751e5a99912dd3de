"""Small planted problems for the tests, made here so that the tests depend on nothing that they test."""

from typing import NamedTuple

import numpy as np


class Planted(NamedTuple):
    """A design, a target that it explains up to noise, and the coefficients behind it."""

    A: np.ndarray
    y: np.ndarray
    coef: np.ndarray


def planted(n_samples=60, n_features=80, sparsity=4, *, n_targets=None, noise=0.01, complex_=False, dtype=None, seed=0):
    """Gaussian columns of norm about sqrt(n_samples); coefficients of size 1 to 2 on random supports."""
    rng = np.random.default_rng(seed)

    def gaussian(*shape):
        values = rng.standard_normal(shape)
        return (values + 1j * rng.standard_normal(shape)) / np.sqrt(2) if complex_ else values

    A = gaussian(n_samples, n_features)
    coef = np.zeros((n_features, n_targets or 1), dtype=A.dtype)
    for column in coef.T:
        support = rng.choice(n_features, sparsity, replace=False)
        phase = gaussian(sparsity)
        column[support] = rng.uniform(1.0, 2.0, sparsity) * phase / np.abs(phase)
    y = A @ coef + noise * gaussian(n_samples, coef.shape[1])
    if n_targets is None:
        coef, y = coef[:, 0], y[:, 0]
    if dtype is not None:
        A, y, coef = A.astype(dtype), y.astype(dtype), coef.astype(dtype)
    return Planted(A, y, coef)
