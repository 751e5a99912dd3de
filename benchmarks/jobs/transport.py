"""Entropic transport: a sweep in the log domain, and whole solves at a regularisation at which sweeps are cheap.

The marginal error of every answer is computed again, with the same formula for all.
"""

from __future__ import annotations

import numpy as np

from ..measure import Ask, Contest, compare
from . import Job
from ._transport_problems import has_regot, of_plan, of_potentials, squared_distances

__all__ = ["JOB"]

_SWEEPS = 20


def _our_sweeps(cost, a, reg, threads):
    from sparsecode.transport._costs import ArrayCost
    from sparsecode.transport._problem import Problem

    problem = Problem(a, a, ArrayCost(cost), reg, threads)

    def run(_):
        f, g = np.zeros(a.size), np.zeros(a.size)
        for _ in range(_SWEEPS):
            f, sums = problem.sweep(f, g)
            g = problem.move_columns(f, g, sums)
        return f, g

    return run


def _pot_sweeps(cost, a, reg):
    import ot

    def run(_):
        _, log = ot.bregman.sinkhorn_log(a, a, cost, reg, numItermax=_SWEEPS, stopThr=0.0, log=True, warn=False)
        return reg * log["log_u"], reg * log["log_v"]

    return run


def _regot_sweeps(cost, a, reg):
    import regot

    column_major = np.asfortranarray(cost)

    def run(_):
        result = regot.sinkhorn_bcd(column_major, a, a, reg, tol=0.0, max_iter=_SWEEPS)
        dual = np.asarray(result.dual)
        return dual[: a.size], np.append(dual[a.size :], 0.0)  # the last potential is pinned

    return run


def sweep_contest(setting):
    """One sweep, n = 1000, at a small regularisation."""
    n, reg = setting.size(1000, 60), 1e-3
    cost, a = squared_distances(n), np.full(n, 1.0 / n)
    peers, missing = {"POT sinkhorn_log": _pot_sweeps(cost, a, reg)}, "; RegOT is not installed"
    if has_regot():
        peers["RegOT sinkhorn_bcd"], missing = _regot_sweeps(cost, a, reg), ""
    return Contest(
        problem=f"entropic transport, one sweep in the log domain, uniform points {n}×{n}, reg {reg:g}",
        ours=_our_sweeps(cost, a, reg, setting.threads),
        peers=peers,
        certify=lambda potentials: of_potentials(potentials, a, a, cost, reg),
        tol=1.0,
        slack=0.1,
        ask=Ask(4.0),
        n_items=_SWEEPS,
        certificate_name="marginal error",
        note=f"errors after {_SWEEPS} sweeps from zero potentials, which begin with the rows here, with the columns in POT"
        + missing,
    )


def auto_contest(setting):
    """A solve by "auto" against the plain method at its best."""
    n, reg, tol = setting.size(1000, 60), 1e-2, 1e-9
    cost, a = squared_distances(n), np.full(n, 1.0 / n)

    def ours(_):
        from sparsecode.transport import solve

        return solve(a, a, cost, reg, tol=tol, plan="dense", n_jobs=setting.threads).plan

    def pot(_):
        import ot

        # its criterion is another norm of one marginal: this much makes the error of both less than tol
        return ot.sinkhorn(a, a, cost, reg, stopThr=0.02 * tol, numItermax=100_000)

    return Contest(
        problem=f'entropic transport, "auto", uniform points {n}×{n}, reg {reg:g}',
        ours=ours,
        peers={"POT sinkhorn": pot},
        certify=lambda plan: of_plan(plan, a, a, cost, reg),
        tol=tol,
        ask=Ask(1.0),
        certificate_name="marginal error",
        note="ours with its duality gap, bounds and plan",
    )


def rows(setting):
    """A sweep, and a solve."""
    yield compare(sweep_contest(setting), setting, JOB.name)
    yield compare(auto_contest(setting), setting, JOB.name)


def first_call(setting):
    """The prepared first call."""
    from sparsecode.transport import solve

    cost = squared_distances(50)
    return lambda: solve(None, None, cost, 1e-2)


JOB = Job("transport", rows, first_call)
