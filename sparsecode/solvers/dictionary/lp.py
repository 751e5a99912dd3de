"""Complete dictionaries by maximising an lp norm, p > 2: the generalised power method.

    maximise over A (m, r) with orthonormal rows    mean over signals x of  sum_j |<x P, a_j>|^p

where P turns the signals into white ones (for an orthogonal dictionary it is a number). The function is convex, so it
lies above its linear approximation, whose maximiser over the matrices with orthonormal rows is known: for
``G = (|Z|^(p-2) Z)^H X P`` with ``Z = X P A^H`` it is the polar factor ``U V^H`` of ``G = U S V^H``. Taking that as
the next A never lowers the objective and needs no step size; with p = 4 it is "matching, stretching and projection",
with m = 1 the power method on the sphere.

Zhai, Yang, Liao, Wright and Ma, "Complete dictionary learning via l4-norm maximization over the orthogonal group", 2019
(arXiv 1906.02435). Shen, Xue, Zhang, Letaief and Lau, "Complete dictionary learning via lp-norm maximization", 2020
(arXiv 2002.10043).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from ..._array import (
    array_namespace,
    asarray_like,
    attainable,
    conj,
    dagger,
    is_complex,
    is_single,
    real_part,
    sq_norm,
    to_numpy,
)
from ..._parallel import single_threaded_blas
from ..._validation import as_count, as_design, as_number, check_range
from ...designs import DenseDesign
from ...result import SolveResult, Status, announce
from ..certificates import Certificate
from ..driver import State, drive
from .row_sums import second_moments, summed_over_rows

__all__ = ["LpDictionary", "lp_dictionary"]

# double, single: share of the largest variance below which a direction is empty
_DEPENDENT = {False: 1e-10, True: 1e-6}
_SINGLE_TOL = 1e-5
_TURN, _TRIED = 1e-3, 4  # how far a stationary start is turned, and for how many iterations


@dataclass(frozen=True, repr=False)
class LpDictionary(SolveResult):
    """A complete dictionary with its certificate.

    It has the attributes of `SolveResult`: `coef` holds the atoms, (n_atoms, n_features), of norm one; `objective` is the
    mean over the signals of the sum of the p-th powers, which is *maximised*; `certificate` is the distance of the orthonormal
    matrix from the polar factor of its own gradient, over the square root of the number of atoms: zero at a maximum, or a saddle.

    Attributes
    ----------
    filters : array of shape (n_features, n_atoms)
        What turns signals into codes: ``codes = X @ filters``, and ``X = codes @ coef`` where there are as many atoms as the
        signals have dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.dictionary import lp_dictionary
    >>> X = np.vstack([np.eye(3), -np.eye(3)])
    >>> result = lp_dictionary(X, random_state=0)
    >>> bool(np.allclose(X @ result.filters @ result.coef, X))
    True
    """

    filters: Any = None


def lp_dictionary(
    X,
    p=3,
    *,
    n_atoms=None,
    orthogonal=False,
    noise_variance=0.0,
    init=None,
    max_iter=200,
    tol=1e-8,
    random_state=None,
    callback=None,
    n_jobs=None,
) -> LpDictionary:
    """Find the atoms of a complete dictionary, ``X = codes @ atoms``, whose codes are sparse, by maximising an lp norm.

    The problem is ``maximise over A with orthonormal rows: sum |X P A^H|^p``, with P from the covariance of the signals so
    that ``X P`` is white. Among variables of equal variance the sum of p-th powers, p > 2, is largest for those that are
    mostly near zero and seldom large. Each iteration costs two matrix products with X and a small singular value
    decomposition; the objective never falls.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Signals, one a row, of mean zero (nothing is subtracted); real or complex, of any array namespace. It is read in
        blocks, and no array of its size is made.
    p : float, default=3
        The power, greater than 2. 3 needs the fewest signals and bears the most noise; whole numbers are fastest.
    n_atoms : int, optional
        Atoms to find; by default as many as the signals have dimensions. With fewer, the others are never computed; 1 is
        the power method on the sphere.
    orthogonal : bool, default=False
        Whether the dictionary is known to be orthogonal. Then the signals are not whitened, which is more accurate.
    noise_variance : float, default=0.0
        Variance of white noise in each entry of X, in squared units of X; it is subtracted from the covariance.
    init : array of shape (n_atoms, n_features), optional
        Atoms to start from, independent of each other; by default a random orthonormal matrix. Stationary ones are left where some
        iterations from atoms turned by a thousandth lead higher: they were a saddle, or a minimum.
    max_iter : int, default=200
        Iterations; some 30 are usual.
    tol : float, default=1e-8
        Tolerance of the certificate; in single precision no less than 1e-5.
    random_state : int, RandomState or None, default=None
        What the start is drawn from.
    callback : callable, optional
        Called with a `Progress` after each iteration (its `coef` is A); return True to stop.
    n_jobs : int, optional
        Threads, for NumPy arrays; by default as many as OMP_NUM_THREADS allows. The bits are the same for any number.

    Returns
    -------
    LpDictionary
        Atoms of norm one in `coef`, and `filters` that turn signals into codes.

    Raises
    ------
    ValueError
        If the data are not finite or zero, a parameter is out of range, or atoms are more than the dimensions, or dependent.

    Notes
    -----
    Atoms are determined up to order and sign (complex ones: phase), and found where the codes have more weight in their
    tails than a Gaussian, equal variance, and mean zero. Tails of another origin mislead every p: one entry in a thousand
    with twenty times the usual noise is enough, and more so for large p. Clip such data first, entries or whole signals::

        size = np.median(np.abs(X[X != 0])) / 0.6745
        X = np.clip(X, -5 * size, 5 * size)

    References
    ----------
    Shen, Xue, Zhang, Letaief and Lau, "Complete dictionary learning via lp-norm maximization", 2020 (arXiv 2002.10043).
    Zhai, Yang, Liao, Wright and Ma, "Complete dictionary learning via l4-norm maximization over the orthogonal group", 2019
    (arXiv 1906.02435).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.dictionary import lp_dictionary
    >>> rng = np.random.default_rng(0)
    >>> atoms = np.array([[1.0, 0.0], [0.6, 0.8]])
    >>> X = rng.standard_normal((5000, 2)) * (rng.random((5000, 2)) < 0.2) @ atoms
    >>> np.round(np.max(np.abs(lp_dictionary(X, random_state=0).coef @ atoms.T), axis=0), 2)
    array([1., 1.])
    """
    result = solve_lp(
        X,
        p,
        n_atoms=n_atoms,
        orthogonal=orthogonal,
        noise_variance=noise_variance,
        init=init,
        max_iter=max_iter,
        tol=tol,
        random_state=random_state,
        callback=callback,
        n_jobs=n_jobs,
    )
    announce(result)
    return result


def solve_lp(
    X,
    p,
    *,
    n_atoms,
    orthogonal,
    noise_variance,
    init,
    max_iter,
    tol,
    random_state,
    callback,
    n_jobs,
    atoms_name="n_atoms",
    init_name="init",
):
    """`lp_dictionary` without its warning, for callers that have other names for some arguments."""
    X = dense_array(X, "X")
    samples = _Samples(X, as_number(p, "p", minimum=2.0, strict=True), n_jobs)
    noise_variance = as_number(noise_variance, "noise_variance")
    if orthogonal and noise_variance:
        raise ValueError("noise_variance has no meaning where orthogonal=True: nothing is whitened; leave it 0.")
    max_iter, tol = as_count(max_iter, "max_iter"), as_number(tol, "tol")
    whitener = _whitener(samples, orthogonal, noise_variance)
    rank = whitener.into.shape[1]
    n_atoms = rank if n_atoms is None else as_count(n_atoms, atoms_name)
    if n_atoms > rank:
        raise ValueError(
            f"{atoms_name} is {n_atoms}, but the signals span only {rank} of {X.shape[1]} dimensions, and a complete "
            "dictionary has no more atoms; give fewer, or use a dictionary learner for overcomplete dictionaries."
        )
    start = _start(whitener, n_atoms, init, init_name, random_state)
    tol = attainable(tol, samples.X, _SINGLE_TOL)
    if init is not None:
        start = _unstuck(samples, whitener, start, tol, random_state)
    result = drive(
        _steps(start),
        lambda A: _certificate(samples, whitener, A),
        max_iter=max_iter,
        tol=tol,
        callback=callback,
    )
    if is_single(samples.X):
        result = _proved_in_double(result, samples, whitener)
    return _with_atoms(result, samples, whitener)


def dense_array(values, name):
    """A floating array of two axes, of any namespace, real or complex, or an error that names it."""
    design = as_design(values, name)
    if not isinstance(design, DenseDesign):
        raise ValueError(f"{name} must be a dense array; call .toarray() on a sparse matrix.")
    return design.array


class _Samples(NamedTuple):
    """The signals, and the power."""

    X: Any  # (N, n)
    p: float
    n_jobs: int | None

    def gradient(self, filters, double=False):
        """``(|Z|^(p-2) Z)^H X / N`` in double precision for ``Z = X filters``, which is never held as a whole."""
        dtype = filters.dtype if double else self.X.dtype
        filters = array_namespace(filters).astype(filters, dtype, copy=False)

        def product(part):
            with np.errstate(over="ignore", invalid="ignore"):  # what leaves the range ends with a status
                return dagger(_powered(part @ filters, self.p)) @ part

        total = summed_over_rows(product, self.X, filters.shape[1], double=double, n_jobs=self.n_jobs)
        return total / self.X.shape[0]


def _powered(Z, p):
    """``|Z|^(p-2) Z``, by products where p is a whole number; Z may be overwritten."""
    xp = array_namespace(Z)
    whole, rest = divmod(p - 2.0, 1.0)
    size = xp.abs(Z)
    power = None
    if whole:
        power = size * size if whole > 1 else size
        for _ in range(int(whole) - 2):
            power *= size
    if rest:
        root = xp.sqrt(size) if rest == 0.5 else size**rest
        power = root if power is None else power * root
    Z *= power
    return Z


class _Whitener(NamedTuple):
    """The way into the space where atoms are orthonormal, and back."""

    into: Any  # (n, r), float64
    back: Any  # (r, n): signals are (signals @ into) @ back

    def filters(self, A):
        """``P A^H``, which takes signals to codes."""
        return self.into @ dagger(A)


def _whitener(samples, orthogonal, noise_variance):
    X = samples.X
    xp = array_namespace(X)
    covariance = second_moments(X, samples.n_jobs) / X.shape[0]
    energies = to_numpy(real_part(xp.linalg.diagonal(covariance))).astype(np.float64)
    check_range(energies, X.T, "X", "column")
    with single_threaded_blas():
        variances, vectors = xp.linalg.eigh(covariance)
    variances = to_numpy(variances) - noise_variance
    if not variances[-1] > 0:
        cause = (
            "are zero everywhere"
            if not noise_variance
            else f"have no variance beyond noise_variance={noise_variance:g}"
        )
        raise ValueError(f"X holds nothing to learn from: its signals {cause}.")
    kept = np.flatnonzero(variances > _DEPENDENT[is_single(X)] * variances[-1])
    if orthogonal:
        if kept.size < X.shape[1]:
            raise ValueError(
                f"orthogonal=True needs signals that span all {X.shape[1]} dimensions; those of X span {kept.size}. Leave it "
                "False, which learns a dictionary of the space that they span."
            )
        size = float(np.sqrt(np.mean(variances)))
        identity = asarray_like(np.eye(X.shape[1]), covariance, dtype=covariance.dtype)
        return _Whitener(identity / size, identity * size)
    vectors = vectors[:, int(kept[0]) :]
    roots = asarray_like(np.sqrt(variances[kept]), vectors, dtype=vectors.dtype)
    return _Whitener(vectors / roots, roots[:, None] * dagger(vectors))


def _polar(matrix):
    """The nearest matrix with orthonormal rows."""
    with single_threaded_blas():
        left, _, right = array_namespace(matrix).linalg.svd(matrix, full_matrices=False)
    return left @ right


def _start(whitener, n_atoms, init, name, random_state):
    """Atoms that were given, in the white space, or a random orthonormal matrix."""
    n_features, rank = whitener.into.shape
    if init is None:
        random = check_random_state(random_state)
        start = random.standard_normal((n_atoms, rank))
        if is_complex(whitener.into):
            start = start + 1j * random.standard_normal((n_atoms, rank))
        return _polar(asarray_like(start, whitener.into, dtype=whitener.into.dtype))
    atoms = dense_array(init, name)
    if tuple(atoms.shape) != (n_atoms, n_features):
        raise ValueError(
            f"{name} has shape {tuple(atoms.shape)}, but it must have shape ({n_atoms}, {n_features}), one atom a row."
        )
    if is_complex(atoms) and not is_complex(whitener.into):
        raise ValueError(f"{name} is complex, but X is real; pass {name}.real.")
    white = asarray_like(to_numpy(atoms), whitener.into, dtype=whitener.into.dtype) @ whitener.into
    sizes = np.linalg.svd(to_numpy(white), compute_uv=False)  # in white units
    if not sizes[-1] > _DEPENDENT[True] * sizes[0]:
        raise ValueError(f"{name} has atoms that are zero or dependent (where the signals are); a dictionary has none.")
    return _polar(white)


def _unstuck(samples, whitener, start, tol, random_state):
    """The start, or another one near a stationary start that is no maximum: from there some iterations lead to a higher objective."""
    given = _certificate(samples, whitener, start, double=True)
    if not float(given.value) <= tol:
        return start
    turn = check_random_state(random_state).standard_normal(tuple(start.shape)) / start.shape[1] ** 0.5
    A = _polar(start + _TURN * asarray_like(turn, start, dtype=start.dtype))
    for _ in range(_TRIED):
        made = _certificate(samples, whitener, A, double=True)
        if float(made.objective) > float(given.objective) * (1.0 + 1e-3 * _TURN**2):
            return A
        A = made.point
    return start


def _steps(start):
    """Yield one orthonormal matrix after another: each the polar factor of the gradient at the one before."""
    A = start
    while True:
        made = yield State(A, chosen=True)
        A = made.point


def _certificate(samples, whitener, A, double=False):
    """The objective at A, and how far A is from the polar factor of its gradient, which is the next A."""
    xp = array_namespace(A)
    gradient = samples.gradient(whitener.filters(A), double) @ whitener.into
    name = "distance from the polar factor of the gradient"
    if not np.isfinite(float(xp.sum(xp.abs(gradient)))):  # powers of outliers left the range of the precision
        return Certificate(np.asarray(np.nan), np.asarray(np.nan), name, A)
    better = _polar(gradient)
    move = float(xp.sum(sq_norm(A - better))) ** 0.5 / A.shape[0] ** 0.5
    objective = float(xp.sum(real_part(conj(A) * gradient)))
    return Certificate(np.asarray(move), np.asarray(objective), name, better)


def _proved_in_double(result, samples, whitener):
    """The result with objective and certificate from products in double precision."""
    made = _certificate(samples, whitener, result.coef, double=True)
    status = result.status
    if status is Status.CONVERGED and not made.value <= result.tol:
        status = Status.STALLED
    return replace(result, status=status, objective=float(made.objective), certificate=float(made.value))


def _with_atoms(result, samples, whitener):
    """Atoms of norm one, and the filters that belong to them, in place of the orthonormal matrix."""
    xp = array_namespace(samples.X)
    atoms = result.coef @ whitener.back
    norms = xp.sqrt(sq_norm(atoms.T))
    norms = xp.astype(norms, atoms.dtype)
    filters = whitener.filters(result.coef) * norms
    dtype = samples.X.dtype
    fields = {name: getattr(result, name) for name in result.__dataclass_fields__}
    fields["coef"] = xp.astype(atoms / norms[:, None], dtype, copy=False)
    return LpDictionary(**fields, filters=xp.astype(filters, dtype, copy=False))
