"""Entropic transport as the solvers of this room see it: positive masses of total one, a cost, and the passes over its rows."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from .._parallel import map_blocks
from ._costs import blocks_of

__all__ = ["Outcome", "Problem", "Progress", "Record"]


class Progress(NamedTuple):
    """What a callback is given: it may return True to stop."""

    stage: str
    n_iter: int
    reg: float
    marginal_error: float
    seconds: float


class Outcome(NamedTuple):
    """Where a stage ended: potentials, their marginal error, and whether the callback asked to stop or nothing more was possible."""

    f: np.ndarray
    g: np.ndarray
    error: float
    interrupted: bool = False
    stalled: bool = False


class Record:
    """History and counts of a solve over all of its stages."""

    def __init__(self, callback=None):
        self.began, self.callback, self.stages = time.perf_counter(), callback, {}
        self.history: dict[str, list] = {"stage": [], "reg": [], "marginal_error": [], "seconds": []}

    def note(self, **values):
        """Add one entry to each of these lists of the history."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)

    @property
    def n_iter(self):
        """Iterations of all stages."""
        return sum(self.stages.values())

    def __call__(self, stage, reg, error) -> bool:
        """Count an iteration of a stage; True if the callback asked to stop."""
        self.stages[stage] = self.stages.get(stage, 0) + 1
        seconds = time.perf_counter() - self.began
        self.note(stage=stage, reg=reg, marginal_error=error, seconds=seconds)
        return self.callback is not None and bool(self.callback(Progress(stage, self.n_iter, reg, error, seconds)))


class Problem:
    """Masses a (n,) and b (m,) of total one, a cost, a regularisation, and threads."""

    def __init__(self, a, b, cost, reg, n_jobs=None):
        self.a, self.b, self.cost, self.reg, self.n_jobs = a, b, cost, float(reg), n_jobs
        self.shape = cost.shape
        self.step = blocks_of(cost)
        self.n_blocks = -(-self.shape[0] // self.step)

    def at(self, reg) -> Problem:
        """The same problem with another regularisation."""
        return Problem(self.a, self.b, self.cost, reg, self.n_jobs)

    def rows(self, part):
        """Rows of the cost, read-only: kernels are compiled once for costs that may be written to and for those that may not."""
        rows = self.cost.rows(part).view()
        rows.flags.writeable = False
        return rows

    def over_rows(self, work) -> list[Any]:
        """``work(rows of the cost, slice)`` for every block of rows, in threads."""

        def one(start, stop):
            part = slice(start, stop)
            return work(self.rows(part), part)

        return self.over_blocks(one)

    def over_blocks(self, work) -> list[Any]:
        """``work(start, stop)`` for every block of rows, in threads."""
        return map_blocks(work, self.shape[0], self.step, self.n_jobs)

    def columns(self, fill=0.0):
        """A column array for every block of rows, so that sums do not depend on threads."""
        return np.full((self.n_blocks, self.shape[1]), fill)

    def sweep(self, f, g):
        """``f_new`` that gives the rows of P(f_new, g) their masses, and the column sums of that plan; f is near f_new."""
        from ..kernels import transport_sweeps as kernels

        if hasattr(self.cost, "softmin_rows"):
            f_new = self.reg * np.log(self.a) + self.cost.softmin_rows(g, self.reg)
            log_sums = (g - self.cost.softmin_columns(f_new, self.reg)) / self.reg
            return f_new, np.exp(np.minimum(log_sums, 700.0))
        f_new, row_sums, sums = np.empty(self.shape[0]), np.empty(self.shape[0]), self.columns()

        def work(rows, part):
            inside = sums[part.start // self.step]
            kernels.sweep_rows(rows, f[part], g, self.a[part], self.reg, f_new[part], row_sums[part], inside)

        self.over_rows(work)
        return f_new, sums.sum(axis=0)

    def move_columns(self, f, g, column_sums):
        """The g-line of a sweep: the columns of P(f, g_new) get their masses."""
        with np.errstate(divide="ignore", over="ignore"):
            g_new = g + self.reg * np.log(self.b / column_sums)
        lost = ~((column_sums > 1e-150) & (column_sums < 1e150))
        if np.any(lost):
            g_new[lost] = (self.reg * np.log(self.b) + self.softmin_columns(f))[lost]
        return g_new

    def softmin_columns(self, f):
        """``-reg log sum_i exp((f_i - C_ij) / reg)``, whatever the size of f."""
        from ..kernels import transport_sweeps as kernels

        if hasattr(self.cost, "softmin_columns"):
            return self.cost.softmin_columns(f, self.reg)
        tops, sums = self.columns(-np.inf), self.columns()
        self.over_rows(lambda rows, part: kernels.column_tops(rows, f[part], tops[part.start // self.step]))
        shift = -tops.max(axis=0)
        row_sums = np.empty(self.shape[0])

        def work(rows, part):
            inside = sums[part.start // self.step]
            kernels.plan_sums(rows, f[part], shift, self.reg, row_sums[part], inside)

        self.over_rows(work)
        return shift - self.reg * np.log(sums.sum(axis=0))

    def gibbs(self, f, g, out):
        """``exp((f_i + g_j - C_ij) / reg)`` as an array."""
        from ..kernels import transport_sweeps as kernels

        self.over_rows(lambda rows, part: kernels.fill_gibbs(rows, f[part], g, self.reg, out[part]))
        return out
