"""Signals read block by block, NaN where they were not observed, and sums over blocks on many threads.

The blocks do not depend on the number of threads and are added in their order, so neither do the bits of a sum.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._parallel import map_blocks

__all__ = ["Block", "add_statistics", "map_signals", "read_block", "sum_over_signals"]

_BLOCK = 256  # signals
_GROUP = 64  # blocks whose statistics are held before they are added


class Block(NamedTuple):
    """Some signals, with zeros where nothing was observed."""

    signals: Any  # (n, n_features) float64
    observed: Any  # (n, n_features) bool; (0, 0) where everything was
    n_observed: Any  # (n,) entries
    sq_norms: Any  # (n,) over what was observed

    @property
    def is_complete(self):
        """Whether nothing is missing."""
        return self.observed.shape[0] == 0

    def over_observed(self, columns):
        """Sums over the observed entries, one row a signal: of `columns` (n_features, m), the same for all signals."""
        if self.is_complete:
            return np.broadcast_to(np.sum(columns, axis=0), (self.signals.shape[0], columns.shape[1])).copy()
        return self.observed.astype(np.float64) @ columns

    def per_feature(self, weights):
        """Sums over the signals in which a feature was observed, of `weights` (n, m): one row, or one a feature."""
        if self.is_complete:
            return np.sum(weights, axis=0, keepdims=True)
        return self.observed.T.astype(np.float64) @ weights


def read_block(X, start, stop) -> Block:
    """The signals of rows `start` to `stop`."""
    signals = np.array(X[start:stop], dtype=np.float64, order="C")
    missing = np.isnan(signals)
    if not np.any(missing):
        observed = np.empty((0, 0), dtype=np.bool_)
        n_observed = np.full(signals.shape[0], float(signals.shape[1]))
    else:
        signals[missing] = 0.0
        observed = ~missing
        n_observed = np.sum(observed, axis=1).astype(np.float64)
    return Block(signals, observed, n_observed, np.einsum("nd,nd->n", signals, signals))


def add_statistics(first, second):
    """Statistics of two sets of signals together: the sums of their fields.

    Parameters
    ----------
    first, second : DiscreteStatistics, MaximalStatistics or SpikeSlabStatistics
        What `local_statistics` returned for each, under the same model.

    Returns
    -------
    DiscreteStatistics, MaximalStatistics or SpikeSlabStatistics
        Of the same kind. Sums in another order differ by rounding alone.

    Raises
    ------
    TypeError
        If they belong to different models.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import DiscreteCauses, add_statistics, local_statistics
    >>> model = DiscreteCauses(np.eye(2), np.array([0.5]), np.array([1.0]), 0.1)
    >>> whole = add_statistics(*(local_statistics(part, model) for part in (np.eye(2), np.ones((3, 2)))))
    >>> whole.n_signals
    5.0
    """
    if type(first) is not type(second):
        raise TypeError(
            f"statistics of {type(first).__name__} and {type(second).__name__} cannot be added; both must come from the same model."
        )
    return type(first)(*(one + other for one, other in zip(first, second, strict=True)))


def sum_over_signals(statistics_of, n_signals, n_jobs=None):
    """The sum of ``statistics_of(start, stop)`` over blocks of signals."""
    total = None
    for first in range(0, n_signals, _GROUP * _BLOCK):
        last = min(first + _GROUP * _BLOCK, n_signals)
        for part in map_signals(statistics_of, last - first, n_jobs, first):
            total = part if total is None else add_statistics(total, part)
    return total


def map_signals(function, n_signals, n_jobs=None, first=0):
    """``function(start, stop)`` of every block of signals from `first` on, in order."""
    return map_blocks(lambda start, stop: function(first + start, first + stop), n_signals, _BLOCK, n_jobs)
