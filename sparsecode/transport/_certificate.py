"""What proves a pair of potentials: marginal error, duality gap of a rounded plan, bounds on transport without entropy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["TransportCertificate", "certify"]


class TransportCertificate(NamedTuple):
    """Numbers of a `TransportResult`, the marginal error in the units of the masses, and the marginals of the plan."""

    marginal_error: float
    value: float
    dual_value: float
    gap: float
    upper_bound: float
    lower_bound: float
    row_sums: np.ndarray
    column_sums: np.ndarray


def certify(problem, f, g) -> TransportCertificate:
    """Certificates of any finite potentials, by two passes over the cost.

    With ``K = exp((f + g - C) / reg)`` and a plan P^ of exactly the marginals made of it,

        gap = <C, P^> + reg sum P^ (log P^ - 1) - (<a, f> + <b, g> - reg sum K) = reg sum [P^ log(P^ / K) - P^ + K] >= 0

    evaluated in the last form, and ``lower_bound <= OT(a, b) <= upper_bound = <C, P^>`` from the hard c-transforms
    ``g' = min_i C_ij - f_i`` and ``f' = min_j C_ij - g'_j``.
    """
    from ..kernels.transport_certificate import rounded_divergence, shrunk_sums

    a, b, reg = problem.a, problem.b, problem.reg
    row_sums, sums, shrunk = np.empty(problem.shape[0]), problem.columns(), problem.columns()
    tops = problem.columns(-np.inf)

    def first(rows, part):
        k = part.start // problem.step
        shrunk_sums(rows, f[part], g, a[part], reg, row_sums[part], sums[k], shrunk[k], tops[k])

    problem.over_rows(first)
    column_sums, inside, hard_g = sums.sum(axis=0), shrunk.sum(axis=0), -tops.max(axis=0)
    with np.errstate(divide="ignore"):
        y = np.minimum(b / inside, 1.0)
    rest = np.maximum(b - y * inside, 0.0)
    row_tops, totals = np.empty(problem.shape[0]), np.zeros((problem.n_blocks, 2))

    def second(rows, part):
        out = totals[part.start // problem.step]
        rounded_divergence(rows, f[part], g, reg, a[part], row_sums[part], y, rest, hard_g, row_tops[part], out)

    problem.over_rows(second)
    divergence, spent = totals.sum(axis=0)
    dual = float(a @ f + b @ g - reg * row_sums.sum())
    gap = max(float(reg * divergence), 0.0)
    error = float(np.abs(row_sums - a).sum() + np.abs(column_sums - b).sum())
    lower_bound = float(b @ hard_g - a @ row_tops)
    return TransportCertificate(error, dual + gap, dual, gap, float(spent), lower_bound, row_sums, column_sums)
