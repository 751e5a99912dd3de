"""Costs between all pairs of two samples whose transport moves few features."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from .._tables import check_array
from ._elastic import elastic_regulariser
from ._elastic_sums import elastic_costs
from ._home import home_of, on_host, sent_home

__all__ = ["as_points", "canonical", "checked_costs", "elastic_cost"]


_LEAST = 1e-140  # entries whose squares still have all their digits


def elastic_cost(
    X, Y, penalty="l1", gamma=1.0, *, ridge=1.0, scale=1.0, groups=None, group_weights=None, k=1, n_jobs=None
):
    """Matrix of ``h(x_i - y_j)`` with ``h(z) = |z|^2 / 2 + tau(z)``, between dense points or compressed rows.

    It is what `solve` needs for a plan whose map moves few features, and what `SparseMongeMap` uses. Dense points cost n m d
    operations that compile to vector instructions; two CSR matrices with shares p and q of entries n m d p q, for "l1", "elastic"
    and "stvs", without a dense copy.

    Parameters
    ----------
    X : array or sparse matrix of shape (n, n_features)
        Source points, one a row.
    Y : array or sparse matrix of shape (m, n_features)
        Target points, one a row.
    penalty : {"l1", "elastic", "stvs", "group", "k_support"}, default="l1"
        The regulariser tau; see `SparseMongeMap`.
    gamma : float, default=1.0
        Its strength, not negative. 0 leaves half the squared distance (not for "stvs").
    ridge : float, default=1.0
        The ridge of "elastic".
    scale : float, default=1.0
        A factor of "stvs", below 2.
    groups : int or array of shape (n_features,), optional
        Groups of "group": the size of contiguous blocks, or one label for each feature.
    group_weights : array of shape (n_groups,), optional
        Their weights; square roots of the sizes by default.
    k : int, default=1
        The k of "k_support".
    n_jobs : int, optional
        Threads; by default as many as OMP_NUM_THREADS allows. The bits are the same for any number.

    Returns
    -------
    array of shape (n, m)
        The costs in float64, in the namespace of the points.

    Raises
    ------
    ValueError
        If points are not finite, differ in dimension or namespace, or lie so far apart that a cost overflows, or a parameter is out of range.

    See Also
    --------
    SparseMongeMap : The map that belongs to the plan.

    Notes
    -----
    Between compressed rows a cost is that of both points from zero, corrected in the features that both store: its rounding is
    1e-16 of those, so that points far from zero and near to each other should come as arrays.

    References
    ----------
    Cuturi, Klein and Ablin, "Monge, Bregman and Occam: interpretable optimal transport in high dimensions with feature-sparse
    maps", 2023 (arXiv 2302.04065).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.transport import elastic_cost
    >>> elastic_cost(np.zeros((1, 2)), np.array([[3.0, 4.0], [0.0, 1.0]]), "l1", gamma=2.0)
    array([[26.5,  2.5]])
    """
    home, kinds = home_of(X=X, Y=Y), {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}
    points = [
        as_points(check_array(on_host(values), input_name=name, **kinds)) for values, name in ((X, "X"), (Y, "Y"))
    ]
    sources, targets = points
    if sources.shape[1] != targets.shape[1]:
        raise ValueError(f"Y has {targets.shape[1]} features, but X has {sources.shape[1]}: a cost needs one space.")
    options = {"ridge": ridge, "scale": scale, "groups": groups, "group_weights": group_weights, "k": k}
    regulariser = elastic_regulariser(penalty, gamma, sources.shape[1], **options)
    return sent_home(checked_costs(regulariser, sources, targets, n_jobs), home)


def checked_costs(regulariser, sources, targets, n_jobs):
    """The costs, or an error if one of them is no number."""
    with np.errstate(over="ignore", invalid="ignore"):
        cost = elastic_costs(regulariser, sources, targets, n_jobs)
    if not np.all(np.isfinite(cost)):
        raise ValueError(
            "X and Y hold points so far apart that their cost overflows; divide both by the size of their entries."
        )
    largest = max(float(abs(points).max()) for points in (sources, targets))
    if 0.0 < largest < _LEAST:
        raise ValueError(
            f"X and Y have no entry above {largest:.1e}, so that their squares vanish; divide both by the size of their entries."
        )
    return cost


def as_points(points):
    """Checked points in float64, rows in one piece."""
    if sp.issparse(points):
        return canonical(points).astype(np.float64, copy=False)
    return np.ascontiguousarray(points, dtype=np.float64)


def canonical(points):
    """The points; sparse ones with one number an entry, in order."""
    if sp.issparse(points) and not points.has_canonical_format:
        points = points.copy()
        points.sum_duplicates()
    return points
