"""All strengths of a Lasso's path in one go: followed or swept from one to the next, then certified in a few products.

    min over x   1/(2 n) ||y - A x||^2 + alpha_k sum_j weights_j |x_j|      for each alpha_k

What rounding, dependent columns or slow sweeps spoil shows in the certificates; such strengths are left to the solver.
"""

from __future__ import annotations

import time
from contextlib import nullcontext

import numpy as np

from ..._parallel import single_threaded_blas
from ...designs import GramDesign
from ...penalties import L1
from ...result import SolveResult, Status
from ..certificates import relative_gaps
from ..gram_problem import GramProblem
from .gram_path import gram_path, is_tall
from .homotopy import homotopy_path, is_small, is_wide

__all__ = ["is_one_go", "path_at_once", "proved"]

_BLOCK = 1 << 18  # entries of the residuals that are certified at a time
_FEWEST = 8


def is_one_go(problem, alphas):
    """Whether the path of a problem is worth it."""
    return isinstance(problem.penalty, L1) and (is_small(problem) or is_tall(problem, len(alphas)))


def path_at_once(problem, alphas, tol, *, handed_out=False):
    """Results for a descending sequence of strengths of an `L1` penalty; None for those whose gap misses `tol`.

    The gap is that of the coefficients with their own residual; from a Gram matrix in double precision where there is one, unless
    the results are `handed_out`: then from the design, as that of any other result.
    """
    began = time.perf_counter()
    small = is_small(problem)
    with single_threaded_blas() if small else nullcontext():  # many small products
        wide = problem.in_double()
        known = wide if small and is_wide(wide) else _as_gram(wide)
        coefs, work = homotopy_path(known, alphas) if small else gram_path(known, alphas, tol)
        coefs = coefs.astype(problem.target.dtype)
        gaps, objectives = _certified(wide if handed_out else known, coefs, alphas)
    seconds = (time.perf_counter() - began) / len(alphas)  # one strength's share
    found = zip(coefs.T, gaps, objectives, work, strict=True)
    return [proved(coef.copy(), 0.0, gap, objective, own, seconds, tol) for coef, gap, objective, own in found]


def proved(coef, intercept, gap, objective, n_iter, seconds, tol):
    """The result with these coefficients; None if their gap misses `tol`."""
    gap, objective, n_iter = float(gap), float(objective), int(n_iter)
    if not gap <= tol:
        return None
    history = {"iteration": [n_iter], "certificate": [gap], "objective": [objective], "seconds": [seconds]}
    known = Status.CONVERGED, n_iter, objective, gap, "relative duality gap", float(tol), history
    return SolveResult(coef, intercept, *known)


def _certified(problem, coefs, alphas):
    """Relative gaps and objectives at all strengths, for as many at a time as their residuals are small."""
    width, parts = max(_FEWEST, _BLOCK // problem.n_samples), []
    for start in range(0, alphas.size, width):
        part = slice(start, start + width)
        parts.append(relative_gaps(problem, coefs[:, part], alphas[part])[0])
    return (np.concatenate([getattr(part, name) for part in parts]) for name in ("value", "objective"))


def _as_gram(problem):
    """The problem, known through its Gram matrix."""
    if isinstance(problem, GramProblem):
        return problem
    design = problem.design
    gram = design.full_gram()
    null = np.flatnonzero(design.column_sq_norms() <= 0)  # constants, of which centring leaves rounding errors
    gram[null] = gram[:, null] = 0.0
    correlations = problem.at_zero().correlation * problem.n_samples
    design = GramDesign(gram, problem.n_samples, float(problem.target @ problem.target))
    return GramProblem(design, correlations, problem.loss, problem.penalty, problem.penalty_weights)
