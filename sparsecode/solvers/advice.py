"""What a warning of an uncertified answer adds to the solver's own words: whether scaling the features would help."""

from __future__ import annotations

import numpy as np

from ..result import SolveResult, Status, announce

__all__ = ["announce_solve", "scaling_advice"]

_SPREAD = 10.0  # of the columns' norms, from which on scaling them is worth its while


def announce_solve(problem, result) -> SolveResult:
    """Hand the result on; if the iterations ran out, its warning says whether scaling the features would help."""
    return announce(result, advice=scaling_advice(problem.design) if result.status is Status.MAX_ITER else "")


def scaling_advice(design) -> str:
    """A sentence on the norms of the columns; nothing for designs that have no columns to look at."""
    if design.is_matrix_free:
        return ""
    norms = np.sqrt(np.asarray(design.column_sq_norms(), dtype=np.float64))
    norms = norms[norms > 0]
    if norms.size < 2:
        return ""
    spread = float(norms.max() / norms.min())
    if spread > _SPREAD:
        return f" The norms of the columns differ by a factor of {spread:.1e}: scaling the features would help."
    return f" The norms of the columns are within a factor of {spread:.1f}: scaling the features would not help."
