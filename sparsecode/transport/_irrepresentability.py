"""Can an l1 penalty find the support of a ground cost? A number that says so.

With H the Hessian of ``theta -> reg KL(coupling | P(theta))`` and S the support of theta, the support is found from enough pairs, with
a strength small enough, if ``max |H[S^c, S] H[S, S]^-1 sign(theta[S])| < 1``, and not if it is greater than 1.

Andrade, Peyré and Poon, "Sparsistency for inverse optimal transport", 2024 (arXiv 2310.05461).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve, pinvh

__all__ = ["hessian_columns", "irrepresentability_of"]

_SINGULAR = 1e-12  # least eigenvalue of a Hessian that is more than rounding, in units of its costs' second moments
_CUT = 1e-10  # eigenvalues of the plan that count as zero: its components


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
    solve = _potentials_of(np.diag(columns) - plan.T @ (plan / rows[:, None]), columns)
    made = []
    for i, j in entries:
        source, target = -X[:, i], Y[:, j]  # the cost of this entry is their outer product
        right, below = source * (plan @ target), target * (plan.T @ source)
        psi = solve(below - plan.T @ (right / rows))
        phi = (right - plan @ psi) / rows
        change = (source[:, None] * X).T @ (plan @ (target[:, None] * Y))
        change -= (phi[:, None] * X).T @ (plan @ Y) + X.T @ (plan @ (psi[:, None] * Y))
        made.append(-change / reg)
    return np.array(made)


def _potentials_of(schur, columns):
    """A function that solves for the potentials of the columns, determined up to a constant on each component of the plan."""
    root = np.sqrt(columns)
    unit = schur / np.outer(root, root)  # eigenvalues between zero and one, as many of them zero as components
    try:
        factor = cho_factor(unit + np.outer(root, root))  # of one component: this sets its constant
        if np.min(np.diagonal(factor[0])) ** 2 > _CUT:
            return lambda right: cho_solve(factor, right / root) / root
    except np.linalg.LinAlgError:
        pass
    inverse = pinvh(unit, rtol=_CUT)
    return lambda right: inverse @ (right / root) / root


def irrepresentability_of(X, Y, plan, theta, weights, reg):
    """The number above, with the strengths of the penalty in place of ones where there are weights; 0.0 for no support, or a full one.

    Infinite where the Hessian on the support is singular, as it is where the plan leaves no choice.
    """
    support = theta != 0
    others = ~support & np.isfinite(weights)
    if not support.any() or not others.any():
        return 0.0
    columns = hessian_columns(X, Y, plan, np.argwhere(support), reg)
    inside = columns[:, support]
    sizes = np.sqrt(((X * X).T @ plan @ (Y * Y))[support] / reg)
    if not sizes.all() or np.linalg.eigvalsh(inside / np.outer(sizes, sizes))[0] <= _SINGULAR:
        return float("inf")
    answer = np.linalg.solve(inside, weights[support] * np.sign(theta[support]))
    return float(np.max(np.abs(answer @ columns[:, others]) / weights[others]))
