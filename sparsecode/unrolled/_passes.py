"""Passes of many signals through layers, block by block: compiled where one fixed matrix serves all layers, else on arrays.

Blocks do not depend on the number of threads, and their sums are added up in order, so the bits do not either. Signals of another
namespace go through in one piece, where they live.
"""

from __future__ import annotations

import numpy as np

from .._array import is_numpy
from .._parallel import map_blocks
from ._layers import Slopes, apply_layers, layer_slopes

__all__ = ["Passes"]

_BLOCK = 64  # signals
_LARGEST = 2048  # atoms, beyond which their Gram matrix leaves the cache, and a product by blocks costs less


class Passes:
    """Codes of signals behind layers, and derivatives of their loss, with what the layers share computed once.

    Parameters
    ----------
    layers : Layers
        Whose matrices stay what they are now, unless `matrices` says that they are trained.
    matrices : bool, default=False
        Whether filters and mixing matrices are trained too.
    n_jobs : int, optional
        Threads.
    """

    def __init__(self, layers, matrices=False, n_jobs=None):
        self.matrices, self.n_jobs = matrices, n_jobs
        self._fixed = None
        if is_numpy(layers.atoms):
            alone = not (matrices or layers.mixing) and len(layers.filters) == 1
            if alone and layers.atoms.shape[0] <= _LARGEST:
                self._fixed = _Products(layers.atoms, layers.filters[0])

    def codes(self, layers, signals):
        """Codes (n_signals, n_atoms)."""
        if not is_numpy(signals):
            return apply_layers(layers, signals)
        codes = np.empty((signals.shape[0], layers.atoms.shape[0]), dtype=signals.dtype)

        def block(start, stop):
            part = np.ascontiguousarray(signals[start:stop])
            if self._fixed is None:
                codes[start:stop] = apply_layers(layers, part)
            else:
                self._fixed.codes(layers, part, codes[start:stop])

        map_blocks(block, signals.shape[0], _BLOCK, self.n_jobs)
        return codes

    def slopes(self, layers, signals, truth, alpha):
        """The loss summed over signals, and its derivatives."""
        if not is_numpy(signals):
            return layer_slopes(layers, signals, truth, alpha, self.matrices)

        def block(start, stop):
            part, known = (
                np.ascontiguousarray(rows[start:stop]) if rows is not None else None for rows in (signals, truth)
            )
            if self._fixed is None:
                return layer_slopes(layers, part, known, alpha, self.matrices)
            return self._fixed.slopes(layers, part, known, alpha)

        parts = map_blocks(block, signals.shape[0], _BLOCK, self.n_jobs)
        return sum(loss for loss, _ in parts), _added([slopes for _, slopes in parts])


def _added(parts):
    """Slopes of several blocks as one."""
    numbers = [sum(values) for values in list(zip(*parts, strict=True))[:3]]
    matrices = [
        tuple(sum(of_layer) for of_layer in zip(*(getattr(part, name) for part in parts), strict=True))
        for name in ("filters", "mixing")
    ]
    return Slopes(*numbers, *matrices)


class _Products:
    """What kernels read of one dictionary and one matrix of filters: their products with each other."""

    def __init__(self, atoms, filters):
        from ..kernels.greedy_workspace import aligned

        self._filters, self._atoms = np.ascontiguousarray(filters), np.ascontiguousarray(atoms)
        self._forth = self._product(atoms, filters)
        tied = filters is atoms
        self._back = self._forth if tied else aligned(self._forth.T)
        self._gram = self._forth if tied else self._product(atoms, atoms)

    @staticmethod
    def _product(left, right):
        """``left right'``, the same bits however many threads BLAS has."""
        from ..kernels.greedy_workspace import aligned_empty

        out = aligned_empty((left.shape[0], right.shape[0]), left.dtype)
        map_blocks(lambda start, stop: np.matmul(left[start:stop], right.T, out=out[start:stop]), left.shape[0], 128, 1)
        return out

    def _numbers(self, layers):
        from ..kernels.unrolled import COUNT, HARD, SOFT

        dtype = self._forth.dtype
        steps, levels, momenta = (part.astype(dtype) for part in (layers.steps, layers.levels, layers.momenta))
        rule = {"soft": SOFT, "hard": HARD, "count": COUNT}[layers.rule]
        return steps, levels, momenta, layers.counts, rule, layers.accelerated

    def _correlations(self, signals):
        from ..kernels.greedy_workspace import aligned_empty

        dtype = np.result_type(signals, self._filters)
        return np.matmul(signals, self._filters.T, out=aligned_empty((len(signals), len(self._filters)), dtype))

    def codes(self, layers, signals, out):
        """Write the codes of a block."""
        from ..kernels.greedy_workspace import aligned_empty
        from ..kernels.unrolled import layer_codes

        dense = aligned_empty((5, out.shape[1]), out.dtype)
        layer_codes(self._correlations(signals), self._forth, self._numbers(layers), dense, out)

    def slopes(self, layers, signals, truth, alpha):
        """Loss and derivatives of a block."""
        from ..kernels.greedy_workspace import aligned_empty
        from ..kernels.unrolled import layer_slopes

        correlations = self._correlations(signals)
        supervised = truth is not None
        if supervised:
            targets, sq_norms = truth, np.zeros(len(signals))
        else:
            targets = correlations if self._gram is self._forth else signals @ self._atoms.T
            sq_norms = np.einsum("ij,ij->i", signals, signals, dtype=np.float64)
        out = np.zeros((3, layers.depth))
        loss = layer_slopes(
            correlations,
            self._forth,
            self._back,
            self._numbers(layers),
            targets,
            self._gram,
            sq_norms,
            float(alpha),
            supervised,
            aligned_empty((5, correlations.shape[1]), correlations.dtype),
            out,
        )
        return loss, Slopes(*out)
