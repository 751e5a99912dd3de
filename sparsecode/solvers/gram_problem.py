"""A squared-loss problem known only through the normal equations."""

from __future__ import annotations

import numpy as np

from .._array import inner
from ..losses import Squared
from .free_fit import gram_root, nonnegative_fit
from .problem import Point, Problem

__all__ = ["GramProblem"]


class GramProblem(Problem):
    """A squared-loss problem known through ``G = A^H A``, ``q = A^H y`` and ``||y||^2``: its target is `q`."""

    def __init__(self, design, target, loss, penalty, penalty_weights=None, sample_weight=None):
        if not isinstance(loss, Squared):
            raise ValueError(
                f"a GramDesign only holds a squared loss; got {type(loss).__name__}. Pass the design itself."
            )
        if sample_weight is not None:
            raise ValueError("sample_weight cannot be applied to a GramDesign; weight the rows before forming it.")
        super().__init__(design, target, loss, penalty, penalty_weights)
        self.target_sq_norm = design.sq_norm_of_target(target)

    def _residual_terms(self, coef, remaining):
        """||y - A coef||^2 and Re y^H (y - A coef), from correlations `remaining` = q - G coef."""
        with_target = self.target_sq_norm - inner(self.target, coef)
        return np.maximum(with_target - inner(coef, remaining), 0.0), with_target

    def select(self, indices):
        twin = super().select(indices)
        twin.target = self.target[indices]
        return twin

    def image(self, coef):
        return self.design.normal(coef)

    def gradient(self, image):
        return (image - self.target) / self.n_samples

    def gradient_change(self, image):
        return image / self.n_samples

    def image_from(self, certificate):
        left = certificate.point.correlation * self.n_samples
        return self.target - self.xp.astype(left, self.target.dtype, copy=False)

    def bregman(self, change, image, other):
        return self.in_total(0.5 * inner(change, image - other) / self.n_samples)

    def image_sq_norm(self, coef, image):
        return inner(coef, image)

    def at(self, coef):
        remaining = self.target - self.design.normal(coef)
        residual_sq, with_target = self._residual_terms(coef, remaining)
        n = self.n_samples
        misfit = self.in_total(0.5 * residual_sq / n)
        return Point(misfit, remaining / n, (residual_sq / n**2, with_target / n))

    def value(self, coef):
        remaining = self.target - self.design.normal(coef)
        misfit = 0.5 * self._residual_terms(coef, remaining)[0] / self.n_samples
        return self.in_total(misfit) + self.penalty_value(coef)

    def dual_value(self, point, dual_scale):
        dual_sq, with_target = point.dual
        return self.in_total(dual_scale * with_target - 0.5 * self.n_samples * dual_scale**2 * dual_sq)

    def dual_scaling(self, point, limit):
        dual_sq, with_target = point.dual
        best = with_target / np.where(dual_sq > 0, self.n_samples * dual_sq, 1.0)
        return np.clip(best, 0.0, limit)  # below zero a one-sided constraint may fail

    def free_of(self, point, free):
        dual_sq, with_target = point.dual
        if free.ndim == 2:  # directions
            images = self.design.normal(free)
            gram, asked, aimed = free.T @ images, free.T @ point.correlation, free.T @ self.target
        else:
            images = self.design.gram(np.arange(self.n_features), free)
            gram, asked, aimed = images[free], point.correlation[free], self.target[free]
        solved = True
        if getattr(self.penalty, "positive", False):
            coefs, solved = nonnegative_fit(*gram_root(gram, asked))
        else:
            coefs = np.linalg.lstsq(gram, asked)[0]
        correlation = point.correlation - images @ coefs
        left_sq = np.maximum(dual_sq - 2 * inner(asked, coefs) + inner(coefs, gram @ coefs), 0.0)
        rounding = self.n_features * np.finfo(gram.dtype).eps * dual_sq
        known = solved & (left_sq > rounding)  # else there is no direction left
        with_target = np.where(known, with_target - inner(aimed, coefs), 0.0)
        return Point(point.loss, np.where(known, correlation, 0.0), (np.where(known, left_sq, 0.0), with_target))
