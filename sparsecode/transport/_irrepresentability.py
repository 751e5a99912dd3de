"""Can an l1 penalty find the support of a ground cost? A number that says so.

With H the Hessian of ``theta -> reg KL(coupling | P(theta))`` and S the support of theta, the support is found from enough pairs, with
a strength small enough, if ``max |H[S^c, S] H[S, S]^-1 sign(theta[S])| < 1``, and not if it is greater than 1.

Andrade, Peyré and Poon, "Sparsistency for inverse optimal transport", 2024 (arXiv 2310.05461).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

__all__ = ["hessian_columns", "irrepresentability_of"]


def hessian_columns(X, Y, plan, entries, reg):
    """Columns of the Hessian for the costs ``-X theta Y'``: for each entry (i, j) of theta an array of the shape of theta.

    Parameters
    ----------
    X, Y : ndarray of shape (n, p) and (m, q)
        Points.
    plan : ndarray of shape (n, m)
        The entropic plan at theta.
    entries : iterable of pairs of int
        The entries of theta.
    reg : float
        Strength of the entropy.
    """
    rows, columns = plan.sum(axis=1), plan.sum(axis=0)
    schur = np.diag(columns) - plan.T @ (plan / rows[:, None])
    factor = cho_factor(
        schur + np.outer(columns, columns)
    )  # potentials are determined up to a constant, which this sets
    made = []
    for i, j in entries:
        source, target = -X[:, i], Y[:, j]  # the cost of this entry is their outer product
        right, below = source * (plan @ target), target * (plan.T @ source)
        psi = cho_solve(factor, below - plan.T @ (right / rows))
        phi = (right - plan @ psi) / rows
        change = (source[:, None] * X).T @ (plan @ (target[:, None] * Y))
        change -= (phi[:, None] * X).T @ (plan @ Y) + X.T @ (plan @ (psi[:, None] * Y))
        made.append(-change / reg)
    return np.array(made)


def irrepresentability_of(X, Y, plan, theta, weights, reg):
    """The number above, with the strengths of the penalty in place of ones where there are weights; 0.0 for no support, or a full one."""
    support = theta != 0
    others = ~support & np.isfinite(weights)
    if not support.any() or not others.any():
        return 0.0
    columns = hessian_columns(X, Y, plan, np.argwhere(support), reg)
    inside = columns[:, support]
    try:
        answer = np.linalg.solve(inside, weights[support] * np.sign(theta[support]))
    except np.linalg.LinAlgError:
        return float("inf")
    return float(np.max(np.abs(answer @ columns[:, others]) / weights[others]))
