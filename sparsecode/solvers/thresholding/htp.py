"""Hard thresholding pursuit: a thresholded gradient step chooses the support, least squares fits it.

    minimise over coef   ||y - A coef||**2   subject to at most n_nonzero non-zero coefficients
    S = the largest of  coef + A^H (y - A coef)  (columns of unit norm),   coef = argmin over supp in S of ||y - A coef||**2

There are finitely many supports, so it ends after finitely many iterations: at a fixed point, or in a cycle.

Foucart, "Hard thresholding pursuit: an algorithm for compressive sensing", 2011.
"""

from __future__ import annotations

import numpy as np

from ..._array import inner, real_like, to_numpy
from ..._validation import as_count
from ...result import SolveResult, announce
from ..certificates import column_norms, fixed_point, inverse_norms, scaled_step
from ..driver import State, drive
from ..support import make_support_fit
from .setting import Visited, broadcast_flags, narrowed, pooled, ratio, sparsity_problem, support_of, tolerance

__all__ = ["htp", "pursue", "solve_htp"]

_ROUGH = 1e-3  # accuracy of an iterative fit while the support still changes
_CYCLE = (
    "the supports run in a cycle without a fixed point, and the least residual met is returned; try another sparsity level, more "
    "samples, or another solver"
)


def htp(
    A,
    y,
    n_nonzero,
    *,
    n_gradient_steps=None,
    positive=False,
    block_size=1,
    joint=False,
    penalty_weights=None,
    sample_weight=None,
    init=None,
    max_iter=200,
    tol=1e-6,
    callback=None,
):
    """Minimise ``||y - A @ coef||^2`` subject to at most `n_nonzero` non-zero coefficients, by hard thresholding pursuit.

    Each iteration chooses the support by one thresholded gradient step and fits the coefficients on it, by least squares or,
    in the fast form, by a few gradient steps. Columns count as if they had unit norm, so their scale does not matter. An
    iteration costs one product with the design, one with its adjoint, and the fit on the support.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex. Norms of its columns are computed, for a LinearOperator of more than 64 rows without an
        attribute `column_sq_norms` by one product for each row or column.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target, or many; for a `GramDesign` the correlations ``A.conj().T @ y``.
    n_nonzero : int
        Sparsity level of each target; clipped, with a warning, to the number of features or samples.
    n_gradient_steps : int, optional
        Fast form: so many gradient steps with exact line search on the support instead of least squares. It needs more
        iterations, each cheaper where the support is large. Least squares by default.
    positive : bool, default=False
        Whether negative coefficients are forbidden; least squares on the support is then non-negative.
    block_size : int, default=1
        Coefficients ``0 .. block_size - 1``, ``block_size .. 2 block_size - 1``, ... stand or fall together; at most
        ``n_nonzero // block_size`` blocks are not zero.
    joint : bool, default=False
        Whether all targets share one support, chosen by the norms of the rows of coefficients.
    penalty_weights : array of shape (n_features,), optional
        Magnitudes are divided by their weight before the largest are kept: inf excludes a column, 0 always keeps it
        (outside the count of `n_nonzero`).
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples.
    init : array, optional
        Where to start; zeros by default.
    max_iter : int, default=200
        Iterations.
    tol : float, default=1e-6
        How far a thresholded gradient step may move the coefficients, relative to their norm. In single precision at least
        1e-5 is used.
    callback : callable, optional
        Called with a `Progress` at each iteration; return True to stop.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)``; the certificate is the relative fixed-point residual,
        ``||x - H(x + A^H (y - A x))|| / ||x||`` on unit columns. `history` holds it for every iteration: it falls to rounding
        in one step when the right support is found.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If a support comes back that is no fixed point: the least residual met on the way is returned, with status STALLED, and the
        `reason` of the result speaks of a cycle.

    See Also
    --------
    iht : No fit on the support: cheaper iterations, many more of them.
    null_space_tuning : Chooses the support by a whitened gradient, and can do without a sparsity level.

    References
    ----------
    Foucart, "Hard thresholding pursuit: an algorithm for compressive sensing", 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import htp
    >>> A = np.random.default_rng(0).standard_normal((40, 100))
    >>> coef = np.zeros(100); coef[[3, 50, 71]] = [1.0, -2.0, 3.0]
    >>> result = htp(A, A @ coef, n_nonzero=3)
    >>> result.support, result.coef[result.support].round(6), result.status.name
    (array([ 3, 50, 71]), array([ 1., -2.,  3.]), 'CONVERGED')
    """
    constraint = {"positive": positive, "block_size": block_size, "joint": joint, "penalty_weights": penalty_weights}
    run = {"n_gradient_steps": n_gradient_steps, "init": init, "max_iter": max_iter, "tol": tol, "callback": callback}
    return announce(solve_htp(A, y, n_nonzero, sample_weight=sample_weight, **constraint, **run))


def solve_htp(
    A, y, n_nonzero, *, n_gradient_steps=None, init=None, max_iter=200, tol=1e-6, callback=None, **constraint
) -> SolveResult:
    """The solve behind `htp`, without a warning; `constraint` goes to `sparsity_problem`."""
    problem = sparsity_problem(A, y, n_nonzero, **constraint)
    tol = tolerance(problem, tol)
    start = problem.start(init)
    if n_gradient_steps is None:
        fit = make_support_fit(problem, positive=problem.penalty.positive)
        steps = pursue(problem, start, fit, _chosen_support, 0.01 * tol)
    else:
        steps = _fast_steps(problem, start, as_count(n_gradient_steps, "n_gradient_steps"))
    limit = as_count(max_iter, "max_iter")
    return drive(steps, lambda coef: fixed_point(problem, coef), max_iter=limit, tol=tol, callback=callback)


def _chosen_support(problem, coef, point):
    """The support after one thresholded step of length one on unit columns."""
    wide = problem.in_double()
    moved, scale = scaled_step(wide, problem.xp.astype(coef, wide.target.dtype, copy=False), point)
    return support_of(wide, moved, scale)


def pursue(problem, coef, fit, choose, accuracy):
    """Yield least-squares fits on one support after another, until each target's support is one that was met before.

    A support met twice in a row is a fixed point; where there is a longer cycle, the least residual met is the answer. Iterative
    fits are rough on supports seen for the first time; once they come back they are fitted to `accuracy`, relative.
    """
    xp = problem.xp
    scale = column_norms(problem, coef)
    kept = support_of(problem, scale * coef, scale)
    coef = xp.where(_beside(kept, coef), coef, 0 * coef)
    fitted, met = Visited(), Visited()
    certificate = yield State(coef)
    best, least = coef, pooled(problem, certificate.objective)
    support, settled = None, np.zeros(1 if kept.ndim == 1 else kept.shape[1], dtype=bool)
    cycled = settled
    while True:
        chosen = choose(problem, coef, certificate.point)
        exact = fit.is_exact or bool(np.all(met(chosen) | settled))
        again = fitted(chosen, remember=exact) & ~settled
        if np.any(again):
            fixed = _same(chosen, support)
            best = xp.where(broadcast_flags(again & fixed, coef), coef, best)
            coef = xp.where(broadcast_flags(again, coef), best, coef)
            settled, cycled = settled | again, cycled | (again & ~fixed)
        if np.all(settled):
            if np.any(cycled) and not fit.is_exact:  # the best may be a rough fit on a support that did not come back
                mask = xp.any(coef != 0, axis=1) if kept.ndim < coef.ndim else coef != 0
                refit = narrowed(fit(mask, coef, accuracy), coef)
                coef = xp.where(broadcast_flags(cycled, coef), refit, coef)
            yield State(coef, finished=True, chosen=True, reason=_CYCLE if np.any(cycled) else "")
        refit = fit(chosen & broadcast_flags(~settled, chosen), coef, accuracy if exact else _ROUGH)
        coef, support = xp.where(broadcast_flags(settled, coef), coef, narrowed(refit, coef)), chosen
        certificate = yield State(coef)
        objective = pooled(problem, certificate.objective)
        best = xp.where(broadcast_flags(objective < least, coef), coef, best)
        least = np.fmin(objective, least)


def _fast_steps(problem, coef, n_steps):
    """Yield thresholded gradient steps, each followed by `n_steps` gradient steps on its support, for ever."""
    xp, wide = problem.xp, problem.in_double()
    scale = column_norms(problem, coef)
    kept = support_of(problem, scale * coef, scale)
    coef = xp.where(_beside(kept, coef), coef, 0 * coef)
    certificate = yield State(coef)
    inverse = inverse_norms(scale)
    while True:
        moved, wide_scale = scaled_step(wide, xp.astype(coef, wide.target.dtype, copy=False), certificate.point)
        mask = _beside(support_of(wide, moved, wide_scale), coef)
        new = inverse * xp.where(mask, xp.astype(moved, coef.dtype, copy=False), 0 * coef)
        new = xp.maximum(new, 0 * new) if problem.penalty.positive else new
        new = _fitted_roughly(problem, new, mask, inverse, n_steps)
        unchanged = not bool(xp.any(new != coef))
        coef = new
        certificate = yield State(coef, finished=unchanged)


def _fitted_roughly(problem, coef, mask, inverse, n_steps):
    """Line searches on the columns of the support alone, where these can be had and are one set for all targets."""
    shared = mask if mask.ndim == 1 else mask[:, 0] if mask.shape[1] == 1 else None
    part = None
    if problem.design.is_numpy and shared is not None:
        support = np.flatnonzero(shared)
        part = problem.select(support) if support.size else None
    if part is None:
        return _line_searches(problem, coef, mask, inverse, n_steps)
    new = 0 * coef
    new[support] = _line_searches(part, coef[support], mask[support], inverse[support], n_steps)
    return new


def _line_searches(problem, coef, mask, inverse, n_steps):
    """Exact line searches along the gradient on the mask, in the metric in which columns have unit norm."""
    xp, positive = problem.xp, problem.penalty.positive
    image = problem.image(coef)
    for _ in range(n_steps):
        descent = xp.where(mask, -problem.gradient(image) * problem.n_samples, 0 * coef)
        along = inverse * (inverse * descent)  # the square of the inverse may have no number in single precision
        along = xp.where((coef > 0) | (along > 0), along, 0 * along) if positive else along
        along_image = problem.image(along)
        length = ratio(inner(descent, along), problem.image_sq_norm(along, along_image))
        if positive and bool(xp.any(coef + real_like(length, coef) * along < 0)):
            along = xp.maximum(coef + real_like(length, coef) * along, 0 * coef) - coef
            along_image = problem.image(along)
            length = np.minimum(ratio(inner(descent, along), problem.image_sq_norm(along, along_image)), 1.0)
        coef, image = coef + real_like(length, coef) * along, image + real_like(length, coef) * along_image
        coef = xp.maximum(coef, 0 * coef) if positive else coef  # a step to the bound may round below it
    return coef


def _beside(mask, coef):
    """A support, shaped to broadcast against the coefficients."""
    return mask if mask.ndim == coef.ndim else mask[:, None]


def _same(left, right):
    """Whether two masks agree, one answer a support."""
    if right is None:
        return np.zeros(1 if left.ndim == 1 else left.shape[1], dtype=bool)
    return np.atleast_1d(np.all(to_numpy(left) == to_numpy(right), axis=0))
