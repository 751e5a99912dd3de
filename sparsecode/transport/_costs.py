"""What a cost is to the solvers of this room: a shape, rows on demand, and its extent.

A cost has ``shape`` (n, m), ``rows(index)`` that returns the rows of a slice or of an index array as a C-contiguous float64
array, and ``extent()``, the smallest and the largest entry. `GridCost` also has ``softmin_rows`` and ``softmin_columns``, which
need no rows at all.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.sparse import issparse
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from .._array import is_complex
from .._validation import as_number, refuse_lazy
from ._home import on_host

__all__ = ["ArrayCost", "GridCost", "PointCost", "as_cost", "blocks_of", "part_of"]

_BLOCK = 1 << 16  # entries of a block of rows: half a MiB, which stays in the second-level cache
_AN_AXIS = 32  # an entry of a sum along an axis takes as long as so many of a product with a stored kernel
_METRICS = ("sqeuclidean", "euclidean", "cityblock")


def as_cost(cost, name="cost"):
    """A cost from an array, or a lazy cost as it is."""
    if all(hasattr(cost, part) for part in ("shape", "rows", "extent")):
        return cost
    refuse_lazy(cost, name)
    if issparse(cost):
        raise ValueError(f"{name} is sparse, but every entry of a cost counts; pass {name}.toarray().")
    return ArrayCost(cost, name)


def blocks_of(cost):
    """Rows of a block that suits the caches, the same whatever the number of threads."""
    entries = 2 * _BLOCK if isinstance(cost, ArrayCost) else _BLOCK  # those of an array are not made, only read
    return max(1, entries // max(cost.shape[1], 1))


def _as_real(values, name, ndim):
    """A finite float64 array of that many axes."""
    refuse_lazy(values, name)
    if issparse(values):
        raise ValueError(f"{name} is sparse, but all of its entries are used; pass {name}.toarray().")
    array = np.asarray(on_host(values))
    if array.dtype.kind not in "biuf" or is_complex(array):
        raise ValueError(f"{name} has dtype {array.dtype}; it must hold real numbers.")
    if array.ndim != ndim or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; it must have {ndim} axes, none of them empty.")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} contains NaN or infinity; drop these entries, or give them a finite value.")
    return np.ascontiguousarray(array, dtype=np.float64)


class _Ranged:
    """A cost whose extent is found once, by a pass over its rows."""

    shape: tuple[int, ...]

    def rows(self, index):
        """Rows of the cost, of a slice or an array of indices."""
        raise NotImplementedError

    @cached_property
    def _range(self):
        low, high, step = np.inf, -np.inf, blocks_of(self)
        for start in range(0, self.shape[0], step):
            block = self.rows(slice(start, start + step))
            low, high = min(low, float(block.min())), max(high, float(block.max()))
        return low, high

    def extent(self):
        """Smallest and largest cost."""
        return self._range


class ArrayCost(_Ranged):
    """A cost matrix in memory."""

    def __init__(self, array, name="cost"):
        self.array = _as_real(array, name, 2)
        self.shape = self.array.shape

    def rows(self, index):
        return self.array[index]


class PointCost(_Ranged):
    """Ground cost between two sets of points, made a block of rows at a time: an (n, m) array never exists.

        C_ij = c(x_i, y_j)

    Parameters
    ----------
    X : array of shape (n, n_features)
        Source points.
    Y : array of shape (m, n_features)
        Target points.
    ground_cost : {"sqeuclidean", "euclidean", "cityblock"} or callable, default="sqeuclidean"
        The cost between two points; ``ground_cost(X_block, Y)`` returns the array of shape (len(X_block), m).
    scale : float, default=1.0
        What all costs are multiplied by.

    Attributes
    ----------
    shape : tuple of int
        Numbers of sources and targets.

    Raises
    ------
    ValueError
        If the points are not finite, differ in dimension, or the cost is not known.

    See Also
    --------
    GridCost : Points of one grid, with sums along its axes in place of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.transport import PointCost
    >>> PointCost(np.zeros((2, 3)), np.ones((4, 3))).rows(slice(0, 1))
    array([[3., 3., 3., 3.]])
    """

    def __init__(self, X, Y, ground_cost="sqeuclidean", *, scale=1.0):
        self.X, self.Y = _as_real(X, "X", 2), _as_real(Y, "Y", 2)
        if self.X.shape[1] != self.Y.shape[1]:
            raise ValueError(
                f"X has points of dimension {self.X.shape[1]}, Y of dimension {self.Y.shape[1]}; a ground cost needs one space."
            )
        if not callable(ground_cost) and ground_cost not in _METRICS:
            raise ValueError(f"ground_cost must be one of {', '.join(_METRICS)}, or callable; got {ground_cost!r}.")
        self.ground_cost = ground_cost
        self.scale = as_number(scale, "scale", strict=True)
        self.shape = (self.X.shape[0], self.Y.shape[0])

    def __repr__(self):
        scale = "" if self.scale == 1.0 else f", scale={self.scale:g}"
        return f"PointCost({self.X.shape[0]} to {self.Y.shape[0]} points of dimension {self.X.shape[1]}, {self.ground_cost!r}{scale})"

    def rows(self, index):
        """Rows of the cost, of a slice or an array of indices."""
        block = self.X[index]
        if callable(self.ground_cost):
            made = _as_real(self.ground_cost(block, self.Y), "ground_cost(X, Y)", 2)
            if made.shape != (block.shape[0], self.shape[1]):
                raise ValueError(
                    f"ground_cost(X, Y) has shape {made.shape}; it needs a row for each of the {block.shape[0]} points of X and a "
                    f"column for each of the {self.shape[1]} of Y."
                )
        else:
            made = cdist(block, self.Y, self.ground_cost)
        return made if self.scale == 1.0 else made * self.scale


class GridCost:
    """Cost between all points of one grid that is a sum over its axes.

        C_ij = scale * sum_k abs(t_k(i) - t_k(j))^p,        p = 2 or 1

    A sum of exponentials over all points is then one along each axis in turn: with N points in d axes of length L a sweep costs
    ``N L d`` in place of ``N**2``, and no array of N**2 entries exists.

    Parameters
    ----------
    shape : tuple of int
        Lengths of the axes; points are numbered as ``array.ravel()`` numbers an array of this shape.
    ground_cost : {"sqeuclidean", "cityblock"}, default="sqeuclidean"
        p = 2 or p = 1.
    coordinates : sequence of arrays, optional
        Coordinates t_k along each axis; 0, 1, 2, ... by default.
    scale : float, default=1.0
        What all costs are multiplied by; for a largest cost of one, 1 over the sum of the squared (or absolute) lengths.

    Attributes
    ----------
    shape : tuple of int
        ``(N, N)``.

    Raises
    ------
    ValueError
        If an axis is empty, or coordinates do not fit.

    Examples
    --------
    >>> from sparsecode.transport import GridCost
    >>> GridCost((2, 2)).rows(slice(0, 1))
    array([[0., 1., 1., 2.]])
    """

    def __init__(self, shape, ground_cost="sqeuclidean", *, coordinates=None, scale=1.0):
        lengths = np.atleast_1d(shape)
        if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not lengths.size or lengths.min() < 1:
            raise ValueError(f"shape must hold one positive length, an integer, for each axis; got {shape!r}.")
        self.grid = tuple(int(length) for length in lengths)
        if ground_cost not in ("sqeuclidean", "cityblock"):
            raise ValueError(f"ground_cost must be 'sqeuclidean' or 'cityblock' on a grid; got {ground_cost!r}.")
        given = [np.arange(length) for length in self.grid] if coordinates is None else coordinates
        if len(given) != len(self.grid) or any(np.ndim(values) != 1 for values in given):
            raise ValueError(
                f"coordinates must be one array for each of the {len(self.grid)} axes, in a list or a tuple."
            )
        points = [_as_real(values, "coordinates", 1) for values in given]
        if tuple(values.size for values in points) != self.grid:
            raise ValueError(f"coordinates have lengths {[v.size for v in points]}; the axes have {list(self.grid)}.")
        scale = as_number(scale, "scale", strict=True)
        power = 2 if ground_cost == "sqeuclidean" else 1
        self.ground_cost, self.scale = ground_cost, scale
        self.axes = [scale * np.abs(t[:, None] - t) ** power for t in points]
        self.shape = (int(np.prod(self.grid)),) * 2

    def __repr__(self):
        scale = "" if self.scale == 1.0 else f", scale={self.scale:g}"
        return f"GridCost({self.grid}, {self.ground_cost!r}{scale})"

    def rows(self, index):
        """Rows of the cost, of a slice or an array of indices."""
        places = np.unravel_index(np.arange(self.shape[0])[index], self.grid)
        total = np.zeros((places[0].size, 1))
        for axis, place in zip(self.axes, places, strict=True):
            total = (total[:, :, None] + axis[place][:, None, :]).reshape(total.shape[0], -1)
        return total

    def extent(self):
        """Smallest and largest cost."""
        return 0.0, float(sum(axis.max() for axis in self.axes))

    def softmin_rows(self, g, reg):
        """``-reg log sum_j exp((g_j - C_ij) / reg)``, an axis at a time."""
        values = np.asarray(g).reshape(self.grid) / reg
        for k, axis in enumerate(self.axes):
            along = np.moveaxis(values, k, -1)
            values = np.moveaxis(_log_sums(along.reshape(-1, along.shape[-1]), axis / reg).reshape(along.shape), -1, k)
        return -reg * values.ravel()

    softmin_columns = softmin_rows  # the cost is symmetric


def _log_sums(values, axis):
    """``log sum_j exp(values_qj - axis_ij)`` for every row q and place i along one axis."""
    step = max(1, _BLOCK // axis.size)
    made = np.empty((values.shape[0], axis.shape[0]))
    for start in range(0, values.shape[0], step):
        made[start : start + step] = logsumexp(values[start : start + step, None, :] - axis, axis=2)
    return made


def part_of(cost, rows, columns):
    """Those rows and columns of a cost."""
    if isinstance(cost, ArrayCost):
        return ArrayCost(cost.array[np.ix_(rows, columns)])
    along_axes = _AN_AXIS * cost.shape[0] * sum(cost.grid) if isinstance(cost, GridCost) else np.inf
    return (_GridPart if rows.size * columns.size > along_axes else _Part)(cost, rows, columns)


class _Part(_Ranged):
    """Some rows and columns of a lazy cost: those with mass."""

    def __init__(self, cost, rows, columns):
        self.whole, self.row_index, self.column_index = cost, rows, columns
        self.shape = (rows.size, columns.size)

    def rows(self, index):
        return np.ascontiguousarray(self.whole.rows(self.row_index[index])[:, self.column_index])


class _GridPart(_Part):
    """So many points of a grid that sums over all of them, an axis at a time, take less than those over pairs of the points."""

    def extent(self):
        """That of the grid."""
        return self.whole.extent()

    def softmin_rows(self, g, reg):
        """As that of the grid, whose points without mass have potentials of -inf."""
        return self._softmin(g, self.column_index, self.row_index, reg)

    def softmin_columns(self, f, reg):
        """The same in the other direction."""
        return self._softmin(f, self.row_index, self.column_index, reg)

    def _softmin(self, values, given, wanted, reg):
        padded = np.full(self.whole.shape[0], -np.inf)
        padded[given] = values
        return self.whole.softmin_rows(padded, reg)[wanted]
