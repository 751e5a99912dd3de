"""A sparse problem: minimise over coef  loss(target, design @ coef) + sum_j weights_j penalty(coef_j).

Solvers see only what is asked here; whether the design is a matrix, an operator or a Gram matrix stays inside.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._array import array_namespace, asarray_like, inner, is_complex, real_dtype, sq_norm
from .._validation import as_design, as_penalty_weights, as_sample_weight, as_target
from ..designs import CenteredDesign, GramDesign
from ..losses import Squared

__all__ = ["GramProblem", "Problem", "make_problem"]


class Point(NamedTuple):
    """What is known at a coefficient vector: enough for a certificate and for choosing where to go next."""

    loss: Any  # misfit, float64, one number a target
    correlation: Any  # A^H (-gradient of the loss in the fitted values), (n_features, ...)
    dual: Any  # the negative gradient itself, (n_samples, ...); None for a Gram problem


class Problem:
    """Design, target, loss, penalty and weights, already validated, and the quantities solvers ask for."""

    def __init__(self, design, target, loss, penalty, penalty_weights=None, sample_weight=None):
        self.design, self.target, self.loss, self.penalty = design, target, loss, penalty
        self.penalty_weights = penalty_weights
        self.xp = array_namespace(target)
        self.n_samples, self.n_features = design.shape
        self.row_weights = 1.0 / self.n_samples
        self._root = None
        if sample_weight is not None:
            row_weights = sample_weight / self.n_samples
            self._root = np.sqrt(row_weights)
            row_weights = asarray_like(row_weights, target, dtype=real_dtype(self.xp, target.dtype))
            self.row_weights = row_weights if target.ndim == 1 else row_weights[:, None]

    @property
    def shape(self):
        """Shape of the coefficients: (n_features,) or (n_features, n_targets)."""
        return (self.n_features, *self.target.shape[1:])

    @property
    def coef_weights(self):
        """Penalty weights, shaped to broadcast against the coefficients; None if all are one."""
        weights = self.penalty_weights
        return weights if weights is None or self.target.ndim == 1 else weights[:, None]

    def start(self, init=None):
        """Zeros, or a copy of `init` in the problem's dtype and namespace."""
        zeros = self.xp.zeros(self.shape, dtype=self.target.dtype, device=self.target.device)
        if init is None:
            return zeros
        coef = asarray_like(np.asarray(init) if isinstance(init, list) else init, zeros, dtype=zeros.dtype)
        if coef.shape != zeros.shape:
            raise ValueError(f"init has shape {tuple(coef.shape)}; the coefficients have shape {self.shape}.")
        return coef + zeros

    def image(self, coef):
        """What the misfit depends on, linear in `coef`: the fitted values (for a Gram problem, ``G @ coef``)."""
        return self.design.matvec(coef)

    def gradient(self, image):
        """Gradient of the misfit in the coefficients whose image this is."""
        return self.design.rmatvec(self.loss.gradient(self.target, image, self.row_weights))

    def bregman(self, change, image, other):
        """``F(coef) - F(other) - <grad F(other), coef - other>``, from `change` = coef - other and both images."""
        return self.loss.bregman(self.target, image, other, self.row_weights)

    def image_sq_norm(self, coef, image):
        """``||A coef||^2``, from the image of `coef`."""
        return sq_norm(image)

    def at(self, coef) -> Point:
        """Misfit and correlations at `coef`: one product with the design and one with its adjoint."""
        fitted = self.design.matvec(coef)
        dual = -self.loss.gradient(self.target, fitted, self.row_weights)
        return Point(self.loss.value(self.target, fitted, self.row_weights), self.design.rmatvec(dual), dual)

    def value(self, coef):
        """Misfit plus penalty, one number a target, in float64."""
        return self.loss.value(self.target, self.design.matvec(coef), self.row_weights) + self.penalty_value(coef)

    def penalty_value(self, coef):
        """The weighted penalty alone."""
        return self.penalty.value(coef, self.coef_weights)

    def prox(self, coef, step):
        """Prox of ``step`` times the weighted penalty."""
        if self.penalty_weights is None:
            return self.penalty.prox(coef, step)
        weights = self.coef_weights
        shrunk = self.penalty.prox(coef, step * weights)
        return self.xp.where(self.xp.isinf(weights), 0 * coef, shrunk)  # excluded even where the strength is zero

    def lipschitz(self) -> float:
        """Lipschitz constant of the misfit's gradient in the coefficients (an upper estimate)."""
        if self._root is None:
            return self.loss.curvature * self.design.spectral_sq_norm() / self.n_samples
        scaled = CenteredDesign(self.design, scale=self._root) if self.design.is_numpy else self.design
        bound = 1.0 if self.design.is_numpy else float(np.max(self._root) ** 2)
        return self.loss.curvature * bound * scaled.spectral_sq_norm()

    def dual_value(self, point, dual_scale):
        """Value of the dual function at ``dual_scale * point.dual``."""
        scale = asarray_like(dual_scale, point.dual, dtype=real_dtype(self.xp, point.dual.dtype))
        return self.loss.dual_value(self.target, scale * point.dual, self.row_weights)

    def dual_scaling(self, point, limit):
        """The best admissible scaling of the dual point, at most `limit`."""
        return self.loss.dual_scaling(self.target, point.dual, limit, self.row_weights)

    def free_of(self, point, free):
        """The point whose dual is projected off the columns `free`, which the penalty leaves alone."""
        columns = self.design.columns(free)
        coefs = np.linalg.lstsq(columns, point.dual)[0]
        dual = point.dual - columns @ coefs
        return Point(point.loss, self.design.rmatvec(dual), dual)

    def in_double(self):
        """The same problem, answering in float64: what certificates are computed from."""
        xp = self.xp
        wide = xp.complex128 if is_complex(self.target) else xp.float64
        design = self.design.in_double()
        if self.target.dtype == wide and design is self.design:
            return self
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.design, twin.target = design, xp.astype(self.target, wide)
        if not isinstance(self.row_weights, float):
            twin.row_weights = xp.astype(self.row_weights, xp.float64)
        if self.penalty_weights is not None:
            twin.penalty_weights = xp.astype(self.penalty_weights, xp.float64)
        return twin


class GramProblem(Problem):
    """A squared-loss problem known through ``G = A^H A``, ``q = A^H y`` and ``||y||^2``: its target is `q`."""

    def __init__(self, design, target, loss, penalty, penalty_weights=None, sample_weight=None):
        if not isinstance(loss, Squared):
            raise ValueError(f"a GramDesign only holds a squared loss; got {type(loss).__name__}. Pass the design itself.")
        if sample_weight is not None:
            raise ValueError("sample_weight cannot be applied to a GramDesign; weight the rows before forming it.")
        super().__init__(design, target, loss, penalty, penalty_weights)
        self.target_sq_norm = design.sq_norm_of_target(target)

    def _residual_terms(self, coef, remaining):
        """||y - A coef||^2 and Re y^H (y - A coef), from correlations `remaining` = q - G coef."""
        with_target = self.target_sq_norm - inner(self.target, coef)
        return np.maximum(with_target - inner(coef, remaining), 0.0), with_target

    def image(self, coef):
        return self.design.normal(coef)

    def gradient(self, image):
        return (image - self.target) / self.n_samples

    def bregman(self, change, image, other):
        return 0.5 * inner(change, image - other) / self.n_samples

    def image_sq_norm(self, coef, image):
        return inner(coef, image)

    def at(self, coef):
        remaining = self.target - self.design.normal(coef)
        residual_sq, with_target = self._residual_terms(coef, remaining)
        n = self.n_samples
        return Point(0.5 * residual_sq / n, remaining / n, (residual_sq / n**2, with_target / n))

    def value(self, coef):
        remaining = self.target - self.design.normal(coef)
        return 0.5 * self._residual_terms(coef, remaining)[0] / self.n_samples + self.penalty_value(coef)

    def dual_value(self, point, dual_scale):
        dual_sq, with_target = point.dual
        return dual_scale * with_target - 0.5 * self.n_samples * dual_scale**2 * dual_sq

    def dual_scaling(self, point, limit):
        dual_sq, with_target = point.dual
        best = with_target / np.where(dual_sq > 0, self.n_samples * dual_sq, 1.0)
        return np.clip(best, -limit, limit)

    def free_of(self, point, free):
        gram = self.design.gram(free)
        dual_sq, with_target = point.dual
        coefs = np.linalg.lstsq(gram, point.correlation[free])[0]
        everything = np.arange(self.n_features)
        correlation = point.correlation - self.design.gram(everything, free) @ coefs
        dual_sq = np.maximum(dual_sq - inner(point.correlation[free], coefs), 0.0)
        return Point(point.loss, correlation, (dual_sq, with_target - inner(self.target[free], coefs)))


def make_problem(A, y, loss, penalty, *, penalty_weights=None, sample_weight=None) -> Problem:
    """Validate what the user passed and build the problem that its design calls for."""
    loss, penalty = _plain_fields(loss), _plain_fields(penalty)
    design = as_design(A)
    target = as_target(y, design)
    if is_complex(target):
        for part in (loss, penalty):
            if not part.supports_complex:
                raise ValueError(f"{type(part).__name__} does not support complex data; pass real arrays, or another {'loss' if part is loss else 'penalty'}.")
    weights = as_penalty_weights(penalty_weights, design)
    if weights is not None and not penalty.is_separable:
        raise ValueError(f"penalty_weights need a separable penalty; {type(penalty).__name__} is not one.")
    kind = GramProblem if isinstance(design, GramDesign) else Problem
    return kind(design, target, loss, penalty, weights, as_sample_weight(sample_weight, design.shape[0]))


def _plain_fields(parameters):
    """The same loss or penalty with NumPy scalars made Python numbers, which do not widen single precision."""
    return type(parameters)(*(field.item() if isinstance(field, np.generic) else field for field in parameters))
