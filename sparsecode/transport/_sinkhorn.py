"""Sinkhorn's algorithm: sweeps in the log domain, a stored kernel where one fits into memory, extrapolation of its path.

    f_i <- reg (log a_i - log sum_j exp((g_j - C_ij) / reg)),     g_j <- reg (log b_j - log sum_i exp((f_i - C_ij) / reg))

Sinkhorn and Knopp, "Concerning nonnegative matrices and doubly stochastic matrices", 1967; Cuturi, "Sinkhorn distances: lightspeed
computation of optimal transport", 2013 (arXiv 1306.0895); absorption: Schmitzer, "Stabilized sparse scaling algorithms for entropy
regularized transport problems", 2019 (arXiv 1610.06519); extrapolation: Anderson, "Iterative procedures for nonlinear integral
equations", 1965.
"""

from __future__ import annotations

import numpy as np

from ._costs import ArrayCost
from ._problem import Outcome

__all__ = ["Extrapolation", "StoredKernel", "fits_in_memory", "sinkhorn_sweeps"]

_STORED = 1 << 24  # entries of a kernel that is stored beside a lazy cost: 128 MiB
_RANGE = 50.0  # logarithm of a scaling beyond which it is absorbed into the potentials
_DEPTH = 10  # steps that an extrapolation looks back
_LOST, _IDLE = 4.0, 50  # growth of the error, and sweeps without progress, at which extrapolation is undone
_RESTARTS = 5  # of these in a row, after which rounding is what holds the error up


def fits_in_memory(cost):
    """Whether a second array of the cost's size may be made: the cost is one itself, or it is small."""
    lazy = hasattr(cost, "softmin_rows")
    return not lazy and (isinstance(cost, ArrayCost) or cost.shape[0] * cost.shape[1] <= _STORED)


class StoredKernel:
    """Sweeps by products with ``K = exp((f0 + g0 - C) / reg)``, made anew around the potentials when they have moved too far."""

    def __init__(self, problem, f, g):
        self.problem, self.array = problem, np.empty(problem.shape)
        self._absorb(f, g)

    def _absorb(self, f, g):
        self.f, self.g = f, g
        self.problem.gibbs(f, g, self.array)

    def sweep(self, f, g):
        """As `Problem.sweep`, from the same g."""
        problem = self.problem
        for _ in range(2):
            log_v = (g - self.g) / problem.reg
            if np.max(np.abs(log_v)) <= _RANGE:
                row_scale, sums = self._scale(np.exp(log_v))
                with np.errstate(divide="ignore"):
                    log_u = np.log(row_scale)
                if np.max(np.abs(log_u)) <= _RANGE:
                    return self.f + problem.reg * log_u, np.exp(log_v) * sums
            f, _ = problem.sweep(f, g)
            self._absorb(f, g)
        return problem.sweep(f, g)

    def _scale(self, v):
        """``u = a / (K v)`` and ``K^T u``, a block of rows at a time while it is in the cache."""
        problem, array = self.problem, self.array
        u, sums = np.empty(problem.shape[0]), problem.columns()

        def work(start, stop):
            part = array[start:stop]
            with np.errstate(divide="ignore", invalid="ignore"):  # a row lost to the range of numbers is seen in u
                u[start:stop] = problem.a[start:stop] / (part @ v)
                np.matmul(u[start:stop], part, out=sums[start // problem.step])

        problem.over_blocks(work)
        return u, sums.sum(axis=0)


class Extrapolation:
    """Anderson's mixing of a fixed-point iteration: the combination of past steps whose residuals nearly cancel.

    min_c | r_k - sum_i c_i (r_{i+1} - r_i) |,      g_{k+1} = T(g_k) - sum_i c_i (T(g_{i+1}) - T(g_i))
    """

    def __init__(self, size, depth, unit=1.0):
        self.depth, self.unit = depth, unit
        self.residuals, self.images = np.empty((depth + 1, size)), np.empty((depth + 1, size))
        self.gram = np.zeros((depth + 1, depth + 1))
        self.clear()

    def clear(self):
        """Forget all steps."""
        self.count = 0

    def step(self, point, image):
        """The next point after ``image = T(point)``."""
        place = self.count % (self.depth + 1)
        self.residuals[place], self.images[place] = (image - point) / self.unit, image
        self.count += 1
        size = min(self.count, self.depth + 1)
        products = self.residuals[:size] @ self.residuals[place]
        self.gram[place, :size] = self.gram[:size, place] = products
        if size == 1:
            return image
        # the affine combination of residuals of least norm, over its own scale: min c' G c, sum c = 1
        scale = np.sqrt(np.diagonal(self.gram)[:size])
        if not np.all(scale > 0.0):
            return image
        system = self.gram[:size, :size] / np.outer(scale, scale)
        system.flat[:: size + 1] += 1e-13 * size
        try:
            shares = np.linalg.solve(system, 1.0 / scale) / scale
        except np.linalg.LinAlgError:
            return image
        if not np.isfinite(shares.sum()):
            return image
        mixed = (shares / shares.sum()) @ self.images[:size]
        return mixed - np.mean(mixed - image)  # a constant means nothing, and large ones cost digits


def sinkhorn_sweeps(problem, f, g, *, tol, max_iter, record, patience=None, depth=_DEPTH, stored=None):
    """Sweep until the marginal error is at most tol; the columns of the plan have their masses up to rounding.

    Parameters
    ----------
    problem : Problem
        What is solved.
    f, g : ndarray of shape (n,) and (m,)
        Where to start.
    tol : float
        Marginal error at which to stop.
    max_iter : int
        Sweeps at most, with those steps that the record has counted already.
    record : Record
        Counts and calls back.
    patience : callable, optional
        Given the errors so far, says whether to go on.
    depth : int, default=10
        Steps that an extrapolation looks back; 0 for plain sweeps.
    stored : bool, optional
        Whether a kernel is stored; by default where it fits into memory.

    Returns
    -------
    Outcome
        The potentials of least error.
    """
    stored = fits_in_memory(problem.cost) if stored is None else stored
    sweeper, mixing = problem, Extrapolation(problem.shape[1], depth, problem.reg)
    best, errors, idle, restarts = Outcome(f, g, np.inf), [], 0, 0
    for k in range(max_iter - record.n_iter):
        if k == 2 and stored:
            sweeper = StoredKernel(problem, f, g)
        f, sums = sweeper.sweep(f, g)
        error = float(np.abs(sums - problem.b).sum())
        image = problem.move_columns(f, g, sums)
        stop = record("sinkhorn", problem.reg, error)
        idle += 1
        if error < best.error:  # the rows of P(f, image) are off by no more than the columns of P(f, g)
            best, idle, restarts = Outcome(f, image, error), 0, 0
        errors.append(error)
        if error <= tol or stop or (patience is not None and not patience(errors)):
            return best._replace(interrupted=stop)
        if not error <= _LOST * best.error or idle > _IDLE:
            if restarts == _RESTARTS:
                return best._replace(stalled=True)
            mixing.clear()
            f, g, idle, restarts = best.f, best.g, 0, restarts + 1
        else:
            g = mixing.step(g, image)
    return best
