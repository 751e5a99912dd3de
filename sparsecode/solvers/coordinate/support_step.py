"""What ends coordinate descent on a quadratic model: a Newton step on the support, or Anderson's extrapolation.

For the l1 norm, also with a ridge, signs on the support are fixed and the model is quadratic there, so that one linear
system solves it. For other penalties, and where the support is too large to factor, the last iterates are combined.

Bertrand and Massias, "Anderson acceleration of coordinate descent", 2021 (arXiv 2011.10065).
"""

from __future__ import annotations

import numpy as np

from ...penalties import L1, L1Ridge
from .newton import newton_step

__all__ = ["support_step"]

_CUBE, _SQUARE = 1 / 36, 10.0  # cost of a Newton step on k coefficients, in multiplications of a sweep
_CHEAP = 1e5  # multiplications that cost less than the interpreter around them


def support_step(model, penalty, weights, iterates, work):
    """Move the model towards its minimiser if the objective falls; returns what that cost, in multiplications.

    `iterates` are the coefficients of the last sweeps; `work` is what descent has cost since the last Newton step.
    """
    if isinstance(penalty, (L1, L1Ridge)):
        support = np.flatnonzero((model.coef != 0) | ((weights == 0) & (not penalty.positive)))
        cost = _CUBE * support.size**3 + _SQUARE * support.size**2
        if cost <= max(work, _CHEAP):
            gram = model.gram_of(support)
            if gram is not None and _newton(model, penalty, weights, support, gram):
                return work
    _extrapolate(model, penalty, weights, np.array(iterates))
    return 0.0


def _newton(model, penalty, weights, support, gram):
    """A Newton step on the support; whether there was one."""
    threshold, ridge = weights[support] * penalty.alpha, 0.0
    coef, remaining = model.coef[support], model.remaining()[support]
    if isinstance(penalty, L1Ridge):
        ridge = threshold * (1.0 - penalty.l1_ratio)
        threshold = threshold * penalty.l1_ratio
        gram[np.diag_indices_from(gram)] += ridge
    step = newton_step(gram, coef, remaining - ridge * coef, threshold, penalty.positive)
    if step is None:
        return False
    new = model.coef.copy()
    new[support] += step
    model.go_to(new)
    return True


def _extrapolate(model, penalty, weights, iterates):
    """Anderson's combination of the last iterates (rows), kept if the objective falls."""
    changes = np.diff(iterates, axis=0)
    try:
        mix = np.linalg.solve(changes @ changes.T, np.ones(len(changes)))
    except np.linalg.LinAlgError:
        return
    total = mix.sum()
    if not np.isfinite(total) or total == 0:
        return
    before, remaining = model.coef.copy(), model.remaining().copy()
    with np.errstate(over="ignore", invalid="ignore"):
        new = (mix / total) @ iterates[1:]
    if getattr(penalty, "positive", False):
        new = np.maximum(new, 0.0)
    if not np.all(np.isfinite(new)):
        return
    model.go_to(new)
    rise = -0.5 * (remaining + model.remaining()) @ (new - before)
    rise += float(penalty.value(new, weights)) - float(penalty.value(before, weights))
    if not rise < 0:
        model.go_to(before)
