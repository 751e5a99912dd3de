"""Weights of columns and of samples, and least-squares problems whose rows bear them."""

from __future__ import annotations

import numpy as np

from .._array import array_namespace, asarray_like, real_dtype
from ..designs import CenteredDesign, DenseDesign, Design, GramDesign
from .arrays import as_design, is_double, refuse_lazy

__all__ = ["as_penalty_weights", "as_sample_weight", "total_weight", "weighted"]


def as_penalty_weights(weights, design: Design, name="penalty_weights", of="feature"):
    """Weights (n_features,) from 0 (free) to inf (excluded), as an array beside the design; None if all are one. Errors call a column `of`."""
    if weights is None:
        return None
    refuse_lazy(weights, name)
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (design.shape[1],):
        raise ValueError(
            f"{name} has shape {values.shape}; it needs one weight for each of the {design.shape[1]} {of}s."
        )
    if not np.all(values >= 0):
        worst = int(np.flatnonzero(~(values >= 0))[0])
        raise ValueError(
            f"{name}[{worst}] is {values[worst]}; weights run from 0 (unpenalised) to inf (excluded), never negative or NaN."
        )
    if np.all(np.isinf(values)):
        raise ValueError(f"{name} are infinite for every {of}, which leaves none to fit; give some a finite weight.")
    if np.all(values == 1.0):
        return None
    vector = design.vector(np.zeros(1))
    xp = array_namespace(vector)
    single = not is_double(design.dtype)
    limits = np.finfo(np.float32 if single else np.float64)  # rounded beyond, a weight would turn into 0 or inf
    charged = (values > 0) & np.isfinite(values)
    values = np.where(charged, np.clip(values, limits.tiny, limits.max), values)
    return asarray_like(values, vector, dtype=xp.float32 if single else xp.float64)


def as_sample_weight(weights, n_samples, name="sample_weight"):
    """Weights (n_samples,) of mean one in float64; None if all are equal."""
    if weights is None:
        return None
    refuse_lazy(weights, name)
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim == 0:
        values = np.full(n_samples, float(values))
    if values.shape != (n_samples,):
        raise ValueError(f"{name} has shape {values.shape}; it needs one weight for each of the {n_samples} samples.")
    if not np.all((values >= 0) & np.isfinite(values)):
        worst = int(np.flatnonzero(~((values >= 0) & np.isfinite(values)))[0])
        raise ValueError(f"{name}[{worst}] is {values[worst]}; weights must be finite and not negative.")
    total = values.sum()
    if total == 0:
        raise ValueError(f"{name} is zero everywhere; at least one sample needs a positive weight.")
    if np.all(values == values[0]):
        return None
    return values * (n_samples / total)


def total_weight(weights, n_samples):
    """How many samples there are when each counts as often as its weight says."""
    if weights is None:
        return n_samples
    return float(np.sum(np.broadcast_to(np.asarray(weights, dtype=np.float64), n_samples)))


def weighted(design: Design, target, sample_weight):
    """The least-squares problem with rows multiplied by the square root of their weight (mean one)."""
    if sample_weight is None:
        return design, target
    if isinstance(design, GramDesign):
        raise ValueError("sample_weight cannot be applied to a GramDesign; weight the rows before forming it.")
    if isinstance(design, DenseDesign) and not design.is_numpy:  # by a copy
        xp = design.xp
        root = asarray_like(np.sqrt(sample_weight), design.array, dtype=real_dtype(xp, design.dtype))
        on_target = xp.astype(root, real_dtype(xp, target.dtype), copy=False)
        weighted_rows = as_design(root[:, None] * design.array, check_finite=False)
        return weighted_rows, target * (on_target if target.ndim == 1 else on_target[:, None])
    root = np.sqrt(sample_weight).astype(np.real(np.zeros(1, dtype=design.dtype)).dtype)
    return CenteredDesign(design, scale=root), target * (root if target.ndim == 1 else root[:, None])
