"""The posterior mean of a linear Gaussian model by conjugate gradients: products with the design, and no matrix of its own.

    minimise over x   ||y - A x||^2 / s + sum_n |x_n|^2 / P_n

in ``z = x / sqrt(P)``, where it is ``B z = sqrt(P) A^H y / s`` with ``B = I + sqrt(P) A^H A sqrt(P) / s``: zero prior variances are
allowed, and the diagonal of B is the preconditioner. The minimum is where damped Gaussian message passing on the same model ends,
whatever the design; conjugate gradients need no damping, and get there on every design.

Al-Shoukairi, Schniter and Rao, "A GAMP-based low complexity sparse Bayesian learning algorithm", 2018 (arXiv 1703.03044).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..._array import array_namespace, asarray_like, inner, sq_norm

__all__ = ["Mean", "posterior_mean"]


class Mean(NamedTuple):
    """Where conjugate gradients stopped."""

    coef: Any  # x, (n, L)
    scaled: Any  # z, (n, L)
    residual: Any  # y - A x, (n_samples, L)
    n_products: int


def posterior_mean(design, target, prior, noise, start, share=1e-6, max_steps=100) -> Mean:
    """The mean for prior variances (n, L) or (n, 1), targets (n_samples, L), from a `start` (n, L).

    It stops where the preconditioned gradient is below `share` of the minimised function in every target.
    """
    xp = array_namespace(prior)
    root = xp.sqrt(prior)
    used = root > 0
    scaled = xp.where(used, start / xp.where(used, root, xp.ones_like(root)), 0 * start)
    sq_norms = asarray_like(design.column_sq_norms(), prior, dtype=prior.dtype)[:, None]
    inverse = 1.0 / (1.0 + prior * sq_norms / noise)
    residual = target - design.matvec(root * scaled)
    gradient = root * design.rmatvec(residual) / noise - scaled
    step = ahead = inverse * gradient
    size, n_products = inner(gradient, ahead), 2
    for _ in range(max_steps):
        wanted = size > share * (sq_norm(residual) / noise + sq_norm(scaled))
        if not bool(xp.any(wanted)):
            break
        image = design.matvec(root * step)
        curved = root * design.rmatvec(image) / noise + step
        n_products += 2
        length = xp.where(wanted, _over(xp, size, inner(step, curved)), 0 * size)
        scaled, residual, gradient = scaled + length * step, residual - length * image, gradient - length * curved
        ahead = inverse * gradient
        before, size = size, inner(gradient, ahead)
        step = ahead + _over(xp, size, before) * step
    return Mean(root * scaled, scaled, residual, n_products)


def _over(xp, above, below):
    """The quotient, zero where there is nothing to divide by."""
    positive = below > 0
    return xp.where(positive, above / xp.where(positive, below, xp.ones_like(below)), 0 * above)
