"""A loss with an intercept: the least that the loss takes as a constant is added to all fitted values.

    value(z) = min over c of  loss(z + c)

Its gradient is that of the loss at the best constant, and sums to zero; so must a dual point, whose value is that of the
loss. Whatever minimises this in the coefficients has fitted coefficients and intercept together.
"""

from typing import Any, NamedTuple

from .._array import array_namespace, inner
from ._numbers import slack

__all__ = ["Settled", "WithIntercept"]


class WithIntercept(NamedTuple):
    """``min over c of loss(z + c)``: an unpenalised constant, for any loss, solver and penalty.

    The constant is fitted exactly wherever the loss is looked at, in closed form or by some Newton steps on as many
    numbers as there are samples, so that no solver knows of it; `best_constant` at the fitted values of the answer is the
    intercept. For `Multinomial` it is one constant for each class, of sum zero.

    Parameters
    ----------
    loss : loss
        For example ``Logistic()``.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1, Poisson, WithIntercept, fista
    >>> counts = np.array([2.0, 3.0, 7.0])
    >>> result = fista(np.eye(3), counts, WithIntercept(Poisson()), L1(10.0))
    >>> result.coef, round(float(result.intercept), 4)  # log(4)
    (array([0., 0., 0.]), 1.3863)
    """

    loss: Any

    @property
    def is_smooth(self):
        """Whether the gradient is continuous, so that gradient methods apply."""
        return self.loss.is_smooth

    @property
    def is_quadratic(self):
        """Whether the gradient is linear in ``fitted - target``."""
        return self.loss.is_quadratic

    @property
    def is_joint(self):
        """Whether the columns of the target are one problem instead of one each."""
        return getattr(self.loss, "is_joint", False)

    @property
    def has_intercept(self):
        """Whether dual points must sum to zero."""
        return True

    @property
    def supports_complex(self):
        """Whether target and fitted values may be complex."""
        return self.loss.supports_complex

    @property
    def curvature(self):
        """Lipschitz constant of the gradient for one sample of weight one."""
        return self.loss.curvature

    def check(self, target):
        """Raise a ValueError if the target is not one for the loss."""
        if hasattr(self.loss, "check"):
            self.loss.check(target)

    def best_constant(self, target, fitted, weights):
        """The constant that makes the loss least, one number a target (or a class)."""
        xp = array_namespace(fitted)
        constant = self.loss.best_constant(target, fitted, weights)
        if not bool(xp.all(xp.isfinite(constant))):
            raise ValueError(
                f"{type(self.loss).__name__} has no finite intercept for this y: all samples of positive weight hold the same "
                "extreme (one class, or counts of zero alone). Fit without an intercept, or add data."
            )
        return xp.astype(constant, fitted.dtype, copy=False)

    def _shifted(self, target, fitted, weights):
        """A target and fitted values with the best constant."""
        return self.shifted(target, fitted, self.best_constant(target, fitted, weights))

    def shifted(self, target, fitted, constant):
        """A target and fitted values with a constant, as `Settled` takes them: a residual that it makes zero is zero, not rounding."""
        if self.is_smooth:
            return target, fitted + constant
        return 0 * target, constant - (target - fitted)  # losses with a kink see residuals alone

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number a target."""
        return self.loss.value(*self._shifted(target, fitted, weights), weights)

    def gradient(self, target, fitted, weights):
        """Gradient in the fitted values; it sums to zero."""
        xp = array_namespace(fitted)
        shifted = self._shifted(target, fitted, weights)
        gradient = self.loss.gradient(*shifted, weights)
        mass = weights * xp.ones_like(gradient)
        preferred = 0 * mass
        if not self.is_smooth:  # a sample on the kink takes what the others leave
            preferred = xp.where(gradient == 0, mass, preferred)
        elif hasattr(
            self.loss, "dual_curvature"
        ):  # a sample at the edge of the dual's domain must not leave it by rounding
            preferred = self.loss.dual_curvature(shifted[0], -gradient, weights)
        mass = xp.where(xp.sum(preferred, axis=0) > 0, preferred, mass)
        return gradient - mass * (xp.sum(gradient, axis=0) / xp.sum(mass, axis=0))

    def hessian_diagonal(self, target, fitted, weights):
        """Second derivatives of the loss at the best constant, held fixed, sample by sample."""
        return self.loss.hessian_diagonal(*self._shifted(target, fitted, weights), weights)

    def bregman(self, target, fitted, other, weights):
        """``F(fitted) - F(other) - <grad F(other), fitted - other>``: gradients sum to zero, so constants drop out."""
        if not self.is_smooth:  # the subgradient is one of many
            tangent = self.value(target, other, weights) + inner(self.gradient(target, other, weights), fitted - other)
            distance = self.value(target, fitted, weights) - tangent
            return array_namespace(distance).maximum(distance, 0 * distance)
        target_there, there = self._shifted(target, other, weights)
        return self.loss.bregman(target_there, self._shifted(target, fitted, weights)[1], there, weights)

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: what a dual point proves about the minimum; minus infinity outside the domain."""
        xp = array_namespace(dual)
        value = self.loss.dual_value(target, dual, weights)
        off = xp.abs(xp.sum(dual, axis=0)) > dual.shape[0] * slack(value) * xp.sum(xp.abs(dual), axis=0)
        off = xp.any(off) if value.ndim < off.ndim else off
        return xp.where(off, xp.full_like(value, -float("inf")), value)

    def dual_scaling(self, target, dual, limit, weights):
        """The scaling of `dual`, from 0 to `limit`, with the greatest dual value."""
        return self.loss.dual_scaling(target, dual, limit, weights)

    def into_domain(self, target, dual, weights):
        """A dual point in the domain: balanced, then scaled; `dual` itself where it lies inside."""
        xp = array_namespace(dual)
        mass = weights * xp.ones_like(dual)
        dual = xp.where(mass > 0, dual, 0 * dual)
        dual = dual - mass * (xp.sum(dual, axis=0) / xp.sum(mass, axis=0))
        value = self.loss.dual_value(target, dual, weights)
        low, high = xp.zeros_like(value), xp.ones_like(value)
        low = xp.where(xp.isfinite(value), high, low)
        for _ in range(0 if bool(xp.all(low == high)) else 50):
            middle = 0.5 * (low + high)
            inside = xp.isfinite(self.loss.dual_value(target, middle * dual, weights))
            low, high = xp.where(inside, middle, low), xp.where(inside, high, middle)
        return xp.astype(low, dual.dtype, copy=False) * dual


class Settled(WithIntercept):
    """A loss `WithIntercept` for fitted values that hold the best constant already: it looks for none.

    For solvers that ask several things at one point; what is asked must be of fitted values to which `best_constant` was added.
    """

    __slots__ = ()

    def _shifted(self, target, fitted, weights):
        return target, fitted
