"""The sparsest explanation of a target in the l1 norm: exact (basis pursuit), or up to a given noise (denoising).

minimise over x   sum_j penalty_weights_j |x_j|        subject to   ||y - A x|| <= noise

A Lasso of strength alpha solves it for the noise that its own residual has, and gives the dual point: that residual itself.
So one number is sought. The squared size of the residual is linear in the squared strength while the support stays, which a
secant in squares uses. Without noise the strength falls until the fit on the support of a Lasso interpolates the target.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .._array import attainable, norm, to_numpy
from .._parallel import blas_for_products
from .._validation import as_count, as_number
from ..designs import GramDesign
from ..losses import Squared
from ..penalties import L1
from ..result import SolveResult
from .advice import announce_solve
from .alpha_max import largest_strength
from .certificates import constrained_gap
from .coordinate.square_root import SecantInSquares
from .driver import State, drive
from .interpolation import aligned, free_start, interpolated, least_moduli
from .methods import choose
from .problem import make_problem
from .solve import pose
from .targets import joined_history, one_target, worst_status

__all__ = ["basis_pursuit"]

_FIRST = 0.1  # strength of the first solve over the one with a zero answer
_FALL = 0.03  # of the strength at most, in one solve
_FLOOR = 1e-9  # strengths below, over the same, change nothing but rounding
_NEAR = 1e-3  # changes of the strength after which solves are as exact as can be
_POLISH, _POLISH_GRADIENT = 3, 300  # rounds of working sets, iterations of gradients, of such a solve
_INNER_ITERATIONS = 2_000
_PATIENCE = 4
_ROUNDING = 1e-14  # of the largest correlation, or of the target: what is no more is nothing
_CLOSE = 0.01  # of the tolerance: the gap of a path inside the dual


def basis_pursuit(
    A,
    y,
    *,
    noise=0.0,
    penalty_weights=None,
    sample_weight=None,
    positive=False,
    max_iter=100,
    tol=1e-6,
    callback=None,
) -> SolveResult:
    """Minimise ``sum_j penalty_weights_j |coef_j|`` subject to ``||y - A @ coef|| <= noise``.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target. Many targets are independent problems.
    noise : float, default=0.0
        Norm that the residual may have, in the units of `y`; with 0 the target has to be met exactly. For noise of standard
        deviation sigma pass ``sigma * sqrt(n_samples)``.
    penalty_weights : array of shape (n_features,), optional
        Each from 0 (unpenalised) to inf (excluded).
    sample_weight : array of shape (n_samples,), optional
        Weights of the squares in the norm of the residual: a sample of weight 2 counts like two samples.
    positive : bool, default=False
        Whether negative coefficients are forbidden; needs real data.
    max_iter : int, default=100
        Lasso solves.
    tol : float, default=1e-6
        For the duality gap relative to the objective, and for the infeasibility relative to the norm of `y`. In single precision
        at least 1e-5 is used.
    callback : callable, optional
        Called with a `Progress` after each Lasso; return True to stop.

    Returns
    -------
    SolveResult
        The certificate is the larger of the duality gap, relative to the objective, and of ``max(||y - A @ coef|| - noise, 0)``,
        relative to ``||y||``; both are recomputed in float64 from the coefficients and a dual point.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or `noise` or a weight is negative.

    Warns
    -----
    ConvergenceWarning
        Once, if the certificate misses the tolerance: also where no coefficients come as near to `y` as `noise` asks.

    See Also
    --------
    BasisPursuit : The estimator.
    lasso : The same trade-off, given by its price instead of the noise.

    Notes
    -----
    Real NumPy, sparse and matrix-free data are solved by working sets, others (complex, PyTorch, CuPy) by accelerated gradients.
    These take many iterations to an exact fit by as many coefficients as there are samples (or, complex ones, up to twice as
    many), which is then found on the CPU by an interior-point method, for up to about a thousand samples.

    References
    ----------
    Chen, Donoho and Saunders, "Atomic decomposition by basis pursuit", 1998.
    van den Berg and Friedlander, "Probing the Pareto frontier for basis pursuit solutions", 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import basis_pursuit
    >>> A = np.array([[1.0, 0.0, 0.8], [0.0, 1.0, 0.6]])
    >>> basis_pursuit(A, np.array([4.0, 3.0])).coef.round(6)
    array([0., 0., 5.])
    >>> basis_pursuit(A, np.array([4.0, 3.0]), noise=1.0).coef.round(6)
    array([0., 0., 4.])
    """
    noise = as_number(noise, "noise")
    weights = {"penalty_weights": penalty_weights, "sample_weight": sample_weight}
    problem = pose(A, y, Squared(), L1(1.0, bool(positive)), **weights)
    if sample_weight is not None:  # the problem's weights have mean one
        noise /= float(np.sqrt(np.mean(np.asarray(sample_weight, dtype=np.float64))))
    if isinstance(problem.design, GramDesign):
        raise ValueError("basis_pursuit needs residuals, which a GramDesign does not have; pass the design itself.")
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": as_number(tol, "tol"), "callback": callback}
    if problem.target.ndim == 1:
        return announce_solve(problem, _run(problem, noise, {}, **options))
    kept: dict = {}
    results = [_run(_column(problem, k), noise, kept, **options) for k in range(problem.target.shape[1])]
    return announce_solve(problem, _stacked(problem, results))


def _column(problem, column):
    """The problem of one target, in any namespace."""
    if problem.design.is_numpy:
        return one_target(problem, column)
    weights = problem.penalty_weights
    weights = None if weights is None else to_numpy(weights)
    return make_problem(problem.design, problem.target[:, column], Squared(), problem.penalty, penalty_weights=weights)


def _stacked(problem, results):
    """The results of all targets as one."""
    certificate = np.array([result.certificate for result in results])
    return replace(
        results[0],
        coef=problem.xp.stack([result.coef for result in results], axis=1),
        status=worst_status(results, certificate, results[0].tol),
        n_iter=max(result.n_iter for result in results),
        objective=np.array([result.objective for result in results]),
        certificate=certificate,
        history=joined_history(results),
    )


def _run(problem, noise, kept, *, max_iter, tol, callback):
    """One target. No warning."""
    tol, lassos = attainable(tol, problem.target, least=1e-5), _Lassos(problem, kept)
    steps = _exact_steps(lassos, tol) if noise == 0.0 else _noisy_steps(lassos, noise, tol)
    with blas_for_products(problem.design.shape):
        return drive(
            steps,
            lambda coef: constrained_gap(problem, coef, lassos.residual, noise),
            max_iter=max_iter,
            tol=tol,
            callback=callback,
        )


class _Lassos:
    """Lasso solves of one problem in double precision, each from the last."""

    residual: Any = None  # of the last solve: the dual point

    def __init__(self, problem, kept):
        self.problem, self.kept, self._dtype = problem.in_double(), kept, problem.target.dtype
        self.top = float(np.max(largest_strength(self.problem)))
        if self.top <= _ROUNDING * float(self.problem.xp.max(self.problem.xp.abs(self.problem.at_zero().correlation))):
            self.top = 0.0
        self.coef = free_start(self.problem)
        self.first_left = float(norm(self.problem.target - self.problem.design.product(self.coef)))

    def first_state(self, noise):
        """Where all begins: the fit of what is not charged, which is the answer if no other column correlates with the rest."""
        beyond = self.top == 0.0 and self.first_left > max(noise, _ROUNDING * self.target_size)
        reason = _out_of_reach(self, self.first_left) if beyond else ""
        return self.state(self.coef, self.top == 0.0, reason)

    def state(self, coef, finished=False, reason=""):
        """What is yielded: coefficients in the precision of the data."""
        return State(self.problem.xp.astype(coef, self._dtype, copy=False), finished=finished, reason=reason)

    @property
    def are_exact(self):
        """Whether working sets solve them: gradients take long to reach supports as large as the sample."""
        return self.kept["method"].each_target

    @property
    def target_size(self):
        """Norm of the target."""
        return float(norm(self.problem.target))

    def solve(self, strength, tol, last=False):
        """Solve to a relative gap, or, if it is one of the last, as exactly as possible; the norm of the residual."""
        problem = self.problem.with_penalty(self.problem.penalty._replace(alpha=float(strength)))
        if "method" not in self.kept:
            self.kept["method"] = choose(problem)
            self.kept["memory"] = self.kept["method"].remember(problem)
        method = self.kept["method"]
        options = {"tol": tol, "max_iter": _INNER_ITERATIONS}
        if last:
            options = {"tol": 0.0, "max_iter": _POLISH if method.each_target else _POLISH_GRADIENT}
        self.coef = method.run(problem, self.coef, self.kept["memory"], **options).coef
        self.residual = self.problem.target - self.problem.design.product(self.coef)
        return float(norm(self.residual))


def _exact_steps(lassos, tol):
    """Yield the coefficients that interpolate on the supports of Lassos of falling strength.

    Where Lassos come from gradients, what the first support misses is found by a path inside the dual, whatever the support.
    """
    yield lassos.first_state(0.0)
    strength, inside_known = _FIRST * lassos.top, False
    while True:
        left = lassos.solve(strength, max(0.05 * tol * strength / lassos.top, 1e-14))
        coef = interpolated(lassos.problem, lassos.coef)
        if coef is not None:
            scaled = lassos.residual / (lassos.problem.n_samples * strength)
            lassos.residual = aligned(lassos.problem, coef, scaled, 1.0)
        lowest = strength <= _FLOOR * lassos.top
        last = lowest and inside_known
        yield lassos.state(lassos.coef if coef is None else coef, last, _out_of_reach(lassos, left) if last else "")
        if not inside_known and (lowest or not lassos.are_exact):
            inside_known, found = True, least_moduli(lassos.problem, lassos.residual, _CLOSE * tol)
            if found is not None:
                coef, lassos.residual = found
                yield lassos.state(coef)
        strength = max(_FALL * strength, _FLOOR * lassos.top)


def _noisy_steps(lassos, noise, tol):
    """Yield the coefficients of Lassos whose strength approaches the one at which the residual has the norm `noise`."""
    yield lassos.first_state(noise)
    secant, top = SecantInSquares(), lassos.top
    secant.add(top, lassos.first_left)
    strength, before, wanted, low, high = _FIRST * top, top, 0.03, 0.0, top
    least, idle = np.inf, 0
    while True:
        near = abs(before - strength) <= _NEAR * strength
        left = lassos.solve(strength, max(wanted * strength / top, 1e-14), near)
        secant.add(strength, left)
        low, high = (max(low, strength), high) if left < noise else (low, min(high, strength))
        wanted = max(0.1 * wanted, 0.01 * tol)
        lowest = high <= _FLOOR * top
        reason = _out_of_reach(lassos, left) if lowest else ""
        certificate = yield lassos.state(lassos.coef, lowest or idle >= _PATIENCE, reason)
        if near:
            idle = 0 if certificate.value < 0.5 * least else idle + 1
            least = min(least, float(certificate.value))
        before, strength = strength, _next_strength(secant, strength, left, noise, top)


def _out_of_reach(lassos, left):
    """What is said where even a vanishing strength leaves a residual of norm `left`."""
    return (
        f"no coefficients found come nearer to y than a residual of norm {left:.3g} ({left / lassos.target_size:.1e} of that of y); "
        "pass a noise above it"
    )


def _next_strength(secant, strength, left, noise, top):
    """Where the line in squares meets the noise, on the right side of the last strength."""
    line = secant.line()
    aim = strength * noise / left if left > 0 else 1.0 / _FALL * strength
    if line is not None and line[1] > 0:
        level, slope = line
        aim = np.sqrt(max((noise**2 - level) / slope, 0.0))
    if left > noise:
        return max(min(aim, strength), _FALL * strength, 0.5 * _FLOOR * top)
    return min(max(aim, strength), strength / _FALL, top)
