"""Group lasso, sparse group lasso and row lasso by working sets of blocks: solve on a few, look at all, add those that object.

    min over W   1/(2 n) ||Y - A W||^2 + alpha sum_b (single ||W_b||_1 + weights_b ||W_b||)

The look at all blocks is the one product ``A^T residual`` that the certificate needs anyway: the driver sends it back in.
While blocks outside the set object far above `alpha`, the set is solved for a larger strength first.

Yuan and Lin, "Model selection and estimation in regression with grouped variables", 2006.
Massias, Gramfort and Salmon, "Celer: a fast solver for the Lasso with dual extrapolation", 2018 (arXiv 1802.07481).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import attainable, is_complex
from ..._parallel import single_threaded_blas
from ...losses import Squared
from ..driver import State, drive
from ..method import Method
from ..proximal.forward_backward import accelerated_steps
from .block_layout import blocks_of
from .block_set import BlockSet
from .certifier import Certifier
from .subproblem import Aim

__all__ = ["BLOCK_DESCENT", "block_steps"]

_FIRST = 100  # columns to start with, and at least as many are added at a time
_GROWTH = 1.0  # blocks to add at a time, over those that are not zero
_CONTINUATION = 0.15  # strength of a round, at least this share of the largest at which a block outside objects
_FINE, _COARSE = 1e-3, 0.3  # gap of a working set over the gap of the whole problem: wanted, and enough when dear
_OPERATOR_COLUMNS = 256  # columns of a matrix-free design cost a product each: beyond this, gradient steps are cheaper
_LARGEST_SET = 8192  # columns whose Gram matrix is kept; beyond, gradient steps need less memory
_WIDEST = 512  # columns of one block
_CHEAP = 2e6  # multiplications that cost less than the interpreter around them
_PATIENCE = 3


def block_steps(problem, coef, working_set, *, tol):
    """Yield the coefficients after each working set; the first certificate sent in is that of `coef`."""
    alpha, every = problem.penalty.alpha, working_set.every
    excluded = every.columns[every.spread(np.isinf(every.weights))]
    if excluded.size and coef[excluded].any():
        coef = coef.copy()
        coef[excluded] = 0
    at_zero = float(np.sum(problem.in_double().at_zero().loss))
    limit = _OPERATOR_COLUMNS if problem.design.is_matrix_free else _LARGEST_SET
    budget = max(float(np.prod(problem.design.shape)) * max(coef[:1].size, 1), _CHEAP)
    least, idle, strength = np.inf, 0, alpha
    certificate = yield State(coef)
    while True:
        gap = float(certificate.value) * at_zero
        idle = 0 if gap < 0.9 * least else idle + 1
        least = min(least, gap)
        last, (strength, new) = strength, _next_blocks(alpha, certificate.point.correlation, coef, working_set, idle)
        if working_set.gram.size + every.sizes[new].sum() > limit:
            yield from accelerated_steps(problem, coef)
        floor = 0.1 * tol * at_zero / 10.0**idle
        aim = Aim(max(_FINE * gap / 10.0**idle, floor), max(_COARSE * gap / 10.0**idle, floor), budget)
        with single_threaded_blas():  # many small products, which lose more by waiting for threads than they gain
            if new.size:
                working_set.grow(new)
            working_set.begin(coef, certificate.point)
            if working_set.members.size:
                working_set.minimise(strength, aim)
        before, coef = coef, np.zeros_like(coef)
        coef[working_set.blocks.columns] = working_set.coef.T if coef.ndim == 2 else working_set.coef[0]
        stuck = idle >= _PATIENCE and last == strength == alpha and not new.size
        certificate = yield State(coef, finished=stuck or (not new.size and np.array_equal(before, coef)))


def _next_blocks(alpha, correlation, coef, working_set, idle):
    """The strength to solve for and the blocks to add: free and used ones, then those that object most above it."""
    every = working_set.every
    score = every.critical(every.of(correlation))
    needed = every.used(every.of(coef))
    n_used = np.count_nonzero(needed)
    needed |= every.is_free
    outside = np.ones(score.size, dtype=bool)
    outside[working_set.members] = False
    score[needed | ~outside] = 0.0
    strength = max(alpha, _CONTINUATION * score.max(initial=0.0))
    objecting = np.flatnonzero(score > strength)
    count = max(1, _FIRST * score.size // every.columns.size, int(_GROWTH * n_used)) * 2**idle
    if objecting.size > count:
        objecting = np.sort(objecting[np.argpartition(score[objecting], -count)[-count:]])
    return strength, np.concatenate([np.flatnonzero(needed & outside), objecting])


class Memory(NamedTuple):
    """What is kept from one strength of a path to the next."""

    working_set: Any
    certify: Any


def _remember(problem):
    return Memory(BlockSet(problem.design, blocks_of(problem)), Certifier())


def _suits(problem):
    """Whether blocks are few enough columns each, and the data real and NumPy's (or sparse, an operator, a Gram matrix)."""
    plain = problem.design.is_numpy and not is_complex(problem.target) and isinstance(problem.row_weights, float)
    if not (plain and isinstance(problem.loss, Squared) and getattr(problem.penalty, "alpha", 0) > 0):
        return False
    blocks = blocks_of(problem)
    return blocks is not None and int(blocks.sizes.max()) <= _WIDEST


def _run(problem, coef, memory, *, tol, max_iter, callback=None):
    """One target, or many that are one problem, from `coef`. No warning."""
    tol = attainable(tol, problem.target)
    steps = block_steps(problem, coef, memory.working_set, tol=tol)
    return drive(steps, lambda coef: memory.certify(problem, coef), max_iter=max_iter, tol=tol, callback=callback)


BLOCK_DESCENT = Method("block_descent", _suits, _run, _remember, each_target=True)
