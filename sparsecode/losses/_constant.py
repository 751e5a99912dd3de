"""The constant that, added to the fitted values, makes a smooth loss least: Newton's method inside a bracket.

It begins at zero where zero may be near, so that fitted values which already hold about the right constant cost a step or two.
"""

from __future__ import annotations

from .._array import array_namespace, asarray_like, real_dtype, to_numpy

__all__ = ["bracketed_constant", "class_constants", "widest"]

_STEPS = 100
_SETTLED = {True: 1e-13, False: 1e-6}  # decreases of a value of size one, in double and single precision
_NEAR = 1.0  # Newton's step never raises the loss where it changes log-odds by less (Bach, arXiv 0910.4627)
_RIDGE = 8  # in units of rounding, for blocks of classes that are certain
_ROUNDING = 4  # of the terms that a gradient is the sum of


def bracketed_constant(loss, target, fitted, weights, low, high, start):
    """Where the gradients of ``fitted + c`` sum to zero, for c between `low` and `high`, one number a target."""
    xp = array_namespace(fitted)
    constant = xp.where((low <= 0) & (high >= 0), 0 * low, xp.minimum(xp.maximum(start, low), high))
    for _ in range(_STEPS):
        gradient = loss.gradient(target, fitted + constant, weights)
        total = xp.sum(gradient, axis=0)
        done = xp.abs(total) <= _ROUNDING * xp.finfo(gradient.dtype).eps * xp.sum(xp.abs(gradient), axis=0)
        done = done | (high - low <= 2 * xp.finfo(gradient.dtype).eps * xp.maximum(xp.abs(low), xp.abs(high)))
        if bool(xp.all(done)):
            break
        low, high = xp.where(total < 0, constant, low), xp.where(total > 0, constant, high)
        bend = xp.sum(loss.hessian_diagonal(target, fitted + constant, weights), axis=0)
        newton = constant - total / xp.where(bend > 0, bend, xp.ones_like(bend))
        inside = (bend > 0) & (newton > low) & (newton < high)
        constant = xp.where(done, constant, xp.where(inside, newton, 0.5 * (low + high)))
    return constant


def class_constants(loss, target, fitted, weights):
    """One constant for each class, of mean zero, that makes a multinomial loss least: by Newton and Sinkhorn steps."""
    xp = array_namespace(fitted)
    dtype = real_dtype(xp, fitted.dtype)
    frequency = xp.sum(weights * target, axis=0)
    if bool(xp.any(frequency == 0)):
        empty = to_numpy(frequency == 0).nonzero()[0].tolist()
        raise ValueError(
            f"classes {empty} of y have no sample of positive weight; drop them, or fit without an intercept."
        )
    constant = 0 * frequency
    step, promised, mass = _class_step(loss, target, fitted, weights)
    if not float(xp.max(step) - xp.min(step)) < _NEAR:
        constant = xp.log(frequency) - xp.mean(fitted, axis=0)
        step, promised, mass = _class_step(loss, target, fitted + constant, weights)
    for _ in range(_STEPS):
        change = float(xp.max(step) - xp.min(step))
        if not promised > _SETTLED[dtype == xp.float64]:  # Newton's steps square it: this one is the last
            constant = constant - step if promised > 0 else constant
            break
        if not change < _NEAR:
            # far from the minimum: Sinkhorn's step never rises, a shorter one of Newton may fall more
            tiny = xp.full_like(mass, xp.finfo(dtype).smallest_normal)
            sinkhorn = xp.log(xp.maximum(mass, tiny)) - xp.log(frequency)
            candidates = [step, sinkhorn, *(step * (4**k / change) for k in range(8))]
            values = [float(loss.value(target, fitted + (constant - one), weights)) for one in candidates]
            step = candidates[min(range(len(values)), key=values.__getitem__)]
        constant = constant - step
        step, promised, mass = _class_step(loss, target, fitted + constant, weights)
    return constant - xp.mean(constant)


def _class_step(loss, target, fitted, weights):
    """Newton's step, to be subtracted, for the constants of the classes; twice the decrease that it promises; their masses."""
    xp = array_namespace(fitted)
    gradient = loss.gradient(target, fitted, weights)
    total = xp.sum(gradient, axis=0)
    share = gradient + weights * target  # weights times probabilities
    mass = xp.sum(share, axis=0)
    eye = xp.eye(share.shape[1], dtype=share.dtype)
    # the rows of a block of second derivatives sum to zero: a constant for all classes changes nothing
    outer = (share / xp.where(share > 0, weights + 0 * share, xp.ones_like(share))).T @ share
    ridge = _RIDGE * xp.finfo(share.dtype).eps * eye
    block = mass[:, None] * eye - outer + xp.sum(mass) * (ridge + 1 / share.shape[1])
    step = xp.linalg.solve(block, total[:, None])[:, 0]
    return step, float(xp.sum(total * step)), mass


def widest(fitted, centre):
    """Ends and mean of what ``centre - fitted`` spans, one a target: `centre` is the constant for fitted values of zero."""
    xp = array_namespace(fitted)
    centre = asarray_like(centre, fitted, dtype=fitted.dtype)
    return tuple(centre - reduce(fitted, axis=0) for reduce in (xp.max, xp.min, xp.mean))
