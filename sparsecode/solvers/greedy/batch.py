"""Sparse codes of many signals over one dictionary, by OMP or OLS on its Gram matrix.

    minimise over codes   ||signal - codes @ atoms||**2   with at most n_nonzero codes that are not zero

for each signal alone. Work goes through fixed blocks of signals: one matrix product for their correlations, then the
compiled pursuit, block after block on a pool of threads, so the bits depend neither on the threads nor on the chunks.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..._array import array_namespace, as_double, asarray_like, dagger, device, is_numpy, real_like, sq_norm, to_numpy
from ..._parallel import map_blocks, n_threads
from ..._validation import as_count, as_design, check_range
from ...designs import DenseDesign
from .array_pursuit import array_pursuit, make_dictionary
from .kernel_pursuit import KernelPursuit
from .rules import BLOCK, block_products, is_small, make_settings, np_dtype, power_of_two

__all__ = ["SparseCodes", "batch_omp", "codes_to_csr", "compiled_omp", "iter_batch_omp"]

_CHUNK_BYTES = 1 << 22  # codes held at a time where the caller takes them chunk by chunk
_TAME = 10  # atoms of norm 2^-10 to 2^10 are left as they are
_PIECE_BYTES = 1 << 28  # directions b_q of all signals of a piece, on the array-API path


class SparseCodes(NamedTuple):
    """Codes of P signals, at most k atoms each.

    Attributes
    ----------
    indices : int32 array of shape (P, k)
        The atoms in the order of their selection; -1 behind the last one.
    values : array of shape (P, k)
        Their coefficients, in the precision of the input; 0 behind the last one.
    counts : int32 array of shape (P,)
        How many atoms each signal uses.
    sq_residuals : float64 array of shape (P,)
        Squared norms of the residuals. Below about ``100 eps ||signal||^2`` only the order of magnitude is known, unless a
        residual tolerance that fine was asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.greedy import batch_omp
    >>> codes = batch_omp(np.eye(3), np.array([[0.0, 2.0, 1.0]]), n_nonzero=1)
    >>> codes.indices.tolist(), codes.values.tolist(), codes.sq_residuals.tolist()
    ([[1]], [[2.0]], [1.0])
    """

    indices: Any
    values: Any
    counts: Any
    sq_residuals: Any


def batch_omp(
    atoms, signals, *, n_nonzero=None, tol=None, atol=None, selection="omp", positive=False, n_jobs=None, chunk=None
) -> SparseCodes:
    """Code each signal by a few atoms: greedily minimise ``||signal - sum_q values[q] atoms[indices[q]]||``.

    Parameters
    ----------
    atoms : array of shape (n_atoms, n_features)
        The dictionary, one atom a row; atoms need not have unit norm. Any array namespace.
    signals : array of shape (n_signals, n_features)
        What to code, one signal a row.
    n_nonzero : int, optional
        Atoms for each signal; without it a tolerance must be given.
    tol : float, optional
        A signal is done when its residual norm is at most `tol` times its norm.
    atol : float, optional
        A signal is done when its residual norm is at most `atol`; with `tol`, whichever is met first.
    selection : {"omp", "ols"}, default="omp"
        "omp" selects the atom with the largest correlation with the residual, "ols" the one whose addition lowers the
        least-squares residual most (better codes for coherent dictionaries, about a third slower).
    positive : bool, default=False
        Whether all values must be positive. Only atoms with positive correlation are tried, in the order of their score, and one
        is taken only if the least-squares values on the enlarged support are all positive: a heuristic, whose result is the
        least-squares fit on its support.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows. The codes have the same bits for any number.
    chunk : int, optional
        Signals coded at a time; changes memory, never bits.

    Returns
    -------
    SparseCodes
        `indices`, `values`, `counts` and `sq_residuals`. Signals that no further atom can improve stop early.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or nothing says when to stop.

    See Also
    --------
    iter_batch_omp : the same, chunk by chunk.
    codes_to_csr : codes as a sparse matrix (n_signals, n_atoms).

    References
    ----------
    Rubinstein, Zibulevsky and Elad, "Efficient implementation of the K-SVD algorithm using batch orthogonal matching
    pursuit", 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.greedy import batch_omp
    >>> atoms = np.array([[1.0, 0.0], [0.6, 0.8]])
    >>> codes = batch_omp(atoms, np.array([[2.2, 1.6]]), n_nonzero=2)
    >>> codes.indices.tolist(), np.round(codes.values, 6).tolist()
    ([[1, 0]], [[2.0, 1.0]])
    """
    n_threads(n_jobs)  # complains before anything is computed
    return _whole(_plan(atoms, signals, n_nonzero, tol, atol, selection, positive), chunk, n_jobs)


def _whole(plan, chunk, n_jobs):
    """The codes of all chunks."""
    coder, signals, settings = plan
    chunk = signals.shape[0] if chunk is None else chunk
    chunks = list(_chunks(coder, signals, _chunk_size(chunk, settings), n_jobs))
    if len(chunks) == 1:
        return chunks[0]
    xp = array_namespace(chunks[0].values)
    return SparseCodes(*(xp.concat(parts, axis=0) for parts in zip(*chunks, strict=True)))


def iter_batch_omp(
    atoms, signals, *, n_nonzero=None, tol=None, atol=None, selection="omp", positive=False, n_jobs=None, chunk=None
):
    """Code signals as `batch_omp` does, yielding the codes of consecutive chunks: memory does not grow with the signals.

    Parameters
    ----------
    atoms, signals, n_nonzero, tol, atol, selection, positive, n_jobs
        As for `batch_omp`.
    chunk : int, optional
        Signals in each chunk, rounded up to a multiple of 256; by default what fits in 4 MiB of codes.

    Yields
    ------
    SparseCodes
        The codes of the next signals, in order.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.greedy import iter_batch_omp
    >>> [codes.counts.size for codes in iter_batch_omp(np.eye(2), np.ones((600, 2)), n_nonzero=1, chunk=512)]
    [512, 88]
    """
    n_threads(n_jobs)  # complains before anything is computed
    coder, signals, settings = _plan(atoms, signals, n_nonzero, tol, atol, selection, positive)
    return _chunks(coder, signals, _chunk_size(chunk, settings), n_jobs)


def compiled_omp(
    atoms, signals, *, n_nonzero=None, tol=None, atol=None, selection="omp", positive=False, n_jobs=None
) -> SparseCodes:
    """`batch_omp` by the kernel however few signals there are, for callers that come back with the next batch."""
    return _whole(_plan(atoms, signals, n_nonzero, tol, atol, selection, positive, repeated=True), None, n_jobs)


def _plan(atoms, signals, n_nonzero, tol, atol, selection, positive, repeated=False):
    """How to code a chunk, the signals, and the settings."""
    atoms, signals = _validated(atoms, signals)
    sq_norms = to_numpy(sq_norm(atoms.T))
    check_range(sq_norms, atoms, "atoms", "row")
    scale = power_of_two(
        sq_norms
    )  # very long or short atoms are rescaled: the Gram matrix stays in single precision's range
    scale[np.abs(np.log2(scale)) <= _TAME] = 1.0
    n_atoms, dim = atoms.shape
    settings = make_settings(n_nonzero, tol, atol, selection, positive, shape=(dim, n_atoms), dtype=np_dtype(signals))
    small = not repeated and is_small(signals.shape[0], n_atoms, settings.n_nonzero)
    coder = _compiled if is_numpy(signals) and not small else _array_coder
    wide = as_double(atoms)
    unit = array_namespace(atoms).astype(wide * asarray_like(scale[:, None], wide, dtype=wide.dtype), atoms.dtype)
    coder = coder(unit, sq_norms * scale**2, settings)
    return _rescaled(coder, scale), signals, settings


def _rescaled(coder, scale):
    """The coder for atoms that were multiplied by powers of two, with values for the atoms as they were."""
    if np.all(scale == 1.0):
        return coder

    def code(signals, first, n_jobs):
        indices, values, counts, sq_residuals = coder(signals, first, n_jobs)
        if is_numpy(values):
            values *= scale.astype(values.real.dtype)[indices]
        else:
            xp = array_namespace(values)
            factor = real_like(scale, values)
            used = xp.astype(xp.where(indices < 0, xp.zeros_like(indices), indices), xp.int64)
            values = values * xp.reshape(xp.take(factor, xp.reshape(used, (-1,))), used.shape)
        return indices, values, counts, sq_residuals

    return code


def _chunk_size(chunk, settings):
    """A multiple of the block; by default what fits in `_CHUNK_BYTES` of codes."""
    width = settings.n_nonzero * (4 + 8) + 12
    chunk = max(1, _CHUNK_BYTES // width) if chunk is None else as_count(chunk, "chunk")
    return -(-chunk // BLOCK) * BLOCK


def _chunks(coder, signals, chunk, n_jobs):
    for part in _slices(signals.shape[0], chunk):
        yield SparseCodes(*coder(signals[part, ...], part.start, n_jobs))


def _slices(n_items, size):
    return [slice(start, min(start + size, n_items)) for start in range(0, n_items, size)]


def _compiled(atoms, sq_norms, settings):
    """Coder of a chunk by the kernel: correlations by one product for each fixed block of signals."""
    from ...kernels.greedy import row_sq_norms

    atoms = np.ascontiguousarray(atoms)
    adjoint = np.ascontiguousarray(atoms.conj().T)
    n_atoms = atoms.shape[0]
    gram = np.empty((n_atoms, n_atoms), dtype=atoms.dtype)

    def gram_rows(start, stop):
        np.matmul(atoms[start:stop], adjoint, out=gram[start:stop])

    map_blocks(gram_rows, n_atoms, BLOCK)
    pursuit = KernelPursuit(gram, sq_norms, settings, rows=atoms)

    def code(signals, first, n_jobs):
        def block(start, stop, correlations):
            part = np.ascontiguousarray(signals[start:stop])
            if not part.flags.writeable:  # which the compiler would take for another type
                part = part.copy()
            row_sq_norms(part, target_sq[start:stop])
            if stop - start < BLOCK:
                padded = np.zeros((BLOCK, part.shape[1]), dtype=part.dtype)
                padded[: stop - start] = part
                part = padded
            np.matmul(part, adjoint, out=correlations)
            return part, target_sq[start:stop]

        target_sq = np.empty(signals.shape[0])
        codes = pursuit.code(signals.shape[0], block, n_jobs)
        check_range(target_sq, signals, "signals", "row", first)
        return codes

    return code


def _array_coder(atoms, sq_norms, settings):
    """Coder of a chunk by the array-API pursuit, in pieces whose directions fit in memory."""
    xp = array_namespace(atoms)
    adjoint = dagger(atoms)
    gram = atoms @ adjoint
    dictionary = make_dictionary(lambda j: xp.take(gram, j, axis=0), sq_norms, atoms, rows=atoms)
    piece = max(BLOCK, _PIECE_BYTES // (16 * atoms.shape[0] * settings.n_nonzero) // BLOCK * BLOCK)

    def code(signals, first, n_jobs):
        parts = [_one_piece(signals[part, ...], first + part.start) for part in _slices(signals.shape[0], piece)]
        joined = parts[0] if len(parts) == 1 else tuple(xp.concat(part, axis=0) for part in zip(*parts, strict=True))
        return tuple(array[: signals.shape[0], ...] for array in joined)  # only the last piece was filled up

    def _one_piece(part, first):
        missing = -part.shape[0] % BLOCK
        if missing:
            filler = xp.zeros((missing, part.shape[1]), dtype=part.dtype, device=device(part))
            part = xp.concat([part, filler], axis=0)
        with np.errstate(over="ignore"):
            target_sq = to_numpy(sq_norm(part.T))
        check_range(target_sq, part, "signals", "row", first)
        scale = power_of_two(target_sq)
        limits = asarray_like(settings.limits(target_sq * scale**2, scale), part, dtype=xp.float64)
        scale_here = asarray_like(scale, part, dtype=dictionary.sq_norms.dtype)
        part = part * scale_here[:, None]
        scaled_sq = asarray_like(target_sq * scale**2, part, dtype=xp.float64)
        indices, values, counts, sq_residuals = array_pursuit(
            dictionary, settings, block_products(part, adjoint), scaled_sq, limits, signals=part
        )
        return (
            indices,
            values / scale_here[:, None],
            counts,
            sq_residuals / asarray_like(scale**2, part, dtype=xp.float64),
        )

    return code


def _validated(atoms, signals):
    """Atoms and signals as floating arrays of one namespace and dtype."""
    atoms = as_design(atoms, "atoms")
    signals = as_design(signals, "signals")
    for design, name in ((atoms, "atoms"), (signals, "signals")):
        if not isinstance(design, DenseDesign):
            raise ValueError(f"{name} must be a dense array; for other designs use omp(A, y).")
    if atoms.xp.__name__ != signals.xp.__name__:
        raise ValueError(
            "atoms and signals live in different array namespaces; convert one so that both are of the same kind."
        )
    if atoms.shape[1] != signals.shape[1]:
        raise ValueError(
            f"signals has shape {signals.shape}, but atoms has shape {atoms.shape}: both need the same number of columns, "
            "one signal or atom a row."
        )
    xp = atoms.xp
    dtype = xp.result_type(atoms.dtype, signals.dtype)
    return xp.astype(atoms.array, dtype, copy=False), xp.astype(signals.array, dtype, copy=False)


def codes_to_csr(codes, n_atoms, *, dtype=None):
    """Codes as a CSR array of shape (n_signals, n_atoms) with sorted columns.

    Parameters
    ----------
    codes : SparseCodes, or an iterable of them
        Chunks are appended as they come: the peak of memory is the result and one chunk.
    n_atoms : int
        Columns of the result.
    dtype : dtype, optional
        Type of the values; that of the codes by default.

    Returns
    -------
    scipy.sparse.csr_array
        Row i holds the code of signal i.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.greedy import batch_omp, codes_to_csr
    >>> codes_to_csr(batch_omp(np.eye(3), np.array([[0.0, 2.0, 1.0]]), n_nonzero=2), 3).toarray()
    array([[0., 2., 1.]])
    """
    chunks = [codes] if isinstance(codes, SparseCodes) else codes
    indices: Any = None
    values: Any = None
    parts, filled = [], 0
    for part in chunks:
        part_indices, part_values = _sorted_entries(part, n_atoms)
        if indices is None:
            indices = np.empty(0, dtype=np.int32)
            values = np.empty(0, dtype=dtype or part_values.dtype)
        indices = _append(indices, part_indices, filled)
        values = _append(values, part_values, filled)
        filled += part_indices.size
        parts.append(np.asarray(to_numpy(part.counts)))
    if indices is None:
        raise ValueError("codes is an empty iterable; there is nothing to put into a matrix.")
    indices.resize(filled, refcheck=False)
    values.resize(filled, refcheck=False)
    counts = np.concatenate(parts)
    index_dtype = np.int32 if filled < np.iinfo(np.int32).max else np.int64
    indptr = np.zeros(counts.size + 1, dtype=index_dtype)
    np.cumsum(counts, out=indptr[1:])
    return sp.csr_array((values, indices.astype(index_dtype, copy=False), indptr), shape=(counts.size, n_atoms))


def _sorted_entries(codes, n_atoms):
    """Columns and values of a chunk, row after row, columns ascending."""
    indices, values = to_numpy(codes.indices), to_numpy(codes.values)
    order = np.argsort(np.where(indices < 0, n_atoms, indices), axis=1)
    indices = np.take_along_axis(indices, order, axis=1)
    used = indices >= 0
    return indices[used], np.take_along_axis(values, order, axis=1)[used]


def _append(buffer, part, filled):
    """`part` written behind the `filled` first entries; the buffer grows by reallocation, which moves no large block."""
    if filled + part.size > buffer.size:
        buffer.resize(max(filled + part.size, buffer.size + buffer.size // 8), refcheck=False)
    buffer[filled : filled + part.size] = part
    return buffer
