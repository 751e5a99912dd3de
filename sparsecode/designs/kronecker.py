"""A Kronecker product of matrices as a design: the factors are kept apart and never multiplied out."""

from __future__ import annotations

import math

import numpy as np

from .._array import array_namespace, as_double, as_float, asarray_like, dagger, device, is_numpy, sq_norm, to_numpy
from .base import Design

__all__ = ["KroneckerDesign", "kronecker_product"]


class KroneckerDesign(Design):
    """A Kronecker product of factors, ``A_1 ⊗ A_2 ⊗ A_3`` and so on, of shape (prod n_samples_i, prod n_features_i).

    Coefficients and samples are tensors, flattened in C order: ``A @ coef`` multiplies each axis of `coef` by its factor. Products
    cost the sum, not the product, of the factors' sizes for each entry of the tensor, columns and their norms are exact, and the
    memory is that of the tensors.

    Parameters
    ----------
    factors : sequence of arrays of shape (n_samples_i, n_features_i)
        The factors, of one array namespace; single precision only if all are, complex if one is.

    Attributes
    ----------
    factors : tuple of arrays
        The factors, in the dtype that they have in common.
    sample_shape : tuple of int
        Shape of a target as a tensor.
    feature_shape : tuple of int
        Shape of the coefficients as a tensor.

    Raises
    ------
    ValueError
        If there is no factor, or one is no finite, non-empty matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.designs import KroneckerDesign
    >>> design = KroneckerDesign([np.array([[1.0, 2.0]]), np.eye(2)])
    >>> design.shape, design.matvec(np.array([1.0, 0.0, 0.0, 3.0]))
    ((2, 4), array([1., 6.]))
    """

    is_matrix_free = True
    knows_norms = True

    def __init__(self, factors):
        self.factors = _checked(factors)
        self.sample_shape = tuple(factor.shape[0] for factor in self.factors)
        self.feature_shape = tuple(factor.shape[1] for factor in self.factors)
        self.shape = (math.prod(self.sample_shape), math.prod(self.feature_shape))
        self.xp = array_namespace(*self.factors)
        self.is_numpy = is_numpy(self.factors[0])
        self.dtype = self.factors[0].dtype
        self._sq_norms = None

    def vector(self, values):
        """NumPy values as a vector of this design's namespace, device and dtype."""
        return asarray_like(values, self.factors[0], dtype=self.dtype)

    def matvec(self, coef):
        return kronecker_product(self.factors, coef)

    def rmatvec(self, residual):
        return kronecker_product([dagger(factor) for factor in self.factors], residual)

    def columns(self, indices):
        """The chosen columns: products of one column of each factor."""
        places = np.unravel_index(np.asarray(indices, dtype=np.int64), self.feature_shape)
        picked = self.xp.ones((1, len(places[0])), dtype=self.dtype, device=device(self.factors[0]))
        for factor, place in zip(self.factors, places, strict=True):
            part = self.xp.take(factor, self.xp.asarray(place, device=device(factor)), axis=1)
            picked = self.xp.reshape(
                picked[:, None, :] * part[None, :, :], (picked.shape[0] * part.shape[0], picked.shape[1])
            )
        return np.asfortranarray(picked) if self.is_numpy else picked

    def column_sq_norms(self):
        if self._sq_norms is None:
            norms = np.ones(1)
            for factor in self.factors:
                norms = np.outer(norms, to_numpy(sq_norm(factor))).reshape(-1)
            self._sq_norms = norms
        return self._sq_norms

    def in_double(self):
        wide = self.xp.complex128 if "complex" in str(self.dtype) else self.xp.float64
        return self if self.dtype == wide else KroneckerDesign([as_double(factor) for factor in self.factors])

    def spectral_sq_norm(self):
        """The largest eigenvalue of ``A^H A``, exactly: the product of those of the factors."""
        if getattr(self, "_spectral", None) is None:
            self._spectral = math.prod(np.linalg.norm(to_numpy(factor), 2).item() ** 2 for factor in self.factors)
        return self._spectral


def kronecker_product(factors, block):
    """``(F_1 ⊗ ... ⊗ F_I) @ block`` for a block (prod n_i,) or (prod n_i, n_targets), one axis of the tensor at a time."""
    xp = array_namespace(block, *factors)
    dtype = xp.result_type(block.dtype, factors[0].dtype)
    n_targets = 1 if block.ndim == 1 else block.shape[1]
    tensor = xp.reshape(xp.astype(block, dtype, copy=False), (*(f.shape[1] for f in factors), n_targets))
    for factor in factors:  # the first axis goes, its product comes last: after all, the targets lead
        tensor = xp.tensordot(tensor, xp.astype(factor, dtype, copy=False), axes=([0], [1]))
    product = xp.reshape(tensor, (n_targets, math.prod(f.shape[0] for f in factors))).T
    return product if block.ndim == 2 else product[:, 0]


def _checked(factors):
    """The factors in their common dtype."""
    factors = tuple(factors)
    if not factors:
        raise ValueError("a Kronecker product needs at least one factor; got none.")
    for i, factor in enumerate(factors):
        if getattr(factor, "ndim", 0) != 2 or 0 in factor.shape:
            raise ValueError(
                f"factor {i} has shape {tuple(getattr(factor, 'shape', ()))}; each factor is an array of two dimensions, none of them empty."
            )
    try:
        xp = array_namespace(*factors)
    except TypeError as error:
        raise ValueError("the factors of a Kronecker product must be dense arrays of one namespace.") from error
    for i, factor in enumerate(factors):
        if getattr(factor.dtype, "kind", "f") not in "biufc":
            raise ValueError(f"factor {i} has dtype {factor.dtype}; it must hold numbers.")
    floating = [as_float(factor) for factor in factors]
    for i, factor in enumerate(floating):
        if not bool(xp.all(xp.isfinite(factor))):
            raise ValueError(f"factor {i} contains NaN or infinity; remove or impute those entries before fitting.")
    dtype = floating[0].dtype
    for factor in floating[1:]:
        dtype = xp.result_type(dtype, factor.dtype)
    return tuple(xp.astype(factor, dtype, copy=False) for factor in floating)
