"""Atoms of a convolutional dictionary from the sufficient statistics of their codes.

    minimise over ||d_k|| <= 1   1/2 sum over signals y of ||y - sum_k d_k * z_k||^2

The codes enter through ``code_corr[k, j, lag] = sum_s z_k(s) z_j(s + lag)`` and ``code_signal[k, u] = sum_s z_k(s) y(s + u)`` alone,
whose size does not depend on the length of the signals, and which add up over signals:

    gradient in d_k   at u    sum_j sum_v code_corr[k, j, u - v] d_j(v) - code_signal[k, u]

Grosse, Raina, Kwong and Ng, "Shift-invariance sparse coding for audio classification", 2007 (arXiv 1206.5241).
Moreau and Gramfort, "DiCoDiLe: distributed convolutional dictionary learning", 2019 (arXiv 1901.09235).
"""

from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "ConvolutionalStatistics",
    "add_statistics",
    "gradient",
    "include",
    "misfit",
    "stationarity",
    "update_atoms",
]

_LEAST = 1e-10  # of the mean energy: atoms whose codes carry less are left as they are
_STEPS = 2  # of an atom before it is the next one's turn
_SETTLED = 1e-2  # of the first sweep's move: sweeps that move the atoms by less bring nothing


class ConvolutionalStatistics(NamedTuple):
    """What the codes of signals say about the atoms (n_atoms, n_channels, h, w).

    Attributes
    ----------
    code_corr : float64 array of shape (n_atoms, n_atoms, 2 h - 1, 2 w - 1)
        Correlations of codes at the lags at which two atoms overlap, from ``-(h - 1)``, ``-(w - 1)``.
    code_signal : float64 array of shape (n_atoms, n_channels, h, w)
        Correlations of codes with signals.
    usage : float64 array of shape (n_atoms,)
        How often each atom occurs.
    sq_norm : float
        Sum of the squares of the signals.
    n_signals : int
        How many signals there were.
    objective : float
        Sum of their objectives.
    certificate : float
        The largest certificate of their codes.
    """

    code_corr: Any
    code_signal: Any
    usage: Any
    sq_norm: float
    n_signals: int
    objective: float
    certificate: float

    @classmethod
    def empty(cls, shape):
        """The statistics of no signals, for atoms of that shape."""
        n_atoms, _, *lengths = shape
        lags = tuple(2 * length - 1 for length in lengths)
        return cls(np.zeros((n_atoms, n_atoms, *lags)), np.zeros(shape), np.zeros(n_atoms), 0.0, 0, 0.0, 0.0)


def include(statistics, signal, codes, objective=0.0, certificate=0.0):
    """The statistics with those of one more signal (n_channels, height, width), whose codes are (n_atoms, height', width').

    Their arrays are added to in place: many signals need no memory of their own.
    """
    from ...kernels.convolutional import code_statistics

    code_statistics(codes, signal, statistics.code_corr, statistics.code_signal, statistics.usage)
    return statistics._replace(
        sq_norm=statistics.sq_norm + float(np.vdot(signal, signal)),
        n_signals=statistics.n_signals + 1,
        objective=statistics.objective + objective,
        certificate=max(statistics.certificate, certificate),
    )


def add_statistics(left, right, keep=1.0):
    """The statistics of both sets of signals, those of the left one with weight `keep`."""
    sums = ConvolutionalStatistics(*(keep * one + other for one, other in zip(left, right, strict=True)))
    return sums._replace(certificate=max(left.certificate, right.certificate))


def misfit(atoms, statistics) -> float:
    """``1/2 sum ||y - sum_k d_k * z_k||^2`` as a function of the atoms."""
    slope = gradient(atoms, statistics)
    return 0.5 * (statistics.sq_norm + float(np.vdot(atoms, slope - statistics.code_signal)))


def gradient(atoms, statistics):
    """Gradient of `misfit`, of the shape of the atoms."""
    return _Quadratic(atoms, statistics).gradient(slice(None))


def update_atoms(atoms, statistics, *, n_sweeps=10):
    """Improve atoms one after another by projected gradient steps, each of its own length; `misfit` never rises.

    Parameters
    ----------
    atoms : float64 array of shape (n_atoms, n_channels, h, w)
        The atoms, not changed.
    statistics : ConvolutionalStatistics
        What their codes said.
    n_sweeps : int, default=10
        Sweeps at most.

    Returns
    -------
    float64 array of shape (n_atoms, n_channels, h, w)
        The new atoms; those that no code uses are as they were.
    """
    quadratic = _Quadratic(atoms, statistics)
    first = None
    for _ in range(n_sweeps):
        before = quadratic.atoms.copy()
        for k in quadratic.used:
            for _ in range(_STEPS):
                quadratic.put(k, _stepped(quadratic, k))
        moved = _weighted_move(quadratic.atoms - before, quadratic.energy)
        first = moved if first is None else first
        if moved <= _SETTLED * first:
            break
    return quadratic.atoms


def stationarity(atoms, statistics) -> float:
    """How far projected gradient steps would move the atoms: root mean square over atoms of norm one, weighted by the energy of
    their codes. Zero at a stationary dictionary."""
    quadratic = _Quadratic(atoms, statistics)
    moves = np.zeros_like(atoms)
    for k in quadratic.used:
        moves[k] = _stepped(quadratic, k) - quadratic.atoms[k]
    return _weighted_move(moves, quadratic.energy)


def _stepped(quadratic, k):
    atom = quadratic.atoms[k] - quadratic.gradient(k) / quadratic.curvature[k]
    return atom / max(1.0, float(np.linalg.norm(atom)))


def _weighted_move(moves, energy):
    total = float(np.sum(energy))
    return float(np.sqrt(np.sum(energy * np.sum(moves**2, axis=(1, 2, 3))) / total)) if total > 0 else 0.0


class _Quadratic:
    """The misfit around atoms that change one at a time, with everything in Fourier space."""

    def __init__(self, atoms, statistics):
        self.atoms, self.statistics = np.array(atoms, dtype=np.float64), statistics
        self._lengths = [2 * length - 1 for length in atoms.shape[2:]]  # nothing wraps around into what is kept
        self._corr = np.fft.rfftn(statistics.code_corr, s=self._lengths, axes=(2, 3))
        self._spectrum = self._transformed(self.atoms)
        centre = tuple(length - 1 for length in atoms.shape[2:])
        own = np.arange(len(atoms))
        self.energy = statistics.code_corr[(own, own, *centre)]
        # the correlations of a code with itself are embedded in a circulant matrix, whose eigenvalues these are
        self.curvature = np.max(np.abs(self._corr[own, own]), axis=(1, 2))
        self.used = np.flatnonzero(self.energy > _LEAST * float(np.mean(self.energy)))

    def _transformed(self, atoms):
        return np.fft.rfftn(atoms, s=self._lengths, axes=(-2, -1))

    def put(self, k, atom):
        """Change one atom."""
        self.atoms[k] = atom
        self._spectrum[k] = self._transformed(atom)

    def gradient(self, k):
        """Gradient in the atoms `k`, of their shape."""
        product = np.einsum("...jhw,jchw->...chw", self._corr[k], self._spectrum)
        grid = np.fft.irfftn(product, s=self._lengths, axes=(-2, -1))
        h, w = self.atoms.shape[2:]
        return grid[..., h - 1 : 2 * h - 1, w - 1 : 2 * w - 1] - self.statistics.code_signal[k]
