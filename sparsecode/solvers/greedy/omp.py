"""Orthogonal matching pursuit and orthogonal least squares.

    minimise over coef   ||y - A coef||**2   with at most n_nonzero coefficients that are not zero, greedily:
    one column after another, and least squares on the selected ones after each

Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching pursuit", 1993.
Chen, Billings and Luo, "Orthogonal least squares methods and their application to non-linear system identification", 1989.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._array import array_namespace, as_double, device, is_numpy, to_numpy
from ..._parallel import n_threads
from ..._validation import as_design, as_penalty_weights, as_sample_weight, as_target, total_weight, weighted
from ...designs import GramDesign
from ...losses import Squared
from ...penalties import L0Ball
from ...result import announce
from ..problem import make_problem
from .ending import (
    certificate_tolerance,
    certify_support,
    is_norm_unknown,
    missed_request,
    support_result,
    without_columns,
)
from .forms import check_ranges, pursue, require_target_norm, target_sq_norms
from .path import best_steps, coefficient_path, make_criterion, replay, warn_at_the_most
from .rules import check_single, make_settings, np_dtype, preferences

__all__ = ["omp", "solve_omp"]


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
        attribute `column_sq_norms`, OMP uses estimated norms and OLS computes them, by one product for each row or column.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many to code independently; for a `GramDesign` the correlations ``A.conj().T @ y``, and its `target_sq_norm`
        where a tolerance or a criterion asks for residuals.
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
        samples, where aic and bic often end, with a warning, if features outnumber samples: use ebic there; `n_nonzero`, `tol` and `atol` end the path earlier. Columns that are zero or excluded do not count as features.
    ebic_gamma : float, default=1.0
        Weight of the number of models of one size, from 0 (bic) to 1; for "ebic" only.
    selection : {"omp", "ols"}, default="omp"
        "omp": the largest correlation with the residual, relative to the column's norm. "ols": the largest fall of the
        least-squares residual.
    positive : bool, default=False
        Whether coefficients must be positive. Columns with positive correlation are tried in the order of their score, and one is
        taken only if the least-squares fit on the enlarged support is positive: a heuristic.
    support : array of int, optional
        Columns to start from: they enter first, in this order, whatever the tolerance, and count in `n_nonzero` unless their
        weight is 0. Those that depend linearly on the ones before are left out, and with `positive=True` those that would make
        a coefficient negative.
    penalty_weights : array of shape (n_features,), optional
        Correlations are divided by their weight before columns are compared. inf excludes a column; columns of weight 0 enter
        before all others, outside the count of `n_nonzero`.
    sample_weight : array of shape (n_samples,), optional
        Weights of the samples. Residual norms are weighted ones, with weights scaled to mean one; for a `criterion` they say how often
        each sample counts, and their sum takes the place of n.
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
        (n_features, n_steps + 1) whose first column is zero, and ``path[:, n_iter]`` is `coef`: `n_iter` is the largest number of
        columns kept.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, a parameter is out of range, or nothing says when to stop.

    Warns
    -----
    ConvergenceWarning
        Once, with status ``STALLED``, if a residual tolerance is not reached, or a residual is left and fewer columns than `n_nonzero`
        could be selected, because all others depend on those or are excluded; a residual that is not known counts as left.
        With `positive` fewer columns are no failure.
    RuntimeWarning
        If a `criterion` is least at half as many columns as samples, the most that it looks at, where more could be selected.

    See Also
    --------
    iht : iterative hard thresholding.
    sparsecode.solvers.greedy.batch_omp : codes of very many signals, without a dense coefficient matrix.

    Notes
    -----
    A residual tolerance that the answer misses is a failure with one warning, unless another stop that was asked for (`n_nonzero`
    or a `criterion`) ended the pursuit.

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
    n_counted = total_weight(sample_weight, design.shape[0])
    request = {"n_nonzero": n_nonzero, "tol": tol, "atol": atol, "criterion": criterion, "ebic_gamma": ebic_gamma}
    request |= {"selection": selection, "positive": positive, "support": support, "penalty_weights": penalty_weights}
    how = {"n_counted": n_counted, "return_path": return_path, "n_jobs": n_jobs}
    return announce(*solve_omp(design, target, **request, **how))


def solve_omp(
    design,
    target,
    *,
    penalty_weights=None,
    criterion=None,
    ebic_gamma=1.0,
    n_counted=None,
    return_path=False,
    n_jobs=None,
    **request,
):
    """The solve behind `omp`, on validated data: the result, and what it missed (None, or in words).

    `request` is what `make_settings` takes; a criterion takes the rows for `n_counted` samples, the sum of their weights.
    """
    n_threads(n_jobs)  # complains before anything is computed
    if return_path:
        check_single(target)
    weights = None if penalty_weights is None else to_numpy(penalty_weights).astype(np.float64)
    how = {"shape": design.shape, "dtype": _working_dtype(design, target), "penalty_weights": weights}
    settings = make_settings(**request, criterion=criterion, **how)
    require_target_norm(design, tol=settings.tol, atol=settings.atol, criterion=criterion)
    if settings.orthogonal:
        design = design.with_exact_norms()  # estimates would mislead it
    chooser = make_criterion(criterion, ebic_gamma, design, weights, n_counted)
    asked = settings.n_nonzero
    if chooser is not None:
        settings = settings._replace(n_nonzero=min(settings.n_nonzero, chooser.most))
    target_sq = target_sq_norms(design, target)
    check_ranges(design, target, target_sq)
    walked = selected = pursue(design, target, settings, target_sq, weights, n_jobs)
    columns = target if target.ndim == 2 else array_namespace(target).reshape(target, (-1, 1))
    criteria: Any = None
    if chooser is not None:
        floor = target_sq * (settings.resolution if isinstance(design, GramDesign) else settings.noise)
        selected, criteria = best_steps(chooser, design, columns, walked, target_sq, floor)
        warn_at_the_most(chooser, asked, to_numpy(selected.counts) - selected.n_free)
    problem = make_problem(design, target, Squared(), L0Ball(settings.n_nonzero, settings.positive))
    tolerance = certificate_tolerance(target)
    certificate, coef = certify_support(problem, _scatter(selected, target, design.shape[1]), tolerance)
    sq_residuals = 2.0 * design.shape[0] * np.atleast_1d(certificate.objective)
    missed, reason = None, ""
    if chooser is None:
        counts, eps = to_numpy(selected.counts) - selected.n_free, float(np.finfo(np_dtype(target)).eps)
        missed, reason = missed_request(
            settings,
            counts,
            target_sq,
            sq_residuals,
            eps,
            lambda short: _is_stuck(problem, coef, weights, settings, target_sq, short, sq_residuals),
        )
    history = _history(design, columns, walked, target_sq, sq_residuals, criteria, single=target.ndim == 1)
    if return_path:
        order = walked.indices[:, : int(walked.counts[0])]
        history["path"] = coefficient_path(design, columns, order, target_sq)[:, 0, :]
    n_iter = int(selected.counts.max())
    return support_result(coef, certificate, tolerance, missed, reason, n_iter=n_iter, history=history), missed


def _working_dtype(design, target):
    """What the pursuit computes in: double on a Gram matrix."""
    dtype = np_dtype(target)
    return np.result_type(dtype, np.float64) if isinstance(design, GramDesign) else dtype


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


def _is_stuck(problem, coef, weights, settings, target_sq, short, sq_residuals):
    """Which `short` targets leave a correlation that is no rounding error, or a residual that is none and no more columns."""
    left = _largest_correlation(problem, coef, weights)
    correlated = left > 10.0 * np.sqrt(settings.noise) * np.sqrt(target_sq)
    if is_norm_unknown(problem.design):
        sq_residuals = target_sq  # part of the target may lie outside the range of the design
    floor = settings.resolution if isinstance(problem.design, GramDesign) else 100.0 * settings.noise
    unexplained = short & ~correlated & (sq_residuals > floor * target_sq)
    if not np.any(unexplained):
        return correlated
    return correlated | without_columns(problem, coef, weights, settings.dependence, unexplained)


def _largest_correlation(problem, coef, weights):
    """``max_j |a_j^H r| / ||a_j||`` over the columns that may be selected, one number a target."""
    scale, preference, *_ = preferences(problem.design.column_sq_norms(), weights)
    factor = np.where(preference > 0, np.sqrt(np.divide(scale, preference, out=scale, where=preference > 0)), 0.0)
    remaining = np.abs(to_numpy(problem.in_double().at(as_double(coef)).correlation)) * problem.n_samples
    return np.atleast_1d(np.max(factor.reshape(-1, *[1] * (remaining.ndim - 1)) * remaining, axis=0))


def _history(design, target, selected, target_sq, sq_residuals, criteria, *, single):
    """Columns in order of selection, relative residual norms and criteria: on the way for a single target, else at the end."""
    order = [row[row >= 0].tolist() for row in to_numpy(selected.indices)]
    safe = np.where(target_sq > 0, target_sq, 1.0)
    steps = sq_residuals / safe
    if single:
        walked = selected.sq_residuals
        if walked is None:
            ((_, replayed),) = replay(design, target, selected.indices[:, : len(order[0])], target_sq)
            walked = replayed.sq_residuals[0]
        steps = np.array(walked) / safe[0]
    history = {"selected": order[0] if single else order, "residual": np.sqrt(steps).tolist()}
    if criteria is not None:
        history["criterion"] = (criteria[0] if single else criteria).tolist()
    return history
