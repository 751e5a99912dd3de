"""Certificates along a path: nothing that one strength has computed is computed again for the next.

A dual point is a proof for every strength, once it is scaled into the smaller ball: what an earlier strength, or an earlier
round, proved bounds the objective from below whatever the coefficients are now. Where supports are nearly as large as
samples are many, coefficients are within a millionth of the minimum long before their own residual proves a thousandth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...penalties import L1
from ..certificates import certificate_of, lower_bound

__all__ = ["Certifier"]


class Certifier:
    """The problem's certificate, remembering the last point: the product that ends one strength of a path begins the next.

    Parameters
    ----------
    keeps_proofs : bool, default=False
        Whether the best dual point met so far counts beside that of the coefficients. The gap is then one of a pair: it cannot
        be recomputed from the coefficients alone, which is for fits whose coefficients are used and never handed out.
    """

    def __init__(self, keeps_proofs=False):
        self.keeps_proofs = keeps_proofs
        self._coef = self._point = self._penalty = self._certificate = None
        self._bound, self._proof = -np.inf, None

    def __call__(self, problem, coef):
        if coef is self._coef and problem.penalty is self._penalty:
            return self._certificate
        point = self._point if coef is self._coef else None
        certificate = certificate_of(problem)(problem, coef, point)
        if self.keeps_proofs and isinstance(problem.penalty, L1):
            certificate = self._with_best_proof(problem, certificate)
        self._certificate = certificate
        self._coef, self._point, self._penalty = coef, certificate.point, problem.penalty
        return certificate

    def point(self, problem, coef):
        """The point of coefficients: that of the last call if it was for them."""
        if coef is self._coef:
            return self._point
        problem = problem.in_double()
        return problem.at(coef) if np.any(coef) else problem.at_zero()

    def know(self, coef, point):
        """The point of coefficients that come next, where another certificate has computed it."""
        self._coef, self._point, self._penalty = coef, point, None

    def _with_best_proof(self, problem, certificate):
        """The certificate, its value by the best bound of the strength."""
        scale = float(problem.in_double().at_zero().loss)
        if problem.penalty is not self._penalty:
            self._bound = -np.inf if self._proof is None else float(lower_bound(problem, self._proof))
        own: Any = certificate.objective - certificate.value * scale
        if not self._bound > own:
            self._bound, self._proof = float(own), certificate.point
            return certificate
        gap = max(float(certificate.objective) - self._bound, 0.0)
        return certificate._replace(value=np.asarray(gap / scale))
