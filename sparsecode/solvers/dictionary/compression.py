"""Compression of a weight matrix: a dense dictionary times column-sparse codes that keep what comes out, not what is inside.

    minimise over D (m, K) and S (K, n)   ||X (W - D S)||_F    with at most s entries in each column of S

for weights W (m, n) and calibration inputs X (N, m). Only the Gram matrix of the inputs matters: with ``X^T X = L L^T`` it is
``||L^T W - (L^T D) S||_F``, dictionary learning of the columns of ``L^T W``. A truncated singular value decomposition of
``L^T W`` is the same problem with dense codes, one subspace for all columns; here each column has its own.

Shopkhoev, Makhov, Zaytsev, Konushin and Panov, "CoSpaDi: compressing LLMs via calibration-guided sparse dictionary
learning", 2025 (arXiv 2509.22075).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.utils import check_random_state

from ..._parallel import single_threaded_blas
from ..._validation import as_count, as_number
from ...result import OUT_OF_ITERATIONS, SolveResult, Status, announce
from ..greedy.batch import compiled_omp
from .alternating import AlternatingLearner, Codes
from .start import initial_atoms
from .statistics import codes_statistics, stationarity
from .storage import sizes_within, storage_of

__all__ = ["KSparseWeight", "k_sparse_compression", "output_error", "truncated_svd"]

_RIDGE = 1e-6  # of the mean variance of an input, added to the Gram matrix; ten times more while it is not definite,
_MOST_RIDGE = 1e-4  # up to this
_UNEVEN = 1e-6  # of the largest entry: what rounding may do to the symmetry of a Gram matrix
_BLOCK_BYTES = 1 << 24  # of the systems that are solved at a time


@dataclass(frozen=True, repr=False)
class KSparseWeight(SolveResult):
    """A compressed weight with its certificate.

    It has the attributes of `SolveResult`: `coef` is the dictionary (m, K), columns of norm one; `objective` is half the
    squared output error ``||X (W - D S)||^2`` with the small ridge on the Gram matrix; `certificate` says how far a sweep over the
    dictionary would move it, its codes held.

    Attributes
    ----------
    codes : csc_array of shape (K, n)
        The codes S: ``W`` is about ``coef @ codes``.
    storage : Storage
        What both take.
    output_error : float
        ``||X (W - D S)||_F / ||X W||_F`` without any ridge.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.dictionary import k_sparse_compression
    >>> weight = np.repeat(np.eye(4), 3, axis=1)
    >>> result = k_sparse_compression(weight, np.eye(4), n_atoms=4, n_nonzero=1, random_state=0)
    >>> round(result.output_error, 6), result.codes.nnz
    (0.0, 12)
    """

    codes: Any = None
    storage: Any = None
    output_error: float = 0.0


def k_sparse_compression(
    weight,
    gram,
    *,
    n_atoms=None,
    n_nonzero=None,
    rate=0.2,
    ratio=2.0,
    bits=16,
    init=None,
    max_iter=100,
    tol=2e-3,
    random_state=None,
    n_jobs=None,
) -> KSparseWeight:
    """Factor a weight into a dense dictionary and column-sparse codes with the least error of its outputs.

    The problem is ``minimise over D and S: ||X (W - D S)||_F`` with at most `n_nonzero` entries in each column of S. Codes by
    orthogonal matching pursuit and approximate K-SVD take turns; a column keeps its code where a new one is worse, so the
    error never rises.

    Parameters
    ----------
    weight : array of shape (m, n)
        W; outputs are ``X @ W``.
    gram : array of shape (m, m)
        ``X.T @ X`` of the calibration inputs, in double precision; that of several batches is the sum of theirs.
    n_atoms : int, optional
        Columns K of the dictionary; by default as many as `rate` allows.
    n_nonzero : int, optional
        Entries s of a column of the codes; by default ``K / ratio``.
    rate : float, default=0.2
        Share of the weight's bits that is to be saved.
    ratio : float, default=2.0
        K / s. With 1 the codes are dense, and the answer is the truncated singular value decomposition.
    bits : int, default=16
        Of a stored number; nothing is rounded here.
    init : array of shape (m, K), optional
        Dictionary to start from; by default leading singular vectors, and columns of the weight where those do not suffice.
    max_iter : int, default=100
        Passes.
    tol : float, default=2e-3
        Tolerance of the certificate.
    random_state : int, RandomState or None, default=None
        Which columns the start takes.
    n_jobs : int, optional
        Threads of the pursuit; the answer has the same bits for any number.

    Returns
    -------
    KSparseWeight
        Dictionary, codes, and what they take and lose.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, the inputs are zero or a parameter is out of range.

    References
    ----------
    Shopkhoev, Makhov, Zaytsev, Konushin and Panov, "CoSpaDi: compressing LLMs via calibration-guided sparse dictionary
    learning", 2025 (arXiv 2509.22075).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.dictionary import k_sparse_compression
    >>> rng = np.random.default_rng(0)
    >>> weight, inputs = rng.standard_normal((20, 60)), rng.standard_normal((500, 20))
    >>> result = k_sparse_compression(weight, inputs.T @ inputs, rate=0.3, random_state=0)
    >>> result.coef.shape, result.storage.rate >= 0.3, result.output_error < 0.6
    ((20, 15), True, True)
    """
    result = solve_compression(
        weight,
        gram,
        n_atoms=n_atoms,
        n_nonzero=n_nonzero,
        rate=rate,
        ratio=ratio,
        bits=bits,
        init=init,
        max_iter=max_iter,
        tol=tol,
        random_state=random_state,
        n_jobs=n_jobs,
    )
    announce(result)
    return result


def solve_compression(
    weight, gram, *, n_atoms, n_nonzero, rate, ratio, bits, init, max_iter, tol, random_state, n_jobs, codes=None
) -> KSparseWeight:
    """`k_sparse_compression` without its warning, from `codes` that belong to `init` where they are known."""
    weight, gram = _validated(weight, gram)
    max_iter, tol = as_count(max_iter, "max_iter"), as_number(tol, "tol")
    n_atoms, n_nonzero = sizes_within(weight.shape, n_atoms, n_nonzero, rate, ratio, as_count(bits, "bits"))
    root = _root(gram)
    signals = np.ascontiguousarray((root.T @ weight).T)  # one row for each column of the weight
    scale = float(np.max(np.abs(signals))) or 1.0
    signals /= scale
    if init is None:
        atoms = _start(signals, n_atoms, check_random_state(random_state))
    else:
        atoms = _given(init, (weight.shape[0], n_atoms)).T @ root
    learner = _learner(signals, atoms, n_nonzero)
    if codes is not None and np.max(np.diff(codes.indptr), initial=0) <= n_nonzero:
        learner.codes = _known(signals, learner.atoms, codes, np.linalg.norm(atoms, axis=1) / scale)
    history, found, certificate = _alternate(learner, max_iter, tol, n_jobs)
    dictionary, values = _back(root, learner.atoms, found, scale)
    matrix = sp.csc_array((values, found.indices, found.indptr), shape=(n_atoms, weight.shape[1]))
    return KSparseWeight(
        coef=dictionary,
        intercept=0.0,
        status=Status.CONVERGED if certificate <= tol else Status.MAX_ITER,
        n_iter=len(history["iteration"]),
        objective=float(np.sum(found.objective)) * scale**2,
        certificate=certificate,
        certificate_name="movement of the dictionary",
        tol=tol,
        history={**history, "objective": [value * scale**2 for value in history["objective"]]},
        reason="" if certificate <= tol else OUT_OF_ITERATIONS,
        codes=matrix,
        storage=storage_of(weight.shape, n_atoms, n_nonzero, bits),
        output_error=output_error(weight, dictionary @ matrix, gram),
    )


def truncated_svd(weight, gram, rank):
    """The two factors of that rank with the least error of the outputs: the best that dense codes can do.

    Parameters
    ----------
    weight : array of shape (m, n)
        W.
    gram : array of shape (m, m)
        ``X.T @ X`` of the calibration inputs.
    rank : int
        Columns of the left factor.

    Returns
    -------
    left : ndarray of shape (m, rank)
        The first factor.
    right : ndarray of shape (rank, n)
        The second one, with orthonormal rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.dictionary import truncated_svd
    >>> left, right = truncated_svd(np.diag([3.0, 2.0, 1.0]), np.eye(3), 2)
    >>> np.abs(left @ right).round(4)
    array([[3., 0., 0.],
           [0., 2., 0.],
           [0., 0., 0.]])
    """
    weight, gram = _validated(weight, gram)
    root = _root(gram)
    left, sizes, right = np.linalg.svd(root.T @ weight, full_matrices=False)
    return scipy.linalg.solve_triangular(root.T, left[:, :rank] * sizes[:rank]), right[:rank]


def output_error(weight, compressed, gram):
    """``||X (W - V)||_F / ||X W||_F`` from the Gram matrix of X; zero where all outputs are."""
    lost, size = weight - compressed, float(np.vdot(weight, gram @ weight))
    return math.sqrt(max(float(np.vdot(lost, gram @ lost)), 0.0) / size) if size > 0 else 0.0


# ---------------------------------------------------------------- what is asked


def _validated(weight, gram):
    for values, name in ((weight, "weight"), (gram, "gram")):
        if np.iscomplexobj(values):
            raise ValueError(
                f"{name} is complex, but only real weights are compressed; stack its real and imaginary parts."
            )
    weight, gram = (np.asarray(values, dtype=np.float64) for values in (weight, gram))
    if weight.ndim != 2 or 0 in weight.shape:
        raise ValueError(f"weight has shape {weight.shape}; it must be a matrix (n_features, n_outputs).")
    if gram.shape != (weight.shape[0],) * 2:
        raise ValueError(
            f"gram has shape {gram.shape}, but weight has shape {weight.shape}: inputs have as many features as the weight rows, "
            f"so gram must have shape ({weight.shape[0]}, {weight.shape[0]})."
        )
    for values, name in ((weight, "weight"), (gram, "gram")):
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{name} contains NaN or infinity; remove or impute those entries before fitting.")
    if not np.trace(gram) > 0:
        raise ValueError("the calibration inputs are zero everywhere: nothing says which errors of the weight matter.")
    if np.max(np.abs(gram - gram.T)) > _UNEVEN * np.max(np.abs(gram)):
        raise ValueError("gram is not symmetric; it must be X.T @ X.")
    return weight, 0.5 * (gram + gram.T)


def _root(gram):
    """Lower Cholesky factor of the Gram matrix with a ridge, the smallest power of ten that makes it definite."""
    ridge = _RIDGE * float(np.trace(gram)) / gram.shape[0]
    while True:
        try:
            with single_threaded_blas():
                return np.linalg.cholesky(gram + ridge * np.eye(gram.shape[0]))
        except np.linalg.LinAlgError:
            ridge *= 10.0
            if not ridge * gram.shape[0] <= 1.01 * _MOST_RIDGE * float(np.trace(gram)):
                raise ValueError("gram is not positive semidefinite; it must be X.T @ X.") from None


# ---------------------------------------------------------------- the factorisation


class _Pursuit:
    """Codes of s entries, for `AlternatingLearner`."""

    strengths = (0.0, 0.0)
    comparable = True

    def __init__(self, n_nonzero):
        self.n_nonzero = n_nonzero

    def code(self, atoms, signals, n_jobs=None):
        """Codes in compressed rows."""
        from ...kernels.rows import pack_codes

        padded = compiled_omp(atoms, signals, n_nonzero=self.n_nonzero, n_jobs=n_jobs)
        filled = int(np.sum(padded.counts))
        indptr, indices, values = (
            np.empty(padded.counts.size + 1, dtype=np.int64),
            np.empty(filled, np.int32),
            np.empty(filled),
        )
        pack_codes(padded.indices, padded.values, padded.counts, indptr, indices, values)
        residual = signals - sp.csr_array((values, indices, indptr), shape=(signals.shape[0], atoms.shape[0])) @ atoms
        objective = 0.5 * np.einsum("ij,ij->i", residual, residual)
        return Codes(indptr, indices, values, None, objective, np.zeros(signals.shape[0]))


def _start(signals, n_atoms, random):
    """Leading singular vectors, then columns of the weight."""
    with single_threaded_blas():
        _, sizes, right = np.linalg.svd(signals, full_matrices=False)
    leading = right[: min(n_atoms, int(np.sum(sizes > 1e-12 * sizes[0])) or 1)]
    if leading.shape[0] == n_atoms:
        return leading
    return np.vstack([leading, initial_atoms(signals, n_atoms - leading.shape[0], random)])


def _given(init, shape):
    init = np.asarray(init, dtype=np.float64)
    if init.shape != shape:
        raise ValueError(f"init has shape {init.shape}, but the dictionary has shape {shape}.")
    return init


def _learner(signals, atoms, n_nonzero):
    return AlternatingLearner(
        signals,
        atoms,
        _Pursuit(n_nonzero),
        method="aksvd",
        positive_code=False,
        positive_dict=False,
        replace_dead=True,
        max_coherence=None,
    )


def _known(signals, atoms, codes, norms):
    """Codes (K, n) of a dictionary whose columns now have those norms, as `AlternatingLearner` holds them, the best on their supports."""
    values, zeros = codes.data.astype(np.float64) * norms[codes.indices], np.zeros(signals.shape[0])
    known = Codes(codes.indptr.astype(np.int64), codes.indices, values, zeros, zeros, zeros)
    residual = signals - known.matrix(atoms.shape[0]) @ atoms
    return _refitted(signals, atoms, known._replace(objective=0.5 * np.einsum("ij,ij->i", residual, residual)))


def _alternate(learner, max_iter, tol, n_jobs):
    """Passes until the atoms are stationary for the codes that are best on their supports; history, those codes, certificate."""
    history: dict[str, list] = {"iteration": [], "objective": [], "certificate": []}
    for iteration in range(1, max_iter + 1):
        done = learner.one_pass(n_jobs)
        entries = (iteration, done.objective * learner.signals.shape[0], done.certificate)
        for name, value in zip(history, entries, strict=True):
            history[name].append(value)
        if done.certificate <= tol or iteration == max_iter:
            codes = _refitted(learner.signals, learner.atoms, learner.codes)
            certificate = stationarity(learner.atoms, codes_statistics(learner.signals, learner.atoms.shape[0], codes))
            if certificate <= tol:
                break
    return history, codes, certificate


def _refitted(signals, atoms, codes):
    """The least-squares codes on the supports as they are."""
    values, counts = codes.values.copy(), np.diff(codes.indptr)
    most = int(np.max(counts, initial=0))
    if most == 0:
        return codes
    gram, targets = atoms @ atoms.T, signals @ atoms.T
    block = max(1, _BLOCK_BYTES // (8 * most**2))
    for start in range(0, counts.size, block):
        rows = slice(start, start + block)
        used = np.arange(most) < counts[rows, None]
        places = np.minimum(codes.indptr[:-1][rows, None] + np.arange(most), codes.indices.size - 1)
        chosen = codes.indices[places]
        both = used[:, :, None] & used[:, None, :]
        systems = np.where(both, gram[chosen[:, :, None], chosen[:, None, :]], np.eye(most))
        right = np.where(used, np.take_along_axis(targets[rows], chosen, axis=1), 0.0)
        try:
            solved = np.linalg.solve(systems, right[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:  # atoms that became dependent: these codes stay
            continue
        values[places[used]] = solved[used]
    residual = signals - codes._replace(values=values).matrix(atoms.shape[0]) @ atoms
    objective = 0.5 * np.einsum("ij,ij->i", residual, residual)
    worse = ~(objective <= codes.objective)
    values = np.where(worse[codes.rows()], codes.values, values)
    return codes._replace(values=values, objective=np.where(worse, codes.objective, objective))


def _back(root, atoms, codes, scale):
    """Dictionary of the weight, columns of norm one, and the values of its codes."""
    dictionary = scipy.linalg.solve_triangular(root.T, atoms.T, lower=False)
    norms = np.linalg.norm(dictionary, axis=0)
    norms = np.where(norms > 0, norms, 1.0)
    return dictionary / norms, codes.values * norms[codes.indices] * scale
