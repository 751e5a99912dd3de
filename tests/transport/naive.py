"""Transport written out in NumPy, slowly and without tricks: the oracle of this folder."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import eye_array, kron, vstack
from scipy.special import logsumexp, xlogy


def sinkhorn(a, b, cost, reg, tol=1e-13, max_iter=100_000):
    """Potentials of entropic transport by plain sweeps in the log domain."""
    f, g = np.zeros(a.size), np.zeros(b.size)
    for _ in range(max_iter):
        f = reg * (np.log(a) - logsumexp((g - cost) / reg, axis=1))
        g = reg * (np.log(b) - logsumexp((f[:, None] - cost) / reg, axis=0))
        if np.abs(plan(f, g, cost, reg).sum(1) - a).sum() <= tol:
            break
    return f, g


def plan(f, g, cost, reg):
    return np.exp((f[:, None] + g - cost) / reg)


def marginal_error(P, a, b):
    return np.abs(P.sum(1) - a).sum() + np.abs(P.sum(0) - b).sum()


def rounded(P, a, b):
    """A plan with exactly these marginals, near P (Altschuler, Weed and Rigollet, 2017)."""
    rows = P.sum(1)
    P = P * np.where(rows > a, a / np.where(rows > a, rows, 1.0), 1.0)[:, None]
    columns = P.sum(0)
    P = P * np.where(columns > b, b / np.where(columns > b, columns, 1.0), 1.0)
    left, right = np.maximum(a - P.sum(1), 0.0), np.maximum(b - P.sum(0), 0.0)
    return P + (np.outer(left, right) / left.sum() if left.sum() > 0 else 0.0)


def primal(P, cost, reg):
    return float(np.sum(P * cost) + reg * np.sum(xlogy(P, P) - P))


def dual(f, g, a, b, cost, reg):
    return float(a @ f + b @ g - reg * plan(f, g, cost, reg).sum())


def gap(f, g, a, b, cost, reg):
    """Objective of the rounded plan minus the dual objective, as a plain difference."""
    return primal(rounded(plan(f, g, cost, reg), a, b), cost, reg) - dual(f, g, a, b, cost, reg)


def linear_program(a, b, cost):
    """Value and plan of transport without entropy."""
    n, m = cost.shape
    sums = vstack([kron(eye_array(n), np.ones((1, m))), kron(np.ones((1, n)), eye_array(m))])
    found = linprog(cost.ravel(), A_eq=sums.tocsr(), b_eq=np.concatenate([a, b]), bounds=(0, None), method="highs")
    assert found.status == 0
    return found.fun, found.x.reshape(n, m)


def problem(n=9, m=7, seed=0):
    """Random masses that sum to one, and squared distances of random points over their maximum."""
    rng = np.random.default_rng(seed)
    a, b = rng.random(n) + 0.1, rng.random(m) + 0.1
    cost = ((rng.random((n, 2))[:, None] - rng.random((m, 2))) ** 2).sum(-1)
    return a / a.sum(), b / b.sum(), cost / cost.max()
