"""Elastic costs between sparse points of 34,000 features: seconds and memory against SciPy's cityblock distances and a matrix product.

The peer has the points as dense arrays, which it needs; making them dense is not timed. Both answers are certified against sums over some
rows by themselves.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import scipy.sparse as sp

from ..measure import Ask, Certificate, Contest, Row, compare
from . import Job
from .memory import high_water, reset_high_water, status

__all__ = ["JOB"]

_MIB = 2**20
_GAMMA = 0.7
_DENSITY = 0.1
_SIZES = ((1000, 34_000), (100, 2_000))


def _points(n, d):
    """Two samples of log counts in compressed rows."""
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(2):
        points = sp.random_array((n, d), density=_DENSITY, format="csr", random_state=rng)
        points.data = np.log1p(rng.poisson(2.0, points.nnz) + 1.0)
        samples.append(points)
    return samples


def _ours(X, Y, threads):
    from sparsecode.transport import elastic_cost

    return elastic_cost(X, Y, "l1", _GAMMA, n_jobs=threads)


def _peer(X, Y):
    """Cityblock distances and the quadratic part by a matrix product."""
    from scipy.spatial.distance import cdist

    made = cdist(X, Y, "cityblock")
    made *= _GAMMA
    made -= X @ Y.T
    made += 0.5 * np.einsum("ij,ij->i", X, X)[:, None]
    made += 0.5 * np.einsum("ij,ij->i", Y, Y)
    return made


def contest(n, d, threads):
    """The problem and both ways."""
    X, Y = _points(n, d)
    dense = X.toarray(), Y.toarray()
    rows = np.arange(0, n, max(1, n // 5))
    apart = [dense[0][i] - dense[1] for i in rows]
    exact = np.stack([0.5 * np.einsum("ij,ij->i", z, z) + _GAMMA * np.abs(z).sum(axis=1) for z in apart])
    del apart

    def certify(cost):
        worst = float(np.max(np.abs(cost[rows] - exact)) / np.max(exact))
        return Certificate(worst, 0.0)

    return Contest(
        problem=f"elastic cost, l1, matrix of {n} x {n} points in {d:,} dimensions, CSR, {_DENSITY:.0%} of the entries",
        ours=lambda _: _ours(X, Y, threads),
        peers={"SciPy cdist + GEMM, dense": lambda _: _peer(*dense)},
        certify=certify,
        tol=1e-10,
        ask=Ask(2.0),
        certificate_name="largest error, relative to the largest cost",
    )


def measure(n, d, threads):
    """In a fresh process: the rise of resident memory, and the size of the output."""
    X, Y = _points(n, d)
    _ours(X[:40], Y[:40], threads)  # compiled code and threads are there
    exact = reset_high_water()
    before = status("VmRSS") or high_water()
    made = _ours(X, Y, threads)
    return {"rise": high_water() - before, "output": made.nbytes, "exact": exact}


def _in_fresh_process(*arguments):
    command = [sys.executable, "-m", __name__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring the memory of the costs failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def rows(setting):
    """Seconds, then memory."""
    n, d = setting.size(*_SIZES)
    yield compare(contest(n, d, setting.threads), setting._replace(pairs=min(setting.pairs, 5)), JOB.name)
    made = _in_fresh_process(n, d, setting.threads)
    beyond, ask = (made["rise"] - made["output"]) / _MIB, Ask(64.0, at_least=False, unit="MiB")
    yield Row(
        job=JOB.name,
        problem=f"elastic cost, the same: peak memory beyond the output of {made['output'] / _MIB:.0f} MiB",
        peer="the output itself",
        value=beyond,
        unit="MiB",
        ask=str(ask),
        met=ask.met(beyond),
        threads=setting.threads,
        ours=made["rise"],
        theirs=made["output"],
        pairs=1,
    )


def first_call(setting):
    """The prepared first call."""
    X, Y = _points(*_SIZES[1])
    return lambda: _ours(X, Y, setting.threads)


JOB = Job("elastic-cost", rows, first_call)


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:4]))))
