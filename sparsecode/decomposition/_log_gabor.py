"""Log-Gabor atoms, and how wide a range of orientations an atom answers to.

    spectrum at frequency f, angle phi      exp(-log(f / f0)^2 / (2 log(1 + b)^2))  exp((cos(phi - theta) - 1) / b_theta^2)

Fischer, Sroubek, Perrinet, Redondo and Cristobal, "Self-invertible 2D log-Gabor wavelets", 2007.
"""

from __future__ import annotations

import numpy as np

from .._validation import as_count, as_number

__all__ = ["log_gabor_bank", "orientation_bandwidth"]

_FINER = 4  # frequencies between two of an atom's own: it is cut from a larger field, its spectrum is read between them


def log_gabor_bank(n_theta=12, b_theta=(np.pi / 12,), n_phase=2, size=12, *, frequency=0.25, b_frequency=0.4):
    """Oriented band-pass atoms of several orientations, orientation bandwidths and phases; unit norm, no mean.

    A bank of one bandwidth is homogeneous; the same number of atoms spread over several bandwidths is a heterogeneous one, in
    which broadly and narrowly tuned atoms share the work.

    Parameters
    ----------
    n_theta : int, default=12
        Orientations, evenly spaced over half a turn.
    b_theta : float or sequence of float, default=(pi / 12,)
        Orientation bandwidths in radians: the spread of an atom's spectrum around its orientation. Each comes with every orientation.
    n_phase : int, default=2
        Phases, evenly spaced over half a turn: 2 gives even and odd atoms.
    size : int, default=12
        Height and width of an atom in pixels, at least 3.
    frequency : float, default=0.25
        Central frequency in cycles a pixel, above 0 and at most 0.5.
    b_frequency : float, default=0.4
        Width of the spectrum along the frequency, relative to its centre.

    Returns
    -------
    ndarray of shape (n_theta * len(b_theta) * n_phase, size, size)
        The atoms in float64; phases vary fastest, then orientations, then bandwidths.

    Raises
    ------
    ValueError
        If a number is out of range.

    See Also
    --------
    orientation_bandwidth : The bandwidths of any atoms.
    sparsecode.ConvolutionalDictionaryLearning : Takes the bank as `dict_init`.

    References
    ----------
    Fischer, Sroubek, Perrinet, Redondo and Cristobal, "Self-invertible 2D log-Gabor wavelets", 2007.
    Ladret, Casanova and Perrinet, "Kernel heterogeneity improves sparseness of natural images representations", 2023,
    arXiv 2312.14685.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.decomposition import log_gabor_bank
    >>> bank = log_gabor_bank(8, np.linspace(np.pi / 30, np.pi / 6, 3))
    >>> bank.shape, bool(np.allclose(np.sum(bank**2, axis=(1, 2)), 1.0))
    ((48, 12, 12), True)
    """
    n_theta, n_phase = as_count(n_theta, "n_theta"), as_count(n_phase, "n_phase")
    size = as_count(size, "size", minimum=3)
    frequency = as_number(frequency, "frequency", strict=True, maximum=0.5)
    b_frequency = as_number(b_frequency, "b_frequency", strict=True)
    widths = [as_number(float(width), "b_theta", strict=True) for width in np.atleast_1d(b_theta)]
    if not widths:
        raise ValueError("b_theta is empty; give at least one bandwidth.")
    radius, angle = _plane(_FINER * size)
    with np.errstate(divide="ignore"):
        ring = np.exp(-0.5 * (np.log(radius / frequency) / np.log1p(b_frequency)) ** 2)  # zero at frequency zero
    atoms = [
        atom
        for width in widths
        for theta in np.arange(n_theta) * (np.pi / n_theta)
        for atom in _phases(ring * np.exp((np.cos(angle - theta) - 1.0) / width**2), n_phase, size)
    ]
    return np.array(atoms)


def orientation_bandwidth(components):
    """Orientation bandwidth of atoms, from the circular variance of their spectra's energy over the angle.

    With the energy E at the angle phi, ``R = |sum E exp(2 i phi)| / sum E`` is one minus the circular variance, and the bandwidth is
    ``sqrt(-log R)``: the `b_theta` of a log-Gabor atom, whose energy falls like ``exp(-(phi - theta)^2 / b_theta^2)``.

    Parameters
    ----------
    components : array of shape (n_components, height, width)
        Atoms of two axes.

    Returns
    -------
    ndarray of shape (n_components,)
        Bandwidths in radians, infinite for an atom without any orientation. An atom of a few pixels cannot have a narrow one.

    Raises
    ------
    ValueError
        If the atoms do not have two axes, or are not finite.

    See Also
    --------
    log_gabor_bank : Atoms of given bandwidths.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.decomposition import log_gabor_bank, orientation_bandwidth
    >>> orientation_bandwidth(log_gabor_bank(1, [0.3, 0.6], n_phase=1, size=24)).round(1)
    array([0.3, 0.6])
    """
    atoms = np.asarray(components, dtype=np.float64)
    if atoms.ndim != 3 or 0 in atoms.shape:
        raise ValueError(f"components has shape {atoms.shape}; it must be (n_components, height, width).")
    if not np.all(np.isfinite(atoms)):
        raise ValueError("components contains NaN or infinity; remove those atoms.")
    peak = np.max(np.abs(atoms), axis=(1, 2), keepdims=True)
    atoms = atoms / np.where(peak > 0, peak, 1.0)  # energies of any scale are numbers
    side = _FINER * max(atoms.shape[1:])
    radius, angle = _plane(side)
    energy = np.abs(np.fft.fft2(atoms - atoms.mean(axis=(1, 2), keepdims=True), s=(side, side))) ** 2
    energy = np.where(radius <= 0.5, energy, 0.0)  # the corners of the plane favour its diagonals
    total = energy.sum(axis=(1, 2))
    along = np.abs(np.sum(energy * np.exp(2j * angle), axis=(1, 2)))
    share = np.divide(along, total, out=np.zeros_like(total), where=total > 0)
    with np.errstate(divide="ignore"):
        return np.sqrt(-np.log(np.minimum(share, 1.0)))


def _plane(side):
    """Frequency in cycles a pixel, and angle, of every entry of a two-dimensional transform."""
    axis = np.fft.fftfreq(side)
    return np.hypot(axis[:, None], axis), np.arctan2(axis[:, None], axis)


def _phases(spectrum, n_phase, size):
    """Atoms (size, size) of a one-sided spectrum, cut from the middle of their field."""
    field = np.fft.fftshift(np.fft.ifft2(spectrum))
    first = (len(field) - size + 1) // 2
    field = field[first : first + size, first : first + size]
    for phase in np.arange(n_phase) * (np.pi / n_phase):
        atom = np.real(np.exp(-1j * phase) * field)
        atom = atom - atom.mean()
        yield atom / np.linalg.norm(atom)
