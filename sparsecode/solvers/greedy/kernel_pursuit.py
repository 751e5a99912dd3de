"""The compiled pursuit over one Gram matrix, block of signals after block of signals, on threads."""

from __future__ import annotations

import threading

import numpy as np

from ..._parallel import map_blocks
from .rules import BLOCK, Settings, preferences

__all__ = ["KernelPursuit"]


class KernelPursuit:
    """Gram matrix, weights and settings, ready for any number of signals.

    Parameters
    ----------
    gram : ndarray of shape (n_atoms, n_atoms)
        Row j holds ``A^H a_j``: for complex atoms the conjugate of the usual Gram matrix.
    sq_norms : ndarray of shape (n_atoms,)
        Squared norms of the atoms.
    settings : Settings
        What is asked.
    penalty_weights : ndarray of shape (n_atoms,), optional
        Correlations are divided by their weight before the largest is selected; 0 enters first, inf never.
    rows : ndarray of shape (n_atoms, dim), optional
        The atoms, for residuals finer than the Gram recursion can see.
    """

    def __init__(self, gram, sq_norms, settings: Settings, *, penalty_weights=None, rows=None):
        from ...kernels.greedy import Atoms, Rule
        from ...kernels.greedy_workspace import aligned

        real = gram.real.dtype
        norms = np.asarray(sq_norms)
        scale, preference, free, first = preferences(sq_norms, penalty_weights, settings.first)
        rows = np.empty((0, 0), dtype=gram.dtype) if rows is None else rows
        self.dtype, self.settings = gram.dtype, settings
        self.depth = min(gram.shape[0], max(first.size, settings.n_nonzero + free.size))
        norms, scale, preference = (aligned(values.astype(real)) for values in (norms, scale, preference))
        self._atoms = Atoms(aligned(gram), norms, scale, preference, first, aligned(rows))
        self._rule = Rule(
            settings.n_nonzero,
            free.size,
            settings.orthogonal,
            settings.positive,
            settings.dependence,
            settings.noise,
            settings.resolution,
            -1.0 if settings.tol is None else settings.tol**2,
            -1.0 if settings.atol is None else settings.atol**2,
        )
        self._scratch = threading.local()

    def code(self, n_signals, block, n_jobs=None):
        """Indices, values, counts and squared residuals of `n_signals` signals.

        ``block(start, stop, correlations)`` writes their correlations into the first rows of a scratch array (BLOCK, n_atoms),
        and gives the signals themselves (or None) and their squared norms in double precision.
        """
        from ...kernels.greedy import Codes, pursue

        answer = Codes(
            np.full((n_signals, self.depth), -1, dtype=np.int32),
            np.zeros((n_signals, self.depth), dtype=self.dtype),
            np.zeros(n_signals, dtype=np.int32),
            np.zeros(n_signals),
        )

        def run(start, stop):
            work, correlations = self._thread_scratch()
            signals, target_sq = block(start, stop, correlations)
            part = Codes(*(array[start:stop] for array in answer))
            signals = self._atoms.rows if signals is None else signals
            if not signals.flags.writeable:  # which the compiler would take for another type
                signals = signals.copy()
            pursue(self._atoms, self._rule, correlations, signals, target_sq, work, part)

        map_blocks(run, n_signals, BLOCK, n_jobs)
        return answer

    def _thread_scratch(self):
        """Workspace and correlations of this thread: fresh memory for every block would cost more than its use."""
        from ...kernels.greedy_workspace import aligned_empty, workspace

        if not hasattr(self._scratch, "work"):
            n_atoms, dim = self._atoms.gram.shape[0], self._atoms.rows.shape[1]
            self._scratch.work = workspace(n_atoms, self.depth, dim, self.dtype)
            self._scratch.correlations = aligned_empty((BLOCK, n_atoms), self.dtype)
        return self._scratch.work, self._scratch.correlations
