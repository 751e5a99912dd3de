"""Any separable penalty restricted to a working set: sweeps, Newton steps on its smooth pieces, extrapolation.

    min over w   1/(2 n) ||y - A w||^2 + sum_j weights_j penalty(w_j)

Nothing but the prox of the penalty is asked, so that a penalty of the user's own is served as well. A coordinate's minimiser,
the others held, is ``T_j(w) = prox(v_j)`` with ``v_j = w_j + q_j / c_j``, q the correlations and c the curvatures ``G_jj``. Where the
penalty is smooth at ``T_j``, the slope d of the prox at v gives its second derivative, ``c (1 / d - 1)``, and the gradient of the
objective is ``c / d (w - T)`` up to second order; Newton's system on a support S is therefore

    (G_SS + diag(c (1 / d - 1))) step = c / d (T - w)

and the prox of the point that it leads to keeps a step that leaves its piece (changes sign, meets a bound) where it belongs.
Every step other than a sweep is kept only if the objective falls.

Bertrand, Klopfenstein, Bannier, Gidel and Massias, "Beyond L1: faster and better sparse models with skglm", 2022
(arXiv 2204.07826).
Li, Sun and Toh, "A highly efficient semismooth Newton augmented Lagrangian method for solving Lasso problems", 2018
(arXiv 1607.05428).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .newton import solve_definite
from .subproblem import NEWTON_CUBE, NEWTON_SQUARE, SWEEPS, anderson

__all__ = ["is_uncompiled", "minimise_pieces"]

_ROUNDS = 60
_SIDE, _ENTRIES = 128, 1 << 16  # samples or features, and entries, of small problems
_BENT = 0.5  # concavity, over the curvature of a column of norm sqrt(n_samples)
_LOUD = 0.01  # of the largest objection: those below wait for Newton's method
_TRIALS = 0.25 ** np.arange(3)  # shares of a Newton step to try
_DIFFERENCE = 1e-6  # relative; the slope of the prox is measured across it
_FLAT = 1e-8  # a prox of smaller slope holds its coefficient where it is, at a bound for example
_ROUNDING = 1e-13  # relative change of the objective that says nothing


def is_uncompiled(design, penalty):
    """Whether data are small, and the penalty bends so little that Newton steps spare most sweeps: numba is then not even imported."""
    n_samples, n_features = design.shape
    small = min(n_samples, n_features) <= _SIDE and n_samples * n_features <= _ENTRIES
    return small and getattr(penalty, "concavity", np.inf) <= _BENT


class _Look(NamedTuple):
    """Where each coordinate would go."""

    pull: np.ndarray  # v, whose prox is its minimiser
    best: np.ndarray  # T = prox(v)
    worst: float  # largest c_j |T_j - w_j|, in the units of a correlation


def minimise_pieces(columns, penalty, aim):
    """Minimise over the members of the working set `columns` until no coordinate objects by more than `aim`."""
    return _Descent(columns, penalty).run(aim)


class _Descent:
    """One minimisation over one working set."""

    def __init__(self, columns, penalty):
        self.columns, self.penalty, self.weights = columns, penalty, columns.weights
        bend = columns.curvatures()
        self.live = bend > 0
        self.bend = np.where(self.live, bend, 1.0)
        self.steps = self.weights / self.bend

    def run(self, aim):
        columns = self.columns
        columns.work = spent = 0.0
        look = self.look()
        if is_uncompiled(columns.design, self.penalty):
            return self.run_by_newton(aim, look)
        for _ in range(_ROUNDS):
            if look.worst <= aim:
                break
            iterates = [columns.coef.copy()]
            for _ in range(SWEEPS):
                columns.sweep(self.penalty, self.weights, 0.0)
                iterates.append(columns.coef.copy())
            look = self.look()
            if look.worst <= aim or np.array_equal(iterates[-1], iterates[-2]):
                break
            size = np.count_nonzero(columns.coef)
            cost = NEWTON_CUBE * size**3 + NEWTON_SQUARE * size**2
            newton = cost <= columns.work - spent
            if newton:
                spent = columns.work = columns.work + cost
            if not (newton and self.newton(look)):
                self.extrapolate(np.array(iterates), look)
            look = self.look()
        return look.worst

    def run_by_newton(self, aim, look):
        """The same with single sweeps, over those alone that object, and Newton steps in between: for small problems, uncompiled."""
        columns = self.columns
        for k in range(SWEEPS * _ROUNDS):
            if look.worst <= aim:
                break
            jumps = np.any((look.best == 0) != (columns.coef == 0))
            if (jumps and k % 2 == 0) or not self.newton(look):
                loud = self.bend * np.abs(look.best - columns.coef) > max(aim, _LOUD * look.worst)
                columns.visit(self.penalty, self.weights, np.flatnonzero(loud))
            look = self.look()
        return look.worst

    def look(self):
        coef, columns = self.columns.coef, self.columns
        pull = coef + np.where(self.live, columns.correlations(), 0.0) / self.bend
        best = np.where(self.live, self.penalty.prox(pull, self.steps), coef)
        return _Look(pull, best, float(np.max(self.bend * np.abs(best - coef), initial=0.0)))

    def newton(self, look):
        """A Newton step on the support, or a share of it, if that lowers the objective; whether it did."""
        coef = self.columns.coef.copy()
        slope = self._slopes(look.pull)
        support = np.flatnonzero(self.live & (coef != 0) & (look.best != 0) & (slope > _FLAT))
        if not support.size:
            return False
        bend, slope = self.bend[support], slope[support]
        start, best, shift = coef[support], look.best[support], look.pull[support] - look.best[support]
        matrix, curvature = self.columns.support_gram(support), 1.0 / slope - 1.0
        diagonal = np.diagonal(matrix).copy()
        for bent in (curvature, np.maximum(curvature, 0.0)):  # then without what is concave: a model from above
            matrix[np.diag_indices_from(matrix)] = diagonal + bend * bent
            step = solve_definite(matrix, bend / slope * (best - start))
            if step is not None and self._falls_along(support, start, step, best, shift, bent, look):
                return True
            if bent.min() >= 0.0:
                break
        return False

    def _falls_along(self, support, start, step, best, shift, bent, look):
        """Make a share of a step, through the prox of the point that it leads to; whether one was made."""
        for share in _TRIALS:
            aimed = start + share * step
            landed = self.penalty.prox(aimed + shift + bent * (aimed - best), self.steps[support])
            if self._moves(support, landed - start, look):
                return True
        return False

    def _slopes(self, pull):
        """Derivative of the prox, by central differences."""
        gap = _DIFFERENCE * np.abs(pull)
        safe = np.where(gap > 0, gap, 1.0)
        above, below = self.penalty.prox(pull + np.stack([gap, -gap]), np.stack([self.steps, self.steps]))
        return (above - below) / (2.0 * safe)

    def extrapolate(self, iterates, look):
        """Anderson's combination of the last iterates, where it changes no sign, if it lowers the objective."""
        mixed = anderson(iterates)
        if mixed is None:
            return
        coef = self.columns.coef
        step = np.where(mixed * coef > 0, mixed, 0.0) - coef
        moved = np.flatnonzero(step)
        self._moves(moved, step[moved], look)

    def _moves(self, where, step, look):
        """Make a move if it lowers the objective, or leaves it within rounding and brings the minimum nearer; whether it was made."""
        columns = self.columns
        before, correlations, misfit = columns.coef.copy(), columns.correlations().copy(), columns.misfit()
        charge = self._charge(before)
        columns.move(step, where)
        rise = 0.5 * (columns.misfit() - misfit) + (self._charge(columns.coef) - charge)
        blurred = _ROUNDING * (misfit + abs(charge))
        if rise < -blurred or (rise <= blurred and self.look().worst < look.worst):
            return True
        columns.put(before, correlations)
        return False

    def _charge(self, coef):
        return float(self.penalty.value(coef, self.weights))
