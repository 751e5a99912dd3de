"""Least absolute deviations on a growing set of columns, exactly: ``min_z ||y - C z||_1`` for real data.

A solution may be taken to interpolate k of the rows, the basis B. With ``M = C_B`` the optimality conditions are

    v_i = sign r_i   off the basis       M^T v_B = -C_N^T v_N       |v_B| <= 1

A row p with ``|v_p| > 1`` is released: along ``d = M^-1 e_p`` the misfit falls at rate ``|v_p| - 1``, and a weighted median of the
ratios ``r_i / (C d)_i`` says how far to go and which row is interpolated next. A new column enters with one such line search
along the edge that keeps the basis, so each fit starts from the last. Rows that are interpolated without being in the basis
(repeated rows, exact data) make vertices ambiguous: the target is then moved by a fixed perturbation far below the
accuracy of the fit, which decides, and the last solve uses the target itself.

Barrodale and Roberts, "An improved algorithm for discrete l1 linear approximation", 1973.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lu_factor, lu_solve

__all__ = ["LeastAbsolute", "absolute_optimality"]

_REFRESH = 24  # pivots between factorisations of the basis
_PIVOTS = 50  # for each row and column: far more than are ever needed
_SLACK = 1e-9  # multipliers up to one plus this are optimal
_DEPENDENT = 1e-9  # of a row's own entries: what is left in it of a column off the span of the others
_ROUNDING = 1e-14
_PERTURBATION = 1e4  # times rounding


class LeastAbsolute:
    """The fit of one target, one column after another.

    Parameters
    ----------
    target : float64 array of shape (n_samples,)
        y.

    Attributes
    ----------
    residual : float64 array of shape (n_samples,)
        ``y - C coef``; exactly zero on the basis.
    """

    def __init__(self, target):
        self.target = target
        self._clear()

    def _clear(self):
        target = self.target
        self.columns = np.empty((target.size, 0), order="F")  # divided by their largest entries, `sizes`
        self.sizes = np.empty(0)
        self.basis = np.empty(0, dtype=np.int64)
        self._coef, self.residual = np.empty(0), target.copy()
        self._inverse = np.empty((0, 0))
        self._since = 0
        self._largest = np.zeros(target.size)  # entry of every row
        self._level = np.zeros(target.size)  # residuals up to it are rounding

    @property
    def coef(self):
        """The minimiser, in the order in which the columns came."""
        return self._coef / self.sizes

    def append(self, column) -> bool:
        """Refit with one column more; False, and nothing changes, if it lies in the span of the others."""
        size = np.max(np.abs(column))
        if size == 0.0:
            return False
        column = column / size
        inner = self._inverse @ column[self.basis]
        edge = column - self.columns @ inner
        edge[self.basis] = 0.0
        on_basis = np.abs(column[self.basis]) + np.abs(self.columns[self.basis]) @ np.abs(inner)
        spread = np.abs(self._inverse) @ on_basis  # what rounding makes of `inner`, whatever the sizes of the rows
        free = np.abs(edge) > _DEPENDENT * (np.abs(column) + np.abs(self.columns) @ spread)
        if not np.any(free):
            return False
        entering, _ = _line_search(self.residual, np.where(free, edge, 0.0))
        self.columns = np.asfortranarray(np.column_stack([self.columns, column]))
        self._largest = np.maximum(self._largest, np.abs(column))
        self.sizes = np.append(self.sizes, size)
        self.basis = np.append(self.basis, entering)
        self._settle(self.target)
        self._optimise()
        return True

    def refit(self, columns):
        """Start over with other columns, an array (n_samples, k) of independent ones."""
        self._clear()
        for column in columns.T:
            self.append(column)

    def _optimise(self):
        """Pivot to the optimum; on a degenerate vertex once more, for a perturbed target."""
        unambiguous = self._pivot(self.target)
        self._settle(self.target)
        size = np.abs(self.residual)
        if unambiguous or not np.any(size > self._level):
            return
        value, basis = np.sum(size), self.basis.copy()
        least = _ROUNDING * np.median(size[size > self._level])  # robust: outliers are what this fit is for
        some = np.random.default_rng(0).uniform(0.5, 1.0, size.size)
        moved = self.target + _PERTURBATION * some * (self._level + least)
        self._settle(moved)
        self._pivot(moved)
        self._settle(self.target)
        if np.sum(np.abs(self.residual)) > value:
            self.basis = basis
            self._settle(self.target)

    def _pivot(self, target) -> bool:
        """Exchange rows until no edge descends; False if rows off the basis are interpolated, so that some were not seen."""
        for _ in range(_PIVOTS * (self.basis.size + self.target.size)):
            ties = np.abs(self.residual) <= self._level
            signs = np.where(ties, 0.0, np.sign(self.residual))
            slope = (signs @ self.columns) @ self._inverse
            p = int(np.argmax(np.abs(slope)))
            degenerate = np.count_nonzero(ties & (self._largest > 0)) > self.basis.size
            if abs(slope[p]) <= 1.0 + _SLACK:
                return not degenerate
            direction = self._inverse[:, p] * np.sign(slope[p])
            edge = self.columns @ direction
            edge[self.basis] = 0.0
            edge[self.basis[p]] = np.sign(slope[p])
            edge[np.abs(edge) <= _ROUNDING * np.sum(np.abs(direction)) * self._largest] = 0.0
            entering, step = _line_search(np.where(ties, 0.0, self.residual), edge)
            if not step > 0.0:
                return False
            self._exchange(p, entering, step, edge, target)
        return False

    def _exchange(self, p, entering, step, edge, target):
        """Row `entering` for the p-th of the basis: a rank-one change of the inverse, or a fresh one now and then."""
        change = self.columns[entering] - self.columns[self.basis[p]]
        self.basis[p] = entering
        row = change @ self._inverse
        pivot = 1.0 + row[p]
        self._since += 1
        if self._since >= _REFRESH or abs(pivot) < 1e-6:
            self._settle(target)
            return
        self._inverse = self._inverse - np.outer(self._inverse[:, p], row / pivot)
        self.residual = self.residual - step * edge
        self.residual[self.basis] = 0.0

    def _settle(self, target):
        """Coefficients, residual and inverse from the basis alone."""
        self._since = 0
        matrix = self.columns[self.basis]
        factor = lu_factor(matrix, check_finite=False)
        self._inverse = lu_solve(factor, np.eye(self.basis.size), check_finite=False)
        wanted = target[self.basis]
        coef = lu_solve(factor, wanted, check_finite=False)
        self._coef = coef + lu_solve(factor, wanted - matrix @ coef, check_finite=False)
        self.residual = target - self.columns @ self._coef
        self.residual[self.basis] = 0.0
        self._level = _ROUNDING * (np.abs(target) + np.sum(np.abs(self._coef)) * self._largest)


def _line_search(residual, edge):
    """The row that a minimiser of ``||r - t e||_1`` over t interpolates, and that t: a weighted median of ``r_i / e_i``."""
    rows = np.flatnonzero(edge)
    ratios = residual[rows] / edge[rows]
    order = np.argsort(ratios, kind="stable")
    sums = np.cumsum(np.abs(edge[rows])[order])
    place = order[np.searchsorted(sums, 0.5 * sums[-1])]
    return rows[place], ratios[place]


def absolute_optimality(columns, target, coef, precision):
    """How far `coef` is from a minimiser of ``||y - C z||_1``: ``max_j |c_j^T v| / ||c_j||_1`` for the best admissible v.

    v is the sign of the residual where that is not rounding, and the best choice in [-1, 1] elsewhere; zero proves the minimum.

    Parameters
    ----------
    columns : float64 array of shape (n_samples, k)
        C.
    target : float64 array of shape (n_samples,)
        y.
    coef : float64 array of shape (k,)
        z.
    precision : float
        Relative rounding error of `coef`.
    """
    if coef.size == 0:
        return 0.0
    size = np.sum(np.abs(columns), axis=0)
    unit = columns / np.where(size > 0, size, 1.0)
    residual = target - columns @ coef
    ties = np.abs(residual) <= 4.0 * precision * (np.abs(target) + np.abs(columns) @ np.abs(coef))
    signs = np.where(ties, 0.0, np.sign(residual))
    wanted = -(signs @ unit)
    matrix = unit[ties].T
    if matrix.shape[1] == 0:
        return float(np.max(np.abs(wanted)))
    inside = np.clip(np.linalg.lstsq(matrix, wanted)[0], -1.0, 1.0)
    value = float(np.max(np.abs(matrix @ inside - wanted)))
    if value > 1e-9 and matrix.shape[1] > matrix.shape[0]:
        value = min(value, _least_defect(matrix, wanted))
    return value


def _least_defect(matrix, wanted):
    """``min_v ||M v - w||_inf`` over the box, by linear programming."""
    from scipy.optimize import linprog  # slow to import, rarely needed

    k, n_ties = matrix.shape
    cost = np.append(np.zeros(n_ties), 1.0)
    scale = max(float(np.max(np.abs(wanted))), float(np.max(np.abs(matrix))))
    ones = np.ones((k, 1))
    above = np.block([[matrix / scale, -ones], [-matrix / scale, -ones]])
    bound = np.concatenate([wanted, -wanted]) / scale
    answer = linprog(cost, A_ub=above, b_ub=bound, bounds=[(-1.0, 1.0)] * n_ties + [(0.0, None)])
    if answer.x is None:
        return np.inf
    v = np.clip(answer.x[:-1], -1.0, 1.0)
    return float(np.max(np.abs(matrix @ v - wanted)))
