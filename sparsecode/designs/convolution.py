"""A sum of convolutions as a design: the coefficients say where, and how strongly, each of a few short atoms occurs."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft

from .._array import array_namespace, as_double, as_float, asarray_like, is_complex, is_numpy, sq_norm, to_numpy
from .base import Design

__all__ = ["ConvolutionDesign"]


class ConvolutionDesign(Design):
    """The matrix of ``coef -> sum_k d_k * z_k``, where z_k says where the atom d_k occurs: full, linear convolution.

    An atom lies wholly within the signal, so the codes of atoms of length P in a signal of length T have length T - P + 1, on
    each axis alike. Signals of several channels take atoms as long as the first axis: there is one place only on it. Products go
    through Fourier transforms, column norms are exact, and the matrix is never formed.

    Parameters
    ----------
    atoms : array of shape ``(n_atoms, *atom_shape)``
        The atoms, real, of any array namespace that has Fourier transforms.
    signal_shape : int or tuple of int
        Shape of a signal, on no axis shorter than the atoms.

    Attributes
    ----------
    signal_shape : tuple of int
        Shape of a signal; targets are signals flattened in C order.
    code_shape : tuple of int
        ``(n_atoms, *places)``, the shape of the coefficients; they are flattened in C order.

    Raises
    ------
    ValueError
        If the atoms are empty, complex or not finite, or longer than the signal.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.designs import ConvolutionDesign
    >>> design = ConvolutionDesign(np.array([[1.0, 2.0]]), 4)
    >>> design.shape, design.matvec(np.array([1.0, 0.0, -1.0])).round(12)
    ((4, 3), array([ 1.,  2., -1., -2.]))
    """

    is_matrix_free = True
    knows_norms = True

    def __init__(self, atoms, signal_shape):
        self.signal_shape = (signal_shape,) if np.ndim(signal_shape) == 0 else tuple(signal_shape)
        self.atoms = _checked(atoms, self.signal_shape)
        places = (s - a + 1 for s, a in zip(self.signal_shape, self.atoms.shape[1:], strict=True))
        self.code_shape = (self.atoms.shape[0], *places)
        self.shape = (math.prod(self.signal_shape), math.prod(self.code_shape))
        self.xp = array_namespace(self.atoms)
        self.is_numpy = is_numpy(self.atoms)
        self.dtype = self.atoms.dtype
        last = -len(self.signal_shape)
        self._still = tuple(last + axis for axis, length in enumerate(self.code_shape[1:]) if length == 1)
        if len(self._still) == -last:
            self._still = self._still[:-1]
        self._axes = tuple(axis for axis in range(last, 0) if axis not in self._still)  # on which atoms move
        # no sum leaves the signal, so nothing wraps around in a transform of its length
        self._lengths = tuple(scipy.fft.next_fast_len(self.signal_shape[axis], real=True) for axis in self._axes)
        self._spectrum = self.xp.fft.rfftn(self.atoms, s=self._lengths, axes=self._axes)  # (n_atoms, *frequencies)

    def vector(self, values):
        """NumPy values as a vector of this design's namespace, device and dtype."""
        return asarray_like(values, self.atoms, dtype=self.dtype)

    def matvec(self, coef):
        return self._applied(coef, self.code_shape, self._synthesised)

    def product(self, coef):
        """``A @ coef``; nothing is gained from its zeros."""
        return self.matvec(coef)

    def rmatvec(self, residual):
        return self._applied(residual, self.signal_shape, self._correlated)

    def _synthesised(self, codes):
        """Signals (n, *signal_shape) from codes (n, n_atoms, *places)."""
        spectrum = self.xp.sum(self.xp.fft.rfftn(codes, s=self._lengths, axes=self._axes) * self._spectrum, axis=1)
        return self._inverse(spectrum, self.signal_shape)

    def _correlated(self, signals):
        """``<signal, d_k at t>`` (n, n_atoms, *places) of signals (n, *signal_shape)."""
        spectrum = self.xp.fft.rfftn(signals, s=self._lengths, axes=self._axes)
        spectrum = spectrum[:, None, ...] * self.xp.conj(self._spectrum)
        if self._still:
            spectrum = self.xp.sum(spectrum, axis=self._still, keepdims=True)
        return self._inverse(spectrum, self.code_shape[1:])

    def _inverse(self, spectrum, shape):
        grid = self.xp.fft.irfftn(spectrum, s=self._lengths, axes=self._axes)
        return grid[(..., *(slice(0, length) for length in shape))]

    def _applied(self, block, shape, function):
        """A linear map of grids, on vectors (n,) or blocks (n, n_targets) of them."""
        xp = self.xp
        if is_complex(block):
            return self._applied(xp.real(block), shape, function) + 1j * self._applied(xp.imag(block), shape, function)
        dtype = xp.result_type(block.dtype, self.dtype)
        rows = xp.reshape(xp.astype(block, dtype, copy=False).T if block.ndim == 2 else block, (-1, *shape))
        product = xp.astype(function(rows), dtype, copy=False)
        product = xp.reshape(product, (product.shape[0], math.prod(product.shape[1:])))
        return product.T if block.ndim == 2 else product[0, :]

    def columns(self, indices):
        """The chosen columns: an atom at a place, and zeros."""
        places = np.unravel_index(np.asarray(indices, dtype=np.int64), self.code_shape)
        atoms = to_numpy(self.atoms)
        picked = np.zeros((places[0].size, *self.signal_shape), dtype=atoms.dtype)
        for position, (atom, *corner) in enumerate(zip(*places, strict=True)):
            window = tuple(slice(c, c + a) for c, a in zip(corner, atoms.shape[1:], strict=True))
            picked[position][window] = atoms[atom]
        picked = picked.reshape(picked.shape[0], -1).T
        return np.asfortranarray(picked) if self.is_numpy else asarray_like(picked, self.atoms, dtype=self.dtype)

    def column_sq_norms(self):
        flat = self.xp.reshape(self.atoms, (self.atoms.shape[0], -1))
        return np.repeat(to_numpy(sq_norm(flat.T)).astype(np.float64), math.prod(self.code_shape[1:]))

    def in_double(self):
        if self.dtype == self.xp.float64:
            return self
        return ConvolutionDesign(as_double(self.atoms), self.signal_shape)

    def spectral_sq_norm(self):
        """An upper bound of the largest eigenvalue of ``A^T A``: what it is, at most, for signals without ends."""
        size = self.xp.abs(self._spectrum)
        return float(self.xp.max(self.xp.sum(size * size, axis=(0, *self._still))))


def _checked(atoms, signal_shape):
    """The atoms as a floating array that fits into the signal."""
    if getattr(atoms, "ndim", 0) < 2 or 0 in atoms.shape:
        raise ValueError(
            f"atoms has shape {tuple(getattr(atoms, 'shape', ()))}; it must be (n_atoms, length) or (n_atoms, height, width), "
            "none of them zero."
        )
    if getattr(atoms.dtype, "kind", "f") not in "biuf" or is_complex(atoms):
        raise ValueError(f"atoms has dtype {atoms.dtype}; they must be real numbers.")
    atoms = as_float(atoms)
    xp = array_namespace(atoms)
    if not bool(xp.all(xp.isfinite(atoms))):
        raise ValueError("atoms contains NaN or infinity; remove those entries.")
    lengths = tuple(atoms.shape[1:])
    if len(lengths) != len(signal_shape) or any(a > s for a, s in zip(lengths, signal_shape, strict=True)):
        raise ValueError(
            f"atoms of shape {lengths} do not lie within signals of shape {tuple(signal_shape)}: both need the same axes, and no "
            "axis of an atom may be longer than that of the signal."
        )
    return atoms
