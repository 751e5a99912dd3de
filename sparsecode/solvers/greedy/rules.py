"""What a greedy pursuit is asked: the selection rule, when to stop, and what counts as zero at a given precision."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..._array import array_namespace
from ..._validation import as_count, as_number

__all__ = [
    "BLOCK",
    "Settings",
    "block_products",
    "check_single",
    "dependence",
    "is_small",
    "make_settings",
    "np_dtype",
    "power_of_two",
    "preferences",
    "rounding",
]

BLOCK = 256  # signals; products of signals have exactly so many rows, so bits do not depend on where a block or a chunk ends
_SMALL = 1_000_000  # n_signals * n_atoms * n_nonzero
_HUGE = 1e150  # longer than any target, and its square is a number


class Settings(NamedTuple):
    """A validated request, with the thresholds of its precision."""

    n_nonzero: int  # atoms beside the free ones, those of `first` that enter included
    sparsity_was_asked: bool  # rather than the rank
    tol: float | None
    atol: float | None
    orthogonal: bool
    positive: bool
    dependence: float  # an atom with d^2 <= dependence n_j lies in the span of the selected ones
    noise: float  # a correlation with |c_j|^2 <= noise n_j ||y||^2 is rounding error
    resolution: float  # the recursion knows ||r||^2 to resolution ||y||^2
    first: tuple = ()  # columns that enter before any selection, behind the free ones and in this order

    def limits(self, target_sq, scale=1.0):
        """Squared residual at which each target, of this squared norm after scaling, stops; -inf (never) without a tolerance."""
        if self.tol is None and self.atol is None:
            return np.full(np.shape(target_sq), -np.inf)
        return np.maximum((self.tol or 0.0) ** 2 * target_sq, ((self.atol or 0.0) * scale) ** 2)


def dependence(eps):
    """At this precision of the data a column lies in a span if its squared distance to it is below this share of its squared norm."""
    return 1e-5 if eps > 1e-10 else 1e-10


def rounding(eps):
    """Correlations and residuals below this share of their norms are rounding errors."""
    return 16.0 * eps


def make_settings(
    n_nonzero=None,
    tol=None,
    atol=None,
    selection="omp",
    positive=False,
    *,
    shape,
    dtype,
    support=None,
    penalty_weights=None,
    criterion=None,
) -> Settings:
    """Validate a request for a design of `shape` (n_samples, n_features).

    Columns of `support` enter first, and count unless their weight is zero. A `criterion`, where there is one, says when to stop.
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
    first = () if support is None else _as_support(support, n_features, penalty_weights)
    if len(first) > count:
        raise ValueError(
            f"support names {len(first)} columns, more than the {count} that n_nonzero and the rank allow."
        )
    eps = float(np.finfo(dtype).eps)
    return Settings(
        count,
        n_nonzero is not None,
        None if tol is None else _reachable(as_number(tol, "tol")),
        None if atol is None else min(as_number(atol, "atol"), _HUGE),
        selection == "ols",
        bool(positive),
        dependence(eps),
        rounding(eps) ** 2,
        100 * eps,
        first,
    )


def _as_support(support, n_features, penalty_weights):
    """Distinct column indices, in the order given; without the free ones, which enter anyway."""
    indices = np.asarray(support)
    if indices.size == 0:
        return ()
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        mask = " A mask becomes indices by numpy.flatnonzero." if indices.dtype == bool else ""
        raise ValueError(
            f"support must be a one-dimensional array of column indices; got {indices.dtype} of shape {indices.shape}.{mask}"
        )
    if indices.min() < 0 or indices.max() >= n_features:
        raise ValueError(
            f"support must hold indices from 0 to {n_features - 1}; got {indices.min()} to {indices.max()}."
        )
    if np.unique(indices).size < indices.size:
        raise ValueError("support names a column twice; each can enter only once.")
    if penalty_weights is None:
        return tuple(int(j) for j in indices)
    for j in indices[np.isinf(penalty_weights[indices])]:
        raise ValueError(f"support names column {j}, which penalty_weights excludes (inf); drop it from one of them.")
    return tuple(int(j) for j in indices if penalty_weights[j] > 0)


def _reachable(tol):
    """The tolerance; from one on it is met by zero coefficients, which no rounding of norms may deny."""
    return 2.0 if tol >= 1.0 else tol


def check_single(target):
    """Refuse ``return_path=True`` for a target that is not one-dimensional."""
    if target.ndim != 1:
        how = "pass y[:, 0]" if target.shape[1] == 1 else "pass its columns one by one"
        raise ValueError(f"return_path=True is for one target; y has shape {tuple(target.shape)}: {how}.")


def power_of_two(target_sq):
    """The power of two that brings each norm near one: an exact scaling, so that no square leaves single precision's range."""
    exponent = np.frexp(np.sqrt(target_sq))[1]
    return np.ldexp(1.0, -np.where(target_sq > 0, exponent, 0))


def np_dtype(array):
    """The NumPy dtype of the same name as an array's, whatever its namespace."""
    return np.dtype(str(array.dtype).rpartition(".")[2].strip("'>"))


class Preferences(NamedTuple):
    """What penalty weights and norms say of every column, and which columns enter before any is selected."""

    scale: np.ndarray  # (n_features,) 1 / (weight^2 n_j), zero for a column that may not be selected
    preference: np.ndarray  # (n_features,) 1 / weight^2, zero likewise
    free: np.ndarray  # columns of weight zero, which do not count
    first: np.ndarray  # these, then those of `first`: all that enter before any selection


def preferences(sq_norms, penalty_weights=None, first=()) -> Preferences:
    """Zero columns and those of infinite weight are never selected, free ones enter first.

    Only ratios of weights matter, so they are taken relative to the middle of their range, where squares are numbers.
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
    return Preferences(scale, preference, free, np.concatenate([free, forced]))


def is_small(n_signals, n_atoms, n_nonzero):
    """Whether NumPy is done with the job before a compiler is loaded."""
    return n_signals * n_atoms * n_nonzero <= _SMALL


def block_products(signals, matrix):
    """``signals @ matrix``, by blocks of rows, where their number is a multiple of a block's; in one product otherwise."""
    if signals.shape[0] % BLOCK or signals.shape[0] == BLOCK:
        return signals @ matrix
    xp = array_namespace(signals)
    starts = range(0, signals.shape[0], BLOCK)
    return xp.concat([signals[start : start + BLOCK, :] @ matrix for start in starts], axis=0)
