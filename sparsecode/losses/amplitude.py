"""Misfit of magnitudes: what is measured of a fitted value is its size, never its sign or phase.

    value(z) = 1/2 sum_i weights_i (|z_i| - y_i)**2

It is the least of ``1/2 sum_i weights_i |z_i - y_i u_i|**2`` over all signs or phases u_i: not convex, but with the phases
of `z` held, ``u_i = z_i / |z_i|``, it is least squares, and has the same gradient.
"""

from typing import NamedTuple

from .._array import array_namespace, as_double, is_complex

__all__ = ["Amplitude", "magnitude", "phase"]


class Amplitude(NamedTuple):
    """Squared loss on magnitudes, ``1/2 sum_i weights_i (|z_i| - y_i)^2``, for targets that are not negative.

    A target of a complex problem has a complex dtype and no imaginary part.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.losses.amplitude import Amplitude
    >>> float(Amplitude().value(np.array([1.0, 3.0]), np.array([-1.0, 1.0]), 0.5))
    1.0
    """

    @property
    def is_smooth(self):
        """Whether the gradient is Lipschitz: not through zero."""
        return False

    @property
    def supports_complex(self):
        """Whether fitted values may be complex."""
        return True

    def value(self, target, fitted, weights):
        """The misfit, in float64, one number a target."""
        xp = array_namespace(fitted)
        defect = as_double(xp.abs(fitted) - magnitude(target))
        return 0.5 * xp.sum(weights * defect * defect, axis=0)

    def gradient(self, target, fitted, weights):
        """Gradient in the fitted values (its limit from positive values at zero)."""
        return weights * (fitted - target * phase(fitted))


def magnitude(target):
    """The target as real numbers."""
    return array_namespace(target).real(target) if is_complex(target) else target


def phase(fitted):
    """``z / |z|``: the sign, or the complex phase; 1 at zero."""
    xp = array_namespace(fitted)
    size = xp.abs(fitted)
    known = size > 0
    return xp.where(known, fitted / xp.where(known, size, xp.ones_like(size)), xp.ones_like(fitted))
