"""Penalties of the moduli, coefficient by coefficient: what follows from three functions of one modulus.

    value(w) = sum_j weights_j cost(|w_j|)

A penalty's own file gives `cost(size)`, its derivative `slope(size)` (at zero from the right, which may be infinite) and
`shrink(size, step)`, the least minimiser over z >= 0 of ``(z - size)**2 / 2 + step * cost(z)``. Signs, phases, weights from
0 to inf and the precision of the data are the same for all of them and stand here.
"""

from __future__ import annotations

from .._array import array_namespace, as_double, is_complex
from ._checks import forbid_negative

__all__ = ["radial"]


def radial(penalty_class):
    """Complete a NamedTuple that has `cost`, `slope` and `shrink` to a separable penalty."""
    for function in (value, prox, subdiff_distance, tangent):
        setattr(penalty_class, function.__name__, function)
    for name, trait in (("is_separable", is_separable), ("supports_complex", supports_complex)):
        setattr(penalty_class, name, property(trait))
    if not hasattr(penalty_class, "is_convex"):
        penalty_class.is_convex = property(is_convex)
    return penalty_class


def is_convex(self):
    """Whether a duality gap certifies the answer."""
    return False


def is_separable(self):
    """Whether it is a sum over coefficients, so that weights apply."""
    return True


def supports_complex(self):
    """Whether coefficients may be complex."""
    return not self.positive


def value(self, coef, weights=None):
    """The penalty in float64, one number a target."""
    xp = array_namespace(coef)
    size = as_double(xp.abs(coef))
    if weights is None:
        return forbid_negative(self, coef, xp.sum(self.cost(size), axis=0))
    excluded = xp.isinf(weights)
    if not bool(xp.any(excluded)):
        return forbid_negative(self, coef, xp.sum(weights * self.cost(size), axis=0))
    total = xp.sum(xp.where(excluded, xp.zeros_like(weights), weights) * self.cost(size), axis=0)
    total = xp.where(xp.any(excluded & (size > 0), axis=0), xp.full_like(total, float("inf")), total)
    return forbid_negative(self, coef, total)


def prox(self, coef, step):
    """A minimiser over w of ``|w - coef|**2 / 2 + step * cost(|w|)``, the global one; `step` broadcasts (weights enter here)."""
    xp = array_namespace(coef)
    wide = as_double(coef)
    size = xp.maximum(wide, 0 * wide) if self.positive else xp.abs(wide)
    step = as_double(step) + 0 * size if getattr(step, "ndim", 0) else float(step) + 0 * size
    excluded = xp.isinf(step)
    if bool(xp.any(excluded)):
        new = self.shrink(size, xp.where(excluded, 0 * size, step))
        new = xp.where(excluded, 0 * new, new)
    else:
        new = self.shrink(size, step)
    if is_complex(coef):
        new = new / xp.where(size > 0, size, xp.ones_like(size)) * wide
    elif not self.positive:
        new = xp.sign(wide) * new
    return xp.astype(new, coef.dtype, copy=False)


def subdiff_distance(self, grad, coef, weights=None):
    """Distance of ``-grad`` to the subdifferential at `coef`, coefficient by coefficient."""
    xp = array_namespace(grad)
    size = xp.abs(coef)
    zero = size == 0
    slope = self.slope(size)
    if weights is not None:
        counted = (weights > 0) & ~xp.isinf(weights)
        slope = xp.where(counted, slope, xp.zeros_like(slope)) * xp.where(counted, weights, xp.ones_like(weights))
    pull = -grad if self.positive else xp.abs(grad)
    at_zero = xp.maximum(pull - slope, xp.zeros_like(size))
    # an infinite slope stands at zero only
    bounded = xp.where(zero, xp.zeros_like(slope), slope)
    distance = xp.where(zero, at_zero, xp.abs(grad + bounded * coef / xp.where(zero, xp.ones_like(size), size)))
    distance = forbid_negative(self, coef, distance)
    if weights is None:
        return distance
    forbidden = xp.where(zero, xp.zeros_like(size), xp.full_like(size, float("inf")))
    return xp.where(xp.isinf(weights) & xp.ones_like(zero), forbidden, distance)


def tangent(self, coef):
    """Weights with which ``L1(1.0)``, up to a constant, lies above a concave penalty and touches it at `coef`.

    Solving with these weights, again and again, is reweighted l1: each round lowers the objective.
    """
    return self.slope(array_namespace(coef).abs(coef))
