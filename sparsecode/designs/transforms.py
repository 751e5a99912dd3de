"""Matrix-free transforms: cosine and wavelet synthesis, partial Fourier sampling, and their composition.

Each builder returns a `scipy.sparse.linalg.LinearOperator` that any solver takes as its design:

    signal  = dct_operator(shape) @ coef            orthonormal inverse cosine transform
    signal  = wavelet_operator(shape) @ coef        orthonormal periodic Daubechies synthesis
    samples = fourier_operator(shape, mask) @ signal
    samples = compose(fourier_operator(shape, mask), wavelet_operator(shape)) @ coef

Signals are flattened in C order. Where the column norms are known the operator carries them as `column_sq_norms`.
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from ._transform import Transform, as_length, as_rows, as_shape
from ._wavelets import WaveletSynthesis, daubechies_filter

__all__ = ["compose", "daubechies_filter", "dct_operator", "fourier_operator", "wavelet_operator"]


class _CosineSynthesis(Transform):
    def __init__(self, shape, rows, dtype):
        size = int(np.prod(shape))
        super().__init__(size if rows is None else rows.size, size, dtype)
        self.signal_shape, self.rows = shape, rows
        self.scale = self.dtype.type(1.0 if rows is None else np.sqrt(size / rows.size))
        self.column_sq_norms = np.ones(size) if rows is None else _sampled_norms(shape, rows)

    def forward(self, block):
        grid = block.reshape(*self.signal_shape, -1)
        signal = scipy.fft.idctn(grid, norm="ortho", axes=range(len(self.signal_shape))).reshape(block.shape)
        return signal if self.rows is None else self.scale * signal[self.rows]

    def adjoint(self, block):
        if self.rows is not None:
            full = np.zeros((self.shape[1], block.shape[1]), dtype=block.dtype)
            full[self.rows] = self.scale * block
            block = full
        grid = block.reshape(*self.signal_shape, -1)
        return scipy.fft.dctn(grid, norm="ortho", axes=range(len(self.signal_shape))).reshape(block.shape)


def _sampled_norms(shape, rows):
    """Squared norms of sampled cosine columns, one on average: ``2 cos^2 = 1 + cos`` of twice the frequency, so a transform of the mask."""
    size = int(np.prod(shape))
    grid = np.zeros(size)
    grid[rows] = 1.0 / rows.size
    grid = grid.reshape(shape)
    for axis, length in enumerate(shape):
        spectrum = np.moveaxis(scipy.fft.dct(grid, axis=axis) / 2, axis, -1)
        double = np.zeros_like(spectrum)  # the spectrum at twice the index; it is odd about `length`, and zero there
        half = (length + 1) // 2
        double[..., 1:half] = spectrum[..., 2 : 2 * half : 2]
        double[..., length // 2 + 1 :] = -spectrum[..., length - 2 + length % 2 : 0 : -2][
            ..., : length - length // 2 - 1
        ]
        grid = np.moveaxis(spectrum[..., :1] + double, -1, axis)
    return grid.reshape(-1)


class _FourierSampling(Transform):
    is_shift_invariant = True

    def __init__(self, shape, rows, dtype):
        size = int(np.prod(shape))
        super().__init__(rows.size, size, dtype)
        self.signal_shape, self.rows = shape, rows
        self.scale = np.empty(0, dtype).real.dtype.type(np.sqrt(size / rows.size))
        self.column_sq_norms = np.ones(size)

    def forward(self, block):
        grid = block.reshape(*self.signal_shape, -1)
        spectrum = scipy.fft.fftn(grid, norm="ortho", axes=range(len(self.signal_shape)))
        return self.scale * spectrum.reshape(block.shape)[self.rows]

    def adjoint(self, block):
        full = np.zeros((self.shape[1], block.shape[1]), dtype=np.result_type(block.dtype, self.dtype))
        full[self.rows] = self.scale * block
        grid = full.reshape(*self.signal_shape, -1)
        return scipy.fft.ifftn(grid, norm="ortho", axes=range(len(self.signal_shape))).reshape(full.shape)


class _Composition(Transform):
    def __init__(self, outer, inner):
        super().__init__(outer.shape[0], inner.shape[1], np.result_type(outer.dtype, inner.dtype))
        self.outer, self.inner = outer, inner
        self.column_sq_norms = self._known_norms()

    def forward(self, block):
        return self.outer.matmat(self.inner.matmat(block))

    def adjoint(self, block):
        return self.inner.rmatmat(self.outer.rmatmat(block))

    def _known_norms(self):
        """Exact column norms where shifted atoms keep their norm: one product for each class of shifts."""
        shift_class = getattr(self.inner, "shift_class", None)
        if shift_class is None or not getattr(self.outer, "is_shift_invariant", False):
            return None
        labels, first, inverse = np.unique(shift_class, return_index=True, return_inverse=True)
        norms = np.empty(labels.size)
        unit = np.zeros(self.shape[1], dtype=self.dtype)
        for position, column in enumerate(first):
            unit[column] = 1
            norms[position] = np.linalg.norm(self.matvec(unit)) ** 2
            unit[column] = 0
        return norms[inverse]


def dct_operator(shape, samples=None, *, dtype=np.float64):
    """Orthonormal inverse cosine transform (DCT-III) of any dimension: coefficients to signal.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the signal, which is also that of the coefficients.
    samples : array of bool of that shape, or of int, optional
        Which entries of the signal are observed: a mask, or flat indices. The columns are then scaled by
        ``sqrt(n_features / n_samples)``, which gives them norm one on average. All entries by default.
    dtype : {float32, float64}, default=float64
        Precision that the operator declares.

    Returns
    -------
    LinearOperator of shape (n_samples, prod(shape))
        With the exact `column_sq_norms`.

    Raises
    ------
    ValueError
        If a length is not positive, or `samples` does not fit the shape.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.designs.transforms import dct_operator
    >>> dct_operator(4) @ np.array([2.0, 0.0, 0.0, 0.0])
    array([1., 1., 1., 1.])
    """
    shape = as_shape(shape)
    rows = None if samples is None else as_rows(samples, shape)
    return _CosineSynthesis(shape, rows, _real_dtype(dtype))


def fourier_operator(shape, samples, *, dtype=np.complex128):
    """Unitary discrete Fourier transform of any dimension, observed at some frequencies: signal to samples.

    The samples are scaled by ``sqrt(n_features / n_samples)``, so that every column has norm one.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the signal.
    samples : array of bool of that shape, or of int
        Which frequencies are observed, zero frequency first (as `numpy.fft.fftn` orders them): a mask, or flat indices.
    dtype : {complex64, complex128}, default=complex128
        Precision that the operator declares.

    Returns
    -------
    LinearOperator of shape (n_samples, prod(shape))
        With `column_sq_norms`, all one.

    Raises
    ------
    ValueError
        If a length is not positive, or `samples` does not fit the shape.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.designs.transforms import fourier_operator
    >>> operator = fourier_operator(4, [0, 2])
    >>> (operator @ np.array([1.0, 1.0, 1.0, 1.0])).round(3)
    array([2.828+0.j, 0.   +0.j])
    """
    shape = as_shape(shape)
    dtype = np.dtype(dtype)
    if dtype not in (np.complex64, np.complex128):
        raise ValueError(f"dtype is {dtype}; Fourier samples are complex64 or complex128.")
    return _FourierSampling(shape, as_rows(samples, shape), dtype)


def wavelet_operator(shape, *, n_moments=4, n_levels=None, dtype=np.float64):
    """Orthonormal periodic Daubechies wavelet synthesis of any dimension: coefficients to signal.

    The coefficients have the shape of the signal, in the usual pyramid: the coarsest approximation in the first corner,
    each level's details around it.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the signal; each length must be divisible by ``2 ** n_levels``.
    n_moments : int, default=4
        Vanishing moments of the wavelet, from 1 (Haar) to 10; the filter has twice as many taps.
    n_levels : int, optional
        Levels; by default as many as leave the coarsest approximation at least 8 entries along each axis.
    dtype : {float32, float64}, default=float64
        Precision that the operator computes in.

    Returns
    -------
    LinearOperator of shape (prod(shape), prod(shape))
        Orthogonal: its adjoint analyses a signal. With `column_sq_norms`, all one.

    Raises
    ------
    ValueError
        If a length cannot be halved `n_levels` times.

    References
    ----------
    Daubechies, "Orthonormal bases of compactly supported wavelets", 1988.
    Mallat, "A theory for multiresolution signal decomposition: the wavelet representation", 1989.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.designs.transforms import wavelet_operator
    >>> haar = wavelet_operator(4, n_moments=1, n_levels=2)
    >>> haar.rmatvec(np.array([1.0, 1.0, 1.0, 1.0])).round(12)
    array([2., 0., 0., 0.])
    """
    shape = as_shape(shape)
    if n_levels is None:
        n_levels = max(1, min(_halvings(length) for length in shape))
    n_levels = as_length(n_levels, "n_levels")
    for length in shape:
        if length % (1 << n_levels):
            raise ValueError(
                f"shape is {shape}, but {n_levels} levels need lengths divisible by {1 << n_levels}: "
                "crop or pad the signal, or lower n_levels."
            )
    return WaveletSynthesis(shape, daubechies_filter(n_moments), n_levels, _real_dtype(dtype))


def compose(outer, inner):
    """The operator ``outer @ inner``, with exact column norms where they follow from shift invariance.

    Parameters
    ----------
    outer : LinearOperator of shape (n_samples, n)
        Applied last, for example `fourier_operator`.
    inner : LinearOperator of shape (n, n_features)
        Applied first, for example `wavelet_operator`.

    Returns
    -------
    LinearOperator of shape (n_samples, n_features)
        With `column_sq_norms` for Fourier samples of a wavelet synthesis (atoms of a subband are shifts of each other).

    Raises
    ------
    ValueError
        If the shapes do not chain.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.designs.transforms import compose, fourier_operator, wavelet_operator
    >>> mask = np.random.default_rng(0).random((16, 16)) < 0.5
    >>> operator = compose(fourier_operator((16, 16), mask), wavelet_operator((16, 16)))
    >>> operator.shape == (mask.sum(), 256), operator.dtype
    (True, dtype('complex128'))
    """
    if outer.shape[1] != inner.shape[0]:
        raise ValueError(
            f"outer has shape {outer.shape} and inner {inner.shape}; outer needs as many columns as inner has rows."
        )
    return _Composition(outer, inner)


def _halvings(length):
    count = 0
    while length % 2 == 0 and length // 2 >= 8:
        length //= 2
        count += 1
    return count


def _real_dtype(dtype):
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype is {dtype}; this transform is real: float32 or float64.")
    return dtype
