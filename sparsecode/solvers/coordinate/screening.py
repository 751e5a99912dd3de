"""Gap-safe screening: columns that the duality gap proves to be inactive at the optimum.

A dual point u with duality gap G lies within ``radius = sqrt(2 G / n_samples)`` of the optimal one, because the dual of
the squared loss is strongly concave. So ``|a_j^T u| + radius ||a_j|| < alpha weights_j`` makes the j-th coefficient zero.

Ndiaye, Fercoq, Gramfort and Salmon, "Gap safe screening rules for sparsity enforcing penalties", 2017 (arXiv 1611.05780).
"""

from __future__ import annotations

import numpy as np

__all__ = ["survivors"]


def survivors(problem, certificate, kept):
    """Indices of the columns that may be active at the optimum, and of those `kept`; None if the test cannot be made.

    It cannot where column norms are estimates (matrix-free designs), and is not where unpenalised columns move the dual
    point that the certificate is made of.
    """
    if problem.design.is_matrix_free or problem.free_columns().size:
        return None
    problem = problem.in_double()
    point, penalty = certificate.point, problem.penalty
    gap = float(certificate.value) * float(problem.at_zero().loss)
    limit = penalty.dual_limit(point.correlation, problem.penalty_weights)
    scale = float(problem.dual_scaling(point, limit))
    radius = np.sqrt(2.0 * max(gap, 0.0) / problem.n_samples)
    reach = scale * point.correlation
    reach = (reach if penalty.positive else np.abs(reach)) + radius * np.sqrt(problem.design.column_sq_norms())
    bound = penalty.alpha if problem.penalty_weights is None else penalty.alpha * problem.penalty_weights
    stays = reach >= bound
    stays[kept] = True
    return np.flatnonzero(stays)
