"""Single-precision products, double-precision answers: iterative refinement for proximal gradient.

Two roundings stop a single-precision iteration at a relative duality gap of about 3e-6 on correlated designs: steps smaller
than half a unit in the last place of a coefficient are lost, and gradients are wrong by the rounding of all of `A coef`. So
coefficients are kept in double precision (they are few numbers; the design is not copied), and the exact gradient that
a certificate brings is the origin from which, for a quadratic misfit, later gradients differ by products with small vectors.

A loss with an intercept looks for its best constant wherever it is asked. Here images hold it, found once a point from the one
of the last point: a step or two of Newton's method instead of a search for each question.
"""

from __future__ import annotations

from ..._array import as_double
from ...losses.with_intercept import Settled, WithIntercept

__all__ = ["Reference"]


class Reference:
    """A problem as seen from the coefficients `origin`: images are those of ``coef - origin``, in the problem's precision.

    Where the loss has a constant that is not linear in them, images are those of `coef` plus that constant.
    """

    def __init__(self, problem):
        self.problem = problem
        self.origin = self.gradient_there = None
        self.settled_problem = _settled(problem)
        self.constant = 0.0  # the last one found: where the next search begins

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
        image = self.problem.image(self.narrow(coef if self.origin is None else coef - self.origin))
        if self.settled_problem is self.problem:
            return image
        missing, image = self._add_constant(image + self.constant)
        self.constant = self.constant + missing
        return image

    def settled(self, image):
        """The image of coefficients between or beyond others, combined from theirs, with the constant that is best there."""
        return image if self.settled_problem is self.problem else self._add_constant(image)[1]

    def gradient(self, image):
        """Gradient of the misfit in the coefficients whose image this is."""
        if self.origin is None:
            return self.settled_problem.gradient(image)
        return self.gradient_there + self.problem.gradient_change(image)

    def bregman(self, change, image, other):
        """How far the misfit at `image` lies above its tangent at `other`, as `Problem.bregman`."""
        return self.settled_problem.bregman(change, image, other)

    def _add_constant(self, image):
        problem = self.problem
        missing = problem.loss.best_constant(problem.target, image, problem.row_weights)
        return missing, image + missing


def _settled(problem):
    """The same problem for images that hold the best constant; itself where the loss has none, or one linear in them."""
    loss = problem.loss
    if not (isinstance(loss, WithIntercept) and loss.is_smooth and not loss.is_quadratic):
        return problem
    twin = problem.with_penalty(problem.penalty)
    twin.loss = Settled(loss.loss)
    return twin
