"""Means over samples that channels share."""

from __future__ import annotations

import numpy as np

from .._array import array_namespace, as_double, is_complex, to_numpy

__all__ = ["average", "modulus_sq"]


def average(values, weights=None):
    """Mean over the samples, in double precision, NumPy; with weights (n_samples, 1), NumPy of sum one, the weighted one."""
    values = np.asarray(to_numpy(as_double(values)))
    if weights is None:
        return np.mean(values, axis=0)
    return np.sum((weights if values.ndim > 1 else weights[:, 0]) * values, axis=0)


def modulus_sq(array):
    """``|x|^2``, in double precision."""
    array = as_double(array)
    xp = array_namespace(array)
    return xp.real(array) ** 2 + xp.imag(array) ** 2 if is_complex(array) else array * array
