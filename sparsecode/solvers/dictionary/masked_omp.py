"""Sparse codes of signals with missing entries: orthogonal matching pursuit on what is observed of each.

minimise over codes   sum over observed entries of (signal - codes @ atoms)^2   with at most n_nonzero codes not zero
"""

from __future__ import annotations

import numpy as np

from ..._parallel import map_blocks
from ..._validation import as_count, as_design, check_range
from ...designs import DenseDesign
from ..greedy import SparseCodes
from ..greedy.batch import compiled_omp

__all__ = ["masked_omp", "measure_masked"]

_BLOCK = 128  # signals whose directions are held at a time
_NOISE = 1e-14  # of the norm of a signal: a correlation with a unit column below it is rounding error


def masked_omp(atoms, signals, *, n_nonzero, n_jobs=None) -> SparseCodes:
    """Code each signal by a few atoms, from its observed entries alone.

    An atom is as long as the part of it that is observed: selection divides by that length, and coefficients are the least
    squares fit to the observed entries. Complete signals go the faster way of `batch_omp`.

    Parameters
    ----------
    atoms : array of shape (n_atoms, n_features)
        The dictionary, one atom a row; atoms need not have unit norm.
    signals : array of shape (n_signals, n_features)
        What to code, one signal a row; NaN where an entry is missing.
    n_nonzero : int
        Atoms for each signal, at most.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows. The codes have the same bits for any number.

    Returns
    -------
    SparseCodes
        `indices`, `values`, `counts` and `sq_residuals` (over the observed entries). A signal without any has no code.

    Raises
    ------
    ValueError
        If shapes disagree, the atoms are not finite, or a signal is infinite somewhere.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.dictionary import masked_omp
    >>> atoms = np.array([[0.6, 0.8, 0.0], [0.0, 0.6, 0.8]])
    >>> codes = masked_omp(atoms, np.array([[3.0, 4.0, np.nan], [np.nan, 3.0, 4.0]]), n_nonzero=1)
    >>> codes.indices.tolist(), codes.values.round(6).tolist()
    ([[0], [1]], [[5.0], [5.0]])
    """
    atoms, signals = _validated(atoms, signals)
    n_nonzero = min(as_count(n_nonzero, "n_nonzero"), *atoms.shape)
    incomplete = np.isnan(signals).any(axis=1)
    if not incomplete.any():
        return compiled_omp(atoms, signals, n_nonzero=n_nonzero, n_jobs=n_jobs)
    codes = _pursued(atoms, signals[incomplete], n_nonzero, n_jobs)
    if incomplete.all():
        return codes
    complete = compiled_omp(atoms, signals[~incomplete], n_nonzero=n_nonzero, n_jobs=n_jobs)
    return SparseCodes(*(_merged(~incomplete, *parts) for parts in zip(complete, codes, strict=True)))


def _validated(atoms, signals):
    """Both as floating arrays of the precision of the signals; only signals may hold NaN."""
    atoms = as_design(atoms, "atoms")
    signals = as_design(signals, "signals", check_finite=False)
    for design, name in ((atoms, "atoms"), (signals, "signals")):
        if not isinstance(design, DenseDesign) or not design.is_numpy or design.dtype.kind != "f":
            raise ValueError(f"{name} must be a dense NumPy array of real numbers.")
    if atoms.shape[1] != signals.shape[1]:
        raise ValueError(
            f"signals has shape {signals.shape}, but atoms has shape {atoms.shape}: both need the same number of columns, "
            "one signal or atom a row."
        )
    if np.isinf(signals.array).any():
        raise ValueError("signals contains infinity; where an entry is missing it must be NaN.")
    return np.ascontiguousarray(atoms.array, dtype=signals.dtype), signals.array


def _merged(first, left, right):
    whole = np.empty((first.size, *left.shape[1:]), dtype=left.dtype)
    whole[first], whole[~first] = left, right
    return whole


def _pursued(atoms, signals, n_nonzero, n_jobs):
    from ...kernels.masked import masked_coefficients, masked_step

    n_signals = signals.shape[0]
    rows = np.ascontiguousarray(atoms, dtype=np.float64)
    squares = rows * rows
    atom_sq_norms = squares.sum(axis=1)
    indices, counts = np.full((n_signals, n_nonzero), -1, dtype=np.int32), np.zeros(n_signals, dtype=np.int32)
    values, sq_residuals = np.zeros((n_signals, n_nonzero)), np.empty(n_signals)

    def block(start, stop):
        part = np.array(signals[start:stop], dtype=np.float64)
        observed = (~np.isnan(part)).astype(np.float64)
        part[np.isnan(part)] = 0.0
        energy = np.einsum("ij,ij->i", part, part)
        check_range(energy, part.astype(signals.dtype), "signals", "row", start)
        sq_norms = observed @ squares.T
        size = (stop - start, n_nonzero)
        factors, projections = np.zeros((*size, n_nonzero)), np.zeros(size)
        found = (indices[start:stop], counts[start:stop], np.empty((*size, rows.shape[1])), factors, projections)
        for _ in range(n_nonzero):
            masked_step(rows, atom_sq_norms, observed, sq_norms, part @ rows.T, part, _NOISE**2 * energy, found)
        masked_coefficients(counts[start:stop], factors, projections, values[start:stop])
        np.einsum("ij,ij->i", part, part, out=sq_residuals[start:stop])

    map_blocks(block, n_signals, _BLOCK, n_jobs)
    return SparseCodes(indices, values.astype(signals.dtype), counts, sq_residuals)


def measure_masked(atoms, signals, codes, n_jobs=None):
    """Squared residuals, largest normalised correlation of a used atom with the residual, and norms of the signals.

    All over the observed entries, from the signals themselves, in float64.
    """
    rows = np.ascontiguousarray(atoms, dtype=np.float64)
    n_signals = signals.shape[0]
    sq_residuals, defects, sizes = (np.empty(n_signals) for _ in range(3))

    def block(start, stop):
        part = np.asarray(signals[start:stop], dtype=np.float64)
        observed = ~np.isnan(part)
        used = (
            rows[codes.indices[start:stop]] * observed[:, None, :]
        )  # (b, k, d); behind the last one any atom times zero
        part = np.where(observed, part, 0.0)
        values = codes.values[start:stop].astype(np.float64)
        residual = part - np.einsum("ik,ikf->if", values, used)
        norms = np.sqrt(np.einsum("ikf,ikf->ik", used, used))
        products = np.abs(np.einsum("if,ikf->ik", residual, used)) * (values != 0)
        shares = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        defects[start:stop] = shares.max(axis=1, initial=0.0)
        sq_residuals[start:stop] = np.einsum("if,if->i", residual, residual)
        sizes[start:stop] = np.sqrt(np.einsum("if,if->i", part, part))

    map_blocks(block, n_signals, _BLOCK, n_jobs)
    return sq_residuals, defects, sizes
