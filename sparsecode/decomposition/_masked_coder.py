"""Codes of signals with missing entries, behind the face of the other coders."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._coders import Coded, GreedyCoder, compressed

__all__ = ["MaskedCoder"]


class MaskedCoder(NamedTuple):
    """Orthogonal matching pursuit on what is observed of each signal; complete ones are coded as by `GreedyCoder`."""

    greedy: GreedyCoder

    def longest(self, n_features, n_atoms):
        """How many atoms a code has at most."""
        return self.greedy.longest(n_features, n_atoms)

    @property
    def certificate_name(self):
        """What the certificate measures."""
        return self.greedy.certificate_name

    @property
    def remedy(self):
        """What helps a code that misses its tolerance."""
        return self.greedy.remedy

    def goal(self, dtype):
        """Tolerance of the certificate at this precision."""
        return self.greedy.goal(dtype)

    def code(self, atoms, signals, n_jobs=None) -> Coded:
        """Codes of the signals, rows of a floating array; NaN where an entry is missing."""
        from ..solvers.dictionary.masked_omp import masked_omp, measure_masked

        if not np.isnan(signals).any():
            return self.greedy.code(atoms, signals, n_jobs)
        codes = masked_omp(atoms, signals, n_nonzero=self.greedy.n_nonzero, n_jobs=n_jobs)
        sq_residuals, defects, sizes = measure_masked(atoms, signals, codes, n_jobs)
        certificate = np.divide(defects, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        indptr, indices, values = compressed(codes)
        return Coded(indptr, indices, values, certificate, 0.5 * sq_residuals)
