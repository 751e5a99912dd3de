"""Class-based transport: sources of one class are sent to the same places.

    minimise over plans P in U(a, b)   <C, P> + sum_(l,k) R_lk mean(a) |P_l. / a_l - P_k. / a_k|_2 + the same for columns

over the edges of a graph on the sources and of one on the targets, with the mean of the positive masses (with equal masses the rows
are compared as they are). It is solved by the primal-dual hybrid gradient method with restarts,

    P  <- max(0, P - t (C + Dr'Z + (Dc'Y)' - f 1' - 1 g')),         B = 2 P_new - P_old
    Z  <- Z + s Dr B, each row cut to norm R_lk (Y likewise),       f <- f + s (a - B 1),   g <- g + s (b - B'1)

and proved by linear programming duality: for Z and Y within their bounds the reduced cost ``C + Dr'Z + (Dc'Y)'`` has potentials (a hard
c-transform of g) whose value is a lower bound of the minimum; the plan, rounded to the exact marginals, gives the upper one. Costs of
a row or of a column alone move no plan: they are taken out first, so that the least entry of each is zero and so is a bound on the
minimum, and the gap is relative to what the plan costs above that.

The program is that of Rahbar, Panahi, Chehreghani, Dubhashi and Krim, "Recovery bounds on class-based optimal transport: a
sum-of-norms regularization framework", 2023 (arXiv 1903.03850).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from .._parallel import single_threaded_blas
from .._validation import as_count, as_number
from ..result import SolveResult, announce
from ..solvers.certificates import Certificate, relative
from ..solvers.driver import State, drive
from ._costs import ArrayCost, as_cost
from ._home import home_of, sent_home
from ._masses import Masses, as_masses
from ._plan import rounded

__all__ = ["ClassProblem", "class_transport", "pose_class", "solve_class"]

_NAME = "relative duality gap"
_CHECK = 50  # steps between certificates
_RESTART = 0.3  # share of the gap at the last restart at which the next is due
_DENSE = 1500  # nodes of a graph whose largest eigenvalue is computed densely
_ROUNDING = 1e-15
_LOW = 0.1  # quantile of the positive costs that is their unit: of pairs that a plan might use, not of those that none does
_HIGH = 100.0  # costs above it, in this unit, do not set the first steps


class Edges(NamedTuple):
    """A graph on the rows of a plan: differences of joined rows, and the strength of each."""

    differences: Any  # sparse (n_edges, n)
    weights: np.ndarray  # (n_edges,)

    def value(self, plan):
        return float(self.weights @ np.linalg.norm(self.differences @ plan, axis=1))

    def cut(self, dual):
        """Rows no longer than their weights, in place."""
        lengths = np.linalg.norm(dual, axis=1)
        dual *= np.where(lengths > self.weights, self.weights / np.where(lengths > 0, lengths, 1.0), 1.0)[:, None]
        return dual

    def curvature(self):
        """The largest eigenvalue of the graph's Laplacian, or a bound on it."""
        laplacian = self.differences.T @ self.differences
        if not laplacian.nnz:
            return 0.0
        if laplacian.shape[0] <= _DENSE:
            with single_threaded_blas():
                return float(np.linalg.eigvalsh(laplacian.toarray())[-1])
        return float(abs(laplacian).sum(axis=1).max())


class _State(NamedTuple):
    """Plan and dual variables."""

    plan: np.ndarray  # (n, m)
    f: np.ndarray
    g: np.ndarray
    Z: np.ndarray  # (row edges, m)
    Y: np.ndarray  # (column edges, n)

    def towards(self, other, share):
        return _State(*(mine + share * (yours - mine) for mine, yours in zip(self, other, strict=True)))


class ClassProblem:
    """The program for positive masses of total one and costs whose least entry in every row and column is zero."""

    def __init__(self, cost, masses: Masses, rows: Edges, columns: Edges, shape):
        self.masses, self.shape, self.a, self.b = masses, shape, masses.a, masses.b
        above = cost.min(axis=1)
        lowest = np.argmin(cost - above[:, None], axis=0), np.arange(cost.shape[1])
        beside = cost[lowest] - above[lowest[0]]
        centred = cost - above[:, None] - beside
        sizes = np.abs(cost) + np.abs(above)[:, None] + np.abs(cost[lowest]) + np.abs(above[lowest[0]])
        centred[centred <= 4.0 * np.finfo(np.float64).eps * sizes] = 0.0
        positive = centred[centred > 0]
        self.unit = float(np.quantile(positive, _LOW)) if positive.size else 1.0
        self.cost, self.least = centred / self.unit, float(self.a @ above + self.b @ beside)
        self.rows, self.columns = (Edges(edges.differences, edges.weights / self.unit) for edges in (rows, columns))
        self.blur = sum(float(np.sum(part.weights)) / part.differences.shape[1] for part in (self.rows, self.columns))
        self._known: list[Any] = []

    def reduced(self, Z, Y):
        return self.cost + self.rows.differences.T @ Z + (self.columns.differences.T @ Y).T

    def objective(self, plan):
        return float(np.sum(self.cost * plan)) + self.rows.value(plan) + self.columns.value(plan.T)

    def judge(self, state):
        """The rounded plan, and its certificate."""
        plan = rounded(np.maximum(state.plan, 0.0), self.a, self.b)
        reduced = self.reduced(state.Z, state.Y)
        f = np.min(reduced - state.g, axis=1)
        g = np.min(reduced - f[:, None], axis=0)
        objective = self.objective(plan)
        gap = objective - float(self.a @ f + self.b @ g)
        terms = objective + float(self.a @ np.abs(f) + self.b @ np.abs(g)) + self.blur
        value = relative(gap if gap > _ROUNDING * terms else 0.0, max(objective, 1.0))
        proof = Certificate(value, np.asarray(self.masses.total * (self.unit * objective + self.least)), _NAME, plan)
        self._known = [*self._known[-1:], proof]
        return proof

    def certify(self, plan):
        """The certificate of a plan that `judge` made."""
        return next(known for known in self._known if known.point is plan)

    def start(self):
        n, m = self.cost.shape
        edges = self.rows.weights.size, self.columns.weights.size
        return _State(
            np.outer(self.a, self.b), np.zeros(n), np.zeros(m), np.zeros((edges[0], m)), np.zeros((edges[1], n))
        )

    def step(self, state, t, s):
        slope = self.reduced(state.Z, state.Y)
        slope -= state.f[:, None]
        slope -= state.g
        plan = np.maximum(state.plan - t * slope, 0.0)
        ahead = 2.0 * plan - state.plan
        Z = self.rows.cut(state.Z + s * (self.rows.differences @ ahead))
        Y = self.columns.cut(state.Y + s * (self.columns.differences @ ahead.T))
        f = state.f + s * (self.a - ahead.sum(axis=1))
        return _State(plan, f, state.g + s * (self.b - ahead.sum(axis=0)), Z, Y)


def class_transport(
    cost,
    row_strengths=None,
    column_strengths=None,
    *,
    a=None,
    b=None,
    max_iter=20_000,
    tol=1e-6,
    callback=None,
) -> SolveResult:
    """Find the cheapest plan that pays for differences between chosen pairs of rows, or of columns.

    The problem is ``minimise over P in U(a, b): <C, P> + sum_(l,k) R_lk mean(a) |P_l. / a_l - P_k. / a_k|`` with the Euclidean
    norm and the mean of the positive masses, and the same for columns with S and b. Norms are not squared: rows coincide exactly from
    some strength on. It is convex, solved by a restarted primal-dual method, and certified by linear programming duality.

    Parameters
    ----------
    cost : array of shape (n, m)
        Costs.
    row_strengths : array or sparse matrix of shape (n, n), optional
        R: a symmetric matrix of strengths, not negative, in units of the cost; zero for pairs of sources that are not joined.
    column_strengths : array or sparse matrix of shape (m, m), optional
        S: the same for the targets.
    a, b : array of shape (n,) and (m,), optional
        Masses of the same total; equal ones of total one by default.
    max_iter : int, default=20_000
        Steps, each of a few passes over the plan and over the rows and columns that are joined.
    tol : float, default=1e-6
        Tolerance of the duality gap, relative to the objective above what all plans pay (the least entry of each row, then of each
        column), or to the tenth percentile of the costs above that where it is larger.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    SolveResult
        With the plan, whose marginals are exact, in `coef`: in double precision, in the namespace of the cost.

    Raises
    ------
    ValueError
        If data are not finite, shapes or masses disagree, or strengths are negative or not symmetric.

    Warns
    -----
    ConvergenceWarning
        If the duality gap misses the tolerance.

    Notes
    -----
    Without strengths it is the linear program, for which POT's ``ot.emd`` is the better tool. A step costs as many rows as there are
    edges: join neighbours, not all pairs, beyond some fifty points a class.

    References
    ----------
    Rahbar, Panahi, Chehreghani, Dubhashi and Krim, "Recovery bounds on class-based optimal transport: a sum-of-norms regularization
    framework", 2023 (arXiv 1903.03850).

    Examples
    --------
    Two sources that belong together share their targets, although each has one at its side.

    >>> import numpy as np
    >>> from sparsecode.transport import class_transport
    >>> cost = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> class_transport(cost).coef.round(2)
    array([[0.5, 0. ],
           [0. , 0.5]])
    >>> class_transport(cost, 2.0 * np.ones((2, 2))).coef.round(2)
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    home = home_of(cost=cost, a=a, b=b)
    problem = pose_class(cost, row_strengths, column_strengths, a, b)
    max_iter, tol = as_count(max_iter, "max_iter"), as_number(tol, "tol")
    result = announce(solve_class(problem, max_iter=max_iter, tol=tol, callback=callback))
    return replace(result, coef=sent_home(result.coef, home))


def solve_class(problem, *, max_iter, tol, callback=None) -> SolveResult:
    """The same for a problem that is posed, without a warning."""
    result = drive(_steps(problem), problem.certify, max_iter=max_iter, tol=tol, callback=callback)
    masses = problem.masses
    plan = result.coef * masses.total
    for axis, (where, size) in enumerate(zip((masses.rows, masses.columns), problem.shape, strict=True)):
        if where is not None:
            whole = np.zeros((size, plan.shape[1]) if axis == 0 else (plan.shape[0], size))
            whole[(where, slice(None)) if axis == 0 else (slice(None), where)] = plan
            plan = whole
    return replace(result, coef=plan)


def pose_class(cost, row_strengths, column_strengths, a=None, b=None) -> ClassProblem:
    """The problem, from what a user passes."""
    cost = as_cost(cost)
    if not isinstance(cost, ArrayCost):
        raise ValueError(f"cost is a {type(cost).__name__}; this program needs all entries: pass an array.")
    masses = as_masses(a, b, cost.shape)
    rows = _as_edges(row_strengths, masses.a, masses.rows, cost.shape[0], "row_strengths")
    columns = _as_edges(column_strengths, masses.b, masses.columns, cost.shape[1], "column_strengths")
    matrix = cost.array
    matrix = matrix if masses.rows is None else matrix[masses.rows]
    matrix = matrix if masses.columns is None else matrix[:, masses.columns]
    return ClassProblem(matrix, masses, rows, columns, cost.shape)


def _as_edges(strengths, masses, where, size, name) -> Edges:
    """The pairs that are joined, each once."""
    matrix = sp.coo_array((size, size)) if strengths is None else sp.coo_array(strengths)
    if matrix.shape != (size, size):
        raise ValueError(f"{name} has shape {matrix.shape}; it needs one row and one column for each of {size} points.")
    if not np.all((matrix.data >= 0) & np.isfinite(matrix.data)):
        raise ValueError(f"{name} must hold finite strengths that are not negative.")
    matrix = matrix.tocsr()
    if abs(matrix - matrix.T).sum() > 1e-12 * matrix.sum():
        raise ValueError(f"{name} must be symmetric; pass ({name} + {name}.T) / 2.")
    matrix = sp.triu(matrix if where is None else matrix[where][:, where], k=1).tocoo()
    matrix.eliminate_zeros()
    (left, right), count = matrix.coords, matrix.nnz
    shares = 1.0 / (masses.size * masses)
    places = np.concatenate([np.arange(count)] * 2), np.concatenate([left, right])
    values = np.concatenate([shares[left], -shares[right]])
    return Edges(sp.csr_array((values, places), shape=(count, masses.size)), np.asarray(matrix.data, dtype=np.float64))


def _steps(problem):
    """Primal-dual steps, restarted from their average; yield the better of the last plan and the average one."""
    n, m = problem.cost.shape
    rows, columns = problem.rows.curvature(), problem.columns.curvature()
    size = np.sqrt(n + m + rows + columns)
    state = anchor = average = problem.start()
    costs, masses = np.minimum(problem.cost, _HIGH), np.linalg.norm(problem.a) + np.linalg.norm(problem.b)
    weight = np.sqrt(np.linalg.norm(costs) / masses) or 1.0
    best = problem.judge(state)
    reached, count = float(best.value), 0
    yield State(best.point)
    while True:
        for _ in range(_CHECK - 1):
            state, count = problem.step(state, 1.0 / (weight * size), weight / size), count + 1
            average = average.towards(state, 1.0 / count)
            yield State(best.point, certify=False)
        state, count = problem.step(state, 1.0 / (weight * size), weight / size), count + 1
        average = average.towards(state, 1.0 / count)
        candidates = [(problem.judge(known), known) for known in (state, average)]
        best, leader = min(candidates, key=lambda pair: float(pair[0].value))
        if float(best.value) <= _RESTART * reached or count >= 2000:
            weight = _balanced(weight, anchor, leader)
            reached, count, state, anchor, average = float(best.value), 0, leader, leader, leader
        yield State(best.point)


def _balanced(weight, anchor, state):
    """Steps in proportion to how far either side moved, smoothed."""
    primal = np.linalg.norm(state.plan - anchor.plan)
    dual = np.sqrt(sum(np.sum((now - then) ** 2) for now, then in zip(state[1:], anchor[1:], strict=True)))
    return float(np.sqrt(weight * dual / primal)) if primal > 1e-12 and dual > 1e-12 else weight
