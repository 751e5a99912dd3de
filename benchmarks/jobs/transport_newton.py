"""Sinkhorn-Newton-Sparse against POT's Sinkhorn algorithm and the sparse Newton method of RegOT, where it is installed.

All of them end at one marginal error, recomputed from the plan that each returns; the cost's largest entry is one. Each peer gets
the loosest of a few tolerances with which its plan meets that error. Where sweeps would take minutes they are stopped after a while, and
the row says so: its ratio is that of what was spent.
"""

from __future__ import annotations

import time

import numpy as np

from ..measure import NOTHING, Ask, Contest, Row, compare, not_measured, progress
from . import Job
from ._transport_problems import assignment, has_regot, of_plan, squared_distances

__all__ = ["JOB"]

_TOL = 1e-9  # marginal error, the sum of both sides
_TOLERANCES = (1e-9, 3e-10, 1e-10, 3e-11, 1e-11)
_LIMITS = {"POT": 100_000, "RegOT": 2000}  # iterations
_EXPONENT = Ask(2.3, at_least=False, unit="")
_WHILE = (30.0, 0.2)  # seconds that a peer is given where it may not end
_SWEEPS = 1000  # of them between two looks at the error
_SIZES = ((500, 1000, 2000, 4000), (60, 120))


def _equal(cost, reg):
    masses = np.full(cost.shape[0], 1 / cost.shape[0])
    return masses, masses, cost, reg


def _digits(side):
    """Two digits at 28 by 28 pixels, or fewer, with a little mass in every pixel, and city-block distances."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    pair = [np.maximum(zoom(image, side / 8, order=1), 0.0).ravel() for image in load_digits().images[1:3]]
    a, b = ((1 - 1.25e-3) * image / image.sum() + 1.25e-3 / image.size for image in pair)
    places = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
    cost = np.abs(places[:, None] - places).sum(-1).astype(float)
    return a, b, cost / cost.max(), 1 / 1200


def _ours(problem, threads):
    from sparsecode.transport import sinkhorn_newton_sparse

    return sinkhorn_newton_sparse(*problem, tol=_TOL, n_jobs=threads).plan


def _peer(name, problem, tol):
    a, b, cost, reg = problem
    if name == "POT":
        import ot

        return lambda _: ot.sinkhorn(a, b, cost, reg, stopThr=tol, numItermax=_LIMITS[name], warn=False)
    import regot

    columns = np.asfortranarray(cost)
    return lambda _: regot.sinkhorn_ssns(columns, a, b, reg, tol=tol, max_iter=_LIMITS[name]).plan


def _fair_peer(name, problem):
    """The peer with the loosest tolerance that is tight enough, or with the tightest."""
    for tol in _TOLERANCES:
        run = _peer(name, problem, tol)
        if of_plan(run(0), *problem).value <= _TOL:
            break
    return run


def contest(problem, words, name, ask, threads):
    """One problem against one peer."""
    return Contest(
        problem=f"sparse Newton transport, {words}",
        ours=lambda _: _ours(problem, threads),
        peers={name: _fair_peer(name, problem)},
        certify=lambda plan: of_plan(plan, *problem),
        tol=_TOL,
        ask=ask,
        certificate_name="marginal error",
        note="ours includes its certificates and compressed rows; the peer ends with a dense plan",
    )


def limited_row(problem, words, setting):
    """POT's sweeps until they meet the error, or the time is up."""
    import ot

    a, b, cost, reg = problem
    limit, spent, error = setting.size(*_WHILE), 0.0, np.inf
    options = {"numItermax": _SWEEPS, "stopThr": 0.0, "warn": False, "log": True}
    start = None
    while spent < limit and error > _TOL:
        began = time.perf_counter()
        plan, log = ot.sinkhorn(a, b, cost, reg, warmstart=start, **options)
        spent += time.perf_counter() - began
        start, error = (np.log(log["u"]), np.log(log["v"])), of_plan(plan, *problem).value
    seconds = min(_seconds(problem, setting.threads)[1] for _ in range(3))
    peer = "POT" if error <= _TOL else f"POT, stopped after {spent:.0f} s and not converged,"
    return Row(
        JOB.name,
        f"sparse Newton transport, {words}",
        peer,
        spent / seconds,
        threads=setting.threads,
        ours=seconds,
        theirs=spent,
        pairs=1,
        certificate_name="marginal error",
        certificate=of_plan(_ours(problem, setting.threads), *problem).value,
        peer_certificate=error,
        tol=_TOL,
        note=f"one run; POT ends within {_SWEEPS} sweeps of where it meets the error",
    )


def exponent_rows(setting):
    """How the time of an iteration, and that of a whole solve, grow with n."""
    sizes, times = setting.size(*_SIZES), []
    for n in sizes:
        problem = _equal(squared_distances(n), 1e-3)
        times.append(np.min([_seconds(problem, setting.threads) for _ in range(3)], axis=0))
        progress("n = {}: {:.5f} s an iteration, {:.3f} s a solve".format(n, *times[-1]))
    for what, seconds in zip(("an iteration", "a solve"), np.transpose(times), strict=True):
        value = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        text = f"sparse Newton transport, exponent of n in the time of {what}, n = {sizes[0]} to {sizes[-1]}, points in the unit square"
        ask = NOTHING if setting.smoke else _EXPONENT
        held = {"unit": "", "ask": str(ask), "met": ask.met(value), "threads": setting.threads}
        yield Row(JOB.name, text, "", value, ours=float(seconds[-1]), **held)


def _seconds(problem, threads):
    """Of one iteration on average, and of all of them."""
    from sparsecode.transport import sinkhorn_newton_sparse

    began = time.perf_counter()
    result = sinkhorn_newton_sparse(*problem, tol=_TOL, n_jobs=threads)
    seconds = time.perf_counter() - began
    return seconds / result.n_iter, seconds


def rows(setting):
    """Three problems, those that sweeps take long for once more, and the exponents."""
    few = setting._replace(pairs=max(2, setting.pairs // 4))
    n, m, side = setting.size((1000, 500, 28), (60, 50, 8))
    squares = _equal(squared_distances(n), 1e-3), f"points in the unit square, squared distances, n = {n}, reg 1e-3"
    random = _equal(assignment(m), 1 / 1200), f"random assignment, n = {m}, reg 1/1200"
    digits = _digits(side), f"digits at {side}×{side}, city-block distances, reg 1/1200"
    asked = [(squares, "POT", 10.0), (squares, "RegOT", 4.0), (random, "RegOT", 4.0), (digits, "RegOT", 8.0)]
    for (problem, words), name, times in asked:
        ask = NOTHING if setting.smoke else Ask(times)
        if name == "POT" or has_regot():
            yield compare(contest(problem, words, name, ask, setting.threads), few, JOB.name)
        else:
            yield not_measured(JOB.name, words, name, ask, f"{name} is not installed")
    for problem, words in (random, digits):
        yield limited_row(problem, words, setting)
    yield from exponent_rows(setting)


def first_call(setting):
    """The prepared first call."""
    problem = _equal(squared_distances(100), 1e-3)
    return lambda: _ours(problem, setting.threads)


JOB = Job("transport-newton", rows, first_call)
