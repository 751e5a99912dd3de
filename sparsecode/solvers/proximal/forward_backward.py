"""Proximal gradient, plain (ISTA) and accelerated with adaptive restart (FISTA).

    minimise over coef   loss(target, design @ coef) + sum_j weights_j penalty(coef_j)

Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", 2009.
O'Donoghue and Candes, "Adaptive restart for accelerated gradient schemes", 2012 (arXiv 1204.3982).
"""

from __future__ import annotations

import numpy as np

from ..._array import as_double, asarray_like, attainable, inner, is_single, real_dtype, sq_norm, to_numpy
from ..._validation import as_count, as_number
from ..advice import announce_solve, warn_without_penalty
from ..certificates import certificate_of, longest_step
from ..driver import State, drive, with_intercept
from ..method import Method
from ..parts import as_parts
from ..problem import make_problem
from ._reference import Reference

__all__ = ["FISTA", "ISTA", "accelerated_steps", "drive_proximal", "fista", "ista", "plain_steps"]

_CERTIFY_FIRST = 10
_CERTIFY_EVERY = 20  # a certificate costs one iteration: 5 % of the time
_CERTIFY_SINGLE = 40  # and about three where single precision is widened for it
_LEAP, _RELAX = 8.0, 0.9  # by how much the curvature of a misfit that has no greatest one rises at once, and falls
_ROUNDING = 1e3  # curvature is not measured along changes of fewer units in the last place than this


def fista(
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
    """Minimise ``loss(y, A @ coef) + sum_j weights_j penalty(coef_j)`` by accelerated proximal gradient.

    The step comes from backtracking on the curvature met, so no norm of `A` is needed; the momentum is restarted, target
    by target, whenever it points uphill. Every namespace of the array API, real and complex data, many targets at once.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; for a `GramDesign` the correlations ``A.conj().T @ y``.
    loss : loss, default=Squared()
        A smooth loss: `Squared` (which carries the factor ``1 / (2 n_samples)``), `Huber`, `Logistic`, `Multinomial`, `Poisson`,
        each also inside `WithIntercept` for a constant that is not penalised.
    penalty : penalty
        For example ``L1(alpha)``.
    penalty_weights : array of shape (n_features,), optional
        Each from 0 (unpenalised) to inf (excluded).
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples; they are scaled to mean one.
    init : array, optional
        Where to start; zeros by default.
    max_iter : int, default=10_000
        Iterations: one product with `A` and one with its adjoint each.
    tol : float, default=1e-6
        For a convex penalty the duality gap relative to the objective at zero, otherwise the stationarity residual relative to
        its size at zero (for l0 and lq, the prox residual). Every target must reach it. In single precision at least 1e-6 is used.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    SolveResult
        The certificate is the relative duality gap, or the relative stationarity if the penalty is not convex or of strength
        zero. One number for all targets where loss or penalty joins them.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or the loss is not smooth.

    Warns
    -----
    ConvergenceWarning
        Once, if the certificate misses the tolerance.

    References
    ----------
    Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", 2009.
    O'Donoghue and Candes, "Adaptive restart for accelerated gradient schemes", 2012, arXiv 1204.3982.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1, fista
    >>> result = fista(np.eye(4), np.array([4.0, 0.1, -8.0, 0.0]), penalty=L1(0.5))
    >>> result.coef
    array([ 2.,  0., -6.,  0.])
    """
    problem = smooth_problem(A, y, loss, penalty, penalty_weights, sample_weight)
    steps = accelerated_steps(problem, problem.start(init))
    return announce_solve(problem, drive_proximal(problem, steps, max_iter, tol, callback))


def ista(
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
    """Minimise ``loss(y, A @ coef) + sum_j weights_j penalty(coef_j)`` by plain proximal gradient.

    The objective never rises, for any penalty with a prox; `fista` is faster on convex ones. Parameters, return value and
    errors are those of `fista`.

    Parameters
    ----------
    A, y, loss, penalty, penalty_weights, sample_weight, init, max_iter, tol, callback
        As for `fista`.

    Returns
    -------
    SolveResult
        As for `fista`.

    References
    ----------
    Daubechies, Defrise and De Mol, "An iterative thresholding algorithm for linear inverse problems with a sparsity
    constraint", 2004, arXiv math/0307152.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1, ista
    >>> ista(np.eye(2), np.array([4.0, 0.1]), penalty=L1(0.5)).coef
    array([3., 0.])
    """
    problem = smooth_problem(A, y, loss, penalty, penalty_weights, sample_weight)
    steps = plain_steps(problem, problem.start(init))
    return announce_solve(problem, drive_proximal(problem, steps, max_iter, tol, callback))


def smooth_problem(A, y, loss, penalty, penalty_weights, sample_weight):
    loss, penalty = as_parts(loss, penalty)
    if not loss.is_smooth:
        raise ValueError(
            f"{type(loss).__name__} has no Lipschitz gradient; proximal gradient needs a smooth loss such as Squared()."
        )
    if not hasattr(penalty, "prox"):
        raise ValueError(
            f"penalty {type(penalty).__name__} lacks prox, of which proximal gradient is made; use solve(A, y, ...)."
        )
    problem = make_problem(A, y, loss, penalty, penalty_weights=penalty_weights, sample_weight=sample_weight)
    warn_without_penalty(problem.loss, problem.penalty, problem.target)
    return problem


def drive_proximal(problem, steps, max_iter, tol, callback):
    """The loop around proximal gradient steps, with the certificate that the penalty allows. No warning."""
    certificate = certificate_of(problem)
    tol = attainable(as_number(tol, "tol"), problem.target)
    result = drive(
        steps,
        lambda coef: certificate(problem, coef),
        max_iter=as_count(max_iter, "max_iter"),
        tol=tol,
        callback=callback,
    )
    return with_intercept(problem, result)


def is_due(problem, iteration):
    """Whether an iterate is worth a certificate: at intervals, and early where that is cheap."""
    if is_single(problem.target):
        return iteration % _CERTIFY_SINGLE == 0
    return iteration == _CERTIFY_FIRST or iteration % _CERTIFY_EVERY == 0


def first_curvature(problem, gradient, image):
    """Curvature of the misfit along its own gradient: a lower bound of the Lipschitz constant, for one product."""
    gradient = problem.without_excluded(gradient)
    gradient = gradient / (float(problem.xp.max(problem.xp.abs(gradient))) or 1.0)  # its square may be no number
    bend = to_numpy(problem.curvature_along(gradient, problem.image(gradient), image))
    size = to_numpy(problem.in_total(sq_norm(gradient)))
    return float(np.max(bend / np.where(size > 0, size, 1.0))) or 1.0


def forward_backward_step(problem, reference, point, image, gradient, curvature):
    """A gradient step, a prox, and the curvature that made the step a descent step.

    The misfit need not have a greatest curvature: a trial step that went far too far says little about it here, so it rises
    by a factor at most, and where less was met than expected the next step may be longer.
    """
    bends = not problem.loss_is_quadratic
    noise = (_ROUNDING * problem.xp.finfo(image.dtype).eps) ** 2 * to_numpy(problem.in_total(sq_norm(point)))
    curvature = max(curvature, 1.0 / longest_step(problem))
    while True:
        coef = problem.prox(point - gradient / curvature, 1.0 / curvature)
        coef_image = reference.image(coef)
        change = coef - point
        moved = to_numpy(problem.in_total(sq_norm(change)))
        bend = 2.0 * to_numpy(reference.bregman(change, coef_image, image))
        met = float(np.max(np.divide(bend, moved, out=np.zeros_like(bend), where=moved > noise)))
        if not met > curvature * (1 + 1e-6):
            return coef, coef_image, change, _RELAX * curvature if bends and met < 0.5 * curvature else curvature
        curvature = max(1.25 * curvature, 1.05 * met if not bends else min(1.05 * met, _LEAP * curvature))


def plain_steps(problem, start):
    """Yield proximal gradient iterates, for ever."""
    reference = Reference(problem)
    coef, image, curvature = as_double(start), reference.image(start), None
    certificate = yield State(start)
    iteration = 0
    while True:
        if reference.move(coef, certificate):
            image, gradient = 0 * image, reference.gradient_there
        else:
            gradient = reference.gradient(image)
        curvature = curvature or first_curvature(problem, gradient, image)
        coef, image, change, curvature = forward_backward_step(problem, reference, coef, image, gradient, curvature)
        iteration += 1
        finished = not bool(problem.xp.any(change != 0))
        certificate = yield State(reference.narrow(coef), is_due(problem, iteration), finished)


def accelerated_steps(problem, start):
    """Yield FISTA iterates, for ever; momentum restarts when the step opposes it (one target at a time)."""
    xp, dtype = problem.xp, real_dtype(problem.xp, problem.target.dtype)
    reference = Reference(problem)
    coef, image = as_double(start), reference.image(start)
    certificate = yield State(start)
    gradient = problem.gradient_from(certificate, image)
    curvature = first_curvature(problem, gradient, image)
    if reference.move(coef, certificate):
        image = 0 * image
    look_ahead, look_ahead_image = coef, image
    momentum = np.ones(() if problem.is_joint else coef.shape[1:])  # FISTA's t, one a target
    iteration = 0
    while True:
        new, new_image, change, curvature = forward_backward_step(
            problem, reference, look_ahead, look_ahead_image, gradient, curvature
        )
        step, image_step = new - coef, new_image - image
        uphill = to_numpy(problem.in_total(inner(change, step))) < 0
        momentum = np.where(uphill, 1.0, momentum)
        next_momentum = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        weight = asarray_like(np.where(uphill, 0.0, (momentum - 1.0) / next_momentum), coef, dtype=xp.float64)
        coef, image, momentum = new, new_image, next_momentum
        iteration += 1
        finished = not bool(xp.any((change != 0) | (step != 0)))
        certificate = yield State(reference.narrow(coef), is_due(problem, iteration), finished)
        if reference.move(coef, certificate):
            image = 0 * image
        look_ahead = coef + weight * step
        look_ahead_image = reference.settled(image + xp.astype(weight, dtype) * image_step)
        gradient = reference.gradient(look_ahead_image)


def _suits(problem):
    """Whether the misfit has a gradient and the penalty a prox."""
    return problem.loss.is_smooth and hasattr(problem.penalty, "prox")


def _runner(make_steps):
    def run(problem, coef, memory, *, tol, max_iter, callback=None, screening=False):
        return drive_proximal(problem, make_steps(problem, coef), max_iter, tol, callback)

    return run


FISTA = Method("fista", _suits, _runner(accelerated_steps))
ISTA = Method("ista", _suits, _runner(plain_steps))
