"""Single-precision products, double-precision answers: iterative refinement for proximal gradient.

Two roundings stop a single-precision iteration at a relative duality gap of about 3e-6 on correlated designs: steps smaller
than half a unit in the last place of a coefficient are lost, and gradients are wrong by the rounding of all of `A coef`. So
coefficients are kept in double precision (they are few numbers; the design is not copied), and the exact gradient that
a certificate brings is the origin from which, for a quadratic misfit, later gradients differ by products with small vectors.
"""

from __future__ import annotations

from ..._array import as_double

__all__ = ["Reference"]


class Reference:
    """A problem as seen from the coefficients `origin`: images are those of ``coef - origin``, in the problem's precision."""

    def __init__(self, problem):
        self.problem = problem
        self.origin = self.gradient_there = None

    def narrow(self, coef):
        """Coefficients in the precision of the problem: what the user gets and a certificate is made of."""
        return self.problem.xp.astype(coef, self.problem.target.dtype, copy=False)

    def move(self, coef, certificate) -> bool:
        """Take `coef` as the origin if a certificate was made there; whether that was so, and images start anew."""
        if certificate is None or not getattr(self.problem.loss, "is_quadratic", False):
            return False
        self.origin = as_double(self.narrow(coef))
        self.gradient_there = self.problem.gradient_from(certificate, None)
        return True

    def image(self, coef):
        """Image of the coefficients, seen from the origin."""
        return self.problem.image(self.narrow(coef if self.origin is None else coef - self.origin))

    def gradient(self, image):
        """Gradient of the misfit in the coefficients whose image this is."""
        if self.origin is None:
            return self.problem.gradient(image)
        return self.gradient_there + self.problem.gradient_change(image)
