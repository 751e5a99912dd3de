"""Coordinate descent on the quadratic model of a smooth misfit, and the derivatives that the model is made of.

    model of a change d:   -u^T (A d + c) + 1/2 sum_i h_i (A d + c)_i^2 + sum_j weights_j penalty(w_j + d_j)

u is the negative gradient of the misfit in the fitted values, h its curvature, c a constant that follows d as its
least-squares fit where there is an intercept (which takes the h-weighted mean off every column).
"""

from __future__ import annotations

from ._compile import kernel, prox, slopes

__all__ = ["gram_descent", "sparse_descent", "weigh"]


@kernel
def weigh(loss, target, fitted, constant, row_weights, dual, bend):
    """Fill in u and h at ``fitted + constant``; return their sums."""
    pull = total = 0.0
    for i in range(target.shape[0]):
        gradient, curvature = slopes(loss, target[i], fitted[i] + constant)
        dual[i] = -row_weights[i] * gradient
        bend[i] = row_weights[i] * curvature
        pull += dual[i]
        total += bend[i]
    return pull, total


@kernel
def gram_descent(gram, penalty, weights, coef, remaining, n_sweeps):
    """Sweeps over all coordinates, through ``gram = A^T H A`` and ``remaining = A^T (u - H A d)``; returns the number of moves.

    Shapes: gram (capacity, capacity), of which the leading (size, size) counts; weights, coef, remaining (size,).
    """
    size = coef.shape[0]
    moves = 0
    for _ in range(n_sweeps):
        before = moves
        for j in range(size):
            curvature = gram[j, j]
            if curvature <= 0.0:
                continue
            old = coef[j]
            change = prox(penalty, old + remaining[j] / curvature, weights[j] / curvature) - old
            if change != 0.0:
                coef[j] = old + change
                for k in range(size):
                    remaining[k] -= change * gram[j, k]
                moves += 1
        if moves == before:
            break
    return moves


@kernel
def sparse_descent(
    data, indices, indptr, bend, total, touch, curvature, penalty, weights, coef, order, residual, drift
):
    """One sweep over the coordinates `order` on compressed columns, keeping ``residual = u - H A d`` up to date.

    With an intercept (`total`, the sum of h, is positive) the true residual is ``residual - drift[0] / total h``: its sum is
    zero; ``touch[j] = <a_j, h>``. `curvature` is ``a_j^T H a_j`` of the column without its mean.
    """
    for place in range(order.shape[0]):
        j = order[place]
        if curvature[j] <= 0.0:
            continue
        correlation = 0.0
        for i in range(indptr[j], indptr[j + 1]):
            correlation += data[i] * residual[indices[i]]
        if total > 0.0:
            correlation -= drift[0] / total * touch[j]
        old = coef[j]
        change = prox(penalty, old + correlation / curvature[j], weights[j] / curvature[j]) - old
        if change != 0.0:
            coef[j] = old + change
            for i in range(indptr[j], indptr[j + 1]):
                residual[indices[i]] -= change * bend[indices[i]] * data[i]
            drift[0] -= change * touch[j]
