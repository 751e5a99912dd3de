"""What the sparsity-constrained solvers share: their arguments turned into a problem, and the choice of the next support."""

from __future__ import annotations

import numpy as np

from ..._array import real_dtype, to_numpy
from ..._validation import as_count, as_design, as_number, as_sample_weight, as_target, weighted
from ...losses import Squared
from ...penalties import L0Ball
from ..problem import make_problem

__all__ = ["Visited", "ratio", "sparsity_problem", "support_of", "tolerance"]


def sparsity_problem(
    A, y, n_nonzero, *, positive=False, block_size=1, joint=False, penalty_weights=None, sample_weight=None
):
    """The validated problem ``min ||y - A coef||^2`` on an l0 ball."""
    design = as_design(A)
    target = as_target(y, design)
    for name, value in {"positive": positive, "joint": joint}.items():
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{name} must be True or False; got {value!r}.")
    block_size = as_count(block_size, "block_size", maximum=design.shape[1], maximum_name="the number of features")
    whole = -(-design.shape[1] // block_size) * block_size  # the last block may be short
    count = as_count(n_nonzero, "n_nonzero")
    if count > whole:
        count = as_count(count, "n_nonzero", maximum=design.shape[1], maximum_name="the number of features")
        count = whole
    if count < block_size:
        raise ValueError(f"n_nonzero={count} leaves room for no block of block_size={block_size}; raise n_nonzero.")
    design, target = weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    ball = L0Ball(count, bool(positive), block_size, bool(joint) and target.ndim == 2)
    return make_problem(design, target, Squared(), ball, penalty_weights=penalty_weights)


def tolerance(problem, tol):
    """The tolerance asked for, but in single precision no less than 1e-5."""
    single = real_dtype(problem.xp, problem.target.dtype) == problem.xp.float32
    return max(as_number(tol, "tol"), 1e-5 if single else 0.0)


def support_of(problem, moved, scale):
    """Mask of the coefficients that the ball keeps of `moved`, with those that stand or fall with them.

    Columns that are zero (`scale`) or excluded are left out. One mask (n_features,) for all targets where they share it.
    """
    xp, ball = problem.xp, problem.penalty
    mask = ball.together(ball.keep(moved, problem.coef_weights)) & (scale > 0)
    if problem.penalty_weights is not None:
        mask = mask & xp.isfinite(problem.coef_weights)
    return xp.any(mask, axis=1) if ball.joint else mask


class Visited:
    """Supports met so far, target by target (all targets count as one where they share a support)."""

    def __init__(self):
        self._met: list[set] = []

    def __call__(self, mask, remember=True):
        """Whether each support was met before, a NumPy array (n_supports,); then it counts as met, unless told otherwise."""
        mask = to_numpy(mask)
        keys = [
            row.tobytes()
            for row in np.packbits(mask if mask.ndim == 1 else mask.T, axis=-1).reshape(-1, -(-mask.shape[0] // 8))
        ]
        self._met = self._met or [set() for _ in keys]
        before = np.array([key in met for key, met in zip(keys, self._met, strict=True)])
        if remember:
            for key, met in zip(keys, self._met, strict=True):
                met.add(key)
        return before


def ratio(numerator, denominator):
    """NumPy quotient, one a target; zero where the denominator is."""
    numerator, denominator = to_numpy(numerator).astype(float), to_numpy(denominator).astype(float)
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)
