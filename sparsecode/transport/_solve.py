"""Entropic transport between two vectors of masses, by the solver that suits."""

from __future__ import annotations

from functools import partial

import numpy as np

from .._parallel import single_threaded_blas, worker_pool
from .._validation import as_count, as_number
from .._warnings import warn
from ..result import Status, announce
from ._certificate import certify
from ._costs import as_cost, part_of
from ._masses import as_masses
from ._plan import PLANS, make_plan
from ._problem import Outcome, Problem, Record
from ._result import TransportResult
from ._sinkhorn import sinkhorn_sweeps
from ._start import as_potentials

__all__ = ["by_newton", "by_sweeps", "solve", "solved"]

_AIM = 0.95  # share of the tolerance that solvers aim at: the certificate is computed afresh
_STEEP = 2000.0  # extent of the costs over reg beyond which sweeps need not be tried
_SWEEPS, _LOOK = 80, 10  # sweeps that cost what Newton's path does, and how often they are counted
_NEAR = 1e-3  # marginal error from which Newton's steps need no path
_LEFT_OUT = 0.01  # share of the tolerance that entries left out of compressed rows weigh together
_REASONS = {
    Status.MAX_ITER: "the iteration limit was reached; raise max_iter, loosen tol, take a larger reg, or solver='auto'",
    Status.STALLED: "rounding, or parts of the plan that hardly exchange mass, stop all progress; loosen tol, take a larger reg, "
    "or solver='auto'",
}


def solve(
    a, b, cost, reg, *, solver="auto", tol=1e-9, max_iter=10_000, initial=None, plan="csr", n_jobs=None, callback=None
) -> TransportResult:
    """Entropic optimal transport with a sparse plan and its proof.

        min_{P >= 0, P 1 = a, P^T 1 = b}  <C, P> + reg * sum_ij P_ij (log P_ij - 1)

    Its dual, of the same value, is ``max_{f, g} <a, f> + <b, g> - reg sum_ij exp((f_i + g_j - C_ij) / reg)``, and the plan
    is ``P_ij = exp((f_i + g_j - C_ij) / reg)``. As reg goes to 0 the plan becomes one of the linear program; where exactly
    that is wanted, and n and m are a few thousands at most, an exact solver such as ``ot.emd`` is the better tool.

    Parameters
    ----------
    a : array of shape (n,), or None
        Masses of the sources, not negative; None for equal ones.
    b : array of shape (m,), or None
        Masses of the targets, of the same total; None for equal ones.
    cost : array of shape (n, m), PointCost or GridCost
        What a unit of mass pays from source i to target j.
    reg : float
        Strength of the entropy, positive, in the units of the cost.
    solver : {"auto", "sinkhorn", "newton"}, default="auto"
        "sinkhorn": sweeps with extrapolation. "newton": sparse Newton steps at smaller and smaller regularisations. "auto":
        sweeps while they promise to end soon, else Newton steps.
    tol : float, default=1e-9
        Marginal error ``(|P 1 - a|_1 + |P^T 1 - b|_1) / sum(a)`` at which to stop.
    max_iter : int, default=10_000
        Sweeps and Newton steps at most.
    initial : TransportResult or tuple of two arrays, optional
        Potentials (f, g) to start from; where they are not finite they start at 0.
    plan : {"csr", "dense", "lazy"}, default="csr"
        Form of the plan: compressed rows without its negligible entries, an array, or an operator.
    n_jobs : int, optional
        Threads; all cores by default. The answer does not depend on them.
    callback : callable, optional
        Called with ``stage, n_iter, reg, marginal_error, seconds`` as one named tuple after each iteration; a true answer stops.

    Returns
    -------
    TransportResult
        Potentials, plan, and certificates recomputed from them.

    Raises
    ------
    ValueError
        If masses are negative, not finite, or differ in total; if the cost is not finite; if shapes disagree, or an option is
        not known.

    Warns
    -----
    ConvergenceWarning
        If the marginal error is above the tolerance at the end.
    RuntimeWarning
        If the tolerance is below what float64 can reach at this reg; the reachable one is used.

    See Also
    --------
    sinkhorn, sinkhorn_newton_sparse : The two solvers, with their own options.
    TransportResult : What is returned.
    PointCost : Costs between points, made when they are needed.
    GridCost : Costs on a grid, axis by axis.

    Notes
    -----
    Masses of zero take no part: their potentials are -inf, their rows or columns of the plan are zero. ``tol`` is relative to
    the total mass. Arrays of any namespace and precision come in; NumPy arrays of float64 are computed with and come out.

    References
    ----------
    Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", 2013 (arXiv 1306.0895).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.transport import solve
    >>> cost = np.array([[0.0, 1.0, 4.0], [1.0, 0.0, 1.0]])
    >>> result = solve([0.5, 0.5], [0.25, 0.25, 0.5], cost, reg=0.02)
    >>> result.plan.toarray().round(3)
    array([[0.25, 0.25, 0.  ],
           [0.  , 0.  , 0.5 ]])
    >>> bool(result.lower_bound <= 0.75 <= result.upper_bound + 1e-15), result.gap < 1e-9
    (True, True)
    """
    if solver not in _SOLVERS:
        raise ValueError(f"solver must be one of {', '.join(map(repr, _SOLVERS))}; got {solver!r}.")
    options = {
        "tol": tol,
        "max_iter": max_iter,
        "initial": initial,
        "plan": plan,
        "n_jobs": n_jobs,
        "callback": callback,
    }
    return solved(a, b, cost, reg, _SOLVERS[solver], **options)


def solved(a, b, cost, reg, method, *, tol, max_iter, initial, plan, n_jobs, callback) -> TransportResult:
    """What every public solver shares: checks, the method among the positive masses, the certified result."""
    if plan not in PLANS:
        raise ValueError(f"plan must be one of {', '.join(map(repr, PLANS))}; got {plan!r}.")
    reg, tol = as_number(reg, "reg", strict=True), as_number(tol, "tol", strict=True)
    max_iter = as_count(max_iter, "max_iter")
    cost = as_cost(cost)
    masses = as_masses(a, b, cost.shape)
    whole = Problem(None, None, cost, reg, n_jobs)
    problem = _of_positive(masses, whole)
    tol = _reachable(tol, cost, reg)
    f, g = as_potentials(initial, masses, problem, cost.shape)
    record = Record(callback)
    with worker_pool(n_jobs), single_threaded_blas():
        outcome = method(problem, f, g, tol=_AIM * tol, max_iter=max_iter, record=record, warm=initial is not None)
        result = _finish(whole, problem, masses, outcome, plan, tol, record)
    announce(result)
    return result


def by_sweeps(problem, f, g, *, warm, **options):
    """Sweeps need no path, from wherever they start."""
    return sinkhorn_sweeps(problem, f, g, **options)


def by_newton(problem, f, g, **options):
    """Newton steps, whose compiled code is loaded with the first of them."""
    from ._newton import newton_path

    return newton_path(problem, f, g, **options)


def by_either(problem, f, g, *, tol, max_iter, record, warm):
    """Sweeps while they promise to end soon, Newton steps where they do not, sweeps again where Newton's steps find no way."""
    options = {"tol": tol, "max_iter": max_iter, "record": record}
    low, high = problem.cost.extent()
    outcome = Outcome(f, g, np.inf)
    if warm or high - low <= _STEEP * problem.reg:
        outcome = sinkhorn_sweeps(problem, f, g, **options, patience=partial(_promising, tol))
        if outcome.error <= tol or outcome.interrupted or record.n_iter >= max_iter:
            return outcome
    near = outcome.error <= _NEAR
    start = outcome if near else Outcome(f, g, np.inf)
    newton = by_newton(problem, start.f, start.g, **options, warm=near or warm)
    outcome = min(newton, outcome, key=lambda stage: stage.error)
    if newton.error <= tol or newton.interrupted or record.n_iter >= max_iter:
        return outcome._replace(interrupted=newton.interrupted)
    return sinkhorn_sweeps(problem, outcome.f, outcome.g, tol=tol, max_iter=max_iter - record.n_iter, record=record)


def _promising(tol, errors):
    """Whether the errors fall so fast that few more sweeps are needed."""
    count = len(errors)
    if count % _LOOK or count < 2 * _LOOK:
        return True
    fall = np.log(min(errors[:-_LOOK]) / max(min(errors[-_LOOK:]), 1e-300)) / _LOOK
    return fall > 0.0 and count + np.log(min(errors) / tol) / fall <= _SWEEPS


_SOLVERS = {"auto": by_either, "sinkhorn": by_sweeps, "newton": by_newton}


def _of_positive(masses, whole):
    """The problem among the positive masses."""
    cost = whole.cost
    if masses.rows is not None or masses.columns is not None:
        rows = np.arange(cost.shape[0]) if masses.rows is None else masses.rows
        columns = np.arange(cost.shape[1]) if masses.columns is None else masses.columns
        cost = part_of(cost, rows, columns)
    return Problem(masses.a, masses.b, cost, whole.reg, whole.n_jobs)


def _reachable(tol, cost, reg):
    """The tolerance, or the smallest that rounding of the potentials allows."""
    largest = max(map(abs, cost.extent()))
    floor = 4.0 * 2.0**-53 * largest / reg
    if tol >= floor:
        return tol
    if floor > 0.1:
        raise ValueError(
            f"reg is {reg:g}, but costs are as large as {largest:g}: in float64 their quotient leaves the plan no digits; "
            f"take reg above {4e-15 * largest:.1e}, or an exact solver of the linear program."
        )
    warn(
        f"tol={tol:.1e} is below what float64 reaches with costs of {largest:g} at reg={reg:g}; tol={floor:.1e} is used. "
        "Take a larger reg, or scale the costs.",
        RuntimeWarning,
    )
    return floor


def _finish(whole, problem, masses, outcome, plan, tol, record):
    """The result in the masses as they were given, and its proof in them."""
    total, reg = masses.total, problem.reg
    given = Problem(total * masses.a, total * masses.b, problem.cost, reg, problem.n_jobs)
    shift = reg * np.log(total)
    lift = 0.5 * (masses.b @ outcome.g - masses.a @ outcome.f + shift)  # then <a, f> = <b, g>
    inner_f, inner_g = outcome.f + lift, outcome.g + (shift - lift)
    proof = certify(given, inner_f, inner_g)
    error = proof.marginal_error / total
    status = _status(outcome, error, tol)
    f = _spread(inner_f, masses.rows, whole.shape[0])
    g = _spread(inner_g, masses.columns, whole.shape[1])
    return TransportResult(
        f=f,
        g=g,
        plan=make_plan(whole, f, g, plan, _LEFT_OUT * tol * total / (whole.shape[0] * whole.shape[1])),
        value=proof.value,
        dual_value=proof.dual_value,
        gap=proof.gap,
        marginal_error=error,
        upper_bound=proof.upper_bound,
        lower_bound=proof.lower_bound,
        status=status,
        n_iter=record.n_iter,
        stages=record.stages,
        reg=reg,
        tol=tol,
        history=record.history,
        reason=_REASONS.get(status, ""),
    )


def _status(outcome, error, tol):
    if error <= tol:
        return Status.CONVERGED
    if outcome.interrupted:
        return Status.INTERRUPTED
    return Status.STALLED if outcome.stalled else Status.MAX_ITER


def _spread(potential, where, size):
    """A potential of all places, -inf where there is no mass."""
    if where is None:
        return potential
    out = np.full(size, -np.inf)
    out[where] = potential
    return out
