"""Loss-function-based orthogonal matching pursuit: the greedy side of the LASSO.

    select   j = argmax_j  max_t  G(x) - G(x + t e_j)        with G(x) = F(x) + alpha R(x)
    refit    x = argmin F on the enlarged support            without the penalty

    F:  ||y - A x||**2 / (2 n)        ||y - A x|| / sqrt(n)        ||y - A x||_1 / n
    R:  sum_(x_j != 0) w_j**2         sum_j w_j |x_j|

and stop when no column lowers G by itself: `alpha` is a stopping rule, not a shrinkage.

Mohammad-Taheri and Adcock, "The greedy side of the LASSO: New algorithms for weighted sparse recovery via loss function-based
orthogonal matching pursuit", 2023 (arXiv 2303.00844).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, as_double, is_complex, plain, to_numpy
from ..._validation import (
    as_count,
    as_design,
    as_number,
    as_penalty_weights,
    as_sample_weight,
    as_target,
    total_weight,
    weighted,
)
from ...designs import CenteredDesign, GramDesign
from ...losses import Squared
from ...penalties import L0Ball
from ...result import SolveResult, Status, announce
from ..problem import make_problem
from .absolute_pursuit import Columns, absolute_pursuit
from .default_strength import default_strength
from .ending import MISSING_COLUMNS, certificate_tolerance, certify_support, too_few_columns
from .forms import check_ranges, require_target_norm, target_sq_norms
from .least_absolute import absolute_optimality
from .loss_pursuit import Request, euclidean_pursuit
from .rules import check_single, np_dtype

__all__ = ["LOSSES", "loss_omp", "solve_loss_omp"]

LOSSES = ("squared", "square_root", "absolute")
_PENALTIES = ("l0", "l1")
_CANDIDATES = ("new", "all", "backward")
_BLOCK = 1 << 22  # entries of the scores of the targets that advance together


def loss_omp(
    A,
    y,
    alpha=None,
    *,
    loss="square_root",
    penalty="l1",
    penalty_weights=None,
    n_nonzero=None,
    candidates="new",
    scale_free=False,
    sample_weight=None,
    return_path=False,
):
    """Greedily minimise ``F(coef) + alpha * R(coef)``: OMP that selects and stops by a loss and a weighted penalty.

    Each step moves the column whose coefficient, moved alone, lowers ``F + alpha R`` most, then minimises F alone over the
    support; it ends when no move lowers it. With ``n = n_samples``, r = y - A coef and weights w:

    =============  ===================  =====================================================
    loss           F                    alpha times this is the strength for the unscaled F
    =============  ===================  =====================================================
    "squared"      ``||r||^2 / (2 n)``  ``n``, for ``||r||^2 / 2``
    "square_root"  ``||r|| / sqrt(n)``  ``sqrt(n)``, for ``||r||``
    "absolute"     ``||r||_1 / n``      ``n``, for ``||r||_1``
    =============  ===================  =====================================================

    and R is the sum of ``w_j^2`` over the non-zero coefficients ("l0"), or of ``w_j |coef_j|`` ("l1"). The squared loss with l1 thus
    stops where the LASSO's optimality conditions hold off the support, at the same `alpha`. Scaling `y` by c scales the answer
    by c if `alpha` is multiplied by ``c^2`` (squared, l0), by c (squared, l1; square root, l0; absolute, l0), or not at all (square
    root, l1; absolute, l1; and wherever `alpha` is left at its default).

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex (real NumPy, SciPy or LinearOperator for the absolute loss). Columns need not have unit norm. For
        a LinearOperator selected columns are fetched, at one product each, and the absolute loss looks at all of them; the others need
        their norms, which without an attribute `column_sq_norms` take one product for each row or column beyond 64 rows.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many to code independently; for a `GramDesign` the correlations ``A.conj().T @ y``, and its `target_sq_norm`
        unless the loss is the squared one with a given `alpha`.
    alpha : float, optional
        What a non-zero coefficient must earn, in the scaling above; 0 selects like OMP (or by absolute deviations) up to
        `n_nonzero`. The default is what some column of a random design reaches against pure noise in one case of twenty, so that
        noise alone selects nothing in the others, whatever n and n_features. A move pays by the cosine of its column with the
        residual (absolute loss: with the signs of it). For noise its square follows the law Beta(1/2, (n - 1)/2), or Beta(1, n - 1) for
        complex data, and u is the level at which ``n_features P(cosine^2 > u^2) = 0.05``: somewhat above
        ``sqrt(2 log(n_features) / n)`` on many samples, and below one on few. With q the root mean square of the entries of a column
        and noise of size s the default is

        * ``q u``, whatever the noise, for "l1" with the square-root or the absolute loss;
        * ``1 - sqrt(1 - u^2)``, likewise, with `scale_free`;
        * ``s q u`` and ``s^2 u^2 / 2`` for the squared loss with "l1" and "l0", ``s (1 - sqrt(1 - u^2))`` for the square root with "l0",
          ``s (pi / 8)^0.5 u^2`` for the absolute loss with "l0", s being a tenth of what the free columns leave of the target
          (its root mean square, or 1.25 times its mean magnitude): give `alpha` where you know the noise.

        For columns of different q, ``q u`` stands for what the largest ``q |cosine|`` reaches as often; l1 asks more of short columns, so
        scale them alike. Weights divide q (their squares ``u^2``, with "l0"): noise alone selects as rarely with cheap columns, at an
        `alpha` that asks more of all others; give `alpha` where these count as much. Columns that cannot be selected do not
        count, and samples count by their `sample_weight`. Where more than about ``1 / u^2`` columns (absolute loss: two thirds of that) make up a target with equal strength, none of them reaches
        the cosine u and nothing is selected: give a smaller `alpha`.
    loss : {"square_root", "squared", "absolute"}, default="square_root"
        "squared" is the weighted LASSO's loss; "square_root" keeps one good `alpha` over all noise levels (with "l1", or with
        `scale_free`); "absolute" survives gross errors in some samples. Its fits are exact minimisers of ``||r||_1``.
    penalty : {"l1", "l0"}, default="l1"
        The price of a coefficient.
    penalty_weights : array of shape (n_features,), optional
        The w above, small for columns that are expected. inf excludes a column; columns of weight 0 enter first, outside the count of
        `n_nonzero`.
    n_nonzero : int, optional
        Most columns to select. By default as many as are linearly independent: `alpha` says when to stop.
    candidates : {"new", "all", "backward"}, default="new"
        What may move. "new": columns off the support. "all": also coefficients on it, and the pursuit ends when one of
        these would win. "backward" (l0 only): such a coefficient is removed and the rest refitted.
    scale_free : bool, default=False
        For the square-root loss with "l0": compare the falls of F with ``alpha w_j^2`` times F itself, so that one `alpha`,
        without units, serves all noise levels.
    sample_weight : array of shape (n_samples,), optional
        Weights of the samples, scaled to mean one inside the norms: ``sum_i s_i |r_i|^2`` or ``sum_i s_i |r_i|``. For the default of
        `alpha` they say how often each sample counts, and their sum takes the place of n.
    return_path : bool, default=False
        Whether `history` also holds the coefficients after every step, for one target.

    Returns
    -------
    SolveResult
        The objective is F. The certificate is the support optimality of `omp`, or for the absolute loss
        ``max_j |a_j^T v| / ||a_j||_1`` over the support with the best v that is ``sign r_i`` off the zeros of r and in [-1, 1] on
        them: zero for an exact fit. `history` holds ``"selected"`` and ``"removed"``, columns in order, ``"decrease"``, by how much
        each step alone lowers ``F + alpha R``, ``"objective"``, F before the first step and after each, and ``"alpha"``; for many
        targets lists of these. ``"path"`` is an array (n_features, n_steps + 1).

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, a parameter is out of range, or the absolute loss meets complex data, a
        `GramDesign` or arrays outside NumPy.

    Warns
    -----
    ConvergenceWarning
        Once, with status ``STALLED``, if with ``alpha=0`` a residual is left and fewer columns than a given `n_nonzero` are
        linearly independent; or if the fit is not certified.

    See Also
    --------
    omp : the same selection as the Euclidean losses at ``alpha=0``, stopped by sparsity or residual, and much faster.
    lasso : minimises the squared loss with the l1 penalty over all coefficients.

    References
    ----------
    Mohammad-Taheri and Adcock, "The greedy side of the LASSO: New algorithms for weighted sparse recovery via loss
    function-based orthogonal matching pursuit", 2023 (arXiv 2303.00844).

    Examples
    --------
    Neither the number of columns nor the noise is known:

    >>> import numpy as np
    >>> from sparsecode import loss_omp
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((100, 100))
    >>> y = 3 * A[:, 7] - 2 * A[:, 50] + 0.1 * rng.standard_normal(100)
    >>> loss_omp(A, y).support
    array([ 7, 50])

    Samples that are plainly wrong:

    >>> y[:6] += 100
    >>> loss_omp(A, y, loss="absolute").support
    array([ 7, 50])
    """
    design = as_design(A)
    target = as_target(y, design)
    weights = as_penalty_weights(penalty_weights, design)
    rows = as_sample_weight(sample_weight, design.shape[0])
    if loss == "absolute":
        _check_absolute(design, target)
        if rows is not None:
            design = CenteredDesign(design, scale=rows.astype(target.dtype))
            target = target * (rows if target.ndim == 1 else rows[:, None]).astype(target.dtype)
    else:
        design, target = weighted(design, target, rows)
    result, missed = solve_loss_omp(
        design,
        target,
        alpha,
        loss=loss,
        penalty=penalty,
        penalty_weights=weights,
        n_nonzero=n_nonzero,
        candidates=candidates,
        scale_free=scale_free,
        return_path=return_path,
        n_counted=total_weight(sample_weight, design.shape[0]),
    )
    return announce(result, missed)


def solve_loss_omp(
    design,
    target,
    alpha=None,
    *,
    loss="square_root",
    penalty="l1",
    penalty_weights=None,
    n_nonzero=None,
    candidates="new",
    scale_free=False,
    return_path=False,
    n_counted=None,
    constant=None,
):
    """The solve behind `loss_omp`, on validated and weighted data: the result, and what it missed (None, or in words).

    Rows stand for `n_counted` samples, by default one each, and span so many dimensions. A `constant` column (n_samples,) is always fitted by the absolute loss; its coefficient is the result's intercept.
    """
    request = _request(design, target, alpha, loss, penalty, n_nonzero, candidates, scale_free, return_path)
    weights = np.ones(design.shape[1]) if penalty_weights is None else to_numpy(penalty_weights).astype(np.float64)
    if loss == "absolute":
        _check_absolute(design, target)
    else:
        design = design.with_exact_norms()  # which price every move
    purpose = f"loss={loss!r}" + (" without alpha" if loss == "squared" else "")
    require_target_norm(design, **{purpose: None if loss == "squared" and alpha is not None else loss})
    check_ranges(design, target, target_sq_norms(design, target))

    if alpha is None:
        make_alpha = default_strength(request, design, target, weights, n_counted or design.shape[0])
    else:
        make_alpha = partial(_given, request.alpha)
    solve = _solve_absolute if loss == "absolute" else _solve_euclidean
    answer = solve(design, target, request, weights, make_alpha, constant)
    certified = np.all(np.atleast_1d(answer.certificate) <= answer.tol)
    cut = any(walk.was_cut for walk in answer.walks)
    asked_only = n_nonzero is not None and request.alpha == 0.0
    missed = _too_few_columns(design, target, request, weights, answer) if asked_only and not cut else None
    met = certified and not cut and missed is None
    result = SolveResult(
        coef=answer.coef,
        intercept=answer.intercept,
        status=Status.CONVERGED if met else Status.MAX_ITER if cut else Status.STALLED,
        n_iter=max(len(walk.decrease) for walk in answer.walks),
        objective=plain(answer.objective),
        certificate=plain(answer.certificate),
        certificate_name=answer.name,
        tol=answer.tol,
        history=_history(answer.walks, target.ndim == 1, return_path),
        reason="" if missed is None else MISSING_COLUMNS,
    )
    return result, missed


def _too_few_columns(design, target, request, weights, answer):
    """What is said of targets that leave a residual and found fewer independent columns than asked for; None if none did."""
    counts = np.array([len(walk.selected) - len(walk.removed) for walk in answer.walks])
    misfit = np.atleast_1d(answer.objective)
    residual = np.sqrt(2.0 * misfit) if request.loss == "squared" else misfit
    problem = make_problem(design, target, Squared(), L0Ball(request.n_nonzero))
    return too_few_columns(problem, answer.coef, weights, request, counts, residual)


def _given(alpha, misfit):
    """The same strength for all targets."""
    return np.full(misfit.shape, alpha)


class _Answer(NamedTuple):
    coef: Any
    intercept: Any
    objective: Any
    certificate: Any
    name: str
    tol: float
    walks: list


def _request(design, target, alpha, loss, penalty, n_nonzero, candidates, scale_free, return_path) -> Request:
    for value, allowed, name in (
        (loss, LOSSES, "loss"),
        (penalty, _PENALTIES, "penalty"),
        (candidates, _CANDIDATES, "candidates"),
    ):
        if value not in allowed:
            raise ValueError(f"{name} must be {', '.join(map(repr, allowed[:-1]))} or {allowed[-1]!r}; got {value!r}.")
    if candidates == "backward" and penalty != "l0":
        raise ValueError("candidates='backward' removes columns that do not pay their price: it needs penalty='l0'.")
    if scale_free and (loss, penalty) != ("square_root", "l0"):
        raise ValueError(
            f"scale_free=True is for loss='square_root' with penalty='l0'; got {loss!r} with {penalty!r}. With 'l1' the square-root "
            "and the absolute loss do not depend on scale anyway; the squared one always does."
        )
    if return_path:
        check_single(target)
    rank = min(design.shape)
    name = "the number of features" if design.shape[1] <= design.shape[0] else "the number of samples"
    count = rank if n_nonzero is None else as_count(n_nonzero, "n_nonzero", maximum=rank, maximum_name=name)
    dtype = np_dtype(target)
    if isinstance(design, GramDesign):
        dtype = np.result_type(dtype, np.float64)
    strength = None if alpha is None else as_number(alpha, "alpha")
    precision = float(np.finfo(dtype).eps)
    return Request(loss, penalty, strength, count, candidates, bool(scale_free), bool(return_path), precision)


def _check_absolute(design, target):
    """The absolute loss needs real residuals, sample by sample."""
    if isinstance(design, GramDesign):
        raise ValueError("loss='absolute' needs the samples themselves; pass the design A, not a GramDesign.")
    if is_complex(target):
        raise ValueError(
            "loss='absolute' does not support complex data: there is no closed form for its steps; pass real arrays, or use "
            "loss='square_root'."
        )
    if not design.is_numpy:
        raise ValueError(
            "loss='absolute' needs NumPy arrays, SciPy sparse matrices or LinearOperators; convert A and y with numpy.asarray."
        )


def _solve_euclidean(design, target, request, weights, make_alpha, constant):
    tolerance = certificate_tolerance(target)
    problem = make_problem(design, target, Squared(), L0Ball(request.n_nonzero))
    width = max(1, _BLOCK // design.shape[1])
    xp = array_namespace(target)
    if target.ndim == 1 or target.shape[1] <= width:
        coef, walks = euclidean_pursuit(problem, request, weights, make_alpha)
    else:
        coefs, walks = [], []
        for start in range(0, target.shape[1], width):
            part = make_problem(_part(design, start, width), target[:, start : start + width], Squared(), L0Ball(1))
            values, some = euclidean_pursuit(part, request, weights, make_alpha)
            coefs.append(values)
            walks += some
        coef = xp.concat(coefs, axis=1)
    certificate, coef = certify_support(problem, xp.astype(coef, target.dtype), tolerance)
    misfit = np.asarray(certificate.objective)
    objective = misfit if request.loss == "squared" else np.sqrt(2.0 * misfit)
    return _Answer(coef, 0.0, objective, certificate.value, certificate.name, tolerance, walks)


def _part(design, start, width):
    """The design for some of the targets: a Gram matrix carries their norms."""
    if isinstance(design, GramDesign) and np.ndim(design.target_sq_norm) == 1:
        return GramDesign(design.matrix, design.shape[0], design.target_sq_norm[start : start + width])
    return design


def _solve_absolute(design, target, request, weights, make_alpha, constant):
    columns = as_double(target if target.ndim == 2 else target[:, None])
    coef, constants, walks = absolute_pursuit(design, columns, request, weights, make_alpha, constant)
    coef = coef.astype(target.dtype)
    value, objective = _absolute_certificate(
        design, columns, coef, constants, constant, weights == 0, request.precision
    )
    if target.ndim == 1:
        coef, constants, value, objective = coef[:, 0], constants[0], value[0], objective[0]
    intercept = 0.0 if constant is None else constants
    tolerance = certificate_tolerance(target)
    return _Answer(coef, intercept, objective, value, "absolute-deviation optimality", tolerance, walks)


def _absolute_certificate(design, target, coef, constants, constant, free, precision):
    """Optimality of every fit on its support and the free columns, and its ``||r||_1 / n_samples``, from the coefficients alone."""
    columns = Columns(design)
    values, objectives = [], []
    for p in range(target.shape[1]):
        support = np.flatnonzero((coef[:, p] != 0) | free)
        chosen, fitted = columns.design.columns(support), coef[support, p].astype(np.float64)
        if constant is not None:
            chosen, fitted = np.column_stack([constant, chosen]), np.append(constants[p], fitted)
        values.append(absolute_optimality(chosen, target[:, p], fitted, precision))
        objectives.append(np.sum(np.abs(target[:, p] - chosen @ fitted)) / target.shape[0])
    return np.array(values), np.array(objectives)


def _history(walks, single, keep_path):
    records = [walk.history(keep_path) for walk in walks]
    return records[0] if single else {name: [record[name] for record in records] for name in records[0]}
