"""The path of a small elastic net, followed from one strength to the next.

    min over x   1/(2 n) ||y - A x||^2 + alpha sum_j weights_j (l1_ratio |x_j| + (1 - l1_ratio) / 2 x_j^2)

Its ridge moves with the strength, so that coefficients are not linear in it. But the coefficients x0 of the last strength solve the
problem with the ridge of the next one for another target: with ridges e0 and e, correlations ``q + (e - e0) weights x0`` in the place
of q. From there to q, while the threshold goes from the last one to the next, coefficients are linear between changes of the support,
a Lasso's with the Gram matrix ``A^T A / n + e diag(weights)``; those changes are few.

Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.
Best, "An algorithm for the solution of the parametric quadratic programming problem", 1996.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from ..._parallel import single_threaded_blas
from ..certificates import relative_gap
from ..gram_problem import GramProblem
from .at_once import proved
from .homotopy import ROUNDING, Columns

__all__ = ["elastic_path_at_once", "is_small_elastic_net"]

_SAMPLES = 128  # or features: a strength costs the cube of its support
_ENTRIES = 1 << 16  # of the design: a change of the support costs a product with it
_CHANGES = 10  # for each feature and strength: more are a circle that ties of rounding errors have closed


def is_small_elastic_net(problem):
    """Whether the path is worth following: without free coefficients, which have no ridge either."""
    n_samples, n_features = problem.n_samples, problem.n_features
    few = min(n_samples, n_features) <= _SAMPLES and n_samples * n_features <= _ENTRIES
    known = not (problem.design.is_matrix_free or isinstance(problem, GramProblem) or problem.free_columns().size)
    return few and known and 0 < problem.penalty.l1_ratio < 1


def elastic_path_at_once(problem, alphas, tol):
    """Results for a descending sequence of strengths of an `L1Ridge`; None for those whose gap misses `tol`."""
    results: list = []
    with single_threaded_blas():  # many small products
        follower = _Elastic(problem.in_double())
        for alpha in map(float, alphas):
            began, before = time.perf_counter(), follower.pivots
            posed = problem.with_penalty(problem.penalty._replace(alpha=alpha))
            coef = follower.go_to(alpha).astype(problem.target.dtype)
            certificate = relative_gap(posed, coef)
            work = follower.pivots - before, time.perf_counter() - began
            results.append(proved(coef, 0.0, certificate.value, certificate.objective, *work, tol))
    return results


class _Elastic(Columns):
    """The support's Gram matrix with the ridge of the next strength; a piece of the way there, from one down to zero.

    On the support the coefficients are ``base - way * slope``, elsewhere the correlations are.
    """

    def __init__(self, problem):
        self.l1_ratio = problem.penalty.l1_ratio
        super().__init__(problem)
        reach = np.divide(np.abs(self.target), self.weights, out=np.zeros_like(self.target), where=self.weights > 0)
        self.threshold, self.ridge = float(np.max(reach, initial=0.0)), 0.0
        self.highest = self.threshold * (1.0 - ROUNDING)  # from there on all coefficients are zero
        self.coef, self.own_size = np.zeros(self.target.size), self.size

    def go_to(self, alpha):
        """The coefficients at a strength below the last one."""
        threshold, ridge = alpha * self.l1_ratio, alpha * (1.0 - self.l1_ratio)
        if threshold >= self.highest:
            return self.coef
        self.shift = (ridge - self.ridge) * self.weights * self.coef
        self.rate, self.least = max(self.threshold - threshold, 0.0) * self.weights, threshold * self.weights
        self.size = self.own_size + ridge * self.weights
        rows = self.rows[self.support]
        self.inverse = _inverse(rows @ rows.T + np.diag(ridge * self.weights[self.support]))
        self.alpha, self.threshold, self.ridge = 1.0, min(threshold, self.threshold), ridge
        for _ in range(_CHANGES * self.target.size):
            self.aim()
            way, column, sign = self.next_change()
            if not way > 0:
                break
            self.change(column, way, sign)
        self.coef = np.where(self.inside & (self.base * self.sign > 0), self.base, 0.0)
        return self.coef

    def aim(self):
        support = self.support
        pulls = np.column_stack([self.target - self.least * self.sign, self.rate * self.sign - self.shift])
        inside = self.inverse @ pulls[support]
        piece = self.rows @ (self.ends - self.rows[support].T @ inside)
        piece[:, 1] -= self.shift
        piece[support] = inside
        self.base, self.slope = piece.T


def _inverse(gram):
    """The inverse of a definite matrix; of one that rounding keeps from being that, the pseudoinverse."""
    if not gram.size:
        return gram
    factor, failed = dpotrf(gram, lower=1)
    if failed:
        return np.linalg.pinv(gram, hermitian=True)
    half = dpotri(factor, lower=1)[0]
    return np.tril(half) + np.tril(half, -1).T
