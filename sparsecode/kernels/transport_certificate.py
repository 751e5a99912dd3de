"""Two passes over the rows of a transport cost that prove how good a pair of potentials is.

    K_ij = exp((f_i + g_j - C_ij) / reg),     P^ = diag(x) K diag(y) + r s^T / sum(s)    with exactly the marginals a and b

Altschuler, Weed and Rigollet, "Near-linear time approximation algorithms for optimal transport via Sinkhorn iteration", 2017
(arXiv 1705.09634).
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel
from ._exp import exp_cut, larger, log_positive, plus

__all__ = ["rounded_divergence", "shrunk_sums"]

_LARGE = (
    1e17  # share of the outer product in an entry above which its logarithm is a sum, also where it is no normal number
)


@kernel
def shrunk_sums(cost, f, g, a, reg, row_sums, column_sums, shrunk, tops):
    """Row sums of K; column sums of K and of ``diag(x) K`` with ``x = min(a / row_sums, 1)``; ``max_i f_i - C_ij``.

    row_sums (B,) is overwritten, column_sums, shrunk and tops (m,) are added to.
    """
    m, per_reg = cost.shape[1], 1.0 / reg
    terms = np.empty(m)
    for i in range(cost.shape[0]):
        row, shift, total = cost[i], f[i], 0.0
        for j in range(m):
            terms[j] = exp_cut((shift + g[j] - row[j]) * per_reg)
            total = plus(total, terms[j])
            tops[j] = larger(shift - row[j], tops[j])
        row_sums[i] = total
        x = min(a[i] / total, 1.0) if total > 0.0 else 1.0
        for j in range(m):
            column_sums[j] += terms[j]
            shrunk[j] += x * terms[j]


@kernel
def rounded_divergence(cost, f, g, reg, a, row_sums, y, rest, hard, row_tops, totals):
    """What the plan P^ costs, and how far it is from K.

    y (m,) scales the columns of ``diag(x) K``, ``rest`` (m,) is what is then missing of their masses, `hard` (m,) a potential.
    Out: ``row_tops_i = max_j hard_j - C_ij``; added to totals: ``sum P^ log(P^/K) - P^ + K`` and ``<C, P^>``.
    """
    m, per_reg = cost.shape[1], 1.0 / reg
    terms, log_rest = np.empty(m), np.log(rest)
    missing = rest.sum()
    log_missing = np.log(missing) if missing > 0.0 else 0.0
    for i in range(cost.shape[0]):
        row, shift, kept, top = cost[i], f[i], 0.0, -np.inf
        x = min(a[i] / row_sums[i], 1.0) if row_sums[i] > 0.0 else 1.0
        for j in range(m):
            terms[j] = exp_cut((shift + g[j] - row[j]) * per_reg)
            kept = plus(kept, terms[j] * y[j])
            top = larger(hard[j] - row[j], top)
        row_tops[i] = top
        left = max(a[i] - x * kept, 0.0)
        share = left / missing if missing > 0.0 else 0.0
        log_left = np.log(left) - log_missing if share > 0.0 else 0.0
        divergence = spent = 0.0
        for j in range(m):
            scaled, filled, log_k = terms[j] * x * y[j], share * rest[j], (shift + g[j] - row[j]) * per_reg
            entry = scaled + filled
            ratio = log_positive(max(entry, 1e-300)) - log_k
            alone = log_left + log_rest[j] - log_k
            ratio = alone if filled > _LARGE * scaled else ratio
            divergence = plus(divergence, entry * ratio + (terms[j] - entry) if entry > 0.0 else terms[j])
            spent = plus(spent, entry * row[j])
        totals[0] += divergence
        totals[1] += spent
