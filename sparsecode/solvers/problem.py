"""A sparse problem: minimise over coef  loss(target, design @ coef) + sum_j weights_j penalty(coef_j).

Solvers see only what is asked here; whether the design is a matrix, an operator or a Gram matrix stays inside.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._array import (
    array_namespace,
    as_double,
    asarray_like,
    dagger,
    inner,
    is_complex,
    norm,
    real_dtype,
    sq_norm,
    to_numpy,
    zeros,
)
from .._validation import (
    as_design,
    as_penalty_weights,
    as_sample_weight,
    as_start,
    as_target,
    check_products,
    check_range,
)
from ..designs import CenteredDesign, GramDesign
from ..losses.with_intercept import Settled
from .free_fit import moved_off, nonnegative_fit, orthonormal_basis
from .parts import as_parts, plain_fields

__all__ = ["Point", "Problem", "make_problem"]


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
        self.is_joint = target.ndim == 2 and any(getattr(part, "is_joint", False) for part in (loss, penalty))
        self.n_samples, self.n_features = design.shape
        self.row_weights = 1.0 / self.n_samples
        self._root = self._at_zero = self._double = self._free_basis = None
        self._is_double = False  # whether that is known
        self._constant = None, 0.0  # coefficients last looked at, and the constant that suits them
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
        """Zeros, or a copy of `init` in the problem's dtype and namespace, moved to where the penalty allows coefficients."""
        nothing = zeros(self.shape, self.target)
        if init is None:
            return nothing
        coef = as_start(init, nothing)
        coef = self.without_excluded(coef + nothing)
        return self.xp.maximum(coef, nothing) if getattr(self.penalty, "positive", False) else coef

    def without_excluded(self, coef):
        """`coef` with zeros where the penalty weight is infinite."""
        weights = self.coef_weights
        return coef if weights is None else self.xp.where(self.xp.isinf(weights), 0 * coef, coef)

    def image(self, coef):
        """What the misfit depends on, linear in `coef`: the fitted values (for a Gram problem, ``G @ coef``)."""
        return self.design.product(coef)

    def gradient(self, image):
        """Gradient of the misfit in the coefficients whose image this is."""
        return self.design.rmatvec(self.loss.gradient(self.target, image, self.row_weights))

    def gradient_change(self, image):
        """By how much the gradient of a quadratic misfit changes with coefficients whose image this is."""
        return self.design.rmatvec(self.loss.gradient(0 * self.target, image, self.row_weights))

    def gradient_from(self, certificate, image):
        """The same gradient, for free where a certificate was made of those coefficients."""
        if certificate is None:
            return self.gradient(image)
        return -self.xp.astype(certificate.point.correlation, self.target.dtype, copy=False)

    def image_from(self, certificate):
        """The image of the coefficients that a certificate was made of, for free; of a squared loss on rows of equal weight."""
        left = certificate.point.dual * self.n_samples
        return self.target - self.xp.astype(left, self.target.dtype, copy=False)

    def bregman(self, change, image, other):
        """``F(coef) - F(other) - <grad F(other), coef - other>``, from `change` = coef - other and both images."""
        return self.in_total(self.loss.bregman(self.target, image, other, self.row_weights))

    def curvature_along(self, direction, moved, image):
        """Second derivative of the misfit along a direction whose image is `moved`; at most so large, where that is known."""
        curvature = getattr(self.loss, "curvature", None)
        if self.loss_is_quadratic or curvature is None:
            return 2.0 * self.bregman(direction, moved, 0 * moved)
        known = curvature < float("inf")
        bound = (
            curvature * self.row_weights if known else self.loss.hessian_diagonal(self.target, image, self.row_weights)
        )
        return self.in_total(self.xp.sum(bound * as_double(moved) ** 2, axis=0))

    @property
    def loss_is_quadratic(self):
        """Whether the gradient of the misfit is linear in the coefficients."""
        return getattr(self.loss, "is_quadratic", False)

    def in_total(self, values):
        """Numbers of the targets, or their sum where the targets are one problem."""
        return self.xp.sum(values, axis=0) if self.is_joint and getattr(values, "ndim", 0) == 1 else values

    def image_sq_norm(self, coef, image):
        """``||A coef||^2``, from the image of `coef`."""
        return sq_norm(image)

    def at(self, coef) -> Point:
        """Misfit and correlations at `coef`: one product with the design and one with its adjoint."""
        loss, target, fitted = self._settled(coef)
        dual = -loss.gradient(target, fitted, self.row_weights)
        value = self.in_total(loss.value(target, fitted, self.row_weights))
        return Point(value, self.design.rmatvec(dual), dual)

    def _settled(self, coef):
        """The loss, a target and fitted values of `coef`, the best constant among them: searched for once, and kept for `intercept`."""
        loss, fitted = self.loss, self.design.product(coef)
        if not getattr(loss, "has_intercept", False):
            return loss, self.target, fitted
        known, constant = self._constant
        if coef is not known:
            near = constant if loss.is_smooth else 0.0  # where the last one was
            constant = near + loss.best_constant(self.target, fitted + near, self.row_weights)
            self._constant = coef, constant
        return Settled(loss.loss), *loss.shifted(self.target, fitted, constant)

    def at_pair(self, coef, dual) -> Point:
        """The point of `coef` with another dual than the misfit's negative gradient, brought into the loss's domain."""
        loss, target, fitted = self._settled(coef)
        dual = self.loss.into_domain(self.target, dual, self.row_weights)
        return Point(self.in_total(loss.value(target, fitted, self.row_weights)), self.design.rmatvec(dual), dual)

    def loss_excess(self, point, coef):
        """By how much the dual of a point misses being a negative subgradient of the misfit at `coef`, and the misfit at zero.

        The former is the Fenchel gap ``F(z) - <z, -u> + F*(-u)``: zero for subgradients alone.
        """
        fitted = self.design.product(coef)
        dual_value = self.in_total(self.loss.dual_value(self.target, point.dual, self.row_weights))
        excess = point.loss + self.in_total(inner(point.dual, fitted)) - dual_value
        return np.maximum(to_numpy(excess), 0.0), to_numpy(self.at_zero().loss)

    def value(self, coef):
        """Misfit plus penalty, one number a target (one in all where they are one problem), in float64."""
        misfit = self.loss.value(self.target, self.design.product(coef), self.row_weights)
        return self.in_total(misfit) + self.penalty_value(coef)

    def intercept(self, coef):
        """The constant that the loss adds to the fitted values: one a target, or 0.0 where it has none."""
        if not getattr(self.loss, "has_intercept", False):
            return 0.0
        known, constant = self._constant
        if coef is known:
            return constant
        return self.loss.best_constant(self.target, self.design.product(coef), self.row_weights)

    def expect(self, constant):
        """The constant near which the next one is looked for."""
        self._constant = None, constant

    def at_zero(self) -> Point:
        """The point of all coefficients zero, computed once: it gives certificates their scale."""
        if self._at_zero is None:
            self._at_zero = self.at(self.start())
        return self._at_zero

    def penalty_value(self, coef):
        """The weighted penalty alone."""
        return self.in_total(self.penalty.value(coef, self.coef_weights))

    def prox(self, coef, step):
        """Prox of ``step`` times the weighted penalty."""
        if self.penalty_weights is None:
            return self.penalty.prox(coef, step)
        shrunk = self.penalty.prox(coef, step * self.coef_weights)
        return self.without_excluded(shrunk)  # even where the strength is zero

    def lipschitz(self, coef=None) -> float:
        """Lipschitz constant of the misfit's gradient in the coefficients (an upper bound, within 10 % as a rule).

        Where there is none, that of the quadratic that fits at `coef`, or at zero.
        """
        if self.loss.curvature == float("inf"):
            image = self.image(self.start() if coef is None else coef)
            largest = self.xp.max(self.loss.hessian_diagonal(self.target, image, self.row_weights))
            return float(largest) * self.design.spectral_sq_norm()
        if self._root is None:
            return self.loss.curvature * self.design.spectral_sq_norm() / self.n_samples
        scaled = CenteredDesign(self.design, scale=self._root) if self.design.is_numpy else self.design
        bound = 1.0 if self.design.is_numpy else float(np.max(self._root) ** 2)
        return self.loss.curvature * bound * scaled.spectral_sq_norm()

    def dual_value(self, point, dual_scale):
        """Value of the dual function at ``dual_scale * point.dual``."""
        scale = asarray_like(dual_scale, point.dual, dtype=real_dtype(self.xp, point.dual.dtype))
        return self.in_total(self.loss.dual_value(self.target, scale * point.dual, self.row_weights))

    def dual_scaling(self, point, limit):
        """The best admissible scaling of the dual point, from 0 to `limit`."""
        return self.loss.dual_scaling(self.target, point.dual, limit, self.row_weights)

    def free_columns(self):
        """Indices of the columns that the penalty leaves alone: of weight zero, or all but the excluded at strength zero.

        A penalty that is not separable says itself which columns it does not charge, or which directions: as a matrix of one
        direction a column.
        """
        weights = None if self.penalty_weights is None else to_numpy(self.penalty_weights)
        if getattr(self.penalty, "alpha", None) == 0:
            return np.flatnonzero(np.isfinite(weights) if weights is not None else np.ones(self.n_features))
        if hasattr(self.penalty, "free"):
            return self.penalty.free(self.n_features)
        return np.flatnonzero(weights == 0) if weights is not None else np.empty(0, dtype=np.int64)

    def free_of(self, point, free):
        """The point whose dual is projected to where the columns (or directions) `free`, which the penalty leaves alone, allow one.

        They must be orthogonal to it; if the penalty forbids negative coefficients, it is enough that none correlates positively.
        """
        active = None
        dual = self._over_root(point.dual)  # in the metric of the weights: a sample of weight zero has no dual
        if getattr(self.penalty, "positive", False):
            columns = to_numpy(self._free_columns(free))
            if getattr(self.loss, "has_intercept", False):  # of either sign
                columns = np.hstack([columns, -columns[:, -1:]])
            coefs, solved = nonnegative_fit(columns, to_numpy(dual))
            dual, active = asarray_like(np.where(solved, to_numpy(dual) - columns @ coefs, 0.0), dual), coefs > 0
        else:
            if self._free_basis is None:
                self._free_basis = orthonormal_basis(self.xp, self._free_columns(free))
            for _ in range(2):  # the second time clears what the first one rounds
                dual = dual - self._free_basis @ (dagger(self._free_basis) @ dual)
        dual = dual * self._row_root()
        if hasattr(getattr(self.loss, "loss", self.loss), "dual_curvature"):
            dual = self._kept_inside(free, dual, point.dual, active)
        rounding = dual.shape[0] * self.xp.finfo(dual.dtype).eps
        dual = self.xp.where(norm(dual) > rounding * norm(point.dual), dual, 0 * dual)  # else it is no direction at all
        return Point(point.loss, self.design.rmatvec(dual), dual)

    def _kept_inside(self, free, projected, dual, active=None):
        """The projected dual of each target, or, where it left the domain of the loss, the dual moved by its curvature instead.

        Of the free columns (and the constant) only those that are `active`, if given, have to be orthogonal to it.
        """
        inside = np.isfinite(to_numpy(self.loss.dual_value(self.target, projected, self.row_weights)))
        if np.all(inside):
            return projected
        columns, loss = self._free_columns(free, plain=True), getattr(self.loss, "loss", self.loss)
        curvature = loss.dual_curvature(self.target, dual, self.row_weights)
        if dual.ndim == 1:
            return moved_off(self.xp, columns, curvature, dual, projected, active)
        kept = [projected[:, k] for k in range(dual.shape[1])]
        for k in map(int, np.flatnonzero(~inside)):
            chosen = None if active is None else active[:, k]
            kept[k] = moved_off(self.xp, columns, curvature[:, k], dual[:, k], kept[k], chosen)
        return self.xp.stack(kept, axis=1)

    def _row_root(self):
        """Square roots of the samples' weights, shaped to broadcast; one where all are equal."""
        return 1.0 if isinstance(self.row_weights, float) else self.xp.sqrt(self.row_weights)

    def _over_root(self, dual):
        """A dual divided by the roots of the weights."""
        root = self._row_root()
        if isinstance(root, float):
            return dual
        some = root > 0
        return self.xp.where(some, dual / self.xp.where(some, root, self.xp.ones_like(root)), 0 * dual)

    def _free_columns(self, free, plain=False):
        """Columns that a dual point must be orthogonal to, the free ones and the constant of an intercept: weighted, unless `plain`."""
        if free.ndim == 2:  # directions
            columns = self.design.matvec(asarray_like(free, self.target, dtype=self.target.dtype))
        else:
            columns = self.design.columns(free)
        if getattr(self.loss, "has_intercept", False):
            columns = self.xp.concat([columns, self.xp.ones_like(columns[:, :1])], axis=1)
        root = self._row_root()
        return columns if plain or isinstance(root, float) else columns * self.xp.reshape(root, (-1, 1))

    def with_penalty(self, penalty):
        """The same problem under another penalty (or strength), sharing all that does not depend on it."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.penalty, twin._free_basis = penalty, None
        twin.is_joint = self.target.ndim == 2 and any(getattr(part, "is_joint", False) for part in (self.loss, penalty))
        if self._double is not None:
            twin._double = twin if self._double is self else self._double.with_penalty(penalty)
        return twin

    def select(self, indices):
        """The problem on the chosen coefficients alone, the others being zero; None where it would not be cheaper."""
        design = self.design.select(indices)
        if design is None:
            return None
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._double = twin._free_basis = None
        twin._constant, twin.design, twin.n_features = (None, 0.0), design, len(indices)
        zero = self.at_zero()
        twin._at_zero = Point(zero.loss, zero.correlation[indices], zero.dual)
        if self.penalty_weights is not None:
            twin.penalty_weights = self.penalty_weights[indices]
        return twin

    def in_double(self):
        """The same problem, answering in float64: what certificates are computed from."""
        if self._is_double:
            return self
        xp = self.xp
        wide = xp.complex128 if is_complex(self.target) else xp.float64
        design = self.design.in_double()
        if self.target.dtype == wide and design is self.design:
            self._is_double = True
            return self
        if self._double is None:
            self._double = twin = object.__new__(type(self))
            twin.__dict__.update(self.__dict__)
            twin._at_zero = twin._free_basis = None
            twin._constant, twin.design, twin.target = (None, 0.0), design, xp.astype(self.target, wide)
            if not isinstance(self.row_weights, float):
                twin.row_weights = xp.astype(self.row_weights, xp.float64)
            if self.penalty_weights is not None:
                twin.penalty_weights = xp.astype(self.penalty_weights, xp.float64)
        return self._double


def make_problem(A, y, loss, penalty, *, penalty_weights=None, sample_weight=None) -> Problem:
    """Validate what the user passed and build the problem that its design calls for."""
    loss, penalty = map(plain_fields, as_parts(loss, penalty))
    design = as_design(A)
    target = as_target(y, design)
    if is_complex(target):
        for part in (loss, penalty):
            if not part.supports_complex:
                raise ValueError(
                    f"{type(part).__name__} does not support complex data; pass real arrays, or another {'loss' if part is loss else 'penalty'}."
                )
    if hasattr(loss, "check"):
        loss.check(target)
    check_range(to_numpy(sq_norm(target)), target if target.ndim == 1 else target.T, "y", "target")
    weights = as_penalty_weights(penalty_weights, design)
    if hasattr(penalty, "check"):
        penalty.check(design.shape[1])
    if hasattr(penalty, "in_single") and target.dtype == design.xp.float32:
        penalty = penalty.in_single()
    if weights is not None and not getattr(penalty, "supports_weights", penalty.is_separable):
        raise ValueError(f"penalty_weights need a separable penalty; {type(penalty).__name__} is not one.")
    kind = Problem
    if isinstance(design, GramDesign):
        from .gram_problem import GramProblem as kind  # which builds on this file
    problem = kind(design, target, loss, penalty, weights, as_sample_weight(sample_weight, design.shape[0]))
    if design.is_matrix_free:  # nobody has seen its entries, and certificates need this product anyway
        _check_operator(problem)
    return problem


def _check_operator(problem):
    """NaN in a column of an operator shows in its product with any vector."""
    zero = problem.in_double().at_zero()
    if np.all(np.isfinite(to_numpy(zero.dual))):
        check_products(zero.correlation, problem.design)
