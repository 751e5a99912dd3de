"""Orthogonal matching pursuit and orthogonal least squares.

    minimise over coef   ||y - A coef||**2   with at most n_nonzero coefficients that are not zero, greedily:
    one column after another, and least squares on the selected ones after each

Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching pursuit", 1993.
Chen, Billings and Luo, "Orthogonal least squares methods and their application to non-linear system identification", 1989.
"""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..._array import array_namespace, as_double, device, is_numpy, to_numpy
from ..._parallel import n_threads
from ..._validation import as_design, as_penalty_weights, as_sample_weight, as_target, check_range, weighted
from ..._warnings import warn
from ...designs import CenteredDesign, DenseDesign, GramDesign, SparseDesign
from ...losses import Squared
from ...penalties import L0Ball
from ...result import SolveResult, Status, announce
from ..certificates import support_optimality
from ..problem import make_problem
from .forms import pursue, target_sq_norms
from .rules import make_settings, np_dtype, preferences

__all__ = ["announce_omp", "omp", "solve_omp"]


def omp(
    A,
    y,
    *,
    n_nonzero=None,
    tol=None,
    atol=None,
    selection="omp",
    positive=False,
    penalty_weights=None,
    sample_weight=None,
    n_jobs=None,
):
    """Greedily minimise ``||y - A @ coef||^2`` over few non-zero coefficients: OMP, or OLS with ``selection="ols"``.

    Each step adds the column that the selection rule prefers and refits all selected ones by least squares. Few targets on
    any design take one product with the adjoint a step; many share the Gram matrix and run compiled, on threads.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex. Columns need not have unit norm. For a LinearOperator of more than 64 rows without an
        attribute `column_sq_norms`, OMP uses estimated norms and OLS computes them, at one product a column.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many to code independently; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int, optional
        Columns to select; clipped, with a warning, to the number of features or samples.
    tol : float, optional
        Stop when the residual norm is at most `tol` times the norm of `y`.
    atol : float, optional
        Stop when the residual norm is at most `atol`. Of `n_nonzero`, `tol` and `atol` whichever is met first ends the
        pursuit; at least one must be given.
    selection : {"omp", "ols"}, default="omp"
        "omp": the largest correlation with the residual, relative to the column's norm. "ols": the largest fall of the
        least-squares residual.
    positive : bool, default=False
        Whether coefficients must be positive. Columns with positive correlation are tried in the order of their score, and one is
        taken only if the least-squares fit on the enlarged support is positive: a heuristic.
    penalty_weights : array of shape (n_features,), optional
        Correlations are divided by their weight before columns are compared. inf excludes a column; columns of weight 0 enter
        first, outside the count of `n_nonzero`.
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples, scaled to mean one. Residual norms are then weighted ones.
    n_jobs : int, optional
        Threads for many targets; -1 for all cores. The answer has the same bits for any number.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``; the certificate is the support optimality,
        ``max |a_j^H r| / (||a_j|| ||y||)`` over the support, zero for an exact least-squares fit. `history` holds
        ``"selected"``, the columns in order, and ``"residual"``, relative residual norms: for one target before the first
        column and after each, for many the last of each target.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, a parameter is out of range, or nothing says when to stop.

    Warns
    -----
    ConvergenceWarning
        Once, if a residual tolerance cannot be reached, or dependent columns leave too few to select.

    See Also
    --------
    iht : iterative hard thresholding.
    sparsecode.solvers.greedy.batch_omp : codes of very many signals, without a dense coefficient matrix.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching pursuit: recursive function approximation with applications to
    wavelet decomposition", 1993.
    Chen, Billings and Luo, "Orthogonal least squares methods and their application to non-linear system identification", 1989.

    Examples
    --------
    A column orthogonal to the target that the fit needs all the same:

    >>> import numpy as np
    >>> from sparsecode import omp
    >>> A = np.array([[np.sqrt(0.5), 0.0], [np.sqrt(0.5), 1.0]])
    >>> result = omp(A, np.array([1.0, 0.0]), n_nonzero=2)
    >>> result.coef.round(4), result.history["selected"]
    (array([ 1.4142, -1.    ]), [0, 1])
    """
    design = as_design(A)
    target = as_target(y, design)
    penalty_weights = as_penalty_weights(penalty_weights, design)
    design, target = weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    request = {"n_nonzero": n_nonzero, "tol": tol, "atol": atol, "selection": selection, "positive": positive}
    result, missed = solve_omp(design, target, penalty_weights=penalty_weights, n_jobs=n_jobs, **request)
    return announce_omp(result, missed)


def announce_omp(result, missed):
    """Hand the result on, with one warning if it is not certified; `missed` says which request was not met."""
    if missed is None:
        return announce(result)
    warn(f"{missed}: {result.status.value}.", ConvergenceWarning)
    return result


def solve_omp(
    design,
    target,
    *,
    n_nonzero=None,
    tol=None,
    atol=None,
    selection="omp",
    positive=False,
    penalty_weights=None,
    n_jobs=None,
):
    """The solve behind `omp`, on validated data: the result, and what it missed (None, or the start of a sentence)."""
    n_threads(n_jobs)  # complains before anything is computed
    dtype = np_dtype(target)
    if isinstance(design, GramDesign):
        dtype = np.result_type(dtype, np.float64)  # the pursuit runs in double there
    settings = make_settings(n_nonzero, tol, atol, selection, positive, shape=design.shape, dtype=dtype)
    weights = None if penalty_weights is None else to_numpy(penalty_weights).astype(np.float64)
    target_sq = target_sq_norms(design, target)
    _check_ranges(design, target, target_sq)
    selected = pursue(design, target, settings, target_sq, weights, n_jobs)
    problem = make_problem(design, target, Squared(), L0Ball(settings.n_nonzero, settings.positive))
    coef = _scatter(selected, target, design.shape[1])
    certificate, coef = _certified(problem, coef, _tolerance(target))
    sq_residuals = 2.0 * design.shape[0] * np.atleast_1d(certificate.objective)
    missed = _missed(settings, selected, certificate, problem, weights, target_sq, sq_residuals)
    certified = np.all(np.atleast_1d(certificate.value) <= _tolerance(target))
    result = SolveResult(
        coef=coef,
        intercept=0.0,
        status=Status.CONVERGED if certified and missed is None else Status.STALLED,
        n_iter=int(selected.counts.max()),
        objective=_plain(certificate.objective),
        certificate=_plain(certificate.value),
        certificate_name=certificate.name,
        tol=_tolerance(target),
        history=_history(problem, selected, target_sq, sq_residuals),
    )
    return result, missed


def _check_ranges(design, target, target_sq):
    """Refuse targets and columns so large or small that their squares are no numbers; an operator's columns are not known."""
    check_range(target_sq, target[None, :] if target.ndim == 1 else target.T, "y", "target")
    base = design.base if isinstance(design, CenteredDesign) else design
    if isinstance(base, DenseDesign):
        check_range(base.column_sq_norms(), base.array.T, "A", "column")
    elif isinstance(base, GramDesign):
        check_range(base.column_sq_norms(), base.matrix.T, "A", "column")
    elif isinstance(base, SparseDesign):
        check_range(base.column_sq_norms(), _StoredColumns(base.matrix), "A", "column")


class _StoredColumns:
    """Columns of a CSC matrix as their stored values."""

    def __init__(self, matrix):
        self.matrix, self.dtype = matrix, matrix.dtype

    def __getitem__(self, key):
        first, last = self.matrix.indptr[key[0] : key[0] + 2]
        return self.matrix.data[first:last]


def _tolerance(target):
    """What least squares on the support must reach: rounding, on supports that are not too ill-conditioned."""
    return 1e-4 if np.finfo(np_dtype(target)).eps > 1e-10 else 1e-8


def _scatter(selected, target, n_features):
    """Codes as coefficients (n_features,) or (n_features, P), where the target lives."""
    xp = array_namespace(target)
    if is_numpy(target):
        coef = np.zeros((n_features, selected.counts.size), dtype=target.dtype)
        used = selected.indices >= 0
        coef[selected.indices[used], np.nonzero(used)[0]] = selected.values[used]
    else:
        rows = xp.arange(n_features, dtype=selected.indices.dtype, device=device(target))[:, None]
        coef = xp.zeros((n_features, selected.counts.size), dtype=target.dtype, device=device(target))
        for q in range(selected.indices.shape[1]):
            coef = xp.where(rows == selected.indices[:, q][None, :], selected.values[:, q][None, :], coef)
    return coef[:, 0] if target.ndim == 1 else coef


def _certified(problem, coef, tolerance):
    """The certificate; targets on ill-conditioned supports that miss it are refitted by orthogonal factorisation first."""
    certificate = support_optimality(problem, coef)
    poor = np.flatnonzero(np.atleast_1d(certificate.value) > tolerance)
    if poor.size == 0 or isinstance(problem.design, GramDesign) or not problem.design.is_numpy:
        return certificate, coef
    design, target = problem.design.in_double(), problem.target
    for p in poor:
        column = coef if coef.ndim == 1 else coef[:, p]
        support = np.flatnonzero(column)
        wanted = target if target.ndim == 1 else target[:, p]
        column[support] = np.linalg.lstsq(design.columns(support), as_double(wanted))[0]
    return support_optimality(problem, coef), coef


def _missed(settings, selected, certificate, problem, weights, target_sq, sq_residuals):
    """Which request could not be met, in words; None if all were."""
    short = to_numpy(selected.counts) < settings.n_nonzero
    size = np.sqrt(target_sq)
    eps = float(np.finfo(np_dtype(problem.target)).eps)
    if settings.tol is not None or settings.atol is not None:
        reach = np.sqrt(settings.limits(target_sq)) + 4.0 * eps * size
        late = np.sqrt(sq_residuals) > reach
        late = late & short if settings.sparsity_was_asked else late
        if not np.any(late):
            return None
        worst = np.max(np.sqrt(sq_residuals[late] / target_sq[late]))
        several = f" for {np.count_nonzero(late)} of {late.size} targets" if late.size > 1 else ""
        asked = f"tol={settings.tol:.1e}" if settings.tol is not None else f"atol={settings.atol:.1e}"
        signs = " with positive coefficients" if settings.positive else ""
        columns = f"after at most {int(selected.counts.max())} columns{signs}"
        return f"relative residual norm {worst:.3e} {columns}, {asked} not reached{several}"
    if settings.positive or not np.any(short):
        return None
    left = _largest_correlation(certificate, problem, weights)
    stuck = short & (left > 10.0 * np.sqrt(settings.noise) * size)
    if not np.any(stuck):
        return None
    several = f" for {np.count_nonzero(stuck)} of {stuck.size} targets" if stuck.size > 1 else ""
    return f"only {int(selected.counts[stuck].min())} of {settings.n_nonzero} columns are linearly independent{several}"


def _largest_correlation(certificate, problem, weights):
    """``max_j |a_j^H r| / ||a_j||`` over the columns that may be selected, one number a target."""
    scale, preference, _ = preferences(problem.design.column_sq_norms(), weights)
    factor = np.where(preference > 0, np.sqrt(np.divide(scale, preference, out=scale, where=preference > 0)), 0.0)
    remaining = np.abs(to_numpy(certificate.point.correlation)) * problem.n_samples
    return np.atleast_1d(np.max(factor.reshape(-1, *[1] * (remaining.ndim - 1)) * remaining, axis=0))


def _history(problem, selected, target_sq, sq_residuals):
    """Columns in order of selection, and relative residual norms."""
    indices = to_numpy(selected.indices)
    order = [row[row >= 0].tolist() for row in indices]
    safe = np.where(target_sq > 0, target_sq, 1.0)
    if problem.target.ndim == 2:
        return {"selected": order, "residual": np.sqrt(sq_residuals / safe).tolist()}
    steps = selected.sq_residuals
    if steps is None:
        steps = _residual_path(problem, np.array(order[0], dtype=np.int64), target_sq[0])
    return {"selected": order[0], "residual": np.sqrt(np.array(steps) / safe[0]).tolist()}


def _residual_path(problem, order, target_sq):
    """Squared residuals after each column of `order`, from their Cholesky factor: ``||y||^2 - sum_q |z_q|^2``."""
    problem = problem.in_double()
    if order.size == 0:
        return [target_sq]
    gram = to_numpy(problem.design.gram(order))
    at_zero = to_numpy(problem.at(0 * problem.start()).correlation)[order] * problem.n_samples
    projection = np.linalg.solve(np.linalg.cholesky(gram), at_zero)
    return np.maximum(target_sq - np.cumsum(np.abs(np.concatenate([[0.0], projection])) ** 2), 0.0)


def _plain(value):
    return float(value) if np.ndim(value) == 0 else np.asarray(value)
