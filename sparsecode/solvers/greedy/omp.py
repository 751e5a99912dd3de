"""Orthogonal matching pursuit and orthogonal least squares.

    minimise over coef   ||y - A coef||**2   with at most n_nonzero coefficients that are not zero, greedily:
    one column after another, and least squares on the selected ones after each

Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching pursuit", 1993.
Chen, Billings and Luo, "Orthogonal least squares methods and their application to non-linear system identification", 1989.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..._array import array_namespace, as_double, device, is_numpy, to_numpy
from ..._parallel import n_threads
from ..._validation import (
    as_design,
    as_penalty_weights,
    as_sample_weight,
    as_target,
    check_products,
    check_range,
    weighted,
)
from ..._warnings import warn
from ...designs import CenteredDesign, DenseDesign, GramDesign, SparseDesign
from ...losses import Squared
from ...penalties import L0Ball
from ...result import SolveResult, Status, announce
from ..certificates import support_optimality
from ..problem import make_problem
from .forms import pursue, target_sq_norms
from .path import best_steps, coefficient_path, make_criterion, replay
from .rules import make_settings, np_dtype, preferences

__all__ = [
    "announce_omp",
    "certificate_tolerance",
    "certify_support",
    "check_ranges",
    "make_chooser",
    "omp",
    "solve_omp",
]


def omp(
    A,
    y,
    *,
    n_nonzero=None,
    tol=None,
    atol=None,
    criterion=None,
    ebic_gamma=1.0,
    selection="omp",
    positive=False,
    support=None,
    penalty_weights=None,
    sample_weight=None,
    return_path=False,
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
        pursuit; one of them or a `criterion` must be given.
    criterion : {"aic", "bic", "ebic"}, optional
        Keep the step of the path at which ``n log(2 pi RSS / n) + n + k f`` is least, for n samples, k columns, and f = 2 (aic) or
        log(n) (bic; ebic adds ``2 ebic_gamma log(binomial(n_features, k))``). Alone it looks at up to half as many columns as
        samples; `n_nonzero`, `tol` and `atol` end the path earlier. Samples of positive weight count once each.
    ebic_gamma : float, default=1.0
        Weight of the number of models of one size, from 0 (bic) to 1; for "ebic" only.
    selection : {"omp", "ols"}, default="omp"
        "omp": the largest correlation with the residual, relative to the column's norm. "ols": the largest fall of the
        least-squares residual.
    positive : bool, default=False
        Whether coefficients must be positive. Columns with positive correlation are tried in the order of their score, and one is
        taken only if the least-squares fit on the enlarged support is positive: a heuristic.
    support : array of int, optional
        Columns to start from: they enter first, in this order, whatever the tolerance, and count in `n_nonzero`. Those that depend
        linearly on the ones before are left out.
    penalty_weights : array of shape (n_features,), optional
        Correlations are divided by their weight before columns are compared. inf excludes a column; columns of weight 0 enter
        before all others, outside the count of `n_nonzero`.
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples, scaled to mean one. Residual norms are then weighted ones.
    return_path : bool, default=False
        Whether `history` also holds the coefficients after every step, for one target.
    n_jobs : int, optional
        Threads for many targets; -1 for all cores. The answer has the same bits for any number.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``; the certificate is the support optimality,
        ``max |a_j^H r| / (||a_j|| ||y||)`` over the support, zero for an exact least-squares fit. `history` holds
        ``"selected"``, the columns in order, and ``"residual"``, relative residual norms: for one target before the first
        column and after each, for many the last of each target. With a criterion also ``"criterion"``, its value after each
        step (inf where a step could not be chosen); the history is then that of the whole path. ``"path"`` is an array
        (n_features, n_steps + 1) whose first column is zero.

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

    As many columns as the data ask for:

    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((100, 150))
    >>> omp(A, 3 * A[:, 7] - 2 * A[:, 60] + 0.1 * rng.standard_normal(100), criterion="ebic").support
    array([ 7, 60])
    """
    design = as_design(A, check_finite=False)  # `check_ranges` looks at the norms of the columns
    target = as_target(y, design)
    penalty_weights = as_penalty_weights(penalty_weights, design)
    design, target = weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    request = {"n_nonzero": n_nonzero, "tol": tol, "atol": atol, "criterion": criterion, "ebic_gamma": ebic_gamma}
    how = {"selection": selection, "positive": positive, "support": support, "penalty_weights": penalty_weights}
    result, missed = solve_omp(design, target, return_path=return_path, n_jobs=n_jobs, **request, **how)
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
    criterion=None,
    ebic_gamma=1.0,
    selection="omp",
    positive=False,
    support=None,
    penalty_weights=None,
    return_path=False,
    n_jobs=None,
):
    """The solve behind `omp`, on validated data: the result, and what it missed (None, or the start of a sentence)."""
    n_threads(n_jobs)  # complains before anything is computed
    if return_path and target.ndim != 1:
        raise ValueError(
            f"return_path=True is for one target; y has shape {tuple(target.shape)}. Call omp for each column that you need."
        )
    dtype = np_dtype(target)
    if isinstance(design, GramDesign):
        dtype = np.result_type(dtype, np.float64)  # the pursuit runs in double there
    settings = make_settings(
        n_nonzero, tol, atol, selection, positive, shape=design.shape, dtype=dtype, support=support, criterion=criterion
    )
    weights = None if penalty_weights is None else to_numpy(penalty_weights).astype(np.float64)
    _refuse_excluded(settings, weights)
    chooser = None
    if criterion is not None:
        chooser = make_chooser(criterion, ebic_gamma, design, settings, weights)
        settings = settings._replace(
            n_nonzero=max(0, min(settings.n_columns, chooser.n_samples // 2) - len(settings.first))
        )
    target_sq = target_sq_norms(design, target)
    check_ranges(design, target, target_sq)
    walked = selected = pursue(design, target, settings, target_sq, weights, n_jobs)
    columns = target if target.ndim == 2 else array_namespace(target).reshape(target, (-1, 1))
    criteria: Any = None
    if chooser is not None:
        floor = target_sq * (settings.resolution if isinstance(design, GramDesign) else settings.noise)
        selected, criteria = best_steps(chooser, design, columns, walked, target_sq, floor)
    problem = make_problem(design, target, Squared(), L0Ball(settings.n_columns, settings.positive))
    tolerance = certificate_tolerance(target)
    certificate, coef = certify_support(problem, _scatter(selected, target, design.shape[1]), tolerance)
    sq_residuals = 2.0 * design.shape[0] * np.atleast_1d(certificate.objective)
    missed = None
    if chooser is None:
        missed = _missed(settings, selected, coef, problem, weights, target_sq, sq_residuals)
    history = _history(design, columns, walked, target_sq, sq_residuals, single=target.ndim == 1)
    if criteria is not None:
        history["criterion"] = criteria[0].tolist() if target.ndim == 1 else criteria.tolist()
    if return_path:
        history["path"] = coefficient_path(design, columns, walked.indices, target_sq, design.shape[1])
    certified = np.all(np.atleast_1d(certificate.value) <= tolerance)
    result = SolveResult(
        coef=coef,
        intercept=0.0,
        status=Status.CONVERGED if certified and missed is None else Status.STALLED,
        n_iter=int(walked.counts.max()),
        objective=_plain(certificate.objective),
        certificate=_plain(certificate.value),
        certificate_name=certificate.name,
        tol=tolerance,
        history=history,
    )
    return result, missed


def make_chooser(criterion, ebic_gamma, design, settings, weights):
    """The criterion over the columns that may be selected, the forced ones always kept."""
    n_features = design.shape[1] if weights is None else int(np.count_nonzero(np.isfinite(weights)))
    n_free = 0 if weights is None else int(np.count_nonzero(weights == 0))
    scale = getattr(design, "scale", None)  # square roots of sample weights
    n_samples = design.shape[0] if scale is None else int(np.count_nonzero(scale))
    return make_criterion(
        criterion, ebic_gamma, n_samples=n_samples, n_features=n_features, n_forced=n_free + len(settings.first)
    )


def _refuse_excluded(settings, weights):
    for j in settings.first:
        if weights is not None and np.isinf(weights[j]):
            raise ValueError(
                f"support names column {j}, which penalty_weights excludes (inf); drop it from one of them."
            )


def check_ranges(design, target, target_sq):
    """Refuse targets and columns so large or small that their squares are no numbers; an operator's columns are not known."""
    check_range(target_sq, target[None, :] if target.ndim == 1 else target.T, "y", "target")
    base = design.base if isinstance(design, CenteredDesign) else design
    if isinstance(base, DenseDesign):
        check_products(base.column_sq_norms(), base)
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


def certificate_tolerance(target):
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


def certify_support(problem, coef, tolerance):
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


def _missed(settings, selected, coef, problem, weights, target_sq, sq_residuals):
    """Which request could not be met, in words; None if all were."""
    short = to_numpy(selected.counts) < settings.n_columns
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
    left = _largest_correlation(problem, coef, weights)
    stuck = short & (left > 10.0 * np.sqrt(settings.noise) * size)
    if not np.any(stuck):
        return None
    several = f" for {np.count_nonzero(stuck)} of {stuck.size} targets" if stuck.size > 1 else ""
    return f"only {int(selected.counts[stuck].min())} of {settings.n_columns} columns are linearly independent{several}"


def _largest_correlation(problem, coef, weights):
    """``max_j |a_j^H r| / ||a_j||`` over the columns that may be selected, one number a target."""
    scale, preference, _ = preferences(problem.design.column_sq_norms(), weights)
    factor = np.where(preference > 0, np.sqrt(np.divide(scale, preference, out=scale, where=preference > 0)), 0.0)
    remaining = np.abs(to_numpy(problem.in_double().at(as_double(coef)).correlation)) * problem.n_samples
    return np.atleast_1d(np.max(factor.reshape(-1, *[1] * (remaining.ndim - 1)) * remaining, axis=0))


def _history(design, target, selected, target_sq, sq_residuals, *, single):
    """Columns in order of selection, and relative residual norms: on the way for a single target, at the end for many."""
    order = [row[row >= 0].tolist() for row in to_numpy(selected.indices)]
    safe = np.where(target_sq > 0, target_sq, 1.0)
    if not single:
        return {"selected": order, "residual": np.sqrt(sq_residuals / safe).tolist()}
    steps = selected.sq_residuals
    if steps is None:
        ((_, replayed),) = replay(design, target, selected.indices[:, : len(order[0])], target_sq)
        steps = replayed.sq_residuals[0]
    return {"selected": order[0], "residual": np.sqrt(np.array(steps) / safe[0]).tolist()}


def _plain(value):
    return float(value) if np.ndim(value) == 0 else np.asarray(value)
