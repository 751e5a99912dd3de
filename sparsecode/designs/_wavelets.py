"""Periodic Daubechies wavelets of any dimension: one orthogonal sparse matrix for each level and axis.

Daubechies, "Orthonormal bases of compactly supported wavelets", 1988.
"""

from __future__ import annotations

from math import comb

import numpy as np
import scipy.sparse as sp

from ._transform import Transform, as_length

__all__ = ["WaveletSynthesis", "daubechies_filter"]


class WaveletSynthesis(Transform):
    """Coefficients in the usual pyramid to the signal; each level works on the corner that the finer ones leave."""

    def __init__(self, shape, lowpass, n_levels, dtype):
        size = int(np.prod(shape))
        super().__init__(size, size, dtype)
        self.signal_shape, self.n_levels = shape, n_levels
        self.column_sq_norms = np.ones(size)
        lengths = {length >> level for length in shape for level in range(n_levels)}
        self.analysis = {length: _analysis_matrix(length, lowpass).astype(dtype) for length in lengths}
        self.synthesis = {length: matrix.T.tocsr() for length, matrix in self.analysis.items()}
        self.shift_class = self._subbands().ravel()

    def forward(self, block):
        grid = block.reshape(*self.signal_shape, -1).copy()
        for level in reversed(range(self.n_levels)):
            self._apply(self.synthesis, grid, level)
        return grid.reshape(block.shape)

    def adjoint(self, block):
        grid = block.reshape(*self.signal_shape, -1).copy()
        for level in range(self.n_levels):
            self._apply(self.analysis, grid, level)
        return grid.reshape(block.shape)

    def _apply(self, matrices, grid, level):
        """Transform the corner of this level along every axis, in place."""
        lengths = [length >> level for length in self.signal_shape]
        corner = grid[tuple(slice(length) for length in lengths)]
        for axis, length in enumerate(lengths):
            front = np.moveaxis(corner, axis, 0)
            product = matrices[length] @ front.reshape(length, -1)
            front[...] = product.reshape(front.shape)

    def _subbands(self):
        """A label for each coefficient's subband: the atoms of one are shifts of one another."""
        label = np.zeros(self.signal_shape, dtype=np.int64)
        for level in range(self.n_levels):
            halves = np.zeros([length >> level for length in self.signal_shape], dtype=np.int64)
            for axis in range(len(self.signal_shape)):
                upper = np.moveaxis(halves, axis, 0)
                upper[upper.shape[0] // 2 :] += 1 << axis
            corner = label[tuple(slice(length) for length in halves.shape)]
            corner += halves * (1 << len(self.signal_shape)) ** level
        return label


def daubechies_filter(n_moments):
    """Lowpass filter of the orthonormal Daubechies wavelet (extremal phase), by spectral factorisation.

    Parameters
    ----------
    n_moments : int
        Vanishing moments, from 1 to 10.

    Returns
    -------
    array of shape (2 * n_moments,)
        The filter, of unit norm and sum ``sqrt(2)``.

    Raises
    ------
    ValueError
        If `n_moments` is out of range.

    References
    ----------
    Daubechies, "Orthonormal bases of compactly supported wavelets", 1988.

    Examples
    --------
    >>> from sparsecode.designs.transforms import daubechies_filter
    >>> daubechies_filter(2).round(4)
    array([ 0.483 ,  0.8365,  0.2241, -0.1294])
    """
    n_moments = as_length(n_moments, "n_moments")
    if n_moments > 10:
        raise ValueError(f"n_moments must be at most 10, beyond which the factorisation loses digits; got {n_moments}.")
    # |m(w)|^2 = cos(w/2)^(2p) P(sin(w/2)^2); with sin^2 = (2 - z - 1/z) / 4 each root of P gives a pair z, 1/z
    polynomial = [comb(n_moments - 1 + power, power) for power in reversed(range(n_moments))]
    inside = []
    for root in np.roots(polynomial):
        pair = np.roots([1.0, 4.0 * root - 2.0, 1.0])
        inside.append(pair[np.argmin(np.abs(pair))])
    taps = np.real(np.poly([-1.0] * n_moments + inside))
    return taps * (np.sqrt(2.0) / taps.sum())


def _analysis_matrix(length, lowpass):
    """One level of the periodic transform, an orthogonal matrix: lowpass rows above, highpass rows below."""
    half, n_taps = length // 2, lowpass.size
    highpass = lowpass[::-1] * (-1.0) ** np.arange(n_taps)
    row = np.repeat(np.arange(half), n_taps)
    column = (2 * row + np.tile(np.arange(n_taps), half)) % length
    values = np.concatenate([np.tile(lowpass, half), np.tile(highpass, half)])
    rows, columns = np.concatenate([row, row + half]), np.concatenate([column, column])
    return sp.coo_array((values, (rows, columns)), shape=(length, length)).tocsr()  # a tap that wraps around adds up
