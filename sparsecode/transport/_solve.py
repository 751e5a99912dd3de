"""Entropic transport between two vectors of masses, by the solver that suits."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from .._parallel import single_threaded_blas, worker_pool
from .._validation import as_count, as_number
from .._warnings import warn
from ..result import Status, announce
from ._certificate import certify
from ._costs import as_cost, part_of
from ._home import home_of, sent_home
from ._masses import as_masses
from ._plan import PLANS, make_plan
from ._problem import Outcome, Problem, Record
from ._result import TransportResult
from ._sinkhorn import sinkhorn_sweeps
from ._start import as_potentials, centred

__all__ = ["by_newton", "by_sweeps", "solve", "solved"]

_AIM = 0.95  # share of the tolerance that solvers aim at: the certificate is computed afresh
_STEEP = 2000.0  # extent of the costs over reg beyond which sweeps need not be tried
_SWEEPS, _LOOK = 80, 10  # sweeps that cost what Newton's path does, and how often they are counted
_NEAR = 1e-3  # marginal error from which Newton's steps need no path
_LEFT_OUT = 0.01  # share of the tolerance that entries left out of a compressed row or column weigh in it together
_FINER = 0.1  # share of the first tolerance, that of the largest cost, below which another is worth a second run
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
        Potentials (f, g) to start from; where they are not finite, or above ``1e15 * reg``, they start at 0.
    plan : {"csr", "dense", "lazy", "feasible"}, default="csr"
        Form of the plan: compressed rows without its negligible entries, an array, or an operator. "feasible" is the plan of exactly
        these marginals that the gap belongs to, as an array.
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
        If masses are negative, not finite, or differ in total; if the cost is not finite; if shapes or namespaces disagree, or an
        option is not known.

    Warns
    -----
    ConvergenceWarning
        If the marginal error is above the tolerance at the end.
    RuntimeWarning
        If the tolerance is below what float64 can reach at this reg; the reachable one is used. If the gap is above the value, as
        where some costs are so large that a mass as small as the tolerance pays much there.

    See Also
    --------
    sinkhorn, sinkhorn_newton_sparse : The two solvers, with their own options.
    TransportResult : What is returned.
    PointCost : Costs between points, made when they are needed.
    GridCost : Costs on a grid, axis by axis.

    Notes
    -----
    Masses of zero take no part: their potentials are -inf, their rows or columns of the plan are zero. ``tol`` is relative to
    the total mass. Arrays of any one namespace and precision come in, and potentials and plans that are arrays go back to that
    namespace and device, those of a lazy cost to that of the masses; between, NumPy computes on the host. They are in double
    precision whatever came in: the marginal error that rounding leaves, about ``4e-16 * max(cost) / reg``, would be
    ``2e-7 * max(cost) / reg`` in single precision.

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
    home, cost = home_of(cost=cost, a=a, b=b), as_cost(cost)
    masses = as_masses(a, b, cost.shape)
    problem = Problem(masses.a, masses.b, _of_positive(masses, cost), reg, n_jobs)
    f, g = as_potentials(initial, masses, problem, cost.shape)
    record = Record(callback)
    with worker_pool(n_jobs), single_threaded_blas():
        options = {"max_iter": max_iter, "record": record, "warm": initial is not None}
        outcome, reached = _pursue(problem, method, f, g, tol, **options)
        # short of the limit, only rounding can be what holds a certificate up
        held_up = outcome.stalled or record.n_iter < max_iter
        result = _finish(cost, problem, masses, outcome._replace(stalled=held_up), plan, reached, record)
    _announce(result, tol, masses.total)
    return replace(result, **{name: sent_home(getattr(result, name), home) for name in ("f", "g", "plan")})


def _pursue(problem, method, f, g, tol, *, max_iter, record, warm):
    """Where the method ends, and the tolerance that it was held to: the given one, or the smallest that rounding allows.

    Which one the largest cost allows is known at once. Where the plan avoids such costs, its potentials are smaller, and so is
    the rounding: then the method goes on from there.
    """
    largest = max(map(abs, problem.cost.extent()))
    reached = max(tol, _floor(largest, problem.reg))
    if reached > max(tol, 0.1):
        raise ValueError(
            f"reg is {problem.reg:g}, but costs are as large as {largest:g}: in float64 their quotient leaves the plan no digits; "
            f"take reg above {4e-15 * largest:.1e}, smaller costs for pairs that are only to be avoided, or an exact solver of the linear "
            "program."
        )
    options = {"max_iter": max_iter, "record": record}
    outcome = method(problem, f, g, tol=_AIM * reached, warm=warm, **options)
    f, g = centred(problem.a, problem.b, outcome.f, outcome.g)
    finer = max(tol, _floor(float(np.max(np.abs(f)) + np.max(np.abs(g))), problem.reg))
    open_end = outcome.error <= reached and not outcome.interrupted and record.n_iter < max_iter
    if open_end and finer < _FINER * reached:
        again = method(problem, f, g, tol=_AIM * finer, warm=True, **options)
        outcome = min(again, outcome, key=lambda stage: stage.error)
        return outcome._replace(interrupted=again.interrupted, stalled=again.stalled), finer
    return outcome, reached


def _floor(size, reg):
    """The marginal error that rounding leaves where potentials and the costs that matter are that large."""
    return 2.0**-53 * (16.0 + 4.0 * size / reg)


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
    return sinkhorn_sweeps(problem, outcome.f, outcome.g, **options)


def _promising(tol, errors):
    """Whether the errors fall so fast that few more sweeps are needed."""
    count = len(errors)
    if count % _LOOK or count < 2 * _LOOK:
        return True
    fall = np.log(min(errors[:-_LOOK]) / max(min(errors[-_LOOK:]), 1e-300)) / _LOOK
    return fall > 0.0 and count + np.log(min(errors) / tol) / fall <= _SWEEPS


_SOLVERS = {"auto": by_either, "sinkhorn": by_sweeps, "newton": by_newton}


def _of_positive(masses, cost):
    """The cost among the positive masses."""
    if masses.rows is None and masses.columns is None:
        return cost
    rows = np.arange(cost.shape[0]) if masses.rows is None else masses.rows
    columns = np.arange(cost.shape[1]) if masses.columns is None else masses.columns
    return part_of(cost, rows, columns)


def _announce(result, tol, total):
    """One `ConvergenceWarning` at most, and what the certificates say beyond the marginal error."""
    announce(result)
    if result.tol > tol:
        warn(
            f"tol={tol:.1e} is below what float64 reaches with these costs at reg={result.reg:g}; tol={result.tol:.1e} is used. "
            "Take a larger reg, or scale the costs.",
            RuntimeWarning,
        )
    if result.status.is_success and result.gap > abs(result.dual_value) + result.reg * total:
        warn(
            f"the gap of {result.gap:.1e} is above the value itself, which is at least {result.dual_value:.1e}: what is missing of the "
            "masses pays very large costs. Take a smaller tol, or replace such costs by smaller ones.",
            RuntimeWarning,
        )


def _finish(cost, problem, masses, outcome, kind, tol, record):
    """The result in the masses as they were given, and its proof in them."""
    total, reg = masses.total, problem.reg
    given = Problem(total * masses.a, total * masses.b, problem.cost, reg, problem.n_jobs)
    f, g = centred(masses.a, masses.b, outcome.f, outcome.g + reg * np.log(total))
    proof = certify(given, f, g)
    error = proof.marginal_error / total
    status = _status(outcome, error, tol)
    everywhere = partial(_everywhere, masses=masses, shape=cost.shape)
    f, g = everywhere(f, g, -np.inf)
    a, b = everywhere(given.a, given.b, 0.0)
    (n, m), share = problem.shape, _LEFT_OUT * tol
    cuts = everywhere(share * proof.row_sums / m, share * proof.column_sums / n, 0.0)
    return TransportResult(
        f=f,
        g=g,
        plan=make_plan(Problem(a, b, cost, reg, problem.n_jobs), f, g, kind, cuts),
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


def _everywhere(left, right, fill, masses, shape):
    """Values of the sources and of the targets of all places, `fill` where there is no mass."""
    return _spread(left, masses.rows, shape[0], fill), _spread(right, masses.columns, shape[1], fill)


def _spread(values, where, size, fill):
    if where is None:
        return values
    out = np.full(size, fill)
    out[where] = values
    return out
