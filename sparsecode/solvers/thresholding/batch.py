"""Codes of many signals by one thresholding of their correlations with the atoms: the cheapest sparse coder.

Each atom is treated as if it were alone: its coefficient minimises ``1/2 ||x - c a||^2 + alpha |c|``. For orthogonal atoms
that is the lasso code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._parallel import map_blocks
from ..._validation import check_range
from ..coordinate.batch import BLOCK, correlations

__all__ = ["ThresholdCodes", "code_signals"]


class ThresholdCodes(NamedTuple):
    """Compressed rows: entries ``indptr[i]:indptr[i + 1]`` of `indices` (ascending) and `values` belong to signal i."""

    indptr: Any
    indices: Any
    values: Any


def code_signals(
    atoms, signals, *, alpha=0.0, n_nonzero=None, hard=False, positive=False, n_jobs=None
) -> ThresholdCodes:
    """Threshold the correlations of each signal.

    Parameters
    ----------
    atoms : ndarray of shape (n_atoms, n_features)
        The dictionary, one atom a row; atoms need not have unit norm, those of norm zero are never used.
    signals : ndarray of shape (n_signals, n_features)
        What to code.
    alpha : float, default=0.0
        Correlations ``a x`` of modulus at most `alpha` give zero.
    n_nonzero : int, optional
        Only the atoms of the `n_nonzero` largest ``|a x| / ||a||`` are used; ties go to the lowest index.
    hard : bool, default=False
        Whether what remains is kept as it is, ``a x / ||a||^2``, or shrunk by `alpha` first.
    positive : bool, default=False
        Whether negative coefficients give zero.
    n_jobs : int, optional
        Threads; the bits are the same for any number.

    Returns
    -------
    ThresholdCodes
        Compressed rows.
    """
    rows = np.ascontiguousarray(atoms, dtype=np.float64)
    sq_norms = np.einsum("ij,ij->i", rows, rows)
    check_range(sq_norms, atoms, "atoms", "row")
    inverse = np.divide(1.0, sq_norms, out=np.zeros_like(sq_norms), where=sq_norms > 0)
    dtype = np.float32 if signals.dtype == np.float32 else np.float64

    def block(start, stop):
        corr = correlations(rows, signals[start:stop], start)[0]
        size = np.maximum(corr, 0.0) if positive else np.abs(corr)
        size[:, sq_norms == 0] = 0.0
        keep = size > alpha
        if n_nonzero is not None and n_nonzero < rows.shape[0]:
            score = np.where(keep, size * np.sqrt(inverse), 0.0)
            order = np.argsort(-score, axis=1, kind="stable")[:, :n_nonzero]
            largest = np.zeros_like(keep)
            np.put_along_axis(largest, order, True, axis=1)
            keep &= largest
        code = (corr if hard else np.sign(corr) * np.maximum(size - alpha, 0.0)) * inverse
        code = np.where(keep, code, 0.0).astype(dtype)
        where, indices = np.nonzero(code)
        return np.bincount(where, minlength=stop - start), indices.astype(np.int32), code[where, indices]

    counts, indices, values = (
        np.concatenate(column) for column in zip(*map_blocks(block, signals.shape[0], BLOCK, n_jobs), strict=True)
    )
    return ThresholdCodes(np.concatenate([[0], np.cumsum(counts)]), indices, values)
