"""The k-support norm: the tightest norm on k-sparse vectors of bounded Euclidean length.

    value(w) = alpha min { sum_s ||v_s|| :  w = sum_s v_s, each v_s with at most k non-zeros }

Its unit ball is the convex hull of unit vectors with at most k non-zeros; k = 1 is the l1 norm, k = n_features the
Euclidean one. Its dual norm is that of the k largest moduli.

Argyriou, Foygel and Srebro, "Sparse prediction with the k-support norm", 2012 (arXiv 1204.5043).
"""

import math
from typing import NamedTuple

from scipy.optimize import brentq

from .._array import array_namespace, as_double, divisor, quotient
from ._checks import require
from ._shares import dual_square
from .sparse_envelope import SparseEnvelope

__all__ = ["KSupport"]

_DOUBLINGS = 200  # of a bracket: at the edge of the dual ball no finite one would do


class KSupport(NamedTuple):
    """``alpha`` times the k-support norm, each target by itself. Its square is `SparseEnvelope`.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    n_nonzero : int
        The k, at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import KSupport
    >>> float(KSupport(1.0, 2).value(np.array([3.0, -4.0, 0.0])))
    5.0
    """

    alpha: float
    n_nonzero: int

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients."""
        return False

    @property
    def is_homogeneous(self):
        """Whether doubling the coefficients doubles it, so that its conjugate is zero in the dual ball."""
        return True

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return True

    @property
    def _square(self):
        return SparseEnvelope(1.0, self.n_nonzero)

    def check(self, n_features):
        """Raise a ValueError if the sparsity level is no count."""
        require(
            self.n_nonzero >= 1 and int(self.n_nonzero) == self.n_nonzero,
            f"KSupport.n_nonzero must be an integer of at least 1; got {self.n_nonzero!r}.",
        )

    def _dual_norm(self, coef):
        """Norm of the k largest moduli, one number a target."""
        xp = array_namespace(coef)
        size = as_double(xp.abs(coef))
        return xp.sqrt(dual_square(size, xp.ones_like(size), float(self.n_nonzero)))

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target."""
        return self.alpha * array_namespace(coef).sqrt(2.0 * self._square.value(coef))

    def prox(self, coef, step):
        """Zero inside the dual ball; else that prox of its square whose own norm makes the step right, by root finding."""
        wide = as_double(coef)
        xp = array_namespace(wide)
        if wide.ndim == 2:
            columns = [self.prox(wide[:, t], step) for t in range(wide.shape[1])]
            return xp.astype(xp.stack(columns, axis=1), coef.dtype, copy=False)
        threshold = float(step) * self.alpha
        if not float(self._dual_norm(wide)) > threshold:
            return 0 * coef

        def excess(ridge):
            return ridge * math.sqrt(2.0 * float(self._square.value(self._square.prox(wide, ridge)))) - threshold

        # the prox of the square has norms from 0 up to that of `coef`, so no smaller ridge will do
        ridge = low = max(threshold / math.sqrt(2.0 * float(self._square.value(wide))), 1e-300)
        if excess(low) < 0:
            high = 2.0 * low
            for _ in range(_DOUBLINGS):
                if excess(high) >= 0:
                    ridge = brentq(excess, low, high, xtol=1e-300, rtol=1e-15)
                    break
                ridge = low = high
                high = 2.0 * high
        return xp.astype(self._square.prox(wide, ridge), coef.dtype, copy=False)

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential: that of half the square over the norm, or the dual ball at zero."""
        xp = array_namespace(grad)
        norm = xp.sqrt(2.0 * self._square.value(coef))
        safe = divisor(norm)
        used = self._square.subdiff_distance(grad if not self.alpha else grad * safe / self.alpha, coef)
        used = used * self.alpha / safe if self.alpha else xp.abs(grad)
        return xp.where(norm > 0, used, self._beyond_ball(grad))

    def _beyond_ball(self, grad):
        """Distance of each target to the dual ball: by Moreau what the prox of the norm leaves."""
        return array_namespace(grad).abs(self.prox(as_double(grad), 1.0))

    def dual_limit(self, correlation, weights=None):
        """Largest s with ``s * correlation`` in the dual ball: the norm of its k largest moduli is at most alpha."""
        return quotient(self.alpha, self._dual_norm(correlation))

    def conjugate(self, correlation, weights=None):
        """Convex conjugate inside its domain: zero."""
        return 0.0
