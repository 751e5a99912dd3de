"""Lasso codes of many signals over one dictionary, on its Gram matrix.

    minimise over c   1/2 ||x - c D||^2 + alpha ||c||_1        for each signal x alone

This is the scaling of signal processing: no division by the number of features, so `alpha` here is n_features times the
`alpha` of a regression on the same data. Each code comes with its duality gap, recomputed in float64 from the code itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._parallel import map_blocks
from ..._validation import as_count, as_design, as_number, check_range
from ...designs import DenseDesign

__all__ = ["LassoCodes", "batch_lasso"]

BLOCK = (
    128  # signals; every correlation product has exactly this many rows, so bits do not depend on where a block ends
)
SINGLE_TOL = 1e-5  # codes rounded to single precision cannot have smaller relative gaps


class LassoCodes(NamedTuple):
    """Codes of P signals over K atoms, in compressed rows.

    Attributes
    ----------
    indptr : int64 array of shape (P + 1,)
        Entries ``indptr[i]:indptr[i + 1]`` belong to signal i.
    indices : int32 array of shape (n_entries,)
        The atoms, ascending within a signal.
    values : array of shape (n_entries,)
        Their coefficients, in the precision of the signals; never zero.
    gaps : float64 array of shape (P,)
        Duality gap of each code over ``||x||^2 / 2``.
    objectives : float64 array of shape (P,)
        ``1/2 ||x - c D||^2 + alpha ||c||_1``.
    """

    indptr: Any
    indices: Any
    values: Any
    gaps: Any
    objectives: Any


def batch_lasso(atoms, signals, *, alpha, positive=False, tol=1e-8, max_iter=1_000, n_jobs=None) -> LassoCodes:
    """Code each signal x by the minimiser c of ``1/2 ||x - c @ atoms||^2 + alpha ||c||_1``.

    Feature-sign search on the Gram matrix of the atoms ends at the exact code; where rounding stops it, coordinate descent
    takes over. A signal is done when its relative duality gap is at most `tol`.

    Parameters
    ----------
    atoms : ndarray of shape (n_atoms, n_features)
        The dictionary, one atom a row; atoms need not have unit norm.
    signals : ndarray of shape (n_signals, n_features)
        What to code, one signal a row.
    alpha : float
        Strength of the penalty, positive; a signal whose correlations ``|atoms @ x|`` are all at most `alpha` gets zeros.
    positive : bool, default=False
        Whether coefficients must not be negative.
    tol : float, default=1e-8
        Relative duality gap of each signal. For single-precision signals at least 1e-5 is used.
    max_iter : int, default=1_000
        Steps of the search, and epochs of coordinate descent after it.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows. The codes have the same bits for any number.

    Returns
    -------
    LassoCodes
        Compressed rows with the gap and the objective of each signal.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or `alpha` is not positive.

    References
    ----------
    Lee, Battle, Raina and Ng, "Efficient sparse coding algorithms", 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.coordinate.batch import batch_lasso
    >>> codes = batch_lasso(np.eye(3), np.array([[0.0, 2.0, -1.0]]), alpha=0.5)
    >>> codes.indices.tolist(), codes.values.tolist()
    ([1, 2], [1.5, -0.5])
    """
    atoms, signals = _validated(atoms, signals)
    single = signals.dtype == np.float32
    alpha = as_number(alpha, "alpha", strict=True)
    tol = max(as_number(tol, "tol"), SINGLE_TOL if single else 0.0)
    return code_signals(atoms, signals, alpha, bool(positive), tol, as_count(max_iter, "max_iter"), n_jobs)


def code_signals(atoms, signals, alpha, positive, tol, max_iter, n_jobs=None, ridge=0.0, weights=None) -> LassoCodes:
    """`batch_lasso` without its checks, and with ``ridge / 2 ||c||^2`` more: the Lasso over atoms that each have an axis of their own
    besides, of length ``sqrt(ridge)``, where no signal is.

    With weights w, from above 0 to inf, on both penalties, it is that of ``b = w c`` over the atoms divided by them.
    """
    from ...kernels.codes import lasso_codes, lasso_gaps
    from ...kernels.rows import sort_rows

    rows = np.ascontiguousarray(atoms, dtype=np.float64)
    n_atoms, n_features = rows.shape
    check_range(np.einsum("ij,ij->i", rows, rows), atoms, "atoms", "row")
    scale = np.ones(n_atoms) if weights is None else np.where(np.isinf(weights), 1.0, weights)
    if weights is not None:
        rows = np.where(np.isinf(weights)[:, None], 0.0, rows / scale[:, None])  # an atom of zeros is never used
        check_range(np.einsum("ij,ij->i", rows, rows), rows, "atoms over penalty_weights", "row")
    gram = gram_of(rows)
    gram[np.diag_indices(n_atoms)] += ridge / scale
    rank = n_atoms if ridge else min(n_atoms, n_features)
    dtype = np.float32 if signals.dtype == np.float32 else np.float64

    def block(start, stop):
        size = stop - start
        corr, sq_norms = correlations(rows, signals[start:stop], start)
        indptr = np.empty(size + 1, dtype=np.int64)
        indices, values = np.empty(size * n_atoms, dtype=np.int32), np.empty(size * n_atoms)
        filled = lasso_codes(gram, corr, sq_norms, alpha, positive, tol, max_iter, rank, indptr, indices, values)
        indices, values = indices[:filled].copy(), (values[:filled] / scale[indices[:filled]]).astype(dtype)
        sort_rows(indptr, indices, values)
        gaps, objectives = np.empty(size), np.empty(size)
        certified = values.astype(np.float64, copy=False) * scale[indices]
        lasso_gaps(gram, corr, sq_norms, alpha, positive, indptr, indices, certified, gaps, objectives)
        return LassoCodes(indptr, indices, values, gaps, objectives)

    return joined(map_blocks(block, signals.shape[0], BLOCK, n_jobs))


def correlations(rows, part, first):
    """``part @ rows.T`` from a product of exactly `BLOCK` rows, and the squared norms of `part`, in float64.

    `part` begins with the signal of number `first`, which an error about one names.
    """
    size = part.shape[0]
    if size < BLOCK:
        padded = np.zeros((BLOCK, rows.shape[1]))
        padded[:size] = part
    else:
        padded = np.ascontiguousarray(part, dtype=np.float64)
    sq_norms = np.einsum("ij,ij->i", padded, padded)[:size]
    check_range(sq_norms, part, "signals", "row", first)
    return (padded @ rows.T)[:size], sq_norms


def gram_of(rows):
    """Gram matrix of the atoms, the same bits however many threads BLAS has."""
    gram = np.empty((rows.shape[0], rows.shape[0]))

    def part(start, stop):
        np.matmul(rows[start:stop], rows.T, out=gram[start:stop])

    map_blocks(part, rows.shape[0], BLOCK, 1)
    return gram


def joined(parts):
    """Codes of consecutive blocks of signals as one: NamedTuples that begin with compressed rows, then numbers of each signal."""
    if len(parts) == 1:
        return parts[0]
    offsets = np.cumsum([0, *(part.indices.size for part in parts)])
    indptr = np.concatenate([[0], *(part.indptr[1:] + offset for part, offset in zip(parts, offsets, strict=False))])
    return type(parts[0])(indptr, *(np.concatenate(column) for column in list(zip(*parts, strict=True))[1:]))


def _validated(atoms, signals):
    atoms, signals = as_design(atoms, "atoms"), as_design(signals, "signals")
    for design, name in ((atoms, "atoms"), (signals, "signals")):
        if not isinstance(design, DenseDesign) or not design.is_numpy or np.dtype(design.dtype).kind == "c":
            raise ValueError(
                f"{name} must be a dense, real NumPy array; for other designs use lasso(A, y) or fista(A, y, ...)."
            )
    if atoms.shape[1] != signals.shape[1]:
        raise ValueError(
            f"signals has shape {signals.shape}, but atoms has shape {atoms.shape}: both need the same number of columns, "
            "one signal or atom a row."
        )
    return atoms.array, signals.array
