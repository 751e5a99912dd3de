"""Transport problems of the jobs, and the marginal error of a plan or of potentials, recomputed from them alone."""

from __future__ import annotations

import importlib.util

import numpy as np

from ..measure import Certificate

__all__ = ["assignment", "has_regot", "marginal_error", "of_plan", "of_potentials", "squared_distances"]


def squared_distances(n, seed=0):
    """Squared distances of points drawn uniformly from the unit square, over their maximum."""
    rng = np.random.default_rng(seed)
    X, Y = rng.random((n, 2)), rng.random((n, 2))
    cost = ((X[:, None] - Y) ** 2).sum(axis=-1)
    return cost / cost.max()


def assignment(n, seed=0):
    """Costs drawn uniformly and independently."""
    cost = np.random.default_rng(seed).random((n, n))
    return cost / cost.max()


def has_regot():
    """Whether RegOT is installed; it is not offered for every platform."""
    return importlib.util.find_spec("regot") is not None


def marginal_error(plan, a, b):
    """``|P 1 - a|_1 + |P^T 1 - b|_1``."""
    return float(np.abs(plan.sum(axis=1) - a).sum() + np.abs(plan.sum(axis=0) - b).sum())


def of_plan(plan, a, b, cost, reg):
    """Certificate of a dense or sparse plan: its marginal error, and the objective where entries are not zero."""
    entries = plan.tocoo() if hasattr(plan, "tocoo") else None
    rows, columns = entries.coords if entries is not None else np.nonzero(plan)
    values = entries.data if entries is not None else plan[rows, columns]
    objective = values @ cost[rows, columns] + reg * (values @ (np.log(values) - 1.0))
    return Certificate(marginal_error(plan, a, b), float(objective))


def of_potentials(potentials, a, b, cost, reg):
    """Certificate of (f, g): the marginal error of their plan; minus the dual objective, which all make small."""
    f, g = potentials
    plan = np.exp((f[:, None] + g - cost) / reg)
    return Certificate(marginal_error(plan, a, b), float(reg * plan.sum() - a @ f - b @ g))
