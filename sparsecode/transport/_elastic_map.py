"""The entropic map of an elastic cost, at any point, from one potential of a transport problem.

    T(x) = x - prox_tau( x + sum_j p_j(x) (grad tau(x - y_j) - y_j) ),    p(x) = softmax_j (g_j - h(x - y_j)) / reg

The argument of the prox is the gradient of the soft c-transform of g, the prox of tau the gradient of the conjugate of h.
Equivalently ``x - T(x)`` minimises the mean Bregman divergence ``sum_j p_j D_h(z, x - y_j)`` over z: it is zero in the features in
which the weighted targets lie on both sides of x.

Pooladian and Niles-Weed, "Entropic estimation of optimal transport maps", 2021 (arXiv 2109.12004). Cuturi, Klein and Ablin,
"Monge, Bregman and Occam", 2023 (arXiv 2302.04065).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ._elastic import Absolute
from ._elastic_sums import block_rows, elastic_costs, mean_slopes
from ._solve import solve

__all__ = ["displacement_blocks", "sinkhorn_divergence"]

_SHARE = 1.0  # of the mean cost within a sample: with less entropy, distances between few points in many dimensions are mostly noise
_CUT = -700.0  # exponentials of less are as slow as they are small


def displacement_blocks(regulariser, points, anchors, potential, reg, n_jobs=None):
    """Yield ``T(x) - x``, float64 of shape (rows, d), for consecutive rows of the points; anchors carry the potential."""
    step = block_rows(points.shape[1])
    for start in range(0, points.shape[0], step):
        block = points[start : start + step]
        costs = elastic_costs(regulariser, block, anchors, n_jobs)
        rows = block.toarray() if sp.issparse(block) else block
        weights = _softmax((potential - costs) / reg)
        slopes = mean_slopes(regulariser, rows, anchors, weights, n_jobs)
        yield -regulariser.prox(rows + slopes)


def _softmax(scores):
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(np.maximum(scores, _CUT, out=scores), out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def sinkhorn_divergence(X, Y, n_jobs=None):
    """How far two samples of equal weights are from each other: 0 for the same one, in units of half a squared distance.

    ``value(X, Y) - (value(X, X) + value(Y, Y)) / 2`` for half the squared distance as cost, and an entropy relative to the product
    of the masses whose strength is the mean cost within Y: the same for every X.
    """
    squared = Absolute(0.0)
    within, between = elastic_costs(squared, Y, Y, n_jobs), elastic_costs(squared, X, Y, n_jobs)
    reg = _SHARE * float(within.mean() or between.mean() or 1.0)

    def value(cost):
        made = solve(None, None, cost, reg, plan="lazy", n_jobs=n_jobs)
        return made.dual_value + reg * (1.0 + np.log(cost.shape[0]) + np.log(cost.shape[1]))

    return value(between) - 0.5 * (value(elastic_costs(squared, X, X, n_jobs)) + value(within))
