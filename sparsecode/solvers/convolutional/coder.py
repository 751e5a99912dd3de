"""One signal coded over atoms that may occur anywhere in it, by either of two algorithms.

    minimise over z   1/2 ||y - sum_k d_k * z_k||^2 + alpha sum_k ||z_k||_1

`DescentCoder` moves one coefficient after another (the locally greedy choice), `FourierCoder` all at once by accelerated proximal
gradient through Fourier transforms. Both answer with the duality gap relative to ``||y||^2 / 2``, recomputed from the codes.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..._array import as_double, attainable
from ...designs import ConvolutionDesign
from ...losses import Squared
from ...penalties import L1
from ..certificates import relative
from ..problem import Problem
from ..proximal.forward_backward import accelerated_steps, drive_proximal

__all__ = ["Coded", "DescentCoder", "FourierCoder", "Layout"]

_SHRINK = 0.1  # from round to round; the number of moves hardly depends on it
_TILE = {
    1: 4,
    2: 2,
}  # lengths of an atom, where it moves along so many axes: looking for a move costs about as much as making it
_TRIES = 4  # at a gap that the recomputed certificate confirms


class Coded(NamedTuple):
    """The codes of one signal, and their proof."""

    indices: Any  # sorted places in the flattened codes
    values: Any
    objective: float
    gap: float
    n_iter: int


class Layout:
    """Axes in one order for signals in time, images and several channels: (channels, height, width).

    Atoms move along at most two axes; those on which they are as long as the signal become channels.
    """

    def __init__(self, atom_shape, signal_shape):
        self.atom_shape, self.signal_shape = tuple(atom_shape), tuple(signal_shape)
        self.places = tuple(s - a + 1 for s, a in zip(signal_shape, atom_shape, strict=True))
        self.moving = [axis for axis, length in enumerate(self.places) if length > 1]
        self._order = [axis for axis in range(len(self.places)) if axis not in self.moving] + self.moving

    @property
    def is_plane(self):
        """Whether compiled loops over two axes are enough."""
        return len(self.moving) <= 2

    def planes(self, block, shape):
        """Arrays (n, *shape) as (n, channels, height, width)."""
        block = np.transpose(np.asarray(block), [0, *(1 + axis for axis in self._order)])
        return np.ascontiguousarray(block.reshape(block.shape[0], -1, *self._tail(shape)))

    def back(self, block, shape):
        """(n, channels, height, width) as arrays (n, *shape)."""
        ordered = block.reshape(block.shape[0], *(shape[axis] for axis in self._order))
        return np.transpose(ordered, [0, *(1 + place for place in np.argsort(self._order))])

    def _tail(self, shape):
        moving = [shape[axis] for axis in self.moving]
        return (1,) * (2 - len(moving)) + tuple(moving)


class _Coder:
    """What both algorithms share: atoms (n_atoms, channels, h, w) for signals (channels, height, width), and the proof of codes."""

    def __init__(self, atoms, signal_shape, alpha, *, positive=False, tol=1e-6, max_iter=1000):
        self.atoms = np.ascontiguousarray(atoms, dtype=np.float64)
        self.design = ConvolutionDesign(self.atoms, signal_shape)
        self.code_shape = self.design.code_shape
        self.alpha, self.positive, self.tol, self.max_iter = float(alpha), positive, tol, max_iter

    def code(self, signal, start=None) -> Coded:
        """Code one signal, from earlier codes ``(indices, values)`` if there are any."""
        kept = signal.dtype
        signal, codes = as_double(signal), np.zeros(math.prod(self.code_shape))
        if start is not None:
            codes[start[0]] = start[1]
        goal = attainable(self.tol, np.empty(0, kept))
        n_iter, (gap, objective) = self._solve(signal, codes, start is not None, goal, kept)
        indices = np.flatnonzero(codes != 0)  # of booleans, which is much faster
        return Coded(indices, codes[indices].astype(kept), objective, gap, n_iter)

    def certify(self, signal, codes, dtype):
        """The relative duality gap, and the objective, of the codes in the precision in which they leave.

        The dual point is the residual, scaled to where its correlations allow and its value is greatest.
        """
        codes = as_double(codes.astype(dtype, copy=False))
        residual = self.residual(signal, codes)
        correlation = self.design.rmatvec(residual)
        top = float(np.max(correlation if self.positive else np.abs(correlation)))
        energy, meeting = float(residual @ residual), float(residual @ signal.reshape(-1))
        scale = max(meeting, 0.0) / energy if energy > 0 else 0.0
        scale = min(scale, self.alpha / top) if top > 0 else scale
        objective = 0.5 * energy + self.alpha * float(np.sum(np.abs(codes)))
        gap = objective - scale * meeting + 0.5 * scale**2 * energy
        return float(relative(max(gap, 0.0) if gap == gap else gap, 0.5 * float(np.vdot(signal, signal)))), objective

    def _solve(self, signal, codes, started, tol, dtype):
        """Improve codes in place until they meet `tol`; iterations, and what `certify` says of them."""
        raise NotImplementedError

    def residual(self, signal, codes):
        """``y - sum_k d_k * z_k``, flat."""
        return signal.reshape(-1) - self.design.matvec(codes)


class DescentCoder(_Coder):
    """Locally greedy coordinate descent; atoms move along two axes."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.code_shape = (self.code_shape[0], *self.code_shape[2:])  # there is one place on the axis of the channels

    @cached_property
    def cross(self):
        """``cross[k, j, lag] = sum_u <d_k(u + lag), d_j(u)>`` (n_atoms, n_atoms, 2 h - 1, 2 w - 1)."""
        lengths = [2 * length - 1 for length in self.atoms.shape[2:]]
        spectrum = np.fft.rfftn(self.atoms, s=lengths, axes=(2, 3))
        product = np.einsum("kchw,jchw->kjhw", spectrum, spectrum.conj())
        return np.fft.fftshift(np.fft.irfftn(product, s=lengths, axes=(2, 3)), axes=(2, 3)).copy()

    @cached_property
    def sq_norms(self):
        """Of the atoms."""
        return np.sum(self.atoms**2, axis=(1, 2, 3))

    def residual(self, signal, codes):
        from ...kernels.convolutional import reconstruct

        residual = signal.copy()
        reconstruct(-self.atoms, codes.reshape(self.code_shape), residual)
        return residual.reshape(-1)

    def _solve(self, signal, codes, started, tol, dtype):
        from ...kernels.convolutional import descend

        grid = codes.reshape(self.code_shape)
        first = self.design.rmatvec(signal.reshape(-1)).reshape(self.code_shape)
        left = first.copy()
        if started:
            left = self.design.rmatvec(self.residual(signal, codes)).reshape(self.code_shape)
            left = left + self.sq_norms[:, None, None] * grid
        score = np.empty(self.code_shape)
        state = left, left.view(np.int64), grid, score, score.view(np.int64)
        model = self.cross, self.sq_norms, -np.inf if self.positive else -self.alpha, self.alpha
        reach = _TILE[max(1, sum(places > 1 for places in self.code_shape[1:]))]
        tile = tuple(reach * length for length in self.atoms.shape[2:])
        sq_norm = float(np.vdot(signal, signal))
        floor, most, moves, goal = 1e-16 * math.sqrt(sq_norm), self.max_iter * codes.size, 0, tol
        for _ in range(_TRIES):
            done, _ = descend(state, model, tile, first, sq_norm, goal, floor, _SHRINK, most - moves)
            moves += done
            made = self.certify(signal, codes, dtype)
            if made[0] <= tol or done == 0 or moves >= most:
                break
            goal *= 0.25
        return moves, made


class FourierCoder(_Coder):
    """FISTA, whose products are Fourier transforms."""

    def _solve(self, signal, codes, started, tol, dtype):
        n_samples = signal.size  # the house's squared loss carries the factor ``1 / (2 n_samples)``
        problem = Problem(self.design, signal.reshape(-1), Squared(), L1(self.alpha / n_samples, self.positive))
        result = drive_proximal(problem, accelerated_steps(problem, codes.copy()), self.max_iter, tol, None)
        codes[:] = result.coef
        return result.n_iter, self.certify(signal, codes, dtype)
