"""Scratch memory of the compiled pursuit, on cache lines."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

__all__ = ["Workspace", "aligned", "aligned_empty", "workspace"]


class Workspace(NamedTuple):
    """Scratch memory of one thread."""

    basis: np.ndarray  # (k, K) b_q
    remaining: np.ndarray  # (K,) n_j - sum_q |b_q[j]|^2
    score: np.ndarray  # (K,)
    score_bits: np.ndarray  # the same memory read as integers: floats that are not negative order like them
    order: np.ndarray  # 0, 1, ..., K - 1 as integers of the same width
    factor: np.ndarray  # (k, k) L, double
    projection: np.ndarray  # (k,) z, double
    coef: np.ndarray  # (k,) gamma, double
    row: np.ndarray  # (k + 2,) conj(L[t, :]), then z_t and 1 / d, in working precision
    residual: np.ndarray  # (d,) y - A coef, double
    scalar: np.ndarray  # (1,) a real number in working precision


def aligned_empty(shape, dtype):
    """Fresh memory that starts on a cache line: whole-line vectors that straddle two lines cost a quarter of the speed."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def aligned(values):
    """A copy that starts on a cache line."""
    copy = aligned_empty(values.shape, values.dtype)
    copy[...] = values
    return copy


def workspace(n_atoms, depth, dim, dtype) -> Workspace:
    """Scratch memory for codes of at most `depth` atoms."""
    real = np.zeros(0, dtype=dtype).real.dtype
    wide = np.result_type(dtype, np.float64)
    integer = np.int64 if real == np.float64 else np.int32
    score = aligned(np.zeros(n_atoms, dtype=real))
    return Workspace(
        aligned_empty((depth, n_atoms), dtype),
        aligned_empty((n_atoms,), real),
        score,
        score.view(integer),
        aligned(np.arange(n_atoms, dtype=integer)),
        np.zeros((depth, depth), dtype=wide),
        np.zeros(depth, dtype=wide),
        np.zeros(depth, dtype=wide),
        np.zeros(depth + 2, dtype=dtype),
        np.zeros(dim, dtype=wide),
        np.zeros(1, dtype=real),
    )
