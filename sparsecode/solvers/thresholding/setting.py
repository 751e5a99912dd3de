"""What the sparsity-constrained solvers share: their arguments turned into a problem, and the choice of the next support."""

from __future__ import annotations

import numpy as np

from ..._array import array_namespace, asarray_like, attainable, is_complex, to_numpy
from ..._validation import as_count, as_design, as_number, as_sample_weight, as_target, check_columns, weighted
from ..._warnings import warn
from ...losses import Squared
from ...penalties import L0Ball
from ..problem import make_problem

__all__ = [
    "Visited",
    "as_sparsity",
    "broadcast_flags",
    "narrowed",
    "pooled",
    "ratio",
    "sparsity_problem",
    "support_of",
    "tolerance",
]


def sparsity_problem(
    A,
    y,
    n_nonzero,
    *,
    positive=False,
    block_size=1,
    joint=False,
    penalty_weights=None,
    sample_weight=None,
    level_name="n_nonzero",
    grows=False,
    selects_by_norm=True,
):
    """The validated problem ``min ||y - A coef||^2`` on an l0 ball; of one block, if the solver lets it grow.

    Solvers that compare columns as if they had unit norm need those norms: estimates would mislead them.
    """
    design = as_design(A, check_finite=False)  # `check_columns` looks at the norms of the columns
    target = as_target(y, design)
    for name, value in {"positive": positive, "joint": joint}.items():
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{name} must be True or False; got {value!r}.")
    if positive and is_complex(target):
        raise ValueError("positive=True needs real data, but A or y is complex; leave it out, or pass real arrays.")
    block_size = as_count(block_size, "block_size")
    if not grows:
        n_nonzero = as_sparsity(n_nonzero, design.shape, block_size, level_name)
    block_size = as_count(block_size, "block_size", maximum=design.shape[1], maximum_name="the number of features")
    check_columns(design)
    design, target = weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    design = design.with_exact_norms() if selects_by_norm else design
    ball = L0Ball(block_size if grows else n_nonzero, bool(positive), block_size, bool(joint) and target.ndim == 2)
    return make_problem(design, target, Squared(), ball, penalty_weights=penalty_weights)


def as_sparsity(n_nonzero, shape, block_size=1, name="n_nonzero"):
    """The sparsity level, clipped with a warning to the number of features or samples; room for all blocks where all columns are asked."""
    count = as_count(n_nonzero, name)
    n_samples, n_features = shape
    if count < min(block_size, n_features):
        raise ValueError(f"{name}={count} leaves room for no block of block_size={block_size}; raise {name}.")
    block_size = min(block_size, n_features)
    whole = -(-n_features // block_size) * block_size  # the last block may be short
    if count > n_samples and n_samples < n_features:
        maximum, what = max(n_samples, block_size), "samples"
    elif count > whole:
        maximum, what = n_features, "features"
    else:
        maximum = count
    if count > maximum:
        warn(f"{name}={count} is more than the number of {what}; {maximum} is used.", RuntimeWarning)
    return whole if maximum >= n_features else maximum


def tolerance(problem, tol):
    """The tolerance asked for, but in single precision no less than 1e-5."""
    return attainable(as_number(tol, "tol"), problem.target, least=1e-5)


def support_of(problem, moved, scale):
    """Mask of the coefficients that the ball keeps of `moved`, with those that stand or fall with them.

    Columns that are zero (`scale`) or excluded are left out. One mask (n_features,) for all targets where they share it.
    """
    ball, weights = problem.penalty, problem.coef_weights
    mask = ball.together(ball.keep(moved, weights), weights) & (scale > 0)
    return problem.xp.any(mask, axis=1) if ball.joint else mask


def pooled(problem, values):
    """Numbers of the targets as one a support (n_supports,): added up where all share theirs."""
    values = np.atleast_1d(to_numpy(values))
    return np.sum(values, keepdims=True) if problem.penalty.joint else values


def broadcast_flags(flags, like):
    """NumPy flags, one a support, as an array that broadcasts against coefficients or masks."""
    return asarray_like(np.asarray(flags[0] if like.ndim == 1 or flags.size == 1 else flags[None, :]), like, dtype=None)


def narrowed(wide, like):
    """Double-precision coefficients in the precision of `like`; infinite where that has no number so large."""
    with np.errstate(over="ignore"):
        return array_namespace(like).astype(wide, like.dtype, copy=False)


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
