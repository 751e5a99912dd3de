"""Sums over groups of coefficients and back: groups are blocks of one size, or a label for each coefficient."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .._array import array_namespace, as_double, asarray_like, is_numpy
from ._checks import require

__all__ = ["Groups", "as_labels", "check_groups", "groups_of"]


class Groups:
    """Which coefficients belong together, for one number of coefficients."""

    def __init__(self, groups, n_features):
        if isinstance(groups, tuple):
            self.labels = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
        else:
            self.labels = np.arange(n_features) // groups
        self.order = np.argsort(self.labels, kind="stable")
        self.sizes = np.bincount(self.labels)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        self.in_order = bool(np.all(self.labels[1:] >= self.labels[:-1]))

    def sum(self, values):
        """Sums over each group, (n_groups, ...), of values (n_features, ...)."""
        xp = array_namespace(values)
        if is_numpy(values):
            return np.add.reduceat(values if self.in_order else values[self.order], self.starts, axis=0)
        # others have no segmented sum: groups padded to one length with a zero row behind the last
        width = int(self.sizes.max())
        position = self.starts[:, None] + np.arange(width)
        padded = np.append(self.order, len(self.order))
        position = np.where(np.arange(width) < self.sizes[:, None], position, len(self.order))
        index = asarray_like(padded[position].reshape(-1), values)
        rows = xp.concat([values, xp.zeros_like(values[:1, ...])], axis=0)
        return xp.sum(xp.reshape(xp.take(rows, index, axis=0), (-1, width, *values.shape[1:])), axis=1)

    def norm(self, values):
        """Euclidean norms of the groups, in float64."""
        xp = array_namespace(values)
        size = as_double(xp.abs(values))
        return xp.sqrt(self.sum(size * size))

    def spread(self, values):
        """One value a group, given to each of its coefficients."""
        return array_namespace(values).take(values, asarray_like(self.labels, values), axis=0)

    def weights(self, given, like):
        """Weights of the groups as a column that broadcasts against `like`: square roots of their sizes unless given."""
        values = np.sqrt(self.sizes) if given is None else np.asarray(given, dtype=np.float64)
        xp = array_namespace(like)
        return asarray_like(values.reshape(-1, *[1] * (like.ndim - 1)), like, dtype=xp.float64)


@lru_cache(maxsize=16)
def groups_of(groups, n_features):
    """The groups of so many coefficients, remembered."""
    return Groups(groups, n_features)


def as_labels(groups):
    """One label for each feature, as a tuple."""
    try:
        array = np.asarray(groups)
    except ValueError:
        array = np.empty((0, 0))
    require(
        array.ndim == 1,
        "groups must be a block size or one label for each feature; lists of members are none. Where groups overlap, "
        "repeat the columns that they share.",
    )
    labels = tuple(array.tolist())
    require(_all_told(labels), "groups contains NaN, which is no label; give those features a label of their own.")
    return labels


def _all_told(labels):
    """Whether every label equals itself."""
    return all(label == label for label in labels)


def check_groups(penalty, n_features, weights):
    """Raise a ValueError if the groups, or the values given for each of them, do not fit the coefficients."""
    name, groups = type(penalty).__name__, penalty.groups
    if isinstance(groups, tuple):
        require(
            len(groups) == n_features,
            f"{name}.groups has {len(groups)} labels; it needs one for each of the {n_features} features.",
        )
        require(_all_told(groups), f"{name}.groups contains NaN, which is no label.")
    else:
        require(
            isinstance(groups, (int, np.integer)) and groups >= 1,
            f"{name}.groups must be a block size of at least 1 or a tuple of labels; got {groups!r}.",
        )
    values = getattr(penalty, weights)
    if values is not None:
        count = len(groups_of(groups, n_features).sizes)
        require(len(values) == count, f"{name}.{weights} has {len(values)} entries; there are {count} groups.")
        require(all(number >= 0 for number in values), f"{name}.{weights} must not be negative or NaN; got {values!r}.")
        require(
            any(number < np.inf for number in values),
            f"{name}.{weights} are infinite for every group, which leaves none to fit; give some a finite weight.",
        )
