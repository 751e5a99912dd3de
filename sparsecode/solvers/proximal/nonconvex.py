"""Accelerated gradient for penalties that are not convex, with the damping sequence of least complexity.

    minimise over x   loss(target, design @ x) + sum_j weights_j penalty(|x_j|)

A penalty whose slope s falls from s(0) on, by no more than its `concavity` per unit, is ``s(0) |x_j|`` plus a smooth concave
part. The smooth part joins the loss, the l1 norm keeps its soft threshold, and three sequences share one gradient:

    middle = (1 - a) x + a ahead,    a <- 2 / (1 + sqrt(1 + 4 / a**2)) from a = 1 on
    x     <- soft(middle - step * gradient(middle), step)
    ahead <- soft(ahead - step / a * gradient(middle), step / a)

With ``step < 1 / max(curvature of the loss, concavity)`` the conditions of Ghadimi and Lan hold with equality. Where `x` turns
back on itself, or the objective would rise, the damping starts anew at 1, which is a plain step.

Yang, Asgharian and Bhatnagar, "Accelerated gradient methods for sparse statistical learning with nonconvex penalties", 2022
(arXiv 2009.10629).
Ghadimi and Lan, "Accelerated gradient methods for nonconvex nonlinear and stochastic programming", 2016 (arXiv 1310.3787).
"""

from __future__ import annotations

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, inner, sq_norm, to_numpy
from ...penalties import L1
from ..advice import announce_solve
from ..driver import State
from ..method import Method
from ._reference import Reference
from .forward_backward import drive_proximal, first_curvature, forward_backward_step, is_due, smooth_problem

__all__ = ["NONCONVEX_AG", "nonconvex_ag"]


def nonconvex_ag(
    A,
    y,
    loss=None,
    penalty=None,
    *,
    penalty_weights=None,
    sample_weight=None,
    init=None,
    max_iter=10_000,
    tol=1e-6,
    callback=None,
):
    """Minimise ``loss(y, A @ coef) + sum_j weights_j penalty(coef_j)`` for a concave penalty by accelerated gradient.

    The published damping sequence, with two additions: the step comes from backtracking, so no norm of `A` is needed, and the
    sequence starts anew, target by target, where it turns back or the objective would rise. So the objective never rises.
    Every namespace of the array API, real and complex data, many targets at once.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; for a `GramDesign` the correlations ``A.conj().T @ y``.
    loss : loss, default=Squared()
        A smooth loss, also inside `WithIntercept`.
    penalty : penalty
        `MCP`, `SCAD`, `LogSum`, `CEL0`, or one of your own with a `slope` that is finite at zero and a `concavity`.
    penalty_weights : array of shape (n_features,), optional
        Each from 0 (unpenalised) to inf (excluded).
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples; they are scaled to mean one.
    init : array, optional
        Where to start; zeros by default.
    max_iter : int, default=10_000
        Iterations: one product with the adjoint of `A` and two with `A`, from the columns of the support where these are few.
    tol : float, default=1e-6
        For the stationarity residual relative to its size at zero. In single precision at least 1e-6 is used.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    SolveResult
        The certificate is the relative stationarity, which proves a stationary point, not a global minimum.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, the loss is not smooth, or the penalty cannot be split.

    Warns
    -----
    ConvergenceWarning
        Once, if the certificate misses the tolerance.

    References
    ----------
    Yang, Asgharian and Bhatnagar, "Accelerated gradient methods for sparse statistical learning with nonconvex penalties",
    2022, arXiv 2009.10629.
    Ghadimi and Lan, "Accelerated gradient methods for nonconvex nonlinear and stochastic programming", 2016,
    arXiv 1310.3787.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import MCP, nonconvex_ag
    >>> nonconvex_ag(2 * np.eye(4), np.array([8.0, 0.2, -1.0, 0.0]), penalty=MCP(0.25, gamma=3.0)).coef.round(4)
    array([ 4.   ,  0.   , -0.375,  0.   ])
    """
    problem = smooth_problem(A, y, loss, penalty, penalty_weights, sample_weight)
    if not _splits(problem.penalty):
        raise ValueError(
            f"{type(penalty).__name__} is no l1 norm plus a smooth concave part; nonconvex_ag takes MCP, SCAD, LogSum or CEL0. "
            "Use fista or ista."
        )
    steps = _steps(problem, problem.start(init))
    return announce_solve(problem, drive_proximal(problem, steps, max_iter, tol, callback))


class _Split:
    """The penalty as a weighted l1 norm, which enters by its prox, and a concave rest, which enters by its gradient."""

    def __init__(self, problem):
        penalty, xp = problem.penalty, problem.xp
        zero = xp.zeros((1,), dtype=xp.float64)
        self.penalty, self.top = penalty, float(penalty.slope(zero)[0])
        self.convex = problem.with_penalty(L1(self.top, positive=getattr(penalty, "positive", False)))
        weights, largest = problem.coef_weights, 1.0
        self.weights = weights
        if weights is not None:
            self.weights = as_double(xp.where(xp.isinf(weights), xp.zeros_like(weights), weights))
            largest = float(xp.max(self.weights))
        self.concavity = largest * penalty.concavity

    def gradient(self, coef):
        """Gradient of the concave part."""
        xp = self.convex.xp
        size = xp.abs(coef)
        fall = self.penalty.slope(size) - self.top
        fall = fall if self.weights is None else self.weights * fall
        return fall / xp.where(size > 0, size, xp.ones_like(size)) * coef

    def feasible(self, coef):
        """The nearest coefficients that the penalty allows."""
        return self.convex.penalty.prox(coef, 0.0)


def _rise(problem, reference, gradient, middle, new, old):
    """By how much the objective is higher at `new` than at `old`, and how much of that may be rounding; one number a target.

    Each of the three points is a pair of coefficients and image; the gradient of the misfit is that at `middle`.
    """
    linear = to_numpy(problem.in_total(inner(gradient, new[0] - old[0])))
    bends = [to_numpy(reference.bregman(coef - middle[0], image, middle[1])) for coef, image in (new, old)]
    prices = [to_numpy(problem.penalty_value(coef)) for coef, _ in (new, old)]
    narrow, wide = float(problem.xp.finfo(problem.target.dtype).eps), np.finfo(np.float64).eps
    rounding = 4 * narrow * (np.abs(linear) + sum(bends)) + 4 * wide * prices[0]
    return linear + bends[0] - bends[1] + prices[0] - prices[1], rounding


def _steps(problem, start):
    """Yield the iterates, for ever; one damping a target, one step for all."""
    xp, split, reference = problem.xp, _Split(problem), Reference(problem)
    coef = ahead = as_double(split.feasible(start))
    image = reference.image(split.feasible(start))
    certificate = yield State(split.feasible(start))
    gradient = problem.gradient_from(certificate, image)
    curvature = max(first_curvature(problem, gradient, image), split.concavity)
    if reference.move(coef, certificate):
        image = 0 * image
    damping = np.ones(() if problem.is_joint else coef.shape[1:])
    iteration = 0
    while True:
        before, weight = curvature, _per_target(damping, coef)
        middle, middle_image = coef, image
        if np.any(damping < 1):
            middle = coef + weight * (ahead - coef)
            middle_image = reference.image(middle)
        gradient = reference.gradient(middle_image)
        slope = gradient + split.gradient(middle)
        new, new_image, change, curvature = forward_backward_step(
            split.convex, reference, middle, middle_image, slope, curvature
        )
        length = _per_target(1.0 / (max(before, curvature) * damping), coef)
        ahead = split.convex.prox(ahead - length * slope, length)
        curvature = max(curvature, split.concavity)

        rise, rounding = _rise(problem, reference, gradient, (middle, middle_image), (new, new_image), (coef, image))
        higher = ~(rise <= rounding)
        turned = to_numpy(problem.in_total(inner(change, new - coef))) < 0
        moved = to_numpy(problem.in_total(sq_norm(new - coef) + sq_norm(change))) > 0
        finished = not np.any(np.where(higher, damping < 1, moved))
        keep, restart = _mask(higher, coef), _mask(higher | turned, coef)
        coef, image = xp.where(keep, coef, new), xp.where(keep, image, new_image)
        ahead = xp.where(restart, coef, ahead)
        damping = np.where(higher | turned, 1.0, 2.0 / (1.0 + np.sqrt(1.0 + 4.0 / damping**2)))
        iteration += 1
        certificate = yield State(reference.narrow(coef), is_due(problem, iteration), finished)
        if reference.move(coef, certificate):
            image = 0 * image


def _per_target(values, like):
    """Numbers, one a target, as an array that broadcasts against coefficients."""
    return asarray_like(np.asarray(values), like, dtype=array_namespace(like).float64)


def _mask(chosen, like):
    """The same for truth values."""
    return asarray_like(np.asarray(chosen), like, dtype=array_namespace(like).bool)


def _splits(penalty):
    """Whether it is an l1 norm plus a smooth concave function of each modulus."""
    return hasattr(penalty, "concavity") and hasattr(penalty, "slope") and not penalty.is_convex


def _suits(problem):
    """Whether the loss is smooth and the penalty splits."""
    return problem.loss.is_smooth and _splits(problem.penalty)


def _run(problem, coef, memory, *, tol, max_iter, callback=None):
    return drive_proximal(problem, _steps(problem, coef), max_iter, tol, callback)


NONCONVEX_AG = Method("nonconvex_ag", _suits, _run)
