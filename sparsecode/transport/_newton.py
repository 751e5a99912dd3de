"""Sinkhorn-Newton-Sparse: Newton steps on a plan of which only the entries that matter are kept, along a path of regularisations.

    max_{f, g}  D(f, g) = <a, f> + <b, g> - reg sum_ij P_ij,      P_ij = exp((f_i + g_j - C_ij) / reg),   r = P 1,   c = P' 1

    Hs (x, y) = (a - r, b - c),      Hs = 1/reg [[(1 + s) diag(r), Ps], [Ps', (1 + s) diag(c)]]

Ps are the entries of P above a cut proportional to the marginal error, so that few are kept at first and the rate stays
quadratic; the diagonals keep r and c exactly, and a shift s makes Hs definite. A sweep of Sinkhorn's algorithm before every step
costs nothing: the pass that evaluates a step scales the rows and the columns too.

Tang, Shavlovsky, Rahmanian, Tardini, Thekumparampil, Xiao and Ying, "Accelerating Sinkhorn algorithm with sparse Newton
iterations", 2024 (arXiv 2401.12253); Tang and Qiu, "Safe and sparse Newton method for entropic-regularized optimal transport",
2024; path of regularisations: Schmitzer, "Stabilized sparse scaling algorithms for entropy regularized transport problems",
2019 (arXiv 1610.06519).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from .._parallel import worker_pool
from ..kernels import transport_newton as kernels
from ._problem import Outcome
from ._sinkhorn import fits_in_memory

__all__ = ["GLOBALIZATIONS", "newton_path"]

_FACTOR = 2.0  # between two regularisations of the path
_FIRST = 20.0  # extent of the cost over the largest of them
_SWEEPS = 2  # of Sinkhorn's algorithm at most, before the first Newton step
_STAGE_TOL = 1e-2  # marginal error at which the path goes on
_STAGE_STEPS = 100  # Newton steps of one regularisation of the path at most
_NEAR = 0.3  # marginal error of a given start that is worth following from there
_DENSE = 0.25  # share of kept entries above which the plan itself is multiplied
_CUT = 0.01  # dropped mass of a row or a column, over the marginal error
_CAP, _MOST_CAP = 200, 5000  # iterations of conjugate gradients
_CEILING, _LEAST_CEILING = 1e-2, 1e-10  # their relative residual at most
_TOP_K = 3  # entries kept for each row by the rule of the first paper
_ROUNDING = 4e-16  # of the dual objective


class State(NamedTuple):
    """Potentials whose plan has the column sums b, its row sums, their error, and the dual objective here and before the sweep."""

    f: np.ndarray
    g: np.ndarray
    row_sums: np.ndarray
    error: float
    dual: float
    dual_before: float


class Rows:
    """The rows of the plan of one `State`: stored where memory allows, made anew from the cost where not."""

    def __init__(self, problem):
        self.problem = problem
        self.state: Any = None
        self.array: Any = np.empty(problem.shape) if fits_in_memory(problem.cost) else None

    def sweep(self, f, g) -> State:
        """Scale the rows, then the columns, of the plan of f and g."""
        problem = self.problem
        a, b, reg = problem.a, problem.b, problem.reg
        linear = float(a @ f + b @ g)
        dual_before = -np.inf
        for attempt in range(4):
            f_new, before, sums = np.empty(a.size), np.empty(a.size), problem.columns()

            def work(rows, part, f=f, g=g, f_new=f_new, before=before, sums=sums):
                out = np.empty(rows.shape) if self.array is None else self.array[part]
                kernels.scaled_rows(
                    rows, f[part], g, a[part], reg, out, f_new[part], before[part], sums[part.start // problem.step]
                )

            problem.over_rows(work)
            sums = sums.sum(axis=0)
            if attempt == 0:
                dual_before = linear - reg * float(before.sum())
            if np.all((sums > 1e-150) & (sums < 1e150)):
                break
            f, g = f_new, problem.move_columns(f_new, g, sums)
        scale = b / sums
        g_new, row_sums = g + reg * np.log(scale), np.empty(a.size)

        def finish(start, stop):
            part = slice(start, stop)
            if self.array is None:
                self._made(part, f_new, g_new, row_sums)
            else:
                kernels.scale_columns(self.array[part], scale, row_sums[part])

        problem.over_blocks(finish)
        dual = float(a @ f_new + b @ g_new) - reg * float(row_sums.sum())
        self.state = State(f_new, g_new, row_sums, float(np.abs(row_sums - a).sum()), dual, dual_before)
        return self.state

    def centre(self) -> State:
        """Move a constant between the potentials so that ``<a, f> = <b, g>``: large ones that cancel cost digits."""
        f, g = self.state.f, self.state.g
        lift = 0.5 * float(self.problem.b @ g - self.problem.a @ f)
        self.state = self.state._replace(f=f + lift, g=g - lift)
        return self.state

    def _made(self, part, f, g, row_sums):
        rows = self.problem.rows(part)
        out = np.empty(rows.shape)
        kernels.plan_rows(rows, f[part], g, self.problem.reg, out, row_sums[part])
        return out

    def restore(self, system):
        """The stored plan of a system that multiplies it, which trial steps have written over."""
        if system.indices is None:
            sums = np.empty(self.problem.a.size)

            def make(rows, part):
                f, g = system.state.f[part], system.state.g
                kernels.plan_rows(rows, f, g, self.problem.reg, self.array[part], sums[part])

            self.problem.over_rows(make)

    def block(self, start, stop):
        """Some rows of the plan."""
        part = slice(start, stop)
        if self.array is not None:
            return self.array[part]
        return self._made(part, self.state.f, self.state.g, np.empty(self.state.f.size))

    def largest(self, count):
        """The value that `count` entries of the plan reach."""
        parts = self.problem.over_blocks(lambda start, stop: _top(self.block(start, stop).ravel(), count))
        kept = np.concatenate(parts)
        return max(float(_top(kept, count).min()), np.finfo(float).tiny)

    def kept(self, cut) -> System:
        """The linear system of a Newton step with the entries that reach `cut`."""
        problem, (n, m) = self.problem, self.problem.shape
        counts, lost_rows, lost = np.zeros(n + 1, dtype=np.int64), np.empty(n), problem.columns()

        def count(start, stop):
            inside = counts[start + 1 : stop + 1], lost_rows[start:stop], lost[start // problem.step]
            kernels.kept_counts(self.block(start, stop), cut, *inside)

        problem.over_blocks(count)
        if self.array is not None and counts.sum() > _DENSE * n * m:
            return System(problem, self.state, None, None, self.array, np.zeros(n), np.zeros(m))
        indptr = np.cumsum(counts)
        indices, values = np.empty(indptr[-1], dtype=np.uint32), np.empty(indptr[-1], dtype=np.float32)

        def fill(start, stop):
            kernels.keep_entries(self.block(start, stop), cut, indptr[start : stop + 1], indices, values)

        problem.over_blocks(fill)
        return System(problem, self.state, indptr, indices, values, lost_rows, lost.sum(axis=0))


def _top(values, count):
    return values if values.size <= count else np.partition(values, values.size - count)[values.size - count :]


class System:
    """The equations of a Newton step: kept entries as compressed rows (or the stored plan itself), and what was dropped."""

    def __init__(self, problem, state, indptr, indices, values, lost_rows, lost_columns):
        self.problem, self.state = problem, state
        self.indptr, self.indices, self.values = indptr, indices, values
        self.lost_rows, self.lost_columns = lost_rows, lost_columns
        self.tol, self.cap = _CEILING, _CAP
        self.shift, self.cg = 0.0, 0

    def direction(self, shift):
        """Solve for (x, y) with both diagonals multiplied by ``1 + shift``."""
        problem, row_sums, self.shift = self.problem, self.state.row_sums, shift
        x, y = np.empty(problem.a.size), np.empty(problem.b.size)
        w, z = problem.a - row_sums, np.zeros(y.size)  # without the unit of the cost, which a square may not hold
        lost_rows, lost_columns = self.lost_rows + shift * row_sums, self.lost_columns + shift * problem.b
        self.cg += kernels.schur_cg(
            self.indptr, self.indices, self.values, w, z, lost_rows, lost_columns, self.tol, self.cap, x, y
        )
        return problem.reg * x, problem.reg * y

    def details(self):
        """What the history says of a step."""
        return {"newton_shift": self.shift, "newton_kept": self.values.size, "newton_cg": self.cg}

    def curvature(self, x, y):
        """``(x, y)' Hs (x, y)`` without the shift."""
        kept = self.values
        if self.indices is not None:
            kept = csr_array((kept, self.indices.astype(np.int64), self.indptr), shape=self.problem.shape)
        x, y = x / self.problem.reg, y / self.problem.reg
        return self.problem.reg * float(self.state.row_sums @ x**2 + self.problem.b @ y**2 + 2 * (x @ (kept @ y)))


def _slack(problem, state):
    """What rounding may change of the dual objective: the last steps gain less."""
    return _ROUNDING * float(problem.a @ np.abs(state.f) + problem.b @ np.abs(state.g) + problem.reg)


class LineSearch:
    """Armijo's rule along directions whose shift shrinks after whole steps and grows after short ones."""

    def __init__(self):
        self.mu = 1e-3

    def step(self, rows, system):
        """The next state and the length of the step, or None where no step improves the dual objective."""
        state, problem = system.state, system.problem
        slack = _slack(problem, state)
        for attempt in range(7):
            if attempt > 0:
                rows.restore(system)
            x, y = system.direction(self.mu * state.error)
            slope = float((problem.a - state.row_sums) @ x)
            for length in 0.5 ** np.arange(9):
                trial = rows.sweep(state.f + length * x, state.g + length * y)
                if trial.dual_before >= state.dual + 1e-4 * length * slope - slack:
                    if length == 1.0:
                        self.mu = max(self.mu / 4, 1e-12)
                    elif length < 0.25:
                        self.mu *= 4
                    return trial, float(length)
            self.mu *= 10
        return None, 0.0


class TrustRegion:
    """The best of four lengths, and a shift that follows how well the quadratic model foretold it (Tang and Qiu, 2024)."""

    def __init__(self):
        self.mu = 1.0

    def step(self, rows, system):
        """The next state and the length of the step, or None where the model misled seven times."""
        state, problem = system.state, system.problem
        gradient, slack = state.row_sums - problem.a, _slack(problem, state)
        for attempt in range(7):
            if attempt > 0:
                rows.restore(system)
            x, y = system.direction(self.mu * float(np.linalg.norm(gradient)))
            curvature = system.curvature(x, y)
            trials = [(rows.sweep(state.f + t * x, state.g + t * y), t) for t in (1.0, 0.5, 0.25, 0.1)]
            trial, length = max(trials, key=lambda pair: pair[0].dual_before)
            foretold = -length * float(gradient @ x) - 0.5 * length**2 * curvature
            ratio = (trial.dual_before - state.dual + slack) / (foretold + slack) if foretold > 0.0 else -1.0
            if ratio < 0.25:
                self.mu *= 4
            elif ratio > 0.75:
                self.mu = max(self.mu / 2, 1e-3)
            if ratio > 0.0:
                return rows.sweep(state.f + length * x, state.g + length * y), length
        return None, 0.0


GLOBALIZATIONS: dict[str, Any] = {"line_search": LineSearch, "trust": TrustRegion}


def newton_path(
    problem, f, g, *, tol, max_iter, record, warm=False, sparsify="mass", globalization="line_search"
) -> Outcome:
    """Newton steps at one regularisation after another, down to that of the problem.

    Parameters
    ----------
    problem : Problem
        What is solved.
    f, g : ndarray of shape (n,) and (m,)
        Where to start.
    tol : float
        Marginal error at which to stop.
    max_iter : int
        Sweeps and Newton steps at most.
    record : Record
        Counts and calls back.
    warm : bool, default=False
        Whether f and g may be near the answer: the path then begins where they are good.
    sparsify : {"mass", "topk"} or int, default="mass"
        "mass" drops entries that weigh less than a hundredth of the error together; "topk" keeps the largest 3 for each row, a
        number that many, whatever their mass.
    globalization : {"line_search", "trust"}, default="line_search"
        How steps are held back.

    Returns
    -------
    Outcome
        The potentials of least error.
    """
    with worker_pool(problem.n_jobs):
        return _Path(problem, tol, max_iter, record, sparsify, globalization).follow(f, g, warm)


class _Path:
    """One solve: the regularisations, and the best that was seen at the last of them."""

    def __init__(self, problem, tol, max_iter, record, sparsify, globalization):
        self.problem, self.tol, self.max_iter, self.record = problem, tol, max_iter, record
        self.sparsify, self.globalization = sparsify, globalization
        self.rows = Rows(problem)
        self.stopped = self.stalled = False
        low, high = problem.cost.extent()
        self.regs = [problem.reg]
        while self.regs[-1] * _FACTOR < (high - low) / _FIRST:
            self.regs.append(self.regs[-1] * _FACTOR)

    def follow(self, f, g, warm) -> Outcome:
        """From the largest regularisation, or from where the given start is good, to that of the problem."""
        level, state = self._start(f, g, warm)
        before = None
        while True:
            state = self._stage(state, self.tol if level == 0 else _STAGE_TOL, sweeps=_SWEEPS if before is None else 0)
            if level == 0 or self._over():
                break
            f, g, reg = state.f, state.g, self.regs[level]
            if before is not None:  # potentials are nearly linear in a small regularisation
                share = (self.regs[level - 1] - reg) / (reg - before[2])
                f, g = f + share * (f - before[0]), g + share * (g - before[1])
            before, level = (state.f, state.g, reg), level - 1
            state = self._sweep(f, g, self.regs[level])
        if level > 0:  # what is returned are potentials for the regularisation that was asked for
            self.rows.problem = self.problem
            state = self.rows.sweep(state.f, state.g)
        return Outcome(state.f, state.g, state.error, self.stopped, self.stalled)

    def _start(self, f, g, warm):
        levels = range(len(self.regs)) if warm else [len(self.regs) - 1]
        for level in levels:
            state = self._sweep(f, g, self.regs[level])
            if state.error <= _NEAR or self._over():
                break
        return level, state

    def _over(self):
        return self.stopped or self.record.n_iter >= self.max_iter

    def _sweep(self, f, g, reg=None):
        if reg is not None:
            self.rows.problem = self.problem.at(reg)
        state = self.rows.sweep(f, g)
        if reg is not None:
            state = self.rows.centre()
        self.stopped |= self.record("sinkhorn", self.rows.problem.reg, state.error)
        return state

    def _stage(self, state, goal, sweeps):
        """Newton steps at one regularisation."""
        for _ in range(sweeps):
            if state.error <= max(goal, _STAGE_TOL) or self._over():
                break
            state = self._sweep(state.f, state.g)
        steps = GLOBALIZATIONS[self.globalization]()
        cap, ceiling, failures, best, ratio = _CAP, _CEILING, 0, state, 1.0
        for _ in range(_STAGE_STEPS if goal > self.tol else self.max_iter):
            if best.error <= goal or failures > 1 or self._over():
                break
            system = self._system(state, goal)
            # as exact as the last step was good (Eisenstat and Walker, 1996), and no better than the tolerance needs
            system.cap, system.tol = cap, max(min(ceiling, ratio**2), 0.1 * goal / state.error)
            trial, length = steps.step(self.rows, system)
            if trial is None:
                state, failures = self._recover(state), failures + 1
            else:
                ratio = trial.error / state.error
                if ratio > 0.5 and (length == 1.0 or system.cg >= cap):
                    cap, ceiling = min(2 * cap, _MOST_CAP), max(ceiling / 10, _LEAST_CEILING)
                state, failures = trial, 0
                self.stopped |= self.record("newton", self.rows.problem.reg, state.error)
                self.record.note(**system.details(), newton_length=length)
            best = min(best, state, key=lambda seen: seen.error)
        self.stalled = failures > 1 and best.error > goal
        return best

    def _system(self, state, goal):
        n, m = self.problem.shape
        if self.sparsify == "mass":
            share = min(max(_CUT, 0.1 * goal / state.error), 0.1)
            return self.rows.kept(min(share * state.error, _CUT) / max(n, m))
        count = _TOP_K if self.sparsify == "topk" else self.sparsify
        return self.rows.kept(self.rows.largest(min(count * max(n, m), n * m)))

    def _recover(self, state):
        """Where no Newton step helps, sweeps may."""
        for _ in range(10):
            if self._over():
                break
            state = self._sweep(state.f, state.g)
        return state
