"""What a greedy pursuit is asked: the selection rule, when to stop, and what counts as zero at a given precision."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..._validation import as_count, as_number

__all__ = ["Settings", "is_small", "make_settings", "np_dtype", "power_of_two", "preferences"]

_SMALL = 1_000_000  # n_signals * n_atoms * n_nonzero
_HUGE = 1e150  # longer than any target, and its square is a number


class Settings(NamedTuple):
    """A validated request, with the thresholds of its precision."""

    n_nonzero: int  # atoms beside the free ones
    sparsity_was_asked: bool  # rather than the rank
    tol: float | None
    atol: float | None
    orthogonal: bool
    positive: bool
    dependence: float  # an atom with d^2 <= dependence n_j lies in the span of the selected ones
    noise: float  # a correlation with |c_j|^2 <= noise n_j ||y||^2 is rounding error
    resolution: float  # the recursion knows ||r||^2 to resolution ||y||^2
    first: tuple = ()  # columns that enter before any selection, in this order, not counted in n_nonzero

    @property
    def n_columns(self):
        """Atoms beside the free ones, those of `first` included."""
        return self.n_nonzero + len(self.first)

    def limits(self, target_sq, scale=1.0):
        """Squared residual at which each target, of this squared norm after scaling, stops; -1 (never) without a tolerance."""
        if self.tol is None and self.atol is None:
            return np.full(np.shape(target_sq), -1.0)
        return np.maximum((self.tol or 0.0) ** 2 * target_sq, ((self.atol or 0.0) * scale) ** 2)


def make_settings(n_nonzero, tol, atol, selection, positive, *, shape, dtype, support=None, criterion=None) -> Settings:
    """Validate a request for a design of `shape` (n_samples, n_features).

    Columns of `support` enter first, and count. A `criterion`, where there is one, says when to stop.
    """
    n_samples, n_features = shape
    if n_nonzero is None and tol is None and atol is None and criterion is None:
        raise ValueError(
            "nothing says when to stop: pass n_nonzero (a sparsity level), tol (a relative residual norm), atol, or, where "
            "there is one, a criterion."
        )
    if selection not in ("omp", "ols"):
        raise ValueError(f"selection must be 'omp' or 'ols'; got {selection!r}.")
    kind = np.dtype(dtype).kind
    if positive and kind == "c":
        raise ValueError("positive=True needs real data: complex coefficients have no sign.")
    rank = min(n_samples, n_features)
    name = "the number of features" if n_features <= n_samples else "the number of samples"
    count = rank if n_nonzero is None else as_count(n_nonzero, "n_nonzero", maximum=rank, maximum_name=name)
    first = () if support is None else _as_support(support, n_features)
    if len(first) > count:
        raise ValueError(
            f"support names {len(first)} columns, more than the {count} that n_nonzero and the rank allow."
        )
    eps = float(np.finfo(dtype).eps)
    return Settings(
        count - len(first),
        n_nonzero is not None,
        None if tol is None else _reachable(as_number(tol, "tol")),
        None if atol is None else min(as_number(atol, "atol"), _HUGE),
        selection == "ols",
        bool(positive),
        1e-5 if eps > 1e-10 else 1e-10,
        (16 * eps) ** 2,
        100 * eps,
        first,
    )


def _as_support(support, n_features):
    """Distinct column indices, in the order given."""
    indices = np.asarray(support)
    if indices.size == 0:
        return ()
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ValueError(
            f"support must be a one-dimensional array of column indices; got {indices.dtype} of shape {indices.shape}."
        )
    if indices.min() < 0 or indices.max() >= n_features:
        raise ValueError(
            f"support must hold indices from 0 to {n_features - 1}; got {indices.min()} to {indices.max()}."
        )
    if np.unique(indices).size < indices.size:
        raise ValueError("support names a column twice; each can enter only once.")
    return tuple(int(j) for j in indices)


def _reachable(tol):
    """The tolerance; from one on it is met by zero coefficients, which no rounding of norms may deny."""
    return 2.0 if tol >= 1.0 else tol


def power_of_two(target_sq):
    """The power of two that brings each norm near one: an exact scaling, so that no square leaves single precision's range."""
    exponent = np.frexp(np.sqrt(target_sq))[1]
    return np.ldexp(1.0, -np.where(target_sq > 0, exponent, 0))


def np_dtype(array):
    """The NumPy dtype of the same name as an array's, whatever its namespace."""
    return np.dtype(str(array.dtype).rpartition(".")[2].strip("'>"))


def preferences(sq_norms, penalty_weights=None, first=()):
    """``1 / (weight^2 n_j)`` and ``1 / weight^2``, both zero for columns that may not be selected, and those that enter first.

    These are the free columns, of weight zero, then those of `first`. Zero columns and those of infinite weight are never selected. Only ratios
    of weights matter, so they are taken relative to the middle of their range, where squares are numbers.
    """
    norms = np.asarray(sq_norms, dtype=np.float64)
    weights = np.ones_like(norms) if penalty_weights is None else np.asarray(penalty_weights, dtype=np.float64)
    selectable = (norms > 0) & (weights > 0) & np.isfinite(weights)
    if np.any(selectable):
        weights = weights / (np.sqrt(np.min(weights[selectable])) * np.sqrt(np.max(weights[selectable])))
    preference = np.divide(1.0, weights, out=np.zeros_like(norms), where=selectable) ** 2
    scale = np.divide(preference, norms, out=np.zeros_like(norms), where=selectable)
    free = np.flatnonzero((weights == 0) & (norms > 0))
    forced = np.array([j for j in first if weights[j] > 0], dtype=free.dtype)
    return scale, preference, np.concatenate([free, forced])


def is_small(n_signals, n_atoms, n_nonzero):
    """Whether NumPy is done with the job before a compiler is loaded."""
    return n_signals * n_atoms * n_nonzero <= _SMALL
