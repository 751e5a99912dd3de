"""The whole path of a small Lasso at once: between the strengths at which its support changes, the coefficients are linear.

    min over x   1/(2 n) ||y - A x||^2 + alpha sum_j weights_j |x_j|      for alpha from infinity down to the least one asked for

With the Gram matrix at hand, each change of the support is one principal pivot of it: a rank-one update. A path of a hundred
strengths on a few dozen columns is then a few dozen pivots, where a solver would be set up and certified a hundred times.
What rounding or dependent columns spoil shows in the certificates, all computed in one product; such strengths are left to the solver.

Osborne, Presnell and Turlach, "A new approach to variable selection in least squares problems", 2000.
Efron, Hastie, Johnstone and Tibshirani, "Least angle regression", 2004.
"""

from __future__ import annotations

import numpy as np

from ..._parallel import single_threaded_blas
from ...designs import GramDesign
from ...result import SolveResult, Status
from ..certificates import relative_gap
from ..gram_problem import GramProblem

__all__ = ["homotopy_path", "is_small", "path_at_once"]

_FEATURES, _ENTRIES = 256, 1 << 22  # a pivot costs the square of the features; the design is looked at as a dense array
_PIVOTS = 10  # for each feature: more are a circle that ties of rounding errors have closed
_DEPENDENT = 1e-10  # share of a column, squared, below which what is new in it may be rounding


def is_small(problem):
    """Whether the path is worth following, and has no orthant for free coefficients to stay in."""
    few = problem.n_features <= _FEATURES and problem.n_samples * problem.n_features <= _ENTRIES
    return few and not problem.design.is_matrix_free and not (problem.penalty.positive and problem.free_columns().size)


def path_at_once(problem, alphas, tol):
    """Results for a descending sequence of strengths of an `L1` penalty; None for those whose gap misses `tol`.

    The gap is that of the coefficients with their own residual, from the Gram matrix in double precision.
    """
    with single_threaded_blas():  # many small products
        known = _as_gram(problem)
        coefs, pivots = homotopy_path(known, alphas)
        coefs = coefs.astype(problem.target.dtype)
        certificate = _gaps(known, coefs, alphas)
    return [
        _result(coefs[:, k], alphas[k] * (alphas[k] * float(certificate.objective[k])), float(value), tol, pivots)
        if value <= tol
        else None
        for k, value in enumerate(certificate.value)
    ]


def _as_gram(problem):
    """The problem, known through its Gram matrix."""
    wide = problem.in_double()
    if isinstance(wide, GramProblem):
        return wide
    design = wide.design
    gram = np.asarray(design.gram(np.arange(problem.n_features)))
    null = np.flatnonzero(design.column_sq_norms() <= 0)  # constants, of which centring leaves rounding errors
    gram[null] = gram[:, null] = 0.0
    correlations = wide.at_zero().correlation * problem.n_samples
    design = GramDesign(gram, problem.n_samples, float(wide.target @ wide.target))
    return GramProblem(design, correlations, wide.loss, wide.penalty, wide.penalty_weights)


def _gaps(problem, coefs, alphas):
    """Relative gaps at all strengths: a target over its strength is the problem of strength one, so they are many targets."""
    penalty = problem.penalty._replace(alpha=1.0)
    known = GramDesign(problem.design.matrix, problem.n_samples, (np.sqrt(problem.target_sq_norm) / alphas) ** 2)
    targets = problem.target[:, None] / alphas
    return relative_gap(
        GramProblem(known, targets, problem.loss, penalty, problem.penalty_weights), coefs.astype(np.float64) / alphas
    )


def _result(coef, objective, gap, tol, pivots):
    return SolveResult(coef, 0.0, Status.CONVERGED, pivots, objective, gap, "relative duality gap", float(tol))


def homotopy_path(problem, alphas):
    """Coefficients (n_features, n_alphas) of a `GramProblem` with an `L1` penalty, and how many pivots they took."""
    follower = _Follower(problem)
    coefs = np.zeros((problem.n_features, alphas.size))
    done = 0
    for _ in range(_PIVOTS * problem.n_features):
        follower.aim()
        alpha, column, sign = follower.next_change()
        last = int(np.searchsorted(-alphas, -alpha))  # those at least as large as alpha
        if last > done:
            coefs[:, done:last] = follower.coefs(alphas[done:last])
            done = last
        if done == alphas.size:
            break
        follower.change(column, alpha, sign)
    return coefs, follower.pivots


class _Follower:
    """A piece of the path: its support, signs, and the Gram matrix with the support pivoted in.

    On the support the coefficients are ``base - alpha * slope``, elsewhere the correlations are, all in the same two arrays.
    """

    def __init__(self, problem):
        n_features = problem.n_features
        weights = problem.penalty_weights
        self.weights = np.ones(n_features) if weights is None else np.asarray(weights, dtype=np.float64)
        self.table = np.array(problem.design.matrix) / problem.n_samples
        self.target = problem.target / problem.n_samples
        self.positive = problem.penalty.positive
        self.size = np.diagonal(self.table).copy()
        self.alpha, self.pivots = np.inf, 0
        self.sign = np.zeros(n_features)
        self.inside = np.zeros(n_features, dtype=bool)
        self.excluded = (self.size <= 0) | np.isinf(self.weights)
        self.weights = np.where(self.excluded, 0.0, self.weights)
        self.barred = self.excluded.copy()
        for column in np.flatnonzero((self.weights == 0) & ~self.excluded):
            self._enter(column, 0.0)

    def aim(self):
        """The piece that the support and its signs begin."""
        known = np.column_stack([self.target, self.weights * self.sign])
        piece = self.table @ np.where(self.inside[:, None], known, 0.0)
        outside = ~self.inside
        piece[outside] += known[outside]  # signs are zero there
        self.base, self.slope = piece.T

    def coefs(self, alphas):
        """The coefficients at strengths of the piece; rounding carries none beyond zero."""
        coefs = np.where(self.inside[:, None], self.base[:, None] - self.slope[:, None] * alphas, 0.0)
        coefs[coefs * self.sign[:, None] < 0] = 0.0
        return coefs

    def next_change(self):
        """The largest strength at which the piece ends, the column that enters or leaves there, and its sign."""
        base, slope, weights = self.base, self.slope, self.weights
        free_to_enter = ~self.inside & ~self.barred
        above, below = weights + slope, weights - slope
        with np.errstate(divide="ignore", invalid="ignore"):
            leaves = np.where(self.inside & (self.sign * slope < 0), base / slope, 0.0)
            rises = np.where(free_to_enter & (above > 0), base / above, 0.0)
            falls = np.where(free_to_enter & (below > 0) & (not self.positive), -base / below, 0.0)
        times = np.concatenate([rises, falls, leaves])
        first = int(np.argmax(times))
        kind, column = divmod(first, weights.size)
        return min(max(float(times[first]), 0.0), self.alpha), column, (1.0, -1.0, 0.0)[kind]

    def change(self, column, alpha, sign):
        """Let a column in with its sign, or out with none."""
        self.alpha = alpha
        if sign:
            self._enter(column, sign)
            return
        self._pivot(column)
        self.inside[column], self.sign[column] = False, 0.0
        self.barred = self.excluded.copy()

    def _enter(self, column, sign):
        if self.table[column, column] <= _DEPENDENT * self.size[column]:
            self.barred[column] = True  # until another one leaves
            return
        self._pivot(column)
        self.inside[column], self.sign[column] = True, sign

    def _pivot(self, column):
        """Exchange a coefficient for its correlation; done twice it undoes itself."""
        self.pivots += 1
        table = self.table
        pivot, row, left = table[column, column], table[column] / table[column, column], table[:, column].copy()
        table -= left[:, None] * row
        table[column], table[:, column] = row, -left / pivot
        table[column, column] = 1.0 / pivot
